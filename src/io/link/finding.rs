//! Finding the stream, and learning what else the server publishes.

use std::pin::Pin;
use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;

use super::{Link, MAX_COMPARE_WAIT};
use crate::domain::{Ability, Failure, FailureKind, LinkState};
use crate::io::discover::{Found, How, discover, is_elsewhere, nowhere, search};

pub(super) type Discovery = Pin<Box<dyn Future<Output = Result<Found, Failure>> + Send>>;
pub(super) type Search = Pin<Box<dyn Future<Output = Result<Url, Failure>> + Send>>;

/// Where the stream is said to be, and the asking for it.
pub(super) struct Finding {
    pub how: How,
    /// The place that was told; the stream may have been found at another.
    told: Url,
    others: Vec<Url>,
    /// Whether the server said what it publishes.
    pub is_discovered: bool,
    pub discovery: Option<Discovery>,
    pub discover_at: Option<Instant>,
    discover_wait: Duration,
    pub search: Option<Search>,
}

impl Finding {
    pub fn new(told: Url, how: How) -> Self {
        Self {
            how,
            told,
            others: Vec::new(),
            is_discovered: false,
            discovery: None,
            discover_at: None,
            discover_wait: Duration::ZERO,
            search: None,
        }
    }
}

impl Link {
    pub(super) fn begin_discovery(&mut self) {
        if self.finding.discovery.is_some() {
            return;
        }
        self.finding.discover_at = None;
        let (client, path) = (self.client.clone(), self.settings.events_path.clone());
        self.finding.discovery = Some(Box::pin(
            async move { discover(&client, path.as_deref()).await },
        ));
    }

    pub(super) async fn discovered(&mut self, found: Result<Found, Failure>) {
        self.finding.discovery = None;
        let found = match found {
            Ok(found) => found,
            Err(failure) => return self.outlet.tell_polled(Some(failure)).await,
        };
        if found.published.is_none() {
            // The server could not be asked. A guess does not replace what it once said.
            self.finding.discover_wait = (self.finding.discover_wait * 2).clamp(
                self.client.http.waits.pace().min(MAX_COMPARE_WAIT),
                MAX_COMPARE_WAIT,
            );
            self.finding.discover_at = Some(Instant::now() + self.finding.discover_wait);
            if self.finding.is_discovered {
                return;
            }
        } else {
            self.finding.is_discovered = true;
            self.finding.discover_wait = Duration::ZERO;
        }
        let configured = self.settings.resend_path.as_deref();
        let resend = (self.client).resend_ability(configured, found.published.as_ref());
        self.finding.others = found.others;
        // Told the same again, the stream stays where it was found.
        if found.url != self.finding.told || found.how != How::Guessed && self.is_at_told_place() {
            self.finding.told = found.url;
            self.finding.how = found.how;
            if *self.stream.url() != self.finding.told {
                self.stream.set_url(self.finding.told.clone());
                // Only a wait ends; an open stream, or one that is being opened, goes on.
                self.stream.hurry();
            }
        }
        // A Svix server beside it manages the endpoints, and is asked itself what it offers.
        let published = found.published.as_ref();
        let offers = published
            .filter(|_| self.client.svix.is_none())
            .map(|published| published.endpoint.offers());
        let schedule = found
            .published
            .and_then(|published| published.retry_schedule);
        self.outlet
            .learn(|abilities| {
                abilities.resend = resend;
                if let Some(offers) = offers {
                    abilities.offers = offers;
                }
                abilities.retry_schedule = schedule.or(abilities.retry_schedule.take());
            })
            .await;
    }

    fn is_at_told_place(&self) -> bool {
        *self.stream.url() == self.finding.told
    }

    /// Looks for the stream at every other place where it may be, if it may be elsewhere.
    pub(super) fn begin_search(&mut self, why: &Failure) {
        if self.finding.search.is_some()
            || self.finding.how == How::Configured
            || !is_elsewhere(why)
        {
            return;
        }
        let here = self.stream.url().clone();
        let places = std::iter::once(&self.finding.told).chain(&self.finding.others);
        let places: Vec<Url> = places.filter(|place| **place != here).cloned().collect();
        let (client, why) = (self.client.clone(), why.clone());
        self.finding.search = Some(Box::pin(async move {
            let found = search(&client, &places).await?;
            found.ok_or_else(|| nowhere(&why, &places))
        }));
    }

    pub(super) async fn searched(&mut self, outcome: Result<Url, Failure>) {
        self.finding.search = None;
        if self.is_open {
            return;
        }
        let why = match outcome {
            Ok(url) => {
                self.finding.how = How::Probed;
                self.stream.set_url(url);
                return self.stream.hurry();
            }
            // That the server cannot be reached will be seen at the next try.
            Err(why) if why.kind == FailureKind::Unreachable => return,
            Err(why) => why,
        };
        let reason = why.what.clone();
        self.outlet
            .learn(|abilities| abilities.stream = Ability::Absent(reason))
            .await;
        match self.state {
            Some(LinkState::Stopped { .. }) => self.enter(LinkState::Stopped { why }).await,
            Some(LinkState::Polling { .. }) => self.enter(LinkState::Polling { why }).await,
            _ => {}
        }
    }
}
