//! The ring of recent events, bounded in number and bytes, each linked to its task's one before.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::change::Origin;
use super::super::event::EventType;
use super::super::feature::Features;
use super::super::id::{EventId, TaskId};
use super::super::task::TaskState;
use super::super::time::{Moment, Time};
use super::seen::Seen;

/// One event of the ring.
#[derive(Debug, Clone)]
pub struct EventEntry {
    /// Its position, from 1 up.
    pub position: u64,
    pub id: EventId,
    pub kind: EventType,
    pub published: Option<Time>,
    pub received: Moment,
    pub origin: Origin,
    pub task: Option<TaskSight>,
    /// The bytes it was read from.
    pub raw: Option<Arc<[u8]>>,
    /// Low bits of the position of the event before it of the same task; 0 is none.
    previous: u32,
}

/// What an event said of its task.
#[derive(Debug, Clone)]
pub struct TaskSight {
    pub task: TaskId,
    pub features: Features,
    pub state: TaskState,
    pub updated: Time,
}

/// The ring of recent events.
pub struct Events {
    entries: VecDeque<EventEntry>,
    first: u64,
    limit: usize,
    bytes: usize,
    max_bytes: usize,
    seen: Seen,
    total: u64,
    inferred: u64,
    duplicates: u64,
}

/// Largest sum of raw bytes that the ring keeps.
const MAX_RING_BYTES: usize = 64 << 20;

impl Events {
    pub fn new(limit: usize, horizon: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 1,
            limit: limit.max(1),
            bytes: 0,
            max_bytes: MAX_RING_BYTES,
            seen: Seen::new(horizon),
            total: 0,
            inferred: 0,
            duplicates: 0,
        }
    }

    /// Whether the id is new within the horizon; counts it as a duplicate if it is not.
    pub(super) fn is_first_sight(&mut self, id: &EventId) -> bool {
        let is_new = self.seen.insert(id);
        self.duplicates += u64::from(!is_new);
        is_new
    }

    /// Touches what taking in the n-th of some events will need: its id's place, and the entry
    /// that leaves for it.
    pub(super) fn warm(&self, nth: usize, id: &EventId) -> usize {
        let is_full = self.entries.len() + nth >= self.limit || self.bytes >= self.max_bytes;
        let leaving = self.entries.get(nth).filter(|_| is_full);
        let leaving = leaving.map_or(0, |entry| {
            let raw = entry.raw.as_ref().and_then(|raw| raw.first());
            let has_task = usize::from(entry.task.is_some());
            raw.map_or(has_task, |&byte| usize::from(byte) ^ has_task)
        });
        self.seen.warm(nth, id) ^ leaving
    }

    /// Takes an entry in and gives its position's low bits, never 0.
    pub(super) fn push(&mut self, mut entry: EventEntry, previous: u32) -> u32 {
        entry.position = self.first + self.entries.len() as u64;
        entry.previous = previous;
        let position = entry.position;
        // The events of one frame share its bytes, which count once: with the newest of them.
        if let Some(raw) = &entry.raw
            && !self.entries.back().is_some_and(|last| shares(last, raw))
        {
            self.bytes += raw.len();
        }
        self.total += 1;
        self.inferred += u64::from(entry.origin == Origin::Inference);
        self.entries.push_back(entry);
        while self.entries.len() > self.limit
            || self.bytes > self.max_bytes && self.entries.len() > 1
        {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.first += 1;
            if let Some(raw) = &oldest.raw
                && !self.entries.front().is_some_and(|next| shares(next, raw))
            {
                self.bytes -= raw.len();
            }
        }
        (position as u32).max(1)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Events ever taken in, those that left the ring included.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Of these, events that the service did not send: we made them from differences.
    pub fn inferred(&self) -> u64 {
        self.inferred
    }

    /// Events that came a second time within the horizon.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    pub fn get(&self, position: u64) -> Option<&EventEntry> {
        self.entries
            .get(usize::try_from(position.checked_sub(self.first)?).ok()?)
    }

    /// Newest first.
    pub fn newest(&self) -> impl DoubleEndedIterator<Item = &EventEntry> + ExactSizeIterator {
        self.entries.iter().rev()
    }

    /// The event before this one of the same task, if it is still in the ring.
    pub fn before<'a>(&'a self, entry: &'a EventEntry) -> Option<&'a EventEntry> {
        let task = &entry.task.as_ref()?.task;
        self.at_low(entry.previous)
            .filter(|before| before.position < entry.position)
            .filter(|before| {
                before
                    .task
                    .as_ref()
                    .is_some_and(|sight| sight.task == *task)
            })
    }

    /// Position of the oldest entry that is still here.
    pub fn first_position(&self) -> u64 {
        self.first
    }

    /// The events of one task, newest first, from the low bits that its slot keeps.
    pub(super) fn of_task<'a>(
        &'a self,
        task: &'a TaskId,
        newest: u32,
    ) -> impl Iterator<Item = &'a EventEntry> + 'a {
        let is_its =
            move |entry: &&EventEntry| entry.task.as_ref().is_some_and(|sight| sight.task == *task);
        let step = move |low: u32| self.at_low(low).filter(is_its);
        std::iter::successors(step(newest), move |entry| {
            step(entry.previous).filter(|before| before.position < entry.position)
        })
    }

    fn at_low(&self, low: u32) -> Option<&EventEntry> {
        if low == 0 {
            return None;
        }
        let next = self.first + self.entries.len() as u64;
        let back = (next as u32).wrapping_sub(low);
        self.get(next.checked_sub(u64::from(back))?)
    }
}

fn shares(entry: &EventEntry, raw: &Arc<[u8]>) -> bool {
    entry
        .raw
        .as_ref()
        .is_some_and(|other| Arc::ptr_eq(other, raw))
}

impl EventEntry {
    pub(super) fn new(
        id: EventId,
        kind: EventType,
        published: Option<Time>,
        received: Moment,
        origin: Origin,
        task: Option<TaskSight>,
        raw: Option<Arc<[u8]>>,
    ) -> Self {
        Self {
            position: 0,
            id,
            kind,
            published,
            received,
            origin,
            task,
            raw,
            previous: 0,
        }
    }

    /// When it happened: as published, else as received.
    pub fn time(&self) -> Time {
        self.published.unwrap_or(self.received.wall)
    }
}
