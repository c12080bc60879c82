//! The part of the task list that a screen needs, found in one pass over columns: no sort, no
//! index, whatever the order, the filter and the position.

use std::collections::BinaryHeap;

use super::super::feature::Features;
use super::super::query::TaskFilter;
use super::super::task::TaskState;
use super::super::time::Time;
use super::Tasks;
use super::tasks::Columns;

/// What the task list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortBy {
    /// Newest created first: rows keep their places while they change.
    #[default]
    Age,
    /// Latest change first.
    LastChange,
    /// Failed, processing, queued, completed, cancelled; in each the latest change first.
    State,
    /// Longest first: from creation to the last change, or to now if unfinished.
    Duration,
    /// Least ready first.
    Ready,
}

/// Every order, as the sort key goes through them.
pub const SORTS: [SortBy; 5] = [
    SortBy::Age,
    SortBy::LastChange,
    SortBy::State,
    SortBy::Duration,
    SortBy::Ready,
];

impl SortBy {
    pub fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::LastChange => "last change",
            Self::State => "state",
            Self::Duration => "duration",
            Self::Ready => "ready",
        }
    }

    /// The next order, as the sort key goes through them.
    #[must_use]
    pub fn next(self) -> Self {
        let at = SORTS.iter().position(|sort| *sort == self).unwrap_or(0);
        SORTS[(at + 1) % SORTS.len()]
    }
}

/// An order of the task list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskOrder {
    pub by: SortBy,
    pub is_reversed: bool,
}

/// Where the window starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    First,
    Last,
    /// At the task in this place, with this many rows above it.
    Task {
        place: u32,
        above: usize,
    },
}

/// A window on the list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// Places of tasks, in order.
    pub places: Vec<u32>,
    /// Matching tasks before the window.
    pub before: usize,
    /// Matching tasks in all.
    pub matching: usize,
}

/// A row's position in an order: ascending, ties by place, so that it is total.
type Key = (i64, u32);

impl Tasks {
    /// The `height` rows at an anchor. Costs one pass (about a nanosecond a task).
    pub fn window(
        &self,
        filter: &TaskFilter<'_>,
        order: TaskOrder,
        anchor: Anchor,
        height: usize,
        now: Time,
    ) -> Window {
        let columns = self.columns();
        match order.by {
            SortBy::Age => pass(columns, filter, order, anchor, height, |at| {
                columns.created[at].wrapping_neg()
            }),
            SortBy::LastChange => pass(columns, filter, order, anchor, height, |at| {
                columns.updated[at].wrapping_neg()
            }),
            SortBy::State => pass(columns, filter, order, anchor, height, |at| {
                state_key(columns, at)
            }),
            SortBy::Duration => pass(columns, filter, order, anchor, height, |at| {
                duration_key(columns, at, now)
            }),
            SortBy::Ready => pass(columns, filter, order, anchor, height, |at| {
                ready_key(columns, at)
            }),
        }
    }
}

impl Columns<'_> {
    pub fn len(&self) -> usize {
        self.state.len()
    }

    pub fn is_empty(&self) -> bool {
        self.state.is_empty()
    }
}

fn state_key(columns: Columns<'_>, at: usize) -> i64 {
    let rank = match columns.state[at] {
        state if state == TaskState::Failed as u8 => 0,
        state if state == TaskState::Processing as u8 => 1,
        state if state == TaskState::Queued as u8 => 2,
        state if state == TaskState::Completed as u8 => 3,
        _ => 4,
    };
    let newest_first = i64::MAX / 16 - columns.updated[at].clamp(0, i64::MAX / 16);
    rank * (i64::MAX / 8) + newest_first
}

fn duration_key(columns: Columns<'_>, at: usize, now: Time) -> i64 {
    let is_running = columns.state[at] == TaskState::Processing as u8
        || columns.state[at] == TaskState::Queued as u8;
    let end = if is_running {
        now.0
    } else {
        columns.updated[at]
    };
    end.saturating_sub(columns.created[at])
        .max(0)
        .wrapping_neg()
}

fn ready_key(columns: Columns<'_>, at: usize) -> i64 {
    let tally = Features::from_parts(columns.features[at], None).tally();
    i64::from(tally.ready * 1000 / tally.wanted.max(1))
}

fn pass(
    columns: Columns<'_>,
    filter: &TaskFilter<'_>,
    order: TaskOrder,
    anchor: Anchor,
    height: usize,
    key_at: impl Fn(usize) -> i64,
) -> Window {
    // A reversed order negates the key, so that one pass serves both.
    let key_of = |at: usize| -> Key {
        if order.is_reversed {
            (!key_at(at), at as u32)
        } else {
            (key_at(at), at as u32)
        }
    };
    let (start, above) = match anchor {
        Anchor::Last => (None, height),
        Anchor::Task { place, above } if (place as usize) < columns.len() => {
            (Some(key_of(place as usize)), above.min(height))
        }
        Anchor::First | Anchor::Task { .. } => (None, 0),
    };
    let mut before = Nearest::new(if anchor == Anchor::Last {
        height
    } else {
        height.max(above)
    });
    let mut after = Nearest::new(height);
    let (mut n_before, mut n_after) = (0, 0);
    for at in 0..columns.len() {
        if !filter.passes(columns.state[at], columns.features[at], at) {
            continue;
        }
        let key = key_of(at);
        let is_before = match (start, anchor) {
            (Some(start), _) => key < start,
            (None, Anchor::Last) => true,
            (None, _) => false,
        };
        if is_before {
            n_before += 1;
            before.offer((!key.0, !key.1));
        } else {
            n_after += 1;
            after.offer(key);
        }
    }
    let before: Vec<u32> = before
        .into_sorted()
        .into_iter()
        .map(|(_, place)| !place)
        .collect();
    let after: Vec<u32> = after
        .into_sorted()
        .into_iter()
        .map(|(_, place)| place)
        .collect();
    join(&before, &after, above, height, n_before, n_before + n_after)
}

/// Puts what lies before and after the anchor together, so that the window is full if it can be.
fn join(
    before: &[u32],
    after: &[u32],
    above: usize,
    height: usize,
    n_before: usize,
    matching: usize,
) -> Window {
    let below = height.saturating_sub(above).min(after.len());
    let n_above = (height - below).min(before.len());
    let n_below = (height - n_above).min(after.len());
    let mut places: Vec<u32> = before[..n_above].iter().rev().copied().collect();
    places.extend(&after[..n_below]);
    Window {
        places,
        before: n_before - n_above,
        matching,
    }
}

/// Keeps the smallest few of many keys.
struct Nearest {
    limit: usize,
    heap: BinaryHeap<Key>,
    worst: Key,
}

impl Nearest {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            heap: BinaryHeap::with_capacity(limit + 1),
            worst: (i64::MAX, u32::MAX),
        }
    }

    fn offer(&mut self, key: Key) {
        if key >= self.worst {
            return;
        }
        self.heap.push(key);
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
        if self.heap.len() == self.limit {
            self.worst = self.heap.peek().copied().unwrap_or((i64::MIN, 0));
        }
    }

    fn into_sorted(self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.heap.into_iter().collect();
        keys.sort_unstable();
        keys
    }
}
