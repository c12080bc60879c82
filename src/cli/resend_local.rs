//! `reeltop replay MESSAGE… --to URL`: messages posted to a receiver of one's own, signed anew.
//!
//! The service knows nothing of it. The body is the one that was delivered where `listen` saved it,
//! else what the API gives for it, which may be other bytes and is labelled so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use reqwest::Url;
use serde_json::json;

use super::args::{ReplayArgs, SourceArgs};
use super::output::{Outcome, Output, Stop, note, usage};
use super::reading::find_messages;
use super::send::{millis, signed_headers};
use super::{hosts, secrets, source};
use crate::domain::time::SECOND;
use crate::domain::{Failure, FailureKind, Payload, Time, masked_url};
use crate::io::Clock;
use crate::io::config::is_read_only;
use crate::io::post::{Answer, Outgoing, Poster};
use crate::wire::saved::Saved;
use crate::wire::signature::key::Key;

/// A saved request beyond this is not read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Files looked at in a folder of saved requests.
const MAX_FILES: usize = 20_000;

/// A message to be posted.
struct Held {
    id: String,
    /// When it was delivered or accepted; the oldest goes first.
    at: Time,
    body: Bytes,
    /// The file that its body was captured in; `None` if it was made of the API's payload.
    captured: Option<String>,
}

impl Held {
    fn label(&self) -> &'static str {
        match self.captured {
            Some(_) => "captured",
            None => "rebuilt",
        }
    }

    fn words(&self) -> String {
        match &self.captured {
            Some(file) => format!("the body as captured in {file}"),
            None => {
                "the body rebuilt from the API's payload, perhaps other bytes than those delivered"
                    .to_owned()
            }
        }
    }
}

/// Posts each message once. 0 if all were taken, 1 if not, 2 if another host was not confirmed, 3 if it is not known of one.
pub async fn run(args: ReplayArgs, from: SourceArgs) -> Outcome {
    let to = args.to.as_deref();
    let to = to.ok_or_else(|| usage("--to", "name the URL to post to: the secret is for that"))?;
    let url = hosts::receiver("--to", to)?;
    let key = secrets::signer(&args.secrets, &from)?;
    let is_read_only = is_read_only(&source::flags(&from));
    let is_read_only = is_read_only.map_err(|error| Stop::Usage(error.to_string()))?;
    let held = gather(&args, &from).await?;
    let mut out = Output::new();
    if args.dry_run {
        for message in &held {
            say(&mut out, &args, message, &url, None)?;
        }
        out.flush()?;
        return Ok(0);
    }
    if !hosts::confirmed(&url, args.yes).await? {
        return Ok(2);
    }
    let poster = Poster::new(is_read_only, args.wait);
    let (mut all_taken, mut is_unknown) = (true, false);
    for message in &held {
        let answer = post(&poster, &url, &key, message).await;
        all_taken &= answer.as_ref().is_ok_and(Answer::is_success);
        let is_broken = |failure: &Failure| failure.kind == FailureKind::Broken;
        is_unknown |= answer.as_ref().is_err_and(is_broken);
        say(&mut out, &args, message, &url, Some(&answer))?;
        out.flush()?;
        // Nobody is there, or nothing may be sent: that is the same for the rest.
        if let Err(failure) = answer
            && matches!(failure.kind, FailureKind::Unreachable | FailureKind::Local)
        {
            return Err(failure.into());
        }
    }
    Ok(if is_unknown { 3 } else { u8::from(!all_taken) })
}

async fn post(poster: &Poster, url: &Url, key: &Key, message: &Held) -> Result<Answer, Failure> {
    let now = Clock::new().now().wall;
    let out = Outgoing {
        url: url.clone(),
        headers: signed_headers(key, &message.id, now, &message.body),
        body: message.body.clone(),
        pause: None,
    };
    poster.send(out).await
}

