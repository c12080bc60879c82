//! When the service tries again by itself: as it says, asked before a plan or a page tells it.

use std::time::Duration;

use reeltop::domain::time::SECOND;
use reeltop::domain::{Delivery, FailureKind, MessageId, NextAsked};
use reeltop::io::Clock;
use reeltop::io::config::Source;
use reeltop::io::intake::Look;

use super::alone;
use super::recover::reeltop;
use crate::client::intake::Watcher;
use crate::scripted::{Reply, Scripted, answer};

/// Messages that failed long ago.
const N: usize = 60;

fn page(rows: &[String]) -> Reply {
    let body = format!(
        r#"{{"data":[{}],"iterator":null,"done":true}}"#,
        rows.join(",")
    );
    answer("200 OK", "content-type: application/json\r\n", &body)
}

fn attempt(number: usize, endpoint: &str) -> String {
    format!(
        r#"{{"id":"atmpt_{number}_{endpoint}","msgId":"msg_{number}","endpointId":"{endpoint}","url":"http://x","status":2,"responseStatusCode":500,"response":"","triggerType":0,"timestamp":"2026-01-01T00:{:02}:01Z"}}"#,
        number - 1
    )
}

fn message(number: usize) -> String {
    format!(
        r#"{{"id":"msg_{number}","eventType":"task.failed","payload":{{}},"timestamp":"2026-01-01T00:{:02}:00Z"}}"#,
        number - 1
    )
}

