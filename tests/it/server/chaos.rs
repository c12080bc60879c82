//! Each fault does on the wire what it says.

use std::time::{Duration, Instant};

use reeltop::server::chaos::{Choice, FAULTS, Fault, FaultSet};
use reeltop::server::{Options, Running};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::{PATIENCE, call, client, create_endpoint, eventually, get, health, start};

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// As HTTP says.
    Clean,
    /// In the middle of the answer.
    Broken,
}

/// A reader of the stream that sees every byte.
struct Reader {
    socket: TcpStream,
    head: String,
    raw: Vec<u8>,
    chunks: Vec<Vec<u8>>,
    end: Option<End>,
}

impl Reader {
    async fn open(server: &Running) -> Self {
        Self::resuming(server, "").await
    }

    async fn resuming(server: &Running, headers: &str) -> Self {
        let address = server.url().replace("http://", "");
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let request = format!(
            "GET /events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n{headers}\r\n",
            server.api_key()
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = timeout(PATIENCE, socket.read_u8()).await.unwrap().unwrap();
            head.push(byte);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        Self {
            socket,
            head,
            raw: Vec::new(),
            chunks: Vec::new(),
            end: None,
        }
    }

    /// Reads once; false if nothing came within the time.
    async fn read(&mut self, within: Duration) -> bool {
        let mut buffer = vec![0; 1 << 18];
        let Ok(read) = timeout(within, self.socket.read(&mut buffer)).await else {
            return false;
        };
        let n_bytes = read.unwrap_or(0);
        self.raw.extend_from_slice(&buffer[..n_bytes]);
        if self.head.contains("transfer-encoding: chunked") {
            self.unchunk();
        } else {
            let bytes = std::mem::take(&mut self.raw);
            self.chunks.push(bytes);
        }
        if n_bytes == 0 && self.end.is_none() {
            let is_plain = !self.head.contains("chunked");
            self.end = Some(if is_plain { End::Clean } else { End::Broken });
        }
        true
    }

    fn unchunk(&mut self) {
        while let Some(at) = self.raw.windows(2).position(|pair| pair == b"\r\n") {
            let size = std::str::from_utf8(&self.raw[..at]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            if self.raw.len() < at + 2 + size + 2 {
                break;
            }
            let chunk = self.raw[at + 2..at + 2 + size].to_vec();
            self.raw.drain(..at + 2 + size + 2);
            if size == 0 {
                self.end = Some(End::Clean);
            } else {
                self.chunks.push(chunk);
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let by = Instant::now() + PATIENCE;
        loop {
            let text = self.text();
            if holds(&text) {
                return text;
            }
            assert!(self.end.is_none() && Instant::now() < by, "{what}: {text}");
            self.read(PATIENCE).await;
        }
    }

    async fn until_the_end(&mut self) -> End {
        loop {
            if let Some(end) = self.end {
                return end;
            }
            assert!(self.read(PATIENCE).await, "no end");
        }
    }
}

async fn bad(faults: &[Fault]) -> Running {
    start(Options {
        chaos: Choice::These(FaultSet::of(faults)),
        ping_every: Duration::from_millis(20),
        ..Options::default()
    })
    .await
}

fn switch(server: &Running, faults: &[Fault]) {
    server.chaos().switch(Choice::These(FaultSet::of(faults)));
}

/// So many task events; their tasks.
fn publish(server: &Running, n_events: usize) -> Vec<String> {
    (0..n_events)
        .map(|_| server.backend().create_task("asset", &["proxy"]).unwrap())
        .collect()
}

/// The tasks of the events in a text, in the order in which they come.
fn tasks_in(text: &str) -> Vec<String> {
    text.split("\"task\":{\"id\":\"")
        .skip(1)
        .filter_map(|rest| rest.get(..36))
        .map(str::to_owned)
        .collect()
}

async fn readers(server: &Running, count: u64) {
    eventually("readers", || async {
        (health(server, "readers").await == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn shapes_of_frames_and_of_their_data() {
    type Holds = fn(&str, &str) -> bool;
    let shapes: [(Fault, Holds); 10] = [
        (Fault::Crlf, |text, _| {
            text.contains("\r\ndata: {") && text.replace("\r\n", "").find('\n').is_none()
        }),
        (Fault::Cr, |text, _| {
            text.contains("\rdata: {") && !text.contains('\n')
        }),
        (Fault::Bom, |text, _| {
            text.starts_with("\u{feff}retry: ") && text.matches('\u{feff}').count() == 1
        }),
        (Fault::NoIds, |text, _| {
            !text.contains("\nid:") && text.contains("\nevent: task.progress\ndata: ")
        }),
        (Fault::NoEventNames, |text, _| {
            !text.contains("\nevent:") && text.contains("\nid: ")
        }),
        (Fault::BareTasks, |text, task| {
            text.contains(&format!("data: {{\"id\":\"{task}\",\"asset_id\""))
        }),
        (Fault::Arrays, |text, _| {
            text.contains("data: [{\"timestamp\"")
        }),
        (Fault::CamelCase, |text, _| {
            text.contains("\"eventType\":") && text.contains("\"assetId\":")
        }),
        (Fault::NaiveTimes, |text, _| {
            text.contains("\"updated\":\"20") && !text.contains("Z\"")
        }),
        // None at all: what the others are measured by.
        (Fault::Delay, |text, _| {
            text.contains("\nevent: task.progress\ndata: {\"timestamp\"")
        }),
    ];
    for (fault, holds) in shapes {
        let server = bad(&[fault]).await;
        let mut reader = Reader::open(&server).await;
        readers(&server, 1).await;
        let task = publish(&server, 1).remove(0);
        let what = fault.name();
        let text = reader
            .until(what, |text| {
                let rest = text.split(&task).nth(1).unwrap_or_default();
                ["\n\n", "\r\r", "\r\n\r\n"]
                    .iter()
                    .any(|end| rest.contains(end))
            })
            .await;
        assert!(holds(&text, &task), "{what}: {text}");
        server.stop().await;
    }
}

#[tokio::test]
async fn connections_break_where_they_should() {
    for fault in [
        Fault::DropBetween,
        Fault::DropInside,
        Fault::DropInCharacter,
        Fault::Http10,
    ] {
        let server = bad(&[fault]).await;
        for _ in 0..4 {
            let mut reader = Reader::open(&server).await;
            publish(&server, 12);
            let end = reader.until_the_end().await;
            let bytes = reader.bytes();
            let text = std::str::from_utf8(&bytes);
            match fault {
                Fault::DropBetween | Fault::Http10 => {
                    assert!(text.is_ok_and(|text| text.ends_with("\n\n")), "{fault:?}");
                    assert!(tasks_in(&reader.text()).len() < 12);
                }
                Fault::DropInside => {
                    assert!(text.is_ok_and(|text| !text.ends_with("\n\n")), "{text:?}");
                }
                _ => {
                    let error = text.unwrap_err();
                    assert_eq!(error.error_len(), None, "the end of it is missing");
                    assert_eq!(error.valid_up_to(), bytes.len() - 1);
                }
            }
            let expected = if fault == Fault::Http10 {
                assert!(reader.head.starts_with("http/1.0 200"), "{}", reader.head);
                assert!(!reader.head.contains("transfer-encoding"));
                End::Clean
            } else {
                End::Broken
            };
            assert_eq!(end, expected, "{fault:?}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn events_come_twice_in_another_order_or_late() {
    for fault in [Fault::Duplicate, Fault::Reorder, Fault::Delay] {
        let server = bad(&[fault]).await;
        let mut reader = Reader::open(&server).await;
        readers(&server, 1).await;
        let begun = Instant::now();
        let sent = publish(&server, 30);
        let all = |text: &str| sent.iter().all(|task| text.contains(task.as_str()));
        let text = reader.until(fault.name(), all).await;
        let come = tasks_in(&text);
        let mut once = come.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), 30);
        match fault {
            Fault::Duplicate => assert!((35..60).contains(&come.len()), "{}", come.len()),
            Fault::Reorder => {
                assert_eq!(come.len(), 30);
                assert_ne!(come, sent);
            }
            _ => {
                assert_eq!(come, sent);
                assert!(begun.elapsed() >= Duration::from_millis(50));
            }
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn only_heartbeats_come_and_what_happened_meanwhile_is_lost() {
    let server = bad(&[Fault::HeartbeatOnly]).await;
    let mut reader = Reader::open(&server).await;
    readers(&server, 1).await;
    let lost = publish(&server, 5);
    let text = reader
        .until("beats", |text| text.matches(": ping").count() >= 3)
        .await;
    assert!(!text.contains("data:"), "{text}");
    switch(&server, &[]);
    let task = publish(&server, 1).remove(0);
    let text = reader
        .until("the same stream", |text| text.contains(&task))
        .await;
    assert!(!text.contains(&lost[0]) && reader.end.is_none());
    server.stop().await;
}

#[tokio::test]
async fn silence_ends_and_a_half_open_connection_does_not() {
    let server = bad(&[Fault::Silence]).await;
    let mut reader = Reader::open(&server).await;
    let held = publish(&server, 1).remove(0);
    // Five heartbeats would have come.
    assert!(!reader.read(Duration::from_millis(100)).await);
    switch(&server, &[]);
    reader
        .until("what was held", |text| text.contains(&held))
        .await;
    readers(&server, 1).await;

    switch(&server, &[Fault::HalfOpen]);
    readers(&server, 0).await;
    switch(&server, &[]);
    publish(&server, 1);
    // What came before the switch may still be there.
    while reader.read(Duration::from_millis(100)).await {
        assert_eq!(reader.end, None, "it must stay open");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_trickle_is_one_byte_at_a_time() {
    let server = bad(&[Fault::Trickle]).await;
    let mut reader = Reader::open(&server).await;
    readers(&server, 1).await;
    let task = publish(&server, 1).remove(0);
    reader.until("the task", |text| text.contains(&task)).await;
    assert!(reader.chunks.iter().all(|chunk| chunk.len() == 1));
    server.stop().await;
}

#[tokio::test]
async fn long_lines_are_sound_events_and_damaged_ones_are_not() {
    let server = bad(&[Fault::LineOfOneMib]).await;
    let mut reader = Reader::open(&server).await;
    readers(&server, 1).await;
    let mut sent = Vec::new();
    // One of four is long, by chance.
    let longest = loop {
        let task = publish(&server, 1).remove(0);
        let text = reader
            .until("the next", |text| text.contains(task.as_str()))
            .await;
        sent.push(task);
        let longest = text.lines().max_by_key(|line| line.len()).unwrap();
        if longest.len() > 1 << 20 {
            break longest.to_owned();
        }
        assert!(sent.len() < 200, "{}", longest.len());
    };
    let event: Value = serde_json::from_str(longest.strip_prefix("data: ").unwrap()).unwrap();
    assert!(sent.contains(&event["data"]["task"]["id"].as_str().unwrap().to_owned()));

    switch(&server, &[Fault::InvalidUtf8]);
    let mut reader = Reader::open(&server).await;
    readers(&server, 2).await;
    publish(&server, 30);
    reader
        .until("thirty", |text| text.matches("\ndata: ").count() >= 30)
        .await;
    let bytes = reader.bytes();
    let n_bad = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| std::str::from_utf8(line).is_err())
        .count();
    assert!((1..30).contains(&n_bad), "{n_bad}");
    server.stop().await;
}

/// What a request for this path is answered with.
async fn answer(server: &Running, path: &str) -> reqwest::Response {
    let request = client()
        .get(format!("{}{path}", server.url()))
        .bearer_auth(server.api_key());
    request.send().await.unwrap()
}

#[tokio::test]
async fn refusals_have_their_status_headers_and_reach() {
    let server = bad(&[]).await;
    for (fault, stream, rest) in [
        (Fault::NoContent, 204, 200),
        (Fault::Moved, 301, 200),
        (Fault::MovedForNow, 307, 200),
        (Fault::MovedAway, 301, 200),
        (Fault::MovedAwayForNow, 307, 200),
        (Fault::KeyRotated, 401, 401),
        (Fault::Forbidden, 403, 200),
        (Fault::NotFound, 404, 200),
        (Fault::NoStream, 404, 200),
        (Fault::TooManySeconds, 429, 429),
        (Fault::TooManyDate, 429, 429),
        (Fault::Trouble, 500, 500),
        (Fault::BadGateway, 502, 502),
        (Fault::WrongType, 200, 200),
    ] {
        switch(&server, &[]);
        let mut open = Reader::open(&server).await;
        switch(&server, &[fault]);
        assert_eq!(open.until_the_end().await, End::Clean, "{fault:?}");
        let refusal = answer(&server, "/events").await;
        assert_eq!(refusal.status().as_u16(), stream, "{fault:?}");
        let other = answer(&server, "/tasks/active").await;
        assert_eq!(other.status().as_u16(), rest, "{fault:?}");
        let header = |name: &str| {
            let value = refusal.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        match fault {
            Fault::Moved | Fault::MovedForNow => {
                let moved = answer(&server, &header("location")).await;
                assert_eq!(moved.headers()["content-type"], "text/event-stream");
            }
            Fault::MovedAway | Fault::MovedAwayForNow => {
                let port = server.url().rsplit_once(':').unwrap().1.to_owned();
                let there = format!("http://localhost:{port}/events?moved=away");
                assert_eq!(header("location"), there);
            }
            Fault::KeyRotated => assert_eq!(header("www-authenticate"), "Bearer"),
            Fault::TooManySeconds => assert_eq!(header("retry-after"), "1"),
            Fault::TooManyDate => {
                let at = chrono::DateTime::parse_from_rfc2822(&header("retry-after")).unwrap();
                let date = chrono::DateTime::parse_from_rfc2822(&header("date")).unwrap();
                assert!((0..=2).contains(&(at - date).num_seconds()));
            }
            Fault::BadGateway => {
                assert_eq!(header("content-type"), "text/html");
                assert!(refusal.text().await.unwrap().starts_with("<html>"));
            }
            Fault::WrongType => assert_eq!(header("content-type"), "text/plain; charset=utf-8"),
            _ => {}
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn whoever_follows_to_another_origin_is_seen_with_the_key_or_without() {
    let server = bad(&[Fault::MovedAway]).await;
    let figures = || server.chaos().read_figures();
    let location = answer(&server, "/events").await.headers()["location"]
        .to_str()
        .unwrap()
        .replace("localhost", "127.0.0.1");
    assert_eq!((figures().followed_away, figures().keys_away), (0, 0));
    client().get(&location).send().await.unwrap();
    assert_eq!((figures().followed_away, figures().keys_away), (1, 0));
    let followed = client().get(&location).bearer_auth(server.api_key());
    assert_eq!(followed.send().await.unwrap().status(), 200);
    assert_eq!((figures().followed_away, figures().keys_away), (2, 1));
    server.stop().await;
}

#[tokio::test]
async fn parts_of_the_service_are_missing() {
    let server = bad(&[]).await;
    create_endpoint(&server, "http://127.0.0.1:9/", &["task.*"]).await;
    let task = publish(&server, 1).remove(0);
    let tasks = format!("/tasks/{task}");
    let logs = [
        "/webhooks/messages",
        "/webhooks/delivery-attempts?endpoint_id=x",
        "/webhooks/endpoints/x/deliveries",
    ];
    for (fault, missing, there, unpublished) in [
        (
            Fault::NoLogs,
            logs.to_vec(),
            "/tasks/active",
            "/webhooks/messages",
        ),
        (
            Fault::NoTasks,
            vec!["/tasks/active", tasks.as_str()],
            logs[0],
            "/tasks/active",
        ),
        (Fault::NoStream, vec!["/events"], logs[0], "/events"),
    ] {
        switch(&server, &[fault]);
        for path in missing {
            let (status, body) = call(&server, Method::GET, path, None).await;
            assert_eq!(
                (status, &body),
                (404, &json!({"detail": "Not Found"})),
                "{path}"
            );
        }
        get(&server, there).await;
        let published = get(&server, "/openapi.json").await;
        assert!(published["paths"].get(unpublished).is_none(), "{fault:?}");
        switch(&server, &[]);
        let published = get(&server, "/openapi.json").await;
        assert!(published["paths"].get(unpublished).is_some());
    }
    server.stop().await;
}

#[tokio::test]
async fn snapshots_are_older_than_the_stream() {
    use reeltop::server::FeatureState::Completed;
    let server = bad(&[]).await;
    let old = publish(&server, 1).remove(0);
    let before = get(&server, "/tasks/active").await;
    switch(&server, &[Fault::StaleSnapshot]);
    server.backend().set_feature(&old, "proxy", Completed);
    let young = publish(&server, 1).remove(0);
    assert_eq!(get(&server, "/tasks/active").await, before);
    assert_eq!(get(&server, &format!("/tasks/{old}")).await, before[0]);
    let (status, body) = call(&server, Method::GET, &format!("/tasks/{young}"), None).await;
    assert_eq!((status, body), (404, json!({"detail": "Task not found"})));
    switch(&server, &[]);
    let now = get(&server, "/tasks/active").await;
    assert_eq!(
        (now[0]["id"].as_str(), now.as_array().unwrap().len()),
        (Some(&*young), 1)
    );
    server.stop().await;
}

#[tokio::test]
async fn the_clock_is_minutes_off_and_times_of_a_task_never_go_back() {
    use reeltop::server::FeatureState::{Completed, Processing};
    let server = bad(&[Fault::ClockAhead]).await;
    let time = |text: &Value| {
        let text = text.as_str().unwrap();
        chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    };
    let task = publish(&server, 1).remove(0);
    let path = format!("/tasks/{task}");
    let created = time(&get(&server, &path).await["created"]);
    let ahead = (created - chrono::Utc::now()).num_seconds();
    assert!((415..=421).contains(&ahead), "{ahead}");
    let date = answer(&server, &path).await.headers()["date"].clone();
    let date = chrono::DateTime::parse_from_rfc2822(date.to_str().unwrap()).unwrap();
    assert!((date.to_utc() - created).num_seconds().abs() < 5);
    switch(&server, &[Fault::ClockBehind]);
    server.backend().set_feature(&task, "proxy", Processing);
    let first = time(&get(&server, &path).await["updated"]);
    server.backend().set_feature(&task, "proxy", Completed);
    let second = time(&get(&server, &path).await["updated"]);
    assert!(created < first && first < second);
    let other = publish(&server, 1).remove(0);
    let created = time(&get(&server, &format!("/tasks/{other}")).await["created"]);
    let behind = (chrono::Utc::now() - created).num_seconds();
    assert!((415..=425).contains(&behind), "{behind}");
    server.stop().await;
}

#[tokio::test]
async fn lists_are_reshaped_too() {
    let server = bad(&[]).await;
    create_endpoint(&server, "http://127.0.0.1:9/", &["task.*"]).await;
    publish(&server, 1);
    switch(&server, &[Fault::CamelCase, Fault::NaiveTimes]);
    let page = get(&server, "/webhooks/messages").await;
    let row = &page["data"][0];
    assert_eq!(row["eventType"], "task.progress");
    assert!(
        row["payload"]["event_type"].is_string(),
        "as it was delivered: {row}"
    );
    assert!(!row["timestamp"].as_str().unwrap().ends_with('Z'));
    let tasks = get(&server, "/tasks/active").await;
    assert!(tasks[0]["assetId"].is_string(), "{tasks}");
    server.stop().await;
}

#[tokio::test]
async fn the_route_needs_the_key_and_says_what_is_on() {
    let server = bad(&[Fault::Crlf]).await;
    let url = format!("{}/_chaos", server.url());
    for request in [client().get(&url), client().put(&url).bearer_auth("wrong")] {
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    let now = get(&server, "/_chaos").await;
    assert_eq!(
        (&now["on"], &now["chosen"]),
        (&json!(["crlf"]), &json!(["crlf"]))
    );
    assert_eq!(now["known"].as_array().unwrap().len(), FAULTS.len() + 1);

    let put = async |names: Value| {
        call(
            &server,
            Method::PUT,
            "/_chaos",
            Some(json!({"faults": names})),
        )
        .await
    };
    let (status, now) = put(json!(["500", "no-ids"])).await;
    assert_eq!((status, &now["on"]), (200, &json!(["no-ids", "500"])));
    assert_eq!(answer(&server, "/users/me").await.status(), 500);
    let (status, fault) = put(json!(["500", "gremlins"])).await;
    assert_eq!(status, 422);
    assert_eq!(fault["detail"][0]["loc"], json!(["body", "faults", 1]));
    assert_eq!(
        get(&server, "/_chaos").await["on"],
        json!(["no-ids", "500"])
    );
    let (status, now) = put(json!([])).await;
    assert_eq!((status, &now["on"]), (200, &json!([])));

    let (_, now) = put(json!(["all"])).await;
    assert_eq!(now["chosen"], json!(["all"]));
    eventually("a fault of the mix", || async {
        (!get(&server, "/_chaos").await["on"]
            .as_array()
            .unwrap()
            .is_empty())
        .then_some(())
    })
    .await;
    let (status, now) = call(&server, Method::DELETE, "/_chaos", None).await;
    assert_eq!(
        (status, &now["on"], &now["chosen"]),
        (200, &json!([]), &json!([]))
    );

    let published = get(&server, "/openapi.json").await;
    for method in ["get", "put", "delete"] {
        let operation = &published["paths"]["/_chaos"][method];
        assert_eq!(operation["x-reeltop"], true, "{method}");
        assert!(operation["security"].is_array());
    }
    let figures = server.chaos().read_figures();
    assert_eq!((figures.stream_requests, figures.refused), (0, 1));
    server.stop().await;
}
