//! The event stream: where it was found and how, what came on it, and a second opinion.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use super::report::{Line, Report};
use super::second;
use crate::domain::plural;
use crate::io::client::Client;
use crate::io::client::failure::Failed;
use crate::io::config::{Source, Waits};
use crate::io::discover::{Found, How, discover, is_elsewhere, nowhere, search};
use crate::io::listen::{Heard, listen};

/// Listens to the stream for at most `wait`.
pub async fn examine(
    source: &Source,
    client: &Client,
    wait: Duration,
    n_tasks: Option<usize>,
    report: &mut Report,
) -> io::Result<()> {
    const CHECK: &str = "stream";
    let found = match discover(client, source.events_path.as_deref()).await {
        Ok(found) => found,
        Err(failure) => return report.say(&Line::failure(CHECK, &failure)),
    };
    let (heard, how) = match find(client, &found, wait).await {
        Ok(heard) => heard,
        Err(Failed {
            failure, is_final, ..
        }) => {
            let how = found.how.words();
            let detail = format!("no stream ({how} path): {}", failure.what);
            let polls = if is_final {
                "without it the dashboard polls the active tasks, and tail ends with 1"
            } else {
                "the dashboard and tail try again by themselves; the dashboard polls the active tasks meanwhile"
            };
            let hint = if failure.hint.is_empty() {
                polls.to_owned()
            } else {
                format!("{}; {polls}", failure.hint)
            };
            return report.say(&Line::failed(CHECK, detail, hint));
        }
    };
    report.say(&opened(&heard, how.words()))?;
    report.say(&events(&heard, n_tasks))?;
    report.say(&heartbeat(&heard, client.http.waits))?;
    report.say(&second::judge(&heard))
}

/// Listens where the stream should be; where it is not, wherever else it is found.
async fn find(client: &Client, found: &Found, wait: Duration) -> Result<(Heard, How), Failed> {
    let why = match listen(client, &found.url, wait).await {
        Ok(heard) => return Ok((heard, found.how)),
        Err(why) if found.how == How::Configured || !is_elsewhere(&why.failure) => {
            return Err(why);
        }
        Err(why) => why,
    };
    match search(client, &found.others).await {
        Ok(Some(url)) => Ok((listen(client, &url, wait).await?, How::Probed)),
        Ok(None) => Err(Failed {
            failure: nowhere(&why.failure, &found.others),
            ..why
        }),
        Err(failure) => Err(Failed { failure, ..why }),
    }
}

fn opened(heard: &Heard, how: &str) -> Line {
    const CHECK: &str = "stream";
    let mut detail = format!("open at {}, {how}", heard.url.path());
    if let Some(failure) = &heard.end {
        let lived = seconds(heard.until - heard.began);
        let _ = write!(detail, "; {} after {lived}", failure.what);
        return Line::warning(
            CHECK,
            detail,
            "a stream should stay open; is there a proxy that cuts long answers?",
        );
    }
    if heard.first_event.is_some() && !heard.has_ids {
        detail.push_str("; its events carry no ids");
        let hint = "after a break the stream cannot be resumed; reeltop compares instead";
        return Line::warning(CHECK, detail, hint);
    }
    Line::ok(CHECK, detail)
}

fn events(heard: &Heard, n_tasks: Option<usize>) -> Line {
    const CHECK: &str = "first event";
    let listened = seconds(heard.until - heard.began);
    let Some((at, kind)) = &heard.first_event else {
        let detail = match n_tasks {
            Some(0) => format!("none within {listened}, and no task is active"),
            Some(n) => {
                let n = plural(n, "task is", "tasks are");
                format!("none within {listened}, though {n} active")
            }
            None => format!("none within {listened}"),
        };
        let hint = match n_tasks {
            Some(1..) => {
                "listen longer with --wait 2m; if none comes all the same, is there a proxy that holds \
                 the stream back?"
            }
            _ => "listen longer with --wait 2m, or start a task",
        };
        return Line::warning(CHECK, detail, hint);
    };
    let mut detail = format!(
        "{kind} after {}; {} in {listened}",
        seconds(*at - heard.began),
        plural(heard.counters.frames, "event", "events")
    );
    let mut odd = Vec::new();
    if let (n @ 1.., why) = &heard.unreadable {
        let why = why.as_deref().unwrap_or_default();
        odd.push(format!("{n} cannot be read ({why})"));
    }
    if heard.counters.oversized > 0 {
        odd.push(format!("{} were too large", heard.counters.oversized));
    }
    if heard.n_no_utf8 > 0 {
        odd.push(format!("{} are no UTF-8", heard.n_no_utf8));
    }
    if odd.is_empty() {
        return Line::ok(CHECK, detail);
    }
    let _ = write!(detail, ", of which {}", odd.join(", "));
    Line::warning(CHECK, detail, "reeltop counts these and shows them raw")
}

fn heartbeat(heard: &Heard, waits: Waits) -> Line {
    const CHECK: &str = "heartbeat";
    let patience = waits.stale.min(waits.idle);
    if heard.silence > patience {
        let detail = format!(
            "the stream was silent for {}, and counts as stale after {}",
            seconds(heard.silence),
            seconds(patience)
        );
        let hint = "raise waits.stale and waits.idle in the configuration";
        return Line::warning(CHECK, detail, hint);
    }
    match heard.first_comment {
        Some(at) => {
            let detail = format!("after {}", seconds(at - heard.began));
            Line::ok(CHECK, detail)
        }
        // Events show that it lives as well as heartbeats do.
        None if heard.counters.frames > 1 => {
            let (n, silence) = (heard.counters.frames, seconds(heard.silence));
            let detail = format!(
                "not needed while events come: {n} events, never silent for more than {silence}, \
                 stale after {}",
                seconds(patience)
            );
            Line::ok(CHECK, detail)
        }
        None => {
            let listened = seconds(heard.until - heard.began);
            let hint = "listen longer with --wait 1m; without heartbeats a quiet stream and a dead \
                        one look alike";
            Line::warning(CHECK, format!("none within {listened}"), hint)
        }
    }
}

/// A length of time, to a tenth of a second.
fn seconds(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}
