//! The intake against the embedded server: connecting without a hole, falling back, names.

use std::time::{Duration, Instant};

use reeltop::domain::{
    Ability, AttemptNumber, Change, EndpointId, Forecast, History, LinkState, MessageId, Proof,
    Repair, RepairedBy, TaskId, TaskState,
};
use reeltop::io::Clock;
use reeltop::io::config::Source;
use reeltop::io::intake::{self, Hose, Look};
use reeltop::io::journal;
use reeltop::io::ledger::Ledger;
use reeltop::server::{FeatureState, Options, Running};
use reqwest::Method;
use tokio::sync::mpsc;

use super::source;
use crate::scripted::Gate;
use crate::server::support::{
    PATIENCE, Receiver, attempts, call, create_endpoint, eventually, get, only_message, start,
};

pub struct Watcher {
    pub hose: Hose,
    pub changes: mpsc::Receiver<Vec<Change>>,
    pub history: History,
    last_seq: u64,
}

impl Watcher {
    pub fn open(source: Source) -> Self {
        Self::with_clock(source, Clock::new(), None)
    }

    pub fn recording(source: Source, journal: Option<journal::Settings>) -> Self {
        Self::with_clock(source, Clock::new(), journal)
    }

    pub fn with_clock(source: Source, clock: Clock, journal: Option<journal::Settings>) -> Self {
        Self::with_ledger(source, clock, journal, Ledger::in_memory())
    }

    pub fn with_ledger(
        source: Source,
        clock: Clock,
        journal: Option<journal::Settings>,
        ledger: Ledger,
    ) -> Self {
        let (hose, changes) = intake::open_recording(source, clock, journal, ledger);
        Self {
            hose,
            changes,
            history: History::default(),
            last_seq: 0,
        }
    }

    pub async fn until(&mut self, what: &str, holds: impl Fn(&History) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(&self.history) {
            let left = end.saturating_duration_since(Instant::now());
            let batch = tokio::time::timeout(left, self.changes.recv()).await;
            let Ok(batch) = batch else {
                panic!(
                    "{what} did not happen; link {:?}, proofs {:?}",
                    self.history.link, self.history.proofs
                )
            };
            for change in batch.unwrap() {
                self.last_seq += 1;
                assert_eq!(change.seq, self.last_seq, "numbers without holes");
                self.history.apply(change);
            }
        }
    }

    pub async fn until_live(&mut self, n_proofs: usize) -> Proof {
        self.until("live", |history| {
            history.link == LinkState::Live && history.proofs.len() == n_proofs
        })
        .await;
        self.history.proofs.back().cloned().unwrap()
    }
}

pub fn source_of(server: &Running, url: &str) -> Source {
    let mut quiet = source(url);
    quiet.key = Some(server.api_key().into());
    // The server pings only now and then.
    quiet.waits.stale = Duration::from_secs(20);
    quiet.waits.idle = Duration::from_secs(45);
    quiet
}

pub fn state(history: &History, task: &str) -> Option<TaskState> {
    history.tasks.get(&TaskId::new(task)).map(|row| row.state())
}

pub fn finish(server: &Running, task: &str) {
    assert!(
        server
            .backend()
            .set_feature(task, "proxy", FeatureState::Completed)
    );
}

#[tokio::test]
async fn the_first_connection_shows_what_is_there_and_then_what_happens() {
    let server = start(Options::default()).await;
    let task = server.backend().create_task("asset", &["proxy"]).unwrap();
    let mut watcher = Watcher::open(source_of(&server, &server.url()));
    let proof = watcher.until_live(1).await;
    assert_eq!(
        (proof.gap, proof.compared, proof.repaired.len()),
        (None, Some(1), 0)
    );
    assert_eq!(proof.caveat, None);
    assert_eq!(state(&watcher.history, &task), Some(TaskState::Queued));
    finish(&server, &task);
    watcher
        .until("the end", |history| {
            state(history, &task) == Some(TaskState::Completed)
        })
        .await;
    watcher
        .until("abilities", |history| {
            history.abilities.resend.is_offered()
                && history.abilities.endpoint_list.is_offered()
                && history.abilities.stream == Ability::Offered("published: /events".to_owned())
                && history.abilities.retry_schedule.is_some()
        })
        .await;
    watcher.hose.close().await;
    server.stop().await;
}

