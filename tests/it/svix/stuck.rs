//! A log that says there is more, but not how to read on: what is older is missing, and that is said.

use reeltop::domain::Counted;
use reeltop::domain::Time;
use reeltop::domain::time::SECOND;
use reeltop::io::Clock;

use super::alone;
use super::recover::{reeltop, replay};
use crate::client::intake::Watcher;
use crate::scripted::{Scripted, answer};

const WHY: &str = "says there is more, but not how to read on";
/// Messages of the service, one a second, each failed once.
const N: usize = 600;

/// How a log says how it goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Well,
    /// With pages of nothing before each that has rows.
    Gaps,
    Null,
    Absent,
    /// By the same page again.
    Again,
    /// By pages of nothing, each with another iterator.
    Nothing,
}

const STUCK: [How; 4] = [How::Null, How::Absent, How::Again, How::Nothing];

fn message(n: usize, at: &str) -> String {
    format!(r#"{{"id":"msg_{n}","eventType":"task.failed","payload":{{}},"timestamp":"{at}"}}"#)
}

fn attempt(n: usize, at: &str) -> String {
    format!(
        r#"{{"id":"atmpt_{n}","msgId":"msg_{n}","endpointId":"ep_a","url":"http://x","status":2,"responseStatusCode":500,"response":"","triggerType":0,"timestamp":"{at}"}}"#
    )
}

/// What stands behind a name in a target.
fn value<'a>(target: &'a str, name: &str) -> Option<&'a str> {
    target.split_once(name)?.1.split('&').next()
}

/// A page, newest first: the iterator is the number of its last row, behind a letter where it comes
/// after a page of nothing.
fn page(how: How, target: &str, row: impl Fn(usize) -> String) -> String {
    let limit = value(target, "limit=").map_or(50, |it| it.parse().unwrap());
    let iterator = value(target, "iterator=");
    let from = match (how, iterator) {
        (How::Nothing, Some(asked)) => {
            return format!(r#"{{"data":[],"iterator":"{asked}0","done":false}}"#);
        }
        (How::Gaps, Some(asked)) if !asked.starts_with('x') => {
            return format!(r#"{{"data":[],"iterator":"x{asked}","done":false}}"#);
        }
        (How::Again, _) | (_, None) => N,
        (_, Some(asked)) => asked.trim_start_matches('x').parse().unwrap(),
    };
    let last = from.saturating_sub(limit);
    let rows: Vec<String> = (last..from).rev().map(row).collect();
    let rows = rows.join(",");
    let is_last = last == 0;
    let iterator = match how {
        How::Null => r#""iterator":null,"#.to_owned(),
        How::Absent => String::new(),
        _ => format!(r#""iterator":"{last}","#),
    };
    format!(r#"{{"data":[{rows}],{iterator}"done":{is_last}}}"#)
}

async fn server(messages: How, attempts: How) -> Scripted {
    let now = Clock::new().now().wall;
    Scripted::start(move |_, head| {
        let ok = |body: &str| answer("200 OK", "content-type: application/json\r\n", body);
        let at = |n: usize| {
            let ago = i64::try_from(N - n).unwrap() * SECOND;
            now.plus(-ago).rfc3339()
        };
        let target = head.split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(5).collect();
        let number = |id: &str| id.trim_start_matches("msg_").parse().unwrap();
        match *parts {
            ["endpoint"] => {
                ok(r#"{"data":[{"id":"ep_a","url":"http://x"}],"iterator":null,"done":true}"#)
            }
            ["endpoint", "ep_a"] => ok(r#"{"id":"ep_a","url":"http://x"}"#),
            ["msg"] => ok(&page(messages, target, |n| message(n, &at(n)))),
            ["msg", id] => ok(&message(number(id), &at(number(id)))),
            ["attempt", "endpoint", _] => ok(&page(attempts, target, |n| attempt(n, &at(n)))),
            ["attempt", "msg", id] => {
                let row = attempt(number(id), &at(number(id)));
                ok(&format!(
                    r#"{{"data":[{row}],"iterator":null,"done":true}}"#
                ))
            }
            _ => answer("404 Not Found", "", ""),
        }
    })
    .await
}

#[tokio::test]
async fn a_log_of_messages_that_cannot_be_read_on_is_in_part() {
    for how in STUCK {
        let server = server(how, How::Well).await;
        let mut watcher = Watcher::open(alone(&server.url, "testsk_x"));
        watcher
            .until("why", |history| {
                let why = history.why_messages_unread();
                let is_all = history.attempts_unread_before().is_none();
                is_all && why.is_some_and(|why| why.contains(WHY))
            })
            .await;
        let history = &watcher.history;
        assert_eq!(history.counted(), Counted::AtLeast, "{how:?}");
        let before = history.messages_unread_before();
        assert!(before < Some(Time(i64::MAX)), "{how:?}");
        watcher.hose.close().await;
    }
}

#[tokio::test]
async fn a_log_of_attempts_that_cannot_be_read_on_is_in_part() {
    for how in STUCK {
        let server = server(How::Well, how).await;
        let mut watcher = Watcher::open(alone(&server.url, "testsk_x"));
        watcher
            .until("why", |history| {
                let before = history.attempts_unread_before();
                let why = before.and_then(|before| history.why_older_attempts_unread(before));
                let is_all = history.messages_unread_before().is_none();
                is_all && why.is_some_and(|why| why.contains(WHY))
            })
            .await;
        let history = &watcher.history;
        assert_eq!(history.counted(), Counted::AtLeast, "{how:?}");
        watcher.hose.close().await;
    }
}

#[tokio::test]
async fn pages_of_nothing_are_read_over() {
    let server = server(How::Gaps, How::Gaps).await;
    let mut watcher = Watcher::open(alone(&server.url, "testsk_x"));
    watcher
        .until("all of it", |history| {
            history.counted() == Counted::Whole && history.deliveries.broken().len() == N
        })
        .await;
    watcher.hose.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_say_what_they_could_not_read() {
    for how in STUCK {
        let server = server(how, How::Well).await;
        let run = async |args: &[&str]| {
            let state = tempfile::tempdir().unwrap();
            reeltop(&state, &server.url, "testsk_x", args).await
        };
        let (code, lines, said) = run(&["messages", "--limit", "1000", "--no-attempts"]).await;
        assert_eq!((code, lines.len()), (1, 251), "{how:?}: {said}");
        assert!(said.contains("the latest 250 can be read"), "{said}");
        assert!(said.contains(WHY), "{how:?}: {said}");

        let (code, _, said) = run(&["causes", "--limit", "1000"]).await;
        assert_eq!(code, 1, "{how:?}: {said}");
        assert!(said.contains("searched: the latest 250 messages"), "{said}");
        assert!(said.contains(WHY), "{how:?}: {said}");

        let planned = ["--query", "failed", "--since", "1h", "--dry-run"];
        let (_, _, said) = replay(&server.url, "testsk_x", &planned).await;
        assert!(said.contains("only the latest 250 messages"), "{said}");
        assert!(said.contains(WHY), "{how:?}: {said}");

        // What was asked for was read.
        let (code, lines, said) = run(&["messages", "--limit", "250", "--no-attempts"]).await;
        assert_eq!((code, lines.len()), (0, 251), "{how:?}: {said}");
    }
}
