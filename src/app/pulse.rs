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
    /// Until when it is left alone, as it asked for (429): the latest that was said, in microseconds
    /// since the program began.
    alone_until: i64,
}

impl Polls {
    /// For so long a failure is news, though another part reads well.
    const FRESH: i64 = 20 * crate::domain::time::SECOND;

    /// `longest` is for how long a service is left alone at most, in microseconds.
    pub(super) fn note(&mut self, at: Moment, failure: Option<&Failure>, longest: i64) {
        match failure {
            None => {
                self.well = Some(at);
                self.told = Some(at);
            }
            Some(failure) => {
                self.note_refusal(at, failure, longest);
                self.failed = Some((at, failure.clone()));
            }
        }
    }

    /// Takes note of a refusal by a service that asks to be left alone.
    pub(super) fn note_refusal(&mut self, at: Moment, failure: &Failure, longest: i64) {
        if failure.kind == FailureKind::RateLimited {
            let wait = failure.wait.filter(|wait| *wait > 0).unwrap_or(UNSAID);
            let until = at.mono.saturating_add(wait.min(longest));
            self.alone_until = self.alone_until.max(until);
        }
    }

    /// How much longer it is left alone, in microseconds; 0 if it is not.
    pub(super) fn alone_for(&self, now: Moment) -> i64 {
        self.alone_until.saturating_sub(now.mono).max(0)
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
