//! The webhook routes: endpoints, and the logs of messages and attempts.
//!
//! Documented by name only, except for the endpoints; list shapes are Svix's in `snake_case`. The
//! endpoint list and the resend route are our own additions, and marked so in `/openapi.json`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::api::{Api, Id, parameter, whole};
use super::port::{AttemptsOf, EndpointSpec, PageQuery, Resend};
use super::reject::{Faults, Fields, Rejected, place};
use super::tasks::EVENT_TYPES;
use crate::wire::bodies::{EndpointListBody, EndpointUpdatedBody, SuccessBody};

type Body = Result<Bytes, BytesRejection>;
type Parameters = Query<Vec<(String, String)>>;
type Answer = Result<Response, Rejected>;

const EVERY_TASK_EVENT: &str = "task.*";
/// Rows of a page: Svix's default and limit.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 250;
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// In bytes: many keys are remembered, for hours.
const LONGEST_KEY: usize = 256;

/// `POST /webhooks/endpoints`: the only answer that holds the secret.
pub async fn create_endpoint(State(api): State<Api>, body: Body) -> Answer {
    let spec = endpoint_spec(&whole(body)?, false)?;
    let created = api.backend.delivery().create_endpoint(spec).await?;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// `PUT /webhooks/endpoints/{id}`: what is left out falls back to its default.
pub async fn replace_endpoint(State(api): State<Api>, Id(id): Id, body: Body) -> Answer {
    let spec = endpoint_spec(&whole(body)?, true)?;
    let endpoint = api.backend.delivery().replace_endpoint(id, spec).await?;
    Ok(Json(EndpointUpdatedBody { endpoint }).into_response())
}

/// `DELETE /webhooks/endpoints/{id}`
pub async fn delete_endpoint(State(api): State<Api>, Id(id): Id) -> Answer {
    api.backend.delivery().delete_endpoint(id).await?;
    Ok(Json(SuccessBody { success: true }).into_response())
}

/// `GET /webhooks/endpoints`, our own.
pub async fn list_endpoints(State(api): State<Api>) -> Answer {
    let data = api.backend.delivery().endpoints().await?;
    Ok(Json(EndpointListBody { data }).into_response())
}

/// `GET /webhooks/messages`
pub async fn messages(State(api): State<Api>, Query(query): Parameters) -> Answer {
    let page = page_query(&query)?;
    let page = api.backend.delivery().messages(page).await?;
    Ok(Json(page).into_response())
}

/// `GET /webhooks/delivery-attempts`, by exactly one of message and endpoint.
pub async fn attempts(State(api): State<Api>, Query(query): Parameters) -> Answer {
    let message_id = parameter(&query, "message_id");
    let endpoint_id = parameter(&query, "endpoint_id");
    let of = match (message_id, endpoint_id) {
        (Some(id), None) => AttemptsOf::Message(id.to_owned()),
        (None, Some(id)) => AttemptsOf::Endpoint(id.to_owned()),
        _ => {
            let mut faults = Faults::default();
            let reason = "exactly one of message_id and endpoint_id is needed";
            faults.value(&["query".into()], reason, &json!(null));
            return Err(faults.reject());
        }
    };
    attempt_page(&api, of, &query).await
}

/// `GET /webhooks/endpoints/{id}/deliveries`: the same rows, by endpoint.
pub async fn deliveries(State(api): State<Api>, Id(id): Id, Query(query): Parameters) -> Answer {
    attempt_page(&api, AttemptsOf::Endpoint(id), &query).await
}

async fn attempt_page(api: &Api, of: AttemptsOf, query: &[(String, String)]) -> Answer {
    let page = page_query(query)?;
    let page = api.backend.delivery().attempts(of, page).await?;
    Ok(Json(page).into_response())
}

/// `POST /webhooks/messages/{id}/resend`, our own, with Svix's meaning.
pub async fn resend(
    State(api): State<Api>,
    Id(message_id): Id,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let idempotency_key = idempotency_key(&headers)?;
    let mut fields = Fields::of(&whole(body)?)?;
    let Some(endpoint_id) = fields.string("endpoint_id", true) else {
        return Err(fields.faults.reject());
    };
    let resend = Resend {
        message_id,
        endpoint_id,
        idempotency_key,
    };
    api.backend.delivery().resend(resend).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({}))).into_response())
}

