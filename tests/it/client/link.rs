//! The link's truth: the stream found wherever it is, polls where there is none, repairs of what a
//! list or the stream left out, and clocks that jump.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use reeltop::domain::{
    Ability, EventEntry, EventType, History, LinkState, Origin, TaskId, TaskState,
};
use reeltop::io::Clock;
use reeltop::io::config::Source;

use super::intake::Watcher;
use super::source;
use crate::scripted::{Reply, Scripted, answer, stream};

pub fn json(body: &str) -> Reply {
    answer("200 OK", "content-type: application/json\r\n", body)
}

pub fn task(id: &str, state: &str, second: u8) -> String {
    format!(
        r#"{{"id":"{id}","asset_id":"a","features":{{"proxy":{{"state":"{state}"}}}},"user_id":"u","created":"2026-01-01T00:00:00Z","updated":"2026-01-01T00:00:{second:02}Z"}}"#
    )
}

pub fn envelope(id: &str, task: &str, second: u8) -> String {
    format!(
        r#"{{"timestamp":"2026-01-01T00:00:{second:02}Z","user_id":"u","event_id":"{id}","event_type":"task.progress","data":{{"task":{task}}}}}"#
    )
}

pub fn nothing() -> Reply {
    answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
}

pub fn path_of(request: &str) -> &str {
    request.split(' ').nth(1).unwrap_or_default()
}

/// Patient with a stream that says nothing.
pub fn quiet(url: &str) -> Source {
    let mut source = source(url);
    source.waits.stale = std::time::Duration::from_secs(20);
    source.waits.idle = std::time::Duration::from_secs(45);
    source
}

pub fn events(history: &History) -> impl Iterator<Item = &EventEntry> {
    let events = &history.events;
    (events.first_position()..events.next_position()).filter_map(|at| events.get(at))
}

pub fn state(history: &History, id: &str) -> Option<TaskState> {
    history.tasks.get(&TaskId::new(id)).map(|row| row.state())
}

