//! A restart: what earlier runs saw is there before the network answers, and the time away is a
//! gap like any other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reeltop::domain::{
    ChangeKind, History, LinkState, Origin, PARTS, Part, Recording, TaskId, TaskState,
};
use reeltop::io::journal::Settings;
use reeltop::server::Options;

use super::{file_in, records};
use crate::client::intake::{Watcher, finish, source_of, state};
use crate::client::link::{json, nothing, task};
use crate::client::source;
use crate::scripted::{Gate, Reply, Scripted, stream};
use crate::server::support::start;

#[tokio::test]
async fn tasks_are_known_before_any_answer_and_the_time_away_is_proved() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let server = start(Options::default()).await;
    let gate = Gate::start(&server.url()).await;
    let ended = server.backend().create_task("one", &["proxy"]).unwrap();
    let going = server.backend().create_task("two", &["proxy"]).unwrap();
    let source = || source_of(&server, &gate.url);
    let mut first = Watcher::recording(source(), Some(Settings::new(&file)));
    let proof = first.until_live(1).await;
    assert_eq!(proof.gap, None);
    first.hose.close().await;

    gate.shut();
    finish(&server, &ended);
    let mut second = Watcher::recording(source(), Some(Settings::new(&file)));
    second
        .until("the journal", |history| {
            // What was known comes by itself, after the facts that the link needs.
            history.journal.recording == Recording::On
                && [&ended, &going]
                    .iter()
                    .all(|id| state(history, id).is_some())
        })
        .await;
    assert_eq!(state(&second.history, &ended), Some(TaskState::Queued));
    assert_eq!(state(&second.history, &going), Some(TaskState::Queued));
    let row = second.history.tasks.get(&TaskId::new(&ended)).unwrap();
    assert_eq!(row.origin(), Origin::Journal);
    assert!(!matches!(second.history.link, LinkState::Live));

    gate.open();
    second.hose.reconnect();
    // The proof of the first run is still there to be looked at.
    let proof = second.until_live(2).await;
    let (from, to) = proof.gap.expect("the time away is a gap");
    assert!(from < to);
    assert_eq!(proof.n_repaired, 1, "{proof:?}");
    assert_eq!(proof.repaired[0].task, TaskId::new(&ended));
    assert_eq!(proof.repaired[0].before, Some(TaskState::Queued));
    assert_eq!(state(&second.history, &ended), Some(TaskState::Completed));
    second.hose.close().await;
    server.stop().await;
}

#[tokio::test]
async fn the_last_event_id_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let server = Scripted::start(|n, head| {
        if !head.contains("get /events") {
            return crate::scripted::answer("404 Not Found", "", "{}");
        }
        let event =
            format!("{{\"event_type\":\"asset.created\",\"event_id\":\"e{n}\",\"data\":{{}}}}");
        Reply::Hold(stream(&format!("id: place-{n}\ndata: {event}\n\n")))
    })
    .await;
    let mut source = source(&server.url);
    source.waits.stale = std::time::Duration::from_secs(20);
    source.waits.idle = std::time::Duration::from_secs(45);
    let mut first = Watcher::recording(source.clone(), Some(Settings::new(&file)));
    first
        .until("an event", |history| !history.events.is_empty())
        .await;
    first.hose.close().await;
    let is_stream = |head: &&String| head.contains("get /events");
    let sent = |head: &String| {
        head.lines()
            .find_map(|line| line.strip_prefix("last-event-id: ").map(str::to_owned))
    };
    let before = server.requests();
    assert!(
        before
            .iter()
            .filter(is_stream)
            .all(|head| sent(head).is_none())
    );
    let mut second = Watcher::recording(source, Some(Settings::new(&file)));
    second
        .until("another event", |history| {
            let all = history.events.first_position()..history.events.next_position();
            all.filter_map(|position| history.events.get(position))
                .any(|entry| entry.origin == Origin::Stream)
        })
        .await;
    second.hose.close().await;
    let after = server.requests();
    let head = after[before.len()..].iter().find(is_stream).unwrap();
    let id = sent(head).unwrap();
    assert!(id.starts_with("place-"), "{id}");
}

