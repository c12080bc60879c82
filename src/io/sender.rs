//! Sends one replay, at most once, and follows it to the attempt that it caused.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use super::attempts::Attempts;
use super::client::Client;
use super::client::http::Sent;
use super::outlet::Outlet;
use crate::domain::bulk::FOLLOWED;
use crate::domain::{
    Ability, Attempt, AttemptId, AttemptStatus, Before, ChangeKind, EndpointId, Failure,
    FailureKind, MessageId, Origin, ReplayStep, Route, Stage, Trigger,
};

/// How long an attempt is looked for at a quick pace.
pub const FOLLOW: Duration = Duration::from_micros(FOLLOWED.unsigned_abs());

/// A replay to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayOrder {
    /// Unique in this run of the program.
    pub number: u64,
    pub message: MessageId,
    pub endpoint: EndpointId,
    pub route: Route,
}

/// A replay that stands in the ledger, which is told of each of its stages before anybody else.
#[derive(Clone)]
struct Written {
    outlet: Outlet,
    order: ReplayOrder,
    id: Arc<str>,
}

impl Written {
    /// Writes the order into the ledger; nothing may be sent if that fails.
    async fn new(outlet: &Outlet, order: &ReplayOrder) -> Result<Self, Failure> {
        let now = outlet.clock().now();
        let (number, route) = (order.number, order.route);
        let pair = (order.message.clone(), order.endpoint.clone());
        let id = outlet
            .ledger()
            .wait(move |ledger| ledger.plan(number, &pair, route, now))
            .await?;
        Ok(Self {
            outlet: outlet.clone(),
            order: order.clone(),
            id,
        })
    }

    /// Writes a stage down, then tells it. Fails if it could not be written.
    async fn step(&self, stage: Stage) -> Result<(), Failure> {
        let now = self.outlet.clock().now();
        let (id, written) = (self.id.clone(), stage.clone());
        let ledger = self.outlet.ledger();
        ledger
            .wait(move |ledger| ledger.step(&id, &written, now))
            .await?;
        tell(&self.outlet, &self.order, stage).await;
        Ok(())
    }

    /// Writes down how it stands now. Where that fails, the ledger goes on holding it open, as
    /// nobody else may send it then; it is told all the same.
    async fn note(&self, stage: Stage) {
        if let Err(failure) = self.step(stage.clone()).await {
            tracing::warn!("{failure}");
            tell(&self.outlet, &self.order, stage).await;
        }
    }
}

/// How a followed replay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// Its attempt was seen and delivered it.
    Delivered,
    /// Its attempt was seen and failed, or it was refused.
    Failed,
    /// Attempts were seen of which none is certainly its own.
    Unclear,
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
    let written = match Written::new(outlet, order).await {
        Ok(written) => written,
        Err(failure) => {
            tell(outlet, order, Stage::Refused(failure)).await;
            return Followed::Failed;
        }
    };
    tell(outlet, order, Stage::Planned).await;
    let Ability::Offered(route) = outlet.abilities().resend else {
        let failure = Failure::new(
            FailureKind::NotOffered,
            "this server offers no resend",
            "set resend_path in the profile if it has one",
        );
        written.note(Stage::Refused(failure)).await;
        return Followed::Failed;
    };
    let before = match Attempts::of(client, &order.message).await {
        Ok(attempts) => attempts,
        Err(failure) => {
            let what = format!("its attempts could not be read first: {}", failure.what);
            let refused = Stage::Refused(Failure { what, ..failure });
            written.note(refused).await;
            return Followed::Failed;
        }
    };
    let mut told = HashMap::new();
    let there = Before {
        ids: (before.rows.iter())
            .filter(|attempt| attempt.endpoint == order.endpoint)
            .map(|attempt| attempt.id.clone())
            .collect(),
        is_whole: before.is_whole(),
    };
    tell_attempts(outlet, before, &mut told).await;
    let before = there.clone();
    if let Err(failure) = written.step(Stage::Sending { before }).await {
        written.note(Stage::Refused(failure)).await;
        return Followed::Failed;
    }
    let posting = posts.spawn(post(client.clone(), written.clone(), route));
    match posting.await {
        Ok(Sent::Accepted) => {
            let followed = find(client, outlet, order, &there, &mut told, follow).await;
            if followed == Followed::Open {
                let why = format!(
                    "accepted, but no attempt was seen in {}s; a disabled endpoint is sent nothing",
                    follow.as_secs()
                );
                written.note(Stage::Unknown(why)).await;
            }
            followed
        }
        Ok(Sent::Refused(_)) => Followed::Failed,
        Ok(Sent::Unknown(_)) => find(client, outlet, order, &there, &mut told, follow).await,
        Err(error) => {
            let why = format!("the request was broken off: {error}");
            written.note(Stage::Unknown(why)).await;
            find(client, outlet, order, &there, &mut told, follow).await
        }
    }
}

async fn tell(outlet: &Outlet, order: &ReplayOrder, stage: Stage) {
    let step = ReplayStep {
        replay: order.number,
        message: order.message.clone(),
        endpoint: order.endpoint.clone(),
        route: order.route,
        stage,
    };
    outlet
        .tell(Origin::User, ChangeKind::Replay(Box::new(step)))
        .await;
}

/// Makes the POST and tells how it ended. Each route has its own way.
async fn post(client: Client, written: Written, template: String) -> Sent {
    let ReplayOrder {
        message,
        endpoint,
        route,
        ..
    } = &written.order;
    let sent = match route {
        Route::Server | Route::Svix => {
            client
                .resend(&template, message, endpoint, &written.id)
                .await
        }
        Route::Local | Route::Recover => Sent::Refused(Failure::new(
            FailureKind::NotOffered,
            format!("the route {} is not offered here", route.name()),
            "the plan names the routes that are",
        )),
    };
    let stage = match &sent {
        Sent::Accepted => Stage::Accepted,
        Sent::Refused(failure) => Stage::Refused(failure.clone()),
        Sent::Unknown(why) => Stage::Unknown(why.clone()),
    };
    written.note(stage).await;
    sent
}

/// Looks for a manual attempt that was not there before, at a slowing pace.
async fn find(
    client: &Client,
    outlet: &Outlet,
    order: &ReplayOrder,
    before: &Before,
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
        if let Ok(attempts) = Attempts::of(client, &order.message).await {
            let may_be_ours = |attempt: &&Attempt| {
                attempt.endpoint == order.endpoint
                    && attempt.trigger == Trigger::Manual
                    && !before.ids.contains(&attempt.id)
            };
            let found: Vec<AttemptStatus> = (attempts.rows.iter())
                .filter(may_be_ours)
                .map(|attempt| attempt.status.clone())
                .collect();
            tell_attempts(outlet, attempts, told).await;
            match found.as_slice() {
                [only] if before.is_whole => match only {
                    AttemptStatus::Success => return Followed::Delivered,
                    status if is_ended(status) => return Followed::Failed,
                    _ => {}
                },
                several if several.iter().any(is_ended) => return Followed::Unclear,
                _ => {}
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

async fn tell_attempts(
    outlet: &Outlet,
    attempts: Attempts,
    told: &mut HashMap<AttemptId, Attempt>,
) {
    let mut drafts = outlet.unreadable(Origin::Poll, attempts.unreadable);
    for attempt in attempts.rows {
        if told.get(&attempt.id) != Some(&attempt) {
            told.insert(attempt.id.clone(), attempt.clone());
            drafts.push(outlet.draft(Origin::Poll, ChangeKind::Attempt(Box::new(attempt))));
        }
    }
    outlet.send(drafts).await;
}
