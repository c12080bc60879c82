//! Row by row, what the tolerant behaviour of the reference (aspect-api.md part 6) promises for each
//! thing that is not documented; the paths of the stream are in `link.rs`, its frames in `sse.rs`.

use reeltop::domain::{
    AttemptStatus, ChangeKind, Event, EventId, Observation, Time, Trigger, WordKind,
};
use reeltop::wire::sse::{Decoder, Frame};
use reeltop::wire::{events, rest};
use serde_json::{Value, json};

const AT: &str = "2026-11-22T14:02:25Z";

fn task() -> Value {
    json!({"id": "t1", "asset_id": "a1", "features": {"visual": {"state": "failed"}},
        "user_id": "u1", "created": "2026-11-22T14:00:00Z", "updated": AT})
}

fn envelope() -> Value {
    json!({"timestamp": AT, "user_id": "u1", "event_id": "e1", "event_type": "task.failed",
        "data": {"task": task()}})
}

fn changes(event: &str, data: &str) -> Result<Vec<ChangeKind>, String> {
    let mut changes = Vec::new();
    let frame = Frame {
        event,
        data: data.as_bytes(),
        id: "frame-1",
        has_id: true,
    };
    events::decode(&frame, |change| changes.push(change)).map(|_| changes)
}

fn all(event: &str, data: &str) -> Vec<Event> {
    let changes = changes(event, data).unwrap().into_iter();
    let events = changes.filter_map(|change| match change {
        ChangeKind::Event(event) => Some(event),
        _ => None,
    });
    events.collect()
}

fn seen(data: &Value) -> Observation {
    let mut found = all("message", &data.to_string());
    assert_eq!(found.len(), 1, "{data}");
    found.remove(0).task.unwrap()
}

/// The same with every key in camelCase.
fn camel(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let renamed = fields.iter().map(|(name, value)| {
                let mut parts = name.split('_');
                let first = parts.next().unwrap_or_default().to_owned();
                let name = parts.fold(first, |name, part| {
                    name + &part[..1].to_uppercase() + &part[1..]
                });
                (name, camel(value))
            });
            Value::Object(renamed.collect())
        }
        Value::Array(items) => items.iter().map(camel).collect(),
        other => other.clone(),
    }
}

#[test]
fn row_frame_event() {
    let kind = |name: &str, data: Value| all(name, &data.to_string())[0].kind.to_string();
    let untyped = json!({"event_id": "e", "data": {"n": 1}});
    let typed = json!({"event_id": "e", "type": "from.type", "data": {"n": 1}});
    // JSON `event_type` first, then the frame's name, then `type`.
    assert_eq!(kind("other", envelope()), "task.failed");
    assert_eq!(kind("from.frame", typed.clone()), "from.frame");
    assert_eq!(kind("message", typed), "from.type");
    assert_eq!(kind("message", untyped), "message");
    for name in [
        "ping",
        "heartbeat",
        "keepalive",
        "connected",
        "open",
        "ready",
    ] {
        for data in ["", "now", "{}", "null"] {
            assert_eq!(changes(name, data), Ok(Vec::new()), "{name} {data}");
        }
    }
}

#[test]
fn row_frame_data() {
    let told = seen(&envelope());
    for form in [
        json!({"event": envelope()}),
        json!({"payload": envelope()}),
        json!({"message": envelope()}),
        json!([envelope()]),
        json!(envelope().to_string()),
        camel(&envelope()),
    ] {
        assert_eq!(seen(&form), told, "{form}");
    }
    for form in [
        task(),
        json!({"task": task()}),
        json!({"data": task()}),
        camel(&task()),
    ] {
        let bare = seen(&form);
        assert_eq!(
            (&bare.task, &bare.features),
            (&told.task, &told.features),
            "{form}"
        );
    }
    assert_eq!(
        all("message", &json!([envelope(), task()]).to_string()).len(),
        2
    );
    for unreadable in ["no JSON", r#"{"a":1}"#, "7", "[]x"] {
        assert!(changes("message", unreadable).is_err(), "{unreadable}");
    }
}

