//! How much comes in and how well: the pace of the stream, and how the reads by REST go.

use std::collections::VecDeque;

use crate::domain::{Failure, FailureKind, Moment, UNSAID};

/// How reading by REST goes. More than one part reads, and each tells how it went, so that a part
/// that fails must not hide that another goes well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Polls {
    pub well: Option<Moment>,
    /// When a read last told something, or that nothing is new.
    pub told: Option<Moment>,
    pub failed: Option<(Moment, Failure)>,
    /// When the service asked to be left alone (429), and for how long, both in microseconds: of
    /// those that were said, the one that ends last.
    asked: Option<(i64, i64)>,
}

impl Polls {
    /// For so long a failure is news, though another part reads well.
    const FRESH: i64 = 20 * crate::domain::time::SECOND;

    pub(super) fn note(&mut self, at: Moment, failure: Option<&Failure>) {
        match failure {
            None => {
                self.well = Some(at);
                self.told = Some(at);
            }
            Some(failure) => {
                self.note_refusal(at, failure);
                self.failed = Some((at, failure.clone()));
            }
        }
    }

    /// Takes note of a refusal by a service that asks to be left alone.
    pub(super) fn note_refusal(&mut self, at: Moment, failure: &Failure) {
        if failure.kind == FailureKind::RateLimited {
            let wait = failure.wait.filter(|wait| *wait > 0).unwrap_or(UNSAID);
            let end = |(at, wait): &(i64, i64)| at.saturating_add(*wait);
            let all = self.asked.into_iter().chain([(at.mono, wait)]);
            self.asked = all.max_by_key(end);
        }
    }

    /// How much longer it is left alone, in microseconds, `longest` in all at most; 0 if it is not.
    pub(super) fn alone_for(&self, longest: i64, now: Moment) -> i64 {
        let Some((at, wait)) = self.asked else {
            return 0;
        };
        at.saturating_add(wait.min(longest))
            .saturating_sub(now.mono)
            .max(0)
    }

    /// Whether the latest read by REST failed.
    pub fn are_down(&self) -> bool {
        let failed = self.failed.as_ref().map(|(at, _)| at.mono);
        failed > self.well.map(|at| at.mono)
    }

    /// The last failure, while it is news.
    pub fn fresh_failure(&self, now: Moment) -> Option<&(Moment, Failure)> {
        let failed = self.failed.as_ref()?;
        let is_alone = self.well.is_none_or(|at| at.mono < failed.0.mono);
        (is_alone || now.mono - failed.0.mono < Self::FRESH).then_some(failed)
    }
}

/// Events a second, over the last whole seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    counts: VecDeque<(i64, u64)>,
}

/// Whole seconds that the pace is taken over.
const PACE_SECONDS: i64 = 5;

impl Pace {
    pub(super) fn note(&mut self, at: Moment) {
        let second = at.mono / crate::domain::time::SECOND;
        match self.counts.back_mut() {
            Some((last, count)) if *last == second => *count += 1,
            _ => self.counts.push_back((second, 1)),
        }
        while self
            .counts
            .front()
            .is_some_and(|(first, _)| *first + PACE_SECONDS < second)
        {
            self.counts.pop_front();
        }
    }

    /// Events a second, the running second left out.
    pub fn per_second(&self, now: Moment) -> f64 {
        let second = now.mono / crate::domain::time::SECOND;
        let sum: u64 = self
            .counts
            .iter()
            .filter(|(at, _)| (second - PACE_SECONDS..second).contains(at))
            .map(|(_, count)| count)
            .sum();
        sum as f64 / PACE_SECONDS as f64
    }
}
