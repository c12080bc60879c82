//! A service that asks to be left alone for some time (429).

use super::Queue;
use crate::domain::time::{SECOND, Time, rough_words};

/// So long at most it is waited for where nobody says otherwise, in microseconds.
pub const MAX_PAUSE: i64 = 60 * SECOND;
/// How long it is left alone where it does not say, in microseconds.
pub const UNSAID: i64 = SECOND;
/// The same pause is seen again a little shorter, in microseconds.
const ALIKE: i64 = SECOND / 10;

/// How long a service has been asking for it. Times are monotonic, in microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// So long at most it is waited for, from its first refusal on.
    longest: i64,
    /// When it began to refuse everything.
    since: Option<i64>,
    /// Until when nothing is sent.
    until: i64,
    is_too_long: bool,
}

impl Default for Pause {
    fn default() -> Self {
        Self::of_at_most(MAX_PAUSE)
    }
}

impl Pause {
    /// One that is waited for so many microseconds at most, from its first refusal on.
    pub fn of_at_most(longest: i64) -> Self {
        Self {
            longest,
            since: None,
            until: 0,
            is_too_long: false,
        }
    }

    /// It refused one for the time being.
    pub fn begin(&mut self, now: i64) {
        self.since.get_or_insert(now);
    }

    /// It took one, or refused it for good.
    pub fn end(&mut self) {
        self.since = None;
    }

    /// Takes note that it asks for so much more. Whether that is news, and not too long.
    pub fn ask(&mut self, left: i64, now: i64) -> bool {
        if left <= 0 {
            self.is_too_long = false;
            return false;
        }
        let until = now.saturating_add(left);
        let is_new = until > self.until.saturating_add(ALIKE);
        self.until = self.until.max(until);
        self.is_too_long = until.saturating_sub(self.since.unwrap_or(now)) > self.longest;
        is_new && !self.is_too_long
    }

    /// The same, and holds the queue for so long, unless that is too long.
    pub fn hold(&mut self, queue: &mut Queue, left: i64, now: i64) -> bool {
        let is_new = self.ask(left, now);
        if left > 0 && !self.is_too_long {
            queue.hold(now.saturating_add(left));
        }
        is_new
    }

    /// Whether it is more than is waited for.
    pub fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    /// How long it would have to be waited for in all, from its first refusal on.
    pub fn in_all(&self, now: i64) -> i64 {
        self.until.saturating_sub(self.since.unwrap_or(now)).max(0)
    }

    /// How long it asks to wait yet; 0 if it does not.
    pub fn left(&self, now: i64) -> i64 {
        self.until.saturating_sub(now).max(0)
    }

    /// Goes on though it was too long: whoever decided that waits for it.
    pub fn resume(&mut self, queue: &mut Queue) {
        self.since = None;
        self.is_too_long = false;
        queue.hold(self.until);
    }
}

/// What is said as such a wait begins, of so many microseconds.
pub fn asks_to_wait(until: Time, left: i64) -> String {
    format!(
        "the service asks to wait until {}, {} (429); then this goes on",
        until.rfc3339(),
        rough_words(left)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_waited_for_in_all_and_more_on_somebodys_word() {
        let (mut pause, mut queue) = (Pause::default(), Queue::default());
        pause.begin(0);
        assert!(pause.hold(&mut queue, 40 * SECOND, 0));
        // The same is seen again.
        assert!(!pause.hold(&mut queue, 39 * SECOND, SECOND));
        assert_eq!(pause.left(30 * SECOND), 10 * SECOND);
        // Refused again after it, it is 80 s in all.
        pause.begin(40 * SECOND);
        assert!(!pause.hold(&mut queue, 40 * SECOND, 40 * SECOND));
        assert!(pause.is_too_long());
        assert_eq!(pause.in_all(40 * SECOND), 80 * SECOND);
        pause.resume(&mut queue);
        assert!(!pause.is_too_long() && pause.left(70 * SECOND) == 10 * SECOND);
        // Once one got through, it counts from its next refusal.
        pause.end();
        pause.begin(90 * SECOND);
        assert!(pause.hold(&mut queue, 50 * SECOND, 90 * SECOND));
        assert!(!pause.is_too_long());
    }

    #[test]
    fn how_long_is_too_long_is_whoevers_who_waits() {
        for (longest, is_too_long) in [(7, false), (6, true), (0, true)] {
            let mut pause = Pause::of_at_most(longest * SECOND);
            pause.begin(SECOND);
            assert_eq!(pause.ask(7 * SECOND, SECOND), !is_too_long, "{longest}");
            assert_eq!(pause.is_too_long(), is_too_long, "{longest}");
        }
    }
}
