//! Who gets what is posted to a URL, and what else may be on its way there.

use std::collections::HashSet;

use reqwest::Url;

use super::here::is_one_receiver;
use crate::domain::{EndpointId, Replay, Route};

/// A receiver that is posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    url: Url,
    /// The endpoints of the service that lead elsewhere; `None` if all of them were weighed before.
    elsewhere: Option<HashSet<EndpointId>>,
    /// The latest revision of the ledger that was known when it was decided to post there.
    known: i64,
}

impl Receiver {
    /// One to which no endpoint leads but those that were weighed before.
    pub fn weighed(url: Url) -> Self {
        Self {
            url,
            elsewhere: None,
            known: 0,
        }
    }

    /// One to which any endpoint may lead but these.
    pub fn beside(url: Url, elsewhere: HashSet<EndpointId>) -> Self {
        Self {
            url,
            elsewhere: Some(elsewhere),
            known: 0,
        }
    }

    /// The same, decided by who knew the ledger up to this revision.
    #[must_use]
    pub fn knowing(self, known: i64) -> Self {
        Self { known, ..self }
    }

    /// Whether a replay of the same message that has ended went there since that was decided, whatever
    /// was answered; it goes by this endpoint now.
    pub fn has_got(&self, ended: &Replay, by: &EndpointId) -> bool {
        let is_news = ended.row.is_none_or(|row| row.rev > self.known);
        let is_there = || match ended.url() {
            Some(posted) => is_one_receiver(&posted, self.url.as_str()),
            None => ended.route == Route::Local && ended.endpoint == *by,
        };
        is_news && ended.state.was_sent() && is_there()
    }

    /// Whether a replay of the same message is open, so that none may be sent to this endpoint, or
    /// posted to the receiver.
    pub fn is_rival(other: &Replay, at: &EndpointId, receiver: Option<&Self>) -> bool {
        let may_arrive = || receiver.is_some_and(|receiver| receiver.may_get(other));
        other.state.is_open() && (other.endpoint == *at || may_arrive())
    }

    /// Whether an open replay of the same message may still arrive there.
    pub fn may_get(&self, open: &Replay) -> bool {
        match (open.url(), &self.elsewhere) {
            (Some(posted), _) => is_one_receiver(&posted, self.url.as_str()),
            (None, Some(elsewhere)) => !elsewhere.contains(&open.endpoint),
            (None, None) => false,
        }
    }
}
