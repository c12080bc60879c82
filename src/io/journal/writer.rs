//! The thread that owns the file: it reads earlier runs, then writes what comes, at most a second
//! after it came, and says how it stands.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tokio::sync::{mpsc, oneshot, watch};

use super::file::{Entry, File, Trouble};
use super::intake::{Intake, Piece};
use super::reopen::reopen;
use super::{Order, Resume, Settings, Start, place};
use crate::domain::{Change, Journal, NotRecording, Recording, Time};
use crate::io::clock::Clock;
use crate::wire::record;

/// From the first change that waits until all that wait are written: with the writing itself, less
/// than a second is at risk.
const EVERY: Duration = Duration::from_millis(500);
/// Between two tries where recording is not possible.
const AGAIN: Duration = Duration::from_secs(2);
/// A reeltop that records has written so lately, where there was anything to write. Longer than a
/// slow disk takes, as what waits there is written later all the same.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks at what is too old or too much.
const PRUNED_EVERY: Duration = Duration::from_mins(1);
/// How often a file that cannot be read is tried, …
const TRIES: usize = 3;
/// … and the time between.
const TRIED_AGAIN: Duration = Duration::from_millis(50);

/// Why changes are missing where nothing else is known: there was no room for them.
const TOO_FAST: &str = "they came faster than they could be written";
/// Why those may be that came until this reeltop noticed that it is the one to record.
const HANDED_OVER: &str =
    "the reeltop that was to record them has ended; some of them may be in the journal";

/// The thread's state.
pub(super) struct Writer {
    settings: Settings,
    clock: Clock,
    orders: Receiver<Order>,
    intake: Arc<Intake>,
    tell: watch::Sender<Journal>,
    state: Journal,
    file: Option<File>,
    /// Held while this reeltop records.
    lock: Option<fs::File>,
    /// What was taken out of the intake and could not be written yet.
    waiting: Vec<Piece>,
    /// When the oldest of what waits must be written.
    due: Option<Instant>,
    retry_at: Option<Instant>,
    last_event_id: Option<Arc<str>>,
    stream_path: Option<Arc<str>>,
    noted_alive: i64,
    noted_missed: u64,
    /// Missed changes that are not missing: another reeltop recorded them.
    n_elsewhere: u64,
    /// The changes missed in all at the last try to record, …
    tried_at: u64,
    /// … and those of them of which it is decided whether another reeltop recorded them.
    weighed: u64,
    /// Why changes that are not noted yet were missed.
    why_missed: String,
    pruned: Option<Instant>,
    ended: Option<oneshot::Sender<()>>,
    /// Blocks that could not be read, by the number of their first change.
    damaged: BTreeSet<i64>,
}

impl Writer {
    pub fn new(
        settings: Settings,
        clock: Clock,
        orders: Receiver<Order>,
        intake: Arc<Intake>,
        tell: watch::Sender<Journal>,
    ) -> Self {
        let state = Journal {
            recording: Recording::Opening,
            file: settings.file.display().to_string(),
            ..Journal::default()
        };
        tell.send_replace(state.clone());
        Self {
            settings,
            clock,
            orders,
            intake,
            tell,
            state,
            file: None,
            lock: None,
            waiting: Vec::new(),
            due: None,
            retry_at: None,
            last_event_id: None,
            stream_path: None,
            noted_alive: 0,
            noted_missed: 0,
            n_elsewhere: 0,
            tried_at: 0,
            weighed: 0,
            why_missed: TOO_FAST.to_owned(),
            pruned: None,
            ended: None,
            damaged: BTreeSet::new(),
        }
    }

    /// Reads earlier runs, tells them, then records until nobody has anything to record.
    pub fn run(
        mut self,
        start: oneshot::Sender<Start>,
        restored: mpsc::Sender<Vec<Change>>,
        resume: oneshot::Sender<Resume>,
    ) {
        let (outcome, file) = self.start();
        let _ = start.send(outcome);
        let outcome = file.map(|file| self.restore(&file, &restored));
        drop(restored);
        let _ = resume.send(outcome.unwrap_or_default());
        self.open();
        while self.turn() {}
        self.intake.close();
        self.retry_at = None;
        self.write(true);
        self.prune(true);
        self.file = None;
        self.tell();
        if let Some(folder) = &self.settings.temporary {
            // What cannot be removed lies in the platform's temporary folder.
            let _ = fs::remove_dir_all(folder);
        }
        self.lock = None;
        if let Some(done) = self.ended.take() {
            let _ = done.send(());
        }
    }

