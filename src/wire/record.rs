//! Records: changes as the journal keeps them, many in one block, and back.
//!
//! A block is a row of columns: a tag, a length, the bytes. Sights of tasks whose every id is a
//! UUID, nearly all of what comes, lie in typed columns: 16 bytes an id, packed features, times as
//! differences. Every other kind has a row of tagged fields. What a newer reeltop adds is passed
//! over, and counted.
//!
//! The bytes that changes were read from lie apart, so that they are read only where they are
//! wanted. An id that stands in them and in the columns is a mark of two bytes there.

mod abilities;
mod columns;
mod encoder;
mod fields;
mod kinds;
mod packed;
mod redact;
mod unreadable;

use std::sync::Arc;

use columns::{SIGHT_EVENT, SIGHT_TASK};
use fields::{Fields, take_number, take_signed};
use packed::Unpacking;

pub use encoder::Encoder;
pub use kinds::is_kept;
pub use redact::redact;

use crate::domain::{Change, ChangeKind, Origin, Time};

/// The form of a block that this reeltop writes.
const VERSION: u8 = 1;
/// Most rows that a block may claim to hold.
pub const MAX_ROWS: usize = 1 << 20;

const KINDS: u8 = 1;
const ORIGINS: u8 = 2;
const RECEIVED: u8 = 3;
const FIELDS: u8 = 4;
const RAW_LENGTHS: u8 = 5;
/// The tags from here on are those of [`Columns`].
const TYPED: u8 = 16;

/// One change as it was recorded: without its number and without the clock of its run.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub received: Time,
    pub origin: Origin,
    pub raw: Option<Arc<[u8]>>,
    pub kind: ChangeKind,
}

/// A block as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Encoded {
    /// Everything but the raw bytes.
    pub typed: Vec<u8>,
    /// The bytes that the changes were read from, one after another.
    pub raw: Vec<u8>,
    pub n_rows: usize,
    /// Those of them that are events.
    pub n_events: usize,
    pub first: Time,
    pub last: Time,
}

/// Why bytes are no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    #[error("a block of another version")]
    Version,
    #[error("a block that is cut short or damaged")]
    Bytes,
}

/// What a block held.
#[derive(Debug, Default)]
pub struct Decoded {
    pub records: Vec<Record>,
    /// Rows that this version cannot read.
    pub n_unknown: usize,
}

const ORIGIN_CODES: [Origin; 6] = [
    Origin::Stream,
    Origin::Snapshot,
    Origin::Poll,
    Origin::Inference,
    Origin::User,
    Origin::Journal,
];

/// Puts changes into a block; those that are not kept are left out.
pub fn encode<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Encoded {
    let mut encoder = Encoder::default();
    for change in changes {
        encoder.push(change);
    }
    encoder.finish(Encoded::default())
}

/// Takes a block apart. Without `raw` the records come without their raw bytes.
pub fn decode(typed: &[u8], raw: Option<&[u8]>) -> Result<Decoded, Damaged> {
    let (&version, mut rest) = typed.split_first().ok_or(Damaged::Bytes)?;
    if version != VERSION {
        return Err(Damaged::Version);
    }
    let n_rows = take_number(&mut rest).and_then(|n| usize::try_from(n).ok());
    let n_rows = n_rows.filter(|n| *n <= MAX_ROWS).ok_or(Damaged::Bytes)?;
    let block = Fields(rest);
    let column = |tag| block.bytes(tag).ok_or(Damaged::Bytes);
    let (kinds, origins) = (column(KINDS)?, column(ORIGINS)?);
    let (mut received, mut fields) = (column(RECEIVED)?, column(FIELDS)?);
    let mut lengths = column(RAW_LENGTHS)?;
    if kinds.len() != n_rows || origins.len() != n_rows {
        return Err(Damaged::Bytes);
    }
    let mut columns = columns::Reader::new(block, TYPED);
    let mut unpacking = raw.map(Unpacking::new);
    let mut found = Decoded {
        records: Vec::with_capacity(n_rows),
        n_unknown: 0,
    };
    let mut at = 0_i64;
    for (&number, &origin) in kinds.iter().zip(origins) {
        at = at.wrapping_add(take_signed(&mut received).ok_or(Damaged::Bytes)?);
        let length = take_number(&mut lengths).ok_or(Damaged::Bytes)?;
        let kind = match number {
            SIGHT_EVENT | SIGHT_TASK => Some(columns.next(number).ok_or(Damaged::Bytes)?),
            _ => {
                let length = take_number(&mut fields).and_then(|n| usize::try_from(n).ok());
                let row = length.and_then(|length| fields.split_at_checked(length));
                let (row, rest) = row.ok_or(Damaged::Bytes)?;
                fields = rest;
                kinds::read(number, Fields(row))
            }
        };
        let raw = match &mut unpacking {
            Some(unpacking) => {
                let ids = (number == SIGHT_EVENT).then(|| columns.last_ids());
                unpacking.next(length, ids.as_ref())?
            }
            None => None,
        };
        match (kind, ORIGIN_CODES.get(usize::from(origin))) {
            (Some(kind), Some(&origin)) => found.records.push(Record {
                received: Time(at),
                origin,
                raw,
                kind,
            }),
            _ => found.n_unknown += 1,
        }
    }
    Ok(found)
}
