//! Rows in the normalised form of `--json`: `snake_case` names of the Aspect API, statuses as words,
//! ids as they came, the keys that each kind of line always has, and fields that we do not know
//! under their own names (contracts.md, "Machine output").

use serde_json::{Map, Value, json};

use super::fields::TASK;
use super::lenient::{first, flag, id_text, whole};
use super::rest::Logged;
use super::rest::{
    AT_ENDPOINT, ATTEMPT_IDS, ATTEMPT_TIMES, CODES, CREATED, DURATIONS, EVENT_IDS, EVENT_TYPES,
    MESSAGE_IDS, MESSAGE_TIMES, OF_MESSAGE, PAYLOADS, RATES, RESPONSES, Row, STATUSES, TRIGGERS,
    UPDATED, URLS, WANTED, response_text, unquoted,
};
use crate::domain::{
    Answers, Attempt, CauseSummary, Delivery, Endpoint, EndpointOutcome, Health, Observation,
    Replay, ReplayState, Route, Time,
};

type Line = Map<String, Value>;

/// A task's line. `asset_name` is null where it was not read.
pub fn task(row: &Row<Observation>, asset_name: Option<&str>) -> Value {
    let seen = &row.value;
    let mut line = Line::new();
    let raw = &row.raw;
    put(&mut line, "id", id(raw, &["id", "task_id", "taskId"]));
    put(&mut line, "asset_id", id(raw, &["asset_id", "assetId"]));
    put(&mut line, "asset_name", json!(asset_name));
    put(&mut line, "state", json!(seen.state().name()));
    put(&mut line, "done", json!(seen.is_done()));
    put(&mut line, "features", features(raw));
    put(&mut line, "user_id", id(raw, &["user_id", "userId"]));
    put(&mut line, "created", when(seen.created));
    put(&mut line, "updated", when(seen.updated));
    unknown(&mut line, raw, &TASK);
    Value::Object(line)
}

/// Each feature as an object that has a `state`.
fn features(raw: &Line) -> Value {
    let given = raw.get("features").and_then(Value::as_object);
    let all = given.into_iter().flatten().map(|(name, info)| {
        let info = match info {
            Value::String(state) => json!({"state": state}),
            Value::Object(info) if !info.contains_key("state") => {
                let mut info = info.clone();
                let state = info.shift_remove("status").unwrap_or(Value::Null);
                info.insert("state".to_owned(), state);
                Value::Object(info)
            }
            other => other.clone(),
        };
        (name.clone(), info)
    });
    Value::Object(all.collect())
}

/// A message's line, with how it stands at each endpoint that it was tried at; null where its
/// attempts were not read.
pub fn message(row: &Row<Logged>, delivery: Option<&Delivery>) -> Value {
    let message = &row.value.message;
    let raw = &row.raw;
    let mut line = Line::new();
    put(&mut line, "id", id(raw, &MESSAGE_IDS));
    put(
        &mut line,
        "event_id",
        json!(message.event.as_ref().map(ToString::to_string)),
    );
    put(&mut line, "event_type", json!(message.kind.name()));
    put(&mut line, "timestamp", when(message.accepted));
    put(
        &mut line,
        "task_id",
        json!(message.task.as_ref().map(ToString::to_string)),
    );
    put(
        &mut line,
        "payload",
        first(raw, &PAYLOADS).map_or(Value::Null, unquoted),
    );
    let outcomes = delivery.map(|delivery| {
        let outcomes = delivery.outcomes.iter();
        outcomes.map(outcome).collect::<Vec<Value>>()
    });
    put(&mut line, "outcomes", json!(outcomes));
    let consumed = [
        &MESSAGE_IDS[..],
        &["messageId"],
        &EVENT_IDS,
        &EVENT_TYPES,
        &MESSAGE_TIMES,
        &PAYLOADS,
    ];
    unknown(&mut line, raw, &consumed.concat());
    Value::Object(line)
}

fn outcome(outcome: &EndpointOutcome) -> Value {
    json!({
        "endpoint_id": outcome.endpoint.to_string(),
        "state": outcome.state.name(),
        "attempts": outcome.n_attempts,
        "last_attempt_id": outcome.last.to_string(),
    })
}

