//! A message with its attempts, and the outcome at each endpoint.

use std::collections::{BTreeMap, BTreeSet};

use super::super::attempt::{Attempt, AttemptNumber, AttemptStatus, Trigger};
use super::super::cause::{Cause, CauseId};
use super::super::change::Origin;
use super::super::event::EventType;
use super::super::id::{AttemptId, EndpointId, MessageId};
use super::super::message::{Message, Payload};
use super::super::schedule::{Forecast, NextTry, RetrySchedule};
use super::super::time::{Moment, Time};
use super::outcome::{EndpointOutcome, OutcomeState};

/// A message with what became of it.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: MessageId,
    /// `None` while only attempts of it were seen.
    pub message: Option<Message>,
    /// Oldest first.
    attempts: Vec<Attempt>,
    /// The cause of each attempt's failure, in the same order.
    causes: Vec<Option<CauseId>>,
    /// Attempts beyond the bound, of which only their place is kept, so that the others keep their
    /// numbers; and whether it was a manual one.
    let_go: BTreeMap<EndpointId, BTreeMap<(Time, AttemptId), bool>>,
    /// Attempts whose answer was too long to be kept to its end.
    cut: BTreeSet<AttemptId>,
    /// What the service says of the next attempt at endpoints that were tried.
    nexts: BTreeMap<EndpointId, NextTry>,
    /// One for each endpoint that was tried, in order of endpoint id.
    pub outcomes: Vec<EndpointOutcome>,
    /// Whether all its attempts were read at some time; those that came since are known where the log of
    /// their endpoint is followed.
    pub(super) is_read: bool,
    /// Which look by an id that was, of all: what broke off later may tell more of it.
    pub(super) nth_read: u64,
    /// Where the latest news of it came from, and when that was received.
    pub told: Told,
}

/// Where news came from, and when it was received.
pub type Told = (Origin, Moment);

/// What taking an attempt in did to those that are kept.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// It is kept as it came, unless it is the one that went.
    pub is_held: bool,
    /// What was known of it before.
    pub replaced: Option<Attempt>,
    /// The one that went for it.
    pub let_go: Option<Attempt>,
    /// The end of its answer is not kept, and was not missing before.
    pub is_cut_anew: bool,
}

/// Longest response kept, in bytes; services cut there too.
pub const MAX_RESPONSE_BYTES: usize = 20_000;
/// Most attempts kept for one message.
pub const MAX_ATTEMPTS: usize = 512;
/// Most attempts of one message at one endpoint whose place alone is kept.
const MAX_LET_GO: usize = 10_000;
/// What such a place takes, in bytes, as the bound on all messages counts it.
const PLACE_BYTES: usize = 64;

impl Delivery {
    /// Whether it tells the end of a task.
    pub fn tells_end(&self) -> bool {
        let kind = self.message.as_ref().map(|message| &message.kind);
        matches!(kind, Some(EventType::TaskCompleted | EventType::TaskFailed))
    }

    pub(super) fn new(id: MessageId) -> Self {
        Self {
            id,
            message: None,
            attempts: Vec::new(),
            causes: Vec::new(),
            let_go: BTreeMap::new(),
            cut: BTreeSet::new(),
            nexts: BTreeMap::new(),
            outcomes: Vec::new(),
            is_read: false,
            nth_read: 0,
            told: Told::default(),
        }
    }

    /// Whether the message itself was read, or the service said that its payload is gone.
    pub fn is_message_read(&self) -> bool {
        let payload = self.message.as_ref().map(|message| &message.payload);
        !matches!(payload, None | Some(Payload::Absent))
    }

    /// All attempts that are kept, oldest first.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The cause of each attempt's failure, in the order of the attempts; `None` where it did not
    /// fail.
    pub fn causes(&self) -> &[Option<CauseId>] {
        &self.causes
    }

    /// The attempts at one endpoint that are kept, oldest first.
    pub fn attempts_at(&self, endpoint: &EndpointId) -> Vec<&Attempt> {
        self.attempts
            .iter()
            .filter(|attempt| attempt.endpoint == *endpoint)
            .collect()
    }

