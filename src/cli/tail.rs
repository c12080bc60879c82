//! `reeltop tail`: the stream's events as they come, unchanged in a pipe, readable on a terminal.

mod link;
mod poll;
mod print;
mod since;
mod subject;

use std::io;

use futures_util::FutureExt;

use super::args::{SourceArgs, TailArgs};
use super::output::{Outcome, Output, Stop, note, usage, zone};
use super::{journal, source};
use crate::domain::query::Now;
use crate::domain::{Failure, Query, visible};
use crate::io::client::Client;
use crate::io::clock::Clock;
use crate::io::discover::{Found, How, is_elsewhere, nowhere, search, stream_only};
use crate::io::stream::{MAX_ID_BYTES, Step, Stream};
use link::LinkWords;
use print::{Form, Printer};

/// Follows the stream. 0 when it was asked to end, 1 when there is no stream.
pub async fn run(args: TailArgs, from: SourceArgs) -> Outcome {
    let query = args.as_option.clone();
    let query = query.unwrap_or_else(|| args.query.join(" "));
    let mut query = Query::parse_strictly(&query).map_err(|why| usage("QUERY", why))?;
    subject::check(&query).map_err(|why| usage("QUERY", why))?;
    let (source, client) = source::client(&from)?;
    let out = Output::new();
    let form = match (args.frames, args.json || !out.is_terminal) {
        (true, _) => Form::Frames,
        (false, true) => Form::Data,
        (false, false) => Form::Readable,
    };
    let zone = zone(from.utc);
    let clock = Clock::new();
    query.settle(Now {
        time: clock.now().wall,
        utc_offset: zone,
    });
    let mut printer = Printer::new(out, form, query, args.limit, (clock, zone));
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
    client.aspect()?;
    let found = stream_only(&client, source.events_path.as_deref()).await?;
    let mut follower = Follower {
        words: LinkWords::new(clock, zone),
        printer: &mut printer,
        no_reconnect: args.no_reconnect,
    };
    let stream = Stream::new(client.clone(), found.url.clone(), clock, &last_event_id);
    let mut ended = follower.follow(stream, found.how).await;
    if let Err(Stop::Failed(why)) = &ended
        && found.how != How::Configured
        && is_elsewhere(why)
    {
        ended = match look_elsewhere(&client, &found, why).await {
            Ok(url) => {
                let stream = Stream::new(client.clone(), url, clock, &last_event_id);
                follower.follow(stream, How::Probed).await
            }
            Err(failure) => Err(failure.into()),
        };
    }
    match ended {
        Err(Stop::Failed(failure)) if args.poll && is_elsewhere(&failure) => {
            note(&format!(
                "{}; polling the active tasks instead",
                failure.what
            ));
            poll::run(&client, &mut printer).await
        }
        ended => ended,
    }
}

/// Finds the stream at another place than the first.
async fn look_elsewhere(
    client: &Client,
    found: &Found,
    why: &Failure,
) -> Result<reqwest::Url, Failure> {
    let url = search(client, &found.others).await?;
    url.ok_or_else(|| nowhere(why, &found.others))
}

/// Follows a stream to its end.
struct Follower<'a> {
    words: LinkWords,
    printer: &'a mut Printer,
    no_reconnect: bool,
}

impl Follower<'_> {
    async fn follow(&mut self, mut stream: Stream, how: How) -> Outcome {
        let place = format!("{}: {}", how.words(), visible(stream.url().path()));
        let (mut oversized, mut n_gaps) = (0, 0);
        loop {
            let step = next_step(&mut stream, self.printer).await?;
            match step {
                Step::Chunk(chunk) => {
                    self.words.heard();
                    stream.take(&chunk, |frame| self.printer.frame(&frame));
                    self.printer.n_oversized = stream.decoder().counters().oversized;
                    if self.printer.n_oversized > oversized {
                        oversized = self.printer.n_oversized;
                        note(
                            "an event larger than limits.event_bytes (--max-event-bytes) was skipped",
                        );
                    }
                    if stream.decoder().counters().gaps > n_gaps {
                        n_gaps = stream.decoder().counters().gaps;
                        self.printer.flush()?;
                        note(
                            "the server no longer had all events since the last one: some are missing here",
                        );
                    }
                    if self.printer.check()? {
                        self.printer.flush()?;
                        return Ok(0);
                    }
                }
                Step::Opened => {
                    self.words.opened(&place);
                    if stream.take_forgotten() {
                        note(
                            "the last event id was of no use to resume from: events may have been passed over",
                        );
                    }
                }
                Step::Quiet => self.words.quiet(stream.patience()),
                Step::Broken { is_end: true, .. } if self.no_reconnect => {
                    self.printer.flush()?;
                    return Ok(0);
                }
                Step::Broken { why, tries, .. }
                    if self.no_reconnect || self.words.is_no_use(&why, tries) =>
                {
                    self.printer.flush()?;
                    return Err(why.into());
                }
                Step::Broken {
                    why, wait, tries, ..
                } => {
                    self.printer.flush()?;
                    if stream.take_forgotten() {
                        note(
                            "the same line without end came twice: going on without the last event id, events may be missing",
                        );
                    }
                    self.words.retrying(&why, wait, tries);
                }
                Step::Stopped(why) => {
                    self.printer.flush()?;
                    return Err(why.into());
                }
            }
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

/// Turns an error of the output into the end of the command.
fn ended(outcome: io::Result<()>) -> Result<(), Stop> {
    outcome.map_err(Stop::Output)
}
