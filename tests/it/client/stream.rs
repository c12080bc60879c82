//! The subscription: resuming, waiting, stopping (contracts.md, "Reconnecting").

use std::time::{Duration, Instant};

use reeltop::domain::FailureKind;
use reeltop::io::Clock;
use reeltop::io::client::Client;
use reeltop::io::stream::{Step, Stream};

use super::source;
use crate::scripted::{Reply, Scripted, answer, stream};
use crate::server::support::PATIENCE;

struct Subscriber {
    stream: Stream,
    events: Vec<String>,
}

impl Subscriber {
    fn new(server: &Scripted, last_event_id: &str) -> Self {
        Self::with(server, last_event_id, |_| {})
    }

    fn with(
        server: &Scripted,
        last_event_id: &str,
        set: impl FnOnce(&mut reeltop::io::config::Source),
    ) -> Self {
        let mut source = source(&server.url);
        set(&mut source);
        let client = Client::new(&source).unwrap();
        let url = client.http.path("/events").unwrap();
        Self {
            stream: Stream::new(client, url, Clock::new(), last_event_id),
            events: Vec::new(),
        }
    }

    /// The next step but chunks, whose events are kept.
    async fn step(&mut self) -> Step {
        loop {
            let step = tokio::time::timeout(PATIENCE, self.stream.next())
                .await
                .expect("a step");
            let Step::Chunk(chunk) = step else {
                return step;
            };
            let events = &mut self.events;
            self.stream
                .take(&chunk, |frame| events.push(frame.text().into_owned()));
        }
    }

    async fn until_stopped(&mut self) -> reeltop::domain::Failure {
        loop {
            if let Step::Stopped(why) = self.step().await {
                return why;
            }
        }
    }

    async fn until_opened(&mut self, times: u64) {
        while self.stream.connections() < times {
            self.step().await;
        }
    }
}

fn last_id(request: &str) -> Option<&str> {
    request
        .lines()
        .find_map(|line| line.strip_prefix("last-event-id: "))
}

#[tokio::test]
async fn the_last_id_survives_everything_and_is_sent_only_when_there_is_one() {
    let server = Scripted::start(|n, _| {
        Reply::Close(match n {
            0 => stream("data: no id yet\n\n"),
            1 => stream("id: 7\ndata: a\n\ndata: none, but 7 persists\n\nid: 8\n\n"),
            2 => stream("retry: 5\n\n"),
            3 => stream("id: 9\u{0}\ndata: a bad id counts not\n\n"),
            4 => stream("id\ndata: an empty id takes it away\n\n"),
            _ => stream(""),
        })
    })
    .await;
    let mut subscriber = Subscriber::new(&server, "");
    subscriber.until_opened(6).await;
    let requests = server.requests();
    let sent: Vec<Option<&str>> = requests
        .iter()
        .take(6)
        .map(|request| last_id(request))
        .collect();
    assert_eq!(sent, [None, None, Some("8"), Some("8"), Some("8"), None]);
    assert_eq!(subscriber.events.len(), 5);
    assert!(requests[0].contains("accept: text/event-stream\r\n"));
    assert!(requests[0].contains("authorization: bearer sk_test\r\n"));
}

#[tokio::test]
async fn a_given_id_is_resumed() {
    let server = Scripted::start(|_, _| Reply::Hold(stream(""))).await;
    Subscriber::new(&server, "42").until_opened(1).await;
    assert_eq!(last_id(&server.requests()[0]), Some("42"));
}

#[tokio::test]
async fn answers_that_stop_the_stream_say_why() {
    let far = Scripted::start(|_, _| answer("200 OK", "", "")).await;
    let elsewhere = format!("location: {}/events\r\n", far.url);
    for (status, headers, body, kind, word) in [
        (
            "204 No Content",
            "",
            "",
            FailureKind::NotAspect,
            "not to come back",
        ),
        (
            "401 Unauthorized",
            "",
            "",
            FailureKind::Unauthorized,
            "the key was refused",
        ),
        (
            "404 Not Found",
            "",
            r#"{"detail":"Not Found"}"#,
            FailureKind::NotOffered,
            "404",
        ),
        (
            "422 Unprocessable",
            "",
            r#"{"detail":[{"loc":["path","id"],"msg":"bad"}]}"#,
            FailureKind::Invalid,
            "path.id: bad",
        ),
        (
            "200 OK",
            "content-type: text/html\r\n",
            "<html>",
            FailureKind::NotAspect,
            "text/html",
        ),
        (
            "200 OK",
            "",
            "",
            FailureKind::NotAspect,
            "content type is nothing",
        ),
        (
            "307 Temporary Redirect",
            "",
            "",
            FailureKind::NotAspect,
            "without saying where",
        ),
        (
            "307 Temporary Redirect",
            "location: /events\r\n",
            "",
            FailureKind::NotAspect,
            "circle",
        ),
        (
            "302 Found",
            elsewhere.as_str(),
            "",
            FailureKind::NotAspect,
            far.url.as_str(),
        ),
    ] {
        let reply = (status.to_owned(), headers.to_owned(), body.to_owned());
        let server = Scripted::start(move |_, _| answer(&reply.0, &reply.1, &reply.2)).await;
        let why = Subscriber::new(&server, "").until_stopped().await;
        assert_eq!(why.kind, kind, "{status}: {why}");
        assert!(why.what.contains(word), "{status}: {why}");
        assert!(!why.to_string().contains("sk_test"), "{why}");
        assert_eq!(server.requests().len(), 1, "{status}");
    }
    assert!(far.requests().is_empty(), "the key went to another origin");
}

