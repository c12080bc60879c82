//! What the service alone tells of one thing, asked for as its page is opened.

use crate::domain::{AttemptHeaders, Stats};

/// What the service said, or will.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Told<T> {
    /// It was asked.
    #[default]
    Asked,
    Is(T),
    /// It does not tell, and why.
    Not(String),
}

/// What was told of a sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighted {
    /// When a message is tried again; it comes as changes.
    Next,
    /// Attempts at an endpoint, as the service counts them.
    Stats(Stats),
    /// What the request of an attempt and its answer carried; `None` if the service has none of it.
    Headers(Option<AttemptHeaders>),
}
