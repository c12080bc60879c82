//! Every kind of change as fields with tags, and back. A tag, once given, keeps its meaning.

use std::sync::Arc;

use super::abilities::{read_abilities, write_abilities};
use super::fields::{Fields, Writer, read_id};
use super::unreadable::{read_unreadable, write_unreadable};
use crate::domain::{
    AssetId, Attempt, AttemptId, AttemptStatus, Before, ChangeKind, Endpoint, EndpointId, Event,
    EventId, EventType, Example, Failure, FailureKind, Feature, FeatureState, Features, Heard,
    LinkState, Message, MessageId, Observation, Payload, Proof, Repair, RepairedBy, ReplayStep,
    Reply, Route, Stage, TaskId, TaskState, Time, Trigger, UserId, WORD_KINDS, WordSeen,
    masked_url,
};

/// The bits of the packed features that mean something.
pub(super) const KNOWN_STATES: u32 = 0x7777_7777;

const EVENT: u8 = 2;
const TASK: u8 = 3;
const TASK_GONE: u8 = 4;
const ASSET_NAMED: u8 = 5;
const MESSAGE: u8 = 6;
const ATTEMPT: u8 = 7;
const ENDPOINT: u8 = 8;
const ENDPOINTS_LISTED: u8 = 9;
const LINK: u8 = 10;
const PROOF: u8 = 11;
const ABILITIES: u8 = 12;
const UNREADABLE: u8 = 13;
const POLL_FAILED: u8 = 14;
const REPLAY: u8 = 15;
const NEW_WORD: u8 = 16;

/// Whether the journal keeps changes of this kind. What tells only of this run is not kept: counters
/// begin anew, polls that went well say nothing, what the service plans is asked anew, what a
/// receiver got is its own, and the journal does not write of itself.
pub fn is_kept(kind: &ChangeKind) -> bool {
    use ChangeKind::{
        AttemptsFrom, AttemptsRead, AttemptsUntil, Counters, Hole, Journal, Judged, Ledger,
        LedgerTrouble, MessagesRead, NextTry, Polled, Received, ServiceAhead, TasksAhead,
        TurnedAway, Unread,
    };
    !matches!(
        kind,
        Counters(_)
            | ServiceAhead(_)
            | TasksAhead(_)
            | Polled(None)
            | NextTry(_)
            | AttemptsFrom { .. }
            | AttemptsUntil { .. }
            | AttemptsRead(_)
            | MessagesRead(_)
            | Unread { .. }
            | Received(_)
            | TurnedAway(_)
            | Judged { .. }
            | Journal(_)
            | Hole(_)
            | Ledger(_)
            | LedgerTrouble(_)
    )
}

/// Writes the fields of a change; gives the number of its kind, or `None` if it is not kept.
pub(super) fn write(kind: &ChangeKind, to: &mut Writer) -> Option<u8> {
    Some(match kind {
        ChangeKind::Event(event) => {
            write_event(event, to);
            EVENT
        }
        ChangeKind::Task(seen) => {
            write_sight(seen, to);
            TASK
        }
        ChangeKind::TaskGone(task) => {
            to.id(1, &task.0);
            TASK_GONE
        }
        ChangeKind::AssetNamed { asset, name } => {
            to.id(1, &asset.0);
            to.text(2, name);
            ASSET_NAMED
        }
        ChangeKind::Message(message) => {
            write_message(message, to);
            MESSAGE
        }
        ChangeKind::Attempt(attempt) => {
            write_attempt(attempt, to);
            ATTEMPT
        }
        ChangeKind::Endpoint(endpoint) => {
            write_endpoint(endpoint, to);
            ENDPOINT
        }
        ChangeKind::EndpointsListed(ids) => {
            ids.iter().for_each(|id| to.id(1, &id.0));
            ENDPOINTS_LISTED
        }
        ChangeKind::Link(state) => {
            write_link(state, to);
            LINK
        }
        ChangeKind::Proof(proof) => {
            write_proof(proof, to);
            PROOF
        }
        ChangeKind::Abilities(abilities) => {
            write_abilities(abilities, to);
            ABILITIES
        }
        ChangeKind::Unreadable(what) => {
            write_unreadable(what, to);
            UNREADABLE
        }
        ChangeKind::NewWord(seen) => {
            write_word(seen, to);
            NEW_WORD
        }
        ChangeKind::Polled(Some(failure)) => {
            write_failure(failure, to);
            POLL_FAILED
        }
        ChangeKind::Replay(step) => {
            write_step(step, to);
            REPLAY
        }
        ChangeKind::Polled(None)
        | ChangeKind::Counters(_)
        | ChangeKind::ServiceAhead(_)
        | ChangeKind::TasksAhead(_)
        | ChangeKind::NextTry(_)
        | ChangeKind::AttemptsFrom { .. }
        | ChangeKind::AttemptsUntil { .. }
        | ChangeKind::AttemptsRead(_)
        | ChangeKind::MessagesRead(_)
        | ChangeKind::Unread { .. }
        | ChangeKind::Received(_)
        | ChangeKind::TurnedAway(_)
        | ChangeKind::Judged { .. }
        | ChangeKind::Journal(_)
        | ChangeKind::Hole(_)
        | ChangeKind::Ledger(_)
        | ChangeKind::LedgerTrouble(_) => return None,
    })
}

