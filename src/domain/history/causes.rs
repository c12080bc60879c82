//! The causes of all failures in memory, kept as messages come, change and go.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::super::cause::{Cause, CauseId};
use super::super::id::{MessageId, TaskId};
use super::super::time::Time;
use super::broken::Broken;
use super::delivery::Delivery;
use super::outcome::OutcomeState;

/// A cause with its share in each message that an attempt failed for by it, and the sums of these.
#[derive(Debug)]
struct Known {
    cause: Cause,
    shares: HashMap<MessageId, Share>,
    n_attempts: usize,
    n_broken: usize,
    /// In how many messages each task has a share.
    tasks: HashMap<TaskId, usize>,
    firsts: BTreeSet<(Time, MessageId)>,
    lasts: BTreeSet<(Time, MessageId)>,
}

/// What a cause did to one message.
#[derive(Debug, Clone)]
struct Share {
    n_attempts: usize,
    first: Time,
    last: Time,
    task: Option<TaskId>,
    is_broken: bool,
}

impl Known {
    fn new(cause: Cause) -> Self {
        Self {
            cause,
            shares: HashMap::new(),
            n_attempts: 0,
            n_broken: 0,
            tasks: HashMap::new(),
            firsts: BTreeSet::new(),
            lasts: BTreeSet::new(),
        }
    }

    fn add(&mut self, id: &MessageId, share: Share) {
        self.n_attempts += share.n_attempts;
        self.n_broken += usize::from(share.is_broken);
        if let Some(task) = &share.task {
            *self.tasks.entry_ref(task).or_default() += 1;
        }
        self.firsts.insert((share.first, id.clone()));
        self.lasts.insert((share.last, id.clone()));
        self.shares.insert(id.clone(), share);
    }

    fn remove(&mut self, id: &MessageId) {
        let Some(share) = self.shares.remove(id) else {
            return;
        };
        self.n_attempts -= share.n_attempts;
        self.n_broken -= usize::from(share.is_broken);
        if let Some(task) = share.task
            && let Some(n) = self.tasks.get_mut(&task)
        {
            *n -= 1;
            if *n == 0 {
                self.tasks.remove(&task);
            }
        }
        self.firsts.remove(&(share.first, id.clone()));
        self.lasts.remove(&(share.last, id.clone()));
    }

    /// The same of those messages alone.
    fn of(&self, shows: impl Fn(&MessageId) -> bool) -> Self {
        let mut some = Self::new(self.cause.clone());
        for (id, share) in self.shares.iter().filter(|(id, _)| shows(id)) {
            some.add(id, share.clone());
        }
        some
    }

    fn summary(&self) -> Option<CauseSummary> {
        Some(CauseSummary {
            cause: self.cause.clone(),
            first: self.firsts.first()?.0,
            last: self.lasts.last()?.0,
            n_attempts: self.n_attempts,
            n_messages: self.shares.len(),
            n_tasks: self.tasks.len(),
            n_broken: self.n_broken,
        })
    }
}

/// An index over the messages in memory, so that it is bounded as they are.
#[derive(Debug, Default)]
pub(super) struct Causes(HashMap<CauseId, Known>);

impl Causes {
    /// Takes in what failed for a message, which is not counted yet.
    pub fn add(&mut self, row: &Delivery, broken: &Broken) {
        for (attempt, id) in row.attempts().iter().zip(row.causes()) {
            let Some(id) = id else {
                continue;
            };
            if !self.0.contains_key(id)
                && let Some(cause) = Cause::of(attempt)
            {
                self.0.insert(*id, Known::new(cause));
            }
            if let Some(known) = self.0.get_mut(id)
                && !known.shares.contains_key(&row.id)
                && let Some(share) = share(&known.cause, row, broken)
            {
                known.add(&row.id, share);
            }
        }
    }

    /// Takes out what failed for a message, as it was taken in.
    pub fn remove(&mut self, row: &Delivery) {
        for id in row.causes().iter().flatten() {
            if let Some(known) = self.0.get_mut(id) {
                known.remove(&row.id);
                if known.shares.is_empty() {
                    self.0.remove(id);
                }
            }
        }
    }
}

