//! Tapes of bytes: cut at every byte, reordered, played twice, they give the same History.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use reeltop::domain::{Change, ChangeKind, History, Moment, Observation, Origin, Time};
use reeltop::wire::{events, sse};

fn tapes() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tapes");
    let mut tapes: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read(path).unwrap(),
            )
        })
        .collect();
    tapes.sort();
    tapes
}

fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Change> {
    let mut decoder = sse::Decoder::new(1 << 20);
    let mut changes = Vec::new();
    for chunk in chunks {
        decoder
            .push(chunk, |frame| {
                let raw: Arc<[u8]> = frame.data.into();
                events::decode(&frame, |kind| {
                    let received = Moment {
                        wall: Time::from_seconds(1_800_000_000),
                        mono: 0,
                    };
                    changes.push(Change {
                        seq: 0,
                        received,
                        origin: Origin::Stream,
                        raw: Some(raw.clone()),
                        kind,
                    });
                })
                .unwrap();
            })
            .unwrap();
    }
    changes
}

/// All that a History says of its tasks, comparable.
fn tasks_of(changes: &[Change]) -> BTreeMap<String, Observation> {
    let mut history = History::default();
    history.apply_all(changes.iter().cloned());
    let rows = (0..history.tasks.places() as u32).filter_map(|place| history.tasks.row(place));
    rows.map(|row| (row.id().to_string(), row.observation()))
        .collect()
}

#[test]
fn a_tape_cut_at_every_byte_gives_the_same_history() {
    for (name, bytes) in tapes() {
        let whole = read([&bytes[..]]);
        let expected = tasks_of(&whole);
        assert!(!expected.is_empty(), "{name}");
        for cut in 0..bytes.len() {
            let changes = read([&bytes[..cut], &bytes[cut..]]);
            assert_eq!(changes, whole, "{name} cut at {cut}");
        }
        assert_eq!(
            tasks_of(&read(bytes.chunks(1))),
            expected,
            "{name} byte by byte"
        );
    }
}

#[test]
fn a_tape_played_twice_changes_nothing_and_is_counted() {
    for (name, bytes) in tapes() {
        let once = read([&bytes[..]]);
        let twice: Vec<Change> = once.iter().chain(&once).cloned().collect();
        assert_eq!(tasks_of(&twice), tasks_of(&once), "{name}");
        let mut history = History::default();
        history.apply_all(once.iter().cloned());
        let (total, duplicates) = (history.events.total(), history.events.duplicates());
        history.apply_all(once.iter().cloned());
        assert_eq!(history.events.total(), total, "{name}");
        let n_events = once
            .iter()
            .filter(|change| matches!(change.kind, ChangeKind::Event(_)))
            .count();
        assert_eq!(
            history.events.duplicates(),
            duplicates + n_events as u64,
            "{name}"
        );
    }
}

#[test]
fn the_tie_goes_to_the_greater_sight_as_the_contract_says() {
    let (_, bytes) = tapes()
        .into_iter()
        .find(|(name, _)| name.starts_with("duplicates"))
        .unwrap();
    let tasks = tasks_of(&read([&bytes[..]]));
    let states: Vec<String> = tasks
        .values()
        .map(|seen| {
            format!(
                "{:?}",
                seen.features
                    .iter()
                    .map(|(_, state)| state.to_string())
                    .collect::<Vec<_>>()
            )
        })
        .collect();
    assert_eq!(states, [r#"["completed", "processing"]"#, r#"["failed"]"#]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_order_of_any_tape_gives_the_same_tasks(seed in any::<u64>(), cut in any::<prop::sample::Index>()) {
        for (name, bytes) in tapes() {
            let whole = read([&bytes[..]]);
            let mut shuffled = whole.clone();
            let mut rng = fastrand::Rng::with_seed(seed);
            rng.shuffle(&mut shuffled);
            // Some come a second time, as after a reconnect that repeats itself.
            let repeated = shuffled[..cut.index(shuffled.len())].to_vec();
            shuffled.extend(repeated);
            prop_assert_eq!(tasks_of(&shuffled), tasks_of(&whole), "{}", name);
        }
    }
}
