//! JSON in other shapes than the documented ones, as services of this family may send it.

use serde_json::{Map, Value};

use super::fault::{Fault, FaultSet};

/// Whether these faults change any JSON.
pub fn changes_json(faults: FaultSet) -> bool {
    faults.has_any(FaultSet::of(&[
        Fault::BareTasks,
        Fault::Arrays,
        Fault::CamelCase,
        Fault::NaiveTimes,
    ]))
}

/// An event's data as these faults shape it; what is no JSON stays as it is.
pub fn event(data: &[u8], faults: FaultSet) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(data).ok()?;
    if faults.has(Fault::BareTasks)
        && let Some(task) = value.pointer_mut("/data/task")
    {
        value = task.take();
    }
    let mut value = body(value, faults);
    if faults.has(Fault::Arrays) {
        value = Value::Array(vec![value]);
    }
    serde_json::to_vec(&value).ok()
}

/// A body of the REST API as these faults shape it.
pub fn body(mut value: Value, faults: FaultSet) -> Value {
    if faults.has(Fault::NaiveTimes) {
        without_zones(&mut value);
    }
    if faults.has(Fault::CamelCase) {
        value = in_camel_case(value);
    }
    value
}

/// Takes the Z off every time.
fn without_zones(value: &mut Value) {
    match value {
        Value::String(text) if is_time(text) => {
            text.pop();
        }
        Value::Array(items) => items.iter_mut().for_each(without_zones),
        Value::Object(fields) => fields.values_mut().for_each(without_zones),
        _ => {}
    }
}

fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 20
        && bytes.ends_with(b"Z")
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && (bytes[4], bytes[10], bytes[13]) == (b'-', b'T', b':')
}

/// Names in camelCase; the names of features and what webhooks carried stay as they are.
fn in_camel_case(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(in_camel_case).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let is_kept = name == "features" || name == "payload";
                let value = if is_kept { value } else { in_camel_case(value) };
                (camel(&name), value)
            })
            .collect::<Map<String, Value>>()
            .into(),
        other => other,
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut found = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        found.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        found.push_str(letters.as_str());
    }
    found
}

/// `/openapi.json` without the paths that these faults take away.
pub fn published(mut document: Value, faults: FaultSet) -> Value {
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        paths.retain(|path, _| {
            let is_stream = path.starts_with("/events");
            !(is_stream && faults.has(Fault::NoStream)
                || is_log(path) && faults.has(Fault::NoLogs)
                || path.starts_with("/tasks/") && faults.has(Fault::NoTasks))
        });
    }
    document
}

/// Whether a path is a log of messages or attempts.
pub fn is_log(path: &str) -> bool {
    path == "/webhooks/messages"
        || path == "/webhooks/delivery-attempts"
        || path.starts_with("/webhooks/endpoints/") && path.ends_with("/deliveries")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const EVENT: &str = r#"{"timestamp":"2026-11-22T14:02:25.000001Z","event_id":"e","event_type":"task.failed","data":{"task":{"id":"t","asset_id":"a","features":{"scene_detect":{"state":"failed"}},"updated":"2026-11-22T14:02:25.000001Z"}}}"#;

    fn shaped(fault: Fault) -> String {
        String::from_utf8(event(EVENT.as_bytes(), FaultSet::of(&[fault])).unwrap()).unwrap()
    }

    #[test]
    fn each_shape_is_what_it_says() {
        let bare = shaped(Fault::BareTasks);
        assert!(bare.starts_with(r#"{"id":"t","asset_id":"a""#), "{bare}");
        let array = shaped(Fault::Arrays);
        assert_eq!(array, format!("[{EVENT}]"));
        let camel = shaped(Fault::CamelCase);
        assert!(camel.contains(r#""eventId":"e""#) && camel.contains(r#""assetId":"a""#));
        assert!(camel.contains("scene_detect"), "{camel}");
        let naive = shaped(Fault::NaiveTimes);
        assert_eq!(naive, EVENT.replace("Z\"", "\""));
    }

    #[test]
    fn what_is_taken_away_is_not_published() {
        let document = serde_json::json!({"paths": {
            "/events": {}, "/webhooks/messages": {}, "/webhooks/endpoints/{endpoint_id}": {},
            "/webhooks/endpoints/{endpoint_id}/deliveries": {}, "/tasks/active": {}, "/tasks": {},
        }});
        let left = |fault| {
            let document = published(document.clone(), FaultSet::of(&[fault]));
            document["paths"].as_object().unwrap().len()
        };
        assert_eq!(left(Fault::NoStream), 5);
        assert_eq!(left(Fault::NoLogs), 4);
        assert_eq!(left(Fault::NoTasks), 5);
        assert_eq!(left(Fault::Crlf), 6);
    }
}
