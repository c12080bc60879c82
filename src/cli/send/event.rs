//! Events as the service publishes them, with features that a real file would have.

use serde_json::{Map, Value, json};

use crate::cli::output::{Stop, usage};
use crate::domain::Time;
use crate::domain::time::SECOND;

/// The events that become webhooks.
pub const NAMES: [&str; 3] = ["task.progress", "task.failed", "task.completed"];

/// How long ago the sample's task was created, in seconds.
const AGE_S: i64 = 94;

/// A task given as JSON, or in a file.
pub fn task(text: &str) -> Result<Map<String, Value>, Stop> {
    let is_json = text.trim_start().starts_with(['{', '[']);
    let text = if is_json {
        text.to_owned()
    } else {
        std::fs::read_to_string(text).map_err(|error| {
            usage(
                "--task",
                format!("{text} is neither JSON nor a file that can be read: {error}"),
            )
        })?
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(usage("--task", "the task is no JSON object")),
        Err(error) => Err(usage("--task", format!("the task is no JSON: {error}"))),
    }
}

/// The envelope of an event at this time, in the form that `JSON.stringify` gives. Fields of `task`
/// take the place of the sample's.
pub fn body(name: &str, task: Option<&Map<String, Value>>, now: Time) -> Result<String, Stop> {
    let states = match name {
        "task.progress" => ["completed", "completed", "processing", "queued"],
        "task.failed" => ["completed", "completed", "failed", "processing"],
        "task.completed" => ["completed"; 4],
        _ => {
            let known = NAMES.join(", ");
            return Err(usage(
                "EVENT",
                format!("{name:?} is no event that becomes a webhook; known are {known}"),
            ));
        }
    };
    let features: Map<String, Value> = ["proxy", "preview", "visual", "transcription"]
        .into_iter()
        .zip(states)
        .map(|(feature, state)| (feature.to_owned(), json!({"state": state})))
        .collect();
    let id = || uuid::Uuid::new_v4().to_string();
    let user = id();
    let mut fields = json!({
        "id": id(),
        "asset_id": id(),
        "features": features,
        "user_id": user,
        "created": now.plus(-AGE_S * SECOND).rfc3339(),
        "updated": now.rfc3339(),
    });
    for (key, value) in task.into_iter().flatten() {
        fields[key] = value.clone();
    }
    let envelope = json!({
        "timestamp": now.rfc3339(),
        "user_id": fields["user_id"],
        "event_id": id(),
        "event_type": name,
        "data": {"task": fields},
    });
    Ok(envelope.to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

    use super::*;
    use crate::domain::ChangeKind;
    use crate::wire::events;
    use crate::wire::sse::Frame;

    #[test]
    fn bodies_are_events_in_their_documented_form() {
        for name in NAMES {
            let body = body(name, None, Time(1_700_000_000 * SECOND)).unwrap();
            assert!(events::is_documented(body.as_bytes()), "{body}");
        }
        let fields = task(r#"{"id":"t","features":{"visual":{"state":"failed"}}}"#).unwrap();
        let body = body("task.failed", Some(&fields), Time(0)).unwrap();
        let frame = Frame {
            event: "message",
            data: body.as_bytes(),
            id: "",
            has_id: false,
        };
        let mut seen = Vec::new();
        events::decode(&frame, |kind| seen.push(kind)).unwrap();
        let [ChangeKind::Event(event)] = seen.as_slice() else {
            panic!("{seen:?}");
        };
        let task = event.task.as_ref().unwrap();
        assert_eq!(task.task.to_string(), "t");
        assert_eq!(task.features.iter().count(), 1);
    }
}
