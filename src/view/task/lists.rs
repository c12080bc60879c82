//! The lower half of a task's page: its events and its messages, side by side where there is room.

use ratatui::layout::Rect;

use super::super::model::{changed_words, delivery};
use super::super::paint::{Canvas, Pieces, role, said};
use super::super::theme::Role;
use super::{dim, event_glyph, piece, plain, table, task_events, task_messages};
use crate::app::State;
use crate::app::page::TaskPage;

/// Paints both lists, or the one that has the focus. Gives its rows.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    page: &TaskPage,
    has_focus: bool,
) -> usize {
    if area.height < 2 {
        return 1;
    }
    let is_wide = area.width >= 96;
    let left_width = if is_wide { area.width / 2 } else { area.width };
    let left = Rect {
        width: left_width,
        ..area
    };
    let right = if is_wide {
        Rect {
            x: area.x + left_width,
            width: area.width - left_width,
            ..area
        }
    } else {
        area
    };
    if is_wide || page.pane == 0 {
        events(canvas, left, state, page, has_focus && page.pane == 0);
    }
    if is_wide || page.pane == 1 {
        messages(canvas, right, state, page, has_focus && page.pane == 1);
    }
    usize::from(area.height - 1)
}

fn body(area: Rect) -> Rect {
    Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    }
}

fn events(canvas: &mut Canvas<'_>, area: Rect, state: &State, page: &TaskPage, has_focus: bool) {
    let rows = task_events(&state.history, &page.task);
    let title = format!("EVENTS {}", rows.len());
    table::heading(canvas, area, &title, has_focus);
    let body = body(area);
    let inner = table::indented(body);
    let selected = page.events.row_in(&rows).unwrap_or(0);
    let top = table::offset(selected, usize::from(body.height));
    if rows.is_empty() {
        canvas.line(inner, 0, &[dim("none seen since reeltop began")]);
    }
    for (at, position) in rows
        .iter()
        .enumerate()
        .skip(top)
        .take(usize::from(body.height))
    {
        let Some(entry) = state.history.events.get(*position) else {
            continue;
        };
        let (glyph, tone) = event_glyph(&entry.kind);
        let changed = changed_words(&state.history, entry);
        let mut words: Pieces<'_> = vec![
            dim(format!(
                "{}  ",
                entry.time().clock(state.session.utc_offset)
            )),
            piece(tone, glyph),
            plain(format!(" {:<14} ", entry.kind.name())),
        ];
        words.extend(said(changed));
        let line = (at - top) as u16;
        canvas.line(inner, line, &words);
        if at == selected && has_focus {
            table::mark(canvas, body, line, has_focus);
        }
    }
}

fn messages(canvas: &mut Canvas<'_>, area: Rect, state: &State, page: &TaskPage, has_focus: bool) {
    let rows = task_messages(&state.history, &page.task);
    let title = format!("MESSAGES {}", rows.len());
    table::heading(canvas, area, &title, has_focus);
    let body = body(area);
    let inner = table::indented(body);
    let selected = page.messages.row_in(&rows).unwrap_or(0);
    let top = table::offset(selected, usize::from(body.height));
    if rows.is_empty() {
        canvas.line(inner, 0, &[dim("no webhook message about it is known")]);
    }
    for (at, id) in rows
        .iter()
        .enumerate()
        .skip(top)
        .take(usize::from(body.height))
    {
        let Some(message) = state.history.deliveries.get(id) else {
            continue;
        };
        let kind = message
            .message
            .as_ref()
            .map_or("", |message| message.kind.name());
        let is_selected = at == selected && has_focus;
        let name_role = if is_selected {
            Role::Selected
        } else {
            Role::Text
        };
        let outcomes = delivery::outcomes(&state.history, message);
        let mut words: Pieces<'_> = vec![
            role(name_role, format!("{:<15} ", id.short(15))),
            dim(format!("{kind:<14} ")),
        ];
        words.extend(said(outcomes));
        let line = (at - top) as u16;
        canvas.line(inner, line, &words);
        if is_selected {
            table::mark(canvas, body, line, has_focus);
        }
    }
}
