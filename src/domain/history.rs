//! History: everything known so far, moved only by [`Change`]s.

mod age;
mod broken;
mod causes;
mod deliveries;
mod delivery;
mod events;
mod kept;
mod losses;
mod outcome;
mod seen;
mod tasks;
mod trust;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

pub use causes::CauseSummary;
pub use deliveries::Deliveries;
pub use delivery::{Delivery, Told};
pub use events::{EventEntry, EventRow, Events, Gap, GapFound, TaskSight};
pub use kept::Kept;
pub use losses::{BOUNDS, Bound, Dropped, Losses, PARTS, Part};
pub use outcome::{EndpointOutcome, OutcomeState, Standing};
pub use tasks::{Columns, Sighted, TaskRow, Tasks};
pub use trust::RestoredAbilities;
pub use window::{Anchor, SortBy, TaskOrder, Window};

use super::change::{Change, ChangeKind, Origin, Unreadable};
use super::endpoint::Endpoint;
use super::event::{Event, EventType};
use super::feature::FeatureState;
use super::id::{AssetId, EndpointId, TaskId};
use super::journal::Journal;
use super::link::{Abilities, LinkCounters, LinkState, Proof};
use super::message::Message;
use super::replay::Replays;
use super::schedule::RetrySchedule;
use super::task::{Observation, TaskState};
use super::time::Moment;
use super::words::{Example, NewWords, WordKind, WordSeen};

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
/// Deleted endpoints whose names are kept.
const MAX_DELETED: usize = 1000;
/// Longest name of an asset kept, in bytes.
const MAX_NAME_BYTES: usize = 512;
/// Repairs kept over all proofs; older proofs let theirs go and keep the count.
const MAX_KEPT_REPAIRS: usize = 5000;

/// Everything known so far.
pub struct History {
    bounds: Bounds,
    pub tasks: Tasks,
    pub events: Events,
    pub deliveries: Deliveries,
    pub endpoints: BTreeMap<EndpointId, Endpoint>,
    pub link: LinkState,
    pub link_since: Moment,
    pub counters: LinkCounters,
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
    /// Words of the service that we do not know.
    pub new_words: NewWords,
    pub replays: Replays,
    pub journal: Journal,
    /// When the last sign of life came by the stream.
    pub last_event: Option<Moment>,
    asset_names: HashMap<AssetId, Arc<str>>,
    /// The endpoints of the last whole list, if the service gave one.
    listed: Option<HashSet<EndpointId>>,
    /// Endpoints that left the list, so that their old attempts keep a name.
    deleted: HashMap<EndpointId, Endpoint>,
    n_names_dropped: u64,
    n_endpoints_dropped: u64,
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
            bounds,
            endpoints: BTreeMap::new(),
            link: LinkState::Connecting,
            link_since: Moment::default(),
            counters: LinkCounters::default(),
            proofs: Kept::new(MAX_PROOFS),
            abilities: Abilities::default(),
            restored_abilities: RestoredAbilities::default(),
            restored_link: None,
            schedule: RetrySchedule::default(),
            unreadable: Kept::new(MAX_UNREADABLE),
            losses: Losses::default(),
            new_words: NewWords::default(),
            replays: Replays::default(),
            journal: Journal::default(),
            last_event: None,
            asset_names: HashMap::new(),
            listed: None,
            deleted: HashMap::new(),
            n_names_dropped: 0,
            n_endpoints_dropped: 0,
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
            ChangeKind::Endpoint(endpoint) => self.take_endpoint(*endpoint),
            ChangeKind::EndpointsListed(ids) => self.take_endpoint_list(&ids),
            ChangeKind::Link(state) if origin == Origin::Journal => {
                self.take_restored_link(*state, received);
            }
            ChangeKind::Link(state) => self.take_link(*state, received),
            ChangeKind::Counters(counters) => self.counters = *counters,
            ChangeKind::Proof(proof) => self.take_proof(*proof, origin),
            ChangeKind::Abilities(abilities) => self.take_abilities(*abilities, origin),
            ChangeKind::Hole(hole) => self.events.push_hole(*hole),
            ChangeKind::Unreadable(what) => {
                self.losses.note_unreadable(&what);
                self.unreadable.push((received, *what));
            }
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

