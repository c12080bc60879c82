//! After a (re)connect: reads what the service says now and compares it with what we hold, so that
//! nothing is missed without a word (design.md, "Getting connected without a hole").

mod attempts;

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, stream};

use super::client::{Client, FULL_PAGE};
use super::known::{Known, MAX_KNOWN};
use crate::domain::time::{SECOND, duration_words};
use crate::domain::{
    Attempt, EndpointId, Failure, FailureKind, MAX_REPAIRS, Observation, Repair, RepairedBy,
    TaskId, TaskState, Time, Unreadable, plural,
};
use crate::wire::rest::{Logged, Row};

/// Tasks read by id in one comparison.
const MAX_READS: usize = 5000;
/// Requests under way at once.
const AT_ONCE: usize = 8;
/// Pages of the message log read in one comparison.
const MAX_PAGES: usize = 80;
/// Clocks of service and client may differ by this much.
const SKEW: i64 = 60 * SECOND;

/// What cannot be known after a gap.
const UNSEEN: &str = "tasks that began and ended in the gap cannot be seen";

/// What changed so lately that stream and answers may still differ about it, in microseconds.
pub const UNSETTLED: i64 = 5 * SECOND;

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Compared {
    /// Active tasks in the snapshot.
    pub n_active: usize,
    /// The snapshot, then the tasks that were read by id.
    pub rows: Vec<Row<Observation>>,
    /// Tasks that the service no longer knows.
    pub gone: Vec<TaskId>,
    /// The message log back past the start of the gap.
    pub messages: Vec<Logged>,
    /// The attempts since the start of the gap, where reeltop was away.
    pub attempts: Vec<Attempt>,
    pub unreadable: Vec<Unreadable>,
    /// Tasks whose state we had wrong.
    pub repaired: Vec<Repair>,
    pub n_repaired: usize,
    /// When each of them changed, by the service's clock, where that is known.
    pub changed: HashMap<TaskId, Time>,
    /// Active tasks that were never heard of though they moved, and when: a stream that was open
    /// tells them sooner or later.
    pub unheard: Vec<(Repair, Time)>,
    /// When this began, by the service's clock.
    pub service_now: Time,
    /// Tasks that began and ended in the gap.
    pub n_found: usize,
    /// Tasks whose state could not be read, and must be looked at again.
    pub n_open: usize,
    /// What could not be known.
    pub caveats: Vec<String>,
    /// The gap by the service's clock.
    pub gap: Option<(Time, Time)>,
}

impl Compared {
    /// The snapshot, and the tasks that were read by id.
    pub fn listed_and_read(&self) -> (&[Row<Observation>], &[Row<Observation>]) {
        self.rows.split_at(self.n_active)
    }
}

/// Reads and compares, where `now` is the time by our clock. Fails when the active tasks cannot be
/// read at all. Where reeltop was away in the gap, the attempts since are read too, at the endpoints
/// that were known before.
pub async fn compare(
    client: &Client,
    known: &Known,
    gap: Option<(Time, Time)>,
    away: Option<&[EndpointId]>,
    now: Time,
) -> Result<Compared, Failure> {
    let page = client.active_tasks().await?;
    let mut found = Compared {
        n_active: page.rows.len(),
        rows: page.rows,
        unreadable: page.unreadable,
        ..Compared::default()
    };
    if !found.unreadable.is_empty() {
        found.caveats.push(format!(
            "{} active tasks could not be read",
            Unreadable::sum(&found.unreadable)
        ));
    }
    if page.is_null {
        let caveat = "the list of active tasks was null, which was taken for an empty one";
        found.caveats.push(caveat.to_owned());
    }
    let active: HashSet<TaskId> = found
        .rows
        .iter()
        .map(|row| row.value.task.clone())
        .collect();
    // Without a word about its clock, the service's is taken to be ours.
    let service_now = now.plus(client.http.ahead().unwrap_or(0));
    found.service_now = service_now;
    read_missing(client, known, &active, service_now, &mut found).await;
    if known.is_overfull() {
        found
            .caveats
            .push(format!("only {MAX_KNOWN} unfinished tasks were compared"));
    }
    if let Some(gap) = gap {
        let gap = by_the_service(gap, client.http.ahead(), &mut found);
        found.gap = Some(gap);
        read_log(client, gap, &mut found).await;
        note_found(known, &active, gap, &mut found);
        if let Some(endpoints) = away {
            attempts::read_attempts(client, endpoints, gap.0, &mut found).await;
        }
    }
    note_repaired(known, &mut found);
    note_unheard(known, &mut found);
    Ok(found)
}

