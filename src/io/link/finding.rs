//! Finding the stream, and learning what else the server publishes.

use std::time::Duration;

use tokio::time::Instant;

use super::{Link, MAX_COMPARE_WAIT};
use crate::domain::{Ability, Failure};
use crate::io::discover::{Found, discover};

impl Link {
    pub(super) fn begin_discovery(&mut self) {
        if self.discovery.is_some() {
            return;
        }
        self.discover_at = None;
        let (client, path) = (self.client.clone(), self.settings.events_path.clone());
        self.discovery = Some(Box::pin(
            async move { discover(&client, path.as_deref()).await },
        ));
    }

    pub(super) async fn discovered(&mut self, found: Result<Found, Failure>) {
        self.discovery = None;
        let found = match found {
            Ok(found) => found,
            Err(failure) => return self.outlet.tell_polled(Some(failure)).await,
        };
        if found.published.is_none() {
            // The server could not be asked. A guess does not replace what it once said.
            self.discover_wait = (self.discover_wait * 2).clamp(
                self.client.http.waits.pace().min(MAX_COMPARE_WAIT),
                MAX_COMPARE_WAIT,
            );
            self.discover_at = Some(Instant::now() + self.discover_wait);
            if self.is_discovered {
                return;
            }
        } else {
            self.is_discovered = true;
            self.discover_wait = Duration::ZERO;
        }
        if *self.stream.url() != found.url {
            self.stream.set_url(found.url.clone());
            // Only a wait ends; an open stream, or one that is being opened, goes on.
            self.stream.hurry();
        }
        let resend = resend_ability(self.settings.resend_path.as_deref(), &found);
        let schedule = found
            .published
            .and_then(|published| published.retry_schedule);
        self.outlet
            .learn(|abilities| {
                abilities.resend = resend;
                abilities.retry_schedule = schedule.or(abilities.retry_schedule.take());
            })
            .await;
    }
}

/// Whether a message can be resent, by which route: configured, else published.
pub fn resend_ability(configured: Option<&str>, found: &Found) -> Ability {
    match (configured, &found.published) {
        (Some(path), _) => Ability::Offered(path.to_owned()),
        (None, Some(published)) => match &published.resend {
            Some(path) => Ability::Offered(path.clone()),
            None => Ability::Absent(
                "this server publishes no resend route; if it has one, set resend_path in the profile"
                    .to_owned(),
            ),
        },
        (None, None) => Ability::Unknown,
    }
}
