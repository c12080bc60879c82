//! Replays: planned before they are sent, sent at most once, followed to the attempt they caused.

mod replays;
mod rival;

use std::sync::Arc;

pub use replays::Replays;

use super::failure::{Failure, FailureKind};
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
    /// Svix's replay-missing, for all since a time that was never tried.
    Missing,
    /// Svix's bulk-replay, for all since a time that was tried.
    Bulk,
}

impl Route {
    pub const ALL: [Self; 6] = [
        Self::Server,
        Self::Svix,
        Self::Local,
        Self::Recover,
        Self::Missing,
        Self::Bulk,
    ];

    /// Its name in machine output and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Svix => "svix",
            Self::Local => "local",
            Self::Recover => "recover",
            Self::Missing => "replay-missing",
            Self::Bulk => "bulk-replay",
        }
    }

    /// Who sends by it and how, where that is not the service's resend of one message.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Self::Server | Self::Svix => None,
            Self::Local => Some("posted from here"),
            Self::Recover => Some("by Svix's recover"),
            Self::Missing => Some("by Svix's replay-missing"),
            Self::Bulk => Some("by Svix's bulk-replay"),
        }
    }

    /// Whether one request sends many by it, which none can be left out of.
    pub fn is_sweep(self) -> bool {
        matches!(self, Self::Recover | Self::Missing | Self::Bulk)
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|route| route.name() == name)
    }
}

/// The attempts of a pair that were there just before a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    pub ids: Arc<[AttemptId]>,
    /// Whether these are all, and all that came since could be read too. Where some could not be
    /// before, a manual attempt that is not among these may be as old; where some cannot be since,
    /// one that can be may be somebody else's.
    pub is_whole: bool,
}

impl<T: Into<Arc<[AttemptId]>>> From<T> for Before {
    /// All of them.
    fn from(ids: T) -> Self {
        Self {
            ids: ids.into(),
            is_whole: true,
        }
    }
}

/// What a receiver answered to a request of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// Its status code.
    pub code: u16,
    /// Milliseconds from the request to its answer.
    pub duration_ms: u32,
}

impl Reply {
    pub fn is_success(self) -> bool {
        (200..300).contains(&self.code)
    }

    /// `answered 204 in 12 ms`.
    pub fn words(self) -> String {
        format!("answered {} in {} ms", self.code, self.duration_ms)
    }
}

/// How far the sending of a replay has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    Planned,
    /// The request is about to be written; these attempts existed before it.
    Sending {
        before: Before,
    },
    /// Its sender looks for its attempt: no outcome is final before it has.
    Looking,
    /// The service took it (202).
    Accepted,
    /// The receiver itself answered: there is no attempt of the service to look for.
    Answered(Reply),
    /// Its sender looked, and not all attempts could be read: its own may be among those.
    Blurred,
    /// Its sender has looked once more after it saw an end, or gave up looking.
    Looked,
    /// Nothing was sent, or the service refused it for certain.
    Refused(Failure),
    /// It may or may not have been taken, or no attempt was seen in time.
    Unknown(String),
    /// It was taken back before anything was sent.
    Cancelled(String),
}

/// How an outcome is marked that was found after the sender had given up looking. One manual attempt
/// that was not there before is taken for its own (contracts.md, last part), though whoever else sent
/// the pair again meanwhile may have made it.
const FOUND_LATER: &str = "found later, perhaps somebody else's";

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
    /// The receiver itself answered, which ends it: delivered or failed by the code.
    Answered(Reply),
    Refused(Failure),
    Unknown(String),
    /// More manual attempts appeared than we sent, or what was there before is not wholly known:
    /// any of these may be ours.
    Ambiguous(Vec<AttemptId>),
    /// It was taken back, or its reeltop ended, before anything was sent.
    Cancelled(String),
    /// Somebody looked and waits for it no longer: who, and how it stood. It may have been sent.
    GivenUp(String),
}

impl ReplayState {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::AttemptSeen(_) => "attempt seen",
            Self::Delivered { .. } => "delivered",
            Self::Answered(reply) if reply.is_success() => "delivered",
            Self::Failed { .. } | Self::Answered(_) => "failed",
            Self::Refused(_) => "refused",
            Self::Unknown(_) => "unknown",
            Self::Ambiguous(_) => "ambiguous",
            Self::Cancelled(_) => "cancelled",
            Self::GivenUp(_) => "given up",
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

    /// Whether it has ended and was sent, or may have been.
    pub fn was_sent(&self) -> bool {
        !self.is_open() && !matches!(self, Self::Refused(_) | Self::Cancelled(_))
    }

