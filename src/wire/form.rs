//! The form in which a list came: how it is wrapped, how it is paged, which names its rows use.
//! For people who want to know what a service really answers; the reading itself is `rest`.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::lenient::{CURSORS, place_of_rows};
use super::rest;

/// Words by which an answer says whether there is more.
const ENDS: [&str; 3] = ["done", "has_more", "hasMore"];

/// A field by its meaning, and the names under which it is known, the documented one first.
pub type Known = (&'static str, &'static [&'static str]);

/// The fields of a task that are looked for.
pub const TASK: [Known; 3] = [
    ("id", &["id", "task_id", "taskId"]),
    ("asset", &["asset_id", "assetId"]),
    ("updated", &["updated", "updated_at", "updatedAt"]),
];
/// The fields of a message that are looked for.
pub const MESSAGE: [Known; 5] = [
    ("id", &rest::MESSAGE_IDS),
    ("event id", &rest::EVENT_IDS),
    ("type", &rest::EVENT_TYPES),
    ("time", &rest::MESSAGE_TIMES),
    ("payload", &rest::PAYLOADS),
];
/// The fields of an attempt that are looked for.
pub const ATTEMPT: [Known; 7] = [
    ("id", &rest::ATTEMPT_IDS),
    ("message", &rest::OF_MESSAGE),
    ("endpoint", &rest::AT_ENDPOINT),
    ("status", &rest::STATUSES),
    ("code", &rest::CODES),
    ("trigger", &rest::TRIGGERS),
    ("time", &rest::ATTEMPT_TIMES),
];
/// The fields of an endpoint that are looked for.
pub const ENDPOINT: [Known; 3] = [
    ("id", &["id", "endpoint_id", "endpointId"]),
    ("url", &rest::URLS),
    ("event types", &rest::WANTED),
];

/// The form of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form {
    /// Where the rows lie: empty for a bare array, else `data`, `data.messages`.
    pub place: String,
    /// Fields of the envelope that tell of further pages, as they are named here.
    pub paging: Vec<String>,
    /// Fields of the first row that are not named as documented: meaning, and name here.
    pub aliases: Vec<(&'static str, String)>,
    /// Meanings that no field of the first row has.
    pub absent: Vec<&'static str>,
}

impl Form {
    /// In words: `bare, no paging`, `wrapped in data, paged by iterator and done, id is msgId`.
    pub fn words(&self) -> String {
        let mut words = match self.place.as_str() {
            "" => "a bare array".to_owned(),
            place => format!("wrapped in {place}"),
        };
        if self.paging.is_empty() {
            words.push_str(", no paging");
        } else {
            let _ = write!(words, ", paged by {}", self.paging.join(" and "));
        }
        for (meaning, name) in &self.aliases {
            let _ = write!(words, ", {meaning} is {name}");
        }
        if !self.absent.is_empty() {
            let _ = write!(words, ", without {}", self.absent.join(" or "));
        }
        words
    }
}

/// Reads the form of a list; an answer that is none has the empty form.
pub fn of(body: &[u8], known: &[Known]) -> Form {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Form::default();
    };
    let place = body.as_object().and_then(place_of_rows).unwrap_or_default();
    let mut form = Form {
        place: place.join("."),
        paging: paging(&body),
        ..Form::default()
    };
    let rows = place.iter().try_fold(&body, |found, name| found.get(name));
    let first = rows.and_then(|rows| rows.get(0)).and_then(Value::as_object);
    let Some(first) = first else { return form };
    for (meaning, names) in known {
        match name_of(first, names) {
            None => form.absent.push(meaning),
            Some(name) if Some(&name) != names.first() => {
                form.aliases.push((meaning, name.to_owned()));
            }
            Some(_) => {}
        }
    }
    form
}

fn name_of<'a>(row: &Map<String, Value>, names: &[&'a str]) -> Option<&'a str> {
    names
        .iter()
        .find(|name| row.get(**name).is_some_and(|value| !value.is_null()))
        .copied()
}

fn paging(body: &Value) -> Vec<String> {
    let inner = body.get("data").and_then(Value::as_object);
    let levels = || [body.as_object(), inner].into_iter().flatten();
    let named = |names: &[&'static str]| levels().find_map(|level| present(level, names));
    [named(&CURSORS), named(&ENDS)]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect()
}

/// The first of these fields that is there, null or not: the last page has no cursor.
fn present(level: &Map<String, Value>, names: &[&'static str]) -> Option<&'static str> {
    names
        .iter()
        .find(|name| level.contains_key(**name))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_in_words() {
        for (body, known, expected) in [
            ("[]", &MESSAGE[..], "a bare array, no paging"),
            (
                r#"{"data":[{"id":"m","event_id":"e","event_type":"t","timestamp":1,"payload":{}}],"iterator":null,"done":true}"#,
                &MESSAGE[..],
                "wrapped in data, paged by iterator and done",
            ),
            (
                r#"{"data":{"deliveries":[{"id":"a","msgId":"m","endpointId":"e","status":1,"responseStatusCode":200,"timestamp":1}],"hasMore":false}}"#,
                &ATTEMPT[..],
                "wrapped in data.deliveries, paged by hasMore, message is msgId, endpoint is endpointId, code is responseStatusCode, without trigger",
            ),
            (
                r#"{"hooks":[{"id":"ep","endpointUrl":"u","eventTypes":[]}]}"#,
                &ENDPOINT[..],
                "wrapped in hooks, no paging, url is endpointUrl, event types is eventTypes",
            ),
            ("<html>", &TASK[..], "a bare array, no paging"),
        ] {
            assert_eq!(of(body.as_bytes(), known).words(), expected, "{body}");
        }
    }
}
