//! What the receiver got of a message, as queries see it.

use super::See;
use crate::domain::query::{Field, Subject};
use crate::domain::{Feature, FeatureState, Id, Receipt, Received, TaskState, Time};

/// What was received of a message.
pub struct ReceiptSubject<'a>(pub &'a Receipt);

impl Subject for ReceiptSubject<'_> {
    fn state(&self) -> Option<TaskState> {
        None
    }

    fn has_outcome(&self, word: &str) -> bool {
        let is_refused = |request: &Received| {
            request.finding.is_refused() || request.code.is_none_or(|code| code >= 300)
        };
        let is_last_refused = self.0.last().map(|(_, last)| is_refused(last));
        match word {
            "failed" => is_last_refused == Some(true),
            "delivered" | "completed" => is_last_refused == Some(false),
            "retrying" => self.0.n_requests > 1,
            _ => false,
        }
    }

    fn feature(&self, _: &Feature) -> Option<FeatureState> {
        None
    }

    fn time(&self) -> Option<Time> {
        self.0.last().map(|(at, _)| at.wall)
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        let Some((_, last)) = self.0.last() else {
            return false;
        };
        let id = |id: Option<&Id>, see: See<'_>| id.is_some_and(|id| see(id.as_text(&mut [0; 36])));
        match field {
            Field::Id | Field::Message => id(last.message.as_ref().map(|it| &it.0), see),
            Field::Task => id(last.task.as_ref().map(|it| &it.0), see),
            Field::Type => last.kind.as_ref().is_some_and(|kind| see(kind.name())),
            Field::Code => last.code.is_some_and(|code| see(&code.to_string())),
            _ => false,
        }
    }

    fn texts(&self, see: See<'_>) -> bool {
        [Field::Id, Field::Task, Field::Type]
            .into_iter()
            .any(|field| self.field(field, see))
    }
}
