//! What a plan of many does not know: messages that are not read yet, or whose attempts are not. Whether
//! these failed, or match what was asked for, nobody knows, and what is read while the plan is open is not
//! in it.

use std::collections::HashSet;

use super::{BulkOverlay, Scope};
use crate::app::subject::DeliverySubject;
use crate::domain::{
    self, EndpointId, EndpointOutcome, History, MessageId, OutcomeState, Time, plural, visible,
};

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
    /// Messages that are not known to be asked for, and may turn out to be by attempts that are not
    /// read; the oldest first.
    others: Vec<MessageId>,
    /// How many of them do not yet, …
    pub n_others: usize,
    /// … and why what they wait for is not read: `are not read yet`.
    pub why_others: Option<String>,
    /// Messages that turned out to be asked for since the plan was made, once all of them is read, …
    more: Vec<MessageId>,
    /// … and with those of the others that do by now.
    pub n_more: usize,
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
        let messages_before = history.messages_unread_before();
        let mut unread = messages.to_vec();
        unread.retain(|id| is_unread(history, id, endpoint.as_ref()));
        let mut not_read = Self {
            messages: unread,
            others: others(history, scope, messages, endpoint.as_ref()),
            endpoint,
            messages_before: messages_before.filter(|_| scope.takes_what_comes(history)),
            ..Self::default()
        };
        not_read.note_failing(history);
        not_read.look_at_others(history, scope);
        not_read
    }

    /// Looks again at messages that may turn out to be asked for.
    pub(super) fn look_at_others(&mut self, history: &History, scope: &Scope) {
        let endpoint = self.endpoint.as_ref();
        let is_taken = |id: &MessageId| {
            let delivery = history.deliveries.get(id);
            delivery.is_some_and(|it| scope.takes(history, it, endpoint))
        };
        let n_passed_by = self.others.len().saturating_sub(LOOKED_AT);
        let (mut n_taken, mut yet, mut failed) = (0, None, None);
        for id in self.others.split_off(n_passed_by) {
            match why_open(history, &id, endpoint) {
                Some(why) => {
                    match why {
                        domain::NotRead::Failed(_) => failed = Some(why),
                        domain::NotRead::Yet | domain::NotRead::Absent => yet = Some(why),
                    }
                    n_taken += usize::from(is_taken(&id));
                    self.others.push(id);
                }
                None => self.more.push(id),
            }
        }
        self.more.retain(is_taken);
        self.n_more = self.more.len() + n_taken;
        self.n_others = self.others.len() - n_taken;
        self.why_others = failed.or(yet).map(words_of_many);
    }

    /// Whether more may be asked for than the plan holds.
    pub fn is_part(&self) -> bool {
        self.messages_before.is_some() || self.n_others + self.n_more > 0
    }

    /// Where alone attempts matter, if only one endpoint is meant.
    pub fn endpoint(&self) -> Option<&EndpointId> {
        self.endpoint.as_ref()
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

    /// All of them, the newest first, and then those that may be asked for.
    pub(super) fn newest(&self) -> impl Iterator<Item = &MessageId> {
        self.messages.iter().rev().chain(self.others.iter().rev())
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

/// Messages that are not among those that are asked for, and may be by attempts that are not read.
fn others(
    history: &History,
    scope: &Scope,
    messages: &[MessageId],
    endpoint: Option<&EndpointId>,
) -> Vec<MessageId> {
    let Some(query) = scope.may_take(history) else {
        return Vec::new();
    };
    let asked_for: HashSet<&MessageId> = messages.iter().collect();
    let mut others: Vec<MessageId> = history
        .deliveries
        .newest()
        .filter(|delivery| {
            let delivery = *delivery;
            !asked_for.contains(&delivery.id)
                && query.matches(&DeliverySubject { history, delivery })
                && why_open(history, &delivery.id, endpoint).is_some()
        })
        .map(|delivery| delivery.id.clone())
        .collect();
    others.reverse();
    others
}

/// Why attempts of a message may be there that are not known here and tell more of it, if they may.
/// Where it was delivered, none tells more.
fn why_open<'a>(
    history: &'a History,
    id: &MessageId,
    endpoint: Option<&EndpointId>,
) -> Option<domain::NotRead<'a>> {
    let delivery = history.deliveries.get(id)?;
    let is_open = |outcome: &&EndpointOutcome| match endpoint {
        Some(only) => {
            let is_over = matches!(
                outcome.state,
                OutcomeState::Delivered | OutcomeState::Failed
            );
            outcome.endpoint == *only && !is_over
        }
        None => outcome.state != OutcomeState::Delivered,
    };
    let at_known = || {
        let mut open = delivery.outcomes.iter().filter(is_open);
        open.find_map(|outcome| history.attempts_missing(delivery, &outcome.endpoint))
    };
    why_unread(history, id, endpoint).or_else(at_known)
}

fn words_of_many(why: domain::NotRead<'_>) -> String {
    match why {
        domain::NotRead::Failed(_) => why.words(),
        domain::NotRead::Yet | domain::NotRead::Absent => format!("are {}", why.words()),
    }
}

impl BulkOverlay {
    /// Whether it is of what matches a filter.
    pub fn is_filtered(&self) -> bool {
        self.scope.is_filtered()
    }

    /// Why there is nothing to replay.
    pub(super) fn why_empty(&self) -> String {
        let takes_failures = matches!(self.scope, Scope::Endpoint(_) | Scope::Cause(_));
        match (self.n_messages, self.not_read.n()) {
            _ if self.not_read.n_others > 0 => {
                let n = plural(self.not_read.n_others, "message", "messages");
                let why = visible(self.not_read.why_others.as_deref().unwrap_or_default());
                format!(
                    "nothing is known to have failed, but the attempts of {n} that may be among it {why}"
                )
            }
            _ if self.not_read.n_more > 0 => {
                "what was read just now is not in it; R again in a moment".to_owned()
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
