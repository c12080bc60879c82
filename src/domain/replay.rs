//! Replays: planned before they are sent, sent at most once, followed to the attempt they caused.

use std::sync::Arc;

use super::attempt::{Attempt, AttemptStatus, Trigger};
use super::failure::Failure;
use super::id::{AttemptId, EndpointId, MessageId};
use super::time::Moment;

/// One step of a replay, as the one who sends it reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayStep {
    /// The replay's number, unique in this run of the program.
    pub replay: u64,
    pub message: MessageId,
    pub endpoint: EndpointId,
    pub route: Route,
    pub stage: Stage,
}

/// Who makes the request of a replay, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Route {
    /// The server's own resend.
    #[default]
    Server,
    /// Svix's resend of one message.
    Svix,
    /// A signed POST of our own, straight to a URL.
    Local,
    /// Svix's recover, for all that failed since a time.
    Recover,
}

impl Route {
    pub const ALL: [Self; 4] = [Self::Server, Self::Svix, Self::Local, Self::Recover];

    /// Its name in machine output and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Svix => "svix",
            Self::Local => "local",
            Self::Recover => "recover",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|route| route.name() == name)
    }
}

/// How far the sending of a replay has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    Planned,
    /// The request is about to be written; these attempts existed before it.
    Sending {
        before: Arc<[AttemptId]>,
    },
    /// The service took it (202).
    Accepted,
    /// Nothing was sent, or the service refused it for certain.
    Refused(Failure),
    /// It may or may not have been taken, or no attempt was seen in time.
    Unknown(String),
    /// It was taken back before anything was sent.
    Cancelled(String),
}

/// Where a replay stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayState {
    Planned,
    Sending,
    Accepted,
    /// Its attempt is there, but has not ended.
    AttemptSeen(AttemptId),
    Delivered {
        attempt: AttemptId,
        found_later: bool,
    },
    Failed {
        attempt: AttemptId,
        found_later: bool,
    },
    Refused(Failure),
    Unknown(String),
    /// More manual attempts appeared than we sent: any of these may be ours.
    Ambiguous(Vec<AttemptId>),
    /// It was taken back, or its reeltop ended, before anything was sent.
    Cancelled(String),
}

impl ReplayState {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::AttemptSeen(_) => "attempt seen",
            Self::Delivered { .. } => "delivered",
            Self::Failed { .. } => "failed",
            Self::Refused(_) => "refused",
            Self::Unknown(_) => "unknown",
            Self::Ambiguous(_) => "ambiguous",
            Self::Cancelled(_) => "cancelled",
        }
    }

    /// The attempts that it caused or may have caused.
    fn candidates(&self) -> Vec<AttemptId> {
        match self {
            Self::Ambiguous(candidates) => candidates.clone(),
            state => state.attempt().into_iter().cloned().collect(),
        }
    }

    /// Whether it may still change, so that no second replay of the pair may be sent.
    pub fn is_open(&self) -> bool {
        matches!(
            self,
            Self::Planned
                | Self::Sending
                | Self::Accepted
                | Self::AttemptSeen(_)
                | Self::Unknown(_)
        )
    }

    /// How far on its way a state is, so that older word of it is told from newer.
    fn rank(&self) -> u8 {
        match self {
            Self::Planned => 0,
            Self::Sending => 1,
            Self::Accepted => 2,
            Self::Unknown(_) => 3,
            Self::AttemptSeen(_) => 4,
            Self::Delivered { .. }
            | Self::Failed { .. }
            | Self::Refused(_)
            | Self::Ambiguous(_)
            | Self::Cancelled(_) => 5,
        }
    }

    pub fn attempt(&self) -> Option<&AttemptId> {
        match self {
            Self::AttemptSeen(attempt)
            | Self::Delivered { attempt, .. }
            | Self::Failed { attempt, .. } => Some(attempt),
            _ => None,
        }
    }
}

/// How long after the end of its attempt a replay may still become ambiguous, in microseconds: two
/// manual attempts at about the same time may have been swapped.
const SETTLED: i64 = 600 * super::time::SECOND;

