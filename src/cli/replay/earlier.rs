//! What earlier replays came to, as the ledger and the attempts that were read tell it.

use std::collections::HashSet;

use super::change;
use crate::cli::output::Stop;
use crate::domain::{
    Change, ChangeKind, History, MessageId, Moment, Plan, PlanItem, Replay, ReplayState, Trigger,
};
use crate::io::clock::Clock;
use crate::io::ledger::{Ledger, Pair};

/// The pairs of which an earlier replay was open as this command began, or ended after whoever sent
/// it had: nobody who means to send was told how it ended, be it that somebody else found it.
pub(super) struct Earlier {
    unheard: HashSet<Pair>,
    ledger: Ledger,
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

    /// Leaves out what such a replay turns out to have delivered, or may have: whoever runs the same
    /// command again after a crash means that replay, and no second one. Sending another takes one
    /// more command, by somebody who has been told.
    /// Gives the pairs.
    pub fn leave_out_found(&self, history: &History, plans: &mut [Plan]) -> Vec<Pair> {
        let mut found = Vec::new();
        for plan in plans {
            let message = &plan.message;
            for item in plan.items.iter_mut().filter(|item| item.is_chosen) {
                if let Some(why) = self.found(history, message, item) {
                    item.leave_out(why);
                    found.push((message.clone(), item.endpoint.clone()));
                }
            }
        }
        found
    }

    /// What such a replay keeps from being sent by the plan's own verdict, which says why.
    pub fn held_back(&self, history: &History, plans: &[Plan]) -> Vec<Pair> {
        let mut held = Vec::new();
        for plan in plans {
            let message = &plan.message;
            for item in plan.items.iter().filter(|item| !item.is_chosen) {
                if self.found(history, message, item).is_some() {
                    held.push((message.clone(), item.endpoint.clone()));
                }
            }
        }
        held
    }

    /// Takes note that whoever runs this command was told of these.
    pub async fn told(self, pairs: Vec<Pair>, now: Moment) -> Result<(), Stop> {
        let ledger = self.ledger.clone();
        Ok(ledger.wait(move |ledger| ledger.hear(&pairs, now)).await?)
    }

    fn found(&self, history: &History, message: &MessageId, item: &PlanItem) -> Option<String> {
        let pair = (message.clone(), item.endpoint.clone());
        if !self.unheard.contains(&pair) {
            return None;
        }
        let mut replays = history.replays.of(message, &item.endpoint);
        let is_news = |replay: &&Replay| {
            replay.state.is_doubtful() || matches!(replay.state, ReplayState::Delivered { .. })
        };
        let latest = replays.next_back().filter(is_news)?;
        let words = latest.words();
        Some(format!(
            "an earlier replay, whose end was not known, turned out to be {words}; the same command \
             again sends another"
        ))
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
