//! One event as it came, and what could not be read.

use ratatui::layout::Rect;

use super::model::{ago, bytes, event_glyph, provenance};
use super::paint::{Canvas, Pieces, dim, piece, plain};
use super::{json, table};
use crate::app::page::{EventPage, UnreadablePage};
use crate::app::{State, Tone};

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

/// Paints something that could not be read. Gives the rows of its text.
pub fn draw_unreadable(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    page: &UnreadablePage,
) -> usize {
    let now = state.shown_at().wall;
    let facts: Vec<Pieces<'_>> = match state.history.unreadable.get(page.number) {
        Some((at, what)) => vec![
            vec![
                piece(Tone::Warn, "? could not be read"),
                dim(format!(" · {} · {}", what.place, ago(now, at.wall))),
            ],
            vec![plain(what.why.clone())],
        ],
        None => vec![vec![dim("no longer in memory")]],
    };
    document(canvas, area, &facts, "ITS BEGINNING", &page.excerpt)
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
