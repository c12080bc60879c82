//! Folders for journals that end with their program: the demo's. One that was killed leaves its
//! folder behind, which the next one removes.

use std::fs::{self, DirEntry, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

/// What the name of such a folder begins with; a UUID follows.
const NAME: &str = "reeltop-demo-";
/// From the making of a lock file to its being locked no more time than this passes.
const SETTLED: Duration = Duration::from_mins(1);

/// The path of a new one, in the platform's temporary folder.
pub fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("{NAME}{}", Uuid::new_v4()))
}

/// Removes those of this user whose program is gone, in a thread of its own. What cannot be removed
/// lies in the platform's temporary folder.
pub fn remove_left() {
    let sweep = || {
        let entries = fs::read_dir(std::env::temp_dir());
        for entry in entries.into_iter().flatten().flatten() {
            if let Some(lock) = left(&entry) {
                let _ = fs::remove_dir_all(entry.path());
                drop(lock);
            }
        }
    };
    let _ = std::thread::Builder::new()
        .name("leftovers".to_owned())
        .spawn(sweep);
}

/// The lock of such a folder, if it is ours and nobody lives in it: who does holds the lock.
fn left(entry: &DirEntry) -> Option<File> {
    let name = entry.file_name();
    let id = name.to_str()?.strip_prefix(NAME)?;
    if Uuid::parse_str(id).ok()?.to_string() != id || !is_own_folder(entry) {
        return None;
    }
    let lock = lock_in(&entry.path())?;
    let made = lock.metadata().ok()?.modified().ok()?;
    let age = SystemTime::now().duration_since(made).ok()?;
    (age >= SETTLED && lock.try_lock().is_ok()).then_some(lock)
}

/// The only lock file in a folder.
fn lock_in(folder: &Path) -> Option<File> {
    let files = fs::read_dir(folder).ok()?.flatten();
    let mut locks = files.filter(|file| file.file_name().as_encoded_bytes().ends_with(b".lock"));
    let lock = locks.next()?;
    if locks.next().is_some() || !lock.file_type().ok()?.is_file() {
        return None;
    }
    File::open(lock.path()).ok()
}

/// Whether it is a folder, and no link to one, that belongs to this user.
#[cfg(unix)]
fn is_own_folder(entry: &DirEntry) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let owner = rustix::process::geteuid().as_raw();
    // Of an entry itself, no link is followed.
    let facts = entry.metadata();
    facts.is_ok_and(|facts| facts.is_dir() && facts.uid() == owner)
}

#[cfg(not(unix))]
fn is_own_folder(entry: &DirEntry) -> bool {
    entry.metadata().is_ok_and(|facts| facts.is_dir())
}
