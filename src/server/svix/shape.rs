//! Svix's shapes and quirks, made of the bodies that the other routes answer with.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::server::port::Refusal;
use crate::wire::bodies::{EndpointBody, PageBody};

/// A refusal, in Svix's words.
pub struct Refused(Box<Response>);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl Refused {
    /// `{code, detail}`
    pub fn coded(status: StatusCode, code: &str, detail: &str) -> Self {
        let body = json!({"code": code, "detail": detail});
        Self(Box::new((status, Json(body)).into_response()))
    }

    /// A 422 about one place of the request.
    pub fn invalid(place: &[&str], message: &str) -> Self {
        let fault = json!({"loc": place, "msg": message, "type": "value_error"});
        let body = json!({"detail": [fault]});
        Self(Box::new(
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response(),
        ))
    }

    pub fn not_found() -> Self {
        Self::coded(StatusCode::NOT_FOUND, "not_found", "Entity not found")
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound(_) => Self::not_found(),
            Refusal::Limit(text) => Self::coded(StatusCode::BAD_REQUEST, "limit_reached", &text),
            Refusal::Unavailable(text) => {
                Self::coded(StatusCode::SERVICE_UNAVAILABLE, "server_error", &text)
            }
            Refusal::Busy(text, _) => {
                Self::coded(StatusCode::TOO_MANY_REQUESTS, "generic_error", &text)
            }
            Refusal::Undone(text) => {
                Self::coded(StatusCode::FAILED_DEPENDENCY, "server_error", &text)
            }
        }
    }
}

/// A body with the names of its fields in camelCase; what is within them stays.
pub fn camel(body: impl Serialize) -> Map<String, Value> {
    let Ok(Value::Object(fields)) = serde_json::to_value(body) else {
        return Map::new();
    };
    let renamed = fields
        .into_iter()
        .map(|(name, value)| (in_camel(&name), value));
    renamed.collect()
}

fn in_camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

/// An endpoint as Svix writes it, its event types in another order each time; null for all.
pub fn endpoint(body: &EndpointBody) -> Map<String, Value> {
    let mut fields = camel(body);
    let mut types = body.event_types.clone();
    if let Some(types) = &mut types {
        fastrand::shuffle(types);
    }
    for name in ["eventTypes", "filterTypes"] {
        fields.insert(name.to_owned(), json!(types));
    }
    fields.insert("throttleRate".to_owned(), json!(body.rate_limit));
    for name in ["uid", "channels"] {
        fields.insert(name.to_owned(), Value::Null);
    }
    fields.insert("metadata".to_owned(), json!({}));
    fields
}

/// A message as Svix's open-source server writes it.
pub fn message(body: impl Serialize) -> Map<String, Value> {
    let mut fields = camel(body);
    fields.remove("tags");
    fields
}

/// The envelope of a list: an empty page has no way back.
pub fn list(
    rows: &[Map<String, Value>],
    iterator: Option<&str>,
    previous: Option<&str>,
    is_done: bool,
) -> Response {
    let mut body = Map::new();
    let is_empty = rows.is_empty();
    body.insert("data".to_owned(), json!(rows));
    body.insert("iterator".to_owned(), json!(iterator));
    if !is_empty {
        body.insert("prevIterator".to_owned(), json!(previous));
    }
    body.insert("done".to_owned(), json!(is_done));
    Json(body).into_response()
}

/// A page of a log, its rows written by `row`.
pub fn page<T>(page: PageBody<T>, row: impl Fn(T) -> Map<String, Value>) -> Response {
    let rows: Vec<_> = page.data.into_iter().map(row).collect();
    let (next, previous) = (page.iterator.as_deref(), page.prev_iterator.as_deref());
    list(&rows, next, previous, page.done)
}
