//! Tasks in columns: about 120 bytes each, found by id, shown by one pass over what a screen needs.
//!
//! What an update touches lies together in a slot; what a whole-list pass reads (state, features,
//! created, updated) lies in columns of its own. Ids that are no UUIDs, unknown feature words and
//! the like are rare and live beside, in `rare`.

mod row;

use std::cmp::Ordering;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable};
use std::hash::BuildHasher;

use super::super::change::Origin;
use super::super::feature::{Extra, Features};
use super::super::id::{Id, TaskId};
use super::super::task::{Observation, TASK_STATES, TaskState};
use super::super::time::Moment;
use super::super::unread::KnownRows;
use super::age::ByAge;
pub use row::TaskRow;

/// State column of a place that holds no task.
const VACANT: u8 = u8::MAX;
/// State column of a task that the service no longer knows: no state filter finds it, and no
/// counter counts it, so that nothing seems to run for ever.
const UNKNOWN_TO_SERVICE: u8 = 6;
/// Sets of unknown features shared among tasks.
const MAX_SHARED_EXTRAS: usize = 4096;
const SLAB: usize = 4096;
const NO_TIME: i64 = i64::MIN;
/// Users numbered in a short list; a further one is kept with its task.
const MAX_USERS: usize = 16;

#[derive(Clone, Copy)]
struct Slot {
    task: [u8; 16],
    asset: [u8; 16],
    event: [u8; 16],
    published: i64,
    /// Seconds since 1970 at which the newest sight was received, or last confirmed.
    received: u32,
    user: u32,
    /// Low bits of the ring position of its newest event; 0 is none.
    newest_event: u32,
    /// How often the link had been lost by then, its low bits.
    n_losses: u16,
    /// Where the newest sight, or its last confirmation, came from.
    origin: Origin,
    flags: u8,
}

const EMPTY: Slot = Slot {
    task: [0; 16],
    asset: [0; 16],
    event: [0; 16],
    published: NO_TIME,
    received: 0,
    user: 0,
    newest_event: 0,
    n_losses: 0,
    origin: Origin::Stream,
    flags: 0,
};

/// Flags of a slot: which of its parts lie in `rare`.
const RARE_TASK: u8 = 1;
const RARE_ASSET: u8 = 2;
const RARE_EVENT: u8 = 4;
const RARE_USER: u8 = 8;
const HAS_EVENT: u8 = 16;
const HAS_EXTRA: u8 = 32;
const GONE: u8 = 64;
const ANY_RARE: u8 = RARE_TASK | RARE_ASSET | RARE_EVENT | RARE_USER | HAS_EXTRA;

#[derive(Default)]
struct Rare {
    task: Option<Arc<str>>,
    asset: Option<Arc<str>>,
    event: Option<Arc<str>>,
    user: Option<Id>,
    extra: Option<Arc<[Extra]>>,
}

/// All tasks in memory.
pub struct Tasks {
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    slabs: Vec<Box<[Slot]>>,
    state: Vec<u8>,
    features: Vec<u32>,
    created: Vec<i64>,
    updated: Vec<i64>,
    /// User-facing features in a final state, in per cent.
    ready: Vec<u8>,
    rare: HashMap<u32, Rare>,
    /// Sets of unknown features, each kept once for all tasks that have it.
    extras: HashSet<Arc<[Extra]>>,
    users: Vec<Id>,
    vacant: Vec<u32>,
    by_age: ByAge,
    counts: [usize; TASK_STATES.len()],
    limit: usize,
    evicted: u64,
    /// Tasks that left, so that one that comes and leaves again counts once.
    let_go: KnownRows,
    n_let_go: u64,
    /// How often the link was lost, the low bits.
    n_losses: u16,
}

/// What one sight of a task did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighted {
    pub at: u32,
    /// State before, if the task was known.
    pub before: Option<TaskState>,
    pub after: TaskState,
    /// Whether this sight is the newest so far.
    pub is_newest: bool,
}

