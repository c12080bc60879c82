//! The newer messages of the tasks that are planned for: an endpoint that took one of them knows all
//! that an older one tells, so that the plan must know of them, whether they are asked for or not.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt};

use super::select::{Since, read};
use super::{READS, change};
use crate::cli::output::{Stop, note};
use crate::cli::reading::End;
use crate::domain::{ChangeKind, History, MessageId, TaskId, Time};
use crate::io::attempts::Attempts;
use crate::io::client::Client;
use crate::io::clock::Clock;
use crate::wire::rest::{Logged, STUCK};

/// Messages whose attempts are read for that, at most; the newest first.
pub(super) const MOST: usize = 2000;

/// Reads them with their attempts. What cannot be read is said: the plan does not know it.
pub(super) async fn told(
    client: &Client,
    history: &mut History,
    ids: &[String],
    clock: Clock,
) -> Result<(), Stop> {
    let tasks = oldest_of_tasks(history, ids);
    let Some(oldest) = tasks.values().min().copied() else {
        return Ok(());
    };
    let is_newer = |logged: &Logged| {
        let message = &logged.message;
        let since = message.task.as_ref().and_then(|task| tasks.get(task));
        since.is_some_and(|since| message.accepted > *since)
            && history.deliveries.get(&message.id).is_none()
    };
    let rows = match read(client, Some(Since::Service(oldest))).await {
        Ok((rows, end)) => {
            match end {
                End::Whole => {}
                End::Bound => unknown(&format!("the log tells more than {} since", rows.len())),
                End::Stuck => unknown(STUCK),
            }
            rows
        }
        Err(Stop::Failed(failure)) => {
            unknown(&failure.what);
            return Ok(());
        }
        Err(stop) => return Err(stop),
    };
    let rows = rows.into_iter().map(|row| row.value).filter(is_newer);
    let mut newer: Vec<Logged> = rows.collect();
    if newer.len() > MOST {
        unknown(&format!("{} of these are too many to ask for", newer.len()));
        newer.truncate(MOST);
    }
    let mut reading = stream::iter(newer)
        .map(|logged| async move { (Attempts::of(client, &logged.message.id).await, logged) })
        .buffered(READS);
    let mut why = None;
    while let Some((attempts, logged)) = reading.next().await {
        let mut fold = |kind| {
            history.apply(change(kind, clock.now()));
        };
        match attempts {
            Ok(attempts) => {
                fold(ChangeKind::Message(Box::new(logged.message)));
                let rows = attempts.rows.into_iter().map(Box::new);
                rows.map(ChangeKind::Attempt).for_each(fold);
            }
            Err(failure) => why = why.or(Some(failure.what)),
        }
    }
    if let Some(why) = why {
        unknown(&why);
    }
    Ok(())
}

fn unknown(why: &str) {
    note(&format!(
        "whether newer messages of these tasks were delivered is not known of all: {why}"
    ));
}

/// The tasks that messages are planned for, each with when the oldest of these was accepted.
fn oldest_of_tasks(history: &History, ids: &[String]) -> HashMap<TaskId, Time> {
    let mut tasks = HashMap::new();
    let planned = ids.iter().map(|id| MessageId::new(id));
    for message in planned.filter_map(|id| history.deliveries.get(&id)?.message.as_ref()) {
        if let Some(task) = &message.task {
            let oldest = tasks.entry(task.clone()).or_insert(message.accepted);
            *oldest = message.accepted.min(*oldest);
        }
    }
    tasks
}
