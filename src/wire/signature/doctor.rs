//! The signature doctor: not only whether a request verifies, but which of the usual causes it is
//! that it does not, and what to do about it.

mod altered;
mod words;

use std::fmt;

use serde::de::IgnoredAny;

use super::guess::{self, Change};
use super::json::{self, Node};
use super::key::{Key, KeyFault, split};
use super::{Secret, SignatureHeaders, TOLERANCE_S};

/// Whose secret it is that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The receiver's: what it signs counts.
    Receiver,
    /// The receiver's before a rotation: it only explains.
    Earlier,
    /// Another endpoint's: it only explains.
    Other,
}

/// The text of a secret, as the receiver has it, and a name for it.
#[derive(Clone)]
pub struct Held {
    pub name: String,
    pub text: String,
    pub holder: Holder,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.name, self.holder)
    }
}

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub headers: SignatureHeaders<'a>,
    pub body: &'a [u8],
    /// What its Content-Length says, in bytes.
    pub declared: Option<usize>,
}

/// Why a request is not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// These headers are missing or empty.
    HeaderMissing(Vec<String>),
    /// The timestamp is no number of seconds; whether it is one of milliseconds.
    Timestamp { is_millis: bool },
    /// Older than is allowed, by so many seconds in all.
    TooOld(i64),
    /// So many seconds in the future.
    TooNew(i64),
    /// The receiver's secret is not as it should be; whether the one that was meant fits.
    Secret {
        name: String,
        fault: KeyFault,
        would_fit: bool,
    },
    /// No entry of the header is a signature of a known version.
    NoSignature { is_bare: bool },
    /// The header holds only signatures of this version, and the secrets are for the other.
    OtherScheme { found: &'static str },
    /// Signed with the secret of this name.
    OtherSecret { name: String, holder: Holder },
    /// The sender took the secret's text for the key, with or without its prefix.
    Undecoded { with_prefix: bool },
    /// The body is not the one that was signed, and how it became so is known.
    Body(Change),
    /// The body has no bytes; how many its Content-Length says.
    Empty { declared: Option<usize> },
    /// The body has fewer bytes than its Content-Length says, or its JSON ends in the middle.
    Cut { declared: Option<usize>, got: usize },
    /// The body was altered in this byte, counted from 0: what was signed there, and what came.
    Byte { at: usize, signed: u8, got: u8 },
    /// Nothing of the above fits; what the body looks like.
    Altered { looks: Option<Looks> },
}

/// What a body may look like that was parsed and written again; the sender's own may as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    Sorted,
    PrettyPrinted,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Why it is not verified; `None` if it is.
    pub cause: Option<Cause>,
    /// The name of the secret that fits, and the version of the signature.
    pub by: Option<(String, &'static str)>,
    /// Now minus the timestamp, in seconds, where both are known.
    pub age_s: Option<i64>,
    /// Signatures of known versions in the header.
    pub n_signatures: usize,
    /// A receiver that checks `JSON.stringify` of the parsed body has other bytes.
    pub breaks_if_parsed: bool,
    /// The form that the body at hand has, where it is one of ours.
    pub body_form: Option<&'static str>,
}

/// Finds out about one request at the time `now` (unix seconds), or whatever its age is.
pub fn diagnose(request: &Request<'_>, secrets: &[Held], now: Option<i64>) -> Diagnosis {
    let entries = entries(request.headers.signature.unwrap_or_default());
    let sent = request.headers.timestamp.and_then(|text| text.parse().ok());
    let mut found = Diagnosis {
        cause: None,
        by: None,
        age_s: now
            .zip(sent)
            .map(|(now, sent): (i64, i64)| now.saturating_sub(sent)),
        n_signatures: entries.len(),
        breaks_if_parsed: !guess::survives_stringify(request.body),
        body_form: json::form_of(request.body).map(|form| form.name),
    };
    let case = Case {
        id: request.headers.id.unwrap_or_default(),
        timestamp: request.headers.timestamp.unwrap_or_default(),
        body: request.body,
        entries,
    };
    found.cause = incomplete(request, sent)
        .or_else(|| case.unreadable(request.headers.signature.unwrap_or_default()))
        .or_else(|| case.judge(request, secrets, &mut found.by))
        .or_else(|| outside(found.age_s));
    found
}

