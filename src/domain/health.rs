//! How an endpoint fares: how often and how fast it answers, since when it fails, and when the
//! service may disable it for that.

use super::endpoint::Endpoint;
use super::history::{History, Tries};
use super::schedule::Disabling;
use super::time::{SECOND, Time};

/// An hour and a day, in microseconds.
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// A service's clock may be so much ahead of ours, in microseconds.
const AHEAD: i64 = 600 * SECOND;

/// How an endpoint fares, as far as the attempts in memory tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    pub hour: Answers,
    pub day: Answers,
    /// The start of the newest attempt that succeeded.
    pub last_success: Option<Time>,
    pub failing: Option<Failing>,
}

/// The attempts of a window of time that ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    pub n_succeeded: usize,
    pub n_failed: usize,
    /// How long half and 95 percent of the answers took at most, in milliseconds, which may be up to
    /// 6 % less (below 32 ms it is exact), the window to the minute or the quarter of an hour; a
    /// timeout counts with the time it took.
    pub p50_ms: Option<u64>,
    pub p95_ms: Option<u64>,
    /// From when on attempts are known, where that is not the whole window.
    pub since: Option<Time>,
}

impl Answers {
    pub fn n_attempts(&self) -> usize {
        self.n_succeeded + self.n_failed
    }

    /// The part that succeeded, from 0 to 1; `None` without attempts.
    pub fn success_rate(&self) -> Option<f64> {
        let n_all = self.n_attempts();
        (n_all > 0).then(|| self.n_succeeded as f64 / n_all as f64)
    }
}

/// A row of failures up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// The first one.
    pub since: Time,
    /// No success is known before it, or failures between left memory, so that the row may be longer.
    pub is_at_least: bool,
    pub n_failures: usize,
    /// When the service disables the endpoint if nothing succeeds, as an estimate; `None` where it
    /// never does, or has done so.
    pub disabled_at: Option<Time>,
}

/// What became of the attempts in one slice of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beat {
    pub n_succeeded: usize,
    pub n_failed: usize,
}

impl Health {
    /// How the endpoint fares at a time.
    pub fn of(history: &History, endpoint: &Endpoint, now: Time) -> Self {
        let Some(tries) = history.deliveries.tries(&endpoint.id) else {
            return Self::default();
        };
        let now = told_now(tries, now);
        let last_success = tries.last_success();
        let disabling = history.schedule.disabling();
        let failing = tries.failing().map(|(since, n_failures)| Failing {
            since,
            // Of what left memory since the last success, all failed.
            is_at_least: last_success.is_none_or(|last| tries.gone_until() > Some(last)),
            n_failures,
            disabled_at: match disabling {
                Disabling::After(seconds) if !endpoint.disabled => {
                    // The schedule takes no time that does not fit.
                    Some(since.plus((seconds * SECOND as f64) as i64))
                }
                _ => None,
            },
        });
        Self {
            hour: answers(tries, now, HOUR),
            day: answers(tries, now, DAY),
            last_success,
            failing,
        }
    }

    /// The last hour in so many slices, the oldest first.
    pub fn beats(history: &History, endpoint: &Endpoint, now: Time, n_slices: usize) -> Vec<Beat> {
        let Some(tries) = history.deliveries.tries(&endpoint.id) else {
            return vec![Beat::default(); n_slices];
        };
        let now = told_now(tries, now);
        let edge = |at: usize| {
            let rest = (n_slices - at) as i64;
            now.plus(-(HOUR * rest / n_slices as i64))
        };
        let slice = |at: usize| {
            let (n_succeeded, n_failed) = tries.counted(edge(at), edge(at + 1));
            Beat {
                n_succeeded,
                n_failed,
            }
        };
        (0..n_slices).map(slice).collect()
    }
}

/// Now by the service's clock, as far as its attempts show that it is ahead of ours.
fn told_now(tries: &Tries, now: Time) -> Time {
    let newest = tries.newest().filter(|newest| *newest <= now.plus(AHEAD));
    newest.map_or(now, |newest| now.max(newest))
}

