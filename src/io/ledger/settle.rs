//! What became of the replays of some pairs, by the attempts that were found.

use std::collections::HashSet;

use super::Pair;
use super::file::{File, Held, Trouble};
use crate::domain::{Attempt, Moment, Replay, Replays, RetrySchedule};

/// Finds what became of the pairs' replays and writes it down, all in one commit.
pub(super) fn settle(
    file: &mut File,
    pairs: &HashSet<Pair>,
    attempts_of: impl Fn(&Pair) -> Vec<Attempt>,
    schedule: &RetrySchedule,
    now: Moment,
) -> Result<(), Trouble> {
    loop {
        let mut settled = Vec::new();
        for pair in pairs {
            let rows = file.pair(&pair.0, &pair.1)?;
            settled.extend(settled_of(&rows, pair, &attempts_of(pair), schedule, now));
        }
        // What somebody else has changed meanwhile is weighed anew.
        if file.update_all(&settled)? {
            return Ok(());
        }
    }
}

/// The row of a pair in which something changed.
fn settled_of(
    rows: &[Held],
    (message, endpoint): &Pair,
    attempts: &[Attempt],
    schedule: &RetrySchedule,
    now: Moment,
) -> Option<Held> {
    let attempts: Vec<&Attempt> = attempts.iter().collect();
    let numbered = rows.iter().zip(1..).map(|(held, number)| Replay {
        number,
        ..held.replay.clone()
    });
    let mut replays: Replays = numbered.collect();
    let latest = replays.latest_of(message, endpoint)?;
    if !replays.settle(message, endpoint, &attempts, schedule, now) {
        return None;
    }
    let (_, before) = (1..).zip(rows).find(|(number, _)| *number == latest)?;
    Some(Held {
        replay: replays.get(latest)?.clone(),
        ..before.clone()
    })
}
