//! How far the rest can be trusted: the link's state, losses of it, and the proofs after them.

use super::super::link::{Abilities, Ability, LinkState, Proof};
use super::super::schedule::RetrySchedule;
use super::super::time::Moment;
use super::events::GapFound;
use super::losses::Bound;
use super::tasks::TaskRow;
use super::{History, Origin};

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
            if n_kept > super::MAX_KEPT_REPAIRS {
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
            (Bound::Tasks, self.tasks.evicted()),
            (Bound::AssetNames, self.n_names_dropped),
            (Bound::Events, self.events.evicted()),
            (Bound::Messages, deliveries.evicted()),
            (Bound::Attempts, deliveries.n_attempts_dropped()),
            (Bound::Answers, deliveries.n_answers_cut()),
            (Bound::Endpoints, self.n_endpoints_dropped),
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
