//! Events: what the service published.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::id::{EventId, UserId};
use super::task::{Observation, TaskState};
use super::time::Time;

/// What a stream tells beside tasks (contracts.md, "Task state").
const OF_STREAMS: [&str; 3] = ["asset.created", "asset.updated", "index.updated"];

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

    /// Its name, where neither the documentation of webhooks nor the embedded server's stream has it.
    pub fn unknown(&self) -> Option<&Arc<str>> {
        match self {
            Self::Other(name) if !OF_STREAMS.contains(&&**name) => Some(name),
            _ => None,
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

impl Event {
    /// The event that the service would have sent for what changed from one sight of a task to the
    /// next, where no stream told it; `None` if nothing did. The state it tells is real, the event
    /// is ours: its id says so, and is the same whoever makes it.
    pub fn inferred(before: Option<&Observation>, now: &Observation) -> Option<Self> {
        if before.is_some_and(|before| {
            before.features == now.features || now.order(before) != Ordering::Greater
        }) {
            return None;
        }
        let was = before.map(Observation::state);
        let kind = match now.state() {
            TaskState::Failed if was != Some(TaskState::Failed) => EventType::TaskFailed,
            TaskState::Completed if was != Some(TaskState::Completed) => EventType::TaskCompleted,
            _ => EventType::TaskProgress,
        };
        let words = now
            .features
            .iter()
            .fold(String::new(), |mut words, (feature, state)| {
                let _ = write!(words, "{}\u{1f}{state}\u{1e}", feature.name());
                words
            });
        let digest = words.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let id = format!("{MADE}{}:{}:{digest:016x}", now.task, now.updated.0);
        Some(Self {
            id: EventId::new(&id),
            kind,
            published: None,
            user: Some(now.user.clone()),
            task: Some(now.clone()),
            asset_name: None,
        })
    }
}

/// How the ids of events begin that we made; no service gives such.
const MADE: &str = "made-by-reeltop:";
