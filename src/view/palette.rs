//! The palette: actions by their names, with their keys.

use ratatui::layout::Rect;

use super::chrome::key_words;
use super::help::centered;
use super::paint::{Canvas, Pieces, dim, plain, role};
use super::table;
use super::theme::Role;
use crate::app::State;
use crate::app::palette::{Palette, spoken};

/// Rows that are shown at once, at most.
const ROWS: u16 = 14;

/// Paints the palette: what is typed, then what matches.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, palette: &Palette) {
    let rows = state.palette_rows(palette);
    let inner = canvas.frame(centered(area, 88, ROWS + 3), "Do what?");
    let typed: Pieces<'_> = vec![
        role(Role::Accent, ":"),
        plain(palette.prompt.text()),
        role(Role::Accent, "▏"),
    ];
    canvas.line(inner, 0, &typed);
    let list = table::below(inner, 1);
    if rows.is_empty() {
        canvas.line(table::indented(list), 0, &[dim("nothing is called so")]);
        return;
    }
    let picked = palette.picked(rows.len());
    let height = usize::from(list.height);
    let top = table::offset(picked, height);
    for (at, binding) in rows.iter().enumerate().skip(top).take(height) {
        let row = (at - top) as u16;
        let keys: Vec<String> = binding.names.iter().map(|key| key_words(key)).collect();
        let name = spoken(binding.action);
        let line = vec![
            if at == picked {
                role(Role::Selected, format!("{name:<14}"))
            } else {
                plain(format!("{name:<14}"))
            },
            role(Role::Key, format!(" {:<14} ", keys.join(" "))),
            dim(binding.action.help()),
        ];
        canvas.line(table::indented(list), row, &line);
        if at == picked {
            table::mark(canvas, list, row);
        }
    }
}
