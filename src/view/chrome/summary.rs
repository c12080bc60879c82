//! The line over a list: counters at the left, filter and order at the right.

use ratatui::layout::Rect;

use super::super::paint::{Canvas, Pieces, Side, dim, piece, pieces_width, plain};
use super::{pace_words, task_counters};
use crate::app::filter::Filter;
use crate::app::{Screen, State, Tone};

/// Paints the summary.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, row: u16, state: &State, matching: usize) {
    let right = right(state, matching);
    let right_width = pieces_width(&right) as u16;
    let mut left = left(state);
    let room = usize::from(area.width.saturating_sub(right_width + 1));
    // Words go before numbers do.
    if pieces_width(&left) > room {
        for piece in &mut left {
            let short: String = piece
                .text
                .chars()
                .filter(|c| !c.is_ascii_lowercase() || state.screen != Screen::Tasks)
                .collect();
            piece.text = short.replace("   ", " ").into();
        }
    }
    let left_area = Rect {
        width: room as u16,
        ..area
    };
    canvas.line(left_area, row, &left);
    canvas.line_at(area, row, &right, Side::Right);
}

fn left(state: &State) -> Pieces<'static> {
    let history = &state.history;
    match state.screen {
        Screen::Tasks => task_counters(state),
        Screen::Events => vec![
            plain(format!(
                " {} ev/s",
                pace_words(state.pace.per_second(state.now))
            )),
            dim(format!(
                " · {} received · {} repeated · {} kept",
                history.events.total(),
                history.events.duplicates(),
                history.events.len()
            )),
        ],
        Screen::Deliveries => {
            let n_failing = history.deliveries.failing();
            let tone = if n_failing == 0 { Tone::Dim } else { Tone::Bad };
            vec![
                piece(tone, format!(" ✗ {n_failing}")),
                plain(" not delivered everywhere"),
                dim(format!(" · {} messages", history.deliveries.len())),
            ]
        }
        Screen::Endpoints => {
            let n_disabled = history
                .endpoints
                .values()
                .filter(|endpoint| endpoint.disabled)
                .count();
            vec![
                plain(format!(" {} endpoints", history.endpoints.len())),
                dim(format!(" · {n_disabled} disabled")),
            ]
        }
        Screen::Health => vec![dim(format!(" {}", state.session.base_url))],
    }
}

fn right(state: &State, matching: usize) -> Pieces<'static> {
    let order = match state.screen {
        Screen::Tasks => Some((state.tasks.order.by.name(), state.tasks.order.is_reversed)),
        Screen::Events => Some(("time", state.events.is_reversed)),
        Screen::Deliveries => Some(("time", state.deliveries.is_reversed)),
        Screen::Endpoints => Some((state.endpoints.sort.name(), state.endpoints.is_reversed)),
        Screen::Health => None,
    };
    let mut pieces = if state.prompt.is_none() {
        filter_words(state, matching)
    } else {
        Vec::new()
    };
    if let Some((by, is_reversed)) = order {
        let arrow = if is_reversed { "↑" } else { "↓" };
        pieces.push(dim(format!("  {arrow} {by} ")));
    }
    pieces
}

/// The filter in words: what it is, how many match, how far the scan is, what is wrong with it.
pub fn filter_words(state: &State, matching: usize) -> Pieces<'static> {
    let Some(filter) = filter_of(state) else {
        return Vec::new();
    };
    if let Some(why) = &filter.error {
        return vec![piece(Tone::Bad, format!("{why} "))];
    }
    if !filter.is_active() {
        return if state.prompt.is_some() {
            vec![dim("failed · visual:processing · endpoint:… · !word ")]
        } else {
            Vec::new()
        };
    }
    let (of, progress) = counts(state);
    let mut pieces = Vec::new();
    if state.prompt.is_none() {
        pieces.push(piece(Tone::Accent, format!("/{}", filter.text)));
        pieces.push(plain("  "));
    }
    pieces.push(plain(format!("{matching} of {of} ")));
    if let Some(percent) = progress {
        pieces.push(piece(Tone::Info, format!("· filtering {percent} % ")));
    }
    pieces
}

fn filter_of(state: &State) -> Option<&Filter> {
    match state.screen {
        Screen::Tasks => Some(&state.tasks.filter),
        Screen::Events => Some(&state.events.filter),
        Screen::Deliveries => Some(&state.deliveries.filter),
        Screen::Endpoints => Some(&state.endpoints.filter),
        Screen::Health => None,
    }
}

fn counts(state: &State) -> (usize, Option<usize>) {
    let history = &state.history;
    match state.screen {
        Screen::Tasks => (history.tasks.len(), state.tasks.progress(history)),
        Screen::Events => (history.events.len(), state.events.progress(history)),
        Screen::Deliveries => (history.deliveries.len(), state.deliveries.progress(history)),
        Screen::Endpoints | Screen::Health => (history.endpoints.len(), None),
    }
}
