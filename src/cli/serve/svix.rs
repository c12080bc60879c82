//! Delivery handed over to a Svix server: events are published there, and the webhook routes are
//! answered from there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::output::note;
use crate::domain::{Disabling, Failure, FailureKind, RetrySchedule};
use crate::io::client::endpoints::Changed;
use crate::io::client::http::{NotDone, Verb};
use crate::io::client::svix::{Published, Svix};
use crate::io::publisher::Publisher;
use crate::io::publisher::line::{Pace, Tally};
use crate::server::port::{
    Accepted, Answer, AttemptsOf, Delivery, DeliveryFigures, EndpointSpec, PageQuery, Refusal,
    Resend,
};
use crate::wire::bodies::{
    AppBody, AttemptBody, EndpointBody, EndpointCreatedBody, HeadersBody, MessageBody, PageBody,
    SecretBody,
};
use crate::wire::signature::Secret;

const EVENT_TYPES: [&str; 3] = ["task.completed", "task.failed", "task.progress"];

/// Whoever delivers by a Svix server.
pub struct SvixDelivery {
    svix: Svix,
    publisher: Publisher,
}

impl SvixDelivery {
    /// Makes the application and the event types, unless they are there, and begins to publish.
    /// Needs a tokio runtime around it.
    pub async fn start(svix: Svix) -> Result<Self, Failure> {
        svix.provision().await?;
        for name in EVENT_TYPES {
            svix.provision_event_type(name, example(name)).await?;
        }
        let publisher = Publisher::start(svix.clone(), Pace::default(), note);
        Ok(Self { svix, publisher })
    }

    /// Waits so long for what is not published yet. Gives how many events still are not, and why
    /// the last try failed that did.
    pub async fn drain(&self, within: Duration) -> (Tally, Option<Failure>) {
        self.publisher.drain(within).await
    }
}

