//! The journal beside JSON lines: what a change costs on its way in, how large it is in the file,
//! how long a million of them take to come back.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use reeltop::domain::{Change, History, Moment, Origin, Time};
use reeltop::io::Clock;
use reeltop::io::journal::{self, Entry, Opening, Settings};
use reeltop::wire::{events, record, sse};

use crate::corpus::{self, Corpus};
use crate::{ROUNDS, median};

const N: usize = 250_000;
/// Blocks of the corpus that make a million.
const MANY: usize = 4;

pub fn run() {
    let changes = changes(1);
    let raw_bytes: usize = changes
        .iter()
        .filter_map(|c| c.raw.as_ref())
        .map(|r| r.len())
        .sum();
    println!(
        "\nJournal: {N} events of {} bytes, {ROUNDS} interleaved rounds, medians of CPU (all threads)",
        raw_bytes / N
    );
    println!("| what | CPU us an event | bytes an event |\n|---|---|---|");
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus::stream(N, 100_000, 1);
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(cpu(|| record_decoded(&folder.path().join("j.db"), &corpus)));
        times[1].push(cpu(|| json_lines(&folder.path().join("j.jsonl"), &changes)));
        times[2].push(cpu(|| {
            decode(&corpus, |batch| drop(std::hint::black_box(batch)));
        }));
    }
    let us = |slot: usize| median(&times[slot]).as_secs_f64() * 1e6 / N as f64;
    let (typed, whole) = sizes(&folder.path().join("j.db"));
    let lines = std::fs::metadata(folder.path().join("j.jsonl"))
        .unwrap()
        .len();
    println!(
        "| decoding, queue and writer | {:.2} | {:.0} |",
        us(0),
        whole / N as f64
    );
    println!("| decoding alone | {:.2} | |", us(2));
    println!("| journal, the difference | {:.2} | |", us(0) - us(2));
    println!("| … its typed columns alone | | {:.0} |", typed / N as f64);
    println!(
        "| yardstick: raw JSON lines, fdatasync each 5,000 | {:.2} | {:.0} |",
        us(1),
        lines as f64 / N as f64
    );
    slowly(&changes);
    reopen();
}

/// An hour at 5 events a second, as the writer cuts it: a piece each 700 ms.
fn slowly(changes: &[Change]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slow.db");
    let mut file = journal::File::open(&path).unwrap();
    let hour = &changes[..5 * 3600];
    let took = cpu(|| {
        for (at, piece) in hour.chunks(7).enumerate() {
            for part in [&piece[..piece.len() / 2], &piece[piece.len() / 2..]] {
                let block = record::encode(part);
                let entry = Entry {
                    blocks: vec![&block],
                    alive: Some(Time(at as i64)),
                    ..Entry::default()
                };
                file.append(&entry).unwrap();
            }
        }
    });
    drop(file);
    let (typed, whole) = sizes(&path);
    let n = hour.len() as f64;
    println!(
        "| journal at 5 events a second, an hour of it | {:.2} | {:.0} |\n| … its typed columns alone | | {:.0} |",
        took.as_secs_f64() * 1e6 / n,
        whole / n,
        typed / n
    );
}

fn reopen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.db");
    let lines = folder.path().join("many.jsonl");
    for seed in 1..=MANY as u64 {
        let changes = changes(seed);
        record(&path, &changes);
        append_lines(&lines, &changes);
    }
    let (mut first, mut whole, mut yardstick) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (screen, all) = restored(&path);
        first.push(screen);
        whole.push(all);
        yardstick.push(parsed(&lines));
    }
    let ms = |times: &[Duration]| median(times).as_secs_f64() * 1e3;
    println!(
        "\nReopening {} changes about 100,000 tasks into a History (page cache warm)",
        N * MANY
    );
    println!("| what | first screen ms | complete ms |\n|---|---|---|");
    println!("| journal | {:.0} | {:.0} |", ms(&first), ms(&whole));
    println!(
        "| yardstick: bare parse of JSON lines | | {:.0} |",
        ms(&yardstick)
    );
}

/// Until forty tasks can be shown, and until everything is folded.
fn restored(path: &Path) -> (Duration, Duration) {
    let start = Instant::now();
    let Opening {
        recorder,
        mut restored,
        ..
    } = journal::open(settings(path), Clock::new());
    let mut history = History::default();
    let mut screen = None;
    while let Some(batch) = restored.blocking_recv() {
        history.apply_all(batch);
        if screen.is_none() && history.tasks.len() >= 40 {
            screen = Some(start.elapsed());
        }
    }
    let whole = start.elapsed();
    assert!(history.tasks.len() > 90_000);
    end(&recorder);
    (screen.unwrap(), whole)
}

