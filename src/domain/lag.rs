//! The notification lag: how long after a task's state changed an endpoint got the message of it.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::attempt::{Attempt, AttemptStatus};
use super::history::{Delivery, History, OutcomeState};
use super::id::{EndpointId, EventId, TaskId};
use super::time::Time;

/// How long after the change of state an endpoint had the message of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// Its first answer that says yes came so many microseconds after it.
    After(i64),
    /// It has not come yet, so many microseconds after it.
    NotYet(i64),
    /// The service gave it up on purpose.
    Canceled,
}

impl Lag {
    /// The lag of a message at an endpoint that was tried.
    pub fn of(
        delivery: &Delivery,
        endpoint: &EndpointId,
        changed: Time,
        now: Time,
    ) -> Option<Self> {
        let outcome = delivery.outcome(endpoint)?;
        let delivered = delivery
            .attempts_at(endpoint)
            .into_iter()
            .filter(|attempt| attempt.status == AttemptStatus::Success)
            .map(answered)
            .min();
        Some(match (delivered, outcome.state) {
            (Some(at), _) => Self::After(at.since(changed)),
            (None, OutcomeState::Canceled) => Self::Canceled,
            (None, _) => Self::NotYet(now.since(changed)),
        })
    }
}

/// When an attempt was answered, as far as the service says how long that took.
fn answered(attempt: &Attempt) -> Time {
    let took = attempt.duration_ms.unwrap_or(0).min(86_400_000) as i64;
    attempt.started.plus(took * 1000)
}

/// When the state changed of which each message of a task tells, by the clock of the service that
/// delivers: as the event says, else when the message was accepted. Newest message first.
pub fn told_changes<'a>(history: &'a History, task: &'a TaskId) -> Vec<(Time, &'a Delivery)> {
    let sights: HashMap<&EventId, Time> = history
        .events_of(task)
        .filter_map(|entry| {
            let sight = entry.task.as_ref()?;
            Some((&entry.id, sight.updated))
        })
        .collect();
    history
        .deliveries
        .of_task(task)
        .map(|delivery| {
            let event = delivery
                .message
                .as_ref()
                .and_then(|message| message.event.as_ref());
            let changed = event.and_then(|event| sights.get(event));
            let changed = changed.map(|changed| history.delivery_time(*changed));
            (changed.unwrap_or_else(|| delivery.time()), delivery)
        })
        .collect()
}

/// How an endpoint was told of a task's changes.
#[derive(Debug, Clone, Default)]
pub struct Notified<'a> {
    pub n_messages: usize,
    pub n_delivered: usize,
    /// The newest message that was tried there, and how long that took.
    pub latest: Option<(&'a Delivery, Lag)>,
}

/// How each endpoint that was tried was told of a task's changes, of which the newest comes first;
/// `now` is by the clock of the service that delivers.
pub fn notified<'a>(
    told: &[(Time, &'a Delivery)],
    now: Time,
) -> BTreeMap<EndpointId, Notified<'a>> {
    let mut found: BTreeMap<EndpointId, Notified<'a>> = BTreeMap::new();
    for (changed, message) in told {
        for outcome in &message.outcomes {
            let at = found.entry(outcome.endpoint.clone()).or_default();
            at.n_messages += 1;
            at.n_delivered += usize::from(outcome.state == OutcomeState::Delivered);
            if at.latest.is_none() {
                let lag = Lag::of(message, &outcome.endpoint, *changed, now);
                at.latest = lag.map(|lag| (*message, lag));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::attempt::Trigger;
    use super::super::change::{Change, ChangeKind, Origin};
    use super::super::event::{Event, EventType};
    use super::super::feature::{Feature, FeatureState, Features};
    use super::super::id::{AssetId, AttemptId, MessageId, UserId};
    use super::super::message::{Message, Payload};
    use super::super::task::Observation;
    use super::super::time::{Moment, SECOND};
    use super::*;

    fn at(second: i64) -> Time {
        Time(second * SECOND)
    }

    fn attempt(n: i64, endpoint: &str, status: AttemptStatus, ms: u64) -> ChangeKind {
        ChangeKind::Attempt(Box::new(Attempt {
            id: AttemptId::new(&format!("a{n}")),
            message: MessageId::new("m"),
            endpoint: EndpointId::new(endpoint),
            url: "".into(),
            started: at(n),
            code: if status == AttemptStatus::Success {
                204
            } else {
                500
            },
            status,
            duration_ms: Some(ms),
            response: "".into(),
            trigger: Trigger::Scheduled,
        }))
    }

    #[test]
    fn the_lag_goes_from_the_change_to_the_first_yes() {
        let task = TaskId::new("t");
        let mut features = Features::default();
        features.set(Feature::Visual, FeatureState::Failed);
        let event = Event {
            id: EventId::new("e"),
            kind: EventType::TaskFailed,
            published: Some(at(11)),
            user: None,
            task: Some(Observation {
                task: task.clone(),
                asset: AssetId::new("a"),
                user: UserId::new("u"),
                features,
                created: at(1),
                updated: at(10),
                published: None,
                event: None,
            }),
            asset_name: None,
        };
        let message = Message {
            id: MessageId::new("m"),
            event: Some(EventId::new("e")),
            kind: EventType::TaskFailed,
            accepted: at(12),
            task: Some(task.clone()),
            payload: Payload::Absent,
        };
        let mut history = History::default();
        let told = |history: &mut History, kind| {
            history.apply(Change {
                seq: 0,
                received: Moment::default(),
                origin: Origin::Stream,
                raw: None,
                kind,
            });
        };
        told(&mut history, ChangeKind::Message(Box::new(message)));
        told(&mut history, attempt(13, "crm", AttemptStatus::Fail, 5));
        told(&mut history, attempt(14, "ops", AttemptStatus::Fail, 5));
        told(
            &mut history,
            attempt(15, "crm", AttemptStatus::Success, 500),
        );
        told(&mut history, attempt(90, "crm", AttemptStatus::Success, 1));
        let lag = |history: &History, endpoint: &str| {
            let found = told_changes(history, &task);
            let (changed, delivery) = found.first()?;
            Lag::of(delivery, &EndpointId::new(endpoint), *changed, at(50))
        };
        // Without the event, what is known is when the message was accepted.
        let accepted = Lag::After(7 * SECOND / 2);
        assert_eq!(lag(&history, "crm"), Some(accepted));
        told(&mut history, ChangeKind::Event(event));
        assert_eq!(lag(&history, "crm"), Some(Lag::After(11 * SECOND / 2)));
        assert_eq!(lag(&history, "ops"), Some(Lag::NotYet(40 * SECOND)));
        assert_eq!(lag(&history, "nobody"), None);
    }
}
