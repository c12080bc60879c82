//! Rows as queries see them: what each kind of row answers to a term.

use crate::domain::query::{Field, Subject, Test};
use crate::domain::{
    Attempt, AttemptStatus, Cause, CauseId, Delivery, Endpoint, EndpointId, EventEntry, Feature,
    FeatureState, History, MessageId, Query, TaskRow, TaskState, Time,
};

mod outcome;
mod receipt;
mod replay;

use outcome::{has_outcome, is_outcome_unknown};
pub use receipt::ReceiptSubject;
pub use replay::ReplaySubject;

type See<'a> = &'a mut dyn FnMut(&str) -> bool;

/// A task.
pub struct TaskSubject<'a> {
    pub history: &'a History,
    pub row: TaskRow<'a>,
}

impl Subject for TaskSubject<'_> {
    fn state(&self) -> Option<TaskState> {
        Some(self.row.state())
    }

    fn has_outcome(&self, word: &str) -> bool {
        let is_done = || self.row.features().tally().unfinished == 0;
        match word {
            // A task's own states are asked for by `state`; these would be its webhooks'.
            "failed" | "completed" | "queued" | "processing" | "cancelled" => false,
            "done" => is_done(),
            "active" => !is_done(),
            _ => self
                .history
                .deliveries
                .of_task(&self.row.id())
                .next()
                .is_some_and(|delivery| has_outcome(self.history, delivery, word)),
        }
    }

    fn is_outcome_unknown(&self, word: &str) -> bool {
        // What a task itself tells is known.
        let is_of_webhooks = !matches!(
            word,
            "failed" | "completed" | "queued" | "processing" | "cancelled" | "done" | "active"
        );
        let last = self.history.deliveries.of_task(&self.row.id()).next();
        is_of_webhooks && last.is_some_and(|last| is_outcome_unknown(self.history, last, word))
    }

    fn feature(&self, feature: &Feature) -> Option<FeatureState> {
        self.row.features().get(feature)
    }

    fn time(&self) -> Option<Time> {
        Some(self.row.updated())
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        match field {
            Field::Id | Field::Task => see(self.row.id().0.as_text(&mut [0; 36])),
            Field::Asset => asset_field(self.history, self.row, see),
            Field::User => see(self.row.user().0.as_text(&mut [0; 36])),
            Field::Type => self
                .history
                .events_of(&self.row.id())
                .next()
                .is_some_and(|entry| see(entry.kind.name())),
            Field::Message => self
                .history
                .deliveries
                .of_task(&self.row.id())
                .any(|delivery| see(delivery.id.0.as_text(&mut [0; 36]))),
            Field::Endpoint | Field::Code | Field::Trigger | Field::Cause => self
                .history
                .deliveries
                .of_task(&self.row.id())
                .next()
                .is_some_and(|delivery| delivery_field(self.history, delivery, field, see)),
        }
    }

    fn texts(&self, see: See<'_>) -> bool {
        see(self.row.id().0.as_text(&mut [0; 36])) || asset_field(self.history, self.row, see)
    }
}

fn asset_field(history: &History, row: TaskRow<'_>, see: See<'_>) -> bool {
    let asset = row.asset();
    see(asset.0.as_text(&mut [0; 36])) || history.asset_name(&asset).is_some_and(|name| see(name))
}

/// An event of the stream.
pub struct EventSubject<'a> {
    pub history: &'a History,
    pub entry: &'a EventEntry,
}

impl Subject for EventSubject<'_> {
    fn state(&self) -> Option<TaskState> {
        self.entry.task.as_ref().map(|sight| sight.state)
    }

    fn has_outcome(&self, word: &str) -> bool {
        let is_done = self
            .entry
            .task
            .as_ref()
            .map(|sight| sight.features.tally().unfinished == 0);
        match word {
            "done" => is_done == Some(true),
            "active" => is_done == Some(false),
            _ => false,
        }
    }

    fn feature(&self, feature: &Feature) -> Option<FeatureState> {
        self.entry.task.as_ref()?.features.get(feature)
    }

    fn time(&self) -> Option<Time> {
        Some(self.history.event_time(self.entry))
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        match field {
            Field::Id => see(self.entry.id.0.as_text(&mut [0; 36])),
            Field::Type => see(self.entry.kind.name()),
            Field::Task => self
                .entry
                .task
                .as_ref()
                .is_some_and(|sight| see(sight.task.0.as_text(&mut [0; 36]))),
            Field::Asset | Field::User => {
                let row = self.entry.task.as_ref();
                let row = row.and_then(|sight| self.history.tasks.get(&sight.task));
                row.is_some_and(|row| match field {
                    Field::User => see(row.user().0.as_text(&mut [0; 36])),
                    _ => asset_field(self.history, row, see),
                })
            }
            Field::Message | Field::Endpoint | Field::Code | Field::Trigger | Field::Cause => self
                .history
                .deliveries
                .of_event(&self.entry.id)
                .is_some_and(|delivery| delivery_field(self.history, delivery, field, see)),
        }
    }

    fn texts(&self, see: See<'_>) -> bool {
        self.field(Field::Id, see)
            || self.field(Field::Type, see)
            || self.field(Field::Task, see)
            || self.field(Field::Asset, see)
    }
}

