//! Attempts that a plan of many does not know are read by their messages' ids while it is open, a few
//! in a second: the logs are read back by themselves, but not for the plan first.

use std::collections::HashSet;

use super::BulkOverlay;
use crate::app::{Effect, Overlay, State};
use crate::domain::{History, Log, MessageId};

/// Messages read at once as a plan opens, …
const READ_NOW: usize = 50;
/// … and in each second from then on, …
const READ_ON: usize = 10;
/// … and for one plan in all.
const MAX_READ: usize = 400;

/// The messages whose attempts are read for the plan that is open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    asked: HashSet<MessageId>,
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

    /// The next ones.
    fn read(&mut self, plan: &BulkOverlay, history: &History, most: usize) -> Vec<Effect> {
        if std::mem::take(&mut self.was_refused) {
            let of = |id: &MessageId| Log::AttemptsOf(id.clone());
            let is_failing = |id: &MessageId| history.deliveries.why_unread(&of(id)).is_some();
            self.asked.retain(|id| !is_failing(id));
        }
        let most = most.min(MAX_READ.saturating_sub(self.asked.len()));
        if most == 0 {
            return Vec::new();
        }
        let mut next = Vec::new();
        for id in plan.missing() {
            if next.len() == most {
                break;
            }
            if self.asked.insert(id.clone()) {
                next.push(Effect::LookInTurn(id.clone()));
            }
        }
        next
    }
}

impl BulkOverlay {
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
        self.reading.read(plan, &self.history, most)
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
