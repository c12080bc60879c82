//! What was taken in and is not written yet: blocks in the form of the file, built by whoever gives
//! a change, taken by the thread that writes.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::file::{BLOCK_BYTES, BLOCK_ROWS};
use crate::domain::{Change, ChangeKind, Origin, Payload, Time};
use crate::io::clock::Clock;
use crate::wire::record::{Encoded, Encoder, is_kept};

/// Changes that wait to be written, at most; …
const MAX_WAITING: usize = 200_000;
/// … and bytes of them.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// Written blocks whose memory is kept for the next ones; …
const MAX_SPARE: usize = 4;
/// … those that are larger, in bytes, are not.
const MAX_SPARE_BYTES: usize = 4 << 20;

/// A block that waits to be written.
#[derive(Debug)]
pub struct Piece {
    pub block: Encoded,
    /// About its size in memory, in bytes.
    weight: usize,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is the first to wait.
    Waits,
    /// A block is whole.
    Whole,
    /// It must be written at once.
    Urgent,
}

/// Where changes wait, and how many.
#[derive(Debug)]
pub struct Intake {
    blocks: Mutex<Blocks>,
    n_waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
    /// Changes that are not recorded.
    n_missed: AtomicU64,
    /// Microseconds since 1970 of the stream's last sign of life; 0 is none.
    alive: AtomicI64,
    /// Added to the numbers of replays, which begin anew with each run.
    run: u64,
}

#[derive(Debug)]
struct Blocks {
    /// Whether anyone records at all.
    is_open: bool,
    whole: Vec<Piece>,
    /// The one that is being built, …
    encoder: Encoder,
    /// … and about its size in memory, in bytes.
    weight: usize,
    /// What was written, for its memory.
    spare: Vec<Encoded>,
}

impl Intake {
    pub fn new(clock: &Clock) -> Self {
        Self {
            blocks: Mutex::new(Blocks {
                is_open: true,
                whole: Vec::new(),
                encoder: Encoder::default(),
                weight: 0,
                spare: Vec::new(),
            }),
            n_waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicUsize::new(0),
            n_missed: AtomicU64::new(0),
            alive: AtomicI64::new(0),
            run: u64::try_from(clock.now().wall.0).unwrap_or(0),
        }
    }

    /// Takes in the changes that are kept, or counts them as missed where there is no room.
    /// `None` where nobody need be told.
    pub fn take_in(&self, batch: &[Change]) -> Option<Taken> {
        let wanted = |change: &&Change| change.origin != Origin::Journal && is_kept(&change.kind);
        let (mut n_wanted, mut bytes, mut is_urgent) = (0, 0, false);
        for change in batch.iter().filter(wanted) {
            n_wanted += 1;
            bytes += weight(change);
            is_urgent |= is_urgent_kind(&change.kind);
        }
        if n_wanted == 0 {
            return None;
        }
        let is_full = self.n_waiting() + n_wanted > MAX_WAITING
            || self.waiting_bytes.load(Ordering::Relaxed) + bytes > MAX_WAITING_BYTES;
        let mut blocks = self.blocks();
        if is_full || !blocks.is_open {
            self.miss(n_wanted);
            return None;
        }
        self.n_waiting.fetch_add(n_wanted, Ordering::Relaxed);
        self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let (was_empty, n_whole) = (blocks.encoder.is_empty(), blocks.whole.len());
        for change in batch.iter().filter(wanted) {
            blocks.push(change, self.run);
        }
        match (is_urgent, blocks.whole.len() > n_whole) {
            (true, _) => Some(Taken::Urgent),
            (false, true) => Some(Taken::Whole),
            (false, false) => was_empty.then_some(Taken::Waits),
        }
    }

    /// The blocks that wait, oldest first, the one that is being built only where `is_all`. They
    /// are [`Intake::written`] or [`Intake::dropped`] later.
    pub fn take_out(&self, is_all: bool) -> Vec<Piece> {
        let mut blocks = self.blocks();
        if is_all {
            blocks.seal();
        }
        std::mem::take(&mut blocks.whole)
    }

    /// Pieces that were taken out are in the file.
    pub fn written(&self, pieces: &mut Vec<Piece>) {
        for piece in pieces.iter() {
            let n_rows = piece.block.n_rows;
            self.n_waiting.fetch_sub(n_rows, Ordering::Relaxed);
            self.waiting_bytes
                .fetch_sub(piece.weight, Ordering::Relaxed);
        }
        let mut blocks = self.blocks();
        let is_small =
            |block: &Encoded| block.typed.capacity() + block.raw.capacity() <= MAX_SPARE_BYTES;
        let spare = pieces.drain(..).map(|piece| piece.block).filter(is_small);
        let n_room = MAX_SPARE.saturating_sub(blocks.spare.len());
        blocks.spare.extend(spare.take(n_room));
    }

    /// Nobody will write these pieces: what they hold is counted as not recorded.
    pub fn dropped(&self, pieces: &mut Vec<Piece>) {
        self.miss(pieces.iter().map(|piece| piece.block.n_rows).sum());
        self.written(pieces);
    }

    /// From now on nothing is recorded any more.
    pub fn close(&self) {
        self.blocks().is_open = false;
    }

    pub fn n_waiting(&self) -> usize {
        self.n_waiting.load(Ordering::Relaxed)
    }

    /// Changes that were not recorded.
    pub fn n_missed(&self) -> u64 {
        self.n_missed.load(Ordering::Relaxed)
    }

    /// Notes a sign of life: the latest, not the greatest, as the clock may be set back.
    pub fn alive(&self, at: Time) {
        self.alive.store(at.0, Ordering::Relaxed);
    }

    /// Microseconds since 1970 of the last sign of life; 0 is none.
    pub fn last_alive(&self) -> i64 {
        self.alive.load(Ordering::Relaxed)
    }

    fn miss(&self, n: usize) {
        self.n_missed.fetch_add(n as u64, Ordering::Relaxed);
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blocks {
    fn push(&mut self, change: &Change, run: u64) {
        if let ChangeKind::Replay(step) = &change.kind {
            let mut change = change.clone();
            let mut step = step.clone();
            step.replay = step.replay.wrapping_add(run);
            change.kind = ChangeKind::Replay(step);
            self.encoder.push(&change);
        } else {
            self.encoder.push(change);
        }
        self.weight += weight(change);
        if self.encoder.n_rows() >= BLOCK_ROWS || self.weight >= BLOCK_BYTES {
            self.seal();
        }
    }

    /// The block that is being built is whole.
    fn seal(&mut self) {
        if self.encoder.is_empty() {
            return;
        }
        self.whole.push(Piece {
            block: self.encoder.finish(self.spare.pop().unwrap_or_default()),
            weight: std::mem::take(&mut self.weight),
        });
    }
}

/// Whether a change of this kind must be in the file at once: what a user did.
fn is_urgent_kind(kind: &ChangeKind) -> bool {
    matches!(kind, ChangeKind::Replay(_))
}

/// About how many bytes a change takes in a block before it is compressed.
fn weight(change: &Change) -> usize {
    let carried = match &change.kind {
        ChangeKind::Message(message) => match &message.payload {
            Payload::Json(text) => text.len(),
            Payload::Expired | Payload::Absent => 0,
        },
        ChangeKind::Attempt(attempt) => attempt.response.len(),
        ChangeKind::Unreadable(what) => what.excerpt.len(),
        _ => 0,
    };
    carried + change.raw.as_ref().map_or(0, |raw| raw.len()) + 128
}
