//! Building a block: changes are put in as they come, while they are at hand.

use super::columns::{Columns, SIGHT_EVENT};
use super::fields::{Writer, put_number, put_signed};
use super::packed::Packing;
use super::{Encoded, FIELDS, KINDS, ORIGINS, RAW_LENGTHS, RECEIVED, TYPED, VERSION, kinds};
use crate::domain::{Change, ChangeKind, Time};

/// A block that is being built, one change after another.
#[derive(Debug, Default)]
pub struct Encoder {
    kinds: Vec<u8>,
    origins: Vec<u8>,
    received: Vec<u8>,
    lengths: Vec<u8>,
    fields: Vec<u8>,
    typed: Columns,
    packing: Packing,
    raw: Vec<u8>,
    n_events: usize,
    first: Time,
    last: Time,
    before: i64,
}

impl Encoder {
    /// Puts a change in; `false` where it is of a kind that is not kept.
    pub fn push(&mut self, change: &Change) -> bool {
        let Some(kind) = self.kind(&change.kind) else {
            return false;
        };
        let at = change.received.wall;
        self.first = if self.is_empty() {
            at
        } else {
            self.first.min(at)
        };
        self.last = self.last.max(at);
        self.kinds.push(kind);
        self.origins.push(change.origin as u8);
        put_signed(&mut self.received, at.0.wrapping_sub(self.before));
        self.before = at.0;
        let ids = (kind == SIGHT_EVENT).then(|| self.typed.last_ids());
        let length = (self.packing).push(change.raw.as_ref(), ids.as_ref(), &mut self.raw);
        put_number(&mut self.lengths, length);
        self.n_events += usize::from(matches!(change.kind, ChangeKind::Event(_)));
        true
    }

    /// Writes what is special to a kind; gives its number.
    fn kind(&mut self, change: &ChangeKind) -> Option<u8> {
        self.typed.push(change).or_else(|| {
            let mut row = Writer::default();
            let kind = kinds::write(change, &mut row)?;
            put_number(&mut self.fields, row.0.len() as u64);
            self.fields.append(&mut row.0);
            Some(kind)
        })
    }

    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Changes that were put in.
    pub fn n_rows(&self) -> usize {
        self.kinds.len()
    }

    /// The block of all that was put in, after which the encoder is empty. It is written into the
    /// memory of `spare`, a block that is not needed any more: fresh memory costs more than writing.
    pub fn finish(&mut self, spare: Encoded) -> Encoded {
        let mut block = spare;
        let mut out = Writer(std::mem::take(&mut block.typed));
        out.0.clear();
        out.0.push(VERSION);
        put_number(&mut out.0, self.n_rows() as u64);
        let columns = [
            (KINDS, &mut self.kinds),
            (ORIGINS, &mut self.origins),
            (RECEIVED, &mut self.received),
            (FIELDS, &mut self.fields),
            (RAW_LENGTHS, &mut self.lengths),
        ];
        block.n_rows = columns[0].1.len();
        for (tag, column) in columns {
            out.bytes(tag, column);
            column.clear();
        }
        self.typed.finish(TYPED, &mut out);
        block.typed = out.0;
        block.raw.clear();
        std::mem::swap(&mut block.raw, &mut self.raw);
        self.packing = Packing::default();
        self.before = 0;
        block.n_events = std::mem::take(&mut self.n_events);
        block.first = std::mem::take(&mut self.first);
        block.last = std::mem::take(&mut self.last);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode;
    use super::*;
    use crate::domain::{
        AssetId, Event, EventId, EventType, Features, Moment, Observation, Origin, TaskId, UserId,
    };

    fn event(number: u128, raw: &[u8]) -> Change {
        let id = |plus: u128| crate::domain::Id::Uuid((number + plus).to_be_bytes());
        let seen = Observation {
            task: TaskId(id(1)),
            asset: AssetId(id(2)),
            user: UserId(id(3)),
            features: Features::from_parts(3, None),
            created: Time(1),
            updated: Time(i64::try_from(number).unwrap_or(0)),
            published: None,
            event: Some(EventId(id(4))),
        };
        Change {
            seq: 0,
            received: Moment {
                wall: Time(i64::try_from(number).unwrap_or(0)),
                mono: 0,
            },
            origin: Origin::Stream,
            raw: Some(raw.into()),
            kind: ChangeKind::Event(Event {
                id: EventId(id(4)),
                kind: EventType::TaskProgress,
                published: None,
                user: Some(seen.user.clone()),
                task: Some(seen),
                asset_name: None,
            }),
        }
    }

    fn named(number: usize) -> Change {
        Change {
            kind: ChangeKind::AssetNamed {
                asset: AssetId::new(&number.to_string()),
                name: "a name".into(),
            },
            ..event(7, b"{}")
        }
    }

    #[test]
    fn a_block_keeps_nothing_of_the_one_before_nor_of_the_memory_it_is_written_into() {
        let first = [event(1, b"[1]"), named(1), event(2, b"[22]")];
        let second = [event(5_000, b"[3]"), named(2)];
        let mut encoder = Encoder::default();
        assert!(first.iter().all(|change| encoder.push(change)));
        let spare = encoder.finish(encode(&[named(9), event(9, b"[999]")]));
        assert_eq!(spare, encode(&first));
        assert!(encoder.is_empty());
        assert!(second.iter().all(|change| encoder.push(change)));
        assert_eq!(encoder.finish(spare), encode(&second));
    }
}
