//! `tail --since`: first what the journal holds, then the stream from where the journal ends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::journal;
use super::super::output::{Stop, note};
use super::print::Printer;
use crate::domain::{ChangeKind, Heard, Origin, Proof, plural};
use crate::io::clock::Clock;
use crate::io::journal::since;
use crate::wire::sse::Frame;

/// Prints the recorded events of the last `ago`; gives the event id after which the stream goes
/// on, if the journal has one.
pub fn print(file: &Path, ago: Duration, printer: &mut Printer) -> Result<Option<String>, Stop> {
    let micros = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
    let from = Clock::new().now().wall.plus(micros.saturating_neg());
    let mut found = match since(file, from) {
        Ok(Some(found)) => found,
        Ok(None) => return Err(journal::none_yet(file)),
        Err(trouble) => return Err(journal::stop(file, &trouble)),
    };
    let holes = found.file().holes(from).unwrap_or_default();
    let facts = found.file().facts().unwrap_or_default();
    let mut before: Option<Arc<[u8]>> = None;
    for block in found.by_ref() {
        for record in block {
            if let ChangeKind::Proof(proof) = &record.kind {
                printer.flush()?;
                note_gap(proof);
            }
            let (ChangeKind::Event(_), Origin::Stream, Some(raw)) =
                (&record.kind, record.origin, record.raw)
            else {
                continue;
            };
            // The events of one frame came in the same bytes.
            if before
                .as_ref()
                .is_some_and(|other| Arc::ptr_eq(other, &raw))
            {
                continue;
            }
            printer.frame(&Frame {
                event: "message",
                data: &raw,
                id: "",
                has_id: false,
            });
            before = Some(raw);
        }
        if printer.check()? {
            break;
        }
    }
    if found.n_damaged > 0 {
        note(&format!(
            "{} parts of the journal could not be read",
            found.n_damaged
        ));
    }
    for hole in holes {
        let until = hole.until.rfc3339();
        note(&format!(
            "not in the journal: {}, until {until}",
            hole.words()
        ));
    }
    let id = facts.last_event_id.filter(|id| !id.is_empty());
    let end = match facts.alive {
        Some(alive) => format!("the journal ends at {}", alive.rfc3339()),
        None => "nobody knows when the journal ends".to_owned(),
    };
    note(&match &id {
        None => format!(
            "{end}; the stream names no event to go on from: what came between then and now is missing"
        ),
        Some(_) => format!(
            "{end}; what came since is asked of the stream by the last event's id, and a server that \
             keeps no events leaves it out"
        ),
    });
    Ok(id)
}

/// Says from when to when nothing was received, and what is known of that time.
fn note_gap(proof: &Proof) {
    let words = proof.words();
    match proof.gap {
        Some((from, to)) => {
            let what = match proof.heard {
                Heard::Nothing => "nothing was received",
                Heard::Polls(_) => "there was no stream",
                Heard::Stream => "the open stream had not told all",
            };
            note(&format!(
                "{what} from {} to {}; {} of that time came later ({words})",
                from.rfc3339(),
                to.rfc3339(),
                plural(proof.backfilled, "event", "events")
            ));
        }
        None if proof.is_gap_unknown => note(&format!(
            "nothing was received until {}, and nobody knows since when ({words})",
            proof.at.rfc3339()
        )),
        None => {}
    }
}
