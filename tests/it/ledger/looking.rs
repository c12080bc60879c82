//! The sender by itself, before a service that answers as it is told: what it says of an outcome, and
//! what it writes when the ledger cannot be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reeltop::domain::{
    Ability, ChangeKind, EndpointId, FailureKind, Grounds, History, MessageId, Route, Stage,
};
use reeltop::io::Clock;
use reeltop::io::client::Client;
use reeltop::io::config::{LedgerKeeping, Source};
use reeltop::io::ledger::{Ledger, Service};
use reeltop::io::outlet::{Ends, Outlet};
use reeltop::io::sender::{self, Followed, Posts, ReplayOrder};
use serde_json::{Value, json};

use super::{attempt, ok};
use crate::scripted::{Scripted, answer};
use crate::server::support::{PATIENCE, eventually};

/// Answers the n-th look after the request with the n-th list of attempts, the last one for ever.
async fn service(looks: Vec<Vec<Value>>) -> (Scripted, Arc<AtomicUsize>) {
    let (n_posts, n_looks) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let posts = n_posts.clone();
    let server = Scripted::start(move |_, head| {
        if head.starts_with("post ") {
            posts.fetch_add(1, Ordering::SeqCst);
            return answer("202 Accepted", "", "{}");
        }
        let mut listed = vec![attempt("atmpt_0", 0, 2)];
        if posts.load(Ordering::SeqCst) > 0 {
            let look = n_looks.fetch_add(1, Ordering::SeqCst).min(looks.len() - 1);
            listed.extend(looks[look].clone());
        }
        ok(&json!({"data": listed, "done": true}))
    })
    .await;
    (server, n_posts)
}

fn order() -> ReplayOrder {
    ReplayOrder {
        number: 1,
        message: MessageId::new("msg_1"),
        endpoint: EndpointId::new("ep_1"),
        route: Route::Server,
        grounds: Grounds::default(),
    }
}

/// Sends it to the end. Gives the stages of each batch that was told.
async fn told(server: &Scripted) -> Vec<Vec<Stage>> {
    let client = Client::new(&Source::new(&server.url, "sk_test")).unwrap();
    let (outlet, Ends { mut changes, .. }) = Outlet::new(Clock::new(), None, Ledger::in_memory());
    outlet.learn(|abilities| abilities.resend = resend()).await;
    let sending = async {
        let (wait, posts) = (Duration::from_secs(20), Posts::default());
        sender::replay(&client, &outlet, &order(), wait, &posts).await;
        drop(outlet);
    };
    let mut batches = Vec::new();
    let reading = async {
        while let Some(batch) = changes.recv().await {
            let stages = batch.into_iter().filter_map(|change| match change.kind {
                ChangeKind::Replay(step) => Some(step.stage),
                _ => None,
            });
            batches.push(stages.collect());
        }
    };
    tokio::join!(sending, reading);
    batches
}

fn resend() -> Ability {
    Ability::Offered("/webhooks/messages/{message_id}/resend".to_owned())
}

/// Sends it to the end. Gives how it ended, and the states that were told after each batch.
async fn sent(server: &Scripted, ledger: Ledger, posts: &Posts) -> (Followed, Vec<&'static str>) {
    let client = Client::new(&Source::new(&server.url, "sk_test")).unwrap();
    let (outlet, Ends { mut changes, .. }) = Outlet::new(Clock::new(), None, ledger);
    outlet.learn(|abilities| abilities.resend = resend()).await;
    let sending = async {
        let wait = Duration::from_secs(20);
        let followed = sender::replay(&client, &outlet, &order(), wait, posts).await;
        drop(outlet);
        followed
    };
    let folding = async {
        let mut history = History::default();
        let mut states = Vec::new();
        while let Some(batch) = changes.recv().await {
            history.apply_all(batch);
            let state = history.replays.get(1).map(|replay| replay.state.name());
            if state != states.last().copied() {
                states.extend(state);
            }
        }
        states
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(sending, folding) })
        .await
        .unwrap()
}

#[tokio::test]
async fn an_end_is_told_only_after_one_more_look() {
    let foreign = attempt("atmpt_8", 1, 0);
    let ours = attempt("atmpt_9", 1, 2);
    let both = vec![foreign.clone(), ours];
    let (server, _) = service(vec![vec![foreign.clone()], both]).await;
    let (followed, states) = sent(&server, Ledger::in_memory(), &Posts::default()).await;
    assert_eq!(followed, Followed::Unclear);
    let expected = [
        "planned",
        "sending",
        "accepted",
        "attempt seen",
        "ambiguous",
    ];
    assert_eq!(states, expected);

    let (server, _) = service(vec![vec![foreign]]).await;
    let (followed, states) = sent(&server, Ledger::in_memory(), &Posts::default()).await;
    assert_eq!(followed, Followed::Delivered);
    assert_eq!(states.last(), Some(&"delivered"), "{states:?}");
}

