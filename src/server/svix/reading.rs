//! The lists and what can be looked at.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::shape::{Refused, camel, endpoint, list, message, page};
use super::{Answer, Mount};
use crate::domain::Time;
use crate::server::clock::{now_us, rfc3339};
use crate::server::ledger::Attempt;
use crate::server::port::{AttemptsOf, Delivery, PageQuery};
use crate::server::tasks::EVENT_TYPES;
use crate::wire::bodies::EndpointBody;

/// The longest time that attempts are counted over, in microseconds.
const COUNTED_US: i64 = 28 * 24 * 3600 * 1_000_000;

type Parameters = Query<Vec<(String, String)>>;

pub async fn endpoints(
    State(mount): State<Mount>,
    Path(app): Path<String>,
    Query(query): Parameters,
) -> Answer {
    mount.check(&app)?;
    let asked = page_query(&query)?;
    // Newest first, as everything is unless asked otherwise.
    let mut all = mount.own.endpoints().await?;
    all.reverse();
    if let Some(iterator) = &asked.iterator {
        all.retain(|endpoint| endpoint.id < *iterator);
    }
    let is_done = all.len() <= asked.limit;
    all.truncate(asked.limit);
    let previous = all.first().map(|row| format!("-{}", row.id));
    let next = all.last().map(|row| row.id.as_str());
    let rows: Vec<_> = all.iter().map(endpoint).collect();
    Ok(list(&rows, next, previous.as_deref(), is_done))
}

/// `GET /event-type`: all on one page.
pub async fn event_types() -> Response {
    let rows: Vec<Map<String, Value>> = EVENT_TYPES
        .iter()
        .map(|name| {
            let pairs = [
                ("name".to_owned(), json!(name)),
                ("archived".to_owned(), json!(false)),
                ("deprecated".to_owned(), json!(false)),
            ];
            Map::from_iter(pairs)
        })
        .collect();
    let (first, last) = (EVENT_TYPES.first(), EVENT_TYPES.last());
    let previous = first.map(|name| format!("-{name}"));
    list(&rows, last.copied(), previous.as_deref(), true)
}

pub async fn one_endpoint(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
) -> Answer {
    mount.check(&app)?;
    Ok(Json(endpoint(&mount.own.endpoint(id).await?)).into_response())
}

/// `GET /app/{app}`: the one application there is.
pub async fn app(State(mount): State<Mount>, Path(app): Path<String>) -> Answer {
    mount.check(&app)?;
    Ok(Json(app_body(&mount)).into_response())
}

pub(super) fn app_body(mount: &Mount) -> Value {
    let since = rfc3339(mount.since_us);
    json!({
        "uid": &*mount.uid,
        "name": "test",
        "throttleRate": null,
        "id": mount.app_id(),
        "createdAt": since,
        "updatedAt": since,
        "metadata": {},
    })
}

/// Attempts since a time, at most 28 days ago, which is also where it begins without one.
pub async fn stats(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
    Query(query): Parameters,
) -> Answer {
    mount.check(&app)?;
    let earliest = now_us() - COUNTED_US;
    let since = match query.iter().find(|(name, _)| name == "since") {
        None => earliest,
        Some((_, text)) => {
            let no_time = || Refused::invalid(&["query", "since"], "not a time");
            let Time(since) = Time::parse(text).ok_or_else(no_time)?;
            since
        }
    };
    if since < earliest {
        return Err(Refused::coded(
            StatusCode::BAD_REQUEST,
            "invalid_range",
            "Stats are counted over 28 days at most",
        ));
    }
    let (success, fail) = mount.own.ledger().stats(&id, since)?;
    let body = json!({"success": success, "pending": 0, "sending": 0, "fail": fail, "canceled": 0});
    Ok(Json(body).into_response())
}

pub async fn headers(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
) -> Answer {
    mount.check(&app)?;
    Ok(Json(mount.own.headers(id).await?).into_response())
}

pub async fn secret(State(mount): State<Mount>, Path((app, id)): Path<(String, String)>) -> Answer {
    mount.check(&app)?;
    Ok(Json(mount.own.secret(id).await?).into_response())
}

pub async fn messages(
    State(mount): State<Mount>,
    Path(app): Path<String>,
    Query(query): Parameters,
) -> Answer {
    mount.check(&app)?;
    let found = mount.own.messages(page_query(&query)?).await?;
    Ok(page(found, message))
}

