//! Where `listen --save` puts requests: each whole, in a file of its own.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::domain::Time;
use crate::wire::saved::Saved;

/// Files written in one run; a flood must not fill the disk.
const MAX_FILES: usize = 10_000;

/// A folder of saved requests.
pub struct Shelf {
    folder: PathBuf,
    n_saved: usize,
    n_left_out: u64,
}

impl Shelf {
    /// Takes the folder, and makes it where it is missing. That nothing can be written there is
    /// found now, and not with the first request.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let shelf = Self {
            folder: folder.to_owned(),
            n_saved: 0,
            n_left_out: 0,
        };
        if folder.exists() && !folder.is_dir() {
            return Err(shelf.named(&"it is no folder"));
        }
        fs::create_dir_all(folder).map_err(|error| shelf.named(&error))?;
        let probe = folder.join(format!(".{}.part", std::process::id()));
        let written = write(&probe, b"").and_then(|()| fs::remove_file(&probe));
        written.map_err(|error| shelf.named(&error))?;
        Ok(shelf)
    }

    /// An error of the folder, with its path.
    fn named(&self, why: &dyn std::fmt::Display) -> io::Error {
        io::Error::other(format!("{}: {why}", self.folder.display()))
    }

    /// Requests that were not saved, as there were too many.
    pub fn left_out(&self) -> u64 {
        self.n_left_out
    }

    /// Saves a request; its file appears whole or not at all. `None` once there are too many.
    pub fn save(&mut self, request: &Saved, received: Time) -> io::Result<Option<PathBuf>> {
        if self.n_saved >= MAX_FILES {
            self.n_left_out += 1;
            return Ok(None);
        }
        self.n_saved += 1;
        let name = self.name(request, received);
        let (path, part) = (
            self.folder.join(&name),
            self.folder.join(format!(".{name}.part")),
        );
        let written = write(&part, &request.http()).and_then(|()| fs::rename(&part, &path));
        if written.is_err() {
            let _ = fs::remove_file(&part);
        }
        written
            .map(|()| Some(path))
            .map_err(|error| self.named(&error))
    }

    /// By time, then number, then message: so they sort as they came.
    fn name(&self, request: &Saved, received: Time) -> String {
        let time: String = received
            .rfc3339()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let id: String = request
            .signature()
            .id
            .unwrap_or("no-id")
            .chars()
            .take(64)
            .map(|letter| match letter {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => letter,
                _ => '_',
            })
            .collect();
        format!("{time}-{:04}-{id}.http", self.n_saved)
    }
}

/// For its owner alone: headers may hold secrets of the receiver.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_full_shelf_counts_what_it_does_not_keep() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::new(folder.path()).unwrap();
        shelf.n_saved = MAX_FILES - 1;
        let request = Saved {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let mut is_saved = || {
            let saved = shelf.save(&request, Time(0)).unwrap().is_some();
            (saved, shelf.left_out())
        };
        assert_eq!(
            [is_saved(), is_saved(), is_saved()],
            [(true, 0), (false, 1), (false, 2)]
        );
    }
}
