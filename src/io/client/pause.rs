//! How long a service asks to be left alone, by its last 429.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::UNSAID;

#[derive(Debug, Default)]
pub struct Pause(Mutex<Option<Instant>>);

impl Pause {
    /// Takes note of a 429 and its `Retry-After`, in microseconds.
    pub fn ask(&self, retry_after: Option<i64>) {
        let wait = retry_after.filter(|wait| *wait > 0);
        let wait = Duration::from_micros(wait.unwrap_or(UNSAID).unsigned_abs());
        // One beyond every clock asks for a day.
        let now = Instant::now();
        let until = now.checked_add(wait.min(Duration::from_hours(24)));
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *held = until.max(*held);
    }

    /// How long it still asks to wait.
    pub fn left(&self) -> Duration {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }
}