    /// Reads where the link goes on. What cannot be read at all is set aside before anything is
    /// written.
    fn start(&mut self) -> (Start, Option<File>) {
        let mut n_tries = 0;
        let outcome = loop {
            n_tries += 1;
            let outcome = File::open_to_read(&self.settings.file).and_then(|file| {
                let start = file.as_ref().map(|file| start(file, self.clock.now().wall));
                Ok((start.transpose()?.unwrap_or_default(), file))
            });
            match outcome {
                Err(Trouble::Unusable(NotRecording::Failed(_))) if n_tries < TRIES => {
                    std::thread::sleep(TRIED_AGAIN);
                }
                outcome => break outcome,
            }
        };
        let why = match outcome {
            // A file of ours is never empty but while it is made: it was cut short.
            Ok((_, None)) if is_empty(&self.settings.file) => "it is empty".to_owned(),
            Ok(found) => return found,
            // Nothing of ours was ever there.
            Err(Trouble::Unusable(NotRecording::Foreign)) => return (Start::default(), None),
            Err(Trouble::Corrupt(why)) => {
                self.take_lock();
                self.set_aside(&why);
                why
            }
            Err(trouble) => trouble.to_string(),
        };
        self.state.unread = Some(why.clone());
        self.tell();
        let start = Start {
            unknown: Some(format!("the journal could not be read: {why}")),
            ..Start::default()
        };
        (start, None)
    }

    /// Tells what the file holds.
    fn restore(&mut self, file: &File, to: &mpsc::Sender<Vec<Change>>) -> Resume {
        let mut emit = |changes| to.blocking_send(changes).is_ok();
        let found = reopen(file, &self.settings.bounds, self.clock.now(), &mut emit);
        self.state.n_restored = found.n_restored;
        self.note_damaged(found.damaged);
        self.state.holes = found.holes;
        if let Some(trouble) = &found.broken {
            self.state.unread = Some(trouble.to_string());
        }
        if let Some(Trouble::Corrupt(why)) = &found.broken {
            self.take_lock();
            self.set_aside(why);
        }
        found.resume
    }

    /// Begins to record, if this is the one who may.
    fn open(&mut self) {
        self.retry_at = None;
        if !self.take_lock() {
            return;
        }
        let mut outcome = File::open(&self.settings.file);
        if let Err(Trouble::Corrupt(why)) = &outcome {
            let why = why.clone();
            if self.set_aside(&why) {
                outcome = File::open(&self.settings.file);
            }
        }
        match outcome {
            Ok(file) => {
                file.keep_within(self.settings.max_bytes);
                self.file = Some(file);
                self.state.recording = Recording::On;
                self.prune(false);
                self.tell();
            }
            Err(Trouble::Unusable(why)) => self.give_up(why),
            Err(Trouble::Corrupt(why) | Trouble::Damaged(why)) => {
                self.give_up(NotRecording::Failed(why));
            }
        }
    }

    /// Whether this reeltop is the one that records.
    fn take_lock(&mut self) -> bool {
        if self.lock.is_some() {
            return true;
        }
        let folder = self.settings.file.parent().map(PathBuf::from);
        let path = place::beside(&self.settings.file, ".lock");
        let lock = folder
            .map_or(Ok(()), |folder| place::make_folder(&folder))
            .and_then(|()| place::make_file(&path));
        let lock = match lock {
            Ok(lock) => lock,
            Err(error) => {
                match Trouble::from(error) {
                    Trouble::Unusable(why) => self.give_up(why),
                    Trouble::Corrupt(why) | Trouble::Damaged(why) => {
                        self.give_up(NotRecording::Failed(why));
                    }
                }
                return false;
            }
        };
        match lock.try_lock() {
            Ok(()) => {
                self.lock = Some(lock);
                true
            }
            Err(fs::TryLockError::WouldBlock) => {
                self.leave_to_another();
                false
            }
            Err(fs::TryLockError::Error(error)) => {
                self.give_up(NotRecording::Failed(format!(
                    "it cannot be locked: {error}"
                )));
                false
            }
        }
    }

