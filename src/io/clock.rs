//! The clock: the only place where the intake reads one.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::domain::time::SECOND;
use crate::domain::{Moment, Time};

/// Gives moments: by the wall clock, and since the program began.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    shift: Option<&'static AtomicI64>,
}

impl Clock {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            shift: None,
        }
    }

    /// A clock whose wall part is off by so many microseconds, which may change at any time, as
    /// where a machine sleeps or its time is corrected.
    pub fn shifted_by(shift: &'static AtomicI64) -> Self {
        Self {
            shift: Some(shift),
            ..Self::new()
        }
    }

    pub fn now(&self) -> Moment {
        // A clock before 1970 is as wrong as one at 1970.
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let shift = self.shift.map_or(0, |shift| shift.load(Ordering::Relaxed));
        let wall = i64::try_from(wall.as_micros()).unwrap_or(i64::MAX);
        Moment {
            wall: Time(wall.saturating_add(shift)),
            mono: i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// How far the two clocks may part between two looks before that counts as a jump.
const JUMP: i64 = 5 * SECOND;

/// Notices that wall clock and monotonic clock disagree: the machine slept, during which only the
/// wall clock went on, or its time was set.
#[derive(Debug, Default)]
pub struct JumpWatch {
    /// Wall clock less monotonic clock at the last look, in microseconds.
    apart: Option<i64>,
}

impl JumpWatch {
    /// By how many microseconds the wall clock jumped since the last look, if it did.
    pub fn look(&mut self, now: Moment) -> Option<i64> {
        let apart = now.wall.0.saturating_sub(now.mono);
        let before = self.apart.replace(apart)?;
        let jump = apart.saturating_sub(before);
        (jump.saturating_abs() > JUMP).then_some(jump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_and_a_correction_are_jumps_and_slow_drift_is_none() {
        let at = |wall: i64, mono: i64| Moment {
            wall: Time(wall * SECOND),
            mono: mono * SECOND,
        };
        let mut watch = JumpWatch::default();
        assert_eq!(watch.look(at(1000, 0)), None);
        assert_eq!(watch.look(at(1600, 600)), None, "both went on");
        assert_eq!(watch.look(at(1604, 600)), None);
        assert_eq!(watch.look(at(1608, 600)), None, "drift");
        assert_eq!(watch.look(at(2208, 601)), Some(599 * SECOND), "sleep");
        assert_eq!(watch.look(at(2209, 602)), None, "told once");
        assert_eq!(watch.look(at(209, 602)), Some(-2000 * SECOND), "set back");
    }
}
