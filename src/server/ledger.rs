//! The ledger of delivery: endpoints with their secrets, messages, attempts. Bounded.
//!
//! Ids sort by time, so a log is a range of a sorted map and a page survives eviction: an
//! iterator whose row is gone still says where to go on.

mod endpoint;
mod endpoints;
mod svix;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;

use self::endpoint::Endpoint;
use super::clock::rfc3339;
use super::ids::IdMint;
use super::pages::page;
use super::port::{Accepted, PageQuery, Refusal};
use crate::wire::bodies::{AttemptBody, MessageBody, PageBody};
use crate::wire::signature::Secret;

/// Oldest messages go, with their attempts, beyond this many bytes of payloads, response texts
/// and rows, if not for their number.
const MOST_BYTES: usize = 256 << 20;
/// What a row costs besides its texts, roughly.
const ROW_BYTES: usize = 512;
/// With one slot kept for each endpoint, none can be held up by the others; so they are limited.
pub const MOST_ENDPOINTS: usize = 64;

/// An event accepted for delivery.
#[derive(Debug)]
pub struct Message {
    pub id: String,
    pub event_id: String,
    pub event_type: &'static str,
    pub payload: Arc<RawValue>,
    pub at_us: i64,
}

/// One finished try.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub id: String,
    pub message_id: String,
    pub endpoint_id: String,
    pub url: String,
    pub response: Arc<str>,
    /// 0 where there was no HTTP answer.
    pub code: u16,
    pub duration_ms: u64,
    pub success: bool,
    pub manual: bool,
    /// Its start.
    pub at_us: i64,
}

/// An event that became a message.
#[derive(Debug)]
pub struct Taken {
    pub message: Arc<Message>,
    /// Ids of the endpoints that want it.
    pub wanted: Vec<String>,
    /// Ids of messages that had to go for it.
    pub evicted: Vec<String>,
}

/// What is needed to send one message to one endpoint.
#[derive(Debug)]
pub struct Addressed {
    pub message: Arc<Message>,
    pub url: String,
    /// What it is signed with: the newest first.
    pub secrets: Vec<Secret>,
    /// The endpoint's own headers.
    pub headers: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Stored {
    message: Arc<Message>,
    attempts: BTreeSet<String>,
}

#[derive(Debug)]
pub struct Ledger {
    mint: IdMint,
    app_id: Option<String>,
    endpoints: BTreeMap<String, Endpoint>,
    messages: BTreeMap<String, Stored>,
    attempts: BTreeMap<String, Attempt>,
    by_endpoint: HashMap<String, BTreeSet<String>>,
    bytes: usize,
    evicted: u64,
    most_messages: usize,
}

/// What the ledger holds and let go, for `/health`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerFigures {
    pub endpoints: usize,
    pub messages: usize,
    pub attempts: usize,
    /// Payloads, response texts and rows, roughly.
    pub bytes: usize,
    pub evicted: u64,
}

impl Ledger {
    /// An empty one; the oldest messages go, with their attempts, beyond `most_messages`.
    pub fn new(most_messages: usize) -> Self {
        Self {
            mint: IdMint::default(),
            app_id: None,
            endpoints: BTreeMap::new(),
            messages: BTreeMap::new(),
            attempts: BTreeMap::new(),
            by_endpoint: HashMap::new(),
            bytes: 0,
            evicted: 0,
            most_messages,
        }
    }

    /// Makes a message of an event, and says which endpoints want it. Nothing before the first
    /// endpoint: there is no application yet.
    pub fn accept(&mut self, event: Accepted) -> Option<Taken> {
        self.app_id.as_ref()?;
        let wanted = self.endpoints.iter().filter(|(_, endpoint)| {
            !endpoint.spec.disabled && endpoint.spec.wants(event.event_type)
        });
        let wanted = wanted.map(|(id, _)| id.clone()).collect();
        Some(self.take(event, wanted))
    }

    /// Makes a message of an example, for this endpoint alone; a disabled one is sent nothing.
    pub fn example(&mut self, endpoint_id: &str, event: Accepted) -> Result<Taken, Refusal> {
        let is_enabled = !self.endpoint_at(endpoint_id)?.spec.disabled;
        let wanted = is_enabled.then(|| endpoint_id.to_owned());
        Ok(self.take(event, wanted.into_iter().collect()))
    }

