//! How many of what was asked for are delivered, were passed over or failed, and the exit code.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use crate::cli::output::UNCLEAR;
use crate::domain::{History, Job, OutcomeState, Replay, ReplayState, in_the_way};

/// What was left unsent.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// The numbers of those that became needless.
    pub not_needed: HashSet<u64>,
    /// Those that had no turn, or that the service put off.
    pub unsent: Vec<Job>,
}

/// How the pairs of a run stand, each by its latest replay of this run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    delivered: usize,
    /// Delivered or superseded since it was decided on: nothing was sent, and nothing is missing.
    passed_over: usize,
    failed: usize,
    /// What spoke against a request is not that it has become needless.
    not_sent: usize,
    unknown: usize,
    /// Whether a replay of unknown outcome kept something from being sent.
    is_held_back: bool,
}

impl Tally {
    /// Of what was sent, and of what was left.
    pub fn of(history: &History, left: &Left, is_held_back: bool) -> Self {
        let mut latest: HashMap<_, &Replay> = HashMap::new();
        for replay in history.replays.all().filter(|replay| replay.by.is_none()) {
            latest.insert((&replay.message, &replay.endpoint), replay);
        }
        let mut tally = Self {
            is_held_back,
            ..Self::default()
        };
        for job in &left.unsent {
            // Whatever came of an earlier request of it: that was put off.
            latest.remove(&(&job.message, &job.endpoint));
            tally.not_sent += 1;
        }
        for replay in latest.values() {
            *tally.count_of(history, replay, &left.not_needed) += 1;
            if let ReplayState::Cancelled(_) = replay.state {
                let other = in_the_way(history, &replay.message, &replay.endpoint);
                tally.is_held_back |= other.is_some_and(Replay::is_unclear);
            }
        }
        tally
    }

    fn count_of(
        &mut self,
        history: &History,
        replay: &Replay,
        not_needed: &HashSet<u64>,
    ) -> &mut usize {
        // What the service delivered meanwhile by itself is delivered too.
        let is_delivered = || {
            let delivery = history.deliveries.get(&replay.message);
            let outcome = delivery.and_then(|delivery| delivery.outcome(&replay.endpoint));
            outcome.is_some_and(|outcome| outcome.state == OutcomeState::Delivered)
        };
        match &replay.state {
            state if state.is_open() => &mut self.unknown,
            ReplayState::Ambiguous(_) => &mut self.unknown,
            ReplayState::Delivered { .. } => &mut self.delivered,
            ReplayState::Answered(answer) if answer.is_success() => &mut self.delivered,
            ReplayState::Cancelled(_) if not_needed.contains(&replay.number) || is_delivered() => {
                &mut self.passed_over
            }
            ReplayState::Cancelled(_) => &mut self.not_sent,
            state if state.is_put_off() => &mut self.not_sent,
            _ => &mut self.failed,
        }
    }

    /// 3 if some outcome is unknown, of what was sent or of what kept something from it, else 1 if some failed or could not be sent, else 0.
    pub fn code(self) -> u8 {
        if self.unknown > 0 || self.is_held_back {
            UNCLEAR
        } else {
            u8::from(self.failed + self.not_sent > 0)
        }
    }

    /// `150 delivered, 77 passed over (delivered or superseded meanwhile), 0 failed`; `None` of one
    /// alone, which has said it.
    pub fn words(self) -> Option<String> {
        let Self {
            delivered,
            passed_over,
            failed,
            not_sent,
            unknown,
            is_held_back: _,
        } = self;
        if delivered + passed_over + failed + not_sent + unknown < 2 {
            return None;
        }
        let mut words = format!("{delivered} delivered");
        if passed_over > 0 {
            let _ = write!(
                words,
                ", {passed_over} passed over (delivered or superseded meanwhile)"
            );
        }
        let _ = write!(words, ", {failed} failed");
        for (n, word) in [(not_sent, "not sent"), (unknown, "unknown")] {
            if n > 0 {
                let _ = write!(words, ", {n} {word}");
            }
        }
        Some(words)
    }
}
