//! The part of the task list that a screen needs, found in one pass over columns: no sort, no
//! index, whatever the order, the filter and the position.

use std::collections::BinaryHeap;

use super::super::query::TaskFilter;
use super::super::task::{TASK_STATES, TaskState};
use super::super::time::Time;
use super::Tasks;
use super::age::ByAge;
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
            SortBy::Age if filter.is_by_state_alone() => self.walk(filter, order, anchor, height),
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
                i64::from(columns.ready[at])
            }),
        }
    }
}

impl Tasks {
    /// The same for the order of age, by a walk from the anchor: what lies elsewhere costs nothing.
    fn walk(
        &self,
        filter: &TaskFilter<'_>,
        order: TaskOrder,
        anchor: Anchor,
        height: usize,
    ) -> Window {
        let (columns, by_age) = (self.columns(), self.by_age());
        let passes = |place: &u32| {
            let at = *place as usize;
            filter.passes(columns.state[at], columns.features[at], at)
        };
        let newest_first = !order.is_reversed;
        let (split, above) = match anchor {
            Anchor::Task { place, above } if (place as usize) < columns.len() => {
                let own = by_age.position(place, columns.created);
                (
                    if newest_first { ByAge::next(own) } else { own },
                    above.min(height),
                )
            }
            Anchor::Last if newest_first => (ByAge::start(), height),
            Anchor::Last => (by_age.end(), height),
            Anchor::First | Anchor::Task { .. } if newest_first => (by_age.end(), 0),
            Anchor::First | Anchor::Task { .. } => (ByAge::start(), 0),
        };
        let elder = || by_age.before(split).filter(passes);
        let newer = || by_age.from(split).filter(passes);
        let all_newer = by_age.len() - by_age.rank(split);
        let (before, after): (Vec<u32>, Vec<u32>) = if newest_first {
            (
                newer().take(height).collect(),
                elder().take(height).collect(),
            )
        } else {
            (
                elder().take(height).collect(),
                newer().take(height).collect(),
            )
        };
        let n_before = match (filter.is_all(), newest_first) {
            (true, true) => all_newer,
            (true, false) => by_age.rank(split),
            (false, true) => newer().count(),
            (false, false) => elder().count(),
        };
        let matching = if filter.is_all() {
            self.len()
        } else {
            self.count_states(filter)
        };
        join(&before, &after, above, height, n_before, matching)
    }

