//! How long reads wait for a service that asks to be left alone (429), where somebody has the time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::time::{micros, rough_words};
use crate::domain::{Pause, asks_to_wait};
use crate::io::clock::Clock;

/// Says what is waited for.
type Say = fn(&str);

/// Waits within bounds, and says so.
pub struct Patience {
    wait: Mutex<Wait>,
    clock: Clock,
    say: Say,
}

struct Wait {
    pause: Pause,
    /// How long the wait was in all as that was said last, in microseconds.
    told: i64,
}

impl Patience {
    /// For so long at most, from its first refusal on until it answers again.
    pub fn new(most: Duration, say: Say) -> Self {
        Self {
            wait: Mutex::new(Wait {
                pause: Pause::of_at_most(micros(most)),
                told: 0,
            }),
            clock: Clock::new(),
            say,
        }
    }

    /// Takes note that a read was refused, by a service that asks to be left alone for so long.
    /// Whether the read is to be tried again after that.
    pub fn refused(&self, left: Duration) -> bool {
        let (now, left) = (self.clock.now(), micros(left));
        let mut wait = self.held();
        wait.pause.begin(now.mono);
        let is_new = wait.pause.ask(left, now.mono);
        // One that asks for a second again and again is not repeated each time.
        let in_all = wait.pause.in_all(now.mono);
        if is_new && in_all >= wait.told.saturating_mul(2) {
            wait.told = in_all;
            (self.say)(&asks_to_wait(now.wall.plus(left), left));
        }
        !wait.pause.is_too_long()
    }

    /// Takes note that it answered: what was waited for until then counts no more.
    pub fn answered(&self) {
        let mut wait = self.held();
        wait.pause.end();
        wait.told = 0;
    }

    /// How long it was waited for in vain, in words; `None` where it was not.
    pub fn waited(&self) -> Option<String> {
        let now = self.clock.now().mono;
        let wait = self.held();
        let waited = wait.pause.in_all(now) - wait.pause.left(now);
        (wait.told > 0).then(|| format!("it was waited for, {} in all", rough_words(waited)))
    }

    fn held(&self) -> MutexGuard<'_, Wait> {
        self.wait.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
