//! How far a list was read without holes: what a round could not finish, a later one does.
//!
//! A sweep goes from the top of a list down to its floor: to where rows come that were read before,
//! and below all that may have come in since the sweep before it began. A time alone proves nothing of
//! that: a row may bear one of tomorrow, and the service's clock may be set back, so that new rows lie
//! below old ones. What is too much for one round is read on in the next, each of which looks at the
//! top first.

use crate::domain::Time;

/// Pages of one list read in one round, …
const MAX_PAGES: usize = 10;
/// … and how many of these at its top while a sweep goes on below.
const TOP_PAGES: usize = 4;

/// A moment of reading.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// By the clock of the service, where its answers tell that.
    pub service: Option<Time>,
    /// In microseconds since the program began.
    pub mono: i64,
}

/// How far one list was read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// As of when everything was read, but for what older rows are not wanted; `None` before the
    /// first look.
    mark: Option<Mark>,
    /// The oldest row of the first look: what is below it is read back by others.
    base: Option<Time>,
    /// The newest row, and when it was first read.
    newest: Option<(Time, i64)>,
    /// The sweep that goes on.
    sweep: Option<Sweep>,
    gap: Option<Passed>,
}

impl Reading {
    /// Whether nothing of it was read yet.
    pub fn is_unread(&self) -> bool {
        self.mark.is_none()
    }

    /// What rows between two looks were passed over, if some were.
    pub fn passed(&self) -> Option<Passed> {
        let below = self.sweep.as_ref().filter(|sweep| sweep.is_missing);
        let is_stuck = false;
        self.gap.or(below.map(|sweep| Passed {
            above: sweep.above,
            is_stuck,
        }))
    }

    /// Whether such rows are read in the next rounds.
    pub fn is_catching_up(&self) -> bool {
        self.passed().is_some_and(|passed| !passed.is_stuck)
    }
}

/// Rows that were passed over, as they are too many for a round or cannot be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// From when on everything was read.
    pub above: Time,
    /// Whether the service does not say how they are read.
    pub is_stuck: bool,
}

/// When a sweep began: by the clock that the rows bear as far as that is known, and by ours.
#[derive(Debug, Clone, Copy)]
struct Mark {
    time: Time,
    mono: i64,
}

#[derive(Debug, Clone)]
struct Sweep {
    /// The mark, once it came down to its floor.
    mark: Mark,
    /// None at the first look: older history is not wanted.
    floor: Option<Time>,
    cursor: Option<String>,
    /// The oldest row that it read.
    above: Time,
    /// Whether rows may lie below that nobody has read.
    is_missing: bool,
}

/// What one page showed.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    pub newest: Option<Time>,
    pub oldest: Option<Time>,
    /// Whether it has no row that can be read, which proves nothing.
    pub is_blank: bool,
    /// Whether nothing on it was new.
    pub is_known: bool,
    /// Whether its last row was known; `None` where it may have been, and was let go.
    pub is_met: Option<bool>,
    pub is_last: bool,
    pub next: Option<String>,
}

/// How a list goes on below a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Below {
    Nothing,
    /// What is older than this is read on with this cursor.
    Rows(Time, String),
    /// There is more that is older than this, but the service does not say how to read on.
    Stuck(Time),
}

impl Sight {
    /// Of the times of a page's rows; rows without one do not count.
    pub fn new(times: impl Iterator<Item = Time> + Clone) -> Self {
        let real = times.clone().filter(|time| *time > Time::default());
        Self {
            is_blank: times.count() == 0,
            newest: real.clone().max(),
            oldest: real.min(),
            ..Self::default()
        }
    }

