//! How far a long reading has come, said on stderr now and then: a plan of thousands takes minutes.

use std::time::{Duration, Instant};

use crate::cli::output::note;

/// Nothing is said of what takes less than this, …
const PATIENCE: Duration = Duration::from_secs(5);
/// … and then so often.
const EVERY: Duration = Duration::from_secs(15);

/// A reading of so many things under way.
pub(super) struct Progress {
    what: &'static str,
    all: usize,
    done: usize,
    next: Instant,
}

impl Progress {
    /// `what` is being done to so many messages.
    pub fn of(what: &'static str, all: usize) -> Self {
        Self {
            what,
            all,
            done: 0,
            next: Instant::now() + PATIENCE,
        }
    }

    /// One more is done.
    pub fn step(&mut self) {
        self.done += 1;
        if let Some(words) = self.words(Instant::now()) {
            note(&words);
        }
    }

    /// What is to be said now, if anything is.
    fn words(&mut self, now: Instant) -> Option<String> {
        if now < self.next || self.done >= self.all {
            return None;
        }
        self.next = now + EVERY;
        let (what, done, all) = (self.what, self.done, self.all);
        Some(format!("{what}: {done} of {all} messages so far"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_after_a_while_now_and_then_and_not_at_the_end() {
        let mut progress = Progress::of("reading attempts", 3);
        let (began, first) = (Instant::now(), "reading attempts: 1 of 3 messages so far");
        progress.step();
        assert_eq!(progress.words(began), None);
        let later = began + PATIENCE + Duration::from_secs(1);
        assert_eq!(progress.words(later).as_deref(), Some(first));
        assert_eq!(progress.words(later + PATIENCE), None);
        assert!(progress.words(later + EVERY).is_some());
        progress.step();
        progress.step();
        assert_eq!(progress.words(later + EVERY * 9), None);
    }
}
