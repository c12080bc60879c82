//! Screen 6: what a receiver beside the dashboard got, a row for each message.

use ratatui::layout::Rect;

use super::list;
use super::model::received::{answer_words, finding_words};
use super::model::{AGE, ago_in_column, bytes, task_label};
use super::paint::{Canvas, Columns, Pieces, Side, dim, piece, plain, role, said};
use super::text::cut_middle;
use super::theme::Role;
use crate::app::{RowKey, State, Tone, Viewport};
use crate::domain::{Receipt, visible};

/// Paints the list of what was received.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    list::screen(
        canvas,
        area,
        (state, &state.received),
        viewport,
        layout,
        RowKey::Received,
        |layout, number, is_selected| {
            let receipt = state.history.received.get(*number)?;
            let cells = cells(state, receipt, layout, is_selected)?;
            Some(list::Line::plain(cells))
        },
    );
}

fn layout(width: u16) -> list::Layout {
    use Side::{Left, Right};
    let (columns, titles): (_, &[_]) = match width {
        0..57 => (
            Columns::new(width, &[(15, Left), (0, Left), (3, Right)], 1),
            &["EVENT", "SIGNATURE", "ANS"],
        ),
        57..100 => (
            // A message's id has no room here; it stands on its page.
            Columns::new(
                width,
                &[(AGE, Left), (15, Left), (0, Left), (5, Left), (6, Right)],
                2,
            ),
            &["WHEN", "EVENT", "SIGNATURE", "TIMES", "ANSWER"],
        ),
        _ => (
            Columns::new(
                width,
                &[
                    (AGE, Left),
                    (15, Left),
                    (17, Left),
                    (if width < 140 { 13 } else { 26 }, Left),
                    (0, Left),
                    (5, Left),
                    (6, Right),
                    (8, Right),
                ],
                4,
            ),
            &[
                "WHEN",
                "EVENT",
                "MESSAGE",
                "ASSET",
                "SIGNATURE",
                "TIMES",
                "ANSWER",
                "SIZE",
            ],
        ),
    };
    list::Layout { columns, titles }
}

fn cells(
    state: &State,
    receipt: &Receipt,
    list::Layout { columns, titles }: &list::Layout,
    is_selected: bool,
) -> Option<Vec<Pieces<'static>>> {
    let n_columns = titles.len();
    let (at, last) = receipt.last()?;
    let name = last.kind.as_ref().map_or("?", |kind| kind.name());
    let name_role = if is_selected {
        Role::Selected
    } else {
        Role::Text
    };
    let event = vec![role(name_role, visible(name).into_owned())];
    let mut signature = said(finding_words(&last.finding));
    if last.is_other_body {
        signature.insert(0, piece(Tone::Warn, "another body · "));
    }
    let answer = said([answer_words(last.code)]);
    if n_columns == 3 {
        return Some(vec![event, signature, answer]);
    }
    let now = state.shown_at().wall;
    let when = vec![dim(ago_in_column(now, at.wall, columns.width(0)))];
    let times = match receipt.n_requests {
        1 => Vec::new(),
        n => vec![piece(Tone::Warn, format!("×{n}"))],
    };
    if n_columns == 5 {
        return Some(vec![when, event, signature, times, answer]);
    }
    let message = last.message.as_ref();
    let message = message.map_or_else(|| dim("no id"), |id| plain(id.short(17)));
    let asset = last.task.as_ref().map(|task| {
        let label = task_label(&state.history, task);
        dim(cut_middle(&visible(&label), columns.width(3)).into_owned())
    });
    Some(vec![
        when,
        event,
        vec![message],
        asset.into_iter().collect(),
        signature,
        times,
        answer,
        vec![dim(bytes(last.body.len() as u64))],
    ])
}
