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
    /// How it is sent, in a word: `server`.
    pub route: &'static str,
    pub stage: Stage,
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

    pub fn attempt(&self) -> Option<&AttemptId> {
        match self {
            Self::AttemptSeen(attempt)
            | Self::Delivered { attempt, .. }
            | Self::Failed { attempt, .. } => Some(attempt),
            _ => None,
        }
    }
}

/// One replay of one message to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    pub number: u64,
    pub message: MessageId,
    pub endpoint: EndpointId,
    pub route: &'static str,
    pub state: ReplayState,
    /// When it came into this state.
    pub since: Moment,
    /// When the request was about to be written.
    pub sent: Option<Moment>,
    before: Option<Arc<[AttemptId]>>,
    was_unknown: bool,
}

/// The replays of this run of the program.
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

    pub(super) fn step(&mut self, step: ReplayStep, at: Moment) {
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
                since: at,
                sent: None,
                before: None,
                was_unknown: false,
            });
            self.all.len() - 1
        });
        let replay = &mut self.all[index];
        // Once the attempt is found, what the sender still says of its request changes nothing.
        if replay.state.attempt().is_some() || matches!(replay.state, ReplayState::Ambiguous(_)) {
            return;
        }
        let state = match step.stage {
            Stage::Planned => ReplayState::Planned,
            Stage::Sending { before } => {
                replay.before = Some(before);
                replay.sent = Some(at);
                ReplayState::Sending
            }
            Stage::Accepted => ReplayState::Accepted,
            Stage::Refused(failure) => ReplayState::Refused(failure),
            Stage::Unknown(why) => {
                replay.was_unknown = true;
                ReplayState::Unknown(why)
            }
        };
        replay.enter(state, at);
    }

    /// Looks for the attempt that the latest replay of a pair caused: a manual attempt that was
    /// not there before the request, whatever the clocks say (contracts.md, last part). Returns
    /// whether the replay's state changed.
    pub(super) fn settle(
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
        if matches!(replay.state, ReplayState::Planned | ReplayState::Refused(_)) {
            return false;
        }
        let Some(before) = replay.before.clone() else {
            return false;
        };
        let ours: Vec<&&Attempt> = attempts
            .iter()
            .filter(|attempt| {
                attempt.trigger == Trigger::Manual
                    && !before.contains(&attempt.id)
                    && !claimed.contains(&attempt.id)
            })
            .collect();
        let state = match ours.as_slice() {
            [] => return false,
            [only] => verdict(only, replay.was_unknown),
            several => {
                ReplayState::Ambiguous(several.iter().map(|attempt| attempt.id.clone()).collect())
            }
        };
        let changed = state != replay.state;
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