/// One replay of one message to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    pub number: u64,
    pub message: MessageId,
    pub endpoint: EndpointId,
    pub route: Route,
    pub state: ReplayState,
    pub planned: Moment,
    /// When it came into this state.
    pub since: Moment,
    /// When the request was about to be written.
    pub sent: Option<Moment>,
    /// The attempts of the pair that were there just before the request.
    pub before: Option<Arc<[AttemptId]>>,
    /// Whether its outcome was unknown at some time.
    pub was_unknown: bool,
    /// Another reeltop than this one, running or ended, whose replay it is.
    pub by: Option<Who>,
}

/// Which reeltop a replay is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The replay's id in the ledger, which is its idempotency key too.
    pub id: Arc<str>,
    pub pid: u32,
    pub host: Arc<str>,
    pub is_running: bool,
}

impl Who {
    /// `another reeltop (pid 4711)`.
    pub fn words(&self) -> String {
        if self.is_running {
            format!("another reeltop (pid {} on {})", self.pid, self.host)
        } else {
            "an earlier reeltop".to_owned()
        }
    }
}

/// The replays that are known: those of this run, and those of the ledger.
#[derive(Debug, Clone, Default)]
pub struct Replays {
    all: Vec<Replay>,
}

impl Replays {
    /// Oldest first.
    pub fn all(&self) -> &[Replay] {
        &self.all
    }

    pub fn get(&self, number: u64) -> Option<&Replay> {
        self.all.iter().find(|replay| replay.number == number)
    }

    /// The replay of this pair that may still change, if there is one.
    pub fn open_of(&self, message: &MessageId, endpoint: &EndpointId) -> Option<&Replay> {
        self.all.iter().find(|replay| {
            replay.state.is_open() && replay.message == *message && replay.endpoint == *endpoint
        })
    }

    /// The latest replay of this pair, if its outcome is ambiguous.
    pub fn ambiguous_of(&self, message: &MessageId, endpoint: &EndpointId) -> Option<&Replay> {
        let latest = self
            .latest_of(message, endpoint)
            .and_then(|number| self.get(number));
        latest.filter(|replay| matches!(replay.state, ReplayState::Ambiguous(_)))
    }

    /// The number of the latest replay of this pair.
    pub fn latest_of(&self, message: &MessageId, endpoint: &EndpointId) -> Option<u64> {
        self.of(message, endpoint)
            .last()
            .map(|replay| replay.number)
    }

    /// The replay that caused the attempt, if one of ours did.
    pub fn cause_of(&self, attempt: &AttemptId) -> Option<&Replay> {
        self.all
            .iter()
            .find(|replay| replay.state.attempt() == Some(attempt))
    }

    pub fn step(&mut self, step: ReplayStep, at: Moment) {
        let found = self
            .all
            .iter()
            .position(|replay| replay.number == step.replay);
        let index = found.unwrap_or_else(|| {
            self.all.push(Replay {
                number: step.replay,
                message: step.message,
                endpoint: step.endpoint,
                route: step.route,
                state: ReplayState::Planned,
                planned: at,
                since: at,
                sent: None,
                before: None,
                was_unknown: false,
                by: None,
            });
            self.all.len() - 1
        });
        self.all[index].step(step.stage, at);
    }

    /// The replays of one pair in the order in which they were planned, whatever the clocks said.
    pub fn in_order(replays: impl IntoIterator<Item = Replay>) -> Self {
        Self {
            all: replays.into_iter().collect(),
        }
    }

    /// Takes in what the ledger says of a replay. Older word of one that is known changes nothing.
    pub fn take(&mut self, told: Replay) {
        let known = self
            .all
            .iter_mut()
            .find(|replay| replay.number == told.number);
        if let Some(known) = known {
            if told.state.rank() >= known.state.rank() {
                *known = told;
            }
            return;
        }
        let before = |replay: &Replay| replay.planned.wall <= told.planned.wall;
        let index = self.all.iter().rposition(before).map_or(0, |last| last + 1);
        self.all.insert(index, told);
    }

