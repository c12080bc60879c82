//! Sends one replay, at most once, and follows it to the attempt that it caused.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use super::client::http::Sent;
use super::client::{Client, FULL_PAGE};
use super::outlet::Outlet;
use crate::domain::{
    Ability, Attempt, AttemptId, AttemptStatus, ChangeKind, EndpointId, Failure, FailureKind,
    MessageId, Origin, ReplayStep, Stage, Trigger,
};

/// The route of a replay by the server's own resend, in a word.
pub const BY_SERVER: &str = "server";
/// How long an attempt is looked for at a quick pace.
pub const FOLLOW: Duration = Duration::from_mins(1);
/// Pages of attempts read for one message.
const MAX_PAGES: usize = 10;

/// A replay to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayOrder {
    /// Unique in this run of the program.
    pub number: u64,
    pub message: MessageId,
    pub endpoint: EndpointId,
}

/// How a followed replay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// Its attempt was seen and has ended, or it was refused.
    Settled,
    /// Nothing was seen; it stays open.
    Open,
}

/// Sends the order and tells each stage. The POST is made at most once, whatever happens.
pub async fn replay(
    client: &Client,
    outlet: &Outlet,
    order: &ReplayOrder,
    follow: Duration,
) -> Followed {
    tracked(client, outlet, order, follow, &TaskTracker::new()).await
}

/// The same, with the POST as a task of its own in `posts`: once begun it goes on if this is
/// dropped, so that whoever ends the program can wait for it.
pub async fn tracked(
    client: &Client,
    outlet: &Outlet,
    order: &ReplayOrder,
    follow: Duration,
    posts: &TaskTracker,
) -> Followed {
    tell(outlet, order, Stage::Planned).await;
    let Ability::Offered(route) = outlet.abilities().resend else {
        let failure = Failure::new(
            FailureKind::NotOffered,
            "this server offers no resend",
            "set resend_path in the profile if it has one",
        );
        tell(outlet, order, Stage::Refused(failure)).await;
        return Followed::Settled;
    };
    let before = match attempts(client, &order.message).await {
        Ok(attempts) => attempts,
        Err(failure) => {
            let what = format!("its attempts could not be read first: {}", failure.what);
            tell(outlet, order, Stage::Refused(Failure { what, ..failure })).await;
            return Followed::Settled;
        }
    };
    let ids: Arc<[AttemptId]> = before
        .iter()
        .filter(|attempt| attempt.endpoint == order.endpoint)
        .map(|attempt| attempt.id.clone())
        .collect();
    let mut told = HashMap::new();
    tell_attempts(outlet, before, &mut told).await;
    let before = ids.clone();
    tell(outlet, order, Stage::Sending { before }).await;
    let posting = posts.spawn(post(client.clone(), outlet.clone(), order.clone(), route));
    match posting.await {
        Ok(Sent::Accepted) => {
            let followed = find(client, outlet, order, &ids, &mut told, follow).await;
            if followed == Followed::Open {
                let why = format!(
                    "accepted, but no attempt was seen in {}s; a disabled endpoint is sent nothing",
                    follow.as_secs()
                );
                tell(outlet, order, Stage::Unknown(why)).await;
            }
            followed
        }
        Ok(Sent::Refused(_)) => Followed::Settled,
        Ok(Sent::Unknown(_)) => find(client, outlet, order, &ids, &mut told, follow).await,
        Err(error) => {
            let why = format!("the request was broken off: {error}");
            tell(outlet, order, Stage::Unknown(why)).await;
            find(client, outlet, order, &ids, &mut told, follow).await
        }
    }
}

async fn tell(outlet: &Outlet, order: &ReplayOrder, stage: Stage) {
    let step = ReplayStep {
        replay: order.number,
        message: order.message.clone(),
        endpoint: order.endpoint.clone(),
        route: BY_SERVER,
        stage,
    };
    outlet
        .tell(Origin::User, ChangeKind::Replay(Box::new(step)))
        .await;
}

/// Makes the POST and tells how it ended.
async fn post(client: Client, outlet: Outlet, order: ReplayOrder, route: String) -> Sent {
    let key = format!("reeltop-{}", uuid::Uuid::new_v4());
    let sent = client
        .resend(&route, &order.message, &order.endpoint, &key)
        .await;
    let stage = match &sent {
        Sent::Accepted => Stage::Accepted,
        Sent::Refused(failure) => Stage::Refused(failure.clone()),
        Sent::Unknown(why) => Stage::Unknown(why.clone()),
    };
    tell(&outlet, &order, stage).await;
    sent
}

/// Looks for a manual attempt that was not there before, at a slowing pace.
async fn find(
    client: &Client,
    outlet: &Outlet,
    order: &ReplayOrder,
    before: &[AttemptId],
    told: &mut HashMap<AttemptId, Attempt>,
    follow: Duration,
) -> Followed {
    // A day is for ever here, and no clock overflows by it.
    let until = Instant::now() + follow.min(Duration::from_hours(24));
    let mut wait = Duration::from_millis(200);
    loop {
        sleep(wait.min(until.saturating_duration_since(Instant::now()))).await;
        wait = (wait * 2).min(Duration::from_secs(2));
        // A look that fails is no answer; the next one may be.
        if let Ok(attempts) = attempts(client, &order.message).await {
            let is_settled = attempts.iter().any(|attempt| {
                attempt.endpoint == order.endpoint
                    && attempt.trigger == Trigger::Manual
                    && !before.contains(&attempt.id)
                    && is_ended(&attempt.status)
            });
            tell_attempts(outlet, attempts, told).await;
            if is_settled {
                return Followed::Settled;
            }
        }
        if Instant::now() >= until {
            return Followed::Open;
        }
    }
}

fn is_ended(status: &AttemptStatus) -> bool {
    matches!(
        status,
        AttemptStatus::Success | AttemptStatus::Fail | AttemptStatus::Canceled
    )
}

/// All attempts of a message, within reason.
pub async fn attempts(client: &Client, message: &MessageId) -> Result<Vec<Attempt>, Failure> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = client
            .attempts_of(message, FULL_PAGE, cursor.as_deref())
            .await?;
        all.extend(page.rows.into_iter().map(|row| row.value));
        if page.is_last || page.next == cursor {
            break;
        }
        cursor = page.next;
    }
    Ok(all)
}

async fn tell_attempts(
    outlet: &Outlet,
    attempts: Vec<Attempt>,
    told: &mut HashMap<AttemptId, Attempt>,
) {
    let mut drafts = Vec::new();
    for attempt in attempts {
        if told.get(&attempt.id) != Some(&attempt) {
            told.insert(attempt.id.clone(), attempt.clone());
            drafts.push(outlet.draft(Origin::Poll, ChangeKind::Attempt(Box::new(attempt))));
        }
    }
    outlet.send(drafts).await;
}
