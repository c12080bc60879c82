//! The configuration file: TOML, unknown fields refused, errors with file and line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use super::{ConfigError, Keeping, LedgerKeeping, Limits, Waits};
use crate::io::log;

/// What the file may hold.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// The profile to use where none is named.
    pub profile: Option<String>,
    pub profiles: BTreeMap<String, Profile>,
    pub limits: Limits,
    pub waits: Waits,
    pub journal: Keeping,
    pub ledger: LedgerKeeping,
    pub log: log::Settings,
}

/// One server and how to get in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    pub url: Option<String>,
    pub key_env: Option<String>,
    pub key_file: Option<PathBuf>,
    pub key_command: Option<Vec<String>>,
    pub events_path: Option<String>,
    pub resend_path: Option<String>,
    pub read_only: bool,
    pub allow_http: bool,
    /// Certificates to trust beside those of this machine.
    pub ca_file: Option<PathBuf>,
    /// File with the secret that its webhooks are signed with, for the receiver's side.
    pub webhook_secret_file: Option<PathBuf>,
    /// The same in an environment variable.
    pub webhook_secret_env: Option<String>,
    /// The Svix server that delivers; guessed from the token if left out.
    pub svix_url: Option<String>,
    /// Id or uid of the application there.
    pub svix_app: Option<String>,
    pub svix_token_env: Option<String>,
    pub svix_token_file: Option<PathBuf>,
    pub svix_token_command: Option<Vec<String>>,
}

impl Profile {
    /// Whether it names a Svix server.
    pub fn has_svix(&self) -> bool {
        self.svix_url.is_some()
            || self.svix_app.is_some()
            || self.svix_token_env.is_some()
            || self.svix_token_file.is_some()
            || self.svix_token_command.is_some()
    }
}

impl File {
    /// Reads a file's text; `path` is for the error.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| {
                let before = text.get(..span.start).unwrap_or(text);
                before.bytes().filter(|byte| *byte == b'\n').count() + 1
            });
            let place = match line {
                Some(line) => format!("{}:{line}", path.display()),
                None => path.display().to_string(),
            };
            let key = error.span().and_then(|span| key_of(text, span.start));
            let key = key.map_or_else(String::new, |key| format!("{key}: "));
            let what = error.message().replace('\n', ", ");
            ConfigError(format!("{place}: {key}{what}"))
        })
    }

    /// Reads the file at `path`, or the platform's; a missing one is empty unless it was named.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = named.map(Path::to_owned).or_else(default_path) else {
            return Ok(Self::default());
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                Ok(Self::default())
            }
            Err(error) => Err(ConfigError(format!(
                "{}: cannot be read: {error}",
                path.display()
            ))),
        }
    }
}

/// The key whose value begins here; `None` where a key itself is wrong.
fn key_of(text: &str, at: usize) -> Option<&str> {
    let line = text.get(..at)?.rsplit('\n').next()?;
    Some(line.split_once('=')?.0.trim())
}

/// Writes the sample, with every setting explained and nothing changed, where no file is yet; for
/// its owner alone.
pub fn write_starter(path: &Path) -> std::io::Result<()> {
    use std::io::{Error, ErrorKind, Write};
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| match error.kind() {
            // Not to be taken for the file, which is not there.
            ErrorKind::AlreadyExists => Error::other(format!("{} is no folder", folder.display())),
            _ => error,
        })?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let sample = include_str!("../../../assets/config.toml");
    options.open(path)?.write_all(sample.as_bytes())
}

/// `reeltop/config.toml` in the platform's folder for configuration.
pub fn default_path() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let folders = etcetera::choose_base_strategy().ok()?;
    Some(folders.config_dir().join("reeltop").join("config.toml"))
}

/// Reads `250ms`, `30s`, `5m`, `2h`.
pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit.trim() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => {
            return Err(D::Error::custom(format!(
                "{text:?} is no time, try \"30s\" or \"250ms\""
            )));
        }
    };
    let number: f64 = number
        .parse()
        .map_err(|_| D::Error::custom(format!("{text:?} is no time, try \"30s\" or \"250ms\"")))?;
    let seconds = number * scale;
    if seconds > 86_400.0 {
        return Err(D::Error::custom(format!("{text:?} is longer than a day")));
    }
    Duration::try_from_secs_f64(seconds).map_err(D::Error::custom)
}

/// The same where no time at all would be of no use.
pub(super) fn wait<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let wait = duration(from)?;
    if wait.is_zero() {
        return Err(D::Error::custom("a wait of no time is of no use here"));
    }
    Ok(wait)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn the_sample_is_the_default() {
        let sample = include_str!("../../../assets/config.toml");
        let parsed = File::parse(sample, Path::new("config.toml")).unwrap();
        assert_eq!(parsed, File::default());
    }

    #[test]
    fn the_sample_shows_a_profile_that_can_be_used() {
        let sample = include_str!("../../../assets/config.toml");
        let lines: Vec<&str> = sample
            .lines()
            .skip_while(|line| !line.starts_with("# [profiles"))
            .map(|line| line.strip_prefix("# ").unwrap_or(line))
            .filter(|line| line.contains('=') || line.starts_with('['))
            .collect();
        let text = lines.join("\n");
        let parsed = File::parse(&text, Path::new("config.toml")).unwrap();
        assert!(parsed.profiles["prod"].allow_http);
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, line, word) in [
            (
                "[limits]\nevent_bytes = \"x\"",
                2,
                "event_bytes: invalid type",
            ),
            ("[limits]\n\nevent_byte = 1", 3, ": unknown field"),
            (
                "[limits]\nevent_bytes = 0",
                2,
                "event_bytes: 0 is not from 16 to",
            ),
            ("[limits]\njson_depth = 128", 2, "not from 8 to 127"),
            ("[limits]\n\ntasks = -1", 3, "not from 16 to"),
            ("[limits]\nline_bytes = 99999999999", 2, "not from 16 to"),
            ("\n[waits]\nidle = \"soon\"", 3, "no time"),
            ("[waits]\nstale = \"0s\"", 2, "of no use"),
            ("profile = ", 1, ""),
        ] {
            let error = File::parse(text, Path::new("/x/config.toml"))
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with(&format!("/x/config.toml:{line}: ")),
                "{error}"
            );
            assert!(error.contains(word), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
