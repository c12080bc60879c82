//! Messages with their attempts, the outcome at each endpoint, and how many are broken.

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};

use super::super::attempt::Attempt;
use super::super::cause::CauseId;
use super::super::change::Origin;
use super::super::id::{EndpointId, EventId, MessageId, TaskId};
use super::super::message::{Log, Message, Payload};
use super::super::schedule::NextTry;
use super::super::time::Time;
use super::broken::Broken;
use super::by_time::ByTime;
use super::causes::{CauseSummary, Causes};
use super::delivery::{Delivery, Taken, Told};
use super::outcome::{Standing, Standings};
use super::reach::Reach;
use super::tries::{AllTries, Tries};

/// Broken messages that are looked at for whether they may not be so after all.
const LOOKED_AT: usize = 64;
/// Largest sum of payloads and responses kept.
const MAX_BYTES: usize = 128 << 20;

/// All messages in memory.
pub struct Deliveries {
    rows: HashMap<MessageId, Delivery>,
    /// Oldest first, by time and id.
    order: Vec<(Time, MessageId)>,
    by_event: HashMap<EventId, MessageId>,
    by_task: HashMap<TaskId, VecDeque<MessageId>>,
    failing: usize,
    standings: Standings,
    tries: AllTries,
    /// How far back the logs were read.
    pub(super) reach: Reach,
    /// Rows that came when newer ones were known, as the log was read back.
    n_read_back: u64,
    broken: Broken,
    causes: Causes,
    limit: usize,
    bytes: usize,
    evicted: u64,
    n_attempts_dropped: u64,
    n_answers_cut: u64,
    /// Messages that left memory broken.
    n_broken_let_go: u64,
}

impl Deliveries {
    pub fn new(limit: usize) -> Self {
        Self {
            rows: HashMap::new(),
            order: Vec::new(),
            by_event: HashMap::new(),
            by_task: HashMap::new(),
            failing: 0,
            standings: Standings::default(),
            tries: AllTries::default(),
            reach: Reach::default(),
            n_read_back: 0,
            broken: Broken::default(),
            causes: Causes::default(),
            limit: limit.max(1),
            bytes: 0,
            evicted: 0,
            n_attempts_dropped: 0,
            n_answers_cut: 0,
            n_broken_let_go: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Messages that an endpoint which was tried has not got.
    pub fn failing(&self) -> usize {
        self.failing
    }

    /// Messages that are still broken: an endpoint has not got them, nor a newer one of their task.
    pub fn broken(&self) -> &ByTime {
        self.broken.messages()
    }

    /// Whether a newer message of its task may have been delivered that is not known here: only its
    /// attempts are known, and so not of what task it is, or not all messages after it are read.
    pub fn is_unplaced(&self, delivery: &Delivery) -> bool {
        let before = self.reach.messages_before();
        let Some(message) = &delivery.message else {
            // Where no messages are told at all, none ever is placed.
            return self.reach.are_messages_told();
        };
        let is_before = before.is_some_and(|before| message.accepted < before);
        is_before && may_have_newer(message)
    }

    /// Whether the newest messages cannot be read now, so that one of its task may be among them.
    pub fn may_be_overtaken(&self, delivery: &Delivery) -> bool {
        let may_have_newer = delivery.message.as_ref().is_none_or(may_have_newer);
        may_have_newer && self.why_unread(&Log::Messages).is_some()
    }

    /// Whether some broken ones may not be so after all, for one of these reasons. The oldest are looked
    /// at, which are the first to be so.
    pub fn has_unplaced(&self) -> bool {
        let oldest = self.broken().entries().iter().take(LOOKED_AT);
        let mut oldest = oldest.filter_map(|(_, id)| self.get(id));
        self.broken.has_unplaced() && self.reach.are_messages_told()
            || oldest.any(|it| self.is_unplaced(it) || self.may_be_overtaken(it))
    }

    /// Whether the endpoint has got a newer message of the same task, which tells all that this
    /// one would.
    pub fn is_superseded(&self, delivery: &Delivery, endpoint: &EndpointId) -> bool {
        self.broken.is_superseded(delivery, endpoint)
    }

    /// Whether some were that left memory.
    pub fn has_let_broken_go(&self) -> bool {
        self.n_broken_let_go > 0
    }

    /// The causes of the failures that are meant, told of each message and cause.
    pub fn causes_of(&self, shows: impl Fn(&MessageId, CauseId) -> bool) -> Vec<CauseSummary> {
        self.causes.summaries_of(shows)
    }

    /// The causes of all failures: those that break most first, then the latest.
    pub fn causes(&self) -> Vec<CauseSummary> {
        self.causes.summaries()
    }

    /// One cause, if a message in memory failed by it.
    pub fn cause(&self, id: CauseId) -> Option<CauseSummary> {
        self.causes.summary(id)
    }

    /// How the messages stand at an endpoint, if one was tried there.
    pub fn standing(&self, endpoint: &EndpointId) -> Option<Standing> {
        self.standings.get(endpoint)
    }

    /// How the attempts at an endpoint went over time, if one ended there.
    pub fn tries(&self, endpoint: &EndpointId) -> Option<&Tries> {
        self.tries.get(endpoint)
    }

    /// Messages that left memory because of the limit.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Messages that were ever taken in, but for those that a log told as it was read back.
    pub fn n_new(&self) -> u64 {
        (self.rows.len() as u64 + self.evicted).saturating_sub(self.n_read_back)
    }

    /// Attempts that left memory though their message did not.
    pub fn n_attempts_dropped(&self) -> u64 {
        self.n_attempts_dropped
    }

    /// Answers of receivers of which the end was not kept.
    pub fn n_answers_cut(&self) -> u64 {
        self.n_answers_cut
    }

    pub fn get(&self, id: &MessageId) -> Option<&Delivery> {
        self.rows.get(id)
    }

    pub fn of_event(&self, event: &EventId) -> Option<&Delivery> {
        self.by_event.get(event).and_then(|id| self.rows.get(id))
    }

    /// The messages about a task, newest first.
    pub fn of_task(&self, task: &TaskId) -> impl Iterator<Item = &Delivery> + '_ {
        let mut known: Vec<&Delivery> = self
            .by_task
            .get(task)
            .into_iter()
            .flatten()
            .filter_map(|id| self.rows.get(id))
            .collect();
        known.sort_by(|a, b| (b.time(), &b.id).cmp(&(a.time(), &a.id)));
        known.into_iter()
    }

    /// The messages that decide whether a task's endpoints know how it stands, newest first: the
    /// latest one, and the latest that told its end. Who got a later message of progress alone was
    /// not told of the end.
    pub fn deciding(&self, task: &TaskId) -> impl Iterator<Item = &Delivery> + '_ {
        let mut is_end_seen = false;
        self.of_task(task).enumerate().filter_map(move |(n, row)| {
            let is_last_end = row.tells_end() && !is_end_seen;
            is_end_seen |= is_last_end;
            (n == 0 || is_last_end).then_some(row)
        })
    }

