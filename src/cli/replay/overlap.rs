//! A URL that is posted to may be that of an endpoint which a replay by the service is still on its
//! way to: the receiver would get the message twice.

use std::collections::{HashMap, HashSet};

use reqwest::Url;

use crate::cli::args::{ReplayArgs, SourceArgs};
use crate::cli::output::{Stop, note};
use crate::cli::prompt::confirmed;
use crate::cli::source;
use crate::domain::{
    EndpointId, Failure, FailureKind, MessageId, Replay, ReplayState, Replays, Stage, masked_url,
};
use crate::io::Clock;
use crate::io::attempts::Attempts;
use crate::io::client::Client;
use crate::io::here::is_one_receiver;
use crate::io::ledger::{Ledger, Pair};
use crate::io::post::Poster;
use crate::io::receiver::Receiver;
use crate::io::sender::kept_words;

/// The receiver with this URL. Fails where a replay of one of these messages is open that may still
/// arrive there; where that is not known, it is said, and confirmed. What begins later the ledger
/// keeps from it as it takes the post.
pub(super) async fn receiver(
    ledger: &Ledger,
    messages: &[MessageId],
    url: &Url,
    args: &ReplayArgs,
    from: &SourceArgs,
) -> Result<Receiver, Stop> {
    let now = Clock::new().now();
    let open = ledger.wait(move |ledger| {
        ledger.keep(now)?;
        ledger.list(0, now)
    });
    let open = open.await?;
    let is_meant = |replay: &&Replay| replay.state.is_open() && messages.contains(&replay.message);
    let (posted, by_service): (Vec<&Replay>, Vec<&Replay>) = open
        .iter()
        .filter(is_meant)
        .partition(|replay| replay.url().is_some());
    let own = masked_url(url.as_str());
    let is_there = |known: &str| is_one_receiver(known, url.as_str());
    for replay in posted {
        // The very same is the ledger's own pair, which takes one at a time.
        if replay.url().is_some_and(|to| to != own && is_there(&to)) {
            return Err(refusal(replay));
        }
    }
    let mut elsewhere = HashSet::new();
    let (places, why) = places(&by_service, from).await;
    for replay in by_service {
        let urls = places.get(&replay.endpoint);
        let mut known = urls.into_iter().flatten();
        if known.any(|known| is_there(known)) {
            return Err(refusal(replay));
        }
        if urls.is_none_or(Vec::is_empty) || why.is_some() {
            accept(replay, why.as_deref(), args).await?;
        }
        elsewhere.insert(replay.endpoint.clone());
    }
    Ok(Receiver::beside(url.clone(), elsewhere))
}

/// What would become of each message at once, by what the ledger and read-only mode refuse what is
/// posted. Cancelled is what another replay keeps back whose outcome is not known.
pub(super) async fn stages(
    ledger: &Ledger,
    poster: &Poster,
    ids: &[MessageId],
    receiver: &Receiver,
    at: &EndpointId,
) -> Result<Vec<Stage>, Failure> {
    if let Err(refusal) = poster.gate() {
        return Ok(vec![Stage::Refused(refusal); ids.len()]);
    }
    let mut stages = Vec::new();
    for id in ids {
        let pair = (id.clone(), at.clone());
        let rival = rival(ledger, &pair, receiver).await?;
        stages.push(match rival {
            Some(open) => Stage::Cancelled(kept_words(&open, &pair.1)),
            None => Stage::Planned,
        });
    }
    Ok(stages)
}

async fn rival(
    ledger: &Ledger,
    pair: &Pair,
    receiver: &Receiver,
) -> Result<Option<Replay>, Failure> {
    let (pair, receiver) = (pair.clone(), receiver.clone());
    let now = Clock::new().now();
    let rival = ledger.wait(move |ledger| ledger.rival(&pair, &receiver, now));
    rival.await
}

/// Whether a replay whose outcome is not known kept one of these from being posted.
pub(super) async fn is_held_back(
    ledger: &Ledger,
    replays: &Replays,
    receiver: &Receiver,
) -> Result<bool, Failure> {
    let is_cancelled = |replay: &&Replay| matches!(replay.state, ReplayState::Cancelled(_));
    for replay in replays.all().filter(is_cancelled) {
        let pair = (replay.message.clone(), replay.endpoint.clone());
        if rival(ledger, &pair, receiver).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn refusal(replay: &Replay) -> Stop {
    let what = format!(
        "{} may still arrive there: this URL is that of {}, and {}",
        replay.message,
        replay.endpoint,
        replay.open_words()
    );
    let hint = replay.closing_hint();
    Stop::Unclear(Failure::new(FailureKind::Local, what, hint))
}

/// Has it confirmed that a replay whose URL is not known does not lead there.
async fn accept(replay: &Replay, why: Option<&str>, args: &ReplayArgs) -> Result<(), Stop> {
    let (message, endpoint) = (&replay.message, &replay.endpoint);
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    note(&format!(
        "warning: {message} may still arrive at {endpoint}, as {}; whether {endpoint} has this URL \
         is not known{why}; if it has, its receiver gets {message} twice",
        replay.open_words()
    ));
    if args.yes || args.dry_run {
        return Ok(());
    }
    let question = format!("Post {message} all the same?");
    confirmed(&question).await?.or_stop("nothing was sent")
}

/// The URLs that lead to the endpoints of these replays: as the service lists them, and as attempts
/// tell that went there, of an endpoint that was deleted or moved too. And why these may not be all,
/// where that is so.
async fn places(
    open: &[&Replay],
    from: &SourceArgs,
) -> (HashMap<EndpointId, Vec<String>>, Option<String>) {
    let mut places: HashMap<EndpointId, Vec<String>> = HashMap::new();
    if open.is_empty() {
        return (places, None);
    }
    let Ok((_, client)) = source::client(from) else {
        return (places, Some("no service is configured".to_owned()));
    };
    let mut why = None;
    match client.endpoints().await {
        Ok(page) => {
            for endpoint in page.rows.into_iter().map(|row| row.value) {
                let urls = places.entry(endpoint.id).or_default();
                urls.extend((!endpoint.url.is_empty()).then(|| endpoint.url.to_string()));
            }
        }
        Err(failure) => why = Some(failure.what),
    }
    for replay in open {
        let known = places.entry(replay.endpoint.clone()).or_default();
        known.extend(attempted(&client, replay).await);
    }
    (places, why)
}

/// Where attempts of its message went at its endpoint.
async fn attempted(client: &Client, replay: &Replay) -> Vec<String> {
    let Ok(attempts) = Attempts::of(client, &replay.message).await else {
        return Vec::new();
    };
    let rows = attempts.rows.into_iter();
    rows.filter(|attempt| attempt.endpoint == replay.endpoint && !attempt.url.is_empty())
        .map(|attempt| attempt.url.to_string())
        .collect()
}
