//! Which messages were received before: a retry has the same id, another time and signature.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Messages remembered; the oldest is forgotten first.
const MAX_REMEMBERED: usize = 10_000;

/// What is known of one message.
struct Seen {
    count: u64,
    body: u64,
}

/// What the book says of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// How many times this message was delivered by now.
    pub count: u64,
    /// Its body is another one than at its first delivery.
    pub is_other_body: bool,
}

/// The messages received, by id.
#[derive(Default)]
pub struct Book {
    seen: HashMap<String, Seen>,
    order: VecDeque<String>,
}

impl Book {
    /// Writes a delivery down. One without an id is a message of its own.
    pub fn enter(&mut self, id: Option<&str>, body: &[u8]) -> Entry {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let hash = hasher.finish();
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            return Entry {
                count: 1,
                is_other_body: false,
            };
        };
        if let Some(seen) = self.seen.get_mut(id) {
            seen.count += 1;
            return Entry {
                count: seen.count,
                is_other_body: seen.body != hash,
            };
        }
        if self.order.len() >= MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.order.push_back(id.to_owned());
        let seen = Seen {
            count: 1,
            body: hash,
        };
        self.seen.insert(id.to_owned(), seen);
        Entry {
            count: 1,
            is_other_body: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_counted_and_memory_is_bounded() {
        let mut book = Book::default();
        let entry = |count, is_other_body| Entry {
            count,
            is_other_body,
        };
        assert_eq!(book.enter(Some("a"), b"1"), entry(1, false));
        assert_eq!(book.enter(Some("a"), b"1"), entry(2, false));
        assert_eq!(book.enter(Some("a"), b"2"), entry(3, true));
        for id in [None, Some("")] {
            assert_eq!(book.enter(id, b"1"), entry(1, false));
        }
        for n in 0..MAX_REMEMBERED {
            book.enter(Some(&n.to_string()), b"");
        }
        assert_eq!(book.seen.len(), MAX_REMEMBERED);
        assert_eq!(book.enter(Some("a"), b"1"), entry(1, false));
    }
}
