//! Signatures of webhooks: the symmetric scheme of Standard Webhooks, which is Svix's `v1`. The
//! asymmetric one (`v1a`) is in [`key`], the finding of causes in [`doctor`].
//!
//! The signed text is `id.timestamp.body` over the raw bytes; the key is the base64 part of a
//! `whsec_…` secret; the header is a space-separated list of `version,signature`, and one `v1`
//! match is enough. See <https://www.standardwebhooks.com> and
//! <https://docs.svix.com/receiving/verifying-payloads/how-manual>.

pub mod doctor;
mod guess;
mod json;
pub mod key;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How far a timestamp may lie from now, in seconds, both ways and inclusive.
pub const TOLERANCE_S: i64 = 300;

/// The key of one endpoint. Shown masked wherever it is printed.
#[derive(Clone)]
pub struct Secret {
    key: Vec<u8>,
}

/// Why a text is no signing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("the secret has no key after its whsec_ prefix")]
    Empty,
    #[error("the secret is not base64 after its whsec_ prefix")]
    NotBase64,
}

impl Secret {
    /// Reads `whsec_<base64>`; the prefix may be missing, as in Svix's own libraries.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix("whsec_").unwrap_or(text);
        let key = STANDARD
            .decode(encoded)
            .map_err(|_| SecretError::NotBase64)?;
        if key.is_empty() {
            return Err(SecretError::Empty);
        }
        Ok(Self { key })
    }

    /// Makes a secret of raw key bytes; Svix's servers use 24 of them.
    pub fn from_key(key: &[u8]) -> Result<Self, SecretError> {
        if key.is_empty() {
            Err(SecretError::Empty)
        } else {
            Ok(Self { key: key.to_vec() })
        }
    }

    /// The text form, `whsec_<base64>`. Whoever calls this is about to show a secret.
    pub fn reveal(&self) -> String {
        format!("whsec_{}", STANDARD.encode(&self.key))
    }

    /// Length of the key, in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a key is never empty")]
    pub fn len(&self) -> usize {
        self.key.len()
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        Some(STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whsec_***")
    }
}

/// Signs one request: the value of `svix-signature` for this id, time (unix seconds) and body.
pub fn sign(secret: &Secret, id: &str, timestamp: i64, body: &[u8]) -> String {
    // HMAC takes keys of any length, so the fallback is never taken; an unsigned value would
    // simply not verify.
    let mac = secret
        .mac(id, &timestamp.to_string(), body)
        .unwrap_or_default();
    format!("v1,{mac}")
}

/// How the names of the headers begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    #[default]
    Svix,
    /// The neutral names of Standard Webhooks.
    Webhook,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Svix => "svix-",
            Self::Webhook => "webhook-",
        })
    }
}

/// The three signature headers as they came, under either family of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SignatureHeaders<'a> {
    /// How their names begin: `webhook-` if only such came, else `svix-`.
    pub family: Family,
    pub id: Option<&'a str>,
    pub timestamp: Option<&'a str>,
    pub signature: Option<&'a str>,
}

impl<'a> SignatureHeaders<'a> {
    /// Looks the headers up as `svix-*`, and as `webhook-*` where those are missing.
    pub fn find(look_up: impl Fn(&str) -> Option<&'a str>) -> Self {
        let either = |name: &str| {
            look_up(&format!("svix-{name}")).or_else(|| look_up(&format!("webhook-{name}")))
        };
        let is_there = |family: &str| {
            ["id", "timestamp", "signature"]
                .iter()
                .any(|name| look_up(&format!("{family}{name}")).is_some())
        };
        Self {
            family: if is_there("webhook-") && !is_there("svix-") {
                Family::Webhook
            } else {
                Family::Svix
            },
            id: either("id"),
            timestamp: either("timestamp"),
            signature: either("signature"),
        }
    }
}

/// Why a request does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("the header svix-{0} is missing or empty")]
    MissingHeader(&'static str),
    #[error("the header svix-timestamp is no number of seconds")]
    BadTimestamp,
    #[error("the timestamp is {0} s old, more than {TOLERANCE_S} s")]
    TooOld(i64),
    #[error("the timestamp is {0} s in the future, more than {TOLERANCE_S} s")]
    TooNew(i64),
    #[error("the header svix-signature has no v1 signature")]
    NoKnownVersion,
    #[error("no signature matches: another secret, or the body is not the one that was signed")]
    NoMatch,
}

