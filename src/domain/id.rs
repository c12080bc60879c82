//! Ids: opaque, never mixed up, sixteen bytes where they are UUIDs.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Longest id kept as it came, in bytes; a longer one is cut, marked and kept distinct by a digest.
pub const MAX_ID_BYTES: usize = 512;

/// An opaque id. A canonical lowercase UUID is packed; anything else is kept as it came.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// The sixteen bytes of a canonical lowercase UUID.
    Uuid([u8; 16]),
    /// Any other text, at most 512 bytes and a mark long.
    Text(Arc<str>),
}

impl Id {
    /// Reads an id from text; never fails.
    pub fn new(text: &str) -> Self {
        match packed_uuid(text.as_bytes()) {
            Some(bytes) => Self::Uuid(bytes),
            None => Self::Text(capped(text)),
        }
    }

    /// Packs a canonical lowercase UUID; `None` for any other 36 bytes.
    pub fn from_uuid(text: &[u8; 36]) -> Option<Self> {
        packed_uuid(text).map(Self::Uuid)
    }

    /// Writes the id's text into `buffer` if it is a UUID, else borrows the text it holds.
    pub fn as_text<'a>(&'a self, buffer: &'a mut [u8; 36]) -> &'a str {
        match self {
            Self::Uuid(bytes) => uuid_text(bytes, buffer),
            Self::Text(text) => text,
        }
    }

    /// The id shortened in the middle to at most `width` characters, as ids never wrap on a screen.
    pub fn short(&self, width: usize) -> String {
        let text = self.to_string();
        let n_chars = text.chars().count();
        if n_chars <= width {
            return text;
        }
        if width < 5 {
            return text.chars().take(width).collect();
        }
        let tail = 4.min(width / 3);
        let head = width - tail - 1;
        let start: String = text.chars().take(head).collect();
        let end: String = text.chars().skip(n_chars - tail).collect();
        format!("{start}…{end}")
    }
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Uuid(bytes) => state.write_u128(u128::from_le_bytes(*bytes)),
            Self::Text(text) => state.write(text.as_bytes()),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_text(&mut [0; 36]))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_text(&mut [0; 36]))
    }
}

const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// Offsets of the sixteen byte pairs in `8-4-4-4-12`.
const PAIRS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The id of a UUID in lower case with hyphens. Every event has about ten of them to be read, so
/// this has no branches and no tables: the compiler makes vectors of it.
fn packed_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let mut digits = [0; 32];
    for (to, from) in [
        (0..8, 0),
        (8..12, 9),
        (12..16, 14),
        (16..20, 19),
        (20..32, 24),
    ] {
        let end = from + to.len();
        digits[to].copy_from_slice(&text[from..end]);
    }
    let mut bad = HYPHENS.iter().fold(0, |bad, &at| bad | (text[at] ^ b'-'));
    for digit in &mut digits {
        let (number, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
        bad |= u8::from(number > 9) & u8::from(letter > 5);
        *digit = if number > 9 {
            letter.wrapping_add(10)
        } else {
            number
        };
    }
    let mut bytes = [0; 16];
    for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks().0) {
        *byte = high << 4 | low & 0x0f;
    }
    (bad == 0).then_some(bytes)
}

fn uuid_text<'a>(bytes: &[u8; 16], buffer: &'a mut [u8; 36]) -> &'a str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for at in HYPHENS {
        buffer[at] = b'-';
    }
    for (byte, &at) in bytes.iter().zip(&PAIRS) {
        buffer[at] = DIGITS[usize::from(byte >> 4)];
        buffer[at + 1] = DIGITS[usize::from(byte & 15)];
    }
    std::str::from_utf8(buffer).unwrap_or_default()
}

fn capped(text: &str) -> Arc<str> {
    if text.len() <= MAX_ID_BYTES {
        return text.into();
    }
    let digest = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let end = text.floor_char_boundary(MAX_ID_BYTES);
    format!("{}…{digest:016x}", &text[..end]).into()
}

macro_rules! id_types {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Id);

        impl $name {
            /// Reads the id from text; never fails.
            pub fn new(text: &str) -> Self {
                Self(Id::new(text))
            }

            /// The id shortened in the middle to at most `width` characters.
            pub fn short(&self, width: usize) -> String {
                self.0.short(width)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    )*};
}

id_types! {
    /// A media-processing task.
    TaskId;
    /// An event that the service published.
    EventId;
    /// The media asset a task works on.
    AssetId;
    /// The account a task belongs to.
    UserId;
    /// An event accepted for webhook delivery.
    MessageId;
    /// One try to deliver one message to one endpoint.
    AttemptId;
    /// Where webhooks go.
    EndpointId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_uuids_are_packed_and_come_back_unchanged() {
        let text = "2e1c7e42-0f3a-4b6d-9c55-01a2b3c4d5e6";
        let id = Id::new(text);
        assert!(matches!(id, Id::Uuid(_)));
        assert_eq!(id.to_string(), text);
    }

    #[test]
    fn whatever_is_no_canonical_uuid_is_kept_as_it_came() {
        for text in [
            "2E1C7E42-0F3A-4B6D-9C55-01A2B3C4D5E6",
            "2e1c7e420f3a4b6d9c5501a2b3c4d5e6",
            "2e1c7e42-0f3a-4b6d-9c55-01a2b3c4d5e",
            "2e1c7e42-0f3a-4b6d-9c55-01a2b3c4d5e\u{19}",
            "2e1c7e42-0f3a-4b6d-9c55-01a2b3c4d5eg",
            "msg_3MRJXv",
            "",
        ] {
            assert_eq!(Id::new(text), Id::Text(text.into()));
        }
    }

    #[test]
    fn any_byte_at_any_place_of_a_uuid_is_read_as_the_uuid_library_reads_it() {
        let good = *b"2e1c7e42-0f3a-4b6d-9c55-01a2b3c4d5e6";
        for at in 0..good.len() {
            for byte in 0..=u8::MAX {
                let mut text = good;
                text[at] = byte;
                let parsed = uuid::Uuid::try_parse_ascii(&text).ok();
                // Only what comes back letter by letter may be packed.
                let canonical = parsed.filter(|uuid| uuid.to_string().as_bytes() == text);
                let expected = canonical.map(|uuid| Id::Uuid(uuid.into_bytes()));
                assert_eq!(Id::from_uuid(&text), expected, "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn long_ids_are_cut_and_stay_distinct() {
        let a = Id::new(&format!("{}a", "é".repeat(600)));
        let b = Id::new(&format!("{}b", "é".repeat(600)));
        assert_ne!(a, b);
        assert!(a.to_string().len() < MAX_ID_BYTES + 32);
        assert!(a.to_string().contains('…'));
    }

    #[test]
    fn short_ids_keep_both_ends() {
        assert_eq!(
            Id::new("msg_3MRJXvAbCdEfGheSKd1").short(15),
            "msg_3MRJXv…SKd1"
        );
        assert_eq!(Id::new("ep_1").short(15), "ep_1");
    }
}