    /// Whether the service refused it for the time being (429): nothing was sent, and it says nothing
    /// of what was to be sent.
    pub fn is_put_off(&self) -> bool {
        matches!(self, Self::Refused(why) if why.kind == FailureKind::RateLimited)
    }

    /// Whether it is closed without a certain outcome: it may have arrived, or still be on its way.
    /// What was found later may be an attempt of somebody else.
    pub fn is_doubtful(&self) -> bool {
        matches!(
            self,
            Self::Ambiguous(_)
                | Self::GivenUp(_)
                | Self::Failed {
                    found_later: true,
                    ..
                }
                | Self::Delivered {
                    found_later: true,
                    ..
                }
        )
    }

    /// Whether it ended and may have arrived, though nobody can say so for certain. One that was
    /// found failed delivered nothing: whoever was told of it may send another.
    pub fn may_have_arrived(&self) -> bool {
        self.is_doubtful() && !matches!(self, Self::Failed { .. })
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
            | Self::Answered(_)
            | Self::Refused(_)
            | Self::Ambiguous(_)
            | Self::Cancelled(_)
            | Self::GivenUp(_) => 5,
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
    pub before: Option<Before>,
    /// Whether its outcome was unknown at some time.
    pub was_unknown: bool,
    /// Whether its sender is still looking, so that one more candidate may come into sight.
    pub is_followed: bool,
    /// Where it stands in the ledger; `None` until the ledger told of it.
    pub row: Option<LedgerRow>,
    /// Another reeltop than this one, running or ended, whose replay it is.
    pub by: Option<Who>,
}

/// Where a replay stands in the ledger: later rows were planned later, whatever the clocks said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerRow {
    /// Counts the files that this run has opened: another may take the place of one.
    pub file: u32,
    pub n: i64,
    /// Grows with each change of a row: how it stands.
    pub rev: i64,
}

/// Which reeltop a replay is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The replay's id in the ledger, which is its idempotency key too.
    pub id: Arc<str>,
    pub pid: u32,
    pub host: Arc<str>,
    /// How the service was reached; empty if as it is now.
    pub via: Arc<str>,
    pub is_running: bool,
}

impl Who {
    /// `another reeltop (pid 4711)`.
    pub fn words(&self) -> String {
        let who = if self.is_running {
            format!("another reeltop (pid {} on {})", self.pid, self.host)
        } else {
            "an earlier reeltop".to_owned()
        };
        match &*self.via {
            "" => who,
            via => format!("{who}, at {via}"),
        }
    }
}

