//! Attempts: one try to deliver one message to one endpoint, and why it failed, in words.

use std::fmt;
use std::sync::Arc;

use super::id::{AttemptId, EndpointId, MessageId};
use super::time::Time;

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

/// The class of an attempt's end, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureClass {
    Timeout,
    Refused,
    Dns,
    Tls,
    Blocked,
    NoAnswer,
    Redirect,
    Unauthorized,
    NotFound,
    Gone,
    TooLarge,
    RateLimited,
    ClientError,
    ServerError,
    Other,
}

impl FailureClass {
    /// A few words for a table.
    pub fn words(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Refused => "no connection",
            Self::Dns => "name not found",
            Self::Tls => "TLS failed",
            Self::Blocked => "address blocked",
            Self::NoAnswer => "no answer",
            Self::Redirect => "redirect",
            Self::Unauthorized => "refused by the receiver",
            Self::NotFound => "path not found",
            Self::Gone => "gone",
            Self::TooLarge => "too large",
            Self::RateLimited => "rate limited",
            Self::ClientError => "rejected",
            Self::ServerError => "receiver error",
            Self::Other => "failed",
        }
    }

    /// What it means and where to look, in a sentence.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Timeout => {
                "the receiver did not answer in time; answer 2xx first and work afterwards"
            }
            Self::Refused => {
                "nothing accepted the connection; is the receiver running, and is the port right?"
            }
            Self::Dns => "the host name could not be resolved; check the endpoint's URL",
            Self::Tls => "the TLS handshake failed; check the receiver's certificate and its chain",
            Self::Blocked => "the service refuses to send to this address range",
            Self::NoAnswer => "the connection ended without an HTTP answer",
            Self::Redirect => {
                "redirects are not followed and count as failures; set the endpoint to the final URL"
            }
            Self::Unauthorized => {
                "the receiver rejected it; most likely its signature check uses a wrong secret or a parsed body"
            }
            Self::NotFound => {
                "the receiver has no such path; check the endpoint's URL and its routes"
            }
            Self::Gone => "the receiver says that this address is gone for good",
            Self::TooLarge => "the receiver refuses bodies of this size",
            Self::RateLimited => {
                "the receiver asks for fewer requests; a rate limit on the endpoint would help"
            }
            Self::ClientError => "the receiver rejected the request; its answer may say why",
            Self::ServerError => {
                "the receiver broke while handling it; look into its log at this time"
            }
            Self::Other => "the service counts this answer as a failure; only 2xx is success",
        }
    }
}

impl Attempt {
    /// Why it failed; `None` if it did not.
    pub fn failure(&self) -> Option<FailureClass> {
        if !matches!(self.status, AttemptStatus::Fail) {
            return None;
        }
        Some(match self.code {
            0 => transport_class(&self.response),
            300..=399 => FailureClass::Redirect,
            401 | 403 => FailureClass::Unauthorized,
            404 | 405 => FailureClass::NotFound,
            410 => FailureClass::Gone,
            413 => FailureClass::TooLarge,
            429 => FailureClass::RateLimited,
            400..=499 => FailureClass::ClientError,
            500..=599 => FailureClass::ServerError,
            _ => FailureClass::Other,
        })
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

/// Reads the class out of the error text that stands in `response` when there was no answer
/// (reference: Svix server, attempts with code 0).
fn transport_class(text: &str) -> FailureClass {
    let text = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["timed out", "timeout", "deadline"]) {
        FailureClass::Timeout
    } else if has(&["blocked"]) {
        FailureClass::Blocked
    } else if has(&["dns", "resolve", "name or service"]) {
        FailureClass::Dns
    } else if has(&["tls", "certificate", "ssl"]) {
        FailureClass::Tls
    } else if has(&["connect", "refused"]) {
        FailureClass::Refused
    } else {
        FailureClass::NoAnswer
    }
}

impl fmt::Display for AttemptStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
