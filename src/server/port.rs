//! The port to webhook delivery: what the routes and the backend ask of whoever delivers.
//!
//! The room's own engine (`delivery`) answers at once; a hand-over to another service
//! answers when that service does, which is why every question gives a future.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::wire::bodies::{
    AttemptBody, EndpointBody, EndpointCreatedBody, HeadersBody, MessageBody, PageBody, SecretBody,
};
use crate::wire::signature::Secret;

/// An answer that may take a while.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// Why something asked of delivery is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("{0}")]
    Limit(String),
    /// Whether it was done may not be known.
    #[error("{0}")]
    Unavailable(String),
    /// Too much at once: nothing was done. How long to wait, in seconds, where that is known.
    #[error("{0}")]
    Busy(String, Option<u64>),
    /// Whoever delivers refuses us, or is not there: nothing was done.
    #[error("{0}")]
    Undone(String),
}

/// A task event, on its way to become a message.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub event_id: String,
    pub event_type: &'static str,
    /// The envelope; these very bytes are delivered.
    pub payload: Arc<RawValue>,
    /// When it was published, in unix microseconds.
    pub at_us: i64,
}

/// What a client says about an endpoint; already checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSpec {
    pub url: String,
    pub description: String,
    /// Expanded and sorted; `None` for all that there are and will be.
    pub event_types: Option<Vec<&'static str>>,
    pub rate_limit: Option<u16>,
    pub version: u16,
    pub disabled: bool,
}

impl EndpointSpec {
    /// Whether it is sent events of this type.
    pub fn wants(&self, event_type: &str) -> bool {
        let types = self.event_types.as_ref();
        types.is_none_or(|types| types.contains(&event_type))
    }
}

/// Which page of a log: newest first; an iterator `-id` goes back towards newer rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    pub limit: usize,
    pub iterator: Option<String>,
}

/// Whose attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptsOf {
    Message(String),
    Endpoint(String),
}

/// One message to one endpoint, by hand.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resend {
    pub message_id: String,
    pub endpoint_id: String,
    /// The same key for the same message and endpoint is answered again and sent once.
    pub idempotency_key: Option<String>,
}

/// Counts for `/health`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryFigures {
    pub endpoints: usize,
    pub messages: usize,
    pub attempts: usize,
    /// What messages and attempts take, roughly.
    pub log_bytes: usize,
    pub messages_evicted: u64,
    pub deliveries_queued: usize,
    pub deliveries_in_flight: usize,
    /// First tries and resends that a full queue had no room for.
    pub deliveries_dropped: u64,
    pub retries_pending: usize,
    /// Retries given up because too many were waiting, in all or for their endpoint; at a hand-over,
    /// events given up after many tries.
    pub retries_dropped: u64,
}

/// Whoever delivers webhooks.
pub trait Delivery: Send + Sync + 'static {
    /// Takes a published task event; never waits. Before the first endpoint there is no
    /// application and the event becomes no message.
    fn accept(&self, event: Accepted);
    fn create_endpoint(&self, spec: EndpointSpec) -> Answer<'_, EndpointCreatedBody>;
    fn replace_endpoint(&self, id: String, spec: EndpointSpec) -> Answer<'_, EndpointBody>;
    fn delete_endpoint(&self, id: String) -> Answer<'_, ()>;
    fn endpoints(&self) -> Answer<'_, Vec<EndpointBody>>;
    fn endpoint(&self, id: String) -> Answer<'_, EndpointBody>;
    /// The secret that requests to an endpoint are signed with.
    fn secret(&self, id: String) -> Answer<'_, SecretBody>;
    /// Another secret, of its own making where none is named; the one before stays valid for the
    /// grace period.
    fn rotate(&self, id: String, secret: Option<Secret>, grace: Duration) -> Answer<'_, ()>;
    fn headers(&self, id: String) -> Answer<'_, HeadersBody>;
    /// Replaces an endpoint's own headers.
    fn set_headers(&self, id: String, headers: BTreeMap<String, String>) -> Answer<'_, ()>;
    /// Sends an event to this endpoint alone, whatever it subscribes to.
    fn example(&self, endpoint_id: String, event: Accepted) -> Answer<'_, MessageBody>;
    fn messages(&self, page: PageQuery) -> Answer<'_, PageBody<MessageBody>>;
    fn attempts(&self, of: AttemptsOf, page: PageQuery) -> Answer<'_, PageBody<AttemptBody>>;
    fn resend(&self, resend: Resend) -> Answer<'_, ()>;
    /// The delays after each failed attempt, in seconds.
    fn schedule_s(&self) -> Vec<f64>;
    /// After a timeout the delay is at least this long, in seconds.
    fn floor_after_timeout_s(&self) -> f64;
    /// After so many seconds of failures alone an endpoint is disabled; `None` if never.
    fn disable_after_s(&self) -> Option<f64>;
    fn figures(&self) -> DeliveryFigures;
}
