//! The room's own delivery: the ledger, the dispatcher and the HTTP engine behind the port.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::now_us;
use super::dispatcher::{Courier, Dispatcher};
use super::ledger::{Ledger, message_body};
use super::port::{
    Accepted, Answer, AttemptsOf, Delivery, DeliveryFigures, EndpointSpec, PageQuery, Refusal,
    Resend,
};
use super::schedule::Schedule;
use crate::wire::bodies::{
    AttemptBody, EndpointBody, EndpointCreatedBody, HeadersBody, MessageBody, PageBody, SecretBody,
};
use crate::wire::signature::Secret;

/// How long an idempotency key is remembered (Svix: 12 hours).
const KEY_LIFE: Duration = Duration::from_hours(12);
const MOST_KEYS: usize = 10_000;

pub struct OwnDelivery {
    ledger: Arc<Mutex<Ledger>>,
    dispatcher: Arc<Dispatcher>,
    keys: Mutex<Keys>,
}

impl OwnDelivery {
    /// Starts delivering through `courier`; its tasks run on `tracker` until `stop`.
    pub fn start(
        courier: Box<dyn Courier>,
        time_scale: f64,
        disable_after: Option<Duration>,
        most_messages: usize,
        stop: CancellationToken,
        tracker: TaskTracker,
    ) -> Self {
        let ledger = Arc::new(Mutex::new(Ledger::new(most_messages)));
        let scaled = |limit: Duration| {
            Duration::try_from_secs_f64(limit.as_secs_f64() / time_scale).unwrap_or(Duration::MAX)
        };
        let disable_after = disable_after.map(scaled);
        let dispatcher = Dispatcher::start(
            Arc::clone(&ledger),
            courier,
            Schedule::new(time_scale),
            disable_after,
            stop,
            tracker,
        );
        Self {
            ledger,
            dispatcher,
            keys: Mutex::default(),
        }
    }

    /// How long until a pair's next automatic try; `None` if there is none to come.
    pub fn next_try(&self, message_id: &str, endpoint_id: &str) -> Option<Duration> {
        self.dispatcher.next_try(message_id, endpoint_id)
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resend_now(&self, resend: &Resend) -> Result<(), Refusal> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.has(resend) {
            return Ok(());
        }
        // To a disabled endpoint: accepted, and silently nothing, as Svix's open-source server.
        let enabled = self
            .ledger()
            .may_resend(&resend.message_id, &resend.endpoint_id)?;
        if enabled
            && !self
                .dispatcher
                .resend(&resend.message_id, &resend.endpoint_id)
        {
            let text = "too many deliveries are waiting for this endpoint".to_owned();
            return Err(Refusal::Busy(text, None));
        }
        keys.add(resend);
        Ok(())
    }
}

fn ready<'a, T: Send + 'a>(answer: Result<T, Refusal>) -> Answer<'a, T> {
    Box::pin(std::future::ready(answer))
}

impl Delivery for OwnDelivery {
    fn accept(&self, event: Accepted) {
        let taken = self.ledger().accept(event);
        if let Some(taken) = taken {
            self.dispatcher.forget(&taken.evicted);
            self.dispatcher.deliver(&taken.message.id, &taken.wanted);
        }
    }

