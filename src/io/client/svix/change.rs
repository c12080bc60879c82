//! What changes something at a Svix server: each is sent once, through the one gate of read-only
//! mode.

use serde_json::{Map, Value, json};

use super::{Svix, said};
use crate::domain::bulk::{Sweep, Takes, Tried};
use crate::domain::{EndpointId, Time, Unreadable, types_expanded};
use crate::io::client::content::Content;
use crate::io::client::endpoints::Changed;
use crate::io::client::http::{NotDone, Verb};
use crate::wire::rest::{Logged, Row};
use crate::wire::svix::{self, Background};

/// Which messages a replay of many takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    pub event_types: Vec<String>,
    /// Svix's number: 0 success, 1 pending, 2 fail, 3 sending.
    pub status: Option<u8>,
}

impl Svix {
    /// Sends an endpoint everything that failed from `since` on; at most the last 14 days.
    pub async fn recover(
        &self,
        endpoint: &EndpointId,
        since: Time,
        until: Option<Time>,
        idempotency_key: &str,
    ) -> Changed<Background> {
        let span = span(since, until);
        self.begin(endpoint, "recover", span, idempotency_key).await
    }

    /// Sends an endpoint everything from `since` on that was never tried.
    pub async fn replay_missing(
        &self,
        endpoint: &EndpointId,
        since: Time,
        until: Option<Time>,
        idempotency_key: &str,
    ) -> Changed<Background> {
        let span = span(since, until);
        self.begin(endpoint, "replay-missing", span, idempotency_key)
            .await
    }

    /// Sends an endpoint everything from `since` on that was chosen, what was delivered included.
    pub async fn bulk_replay(
        &self,
        endpoint: &EndpointId,
        since: Time,
        until: Option<Time>,
        chosen: &Chosen,
        idempotency_key: &str,
    ) -> Changed<Background> {
        let mut body = span(since, until);
        if !chosen.event_types.is_empty() {
            body.insert("eventTypes".to_owned(), json!(chosen.event_types));
        }
        if let Some(status) = chosen.status {
            body.insert("status".to_owned(), json!(status));
        }
        self.begin(endpoint, "bulk-replay", body, idempotency_key)
            .await
    }

    /// Sends an endpoint what a sweep takes.
    pub async fn sweep(&self, asked: &Sweep, idempotency_key: &str) -> Changed<Background> {
        let (at, since) = (&asked.endpoint, asked.since);
        match &asked.takes {
            Takes::Failed => self.recover(at, since, None, idempotency_key).await,
            Takes::Missing => self.replay_missing(at, since, None, idempotency_key).await,
            Takes::Tried {
                event_types,
                outcome,
            } => {
                let status = outcome.map(|outcome| match outcome {
                    Tried::Delivered => 0,
                    Tried::Failed => 2,
                });
                let chosen = Chosen {
                    event_types: types_expanded(event_types)
                        .into_iter()
                        .map(str::to_owned)
                        .collect(),
                    status,
                };
                self.bulk_replay(at, since, None, &chosen, idempotency_key)
                    .await
            }
        }
    }

    /// Sends an endpoint an example of an event; `svix.ping` is always known.
    pub async fn send_example(
        &self,
        endpoint: &EndpointId,
        event_type: &str,
        idempotency_key: &str,
    ) -> Changed<Row<Logged>> {
        let endpoint = endpoint.to_string();
        let route = self.route(&["endpoint", &endpoint, "send-example"]);
        let body = json!({"eventType": event_type}).to_string();
        self.change(
            Verb::Post,
            &route,
            Some(body),
            idempotency_key,
            svix::message,
        )
        .await
    }

    async fn begin(
        &self,
        endpoint: &EndpointId,
        what: &str,
        body: Map<String, Value>,
        idempotency_key: &str,
    ) -> Changed<Background> {
        let endpoint = endpoint.to_string();
        let route = self.route(&["endpoint", &endpoint, what]);
        let body = Value::Object(body).to_string();
        self.change(
            Verb::Post,
            &route,
            Some(body),
            idempotency_key,
            svix::background,
        )
        .await
    }

    pub(super) async fn change<T>(
        &self,
        verb: Verb,
        route: &[&str],
        body: Option<impl Into<Content>>,
        idempotency_key: &str,
        decode: impl FnOnce(&[u8]) -> Result<T, Unreadable>,
    ) -> Changed<T> {
        let url = self.http.route(route, &[]).map_err(NotDone::Refused)?;
        let body = body.map(Into::into);
        let changed = self.http.change_once(verb, &url, body, idempotency_key);
        let body = changed.await.map_err(|not_done| match not_done {
            NotDone::Refused(failure) => NotDone::Refused(said(failure)),
            unknown @ NotDone::Unknown(_) => unknown,
        })?;
        decode(&body).map_err(|what| {
            let why = format!("the service took it, but answered {}", what.why);
            NotDone::Unknown(why)
        })
    }
}

fn span(since: Time, until: Option<Time>) -> Map<String, Value> {
    let mut span = Map::new();
    span.insert("since".to_owned(), json!(since.rfc3339()));
    if let Some(until) = until {
        span.insert("until".to_owned(), json!(until.rfc3339()));
    }
    span
}