    /// Newest first.
    pub fn newest(&self) -> impl DoubleEndedIterator<Item = &Delivery> + '_ {
        self.order
            .iter()
            .rev()
            .filter_map(|(_, id)| self.rows.get(id))
    }

    /// All of them by time and id, oldest first.
    pub fn order(&self) -> &[(Time, MessageId)] {
        &self.order
    }

    /// The message that so many are newer than.
    pub fn nth_newest(&self, rank: usize) -> Option<&Delivery> {
        let at = self.order.len().checked_sub(rank + 1)?;
        self.rows.get(&self.order.get(at)?.1)
    }

    /// Takes a message in. What an earlier answer knew and this one leaves out stays known,
    /// whichever came first.
    pub(super) fn take_message(&mut self, message: Message, told: Told) {
        let held = self
            .rows
            .get(&message.id)
            .and_then(|row| row.message.clone());
        let merged = match held {
            Some(held) => merge(message, held),
            None => message,
        };
        self.unread(Log::Message(merged.id.clone()), None);
        self.forget_links(&merged.id);
        if let Some(event) = &merged.event {
            self.by_event.insert(event.clone(), merged.id.clone());
        }
        if let Some(task) = &merged.task {
            self.by_task
                .entry(task.clone())
                .or_default()
                .push_back(merged.id.clone());
        }
        if told.0 != Origin::Journal {
            self.reach.told(merged.accepted);
        }
        let id = merged.id.clone();
        self.with(&id, told, |row, _| row.message = Some(merged));
    }

    pub(super) fn take_attempt(&mut self, attempt: Attempt, told: Told) {
        let mut taken = Taken::default();
        let told_now = attempt.clone();
        // Before the limit is looked at, by which the message itself may go.
        self.with(&attempt.message.clone(), told, |row, tries| {
            taken = row.take(attempt);
            row.settle();
            if let Some(replaced) = &taken.replaced {
                tries.replace(replaced);
            }
            if taken.is_held {
                tries.add(&told_now);
            }
            if let Some(gone) = &taken.let_go {
                tries.let_go(gone);
            }
        });
        self.n_attempts_dropped += u64::from(taken.let_go.is_some());
        self.n_answers_cut += u64::from(taken.is_cut_anew);
    }

    pub(super) fn take_next(&mut self, next: NextTry, told: Told) {
        let id = next.message.clone();
        self.with(&id, told, |row, _| row.take_next(next));
    }

    pub(super) fn attempts_read(&mut self, message: &MessageId) {
        self.unread(Log::AttemptsOf(message.clone()), None);
        if let Some(row) = self.rows.get_mut(message) {
            row.is_read = true;
            row.nth_read = self.reach.next_read();
        }
    }

    /// Changes one row, keeping the order, the counts and the limit.
    fn with(
        &mut self,
        id: &MessageId,
        told: Told,
        change: impl FnOnce(&mut Delivery, &mut AllTries),
    ) {
        let is_new = !self.rows.contains_key(id);
        let row = self
            .rows
            .entry(id.clone())
            .or_insert_with(|| Delivery::new(id.clone()));
        let (was_failing, before, light) = (row.is_failing(), row.time(), row.weight());
        self.standings.remove(&row.outcomes);
        self.causes.remove(row);
        change(row, &mut self.tries);
        self.standings.add(&row.outcomes);
        let has_grown = self.broken.look(row);
        self.causes.add(row, &self.broken);
        row.told = told;
        let (is_failing, after, heavy) = (row.is_failing(), row.time(), row.weight());
        self.bytes = self.bytes + heavy - if is_new { 0 } else { light };
        self.failing = self.failing + usize::from(is_failing) - usize::from(was_failing);
        if is_new && self.reach.messages_before().is_some_and(|it| after <= it) {
            self.n_read_back += 1;
        }
        if is_new || before != after {
            if !is_new && let Ok(at) = self.order.binary_search(&(before, id.clone())) {
                self.order.remove(at);
            }
            let entry = (after, id.clone());
            let at = self.order.partition_point(|other| *other < entry);
            self.order.insert(at, entry);
        }
        if has_grown {
            self.look_at_task_of(id);
        }
        if self.rows.len() > self.limit || self.bytes > MAX_BYTES && self.rows.len() > 1 {
            self.evict();
        }
    }

    /// Looks again at which messages of a message's task are still broken, and by what.
    fn look_at_task_of(&mut self, id: &MessageId) {
        let message = self.rows.get(id).and_then(|row| row.message.as_ref());
        let task = message.and_then(|message| message.task.as_ref());
        for other in task
            .and_then(|task| self.by_task.get(task))
            .into_iter()
            .flatten()
        {
            if let Some(row) = self.rows.get(other) {
                self.broken.look(row);
                self.causes.remove(row);
                self.causes.add(row, &self.broken);
            }
        }
    }

    /// Lets the oldest that were delivered go, then the oldest of the others, a sixteenth of all at
    /// once, so that moving the order is rare.
    /// Lets the oldest go of those that are over, then of those that a newer one made needless, then of
    /// all.
    fn evict(&mut self) {
        let n_leaving = (self.rows.len() / 16).max(1).min(self.order.len());
        let rows = &self.rows;
        let is_finished = |id: &MessageId| rows.get(id).is_none_or(Delivery::is_delivered);
        let is_broken = |id: &MessageId| self.broken.messages().contains(id);
        let ids = || self.order.iter().map(|(_, id)| id);
        let finished = ids().filter(|id| is_finished(id));
        let is_failing = |id: &MessageId| rows.get(id).is_some_and(Delivery::is_failing);
        let is_needless = |id: &MessageId| is_failing(id) && !is_broken(id);
        let needless = ids().filter(|id| is_needless(id));
        let others = ids().filter(|id| !is_finished(id) && !is_needless(id));
        let all = finished.chain(needless).chain(others);
        let leaving: HashSet<MessageId> = all.take(n_leaving).cloned().collect();
        let n_broken = leaving.iter().filter(|id| is_broken(id)).count();
        self.n_broken_let_go += n_broken as u64;
        self.order.retain(|(_, id)| !leaving.contains(id));
        self.broken.retain(|id| !leaving.contains(id));
        for id in leaving {
            self.forget_links(&id);
            if let Some(row) = self.rows.remove(&id) {
                self.failing -= usize::from(row.is_failing());
                self.standings.remove(&row.outcomes);
                self.causes.remove(&row);
                for attempt in row.attempts() {
                    self.tries.let_go(attempt);
                }
                self.bytes -= row.weight();
                self.evicted += 1;
                self.unread(Log::Message(id.clone()), None);
                self.unread(Log::AttemptsOf(id), None);
            }
        }
        self.broken
            .keep_tasks(|task| self.by_task.contains_key(task));
    }

    /// Takes a message's event and task out of the indexes.
    fn forget_links(&mut self, id: &MessageId) {
        let Some(message) = self.rows.get(id).and_then(|row| row.message.as_ref()) else {
            return;
        };
        if let Some(event) = &message.event {
            self.by_event.remove(event);
        }
        if let Some(task) = &message.task
            && let Some(known) = self.by_task.get_mut(task)
        {
            known.retain(|other| other != id);
            if known.is_empty() {
                self.by_task.remove(task);
            }
        }
    }
}

