//! Failure: an error as plain data: what happened, to what, what to do next.

use std::fmt;

/// An error as plain data, cloneable and comparable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    /// What happened, to what: `401, the key was refused by https://api.example.com`.
    pub what: String,
    /// What to do next; may be empty.
    pub hint: String,
    /// How long the service asks to be left alone, in microseconds, where it says so.
    pub wait: Option<i64>,
}

/// What sort of failure it is, as the program's next step depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection could be made, so that nothing was sent.
    Unreachable,
    /// The connection broke, or time ran out, after something may have been sent.
    Broken,
    /// The key was refused (401, or 403 "Not authenticated").
    Unauthorized,
    /// Known, but not allowed (403).
    Forbidden,
    /// No such thing (404).
    NotFound,
    /// The route does not exist or takes no such method (404 on a route, 405).
    NotOffered,
    /// The request's content was refused (400, 422).
    Invalid,
    /// Too many requests (429).
    RateLimited,
    /// The server failed (5xx).
    Server,
    /// The answer is not what an Aspect server gives.
    NotAspect,
    /// A bound of ours was passed.
    TooLarge,
    /// Something on this side: configuration, file, usage.
    Local,
}

impl Failure {
    pub fn new(kind: FailureKind, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            hint: hint.into(),
            wait: None,
        }
    }

    /// What the service said, and what to do: without whose answer it is, where the screen shows
    /// that already. `422 from SERVER for PATH: words` is `422: words`.
    pub fn brief(&self) -> String {
        let short = self
            .said()
            .map(|(status, words)| format!("{status}: {words}"));
        let what = short.unwrap_or_else(|| self.what.clone());
        match &*self.hint {
            "" => what,
            hint => format!("{what}; {hint}"),
        }
    }

    /// The status and the service's own words, where these are what it is about.
    pub fn said(&self) -> Option<(&str, &str)> {
        let (status, rest) = self.what.split_once(" from ")?;
        let (_, rest) = rest.split_once(" for /")?;
        let (_, words) = rest.split_once(": ")?;
        let is_status = status.len() == 3 && status.bytes().all(|c| c.is_ascii_digit());
        is_status.then_some((status, words))
    }

    /// Whether there was no answer, which may have taken its time.
    pub fn is_silent(&self) -> bool {
        matches!(self.kind, FailureKind::Unreachable | FailureKind::Broken)
    }

    /// The server does not offer something.
    pub fn absent(what: &str) -> Self {
        let what = format!("this server does not offer {what}");
        Self::new(FailureKind::NotOffered, what, "its own portal may")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
