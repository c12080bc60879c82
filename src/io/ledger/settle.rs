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
        let numbered = rows.iter().zip(1..).map(|(held, number)| Replay {
            number,
            ..held.replay.clone()
        });
        let mut replays: Replays = numbered.collect();
        let Some(latest) = replays.latest_of(&pair.0, &pair.1) else {
            return Ok(());
        };
        if !replays.settle(&pair.0, &pair.1, &attempts, schedule, now) {
            return Ok(());
        }
        let written = (1..).zip(&rows).find(|(number, _)| *number == latest);
        let (Some(settled), Some((_, before))) = (replays.get(latest), written) else {
            return Ok(());
        };
        let held = Held {
            replay: settled.clone(),
            ..before.clone()
        };
        if file.update(&held)? {
            return Ok(());
        }
    }
}