    /// The attempt's number among the automatic ones of its message and endpoint.
    pub fn number_of(&self, attempt: &AttemptId) -> Option<AttemptNumber> {
        let found = self.attempt(attempt)?;
        if found.is_manual() {
            return Some(AttemptNumber::Manual);
        }
        let n_before = self
            .attempts_at(&found.endpoint)
            .iter()
            .take_while(|known| known.id != *attempt)
            .filter(|known| !known.is_manual())
            .count();
        let place = (found.started, attempt.clone());
        let let_go = self.let_go.get(&found.endpoint);
        let n_let_go = let_go.map_or(0, |let_go| {
            let before = let_go.range(..place);
            before.filter(|(_, is_manual)| !**is_manual).count()
        });
        Some(AttemptNumber::Automatic(n_let_go + n_before + 1))
    }

    /// Whether the end of an attempt's answer is not kept.
    pub fn is_cut(&self, attempt: &AttemptId) -> bool {
        self.cut.contains(attempt)
    }

    /// Whether an attempt is known as it is told here, as far as it is kept.
    pub fn holds(&self, told: &Attempt) -> bool {
        let mut told = told.clone();
        let is_cut = cut(&mut told);
        is_cut == self.is_cut(&told.id) && self.attempt(&told.id) == Some(&told)
    }

    /// Takes an attempt in, known or not; of a long answer only the start.
    pub(super) fn take(&mut self, mut attempt: Attempt) -> Taken {
        let is_cut = cut(&mut attempt);
        let id = attempt.id.clone();
        let mut taken = self.place(attempt);
        if taken.is_held && is_cut {
            taken.is_cut_anew = self.cut.insert(id);
        } else if taken.is_held {
            self.cut.remove(&id);
        }
        if let Some(gone) = &taken.let_go {
            self.cut.remove(&gone.id);
        }
        taken
    }

    fn place(&mut self, attempt: Attempt) -> Taken {
        let known = self.attempts.iter().position(|it| it.id == attempt.id);
        let Some(at) = known else {
            return self.add(attempt);
        };
        // An end is never taken back by an older answer that still says "sending".
        let is_ended = |status: &AttemptStatus| {
            matches!(
                status,
                AttemptStatus::Success | AttemptStatus::Fail | AttemptStatus::Canceled
            )
        };
        if !is_ended(&self.attempts[at].status) || is_ended(&attempt.status) {
            let replaced = self.attempts.remove(at);
            self.causes.remove(at);
            return Taken {
                replaced: Some(replaced),
                ..self.add(attempt)
            };
        }
        Taken::default()
    }

    /// Adds an attempt that is not known. Beyond the bound the oldest that was made by hand goes,
    /// as the schedule is told by the others; the newest stays, and so does one that succeeded.
    fn add(&mut self, attempt: Attempt) -> Taken {
        let let_go = self.let_go.get(&attempt.endpoint);
        let place = (attempt.started, attempt.id.clone());
        if let_go.is_some_and(|let_go| let_go.contains_key(&place)) {
            return Taken::default();
        }
        let at = self
            .attempts
            .partition_point(|known| (known.started, &known.id) < (attempt.started, &attempt.id));
        let cause = Cause::of(&attempt).map(|cause| cause.id);
        self.causes.insert(at, cause);
        self.attempts.insert(at, attempt);
        let mut taken = Taken {
            is_held: true,
            ..Taken::default()
        };
        if self.attempts.len() <= MAX_ATTEMPTS {
            return taken;
        }
        let old = &self.attempts[..self.attempts.len() - 1];
        let by_hand = old.iter().position(|known| {
            known.trigger == Trigger::Manual && known.status != AttemptStatus::Success
        });
        self.causes.remove(by_hand.unwrap_or(0));
        let leaving = self.attempts.remove(by_hand.unwrap_or(0));
        let let_go = self.let_go.entry(leaving.endpoint.clone()).or_default();
        if let_go.len() < MAX_LET_GO {
            let place = (leaving.started, leaving.id.clone());
            let_go.insert(place, leaving.is_manual());
        }
        taken.let_go = Some(leaving);
        taken
    }