/// The key under which a client's resend is sent once. One that cannot be remembered is refused:
/// to go on without it would send twice what is asked for twice.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Rejected> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if key.len() <= LONGEST_KEY => Ok(Some(key.to_owned())),
        _ => {
            let reason = format!("at most {LONGEST_KEY} ASCII characters are allowed");
            let mut faults = Faults::default();
            let loc = ["header".into(), IDEMPOTENCY_KEY.into()];
            faults.value(&loc, &reason, &Value::Null);
            Err(faults.reject())
        }
    }
}

/// Reads what a client says about an endpoint; with `full`, `disabled` counts too.
fn endpoint_spec(body: &[u8], full: bool) -> Result<EndpointSpec, Rejected> {
    let mut fields = Fields::of(body)?;
    let url = fields.string("url", true);
    let description = fields.string("description", false).unwrap_or_default();
    let expected = "'task.*', 'task.completed', 'task.failed' or 'task.progress'";
    // No list stands for all events, as in Svix, which is where it goes.
    let event_types = if fields.is_null("event_types") {
        Some(None)
    } else {
        fields.words("event_types", 1, expand, expected).map(Some)
    };
    let rate_limit = fields.number("rate_limit", 1);
    let version = fields.number("version", 1).unwrap_or(1);
    let disabled = full && fields.flag("disabled").unwrap_or(false);
    if let Some(url) = &url
        && !is_http_url(url)
    {
        let reason = "an http or https URL is needed";
        fields
            .faults
            .value(&place("url"), reason, &Value::String(url.clone()));
    }
    match (url, event_types) {
        (Some(url), Some(words)) if fields.faults.is_empty() => {
            let event_types = words.map(|words| {
                let wanted = |name: &&str| words.iter().any(|word| word.contains(name));
                EVENT_TYPES.into_iter().filter(wanted).collect()
            });
            Ok(EndpointSpec {
                url,
                description,
                event_types,
                rate_limit,
                version,
                disabled,
            })
        }
        _ => Err(fields.faults.reject()),
    }
}

/// The event types a word stands for.
fn expand(word: &str) -> Option<Vec<&'static str>> {
    if word == EVERY_TASK_EVENT {
        return Some(EVENT_TYPES.to_vec());
    }
    EVENT_TYPES
        .into_iter()
        .find(|known| *known == word)
        .map(|known| vec![known])
}

pub fn is_http_url(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    })
}

/// `limit` and `iterator`, Svix's names.
fn page_query(query: &[(String, String)]) -> Result<PageQuery, Rejected> {
    let mut faults = Faults::default();
    let mut limit = PAGE;
    if let Some(text) = parameter(query, "limit") {
        let loc = ["query".into(), "limit".into()];
        let input = Value::String(text.to_owned());
        match text.trim().parse::<i64>() {
            Ok(number) if number < 1 => {
                let message = "Input should be greater than or equal to 1";
                faults.add("greater_than_equal", &loc, message, &input);
            }
            Ok(number) => match usize::try_from(number) {
                Ok(number) if number <= LARGEST_PAGE => limit = number,
                _ => {
                    let message = "Input should be less than or equal to 250";
                    faults.add("less_than_equal", &loc, message, &input);
                }
            },
            Err(_) => {
                let message =
                    "Input should be a valid integer, unable to parse string as an integer";
                faults.add("int_parsing", &loc, message, &input);
            }
        }
    }
    let iterator = parameter(query, "iterator").filter(|text| !text.is_empty());
    let iterator = iterator.map(str::to_owned);
    if faults.is_empty() {
        Ok(PageQuery { limit, iterator })
    } else {
        Err(faults.reject())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_event_types() {
        assert_eq!(expand("task.*"), Some(EVENT_TYPES.to_vec()));
        for name in EVENT_TYPES {
            assert_eq!(expand(name), Some(vec![name]));
        }
        assert_eq!(expand("*"), None);
        assert_eq!(expand("asset.created"), None);
    }

    #[test]
    fn urls_need_http_and_a_host() {
        for url in ["http://127.0.0.1:1/x", "https://example.com/hooks?a=b"] {
            assert!(is_http_url(url), "{url}");
        }
        for url in [
            "",
            "example.com",
            "ftp://example.com/",
            "http://",
            "http:///x",
            "http://a b/",
        ] {
            assert!(!is_http_url(url), "{url}");
        }
    }
}
