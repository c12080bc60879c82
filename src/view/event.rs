//! One event as it came, and what could not be read.

use ratatui::layout::Rect;

use super::model::{ago, bytes, event_glyph, provenance};
use super::paint::{Canvas, Pieces, dim, piece, plain};
use super::{json, table};
use crate::app::listing::{Entry, ExcerptPage, new_word};
use crate::app::page::EventPage;
use crate::app::{State, Tone};
use crate::domain::plural;

/// Paints an event. Gives the rows of its text.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, page: &EventPage) -> usize {
    let offset = state.session.utc_offset;
    let now = state.shown_at().wall;
    let facts: Vec<Pieces<'_>> = match state.history.events.get(page.position) {
        Some(entry) => {
            let (glyph, tone) = event_glyph(&entry.kind);
            let published = entry.published.map_or_else(
                || "without a time".to_owned(),
                |time| time.date_clock(offset),
            );
            vec![
                vec![
                    piece(tone, glyph),
                    plain(format!(" {}", entry.kind.name())),
                    dim(format!(
                        " · published {published} · {}",
                        provenance::words(entry.origin, entry.received.wall, now)
                    )),
                ],
                vec![dim(format!("id {}", entry.id))],
            ]
        }
        None => vec![vec![dim("this event is no longer in memory")]],
    };
    let n_bytes = page.raw.document.text().len() as u64;
    let title = format!("RAW {}", bytes(n_bytes));
    document(canvas, area, &facts, &title, &page.raw)
}

/// Paints the beginning of something. Gives the rows of its text.
pub fn draw_excerpt(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    page: &ExcerptPage,
) -> usize {
    let history = &state.history;
    let now = state.shown_at().wall;
    let facts: Option<Vec<Pieces<'_>>> = match &page.of {
        Entry::Unreadable(number) => history.unreadable.get(*number).map(|(at, what)| {
            vec![
                vec![
                    piece(Tone::Warn, "? could not be read"),
                    dim(format!(" · {} · {}", what.place, ago(now, at.wall))),
                ],
                vec![plain(what.why.clone())],
            ]
        }),
        Entry::Word(kind, word) => new_word(history, *kind, word).map(|new| {
            vec![
                vec![
                    piece(Tone::Warn, format!("? {}", new.kind.name())),
                    plain(format!(" {}", new.word)),
                    dim(format!(" · came {}", plural(new.count, "time", "times"))),
                ],
                vec![dim(format!(
                    "first seen in {}, {}",
                    new.example.seen_in,
                    ago(now, new.first.wall)
                ))],
            ]
        }),
        _ => None,
    };
    let facts = facts.unwrap_or_else(|| vec![vec![dim("no longer in memory")]]);
    let title = if page.excerpt.document.text().is_empty() {
        "NOTHING OF IT WAS KEPT"
    } else {
        "ITS BEGINNING"
    };
    document(canvas, area, &facts, title, &page.excerpt)
}

fn document(
    canvas: &mut Canvas<'_>,
    area: Rect,
    facts: &[Pieces<'_>],
    title: &str,
    pane: &crate::app::document::DocumentPane,
) -> usize {
    let inner = table::indented(area);
    for (row, line) in facts.iter().enumerate() {
        canvas.line(inner, row as u16, line);
    }
    let row = facts.len() as u16 + 1;
    if row + 2 > area.height {
        return 1;
    }
    let heading = Rect {
        y: area.y + row,
        height: area.height - row,
        ..area
    };
    table::heading(canvas, heading, title, true);
    let body = Rect {
        y: heading.y + 1,
        height: heading.height - 1,
        ..heading
    };
    json::draw(canvas, body, pane, true)
}
