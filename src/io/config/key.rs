//! Where a key comes from, and the reading of it. A key never shows in Debug, logs or errors.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};

use super::ConfigError;
use crate::domain::visible;
use crate::io::ended::Held;

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
                format!("command {:?}", words.first().map_or("", |word| word))
            }
        }
    }

    /// Reads the key; a note says what is unsafe about it.
    pub fn read(&self) -> Result<(SecretString, Option<String>), ConfigError> {
        let (text, note) = match self {
            Self::Variable { value, .. } => (value.clone(), None),
            Self::File(path) => read_file(path)?,
            Self::Command { key, words } => {
                let text = run(key, words, PATIENCE)?;
                if text.expose_secret().trim().is_empty() {
                    return Err(ConfigError(format!(
                        "{}: it printed no key; its first line must be the key: run it by hand to \
                         see what it says",
                        named(key, words)
                    )));
                }
                (text, None)
            }
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
/// How often it is looked whether it has ended.
const PAUSE: Duration = Duration::from_millis(5);
/// How long what it printed is waited for once it has ended, where no line of it is whole and somebody
/// that it started holds the pipe open.
const DREGS: Duration = Duration::from_secs(1);
/// The most that is read of what it prints, or of a file, in bytes.
const MAX_PRINTED: u64 = 64 << 10;

/// The key of the configuration and the program, as errors name it: its arguments may be secret.
fn named(key: &str, words: &[String]) -> String {
    format!("{key} {:?}", words.first().map_or("", |word| word))
}

/// The first line that the program prints; it may ask on the terminal.
fn run(key: &str, words: &[String], patience: Duration) -> Result<SecretString, ConfigError> {
    let [program, arguments @ ..] = words else {
        return Err(ConfigError(format!("{key} is empty")));
    };
    let named = named(key, words);
    let failed = |error: std::io::Error| ConfigError(format!("{named}: {error}"));
    let ended = Held::begin();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let began = Instant::now();
    let mut printed = Printed::of(&mut child);
    let mut is_told = patience <= SILENT;
    let status = loop {
        let status = child.try_wait().map_err(failed)?;
        printed.take(PAUSE).map_err(failed)?;
        if let Some(status) = status {
            break status;
        }
        if ended.has_come() {
            end_all(&mut child);
            return Err(ConfigError(format!("{named}: ended with reeltop")));
        }
        if began.elapsed() >= patience {
            end_all(&mut child);
            return Err(ConfigError(format!(
                "{named} did not end within {patience:?}; run it by hand to see what it waits for"
            )));
        }
        if !is_told && began.elapsed() >= SILENT {
            is_told = true;
            // Its own words stand on the same terminal.
            let words = format!("reeltop: waiting for {named}, {patience:?} at most");
            let _ = writeln!(std::io::stderr(), "{}", visible(&words));
        }
    };
    if !status.success() {
        return Err(ConfigError(format!("{named} ended with {status}")));
    }
    let until = Instant::now() + DREGS;
    while !printed.has_line() && Instant::now() < until {
        printed.take(PAUSE).map_err(failed)?;
    }
    let text = String::from_utf8_lossy(&printed.text);
    Ok(text.lines().next().unwrap_or_default().into())
}

/// What a program prints, as it comes. The pipe may stay open for long after its end, as somebody
/// that it started holds it.
struct Printed {
    chunks: mpsc::Receiver<std::io::Result<Vec<u8>>>,
    text: Vec<u8>,
    is_whole: bool,
}

impl Printed {
    fn of(child: &mut Child) -> Self {
        let (to, chunks) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut stdout = stdout.take(MAX_PRINTED);
                let mut chunk = vec![0; 4096];
                loop {
                    let read = stdout.read(&mut chunk);
                    let is_over = !matches!(read, Ok(1..));
                    let read = read.map(|n| chunk[..n].to_vec());
                    if to.send(read).is_err() || is_over {
                        return;
                    }
                }
            });
        }
        Self {
            chunks,
            text: Vec::new(),
            is_whole: false,
        }
    }

    /// Takes what comes within so long.
    fn take(&mut self, pause: Duration) -> std::io::Result<()> {
        if self.is_whole {
            std::thread::sleep(pause);
            return Ok(());
        }
        match self.chunks.recv_timeout(pause) {
            Ok(chunk) => self.text.extend(chunk?),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => self.is_whole = true,
        }
        Ok(())
    }

    /// Whether its first line is there to the end.
    fn has_line(&self) -> bool {
        self.is_whole || self.text.contains(&b'\n')
    }
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
        assert!(
            why.starts_with("svix_token_command \"false\" ended"),
            "{why}"
        );
        let why = command(&["true"]).unwrap_err().to_string();
        let silent = "svix_token_command \"true\": it printed no key; ";
        assert!(why.starts_with(silent), "{why}");
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

    /// An agent that the program starts, say: it goes on, and what was printed is the key.
    #[cfg(unix)]
    #[test]
    fn what_a_program_started_does_not_hold_up_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let id = folder.path().join("id");
        for print in ["echo sk_6", "printf sk_6"] {
            let script = format!("sleep 60 & echo $! > {}; {print}", id.display());
            let words = ["sh".to_owned(), "-c".to_owned(), script];
            let key = run("key_command", &words, Duration::from_secs(50)).unwrap();
            assert_eq!(key.expose_secret(), "sk_6");
            let id = std::fs::read_to_string(&id).unwrap();
            let ended = Command::new("kill").arg(id.trim()).status().unwrap();
            assert!(ended.success(), "it went on");
        }
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
