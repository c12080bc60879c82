//! The keys of both schemes: `whsec_…` (HMAC, `v1`), `whpk_…` and `whsk_…` (ed25519, `v1a`), and
//! what may be wrong with the text of one.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use subtle::ConstantTimeEq;

use super::Secret;

/// Bytes of an ed25519 seed, and of a public key.
const HALF: usize = 32;

/// A key that checks signatures, and perhaps makes them. Shown masked wherever it is printed.
#[derive(Clone)]
pub enum Key {
    /// `whsec_…`, known to both sides.
    Shared(Secret),
    /// `whpk_…`: checks, and cannot sign.
    Public([u8; HALF]),
    /// `whsk_…`: the sender's half.
    Private {
        seed: [u8; HALF],
        public: [u8; HALF],
    },
}

/// What is wrong with the text of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    #[error("is empty")]
    Empty,
    #[error("begins with a byte order mark (U+FEFF), which no editor shows")]
    ByteOrderMark,
    #[error("has white space in it or around it")]
    WhiteSpace,
    #[error("has quotes around it")]
    Quoted,
    #[error("begins with v1, as a signature does")]
    VersionPrefix,
    #[error("has its prefix twice")]
    TwicePrefixed,
    #[error("is base64 of the kind for URLs, or without its padding")]
    OtherBase64,
    #[error("is not base64 after its prefix")]
    NotBase64,
    #[error("is no ed25519 key: it has the wrong length")]
    WrongLength,
}

impl Key {
    /// Reads a text of the right form and nothing else.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        let (prefix, encoded) = split(text);
        let bytes = STANDARD.decode(encoded).map_err(|_| KeyFault::NotBase64)?;
        if bytes.is_empty() {
            return Err(KeyFault::Empty);
        }
        Self::from_bytes(prefix, &bytes)
    }

    fn from_bytes(prefix: &str, bytes: &[u8]) -> Result<Self, KeyFault> {
        match prefix {
            "whpk_" => bytes
                .try_into()
                .map(Self::Public)
                .map_err(|_| KeyFault::WrongLength),
            "whsk_" => {
                let (seed, public) = bytes
                    .split_first_chunk()
                    .and_then(|(seed, rest)| Some((*seed, rest.try_into().ok()?)))
                    .ok_or(KeyFault::WrongLength)?;
                Ok(Self::Private { seed, public })
            }
            _ => Secret::from_key(bytes)
                .map(Self::Shared)
                .map_err(|_| KeyFault::Empty),
        }
    }

    /// Reads the text, and where it has a usual fault says which, with the key that was meant.
    pub fn examine(text: &str) -> (Option<Self>, Option<KeyFault>) {
        let fault = match Self::parse(text) {
            Ok(key) => return (Some(key), None),
            Err(fault) => fault,
        };
        let bare = text.trim_start_matches('\u{feff}');
        if bare != text {
            // What else is wrong is told once that is mended.
            return match Self::examine(bare) {
                (Some(key), _) => (Some(key), Some(KeyFault::ByteOrderMark)),
                none => none,
            };
        }
        let squeezed: String = text.split_whitespace().collect();
        let mut inner = squeezed.as_str();
        let mut found = (squeezed != text).then_some(KeyFault::WhiteSpace);
        for quote in ['"', '\''] {
            if let Some(bare) = inner
                .strip_prefix(quote)
                .and_then(|inner| inner.strip_suffix(quote))
            {
                inner = bare;
                found = Some(KeyFault::Quoted);
            }
        }
        for version in ["v1,", "v1a,"] {
            if let Some(bare) = inner.strip_prefix(version) {
                inner = bare;
                found = Some(KeyFault::VersionPrefix);
            }
        }
        let (_, encoded) = split(inner);
        if !split(encoded).0.is_empty() {
            inner = encoded;
            found = Some(KeyFault::TwicePrefixed);
        }
        if let Ok(key) = Self::parse(inner) {
            return (Some(key), Some(found.unwrap_or(fault)));
        }
        let (prefix, encoded) = split(inner);
        let key = lenient(encoded)
            .filter(|bytes| !bytes.is_empty())
            .and_then(|bytes| Self::from_bytes(prefix, &bytes).ok());
        match key {
            Some(key) => (Some(key), Some(found.unwrap_or(KeyFault::OtherBase64))),
            None if inner.is_empty() || encoded.is_empty() => (None, Some(KeyFault::Empty)),
            None => (None, Some(fault)),
        }
    }

    /// The version that signatures of this key carry.
    pub fn version(&self) -> &'static str {
        match self {
            Self::Shared(_) => "v1",
            Self::Public(_) | Self::Private { .. } => "v1a",
        }
    }

    /// The value of the signature header; `None` from a key that only checks.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
        match self {
            Self::Shared(secret) => Some(super::sign(secret, id, timestamp, body)),
            Self::Public(_) => None,
            Self::Private { seed, public } => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public).ok()?;
                let text = signed_text(id, &timestamp.to_string(), body);
                let signature = STANDARD.encode(pair.sign(&text));
                Some(format!("v1a,{signature}"))
            }
        }
    }

    /// Whether one signature, as it stands behind its version, fits; in constant time.
    pub(super) fn fits(&self, id: &str, timestamp: &str, body: &[u8], given: &str) -> bool {
        match self {
            Self::Shared(secret) => secret
                .mac(id, timestamp, body)
                .is_some_and(|mac| mac.as_bytes().ct_eq(given.as_bytes()).into()),
            Self::Public(public) | Self::Private { public, .. } => {
                let Ok(signature) = STANDARD.decode(given) else {
                    return false;
                };
                let text = signed_text(id, timestamp, body);
                UnparsedPublicKey::new(&ED25519, public)
                    .verify(&text, &signature)
                    .is_ok()
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared(_) => "whsec_***",
            Self::Public(_) => "whpk_***",
            Self::Private { .. } => "whsk_***",
        })
    }
}

