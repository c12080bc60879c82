//! The service's automatic retries: which comes next, and when, as an estimate.

use super::attempt::{Attempt, AttemptStatus, Trigger};
use super::time::{SECOND, Time};

/// Svix's published delays between attempts, in seconds, each counted from the last failure
/// (docs.svix.com/retries).
pub const SVIX_DELAYS: [f64; 7] = [5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0];

/// The delays in force between one attempt and the next.
#[derive(Debug, Clone, PartialEq)]
pub struct RetrySchedule {
    delays: Vec<f64>,
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self {
            delays: SVIX_DELAYS.to_vec(),
        }
    }
}

/// What will happen by itself to one message at one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forecast {
    /// Nothing: it was delivered, or nothing was tried.
    Nothing,
    /// Attempt `number` of `of` is estimated for `at`.
    Next { number: usize, of: usize, at: Time },
    /// All automatic attempts failed.
    Exhausted { of: usize },
    /// A manual attempt came after the last automatic failure, and may have ended the schedule.
    Uncertain { number: usize, of: usize, at: Time },
}

impl RetrySchedule {
    /// Takes a server's published delays, in seconds. Those that are no sane time are refused.
    pub fn published(delays: &[f64]) -> Option<Self> {
        let is_sane = |delay: &f64| delay.is_finite() && (0.0..=31_536_000.0).contains(delay);
        (!delays.is_empty() && delays.len() <= 64 && delays.iter().all(is_sane)).then(|| Self {
            delays: delays.to_vec(),
        })
    }

    /// Automatic attempts in all: the first and one after each delay.
    pub fn attempts(&self) -> usize {
        self.delays.len() + 1
    }

    pub fn delays(&self) -> &[f64] {
        &self.delays
    }

    /// Forecasts from the attempts of one message at one endpoint, oldest first.
    pub fn forecast(&self, attempts: &[&Attempt]) -> Forecast {
        let Some(last) = attempts.last() else {
            return Forecast::Nothing;
        };
        if attempts
            .iter()
            .any(|attempt| attempt.status == AttemptStatus::Success)
            || last.status == AttemptStatus::Canceled
        {
            return Forecast::Nothing;
        }
        let automatic: Vec<&&Attempt> = attempts
            .iter()
            .filter(|attempt| attempt.trigger != Trigger::Manual)
            .collect();
        let Some(last_automatic) = automatic.last() else {
            return Forecast::Nothing;
        };
        let of = self.attempts();
        let Some(delay) = self.delays.get(automatic.len() - 1) else {
            return Forecast::Exhausted { of };
        };
        // Seconds fit: `published` bounds them.
        let mut delay = (*delay * SECOND as f64) as i64;
        let took = last_automatic.duration_ms.unwrap_or(0).min(600_000) as i64 * 1000;
        if last_automatic.failure() == Some(super::attempt::FailureClass::Timeout)
            && self.delays == SVIX_DELAYS
        {
            delay = delay.max(60 * SECOND);
        }
        let at = last_automatic.started.plus(took).plus(delay);
        let number = automatic.len() + 1;
        if last.trigger == Trigger::Manual {
            Forecast::Uncertain { number, of, at }
        } else {
            Forecast::Next { number, of, at }
        }
    }
}
