//! Attempts: one try to deliver one message to one endpoint, and why it failed, in words.

pub mod answer;
mod class;

use std::fmt;
use std::sync::Arc;

use super::id::{AttemptId, EndpointId, MessageId};
use super::time::Time;
pub use class::FailureClass;

/// How an attempt stands (Svix `MessageStatus`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AttemptStatus {
    Success,
    Pending,
    Fail,
    Sending,
    Canceled,
    Unknown,
}

impl AttemptStatus {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Pending => "pending",
            Self::Fail => "fail",
            Self::Sending => "sending",
            Self::Canceled => "canceled",
            Self::Unknown => "unknown",
        }
    }
}

/// What caused an attempt (Svix `MessageAttemptTriggerType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    Scheduled,
    Manual,
    Unknown,
}

impl Trigger {
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Manual => "manual",
            Self::Unknown => "unknown",
        }
    }
}

/// Which attempt of its message and endpoint it is. The schedule counts the automatic ones alone, so
/// that what is `3 of 8` is followed by the fourth whatever was sent by hand in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptNumber {
    /// From 1.
    Automatic(usize),
    /// Made by hand, by whomever; it has no number.
    Manual,
}

/// One try to deliver one message to one endpoint (Svix `MessageAttemptOut`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub id: AttemptId,
    pub message: MessageId,
    pub endpoint: EndpointId,
    pub url: Arc<str>,
    /// When it began.
    pub started: Time,
    pub status: AttemptStatus,
    /// HTTP status of the answer; 0 means that there was none.
    pub code: u16,
    /// How long the answer took, in milliseconds, if the service says so.
    pub duration_ms: Option<u64>,
    /// The answer's body as text, or the transport's error where `code` is 0.
    pub response: Arc<str>,
    pub trigger: Trigger,
}

impl Attempt {
    /// Why it failed; `None` if it did not.
    pub fn failure(&self) -> Option<FailureClass> {
        if !matches!(self.status, AttemptStatus::Fail) {
            return None;
        }
        Some(FailureClass::of(self.code, &self.response))
    }

    /// Whether somebody made it by hand, as against the service's schedule.
    pub fn is_manual(&self) -> bool {
        self.trigger == Trigger::Manual
    }

    /// The end in a word or two: `204`, `500`, `timeout`, `sending`.
    pub fn outcome_words(&self) -> String {
        match (self.code, self.failure()) {
            (0, Some(class)) => class.words().to_owned(),
            (0, None) => self.status.name().to_owned(),
            (code, _) => code.to_string(),
        }
    }
}

impl fmt::Display for AttemptStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
