//! Screen 2: recent events, newest first.

use ratatui::layout::Rect;

use super::list;
use super::model::{
    AGE, ago_in_column, asset_label, changed_words, event_glyph, proof, provenance, task_glyph,
};
use super::paint::{Canvas, Columns, Pieces, Side, dim, piece, plain, role, said};
use super::text::cut_middle;
use super::theme::Role;
use crate::app::{RowKey, State, Tone, Viewport};
use crate::domain::{EventEntry, EventRow, Gap, Hole, Missing, Time, visible};

/// Paints the list of events.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    list::screen(
        canvas,
        area,
        (state, &state.events),
        viewport,
        layout,
        RowKey::Event,
        |layout, position, is_selected| {
            Some(match state.history.events.row(*position)? {
                EventRow::Event(entry) => {
                    let cells = cells(state, layout, entry, is_selected);
                    list::Line::new(cells, provenance::of_event(entry.origin))
                }
                EventRow::Gap(gap) => gap_line(state, layout, gap, is_selected),
                EventRow::Hole(hole) => hole_line(state, layout, hole, is_selected),
            })
        },
    );
}

fn layout(width: u16) -> list::Layout {
    use Side::{Left, Right};
    let (columns, titles): (_, &[_]) = match width {
        0..57 => (
            Columns::new(width, &[(16, Left), (0, Left), (7, Right)], 1),
            &["EVENT", "ASSET", "WHEN"],
        ),
        57..97 => (
            Columns::new(width, &[(AGE, Left), (16, Left), (22, Left), (0, Left)], 3),
            &["WHEN", "EVENT", "ASSET", "WHAT CHANGED"],
        ),
        _ => (
            Columns::new(
                width,
                &[
                    (AGE, Left),
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
    };
    list::Layout { columns, titles }
}

fn cells(
    state: &State,
    layout: &list::Layout,
    entry: &EventEntry,
    is_selected: bool,
) -> Vec<Pieces<'static>> {
    let history = &state.history;
    let list::Layout { columns, titles } = layout;
    let n_columns = titles.len();
    let (glyph, tone) = event_glyph(&entry.kind);
    let kind: Pieces<'static> = vec![piece(tone, glyph), plain(format!(" {}", entry.kind.name()))];
    let (asset_column, when_column) = match n_columns {
        3 => (1, 2),
        4 => (2, 0),
        _ => (3, 0),
    };
    let age = ago_in_column(
        state.tasks_at(),
        history.event_time(entry),
        columns.width(when_column),
    );
    let when: Pieces<'static> = vec![dim(age)];
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
    let changed = said(changed_words(history, entry));
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

/// A gap as a row of its own, over all columns.
fn gap_line(
    state: &State,
    layout: &list::Layout,
    gap: &Gap,
    is_selected: bool,
) -> list::Line<'static> {
    let now = state.shown_at().wall;
    let (tone, words) = proof::gap_words(gap, now, state.session.utc_offset);
    across(
        state,
        layout,
        is_selected,
        (tone, "◌ "),
        (gap.to.unwrap_or(now), words),
    )
}

/// What the journal lacks, as a row of its own, where it lacks it.
fn hole_line(
    state: &State,
    layout: &list::Layout,
    hole: &Hole,
    is_selected: bool,
) -> list::Line<'static> {
    let tone = match hole.why {
        Missing::LetGo => Tone::Dim,
        Missing::NotRecorded(_) | Missing::Damaged => Tone::Warn,
    };
    let words = vec![
        "not in the journal".to_owned(),
        format!(": {}", hole.words()),
    ];
    across(
        state,
        layout,
        is_selected,
        (tone, "◌ "),
        (hole.until, words),
    )
}

fn across(
    state: &State,
    layout: &list::Layout,
    is_selected: bool,
    (tone, glyph): (Tone, &'static str),
    (at, words): (Time, Vec<String>),
) -> list::Line<'static> {
    let now = state.shown_at().wall;
    let kind = match () {
        () if is_selected => Role::Selected,
        // No filter hides a gap, though none matches it.
        () if state.events.filter.is_active() => Role::Dim,
        () => Role::Text,
    };
    let mut head = match layout.titles.first() {
        Some(&"WHEN") => {
            let room = layout.columns.width(0);
            let age = ago_in_column(now, at, room);
            vec![dim(format!("{age:<room$} "))]
        }
        _ => Vec::new(),
    };
    let mut words = words.into_iter().map(|words| role(kind, words));
    head.push(piece(tone, glyph));
    head.extend(words.next());
    list::Line::across(head, words.collect())
}
