//! Logs whose rows do not come in order, or too many at once: all of them are read in the end, and what
//! is not read yet is told.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use reeltop::domain::time::SECOND;
use reeltop::domain::{Counted, EndpointId, History, NotRead, Time};
use reeltop::io::Clock;

use super::intake::Watcher;
use super::source;
use crate::scripted::{Reply, Scripted, answer, stream};

const MINUTE: i64 = 60 * SECOND;

/// A row of a log: when, its number, the number of the message it is of, and whether that got through.
type Row = (i64, usize, usize, bool);

/// The logs of a service, oldest first.
#[derive(Default)]
struct Logs {
    messages: BTreeSet<Row>,
    attempts: BTreeSet<Row>,
    /// How far its clock is ahead of ours.
    ahead: i64,
}

impl Logs {
    /// The service's time.
    fn now(&self) -> i64 {
        Clock::new().now().wall.0 + self.ahead
    }

    fn message(&mut self, at: i64, n: usize) {
        self.messages.insert((at, n, n, true));
    }

    fn attempt(&mut self, at: i64, of: usize, is_delivered: bool) {
        self.attempts
            .insert((at, self.attempts.len(), of, is_delivered));
    }

    /// Messages that failed once, each later than the one before.
    fn failing(&mut self, from: i64, step: i64, numbers: std::ops::Range<usize>) {
        for (nth, n) in (0i64..).zip(numbers) {
            self.message(from + nth * step, n);
            self.attempt(from + nth * step, n, false);
        }
    }

    fn answer(&self, request: &str) -> Reply {
        if request.starts_with("get /events") {
            return Reply::Hold(stream(": hello\n\n"));
        }
        let body = if request.starts_with("get /tasks/active") {
            "[]".to_owned()
        } else if request.starts_with("get /webhooks/endpoints") {
            r#"{"data":[{"id":"ep_a","url":"http://a.example"}],"done":true}"#.to_owned()
        } else if request.starts_with("get /webhooks/messages") {
            page(request, &self.messages, |(at, n, ..)| {
                format!(
                    r#"{{"id":"msg_{n}","eventType":"task.completed","timestamp":"{at}","payload":{{}}}}"#
                )
            })
        } else if request.contains("message_id=") {
            // What is found so is not found by reading the log.
            r#"{"data":[],"done":true}"#.to_owned()
        } else if request.contains("endpoint_id=ep_a") {
            page(request, &self.attempts, |(at, n, of, is_delivered)| {
                let (status, code) = if is_delivered { (0, 200) } else { (2, 500) };
                format!(
                    r#"{{"id":"atmpt_{n}","msgId":"msg_{of}","endpointId":"ep_a","status":{status},"responseStatusCode":{code},"timestamp":"{at}"}}"#
                )
            })
        } else {
            return answer("404 Not Found", "", r#"{"detail":"Not Found"}"#);
        };
        let date = chrono::DateTime::from_timestamp_micros(self.now()).unwrap();
        let headers = format!(
            "content-type: application/json\r\ndate: {}\r\n",
            date.format("%a, %d %b %Y %H:%M:%S GMT")
        );
        answer("200 OK", &headers, &body)
    }
}

/// What stands behind a name in a request's line.
fn value<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = request.lines().next()?.split_once(name)?;
    after.split(['&', ' ']).next()
}

