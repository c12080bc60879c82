//! One round: a server, its world, the real client, and the verdict.

use std::collections::HashSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

use reeltop::domain::{Change, History, LinkState, Observation, Part, TaskId};
use reeltop::io::Clock;
use reeltop::io::config::Source;
use reeltop::io::intake::{self, Hose};
use reeltop::server::chaos::{Choice, Fault, FaultSet};
use reeltop::server::{self, Options, Running};
use reqwest::Method;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::schedule::Schedule;
use super::world::{World, truth};
use crate::server::support::call;

/// Events in the server's ring.
const RING: usize = 8;
/// After the faults, the client has this long.
const PATIENCE: Duration = Duration::from_secs(15);
/// … and what it then holds must stay so for this long.
const STAYS: Duration = Duration::from_millis(150);
/// The most connections to the stream that the configured waits allow in a second: twelve within
/// the span of health, and as many at once.
const MOST_CONNECTIONS: f64 = 60.0;
/// The most requests in a second; a loop without waits makes thousands.
const MOST_REQUESTS: f64 = 600.0;

/// How a round went.
#[derive(Debug)]
pub struct Report {
    /// From the end of the faults until the client knew.
    pub took: Duration,
    pub requests_a_second: f64,
    pub connections_a_second: f64,
    pub n_tasks: usize,
    /// Tasks that the client never saw, and said so.
    pub n_unseen: usize,
}

/// Short waits, small bounds.
fn source(server: &Running) -> Source {
    let mut source = Source::new(&server.url(), server.api_key());
    let millis = Duration::from_millis;
    let waits = &mut source.waits;
    waits.connect = millis(1000);
    waits.answer = millis(1000);
    waits.floor = millis(10);
    waits.ceiling = millis(60);
    waits.max_retry = millis(40);
    waits.max_retry_after = millis(200);
    waits.health = millis(300);
    waits.stale = millis(150);
    waits.idle = millis(400);
    waits.stopped = millis(150);
    waits.poll = millis(80);
    waits.poll_quick = millis(50);
    let limits = &mut source.limits;
    limits.event_bytes = 512 << 10;
    limits.tasks = 1000;
    limits.events = 64;
    limits.event_ids = 128;
    limits.messages = 64;
    source
}

struct Client {
    hose: Hose,
    changes: mpsc::Receiver<Vec<Change>>,
    history: History,
    last_seq: u64,
}

impl Client {
    fn open(source: Source) -> Self {
        let history = History::new(source.limits.bounds());
        let (hose, changes) = intake::open(source, Clock::new());
        Self {
            hose,
            changes,
            history,
            last_seq: 0,
        }
    }

    /// Takes in what comes until then.
    async fn read_until(&mut self, then: Instant) -> Result<(), String> {
        loop {
            let left = then.saturating_duration_since(Instant::now());
            let batch = match timeout(left, self.changes.recv()).await {
                Err(_) => return Ok(()),
                Ok(None) => return Err("the client ended, as by a panic".to_owned()),
                Ok(Some(batch)) => batch,
            };
            for change in batch {
                self.last_seq += 1;
                if change.seq != self.last_seq {
                    return Err(format!("change {} after {}", change.seq, self.last_seq - 1));
                }
                self.history.apply(change);
            }
        }
    }
}

fn switch(server: &Running, schedule: &Schedule, faults: &[Fault]) {
    let no_logs = (!schedule.has_logs).then_some(Fault::NoLogs);
    let all = faults.iter().chain(&schedule.always).chain(&no_logs);
    let set: FaultSet = all.copied().collect();
    server.chaos().switch(Choice::These(set));
}

/// Runs a schedule; an error says what went wrong.
pub async fn run(schedule: &Schedule) -> Result<Report, String> {
    let server = server::start(Options {
        seed: schedule.seed,
        ring_size: RING,
        reader_queue: 64,
        ping_every: Duration::from_millis(50),
        ..Options::default()
    })
    .await
    .unwrap();
    // From the first endpoint on there is a log; this one is sent nothing.
    let endpoint =
        json!({"url": "http://127.0.0.1:9/", "event_types": ["task.*"], "disabled": true});
    let created = call(&server, Method::POST, "/webhooks/endpoints", Some(endpoint)).await;
    assert_eq!(created.0, 201);
    let begun = Instant::now();
    let before = server.chaos().read_figures();
    let first = schedule.steps.first().map_or(&[][..], |step| &step.faults);
    switch(&server, schedule, first);
    let mut client = Client::open(source(&server));
    // What came and went before the client was there is not its business.
    while client.history.link == LinkState::Connecting {
        client
            .read_until(Instant::now() + Duration::from_millis(2))
            .await?;
    }
    let world = World::start(server.backend().clone(), schedule.seed);
    for step in &schedule.steps {
        switch(&server, schedule, &step.faults);
        let then = Instant::now() + Duration::from_millis(step.lasts_ms);
        client.read_until(then).await?;
    }
    let ids = if schedule.goes_on_after {
        switch(&server, schedule, &[]);
        let then = Instant::now() + Duration::from_millis(60);
        client.read_until(then).await?;
        world.stop().await
    } else {
        let ids = world.stop().await;
        switch(&server, schedule, &[]);
        ids
    };
    let stopped = Instant::now();
    let truth = truth(server.backend(), &ids);
    let took = converge(&mut client, &truth, schedule, stopped).await?;
    let after = server.chaos().read_figures();
    let seconds = begun.elapsed().as_secs_f64();
    let report = Report {
        took,
        requests_a_second: (after.requests - before.requests) as f64 / seconds,
        connections_a_second: (after.stream_requests - before.stream_requests) as f64 / seconds,
        n_tasks: truth.len(),
        n_unseen: unseen(&client.history, &truth),
    };
    bounded(&client.history, &report)?;
    client.hose.close().await;
    server.stop().await;
    Ok(report)
}

