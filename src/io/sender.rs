//! Sends one replay, at most once, and follows it to the attempt that it caused.

mod keys;
mod local;
mod sweep;
mod weighing;
mod written;

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::attempts::Attempts;
use super::client::Client;
use super::client::http::Sent;
use super::outlet::Outlet;
use crate::domain::bulk::FOLLOWED;
use crate::domain::{
    Ability, Attempt, AttemptId, AttemptStatus, Before, ChangeKind, EndpointId, Failure,
    FailureKind, Grounds, MessageId, Origin, Route, Stage, Trigger,
};

pub use keys::SigningKeys;
pub use local::{Parcel, delivered_meanwhile, post_here};
pub use sweep::{Swept, not_offered, sweep};
use weighing::{endpoint_objection, objection};
pub use written::kept_words;
use written::{Written, tell, tell_all};

/// How long an attempt is looked for at a quick pace.
pub const FOLLOW: Duration = Duration::from_micros(FOLLOWED.unsigned_abs());
/// The look at the end of that time may take so long.
const LAST_LOOK: Duration = Duration::from_secs(1);
/// After an end was seen, how long until the look that tells whether another attempt may be ours.
const CONFIRM: Duration = Duration::from_millis(500);
/// Why what was written down is not sent where the program ends.
const ENDED: &str = "reeltop was ended before the request was made";

/// A replay to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayOrder {
    /// Unique in this run of the program.
    pub number: u64,
    pub message: MessageId,
    pub endpoint: EndpointId,
    pub route: Route,
    /// What the decision rests on: what came since and speaks against it ends this before its
    /// request.
    pub grounds: Grounds,
}

/// How a followed replay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// Its attempt was seen and delivered it.
    Delivered,
    /// Its attempt was seen and failed, or it was refused.
    Failed,
    /// It was delivered or superseded since it was decided on, so that nothing was sent.
    NotNeeded,
    /// What is known just before its request spoke against it, so that nothing was sent.
    CalledOff,
    /// The program was ended before its request was made.
    Ended,
    /// The service refused it, as it asks to be left alone for some time (429).
    PutOff,
    /// Attempts were seen of which none is certainly its own.
    Unclear,
    /// Nothing was seen; it stays open.
    Open,
}

/// The requests that go on though whoever asked for them is dropped, so that whoever ends the
/// program can wait for them.
#[derive(Debug, Clone, Default)]
pub struct Posts {
    pub tracker: TaskTracker,
    /// Those of which many rows are written down, one by one, before the request is made.
    pub unbegun: TaskTracker,
    /// Once cancelled, no request is begun any more.
    pub stop: CancellationToken,
}

impl Posts {
    /// Does it, unless no request is begun any more before it is done: what comes before a request,
    /// or looks for what it caused, ends then.
    async fn unless_ended<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            done = work => Some(done),
        }
    }

    /// Lets no request begin any more and waits so long for those under way. What is written down
    /// as being sent, and now is not, is taken back first, however long that takes: nobody could
    /// tell it later from what was sent.
    pub async fn end(&self, within: Duration) {
        self.stop.cancel();
        self.tracker.close();
        self.unbegun.close();
        self.unbegun.wait().await;
        let _ = timeout(within, self.tracker.wait()).await;
    }
}

