//! The codec of the journal: every change comes back as it was, and no bytes make it panic.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use reeltop::domain::{
    Abilities, Ability, AssetId, Attempt, AttemptId, AttemptStatus, Before, Change, ChangeKind,
    Disabling, Endpoint, EndpointId, Event, EventId, EventType, Example, Failure, FailureKind,
    Feature, FeatureState, Features, Heard, LinkState, Message, MessageId, Moment, OFFERS,
    Observation, Origin, Payload, Proof, PublishedRetries, Repair, RepairedBy, ReplayStep, Route,
    Stage, TaskId, TaskState, Time, Trigger, Unreadable, UserId, WORD_KINDS, WordSeen,
};
use reeltop::wire::record::{Encoded, Record, decode, encode, redact};

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<u128>().prop_map(|bits| uuid::Uuid::from_u128(bits).to_string()),
        1 => "[a-zA-Z0-9_é-]{0,40}",
    ]
}

fn uuid_text() -> impl Strategy<Value = String> {
    any::<u128>().prop_map(|bits| uuid::Uuid::from_u128(bits).to_string())
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        4 => (1_700_000_000_000_000_i64..1_900_000_000_000_000).prop_map(Time),
        1 => any::<i64>().prop_map(Time),
    ]
}

fn features() -> impl Strategy<Value = Features> {
    let word = prop_oneof![
        4 => prop::sample::select(vec!["queued", "processing", "completed", "failed", "na"])
            .prop_map(str::to_owned),
        1 => "[a-z]{1,90}",
    ];
    let name = prop_oneof![
        4 => prop::sample::select(vec!["proxy", "preview", "visual", "transcription", "scene_detect"])
            .prop_map(str::to_owned),
        1 => "[a-z]{1,90}",
    ];
    vec((name, word), 0..6).prop_map(|pairs| {
        let mut all = Features::default();
        for (name, word) in pairs {
            all.set(Feature::new(&name), FeatureState::new(&word));
        }
        all
    })
}

fn sight() -> impl Strategy<Value = Observation> {
    (
        (id(), id(), id(), features()),
        (time(), time(), option::of(time()), option::of(id())),
    )
        .prop_map(
            |((task, asset, user, features), (created, updated, published, event))| Observation {
                task: TaskId::new(&task),
                asset: AssetId::new(&asset),
                user: UserId::new(&user),
                features,
                created,
                updated,
                published,
                event: event.as_deref().map(EventId::new),
            },
        )
}

/// An event in the documented form, which goes into the columns, with its raw bytes.
fn documented() -> impl Strategy<Value = (ChangeKind, Option<Arc<[u8]>>)> {
    let ids = (uuid_text(), uuid_text(), uuid_text(), uuid_text());
    let times = (time(), time(), option::of(time()));
    (ids, times, 0..3_usize, ".{0,30}").prop_map(
        |((event, task, asset, user), (created, updated, published), kind, junk)| {
            let mut features = Features::default();
            features.set(Feature::Proxy, FeatureState::Completed);
            let raw = format!(
                "{{\"event_id\":\"{event}\",\"x\":\"{junk}\",\"a\":\"{event}x\",\"task\":\"{task}\",\"asset\":\"{asset}\",\"user\":\"{user}\",\"{task}\":1}}"
            );
            let id = EventId::new(&event);
            let seen = Observation {
                task: TaskId::new(&task),
                asset: AssetId::new(&asset),
                user: UserId::new(&user),
                features,
                created,
                updated,
                published,
                event: Some(id.clone()),
            };
            let event = Event {
                id,
                kind: EventType::new(["task.progress", "task.completed", "task.failed"][kind]),
                published,
                user: Some(seen.user.clone()),
                task: Some(seen),
                asset_name: None,
            };
            (ChangeKind::Event(event), Some(raw.into_bytes().into()))
        },
    )
}

fn event() -> impl Strategy<Value = ChangeKind> {
    let parts = (id(), ".{0,40}", option::of(time()), option::of(id()));
    (parts, option::of(sight()), option::of(".{0,20}")).prop_map(
        |((id, kind, published, user), task, name)| {
            ChangeKind::Event(Event {
                id: EventId::new(&id),
                kind: EventType::new(&kind),
                published,
                user: user.as_deref().map(UserId::new),
                task,
                asset_name: name.map(Arc::from),
            })
        },
    )
}

