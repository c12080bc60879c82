//! Lists on the screen: titles, rows, the mark of the selection, what is new above.

use ratatui::layout::Rect;

use super::paint::{Canvas, Columns, Piece, Pieces, dim, piece, role};
use super::theme::Role;
use crate::app::Tone;

/// The mark before the selected row.
const MARK: &str = "▌";

/// Cells before the first column.
pub const INDENT: u16 = 3;

/// An area without the cells that belong to the mark.
pub fn indented(area: Rect) -> Rect {
    let indent = if area.width < 60 { 2 } else { INDENT }.min(area.width);
    Rect {
        x: area.x + indent,
        width: area.width - indent,
        ..area
    }
}

/// Paints the titles of columns.
pub fn titles(canvas: &mut Canvas<'_>, area: Rect, columns: &Columns, titles: &[&str]) {
    let cells: Vec<Pieces<'_>> = titles.iter().map(|title| vec![dim(*title)]).collect();
    columns.row(canvas, area, 0, &cells);
}

/// Paints the mark of the selected row.
pub fn mark(canvas: &mut Canvas<'_>, area: Rect, row: u16) {
    let x = u16::from(area.width >= 60);
    let place = Rect {
        x: area.x + x.min(area.width),
        width: area.width.saturating_sub(x).min(1),
        ..area
    };
    if canvas.line(place, row, &[role(Role::Selected, MARK)]) > 0 {
        canvas.selected = Some(place.y + row);
    }
}

/// The lines of a list, and below them the one that says how much is new since following stopped:
/// no row, the selected one least of all, is under these words.
pub fn above_missed(area: Rect, n_new: u64) -> (Rect, Option<Rect>) {
    if n_new == 0 || area.height < 3 {
        return (area, None);
    }
    let height = area.height - 1;
    (Rect { height, ..area }, Some(below(area, height)))
}

/// Says how much is new since following stopped.
pub fn missed(canvas: &mut Canvas<'_>, line: Rect, n_new: u64) {
    let words = format!(" ▲ {n_new} new · following stopped · g follows again");
    canvas.line(line, 0, &[piece(Tone::Accent, words)]);
}

/// The cell beside the selection's mark, where it is told what is to be thought of a row.
pub fn beside_mark(area: Rect) -> Rect {
    let x = u16::from(area.width < 60).min(area.width);
    Rect {
        x: area.x + x,
        width: (area.width - x).min(1),
        ..area
    }
}

/// The last cell before the text of a row, where the user's mark stands.
pub fn before_text(area: Rect) -> Rect {
    let x = (indented(area).x - area.x).saturating_sub(1);
    Rect {
        x: area.x + x,
        width: (area.width - x).min(1),
        ..area
    }
}

/// The mark of a row that the user picked out.
pub fn user_mark() -> Piece<'static> {
    piece(Tone::Accent, "●")
}

/// An area without its first lines.
pub fn below(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect {
        y: area.y + lines,
        height: area.height - lines,
        ..area
    }
}

/// The first row shown, so that the selected one is in sight.
pub fn offset(selected: usize, height: usize) -> usize {
    (selected + 1).saturating_sub(height.max(1))
}

/// Heading of a pane, its rule below where there is room.
pub fn heading(canvas: &mut Canvas<'_>, area: Rect, text: &str, has_focus: bool) {
    let kind = if has_focus { Role::Title } else { Role::Dim };
    canvas.line(indented(area), 0, &[role(kind, text)]);
}
