//! The dashboard: wiring, and nothing else.

use std::process::ExitCode;

use anyhow::Context;
use chrono::{Local, Offset};

use super::args::DemoArgs;
use super::demo;
use crate::io::clock::Clock;
use crate::io::config::Source;
use crate::io::intake;
use crate::runtime::{self, Settings};

/// `reeltop demo`: the dashboard on the embedded server, as an ordinary client.
pub async fn demo(args: DemoArgs, utc: bool) -> ExitCode {
    let stage = match demo::stage(args.seed, args.rate, None).await {
        Ok(stage) => stage,
        Err(error) => return fail(&error),
    };
    let source = Source::demo(&stage.url(), stage.api_key().to_owned());
    let result = open(source, utc).await;
    stage.stop().await;
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Opens the dashboard on a source.
pub async fn open(source: Source, utc: bool) -> anyhow::Result<()> {
    let settings = Settings {
        source_name: source.name.clone(),
        is_demo: source.is_demo,
        is_read_only: source.read_only,
        utc_offset_seconds: if utc { 0 } else { local_offset() },
        key_origin: source.key_origin.clone(),
        base_url: source.url.clone(),
        no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        is_ascii: !is_utf8(),
        ..Settings::default()
    };
    let clock = Clock::new();
    let (hose, changes) = intake::open(source, clock);
    runtime::run(hose, changes, clock, settings)
        .await
        .context("the dashboard ended")
}

fn local_offset() -> i32 {
    Local::now().offset().fix().local_minus_utc()
}

/// Whether the locale says UTF-8; the first of these that is set counts (POSIX).
fn is_utf8() -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        })
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("reeltop: {error:#}");
    ExitCode::FAILURE
}