#[tokio::test]
async fn what_can_be_read_is_not_taken_for_ours_beside_what_cannot() {
    let foreign = attempt("atmpt_8", 1, 0);
    // Its own row lacks what every row has, at every look or only at the last one.
    let partial = vec![foreign.clone(), json!({"id": "atmpt_9"})];
    for looks in [vec![partial.clone()], vec![vec![foreign], partial]] {
        let (server, n_posts) = service(looks).await;
        let (followed, states) = sent(&server, Ledger::in_memory(), &Posts::default()).await;
        assert_eq!(followed, Followed::Unclear);
        assert_eq!(states.last(), Some(&"ambiguous"), "{states:?}");
        assert_eq!(n_posts.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn without_triggers_one_new_attempt_is_found_and_two_are_ambiguous() {
    let unmarked = |id: &str, second: u32| {
        let mut attempt = attempt(id, 0, 0);
        attempt.as_object_mut().unwrap().remove("triggerType");
        attempt["timestamp"] = json!(format!("2026-11-25T12:00:{second:02}Z"));
        attempt
    };
    // The failure of 12:00:00 is tried again at 12:00:05.
    for (new, last) in [
        (vec![unmarked("atmpt_8", 2)], "delivered"),
        (vec![unmarked("atmpt_8", 6)], "ambiguous"),
        (
            vec![unmarked("atmpt_8", 1), unmarked("atmpt_9", 2)],
            "ambiguous",
        ),
    ] {
        let (server, n_posts) = service(vec![new]).await;
        let (_, states) = sent(&server, Ledger::in_memory(), &Posts::default()).await;
        assert_eq!(states.last(), Some(&last), "{states:?}");
        assert_eq!(n_posts.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn that_it_is_looked_for_is_told_with_its_being_sent() {
    let (server, _) = service(vec![vec![attempt("atmpt_1", 1, 0)]]).await;
    let batches = told(&server).await;
    // What comes between the two would count as found without a look: somebody else's attempt
    // was taken for its own, and stayed so though the service refused the request.
    let sending = batches.iter().find_map(|batch| {
        let at = batch
            .iter()
            .position(|stage| matches!(stage, Stage::Sending { .. }))?;
        batch.get(at + 1)
    });
    assert_eq!(sending, Some(&Stage::Looking), "{batches:?}");
}

#[tokio::test]
async fn a_refusal_for_the_time_being_says_for_how_long() {
    let server = Scripted::start(|_, head| {
        if head.starts_with("post ") {
            return answer("429 Too Many Requests", "retry-after: 7\r\n", "{}");
        }
        ok(&json!({"data": [attempt("atmpt_0", 0, 2)], "done": true}))
    })
    .await;
    let stages = told(&server).await.concat();
    let Some(Stage::Refused(failure)) = stages.last() else {
        panic!("{stages:?}");
    };
    assert_eq!(failure.kind, FailureKind::RateLimited);
    assert_eq!(failure.wait, Some(7_000_000));
}

#[tokio::test]
async fn nothing_is_begun_once_the_program_ends() {
    let (server, n_posts) = service(vec![Vec::new()]).await;
    let posts = Posts::default();
    posts.stop.cancel();
    let (followed, states) = sent(&server, Ledger::in_memory(), &posts).await;
    assert_eq!(followed, Followed::Ended);
    assert_eq!(states, ["planned", "cancelled"]);
    assert_eq!(n_posts.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_could_not_be_written_is_written_later_and_the_trouble_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let service_of = Service::new("https://a.example", "");
    let ledger = Ledger::in_folder(folder.path(), service_of, LedgerKeeping::default());
    let now = Clock::new().now();
    // The file is there, and takes the request's word but none after it.
    let pair = (MessageId::new("msg_0"), EndpointId::new("ep_1"));
    ledger.plan(9, &pair, Route::Server, now).unwrap();
    let db = rusqlite::Connection::open(folder.path().join("replays.db")).unwrap();
    db.execute_batch(
        "CREATE TRIGGER full BEFORE UPDATE ON replay WHEN OLD.state = 'sending'
         BEGIN SELECT raise(ABORT, 'the disk is full'); END",
    )
    .unwrap();
    let (server, n_posts) = service(vec![vec![attempt("atmpt_9", 1, 0)]]).await;
    let (_, states) = sent(&server, ledger.clone(), &Posts::default()).await;
    assert_eq!(states.last(), Some(&"delivered"), "{states:?}");
    assert_eq!(n_posts.load(Ordering::SeqCst), 1);
    let trouble = ledger.trouble().unwrap().to_string();
    assert!(trouble.contains("the disk is full"), "{trouble}");
    let written = || {
        let sql = "SELECT is_followed FROM replay WHERE message = 'msg_1'";
        db.query_row(sql, [], |row| row.get::<_, bool>(0)).unwrap()
    };
    assert!(written());
    db.execute_batch("DROP TRIGGER full").unwrap();
    eventually("the last stage", async || (!written()).then_some(())).await;
    let rows = ledger.keep(Clock::new().now()).unwrap();
    assert!(
        rows.iter().any(|row| row.state.name() == "delivered"),
        "{rows:?}"
    );
    assert_eq!(ledger.trouble(), None);
}
