//! The attempts that may belong to replays, as they are found. Held apart from the file, so that
//! nobody who finds one waits for the disk.

use std::collections::{HashMap, HashSet, VecDeque};

use super::Pair;
use crate::domain::{Attempt, AttemptId, RetrySchedule};

/// Attempts remembered, so that the attempt of a replay is found whichever is seen first.
const MAX_ATTEMPTS: usize = 20_000;

#[derive(Default)]
pub(super) struct Noted {
    by_pair: HashMap<Pair, Vec<Attempt>>,
    /// In the order in which they were first seen.
    order: VecDeque<(Pair, AttemptId)>,
    /// Pairs of which an attempt was seen since the last look.
    touched: HashSet<Pair>,
    /// When the service makes automatic retries.
    pub schedule: RetrySchedule,
}

impl Noted {
    pub fn note(&mut self, attempt: &Attempt) {
        let pair = (attempt.message.clone(), attempt.endpoint.clone());
        let held = self.by_pair.entry(pair.clone()).or_default();
        if let Some(known) = held.iter_mut().find(|known| known.id == attempt.id) {
            known.clone_from(attempt);
        } else {
            held.push(attempt.clone());
            self.order.push_back((pair.clone(), attempt.id.clone()));
        }
        self.touched.insert(pair);
        while self.order.len() > MAX_ATTEMPTS {
            self.let_oldest_go();
        }
    }

    fn let_oldest_go(&mut self) {
        let Some((pair, id)) = self.order.pop_front() else {
            return;
        };
        if let Some(held) = self.by_pair.get_mut(&pair) {
            held.retain(|known| known.id != id);
            if held.is_empty() {
                self.by_pair.remove(&pair);
            }
        }
    }

    /// The attempts of a pair, in the order in which they were first seen.
    pub fn of(&self, pair: &Pair) -> Vec<Attempt> {
        self.by_pair.get(pair).cloned().unwrap_or_default()
    }

    /// Takes the pairs of which an attempt was seen since this was last asked.
    pub fn take_touched(&mut self) -> HashSet<Pair> {
        std::mem::take(&mut self.touched)
    }

    /// Has a pair looked at again.
    pub fn touch(&mut self, pair: Pair) {
        self.touched.insert(pair);
    }
}
