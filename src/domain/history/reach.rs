//! How far back the logs of messages and attempts were read, and so what may be missing here.

use std::sync::Arc;

use hashbrown::HashMap;

use super::super::id::EndpointId;
use super::super::link::Ability;
use super::super::message::{Log, LogReach, NotRead};
use super::super::time::Time;
use super::delivery::Delivery;
use super::{Deliveries, History};

/// Endpoints of which it is kept how far back their log was read, and logs of which it is kept why
/// they cannot be.
const MAX_LOGS: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Reach {
    /// From when on the attempts at an endpoint were read; `None` where all of its log was.
    attempts: HashMap<EndpointId, Option<Time>>,
    /// When those were read last whose newest attempts cannot be read any more.
    until: HashMap<EndpointId, Time>,
    /// How far back the log of messages was read; `None` before it was.
    messages: Option<LogReach>,
    /// When the oldest message was accepted that the service told in this run.
    oldest_told: Option<Time>,
    /// Why logs could not be read when they were tried last.
    troubles: HashMap<Log, Arc<str>>,
    /// Messages whose attempts were all read by their ids, counted each time.
    n_reads: u64,
    /// How many they were as the log of an endpoint broke off that cannot be read now.
    broken_off: HashMap<EndpointId, u64>,
}

impl Reach {
    /// Takes note of a message that the service told in this run.
    pub fn told(&mut self, accepted: Time) {
        let known = self.oldest_told.into_iter();
        self.oldest_told = known.chain([accepted]).min();
    }

    /// Whether the service tells messages in this run, or cannot only for now.
    pub fn are_messages_told(&self) -> bool {
        self.messages.is_some() || self.troubles.contains_key(&Log::Messages)
    }

    /// The number of one more look at all attempts of a message.
    pub fn next_read(&mut self) -> u64 {
        self.n_reads += 1;
        self.n_reads
    }

    /// Whether all attempts of a message at an endpoint were known at some time since which the
    /// endpoint's log did not break off.
    fn is_read(&self, delivery: &Delivery, endpoint: &EndpointId) -> bool {
        let broken_off = self.broken_off.get(endpoint);
        delivery.is_read && broken_off.is_none_or(|n| delivery.nth_read > *n)
    }

    /// Before when messages may be missing, where the log was read.
    pub fn messages_before(&self) -> Option<Time> {
        self.messages.as_ref().and_then(LogReach::before)
    }
}

impl Deliveries {
    pub(super) fn attempts_from(&mut self, endpoint: EndpointId, from: Option<Time>) {
        let attempts = &mut self.reach.attempts;
        if attempts.len() < MAX_LOGS || attempts.contains_key(&endpoint) {
            attempts.insert(endpoint, from);
        }
    }

    pub(super) fn attempts_until(&mut self, endpoint: EndpointId, until: Time) {
        let known = &mut self.reach.until;
        if known.len() < MAX_LOGS || known.contains_key(&endpoint) {
            known.insert(endpoint, until);
        }
    }

    pub(super) fn messages_read(&mut self, reach: LogReach) {
        self.reach.messages = Some(reach);
    }

    pub(super) fn unread(&mut self, log: Log, why: Option<Arc<str>>) {
        let reach = &mut self.reach;
        let Some(why) = why else {
            if let Log::Attempts(endpoint) = &log {
                reach.broken_off.remove(endpoint);
            }
            reach.troubles.remove(&log);
            return;
        };
        if reach.troubles.len() < MAX_LOGS || reach.troubles.contains_key(&log) {
            if let Log::Attempts(endpoint) = &log {
                let n_reads = reach.n_reads;
                reach.broken_off.entry_ref(endpoint).or_insert(n_reads);
            }
            reach.troubles.insert(log, why);
        }
    }

    /// Why something could not be read when it was tried last, if it could not.
    pub fn why_unread(&self, log: &Log) -> Option<&Arc<str>> {
        self.reach.troubles.get(log)
    }

