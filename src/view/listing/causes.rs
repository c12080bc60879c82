//! The list of causes: what breaks, where, since when, and how much of it is still broken.

use super::super::list::Layout;
use super::super::model::{AGE, delivery, unread};
use super::super::paint::{Columns, Pieces, Side, dim, piece, plain, role};
use super::super::text::{cut_middle, wrap};
use super::super::theme::Role;
use super::age_there;
use crate::app::{State, Tone};
use crate::domain::{CauseId, visible};

/// Cells below which there are too few lines for all that is not read.
const NARROW: usize = 60;
/// Cells of a pattern at most.
const PATTERN: usize = 200;

/// What is still broken, and below it what is not read, on lines of its own at every width.
pub fn facts(state: &State, width: usize) -> Vec<Pieces<'static>> {
    let n_broken = state.history.deliveries.broken().len();
    let tone = if n_broken == 0 { Tone::Ok } else { Tone::Bad };
    let more = unread::more(&state.history);
    let broken = piece(tone, format!("still broken: {n_broken}{more}"));
    let mut lines = vec![vec![broken, dim(" · enter shows the messages of a cause")]];
    let unread = if width < NARROW {
        unread::short_with_reason(&state.history)
            .into_iter()
            .collect()
    } else {
        unread::words(&state.history, state.session.utc_offset)
    };
    for what in unread {
        let wrapped = wrap(&what, width).into_iter();
        lines.extend(wrapped.map(|line| vec![piece(Tone::Warn, line)]));
    }
    lines
}

pub fn layout(width: u16) -> Layout {
    use Side::{Left, Right};
    let (columns, titles): (_, &[_]) = match width {
        0..70 => (
            Columns::new(width, &[(6, Right), (12, Left), (0, Left)], 2),
            &["BROKEN", "ENDPOINT", "WHY"],
        ),
        70..110 => (
            Columns::new(
                width,
                &[(6, Right), (8, Right), (16, Left), (0, Left), (AGE, Left)],
                3,
            ),
            &["BROKEN", "MESSAGES", "ENDPOINT", "WHY", "LAST"],
        ),
        _ => (
            Columns::new(
                width,
                &[
                    (6, Right),
                    (8, Right),
                    (5, Right),
                    (18, Left),
                    (0, Left),
                    (AGE, Left),
                    (AGE, Left),
                ],
                4,
            ),
            &[
                "BROKEN", "MESSAGES", "TASKS", "ENDPOINT", "WHY", "FIRST", "LAST",
            ],
        ),
    };
    Layout { columns, titles }
}

pub fn cells(
    state: &State,
    layout: &Layout,
    id: CauseId,
    is_selected: bool,
) -> Option<Vec<Pieces<'static>>> {
    let sum = state.history.deliveries.cause(id)?;
    let tone = if sum.n_broken == 0 {
        Tone::Dim
    } else {
        Tone::Bad
    };
    let kind = if is_selected {
        Role::Selected
    } else {
        Role::Text
    };
    let more = unread::more(&state.history);
    let broken = vec![piece(tone, format!("{}{more}", sum.n_broken))];
    let n_columns = layout.titles.len();
    let place = match n_columns {
        3 => 1,
        5 => 2,
        _ => 3,
    };
    let label = delivery::label(&state.history, &sum.cause.endpoint);
    let label = cut_middle(&label, layout.columns.width(place)).into_owned();
    let endpoint = vec![role(kind, label)];
    let mut why = vec![piece(tone, sum.cause.words())];
    if !sum.cause.pattern.is_empty() && sum.cause.code != 0 {
        let pattern = visible(&sum.cause.pattern).into_owned();
        let pattern: String = pattern.chars().take(PATTERN).collect();
        why.push(dim(format!("  “{pattern}”")));
    }
    let messages = vec![plain(format!("{}{more}", sum.n_messages))];
    let last = vec![age_there(state, sum.last)];
    Some(match n_columns {
        3 => vec![broken, endpoint, why],
        5 => vec![broken, messages, endpoint, why, last],
        _ => vec![
            broken,
            messages,
            vec![plain(format!("{}{more}", sum.n_tasks))],
            endpoint,
            why,
            vec![age_there(state, sum.first)],
            last,
        ],
    })
}
