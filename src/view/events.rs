//! Screen 2: recent events, newest first.

use ratatui::layout::Rect;

use super::model::{ago, asset_label, changed_words, event_glyph, task_glyph};
use super::paint::{Canvas, Columns, Pieces, Side, dim, piece, plain, role, said};
use super::text::cut_middle;
use super::theme::Role;
use super::{notice, table};
use crate::app::{RowKey, State, Viewport};
use crate::domain::{EventEntry, visible};

/// Paints the list of events.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    let has_titles = area.height >= 3;
    let body = Rect {
        y: area.y + u16::from(has_titles),
        height: area.height - u16::from(has_titles),
        ..area
    };
    viewport.rows = usize::from(body.height);
    let slice = state
        .events
        .window(&state.history, &state.events.cursor.place(), viewport.rows);
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
    let selected = state.events.cursor.row_in(&slice.keys);
    for (at, position) in slice.keys.iter().enumerate() {
        let Some(entry) = state.history.events.get(*position) else {
            continue;
        };
        let is_selected = selected == Some(at);
        let cells = cells(state, &columns, titles.len(), entry, is_selected);
        columns.row(canvas, lined, at as u16, &cells);
        if is_selected {
            table::mark(canvas, body, at as u16, true);
            viewport.selected = Some(RowKey::Event(*position));
        }
    }
    let missed = state.events.cursor.missed(state.history.events.total());
    table::missed(canvas, body, missed);
}

fn layout(width: u16) -> (Columns, &'static [&'static str]) {
    use Side::{Left, Right};
    match width {
        0..57 => (
            Columns::new(width, &[(16, Left), (0, Left), (7, Right)], 1),
            &["EVENT", "ASSET", "WHEN"],
        ),
        57..97 => (
            Columns::new(width, &[(9, Left), (16, Left), (22, Left), (0, Left)], 3),
            &["WHEN", "EVENT", "ASSET", "WHAT CHANGED"],
        ),
        _ => (
            Columns::new(
                width,
                &[
                    (9, Left),
                    (18, Left),
                    (12, Left),
                    (width / 4, Left),
                    (0, Left),
                    (16, Left),
                ],
                4,
            ),
            &["WHEN", "EVENT", "TASK", "ASSET", "WHAT CHANGED", "EVENT ID"],
        ),
    }
}

fn cells(
    state: &State,
    columns: &Columns,
    n_columns: usize,
    entry: &EventEntry,
    is_selected: bool,
) -> Vec<Pieces<'static>> {
    let history = &state.history;
    let (glyph, tone) = event_glyph(&entry.kind);
    let when: Pieces<'static> = vec![dim(ago(state.shown_at().wall, entry.time()))];
    let kind: Pieces<'static> = vec![piece(tone, glyph), plain(format!(" {}", entry.kind.name()))];
    let asset_column = match n_columns {
        3 => 1,
        4 => 2,
        _ => 3,
    };
    let row = entry
        .task
        .as_ref()
        .and_then(|sight| history.tasks.get(&sight.task));
    let name = row.map(|row| asset_label(history, &row.asset()));
    let name = name.unwrap_or_else(|| "—".to_owned());
    let kind_of_name = if is_selected {
        Role::Selected
    } else {
        Role::Text
    };
    let asset: Pieces<'static> = vec![role(
        kind_of_name,
        cut_middle(&visible(&name), columns.width(asset_column)).into_owned(),
    )];
    let changed: Pieces<'static> = said(&changed_words(history, entry))
        .into_iter()
        .map(|piece| super::paint::Piece {
            text: piece.text.into_owned().into(),
            ..piece
        })
        .collect();
    match n_columns {
        3 => vec![kind, asset, when],
        4 => vec![when, kind, asset, changed],
        _ => {
            let task = match &entry.task {
                Some(sight) => {
                    let (glyph, tone) = task_glyph(sight.state);
                    vec![piece(tone, glyph), dim(format!(" {}", sight.state.name()))]
                }
                None => vec![dim("·")],
            };
            let id = vec![dim(entry.id.short(16))];
            vec![when, kind, task, asset, changed, id]
        }
    }
}