    /// Whether older attempts of a message at an endpoint may not be known here: it was accepted
    /// before what was read of that endpoint's log, and nothing older is known of it.
    pub fn is_partial(&self, delivery: &Delivery, endpoint: &EndpointId) -> bool {
        let from = self.reach.attempts.get(endpoint);
        let Some(Some(from)) = from.filter(|_| !delivery.is_read) else {
            return false;
        };
        let is_younger = (delivery.message.as_ref()).is_some_and(|it| it.accepted >= *from);
        let mut attempts = delivery.attempts().iter();
        let first = attempts.find(|attempt| attempt.endpoint == *endpoint);
        !is_younger && first.is_some_and(|attempt| attempt.started >= *from)
    }

    /// Whether some attempts of a message at an endpoint are known, and others may be there: older
    /// ones, or newer ones where its newest are not read in this run.
    pub(super) fn is_in_part(&self, delivery: &Delivery, endpoint: &EndpointId) -> bool {
        let is_read = self.reach.is_read(delivery, endpoint);
        !is_read && (!self.is_followed(endpoint) || self.is_partial(delivery, endpoint))
    }

    /// Whether attempts of a message at an endpoint may be there of which none is known here: it was
    /// accepted before what was read of that endpoint's log, if any of it was.
    pub(super) fn is_unread(&self, delivery: &Delivery, endpoint: &EndpointId) -> bool {
        let is_read = self.reach.is_read(delivery, endpoint);
        let is_known = is_read || delivery.outcome(endpoint).is_some();
        let is_failing = self.why_attempts_unread(endpoint).is_some();
        let is_read_back = |from: &Option<Time>| {
            let accepted = delivery.message.as_ref().map(|it| it.accepted);
            from.is_none_or(|from| accepted.is_some_and(|accepted| accepted >= from))
        };
        let from = self.reach.attempts.get(endpoint);
        !is_known && (is_failing || !from.is_some_and(is_read_back))
    }

    /// Why the newest attempts at an endpoint could not be read when they were tried last.
    pub fn why_attempts_unread(&self, endpoint: &EndpointId) -> Option<&Arc<str>> {
        if self.reach.troubles.is_empty() {
            return None;
        }
        self.why_unread(&Log::Attempts(endpoint.clone()))
    }

    /// Whether the newest attempts at an endpoint are read: in this run, and when that was tried last.
    fn is_followed(&self, endpoint: &EndpointId) -> bool {
        self.reach.attempts.contains_key(endpoint) && self.why_attempts_unread(endpoint).is_none()
    }

    /// Whether what is known of the attempts at an endpoint may be over: there are some, and its log is
    /// not followed. It broke off after they were read, or they are of an earlier run or were read with
    /// single messages before it was read at all.
    fn is_as_read(&self, endpoint: &EndpointId) -> bool {
        !self.is_followed(endpoint) && self.standing(endpoint).is_some()
    }

    /// Before when attempts at an endpoint may be missing here, though messages of then are shown:
    /// its log was not read back as far, or not at all. Of what an earlier run left, nothing is read
    /// again.
    pub(super) fn unread_before(&self, endpoint: &EndpointId) -> Option<Time> {
        let all = Some(Time(i64::MAX));
        if self.why_attempts_unread(endpoint).is_some() {
            return all;
        }
        let oldest = self.order().first().map(|(time, _)| *time);
        let oldest = self.reach.oldest_told?.max(oldest?);
        // One older message that was read by its id does not make others known.
        let oldest = oldest.max(self.reach.messages_before().unwrap_or(oldest));
        match self.reach.attempts.get(endpoint) {
            Some(from) => from.filter(|from| *from > oldest),
            None => all,
        }
    }
}

/// What is to be held of a count of messages or their failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// All that there are.
    Whole,
    /// More may be there that are not read, or left memory, and none is over: the newest attempts are read wherever
    /// some are known.
    AtLeast,
    /// As many as are known, be it more or fewer: attempts are known at an endpoint whose newest are
    /// not, so that what failed may have been delivered since, or of messages that are not read
    /// themselves, so that newer ones may have made them needless.
    AsRead,
}

