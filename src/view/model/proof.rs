//! Comparisons, gaps and bounds in words.

use crate::app::Tone;
use crate::domain::time::duration_words;
use crate::domain::{Bound, Gap, Heard, Proof, RepairedBy, Time, plural};

/// Tone and glyph of what a comparison found.
pub fn tone(found: &Proof) -> (Tone, &'static str) {
    match (&found.caveat, found.compared) {
        (None, _) => (Tone::Ok, "✓"),
        (Some(_), Some(_)) => (Tone::Warn, "?"),
        (Some(_), None) => (Tone::Bad, "✗"),
    }
}

/// What was done for the comparison.
pub fn details(found: &Proof, now: Time, offset: i32) -> Vec<String> {
    let mut said = Vec::new();
    match found.gap {
        Some((from, to)) => {
            let span = span(from, Some(to), now, offset);
            said.push(match found.heard {
                Heard::Nothing => format!("nothing was heard {span}"),
                Heard::Polls(n) => format!("no stream {span}, {} answered", polls(n)),
                Heard::Stream => format!("some time in {span} the open stream had not told all"),
            });
        }
        None if found.is_gap_unknown => {
            said.push("nothing was heard before for a time of unknown length".to_owned());
        }
        None => said.push("the first look, so that no gap lies before it".to_owned()),
    }
    if let Some(n) = found.compared {
        said.push(format!("{n} active tasks compared"));
    }
    if found.gap.is_some() {
        said.push(format!("{} began and ended in the gap", tasks(found.found)));
    }
    if found.backfilled > 0 {
        said.push(format!("{} back-filled by id", events(found.backfilled)));
    }
    if found.held > 0 {
        said.push(format!("{} waited meanwhile", events(found.held)));
    }
    said
}

fn polls(n: usize) -> String {
    plural(n, "poll", "polls")
}

fn tasks(n: usize) -> String {
    plural(n, "task", "tasks")
}

fn events(n: usize) -> String {
    plural(n, "event", "events")
}

/// Where a repaired state was read.
pub fn read_from(how: RepairedBy, is_wide: bool) -> &'static str {
    match (how, is_wide) {
        (RepairedBy::Snapshot, true) => "snapshot of active tasks",
        (RepairedBy::Snapshot, false) => "snapshot",
        (RepairedBy::Reading, true) => "task read by its id",
        (RepairedBy::Reading, false) => "by id",
        (RepairedBy::Log, true) => "message log",
        (RepairedBy::Log, false) => "log",
    }
}

/// What a bound lets go, and how much it keeps.
pub fn bound_words(bound: Bound, limit: usize) -> String {
    match bound {
        Bound::Tasks => format!("tasks beyond {limit}, the oldest finished ones first"),
        Bound::AssetNames => format!("asset names, beyond {limit}; they are read again"),
        Bound::Events => format!("the oldest events, beyond {limit} or 64 MiB"),
        Bound::Messages => format!("the oldest messages, beyond {limit} or 128 MiB"),
        Bound::Attempts => format!("the oldest attempts of a message, beyond {limit}"),
        Bound::Answers => format!("ends of answers, beyond {limit} bytes"),
        Bound::Endpoints => format!("endpoints, beyond {limit}"),
    }
}

/// A gap in words, by parts: `gap 12:03:10 to 12:03:52 (42s)`, `, 3 states repaired`. What matters
/// least comes last.
pub fn gap_words(gap: &Gap, now: Time, offset: i32) -> (Tone, Vec<String>) {
    let is_unknown = gap.proof.is_some_and(|(_, found)| found.is_unknown);
    let mut words = vec![match gap.to {
        Some(to) if is_unknown => {
            format!("gap of unknown length until {}", to.day_clock(now, offset))
        }
        _ => format!("gap {}", span(gap.from, gap.to, now, offset)),
    }];
    let Some((_, found)) = gap.proof else {
        words.push(", not compared yet".to_owned());
        return (Tone::Warn, words);
    };
    match found.heard {
        Heard::Nothing => {}
        Heard::Polls(n) => words.push(format!(", {} answered", polls(n))),
        Heard::Stream => words.push(" at most, in the open stream".to_owned()),
    }
    if !found.is_whole {
        words.push(", not all of it is known".to_owned());
    }
    words.push(match found.n_repaired {
        0 => ", no state was wrong".to_owned(),
        1 => ", 1 state repaired".to_owned(),
        n => format!(", {n} states repaired"),
    });
    if found.backfilled > 0 {
        words.push(format!(", {} back-filled by id", events(found.backfilled)));
    }
    if found.found > 0 {
        words.push(format!(", {} found in the log", tasks(found.found)));
    }
    let tone = if found.is_whole {
        Tone::Info
    } else {
        Tone::Warn
    };
    (tone, words)
}

/// `12:03:10 to 12:03:52 (42s)`, with the day where it is another.
fn span(from: Time, to: Option<Time>, now: Time, offset: i32) -> String {
    let clock = |time: Time| time.day_clock(now, offset);
    match to {
        Some(to) => format!(
            "{} to {} ({})",
            clock(from),
            clock(to),
            duration_words(to.since(from))
        ),
        None => format!(
            "since {} ({})",
            clock(from),
            duration_words(now.since(from))
        ),
    }
}
