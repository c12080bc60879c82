//! What the Svix-shaped routes ask of the ledger beside what every route asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Attempt, Ledger, Message, Stored, attempt_body, message_body};
use crate::server::port::Refusal;
use crate::wire::bodies::{AttemptBody, MessageBody};

/// What an expired payload looks like (seen on a real Svix server).
const EXPIRED: &str = r#"{"expired":true}"#;

/// A message that an endpoint was sent.
pub struct Tried {
    pub message: String,
    pub kind: &'static str,
    pub is_delivered: bool,
}

impl Ledger {
    /// Provisions the application without waiting for the first endpoint.
    pub fn provision(&mut self, now_us: i64) -> String {
        let mint = &self.mint;
        self.app_id
            .get_or_insert_with(|| mint.mint("app_", now_us))
            .clone()
    }

    /// One message, by its id or its event's.
    pub fn message(&self, id: &str) -> Result<MessageBody, Refusal> {
        let by_event = || {
            let mut all = self.messages.values().rev();
            all.find(|stored| stored.message.event_id == id)
        };
        let stored = self.messages.get(id).or_else(by_event);
        let stored = stored.ok_or(Refusal::NotFound("Message"))?;
        Ok(message_body(&stored.message))
    }

    pub fn attempt(&self, id: &str) -> Result<AttemptBody, Refusal> {
        let attempt = self.attempts.get(id).ok_or(Refusal::NotFound("Attempt"))?;
        Ok(attempt_body(attempt))
    }

    /// The last attempt of a message at each endpoint, by the endpoints' ids; what is listed here
    /// may be deleted.
    pub fn last_attempts(&self, message_id: &str) -> Result<BTreeMap<String, Attempt>, Refusal> {
        let stored = self.messages.get(message_id);
        let stored = stored.ok_or(Refusal::NotFound("Message"))?;
        let attempts = stored
            .attempts
            .iter()
            .filter_map(|id| self.attempts.get(id));
        Ok(attempts
            .map(|attempt| (attempt.endpoint_id.clone(), attempt.clone()))
            .collect())
    }

    /// Attempts at an endpoint since a time that succeeded and that failed.
    pub fn stats(&self, endpoint_id: &str, since_us: i64) -> Result<(usize, usize), Refusal> {
        let ids = self.by_endpoint.get(endpoint_id);
        let ids = ids.ok_or(Refusal::NotFound("Endpoint"))?;
        let attempts = ids.iter().filter_map(|id| self.attempts.get(id));
        let attempts = attempts.filter(|attempt| attempt.at_us >= since_us);
        let (good, bad): (Vec<_>, Vec<_>) = attempts.partition(|attempt| attempt.success);
        Ok((good.len(), bad.len()))
    }

    /// Messages since a time whose last attempt at this endpoint failed, oldest first.
    pub fn failed_since(&self, endpoint_id: &str, since_us: i64) -> Result<Vec<String>, Refusal> {
        let ids = self.by_endpoint.get(endpoint_id);
        let ids = ids.ok_or(Refusal::NotFound("Endpoint"))?;
        let mut last: BTreeMap<&str, bool> = BTreeMap::new();
        for attempt in ids.iter().filter_map(|id| self.attempts.get(id)) {
            if attempt.at_us >= since_us {
                last.insert(&attempt.message_id, attempt.success);
            }
        }
        let failed = last.into_iter().filter(|(_, success)| !success);
        Ok(failed.map(|(id, _)| id.to_owned()).collect())
    }

    /// Messages accepted since a time that this endpoint wants and was never tried at, oldest
    /// first.
    pub fn untried_since(&self, endpoint_id: &str, since_us: i64) -> Result<Vec<String>, Refusal> {
        let endpoint = self.endpoints.get(endpoint_id);
        let endpoint = endpoint.ok_or(Refusal::NotFound("Endpoint"))?;
        let is_missing = |stored: &&Stored| {
            let mut attempts = stored.attempts.iter();
            stored.message.at_us >= since_us
                && endpoint.spec.wants(stored.message.event_type)
                && !attempts.any(|id| {
                    let attempt = self.attempts.get(id);
                    attempt.is_some_and(|attempt| attempt.endpoint_id == endpoint_id)
                })
        };
        let missing = self.messages.values().filter(is_missing);
        Ok(missing.map(|stored| stored.message.id.clone()).collect())
    }

    /// Messages accepted since a time that were tried at this endpoint, oldest first.
    pub fn tried_since(&self, endpoint_id: &str, since_us: i64) -> Result<Vec<Tried>, Refusal> {
        let ids = self.by_endpoint.get(endpoint_id);
        let ids = ids.ok_or(Refusal::NotFound("Endpoint"))?;
        let mut tried: BTreeMap<&str, bool> = BTreeMap::new();
        for attempt in ids.iter().filter_map(|id| self.attempts.get(id)) {
            *tried.entry(&attempt.message_id).or_default() |= attempt.success;
        }
        let tried = tried.into_iter().filter_map(|(id, is_delivered)| {
            let message = &self.messages.get(id)?.message;
            (message.at_us >= since_us).then(|| Tried {
                message: id.to_owned(),
                kind: message.event_type,
                is_delivered,
            })
        });
        Ok(tried.collect())
    }

    /// Forgets a message's payload.
    pub fn expunge(&mut self, message_id: &str) -> Result<(), Refusal> {
        let stored = self.messages.get_mut(message_id);
        let stored = stored.ok_or(Refusal::NotFound("Message"))?;
        let payload = RawValue::from_string(EXPIRED.to_owned())
            .map_err(|error| Refusal::Unavailable(error.to_string()))?;
        let old = &stored.message;
        stored.message = Arc::new(Message {
            id: old.id.clone(),
            event_id: old.event_id.clone(),
            event_type: old.event_type,
            payload: payload.into(),
            at_us: old.at_us,
        });
        Ok(())
    }

    /// Whether a message's payload is gone.
    pub fn is_expunged(&self, message_id: &str) -> bool {
        let stored = self.messages.get(message_id);
        stored.is_some_and(|stored| stored.message.payload.get() == EXPIRED)
    }
}
