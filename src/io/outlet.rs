//! Where everything that was found goes out: one numbered row of changes, in batches, into a
//! bounded channel.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::clock::Clock;
use super::journal::Recorder;
use super::ledger::Ledger;
use super::log;
use crate::domain::{
    Abilities, AssetId, Change, ChangeKind, Failure, KnownRows, LinkCounters, Moment, Origin,
    RetrySchedule, Time, Unreadable,
};

/// Batches that wait for the reader before the socket is slowed.
const BATCHES: usize = 64;
/// Changes in one batch, at most.
const BATCH: usize = 512;
/// Assets whose names may wait to be read.
const NAMES: usize = 4096;

/// A change that has no number yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub received: Moment,
    pub origin: Origin,
    pub raw: Option<Arc<[u8]>>,
    pub kind: ChangeKind,
}

/// Counters that several tasks keep.
#[derive(Debug, Default)]
pub struct Gauges {
    pub connections: AtomicU64,
    pub bytes: AtomicU64,
    pub frames: AtomicU64,
    pub comments: AtomicU64,
    pub oversized: AtomicU64,
    pub unreadable: AtomicU64,
    pub polls: AtomicU64,
    pub poll_failures: AtomicU64,
}

struct Inner {
    clock: Clock,
    to: mpsc::Sender<Vec<Change>>,
    /// The last number given out; held while sending, so that numbers go out in order.
    seq: tokio::sync::Mutex<u64>,
    abilities: Mutex<Abilities>,
    /// What lists hold that could not be read and was told.
    unreadable: Mutex<KnownRows>,
    gauges: Gauges,
    assets: mpsc::Sender<Vec<AssetId>>,
    recorder: Option<Recorder>,
    ledger: Ledger,
}

/// The way out, shared by all that find something.
#[derive(Clone)]
pub struct Outlet {
    inner: Arc<Inner>,
}

/// What comes out at the other side.
pub struct Ends {
    pub changes: mpsc::Receiver<Vec<Change>>,
    /// Assets of the tasks that went out, for those who look up names.
    pub assets: mpsc::Receiver<Vec<AssetId>>,
}

impl Outlet {
    /// One whose changes are recorded too, if there is a recorder; the ledger is told of each
    /// attempt that goes out.
    pub fn new(clock: Clock, recorder: Option<Recorder>, ledger: Ledger) -> (Self, Ends) {
        let (to, changes) = mpsc::channel(BATCHES);
        let (to_names, assets) = mpsc::channel(NAMES);
        let inner = Inner {
            clock,
            to,
            seq: tokio::sync::Mutex::new(0),
            abilities: Mutex::default(),
            unreadable: Mutex::default(),
            gauges: Gauges::default(),
            assets: to_names,
            recorder,
            ledger,
        };
        (
            Self {
                inner: Arc::new(inner),
            },
            Ends { changes, assets },
        )
    }

    pub fn clock(&self) -> Clock {
        self.inner.clock
    }

    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    pub fn gauges(&self) -> &Gauges {
        &self.inner.gauges
    }

    /// A draft of now.
    pub fn draft(&self, origin: Origin, kind: ChangeKind) -> Draft {
        Draft {
            received: self.inner.clock.now(),
            origin,
            raw: None,
            kind,
        }
    }

    /// Numbers the drafts and sends them, waiting while the reader is behind.
    pub async fn send(&self, drafts: Vec<Draft>) {
        if drafts.is_empty() {
            return;
        }
        self.note_assets(&drafts);
        let mut seq = self.inner.seq.lock().await;
        self.send_numbered(&mut seq, drafts, true).await;
    }

    /// The same of what is old and read again at each start: the journal does not keep it, and no
    /// names are looked up for it.
    pub async fn send_unrecorded(&self, drafts: Vec<Draft>) {
        let mut seq = self.inner.seq.lock().await;
        self.send_numbered(&mut seq, drafts, false).await;
    }

    async fn send_numbered(&self, seq: &mut u64, drafts: Vec<Draft>, is_recorded: bool) {
        let mut drafts = drafts.into_iter().peekable();
        while drafts.peek().is_some() {
            let mut batch = Vec::with_capacity(drafts.len().min(BATCH));
            for draft in drafts.by_ref().take(BATCH) {
                *seq += 1;
                log::change(&draft.kind);
                batch.push(Change {
                    seq: *seq,
                    received: draft.received,
                    origin: draft.origin,
                    raw: draft.raw,
                    kind: draft.kind,
                });
            }
            if let Some(recorder) = self.inner.recorder.as_ref().filter(|_| is_recorded) {
                recorder.record(&batch);
            }
            self.inner.ledger.note(&batch);
            if self.inner.to.send(batch).await.is_err() {
                // Nobody reads any more; whoever sends is about to be ended.
                return;
            }
        }
    }

