//! A service that asks to be left alone (429): how long the command waits for it, and what it says.

use std::time::Duration;

use crate::cli::output::note;
use crate::domain::time::{SECOND, duration_words, micros};
use crate::domain::{Pause, Queue, Time, asks_to_wait};
use crate::io::clock::Clock;

/// The service, as long as it asks for it. What is waited for is said as it begins.
pub(super) struct LeftAlone {
    pause: Pause,
    clock: Clock,
    /// So long at most, from its first refusal on.
    wait: Duration,
}

impl LeftAlone {
    pub fn new(clock: Clock, wait: Duration) -> Self {
        Self {
            pause: Pause::of_at_most(micros(wait)),
            clock,
            wait,
        }
    }

    /// It refused one for the time being, or took one or refused it for good.
    pub fn take_note(&mut self, is_put_off: bool) {
        if is_put_off {
            self.pause.begin(self.clock.now().mono);
        } else {
            self.pause.end();
        }
    }

    /// Holds the queue for as long as the service asks, and says so. Whether it is not too long.
    pub fn hold(&mut self, queue: &mut Queue, left: Duration) -> bool {
        let left = micros(left);
        let is_new = self.pause.hold(queue, left, self.clock.now().mono);
        self.tell(is_new, left);
        !self.pause.is_too_long()
    }

    /// Takes note of how long it asks to wait, and says so. Whether it is not too long.
    pub fn ask(&mut self, left: Duration) -> bool {
        let left = micros(left);
        let is_new = self.pause.ask(left, self.clock.now().mono);
        self.tell(is_new, left);
        !self.pause.is_too_long()
    }

    fn tell(&self, is_new: bool, left: i64) {
        if is_new {
            note(&asks_to_wait(self.until(), left));
        }
    }

    /// Why something is not sent: `the service asks to wait until 2026-11-22T14:02:25.000Z (429),
    /// 90s in all, and --wait is 60s`.
    pub fn why(&self) -> String {
        format!(
            "the service asks to wait until {} (429), {} in all, and --wait is {}",
            self.until().rfc3339(),
            whole_words(self.in_all()),
            whole_words(micros(self.wait)),
        )
    }

    /// How to go on with what is not.
    pub fn hint(&self) -> String {
        let longer = longer(self.in_all()).map(|wait| format!(", or now with --wait {wait}"));
        format!(
            "the same command goes on with them then{}",
            longer.unwrap_or_default()
        )
    }

    fn in_all(&self) -> i64 {
        self.pause.in_all(self.clock.now().mono)
    }

    fn until(&self) -> Time {
        let now = self.clock.now();
        now.wall.plus(self.pause.left(now.mono))
    }
}

/// A time that another is compared with: in whole seconds, none of which is left out.
fn whole_words(micros: i64) -> String {
    let seconds = micros.saturating_add(SECOND - 1) / SECOND;
    match seconds {
        _ if micros < SECOND => format!("{}ms", micros / 1000),
        ..120 => format!("{seconds}s"),
        _ => duration_words(seconds.saturating_mul(SECOND)),
    }
}

/// What to give as `--wait` to wait for so many microseconds, where it takes that much.
fn longer(micros: i64) -> Option<String> {
    let seconds = micros.saturating_add(SECOND - 1) / SECOND;
    match seconds {
        ..120 => Some(format!("{seconds}s")),
        120..7200 => Some(format!("{}m", (seconds + 59) / 60)),
        7200..=86_400 => Some(format!("{}h", (seconds + 3599) / 3600)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_wait_is_never_less_than_is_asked_for() {
        for (seconds, wait) in [
            (1, Some("1s")),
            (119, Some("119s")),
            (121, Some("3m")),
            (7200, Some("2h")),
            (7201, Some("3h")),
            (86_400, Some("24h")),
            (86_401, None),
        ] {
            let longer = longer(seconds * SECOND);
            assert_eq!(longer.as_deref(), wait, "{seconds}");
        }
        assert_eq!(longer(SECOND + 1).as_deref(), Some("2s"));
    }

    #[test]
    fn what_is_longer_is_said_to_be() {
        for (shorter, longer) in [
            (500_000, SECOND),
            (60 * SECOND, 60 * SECOND + 1),
            (120 * SECOND, 121 * SECOND),
        ] {
            assert_ne!(whole_words(shorter), whole_words(longer));
        }
        assert_eq!(whole_words(60 * SECOND), "60s");
        assert_eq!(whole_words(130 * SECOND), "2m10s");
    }
}
