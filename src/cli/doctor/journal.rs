//! The journal: whether there is one, how large it is, and whether it can be read.

use super::super::args::SourceArgs;
use super::super::journal::settings;
use super::report::Line;
use crate::io::config::Source;
use crate::io::journal::{File, Trouble, is_recorded, size};

const CHECK: &str = "journal";

/// Looks at the journal of this server without writing anything.
pub fn examine(source: &Source, args: &SourceArgs) -> Line {
    let Some(settings) = settings(source, args) else {
        return Line::ok(CHECK, "off");
    };
    let path = settings.file.display();
    let found = File::open_to_read(&settings.file).and_then(|file| match file {
        Some(file) => file.n_changes().map(Some),
        None => Ok(None),
    });
    match found {
        Ok(None) => Line::ok(CHECK, format!("none yet; it will be {path}")),
        Ok(Some(n)) => {
            let is_recorded = is_recorded(&settings.file);
            if !is_recorded && let Err(trouble) = File::check_writable(&settings.file) {
                return Line::warning(
                    CHECK,
                    format!("{path}, {n} changes; {trouble}"),
                    "the dashboard reads it and records nothing: see who may write it and its folder",
                );
            }
            let bytes = size(&settings.file);
            let used = if is_recorded {
                ", recorded by another reeltop now"
            } else {
                ""
            };
            Line::ok(CHECK, format!("{path}, {n} changes, {bytes} bytes{used}"))
        }
        Err(Trouble::Unusable(why)) => Line::warning(
            CHECK,
            format!("{path}: {why}"),
            "the dashboard goes on without it; --no-journal asks for that",
        ),
        Err(Trouble::Corrupt(why) | Trouble::Damaged(why)) => Line::warning(
            CHECK,
            format!("{path} is damaged: {why}"),
            "the dashboard sets it aside under another name and begins a new one",
        ),
    }
}