/// Reads a change; `None` where its kind is not known, or something that it cannot be without is
/// missing.
pub(super) fn read(number: u8, from: Fields<'_>) -> Option<ChangeKind> {
    Some(match number {
        EVENT => ChangeKind::Event(read_event(from)?),
        TASK => ChangeKind::Task(read_sight(from)?),
        TASK_GONE => ChangeKind::TaskGone(TaskId(from.id(1)?)),
        ASSET_NAMED => ChangeKind::AssetNamed {
            asset: AssetId(from.id(1)?),
            name: from.text(2)?.into(),
        },
        MESSAGE => ChangeKind::Message(Box::new(read_message(from)?)),
        ATTEMPT => ChangeKind::Attempt(Box::new(read_attempt(from)?)),
        ENDPOINT => ChangeKind::Endpoint(Box::new(read_endpoint(from)?)),
        ENDPOINTS_LISTED => {
            let ids = from.all(1).filter_map(read_id).map(EndpointId);
            ChangeKind::EndpointsListed(ids.collect())
        }
        LINK => ChangeKind::Link(Box::new(read_link(from)?)),
        PROOF => ChangeKind::Proof(Box::new(read_proof(from)?)),
        ABILITIES => ChangeKind::Abilities(Box::new(read_abilities(from))),
        UNREADABLE => ChangeKind::Unreadable(Box::new(read_unreadable(from)?)),
        NEW_WORD => ChangeKind::NewWord(Box::new(read_word(from)?)),
        POLL_FAILED => ChangeKind::Polled(Some(Box::new(read_failure(from)?))),
        REPLAY => ChangeKind::Replay(Box::new(read_step(from)?)),
        _ => return None,
    })
}

fn write_event(event: &Event, to: &mut Writer) {
    to.id(1, &event.id.0);
    to.text(2, event.kind.name());
    write_time(3, event.published, to);
    if let Some(user) = &event.user {
        to.id(4, &user.0);
    }
    if let Some(seen) = &event.task {
        to.nested(5, |to| write_sight(seen, to));
    }
    if let Some(name) = &event.asset_name {
        to.text(6, name);
    }
}

fn read_event(from: Fields<'_>) -> Option<Event> {
    Some(Event {
        id: EventId(from.id(1)?),
        kind: EventType::new(from.text(2)?),
        published: time(from, 3),
        user: from.id(4).map(UserId),
        task: from.nested(5).and_then(read_sight),
        asset_name: from.text(6).map(Arc::from),
    })
}

fn write_sight(seen: &Observation, to: &mut Writer) {
    to.id(1, &seen.task.0);
    to.id(2, &seen.asset.0);
    to.id(3, &seen.user.0);
    to.number(4, i64::from(seen.features.packed()));
    for (feature, state) in seen.features.extra().iter().flat_map(|extra| extra.iter()) {
        to.nested(5, |to| {
            to.text(1, feature.name());
            to.text(2, state.name());
        });
    }
    to.number(6, seen.created.0);
    to.number(7, seen.updated.0);
    write_time(8, seen.published, to);
    if let Some(event) = &seen.event {
        to.id(9, &event.0);
    }
}