#[tokio::test]
async fn every_place_of_a_stream_is_found_and_it_is_said_how() {
    let places = [
        "/events",
        "/events/stream",
        "/sse",
        "/events/sse",
        "/sse/events",
        "/stream",
        "/tasks/events",
        "/tasks/stream",
        "/webhooks/events",
        "/users/me/events",
    ];
    for (at, place) in places.into_iter().enumerate() {
        let server = Scripted::start(move |_, request| match path_of(request) {
            path if path == place => Reply::Hold(stream(": hello\n\n")),
            "/tasks/active" => json("[]"),
            // What looks like a stream at first sight, and what a route with an id answers.
            "/events" => answer("200 OK", "content-type: text/html\r\n", "<html>"),
            "/tasks/events" => answer("422 x", "", r#"{"detail":"no id"}"#),
            _ => nothing(),
        })
        .await;
        let mut watcher = Watcher::open(quiet(&server.url));
        watcher
            .until(place, |history| history.link == LinkState::Live)
            .await;
        let how = if at == 0 {
            "guessed"
        } else {
            "found by probing"
        };
        let said = Ability::Offered(format!("{how}: {place}"));
        assert_eq!(watcher.history.abilities.stream, said);
        let asked: Vec<String> = (server.requests().iter())
            .map(|request| path_of(request).to_owned())
            .filter(|path| places.contains(&path.as_str()))
            .collect();
        let mut expected: Vec<&str> = places[..=at].to_vec();
        if at > 0 {
            // Found by its head, then opened.
            expected.push(place);
        }
        assert_eq!(asked, expected, "{place}");
        watcher.hose.close().await;
    }
}

#[tokio::test]
async fn a_published_path_goes_before_the_list_and_401_ends_the_search() {
    let server = Scripted::start(|_, request| match path_of(request) {
        "/openapi.json" => json(
            r#"{"paths":{"/log/events":{"get":{}},"/x/live":{"get":{"responses":{"200":{"content":{"text/event-stream":{}}}}}}}}"#,
        ),
        "/log/events" => Reply::Hold(stream(": hello\n\n")),
        "/tasks/active" => json("[]"),
        _ => nothing(),
    })
    .await;
    let mut watcher = Watcher::open(quiet(&server.url));
    watcher
        .until("live", |history| history.link == LinkState::Live)
        .await;
    assert_eq!(
        watcher.history.abilities.stream,
        Ability::Offered("found by probing: /log/events".to_owned())
    );
    watcher.hose.close().await;

    let server = Scripted::start(|_, request| match path_of(request) {
        "/tasks/active" => json("[]"),
        "/sse" => answer("401 Unauthorized", "", ""),
        _ => nothing(),
    })
    .await;
    let mut watcher = Watcher::open(quiet(&server.url));
    watcher
        .until("the refusal", |history| {
            matches!(&history.abilities.stream, Ability::Absent(why) if why.contains("401"))
        })
        .await;
    let asked = server.requests();
    assert!(
        !asked
            .iter()
            .any(|request| path_of(request) == "/events/sse"),
        "asked on after 401"
    );
    watcher.hose.close().await;
}

#[tokio::test]
async fn a_configured_path_is_not_replaced_by_another() {
    let server = Scripted::start(|_, request| match path_of(request) {
        "/sse" => Reply::Hold(stream(": hello\n\n")),
        "/tasks/active" => json("[]"),
        _ => nothing(),
    })
    .await;
    let mut source = quiet(&server.url);
    source.events_path = Some("/mine".to_owned());
    let mut watcher = Watcher::open(source);
    watcher
        .until("polling", |history| {
            matches!(history.link, LinkState::Polling { .. }) && history.counters.polls > 5
        })
        .await;
    assert!(!(server.requests().iter()).any(|request| path_of(request) == "/sse"));
    watcher.hose.close().await;
}

#[tokio::test]
async fn without_a_stream_differences_become_events_marked_as_ours_and_the_state_keeps_its_since() {
    let round = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&round);
    let server = Scripted::start(move |_, request| match path_of(request) {
        "/tasks/active" => {
            let rows = match seen.load(Ordering::SeqCst) {
                0 => vec![task("a", "queued", 1), task("old", "failed", 1)],
                1 => vec![
                    task("a", "processing", 2),
                    task("b", "queued", 2),
                    task("old", "failed", 1),
                ],
                _ => vec![task("b", "failed", 3)],
            };
            json(&format!("[{}]", rows.join(",")))
        }
        "/tasks/a" => json(&task("a", "completed", 3)),
        _ => nothing(),
    })
    .await;
    let mut watcher = Watcher::open(quiet(&server.url));
    let polling = |history: &History| matches!(history.link, LinkState::Polling { .. });
    watcher
        .until("polling", |history| {
            polling(history) && history.tasks.len() == 2
        })
        .await;
    assert_eq!(
        watcher.history.events.n_events(),
        0,
        "what was there is no event"
    );
    let since = watcher.history.link_since;
    round.store(1, Ordering::SeqCst);
    watcher
        .until("progress", |history| history.events.n_events() == 2)
        .await;
    round.store(2, Ordering::SeqCst);
    watcher
        .until("ends", |history| history.events.n_events() == 4)
        .await;
    // Tried in the background meanwhile, in vain, and polled a few times more: nothing is said twice.
    let polls = watcher.history.counters.polls;
    watcher
        .until("more polls", |history| history.counters.polls > polls + 8)
        .await;
    let mut told: Vec<(EventType, String)> = events(&watcher.history)
        .inspect(|entry| {
            assert_eq!(entry.origin, Origin::Inference);
            assert!(entry.id.to_string().starts_with("made-by-reeltop:"));
        })
        .filter_map(|entry| Some((entry.kind.clone(), entry.task.as_ref()?.task.to_string())))
        .collect();
    told.sort();
    let expected = [
        (EventType::TaskProgress, "a"),
        (EventType::TaskProgress, "b"),
        (EventType::TaskCompleted, "a"),
        (EventType::TaskFailed, "b"),
    ];
    assert_eq!(told, expected.map(|(kind, task)| (kind, task.to_owned())));
    assert_eq!(watcher.history.events.inferred(), 4);
    assert_eq!(watcher.history.counters.frames, 0, "the stream gave none");
    assert_eq!(watcher.history.last_event, None);
    assert!(polling(&watcher.history));
    assert_eq!(watcher.history.link_since, since, "still the same state");
    let asked = server.requests();
    let tries = asked.iter().filter(|request| path_of(request) == "/events");
    assert!(tries.count() > 1, "the stream was tried again");
    watcher.hose.close().await;
}

#[tokio::test]
async fn a_vanished_task_that_cannot_be_read_is_asked_for_until_it_can() {
    let step = Arc::new(AtomicUsize::new(0));
    let at = Arc::clone(&step);
    let server = Scripted::start(move |_, request| match path_of(request) {
        "/events" if at.load(Ordering::SeqCst) == 0 => {
            let frame = format!(
                "id: 1\ndata: {}\n\n",
                envelope("e1", &task("a", "processing", 1), 1)
            );
            Reply::Hold(stream(&frame))
        }
        "/events" => Reply::Hold(stream(": back\n\n")),
        "/tasks/active" if at.load(Ordering::SeqCst) == 0 => {
            json(&format!("[{}]", task("a", "processing", 1)))
        }
        "/tasks/active" => json("[]"),
        "/tasks/a" if at.load(Ordering::SeqCst) < 2 => answer("500 x", "", "{}"),
        "/tasks/a" => json(&task("a", "completed", 2)),
        _ => nothing(),
    })
    .await;
    let mut source = quiet(&server.url);
    source.waits.idle = std::time::Duration::from_millis(300);
    let mut watcher = Watcher::open(source);
    watcher
        .until("live", |history| {
            history.link == LinkState::Live && history.events.n_events() == 1
        })
        .await;
    step.store(1, Ordering::SeqCst);
    watcher
        .until("a proof in part", |history| {
            let last = history.proofs.back();
            let caveat = last.and_then(|proof| proof.caveat.as_deref());
            caveat.is_some_and(|caveat| caveat.contains("1 vanished tasks could not be read"))
        })
        .await;
    assert_eq!(state(&watcher.history, "a"), Some(TaskState::Processing));
    step.store(2, Ordering::SeqCst);
    watcher
        .until("the truth", |history| {
            state(history, "a") == Some(TaskState::Completed)
        })
        .await;
    watcher.hose.close().await;
}

