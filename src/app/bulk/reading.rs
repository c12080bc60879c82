//! Attempts that a plan of many does not know, and messages of which it knows attempts alone, are read by
//! the messages' ids while it is open, a few in a second: the logs are read back by themselves, but not
//! for the plan first.

use std::collections::HashSet;

use super::BulkOverlay;
use crate::app::{Effect, Overlay, State};
use crate::domain::{Delivery, History, Log, MessageId};

/// Messages read at once as a plan opens, …
const READ_NOW: usize = 50;
/// … and in each second from then on, …
const READ_ON: usize = 10;
/// … and for one plan in all.
const MAX_READ: usize = 400;

/// What is read for the plan that is open: attempts of messages, and messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    asked: HashSet<Log>,
    /// Whether the service asked to be left alone: what it refused then is asked for again.
    was_refused: bool,
}

impl Reading {
    /// How many were asked for.
    pub fn n(&self) -> usize {
        self.asked.len()
    }

    /// Whether no more are asked for, as they are too many.
    pub fn is_at_limit(&self) -> bool {
        self.asked.len() >= MAX_READ
    }

    /// The next ones. `tells_messages` is whether the service tells a message by its id.
    fn read(
        &mut self,
        plan: &BulkOverlay,
        history: &History,
        tells_messages: bool,
        most: usize,
    ) -> Vec<Effect> {
        if std::mem::take(&mut self.was_refused) {
            let is_failing = |log: &Log| history.deliveries.why_unread(log).is_some();
            self.asked.retain(|log| !is_failing(log));
        }
        let most = most.min(MAX_READ.saturating_sub(self.asked.len()));
        if most == 0 {
            return Vec::new();
        }
        let is_unknown = |it: &&Delivery| tells_messages && it.message.is_none();
        let messages = plan.unplaced(history).filter(is_unknown);
        let messages = messages.map(|it| Log::Message(it.id.clone()));
        let attempts = plan.missing().map(|id| Log::AttemptsOf(id.clone()));
        let mut next = Vec::new();
        for log in attempts.chain(messages) {
            if next.len() == most {
                break;
            }
            if self.asked.insert(log.clone()) {
                next.extend(match log {
                    Log::Message(id) => Some(Effect::ReadInTurn(id)),
                    Log::AttemptsOf(id) => Some(Effect::LookInTurn(id)),
                    _ => None,
                });
            }
        }
        next
    }
}

impl BulkOverlay {
    /// How many of its rows a newer message may have made needless that is not read: of those that are
    /// left out, and of those that are to be sent.
    pub fn n_unplaced(&self, history: &History) -> (usize, usize) {
        let (mut n_left_out, mut n_sent) = (0, 0);
        for row in &self.rows {
            let Some(delivery) = history.deliveries.get(&row.message) else {
                continue;
            };
            let is_overtaken = history.deliveries.may_be_overtaken(delivery);
            if row.item.is_chosen {
                let is_unplaced = history.deliveries.is_unplaced(delivery);
                n_sent += usize::from(is_unplaced || is_overtaken);
            } else if row.choice.is_none() {
                n_left_out += usize::from(history.deliveries.is_unplaced(delivery));
            }
        }
        (n_left_out, n_sent)
    }

    /// Messages of its rows that a newer one may have made needless which is not read, the newest first.
    fn unplaced<'a>(&'a self, history: &'a History) -> impl Iterator<Item = &'a Delivery> {
        let rows = self.rows.iter().rev();
        let deliveries = rows.filter_map(|row| history.deliveries.get(&row.message));
        deliveries.filter(|delivery| history.deliveries.is_unplaced(delivery))
    }

    /// Messages of which not all attempts are known that the plan rests on: those that are to be sent
    /// first, then those that may have failed, then those that may be among what was asked for; the newest
    /// of each first.
    fn missing(&self) -> impl Iterator<Item = &MessageId> {
        let rows = self.rows.iter().rev();
        let sent = rows.filter(|row| row.item.is_chosen && row.item.unread.is_some());
        sent.map(|row| &row.message).chain(self.not_read.newest())
    }
}

impl State {
    /// Begins to read what a plan that opens does not know.
    pub(super) fn read_for(&mut self, plan: &BulkOverlay) -> Vec<Effect> {
        self.reading = Reading::default();
        self.read_on(plan, READ_NOW)
    }

    fn read_on(&mut self, plan: &BulkOverlay, most: usize) -> Vec<Effect> {
        if self.left_alone().is_some() {
            self.reading.was_refused = true;
            return Vec::new();
        }
        let tells_messages = self.session.deliveries_from.is_some();
        let history = &self.history;
        self.reading.read(plan, history, tells_messages, most)
    }

    /// Reads and asks on for the plan that is open, by what has come in since.
    pub(in crate::app) fn follow_plan(&mut self) -> Vec<Effect> {
        let plan = match self.overlay.take() {
            Some(Overlay::Bulk(plan)) => plan,
            other => {
                self.overlay = other;
                return Vec::new();
            }
        };
        let mut effects = self.read_on(&plan, READ_ON);
        effects.extend(self.ask_on(&plan));
        self.overlay = Some(Overlay::Bulk(plan));
        effects
    }
}
