//! When a filtered list is tested anew, as something changed that many of its rows may hold.

use crate::domain::Moment;

/// Between the beginnings of two scans of a whole list at least, in microseconds: while names come
/// in one by one, each would have every row tested again.
const PAUSE: i64 = crate::domain::time::SECOND;

/// Whether the rows of a list are to be tested again, and since when they were last.
#[derive(Debug, Clone, Default)]
pub struct Rescan {
    is_stale: bool,
    /// When the last one began; monotonic microseconds.
    last: Option<i64>,
}

impl Rescan {
    /// Notes that something changed which many rows may hold.
    pub fn note_stale(&mut self) {
        self.is_stale = true;
    }

    /// Whether all rows were tested once at most.
    pub fn is_first(&self) -> bool {
        self.last.is_none()
    }

    /// Whether one begins now.
    pub fn begins(&mut self, now: Moment) -> bool {
        let is_due = self.last.is_none_or(|last| now.mono - last >= PAUSE);
        let begins = self.is_stale && is_due;
        if begins {
            self.is_stale = false;
            self.last = Some(now.mono);
        }
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;

    #[test]
    fn a_rescan_begins_where_something_changed_and_not_all_the_time() {
        let at = |mono| Moment {
            wall: Time(0),
            mono,
        };
        let mut rescan = Rescan::default();
        assert!(!rescan.begins(at(0)) && rescan.is_first());
        rescan.note_stale();
        assert!(rescan.begins(at(1)) && !rescan.is_first());
        assert!(!rescan.begins(at(2 * PAUSE)));
        rescan.note_stale();
        assert!(rescan.begins(at(2 * PAUSE)));
        rescan.note_stale();
        assert!(!rescan.begins(at(3 * PAUSE - 1)));
        assert!(rescan.begins(at(3 * PAUSE)));
    }
}
