//! Bodies of the REST API read as domain values, leniently: one bad row never spoils its list.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::hide::hide;
use super::lenient::{
    excerpt, first, flag, id_text, list, status, time, trigger, unwrap_one, whole,
};
use super::task::lenient_task;
use crate::domain::{
    Attempt, AttemptId, AttemptStatus, Endpoint, EndpointId, EventId, EventType, Message,
    MessageId, Observation, Payload, TaskId, Time, Trigger, Unread, Unreadable,
};

/// A value with the JSON that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Row<T> {
    pub value: T,
    pub raw: Map<String, Value>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub rows: Vec<Row<T>>,
    /// Rows that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// What to ask for the next page with.
    pub next: Option<String>,
    /// Whether there is nothing older.
    pub is_last: bool,
    /// Whether there was `null` where the list should be, which was taken for an empty one.
    pub is_null: bool,
}

impl<T> Page<T> {
    /// Whether there is more, but nothing says how to read on.
    pub fn is_stuck(&self) -> bool {
        !self.is_last && self.next.is_none()
    }
}

/// What is said of a list that goes on where nothing says how.
pub const STUCK: &str = "the service says there is more, but not how to read on";

/// A message, and the task that its payload shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub message: Message,
    pub task: Option<Observation>,
}

/// Reads `GET /tasks/active`.
pub fn tasks(body: &[u8]) -> Result<Page<Observation>, Unreadable> {
    page("tasks", body, None, |row| {
        lenient_task(&Value::Object(row.clone())).or_else(|| lenient_task(row.get("task")?))
    })
}

/// Reads `GET /tasks/{id}`, bare or wrapped.
pub fn task(body: &[u8]) -> Result<Row<Observation>, Unreadable> {
    let value = parse("task", body)?;
    let raw = unwrap_one(&value, "task");
    match (lenient_task(raw), raw.as_object()) {
        (Some(value), Some(raw)) => Ok(Row {
            value,
            raw: raw.clone(),
        }),
        _ => Err(unreadable("task", "no task in it", body)),
    }
}

/// Reads a page of `GET /webhooks/messages`.
pub fn messages(body: &[u8]) -> Result<Page<Logged>, Unreadable> {
    page("messages", body, None, message)
}

/// Reads a page of `GET /webhooks/delivery-attempts`; `of` and `at` fill in what rows leave out
/// because the request named it.
pub fn attempts(
    body: &[u8],
    of: Option<&MessageId>,
    at: Option<&EndpointId>,
) -> Result<Page<Attempt>, Unreadable> {
    page("attempts", body, Some(&RESPONSES), |row| {
        attempt(row, of, at)
    })
}

/// Reads the endpoint list.
pub fn endpoints(body: &[u8]) -> Result<Page<Endpoint>, Unreadable> {
    page("endpoints", body, Some(&[]), endpoint)
}

/// Reads one endpoint, bare or beside its secret: nothing of a body that is none is kept.
pub fn one_endpoint(body: &[u8]) -> Result<Row<Endpoint>, Unreadable> {
    let none = || unreadable("endpoint", "no endpoint in it", b"");
    let value = parse("endpoint", body).map_err(|_| none())?;
    let mut raw = unwrap_one(&value, "endpoint")
        .as_object()
        .cloned()
        .ok_or_else(none)?;
    hide(&mut raw, &URLS, &[]);
    let value = endpoint(&raw).ok_or_else(none)?;
    Ok(Row { value, raw })
}

/// Reads an asset's name out of `GET /assets/{id}`.
pub fn asset_name(body: &[u8]) -> Result<Option<Arc<str>>, Unreadable> {
    let value = parse("asset", body)?;
    let asset = unwrap_one(&value, "asset");
    let Some(asset) = asset.as_object() else {
        return Err(unreadable("asset", "no asset in it", body));
    };
    Ok(first(
        asset,
        &["name", "file_name", "fileName", "filename", "title"],
    )
    .and_then(Value::as_str)
    .map(Into::into))
}

