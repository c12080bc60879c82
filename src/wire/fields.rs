//! Fields of envelopes and tasks that neither the documentation nor any of their known other names
//! explains: they are kept in the raw bytes, and named here so that they can be listed.

use serde_json::{Map, Value};

const ENVELOPE: [&str; 20] = [
    "timestamp",
    "time",
    "created_at",
    "createdAt",
    "user_id",
    "userId",
    "event_id",
    "eventId",
    "event_type",
    "eventType",
    "type",
    "id",
    "source",
    "data",
    "task",
    "asset",
    "event",
    "payload",
    "message",
    "version",
];
const DATA: [&str; 3] = ["task", "asset", "index"];
/// Every name that a task's fields have here.
pub(super) const TASK: [&str; 14] = [
    "id",
    "task_id",
    "taskId",
    "asset_id",
    "assetId",
    "features",
    "user_id",
    "userId",
    "created",
    "created_at",
    "createdAt",
    "updated",
    "updated_at",
    "updatedAt",
];
const FEATURE: [&str; 4] = ["state", "status", "storage_variant", "storageVariant"];
/// Deepest nesting of wrappers that is looked into.
const MAX_WRAPPERS: usize = 4;
/// Fields told of one text, at most.
const MAX_FIELDS: usize = 20;

/// The fields of a frame's data that are new to us, each with its place.
pub fn new_in_event(data: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_slice::<Value>(data) {
        event(&value, 0, &mut found);
    }
    found
}

/// The same of a task's JSON.
pub fn new_in_task(row: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    task(
        row.get("task").and_then(Value::as_object).unwrap_or(row),
        &mut found,
    );
    found
}

fn event(value: &Value, depth: usize, found: &mut Vec<String>) {
    if depth > MAX_WRAPPERS {
        return;
    }
    match value {
        Value::String(text) => {
            if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                event(&inner, depth + 1, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| event(item, depth + 1, found)),
        Value::Object(bare) if bare.get("features").is_some_and(Value::is_object) => {
            task(bare, found);
        }
        Value::Object(envelope) => {
            note(envelope, "", &ENVELOPE, found);
            for name in ["event", "payload", "message"] {
                let inner = envelope.get(name).filter(|inner| inner.is_object());
                if let Some(inner) = inner {
                    event(inner, depth + 1, found);
                }
            }
            let data = envelope.get("data").and_then(Value::as_object);
            match data {
                Some(bare) if bare.contains_key("features") => task(bare, found),
                Some(data) => note(data, "data.", &DATA, found),
                None => {}
            }
            let told = data.and_then(|data| data.get("task"));
            let told = told.or_else(|| envelope.get("task"));
            if let Some(told) = told.and_then(Value::as_object) {
                task(told, found);
            }
        }
        _ => {}
    }
}

fn task(row: &Map<String, Value>, found: &mut Vec<String>) {
    note(row, "task.", &TASK, found);
    let features = row.get("features").and_then(Value::as_object);
    for info in features.into_iter().flat_map(Map::values) {
        if let Some(info) = info.as_object() {
            note(info, "task.features.*.", &FEATURE, found);
        }
    }
}

fn note(row: &Map<String, Value>, place: &str, known: &[&str], found: &mut Vec<String>) {
    for name in row.keys() {
        if known.contains(&name.as_str()) || found.len() >= MAX_FIELDS {
            continue;
        }
        let field = format!("{place}{name}");
        if !found.contains(&field) {
            found.push(field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_named_with_its_place_once() {
        let task = r#"{"id":"t","asset_id":"a","priority":3,"features":{"proxy":{"state":"queued","eta":7},"visual":{"state":"queued","eta":8,"storage_variant":"hls"}},"user_id":"u","created":"x","updated":"y"}"#;
        let of_task = ["task.priority", "task.features.*.eta"];
        let envelope = format!(
            r#"{{"timestamp":"x","event_id":"e","event_type":"task.progress","trace":"q","data":{{"folder":{{}},"task":{task}}}}}"#
        );
        for (data, before) in [
            (task.to_owned(), &[][..]),
            (format!(r#"{{"task":{task}}}"#), &[]),
            (format!(r#"{{"data":{task}}}"#), &[]),
            (envelope.clone(), &["trace", "data.folder"]),
            (
                format!("[{envelope},{envelope}]"),
                &["trace", "data.folder"],
            ),
            (
                format!(r#"{{"payload":{envelope}}}"#),
                &["trace", "data.folder"],
            ),
            (
                Value::String(envelope.clone()).to_string(),
                &["trace", "data.folder"],
            ),
        ] {
            let expected = [before, &of_task].concat();
            assert_eq!(new_in_event(data.as_bytes()), expected, "{data}");
        }
        let documented = r#"{"timestamp":"x","user_id":"u","event_id":"e","event_type":"asset.created","data":{"asset":{"id":"a","anything":1}}}"#;
        assert!(new_in_event(documented.as_bytes()).is_empty());
        assert!(new_in_event(b"no JSON").is_empty());
    }
}