/// A page of a log, newest first; its iterator is the time and the number of its last row.
fn page(
    request: &str,
    rows: &BTreeSet<Row>,
    json: impl Fn((String, usize, usize, bool)) -> String,
) -> String {
    let limit = value(request, "limit=").map_or(50, |it| it.parse().unwrap());
    let below = value(request, "iterator=").map(|it| {
        let (at, n) = it.split_once('.').unwrap();
        (at.parse().unwrap(), n.parse().unwrap(), 0, false)
    });
    let below = below.unwrap_or((i64::MAX, 0, 0, false));
    let mut left = rows.range(..below).rev();
    let found: Vec<&Row> = left.by_ref().take(limit).collect();
    let next = found.last().map(|(at, n, ..)| format!("{at}.{n}"));
    let next = next.unwrap_or_default();
    let is_done = left.next().is_none();
    let found = found.into_iter();
    let found: Vec<String> = found
        .map(|(at, n, of, is)| json((Time(*at).rfc3339(), *n, *of, *is)))
        .collect();
    let found = found.join(",");
    format!(r#"{{"data":[{found}],"iterator":"{next}","done":{is_done}}}"#)
}

/// A service with these logs.
async fn serving(logs: Logs) -> (Scripted, Arc<Mutex<Logs>>) {
    let logs = Arc::new(Mutex::new(logs));
    let told = Arc::clone(&logs);
    let server = Scripted::start(move |_, request| told.lock().unwrap().answer(request)).await;
    (server, logs)
}

/// Waits for so many messages, and so many of them that failed, without a word that any be missing.
async fn all_read(watcher: &mut Watcher, n: usize, n_broken: usize) {
    watcher
        .until("all of it", |history| {
            let deliveries = &history.deliveries;
            let n_messages = deliveries.newest().filter(|it| it.message.is_some());
            n_messages.count() == n
                && deliveries.broken().len() == n_broken
                && history.counted() == Counted::Whole
        })
        .await;
}

fn why_unread(history: &History) -> String {
    match history.attempts_not_read(&EndpointId::new("ep_a")) {
        Some(NotRead::Failed(why)) => why.to_owned(),
        _ => String::new(),
    }
}

#[tokio::test]
async fn a_row_that_bears_a_time_to_come_hides_nothing_of_what_comes() {
    let mut logs = Logs::default();
    let now = logs.now();
    logs.failing(now - 10 * MINUTE, SECOND, 0..200);
    logs.failing(now + 10 * MINUTE, 0, 200..201);
    let (server, logs) = serving(logs).await;
    let mut watcher = Watcher::open(source(&server.url));
    all_read(&mut watcher, 201, 201).await;
    let polls = watcher.history.counters.polls;
    watcher
        .until("a look at the known", |history| {
            history.counters.polls > polls + 1
        })
        .await;
    {
        let mut logs = logs.lock().unwrap();
        let now = logs.now();
        for n in 0..150 {
            logs.attempt(now, n, true);
        }
        logs.failing(now, 1, 201..401);
    }
    all_read(&mut watcher, 401, 251).await;
    watcher.hose.close().await;
}

#[tokio::test]
async fn what_comes_in_below_rows_of_before_the_clock_was_set_back_is_read() {
    let mut logs = Logs {
        ahead: 10 * MINUTE,
        ..Logs::default()
    };
    let now = logs.now();
    logs.failing(now - 12 * MINUTE, 2 * SECOND, 0..360);
    let (server, logs) = serving(logs).await;
    let mut watcher = Watcher::open(source(&server.url));
    all_read(&mut watcher, 360, 360).await;
    let polls = watcher.history.counters.polls;
    watcher
        .until("a look at the known", |history| {
            history.counters.polls > polls + 1
        })
        .await;
    for round in 0..2 {
        let first = 360 + round * 100;
        {
            let mut logs = logs.lock().unwrap();
            logs.ahead = 0;
            let now = logs.now();
            logs.failing(now, 1, first..first + 100);
        }
        all_read(&mut watcher, first + 100, first + 100).await;
    }
    watcher.hose.close().await;
}

#[tokio::test]
async fn more_attempts_than_one_look_reads_are_read_on_and_counts_say_so_until_then() {
    let mut logs = Logs::default();
    let now = logs.now();
    logs.failing(now - 10 * MINUTE, SECOND, 0..100);
    let (server, logs) = serving(logs).await;
    let mut watcher = Watcher::open(source(&server.url));
    all_read(&mut watcher, 100, 100).await;
    {
        let mut logs = logs.lock().unwrap();
        let now = logs.now();
        for n in 0..3_000 {
            logs.attempt(now + i64::try_from(n).unwrap(), n % 100, n < 100);
        }
    }
    watcher
        .until("a word", |history| {
            why_unread(history).contains("too many at once")
        })
        .await;
    assert_eq!(watcher.history.counted(), Counted::AsRead);
    assert_eq!(watcher.history.deliveries.broken().len(), 100);
    all_read(&mut watcher, 100, 0).await;
    watcher.hose.close().await;
}

#[tokio::test]
async fn a_message_that_comes_into_the_log_below_newer_ones_is_read() {
    let mut logs = Logs::default();
    let now = logs.now();
    logs.failing(now - 10 * MINUTE, SECOND, 0..200);
    let (server, logs) = serving(logs).await;
    let mut watcher = Watcher::open(source(&server.url));
    all_read(&mut watcher, 200, 200).await;
    let late = {
        let mut logs = logs.lock().unwrap();
        let now = logs.now();
        logs.failing(now, 1, 200..300);
        now - SECOND
    };
    all_read(&mut watcher, 300, 300).await;
    let polls = watcher.history.counters.polls;
    watcher
        .until("a look at the known", |history| {
            history.counters.polls > polls + 1
        })
        .await;
    logs.lock().unwrap().message(late, 300);
    all_read(&mut watcher, 301, 300).await;
    watcher.hose.close().await;
}
