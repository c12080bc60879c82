//! `reeltop config`: what is configured, without secrets, and where the journal is; `init` writes a
//! first file.

use std::io::ErrorKind;

use serde_json::json;

use super::args::{ConfigArgs, ConfigCommand, SourceArgs};
use super::journal;
use super::output::{Outcome, Output, Stop, note};
use super::source;
use crate::domain::visible;
use crate::io::config::{Source, default_path, write_starter};
use crate::io::journal::{File, Settings, Trouble, is_recorded, size};

/// Prints where things are, or writes the starter file.
pub fn run(args: &ConfigArgs, from: &SourceArgs) -> Outcome {
    match args.command {
        Some(ConfigCommand::Init) => init(from),
        None => show(args, from),
    }
}

/// Prints where the configuration is, the server in force, and the journal; 0 even where none is
/// configured, as that is an answer too.
fn show(args: &ConfigArgs, from: &SourceArgs) -> Outcome {
    let path = from.config.clone().or_else(default_path);
    let file = path
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let has_file = !file.is_empty() && std::path::Path::new(&file).exists();
    let source = match source::configured(from) {
        Ok(source) => Some(source),
        Err(Stop::Usage(why)) if why == source::nothing_configured() => None,
        Err(stop) => return Err(stop),
    };
    let journal = source
        .as_ref()
        .and_then(|source| journal::settings(source, from));
    let mut out = Output::new();
    if args.json {
        let line = json!({
            "config_file": file,
            "config_file_exists": has_file,
            "source": source.as_ref().map(|source| json!({
                "name": source.name,
                "url": crate::io::config::shown(&source.url),
                "key_from": source.key_origin,
                "read_only": source.read_only,
                "svix": source.svix.as_ref().map(|svix| json!({
                    "url": crate::io::config::shown(&svix.url),
                    "app": svix.app,
                    "token_from": svix.token_origin,
                })),
            })),
            "journal": journal.as_ref().map(|journal| json!({
                "file": journal.file.display().to_string(),
                "bytes": size(&journal.file),
                "changes": n_changes(journal).ok().flatten(),
                "is_recorded_now": is_recorded(&journal.file),
                "max_age_seconds": journal.max_age.as_secs(),
                "max_bytes": journal.max_bytes,
            })),
        });
        out.line(&line.to_string())?;
    } else {
        let is_there = if has_file {
            ""
        } else {
            " (not there; reeltop config init writes one)"
        };
        let mut fact =
            |name: &str, text: &str| out.styled(&format!("{name:<10} {}", visible(text)));
        fact("config", &format!("{file}{is_there}"))?;
        match &source {
            Some(source) => {
                fact("server", &of_source(source))?;
                fact("key from", &source.key_origin)?;
                if let Some(place) = source.deliveries_from() {
                    fact("deliveries", &place)?;
                }
            }
            None => fact("server", "none is configured; try: reeltop demo")?,
        }
        match &journal {
            Some(journal) => {
                fact("journal", &journal.file.display().to_string())?;
                fact("", &of_journal(journal))?;
            }
            None if source.is_some() => fact("journal", "switched off")?,
            None => {}
        }
    }
    out.flush()?;
    Ok(0)
}

fn init(from: &SourceArgs) -> Outcome {
    let Some(path) = from.config.clone().or_else(default_path) else {
        let what = "this system has no place for a configuration; name a file with --config";
        return Err(Stop::Usage(what.to_owned()));
    };
    let name = path.display();
    match write_starter(&path) {
        Ok(()) => {
            let mut out = Output::new();
            out.line(&path.display().to_string())?;
            out.flush()?;
            note("written. Uncomment a profile in it, then look: reeltop doctor --profile prod");
            Ok(0)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            note(&format!("{name} is there already, and is left as it is"));
            Ok(1)
        }
        Err(error) => {
            note(&format!("{name} cannot be written: {error}"));
            Ok(1)
        }
    }
}

fn of_source(source: &Source) -> String {
    let url = crate::io::config::shown(&source.url);
    let badge = if source.read_only { ", read-only" } else { "" };
    if url.contains(&source.name) {
        format!("{url}{badge}")
    } else {
        format!("{} at {url}{badge}", source.name)
    }
}

fn of_journal(journal: &Settings) -> String {
    let who = if is_recorded(&journal.file) {
        "a reeltop that runs now is its recorder"
    } else {
        "no reeltop records it now"
    };
    let held = match n_changes(journal) {
        Ok(Some(n)) => format!("{} KiB, {n} changes", size(&journal.file).div_ceil(1024)),
        Ok(None) => "not there yet".to_owned(),
        Err(Trouble::Unusable(why)) => why.to_string(),
        Err(Trouble::Corrupt(why) | Trouble::Damaged(why)) => format!("it is corrupt: {why}"),
    };
    let days = journal.max_age.as_secs() as f64 / 86_400.0;
    let most = journal.max_bytes >> 20;
    format!("{held}; {who}; keeps {days} days and {most} MiB at most")
}

/// Changes that the file holds; `None` if there is no file.
fn n_changes(journal: &Settings) -> Result<Option<u64>, Trouble> {
    match File::open_to_read(&journal.file)? {
        Some(file) => file.n_changes().map(Some),
        None => Ok(None),
    }
}