/// Sends the order and tells each stage. The POST is made at most once, whatever happens; with its
/// last word before it in the ledger it is a task of its own in `posts`.
pub async fn replay(
    client: &Client,
    outlet: &Outlet,
    order: &ReplayOrder,
    follow: Duration,
    posts: &Posts,
) -> Followed {
    let written = match Written::new(outlet, order).await {
        Ok(written) => written,
        Err(stage) => {
            let followed = match stage {
                Stage::Cancelled(_) => Followed::CalledOff,
                _ => Followed::Failed,
            };
            tell(outlet, order, stage).await;
            return followed;
        }
    };
    tell(outlet, order, Stage::Planned).await;
    let abilities = outlet.abilities();
    let Ability::Offered(route) = abilities.resend.clone() else {
        let failure = Failure::new(
            FailureKind::NotOffered,
            "this server offers no resend",
            "set resend_path in the profile if it has one",
        );
        written.note(Stage::Refused(failure)).await;
        return Followed::Failed;
    };
    let asked = async {
        match objection(client, &abilities, order).await {
            Some(why) => Err(why),
            None => Ok(Attempts::of(client, &order.message).await),
        }
    };
    let asked = posts.unless_ended(Box::pin(asked)).await;
    let before = match asked {
        Some(Ok(before)) => before,
        Some(Err((followed, why))) => {
            written.note(Stage::Cancelled(why)).await;
            return followed;
        }
        None => {
            written.note(Stage::Cancelled(ENDED.to_owned())).await;
            return Followed::Ended;
        }
    };
    let before = match before {
        Ok(attempts) => attempts,
        Err(failure) => {
            let what = format!("its attempts could not be read first: {}", failure.what);
            let followed = refused(&failure);
            let failure = Failure { what, ..failure };
            written.note(Stage::Refused(failure)).await;
            return followed;
        }
    };
    let mut told = HashMap::new();
    let rows = before.rows.iter();
    let at_endpoint = || (rows.clone()).filter(|attempt| attempt.endpoint == order.endpoint);
    let there = Before {
        ids: at_endpoint().map(|attempt| attempt.id.clone()).collect(),
        is_whole: before.is_whole(),
    };
    let refuted = order.grounds.refuted(at_endpoint());
    let refuted = refuted.map(|attempt| attempt.id.to_string());
    tell_attempts(outlet, before, &mut told).await;
    if let Some(attempt) = refuted {
        let why = format!("delivered meanwhile, by attempt {attempt}");
        written.note(Stage::Cancelled(why)).await;
        return Followed::NotNeeded;
    }
    let began = Instant::now();
    let sending = post(
        client.clone(),
        written.clone(),
        route,
        there.clone(),
        posts.stop.clone(),
    );
    let sent = match posts.tracker.spawn(sending).await {
        Ok(Some(sent)) => sent,
        Ok(None) => return Followed::Ended,
        Err(error) => Sent::Unknown(format!("it was broken off: {error}")),
    };
    if let Sent::Refused(failure) = &sent {
        return refused(failure);
    }
    let left = follow.saturating_sub(began.elapsed());
    let finding = find(client, &written, &there, &mut told, left);
    let Some((followed, silence)) = posts.unless_ended(Box::pin(finding)).await else {
        return Followed::Open;
    };
    let why = if followed == Followed::Open {
        unclear(sent, silence, follow)
    } else {
        None
    };
    written.note_end(why).await;
    followed
}

/// What is not known of a replay whose attempt was not seen, beyond what was said of its request.
fn unclear(sent: Sent, silence: Option<String>, follow: Duration) -> Option<String> {
    match (sent, silence) {
        (Sent::Accepted, Some(silence)) => Some(format!("accepted, but {silence}")),
        (Sent::Accepted, None) => Some(format!(
            "accepted, but no attempt was seen in {}s; a disabled endpoint is sent nothing",
            follow.as_secs()
        )),
        (Sent::Unknown(why), Some(silence)) => Some(format!("{why}; since, {silence}")),
        // What was said of its request still holds.
        (Sent::Unknown(_) | Sent::Refused(_), _) => None,
    }
}

/// A refusal for the time being says nothing of what was refused.
fn refused(failure: &Failure) -> Followed {
    match failure.kind {
        FailureKind::RateLimited => Followed::PutOff,
        _ => Followed::Failed,
    }
}

