//! The ledger of replays: what is about to be sent is written here first, on the disk, or it is
//! not sent.
//!
//! One small file for each server, beside the journals, shared by every reeltop that looks at that
//! server, whatever its profile. A message has at most one open replay at an endpoint, and the
//! file decides which. A replay whose reeltop ended in the middle is unknown, is looked for, and
//! is never sent again.

mod file;
mod owner;

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use self::file::{File, Held, Refusal};
use self::owner::Owner;
use super::config::is_loopback;
use super::journal;
use crate::domain::{
    Attempt, Change, ChangeKind, EndpointId, Failure, FailureKind, MessageId, Moment, Replay,
    ReplayState, Replays, Route, Stage, Trigger,
};

/// Replays that have ended and are told at a start.
const TOLD: usize = 500;
/// Manual attempts remembered, so that the attempt of a replay is found whichever is seen first.
const MAX_ATTEMPTS: usize = 20_000;
/// A message and an endpoint.
type Pair = (MessageId, EndpointId);

/// The ledger of one server. Clones are one.
#[derive(Clone)]
pub struct Ledger {
    place: Arc<Place>,
    inner: Arc<Mutex<Inner>>,
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
    owner: Option<Owner>,
    /// The numbers in this run of our own replays, by their ids.
    numbers: HashMap<Arc<str>, u64>,
    /// Manual attempts, newest last.
    attempts: VecDeque<Attempt>,
    /// Pairs of which an attempt was seen since the last look.
    touched: HashSet<Pair>,
    /// The last revision that was told; `None` before the first look.
    told: Option<i64>,
    version: Option<i64>,
}

/// The name of the file that holds the replays of a server, or of one application there. One server
/// that is spelled in several ways has one: by any name of this machine, by either scheme.
pub fn file_name(url: &str, app: &str) -> String {
    let parsed = reqwest::Url::parse(url).ok().map(|mut url| {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        let host = host.to_owned();
        let port = url.port_or_known_default();
        let is_here = is_loopback(&url);
        let _ = url.set_scheme("http");
        let _ = url.set_port(port);
        let _ = url.set_host(Some(if is_here { "127.0.0.1" } else { &host }));
        url
    });
    let host = parsed.as_ref().and_then(|url| url.host_str());
    let name = format!("replays-{}", host.unwrap_or("server"));
    let origin = parsed.map_or_else(
        || url.to_owned(),
        |mut url| {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            url.as_str().trim_end_matches('/').to_owned()
        },
    );
    journal::file_name(&name, &format!("{origin}\n{app}"))
}