fn failure() -> impl Strategy<Value = Failure> {
    let kinds = vec![
        FailureKind::Unreachable,
        FailureKind::Unauthorized,
        FailureKind::NotAspect,
        FailureKind::Local,
    ];
    (prop::sample::select(kinds), ".{0,40}", ".{0,20}")
        .prop_map(|(kind, what, hint)| Failure::new(kind, what, hint))
}

fn logs() -> impl Strategy<Value = ChangeKind> {
    let message = (
        id(),
        option::of(id()),
        option::of(id()),
        time(),
        0..3,
        ".{0,80}",
    );
    let message = message.prop_map(|(id, event, task, accepted, payload, text)| {
        ChangeKind::Message(Box::new(Message {
            id: MessageId::new(&id),
            event: event.as_deref().map(EventId::new),
            kind: EventType::new("task.failed"),
            accepted,
            task: task.as_deref().map(TaskId::new),
            payload: match payload {
                0 => Payload::Json(text.into()),
                1 => Payload::Expired,
                _ => Payload::Absent,
            },
        }))
    });
    let attempt = (
        id(),
        id(),
        id(),
        time(),
        any::<u16>(),
        option::of(any::<u32>()),
        ".{0,80}",
    );
    let attempt = attempt.prop_map(|(id, message, endpoint, started, code, took, response)| {
        ChangeKind::Attempt(Box::new(Attempt {
            id: AttemptId::new(&id),
            message: MessageId::new(&message),
            endpoint: EndpointId::new(&endpoint),
            url: "https://example.com/hooks".into(),
            started,
            status: [
                AttemptStatus::Success,
                AttemptStatus::Fail,
                AttemptStatus::Sending,
            ][usize::from(code) % 3]
                .clone(),
            code,
            duration_ms: took.map(u64::from),
            response: response.into(),
            trigger: [Trigger::Manual, Trigger::Scheduled][usize::from(code) % 2],
        }))
    });
    let types = option::of(vec("[a-z.]{1,12}", 0..3));
    let endpoint = (
        id(),
        ".{0,30}",
        types,
        option::of(any::<u32>()),
        any::<bool>(),
        option::of(time()),
    );
    let endpoint = endpoint.prop_map(|(id, description, types, rate, flag, created)| {
        ChangeKind::Endpoint(Box::new(Endpoint {
            id: EndpointId::new(&id),
            url: "https://example.com/hooks".into(),
            description: description.into(),
            event_types: types.map(|types| types.iter().map(|name| EventType::new(name)).collect()),
            rate_limit: rate.map(u64::from),
            disabled: flag,
            created,
            updated: None,
            is_inferred: !flag,
        }))
    });
    let listed = vec(id(), 0..4).prop_map(|ids| {
        ChangeKind::EndpointsListed(ids.iter().map(|id| EndpointId::new(id)).collect())
    });
    prop_oneof![
        message.boxed(),
        attempt.boxed(),
        endpoint.boxed(),
        listed.boxed()
    ]
}

fn abilities() -> impl Strategy<Value = ChangeKind> {
    let disabling = prop_oneof![
        Just(Disabling::Never),
        (0.0..1e6).prop_map(Disabling::After)
    ];
    let retries = (
        vec(0.0..1e6, 0..5),
        option::of(0.0..1e3),
        option::of(disabling),
    );
    let retries = retries.prop_map(
        |(delays, floor_after_timeout, disabling)| PublishedRetries {
            delays,
            floor_after_timeout,
            disabling,
        },
    );
    (option::of(retries), ".{1,20}").prop_map(|(retry_schedule, text)| {
        ChangeKind::Abilities(Box::new(Abilities {
            stream: Ability::Offered(text.clone()),
            resend: Ability::Absent(text.clone()),
            retry_schedule,
            offers: OFFERS
                .into_iter()
                .map(|offer| (offer, Ability::Offered(text.clone())))
                .skip(text.len() % OFFERS.len())
                .collect(),
            ..Abilities::default()
        }))
    })
}

