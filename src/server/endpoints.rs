//! Routes of our own around one endpoint, with Svix's meaning and shapes in `snake_case`: the
//! endpoint itself, its secret, its headers, an example. Marked so in `/openapi.json`.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::api::{Api, Id, whole};
use super::clock::{now_us, rfc3339};
use super::port::{Accepted, Refusal};
use super::reject::{Fields, Rejected, place};
use super::tasks::EVENT_TYPES;
use crate::domain::header_fault;
use crate::wire::bodies::{EndpointUpdatedBody, EnvelopeBody, FeatureBody, FeaturesBody};
use crate::wire::bodies::{TaskBody, TaskDataBody};
use crate::wire::signature::Secret;

type Body = Result<Bytes, BytesRejection>;
type Answer = Result<Response, Rejected>;

/// How long the secret before stays valid unless said otherwise, and at most (Svix), in seconds.
const GRACE_S: u64 = 86_400;
const MOST_GRACE_S: u64 = 604_800;
/// Key lengths that Svix takes, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=75;
const MOST_HEADERS: usize = 50;
/// `GET /webhooks/endpoints/{id}`
pub async fn read(State(api): State<Api>, Id(id): Id) -> Answer {
    let endpoint = api.backend.delivery().endpoint(id).await?;
    Ok(Json(EndpointUpdatedBody { endpoint }).into_response())
}

/// `GET /webhooks/endpoints/{id}/secret`
pub async fn secret(State(api): State<Api>, Id(id): Id) -> Answer {
    Ok(Json(api.backend.delivery().secret(id).await?).into_response())
}

/// `POST /webhooks/endpoints/{id}/secret/rotate`: `{key?, grace_period_seconds?}`
pub async fn rotate(State(api): State<Api>, Id(id): Id, body: Body) -> Answer {
    let mut fields = Fields::of(&whole(body)?)?;
    let secret = fields.string("key", false);
    let secret = secret.and_then(|text| match Secret::parse(&text) {
        Ok(secret) if KEY_BYTES.contains(&secret.len()) => Some(secret),
        _ => {
            let reason = "whsec_ and the base64 of 24 to 75 bytes are needed";
            // What was sent may be a secret: it is not repeated.
            fields.faults.value(&place("key"), reason, &Value::Null);
            None
        }
    });
    let grace = fields.seconds("grace_period_seconds", MOST_GRACE_S);
    if !fields.faults.is_empty() {
        return Err(fields.faults.reject());
    }
    let grace = Duration::from_secs(grace.unwrap_or(GRACE_S));
    api.backend.delivery().rotate(id, secret, grace).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /webhooks/endpoints/{id}/headers`: of sensitive ones only the names.
pub async fn headers(State(api): State<Api>, Id(id): Id) -> Answer {
    Ok(Json(api.backend.delivery().headers(id).await?).into_response())
}

/// `PUT /webhooks/endpoints/{id}/headers`: `{headers: {name: value}}`, instead of those before.
pub async fn set_headers(State(api): State<Api>, Id(id): Id, body: Body) -> Answer {
    let mut fields = Fields::of(&whole(body)?)?;
    let headers = fields.texts("headers", MOST_HEADERS).unwrap_or_default();
    for name in headers.keys() {
        if let Some(reason) = header_fault(name, &headers[name]) {
            fields.faults.value(
                &place("headers"),
                &format!("{name}: {reason}"),
                &Value::Null,
            );
        }
    }
    if !fields.faults.is_empty() {
        return Err(fields.faults.reject());
    }
    api.backend.delivery().set_headers(id, headers).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /webhooks/endpoints/{id}/send-example`: `{event_type}`, to this endpoint alone.
pub async fn example(State(api): State<Api>, Id(id): Id, body: Body) -> Answer {
    let mut fields = Fields::of(&whole(body)?)?;
    let given = fields.string("event_type", true);
    let known = |text: &String| EVENT_TYPES.into_iter().find(|name| name == text);
    let Some(event_type) = given.as_ref().and_then(known) else {
        if let Some(text) = given {
            let expected = "'task.completed', 'task.failed' or 'task.progress'";
            let message = format!("Input should be {expected}");
            fields
                .faults
                .add("enum", &place("event_type"), &message, &Value::String(text));
        }
        return Err(fields.faults.reject());
    };
    let event = example_event(&api.backend.user().id, event_type)
        .ok_or_else(|| Refusal::Unavailable("the example cannot be made".to_owned()))?;
    let message = api.backend.delivery().example(id, event).await?;
    Ok((StatusCode::ACCEPTED, Json(message)).into_response())
}

/// A believable event of this type about a task that does not exist.
fn example_event(user_id: &str, event_type: &'static str) -> Option<Accepted> {
    let at_us = now_us();
    let (time, event_id) = (rfc3339(at_us), Uuid::new_v4().to_string());
    let visual = match event_type {
        "task.completed" => "completed",
        "task.failed" => "failed",
        _ => "processing",
    };
    let states = [
        ("proxy", "completed"),
        ("preview", "completed"),
        ("visual", visual),
        ("transcription", "completed"),
    ];
    let features = states.map(|(name, state)| (name.to_owned(), FeatureBody { state }));
    let task = TaskBody {
        id: Uuid::new_v4().to_string(),
        asset_id: Uuid::new_v4().to_string(),
        features: FeaturesBody(features.into()),
        user_id: user_id.to_owned(),
        created: rfc3339(at_us - 60_000_000),
        updated: time.clone(),
    };
    let envelope = EnvelopeBody {
        timestamp: &time,
        user_id,
        event_id: &event_id,
        event_type,
        data: TaskDataBody { task },
    };
    let text = serde_json::to_string(&envelope).ok()?;
    let payload = RawValue::from_string(text).ok()?.into();
    Some(Accepted {
        event_id,
        event_type,
        payload,
        at_us,
    })
}
