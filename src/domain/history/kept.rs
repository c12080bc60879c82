//! The latest of many things, each under a number that stays its own.

use std::collections::VecDeque;

/// The latest things of a kind, each with a number of its own, ascending. Those beyond the limit
/// leave, oldest first, and their numbers are not given again.
#[derive(Debug, Clone)]
pub struct Kept<T> {
    rows: VecDeque<T>,
    limit: usize,
    total: u64,
    /// The newest one's number. The first that is pushed leaves room for as many below it as are
    /// kept: those that are found to be older.
    last: u64,
}

impl<T> Kept<T> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            rows: VecDeque::new(),
            limit: limit.max(1),
            total: 0,
            last: limit.max(1) as u64,
        }
    }

    /// Takes one in and gives its number.
    pub(super) fn push(&mut self, row: T) -> u64 {
        if self.rows.len() >= self.limit {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
        self.total += 1;
        self.last += 1;
        self.last
    }

    /// Takes one in that is older than all.
    pub(super) fn push_older(&mut self, row: T) {
        if self.rows.len() < self.limit {
            self.rows.push_front(row);
        }
        self.total += 1;
    }

    /// How many there ever were, those that left included.
    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Which one this number's is, counted from the oldest that ever was.
    pub fn ordinal(&self, number: u64) -> u64 {
        (number + self.total).saturating_sub(self.last)
    }

    /// The newest.
    pub fn back(&self) -> Option<&T> {
        self.rows.back()
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.rows.iter_mut()
    }

    /// The one with this number, if it is still kept.
    pub fn get(&self, number: u64) -> Option<&T> {
        let back = usize::try_from(self.last.checked_sub(number)?).ok()?;
        self.rows.get(self.rows.len().checked_sub(back + 1)?)
    }

    /// Each that is kept with its number, newest first.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &T)> {
        (0..=self.last).rev().zip(self.rows.iter().rev())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_with_their_rows_when_others_leave() {
        let mut kept = Kept::new(3);
        for row in ["a", "b", "c", "d"] {
            kept.push(row);
        }
        assert_eq!((kept.total(), kept.len(), kept.back()), (4, 3, Some(&"d")));
        assert_eq!(
            (kept.get(4), kept.get(5), kept.get(7)),
            (None, Some(&"b"), Some(&"d"))
        );
        assert_eq!((kept.get(0), kept.get(8)), (None, None));
        let numbered: Vec<(u64, &&str)> = kept.numbered().collect();
        assert_eq!(numbered, [(7, &"d"), (6, &"c"), (5, &"b")]);
    }

    #[test]
    fn what_is_found_to_be_older_stands_before_the_others_and_moves_no_number() {
        let mut kept = Kept::new(3);
        let number = kept.push("c");
        kept.push_older("b");
        kept.push_older("a");
        kept.push_older("beyond the limit");
        let rows: Vec<&str> = kept.iter().copied().collect();
        assert_eq!((rows, kept.total()), (vec!["a", "b", "c"], 4));
        assert_eq!((kept.get(number), kept.ordinal(number)), (Some(&"c"), 4));
        assert_eq!(kept.get(number - 2), Some(&"a"));
    }
}
