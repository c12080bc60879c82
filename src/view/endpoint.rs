//! One endpoint: what it wants, how it fares, and its latest attempts.

use ratatui::layout::Rect;

use super::endpoints::{state_words, types_words};
use super::model::{ago, asset_label};
use super::paint::{Canvas, Pieces, dim, piece, plain};
use super::{message, table};
use crate::app::State;
use crate::app::page::{EndpointPage, endpoint_attempts};
use crate::domain::{AttemptId, Endpoint};

/// Paints an endpoint. Gives the rows of its attempts.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, page: &EndpointPage) -> usize {
    let inner = table::indented(area);
    let Some(endpoint) = state.history.endpoints.get(&page.endpoint) else {
        let words = format!("endpoint {} was deleted", page.endpoint);
        canvas.line(inner, 1, &[dim(words)]);
        return 1;
    };
    let mut row = 0;
    for line in facts(state, endpoint) {
        canvas.line(inner, row, &line);
        row += 1;
    }
    row += 1;
    if row + 2 > area.height {
        return 1;
    }
    let heading = Rect {
        y: area.y + row,
        height: area.height - row,
        ..area
    };
    let rows = endpoint_attempts(&state.endpoints, &page.endpoint);
    table::heading(canvas, heading, "LATEST ATTEMPTS", true);
    let body = Rect {
        y: heading.y + 1,
        height: heading.height - 1,
        ..heading
    };
    let inner = table::indented(body);
    if rows.is_empty() {
        canvas.line(inner, 0, &[dim("none seen")]);
    }
    let ids: Vec<AttemptId> = rows.iter().map(|(_, attempt)| attempt.clone()).collect();
    let selected = page.attempts.row_in(&ids).unwrap_or(0);
    let height = usize::from(body.height);
    let top = table::offset(selected, height);
    for (at, (message, id)) in rows.iter().enumerate().skip(top).take(height) {
        let Some(delivery) = state.history.deliveries.get(message) else {
            continue;
        };
        let Some(attempt) = delivery.attempt(id) else {
            continue;
        };
        let kind = delivery.message.as_ref();
        let about = kind
            .and_then(|message| message.task.as_ref())
            .and_then(|task| state.history.tasks.get(task))
            .map_or_else(
                || message.short(15),
                |task| asset_label(&state.history, &task.asset()),
            );
        let kind = kind.map_or("message", |message| message.kind.name());
        let number = delivery.number_of(id).unwrap_or(0);
        let mut line =
            message::attempt_pieces(state, attempt, number, state.history.schedule.attempts());
        line.insert(2, plain(format!(" {kind:<14} ")));
        line.push(dim(format!("  {about}")));
        let row = (at - top) as u16;
        canvas.line(inner, row, &line);
        if at == selected {
            table::mark(canvas, body, row, true);
        }
    }
    height
}

fn facts(state: &State, endpoint: &Endpoint) -> Vec<Pieces<'static>> {
    let activity = state.endpoints.activity(&endpoint.id);
    let (glyph, word, tone) = state_words(endpoint, activity);
    let now = state.shown_at().wall;
    let (delivered, failing) =
        activity.map_or((0, 0), |activity| (activity.delivered, activity.failing));
    let fact = |name: &str, text: String| vec![dim(format!("{name:<11}")), plain(text)];
    let mut lines = vec![
        vec![
            piece(tone, format!("{glyph} {word}")),
            plain(format!(
                " · messages: {delivered} delivered, {failing} failing"
            )),
        ],
        fact("url", endpoint.url.to_string()),
        fact("events", types_words(endpoint)),
    ];
    let rate = endpoint
        .rate_limit
        .map_or_else(|| "none".to_owned(), |rate| format!("{rate} a second"));
    let created = endpoint
        .created
        .map_or_else(|| "unknown".to_owned(), |created| ago(now, created));
    lines.push(fact("rate limit", rate));
    lines.push(fact("created", created));
    lines.push(fact("id", endpoint.id.to_string()));
    if endpoint.is_inferred {
        lines.push(vec![dim(
            "known only from attempts: the server does not list endpoints",
        )]);
    }
    lines
}
