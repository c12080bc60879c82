//! The log file: what the program did, safe to attach to a bug report. Off unless asked for, never
//! on stdout or stderr.
//!
//! Whatever is written, the key, the secrets of URLs and everything that would act on a terminal
//! are taken out where the line meets the file, so that no caller can forget it. No payload, no
//! header and no answer of a receiver is logged by anyone.

mod rotating;

use std::io::{self, Write};
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tracing::level_filters::LevelFilter;
use tracing::{error, info, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use crate::domain::{ChangeKind, LinkState, Stage, masked_urls, visible, without};
use rotating::Rotating;

/// Bytes of the file until it is set aside and a new one begun…
const MAX_BYTES: u64 = 5 << 20;
/// … and how many are kept, the one being written included.
const MAX_FILES: usize = 3;

/// What may never be written.
static SECRETS: Mutex<Vec<SecretString>> = Mutex::new(Vec::new());

/// The log as the configuration file has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub file: Option<PathBuf>,
    pub level: Level,
}

/// How much is logged; each level holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Panics.
    Error,
    /// What went wrong.
    Warn,
    /// What was done: requests, states of the link, comparisons.
    #[default]
    Info,
}

impl Level {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
        }
    }
}

/// Begins to log into the file, which only its owner can read; the rest of the program's life. A
/// panic in any thread is logged too. Fails where the file cannot be written.
pub fn open(path: &Path, level: Level) -> io::Result<()> {
    let file = Rotating::open(path, MAX_BYTES, MAX_FILES)?;
    let lines = fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_writer(Mutex::new(Clean(file)));
    let ours = Targets::new().with_target("reeltop", level.filter());
    registry()
        .with(ours)
        .with(lines)
        .try_init()
        .map_err(io::Error::other)?;
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let thread = std::thread::current();
        error!(thread = thread.name(), "panic: {info}");
        previous(info);
    }));
    Ok(())
}

/// Takes care that this is never written.
pub fn conceal(secret: &SecretString) {
    let mut secrets = secrets();
    let is_known = |known: &SecretString| known.expose_secret() == secret.expose_secret();
    if !secret.expose_secret().is_empty() && !secrets.iter().any(is_known) {
        secrets.push(secret.clone());
    }
}

fn secrets() -> MutexGuard<'static, Vec<SecretString>> {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Logs a change, if it is one about the program itself or its link; tasks and messages are not.
pub fn change(kind: &ChangeKind) {
    match kind {
        ChangeKind::Link(state) => link(state),
        ChangeKind::Proof(proof) => info!("comparison: {}", proof.words()),
        ChangeKind::Abilities(abilities) => info!(
            stream = ?abilities.stream,
            resend = ?abilities.resend,
            endpoints = ?abilities.endpoint_list,
            messages = ?abilities.messages,
            attempts = ?abilities.attempts,
            offers = ?abilities.offers,
            "abilities"
        ),
        ChangeKind::Polled(Some(failure)) => warn!("poll failed: {failure}"),
        ChangeKind::Unreadable(what) => {
            warn!(
                "unreadable in {}: {} ({})",
                what.place, what.why, what.count
            );
        }
        ChangeKind::NewWord(seen) => info!("new {:?}: {:?}", seen.kind, seen.word),
        ChangeKind::Replay(step) => {
            let (message, endpoint) = (&step.message, &step.endpoint);
            let stage = match &step.stage {
                Stage::Planned => "planned".to_owned(),
                Stage::Sending { .. } => "sending".to_owned(),
                Stage::Looking => "looking".to_owned(),
                Stage::Accepted => "accepted".to_owned(),
                Stage::Answered(reply) => reply.words(),
                Stage::Blurred => "not all attempts could be read".to_owned(),
                Stage::Looked => "looked".to_owned(),
                Stage::Refused(failure) => format!("refused: {failure}"),
                Stage::Unknown(why) => format!("unknown: {why}"),
                Stage::Cancelled(why) => format!("cancelled: {why}"),
            };
            info!(%message, %endpoint, "replay {}: {stage}", step.replay);
        }
        _ => {}
    }
}

fn link(state: &LinkState) {
    let name = state.name();
    match state {
        LinkState::Retrying { tries, why, .. } => warn!("link: {name} (try {tries}): {why}"),
        LinkState::Polling { why } | LinkState::Stopped { why } => warn!("link: {name}: {why}"),
        _ => info!("link: {name}"),
    }
}

/// Takes out of each line what may not be in it. The layer above writes a line at a time.
struct Clean<W>(W);

impl<W: Write> Write for Clean<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut text = String::from_utf8_lossy(line).trim_end().to_owned();
        for secret in secrets().iter() {
            text = without(&text, secret.expose_secret()).into_owned();
        }
        let text = visible(&masked_urls(&text)).into_owned();
        self.0.write_all(format!("{text}\n").as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_line_is_one_line_without_secrets() {
        conceal(&"sk_planted_in_a_line".into());
        let mut clean = Clean(Vec::new());
        let line = "a \u{1b}[31m\nsk_planted_in_a_line https://ann:pw@x.example/a?key=1 \u{202e}\n";
        clean.write_all(line.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(clean.0).unwrap(),
            "a ␛[31m␊*** https://***@x.example/a?key=*** \\u{202e}\n"
        );
    }
}
