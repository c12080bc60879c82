//! How far back the log is looked through for what a replay means.

use std::sync::atomic::{AtomicUsize, Ordering};

use reeltop::domain::Time;
use reeltop::domain::time::SECOND;
use reeltop::io::Clock;

use super::told::{json, replay, rows};
use crate::scripted::{Reply, Scripted, answer};

/// Pages of the log; the message that is meant stands alone on the last.
const N_PAGES: usize = 41;

/// A log beyond what is looked through where nothing says how far: 250 messages a page, all of them
/// delivered but the oldest.
async fn server(now: Time) -> Scripted {
    Scripted::start(move |_, request| {
        let page = request.split("iterator=p").nth(1).and_then(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            rest[..end.unwrap_or(rest.len())].parse().ok()
        });
        if request.starts_with("get /openapi.json") {
            json(r#"{"openapi":"3.1.0","paths":{"/webhooks/messages/{message_id}/resend":{"post":{}}}}"#)
        } else if request.starts_with("get /webhooks/endpoints") {
            rows(&[r#"{"id":"ep_a","url":"http://a.example"}"#.to_owned()])
        } else if request.starts_with("get /webhooks/messages") {
            json(&page_of_log(page.unwrap_or(0), now))
        } else if request.contains("message_id=msg_old") {
            rows(&[r#"{"id":"atmpt_1","msgId":"msg_old","endpointId":"ep_a","status":2,"responseStatusCode":500,"triggerType":0,"timestamp":"2026-01-01T00:00:00Z"}"#.to_owned()])
        } else if request.starts_with("get /webhooks/delivery-attempts") {
            rows(&[])
        } else {
            answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
        }
    })
    .await
}

fn page_of_log(page: usize, now: Time) -> String {
    let row = |id: &str, at: Time| {
        let at = at.rfc3339();
        format!(
            r#"{{"id":"msg_{id}","eventType":"task.updated","timestamp":"{at}","payload":{{"task_id":"task_{id}"}}}}"#
        )
    };
    if page + 1 == N_PAGES {
        return format!(
            r#"{{"data":[{}],"done":true}}"#,
            row("old", now.plus(-7200 * SECOND))
        );
    }
    let rows = (0..250).map(|n| row(&format!("{page}_{n}"), now));
    let rows: Vec<String> = rows.collect();
    let next = page + 1;
    format!(
        r#"{{"data":[{}],"iterator":"p{next}","done":false}}"#,
        rows.join(",")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_looks_through_the_latest_and_says_how_to_reach_further() {
    let now = Clock::new().now().wall;
    let server = server(now).await;
    let (_, text, said) = replay(&server, "--query message:msg_old --dry-run").await;
    let note = format!(
        "only the latest 10000 messages of the log, back to {}, were looked at; --since TIME \
         reaches further back",
        now.rfc3339()
    );
    assert!(said.contains(&note), "{text}{said}");
    assert!(!text.contains("msg_old"), "{text}{said}");

    let further = "--query message:msg_old --since 1d --dry-run";
    let (code, text, said) = replay(&server, further).await;
    assert!(text.contains("msg_old"), "{text}{said}");
    assert_eq!(code, Some(0), "{text}{said}");
    assert!(!said.contains("were looked at"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_named_is_found_however_far_back_and_the_wait_is_told() {
    let now = Clock::new().now().wall;
    let server = server(now).await;
    let (code, text, said) = replay(&server, "msg_old --dry-run").await;
    assert_eq!(code, Some(0), "{text}{said}");
    assert!(text.contains("msg_old"), "{text}{said}");
    let note = "1 message is not among the latest 10000 of the log; looking further back";
    assert_eq!(said.matches(note).count(), 1, "{said}");
}

/// A service that asks at the first and the third look at its log to be left alone for so long.
async fn busy(now: Time, seconds: &'static str) -> Scripted {
    let inner = server(now).await;
    let n_looks = AtomicUsize::new(0);
    Scripted::start(move |_, request| {
        let is_log = request.starts_with("get /webhooks/messages");
        if is_log && matches!(n_looks.fetch_add(1, Ordering::SeqCst), 0 | 2) {
            let headers = format!("retry-after: {seconds}\r\n");
            answer(
                "429 Too Many Requests",
                &headers,
                r#"{"detail":"slow down"}"#,
            )
        } else {
            Reply::Pass(inner.url.clone())
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_waits_for_a_service_that_asks_for_it_and_says_so() {
    let now = Clock::new().now().wall;
    let server = busy(now, "0").await;
    let (code, text, said) = replay(&server, "msg_old --dry-run --wait 20s").await;
    assert_eq!(code, Some(0), "{text}{said}");
    assert!(text.contains("msg_old"), "{text}{said}");
    let told = said.matches("the service asks to wait until 20").count();
    assert_eq!(told, 2, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_does_not_wait_longer_than_it_was_told() {
    let now = Clock::new().now().wall;
    let server = busy(now, "90").await;
    let (code, text, said) = replay(&server, "msg_old --dry-run --wait 20s").await;
    assert_eq!(code, Some(1), "{text}{said}");
    assert!(said.contains("slow down"), "{said}");
    assert!(!said.contains("then this goes on"), "{said}");
}

/// A service that asks for a second, again and again, is waited for without a line for each.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_in_vain_is_said_shortly_and_in_the_end() {
    let server = Scripted::start(|_, request| {
        let is_log = request.starts_with("get /webhooks/messages");
        let code = if is_log {
            "429 Too Many Requests"
        } else {
            "404 Not Found"
        };
        answer(code, "retry-after: 1\r\n", r#"{"detail":"slow down"}"#)
    })
    .await;
    let (code, text, said) = replay(&server, "msg_old --dry-run --wait 4s").await;
    assert_eq!(code, Some(1), "{text}{said}");
    let n_told = said.matches("then this goes on").count();
    assert!((1..=3).contains(&n_told), "{said}");
    let waited = ["3s", "4s"].map(|it| format!("slow down; it was waited for, {it} in all"));
    assert!(waited.iter().any(|it| said.contains(it)), "{said}");
}