    /// Gives the corrupt file another name. Only who records may do that.
    fn set_aside(&mut self, why: &str) -> bool {
        if self.lock.is_none() {
            return false;
        }
        self.file = None;
        let stamp: String = (self.clock.now().wall.rfc3339().chars())
            .take(19)
            .filter(char::is_ascii_alphanumeric)
            .collect();
        match place::set_aside(&self.settings.file, &stamp) {
            Ok(name) => {
                self.state.set_aside = Some(name);
                true
            }
            Err(error) => {
                let why = format!("{why}, and it cannot be set aside: {error}");
                self.give_up(NotRecording::Failed(why));
                false
            }
        }
    }

    /// Another reeltop has the lock. What this one has not recorded up to the try before is the
    /// other's to record, if it writes at all: its disk may be full, or the file too new for it.
    fn leave_to_another(&mut self) {
        self.take_out(true);
        self.intake.dropped(&mut self.waiting);
        if place::is_written(&self.settings.file, WRITTEN_WITHIN) {
            self.n_elsewhere += self.tried_at - self.weighed;
        }
        self.weighed = self.tried_at;
        self.tried_at = self.intake.n_missed();
        self.give_up(NotRecording::Another);
    }

    fn give_up(&mut self, why: NotRecording) {
        self.why_missed = match &why {
            NotRecording::Another => HANDED_OVER.to_owned(),
            other => other.to_string(),
        };
        self.retry_at = match why {
            NotRecording::Foreign | NotRecording::Newer => None,
            _ => Some(Instant::now() + AGAIN),
        };
        let is_final = self.retry_at.is_none();
        self.state.recording = Recording::Not(why);
        if is_final {
            self.intake.close();
        }
        self.tell();
    }