#[tokio::test]
async fn events_of_the_gap_that_come_after_all_are_counted_once() {
    let is_down = Arc::new(AtomicBool::new(false));
    let down = Arc::clone(&is_down);
    let opened = AtomicUsize::new(0);
    let server = Scripted::start(move |_, request| match path_of(request) {
        "/events" if down.load(Ordering::SeqCst) => answer("503 x", "", ""),
        "/events" if opened.fetch_add(1, Ordering::SeqCst) == 0 => {
            let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            let first = envelope("e1", &task("a", "queued", 1), 1).replacen(
                "2026-01-01T00:00:01Z",
                &now,
                1,
            );
            Reply::Close(stream(&format!("id: e1\ndata: {first}\n\n")))
        }
        "/events" => {
            assert!(request.contains("last-event-id: e1\r\n"));
            let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            let mut frames = String::new();
            for (id, at) in [
                ("e0", "2020-01-01T00:00:00Z"),
                ("e2", &now),
                ("e3", &now),
                ("e3", &now),
            ] {
                let data = envelope(id, &task("a", "processing", 2), 1).replacen(
                    "2026-01-01T00:00:01Z",
                    at,
                    1,
                );
                let _ = write!(frames, "id: {id}\ndata: {data}\n\n");
            }
            Reply::Hold(stream(&frames))
        }
        "/tasks/active" => json(&format!("[{}]", task("a", "processing", 2))),
        _ => nothing(),
    })
    .await;
    let mut watcher = Watcher::open(quiet(&server.url));
    watcher
        .until("the gap's proof", |history| {
            let last = history.proofs.back();
            last.is_some_and(|proof| proof.gap.is_some()) && history.link == LinkState::Live
        })
        .await;
    is_down.store(true, Ordering::SeqCst);
    let proof = watcher.history.proofs.back().unwrap();
    assert_eq!((proof.held, proof.backfilled), (4, 2), "{proof:?}");
    watcher.hose.close().await;
}

#[tokio::test]
async fn a_clock_that_jumps_is_a_gap_which_is_caught_up() {
    static SHIFT: AtomicI64 = AtomicI64::new(0);
    const HOUR: i64 = 3_600_000_000;
    let server = Scripted::start(|_, request| match path_of(request) {
        "/events" => Reply::Hold(stream("id: 7\ndata: {\"type\":\"ping\"}\n\n")),
        "/tasks/active" => json("[]"),
        _ => nothing(),
    })
    .await;
    let mut watcher = Watcher::with_clock(quiet(&server.url), Clock::shifted_by(&SHIFT), None);
    watcher
        .until("live", |history| history.link == LinkState::Live)
        .await;
    for (n_proofs, shift) in [(2, HOUR), (3, -HOUR)] {
        SHIFT.store(shift, Ordering::SeqCst);
        watcher
            .until("the jump", |history| {
                matches!(&history.link, LinkState::Retrying { why, .. } if why.what.contains("clock jumped"))
            })
            .await;
        watcher
            .until("the proof", |history| {
                history.proofs.len() == n_proofs && history.link == LinkState::Live
            })
            .await;
        let (from, to) = watcher.history.proofs.back().unwrap().gap.unwrap();
        let lasted = to.since(from);
        if shift > 0 {
            assert!(lasted >= HOUR, "the sleep is in the gap: {lasted}");
        } else {
            assert!((0..HOUR).contains(&lasted), "set back: {lasted}");
        }
    }
    let resumed = server.requests();
    let resumed = resumed
        .iter()
        .filter(|request| request.contains("last-event-id: 7\r\n"));
    assert_eq!(resumed.count(), 2);
    watcher.hose.close().await;
}

#[tokio::test]
async fn a_null_instead_of_the_active_tasks_is_doubted() {
    let server = Scripted::start(|_, request| match path_of(request) {
        "/events" => Reply::Hold(stream(": hello\n\n")),
        "/tasks/active" => json("null"),
        _ => nothing(),
    })
    .await;
    let mut watcher = Watcher::open(quiet(&server.url));
    watcher
        .until("a proof", |history| history.proofs.len() == 1)
        .await;
    let caveat = watcher.history.proofs.back().unwrap().caveat.clone();
    assert!(caveat.unwrap().contains("was null"));
    watcher.hose.close().await;
}