fn read_sight(from: Fields<'_>) -> Option<Observation> {
    let mut features =
        Features::from_parts(u32::try_from(from.number(4)?).ok()? & KNOWN_STATES, None);
    for extra in from.all(5).map(Fields) {
        features.set(
            Feature::new(extra.text(1)?),
            FeatureState::new(extra.text(2)?),
        );
    }
    Some(Observation {
        task: TaskId(from.id(1)?),
        asset: AssetId(from.id(2)?),
        user: UserId(from.id(3)?),
        features,
        created: Time(from.number(6)?),
        updated: Time(from.number(7)?),
        published: time(from, 8),
        event: from.id(9).map(EventId),
    })
}

fn write_message(message: &Message, to: &mut Writer) {
    to.id(1, &message.id.0);
    if let Some(event) = &message.event {
        to.id(2, &event.0);
    }
    to.text(3, message.kind.name());
    to.number(4, message.accepted.0);
    if let Some(task) = &message.task {
        to.id(5, &task.0);
    }
    match &message.payload {
        Payload::Json(text) => to.text(6, text),
        Payload::Expired => to.number(7, 1),
        Payload::Absent => {}
    }
}

fn read_message(from: Fields<'_>) -> Option<Message> {
    let payload = match (from.text(6), from.number(7)) {
        (Some(text), _) => Payload::Json(text.into()),
        (None, Some(_)) => Payload::Expired,
        (None, None) => Payload::Absent,
    };
    Some(Message {
        id: MessageId(from.id(1)?),
        event: from.id(2).map(EventId),
        kind: EventType::new(from.text(3)?),
        accepted: Time(from.number(4)?),
        task: from.id(5).map(TaskId),
        payload,
    })
}

const STATUSES: [AttemptStatus; 6] = [
    AttemptStatus::Success,
    AttemptStatus::Pending,
    AttemptStatus::Fail,
    AttemptStatus::Sending,
    AttemptStatus::Canceled,
    AttemptStatus::Unknown,
];
const TRIGGERS: [Trigger; 3] = [Trigger::Scheduled, Trigger::Manual, Trigger::Unknown];

fn write_attempt(attempt: &Attempt, to: &mut Writer) {
    to.id(1, &attempt.id.0);
    to.id(2, &attempt.message.0);
    to.id(3, &attempt.endpoint.0);
    to.text(4, &masked_url(&attempt.url));
    to.number(5, attempt.started.0);
    to.text(6, attempt.status.name());
    to.number(7, i64::from(attempt.code));
    if let Some(took) = attempt.duration_ms {
        to.number(8, took as i64);
    }
    to.text(9, &attempt.response);
    to.text(10, attempt.trigger.name());
}

fn read_attempt(from: Fields<'_>) -> Option<Attempt> {
    let (status, trigger) = (from.text(6)?, from.text(10)?);
    Some(Attempt {
        id: AttemptId(from.id(1)?),
        message: MessageId(from.id(2)?),
        endpoint: EndpointId(from.id(3)?),
        url: from.text(4)?.into(),
        started: Time(from.number(5)?),
        status: (STATUSES.into_iter())
            .find(|known| known.name() == status)
            .unwrap_or(AttemptStatus::Unknown),
        code: u16::try_from(from.number(7)?).ok()?,
        duration_ms: from.number(8).map(|took| took as u64),
        response: from.text(9).unwrap_or_default().into(),
        trigger: (TRIGGERS.into_iter())
            .find(|known| known.name() == trigger)
            .unwrap_or(Trigger::Unknown),
    })
}

fn write_endpoint(endpoint: &Endpoint, to: &mut Writer) {
    to.id(1, &endpoint.id.0);
    to.text(2, &masked_url(&endpoint.url));
    to.text(3, &endpoint.description);
    if let Some(types) = &endpoint.event_types {
        to.nested(4, |to| {
            types.iter().for_each(|kind| to.text(1, kind.name()));
        });
    }
    if let Some(rate) = endpoint.rate_limit {
        to.number(5, rate as i64);
    }
    to.number(6, i64::from(endpoint.disabled));
    write_time(7, endpoint.created, to);
    write_time(8, endpoint.updated, to);
    to.number(9, i64::from(endpoint.is_inferred));
}

