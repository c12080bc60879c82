//! Where a journal lies: one file for each profile or server, in the platform's folder for state.

use std::fmt::Write;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

/// Longest part of a file's name that is taken from a profile's name, in bytes.
const MAX_NAME: usize = 40;

/// `reeltop` in the platform's folder for state.
pub fn default_folder() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let folders = etcetera::choose_base_strategy().ok()?;
    let state = folders.state_dir().unwrap_or_else(|| folders.data_dir());
    Some(state.join("reeltop"))
}

/// The file's name: what can stand in a name on every system, then a digest of profile and URL, so
/// that two of them never share a file.
pub fn file_name(name: &str, url: &str) -> String {
    base_name(name, url) + ".db"
}

/// The same without its ending.
pub fn base_name(name: &str, url: &str) -> String {
    let mut safe: String = name
        .chars()
        .map(|letter| match letter {
            'a'..='z' | '0'..='9' | '-' | '_' | '.' => letter,
            'A'..='Z' => letter.to_ascii_lowercase(),
            _ => '_',
        })
        .take(MAX_NAME)
        .collect();
    if safe.starts_with('.') {
        safe.insert(0, '_');
    }
    let digest = Sha256::digest(format!("{name}\n{url}"));
    safe.push('-');
    for byte in digest.iter().take(4) {
        let _ = write!(safe, "{byte:02x}");
    }
    safe
}

/// Makes the folder, for its owner alone.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the file if it is not there, for its owner alone; `SQLite` gives what it keeps beside it
/// the same mode.
pub(in crate::io) fn make_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// What follows the name of a file that was set aside.
const ASIDE: &str = ".corrupt-";

/// The file and what `SQLite` keeps beside it.
pub(super) fn parts(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|ending| beside(path, ending))
}

pub(in crate::io) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Bytes of the file and of what `SQLite` keeps beside it.
pub fn size(path: &Path) -> u64 {
    let size = |path: PathBuf| fs::metadata(path).map_or(0, |meta| meta.len());
    let [file, wal, _] = parts(path);
    size(file) + size(wal)
}

/// Whether the file, or what `SQLite` keeps beside it, was written within this time.
pub(super) fn is_written(path: &Path, within: Duration) -> bool {
    let [file, wal, _] = parts(path);
    let mut times = [file, wal].into_iter().filter_map(|path| {
        let at = fs::metadata(path).and_then(|meta| meta.modified()).ok()?;
        // A time to come was set by a clock that was put back since.
        Some(at.elapsed().unwrap_or_default())
    });
    times.any(|ago| ago <= within)
}

/// Names of the files that were set aside of this one, oldest first.
pub fn set_aside_before(path: &Path) -> Vec<String> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Vec::new();
    };
    let start = format!("{}{ASIDE}", name.to_string_lossy());
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names
        .filter(|name| name.starts_with(&start))
        .filter(|name| {
            !["-wal", "-shm", "-journal"]
                .iter()
                .any(|part| name.ends_with(part))
        })
        .collect();
    names.sort();
    names
}

/// Gives a corrupt file and its parts another name, and says which: nothing is ever deleted.
pub(super) fn set_aside(path: &Path, stamp: &str) -> io::Result<String> {
    let mut number = 1;
    let aside = loop {
        let ending = match number {
            1 => format!("{ASIDE}{stamp}"),
            _ => format!("{ASIDE}{stamp}-{number}"),
        };
        let aside = beside(path, &ending);
        if !aside.try_exists()? {
            break aside;
        }
        number += 1;
    };
    fs::rename(path, &aside)?;
    // One that was left beside the new file would be taken for its own.
    for ending in ["-wal", "-shm", "-journal"] {
        match fs::rename(beside(path, ending), beside(&aside, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_distinct() {
        let name = file_name("../../etc/Prod 1", "https://a.example");
        assert!(name.starts_with("_.._.._etc_prod_1-"), "{name}");
        assert!(!name.contains('/') && !name.contains(' '));
        assert_ne!(name, file_name("../../etc/Prod 1", "https://b.example"));
        assert_ne!(
            file_name("a/b", "https://a.example"),
            file_name("a_b", "https://a.example")
        );
        assert!(file_name(&"é".repeat(300), "").len() < 60);
    }
}
