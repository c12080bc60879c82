//! A task: its features over time, the webhooks about it, its events and messages.

use ratatui::layout::Rect;

use super::model::timeline::{Track, bar, tracks};
use super::model::{ago, event_glyph, feature_glyph, provenance, task_glyph, task_label};
use super::paint::{Canvas, Columns, Pieces, Side, dim, piece, plain, role};
use super::table::{self, below};
use super::theme::Role;
use crate::app::page::{TaskPage, task_events, task_messages};
use crate::app::{State, Tone};
use crate::domain::time::{SECOND, duration_words, tick_words};
use crate::domain::{Delivery, FeatureState, TaskRow, Time, visible};

mod lists;
mod webhooks;

/// Paints a task. Gives the rows of the pane that has the focus.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    page: &TaskPage,
    has_focus: bool,
) -> usize {
    let Some(row) = state.history.tasks.get(&page.task) else {
        let words = format!("task {} is no longer in memory", page.task);
        canvas.line(table::indented(area), 1, &[dim(words)]);
        return 1;
    };
    let now = state.tasks_at();
    let mut top = heading(canvas, area, state, row, has_focus);
    let rows = tracks(&state.history, row);
    let span = span(state, &rows, row, now);
    let budget = usize::from(area.height.saturating_sub(top + 6)).max(2);
    let shown = features(canvas, below(area, top), &rows, span, now, budget);
    top += shown;
    if area.height > top + 8 {
        top += webhooks::draw(canvas, below(area, top), state, &page.task, span);
    }
    let rest = below(area, top + u16::from(area.height > top + 4));
    lists::draw(canvas, rest, state, page, has_focus)
}

fn heading(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    row: TaskRow<'_>,
    has_focus: bool,
) -> u16 {
    let (glyph, tone) = task_glyph(row.state());
    let tally = row.features().tally();
    let mut pieces: Pieces<'_> = vec![
        piece(tone, format!(" {glyph} {}", row.state().name())),
        plain(format!(" · {} of {}", tally.ready, tally.wanted)),
    ];
    if row.is_gone() {
        pieces.push(piece(Tone::Warn, " · the service no longer knows it"));
    }
    let told = provenance::words(row.origin(), row.received(), state.shown_at().wall);
    match provenance::of_task(state, row) {
        Some(mark) => pieces.push(piece(Tone::Warn, format!(" · {} {told}", mark.glyph().0))),
        None => pieces.push(dim(format!(" · {told}"))),
    }
    let tail = [
        dim(format!(
            " · created {} ({})",
            state.clock(row.created()),
            ago(state.tasks_at(), row.created())
        )),
        dim(format!(" · task {}", row.id().short(13))),
        dim(format!(" · asset {}", row.asset().short(13))),
    ];
    let mut top = 0;
    if !has_focus {
        let name = task_label(&state.history, &row.id());
        canvas.line(area, 0, &[role(Role::Title, format!(" {name}"))]);
        top = 1;
    }
    canvas.whole(area, top, pieces, tail);
    top + if area.height >= 12 { 2 } else { 1 }
}

/// From when to when the bars go: the task's time, and the attempts to tell of it, as far as they
/// do not take more than half of the axis.
fn span(state: &State, rows: &[Track], row: TaskRow<'_>, now: Time) -> (Time, Time) {
    let from = row.created();
    let is_running = rows.iter().any(|track| !track.state.is_final());
    if is_running {
        return (from, now.max(from.plus(SECOND)));
    }
    let end = row.updated().max(from.plus(SECOND));
    let task = row.id();
    let attempts = state.history.deliveries.of_task(&task);
    let last = attempts
        .flat_map(Delivery::attempts)
        .map(|attempt| state.history.on_task_clock(attempt.started))
        .max();
    let most = end.plus(end.since(from));
    (from, last.map_or(end, |last| last.clamp(end, most)))
}

/// Where the bars begin: where there is room, what is told before them has more of it.
fn bar_start(width: u16) -> u16 {
    if width >= 150 { 64 } else { 46 }
}

/// The part of a line that bars take, if there is room for them.
fn bar_area(area: Rect) -> Option<Rect> {
    let start = bar_start(area.width);
    (area.width >= start + 24).then(|| Rect {
        x: area.x + start,
        width: (area.width - start - 2).min(90),
        ..area
    })
}

fn features(
    canvas: &mut Canvas<'_>,
    area: Rect,
    rows: &[Track],
    span: (Time, Time),
    now: Time,
    budget: usize,
) -> u16 {
    let inner = table::indented(area);
    let columns = Columns::new(
        inner.width.min(bar_start(area.width) - 5),
        &[
            (13, Side::Left),
            (0, Side::Left),
            (6, Side::Right),
            (6, Side::Right),
        ],
        1,
    );
    table::titles(
        canvas,
        inner,
        &columns,
        &["FEATURE", "STATE", "SINCE", "TOOK"],
    );
    if let Some(bars) = bar_area(area) {
        axis(canvas, bars, span);
    }
    let n_shown = rows.len().min(budget.saturating_sub(1));
    for (at, track) in rows.iter().take(n_shown).enumerate() {
        let line = at as u16 + 1;
        let (glyph, tone) = feature_glyph(Some(&track.state));
        let name = visible(track.feature.name()).into_owned();
        let is_internal = !track.feature.is_user_facing();
        let name = if is_internal { dim(name) } else { plain(name) };
        let since = track
            .since
            .map_or_else(|| "·".to_owned(), |since| duration_words(now.since(since)));
        let took = track.took(now).map_or_else(
            || "·".to_owned(),
            |took| {
                let mark = if track.is_running() { "…" } else { "" };
                format!("{}{mark}", duration_words(took))
            },
        );
        let cells: Vec<Pieces<'_>> = vec![
            vec![name],
            vec![
                piece(tone, glyph),
                plain(format!(" {}", track.state.name())),
            ],
            vec![dim(since)],
            vec![dim(took)],
        ];
        columns.row(canvas, inner, line, &cells);
        if let Some(bars) = bar_area(area) {
            let text = bar(track, span.0, span.1, usize::from(bars.width), glyph);
            let kind = match track.state {
                FeatureState::Failed => Tone::Bad,
                FeatureState::Processing => Tone::Info,
                _ => Tone::Dim,
            };
            canvas.line(bars, line, &[piece(kind, text)]);
        }
    }
    let mut used = n_shown as u16 + 1;
    if n_shown < rows.len() {
        let words = format!("… {} more features", rows.len() - n_shown);
        canvas.line(inner, used, &[dim(words)]);
        used += 1;
    }
    used
}

/// Offsets from the creation, at every quarter.
fn axis(canvas: &mut Canvas<'_>, bars: Rect, span: (Time, Time)) {
    let length = span.1.since(span.0);
    for quarter in 0..4 {
        let shift = bars.width * quarter / 4;
        let words = match quarter {
            0 if bars.width / 4 > 7 => "created".to_owned(),
            0 => "0s".to_owned(),
            _ => format!("+{}", tick_words(length / 4 * i64::from(quarter))),
        };
        let place = Rect {
            x: bars.x + shift,
            width: bars.width / 4,
            ..bars
        };
        canvas.line(place, 0, &[dim(words)]);
    }
}