fn answers(tries: &Tries, now: Time, window: i64) -> Answers {
    let begin = now.plus(-window);
    // What is held of the time before the newest that left memory is not all there was.
    let from = begin.max(tries.gone_until().unwrap_or(begin));
    let (n_succeeded, n_failed) = tries.counted(from, now);
    let took = tries.took(from, now);
    Answers {
        n_succeeded,
        n_failed,
        p50_ms: took.percentile(50),
        p95_ms: took.percentile(95),
        since: tries.since().filter(|since| *since > begin),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::attempt::{Attempt, AttemptStatus, Trigger};
    use super::super::change::{Change, ChangeKind, Origin};
    use super::super::history::{Bounds, Delivery};
    use super::super::id::{AttemptId, EndpointId, MessageId};
    use super::super::time::Moment;
    use super::*;

    fn attempt(message: usize, minute: i64, status: AttemptStatus, ms: u64) -> Attempt {
        Attempt {
            id: AttemptId::new(&format!("a-{message}-{minute}")),
            message: MessageId::new(&format!("m-{message:03}")),
            endpoint: EndpointId::new("ep"),
            url: "http://h/".into(),
            started: Time(minute * 60 * SECOND),
            code: if status == AttemptStatus::Fail {
                500
            } else {
                200
            },
            status,
            duration_ms: Some(ms),
            response: "".into(),
            trigger: Trigger::Scheduled,
        }
    }

    fn history(messages: usize, attempts: impl IntoIterator<Item = Attempt>) -> History {
        let mut history = History::new(Bounds {
            messages,
            ..Bounds::default()
        });
        history.apply_all(attempts.into_iter().map(|attempt| Change {
            seq: 0,
            received: Moment::default(),
            origin: Origin::Poll,
            raw: None,
            kind: ChangeKind::Attempt(Box::new(attempt)),
        }));
        history
    }

    fn endpoint() -> Endpoint {
        Endpoint::inferred(EndpointId::new("ep"), "http://h/".into())
    }

    fn at(minute: i64) -> Time {
        Time(minute * 60 * SECOND)
    }

    fn health(history: &History, minute: i64) -> Health {
        Health::of(history, &endpoint(), at(minute))
    }

    #[test]
    fn windows_count_what_began_in_them_and_say_from_when_on() {
        let day: Vec<Attempt> = (0..1500_usize)
            .map(|n| {
                let status = match n % 10 {
                    0 => AttemptStatus::Fail,
                    _ => AttemptStatus::Success,
                };
                attempt(n, n as i64, status, n as u64 % 20)
            })
            .collect();
        let history = history(10_000, day);
        let found = health(&history, 1499);
        assert_eq!((found.hour.n_succeeded, found.hour.n_failed), (54, 6));
        assert_eq!(found.day.n_attempts(), 1440);
        assert_eq!((found.day.since, found.hour.since), (None, None));
        assert_eq!((found.hour.p50_ms, found.hour.p95_ms), (Some(10), Some(19)));
        assert_eq!(found.hour.success_rate(), Some(0.9));
        assert_eq!(found.failing, None);
        let earlier = health(&history, 100);
        assert_eq!(earlier.day.n_attempts(), 101);
        assert_eq!(earlier.day.since, Some(at(0)));
        let beats = Health::beats(&history, &endpoint(), at(1499), 6);
        let beat = Beat {
            n_succeeded: 9,
            n_failed: 1,
        };
        assert_eq!(beats, vec![beat; 6]);
        assert_eq!(health(&history, 9999).hour, Answers::default());
    }

    #[test]
    fn a_clock_that_is_ahead_of_ours_hides_no_attempt() {
        let held = history(9, [attempt(1, 5, AttemptStatus::Fail, 1)]);
        assert_eq!(health(&held, 0).hour.n_failed, 1);
        assert_eq!(
            health(&held, -60).hour.n_failed,
            0,
            "no clock is that wrong"
        );
        let beats = Health::beats(&held, &endpoint(), at(0), 4);
        assert_eq!(beats.last().map(|beat| beat.n_failed), Some(1));
    }

    #[test]
    fn a_row_of_failures_begins_after_the_last_success() {
        use AttemptStatus::{Fail, Sending, Success};
        let told = [
            attempt(1, 1, Fail, 5),
            attempt(2, 2, Success, 5),
            attempt(3, 3, Fail, 5),
            attempt(4, 4, Sending, 5),
            attempt(5, 5, Fail, 5),
        ];
        let mut held = history(100, told.iter().cloned());
        let failing = health(&held, 6).failing;
        let expected = Failing {
            since: at(3),
            is_at_least: false,
            n_failures: 2,
            disabled_at: Some(at(3).plus(5 * DAY)),
        };
        assert_eq!(failing, Some(expected));
        let disabled = Endpoint {
            disabled: true,
            ..endpoint()
        };
        let failing = Health::of(&held, &disabled, at(6)).failing;
        assert_eq!(failing.and_then(|failing| failing.disabled_at), None);
        held = history(100, told.iter().skip(2).cloned());
        let failing = health(&held, 6).failing;
        assert_eq!(failing.map(|failing| failing.is_at_least), Some(true));
        held = history(100, told.into_iter().chain([attempt(6, 6, Success, 5)]));
        assert_eq!(health(&held, 6).failing, None);
    }

    #[test]
    fn a_row_whose_beginning_left_memory_is_longer_than_is_known() {
        use AttemptStatus::{Fail, Success};
        let first = attempt(0, 0, Success, 5);
        let failed = (1..40_usize).map(|n| attempt(n, n as i64, Fail, 5));
        let held = history(30, [first].into_iter().chain(failed));
        assert!(held.deliveries.evicted() > 1);
        let failing = health(&held, 40).failing;
        assert!(failing.is_some_and(|it| it.since > at(1) && it.is_at_least));
    }

    #[test]
    fn what_left_memory_neither_makes_a_row_longer_nor_a_rate_worse() {
        use AttemptStatus::{Fail, Success};
        // The delivered leave first: of the time before the newest of them only failures are left.
        let told = (0..40_usize).map(|n| {
            let status = if n % 2 == 0 { Fail } else { Success };
            attempt(n, n as i64, status, 5)
        });
        let held = history(30, told);
        assert!(held.deliveries.evicted() > 0);
        let found = health(&held, 40);
        let gone = held.deliveries.tries(&EndpointId::new("ep"));
        let gone = gone.and_then(Tries::gone_until);
        assert!(gone.is_some());
        assert_eq!(found.hour.since, gone);
        let n_less = found.hour.n_succeeded.abs_diff(found.hour.n_failed);
        assert!(n_less <= 1, "{found:?}");
        assert_eq!(found.last_success, Some(at(39)));
    }

    proptest! {
        /// Whatever came in which order, twice or changed, and whatever left: the counts are those
        /// of the attempts in memory.
        #[test]
        fn the_counts_are_those_of_the_attempts_in_memory(
            told in proptest::collection::vec((0_usize..20, 0_i64..180, 0_u8..3, 0_u64..90_000), 0..150),
        ) {
            let told = told.into_iter().map(|(message, minute, status, ms)| {
                let status = match status {
                    0 => AttemptStatus::Success,
                    1 => AttemptStatus::Fail,
                    _ => AttemptStatus::Sending,
                };
                attempt(message, minute, status, ms)
            });
            let history = history(9, told);
            let mut slices: BTreeMap<i64, Beat> = BTreeMap::new();
            for held in history.deliveries.newest().flat_map(Delivery::attempts) {
                let slice = slices.entry(held.started.0.div_euclid(60 * SECOND)).or_default();
                match held.status {
                    AttemptStatus::Success => slice.n_succeeded += 1,
                    AttemptStatus::Fail => slice.n_failed += 1,
                    _ => {}
                }
            }
            let tries = history.deliveries.tries(&EndpointId::new("ep"));
            for minute in 0..180 {
                let now = at(minute);
                let counted = tries.map_or((0, 0), |tries| tries.counted(now.plus(-1), now));
                let expected = slices.get(&minute).copied().unwrap_or_default();
                prop_assert_eq!(counted, (expected.n_succeeded, expected.n_failed));
            }
            let n_all: usize = slices.values().map(|beat| beat.n_succeeded + beat.n_failed).sum();
            let (succeeded, failed) = tries.map_or((0, 0), |tries| tries.counted(Time(-1), at(999)));
            prop_assert_eq!(succeeded + failed, n_all);
        }
    }
}
