//! The ids of recent events, so that one that comes again is seen as such.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::super::id::EventId;

/// A ring of ids with an index of positions: 5 bytes an id in the index, so that it stays in the
/// processor's cache where a set of the ids themselves would not.
pub(super) struct Seen {
    hasher: DefaultHashBuilder,
    /// Low bits of positions in the ring.
    index: HashTable<u32>,
    ids: VecDeque<EventId>,
    /// Position of the oldest id.
    first: u32,
    horizon: usize,
}

impl Seen {
    /// Remembers the last `horizon` ids; at least one.
    pub fn new(horizon: usize) -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            index: HashTable::new(),
            ids: VecDeque::new(),
            first: 0,
            horizon: horizon.clamp(1, u32::MAX as usize / 2),
        }
    }

    /// Touches what taking in the n-th of some ids will need: its place, and that of the id that
    /// leaves for it.
    pub fn warm(&self, nth: usize, id: &EventId) -> usize {
        let leaving = self.ids.get(nth).filter(|_| self.ids.len() >= self.horizon);
        usize::from(self.contains(id))
            ^ usize::from(leaving.is_some_and(|leaving| self.contains(leaving)))
    }

    fn contains(&self, id: &EventId) -> bool {
        let hash = self.hasher.hash_one(id);
        self.index
            .find(hash, |&at| {
                at_position(&self.ids, self.first, at) == Some(id)
            })
            .is_some()
    }

    /// Takes the id in. Returns whether it was not there.
    pub fn insert(&mut self, id: &EventId) -> bool {
        let Self {
            hasher,
            index,
            ids,
            first,
            horizon,
        } = self;
        let hash = hasher.hash_one(id);
        let is_known = |&at: &u32| at_position(ids, *first, at) == Some(id);
        if index.find(hash, is_known).is_some() {
            return false;
        }
        if ids.len() >= *horizon
            && let Some(oldest) = ids.pop_front()
        {
            let leaving = *first;
            *first = first.wrapping_add(1);
            if let Ok(entry) = index.find_entry(hasher.hash_one(&oldest), |&at| at == leaving) {
                entry.remove();
            }
        }
        let at = first.wrapping_add(ids.len() as u32);
        ids.push_back(id.clone());
        index.insert_unique(hash, at, |&other| {
            hasher.hash_one(at_position(ids, *first, other).unwrap_or(id))
        });
        true
    }
}

fn at_position(ids: &VecDeque<EventId>, first: u32, at: u32) -> Option<&EventId> {
    ids.get(at.wrapping_sub(first) as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_knows_the_last_ids_and_no_others(
            horizon in 1_usize..20,
            first: u32,
            ids in proptest::collection::vec(0_u8..40, 0..200),
        ) {
            let mut seen = Seen { first, ..Seen::new(horizon) };
            let mut kept: VecDeque<u8> = VecDeque::new();
            for id in ids {
                let is_new = !kept.contains(&id);
                prop_assert_eq!(seen.insert(&EventId::new(&id.to_string())), is_new);
                if is_new {
                    kept.push_back(id);
                    if kept.len() > horizon {
                        kept.pop_front();
                    }
                }
            }
            let known: HashSet<u8> = (0..40)
                .filter(|id: &u8| seen.contains(&EventId::new(&id.to_string())))
                .collect();
            prop_assert_eq!(known, kept.into_iter().collect::<HashSet<u8>>());
        }
    }
}
