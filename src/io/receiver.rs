//! Who gets what is posted to a URL, and what else may be on its way there.

use std::collections::HashSet;

use reqwest::Url;

use super::here::is_one_receiver;
use crate::domain::{EndpointId, Replay};

/// A receiver that is posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    url: Url,
    /// The endpoints of the service that lead elsewhere; `None` if all of them were weighed before.
    elsewhere: Option<HashSet<EndpointId>>,
}

impl Receiver {
    /// One to which no endpoint leads but those that were weighed before.
    pub fn weighed(url: Url) -> Self {
        Self {
            url,
            elsewhere: None,
        }
    }

    /// One to which any endpoint may lead but these.
    pub fn beside(url: Url, elsewhere: HashSet<EndpointId>) -> Self {
        Self {
            url,
            elsewhere: Some(elsewhere),
        }
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
