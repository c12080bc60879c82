//! Which journal a command works with: that of the configured server, or none.

use std::path::Path;

use super::args::SourceArgs;
use crate::io::config::Source;
use crate::io::journal::{Settings, default_folder, file_name};

/// The journal of a source; `None` if it is switched off, or this system has no place for it.
pub fn settings(source: &Source, args: &SourceArgs) -> Option<Settings> {
    if args.no_journal || !source.keeping.enabled {
        return None;
    }
    Some(in_folder(&default_folder()?, source))
}

/// The demo's: in a folder of its own, which is removed at the end.
pub fn temporary(source: &Source, args: &SourceArgs) -> Option<Settings> {
    if args.no_journal {
        return None;
    }
    let folder = std::env::temp_dir().join(format!("reeltop-demo-{}", uuid::Uuid::new_v4()));
    Some(Settings {
        temporary: Some(folder.clone()),
        ..in_folder(&folder, source)
    })
}

fn in_folder(folder: &Path, source: &Source) -> Settings {
    let name = file_name(&source.name, &source.url);
    Settings {
        max_age: source.keeping.max_age,
        max_bytes: source.keeping.max_bytes,
        bounds: source.limits.bounds(),
        secrets: source.key.iter().cloned().collect(),
        ..Settings::new(folder.join(name))
    }
}