    fn take(&mut self, event: Accepted, wanted: Vec<String>) -> Taken {
        let message = Arc::new(Message {
            id: self.mint.mint("msg_", event.at_us),
            event_id: event.event_id,
            event_type: event.event_type,
            payload: event.payload,
            at_us: event.at_us,
        });
        self.bytes += message_bytes(&message);
        let stored = Stored {
            message: Arc::clone(&message),
            attempts: BTreeSet::new(),
        };
        self.messages.insert(message.id.clone(), stored);
        Taken {
            message,
            wanted,
            evicted: self.evict(),
        }
    }

    /// What to send where, if the message is still known and the endpoint there and enabled.
    pub fn address(&self, message_id: &str, endpoint_id: &str, now_us: i64) -> Option<Addressed> {
        let message = Arc::clone(&self.messages.get(message_id)?.message);
        let endpoint = self
            .endpoints
            .get(endpoint_id)
            .filter(|e| !e.spec.disabled)?;
        Some(Addressed {
            message,
            url: endpoint.spec.url.clone(),
            secrets: endpoint.signing_secrets(now_us),
            headers: endpoint.headers().clone(),
        })
    }

    /// Whether a resend makes sense: an error for unknown ids, false for a disabled endpoint.
    pub fn may_resend(&self, message_id: &str, endpoint_id: &str) -> Result<bool, Refusal> {
        if !self.messages.contains_key(message_id) {
            return Err(Refusal::NotFound("Message"));
        }
        let endpoint = self
            .endpoints
            .get(endpoint_id)
            .ok_or(Refusal::NotFound("Endpoint"))?;
        Ok(!endpoint.spec.disabled)
    }

    /// A new attempt id for a try that starts now.
    pub fn attempt_id(&self, now_us: i64) -> String {
        self.mint.mint("atmpt_", now_us)
    }

    /// Writes a finished attempt down. Gives the ids of messages that had to go for it; nobody
    /// else knows that they are gone.
    #[must_use]
    pub fn record(&mut self, attempt: Attempt) -> Vec<String> {
        let Some(stored) = self.messages.get_mut(&attempt.message_id) else {
            return Vec::new();
        };
        if attempt.success
            && let Some(endpoint) = self.endpoints.get_mut(&attempt.endpoint_id)
        {
            endpoint.failing_since_us = None;
        }
        stored.attempts.insert(attempt.id.clone());
        if let Some(ids) = self.by_endpoint.get_mut(&attempt.endpoint_id) {
            ids.insert(attempt.id.clone());
        }
        self.bytes += attempt_bytes(&attempt);
        self.attempts.insert(attempt.id.clone(), attempt);
        self.evict()
    }

    /// Notes that a message used up its schedule at an endpoint. When that has gone on for
    /// `disable_after` with no success between, the endpoint is disabled, as Svix does.
    pub fn exhausted(&mut self, endpoint_id: &str, now_us: i64, disable_after: Option<Duration>) {
        let Some(endpoint) = self.endpoints.get_mut(endpoint_id) else {
            return;
        };
        let since = *endpoint.failing_since_us.get_or_insert(now_us);
        let failing = Duration::from_micros(now_us.saturating_sub(since).max(0) as u64);
        if disable_after.is_some_and(|limit| failing >= limit) && !endpoint.spec.disabled {
            endpoint.spec.disabled = true;
            endpoint.touch(now_us);
        }
    }

    /// A page of all messages.
    pub fn messages(&self, query: &PageQuery) -> PageBody<MessageBody> {
        page(
            query,
            |bounds| self.messages.range::<str, _>(bounds).map(|(id, _)| id),
            |id| {
                self.messages
                    .get(id)
                    .map(|stored| message_body(&stored.message))
            },
        )
    }

    /// A page of one message's attempts; empty when there is no application yet.
    pub fn attempts_of_message(
        &self,
        id: &str,
        query: &PageQuery,
    ) -> Result<PageBody<AttemptBody>, Refusal> {
        let attempts = self.messages.get(id).map(|stored| &stored.attempts);
        self.attempt_page(attempts, "Message", query)
    }

