//! The help overlay, made from the keymap, so that it cannot go stale.

use ratatui::layout::Rect;

use super::chrome::key_words;
use super::paint::{Canvas, Pieces, dim, folded, plain, role};
use super::theme::Role;
use crate::app::State;
use crate::app::keymap::Mode;

/// Cells of the overlay, where there is room.
const WIDTH: u16 = 88;

/// The glyphs, in words.
const LEGEND: [&str; 7] = [
    "",
    "◷ queued   ▶ processing   ✓ completed, delivered   ✗ failed",
    "⊘ cancelled, disabled   · not applicable   ? unknown   ↻ retrying",
    "◌ older than the link's loss   ◇ from the journal, not confirmed   ≈ made by reeltop",
    "READY 3/4: three of four features are final · est.: from the schedule",
    "! flaky: something arrived since the last failure, yet messages are failing there",
    "P50 1H ≤41 ms: half of the last hour's answers took at most so long; P95: 95 %",
];

/// Paints the keys of the screen under it, and the glyphs. Gives the lines that it can be
/// scrolled by.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    mode: Mode,
    scroll: usize,
) -> usize {
    let room = usize::from(WIDTH.min(area.width).saturating_sub(4));
    let mut lines: Vec<Pieces<'static>> = state
        .keymap
        .help(mode)
        .into_iter()
        .map(|(keys, help)| {
            let keys: Vec<String> = keys.split(' ').map(key_words).collect();
            vec![
                role(Role::Key, format!("{:<15} ", keys.join(" "))),
                plain(help),
            ]
        })
        .collect();
    lines.extend(LEGEND.map(|words| vec![dim(words)]));
    let lines: Vec<Pieces<'static>> = lines
        .into_iter()
        .flat_map(|line| folded(line, room))
        .collect();
    let place = centered(area, WIDTH, lines.len() as u16 + 2);
    let room = usize::from(place.height.saturating_sub(2));
    let title = if lines.len() > room {
        "Keys · j and k scroll"
    } else {
        "Keys"
    };
    let inner = canvas.frame(place, title);
    let max_scroll = lines.len().saturating_sub(room);
    let top = scroll.min(max_scroll);
    for (at, line) in lines.iter().skip(top).take(room).enumerate() {
        canvas.line(inner, at as u16, line);
    }
    max_scroll
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
