//! `reeltop tail`: the stream's events as they come, unchanged in a pipe, readable on a terminal.

mod poll;
mod print;
mod since;
mod subject;

use std::io;

use futures_util::FutureExt;

use super::args::{SourceArgs, TailArgs};
use super::output::{Outcome, Output, Stop, note, usage, zone};
use super::{journal, source};
use crate::domain::{Failure, FailureKind, Query};
use crate::io::clock::Clock;
use crate::io::discover::stream_only;
use crate::io::stream::{Step, Stream};
use print::{Form, Printer};

/// Longest `--last-event-id` that is sent, in bytes.
const MAX_ID_BYTES: usize = 4096;

/// Follows the stream. 0 when it was asked to end, 1 when there is no stream.
pub async fn run(args: TailArgs, from: SourceArgs) -> Outcome {
    let query = Query::parse(&args.query.join(" ")).map_err(|why| usage("QUERY", why))?;
    let (source, client) = source::client(&from)?;
    let out = Output::new();
    let form = match (args.frames, args.json || !out.is_terminal) {
        (true, _) => Form::Frames,
        (false, true) => Form::Data,
        (false, false) => Form::Readable,
    };
    let mut printer = Printer::new(out, form, query, args.limit, zone(from.utc));
    if args.limit == Some(0) {
        return Ok(0);
    }
    let last_event_id = args.last_event_id.as_deref().unwrap_or_default();
    if last_event_id.chars().any(char::is_control) || last_event_id.len() > MAX_ID_BYTES {
        let what = format!("--last-event-id {last_event_id:.40} cannot be sent in a header");
        return Err(Stop::Usage(what));
    }
    let mut last_event_id = last_event_id.to_owned();
    if let Some(ago) = args.since {
        let journal = journal::required(&source, &from)?;
        let id = since::print(&journal.file, ago, &mut printer)?;
        if printer.check()? {
            printer.flush()?;
            return Ok(0);
        }
        printer.flush()?;
        if last_event_id.is_empty() {
            last_event_id = id.unwrap_or_default();
        }
    }
    let found = stream_only(&client, source.events_path.as_deref()).await?;
    let stream = Stream::new(client.clone(), found.url, Clock::new(), &last_event_id);
    let ended = follow(stream, &mut printer, args.no_reconnect).await;
    match ended {
        Err(Stop::Failed(failure)) if args.poll && is_no_stream(&failure) => {
            note(&format!(
                "{}; polling the active tasks instead",
                failure.what
            ));
            poll::run(&client, &mut printer).await
        }
        ended => ended,
    }
}

/// Whether the server has no stream, as against refusing us.
fn is_no_stream(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::NotOffered
            | FailureKind::NotFound
            | FailureKind::NotAspect
            | FailureKind::Invalid
    )
}

async fn follow(mut stream: Stream, printer: &mut Printer, no_reconnect: bool) -> Outcome {
    let mut n_opened = 0;
    let mut oversized = 0;
    loop {
        let step = next_step(&mut stream, printer).await?;
        match step {
            Step::Chunk(chunk) => {
                stream.take(&chunk, |frame| printer.frame(&frame));
                printer.n_oversized = stream.decoder().counters().oversized;
                if printer.n_oversized > oversized {
                    oversized = printer.n_oversized;
                    note("an event larger than --max-event-bytes was skipped");
                }
                if printer.check()? {
                    printer.flush()?;
                    return Ok(0);
                }
            }
            Step::Opened => {
                n_opened += 1;
                if n_opened > 1 {
                    note("connected again");
                }
            }
            Step::Broken { is_end: true, .. } if no_reconnect => {
                printer.flush()?;
                return Ok(0);
            }
            Step::Broken { why, .. } if no_reconnect || n_opened == 0 && is_unreachable(&why) => {
                printer.flush()?;
                return Err(why.into());
            }
            Step::Broken { why, wait, .. } => {
                printer.flush()?;
                if stream.take_forgotten() {
                    note(
                        "the same line without end came twice: going on without the last event id, events may be missing",
                    );
                }
                note(&format!(
                    "{}; connecting again in {:.1}s",
                    why.what,
                    wait.as_secs_f64()
                ));
            }
            Step::Stopped(why) => {
                printer.flush()?;
                return Err(why.into());
            }
            Step::Quiet => {}
        }
    }
}

/// The next step; the output is flushed before a wait, as no complete event is waiting then.
async fn next_step(stream: &mut Stream, printer: &mut Printer) -> Result<Step, Stop> {
    if let Some(step) = stream.next().now_or_never() {
        return Ok(step);
    }
    // The connection is read by a task of its own, which may have more at hand.
    tokio::task::yield_now().await;
    if let Some(step) = stream.next().now_or_never() {
        return Ok(step);
    }
    printer.flush()?;
    Ok(stream.next().await)
}

/// A first connection that cannot be made at all is an answer; a later one is waited for.
fn is_unreachable(failure: &Failure) -> bool {
    failure.kind == FailureKind::Unreachable
}

/// Turns an error of the output into the end of the command.
fn ended(outcome: io::Result<()>) -> Result<(), Stop> {
    outcome.map_err(Stop::Output)
}