    /// A page of one endpoint's attempts; empty when there is no application yet.
    pub fn attempts_of_endpoint(
        &self,
        id: &str,
        query: &PageQuery,
    ) -> Result<PageBody<AttemptBody>, Refusal> {
        self.attempt_page(self.by_endpoint.get(id), "Endpoint", query)
    }

    fn attempt_page(
        &self,
        ids: Option<&BTreeSet<String>>,
        owner: &'static str,
        query: &PageQuery,
    ) -> Result<PageBody<AttemptBody>, Refusal> {
        let none = BTreeSet::new();
        let ids = match ids {
            Some(ids) => ids,
            None if self.app_id.is_none() => &none,
            None => return Err(Refusal::NotFound(owner)),
        };
        Ok(page(
            query,
            |bounds| ids.range::<str, _>(bounds),
            |id| self.attempts.get(id).map(attempt_body),
        ))
    }

    pub fn figures(&self) -> LedgerFigures {
        LedgerFigures {
            endpoints: self.endpoints.len(),
            messages: self.messages.len(),
            attempts: self.attempts.len(),
            bytes: self.bytes,
            evicted: self.evicted,
        }
    }

    /// Lets the oldest messages go until the bounds hold again; their ids.
    fn evict(&mut self) -> Vec<String> {
        let mut gone = Vec::new();
        while self.messages.len() > self.most_messages || self.bytes > MOST_BYTES {
            let Some((id, stored)) = self.messages.pop_first() else {
                break;
            };
            gone.push(id);
            self.evicted += 1;
            self.bytes = self.bytes.saturating_sub(message_bytes(&stored.message));
            for id in stored.attempts {
                let Some(attempt) = self.attempts.remove(&id) else {
                    continue;
                };
                self.bytes = self.bytes.saturating_sub(attempt_bytes(&attempt));
                if let Some(ids) = self.by_endpoint.get_mut(&attempt.endpoint_id) {
                    ids.remove(&id);
                }
            }
        }
        gone
    }
}

fn message_bytes(message: &Message) -> usize {
    ROW_BYTES + message.payload.get().len()
}

fn attempt_bytes(attempt: &Attempt) -> usize {
    ROW_BYTES + attempt.url.len() + attempt.response.len()
}

pub fn message_body(message: &Arc<Message>) -> MessageBody {
    MessageBody {
        id: message.id.clone(),
        event_id: message.event_id.clone(),
        event_type: message.event_type.to_owned(),
        payload: Arc::clone(&message.payload),
        timestamp: rfc3339(message.at_us),
        channels: None,
        tags: None,
    }
}

