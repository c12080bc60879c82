//! The lower half of a task's page: its events and its messages, side by side where there is room.

use ratatui::layout::Rect;

use super::super::list;
use super::super::model::{changed_words, delivery, provenance, unread};
use super::super::paint::{Canvas, Pieces, role, said};
use super::super::table;
use super::super::theme::Role;
use super::{dim, event_glyph, piece, plain, task_events, task_messages};
use crate::app::page::TaskPage;
use crate::app::{State, Tone};

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

fn events(canvas: &mut Canvas<'_>, area: Rect, state: &State, page: &TaskPage, has_focus: bool) {
    let rows = task_events(&state.history, &page.task);
    let title = format!("EVENTS {}", rows.len());
    let nothing = "none seen since reeltop began";
    let pick = (&page.events, rows.as_slice());
    list::headed(
        canvas,
        area,
        &title,
        pick,
        has_focus,
        nothing,
        |position, _| {
            let entry = state.history.events.get(*position)?;
            let (glyph, tone) = event_glyph(&entry.kind);
            let clock = state.clock(state.history.event_time(entry));
            let (mark, mark_tone) = match provenance::of_event(entry.origin) {
                Some(mark) => mark.glyph(),
                None => (" ", Tone::Dim),
            };
            let mut words: Pieces<'_> = vec![
                dim(clock),
                piece(mark_tone, format!(" {mark}")),
                piece(tone, glyph),
                plain(format!(" {:<14} ", entry.kind.name())),
            ];
            words.extend(said(changed_words(&state.history, entry)));
            Some(words)
        },
    );
}

fn messages(canvas: &mut Canvas<'_>, area: Rect, state: &State, page: &TaskPage, has_focus: bool) {
    let rows = task_messages(&state.history, &page.task);
    let history = &state.history;
    let unread = unread::messages_before_of(history, &page.task);
    let more = unread.map_or("", |_| "+");
    let title = format!("MESSAGES {}{more}", rows.len());
    let nothing = unread.map_or_else(
        || "no webhook message about it is known".to_owned(),
        |before| unread::messages_words(history, before, state.session.utc_offset),
    );
    let pick = (&page.messages, rows.as_slice());
    list::headed(
        canvas,
        area,
        &title,
        pick,
        has_focus,
        &nothing,
        |id, is_selected| {
            let message = state.history.deliveries.get(id)?;
            let kind = message.message.as_ref();
            let kind = kind.map_or("", |message| message.kind.name());
            let name_role = if is_selected {
                Role::Selected
            } else {
                Role::Text
            };
            let mark = if state.marks.has(id) {
                table::user_mark()
            } else {
                plain(" ")
            };
            let mut words: Pieces<'_> = vec![
                role(name_role, format!("{:<15} ", id.short(15))),
                mark,
                dim(format!(" {kind:<14} ")),
            ];
            words.extend(said(delivery::outcomes(&state.history, message)));
            Some(words)
        },
    );
}