fn proof() -> impl Strategy<Value = ChangeKind> {
    let repair = (id(), any::<bool>(), 0..3_usize).prop_map(|(task, was_known, how)| Repair {
        task: TaskId::new(&task),
        before: was_known.then_some(TaskState::Processing),
        after: (!was_known).then_some(TaskState::Failed),
        how: [RepairedBy::Snapshot, RepairedBy::Reading, RepairedBy::Log][how],
    });
    let proof = (
        option::of((time(), time())),
        vec(repair, 0..4),
        option::of(".{0,40}"),
        0..9_usize,
    );
    let heard = prop_oneof![
        Just(Heard::Nothing),
        (0..9_usize).prop_map(Heard::Polls),
        Just(Heard::Stream)
    ];
    (proof, heard).prop_map(|((gap, repaired, caveat, n), heard)| {
        ChangeKind::Proof(Box::new(Proof {
            gap,
            heard,
            is_gap_unknown: false,
            compared: (n > 2).then_some(n),
            n_repaired: repaired.len() + n,
            repaired,
            found: n,
            held: n * 2,
            backfilled: n * 3,
            caveat,
            at: Time(7),
        }))
    })
}

fn told() -> impl Strategy<Value = ChangeKind> {
    let link = (failure(), time(), any::<u32>(), 0..7).prop_map(|(why, at, tries, which)| {
        ChangeKind::Link(Box::new(match which {
            0 => LinkState::Connecting,
            1 => LinkState::CatchingUp,
            2 => LinkState::Live,
            3 => LinkState::Stale { since: at },
            4 => LinkState::Retrying { at, tries, why },
            5 => LinkState::Polling { why },
            _ => LinkState::Stopped { why },
        }))
    });
    let proof = proof();
    let abilities = abilities();
    let unreadable = (".{0,40}", ".{0,40}", any::<Option<u64>>());
    let unreadable = unreadable.prop_map(|(why, excerpt, known_by)| {
        ChangeKind::Unreadable(Box::new(Unreadable {
            place: "stream",
            count: 7,
            why,
            excerpt,
            known_by,
        }))
    });
    let word = (0..4_usize, ".{1,20}", any::<u32>(), ".{0,20}", ".{0,40}");
    let word = word.prop_map(|(kind, word, count, seen_in, excerpt)| {
        ChangeKind::NewWord(Box::new(WordSeen {
            kind: WORD_KINDS[kind],
            word: word.into(),
            count: u64::from(count),
            example: Example { seen_in, excerpt },
        }))
    });
    let before = (vec(id(), 0..3), any::<bool>());
    let step = (id(), id(), any::<u64>(), 0..9, before, failure());
    let step = step.prop_map(
        |(message, endpoint, replay, stage, (before, is_whole), why)| {
            ChangeKind::Replay(Box::new(ReplayStep {
                replay,
                message: MessageId::new(&message),
                endpoint: EndpointId::new(&endpoint),
                route: Route::Server,
                stage: match stage {
                    0 => Stage::Planned,
                    1 => Stage::Sending {
                        before: Before {
                            ids: before.iter().map(|id| AttemptId::new(id)).collect(),
                            is_whole,
                        },
                    },
                    2 => Stage::Accepted,
                    3 => Stage::Refused(why),
                    4 => Stage::Unknown(why.what),
                    5 => Stage::Cancelled(why.what),
                    6 => Stage::Looking,
                    7 => Stage::Blurred,
                    _ => Stage::Looked,
                },
            }))
        },
    );
    let named = (id(), ".{0,40}").prop_map(|(asset, name)| ChangeKind::AssetNamed {
        asset: AssetId::new(&asset),
        name: name.into(),
    });
    prop_oneof![
        link.boxed(),
        proof.boxed(),
        abilities.boxed(),
        unreadable.boxed(),
        step.boxed(),
        word.boxed(),
        named.boxed(),
        id().prop_map(|id| ChangeKind::TaskGone(TaskId::new(&id))),
        failure().prop_map(|why| ChangeKind::Polled(Some(Box::new(why)))),
    ]
}

fn change() -> BoxedStrategy<Change> {
    let raw = option::of(vec(any::<u8>(), 0..60).prop_map(Arc::<[u8]>::from));
    let other = prop_oneof![
        event().boxed(),
        sight().prop_map(ChangeKind::Task).boxed(),
        logs().boxed(),
        told().boxed()
    ];
    let what = prop_oneof![documented().boxed(), (other, raw).boxed()];
    let origins = vec![Origin::Stream, Origin::Snapshot, Origin::Poll, Origin::User];
    let parts = (what, time(), prop::sample::select(origins));
    parts
        .prop_map(|((kind, raw), wall, origin)| Change {
            seq: 0,
            received: Moment { wall, mono: 0 },
            origin,
            raw,
            kind,
        })
        .boxed()
}