/// The messages asked for, each once, oldest first.
async fn gather(args: &ReplayArgs, from: &SourceArgs) -> Result<Vec<Held>, Stop> {
    let mut wanted: Vec<String> = Vec::new();
    for id in &args.messages {
        if !wanted.contains(id) {
            wanted.push(id.clone());
        }
    }
    let mut held = match &args.captured {
        Some(path) => captured(path, &wanted)
            .map_err(|error| usage("--captured", format!("{}: {error}", path.display())))?,
        None => Vec::new(),
    };
    wanted.retain(|id| held.iter().all(|message| message.id != *id));
    if !wanted.is_empty() {
        let (_, client) = source::client(from)?;
        for row in find_messages(&client, &wanted).await? {
            let message = row.value.message;
            let id = message.id.to_string();
            let Payload::Json(text) = &message.payload else {
                let what = format!("the service no longer has the payload of {id}");
                return Err(Failure::new(
                    FailureKind::NotFound,
                    what,
                    "a request that listen saved still has it: --captured",
                )
                .into());
            };
            wanted.retain(|asked| *asked != id);
            held.push(Held {
                id,
                at: message.accepted,
                body: Bytes::copy_from_slice(text.as_bytes()),
                captured: None,
            });
        }
    }
    if let Some(id) = wanted.first() {
        let what = format!("there is no message {id}");
        return Err(
            Failure::new(FailureKind::NotFound, what, "reeltop messages lists them").into(),
        );
    }
    held.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    Ok(held)
}

/// The messages that were captured in a file or folder, the first delivery of each.
fn captured(path: &Path, wanted: &[String]) -> io::Result<Vec<Held>> {
    let mut files: Vec<PathBuf> = if path.is_dir() {
        let entries = fs::read_dir(path)?.flatten().map(|entry| entry.path());
        let is_saved = |path: &PathBuf| path.extension().is_some_and(|end| end == "http");
        entries.filter(is_saved).take(MAX_FILES).collect()
    } else {
        vec![path.to_owned()]
    };
    files.sort();
    let mut held: Vec<Held> = Vec::new();
    for file in files {
        if fs::metadata(&file)?.len() > MAX_BYTES {
            continue;
        }
        let Ok(all) = Saved::read_all(&fs::read(&file)?) else {
            note(&format!("{} is no saved request", file.display()));
            continue;
        };
        for saved in all {
            let signature = saved.signature();
            let Some(id) = signature.id.map(str::to_owned) else {
                continue;
            };
            if !wanted.contains(&id) || held.iter().any(|message| message.id == id) {
                continue;
            }
            let seconds = signature.timestamp.and_then(|text| text.parse().ok());
            held.push(Held {
                id,
                at: Time(seconds.unwrap_or(0_i64).saturating_mul(SECOND)),
                body: Bytes::from(saved.body),
                captured: Some(file.display().to_string()),
            });
        }
    }
    Ok(held)
}

fn say(
    out: &mut Output,
    args: &ReplayArgs,
    message: &Held,
    url: &Url,
    answer: Option<&Result<Answer, Failure>>,
) -> io::Result<()> {
    let shown = masked_url(url.as_str());
    let code = answer
        .and_then(|answer| answer.as_ref().ok())
        .map(|answer| answer.code);
    let took = answer
        .and_then(|answer| answer.as_ref().ok())
        .map(|answer| millis(answer.took));
    let reason = answer
        .and_then(|answer| answer.as_ref().err())
        .map(ToString::to_string);
    let state = match answer {
        None => "planned",
        Some(Ok(answer)) if answer.is_success() => "delivered",
        // It may have arrived before the connection broke.
        Some(Err(failure)) if failure.kind == FailureKind::Broken => "unknown",
        Some(_) => "failed",
    };
    if args.json {
        let line = json!({
            "message_id": message.id,
            "endpoint_id": null,
            "route": "local",
            "state": state,
            "attempt_id": null,
            "timestamp": Clock::new().now().wall.rfc3339(),
            "url": shown,
            "body": message.label(),
            "captured_in": message.captured,
            "response_status_code": code,
            "response_duration_ms": took,
            "reason": reason,
        });
        return out.line(&line.to_string());
    }
    let how = match (code, took, reason) {
        (Some(code), Some(took), _) => format!(" ({code} in {took} ms)"),
        (_, _, Some(reason)) => format!(" ({reason})"),
        _ => String::new(),
    };
    out.line(&format!(
        "{} → {shown}: {state}{how}; {}",
        message.id,
        message.words()
    ))
}