    /// The endpoint's name to show: its label, else its id shortened.
    pub fn endpoint_label(&self, id: &EndpointId) -> String {
        let known = self.endpoints.get(id).or_else(|| self.deleted.get(id));
        known.map_or_else(|| id.short(14), |endpoint| endpoint.label().to_owned())
    }

    /// Whether the service lists its endpoints and this one is not among them.
    pub fn is_unlisted(&self, id: &EndpointId) -> bool {
        self.listed
            .as_ref()
            .is_some_and(|listed| !listed.contains(id))
    }

    fn take_event(
        &mut self,
        event: Event,
        received: Moment,
        origin: Origin,
        raw: Option<Arc<[u8]>>,
    ) -> Applied {
        if origin == Origin::Stream {
            self.last_event = Some(received);
        }
        let is_first = self.events.is_first_sight(&event.id);
        let example = || example_of("event", &event.id, raw.as_deref());
        let sighted = event
            .task
            .as_ref()
            .map(|seen| self.sight(seen, origin, received, example));
        if !is_first {
            // A repeated id may still carry news, as where a server's ids are not unique.
            let news = sighted.filter(|sighted| sighted.is_newest);
            return news.map_or(Applied::Nothing, |sighted| self.announce(sighted));
        }
        if let EventType::Other(name) = &event.kind {
            self.new_words
                .see(WordKind::EventType, name, 1, received, example);
        }
        if let (Some(name), Some(seen)) = (&event.asset_name, &event.task) {
            self.name_asset(seen.asset.clone(), name.clone());
        }
        let task = event.task.map(|seen| TaskSight {
            state: seen.state(),
            task: seen.task,
            features: seen.features,
            updated: seen.updated,
        });
        let entry = EventEntry::new(
            event.id,
            event.kind,
            event.published,
            received,
            origin,
            task,
            raw,
        );
        let previous = sighted
            .as_ref()
            .map_or(0, |sighted| self.tasks.newest_event(sighted.at));
        let position = self.events.push(entry, previous);
        let Some(sighted) = sighted else {
            return Applied::Shown;
        };
        self.tasks.set_newest_event(sighted.at, position);
        self.announce(sighted)
    }

    fn take_task(&mut self, seen: &Observation, received: Moment, origin: Origin) -> Applied {
        let example = || example_of("task", &seen.task, None);
        let sighted = self.sight(seen, origin, received, example);
        self.announce(sighted)
    }

    fn sight(
        &mut self,
        seen: &Observation,
        origin: Origin,
        received: Moment,
        example: impl Fn() -> Example,
    ) -> Sighted {
        if seen.features.extra().is_some() {
            for (feature, state) in seen.features.iter() {
                if let FeatureState::Unknown(word) = &state {
                    self.new_words
                        .see(WordKind::State, word, 1, received, &example);
                }
                if let super::feature::Feature::Other(name) = &feature {
                    self.new_words
                        .see(WordKind::Feature, name, 1, received, &example);
                }
            }
        }
        self.tasks.sight(seen, origin, received)
    }

    fn take_message(&mut self, message: Message, told: Told) {
        if let EventType::Other(name) = &message.kind
            && self.deliveries.get(&message.id).is_none()
        {
            let example = || example_of("message", &message.id, None);
            self.new_words
                .see(WordKind::EventType, name, 1, told.1, example);
        }
        self.deliveries.take_message(message, told);
    }

    fn announce(&self, sighted: Sighted) -> Applied {
        let failed =
            sighted.after == TaskState::Failed && sighted.before != Some(TaskState::Failed);
        match self.tasks.row(sighted.at) {
            Some(row) if failed => Applied::TaskFailed(row.id()),
            _ => Applied::Shown,
        }
    }

