//! The journal: nothing that was seen is lost across a restart, and what is not recorded is said.

mod files;
mod process;
mod restart;
mod restored;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reeltop::domain::{Change, ChangeKind, History, Journal, Moment, Recording, Time};
use reeltop::io::Clock;
use reeltop::io::journal::{self, Opening, Recorder, Resume, Settings, Start, since};
use reeltop::wire::record::Record;
use tokio::sync::watch;

use crate::server::support::PATIENCE;
use crate::support::{before, change, event, seen};

/// A journal without a network.
struct Diary {
    recorder: Recorder,
    restored: Vec<Change>,
    start: Start,
    resume: Resume,
    state: watch::Receiver<Journal>,
}

impl Diary {
    async fn open(settings: Settings) -> Self {
        let Opening {
            recorder,
            start,
            mut restored,
            resume,
            state,
        } = journal::open(settings, Clock::new());
        let mut all = Vec::new();
        while let Some(batch) = restored.recv().await {
            all.extend(batch);
        }
        let mut diary = Self {
            recorder,
            restored: all,
            start: start.await.unwrap(),
            resume: resume.await.unwrap(),
            state,
        };
        diary
            .until("opened", |state| state.recording != Recording::Opening)
            .await;
        diary
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&Journal) -> bool) -> Journal {
        let waiting = self.state.wait_for(|state| holds(state));
        let found = tokio::time::timeout(PATIENCE, waiting).await;
        let found = found.ok().and_then(Result::ok).map(|state| state.clone());
        found.unwrap_or_else(|| panic!("{what} did not happen: {:?}", self.state.borrow()))
    }

    async fn end(self) {
        assert!(self.recorder.end(PATIENCE).await);
    }

    fn history(&self) -> History {
        let mut history = History::default();
        history.apply_all(self.restored.clone());
        history
    }
}

fn file_in(folder: &Path) -> PathBuf {
    folder.join("state/reeltop/test.db")
}

/// Events of as many tasks, received one second after the other, the last one now.
fn events(n: usize) -> Vec<Change> {
    let states = [("proxy", "processing"), ("visual", "queued")];
    (0..n)
        .map(|at| {
            let ago = (n - 1 - at) as i64;
            event(
                at,
                "task.progress",
                seen(at, ago + 60, ago, &states),
                "",
                ago,
            )
        })
        .collect()
}

fn records(file: &Path) -> Vec<Record> {
    let found = since(file, Time(i64::MIN)).unwrap();
    found.into_iter().flatten().flatten().collect()
}

/// Waits until the file holds so many records.
async fn until_records(file: &Path, n: usize) {
    let end = Instant::now() + PATIENCE;
    while records(file).len() < n {
        assert!(
            Instant::now() < end,
            "{} of {n} records",
            records(file).len()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn named(name: &str) -> Change {
    change(
        0,
        ChangeKind::AssetNamed {
            asset: reeltop::domain::AssetId::new("a"),
            name: name.into(),
        },
    )
}

fn moment(time: Time) -> Moment {
    Moment {
        wall: time,
        ..before(0)
    }
}