impl Tasks {
    pub fn new(limit: usize) -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            index: HashTable::new(),
            slabs: Vec::new(),
            state: Vec::new(),
            features: Vec::new(),
            created: Vec::new(),
            updated: Vec::new(),
            ready: Vec::new(),
            extras: HashSet::new(),
            rare: HashMap::new(),
            users: Vec::new(),
            vacant: Vec::new(),
            by_age: ByAge::default(),
            counts: [0; TASK_STATES.len()],
            limit: limit.max(16),
            evicted: 0,
            let_go: KnownRows::default(),
            n_let_go: 0,
            n_losses: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.state.len() - self.vacant.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn count(&self, state: TaskState) -> usize {
        self.counts[state as usize]
    }

    /// Different tasks that left memory because of the limit, those that came back included.
    pub fn n_let_go(&self) -> u64 {
        self.n_let_go
    }

    /// How often a task left memory because of the limit.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Places, vacant ones included; every position is below this.
    pub fn places(&self) -> usize {
        self.state.len()
    }

    pub fn find(&self, task: &TaskId) -> Option<u32> {
        let hash = self.hasher.hash_one(&task.0);
        self.index
            .find(hash, |&at| self.is_task(at, &task.0))
            .copied()
    }

    /// Touches what a sight of the task will read and write.
    pub(super) fn warm(&self, task: &TaskId) -> usize {
        let Some(at) = self.find(task).map(|at| at as usize) else {
            return 0;
        };
        usize::from(self.state[at] ^ self.ready[at])
            ^ self.features[at] as usize
            ^ (self.updated[at] ^ self.created[at]) as usize
    }

    /// Folds one sight of a task; the newest counts, whatever the order of arrival.
    pub fn sight(&mut self, seen: &Observation, origin: Origin, received: Moment) -> Sighted {
        let hash = self.hasher.hash_one(&seen.task.0);
        let found = self
            .index
            .find(hash, |&at| self.is_task(at, &seen.task.0))
            .copied();
        let Some(at) = found else {
            return self.insert(hash, seen, origin, received);
        };
        let before = self.state_at(at);
        let order = self.compare(at, seen);
        let is_back = self.slot(at).flags & GONE != 0 && origin == Origin::Snapshot;
        if order == Ordering::Greater || is_back && order == Ordering::Equal {
            self.write(at, seen, origin, received);
        } else if origin != Origin::Journal && self.updated[at as usize] == seen.updated.0 {
            self.confirm(at, origin, received);
        }
        let after = self.state_at(at);
        Sighted {
            at,
            before: Some(before),
            after,
            is_newest: order == Ordering::Greater,
        }
    }

    /// Notes that the state held was told again, whole or as of the same change.
    fn confirm(&mut self, at: u32, origin: Origin, received: Moment) {
        let n_losses = self.n_losses;
        let slot = self.slot_mut(at);
        slot.received = slot.received.max(whole_seconds(received));
        slot.origin = origin;
        slot.n_losses = n_losses;
    }

    /// From now on every task is in doubt until it is seen again: the link was lost.
    pub(super) fn begin_doubt(&mut self) {
        self.n_losses = self.n_losses.wrapping_add(1);
    }

    /// Notes that the service no longer knows the task. Returns whether we did.
    pub fn mark_gone(&mut self, task: &TaskId) -> bool {
        let found = self.find(task);
        if let Some(at) = found {
            self.slot_mut(at).flags |= GONE;
            self.count_out(at);
            self.state[at as usize] = UNKNOWN_TO_SERVICE;
        }
        found.is_some()
    }

