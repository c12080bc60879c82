//! The gate that every request passes: how it is answered while faults are on.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, LOCATION, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Chaos;
use super::fault::{Fault, FaultSet};
use super::{flow, shape};
use crate::server::clock::http_date;
use crate::server::reject::{detail, not_found, unauthorized};

/// What is asked, as far as faults differ in what they hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Stream,
    /// `/openapi.json`: nobody asks for a key there.
    Published,
    Api,
    /// Our own: faults leave them alone.
    Own,
}

impl Route {
    fn of(path: &str) -> Self {
        match path {
            "/events" | "/events/stream" => Self::Stream,
            "/openapi.json" => Self::Published,
            "/_chaos" | "/health" => Self::Own,
            _ => Self::Api,
        }
    }
}

/// What a proxy in front of a broken server says.
const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
/// Seconds to wait before the next try.
const RETRY_SECONDS: i64 = 1;
/// A parameter that says by which redirect a request came, so that it is not sent on again.
const MOVED: &str = "moved=";
const MOVED_AWAY: &str = "moved=away";
/// Largest answer that is put into another shape.
const MOST_BODY: usize = 256 << 20;

/// Answers a request as the faults of the moment have it.
pub async fn pass(State(chaos): State<Chaos>, request: Request, next: Next) -> Response {
    let route = Route::of(request.uri().path());
    if route == Route::Own {
        return next.run(request).await;
    }
    chaos.figures().count(route == Route::Stream);
    let is_from_away = request
        .uri()
        .query()
        .is_some_and(|query| query.contains(MOVED_AWAY));
    if is_from_away {
        let has_key = request.headers().contains_key(AUTHORIZATION);
        chaos.figures().count_away(has_key);
    }
    let faults = chaos.faults();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let refusal = refusal(&chaos, faults, route, &uri, request.headers());
    let mut response = if let Some(refusal) = refusal {
        chaos.figures().count_refused();
        refusal
    } else {
        let response = next.run(request).await;
        if route == Route::Stream {
            stream(&chaos, faults, response)
        } else {
            rest(&chaos, faults, &method, &uri, response).await
        }
    };
    let headers = response.headers_mut();
    if let Ok(date) = HeaderValue::try_from(http_date(chaos.backend().now_us())) {
        headers.insert(DATE, date);
    }
    if faults.has(Fault::Http10) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        *response.version_mut() = Version::HTTP_10;
    }
    response
}

/// The answer that these faults give instead of the right one.
fn refusal(
    chaos: &Chaos,
    faults: FaultSet,
    route: Route,
    uri: &Uri,
    headers: &HeaderMap,
) -> Option<Response> {
    if faults.has(Fault::Trouble) {
        return Some((StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response());
    }
    if faults.has(Fault::BadGateway) {
        let html = [(CONTENT_TYPE, HeaderValue::from_static("text/html"))];
        return Some((StatusCode::BAD_GATEWAY, html, BAD_GATEWAY).into_response());
    }
    let after = match (
        faults.has(Fault::TooManySeconds),
        faults.has(Fault::TooManyDate),
    ) {
        (_, true) => Some(http_date(
            chaos.backend().now_us() + RETRY_SECONDS * 1_000_000,
        )),
        (true, _) => Some(RETRY_SECONDS.to_string()),
        _ => None,
    };
    if let Some(after) = after {
        let refusal = detail(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
        return Some(([(RETRY_AFTER, after)], refusal).into_response());
    }
    if faults.has(Fault::KeyRotated) && route != Route::Published {
        return Some(unauthorized("Invalid API key"));
    }
    let path = uri.path();
    let is_task_read = path.starts_with("/tasks/");
    match route {
        Route::Stream => refusal_of_stream(faults, uri, headers),
        _ if faults.has(Fault::NoLogs) && shape::is_log(path) => Some(unknown()),
        _ if faults.has(Fault::NoTasks) && is_task_read => Some(unknown()),
        _ => None,
    }
}

fn unknown() -> Response {
    detail(StatusCode::NOT_FOUND, "Not Found")
}

fn refusal_of_stream(faults: FaultSet, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
    if faults.has(Fault::NoStream) || faults.has(Fault::NotFound) {
        return Some(unknown());
    }
    if faults.has(Fault::Forbidden) {
        return Some(detail(StatusCode::FORBIDDEN, "Forbidden"));
    }
    if faults.has(Fault::NoContent) {
        return Some(StatusCode::NO_CONTENT.into_response());
    }
    if uri.query().is_some_and(|query| query.contains(MOVED)) {
        return None;
    }
    let here = "/events/stream?moved=here".to_owned();
    let away = || elsewhere(headers).map(|origin| format!("{origin}/events?{MOVED_AWAY}"));
    let (status, to) = if faults.has(Fault::MovedAway) {
        (StatusCode::MOVED_PERMANENTLY, away()?)
    } else if faults.has(Fault::MovedAwayForNow) {
        (StatusCode::TEMPORARY_REDIRECT, away()?)
    } else if faults.has(Fault::Moved) {
        (StatusCode::MOVED_PERMANENTLY, here)
    } else if faults.has(Fault::MovedForNow) {
        (StatusCode::TEMPORARY_REDIRECT, here)
    } else {
        return None;
    };
    Some((status, [(LOCATION, to)]).into_response())
}

/// This very server under another name, which is another origin: a client that follows is seen.
fn elsewhere(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "80"));
    let other = if name == "localhost" {
        "127.0.0.1"
    } else {
        "localhost"
    };
    Some(format!("http://{other}:{port}"))
}

/// The stream's answer with its bytes as the faults make them.
fn stream(chaos: &Chaos, faults: FaultSet, response: Response) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let (set, number) = chaos.next_stream();
    let mut response = response.map(|body| flow::through(body, faults, set, chaos.seed(), number));
    if faults.has(Fault::WrongType) {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
    }
    response
}

/// Any other answer in the shape that the faults give it.
async fn rest(
    chaos: &Chaos,
    faults: FaultSet,
    method: &Method,
    uri: &Uri,
    response: Response,
) -> Response {
    let path = uri.path();
    let is_read = method == Method::GET;
    let response = match path.strip_prefix("/tasks/") {
        Some(task) if is_read => stale(chaos, task, response),
        _ => response,
    };
    let is_published = path == "/openapi.json";
    let hides = FaultSet::of(&[Fault::NoStream, Fault::NoLogs, Fault::NoTasks]);
    let is_reshaped = if is_published {
        faults.has_any(hides)
    } else {
        shape::changes_json(faults)
    };
    if !is_reshaped || !is_read {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MOST_BODY).await else {
        return detail(
            StatusCode::INTERNAL_SERVER_ERROR,
            "too large to be put into another shape",
        );
    };
    let Ok(value) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    let shaped = if is_published {
        shape::published(value, faults)
    } else {
        shape::body(value, faults)
    };
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(shaped.to_string()))
}

/// A task, or the active ones, as they were when snapshots became stale.
fn stale(chaos: &Chaos, task: &str, response: Response) -> Response {
    // What was refused stays refused.
    if response.status() != StatusCode::OK {
        return response;
    }
    match chaos.stale() {
        None => response,
        Some(frozen) if task == "active" => Json(&frozen.active).into_response(),
        Some(frozen) => match frozen.active.iter().find(|held| held.id == task) {
            Some(held) => Json(held).into_response(),
            None if chaos.backend().is_younger(task, frozen.at_us) => not_found("Task"),
            None => response,
        },
    }
}
