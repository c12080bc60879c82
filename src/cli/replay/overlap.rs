//! A URL that is posted to may be that of an endpoint which a replay by the service is still on its
//! way to: the receiver would get the message twice.

use reqwest::Url;

use crate::cli::args::SourceArgs;
use crate::cli::output::{Stop, note};
use crate::cli::source;
use crate::domain::{Endpoint, Failure, FailureKind, MessageId, Replay};
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
    let is_there = |endpoint: &Endpoint| {
        Url::parse(&endpoint.url).is_ok_and(|known| is_one_receiver(&known, url))
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

/// Whether both URLs lead to one receiver. A fragment is never sent, and a query or a user's name
/// rarely makes another receiver of it: a needless refusal costs less than a second delivery.
pub(super) fn is_one_receiver(one: &Url, other: &Url) -> bool {
    let place = |url: &Url| {
        (
            url.scheme().to_owned(),
            url.host_str().map(str::to_owned),
            url.port_or_known_default(),
            url.path().to_owned(),
        )
    };
    place(one) == place(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_receiver_is_known_by_scheme_host_port_and_path() {
        let endpoint = "https://hooks.example:443/a";
        for (to, is_one) in [
            ("https://HOOKS.example/a", true),
            ("https://hooks.example/a#part", true),
            ("https://hooks.example/a?debug=1", true),
            ("https://me@hooks.example/a", true),
            ("https://hooks.example/b", false),
            ("https://hooks.example:8443/a", false),
            ("http://hooks.example/a", false),
            ("https://other.example/a", false),
        ] {
            let urls = Url::parse(endpoint).ok().zip(Url::parse(to).ok());
            let found = urls.map(|(one, other)| is_one_receiver(&one, &other));
            assert_eq!(found, Some(is_one), "{to}");
        }
    }
}