/// Reads `GET /users/me`: whether it is somebody at all.
pub fn user(body: &[u8]) -> Result<(), Unreadable> {
    let value = parse("user", body)?;
    match unwrap_one(&value, "user").as_object() {
        Some(user) if first(user, &["id", "user_id", "userId"]).is_some() => Ok(()),
        _ => Err(unreadable("user", "JSON, but no user in it", body)),
    }
}

pub(super) fn parse(place: &'static str, body: &[u8]) -> Result<Value, Unreadable> {
    serde_json::from_slice(body).map_err(|error| {
        let start = body.trim_ascii_start();
        let why = if start.starts_with(b"<") {
            "HTML instead of JSON".to_owned()
        } else {
            format!("no JSON: {error}")
        };
        unreadable(place, why, body)
    })
}

pub(super) fn unreadable(place: &'static str, why: impl Into<String>, bytes: &[u8]) -> Unreadable {
    Unreadable::new(place, why, excerpt(bytes))
}

/// A row of a list that could not be read, known by its id, as it may change from look to look; else
/// by all of it.
pub fn unread_row(place: &'static str, why: &str, row: &Value) -> Unreadable {
    let bytes = row.to_string();
    let id = row.get("id").and_then(id_text);
    let identity = id.as_ref().unwrap_or(&bytes).as_bytes();
    unreadable(place, why, bytes.as_bytes()).known_by(identity)
}

/// Reads a list row by row. With `hides`, secrets are taken out of each row, but for what stands
/// under the names in it.
pub(super) fn page<T>(
    place: &'static str,
    body: &[u8],
    hides: Option<&[&str]>,
    read: impl Fn(&Map<String, Value>) -> Option<T>,
) -> Result<Page<T>, Unreadable> {
    let Some(listed) = list(parse(place, body)?) else {
        return Err(unreadable(place, "JSON, but no list in it", body));
    };
    let is_over = || listed.next.is_none() || listed.rows.is_empty();
    let is_last = listed.is_done.unwrap_or_else(is_over);
    let mut page = Page {
        rows: Vec::with_capacity(listed.rows.len()),
        unreadable: Vec::new(),
        next: listed.next,
        is_last,
        is_null: listed.is_null && listed.rows.is_empty(),
    };
    let mut unread = Unread::default();
    for mut raw in listed.rows {
        if let (Some(spared), Value::Object(raw)) = (hides, &mut raw) {
            hide(raw, &URLS, spared);
        }
        let refused = match raw {
            Value::Object(raw) => match read(&raw) {
                Some(value) => {
                    page.rows.push(Row { value, raw });
                    continue;
                }
                None => Value::Object(raw),
            },
            other => other,
        };
        unread.add(unread_row(
            place,
            "a row that lacks what every row has",
            &refused,
        ));
    }
    page.unreadable = unread.into_rows(place);
    Ok(page)
}

pub fn text(row: &Map<String, Value>, names: &[&str]) -> Option<String> {
    first(row, names).and_then(id_text)
}

fn time_of(row: &Map<String, Value>, names: &[&str]) -> Option<Time> {
    first(row, names).and_then(time)
}

pub(super) const MESSAGE_IDS: [&str; 4] = ["id", "msg_id", "message_id", "msgId"];
pub(super) const EVENT_IDS: [&str; 2] = ["event_id", "eventId"];
pub(super) const EVENT_TYPES: [&str; 3] = ["event_type", "eventType", "type"];
pub(super) const MESSAGE_TIMES: [&str; 4] = ["timestamp", "created_at", "createdAt", "created"];
pub(super) const PAYLOADS: [&str; 3] = ["payload", "data", "body"];

