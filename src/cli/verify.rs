//! `reeltop verify`: the signature doctor, on a request that was saved.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::{Value, json};

use super::args::{SourceArgs, VerifyArgs};
use super::output::{Outcome, Output, Stop, usage};
use super::secrets;
use crate::domain::Time;
use crate::domain::time::SECOND;
use crate::io::Clock;
use crate::wire::saved::Saved;
use crate::wire::signature::doctor::{Diagnosis, Held, Holder, Request, diagnose};

/// A saved request beyond this is not read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Among more requests than this none is searched for the one byte that was altered, which takes up to
/// a second each.
const MAX_SEARCHED: usize = 20;

/// Says of each request whether it verifies, and why not. 0 if all do, 1 if one does not.
pub fn run(args: &VerifyArgs, source: &SourceArgs) -> Outcome {
    let mut held = secrets::receivers(&args.secrets, source)?;
    for (option, paths, holder) in [
        ("--old-secret-file", &args.old_secret_file, Holder::Earlier),
        (
            "--other-secret-file",
            &args.other_secret_file,
            Holder::Other,
        ),
    ] {
        for path in paths {
            held.push(secrets::from_file(option, path, holder)?);
        }
    }
    let saved = secrets::saved(source, &held);
    held.extend(saved);
    let requests = requests(args)?;
    let now = match &args.at {
        Some(text) => moment(text)?,
        None => Clock::new().now().wall,
    };
    let now = (!args.ignore_time).then_some(now);
    let mut out = Output::new();
    let mut all_verified = true;
    for saved in &requests {
        let found = if requests.len() <= MAX_SEARCHED {
            whole_diagnosis(saved, &held, now)
        } else {
            diagnosis(saved, &held, now)
        };
        all_verified &= found.is_verified();
        if args.json {
            let line = line(saved, &found, now.is_none());
            out.line(&line.to_string())?;
        } else {
            say(&mut out, saved, &found, now.is_none(), requests.len() > 1)?;
        }
    }
    out.flush()?;
    Ok(u8::from(!all_verified))
}

/// What the doctor finds out about a request, at a time or whatever its age.
pub fn diagnosis(saved: &Saved, secrets: &[Held], now: Option<Time>) -> Diagnosis {
    let now = now.map(|now| now.0.div_euclid(SECOND));
    diagnose(&signed(saved), secrets, now)
}

/// The same for somebody who asks about this one: it is searched for the one byte that was altered
/// too, which takes up to a second.
pub fn whole_diagnosis(saved: &Saved, secrets: &[Held], now: Option<Time>) -> Diagnosis {
    let mut found = diagnosis(saved, secrets, now);
    found.look_for_byte(&signed(saved), secrets);
    found
}

fn signed(saved: &Saved) -> Request<'_> {
    Request {
        headers: saved.signature(),
        body: &saved.body,
        declared: saved.declared(),
    }
}

/// Reads RFC 3339, or unix seconds.
fn moment(text: &str) -> Result<Time, Stop> {
    let seconds = text.parse().ok().and_then(|s: i64| s.checked_mul(SECOND));
    seconds
        .map(Time)
        .or_else(|| Time::parse(text))
        .ok_or_else(|| {
            usage(
                "--at",
                format!("{text:?} is no time, write 2026-11-22T14:02:37Z or unix seconds"),
            )
        })
}

fn requests(args: &VerifyArgs) -> Result<Vec<Saved>, Stop> {
    let name = args.file.display().to_string();
    let bytes = read(&args.file).map_err(|error| Stop::Usage(format!("{name}: {error}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Stop::Usage(format!("{name} is larger than 64 MiB")));
    }
    let mut headers = Vec::new();
    for header in &args.header {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| usage("--header", "write it as 'name: value'"))?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    for (name, value) in [
        ("svix-id", &args.id),
        ("svix-timestamp", &args.timestamp),
        ("svix-signature", &args.signature),
    ] {
        headers.extend(value.as_ref().map(|value| (name.to_owned(), value.clone())));
    }
    if headers.is_empty() {
        return Saved::read_all(&bytes).map_err(|why| {
            Stop::Usage(format!(
                "{name} is no saved request: {why}; if it is the body alone, give --header, or \
                 --id, --timestamp and --signature"
            ))
        });
    }
    Ok(vec![Saved {
        headers,
        body: bytes,
        ..Saved::default()
    }])
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn line(saved: &Saved, found: &Diagnosis, ignored_time: bool) -> Value {
    let (secret, version) = found.by.clone().unzip();
    let sent = saved
        .signature()
        .timestamp
        .and_then(|text| text.parse().ok());
    let sent = sent.map(|seconds: i64| Time(seconds.saturating_mul(SECOND)).rfc3339());
    json!({
        "verified": found.is_verified(),
        "cause": found.cause.as_ref().map(|_| found.name()),
        "reason": found.words(),
        "advice": found.advice(),
        "secret": secret,
        "version": version,
        "message_id": saved.signature().id,
        "timestamp": sent,
        "age_s": found.age_s,
        "ignored_time": ignored_time,
        "breaks_if_parsed": found.breaks_if_parsed,
    })
}

fn say(
    out: &mut Output,
    saved: &Saved,
    found: &Diagnosis,
    ignored_time: bool,
    is_one_of_many: bool,
) -> io::Result<()> {
    let verdict = if found.is_verified() {
        "verified"
    } else {
        "not verified"
    };
    let of = match saved.signature().id {
        Some(id) if is_one_of_many => format!("{id}: "),
        _ => String::new(),
    };
    let age = if found.is_verified() && ignored_time {
        "; its age was not checked"
    } else {
        ""
    };
    out.line(&format!("{of}{verdict}: {}{age}", found.words()))?;
    let advice = found.advice();
    if !advice.is_empty() {
        out.line(&format!("  {advice}"))?;
    }
    Ok(())
}