impl Ledger {
    /// The ledger in a file, which is made with the first replay.
    pub fn in_file(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::File(path.into()))
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
            inner: Arc::default(),
            news: Arc::default(),
        }
    }

    pub fn path(&self) -> Option<&Path> {
        match &*self.place {
            Place::File(path) => Some(path),
            Place::Memory | Place::Nowhere(_) => None,
        }
    }

    /// Writes down that a replay is planned, and gives its id, which is its idempotency key. Fails
    /// if it cannot be written or a replay of the pair is open: then nothing may be sent.
    pub fn plan(
        &self,
        number: u64,
        pair: &Pair,
        route: Route,
        now: Moment,
    ) -> Result<Arc<str>, Failure> {
        // What is found by now may have ended an earlier replay.
        self.keep(now)?;
        let mut inner = self.lock();
        self.open(&mut inner, true)?;
        let id: Arc<str> = uuid::Uuid::new_v4().to_string().into();
        let replay = Replay {
            number,
            message: pair.0.clone(),
            endpoint: pair.1.clone(),
            route,
            state: ReplayState::Planned,
            planned: now,
            since: now,
            sent: None,
            before: None,
            was_unknown: false,
            by: None,
        };
        let held = &mut *inner;
        let (Some(file), Some(owner)) = (&mut held.file, &held.owner) else {
            return Err(self.unwritable("it is not open"));
        };
        match file.insert(&id, &replay, owner) {
            Ok(()) => {}
            Err(Refusal::Open(open)) => return Err(is_open(&self.shown(&inner, *open))),
            Err(Refusal::Trouble(error)) => return Err(self.trouble(&error)),
        }
        inner.numbers.insert(id.clone(), number);
        Ok(id)
    }

    /// Writes down the next stage of a replay of ours. Where that fails, the request of a replay
    /// must not be made.
    pub fn step(&self, id: &str, stage: &Stage, now: Moment) -> Result<(), Failure> {
        let mut inner = self.lock();
        let Some(file) = &mut inner.file else {
            return Err(self.unwritable("it is not open"));
        };
        loop {
            let held = file.get(id).map_err(|error| self.trouble(&error))?;
            let Some(mut held) = held else {
                return Err(self.unwritable("the row of the replay is gone"));
            };
            let before = held.replay.state.clone();
            held.replay.step(stage.clone(), now);
            if held.replay.state == before {
                let is_sending = matches!(stage, Stage::Sending { .. });
                return if is_sending {
                    let what = format!("the replay is {} already", before.name());
                    Err(Failure::new(
                        FailureKind::Local,
                        what,
                        "reeltop replays lists them",
                    ))
                } else {
                    Ok(())
                };
            }
            if file.update(&held).map_err(|error| self.trouble(&error))? {
                return Ok(());
            }
        }
    }

    /// Takes note of the attempts among what was found.
    pub fn note(&self, batch: &[Change]) {
        let is_manual = |change: &&Change| matches!(&change.kind, ChangeKind::Attempt(attempt) if attempt.trigger == Trigger::Manual);
        if !batch.iter().any(|change| is_manual(&change)) {
            return;
        }
        let mut inner = self.lock();
        for change in batch.iter().filter(is_manual) {
            if let ChangeKind::Attempt(attempt) = &change.kind {
                inner.note(attempt);
            }
        }
        drop(inner);
        self.news.notify_one();
    }

    /// Brings the file up to what is known, and gives the replays that changed in it since the
    /// last look, whoever changed them: all that is open or new at the first.
    pub fn keep(&self, now: Moment) -> Result<Vec<Replay>, Failure> {
        let mut inner = self.lock();
        if !self.open(&mut inner, false)? {
            return Ok(Vec::new());
        }
        self.reap(&mut inner, now)
            .map_err(|error| self.trouble(&error))?;
        let inner = &mut *inner;
        let Some(file) = &mut inner.file else {
            return Ok(Vec::new());
        };
        let version = file.version().map_err(|error| self.trouble(&error))?;
        if inner.version != Some(version) {
            // A row may be newer than the attempt that belongs to it.
            inner.touched.extend(inner.attempts.iter().map(pair_of));
        }
        let pairs: Vec<Pair> = inner.touched.iter().cloned().collect();
        for pair in pairs {
            settle(file, &inner.attempts, &pair, now).map_err(|error| self.trouble(&error))?;
            // Only now: what could not be written is looked at again.
            inner.touched.remove(&pair);
        }
        inner.version = Some(version);
        let changed = match inner.told {
            Some(told) => file.after(told),
            None => file.newest(TOLD),
        };
        let changed = changed.map_err(|error| self.trouble(&error))?;
        let newest = changed.iter().map(|held| held.rev).max();
        inner.told = newest.max(inner.told).or(Some(0));
        Ok(changed
            .into_iter()
            .map(|held| self.shown(inner, held))
            .collect())
    }

    /// The newest replays and all that are open, oldest first.
    pub fn list(&self, limit: usize) -> Result<Vec<Replay>, Failure> {
        let mut inner = self.lock();
        if !self.open(&mut inner, false)? {
            return Ok(Vec::new());
        }
        let Some(file) = &inner.file else {
            return Ok(Vec::new());
        };
        let rows = file.newest(limit).map_err(|error| self.trouble(&error))?;
        Ok(rows
            .into_iter()
            .map(|held| self.shown(&inner, held))
            .collect())
    }

    /// The replays whose ids in the ledger begin so, oldest first.
    pub fn find(&self, id: &str) -> Result<Vec<Replay>, Failure> {
        let mut inner = self.lock();
        if !self.open(&mut inner, false)? {
            return Ok(Vec::new());
        }
        let Some(file) = &inner.file else {
            return Ok(Vec::new());
        };
        let rows = file.beginning(id).map_err(|error| self.trouble(&error))?;
        Ok(rows
            .into_iter()
            .map(|held| self.shown(&inner, held))
            .collect())
    }

    /// Closes an open replay, by its number, on the word of the user who looked what became of it:
    /// who and when stays in its row. Fails while the reeltop that sends it runs.
    pub fn give_up(&self, number: u64, now: Moment) -> Result<Replay, Failure> {
        self.keep(now)?;
        let refused = |what: String| {
            let hint = "reeltop replays lists them all";
            Failure::new(FailureKind::Local, format!("not given up: {what}"), hint)
        };
        let mut inner = self.lock();
        loop {
            let inner = &mut *inner;
            let Some(file) = &mut inner.file else {
                return Err(refused("there is no such replay".to_owned()));
            };
            let rows = file.newest(TOLD).map_err(|error| self.trouble(&error))?;
            let is_it = |held: &Held| match inner.numbers.get(&held.id) {
                Some(own) => *own == number,
                None => number_of(&held.id) == number,
            };
            let Some(mut held) = rows.into_iter().find(is_it) else {
                return Err(refused("there is no such replay".to_owned()));
            };
            let is_ours = inner.owner.as_ref().is_some_and(|own| own.id == held.owner);
            let is_gone = self
                .path()
                .is_none_or(|path| owner::is_gone(path, &held.owner));
            let is_unknown = matches!(held.replay.state, ReplayState::Unknown(_));
            if let (true, Some(who)) = (held.replay.state.is_open(), &held.replay.by)
                && !(if is_ours { is_unknown } else { is_gone })
            {
                let (state, pid, host) = (held.replay.state.name(), who.pid, &who.host);
                return Err(refused(format!(
                    "it is {state}, and the reeltop that sends it (pid {pid} on {host}) is running"
                )));
            }
            held.replay.give_up(&owner::user(), now).map_err(refused)?;
            if file.update(&held).map_err(|error| self.trouble(&error))? {
                self.news.notify_one();
                return Ok(self.shown(inner, held));
            }
        }
    }

    /// Ends what the reeltops that are gone left in the middle.
    fn reap(&self, inner: &mut Inner, now: Moment) -> Result<(), file::Trouble> {
        let (Some(file), Some(path)) = (&mut inner.file, self.path()) else {
            return Ok(());
        };
        let ours = inner.owner.as_ref().map(|owner| owner.id.clone());
        let mut gone = HashSet::new();
        for mut held in file.unsettled()? {
            if ours.as_ref() == Some(&held.owner) || !owner::is_gone(path, &held.owner) {
                continue;
            }
            held.replay.orphan(now);
            file.update(&held)?;
            gone.insert(held.owner.clone());
        }
        for id in gone {
            owner::clear(path, &id);
        }
        Ok(())
    }

    /// Opens the file; makes it only to write. Whether it is open.
    fn open(&self, inner: &mut Inner, to_write: bool) -> Result<bool, Failure> {
        let path = match &*self.place {
            Place::File(path) => path,
            Place::Memory => {
                if inner.file.is_none() {
                    inner.file = Some(File::in_memory().map_err(|error| self.trouble(&error))?);
                    inner.owner = Some(Owner::alone());
                }
                return Ok(true);
            }
            Place::Nowhere(why) if to_write => return Err(self.unwritable(why)),
            Place::Nowhere(_) => return Ok(false),
        };
        let is_there = path.exists();
        if !is_there {
            // One that was taken away is written to by nobody else.
            inner.file = None;
            if !to_write {
                return Ok(false);
            }
        }
        let failed = |error: std::io::Error| self.unwritable(&error.to_string());
        if to_write && !is_there {
            if let Some(folder) = path.parent() {
                journal::make_folder(folder).map_err(failed)?;
            }
            journal::make_file(path).map_err(failed)?;
        }
        if inner.file.is_none() {
            inner.file = Some(File::open(path).map_err(|error| self.trouble(&error))?);
            inner.version = None;
        }
        if to_write && inner.owner.is_none() {
            inner.owner = Some(Owner::new(path).map_err(failed)?);
        }
        Ok(true)
    }

    /// A row as this run of the program shows it.
    fn shown(&self, inner: &Inner, held: Held) -> Replay {
        let mut replay = held.replay;
        if let Some(number) = inner.numbers.get(&held.id) {
            replay.number = *number;
            replay.by = None;
            return replay;
        }
        replay.number = number_of(&held.id);
        if let (Some(who), Some(path)) = (&mut replay.by, self.path()) {
            who.is_running = !owner::is_gone(path, &held.owner);
        }
        replay
    }

    fn trouble(&self, error: &file::Trouble) -> Failure {
        self.unwritable(&error.to_string())
    }

    fn unwritable(&self, why: &str) -> Failure {
        let place = self
            .path()
            .map(|path| format!(" {}", path.display()))
            .unwrap_or_default();
        let what = format!("the ledger of replays{place} cannot be used: {why}");
        let hint = "nothing is sent without it, so that nothing is sent twice; make it writable, \
                    or move it away if it is damaged";
        Failure::new(FailureKind::Local, what, hint)
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
    fn note(&mut self, attempt: &Attempt) {
        self.attempts.retain(|held| held.id != attempt.id);
        if self.attempts.len() >= MAX_ATTEMPTS {
            self.attempts.pop_front();
        }
        self.attempts.push_back(attempt.clone());
        self.touched.insert(pair_of(attempt));
    }
}

