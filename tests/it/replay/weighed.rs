//! What comes up between the decision and its turn, and speaks against a replay, calls it off.

use std::sync::{Arc, Mutex};

use reeltop::domain::{EndpointId, History, MessageId, ReplayState, Route, Stage, Verdict, plan};
use reeltop::io::Clock;
use reeltop::io::intake::ReplayOrder;
use reeltop::io::ledger::{Ledger, Planned};

use crate::client::intake::Watcher;
use crate::client::source;
use crate::scripted::{Reply, Scripted, answer, stream};

/// What the service has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    AsItWas,
    Disabled,
    Deleted,
    /// The newer message of the task is delivered.
    Superseded,
    /// So is one of another task, which tells nothing of this.
    OtherDelivered,
}

fn rows(rows: &[String]) -> Reply {
    let body = format!(r#"{{"data":[{}],"done":true}}"#, rows.join(","));
    answer("200 OK", "content-type: application/json\r\n", &body)
}

fn attempt(message: u8, status: u8, code: u16, trigger: u8) -> String {
    format!(
        r#"{{"id":"atmpt_{message}{status}{trigger}","msgId":"msg_{message}","endpointId":"ep_a","status":{status},"responseStatusCode":{code},"triggerType":{trigger},"timestamp":"2026-01-01T00:00:0{message}Z"}}"#
    )
}

fn message(n: u8, task: &str) -> String {
    format!(
        r#"{{"id":"msg_{n}","eventType":"task.updated","timestamp":"2026-01-01T00:00:0{n}Z","payload":{{"task_id":"{task}"}}}}"#
    )
}

/// Two messages of one task and one of another, all failed. A resend makes another attempt.
async fn server(now: Arc<Mutex<Now>>) -> Scripted {
    let was_sent = Mutex::new(false);
    Scripted::start(move |_, request| {
        let now = *now.lock().unwrap();
        let of = |n: u8, delivered: bool| {
            let mut all = vec![attempt(n, 2, 500, 0)];
            if delivered {
                all.insert(0, attempt(n, 0, 204, 0));
            }
            all
        };
        if request.starts_with("post ") {
            *was_sent.lock().unwrap() = true;
            answer("202 Accepted", "", "{}")
        } else if request.starts_with("get /openapi.json") {
            let paths = r#"{"/webhooks/messages/{message_id}/resend":{"post":{}}}"#;
            let body = format!(r#"{{"openapi":"3.1.0","paths":{paths}}}"#);
            answer("200 OK", "content-type: application/json\r\n", &body)
        } else if request.starts_with("get /webhooks/endpoints") {
            let disabled = now == Now::Disabled;
            let endpoint =
                format!(r#"{{"id":"ep_a","url":"http://a.example","disabled":{disabled}}}"#);
            rows(if now == Now::Deleted {
                &[]
            } else {
                std::slice::from_ref(&endpoint)
            })
        } else if request.starts_with("get /webhooks/messages") {
            rows(&[message(3, "other"), message(2, "task"), message(1, "task")])
        } else if request.contains("message_id=msg_1") {
            let mut all = of(1, false);
            if *was_sent.lock().unwrap() {
                all.insert(0, attempt(1, 0, 204, 1));
            }
            rows(&all)
        } else if request.contains("message_id=msg_2") {
            rows(&of(2, now == Now::Superseded))
        } else if request.contains("message_id=msg_3") {
            rows(&of(3, now == Now::OtherDelivered))
        } else if request.starts_with("get /webhooks/delivery-attempts") {
            rows(&[of(1, false), of(2, false), of(3, false)].concat())
        } else if request.starts_with("get /events") {
            Reply::Hold(stream(": hello\n\n"))
        } else if request.starts_with("get /tasks/active") {
            answer("200 OK", "content-type: application/json\r\n", "[]")
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

fn is_known(history: &History) -> bool {
    let is_failed = |id| {
        let delivery = history.deliveries.get(&MessageId::new(id));
        delivery.is_some_and(|it| it.message.is_some() && it.is_failing())
    };
    ["msg_1", "msg_2", "msg_3"].into_iter().all(is_failed)
        && history.abilities.resend.is_offered()
        && history.endpoints.contains_key(&EndpointId::new("ep_a"))
}

/// Decides to replay the first message, lets that happen, and gives how the replay ended and how
/// many requests were made.
async fn ended_after(then: Now, with: impl FnOnce(&Ledger, Clock)) -> (ReplayState, usize) {
    let now = Arc::new(Mutex::new(Now::AsItWas));
    let server = server(Arc::clone(&now)).await;
    let (clock, ledger) = (Clock::new(), Ledger::in_memory());
    let mut source = source(&server.url);
    // The dashboard itself looks no second time.
    source.waits.poll = std::time::Duration::from_hours(1);
    let mut watcher = Watcher::with_ledger(source, clock, None, ledger.clone());
    watcher.until("the failures", is_known).await;
    let (message, endpoint) = (MessageId::new("msg_1"), EndpointId::new("ep_a"));
    let decided = plan(&watcher.history, &message, None, false, clock.now().wall);
    assert_eq!(decided.items[0].verdict, Verdict::Send, "{decided:?}");
    *now.lock().unwrap() = then;
    with(&ledger, clock);
    watcher.hose.replay(ReplayOrder {
        number: 1,
        message,
        endpoint,
        route: Route::Server,
        grounds: decided.items[0].grounds.clone(),
    });
    let is_over = |history: &History| {
        let replay = history.replays.get(1);
        replay.is_some_and(|it| !it.state.is_open())
    };
    watcher.until("the end", is_over).await;
    let state = watcher.history.replays.get(1).unwrap().state.clone();
    watcher.hose.close().await;
    (state, n_posts(&server))
}

#[tokio::test]
async fn what_speaks_against_it_since_calls_it_off() {
    for (then, words) in [
        (Now::Disabled, "the endpoint is disabled"),
        (Now::Deleted, "the endpoint was deleted"),
        (
            Now::Superseded,
            "superseded meanwhile: it took a newer message of this task, task.updated msg_2",
        ),
    ] {
        let (state, n_posts) = ended_after(then, |_, _| {}).await;
        assert!(
            matches!(&state, ReplayState::Cancelled(why) if why.contains(words)),
            "{then:?}: {state:?}"
        );
        assert_eq!(n_posts, 0, "{then:?}");
    }
}

#[tokio::test]
async fn what_does_not_speak_against_it_lets_it_go() {
    for then in [Now::AsItWas, Now::OtherDelivered] {
        let (state, n_posts) = ended_after(then, |_, _| {}).await;
        assert_eq!(state.name(), "delivered", "{then:?}: {state:?}");
        assert_eq!(n_posts, 1);
    }
}

#[tokio::test]
async fn while_another_replay_of_the_pair_is_open_it_is_called_off() {
    for (stage, words) in [
        (None, "a replay of it is open: sending"),
        (Some(Stage::Accepted), "a replay of it is open: accepted"),
        (
            Some(Stage::Unknown("no answer".into())),
            "a replay of it is open: unknown: no answer",
        ),
    ] {
        let other = |ledger: &Ledger, clock: Clock| {
            let pair = (MessageId::new("msg_1"), EndpointId::new("ep_a"));
            let planned = ledger.plan(9, &pair, Route::Server, clock.now()).unwrap();
            let Planned::As(id) = planned else {
                panic!("{planned:?}");
            };
            let before = [].into();
            let sending = Stage::Sending { before };
            for stage in [Some(sending), stage].into_iter().flatten() {
                ledger.step(&id, &stage, clock.now()).unwrap();
            }
        };
        let (state, n_posts) = ended_after(Now::AsItWas, other).await;
        assert!(
            matches!(&state, ReplayState::Cancelled(why) if why.contains(words)),
            "{state:?}"
        );
        assert_eq!(n_posts, 0);
    }
}
