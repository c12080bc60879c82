//! How long reads wait for a service that asks to be left alone (429), where somebody has the time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::time::micros;
use crate::domain::{Pause, asks_to_wait};
use crate::io::clock::Clock;

/// Says what is waited for.
type Say = fn(&str);

/// Waits within bounds, and says so.
pub struct Patience {
    pause: Mutex<Pause>,
    clock: Clock,
    say: Say,
}

impl Patience {
    /// For so long at most, from its first refusal on until it answers again.
    pub fn new(most: Duration, say: Say) -> Self {
        Self {
            pause: Mutex::new(Pause::of_at_most(micros(most))),
            clock: Clock::new(),
            say,
        }
    }

    /// Takes note that a read was refused, by a service that asks to be left alone for so long.
    /// Whether the read is to be tried again after that.
    pub fn refused(&self, left: Duration) -> bool {
        let (now, left) = (self.clock.now(), micros(left));
        let mut pause = self.held();
        pause.begin(now.mono);
        if pause.ask(left, now.mono) {
            (self.say)(&asks_to_wait(now.wall.plus(left), left));
        }
        !pause.is_too_long()
    }

    /// Takes note that it answered: what was waited for until then counts no more.
    pub fn answered(&self) {
        self.held().end();
    }

    fn held(&self) -> MutexGuard<'_, Pause> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
