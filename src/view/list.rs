//! Lists on the screen: titles, rows, the marks before them, and where rows come from.

use ratatui::layout::Rect;

use super::model::provenance::Mark;
use super::paint::{Canvas, Columns, Pieces, dim, piece};
use super::{notice, table};
use crate::app::list::{Listed, Pick};
use crate::app::{RowKey, State, Viewport};

/// A row.
pub struct Line<'a> {
    /// One for each column, or one over all of them.
    pub cells: Vec<Pieces<'a>>,
    pub mark: Option<Mark>,
}

impl<'a> Line<'a> {
    /// A row of which nothing is to be said but what stands in it.
    pub fn plain(cells: Vec<Pieces<'a>>) -> Self {
        Self { cells, mark: None }
    }

    /// A row that goes over all columns.
    pub fn across(words: Pieces<'a>) -> Self {
        Self::plain(vec![words])
    }
}

/// Columns with their titles.
pub struct Layout {
    pub columns: Columns,
    pub titles: &'static [&'static str],
}

/// Paints the list of a screen; `line` makes a row of a key, if there is still such a row.
pub fn screen<'a, L: Listed>(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (state, list): (&'a State, &'a L),
    viewport: &mut Viewport,
    layout: impl FnOnce(u16) -> Layout,
    as_row: impl FnOnce(L::Key) -> RowKey,
    line: impl FnMut(&Layout, &L::Key, bool) -> Option<Line<'a>>,
) {
    let body = table::below(area, u16::from(area.height >= 3));
    viewport.rows = usize::from(body.height);
    let slice = list.shown(&state.history, viewport.rows, state.shown_at().wall);
    viewport.matching = slice.matching;
    if slice.keys.is_empty() {
        notice::empty(canvas, area, state);
        return;
    }
    let layout = layout(table::indented(area).width);
    let selected = list.cursor().row_in(&slice.keys);
    titles(canvas, area, &layout);
    rows(canvas, body, &layout, &slice.keys, (selected, true), line);
    viewport.selected = selected
        .and_then(|at| slice.keys.into_iter().nth(at))
        .map(as_row);
    table::missed(
        canvas,
        body,
        list.cursor().missed(list.ever(&state.history)),
    );
}

/// Paints a short list below its titles, scrolled to what is picked; `nothing` where it is empty.
/// Gives the rows there is room for.
pub fn picked<'a, K: Clone + PartialEq>(
    canvas: &mut Canvas<'_>,
    area: Rect,
    layout: &Layout,
    (pick, keys): (&Pick<K>, &[K]),
    has_focus: bool,
    nothing: &str,
    line: impl FnMut(&Layout, &K, bool) -> Option<Line<'a>>,
) -> usize {
    let body = table::below(area, u16::from(area.height >= 3));
    let height = usize::from(body.height);
    let Some(selected) = pick.row_in(keys) else {
        canvas.line(table::indented(area), 0, &[dim(nothing)]);
        return height;
    };
    titles(canvas, area, layout);
    let top = table::offset(selected, height);
    let shown = &keys[top..keys.len().min(top + height)];
    let selected = (Some(selected - top), has_focus);
    rows(canvas, body, layout, shown, selected, line);
    height
}

fn titles(canvas: &mut Canvas<'_>, area: Rect, layout: &Layout) {
    if area.height >= 3 {
        table::titles(
            canvas,
            table::indented(area),
            &layout.columns,
            layout.titles,
        );
    }
}

fn rows<'a, K>(
    canvas: &mut Canvas<'_>,
    body: Rect,
    layout: &Layout,
    keys: &[K],
    (selected, has_focus): (Option<usize>, bool),
    mut line: impl FnMut(&Layout, &K, bool) -> Option<Line<'a>>,
) {
    let inner = table::indented(body);
    for (at, key) in keys.iter().enumerate() {
        let is_selected = selected == Some(at);
        let Some(line) = line(layout, key, is_selected && has_focus) else {
            continue;
        };
        let row = at as u16;
        match line.cells.as_slice() {
            [across] => canvas.whole(inner, row, across.clone()),
            cells => layout.columns.row(canvas, inner, row, cells),
        }
        if let Some(mark) = line.mark {
            if mark.is_faded() {
                canvas.fade(inner, row);
            }
            let (glyph, tone) = mark.glyph();
            canvas.line(table::beside_mark(body), row, &[piece(tone, glyph)]);
        }
        if is_selected {
            table::mark(canvas, body, row, has_focus);
        }
    }
}
