//! When the service tries again what is in a plan of many, where it says so: it is asked as the plan
//! opens, as far as that is not known. What it is not asked, or does not say, stays an estimate.

use std::collections::{HashSet, VecDeque};

use super::BulkOverlay;
use crate::app::told::Sighted;
use crate::app::{Effect, Overlay, Sight, State, Tone};
use crate::domain::{Failure, FailureKind, History, MessageId, NextAsked, Time};

/// Messages of one plan that it is asked about at most.
const MAX_ASKED: usize = 400;
/// So many are asked about at once.
const AT_ONCE: usize = 8;

/// What the service is asked about the messages of a plan of many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asking {
    waiting: VecDeque<MessageId>,
    under_way: HashSet<MessageId>,
    /// Answered since the plan was last weighed.
    heard: HashSet<MessageId>,
    pub n_answered: usize,
    /// To be asked about in all.
    pub n: usize,
    /// Not asked about, as they were too many.
    pub n_beyond: usize,
    /// Why the service says no more.
    pub why: Option<String>,
}

impl Asking {
    fn of(plan: &BulkOverlay, history: &History, now: Time) -> Self {
        let mut seen = HashSet::new();
        let is_unknown = |id: &MessageId| {
            let held = history.deliveries.get(id);
            held.is_some_and(|held| history.is_next_unknown(held, now))
        };
        // What counts as tried again by itself comes first.
        let is_counted = |is: bool| {
            let rows = plan.rows.iter();
            rows.filter(move |row| row.item.retry.is_some() == is)
        };
        let rows = is_counted(true).chain(is_counted(false));
        let mut waiting: VecDeque<MessageId> = rows
            .map(|row| &row.message)
            .filter(|id| seen.insert(*id) && is_unknown(id))
            .cloned()
            .collect();
        let n_beyond = waiting.len().saturating_sub(MAX_ASKED);
        waiting.truncate(MAX_ASKED);
        Self {
            n: waiting.len(),
            n_beyond,
            waiting,
            ..Self::default()
        }
    }

    pub fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty()
    }

    /// The next ones, as many as may be under way at once.
    fn ask(&mut self, history: &History) -> Vec<Effect> {
        let n = AT_ONCE.saturating_sub(self.under_way.len());
        let next = self.waiting.drain(..n.min(self.waiting.len()));
        let mut effects = Vec::new();
        for message in next {
            effects.push(Effect::Look(Sight::Next(NextAsked::of(history, &message))));
            self.under_way.insert(message);
        }
        effects
    }

    fn take(&mut self, message: &MessageId, told: &Result<Sighted, Failure>) {
        if !self.under_way.remove(message) {
            return;
        }
        match told {
            Ok(_) => {
                self.n_answered += 1;
                self.heard.insert(message.clone());
            }
            // It expired, or was deleted: of the others it may be told all the same.
            Err(failure) if failure.kind == FailureKind::NotFound => self.n_answered += 1,
            Err(failure) => {
                self.waiting.clear();
                self.why = Some(match failure.kind {
                    FailureKind::NotOffered => "this server does not say".to_owned(),
                    _ => failure.brief(),
                });
            }
        }
    }

    /// `40 of 200`.
    pub fn progress(&self) -> String {
        format!("{} of {}", self.n_answered, self.n)
    }
}

impl State {
    /// Begins to ask when the service tries again what is in the plan; only a Svix server says so.
    pub(super) fn ask_nexts(&mut self, plan: &BulkOverlay) -> Vec<Effect> {
        self.asking = match self.session.deliveries_from {
            Some(_) => Asking::of(plan, &self.history, self.now.wall),
            None => Asking::default(),
        };
        self.asking.ask(&self.history)
    }

    /// Takes in that the service answered of one, and asks about the next; not for a plan that is
    /// left.
    pub(in crate::app) fn take_next_told(
        &mut self,
        message: &MessageId,
        told: &Result<Sighted, Failure>,
    ) -> Vec<Effect> {
        self.asking.take(message, told);
        if !holds_plan(self.overlay.as_ref()) {
            self.asking.waiting.clear();
        }
        self.asking.ask(&self.history)
    }

    /// Weighs the rows again of which the service told something.
    pub(in crate::app) fn weigh_told(&mut self) {
        if self.asking.heard.is_empty() {
            return;
        }
        if let Some(Overlay::Bulk(plan)) = &mut self.overlay {
            let heard = std::mem::take(&mut self.asking.heard);
            let is_read_only = self.session.is_read_only;
            plan.weigh_those(&heard, &self.history, is_read_only, self.now.wall);
        }
    }

    /// Says that the service is still being asked.
    pub(super) fn say_asking(&mut self) {
        let words = format!(
            "the service is being asked which of them it tries again ({}); a in a moment",
            self.asking.progress()
        );
        self.say(Tone::Info, words);
    }
}

/// Whether it is the plan of many, or stands over it.
fn holds_plan(overlay: Option<&Overlay>) -> bool {
    match overlay {
        Some(Overlay::Bulk(_)) => true,
        Some(Overlay::Help { below, .. }) => holds_plan(below.as_deref()),
        _ => false,
    }
}
