//! The key taken out of whatever a server says: it may repeat in any text what it was sent.

use std::borrow::Cow;

use memchr::memmem::Finder;
use secrecy::{ExposeSecret, SecretString};

use crate::domain::{Failure, MASK};

/// Keys shorter than this are those of a server for tests. They are not masked, as such a word may
/// stand in any text by chance, which would be spoilt.
const LEAST: usize = 8;

/// Takes one key out of texts. Has no Debug, as it holds the key.
pub struct Masking {
    key: Option<Finder<'static>>,
}

impl Masking {
    pub fn new(key: Option<&SecretString>) -> Self {
        let key = key.map(|key| key.expose_secret().as_bytes());
        let key = key.filter(|key| key.len() >= LEAST);
        Self {
            key: key.map(|key| Finder::new(key).into_owned()),
        }
    }

    /// The bytes with each occurrence of the key masked; borrowed where there is none.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(key) = self.key.as_ref().filter(|key| key.find(bytes).is_some()) else {
            return Cow::Borrowed(bytes);
        };
        let mut clean = Vec::with_capacity(bytes.len());
        let mut done = 0;
        for at in key.find_iter(bytes) {
            clean.extend_from_slice(&bytes[done..at]);
            clean.extend_from_slice(MASK.as_bytes());
            done = at + key.needle().len();
        }
        clean.extend_from_slice(&bytes[done..]);
        Cow::Owned(clean)
    }

    /// The same for a text.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(clean) => Cow::Owned(String::from_utf8_lossy(&clean).into_owned()),
        }
    }

    /// A failure in words that do not hold the key.
    pub fn failure(&self, failure: Failure) -> Failure {
        let Failure { kind, what, hint } = failure;
        Failure {
            kind,
            what: self.text(&what).into_owned(),
            hint: self.text(&hint).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occurrence_of_a_long_key_is_masked_and_a_short_one_stays() {
        let masked = |key: &str, text: &str| {
            let masking = Masking::new(Some(&key.into()));
            String::from_utf8_lossy(&masking.bytes(text.as_bytes())).into_owned()
        };
        assert_eq!(
            masked("sk_12345", "sk_12345,sk_1234,sk_12345"),
            "***,sk_1234,***"
        );
        assert_eq!(masked("local", "localhost"), "localhost");
        assert_eq!(masked("", "text"), "text");
        let failure = Failure::new(crate::domain::FailureKind::Local, "a sk_12345", "sk_12345");
        let clean = Masking::new(Some(&"sk_12345".into())).failure(failure);
        assert_eq!(clean.to_string(), "a ***; ***");
    }
}
