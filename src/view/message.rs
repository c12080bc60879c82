//! A message: its attempts by endpoint, what comes next, why it fails, and its payload.

use ratatui::layout::Rect;

use super::model::{bytes, delivery, millis, provenance, unread};
use super::paint::{Canvas, Pieces, dim, piece, plain, role, safe_start};
use super::text::{cut, wrap};
use super::theme::Role;
use super::{json, table};
use crate::app::page::{MessagePage, message_attempts, message_endpoints};
use crate::app::{State, Tone};

use crate::domain::{
    Attempt, AttemptNumber, Delivery, EndpointId, History, NotRead, Payload, answer, visible,
};

/// Cells of an attempt's answer in its line at most.
const ANSWER: usize = 120;

/// A line of the attempts pane. What an attempt's line says is made only where it is in sight.
enum Line<'a> {
    Words(Pieces<'static>),
    Attempt(&'a Attempt),
}

/// Paints a message. Gives the rows of the pane that has the focus.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, page: &MessagePage) -> usize {
    let Some(message) = state.history.deliveries.get(&page.message) else {
        let words = format!("message {} is no longer in memory", page.message);
        canvas.line(table::indented(area), 1, &[dim(words)]);
        return 1;
    };
    if area.height < 2 {
        return 1;
    }
    let is_wide = area.width >= 100;
    let left_width = if is_wide {
        (area.width * 11 / 20).max(60)
    } else {
        area.width
    };
    let left = Rect {
        width: left_width,
        ..area
    };
    let right = if is_wide {
        Rect {
            x: area.x + left_width,
            width: area.width - left_width,
            ..area
        }
    } else {
        area
    };
    let has_payload_focus = page.pane == 1;
    if is_wide || !has_payload_focus {
        attempts(canvas, left, state, page, message, !has_payload_focus);
    }
    if is_wide || has_payload_focus {
        payload(canvas, right, state, page, message, has_payload_focus);
    }
    usize::from(area.height - 1)
}

fn attempts(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    page: &MessagePage,
    message: &Delivery,
    has_focus: bool,
) {
    let (origin, at) = message.told;
    let told = provenance::words(origin, at.wall, state.shown_at().wall);
    table::heading(canvas, area, &format!("ATTEMPTS   {told}"), has_focus);
    let ids = message_attempts(&state.history, &page.message);
    let picked = page.attempts.current(&ids);
    let inner = table::indented(area);
    let lines = lines(state, page, message, usize::from(inner.width));
    let selected = lines
        .iter()
        .position(|line| matches!(line, Line::Attempt(attempt) if Some(&attempt.id) == picked))
        .unwrap_or(0);
    let body = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    let inner = table::indented(body);
    // What follows the last attempt of an endpoint belongs to it, so it is shown with it.
    let reach = (selected + 3).min(lines.len().saturating_sub(1));
    let top = table::offset(reach, usize::from(body.height)).min(selected);
    for (at, line) in lines
        .iter()
        .enumerate()
        .skip(top)
        .take(usize::from(body.height))
    {
        let row = (at - top) as u16;
        match line {
            Line::Words(pieces) => canvas.line(inner, row, pieces),
            Line::Attempt(attempt) => {
                let number = state.history.number_of(message, &attempt.id);
                let of = state.history.schedule.attempts();
                canvas.line(inner, row, &attempt_pieces(state, attempt, number, of))
            }
        };
        if at == selected && has_focus && matches!(line, Line::Attempt(_)) {
            table::mark(canvas, body, row);
        }
    }
}

fn lines<'a>(
    state: &State,
    page: &MessagePage,
    message: &'a Delivery,
    width: usize,
) -> Vec<Line<'a>> {
    let history = &state.history;
    let now = state.shown_at().wall;
    let heading = Line::Words;
    let mut lines = Vec::new();
    let endpoints = message_endpoints(history, &page.message);
    for endpoint in &endpoints {
        if !lines.is_empty() {
            lines.push(heading(Vec::new()));
        }
        lines.push(heading(endpoint_heading(state, message, endpoint)));
        for replay in history.replays.of(&page.message, endpoint).rev() {
            let (glyph, tone) = delivery::replay_glyph(&replay.state);
            let whose = delivery::whose(state, replay);
            let words = format!("{glyph} {whose}: {}", replay.words());
            lines.push(heading(vec![piece(tone, words)]));
        }
        let attempts = message.attempts_at(endpoint);
        let forecast = delivery::forecast(history, message, endpoint);
        if let Some((tone, words)) = delivery::forecast_words(
            forecast,
            history.service_time(now),
            state.session.utc_offset,
        ) {
            for text in wrap(&words, width) {
                lines.push(heading(vec![piece(tone, text)]));
            }
        }
        lines.extend(attempts.into_iter().rev().map(Line::Attempt));
        if let Some(why) = delivery::why(history, message, endpoint) {
            for (at, text) in wrap(&visible(&why), width.saturating_sub(5))
                .into_iter()
                .enumerate()
            {
                let start = if at == 0 { "Why: " } else { "     " };
                lines.push(heading(vec![dim(start), plain(text)]));
            }
        }
    }
    if endpoints.is_empty() {
        let words = no_attempts(history, message);
        let lines_of = wrap(&words, width).into_iter();
        lines.extend(lines_of.map(|text| heading(vec![dim(text)])));
    }
    lines
}

