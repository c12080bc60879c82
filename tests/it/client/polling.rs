//! The poller against servers of which one part fails: the others are read all the same.

use std::time::Duration;

use reeltop::domain::Ability;

use super::intake::Watcher;
use super::source;
use crate::scripted::{Reply, Scripted, answer, stream};

fn json(body: &str) -> Reply {
    answer("200 OK", "content-type: application/json\r\n", body)
}

fn message(id: &str) -> String {
    format!(
        r#"{{"data":[{{"id":"{id}","eventType":"task.completed","timestamp":"2026-01-01T00:00:00Z","payload":{{}}}}],"done":true}}"#
    )
}

fn attempt(endpoint: &str, message: &str) -> String {
    format!(
        r#"{{"data":[{{"id":"atmpt_{endpoint}","msgId":"{message}","endpointId":"{endpoint}","status":0,"responseStatusCode":204,"timestamp":"2026-01-01T00:00:01Z"}}],"done":true}}"#
    )
}

/// The rest of a server: a stream that says nothing, no tasks.
fn rest(request: &str) -> Reply {
    if request.starts_with("get /events") {
        Reply::Hold(stream(": hello\n\n"))
    } else if request.starts_with("get /tasks/active") {
        json("[]")
    } else {
        answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
    }
}

#[tokio::test]
async fn an_endpoint_list_that_is_refused_hides_neither_messages_nor_attempts() {
    for (status, body) in [
        ("403 Forbidden", r#"{"detail":"no"}"#),
        ("422 x", "{}"),
        ("500 x", "{}"),
        ("200 OK", r#"{"hello":"world"}"#),
    ] {
        let server = Scripted::start(move |_, request| {
            if request.starts_with("get /webhooks/endpoints") {
                answer(status, "", body)
            } else if request.starts_with("get /webhooks/messages") {
                json(&message("msg_1"))
            } else if request.contains("message_id=msg_1") {
                json(&attempt("ep_1", "msg_1"))
            } else {
                rest(request)
            }
        })
        .await;
        let mut watcher = Watcher::open(source(&server.url));
        watcher
            .until(status, |history| {
                history.deliveries.newest().count() == 1 && !history.endpoints.is_empty()
            })
            .await;
        if !status.starts_with("500") {
            assert!(
                matches!(watcher.history.abilities.endpoint_list, Ability::Absent(_)),
                "{status}"
            );
        }
        watcher.hose.close().await;
    }
}

#[tokio::test]
async fn one_endpoint_that_fails_hides_no_other_and_a_404_about_an_id_hides_none() {
    let server = Scripted::start(|_, request| {
        if request.starts_with("get /webhooks/endpoints?iterator=more") {
            json(
                r#"{"data":[{"id":"ep_c","url":"http://c.example"},{"id":"ep_d","url":"http://d.example"}],"done":true}"#,
            )
        } else if request.starts_with("get /webhooks/endpoints ") {
            json(
                r#"{"data":[{"id":"ep_a","url":"http://a.example"},{"id":"ep_b","url":"http://b.example"}],"iterator":"more","done":false}"#,
            )
        } else if request.contains("endpoint_id=ep_b") {
            answer("500 x", "", "{}")
        } else if request.contains("endpoint_id=ep_c") {
            answer("404 x", "", "")
        } else if request.contains("endpoint_id=") {
            let endpoint = if request.contains("ep_a") { "ep_a" } else { "ep_d" };
            json(&attempt(endpoint, "msg_1"))
        } else if request.starts_with("get /webhooks/messages") {
            json(&message("msg_1"))
        } else {
            rest(request)
        }
    })
    .await;
    let mut watcher = Watcher::open(source(&server.url));
    watcher
        .until("attempts of both", |history| {
            history
                .deliveries
                .newest()
                .any(|held| held.outcomes.len() == 2)
        })
        .await;
    let polls = watcher.history.counters.polls;
    watcher
        .until("more polls", |history| history.counters.polls > polls + 3)
        .await;
    assert_eq!(watcher.history.endpoints.len(), 4);
    assert!(watcher.history.abilities.attempts.is_offered());
    watcher.hose.close().await;
}

#[tokio::test]
async fn an_endpoint_list_whose_rest_fails_deletes_nothing() {
    let server = Scripted::start(|n, request| {
        if request.starts_with("get /webhooks/endpoints?") {
            answer("500 x", "", "{}")
        } else if request.starts_with("get /webhooks/endpoints ") {
            let id = if n < 8 { "ep_a" } else { "ep_b" };
            json(&format!(
                r#"{{"data":[{{"id":"{id}","url":"http://a.example"}}],"iterator":"more","done":false}}"#
            ))
        } else {
            rest(request)
        }
    })
    .await;
    let mut source = source(&server.url);
    source.waits.poll = Duration::from_millis(50);
    let mut watcher = Watcher::open(source);
    watcher
        .until("both", |history| history.endpoints.len() == 2)
        .await;
    watcher.hose.close().await;
}
