//! Notices: short words that stand for a while and go by themselves, or with what they are about.

use super::keymap::Mode;
use super::{Screen, State, Tone};
use crate::domain::time::SECOND;

/// How long a notice stands, in microseconds.
pub(super) const TOAST: i64 = 6 * SECOND;
/// Notices that stand at once.
const MAX_TOASTS: usize = 3;

/// A short note at the bottom that goes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    pub text: String,
    pub tone: Tone,
    /// Monotonic microseconds.
    pub until: i64,
    /// Where the user is, if it says something of that alone: elsewhere it is not true.
    pub of: Option<Place>,
}

/// What keys act on: a screen, the pages over it, and what is open over these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    screen: Screen,
    n_pages: usize,
    mode: Mode,
}

impl State {
    fn place(&self) -> Place {
        Place {
            screen: self.screen,
            n_pages: self.pages.len(),
            mode: self.mode(),
        }
    }

    pub(super) fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.put_toast(tone, text.into(), None);
    }

    /// Says something of where the user is: what a key does not do here, say.
    pub(super) fn say_here(&mut self, text: impl Into<String>) {
        let here = self.place();
        self.put_toast(Tone::Info, text.into(), Some(here));
    }

    fn put_toast(&mut self, tone: Tone, text: String, of: Option<Place>) {
        // What is said again is not said twice.
        self.toasts.retain(|toast| toast.text != text);
        if self.toasts.len() >= MAX_TOASTS {
            self.toasts.pop_front();
        }
        self.toasts.push_back(Toast {
            text,
            tone,
            until: self.now.mono + TOAST,
            of,
        });
    }

    /// Takes away what was said of another place than this.
    pub(super) fn leave_notices(&mut self) {
        let here = self.place();
        self.toasts
            .retain(|toast| toast.of.is_none_or(|of| of == here));
    }
}
