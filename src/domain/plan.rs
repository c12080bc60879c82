//! The plan of a replay: what would be sent where, and every reason not to.

mod grounds;

use super::attempt::AttemptStatus;
use super::history::{Delivery, History, OutcomeState};
use super::id::{EndpointId, MessageId};
use super::link::Ability;
use super::message::Payload;
use super::replay::Replay;
use super::schedule::Forecast;
use super::time::{Time, duration_words, rough_words};
pub use grounds::Grounds;

/// What a replay of one message would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub message: MessageId,
    /// How it would be sent, in words.
    pub route: String,
    /// Endpoints in the order of their labels; those that were never tried and take no such
    /// events are left out.
    pub items: Vec<PlanItem>,
}

/// What would happen at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanItem {
    pub endpoint: EndpointId,
    pub label: String,
    pub url: String,
    pub verdict: Verdict,
    /// What to know before sending.
    pub warnings: Vec<String>,
    /// Whether it is to be sent; never true where the verdict refuses.
    pub is_chosen: bool,
    /// Whether the last attempt there failed.
    pub is_failing: bool,
    /// When the service tries again by itself, as an estimate; past where that is overdue.
    pub retry: Option<Time>,
    /// What this rests on.
    pub grounds: Grounds,
}

/// Whether an endpoint is to get the message again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Send,
    /// Not chosen by default, for this reason; may be chosen.
    Skip(String),
    /// Cannot be sent, for this reason.
    Refuse(String),
}

impl Plan {
    /// Endpoints that are to get it.
    pub fn chosen(&self) -> impl Iterator<Item = &PlanItem> + '_ {
        self.items.iter().filter(|item| item.is_chosen)
    }

    /// Turns one endpoint's choice round; `false` if it is refused or not in the plan.
    pub fn toggle(&mut self, endpoint: &EndpointId) -> bool {
        let found = self
            .items
            .iter_mut()
            .find(|item| item.endpoint == *endpoint && !matches!(item.verdict, Verdict::Refuse(_)));
        if let Some(item) = found {
            item.is_chosen = !item.is_chosen;
            return true;
        }
        false
    }
}

/// Plans the replay of a message to one endpoint, or to every endpoint whose last attempt failed.
pub fn plan(
    history: &History,
    message: &MessageId,
    only: Option<&EndpointId>,
    is_read_only: bool,
    now: Time,
) -> Plan {
    let delivery = history.deliveries.get(message);
    let mut endpoints: Vec<EndpointId> = match only {
        Some(endpoint) => vec![endpoint.clone()],
        None => candidates(history, delivery),
    };
    endpoints.sort_by_key(|id| (history.endpoint_label(id), id.clone()));
    let general = general_refusal(history, delivery, is_read_only);
    let items = endpoints
        .iter()
        .map(|endpoint| {
            item(
                history,
                message,
                delivery,
                endpoint,
                only.is_some(),
                general.as_deref(),
                now,
            )
        })
        .collect();
    let route = match &history.abilities.resend {
        Ability::Offered(_) => "the server's resend, one try".to_owned(),
        Ability::Absent(_) | Ability::Unknown => "no route".to_owned(),
    };
    Plan {
        message: message.clone(),
        route,
        items,
    }
}

fn candidates(history: &History, delivery: Option<&Delivery>) -> Vec<EndpointId> {
    let mut endpoints: Vec<EndpointId> = delivery
        .iter()
        .flat_map(|delivery| &delivery.outcomes)
        .map(|outcome| outcome.endpoint.clone())
        .collect();
    let kind = delivery
        .and_then(|delivery| delivery.message.as_ref())
        .map(|message| &message.kind);
    for endpoint in history
        .endpoints
        .values()
        .filter(|endpoint| !endpoint.is_inferred)
    {
        let wants = kind.is_none_or(|kind| {
            endpoint
                .event_types
                .as_ref()
                .is_none_or(|types| types.contains(kind))
        });
        if wants && !endpoints.contains(&endpoint.id) {
            endpoints.push(endpoint.id.clone());
        }
    }
    endpoints
}

