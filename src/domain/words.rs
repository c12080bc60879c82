//! Words of the service that are new to us: event types, features, states and fields that its
//! documentation does not name. Each is listed once, with how often it came and an example.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::time::Moment;

/// Words of one kind that are kept.
const MAX_WORDS: usize = 200;
/// Longest word kept, in bytes.
const MAX_WORD_BYTES: usize = 128;
/// Longest beginning of an example kept, in bytes.
const MAX_EXCERPT_BYTES: usize = 512;

/// What a new word is a word for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WordKind {
    EventType,
    Feature,
    /// The state of a feature.
    State,
    /// A field of an envelope or a task, with its place: `task.priority`, `features.*.eta`.
    Field,
}

/// Every kind, in the order in which they are listed.
pub const WORD_KINDS: [WordKind; 4] = [
    WordKind::EventType,
    WordKind::Feature,
    WordKind::State,
    WordKind::Field,
];

impl WordKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::EventType => "event type",
            Self::Feature => "feature",
            Self::State => "state",
            Self::Field => "field",
        }
    }
}

/// Where a word was seen first, and the beginning of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Example {
    /// What it was seen in: `event 2e1c7e42`, `message msg_1`, `task t1`.
    pub seen_in: String,
    /// At most 512 bytes of what held it; empty where that was not kept.
    pub excerpt: String,
}

impl Example {
    pub fn new(seen_in: String, raw: &[u8]) -> Self {
        let cut = raw.get(..MAX_EXCERPT_BYTES).unwrap_or(raw);
        Self {
            seen_in,
            excerpt: String::from_utf8_lossy(cut).into_owned(),
        }
    }
}

/// Sights of one word, as they are told to the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordSeen {
    pub kind: WordKind,
    pub word: Arc<str>,
    pub count: u64,
    pub example: Example,
}

/// A word that is new to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWord {
    pub kind: WordKind,
    pub word: Arc<str>,
    /// How often it came.
    pub count: u64,
    /// The first sight of it.
    pub example: Example,
    /// When that was.
    pub first: Moment,
}

/// The list of words that are new to us.
#[derive(Debug, Default)]
pub struct NewWords {
    known: [BTreeMap<Arc<str>, NewWord>; WORD_KINDS.len()],
    n_beyond: u64,
}

impl NewWords {
    /// By kind, then by the word.
    pub fn iter(&self) -> impl Iterator<Item = &NewWord> {
        self.known.iter().flat_map(BTreeMap::values)
    }

    pub fn len(&self) -> usize {
        self.known.iter().map(BTreeMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.known.iter().all(BTreeMap::is_empty)
    }

    /// Sights of words that had no room in the list.
    pub fn n_beyond(&self) -> u64 {
        self.n_beyond
    }

    /// Counts sights of a word; the example is asked for only at the first.
    pub(super) fn see(
        &mut self,
        kind: WordKind,
        word: &str,
        count: u64,
        received: Moment,
        example: impl FnOnce() -> Example,
    ) {
        let word = &word[..word.floor_char_boundary(MAX_WORD_BYTES)];
        let known = &mut self.known[kind as usize];
        if let Some(held) = known.get_mut(word) {
            held.count += count;
        } else if known.len() < MAX_WORDS {
            let word: Arc<str> = word.into();
            let new = NewWord {
                kind,
                word: word.clone(),
                count,
                example: example(),
                first: received,
            };
            known.insert(word, new);
        } else {
            self.n_beyond += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_listed_once_with_its_first_example_and_its_count() {
        let mut words = NewWords::default();
        let example = |id: &str| Example::new(format!("event {id}"), id.as_bytes());
        for id in ["e1", "e2", "e3"] {
            words.see(WordKind::State, "paused", 1, Moment::default(), || {
                example(id)
            });
        }
        words.see(WordKind::Feature, "paused", 5, Moment::default(), || {
            example("e4")
        });
        let listed: Vec<_> = words
            .iter()
            .map(|word| (word.kind, word.count, word.example.seen_in.as_str()))
            .collect();
        assert_eq!(
            listed,
            [
                (WordKind::Feature, 5, "event e4"),
                (WordKind::State, 3, "event e1")
            ]
        );
    }

    #[test]
    fn words_and_examples_are_bounded_and_what_is_beyond_is_counted() {
        let mut words = NewWords::default();
        for n in 0..MAX_WORDS + 3 {
            let word = format!("{n}{}", "é".repeat(100));
            words.see(WordKind::Field, &word, 2, Moment::default(), || {
                Example::new(String::new(), &[b'x'; 2000])
            });
        }
        assert_eq!((words.len(), words.n_beyond()), (MAX_WORDS, 6));
        assert!(words.iter().all(|word| word.word.len() <= MAX_WORD_BYTES
            && word.example.excerpt.len() == MAX_EXCERPT_BYTES));
    }
}
