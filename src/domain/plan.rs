//! The plan of a replay: what would be sent where, and every reason not to.

mod grounds;
mod local;
mod verdict;

use super::history::{Delivery, History};
use super::id::{EndpointId, MessageId};
use super::link::Ability;
use super::message::Missing;
use super::time::{SECOND, Time, due_words};
pub use grounds::Grounds;
pub(super) use local::plan_local_tried;
pub use local::{PostBody, plan_local};
pub(in crate::domain) use verdict::UNPLACED;
pub use verdict::{DISABLED, in_the_way};
use verdict::{general_refusal, item};

/// How long after its time a retry is still waited for, in microseconds: it is an estimate, and some
/// services are late.
const OVERDUE: i64 = 3600 * SECOND;

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
    /// Whether the last attempt there failed, as far as is known.
    pub is_failing: bool,
    /// Why not all of its attempts there are known, where they are not.
    pub unread: Option<Missing>,
    /// When the service tries again by itself; past where that is overdue.
    pub retry: Option<Retry>,
    /// What this rests on.
    pub grounds: Grounds,
}

/// The service's own next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    pub at: Time,
    /// Whether the service says so; else the schedule is all that is known.
    pub is_exact: bool,
}

impl Retry {
    /// `about ` before a time that is an estimate.
    pub fn about(self) -> &'static str {
        if self.is_exact { "" } else { "about " }
    }

    /// ` (estimate)` after a time that is one.
    pub fn estimate(self) -> &'static str {
        if self.is_exact { "" } else { " (estimate)" }
    }
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

impl PlanItem {
    /// Leaves it out, for this reason.
    pub fn leave_out(&mut self, why: String) {
        self.verdict = Verdict::Skip(why);
        self.is_chosen = false;
    }

    /// Whether it is to be sent though the service may well try it again by itself. `now` is by the
    /// service's clock.
    pub fn has_retry(&self, now: Time) -> bool {
        let is_near = |retry: Retry| now.since(retry.at) < OVERDUE;
        self.is_chosen && self.retry.is_some_and(is_near)
    }

