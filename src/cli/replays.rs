//! `reeltop replays`: the ledger of replays, whoever made them, after a look for the attempts of
//! those that are open.

mod giving_up;

use std::collections::{BTreeMap, HashSet};

use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use super::args::{ReplaysArgs, SourceArgs};
use super::list::query;
use super::output::{Outcome, Output, note, usage, when, zone};
use super::reading::say_no_list;
use super::{journal, source};
use crate::app::subject::ReplaySubject;
use crate::domain::{
    Change, ChangeKind, Failure, FailureKind, History, MessageId, Origin, Replay, ReplayState,
    Route,
};
use crate::io::attempts::Attempts;
use crate::io::client::Client;
use crate::io::clock::Clock;
use crate::io::ledger::Ledger;
use crate::wire::normal;

/// Messages of open replays that the service is asked about.
const MAX_ASKED: usize = 50;
/// Messages whose attempts are read at once.
const READS: usize = 8;
/// Letters of a replay's id in a table.
const ID: usize = 8;

/// Lists replays, newest first. 0 if all is known, 3 if a replay's outcome is not. Or gives some up:
/// 0 if they are, 1 if one cannot be or that was declined, 2 if nobody could be asked.
pub async fn run(args: ReplaysArgs, from: SourceArgs) -> Outcome {
    let query = query(args.query.as_deref(), from.utc)?;
    if let Some(what) = ReplaySubject::unanswerable(&query) {
        let why = format!(
            "it asks about {what}, which the ledger of replays does not hold; it holds their states, \
             message:, endpoint:, id: and the code: of what was posted from here"
        );
        return Err(usage("--query", why));
    }
    let source = source::configured(&from)?;
    let ledger = journal::ledger(&source);
    let clock = Clock::new();
    let now = clock.now();
    ledger.wait(move |ledger| ledger.keep(now)).await?;
    let client = (!args.offline).then(|| Client::new(&source)).transpose()?;
    if let Some(ids) = &args.give_up {
        let by = giving_up::By {
            ledger,
            client,
            clock,
        };
        return by.give_up(ids, &query, &args).await;
    }
    if let Some(client) = &client {
        let limit = args.limit;
        let listed = ledger.wait(move |ledger| ledger.list(limit, now)).await?;
        look(&ledger, client, clock, listed, MAX_ASKED).await?;
    }
    // What a query means may be older than the newest; of what it means, the newest are listed.
    let limit = args.limit;
    let read = if query.is_empty() { limit } else { usize::MAX };
    let mut replays = ledger.wait(move |ledger| ledger.list(read, now)).await?;
    replays.retain(|replay| !args.open || replay.state.is_open());
    replays.reverse();
    if !query.is_empty() {
        let history = &endpoints(client.as_ref(), clock).await;
        replays.retain(|replay| query.matches(&ReplaySubject { history, replay }));
        let mut n_ended = 0;
        replays.retain(|replay| {
            n_ended += usize::from(!replay.state.is_open());
            replay.state.is_open() || n_ended <= limit
        });
        if n_ended > limit {
            note(&format!(
                "{} older ones match too; --limit N lists them",
                n_ended - limit
            ));
        }
    }
    let mut out = Output::new();
    if args.json {
        for replay in &replays {
            out.line(&line(replay).to_string())?;
        }
    } else {
        let head = [
            "ID", "PLANNED", "STATE", "MESSAGE", "ENDPOINT", "ROUTE", "ATTEMPT", "BY", "WHY",
        ];
        let zone = zone(from.utc);
        let cells: Vec<_> = replays.iter().map(|replay| cells(replay, zone)).collect();
        out.table(&head, &cells, "no replays")?;
    }
    out.flush()?;
    let is_open = replays.iter().any(|replay| replay.state.is_open());
    Ok(if is_open { 3 } else { 0 })
}

/// Names and URLs of endpoints, which the ledger does not hold, where the service tells them.
async fn endpoints(client: Option<&Client>, clock: Clock) -> History {
    let mut history = History::default();
    let read = match client {
        Some(client) => client.endpoints().await.map(|page| page.rows),
        None => Ok(Vec::new()),
    };
    if let Err(failure) = &read {
        say_no_list(failure, "endpoints are named by their ids");
    }
    for row in read.unwrap_or_default() {
        history.apply(Change {
            seq: 0,
            received: clock.now(),
            origin: Origin::Poll,
            raw: None,
            kind: ChangeKind::Endpoint(Box::new(row.value)),
        });
    }
    history
}