#[test]
fn row_frame_id_and_heartbeat() {
    // The envelope's event_id, else the frame's own id, else a digest of the data.
    let id = |frame: &str| {
        let mut ids = Vec::new();
        let mut decoder = Decoder::new(1 << 20);
        let sink = |frame: Frame<'_>| {
            let _ = events::decode(&frame, |change| {
                if let ChangeKind::Event(event) = change {
                    ids.push(event.id);
                }
            });
        };
        decoder.push(frame.as_bytes(), sink).unwrap();
        ids
    };
    let (whole, bare) = (envelope(), task());
    assert_eq!(
        id(&format!("id: 9\ndata: {whole}\n\n")),
        [EventId::new("e1")]
    );
    assert_eq!(id(&format!("id: 9\ndata: {bare}\n\n")), [EventId::new("9")]);
    let by_digest = id(&format!("data: {bare}\n\ndata: {bare}\n\n"));
    assert_eq!(by_digest.len(), 2);
    assert_eq!(by_digest[0], by_digest[1]);
    // Comments, CR, LF, CRLF, a byte order mark, data on several lines, `retry:`.
    for end in ["\n", "\r", "\r\n"] {
        let frame = format!("\u{feff}: ping - now\nretry: 9\n\nid: 9\ndata: {bare}\n\n");
        let frame = frame.replacen("\"asset_id\"", "\ndata: \"asset_id\"", 1);
        assert_eq!(
            id(&frame.replace('\n', end)),
            [EventId::new("9")],
            "{end:?}"
        );
    }
}

#[test]
fn row_envelope_of_lists_and_paging() {
    let rows = json!([task(), task()]);
    let names = [
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
        "whatever",
    ];
    let wrapped = names.iter().map(|name| json!({*name: rows}));
    let nested = names[..11]
        .iter()
        .map(|name| json!({"data": {*name: rows}}));
    for body in wrapped.chain(nested).chain([rows.clone()]) {
        let page = rest::tasks(body.to_string().as_bytes()).unwrap();
        assert_eq!((page.rows.len(), page.is_null), (2, false), "{body}");
    }
    let one = rest::tasks(task().to_string().as_bytes()).unwrap();
    assert_eq!(one.rows.len(), 1);
    for null in ["null", r#"{"data":null}"#] {
        let page = rest::tasks(null.as_bytes()).unwrap();
        assert!(page.rows.is_empty() && page.is_null, "{null}");
    }
    for name in [
        "iterator",
        "next_iterator",
        "nextIterator",
        "next_cursor",
        "cursor",
        "next",
    ] {
        for (more, is_last) in [
            (json!({"done": false}), false),
            (json!({"done": true}), true),
            (json!({"has_more": true}), false),
            (json!({"hasMore": false}), true),
        ] {
            let mut body = more;
            body["data"] = rows.clone();
            body[name] = json!("c");
            let page = rest::tasks(body.to_string().as_bytes()).unwrap();
            assert_eq!(
                (page.next.as_deref(), page.is_last),
                (Some("c"), is_last),
                "{body}"
            );
        }
    }
}

#[test]
fn row_message_fields() {
    let read = |row: Value| {
        let page = rest::messages(json!([row]).to_string().as_bytes()).unwrap();
        page.rows.into_iter().next().unwrap().value.message
    };
    let base = json!({"id": "msg_1", "event_id": "e1", "event_type": "task.failed", "timestamp": AT,
        "payload": envelope()});
    let told = read(base.clone());
    for (name, others) in [
        ("id", &["msg_id", "message_id", "msgId"][..]),
        ("event_id", &["eventId"]),
        ("event_type", &["eventType", "type"]),
        ("timestamp", &["created_at", "createdAt", "created"]),
        ("payload", &["data", "body"]),
    ] {
        for other in others {
            let mut row = base.clone();
            let value = row.as_object_mut().unwrap().shift_remove(name).unwrap();
            row[*other] = value;
            assert_eq!(read(row), told, "{other}");
        }
    }
    let mut quoted = base.clone();
    quoted["payload"] = json!(envelope().to_string());
    assert_eq!(read(quoted).task, told.task);
    for gone in [
        json!(null),
        json!("EXPUNGED"),
        json!({"expired": true}),
        json!({}),
    ] {
        let mut row = base.clone();
        row["payload"] = gone.clone();
        assert_eq!(read(row).id, told.id, "{gone}");
    }
}