fn read_endpoint(from: Fields<'_>) -> Option<Endpoint> {
    let types = from.nested(4).map(|types| {
        let names = types
            .all(1)
            .filter_map(|name| std::str::from_utf8(name).ok());
        names.map(EventType::new).collect()
    });
    Some(Endpoint {
        id: EndpointId(from.id(1)?),
        url: from.text(2)?.into(),
        description: from.text(3).unwrap_or_default().into(),
        event_types: types,
        rate_limit: from.number(5).map(|rate| rate as u64),
        disabled: from.number(6) == Some(1),
        created: time(from, 7),
        updated: time(from, 8),
        is_inferred: from.number(9) == Some(1),
    })
}

fn write_link(state: &LinkState, to: &mut Writer) {
    to.text(1, state.name());
    match state {
        LinkState::Stale { since } => to.number(2, since.0),
        LinkState::Retrying { at, tries, why } => {
            to.number(2, at.0);
            to.number(3, i64::from(*tries));
            to.nested(4, |to| write_failure(why, to));
        }
        LinkState::Polling { why } | LinkState::Stopped { why } => {
            to.nested(4, |to| write_failure(why, to));
        }
        LinkState::Connecting | LinkState::CatchingUp | LinkState::Live => {}
    }
}

fn read_link(from: Fields<'_>) -> Option<LinkState> {
    let why = || from.nested(4).and_then(read_failure);
    Some(match from.text(1)? {
        "connecting" => LinkState::Connecting,
        "catching up" => LinkState::CatchingUp,
        "live" => LinkState::Live,
        "stale" => LinkState::Stale {
            since: time(from, 2)?,
        },
        "retrying" => LinkState::Retrying {
            at: time(from, 2)?,
            tries: u32::try_from(from.number(3)?).ok()?,
            why: why()?,
        },
        "polling" => LinkState::Polling { why: why()? },
        "stopped" => LinkState::Stopped { why: why()? },
        _ => return None,
    })
}

fn write_proof(proof: &Proof, to: &mut Writer) {
    if let Some((start, end)) = proof.gap {
        to.number(1, start.0);
        to.number(2, end.0);
    }
    if let Some(compared) = proof.compared {
        to.number(3, compared as i64);
    }
    for repair in &proof.repaired {
        to.nested(4, |to| {
            to.id(1, &repair.task.0);
            if let Some(before) = repair.before {
                to.text(2, before.name());
            }
            if let Some(after) = repair.after {
                to.text(3, after.name());
            }
            to.number(4, repair.how as i64);
        });
    }
    to.number(5, proof.n_repaired as i64);
    to.number(6, proof.found as i64);
    to.number(7, proof.held as i64);
    if let Some(caveat) = &proof.caveat {
        to.text(8, caveat);
    }
    to.number(9, proof.at.0);
    to.number(10, proof.backfilled as i64);
    to.number(11, i64::from(proof.is_gap_unknown));
    match proof.heard {
        Heard::Nothing => {}
        Heard::Polls(n) => to.number(12, n as i64),
        Heard::Stream => to.number(13, 1),
    }
}

const WAYS: [RepairedBy; 3] = [RepairedBy::Snapshot, RepairedBy::Reading, RepairedBy::Log];

fn read_proof(from: Fields<'_>) -> Option<Proof> {
    let count = |tag| from.number(tag).and_then(|n| usize::try_from(n).ok());
    let state = |fields: Fields<'_>, tag| fields.text(tag).and_then(TaskState::from_name);
    let repaired = from.all(4).map(Fields).filter_map(|repair| {
        let how = repair.number(4)?;
        Some(Repair {
            task: TaskId(repair.id(1)?),
            before: state(repair, 2),
            after: state(repair, 3),
            how: WAYS.into_iter().find(|way| *way as i64 == how)?,
        })
    });
    let heard = match (count(12), from.number(13)) {
        (_, Some(1)) => Heard::Stream,
        (Some(n), _) => Heard::Polls(n),
        (None, _) => Heard::Nothing,
    };
    Some(Proof {
        gap: time(from, 1).zip(time(from, 2)),
        is_gap_unknown: from.number(11) == Some(1),
        compared: count(3),
        repaired: repaired.collect(),
        n_repaired: count(5).unwrap_or(0),
        found: count(6).unwrap_or(0),
        held: count(7).unwrap_or(0),
        backfilled: count(10).unwrap_or(0),
        caveat: from.text(8).map(str::to_owned),
        at: time(from, 9)?,
        heard,
    })
}