    fn take_attempt(&mut self, attempt: super::attempt::Attempt, told: Told) -> Applied {
        // Where the service lists its endpoints, one that is not listed was deleted.
        if self.listed.is_none() && !self.endpoints.contains_key(&attempt.endpoint) {
            self.take_endpoint(Endpoint::inferred(
                attempt.endpoint.clone(),
                attempt.url.clone(),
            ));
        }
        let pair = (attempt.message.clone(), attempt.endpoint.clone());
        self.deliveries.take_attempt(attempt, told);
        let Some(number) = self.replays.latest_of(&pair.0, &pair.1) else {
            return Applied::Shown;
        };
        let Some(delivery) = self.deliveries.get(&pair.0) else {
            return Applied::Shown;
        };
        if self
            .replays
            .settle(&pair.0, &pair.1, &delivery.attempts_at(&pair.1), told.1)
        {
            Applied::Replay(number)
        } else {
            Applied::Shown
        }
    }

    /// An attempt may have been seen before the step that says what was sent.
    fn settle_replays(&mut self, number: u64) {
        let Some(replay) = self.replays.get(number) else {
            return;
        };
        let (message, endpoint, at) = (
            replay.message.clone(),
            replay.endpoint.clone(),
            replay.since,
        );
        if let Some(delivery) = self.deliveries.get(&message) {
            self.replays
                .settle(&message, &endpoint, &delivery.attempts_at(&endpoint), at);
        }
    }

    fn take_endpoint(&mut self, endpoint: Endpoint) {
        if self.endpoints.len() < self.bounds.endpoints || self.endpoints.contains_key(&endpoint.id)
        {
            self.endpoints.insert(endpoint.id.clone(), endpoint);
        } else {
            self.n_endpoints_dropped += 1;
        }
    }

    fn take_endpoint_list(&mut self, ids: &[EndpointId]) {
        let listed: HashSet<EndpointId> = ids.iter().cloned().collect();
        for (id, endpoint) in self.endpoints.extract_if(.., |id, _| !listed.contains(id)) {
            if self.deleted.len() < MAX_DELETED {
                self.deleted.insert(id, endpoint);
            }
        }
        self.listed = Some(listed);
    }

    fn name_asset(&mut self, asset: AssetId, name: Arc<str>) {
        let name = match name.len() {
            0..=MAX_NAME_BYTES => name,
            _ => name[..name.floor_char_boundary(MAX_NAME_BYTES)].into(),
        };
        if self.asset_names.len() >= self.bounds.asset_names
            && !self.asset_names.contains_key(&asset)
        {
            // Names are a convenience that can be read again, so that the simplest bound will do.
            self.n_names_dropped += self.asset_names.len() as u64;
            self.asset_names.clear();
        }
        self.asset_names.insert(asset, name);
    }
}

fn example_of(what: &str, id: &dyn std::fmt::Display, raw: Option<&[u8]>) -> Example {
    Example::new(format!("{what} {id}"), raw.unwrap_or_default())
}
#[cfg(test)]
mod tests {
    use super::super::failure::{Failure, FailureKind};
    use super::super::link::{Repair, RepairedBy};
    use super::super::time::Time;
    use super::*;

    fn told(history: &mut History, second: i64, kind: ChangeKind) {
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

    #[test]
    fn a_word_that_is_new_to_us_is_listed_with_where_it_was_seen() {
        let mut history = History::default();
        let mut features = super::super::feature::Features::default();
        features.set(
            super::super::feature::Feature::new("captions"),
            FeatureState::new("paused"),
        );
        let seen = Observation {
            task: TaskId::new("t1"),
            asset: AssetId::new("a"),
            user: super::super::id::UserId::new("u"),
            features,
            created: Time(1),
            updated: Time(2),
            published: None,
            event: None,
        };
        let event = Event {
            id: super::super::id::EventId::new("e1"),
            kind: EventType::new("task.paused"),
            published: None,
            user: None,
            task: Some(seen.clone()),
            asset_name: None,
        };
        told(&mut history, 5, ChangeKind::Event(event));
        told(&mut history, 6, ChangeKind::Task(seen));
        let words: Vec<_> = (history.new_words.iter())
            .map(|word| {
                (
                    word.kind.name(),
                    &*word.word,
                    word.count,
                    &*word.example.seen_in,
                )
            })
            .collect();
        let expected = [
            ("event type", "task.paused", 1, "event e1"),
            ("feature", "captions", 2, "event e1"),
            ("state", "paused", 2, "event e1"),
        ];
        assert_eq!(words, expected);
        assert!((history.new_words.iter()).all(|word| word.first.wall == Time::from_seconds(5)));
    }
}