fn attempt_body(attempt: &Attempt) -> AttemptBody {
    let (status, status_text) = if attempt.success {
        (0, "success")
    } else {
        (2, "fail")
    };
    AttemptBody {
        id: attempt.id.clone(),
        msg_id: attempt.message_id.clone(),
        endpoint_id: attempt.endpoint_id.clone(),
        url: attempt.url.clone(),
        response: Arc::clone(&attempt.response),
        response_status_code: attempt.code,
        response_duration_ms: attempt.duration_ms,
        status,
        status_text,
        trigger_type: u8::from(attempt.manual),
        timestamp: rfc3339(attempt.at_us),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::super::port::EndpointSpec;
    use super::*;

    const NOW: i64 = 1_790_000_000_000_000;

    fn spec() -> EndpointSpec {
        EndpointSpec {
            url: "http://127.0.0.1:9/".to_owned(),
            description: String::new(),
            event_types: Some(vec!["task.failed"]),
            rate_limit: None,
            version: 1,
            disabled: false,
        }
    }

    fn event(n: i64, payload: &str) -> Accepted {
        Accepted {
            event_id: n.to_string(),
            event_type: "task.failed",
            payload: RawValue::from_string(payload.to_owned()).unwrap().into(),
            at_us: NOW + n,
        }
    }

    fn query(limit: usize, iterator: Option<&str>) -> PageQuery {
        PageQuery {
            limit,
            iterator: iterator.map(str::to_owned),
        }
    }

    #[test]
    fn messages_begin_with_the_first_endpoint() {
        let mut ledger = Ledger::new(100);
        assert!(ledger.accept(event(0, "{}")).is_none());
        assert!(ledger.create_endpoint(spec(), NOW).unwrap().app.is_new);
        assert!(!ledger.create_endpoint(spec(), NOW).unwrap().app.is_new);
        let taken = ledger.accept(event(1, "{}")).unwrap();
        assert_eq!((taken.wanted.len(), taken.evicted.len()), (2, 0));
    }

    #[test]
    fn pages_go_both_ways_and_say_when_they_end() {
        let mut ledger = Ledger::new(100);
        ledger.create_endpoint(spec(), NOW).unwrap();
        let ids: Vec<String> = (0..5)
            .map(|n| ledger.accept(event(n, "{}")).unwrap().message.id.clone())
            .collect();
        let listed = |page: &PageBody<MessageBody>| {
            page.data
                .iter()
                .map(|row| row.event_id.clone())
                .collect::<String>()
        };
        let first = ledger.messages(&query(2, None));
        assert_eq!((listed(&first).as_str(), first.done), ("43", false));
        let second = ledger.messages(&query(2, first.iterator.as_deref()));
        assert_eq!((listed(&second).as_str(), second.done), ("21", false));
        let last = ledger.messages(&query(2, second.iterator.as_deref()));
        assert_eq!((listed(&last).as_str(), last.done), ("0", true));
        let back = ledger.messages(&query(2, last.prev_iterator.as_deref()));
        assert_eq!((listed(&back).as_str(), back.done), ("21", false));
        assert_eq!(last.iterator.as_deref(), ids.first().map(String::as_str));
        let empty = ledger.messages(&query(2, last.iterator.as_deref()));
        assert!(empty.done && empty.iterator.is_none() && empty.prev_iterator.is_none());
    }

    #[test]
    fn the_oldest_messages_go_with_their_attempts() {
        let mut ledger = Ledger::new(100);
        let endpoint = ledger.create_endpoint(spec(), NOW).unwrap().endpoint;
        let first = ledger.accept(event(0, "{}")).unwrap().message;
        let evicted = ledger.record(Attempt {
            id: ledger.attempt_id(NOW),
            message_id: first.id.clone(),
            endpoint_id: endpoint.id.clone(),
            url: endpoint.url,
            response: "x".repeat(20_000).into(),
            code: 500,
            duration_ms: 1,
            success: false,
            manual: false,
            at_us: NOW,
        });
        assert!(evicted.is_empty());
        let mut evicted = Vec::new();
        for n in 1..=100 {
            evicted.extend(ledger.accept(event(n, "{}")).unwrap().evicted);
        }
        assert_eq!(evicted, [first.id.as_str()]);
        let held = LedgerFigures {
            endpoints: 1,
            messages: 100,
            attempts: 0,
            bytes: 100 * (ROW_BYTES + 2),
            evicted: 1,
        };
        assert_eq!(ledger.figures(), held);
        assert!(
            ledger
                .attempts_of_message(&first.id, &query(1, None))
                .is_err()
        );
        assert!(
            ledger
                .attempts_of_endpoint(&endpoint.id, &query(1, None))
                .unwrap()
                .data
                .is_empty()
        );
    }

    #[test]
    fn an_endpoint_that_only_fails_is_disabled_after_the_limit() {
        let mut ledger = Ledger::new(100);
        let id = ledger.create_endpoint(spec(), NOW).unwrap().endpoint.id;
        let limit = Some(Duration::from_secs(1));
        ledger.exhausted(&id, NOW, limit);
        ledger.exhausted(&id, NOW + 999_999, limit);
        assert!(!ledger.endpoints().first().unwrap().disabled);
        ledger.exhausted(&id, NOW + 1_000_000, None);
        assert!(!ledger.endpoints().first().unwrap().disabled);
        ledger.exhausted(&id, NOW + 1_000_000, limit);
        assert!(ledger.endpoints().first().unwrap().disabled);
    }
}
