//! The journal: whether there is one, how large it is, and whether it can be read.

use super::super::args::SourceArgs;
use super::super::journal::settings;
use super::report::Line;
use crate::io::config::Source;
use crate::io::journal::{File, Settings, Trouble, is_recorded, set_aside_before, size};

const CHECK: &str = "journal";

/// Looks at the journal of this server, and at what was set aside of it, without writing anything.
pub fn examine(source: &Source, args: &SourceArgs) -> Line {
    let Some(settings) = settings(source, args) else {
        return Line::ok(CHECK, "off");
    };
    let mut line = whole(&settings);
    let aside = set_aside_before(&settings.file);
    if !aside.is_empty() {
        line.warn(
            &format!("set aside as corrupt: {}", aside.join(", ")),
            "what was set aside is shown nowhere: delete it when it is of no use to you",
        );
    }
    line
}

/// Reads the whole file, as damage lies anywhere in it.
fn whole(settings: &Settings) -> Line {
    let path = settings.file.display();
    let found = File::open_to_read(&settings.file).and_then(|file| match file {
        Some(file) => Ok(Some((file.n_changes()?, file.check()?))),
        None => Ok(None),
    });
    match found {
        Ok(None) => Line::ok(CHECK, format!("none yet; it will be {path}")),
        Ok(Some((n, n_damaged))) => {
            let bytes = size(&settings.file);
            let mut line = Line::ok(CHECK, format!("{path}, {n} changes, {bytes} bytes"));
            if n_damaged > 0 {
                line.warn(
                    &format!("{n_damaged} of the changes are in blocks that cannot be read"),
                    "the dashboard passes over such blocks and says so",
                );
            }
            if is_recorded(&settings.file) {
                line.detail.push_str(", recorded by another reeltop now");
            } else if let Err(trouble) = File::check_writable(&settings.file) {
                line.warn(
                    &trouble.to_string(),
                    "the dashboard reads it and records nothing: see who may write it and its folder",
                );
            }
            line
        }
        Err(Trouble::Unusable(why)) => Line::warning(
            CHECK,
            format!("{path}: {why}"),
            why.advice().unwrap_or(
                "the dashboard goes on without it; move what is there away, or ask for that with \
                 --no-journal",
            ),
        ),
        Err(Trouble::Corrupt(why) | Trouble::Damaged(why)) => Line::warning(
            CHECK,
            format!("{path} is damaged: {}", why.replace('\n', ", ")),
            "the dashboard shows what of it can be read, sets it aside under another name and \
             begins a new one",
        ),
    }
}
