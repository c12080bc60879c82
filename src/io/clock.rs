//! The clock: the only place where the intake reads one.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::domain::{Moment, Time};

/// Gives moments: by the wall clock, and since the program began.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub fn now(&self) -> Moment {
        // A clock before 1970 is as wrong as one at 1970.
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Moment {
            wall: Time(i64::try_from(wall.as_micros()).unwrap_or(i64::MAX)),
            mono: i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
