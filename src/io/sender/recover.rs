//! Svix's recover: one request for everything that failed at an endpoint since a time. The service
//! chooses what it sends and tells nothing of it, so that each message that is known to have failed
//! there stands in the ledger as a replay of its own, and is followed as one.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use super::{Followed, ReplayOrder, Written, find, tell, tell_attempts};
use crate::domain::{Attempt, AttemptId, Before, EndpointId, Failure, FailureKind, Stage, Time};
use crate::io::attempts::Attempts;
use crate::io::client::Client;
use crate::io::client::http::NotDone;
use crate::io::outlet::Outlet;

/// Messages whose attempts are read at once.
const READS: usize = 8;

/// One of the messages, with the attempts that were there before.
struct Known {
    written: Written,
    before: Before,
    told: HashMap<AttemptId, Attempt>,
}

/// Asks for the recovery once and follows what is known of it. Nothing is asked for unless every
/// one of them could be written down.
pub async fn recover(
    client: &Client,
    outlet: &Outlet,
    endpoint: &EndpointId,
    orders: Vec<ReplayOrder>,
    since: Time,
    follow: Duration,
) {
    let Some(known) = write_down(client, outlet, orders).await else {
        return;
    };
    let Some(key) = known.first().map(|first| first.written.id.clone()) else {
        return;
    };
    let begun = match &client.svix {
        Some(svix) => svix.recover(endpoint, since, None, &key).await.map(|_| ()),
        None => Err(NotDone::Refused(not_offered())),
    };
    let stage = match begun {
        Ok(()) => Stage::Accepted,
        Err(NotDone::Refused(failure)) => Stage::Refused(failure),
        Err(NotDone::Unknown(why)) => Stage::Unknown(why),
    };
    for one in &known {
        one.written.note(stage.clone()).await;
    }
    if matches!(stage, Stage::Refused(_)) {
        return;
    }
    let begun = match stage {
        Stage::Unknown(why) => why,
        _ => "the recovery was accepted".to_owned(),
    };
    let until = Instant::now() + follow.min(Duration::from_hours(24));
    let mut following = stream::iter(known)
        .map(|one| follow_one(client, one, &begun, until, follow))
        .buffer_unordered(READS);
    while following.next().await.is_some() {}
}

/// Where there is no Svix to ask.
pub fn not_offered() -> Failure {
    Failure::new(
        FailureKind::NotOffered,
        "recover is a route of Svix, and deliveries are not read from a Svix server here",
        "name one with --svix-url and --svix-app, or leave --recover away",
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
    if followed == Followed::Open {
        let why = match silence {
            Some(silence) => format!("{begun}, but {silence}"),
            None => format!(
                "{begun}, but no attempt of this one was seen in {}s; the service may still come \
                 to it",
                follow.as_secs()
            ),
        };
        written.note(Stage::Unknown(why)).await;
    }
}

/// Writes every order down, first as planned, then with the attempts that are there as about to be
/// sent. Where one cannot be, all are taken back, and the reason is told.
async fn write_down(
    client: &Client,
    outlet: &Outlet,
    orders: Vec<ReplayOrder>,
) -> Option<Vec<Known>> {
    let mut written: Vec<Written> = Vec::new();
    for order in orders {
        match Written::new(outlet, &order).await {
            Ok(one) => {
                tell(outlet, &order, Stage::Planned).await;
                written.push(one);
            }
            Err(failure) => {
                tell(outlet, &order, Stage::Refused(failure)).await;
                take_back(&written).await;
                return None;
            }
        }
    }
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
                let endpoint = &one.order.endpoint;
                let before = Before {
                    ids: (attempts.rows.iter())
                        .filter(|attempt| attempt.endpoint == *endpoint)
                        .map(|attempt| attempt.id.clone())
                        .collect(),
                    is_whole: attempts.is_whole(),
                };
                let mut told = HashMap::new();
                tell_attempts(outlet, attempts, &mut told).await;
                known.push(Known {
                    written: one,
                    before,
                    told,
                });
                continue;
            }
            Err(failure) => failure,
        };
        let what = format!("its attempts could not be read first: {}", failure.what);
        one.note(Stage::Refused(Failure { what, ..failure })).await;
        take_back(&written).await;
        return None;
    }
    for one in &known {
        let before = one.before.clone();
        if let Err(failure) = one.written.step(Stage::Sending { before }).await {
            one.written.note(Stage::Refused(failure)).await;
            take_back(&written).await;
            return None;
        }
    }
    Some(known)
}

/// Nothing was asked for: what is not over yet is refused.
async fn take_back(written: &[Written]) {
    for one in written {
        let failure = Failure::new(
            FailureKind::Local,
            "nothing was recovered, as another message could not be written down",
            "what is said of that one tells why",
        );
        one.note(Stage::Refused(failure)).await;
    }
}
