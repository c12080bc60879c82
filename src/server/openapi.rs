//! `/openapi.json`: what this server offers. Clients find the event stream, the resend route and
//! the retry schedule here. What is not documented by Aspect is marked `x-reeltop: true`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::api::Api;

/// One operation: method, path, what it does, the code of success, and whether it is our own.
type Operation = (&'static str, &'static str, &'static str, &'static str, bool);

const OPERATIONS: [Operation; 28] = [
    (
        "get",
        "/health",
        "Counts of the server; needs no key",
        "200",
        true,
    ),
    (
        "get",
        "/openapi.json",
        "This document; needs no key",
        "200",
        true,
    ),
    (
        "get",
        "/events",
        "All events as Server-Sent Events",
        "200",
        true,
    ),
    ("get", "/events/stream", "The same as /events", "200", true),
    (
        "get",
        "/tasks/active",
        "Tasks that are queued, processing or lately failed",
        "200",
        false,
    ),
    ("get", "/tasks/{task_id}", "Get a task", "200", false),
    ("post", "/tasks", "Create a task for an asset", "201", false),
    (
        "get",
        "/users/me",
        "The user whose key this is",
        "200",
        false,
    ),
    ("get", "/indexes", "List indexes", "200", false),
    (
        "get",
        "/assets",
        "List the assets of an index",
        "200",
        false,
    ),
    ("get", "/assets/{asset_id}", "Get an asset", "200", false),
    (
        "get",
        "/webhooks/endpoints",
        "List webhook endpoints",
        "200",
        true,
    ),
    (
        "post",
        "/webhooks/endpoints",
        "Create a webhook endpoint",
        "201",
        false,
    ),
    (
        "put",
        "/webhooks/endpoints/{endpoint_id}",
        "Replace a webhook endpoint",
        "200",
        false,
    ),
    (
        "delete",
        "/webhooks/endpoints/{endpoint_id}",
        "Delete a webhook endpoint",
        "200",
        false,
    ),
    (
        "get",
        "/webhooks/endpoints/{endpoint_id}",
        "Get a webhook endpoint",
        "200",
        true,
    ),
    (
        "get",
        "/webhooks/endpoints/{endpoint_id}/secret",
        "Get an endpoint's signing secret",
        "200",
        true,
    ),
    (
        "post",
        "/webhooks/endpoints/{endpoint_id}/secret/rotate",
        "Give an endpoint another secret; the one before stays valid for a while",
        "204",
        true,
    ),
    (
        "get",
        "/webhooks/endpoints/{endpoint_id}/headers",
        "Get an endpoint's own headers",
        "200",
        true,
    ),
    (
        "put",
        "/webhooks/endpoints/{endpoint_id}/headers",
        "Replace an endpoint's own headers",
        "204",
        true,
    ),
    (
        "post",
        "/webhooks/endpoints/{endpoint_id}/send-example",
        "Send an example event to this endpoint alone",
        "202",
        true,
    ),
    (
        "get",
        "/webhooks/endpoints/{endpoint_id}/deliveries",
        "Attempts at an endpoint (legacy)",
        "200",
        false,
    ),
    (
        "get",
        "/webhooks/messages",
        "List messages, newest first",
        "200",
        false,
    ),
    (
        "get",
        "/webhooks/delivery-attempts",
        "List attempts of a message or endpoint",
        "200",
        false,
    ),
    (
        "post",
        "/webhooks/messages/{message_id}/resend",
        "Send a message to an endpoint once more",
        "202",
        true,
    ),
    (
        "get",
        "/_chaos",
        "Which faults are on, and which there are",
        "200",
        true,
    ),
    (
        "put",
        "/_chaos",
        "Switch faults on, instead of those that are",
        "200",
        true,
    ),
    ("delete", "/_chaos", "Switch all faults off", "200", true),
];

/// `GET /openapi.json`
pub async fn document(State(api): State<Api>) -> Response {
    let mut paths = Map::new();
    for operation in &OPERATIONS {
        let entry = paths
            .entry(operation.1)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(methods) = entry {
            methods.insert(operation.0.to_owned(), describe(operation));
        }
    }
    let schemes = json!({
        "ApiKeyAuth": {"type": "apiKey", "in": "header", "name": "Authorization"},
        "BearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    });
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Aspect Media Engine API (reeltop's embedded server)",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Operations marked x-reeltop are not documented by Aspect.",
        },
        "x-reeltop": true,
        "x-retry-schedule": api.backend.delivery().schedule_s(),
        "x-retry-floor-after-timeout": api.backend.delivery().floor_after_timeout_s(),
        "x-disable-after": api.backend.delivery().disable_after_s(),
        "paths": paths,
        "components": {"securitySchemes": schemes, "schemas": schemas()},
    });
    Json(document).into_response()
}

