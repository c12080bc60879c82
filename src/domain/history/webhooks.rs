//! What is seen of webhooks: messages, attempts and whose replays they are, endpoints.

use std::sync::Arc;

use hashbrown::HashSet;

use super::super::attempt::{Attempt, AttemptNumber};
use super::super::endpoint::Endpoint;
use super::super::id::{AttemptId, EndpointId};
use super::super::link::Ability;
use super::super::message::{Log, Message, NotRead};
use super::super::schedule::Forecast;
use super::super::unread::digest;
use super::super::words::WordKind;
use super::delivery::Delivery;
use super::sightings::example_of;
use super::{Applied, History, OutcomeState, Told};

/// Deleted endpoints whose names are kept.
const MAX_DELETED: usize = 1000;

/// Whether an endpoint wants messages of this type.
fn wants(endpoint: &Endpoint, message: &Message) -> bool {
    let types = endpoint.event_types.as_ref();
    types.is_none_or(|types| types.contains(&message.kind))
}

/// Whether it may have wanted a message as that was sent: one that was changed since may have wanted
/// other types then.
fn may_have_wanted(endpoint: &Endpoint, message: &Message) -> bool {
    let is_changed = endpoint.updated.is_some_and(|at| at > message.accepted);
    is_changed || wants(endpoint, message)
}

impl History {
    /// The endpoint's name to show: its label, else its id shortened.
    pub fn endpoint_label(&self, id: &EndpointId) -> String {
        let known = self.endpoints.get(id).or_else(|| self.deleted.get(id));
        known.map_or_else(|| id.short(14), |endpoint| endpoint.label().to_owned())
    }

    /// Disabled endpoints that wanted the message and were never tried.
    pub fn silent(&self, delivery: &Delivery) -> Vec<EndpointId> {
        let Some(message) = &delivery.message else {
            return Vec::new();
        };
        self.endpoints
            .values()
            .filter(|endpoint| endpoint.disabled && delivery.outcome(&endpoint.id).is_none())
            .filter(|endpoint| wants(endpoint, message))
            .map(|endpoint| endpoint.id.clone())
            .collect()
    }

    /// Whether it is not known here if an endpoint was tried: attempts of then were not read there.
    pub fn is_unread(&self, delivery: &Delivery, endpoint: &EndpointId) -> bool {
        let created = self.endpoints.get(endpoint).and_then(|it| it.created);
        let accepted = delivery.message.as_ref().map(|it| it.accepted);
        let is_older = matches!((created, accepted), (Some(made), Some(at)) if at < made);
        !is_older && self.deliveries.is_unread(delivery, endpoint)
    }