/// Whether a newer message may tell all that this one does: it is about a task, or that is not known.
fn may_have_newer(message: &Message) -> bool {
    message.task.is_some() || !matches!(message.payload, Payload::Json(_))
}

/// What both answers about one message know together.
fn merge(new: Message, held: Message) -> Message {
    let payload = match (new.payload, held.payload) {
        (json @ Payload::Json(_), _) | (_, json @ Payload::Json(_)) => json,
        (Payload::Expired, _) | (_, Payload::Expired) => Payload::Expired,
        _ => Payload::Absent,
    };
    Message {
        payload,
        event: new.event.or(held.event),
        task: new.task.or(held.task),
        ..new
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::super::attempt::{AttemptNumber, AttemptStatus, Trigger};
    use super::super::super::id::AttemptId;
    use super::super::super::schedule::{Forecast, RetrySchedule};
    use super::super::delivery::MAX_ATTEMPTS;
    use super::super::outcome::OutcomeState;
    use super::*;

    fn attempt(n: i64, trigger: Trigger) -> Attempt {
        Attempt {
            id: AttemptId::new(&format!("atmpt_{n:05}")),
            message: MessageId::new("msg"),
            endpoint: EndpointId::new("ep"),
            url: "".into(),
            started: Time(n),
            status: AttemptStatus::Fail,
            code: 500,
            duration_ms: None,
            response: "".into(),
            trigger,
        }
    }

    #[test]
    fn attempts_beyond_the_bound_leave_the_numbers_of_the_others_as_they_were() {
        let all: Vec<Attempt> = (1..=MAX_ATTEMPTS as i64 + 88)
            .map(|n| match n {
                1..=8 => attempt(n, Trigger::Scheduled),
                _ => attempt(n, Trigger::Manual),
            })
            .collect();
        let orders = [all.clone(), all.iter().rev().cloned().collect()];
        for told in orders {
            let mut deliveries = Deliveries::new(10);
            // Told twice, as a list is read again.
            for attempt in told.iter().chain(&told) {
                deliveries.take_attempt(attempt.clone(), Told::default());
            }
            let id = MessageId::new("msg");
            let held = deliveries.get(&id).map(|held| {
                let number = |n: i64| held.number_of(&attempt(n, Trigger::Manual).id);
                let outcome = &held.outcomes[0];
                (
                    held.attempts().len(),
                    [number(1), number(8), number(9), number(600)],
                    (outcome.n_attempts, outcome.n_automatic),
                )
            });
            let number = |n| Some(AttemptNumber::Automatic(n));
            let expected = [number(1), number(8), None, Some(AttemptNumber::Manual)];
            assert_eq!(held, Some((MAX_ATTEMPTS, expected, (600, 8))));
        }
    }

    #[test]
    fn a_manual_attempt_has_no_number_and_moves_none() {
        let mut deliveries = Deliveries::new(10);
        let hands = [Trigger::Scheduled, Trigger::Manual, Trigger::Scheduled];
        for (n, trigger) in (1..).zip(hands) {
            deliveries.take_attempt(attempt(n, trigger), Told::default());
        }
        let held = deliveries.get(&MessageId::new("msg"));
        let numbers = held.map(|held| {
            let ids = held.attempts().iter().map(|attempt| &attempt.id);
            ids.map(|id| held.number_of(id)).collect::<Vec<_>>()
        });
        let number = |n| Some(AttemptNumber::Automatic(n));
        let expected = vec![number(1), Some(AttemptNumber::Manual), number(2)];
        assert_eq!(numbers, Some(expected));
        // The one that comes next is told by the same count.
        let endpoint = EndpointId::new("ep");
        let next = held.map(|held| held.forecast(&RetrySchedule::default(), &endpoint));
        assert!(matches!(next, Some(Forecast::Next { number: 3, .. })));
    }

    #[test]
    fn an_answer_that_is_cut_is_counted_once_and_known_when_it_is_told_again() {
        let mut deliveries = Deliveries::new(10);
        let mut long = attempt(1, Trigger::Scheduled);
        long.response = "x".repeat(30_000).into();
        for _ in 0..3 {
            deliveries.take_attempt(long.clone(), Told::default());
        }
        assert_eq!(deliveries.n_answers_cut(), 1);
        let held = deliveries.get(&long.message);
        assert!(held.is_some_and(|held| held.is_cut(&long.id) && held.holds(&long)));
        // What is as long as is kept is another answer.
        let mut other = long.clone();
        other.response = "x".repeat(20_000).into();
        assert!(held.is_some_and(|held| !held.holds(&other)));
        deliveries.take_attempt(other.clone(), Told::default());
        let held = deliveries.get(&long.message);
        assert!(held.is_some_and(|held| !held.is_cut(&long.id) && held.holds(&other)));
        assert_eq!(deliveries.n_answers_cut(), 1);
    }

    #[test]
    fn what_leaves_memory_broken_is_remembered() {
        let mut deliveries = Deliveries::new(6);
        let mut take = |n: i64, status: AttemptStatus| {
            let own = Attempt {
                message: MessageId::new(&format!("m{n}")),
                status,
                ..attempt(n, Trigger::Scheduled)
            };
            deliveries.take_attempt(own, Told::default());
            (deliveries.broken().len(), deliveries.has_let_broken_go())
        };
        for n in 0..3 {
            take(n, AttemptStatus::Fail);
        }
        for n in 3..12 {
            assert_eq!(take(n, AttemptStatus::Success), (3, false), "{n}");
        }
        for n in 12..15 {
            assert!(!take(n, AttemptStatus::Fail).1, "{n}");
        }
        let mut end = (0, false);
        for n in 15..24 {
            end = take(n, AttemptStatus::Fail);
        }
        assert!(end.0 <= 6 && end.1, "{end:?}");
    }

    fn counted(deliveries: &Deliveries) -> BTreeMap<EndpointId, Standing> {
        let mut counted: BTreeMap<EndpointId, Standing> = BTreeMap::new();
        for outcome in deliveries.newest().flat_map(|row| &row.outcomes) {
            let standing = counted.entry(outcome.endpoint.clone()).or_default();
            match outcome.state {
                OutcomeState::Delivered => standing.delivered += 1,
                OutcomeState::Failed => standing.failing += 1,
                OutcomeState::Sending | OutcomeState::Canceled => standing.other += 1,
            }
        }
        counted
    }

    proptest! {
        #[test]
        fn the_counts_are_those_of_the_messages_in_memory(
            told in proptest::collection::vec((0_u8..30, 0_u8..4, 0_u8..4, 0_i64..90), 0..200),
        ) {
            let mut deliveries = Deliveries::new(12);
            for (message, endpoint, status, at) in told {
                let status = match status {
                    0 => AttemptStatus::Success,
                    1 => AttemptStatus::Fail,
                    2 => AttemptStatus::Canceled,
                    _ => AttemptStatus::Sending,
                };
                let attempt = Attempt {
                    id: AttemptId::new(&format!("a{message}-{endpoint}-{at}")),
                    message: MessageId::new(&format!("m{message}")),
                    endpoint: EndpointId::new(&format!("e{endpoint}")),
                    url: "".into(),
                    started: Time(at),
                    status,
                    code: 0,
                    duration_ms: None,
                    response: "".into(),
                    trigger: Trigger::Scheduled,
                };
                deliveries.take_attempt(attempt, Told::default());
                let counted = counted(&deliveries);
                for n in 0..4 {
                    let id = EndpointId::new(&format!("e{n}"));
                    prop_assert_eq!(deliveries.standing(&id), counted.get(&id).copied());
                }
            }
        }
    }
}
