//! The connection cases of `tests/data/sse-http-conformance.jsonl` against the real client: every
//! `must` passes, and every `should` but those that are named here with the reason.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reeltop::domain::{Change, EventId, Failure, History, Moment, Origin};
use reeltop::io::Clock;
use reeltop::io::client::Client;
use reeltop::io::config::Source;
use reeltop::io::stream::{Step, Stream};
use reeltop::wire::events;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpSocket;

use crate::scripted::{Reply, Scripted, answer};

/// The cases that are not taken.
const NOT_TAKEN: [(&str, &str); 3] = [
    (
        "max-retries-honoured",
        "there is no most of tries: a link that gives up would have to be restarted by hand; \
         tail --no-reconnect ends at the first",
    ),
    (
        "gzip-content-encoding",
        "no encoding is asked for, so that events are not held back until a block is full; a server \
         that encodes all the same is not read",
    ),
    (
        "custom-headers-on-every-request",
        "the service needs none but Authorization, and a header by option would be one more way \
         for a secret onto the command line",
    ),
];

/// What gzip makes of `data: a` and two line ends.
const GZIPPED: [u8; 28] = [
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0x4b, 0x49, 0x2c, 0x49, 0xb4, 0x52, 0x48, 0xe4, 0xe2, 2, 0,
    0x7e, 0xe3, 0xc4, 0x38, 9, 0, 0,
];

#[derive(Debug, Clone, Deserialize)]
struct Case {
    name: String,
    level: String,
    responses: Vec<Response>,
    expect: Value,
}

#[derive(Debug, Clone, Deserialize)]
struct Response {
    refuse: Option<u32>,
    version: Option<String>,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    then: String,
}

