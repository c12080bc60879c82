//! Screen 1: tasks, one column per feature, and whether the endpoints were told.

use ratatui::layout::Rect;

use super::model::{
    FEATURE_COLUMNS, TaskLine, column_state, delivery, feature_glyph, provenance, task_glyph,
    task_line,
};
use super::paint::{Canvas, Columns, Piece, Pieces, Side, dim, piece, plain, role, said};
use super::text::cut_middle;
use super::theme::Role;
use super::{BESIDE, list, task};
use crate::app::page::TaskPage;
use crate::app::{RowKey, State, Tone, Viewport};
use crate::domain::visible;

/// How much of a row there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Feature columns, age, duration, last change, notified.
    Full,
    /// The same without the duration, the columns close together.
    Close,
    /// One column of glyphs instead of the feature columns.
    Narrow,
    /// State glyph, asset, ready, age.
    Minimal,
    /// State glyph, asset, ready.
    Tiny,
}

impl Layout {
    fn of(width: u16) -> Self {
        match width {
            0..36 => Self::Tiny,
            36..60 => Self::Minimal,
            60..100 => Self::Narrow,
            100..116 => Self::Close,
            _ => Self::Full,
        }
    }

    fn titles(self) -> &'static [&'static str] {
        match self {
            Self::Full => &[
                "STATE",
                "ASSET",
                "PROXY",
                "PREVIEW",
                "VISUAL",
                "TRANSCR",
                "READY",
                "AGE",
                "TOOK",
                "LAST CHANGE",
                "NOTIFIED",
            ],
            Self::Close => &[
                "STATE",
                "ASSET",
                "PROXY",
                "PREV",
                "VIS",
                "TRANS",
                "READY",
                "AGE",
                "LAST CHANGE",
                "NOTIFIED",
            ],
            Self::Narrow => &["STATE", "ASSET", "FEAT", "READY", "AGE", "NOTIFIED"],
            Self::Minimal => &["", "ASSET", "READY", "AGE"],
            Self::Tiny => &["", "ASSET", "READY"],
        }
    }

    fn columns(self, width: u16) -> Columns {
        use Side::{Left, Middle, Right};
        let (state, asset, ready, age, notified) = (
            (12, Left),
            (0, Left),
            (5, Right),
            (6, Right),
            (delivery::NOTIFIED, Left),
        );
        let (wide, close) = ((7, Middle), (5, Middle));
        let widths: &[(u16, Side)] = match self {
            Self::Full => &[
                state,
                asset,
                wide,
                wide,
                wide,
                wide,
                ready,
                age,
                (7, Right),
                (17, Left),
                notified,
            ],
            Self::Close => &[
                state,
                asset,
                close,
                close,
                close,
                close,
                ready,
                age,
                (15, Left),
                notified,
            ],
            Self::Narrow => &[state, asset, (5, Left), ready, age, notified],
            Self::Minimal => &[(1, Left), asset, ready, age],
            Self::Tiny => &[(1, Left), asset, ready],
        };
        Columns::new(width, widths, 1)
    }
}

/// Paints the task list, and the selected task beside it where there is room.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    let list_width = if area.width >= BESIDE {
        (area.width * 3 / 5).max(104)
    } else {
        area.width
    };
    let list = Rect {
        width: list_width,
        ..area
    };
    list_of(canvas, list, state, viewport);
    if let Some(RowKey::Task(id)) = &viewport.selected
        && area.width >= BESIDE
    {
        let beside = Rect {
            x: area.x + list_width + 1,
            width: area.width - list_width - 1,
            ..area
        };
        let page = TaskPage {
            task: id.clone(),
            pane: 0,
            events: crate::app::list::Pick::default(),
            messages: crate::app::list::Pick::default(),
        };
        task::draw(canvas, beside, state, &page, false);
    }
}

fn list_of(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    let now = state.shown_at().wall;
    let layout = Layout::of(area.width);
    let mut unnamed = Vec::new();
    list::screen(
        canvas,
        area,
        (state, &state.tasks),
        viewport,
        |width| list::Layout {
            columns: layout.columns(width),
            titles: layout.titles(),
        },
        RowKey::Task,
        |table, id, is_selected| {
            let row = state.history.tasks.get(id)?;
            let line = task_line(&state.history, row, now);
            if !line.is_named {
                unnamed.push(line.asset_id.clone());
            }
            let cells = cells(layout, &table.columns, &line, is_selected);
            Some(list::Line::new(cells, provenance::of_task(state, row)))
        },
    );
    viewport.unnamed = unnamed;
}

fn cells(
    layout: Layout,
    columns: &Columns,
    line: &TaskLine,
    is_selected: bool,
) -> Vec<Pieces<'static>> {
    let (glyph, tone) = task_glyph(line.state);
    let state = vec![
        piece(tone, glyph),
        piece(
            if line.state == crate::domain::TaskState::Failed {
                tone
            } else {
                Tone::Text
            },
            format!(
                " {}",
                if line.is_gone {
                    "gone"
                } else {
                    line.state.name()
                }
            ),
        ),
    ];
    let name = cut_middle(&visible(&line.asset), columns.width(1)).into_owned();
    let asset = vec![role(
        if is_selected {
            Role::Selected
        } else if line.is_named {
            Role::Text
        } else {
            Role::Dim
        },
        name,
    )];
    let ready = vec![plain(line.ready.clone())];
    let age = vec![dim(line.age.clone())];
    let notified = vec![piece(line.notified.0, line.notified.1.clone())];
    match layout {
        Layout::Full | Layout::Close => {
            let mut cells = vec![state, asset];
            let features = FEATURE_COLUMNS.iter();
            cells.extend(features.map(|(feature, _)| vec![feature_cell(line, feature)]));
            cells.extend([ready, age]);
            if layout == Layout::Full {
                cells.push(vec![dim(line.took.clone())]);
            }
            cells.push(said(line.last_change.clone()));
            cells.push(notified);
            cells
        }
        Layout::Narrow => {
            let glyphs = FEATURE_COLUMNS
                .iter()
                .map(|(feature, _)| feature_cell(line, feature))
                .collect();
            vec![state, asset, glyphs, ready, age, notified]
        }
        Layout::Minimal => vec![vec![piece(tone, glyph)], asset, ready, age],
        Layout::Tiny => vec![vec![piece(tone, glyph)], asset, ready],
    }
}

fn feature_cell(line: &TaskLine, feature: &crate::domain::Feature) -> Piece<'static> {
    let state = column_state(&line.features, feature);
    let (glyph, tone) = feature_glyph(state.as_ref());
    let mut cell = piece(tone, glyph);
    cell.is_bold = line.fresh.as_ref() == Some(feature);
    cell
}
