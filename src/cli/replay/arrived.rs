//! What is known to have arrived at a URL already, as a warning before it is posted there again.

use std::collections::HashMap;

use reqwest::Url;

use crate::cli::args::SourceArgs;
use crate::cli::output::{Stop, note};
use crate::cli::reading::{is_unlisted, unlisted_words};
use crate::cli::source;
use crate::domain::time::duration_words;
use crate::domain::{
    Attempt, AttemptStatus, EndpointId, FailureKind, MessageId, Replay, Route, Time,
};
use crate::io::Clock;
use crate::io::client::{Client, FULL_PAGE};
use crate::io::here::is_one_receiver;
use crate::io::ledger::Ledger;

/// Warnings, by message.
pub type Warnings = HashMap<MessageId, Vec<String>>;

/// What to know of each message before it is posted to a URL: whether it was posted there from here
/// and taken, and whether the service delivered it to an endpoint there. Without a service the
/// ledger alone is asked; one that does not answer is named and keeps nothing from being sent.
pub(super) async fn warnings(
    ledger: &Ledger,
    messages: &[MessageId],
    url: &Url,
    from: &SourceArgs,
) -> Result<Warnings, Stop> {
    let mut found = Warnings::new();
    let now = Clock::new().now();
    let client = source::client(from).ok().map(|(_, client)| client);
    let mut places = None;
    for message in messages {
        let asked = message.clone();
        let known = ledger
            .wait(move |ledger| ledger.of_message(&asked, now))
            .await?;
        let posted: Vec<&Replay> = known
            .iter()
            .filter(|replay| replay.route == Route::Local && replay.state.was_sent())
            .collect();
        // Where an endpoint leads that was posted to, the service tells.
        if places.is_none() && posted.iter().any(|replay| replay.url().is_none()) {
            places = Some(urls(client.as_ref()).await);
        }
        let is_there = |replay: &&&Replay| {
            let place = places
                .as_ref()
                .and_then(|places| places.get(&replay.endpoint));
            let to = replay.url().or_else(|| place.cloned());
            to.is_some_and(|to| is_one_receiver(&to, url.as_str()))
        };
        if let Some(replay) = posted.iter().rev().find(is_there) {
            let words = posted_words(replay, now.wall);
            found.entry(message.clone()).or_default().push(words);
        }
    }
    let Some(client) = client else {
        return Ok(found);
    };
    for message in messages {
        let attempts = match client.attempts_of(message, FULL_PAGE, None).await {
            Ok(page) => page.rows,
            // What was captured may be of another service.
            Err(failure) if failure.kind == FailureKind::NotFound => continue,
            Err(failure) => {
                note(&format!(
                    "whether the service delivered it to this URL is not known: {}",
                    failure.what
                ));
                break;
            }
        };
        let mut attempts = attempts.into_iter().map(|row| row.value);
        if let Some(attempt) = attempts.find(|attempt| is_delivered(attempt, url)) {
            let what = format!("delivered there by the service, to {},", attempt.endpoint);
            let ahead = client.deliveries_ahead().unwrap_or(0);
            let words = already(&what, attempt.started, now.wall.plus(ahead));
            found.entry(attempt.message).or_default().push(words);
        }
    }
    Ok(found)
}

/// Whether an attempt succeeded at the receiver with this URL. It tells where it was sent, whatever
/// the endpoint's address is now.
fn is_delivered(attempt: &Attempt, url: &Url) -> bool {
    attempt.status == AttemptStatus::Success && is_one_receiver(&attempt.url, url.as_str())
}

/// What follows where not all addresses are known.
const MEANS: &str =
    "so that what was posted from here to an endpoint may have gone to this URL without a warning";

/// Where the endpoints of the service lead, as far as it tells.
async fn urls(client: Option<&Client>) -> HashMap<EndpointId, String> {
    let Some(client) = client else {
        return HashMap::new();
    };
    let page = match client.endpoints().await {
        Ok(page) => page,
        Err(failure) => {
            let why = if is_unlisted(&failure) {
                unlisted_words(&failure)
            } else {
                format!("the list of endpoints cannot be read: {failure}")
            };
            note(&format!("{why}; {MEANS}"));
            return HashMap::new();
        }
    };
    if !page.is_last || !page.unreadable.is_empty() {
        note(&format!("not all endpoints could be read; {MEANS}"));
    }
    let endpoints = page.rows.into_iter().map(|row| row.value);
    endpoints.map(|it| (it.id, it.url.to_string())).collect()
}

/// What became of a message that was posted there, and how long ago.
fn posted_words(replay: &Replay, now: Time) -> String {
    if replay.state.name() == "delivered" {
        return already("posted there", replay.since.wall, now);
    }
    let ago = duration_words(now.since(replay.since.wall));
    let how = replay.words();
    format!("posted there {ago} ago: {how}; the receiver may see it again")
}

fn already(what: &str, at: Time, now: Time) -> String {
    let ago = duration_words(now.since(at));
    format!("already {what} {ago} ago; the receiver will see it again")
}
