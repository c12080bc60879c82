//! A URL that is posted to may be that of an endpoint which a replay by the service is still on its
//! way to: the receiver would get the message twice.

use reqwest::Url;

use crate::cli::args::SourceArgs;
use crate::cli::output::{Stop, note};
use crate::cli::source;
use crate::domain::{Endpoint, Failure, FailureKind, MessageId, Replay, Route};
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
    let may_arrive = |replay: &&Replay| {
        replay.state.is_open() && replay.route != Route::Local && messages.contains(&replay.message)
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
    let is_there = |endpoint: &Endpoint| Url::parse(&endpoint.url).is_ok_and(|known| known == *url);
    for replay in open {
        let mut rows = endpoints.iter().map(|row| &row.value);
        if rows.any(|endpoint| endpoint.id == replay.endpoint && is_there(endpoint)) {
            let what = format!(
                "{} may still arrive there by the service: this URL is that of {}, and {}",
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
