//! Raw bytes one after another, with the ids that the columns hold too taken out of them.
//!
//! Ids are chance: nothing makes their 36 letters smaller than 16 bytes, and those bytes stand in
//! the columns already. So a quoted id becomes one byte that says which of the row's ids it is.

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

/// The byte that stands for the row's first id; the others follow it. No JSON holds them.
const FIRST_MARK: u8 = 1;
const N_MARKS: u8 = 4;
/// `"` and an id and `"`.
const QUOTED: usize = 38;

/// Appends the raw bytes of row after row.
#[derive(Debug, Default)]
pub(super) struct Packing<'a> {
    before: Option<&'a Arc<[u8]>>,
}

impl<'a> Packing<'a> {
    /// Appends a row's raw bytes to `to`, and gives the number that stands for their form and length.
    pub fn push(
        &mut self,
        raw: Option<&'a Arc<[u8]>>,
        ids: Option<&RowIds>,
        to: &mut Vec<u8>,
    ) -> u64 {
        let before = std::mem::replace(&mut self.before, raw);
        let Some(raw) = raw else {
            return NONE;
        };
        if before.is_some_and(|before| Arc::ptr_eq(before, raw)) {
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
    let mut copied = 0;
    for quote in memchr::memchr_iter(b'"', raw) {
        if quote < copied {
            continue;
        }
        let Some(&[_, ref text @ .., b'"']) = raw
            .get(quote..)
            .and_then(|rest| rest.first_chunk::<QUOTED>())
        else {
            continue;
        };
        if text[8] != b'-' {
            continue;
        }
        let Some(Id::Uuid(id)) = Id::from_uuid(text) else {
            continue;
        };
        let Some(which) = ids.iter().position(|known| *known == id) else {
            continue;
        };
        to.extend_from_slice(&raw[copied..=quote]);
        to.push(FIRST_MARK + which as u8);
        copied = quote + 1 + text.len();
    }
    to.extend_from_slice(&raw[copied..]);
    let is_mark = |byte: &u8| (FIRST_MARK..FIRST_MARK + N_MARKS).contains(byte);
    // Without a way out of the loop, which the compiler can do many bytes at a time.
    !raw.iter().fold(false, |found, byte| found | is_mark(byte))
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
        for quote in memchr::memchr_iter(b'"', packed) {
            let which = packed
                .get(quote + 1)
                .and_then(|mark| mark.checked_sub(FIRST_MARK));
            if let Some(id) = which.and_then(|which| ids.get(usize::from(which))) {
                self.text.extend_from_slice(&packed[copied..=quote]);
                let id = Id::Uuid(*id);
                self.text
                    .extend_from_slice(id.as_text(&mut [0; 36]).as_bytes());
                copied = quote + 2;
            }
        }
        self.text.extend_from_slice(&packed[copied..]);
        self.text.as_slice().into()
    }
}
