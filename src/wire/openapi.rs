//! What a server publishes about itself in `/openapi.json`: the stream's path, the resend route,
//! the endpoint list, the retry schedule (aspect-api.md part 6).

use serde_json::{Map, Value};

use crate::domain::PublishedRetries;

/// What was found; a part that is absent was not published.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Published {
    /// Path of the event stream.
    pub stream: Option<String>,
    /// Path of the resend route, with its parameters in braces.
    pub resend: Option<String>,
    /// Whether `GET /webhooks/endpoints` is published.
    pub has_endpoint_list: bool,
    /// The automatic retries.
    pub retry_schedule: Option<PublishedRetries>,
}

/// Last words of a path that is likely to be a stream.
const STREAM_WORDS: [&str; 4] = ["events", "event", "sse", "stream"];

/// Reads the document; `None` if it is none.
pub fn read(body: &[u8]) -> Option<Published> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let paths = document.get("paths")?.as_object()?;
    let own = |name: &str| {
        let info = || document.get("info")?.get(name);
        document.get(name).or_else(info)
    };
    let delays = own("x-retry-schedule").and_then(Value::as_array);
    let delays = delays.and_then(|delays| delays.iter().map(Value::as_f64).collect());
    let schedule = delays.map(|delays| PublishedRetries {
        delays,
        floor_after_timeout: own("x-retry-floor-after-timeout").and_then(Value::as_f64),
    });
    Some(Published {
        stream: stream(paths),
        resend: resend(paths),
        has_endpoint_list: paths
            .get("/webhooks/endpoints")
            .is_some_and(|methods| methods.get("get").is_some()),
        retry_schedule: schedule,
    })
}

/// A GET path without parameters that answers `text/event-stream`; else one whose last segment is
/// a word for streams.
fn stream(paths: &Map<String, Value>) -> Option<String> {
    let gets = || {
        paths
            .iter()
            .filter(|(path, methods)| !path.contains('{') && methods.get("get").is_some())
    };
    let declared = gets().find(|(_, methods)| answers_stream(methods));
    let named = || {
        gets().find(|(path, _)| {
            path.rsplit('/')
                .next()
                .is_some_and(|last| STREAM_WORDS.contains(&last))
        })
    };
    declared.or_else(named).map(|(path, _)| path.clone())
}

fn answers_stream(methods: &Value) -> bool {
    let responses = methods.get("get").and_then(|get| get.get("responses"));
    responses
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::values)
        .filter_map(|response| response.get("content")?.as_object())
        .any(|content| {
            content
                .keys()
                .any(|kind| kind.starts_with("text/event-stream"))
        })
}

fn resend(paths: &Map<String, Value>) -> Option<String> {
    paths
        .iter()
        .find(|(path, methods)| {
            path.ends_with("/resend") && path.contains('{') && methods.get("post").is_some()
        })
        .map(|(path, _)| path.clone())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_declared_stream_wins_over_a_likely_name() {
        let body = br#"{"paths":{
            "/assets/events":{"get":{"responses":{"200":{"content":{"application/json":{}}}}}},
            "/live":{"get":{"responses":{"200":{"content":{"text/event-stream":{}}}}}},
            "/tasks/{id}/events":{"get":{}},
            "/webhooks/endpoints":{"get":{},"post":{}},
            "/webhooks/messages/{id}/resend":{"post":{}}},
            "x-retry-schedule":[5,300.5],"info":{"x-retry-floor-after-timeout":60}}"#;
        let published = read(body).unwrap();
        assert_eq!(published.stream.as_deref(), Some("/live"));
        assert_eq!(
            published.resend.as_deref(),
            Some("/webhooks/messages/{id}/resend")
        );
        assert!(published.has_endpoint_list);
        let retries = PublishedRetries {
            delays: vec![5.0, 300.5],
            floor_after_timeout: Some(60.0),
        };
        assert_eq!(published.retry_schedule, Some(retries));
    }

    #[test]
    fn a_likely_name_will_do() {
        let published = read(br#"{"paths":{"/tasks":{"get":{}},"/v1/sse":{"get":{}}}}"#).unwrap();
        assert_eq!(published.stream.as_deref(), Some("/v1/sse"));
        assert_eq!(published.resend, None);
    }

    #[test]
    fn what_is_no_document_gives_nothing() {
        assert_eq!(read(b"<html>"), None);
        assert_eq!(read(br#"{"detail":"Not Found"}"#), None);
    }
}
