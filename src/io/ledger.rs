//! The ledger of replays: what is about to be sent is written here first, on the disk, or it is
//! not sent.
//!
//! One small file, beside the journals, shared by every reeltop of this user, whatever server it looks
//! at and by which way. A message has at most one open replay at an endpoint, and the file decides
//! which. A replay whose reeltop ended in the middle is unknown, is looked for, and
//! is never sent again.

mod file;
mod giving_up;
mod noted;
mod owner;
mod place;
mod settle;
mod writing;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use self::file::{File, Held};
use self::noted::Noted;
use self::owner::Owner;
pub use self::place::Service;
use self::place::{FILE, Identity, identity, older};
use self::settle::settle;
pub use self::writing::{Planned, PlannedAll};
use super::config::LedgerKeeping;
use super::journal;
use super::receiver::Receiver;
use crate::domain::time::SECOND;
use crate::domain::{
    Change, ChangeKind, EndpointId, Failure, FailureKind, MessageId, Moment, Replay, RetrySchedule,
    Trigger,
};

/// Replays that have ended and are told at a start.
const TOLD: usize = 500;
/// How often what is old is let go, in microseconds.
const PRUNED_EVERY: i64 = 3600 * SECOND;
/// Why a replay that was written down is not there.
const REPLACED: &str = "it was moved away or replaced, and knows nothing of this replay";
/// What to do about a file that cannot be used …
const TO_MEND: &str = "nothing is sent without it, so that nothing is sent twice; make it writable, \
    or move it away if it is damaged";
/// … and about one that is sound and holds what must not be sent again.
const TOO_NEW: &str = "use the newer reeltop; leave the file where it is: it tells what was sent \
    already, so that nothing is sent twice, and this reeltop sends nothing without it";
/// A message and an endpoint.
pub type Pair = (MessageId, EndpointId);

/// The ledger, for the replays of one service. Clones are one.
#[derive(Clone)]
pub struct Ledger {
    place: Arc<Place>,
    service: Service,
    keeping: LedgerKeeping,
    /// Never held while the file is waited for.
    noted: Arc<Mutex<Noted>>,
    inner: Arc<Mutex<Inner>>,
    /// Why it could not be used the last time, until it can be written again.
    trouble: Arc<Mutex<Option<Failure>>>,
    news: Arc<Notify>,
}

enum Place {
    File(PathBuf),
    /// Nobody shares it.
    Memory,
    /// There is no place for it, and why.
    Nowhere(String),
}

#[derive(Default)]
struct Inner {
    file: Option<File>,
    /// Which file that is.
    opened: Option<Identity>,
    owner: Option<Owner>,
    /// How many files were opened, as one counts its rows anew.
    n_opened: u32,
    /// The numbers in this run of our own replays, by their ids.
    numbers: HashMap<Arc<str>, u64>,
    /// Ledgers of single servers that were taken over.
    older: Vec<PathBuf>,
    /// When what is old was last let go; monotonic microseconds.
    pruned: Option<i64>,
    /// The last revision that was told; `None` before the first look.
    told: Option<i64>,
    /// What changed and was seen since, but nobody was told of yet.
    untold: Vec<Replay>,
}

impl Ledger {
    /// The ledger in a folder, whose file is made with the first replay.
    pub fn in_folder(folder: &Path, service: Service, keeping: LedgerKeeping) -> Self {
        Self {
            service,
            keeping,
            ..Self::at(Place::File(folder.join(FILE)))
        }
    }

    /// One in memory, for a server that nobody else knows.
    pub fn in_memory() -> Self {
        Self::at(Place::Memory)
    }

    /// One that takes nothing, for this reason: nothing can be sent.
    pub fn nowhere(why: impl Into<String>) -> Self {
        Self::at(Place::Nowhere(why.into()))
    }

    fn at(place: Place) -> Self {
        Self {
            place: Arc::new(place),
            service: Service::default(),
            keeping: LedgerKeeping::default(),
            noted: Arc::default(),
            inner: Arc::default(),
            trouble: Arc::default(),
            news: Arc::default(),
        }
    }

    pub fn path(&self) -> Option<&Path> {
        match &*self.place {
            Place::File(path) => Some(path),
            Place::Memory | Place::Nowhere(_) => None,
        }
    }

