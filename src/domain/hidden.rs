//! A text that must not be seen by accident.

use std::fmt;
use std::sync::Arc;

/// A signing secret on its way to a user who asked for it. Its debug form hides it, and it is no
/// part of the history: nothing of it reaches journal or log.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(Arc<str>);

impl Hidden {
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text. Whoever calls this is about to show, copy or save a secret.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(super::mask::MASK)
    }
}
