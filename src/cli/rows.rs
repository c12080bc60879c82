//! Rows of headless lists as the query language asks them.

use crate::domain::query::{Field, Subject};
use crate::domain::{
    Attempt, AttemptStatus, Endpoint, Event, Feature, FeatureState, Message, Observation,
    TaskState, Trigger,
};

type See<'a> = &'a mut dyn FnMut(&str) -> bool;

/// A task with its asset's name.
pub struct TaskSubject<'a> {
    pub task: &'a Observation,
    pub asset_name: Option<&'a str>,
}

impl Subject for TaskSubject<'_> {
    fn state(&self) -> Option<TaskState> {
        Some(self.task.state())
    }

    fn has_outcome(&self, word: &str) -> bool {
        match word {
            "done" => self.task.is_done(),
            "active" => !self.task.is_done(),
            _ => false,
        }
    }

    fn feature(&self, feature: &Feature) -> Option<FeatureState> {
        self.task.features.get(feature)
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        match field {
            Field::Task | Field::Id => see(&self.task.task.to_string()),
            Field::Asset => see(&self.task.asset.to_string()) || self.asset_name.is_some_and(see),
            Field::User => see(&self.task.user.to_string()),
            _ => false,
        }
    }

    fn texts(&self, see: See<'_>) -> bool {
        see(&self.task.task.to_string())
            || see(&self.task.asset.to_string())
            || self.asset_name.is_some_and(see)
    }
}

/// An event of the stream.
pub struct EventSubject<'a>(pub &'a Event);

impl Subject for EventSubject<'_> {
    fn state(&self) -> Option<TaskState> {
        self.0.task.as_ref().map(Observation::state)
    }

    fn has_outcome(&self, word: &str) -> bool {
        let Some(task) = &self.0.task else {
            return false;
        };
        TaskSubject {
            task,
            asset_name: None,
        }
        .has_outcome(word)
    }

    fn feature(&self, feature: &Feature) -> Option<FeatureState> {
        self.0.task.as_ref()?.features.get(feature)
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        match field {
            Field::Type => see(self.0.kind.name()),
            Field::Id => see(&self.0.id.to_string()),
            Field::User => self
                .0
                .user
                .as_ref()
                .is_some_and(|user| see(&user.to_string())),
            Field::Task | Field::Asset => {
                let task = self.0.task.as_ref();
                task.is_some_and(|task| {
                    TaskSubject {
                        task,
                        asset_name: None,
                    }
                    .field(field, see)
                })
            }
            _ => false,
        }
    }

    fn texts(&self, see: See<'_>) -> bool {
        see(&self.0.id.to_string())
            || see(self.0.kind.name())
            || self.0.task.as_ref().is_some_and(|task| {
                TaskSubject {
                    task,
                    asset_name: None,
                }
                .texts(see)
            })
    }
}

/// A message of the log, with the task that its payload shows.
pub struct MessageSubject<'a> {
    pub message: &'a Message,
    pub task: Option<&'a Observation>,
}

impl Subject for MessageSubject<'_> {
    fn state(&self) -> Option<TaskState> {
        self.task.map(Observation::state)
    }

    fn has_outcome(&self, _: &str) -> bool {
        false
    }

    fn feature(&self, feature: &Feature) -> Option<FeatureState> {
        self.task?.features.get(feature)
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        match field {
            Field::Type => see(self.message.kind.name()),
            Field::Id | Field::Message => see(&self.message.id.to_string()),
            Field::Task => self
                .message
                .task
                .as_ref()
                .is_some_and(|task| see(&task.to_string())),
            Field::Asset | Field::User => self.task.is_some_and(|task| {
                TaskSubject {
                    task,
                    asset_name: None,
                }
                .field(field, see)
            }),
            _ => false,
        }
    }

    fn texts(&self, see: See<'_>) -> bool {
        see(&self.message.id.to_string())
            || see(self.message.kind.name())
            || self
                .message
                .event
                .as_ref()
                .is_some_and(|event| see(&event.to_string()))
            || self
                .message
                .task
                .as_ref()
                .is_some_and(|task| see(&task.to_string()))
    }
}

/// An attempt.
pub struct AttemptSubject<'a>(pub &'a Attempt);

impl Subject for AttemptSubject<'_> {
    fn state(&self) -> Option<TaskState> {
        None
    }

    fn has_outcome(&self, word: &str) -> bool {
        match word {
            "delivered" => self.0.status == AttemptStatus::Success,
            "failed" => self.0.status == AttemptStatus::Fail,
            "sending" => matches!(
                self.0.status,
                AttemptStatus::Sending | AttemptStatus::Pending
            ),
            "canceled" | "cancelled" => self.0.status == AttemptStatus::Canceled,
            "manual" => self.0.trigger == Trigger::Manual,
            "scheduled" => self.0.trigger == Trigger::Scheduled,
            _ => false,
        }
    }

    fn feature(&self, _: &Feature) -> Option<FeatureState> {
        None
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        match field {
            Field::Id => see(&self.0.id.to_string()),
            Field::Message => see(&self.0.message.to_string()),
            Field::Endpoint => see(&self.0.endpoint.to_string()) || see(&self.0.url),
            Field::Code => see(&self.0.code.to_string()),
            Field::Trigger => see(self.0.trigger.name()),
            _ => false,
        }
    }

    fn texts(&self, see: See<'_>) -> bool {
        see(&self.0.id.to_string())
            || see(&self.0.message.to_string())
            || see(&self.0.endpoint.to_string())
            || see(&self.0.url)
            || see(&self.0.response)
    }
}

/// An endpoint.
pub struct EndpointSubject<'a>(pub &'a Endpoint);

impl Subject for EndpointSubject<'_> {
    fn state(&self) -> Option<TaskState> {
        None
    }

    fn has_outcome(&self, word: &str) -> bool {
        match word {
            "disabled" => self.0.disabled,
            "enabled" => !self.0.disabled,
            _ => false,
        }
    }

    fn feature(&self, _: &Feature) -> Option<FeatureState> {
        None
    }

    fn field(&self, field: Field, see: See<'_>) -> bool {
        match field {
            Field::Id | Field::Endpoint => self.texts(see),
            Field::Type => {
                let types = self.0.event_types.as_ref();
                types.is_none_or(|types| types.iter().any(|kind| see(kind.name())))
            }
            _ => false,
        }
    }

    fn texts(&self, see: See<'_>) -> bool {
        see(&self.0.id.to_string()) || see(&self.0.url) || see(&self.0.description)
    }
}
