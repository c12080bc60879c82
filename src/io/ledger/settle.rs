//! What became of a pair's replays, by the attempts that were found.

use super::Pair;
use super::file::{File, Held, Trouble};
use crate::domain::{Attempt, Moment, Replay, Replays, RetrySchedule};

/// Finds what became of a pair's replays and writes it down.
pub(super) fn settle(
    file: &mut File,
    attempts: &[Attempt],
    pair: &Pair,
    schedule: &RetrySchedule,
    now: Moment,
) -> Result<(), Trouble> {
    let attempts: Vec<&Attempt> = attempts.iter().collect();
    loop {
        let rows = file.pair(&pair.0, &pair.1)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        // In the order of the rows: a clock that was set back does not make an older one the latest.
        let numbered = rows.iter().zip(1..).map(|(held, number)| Replay {
            number,
            ..held.replay.clone()
        });
        let mut replays = Replays::in_order(numbered);
        if !replays.settle(&pair.0, &pair.1, &attempts, schedule, now) {
            return Ok(());
        }
        let Some(settled) = replays.get(rows.len() as u64) else {
            return Ok(());
        };
        let held = Held {
            replay: settled.clone(),
            ..last.clone()
        };
        if file.update(&held)? {
            return Ok(());
        }
    }
}
