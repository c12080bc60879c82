//! `reeltop send`: a signed, realistic event for a receiver under development, or with `--check`
//! all that such a receiver should bear and refuse.

mod causes;
mod check;
mod event;

use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;
use serde_json::{Value, json};

use super::args::{SendArgs, SourceArgs};
use super::output::{Outcome, Output, Stop, usage};
use super::{hosts, secrets, source};
use crate::domain::{Time, masked_url};
use crate::io::Clock;
use crate::io::config::is_read_only;
use crate::io::post::{Answer, Outgoing, Poster, signed};

/// Sends one event, or the whole check. 0 if it was taken (or all passed), 1 if not, or if
/// another host was not confirmed.
pub async fn run(args: SendArgs, from: SourceArgs) -> Outcome {
    let url = hosts::receiver("--to", &args.to)?;
    let key = secrets::signer(&args.secrets, &from)?;
    let task = args.task.as_deref().map(event::task).transpose()?;
    let is_read_only = is_read_only(&source::flags(&from));
    let is_read_only = is_read_only.map_err(|error| Stop::Usage(error.to_string()))?;
    hosts::confirmed(&url, args.yes).await?;
    let poster = Poster::new(is_read_only, args.timeout);
    if args.check {
        return check::run(&poster, &url, &key, args.json).await;
    }
    let name = args
        .event
        .as_deref()
        .ok_or_else(|| usage("EVENT", format!("name one of {}", event::NAMES.join(", "))))?;
    let now = Clock::new().now().wall;
    let body = event::body(name, task.as_ref(), now)?;
    let id = message_id();
    let headers = signed(&key, &id, now, body.as_bytes());
    let out = Outgoing {
        url: url.clone(),
        headers: headers.clone(),
        body: Bytes::from(body.clone()),
        pause: None,
    };
    let answer = poster.send(out).await?;
    let sent = Sent {
        id: &id,
        event_type: name,
        url: &url,
        headers: &headers,
        body: &body,
        at: now,
    };
    report(&sent, &answer, args.json)?;
    Ok(u8::from(!answer.is_success()))
}

/// An id as the service makes them: no receiver should take it apart.
pub fn message_id() -> String {
    format!("msg_{}", uuid::Uuid::now_v7().simple())
}

pub fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

struct Sent<'a> {
    id: &'a str,
    event_type: &'a str,
    url: &'a Url,
    headers: &'a [(String, String)],
    body: &'a str,
    at: Time,
}

fn report(sent: &Sent<'_>, answer: &Answer, is_json: bool) -> Result<(), Stop> {
    let mut out = Output::new();
    let url = masked_url(sent.url.as_str()).into_owned();
    let response = String::from_utf8_lossy(&answer.body);
    if is_json {
        let headers = sent.headers.iter();
        let headers: Value = headers.map(|(name, value)| json!([name, value])).collect();
        let line = json!({
            "message_id": sent.id,
            "event_type": sent.event_type,
            "url": url,
            "timestamp": sent.at.rfc3339(),
            "headers": headers,
            "body": sent.body,
            "delivered": answer.is_success(),
            "response_status_code": answer.code,
            "response": response,
            "response_cut": answer.cut,
            "response_duration_ms": millis(answer.took),
        });
        out.line(&line.to_string())?;
    } else {
        out.line(&format!("{} {} → {url}", sent.event_type, sent.id))?;
        for (name, value) in sent.headers {
            out.line(&format!("  {name}: {value}"))?;
        }
        out.line(&format!("  {}", sent.body))?;
        let took = millis(answer.took);
        out.line(&format!("answered {} in {took} ms", answer.code))?;
        for line in response.lines().take(20) {
            out.line(&format!("  {line}"))?;
        }
        if let Some(why) = &answer.cut {
            out.line(&format!("cut: {why}"))?;
        }
    }
    Ok(out.flush()?)
}