pub(super) fn message(row: &Map<String, Value>) -> Option<Logged> {
    let id = text(row, &MESSAGE_IDS).or_else(|| text(row, &["messageId"]))?;
    let body = first(row, &PAYLOADS).map(unquoted);
    let inside = body.as_ref().and_then(Value::as_object);
    let within = |names: &[&str]| inside.and_then(|inside| first(inside, names)).cloned();
    let event = text(row, &EVENT_IDS).or_else(|| within(&EVENT_IDS).as_ref().and_then(id_text));
    let kind = text(row, &EVENT_TYPES)
        .or_else(|| within(&EVENT_TYPES).as_ref().and_then(id_text))
        .unwrap_or_else(|| "message".to_owned());
    let published = within(&["timestamp"]).as_ref().and_then(time);
    let accepted = time_of(row, &MESSAGE_TIMES)
        .or(published)
        .unwrap_or_default();
    let task = body.as_ref().and_then(task_in).map(|task| Observation {
        published,
        event: event.as_deref().map(EventId::new),
        ..task
    });
    let message = Message {
        id: MessageId::new(&id),
        event: event.as_deref().map(EventId::new),
        kind: EventType::new(&kind),
        accepted,
        task: task
            .as_ref()
            .map(|task| task.task.clone())
            .or_else(|| body.as_ref().and_then(task_id_in)),
        payload: payload(body.as_ref()),
    };
    Some(Logged { message, task })
}

/// JSON in a string is taken for what it holds.
pub(super) fn unquoted(value: &Value) -> Value {
    match value.as_str().map(serde_json::from_str::<Value>) {
        Some(Ok(inner)) if inner.is_object() || inner.is_array() => inner,
        _ => value.clone(),
    }
}

fn payload(body: Option<&Value>) -> Payload {
    match body {
        None => Payload::Absent,
        // What Svix sends instead of an empty payload, an expired one, an expunged one.
        Some(Value::Object(inner)) if inner.is_empty() => Payload::Absent,
        Some(Value::Object(inner)) if first(inner, &["expired"]) == Some(&Value::Bool(true)) => {
            Payload::Expired
        }
        Some(Value::String(text)) if text == "EXPUNGED" => Payload::Expired,
        Some(body) => Payload::Json(body.to_string().into()),
    }
}

fn task_in(body: &Value) -> Option<Observation> {
    let data = body.get("data");
    [
        data.and_then(|data| data.get("task")),
        body.get("task"),
        data,
        Some(body),
    ]
    .into_iter()
    .flatten()
    .find_map(lenient_task)
}

/// The task's id where the payload holds no more of it.
pub(super) fn task_id_in(body: &Value) -> Option<TaskId> {
    let data = body.get("data").unwrap_or(body);
    let id = [
        data.get("task").and_then(|task| task.get("id")),
        data.get("task_id"),
        data.get("taskId"),
    ]
    .into_iter()
    .flatten()
    .find_map(id_text)?;
    Some(TaskId::new(&id))
}

pub(super) const ATTEMPT_IDS: [&str; 2] = ["id", "attempt_id"];
pub(super) const OF_MESSAGE: [&str; 4] = ["msg_id", "message_id", "msgId", "messageId"];
pub(super) const AT_ENDPOINT: [&str; 2] = ["endpoint_id", "endpointId"];
pub(super) const URLS: [&str; 3] = ["url", "endpoint_url", "endpointUrl"];
pub(super) const CODES: [&str; 4] = [
    "response_status_code",
    "status_code",
    "responseStatusCode",
    "http_status",
];
pub(super) const RESPONSES: [&str; 3] = ["response", "response_body", "responseBody"];
pub(super) const DURATIONS: [&str; 3] =
    ["response_duration_ms", "responseDurationMs", "duration_ms"];
pub(super) const STATUSES: [&str; 3] = ["status", "status_text", "statusText"];
pub(super) const TRIGGERS: [&str; 3] = ["trigger_type", "triggerType", "trigger"];
pub(super) const ATTEMPT_TIMES: [&str; 5] = [
    "timestamp",
    "created_at",
    "createdAt",
    "attempted_at",
    "attemptedAt",
];

