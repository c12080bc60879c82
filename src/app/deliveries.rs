//! The list of messages: all of them by time, or those that a filter lets pass.

use std::collections::HashMap;

use super::filter::Filter;
use super::list::{Cursor, Listed, Place, Slice, cursor_of, slice_of};
use super::subject::DeliverySubject;
use super::tasks::RESCAN;
use crate::domain::{Delivery, History, MessageId, Moment, TaskId, Time};

/// What is said where all that match are asked for before they are known.
pub const STILL_FILTERING: &str = "the filter is still being applied; try again in a moment";

/// Messages tested in one slice.
const SLICE: usize = 1024;

/// The list of messages, newest first.
#[derive(Debug, Default)]
pub struct DeliveryList {
    pub cursor: Cursor<MessageId>,
    pub filter: Filter,
    /// Oldest first.
    pub is_reversed: bool,
    /// Those that are still broken before all others.
    pub is_broken_first: bool,
    matches: Option<Matches>,
}

#[derive(Debug, Default)]
struct Matches {
    /// Oldest first.
    passing: Vec<(Time, MessageId)>,
    times: HashMap<MessageId, Time>,
    /// Messages tested, counted from the newest.
    next: usize,
    /// Messages there were at the last test.
    known: usize,
    is_stale: bool,
    /// When the last rescan began; monotonic microseconds.
    rescanned: Option<i64>,
    evicted: u64,
}

impl Matches {
    fn set(&mut self, id: &MessageId, time: Option<Time>) {
        if let Some(before) = self.times.get(id).copied() {
            if Some(before) == time {
                return;
            }
            if let Ok(at) = self.passing.binary_search(&(before, id.clone())) {
                self.passing.remove(at);
            }
            self.times.remove(id);
        }
        if let Some(time) = time {
            let entry = (time, id.clone());
            let at = self.passing.partition_point(|other| *other < entry);
            self.passing.insert(at, entry);
            self.times.insert(id.clone(), time);
        }
    }
}

/// Places that go before all others.
struct Leading(Vec<usize>);

impl Leading {
    /// Where the row in a place of the plain order stands.
    fn moved(&self, place: usize) -> usize {
        match self.0.binary_search(&place) {
            Ok(at) => at,
            Err(n_before) => self.0.len() + place - n_before,
        }
    }

    /// The place in the plain order of the row that stands here.
    fn plain(&self, at: usize) -> usize {
        if let Some(place) = self.0.get(at) {
            return *place;
        }
        let mut place = at - self.0.len();
        for leading in &self.0 {
            if *leading > place {
                break;
            }
            place += 1;
        }
        place
    }
}

