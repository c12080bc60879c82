//! Change: the only way the history moves.

use std::sync::Arc;

use super::attempt::Attempt;
use super::endpoint::Endpoint;
use super::event::Event;
use super::failure::Failure;
use super::id::{AssetId, EndpointId, MessageId, TaskId};
use super::journal::{Hole, Journal};
use super::link::{Abilities, LinkCounters, LinkState, Proof};
use super::message::{Log, LogReach, Message};
use super::received::{Again, Received, Unfit};
use super::replay::{Replay, ReplayStep};
use super::schedule::NextTry;
use super::task::Observation;
use super::time::{Moment, Time};
use super::unread::Unreadable;
use super::words::WordSeen;

/// Where a change came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Origin {
    #[default]
    Stream,
    Snapshot,
    Poll,
    Inference,
    User,
    /// Read from the journal of an earlier run; true when it was recorded.
    Journal,
}

impl Origin {
    pub fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Snapshot => "snapshot",
            Self::Poll => "poll",
            Self::Inference => "inference",
            Self::User => "user",
            Self::Journal => "journal",
        }
    }
}

/// One step of everything that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Position in the intake, from 1 up, without holes.
    pub seq: u64,
    pub received: Moment,
    pub origin: Origin,
    /// The bytes it was read from, shared, where there were any.
    pub raw: Option<Arc<[u8]>>,
    pub kind: ChangeKind,
}

/// What changed.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeKind {
    Event(Event),
    /// A task seen outside the stream: snapshot, read by id, or a message's payload.
    Task(Observation),
    /// The service answered 404 for a task that we knew as unfinished.
    TaskGone(TaskId),
    AssetNamed {
        asset: AssetId,
        name: Arc<str>,
    },
    Message(Box<Message>),
    Attempt(Box<Attempt>),
    /// The log of an endpoint was read back to here, and goes on: older attempts there need not be
    /// known. `None` where it was read back to its beginning.
    AttemptsFrom {
        endpoint: EndpointId,
        from: Option<Time>,
    },
    /// The newest attempts at an endpoint were read at this moment and not since: told as its log cannot
    /// be read any more.
    AttemptsUntil {
        endpoint: EndpointId,
        until: Time,
    },
    /// All attempts of a message were read.
    AttemptsRead(MessageId),
    /// How far back the log of messages was read.
    MessagesRead(LogReach),
    /// Why something could not be read when it was tried last; `None` once it could.
    Unread {
        log: Log,
        why: Option<Arc<str>>,
    },
    /// What the service says of the next attempt.
    NextTry(Box<NextTry>),
    Endpoint(Box<Endpoint>),
    /// A receiver beside the dashboard got a request.
    Received(Box<Received>),
    /// A receiver beside the dashboard turned a request away.
    TurnedAway(Unfit),
    /// What was found when the latest request of a row, its `nth`, was looked at again, by the
    /// row's number.
    Judged {
        row: u64,
        nth: u64,
        again: Box<Again>,
    },
    /// The whole endpoint list was read; those absent from it are deleted.
    EndpointsListed(Arc<[EndpointId]>),
    Link(Box<LinkState>),
    Counters(Box<LinkCounters>),
    /// So many microseconds the clock of the service that delivers is ahead of ours.
    ServiceAhead(i64),
    /// So many the clock of the service whose tasks they are is ahead of ours: the same, but where a
    /// Svix server delivers beside it.
    TasksAhead(i64),
    Proof(Box<Proof>),
    Abilities(Box<Abilities>),
    /// Something came that could not be read, or was passed over; it is counted and kept.
    Unreadable(Box<Unreadable>),
    /// A field of the service that we do not know; what it holds is kept in the raw bytes.
    NewWord(Box<WordSeen>),
    /// A poll ended well (`None`) or badly.
    Polled(Option<Box<Failure>>),
    Replay(Box<ReplayStep>),
    /// Here the journal lacks something of an earlier run.
    Hole(Box<Hole>),
    /// What the ledger says of a replay, of this reeltop or of another.
    Ledger(Box<Replay>),
    /// Why the ledger cannot be used; `None` once it can again.
    LedgerTrouble(Option<Box<Failure>>),
    /// How the journal stands.
    Journal(Box<Journal>),
}
