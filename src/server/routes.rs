//! The routes: who may come in, what is where, and the handlers for tasks, assets and the user.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::api::{Api, Id, parameter, whole};
use super::backend::{TaskRefused, core_feature};
use super::chaos::Chaos;
use super::reject::{Faults, Fields, Rejected, detail, not_found, unauthorized};
use super::{endpoints, events, openapi, webhooks};
use crate::wire::bodies::TaskCreatedBody;

/// First segments of our paths: with a slash at the end they redirect, as `FastAPI` does.
const ROOTS: [&str; 6] = ["tasks", "users", "assets", "indexes", "webhooks", "events"];

/// The whole service; `svix_shaped` are the routes of a Svix server, where there are any.
pub fn router(api: Api, svix_shaped: Option<Router>, chaos: &Chaos) -> Router {
    let guarded = Router::new()
        .route("/events", get(events::stream))
        .route("/events/stream", get(events::stream))
        .route("/tasks", post(create_task))
        .route("/tasks/active", get(active_tasks))
        .route("/tasks/{task_id}", get(task))
        .route("/users/me", get(me))
        .route("/indexes", get(indexes))
        .route("/assets", get(assets))
        .route("/assets/{asset_id}", get(asset))
        .route(
            "/webhooks/endpoints",
            get(webhooks::list_endpoints).post(webhooks::create_endpoint),
        )
        .route(
            "/webhooks/endpoints/{endpoint_id}",
            get(endpoints::read)
                .put(webhooks::replace_endpoint)
                .delete(webhooks::delete_endpoint),
        )
        .route(
            "/webhooks/endpoints/{endpoint_id}/secret",
            get(endpoints::secret),
        )
        .route(
            "/webhooks/endpoints/{endpoint_id}/secret/rotate",
            post(endpoints::rotate),
        )
        .route(
            "/webhooks/endpoints/{endpoint_id}/headers",
            get(endpoints::headers).put(endpoints::set_headers),
        )
        .route(
            "/webhooks/endpoints/{endpoint_id}/send-example",
            post(endpoints::example),
        )
        .route(
            "/webhooks/endpoints/{endpoint_id}/deliveries",
            get(webhooks::deliveries),
        )
        .route("/webhooks/messages", get(webhooks::messages))
        .route(
            "/webhooks/messages/{message_id}/resend",
            post(webhooks::resend),
        )
        .route("/webhooks/delivery-attempts", get(webhooks::attempts))
        .route("/_chaos", chaos.route())
        .route_layer(middleware::from_fn_with_state(api.clone(), guard));
    let routes = Router::new()
        .route("/health", get(health))
        .route("/openapi.json", get(openapi::document))
        .merge(guarded)
        .route_layer(middleware::from_fn(no_head))
        .fallback(unknown)
        .method_not_allowed_fallback(async || {
            detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .with_state(api);
    let routes = match svix_shaped {
        Some(svix) => Router::new().nest("/api/v1", svix).fallback_service(routes),
        None => routes,
    };
    // Around the whole router: which methods there are is written only after its own layers.
    let routes = Router::new()
        .fallback_service(routes)
        .layer(middleware::map_response(allow_no_head));
    chaos.before(routes)
}

/// axum answers HEAD wherever there is a GET; `FastAPI` does not.
async fn no_head(request: Request, next: Next) -> Response {
    if request.method() != Method::HEAD {
        return next.run(request).await;
    }
    let allow = [(ALLOW, HeaderValue::from_static("GET"))];
    let refusal = detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    (allow, refusal).into_response()
}

/// Takes HEAD out of the methods that an answer says are allowed.
async fn allow_no_head(mut response: Response) -> Response {
    if let Some(allowed) = response.headers_mut().get_mut(ALLOW)
        && let Ok(text) = allowed.to_str()
    {
        let kept: Vec<&str> = text.split(',').filter(|name| *name != "HEAD").collect();
        if let Ok(kept) = HeaderValue::from_str(&kept.join(", ")) {
            *allowed = kept;
        }
    }
    response
}

/// Lets requests with the right key through.
async fn guard(State(api): State<Api>, request: Request, next: Next) -> Response {
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let Some((scheme, given)) = header.and_then(|value| value.split_once(' ')) else {
        return unauthorized("Not authenticated");
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return unauthorized("Not authenticated");
    }
    let key = api.key.expose_secret().as_bytes();
    if bool::from(key.ct_eq(given.trim().as_bytes())) {
        next.run(request).await
    } else {
        unauthorized("Invalid API key")
    }
}

async fn unknown(uri: Uri) -> Response {
    match without_slash(&uri) {
        Some(target) => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, target)]).into_response(),
        None => detail(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// The same path without its last slash, where that may be one of ours.
fn without_slash(uri: &Uri) -> Option<String> {
    let path = uri.path().strip_suffix('/')?;
    let first = path.strip_prefix('/')?.split('/').next()?;
    let query = uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    (ROOTS.contains(&first) && !path.ends_with('/')).then(|| format!("{path}{query}"))
}

async fn health(State(api): State<Api>) -> Response {
    let (tasks, active, assets) = api.backend.counts();
    let overflow = api.backend.overflow();
    let hub = api.backend.hub().figures();
    let delivery = api.backend.delivery().figures();
    Json(json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": api.started.elapsed().as_secs(),
        "tasks": tasks,
        "active_tasks": active,
        "tasks_evicted": overflow.evicted,
        "tasks_refused": overflow.refused,
        "assets": assets,
        "events_published": hub.published,
        "events_kept": hub.kept,
        "events_kept_bytes": hub.kept_bytes,
        "readers": hub.readers,
        "slow_readers_dropped": hub.slow_readers_dropped,
        "endpoints": delivery.endpoints,
        "messages": delivery.messages,
        "messages_evicted": delivery.messages_evicted,
        "attempts": delivery.attempts,
        "log_bytes": delivery.log_bytes,
        "deliveries_queued": delivery.deliveries_queued,
        "deliveries_in_flight": delivery.deliveries_in_flight,
        "deliveries_dropped": delivery.deliveries_dropped,
        "retries_pending": delivery.retries_pending,
        "retries_dropped": delivery.retries_dropped,
    }))
    .into_response()
}

