//! What a plan of many does not know: messages that are not read yet, or whose attempts are not. Whether these failed,
//! nobody knows, and what is read while the plan is open is not in it.

use std::collections::HashSet;

use super::{BulkOverlay, Scope};
use crate::app::{Effect, Sight};
use crate::domain::{EndpointId, History, MessageId, OutcomeState, Time};

/// Messages read by their ids as a plan opens; logs are read back by themselves.
const READ_NOW: usize = 50;
/// Of more messages than these, the newest alone are looked at again: they are read first.
const LOOKED_AT: usize = 2000;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotRead {
    /// The oldest first.
    messages: Vec<MessageId>,
    /// Where alone it matters, if only one endpoint is meant.
    endpoint: Option<EndpointId>,
    /// Pairs that turned out to have failed since the plan was made.
    pub n_found: usize,
    /// Where only what is known to have failed was asked for: before when attempts may be missing;
    /// the far future where none were read.
    pub before: Option<Time>,
    /// Before when messages may be missing, where more was asked for than is known: the far future
    /// where none were read.
    pub messages_before: Option<Time>,
}

impl NotRead {
    pub(super) fn of(
        history: &History,
        scope: &Scope,
        messages: &[MessageId],
        endpoint: Option<EndpointId>,
    ) -> Self {
        let takes_failures = matches!(scope, Scope::Endpoint(_) | Scope::Cause(_));
        let before = history.attempts_unread_before();
        let messages_before = history.messages_unread_before();
        let mut unread = messages.to_vec();
        unread.retain(|id| is_unread(history, id, endpoint.as_ref()));
        Self {
            messages: unread,
            endpoint,
            n_found: 0,
            before: before.filter(|_| takes_failures),
            messages_before: messages_before.filter(|_| scope.takes_what_comes(history)),
        }
    }

    /// Messages that may have failed or not.
    pub fn n(&self) -> usize {
        self.messages.len()
    }

    /// Whether a message is one of them.
    pub(super) fn has(&self, history: &History, message: &MessageId) -> bool {
        is_unread(history, message, self.endpoint.as_ref())
    }

    /// Reads the newest of them.
    pub(super) fn looks(&self) -> Vec<Effect> {
        let newest = self.messages.iter().rev().take(READ_NOW);
        newest
            .map(|id| Effect::Look(Sight::Attempts(id.clone())))
            .collect()
    }

    /// Whether older messages were read since, which are not in the plan.
    pub fn is_outrun(&self, history: &History) -> bool {
        history.messages_unread_before() < self.messages_before
    }

    /// Those that were read since the last look.
    fn take_read(&mut self, history: &History) -> Vec<MessageId> {
        let n_passed_by = self.messages.len().saturating_sub(LOOKED_AT);
        let looked_at = self.messages.split_off(n_passed_by);
        let endpoint = self.endpoint.as_ref();
        let (unread, read): (Vec<_>, _) = looked_at
            .into_iter()
            .partition(|id| is_unread(history, id, endpoint));
        self.messages.extend(unread);
        read
    }
}

fn is_unread(history: &History, id: &MessageId, endpoint: Option<&EndpointId>) -> bool {
    history
        .deliveries
        .get(id)
        .is_some_and(|delivery| match endpoint {
            Some(endpoint) => history.is_unread(delivery, endpoint),
            None => history.is_unread_somewhere(delivery),
        })
}

impl BulkOverlay {
    /// Why there is nothing to replay.
    pub(super) fn why_empty(&self) -> String {
        let takes_failures = matches!(self.scope, Scope::Endpoint(_) | Scope::Cause(_));
        match (self.n_messages, self.not_read.n()) {
            _ if self.not_read.before.is_some() => {
                "nothing is known to have failed, but not all attempts are read".to_owned()
            }
            _ if self.not_read.messages_before.is_some() => {
                "nothing is known to have failed, but not all messages are read".to_owned()
            }
            (0, _) if !takes_failures => "there is no message".to_owned(),
            (_, 0) => "nothing to replay, as the last attempt failed nowhere".to_owned(),
            (_, n) => format!(
                "nothing is known to have failed, but the attempts of {n} are not read yet; R again \
                 in a moment"
            ),
        }
    }

    /// Counts what was read since and failed, and stands in no row: no row becomes chosen by itself,
    /// as the user may be about to press Enter.
    pub(super) fn look_for_failures(&mut self, history: &History) {
        let read = self.not_read.take_read(history);
        if read.is_empty() {
            return;
        }
        let rows = self.rows.iter();
        let in_rows: HashSet<_> = rows.map(|row| (&row.message, &row.item.endpoint)).collect();
        let mut n_found = 0;
        for delivery in read.iter().filter_map(|id| history.deliveries.get(id)) {
            let failed = delivery.outcomes.iter().filter(|outcome| {
                outcome.state == OutcomeState::Failed
                    && !in_rows.contains(&(&delivery.id, &outcome.endpoint))
                    && !history
                        .deliveries
                        .is_superseded(delivery, &outcome.endpoint)
                    && self.scope.means(history, &delivery.id, &outcome.endpoint)
            });
            n_found += failed.count();
        }
        self.not_read.n_found += n_found;
    }
}
