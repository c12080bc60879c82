//! Where a key comes from, and the reading of it. A key never shows in Debug, logs or errors.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};

use super::ConfigError;
use crate::domain::visible;

/// Where a key comes from.
#[derive(Clone)]
pub enum KeyFrom {
    /// An environment variable, already read.
    Variable {
        name: String,
        value: SecretString,
    },
    File(PathBuf),
    /// A program with its arguments, and the key of the configuration that names it.
    Command {
        key: String,
        words: Vec<String>,
    },
}

impl fmt::Debug for KeyFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

impl KeyFrom {
    /// Where it comes from, for people.
    pub fn place(&self) -> String {
        match self {
            Self::Variable { name, .. } => name.clone(),
            Self::File(path) => path.display().to_string(),
            Self::Command { words, .. } => {
                format!("command {}", words.first().map_or("", |word| word))
            }
        }
    }

    /// Reads the key; a note says what is unsafe about it.
    pub fn read(&self) -> Result<(SecretString, Option<String>), ConfigError> {
        let (text, note) = match self {
            Self::Variable { value, .. } => (value.clone(), None),
            Self::File(path) => read_file(path)?,
            Self::Command { key, words } => (run(key, words, PATIENCE)?, None),
        };
        Ok((checked(&text, &self.place())?, note))
    }
}

/// A key without the white space around it, if it can stand in a header.
fn checked(text: &SecretString, place: &str) -> Result<SecretString, ConfigError> {
    let key = text.expose_secret().trim();
    if key.is_empty() {
        return Err(ConfigError(format!("the key from {place} is empty")));
    }
    if key.starts_with('\u{feff}') {
        return Err(ConfigError(format!(
            "the key from {place} begins with a byte order mark (U+FEFF); save it as UTF-8 without one"
        )));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConfigError(format!(
            "the key from {place} holds spaces, line breaks or other characters that no key has"
        )));
    }
    Ok(key.into())
}

fn read_file(path: &Path) -> Result<(SecretString, Option<String>), ConfigError> {
    let path = from_home(path);
    let failed =
        |error: &dyn fmt::Display| ConfigError(format!("key file {}: {error}", path.display()));
    let mut text = String::new();
    let file = File::open(&path).map_err(|error| failed(&error))?;
    file.take(MAX_PRINTED + 1)
        .read_to_string(&mut text)
        .map_err(|error| failed(&error))?;
    if text.len() as u64 > MAX_PRINTED {
        return Err(failed(&"it holds more than a key"));
    }
    Ok((text.into(), open_to_others(&path)))
}

/// A note where others than the owner can read the file.
#[cfg(unix)]
pub fn open_to_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        format!(
            "the file {0} holds a key and can be read by others; run: chmod 600 {0}",
            path.display()
        )
    })
}

#[cfg(not(unix))]
pub fn open_to_others(_: &Path) -> Option<String> {
    None
}

/// The path, with a `~` at its start taken for the home folder.
pub fn from_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), etcetera::home_dir()) {
        (Ok(rest), Ok(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// After so long it is said what is waited for.
const SILENT: Duration = Duration::from_secs(2);
/// How long a program may take to print a key; it may ask somebody for a password meanwhile.
const PATIENCE: Duration = Duration::from_mins(1);
/// The most that is read of what it prints, or of a file, in bytes.
const MAX_PRINTED: u64 = 64 << 10;

/// The first line that the program prints; it may ask on the terminal.
fn run(key: &str, words: &[String], patience: Duration) -> Result<SecretString, ConfigError> {
    let [program, arguments @ ..] = words else {
        return Err(ConfigError(format!("{key} is empty")));
    };
    let failed = |error: std::io::Error| ConfigError(format!("{key} {program}: {error}"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let end = Instant::now() + patience;
    let (to, printed) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        // Ends with the pipe, which somebody that the program started may hold open for long.
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let outcome = stdout.take(MAX_PRINTED).read_to_end(&mut text);
            let _ = to.send(outcome.map(|_| text));
        });
    }
    let silent = SILENT.min(patience);
    let text = printed.recv_timeout(silent).or_else(|_| {
        if patience > SILENT {
            // Its arguments may be secret, and its own words stand on the same terminal.
            let words = format!("reeltop: waiting for {key} {program}, {patience:?} at most");
            let _ = writeln!(std::io::stderr(), "{}", visible(&words));
        }
        printed.recv_timeout(patience.saturating_sub(silent))
    });
    let status = wait_until(&mut child, end).map_err(failed)?;
    let (Ok(text), Some(status)) = (text, status) else {
        end_all(&mut child);
        return Err(ConfigError(format!(
            "{key} {program} did not end within {patience:?}; run it by hand to see what it waits for"
        )));
    };
    if !status.success() {
        return Err(ConfigError(format!("{key} {program} ended with {status}")));
    }
    let text = text.map_err(failed)?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().next().unwrap_or_default().into())
}

/// Ends the program and what it started. It is no process group of its own: as such it could not ask
/// on the terminal, nor would Ctrl-C reach it.
fn end_all(child: &mut Child) {
    let started = descendants(child.id());
    let _ = child.kill();
    let _ = child.wait();
    #[cfg(unix)]
    for id in started {
        let id = i32::try_from(id)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        }
    }
    #[cfg(not(unix))]
    drop(started);
}

