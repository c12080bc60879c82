//! When the service tries again what failed: of what that is to be asked, and what its answer means.

use super::super::id::{AttemptId, EndpointId, MessageId};
use super::super::schedule::{Forecast, NextTry};
use super::super::time::{SECOND, Time};
use super::{Delivery, History, OutcomeState};

/// So near to the time of a retry it may be under way, and none be planned for that; in
/// microseconds. One that is late for so long is asked about again.
const NEAR: i64 = 60 * SECOND;

/// A message of which it is asked when it is tried again, as it was known then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextAsked {
    pub message: MessageId,
    tried: Vec<Tried>,
    /// How far the service's clock is ahead of ours, in microseconds.
    ahead: i64,
}

/// An endpoint that it was tried at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tried {
    endpoint: EndpointId,
    last: AttemptId,
    /// When the next attempt is due by the schedule alone.
    due: Option<Time>,
}

impl NextAsked {
    pub fn of(history: &History, message: &MessageId) -> Self {
        let held = history.deliveries.get(message);
        let tried = held.into_iter().flat_map(|delivery| {
            delivery.outcomes.iter().map(|outcome| {
                let attempts = delivery.attempts_at(&outcome.endpoint);
                let due = match history.schedule.forecast(&attempts) {
                    Forecast::Next { at, .. } | Forecast::Uncertain { at, .. } => Some(at),
                    _ => None,
                };
                Tried {
                    endpoint: outcome.endpoint.clone(),
                    last: outcome.last.clone(),
                    due,
                }
            })
        });
        Self {
            message: message.clone(),
            tried: tried.collect(),
            ahead: history.ahead,
        }
    }

    /// What the service's word on an endpoint means; nothing where it was not tried as far as was
    /// known, and where none is planned because one may be under way.
    pub fn heard(&self, endpoint: &EndpointId, at: Option<Time>, now: Time) -> Option<NextTry> {
        let mut tried = self.tried.iter();
        let tried = tried.find(|tried| tried.endpoint == *endpoint)?;
        let now = now.plus(self.ahead);
        let is_near = |due: Time| due.0.saturating_sub(now.0).saturating_abs() < NEAR;
        if at.is_none() && tried.due.is_some_and(is_near) {
            return None;
        }
        Some(NextTry {
            message: self.message.clone(),
            endpoint: endpoint.clone(),
            after: tried.last.clone(),
            at,
        })
    }
}

impl History {
    /// Whether it failed at an endpoint where more attempts are to be expected, and the service has
    /// not said when.
    pub fn is_next_unknown(&self, delivery: &Delivery, now: Time) -> bool {
        let now = self.service_time(now);
        let mut outcomes = delivery.outcomes.iter();
        outcomes.any(|outcome| {
            outcome.state == OutcomeState::Failed
                && match self.forecast(delivery, &outcome.endpoint) {
                    Forecast::Next {
                        at, is_exact: true, ..
                    } => now.since(at) > NEAR,
                    Forecast::Next { .. } | Forecast::Uncertain { .. } => true,
                    // The schedule may be another than the one that is known here.
                    Forecast::Exhausted { .. } => delivery.next_told(&outcome.endpoint).is_none(),
                    _ => false,
                }
        })
    }
}
