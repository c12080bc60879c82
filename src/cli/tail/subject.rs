//! An event of the stream as the query language asks it: by what the event itself says.

use crate::domain::query::{Field, Subject, Test};
use crate::domain::{Event, Feature, FeatureState, Observation, Query, TaskState, Time};

type See<'a> = &'a mut dyn FnMut(&str) -> bool;

/// Refuses a query about what became of an event's message, which the stream does not tell: it
/// would let nothing pass, or everything.
pub fn check(query: &Query) -> Result<(), &'static str> {
    let is_beyond = |test: &Test| match test {
        Test::Outcome(word) => !matches!(*word, "done" | "active"),
        Test::Field(field, _) => matches!(
            field,
            Field::Message | Field::Endpoint | Field::Code | Field::Trigger
        ),
        _ => false,
    };
    if query.terms().iter().any(|term| is_beyond(&term.test)) {
        return Err(
            "it asks about webhooks, which the stream does not tell; `reeltop messages` takes it",
        );
    }
    Ok(())
}

/// An event of the stream.
pub struct EventSubject<'a>(pub &'a Event);

impl EventSubject<'_> {
    fn task(&self) -> Option<&Observation> {
        self.0.task.as_ref()
    }
}

impl Subject for EventSubject<'_> {
    fn state(&self) -> Option<TaskState> {
        self.task().map(Observation::state)
    }

    fn has_outcome(&self, word: &str) -> bool {
        match word {
            "done" => self.task().is_some_and(Observation::is_done),
            "active" => self.task().is_some_and(|task| !task.is_done()),
            _ => false,
        }
    }

    fn feature(&self, feature: &Feature) -> Option<FeatureState> {
        self.task()?.features.get(feature)
    }

    fn time(&self) -> Option<Time> {
        self.0.published
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        let event = self.0;
        match field {
            Field::Type => see(event.kind.name()),
            Field::Id => see(&event.id.to_string()),
            Field::User => {
                let user = self.task().map(|task| &task.user).or(event.user.as_ref());
                user.is_some_and(|user| see(&user.to_string()))
            }
            Field::Task => self.task().is_some_and(|task| see(&task.task.to_string())),
            Field::Asset => self.task().is_some_and(|task| {
                see(&task.asset.to_string())
                    || event.asset_name.as_ref().is_some_and(|name| see(name))
            }),
            _ => false,
        }
    }

    fn texts(&self, see: See<'_>) -> bool {
        [Field::Id, Field::Type, Field::Task, Field::Asset]
            .into_iter()
            .any(|field| self.field(field, see))
    }
}
