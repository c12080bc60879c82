//! The task list: order, filter, and the places that a text filter lets pass, found in slices.

use super::filter::Filter;
use super::list::{Cursor, Listed, Place, Slice, cursor_of};
use super::rescan::Rescan;
use super::subject::TaskSubject;
use crate::domain::query::{Now, TaskFilter};
use crate::domain::{Anchor, History, Moment, TaskId, TaskOrder, Time};

/// Tasks tested in one slice, so that a slice costs a few milliseconds at most.
const SLICE: usize = 4096;

/// The task list.
#[derive(Debug, Default)]
pub struct TaskList {
    pub cursor: Cursor<TaskId>,
    pub filter: Filter,
    pub order: TaskOrder,
    matches: Option<Matches>,
}

/// A bit for each place whose task the query lets pass, as far as the scan has come.
#[derive(Debug)]
struct Matches {
    bits: Vec<u64>,
    next: usize,
    rescan: Rescan,
}

impl TaskList {
    /// Takes another filter text in.
    pub fn set_filter(&mut self, text: &str, now: Now) {
        if self.filter.set(text, now) {
            let query = &self.filter.query;
            // States and features are columns, which every window reads anyway.
            self.matches = (!query.is_columnar()).then(|| Matches {
                bits: Vec::new(),
                next: 0,
                rescan: Rescan::default(),
            });
        }
    }

    pub fn is_scanning(&self, history: &History) -> bool {
        self.matches
            .as_ref()
            .is_some_and(|matches| matches.next < history.tasks.places())
    }

    /// How much of the list was tested, in percent, while the first scan of a filter runs.
    pub fn progress(&self, history: &History) -> Option<usize> {
        let matches = self.matches.as_ref()?;
        let places = history.tasks.places();
        let is_first = matches.rescan.is_first();
        (is_first && matches.next < places).then(|| matches.next * 100 / places.max(1))
    }

    /// Tests the next slice.
    pub fn scan(&mut self, history: &History) {
        let Some(matches) = &mut self.matches else {
            return;
        };
        let end = (matches.next + SLICE).min(history.tasks.places());
        for place in matches.next..end {
            test(matches, &self.filter, history, place);
        }
        matches.next = end;
    }

    /// Tests a task again, as something about it changed.
    pub fn retest(&mut self, history: &History, task: &TaskId) {
        if let Some(matches) = &mut self.matches
            && let Some(place) = history.tasks.find(task)
        {
            test(matches, &self.filter, history, place as usize);
        }
    }

    /// Notes that something changed which many tasks' texts may hold, a name for example.
    pub fn note_stale(&mut self) {
        if let Some(matches) = &mut self.matches {
            matches.rescan.note_stale();
        }
    }

    /// Notes that it may be known of more messages how they stand.
    pub fn note_attempts_read(&mut self) {
        if TaskSubject::asks_webhooks(&self.filter.query) {
            self.note_stale();
        }
    }

    /// Starts over if something changed since the last scan; what matched stays until then.
    pub fn rescan_if_stale(&mut self, history: &History, now: Moment) {
        let is_idle = !self.is_scanning(history);
        if let Some(matches) = &mut self.matches
            && is_idle
            && matches.rescan.begins(now)
        {
            matches.next = 0;
        }
    }
}

impl Listed for TaskList {
    cursor_of!(TaskId);

    fn ever(&self, history: &History) -> u64 {
        history.tasks.len() as u64 + history.tasks.evicted()
    }

    fn window(
        &self,
        history: &History,
        place: &Place<TaskId>,
        height: usize,
        now: Time,
    ) -> Slice<TaskId> {
        let bits = self.matches.as_ref().map(|matches| matches.bits.as_slice());
        let filter = if self.filter.is_active() {
            TaskFilter::new(&self.filter.query, bits)
        } else {
            TaskFilter::all()
        };
        let anchor = match place {
            Place::First => Anchor::First,
            Place::Last => Anchor::Last,
            Place::At { key, above } => {
                history
                    .tasks
                    .find(key)
                    .map_or(Anchor::First, |place| Anchor::Task {
                        place,
                        above: *above,
                    })
            }
        };
        let window =
            history
                .tasks
                .window(&filter, self.order, anchor, height, history.task_time(now));
        Slice {
            keys: window
                .places
                .iter()
                .filter_map(|place| history.tasks.row(*place))
                .map(|row| row.id())
                .collect(),
            before: window.before,
            matching: window.matching,
        }
    }
}

fn test(matches: &mut Matches, filter: &Filter, history: &History, place: usize) {
    let passes = history
        .tasks
        .row(place as u32)
        .is_some_and(|row| filter.query.matches(&TaskSubject { history, row }));
    let (word, bit) = (place / 64, 1 << (place % 64));
    if matches.bits.len() <= word {
        matches.bits.resize(word + 1, 0);
    }
    if passes {
        matches.bits[word] |= bit;
    } else {
        matches.bits[word] &= !bit;
    }
}
