//! What could not be read, counted once however often it is met.

use std::collections::{HashMap, VecDeque};

/// Rows of one answer that are kept to be looked at.
const MOST_OF_ONE: usize = 200;
/// Rows of one answer beyond these that are told from each other; of more, only the number is.
const MOST_TOLD: usize = 4096;
/// What stands for the beginning of a row that is not kept.
const NOT_KEPT: &str = "not kept: many more of the same answer could not be read";
/// Rows that are known when they are met again. Of more than these the oldest count anew.
const MOST_KNOWN: usize = 16_384;

/// What could not be read: where it came from, why, and its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unreadable {
    pub place: &'static str,
    pub why: String,
    /// How many rows or events it stands for.
    pub count: u64,
    /// At most 4 KiB of it.
    pub excerpt: String,
    /// What a row of a list is known by: every look at the list meets it again, and it is still
    /// one. `None` where each is a loss of its own.
    pub known_by: Option<u64>,
}

impl Unreadable {
    /// One loss.
    pub fn new(place: &'static str, why: impl Into<String>, excerpt: impl Into<String>) -> Self {
        Self {
            place,
            why: why.into(),
            count: 1,
            excerpt: excerpt.into(),
            known_by: None,
        }
    }

    /// The same, known by what identifies it at its place: its id, else all its bytes.
    #[must_use]
    pub fn known_by(mut self, identity: &[u8]) -> Self {
        self.known_by = Some(digest(&[self.place.as_bytes(), identity]));
        self
    }

    /// How many rows or events all of these stand for.
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Self>) -> u64 {
        all.into_iter().map(|what| what.count).sum()
    }
}

