//! The verdict on one endpoint of a plan: every reason not to send there, and what to know before.

use super::{Grounds, PlanItem, Retry, Verdict};
use crate::domain::attempt::AttemptStatus;
use crate::domain::history::{Delivery, History, OutcomeState};
use crate::domain::id::{EndpointId, MessageId};
use crate::domain::link::Ability;
use crate::domain::message::{NotRead, Payload};
use crate::domain::receiver::is_one_receiver;
use crate::domain::replay::{Replay, Route};
use crate::domain::schedule::Forecast;
use crate::domain::time::{Time, due_words, duration_words};

/// Why nothing is sent to a disabled endpoint.
pub const DISABLED: &str =
    "the endpoint is disabled: the service would accept it and silently send nothing";
pub(super) const DELETED: &str = "the endpoint was deleted";
/// Why it is not known whether a newer message made one needless.
pub(in crate::domain) const UNPLACED: &str =
    "not all messages after it are read: a newer one of its task may have been delivered";
/// What a resend may do to automatic retries that are pending.
pub(super) const MAY_END: &str = "a resend may end that schedule";

/// Why nothing can be sent anywhere.
pub(super) fn general_refusal(
    history: &History,
    delivery: Option<&Delivery>,
    is_read_only: bool,
) -> Option<String> {
    if is_read_only {
        return Some("read-only mode".into());
    }
    match &history.abilities.resend {
        Ability::Offered(_) => {}
        Ability::Absent(why) => return Some(why.clone()),
        Ability::Unknown => {
            return Some("not known yet whether this server offers a resend".into());
        }
    }
    let payload = delivery
        .and_then(|delivery| delivery.message.as_ref())
        .map(|message| &message.payload);
    (payload == Some(&Payload::Expired)).then(|| "the service no longer has the payload".into())
}

impl PlanItem {
    /// What is known of the message there, beside what was decided of it.
    pub(super) fn of(
        history: &History,
        message: &MessageId,
        id: &EndpointId,
        verdict: Verdict,
        warnings: Vec<String>,
    ) -> Self {
        let delivery = history.deliveries.get(message);
        let url = history.endpoints.get(id).map(|it| it.url.to_string());
        let outcome = delivery.and_then(|delivery| delivery.outcome(id));
        Self {
            endpoint: id.clone(),
            label: history.endpoint_label(id),
            url: url.unwrap_or_default(),
            is_chosen: verdict == Verdict::Send,
            is_failing: outcome.is_some_and(|outcome| outcome.state == OutcomeState::Failed),
            unread: missing(history, delivery, id).map(Into::into),
            retry: delivery.and_then(|delivery| next_retry(history, delivery, id)),
            grounds: Grounds::of(history, message, id),
            verdict,
            warnings,
        }
    }
}

/// What would happen at one endpoint, where nothing forbids it in general.
pub(super) fn item(
    history: &History,
    message: &MessageId,
    delivery: Option<&Delivery>,
    id: &EndpointId,
    is_named: bool,
    general: Option<&str>,
    now: Time,
) -> PlanItem {
    let endpoint = history.endpoints.get(id);
    let refusal = general
        .map(str::to_owned)
        .or_else(|| endpoint_refusal(history, id))
        .or_else(|| in_the_way(history, message, id).map(|open| open.rival_words(id)));
    let (verdict, mut warnings) = match refusal {
        Some(why) => (Verdict::Refuse(why), Vec::new()),
        None => weigh(history, delivery, id, is_named, now),
    };
    warnings.extend(posted_there(history, message, id, now));
    let kind = delivery
        .and_then(|delivery| delivery.message.as_ref())
        .map(|message| &message.kind);
    if let (Some(types), Some(kind)) = (
        endpoint.and_then(|endpoint| endpoint.event_types.as_ref()),
        kind,
    ) && !types.contains(kind)
    {
        warnings.push(format!(
            "the endpoint does not subscribe to {kind}; a resend goes there all the same"
        ));
    }
    PlanItem::of(history, message, id, verdict, warnings)
}

/// When the service tries again by itself, as it says or as its schedule has it.
fn next_retry(history: &History, delivery: &Delivery, endpoint: &EndpointId) -> Option<Retry> {
    match history.forecast(delivery, endpoint) {
        Forecast::Next { at, is_exact, .. } => Some(Retry { at, is_exact }),
        _ => None,
    }
}

/// The open replay that keeps a message from being sent to an endpoint: of the pair itself, or posted
/// to the endpoint's URL, where it may have arrived.
pub fn in_the_way<'a>(
    history: &'a History,
    message: &MessageId,
    id: &EndpointId,
) -> Option<&'a Replay> {
    if let Some(open) = history.replays.open_of(message, id) {
        return Some(open);
    }
    let url = &history.endpoints.get(id)?.url;
    let is_there = |replay: &&Replay| {
        replay.state.is_open()
            && replay
                .url()
                .is_some_and(|posted| is_one_receiver(&posted, url))
    };
    let mut replays = history.replays.of_message(message);
    replays.find(is_there)
}

