//! A file that is set aside when it is full: `x.log`, then `x.log.1`, `x.log.2`, the oldest last.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file, and what it may grow to.
#[derive(Debug)]
pub struct Rotating {
    path: PathBuf,
    file: File,
    n_bytes: u64,
    max_bytes: u64,
    max_files: usize,
}

impl Rotating {
    /// Opens the file to write at its end. A new one can be read by its owner only. Refuses what
    /// is no plain file.
    pub fn open(path: &Path, max_bytes: u64, max_files: usize) -> io::Result<Self> {
        let (file, n_bytes) = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            n_bytes,
            max_bytes,
            max_files,
        })
    }

    /// Sets the file aside and begins a new one. Another program that writes the same log may have
    /// done so already.
    fn rotate(&mut self) -> io::Result<()> {
        let is_full = fs::metadata(&self.path).is_ok_and(|found| found.len() >= self.max_bytes);
        if is_full {
            for n in (1..self.max_files).rev() {
                // There may be none yet.
                let _ = fs::rename(self.aside(n - 1), self.aside(n));
            }
        }
        (self.file, self.n_bytes) = open(&self.path)?;
        Ok(())
    }

    fn aside(&self, n: usize) -> PathBuf {
        if n == 0 {
            return self.path.clone();
        }
        let mut name = OsString::from(&self.path);
        name.push(format!(".{n}"));
        name.into()
    }
}

impl Write for Rotating {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.n_bytes >= self.max_bytes {
            self.rotate()?;
        }
        let n = self.file.write(bytes)?;
        self.n_bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    // A pipe would be waited for, a terminal drawn over.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let n_bytes = file.metadata()?.len();
    Ok((file, n_bytes))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn a_full_file_is_set_aside_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let mut log = Rotating::open(&path, 10, 3).unwrap();
        for n in 0..8 {
            log.write_all(format!("line {n}\n").as_bytes()).unwrap();
        }
        assert_eq!(read(&path), "line 6\nline 7\n");
        assert_eq!(read(&log.aside(1)), "line 4\nline 5\n");
        assert_eq!(read(&log.aside(2)), "line 2\nline 3\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        // Where another one goes on, it is at the end.
        let mut other = Rotating::open(&path, 100, 3).unwrap();
        other.write_all(b"more\n").unwrap();
        assert_eq!(read(&path), "line 6\nline 7\nmore\n");
        // What another set aside is not set aside twice.
        let mut late = Rotating::open(&path, 10, 3).unwrap();
        log.write_all(b"new\n").unwrap();
        late.write_all(b"late\n").unwrap();
        assert_eq!(read(&path), "new\nlate\n");
        assert_eq!(read(&log.aside(1)), "line 6\nline 7\nmore\n");
    }

    #[test]
    #[cfg(unix)]
    fn a_new_file_is_its_owners_and_other_things_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        Rotating::open(&path, 10, 3).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for other in [folder.path(), Path::new("/dev/null")] {
            assert!(Rotating::open(other, 10, 3).is_err());
        }
    }
}
