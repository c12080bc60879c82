//! `reeltop config`: what is configured, without secrets, and where the journal is.

use serde_json::json;

use super::args::{ConfigArgs, SourceArgs};
use super::journal;
use super::output::{Outcome, Output, Stop};
use super::source;
use crate::domain::visible;
use crate::io::config::{Source, default_path};
use crate::io::journal::{File, Settings, Trouble, is_recorded, size};

/// Prints where the configuration is, the server in force, and the journal; 0 even where none is
/// configured, as that is an answer too.
pub fn run(args: &ConfigArgs, from: &SourceArgs) -> Outcome {
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
        let is_there = if has_file { "" } else { " (not there)" };
        let mut fact =
            |name: &str, text: &str| out.styled(&format!("{name:<10} {}", visible(text)));
        fact("config", &format!("{file}{is_there}"))?;
        match &source {
            Some(source) => {
                fact("server", &of_source(source))?;
                fact("key from", &source.key_origin)?;
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
        "a reeltop records it now"
    } else {
        "nobody records it now"
    };
    let held = match n_changes(journal) {
        Ok(Some(n)) => format!("{} KiB, {n} changes", size(&journal.file).div_ceil(1024)),
        Ok(None) => "not there yet".to_owned(),
        Err(Trouble::Unusable(why)) => why.to_string(),
        Err(Trouble::Corrupt(why)) => format!("it is corrupt: {why}"),
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
