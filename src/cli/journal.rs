//! Which journal a command works with: that of the configured server, or none.

use std::path::Path;

use super::args::SourceArgs;
use super::output::Stop;
use crate::domain::{Failure, FailureKind};
use crate::io::config::{LedgerKeeping, Source};
use crate::io::journal::{Settings, Trouble, default_folder, file_name, temporary};
use crate::io::ledger::{Ledger, Service};

const NO_FOLDER: &str = "this system names no folder for it, set XDG_STATE_HOME or HOME";

/// The journal of a source; `None` if it is switched off, or this system has no place for it.
pub fn settings(source: &Source, args: &SourceArgs) -> Option<Settings> {
    if args.no_journal || !source.keeping.enabled {
        return None;
    }
    Some(in_folder(&default_folder()?, source))
}

/// The demo's: in a folder of its own, which is removed at the end, or by the next demo where this
/// one is killed. Nobody else knows its server, so
/// its ledger ends with it.
pub fn temporary(source: &Source, args: &SourceArgs) -> Option<Settings> {
    if args.no_journal {
        return None;
    }
    temporary::remove_left();
    let folder = temporary::folder();
    Some(Settings {
        temporary: Some(folder.clone()),
        ..in_folder(&folder, source)
    })
}

/// The ledger, for what is posted from here: that of the configured source, if there is one.
pub fn local_ledger(args: &SourceArgs) -> Ledger {
    if let Ok(source) = super::source::configured(args) {
        return ledger(&source);
    }
    match default_folder() {
        Some(folder) => Ledger::in_folder(&folder, Service::default(), LedgerKeeping::default()),
        None => Ledger::nowhere(NO_FOLDER),
    }
}

/// The ledger, for the replays of a source. Without the journal
/// it is there all the same: at most once is no option.
pub fn ledger(source: &Source) -> Ledger {
    match default_folder() {
        Some(folder) => {
            let service = match &source.svix {
                Some(svix) => Service::new(&svix.url, &svix.app),
                None => Service::new(&source.url, ""),
            };
            Ledger::in_folder(&folder, service, source.ledger)
        }
        None => Ledger::nowhere(NO_FOLDER),
    }
}

fn in_folder(folder: &Path, source: &Source) -> Settings {
    let name = file_name(&source.name, &source.url);
    Settings {
        max_age: source.keeping.max_age,
        max_bytes: source.keeping.max_bytes,
        bounds: source.limits.bounds(),
        secrets: source.secrets(),
        ..Settings::new(folder.join(name))
    }
}

/// The journal of a source, for a command that is about it.
pub fn required(source: &Source, args: &SourceArgs) -> Result<Settings, Stop> {
    settings(source, args).ok_or_else(|| {
        Stop::Usage(
            "the journal is switched off (--no-journal, or enabled = false in the configuration)"
                .to_owned(),
        )
    })
}

/// Why a file that is not there cannot be read.
pub fn none_yet(file: &Path) -> Stop {
    let what = format!(
        "there is no journal of this server yet ({})",
        file.display()
    );
    let hint = "the dashboard writes it while it is open";
    Failure::new(FailureKind::Local, what, hint).into()
}

/// Why a file cannot be read.
pub fn stop(file: &Path, trouble: &Trouble) -> Stop {
    let what = format!("the journal {} cannot be read: {trouble}", file.display());
    let hint = match trouble {
        Trouble::Unusable(why) => why.advice(),
        Trouble::Corrupt(_) | Trouble::Damaged(_) => None,
    };
    let hint = hint.unwrap_or_default();
    Failure::new(FailureKind::Local, what, hint).into()
}