/// An attempt's line; `number` counts those of its message and endpoint from 1, if it is known.
pub fn attempt(row: &Row<Attempt>, number: Option<usize>) -> Value {
    let attempt = &row.value;
    let raw = &row.raw;
    let mut line = Line::new();
    put(&mut line, "id", id(raw, &ATTEMPT_IDS));
    put(&mut line, "message_id", json!(attempt.message.to_string()));
    put(
        &mut line,
        "endpoint_id",
        json!(attempt.endpoint.to_string()),
    );
    put(&mut line, "url", json!(&*attempt.url));
    put(&mut line, "attempt", json!(number));
    put(&mut line, "status", json!(attempt.status.name()));
    put(&mut line, "response_status_code", json!(attempt.code));
    put(&mut line, "response", json!(response_text(raw)));
    put(
        &mut line,
        "response_duration_ms",
        json!(attempt.duration_ms),
    );
    put(&mut line, "trigger", json!(attempt.trigger.name()));
    put(&mut line, "timestamp", when(attempt.started));
    let consumed = [
        &ATTEMPT_IDS[..],
        &OF_MESSAGE,
        &AT_ENDPOINT,
        &URLS,
        &STATUSES,
        &CODES,
        &RESPONSES,
        &DURATIONS,
        &TRIGGERS,
        &ATTEMPT_TIMES,
    ];
    unknown(&mut line, raw, &consumed.concat());
    Value::Object(line)
}

/// A cause's line: what failed by it, and how much of it is still broken.
pub fn cause(sum: &CauseSummary) -> Value {
    let cause = &sum.cause;
    json!({
        "id": cause.id.to_string(),
        "endpoint_id": cause.endpoint.to_string(),
        "class": cause.class.words(),
        "response_status_code": cause.code,
        "response": &*cause.pattern,
        "attempts": sum.n_attempts,
        "messages": sum.n_messages,
        "tasks": sum.n_tasks,
        "broken": sum.n_broken,
        "first": when(sum.first),
        "last": when(sum.last),
    })
}

/// An endpoint's line; of one that is known only from attempts, most is null.
pub fn endpoint(endpoint: &Endpoint, raw: Option<&Line>) -> Value {
    let empty = Line::new();
    let raw = raw.unwrap_or(&empty);
    let raw = raw
        .get("endpoint")
        .and_then(Value::as_object)
        .unwrap_or(raw);
    let types = endpoint.event_types.as_ref();
    let types = types.map(|types| {
        types
            .iter()
            .map(crate::domain::EventType::name)
            .collect::<Vec<_>>()
    });
    let mut line = Line::new();
    put(&mut line, "id", json!(endpoint.id.to_string()));
    put(&mut line, "url", json!(&*endpoint.url));
    put(&mut line, "description", json!(&*endpoint.description));
    put(&mut line, "event_types", json!(types));
    put(&mut line, "rate_limit", json!(endpoint.rate_limit));
    let disabled = first(raw, &["disabled"]).and_then(flag);
    put(
        &mut line,
        "disabled",
        json!(disabled.or((!endpoint.is_inferred).then_some(endpoint.disabled))),
    );
    put(
        &mut line,
        "version",
        json!(first(raw, &["version"]).and_then(whole)),
    );
    put(
        &mut line,
        "created_at",
        json!(endpoint.created.map(Time::rfc3339)),
    );
    put(
        &mut line,
        "updated_at",
        json!(endpoint.updated.map(Time::rfc3339)),
    );
    let consumed = [
        &["endpoint_id", "endpointId"][..],
        &URLS,
        &WANTED,
        &RATES,
        &CREATED,
        &UPDATED,
    ];
    unknown(&mut line, raw, &consumed.concat());
    Value::Object(line)
}

/// An endpoint's line with how it fares; null where that was not read.
pub fn endpoint_with(endpoint: &Endpoint, raw: Option<&Line>, health: Option<&Health>) -> Value {
    let mut line = self::endpoint(endpoint, raw);
    line["health"] = health.map_or(Value::Null, self::health);
    line
}

fn health(health: &Health) -> Value {
    let answers = |answers: &Answers| {
        json!({
            "attempts": answers.n_attempts(),
            "failed": answers.n_failed,
            "success_rate": answers.success_rate(),
            "p50_ms": answers.p50_ms,
            "p95_ms": answers.p95_ms,
            "since": answers.since.map(Time::rfc3339),
        })
    };
    let failing = health.failing;
    let disabled_at = failing.and_then(|failing| failing.disabled_at);
    json!({
        "last_hour": answers(&health.hour),
        "last_day": answers(&health.day),
        "last_success": health.last_success.map(Time::rfc3339),
        "failing_since": failing.map(|failing| failing.since.rfc3339()),
        "failing_is_at_least": failing.map(|failing| failing.is_at_least),
        "consecutive_failures": failing.map_or(0, |failing| failing.n_failures),
        "disabled_at_estimate": disabled_at.map(Time::rfc3339),
    })
}

