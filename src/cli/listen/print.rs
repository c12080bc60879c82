//! How `listen` prints a delivery: a readable line, or one JSON object.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::delivery::{Delivery, ENDED, Passed};
use super::reason;
use crate::cli::output::{Output, Stop};
use crate::domain::{ChangeKind, Event, Time, Unfit, masked_url, visible};
use crate::wire::events;
use crate::wire::saved::Saved;
use crate::wire::signature::doctor::Diagnosis;
use crate::wire::sse::Frame;

/// Prints deliveries in the order in which they were answered.
pub struct Printer {
    out: Output,
    is_json: bool,
    zone: i32,
}

impl Printer {
    pub fn new(out: Output, is_json: bool, zone: i32) -> Self {
        Self { out, is_json, zone }
    }

    pub fn delivery(&mut self, delivery: &Delivery) -> Result<(), Stop> {
        let event = event(&delivery.request.body);
        if self.is_json {
            let line = Value::from(fields(delivery, event.as_ref()));
            self.out.line(&line.to_string())?;
        } else {
            let line = self.readable(delivery, event.as_ref());
            self.out.styled(&line)?;
            if let Some(found) = delivery.found.as_ref().filter(|found| !found.is_verified()) {
                self.out
                    .styled(&format!("          {}", visible(&found.advice())))?;
            }
        }
        Ok(self.out.flush()?)
    }

    /// Says that a request was turned away, and why; it is no delivery and counts as none.
    pub fn turned_away(&mut self, request: &Saved, why: Unfit, at: Time) -> Result<(), Stop> {
        let (path, reason) = (masked_url(&request.path), reason(why));
        if self.is_json {
            let line = json!({
                "timestamp": at.rfc3339(),
                "turned_away": reason,
                "method": request.method,
                "path": path,
                "response_status_code": why.code(),
            });
            self.out.line(&line.to_string())?;
        } else {
            let (time, method) = (at.clock(self.zone), visible(&request.method));
            let (path, code) = (visible(&path), why.code());
            let line = format!("{time}  turned away       {method} {path}: {reason}  → {code}");
            self.out.styled(&line)?;
        }
        Ok(self.out.flush()?)
    }

    fn readable(&self, delivery: &Delivery, event: Option<&Event>) -> String {
        let time = delivery.received.clock(self.zone);
        let name = event.map_or("?", |event| event.kind.name());
        let task = event.and_then(|event| event.task.as_ref());
        let what = task.map_or_else(String::new, |task| {
            let tally = task.features.tally();
            let (ready, wanted) = (tally.ready, tally.wanted);
            format!("{}  {ready} of {wanted}", task.task.short(13))
        });
        let id = delivery.request.signature().id.unwrap_or("no id");
        let mut line = format!(
            "{time}  {:<16}  {}  {}",
            visible(name),
            visible(&what),
            visible(id)
        );
        if delivery.entry.count > 1 {
            let _ = write!(line, "  ×{}", delivery.entry.count);
        }
        if delivery.entry.is_other_body {
            line.push_str("  (another body than before)");
        }
        let (verdict, tone) = match &delivery.found {
            None => ("not checked".to_owned(), "0"),
            Some(found) if found.is_verified() => ("verified".to_owned(), "32"),
            Some(found) => (format!("not verified: {}", found.words()), "31"),
        };
        let verdict = visible(&verdict);
        if self.out.has_color && tone != "0" {
            let _ = write!(line, "  \u{1b}[{tone}m{verdict}\u{1b}[0m");
        } else {
            let _ = write!(line, "  {verdict}");
        }
        match delivery.forwarded.as_ref().map(|passed| &passed.outcome) {
            None => {}
            Some(Passed::Answered {
                code,
                location,
                cut,
            }) => {
                let _ = write!(line, "  forwarded: {code}");
                if let Some(to) = location {
                    let _ = write!(line, " to {}", visible(&masked_url(to)));
                }
                if let Some(why) = cut {
                    let _ = write!(line, ", cut: {why}");
                }
            }
            Some(Passed::Unknown(why)) => {
                let _ = write!(line, "  forwarded, may have arrived: {}", visible(why));
            }
            Some(Passed::NotSent(why)) => {
                let _ = write!(line, "  not forwarded: {}", visible(why));
            }
        }
        if !delivery.is_answered {
            line.push_str("  not answered: its sender hung up before");
            return line;
        }
        let _ = write!(line, "  → {}", delivery.code);
        if delivery.is_cut_short {
            let _ = write!(line, ": {ENDED}");
        }
        line
    }
}

fn fields(delivery: &Delivery, event: Option<&Event>) -> Map<String, Value> {
    let found = delivery.found.as_ref();
    let task = event.and_then(|event| event.task.as_ref());
    let forwarded = delivery.forwarded.as_ref().map(|passed| {
        let (location, cut) = match &passed.outcome {
            Passed::Answered { location, cut, .. } => (location.as_deref(), cut.as_deref()),
            Passed::Unknown(_) | Passed::NotSent(_) => (None, None),
        };
        json!({
            "response_status_code": passed.outcome.code().unwrap_or(0),
            "error": passed.outcome.error(),
            "location": location.map(masked_url),
            "response_cut": cut,
            "may_have_arrived": !matches!(passed.outcome, Passed::NotSent(_)),
            "response_duration_ms": passed.took_ms,
        })
    });
    let mut fields = Map::new();
    for (name, value) in [
        ("message_id", json!(delivery.request.signature().id)),
        ("event_type", json!(event.map(|event| event.kind.name()))),
        ("task_id", json!(task.map(|task| task.task.to_string()))),
        ("timestamp", delivery.received.rfc3339().into()),
        ("delivery", delivery.entry.count.into()),
        ("is_other_body", delivery.entry.is_other_body.into()),
        ("verified", json!(found.map(Diagnosis::is_verified))),
        (
            "cause",
            json!(
                found
                    .filter(|found| !found.is_verified())
                    .map(Diagnosis::name)
            ),
        ),
        ("reason", json!(found.map(Diagnosis::words))),
        (
            "response_status_code",
            json!(delivery.is_answered.then_some(delivery.code)),
        ),
        ("cut_short", delivery.is_cut_short.into()),
        ("forwarded", json!(forwarded)),
        ("turned_away", Value::Null),
        ("saved_as", json!(delivery.saved_as)),
    ] {
        fields.insert(name.to_owned(), value);
    }
    fields.extend(delivery.request.json());
    fields
}

/// The event that a body is, if it is one.
pub fn event(body: &[u8]) -> Option<Event> {
    let frame = Frame {
        event: "message",
        data: body,
        id: "",
        has_id: false,
    };
    let mut found = None;
    let _ = events::decode(&frame, |kind| {
        if let ChangeKind::Event(event) = kind {
            found.get_or_insert(event);
        }
    });
    found
}
