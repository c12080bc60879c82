//! Screen 3: messages with their latest outcome at each endpoint, and what comes next.

use ratatui::layout::Rect;

use super::model::{ago, asset_label, delivery};
use super::paint::{Canvas, Columns, Pieces, Side, dim, piece, plain, role, said};
use super::text::cut_middle;
use super::theme::Role;
use super::{notice, table};
use crate::app::deliveries::DeliveryList;
use crate::app::{RowKey, State, Viewport};
use crate::domain::{Delivery, visible};

/// Paints the list of messages.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    let has_titles = area.height >= 3;
    let body = Rect {
        y: area.y + u16::from(has_titles),
        height: area.height - u16::from(has_titles),
        ..area
    };
    viewport.rows = usize::from(body.height);
    let slice = state.deliveries.window(
        &state.history,
        &state.deliveries.cursor.place(),
        viewport.rows,
    );
    viewport.matching = slice.matching;
    if slice.keys.is_empty() {
        notice::empty(canvas, area, state);
        return;
    }
    let inner = table::indented(area);
    let (columns, titles) = layout(inner.width);
    if has_titles {
        table::titles(canvas, inner, &columns, titles);
    }
    let lined = Rect {
        y: body.y,
        height: body.height,
        ..inner
    };
    let selected = state.deliveries.cursor.row_in(&slice.keys);
    for (at, id) in slice.keys.iter().enumerate() {
        let Some(row) = state.history.deliveries.get(id) else {
            continue;
        };
        let is_selected = selected == Some(at);
        row_of(
            canvas,
            lined,
            at as u16,
            state,
            row,
            &columns,
            titles,
            is_selected,
        );
        if is_selected {
            table::mark(canvas, body, at as u16, true);
            viewport.selected = Some(RowKey::Message(id.clone()));
        }
    }
    let missed = DeliveryList::ever(&state.history);
    table::missed(canvas, body, state.deliveries.cursor.missed(missed));
}

fn layout(width: u16) -> (Columns, &'static [&'static str]) {
    use Side::Left;
    match width {
        0..57 => (
            Columns::new(width, &[(16, Left), (0, Left)], 1),
            &["EVENT", "ENDPOINTS"],
        ),
        57..97 => (
            Columns::new(width, &[(9, Left), (16, Left), (0, Left), (16, Left)], 2),
            &["WHEN", "EVENT", "ENDPOINTS", "NEXT"],
        ),
        _ => (
            Columns::new(
                width,
                &[
                    (9, Left),
                    (18, Left),
                    (width / 5 + 2, Left),
                    (0, Left),
                    (18, Left),
                ],
                3,
            ),
            &["WHEN", "EVENT", "ASSET", "ENDPOINTS", "NEXT"],
        ),
    }
}

#[expect(clippy::too_many_arguments, reason = "a row needs them all, once")]
fn row_of(
    canvas: &mut Canvas<'_>,
    area: Rect,
    at: u16,
    state: &State,
    row: &Delivery,
    columns: &Columns,
    titles: &[&str],
    is_selected: bool,
) {
    let history = &state.history;
    let now = state.shown_at().wall;
    let message = row.message.as_ref();
    let (glyph, tone) = delivery::worst(history, row);
    let kind_name = message.map_or("not read yet", |message| message.kind.name());
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
    let outcomes = said(&outcomes);
    let (next_tone, next) = delivery::next(history, row, now);
    let next = vec![piece(next_tone, next)];
    let when = vec![dim(ago(now, row.time()))];
    let cells: Vec<Pieces<'_>> = match titles.len() {
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
            let name = cut_middle(&visible(&name), columns.width(2)).into_owned();
            vec![when, kind, vec![plain(name)], outcomes, next]
        }
    };
    columns.row(canvas, area, at, &cells);
}
