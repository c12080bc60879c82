//! Endpoints at a Svix server: made, changed in part, deleted; their secrets and headers.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::Svix;
use crate::domain::{
    Endpoint, EndpointDraft, EndpointEdit, EndpointId, Failure, OwnValue, Unreadable,
    types_expanded,
};
use crate::io::client::content::Content;
use crate::io::client::endpoints::Changed;
use crate::io::client::http::Verb;
use crate::wire::endpoints::{self as around, Created};
use crate::wire::rest;

impl Svix {
    /// Makes an endpoint.
    pub async fn create_endpoint(
        &self,
        draft: &EndpointDraft,
        idempotency_key: &str,
    ) -> Changed<Created> {
        let body = json!({
            "url": draft.url,
            "description": draft.description,
            "eventTypes": draft.event_types.as_deref().map(types_expanded),
            "throttleRate": draft.rate_limit,
            "disabled": draft.disabled,
        });
        let (route, body) = (self.route(&["endpoint"]), Some(body.to_string()));
        let made = self.change(
            Verb::Post,
            &route,
            body,
            idempotency_key,
            rest::one_endpoint,
        );
        Ok(Created {
            endpoint: made.await?,
            secret: None,
        })
    }

    /// Changes what is named of an endpoint; the rest stays as it is, also what reeltop does not
    /// know of. The endpoint as the answer tells it, if it does.
    pub async fn edit_endpoint(
        &self,
        id: &EndpointId,
        edit: &EndpointEdit,
        idempotency_key: &str,
    ) -> Changed<Option<Endpoint>> {
        let mut body = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            body.extend(value.map(|value| (name.to_owned(), value)));
        };
        set("url", edit.url.as_ref().map(|url| json!(url)));
        set(
            "description",
            edit.description.as_ref().map(|text| json!(text)),
        );
        let types = edit.event_types.as_ref();
        let types = types.map(|types| json!(types.as_deref().map(types_expanded)));
        set("eventTypes", types);
        set("throttleRate", edit.rate_limit.map(|limit| json!(limit)));
        set("disabled", edit.disabled.map(Value::Bool));
        let id = id.to_string();
        let route = self.route(&["endpoint", &id]);
        let body = Some(Value::Object(body).to_string());
        let told = |answer: &[u8]| Ok(rest::one_endpoint(answer).ok().map(|row| row.value));
        self.change(Verb::Patch, &route, body, idempotency_key, told)
            .await
    }

    /// One endpoint by its id or uid.
    pub async fn endpoint(&self, name: &str) -> Result<rest::Row<Endpoint>, Failure> {
        self.read(&["endpoint", name], &[], rest::one_endpoint)
            .await
    }

    pub async fn delete_endpoint(&self, id: &EndpointId, idempotency_key: &str) -> Changed<()> {
        let id = id.to_string();
        let route = self.route(&["endpoint", &id]);
        let body = None::<Content>;
        self.change(Verb::Delete, &route, body, idempotency_key, done)
            .await
    }

    /// Gives an endpoint another secret, of the service's making where none is named; the one
    /// before stays valid for the grace period.
    pub async fn rotate_secret(
        &self,
        id: &EndpointId,
        secret: Option<&SecretString>,
        grace: Duration,
        idempotency_key: &str,
    ) -> Changed<()> {
        let mut body = Map::new();
        body.insert("gracePeriodSeconds".to_owned(), json!(grace.as_secs()));
        if let Some(secret) = secret {
            body.insert("key".to_owned(), json!(secret.expose_secret()));
        }
        let id = id.to_string();
        let route = self.route(&["endpoint", &id, "secret", "rotate"]);
        let secret = secret.map(ExposeSecret::expose_secret);
        let body = Some(Content::with(Value::Object(body).to_string(), secret));
        self.change(Verb::Post, &route, body, idempotency_key, done)
            .await
    }

    /// Replaces an endpoint's own headers.
    pub async fn set_headers(
        &self,
        id: &EndpointId,
        headers: &BTreeMap<String, OwnValue>,
        idempotency_key: &str,
    ) -> Changed<()> {
        let id = id.to_string();
        let route = self.route(&["endpoint", &id, "headers"]);
        let values = headers.values().map(OwnValue::reveal);
        let body = Some(Content::with(around::headers_body(headers), values));
        self.change(Verb::Put, &route, body, idempotency_key, done)
            .await
    }
}

/// What the service says of a change beyond that it is made is not looked at.
#[expect(clippy::unnecessary_wraps, reason = "it stands where answers are read")]
fn done(_: &[u8]) -> Result<(), Unreadable> {
    Ok(())
}
