//! How many of what was asked for are delivered, were passed over or failed, and the exit code.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::earlier::Found;
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

/// How much of what was asked for is not sent as an earlier replay of it was made: its outcome is not
/// known, or it is news that it failed or delivered.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Withheld {
    pub unclear: usize,
    pub failed: usize,
    pub delivered: usize,
}

impl Withheld {
    pub fn of(unclear: usize, found: &[Found]) -> Self {
        let n = |is_so: fn(&Found) -> bool| found.iter().filter(|found| is_so(found)).count();
        Self {
            unclear,
            failed: n(Found::is_failed),
            delivered: n(Found::is_delivered),
        }
    }

    /// The exit code where all else is well.
    pub fn code(self) -> u8 {
        if self.unclear > 0 {
            UNCLEAR
        } else {
            u8::from(self.failed > 0)
        }
    }
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
    /// Whether a replay whose outcome is not known came in the way of something since it was decided on.
    is_in_the_way: bool,
    withheld: Withheld,
}

impl Tally {
    /// Of what was sent, and of what was left.
    pub fn of(history: &History, left: &Left, withheld: Withheld) -> Self {
        let mut latest: HashMap<_, &Replay> = HashMap::new();
        for replay in history.replays.all().filter(|replay| replay.by.is_none()) {
            latest.insert((&replay.message, &replay.endpoint), replay);
        }
        let mut tally = Self {
            withheld,
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
                tally.is_in_the_way |= other.is_some();
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
        let own = if self.unknown > 0 || self.is_in_the_way {
            UNCLEAR
        } else {
            u8::from(self.failed + self.not_sent > 0)
        };
        own.max(self.withheld.code())
    }

    /// `150 delivered, 77 passed over (delivered or superseded meanwhile), 0 failed`; `None` of one
    /// alone, which has said it where that could be told.
    pub fn words(self, is_told: bool) -> Option<String> {
        let Self {
            delivered,
            passed_over,
            failed,
            not_sent,
            unknown,
            is_in_the_way: _,
            withheld,
        } = self;
        let n_withheld = withheld.unclear + withheld.failed + withheld.delivered;
        let n = delivered + passed_over + failed + not_sent + unknown + n_withheld;
        if is_told && n < 2 {
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
        for (n, word) in [
            (not_sent, "not sent"),
            (unknown, "unknown"),
            (withheld.delivered, "found delivered by an earlier replay"),
            (withheld.failed, "found failed by an earlier replay"),
            (
                withheld.unclear,
                "held back by another replay whose outcome is not known",
            ),
        ] {
            if n > 0 {
                let _ = write!(words, ", {n} {word}");
            }
        }
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_earlier_replays_keep_back_is_summed_up_under_its_own_name() {
        let tally = |unclear, failed, delivered| {
            let withheld = Withheld {
                unclear,
                failed,
                delivered,
            };
            Tally::of(&History::default(), &Left::default(), withheld)
        };
        let words = "0 delivered, 0 failed, 3 found delivered by an earlier replay, 2 found failed \
                     by an earlier replay, 1 held back by another replay whose outcome is not known";
        assert_eq!(tally(1, 2, 3).words(true).as_deref(), Some(words));
        assert_eq!(tally(1, 0, 0).words(true), None);
        assert!(tally(1, 0, 0).words(false).is_some());
        let codes = [(0, 0, 3), (0, 2, 3), (1, 2, 3)];
        let codes =
            codes.map(|(unclear, failed, delivered)| tally(unclear, failed, delivered).code());
        assert_eq!(codes, [0, 1, UNCLEAR]);
    }
}