impl TaskSubject<'_> {
    /// Whether what a query asks of tasks is told by their messages and these's attempts, so that
    /// what is not read of them may match.
    pub fn asks_webhooks(query: &Query) -> bool {
        let fields = [
            Field::Message,
            Field::Endpoint,
            Field::Code,
            Field::Trigger,
            Field::Cause,
        ];
        let is_asked = |test: &Test| match test {
            Test::Outcome(word) => !matches!(*word, "done" | "active"),
            _ => false,
        };
        query.names_any(&fields) || query.terms().iter().any(|term| is_asked(&term.test))
    }
}

impl DeliverySubject<'_> {
    /// Whether what a query asks of messages is told by their attempts, so that what is not read of
    /// these may match.
    pub fn asks_attempts(query: &Query) -> bool {
        let mut terms = query.terms().iter();
        terms.any(|term| Self::is_told_by_attempts(&term.test))
    }

    /// The same of one test.
    pub fn is_told_by_attempts(test: &Test) -> bool {
        match test {
            Test::State(_) | Test::Text(_) => true,
            Test::Outcome(word) => *word != "replayed",
            test => test.is_of_attempts(),
        }
    }
}

/// A message with its attempts.
pub struct DeliverySubject<'a> {
    pub history: &'a History,
    pub delivery: &'a Delivery,
}

impl Subject for DeliverySubject<'_> {
    fn state(&self) -> Option<TaskState> {
        None
    }

    fn has_outcome(&self, word: &str) -> bool {
        has_outcome(self.history, self.delivery, word)
    }

    fn is_outcome_unknown(&self, word: &str) -> bool {
        is_outcome_unknown(self.history, self.delivery, word)
    }

    fn feature(&self, feature: &Feature) -> Option<FeatureState> {
        let task = self.delivery.message.as_ref()?.task.as_ref()?;
        self.history.tasks.get(task)?.features().get(feature)
    }

    fn time(&self) -> Option<Time> {
        Some(self.delivery.time())
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        delivery_field(self.history, self.delivery, field, see)
    }

    fn texts(&self, see: See<'_>) -> bool {
        [
            Field::Id,
            Field::Type,
            Field::Task,
            Field::Asset,
            Field::Endpoint,
        ]
        .into_iter()
        .any(|field| delivery_field(self.history, self.delivery, field, see))
    }
}

fn delivery_field(history: &History, delivery: &Delivery, field: Field, see: See<'_>) -> bool {
    let message = delivery.message.as_ref();
    let task = message.and_then(|message| message.task.as_ref());
    match field {
        Field::Id | Field::Message => {
            see(delivery.id.0.as_text(&mut [0; 36]))
                || message
                    .and_then(|message| message.event.as_ref())
                    .is_some_and(|event| see(event.0.as_text(&mut [0; 36])))
        }
        Field::Type => message.is_some_and(|message| see(message.kind.name())),
        Field::Task => task.is_some_and(|task| see(task.0.as_text(&mut [0; 36]))),
        Field::Asset | Field::User => {
            task.and_then(|task| history.tasks.get(task))
                .is_some_and(|row| match field {
                    Field::User => see(row.user().0.as_text(&mut [0; 36])),
                    _ => asset_field(history, row, see),
                })
        }
        Field::Endpoint => delivery.outcomes.iter().any(|outcome| {
            see(outcome.endpoint.0.as_text(&mut [0; 36]))
                || history
                    .endpoints
                    .get(&outcome.endpoint)
                    .is_some_and(|endpoint| see(&endpoint.url) || see(&endpoint.description))
        }),
        Field::Code => delivery
            .attempts()
            .iter()
            .any(|attempt| see(&attempt.code.to_string())),
        Field::Trigger => delivery
            .attempts()
            .iter()
            .any(|attempt| see(attempt.trigger.name())),
        Field::Cause => {
            let mut causes = delivery.causes().iter().flatten();
            causes.any(|cause| see(&cause.to_string()))
        }
    }
}

/// One attempt.
pub struct AttemptSubject<'a> {
    pub history: &'a History,
    pub attempt: &'a Attempt,
}

