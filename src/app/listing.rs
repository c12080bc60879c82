//! Pages that are one list over the history: the comparisons after reconnects, what one repaired,
//! what was dropped or could not be read, and what is new in the service.

use super::list::Pick;
use super::page::Page;
use crate::domain::{BOUNDS, Bound, History, PARTS, Part, TaskId};

/// What a list page lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// The comparisons, newest first.
    Proofs,
    /// The tasks that one comparison repaired; by its number.
    Proof(u64),
    /// What a part's bounds let go, then what of it could not be read.
    Losses(Part),
    /// Words of the service that are not known here.
    Words,
}

/// A row of such a list, by what stays its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Listing(Listing),
    Repaired(TaskId),
    Bound(Bound),
    /// By its number among all that could not be read.
    Unreadable(u64),
    Word(String),
}

/// A page that is one list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListPage {
    pub what: Listing,
    pub pick: Pick<Entry>,
}

impl Listing {
    /// Its rows, in the order of the screen.
    pub fn entries(self, history: &History) -> Vec<Entry> {
        match self {
            Self::Proofs => {
                let numbers = history.proofs.numbered().map(|(number, _)| number);
                numbers.map(Self::Proof).map(Entry::Listing).collect()
            }
            Self::Proof(number) => {
                let proof = history.proofs.get(number).into_iter();
                proof
                    .flat_map(|proof| &proof.repaired)
                    .map(|repair| Entry::Repaired(repair.task.clone()))
                    .collect()
            }
            Self::Losses(part) => {
                let bounds = BOUNDS.into_iter().filter(|bound| bound.part() == part);
                let unreadable = history
                    .unreadable
                    .numbered()
                    .filter(|(_, (_, what))| Part::of(what) == part)
                    .map(|(number, _)| Entry::Unreadable(number));
                bounds.map(Entry::Bound).chain(unreadable).collect()
            }
            Self::Words => history.new_words.keys().cloned().map(Entry::Word).collect(),
        }
    }
}

impl Entry {
    /// The page that tells more of it, if there is one.
    pub fn page(&self) -> Option<Page> {
        match self {
            Self::Listing(what) => Some(Page::list(*what)),
            Self::Repaired(task) => Some(Page::task(task.clone())),
            Self::Unreadable(number) => Some(Page::unreadable(*number)),
            Self::Bound(_) | Self::Word(_) => None,
        }
    }
}

/// What can be opened from the Health screen.
pub fn health_entries() -> Vec<Entry> {
    let losses = PARTS.into_iter().map(Listing::Losses);
    [Listing::Proofs, Listing::Words]
        .into_iter()
        .chain(losses)
        .map(Entry::Listing)
        .collect()
}