/// Why no attempt of a message stands there.
fn no_attempts(history: &History, message: &Delivery) -> String {
    match history.why_unread_somewhere(message) {
        None => "no attempt seen yet: no endpoint wants it, or none was tried".to_owned(),
        Some(NotRead::Absent) => "this server does not tell its attempts".to_owned(),
        Some(NotRead::Yet) => "its attempts are not read yet".to_owned(),
        Some(why) => format!("its attempts {}", unread::sentence(why)),
    }
}

fn endpoint_heading(state: &State, message: &Delivery, endpoint: &EndpointId) -> Pieces<'static> {
    let known = state.history.endpoints.get(endpoint);
    let url = known.map_or_else(String::new, |known| known.url.to_string());
    let mut pieces = vec![
        role(Role::Title, delivery::label(&state.history, endpoint)),
        plain("  "),
    ];
    if known.is_some_and(|known| known.disabled) {
        pieces.push(piece(Tone::Warn, "⊘ disabled  "));
    }
    if let Some(outcome) = message.outcome(endpoint) {
        let (glyph, tone) = super::model::outcome_glyph(outcome.state);
        pieces.push(piece(tone, format!("{glyph}  ")));
    }
    pieces.push(dim(url));
    pieces
}

/// One attempt in a line: number, or that it was made by hand, time, code, duration, cause, and the start of the answer.
pub fn attempt_pieces(
    state: &State,
    attempt: &Attempt,
    number: Option<AttemptNumber>,
    of: usize,
) -> Pieces<'static> {
    let (glyph, tone) = delivery::attempt_glyph(&attempt.status);
    let took = attempt.duration_ms.map_or_else(|| "·".to_owned(), millis);
    let number = match number {
        None => "?".to_owned(),
        Some(AttemptNumber::Automatic(number)) if number <= of => format!("{number} of {of}"),
        Some(AttemptNumber::Automatic(number)) => number.to_string(),
        Some(AttemptNumber::Manual) => "manual".to_owned(),
    };
    let mut pieces = vec![
        piece(tone, glyph),
        plain(format!(" {number:<8}")),
        dim(format!(" {}  ", state.clock(attempt.started))),
        piece(tone, format!("{:>4}", attempt.outcome_words())),
        dim(format!("  {took:>7}")),
        dim(format!("  {:<9}", delivery::cause(&state.history, attempt))),
    ];
    if let Some(binary) = answer::binary(&attempt.response) {
        pieces.push(dim(format!("  {}", binary.words())));
        return pieces;
    }
    if answer::is_expunged(&attempt.response) {
        pieces.push(dim(format!("  {}", answer::EXPUNGED)));
        return pieces;
    }
    let answer = attempt.response.trim();
    if !answer.is_empty() {
        let answer = safe_start(answer, ANSWER);
        pieces.push(dim(format!("  “{}”", cut(&answer, ANSWER))));
    }
    pieces
}

fn payload(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    page: &MessagePage,
    message: &Delivery,
    has_focus: bool,
) {
    let payload = message.message.as_ref().map(|message| &message.payload);
    let note = match payload {
        Some(Payload::Json(text)) => format!("{}, from the API ", bytes(text.len() as u64)),
        _ => String::new(),
    };
    table::heading(canvas, area, "PAYLOAD", has_focus);
    canvas.line_right(area, 0, &[dim(note)]);
    let body = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    let unread = || {
        let is_told = state.session.deliveries_from.is_some();
        let now = state.shown_at().wall;
        unread::message_words(&state.history, &page.message, is_told, now)
    };
    let missing = match payload {
        Some(Payload::Json(_)) => {
            json::draw(canvas, body, &page.payload, has_focus);
            return;
        }
        Some(Payload::Expired) => "the service no longer has it".to_owned(),
        Some(Payload::Absent) => unread(),
        None => format!("the message itself is {}", unread()),
    };
    let inner = table::indented(body);
    let lines = wrap(&missing, usize::from(inner.width));
    for (row, line) in lines.into_iter().enumerate() {
        canvas.line(inner, row as u16, &[dim(line)]);
    }
}
