//! How far the last request came that changes something, for whoever is ended before it is told.

use std::sync::atomic::{AtomicU8, Ordering};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HowFar {
    /// None was made, or the service refused it.
    NotDone,
    /// It may have left, and no answer that settles it has come.
    UnderWay,
    /// The service answered that it is done.
    Done,
}

/// Where that is kept.
#[derive(Debug, Default)]
pub struct Mark(AtomicU8);

impl Mark {
    pub fn set(&self, how_far: HowFar) {
        let number = match how_far {
            HowFar::NotDone => 0,
            HowFar::UnderWay => 1,
            HowFar::Done => 2,
        };
        self.0.store(number, Ordering::Relaxed);
    }

    pub fn get(&self) -> HowFar {
        match self.0.load(Ordering::Relaxed) {
            0 => HowFar::NotDone,
            1 => HowFar::UnderWay,
            _ => HowFar::Done,
        }
    }
}