    /// Numbers changes of earlier runs and sends them. Names of their assets stand among them, so
    /// that none is looked up.
    pub async fn send_restored(&self, mut batch: Vec<Change>) {
        let mut seq = self.inner.seq.lock().await;
        for change in &mut batch {
            *seq += 1;
            change.seq = *seq;
        }
        let _ = self.inner.to.send(batch).await;
    }

    /// Notes that all that the stream brought up to this event id was sent.
    pub fn note_resumable(&self, last_event_id: &str) {
        if let Some(recorder) = &self.inner.recorder {
            recorder.resumable(last_event_id);
        }
    }

    /// Notes the path at which the stream was found by looking for it; empty if it was told.
    pub fn note_stream_path(&self, path: &str) {
        if let Some(recorder) = &self.inner.recorder {
            recorder.stream_path(path);
        }
    }

    /// Notes a sign of life of the stream, nothing having been missed up to it.
    pub fn note_alive(&self, at: Time) {
        if let Some(recorder) = &self.inner.recorder {
            recorder.alive(at);
        }
    }

    /// Sends one change of now.
    pub async fn tell(&self, origin: Origin, kind: ChangeKind) {
        self.send(vec![self.draft(origin, kind)]).await;
    }

    /// Tells how a poll ended, and counts it.
    pub async fn tell_polled(&self, failure: Option<Failure>) {
        self.gauges().polls.fetch_add(1, Ordering::Relaxed);
        if failure.is_some() {
            self.gauges().poll_failures.fetch_add(1, Ordering::Relaxed);
        }
        self.tell(Origin::Poll, ChangeKind::Polled(failure.map(Box::new)))
            .await;
    }

    /// Drafts of what could not be read and was not told before, which are counted.
    pub fn unreadable(&self, origin: Origin, mut found: Vec<Unreadable>) -> Vec<Draft> {
        let mut n_new = 0;
        {
            let mut known = lock(&self.inner.unreadable);
            found.retain(|what| {
                let n = known.news(what);
                n_new += n;
                n > 0
            });
        }
        self.gauges().unreadable.fetch_add(n_new, Ordering::Relaxed);
        found
            .into_iter()
            .map(|what| self.draft(origin, ChangeKind::Unreadable(Box::new(what))))
            .collect()
    }

    pub fn abilities(&self) -> Abilities {
        lock(&self.inner.abilities).clone()
    }

    /// Changes what is known of the server's abilities, and tells it if that differs. The turn to
    /// send is taken first, so that no older state of them goes out after a newer one.
    pub async fn learn(&self, change: impl FnOnce(&mut Abilities)) {
        let mut seq = self.inner.seq.lock().await;
        let learned = {
            let mut abilities = lock(&self.inner.abilities);
            let before = abilities.clone();
            change(&mut abilities);
            (*abilities != before).then(|| abilities.clone())
        };
        if let Some(abilities) = learned {
            let published = abilities.retry_schedule.as_ref();
            if let Some(schedule) = published.and_then(RetrySchedule::published) {
                self.inner.ledger.learn(schedule);
            }
            let kind = ChangeKind::Abilities(Box::new(abilities));
            let draft = self.draft(Origin::Inference, kind);
            self.send_numbered(&mut seq, vec![draft], true).await;
        }
    }

    pub fn counters(&self) -> LinkCounters {
        let gauges = self.gauges();
        let read = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        LinkCounters {
            connections: read(&gauges.connections),
            bytes: read(&gauges.bytes),
            frames: read(&gauges.frames),
            comments: read(&gauges.comments),
            oversized: read(&gauges.oversized),
            unreadable: read(&gauges.unreadable),
            polls: read(&gauges.polls),
            poll_failures: read(&gauges.poll_failures),
        }
    }

    /// Passes on which assets were seen; when nobody keeps up, names are not worth waiting for.
    fn note_assets(&self, drafts: &[Draft]) {
        let mut seen: Vec<AssetId> = Vec::new();
        for draft in drafts {
            let task = match &draft.kind {
                ChangeKind::Task(task) => task,
                ChangeKind::Event(event) => match &event.task {
                    Some(task) => task,
                    None => continue,
                },
                _ => continue,
            };
            if seen.last() != Some(&task.asset) {
                seen.push(task.asset.clone());
            }
        }
        if !seen.is_empty() {
            let _ = self.inner.assets.try_send(seen);
        }
    }
}

/// What is held is whole also after a panic: it is assigned to, or counts once more at worst.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