/// FNV-1a. The journal keeps it, so that it must stay what it is.
pub(super) fn digest(parts: &[&[u8]]) -> u64 {
    let with_ends = parts.iter().flat_map(|part| part.iter().chain(&[0xff]));
    with_ends.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The rows of one list that could not be read. Those that are alike are one with their number.
#[derive(Debug, Default)]
pub struct Unread {
    rows: Vec<Unreadable>,
    at: HashMap<u64, usize>,
    /// By what they are known: which of an answer's rows are kept differs from look to look, and
    /// none is to count twice for that.
    told: HashMap<u64, Unreadable>,
    n_more: u64,
}

impl Unread {
    pub fn add(&mut self, what: Unreadable) {
        if let Some(at) = what.known_by.and_then(|known_by| self.at.get(&known_by))
            && let Some(held) = self.rows.get_mut(*at)
        {
            held.count += what.count;
        } else if self.rows.len() < MOST_OF_ONE {
            if let Some(known_by) = what.known_by {
                self.at.insert(known_by, self.rows.len());
            }
            self.rows.push(what);
        } else {
            self.tell(what);
        }
    }

    fn tell(&mut self, what: Unreadable) {
        let n_told = self.told.len();
        match what.known_by {
            Some(known_by) if n_told < MOST_TOLD || self.told.contains_key(&known_by) => {
                let count = what.count;
                let held = self.told.entry(known_by).or_insert(Unreadable {
                    excerpt: NOT_KEPT.to_owned(),
                    count: 0,
                    ..what
                });
                held.count += count;
            }
            _ => self.n_more += what.count,
        }
    }

    /// All of them, those that are kept after those that are not, as the latest are looked at. The
    /// last one stands for those that are not told from each other: what the most was that one look
    /// found is an estimate of how many there were.
    pub fn into_rows(self, place: &'static str) -> Vec<Unreadable> {
        let mut rows: Vec<Unreadable> = self.told.into_values().collect();
        rows.sort_by_key(|what| what.known_by);
        rows.extend(self.rows);
        if self.n_more > 0 {
            let why = "about so many more rows that could not be read";
            let more = Unreadable::new(place, why, "").known_by(why.as_bytes());
            rows.push(Unreadable {
                count: self.n_more,
                ..more
            });
        }
        rows
    }
}

impl From<Vec<Unreadable>> for Unread {
    fn from(found: Vec<Unreadable>) -> Self {
        let mut all = Self::default();
        for what in found {
            all.add(what);
        }
        all
    }
}

/// What was met before, so that what a look at a list finds again is known.
#[derive(Debug, Default)]
pub struct KnownRows {
    /// The most that one look found of each.
    counts: HashMap<u64, u64>,
    /// Oldest first.
    order: VecDeque<u64>,
    has_forgotten: bool,
}

impl KnownRows {
    /// Whether some were forgotten, so that one of them that is met again counts anew: what is
    /// counted is the most that there can have been.
    pub fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    /// How much of this is new; all of it where each is a loss of its own.
    pub fn news(&mut self, what: &Unreadable) -> u64 {
        match what.known_by {
            Some(known_by) => self.more(known_by, what.count),
            None => what.count,
        }
    }

    /// Whether this was not met before; a digest stands for it.
    pub fn is_first(&mut self, digest: u64) -> bool {
        self.more(digest, 1) > 0
    }

    /// By how much this count is more than the most before.
    fn more(&mut self, known_by: u64, count: u64) -> u64 {
        if let Some(held) = self.counts.get_mut(&known_by) {
            let before = *held;
            *held = before.max(count);
            return *held - before;
        }
        if self.order.len() >= MOST_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.counts.remove(&oldest);
            self.has_forgotten = true;
        }
        self.counts.insert(known_by, count);
        self.order.push_back(known_by);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(excerpt: &str) -> Unreadable {
        Unreadable::new("tasks", "a row", excerpt).known_by(excerpt.as_bytes())
    }

    #[test]
    fn what_a_row_is_known_by_stays_from_one_release_to_the_next() {
        assert_eq!(row("{}").known_by, Some(0x40ec_d1d0_c560_4413));
        let elsewhere = Unreadable {
            place: "messages",
            ..row("{}")
        };
        assert_ne!(elsewhere.known_by(b"{}").known_by, row("{}").known_by);
    }

    #[test]
    fn rows_that_are_alike_are_one_with_their_number_and_of_too_many_no_beginning_is_kept() {
        let mut all = Unread::default();
        for _ in 0..3 {
            all.add(row("7"));
            all.add(Unreadable::new("tasks", "lost", ""));
        }
        let rows = all.into_rows("tasks");
        let counts: Vec<u64> = rows.iter().map(|what| what.count).collect();
        assert_eq!(counts, [3, 1, 1, 1]);
        let mut all = Unread::from(rows);
        for n in 0..1000 {
            all.add(row(&format!("row {n}")));
            all.add(row("7"));
        }
        let rows = all.into_rows("tasks");
        assert_eq!((rows.len(), Unreadable::sum(&rows)), (1004, 2006));
        assert!(rows[0].excerpt == NOT_KEPT && rows[804].excerpt == "7");
        assert_eq!(rows[804].count, 1003);
        let mut all = Unread::default();
        for n in 0..MOST_OF_ONE + MOST_TOLD + 7 {
            all.add(row(&format!("row {n}")));
        }
        let rows = all.into_rows("tasks");
        assert_eq!(rows.len(), MOST_OF_ONE + MOST_TOLD + 1);
        assert_eq!(rows.last().map(|more| more.count), Some(7));
    }

    #[test]
    fn whichever_rows_an_answer_begins_with_each_counts_once() {
        let mut known = KnownRows::default();
        let mut total = 0;
        for turn in 0..5 {
            let mut all = Unread::default();
            for n in 0..1000 {
                all.add(row(&format!("row {}", (n + turn * 150) % 1000)));
            }
            let rows = all.into_rows("tasks");
            total += rows.iter().map(|what| known.news(what)).sum::<u64>();
        }
        assert_eq!(total, 1000);
        assert!(!known.has_forgotten());
    }

    #[test]
    fn a_row_counts_once_and_losses_add_up() {
        let mut known = KnownRows::default();
        let mut news = |what: &Unreadable, count| {
            known.news(&Unreadable {
                count,
                ..what.clone()
            })
        };
        let found = [5, 5, 7, 6, 7].map(|count| news(&row("a"), count));
        assert_eq!(found, [5, 0, 2, 0, 0]);
        assert_eq!(news(&row("b"), 1), 1);
        let lost = Unreadable::new("messages", "lost", "");
        assert_eq!([(); 3].map(|()| news(&lost, 2)), [2, 2, 2]);
    }

    #[test]
    fn known_rows_are_bounded() {
        let mut known = KnownRows::default();
        for n in 0..=MOST_KNOWN {
            assert_eq!(known.news(&row(&n.to_string())), 1);
        }
        assert!(known.has_forgotten());
        assert_eq!(known.counts.len(), MOST_KNOWN);
        assert_eq!(known.order.len(), MOST_KNOWN);
        assert_eq!(known.news(&row("0")), 1, "the oldest is not known any more");
        assert_eq!(known.news(&row("2")), 0);
    }
}
