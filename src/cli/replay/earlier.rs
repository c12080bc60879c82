//! What earlier replays came to, as the ledger and the attempts that were read tell it.

use std::collections::{BTreeMap, HashSet};

use super::change;
use crate::cli::output::{Stop, note};
use crate::domain::bulk::MANY;
use crate::domain::{
    Change, ChangeKind, History, MessageId, Moment, Plan, PlanItem, Replay, ReplayState, Trigger,
    visible,
};
use crate::io::clock::Clock;
use crate::io::ledger::{Ledger, Pair};

/// The pairs of which an earlier replay was open as this command began, or ended after whoever sent
/// it had: nobody who means to send was told how it ended, be it that somebody else found it.
pub(super) struct Earlier {
    unheard: HashSet<Pair>,
    ledger: Ledger,
}

/// What is left out of this command, as it is news how an earlier replay of it ended.
pub(super) struct Found {
    pub pair: Pair,
    line: String,
    came_to: &'static str,
}

impl Found {
    pub fn is_delivered(&self) -> bool {
        self.came_to == "delivered"
    }

    /// What was asked for is neither sent nor delivered.
    pub fn is_failed(&self) -> bool {
        self.came_to == "failed"
    }

    /// Whether it is known how it ended; if not, it is told as what is held back.
    pub fn is_ended(&self) -> bool {
        self.is_delivered() || self.is_failed()
    }
}

/// Says of each what came of the earlier replay; of more than anybody reads, how many came to what.
pub(super) fn say_found(found: &[Found]) {
    let ended: Vec<&Found> = found.iter().filter(|one| one.is_ended()).collect();
    let (said, summed) = ended.split_at(ended.len().min(MANY));
    for one in said {
        note(&visible(&one.line));
    }
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    for one in summed {
        *sums.entry(one.came_to).or_default() += 1;
    }
    if !sums.is_empty() {
        let sums: Vec<String> = sums.iter().map(|(what, n)| format!("{n} {what}")).collect();
        note(&format!(
            "{} more turned out so: {}; the same command again sends another of each",
            summed.len(),
            sums.join(", ")
        ));
    }
}

impl Earlier {
    /// Folds what the ledger holds, after it took note of the attempts that were read: these may
    /// tell how earlier replays ended.
    pub async fn fold(ledger: &Ledger, history: &mut History, clock: Clock) -> Result<Self, Stop> {
        let now = clock.now();
        let attempts = manual_attempts(history, now);
        let looked = ledger.wait(move |ledger| {
            let open = ledger.list(0, now)?;
            ledger.note(&attempts);
            let held = ledger.keep(now)?;
            Ok((open, held, ledger.unheard(now)?))
        });
        let (open, held, mut unheard) = looked.await?;
        for replay in held {
            history.apply(change(ChangeKind::Ledger(Box::new(replay)), now));
        }
        let open = open.into_iter().filter(|replay| replay.state.is_open());
        unheard.extend(open.map(|replay| (replay.message, replay.endpoint)));
        Ok(Self {
            unheard: unheard.into_iter().collect(),
            ledger: ledger.clone(),
        })
    }

    /// Leaves out what such a replay turns out to have come to: whoever runs the same command again
    /// after a crash means that replay, and no second one. Sending another takes one more command,
    /// by somebody who has been told.
    pub fn leave_out_found(&self, history: &History, plans: &mut [Plan]) -> Vec<Found> {
        let mut found = Vec::new();
        for plan in plans {
            let message = &plan.message;
            for item in plan.items.iter_mut().filter(|item| item.is_chosen) {
                if let Some(replay) = self.found(history, message, item) {
                    let why = format!(
                        "an earlier replay, whose end was not known, turned out to be {}; the same \
                         command again sends another",
                        replay.words()
                    );
                    found.push(Found {
                        pair: (message.clone(), item.endpoint.clone()),
                        line: format!("nothing was sent of {message} to {}: {why}", item.label),
                        came_to: replay.state.name(),
                    });
                    item.leave_out(why);
                }
            }
        }
        found
    }

    /// Takes note that whoever runs this command was told of these, be it what was found or why such
    /// a replay keeps something from being sent.
    pub async fn told(self, pairs: impl Iterator<Item = &Pair>, now: Moment) -> Result<(), Stop> {
        let is_unheard = |pair: &&Pair| self.unheard.contains(*pair);
        let pairs: Vec<Pair> = pairs.filter(is_unheard).cloned().collect();
        let ledger = self.ledger;
        Ok(ledger.wait(move |ledger| ledger.hear(&pairs, now)).await?)
    }

    fn found<'a>(
        &self,
        history: &'a History,
        message: &MessageId,
        item: &PlanItem,
    ) -> Option<&'a Replay> {
        let pair = (message.clone(), item.endpoint.clone());
        if !self.unheard.contains(&pair) {
            return None;
        }
        let mut replays = history.replays.of(message, &item.endpoint);
        let is_news = |replay: &&Replay| {
            replay.state.is_doubtful() || matches!(replay.state, ReplayState::Delivered { .. })
        };
        replays.next_back().filter(is_news)
    }
}

/// The attempts that were read, for the ledger.
fn manual_attempts(history: &History, now: Moment) -> Vec<Change> {
    let mut manual = Vec::new();
    for delivery in history.deliveries.newest() {
        manual.extend(delivery.attempts());
    }
    manual
        .into_iter()
        .filter(|attempt| attempt.trigger == Trigger::Manual)
        .map(|attempt| change(ChangeKind::Attempt(Box::new(attempt.clone())), now))
        .collect()
}