async fn active_tasks(State(api): State<Api>) -> Response {
    Json(api.backend.active()).into_response()
}

async fn task(State(api): State<Api>, Id(id): Id) -> Response {
    match api.backend.task_body(&id) {
        Some(task) => Json(task).into_response(),
        None => not_found("Task"),
    }
}

async fn create_task(
    State(api): State<Api>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Rejected> {
    let body = whole(body)?;
    let mut fields = Fields::of(&body)?;
    let asset_id = fields.string("asset_id", true);
    let expected = "'proxy', 'preview', 'visual' or 'transcription'";
    let features = fields.words("features", 1, core_feature, expected);
    let (Some(asset_id), Some(mut features)) = (asset_id, features) else {
        return Err(fields.faults.reject());
    };
    let mut seen = Vec::new();
    features.retain(|feature| {
        !seen.contains(feature) && {
            seen.push(*feature);
            true
        }
    });
    match api.backend.request(&asset_id, &features) {
        Ok(task_id) => Ok((StatusCode::CREATED, Json(TaskCreatedBody { task_id })).into_response()),
        Err(error @ TaskRefused::UnknownAsset) => {
            Err(detail(StatusCode::NOT_FOUND, &error.to_string()).into())
        }
        Err(error @ TaskRefused::TooMany) => {
            Err(detail(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()).into())
        }
    }
}

async fn me(State(api): State<Api>) -> Response {
    Json(api.backend.user()).into_response()
}

async fn indexes(State(api): State<Api>) -> Response {
    Json([api.backend.index_body()]).into_response()
}

async fn asset(State(api): State<Api>, Id(id): Id) -> Response {
    match api.backend.asset_body(&id) {
        Some(asset) => Json(asset).into_response(),
        None => not_found("Asset"),
    }
}

async fn assets(State(api): State<Api>, Query(query): Query<Vec<(String, String)>>) -> Response {
    let Some(index_id) = parameter(&query, "index_id") else {
        let mut faults = Faults::default();
        let loc = ["query".into(), "index_id".into()];
        faults.add("missing", &loc, "Field required", &Value::Null);
        return faults.reject().into_response();
    };
    match api.backend.assets_of(index_id) {
        Some(assets) => Json(assets).into_response(),
        None => not_found("Index"),
    }
}
