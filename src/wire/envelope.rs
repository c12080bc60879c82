//! The documented envelope read by position: several times as quick as a general JSON parser.
//!
//! It takes exactly one form (the documented keys in the documented order, known features and
//! states, no white space, plain ASCII without escapes) and answers `None` to anything else, which then goes to serde. Where it
//! does answer, it gives what serde gives; a test holds the two against each other.

use crate::domain::{
    AssetId, Event, EventId, EventType, Feature, FeatureState, Features, Id, Observation, TaskId,
    Time, UserId,
};

/// Reads an envelope in the documented form; `None` means that it has another.
pub(super) fn scan(json: &[u8]) -> Option<Event> {
    let mut at = Cursor { rest: json };
    let published = at.time(br#"{"timestamp":""#)?;
    let user = at.id(br#","user_id":""#)?;
    let id = EventId(at.id(br#","event_id":""#)?);
    if id.0 == Id::Text("".into()) {
        return None;
    }
    let kind = at.text(br#","event_type":""#)?;
    let task = TaskId(at.id(br#","data":{"task":{"id":""#)?);
    let asset = AssetId(at.id(br#","asset_id":""#)?);
    let features = at.features()?;
    let owner = UserId(at.id(br#","user_id":""#)?);
    let created = at.time(br#","created":""#)?;
    let updated = at.time(br#","updated":""#)?;
    if at.rest != b"}}}" {
        return None;
    }
    let seen = Observation {
        task,
        asset,
        user: owner,
        features,
        created,
        updated,
        published: Some(published),
        event: Some(id.clone()),
    };
    Some(Event {
        id,
        kind: EventType::new(kind),
        published: Some(published),
        user: Some(UserId(user)),
        task: Some(seen),
        asset_name: None,
    })
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Passes over `before`, which ends in a quote, and takes the plain ASCII up to the next quote.
    fn plain(&mut self, before: &[u8]) -> Option<&'a [u8]> {
        let rest = self.rest.strip_prefix(before)?;
        let end = rest
            .iter()
            .position(|&byte| byte == b'"' || !is_plain(byte))?;
        let (text, rest) = rest.split_at(end);
        self.rest = rest.strip_prefix(b"\"")?;
        Some(text)
    }

    fn text(&mut self, before: &[u8]) -> Option<&'a str> {
        std::str::from_utf8(self.plain(before)?).ok()
    }

    fn id(&mut self, before: &[u8]) -> Option<Id> {
        let rest = self.rest.strip_prefix(before)?;
        if let Some((uuid, after)) = rest.split_first_chunk::<36>()
            && let Some(id) = Id::from_uuid(uuid)
            && let Some(after) = after.strip_prefix(b"\"")
        {
            self.rest = after;
            return Some(id);
        }
        self.text(before).map(Id::new)
    }

    fn time(&mut self, before: &[u8]) -> Option<Time> {
        self.plain(before).and_then(Time::from_ascii)
    }

    fn features(&mut self) -> Option<Features> {
        let mut features = Features::default();
        let mut before: &[u8] = br#","features":{""#;
        loop {
            // An unknown word is rare; serde reads it.
            let feature = Feature::known(self.plain(before)?)?;
            let state = FeatureState::known(self.plain(br#":{"state":""#)?)?;
            features.set(feature, state);
            self.rest = self.rest.strip_prefix(b"}")?;
            if let Some(rest) = self.rest.strip_prefix(b"}") {
                self.rest = rest;
                return Some(features);
            }
            before = b",\"";
        }
    }
}

/// Printable ASCII that stands for itself in a JSON string.
fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'\\'
}