/// What is to be known of a post from here to the receiver of an endpoint, the latest that was made:
/// the service's attempts tell nothing of it.
pub(super) fn posted_there(
    history: &History,
    message: &MessageId,
    id: &EndpointId,
    now: Time,
) -> Option<String> {
    let url = history.endpoints.get(id).map(|endpoint| &endpoint.url);
    let is_there = |replay: &&Replay| {
        let is_to = match (replay.url(), url) {
            (Some(posted), Some(url)) => is_one_receiver(&posted, url),
            (Some(_), None) => false,
            (None, _) => replay.endpoint == *id,
        };
        replay.route == Route::Local && replay.state.was_sent() && is_to
    };
    let latest = history.replays.of_message(message).rev().find(is_there)?;
    // What is in doubt at this very pair is told as such.
    if latest.endpoint == *id && latest.state.is_doubtful() {
        return None;
    }
    let ago = duration_words(now.since(latest.since.wall));
    Some(format!(
        "posted there from here {ago} ago: {}; the receiver may see it again",
        latest.words()
    ))
}

fn endpoint_refusal(history: &History, id: &EndpointId) -> Option<String> {
    match history.endpoints.get(id) {
        Some(endpoint) if endpoint.disabled => Some(DISABLED.into()),
        None if history.is_unlisted(id) => Some(DELETED.into()),
        _ => None,
    }
}

pub(super) fn weigh(
    history: &History,
    delivery: Option<&Delivery>,
    id: &EndpointId,
    is_named: bool,
    now: Time,
) -> (Verdict, Vec<String>) {
    // Its attempts and its retries have their times by the service's clock.
    let now = history.service_time(now);
    let Some((delivery, _)) =
        delivery.and_then(|delivery| delivery.outcome(id).map(|outcome| (delivery, outcome)))
    else {
        let unread = missing(history, delivery, id).map(why_unread);
        let warning = match &unread {
            Some(why) => format!("it is not known whether it was sent there: {why}"),
            None => "it was never sent there before".to_owned(),
        };
        let verdict = if is_named {
            Verdict::Send
        } else {
            Verdict::Skip(unread.unwrap_or_else(|| "never sent there".to_owned()))
        };
        return (verdict, vec![warning]);
    };
    let attempts = delivery.attempts_at(id);
    let mut warnings = Vec::new();
    if let Some(why @ NotRead::Failed(_)) = history.attempts_missing(delivery, id) {
        let why = why_unread(why);
        warnings.push(format!("it may have been delivered meanwhile: {why}"));
    }
    match history.forecast(delivery, id) {
        Forecast::Next { at, is_exact, .. } => {
            let (about, estimate) = if is_exact {
                ("", "")
            } else {
                ("about ", " (estimate)")
            };
            let due = due_words(at, now, about);
            warnings.push(format!("an automatic retry is {due}{estimate}; {MAY_END}"));
        }
        Forecast::Over { .. } => {
            warnings.push("the service plans no more attempts by itself".into());
        }
        Forecast::Unread => warnings.push(
            "older attempts of it were not read, so that it is not known whether an automatic \
             retry is due; opening the message reads them"
                .into(),
        ),
        Forecast::Uncertain { .. } => {
            warnings.push("an earlier manual attempt may have ended the automatic retries".into());
        }
        Forecast::Exhausted { of } => warnings.push(format!(
            "all {of} automatic attempts failed; nothing more comes by itself"
        )),
        Forecast::Nothing => {}
    }
    let delivered = attempts
        .iter()
        .rev()
        .find(|attempt| attempt.status == AttemptStatus::Success);
    let doubtful = history.replays.doubtful_of(&delivery.id, id);
    let words = |replay: &Replay| format!("an earlier replay is {}", replay.words());
    warnings.extend(doubtful.map(words));
    if history.deliveries.is_superseded(delivery, id) {
        warnings.push("superseded: it took a newer message of this task since".into());
    } else if history.deliveries.is_unplaced(delivery)
        || history.deliveries.may_be_overtaken(delivery)
    {
        warnings.push(UNPLACED.into());
    }
    let last = attempts.last().map(|attempt| &attempt.status);
    let skipped = match (last, delivered) {
        (Some(AttemptStatus::Fail), _) => None,
        (Some(AttemptStatus::Success), Some(attempt)) => Some(format!(
            "delivered {} ago",
            duration_words(now.since(attempt.started))
        )),
        (Some(AttemptStatus::Canceled), _) => Some("the service gave it up".to_owned()),
        _ => {
            warnings.push("an attempt is under way".into());
            Some("an attempt is under way".to_owned())
        }
    };
    // One of ours may have arrived or be on its way, so that another is only sent to whoever is
    // named.
    let doubt = doubtful.filter(|replay| replay.state.may_have_arrived());
    let verdict = match doubt.map(words).or(skipped) {
        Some(why) if !is_named => Verdict::Skip(why),
        _ => Verdict::Send,
    };
    if let (Verdict::Send, Some(attempt)) = (&verdict, delivered) {
        let ago = duration_words(now.since(attempt.started));
        warnings.push(format!(
            "already delivered {ago} ago; the receiver will see it again"
        ));
    }
    (verdict, warnings)
}

/// Why not all attempts of a message at an endpoint are known, if they are not.
fn missing<'a>(
    history: &'a History,
    delivery: Option<&Delivery>,
    id: &EndpointId,
) -> Option<NotRead<'a>> {
    match delivery {
        Some(delivery) => history.attempts_missing(delivery, id),
        None => Some(history.attempts_not_read(id).unwrap_or(NotRead::Yet)),
    }
}

/// The same of a message of which no attempt is known there, in words.
fn why_unread(why: NotRead<'_>) -> String {
    match why {
        NotRead::Yet => "its attempts are not read".to_owned(),
        NotRead::Failed(why) => format!("its attempts cannot be read: {why}"),
        NotRead::Absent => "its attempts are not told here".to_owned(),
    }
}
