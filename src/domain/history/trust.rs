//! How far the rest can be trusted: the link's state, losses of it, and the proofs after them.

use super::super::link::{Abilities, Ability, LinkState, Proof};
use super::super::schedule::RetrySchedule;
use super::super::time::Moment;
use super::events::GapFound;
use super::losses::Bound;
use super::tasks::TaskRow;
use super::{History, Origin};

/// Repairs kept over all proofs; older proofs let theirs go and keep the count.
const MAX_KEPT_REPAIRS: usize = 5000;

/// Which abilities are known from an earlier run alone, in the order of [`Abilities`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoredAbilities(pub [bool; 5]);

fn abilities_mut(of: &mut Abilities) -> [&mut Ability; 5] {
    [
        &mut of.stream,
        &mut of.resend,
        &mut of.endpoint_list,
        &mut of.messages,
        &mut of.attempts,
    ]
}

/// Whether the stream is open, so that what happens comes by itself.
fn is_open(link: &LinkState) -> bool {
    matches!(
        link,
        LinkState::CatchingUp | LinkState::Live | LinkState::Stale { .. }
    )
}

impl History {
    pub(super) fn take_link(&mut self, state: LinkState, received: Moment) {
        // A try more, or another reason, is still the same state.
        if state.name() != self.link.name() || self.link_since == Moment::default() {
            self.link_since = received;
        }
        if is_open(&self.link) && !is_open(&state) {
            let from = match &self.link {
                LinkState::Stale { since } => *since,
                _ => received.wall,
            };
            self.events.begin_gap(from);
            self.tasks.begin_doubt();
        } else if matches!(self.link, LinkState::Polling { .. })
            && matches!(
                state,
                LinkState::Retrying { .. } | LinkState::Stopped { .. } | LinkState::Connecting
            )
        {
            self.tasks.begin_doubt();
        }
        self.link = state;
    }

    /// What the link did in an earlier run shows as gaps between the events of then.
    pub(super) fn take_restored_link(&mut self, state: LinkState, received: Moment) {
        let was_open = self.restored_link.as_ref().is_some_and(is_open);
        if was_open && !is_open(&state) {
            let from = match &self.restored_link {
                Some(LinkState::Stale { since }) => *since,
                _ => received.wall,
            };
            self.events.begin_gap(from);
        }
        self.events.note_restored(received.wall);
        self.restored_link = Some(state);
    }

    /// Takes in what the server offers. What an earlier run learned stands, marked, until this one
    /// has asked.
    pub(super) fn take_abilities(&mut self, mut now: Abilities, origin: Origin) {
        let is_restored = origin == Origin::Journal;
        let marks = &mut self.restored_abilities.0;
        let known = abilities_mut(&mut self.abilities);
        for ((held, new), mark) in known.into_iter().zip(abilities_mut(&mut now)).zip(marks) {
            if *new == Ability::Unknown && *mark {
                std::mem::swap(held, new);
            } else {
                *mark = is_restored && *new != Ability::Unknown;
            }
        }
        now.retry_schedule = now.retry_schedule.or(self.abilities.retry_schedule.take());
        let published = now.retry_schedule.as_ref();
        if let Some(schedule) = published.and_then(RetrySchedule::published) {
            self.schedule = schedule;
        }
        self.abilities = now;
    }

    pub(super) fn take_proof(&mut self, proof: Proof, origin: Origin) {
        let newest = self.proofs.back().map(|newest| newest.at);
        if origin == Origin::Journal && newest.is_some_and(|newest| proof.at < newest) {
            // The events of its time are not told, so that no row of a gap has a place.
            self.proofs.push_older(proof);
            return self.bound_repairs();
        }
        let gap = proof.gap;
        let found = GapFound {
            n_repaired: proof.n_repaired,
            found: proof.found,
            backfilled: proof.backfilled,
            is_whole: proof.caveat.is_none(),
            is_unknown: proof.is_gap_unknown,
            heard: proof.heard,
        };
        let at = proof.at;
        let number = self.proofs.push(proof);
        self.bound_repairs();
        if let Some(gap) = gap {
            self.events.end_gap(gap, number, found);
        } else if found.is_unknown {
            let from = self.events.gap_since().unwrap_or(at);
            self.events.end_gap((from, at), number, found);
        }
    }

