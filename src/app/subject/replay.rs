//! A replay as queries see it.

use super::See;
use crate::domain::query::{Field, Subject, Test};
use crate::domain::{Feature, FeatureState, History, Query, Replay, ReplayState, TaskState, Time};

/// A replay, of which the ledger holds ids alone.
pub struct ReplaySubject<'a> {
    pub history: &'a History,
    pub replay: &'a Replay,
}

impl ReplaySubject<'_> {
    /// What a query asks that no replay can answer, in words; `None` if it can answer all.
    pub fn unanswerable(query: &Query) -> Option<&'static str> {
        query.terms().iter().find_map(|term| match &term.test {
            Test::Field(Field::Type | Field::Task | Field::Asset | Field::User, _) => {
                Some("its message")
            }
            Test::Feature(..) | Test::State(TaskState::Queued | TaskState::Processing) => {
                Some("a task")
            }
            Test::Outcome("broken" | "superseded" | "retrying" | "exhausted" | "unsent") => {
                Some("a message")
            }
            Test::Outcome("disabled" | "enabled") => Some("an endpoint's state"),
            Test::Field(Field::Cause | Field::Trigger, _)
            | Test::Outcome("manual" | "scheduled" | "replayed") => Some("attempts"),
            _ => None,
        })
    }
}

impl Subject for ReplaySubject<'_> {
    fn state(&self) -> Option<TaskState> {
        None
    }

    fn has_outcome(&self, word: &str) -> bool {
        let state = &self.replay.state;
        match word {
            "completed" => state.name() == "delivered",
            "canceled" => state.name() == "cancelled",
            "sending" | "active" => state.is_open(),
            "done" => !state.is_open(),
            word => state.name() == word,
        }
    }

    fn feature(&self, _: &Feature) -> Option<FeatureState> {
        None
    }

    fn time(&self) -> Option<Time> {
        Some(self.replay.planned.wall)
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        let replay = self.replay;
        match field {
            Field::Id => {
                replay.by.as_ref().is_some_and(|by| see(&by.id))
                    || (replay.state.attempt())
                        .is_some_and(|attempt| see(attempt.0.as_text(&mut [0; 36])))
            }
            Field::Message => see(replay.message.0.as_text(&mut [0; 36])),
            Field::Endpoint => {
                let known = self.history.endpoints.get(&replay.endpoint);
                see(replay.endpoint.0.as_text(&mut [0; 36]))
                    || known.is_some_and(|known| see(&known.url) || see(&known.description))
            }
            Field::Code => match &replay.state {
                ReplayState::Answered(answer) => see(&answer.code.to_string()),
                _ => false,
            },
            _ => false,
        }
    }

    fn texts(&self, see: See<'_>) -> bool {
        [Field::Id, Field::Message, Field::Endpoint]
            .into_iter()
            .any(|field| self.field(field, see))
            || see(self.replay.state.name())
            || see(self.replay.route.name())
    }
}
