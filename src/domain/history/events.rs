//! The ring of recent events, bounded in number and bytes, each linked to its task's one before.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::change::Origin;
use super::super::event::EventType;
use super::super::feature::Features;
use super::super::id::{EventId, TaskId};
use super::super::journal::Hole;
use super::super::link::Heard;
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

/// A time in which the stream told us nothing, or not all, as a row among the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Its position, from 1 up.
    pub position: u64,
    pub from: Time,
    /// `None` while it lasts.
    pub to: Option<Time>,
    /// What the comparison after it found, and its number.
    pub proof: Option<(u64, GapFound)>,
}

/// What is said of a gap even after its proof is no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapFound {
    pub n_repaired: usize,
    pub found: usize,
    pub backfilled: usize,
    /// Whether nothing of it stayed unknown.
    pub is_whole: bool,
    /// Nobody knows when it began.
    pub is_unknown: bool,
    pub heard: Heard,
}

impl GapFound {
    /// What is known of the gap after one more comparison.
    fn and(self, later: Self) -> Self {
        Self {
            n_repaired: self.n_repaired + later.n_repaired,
            found: self.found + later.found,
            backfilled: self.backfilled + later.backfilled,
            ..later
        }
    }
}

/// A row of the ring.
#[derive(Debug, Clone)]
pub enum EventRow {
    Event(EventEntry),
    Gap(Gap),
    /// Here the journal lacks something of an earlier run.
    Hole(Hole),
}

impl EventRow {
    pub fn event(&self) -> Option<&EventEntry> {
        match self {
            Self::Event(entry) => Some(entry),
            Self::Gap(_) | Self::Hole(_) => None,
        }
    }
}

/// What an event said of its task.
#[derive(Debug, Clone)]
pub struct TaskSight {
    pub task: TaskId,
    pub features: Features,
    pub state: TaskState,
    pub updated: Time,
}

/// The ring of recent events, and of the gaps between them.
pub struct Events {
    rows: VecDeque<EventRow>,
    /// Position of the gap that lasts.
    open_gap: Option<u64>,
    /// Positions of the gaps and holes, oldest first.
    gaps: VecDeque<u64>,
    /// While rows of the journal are told: when the last of them was received.
    restored_until: Option<Time>,
    first: u64,
    limit: usize,
    bytes: usize,
    max_bytes: usize,
    seen: Seen,
    total: u64,
    inferred: u64,
    restored: u64,
    duplicates: u64,
}

/// Largest sum of raw bytes that the ring keeps.
const MAX_RING_BYTES: usize = 64 << 20;

