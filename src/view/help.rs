//! The help overlay, made from the keymap, so that it cannot go stale.

use ratatui::layout::Rect;

use super::chrome::key_words;
use super::paint::{Canvas, dim, plain, role};
use super::theme::Role;
use crate::app::State;
use crate::app::keymap::Mode;

/// Paints the keys of the screen under it, and the glyphs.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let mode = if state.pages.is_empty() {
        Mode::List
    } else {
        Mode::Detail
    };
    let lines = state.keymap.help(mode);
    let is_wide = area.width >= 110;
    let n_columns: u16 = if is_wide { 2 } else { 1 };
    let n_rows = lines.len().div_ceil(usize::from(n_columns)) as u16;
    let place = centered(area, if is_wide { 108 } else { 66 }, n_rows + 7);
    let inner = canvas.frame(place, "Keys");
    let column_width = inner.width / n_columns;
    let legend_height = if inner.height > n_rows + 3 { 4 } else { 0 };
    let room = inner.height.saturating_sub(legend_height);
    for (at, (keys, help)) in lines.iter().enumerate() {
        let column = if is_wide { at as u16 / n_rows } else { 0 };
        let row = at as u16 - column * n_rows;
        if row >= room {
            continue;
        }
        let column_area = Rect {
            x: inner.x + column * column_width,
            width: column_width.saturating_sub(1),
            height: room,
            ..inner
        };
        let keys: Vec<String> = keys.split(' ').map(key_words).collect();
        let line = [
            role(Role::Key, format!("{:<15} ", keys.join(" "))),
            plain(*help),
        ];
        canvas.line(column_area, row, &line);
    }
    if legend_height > 0 {
        legend(canvas, inner, n_rows + 1);
    }
}

fn legend(canvas: &mut Canvas<'_>, inner: Rect, row: u16) {
    for (at, words) in [
        "◷ queued   ▶ processing   ✓ completed, delivered   ✗ failed",
        "⊘ cancelled, disabled   · not applicable   ? unknown   ↻ retrying",
        "READY 3/4: three of four features are final · est.: from the schedule",
    ]
    .into_iter()
    .enumerate()
    {
        canvas.line(inner, row + at as u16, &[dim(words)]);
    }
}

/// A place in the middle, as large as asked for or as there is room.
pub fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}