pub(super) fn attempt(
    row: &Map<String, Value>,
    of: Option<&MessageId>,
    at: Option<&EndpointId>,
) -> Option<Attempt> {
    let nested = row
        .get("msg")
        .or_else(|| row.get("message"))
        .and_then(|message| message.get("id"))
        .and_then(id_text);
    let message = text(row, &OF_MESSAGE).or(nested);
    let message = message
        .map(|id| MessageId::new(&id))
        .or_else(|| of.cloned())?;
    let endpoint = text(row, &AT_ENDPOINT);
    let endpoint = endpoint
        .map(|id| EndpointId::new(&id))
        .or_else(|| at.cloned())?;
    let code = first(row, &CODES)
        .and_then(whole)
        .and_then(|code| u16::try_from(code).ok());
    Some(Attempt {
        id: AttemptId::new(&text(row, &ATTEMPT_IDS)?),
        message,
        endpoint,
        url: text(row, &URLS).unwrap_or_default().into(),
        started: time_of(row, &ATTEMPT_TIMES).unwrap_or_default(),
        status: status_of(row, code),
        code: code.unwrap_or(0),
        duration_ms: first(row, &DURATIONS).and_then(whole),
        response: response_text(row).into(),
        trigger: first(row, &TRIGGERS).map_or(Trigger::Unknown, trigger),
    })
}

/// The status as given; where there is none, what the code says.
fn status_of(row: &Map<String, Value>, code: Option<u16>) -> AttemptStatus {
    let given = STATUSES
        .iter()
        .filter_map(|name| row.get(*name).and_then(status))
        .find(|status| *status != AttemptStatus::Unknown);
    match (given, code) {
        (Some(status), _) => status,
        (None, _) if first(row, &STATUSES).is_some() => AttemptStatus::Unknown,
        (None, Some(200..=299)) => AttemptStatus::Success,
        (None, Some(_)) => AttemptStatus::Fail,
        (None, None) => AttemptStatus::Unknown,
    }
}