#[tokio::test]
async fn redirects_within_the_origin_are_followed_up_to_five() {
    let hop = |request: &str| -> usize {
        request
            .split("hop=")
            .nth(1)
            .and_then(|rest| rest[..1].parse().ok())
            .unwrap_or(0)
    };
    for (n_hops, opens) in [(5, true), (6, false)] {
        let server = Scripted::start(move |_, request| match hop(request) {
            at if at < n_hops => answer(
                "308 Permanent Redirect",
                &format!("location: /events?hop={}\r\n", at + 1),
                "",
            ),
            _ => Reply::Hold(stream("")),
        })
        .await;
        let step = Subscriber::new(&server, "").step().await;
        assert_eq!(matches!(step, Step::Opened), opens, "{n_hops}: {step:?}");
        assert!(
            server
                .requests()
                .iter()
                .all(|request| request.contains("bearer sk_test"))
        );
    }
}

#[tokio::test]
async fn trouble_is_waited_out_and_retry_after_is_honoured_up_to_its_bound() {
    for status in ["408 x", "425 x", "429 x", "500 x", "503 x"] {
        let head = status.to_owned();
        let server = Scripted::start(move |n, _| match n {
            0 => answer(&head, "retry-after: 9\r\n", ""),
            _ => Reply::Hold(stream("data: x\n\n")),
        })
        .await;
        let mut subscriber = Subscriber::new(&server, "");
        let started = Instant::now();
        let Step::Broken {
            wait,
            tries: 1,
            is_end: false,
            ..
        } = subscriber.step().await
        else {
            panic!("{status} stopped it");
        };
        // Nine seconds are asked for, 400 ms is the most that this test obeys.
        assert!(
            wait >= Duration::from_millis(400) && wait <= Duration::from_millis(520),
            "{wait:?}"
        );
        assert!(matches!(subscriber.step().await, Step::Opened));
        assert!(started.elapsed() >= Duration::from_millis(400));
    }
}

#[tokio::test]
async fn connect_and_close_never_spins() {
    let server = Scripted::start(|_, _| Reply::Close(stream("retry: 0\n\n"))).await;
    let mut subscriber = Subscriber::with(&server, "", |source| {
        source.waits.ceiling = Duration::from_millis(20);
    });
    let started = Instant::now();
    subscriber.until_opened(25).await;
    // Twelve within 500 ms at most: the twenty-fifth comes a second after the first.
    assert!(
        started.elapsed() >= Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn silence_is_said_and_then_ends_the_connection() {
    let server = Scripted::start(|_, _| Reply::Hold(stream("data: x\n\n"))).await;
    let mut subscriber = Subscriber::new(&server, "");
    assert!(matches!(subscriber.step().await, Step::Opened));
    assert!(matches!(subscriber.step().await, Step::Quiet));
    let Step::Broken {
        why, is_end: false, ..
    } = subscriber.step().await
    else {
        panic!("no end")
    };
    assert!(why.what.contains("no sign of life"), "{why}");
}

#[tokio::test]
async fn a_line_without_end_is_dropped_twice_and_then_passed_over() {
    let endless = "x".repeat(8 << 10);
    let server = Scripted::start(move |_, request| match last_id(request) {
        Some("1") => Reply::Hold(stream(&endless)),
        Some(other) => panic!("unexpected id {other}"),
        None if request.contains("bearer") => Reply::Hold(stream("id: 1\ndata: a\n\n")),
        None => answer("401 x", "", ""),
    })
    .await;
    let mut subscriber = Subscriber::with(&server, "1", |source| source.limits.event_bytes = 1024);
    subscriber.until_opened(3).await;
    assert!(subscriber.stream.take_forgotten());
    let sent: Vec<Option<String>> = server
        .requests()
        .iter()
        .map(|request| last_id(request).map(str::to_owned))
        .collect();
    assert_eq!(sent, [Some("1".to_owned()), Some("1".to_owned()), None]);
}

#[tokio::test]
async fn nothing_listens_is_waited_for_and_not_a_stop() {
    let server = Scripted::start(|_, _| Reply::Hold(stream(""))).await;
    let mut subscriber = Subscriber::new(&server, "");
    drop(server);
    // The listener closes when its task is gone.
    loop {
        match subscriber.step().await {
            Step::Broken { why, .. } if why.kind == FailureKind::Unreachable => break,
            Step::Broken { .. } | Step::Opened | Step::Quiet => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_key_goes_to_no_other_server_even_if_the_stream_is_said_to_be_there() {
    let other = Scripted::start(|_, _| Reply::Hold(stream(""))).await;
    let own = Scripted::start(|_, _| answer("404 x", "", "")).await;
    let client = Client::new(&source(&own.url)).unwrap();
    let url = client.http.path(&format!("{}/events", other.url)).unwrap();
    let mut stream = Stream::new(client, url, Clock::new(), "");
    assert!(matches!(stream.next().await, Step::Opened));
    assert!(!other.requests()[0].contains("authorization"));
}