    /// Leaves what is to be sent to the service's own retry, and gives that, if one is still to come;
    /// `now` is by the service's clock.
    pub fn leave_to_retry(&mut self, now: Time) -> Option<Retry> {
        let retry = self.retry.filter(|_| self.has_retry(now))?;
        let due = due_words(retry.at, now, retry.about());
        let estimate = retry.estimate();
        self.leave_out(format!("left to the service's own retry, {due}{estimate}"));
        Some(retry)
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
    let endpoints = match only {
        Some(endpoint) => vec![endpoint.clone()],
        None => candidates(history, delivery),
    };
    plan_at(
        history,
        message,
        endpoints,
        only.is_some(),
        is_read_only,
        now,
    )
}

/// The plan at those endpoints alone that were tried, or at one of these.
pub(super) fn plan_tried(
    history: &History,
    message: &MessageId,
    only: Option<&EndpointId>,
    is_read_only: bool,
    now: Time,
) -> Plan {
    let endpoints = tried(history.deliveries.get(message), only);
    plan_at(history, message, endpoints, false, is_read_only, now)
}

fn plan_at(
    history: &History,
    message: &MessageId,
    mut endpoints: Vec<EndpointId>,
    is_named: bool,
    is_read_only: bool,
    now: Time,
) -> Plan {
    let delivery = history.deliveries.get(message);
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
                is_named,
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

/// The endpoints that a message was tried at, or one of these.
fn tried(delivery: Option<&Delivery>, only: Option<&EndpointId>) -> Vec<EndpointId> {
    let outcomes = delivery.iter().flat_map(|delivery| &delivery.outcomes);
    let endpoints = outcomes.map(|outcome| outcome.endpoint.clone());
    endpoints
        .filter(|endpoint| only.is_none_or(|only| endpoint == only))
        .collect()
}

/// The endpoints that were tried, and those that are told of and take such events.
fn candidates(history: &History, delivery: Option<&Delivery>) -> Vec<EndpointId> {
    let mut endpoints = tried(delivery, None);
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

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use std::sync::Arc;

    use super::super::attempt::{Attempt, AttemptStatus, Trigger};
    use super::super::bulk::plan_of_many;
    use super::super::change::{Change, ChangeKind, Origin};
    use super::super::endpoint::Endpoint;
    use super::super::event::EventType;
    use super::super::history::NextAsked;
    use super::super::id::AttemptId;
    use super::super::link::Abilities;
    use super::super::message::{Log, Message, Payload};
    use super::super::replay::{Replay, ReplayState, ReplayStep, Route, Stage};
    use super::super::time::Moment;
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

    /// The only one.
    fn replay(history: &History) -> &Replay {
        let mut all = history.replays.all();
        all.next().expect("a replay")
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
            endpoint("ep_3", false),
            attempt("a1", "ep_1", 20, 500, Trigger::Scheduled),
            attempt("a2", "ep_1", 10, 500, Trigger::Scheduled),
            attempt("a3", "ep_2", 20, 204, Trigger::Scheduled),
        ]);
        let of_many = plan_of_many(
            &history,
            Route::Server,
            &MessageId::new("msg_1"),
            None,
            false,
            NOW,
        );
        let tried: Vec<_> = of_many
            .items
            .iter()
            .map(|item| item.endpoint.clone())
            .collect();
        assert_eq!(tried, ["ep_1", "ep_2"].map(EndpointId::new));
        let plan = planned(&history, None);
        assert_eq!(plan.items.len(), 3);
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
    fn what_may_have_been_sent_is_not_called_never_sent() {
        let mut history = history([endpoint("ep_1", false)]);
        let log = Log::Attempts(EndpointId::new("ep_1"));
        let failing = |why: Option<&str>| ChangeKind::Unread {
            log: log.clone(),
            why: why.map(Into::into),
        };
        for (told, unread) in [
            (failing(None), Some("its attempts are not read")),
            (
                failing(Some("500")),
                Some("its attempts cannot be read: 500"),
            ),
            (ChangeKind::AttemptsRead(MessageId::new("msg_1")), None),
        ] {
            history.apply(change(told));
            let why = unread.unwrap_or("never sent there");
            let warning = match unread {
                Some(why) => format!("it is not known whether it was sent there: {why}"),
                None => "it was never sent there before".to_owned(),
            };
            let by_default = &planned(&history, None).items[0];
            assert_eq!(by_default.verdict, Verdict::Skip(why.into()));
            let named = &planned(&history, Some("ep_1")).items[0];
            assert_eq!(named.verdict, Verdict::Send);
            for item in [by_default, named] {
                assert_eq!(item.warnings, [warning.as_str()]);
            }
        }
    }

    #[test]
    fn what_the_service_tries_again_is_left_to_it_where_that_is_asked_for() {
        for (seconds_ago, is_left) in [(10, true), (2 * 3600, false)] {
            let history = history([
                endpoint("ep_1", false),
                attempt("a1", "ep_1", seconds_ago, 500, Trigger::Scheduled),
            ]);
            let mut plan = planned(&history, Some("ep_1"));
            assert!(plan.items[0].retry.is_some());
            assert_eq!(plan.items[0].has_retry(NOW), is_left);
            let left = plan.items[0].leave_to_retry(NOW);
            assert_eq!(left.map(|retry| retry.is_exact), is_left.then_some(false));
            assert_eq!(plan.chosen().count(), usize::from(!is_left));
            // What is left to it once is not counted again.
            assert!(plan.items[0].leave_to_retry(NOW).is_none() || !is_left);
        }
    }

    #[test]
    fn a_retry_is_due_by_the_clock_of_the_service_that_makes_it() {
        const HOURS: i64 = 5 * 3600;
        for (ahead, seconds_ago) in [(-HOURS, HOURS + 2), (HOURS, 2 - HOURS)] {
            let mut history = history([
                endpoint("ep_1", false),
                attempt("a1", "ep_1", seconds_ago, 500, Trigger::Scheduled),
            ]);
            history.apply(change(ChangeKind::ServiceAhead(ahead * SECOND)));
            let mut plan = planned(&history, Some("ep_1"));
            let said = &plan.items[0].warnings[0];
            assert!(said.contains("due in about 3s (estimate)"), "{said}");
            let left = plan.items[0].leave_to_retry(history.service_time(NOW));
            assert!(left.is_some(), "{ahead}");
            // What is near is asked about again, and what none is planned for may be under way.
            let message = MessageId::new("msg_1");
            let asked = NextAsked::of(&history, &message);
            assert_eq!(asked.heard(&EndpointId::new("ep_1"), None, NOW), None);
        }
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
        // And nothing is due there by itself.
        assert_eq!(planned(&disabled, None).items[0].retry, None);
        let listed = change(ChangeKind::EndpointsListed(Arc::from([EndpointId::new(
            "ep_1",
        )])));
        let deleted = history([listed, attempt("a1", "ep_9", 10, 500, Trigger::Scheduled)]);
        assert!(
            matches!(&planned(&deleted, Some("ep_9")).items[0].verdict, Verdict::Refuse(why) if why.contains("deleted"))
        );
        assert_eq!(planned(&deleted, Some("ep_9")).items[0].retry, None);
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
        assert!(matches!(replay(&history).state, ReplayState::Unknown(_)));
        // Ours counts even if its clock is behind.
        history.apply(attempt("a3", "ep_1", 3000, 204, Trigger::Manual));
        let found = ReplayState::Delivered {
            attempt: AttemptId::new("a3"),
            found_later: true,
        };
        assert_eq!(replay(&history).state, found);
        assert_eq!(
            history
                .replays
                .cause_of(&AttemptId::new("a3"))
                .map(|replay| replay.number),
            Some(1)
        );
        history.apply(step(Stage::Unknown("late word of the sender".into())));
        assert_eq!(replay(&history).state, found);
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
        assert!(matches!(replay(&history).state, ReplayState::Failed { .. }));
        history.apply(attempt("a3", "ep_1", 1, 500, Trigger::Manual));
        assert!(
            matches!(&replay(&history).state, ReplayState::Ambiguous(candidates) if candidates.len() == 2)
        );
    }

    #[test]
    fn what_may_have_arrived_is_not_sent_again_unless_the_endpoint_is_named() {
        // What is found failed has told its end: it is warned of, and keeps nothing back.
        for (late, words, is_kept_back) in [
            (None, "failed again, found later", false),
            (Some("a3"), "ambiguous", true),
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
            let by_default = &planned(&history, None).items[0];
            let is_skipped =
                matches!(&by_default.verdict, Verdict::Skip(why) if why.contains(words));
            assert_eq!(
                (is_skipped, by_default.is_chosen),
                (is_kept_back, !is_kept_back),
                "{by_default:?}"
            );
            let named = &planned(&history, Some("ep_1")).items[0];
            assert_eq!(named.verdict, Verdict::Send);
            for item in [by_default, named] {
                assert!(
                    item.warnings.iter().any(|why| why.contains(words)),
                    "{item:?}"
                );
            }
        }
    }
}