pub async fn one_message(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
) -> Answer {
    mount.check(&app)?;
    let found = mount.own.ledger().message(&id)?;
    Ok(Json(message(found)).into_response())
}

pub async fn attempts_of(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
    Query(query): Parameters,
) -> Answer {
    attempts(&mount, &app, AttemptsOf::Message(id), &query).await
}

pub async fn attempts_at(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
    Query(query): Parameters,
) -> Answer {
    attempts(&mount, &app, AttemptsOf::Endpoint(id), &query).await
}

async fn attempts(mount: &Mount, app: &str, of: AttemptsOf, query: &[(String, String)]) -> Answer {
    mount.check(app)?;
    let found = mount.own.attempts(of, page_query(query)?).await?;
    Ok(page(found, camel))
}

pub async fn one_attempt(
    State(mount): State<Mount>,
    Path((app, _, id)): Path<(String, String, String)>,
) -> Answer {
    mount.check(&app)?;
    let found = mount.own.ledger().attempt(&id)?;
    Ok(Json(camel(found)).into_response())
}

/// Where a message went, by the endpoints' ids upwards; a page always says that it is the last, as
/// Svix's open-source server does.
pub async fn destinations(
    State(mount): State<Mount>,
    Path((app, id)): Path<(String, String)>,
    Query(query): Parameters,
) -> Answer {
    mount.check(&app)?;
    let asked = page_query(&query)?;
    let found = mount.own.ledger().last_attempts(&id)?;
    let known = mount.own.endpoints().await?;
    let after = asked.iterator.as_deref().unwrap_or_default();
    let rows: Vec<(&String, &Attempt)> = found
        .iter()
        .filter(|(endpoint, _)| endpoint.as_str() > after)
        .take(asked.limit)
        .collect();
    let next = rows.last().map(|(endpoint, _)| endpoint.as_str());
    let previous = rows.first().map(|(endpoint, _)| format!("-{endpoint}"));
    let written: Vec<_> = rows
        .iter()
        .map(|(endpoint, attempt)| destination(&mount, &id, endpoint, attempt, &known))
        .collect();
    Ok(list(&written, next, previous.as_deref(), true))
}

fn destination(
    mount: &Mount,
    message: &str,
    id: &str,
    last: &Attempt,
    known: &[EndpointBody],
) -> Map<String, Value> {
    let known = known.iter().find(|endpoint| endpoint.id == id);
    // A deleted endpoint is still listed.
    let deleted = || EndpointBody {
        id: id.to_owned(),
        url: last.url.clone(),
        description: String::new(),
        event_types: None,
        rate_limit: None,
        disabled: false,
        version: 1,
        created_at: rfc3339(last.at_us),
        updated_at: rfc3339(last.at_us),
    };
    let mut row = endpoint(&known.cloned().unwrap_or_else(deleted));
    row.remove("metadata");
    let (status, words) = if last.success {
        (0, "success")
    } else {
        (2, "fail")
    };
    let next = mount.own.next_try(message, id).map(|wait| {
        let wait = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        rfc3339(now_us().saturating_add(wait))
    });
    row.insert("status".to_owned(), json!(status));
    row.insert("statusText".to_owned(), json!(words));
    row.insert("nextAttempt".to_owned(), json!(next));
    row
}

/// `limit` and `iterator`, refused as Svix refuses them.
fn page_query(query: &[(String, String)]) -> Result<PageQuery, Refused> {
    let found = |name: &str| {
        let named = query.iter().rev().find(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    };
    let limit = match found("limit").map(str::parse::<usize>) {
        None => 50,
        Some(Ok(limit @ 1..=250)) => limit,
        Some(Ok(_)) => {
            let place = ["query", "limit", "limit"];
            return Err(Refused::invalid(&place, "Given limit must not exceed 250"));
        }
        Some(Err(error)) => {
            let detail = format!("Failed to deserialize query string: limit: {error}");
            return Err(Refused::coded(
                StatusCode::BAD_REQUEST,
                "generic_error",
                &detail,
            ));
        }
    };
    Ok(PageQuery {
        limit,
        iterator: found("iterator").map(str::to_owned),
    })
}

/// Svix's health needs no key.
pub async fn health() -> Response {
    let ok = json!({"status": "ok"});
    Json(json!({"database": ok, "queue": ok, "cache": ok})).into_response()
}