/// What must be there before anything can be checked.
fn incomplete(request: &Request<'_>, sent: Option<i64>) -> Option<Cause> {
    let headers = &request.headers;
    let all = [
        ("id", headers.id),
        ("timestamp", headers.timestamp),
        ("signature", headers.signature),
    ];
    let is_there = |value: Option<&str>| value.is_some_and(|text| !text.trim().is_empty());
    let missing: Vec<String> = all
        .iter()
        .filter(|(_, value)| !is_there(*value))
        .map(|(name, _)| format!("{}{name}", headers.family))
        .collect();
    if !missing.is_empty() {
        return Some(Cause::HeaderMissing(missing));
    }
    sent.is_none()
        .then_some(Cause::Timestamp { is_millis: false })
}

fn outside(age_s: Option<i64>) -> Option<Cause> {
    match age_s? {
        age if age > TOLERANCE_S => Some(Cause::TooOld(age)),
        age if age < -TOLERANCE_S => Some(Cause::TooNew(age.saturating_neg())),
        _ => None,
    }
}

/// The signatures of known versions: version, and what follows the comma.
fn entries(header: &str) -> Vec<(&'static str, &str)> {
    header
        .split(' ')
        .filter_map(|entry| {
            let (version, given) = entry.split_once(',')?;
            let known = ["v1", "v1a"].into_iter().find(|known| *known == version)?;
            Some((known, given))
        })
        .collect()
}

struct Case<'a> {
    id: &'a str,
    timestamp: &'a str,
    body: &'a [u8],
    entries: Vec<(&'static str, &'a str)>,
}

