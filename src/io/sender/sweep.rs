//! Svix's recover, replay-missing and bulk-replay: one request for many messages at an endpoint.
//! The service chooses what it sends and tells nothing of it, so that each message that it is known
//! to take stands in the ledger as a replay of its own, and is followed as one.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use super::{Followed, Posts, ReplayOrder, Written};
use super::{endpoint_objection, find, tell, tell_all, tell_attempts};
use crate::domain::bulk::{Sweep, Takes};
use crate::domain::{Attempt, AttemptId, Before, Failure, FailureKind, Stage};
use crate::io::attempts::Attempts;
use crate::io::client::Client;
use crate::io::client::http::NotDone;
use crate::io::outlet::Outlet;

/// Why nothing was asked for.
const ENDED: &str = "reeltop was ended before the request was made";
const NOT_ALL: &str =
    "another message could not be written down; what is said of that one tells why";
/// Messages whose attempts are read at once.
const READS: usize = 8;

/// One of the messages, with the attempts that were there before.
struct Known {
    written: Written,
    before: Before,
    told: HashMap<AttemptId, Attempt>,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    /// The service asks to be left alone for some time (429): nothing was done, and each stands there
    /// as refused.
    PutOff,
    /// Anything else: it is not asked for again by itself.
    Over,
}

/// Asks for it once and follows what is known of it. Nothing is asked for unless every one of them
/// could be written down.
pub async fn sweep(
    client: &Client,
    outlet: &Outlet,
    asked: &Sweep,
    orders: Vec<ReplayOrder>,
    follow: Duration,
    posts: &Posts,
) -> Swept {
    let known = match write_down(client, outlet, &asked.takes, orders).await {
        Ok(known) if known.is_empty() => return Swept::Over,
        Ok(known) => known,
        Err(swept) => return swept,
    };
    // The last look at what all of them share. A message that a newer one of its task has superseded
    // meanwhile does not end it: none can be left out, and those that were superseded before are
    // told of in the plan and sent too.
    let abilities = outlet.abilities();
    let look = endpoint_objection(client, &abilities, &asked.endpoint);
    if let Some(why) = Box::pin(look).await {
        let rows: Vec<&Written> = known.iter().map(|one| &one.written).collect();
        Written::note_all(&rows, &[Stage::Cancelled(why)]).await;
        return Swept::Over;
    }
    let rows = known
        .iter()
        .map(|one| (one.written.clone(), one.before.clone()));
    let asking = ask(client.clone(), asked.clone(), rows.collect(), posts.clone());
    let begun = match posts.tracker.spawn(asking).await {
        Ok(Stage::Accepted) => format!("the {} was accepted", asked.takes.offer().name()),
        Ok(Stage::Unknown(why)) => why,
        Ok(Stage::Refused(why)) => return swept(&why),
        Ok(_) => return Swept::Over,
        Err(error) => format!("it was broken off: {error}"),
    };
    let until = Instant::now() + follow.min(Duration::from_hours(24));
    let mut following = stream::iter(known)
        .map(|one| follow_one(client, one, &begun, until, follow))
        .buffer_unordered(READS);
    while following.next().await.is_some() {}
    Swept::Over
}

fn swept(refusal: &Failure) -> Swept {
    match refusal.kind {
        FailureKind::RateLimited => Swept::PutOff,
        _ => Swept::Over,
    }
}

/// Writes all of them down as being sent, at once, makes the one request and tells how it ended; a
/// task of its own, as the request goes on where whoever asked is dropped. What was not begun when
/// the program ends, or could not be written down, is not asked for any more.
async fn ask(client: Client, asked: Sweep, rows: Vec<(Written, Before)>, posts: Posts) -> Stage {
    let stop = posts.stop;
    let unbegun = posts.unbegun.token();
    let all: Vec<&Written> = rows.iter().map(|(written, _)| written).collect();
    let note = async |stage: Stage| {
        Written::note_all(&all, std::slice::from_ref(&stage)).await;
        stage
    };
    if !stop.is_cancelled() {
        let sending = rows.iter().map(|(written, before)| {
            let before = before.clone();
            (written, Stage::Sending { before })
        });
        if let Err(failure) = Written::step_all(sending.collect()).await {
            return note(Stage::Refused(failure)).await;
        }
    }
    if stop.is_cancelled() {
        return note(Stage::Cancelled(ENDED.to_owned())).await;
    }
    drop(unbegun);
    let begun = match (&client.svix, rows.first()) {
        (Some(svix), Some((first, _))) => svix.sweep(&asked, &first.id).await,
        _ => Err(NotDone::Refused(not_offered(&asked.takes))),
    };
    let stage = match begun {
        Ok(_) => Stage::Accepted,
        Err(NotDone::Refused(failure)) => Stage::Refused(failure),
        Err(NotDone::Unknown(why)) => Stage::Unknown(why),
    };
    note(stage).await
}