fn share(cause: &Cause, row: &Delivery, broken: &Broken) -> Option<Share> {
    let mut at_endpoint = row
        .attempts()
        .iter()
        .zip(row.causes())
        .filter(|(attempt, _)| attempt.endpoint == cause.endpoint);
    let by_cause = at_endpoint
        .clone()
        .filter(|(_, id)| **id == Some(cause.id))
        .map(|(attempt, _)| attempt.started);
    let is_last = at_endpoint
        .next_back()
        .is_some_and(|(_, id)| *id == Some(cause.id));
    let outcome = row.outcome(&cause.endpoint);
    let is_failed = outcome.is_some_and(|it| it.state == OutcomeState::Failed);
    Some(Share {
        n_attempts: by_cause.clone().count(),
        first: by_cause.clone().min()?,
        last: by_cause.max()?,
        task: row.message.as_ref().and_then(|it| it.task.clone()),
        is_broken: is_failed && is_last && !broken.is_superseded(row, &cause.endpoint),
    })
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
    /// Those that break most first, then the latest.
    pub fn summaries(&self) -> Vec<CauseSummary> {
        Self::sorted(self.0.values().filter_map(Known::summary))
    }

    /// The same, counting of each cause the messages that are meant alone.
    pub fn summaries_of(&self, shows: impl Fn(&MessageId, CauseId) -> bool) -> Vec<CauseSummary> {
        let known = self.0.values();
        Self::sorted(
            known.filter_map(|known| known.of(|message| shows(message, known.cause.id)).summary()),
        )
    }

    fn sorted(found: impl Iterator<Item = CauseSummary>) -> Vec<CauseSummary> {
        let mut found: Vec<CauseSummary> = found.collect();
        found.sort_by(|a, b| {
            (b.n_broken, b.last, b.cause.id).cmp(&(a.n_broken, a.last, a.cause.id))
        });
        found
    }

    pub fn summary(&self, id: CauseId) -> Option<CauseSummary> {
        self.0.get(&id)?.summary()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::super::super::attempt::{Attempt, AttemptStatus, Trigger};
    use super::super::super::event::EventType;
    use super::super::super::id::{AttemptId, EndpointId};
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

    /// By the definition, with no sums that are kept.
    fn causes_by_hand(held: &Deliveries) -> Vec<CauseSummary> {
        let mut ids: Vec<CauseId> = held
            .newest()
            .flat_map(|row| row.causes().iter().flatten().copied())
            .collect();
        ids.sort();
        ids.dedup();
        let mut found: Vec<CauseSummary> = ids
            .into_iter()
            .filter_map(|id| sum_by_hand(held, id))
            .collect();
        found.sort_by(|a, b| {
            (b.n_broken, b.last, b.cause.id).cmp(&(a.n_broken, a.last, a.cause.id))
        });
        found
    }

    fn sum_by_hand(held: &Deliveries, id: CauseId) -> Option<CauseSummary> {
        let of_row = |row: &'_ Delivery| -> Vec<Attempt> {
            let attempts = row.attempts().iter().zip(row.causes());
            attempts
                .filter(|(_, by)| **by == Some(id))
                .map(|(attempt, _)| attempt.clone())
                .collect()
        };
        let rows: Vec<&Delivery> = held
            .newest()
            .filter(|row| !of_row(row).is_empty())
            .collect();
        let failed: Vec<Attempt> = rows.iter().flat_map(|row| of_row(row)).collect();
        let cause = Cause::of(failed.first()?)?;
        let is_broken = |row: &&&Delivery| {
            let last = row.attempts_at(&cause.endpoint).into_iter().next_back();
            row.outcome(&cause.endpoint)
                .is_some_and(|it| it.state == OutcomeState::Failed)
                && last.is_some_and(|last| Cause::of(last).is_some_and(|it| it.id == id))
                && !held.is_superseded(row, &cause.endpoint)
        };
        let tasks: HashSet<TaskId> = rows
            .iter()
            .filter_map(|row| row.message.as_ref()?.task.clone())
            .collect();
        Some(CauseSummary {
            first: failed.iter().map(|it| it.started).min()?,
            last: failed.iter().map(|it| it.started).max()?,
            n_attempts: failed.len(),
            n_messages: rows.len(),
            n_tasks: tasks.len(),
            n_broken: rows.iter().filter(is_broken).count(),
            cause: cause.clone(),
        })
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
        let oldest = held.newest().rev();
        oldest.filter(is_broken).map(|it| it.id.clone()).collect()
    }

    fn broken(held: &Deliveries) -> Vec<MessageId> {
        let entries = held.broken().entries().iter();
        entries.map(|(_, id)| id.clone()).collect()
    }

    proptest! {
        #[test]
        fn kept_as_they_come_they_are_those_of_a_rebuilt_history(
            steps in proptest::collection::vec((0_u8..12, 0_u8..3, 0_u8..5, 0_u8..3, 0_i64..40), 0..80),
        ) {
            let held = told(1000, &steps);
            let again = rebuilt(&held);
            prop_assert_eq!(held.causes(), again.causes());
            prop_assert_eq!(held.causes(), causes_by_hand(&held));
            let ids: Vec<MessageId> = broken(&held);
            prop_assert_eq!(&ids, &broken(&again));
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
            prop_assert_eq!(held.causes(), causes_by_hand(&held));
            prop_assert!(broken(&held).iter().all(|id| held.get(id).is_some()));
        }
    }
}