/// States are repaired all the same; that events of the gap are missing is said.
#[tokio::test]
async fn a_ring_that_is_too_short_for_the_gap_is_said() {
    let server = start(Options {
        ring_size: 2,
        ..Options::default()
    })
    .await;
    let receiver = Receiver::always(204).await;
    create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let task = server.backend().create_task("asset", &["proxy"]).unwrap();
    let gate = Gate::start(&server.url()).await;
    let mut watcher = Watcher::open(source_of(&server, &gate.url));
    watcher.until_live(1).await;
    // The id to resume from is that of an event that came by the stream.
    let seen = server.backend().create_task("seen", &["proxy"]).unwrap();
    watcher
        .until("an event", |history| state(history, &seen).is_some())
        .await;

    gate.shut();
    watcher
        .until("the loss", |history| {
            matches!(history.link, LinkState::Retrying { .. })
        })
        .await;
    for asset in ["a", "b", "c"] {
        server.backend().create_task(asset, &["proxy"]).unwrap();
    }
    finish(&server, &task);
    gate.open();

    let proof = watcher.until_live(2).await;
    let caveat = proof.caveat.unwrap_or_default();
    assert!(caveat.contains("no longer had all events"), "{caveat}");
    assert_eq!(state(&watcher.history, &task), Some(TaskState::Completed));
    watcher.hose.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_gap_is_repaired_and_what_began_and_ended_in_it_is_found() {
    let server = start(Options::default()).await;
    let receiver = Receiver::always(204).await;
    create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let before = server.backend().create_task("before", &["proxy"]).unwrap();
    let untouched = server
        .backend()
        .create_task("untouched", &["proxy"])
        .unwrap();
    let gate = Gate::start(&server.url()).await;
    let mut watcher = Watcher::open(source_of(&server, &gate.url));
    watcher.until_live(1).await;

    gate.shut();
    watcher
        .until("the loss", |history| {
            matches!(history.link, LinkState::Retrying { .. })
        })
        .await;
    finish(&server, &before);
    let within = server.backend().create_task("within", &["proxy"]).unwrap();
    finish(&server, &within);
    gate.open();

    let proof = watcher.until_live(2).await;
    assert!(proof.gap.is_some());
    let repair = Repair {
        task: TaskId::new(&before),
        before: Some(TaskState::Queued),
        after: Some(TaskState::Completed),
        how: RepairedBy::Reading,
    };
    assert_eq!(proof.repaired, [repair]);
    assert_eq!(proof.found, 1);
    assert_eq!(proof.caveat, None, "{proof:?}");
    assert!(
        proof.words().contains("1 repaired · 1 found in the log"),
        "{}",
        proof.words()
    );
    assert_eq!(state(&watcher.history, &before), Some(TaskState::Completed));
    assert_eq!(state(&watcher.history, &within), Some(TaskState::Completed));
    assert_eq!(state(&watcher.history, &untouched), Some(TaskState::Queued));
    watcher.hose.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_gap_without_a_log_says_what_cannot_be_known() {
    let server = start(Options::default()).await;
    let gate = Gate::start(&server.url()).await;
    let mut watcher = Watcher::open(source_of(&server, &gate.url));
    watcher.until_live(1).await;
    gate.shut();
    watcher
        .until("the loss", |history| {
            matches!(history.link, LinkState::Retrying { .. })
        })
        .await;
    gate.open();
    let proof = watcher.until_live(2).await;
    assert!(
        proof
            .caveat
            .unwrap()
            .contains("tasks that began and ended in the gap cannot be seen")
    );
    watcher.hose.close().await;
    server.stop().await;
}

#[tokio::test]
async fn without_a_stream_the_active_tasks_are_polled_and_the_stream_is_tried_again() {
    let server = start(Options::default()).await;
    let task = server.backend().create_task("asset", &["proxy"]).unwrap();
    let mut source = source_of(&server, &server.url());
    source.events_path = Some("/nowhere".to_owned());
    let mut watcher = Watcher::open(source);
    watcher
        .until("the stop", |history| {
            matches!(history.link, LinkState::Stopped { .. })
        })
        .await;
    watcher
        .until("the task", |history| {
            state(history, &task) == Some(TaskState::Queued)
        })
        .await;
    finish(&server, &task);
    watcher
        .until("its end", |history| {
            state(history, &task) == Some(TaskState::Completed)
        })
        .await;
    assert!(matches!(
        watcher.history.abilities.stream,
        Ability::Absent(_)
    ));
    watcher.hose.close().await;
    server.stop().await;
}

#[tokio::test]
async fn deliveries_names_and_single_looks_arrive() {
    let server = start(Options {
        tasks_per_minute: 600.0,
        time_scale: 100.0,
        ..Options::default()
    })
    .await;
    let receiver = Receiver::always(500).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let mut watcher = Watcher::open(source_of(&server, &server.url()));
    watcher
        .until("a name, a failing message and its endpoint", |history| {
            let named = history.tasks.columns();
            let has_name = (0..history.tasks.places())
                .filter_map(|at| history.tasks.row(at as u32))
                .any(|row| history.asset_name(&row.asset()).is_some());
            let _ = named;
            has_name
                && history.deliveries.failing() > 0
                && history
                    .endpoints
                    .keys()
                    .any(|id| id.to_string() == endpoint.id)
        })
        .await;
    watcher.hose.look(Look::Task(TaskId::new("no-such-task")));
    let polls = watcher.history.counters.polls;
    watcher
        .until("counters", |history| {
            history.counters.polls > polls && history.counters.frames > 0
        })
        .await;
    watcher.hose.refresh();
    watcher.hose.reconnect();
    let closing = Instant::now();
    watcher.hose.close().await;
    assert!(closing.elapsed() < Duration::from_secs(1));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_beyond_what_was_read_of_a_log_have_no_numbers_until_the_rest_is() {
    // Automatic retries are hours away.
    let server = start(Options {
        time_scale: 0.001,
        ..Options::default()
    })
    .await;
    let receiver = Receiver::always(500).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    server.backend().create_task("first", &["proxy"]).unwrap();
    let first = only_message(&server).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let of_first = format!("message_id={first}");
    attempts(&server, &of_first, 1).await;
    for _ in 0..260 {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    let path = format!(
        "/webhooks/delivery-attempts?endpoint_id={}&limit=250",
        endpoint.id
    );
    eventually("the others' attempts", || async {
        let page = get(&server, &path).await;
        let rows = page["data"].as_array().unwrap();
        let is_of_first = |row: &serde_json::Value| row["message_id"] == *first;
        (rows.len() == 250 && !rows.iter().any(is_of_first)).then_some(())
    })
    .await;
    // Its second is the newest of all, and its first is beyond the newest 250.
    let path = format!("/webhooks/messages/{first}/resend");
    let body = serde_json::json!({"endpoint_id": endpoint.id});
    let (status, body) = call(&server, Method::POST, &path, Some(body)).await;
    assert!(status < 300, "{status} {body}");
    attempts(&server, &of_first, 2).await;
    let (message, endpoint) = (MessageId::new(&first), EndpointId::new(&endpoint.id));
    let mut watcher = Watcher::open(Source::new(&server.url(), server.api_key()));
    let is_partial = |history: &History| {
        let held = history.deliveries.get(&message);
        held.is_some_and(|held| history.deliveries.is_partial(held, &endpoint))
    };
    watcher.until("it is known in part", is_partial).await;
    let held = watcher.history.deliveries.get(&message).unwrap();
    let newest = held.attempts().last().unwrap().id.clone();
    let number = watcher.history.number_of(held, &newest);
    assert_eq!(number, Some(AttemptNumber::Manual));
    assert_eq!(watcher.history.forecast(held, &endpoint), Forecast::Unread);

    assert!(watcher.history.attempts_unread_before().is_some());

    // It is one of the messages that are shown, so that the log is read on by itself.
    watcher
        .until("it was read wholly", |history| {
            !is_partial(history) && history.attempts_unread_before().is_none()
        })
        .await;
    let held = watcher.history.deliveries.get(&message).unwrap();
    let oldest = &held.attempts_at(&endpoint)[0].id;
    let number = watcher.history.number_of(held, oldest);
    assert_eq!(number, Some(AttemptNumber::Automatic(1)));
    assert!(matches!(
        watcher.history.forecast(held, &endpoint),
        Forecast::Uncertain { .. } | Forecast::Next { .. }
    ));
    watcher.hose.close().await;
    server.stop().await;
}
