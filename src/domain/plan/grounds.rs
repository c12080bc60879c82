//! What a decision to send a message again rests on, so that it holds no longer than that.

use std::sync::Arc;

use crate::domain::attempt::{Attempt, AttemptStatus};
use crate::domain::history::Delivery;
use crate::domain::id::{AttemptId, EndpointId};
use crate::domain::time::Time;

/// What was known of a message at an endpoint when it was decided to send it there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grounds {
    /// The attempts that had delivered it.
    delivered_by: Arc<[AttemptId]>,
    /// When the first attempt began of those that were known; `None` if none was.
    first: Option<Time>,
}

impl Grounds {
    /// What is known now.
    pub fn of(delivery: Option<&Delivery>, endpoint: &EndpointId) -> Self {
        let attempts = delivery.map_or(Vec::new(), |delivery| delivery.attempts_at(endpoint));
        Self {
            delivered_by: attempts
                .iter()
                .filter(|attempt| attempt.status == AttemptStatus::Success)
                .map(|attempt| attempt.id.clone())
                .collect(),
            first: attempts.first().map(|attempt| attempt.started),
        }
    }

    /// The attempt among those at the endpoint that delivered it and was not known to have. What is
    /// older than all that was known is no news: it left memory, or was never read.
    pub fn refuted<'a>(
        &self,
        attempts: impl IntoIterator<Item = &'a Attempt>,
    ) -> Option<&'a Attempt> {
        attempts.into_iter().find(|attempt| {
            attempt.status == AttemptStatus::Success
                && self.first.is_none_or(|first| attempt.started >= first)
                && !self.delivered_by.contains(&attempt.id)
        })
    }
}