    /// Looks for the attempt that the latest replay of a pair caused: a manual attempt that was
    /// not there before the request, whatever the clocks say (contracts.md, last part). Returns
    /// whether the replay's state changed.
    pub fn settle(
        &mut self,
        message: &MessageId,
        endpoint: &EndpointId,
        attempts: &[&Attempt],
        at: Moment,
    ) -> bool {
        let Some(number) = self.latest_of(message, endpoint) else {
            return false;
        };
        let claimed: Vec<AttemptId> = self
            .of(message, endpoint)
            .filter(|replay| replay.number != number)
            .filter_map(|replay| replay.state.attempt().cloned())
            .collect();
        let Some(replay) = self.all.iter_mut().find(|replay| replay.number == number) else {
            return false;
        };
        // What was refused for certain has caused nothing, whoever else sends it now.
        let is_unsent = matches!(
            replay.state,
            ReplayState::Planned | ReplayState::Refused(_) | ReplayState::Cancelled(_)
        );
        if is_unsent {
            return false;
        }
        let Some(before) = replay.before.clone() else {
            return false;
        };
        // Whoever looks may know a part of the attempts only: what was found before stands beside
        // what is found now, and is never forgotten for it.
        let mut ours = replay.state.candidates();
        for attempt in attempts {
            let is_new = attempt.trigger == Trigger::Manual
                && !before.contains(&attempt.id)
                && !claimed.contains(&attempt.id)
                && !ours.contains(&attempt.id);
            if is_new {
                ours.push(attempt.id.clone());
            }
        }
        let state = match ours.as_slice() {
            [] => return false,
            [only] => match attempts.iter().find(|attempt| attempt.id == *only) {
                Some(found) => verdict(found, replay.was_unknown),
                None => return false,
            },
            _ if replay.is_settled(at) => return false,
            _ => ReplayState::Ambiguous(ours),
        };
        // An older sight of the same attempt takes nothing back.
        let changed = state != replay.state && state.rank() >= replay.state.rank();
        if !changed {
            return false;
        }
        replay.enter(state, at);
        changed
    }

    fn of<'a>(
        &'a self,
        message: &'a MessageId,
        endpoint: &'a EndpointId,
    ) -> impl DoubleEndedIterator<Item = &'a Replay> + 'a {
        self.all
            .iter()
            .filter(move |replay| replay.message == *message && replay.endpoint == *endpoint)
    }
}

impl Replay {
    /// Whether its attempt ended so long ago that another manual one, which appears only now, is
    /// somebody else's.
    fn is_settled(&self, now: Moment) -> bool {
        let is_ended = matches!(
            self.state,
            ReplayState::Delivered { .. } | ReplayState::Failed { .. }
        );
        is_ended && now.wall.since(self.since.wall) > SETTLED
    }

    /// Takes one step. Once the attempt is found, what the sender still says of its request
    /// changes nothing, and what was cancelled is never taken up again.
    pub fn step(&mut self, told: Stage, at: Moment) {
        let is_over = matches!(
            self.state,
            ReplayState::Ambiguous(_) | ReplayState::Cancelled(_) | ReplayState::Refused(_)
        );
        if is_over || self.state.attempt().is_some() {
            return;
        }
        let state = match told {
            Stage::Planned => ReplayState::Planned,
            Stage::Sending { before } => {
                self.before = Some(before);
                self.sent = Some(at);
                ReplayState::Sending
            }
            Stage::Accepted => ReplayState::Accepted,
            Stage::Refused(failure) => ReplayState::Refused(failure),
            Stage::Unknown(why) => {
                self.was_unknown = true;
                ReplayState::Unknown(why)
            }
            Stage::Cancelled(why) => ReplayState::Cancelled(why),
        };
        self.enter(state, at);
    }

    /// What becomes of it once its reeltop has ended: what was not being sent was never sent, and
    /// of what was, nobody knows.
    pub fn orphan(&mut self, at: Moment) {
        match self.state {
            ReplayState::Planned => self.step(
                Stage::Cancelled("its reeltop ended before anything was sent".into()),
                at,
            ),
            ReplayState::Sending => self.step(
                Stage::Unknown("its reeltop ended before the answer was seen".into()),
                at,
            ),
            _ => {}
        }
    }

    fn enter(&mut self, state: ReplayState, at: Moment) {
        if state != self.state {
            self.state = state;
            self.since = at;
        }
    }