/// Writes down that it is being sent, makes the POST and tells how it ended. Each route has its own
/// way. What was not begun when the program ends is not begun any more: `None`.
async fn post(
    client: Client,
    written: Written,
    template: String,
    before: Before,
    stop: CancellationToken,
) -> Option<Sent> {
    if !stop.is_cancelled()
        && let Err(failure) = written.step(Stage::Sending { before }).await
    {
        written.note(Stage::Refused(failure.clone())).await;
        return Some(Sent::Refused(failure));
    }
    if stop.is_cancelled() {
        written.note(Stage::Cancelled(ENDED.to_owned())).await;
        return None;
    }
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
        Route::Local | Route::Recover | Route::Missing | Route::Bulk => {
            Sent::Refused(Failure::new(
                FailureKind::NotOffered,
                format!("the route {} is not offered here", route.name()),
                "the plan names the routes that are",
            ))
        }
    };
    let stage = match &sent {
        Sent::Accepted => Stage::Accepted,
        Sent::Refused(failure) => Stage::Refused(failure.clone()),
        Sent::Unknown(why) => Stage::Unknown(why.clone()),
    };
    written.note(stage).await;
    Some(sent)
}

/// Looks for a manual attempt that was not there before, at a slowing pace. Where none was found and
/// the last look could not tell, says why: then nobody knows whether there is one.
async fn find(
    client: &Client,
    written: &Written,
    before: &Before,
    told: &mut HashMap<AttemptId, Attempt>,
    follow: Duration,
) -> (Followed, Option<String>) {
    // A day is for ever here, and no clock overflows by it.
    let mut until = Instant::now() + follow.min(Duration::from_hours(24));
    let mut wait = Duration::from_millis(200);
    let mut has_seen_end = false;
    let mut was_answered = false;
    let mut is_whole = before.is_whole;
    let Written { outlet, order, .. } = written;
    loop {
        sleep(wait.min(until.saturating_duration_since(Instant::now()))).await;
        wait = (wait * 2).min(Duration::from_secs(2));
        let left = until.saturating_duration_since(Instant::now());
        let looking = Attempts::of(client, &order.message);
        let looked = timeout(left.max(LAST_LOOK), looking).await;
        let looked = looked.unwrap_or_else(|_| Err(unanswered()));
        was_answered |= looked.is_ok();
        // A look that fails is no answer; the next one may be.
        let silence = silence(&looked, was_answered);
        if let Ok(attempts) = looked {
            let may_be_ours = |attempt: &&Attempt| {
                attempt.endpoint == order.endpoint
                    && attempt.trigger != Trigger::Scheduled
                    && !before.ids.contains(&attempt.id)
            };
            let found: Vec<AttemptStatus> = (attempts.rows.iter())
                .filter(may_be_ours)
                .map(|attempt| attempt.status.clone())
                .collect();
            // Before any of them is taken for its own.
            if is_whole && !attempts.is_whole() {
                is_whole = false;
                written.note(Stage::Blurred).await;
            }
            tell_attempts(outlet, attempts, told).await;
            match found.as_slice() {
                [only] if is_whole && is_ended(only) && has_seen_end => {
                    let followed = match only {
                        AttemptStatus::Success => Followed::Delivered,
                        _ => Followed::Failed,
                    };
                    return (followed, None);
                }
                // Ours may not be listed yet: one more look tells.
                [only] if is_whole && is_ended(only) => {
                    has_seen_end = true;
                    wait = CONFIRM;
                    until = until.max(Instant::now() + CONFIRM);
                }
                [only] if is_whole && !is_ended(only) => {}
                several if several.iter().any(is_ended) => return (Followed::Unclear, None),
                _ => {}
            }
        }
        if Instant::now() >= until {
            return (Followed::Open, silence);
        }
    }
}

fn unanswered() -> Failure {
    Failure::new(FailureKind::Broken, "no answer in time", "")
}

/// Why a look does not tell whether the attempt is there, if it does not.
fn silence(looked: &Result<Attempts, Failure>, was_answered: bool) -> Option<String> {
    match looked {
        Ok(attempts) => attempts
            .missing()
            .map(|missing| format!("of its message's attempts {missing}")),
        Err(failure) => {
            let since = if was_answered { "at last " } else { "" };
            let why = &failure.what;
            Some(format!(
                "{since}the service could not be asked for its attempt: {why}"
            ))
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