impl DeliveryList {
    /// What it is sorted by.
    pub fn sort_name(&self) -> &'static str {
        if self.is_broken_first {
            "still broken"
        } else {
            "time"
        }
    }

    /// Where the messages that are to stand before all others stand by time alone, in ascending
    /// order.
    fn leading(
        &self,
        history: &History,
        index_of: impl Fn(&MessageId) -> Option<usize>,
    ) -> Leading {
        let mut places: Vec<usize> = if self.is_broken_first {
            history
                .deliveries
                .broken()
                .iter()
                .filter_map(index_of)
                .collect()
        } else {
            Vec::new()
        };
        places.sort_unstable();
        Leading(places)
    }

    pub fn set_filter(&mut self, text: &str) {
        if self.filter.set(text) {
            self.matches = self.filter.is_active().then(Matches::default);
        }
    }

    /// Whether the filter lets the message pass, as far as it was tested.
    pub fn shows(&self, id: &MessageId) -> bool {
        let matches = self.matches.as_ref();
        matches.is_none_or(|matches| matches.times.contains_key(id))
    }

    /// Every message of the list, oldest first; `None` until all were tested.
    pub fn ids(&self, history: &History) -> Option<Vec<MessageId>> {
        match &self.matches {
            _ if self.is_scanning(history) => None,
            Some(matches) => Some(matches.passing.iter().map(|(_, id)| id.clone()).collect()),
            None => {
                let oldest = history.deliveries.newest().rev();
                Some(oldest.map(|delivery| delivery.id.clone()).collect())
            }
        }
    }

    pub fn is_scanning(&self, history: &History) -> bool {
        self.matches
            .as_ref()
            .is_some_and(|matches| matches.next < history.deliveries.len())
    }

    /// How much of the list was tested, in percent, while the first scan of a filter runs.
    pub fn progress(&self, history: &History) -> Option<usize> {
        let is_first = |matches: &&Matches| matches.rescanned.is_none();
        let matches = self.matches.as_ref().filter(is_first)?;
        if !self.is_scanning(history) {
            return None;
        }
        Some(matches.next * 100 / history.deliveries.len().max(1))
    }

    /// Tests the next slice, from the newest back. New messages come in before those that are
    /// still to be tested, so that none of these is passed over; they are tested as they come.
    pub fn scan(&mut self, history: &History) {
        let Some(matches) = &mut self.matches else {
            return;
        };
        let end = (matches.next + SLICE).min(history.deliveries.len());
        for rank in matches.next..end {
            if let Some(delivery) = history.deliveries.nth_newest(rank) {
                let is_match = self
                    .filter
                    .query
                    .matches(&DeliverySubject { history, delivery });
                matches.set(&delivery.id, is_match.then(|| delivery.time()));
            }
        }
        matches.next = end;
        matches.known = history.deliveries.len();
    }

    /// Tests the messages of a task again, as something about it changed.
    pub fn retest_of(&mut self, history: &History, task: &TaskId) {
        if self.filter.is_active() {
            for delivery in history.deliveries.of_task(task) {
                self.retest(history, &delivery.id);
            }
        }
    }

    /// Tests a message again, as something about it changed.
    pub fn retest(&mut self, history: &History, id: &MessageId) {
        let Some(matches) = &mut self.matches else {
            return;
        };
        let delivery = history.deliveries.get(id);
        let time = delivery
            .filter(|delivery| {
                self.filter
                    .query
                    .matches(&DeliverySubject { history, delivery })
            })
            .map(Delivery::time);
        // Only one that is new counts as the one that a finished scan has not met.
        let len = history.deliveries.len();
        let n_new = usize::from(len > matches.known);
        if matches.next + n_new >= len {
            matches.next = len;
        }
        matches.known = len;
        matches.set(id, time);
        if matches.evicted != history.deliveries.evicted() {
            matches.evicted = history.deliveries.evicted();
            let gone: Vec<MessageId> = matches
                .times
                .keys()
                .filter(|id| history.deliveries.get(id).is_none())
                .cloned()
                .collect();
            for id in gone {
                matches.set(&id, None);
            }
        }
    }

    /// Notes that something changed which many messages' texts may hold, a label for example.
    pub fn note_stale(&mut self) {
        if let Some(matches) = &mut self.matches {
            matches.is_stale = true;
        }
    }

    /// Starts over if something changed since the last scan; what matched stays until then.
    pub fn rescan_if_stale(&mut self, history: &History, now: Moment) {
        let is_idle = !self.is_scanning(history);
        if let Some(matches) = &mut self.matches
            && is_idle
            && matches.is_stale
            && matches
                .rescanned
                .is_none_or(|last| now.mono - last >= RESCAN)
        {
            matches.rescanned = Some(now.mono);
            matches.is_stale = false;
            matches.next = 0;
        }
    }
}

impl Listed for DeliveryList {
    cursor_of!(MessageId);

    fn ever(&self, history: &History) -> u64 {
        history.deliveries.len() as u64 + history.deliveries.evicted()
    }

    fn window(
        &self,
        history: &History,
        place: &Place<MessageId>,
        height: usize,
        _now: Time,
    ) -> Slice<MessageId> {
        let len = self
            .matches
            .as_ref()
            .map_or(history.deliveries.len(), |matches| matches.passing.len());
        let turned = |index: usize| {
            if self.is_reversed {
                len.checked_sub(index + 1)
            } else {
                Some(index)
            }
        };
        let index_of = |id: &MessageId| match &self.matches {
            Some(matches) => {
                let time = history.deliveries.get(id)?.time();
                let entry = (time, id.clone());
                let at = matches.passing.partition_point(|other| *other < entry);
                turned(len.saturating_sub(1).saturating_sub(at))
            }
            None => turned(history.deliveries.rank(id)?),
        };
        let key_at = |index: usize| match &self.matches {
            Some(matches) => {
                let at = len.checked_sub(turned(index)? + 1)?;
                matches.passing.get(at).map(|(_, id)| id.clone())
            }
            None => history
                .deliveries
                .nth_newest(turned(index)?)
                .map(|delivery| delivery.id.clone()),
        };
        // A message that the filter hides has a place in between, but no row.
        let leading = self.leading(history, |id| index_of(id).filter(|_| self.shows(id)));
        slice_of(
            len,
            place,
            height,
            |id| index_of(id).map(|place| leading.moved(place)),
            |at| key_at(leading.plain(at)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_stands_first_and_every_row_stands_once() {
        let leading = Leading(vec![1, 4, 5]);
        let order: Vec<usize> = (0..8).map(|at| leading.plain(at)).collect();
        assert_eq!(order, [1, 4, 5, 0, 2, 3, 6, 7]);
        for (at, place) in order.into_iter().enumerate() {
            assert_eq!(leading.moved(place), at);
        }
    }
}
