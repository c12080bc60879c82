//! How the attempts at each endpoint went and how long their answers took, over time: counted as
//! attempts come, change and go, so that no screen has to walk them.

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashMap;

use super::super::attempt::{Attempt, AttemptStatus, FailureClass};
use super::super::id::EndpointId;
use super::super::time::{SECOND, Time};

/// Endpoints of which it is still known what left memory once nothing else is left of them.
const MAX_EMPTY: usize = 10_000;
/// Slots by which answer times are counted, in microseconds: fine ones for an hour, coarse ones for
/// a day.
const FINE: i64 = 60 * SECOND;
const COARSE: i64 = 15 * FINE;
/// Windows up to this are read from the fine slots, in microseconds.
const FINE_WINDOW: i64 = 2 * 3600 * SECOND;

/// The attempts in memory that ended, by endpoint.
#[derive(Debug, Default)]
pub(super) struct AllTries(HashMap<EndpointId, Tries>);

impl AllTries {
    pub fn get(&self, endpoint: &EndpointId) -> Option<&Tries> {
        self.0.get(endpoint)
    }

    /// Takes an attempt in.
    pub fn add(&mut self, attempt: &Attempt) {
        if let Some(try_) = Try::of(attempt) {
            let tries = self.0.entry(attempt.endpoint.clone()).or_default();
            tries.add(try_);
        }
    }

    /// Takes an attempt out whose place another state of it takes.
    pub fn replace(&mut self, attempt: &Attempt) {
        if let (Some(try_), Some(tries)) = (Try::of(attempt), self.0.get_mut(&attempt.endpoint)) {
            tries.remove(try_);
        }
    }

    /// Takes an attempt out that leaves memory.
    pub fn let_go(&mut self, attempt: &Attempt) {
        let Some(try_) = Try::of(attempt) else {
            return;
        };
        let n_all = self.0.len();
        let Some(tries) = self.0.get_mut(&attempt.endpoint) else {
            return;
        };
        tries.remove(try_);
        tries.gone_until = tries.gone_until.max(Some(try_.at));
        if try_.is_success {
            tries.gone_success = tries.gone_success.max(Some(try_.at));
        }
        if tries.is_empty() && n_all > MAX_EMPTY {
            self.0.remove(&attempt.endpoint);
        }
    }
}

/// What is counted of an attempt that ended.
#[derive(Debug, Clone, Copy)]
struct Try {
    at: Time,
    is_success: bool,
    /// How long the answer took, or was waited for; `None` where nobody was reached.
    took: Option<Took>,
}

impl Try {
    fn of(attempt: &Attempt) -> Option<Self> {
        let is_success = match attempt.status {
            AttemptStatus::Success => true,
            AttemptStatus::Fail => false,
            _ => return None,
        };
        let is_answer = attempt.code != 0 || attempt.failure() == Some(FailureClass::Timeout);
        let took = attempt.duration_ms.filter(|_| is_answer).map(Took::of);
        Some(Self {
            at: attempt.started,
            is_success,
            took,
        })
    }
}

/// The attempts in memory that ended at one endpoint.
#[derive(Debug, Default)]
pub struct Tries {
    /// When those that succeeded and those that failed began, oldest first.
    succeeded: VecDeque<Time>,
    failed: VecDeque<Time>,
    fine: BTreeMap<i64, Counts>,
    coarse: BTreeMap<i64, Counts>,
    /// The newest that left memory, and the newest of these that succeeded.
    gone_until: Option<Time>,
    gone_success: Option<Time>,
}

impl Tries {
    /// How many succeeded and failed of those that began after `from`, up to `to`.
    pub fn counted(&self, from: Time, to: Time) -> (usize, usize) {
        let within = |times: &VecDeque<Time>| {
            let upto = |end: Time| times.partition_point(|time| *time <= end);
            upto(to).saturating_sub(upto(from))
        };
        (within(&self.succeeded), within(&self.failed))
    }

    /// How long the answers took to attempts that began after `from`, to the slot.
    pub fn took(&self, from: Time, to: Time) -> AnswerTimes {
        let (slots, width) = if to.since(from) <= FINE_WINDOW {
            (&self.fine, FINE)
        } else {
            (&self.coarse, COARSE)
        };
        let mut all = AnswerTimes::default();
        let slot = |time: Time| time.0.div_euclid(width);
        if from <= to {
            for (took, n) in slots.range(slot(from)..=slot(to)).flat_map(|(_, it)| &it.0) {
                all.counts[usize::from(took.0)] += u64::from(*n);
                all.n += u64::from(*n);
            }
        }
        all
    }

    /// From when on all that is known of is in memory: the oldest attempt here, or the newest that
    /// left.
    pub fn since(&self) -> Option<Time> {
        let oldest = [self.succeeded.front(), self.failed.front()];
        let oldest = oldest.into_iter().flatten().min().copied();
        self.gone_until.max(oldest)
    }

