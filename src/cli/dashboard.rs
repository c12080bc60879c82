//! The dashboard: wiring, and nothing else.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{Local, Offset};

use super::args::{DemoArgs, SecretArgs, SourceArgs};
use super::listen::beside::Beside;
use super::output::{conclude, note, usage};
use super::secrets::usable;
use super::{demo, journal, source};
use crate::domain::time::micros;
use crate::io::client::Client;
use crate::io::config::{Source, secrets};
use crate::io::journal::Settings;
use crate::io::ledger::Ledger;
use crate::io::{Clock, intake, terminal};
use crate::runtime;
use crate::server::chaos::Choice;
use crate::view::theme::ThemeName;
use crate::wire::signature::doctor::Held;

/// `reeltop`: the dashboard of the configured server.
pub async fn run(args: SourceArgs, listen: Option<SocketAddr>) -> ExitCode {
    let source = match source::configured(&args) {
        Ok(source) => source,
        Err(stop) => return conclude(Err(stop)),
    };
    let mut receiver = None;
    if let Some(addr) = listen {
        let opened = async {
            let held = usable(&SecretArgs::default(), &args)?;
            Ok((Beside::open(addr).await?, held))
        };
        match opened.await {
            Ok(opened) => receiver = Some(opened),
            Err(stop) => return conclude(Err(stop)),
        }
    }
    // What is wrong with the command is said before that.
    if let Err(error) = terminal::check() {
        return end(Err(error.into()));
    }
    let journal = journal::settings(&source, &args);
    let ledger = journal::ledger(&source);
    end(open(source, &args, journal, ledger, receiver).await)
}

/// `reeltop demo`: the dashboard on the embedded server, as an ordinary client.
pub async fn demo(args: DemoArgs, given: SourceArgs) -> ExitCode {
    let chaos = match Choice::named(&args.chaos) {
        Ok(chaos) => chaos,
        Err(error) => return conclude(Err(usage("--chaos", error))),
    };
    let beside = match args.listen {
        Some(addr) => match Beside::open(addr).await {
            Ok(beside) => Some(beside),
            Err(stop) => return conclude(Err(stop)),
        },
        None => None,
    };
    if let Err(error) = terminal::check() {
        return end(Err(error.into()));
    }
    let url = beside.as_ref().map(|beside| beside.listening().url.clone());
    let stage = demo::stage(args.seed, args.rate, args.api_key, chaos, url).await;
    let stage = match stage {
        Ok(stage) => stage,
        Err(error) => return end(Err(error)),
    };
    let receiver = beside.map(|beside| (beside, stage.received_with()));
    let mut source = Source::demo(&stage.url(), stage.api_key().to_owned());
    source.read_only = given.read_only;
    let journal = journal::temporary(&source, &given);
    let result = open(source, &given, journal, Ledger::in_memory(), receiver).await;
    stage.stop().await;
    end(result)
}

fn end(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Opens the dashboard on a source, and has the receiver beside it work with its secrets.
async fn open(
    source: Source,
    args: &SourceArgs,
    journal: Option<Settings>,
    ledger: Ledger,
    receiver: Option<(Beside, Vec<Held>)>,
) -> anyhow::Result<()> {
    let settings = runtime::Settings {
        source_name: source.name.clone(),
        is_demo: source.is_demo,
        is_read_only: source.read_only,
        bounds: source.limits.bounds(),
        utc_offset_seconds: if args.utc { 0 } else { local_offset() },
        key_origin: source.key_origin.clone(),
        base_url: source.url.clone(),
        deliveries_from: source.deliveries_from(),
        is_svix_alone: source.is_svix_alone,
        longest_pause: micros(source.waits.max_retry_after),
        no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        is_ascii: !is_utf8(),
        theme: theme(&args.theme),
        secrets: secrets::folder(&source, args.config.as_deref()).filter(|_| !source.is_demo),
        listening: receiver
            .as_ref()
            .map(|(beside, _)| beside.listening().clone()),
    };
    #[cfg(debug_assertions)]
    panic_if_asked();
    let clock = Clock::new();
    // It reads, and changes nothing; without it `v` has the secrets of the start.
    let client = Client::new(&source).ok().filter(|_| receiver.is_some());
    let (hose, changes) = intake::open_recording(source, clock, journal, ledger);
    if let Some((beside, held)) = receiver {
        hose.beside(|teller| beside.run(held, client, teller));
    }
    runtime::run(hose, changes, clock, settings)
        .await
        .context("the dashboard ended")
}

/// A panic outside the loop, for the test of the terminal; a release cannot be asked for it.
#[cfg(debug_assertions)]
fn panic_if_asked() {
    if std::env::var_os("REELTOP_TEST_PANIC").is_some() {
        std::thread::spawn(|| {
            while !crate::io::terminal::is_entered() {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            panic!("asked for by a test");
        });
    }
}

fn theme(name: &str) -> ThemeName {
    match name {
        "light" => ThemeName::Light,
        "mono" => ThemeName::Mono,
        _ => ThemeName::Dark,
    }
}

fn local_offset() -> i32 {
    Local::now().offset().fix().local_minus_utc()
}

/// Whether the locale says UTF-8; the first of these that is set counts (POSIX).
pub fn is_utf8() -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        })
}