pub(super) fn response_text(row: &Map<String, Value>) -> String {
    match first(row, &RESPONSES) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

pub(super) const ENDPOINT_IDS: [&str; 3] = ["id", "endpoint_id", "endpointId"];
pub(super) const WANTED: [&str; 4] = ["event_types", "eventTypes", "filter_types", "filterTypes"];
pub(super) const RATES: [&str; 4] = ["rate_limit", "rateLimit", "throttle_rate", "throttleRate"];
pub(super) const CREATED: [&str; 3] = ["created_at", "createdAt", "created"];
pub(super) const UPDATED: [&str; 3] = ["updated_at", "updatedAt", "updated"];

pub(super) fn endpoint(row: &Map<String, Value>) -> Option<Endpoint> {
    // A create answer wraps the endpoint beside its secret.
    let row = row
        .get("endpoint")
        .and_then(Value::as_object)
        .unwrap_or(row);
    let event_types = first(row, &WANTED).and_then(Value::as_array).map(|types| {
        let mut types: Vec<EventType> = types
            .iter()
            .filter_map(Value::as_str)
            .map(EventType::new)
            .collect();
        types.sort_by(|a, b| a.name().cmp(b.name()));
        types.dedup();
        types.into()
    });
    Some(Endpoint {
        id: EndpointId::new(&text(row, &ENDPOINT_IDS)?),
        url: text(row, &URLS).unwrap_or_default().into(),
        description: text(row, &["description", "name"])
            .unwrap_or_default()
            .into(),
        event_types,
        rate_limit: first(row, &RATES).and_then(whole),
        disabled: first(row, &["disabled"]).and_then(flag).unwrap_or(false),
        created: time_of(row, &CREATED),
        updated: time_of(row, &UPDATED),
        is_inferred: false,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    const TASK: &str = r#"{"id":"t1","asset_id":"a1","features":{"visual":{"state":"failed"}},"user_id":"u","created":"2026-11-22T14:00:00Z","updated":"2026-11-22T14:02:25Z"}"#;

    #[test]
    fn tasks_in_every_form() {
        for body in [
            format!("[{TASK}]"),
            format!(r#"{{"tasks":[{TASK}]}}"#),
            format!(r#"{{"data":[{{"task":{TASK}}}]}}"#),
            TASK.to_owned(),
        ] {
            assert_eq!(tasks(body.as_bytes()).unwrap().rows.len(), 1, "{body}");
        }
        for body in [
            TASK.to_owned(),
            format!(r#"{{"task":{TASK}}}"#),
            format!(r#"{{"data":{{"task":{TASK}}}}}"#),
        ] {
            assert_eq!(task(body.as_bytes()).unwrap().value.task, TaskId::new("t1"));
        }
        assert!(tasks(b"null").unwrap().rows.is_empty());
    }

    #[test]
    fn one_bad_row_does_not_spoil_the_list() {
        let page = tasks(format!("[{TASK},{{\"no\":1}},7,{TASK}]").as_bytes()).unwrap();
        assert_eq!((page.rows.len(), page.unreadable.len()), (2, 2));
    }

    #[test]
    fn what_is_no_json_says_so() {
        assert_eq!(
            tasks(b" <!doctype html>").unwrap_err().why,
            "HTML instead of JSON"
        );
        assert!(messages(b"{").unwrap_err().why.starts_with("no JSON"));
        assert!(messages(br#"{"a":1}"#).unwrap_err().why.contains("no list"));
        let deep = "[".repeat(100_000);
        assert!(messages(deep.as_bytes()).is_err());
    }

    #[test]
    fn messages_in_snake_and_camel_case_are_the_same() {
        let snake = format!(
            r#"{{"data":[{{"id":"msg_1","event_id":"e1","event_type":"task.failed","timestamp":"2026-11-22T14:02:26Z","payload":{{"timestamp":"2026-11-22T14:02:25Z","event_type":"task.failed","event_id":"e1","data":{{"task":{TASK}}}}}}}],"iterator":"msg_1","done":false}}"#
        );
        let camel = snake.replace(
            "\"event_id\":\"e1\",\"event_type\"",
            "\"eventId\":\"e1\",\"eventType\"",
        );
        let quoted = {
            let mut value: Value = serde_json::from_str(&snake).unwrap();
            let payload = value["data"][0]["payload"].to_string();
            value["data"][0]["payload"] = Value::String(payload);
            value.to_string()
        };
        let expected = messages(snake.as_bytes()).unwrap();
        assert_eq!(expected.next.as_deref(), Some("msg_1"));
        assert!(!expected.is_last);
        let logged = &expected.rows[0].value;
        assert_eq!(logged.message.task, Some(TaskId::new("t1")));
        assert_eq!(
            logged.task.as_ref().unwrap().event,
            Some(EventId::new("e1"))
        );
        for other in [camel, quoted] {
            assert_eq!(messages(other.as_bytes()).unwrap().rows[0].value, *logged);
        }
    }

    #[test]
    fn payloads_that_are_gone() {
        let payload = |payload: &str| {
            let body = format!(r#"[{{"id":"m","payload":{payload}}}]"#);
            messages(body.as_bytes()).unwrap().rows[0]
                .value
                .message
                .payload
                .clone()
        };
        assert_eq!(payload("{}"), Payload::Absent);
        assert_eq!(payload("null"), Payload::Absent);
        assert_eq!(payload(r#"{"expired":true}"#), Payload::Expired);
        assert_eq!(payload(r#""EXPUNGED""#), Payload::Expired);
        assert!(matches!(payload("[1]"), Payload::Json(_)));
    }

    #[test]
    fn attempts_in_every_form_are_the_same() {
        let own = r#"{"id":"atmpt_1","msg_id":"m","endpoint_id":"ep","url":"http://x","response":"no","response_status_code":500,"response_duration_ms":12,"status":2,"status_text":"fail","trigger_type":1,"timestamp":"2026-11-22T14:02:26Z"}"#;
        let svix = r#"{"id":"atmpt_1","msgId":"m","endpointId":"ep","url":"http://x","response":"no","responseStatusCode":500,"responseDurationMs":12,"status":2,"statusText":"fail","triggerType":1,"timestamp":"2026-11-22T14:02:26Z"}"#;
        let words = r#"{"attempt_id":"atmpt_1","msg":{"id":"m"},"endpoint_url":"http://x","response_body":"no","http_status":"500","duration_ms":12.0,"status":"failed","trigger":"manual","attempted_at":"2026-11-22T14:02:26+00:00"}"#;
        let read = |row: &str| {
            let ep = EndpointId::new("ep");
            attempts(format!("[{row}]").as_bytes(), None, Some(&ep))
                .unwrap()
                .rows
                .remove(0)
                .value
        };
        let expected = read(own);
        assert_eq!(expected.status, AttemptStatus::Fail);
        assert_eq!(expected.trigger, Trigger::Manual);
        assert_eq!(read(svix), expected);
        assert_eq!(read(words), expected);
    }

    #[test]
    fn a_missing_status_follows_from_the_code() {
        let status = |row: &str| {
            let body = format!(r#"[{{"id":"a","msg_id":"m","endpoint_id":"e"{row}}}]"#);
            attempts(body.as_bytes(), None, None).unwrap().rows[0]
                .value
                .status
                .clone()
        };
        assert_eq!(
            status(r#","response_status_code":204"#),
            AttemptStatus::Success
        );
        assert_eq!(
            status(r#","response_status_code":301"#),
            AttemptStatus::Fail
        );
        assert_eq!(status(""), AttemptStatus::Unknown);
        assert_eq!(
            status(r#","status":99,"statusText":"success""#),
            AttemptStatus::Success
        );
    }

    #[test]
    fn endpoints_have_sorted_types() {
        let body = br#"{"data":[{"id":"ep","url":"u","eventTypes":["task.progress","task.failed","task.completed"],"rateLimit":5}]}"#;
        let endpoint = &endpoints(body).unwrap().rows[0].value;
        let types: Vec<&str> = endpoint
            .event_types
            .as_ref()
            .unwrap()
            .iter()
            .map(EventType::name)
            .collect();
        assert_eq!(types, ["task.completed", "task.failed", "task.progress"]);
        assert_eq!(endpoint.rate_limit, Some(5));
    }

    #[test]
    fn what_is_secret_in_an_endpoint_comes_no_further() {
        let body = r#"{"data":[{"endpoint":{"id":"ep","url":"https://u:hunter2@x.example/?k=hunter2"},"secret":"hunter2"},{"url":"https://u:hunter2@x"},"https://u:hunter2@x"]}"#;
        let page = endpoints(body.as_bytes()).unwrap();
        assert_eq!(&*page.rows[0].value.url, "https://***@x.example/?k=***");
        let body = body.replace("\"id\"", "\"msg_id\":\"m\",\"endpoint_id\":\"ep\",\"id\"");
        let body = body
            .replace(r#"{"endpoint":"#, "")
            .replace(r#","secret":"hunter2"}"#, "");
        let tries = attempts(body.as_bytes(), None, None).unwrap();
        assert_eq!(&*tries.rows[0].value.url, "https://***@x.example/?k=***");
        let strange = endpoints(br#"{"b":"https://u:hunter2@x"}"#).unwrap_err();
        for seen in [
            format!("{page:?}"),
            format!("{tries:?}"),
            format!("{strange:?}"),
        ] {
            assert!(!seen.contains("hunter2"), "{seen}");
        }
    }

    #[test]
    fn asset_names_bare_or_wrapped() {
        for body in [
            r#"{"id":"a","name":"x.mp4"}"#,
            r#"{"asset":{"id":"a","name":"x.mp4"}}"#,
        ] {
            assert_eq!(
                asset_name(body.as_bytes()).unwrap().as_deref(),
                Some("x.mp4")
            );
        }
    }
}
