//! Headers: what the service sends with every request to an endpoint, and what an attempt carried.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::hidden::Hidden;

/// Headers that delivery itself sets, or that would change what the body is (Svix refuses them).
const RESERVED: [&str; 7] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "user-agent",
    "accept",
];

/// An endpoint's own headers as the service tells them. A value may be a credential.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnHeaders {
    pub told: BTreeMap<String, Hidden>,
    /// Those whose values hold the API key: they go back as they are, and are never shown.
    pub masked: BTreeMap<String, Hidden>,
    /// Those whose values are no texts: they go back as they are.
    pub odd: BTreeMap<String, OddValue>,
    /// Names of those whose values the service does not tell.
    pub sensitive: Vec<String>,
}

impl OwnHeaders {
    /// Names of what somebody else changed since this look, so that sending these instead would take
    /// that back without a word. What the service does not tell may have changed unseen.
    pub fn overtaken(&self, sent: &BTreeMap<String, OwnValue>, now: &Self) -> Vec<String> {
        let is_as_wanted = |name: &String| {
            let mut sent = sent.iter();
            let wanted = sent.find(|(known, _)| known.eq_ignore_ascii_case(name));
            now.stands_so(name, wanted.map(|(_, value)| value.reveal()))
        };
        let changed = now.changed_since(self).into_iter();
        changed.filter(|name| !is_as_wanted(name)).collect()
    }

    /// Names of those that differ from these of an earlier look. Of what is not told only whether it is
    /// there.
    fn changed_since(&self, before: &Self) -> BTreeSet<String> {
        let (now, before) = (self.all(), before.all());
        let names = now.keys().chain(before.keys());
        let differs = |name: &&&str| now.get(**name) != before.get(**name);
        names
            .filter(differs)
            .map(|name| (*name).to_owned())
            .collect()
    }

    /// Whether it would make no difference to one to be sent so, or not to be sent.
    fn stands_so(&self, name: &str, sent: Option<&str>) -> bool {
        let now = self.all().remove(name).map(|(_, value)| value);
        now == sent.map(Some)
    }

    fn all(&self) -> BTreeMap<&str, (bool, Option<&str>)> {
        let texts = self.told.iter().chain(&self.masked);
        let texts = texts.map(|(name, text)| (&**name, (true, Some(text.reveal()))));
        let odd = self.odd.iter();
        let odd = odd.map(|(name, odd)| (&**name, (false, Some(odd.raw.reveal()))));
        let hidden = self.sensitive.iter().map(|name| (&**name, (true, None)));
        texts.chain(odd).chain(hidden).collect()
    }
}

/// A header's value that is a list, a number or the like, in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddValue {
    /// To the letter, as the service wrote it.
    pub raw: Hidden,
    /// On one line, the API key masked in it.
    pub shown: Hidden,
}

/// A header's value on its way to the service. It may be a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnValue {
    Text(Hidden),
    /// JSON that is no text, as the service wrote it.
    Json(Hidden),
}

impl OwnValue {
    pub fn text(text: &str) -> Self {
        Self::Text(Hidden::new(text))
    }

    /// The text, or the JSON. Whoever calls this is about to send or show a secret.
    pub fn reveal(&self) -> &str {
        let (Self::Text(value) | Self::Json(value)) = self;
        value.reveal()
    }
}

/// Headers; of sensitive ones only the names are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    pub headers: BTreeMap<String, String>,
    /// Values that are no texts, as JSON to the letter.
    pub odd: BTreeMap<String, String>,
    pub sensitive: Vec<String>,
}

/// Headers of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttemptHeaders {
    pub sent: Headers,
    pub received: Headers,
}

/// Why a service takes no such header; `None` if it does. Names are tokens (RFC 9110, 5.6.2),
/// values visible characters, spaces and tabs (5.5).
pub fn header_fault(name: &str, value: &str) -> Option<&'static str> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Some("no header can have this name");
    }
    let name = name.to_ascii_lowercase();
    let is_ours = name.starts_with("svix-") || name.starts_with("webhook-");
    if is_ours || RESERVED.contains(&name.as_str()) {
        return Some("delivery sets this header itself");
    }
    let is_sound = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    (!value.bytes().all(is_sound)).then_some("no header can have this value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_service_takes_is_told() {
        for name in [
            "Host",
            "content-type",
            "svix-id",
            "Webhook-Signature",
            "a b",
            "",
            "naïve",
        ] {
            assert!(header_fault(name, "x").is_some(), "{name}");
        }
        assert_eq!(header_fault("Authorization", "Basic eA=="), None);
        assert_eq!(header_fault("x-name", "Zoë"), None);
        assert!(header_fault("x-team", "a\r\nb: c").is_some());
        assert!(header_fault("x-team", "\u{1b}[2J").is_some());
    }
}