impl Replay {
    /// Takes one step. Once the attempt is found, what the sender still says of its request
    /// changes nothing, and what was cancelled is never taken up again.
    pub fn step(&mut self, told: Stage, at: Moment) {
        if let Stage::Looking | Stage::Looked = told {
            self.is_followed = told == Stage::Looking;
            return;
        }
        if told == Stage::Blurred {
            if let Some(before) = &mut self.before {
                before.is_whole = false;
            }
            return;
        }
        let is_over = matches!(
            self.state,
            ReplayState::Ambiguous(_)
                | ReplayState::Answered(_)
                | ReplayState::Cancelled(_)
                | ReplayState::Refused(_)
                | ReplayState::GivenUp(_)
        );
        // What was seen while nobody knows of the request may be somebody else's.
        self.was_unknown |= self.is_followed && matches!(told, Stage::Unknown(_));
        // Who made no request, or was refused for certain, has caused nothing: what was seen
        // meanwhile is somebody else's.
        let is_void = matches!(told, Stage::Refused(_) | Stage::Cancelled(_))
            && matches!(
                self.state,
                ReplayState::AttemptSeen(_) | ReplayState::Ambiguous(_)
            );
        if (is_over || self.state.attempt().is_some()) && !is_void {
            return;
        }
        let state = match told {
            Stage::Planned => ReplayState::Planned,
            Stage::Sending { before } => {
                self.before = Some(before);
                self.sent = Some(at);
                ReplayState::Sending
            }
            Stage::Looking | Stage::Blurred | Stage::Looked => return,
            Stage::Accepted => ReplayState::Accepted,
            Stage::Answered(reply) => ReplayState::Answered(reply),
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
    /// of what was, nobody knows until somebody finds its attempt.
    pub fn orphan(&mut self, at: Moment) {
        // What was seen may be somebody else's, as nobody looks for more.
        self.was_unknown |= self.is_followed;
        self.is_followed = false;
        match self.state {
            ReplayState::Planned => self.step(
                Stage::Cancelled("its reeltop ended before anything was sent".into()),
                at,
            ),
            ReplayState::Sending => self.step(
                Stage::Unknown("its reeltop ended before the answer was seen".into()),
                at,
            ),
            ReplayState::Accepted => self.step(
                Stage::Unknown(
                    "accepted, but its reeltop ended before its attempt was seen".into(),
                ),
                at,
            ),
            _ => {}
        }
    }

    /// Closes it though its outcome is not known, on the word of somebody who looked. Fails, with
    /// the reason, where there is nothing to wait for or its request is still being made.
    pub fn give_up(&mut self, who: &str, at: Moment) -> Result<(), String> {
        match &self.state {
            ReplayState::Accepted | ReplayState::AttemptSeen(_) | ReplayState::Unknown(_) => {}
            ReplayState::Planned | ReplayState::Sending => {
                return Err(format!("it is {}", self.state.name()));
            }
            state => return Err(format!("it is {} already", state.name())),
        }
        let before = match &self.state {
            ReplayState::Unknown(why) => format!("unknown: {why}"),
            state => state.name().to_owned(),
        };
        self.was_unknown = true;
        self.is_followed = false;
        self.enter(
            ReplayState::GivenUp(format!("by {who}; it was {before}")),
            at,
        );
        Ok(())
    }

    fn enter(&mut self, state: ReplayState, at: Moment) {
        if state != self.state {
            self.state = state;
            self.since = at;
        }
    }

    /// What to add where an attempt may be its own, if what was there before is not wholly known.
    pub fn blur(&self) -> &'static str {
        match &self.before {
            Some(before) if !before.is_whole => ", and not all attempts could be read",
            _ => "",
        }
    }

    /// The URL that it was posted to from here, secrets masked, where it is to no endpoint of the
    /// service.
    pub fn url(&self) -> Option<String> {
        let to = self.endpoint.to_string();
        (self.route == Route::Local && to.contains("://")).then_some(to)
    }

    /// Why it stands as it does, where its state alone does not say it.
    pub fn reason(&self) -> Option<String> {
        match &self.state {
            ReplayState::Unknown(why) | ReplayState::Cancelled(why) | ReplayState::GivenUp(why) => {
                Some(why.clone())
            }
            ReplayState::Refused(failure) => Some(failure.what.clone()),
            ReplayState::Answered(reply) => Some(reply.words()),
            ReplayState::Delivered {
                found_later: true, ..
            }
            | ReplayState::Failed {
                found_later: true, ..
            } => Some(FOUND_LATER.to_owned()),
            ReplayState::Ambiguous(candidates) => {
                let ids: Vec<String> = candidates.iter().map(ToString::to_string).collect();
                Some(format!(
                    "one of {} may be ours{}",
                    ids.join(", "),
                    self.blur()
                ))
            }
            _ => None,
        }
    }

    /// Where it stands, in a sentence's words.
    pub fn words(&self) -> String {
        match &self.state {
            ReplayState::Planned => "planned".into(),
            ReplayState::Sending => "sending".into(),
            ReplayState::Accepted => "accepted, watching for its attempt".into(),
            ReplayState::AttemptSeen(attempt) if self.is_followed => {
                format!("attempt {} seen, looking once more", attempt.short(16))
            }
            ReplayState::AttemptSeen(attempt) => format!("attempt {} under way", attempt.short(16)),
            ReplayState::Delivered {
                found_later: true, ..
            } => format!("delivered, {FOUND_LATER}"),
            ReplayState::Delivered { .. } => "delivered".into(),
            ReplayState::Failed {
                found_later: true, ..
            } => format!("failed again, {FOUND_LATER}"),
            ReplayState::Failed { .. } => "failed again".into(),
            ReplayState::Answered(reply) => format!("{}, {}", self.state.name(), reply.words()),
            ReplayState::Refused(failure) => format!("not sent: {failure}"),
            ReplayState::Unknown(why) if self.route == Route::Local => format!(
                "unknown: {why}; never sent again by itself, and only the receiver can tell"
            ),
            ReplayState::Unknown(why) => {
                format!("unknown: {why}; never sent again by itself, watching for a manual attempt")
            }
            ReplayState::Ambiguous(candidates) => {
                let why = self.blur();
                match candidates.as_slice() {
                    [only] => format!("ambiguous: attempt {} may be ours{why}", only.short(16)),
                    several => format!(
                        "ambiguous: {} manual attempts appeared, one may be ours{why}",
                        several.len()
                    ),
                }
            }
            ReplayState::Cancelled(why) => format!("cancelled, nothing was sent: {why}"),
            ReplayState::GivenUp(why) => format!("given up {why}; it may have been sent"),
        }
    }
}
