//! The list of recent events: the ring itself, or the positions that a filter lets pass.

use std::collections::VecDeque;

use super::filter::Filter;
use super::list::{Cursor, Listed, Place, Slice, cursor_of, slice_of};
use super::rescan::Rescan;
use super::subject::EventSubject;
use crate::domain::query::{Field, Now};
use crate::domain::{EventRow, History, Moment, Time};

/// Events tested in one slice.
const SLICE: usize = 4096;
/// What an event is asked that its message and attempts answer.
const FROM_DELIVERIES: [Field; 5] = [
    Field::Message,
    Field::Endpoint,
    Field::Code,
    Field::Trigger,
    Field::Cause,
];

/// The list of recent events, by position in the ring, newest first.
#[derive(Debug, Default)]
pub struct EventList {
    pub cursor: Cursor<u64>,
    pub filter: Filter,
    /// Oldest first.
    pub is_reversed: bool,
    matches: Option<Matches>,
}

/// Positions that pass, oldest first. The scan goes from the newest back, so that the first
/// results are those on the screen; events that came since are tested as they come.
#[derive(Debug)]
struct Matches {
    passing: VecDeque<u64>,
    /// Everything below this is untested.
    tested_down_to: u64,
    /// Everything below this is still to be tested, or tested again, by the scan that runs.
    next: u64,
    /// Everything from here up is untested.
    tested_up_to: u64,
    rescan: Rescan,
}

impl Matches {
    /// Has these positions, oldest first, be what passes from one position to before another.
    fn put(&mut self, from: u64, to: u64, found: Vec<u64>) {
        let start = self.passing.partition_point(|position| *position < from);
        let end = self.passing.partition_point(|position| *position < to);
        if self.passing.range(start..end).eq(&found) {
            return;
        }
        let mut newer = self.passing.split_off(end);
        self.passing.truncate(start);
        self.passing.extend(found);
        self.passing.append(&mut newer);
    }
}

impl EventList {
    pub fn set_filter(&mut self, text: &str, now: Now, history: &History) {
        if self.filter.set(text, now) {
            let end = history.events.next_position();
            self.matches = self.filter.is_active().then(|| Matches {
                passing: VecDeque::new(),
                tested_down_to: end,
                next: end,
                tested_up_to: end,
                rescan: Rescan::default(),
            });
        }
    }

    pub fn is_scanning(&self, history: &History) -> bool {
        self.matches
            .as_ref()
            .is_some_and(|matches| matches.next > history.events.first_position())
    }

    /// How much of the ring was tested, in percent, while the first scan of a filter runs.
    pub fn progress(&self, history: &History) -> Option<usize> {
        let is_first = |matches: &&Matches| matches.rescan.is_first();
        let matches = self.matches.as_ref().filter(is_first)?;
        if !self.is_scanning(history) {
            return None;
        }
        let tested = matches.tested_up_to - matches.tested_down_to;
        Some(tested as usize * 100 / history.events.len().max(1))
    }

    /// Tests the next slice.
    pub fn scan(&mut self, history: &History) {
        let Some(matches) = &mut self.matches else {
            return;
        };
        let first = history.events.first_position();
        let end = matches.next.saturating_sub(SLICE as u64).max(first);
        if end < matches.next {
            let found = (end..matches.next)
                .filter(|position| passes(&self.filter, history, *position))
                .collect();
            matches.put(end, matches.next, found);
            matches.next = end;
        }
        matches.tested_down_to = matches.tested_down_to.min(matches.next);
    }

    /// Notes that something changed which many events' texts may hold, a name for example.
    pub fn note_stale(&mut self) {
        if let Some(matches) = &mut self.matches
            && !self.filter.query.is_columnar()
        {
            // State and features are what the event itself said, and stay.
            matches.rescan.note_stale();
        }
    }

    /// Notes that a message or its attempts changed.
    pub fn note_delivery(&mut self) {
        if self.filter.query.names_any(&FROM_DELIVERIES) {
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
            matches.next = matches.tested_up_to;
        }
    }

    /// Tests what came in, and lets go what left the ring.
    pub fn catch_up(&mut self, history: &History) {
        let Some(matches) = &mut self.matches else {
            return;
        };
        let first = history.events.first_position();
        let end = history.events.next_position();
        for position in matches.tested_up_to.max(first)..end {
            if passes(&self.filter, history, position) {
                matches.passing.push_back(position);
            }
        }
        matches.tested_up_to = end;
        while matches.passing.front().is_some_and(|front| *front < first) {
            matches.passing.pop_front();
        }
    }
}

impl Listed for EventList {
    cursor_of!(u64);

    fn ever(&self, history: &History) -> u64 {
        history.events.total()
    }

    fn window(
        &self,
        history: &History,
        place: &Place<u64>,
        height: usize,
        _now: Time,
    ) -> Slice<u64> {
        let first = history.events.first_position();
        let len = self
            .matches
            .as_ref()
            .map_or(history.events.len(), |matches| matches.passing.len());
        // Rows count from the top of the screen, positions from the oldest.
        let turned = |index: usize| {
            if self.is_reversed {
                Some(index)
            } else {
                len.checked_sub(index + 1)
            }
        };
        let index_of = |position: &u64| match &self.matches {
            Some(matches) => {
                let at = matches.passing.partition_point(|other| other < position);
                turned(at.min(len.saturating_sub(1)))
            }
            None => turned(usize::try_from(position.saturating_sub(first)).ok()?),
        };
        let key_at = |index: usize| match &self.matches {
            Some(matches) => matches.passing.get(turned(index)?).copied(),
            None => Some(first + turned(index)? as u64),
        };
        let slice = slice_of(len, place, height, index_of, key_at);
        let tested = self.matches.as_ref().map_or(0, |it| it.tested_down_to);
        Slice {
            // Gaps are no events, so that none counts as one that matches.
            matching: len.saturating_sub(history.events.n_gaps_from(tested)),
            ..slice
        }
    }
}

/// Whether a row is shown. No filter hides that there was a gap.
fn passes(filter: &Filter, history: &History, position: u64) -> bool {
    match history.events.row(position) {
        Some(EventRow::Event(entry)) => filter.query.matches(&EventSubject { history, entry }),
        Some(EventRow::Gap(_) | EventRow::Hole(_)) => true,
        None => false,
    }
}
