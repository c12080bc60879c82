//! Pages that are one list over the history: the comparisons after reconnects, what one repaired,
//! what was dropped or could not be read, and what is new in the service.

use super::document::DocumentPane;
use super::list::Pick;
use crate::domain::{
    BOUNDS, Bound, CauseId, History, MessageId, NewWord, PARTS, Part, Replay, TaskId, WordKind,
};
use std::sync::Arc;

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
    /// The replays of the ledger, newest first.
    Replays,
    /// The causes of all failures, those that break most first.
    Causes,
}

/// A row of such a list, by what stays its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Listing(Listing),
    Repaired(TaskId),
    Bound(Bound),
    /// By its number among all that could not be read.
    Unreadable(u64),
    Word(WordKind, Arc<str>),
    /// A replay by its number, and its message.
    Replay(u64, MessageId),
    Cause(CauseId),
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
            Self::Causes => {
                let causes = history.deliveries.causes().into_iter();
                causes.map(|sum| Entry::Cause(sum.cause.id)).collect()
            }
            Self::Words => {
                let words = history.new_words.iter();
                let entry = |word: &NewWord| Entry::Word(word.kind, word.word.clone());
                words.map(entry).collect()
            }
            Self::Replays => {
                let replays = history.replays.all().rev();
                let entry = |replay: &Replay| Entry::Replay(replay.number, replay.message.clone());
                replays.map(entry).collect()
            }
        }
    }
}

/// The beginning of something as it came: of what could not be read, or where a word was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct ExcerptPage {
    pub of: Entry,
    pub excerpt: DocumentPane,
}

impl ExcerptPage {
    pub(super) fn refresh(&mut self, history: &History) {
        if !self.excerpt.document.lines.is_empty() {
            return;
        }
        let text = match &self.of {
            Entry::Unreadable(number) => {
                let kept = history.unreadable.get(*number);
                kept.map(|(_, what)| what.excerpt.as_str())
            }
            Entry::Word(kind, word) => {
                new_word(history, *kind, word).map(|word| word.example.excerpt.as_str())
            }
            _ => None,
        };
        if let Some(text) = text {
            self.excerpt.show(&text.into());
        }
    }
}

/// A word that is new to us, if it still is listed.
pub fn new_word<'a>(history: &'a History, kind: WordKind, word: &str) -> Option<&'a NewWord> {
    let mut words = history.new_words.iter();
    words.find(|known| known.kind == kind && *known.word == *word)
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
