//! The one place of tolerance: list envelopes, field aliases, times, words or numbers.
//!
//! The shapes of the log lists are not documented (reference: aspect-api.md part 6), so every form
//! that a service of this family sends is read here; nothing above `wire` ever sees an alias.

use serde_json::{Map, Value};

use crate::domain::{AttemptStatus, Time, Trigger, masked_urls};

/// Longest part of what could not be read that is kept, in bytes.
const MAX_EXCERPT: usize = 4096;

/// Names under which a list lies in its envelope, in the order in which they are looked for.
const LISTS: [&str; 11] = [
    "data",
    "items",
    "results",
    "messages",
    "attempts",
    "delivery_attempts",
    "deliveryAttempts",
    "deliveries",
    "endpoints",
    "tasks",
    "logs",
];
pub(super) const CURSORS: [&str; 6] = [
    "iterator",
    "next_iterator",
    "nextIterator",
    "next_cursor",
    "cursor",
    "next",
];

/// A list taken out of its envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub rows: Vec<Value>,
    /// What to ask for the next page with; `None` if the answer gave nothing.
    pub next: Option<String>,
    /// Whether this was the last page, if the answer says so.
    pub is_done: Option<bool>,
    /// Whether there was `null` where the list should be.
    pub is_null: bool,
}

/// Takes the list out of an answer: a bare array, an array under one of its usual names, the same
/// one level deeper, the only array there is, or one object with an id. `None` if there is none.
pub fn list(body: Value) -> Option<Listed> {
    let mut listed = Listed {
        rows: Vec::new(),
        next: None,
        is_done: None,
        is_null: false,
    };
    match body {
        Value::Array(rows) => listed.rows = rows,
        // No application yet: nothing was ever sent.
        Value::Null => listed.is_null = true,
        Value::Object(mut envelope) => {
            paging(&envelope, &mut listed);
            listed.is_null = LISTS
                .iter()
                .any(|name| envelope.get(*name) == Some(&Value::Null));
            listed.rows = match rows_of(&mut envelope) {
                Some(rows) => rows,
                None if first(&envelope, &["id"]).is_some() => vec![Value::Object(envelope)],
                None => return None,
            };
        }
        _ => return None,
    }
    Some(listed)
}

fn rows_of(envelope: &mut Map<String, Value>) -> Option<Vec<Value>> {
    let place = place_of_rows(envelope)?;
    let (outer, inner) = place.split_first()?;
    let mut found = envelope.get_mut(outer)?;
    for name in inner {
        found = found.get_mut(name)?;
    }
    match found.take() {
        Value::Array(rows) => Some(rows),
        _ => Some(Vec::new()),
    }
}

/// Where in its envelope a list lies, from the outside in; `None` if there is no list in it.
pub(super) fn place_of_rows(envelope: &Map<String, Value>) -> Option<Vec<String>> {
    for name in LISTS {
        match envelope.get(name) {
            Some(Value::Array(_) | Value::Null) => return Some(vec![name.to_owned()]),
            Some(Value::Object(inner)) => {
                let found = LISTS
                    .iter()
                    .find(|name| inner.get(**name).is_some_and(Value::is_array));
                if let Some(found) = found {
                    return Some(vec![name.to_owned(), (*found).to_owned()]);
                }
            }
            _ => {}
        }
    }
    let mut arrays = envelope.iter().filter(|(_, value)| value.is_array());
    match (arrays.next(), arrays.next()) {
        (Some((name, Value::Array(rows))), None) if first_is_object(rows) => {
            Some(vec![name.clone()])
        }
        _ => None,
    }
}

fn first_is_object(rows: &[Value]) -> bool {
    rows.first().is_none_or(Value::is_object)
}

fn paging(envelope: &Map<String, Value>, listed: &mut Listed) {
    let inner = envelope.get("data").and_then(Value::as_object);
    for level in [Some(envelope), inner].into_iter().flatten() {
        listed.next = listed.next.take().or_else(|| {
            first(level, &CURSORS)
                .and_then(id_text)
                .and_then(|text| cursor(&text))
        });
        let done = first(level, &["done"]).and_then(flag);
        let more = first(level, &["has_more", "hasMore"]).and_then(flag);
        listed.is_done = listed.is_done.or(done).or(more.map(|more| !more));
    }
}