    /// Older proofs let their repairs go and keep the count.
    fn bound_repairs(&mut self) {
        let mut n_kept = 0;
        for proof in self.proofs.iter_mut().rev() {
            n_kept += proof.repaired.len();
            if n_kept > MAX_KEPT_REPAIRS {
                n_kept -= proof.repaired.len();
                proof.repaired = Vec::new();
            }
        }
    }

    /// Whether the task may have moved on without our hearing of it: it is unfinished, and nobody
    /// has told its state since the link was last lost.
    pub fn is_doubtful(&self, row: TaskRow<'_>) -> bool {
        let is_silent = |since| row.received() <= since;
        let is_old = row.is_before_the_loss()
            || matches!(self.link, LinkState::Stale { since } if is_silent(since));
        is_old && !row.is_done()
    }

    /// Whether the task is known from the journal alone: nobody has told its state in this run.
    pub fn is_restored(&self, row: TaskRow<'_>) -> bool {
        row.origin() == Origin::Journal
    }

    /// Takes in what the bounds let go.
    pub(super) fn note_losses(&mut self, received: Moment) {
        let deliveries = &self.deliveries;
        let now_dropped = [
            (Bound::Tasks, self.tasks.n_let_go()),
            (Bound::AssetNames, self.n_names_dropped),
            (Bound::Events, self.events.evicted()),
            (Bound::Messages, deliveries.evicted()),
            (Bound::Attempts, deliveries.n_attempts_dropped()),
            (Bound::Answers, deliveries.n_answers_cut()),
            (Bound::Endpoints, self.n_endpoints_let_go),
        ];
        self.losses.note(&now_dropped, received);
    }

    /// How much a bound keeps at most.
    pub fn limit(&self, bound: Bound) -> usize {
        match bound {
            Bound::Tasks => self.bounds.tasks,
            Bound::AssetNames => self.bounds.asset_names,
            Bound::Events => self.bounds.events,
            Bound::Messages => self.bounds.messages,
            Bound::Attempts => super::delivery::MAX_ATTEMPTS,
            Bound::Answers => super::delivery::MAX_RESPONSE_BYTES,
            Bound::Endpoints => self.bounds.endpoints,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::failure::{Failure, FailureKind};
    use super::super::super::id::TaskId;
    use super::super::super::link::{Heard, Repair, RepairedBy};
    use super::super::super::time::Time;
    use super::super::ChangeKind;
    use super::super::tests::told;
    use super::*;

    #[test]
    fn a_state_of_the_link_is_as_old_as_its_name_whatever_changes_inside_it() {
        let mut history = History::default();
        let why = |what: &str| Failure::new(FailureKind::Broken, what, "");
        let retrying = |tries, what: &str| LinkState::Retrying {
            at: Time(7),
            tries,
            why: why(what),
        };
        let since = |history: &History| history.link_since.wall;
        for (at, state, expected) in [
            (1, LinkState::Connecting, 1),
            (5, retrying(1, "a"), 5),
            (9, retrying(2, "b"), 5),
            (10, LinkState::CatchingUp, 10),
            (11, LinkState::Live, 11),
            (30, LinkState::Stale { since: Time(3) }, 30),
            (31, LinkState::Live, 31),
            (32, LinkState::Polling { why: why("c") }, 32),
            (33, LinkState::Polling { why: why("d") }, 32),
        ] {
            told(&mut history, at, ChangeKind::Link(Box::new(state)));
            assert_eq!(since(&history), Time::from_seconds(expected), "at {at}");
        }
    }

    #[test]
    fn old_proofs_let_their_repairs_go_and_keep_the_count() {
        let mut history = History::default();
        let repair = Repair {
            task: TaskId::new("t"),
            before: None,
            after: None,
            how: RepairedBy::Log,
        };
        let n_kept = MAX_KEPT_REPAIRS / 5;
        for at in 0..8 {
            let proof = Proof {
                gap: None,
                heard: Heard::Nothing,
                is_gap_unknown: false,
                compared: Some(1),
                repaired: vec![repair.clone(); n_kept],
                n_repaired: n_kept,
                found: 0,
                held: 0,
                backfilled: 0,
                caveat: None,
                at: Time(at),
            };
            told(&mut history, at, ChangeKind::Proof(Box::new(proof)));
        }
        let kept: Vec<usize> = (history.proofs.iter())
            .map(|proof| proof.repaired.len())
            .collect();
        let full = n_kept;
        assert_eq!(kept, [0, 0, 0, full, full, full, full, full]);
        assert!(history.proofs.iter().all(|proof| proof.n_repaired == full));
    }
}
