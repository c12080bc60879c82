//! History: everything known so far, moved only by [`Change`]s.

mod age;
mod broken;
mod by_time;
mod causes;
mod clocks;
mod deliveries;
mod delivery;
mod events;
mod kept;
mod losses;
mod nexts;
mod outcome;
mod reach;
mod seen;
mod sightings;
mod tasks;
mod tries;
mod trust;
mod webhooks;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

pub use by_time::ByTime;
pub use causes::CauseSummary;
pub use deliveries::Deliveries;
pub use delivery::{Delivery, Told};
pub use events::{EventEntry, EventRow, Events, Gap, GapFound, TaskSight};
pub use kept::Kept;
pub use losses::{BOUNDS, Bound, Dropped, Losses, PARTS, Part};
pub use nexts::NextAsked;
pub use outcome::{EndpointOutcome, OutcomeState, Standing};
pub use reach::Counted;
pub use tasks::{Columns, Sighted, TaskRow, Tasks};
pub use tries::Tries;
pub use trust::RestoredAbilities;
pub use window::{Anchor, SortBy, TaskOrder, Window};

use super::change::{Change, ChangeKind, Origin};
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::id::{AssetId, EndpointId, TaskId};
use super::journal::Journal;
use super::link::{Abilities, LinkCounters, LinkState, Proof};
use super::received::Receipts;
use super::replay::Replays;
use super::schedule::RetrySchedule;
use super::time::Moment;
use super::unread::{KnownRows, Unreadable};
use super::words::{NewWords, WordSeen};

/// How much is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Tasks; the oldest finished leave first.
    pub tasks: usize,
    /// Events in the ring.
    pub events: usize,
    /// Event ids remembered, so that a repeated event is seen as such.
    pub event_ids: usize,
    /// Messages, with their attempts.
    pub messages: usize,
    /// Endpoints.
    pub endpoints: usize,
    /// Names of assets.
    pub asset_names: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            tasks: 2_000_000,
            events: 50_000,
            event_ids: 100_000,
            messages: 20_000,
            endpoints: 10_000,
            asset_names: 200_000,
        }
    }
}

/// Rows that could not be read, kept to be looked at.
const MAX_UNREADABLE: usize = 200;
/// Comparisons after reconnects, kept to be looked at.
const MAX_PROOFS: usize = 50;

/// Everything known so far.
pub struct History {
    bounds: Bounds,
    pub tasks: Tasks,
    pub events: Events,
    pub deliveries: Deliveries,
    /// What a receiver beside the dashboard got.
    pub received: Receipts,
    pub endpoints: BTreeMap<EndpointId, Endpoint>,
    pub link: LinkState,
    pub link_since: Moment,
    pub counters: LinkCounters,
    /// How far the clock of the service that delivers is ahead of ours, in microseconds.
    ahead: i64,
    /// The same of the service that tells of tasks.
    tasks_ahead: i64,
    /// The comparisons after reconnects.
    pub proofs: Kept<Proof>,
    pub abilities: Abilities,
    /// What of the abilities an earlier run learned, and this one has not asked for yet.
    pub restored_abilities: RestoredAbilities,
    /// The state of an earlier run's link, while that is told.
    restored_link: Option<LinkState>,
    pub schedule: RetrySchedule,
    pub unreadable: Kept<(Moment, Unreadable)>,
    pub losses: Losses,
    known_rows: KnownRows,
    /// Words of the service that we do not know.
    pub new_words: NewWords,
    pub replays: Replays,
    pub journal: Journal,
    /// Why the ledger of replays cannot be used, if it cannot.
    pub ledger_trouble: Option<Failure>,
    /// When the last sign of life came by the stream.
    pub last_event: Option<Moment>,
    asset_names: HashMap<AssetId, Arc<str>>,
    /// The endpoints of the last whole list, if the service gave one.
    listed: Option<HashSet<EndpointId>>,
    /// Endpoints that left the list, so that their old attempts keep a name.
    deleted: HashMap<EndpointId, Endpoint>,
    n_names_dropped: u64,
    /// Endpoints that there was no room for, so that each counts once however often it is listed.
    endpoints_let_go: KnownRows,
    n_endpoints_let_go: u64,
    last_seq: u64,
}

/// What applying a change did, for those who must act on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// Nothing that a screen shows.
    Nothing,
    /// Something did.
    Shown,
    /// A task failed that had not before.
    TaskFailed(TaskId),
    /// A replay reached another state; by its number.
    Replay(u64),
}

