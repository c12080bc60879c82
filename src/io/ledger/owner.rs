//! Who holds a replay: each reeltop that sends holds a lock on a file of its own, which ends with
//! it however it ends, so that the dead are told from the living without trusting process ids.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::io::journal::{beside, make_file};

/// This reeltop, as the others see it while it lives.
#[derive(Debug)]
pub(super) struct Owner {
    pub id: Arc<str>,
    pub pid: u32,
    pub host: Arc<str>,
    path: PathBuf,
    /// Locked until this is dropped or the process ends.
    lock: Option<File>,
}

impl Owner {
    /// Takes the lock, before anything is written in its name.
    pub fn new(ledger: &Path) -> io::Result<Self> {
        let id: Arc<str> = uuid::Uuid::new_v4().simple().to_string().into();
        let path = place(ledger, &id);
        let lock = make_file(&path)?;
        lock.try_lock()?;
        Ok(Self {
            id,
            pid: std::process::id(),
            host: host().into(),
            path,
            lock: Some(lock),
        })
    }

    /// Whether the others can still see it.
    pub fn is_there(&self) -> bool {
        self.lock.is_none() || self.path.exists()
    }

    /// That of a ledger that nobody shares.
    pub fn alone() -> Self {
        Self {
            id: "alone".into(),
            pid: std::process::id(),
            host: host().into(),
            path: PathBuf::new(),
            lock: None,
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Whoever finds no file knows that its reeltop is gone.
        if self.lock.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether the owner is gone for certain. Where that cannot be told, it counts as running: what it
/// holds stays open and is not sent by anybody else.
pub(super) fn is_gone(ledger: &Path, id: &str) -> bool {
    let path = place(ledger, id);
    match File::open(&path) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        },
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Removes what an owner that is gone has left behind.
pub(super) fn clear(ledger: &Path, id: &str) {
    let _ = fs::remove_file(place(ledger, id));
}

fn place(ledger: &Path, id: &str) -> PathBuf {
    beside(ledger, &format!("-owner-{id}"))
}

/// Who decides something here: the user, on which machine, by which reeltop.
pub(super) fn user() -> String {
    let named = ["USER", "LOGNAME"].iter();
    let user = named
        .filter_map(|name| std::env::var(name).ok())
        .find(|user| !user.is_empty());
    let user = user.unwrap_or_else(|| "somebody".to_owned());
    format!("{user} on {} (pid {})", host(), std::process::id())
}

fn host() -> String {
    let told = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let told = told.trim();
    if told.is_empty() {
        std::env::var("HOSTNAME").unwrap_or_else(|_| "this machine".to_owned())
    } else {
        told.to_owned()
    }
}
