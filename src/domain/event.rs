//! Events: what the service published.

use std::fmt;
use std::sync::Arc;

use super::id::{EventId, UserId};
use super::task::Observation;
use super::time::Time;

/// The kind of an event; an open set, of which three belong to tasks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventType {
    TaskProgress,
    TaskCompleted,
    TaskFailed,
    Other(Arc<str>),
}

impl EventType {
    /// Reads an event type; an unknown one is kept, cut at 128 bytes.
    pub fn new(text: &str) -> Self {
        match text {
            "task.progress" => Self::TaskProgress,
            "task.completed" => Self::TaskCompleted,
            "task.failed" => Self::TaskFailed,
            other => Self::Other(other[..other.floor_char_boundary(128)].into()),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::TaskProgress => "task.progress",
            Self::TaskCompleted => "task.completed",
            Self::TaskFailed => "task.failed",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The envelope's `event_id`; where there is none, the frame's id or a digest of the data.
    pub id: EventId,
    pub kind: EventType,
    pub published: Option<Time>,
    pub user: Option<UserId>,
    /// The task it tells of, if it tells of one.
    pub task: Option<Observation>,
    /// The asset's name, where an event carries one.
    pub asset_name: Option<Arc<str>>,
}
