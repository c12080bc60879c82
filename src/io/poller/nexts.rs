//! When the service tries again what failed, where it says so: a Svix server does, of a message's
//! destinations.

use super::Poller;
use crate::domain::time::SECOND;
use crate::domain::{
    ChangeKind, Delivery, Failure, FailureKind, Forecast, MessageId, NextTry, OutcomeState,
};

/// Messages asked about in one round; the others have their turn in the next.
const MAX_ASKED: usize = 20;
/// So near to the time of a retry it may be under way, and none be planned for that; in
/// microseconds. One that is late for so long is asked about again.
const NEAR: i64 = 60 * SECOND;
/// Messages of the newest that are weighed for what is not known.
const WEIGHED: usize = 500;

impl Poller {
    /// Asks when messages that failed are tried again, unless that is known since their last
    /// attempt. A server without such a route is not asked again.
    pub(super) async fn nexts(&mut self) -> Result<(), Failure> {
        let Some(svix) = self.client.svix.clone().filter(|_| !self.has_no_nexts) else {
            return Ok(());
        };
        let unknown: Vec<MessageId> = self
            .held
            .deliveries
            .newest()
            .take(WEIGHED)
            .filter(|held| self.is_next_unknown(held))
            .map(|held| held.id.clone())
            .collect();
        // Those of which nothing can be told yet do not keep the others from being asked about.
        let turn = self.round as usize * MAX_ASKED % unknown.len().max(1);
        let n_asked = unknown.len().min(MAX_ASKED);
        for message in unknown.into_iter().cycle().skip(turn).take(n_asked) {
            let page = match svix.destinations(&message).await {
                Ok(page) => page,
                Err(failure) if failure.kind == FailureKind::NotOffered => {
                    self.has_no_nexts = true;
                    return Ok(());
                }
                // The message expired, or was deleted.
                Err(failure) if failure.kind == FailureKind::NotFound => continue,
                Err(failure) => return Err(failure),
            };
            self.tell_unreadable(page.unreadable).await;
            let Some(held) = self.held.deliveries.get(&message) else {
                continue;
            };
            let now = self.outlet.clock().now().wall;
            let told = page.rows.into_iter().filter_map(|row| {
                let outcome = held.outcome(&row.value.endpoint.id)?;
                let estimate = self
                    .held
                    .schedule
                    .forecast(&held.attempts_at(&outcome.endpoint));
                if row.value.next_attempt.is_none()
                    && let Forecast::Next { at, .. } | Forecast::Uncertain { at, .. } = estimate
                    && (at.0 - now.0).abs() < NEAR
                {
                    return None;
                }
                Some(ChangeKind::NextTry(Box::new(NextTry {
                    message: message.clone(),
                    endpoint: row.value.endpoint.id,
                    after: outcome.last.clone(),
                    at: row.value.next_attempt,
                })))
            });
            let told = told.collect();
            self.tell(told).await;
        }
        Ok(())
    }

    /// Whether it failed at an endpoint where more attempts are to be expected, and the service
    /// has not said when.
    fn is_next_unknown(&self, held: &Delivery) -> bool {
        let now = self.outlet.clock().now().wall;
        held.outcomes.iter().any(|outcome| {
            outcome.state == OutcomeState::Failed
                && match held.forecast(&self.held.schedule, &outcome.endpoint) {
                    Forecast::Next {
                        at, is_exact: true, ..
                    } => now.since(at) > NEAR,
                    Forecast::Next { .. } | Forecast::Uncertain { .. } => true,
                    // The schedule may be another than the one that is known here.
                    Forecast::Exhausted { .. } => held.next_told(&outcome.endpoint).is_none(),
                    _ => false,
                }
        })
    }
}