    pub fn row(&self, at: u32) -> Option<TaskRow<'_>> {
        let state = *self.state.get(at as usize)?;
        (state != VACANT).then_some(TaskRow { tasks: self, at })
    }

    pub fn get(&self, task: &TaskId) -> Option<TaskRow<'_>> {
        self.find(task).and_then(|at| self.row(at))
    }

    pub(super) fn newest_event(&self, at: u32) -> u32 {
        self.slot(at).newest_event
    }

    pub(super) fn set_newest_event(&mut self, at: u32, event: u32) {
        self.slot_mut(at).newest_event = event;
    }

    pub(super) fn by_age(&self) -> &ByAge {
        &self.by_age
    }

    /// The columns that whole-list passes read.
    pub fn columns(&self) -> Columns<'_> {
        Columns {
            state: &self.state,
            features: &self.features,
            created: &self.created,
            updated: &self.updated,
            ready: &self.ready,
        }
    }

    fn insert(
        &mut self,
        hash: u64,
        seen: &Observation,
        origin: Origin,
        received: Moment,
    ) -> Sighted {
        if self.len() >= self.limit {
            self.evict();
        }
        let at = self.vacant.pop().unwrap_or_else(|| self.grow());
        *self.slot_mut(at) = EMPTY;
        self.write(at, seen, origin, received);
        let state = self.state_at(at);
        let (hasher, slabs, rare) = (&self.hasher, &self.slabs, &self.rare);
        self.index.insert_unique(hash, at, |&other| {
            let slot = &slabs[other as usize / SLAB][other as usize % SLAB];
            hasher.hash_one(part(
                slot.task,
                slot.flags & RARE_TASK != 0,
                rare.get(&other).and_then(|rare| rare.task.as_ref()),
            ))
        });
        Sighted {
            at,
            before: None,
            after: state,
            is_newest: true,
        }
    }

    fn grow(&mut self) -> u32 {
        let at = self.state.len();
        if at.is_multiple_of(SLAB) {
            self.slabs.push(vec![EMPTY; SLAB].into_boxed_slice());
        }
        self.state.push(VACANT);
        self.features.push(0);
        self.created.push(0);
        self.updated.push(0);
        self.ready.push(0);
        at as u32
    }

    fn write(&mut self, at: u32, seen: &Observation, origin: Origin, received: Moment) {
        let user = self.user_number(&seen.user.0);
        let mut rare = Rare {
            extra: self.shared_extra(&seen.features),
            ..Rare::default()
        };
        let mut flags = 0;
        let mut pack = |id: &Id, place: &mut Option<Arc<str>>, flag: u8| match id {
            Id::Uuid(bytes) => *bytes,
            Id::Text(text) => {
                *place = Some(text.clone());
                flags |= flag;
                [0; 16]
            }
        };
        let task = pack(&seen.task.0, &mut rare.task, RARE_TASK);
        let asset = pack(&seen.asset.0, &mut rare.asset, RARE_ASSET);
        let event = seen
            .event
            .as_ref()
            .map_or([0; 16], |event| pack(&event.0, &mut rare.event, RARE_EVENT));
        flags |= if seen.event.is_some() { HAS_EVENT } else { 0 };
        flags |= if rare.extra.is_some() { HAS_EXTRA } else { 0 };
        if user.is_none() {
            rare.user = Some(seen.user.0.clone());
            flags |= RARE_USER;
        }
        let was_rare = self.slot(at).flags & ANY_RARE != 0;
        if flags & ANY_RARE != 0 {
            self.rare.insert(at, rare);
        } else if was_rare {
            self.rare.remove(&at);
        }
        let newest_event = self.slot(at).newest_event;
        *self.slot_mut(at) = Slot {
            task,
            asset,
            event,
            published: seen.published.map_or(NO_TIME, |time| time.0),
            received: whole_seconds(received),
            user: user.unwrap_or(0),
            newest_event,
            n_losses: self.n_losses,
            origin,
            flags,
        };
        let tally = seen.features.tally();
        let state = TaskState::of(&tally);
        let place = at as usize;
        let is_listed = self.state[place] != VACANT;
        self.count_out(at);
        self.counts[state as usize] += 1;
        self.state[place] = state as u8;
        self.ready[place] = (tally.ready * 100 / tally.wanted.max(1)) as u8;
        self.features[place] = seen.features.packed();
        if self.created[place] != seen.created.0 || !is_listed {
            if is_listed {
                self.by_age.remove(at, &self.created);
            }
            self.created[place] = seen.created.0;
            self.by_age.insert(at, &self.created);
        }
        self.updated[place] = seen.updated.0;
    }

    /// The order of the new sight against the one held: `Greater` means that the new one wins.
    fn compare(&self, at: u32, seen: &Observation) -> Ordering {
        match seen.updated.0.cmp(&self.updated[at as usize]) {
            Ordering::Equal => self
                .row(at)
                .map_or(Ordering::Greater, |row| seen.order(&row.observation())),
            decided => decided,
        }
    }

    fn shared_extra(&mut self, features: &Features) -> Option<Arc<[Extra]>> {
        let extra = features.extra()?;
        if let Some(shared) = self.extras.get(extra) {
            return Some(shared.clone());
        }
        if self.extras.len() < MAX_SHARED_EXTRAS {
            self.extras.insert(extra.clone());
        }
        Some(extra.clone())
    }

    fn user_number(&mut self, user: &Id) -> Option<u32> {
        if let Some(number) = self.users.iter().position(|known| known == user) {
            return Some(number as u32);
        }
        if self.users.len() >= MAX_USERS {
            return None;
        }
        self.users.push(user.clone());
        Some(self.users.len() as u32 - 1)
    }

    /// Lets the oldest finished tasks go, then the oldest of the others, a sixteenth of the limit
    /// at once, so that the pass over all is rare.
    fn evict(&mut self) {
        let n_wanted = (self.limit / 16).max(1);
        let is_running =
            |state: u8| state == TaskState::Processing as u8 || state == TaskState::Queued as u8;
        let mut oldest: Vec<(bool, i64, u32)> = (0..self.state.len())
            .filter(|&at| self.state[at] != VACANT)
            .map(|at| (is_running(self.state[at]), self.updated[at], at as u32))
            .collect();
        let n_leaving = n_wanted.min(oldest.len());
        if n_leaving < oldest.len() {
            oldest.select_nth_unstable(n_leaving);
        }
        for (_, _, at) in oldest.into_iter().take(n_leaving) {
            self.remove(at);
        }
    }

    fn remove(&mut self, at: u32) {
        let id = self.task_id(at);
        let hash = self.hasher.hash_one(&id);
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == at) {
            entry.remove();
        }
        self.count_out(at);
        self.by_age.remove(at, &self.created);
        self.state[at as usize] = VACANT;
        self.rare.remove(&at);
        self.vacant.push(at);
        self.evicted += 1;
        self.n_let_go += u64::from(self.let_go.is_first(hash));
    }

    fn count_out(&mut self, at: u32) {
        if let Some(count) = self.counts.get_mut(usize::from(self.state[at as usize])) {
            *count -= 1;
        }
    }

    fn slot(&self, at: u32) -> &Slot {
        &self.slabs[at as usize / SLAB][at as usize % SLAB]
    }

    fn slot_mut(&mut self, at: u32) -> &mut Slot {
        &mut self.slabs[at as usize / SLAB][at as usize % SLAB]
    }

    fn is_task(&self, at: u32, id: &Id) -> bool {
        let slot = self.slot(at);
        match id {
            Id::Uuid(bytes) => slot.task == *bytes && slot.flags & RARE_TASK == 0,
            Id::Text(_) => slot.flags & RARE_TASK != 0 && self.task_id(at) == *id,
        }
    }

    fn task_id(&self, at: u32) -> Id {
        let slot = self.slot(at);
        if slot.flags & RARE_TASK == 0 {
            return Id::Uuid(slot.task);
        }
        part(
            slot.task,
            true,
            self.rare.get(&at).and_then(|rare| rare.task.as_ref()),
        )
    }

    fn state_at(&self, at: u32) -> TaskState {
        let code = usize::from(self.state[at as usize]).min(TASK_STATES.len() - 1);
        TASK_STATES[code]
    }
}

fn whole_seconds(moment: Moment) -> u32 {
    (moment.wall.0 / super::super::time::SECOND) as u32
}

fn part(bytes: [u8; 16], is_rare: bool, text: Option<&Arc<str>>) -> Id {
    match text {
        Some(text) if is_rare => Id::Text(text.clone()),
        _ => Id::Uuid(bytes),
    }
}

/// The columns that whole-list passes read, one place a task; vacant places have a state of their own.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    pub(in crate::domain) state: &'a [u8],
    pub(in crate::domain) features: &'a [u32],
    pub(in crate::domain) ready: &'a [u8],
    pub(in crate::domain) created: &'a [i64],
    pub(in crate::domain) updated: &'a [i64],
}
