//! What a gap's proof must say, whatever came between: polls, refusals, late words of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reeltop::domain::{EventType, Heard, History, LinkState, Origin, Proof, TaskId, TaskState};
use tokio::sync::Notify;

use super::intake::Watcher;
use super::link::{envelope, events, json, nothing, path_of, quiet, state, task};
use crate::scripted::{Reply, Scripted, answer, stream};

fn last(history: &History) -> Option<&Proof> {
    history.proofs.back()
}

fn says(history: &History, words: &str) -> bool {
    let caveat = last(history).and_then(|proof| proof.caveat.as_deref());
    caveat.is_some_and(|caveat| caveat.contains(words))
}

/// Steps that a test goes through, as its server sees them.
fn steps() -> (
    Arc<AtomicUsize>,
    impl Fn() -> usize + Send + Sync + Clone + 'static,
) {
    let step = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&step);
    (step, move || seen.load(Ordering::SeqCst))
}

#[tokio::test]
async fn what_polls_mended_in_a_gap_counts_in_its_proof() {
    let (step, at) = steps();
    let server = Scripted::start(move |_, request| match (path_of(request), at()) {
        ("/events", 0) => {
            let first = envelope("e1", &task("a", "processing", 1), 1);
            Reply::Close(stream(&format!("id: e1\ndata: {first}\n\n")))
        }
        ("/events", 1) => answer("503 x", "", ""),
        ("/events", _) => Reply::Hold(stream(": back\n\n")),
        ("/tasks/active", 0) => json(&format!("[{}]", task("a", "processing", 1))),
        ("/tasks/active", _) => json("[]"),
        ("/tasks/a", _) => json(&task("a", "completed", 2)),
        _ => nothing(),
    })
    .await;
    let mut watcher = Watcher::open(quiet(&server.url));
    watcher
        .until("a task", |history| state(history, "a").is_some())
        .await;
    step.store(1, Ordering::SeqCst);
    watcher
        .until("the end, by a poll", |history| {
            state(history, "a") == Some(TaskState::Completed)
        })
        .await;
    assert!(matches!(watcher.history.link, LinkState::Retrying { .. }));
    step.store(2, Ordering::SeqCst);
    watcher
        .until("the gap's proof", |history| {
            history.link == LinkState::Live && last(history).is_some_and(|it| it.gap.is_some())
        })
        .await;
    let proof = last(&watcher.history).unwrap();
    assert_eq!(proof.n_repaired, 1, "{proof:?}");
    assert!(matches!(proof.heard, Heard::Polls(1..)), "{proof:?}");
    assert_eq!(proof.repaired[0].task, TaskId::new("a"));
    assert_eq!(proof.repaired[0].before, Some(TaskState::Processing));
    assert_eq!(proof.repaired[0].after, Some(TaskState::Completed));
    watcher.hose.close().await;
}

#[tokio::test]
async fn a_word_about_lost_events_that_comes_after_the_proof_is_said_in_another() {
    let (step, at) = steps();
    let go_on = Arc::new(Notify::new());
    let told = Arc::clone(&go_on);
    let server = Scripted::start(move |_, request| match (path_of(request), at()) {
        ("/events", 0) => {
            let first = envelope("e1", &task("a", "queued", 1), 1);
            Reply::Close(stream(&format!("id: e1\ndata: {first}\n\n")))
        }
        ("/events", _) => {
            let rest = b": gap\n\n".to_vec();
            Reply::Later(stream(": hello\n\n"), Arc::clone(&told), rest)
        }
        ("/tasks/active", _) => json(&format!("[{}]", task("a", "queued", 1))),
        _ => nothing(),
    })
    .await;
    let mut watcher = Watcher::open(quiet(&server.url));
    watcher
        .until("an event", |history| history.events.n_events() == 1)
        .await;
    step.store(1, Ordering::SeqCst);
    watcher
        .until("the gap's proof", |history| {
            history.link == LinkState::Live && last(history).is_some_and(|it| it.gap.is_some())
        })
        .await;
    let gap = last(&watcher.history).unwrap().gap;
    assert!(!says(&watcher.history, "no longer had all events"));
    go_on.notify_one();
    watcher
        .until("the server's word", |history| {
            says(history, "no longer had all events")
        })
        .await;
    assert_eq!(
        last(&watcher.history).unwrap().gap,
        gap,
        "it is about that gap"
    );
    assert_eq!(watcher.history.link, LinkState::Live);
    watcher.hose.close().await;
}