    /// Waits for the next thing to do and does it; `false` once there will be nothing more.
    fn turn(&mut self) -> bool {
        let until = [self.due, self.retry_at].into_iter().flatten().min();
        let order = match until {
            None => self
                .orders
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
            Some(until) => {
                let wait = until.saturating_duration_since(Instant::now());
                self.orders.recv_timeout(wait)
            }
        };
        match order {
            Ok(Order::Waits) => {
                self.due.get_or_insert(Instant::now() + EVERY);
            }
            Ok(Order::Whole) => {
                self.due.get_or_insert(Instant::now() + EVERY);
                self.write(false);
            }
            Ok(Order::Write) => self.due = Some(Instant::now()),
            Ok(Order::Resumable(id)) => {
                self.last_event_id = Some(id);
                self.due.get_or_insert(Instant::now() + EVERY);
            }
            Ok(Order::StreamPath(path)) => {
                self.stream_path = Some(path);
                self.due.get_or_insert(Instant::now() + EVERY);
            }
            Ok(Order::End(done)) => {
                self.ended = Some(done);
                return false;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        let now = Instant::now();
        if self.retry_at.is_some_and(|at| at <= now) {
            match self.file {
                Some(_) => {
                    self.retry_at = None;
                    self.due = Some(now);
                }
                None => self.open(),
            }
        }
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            self.write(true);
            self.tell();
        }
        true
    }

    /// Writes the blocks that wait, the one that is being built only where `is_all`. What cannot be
    /// written goes on waiting where it can be tried again.
    fn write(&mut self, is_all: bool) {
        if self.retry_at.is_none() {
            // A fact about all changes up to now must not be in the file before they are: it is
            // read before them, and written only with all of them.
            let alive = is_all.then(|| self.intake.last_alive());
            self.take_out(is_all);
            self.try_write(alive);
        }
        if self.file.is_none() {
            self.take_out(is_all);
            self.intake.dropped(&mut self.waiting);
        }
    }

    /// Takes what waits, without what must not reach the file.
    fn take_out(&mut self, is_all: bool) {
        let mut pieces = self.intake.take_out(is_all);
        let secrets: Vec<&[u8]> = (self.settings.secrets.iter())
            .map(|secret| secret.expose_secret().as_bytes())
            .collect();
        for piece in &mut pieces {
            record::redact(&mut piece.block.typed, &secrets);
            record::redact(&mut piece.block.raw, &secrets);
        }
        self.waiting.append(&mut pieces);
    }

    fn try_write(&mut self, alive: Option<i64>) {
        let missed = self.intake.n_missed().saturating_sub(self.n_elsewhere);
        let now = self.clock.now().wall;
        let Some(file) = &mut self.file else {
            return;
        };
        let hole = (now, missed - self.noted_missed, self.why_missed.as_str());
        let entry = Entry {
            blocks: self.waiting.iter().map(|piece| &piece.block).collect(),
            last_event_id: alive.and(self.last_event_id.as_deref()),
            stream_path: alive.and(self.stream_path.as_deref()),
            alive: alive.filter(|alive| *alive != self.noted_alive).map(Time),
            hole: (missed > self.noted_missed).then_some(hole),
        };
        let outcome = file.append(&entry);
        match outcome {
            Ok(()) => {
                let damaged = file.take_damaged();
                self.note_damaged(damaged);
                let n_rows = self.waiting.iter().map(|piece| piece.block.n_rows as u64);
                self.state.n_recorded += n_rows.sum::<u64>();
                self.state.recording = Recording::On;
                self.noted_missed = missed;
                TOO_FAST.clone_into(&mut self.why_missed);
                if let Some(alive) = alive {
                    self.noted_alive = alive;
                    (self.last_event_id, self.stream_path) = (None, None);
                }
                self.intake.written(&mut self.waiting);
                self.prune(false);
            }
            Err(Trouble::Corrupt(why)) => {
                if self.set_aside(&why) {
                    self.open();
                    self.due = Some(Instant::now());
                }
            }
            Err(Trouble::Unusable(why)) => self.give_up(why),
            // Nothing that is written reads a block but to seal it, which passes over such.
            Err(Trouble::Damaged(why)) => self.give_up(NotRecording::Failed(why)),
        }
    }

    fn note_damaged(&mut self, blocks: Vec<i64>) {
        self.damaged.extend(blocks);
        self.state.n_damaged = self.damaged.len() as u64;
    }

    /// Lets go what is too old, now and then, and what is too much, at once.
    fn prune(&mut self, is_last: bool) {
        let now = Instant::now();
        let most = self.settings.max_bytes;
        let is_over = place::size(&self.settings.file) > most;
        let is_time = (self.pruned).is_none_or(|last| now.duration_since(last) >= PRUNED_EVERY);
        let is_due = is_last || is_over || is_time;
        // Where it is full, room is made for more than the next write.
        let most = if is_over { most - most / 8 } else { most };
        let Some(file) = self.file.as_mut().filter(|_| is_due) else {
            return;
        };
        self.pruned = Some(now);
        let age = i64::try_from(self.settings.max_age.as_micros()).unwrap_or(i64::MAX);
        let before = self.clock.now().wall.plus(age.saturating_neg());
        if let Err(Trouble::Unusable(why)) = file.prune(before, most) {
            // Recording goes on; a full disk is said by the next write.
            drop(why);
        }
    }

    /// Says how it stands.
    fn tell(&mut self) {
        let n_missed = self.intake.n_missed().saturating_sub(self.n_elsewhere);
        self.state.n_missed = match self.state.recording {
            // Of the last ones it is not decided.
            Recording::Not(NotRecording::Another) => self.weighed.saturating_sub(self.n_elsewhere),
            _ => n_missed + self.n_stuck(),
        };
        self.state.bytes = place::size(&self.settings.file);
        self.tell.send_replace(self.state.clone());
    }

    /// Changes that wait because they cannot be written.
    fn n_stuck(&self) -> u64 {
        match self.state.recording {
            Recording::Not(_) => self.intake.n_waiting() as u64,
            _ => 0,
        }
    }
}

/// Whether a file is there and holds nothing.
fn is_empty(file: &std::path::Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() == 0)
}

/// Where the link goes on, as the file says.
fn start(file: &File, now: Time) -> Result<Start, Trouble> {
    let facts = file.facts()?;
    let last_event_id = facts.last_event_id.unwrap_or_default();
    let unknown = match facts.alive {
        Some(alive) if alive <= now => None,
        Some(_) => Some("this machine's clock was set back meanwhile"),
        None if file.is_empty() => None,
        None => Some("the last run never compared what it had"),
    };
    Ok(Start {
        last_event_id,
        stream_path: facts.stream_path.unwrap_or_default(),
        gap_from: facts.alive.filter(|_| unknown.is_none()),
        unknown: unknown.map(str::to_owned),
    })
}