/// The cursor itself; where the service gives the next page's URL, its cursor parameter.
fn cursor(text: &str) -> Option<String> {
    let looks_like_url = text.starts_with("http") || text.starts_with('/');
    let found = match text.split_once('?') {
        Some((_, query)) if looks_like_url => query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            CURSORS.contains(&name).then_some(value)
        })?,
        _ => text,
    };
    (!found.is_empty()).then(|| found.to_owned())
}

/// The thing itself, where an answer may wrap it: `{task:{…}}`, `{data:{…}}`, `{data:{task:{…}}}`.
pub fn unwrap_one<'a>(body: &'a Value, name: &str) -> &'a Value {
    let mut found = body;
    for _ in 0..3 {
        let inner = [name, "data", "result", "item"]
            .iter()
            .filter_map(|name| found.get(*name))
            .find(|inner| inner.is_object());
        match inner {
            Some(inner) if found.get("id").is_none() => found = inner,
            _ => break,
        }
    }
    found
}

/// The first of these fields that is there and not null.
pub fn first<'a>(row: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names
        .iter()
        .filter_map(|name| row.get(*name))
        .find(|value| !value.is_null())
}

/// An id or name as text, whether it came as text or as a number.
pub fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A time: RFC 3339 with or without zone, or a number of seconds or milliseconds since 1970.
pub fn time(value: &Value) -> Option<Time> {
    match value {
        Value::String(text) => Time::parse(text),
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| number.is_finite())?;
            // Seconds reach this figure in the year 5138.
            let micros = if number.abs() < 1e11 {
                number * 1e6
            } else {
                number * 1e3
            };
            Some(Time(micros as i64))
        }
        _ => None,
    }
}

/// A whole number, whether it came as a number or as text; fractions are cut.
pub fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            let number = number.as_f64()?;
            (number >= 0.0).then_some(number as u64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A flag, whether it came as such, as a number or as a word.
pub fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_i64().map(|number| number != 0),
        Value::String(text) => match text.as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// An attempt's status from Svix's number or any of its words (svix.md part 3).
pub fn status(value: &Value) -> Option<AttemptStatus> {
    let word = match value {
        Value::Number(_) => None,
        Value::String(text) => Some(text.to_ascii_lowercase()),
        _ => return None,
    };
    let Some(word) = word else {
        return Some(status_number(whole(value)));
    };
    Some(match word.as_str() {
        "success" | "succeeded" | "successful" | "ok" | "delivered" => AttemptStatus::Success,
        "pending" | "queued" => AttemptStatus::Pending,
        "fail" | "failed" | "failure" | "error" => AttemptStatus::Fail,
        "sending" | "retrying" => AttemptStatus::Sending,
        "canceled" | "cancelled" => AttemptStatus::Canceled,
        word => status_number(word.parse().ok()),
    })
}

fn status_number(number: Option<u64>) -> AttemptStatus {
    match number {
        Some(0) => AttemptStatus::Success,
        Some(1) => AttemptStatus::Pending,
        Some(2) => AttemptStatus::Fail,
        Some(3) => AttemptStatus::Sending,
        Some(4) => AttemptStatus::Canceled,
        _ => AttemptStatus::Unknown,
    }
}

/// An attempt's trigger from Svix's number or a word.
pub fn trigger(value: &Value) -> Trigger {
    let word = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.to_ascii_lowercase(),
        _ => String::new(),
    };
    match word.as_str() {
        "0" | "scheduled" | "automatic" | "auto" => Trigger::Scheduled,
        "1" | "manual" | "resend" | "replay" => Trigger::Manual,
        _ => Trigger::Unknown,
    }
}

/// The beginning of what could not be read, with the secrets of URLs masked.
pub fn excerpt(bytes: &[u8]) -> String {
    // A cut within a URL would hide that what stands before it is a password.
    let start = bytes.get(..2 * MAX_EXCERPT).unwrap_or(bytes);
    let text = String::from_utf8_lossy(start);
    let safe = masked_urls(&text);
    safe[..safe.floor_char_boundary(MAX_EXCERPT)].to_owned()
}