/// What a process started and what that started, as far as the system tells: Linux does.
fn descendants(id: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut parents = vec![id];
    while let Some(parent) = parents.pop() {
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        for child in children.unwrap_or_default().split_whitespace() {
            let child = child.parse().ok().filter(|child| !found.contains(child));
            found.extend(child);
            parents.extend(child);
        }
    }
    found
}

/// How the program ended; `None` if it has not by then.
fn wait_until(child: &mut Child, end: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        let status = child.try_wait()?;
        if status.is_some() || Instant::now() >= end {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn keys_are_trimmed_and_checked_and_never_shown() {
        let key = KeyFrom::Variable {
            name: "K".into(),
            value: " sk_secret\n".into(),
        };
        assert_eq!(key.read().unwrap().0.expose_secret(), "sk_secret");
        assert_eq!(format!("{key:?}"), "K");
        for bad in ["", "  ", "a b", "a\u{1}b", "é"] {
            let key = KeyFrom::Variable {
                name: "K".into(),
                value: bad.into(),
            };
            assert!(!key.read().unwrap_err().to_string().contains("sk_"));
        }
        let key = KeyFrom::Variable {
            name: "K".into(),
            value: "\u{feff}sk_secret".into(),
        };
        let said = key.read().unwrap_err().to_string();
        assert!(said.contains("byte order mark") && !said.contains("sk_"));
    }

    #[cfg(unix)]
    #[test]
    fn files_and_commands_give_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "sk_1\n").unwrap();
        let (key, note) = KeyFrom::File(path.clone()).read().unwrap();
        assert_eq!(key.expose_secret(), "sk_1");
        assert!(note.unwrap().contains("chmod 600"));
        std::fs::write(&path, "k".repeat(100_000)).unwrap();
        let why = KeyFrom::File(path.clone()).read().unwrap_err().to_string();
        assert!(why.ends_with("it holds more than a key"), "{why}");
        std::fs::remove_file(&path).unwrap();
        assert!(KeyFrom::File(path).read().is_err());
        let command = |words: &[&str]| {
            let key = "svix_token_command".to_owned();
            let words = words.iter().map(|&word| word.to_owned()).collect();
            KeyFrom::Command { key, words }.read()
        };
        assert_eq!(
            command(&["echo", "sk_2"]).unwrap().0.expose_secret(),
            "sk_2"
        );
        let why = command(&["false"]).unwrap_err().to_string();
        assert!(why.starts_with("svix_token_command false ended"), "{why}");
        let chatty = command(&["sh", "-c", "echo sk_3; yes no | head -c 30000"]);
        assert_eq!(chatty.unwrap().0.expose_secret(), "sk_3");
        for hung in [
            &["sleep", "60"][..],
            &["sh", "-c", "echo sk_4; exec sleep 60"],
        ] {
            let words: Vec<String> = hung.iter().map(|&word| word.to_owned()).collect();
            let began = Instant::now();
            let why = run("key_command", &words, Duration::from_millis(200)).unwrap_err();
            assert!(
                why.to_string().contains("did not end within 200ms"),
                "{why}"
            );
            assert!(began.elapsed() < Duration::from_secs(30));
        }
        assert!(command(&[]).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn nothing_that_a_slow_command_started_outlives_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let ids = folder.path().join("ids");
        let script = format!(
            "(sleep 60; echo) & echo $! > {0}; sleep 61; echo sk_5",
            ids.display()
        );
        let words = ["sh".to_owned(), "-c".to_owned(), script];
        run("key_command", &words, Duration::from_millis(700)).unwrap_err();
        let id = std::fs::read_to_string(&ids).unwrap();
        let stat = format!("/proc/{}/stat", id.trim());
        // A zombie is one that ended, and nobody took note of yet.
        let lives = || {
            let stat = std::fs::read_to_string(&stat).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        let end = Instant::now() + Duration::from_secs(10);
        while lives() {
            assert!(Instant::now() < end, "{stat} lives");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
