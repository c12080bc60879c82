//! What is not here any more or never was: what bounds let go, and what could not be read.

use super::super::time::Moment;
use super::super::unread::Unreadable;
use super::{Applied, History};

/// A part of the history that has a screen of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Tasks,
    Events,
    Deliveries,
}

/// Every part.
pub const PARTS: [Part; 3] = [Part::Tasks, Part::Events, Part::Deliveries];

impl Part {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Events => "events",
            Self::Deliveries => "deliveries",
        }
    }

    /// The part that something unreadable would have belonged to.
    pub fn of(what: &Unreadable) -> Self {
        let is_of = |words: [&str; 2]| words.iter().any(|word| what.place.contains(word));
        if is_of(["task", "asset"]) {
            Self::Tasks
        } else if is_of(["message", "attempt"]) || is_of(["endpoint", "webhook"]) {
            Self::Deliveries
        } else {
            Self::Events
        }
    }
}

/// A bound of the memory that lets something go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    Tasks,
    AssetNames,
    Events,
    Messages,
    Attempts,
    Answers,
    Endpoints,
}

/// Every bound.
pub const BOUNDS: [Bound; 7] = [
    Bound::Tasks,
    Bound::AssetNames,
    Bound::Events,
    Bound::Messages,
    Bound::Attempts,
    Bound::Answers,
    Bound::Endpoints,
];

impl Bound {
    pub fn part(self) -> Part {
        match self {
            Self::Tasks | Self::AssetNames => Part::Tasks,
            Self::Events => Part::Events,
            Self::Messages | Self::Attempts | Self::Answers | Self::Endpoints => Part::Deliveries,
        }
    }
}

/// What one bound let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    pub n: u64,
    /// When it first let something go, and when it last did.
    pub first: Option<Moment>,
    pub last: Option<Moment>,
}

/// Everything that bounds let go, and how much of each part could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    dropped: [Dropped; BOUNDS.len()],
    unreadable: [u64; PARTS.len()],
    n_dropped: u64,
}

impl Losses {
    /// What this bound let go.
    pub fn by(&self, bound: Bound) -> Dropped {
        self.dropped[bound as usize]
    }

    /// How much the bounds of a part let go.
    pub fn dropped(&self, part: Part) -> u64 {
        let own = BOUNDS.iter().filter(|bound| bound.part() == part);
        own.map(|bound| self.by(*bound).n).sum()
    }

    /// How much of a part could not be read, that which is no longer kept included.
    pub fn unreadable(&self, part: Part) -> u64 {
        self.unreadable[part as usize]
    }

    /// All that was dropped or could not be read, of every part.
    pub fn total(&self) -> u64 {
        let of = |part| self.dropped(part) + self.unreadable(part);
        PARTS.into_iter().map(of).sum()
    }

    fn note_unreadable(&mut self, part: Part, n_new: u64) {
        self.unreadable[part as usize] += n_new;
    }

    /// Takes in how much the bounds have let go in all.
    pub(super) fn note(&mut self, now_dropped: &[(Bound, u64)], now: Moment) {
        let n_dropped = now_dropped.iter().map(|(_, n)| n).sum();
        // This is done for each change, most of which drop nothing.
        if n_dropped == self.n_dropped {
            return;
        }
        self.n_dropped = n_dropped;
        for (bound, n) in now_dropped {
            let held = &mut self.dropped[*bound as usize];
            if *n > held.n {
                held.n = *n;
                held.first.get_or_insert(now);
                held.last = Some(now);
            }
        }
    }
}

impl History {
    /// Counts what is new of it. A row that was met before is kept once, as it is now.
    /// Whether what could not be read is counted as the most that there can have been, as too many
    /// different rows were met to know each of them again.
    pub fn is_unreadable_at_most(&self) -> bool {
        self.known_rows.has_forgotten()
    }

    pub(super) fn take_unreadable(&mut self, what: Unreadable, received: Moment) -> Applied {
        let n_new = self.known_rows.news(&what);
        if n_new == 0 {
            return Applied::Nothing;
        }
        self.losses.note_unreadable(Part::of(&what), n_new);
        let is_it = |held: &Unreadable| held.known_by.is_some() && held.known_by == what.known_by;
        let held = self.unreadable.iter_mut().find(|(_, held)| is_it(held));
        if let Some(held) = held {
            *held = (received, what);
        } else {
            self.unreadable.push((received, what));
        }
        Applied::Shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_has_its_own_count_and_each_place_its_part() {
        for (at, bound) in BOUNDS.into_iter().enumerate() {
            assert_eq!(bound as usize, at);
        }
        let mut losses = Losses::default();
        let late = Moment {
            mono: 9,
            ..Moment::default()
        };
        losses.note(
            &[(Bound::Attempts, 2), (Bound::Messages, 3)],
            Moment::default(),
        );
        losses.note(&[(Bound::Attempts, 2), (Bound::Messages, 3)], late);
        assert_eq!(losses.dropped(Part::Deliveries), 5);
        assert_eq!(losses.by(Bound::Messages).last, Some(Moment::default()));
        assert_eq!(
            (losses.dropped(Part::Tasks), losses.dropped(Part::Events)),
            (0, 0)
        );
        for (place, part) in [
            ("active tasks", Part::Tasks),
            ("asset", Part::Tasks),
            ("messages", Part::Deliveries),
            ("endpoints", Part::Deliveries),
            ("stream", Part::Events),
            ("journal", Part::Events),
        ] {
            let what = Unreadable {
                count: 3,
                ..Unreadable::new(place, "", "")
            };
            assert_eq!(Part::of(&what), part, "{place}");
            let mut history = History::default();
            history.take_unreadable(what, late);
            let losses = history.losses;
            assert_eq!((losses.unreadable(part), losses.total()), (3, 3));
        }
    }
}
