//! Messages: events accepted for webhook delivery.

use std::sync::Arc;

use super::event::EventType;
use super::id::{EndpointId, EventId, MessageId, TaskId};
use super::time::Time;

/// An event accepted for webhook delivery (Svix `MessageOut`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: MessageId,
    pub event: Option<EventId>,
    pub kind: EventType,
    pub accepted: Time,
    /// The task in its payload, if there is one.
    pub task: Option<TaskId>,
    pub payload: Payload,
}

/// A message's payload as the API gives it: not the delivered bytes, as keys may be re-sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The JSON text.
    Json(Arc<str>),
    /// The service says that it no longer has it.
    Expired,
    /// Not sent with the list.
    Absent,
}

/// What is read of deliveries by a request of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Log {
    Endpoints,
    /// The newest messages, …
    Messages,
    /// … and those before them.
    OlderMessages,
    /// One message, by its id.
    Message(MessageId),
    /// All attempts of a message.
    AttemptsOf(MessageId),
    /// The newest attempts at an endpoint, …
    Attempts(EndpointId),
    /// … and those before them.
    OlderAttempts(EndpointId),
}

/// Why nothing, or nothing new, is known of a log here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRead<'a> {
    /// It is still to be read.
    Yet,
    /// It could not be read when it was tried last.
    Failed(&'a str),
    /// The server does not tell it.
    Absent,
}

impl NotRead<'_> {
    /// What it is, with the reason where there is one.
    pub fn words(self) -> String {
        match self {
            Self::Yet => "not read yet".to_owned(),
            Self::Failed(why) => format!("cannot be read: {why}"),
            Self::Absent => "not told here".to_owned(),
        }
    }
}

/// The same, kept by what rests on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What it is, with the reason where there is one.
    pub words: String,
    /// Whether it could not be read, as against not yet.
    pub is_failing: bool,
}

impl From<NotRead<'_>> for Missing {
    fn from(why: NotRead<'_>) -> Self {
        Self {
            is_failing: matches!(why, NotRead::Failed(_)),
            words: why.words(),
        }
    }
}

/// How far back the log of messages was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogReach {
    /// To its beginning.
    Whole,
    /// What was accepted before then is not read yet.
    From(Time),
    /// What was accepted before then is not read, for this reason.
    Stopped(Time, Arc<str>),
}

impl LogReach {
    /// Before when messages are missing.
    pub fn before(&self) -> Option<Time> {
        match self {
            Self::Whole => None,
            Self::From(before) | Self::Stopped(before, _) => Some(*before),
        }
    }
}