fn describe(&(method, path, summary, code, own): &Operation) -> Value {
    let content_type = if path.starts_with("/events") {
        "text/event-stream"
    } else {
        "application/json"
    };
    let schema = answer_schema(method, path);
    let open = matches!(path, "/health" | "/openapi.json");
    let mut responses = Map::new();
    responses.insert(
        code.to_owned(),
        json!({"description": "Successful Response", "content": {content_type: {"schema": schema}}}),
    );
    if !open {
        responses.insert(
            "401".to_owned(),
            json!({"description": "Not authenticated"}),
        );
    }
    let mut parameters: Vec<Value> = path
        .split('/')
        .filter_map(path_parameter)
        .chain(query_parameters(path))
        .collect();
    if path.ends_with("/resend") {
        parameters.push(parameter("idempotency-key", "header", false));
    }
    let mut operation = Map::new();
    operation.insert("summary".to_owned(), summary.into());
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(name) = request_schema(method, path) {
        operation.insert(
            "requestBody".to_owned(),
            json!({"required": true, "content": {"application/json": {"schema": reference(name)}}}),
        );
    }
    if !open {
        let security = json!([{"ApiKeyAuth": []}, {"BearerAuth": []}]);
        operation.insert("security".to_owned(), security);
        responses.insert("422".to_owned(), json!({"description": "Validation Error"}));
    }
    operation.insert("responses".to_owned(), responses.into());
    if own {
        operation.insert("x-reeltop".to_owned(), true.into());
    }
    Value::Object(operation)
}

fn path_parameter(segment: &str) -> Option<Value> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    Some(parameter(name, "path", true))
}

fn query_parameters(path: &str) -> Vec<Value> {
    let names: &[&str] = match path {
        "/assets" => return vec![parameter("index_id", "query", true)],
        "/events" | "/events/stream" => {
            return vec![parameter("Last-Event-ID", "header", false)];
        }
        "/webhooks/messages" | "/webhooks/endpoints/{endpoint_id}/deliveries" => {
            &["limit", "iterator"]
        }
        "/webhooks/delivery-attempts" => &["message_id", "endpoint_id", "limit", "iterator"],
        _ => &[],
    };
    names
        .iter()
        .map(|name| parameter(name, "query", false))
        .collect()
}

fn parameter(name: &str, place: &str, required: bool) -> Value {
    let kind = if name == "limit" { "integer" } else { "string" };
    json!({"name": name, "in": place, "required": required, "schema": {"type": kind}})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn request_schema(method: &str, path: &str) -> Option<&'static str> {
    match (method, path) {
        ("post", "/tasks") => Some("TaskCreateRequest"),
        ("post", "/webhooks/endpoints") | ("put", "/webhooks/endpoints/{endpoint_id}") => {
            Some("EndpointRequest")
        }
        ("post", "/webhooks/messages/{message_id}/resend") => Some("ResendRequest"),
        ("post", "/webhooks/endpoints/{endpoint_id}/secret/rotate") => Some("RotateRequest"),
        ("put", "/webhooks/endpoints/{endpoint_id}/headers") => Some("HeadersRequest"),
        ("post", "/webhooks/endpoints/{endpoint_id}/send-example") => Some("ExampleRequest"),
        ("put", "/_chaos") => Some("ChaosRequest"),
        _ => None,
    }
}

fn answer_schema(method: &str, path: &str) -> Value {
    match (method, path) {
        ("get", "/tasks/active") => json!({"type": "array", "items": reference("Task")}),
        ("get", "/tasks/{task_id}") => reference("Task"),
        ("get", "/events" | "/events/stream") => json!({"type": "string"}),
        _ => json!({}),
    }
}

fn schemas() -> Value {
    let text = json!({"type": "string"});
    let time = json!({"type": "string", "format": "date-time"});
    let words = json!({"type": "array", "items": text});
    json!({
        "FeatureInfo": {
            "type": "object",
            "required": ["state"],
            "properties": {"state": {"enum": [
                "queued", "processing", "completed", "failed", "cancelled", "na"
            ]}},
        },
        "Task": {
            "type": "object",
            "required": ["id", "asset_id", "features", "user_id", "created", "updated"],
            "properties": {
                "id": text,
                "asset_id": text,
                "features": {"type": "object", "additionalProperties": reference("FeatureInfo")},
                "user_id": text,
                "created": time,
                "updated": time,
            },
        },
        "TaskCreateRequest": {
            "type": "object",
            "required": ["asset_id", "features"],
            "properties": {"asset_id": text, "features": {"type": "array", "items": {
                "enum": ["proxy", "preview", "visual", "transcription"]
            }}},
        },
        "EndpointRequest": {
            "type": "object",
            "required": ["url", "event_types"],
            "properties": {
                "url": text,
                "description": text,
                "event_types": {"type": ["array", "null"], "items": {"enum": [
                    "task.*", "task.completed", "task.failed", "task.progress"
                ]}},
                "rate_limit": {"type": ["integer", "null"]},
                "version": {"type": "integer"},
                "disabled": {"type": "boolean"},
            },
        },
        "ResendRequest": {
            "type": "object",
            "required": ["endpoint_id"],
            "properties": {"endpoint_id": text},
        },
        "RotateRequest": {
            "type": "object",
            "properties": {"key": text, "grace_period_seconds": {"type": "integer"}},
        },
        "HeadersRequest": {
            "type": "object",
            "required": ["headers"],
            "properties": {"headers": {"type": "object", "additionalProperties": text}},
        },
        "ExampleRequest": {
            "type": "object",
            "required": ["event_type"],
            "properties": {"event_type": text},
        },
        "ChaosRequest": {
            "type": "object",
            "required": ["faults"],
            "properties": {"faults": words},
        },
    })
}
