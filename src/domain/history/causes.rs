//! The causes of all failures in memory, kept as messages come, change and go.

use hashbrown::{HashMap, HashSet};

use super::super::cause::{Cause, CauseId};
use super::super::id::MessageId;
use super::super::time::Time;
use super::broken::Broken;
use super::delivery::Delivery;
use super::outcome::OutcomeState;

/// A cause with the messages that an attempt failed for by it.
#[derive(Debug)]
struct Known {
    cause: Cause,
    messages: HashSet<MessageId>,
}

/// An index over the messages in memory, so that it is bounded as they are.
#[derive(Debug, Default)]
pub(super) struct Causes(HashMap<CauseId, Known>);

impl Causes {
    pub fn add(&mut self, row: &Delivery) {
        for (attempt, id) in row.attempts().iter().zip(row.causes()) {
            let Some(id) = id else {
                continue;
            };
            if !self.0.contains_key(id)
                && let Some(cause) = Cause::of(attempt)
            {
                let messages = HashSet::new();
                self.0.insert(*id, Known { cause, messages });
            }
            if let Some(known) = self.0.get_mut(id) {
                known.messages.insert(row.id.clone());
            }
        }
    }

    pub fn remove(&mut self, row: &Delivery) {
        for id in row.causes().iter().flatten() {
            if let Some(known) = self.0.get_mut(id) {
                known.messages.remove(&row.id);
                if known.messages.is_empty() {
                    self.0.remove(id);
                }
            }
        }
    }
}

/// What one cause did, as far as it is in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CauseSummary {
    pub cause: Cause,
    /// When the first and the last attempt that failed by it began.
    pub first: Time,
    pub last: Time,
    pub n_attempts: usize,
    pub n_messages: usize,
    pub n_tasks: usize,
    /// Messages that failed by it last and are still broken at its endpoint.
    pub n_broken: usize,
}

impl Causes {
    pub fn summaries<'a>(
        &self,
        row: impl Fn(&MessageId) -> Option<&'a Delivery>,
        broken: &Broken,
    ) -> Vec<CauseSummary> {
        let known = self.0.values();
        let mut found: Vec<CauseSummary> = known.map(|known| sum(known, &row, broken)).collect();
        found.sort_by(|a, b| {
            (b.n_broken, b.last, b.cause.id).cmp(&(a.n_broken, a.last, a.cause.id))
        });
        found
    }

    pub fn summary<'a>(
        &self,
        id: CauseId,
        row: impl Fn(&MessageId) -> Option<&'a Delivery>,
        broken: &Broken,
    ) -> Option<CauseSummary> {
        self.0.get(&id).map(|known| sum(known, &row, broken))
    }
}

