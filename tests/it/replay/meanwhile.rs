//! What the service delivers by itself between the decision and its turn is not sent again.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reeltop::domain::{EndpointId, Grounds, History, MessageId, ReplayState, Route, Verdict, plan};
use reeltop::io::Clock;
use reeltop::io::intake::ReplayOrder;
use reeltop::io::ledger::Ledger;

use crate::client::intake::Watcher;
use crate::client::source;
use crate::scripted::{Reply, Scripted, answer, stream};

const WHY: &str = "cancelled, nothing was sent: delivered meanwhile, by attempt atmpt_2";

fn json(body: &str) -> Reply {
    answer("200 OK", "content-type: application/json\r\n", body)
}

fn attempt(n: usize, status: u8, code: u16, trigger: u8) -> String {
    format!(
        r#"{{"id":"atmpt_{n}","msgId":"msg_1","endpointId":"ep_a","status":{status},"responseStatusCode":{code},"triggerType":{trigger},"timestamp":"2026-01-01T00:00:0{n}Z"}}"#
    )
}

/// One message that failed; after so many looks at its attempts, a retry has delivered it. A resend
/// is answered and makes another attempt.
async fn server(n_looks: Arc<AtomicUsize>) -> Scripted {
    let n_posts = AtomicUsize::new(0);
    Scripted::start(move |_, request| {
        if request.starts_with("post ") {
            n_posts.fetch_add(1, Ordering::SeqCst);
            answer("202 Accepted", "", "{}")
        } else if request.starts_with("get /openapi.json") {
            json(r#"{"openapi":"3.1.0","paths":{"/webhooks/messages/{message_id}/resend":{"post":{}}}}"#)
        } else if request.starts_with("get /webhooks/endpoints") {
            json(r#"{"data":[{"id":"ep_a","url":"http://a.example"}],"done":true}"#)
        } else if request.starts_with("get /webhooks/messages") {
            json(r#"{"data":[{"id":"msg_1","eventType":"task.completed","timestamp":"2026-01-01T00:00:00Z","payload":{}}],"done":true}"#)
        } else if request.contains("message_id=msg_1") {
            let left = n_looks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            let mut rows = vec![attempt(1, 2, 500, 0)];
            if left.is_err() {
                rows.insert(0, attempt(2, 0, 204, 0));
            }
            if n_posts.load(Ordering::SeqCst) > 0 {
                rows.insert(0, attempt(3, 0, 204, 1));
            }
            json(&format!(r#"{{"data":[{}],"done":true}}"#, rows.join(",")))
        } else if request.starts_with("get /webhooks/delivery-attempts") {
            json(&format!(r#"{{"data":[{}],"done":true}}"#, attempt(1, 2, 500, 0)))
        } else if request.starts_with("get /events") {
            Reply::Hold(stream(": hello\n\n"))
        } else if request.starts_with("get /tasks/active") {
            json("[]")
        } else {
            answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
        }
    })
    .await
}

fn n_posts(server: &Scripted) -> usize {
    let requests = server.requests();
    requests.iter().filter(|it| it.starts_with("post ")).count()
}

fn is_failed(history: &History) -> bool {
    let delivery = history.deliveries.get(&MessageId::new("msg_1"));
    delivery.is_some_and(|it| it.message.is_some() && it.is_failing())
        && history.abilities.resend.is_offered()
}

#[tokio::test]
async fn what_was_delivered_since_the_decision_is_not_sent() {
    let n_looks = Arc::new(AtomicUsize::new(usize::MAX));
    let server = server(Arc::clone(&n_looks)).await;
    let (clock, ledger) = (Clock::new(), Ledger::in_memory());
    let mut watcher = Watcher::with_ledger(source(&server.url), clock, None, ledger.clone());
    watcher.until("the failure", is_failed).await;
    let (message, endpoint) = (MessageId::new("msg_1"), EndpointId::new("ep_a"));
    let decided = plan(&watcher.history, &message, None, false, clock.now().wall);
    assert_eq!(decided.items[0].verdict, Verdict::Send, "{decided:?}");
    let order = |number, grounds| ReplayOrder {
        number,
        message: message.clone(),
        endpoint: endpoint.clone(),
        route: Route::Server,
        grounds,
    };

    n_looks.store(0, Ordering::SeqCst);
    watcher
        .hose
        .replay(order(1, decided.items[0].grounds.clone()));
    watcher
        .until("cancelled", |history| {
            let replay = history.replays.get(1);
            replay.is_some_and(|it| matches!(it.state, ReplayState::Cancelled(_)))
        })
        .await;
    let told = watcher.history.replays.get(1).unwrap();
    assert_eq!(told.words(), WHY);
    let rows = ledger.list(10, clock.now()).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].words(), WHY);
    assert_eq!(n_posts(&server), 0);

    // Who knows that it was delivered, and wants it again, gets it.
    watcher
        .until("the retry", |history| {
            history.deliveries.get(&message).unwrap().is_delivered()
        })
        .await;
    let known = Grounds::of(&watcher.history, &message, &endpoint);
    watcher.hose.replay(order(2, known));
    watcher
        .until("delivered again", |history| {
            let replay = history.replays.get(2);
            replay.is_some_and(|it| matches!(it.state, ReplayState::Delivered { .. }))
        })
        .await;
    assert_eq!(n_posts(&server), 1);
    watcher.hose.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_does_not_send_what_was_delivered_since_it_planned() {
    // It looks once to plan; the look just before its request finds the retry.
    for (n_looks, n_sent) in [(1, 0), (2, 1)] {
        let server = server(Arc::new(AtomicUsize::new(n_looks))).await;
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
        command
            .env_clear()
            .env("HOME", folder.path())
            .env("ASPECT_API_KEY", "sk_test")
            .env("ASPECT_BASE_URL", &server.url)
            .args(["replay", "msg_1", "--yes", "--wait", "10s"]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{text}{said}");
        assert_eq!(text.contains(WHY), n_sent == 0, "{text}{said}");
        assert_eq!(n_posts(&server), n_sent, "{text}{said}");
    }
}
