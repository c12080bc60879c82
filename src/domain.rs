//! The nouns of the field, everything known ([`History`]), and the pure rules over it.
//!
//! Nothing here reads a clock, a file or a socket: time and chance arrive inside values.

mod attempt;
mod backoff;
pub mod bulk;
mod cause;
mod change;
mod count;
mod endpoint;
mod event;
mod failure;
mod feature;
mod health;
mod heartbeat;
mod hidden;
mod history;
mod id;
mod journal;
mod lag;
mod link;
mod mask;
mod message;
mod offer;
mod plan;
pub mod query;
mod queue;
mod received;
mod receiver;
mod replay;
mod safe;
mod schedule;
mod task;
pub mod time;
mod unread;
mod words;

pub use attempt::{Attempt, AttemptNumber, AttemptStatus, FailureClass, Trigger, answer};
pub use backoff::{Backoff, MAX_CONNECTIONS, Pace};
pub use cause::{Cause, CauseId};
pub use change::{Change, ChangeKind, Origin};
pub use count::plural;
pub use endpoint::{
    AttemptHeaders, COUNTED_DAYS, Differs, EVERY_EVENT, EVERY_TASK_EVENT, Endpoint, EndpointDraft,
    EndpointEdit, EndpointVerb, FieldFault, Headers, OddValue, OwnHeaders, OwnValue, Stats,
    header_fault, refused_field, types_expanded, types_named, unknown_type,
};
pub use event::{Event, EventType};
pub use failure::{Failure, FailureKind};
pub use feature::{Extra, Feature, FeatureState, Features, KNOWN_FEATURES, Tally};
pub use health::{Answers, Beat, Failing, Health};
pub use heartbeat::Heartbeat;
pub use hidden::Hidden;
pub use history::{
    Anchor, Applied, BOUNDS, Bound, Bounds, ByTime, CauseSummary, Columns, Counted, Deliveries,
    Delivery, Dropped, EndpointOutcome, EventEntry, EventRow, Events, Gap, GapFound, History, Kept,
    Losses, NextAsked, OutcomeState, PARTS, Part, SortBy, Standing, TaskOrder, TaskRow, TaskSight,
    Tasks, Tries, Window,
};
pub use id::{AssetId, AttemptId, EndpointId, EventId, Id, MessageId, TaskId, UserId};
pub use journal::{Hole, Journal, Missing, NotRecording, Recording};
pub use lag::{Lag, Notified, notified, told_changes};
pub use link::{
    Abilities, Ability, Heard, LinkCounters, LinkState, MAX_REPAIRS, Proof, Repair, RepairedBy,
};
pub use mask::{MASK, masked_url, masked_urls, without};
pub use message::{Log, LogReach, Message, NotRead, Payload};
pub use offer::{OFFERS, Offer};
pub use plan::{
    DISABLED, Grounds, Plan, PlanItem, PostBody, Retry, Verdict, in_the_way, plan, plan_local,
};
pub use query::Query;
pub use queue::{Job, MAX_FAILURES, MAX_PAUSE, Pause, Queue, UNSAID, asks_to_wait};
pub use received::{Again, Finding, Receipt, Receipts, Received, Unfit};
pub use receiver::{is_one_receiver, is_one_receiver_for};
pub use replay::{
    Before, LedgerRow, Replay, ReplayState, ReplayStep, Replays, Reply, Route, Stage, Who,
};
pub use safe::visible;
pub use schedule::{Disabling, Forecast, NextTry, PublishedRetries, RetrySchedule};
pub use task::{Observation, TASK_STATES, TaskState};
pub use time::{Moment, Time};
pub use unread::{KnownRows, Unread, Unreadable};
pub use words::{Example, NewWord, NewWords, WORD_KINDS, WordKind, WordSeen};
