//! How long to wait before the next connection (contracts.md, "Reconnecting").

use std::collections::VecDeque;

use super::time::SECOND;

/// The bounds of waiting, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The least wait, whatever the server says.
    pub floor: i64,
    /// The most that repeated failure adds.
    pub ceiling: i64,
    /// The most that a server's `retry:` is obeyed.
    pub max_retry: i64,
    /// The most that a server's `Retry-After` is obeyed.
    pub max_retry_after: i64,
    /// How long a connection must live before failures are forgotten.
    pub health: i64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            floor: SECOND / 4,
            ceiling: 30 * SECOND,
            max_retry: 30 * SECOND,
            max_retry_after: 300 * SECOND,
            health: 10 * SECOND,
        }
    }
}

/// Most connections begun within [`Backoff::health`].
pub const MAX_CONNECTIONS: usize = 12;

impl Backoff {
    /// The wait before the next try, in microseconds.
    ///
    /// `failures` counts the ends since the last healthy connection, this one included. `retry` and
    /// `retry_after` are what the server asked for, in microseconds. `chance` holds two numbers in
    /// 0..1: one shakes the base by at most 30 %, the other takes a share of the exponential part.
    pub fn delay(
        &self,
        failures: u32,
        retry: Option<i64>,
        retry_after: Option<i64>,
        chance: (f64, f64),
    ) -> i64 {
        let share = |part: f64| {
            if part.is_finite() {
                part.clamp(0.0, 1.0)
            } else {
                0.0
            }
        };
        let asked = retry.unwrap_or(0).clamp(0, self.max_retry);
        let told = retry_after.unwrap_or(0).clamp(0, self.max_retry_after);
        let base = asked.max(told).max(self.floor);
        let shaken = base as f64 * 0.3 * share(chance.0);
        let exponential = if failures > 1 {
            let doubled = self.floor.saturating_mul(1 << (failures - 1).min(20));
            doubled.min(self.ceiling) as f64 * share(chance.1)
        } else {
            0.0
        };
        base.saturating_add(shaken as i64)
            .saturating_add(exponential as i64)
    }
}

/// Remembers when connections began, so that no luck with the jitter ever makes more than
/// [`MAX_CONNECTIONS`] of them within one span of health.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    starts: VecDeque<i64>,
}

impl Pace {
    /// Notes that a connection begins at `now` (microseconds, monotonic).
    pub fn begin(&mut self, now: i64) {
        if self.starts.len() >= MAX_CONNECTIONS {
            self.starts.pop_front();
        }
        self.starts.push_back(now);
    }

    /// The earliest moment from `at` on at which one more connection may begin.
    pub fn earliest(&self, at: i64, span: i64) -> i64 {
        match self.starts.front() {
            Some(oldest) if self.starts.len() >= MAX_CONNECTIONS => {
                at.max(oldest.saturating_add(span))
            }
            _ => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_wait_is_never_below_the_floor_nor_above_its_bounds(
            failures in 0u32..100_000,
            retry in proptest::option::of(any::<i64>()),
            after in proptest::option::of(any::<i64>()),
            chance in (any::<f64>(), any::<f64>()),
        ) {
            let backoff = Backoff::default();
            let wait = backoff.delay(failures, retry, after, chance);
            let base = retry.unwrap_or(0).clamp(0, backoff.max_retry)
                .max(after.unwrap_or(0).clamp(0, backoff.max_retry_after))
                .max(backoff.floor);
            prop_assert!(wait >= base);
            prop_assert!(wait <= base + base * 3 / 10 + backoff.ceiling + 1);
        }

        #[test]
        fn more_failures_never_shorten_the_wait(failures in 0u32..40, chance in (0.0f64..1.0, 0.0f64..1.0)) {
            let backoff = Backoff::default();
            let wait = |n| backoff.delay(n, None, None, chance);
            prop_assert!(wait(failures + 1) >= wait(failures));
        }

        #[test]
        fn connect_and_close_never_spins(chances in proptest::collection::vec((0.0f64..1.0, 0.0f64..1.0), 200)) {
            let backoff = Backoff::default();
            let mut pace = Pace::default();
            let (mut now, mut starts) = (0, Vec::new());
            for (n, chance) in chances.into_iter().enumerate() {
                pace.begin(now);
                starts.push(now);
                now = pace.earliest(now + backoff.delay(n as u32, Some(0), None, chance), backoff.health);
            }
            for window in starts.windows(MAX_CONNECTIONS + 1) {
                prop_assert!(window[MAX_CONNECTIONS] - window[0] >= backoff.health);
            }
        }
    }

    #[test]
    fn a_clean_end_waits_once_without_the_exponential_part() {
        let backoff = Backoff::default();
        assert_eq!(
            backoff.delay(1, Some(2 * SECOND), None, (0.0, 1.0)),
            2 * SECOND
        );
        assert_eq!(backoff.delay(0, None, None, (0.0, 1.0)), backoff.floor);
    }
}