fn pair_of(attempt: &Attempt) -> Pair {
    (attempt.message.clone(), attempt.endpoint.clone())
}

/// Finds what became of a pair's replays and writes it down.
fn settle(
    file: &mut File,
    attempts: &VecDeque<Attempt>,
    pair: &Pair,
    now: Moment,
) -> Result<(), file::Trouble> {
    loop {
        let rows = file.pair(&pair.0, &pair.1)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        // In the order of the rows: a clock that was set back does not make an older one the latest.
        let numbered = rows.iter().zip(1..).map(|(held, number)| Replay {
            number,
            ..held.replay.clone()
        });
        let mut replays = Replays::in_order(numbered);
        let of_pair: Vec<&Attempt> = attempts
            .iter()
            .filter(|attempt| attempt.message == pair.0 && attempt.endpoint == pair.1)
            .collect();
        if !replays.settle(&pair.0, &pair.1, &of_pair, now) {
            return Ok(());
        }
        let Some(settled) = replays.get(rows.len() as u64) else {
            return Ok(());
        };
        let held = Held {
            replay: settled.clone(),
            ..last.clone()
        };
        if file.update(&held)? {
            return Ok(());
        }
    }
}

/// The number in this run of a replay of another: its own, and none that we count up to.
fn number_of(id: &str) -> u64 {
    let low = uuid::Uuid::parse_str(id).map_or(0, |id| id.as_u64_pair().1);
    low | 1 << 63
}

fn is_open(open: &Replay) -> Failure {
    let who = open
        .by
        .as_ref()
        .map(|who| format!(" by {}", who.words()))
        .unwrap_or_default();
    let what = format!("a replay of it{who} is open: {}", open.words());
    let hint = "it is never sent twice; reeltop replays lists them";
    Failure::new(FailureKind::Local, what, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_one_ledger_however_it_is_spelled() {
        let name = |url| file_name(url, "");
        for other in [
            "http://localhost:8080/",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://u:p@LOCALHOST:8080/?x=1",
        ] {
            assert_eq!(name(other), name("http://127.0.0.1:8080/"), "{other}");
        }
        assert_eq!(name("https://a.example."), name("https://A.example:443/"));
        assert_ne!(name("https://a.example"), name("https://b.example"));
        assert_ne!(name("http://127.0.0.1:1"), name("http://127.0.0.1:2"));
        assert_ne!(
            file_name("https://a.example", "app_1"),
            file_name("https://a.example", "app_2")
        );
    }
}
