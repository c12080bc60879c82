//! The link in words on stderr: what state it is in, since when, and for how long it was another.

use std::time::Duration;

use super::super::output::note;
use crate::domain::time::duration_words;
use crate::domain::{Failure, FailureKind, Moment};
use crate::io::Clock;

/// Tries after which a first connection is said to be of no use.
const MAX_FIRST_TRIES: u32 = 3;

/// Says each change of the link's state.
pub struct LinkWords {
    clock: Clock,
    /// Seconds east of UTC.
    zone: i32,
    is_live: bool,
    is_quiet: bool,
    has_been_open: bool,
    /// When it became live, or ceased to be.
    since: Moment,
}

impl LinkWords {
    pub fn new(clock: Clock, zone: i32) -> Self {
        Self {
            clock,
            zone,
            is_live: false,
            is_quiet: false,
            has_been_open: false,
            since: clock.now(),
        }
    }

    /// Enters a state and says so; `words` get when it began and how long the one before was.
    fn enter(&mut self, is_live: bool, words: impl FnOnce(&str, &str) -> String) {
        let now = self.clock.now();
        // The wall clock counts a sleep of the machine, the other a clock that was set back.
        let by_wall = now.wall.since(self.since.wall);
        let lasted = by_wall.max(now.mono - self.since.mono);
        note(&words(&now.wall.clock(self.zone), &duration_words(lasted)));
        self.is_live = is_live;
        self.since = now;
    }

    /// The connection stands.
    pub fn opened(&mut self, place: &str) {
        let was_open = std::mem::replace(&mut self.has_been_open, true);
        self.is_quiet = false;
        self.enter(true, |since, lasted| {
            if was_open {
                format!("live again since {since}, after {lasted} without")
            } else {
                format!("live since {since} ({place})")
            }
        });
    }

    /// No byte came for so long.
    pub fn quiet(&mut self, silence: Duration) {
        self.is_quiet = true;
        self.enter(false, |since, _| {
            format!("stale since {since}: no byte for {silence:?}")
        });
    }

    /// Bytes came.
    pub fn heard(&mut self) {
        if std::mem::take(&mut self.is_quiet) {
            self.enter(true, |since, lasted| {
                format!("live again since {since}, after {lasted} of silence")
            });
        }
    }

    /// The connection ended or was not made; the next try comes after `wait`.
    pub fn retrying(&mut self, why: &Failure, wait: Duration, tries: u32) {
        let next = format!("retrying in {:.1}s, try {}", wait.as_secs_f64(), tries + 1);
        // Once the same trouble came a few times, what may help is said as well.
        let why = if tries == MAX_FIRST_TRIES {
            why.to_string()
        } else {
            why.what.clone()
        };
        self.is_quiet = false;
        if self.is_live || !self.has_been_open && tries <= 1 {
            let was_open = self.has_been_open;
            self.enter(false, |since, lasted| {
                if was_open {
                    format!("{why}; not live since {since}, after {lasted} live; {next}")
                } else {
                    format!("{why}; {next}")
                }
            });
        } else {
            let now = self.clock.now().wall;
            let since = self.since.wall.day_clock(now, self.zone);
            note(&format!("{why}; not live since {since}; {next}"));
        }
    }

    /// Whether to end instead of trying on: a first connection that cannot be made at all is an
    /// answer, and so is a port that speaks something else each time. A later one is waited for.
    pub fn is_no_use(&self, why: &Failure, tries: u32) -> bool {
        !self.has_been_open
            && match why.kind {
                FailureKind::Unreachable => true,
                FailureKind::NotAspect => tries >= MAX_FIRST_TRIES,
                _ => false,
            }
    }
}