    /// When the newest one began.
    pub fn newest(&self) -> Option<Time> {
        let newest = [self.succeeded.back(), self.failed.back()];
        newest.into_iter().flatten().max().copied()
    }

    /// Up to when attempts left memory.
    pub fn gone_until(&self) -> Option<Time> {
        self.gone_until
    }

    /// The newest success that was ever in memory.
    pub fn last_success(&self) -> Option<Time> {
        self.succeeded.back().copied().max(self.gone_success)
    }

    /// The first failure after the last success, and how many there were.
    pub fn failing(&self) -> Option<(Time, usize)> {
        let at = match self.last_success() {
            Some(last) => self.failed.partition_point(|time| *time <= last),
            None => 0,
        };
        let first = self.failed.get(at)?;
        Some((*first, self.failed.len() - at))
    }

    fn add(&mut self, try_: Try) {
        let times = self.times(try_.is_success);
        let at = times.partition_point(|time| *time <= try_.at);
        times.insert(at, try_.at);
        if let Some(took) = try_.took {
            for (slots, width) in [(&mut self.fine, FINE), (&mut self.coarse, COARSE)] {
                let slot = slots.entry(try_.at.0.div_euclid(width)).or_default();
                slot.add(took);
            }
        }
    }

    fn remove(&mut self, try_: Try) {
        let times = self.times(try_.is_success);
        if let Ok(at) = times.binary_search(&try_.at) {
            times.remove(at);
        }
        if let Some(took) = try_.took {
            for (slots, width) in [(&mut self.fine, FINE), (&mut self.coarse, COARSE)] {
                let at = try_.at.0.div_euclid(width);
                if let Some(slot) = slots.get_mut(&at) {
                    slot.remove(took);
                    if slot.0.is_empty() {
                        slots.remove(&at);
                    }
                }
            }
        }
    }

    fn times(&mut self, is_success: bool) -> &mut VecDeque<Time> {
        if is_success {
            &mut self.succeeded
        } else {
            &mut self.failed
        }
    }

    fn is_empty(&self) -> bool {
        self.succeeded.is_empty() && self.failed.is_empty()
    }
}

/// How often answers took how long in one slot; few lengths occur in one.
#[derive(Debug, Default)]
struct Counts(Vec<(Took, u32)>);

impl Counts {
    fn add(&mut self, took: Took) {
        match self.0.iter_mut().find(|(known, _)| *known == took) {
            Some((_, n)) => *n += 1,
            None => self.0.push((took, 1)),
        }
    }

    fn remove(&mut self, took: Took) {
        if let Some(at) = self.0.iter().position(|(known, _)| *known == took) {
            self.0[at].1 -= 1;
            if self.0[at].1 == 0 {
                self.0.swap_remove(at);
            }
        }
    }
}

/// How long an answer took at most: exact below 32 ms, above by up to 6 % more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Took(u8);

impl Took {
    fn of(ms: u64) -> Self {
        // Sixteen steps for each doubling; what is beyond the last, 9 minutes, counts as that.
        if ms < 32 {
            return Self(ms as u8);
        }
        let doublings = ms.ilog2();
        let step = (ms >> (doublings - 4)) & 15;
        let index = 32 + u64::from(doublings - 5) * 16 + step;
        Self(index.min(255) as u8)
    }

    /// The most that the step holds, in milliseconds.
    fn ms(at: usize) -> u64 {
        if at < 32 {
            return at as u64;
        }
        let (doublings, step) = ((at - 32) / 16 + 5, (at - 32) as u64 % 16);
        let width = 1_u64 << (doublings - 4);
        (16 + step) * width + width - 1
    }
}

/// How long answers took.
#[derive(Debug, Clone)]
pub struct AnswerTimes {
    counts: [u64; 256],
    n: u64,
}

impl Default for AnswerTimes {
    fn default() -> Self {
        Self {
            counts: [0; 256],
            n: 0,
        }
    }
}

impl AnswerTimes {
    /// A time that so many percent of the answers did not exceed, in milliseconds.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = (self.n * percent).div_ceil(100).max(1);
        let mut sum = 0;
        let at = self.counts.iter().position(|n| {
            sum += n;
            sum >= rank
        })?;
        Some(Took::ms(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_as_six_percent_more_at_most_and_never_as_less() {
        for ms in (0..2000).chain((2000..400_000).step_by(997)) {
            let counted = Took::ms(usize::from(Took::of(ms).0));
            assert!(counted >= ms, "{ms} as {counted}");
            assert!((counted - ms) * 16 < ms.max(1), "{ms} as {counted}");
            assert!(ms >= 32 || counted == ms, "{ms} as {counted}");
        }
        assert_eq!(Took::of(u64::MAX).0, 255);
        assert_eq!(AnswerTimes::default().percentile(50), None);
    }
}