/// Asks the service for the attempts of what is open and was sent, of so many messages at most. What
/// it does not tell is said once, however many it is of. Gives those of which it could not be asked.
async fn look(
    ledger: &Ledger,
    client: &Client,
    clock: Clock,
    listed: Vec<Replay>,
    most: usize,
) -> Result<HashSet<MessageId>, Failure> {
    let mut messages: Vec<MessageId> = Vec::new();
    let mut seen = HashSet::new();
    // The newest first: old ones that never end must not keep the others from being asked about.
    for replay in listed.into_iter().rev() {
        let is_asked = replay.state.is_open()
            && replay.sent.is_some()
            // Of what was posted from here it knows nothing.
            && replay.route != Route::Local;
        if is_asked && messages.len() < most && seen.insert(replay.message.clone()) {
            messages.push(replay.message);
        }
    }
    let mut reading = stream::iter(messages)
        .map(|message| async move {
            let attempts = Attempts::of(client, &message).await;
            (message, attempts)
        })
        .buffered(READS);
    let mut unasked = HashSet::new();
    let mut unknown: BTreeMap<String, Vec<MessageId>> = BTreeMap::new();
    while let Some((message, attempts)) = reading.next().await {
        match attempts {
            Ok(attempts) => {
                if let Some(missing) = attempts.missing() {
                    note(&format!("attempts of {message}: {missing}"));
                }
                let found: Vec<Change> = (attempts.rows.into_iter())
                    .map(|attempt| Change {
                        seq: 0,
                        received: clock.now(),
                        origin: Origin::Poll,
                        raw: None,
                        kind: ChangeKind::Attempt(Box::new(attempt)),
                    })
                    .collect();
                ledger.note(&found);
            }
            Err(failure) => {
                // That it knows no such message is an answer.
                if failure.kind != FailureKind::NotFound {
                    unasked.insert(message.clone());
                }
                let why = failure.to_string();
                unknown.entry(why).or_default().push(message);
            }
        }
    }
    drop(reading);
    for (why, messages) in &unknown {
        let of = match messages.as_slice() {
            [only] => only.to_string(),
            several => format!("{} messages", several.len()),
        };
        note(&format!("what became of {of} is not known: {why}"));
    }
    let now = clock.now();
    ledger.wait(move |ledger| ledger.keep(now)).await?;
    Ok(unasked)
}

/// The line of `reeltop replay --json`, and what only the ledger knows.
fn line(replay: &Replay) -> Value {
    let mut line = normal::replay(replay);
    if let Some(fields) = line.as_object_mut() {
        let candidates = match &replay.state {
            ReplayState::Ambiguous(candidates) => {
                candidates.iter().map(ToString::to_string).collect()
            }
            _ => Vec::new(),
        };
        let by = replay.by.as_ref();
        fields.insert("replay_id".into(), json!(by.map(|who| who.id.to_string())));
        fields.insert("planned".into(), json!(replay.planned.wall.rfc3339()));
        let sent = replay.sent.map(|sent| sent.wall.rfc3339());
        fields.insert("sent".into(), json!(sent));
        fields.insert("candidates".into(), json!(candidates));
        fields.insert("pid".into(), json!(by.map(|who| who.pid)));
        let via = by.map(|who| &*who.via).filter(|via| !via.is_empty());
        fields.insert("via".into(), json!(via));
        fields.insert("host".into(), json!(by.map(|who| who.host.to_string())));
        fields.insert(
            "is_running".into(),
            json!(by.is_some_and(|who| who.is_running)),
        );
    }
    line
}

fn cells(replay: &Replay, zone: i32) -> Vec<String> {
    let attempt = replay.state.attempt().map(ToString::to_string);
    let by = replay.by.as_ref().map(|who| {
        let running = if who.is_running { "" } else { ", ended" };
        let via = match &*who.via {
            "" => String::new(),
            via => format!(" at {via}"),
        };
        format!("pid {}{running}{via}", who.pid)
    });
    let id = replay
        .by
        .as_ref()
        .map(|who| who.id.chars().take(ID).collect());
    vec![
        id.unwrap_or_default(),
        when(replay.planned.wall, zone),
        replay.state.name().to_owned(),
        replay.message.to_string(),
        replay.endpoint.to_string(),
        replay.route.name().to_owned(),
        attempt.unwrap_or_default(),
        by.unwrap_or_default(),
        replay.reason().unwrap_or_default(),
    ]
}
