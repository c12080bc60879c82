//! The doctor's lines: one for each part that was looked at.

use std::io;

use serde_json::json;

use super::super::output::{Outcome, Output};
use crate::domain::{Failure, FailureKind, visible};

/// How well a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Ok,
    /// It works, but not as it should.
    Warning,
    Failed,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }

    /// SGR colour.
    fn color(self) -> &'static str {
        match self {
            Self::Ok => "32",
            Self::Warning => "33",
            Self::Failed => "91",
        }
    }
}

/// What was found of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The part: `key`, `stream`, `clock`.
    pub check: &'static str,
    pub state: State,
    pub detail: String,
    /// What to do; empty where nothing is to be done.
    pub hint: String,
}

impl Line {
    pub fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self::new(check, State::Ok, detail, "")
    }

    pub fn warning(
        check: &'static str,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(check, State::Warning, detail, hint)
    }

    pub fn failed(check: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(check, State::Failed, detail, hint)
    }

    /// The part failed as this says.
    pub fn failure(check: &'static str, failure: &Failure) -> Self {
        Self::failed(check, &failure.what, advice(failure))
    }

    /// The part does less than it should, as this says.
    pub fn lack(check: &'static str, failure: &Failure) -> Self {
        Self::warning(check, &failure.what, advice(failure))
    }

    /// One thing more that is not as it should be, and what to do about it.
    pub fn warn(&mut self, detail: &str, hint: &str) {
        self.state = self.state.max(State::Warning);
        for (words, more) in [(&mut self.detail, detail), (&mut self.hint, hint)] {
            if !words.is_empty() {
                words.push_str("; ");
            }
            words.push_str(more);
        }
    }

    fn new(
        check: &'static str,
        state: State,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            check,
            state,
            detail: detail.into(),
            hint: hint.into(),
        }
    }
}

/// What to do about a failure: its own hint, else what helps with its kind.
pub fn advice(failure: &Failure) -> &str {
    if !failure.hint.is_empty() {
        return &failure.hint;
    }
    match failure.kind {
        FailureKind::Unreachable => "check the URL and this machine's network",
        FailureKind::Broken => "try again; if it stays, look at the server and what is before it",
        FailureKind::Unauthorized | FailureKind::Forbidden => "check what this key may do",
        FailureKind::NotFound | FailureKind::NotOffered => {
            "the server may be older or another; reeltop does without it"
        }
        FailureKind::RateLimited => "too many requests; try again later",
        FailureKind::Server => "the server has trouble; try again",
        FailureKind::NotAspect | FailureKind::Invalid => {
            "check that the URL is the base URL of an Aspect API"
        }
        FailureKind::TooLarge => "raise the limit in the configuration if it is right",
        FailureKind::Local => "check the configuration with reeltop config show",
    }
}

/// The words of a list that could not be read: one that is not offered is a lack, all else failed.
pub fn unread(check: &'static str, failure: &Failure) -> Line {
    match failure.kind {
        FailureKind::NotOffered | FailureKind::NotFound | FailureKind::Forbidden => {
            Line::lack(check, failure)
        }
        _ => Line::failure(check, failure),
    }
}

/// Prints the lines as they come, and counts them.
pub struct Report {
    out: Output,
    is_json: bool,
    counts: [usize; 3],
}

impl Report {
    pub fn new(is_json: bool) -> Self {
        Self {
            out: Output::new(),
            is_json,
            counts: [0; 3],
        }
    }

    /// Prints a line at once, as the next may take its time.
    pub fn say(&mut self, line: &Line) -> io::Result<()> {
        self.counts[line.state as usize] += 1;
        if self.is_json {
            let hint = (!line.hint.is_empty()).then_some(&line.hint);
            let object = json!({
                "check": line.check,
                "state": line.state.name(),
                "detail": line.detail,
                "hint": hint,
            });
            self.out.line(&object.to_string())?;
            return self.out.flush();
        }
        let (state, detail) = (line.state, visible(&line.detail));
        let mut name = format!("{:<8}", state.name());
        if self.out.has_color {
            name = format!("\x1b[{}m{name}\x1b[0m", state.color());
        }
        self.out
            .styled(&format!("{name} {:<14} {detail}", line.check))?;
        if !line.hint.is_empty() {
            let hint = visible(&line.hint);
            self.out.styled(&format!("{:23} → {hint}", ""))?;
        }
        self.out.flush()
    }

    /// Sums up: 1 when something failed.
    pub fn end(&mut self) -> Outcome {
        let [n_ok, n_warning, n_failed] = self.counts;
        if !self.is_json {
            let plural = if n_warning == 1 { "" } else { "s" };
            let words = format!("{n_ok} ok, {n_warning} warning{plural}, {n_failed} failed");
            self.out.styled(&words)?;
            self.out.flush()?;
        }
        Ok(u8::from(n_failed > 0))
    }
}