fn write_word(seen: &WordSeen, to: &mut Writer) {
    to.text(1, seen.kind.name());
    to.text(2, &seen.word);
    to.number(3, seen.count as i64);
    to.text(4, &seen.example.seen_in);
    to.text(5, &seen.example.excerpt);
}

fn read_word(from: Fields<'_>) -> Option<WordSeen> {
    let kind = from.text(1)?;
    Some(WordSeen {
        kind: WORD_KINDS.into_iter().find(|known| known.name() == kind)?,
        word: from.text(2)?.into(),
        count: from.number(3)? as u64,
        example: Example {
            seen_in: from.text(4).unwrap_or_default().to_owned(),
            excerpt: from.text(5).unwrap_or_default().to_owned(),
        },
    })
}

const FAILURES: [FailureKind; 12] = [
    FailureKind::Unreachable,
    FailureKind::Broken,
    FailureKind::Unauthorized,
    FailureKind::Forbidden,
    FailureKind::NotFound,
    FailureKind::NotOffered,
    FailureKind::Invalid,
    FailureKind::RateLimited,
    FailureKind::Server,
    FailureKind::NotAspect,
    FailureKind::TooLarge,
    FailureKind::Local,
];

fn write_failure(failure: &Failure, to: &mut Writer) {
    to.number(1, failure.kind as i64);
    to.text(2, &failure.what);
    to.text(3, &failure.hint);
}

fn read_failure(from: Fields<'_>) -> Option<Failure> {
    let kind = from.number(1)?;
    let kind = FAILURES.into_iter().find(|known| *known as i64 == kind)?;
    Some(Failure::new(kind, from.text(2)?, from.text(3)?))
}

fn write_step(step: &ReplayStep, to: &mut Writer) {
    to.number(1, step.replay as i64);
    to.id(2, &step.message.0);
    to.id(3, &step.endpoint.0);
    to.text(4, step.route.name());
    match &step.stage {
        Stage::Planned => to.number(5, 0),
        Stage::Sending { before } => {
            to.number(5, 1);
            before.ids.iter().for_each(|id| to.id(6, &id.0));
            if !before.is_whole {
                to.number(9, 1);
            }
        }
        Stage::Accepted => to.number(5, 2),
        Stage::Answered(reply) => {
            to.number(5, 9);
            to.number(10, i64::from(reply.code));
            to.number(11, i64::from(reply.duration_ms));
        }
        Stage::Looking => to.number(5, 6),
        Stage::Looked => to.number(5, 7),
        Stage::Blurred => to.number(5, 8),
        Stage::Refused(failure) => {
            to.number(5, 3);
            to.nested(7, |to| write_failure(failure, to));
        }
        Stage::Unknown(why) | Stage::Cancelled(why) => {
            to.number(5, 4 + i64::from(matches!(step.stage, Stage::Cancelled(_))));
            to.text(8, why);
        }
    }
}

fn read_step(from: Fields<'_>) -> Option<ReplayStep> {
    let stage = match from.number(5)? {
        0 => Stage::Planned,
        1 => Stage::Sending {
            before: Before {
                ids: from.all(6).filter_map(read_id).map(AttemptId).collect(),
                is_whole: from.number(9).is_none(),
            },
        },
        2 => Stage::Accepted,
        3 => Stage::Refused(from.nested(7).and_then(read_failure)?),
        4 => Stage::Unknown(from.text(8)?.to_owned()),
        5 => Stage::Cancelled(from.text(8)?.to_owned()),
        6 => Stage::Looking,
        7 => Stage::Looked,
        8 => Stage::Blurred,
        9 => Stage::Answered(Reply {
            code: u16::try_from(from.number(10)?).ok()?,
            duration_ms: u32::try_from(from.number(11)?).ok()?,
        }),
        _ => return None,
    };
    Some(ReplayStep {
        replay: from.number(1)? as u64,
        message: MessageId(from.id(2)?),
        endpoint: EndpointId(from.id(3)?),
        route: Route::named(from.text(4)?).unwrap_or_default(),
        stage,
    })
}

fn write_time(tag: u8, time: Option<Time>, to: &mut Writer) {
    if let Some(time) = time {
        to.number(tag, time.0);
    }
}

fn time(from: Fields<'_>, tag: u8) -> Option<Time> {
    from.number(tag).map(Time)
}