/// What an error answer says: `detail` as text, as a list of faults or as an object, `message`,
/// `error`; else the beginning of the body (aspect-api.md part 1, "Errors").
pub fn error_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..64 * 1024).unwrap_or(body));
    let said = serde_json::from_str::<Value>(&text).ok();
    let found = said.as_ref().and_then(|said| {
        ["detail", "message", "error"]
            .iter()
            .filter_map(|name| said.get(*name))
            .find_map(spoken)
    });
    let found = found.unwrap_or_else(|| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let found = masked_urls(&found);
    match found.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &found[..end]),
        None => found.into_owned(),
    }
}

fn spoken(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(faults) => {
            let words: Vec<String> = faults.iter().filter_map(fault).collect();
            (!words.is_empty()).then(|| words.join("; "))
        }
        Value::Object(inner) => ["message", "detail", "msg"]
            .iter()
            .find_map(|name| inner.get(*name).and_then(spoken)),
        _ => None,
    }
}

/// One fault of a 422: `loc: msg`.
fn fault(fault: &Value) -> Option<String> {
    let message = fault.get("msg").or(Some(fault))?.as_str()?;
    let place: Vec<String> = fault
        .get("loc")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(id_text)
        // What Svix writes where a fault is of the whole (reference: its 422).
        .filter(|name| !matches!(name.as_str(), "?" | "__all__"))
        .collect();
    Some(if place.is_empty() {
        message.to_owned()
    } else {
        format!("{}: {message}", place.join("."))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use serde_json::json;

    #[test]
    fn every_envelope_of_a_list_gives_its_rows() {
        let rows = json!([{"id": "a"}, {"id": "b"}]);
        for body in [
            rows.clone(),
            json!({"data": rows}),
            json!({"messages": rows, "total": 2}),
            json!({"delivery_attempts": rows}),
            json!({"data": {"messages": rows}, "done": true}),
            json!({"whatever": rows, "page": 1}),
        ] {
            assert_eq!(list(body.clone()).unwrap().rows.len(), 2, "{body}");
        }
        assert_eq!(list(json!({"id": "one"})).unwrap().rows.len(), 1);
        assert!(list(Value::Null).unwrap().rows.is_empty());
        assert!(list(json!({"data": null})).unwrap().rows.is_empty());
        assert!(list(json!({"a": [{}], "b": [{}]})).is_none());
        assert!(list(json!("text")).is_none());
    }

    #[test]
    fn paging_under_any_name() {
        let page = list(json!({"data": [], "iterator": "x", "done": false})).unwrap();
        assert_eq!(
            (page.next.as_deref(), page.is_done),
            (Some("x"), Some(false))
        );
        let page = list(json!({"data": [], "nextIterator": 7, "hasMore": true})).unwrap();
        assert_eq!(
            (page.next.as_deref(), page.is_done),
            (Some("7"), Some(false))
        );
        let page = list(json!({"data": {"items": [], "next_cursor": "y"}})).unwrap();
        assert_eq!(page.next.as_deref(), Some("y"));
        let page = list(json!({"items": [], "next": "/x?limit=2&cursor=z"})).unwrap();
        assert_eq!(page.next.as_deref(), Some("z"));
        assert_eq!(list(json!({"items": [], "next": null})).unwrap().next, None);
    }

    #[test]
    fn words_and_numbers_mean_the_same() {
        for (a, b) in [
            (json!(0), json!("Succeeded")),
            (json!(2), json!("FAILURE")),
            (json!(4), json!("cancelled")),
        ] {
            assert_eq!(status(&a), status(&b));
        }
        assert_eq!(status(&json!(99)), Some(AttemptStatus::Unknown));
        assert_eq!(trigger(&json!(1)), trigger(&json!("manual")));
        assert_eq!(
            time(&json!(1_700_000_000)),
            time(&json!(1_700_000_000_000_u64))
        );
        assert_eq!(whole(&json!("12")), Some(12));
    }

    #[test]
    fn error_answers_in_words() {
        assert_eq!(error_text(br#"{"detail":"Not Found"}"#), "Not Found");
        assert_eq!(
            error_text(
                br#"{"detail":[{"loc":["body","url"],"msg":"Field required","type":"missing"}]}"#
            ),
            "body.url: Field required"
        );
        assert_eq!(error_text(br#"{"error":{"message":"no"}}"#), "no");
        assert_eq!(
            error_text(b"Internal Server Error"),
            "Internal Server Error"
        );
        assert_eq!(error_text(&[b'x'; 500]).chars().count(), 201);
    }
}
