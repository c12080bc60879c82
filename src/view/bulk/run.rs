//! Many replays under way: how the whole stands, then each pair.

use std::fmt::Write as _;

use ratatui::layout::Rect;

use super::super::help::centered;
use super::super::model::delivery::replay_glyph;
use super::super::model::sending::{leaving_words, score};
use super::super::paint::{Canvas, Columns, Pieces, Side, dim, piece, plain, role, said};
use super::super::text::cut_middle;
use super::super::theme::Role;
use super::{WIDTH, above_notes, first_row, indented, names};
use crate::app::bulk::ShownBulk;
use crate::app::bulk::run::{Phase, Run, RunRow, RunState};
use crate::app::bulk::sending::{RunView, unbegun_words};
use crate::app::{State, Tone};
use crate::domain::time::rough_words;
use crate::domain::{plural, visible};

/// Paints the run. Gives whether it said that Enter resumes.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    view: RunView,
) -> Option<ShownBulk> {
    let run = state.run.as_ref()?;
    let area = above_notes(area);
    let width = area
        .width
        .saturating_sub(2)
        .clamp(20, WIDTH)
        .min(area.width);
    let n_rows = run.rows().len().min(usize::from(u16::MAX / 2)) as u16;
    let place = centered(area, width, n_rows.saturating_add(8));
    let inner = canvas.frame(place, "Replay many");
    canvas.line(inner, 0, &[role(Role::Title, run.title.clone())]);
    canvas.line(inner, 1, &said(score(&run.score)));
    canvas.line(inner, 2, &phase(state, run));
    let body = Rect {
        y: inner.y + 4.min(inner.height),
        height: inner.height.saturating_sub(6),
        ..inner
    };
    let picked = view.at.unwrap_or_else(|| run.front());
    let from = first_row(picked, usize::from(body.height));
    let columns = columns(body.width);
    let rows = run.rows().iter().enumerate().skip(from);
    for (line, (at, row)) in rows.take(usize::from(body.height)).enumerate() {
        let is_picked = view.at == Some(at);
        let line = line as u16;
        let cells = cells(state, &columns, row, is_picked);
        columns.row(canvas, indented(body), line, &cells);
        if is_picked {
            canvas.line(body, line, &[role(Role::Selected, "▌")]);
        }
    }
    if inner.height > 3 {
        canvas.line(inner, inner.height - 1, &foot(run, view));
    }
    (run.phase == Phase::Stopped && inner.height > 3).then_some(ShownBulk::Stopped)
}

fn phase(state: &State, run: &Run) -> Pieces<'static> {
    match &run.phase {
        Phase::Undoable { until, .. } => {
            let words = leaving_words(state, *until);
            vec![piece(Tone::Accent, format!("{words}; u takes it back"))]
        }
        Phase::Going if run.left_alone(state.now.mono).is_some() => {
            let left = run.left_alone(state.now.mono).unwrap_or_default();
            let words = format!(
                "the service asks to wait until {} (429), {} more; then this goes on",
                until(state, left),
                rough_words(left)
            );
            vec![piece(Tone::Warn, words)]
        }
        Phase::Going if run.by.is_sweep() && run.n_unbegun(&state.history) > 0 => {
            let words = unbegun_words(run.by, run.n_unbegun(&state.history));
            vec![piece(Tone::Accent, words)]
        }
        Phase::Going if run.by.is_sweep() => vec![dim(
            "the service alone sends them, in its own order and at its own pace",
        )],
        Phase::Going => vec![dim(
            "the oldest first, the next of a task after the one before",
        )],
        Phase::Stopped => {
            let mut words = format!(
                "stopped: {}; {} not sent",
                run.stop_words(),
                plural(run.score.waiting, "is", "are")
            );
            if let Some(left) = run.stopped_for(state.now.mono) {
                let _ = write!(words, "; until {}", until(state, left));
            }
            vec![piece(Tone::Bad, words)]
        }
        Phase::Ended => vec![dim("over; L lists every replay with the attempt it caused")],
    }
}

fn until(state: &State, left: i64) -> String {
    let at = state.now.wall.plus(left);
    state.clock(at)
}

fn foot(run: &Run, view: RunView) -> Pieces<'static> {
    let n = run.score.waiting;
    if view.is_asking {
        let n = plural(n, "that is", "that are");
        let words = format!("u again cancels the {n} not sent     Esc go on");
        return vec![piece(Tone::Warn, words)];
    }
    let words = match &run.phase {
        Phase::Undoable { .. } => "u take back, nothing sent".to_owned(),
        Phase::Going if n > 0 => "u cancel what is not sent     Esc close, it goes on".to_owned(),
        Phase::Going => "Esc close, it goes on".to_owned(),
        Phase::Stopped => format!("Enter resume with {n}     u cancel them     Esc close"),
        Phase::Ended => "Esc close     r plan again".to_owned(),
    };
    vec![dim(words)]
}

fn columns(width: u16) -> Columns {
    use Side::Left;
    let width = width.saturating_sub(2);
    let asset = if width < 60 { 10 } else { width / 4 };
    Columns::new(
        width,
        &[(1, Left), (14, Left), (asset, Left), (14, Left), (0, Left)],
        4,
    )
}

fn cells(state: &State, columns: &Columns, row: &RunRow, is_picked: bool) -> Vec<Pieces<'static>> {
    let history = &state.history;
    let replay = row
        .state
        .number()
        .and_then(|number| history.replays.get(number));
    let (glyph, tone, words) = match (&row.state, replay) {
        (_, Some(replay)) => {
            let (glyph, tone) = replay_glyph(&replay.state);
            (glyph, tone, replay.words())
        }
        (RunState::PassedOver(why), _) => ("·", Tone::Dim, format!("not sent: {why}")),
        (RunState::Cancelled, _) => ("⊘", Tone::Dim, "cancelled, not sent".to_owned()),
        (RunState::Waiting, _) => ("◷", Tone::Dim, "waits for its turn".to_owned()),
        _ => ("?", Tone::Warn, "no more in memory; L lists it".to_owned()),
    };
    let names = names(history, &row.job.message);
    let kind_role = if is_picked {
        Role::Selected
    } else {
        Role::Text
    };
    let label = history.endpoint_label(&row.job.endpoint);
    vec![
        vec![piece(tone, glyph)],
        vec![role(kind_role, names.kind)],
        vec![plain(
            cut_middle(&names.asset, columns.width(2)).into_owned(),
        )],
        vec![plain(
            cut_middle(&visible(&label), columns.width(3)).into_owned(),
        )],
        vec![piece(tone, visible(&words).into_owned())],
    ]
}