/// Where there is no Svix to ask.
pub fn not_offered(takes: &Takes) -> Failure {
    let name = takes.offer().name();
    Failure::new(
        FailureKind::NotOffered,
        format!("{name} is a route of Svix, and deliveries are not read from a Svix server here"),
        "name one with --svix-url and --svix-app, or replay by another route",
    )
}

async fn follow_one(client: &Client, one: Known, begun: &str, until: Instant, follow: Duration) {
    let Known {
        written,
        before,
        mut told,
    } = one;
    let left = until.saturating_duration_since(Instant::now());
    let (followed, silence) = find(client, &written, &before, &mut told, left).await;
    let why = match silence {
        _ if followed != Followed::Open => None,
        Some(silence) => Some(format!("{begun}, but {silence}")),
        None => Some(format!(
            "{begun}, but no attempt of this one was seen in {}s; the service may still come to it",
            follow.as_secs()
        )),
    };
    written.note_end(why).await;
}

/// Writes every order down as planned, and reads the attempts that are there; what was delivered
/// meanwhile is taken back. Where one cannot be written, none is; where one cannot be read, all are
/// taken back, or put off with it; and the reason is told.
async fn write_down(
    client: &Client,
    outlet: &Outlet,
    takes: &Takes,
    orders: Vec<ReplayOrder>,
) -> Result<Vec<Known>, Swept> {
    let written = match Written::new_all(outlet, &orders).await {
        Ok(written) => written,
        // None of them stands anywhere.
        Err((at, stage)) => {
            for (order, nth) in orders.iter().zip(0..) {
                let stage = match at {
                    Some(at) if at != nth => Stage::Cancelled(NOT_ALL.to_owned()),
                    _ => stage.clone(),
                };
                tell(outlet, order, stage).await;
            }
            return Err(Swept::Over);
        }
    };
    tell_all(outlet, &orders, &Stage::Planned).await;
    let mut read = stream::iter(written.clone())
        .map(|one| async move {
            let attempts = Attempts::of(client, &one.order.message).await;
            (one, attempts)
        })
        .buffer_unordered(READS);
    let mut known = Vec::new();
    while let Some((one, attempts)) = read.next().await {
        let failure = match attempts {
            Ok(attempts) => {
                known.extend(still_taken(outlet, takes, one, attempts).await);
                continue;
            }
            Err(failure) => failure,
        };
        let what = format!("its attempts could not be read first: {}", failure.what);
        let failure = Failure { what, ..failure };
        one.note(Stage::Refused(failure.clone())).await;
        take_back(&written, &failure).await;
        return Err(swept(&failure));
    }
    Ok(known)
}

/// One of the messages with its attempts, unless one of these tells that the service sends it no
/// more, so that there would be nothing to follow: what was delivered since it was planned, where
/// only what failed is sent, and what was tried, where only what never was is.
async fn still_taken(
    outlet: &Outlet,
    takes: &Takes,
    written: Written,
    attempts: Attempts,
) -> Option<Known> {
    let order = &written.order;
    let rows = attempts.rows.iter();
    let at_endpoint = || (rows.clone()).filter(|attempt| attempt.endpoint == order.endpoint);
    let before = Before {
        ids: at_endpoint().map(|attempt| attempt.id.clone()).collect(),
        is_whole: attempts.is_whole(),
    };
    let delivered = order.grounds.refuted(at_endpoint());
    let delivered = delivered.filter(|_| takes.spares_delivered());
    let tried = at_endpoint().next().filter(|_| *takes == Takes::Missing);
    let why = match (delivered, tried) {
        (Some(attempt), _) => Some(format!("delivered meanwhile, by attempt {}", attempt.id)),
        (None, Some(attempt)) => Some(format!("tried meanwhile, by attempt {}", attempt.id)),
        (None, None) => None,
    };
    let mut told = HashMap::new();
    tell_attempts(outlet, attempts, &mut told).await;
    if let Some(why) = why {
        written.note(Stage::Cancelled(why)).await;
        return None;
    }
    Some(Known {
        written,
        before,
        told,
    })
}

/// Nothing was asked for, for this reason of one of them: what is not over yet is taken back, or put
/// off where that one is.
async fn take_back(written: &[Written], why: &Failure) {
    let all: Vec<&Written> = written.iter().collect();
    let stage = match swept(why) {
        Swept::PutOff => Stage::Refused(Failure {
            what: format!("another of them was put off: {}", why.what),
            ..why.clone()
        }),
        Swept::Over => Stage::Cancelled(NOT_ALL.to_owned()),
    };
    Written::note_all(&all, &[stage]).await;
}