    /// Whether the file that is open is the one that others find.
    fn is_same(&self, inner: &Inner) -> bool {
        self.path()
            .is_none_or(|path| identity(path).is_ok_and(|there| there == inner.opened))
    }

    /// Takes note of the attempts among what was found. Never waits for the disk.
    pub fn note(&self, batch: &[Change]) {
        // Where the service does not say what caused an attempt, any may be ours.
        let found = batch.iter().filter_map(|change| match &change.kind {
            ChangeKind::Attempt(attempt) if attempt.trigger != Trigger::Scheduled => Some(attempt),
            _ => None,
        });
        let mut found = found.peekable();
        if found.peek().is_none() {
            return;
        }
        let mut noted = self.noted();
        for attempt in found {
            noted.note(attempt);
        }
        drop(noted);
        self.news.notify_one();
    }

    /// Takes note of when the service makes automatic retries.
    pub fn learn(&self, schedule: RetrySchedule) {
        self.noted().schedule = schedule;
    }

    /// Brings the file up to what is known, and gives the replays that changed in it since the
    /// last look, whoever changed them: all that is open or new at the first.
    pub fn keep(&self, now: Moment) -> Result<Vec<Replay>, Failure> {
        let mut inner = self.lock();
        // After trouble it is tried whether it can be written again.
        let is_troubled = self.trouble().is_some();
        if !self.open(&mut inner, is_troubled, now)? {
            return Ok(Vec::new());
        }
        if let (true, Some(file)) = (is_troubled, &mut inner.file) {
            file.probe().map_err(|error| self.failed(&error))?;
            *self.troubled() = None;
        }
        let kept = self.reap(&mut inner, now);
        let kept = kept.and_then(|()| self.settle_all(&mut inner, now));
        let kept = kept.map_err(|error| self.failed(&error))?;
        let mut told = std::mem::take(&mut inner.untold);
        told.extend(kept);
        Ok(told)
    }

    /// Writes what the attempts that were found say of the replays; gives those that changed.
    fn settle_all(&self, inner: &mut Inner, now: Moment) -> Result<Vec<Replay>, file::Trouble> {
        let Some(file) = &mut inner.file else {
            return Ok(Vec::new());
        };
        let mut touched = self.noted().take_touched();
        let schedule = self.noted().schedule.clone();
        // A row may be newer than the attempt that belongs to it.
        let rows = changed(file, inner.told)?;
        touched.extend(rows.iter().map(Held::pair));
        let attempts_of = |pair: &Pair| self.noted().of(pair);
        if let Err(error) = settle(file, &touched, attempts_of, &schedule, now) {
            // What could not be written is looked at again.
            let mut noted = self.noted();
            for pair in touched {
                noted.touch(pair);
            }
            return Err(error);
        }
        let changed = changed(file, inner.told)?;
        let newest = changed.iter().map(|held| held.rev).max();
        inner.told = newest.max(inner.told).or(Some(0));
        Ok(self.shown(inner, changed))
    }

    /// The newest replays and all that are open, oldest first.
    pub fn list(&self, limit: usize, now: Moment) -> Result<Vec<Replay>, Failure> {
        self.read(now, |file| file.newest(limit))
    }

    /// The replays of a message at an endpoint, or at a URL that it was posted to, oldest first.
    pub fn of_pair(&self, (message, endpoint): &Pair, now: Moment) -> Result<Vec<Replay>, Failure> {
        self.read(now, |file| file.pair(message, endpoint))
    }

    /// The replays of a message, wherever it went, oldest first.
    pub fn of_message(&self, message: &MessageId, now: Moment) -> Result<Vec<Replay>, Failure> {
        self.read(now, |file| file.message(message))
    }

    /// The open replay that would keep a message from being posted to a receiver, as what is planned is
    /// refused.
    pub fn rival(
        &self,
        (message, endpoint): &Pair,
        receiver: &Receiver,
        now: Moment,
    ) -> Result<Option<Replay>, Failure> {
        let known = self.of_message(message, now)?;
        let is_rival = |other: &Replay| Receiver::is_rival(other, endpoint, Some(receiver));
        Ok(known.into_iter().find(is_rival))
    }