impl History {
    /// Before when attempts may be missing though messages of then are shown; the far future where
    /// those of an endpoint were not read at all, or the newest cannot be read now.
    pub fn attempts_unread_before(&self) -> Option<Time> {
        let endpoints = self.endpoints.keys();
        endpoints
            .filter_map(|id| self.deliveries.unread_before(id))
            .max()
    }

    /// Before when messages may be missing, as the service's log of them was not read back to its
    /// beginning in this run; the far future where none of it was, or the newest cannot be read now.
    /// What an earlier run left need not be all that there was.
    pub fn messages_unread_before(&self) -> Option<Time> {
        match &self.deliveries.reach.messages {
            Some(reach) if self.deliveries.why_unread(&Log::Messages).is_none() => reach.before(),
            _ => Some(Time(i64::MAX)),
        }
    }

    /// Why the log of messages is not read any further, if it is not.
    pub fn why_messages_unread(&self) -> Option<&str> {
        let deliveries = &self.deliveries;
        let newest = deliveries.why_unread(&Log::Messages);
        let older = || deliveries.why_unread(&Log::OlderMessages);
        match (&deliveries.reach.messages, &self.abilities.messages) {
            _ if newest.is_some() => newest.map(|why| &**why),
            (Some(LogReach::Stopped(_, why)), _) => Some(why),
            (Some(LogReach::From(_)), _) => older().map(|why| &**why),
            (None, Ability::Absent(_)) => Some("this server does not tell them"),
            _ => None,
        }
    }

