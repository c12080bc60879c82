//! Messages that are left to the service's own retry: a notice tells what became of it.

use std::collections::HashMap;

use super::bulk::BulkOverlay;
use super::{State, Tone};
use crate::domain::{
    Attempt, AttemptId, AttemptStatus, EndpointId, History, MessageId, Time, Trigger, visible,
};

/// One pair that is left to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wait {
    /// When the retry is due, as an estimate.
    due: Time,
    /// The attempts that were known when the wait began.
    before: Vec<AttemptId>,
}

/// What is left to the service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waits {
    pairs: HashMap<(MessageId, EndpointId), Wait>,
}

impl Waits {
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// When the next of the retries is due, as an estimate.
    pub fn next(&self) -> Option<Time> {
        self.pairs.values().map(|wait| wait.due).min()
    }

    fn add(&mut self, history: &History, message: &MessageId, endpoint: &EndpointId, due: Time) {
        let delivery = history.deliveries.get(message);
        let known = delivery.map(|it| it.attempts_at(endpoint));
        let before = known.into_iter().flatten().map(|it| it.id.clone());
        let wait = Wait {
            due,
            before: before.collect(),
        };
        self.pairs.insert((message.clone(), endpoint.clone()), wait);
    }

    /// Whether the attempt ends a wait, and how.
    fn note(&mut self, attempt: &Attempt) -> Option<bool> {
        let pair = (attempt.message.clone(), attempt.endpoint.clone());
        let wait = self.pairs.get(&pair)?;
        if wait.before.contains(&attempt.id) {
            return None;
        }
        let is_delivered = match attempt.status {
            AttemptStatus::Success => true,
            // What somebody sent by hand is not the retry that is waited for.
            AttemptStatus::Fail | AttemptStatus::Canceled if attempt.trigger != Trigger::Manual => {
                false
            }
            _ => return None,
        };
        self.pairs.remove(&pair);
        Some(is_delivered)
    }
}

impl State {
    /// Begins to wait for the retries of what the plan of many leaves to the service.
    pub(super) fn wait_for_retries(&mut self, plan: &BulkOverlay) {
        let waiting = plan.rows.iter().filter(|row| row.is_waiting());
        let mut n = 0;
        for row in waiting {
            if let Some(due) = row.item.retry {
                self.waits
                    .add(&self.history, &row.message, row.endpoint(), due);
                n += 1;
            }
        }
        self.say(
            Tone::Info,
            format!("{n} left to the service's own retry; a notice tells what became of each"),
        );
    }

    /// Begins to wait for the retry of one message.
    pub(super) fn wait_for_retry(&mut self, message: &MessageId, endpoint: &EndpointId, due: Time) {
        self.waits.add(&self.history, message, endpoint, due);
    }

    /// Tells it where an attempt is one that was waited for. What failed again is marked.
    pub(super) fn note_wait(&mut self, attempt: &Attempt) {
        let Some(is_delivered) = self.waits.note(attempt) else {
            return;
        };
        let label = self.history.endpoint_label(&attempt.endpoint);
        let words = format!(
            "the service's own retry of {} to {label}",
            attempt.message.short(15)
        );
        let words = visible(&words);
        if is_delivered {
            self.say(Tone::Ok, format!("{words}: delivered"));
        } else {
            self.marks.add(attempt.message.clone());
            let words = format!("{words}: failed again; it is marked, R on Deliveries replays it");
            self.say(Tone::Bad, words);
        }
    }
}
