//! `reeltop doctor`: looks at everything between this terminal and the service, part by part, and
//! says of each whether it is well and what to do if not. Changes nothing anywhere.

mod journal;
mod lists;
mod report;
mod second;
mod server;
mod stream;
mod svix;
mod terminal;

use std::fmt::Write as _;

use super::args::{DoctorArgs, SourceArgs};
use super::output::Outcome;
use super::source;
use crate::io::client::Client;
use crate::io::config::{Source, default_path};
use report::{Line, Report};

/// Examines the configuration, the server, the stream, the logs and the terminal. Exit codes: 0
/// with warnings at most, 1 when something failed, 2 for a configuration that cannot be read.
pub async fn run(args: DoctorArgs, from: SourceArgs) -> Outcome {
    let mut report = Report::new(args.json);
    report.say(&program())?;
    let (source, line) = configuration(&from);
    report.say(&line)?;
    if let Some(source) = source {
        match Client::new(&source) {
            Ok(client) => server::examine(&source, &client, args.wait, &mut report).await?,
            Err(failure) => report.say(&Line::failure("url", &failure))?,
        }
        report.say(&journal::examine(&source, &from))?;
        report.say(&terminal::examine())?;
        report.end()
    } else {
        report.say(&terminal::examine())?;
        report.end()?;
        Ok(2)
    }
}

fn program() -> Line {
    let (version, system) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    let machine = std::env::consts::ARCH;
    Line::ok("program", format!("reeltop {version}, {system} {machine}"))
}

/// The server to look at, and where its configuration was found.
fn configuration(args: &SourceArgs) -> (Option<Source>, Line) {
    const CHECK: &str = "configuration";
    let place = match args.config.clone().or_else(default_path) {
        Some(path) if path.exists() => path.display().to_string(),
        Some(path) => format!("no file at {}", path.display()),
        None => "no file".to_owned(),
    };
    match Source::configured(&source::flags(args)) {
        Ok(Some((source, notes))) => {
            let mut detail = format!("{place}; {}, key from {}", source.name, source.key_origin);
            if let Some(path) = &source.events_path {
                let _ = write!(detail, ", events_path {}", crate::io::config::shown(path));
            }
            if source.read_only {
                detail.push_str(", read-only");
            }
            let line = if notes.is_empty() {
                Line::ok(CHECK, detail)
            } else {
                let hint = "change what is set, or leave it if that is what you want";
                Line::warning(CHECK, format!("{detail}; {}", notes.join("; ")), hint)
            };
            (Some(source), line)
        }
        Ok(None) => {
            let detail = format!("{place}, and no server is configured");
            let hint = "set ASPECT_API_KEY for your own tasks, try it with reeltop demo, or write a first \
                        file with reeltop config init";
            (None, Line::failed(CHECK, detail, hint))
        }
        Err(error) => {
            let hint = "reeltop --help names what is taken from where";
            (None, Line::failed(CHECK, error.to_string(), hint))
        }
    }
}