#[tokio::test]
async fn a_comparison_that_is_refused_says_so_for_its_gap() {
    let (step, at) = steps();
    let server = Scripted::start(move |_, request| match (path_of(request), at()) {
        ("/events", 0) => Reply::Close(stream(": hello\n\n")),
        ("/events", _) => Reply::Hold(stream(": back\n\n")),
        ("/tasks/active", 0) => json("[]"),
        ("/tasks/active", 1) => answer("401 x", "", "{}"),
        ("/tasks/active", _) => json(&format!("[{}]", task("a", "queued", 1))),
        _ => nothing(),
    })
    .await;
    let mut watcher = Watcher::open(quiet(&server.url));
    watcher
        .until("a loss", |history| {
            matches!(history.link, LinkState::Retrying { .. })
        })
        .await;
    step.store(1, Ordering::SeqCst);
    watcher
        .until("the refusal", |history| {
            says(history, "nothing was compared")
        })
        .await;
    assert!(last(&watcher.history).unwrap().gap.is_some());
    step.store(2, Ordering::SeqCst);
    watcher
        .until("the comparison after all", |history| {
            last(history).is_some_and(|proof| proof.compared == Some(1) && proof.gap.is_some())
        })
        .await;
    watcher.hose.close().await;
}

#[tokio::test]
async fn a_message_without_a_time_does_not_end_the_walk_through_the_log() {
    let (step, at) = steps();
    let server = Scripted::start(move |_, request| match (path_of(request), at()) {
        ("/events", 0) => Reply::Close(stream(": hello\n\n")),
        ("/events", _) => Reply::Hold(stream(": back\n\n")),
        ("/tasks/active", _) => json("[]"),
        (path, _) if path.starts_with("/webhooks/messages") => {
            json(r#"{"data":[{"id":"msg_1","eventType":"task.failed","payload":{}}],"done":true}"#)
        }
        _ => nothing(),
    })
    .await;
    let mut watcher = Watcher::open(quiet(&server.url));
    watcher
        .until("a loss", |history| {
            matches!(history.link, LinkState::Retrying { .. })
        })
        .await;
    step.store(1, Ordering::SeqCst);
    watcher
        .until("the gap's proof", |history| {
            history.link == LinkState::Live && last(history).is_some_and(|it| it.gap.is_some())
        })
        .await;
    assert!(
        says(&watcher.history, "cannot be seen"),
        "{:?}",
        last(&watcher.history)
    );
    watcher.hose.close().await;
}

#[tokio::test]
async fn without_a_stream_it_is_said_and_events_are_made_while_it_is_tried_again() {
    let (step, at) = steps();
    let server = Scripted::start(move |_, request| match (path_of(request), at()) {
        // First there is none; later the place of it does not answer for a while.
        ("/events", 1 | 2) => answer("503 x", "", ""),
        ("/events", 3) => Reply::Hold(stream(": there it is\n\n")),
        ("/tasks/active", 0 | 1) => json(&format!("[{}]", task("a", "queued", 1))),
        ("/tasks/active", _) => json(&format!("[{}]", task("a", "processing", 2))),
        _ => nothing(),
    })
    .await;
    let mut source = quiet(&server.url);
    source.events_path = Some("/events".to_owned());
    // A wait between tries that the polls have time in.
    source.waits.floor = Duration::from_millis(300);
    let mut watcher = Watcher::open(source);
    watcher
        .until("polling", |history| {
            matches!(history.link, LinkState::Polling { .. }) && !history.proofs.is_empty()
        })
        .await;
    assert!(says(&watcher.history, "there is no stream"));
    assert_eq!(
        last(&watcher.history).unwrap().gap,
        None,
        "nothing was missed"
    );
    assert_eq!(watcher.history.proofs.len(), 1);
    step.store(1, Ordering::SeqCst);
    watcher
        .until("a try that fails", |history| {
            matches!(history.link, LinkState::Retrying { .. })
        })
        .await;
    step.store(2, Ordering::SeqCst);
    watcher
        .until("a made event", |history| history.events.inferred() == 1)
        .await;
    let made: Vec<_> = events(&watcher.history).collect();
    assert_eq!(made[0].origin, Origin::Inference);
    assert_eq!(made[0].kind, EventType::TaskProgress);
    assert_eq!(watcher.history.proofs.len(), 1, "said once");
    step.store(3, Ordering::SeqCst);
    watcher
        .until("the stream", |history| {
            history.link == LinkState::Live && history.proofs.len() == 2
        })
        .await;
    let proof = last(&watcher.history).unwrap();
    assert!(matches!(proof.heard, Heard::Polls(1..)), "{proof:?}");
    assert_eq!(proof.n_repaired, 0, "the polls told it before: {proof:?}");
    watcher.hose.close().await;
}
