//! Notices over lines of the body: the newest lowest, each as long as it is where there is room.

use ratatui::layout::Rect;

use super::super::paint::{Canvas, Pieces, piece};
use super::super::text::{cut, wrap};
use crate::app::{State, Tone};

/// Cells of the mark before a notice.
const MARK: usize = 3;

/// The lines of the notices, `most` of them at most; what is left out of one is said by `…`.
pub fn lines(state: &State, width: u16, most: u16) -> Vec<Pieces<'static>> {
    let room = usize::from(width).saturating_sub(MARK + 1);
    let mut n_left = usize::from(most);
    let mut from_below: Vec<Pieces<'static>> = Vec::new();
    for toast in state.toasts.iter().rev() {
        let mut lines = wrap(&toast.text, room);
        if n_left == 0 {
            break;
        }
        if lines.len() > n_left {
            lines.truncate(n_left);
            if let Some(last) = lines.last_mut() {
                *last = cut(&format!("{last} …"), room).into_owned();
            }
        }
        n_left -= lines.len();
        let glyph = match toast.tone {
            Tone::Ok => "✓",
            Tone::Bad => "✗",
            Tone::Warn => "!",
            _ => "·",
        };
        for (at, line) in lines.into_iter().enumerate().rev() {
            let mark = if at == 0 { glyph } else { " " };
            from_below.push(vec![
                piece(toast.tone, format!(" {mark} ")),
                piece(toast.tone, line),
            ]);
        }
    }
    from_below.reverse();
    from_below
}

/// Paints such lines over the first ones of an area.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, lines: &[Pieces<'_>]) {
    for (row, line) in (0..area.height).zip(lines) {
        canvas.clear(Rect {
            y: area.y + row,
            height: 1,
            ..area
        });
        canvas.line(area, row, line);
    }
}
