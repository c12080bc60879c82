//! When the service tries again what is in a plan of many, where it says so: it is asked as the plan
//! opens, as far as that is not known. What it is not asked, or does not say, stays an estimate.

use std::collections::{HashSet, VecDeque};

use super::{BulkOverlay, BulkRow};
use crate::app::told::Sighted;
use crate::app::{Effect, Overlay, Sight, State, Tone};
use crate::domain::{Failure, FailureKind, History, MessageId, NextAsked, Time};

/// Messages of one plan that it is asked about at most.
const MAX_ASKED: usize = 400;
/// So many are asked about at once.
const AT_ONCE: usize = 8;
/// Rows that are looked at in a second for what has come to be asked about.
const LOOKED_AT: usize = 500;

/// What the service is asked about the messages of a plan of many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asking {
    waiting: VecDeque<MessageId>,
    under_way: HashSet<MessageId>,
    /// Answered since the plan was last weighed.
    heard: HashSet<MessageId>,
    /// Those that are, were, or will be asked about, and those that are too many.
    met: HashSet<MessageId>,
    /// The row that is looked at next.
    next: usize,
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
        // What counts as tried again by itself comes first.
        let is_counted = |is: bool| {
            let rows = plan.rows.iter();
            rows.filter(move |row| row.item.retry.is_some() == is)
        };
        let mut asking = Self::default();
        asking.add(is_counted(true).chain(is_counted(false)), history, now);
        asking
    }

    /// Looks at the next rows: attempts that are read later may tell of more to ask about.
    fn look_on(&mut self, plan: &BulkOverlay, history: &History, now: Time) {
        if self.why.is_none() {
            let rows = plan.rows.iter().skip(self.next).take(LOOKED_AT);
            self.add(rows, history, now);
            self.next += LOOKED_AT;
            if self.next >= plan.rows.len() {
                self.next = 0;
            }
        }
    }

    fn add<'a>(&mut self, rows: impl Iterator<Item = &'a BulkRow>, history: &History, now: Time) {
        let is_unknown = |id: &MessageId| {
            let held = history.deliveries.get(id);
            held.is_some_and(|held| history.is_next_unknown(held, now))
        };
        for row in rows {
            if self.met.contains(&row.message) || !is_unknown(&row.message) {
                continue;
            }
            self.met.insert(row.message.clone());
            if self.n < MAX_ASKED {
                self.n += 1;
                self.waiting.push_back(row.message.clone());
            } else {
                self.n_beyond += 1;
            }
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
            // It is asked again once it may be.
            Err(failure) if failure.kind == FailureKind::RateLimited => {
                self.waiting.push_front(message.clone());
            }
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
        self.ask_next()
    }

    /// Asks on, also about what has come to be known since.
    pub(super) fn ask_on(&mut self, plan: &BulkOverlay) -> Vec<Effect> {
        if self.session.deliveries_from.is_some() {
            self.asking.look_on(plan, &self.history, self.now.wall);
        }
        self.ask_next()
    }

    /// The next ones, unless the service asks to be left alone.
    fn ask_next(&mut self) -> Vec<Effect> {
        match self.left_alone() {
            Some(_) => Vec::new(),
            None => self.asking.ask(&self.history),
        }
    }

    /// Takes in that the service answered of one, and asks about the next; not for a plan that is
    /// left.
    pub(in crate::app) fn take_next_told(
        &mut self,
        message: &MessageId,
        told: &Result<Sighted, Failure>,
    ) -> Vec<Effect> {
        if let Err(failure) = told {
            let longest = self.session.longest_pause;
            self.polls.note_refusal(self.now, failure, longest);
        }
        self.asking.take(message, told);
        if !holds_plan(self.overlay.as_ref()) {
            self.asking.waiting.clear();
        }
        self.ask_next()
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
