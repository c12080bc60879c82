//! Fields with tags: what an older or newer reeltop does not know is passed over, what is missing
//! is absent.
//!
//! A field is its tag (one byte), its length (LEB128) and its bytes. Numbers are zigzag LEB128.

use crate::domain::Id;

/// Writes fields one after another.
#[derive(Debug, Default)]
pub(super) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn bytes(&mut self, tag: u8, bytes: &[u8]) {
        self.0.push(tag);
        put_number(&mut self.0, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub fn text(&mut self, tag: u8, text: &str) {
        self.bytes(tag, text.as_bytes());
    }

    pub fn number(&mut self, tag: u8, number: i64) {
        let mut bytes = Vec::with_capacity(10);
        put_signed(&mut bytes, number);
        self.bytes(tag, &bytes);
    }

    pub fn id(&mut self, tag: u8, id: &Id) {
        match id {
            Id::Uuid(bytes) => {
                let mut packed = [1; 17];
                packed[1..].copy_from_slice(bytes);
                self.bytes(tag, &packed);
            }
            Id::Text(text) => {
                let mut marked = Vec::with_capacity(text.len() + 1);
                marked.push(0);
                marked.extend_from_slice(text.as_bytes());
                self.bytes(tag, &marked);
            }
        }
    }

    /// Fields within a field.
    pub fn nested(&mut self, tag: u8, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(tag, &inner.0);
    }
}

/// Reads fields in any order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// Every field, up to where the bytes are no fields any more.
    pub fn iter(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (&tag, after) = rest.split_first()?;
            rest = after;
            let length = usize::try_from(take_number(&mut rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(length)?;
            rest = after;
            Some((tag, bytes))
        })
    }

    pub fn all(self, tag: u8) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(other, _)| *other == tag)
            .map(|(_, bytes)| bytes)
    }

    pub fn bytes(self, tag: u8) -> Option<&'a [u8]> {
        self.all(tag).next()
    }

    pub fn text(self, tag: u8) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(tag)?).ok()
    }

    pub fn number(self, tag: u8) -> Option<i64> {
        let mut bytes = self.bytes(tag)?;
        take_signed(&mut bytes)
    }

    pub fn id(self, tag: u8) -> Option<Id> {
        read_id(self.bytes(tag)?)
    }

    pub fn nested(self, tag: u8) -> Option<Fields<'a>> {
        self.bytes(tag).map(Fields)
    }
}

/// An id as [`Writer::id`] wrote it.
pub(super) fn read_id(bytes: &[u8]) -> Option<Id> {
    match bytes.split_first()? {
        (1, packed) => Some(Id::Uuid(packed.try_into().ok()?)),
        (0, text) => Some(Id::Text(std::str::from_utf8(text).ok()?.into())),
        _ => None,
    }
}

pub(super) fn put_number(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

pub(super) fn put_signed(to: &mut Vec<u8>, number: i64) {
    put_number(to, (number << 1 ^ number >> 63) as u64);
}

pub(super) fn take_number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

pub(super) fn take_signed(from: &mut &[u8]) -> Option<i64> {
    let number = take_number(from)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}
