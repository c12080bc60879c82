//! The journal: whether what happens is recorded, where, and what was not.

use super::{bytes, dim, fact, piece, section};
use crate::app::{State, Tone};
use crate::domain::{Missing, Recording};
use crate::view::paint::Pieces;

/// Holes that are shown one by one, the newest first.
const MAX_HOLES: usize = 8;

pub(super) fn lines(state: &State) -> Vec<Pieces<'static>> {
    let journal = &state.history.journal;
    let tone = match (&journal.recording, journal.is_amiss()) {
        (Recording::Not(_), _) => Tone::Bad,
        (_, true) => Tone::Warn,
        (Recording::On, false) => Tone::Ok,
        (Recording::Off | Recording::Opening, false) => Tone::Dim,
    };
    let mut lines = vec![
        section("JOURNAL"),
        vec![
            dim(format!("  {:<15} ", "state")),
            piece(tone, journal.words()),
        ],
    ];
    if let Recording::Not(why) = &journal.recording
        && let Some(advice) = why.advice()
    {
        lines.push(amiss("to do", advice.to_owned()));
    }
    if journal.recording != Recording::Off {
        lines.push(fact(
            "changes",
            format!(
                "{} recorded, {} from earlier runs",
                journal.n_recorded, journal.n_restored
            ),
        ));
        lines.push(fact("size", bytes(journal.bytes)));
        lines.push(fact("file", journal.file.clone()));
    }
    if let Some(name) = &journal.set_aside {
        lines.push(amiss(
            "set aside",
            format!("a corrupt file, kept as {name}"),
        ));
    }
    if journal.n_damaged > 0 {
        let words = format!("{} parts of it could not be read", journal.n_damaged);
        lines.push(amiss("damaged", words));
    }
    for (at, hole) in journal.holes.iter().rev().take(MAX_HOLES).enumerate() {
        let name = if at == 0 { "missing" } else { "" };
        let until = hole.until.date_clock(state.session.utc_offset);
        let words = format!("{}, until {until}", hole.words());
        lines.push(match hole.why {
            Missing::LetGo => fact(name, words),
            Missing::NotRecorded(_) | Missing::Damaged => amiss(name, words),
        });
    }
    if let Some(older) = journal.holes.len().checked_sub(MAX_HOLES + 1) {
        lines.push(amiss("", format!("and {} before", older + 1)));
    }
    if let Some(why) = &journal.unread {
        lines.push(amiss("earlier runs", format!("not all were read: {why}")));
    }
    lines.push(Vec::new());
    lines
}

fn amiss(name: &str, text: String) -> Pieces<'static> {
    vec![dim(format!("  {name:<15} ")), piece(Tone::Warn, text)]
}
