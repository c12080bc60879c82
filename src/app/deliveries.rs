//! The list of messages: all of them by time, or those that a filter lets pass.

use super::filter::Filter;
use super::list::{Cursor, Listed, Place, Slice, cursor_of, slice_of};
use super::rescan::Rescan;
use super::subject::DeliverySubject;
use crate::domain::query::Now;
use crate::domain::{ByTime, Delivery, History, MessageId, Moment, TaskId, Time};

/// What is said where all that match are asked for before they are known.
pub const STILL_FILTERING: &str = "the filter is still being applied; try again in a moment";

/// Messages tested in one slice.
const SLICE: usize = 1024;

/// Slices that a key press may wait for.
const SLICES_AT_ONCE: usize = 16;

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
    passing: ByTime,
    /// Those of them that are still broken.
    broken: ByTime,
    /// Messages tested, counted from the newest.
    next: usize,
    /// Messages there were at the last test.
    known: usize,
    rescan: Rescan,
    evicted: u64,
}

impl Matches {
    fn set(&mut self, history: &History, id: &MessageId, time: Option<Time>) {
        self.passing.set(id, time);
        let is_broken = history.deliveries.broken().contains(id);
        self.broken.set(id, time.filter(|_| is_broken));
    }
}

/// Messages with their times, oldest first.
type Entries<'a> = &'a [(Time, MessageId)];

/// The order of the list, by two that are kept: some go before all others, each part by time. No
/// row is looked at but those that are asked for.
struct Order<'a> {
    all: Entries<'a>,
    /// Some of all.
    leading: Entries<'a>,
    is_reversed: bool,
}

impl Order<'_> {
    /// How many of a part stand before this message.
    fn before(&self, part: Entries<'_>, entry: &(Time, MessageId)) -> usize {
        if self.is_reversed {
            part.partition_point(|other| other < entry)
        } else {
            part.len() - part.partition_point(|other| other <= entry)
        }
    }

    fn nth<'a>(&self, part: Entries<'a>, at: usize) -> Option<&'a (Time, MessageId)> {
        if self.is_reversed {
            part.get(at)
        } else {
            part.get(part.len().checked_sub(at + 1)?)
        }
    }

    /// Where a message stands, or would if it had a row.
    fn index_of(&self, entry: &(Time, MessageId)) -> usize {
        let n_leading = self.before(self.leading, entry);
        if self.leading.binary_search(entry).is_ok() {
            return n_leading;
        }
        self.leading.len() + self.before(self.all, entry) - n_leading
    }

    fn at(&self, index: usize) -> Option<&(Time, MessageId)> {
        let Some(at) = index.checked_sub(self.leading.len()) else {
            return self.nth(self.leading, index);
        };
        let (mut place, mut end) = (0, self.all.len());
        while place < end {
            let middle = usize::midpoint(place, end);
            let entry = self.nth(self.all, middle)?;
            let is_leading = usize::from(self.leading.binary_search(entry).is_ok());
            let n_leading = self.before(self.leading, entry) + is_leading;
            if middle + 1 - n_leading > at {
                end = middle;
            } else {
                place = middle + 1;
            }
        }
        self.nth(self.all, place)
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

    fn order<'a>(&'a self, history: &'a History) -> Order<'a> {
        let (all, broken) = match &self.matches {
            Some(matches) => (matches.passing.entries(), &matches.broken),
            None => (history.deliveries.order(), history.deliveries.broken()),
        };
        let leading = if self.is_broken_first {
            broken.entries()
        } else {
            &[]
        };
        Order {
            all,
            leading,
            is_reversed: self.is_reversed,
        }
    }

    pub fn set_filter(&mut self, text: &str, now: Now) {
        if self.filter.set(text, now) {
            self.matches = self.filter.is_active().then(Matches::default);
        }
    }

    /// Whether the filter lets the message pass, as far as it was tested.
    pub fn shows(&self, id: &MessageId) -> bool {
        let matches = self.matches.as_ref();
        matches.is_none_or(|matches| matches.passing.contains(id))
    }

    /// Every message of the list, oldest first. What is left of a scan is done at once where it is
    /// little, as a list in which much happens is tested again each second; `None` where it is more.
    pub fn ids(&mut self, history: &History) -> Option<Vec<MessageId>> {
        for _ in 0..SLICES_AT_ONCE {
            if self.is_scanning(history) {
                self.scan(history);
            }
        }
        match &self.matches {
            _ if self.is_scanning(history) => None,
            _ => {
                let all = self.order(history).all.iter();
                Some(all.map(|(_, id)| id.clone()).collect())
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
        let is_first = |matches: &&Matches| matches.rescan.is_first();
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
                matches.set(history, &delivery.id, is_match.then(|| delivery.time()));
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
        matches.set(history, id, time);
        if matches.evicted != history.deliveries.evicted() {
            matches.evicted = history.deliveries.evicted();
            let is_there = |id: &MessageId| history.deliveries.get(id).is_some();
            matches.passing.retain(is_there);
            matches.broken.retain(is_there);
        }
    }

    /// Notes that something changed which many messages' texts may hold, a label for example.
    pub fn note_stale(&mut self) {
        if let Some(matches) = &mut self.matches {
            matches.rescan.note_stale();
        }
    }

    /// Notes that it may be known of more messages how they stand.
    pub fn note_attempts_read(&mut self) {
        if DeliverySubject::asks_attempts(&self.filter.query) {
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

impl Listed for DeliveryList {
    cursor_of!(MessageId);

    fn ever(&self, history: &History) -> u64 {
        history.deliveries.n_new()
    }

    fn window(
        &self,
        history: &History,
        place: &Place<MessageId>,
        height: usize,
        _now: Time,
    ) -> Slice<MessageId> {
        let order = self.order(history);
        // A message that the filter hides has a place in between, but no row.
        let index_of = |id: &MessageId| {
            let time = history.deliveries.get(id)?.time();
            Some(order.index_of(&(time, id.clone())))
        };
        let key_at = |index| order.at(index).map(|(_, id)| id.clone());
        slice_of(order.all.len(), place, height, index_of, key_at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(n: usize) -> (Time, MessageId) {
        // Some share a time.
        let time = Time(n as i64 / 2);
        (time, MessageId::new(&format!("msg_{n:03}")))
    }

    proptest! {
        #[test]
        fn what_leads_stands_first_and_every_row_stands_once(
            leads in prop::collection::vec(any::<bool>(), 0..40),
            is_reversed: bool,
        ) {
            let all: Vec<_> = (0..leads.len()).map(entry).collect();
            let is_leading = |entry: &&(Time, MessageId)| {
                all.iter().position(|other| other == *entry).is_some_and(|at| leads[at])
            };
            let leading: Vec<_> = all.iter().filter(is_leading).cloned().collect();
            let mut by_hand: Vec<_> = all.clone();
            if !is_reversed {
                by_hand.reverse();
            }
            // A sort that keeps the order of what is alike.
            by_hand.sort_by_key(|entry| !is_leading(&entry));
            let order = Order { all: &all, leading: &leading, is_reversed };
            let shown: Vec<_> = (0..all.len()).filter_map(|at| order.at(at).cloned()).collect();
            prop_assert_eq!(&shown, &by_hand);
            prop_assert_eq!(order.at(all.len()), None);
            for (at, entry) in by_hand.iter().enumerate() {
                prop_assert_eq!(order.index_of(entry), at);
            }
        }
    }
}
