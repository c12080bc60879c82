//! The webhooks about a task, an endpoint a line, its attempts on the same time axis.

use std::collections::BTreeMap;

use ratatui::layout::Rect;

use super::super::model::delivery;
use super::super::paint::{Canvas, dim, piece, plain};
use super::super::table;
use super::super::text::cut_middle;
use super::bar_area;
use crate::app::{State, Tone};
use crate::domain::time::rough_words;
use crate::domain::{Attempt, AttemptStatus, EndpointId, Forecast, OutcomeState, TaskId, Time};

/// Endpoints shown at most.
const MAX_LINES: usize = 6;

#[derive(Default)]
struct Line<'a> {
    delivered: usize,
    of: usize,
    attempts: Vec<&'a Attempt>,
    failing: Option<String>,
    next: Option<Time>,
}

/// Paints the webhooks of a task. Gives the lines taken.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    task: &TaskId,
    span: (Time, Time),
) -> u16 {
    let lines = lines(state, task);
    if lines.is_empty() {
        return 0;
    }
    let now = state.shown_at().wall;
    let inner = table::indented(area);
    canvas.line(inner, 0, &[dim("webhooks")]);
    let mut row = 1;
    for (endpoint, line) in lines.iter().take(MAX_LINES) {
        let tone = if line.failing.is_some() {
            Tone::Bad
        } else {
            Tone::Text
        };
        let mut words = vec![
            plain(format!("  {:<12} ", short_label(state, endpoint))),
            piece(tone, format!("{} of {}", line.delivered, line.of)),
        ];
        match &line.failing {
            Some(failing) => words.push(piece(Tone::Bad, format!(", {failing}"))),
            None => words.push(dim(" delivered")),
        }
        if let Some(at) = line.next.filter(|at| *at > now) {
            let due = rough_words(at.since(now));
            words.push(piece(Tone::Warn, format!(" ↻ {due} (est.)")));
        }
        let bars = bar_area(area);
        let left = Rect {
            width: bars.map_or(inner.width, |bars| bars.x - inner.x - 1),
            ..inner
        };
        canvas.line(left, row, &words);
        if let Some(bars) = bars {
            marks(canvas, bars, row, line, span);
        }
        row += 1;
    }
    row
}

fn short_label(state: &State, endpoint: &EndpointId) -> String {
    let label = delivery::label(&state.history, endpoint);
    cut_middle(&label, 12).into_owned()
}

fn lines<'a>(state: &'a State, task: &TaskId) -> BTreeMap<EndpointId, Line<'a>> {
    let history = &state.history;
    let mut lines: BTreeMap<EndpointId, Line<'a>> = BTreeMap::new();
    for message in history.deliveries.of_task(task) {
        for outcome in &message.outcomes {
            let line = lines.entry(outcome.endpoint.clone()).or_default();
            line.of += 1;
            line.delivered += usize::from(outcome.state == OutcomeState::Delivered);
            line.attempts.extend(message.attempts_at(&outcome.endpoint));
            if outcome.state == OutcomeState::Failed {
                let last = message.attempt(&outcome.last);
                let words = last.map_or_else(String::new, Attempt::outcome_words);
                line.failing.get_or_insert(words);
                if let Forecast::Next { at, .. } =
                    delivery::forecast(history, message, &outcome.endpoint)
                {
                    line.next = Some(line.next.map_or(at, |next| next.min(at)));
                }
            }
        }
    }
    lines
}

fn marks(canvas: &mut Canvas<'_>, bars: Rect, row: u16, line: &Line<'_>, span: (Time, Time)) {
    let width = i128::from(bars.width);
    let length = i128::from(span.1.since(span.0).max(1));
    for attempt in &line.attempts {
        let at = i128::from(attempt.started.since(span.0)) * width / length;
        // What comes after the task's end stands at the end of its time.
        let at = at.min(width - 1).max(0) as u16;
        let (glyph, tone) = delivery::attempt_glyph(&attempt.status);
        let tone = match attempt.status {
            AttemptStatus::Success => Tone::Dim,
            _ => tone,
        };
        let place = Rect {
            x: bars.x + at,
            width: 1,
            ..bars
        };
        canvas.line(place, row, &[piece(tone, glyph)]);
    }
}
