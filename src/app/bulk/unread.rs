//! What a plan of many does not know: messages that are not read yet, or whose attempts are not. Whether these failed,
//! nobody knows, and what is read while the plan is open is not in it.

use std::collections::HashSet;

use super::{BulkOverlay, Scope};
use crate::domain::{self, EndpointId, History, MessageId, OutcomeState, Time, visible};

/// Of more messages than these, the newest alone are looked at again: they are read first.
const LOOKED_AT: usize = 2000;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotRead {
    /// The oldest first.
    messages: Vec<MessageId>,
    /// Where alone it matters, if only one endpoint is meant.
    endpoint: Option<EndpointId>,
    /// Those of them whose attempts cannot be read, and why not.
    pub n_failed: usize,
    pub why: Option<String>,
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
        let mut not_read = Self {
            messages: unread,
            endpoint,
            n_failed: 0,
            why: None,
            n_found: 0,
            before: before.filter(|_| takes_failures),
            messages_before: messages_before.filter(|_| scope.takes_what_comes(history)),
        };
        not_read.note_failing(history);
        not_read
    }

    /// Takes note of those that cannot be read.
    fn note_failing(&mut self, history: &History) {
        let endpoint = self.endpoint.as_ref();
        let looked_at = self.messages.iter().rev().take(LOOKED_AT);
        let failing = looked_at.filter_map(|id| match why_unread(history, id, endpoint)? {
            domain::NotRead::Failed(why) => Some(why),
            domain::NotRead::Yet | domain::NotRead::Absent => None,
        });
        let mut n_failed = 0;
        let why = failing.inspect(|_| n_failed += 1).last();
        self.why = why.map(str::to_owned);
        self.n_failed = n_failed;
    }

    /// Messages that may have failed or not.
    pub fn n(&self) -> usize {
        self.messages.len()
    }

    /// Whether a message is one of them.
    pub(super) fn has(&self, history: &History, message: &MessageId) -> bool {
        is_unread(history, message, self.endpoint.as_ref())
    }

    /// All of them, the newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &MessageId> {
        self.messages.iter().rev()
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
        self.note_failing(history);
        read
    }
}

fn is_unread(history: &History, id: &MessageId, endpoint: Option<&EndpointId>) -> bool {
    why_unread(history, id, endpoint).is_some()
}

/// Why it is not known whether a message failed, if it is not.
fn why_unread<'a>(
    history: &'a History,
    id: &MessageId,
    endpoint: Option<&EndpointId>,
) -> Option<domain::NotRead<'a>> {
    let delivery = history.deliveries.get(id)?;
    match endpoint {
        Some(endpoint) if delivery.outcome(endpoint).is_some() => None,
        Some(endpoint) => history.attempts_missing(delivery, endpoint),
        None => history.why_unread_somewhere(delivery),
    }
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
            (_, n) if n == self.not_read.n_failed => {
                let why = visible(self.not_read.why.as_deref().unwrap_or_default()).into_owned();
                format!(
                    "nothing is known to have failed, but the attempts of {n} cannot be read: {why}"
                )
            }
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