fn sum<'a>(
    known: &Known,
    row: &impl Fn(&MessageId) -> Option<&'a Delivery>,
    broken: &Broken,
) -> CauseSummary {
    let mut sum = CauseSummary {
        cause: known.cause.clone(),
        first: Time(i64::MAX),
        last: Time(i64::MIN),
        n_attempts: 0,
        n_messages: known.messages.len(),
        n_tasks: 0,
        n_broken: 0,
    };
    let mut tasks = HashSet::new();
    for row in known.messages.iter().filter_map(row) {
        tasks.extend(row.message.as_ref().and_then(|it| it.task.as_ref()));
        let endpoint = &known.cause.endpoint;
        let mut last_cause = None;
        for (attempt, id) in row.attempts().iter().zip(row.causes()) {
            if attempt.endpoint != *endpoint {
                continue;
            }
            last_cause = *id;
            if *id == Some(known.cause.id) {
                sum.n_attempts += 1;
                sum.first = sum.first.min(attempt.started);
                sum.last = sum.last.max(attempt.started);
            }
        }
        let outcome = row.outcome(endpoint);
        let is_failed = outcome.is_some_and(|it| it.state == OutcomeState::Failed);
        sum.n_broken += usize::from(
            is_failed && last_cause == Some(known.cause.id) && !broken.is_superseded(row, endpoint),
        );
    }
    sum.n_tasks = tasks.len();
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::attempt::{Attempt, AttemptStatus, Trigger};
    use super::super::super::event::EventType;
    use super::super::super::id::{AttemptId, EndpointId, TaskId};
    use super::super::super::message::{Message, Payload};
    use super::super::{Deliveries, Told};
    use super::*;

    type Step = (u8, u8, u8, u8, i64);

    fn message(n: u8) -> Message {
        Message {
            id: MessageId::new(&format!("m{n}")),
            event: None,
            kind: EventType::TaskProgress,
            accepted: Time(i64::from(n)),
            task: Some(TaskId::new(&format!("t{}", n % 3))),
            payload: Payload::Absent,
        }
    }

    fn attempt((message, endpoint, end, answer, at): Step) -> Attempt {
        let (status, code) = match end {
            0 => (AttemptStatus::Success, 200),
            1 => (AttemptStatus::Sending, 0),
            _ => (AttemptStatus::Fail, 500),
        };
        Attempt {
            id: AttemptId::new(&format!("a{message}-{endpoint}-{end}-{answer}-{at}")),
            message: MessageId::new(&format!("m{message}")),
            endpoint: EndpointId::new(&format!("e{endpoint}")),
            url: "".into(),
            started: Time(at),
            status,
            code,
            duration_ms: None,
            response: ["reset by 10.0.0.7", "no room 12", ""][usize::from(answer % 3)].into(),
            trigger: Trigger::Scheduled,
        }
    }

    fn told(limit: usize, steps: &[Step]) -> Deliveries {
        let mut deliveries = Deliveries::new(limit);
        for step in steps {
            deliveries.take_attempt(attempt(*step), Told::default());
            if step.4 % 4 != 0 {
                deliveries.take_message(message(step.0), Told::default());
            }
        }
        deliveries
    }

    fn rebuilt(held: &Deliveries) -> Deliveries {
        let mut deliveries = Deliveries::new(1000);
        for row in held.newest() {
            if let Some(message) = &row.message {
                deliveries.take_message(message.clone(), Told::default());
            }
            for attempt in row.attempts() {
                deliveries.take_attempt(attempt.clone(), Told::default());
            }
        }
        deliveries
    }

    /// By the definition, with no index.
    fn broken_by_hand(held: &Deliveries) -> Vec<MessageId> {
        let is_newer = |row: &Delivery, endpoint: &EndpointId| {
            let task = row.message.as_ref().and_then(|it| it.task.clone());
            task.is_some_and(|task| {
                held.of_task(&task).any(|other| {
                    let outcome = other.outcome(endpoint);
                    other.time() > row.time()
                        && outcome.is_some_and(|it| it.state == OutcomeState::Delivered)
                })
            })
        };
        let is_broken = |row: &&Delivery| {
            row.outcomes.iter().any(|outcome| {
                outcome.state == OutcomeState::Failed && !is_newer(row, &outcome.endpoint)
            })
        };
        let mut ids: Vec<_> = held
            .newest()
            .filter(is_broken)
            .map(|it| it.id.clone())
            .collect();
        ids.sort();
        ids
    }

    proptest! {
        #[test]
        fn kept_as_they_come_they_are_those_of_a_rebuilt_history(
            steps in proptest::collection::vec((0_u8..12, 0_u8..3, 0_u8..5, 0_u8..3, 0_i64..40), 0..80),
        ) {
            let held = told(1000, &steps);
            let again = rebuilt(&held);
            prop_assert_eq!(held.causes(), again.causes());
            let ids: Vec<MessageId> = held.broken().iter().cloned().collect();
            prop_assert_eq!(&ids, &again.broken().iter().cloned().collect::<Vec<_>>());
            prop_assert_eq!(ids, broken_by_hand(&held));
        }

        #[test]
        fn what_left_memory_leaves_the_causes(
            steps in proptest::collection::vec((0_u8..12, 0_u8..3, 0_u8..5, 0_u8..3, 0_i64..40), 0..80),
        ) {
            let held = told(4, &steps);
            let ids = |causes: Vec<CauseSummary>| {
                let mut ids: Vec<_> = causes
                    .into_iter()
                    .map(|sum| (sum.cause.id, sum.n_attempts, sum.n_messages, sum.first, sum.last))
                    .collect();
                ids.sort();
                ids
            };
            prop_assert_eq!(ids(held.causes()), ids(rebuilt(&held).causes()));
            prop_assert!(held.broken().iter().all(|id| held.get(id).is_some()));
        }
    }
}
