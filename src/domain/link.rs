//! The link to the service: what state it is in, since when, and what a reconnect repaired.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::failure::Failure;
use super::id::TaskId;
use super::offer::Offer;
use super::schedule::PublishedRetries;
use super::task::TaskState;
use super::time::Time;

/// Repairs of one comparison that are kept to be looked at.
pub const MAX_REPAIRS: usize = 1000;

/// The honest states of the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// The first connection is being made.
    Connecting,
    /// The stream is open; the snapshot is being read and compared.
    CatchingUp,
    /// Bytes flow, and the catch-up is done.
    Live,
    /// The stream is open but silent beyond its heartbeat, since this time.
    Stale { since: Time },
    /// The link broke; the next try comes at `at`.
    Retrying { at: Time, tries: u32, why: Failure },
    /// There is no stream here; REST is polled and answers. The stream is tried in the background.
    Polling { why: Failure },
    /// No stream will be tried by itself, and REST does not answer either.
    Stopped { why: Failure },
}

impl LinkState {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::CatchingUp => "catching up",
            Self::Live => "live",
            Self::Stale { .. } => "stale",
            Self::Retrying { .. } => "retrying",
            Self::Polling { .. } => "polling",
            Self::Stopped { .. } => "stopped",
        }
    }
}

/// A task whose state was wrong here until a comparison mended it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    pub task: TaskId,
    /// As it was known before; `None` if the task was not known.
    pub before: Option<TaskState>,
    /// As it is; `None` if the service does not know the task any more.
    pub after: Option<TaskState>,
    pub how: RepairedBy,
}

/// Where the right state was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RepairedBy {
    /// The list of active tasks.
    Snapshot,
    /// `/tasks/{id}`: it had left the list.
    Reading,
    /// The message log: it began and ended in the gap.
    Log,
}

/// What told of the time of a gap while it lasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Heard {
    /// There was no stream, and no answer either.
    #[default]
    Nothing,
    /// There was no stream, and so many polls were answered.
    Polls(usize),
    /// The stream was open, and left out what a comparison found later.
    Stream,
}

/// What the comparison after a gap found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// From when to when events may have been missed; `None` on the first connection.
    pub gap: Option<(Time, Time)>,
    pub heard: Heard,
    /// There was a gap before the first connection, and nobody knows since when.
    pub is_gap_unknown: bool,
    /// Active tasks in the snapshot; `None` if it could not be read, so that nothing was compared.
    pub compared: Option<usize>,
    /// Tasks whose state we had wrong until the comparison, at most [`MAX_REPAIRS`] of them.
    pub repaired: Vec<Repair>,
    /// How many were repaired, those beyond the bound included.
    pub n_repaired: usize,
    /// Tasks that began and ended inside the gap, found in the message log.
    pub found: usize,
    /// Frames that came during the catch-up and were folded after it.
    pub held: usize,
    /// Events of the gap that the stream brought after all, as it was asked to go on from the last
    /// event id.
    pub backfilled: usize,
    /// What could not be known, in words; `None` means that nothing was missed.
    pub caveat: Option<String>,
    pub at: Time,
}

impl Proof {
    /// `converged · gap 42s · 3 repaired`, then what could not be known.
    pub fn words(&self) -> String {
        match (&self.caveat, self.compared) {
            (Some(caveat), Some(_)) => format!("{} · {caveat}", self.summary()),
            (Some(caveat), None) => caveat.clone(),
            (None, _) => self.summary(),
        }
    }

    /// The same without what could not be known; that there is such is still said.
    pub fn summary(&self) -> String {
        let mut words = String::from(match (self.compared, &self.caveat) {
            (None, _) => return "nothing was compared".to_owned(),
            (Some(_), Some(_)) => "converged in part",
            (Some(_), None) => "converged",
        });
        if let Some((from, to)) = self.gap {
            words.push_str(" · gap ");
            words.push_str(&super::time::duration_words(to.since(from)));
        } else if self.is_gap_unknown {
            words.push_str(" · gap of unknown length");
        }
        let _ = write!(words, " · {} repaired", self.n_repaired);
        if self.found > 0 {
            let _ = write!(words, " · {} found in the log", self.found);
        }
        words
    }
}

/// What one part of the service offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ability {
    /// Not looked at yet.
    #[default]
    Unknown,
    /// Offered, by this route.
    Offered(String),
    /// Not offered, for this reason.
    Absent(String),
}

impl Ability {
    pub fn is_offered(&self) -> bool {
        matches!(self, Self::Offered(_))
    }
}

/// Abilities of a source, as data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Abilities {
    pub stream: Ability,
    pub resend: Ability,
    pub endpoint_list: Ability,
    pub messages: Ability,
    pub attempts: Ability,
    /// The automatic retries, if the server publishes them.
    pub retry_schedule: Option<PublishedRetries>,
    /// What else the delivery service offers; those that are not in it were not looked at.
    pub offers: BTreeMap<Offer, Ability>,
}

/// Counters of the link, as the Health screen shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounters {
    pub connections: u64,
    pub bytes: u64,
    pub frames: u64,
    pub comments: u64,
    pub oversized: u64,
    pub unreadable: u64,
    pub polls: u64,
    pub poll_failures: u64,
}