    pub fn attempt(&self, id: &AttemptId) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.id == *id)
    }

    pub fn outcome(&self, endpoint: &EndpointId) -> Option<&EndpointOutcome> {
        self.outcomes
            .iter()
            .find(|outcome| outcome.endpoint == *endpoint)
    }

    /// What the service will do by itself at one endpoint: as it says, or else as the schedule has it.
    pub fn forecast(&self, schedule: &RetrySchedule, endpoint: &EndpointId) -> Forecast {
        let attempts = self.attempts_at(endpoint);
        match self.next_told(endpoint) {
            Some(next) => schedule.told(&attempts, next.at),
            None => schedule.forecast(&attempts),
        }
    }

    /// What the service said of the next attempt at an endpoint, if no attempt was made since.
    pub fn next_told(&self, endpoint: &EndpointId) -> Option<&NextTry> {
        let last = &self.outcome(endpoint)?.last;
        let next = self.nexts.get(endpoint)?;
        (next.after == *last).then_some(next)
    }

    /// Of an endpoint that was not tried nothing is kept, so that the attempts bound it.
    pub(super) fn take_next(&mut self, next: NextTry) {
        if self.outcome(&next.endpoint).is_some() {
            self.nexts.insert(next.endpoint.clone(), next);
        }
    }

    /// Whether every endpoint that was tried has got it, or was given up on purpose.
    pub fn is_delivered(&self) -> bool {
        let is_over = |outcome: &EndpointOutcome| {
            matches!(
                outcome.state,
                OutcomeState::Delivered | OutcomeState::Canceled
            )
        };
        !self.outcomes.is_empty() && self.outcomes.iter().all(is_over)
    }

    /// Whether an endpoint that was tried has not got it.
    pub fn is_failing(&self) -> bool {
        self.outcomes
            .iter()
            .any(|outcome| outcome.state == OutcomeState::Failed)
    }

    /// When it was accepted, or first tried.
    pub fn time(&self) -> Time {
        match (&self.message, self.attempts.first()) {
            (Some(message), _) => message.accepted,
            (None, Some(attempt)) => attempt.started,
            (None, None) => Time(0),
        }
    }

    /// Bytes of text from outside that it holds.
    pub(super) fn weight(&self) -> usize {
        let payload = match self.message.as_ref().map(|message| &message.payload) {
            Some(Payload::Json(text)) => text.len(),
            _ => 0,
        };
        let attempts = self.attempts.iter();
        let n_let_go: usize = self.let_go.values().map(BTreeMap::len).sum();
        payload
            + n_let_go * PLACE_BYTES
            + attempts
                .map(|attempt| attempt.response.len() + attempt.url.len())
                .sum::<usize>()
    }

    pub(super) fn settle(&mut self) {
        let mut endpoints: Vec<&EndpointId> = self
            .attempts
            .iter()
            .map(|attempt| &attempt.endpoint)
            .collect();
        endpoints.sort();
        endpoints.dedup();
        self.outcomes = endpoints
            .into_iter()
            .filter_map(|endpoint| {
                let n_let_go = self.let_go.get(endpoint).map_or(0, BTreeMap::len);
                outcome(endpoint, &self.attempts_at(endpoint), n_let_go)
            })
            .collect();
        let outcomes = &self.outcomes;
        self.nexts.retain(|endpoint, _| {
            let at = outcomes.binary_search_by(|outcome| outcome.endpoint.cmp(endpoint));
            at.is_ok()
        });
    }
}

/// Takes the end of a long answer off; whether it was one.
fn cut(attempt: &mut Attempt) -> bool {
    let is_long = attempt.response.len() > MAX_RESPONSE_BYTES;
    if is_long {
        let end = attempt.response.floor_char_boundary(MAX_RESPONSE_BYTES);
        attempt.response = attempt.response[..end].into();
    }
    is_long
}

fn outcome(
    endpoint: &EndpointId,
    attempts: &[&Attempt],
    n_let_go: usize,
) -> Option<EndpointOutcome> {
    let last = attempts.last()?;
    let state = if attempts
        .iter()
        .any(|attempt| attempt.status == AttemptStatus::Success)
    {
        OutcomeState::Delivered
    } else {
        match last.status {
            AttemptStatus::Fail => OutcomeState::Failed,
            AttemptStatus::Canceled => OutcomeState::Canceled,
            _ => OutcomeState::Sending,
        }
    };
    let n_automatic = attempts
        .iter()
        .filter(|attempt| attempt.trigger != Trigger::Manual)
        .count();
    Some(EndpointOutcome {
        endpoint: endpoint.clone(),
        state,
        n_attempts: attempts.len() + n_let_go,
        n_automatic,
        last: last.id.clone(),
    })
}
