//! What is known to have arrived at a URL already, as a warning before it is posted there again.

use std::collections::HashMap;

use reqwest::Url;

use crate::cli::args::SourceArgs;
use crate::cli::output::{Stop, note};
use crate::cli::source;
use crate::domain::time::duration_words;
use crate::domain::{
    Attempt, AttemptStatus, EndpointId, FailureKind, MessageId, Replay, Time, masked_url,
};
use crate::io::Clock;
use crate::io::client::FULL_PAGE;
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
    let place = EndpointId::new(&masked_url(url.as_str()));
    for message in messages {
        let pair = (message.clone(), place.clone());
        let posted = ledger
            .wait(move |ledger| ledger.of_pair(&pair, now))
            .await?;
        if let Some(replay) = posted.iter().rev().find(|replay| is_taken(replay)) {
            let words = already("posted there", replay.since.wall, now.wall);
            found.entry(message.clone()).or_default().push(words);
        }
    }
    let Ok((_, client)) = source::client(from) else {
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
            let words = already(&what, attempt.started, now.wall);
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

fn is_taken(replay: &Replay) -> bool {
    replay.state.name() == "delivered"
}

fn already(what: &str, at: Time, now: Time) -> String {
    let ago = duration_words(now.since(at));
    format!("already {what} {ago} ago; the receiver will see it again")
}
