//! Delivery handed over to a Svix server: events are published there, and the webhook routes are
//! answered from there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::output::note;
use crate::domain::{Disabling, Failure, FailureKind, RetrySchedule};
use crate::io::client::endpoints::Changed;
use crate::io::client::http::{NotDone, Verb};
use crate::io::client::svix::{Published, Svix};
use crate::server::port::{
    Accepted, Answer, AttemptsOf, Delivery, DeliveryFigures, EndpointSpec, PageQuery, Refusal,
    Resend,
};
use crate::wire::bodies::{
    AppBody, AttemptBody, EndpointBody, EndpointCreatedBody, HeadersBody, MessageBody, PageBody,
    SecretBody,
};
use crate::wire::signature::Secret;

/// Events that wait to be published; what comes on top is dropped and counted.
const QUEUE: usize = 50_000;
/// Events on their way at once.
const AT_ONCE: usize = 8;
/// How often it is looked whether all is published, at the end.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The waits between two tries of an event that failed in passing.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const EVENT_TYPES: [&str; 3] = ["task.completed", "task.failed", "task.progress"];

/// Whoever delivers by a Svix server.
pub struct SvixDelivery {
    svix: Svix,
    queue: mpsc::Sender<Published>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    waiting: AtomicUsize,
    published: AtomicUsize,
    dropped: AtomicU64,
    is_failing: AtomicBool,
    /// Whether the queue has no room, which is said once for each time it fills.
    is_full: AtomicBool,
}

impl SvixDelivery {
    /// Makes the application and the event types, unless they are there, and begins to publish.
    /// Needs a tokio runtime around it.
    pub async fn start(svix: Svix) -> Result<Self, Failure> {
        svix.provision().await?;
        for name in EVENT_TYPES {
            svix.provision_event_type(name, example(name)).await?;
        }
        let (queue, waiting) = mpsc::channel(QUEUE);
        let counts = Arc::new(Counts::default());
        tokio::spawn(publish_all(svix.clone(), waiting, Arc::clone(&counts)));
        Ok(Self {
            svix,
            queue,
            counts,
        })
    }

    /// Waits so long for what is not published yet. Gives how many events that still are, and how
    /// many were dropped before.
    pub async fn drain(&self, within: Duration) -> (usize, u64) {
        let n_waiting = || self.counts.waiting.load(Ordering::Relaxed);
        let emptied = async {
            while n_waiting() > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let _ = tokio::time::timeout(within, emptied).await;
        (n_waiting(), self.counts.dropped.load(Ordering::Relaxed))
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

/// Publishes what comes, several at once, until nobody sends any more.
async fn publish_all(svix: Svix, waiting: mpsc::Receiver<Published>, counts: Arc<Counts>) {
    let events = futures_util::stream::unfold(waiting, |mut waiting| async move {
        let event = waiting.recv().await?;
        Some((event, waiting))
    });
    events
        .map(|event| publish(&svix, event, &counts))
        .buffer_unordered(AT_ONCE)
        .for_each(|()| std::future::ready(()))
        .await;
}

/// Publishes one event; tries again what failed in passing, as its id keeps it from coming twice.
async fn publish(svix: &Svix, event: Published, counts: &Counts) {
    let mut wait = FIRST_WAIT;
    loop {
        match svix.publish(&event).await {
            Ok(()) => {
                counts.published.fetch_add(1, Ordering::Relaxed);
                if counts.is_failing.swap(false, Ordering::Relaxed) {
                    note("Svix takes events again");
                }
                break;
            }
            Err(failed) if failed.is_final => {
                counts.dropped.fetch_add(1, Ordering::Relaxed);
                let (id, failure) = (&event.event_id, failed.failure);
                note(&format!("Svix refused the event {id}: {failure}"));
                break;
            }
            Err(failed) => {
                if !counts.is_failing.swap(true, Ordering::Relaxed) {
                    let failure = failed.failure;
                    note(&format!("events wait until Svix takes them: {failure}"));
                }
                tokio::time::sleep(wait.mul_f64(0.8 + 0.4 * fastrand::f64())).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
    counts.waiting.fetch_sub(1, Ordering::Relaxed);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointOut {
    id: String,
    url: String,
    #[serde(default)]
    description: String,
    event_types: Option<Vec<String>>,
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
        let mut types = out
            .event_types
            .unwrap_or_else(|| EVENT_TYPES.map(str::to_owned).into());
        types.sort();
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
    headers: BTreeMap<String, String>,
    #[serde(default)]
    sensitive: Vec<String>,
}

/// Svix's refusal, as one of ours.
fn refusal(what: &'static str) -> impl Fn(Failure) -> Refusal {
    move |failure| match failure.kind {
        FailureKind::NotFound => Refusal::NotFound(what),
        FailureKind::Invalid | FailureKind::TooLarge => Refusal::Limit(failure.what),
        _ => Refusal::Unavailable(format!("Svix: {}", failure.what)),
    }
}

fn made<T>(what: &'static str, changed: Changed<T>) -> Result<T, Refusal> {
    changed.map_err(|not_done| match not_done {
        NotDone::Refused(failure) => refusal(what)(failure),
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
        let event = Published {
            event_id: event.event_id,
            event_type: event.event_type,
            payload: event.payload,
        };
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        if self.queue.try_send(event).is_ok() {
            self.counts.is_full.store(false, Ordering::Relaxed);
            return;
        }
        self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        if !self.counts.is_full.swap(true, Ordering::Relaxed) {
            note(&format!(
                "{QUEUE} events wait for Svix; what comes on top is dropped (/health counts it)"
            ));
        }
    }

    fn create_endpoint(&self, spec: EndpointSpec) -> Answer<'_, EndpointCreatedBody> {
        Box::pin(async move {
            let body = spec_body(&spec);
            let told = self
                .svix
                .tell::<EndpointOut>(Verb::Post, &["endpoint"], Some(&body), None);
            let endpoint = EndpointBody::from(made("Endpoint", told.await)?);
            let secret = self.secret(endpoint.id.clone()).await?;
            Ok(EndpointCreatedBody {
                endpoint,
                secret: secret.key,
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
                let page = page.await.map_err(refusal("Endpoint"))?;
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
        DeliveryFigures {
            messages: self.counts.published.load(Ordering::Relaxed),
            deliveries_queued: self.counts.waiting.load(Ordering::Relaxed),
            deliveries_dropped: self.counts.dropped.load(Ordering::Relaxed),
            ..DeliveryFigures::default()
        }
    }
}
