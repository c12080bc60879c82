//! Raw bytes one after another, with the ids that the columns hold too taken out of them.
//!
//! Ids are chance: nothing makes their 36 letters smaller than 16 bytes, and those bytes stand in
//! the columns already. So a quoted id becomes a mark that says which of the row's ids it is.

use std::sync::Arc;

use super::Damaged;
use super::columns::RowIds;
use crate::domain::Id;

/// There are no raw bytes.
const NONE: u64 = 0;
/// They are those of the row before, shared.
const SHARED: u64 = 1;
/// Forms, in the low bits of a length that begins at 2.
const PLAIN: u64 = 0;
const MARKED: u64 = 1;

/// Stands before the number of one of the row's ids. No JSON holds it.
const MARK: u8 = 1;
/// Letters of an id, …
const ID: usize = 36;
/// … and where its first hyphen is.
const HYPHEN: usize = 8;

/// Appends the raw bytes of row after row.
#[derive(Debug, Default)]
pub(super) struct Packing {
    /// Held, so that no other bytes can take its place in memory.
    before: Option<Arc<[u8]>>,
}

impl Packing {
    /// Appends a row's raw bytes to `to`, and gives the number that stands for their form and length.
    pub fn push(&mut self, raw: Option<&Arc<[u8]>>, ids: Option<&RowIds>, to: &mut Vec<u8>) -> u64 {
        let before = std::mem::replace(&mut self.before, raw.cloned());
        let Some(raw) = raw else {
            return NONE;
        };
        if before.is_some_and(|before| Arc::ptr_eq(&before, raw)) {
            return SHARED;
        }
        let start = to.len();
        let is_marked = ids.is_some_and(|ids| mark(raw, ids, to));
        if !is_marked {
            to.truncate(start);
            to.extend_from_slice(raw);
        }
        let form = if is_marked { MARKED } else { PLAIN };
        ((((to.len() - start) as u64) << 1) | form) + 2
    }
}

/// Appends the bytes with a mark for each quoted id; `false` where they hold such a byte already.
fn mark(raw: &[u8], ids: &RowIds, to: &mut Vec<u8>) -> bool {
    if memchr::memchr(MARK, raw).is_some() {
        return false;
    }
    let (mut copied, mut from) = (0, HYPHEN + 1);
    // Hyphens are far fewer than quotes.
    while let Some(found) = raw.get(from..).and_then(|rest| memchr::memchr(b'-', rest)) {
        let hyphen = from + found;
        from = hyphen + 1;
        let start = hyphen - HYPHEN;
        let text = raw[start..].first_chunk::<ID>();
        if let Some(text) = text
            && raw[start - 1] == b'"'
            && raw.get(start + ID) == Some(&b'"')
            && let Some(Id::Uuid(id)) = Id::from_uuid(text)
        {
            from = start + ID + HYPHEN;
            if let Some(which) = ids.iter().position(|known| *known == id) {
                to.extend_from_slice(&raw[copied..start]);
                to.extend_from_slice(&[MARK, which as u8]);
                copied = start + ID;
            }
        }
    }
    to.extend_from_slice(&raw[copied..]);
    true
}

/// Takes the raw bytes of row after row.
#[derive(Debug)]
pub(super) struct Unpacking<'a> {
    rest: &'a [u8],
    before: Option<Arc<[u8]>>,
    text: Vec<u8>,
}

impl<'a> Unpacking<'a> {
    pub fn new(raw: &'a [u8]) -> Self {
        Self {
            rest: raw,
            before: None,
            text: Vec::new(),
        }
    }

    /// A row's raw bytes, if it has any.
    pub fn next(
        &mut self,
        length: u64,
        ids: Option<&RowIds>,
    ) -> Result<Option<Arc<[u8]>>, Damaged> {
        let raw = match length {
            NONE => None,
            SHARED => self.before.take(),
            _ => {
                let length = length - 2;
                let bytes = usize::try_from(length >> 1).ok();
                let split = bytes.and_then(|bytes| self.rest.split_at_checked(bytes));
                let (packed, rest) = split.ok_or(Damaged::Bytes)?;
                self.rest = rest;
                Some(if length & 1 == MARKED {
                    self.unmark(packed, ids.ok_or(Damaged::Bytes)?)
                } else {
                    packed.into()
                })
            }
        };
        self.before.clone_from(&raw);
        Ok(raw)
    }

    fn unmark(&mut self, packed: &[u8], ids: &RowIds) -> Arc<[u8]> {
        self.text.clear();
        let mut copied = 0;
        for mark in memchr::memchr_iter(MARK, packed) {
            let which = packed.get(mark + 1).copied().unwrap_or(u8::MAX);
            // A damaged block may hold a mark within another.
            let Some(id) = ids.get(usize::from(which)).filter(|_| mark >= copied) else {
                continue;
            };
            self.text.extend_from_slice(&packed[copied..mark]);
            let id = Id::Uuid(*id);
            self.text
                .extend_from_slice(id.as_text(&mut [0; ID]).as_bytes());
            copied = mark + 2;
        }
        self.text.extend_from_slice(&packed[copied..]);
        self.text.as_slice().into()
    }
}
