//! `reeltop config`: where the configuration and the journal are; `init` writes a first file.

use std::io::ErrorKind;

use super::args::{ConfigArgs, ConfigCommand, SourceArgs};
use super::output::{Outcome, Output, Stop, note};
use super::{journal, source};
use crate::domain::visible;
use crate::io::config::{Source, default_path, write_starter};
use crate::io::journal::size;

/// Prints where things are, or writes the starter file.
pub fn run(args: &ConfigArgs, from: &SourceArgs) -> Outcome {
    match args.command {
        Some(ConfigCommand::Init) => init(from),
        Some(ConfigCommand::Show) | None => show(from),
    }
}

fn show(from: &SourceArgs) -> Outcome {
    let mut out = Output::new();
    let path = from.config.clone().or_else(default_path);
    let file = match &path {
        Some(path) if path.exists() => path.display().to_string(),
        Some(path) => format!("{} (not there; reeltop config init)", path.display()),
        None => "this system has no place for it".to_owned(),
    };
    out.styled(&format!("configuration  {}", visible(&file)))?;
    let source = Source::configured(&source::flags(from));
    let source = source.map_err(|error| Stop::Usage(error.to_string()))?;
    if let Some((source, _)) = source {
        let server = format!("{}, key from {}", source.url, source.key_origin);
        out.styled(&format!("server         {}", visible(&server)))?;
        let kept = match journal::settings(&source, from) {
            Some(settings) => {
                let bytes = size(&settings.file);
                format!("{}, {bytes} bytes", settings.file.display())
            }
            None => "off".to_owned(),
        };
        out.styled(&format!("journal        {}", visible(&kept)))?;
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