impl Default for History {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl History {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            tasks: Tasks::new(bounds.tasks),
            events: Events::new(bounds.events, bounds.event_ids),
            deliveries: Deliveries::new(bounds.messages),
            received: Receipts::default(),
            bounds,
            endpoints: BTreeMap::new(),
            link: LinkState::Connecting,
            link_since: Moment::default(),
            counters: LinkCounters::default(),
            ahead: 0,
            tasks_ahead: 0,
            proofs: Kept::new(MAX_PROOFS),
            abilities: Abilities::default(),
            restored_abilities: RestoredAbilities::default(),
            restored_link: None,
            schedule: RetrySchedule::default(),
            unreadable: Kept::new(MAX_UNREADABLE),
            losses: Losses::default(),
            known_rows: KnownRows::default(),
            new_words: NewWords::default(),
            replays: Replays::default(),
            journal: Journal::default(),
            ledger_trouble: None,
            last_event: None,
            asset_names: HashMap::new(),
            listed: None,
            deleted: HashMap::new(),
            n_names_dropped: 0,
            endpoints_let_go: KnownRows::default(),
            n_endpoints_let_go: 0,
            last_seq: 0,
        }
    }

    /// Folds one change. The same observations in any order, cut anywhere, twice, give the same
    /// tasks, messages and attempts.
    pub fn apply(&mut self, change: Change) -> Applied {
        let received = change.received;
        let applied = self.fold(change);
        self.note_losses(received);
        applied
    }

    fn fold(&mut self, change: Change) -> Applied {
        let Change {
            seq,
            received,
            origin,
            raw,
            kind,
        } = change;
        self.last_seq = self.last_seq.max(seq);
        match kind {
            ChangeKind::Event(event) => return self.take_event(event, received, origin, raw),
            ChangeKind::Task(seen) => return self.take_task(&seen, received, origin),
            ChangeKind::TaskGone(task) => {
                self.tasks.mark_gone(&task);
            }
            ChangeKind::AssetNamed { asset, name } => self.name_asset(asset, name),
            ChangeKind::Message(message) => self.take_message(*message, (origin, received)),
            ChangeKind::Attempt(attempt) => {
                return self.take_attempt(*attempt, (origin, received));
            }
            ChangeKind::AttemptsFrom { endpoint, from } => {
                self.deliveries.attempts_from(endpoint, from);
            }
            ChangeKind::AttemptsUntil { endpoint, until } => {
                self.deliveries.attempts_until(endpoint, until);
            }
            ChangeKind::AttemptsRead(message) => self.deliveries.attempts_read(&message),
            ChangeKind::MessagesRead(reach) => self.deliveries.messages_read(reach),
            ChangeKind::Unread { log, why } => self.deliveries.unread(log, why),
            ChangeKind::NextTry(next) => self.deliveries.take_next(*next, (origin, received)),
            ChangeKind::Received(request) => self.received.take(received, *request),
            ChangeKind::TurnedAway(why) => self.received.turn_away(why),
            ChangeKind::Judged { row, nth, again } => {
                if !self.received.judge(row, nth, *again) {
                    return Applied::Nothing;
                }
            }
            ChangeKind::Endpoint(endpoint) => self.take_endpoint(*endpoint),
            ChangeKind::EndpointsListed(ids) => self.take_endpoint_list(&ids),
            ChangeKind::Link(state) if origin == Origin::Journal => {
                self.take_restored_link(*state, received);
            }
            ChangeKind::Link(state) => self.take_link(*state, received),
            ChangeKind::Counters(counters) => self.counters = *counters,
            ChangeKind::ServiceAhead(ahead) => self.ahead = ahead,
            ChangeKind::TasksAhead(ahead) => self.tasks_ahead = ahead,
            ChangeKind::Proof(proof) => self.take_proof(*proof, origin),
            ChangeKind::Abilities(abilities) => self.take_abilities(*abilities, origin),
            ChangeKind::Hole(hole) => self.events.push_hole(*hole),
            ChangeKind::Unreadable(what) => return self.take_unreadable(*what, received),
            ChangeKind::NewWord(seen) => {
                let WordSeen {
                    kind,
                    word,
                    count,
                    example,
                } = *seen;
                self.new_words.see(kind, &word, count, received, || example);
            }
            // How well polling goes is told by its latest answers, not folded.
            ChangeKind::Polled(_) => {}
            ChangeKind::Journal(journal) => self.journal = *journal,
            ChangeKind::LedgerTrouble(trouble) => {
                self.ledger_trouble = trouble.map(|trouble| *trouble);
            }
            ChangeKind::Replay(step) => {
                let number = step.replay;
                self.replays.step(*step, received);
                self.settle_replays(number);
                return Applied::Replay(number);
            }
            ChangeKind::Ledger(replay) => {
                let number = replay.number;
                let before = self.replays.get(number).map(|known| known.state.clone());
                self.replays.take(*replay);
                self.settle_replays(number);
                let after = self.replays.get(number).map(|known| &known.state);
                // What an earlier run had ended is no news.
                return match before {
                    Some(before) if after != Some(&before) => Applied::Replay(number),
                    _ => Applied::Shown,
                };
            }
        }
        Applied::Shown
    }

    /// Folds many changes, dropping what applying each did.
    pub fn apply_all(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            self.apply(change);
        }
    }

    /// Touches what folding these changes will need and changes nothing: the memory that a fold
    /// waits for, one change after another, is then fetched for many at once. With a million
    /// tasks that is a good part of the time a fold takes.
    pub fn warm(&self, changes: &[Change]) {
        let mut sum = 0;
        let mut n_events = 0;
        for change in changes {
            if let ChangeKind::Event(event) = &change.kind {
                sum ^= self.events.warm(n_events, &event.id);
                n_events += 1;
                let task = event.task.as_ref();
                sum ^= task.map_or(0, |seen| self.tasks.warm(&seen.task));
            }
        }
        std::hint::black_box(sum);
    }

    /// The highest sequence number applied.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The asset's name, if some event or answer told it.
    pub fn asset_name(&self, asset: &AssetId) -> Option<&Arc<str>> {
        self.asset_names.get(asset)
    }

    /// The events of a task that are still in the ring, newest first.
    pub fn events_of<'a>(&'a self, task: &'a TaskId) -> impl Iterator<Item = &'a EventEntry> + 'a {
        let newest = self
            .tasks
            .find(task)
            .map_or(0, |at| self.tasks.newest_event(at));
        self.events.of_task(task, newest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::time::Time;
    use super::*;

    /// Folds what is told at a second of the clock.
    pub(super) fn told(history: &mut History, second: i64, kind: ChangeKind) {
        let received = Moment {
            wall: Time::from_seconds(second),
            mono: second,
        };
        history.apply(Change {
            seq: 0,
            received,
            origin: Origin::Inference,
            raw: None,
            kind,
        });
    }
}
