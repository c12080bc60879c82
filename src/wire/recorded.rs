//! Rows of what was recorded, in the form in which the API gives them, for the same lines.

use serde_json::{Map, Value, json};

use super::rest::{Logged, Row};
use crate::domain::{Attempt, Message, Observation, Payload};

/// A task's row.
pub fn task(seen: Observation) -> Row<Observation> {
    let states = seen.features.iter().map(|(feature, state)| {
        let state = json!({"state": state.name()});
        (feature.name().to_owned(), state)
    });
    let features: Map<String, Value> = states.collect();
    let raw = [
        ("id", json!(seen.task.to_string())),
        ("asset_id", json!(seen.asset.to_string())),
        ("features", Value::Object(features)),
        ("user_id", json!(seen.user.to_string())),
    ];
    row(seen, raw)
}

/// A message's row.
pub fn message(message: Message) -> Row<Logged> {
    let payload = match &message.payload {
        Payload::Json(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(&**text)),
        Payload::Expired | Payload::Absent => Value::Null,
    };
    let raw = [("id", json!(message.id.to_string())), ("payload", payload)];
    row(
        Logged {
            message,
            task: None,
        },
        raw,
    )
}

/// An attempt's row.
pub fn attempt(attempt: Attempt) -> Row<Attempt> {
    let raw = [
        ("id", json!(attempt.id.to_string())),
        ("response", json!(&*attempt.response)),
    ];
    row(attempt, raw)
}

fn row<T, const N: usize>(value: T, raw: [(&str, Value); N]) -> Row<T> {
    let raw = raw.map(|(name, value)| (name.to_owned(), value));
    Row {
        value,
        raw: raw.into_iter().collect(),
    }
}