impl Subject for AttemptSubject<'_> {
    fn state(&self) -> Option<TaskState> {
        None
    }

    fn has_outcome(&self, word: &str) -> bool {
        let status = &self.attempt.status;
        match word {
            "failed" => *status == AttemptStatus::Fail,
            "delivered" | "completed" => *status == AttemptStatus::Success,
            "sending" => matches!(status, AttemptStatus::Pending | AttemptStatus::Sending),
            "canceled" | "cancelled" => *status == AttemptStatus::Canceled,
            "manual" | "scheduled" => self.attempt.trigger.name() == word,
            "broken" => {
                let broken = self.history.deliveries.broken();
                *status == AttemptStatus::Fail && broken.contains(&self.attempt.message)
            }
            "replayed" => self.history.replays.cause_of(&self.attempt.id).is_some(),
            _ => false,
        }
    }

    fn feature(&self, _: &Feature) -> Option<FeatureState> {
        None
    }

    fn time(&self) -> Option<Time> {
        Some(self.attempt.started)
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        let attempt = self.attempt;
        match field {
            Field::Id => see(attempt.id.0.as_text(&mut [0; 36])),
            Field::Message => see(attempt.message.0.as_text(&mut [0; 36])),
            Field::Endpoint => {
                see(attempt.endpoint.0.as_text(&mut [0; 36]))
                    || see(&attempt.url)
                    || self
                        .history
                        .endpoints
                        .get(&attempt.endpoint)
                        .is_some_and(|endpoint| see(&endpoint.description))
            }
            Field::Code => see(&attempt.code.to_string()),
            Field::Trigger => see(attempt.trigger.name()),
            Field::Cause => Cause::of(attempt).is_some_and(|cause| see(&cause.id.to_string())),
            Field::Type | Field::Task | Field::Asset | Field::User => self
                .history
                .deliveries
                .get(&attempt.message)
                .is_some_and(|delivery| delivery_field(self.history, delivery, field, see)),
        }
    }

    fn texts(&self, see: See<'_>) -> bool {
        self.field(Field::Id, see)
            || self.field(Field::Message, see)
            || self.field(Field::Endpoint, see)
            || see(&self.attempt.response)
    }
}

/// Whether a query that lets a message pass means this endpoint of it: what it says of endpoints,
/// codes and causes holds for the last attempt there.
pub fn means_endpoint(
    history: &History,
    query: &Query,
    message: &MessageId,
    endpoint: &EndpointId,
) -> bool {
    let query = query.of_attempts();
    if query.is_empty() {
        return true;
    }
    let delivery = history.deliveries.get(message);
    let last = delivery.and_then(|it| it.attempts_at(endpoint).pop());
    last.is_some_and(|attempt| query.matches(&AttemptSubject { history, attempt }))
}

/// Whether a query means what a cause did to a message: it lets the message pass, and what it says
/// of endpoints, codes and causes holds for an attempt that failed by the cause.
pub fn means_cause(history: &History, query: &Query, message: &MessageId, cause: CauseId) -> bool {
    let Some(delivery) = history.deliveries.get(message) else {
        return false;
    };
    let of_attempts = query.of_attempts();
    let mut failed = delivery.attempts().iter().zip(delivery.causes());
    query.matches(&DeliverySubject { history, delivery })
        && failed.any(|(attempt, by)| {
            *by == Some(cause) && of_attempts.matches(&AttemptSubject { history, attempt })
        })
}

/// An endpoint.
pub struct EndpointSubject<'a> {
    pub endpoint: &'a Endpoint,
    /// Whether messages are failing there now.
    pub is_failing: bool,
}

impl Subject for EndpointSubject<'_> {
    fn state(&self) -> Option<TaskState> {
        None
    }

    fn has_outcome(&self, word: &str) -> bool {
        match word {
            "disabled" => self.endpoint.disabled,
            "enabled" | "active" => !self.endpoint.disabled,
            "failed" => self.is_failing,
            "delivered" => !self.is_failing,
            _ => false,
        }
    }

    fn feature(&self, _: &Feature) -> Option<FeatureState> {
        None
    }

    fn time(&self) -> Option<Time> {
        self.endpoint.created
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        match field {
            Field::Id | Field::Endpoint => {
                see(self.endpoint.id.0.as_text(&mut [0; 36]))
                    || see(&self.endpoint.url)
                    || see(&self.endpoint.description)
            }
            Field::Type => match &self.endpoint.event_types {
                Some(types) => types.iter().any(|kind| see(kind.name())),
                None => true,
            },
            _ => false,
        }
    }

    fn texts(&self, see: See<'_>) -> bool {
        self.field(Field::Endpoint, see)
    }
}
