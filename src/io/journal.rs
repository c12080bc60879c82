//! The journal: what happens is recorded in one file for each profile, off everyone's way, and read
//! at the next start.
//!
//! A thread of its own owns the file. What reaches it goes through [`Recorder`], which never waits:
//! where the disk cannot keep up, changes are counted as not recorded, and that is shown. One
//! reeltop records a profile; a second one reads the file and says that it does not record.

mod file;
mod intake;
mod place;
mod reopen;
mod since;
pub mod temporary;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{mpsc as tokio_mpsc, oneshot, watch};

use super::clock::Clock;
use crate::domain::{Bounds, Change, EndpointId, Journal, Observation, Time};
use intake::{Intake, Taken};

pub use file::{BlockInfo, Entry, Facts, File, Trouble};
pub use place::{base_name, default_folder, file_name, make_folder, set_aside_before, size};
pub(in crate::io) use place::{beside, make_file};
pub use reopen::{Reopened, reopen};
pub use since::{Since, since};

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
    /// Something waits.
    Waits,
    /// A whole block waits.
    Whole,
    /// All that waits must be written now: what a user did is among it.
    Write,
    Resumable(Arc<str>),
    StreamPath(Arc<str>),
    /// Writes all that waits, ends, and says so.
    End(oneshot::Sender<()>),
}

/// Takes what is to be recorded. Never waits for the disk.
#[derive(Clone)]
pub struct Recorder {
    to: mpsc::Sender<Order>,
    intake: Arc<Intake>,
}

impl Recorder {
    /// Takes in the changes that the journal keeps; those of the journal itself are not. Each is put
    /// into the form of the file at once: it is at hand now, and nothing of it need be kept alive.
    pub fn record(&self, batch: &[Change]) {
        let is_told = match self.intake.take_in(batch) {
            Some(Taken::Waits) => self.to.send(Order::Waits),
            Some(Taken::Whole) => self.to.send(Order::Whole),
            Some(Taken::Urgent) => self.to.send(Order::Write),
            None => return,
        };
        // A thread that has ended has closed the intake, and what comes is counted as missed.
        drop(is_told);
    }

    /// Changes that were taken and are not written yet.
    pub fn n_waiting(&self) -> usize {
        self.intake.n_waiting()
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
        self.intake.alive(at);
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
    let intake = Arc::new(Intake::new(&clock));
    let writer = writer::Writer::new(settings, clock, orders, intake.clone(), to_state);
    let started = std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || writer.run(to_start, to_restored, to_resume));
    if started.is_err() {
        intake.close();
    }
    Opening {
        recorder: Recorder { to, intake },
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