/// The gap by the service's clock, which is `ahead` of ours by so many microseconds.
fn by_the_service(gap: (Time, Time), ahead: Option<i64>, found: &mut Compared) -> (Time, Time) {
    let Some(ahead) = ahead else {
        let why = "the service's clock is not known";
        found.caveats.push(format!("{UNSEEN} ({why})"));
        return gap;
    };
    if ahead.saturating_abs() > SKEW {
        let apart = duration_words(ahead.saturating_abs());
        found.caveats.push(format!(
            "{UNSEEN} for certain (its clock and ours are {apart} apart)"
        ));
    }
    (gap.0.plus(ahead), gap.1.plus(ahead))
}

/// Reads each unfinished task that we knew and the snapshot has not.
async fn read_missing(
    client: &Client,
    known: &Known,
    active: &HashSet<TaskId>,
    service_now: Time,
    found: &mut Compared,
) {
    let mut missing: Vec<&Observation> = known
        .unfinished()
        .filter(|held| !active.contains(&held.task))
        .collect();
    missing.sort_by_key(|held| std::cmp::Reverse(held.updated));
    let n_beyond = missing.len().saturating_sub(MAX_READS);
    missing.truncate(MAX_READS);
    let missing: Vec<(TaskId, Time)> = missing
        .into_iter()
        .map(|held| (held.task.clone(), held.updated))
        .collect();
    let mut answers = stream::iter(missing)
        .map(|(task, updated)| async move {
            let answer = client.task(&task).await;
            (task, updated, answer)
        })
        .buffer_unordered(AT_ONCE);
    let mut n_failed = 0;
    while let Some((task, updated, answer)) = answers.next().await {
        match answer {
            Ok(row) => found.rows.push(row),
            Err(failure)
                if matches!(
                    failure.kind,
                    FailureKind::NotFound | FailureKind::NotOffered
                ) =>
            {
                // A task that just began may not be known yet to whoever answers.
                if service_now.since(updated) < UNSETTLED {
                    found.n_open += 1;
                } else {
                    found.gone.push(task);
                }
            }
            Err(_) => n_failed += 1,
        }
    }
    for (count, what) in [
        (n_beyond, "vanished tasks were not read yet"),
        (n_failed, "vanished tasks could not be read"),
    ] {
        if count > 0 {
            found.caveats.push(format!("{count} {what}"));
        }
    }
    found.n_open += n_beyond + n_failed;
}

/// Pages the message log back past the start of the gap.
async fn read_log(client: &Client, gap: (Time, Time), found: &mut Compared) {
    let until = gap.0.plus(-SKEW);
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = match client.messages(FULL_PAGE, cursor.as_deref()).await {
            Ok(page) => page,
            Err(failure) => {
                let why = match failure.kind {
                    FailureKind::NotOffered => "no message log is offered".to_owned(),
                    _ => failure.what,
                };
                found.caveats.push(format!("{UNSEEN} ({why})"));
                return;
            }
        };
        if !page.unreadable.is_empty() {
            found.caveats.push(format!(
                "{} of the log could not be read",
                plural(Unreadable::sum(&page.unreadable), "message", "messages")
            ));
        }
        found.unreadable.extend(page.unreadable);
        // One without a time tells nothing of how far the log reaches.
        let times = page.rows.iter().map(|row| row.value.message.accepted);
        let oldest = times.filter(|time| *time != Time::default()).min();
        let is_past = oldest.is_some_and(|oldest| oldest < until);
        found
            .messages
            .extend(page.rows.into_iter().map(|row| row.value));
        if is_past {
            return;
        }
        if page.is_last || page.next.is_none() {
            let oldest = found
                .messages
                .iter()
                .map(|logged| logged.message.accepted)
                .filter(|time| *time != Time::default())
                .min();
            let why = match oldest {
                Some(oldest) if oldest <= gap.0 => return,
                Some(_) => "the message log does not reach back to it",
                None => "the message log is empty",
            };
            found.caveats.push(format!("{UNSEEN} ({why})"));
            return;
        }
        cursor = page.next;
    }
    found
        .caveats
        .push(format!("{UNSEEN} (too many messages since)"));
}