/// The prefix of a secret, empty if it has none, and what follows.
pub(super) fn split(text: &str) -> (&str, &str) {
    ["whsec_", "whpk_", "whsk_"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix).map(|rest| (*prefix, rest)))
        .unwrap_or(("", text))
}

/// What is signed.
fn signed_text(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), timestamp.as_bytes(), body].join(&b'.')
}

/// Base64 of any kind: with the letters for URLs, with or without padding.
fn lenient(encoded: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    [alphabet::STANDARD, alphabet::URL_SAFE]
        .iter()
        .find_map(|letters| GeneralPurpose::new(letters, config).decode(encoded).ok())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn usual_faults_are_named_and_the_key_that_was_meant_is_found() {
        let good = Key::parse(SECRET).unwrap();
        let signed = good.sign("m", 1, b"{}").unwrap();
        for (text, fault) in [
            (SECRET.to_owned(), None),
            (SECRET[6..].to_owned(), None),
            (format!("{SECRET}\n"), Some(KeyFault::WhiteSpace)),
            (SECRET.replacen("KQ", "K Q", 1), Some(KeyFault::WhiteSpace)),
            (format!("\u{feff}{SECRET}\n"), Some(KeyFault::ByteOrderMark)),
            (format!("\"{SECRET}\""), Some(KeyFault::Quoted)),
            (format!("v1,{SECRET}"), Some(KeyFault::VersionPrefix)),
            (format!("whsec_{SECRET}"), Some(KeyFault::TwicePrefixed)),
        ] {
            let (key, found) = Key::examine(&text);
            assert_eq!(found, fault, "{text:?}");
            assert_eq!(key.unwrap().sign("m", 1, b"{}").unwrap(), signed);
        }
        for (text, fault) in [
            ("", KeyFault::Empty),
            ("whsec_", KeyFault::Empty),
            ("  ", KeyFault::Empty),
            ("\u{feff}", KeyFault::Empty),
            ("whsec_!!!", KeyFault::NotBase64),
            ("whpk_AAAA", KeyFault::WrongLength),
            ("whsk_AAAA", KeyFault::WrongLength),
        ] {
            let (key, found) = Key::examine(text);
            assert!(key.is_none(), "{text:?}");
            assert_eq!(found, Some(fault), "{text:?}");
        }
        let (key, fault) = Key::examine("whsec_-_8");
        assert_eq!((key.is_some(), fault), (true, Some(KeyFault::OtherBase64)));
    }

    /// The vector of Svix's own server tests.
    #[test]
    fn ed25519_agrees_with_the_public_vector() {
        let text = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
        let (id, at, body) = (
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            b"{\"test\": 2432232314}",
        );
        let expected = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
        let private = Key::parse(text).unwrap();
        assert_eq!(private.sign(id, at, body).unwrap(), expected);
        let public = Key::parse("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=").unwrap();
        let given = expected.strip_prefix("v1a,").unwrap();
        assert!(public.fits(id, "1614265330", body, given));
        assert!(!public.fits(id, "1614265331", body, given));
        assert_eq!(public.sign(id, at, body), None);
        assert_eq!(format!("{private:?}{public:?}"), "whsk_***whpk_***");
    }
}
