//! Bytes to frames, bytes to History, and what a task costs in memory.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reeltop::domain::{
    AssetId, Change, ChangeKind, Feature, FeatureState, Features, History, Moment, Observation,
    Origin, TaskId, Time, UserId,
};
use reeltop::io::journal::Recorder;
use reeltop::wire::{events, sse};

use crate::corpus::{self, Corpus, N_EVENTS, task_uuid};
use crate::{ROUNDS, journal, median, yardstick};

/// A History that already knows `n_tasks` tasks.
pub fn preloaded(n_tasks: u64) -> History {
    let mut history = History::default();
    let created = Time::parse("2026-11-22T09:00:00Z").unwrap();
    for number in 0..n_tasks {
        let mut features = Features::default();
        for (at, feature) in [
            Feature::Proxy,
            Feature::Preview,
            Feature::Visual,
            Feature::Transcription,
        ]
        .into_iter()
        .enumerate()
        {
            let state = match number >> at & 3 {
                0 => FeatureState::Queued,
                1 => FeatureState::Processing,
                _ if number.is_multiple_of(97) => FeatureState::Failed,
                _ => FeatureState::Completed,
            };
            features.set(feature, state);
        }
        let id = TaskId::new(&task_uuid(number));
        let seen = Observation {
            asset: AssetId(id.0.clone()),
            task: id,
            user: UserId::new("5f0c1c1e-93a1-4a55-8a3b-6a2f0a8c7e11"),
            features,
            created: created.plus(number as i64),
            updated: created.plus(number as i64 * 3),
            published: None,
            event: None,
        };
        history.apply(Change {
            seq: number,
            received: Moment {
                wall: created,
                mono: 0,
            },
            origin: Origin::Snapshot,
            raw: None,
            kind: ChangeKind::Task(seen),
        });
    }
    history
}

pub fn memory() {
    println!("\nMemory: RSS growth of a History preloaded with tasks (event ring aside)");
    println!("| tasks | bytes a task |\n|---|---|");
    for n_tasks in [100_000, 1_000_000] {
        let before = rss();
        let history = preloaded(n_tasks);
        println!(
            "| {n_tasks} | {:.0} |",
            (rss() - before) as f64 / n_tasks as f64
        );
        black_box(history.tasks.len());
    }
}

pub fn decode_and_fold() {
    let small = corpus::stream(N_EVENTS, 100_000, 1);
    let large = corpus::stream(N_EVENTS, 1_000_000, 2);
    let megabytes = small.bytes.len() as f64 / 1e6;
    println!(
        "\n{N_EVENTS} envelopes, {:.0} bytes a frame, {ROUNDS} interleaved rounds, medians",
        small.bytes.len() as f64 / N_EVENTS as f64
    );
    let folder = tempfile::tempdir().unwrap();
    let mut times: [Vec<Duration>; 8] = Default::default();
    for round in 0..ROUNDS {
        times[0].push(timed(|| bare_parse(&small)));
        times[1].push(timed(|| decode(&small, 8 << 10)));
        times[2].push(timed(|| decode(&small, 64 << 10)));
        times[5].push(timed(|| find_newlines(&small)));
        for (slot, corpus, n_tasks) in [(3, &small, 100_000), (4, &large, 1_000_000)] {
            let mut history = preloaded(n_tasks);
            times[slot].push(timed(|| fold(corpus, &mut history, None)));
            assert_eq!(history.tasks.len() as u64, n_tasks, "round {round}");
            assert_eq!(history.events.total(), N_EVENTS as u64);
            drop(history);
            let mut history = preloaded(n_tasks);
            let opening = journal::fresh(&folder.path().join("fold.db"));
            let recorder = opening.recorder.clone();
            times[slot + 3].push(timed(|| fold(corpus, &mut history, Some(&recorder))));
            journal::end(&recorder);
            let state = opening.state.borrow().clone();
            assert_eq!((state.n_recorded, state.n_missed), (N_EVENTS as u64, 0));
        }
    }
    let yardstick = median(&times[0]).as_secs_f64();
    println!("| what | GB/s | ns an event | x yardstick |\n|---|---|---|---|");
    let names = [
        "yardstick: bare serde_json parse (uuid, chrono, enums)",
        "SSE decode, 8 KiB chunks",
        "SSE decode, 64 KiB chunks",
        "bytes to History, 100,000 tasks known",
        "bytes to History, 1,000,000 tasks known",
        "floor: finding the line ends with memchr",
        "bytes to History and journal, 100,000 tasks known",
        "bytes to History and journal, 1,000,000 tasks known",
    ];
    for (name, rounds) in names.iter().zip(&times) {
        let seconds = median(rounds).as_secs_f64();
        println!(
            "| {name} | {:.2} | {:.0} | {:.2} |",
            megabytes / 1e3 / seconds,
            seconds * 1e9 / N_EVENTS as f64,
            seconds / yardstick
        );
    }
}

fn bare_parse(corpus: &Corpus) {
    let sum = corpus.data.iter().fold(0, |sum: u64, &(start, end)| {
        sum.wrapping_add(yardstick::parse(&corpus.bytes[start..end]))
    });
    black_box(sum);
}

fn find_newlines(corpus: &Corpus) {
    let n_lines = memchr::memchr_iter(b'\n', black_box(&corpus.bytes)).count();
    assert_eq!(n_lines, 4 * N_EVENTS);
}

fn decode(corpus: &Corpus, chunk_bytes: usize) {
    let mut decoder = sse::Decoder::new(16 << 20);
    let mut n_frames = 0;
    for chunk in corpus.bytes.chunks(chunk_bytes) {
        decoder
            .push(chunk, |frame| {
                n_frames += usize::from(!black_box(frame).data.is_empty());
            })
            .unwrap();
    }
    assert_eq!(n_frames, N_EVENTS);
}

/// As the intake does it: frames read into changes in batches, raw bytes kept, then folded.
fn fold(corpus: &Corpus, history: &mut History, recorder: Option<&Recorder>) {
    let mut decoder = sse::Decoder::new(16 << 20);
    let received = Moment {
        wall: Time::parse("2026-11-22T20:00:00Z").unwrap(),
        mono: 1,
    };
    let mut seq = 0;
    let mut batch = Vec::with_capacity(256);
    for chunk in corpus.bytes.chunks(64 << 10) {
        decoder
            .push(chunk, |frame| {
                let raw: Arc<[u8]> = frame.data.into();
                events::decode(&frame, |kind| {
                    seq += 1;
                    batch.push(Change {
                        seq,
                        received,
                        origin: Origin::Stream,
                        raw: Some(raw.clone()),
                        kind,
                    });
                })
                .unwrap();
            })
            .unwrap();
        if let Some(recorder) = recorder {
            // As the socket would be slowed by whoever folds.
            while recorder.n_waiting() > 50_000 {
                std::thread::sleep(Duration::from_millis(1));
            }
            recorder.record(&batch);
        }
        history.warm(&batch);
        history.apply_all(batch.drain(..));
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Resident set size in bytes.
fn rss() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