    /// Where it stands, in a sentence's words.
    pub fn words(&self) -> String {
        match &self.state {
            ReplayState::Planned => "planned".into(),
            ReplayState::Sending => "sending".into(),
            ReplayState::Accepted => "accepted, watching for its attempt".into(),
            ReplayState::AttemptSeen(attempt) => format!("attempt {} under way", attempt.short(16)),
            ReplayState::Delivered {
                found_later: true, ..
            } => "delivered, found later".into(),
            ReplayState::Delivered { .. } => "delivered".into(),
            ReplayState::Failed {
                found_later: true, ..
            } => "failed again, found later".into(),
            ReplayState::Failed { .. } => "failed again".into(),
            ReplayState::Refused(failure) => format!("not sent: {failure}"),
            ReplayState::Unknown(why) => {
                format!("unknown: {why}; never sent again by itself, watching for a manual attempt")
            }
            ReplayState::Ambiguous(candidates) => format!(
                "ambiguous: {} manual attempts appeared, one may be ours",
                candidates.len()
            ),
            ReplayState::Cancelled(why) => format!("cancelled, nothing was sent: {why}"),
        }
    }
}

fn verdict(attempt: &Attempt, found_later: bool) -> ReplayState {
    let attempt_id = attempt.id.clone();
    match attempt.status {
        AttemptStatus::Success => ReplayState::Delivered {
            attempt: attempt_id,
            found_later,
        },
        AttemptStatus::Fail | AttemptStatus::Canceled => ReplayState::Failed {
            attempt: attempt_id,
            found_later,
        },
        _ => ReplayState::AttemptSeen(attempt_id),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::super::time::{SECOND, Time};
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment {
            wall: Time(seconds * SECOND),
            mono: seconds * SECOND,
        }
    }

    fn manual(id: &str, status: AttemptStatus) -> Attempt {
        Attempt {
            id: AttemptId::new(id),
            message: MessageId::new("msg_1"),
            endpoint: EndpointId::new("ep_1"),
            url: "http://127.0.0.1/".into(),
            started: Time::default(),
            status,
            code: 200,
            duration_ms: None,
            response: "".into(),
            trigger: Trigger::Manual,
        }
    }

    /// A replay that was sent at second 0 and taken.
    fn sent() -> Replays {
        let mut replays = Replays::default();
        let before = Arc::from([]);
        for stage in [Stage::Planned, Stage::Sending { before }, Stage::Accepted] {
            let step = ReplayStep {
                replay: 1,
                message: MessageId::new("msg_1"),
                endpoint: EndpointId::new("ep_1"),
                route: Route::Server,
                stage,
            };
            replays.step(step, at(0));
        }
        replays
    }

    fn settle(replays: &mut Replays, attempts: &[&Attempt], now: i64) -> ReplayState {
        let (message, endpoint) = (MessageId::new("msg_1"), EndpointId::new("ep_1"));
        replays.settle(&message, &endpoint, attempts, at(now));
        replays.get(1).unwrap().state.clone()
    }

    #[test]
    fn who_knows_a_part_of_the_attempts_rewrites_nothing() {
        let (first, second) = (
            manual("a1", AttemptStatus::Success),
            manual("a2", AttemptStatus::Fail),
        );
        let mut replays = sent();
        let delivered = settle(&mut replays, &[&first], 1);
        assert_eq!(delivered.name(), "delivered");
        // One that knows only the other attempt: two of them may be ours.
        let both = ReplayState::Ambiguous(vec![first.id.clone(), second.id.clone()]);
        assert_eq!(settle(&mut replays, &[&second], 2), both);
        // And it stays so for whoever knows one of them.
        for known in [&first, &second] {
            assert_eq!(settle(&mut replays, &[known], 3), both);
        }
    }

    #[test]
    fn what_ended_long_ago_is_not_doubted_for_a_later_resend_of_somebody() {
        let (first, second) = (
            manual("a1", AttemptStatus::Success),
            manual("a2", AttemptStatus::Fail),
        );
        let mut replays = sent();
        let delivered = settle(&mut replays, &[&first], 1);
        assert_eq!(settle(&mut replays, &[&second], 3600), delivered);
        assert_eq!(settle(&mut replays, &[&first, &second], 3600), delivered);
    }

    #[test]
    fn an_older_sight_of_its_attempt_takes_nothing_back() {
        let mut replays = sent();
        let done = manual("a1", AttemptStatus::Success);
        let delivered = settle(&mut replays, &[&done], 1);
        let running = manual("a1", AttemptStatus::Sending);
        assert_eq!(settle(&mut replays, &[&running], 2), delivered);
    }
}
