//! When a failed delivery is tried again: Svix's schedule, its jitter, and the demo's time scale.

use std::time::Duration;

/// Delays after the 1st, 2nd, … failed attempt, in seconds (docs.svix.com/retries).
const DELAYS_S: [f64; 7] = [5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0];
/// After a timeout the receiver gets at least this long to recover, in seconds.
const AFTER_TIMEOUT_S: f64 = 60.0;
/// Each delay is drawn from ± this part of it.
const JITTER: f64 = 0.2;

/// The retry schedule in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    delays_s: Vec<f64>,
    time_scale: f64,
}

impl Schedule {
    /// Svix's schedule, every delay divided by `time_scale`.
    pub fn new(time_scale: f64) -> Self {
        Self {
            delays_s: DELAYS_S.iter().map(|delay| delay / time_scale).collect(),
            time_scale,
        }
    }

    /// The delays in force, in seconds, as published in `x-retry-schedule`.
    pub fn delays_s(&self) -> &[f64] {
        &self.delays_s
    }

    /// The least delay after a timeout, in seconds, as published in
    /// `x-retry-floor-after-timeout`. Before jitter, like the delays.
    pub fn floor_after_timeout_s(&self) -> f64 {
        AFTER_TIMEOUT_S / self.time_scale
    }

    /// How long to wait after the `attempt`th failure (from 1), or nothing when it was the last.
    ///
    /// `retry_after` is the receiver's wish; it is granted between one and two times the delay.
    /// `chance` lies in 0..1.
    pub fn delay(
        &self,
        attempt: u32,
        timed_out: bool,
        retry_after: Option<Duration>,
        chance: f64,
    ) -> Option<Duration> {
        let index = usize::try_from(attempt.checked_sub(1)?).ok()?;
        let mut delay = *self.delays_s.get(index)?;
        if timed_out {
            delay = delay.max(self.floor_after_timeout_s());
        }
        if let Some(wish) = retry_after {
            delay = wish.as_secs_f64().clamp(delay, 2.0 * delay);
        }
        let jittered = delay * (1.0 - JITTER + 2.0 * JITTER * chance.clamp(0.0, 1.0));
        Duration::try_from_secs_f64(jittered).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(schedule: &Schedule, attempt: u32, timed_out: bool) -> Option<f64> {
        schedule
            .delay(attempt, timed_out, None, 0.5)
            .map(|delay| delay.as_secs_f64().round())
    }

    #[test]
    fn eight_attempts_then_none() {
        let schedule = Schedule::new(1.0);
        let delays: Vec<_> = (1..=8).map(|n| seconds(&schedule, n, false)).collect();
        let expected = [5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0];
        assert_eq!(delays[..7], expected.map(Some));
        assert_eq!(delays[7], None);
        assert_eq!(schedule.delay(0, false, None, 0.5), None);
    }

    #[test]
    fn a_timeout_waits_a_minute_and_the_scale_divides_all() {
        assert_eq!(seconds(&Schedule::new(1.0), 1, true), Some(60.0));
        assert_eq!(seconds(&Schedule::new(1.0), 2, true), Some(300.0));
        assert_eq!(seconds(&Schedule::new(60.0), 1, true), Some(1.0));
        assert_eq!(seconds(&Schedule::new(60.0), 2, false), Some(5.0));
    }

    #[test]
    fn jitter_is_a_fifth_and_retry_after_is_kept_within_twice_the_delay() {
        let schedule = Schedule::new(1.0);
        let at = |chance, wish: Option<u64>| {
            schedule
                .delay(1, false, wish.map(Duration::from_secs), chance)
                .map(|delay| delay.as_millis())
        };
        assert_eq!((at(0.0, None), at(1.0, None)), (Some(4000), Some(6000)));
        assert_eq!(at(0.5, Some(7)), Some(7000));
        assert_eq!(at(0.5, Some(1)), Some(5000));
        assert_eq!(at(0.5, Some(600)), Some(10_000));
    }
}
