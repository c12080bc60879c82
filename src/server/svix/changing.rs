//! What changes something: publishing, endpoints, and what is sent again.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::shape::{Refused, camel, endpoint, message};
use super::{Answer, Mount};
use crate::domain::Time;
use crate::server::clock::{now_us, rfc3339};
use crate::server::port::{Accepted, Delivery, EndpointSpec, Resend};
use crate::server::tasks::EVENT_TYPES;
use crate::server::webhooks::is_http_url;
use crate::wire::signature::Secret;

/// The farthest back that a recovery goes, in microseconds.
const RECOVERABLE_US: i64 = 14 * 24 * 3600 * 1_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppIn {
    uid: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageIn {
    event_id: Option<String>,
    event_type: String,
    payload: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointIn {
    url: String,
    #[serde(default)]
    description: String,
    event_types: Option<Vec<String>>,
    #[serde(alias = "throttleRate")]
    rate_limit: Option<u16>,
    #[serde(default)]
    disabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExampleIn {
    event_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RotateIn {
    key: Option<String>,
    grace_period_seconds: Option<u64>,
}

#[derive(Deserialize)]
struct HeadersIn {
    headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct SpanIn {
    since: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChosenIn {
    #[serde(default)]
    event_types: Vec<String>,
    status: Option<u8>,
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(body)
        .map_err(|error| Refused::invalid(&["body", "__all__"], &error.to_string()))
}

/// `POST /app`: the one application there is; it exists from the start.
pub async fn create_app(
    State(mount): State<Mount>,
    Query(query): Query<Vec<(String, String)>>,
    body: Bytes,
) -> Answer {
    let asked: AppIn = read(&body)?;
    let is_ours = asked.uid.as_deref() == Some(&*mount.uid);
    let may_exist = (query.iter()).any(|(name, value)| name == "get_if_exists" && value == "true");
    if is_ours && may_exist {
        return Ok(Json(super::reading::app_body(&mount)).into_response());
    }
    Err(Refused::coded(
        StatusCode::CONFLICT,
        "conflict",
        "An application with that id or uid already exists",
    ))
}

/// `POST /event-type`: all that there are exist from the start.
pub async fn create_event_type() -> Refused {
    let detail = "An event_type with that name already exists";
    Refused::coded(StatusCode::CONFLICT, "conflict", detail)
}

/// `POST /app/{app}/msg`
pub async fn create_message(
    State(mount): State<Mount>,
    Path(app): Path<String>,
    body: Bytes,
) -> Answer {
    mount.check(&app)?;
    let asked: MessageIn = read(&body)?;
    let event_type = known_type(&asked.event_type)?;
    let event_id = asked
        .event_id
        .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    if mount.own.ledger().message(&event_id).is_ok() {
        let detail = "A conflict has occurred";
        return Err(Refused::coded(StatusCode::CONFLICT, "conflict", detail));
    }
    mount.own.accept(Accepted {
        event_id: event_id.clone(),
        event_type,
        payload: asked.payload.into(),
        at_us: now_us(),
    });
    let made = mount.own.ledger().message(&event_id)?;
    Ok((StatusCode::ACCEPTED, Json(message(made))).into_response())
}

fn known_type(name: &str) -> Result<&'static str, Refused> {
    let is_odd = |c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c);
    if name.contains(is_odd) {
        let words = "letters, digits, and the signs - _ . alone make an event type";
        return Err(Refused::invalid(&["body", "event_type", "__all__"], words));
    }
    let known = EVENT_TYPES.into_iter().find(|known| *known == name);
    let words = || format!("there is no event type {name}");
    known.ok_or_else(|| Refused::invalid(&["body", "eventTypes"], &words()))
}

fn spec(body: &[u8]) -> Result<EndpointSpec, Refused> {
    let asked: EndpointIn = read(body)?;
    if !is_http_url(&asked.url) {
        let words = "the URL of an endpoint is an http or https one";
        return Err(Refused::invalid(&["body", "url"], words));
    }
    if asked.rate_limit == Some(0) {
        let words = "a throttle rate is 1 at least";
        return Err(Refused::invalid(&["body", "throttle_rate"], words));
    }
    let event_types = match asked.event_types {
        None => None,
        Some(names) if names.is_empty() => {
            let words = "an endpoint has one event type at least, or all";
            return Err(Refused::invalid(&["body", "event_types"], words));
        }
        Some(names) => {
            let known: Result<Vec<_>, _> = names.iter().map(|name| known_type(name)).collect();
            Some(known?)
        }
    };
    Ok(EndpointSpec {
        url: asked.url,
        description: asked.description,
        event_types,
        rate_limit: asked.rate_limit,
        version: 1,
        disabled: asked.disabled,
    })
}

pub async fn create_endpoint(
    State(mount): State<Mount>,
    Path(app): Path<String>,
    body: Bytes,
) -> Answer {
    mount.check(&app)?;
    let made = mount.own.create_endpoint(spec(&body)?).await?;
    Ok((StatusCode::CREATED, Json(endpoint(&made.endpoint))).into_response())
}

pub async fn replace_endpoint(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    mount.check(&app)?;
    let made = mount.own.replace_endpoint(id, spec(&body)?).await?;
    Ok(Json(endpoint(&made)).into_response())
}

/// `PATCH`: what is not named stays.
pub async fn edit_endpoint(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    mount.check(&app)?;
    let named: Map<String, Value> = read(&body)?;
    let mut whole = camel(mount.own.endpoint(id.clone()).await?);
    if named.contains_key("throttleRate") {
        whole.remove("rateLimit");
    }
    whole.extend(named);
    let whole = Value::Object(whole).to_string();
    let made = mount
        .own
        .replace_endpoint(id, spec(whole.as_bytes())?)
        .await?;
    Ok(Json(endpoint(&made)).into_response())
}

pub async fn rotate(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    mount.check(&app)?;
    let asked: RotateIn = read(&body)?;
    let secret = asked.key.map(|key| Secret::parse(&key)).transpose();
    let secret = secret.map_err(|error| Refused::invalid(&["body", "key"], &error.to_string()))?;
    let grace = Duration::from_secs(asked.grace_period_seconds.unwrap_or(86_400));
    mount.own.rotate(id.clone(), secret, grace).await?;
    if mount.is_cloud {
        // As the official client of version 2.9 expects it, where a server of version 1.100
        // answers with nothing.
        return Ok(Json(mount.own.secret(id).await?).into_response());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub async fn set_headers(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    mount.check(&app)?;
    let asked: HeadersIn = read(&body)?;
    mount.own.set_headers(id, asked.headers).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub async fn delete_endpoint(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
) -> Answer {
    mount.check(&app)?;
    mount.own.delete_endpoint(id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub async fn resend(
    State(mount): State<Mount>,
    Path((app, message_id, endpoint_id)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Answer {
    mount.check(&app)?;
    if mount.own.ledger().is_expunged(&message_id) {
        return Err(Refused::coded(
            StatusCode::BAD_REQUEST,
            "missing_payload",
            "Unable to resend message. Payload is missing (probably expired).",
        ));
    }
    let key = headers.get("idempotency-key");
    let resend = Resend {
        message_id,
        endpoint_id,
        idempotency_key: key.and_then(|key| Some(key.to_str().ok()?.to_owned())),
    };
    mount.own.resend(resend).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({}))).into_response())
}

pub async fn recover(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    mount.check(&app)?;
    let since_us = since(&body)?;
    if since_us < now_us() - RECOVERABLE_US {
        let message = "Cannot recover more than 14 days of messages";
        return Err(Refused::invalid(&["body", "since"], message));
    }
    let failed = mount.own.ledger().failed_since(&id, since_us)?;
    begin(&mount, &id, failed, "endpoint.recover").await
}

pub async fn replay_missing(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    mount.check(&app)?;
    let missing = mount.own.ledger().untried_since(&id, since(&body)?)?;
    begin(&mount, &id, missing, "endpoint.replay").await
}

pub async fn bulk_replay(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    mount.check(&app)?;
    let chosen: ChosenIn = read(&body)?;
    let is_meant = |kind: &str| {
        chosen.event_types.is_empty() || chosen.event_types.iter().any(|it| it == kind)
    };
    let stands_so = |is_delivered: bool| match chosen.status {
        None => true,
        Some(0) => is_delivered,
        Some(2) => !is_delivered,
        Some(_) => false,
    };
    let tried = mount.own.ledger().tried_since(&id, since(&body)?)?;
    let tried = tried
        .into_iter()
        .filter(|tried| is_meant(tried.kind) && stands_so(tried.is_delivered));
    let ids = tried.map(|tried| tried.message).collect();
    begin(&mount, &id, ids, "endpoint.replay").await
}

fn since(body: &[u8]) -> Result<i64, Refused> {
    let asked: SpanIn = read(body)?;
    let no_time = || Refused::invalid(&["body", "since"], "not a time");
    let Time(since_us) = Time::parse(&asked.since).ok_or_else(no_time)?;
    Ok(since_us)
}

/// Sends an endpoint all these, and tells that a task of this kind does.
async fn begin(mount: &Mount, id: &str, messages: Vec<String>, task: &str) -> Answer {
    for message_id in messages {
        let resend = Resend {
            message_id,
            endpoint_id: id.to_owned(),
            idempotency_key: None,
        };
        mount.own.resend(resend).await?;
    }
    let body = json!({
        "id": format!("qtask_{}", "0".repeat(27)),
        "status": "running",
        "task": task,
        "updatedAt": rfc3339(now_us()),
    });
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

pub async fn send_example(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    mount.check(&app)?;
    let asked: ExampleIn = read(&body)?;
    // An event type that nobody made is no entity.
    let event_type = known_type(&asked.event_type).map_err(|_| Refused::not_found())?;
    let payload = RawValue::from_string("{}".to_owned());
    let made = mount.own.example(
        id,
        Accepted {
            event_id: uuid::Uuid::new_v4().to_string(),
            event_type,
            payload: payload.map_err(|_| Refused::not_found())?.into(),
            at_us: now_us(),
        },
    );
    Ok(Json(message(made.await?)).into_response())
}

pub async fn expunge(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
) -> Answer {
    mount.check(&app)?;
    mount.own.ledger().expunge(&id)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// No such route: nothing is said at all.
pub async fn unknown() -> Response {
    StatusCode::NOT_FOUND.into_response()
}