impl Response {
    fn reply(&self, case: &str, base: &str, other: &str) -> Reply {
        let version = self.version.as_deref().unwrap_or("HTTP/1.1");
        let mut head = format!("{version} {} x\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            let value = value.replace("<base>", base).replace("<other host>", other);
            head += &(name.clone() + ": " + &value + "\r\n");
        }
        if self.then == "close" && self.status != 200 {
            head += "content-length: 0\r\n";
        }
        let body = match case {
            "gzip-content-encoding" => GZIPPED.to_vec(),
            "endless-line-capped" => {
                let mut body = b"id: 1\ndata: a\n\ndata: ".to_vec();
                body.resize(16 << 20, b'x');
                body
            }
            // Events that have no id of their own take that of their frame.
            "duplicate-after-resume" => ["e1", "e2", "e3"]
                .iter()
                .fold(self.body.clone(), |body, name| {
                    body.replace(
                        name,
                        &format!(r#"{{"event_type":"x","data":{{"n":"{name}"}}}}"#),
                    )
                })
                .into(),
            _ if self.headers.contains_key("transfer-encoding") => {
                format!("{:x}\r\n{}\r\n", self.body.len(), self.body).into()
            }
            _ => self.body.clone().into_bytes(),
        };
        let bytes = [head.as_bytes(), b"\r\n", &body].concat();
        match self.then.as_str() {
            "hang" => Reply::Hold(bytes),
            "rst" => Reply::Reset(bytes),
            _ => Reply::Close(bytes),
        }
    }
}

/// What the client did.
#[derive(Default)]
struct Seen {
    events: Vec<String>,
    ids: Vec<String>,
    broken: Vec<(Duration, Failure)>,
    /// The least time that really passed after a connection's end until the next was made.
    pauses: Vec<Duration>,
    stopped: Option<Failure>,
    oversized: u64,
    history: History,
}

fn number(expect: &Value, name: &str) -> Option<u64> {
    expect.get(name).and_then(Value::as_u64)
}

fn source_of(case: &Case, url: &str) -> Result<Source, String> {
    let mut source = Source::new(url, "sk_secret");
    source.waits.floor = Duration::from_millis(50);
    if !case.expect["max_connections_in_10s"].is_null()
        || !case.expect["max_connections_in_1s"].is_null()
    {
        source.waits.floor = Duration::from_millis(250);
    }
    for (name, value) in case.expect["config"].as_object().into_iter().flatten() {
        let value = value.as_u64().unwrap_or(0);
        match name.as_str() {
            "idle_timeout_ms" => source.waits.idle = Duration::from_millis(value),
            "max_event_bytes" => source.limits.event_bytes = usize::try_from(value).unwrap(),
            other => return Err(format!("there is no option {other}")),
        }
    }
    Ok(source)
}

/// Follows the stream until all that is expected was seen, it stopped, or it is late.
async fn follow(case: &Case, stream: &mut Stream) -> Seen {
    let expect = &case.expect;
    let listed = |name: &str| expect[name].as_array().map_or(0, Vec::len);
    let n_repeated = expect["counters"]["duplicates"].as_u64().unwrap_or(0) as usize;
    let n_events =
        (listed("events").max(listed("event_ids"))).max(listed("folded_event_ids") + n_repeated);
    let n_connections = number(expect, "connections")
        .or_else(|| {
            expect["last-event-id"]
                .as_array()
                .map(|ids| ids.len() as u64)
        })
        // "… dropped and made again"
        .or_else(|| expect["event"].is_string().then_some(2))
        .unwrap_or(case.responses.len() as u64);
    let by_time = match (
        number(expect, "max_connections_in_1s"),
        number(expect, "max_connections_in_10s"),
    ) {
        (Some(_), _) => Some(Duration::from_secs(1)),
        (_, Some(_)) => Some(Duration::from_secs(10)),
        _ => None,
    };
    let is_wait_enough = expect["max_gap_ms"] == 60_000;
    let mut seen = Seen::default();
    let end = Instant::now() + by_time.unwrap_or(Duration::from_secs(8));
    let mut ended = None;
    loop {
        let has_all = stream.connections() >= n_connections
            && seen.events.len() >= n_events
            && (seen.oversized > 0) == (case.name == "endless-line-capped");
        if by_time.is_none() && (has_all || is_wait_enough && !seen.broken.is_empty()) {
            return seen;
        }
        let left = end.saturating_duration_since(Instant::now());
        let Ok(step) = tokio::time::timeout(left, stream.next()).await else {
            return seen;
        };
        match step {
            Step::Opened => {
                seen.pauses
                    .extend(ended.take().map(|at: Instant| at.elapsed()));
            }
            Step::Quiet => {}
            Step::Broken { why, wait, .. } => {
                ended = Some(Instant::now());
                seen.broken.push((wait, why));
            }
            Step::Stopped(why) => {
                seen.stopped = Some(why);
                return seen;
            }
            Step::Chunk(chunk) => {
                let (texts, ids, history) = (&mut seen.events, &mut seen.ids, &mut seen.history);
                stream.take(&chunk, |frame| {
                    texts.push(frame.text().into_owned());
                    ids.push(frame.id.to_owned());
                    let _ = events::decode(&frame, |kind| {
                        history.apply(Change {
                            seq: 0,
                            received: Moment::default(),
                            origin: Origin::Stream,
                            raw: None,
                            kind,
                        });
                    });
                });
                seen.oversized = stream.decoder().counters().oversized;
            }
        }
    }
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = request.lines().skip(1);
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn hold(what: &str, holds: bool, seen: &dyn std::fmt::Debug) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{what}: {seen:?}"))
    }
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().into_iter().flatten();
    texts
        .map(|text| text.as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Judges the first request of all.
fn judge_first(request: &str) -> Result<(), String> {
    let cache = header(request, "cache-control");
    let is_right = request.starts_with("get /events http/1.1")
        && header(request, "accept") == Some("text/event-stream")
        && matches!(cache, Some("no-store" | "no-cache"))
        && header(request, "last-event-id").is_none();
    hold("request_0", is_right, &request)
}

/// Judges all that the case expects; an expectation that is not known is an error.
fn judge(case: &Case, seen: &Seen, asked: &[String], elsewhere: &[String]) -> Result<(), String> {
    let n_asked = asked.len() as u64;
    let waits = || seen.broken.iter().map(|(wait, _)| wait.as_millis() as u64);
    for (name, wanted) in case.expect.as_object().unwrap() {
        let count = wanted.as_u64().unwrap_or(0);
        match name.as_str() {
            // A connection that was refused is no request.
            "connections" => hold(name, n_asked == count, &asked)?,
            "events" => hold(name, seen.events == texts(wanted), &seen.events)?,
            "event_ids" => hold(name, seen.ids == texts(wanted), &seen.ids)?,
            "last-event-id" => {
                let sent: Vec<Option<&str>> = (asked.iter())
                    .map(|request| header(request, "last-event-id"))
                    .collect();
                let wanted: Vec<Option<String>> = (wanted.as_array().unwrap().iter())
                    .map(|id| id.as_str().map(|id| id.replace(" (UTF-8 bytes)", "")))
                    .collect();
                let wanted: Vec<Option<&str>> = wanted.iter().map(Option::as_deref).collect();
                hold(name, sent == wanted, &sent)?;
            }
            "request_0" => judge_first(asked.first().map_or("", String::as_str))?,
            "state" => {
                let why = seen.stopped.as_ref().ok_or("it did not stop")?;
                let status = case.responses[0].status;
                let said = match wanted.as_str().unwrap() {
                    "stopped: wrong content type shown" => {
                        let kind = case.responses[0].headers.get("content-type");
                        kind.map_or("nothing".to_owned(), Clone::clone)
                    }
                    _ => status.to_string(),
                };
                hold(name, why.what.contains(&said), why)?;
                hold(name, !why.to_string().contains("sk_secret"), why)?;
            }
            "error" => hold(
                name,
                seen.stopped.is_some() || !seen.broken.is_empty(),
                &seen.broken,
            )?,
            "max_connections_in_1s" | "max_connections_in_10s" | "max_connections" => {
                hold(name, (1..=count).contains(&n_asked), &n_asked)?;
            }
            "repeat" | "note" | "start_id" | "config" => {}
            "jitter" => {
                let mut waits: Vec<u64> = waits().collect();
                waits.dedup();
                hold(name, waits.len() > 1, &waits)?;
            }
            "min_gap_ms" => {
                hold(
                    name,
                    waits().next().is_some_and(|wait| wait >= count),
                    &seen.broken,
                )?;
                let first = seen.pauses.first().copied().unwrap_or_default();
                hold(name, first >= Duration::from_millis(count), &seen.broken)?;
            }
            // What it means to wait: how busy this machine is does not count.
            "max_gap_ms" => hold(
                name,
                waits().next().is_some_and(|wait| wait <= count),
                &seen.broken,
            )?,
            "authorization_at_other_host" => {
                let told = elsewhere
                    .iter()
                    .filter_map(|request| header(request, "authorization"));
                hold(name, told.count() == 0, &elsewhere)?;
            }
            // That memory is bounded is measured in tests/it/sse.rs and client/bounds.rs.
            "event" | "max_rss_growth_mib" => {
                hold(
                    name,
                    seen.oversized == 1 && n_asked >= 2,
                    &(seen.oversized, n_asked),
                )?;
            }
            "folded_event_ids" => {
                let events = &seen.history.events;
                let ids: Vec<EventId> = (events.first_position()..events.next_position())
                    .filter_map(|at| Some(events.get(at)?.id.clone()))
                    .collect();
                let wanted: Vec<EventId> =
                    texts(wanted).iter().map(|id| EventId::new(id)).collect();
                hold(name, ids == wanted, &ids)?;
            }
            "counters" => {
                let duplicates = seen.history.events.duplicates();
                hold(name, wanted["duplicates"] == duplicates, &duplicates)?;
            }
            other => return Err(format!("an expectation that nobody knows: {other}")),
        }
    }
    Ok(())
}

async fn pass(case: &Case) -> Result<(), String> {
    let elsewhere = Scripted::start(|_, _| answer("200 OK", "", "")).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let base = format!("http://{}", socket.local_addr().unwrap());
    let source = source_of(case, &base)?;
    let client = Client::new(&source).unwrap();
    let url = client.http.path("/events").unwrap();
    let start = case.expect["start_id"].as_str().unwrap_or_default();
    let mut stream = Stream::new(client, url, Clock::new(), start);
    let mut answers = case.responses.clone();
    // Nothing listens yet.
    if let Some(times) = answers[0].refuse {
        answers.remove(0);
        for _ in 0..times {
            match stream.next().await {
                Step::Broken { .. } => {}
                other => return Err(format!("refused, it came to {other:?}")),
            }
        }
    }
    let (name, other) = (case.name.clone(), elsewhere.url.clone());
    let base = base.clone();
    let server = Scripted::start_on(socket.listen(16).unwrap(), move |n, _| {
        let answer = answers.get(n).or(answers.last()).unwrap();
        answer.reply(&name, &base, &other)
    });
    let seen = follow(case, &mut stream).await;
    judge(case, &seen, &server.requests(), &elsewhere.requests())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_but_those_named_passes() {
    let text = include_str!("../../data/sse-http-conformance.jsonl");
    let cases: Vec<Case> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(cases.len(), 50);
    let outcomes = join_all(cases.iter().map(pass)).await;
    let (mut failed, mut surprises) = (Vec::new(), Vec::new());
    for (case, outcome) in cases.iter().zip(outcomes) {
        let Err(why) = outcome else { continue };
        let is_named = NOT_TAKEN.iter().any(|(name, _)| *name == case.name);
        if !is_named || case.level != "should" {
            surprises.push(format!("{} ({}): {why}", case.name, case.level));
        }
        failed.push(case.name.as_str());
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
    for (name, reason) in NOT_TAKEN {
        assert!(
            failed.contains(&name),
            "{name} passes; it is named, as {reason}"
        );
    }
}