#[test]
fn row_attempt_fields() {
    let read = |row: Value| {
        let page = rest::attempts(json!([row]).to_string().as_bytes(), None, None).unwrap();
        page.rows.into_iter().next().unwrap().value
    };
    let base = json!({"id": "atmpt_1", "msg_id": "msg_1", "endpoint_id": "ep_1", "url": "http://x",
        "response_status_code": 500, "response": "no", "response_duration_ms": 12, "status": 2,
        "trigger_type": 1, "timestamp": AT});
    let told = read(base.clone());
    assert_eq!(
        (&told.status, told.trigger),
        (&AttemptStatus::Fail, Trigger::Manual)
    );
    for (name, others) in [
        ("id", &["attempt_id"][..]),
        ("msg_id", &["message_id", "msgId", "messageId"]),
        ("endpoint_id", &["endpointId"]),
        ("url", &["endpoint_url"]),
        (
            "response_status_code",
            &["status_code", "responseStatusCode", "http_status"],
        ),
        ("response", &["response_body"]),
        (
            "response_duration_ms",
            &["responseDurationMs", "duration_ms"],
        ),
        ("status", &["status_text", "statusText"]),
        ("trigger_type", &["triggerType"]),
        ("timestamp", &["created_at", "attempted_at"]),
    ] {
        for other in others {
            let mut row = base.clone();
            let mut value = row.as_object_mut().unwrap().shift_remove(name).unwrap();
            if name == "status" {
                value = json!("fail");
            }
            row[*other] = value;
            assert_eq!(read(row), told, "{other}");
        }
    }
    let mut nested = base.clone();
    nested.as_object_mut().unwrap().shift_remove("msg_id");
    nested["msg"] = json!({"id": "msg_1"});
    assert_eq!(read(nested), told);
    let with = |status: Value, code: Value| {
        let mut row = base.clone();
        row["status"] = status;
        row["response_status_code"] = code;
        read(row).status
    };
    for (words, status) in [
        (
            &["success", "succeeded", "ok", "0"][..],
            AttemptStatus::Success,
        ),
        (&["pending", "1"], AttemptStatus::Pending),
        (
            &["fail", "failed", "failure", "error", "2"],
            AttemptStatus::Fail,
        ),
        (&["sending", "3"], AttemptStatus::Sending),
        (&["canceled", "4"], AttemptStatus::Canceled),
    ] {
        for word in words {
            assert_eq!(with(json!(word), json!(500)), status, "{word}");
        }
    }
    assert_eq!(with(json!(null), json!(204)), AttemptStatus::Success);
    assert_eq!(with(json!(null), json!(404)), AttemptStatus::Fail);
    assert_eq!(with(json!(null), json!(null)), AttemptStatus::Unknown);
}

#[test]
fn row_times() {
    let told = Time::parse(AT).unwrap();
    for form in [
        json!("2026-11-22T14:02:25"),
        json!("2026-11-22 14:02:25"),
        json!("2026-11-22T14:02:25.000000Z"),
        json!("2026-11-22T14:02:25+00:00"),
        json!("2026-11-22T15:02:25+01:00"),
        json!("2026-11-22T15:02:25+0100"),
        json!(told.0 / 1_000_000),
        json!(told.0 / 1000),
    ] {
        let mut row = envelope();
        row["timestamp"] = form.clone();
        row["data"]["task"]["updated"] = form.clone();
        let seen = seen(&row);
        assert_eq!((seen.updated, seen.published), (told, Some(told)), "{form}");
    }
}

#[test]
fn what_is_new_survives_and_is_named() {
    let mut row = envelope();
    row["event_type"] = json!("task.paused");
    row["trace"] = json!("q");
    row["data"]["task"]["priority"] = json!(3);
    row["data"]["task"]["features"]["captions"] = json!({"state": "paused"});
    let found = changes("message", &row.to_string()).unwrap();
    let fields: Vec<&str> = (found.iter())
        .filter_map(|change| match change {
            ChangeKind::NewWord(seen) if seen.kind == WordKind::Field => Some(&*seen.word),
            _ => None,
        })
        .collect();
    assert_eq!(fields, ["trace", "task.priority"]);
    let event = all("message", &row.to_string()).remove(0);
    assert_eq!(event.kind.name(), "task.paused");
    let features = event.task.unwrap().features;
    let told: Vec<String> = (features.iter())
        .map(|(feature, state)| format!("{} {state}", feature.name()))
        .collect();
    assert_eq!(told, ["visual failed", "captions paused"]);
}