fn general_refusal(
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

fn item(
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
        .or_else(|| history.replays.open_of(message, id).map(open_words));
    let (verdict, mut warnings) = match refusal {
        Some(why) => (Verdict::Refuse(why), Vec::new()),
        None => weigh(history, delivery, id, is_named, now),
    };
    let outcome = delivery.and_then(|delivery| delivery.outcome(id));
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
    PlanItem {
        endpoint: id.clone(),
        label: history.endpoint_label(id),
        url: endpoint
            .map(|endpoint| endpoint.url.to_string())
            .unwrap_or_default(),
        is_chosen: verdict == Verdict::Send,
        is_failing: outcome.is_some_and(|outcome| outcome.state == OutcomeState::Failed),
        retry: delivery.and_then(|delivery| next_retry(history, delivery, id)),
        grounds: Grounds::of(delivery, id),
        verdict,
        warnings,
    }
}

/// When the service tries again by itself, if that is known.
fn next_retry(history: &History, delivery: &Delivery, endpoint: &EndpointId) -> Option<Time> {
    match delivery.forecast(&history.schedule, endpoint) {
        Forecast::Next { at, .. } => Some(at),
        _ => None,
    }
}

fn open_words(open: &Replay) -> String {
    match &open.by {
        Some(who) if who.is_running => {
            format!("{} is replaying it: {}", who.words(), open.words())
        }
        Some(who) => format!(
            "a replay of it by {} is open: {}",
            who.words(),
            open.words()
        ),
        None => format!("a replay of it is open: {}", open.words()),
    }
}

fn endpoint_refusal(history: &History, id: &EndpointId) -> Option<String> {
    match history.endpoints.get(id) {
        Some(endpoint) if endpoint.disabled => Some(
            "the endpoint is disabled: the service would accept it and silently send nothing"
                .into(),
        ),
        None if history.is_unlisted(id) => Some("the endpoint was deleted".into()),
        _ => None,
    }
}

fn weigh(
    history: &History,
    delivery: Option<&Delivery>,
    id: &EndpointId,
    is_named: bool,
    now: Time,
) -> (Verdict, Vec<String>) {
    let Some((delivery, _)) =
        delivery.and_then(|delivery| delivery.outcome(id).map(|outcome| (delivery, outcome)))
    else {
        let verdict = if is_named {
            Verdict::Send
        } else {
            Verdict::Skip("never sent there".into())
        };
        return (verdict, vec!["it was never sent there before".into()]);
    };
    let attempts = delivery.attempts_at(id);
    let mut warnings = Vec::new();
    match delivery.forecast(&history.schedule, id) {
        Forecast::Next { at, is_exact, .. } => {
            let (about, estimate) = if is_exact {
                ("", "")
            } else {
                ("about ", " (estimate)")
            };
            let due = if at > now {
                format!("due in {about}{}", rough_words(at.since(now)))
            } else {
                format!("overdue by {}", rough_words(now.since(at)))
            };
            warnings.push(format!(
                "an automatic retry is {due}{estimate}; a resend may end that schedule"
            ));
        }
        Forecast::Over { .. } => {
            warnings.push("the service plans no more attempts by itself".into());
        }
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
    let doubt = history
        .replays
        .doubtful_of(&delivery.id, id)
        .map(|replay| format!("an earlier replay is {}", replay.words()));
    warnings.extend(doubt.clone());
    if history.deliveries.is_superseded(delivery, id) {
        warnings.push("superseded: it took a newer message of this task since".into());
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
    // One of ours may still be on its way, so that another is only sent to whoever is named.
    let verdict = match doubt.or(skipped) {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::attempt::{Attempt, Trigger};
    use super::super::change::{Change, ChangeKind, Origin};
    use super::super::endpoint::Endpoint;
    use super::super::event::EventType;
    use super::super::id::AttemptId;
    use super::super::link::Abilities;
    use super::super::message::Message;
    use super::super::replay::{ReplayState, ReplayStep, Route, Stage};
    use super::super::time::{Moment, SECOND};
    use super::*;

    const NOW: Time = Time(1_800_000_000 * SECOND);

    fn change(kind: ChangeKind) -> Change {
        Change {
            seq: 0,
            received: Moment { wall: NOW, mono: 0 },
            origin: Origin::Poll,
            raw: None,
            kind,
        }
    }

    fn attempt(id: &str, endpoint: &str, seconds_ago: i64, code: u16, trigger: Trigger) -> Change {
        let status = if (200..300).contains(&code) {
            AttemptStatus::Success
        } else {
            AttemptStatus::Fail
        };
        change(ChangeKind::Attempt(Box::new(Attempt {
            id: AttemptId::new(id),
            message: MessageId::new("msg_1"),
            endpoint: EndpointId::new(endpoint),
            url: "http://127.0.0.1/hook".into(),
            started: NOW.plus(-seconds_ago * SECOND),
            status,
            code,
            duration_ms: Some(10),
            response: "".into(),
            trigger,
        })))
    }

    fn endpoint(id: &str, is_disabled: bool) -> Change {
        change(ChangeKind::Endpoint(Box::new(Endpoint {
            disabled: is_disabled,
            is_inferred: false,
            event_types: Some(Arc::from([EventType::TaskFailed])),
            ..Endpoint::inferred(EndpointId::new(id), "http://127.0.0.1/hook".into())
        })))
    }

    fn history(changes: impl IntoIterator<Item = Change>) -> History {
        let offered = |route: &str| Ability::Offered(route.into());
        let abilities = Abilities {
            resend: offered("POST"),
            endpoint_list: offered("GET"),
            ..Abilities::default()
        };
        let mut history = History::default();
        history.apply(change(ChangeKind::Abilities(Box::new(abilities))));
        history.apply(change(ChangeKind::Message(Box::new(Message {
            id: MessageId::new("msg_1"),
            event: None,
            kind: EventType::TaskFailed,
            accepted: NOW.plus(-60 * SECOND),
            task: None,
            payload: Payload::Absent,
        }))));
        history.apply_all(changes);
        history
    }

    fn planned(history: &History, only: Option<&str>) -> Plan {
        plan(
            history,
            &MessageId::new("msg_1"),
            only.map(EndpointId::new).as_ref(),
            false,
            NOW,
        )
    }

    fn step(stage: Stage) -> Change {
        change(ChangeKind::Replay(Box::new(ReplayStep {
            replay: 1,
            message: MessageId::new("msg_1"),
            endpoint: EndpointId::new("ep_1"),
            route: Route::Server,
            stage,
        })))
    }

    #[test]
    fn failed_endpoints_are_sent_and_the_pending_retry_is_a_warning() {
        let history = history([
            endpoint("ep_1", false),
            endpoint("ep_2", false),
            attempt("a1", "ep_1", 20, 500, Trigger::Scheduled),
            attempt("a2", "ep_1", 10, 500, Trigger::Scheduled),
            attempt("a3", "ep_2", 20, 204, Trigger::Scheduled),
        ]);
        let plan = planned(&history, None);
        assert_eq!(plan.items[0].verdict, Verdict::Send);
        assert!(
            plan.items[0].warnings[0].contains("due in about 5m (estimate)"),
            "{:?}",
            plan.items[0].warnings
        );
        assert_eq!(
            plan.items[1].verdict,
            Verdict::Skip("delivered 20s ago".into())
        );
        assert_eq!(plan.chosen().count(), 1);
        assert_eq!(
            planned(&history, Some("ep_2")).items[0].verdict,
            Verdict::Send
        );
    }

    #[test]
    fn what_would_silently_do_nothing_is_refused() {
        let disabled = history([
            endpoint("ep_1", true),
            attempt("a1", "ep_1", 10, 500, Trigger::Scheduled),
        ]);
        assert!(
            matches!(&planned(&disabled, None).items[0].verdict, Verdict::Refuse(why) if why.contains("disabled"))
        );
        let listed = change(ChangeKind::EndpointsListed(Arc::from([EndpointId::new(
            "ep_1",
        )])));
        let deleted = history([listed, attempt("a1", "ep_9", 10, 500, Trigger::Scheduled)]);
        assert!(
            matches!(&planned(&deleted, Some("ep_9")).items[0].verdict, Verdict::Refuse(why) if why.contains("deleted"))
        );
        let mut without = history([endpoint("ep_1", false)]);
        without.apply(change(ChangeKind::Abilities(Box::default())));
        assert!(matches!(
            &planned(&without, Some("ep_1")).items[0].verdict,
            Verdict::Refuse(_)
        ));
        let read_only = plan(&disabled, &MessageId::new("msg_1"), None, true, NOW);
        assert!(
            matches!(&read_only.items[0].verdict, Verdict::Refuse(why) if why.contains("read-only"))
        );
        assert!(!planned(&disabled, None).toggle(&EndpointId::new("ep_1")));
    }

    #[test]
    fn a_pair_with_an_open_replay_is_refused_until_its_attempt_is_found() {
        let mut history = history([
            endpoint("ep_1", false),
            attempt("a1", "ep_1", 10, 500, Trigger::Scheduled),
        ]);
        history.apply(step(Stage::Planned));
        history.apply(step(Stage::Sending {
            before: [AttemptId::new("a1")].into(),
        }));
        history.apply(step(Stage::Unknown("the connection broke".into())));
        assert!(
            matches!(&planned(&history, None).items[0].verdict, Verdict::Refuse(why) if why.contains("open"))
        );
        // A retry of the service's own, and an older manual attempt by another clock, are not ours.
        history.apply(attempt("a2", "ep_1", 5, 500, Trigger::Scheduled));
        assert!(matches!(
            history.replays.all()[0].state,
            ReplayState::Unknown(_)
        ));
        // Ours counts even if its clock is behind.
        history.apply(attempt("a3", "ep_1", 3000, 204, Trigger::Manual));
        let found = ReplayState::Delivered {
            attempt: AttemptId::new("a3"),
            found_later: true,
        };
        assert_eq!(history.replays.all()[0].state, found);
        assert_eq!(
            history
                .replays
                .cause_of(&AttemptId::new("a3"))
                .map(|replay| replay.number),
            Some(1)
        );
        history.apply(step(Stage::Unknown("late word of the sender".into())));
        assert_eq!(history.replays.all()[0].state, found);
    }

    #[test]
    fn more_manual_attempts_than_we_sent_are_ambiguous() {
        let mut history = history([
            endpoint("ep_1", false),
            attempt("a1", "ep_1", 10, 500, Trigger::Manual),
        ]);
        history.apply(step(Stage::Sending {
            before: [AttemptId::new("a1")].into(),
        }));
        history.apply(step(Stage::Accepted));
        history.apply(attempt("a2", "ep_1", 1, 500, Trigger::Manual));
        assert!(matches!(
            history.replays.all()[0].state,
            ReplayState::Failed { .. }
        ));
        history.apply(attempt("a3", "ep_1", 1, 500, Trigger::Manual));
        assert!(
            matches!(&history.replays.all()[0].state, ReplayState::Ambiguous(candidates) if candidates.len() == 2)
        );
    }

    #[test]
    fn what_may_still_arrive_is_not_sent_again_unless_the_endpoint_is_named() {
        // Ambiguous, and failed by an attempt that may be somebody else's.
        for (late, words) in [
            (None, "failed again, found later"),
            (Some("a3"), "ambiguous"),
        ] {
            let mut history = history([
                endpoint("ep_1", false),
                attempt("a1", "ep_1", 10, 500, Trigger::Scheduled),
            ]);
            history.apply(step(Stage::Sending {
                before: [AttemptId::new("a1")].into(),
            }));
            history.apply(step(Stage::Unknown("the connection broke".into())));
            history.apply(attempt("a2", "ep_1", 1, 500, Trigger::Manual));
            if let Some(late) = late {
                history.apply(attempt(late, "ep_1", 1, 500, Trigger::Manual));
            }
            let item = &planned(&history, None).items[0];
            assert!(
                matches!(&item.verdict, Verdict::Skip(why) if why.contains(words)),
                "{item:?}"
            );
            assert!(!item.is_chosen);
            let item = &planned(&history, Some("ep_1")).items[0];
            assert_eq!(item.verdict, Verdict::Send);
            assert!(
                item.warnings.iter().any(|why| why.contains(words)),
                "{item:?}"
            );
        }
    }
}