/// A Svix server that plans no more attempts, though the published schedule has more: not at `ep_a`,
/// nor at `ep_b`, which is disabled, nor at `ep_c`, which was deleted.
async fn finished() -> Scripted {
    Scripted::start(|_, head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(5).collect();
        let number = |id: &str| id.trim_start_matches("msg_").parse().unwrap_or(0);
        let row = |id: &str, more: &str| format!(r#"{{"id":"{id}","url":"http://x"{more}}}"#);
        match *parts {
            ["endpoint"] => page(&[row("ep_a", ""), row("ep_b", r#","disabled":true"#)]),
            ["msg"] => page(&(1..=N).rev().map(message).collect::<Vec<_>>()),
            ["msg", id] if number(id) > 0 => answer(
                "200 OK",
                "content-type: application/json\r\n",
                &message(number(id)),
            ),
            ["msg", id, "endpoint"] if number(id) > 0 => {
                let none = r#","status":2,"nextAttempt":null"#;
                page(&["ep_a", "ep_b", "ep_c"].map(|id| row(id, none)))
            }
            ["attempt", "msg", id] => {
                page(&["ep_a", "ep_b", "ep_c"].map(|at| attempt(number(id), at)))
            }
            ["attempt", "endpoint", "ep_a"] => {
                let rows = (1..=N).rev().map(|number| attempt(number, "ep_a"));
                page(&rows.collect::<Vec<_>>())
            }
            ["attempt", "endpoint", _] => page(&[]),
            _ => answer("404 Not Found", "", ""),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_asks_first_and_estimates_nothing_where_no_retry_comes() {
    let server = finished().await;
    let state = tempfile::tempdir().unwrap();
    let all = ["replay", "msg_1", "--dry-run"];
    let (code, lines, said) = reeltop(&state, &server.url, "testsk_x", &all).await;
    let text = lines.join("\n");
    assert_eq!(code, 0, "{text} {said}");
    assert!(
        text.contains("the service plans no more attempts by itself"),
        "{text}"
    );
    assert!(
        !text.contains("overdue") && !text.contains("automatic retry"),
        "{text}"
    );
    let asked = server.requests();
    let asked = asked
        .iter()
        .filter(|head| head.contains("/msg/msg_1/endpoint"));
    assert_eq!(asked.count(), 1);
}

/// Whoever looks at the server once, and again only hours later.
fn looking_once(server: &Scripted) -> Source {
    let mut source: Source = alone(&server.url, "testsk_x");
    source.waits.poll = Duration::from_hours(1);
    source.waits.poll_quick = Duration::from_hours(1);
    source
}

/// The others wait for their turn, which comes hours later here.
#[tokio::test(flavor = "multi_thread")]
async fn the_message_that_is_opened_is_asked_about_at_once() {
    let server = finished().await;
    let mut watcher = Watcher::open(looking_once(&server));
    let oldest = MessageId::new("msg_1");
    watcher
        .until("every message, and a first turn", |history| {
            let told = history.deliveries.newest();
            let told = told.filter(|held| {
                held.outcomes
                    .iter()
                    .any(|it| held.next_told(&it.endpoint).is_some())
            });
            told.count() == 20
        })
        .await;
    let is_told = |history: &reeltop::domain::History| {
        let held = history.deliveries.get(&oldest);
        held.is_some_and(|held| {
            ["ep_a", "ep_c"]
                .into_iter()
                .all(|at| held.next_told(&super::endpoint_id(at)).is_some())
        })
    };
    assert!(!is_told(&watcher.history));
    watcher.hose.look(Look::Attempts(oldest.clone()));
    watcher.until("the one that is looked at", is_told).await;
    watcher.hose.close().await;
}

/// Endpoints of one message.
const MANY: usize = 100;

/// A Svix server whose one message failed at many endpoints and is tried again in a far future.
async fn many_endpoints() -> Scripted {
    Scripted::start(|_, head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(5).collect();
        let ids = (1..=MANY).map(|number| format!("ep_{number:03}"));
        let row = |id: String, more: &str| format!(r#"{{"id":"{id}","url":"http://x"{more}}}"#);
        let page = |rows: Vec<String>| page(&rows);
        match *parts {
            ["endpoint"] => page(ids.map(|id| row(id, "")).collect()),
            ["msg"] => page(vec![message(1)]),
            ["msg", "msg_1", "endpoint"] => {
                let next = r#","status":1,"nextAttempt":"2126-01-01T00:00:00Z""#;
                page(ids.map(|id| row(id, next)).collect())
            }
            ["attempt", "msg", "msg_1"] => page(ids.map(|id| attempt(1, &id)).collect()),
            ["attempt", "endpoint", id] => page(vec![attempt(1, id)]),
            _ => answer("404 Not Found", "", ""),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_of_a_message_has_its_next_attempt_and_none_is_asked_about_again() {
    let server = many_endpoints().await;
    let mut source: Source = alone(&server.url, "testsk_x");
    source.waits.poll = Duration::from_millis(20);
    let mut watcher = Watcher::open(source);
    let id = MessageId::new("msg_1");
    let n_told = |history: &reeltop::domain::History| {
        let held = history.deliveries.get(&id);
        held.map_or(0, |held| {
            let told = held.outcomes.iter();
            told.filter(|it| held.next_told(&it.endpoint).is_some())
                .count()
        })
    };
    watcher
        .until("all are told", |history| n_told(history) == MANY)
        .await;
    let n_asked = |path: &str| {
        let requests = server.requests();
        requests.iter().filter(|head| head.contains(path)).count()
    };
    let (asked, rounds) = (n_asked("/msg/msg_1/endpoint"), n_asked("/msg?"));
    watcher
        .until("more rounds", |_| n_asked("/msg?") >= rounds + 5)
        .await;
    assert_eq!(n_asked("/msg/msg_1/endpoint"), asked);
    watcher.hose.close().await;
}

/// A plan of many asks about each of its messages; what is said comes before the end is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_plan_is_asked_about_by_itself() {
    let server = finished().await;
    let mut watcher = Watcher::open(looking_once(&server));
    let oldest = MessageId::new("msg_1");
    watcher
        .until("a message that failed", |history| {
            let held = history.deliveries.get(&oldest);
            held.is_some_and(Delivery::is_failing)
        })
        .await;
    let asked = NextAsked::of(&watcher.history, &oldest);
    let client = watcher.hose.client().unwrap();
    watcher.hose.ask_next(&client, &asked).await.unwrap();
    let is_told = |history: &reeltop::domain::History| {
        let held = history.deliveries.get(&oldest);
        held.is_some_and(|held| held.next_told(&super::endpoint_id("ep_a")).is_some())
    };
    watcher.until("what is said of it", is_told).await;
    let failure = {
        let unknown = NextAsked::of(&watcher.history, &MessageId::new("msg_none"));
        watcher.hose.ask_next(&client, &unknown).await.unwrap_err()
    };
    assert_eq!(failure.kind, FailureKind::NotOffered);
    watcher.hose.close().await;
}

/// A service whose clock is five hours behind ours tries again in a minute by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_due_by_the_clock_of_the_service() {
    const BEHIND: i64 = -5 * 3600 * SECOND;
    let server = Scripted::start(|_, head| {
        let now = Clock::new().now().wall.plus(BEHIND);
        let date = chrono::DateTime::from_timestamp_micros(now.0).unwrap();
        let headers = format!(
            "content-type: application/json\r\ndate: {}\r\n",
            date.format("%a, %d %b %Y %H:%M:%S GMT")
        );
        let ok = |body: &str| answer("200 OK", &headers, body);
        let page = |row: &str| {
            ok(&format!(
                r#"{{"data":[{row}],"iterator":null,"done":true}}"#
            ))
        };
        let (failed, next) = (now.plus(-40 * SECOND), now.plus(60 * SECOND));
        let path = head.split(' ').nth(1).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(5).collect();
        match *parts {
            ["endpoint"] => page(r#"{"id":"ep_a","url":"http://x"}"#),
            ["msg", "msg_1"] => ok(&message(1)),
            ["msg", "msg_1", "endpoint"] => page(&format!(
                r#"{{"id":"ep_a","url":"http://x","status":2,"nextAttempt":"{}"}}"#,
                next.rfc3339()
            )),
            ["attempt", "msg", "msg_1"] => {
                page(&attempt(1, "ep_a").replace("2026-01-01T00:00:01Z", &failed.rfc3339()))
            }
            _ => answer("404 Not Found", "", ""),
        }
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let plan = ["replay", "msg_1", "--dry-run"];
    let (code, lines, said) = reeltop(&state, &server.url, "testsk_x", &plan).await;
    let text = lines.join("\n");
    assert_eq!(code, 0, "{text} {said}");
    assert!(text.contains("an automatic retry is due in "), "{text}");
    let left = ["replay", "msg_1", "--leave-retries", "--yes"];
    let (code, lines, said) = reeltop(&state, &server.url, "testsk_x", &left).await;
    assert_eq!((code, lines.len()), (0, 0), "{lines:?} {said}");
    assert!(
        said.contains("1 left to the service's own retries"),
        "{said}"
    );
    let posts = server.requests();
    assert!(
        posts.iter().all(|head| !head.starts_with("post")),
        "{posts:?}"
    );
}
