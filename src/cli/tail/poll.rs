//! `tail --poll`: for servers without a stream, differences between two looks at the active tasks
//! become events, marked `"source":"poll"` (aspect-api.md part 6).

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::super::output::{Outcome, Stop, note};
use super::print::Printer;
use crate::domain::{Event, Failure, FailureKind, Time};
use crate::io::client::Client;
use crate::io::clock::Clock;
use crate::io::compare::compare;
use crate::io::known::Known;

/// Polls until the limit is reached or the output closes. The first look is the ground that later
/// ones are compared with.
pub async fn run(client: &Client, printer: &mut Printer) -> Outcome {
    let clock = Clock::new();
    let wait = client.http.waits.poll.max(Duration::from_millis(20));
    let mut known = Known::default();
    let mut n_failures = 0;
    loop {
        match compare(client, &known, None, None, clock.now().wall).await {
            Ok(found) => {
                n_failures = 0;
                for caveat in &found.caveats {
                    note(caveat);
                }
                let (listed, read) = found.listed_and_read();
                for (event, at) in known.take(listed, read, &found.gone) {
                    print(printer, &event, &found.rows[at].raw, clock.now().wall)?;
                }
            }
            Err(failure) if is_final(&failure) => return Err(failure.into()),
            Err(failure) => {
                n_failures += 1;
                note(&failure.what);
            }
        }
        printer.flush()?;
        if printer.check()? {
            return Ok(0);
        }
        sleep(wait * 2u32.pow(std::cmp::min(n_failures, 4))).await;
    }
}

fn is_final(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::Unauthorized
            | FailureKind::Forbidden
            | FailureKind::NotOffered
            | FailureKind::NotAspect
    )
}

fn print(
    printer: &mut Printer,
    event: &Event,
    task: &Map<String, Value>,
    at: Time,
) -> Result<(), Stop> {
    let envelope = json!({
        "timestamp": at.rfc3339(),
        "user_id": event.user.as_ref().map(ToString::to_string),
        "event_id": event.id.to_string(),
        "event_type": event.kind.name(),
        "data": {"task": task},
        "source": "poll",
    });
    let event = Event {
        published: Some(at),
        ..event.clone()
    };
    printer.polled(&event, &envelope)
}
