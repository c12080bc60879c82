//! What is pending: messages whose attempts are awaited, looked at by id, and whether the next look
//! should come soon.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Duration;

use super::asking::MOST_SILENT;
use super::{ATTEMPTS, Poller, is_asked, is_of_rights};
use crate::domain::time::SECOND;
use crate::domain::{
    Delivery, Endpoint, Failure, FailureKind, Forecast, MessageId, OutcomeState, Time,
};
use crate::io::client::FULL_PAGE;

/// Messages looked at by id in one round.
const MAX_PENDING: usize = 20;
/// How often the rounds are doubled after which a message that nobody was sent is looked at again.
const MOST_DOUBLED: u32 = 6;
/// Messages of the newest that are weighed for what is pending.
const WEIGHED: usize = 500;
/// A message without attempts is waited for this long.
const AWAIT_FIRST: i64 = 600 * SECOND;
/// An automatic retry within this time is waited for at the quick pace…
const SOON: i64 = 30 * SECOND;
/// … and this long after it was due.
const OVERDUE: i64 = 120 * SECOND;
/// A message with an open replay is looked at for this long, …
const WATCH: Duration = Duration::from_hours(24);
/// … and this long at the quick pace.
const AWAITED: Duration = Duration::from_mins(10);

/// Looks at a message by its id.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Looked {
    /// In which round the last one was.
    round: u64,
    n: u32,
}

impl Looked {
    /// Whether one that told nothing is looked at again: after twice as many rounds each time, as it
    /// may be meant for nobody (by channels, say, which are not known here).
    fn is_due(self, round: u64) -> bool {
        round >= self.round + (1 << self.n.min(MOST_DOUBLED))
    }
}

impl Poller {
    /// Looks at pending messages by id, those that were looked at longest ago first.
    pub(super) async fn pending(&mut self) -> Result<(), Failure> {
        if !self.is_worth(ATTEMPTS) {
            return Ok(());
        }
        let mut pending = self.pending_messages();
        if self.held.endpoints.is_empty() {
            // Endpoints that cannot be listed are found by the attempts of messages.
            pending.extend(
                self.held
                    .deliveries
                    .newest()
                    .take(MAX_PENDING)
                    .map(|held| held.id.clone()),
            );
        }
        let mut seen = HashSet::new();
        pending.retain(|id| seen.insert(id.clone()));
        pending.sort_by_key(|id| self.looked.get(id).map_or(0, |looked| looked.round));
        pending.truncate(MAX_PENDING);
        self.looked
            .retain(|_, looked| looked.round + 100 > self.round);
        let (mut first, mut n_silent) = (Ok(()), 0);
        for message in pending {
            let looked = self.looked.entry(message.clone()).or_default();
            *looked = Looked {
                round: self.round,
                n: looked.n + 1,
            };
            let page = self.client.attempts_of(&message, FULL_PAGE, None).await;
            match self.offered(ATTEMPTS, page).await {
                Ok(Some(page)) => {
                    self.take_attempts(page).await;
                }
                Ok(None) => {}
                Err(failure) if failure.kind == FailureKind::NotFound => {}
                Err(failure) => {
                    n_silent += usize::from(failure.is_silent());
                    // The others come first in the next round.
                    if is_asked(&failure) || is_of_rights(&failure) || n_silent == MOST_SILENT {
                        return Err(failure);
                    }
                    first = first.and(Err(failure));
                }
            }
        }
        first
    }

    pub(super) fn pending_messages(&self) -> Vec<MessageId> {
        let now = self.service_now();
        let mut pending = self.watched();
        pending.extend(
            self.held
                .deliveries
                .newest()
                .take(WEIGHED)
                .filter(|held| is_sending(held) || self.is_awaited_first(held, now))
                .map(|held| held.id.clone()),
        );
        pending
    }

    /// The service's clock, as its newest message tells it, unless that bears a time that is still to
    /// come: ours may be wrong.
    pub(super) fn service_now(&self) -> Time {
        let (newest, seen) = self.newest;
        let now = self.at();
        let by_messages = newest.plus(now.mono - seen);
        now.service
            .map_or(by_messages, |service| service.min(by_messages))
    }

    /// Messages with open replays, without those that were watched long enough.
    pub(super) fn watched(&self) -> Vec<MessageId> {
        let mut open = self
            .open_replays
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, since| since.elapsed() < WATCH);
        open.keys().map(|(message, _)| message.clone()).collect()
    }

    /// Whether the attempt of a replay may come any moment.
    fn is_awaited(&self) -> bool {
        let open = self
            .open_replays
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.values().any(|since| since.elapsed() < AWAITED)
    }

    /// Whether its first attempt may come any moment.
    fn is_awaited_first(&self, held: &Delivery, now: Time) -> bool {
        let looked = self.looked.get(&held.id);
        looked.is_none_or(|looked| looked.is_due(self.round)) && self.is_unsent(held, now)
    }

    /// Whether no attempt was seen of a young message that some endpoint wants.
    fn is_unsent(&self, held: &Delivery, now: Time) -> bool {
        let Some(message) = &held.message else {
            return false;
        };
        let is_unsent = |endpoint: &Endpoint| {
            let wants = endpoint
                .event_types
                .as_ref()
                .is_none_or(|types| types.contains(&message.kind));
            let existed = endpoint
                .created
                .is_none_or(|created| created <= message.accepted);
            // What an endpoint known from attempts alone wants, nobody knows.
            let is_told = !endpoint.disabled && !endpoint.is_inferred;
            is_told && wants && existed && held.outcome(&endpoint.id).is_none()
        };
        now.since(message.accepted) < AWAIT_FIRST && self.held.endpoints.values().any(is_unsent)
    }

    /// Whether the next look should come soon. What has been pending for long is looked at as
    /// well, but at the ordinary pace.
    pub(super) fn is_pending(&self) -> bool {
        let now = self.held.service_time(self.outlet.clock().now().wall);
        let service_now = self.service_now();
        self.is_awaited()
            || self.is_reading_back()
            || self.is_catching_up()
            || self.held.deliveries.newest().take(WEIGHED).any(|held| {
                let is_young = service_now.since(held.time()) < AWAIT_FIRST;
                is_young && is_sending(held)
                    || self.is_awaited_first(held, service_now)
                    || self.is_retry_near(held, now)
            })
    }

    /// Whether the service may try it again any moment; `now` is by its clock.
    pub(super) fn is_retry_near(&self, held: &Delivery, now: Time) -> bool {
        held.outcomes
            .iter()
            .filter(|outcome| outcome.state == OutcomeState::Failed)
            .any(
                |outcome| match self.held.forecast(held, &outcome.endpoint) {
                    Forecast::Next { at, .. } | Forecast::Uncertain { at, .. } => {
                        at < now.plus(SOON) && now.since(at) < OVERDUE
                    }
                    _ => false,
                },
            )
    }
}

fn is_sending(held: &Delivery) -> bool {
    held.outcomes
        .iter()
        .any(|outcome| outcome.state == OutcomeState::Sending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_told_nothing_is_looked_at_less_and_less_often() {
        let mut looked = Looked::default();
        let mut rounds = Vec::new();
        for round in 1..400 {
            if looked.is_due(round) {
                let n = looked.n + 1;
                looked = Looked { round, n };
                rounds.push(round);
            }
        }
        assert_eq!(rounds, [1, 3, 7, 15, 31, 63, 127, 191, 255, 319, 383]);
    }
}