async fn converge(
    client: &mut Client,
    truth: &[Observation],
    schedule: &Schedule,
    stopped: Instant,
) -> Result<Duration, String> {
    let mut since = None;
    loop {
        let wrong = differences(&client.history, truth, schedule.is_traceless());
        let now = Instant::now();
        if wrong.is_empty() {
            let first = *since.get_or_insert(now);
            if now.duration_since(first) >= STAYS {
                return Ok(first.duration_since(stopped));
            }
        } else if stopped.elapsed() > PATIENCE {
            let history = &client.history;
            let mut told = format!("never converged; link {:?}", history.link);
            for proof in history.proofs.iter().rev().take(4) {
                let _ = write!(told, "\n  proof: {}", proof.words());
            }
            for line in wrong.iter().take(8) {
                let _ = write!(told, "\n  {line}");
            }
            return Err(told);
        } else {
            since = None;
        }
        client.read_until(now + Duration::from_millis(20)).await?;
    }
}

/// In what the client does not know what the server does, or has not said that it cannot.
fn differences(history: &History, truth: &[Observation], is_traceless: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let is_live = matches!(history.link, LinkState::Live | LinkState::Stale { .. });
    if !is_live {
        wrong.push(format!("the link is {}", history.link.name()));
    }
    for task in truth {
        match history.tasks.get(&task.task) {
            None if !task.is_done() => wrong.push(format!("{} is not known", task.task)),
            Some(row) if row.is_gone() => wrong.push(format!("{} is said to be gone", task.task)),
            Some(row) if row.features() != task.features => wrong.push(format!(
                "{} is held as {:?} and is {:?}, updated {:?} and {:?}, by {:?}",
                task.task,
                row.state(),
                task.state(),
                row.updated(),
                task.updated,
                row.origin(),
            )),
            // One that came and went unseen is asked for below.
            None | Some(_) => {}
        }
    }
    let known: HashSet<&TaskId> = truth.iter().map(|task| &task.task).collect();
    let rows = (0..history.tasks.places()).filter_map(|at| history.tasks.row(at as u32));
    for row in rows.filter(|row| !row.is_gone()) {
        if !known.contains(&row.id()) {
            wrong.push(format!("{} is no task, {:?}", row.id(), row.state()));
        }
    }
    let n_unseen = unseen(history, truth);
    let is_said = history.losses.unreadable(Part::Events) > 0
        || history
            .proofs
            .iter()
            .any(|proof| is_doubt(proof.caveat.as_deref()));
    if n_unseen > 0 && !is_said && !is_traceless {
        wrong.push(format!(
            "{n_unseen} tasks were never seen, and nothing is said"
        ));
    }
    wrong
}

/// Whether a comparison says that there may be tasks that it cannot see.
fn is_doubt(caveat: Option<&str>) -> bool {
    let doubts = [
        "cannot be seen",
        "nothing was compared",
        "passed over",
        "may be missing",
    ];
    caveat.is_some_and(|caveat| doubts.iter().any(|doubt| caveat.contains(doubt)))
}

/// Finished tasks that the client does not know.
fn unseen(history: &History, truth: &[Observation]) -> usize {
    truth
        .iter()
        .filter(|task| task.is_done() && history.tasks.get(&task.task).is_none())
        .count()
}

/// No hot loop, and no more in memory than the bounds say.
fn bounded(history: &History, report: &Report) -> Result<(), String> {
    if report.requests_a_second > MOST_REQUESTS || report.connections_a_second > MOST_CONNECTIONS {
        return Err(format!("a hot loop: {report:?}"));
    }
    let sizes = [
        ("events", history.events.len(), 64),
        ("tasks", history.tasks.len(), 1000),
        ("messages", history.deliveries.len(), 64),
        ("unreadable", history.unreadable.len(), 200),
        ("proofs", history.proofs.len(), 50),
    ];
    match sizes.iter().find(|(_, size, most)| size > most) {
        Some(beyond) => Err(format!("beyond its bound: {beyond:?}")),
        None => Ok(()),
    }
}
