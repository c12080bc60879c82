//! A service whose clock is hours off: `replay --since` counts from its clock, as its times do.

use std::time::Duration;

use reeltop::domain::Time;
use reeltop::domain::time::SECOND;
use reeltop::io::Clock;

use super::alone;
use super::recover::{reeltop, replay};
use crate::client::intake::Watcher;
use crate::scripted::{Reply, Scripted, answer};
use crate::server::support::{self, Receiver};

const MINUTE: i64 = 60 * SECOND;
const HOURS: i64 = 5 * 60 * MINUTE;
/// How long ago each of its messages was accepted and failed, by its own clock.
const AGES: [(&str, i64); 4] = [
    ("msg_1", 10 * MINUTE),
    ("msg_2", 20 * MINUTE),
    ("msg_3", 180 * MINUTE),
    ("msg_4", 480 * MINUTE),
];

fn message(id: &str, at: Time) -> String {
    let at = at.rfc3339();
    format!(r#"{{"id":"{id}","eventType":"task.failed","payload":{{}},"timestamp":"{at}"}}"#)
}

fn attempt(id: &str, at: Time) -> String {
    let at = at.plus(SECOND).rfc3339();
    format!(
        r#"{{"id":"atmpt_{id}","msgId":"{id}","endpointId":"ep_a","url":"http://x","status":2,"responseStatusCode":500,"response":"","triggerType":0,"timestamp":"{at}"}}"#
    )
}

/// A Svix server with its clock so far ahead of ours, which lets another take what is posted to it.
async fn server(ahead: i64, posted: String) -> Scripted {
    Scripted::start(move |_, head| {
        let now = Clock::new().now().wall.plus(ahead);
        let date = chrono::DateTime::from_timestamp_micros(now.0).unwrap();
        let headers = format!(
            "content-type: application/json\r\ndate: {}\r\n",
            date.format("%a, %d %b %Y %H:%M:%S GMT")
        );
        let ok = |body: &str| answer("200 OK", &headers, body);
        let page = |rows: &[String]| {
            let rows = rows.join(",");
            ok(&format!(
                r#"{{"data":[{rows}],"iterator":null,"done":true}}"#
            ))
        };
        let at = |age: i64| now.plus(-age);
        let known = |id: &str| AGES.iter().find(|(known, _)| *known == id);
        let path = head.split(' ').nth(1).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(5).collect();
        let endpoint = r#"{"id":"ep_a","url":"http://x"}"#;
        match *parts {
            ["endpoint", _, "recover"] if head.starts_with("post") => Reply::Pass(posted.clone()),
            ["endpoint", _, "recover"] => answer("405 Method Not Allowed", &headers, ""),
            ["endpoint"] => page(&[endpoint.to_owned()]),
            ["endpoint", "ep_a"] => ok(endpoint),
            ["msg"] => page(&AGES.map(|(id, age)| message(id, at(age)))),
            ["msg", id] if let Some((id, age)) = known(id) => ok(&message(id, at(*age))),
            ["endpoint", "ep_a", "stats"] => {
                ok(r#"{"success":0,"pending":0,"sending":0,"fail":2}"#)
            }
            ["attempt", "endpoint", "ep_a"] => page(&AGES.map(|(id, age)| attempt(id, at(age)))),
            ["attempt", "msg", id] if let Some((id, age)) = known(id) => {
                page(&[attempt(id, at(*age))])
            }
            _ => answer("404 Not Found", &headers, ""),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn since_counts_from_the_clock_of_the_service() {
    for ahead in [-HOURS, HOURS] {
        let receiver = Receiver::start(|_| {
            let body = r#"{"id":"qtask_1","status":"running","task":"endpoint.recover"}"#;
            (Duration::ZERO, support::answer(202, body))
        })
        .await;
        let posted = receiver.url.trim_end_matches("/hook");
        let server = server(ahead, posted.to_owned()).await;
        let planned = ["--since", "30m", "--dry-run", "--json"];
        let (code, lines, said) = replay(&server.url, "testsk_x", &planned).await;
        let names = |id: &str| lines.iter().any(|line| line.contains(id));
        let taken = AGES.map(|(id, _)| names(id));
        assert_eq!(code, 0, "{ahead}: {lines:?} {said}");
        assert_eq!(taken, [true, true, false, false], "{ahead}: {lines:?}");

        let recover = ["--recover", "--endpoint", "ep_a", "--since", "30m"];
        let planned = [&recover[..], &["--dry-run"]].concat();
        let (code, lines, said) = replay(&server.url, "testsk_x", &planned).await;
        let text = lines.join("\n");
        assert_eq!(code, 0, "{ahead}: {text} {said}");
        assert!(text.contains("2 are known to have failed"), "{text}");
        assert!(text.contains("(30m0"), "{text}");

        let sent = [&recover[..], &["--yes", "--json", "--wait", "1s"]].concat();
        let asked = Clock::new().now().wall.plus(ahead - 30 * MINUTE);
        let (_, lines, said) = replay(&server.url, "testsk_x", &sent).await;
        assert!(!receiver.is_quiet().await, "{ahead}: {lines:?} {said}");
        let body: serde_json::Value = serde_json::from_slice(&receiver.next().await.body).unwrap();
        let since = body["since"].as_str().unwrap();
        let since = chrono::DateTime::parse_from_rfc3339(since).unwrap();
        let off = since.timestamp_micros() - asked.0;
        assert!(off.abs() < MINUTE, "{ahead}: {body}, {off}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_of_an_endpoint_is_counted_by_the_clock_of_the_service() {
    for ahead in [-HOURS, HOURS] {
        let server = server(ahead, String::new()).await;
        let run = async |args: &[&str]| {
            let state = tempfile::tempdir().unwrap();
            reeltop(&state, &server.url, "testsk_x", args).await
        };
        let asked = Clock::new().now().wall.plus(ahead - 30 * MINUTE);
        let (code, lines, said) = run(&["endpoints", "stats", "ep_a", "--since", "30m"]).await;
        assert_eq!(code, 0, "{ahead}: {lines:?} {said}");
        let requests = server.requests();
        let stats = requests.iter().find(|head| head.contains("/stats?since="));
        let since = stats.unwrap().split(['=', ' ']).nth(2).unwrap();
        let since = since.replace("%3a", ":").to_uppercase();
        let off = Time::parse(&since).unwrap().since(asked);
        assert!(off.abs() < MINUTE, "{ahead}: {since}");

        let (code, lines, said) = run(&["endpoints", "--json"]).await;
        assert_eq!((code, lines.len()), (0, 1), "{ahead}: {lines:?} {said}");
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        let health = &line["health"];
        assert_eq!(health["last_hour"]["failed"], 2, "{ahead}: {health}");
        let (_, lines, _) = run(&["endpoints"]).await;
        // Since the oldest failed, eight hours ago by its clock.
        assert!(lines[1].contains("8h0"), "{ahead}: {lines:?}");
    }
}

#[tokio::test]
async fn how_far_the_clocks_are_apart_is_told() {
    let server = server(HOURS, String::new()).await;
    let mut watcher = Watcher::open(alone(&server.url, "testsk_x"));
    let is_near = |time: Time| (time.0 - HOURS).abs() < MINUTE;
    watcher
        .until("both clocks", |history| {
            let ours = Time(0);
            is_near(history.service_time(ours)) && is_near(history.task_time(ours))
        })
        .await;
    watcher.hose.close().await;
}
