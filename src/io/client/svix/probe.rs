//! What a Svix server offers, found out without changing anything: every question is a GET.
//!
//! A route that is there answers for an id that is not with the API's own words, and to a GET
//! where it takes a POST alone with 405. One that is not there answers 404 with nothing in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};

use super::{Svix, said};
use crate::domain::{Ability, Failure, OFFERS, Offer};
use crate::wire::svix::is_spoken;

/// An id that nothing has.
const NOTHING: &str = "reeltop-probe";

impl Svix {
    /// Asks for each offer. Fails where the server cannot be asked.
    pub async fn offers(&self) -> Result<BTreeMap<Offer, Ability>, Failure> {
        let mut offers = BTreeMap::new();
        for offer in OFFERS {
            offers.insert(offer, self.offer(offer).await?);
        }
        Ok(offers)
    }

    /// Asks for one.
    pub async fn offer(&self, offer: Offer) -> Result<Ability, Failure> {
        let (rest, takes_post) = route(offer);
        let url = self.http.route(&self.route(rest), &[])?;
        let within = self.http.waits.answer;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self.http.open(&url, &headers, Some(within), true).await;
        let answer = answer.map_err(|failed| said(failed.failure))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = self.http.body(answer, &url, within).await.map_err(said)?;
        let absent = |why: &str| Ability::Absent(format!("this server {why} {}", offer.name()));
        Ok(match status.as_u16() {
            403 => absent("does not let this token use"),
            405 if takes_post => Ability::Offered(words(rest)),
            404 if !is_spoken(&body) => absent("does not offer"),
            // Somebody before the API answers for it: whether there is such a route shows when it
            // is used.
            404 if takes_post => Ability::Unknown,
            405 => absent("does not offer"),
            200..=299 | 400 | 404 | 422 => Ability::Offered(words(rest)),
            _ => {
                let failed = self.http.refusal(status, &headers, &body, &url);
                return Err(said(failed.failure));
            }
        })
    }
}

/// The route of an offer below its application, and whether it takes nothing but a POST.
fn route(offer: Offer) -> (&'static [&'static str], bool) {
    match offer {
        Offer::Destinations => (&["msg", NOTHING, "endpoint"], false),
        Offer::Stats => (&["endpoint", NOTHING, "stats"], false),
        Offer::Headers => (&["endpoint", NOTHING, "headers"], false),
        Offer::Secret => (&["endpoint", NOTHING, "secret"], false),
        Offer::Recover => (&["endpoint", NOTHING, "recover"], true),
        Offer::SendExample => (&["endpoint", NOTHING, "send-example"], true),
        Offer::ReplayMissing => (&["endpoint", NOTHING, "replay-missing"], true),
        Offer::BulkReplay => (&["endpoint", NOTHING, "bulk-replay"], true),
        Offer::Rotate => (&["endpoint", NOTHING, "secret", "rotate"], true),
        Offer::AttemptHeaders => (&["msg", NOTHING, "attempt", NOTHING, "headers"], false),
    }
}

/// The route as people know it.
fn words(rest: &[&str]) -> String {
    let mut words = String::from("Svix: ");
    for (at, segment) in rest.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| rest.get(before));
        let _ = match (*segment, before) {
            (NOTHING, Some(kind)) => write!(words, "/{{{kind}}}"),
            (segment, _) => write!(words, "/{segment}"),
        };
    }
    words
}
