//! The service's automatic retries: which comes next, and when, as an estimate.

use super::attempt::{Attempt, AttemptStatus, Trigger};
use super::id::{AttemptId, EndpointId, MessageId};
use super::time::{SECOND, Time};

/// Svix's published delays between attempts, in seconds, each counted from the last failure
/// (docs.svix.com/retries).
pub const SVIX_DELAYS: [f64; 7] = [5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0];

/// What a server publishes of its automatic retries.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PublishedRetries {
    /// Delays before each retry, in seconds.
    pub delays: Vec<f64>,
    /// The least delay after an attempt that timed out, in seconds, if it is published.
    pub floor_after_timeout: Option<f64>,
    /// When it disables an endpoint that fails, if that is published.
    pub disabling: Option<Disabling>,
}

/// When a service disables an endpoint at which nothing succeeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Disabling {
    Never,
    /// After so many seconds of failures alone.
    After(f64),
}

/// Svix disables after five days (svix.md part 6).
const SVIX_DISABLING: Disabling = Disabling::After(5.0 * 86_400.0);

/// Svix's least delay after an attempt that timed out, in seconds (svix.md).
const SVIX_FLOOR: f64 = 60.0;

/// A year: no delay is longer.
const MOST_SECONDS: f64 = 31_536_000.0;

/// The delays in force between one attempt and the next.
#[derive(Debug, Clone, PartialEq)]
pub struct RetrySchedule {
    delays: Vec<f64>,
    floor_after_timeout: f64,
    disabling: Disabling,
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self {
            delays: SVIX_DELAYS.to_vec(),
            floor_after_timeout: SVIX_FLOOR,
            disabling: SVIX_DISABLING,
        }
    }
}

/// What will happen by itself to one message at one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forecast {
    /// Nothing: it was delivered, or nothing was tried.
    Nothing,
    /// Attempt `number` of `of` comes at `at`: as the service says, or else as it is estimated. The
    /// last of all is estimated for `last` if none succeeds.
    Next {
        number: usize,
        of: usize,
        at: Time,
        last: Time,
        is_exact: bool,
    },
    /// All automatic attempts failed.
    Exhausted { of: usize },
    /// The service says that it makes no more attempts, though the schedule has more.
    Over { number: usize, of: usize },
    /// Older attempts may not be known here, so that neither numbers nor times can be told.
    Unread,
    /// A manual attempt came after the last automatic failure, and may have ended the schedule.
    Uncertain { number: usize, of: usize, at: Time },
}

impl RetrySchedule {
    /// Takes what a server publishes. Delays that are no sane time are refused.
    pub fn published(retries: &PublishedRetries) -> Option<Self> {
        let is_sane = |delay: &f64| delay.is_finite() && (0.0..=MOST_SECONDS).contains(delay);
        let delays = &retries.delays;
        // A server that keeps Svix's delays and says no more is taken to keep its floor as well.
        let unsaid = if *delays == SVIX_DELAYS {
            SVIX_FLOOR
        } else {
            0.0
        };
        let floor = retries.floor_after_timeout.filter(is_sane);
        let disabling = retries.disabling.and_then(|disabling| match disabling {
            Disabling::After(seconds) if seconds > MOST_SECONDS => Some(Disabling::Never),
            Disabling::After(seconds) if !is_sane(&seconds) => None,
            said => Some(said),
        });
        (!delays.is_empty() && delays.len() <= 64 && delays.iter().all(is_sane)).then(|| Self {
            delays: delays.clone(),
            floor_after_timeout: floor.unwrap_or(unsaid),
            disabling: disabling.unwrap_or(SVIX_DISABLING),
        })
    }

    /// When the service disables an endpoint that fails: what it publishes, else Svix's five days.
    pub fn disabling(&self) -> Disabling {
        self.disabling
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
        let mut delay = *delay;
        let took = last_automatic.duration_ms.unwrap_or(0).min(600_000) as i64 * 1000;
        if last_automatic.failure() == Some(super::attempt::FailureClass::Timeout) {
            delay = delay.max(self.floor_after_timeout);
        }
        // Seconds fit: `published` bounds them.
        let delay = (delay * SECOND as f64) as i64;
        let at = last_automatic.started.plus(took).plus(delay);
        let number = automatic.len() + 1;
        if last.trigger == Trigger::Manual {
            Forecast::Uncertain { number, of, at }
        } else {
            let rest: f64 = self.delays.iter().skip(automatic.len()).sum();
            let last = at.plus((rest * SECOND as f64) as i64);
            Forecast::Next {
                number,
                of,
                at,
                last,
                is_exact: false,
            }
        }
    }