    /// Why nothing, or nothing new, is known of the messages.
    pub fn messages_not_read(&self) -> Option<NotRead<'_>> {
        let is_read = self.deliveries.reach.messages.is_some();
        self.not_read(&Log::Messages, &self.abilities.messages, is_read)
    }

    /// Why nothing, or nothing new, is known of the attempts at an endpoint.
    pub fn attempts_not_read(&self, endpoint: &EndpointId) -> Option<NotRead<'_>> {
        let log = Log::Attempts(endpoint.clone());
        let is_read = self.is_log_read(endpoint);
        self.not_read(&log, &self.abilities.attempts, is_read)
    }

    /// When the newest attempts at an endpoint were read last, where they were and cannot be any more.
    pub fn attempts_read_until(&self, endpoint: &EndpointId) -> Option<Time> {
        self.deliveries.why_attempts_unread(endpoint)?;
        self.deliveries.reach.until.get(endpoint).copied()
    }

    /// Whether the attempts that are known at an endpoint are a run of its log, as that was read in this
    /// run. Else they are some of an earlier run, or of messages that were read by themselves, of which
    /// most are those that fail: no measure of how it fares.
    pub fn is_log_read(&self, endpoint: &EndpointId) -> bool {
        self.deliveries.reach.attempts.contains_key(endpoint)
    }

    /// Why it is not known which endpoints there are.
    pub fn endpoints_not_read(&self) -> Option<NotRead<'_>> {
        let is_read = self.listed.is_some();
        self.not_read(&Log::Endpoints, &self.abilities.endpoint_list, is_read)
    }

    fn not_read(&self, log: &Log, ability: &Ability, is_read: bool) -> Option<NotRead<'_>> {
        match (self.deliveries.why_unread(log), ability) {
            (Some(why), _) => Some(NotRead::Failed(why)),
            (None, _) if is_read => None,
            (None, Ability::Absent(_)) => Some(NotRead::Absent),
            (None, _) => Some(NotRead::Yet),
        }
    }

    /// The endpoints whose newest attempts cannot be read now, with why.
    pub fn failing_logs(&self) -> impl Iterator<Item = (&EndpointId, &str)> {
        let troubles = self.deliveries.reach.troubles.iter();
        troubles.filter_map(|(log, why)| match log {
            Log::Attempts(endpoint) if self.endpoints.contains_key(endpoint) => {
                Some((endpoint, &**why))
            }
            _ => None,
        })
    }

    /// Why older attempts are not read any further at the endpoint where most are missing.
    pub fn why_older_attempts_unread(&self, before: Time) -> Option<&str> {
        let deliveries = &self.deliveries;
        let mut at = self.endpoints.keys();
        let endpoint = at.find(|id| deliveries.unread_before(id) == Some(before))?;
        let why = deliveries.why_unread(&Log::OlderAttempts(endpoint.clone()));
        why.map(|why| &**why)
    }

    /// What is to be held of the counts of messages and their failures.
    pub fn counted(&self) -> Counted {
        let mut endpoints = self.endpoints.keys();
        if self.deliveries.has_unplaced()
            || endpoints.any(|endpoint| self.deliveries.is_as_read(endpoint))
        {
            Counted::AsRead
        } else if self.deliveries.has_let_broken_go()
            || self.messages_unread_before().is_some()
            || self.attempts_unread_before().is_some()
        {
            Counted::AtLeast
        } else {
            Counted::Whole
        }
    }

    /// The same of what is counted of one endpoint.
    pub fn counted_at(&self, endpoint: &EndpointId) -> Counted {
        let deliveries = &self.deliveries;
        if deliveries.is_as_read(endpoint) {
            Counted::AsRead
        } else if deliveries.has_let_broken_go()
            || self.messages_unread_before().is_some()
            || deliveries.unread_before(endpoint).is_some()
        {
            Counted::AtLeast
        } else {
            Counted::Whole
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::attempt::{Attempt, AttemptStatus, Trigger};
    use super::super::super::change::ChangeKind;
    use super::super::super::endpoint::Endpoint;
    use super::super::super::event::EventType;
    use super::super::super::id::{AttemptId, MessageId};
    use super::super::super::message::{Message, Payload};
    use super::super::tests::told;
    use super::*;

    #[test]
    fn a_log_that_fails_is_in_part_until_it_answers_again() {
        let mut history = History::default();
        let endpoint = EndpointId::new("ep");
        row(&mut history, 50);
        told(&mut history, 0, ChangeKind::MessagesRead(LogReach::Whole));
        let whole = ChangeKind::AttemptsFrom {
            endpoint: endpoint.clone(),
            from: None,
        };
        assert_eq!(history.attempts_not_read(&endpoint), Some(NotRead::Yet));
        told(&mut history, 0, whole);
        assert_eq!(history.attempts_not_read(&endpoint), None);
        assert_eq!(history.messages_not_read(), None);
        for log in [Log::Attempts(endpoint.clone()), Log::Messages] {
            let why = |why: Option<&str>| ChangeKind::Unread {
                log: log.clone(),
                why: why.map(Into::into),
            };
            told(&mut history, 0, why(Some("500")));
            // What failed there may have been delivered since, or a newer message of its task.
            assert_eq!(history.counted(), Counted::AsRead, "{log:?}");
            let at_endpoint = match log {
                Log::Attempts(_) => Counted::AsRead,
                _ => Counted::AtLeast,
            };
            assert_eq!(history.counted_at(&endpoint), at_endpoint, "{log:?}");
            let failed = Some(NotRead::Failed("500"));
            let is_of_messages = log == Log::Messages;
            assert_eq!(history.messages_not_read() == failed, is_of_messages);
            assert_eq!(
                history.attempts_not_read(&endpoint) == failed,
                !is_of_messages
            );
            told(&mut history, 0, why(None));
            assert_eq!(history.counted(), Counted::Whole, "{log:?}");
            assert_eq!(history.counted_at(&endpoint), Counted::Whole);
        }
    }

    #[test]
    fn what_was_read_by_its_id_is_so_until_the_log_breaks_off() {
        let mut history = History::default();
        let endpoint = EndpointId::new("ep");
        let listed = Endpoint::inferred(endpoint.clone(), "".into());
        told(&mut history, 0, ChangeKind::Endpoint(Box::new(listed)));
        row(&mut history, 50);
        let look = || ChangeKind::AttemptsRead(MessageId::new("m50"));
        let why = |why: Option<&str>| ChangeKind::Unread {
            log: Log::Attempts(endpoint.clone()),
            why: why.map(Into::into),
        };
        let missing = |history: &History| {
            let held = history.deliveries.newest().next();
            held.and_then(|it| history.attempts_missing(it, &endpoint))
                .is_some()
        };
        told(&mut history, 0, look());
        assert!(!missing(&history));
        for (change, is_missing) in [
            (why(Some("500")), true),
            (look(), false),
            (why(Some("500 again")), false),
            (why(None), false),
            (why(Some("500")), true),
        ] {
            told(&mut history, 0, change);
            assert_eq!(missing(&history), is_missing);
        }
    }

    #[test]
    fn attempts_of_before_are_as_read_until_the_log_is_read_in_this_run() {
        let mut history = History::default();
        let endpoint = EndpointId::new("ep");
        told(&mut history, 0, ChangeKind::MessagesRead(LogReach::Whole));
        let listed = Endpoint::inferred(endpoint.clone(), "".into());
        told(&mut history, 0, ChangeKind::Endpoint(Box::new(listed)));
        let counted = |history: &History| [history.counted(), history.counted_at(&endpoint)];
        // Of none that are known none can be over.
        let why = |why: Option<&str>| ChangeKind::Unread {
            log: Log::Attempts(endpoint.clone()),
            why: why.map(Into::into),
        };
        told(&mut history, 0, why(Some("429")));
        assert_eq!(counted(&history), [Counted::AtLeast; 2]);
        told(&mut history, 0, why(None));
        row(&mut history, 50);
        assert_eq!(counted(&history), [Counted::AsRead; 2]);
        // It is read from its newest on, but not to its beginning.
        let from = |second: Option<i64>| ChangeKind::AttemptsFrom {
            endpoint: endpoint.clone(),
            from: second.map(Time::from_seconds),
        };
        told(&mut history, 0, from(Some(60)));
        history.deliveries.reach.told(Time::from_seconds(40));
        assert_eq!(counted(&history), [Counted::AtLeast; 2]);
        told(&mut history, 0, from(None));
        assert_eq!(counted(&history), [Counted::Whole; 2]);
    }

    /// A message that failed, and is itself read: what is of no known task may be superseded.
    fn row(history: &mut History, second: i64) {
        let id = MessageId::new(&format!("m{second}"));
        let message = Message {
            id: id.clone(),
            event: None,
            kind: EventType::TaskFailed,
            accepted: Time::from_seconds(second),
            task: None,
            payload: Payload::Absent,
        };
        told(history, 0, ChangeKind::Message(Box::new(message)));
        let attempt = Attempt {
            id: AttemptId::new(&format!("a{second}")),
            message: id,
            endpoint: EndpointId::new("ep"),
            url: "".into(),
            started: Time::from_seconds(second),
            status: AttemptStatus::Fail,
            code: 500,
            duration_ms: None,
            response: "".into(),
            trigger: Trigger::Scheduled,
        };
        told(history, 0, ChangeKind::Attempt(Box::new(attempt)));
    }

    #[test]
    fn counts_are_in_part_until_the_log_was_read_to_its_beginning() {
        let mut history = History::default();
        let far = Some(Time(i64::MAX));
        assert_eq!(history.messages_unread_before(), far);
        let at = Time::from_seconds(50);
        for (reach, before, why) in [
            (LogReach::From(at), Some(at), None),
            (LogReach::Stopped(at, "full".into()), Some(at), Some("full")),
            (LogReach::Whole, None, None),
        ] {
            told(&mut history, 0, ChangeKind::MessagesRead(reach));
            assert_eq!(history.messages_unread_before(), before);
            assert_eq!(history.counted() == Counted::AtLeast, before.is_some());
            assert_eq!(history.why_messages_unread(), why);
        }
    }

    #[test]
    fn what_is_read_back_is_not_new() {
        let mut history = History::default();
        row(&mut history, 50);
        let at = Time::from_seconds(50);
        told(
            &mut history,
            0,
            ChangeKind::MessagesRead(LogReach::From(at)),
        );
        row(&mut history, 40);
        row(&mut history, 60);
        let deliveries = &history.deliveries;
        assert_eq!((deliveries.len(), deliveries.n_new()), (3, 2));
    }
}
