//! Screen 3: messages with their latest outcome at each endpoint, and what comes next.

use ratatui::layout::Rect;

use super::model::{AGE, ago_in_column, asset_label, delivery, provenance, unread};
use super::paint::{Canvas, Columns, Pieces, Side, dim, piece, plain, role, said};
use super::text::{cut, cut_middle, wrap};
use super::theme::Role;
use super::{list, table};
use crate::app::{RowKey, State, Tone, Viewport};
use crate::domain::{Delivery, visible};

/// Lines of a list that has one to spare for what is not in it.
const LEAST: u16 = 5;

/// Paints the list of messages.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    let foot = foot(state, area);
    let whole = area;
    let area = Rect {
        height: area.height - foot.len() as u16,
        ..area
    };
    list::screen(
        canvas,
        area,
        (state, &state.deliveries),
        viewport,
        layout,
        RowKey::Message,
        |layout, id, is_selected| {
            let row = state.history.deliveries.get(id)?;
            let cells = cells(state, layout, row, is_selected);
            let line = list::Line::new(cells, provenance::of_delivery(state, row));
            Some(line.marked(state.marks.has(id)))
        },
    );
    if viewport.matching > 0 {
        // Below the last row, also of a list that is shorter than the screen.
        let is_short = viewport.matching < viewport.rows;
        let line = if is_short {
            1 + viewport.matching as u16
        } else {
            area.height
        };
        let lines = table::indented(table::below(whole, line));
        for (at, words) in foot.into_iter().enumerate() {
            canvas.line(lines, at as u16, &[piece(Tone::Warn, words)]);
        }
    }
}

/// What is not in the list and why, on lines of its own: as many as it takes, of half the list at
/// most.
fn foot(state: &State, area: Rect) -> Vec<String> {
    let most = usize::from(area.height / 2);
    let words = unread::short_with_reason(&state.history).filter(|_| area.height >= LEAST);
    let room = usize::from(table::indented(area).width);
    let mut lines = words.map_or_else(Vec::new, |words| wrap(&words, room));
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = cut(&format!("{last} …"), room).into_owned();
        }
    }
    lines
}

fn layout(width: u16) -> list::Layout {
    use Side::Left;
    let (columns, titles): (_, &[_]) = match width {
        0..57 => (
            Columns::new(width, &[(16, Left), (0, Left)], 1),
            &["EVENT", "ENDPOINTS"],
        ),
        57..97 => (
            Columns::new(
                width,
                &[(1 + AGE, Left), (16, Left), (0, Left), (17, Left)],
                2,
            ),
            &[" WHEN", "EVENT", "ENDPOINTS", "NEXT"],
        ),
        _ => (
            Columns::new(
                width,
                &[
                    (1 + AGE, Left),
                    (18, Left),
                    (width / 5 + 2, Left),
                    (0, Left),
                    // `↻ maybe in 2h43m (est.)`.
                    (if width < 130 { 18 } else { 23 }, Left),
                ],
                3,
            ),
            &[" WHEN", "EVENT", "ASSET", "ENDPOINTS", "NEXT"],
        ),
    };
    list::Layout { columns, titles }
}

fn cells(
    state: &State,
    layout: &list::Layout,
    row: &Delivery,
    is_selected: bool,
) -> Vec<Pieces<'static>> {
    let history = &state.history;
    let now = state.shown_at().wall;
    let message = row.message.as_ref();
    let (glyph, tone) = delivery::worst(history, row);
    let kind_name = message.map_or_else(
        || unread::kind_words(history, row, now),
        |message| message.kind.name(),
    );
    let kind = vec![
        piece(tone, glyph),
        role(
            if is_selected {
                Role::Selected
            } else {
                Role::Text
            },
            format!(" {kind_name}"),
        ),
    ];
    let outcomes = delivery::outcomes(history, row);
    let outcomes = said(outcomes);
    let (next_tone, next) = delivery::next(history, row, now);
    let next = vec![piece(next_tone, next)];
    // A blank keeps it apart from the user's mark.
    let room = layout.columns.width(0).saturating_sub(1);
    let when = vec![
        plain(" "),
        dim(ago_in_column(state.deliveries_at(), row.time(), room)),
    ];
    match layout.titles.len() {
        2 => vec![kind, outcomes],
        4 => vec![when, kind, outcomes, next],
        _ => {
            let name = message
                .and_then(|message| message.task.as_ref())
                .map_or_else(
                    || row.id.short(20),
                    |task| match history.tasks.get(task) {
                        Some(task) => asset_label(history, &task.asset()),
                        None => task.short(20),
                    },
                );
            let name = cut_middle(&visible(&name), layout.columns.width(2)).into_owned();
            vec![when, kind, vec![plain(name)], outcomes, next]
        }
    }
}