fn expected(change: &Change, with_raw: bool) -> Record {
    Record {
        received: change.received.wall,
        origin: change.origin,
        raw: change.raw.clone().filter(|_| with_raw),
        kind: change.kind.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_change_comes_back_as_it_was(changes in vec(change(), 0..40)) {
        let Encoded { typed, raw, n_rows, .. } = encode(&changes);
        prop_assert_eq!(n_rows, changes.len());
        for with_raw in [true, false] {
            let found = decode(&typed, with_raw.then_some(&raw[..])).unwrap();
            prop_assert_eq!(found.n_unknown, 0);
            for (record, change) in found.records.iter().zip(&changes) {
                prop_assert_eq!(record, &expected(change, with_raw));
            }
            prop_assert_eq!(found.records.len(), changes.len());
        }
    }

    #[test]
    fn arbitrary_bytes_are_read_without_a_panic(
        typed in vec(any::<u8>(), 0..200), raw in vec(any::<u8>(), 0..60),
    ) {
        let mut versioned = vec![1];
        versioned.extend(&typed);
        for bytes in [&typed, &versioned] {
            let _ = decode(bytes, Some(&raw));
            let _ = decode(bytes, None);
        }
    }

    #[test]
    fn a_damaged_block_is_read_without_a_panic(
        changes in vec(change(), 1..8), damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut block = encode(&changes);
        for (at, byte) in damage {
            let at = at.index(block.typed.len());
            block.typed[at] = byte;
        }
        let _ = decode(&block.typed, Some(&block.raw));
        let _ = decode(&block.typed[..cut.index(block.typed.len())], Some(&block.raw));
        let _ = decode(&encode(&changes).typed, Some(&block.raw[..block.raw.len() / 2]));
    }
}

#[test]
fn changes_of_one_frame_share_their_bytes_again() {
    let raw: Arc<[u8]> = b"[1, 2]".as_slice().into();
    let changes: Vec<Change> = (0..3)
        .map(|n| Change {
            seq: n,
            received: Moment::default(),
            origin: Origin::Stream,
            raw: Some(raw.clone()),
            kind: ChangeKind::TaskGone(TaskId::new("t")),
        })
        .collect();
    let block = encode(&changes);
    assert_eq!(block.raw, b"[1, 2]");
    let found = decode(&block.typed, Some(&block.raw)).unwrap().records;
    let shares =
        |a: &Record, b: &Record| Arc::ptr_eq(a.raw.as_ref().unwrap(), b.raw.as_ref().unwrap());
    assert!(shares(&found[0], &found[1]) && shares(&found[1], &found[2]));
}

#[test]
fn what_a_newer_reeltop_adds_is_passed_over_and_counted() {
    let changes = [Change {
        seq: 0,
        received: Moment::default(),
        origin: Origin::Poll,
        raw: None,
        kind: ChangeKind::TaskGone(TaskId::new("t")),
    }];
    let block = encode(&changes);
    // The column of kinds: tag 1, one byte long, holding the number 4.
    let at = block.typed.windows(3).position(|bytes| bytes == [1, 1, 4]);
    let mut newer = block.typed.clone();
    newer[at.unwrap() + 2] = 200;
    newer.extend([99, 2, b'?', b'?']);
    let found = decode(&newer, Some(&[])).unwrap();
    assert_eq!((found.records.len(), found.n_unknown), (0, 1));
    newer[0] = 2;
    assert!(decode(&newer, None).is_err());
}

#[test]
fn an_endpoints_secrets_do_not_reach_the_block_whatever_way_they_come() {
    let endpoint = Endpoint::inferred(
        EndpointId::new("ep"),
        "https://ann:hunter22@example.com/h?key=hunter22".into(),
    );
    let changes = [Change {
        seq: 0,
        received: Moment::default(),
        origin: Origin::Poll,
        raw: Some(b"{\"echo\":\"sk_live_hunter\"}".as_slice().into()),
        kind: ChangeKind::Endpoint(Box::new(endpoint)),
    }];
    let mut block = encode(&changes);
    redact(&mut block.raw, &[b"sk_live_hunter"]);
    let text = [block.typed.clone(), block.raw.clone()].concat();
    assert!(!String::from_utf8_lossy(&text).contains("hunter"));
    let found = decode(&block.typed, Some(&block.raw)).unwrap().records;
    assert!(
        matches!(&found[0].kind, ChangeKind::Endpoint(known) if known.url.contains("example.com/h"))
    );
}
