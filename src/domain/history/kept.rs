//! The latest of many things, each under a number that stays its own.

use std::collections::VecDeque;

/// The latest things of a kind. The first ever has number 1; those beyond the limit leave, oldest
/// first, and their numbers are not given again.
#[derive(Debug, Clone)]
pub struct Kept<T> {
    rows: VecDeque<T>,
    limit: usize,
    total: u64,
}

impl<T> Kept<T> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            rows: VecDeque::new(),
            limit: limit.max(1),
            total: 0,
        }
    }

    /// Takes one in and gives its number.
    pub(super) fn push(&mut self, row: T) -> u64 {
        if self.rows.len() >= self.limit {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
        self.total += 1;
        self.total
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
        let back = usize::try_from(self.total.checked_sub(number)?).ok()?;
        self.rows.get(self.rows.len().checked_sub(back + 1)?)
    }

    /// Each that is kept with its number, newest first.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &T)> {
        (0..self.total)
            .rev()
            .map(|before| before + 1)
            .zip(self.rows.iter().rev())
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
            (kept.get(1), kept.get(2), kept.get(4)),
            (None, Some(&"b"), Some(&"d"))
        );
        assert_eq!((kept.get(0), kept.get(5)), (None, None));
        let numbered: Vec<(u64, &&str)> = kept.numbered().collect();
        assert_eq!(numbered, [(4, &"d"), (3, &"c"), (2, &"b")]);
    }
}