    /// The same where the service said after the last of these attempts when the next comes; `None`
    /// that none does.
    pub fn told(&self, attempts: &[&Attempt], next: Option<Time>) -> Forecast {
        let number = attempts
            .iter()
            .filter(|attempt| attempt.trigger != Trigger::Manual)
            .count();
        let estimate = self.forecast(attempts);
        let of = self.attempts().max(number);
        match (estimate, next) {
            (Forecast::Nothing, _) => Forecast::Nothing,
            (_, None) if number >= self.attempts() => Forecast::Exhausted { of },
            (_, None) => Forecast::Over { number, of },
            (estimate, Some(at)) => {
                let last = match estimate {
                    // The rest of the schedule moves with the next attempt.
                    Forecast::Next {
                        at: estimated,
                        last,
                        ..
                    } => at.plus(last.since(estimated)),
                    _ => at,
                };
                Forecast::Next {
                    number: number + 1,
                    of: of.max(number + 1),
                    at,
                    last,
                    is_exact: true,
                }
            }
        }
    }
}

/// What a service says of the next automatic attempt at an endpoint (Svix `nextAttempt`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextTry {
    pub message: MessageId,
    pub endpoint: EndpointId,
    /// The newest attempt that was known when it was asked; a later one makes it void.
    pub after: AttemptId,
    /// `None` if the service plans none.
    pub at: Option<Time>,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn timed_out() -> Attempt {
        Attempt {
            id: AttemptId::new("a"),
            message: MessageId::new("m"),
            endpoint: EndpointId::new("e"),
            url: "".into(),
            started: Time(0),
            status: AttemptStatus::Fail,
            code: 0,
            duration_ms: Some(15_000),
            response: "the request timed out".into(),
            trigger: Trigger::Scheduled,
        }
    }

    #[test]
    fn the_last_attempt_is_told_with_the_next() {
        let mut failed = timed_out();
        failed.code = 500;
        failed.duration_ms = Some(0);
        let next = RetrySchedule::default().forecast(&[&failed]);
        let rest = SVIX_DELAYS.iter().sum::<f64>() as i64;
        assert_eq!(
            next,
            Forecast::Next {
                number: 2,
                of: 8,
                at: Time(5 * SECOND),
                last: Time(rest * SECOND),
                is_exact: false,
            }
        );
    }

    #[test]
    fn what_the_service_says_stands_before_the_estimate() {
        let schedule = RetrySchedule::default();
        let mut failed = timed_out();
        let at = Time(500 * SECOND);
        let rest = SVIX_DELAYS[1..].iter().sum::<f64>() as i64;
        let next = Forecast::Next {
            number: 2,
            of: 8,
            at,
            last: at.plus(rest * SECOND),
            is_exact: true,
        };
        assert_eq!(schedule.told(&[&failed], Some(at)), next);
        let over = Forecast::Over { number: 1, of: 8 };
        assert_eq!(schedule.told(&[&failed], None), over);
        assert_eq!(
            schedule.told(&[&failed; 8], None),
            Forecast::Exhausted { of: 8 }
        );
        failed.status = AttemptStatus::Success;
        assert_eq!(schedule.told(&[&failed], Some(at)), Forecast::Nothing);
    }

    #[test]
    fn after_a_timeout_the_published_floor_counts_else_svixs_with_its_delays() {
        let next = |delays: &[f64], floor| {
            let retries = PublishedRetries {
                delays: delays.to_vec(),
                floor_after_timeout: floor,
                disabling: None,
            };
            let schedule = RetrySchedule::published(&retries).unwrap();
            match schedule.forecast(&[&timed_out()]) {
                Forecast::Next { at, .. } => at.0 / SECOND,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            timed_out().failure(),
            Some(super::super::attempt::FailureClass::Timeout)
        );
        assert_eq!(next(&[5.0, 300.0], Some(60.0)), 75);
        assert_eq!(next(&[5.0, 300.0], Some(1.0)), 20);
        assert_eq!(next(&[5.0, 300.0], Some(f64::NAN)), 20);
        assert_eq!(next(&[5.0, 300.0], None), 20);
        assert_eq!(next(&SVIX_DELAYS, None), 75);
        assert_eq!(next(&SVIX_DELAYS, Some(0.5)), 20);
    }
}
