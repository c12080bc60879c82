//! How far a list was read without holes: what a round could not finish, a later one does.

use crate::domain::Time;

/// Pages of one list read in one round.
const MAX_PAGES: usize = 10;

/// How far one list was read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Everything from here on down was read, but for the hole; `None` before the first look.
    mark: Option<Time>,
    hole: Option<Hole>,
}

impl Reading {
    /// Whether nothing of it was read yet.
    pub fn is_unread(&self) -> bool {
        self.mark.is_none()
    }

    /// From when on everything was read, if rows below that were passed over.
    pub fn hole(&self) -> Option<Time> {
        self.hole.as_ref().map(|hole| hole.above)
    }
}

/// Rows between two rounds that were passed over because there were too many.
#[derive(Debug, Clone)]
struct Hole {
    cursor: Option<String>,
    /// The oldest row that was read above it.
    above: Time,
    /// Rows older than this were read before.
    floor: Time,
}

/// What one page showed.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    pub newest: Option<Time>,
    pub oldest: Option<Time>,
    /// Whether nothing on it was new.
    pub is_known: bool,
    pub is_last: bool,
    pub next: Option<String>,
}

impl Sight {
    /// Of the times of a page's rows; rows without one do not count.
    pub fn new(times: impl Iterator<Item = Time> + Clone) -> Self {
        let real = times.filter(|time| *time > Time::default());
        Self {
            newest: real.clone().max(),
            oldest: real.min(),
            ..Self::default()
        }
    }
}

/// One round of reading; a round that is dropped before its end leaves everything to the next.
#[derive(Debug)]
pub struct Round {
    reading: Reading,
    cursor: Option<String>,
    newest: Option<Time>,
    is_first: bool,
    is_in_hole: bool,
    is_over: bool,
    margin: i64,
    left: usize,
}

impl Round {
    /// `margin`: how far below newer rows a late one may appear, in microseconds; `first_pages`:
    /// how much history the first look reads.
    pub fn new(reading: Reading, margin: i64, first_pages: usize) -> Self {
        let is_first = reading.mark.is_none();
        Self {
            reading,
            cursor: None,
            newest: None,
            is_first,
            is_in_hole: false,
            is_over: false,
            margin,
            left: if is_first { first_pages } else { MAX_PAGES },
        }
    }

    /// Whether full pages are worth asking for: at the first look, and where much is missing.
    pub fn is_wide(&self) -> bool {
        self.is_first || self.cursor.is_some()
    }

    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    pub fn is_over(&self) -> bool {
        self.is_over
    }

    pub fn is_in_hole(&self) -> bool {
        self.is_in_hole
    }

    /// What is known after the round.
    pub fn end(self) -> Reading {
        self.reading
    }

    /// Gives the hole up: its cursor is no longer taken.
    pub fn give_up(mut self) -> Reading {
        self.reading.hole = None;
        self.reading
    }

    fn floor(&self) -> Option<Time> {
        match (&self.reading.hole, self.is_in_hole) {
            (Some(hole), true) => Some(hole.floor),
            _ => self.reading.mark.map(|mark| mark.plus(-self.margin)),
        }
    }

    /// Takes in the page that was asked for.
    pub fn took(&mut self, page: Sight) {
        self.left = self.left.saturating_sub(1);
        if !self.is_in_hole {
            self.newest = self.newest.max(page.newest);
        }
        let is_down = match (self.floor(), page.oldest) {
            (Some(floor), Some(oldest)) => oldest < floor || page.is_known && oldest <= floor,
            (Some(_), None) => page.is_known,
            (None, _) => false,
        };
        let is_end = page.is_last || page.next.is_none() || page.next == self.cursor;
        if is_down || is_end {
            self.reached();
        } else if self.left == 0 {
            self.passed_over(page);
        } else {
            self.cursor = page.next;
        }
    }

    fn reached(&mut self) {
        if self.is_in_hole {
            self.reading.hole = None;
            self.is_over = true;
            return;
        }
        self.reading.mark = self.reading.mark.max(self.newest);
        match &self.reading.hole {
            Some(hole) if self.left > 0 => {
                self.cursor.clone_from(&hole.cursor);
                self.is_in_hole = true;
            }
            _ => self.is_over = true,
        }
    }

    fn passed_over(&mut self, page: Sight) {
        self.is_over = true;
        let floor = match &self.reading.hole {
            // What is above the old hole is passed over too; all of it is read again from here.
            Some(hole) => Some(hole.floor),
            None => self.floor(),
        };
        // The first look has no floor: older history is not wanted.
        self.reading.hole = floor.map(|floor| Hole {
            cursor: page.next,
            above: page.oldest.unwrap_or(floor),
            floor,
        });
        self.reading.mark = self.reading.mark.max(self.newest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list whose rows are the times from `top` down to 1, in pages of ten.
    fn page(top: i64, cursor: Option<&str>, known: i64) -> Sight {
        let from = cursor.and_then(|at| at.parse().ok()).unwrap_or(top);
        let to = (from - 9).max(1);
        Sight {
            is_known: from <= known,
            is_last: to == 1,
            next: Some((to - 1).to_string()),
            ..Sight::new((to..=from).map(Time))
        }
    }

    /// Reads a round, which fails before page `fails_at`; returns the rows' range of each page.
    fn round(reading: &mut Reading, top: i64, known: i64, fails_at: usize) -> Vec<(i64, i64)> {
        let mut round = Round::new(reading.clone(), 0, 2);
        let mut seen = Vec::new();
        while !round.is_over() {
            if seen.len() == fails_at {
                return seen;
            }
            let sight = page(top, round.cursor(), known);
            let range = |time: Option<Time>| time.map_or(0, |time| time.0);
            seen.push((range(sight.newest), range(sight.oldest)));
            round.took(sight);
        }
        *reading = round.end();
        seen
    }

    #[test]
    fn a_page_that_failed_is_read_in_the_next_round_though_newer_ones_are_known() {
        let mut reading = Reading::default();
        assert_eq!(round(&mut reading, 40, 0, 9), [(40, 31), (30, 21)]);
        assert_eq!(round(&mut reading, 40, 40, 9), [(40, 31)]);
        assert_eq!(round(&mut reading, 65, 40, 1), [(65, 56)]);
        assert_eq!(
            round(&mut reading, 65, 65, 9),
            [(65, 56), (55, 46), (45, 36)],
            "what was read before the failure counts for nothing"
        );
        assert_eq!(round(&mut reading, 65, 65, 9), [(65, 56)]);
    }

    #[test]
    fn what_is_too_much_for_one_round_is_read_on_in_the_next() {
        let mut reading = Reading::default();
        round(&mut reading, 20, 0, 9);
        let seen = round(&mut reading, 175, 20, 99);
        assert_eq!((seen.len(), seen.last()), (10, Some(&(85, 76))));
        let seen = round(&mut reading, 175, 175, 99);
        assert_eq!(seen.first(), Some(&(175, 166)));
        assert_eq!(seen.get(1), Some(&(75, 66)));
        assert_eq!(seen.last(), Some(&(25, 16)));
        assert_eq!(round(&mut reading, 175, 175, 99), [(175, 166)]);
    }
}