/// Counts the tasks that only the log shows.
fn note_found(known: &Known, active: &HashSet<TaskId>, gap: (Time, Time), found: &mut Compared) {
    let since = gap.0.plus(-SECOND);
    let unseen: HashSet<&TaskId> = found
        .messages
        .iter()
        .filter_map(|logged| logged.task.as_ref())
        .filter(|task| task.created >= since)
        .map(|task| &task.task)
        .filter(|task| known.get(task).is_none() && !active.contains(*task))
        .collect();
    found.n_found = unseen.len();
}

/// Notes the active tasks that are new to us and have moved since they were queued, as an event of
/// that is sure to have been sent.
fn note_unheard(known: &Known, found: &mut Compared) {
    if known.is_overfull() {
        return;
    }
    let (listed, _) = found.listed_and_read();
    let unheard = listed
        .iter()
        .map(|row| &row.value)
        .filter(|seen| known.get(&seen.task).is_none() && seen.state() != TaskState::Queued);
    let unheard = unheard.map(|seen| {
        let repair = Repair {
            task: seen.task.clone(),
            before: None,
            after: Some(seen.state()),
            how: RepairedBy::Snapshot,
        };
        (repair, seen.updated)
    });
    found.unheard = unheard.take(MAX_REPAIRS).collect();
}

/// What was known otherwise than it is now, each task once, as its newest sight says.
fn note_repaired(known: &Known, found: &mut Compared) {
    let (listed, read) = found.listed_and_read();
    let sights = [(listed, RepairedBy::Snapshot), (read, RepairedBy::Reading)];
    let sights = sights
        .into_iter()
        .flat_map(|(rows, how)| rows.iter().map(move |row| (&row.value, how)));
    let logged = found
        .messages
        .iter()
        .filter_map(|logged| logged.task.as_ref());
    let mut newest: HashMap<&TaskId, (&Observation, RepairedBy)> = HashMap::new();
    for (seen, how) in sights.chain(logged.map(|seen| (seen, RepairedBy::Log))) {
        let held = newest.get(&seen.task).copied();
        let Some((held, told)) = held.or_else(|| Some((known.get(&seen.task)?, how))) else {
            continue;
        };
        if seen.order(held) == Ordering::Greater {
            // The log tells a little more of the same state; who told it first counts.
            let is_same = seen.features == held.features;
            newest.insert(&seen.task, (seen, if is_same { told } else { how }));
        }
    }
    newest.retain(|task, (seen, _)| {
        known
            .get(task)
            .is_some_and(|held| held.features != seen.features)
    });
    let before = |task: &TaskId| known.get(task).map(Observation::state);
    let mut repaired: Vec<Repair> = newest
        .iter()
        .map(|(task, (seen, how))| Repair {
            task: (*task).clone(),
            before: before(task),
            after: Some(seen.state()),
            how: *how,
        })
        .collect();
    let changed = newest
        .values()
        .map(|(seen, _)| (seen.task.clone(), seen.updated))
        .collect();
    repaired.extend(found.gone.iter().map(|task| Repair {
        task: task.clone(),
        before: before(task),
        after: None,
        how: RepairedBy::Reading,
    }));
    repaired.sort_by(|a, b| a.task.cmp(&b.task));
    repaired.dedup_by(|a, b| a.task == b.task);
    found.changed = changed;
    found.n_repaired = repaired.len();
    repaired.truncate(MAX_REPAIRS);
    found.repaired = repaired;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_moved_to_the_services_clock_and_doubt_is_said() {
        let gap = (Time(100 * SECOND), Time(160 * SECOND));
        let mut found = Compared::default();
        let moved = by_the_service(gap, Some(-30 * SECOND), &mut found);
        assert_eq!(moved, (Time(70 * SECOND), Time(130 * SECOND)));
        assert!(found.caveats.is_empty());
        by_the_service(gap, Some(300 * SECOND), &mut found);
        by_the_service(gap, None, &mut found);
        assert_eq!(found.caveats.len(), 2);
        assert!(
            found
                .caveats
                .iter()
                .all(|caveat| caveat.starts_with(UNSEEN))
        );
    }
}
