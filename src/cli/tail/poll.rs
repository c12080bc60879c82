//! `tail --poll`: for servers without a stream, differences between two looks at the active tasks
//! become events, marked `"source":"poll"` (aspect-api.md part 6).

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::super::output::{Outcome, Stop, note};
use super::print::Printer;
use crate::domain::{
    Event, EventId, EventType, Failure, FailureKind, Observation, TaskId, TaskState, Time,
};
use crate::io::client::Client;
use crate::io::clock::Clock;
use crate::wire::rest::Row;

/// Unfinished and lately failed tasks that are remembered.
const MAX_TASKS: usize = 100_000;

/// Polls until the limit is reached or the output closes. The first look is the ground that later
/// ones are compared with.
pub async fn run(client: &Client, printer: &mut Printer) -> Outcome {
    let clock = Clock::new();
    let wait = client.http.waits.poll.max(Duration::from_millis(20));
    let mut held: Option<HashMap<TaskId, Observation>> = None;
    let mut n_failures = 0;
    loop {
        match look(client, held.as_ref()).await {
            Ok((now, events)) => {
                n_failures = 0;
                held = Some(now);
                for (kind, row) in events {
                    print(printer, kind, &row, clock.now().wall)?;
                }
            }
            Err(failure) if is_final(&failure) => return Err(failure.into()),
            Err(failure) => {
                n_failures += 1;
                note(&failure.what);
            }
        }
        printer.flush()?;
        if printer.check()? {
            return Ok(0);
        }
        sleep(wait * 2u32.pow(std::cmp::min(n_failures, 4))).await;
    }
}

fn is_final(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::Unauthorized
            | FailureKind::Forbidden
            | FailureKind::NotOffered
            | FailureKind::NotAspect
    )
}

type Looked = (
    HashMap<TaskId, Observation>,
    Vec<(EventType, Row<Observation>)>,
);

async fn look(
    client: &Client,
    held: Option<&HashMap<TaskId, Observation>>,
) -> Result<Looked, Failure> {
    let page = client.active_tasks().await?;
    let mut now = HashMap::new();
    let mut events = Vec::new();
    for row in page.rows.into_iter().take(MAX_TASKS) {
        let before = held.and_then(|held| held.get(&row.value.task));
        let is_new = before.is_none_or(|before| before.features != row.value.features);
        now.insert(row.value.task.clone(), row.value.clone());
        if held.is_some() && is_new {
            events.push((kind(before, &row.value), row));
        }
    }
    for before in held.iter().flat_map(|held| held.values()) {
        // A failed task was already said to have failed; it left the list by its age.
        if now.contains_key(&before.task) || before.is_done() {
            continue;
        }
        match client.task(&before.task).await {
            Ok(row) => events.push((kind(Some(before), &row.value), row)),
            Err(failure) if failure.kind == FailureKind::NotFound => {}
            Err(_) => {
                // Looked at again next time.
                now.insert(before.task.clone(), before.clone());
            }
        }
    }
    Ok((now, events))
}

fn kind(before: Option<&Observation>, now: &Observation) -> EventType {
    let had_failed = before.is_some_and(|before| before.state() == TaskState::Failed);
    match now.state() {
        TaskState::Failed if !had_failed => EventType::TaskFailed,
        TaskState::Completed => EventType::TaskCompleted,
        _ => EventType::TaskProgress,
    }
}

fn print(
    printer: &mut Printer,
    kind: EventType,
    row: &Row<Observation>,
    at: Time,
) -> Result<(), Stop> {
    let envelope = json!({
        "timestamp": at.rfc3339(),
        "user_id": row.value.user.to_string(),
        "event_id": Value::Null,
        "event_type": kind.name(),
        "data": {"task": row.raw},
        "source": "poll",
    });
    let event = Event {
        id: EventId::new(""),
        kind,
        published: Some(at),
        user: Some(row.value.user.clone()),
        task: Some(row.value.clone()),
        asset_name: None,
    };
    printer.polled(&event, &envelope)
}
