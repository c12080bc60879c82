//! Bodies of the Svix API that the Aspect API has none of (reference: svix.md parts 2 and 3).

use serde_json::{Map, Value};

use super::hide::{hide, is_secret};
use super::lenient::{first, id_text, status, time, whole};
use super::rest::{self, Logged, Page, Row};
use crate::domain::{
    Attempt, AttemptHeaders, AttemptStatus, Endpoint, Headers, MASK, MessageId, Stats, Time,
    Unreadable,
};

/// How a message stands at one endpoint. The endpoint may be deleted by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub endpoint: Endpoint,
    pub status: AttemptStatus,
    /// When the next automatic try is due; in the past, it is late. The status alone does not
    /// tell: the same message is "fail" here and "sending" in another list.
    pub next_attempt: Option<Time>,
}

/// A task of the service that goes on after its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Background {
    pub id: String,
    /// `running`, `finished` or `failed`.
    pub status: String,
}

/// Reads a page of the destinations of a message. Only an empty page is the last: the open-source
/// server says `done` on each.
pub fn destinations(body: &[u8]) -> Result<Page<Destination>, Unreadable> {
    let mut page = rest::page("destinations", body, Some(&[]), |row| {
        Some(Destination {
            endpoint: rest::endpoint(row)?,
            status: first(row, &["status"])
                .and_then(status)
                .unwrap_or(AttemptStatus::Unknown),
            next_attempt: first(row, &["nextAttempt", "next_attempt"]).and_then(time),
        })
    })?;
    let is_empty = page.rows.is_empty() && page.unreadable.is_empty();
    page.is_last = is_empty || page.next.is_none() && page.is_last;
    Ok(page)
}

/// Reads a page of the names of event types; those that are archived take no new endpoint.
pub fn event_types(body: &[u8]) -> Result<Page<String>, Unreadable> {
    rest::page("event types", body, None, |row| {
        row.get("name")?.as_str().map(str::to_owned)
    })
}

/// Reads one message.
pub fn message(body: &[u8]) -> Result<Row<Logged>, Unreadable> {
    one("message", body, None, rest::message)
}

/// Reads one attempt of this message.
pub fn attempt(body: &[u8], of: &MessageId) -> Result<Row<Attempt>, Unreadable> {
    one("attempt", body, Some(&rest::RESPONSES), |row| {
        rest::attempt(row, Some(of), None)
    })
}

/// Reads the counts of an endpoint's attempts.
pub fn stats(body: &[u8]) -> Result<Stats, Unreadable> {
    let row = object("stats", body)?;
    let count = |name: &str| row.get(name).and_then(whole).unwrap_or(0);
    Ok(Stats {
        success: count("success"),
        pending: count("pending"),
        sending: count("sending"),
        fail: count("fail"),
        canceled: count("canceled"),
    })
}

/// Reads the headers of an attempt.
pub fn attempt_headers(body: &[u8]) -> Result<AttemptHeaders, Unreadable> {
    let row = object("attempt headers", body)?;
    Ok(AttemptHeaders {
        sent: headers_in(&row, &["sentHeaders", "sent_headers"]),
        received: Headers {
            sensitive: Vec::new(),
            ..headers_in(&row, &["responseHeaders", "response_headers"])
        },
    })
}

/// Reads what a recovery or another replay of many began.
pub fn background(body: &[u8]) -> Result<Background, Unreadable> {
    let row = object("background task", body)?;
    let text = |name: &str| row.get(name).and_then(id_text);
    Ok(Background {
        id: text("id").unwrap_or_default(),
        status: text("status").unwrap_or_else(|| "running".to_owned()),
    })
}

/// Whether a refusal is of the API itself, which names a code or the faults; an empty one says
/// that there is no such route.
pub fn is_spoken(body: &[u8]) -> bool {
    let row = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
    row.contains_key("code") || row.contains_key("detail")
}

