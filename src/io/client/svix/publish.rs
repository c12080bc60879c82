//! Handing delivery over to a Svix server: its application and event types, events on their way in,
//! and its answers as they are, for whoever passes them on.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Svix, said};
use crate::domain::{Failure, FailureKind, Unreadable};
use crate::io::client::endpoints::Changed;
use crate::io::client::failure::{Failed, unreadable};
use crate::io::client::http::Verb;

/// The status that says that something is there already.
const CONFLICT: u16 = 409;

/// An event on its way in.
#[derive(Debug, Clone)]
pub struct Published {
    pub event_id: String,
    pub event_type: &'static str,
    /// What is delivered.
    pub payload: Arc<RawValue>,
}

impl Svix {
    /// Makes the application, unless it is there, and looks that it is: a token may belong to another
    /// one, and every event would be refused then.
    pub async fn provision(&self) -> Result<(), Failure> {
        // One that is named by its id is there, or nowhere.
        if !self.app.starts_with("app_") {
            let body = json!({"name": &*self.app, "uid": &*self.app});
            self.make(&["api", "v1", "app"], &body).await?;
        }
        let route = ["api", "v1", "app", &*self.app];
        let found = self.http.read(&route, &[], identified).await;
        found.map_err(said).map_err(|failure| match failure.kind {
            FailureKind::NotFound => Failure {
                hint: format!(
                    "it has no application {:?} and makes none; name one of its own with --svix-app",
                    &*self.app
                ),
                ..failure
            },
            _ => failure,
        })
    }

    /// Makes an event type, unless it is there; `example` is what one of it looks like.
    pub async fn provision_event_type(&self, name: &str, example: Value) -> Result<(), Failure> {
        let schema = json!({"title": name, "type": "object", "examples": [example]});
        let body = json!({"name": name, "description": name, "schemas": {"1": schema}});
        self.make(&["api", "v1", "event-type"], &body).await
    }

    /// Publishes an event. Its id makes it safe to try again what failed in passing: one that is
    /// there already is not taken twice, and counts as published.
    pub async fn publish(&self, event: &Published) -> Result<(), Failed> {
        let body = format!(
            r#"{{"eventId":{},"eventType":{},"payload":{}}}"#,
            Value::from(event.event_id.as_str()),
            Value::from(event.event_type),
            event.payload.get()
        );
        let route = self.route(&["msg"]);
        let query = [("with_content", "false")];
        let url = self.http.route(&route, &query).map_err(Failed::last)?;
        let made = self.http.post_again(&url, body).await;
        let read = made.and_then(|body| {
            // Whoever else answers here with a success has taken nothing: a login page, a proxy.
            // Had Svix answered, the next try would tell that the event is there.
            identified(&body).map_err(|what| Failed::passing(unreadable(&what, &url)))
        });
        unless_there(read).map_err(|failed| Failed {
            failure: said(failed.failure),
            ..failed
        })
    }

    /// An answer below the application, as it is.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        rest: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        self.read(rest, query, parsed).await
    }

    /// The same of a request that changes something; sent once, with a key of its own if none is given.
    pub async fn tell<T: DeserializeOwned>(
        &self,
        verb: Verb,
        rest: &[&str],
        body: Option<&Value>,
        idempotency_key: Option<&str>,
    ) -> Changed<T> {
        let (route, body) = (self.route(rest), body.map(Value::to_string));
        let key = idempotency_key.map_or_else(
            || format!("reeltop-{}", uuid::Uuid::new_v4()),
            str::to_owned,
        );
        self.change(verb, &route, body, &key, parsed).await
    }

    /// Makes something that has a name of its own, so that it is not made twice.
    async fn make(&self, route: &[&str], body: &Value) -> Result<(), Failure> {
        let url = self.http.route(route, &[])?;
        let made = self.http.post_again(&url, body.to_string()).await;
        unless_there(made).map_err(|failed| said(failed.failure))
    }
}

fn unless_there<T>(made: Result<T, Failed>) -> Result<(), Failed> {
    match made {
        Err(failed) if failed.status == Some(CONFLICT) => Ok(()),
        made => made.map(|_| ()),
    }
}

/// Whether it is one thing of Svix, which has an id.
fn identified(body: &[u8]) -> Result<(), Unreadable> {
    #[derive(Deserialize)]
    struct Thing {
        #[serde(rename = "id")]
        _id: String,
    }
    let read: Result<Thing, _> = serde_json::from_slice(body);
    let none = |_| Unreadable::new("svix", "something that Svix does not answer", "");
    read.map(|_| ()).map_err(none)
}

/// An empty body, as a 204 has it, is read as null.
fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    let body: &[u8] = if body.is_empty() { b"null" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        let why = format!("something unexpected ({error})");
        Unreadable::new("svix", why, "")
    })
}