    /// The latest revision of a row, whoever wrote it; 0 if there is none.
    pub fn latest(&self, now: Moment) -> Result<i64, Failure> {
        let mut inner = self.lock();
        if !self.open(&mut inner, false, now)? {
            return Ok(0);
        }
        let row = inner.file.as_ref().map_or(Ok(0), File::latest);
        row.map_err(|error| self.failed(&error))
    }

    /// The pairs whose latest end was found after whoever sent it had ended, and that nobody was told
    /// of who means to send.
    pub fn unheard(&self, now: Moment) -> Result<Vec<Pair>, Failure> {
        let mut inner = self.lock();
        if !self.open(&mut inner, false, now)? {
            return Ok(Vec::new());
        }
        let pairs = inner.file.as_ref().map_or(Ok(Vec::new()), File::unheard);
        pairs.map_err(|error| self.failed(&error))
    }

    /// Takes note that whoever means to send was told of the ends of these pairs.
    pub fn hear(&self, pairs: &[Pair], now: Moment) -> Result<(), Failure> {
        let mut inner = self.lock();
        if pairs.is_empty() || !self.open(&mut inner, false, now)? {
            return Ok(());
        }
        let heard = inner.file.as_mut().map_or(Ok(()), |file| file.hear(pairs));
        heard.map_err(|error| self.failed(&error))
    }

    fn read(
        &self,
        now: Moment,
        rows: impl Fn(&File) -> Result<Vec<Held>, file::Trouble>,
    ) -> Result<Vec<Replay>, Failure> {
        let mut inner = self.lock();
        if !self.open(&mut inner, false, now)? {
            return Ok(Vec::new());
        }
        let rows = inner.file.as_ref().map_or(Ok(Vec::new()), rows);
        let rows = rows.map_err(|error| self.failed(&error))?;
        Ok(self.shown(&inner, rows))
    }

    /// Ends what the reeltops that are gone left in the middle.
    fn reap(&self, inner: &mut Inner, now: Moment) -> Result<(), file::Trouble> {
        let ours = inner.owner.as_ref().map(|owner| owner.id.clone());
        let unsettled = match &inner.file {
            Some(file) => file.unsettled()?,
            None => return Ok(()),
        };
        let (mut gone, mut orphans) = (HashSet::new(), Vec::new());
        for mut held in unsettled {
            if ours.as_ref() == Some(&held.owner) || !self.is_gone(inner, &held.owner) {
                continue;
            }
            held.replay.orphan(now);
            gone.insert(held.owner.clone());
            orphans.push(held);
        }
        // Where somebody else has just written one of them, they are seen again at the next look.
        if let Some(file) = &mut inner.file
            && !file.update_all(&orphans)?
        {
            return Ok(());
        }
        for (id, path) in gone
            .iter()
            .flat_map(|id| self.places(inner).map(move |path| (id, path)))
        {
            owner::clear(path, id);
        }
        Ok(())
    }

    /// The files beside which those that hold a replay have their locks.
    fn places<'a>(&'a self, inner: &'a Inner) -> impl Iterator<Item = &'a Path> {
        let older = inner.older.iter().map(PathBuf::as_path);
        self.path().into_iter().chain(older)
    }

    /// Whether an owner is gone for certain.
    fn is_gone(&self, inner: &Inner, id: &str) -> bool {
        self.places(inner).all(|path| owner::is_gone(path, id))
    }

