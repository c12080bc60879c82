//! What an open stream leaves out, which only a look at the lists finds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reeltop::domain::time::SECOND;
use reeltop::domain::{EventRow, Heard, History, LinkState, RepairedBy, TaskState, Time};
use reeltop::server::chaos::{Choice, Fault, FaultSet};
use reeltop::server::{FeatureState, Options};
use tokio::sync::Notify;

use super::intake::{Watcher, source_of};
use super::link::{json, nothing, path_of, quiet, state, task};
use crate::scripted::{Reply, Scripted, stream};
use crate::server::support::start;

/// The gaps among the events: from when to when.
fn gaps(history: &History) -> Vec<(Time, Option<Time>)> {
    let rows = history.events.first_position()..history.events.next_position();
    let gap = |at| match history.events.row(at)? {
        EventRow::Gap(gap) => Some((gap.from, gap.to)),
        EventRow::Event(_) | EventRow::Hole(_) => None,
    };
    rows.filter_map(gap).collect()
}

#[tokio::test]
async fn what_the_list_and_the_stream_left_out_is_found_by_the_next_check() {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let server = Scripted::start(move |_, request| match path_of(request) {
        "/events" => Reply::Hold(stream(": hello\n\n")),
        // It ends without a word on the stream.
        "/tasks/active" if over.load(Ordering::SeqCst) => json("[]"),
        "/tasks/active" => json(&format!("[{}]", task("a", "processing", 1))),
        "/tasks/a" => json(&task("a", "completed", 2)),
        _ => nothing(),
    })
    .await;
    let mut watcher = Watcher::open(quiet(&server.url));
    watcher
        .until("live", |history| history.link == LinkState::Live)
        .await;
    assert_eq!(state(&watcher.history, "a"), Some(TaskState::Processing));
    let first = watcher.history.proofs.back().cloned().unwrap();
    is_over.store(true, Ordering::SeqCst);
    watcher
        .until("the end", |history| history.proofs.len() == 2)
        .await;
    assert_eq!(state(&watcher.history, "a"), Some(TaskState::Completed));
    let proof = watcher.history.proofs.back().unwrap();
    assert_eq!((proof.heard, proof.n_repaired), (Heard::Stream, 1));
    assert_eq!(proof.repaired[0].how, RepairedBy::Reading);
    let caveat = proof.caveat.as_ref().unwrap();
    assert!(
        caveat.contains("the open stream had not told what was found here"),
        "{caveat}"
    );
    // This server has no log that would show them.
    assert!(
        caveat.contains("tasks that began and ended in the gap cannot be seen"),
        "{caveat}"
    );
    // It lasted at most since the connection's own proof, and stands between the events.
    let (from, to) = proof.gap.unwrap();
    assert!(from < to && from >= first.at.plus(-SECOND), "{proof:?}");
    let gaps = gaps(&watcher.history);
    assert_eq!(gaps, [(from, Some(to))]);
    assert_eq!(watcher.history.link, LinkState::Live);
    watcher.hose.close().await;
}

/// A heartbeat is no news: tasks that were never told are found as they move on in the list.
#[tokio::test]
async fn tasks_that_an_open_stream_never_told_are_a_gap_of_it() {
    let server = start(Options::default()).await;
    let mut watcher = Watcher::open(source_of(&server, &server.url()));
    watcher.until_live(1).await;
    let only_beats = FaultSet::of(&[Fault::HeartbeatOnly]);
    server.chaos().switch(Choice::These(only_beats));
    let task = server.backend().create_task("asset", &["proxy"]).unwrap();
    let moved = server
        .backend()
        .set_feature(&task, "proxy", FeatureState::Processing);
    assert!(moved);
    watcher
        .until("the gap", |history| history.proofs.len() == 2)
        .await;
    let proof = watcher.history.proofs.back().unwrap();
    let repaired = &proof.repaired[0];
    assert_eq!((proof.heard, proof.n_repaired), (Heard::Stream, 1));
    assert_eq!(repaired.task.to_string(), task);
    assert_eq!(
        (repaired.before, repaired.after),
        (None, Some(TaskState::Processing))
    );
    let (from, to) = proof.gap.unwrap();
    assert_eq!(gaps(&watcher.history), [(from, Some(to))]);
    watcher.hose.close().await;
    server.stop().await;
}

/// While the stream is silent nobody knows whether it is over; what it told nothing of counts from
/// then on, once its next bytes come.
#[tokio::test]
async fn what_a_silent_stream_passed_over_is_a_gap_since_it_fell_silent() {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let go_on = Arc::new(Notify::new());
    let told = Arc::clone(&go_on);
    let server = Scripted::start(move |_, request| match path_of(request) {
        "/events" => Reply::Later(
            stream(": hello\n\n"),
            Arc::clone(&told),
            b": it goes on\n\n".to_vec(),
        ),
        "/tasks/active" if over.load(Ordering::SeqCst) => json("[]"),
        "/tasks/active" => json(&format!("[{}]", task("a", "processing", 1))),
        "/tasks/a" => json(&task("a", "completed", 2)),
        _ => nothing(),
    })
    .await;
    let mut source = quiet(&server.url);
    source.waits.stale = Duration::from_millis(200);
    let mut watcher = Watcher::open(source);
    watcher
        .until("silence", |history| {
            matches!(history.link, LinkState::Stale { .. })
        })
        .await;
    is_over.store(true, Ordering::SeqCst);
    watcher
        .until("the end", |history| {
            state(history, "a") == Some(TaskState::Completed)
        })
        .await;
    assert_eq!(watcher.history.proofs.len(), 1, "it may be over");
    let LinkState::Stale { since } = watcher.history.link else {
        panic!("{:?}", watcher.history.link)
    };
    go_on.notify_one();
    watcher
        .until("the gap", |history| history.proofs.len() == 2)
        .await;
    let proof = watcher.history.proofs.back().unwrap();
    assert_eq!((proof.heard, proof.n_repaired), (Heard::Stream, 1));
    assert_eq!(proof.gap.map(|(from, _)| from), Some(since), "{proof:?}");
    watcher.hose.close().await;
}