    /// How the list goes on, of which everything from a time on was read before, if any of it was.
    pub fn below(&self, from: Option<Time>) -> Below {
        let oldest = from.into_iter().chain(self.oldest).min();
        // The same page under another cursor.
        let is_again = self.is_known && from.is_some() && self.oldest.is_some() && oldest == from;
        match (&self.next, oldest) {
            _ if self.is_last => Below::Nothing,
            (Some(next), Some(oldest)) if !is_again => Below::Rows(oldest, next.clone()),
            (Some(next), None) => Below::Rows(Time(i64::MAX), next.clone()),
            _ => Below::Stuck(oldest.unwrap_or(Time(i64::MAX))),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A new sweep.
    Sweep,
    /// What came on top of a sweep that goes on, …
    Top,
    /// … and that.
    On,
}

/// One round of reading; a round that is dropped before its end leaves everything to the next.
#[derive(Debug)]
pub struct Round {
    reading: Reading,
    phase: Phase,
    sweep: Option<Sweep>,
    cursor: Option<String>,
    is_first: bool,
    is_over: bool,
    margin: i64,
    /// When it began, by our clock.
    began: i64,
    left: usize,
    /// The oldest row of the page before, and whether nothing on it was new.
    oldest: Option<Time>,
    is_known: bool,
}

impl Round {
    /// `margin`: how far below newer rows a late one may appear, in microseconds; `first_pages`:
    /// how much history the first look reads; `now` by our clock.
    pub fn new(reading: Reading, margin: i64, first_pages: usize, now: i64) -> Self {
        let is_first = reading.is_unread();
        let sweep = reading.sweep.clone();
        Self {
            phase: sweep.as_ref().map_or(Phase::Sweep, |_| Phase::Top),
            reading,
            sweep,
            cursor: None,
            is_first,
            is_over: false,
            margin,
            began: now,
            left: if is_first { first_pages } else { MAX_PAGES },
            oldest: None,
            is_known: true,
        }
    }

    /// Whether full pages are worth asking for: at the first look, and where much is missing.
    pub fn is_wide(&self) -> bool {
        self.is_first || self.cursor.is_some() || self.reading.gap.is_some()
    }

    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What is known after the round.
    pub fn end(self) -> Reading {
        self.reading
    }

    /// What is known after a round of which a page failed; with a cursor that is no longer taken
    /// (`is_lost`) it begins at the top again.
    pub fn failed(mut self, is_lost: bool) -> Reading {
        let gap = self.oldest.map(|above| Passed {
            above,
            is_stuck: false,
        });
        match (self.phase, self.sweep) {
            (Phase::Top, _) => {
                let gap = gap.filter(|_| !self.is_known);
                self.reading.gap = gap.or(self.reading.gap);
            }
            (_, Some(sweep)) if is_lost && !self.is_first => {
                let is_missing = sweep.is_missing || !self.is_known;
                self.reading.gap = self.reading.gap.or(gap.filter(|_| is_missing));
                self.reading.sweep = None;
            }
            (phase, Some(sweep)) if !self.is_first => {
                if phase == Phase::Sweep {
                    self.reading.gap = None;
                }
                self.reading.sweep = Some(Sweep {
                    is_missing: sweep.is_missing || !self.is_known,
                    cursor: self.cursor,
                    ..sweep
                });
            }
            _ => {}
        }
        self.reading
    }

    /// A new sweep, of which the first page came now.
    fn begin(&self, now: At) -> Sweep {
        // Not the moment of the answer: what came in while it was on its way is not in it.
        let service = now.service;
        let service = service.map(|time| time.plus(self.began.saturating_sub(now.mono)));
        let newest = self.reading.newest;
        // How late it is by the rows, unless one bears a time that is still to come.
        let rows = newest.map(|(time, seen)| time.plus(self.began.saturating_sub(seen)));
        let time = rows.into_iter().chain(service).min();
        let floor = self.reading.mark.map(|mark| {
            // Where the clock was set back, what came since then bears earlier times than the mark.
            let elapsed = self.began.saturating_sub(mark.mono);
            let since = service.map(|time| time.plus(-elapsed));
            let since = since.map_or(mark.time, |since| since.min(mark.time));
            since.plus(-self.margin)
        });
        Sweep {
            mark: Mark {
                time: time.unwrap_or_default(),
                mono: self.began,
            },
            floor,
            cursor: None,
            above: Time(i64::MAX),
            is_missing: self.reading.gap.is_some(),
        }
    }

    /// Takes in the page that was asked for, which came now.
    pub fn took(&mut self, mut page: Sight, now: At) {
        self.left = self.left.saturating_sub(1);
        page.next = page.next.filter(|next| Some(next) != self.cursor.as_ref());
        let known = self.reading.newest.map(|(time, _)| time);
        if let Some(newest) = page.newest.filter(|newest| Some(*newest) > known) {
            self.reading.newest = Some((newest, self.began));
        }
        if !page.is_blank {
            self.is_known = page.is_known;
        }
        self.oldest = page.oldest.or(self.oldest);
        match (self.phase, self.sweep.take()) {
            (Phase::Top, Some(sweep)) => self.took_top(&page, sweep),
            (_, sweep) => {
                let mut sweep = sweep.unwrap_or_else(|| self.begin(now));
                sweep.above = page.oldest.map_or(sweep.above, |at| at.min(sweep.above));
                self.took_sweep(page, sweep);
            }
        }
    }

    fn took_top(&mut self, page: &Sight, sweep: Sweep) {
        let is_end = page.is_met == Some(true) && !page.is_blank || page.is_last;
        let is_much = self.left <= MAX_PAGES - TOP_PAGES || page.next.is_none();
        if !is_end && !is_much {
            self.cursor.clone_from(&page.next);
        } else {
            if !is_end {
                self.reading.gap = self.oldest.map(|above| Passed {
                    above,
                    is_stuck: page.next.is_none(),
                });
            }
            self.phase = Phase::On;
            self.is_known = true;
            self.oldest = Some(sweep.above);
            self.cursor.clone_from(&sweep.cursor);
        }
        self.sweep = Some(sweep);
    }

    fn took_sweep(&mut self, page: Sight, mut sweep: Sweep) {
        let is_below = match (sweep.floor, page.oldest) {
            (Some(floor), Some(oldest)) => oldest < floor || page.is_known && oldest <= floor,
            (Some(_), None) => page.is_known && !page.is_blank,
            (None, _) => false,
        };
        // Below the first look nothing is known but by chance.
        let is_past = page.oldest.is_some() && page.oldest < self.reading.base;
        let is_met = is_past || page.is_met != Some(false);
        let is_stuck = page.next.is_none() && !page.is_last;
        let is_at_end = self.left == 0 || is_stuck;
        sweep.is_missing |= is_at_end && (!page.is_known || page.is_blank);
        let is_done = is_below && is_met
            || page.is_last
            || self.is_first && is_at_end
            || is_stuck && !sweep.is_missing;
        if !is_done && !is_at_end {
            self.cursor = page.next;
            self.sweep = Some(sweep);
            return;
        }
        self.is_over = true;
        // What was passed over above an older sweep is for the next.
        if self.phase == Phase::Sweep {
            self.reading.gap = None;
        }
        self.reading.sweep = None;
        if is_done {
            if self.is_first {
                self.reading.base = Some(sweep.above).filter(|_| !page.is_last);
            }
            self.reading.mark = Some(sweep.mark);
        } else if is_stuck {
            let above = sweep.above;
            self.reading.gap = Some(Passed { above, is_stuck });
        } else {
            sweep.cursor = page.next;
            self.reading.sweep = Some(sweep);
        }
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
            is_met: Some(to <= known),
            is_last: to == 1,
            next: Some((to - 1).to_string()),
            ..Sight::new((to..=from).map(Time))
        }
    }

    const AT: At = At {
        service: None,
        mono: 0,
    };

    /// Reads a round, which fails before page `fails_at`; returns the rows' range of each page.
    fn round(reading: &mut Reading, top: i64, known: i64, fails_at: usize) -> Vec<(i64, i64)> {
        let mut round = Round::new(reading.clone(), 0, 2, AT.mono);
        let mut seen = Vec::new();
        while !round.is_over() {
            if seen.len() == fails_at {
                *reading = round.failed(false);
                return seen;
            }
            let sight = page(top, round.cursor(), known);
            let range = |time: Option<Time>| time.map_or(0, |time| time.0);
            seen.push((range(sight.newest), range(sight.oldest)));
            round.took(sight, AT);
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
            [(65, 56), (55, 46), (45, 36)]
        );
        assert_eq!(round(&mut reading, 65, 65, 9), [(65, 56)]);
        // Not but for an earlier failure either, and whatever came on top.
        round(&mut reading, 95, 65, 1);
        assert!(reading.passed().is_some());
        let seen = round(&mut reading, 115, 95, 9);
        assert_eq!(
            seen,
            [
                (115, 106),
                (105, 96),
                (95, 86),
                (85, 76),
                (75, 66),
                (65, 56)
            ]
        );
        assert_eq!(reading.passed(), None);
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

    #[test]
    fn a_page_without_a_row_that_can_be_read_proves_nothing() {
        let mut reading = Reading::default();
        round(&mut reading, 40, 0, 9);
        let mut round = Round::new(reading.clone(), 0, 2, AT.mono);
        let blank = Sight {
            is_known: true,
            is_met: Some(true),
            next: Some("65".to_owned()),
            ..Sight::new([].into_iter())
        };
        assert_eq!(
            blank.below(None),
            Below::Rows(Time(i64::MAX), "65".to_owned())
        );
        round.took(blank, AT);
        assert!(!round.is_over());
        assert_eq!(round.cursor(), Some("65"));
        round.took(page(70, Some("65"), 40), AT);
        round.took(page(70, Some("55"), 40), AT);
        assert!(!round.is_over());
        round.took(page(70, Some("45"), 40), AT);
        assert!(round.is_over());
        assert_eq!(round.end().passed(), None);
    }
}
