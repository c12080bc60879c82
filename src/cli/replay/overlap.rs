//! A URL that is posted to may be that of an endpoint which a replay by the service is still on its
//! way to: the receiver would get the message twice.

use reqwest::Url;

use crate::cli::args::SourceArgs;
use crate::cli::output::{Stop, note};
use crate::cli::source;
use crate::domain::{Endpoint, Failure, FailureKind, MessageId, Replay, masked_url};
use crate::io::Clock;
use crate::io::ledger::Ledger;

/// Fails where a replay of one of these messages is open at an endpoint with this URL. Without a
/// service nobody knows of endpoints, and there is nothing to look for.
pub(super) async fn refuse(
    ledger: &Ledger,
    messages: &[MessageId],
    url: &Url,
    from: &SourceArgs,
) -> Result<(), Stop> {
    let now = Clock::new().now();
    let open = ledger.wait(move |ledger| ledger.keep(now)).await?;
    // What was posted to a URL is the ledger's own pair, which takes one at a time.
    let may_arrive = |replay: &&Replay| {
        replay.state.is_open() && replay.url().is_none() && messages.contains(&replay.message)
    };
    let open: Vec<&Replay> = open.iter().filter(may_arrive).collect();
    if open.is_empty() {
        return Ok(());
    }
    let Ok((_, client)) = source::client(from) else {
        return Ok(());
    };
    let endpoints = match client.endpoints().await {
        Ok(page) => page.rows,
        Err(failure) => {
            note(&format!(
                "a replay of {} is open, and whether its endpoint is at this URL is not known: {}",
                open[0].message, failure.what
            ));
            return Ok(());
        }
    };
    // Secrets of the listed ones are masked.
    let url = masked_url(url.as_str());
    let is_there = |endpoint: &Endpoint| {
        let known = Url::parse(&endpoint.url);
        known.is_ok_and(|known| masked_url(known.as_str()) == url)
    };
    for replay in open {
        let mut rows = endpoints.iter().map(|row| &row.value);
        if rows.any(|endpoint| endpoint.id == replay.endpoint && is_there(endpoint)) {
            let what = format!(
                "{} may still arrive there: this URL is that of {}, and {}",
                replay.message,
                replay.endpoint,
                replay.open_words()
            );
            let hint = "reeltop replays lists it, and --give-up closes it";
            return Err(Failure::new(FailureKind::Local, what, hint).into());
        }
    }
    Ok(())
}