    /// Opens the file, if it is not open or another one is there now; makes it only to write, or to
    /// take over what older ones hold. Whether it is open.
    fn open(&self, inner: &mut Inner, to_write: bool, now: Moment) -> Result<bool, Failure> {
        let path = match &*self.place {
            Place::File(path) => path,
            Place::Memory => {
                if inner.file.is_none() {
                    let file = File::in_memory(&self.service);
                    inner.file = Some(file.map_err(|error| self.failed(&error))?);
                    inner.owner = Some(Owner::alone());
                }
                return Ok(true);
            }
            Place::Nowhere(why) if to_write => return Err(self.unwritable(why)),
            Place::Nowhere(_) => return Ok(false),
        };
        let failed = |error: std::io::Error| self.unwritable(&error.to_string());
        let there = identity(path).map_err(failed)?;
        if there.is_none() || there != inner.opened {
            inner.close();
        }
        if to_write || inner.file.is_none() {
            inner.older = older(path);
        }
        if there.is_none() && !to_write && inner.older.is_empty() {
            return Ok(false);
        }
        if there.is_none() {
            if let Some(folder) = path.parent() {
                journal::make_folder(folder).map_err(failed)?;
            }
            journal::make_file(path).map_err(failed)?;
        }
        let is_fresh = inner.file.is_none();
        if is_fresh {
            let before = identity(path).map_err(failed)?;
            let file = File::open(path, &self.service).map_err(|error| self.failed(&error))?;
            if before.is_none() || identity(path).map_err(failed)? != before {
                return Err(self.unwritable("it was replaced while it was being opened"));
            }
            inner.file = Some(file);
            inner.n_opened += 1;
            inner.opened = before;
        }
        if let (true, Some(file)) = (is_fresh || to_write, &mut inner.file) {
            for older in &inner.older {
                file.adopt(older, now)
                    .map_err(|error| self.failed(&error))?;
            }
        }
        if to_write && inner.owner.is_none() {
            inner.owner = Some(Owner::new(path).map_err(failed)?);
        }
        Ok(true)
    }

    /// Rows as this run of the program shows them.
    fn shown(&self, inner: &Inner, rows: Vec<Held>) -> Vec<Replay> {
        rows.into_iter()
            .map(|held| self.shown_one(inner, held))
            .collect()
    }

    fn shown_one(&self, inner: &Inner, held: Held) -> Replay {
        let mut replay = held.replay;
        if let Some(row) = &mut replay.row {
            row.file = inner.n_opened;
        }
        if let Some(number) = inner.numbers.get(&held.id) {
            replay.number = *number;
            replay.by = None;
            return replay;
        }
        replay.number = number_of(&held.id);
        if let Some(who) = &mut replay.by
            && *who.via == *self.service.via
        {
            // As it is reached here is nothing to tell.
            who.via = "".into();
        }
        if let (Some(who), Some(_)) = (&mut replay.by, self.path()) {
            who.is_running = !self.is_gone(inner, &held.owner);
        }
        replay
    }

    fn failed(&self, error: &file::Trouble) -> Failure {
        let why = error.to_string();
        if file::is_newer(error) {
            // Without it, what was sent already could be sent again.
            return self.unusable(&why, TOO_NEW);
        }
        self.unwritable(&why)
    }

    fn unwritable(&self, why: &str) -> Failure {
        self.unusable(why, TO_MEND)
    }

    fn unusable(&self, why: &str, hint: &str) -> Failure {
        let place = self
            .path()
            .map(|path| format!(" {}", path.display()))
            .unwrap_or_default();
        let what = format!("the ledger of replays{place} cannot be used: {why}");
        let failure = Failure::new(FailureKind::Local, what, hint);
        *self.troubled() = Some(failure.clone());
        failure
    }

    /// Why it cannot be used, if that is so.
    pub fn trouble(&self) -> Option<Failure> {
        self.troubled().clone()
    }

    fn troubled(&self) -> MutexGuard<'_, Option<Failure>> {
        // It is only ever assigned to.
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        // A panic leaves an attempt out at worst, which is read again.
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What a panic left half done is in the file as it was before.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once an attempt was noted that may belong to a replay.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Does something with the ledger without keeping others from running.
    pub async fn wait<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let ledger = self.clone();
        tokio::task::spawn_blocking(move || what(&ledger))
            .await
            .unwrap_or_else(|error| Err(self.unwritable(&error.to_string())))
    }
}

impl Inner {
    /// Lets go of a file that is no longer the one. All is told anew of what stands there next.
    fn close(&mut self) {
        self.file = None;
        self.opened = None;
        self.told = None;
        // The lock beside it may have gone with it.
        self.owner.take_if(|owner| !owner.is_there());
    }
}

/// The rows that changed since the last look, or at the first all that is open, new or in doubt.
fn changed(file: &File, told: Option<i64>) -> Result<Vec<Held>, file::Trouble> {
    match told {
        Some(told) => file.after(told),
        None => file.worth_telling(TOLD),
    }
}

/// The number in this run of a replay of another: its own, and none that we count up to.
fn number_of(id: &str) -> u64 {
    let low = uuid::Uuid::parse_str(id).map_or(0, |id| id.as_u64_pair().1);
    low | 1 << 63
}
