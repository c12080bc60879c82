//! Lists on the screen: titles, rows, the marks before them, and where rows come from.

use ratatui::layout::Rect;

use super::model::provenance::Mark;
use super::paint::{Canvas, Columns, Pieces, dim, piece};
use super::text::wrap;
use super::{notice, table};
use crate::app::list::{Listed, Pick};
use crate::app::{RowKey, State, Viewport};

/// A row.
pub struct Line<'a> {
    text: Text<'a>,
    mark: Option<Mark>,
    is_marked: bool,
}

enum Text<'a> {
    /// A cell for each column.
    Cells(Vec<Pieces<'a>>),
    /// Over all columns: what must be said, then what is said where there is room.
    Across(Pieces<'a>, Pieces<'a>),
}

impl<'a> Line<'a> {
    pub fn new(cells: Vec<Pieces<'a>>, mark: Option<Mark>) -> Self {
        Self {
            text: Text::Cells(cells),
            mark,
            is_marked: false,
        }
    }

    /// The same, marked by the user or not.
    #[must_use]
    pub fn marked(self, is_marked: bool) -> Self {
        Self { is_marked, ..self }
    }

    /// A row of which nothing is to be said but what stands in it.
    pub fn plain(cells: Vec<Pieces<'a>>) -> Self {
        Self::new(cells, None)
    }

    /// A row that goes over all columns, its tail as far as there is room.
    pub fn across(head: Pieces<'a>, tail: Pieces<'a>) -> Self {
        Self {
            text: Text::Across(head, tail),
            mark: None,
            is_marked: false,
        }
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
    let n_missed = list.cursor().missed(list.ever(&state.history));
    let (body, missed) = table::above_missed(body, n_missed);
    viewport.rows = usize::from(body.height);
    let slice = list.shown(&state.history, viewport.rows, state.shown_at().wall);
    viewport.matching = slice.matching;
    if slice.keys.is_empty() {
        viewport.is_bare = true;
        notice::empty(canvas, area, state);
        return;
    }
    let layout = layout(table::indented(area).width);
    let selected = list.cursor().row_in(&slice.keys);
    titles(canvas, area, &layout);
    rows(canvas, body, &layout, &slice.keys, selected, line);
    viewport.selected = selected
        .and_then(|at| slice.keys.into_iter().nth(at))
        .map(as_row);
    if let Some(line) = missed {
        table::missed(canvas, line, n_missed);
    }
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
    if keys.is_empty() {
        say_nothing(canvas, table::indented(area), nothing);
    } else {
        titles(canvas, area, layout);
    }
    scrolled(canvas, body, layout, (pick, keys), has_focus, line)
}

/// Paints a short list of lines below a heading, scrolled to what is picked. Gives the rows there
/// is room for.
pub fn headed<'a, K: Clone + PartialEq>(
    canvas: &mut Canvas<'_>,
    area: Rect,
    heading: &str,
    (pick, keys): (&Pick<K>, &[K]),
    has_focus: bool,
    nothing: &str,
    mut line: impl FnMut(&K, bool) -> Option<Pieces<'a>>,
) -> usize {
    table::heading(canvas, area, heading, has_focus);
    let body = table::below(area, 1);
    if keys.is_empty() {
        say_nothing(canvas, table::indented(body), nothing);
    }
    let layout = Layout {
        columns: Columns::new(0, &[], 0),
        titles: &[],
    };
    scrolled(
        canvas,
        body,
        &layout,
        (pick, keys),
        has_focus,
        |_, key, is_selected| Some(Line::across(line(key, is_selected)?, Vec::new())),
    )
}

/// Says whole what an empty list means.
fn say_nothing(canvas: &mut Canvas<'_>, area: Rect, words: &str) {
    let lines = wrap(words, usize::from(area.width));
    for (row, text) in (0..area.height).zip(lines) {
        canvas.line(area, row, &[dim(text)]);
    }
}

fn scrolled<'a, K: Clone + PartialEq>(
    canvas: &mut Canvas<'_>,
    body: Rect,
    layout: &Layout,
    (pick, keys): (&Pick<K>, &[K]),
    has_focus: bool,
    line: impl FnMut(&Layout, &K, bool) -> Option<Line<'a>>,
) -> usize {
    let height = usize::from(body.height);
    let selected = pick.row_in(keys).unwrap_or(0);
    let top = table::offset(selected, height).min(keys.len());
    let shown = &keys[top..keys.len().min(top + height)];
    // A selection in a pane without the focus is none that a key would act on.
    let selected = has_focus.then(|| selected.saturating_sub(top));
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
    selected: Option<usize>,
    mut line: impl FnMut(&Layout, &K, bool) -> Option<Line<'a>>,
) {
    let inner = table::indented(body);
    for (at, key) in keys.iter().enumerate() {
        let is_selected = selected == Some(at);
        let Some(line) = line(layout, key, is_selected) else {
            continue;
        };
        let row = at as u16;
        match line.text {
            Text::Cells(cells) => layout.columns.row(canvas, inner, row, &cells),
            Text::Across(head, tail) => canvas.whole(inner, row, head, tail),
        }
        if let Some(mark) = line.mark {
            if mark.is_faded() {
                canvas.fade(inner, row);
            }
            let (glyph, tone) = mark.glyph();
            canvas.line(table::beside_mark(body), row, &[piece(tone, glyph)]);
        }
        if line.is_marked {
            canvas.line(table::before_text(body), row, &[table::user_mark()]);
        }
        if is_selected {
            table::mark(canvas, body, row);
        }
    }
}