/// A replay's line: the state it is in now, by which attempt, and why.
pub fn replay(replay: &Replay) -> Value {
    let mut line = json!({
        "message_id": replay.message.to_string(),
        "endpoint_id": replay.url().is_none().then(|| replay.endpoint.to_string()),
        "route": replay.route.name(),
        "state": replay.state.name(),
        "attempt_id": replay.state.attempt().map(ToString::to_string),
        "timestamp": replay.since.wall.rfc3339(),
        "reason": replay.reason(),
    });
    if let (Route::Local, Some(line)) = (replay.route, line.as_object_mut()) {
        let answer = match &replay.state {
            ReplayState::Answered(answer) => Some(answer),
            _ => None,
        };
        put(line, "url", json!(replay.url()));
        put(
            line,
            "response_status_code",
            json!(answer.map(|it| it.code)),
        );
        let took = answer.map(|it| it.duration_ms);
        put(line, "response_duration_ms", json!(took));
    }
    line
}

fn put(line: &mut Line, name: &str, value: Value) {
    line.insert(name.to_owned(), value);
}

fn id(raw: &Line, names: &[&str]) -> Value {
    first(raw, names)
        .and_then(id_text)
        .map_or(Value::Null, Value::String)
}

fn when(time: Time) -> Value {
    if time == Time::default() {
        return Value::Null;
    }
    Value::String(time.rfc3339())
}

/// Fields that we do not know stay under their own names.
fn unknown(line: &mut Line, raw: &Line, consumed: &[&str]) {
    for (name, value) in raw {
        if !consumed.contains(&name.as_str()) && !line.contains_key(name) {
            line.insert(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::rest;
    use super::*;

    #[test]
    fn a_task_has_all_its_keys_and_keeps_what_we_do_not_know() {
        let body = br#"[{"id":"t1","assetId":"a1","features":{"visual":"queued","x":{"state":"y","storage_variant":"hls"}},"userId":7,"created":"2026-11-22T14:00:00","updated":"2026-11-22T15:00:00+01:00","novel":{"a":[1]}}]"#;
        let page = rest::tasks(body).unwrap();
        assert_eq!(
            task(&page.rows[0], None).to_string(),
            r#"{"id":"t1","asset_id":"a1","asset_name":null,"state":"processing","done":false,"features":{"visual":{"state":"queued"},"x":{"state":"y","storage_variant":"hls"}},"user_id":"7","created":"2026-11-22T14:00:00.000Z","updated":"2026-11-22T14:00:00.000Z","novel":{"a":[1]}}"#
        );
    }

    #[test]
    fn a_message_in_the_form_of_the_contract() {
        let body = br#"[{"id":"msg_1","eventId":"e1","eventType":"task.failed","timestamp":"2026-11-22T14:00:00Z","payload":"{\"data\":{\"task\":{\"id\":\"t1\"}}}","channels":null}]"#;
        let page = rest::messages(body).unwrap();
        assert_eq!(
            message(&page.rows[0], None).to_string(),
            r#"{"id":"msg_1","event_id":"e1","event_type":"task.failed","timestamp":"2026-11-22T14:00:00.000Z","task_id":"t1","payload":{"data":{"task":{"id":"t1"}}},"outcomes":null,"channels":null}"#
        );
    }

    #[test]
    fn an_attempt_in_the_form_of_the_contract() {
        let body = br#"[{"id":"atmpt_1","msgId":"m","endpointId":"ep","url":"u","response":"no","responseStatusCode":500,"responseDurationMs":12,"status":2,"statusText":"fail","triggerType":0,"timestamp":"2026-11-22T14:00:00Z"}]"#;
        let page = rest::attempts(body, None, None).unwrap();
        assert_eq!(
            attempt(&page.rows[0], Some(2)).to_string(),
            r#"{"id":"atmpt_1","message_id":"m","endpoint_id":"ep","url":"u","attempt":2,"status":"fail","response_status_code":500,"response":"no","response_duration_ms":12,"trigger":"scheduled","timestamp":"2026-11-22T14:00:00.000Z"}"#
        );
    }

    #[test]
    fn an_endpoint_in_the_form_of_the_contract() {
        let body = br#"[{"id":"ep","url":"u","description":"d","event_types":["b","a"],"rate_limit":120,"disabled":false,"version":1,"created_at":"2026-11-22T14:00:00Z","updated_at":"2026-11-22T14:00:00Z"}]"#;
        let page = rest::endpoints(body).unwrap();
        assert_eq!(
            endpoint(&page.rows[0].value, Some(&page.rows[0].raw)).to_string(),
            r#"{"id":"ep","url":"u","description":"d","event_types":["a","b"],"rate_limit":120,"disabled":false,"version":1,"created_at":"2026-11-22T14:00:00.000Z","updated_at":"2026-11-22T14:00:00.000Z"}"#
        );
    }
}