fn parsed(path: &Path) -> Duration {
    let bytes = std::fs::read(path).unwrap();
    let start = Instant::now();
    let mut sum = 0_u64;
    for line in bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        sum = sum.wrapping_add(crate::yardstick::parse(line));
    }
    std::hint::black_box(sum);
    start.elapsed()
}

fn settings(path: &Path) -> Settings {
    Settings {
        max_age: Duration::from_hours(24 * 10_000),
        max_bytes: 1 << 40,
        ..Settings::new(path)
    }
}

/// A journal that records into a new file.
pub fn fresh(path: &Path) -> Opening {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let _ = std::fs::remove_file(name);
    }
    let mut opening = journal::open(settings(path), Clock::new());
    opening.restored.close();
    while opening.restored.blocking_recv().is_some() {}
    opening
}

fn record(path: &Path, changes: &[Change]) {
    recorded(path, |take| changes.chunks(512).for_each(take));
}

/// Changes as they come: in batches, just decoded.
fn record_decoded(path: &Path, corpus: &Corpus) {
    recorded(path, |take| decode(corpus, |batch| take(&batch)));
}

fn recorded(path: &Path, give: impl FnOnce(&mut dyn FnMut(&[Change]))) {
    let opening = fresh(path);
    let recorder = opening.recorder;
    give(&mut |batch| {
        // As the socket would be slowed by whoever folds.
        while recorder.n_waiting() > 50_000 {
            std::thread::sleep(Duration::from_millis(1));
        }
        recorder.record(batch);
    });
    end(&recorder);
    let state = opening.state.borrow().clone();
    assert_eq!((state.n_recorded, state.n_missed), (N as u64, 0));
}

pub fn end(recorder: &journal::Recorder) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    assert!(
        runtime
            .unwrap()
            .block_on(recorder.end(Duration::from_mins(1)))
    );
}

fn json_lines(path: &Path, changes: &[Change]) {
    let _ = std::fs::remove_file(path);
    append_lines(path, changes);
}

fn append_lines(path: &Path, changes: &[Change]) {
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    let mut to = BufWriter::with_capacity(1 << 20, file);
    for batch in changes.chunks(5000) {
        for change in batch {
            to.write_all(change.raw.as_deref().unwrap()).unwrap();
            to.write_all(b"\n").unwrap();
        }
        to.flush().unwrap();
        to.get_ref().sync_data().unwrap();
    }
}

/// Bytes of the typed columns, and of the whole file.
fn sizes(path: &Path) -> (f64, f64) {
    let db = rusqlite::Connection::open(path).unwrap();
    let typed: i64 = db
        .query_row("SELECT sum(length(typed)) FROM block", [], |row| row.get(0))
        .unwrap();
    let whole = std::fs::metadata(path).unwrap().len();
    (typed as f64, whole as f64)
}

fn changes(seed: u64) -> Vec<Change> {
    let mut changes = Vec::with_capacity(N);
    decode(&corpus::stream(N, 100_000, seed), |mut batch| {
        changes.append(&mut batch);
    });
    changes
}

/// Gives the changes of a stream that comes in pieces of 64 KiB, a batch each.
fn decode(corpus: &Corpus, mut take: impl FnMut(Vec<Change>)) {
    let mut decoder = sse::Decoder::new(16 << 20);
    let start = Time::parse("2026-11-22T20:00:00Z").unwrap();
    let mut at = 0;
    for piece in corpus.bytes.chunks(64 << 10) {
        let mut batch = Vec::new();
        let outcome = decoder.push(piece, |frame| {
            let raw = frame.data.into();
            events::decode(&frame, |kind| {
                batch.push(Change {
                    seq: 0,
                    received: Moment {
                        wall: start.plus(at * 137),
                        mono: 0,
                    },
                    origin: Origin::Stream,
                    raw: Some(std::sync::Arc::clone(&raw)),
                    kind,
                });
                at += 1;
            })
            .unwrap();
        });
        outcome.unwrap();
        take(batch);
    }
}

/// CPU time of all threads that the work took.
fn cpu(work: impl FnOnce()) -> Duration {
    let before = cpu_so_far();
    work();
    cpu_so_far().saturating_sub(before)
}

fn cpu_so_far() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    // Linux counts in hundredths of a second.
    Duration::from_millis(ticks * 10)
}
