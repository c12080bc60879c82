//! The journal: what happens is recorded in one file for each profile, off everyone's way, and read
//! at the next start.
//!
//! A thread of its own owns the file. What reaches it goes through [`Recorder`], which never waits:
//! where the disk cannot keep up, changes are counted as not recorded, and that is shown. One
//! reeltop records a profile; a second one reads the file and says that it does not record.

mod file;
mod place;
mod reopen;
mod since;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{mpsc as tokio_mpsc, oneshot, watch};

use super::clock::Clock;
use crate::domain::{Bounds, Change, ChangeKind, EndpointId, Journal, Observation, Origin, Time};
use crate::wire::record::is_kept;

pub use file::{BlockInfo, Entry, Facts, File, Trouble};
pub use place::{base_name, default_folder, file_name, make_folder, size};
pub(in crate::io) use place::{beside, make_file};
pub use reopen::{Reopened, reopen};
pub use since::{Since, since};

/// Changes that wait to be written, at most; …
const MAX_WAITING: usize = 200_000;
/// … and bytes of them.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// Batches of restored changes that wait for the reader.
const RESTORED: usize = 32;

/// Which file, and for how long it keeps what.
#[derive(Debug, Clone)]
pub struct Settings {
    pub file: PathBuf,
    /// What is older leaves the file.
    pub max_age: Duration,
    /// What does not fit leaves the file, oldest first.
    pub max_bytes: u64,
    /// A folder that is removed with everything in it when the journal is closed: the demo's.
    pub temporary: Option<PathBuf>,
    /// What must never reach the file, whatever carries it.
    pub secrets: Vec<SecretString>,
    /// How much is kept in memory, and so is worth reading at a start.
    pub bounds: Bounds,
}

impl Settings {
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            max_age: Duration::from_hours(24 * 14),
            max_bytes: 512 << 20,
            temporary: None,
            secrets: Vec::new(),
            bounds: Bounds::default(),
        }
    }
}

/// Where the link goes on: the few facts that it needs, read before all else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// The stream's last event id, everything up to it being recorded; empty if there is none.
    pub last_event_id: String,
    /// Where the stream was found, if that took looking for it; else empty.
    pub stream_path: String,
    /// Since when the service's events may have been missed.
    pub gap_from: Option<Time>,
    /// There was an earlier run, and why it is not known when it ended.
    pub unknown: Option<String>,
}

/// What earlier runs knew that the network must be asked about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resume {
    /// The unfinished tasks as they were seen last.
    pub known: Vec<Observation>,
    /// The endpoints that attempts were made at.
    pub endpoints: Vec<EndpointId>,
}

/// A journal that is being opened.
pub struct Opening {
    pub recorder: Recorder,
    /// Where the link goes on; comes first, whatever the rest takes.
    pub start: oneshot::Receiver<Start>,
    /// What earlier runs recorded, in batches; it ends when all of it is told.
    pub restored: tokio_mpsc::Receiver<Vec<Change>>,
    /// Comes after the last batch.
    pub resume: oneshot::Receiver<Resume>,
    pub state: watch::Receiver<Journal>,
}

enum Order {
    Record(Vec<Change>),
    Resumable(Arc<str>),
    StreamPath(Arc<str>),
    /// Writes all that waits, ends, and says so.
    End(oneshot::Sender<()>),
}

#[derive(Debug, Default)]
struct Shared {
    /// Changes that were taken and are not written yet.
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
    /// Changes that are not recorded.
    missed: AtomicU64,
    /// Microseconds since 1970 of the stream's last sign of life; 0 is none.
    alive: AtomicI64,
    /// Whether anyone records at all.
    is_open: AtomicBool,
}

/// Takes what is to be recorded. Never waits.
#[derive(Clone)]
pub struct Recorder {
    to: mpsc::Sender<Order>,
    shared: Arc<Shared>,
}

impl Recorder {
    /// Takes copies of the changes that the journal keeps; those of the journal itself are not.
    pub fn record(&self, batch: &[Change]) {
        let wanted = |change: &&Change| change.origin != Origin::Journal && is_kept(&change.kind);
        let (mut n_wanted, mut bytes) = (0, 0);
        for change in batch.iter().filter(wanted) {
            n_wanted += 1;
            bytes += file::weight(change);
        }
        if n_wanted == 0 {
            return;
        }
        let shared = &self.shared;
        let is_full = shared.waiting.load(Ordering::Relaxed) + n_wanted > MAX_WAITING
            || shared.waiting_bytes.load(Ordering::Relaxed) + bytes > MAX_WAITING_BYTES;
        if is_full || !shared.is_open.load(Ordering::Relaxed) {
            shared.missed.fetch_add(n_wanted as u64, Ordering::Relaxed);
            return;
        }
        shared.waiting.fetch_add(n_wanted, Ordering::Relaxed);
        shared.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        // The iterator does not know its length; growing would copy most of them again.
        let mut changes = Vec::with_capacity(n_wanted);
        changes.extend(batch.iter().filter(wanted).cloned());
        if self.to.send(Order::Record(changes)).is_err() {
            shared.missed.fetch_add(n_wanted as u64, Ordering::Relaxed);
        }
    }

    /// Changes that were taken and are not written yet.
    pub fn n_waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// Notes that everything up to this event id was given to [`Recorder::record`].
    pub fn resumable(&self, last_event_id: &str) {
        let _ = self.to.send(Order::Resumable(last_event_id.into()));
    }

    /// Notes the path at which the stream was found by looking for it; empty if it was told.
    pub fn stream_path(&self, path: &str) {
        let _ = self.to.send(Order::StreamPath(path.into()));
    }

    /// Notes a sign of life of the stream up to which nothing was missed.
    pub fn alive(&self, at: Time) {
        // The latest, not the greatest: the clock may be set back.
        self.shared.alive.store(at.0, Ordering::Relaxed);
    }

    /// Writes all that waits and ends the recording. Whether it was done within the time.
    pub async fn end(&self, within: Duration) -> bool {
        let (done, told) = oneshot::channel();
        self.to.send(Order::End(done)).is_ok()
            && tokio::time::timeout(within, told)
                .await
                .is_ok_and(|told| told.is_ok())
    }
}

/// Opens the journal in a thread of its own: first earlier runs are read, then recording begins.
/// The thread ends once every [`Recorder`] is gone, after writing what waits.
pub fn open(settings: Settings, clock: Clock) -> Opening {
    let (to, orders) = mpsc::channel();
    let (to_restored, restored) = tokio_mpsc::channel(RESTORED);
    let (to_start, start) = oneshot::channel();
    let (to_resume, resume) = oneshot::channel();
    let (to_state, state) = watch::channel(Journal::default());
    let shared = Arc::new(Shared::default());
    shared.is_open.store(true, Ordering::Relaxed);
    let writer = writer::Writer::new(settings, clock, orders, shared.clone(), to_state);
    let started = std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || writer.run(to_start, to_restored, to_resume));
    if started.is_err() {
        shared.is_open.store(false, Ordering::Relaxed);
    }
    Opening {
        recorder: Recorder { to, shared },
        start,
        restored,
        resume,
        state,
    }
}

/// Whether some reeltop records into this file now.
pub fn is_recorded(file: &Path) -> bool {
    let lock = std::fs::File::open(place::beside(file, ".lock"));
    lock.is_ok_and(|lock| {
        matches!(
            lock.try_lock_shared(),
            Err(std::fs::TryLockError::WouldBlock)
        )
    })
}

/// Whether a change of this kind must be in the file at once: what a user did.
fn is_urgent(change: &Change) -> bool {
    matches!(change.kind, ChangeKind::Replay(_))
}
