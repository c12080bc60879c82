//! Places of tasks in order of creation, in short blocks: a window anywhere costs a walk over its
//! rows, whatever the number of tasks.

/// A block that grows beyond this is split.
const MAX_BLOCK: usize = 1024;

/// Places sorted by creation, oldest first, ties by place.
#[derive(Default)]
pub(super) struct ByAge {
    blocks: Vec<Vec<u32>>,
}

/// A position: a block, and a place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    block: usize,
    at: usize,
}

impl ByAge {
    /// Takes in a place whose creation time stands in the column.
    pub(super) fn insert(&mut self, place: u32, created: &[i64]) {
        if self.blocks.is_empty() {
            self.blocks.push(Vec::new());
        }
        let Position { block, at } = self.position(place, created);
        let full = &mut self.blocks[block];
        full.insert(at, place);
        if full.len() > MAX_BLOCK {
            // New tasks come at the end, where a block split in halves would never fill again.
            let is_last = block + 1 == self.blocks.len();
            let cut = if is_last { MAX_BLOCK } else { MAX_BLOCK / 2 };
            let rest = self.blocks[block].split_off(cut);
            self.blocks.insert(block + 1, rest);
        }
    }

    /// Takes out a place; its time in the column must still be the one it was taken in with.
    pub(super) fn remove(&mut self, place: u32, created: &[i64]) {
        let Position { block, at } = self.position(place, created);
        if self.blocks.get(block).and_then(|block| block.get(at)) == Some(&place) {
            self.blocks[block].remove(at);
            if self.blocks[block].is_empty() {
                self.blocks.remove(block);
            }
        }
    }

    /// Where a place stands, or would stand.
    pub(super) fn position(&self, place: u32, created: &[i64]) -> Position {
        let key = |place: u32| {
            (
                created.get(place as usize).copied().unwrap_or(i64::MIN),
                place,
            )
        };
        let wanted = key(place);
        let after = self
            .blocks
            .partition_point(|block| block.first().is_some_and(|&first| key(first) <= wanted));
        let block = after.saturating_sub(1);
        let at = self.blocks.get(block).map_or(0, |block| {
            block.partition_point(|&other| key(other) < wanted)
        });
        Position { block, at }
    }

    pub(super) fn len(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum()
    }

    /// How many places stand before a position.
    pub(super) fn rank(&self, position: Position) -> usize {
        self.blocks[..position.block.min(self.blocks.len())]
            .iter()
            .map(Vec::len)
            .sum::<usize>()
            + position.at
    }

    /// The places from a position on, it included, oldest first.
    pub(super) fn from(&self, position: Position) -> impl Iterator<Item = u32> + '_ {
        let first = self
            .blocks
            .get(position.block)
            .and_then(|block| block.get(position.at..));
        let rest = self.blocks.get(position.block + 1..).unwrap_or_default();
        first
            .unwrap_or_default()
            .iter()
            .chain(rest.iter().flatten())
            .copied()
    }

    /// The places before a position, nearest first.
    pub(super) fn before(&self, position: Position) -> impl Iterator<Item = u32> + '_ {
        let first = self
            .blocks
            .get(position.block)
            .and_then(|block| block.get(..position.at));
        let rest = self.blocks.get(..position.block).unwrap_or_default();
        let rest = rest.iter().rev().flat_map(|block| block.iter().rev());
        first.unwrap_or_default().iter().rev().chain(rest).copied()
    }

    pub(super) fn start() -> Position {
        Position { block: 0, at: 0 }
    }

    pub(super) fn end(&self) -> Position {
        let block = self.blocks.len().saturating_sub(1);
        Position {
            block,
            at: self.blocks.last().map_or(0, Vec::len),
        }
    }

    /// The position just after this one.
    pub(super) fn next(position: Position) -> Position {
        Position {
            at: position.at + 1,
            ..position
        }
    }
}