fn example(name: &str) -> Value {
    let task = json!({
        "id": "0b7c1e42-0f3a-4b6d-9c55-000000000001",
        "asset_id": "0b7c1e42-0f3a-4b6d-9c55-000000000002",
        "features": {"proxy": {"state": "completed"}},
        "user_id": "0b7c1e42-0f3a-4b6d-9c55-000000000003",
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-01T00:01:00Z",
    });
    json!({
        "timestamp": "2026-01-01T00:01:00Z",
        "user_id": "0b7c1e42-0f3a-4b6d-9c55-000000000003",
        "event_id": "0b7c1e42-0f3a-4b6d-9c55-000000000004",
        "event_type": name,
        "data": {"task": task},
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointOut {
    id: String,
    url: String,
    #[serde(default)]
    description: String,
    event_types: Option<Vec<String>>,
    /// Its older name, which the open-source server gives as well.
    filter_types: Option<Vec<String>>,
    throttle_rate: Option<u16>,
    /// Its older name, which the open-source server gives as well.
    rate_limit: Option<u16>,
    #[serde(default)]
    disabled: bool,
    created_at: String,
    updated_at: String,
}

impl From<EndpointOut> for EndpointBody {
    fn from(out: EndpointOut) -> Self {
        // None are all; Svix shuffles them.
        let mut types = out.event_types.or(out.filter_types);
        if let Some(types) = &mut types {
            types.sort();
        }
        Self {
            id: out.id,
            url: out.url,
            description: out.description,
            event_types: types,
            rate_limit: out.throttle_rate.or(out.rate_limit),
            disabled: out.disabled,
            version: 1,
            created_at: out.created_at,
            updated_at: out.updated_at,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageOut {
    id: String,
    event_id: Option<String>,
    event_type: String,
    payload: Box<RawValue>,
    timestamp: String,
}

impl From<MessageOut> for MessageBody {
    fn from(out: MessageOut) -> Self {
        Self {
            id: out.id,
            event_id: out.event_id.unwrap_or_default(),
            event_type: out.event_type,
            payload: out.payload.into(),
            timestamp: out.timestamp,
            channels: None,
            tags: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttemptOut {
    id: String,
    msg_id: String,
    endpoint_id: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    response: String,
    response_status_code: u16,
    #[serde(default)]
    response_duration_ms: u64,
    status: u8,
    trigger_type: u8,
    timestamp: String,
}

impl From<AttemptOut> for AttemptBody {
    fn from(out: AttemptOut) -> Self {
        Self {
            id: out.id,
            msg_id: out.msg_id,
            endpoint_id: out.endpoint_id,
            url: out.url,
            response: out.response.into(),
            response_status_code: out.response_status_code,
            response_duration_ms: out.response_duration_ms,
            status: out.status,
            status_text: match out.status {
                0 => "success",
                1 => "pending",
                2 => "fail",
                3 => "sending",
                _ => "canceled",
            },
            trigger_type: out.trigger_type,
            timestamp: out.timestamp,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListOut<T> {
    data: Vec<T>,
    iterator: Option<String>,
    prev_iterator: Option<String>,
    done: bool,
}

impl<T, B: From<T>> From<ListOut<T>> for PageBody<B> {
    fn from(out: ListOut<T>) -> Self {
        Self {
            data: out.data.into_iter().map(B::from).collect(),
            iterator: out.iterator,
            prev_iterator: out.prev_iterator,
            done: out.done,
        }
    }
}

#[derive(Deserialize)]
struct SecretOut {
    key: String,
}

#[derive(Deserialize)]
struct HeadersOut {
    headers: BTreeMap<String, Value>,
    #[serde(default)]
    sensitive: Vec<String>,
}

/// Svix's refusal, as one of ours.
fn refusal(what: &'static str) -> impl Fn(Failure) -> Refusal {
    move |failure| match failure.kind {
        FailureKind::NotFound => Refusal::NotFound(what),
        FailureKind::Invalid | FailureKind::TooLarge => Refusal::Limit(failure.what),
        FailureKind::RateLimited => {
            let wait = failure.wait.and_then(|wait| u64::try_from(wait).ok());
            let wait_s = wait.map(|wait| Duration::from_micros(wait).as_secs().max(1));
            Refusal::Busy(format!("Svix: {}", failure.what), wait_s)
        }
        _ => Refusal::Unavailable(format!("Svix: {}", failure.what)),
    }
}

fn made<T>(what: &'static str, changed: Changed<T>) -> Result<T, Refusal> {
    changed.map_err(|not_done| match not_done {
        // That nothing was done is worth knowing: a 5xx would leave it open.
        NotDone::Refused(failure) => match refusal(what)(failure) {
            Refusal::Unavailable(text) => Refusal::Undone(text),
            refusal => refusal,
        },
        NotDone::Unknown(why) => {
            Refusal::Unavailable(format!("Svix: it is not known whether it was done: {why}"))
        }
    })
}

fn spec_body(spec: &EndpointSpec) -> Value {
    json!({
        "url": spec.url,
        "description": spec.description,
        "eventTypes": spec.event_types,
        "throttleRate": spec.rate_limit,
        "disabled": spec.disabled,
    })
}

impl SvixDelivery {
    async fn list<T, B>(&self, rest: &[&str], page: PageQuery) -> Result<PageBody<B>, Failure>
    where
        ListOut<T>: serde::de::DeserializeOwned,
        B: From<T>,
    {
        let limit = page.limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(page.iterator.as_deref().map(|at| ("iterator", at)));
        let out: ListOut<T> = self.svix.ask(rest, &query).await?;
        Ok(out.into())
    }
}

impl Delivery for SvixDelivery {
    fn accept(&self, event: Accepted) {
        self.publisher.take(Published {
            event_id: event.event_id,
            event_type: event.event_type,
            payload: event.payload,
        });
    }

    fn create_endpoint(&self, spec: EndpointSpec) -> Answer<'_, EndpointCreatedBody> {
        Box::pin(async move {
            let body = spec_body(&spec);
            let told = self
                .svix
                .tell::<EndpointOut>(Verb::Post, &["endpoint"], Some(&body), None);
            let endpoint = EndpointBody::from(made("Application", told.await)?);
            // The endpoint is there, whether its secret can be read now or later.
            let secret = self.secret(endpoint.id.clone()).await.ok();
            Ok(EndpointCreatedBody {
                endpoint,
                secret: secret.map(|secret| secret.key),
                app: AppBody {
                    id: self.svix.app().to_owned(),
                    is_new: false,
                },
            })
        })
    }

    fn replace_endpoint(&self, id: String, spec: EndpointSpec) -> Answer<'_, EndpointBody> {
        Box::pin(async move {
            // In part, so that what is no part of our endpoints stays as it is there.
            let body = spec_body(&spec);
            let rest = ["endpoint", &id];
            let told = self
                .svix
                .tell::<EndpointOut>(Verb::Patch, &rest, Some(&body), None);
            made("Endpoint", told.await).map(EndpointBody::from)
        })
    }

    fn delete_endpoint(&self, id: String) -> Answer<'_, ()> {
        Box::pin(async move {
            let rest = ["endpoint", &id];
            let told = self
                .svix
                .tell::<IgnoredAny>(Verb::Delete, &rest, None, None);
            made("Endpoint", told.await).map(|_| ())
        })
    }

    fn endpoints(&self) -> Answer<'_, Vec<EndpointBody>> {
        Box::pin(async move {
            let mut all: Vec<EndpointBody> = Vec::new();
            let mut iterator = None;
            loop {
                let asked = PageQuery {
                    limit: 250,
                    iterator: iterator.clone(),
                };
                let page = self.list::<EndpointOut, EndpointBody>(&["endpoint"], asked);
                let page = page.await.map_err(refusal("Application"))?;
                let is_over = page.done || page.data.is_empty() || page.iterator == iterator;
                all.extend(page.data);
                if is_over {
                    break;
                }
                iterator = page.iterator;
            }
            // Oldest first, as our own.
            all.sort_by(|a, b| a.id.cmp(&b.id));
            all.dedup_by(|a, b| a.id == b.id);
            Ok(all)
        })
    }

    fn endpoint(&self, id: String) -> Answer<'_, EndpointBody> {
        Box::pin(async move {
            let out = self.svix.ask::<EndpointOut>(&["endpoint", &id], &[]).await;
            out.map(EndpointBody::from).map_err(refusal("Endpoint"))
        })
    }

    fn secret(&self, id: String) -> Answer<'_, SecretBody> {
        Box::pin(async move {
            let rest = ["endpoint", &id, "secret"];
            let out = self.svix.ask::<SecretOut>(&rest, &[]).await;
            let out = out.map_err(refusal("Endpoint"))?;
            Ok(SecretBody { key: out.key })
        })
    }

    fn rotate(&self, id: String, secret: Option<Secret>, grace: Duration) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut body = json!({"gracePeriodSeconds": grace.as_secs()});
            if let (Some(secret), Some(body)) = (secret, body.as_object_mut()) {
                body.insert("key".to_owned(), secret.reveal().into());
            }
            let rest = ["endpoint", &id, "secret", "rotate"];
            let told = self
                .svix
                .tell::<IgnoredAny>(Verb::Post, &rest, Some(&body), None);
            made("Endpoint", told.await).map(|_| ())
        })
    }

    fn headers(&self, id: String) -> Answer<'_, HeadersBody> {
        Box::pin(async move {
            let rest = ["endpoint", &id, "headers"];
            let out = self.svix.ask::<HeadersOut>(&rest, &[]).await;
            let out = out.map_err(refusal("Endpoint"))?;
            Ok(HeadersBody {
                headers: out.headers,
                sensitive: out.sensitive,
            })
        })
    }

    fn set_headers(&self, id: String, headers: BTreeMap<String, String>) -> Answer<'_, ()> {
        Box::pin(async move {
            let body = json!({"headers": headers});
            let rest = ["endpoint", &id, "headers"];
            let told = self
                .svix
                .tell::<IgnoredAny>(Verb::Put, &rest, Some(&body), None);
            made("Endpoint", told.await).map(|_| ())
        })
    }

    fn example(&self, endpoint_id: String, event: Accepted) -> Answer<'_, MessageBody> {
        Box::pin(async move {
            let body = json!({"eventType": event.event_type});
            let rest = ["endpoint", &endpoint_id, "send-example"];
            let told = self
                .svix
                .tell::<MessageOut>(Verb::Post, &rest, Some(&body), None);
            made("Endpoint", told.await).map(MessageBody::from)
        })
    }

    fn messages(&self, page: PageQuery) -> Answer<'_, PageBody<MessageBody>> {
        Box::pin(async move {
            let page = self.list::<MessageOut, MessageBody>(&["msg"], page).await;
            page.map_err(refusal("Application"))
        })
    }

    fn attempts(&self, of: AttemptsOf, page: PageQuery) -> Answer<'_, PageBody<AttemptBody>> {
        Box::pin(async move {
            let (kind, id, what) = match of {
                AttemptsOf::Message(id) => ("msg", id, "Message"),
                AttemptsOf::Endpoint(id) => ("endpoint", id, "Endpoint"),
            };
            let rest = ["attempt", kind, &id];
            let page = self.list::<AttemptOut, AttemptBody>(&rest, page).await;
            page.map_err(refusal(what))
        })
    }

    fn resend(&self, resend: Resend) -> Answer<'_, ()> {
        Box::pin(async move {
            let (message, endpoint) = (&resend.message_id, &resend.endpoint_id);
            let rest = ["msg", message, "endpoint", endpoint, "resend"];
            let key = resend.idempotency_key.as_deref();
            let told = self.svix.tell::<IgnoredAny>(Verb::Post, &rest, None, key);
            made("Message", told.await).map(|_| ())
        })
    }

    fn schedule_s(&self) -> Vec<f64> {
        RetrySchedule::default().delays().to_vec()
    }

    fn floor_after_timeout_s(&self) -> f64 {
        60.0
    }

    fn disable_after_s(&self) -> Option<f64> {
        match RetrySchedule::default().disabling() {
            Disabling::After(seconds) => Some(seconds),
            Disabling::Never => None,
        }
    }

    fn figures(&self) -> DeliveryFigures {
        let tally = self.publisher.tally();
        DeliveryFigures {
            messages: usize::try_from(tally.taken).unwrap_or(usize::MAX),
            deliveries_queued: tally.waiting - tally.on_their_way,
            deliveries_in_flight: tally.on_their_way,
            deliveries_dropped: tally.refused + tally.beyond,
            retries_pending: tally.failing,
            retries_dropped: tally.given_up,
            ..DeliveryFigures::default()
        }
    }
}