    fn count_states(&self, filter: &TaskFilter<'_>) -> usize {
        TASK_STATES
            .iter()
            .filter(|state| filter.passes(**state as u8, 0, 0))
            .map(|state| self.count(*state))
            .sum()
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

fn pass(
    columns: Columns<'_>,
    filter: &TaskFilter<'_>,
    order: TaskOrder,
    anchor: Anchor,
    height: usize,
    key_at: impl Fn(usize) -> i64,
) -> Window {
    // A reversed order negates the key, so that one pass serves both. Of two that tie the later
    // place is the newer, and comes first.
    let key_of = |at: usize| -> Key {
        if order.is_reversed {
            (!key_at(at), at as u32)
        } else {
            (key_at(at), !(at as u32))
        }
    };
    let place_of = |key: u32| if order.is_reversed { key } else { !key };
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
    // Tasks mostly come in order of time, and the best keys met first make the rest cheap to pass.
    for step in 0..columns.len() {
        let at = if order.is_reversed {
            step
        } else {
            columns.len() - 1 - step
        };
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
        .map(|(_, key)| place_of(!key))
        .collect();
    let after: Vec<u32> = after
        .into_sorted()
        .into_iter()
        .map(|(_, key)| place_of(key))
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

#[cfg(test)]
mod tests {
    use super::super::super::change::Origin;
    use super::super::super::feature::{Feature, FeatureState, Features};
    use super::super::super::id::{AssetId, TaskId, UserId};
    use super::super::super::query::Query;
    use super::super::super::task::Observation;
    use super::super::super::time::Moment;
    use super::*;

    fn seen(number: usize, state: FeatureState) -> Observation {
        let mut features = Features::default();
        features.set(Feature::Visual, state);
        Observation {
            task: TaskId::new(&format!("task-{number}")),
            asset: AssetId::new("asset"),
            user: UserId::new("user"),
            features,
            // Ties on purpose: several tasks share a moment.
            created: Time::from_seconds(1000 + number as i64 / 3),
            updated: Time::from_seconds(2000 + (number as i64 * 7919) % 50),
            published: None,
            event: None,
        }
    }

    fn store(n_tasks: usize, limit: usize) -> Tasks {
        let mut tasks = Tasks::new(limit);
        for number in 0..n_tasks {
            let state = if number % 5 == 0 {
                FeatureState::Failed
            } else {
                FeatureState::Processing
            };
            tasks.sight(&seen(number, state), Origin::Stream, Moment::default());
        }
        tasks
    }

    #[test]
    fn windows_walk_through_the_whole_list_in_order_without_a_hole() {
        let tasks = store(100, 1000);
        let now = Time::from_seconds(3000);
        for by in SORTS {
            for is_reversed in [false, true] {
                let order = TaskOrder { by, is_reversed };
                let all = tasks
                    .window(&TaskFilter::all(), order, Anchor::First, 100, now)
                    .places;
                assert_eq!(all.len(), 100);
                let mut walked = tasks
                    .window(&TaskFilter::all(), order, Anchor::First, 7, now)
                    .places;
                while walked.len() < 100 {
                    let last = walked[walked.len() - 1];
                    let anchor = Anchor::Task {
                        place: last,
                        above: 0,
                    };
                    let window = tasks.window(&TaskFilter::all(), order, anchor, 8, now);
                    let from = window
                        .places
                        .iter()
                        .position(|&place| place == last)
                        .map_or(0, |at| at + 1);
                    assert!(window.before <= walked.len());
                    walked.extend(&window.places[from..]);
                }
                assert_eq!(walked, all, "{by:?} {is_reversed}");
                let end = tasks.window(&TaskFilter::all(), order, Anchor::Last, 7, now);
                assert_eq!((end.places.as_slice(), end.before), (&all[93..], 93));
            }
        }
    }

    #[test]
    fn the_anchor_keeps_its_row_and_the_window_stays_full_at_the_ends() {
        let tasks = store(50, 1000);
        let order = TaskOrder::default();
        let all = tasks
            .window(&TaskFilter::all(), order, Anchor::First, 50, Time(0))
            .places;
        for (at, &place) in all.iter().enumerate() {
            let window = tasks.window(
                &TaskFilter::all(),
                order,
                Anchor::Task { place, above: 4 },
                10,
                Time(0),
            );
            assert_eq!(window.places.len(), 10);
            assert!(window.places.contains(&place));
            assert_eq!(window.places, all[window.before..window.before + 10]);
            if (4..=44).contains(&at) {
                assert_eq!(window.before + 4, at);
            }
        }
    }

    #[test]
    fn a_filter_narrows_the_window_and_the_count() -> Result<(), String> {
        let tasks = store(100, 1000);
        let query = Query::parse("failed")?;
        let window = tasks.window(
            &TaskFilter::new(&query, None),
            TaskOrder::default(),
            Anchor::First,
            10,
            Time(0),
        );
        assert_eq!((window.places.len(), window.matching), (10, 20));
        let nothing = vec![0; 2];
        let none = tasks.window(
            &TaskFilter::new(&query, Some(&nothing)),
            TaskOrder::default(),
            Anchor::First,
            10,
            Time(0),
        );
        assert_eq!((none.places.len(), none.matching), (0, 0));
        Ok(())
    }

    #[test]
    fn the_oldest_finished_leave_first_and_can_come_back() {
        let mut tasks = store(64, 64);
        assert_eq!((tasks.len(), tasks.evicted()), (64, 0));
        for number in 64..80 {
            tasks.sight(
                &seen(number, FeatureState::Processing),
                Origin::Stream,
                Moment::default(),
            );
        }
        assert!(tasks.len() <= 64);
        assert_eq!(tasks.evicted(), 16);
        assert!(
            tasks.count(TaskState::Failed) == 0,
            "13 were finished, and all of them left"
        );
        let n_found = (0..80)
            .filter(|number| {
                tasks
                    .find(&TaskId::new(&format!("task-{number}")))
                    .is_some()
            })
            .count();
        assert_eq!(n_found, tasks.len());
        let places = tasks
            .window(
                &TaskFilter::all(),
                TaskOrder::default(),
                Anchor::First,
                200,
                Time(0),
            )
            .places;
        assert_eq!(places.len(), tasks.len());
    }
}