impl Case<'_> {
    fn fits(&self, key: &Key, body: &[u8]) -> bool {
        self.entries.iter().any(|(version, given)| {
            *version == key.version() && key.fits(self.id, self.timestamp, body, given)
        })
    }

    fn unreadable(&self, header: &str) -> Option<Cause> {
        let is_bare = !header.contains(',');
        self.entries
            .is_empty()
            .then_some(Cause::NoSignature { is_bare })
    }

    /// Why no secret of the receiver fits; `None` if one does, which is then named.
    fn judge(
        &self,
        request: &Request<'_>,
        secrets: &[Held],
        by: &mut Option<(String, &'static str)>,
    ) -> Option<Cause> {
        let mut keys = Vec::new();
        let mut faults = Vec::new();
        for held in secrets {
            let (key, fault) = Key::examine(&held.text);
            match (key, fault) {
                (key, Some(fault)) if held.holder == Holder::Receiver => {
                    faults.push((held, key, fault));
                }
                // Of what only explains, the key that was meant will do.
                (Some(key), _) => keys.push((held, key)),
                _ => {}
            }
        }
        let mut fitting = keys.iter().filter(|(_, key)| self.fits(key, self.body));
        let mine = |held: &Held| held.holder == Holder::Receiver;
        if let Some((held, key)) = fitting.clone().find(|(held, _)| mine(held)) {
            *by = Some((held.name.clone(), key.version()));
            return self.in_millis();
        }
        // The secret at hand is broken: that is the cause whether or not it would fit, unless a
        // sound one is there as well.
        let sound = keys.iter().any(|(held, _)| mine(held));
        for (held, key, fault) in &faults {
            let would_fit = key.as_ref().is_some_and(|key| self.fits(key, self.body));
            if would_fit || !sound {
                return Some(Cause::Secret {
                    name: held.name.clone(),
                    fault: *fault,
                    would_fit,
                });
            }
        }
        if let Some((held, key)) = fitting.next() {
            *by = Some((held.name.clone(), key.version()));
            return Some(Cause::OtherSecret {
                name: held.name.clone(),
                holder: held.holder,
            });
        }
        let mine: Vec<&Key> = keys
            .iter()
            .filter(|(held, _)| mine(held))
            .map(|(_, key)| key)
            .collect();
        self.other_scheme(&mine)
            .or_else(|| self.undecoded(secrets))
            .or_else(|| self.empty(request.declared))
            // Who wrote the body again kept the length of the one before: what proves itself comes first.
            .or_else(|| self.other_body(&keys, by))
            .or_else(|| self.shortened(request.declared))
            .or_else(|| self.broken_off())
            .or_else(|| {
                Some(Cause::Altered {
                    looks: self.looks(),
                })
            })
    }

    /// A right signature over milliseconds: libraries take them for a time far in the future.
    fn in_millis(&self) -> Option<Cause> {
        let sent: i64 = self.timestamp.parse().ok()?;
        // Seconds have this many digits from the year 33658 on.
        (sent >= 1_000_000_000_000).then_some(Cause::Timestamp { is_millis: true })
    }

    fn other_scheme(&self, keys: &[&Key]) -> Option<Cause> {
        let found = self.entries.first()?.0;
        let is_only = self.entries.iter().all(|(version, _)| *version == found);
        let no_key = !keys.is_empty() && keys.iter().all(|key| key.version() != found);
        (is_only && no_key).then_some(Cause::OtherScheme { found })
    }

    fn undecoded(&self, secrets: &[Held]) -> Option<Cause> {
        for held in secrets
            .iter()
            .filter(|held| held.holder == Holder::Receiver)
        {
            let whole = held.text.as_str();
            for (with_prefix, text) in [(true, whole), (false, split(whole).1)] {
                let key = Secret::from_key(text.as_bytes()).map(Key::Shared);
                if key.is_ok_and(|key| self.fits(&key, self.body)) {
                    return Some(Cause::Undecoded { with_prefix });
                }
            }
        }
        None
    }

    fn empty(&self, declared: Option<usize>) -> Option<Cause> {
        (self.body.is_empty()).then_some(Cause::Empty { declared })
    }

    fn shortened(&self, declared: Option<usize>) -> Option<Cause> {
        let got = self.body.len();
        declared
            .is_some_and(|declared| declared > got)
            .then_some(Cause::Cut { declared, got })
    }

    /// JSON that is right up to its last byte and goes on there.
    fn broken_off(&self) -> Option<Cause> {
        let error = serde_json::from_slice::<IgnoredAny>(self.body).err()?;
        error.is_eof().then_some(Cause::Cut {
            declared: None,
            got: self.body.len(),
        })
    }

    fn other_body(
        &self,
        keys: &[(&Held, Key)],
        by: &mut Option<(String, &'static str)>,
    ) -> Option<Cause> {
        for (held, key) in keys {
            if let Some(change) = guess::find(self.body, |body| self.fits(key, body)) {
                *by = Some((held.name.clone(), key.version()));
                return Some(Cause::Body(change));
            }
        }
        None
    }

    /// What may come of a body's being written again. It proves nothing, as what can be undone of it
    /// was undone before: then another secret is as likely.
    fn looks(&self) -> Option<Looks> {
        let mut node = Node::read(self.body)?;
        if json::is_indented(self.body) {
            return Some(Looks::PrettyPrinted);
        }
        let keys = node.members_at(&[])?;
        let is_sorted = keys.len() > 2 && keys.is_sorted_by_key(|(key, _)| *key);
        is_sorted.then_some(Looks::Sorted)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::wire::signature::json::FORMS;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const PRIVATE: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const PUBLIC: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    const NOW: i64 = 1_700_000_000;
    const EVENT: &str = r#"{"timestamp":"2026-11-22T14:02:25Z","user_id":"u-1","event_id":"e-1","event_type":"task.failed","data":{"task":{"id":"t-1","asset_id":"a-1","features":{"visual":{"state":"failed"},"proxy":{"state":"completed"},"transcription":{"state":"queued"}},"user_id":"u-1","created":"2026-11-22T14:02:20Z","updated":"2026-11-22T14:02:25Z"}}}"#;

    fn held(text: &str, holder: Holder) -> Held {
        Held {
            name: format!("{holder:?}").to_lowercase(),
            text: text.to_owned(),
            holder,
        }
    }

    fn signed(secret: &str, body: &[u8]) -> String {
        Key::parse(secret)
            .unwrap()
            .sign("msg_1", NOW, body)
            .unwrap()
    }

    fn headers<'a>(id: &'a str, timestamp: &'a str, signature: &'a str) -> SignatureHeaders<'a> {
        SignatureHeaders::find(|name| match name {
            "svix-id" => Some(id),
            "svix-timestamp" => Some(timestamp),
            "svix-signature" => Some(signature),
            _ => None,
        })
    }

    /// The diagnosis of a body that came with this signature, by the receiver's one secret.
    fn of(signature: &str, body: &[u8], secrets: &[Held], now: i64) -> Diagnosis {
        let timestamp = NOW.to_string();
        let request = Request {
            headers: headers("msg_1", &timestamp, signature),
            body,
            declared: None,
        };
        diagnose(&request, secrets, Some(now))
    }

    fn mine() -> Vec<Held> {
        vec![held(SECRET, Holder::Receiver)]
    }

    #[test]
    fn public_vectors_agree() {
        let vectors = include_str!("../../../tests/data/webhook-vectors.jsonl");
        for line in vectors.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let request = Request {
                headers: SignatureHeaders::find(|name| case["headers"][name].as_str()),
                body: case["body"].as_str().unwrap().as_bytes(),
                declared: None,
            };
            let secrets = [held(case["secret"].as_str().unwrap(), Holder::Receiver)];
            let found = diagnose(&request, &secrets, case["now"].as_i64());
            assert_eq!(Some(found.is_verified()), case["valid"].as_bool(), "{case}");
            assert!(!found.words().is_empty());
            assert_eq!(found.is_verified(), found.name() == "verified");
        }
    }

    #[test]
    fn both_schemes_several_signatures_and_several_secrets() {
        let body = EVENT.as_bytes();
        let both = format!(
            "v1,AAAA v9,x {} {}",
            signed(OTHER, body),
            signed(PRIVATE, body)
        );
        for (secrets, by) in [
            (vec![held(OTHER, Holder::Receiver)], "v1"),
            (vec![held(PUBLIC, Holder::Receiver)], "v1a"),
            (vec![held(PRIVATE, Holder::Receiver)], "v1a"),
            (
                vec![
                    held(SECRET, Holder::Receiver),
                    held(OTHER, Holder::Receiver),
                ],
                "v1",
            ),
        ] {
            let found = of(&both, body, &secrets, NOW);
            assert_eq!(found.cause, None, "{secrets:?}");
            assert_eq!(found.by.unwrap().1, by);
        }
        let found = of(&signed(PRIVATE, body), body, &mine(), NOW);
        assert_eq!(found.cause, Some(Cause::OtherScheme { found: "v1a" }));
        let public = [held(PUBLIC, Holder::Receiver)];
        let found = of(&signed(SECRET, body), body, &public, NOW);
        assert_eq!(found.cause, Some(Cause::OtherScheme { found: "v1" }));
    }

    #[test]
    fn a_length_of_another_body_is_no_proof_that_this_one_was_cut() {
        let timestamp = NOW.to_string();
        let spaced = EVENT.replace("\":", "\": ").replace(",\"", ", \"");
        for (sent, got, name) in [
            (&*spaced, EVENT, "body_rewritten"),
            (&format!("{EVENT}\n"), EVENT, "line_ends"),
            (EVENT, &EVENT[..EVENT.len() - 1], "body_cut"),
            (EVENT, &EVENT[..40], "body_cut"),
            (EVENT, "", "body_empty"),
        ] {
            let signature = signed(SECRET, sent.as_bytes());
            let request = Request {
                headers: headers("msg_1", &timestamp, &signature),
                body: got.as_bytes(),
                declared: Some(sent.len()),
            };
            let found = diagnose(&request, &mine(), Some(NOW));
            assert_eq!(found.name(), name, "{}", found.words());
        }
    }

    #[test]
    fn missing_headers_are_named_in_their_family() {
        let request = |headers| Request {
            headers,
            body: b"{}",
            declared: None,
        };
        let none = SignatureHeaders::find(|_| None);
        let found = diagnose(&request(none), &mine(), Some(NOW));
        assert_eq!(
            found.words(),
            "svix-id, svix-timestamp, svix-signature are missing or empty"
        );
        let neutral = SignatureHeaders::find(|name| (name == "webhook-id").then_some("msg_1"));
        let found = diagnose(&request(neutral), &mine(), Some(NOW));
        assert_eq!(
            found.words(),
            "webhook-timestamp, webhook-signature are missing or empty"
        );
        assert_eq!(found.name(), "header_missing");
    }

    #[test]
    fn times_outside_are_told_with_by_how_much() {
        let body = EVENT.as_bytes();
        let signature = signed(SECRET, body);
        for (now, cause) in [
            (NOW + 300, None),
            (NOW - 300, None),
            (NOW + 301, Some(Cause::TooOld(301))),
            (NOW - 367, Some(Cause::TooNew(367))),
        ] {
            assert_eq!(of(&signature, body, &mine(), now).cause, cause, "{now}");
        }
        assert_eq!(
            of(&signature, body, &mine(), NOW - 367).words(),
            "the signature fits, but its time is 6m07s in the future, 1m07s more than the 5m00s that are allowed"
        );
        let timestamp = NOW.to_string();
        let request = Request {
            headers: headers("msg_1", &timestamp, &signature),
            body,
            declared: None,
        };
        assert_eq!(diagnose(&request, &mine(), None).cause, None);
        let millis = (NOW * 1000).to_string();
        let key = Key::parse(SECRET).unwrap();
        let signature = key.sign("msg_1", NOW * 1000, body).unwrap();
        let request = Request {
            headers: headers("msg_1", &millis, &signature),
            body,
            declared: None,
        };
        let found = diagnose(&request, &mine(), Some(NOW));
        assert_eq!(found.cause, Some(Cause::Timestamp { is_millis: true }));
    }

    #[test]
    fn secrets_are_told_apart() {
        let body = EVENT.as_bytes();
        let signature = signed(OTHER, body);
        for holder in [Holder::Earlier, Holder::Other] {
            let secrets = [held(SECRET, Holder::Receiver), held(OTHER, holder)];
            let found = of(&signature, body, &secrets, NOW);
            assert!(
                matches!(found.cause, Some(Cause::OtherSecret { holder: other, .. }) if other == holder)
            );
            assert!(!found.words().contains(OTHER) && !format!("{secrets:?}").contains(OTHER));
        }
        for (text, fault) in [
            (format!("v1,{SECRET}"), KeyFault::VersionPrefix),
            (format!(" {SECRET}"), KeyFault::WhiteSpace),
            (format!("'{SECRET}'"), KeyFault::Quoted),
            (format!("\u{feff}{SECRET}"), KeyFault::ByteOrderMark),
        ] {
            let secrets = [held(&text, Holder::Receiver)];
            let found = of(&signed(SECRET, body), body, &secrets, NOW);
            let expected = Cause::Secret {
                name: "receiver".to_owned(),
                fault,
                would_fit: true,
            };
            assert_eq!(found.cause, Some(expected), "{text:?}");
        }
        let secrets = [held("whsec_nonsense!", Holder::Receiver)];
        let found = of(&signed(SECRET, body), body, &secrets, NOW);
        assert_eq!(found.name(), "secret_form");
        for (text, with_prefix) in [(SECRET, true), (&SECRET[6..], false)] {
            let raw = Secret::from_key(text.as_bytes()).unwrap();
            let signature = crate::wire::signature::sign(&raw, "msg_1", NOW, body);
            let found = of(&signature, body, &mine(), NOW);
            assert_eq!(found.cause, Some(Cause::Undecoded { with_prefix }));
        }
    }

    #[test]
    fn signatures_of_no_known_form_are_told() {
        for (signature, is_bare) in [("g0hM9S", true), ("v2,g0hM", false), ("sha256=ab", true)] {
            let found = of(signature, b"{}", &mine(), NOW);
            assert_eq!(found.cause, Some(Cause::NoSignature { is_bare }));
        }
    }

    #[test]
    fn what_happens_to_bodies_on_their_way_is_told() {
        let body = EVENT.as_bytes();
        let indented = "{\n  \"a\": 1\n}\n";
        let crlf = indented.replace('\n', "\r\n");
        let base64 = "eyJhIjoxfQ==";
        for (sent, got, change) in [
            (EVENT, format!("{EVENT}\n"), Change::LineEndAdded),
            (EVENT, format!("{EVENT}\r\n"), Change::LineEndAdded),
            ("x\n", "x".to_owned(), Change::LineEndLost),
            (crlf.as_str(), indented.to_owned(), Change::CrLost),
            (indented, crlf.clone(), Change::CrAdded),
            (EVENT, format!("\u{feff}{EVENT}"), Change::MarkAdded),
            ("{\"a\":1}", base64.to_owned(), Change::Base64),
            (EVENT, Value::from(EVENT).to_string(), Change::Quoted),
        ] {
            let signature = signed(SECRET, sent.as_bytes());
            let found = of(&signature, got.as_bytes(), &mine(), NOW);
            assert_eq!(found.cause, Some(Cause::Body(change)), "{got:?}");
        }
        let timestamp = NOW.to_string();
        let signature = signed(SECRET, body);
        let request = Request {
            headers: headers("msg_1", &timestamp, &signature),
            body: &body[..100],
            declared: Some(body.len()),
        };
        let found = diagnose(&request, &mine(), Some(NOW));
        assert_eq!(found.name(), "body_cut");
    }

    /// Every pair of forms whose difference can be undone is undone.
    #[test]
    fn every_rewriting_is_named() {
        let node = Node::read(EVENT.as_bytes()).unwrap();
        for sent in &FORMS {
            for got in &FORMS {
                let (was, is) = (node.written(sent), node.written(got));
                if was == is {
                    continue;
                }
                let found = of(&signed(SECRET, was.as_bytes()), is.as_bytes(), &mine(), NOW);
                let is_name = matches!(found.name(), "body_rewritten" | "body_pretty_printed");
                assert!(is_name, "{} → {}", sent.name, got.name);
                // Sorted keys of an event go back into the documented order, so that only the form
                // is named wrongly nowhere.
                assert!(
                    matches!(found.cause, Some(Cause::Body(_))),
                    "{} → {}: {found:?}",
                    sent.name,
                    got.name
                );
            }
        }
    }

    /// How a body looks is no proof that it was parsed: its sender may write it so.
    #[test]
    fn the_byte_that_was_altered_is_named_where_one_was() {
        let look = |body: &[u8], secret: &str| {
            let timestamp = NOW.to_string();
            let signature = signed(secret, br#"{"b":1,"a":2}"#);
            let request = Request {
                headers: headers("msg_1", &timestamp, &signature),
                body,
                declared: None,
            };
            let mut found = diagnose(&request, &mine(), Some(NOW));
            found.look_for_byte(&request, &mine());
            found
        };
        let found = look(br#"{"b":1,"a":3}"#, SECRET);
        let byte = Cause::Byte {
            at: 11,
            signed: b'2',
            got: b'3',
        };
        assert_eq!((found.name(), &found.cause), ("altered_byte", &Some(byte)));
        assert_eq!(
            found.words(),
            "one byte of the body was altered: '3' (0x33) at offset 11, where '2' (0x32) was signed (made with receiver)"
        );
        // Two bytes, and another secret: neither can be told.
        assert_eq!(look(br#"{"b":3,"a":3}"#, SECRET).name(), "altered");
        assert_eq!(look(br#"{"b":1,"a":3}"#, OTHER).name(), "altered");
        // What another cause explains is not searched.
        assert_eq!(look(br#"{"b":1,"a":2}"#, SECRET).name(), "verified");
    }

    #[test]
    fn another_secret_is_not_taken_for_a_parsed_body() {
        let sorted = r#"{"a":1,"b":{"y":1,"x":2},"z":3}"#;
        let node = Node::read(EVENT.as_bytes()).unwrap();
        let form = |part: &str| FORMS.iter().find(|form| form.name.contains(part)).unwrap();
        let event = node.written(form("JSON.stringify writes it, with its keys sorted"));
        let indented = node.written(form("indented by 2"));
        for (body, looks) in [
            (sorted, Some(Looks::Sorted)),
            (&event, Some(Looks::Sorted)),
            (&indented, Some(Looks::PrettyPrinted)),
            (EVENT, None),
            ("no JSON", None),
        ] {
            let found = of(
                &signed(OTHER, body.as_bytes()),
                body.as_bytes(),
                &mine(),
                NOW,
            );
            assert_eq!(found.cause, Some(Cause::Altered { looks }), "{body}");
            assert_eq!(found.name(), "altered");
            assert!(
                found
                    .words()
                    .starts_with("no secret fits: the secret is another one")
            );
            assert_eq!(
                found.advice().contains("if its sender does not"),
                looks.is_some()
            );
        }
    }

    #[test]
    fn a_body_that_is_empty_cut_short_or_pretty_printed_is_told() {
        let signature = signed(SECRET, EVENT.as_bytes());
        let found = of(&signature, b"", &mine(), NOW);
        assert_eq!(found.cause, Some(Cause::Empty { declared: None }));
        assert_eq!(
            (found.name(), found.words().as_str()),
            ("body_empty", "the body is empty")
        );
        // One that was signed empty is not to blame.
        assert!(of(&signed(SECRET, b""), b"", &mine(), NOW).is_verified());

        for at in [1, 40, 100, EVENT.len() - 1] {
            for signature in [&signature, &signed(OTHER, EVENT.as_bytes())] {
                let found = of(signature, &EVENT.as_bytes()[..at], &mine(), NOW);
                let cut = Cause::Cut {
                    declared: None,
                    got: at,
                };
                assert_eq!(found.cause, Some(cut), "{at}");
                assert!(found.words().contains("cut short"), "{}", found.words());
            }
        }

        let node = Node::read(EVENT.as_bytes()).unwrap();
        let form = FORMS
            .iter()
            .find(|form| form.name == "JSON indented by 4")
            .unwrap();
        let four = node.written(form);
        for body in [
            four.clone(),
            format!("{four}\n"),
            four.replace("    ", "\t"),
        ] {
            let found = of(&signature, body.as_bytes(), &mine(), NOW);
            assert_eq!(found.name(), "body_pretty_printed", "{body}");
            assert!(
                found
                    .words()
                    .starts_with("the body was pretty-printed: the signature fits it")
            );
            assert!(found.advice().contains("jq"));
        }
    }

    #[test]
    fn a_verified_body_that_parsing_would_break_is_marked() {
        let body = b"{\"test\": 2432232314}";
        let found = of(&signed(SECRET, body), body, &mine(), NOW);
        assert!(found.is_verified() && found.breaks_if_parsed);
        assert!(found.advice().contains("JSON.stringify"));
        let found = of(
            &signed(SECRET, EVENT.as_bytes()),
            EVENT.as_bytes(),
            &mine(),
            NOW,
        );
        assert!(found.is_verified() && !found.breaks_if_parsed);
    }

    proptest! {
        /// No alteration of one byte is ever called verified, in whatever it is, by either scheme.
        #[test]
        fn no_altered_byte_is_verified(at in any::<prop::sample::Index>(), to in any::<u8>(), part in 0usize..4, is_ed25519: bool) {
            let secret = if is_ed25519 { PRIVATE } else { SECRET };
            let secrets = [held(secret, Holder::Receiver)];
            let mut parts = [
                EVENT.as_bytes().to_vec(),
                b"msg_1".to_vec(),
                NOW.to_string().into_bytes(),
                signed(secret, EVENT.as_bytes()).into_bytes(),
            ];
            let altered = &mut parts[part];
            let at = at.index(altered.len());
            prop_assume!(altered[at] != to);
            altered[at] = to;
            let texts: Vec<String> = parts.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect();
            let request = Request {
                headers: headers(&texts[1], &texts[2], &texts[3]),
                body: &parts[0],
                declared: None,
            };
            let found = diagnose(&request, &secrets, None);
            prop_assert!(!found.is_verified(), "{found:?}");
            prop_assert!(!found.words().contains(secret));
        }

        /// Whatever comes, there is an answer, in words.
        #[test]
        fn anything_at_all_has_a_diagnosis(id in ".*", timestamp in ".*", signature in "(v1|v1a|v2)?,?.*", body: Vec<u8>, secret in "(whsec_|whpk_|whsk_)?.*") {
            let request = Request { headers: headers(&id, &timestamp, &signature), body: &body, declared: None };
            let found = diagnose(&request, &[held(&secret, Holder::Receiver)], Some(NOW));
            prop_assert!(!found.is_verified());
            prop_assert!(!found.words().is_empty() && !found.advice().is_empty());
        }
    }
}