fn headers_in(row: &Map<String, Value>, names: &[&str]) -> Headers {
    let fields = first(row, names).and_then(Value::as_object);
    let told = fields.into_iter().flatten().map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (name.clone(), text)
    });
    let hidden = row.get("sensitive").and_then(Value::as_array);
    let hidden = hidden.into_iter().flatten().filter_map(Value::as_str);
    let sensitive: Vec<String> = hidden.map(str::to_owned).collect();
    // What is secret by its name is, whatever the service says of it.
    let is_hidden = |name: &str| {
        let mut told_so = sensitive.iter();
        is_secret(name) || told_so.any(|hidden| hidden.eq_ignore_ascii_case(name))
    };
    Headers {
        headers: told
            .map(|(name, value)| {
                let value = if is_hidden(&name) {
                    MASK.to_owned()
                } else {
                    value
                };
                (name, value)
            })
            .collect(),
        sensitive,
        ..Headers::default()
    }
}

fn object(place: &'static str, body: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    match rest::parse(place, body)? {
        Value::Object(row) => Ok(row),
        _ => Err(rest::unreadable(place, "JSON, but no object", body)),
    }
}

/// Reads one thing. With `hides`, secrets are taken out of it, but for what stands under the names
/// in it.
fn one<T>(
    place: &'static str,
    body: &[u8],
    hides: Option<&[&str]>,
    read: impl Fn(&Map<String, Value>) -> Option<T>,
) -> Result<Row<T>, Unreadable> {
    let mut raw = object(place, body)?;
    if let Some(spared) = hides {
        hide(&mut raw, &rest::URLS, spared);
    }
    match read(&raw) {
        Some(value) => Ok(Row { value, raw }),
        None => Err(rest::unreadable(place, format!("no {place} in it"), body)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn destinations_go_on_until_a_page_is_empty() {
        let row = r#"{"id":"ep_1","url":"http://u:pw@x/","status":2,"statusText":"fail","nextAttempt":"2026-11-22T00:37:19.417760Z"}"#;
        let page =
            destinations(format!(r#"{{"data":[{row}],"iterator":"ep_1","done":true}}"#).as_bytes())
                .unwrap();
        assert!(!page.is_last);
        let found = &page.rows[0].value;
        assert_eq!(found.status, AttemptStatus::Fail);
        assert_eq!(&*found.endpoint.url, "http://***@x/");
        assert!(found.next_attempt.is_some());
        let end = destinations(br#"{"data":[],"iterator":null,"done":true}"#).unwrap();
        assert!(end.is_last);
        for word in ["\"success\"", "0", "\"0\""] {
            let body = format!(r#"{{"data":[{{"id":"e","status":{word},"nextAttempt":null}}]}}"#);
            let found = destinations(body.as_bytes()).unwrap().rows.remove(0).value;
            assert_eq!(
                (found.status, found.next_attempt),
                (AttemptStatus::Success, None)
            );
        }
    }

    #[test]
    fn counts_and_headers() {
        let counts = stats(br#"{"success":20,"fail":120,"new":1}"#).unwrap();
        assert_eq!((counts.success, counts.fail, counts.canceled), (20, 120, 0));
        let body = br#"{"sentHeaders":{"X-Tenant":"blue","n":1},"responseHeaders":{"server":"x"},"sensitive":["Authorization"]}"#;
        let found = attempt_headers(body).unwrap();
        assert_eq!(found.sent.headers["X-Tenant"], "blue");
        assert_eq!(found.sent.sensitive, ["Authorization"]);
        assert_eq!(found.received.headers["server"], "x");
        assert!(found.received.sensitive.is_empty());
        assert!(stats(b"[]").is_err());
    }

    #[test]
    fn an_empty_answer_is_of_no_route() {
        assert!(is_spoken(
            br#"{"code":"not_found","detail":"Entity not found"}"#
        ));
        assert!(is_spoken(br#"{"detail":[]}"#));
        assert!(!is_spoken(b"") && !is_spoken(b"<html>"));
    }
}
