//! What the user chose in a plan of many, kept while its route is turned.

use std::collections::HashMap;

use super::{BulkOverlay, BulkRow, Choice};
use crate::domain::{EndpointId, MessageId, Verdict};

/// The choices, each with what the plan had said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept(HashMap<(MessageId, EndpointId), (Choice, Verdict)>);

impl Kept {
    /// Whether a pair is not to be sent.
    pub fn leaves_out(&self, message: &MessageId, endpoint: &EndpointId) -> bool {
        let kept = self.0.get(&(message.clone(), endpoint.clone()));
        kept.is_some_and(|(choice, _)| *choice != Choice::Send)
    }

    /// Takes in what stands there now. Where a row cannot be sent the user had no choice, and what
    /// was chosen by another route still holds.
    fn take(&mut self, row: &BulkRow) {
        let pair = (row.message.clone(), row.item.endpoint.clone());
        match row.choice {
            Some(choice) => {
                self.0.insert(pair, (choice, row.item.verdict.clone()));
            }
            None if row.is_refused() => {}
            None => {
                self.0.remove(&pair);
            }
        }
    }

    fn apply(&self, row: &mut BulkRow) {
        let pair = (row.message.clone(), row.item.endpoint.clone());
        let Some((choice, verdict)) = self.0.get(&pair) else {
            return;
        };
        row.choice = match choice {
            Choice::Wait if row.item.retry.is_some() => Some(Choice::Wait),
            Choice::Wait | Choice::NoRetry => Some(Choice::NoRetry),
            Choice::LeaveOut => Some(Choice::LeaveOut),
            // Chosen against one reason, it is not chosen against another.
            Choice::Send => (row.item.verdict == *verdict).then_some(Choice::Send),
        };
        match row.choice {
            Some(Choice::Send) => row.item.is_chosen = !row.is_refused(),
            Some(_) => row.item.is_chosen = false,
            None => {}
        }
    }
}

impl BulkOverlay {
    /// The choices that stand there. A recovery has none of its own, and hands on those from before.
    pub(super) fn choices(&self) -> Kept {
        let mut kept = self.kept.clone();
        if !self.by.is_sweep() {
            self.rows.iter().for_each(|row| kept.take(row));
        }
        kept
    }

    /// The same plan with the choices that were made by another route. A recovery asks nobody which
    /// rows it sends: there they are only told of.
    pub(super) fn keeping(mut self, kept: Kept) -> Self {
        for row in &mut self.rows {
            if self.by.is_sweep() {
                row.is_unwanted = kept.leaves_out(&row.message, &row.item.endpoint);
            } else {
                kept.apply(row);
            }
        }
        self.kept = kept;
        self
    }
}