    /// Why attempts of a message at an endpoint may be there that are not known here, if they may:
    /// none is known, or older or newer ones than these are not read. Once all of a message were
    /// read, none is missing until the endpoint's log breaks off.
    pub fn attempts_missing(
        &self,
        delivery: &Delivery,
        endpoint: &EndpointId,
    ) -> Option<NotRead<'_>> {
        let deliveries = &self.deliveries;
        let is_known = delivery.outcome(endpoint).is_some();
        let is_missing = if is_known {
            self.endpoints.contains_key(endpoint) && deliveries.is_in_part(delivery, endpoint)
        } else {
            self.is_unread(delivery, endpoint)
        };
        if !is_missing {
            return None;
        }
        let of_it = || deliveries.why_unread(&Log::AttemptsOf(delivery.id.clone()));
        let at_it = || deliveries.why_attempts_unread(endpoint);
        let older = || deliveries.why_unread(&Log::OlderAttempts(endpoint.clone()));
        Some(self.not_read_for(of_it().or_else(at_it).or_else(older)))
    }

    /// Why it is not known of every endpoint whether a message was sent there, if it is not.
    pub fn why_unread_somewhere(&self, delivery: &Delivery) -> Option<NotRead<'_>> {
        if !self.is_unread_somewhere(delivery) {
            return None;
        }
        let deliveries = &self.deliveries;
        let of_it = deliveries.why_unread(&Log::AttemptsOf(delivery.id.clone()));
        let mut unread = self.unread_at(delivery);
        let failing = || {
            unread.find_map(|id| {
                let older = || deliveries.why_unread(&Log::OlderAttempts(id.clone()));
                deliveries.why_attempts_unread(id).or_else(older)
            })
        };
        Some(self.not_read_for(of_it.or_else(failing)))
    }

    /// What attempts are that are not read, for this reason if there is one.
    fn not_read_for<'a>(&self, why: Option<&'a Arc<str>>) -> NotRead<'a> {
        match (why, &self.abilities.attempts) {
            (Some(why), _) => NotRead::Failed(why),
            (None, Ability::Absent(_)) => NotRead::Absent,
            (None, _) => NotRead::Yet,
        }
    }

    /// The endpoints that may have wanted a message, and of which it is not known here whether it
    /// was sent there.
    pub fn unread_at<'a>(
        &'a self,
        delivery: &'a Delivery,
    ) -> impl Iterator<Item = &'a EndpointId> + 'a {
        let message = delivery.message.as_ref();
        let endpoints = self.endpoints.values();
        endpoints
            .filter(move |endpoint| message.is_none_or(|it| may_have_wanted(endpoint, it)))
            .map(|endpoint| &endpoint.id)
            .filter(move |id| self.is_unread(delivery, id))
    }

    /// Whether there is such an endpoint; where none is known and none are listed, any may be one.
    pub fn is_unread_somewhere(&self, delivery: &Delivery) -> bool {
        let is_nowhere_known = self.endpoints.is_empty() && self.listed.is_none();
        is_nowhere_known && !delivery.is_read && delivery.outcomes.is_empty()
            || self.unread_at(delivery).next().is_some()
    }

    /// Whether the service lists its endpoints and this one is not among them.
    pub fn is_unlisted(&self, id: &EndpointId) -> bool {
        self.listed
            .as_ref()
            .is_some_and(|listed| !listed.contains(id))
    }

    /// What the service will do by itself for a message at an endpoint. Where that is disabled or
    /// deleted no retry is due, whatever the schedule has.
    pub fn forecast(&self, delivery: &Delivery, endpoint: &EndpointId) -> Forecast {
        let outcome = delivery.outcome(endpoint).map(|outcome| outcome.state);
        let is_failed = outcome == Some(OutcomeState::Failed);
        let forecast = if is_failed && self.deliveries.is_partial(delivery, endpoint) {
            Forecast::Unread
        } else {
            delivery.forecast(&self.schedule, endpoint)
        };
        let is_off = match self.endpoints.get(endpoint) {
            Some(known) => known.disabled,
            None => self.is_unlisted(endpoint),
        };
        match forecast {
            Forecast::Next { .. } | Forecast::Uncertain { .. } | Forecast::Unread if is_off => {
                Forecast::Nothing
            }
            forecast => forecast,
        }
    }

    /// An attempt's number among the automatic ones of its message and endpoint; `None` where older
    /// ones may not be known.
    pub fn number_of(&self, delivery: &Delivery, attempt: &AttemptId) -> Option<AttemptNumber> {
        let endpoint = &delivery.attempt(attempt)?.endpoint;
        match delivery.number_of(attempt)? {
            AttemptNumber::Automatic(_) if self.deliveries.is_partial(delivery, endpoint) => None,
            number => Some(number),
        }
    }

    pub(super) fn take_message(&mut self, message: Message, told: Told) {
        if let Some(name) = message.kind.unknown()
            && self.deliveries.get(&message.id).is_none()
        {
            let example = || example_of("message", &message.id, None);
            self.new_words
                .see(WordKind::EventType, name, 1, told.1, example);
        }
        self.deliveries.take_message(message, told);
    }

    pub(super) fn take_attempt(&mut self, attempt: Attempt, told: Told) -> Applied {
        // Where the service lists its endpoints, one that is not listed was deleted.
        if self.listed.is_none() && !self.endpoints.contains_key(&attempt.endpoint) {
            self.take_endpoint(Endpoint::inferred(
                attempt.endpoint.clone(),
                attempt.url.clone(),
            ));
        }
        let pair = (attempt.message.clone(), attempt.endpoint.clone());
        self.deliveries.take_attempt(attempt, told);
        let Some(number) = self.replays.latest_of(&pair.0, &pair.1) else {
            return Applied::Shown;
        };
        let Some(delivery) = self.deliveries.get(&pair.0) else {
            return Applied::Shown;
        };
        let attempts = delivery.attempts_at(&pair.1);
        if self
            .replays
            .settle(&pair.0, &pair.1, &attempts, &self.schedule, told.1)
        {
            Applied::Replay(number)
        } else {
            Applied::Shown
        }
    }

    /// An attempt may have been seen before the step that says what was sent.
    pub(super) fn settle_replays(&mut self, number: u64) {
        let Some(replay) = self.replays.get(number) else {
            return;
        };
        let (message, endpoint, at) = (
            replay.message.clone(),
            replay.endpoint.clone(),
            replay.since,
        );
        if let Some(delivery) = self.deliveries.get(&message) {
            let attempts = delivery.attempts_at(&endpoint);
            self.replays
                .settle(&message, &endpoint, &attempts, &self.schedule, at);
        }
    }

    pub(super) fn take_endpoint(&mut self, endpoint: Endpoint) {
        if self.endpoints.len() < self.bounds.endpoints || self.endpoints.contains_key(&endpoint.id)
        {
            self.endpoints.insert(endpoint.id.clone(), endpoint);
        } else {
            let digest = digest(&[endpoint.id.to_string().as_bytes()]);
            self.n_endpoints_let_go += u64::from(self.endpoints_let_go.is_first(digest));
        }
    }

    pub(super) fn take_endpoint_list(&mut self, ids: &[EndpointId]) {
        let listed: HashSet<EndpointId> = ids.iter().cloned().collect();
        for (id, endpoint) in self.endpoints.extract_if(.., |id, _| !listed.contains(id)) {
            if self.deleted.len() < MAX_DELETED {
                self.deleted.insert(id, endpoint);
            }
        }
        self.listed = Some(listed);
    }
}
