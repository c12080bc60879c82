//! What a server publishes about itself in `/openapi.json`: the stream's path, the resend route,
//! the endpoint list, the retry schedule (aspect-api.md part 6).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::domain::{Ability, Disabling, Offer, PublishedRetries};

/// What was found; a part that is absent was not published.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Published {
    /// Paths that may be the event stream, the likeliest first.
    pub streams: Vec<String>,
    /// Path of the resend route, with its parameters in braces.
    pub resend: Option<String>,
    /// Whether `GET /webhooks/endpoints` is published.
    pub has_endpoint_list: bool,
    /// Routes around one endpoint.
    pub endpoint: EndpointRoutes,
    /// The event types that an endpoint may want, where the schema of one lists them.
    pub event_types: Option<Vec<String>>,
    /// The automatic retries.
    pub retry_schedule: Option<PublishedRetries>,
}

/// Undocumented routes around one endpoint, with its id in braces, where they are published.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointRoutes {
    pub secret: Option<String>,
    pub rotate: Option<String>,
    pub headers: Option<String>,
    pub set_headers: Option<String>,
    pub example: Option<String>,
}

impl EndpointRoutes {
    /// What of it is offered. Svix offers more, and is asked for it.
    pub fn offers(&self) -> BTreeMap<Offer, Ability> {
        let routes = [
            (Offer::Secret, "GET", &self.secret),
            (Offer::Rotate, "POST", &self.rotate),
            (Offer::Headers, "GET", &self.headers),
            (Offer::SendExample, "POST", &self.example),
        ];
        let ability = |(offer, method, route): (Offer, &str, &Option<String>)| {
            let ability = if let Some(path) = route {
                Ability::Offered(format!("{method} {path}"))
            } else {
                let name = offer.name();
                Ability::Absent(format!("this server publishes no route for {name}"))
            };
            (offer, ability)
        };
        routes.into_iter().map(ability).collect()
    }
}

/// Words in the path of what is likely to be a stream.
const STREAM_WORDS: [&str; 4] = ["events", "event", "sse", "stream"];
/// Paths taken from one document, at most.
const MAX_STREAMS: usize = 10;

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
        disabling: own("x-disable-after").and_then(|after| match after {
            Value::Null => Some(Disabling::Never),
            after => after.as_f64().map(Disabling::After),
        }),
    });
    Some(Published {
        streams: streams(paths),
        resend: resend(paths),
        has_endpoint_list: paths
            .get("/webhooks/endpoints")
            .is_some_and(|methods| methods.get("get").is_some()),
        endpoint: endpoint_routes(paths),
        event_types: event_types(&document),
        retry_schedule: schedule,
    })
}

/// What a client may ask an endpoint to be sent: the words that a schema for `event_types` allows.
/// Words for reading them are not told apart, which allows no less.
fn event_types(document: &Value) -> Option<Vec<String>> {
    let schemas = document.get("components")?.get("schemas")?.as_object()?;
    let mut found: Vec<String> = schemas
        .values()
        .filter_map(|schema| {
            let types = schema.get("properties")?.get("event_types")?;
            types.get("items")?.get("enum")?.as_array()
        })
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    found.sort();
    found.dedup();
    (!found.is_empty()).then_some(found)
}

fn endpoint_routes(paths: &Map<String, Value>) -> EndpointRoutes {
    let find = |method: &str, end: &str| {
        let mut paths = paths.iter();
        let found = paths.find(|(path, methods)| {
            let before = path.strip_suffix(end);
            before.is_some_and(|before| before.contains("endpoint") && before.ends_with('}'))
                && methods.get(method).is_some()
        });
        found.map(|(path, _)| path.clone())
    };
    EndpointRoutes {
        secret: find("get", "/secret"),
        rotate: find("post", "/secret/rotate"),
        headers: find("get", "/headers"),
        set_headers: find("put", "/headers"),
        example: find("post", "/send-example"),
    }
}

/// GET paths without parameters that answer `text/event-stream`; then those whose last segment is
/// a word for streams; then those that have such a word anywhere.
fn streams(paths: &Map<String, Value>) -> Vec<String> {
    let gets = || {
        let gets = paths
            .iter()
            .filter(|(_, methods)| methods.get("get").is_some());
        gets.filter(|(path, _)| !path.contains('{') && path.starts_with('/'))
    };
    let declared = gets().filter(|(_, methods)| answers_stream(methods));
    let last = gets().filter(|(path, _)| {
        let last = path.trim_end_matches('/').rsplit('/').next();
        last.is_some_and(|last| STREAM_WORDS.contains(&last))
    });
    let anywhere = gets().filter(|(path, _)| {
        path.split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| STREAM_WORDS.contains(&word))
    });
    let mut found: Vec<String> = Vec::new();
    for (path, _) in declared.chain(last).chain(anywhere) {
        if found.len() < MAX_STREAMS && !found.contains(path) {
            found.push(path.clone());
        }
    }
    found
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
            "/webhooks/endpoints/{id}/secret":{"get":{}},
            "/webhooks/endpoints/{id}/headers":{"get":{}},
            "/secret":{"get":{}},
            "/webhooks/messages/{id}/resend":{"post":{}}},
            "x-retry-schedule":[5,300.5],"x-disable-after":null,"info":{"x-retry-floor-after-timeout":60}}"#;
        let published = read(body).unwrap();
        assert_eq!(published.streams, ["/live", "/assets/events"]);
        assert_eq!(
            published.resend.as_deref(),
            Some("/webhooks/messages/{id}/resend")
        );
        assert!(published.has_endpoint_list);
        let routes = EndpointRoutes {
            secret: Some("/webhooks/endpoints/{id}/secret".to_owned()),
            headers: Some("/webhooks/endpoints/{id}/headers".to_owned()),
            ..EndpointRoutes::default()
        };
        assert_eq!(published.endpoint, routes);
        let offers = routes.offers();
        let secret = "GET /webhooks/endpoints/{id}/secret".to_owned();
        assert_eq!(offers[&Offer::Secret], Ability::Offered(secret));
        let rotate = "this server publishes no route for rotate secret".to_owned();
        assert_eq!(offers[&Offer::Rotate], Ability::Absent(rotate));
        assert!(!offers.contains_key(&Offer::Recover));
        let retries = PublishedRetries {
            delays: vec![5.0, 300.5],
            floor_after_timeout: Some(60.0),
            disabling: Some(Disabling::Never),
        };
        assert_eq!(published.retry_schedule, Some(retries));
    }

    #[test]
    fn a_likely_name_will_do() {
        let body = br#"{"paths":{"/tasks":{"get":{}},"/event-log":{"get":{}},"/assets":{"get":{}},
            "/stream":{"post":{}},"/v1/sse":{"get":{}}}}"#;
        let published = read(body).unwrap();
        assert_eq!(published.streams, ["/v1/sse", "/event-log"]);
        assert_eq!(published.resend, None);
    }

    #[test]
    fn what_is_no_document_gives_nothing() {
        assert_eq!(read(b"<html>"), None);
        assert_eq!(read(br#"{"detail":"Not Found"}"#), None);
    }
}