    fn create_endpoint(&self, spec: EndpointSpec) -> Answer<'_, EndpointCreatedBody> {
        let limit = spec.rate_limit;
        let created = self.ledger().create_endpoint(spec, now_us());
        if let Ok(created) = &created {
            self.dispatcher.limit(&created.endpoint.id, limit);
        }
        ready(created)
    }

    fn replace_endpoint(&self, id: String, spec: EndpointSpec) -> Answer<'_, EndpointBody> {
        let limit = spec.rate_limit;
        let replaced = self.ledger().replace_endpoint(&id, spec, now_us());
        if replaced.is_ok() {
            self.dispatcher.limit(&id, limit);
        }
        ready(replaced)
    }

    fn delete_endpoint(&self, id: String) -> Answer<'_, ()> {
        let deleted = self.ledger().delete_endpoint(&id);
        if deleted.is_ok() {
            self.dispatcher.limit(&id, None);
        }
        ready(deleted)
    }

    fn endpoints(&self) -> Answer<'_, Vec<EndpointBody>> {
        ready(Ok(self.ledger().endpoints()))
    }

    fn endpoint(&self, id: String) -> Answer<'_, EndpointBody> {
        ready(self.ledger().endpoint(&id))
    }

    fn secret(&self, id: String) -> Answer<'_, SecretBody> {
        ready(self.ledger().secret(&id))
    }

    fn rotate(&self, id: String, secret: Option<Secret>, grace: Duration) -> Answer<'_, ()> {
        ready(self.ledger().rotate(&id, secret, grace, now_us()))
    }

    fn headers(&self, id: String) -> Answer<'_, HeadersBody> {
        ready(self.ledger().headers(&id))
    }

    fn set_headers(&self, id: String, headers: BTreeMap<String, String>) -> Answer<'_, ()> {
        ready(self.ledger().set_headers(&id, headers, now_us()))
    }

    fn example(&self, endpoint_id: String, event: Accepted) -> Answer<'_, MessageBody> {
        let taken = self.ledger().example(&endpoint_id, event);
        ready(taken.map(|taken| {
            self.dispatcher.forget(&taken.evicted);
            self.dispatcher.deliver(&taken.message.id, &taken.wanted);
            message_body(&taken.message)
        }))
    }

    fn messages(&self, page: PageQuery) -> Answer<'_, PageBody<MessageBody>> {
        ready(Ok(self.ledger().messages(&page)))
    }

    fn attempts(&self, of: AttemptsOf, page: PageQuery) -> Answer<'_, PageBody<AttemptBody>> {
        let ledger = self.ledger();
        ready(match of {
            AttemptsOf::Message(id) => ledger.attempts_of_message(&id, &page),
            AttemptsOf::Endpoint(id) => ledger.attempts_of_endpoint(&id, &page),
        })
    }

    fn resend(&self, resend: Resend) -> Answer<'_, ()> {
        ready(self.resend_now(&resend))
    }

    fn schedule_s(&self) -> Vec<f64> {
        self.dispatcher.schedule().delays_s().to_vec()
    }

    fn floor_after_timeout_s(&self) -> f64 {
        self.dispatcher.schedule().floor_after_timeout_s()
    }

    fn disable_after_s(&self) -> Option<f64> {
        self.dispatcher.disable_after().map(|it| it.as_secs_f64())
    }

    fn figures(&self) -> DeliveryFigures {
        let ledger = self.ledger().figures();
        let lanes = self.dispatcher.figures();
        DeliveryFigures {
            endpoints: ledger.endpoints,
            messages: ledger.messages,
            attempts: ledger.attempts,
            log_bytes: ledger.bytes,
            messages_evicted: ledger.evicted,
            deliveries_queued: lanes.queued,
            deliveries_in_flight: lanes.in_flight,
            deliveries_dropped: lanes.dropped,
            retries_pending: lanes.retries_pending,
            retries_dropped: lanes.retries_dropped,
        }
    }
}

/// Idempotency keys seen lately, each with what it was for.
#[derive(Debug, Default)]
struct Keys {
    seen: HashMap<Resend, Instant>,
    order: VecDeque<Resend>,
}

impl Keys {
    fn has(&mut self, resend: &Resend) -> bool {
        while let Some(oldest) = self.order.front() {
            let expired = self
                .seen
                .get(oldest)
                .is_none_or(|at| at.elapsed() > KEY_LIFE);
            if !expired && self.order.len() <= MOST_KEYS {
                break;
            }
            if let Some(oldest) = self.order.pop_front() {
                self.seen.remove(&oldest);
            }
        }
        resend.idempotency_key.is_some() && self.seen.contains_key(resend)
    }

    fn add(&mut self, resend: &Resend) {
        if resend.idempotency_key.is_some() {
            self.seen.insert(resend.clone(), Instant::now());
            self.order.push_back(resend.clone());
        }
    }
}
