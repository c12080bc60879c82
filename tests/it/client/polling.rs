//! The poller against servers of which one part fails: the others are read all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reeltop::domain::{
    Ability, ChangeKind, Counted, EndpointId, Grounds, History, LinkState, MessageId, NotRead,
    ReplayState, Route, Stage,
};
use reeltop::io::config::Source;
use reeltop::io::intake::ReplayOrder;

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
        let ability = &watcher.history.abilities.endpoint_list;
        let is_clear = status.starts_with("422") || status.starts_with("200");
        assert_eq!(matches!(ability, Ability::Absent(_)), is_clear, "{status}");
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

#[tokio::test]
async fn an_answer_that_is_too_long_to_keep_is_told_and_counted_once() {
    let long = "x".repeat(30_000);
    let server = Scripted::start(move |_, request| {
        if request.starts_with("get /webhooks/endpoints") {
            json(r#"{"data":[{"id":"ep_1","url":"http://a.example"}],"done":true}"#)
        } else if request.starts_with("get /webhooks/messages") {
            json(&message("msg_1"))
        } else if request.contains("endpoint_id=ep_1") {
            let body = attempt("ep_1", "msg_1");
            json(&body.replace(r#""status""#, &format!(r#""response":"{long}","status""#)))
        } else {
            rest(request)
        }
    })
    .await;
    let mut source = source(&server.url);
    source.waits.poll = Duration::from_millis(50);
    let mut watcher = Watcher::open(source);
    watcher
        .until("the attempt", |history| {
            history.deliveries.n_answers_cut() > 0
        })
        .await;
    let until = watcher.history.counters.polls + 3;
    while watcher.history.counters.polls < until {
        for change in watcher.changes.recv().await.unwrap() {
            let is_attempt = matches!(change.kind, ChangeKind::Attempt(_));
            assert!(!is_attempt, "it is told again");
            watcher.history.apply(change);
        }
    }
    assert_eq!(watcher.history.deliveries.n_answers_cut(), 1);
    watcher.hose.close().await;
}

fn order() -> ReplayOrder {
    ReplayOrder {
        number: 1,
        message: MessageId::new("msg_1"),
        endpoint: EndpointId::new("ep_a"),
        route: Route::Server,
        grounds: Grounds::default(),
    }
}

/// The last stage of a replay among the changes that still wait.
fn last_stage(watcher: &mut Watcher) -> Option<Stage> {
    let mut last = None;
    while let Ok(batch) = watcher.changes.try_recv() {
        for change in batch {
            if let ChangeKind::Replay(step) = change.kind {
                last = Some(step.stage);
            }
        }
    }
    last
}

#[tokio::test]
async fn a_close_leaves_a_request_under_way_its_grace() {
    let server = Scripted::start(|_, request| {
        if request.starts_with("post ") {
            answer("202 Accepted", "", "{}")
        } else if request.starts_with("get /webhooks/delivery-attempts") {
            json(r#"{"data":[],"done":true}"#)
        } else {
            rest(request)
        }
    })
    .await;
    let mut source = source(&server.url);
    source.resend_path = Some("/again/{message_id}".to_owned());
    let mut watcher = Watcher::open(source);
    watcher
        .until("a route", |history| history.abilities.resend.is_offered())
        .await;
    watcher.hose.replay(order());
    watcher
        .until("sending", |history| {
            history
                .replays
                .get(1)
                .is_some_and(|replay| replay.state == ReplayState::Sending)
        })
        .await;
    let hose = watcher.hose.clone();
    let closing = Instant::now();
    hose.close().await;
    assert!(closing.elapsed() < Duration::from_secs(1));
    assert_eq!(last_stage(&mut watcher), Some(Stage::Accepted));
}

#[tokio::test]
async fn without_a_server_a_replay_is_refused_in_its_own_words() {
    let mut watcher = Watcher::open(Source::new("http://u:hunter2@x:99999", "sk_test"));
    watcher
        .until("the stop", |history| {
            matches!(&history.link, LinkState::Stopped { why } if !why.to_string().contains("hunter2"))
        })
        .await;
    for _ in 0..2 {
        watcher.hose.replay(order());
        let batch = watcher.changes.recv().await.unwrap();
        let ChangeKind::Replay(step) = &batch[0].kind else {
            panic!("{batch:?}")
        };
        assert!(
            matches!(&step.stage, Stage::Refused(why) if why.what.contains("no server")),
            "{step:?}"
        );
    }
}

#[tokio::test]
async fn what_the_server_publishes_is_asked_for_until_it_answers() {
    let is_up = Arc::new(AtomicBool::new(false));
    let up = Arc::clone(&is_up);
    let server = Scripted::start(move |_, request| {
        if !request.starts_with("get /openapi.json") {
            rest(request)
        } else if up.load(Ordering::SeqCst) {
            json(r#"{"openapi":"3.1.0","paths":{}}"#)
        } else {
            answer("503 x", "", "")
        }
    })
    .await;
    let mut watcher = Watcher::open(source(&server.url));
    watcher
        .until("the stream", |history| {
            history.abilities.stream.is_offered()
        })
        .await;
    assert_eq!(watcher.history.abilities.resend, Ability::Unknown);
    is_up.store(true, Ordering::SeqCst);
    watcher
        .until("an answer", |history| {
            history.abilities.resend != Ability::Unknown
        })
        .await;
    watcher.hose.close().await;
}

#[tokio::test]
async fn logs_that_fail_are_told_with_the_reason_until_they_answer() {
    let fails = Arc::new(AtomicBool::new(true));
    let is_failing = fails.clone();
    let server = Scripted::start(move |_, request| {
        let is_log = request.starts_with("get /webhooks/");
        if request.starts_with("get /webhooks/endpoints ") {
            json(r#"{"data":[{"id":"ep_1","url":"http://x"}],"done":true}"#)
        } else if is_log && is_failing.load(Ordering::Relaxed) {
            answer("500 x", "", r#"{"detail":"out of order"}"#)
        } else if request.starts_with("get /webhooks/messages") {
            json(&message("msg_1"))
        } else if is_log {
            json(&attempt("ep_1", "msg_1"))
        } else {
            rest(request)
        }
    })
    .await;
    let endpoint = EndpointId::new("ep_1");
    let mut watcher = Watcher::open(source(&server.url));
    let words = |not_read: Option<NotRead<'_>>| match not_read {
        Some(NotRead::Failed(why)) => why.to_owned(),
        other => format!("{other:?}"),
    };
    let first = History::default();
    assert_eq!(first.endpoints_not_read(), Some(NotRead::Yet));
    watcher
        .until("both reasons", |history| {
            let attempts = words(history.attempts_not_read(&endpoint));
            let messages = words(history.messages_not_read());
            [attempts, messages]
                .iter()
                .all(|words| words.starts_with("500: out of order"))
        })
        .await;
    assert_eq!(watcher.history.endpoints_not_read(), None);
    fails.store(false, Ordering::Relaxed);
    watcher
        .until("both read", |history| {
            history.attempts_not_read(&endpoint).is_none()
                && history.messages_not_read().is_none()
                && history.counted() == Counted::Whole
        })
        .await;
    watcher.hose.close().await;
}