/// Checks a request over its raw body at the time `now` (unix seconds).
///
/// Signatures are compared in constant time; entries of other versions and malformed ones are
/// skipped, as the specification asks.
pub fn verify(
    secret: &Secret,
    headers: SignatureHeaders<'_>,
    body: &[u8],
    now: i64,
) -> Result<(), Mismatch> {
    let present = |value: Option<&'_ str>, name| match value {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Mismatch::MissingHeader(name)),
    };
    let id = present(headers.id, "id")?;
    let timestamp = present(headers.timestamp, "timestamp")?;
    let signature = present(headers.signature, "signature")?;
    let sent: i64 = timestamp.parse().map_err(|_| Mismatch::BadTimestamp)?;
    let age = now.saturating_sub(sent);
    if age > TOLERANCE_S {
        return Err(Mismatch::TooOld(age));
    }
    if age < -TOLERANCE_S {
        return Err(Mismatch::TooNew(age.saturating_neg()));
    }
    let expected = secret.mac(&id, &timestamp, body).ok_or(Mismatch::NoMatch)?;
    let mut known = false;
    for entry in signature.split(' ') {
        let Some(given) = entry.strip_prefix("v1,") else {
            continue;
        };
        known = true;
        if bool::from(expected.as_bytes().ct_eq(given.as_bytes())) {
            return Ok(());
        }
    }
    Err(if known {
        Mismatch::NoMatch
    } else {
        Mismatch::NoKnownVersion
    })
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test may panic"
    )]

    use super::*;
    use serde_json::Value;

    const VECTORS: &str = include_str!("../../tests/data/webhook-vectors.jsonl");

    fn outcome(case: &Value) -> Result<(), String> {
        let secret = Secret::parse(case["secret"].as_str().unwrap()).map_err(|e| e.to_string())?;
        let headers = SignatureHeaders::find(|name| case["headers"][name].as_str());
        let body = case["body"].as_str().unwrap().as_bytes();
        verify(&secret, headers, body, case["now"].as_i64().unwrap()).map_err(|e| e.to_string())
    }

    #[test]
    fn public_vectors_agree() {
        let mut seen = 0;
        for line in VECTORS.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let outcome = outcome(&case);
            assert_eq!(
                Some(outcome.is_ok()),
                case["valid"].as_bool(),
                "{case}: {outcome:?}"
            );
            seen += 1;
        }
        assert_eq!(seen, 23);
    }

    #[test]
    fn reasons_are_told_apart() {
        let secret = Secret::from_key(b"k").unwrap();
        let good = sign(&secret, "msg_1", 1000, b"{}");
        let check = |id, timestamp, signature, now| {
            verify(
                &secret,
                SignatureHeaders {
                    family: Family::Svix,
                    id,
                    timestamp,
                    signature,
                },
                b"{}",
                now,
            )
        };
        let (id, at) = (Some("msg_1"), Some("1000"));
        assert_eq!(check(id, at, Some(good.as_str()), 1000), Ok(()));
        assert_eq!(
            check(None, at, Some(&good), 1000),
            Err(Mismatch::MissingHeader("id"))
        );
        assert_eq!(
            check(id, at, Some(""), 1000),
            Err(Mismatch::MissingHeader("signature"))
        );
        assert_eq!(
            check(id, Some("x"), Some(&good), 1000),
            Err(Mismatch::BadTimestamp)
        );
        assert_eq!(check(id, at, Some(&good), 1301), Err(Mismatch::TooOld(301)));
        assert_eq!(check(id, at, Some(&good), 699), Err(Mismatch::TooNew(301)));
        assert_eq!(
            check(id, at, Some("v1a,AAAA"), 1000),
            Err(Mismatch::NoKnownVersion)
        );
        assert_eq!(check(id, at, Some("v1,AAAA"), 1000), Err(Mismatch::NoMatch));
        let far = i64::MIN.to_string();
        assert!(check(id, Some(&far), Some(&good), 1000).is_err());
    }

    #[test]
    fn secrets_are_read_strictly_and_shown_masked() {
        assert_eq!(Secret::parse("whsec_").unwrap_err(), SecretError::Empty);
        assert_eq!(
            Secret::parse("whsec_!!").unwrap_err(),
            SecretError::NotBase64
        );
        let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let secret = Secret::parse(text).unwrap();
        assert_eq!(secret.reveal(), text);
        assert_eq!(format!("{secret:?}"), "whsec_***");
    }
}