impl Events {
    pub fn new(limit: usize, horizon: usize) -> Self {
        Self {
            rows: VecDeque::new(),
            open_gap: None,
            gaps: VecDeque::new(),
            restored_until: None,
            first: 1,
            limit: limit.max(1),
            bytes: 0,
            max_bytes: MAX_RING_BYTES,
            seen: Seen::new(horizon),
            total: 0,
            inferred: 0,
            restored: 0,
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
        let is_full = self.rows.len() + nth >= self.limit || self.bytes >= self.max_bytes;
        let leaving = self.rows.get(nth).filter(|_| is_full);
        let leaving = leaving.and_then(EventRow::event);
        let leaving = leaving.map_or(0, |entry| {
            let raw = entry.raw.as_ref().and_then(|raw| raw.first());
            let has_task = usize::from(entry.task.is_some());
            raw.map_or(has_task, |&byte| usize::from(byte) ^ has_task)
        });
        self.seen.warm(nth, id) ^ leaving
    }

    /// Takes an entry in and gives its position's low bits, never 0.
    pub(super) fn push(&mut self, mut entry: EventEntry, previous: u32) -> u32 {
        self.note_time_away(&entry);
        entry.position = self.next_position();
        entry.previous = previous;
        let position = entry.position;
        // The events of one frame share its bytes, which count once: with the newest of them.
        if let Some(raw) = &entry.raw
            && !self.rows.back().is_some_and(|last| shares(last, raw))
        {
            self.bytes += raw.len();
        }
        self.total += 1;
        self.inferred += u64::from(entry.origin == Origin::Inference);
        self.restored += u64::from(entry.origin == Origin::Journal);
        self.rows.push_back(EventRow::Event(entry));
        self.bound();
        (position as u32).max(1)
    }

    /// Between the last run's events and this run's lies the time in which reeltop did not run.
    fn note_time_away(&mut self, entry: &EventEntry) {
        if entry.origin == Origin::Journal {
            self.note_restored(entry.received.wall);
        } else if let Some(from) = self.restored_until.take() {
            self.begin_gap(from);
        }
    }

    /// Notes that the journal tells of this time.
    pub(super) fn note_restored(&mut self, at: Time) {
        self.restored_until = Some(at);
    }

    /// Takes in that the journal lacks something here.
    pub(super) fn push_hole(&mut self, hole: Hole) {
        self.note_restored(hole.until);
        self.gaps.push_back(self.next_position());
        self.rows.push_back(EventRow::Hole(hole));
        self.bound();
    }

    /// Begins a gap where none lasts.
    pub(super) fn begin_gap(&mut self, from: Time) {
        if self.open_gap.is_none() {
            self.open_gap = Some(self.push_gap(from));
        }
    }

    /// Since when the gap lasts that lasts.
    pub(super) fn gap_since(&self) -> Option<Time> {
        match self.row(self.open_gap?)? {
            EventRow::Gap(gap) => Some(gap.from),
            EventRow::Event(_) | EventRow::Hole(_) => None,
        }
    }

    /// Ends the gap that lasts, or puts a row in where its begin was not noticed.
    pub(super) fn end_gap(&mut self, (from, to): (Time, Time), number: u64, found: GapFound) {
        self.restored_until = None;
        let open = self.open_gap.take();
        if open.is_none() && self.lengthen_gap((from, to), number, found) {
            return;
        }
        let at = open.unwrap_or_else(|| self.push_gap(from));
        if let Some(EventRow::Gap(gap)) = self.index(at).and_then(|at| self.rows.get_mut(at)) {
            gap.from = from;
            gap.to = Some(to);
            gap.proof = Some((number, found));
        }
    }

    /// Takes in what a later comparison found of the newest gap, or of the time right after it in
    /// which the same open stream still left things out. Returns whether it was one of these.
    fn lengthen_gap(&mut self, (from, to): (Time, Time), number: u64, found: GapFound) -> bool {
        let Some(at) = self.gaps.back().and_then(|newest| self.index(*newest)) else {
            return false;
        };
        let is_last = at + 1 == self.rows.len();
        let Some(EventRow::Gap(gap)) = self.rows.get_mut(at) else {
            return false;
        };
        let (Some(end), Some((_, earlier))) = (gap.to, gap.proof) else {
            return false;
        };
        let is_same = (gap.from, end) == (from, to);
        let is_going_on = is_last
            && (earlier.heard, found.heard) == (Heard::Stream, Heard::Stream)
            && gap.from <= from
            && from <= end;
        if is_same || is_going_on {
            gap.to = Some(to);
            gap.proof = Some((number, earlier.and(found)));
        }
        is_same || is_going_on
    }

    fn push_gap(&mut self, from: Time) -> u64 {
        let position = self.next_position();
        self.gaps.push_back(position);
        self.rows.push_back(EventRow::Gap(Gap {
            position,
            from,
            to: None,
            proof: None,
        }));
        self.bound();
        position
    }

    /// Lets the oldest rows go while there are too many, or their bytes are.
    fn bound(&mut self) {
        while self.rows.len() > self.limit || self.bytes > self.max_bytes && self.rows.len() > 1 {
            let Some(oldest) = self.rows.pop_front() else {
                break;
            };
            self.first += 1;
            match oldest {
                EventRow::Event(oldest) => {
                    if let Some(raw) = &oldest.raw
                        && !self.rows.front().is_some_and(|next| shares(next, raw))
                    {
                        self.bytes -= raw.len();
                    }
                }
                EventRow::Hole(_) => {
                    self.gaps.pop_front();
                }
                EventRow::Gap(gap) => {
                    self.gaps.pop_front();
                    self.open_gap = self.open_gap.filter(|open| *open != gap.position);
                }
            }
        }
    }

    /// Rows in the ring: events and gaps.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Events among the rows.
    pub fn n_events(&self) -> usize {
        self.rows.len() - self.gaps.len()
    }

    /// Gaps and holes from this position up.
    pub fn n_gaps_from(&self, position: u64) -> usize {
        self.gaps.len() - self.gaps.partition_point(|gap| *gap < position)
    }

    /// Events ever taken in, those that left the ring included.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Of these, events that the service did not send: we made them from differences.
    pub fn inferred(&self) -> u64 {
        self.inferred
    }

    /// Of these, events that an earlier run recorded.
    pub fn restored(&self) -> u64 {
        self.restored
    }

    /// Of these, events that the service sent to this run.
    pub fn received(&self) -> u64 {
        self.total - self.inferred - self.restored
    }

    /// Events that left the ring.
    pub fn evicted(&self) -> u64 {
        self.total - self.n_events() as u64
    }

    /// Events that came a second time within the horizon.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// The row at a position, if it is still here.
    pub fn row(&self, position: u64) -> Option<&EventRow> {
        self.rows.get(self.index(position)?)
    }

    /// The event at a position, if one is and it is still here.
    pub fn get(&self, position: u64) -> Option<&EventEntry> {
        self.row(position).and_then(EventRow::event)
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

    /// Position of the oldest row that is still here.
    pub fn first_position(&self) -> u64 {
        self.first
    }

    /// The position that the next row gets.
    pub fn next_position(&self) -> u64 {
        self.first + self.rows.len() as u64
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

    fn index(&self, position: u64) -> Option<usize> {
        usize::try_from(position.checked_sub(self.first)?).ok()
    }

    fn at_low(&self, low: u32) -> Option<&EventEntry> {
        if low == 0 {
            return None;
        }
        let next = self.next_position();
        let back = (next as u32).wrapping_sub(low);
        self.get(next.checked_sub(u64::from(back))?)
    }
}

fn shares(row: &EventRow, raw: &Arc<[u8]>) -> bool {
    row.event()
        .and_then(|entry| entry.raw.as_ref())
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: u64, origin: Origin) -> EventEntry {
        let id = EventId::new(&format!("e{n}"));
        let kind = EventType::new("asset.updated");
        EventEntry::new(id, kind, None, Moment::default(), origin, None, None)
    }

    fn found() -> GapFound {
        GapFound {
            n_repaired: 1,
            found: 0,
            backfilled: 0,
            is_whole: true,
            is_unknown: false,
            heard: Heard::Nothing,
        }
    }

    fn gaps(events: &Events) -> Vec<(u64, Option<Time>)> {
        let rows =
            (events.first_position()..events.next_position()).filter_map(|at| events.row(at));
        rows.filter_map(|row| match row {
            EventRow::Gap(gap) => Some((gap.position, gap.to)),
            EventRow::Event(_) | EventRow::Hole(_) => None,
        })
        .collect()
    }

    #[test]
    fn a_gap_stands_where_it_began_and_is_closed_there() {
        let mut events = Events::new(10, 10);
        events.push(event(1, Origin::Stream), 0);
        events.begin_gap(Time(5));
        events.begin_gap(Time(6));
        events.push(event(2, Origin::Stream), 0);
        assert_eq!(gaps(&events), [(2, None)]);
        events.end_gap((Time(4), Time(9)), 1, found());
        assert_eq!(gaps(&events), [(2, Some(Time(9)))]);
        assert!(events.get(2).is_none() && events.get(3).is_some());
        assert_eq!((events.len(), events.n_events(), events.total()), (3, 2, 2));
        assert_eq!((events.n_gaps_from(2), events.n_gaps_from(3)), (1, 0));
    }

    #[test]
    fn a_gap_that_left_the_ring_while_it_lasted_is_told_at_its_end() {
        let mut events = Events::new(3, 10);
        events.begin_gap(Time(5));
        for n in 1..=4 {
            events.push(event(n, Origin::Inference), 0);
        }
        assert_eq!((gaps(&events).len(), events.evicted()), (0, 1));
        events.end_gap((Time(5), Time(9)), 1, found());
        assert_eq!(gaps(&events), [(6, Some(Time(9)))]);
        // The next loss begins a gap of its own.
        events.begin_gap(Time(20));
        assert_eq!(gaps(&events), [(6, Some(Time(9))), (7, None)]);
        assert_eq!(
            (events.len(), events.n_events(), events.evicted()),
            (3, 1, 3)
        );
    }

    #[test]
    fn what_is_found_later_of_a_gap_stands_in_its_row() {
        let mut events = Events::new(10, 10);
        let in_stream = GapFound {
            heard: Heard::Stream,
            ..found()
        };
        let row = |events: &Events, at| match events.row(at) {
            Some(EventRow::Gap(gap)) => (gap.from, gap.to, gap.proof.map(|it| it.1.n_repaired)),
            other => panic!("no gap: {other:?}"),
        };
        events.end_gap((Time(4), Time(9)), 1, found());
        events.push(event(1, Origin::Stream), 0);
        events.end_gap((Time(4), Time(9)), 2, found());
        assert_eq!(row(&events, 1), (Time(4), Some(Time(9)), Some(2)));
        // What an open stream left out since then is a gap of its own, which lasts while no event
        // comes between.
        events.end_gap((Time(9), Time(15)), 3, in_stream);
        events.end_gap((Time(15), Time(20)), 4, in_stream);
        assert_eq!(row(&events, 3), (Time(9), Some(Time(20)), Some(2)));
        events.push(event(2, Origin::Stream), 0);
        events.end_gap((Time(20), Time(25)), 5, in_stream);
        assert_eq!(gaps(&events).len(), 3);
    }

    #[test]
    fn between_the_journals_events_and_this_runs_lies_the_time_away() {
        let mut events = Events::new(10, 10);
        events.push(event(1, Origin::Journal), 0);
        events.push(event(2, Origin::Journal), 0);
        events.push(event(3, Origin::Stream), 0);
        events.push(event(4, Origin::Stream), 0);
        assert_eq!(gaps(&events), [(3, None)]);
    }
}