#[tokio::test]
async fn the_key_is_in_no_part_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let server = Scripted::start(|_, head| {
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("authorization: bearer "))
            .unwrap_or_default()
            .to_owned();
        if head.contains("get /events") {
            let event = format!(
                "{{\"event_type\":\"asset.created\",\"event_id\":\"e\",\"data\":{{\"echo\":\"{key}\"}}}}"
            );
            return Reply::Hold(stream(&format!("data: {event}\n\n")));
        }
        crate::scripted::answer("500 Oops", "", &format!("you sent {key}"))
    })
    .await;
    let mut source = source(&server.url);
    source.key = Some("sk_planted_secret".to_owned().into());
    let settings = Settings {
        secrets: source.key.iter().cloned().collect(),
        ..Settings::new(&file)
    };
    let mut watcher = Watcher::recording(source, Some(settings));
    watcher
        .until("an event", |history| !history.events.is_empty())
        .await;
    watcher.hose.close().await;
    let found = records(&file);
    assert!(
        found
            .iter()
            .any(|record| matches!(record.kind, ChangeKind::Event(_)))
    );
    let text = format!("{found:?}");
    assert!(!text.contains("planted"), "{text}");
    let raws = found.iter().filter_map(|record| record.raw.as_ref());
    for raw in raws {
        assert!(!String::from_utf8_lossy(raw).contains("planted"));
    }
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_makes_the_time_away_a_gap_of_unknown_length() {
    for left in ["not a journal", ""] {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(folder.path());
        let server = start(Options::default()).await;
        let source = || crate::client::intake::source_of(&server, &server.url());
        let mut first = Watcher::recording(source(), Some(Settings::new(&file)));
        first.until_live(1).await;
        first.hose.close().await;
        // What is left is no journal.
        std::fs::write(&file, left).unwrap();
        let mut second = Watcher::recording(source(), Some(Settings::new(&file)));
        let proof = second.until_live(1).await;
        assert!(proof.is_gap_unknown, "{proof:?}");
        let caveat = proof.caveat.clone().unwrap();
        assert!(caveat.contains("away is not known"), "{caveat}");
        assert!(proof.summary().contains("gap of unknown length"));
        assert!(second.history.journal.unread.is_some());
        second.hose.close().await;
        // It was proved, and the next time is known again.
        let mut third = Watcher::recording(source(), Some(Settings::new(&file)));
        let proof = third.until_live(2).await;
        assert!(proof.gap.is_some() && !proof.is_gap_unknown, "{proof:?}");
        third.hose.close().await;
        server.stop().await;
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_counts_once_however_often_it_is_polled() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let n_polls = Arc::new(AtomicUsize::new(0));
    let has_another = Arc::new(AtomicBool::new(false));
    let server = {
        let (n_polls, has_another) = (Arc::clone(&n_polls), Arc::clone(&has_another));
        Scripted::start(move |_, request| {
            if request.starts_with("get /tasks/active") {
                let n = n_polls.fetch_add(1, Ordering::SeqCst);
                let alike = "7,".repeat(200);
                let another = if has_another.load(Ordering::SeqCst) {
                    "8,"
                } else {
                    ""
                };
                // The last one has an id, and is another at each look.
                let changing = format!(r#"{{"id":"bad","n":{n}}}"#);
                let sign = task(&format!("poll {n}"), "queued", 1);
                json(&format!("[{alike}{another}{changing},{sign}]"))
            } else if request.starts_with("get /webhooks/messages") {
                json(r#"{"data":[{"n":1}],"done":true}"#)
            } else {
                nothing()
            }
        })
        .await
    };
    let counts = |history: &History| PARTS.map(|part| history.losses.unreadable(part));
    let n_polled = |history: &History, from: usize| {
        let is_seen = |n: &usize| state(history, &format!("poll {n}")).is_some();
        (from..n_polls.load(Ordering::SeqCst))
            .filter(is_seen)
            .count()
    };

    let mut first = Watcher::recording(source(&server.url), Some(Settings::new(&file)));
    first
        .until("three polls", |history| {
            n_polled(history, 0) >= 3 && history.losses.unreadable(Part::Deliveries) > 0
        })
        .await;
    assert_eq!(counts(&first.history), [201, 0, 1]);
    assert_eq!(first.history.unreadable.len(), 3);
    first.hose.close().await;
    // Nor is it written down at each poll.
    let recorded = |kind: &ChangeKind| matches!(kind, ChangeKind::Unreadable(_));
    let n_recorded = records(&file)
        .iter()
        .filter(|it| recorded(&it.kind))
        .count();
    assert_eq!(n_recorded, 3);

    // Each run counts what it met itself.
    let before = n_polls.load(Ordering::SeqCst);
    let mut second = Watcher::recording(source(&server.url), Some(Settings::new(&file)));
    second
        .until("three polls of the second run", |history| {
            history.journal.recording == Recording::On && n_polled(history, before) >= 3
        })
        .await;
    assert_eq!(counts(&second.history), [201, 0, 1]);
    has_another.store(true, Ordering::SeqCst);
    second
        .until("another row", |history| {
            history.losses.unreadable(Part::Tasks) != 201
        })
        .await;
    let before = n_polls.load(Ordering::SeqCst);
    second
        .until("two polls more", |history| n_polled(history, before) >= 2)
        .await;
    assert_eq!(counts(&second.history), [202, 0, 1]);
    second.hose.close().await;
}
