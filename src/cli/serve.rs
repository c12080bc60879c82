//! `reeltop serve`: the embedded server alone, without a screen.

mod svix;

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::args::{ServeArgs, SourceArgs};
use super::output::{Stop as CannotStart, conclude, note, usage};
use super::signals::Signals;
use crate::domain::{Failure, plural};
use crate::io::client::Client;
use crate::io::config::handing_over;
use crate::io::publisher::line::Tally;
use crate::server::chaos::Choice;
use crate::server::port::Delivery;
use crate::server::{self, Options, Running};

/// How long the end waits for events that are not published yet.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs the server until SIGINT or SIGTERM. Exit codes: 0 then, 130 or 143 before it served, 1 when
/// it cannot listen, 2 for a rate or scale that is no use.
pub async fn run(args: ServeArgs, from: SourceArgs) -> ExitCode {
    let chaos = match Choice::named(&args.chaos) {
        Ok(chaos) => chaos,
        Err(error) => return fail(2, &format!("--chaos: {error}")),
    };
    // Each run has ids of its own unless told otherwise: a client that remembers the run before
    // would take a task of this one for that of the other.
    let seed = args.seed.unwrap_or_else(|| fastrand::u32(..).into());
    let told = Told {
        seed,
        as_json: args.json,
        key_given: args.api_key.is_some(),
    };
    let is_as_svix = args.as_svix.is_some();
    let options = Options {
        addr: args.addr,
        api_key: args.api_key,
        seed,
        tasks_per_minute: args.simulate,
        time_scale: args.time_scale,
        most_tasks: args.max_tasks as usize,
        most_messages: args.max_messages as usize,
        chaos,
        svix_app: args.as_svix,
        is_svix_cloud: true,
        ..Options::default()
    };
    // Before anything is printed, so that a signal right after the line is not missed.
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return fail(1, &format!("cannot listen for signals: {error}")),
    };
    let begun = tokio::select! {
        begun = handed_over(&from, is_as_svix) => begun,
        code = signals.wait() => {
            note("stopped before Svix answered; nothing was served");
            return ExitCode::from(code);
        }
    };
    let delivery = match begun {
        Ok(delivery) => delivery,
        Err(stop) => return conclude(Err(stop)),
    };
    let taken = delivery
        .clone()
        .map(|delivery| delivery as Arc<dyn Delivery>);
    let running = match server::start_handing_over(options, taken).await {
        Ok(running) => running,
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            return fail(2, &format!("{error} (--time-scale, --simulate)"));
        }
        Err(error) => return fail(1, &unbound(args.addr, &error)),
    };
    // A closed pipe is no reason to end: whoever started us may only have read the first line.
    let _ = announce(&mut io::stdout().lock(), &running, &told);
    signals.wait().await;
    running.stop().await;
    if let Some(delivery) = delivery {
        let (tally, why) = tokio::select! {
            left = delivery.drain(DRAIN) => left,
            // Asked a second time, it ends at once.
            _ = signals.wait() => delivery.drain(Duration::ZERO).await,
        };
        say_unpublished(tally, why.as_ref());
    }
    ExitCode::SUCCESS
}

/// Says what was not handed over, if anything was not.
fn say_unpublished(tally: Tally, why: Option<&Failure>) {
    if tally.waiting > 0 {
        let mut text = format!(
            "{} not published: Svix did not take them in time, and the end drops them",
            plural(tally.waiting, "event was", "events were")
        );
        if tally.on_their_way > 0 {
            let n = tally.on_their_way;
            let _ = write!(text, " ({n} on the way, which Svix may have taken)");
        }
        if let Some(why) = why.filter(|_| tally.failing > 0) {
            let n = tally.failing;
            let _ = write!(text, "; {n} failed before, the last for this: {why}");
        }
        note(&text);
    }
    let Tally {
        refused,
        given_up,
        beyond,
        ..
    } = tally;
    let dropped = refused + given_up + beyond;
    if dropped > 0 {
        note(&format!(
            "{} dropped before: {refused} that Svix refused, {given_up} given up after many tries, {beyond} for which there was no room",
            plural(dropped, "event was", "events were")
        ));
    }
}

/// Whoever delivers instead of the embedded engine: the Svix server that the flags name.
async fn handed_over(
    from: &SourceArgs,
    is_as_svix: bool,
) -> Result<Option<Arc<svix::SvixDelivery>>, CannotStart> {
    let flags = super::source::flags(from);
    let named = handing_over(&flags).map_err(|error| CannotStart::Usage(error.to_string()))?;
    let Some((source, notes)) = named else {
        return Ok(None);
    };
    if is_as_svix {
        let why = "the embedded engine answers so, and --svix-url, --svix-app or --svix-token-env \
                   hands delivery to another server: leave one of them out";
        return Err(usage("--as-svix", why));
    }
    for text in &notes {
        note(text);
    }
    let Some(svix) = Client::new(&source)?.svix else {
        return Ok(None);
    };
    Ok(Some(Arc::new(svix::SvixDelivery::start(svix).await?)))
}

/// Why an address cannot be listened on, and what to do.
pub fn unbound(addr: std::net::SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{addr} is in use: stop what listens there, or take --addr 127.0.0.1:0")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{addr} is no address of this machine: take one that is, such as 127.0.0.1:0")
        }
        io::ErrorKind::PermissionDenied => {
            format!("not allowed to listen on {addr}: take a port above 1023")
        }
        _ => format!("cannot listen on {addr}: {error}"),
    }
}

fn fail(code: u8, text: &str) -> ExitCode {
    eprintln!("reeltop: {text}");
    ExitCode::from(code)
}

/// What is said of a server beside where it is.
struct Told {
    seed: u64,
    as_json: bool,
    key_given: bool,
}

/// Says where the server is and how to get in. A key that was given is not repeated to people.
fn announce(out: &mut impl Write, running: &Running, told: &Told) -> io::Result<()> {
    let (url, key) = (running.url(), running.api_key());
    if told.as_json {
        let line = json!({"url": url, "api_key": key, "seed": told.seed});
        writeln!(out, "{line}")?;
        return out.flush();
    }
    writeln!(out, "listening on {url}")?;
    writeln!(
        out,
        "seed:      {} (--seed makes the same ids again)",
        told.seed
    )?;
    if told.key_given {
        writeln!(out, "watch it:  ASPECT_API_KEY=… reeltop --url {url}")?;
    } else {
        writeln!(out, "API key:   {key}")?;
        writeln!(out, "watch it:  ASPECT_API_KEY={key} reeltop --url {url}")?;
    }
    out.flush()
}
