//! One endpoint: what it wants, how it fares, and its latest attempts.

use std::collections::HashMap;

use ratatui::layout::Rect;

use super::endpoints::types_words;
use super::model::{Said, ago, asset_label, fare, unread};
use super::paint::{Canvas, Pieces, dim, folded, piece, plain, said};
use super::{list, message, table};
use crate::app::page::{EndpointPage, endpoint_attempts};
use crate::app::told::Told;
use crate::app::{State, Tone};
use crate::domain::{AttemptId, COUNTED_DAYS, Endpoint, Health, MessageId, Stats, visible};

/// Paints an endpoint. Gives the rows of its attempts.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, page: &EndpointPage) -> usize {
    let inner = table::indented(area);
    let Some(endpoint) = state.history.endpoints.get(&page.endpoint) else {
        let words = format!("endpoint {} was deleted", page.endpoint);
        canvas.line(inner, 1, &[dim(words)]);
        return 1;
    };
    let mut row = 0;
    let width = usize::from(inner.width);
    let facts = facts(state, endpoint, &page.counted).into_iter();
    for line in facts.flat_map(|line| folded(line, width)) {
        canvas.line(inner, row, &line);
        row += 1;
    }
    row += 1;
    if row + 2 > area.height {
        return 1;
    }
    let rows = endpoint_attempts(&state.endpoints, &state.history, &page.endpoint);
    let ids: Vec<AttemptId> = rows.iter().map(|(_, attempt)| attempt.clone()).collect();
    let messages: HashMap<&AttemptId, &MessageId> =
        rows.iter().map(|(message, id)| (id, message)).collect();
    let of = state.history.schedule.attempts();
    let heading = "LATEST ATTEMPTS";
    let pick = (&page.attempts, ids.as_slice());
    let lower = table::below(area, row);
    let unknown = unread::attempts_unknown(&state.history, &page.endpoint);
    let none = unknown.map_or("none seen", unread::cell);
    list::headed(canvas, lower, heading, pick, true, none, |id, _| {
        let message = *messages.get(id)?;
        let delivery = state.history.deliveries.get(message)?;
        let attempt = delivery.attempt(id)?;
        let kind = delivery.message.as_ref();
        let about = kind
            .and_then(|message| message.task.as_ref())
            .and_then(|task| state.history.tasks.get(task))
            .map_or_else(
                || message.short(15),
                |task| asset_label(&state.history, &task.asset()),
            );
        let kind = kind.map_or("message", |message| message.kind.name());
        let number = state.history.number_of(delivery, id);
        let mut line = message::attempt_pieces(state, attempt, number, of);
        line.insert(2, plain(format!(" {kind:<14} ")));
        line.push(dim(format!("  {about}")));
        Some(line)
    })
}

/// The attempts that the service itself counts.
fn counted_words(counted: &Told<Stats>) -> Vec<Said> {
    let counted = match counted {
        Told::Asked => return vec![(Tone::Dim, "asking the service".to_owned())],
        Told::Not(why) => {
            return vec![(Tone::Dim, format!("not told: {}", visible(why)))];
        }
        Told::Is(counted) => counted,
    };
    let mut words = vec![(Tone::Text, format!("{} delivered", counted.success))];
    for (n, word, tone) in [
        (counted.fail, "failed", Tone::Bad),
        (counted.sending, "under way", Tone::Text),
        (counted.pending, "to come", Tone::Text),
        (counted.canceled, "cancelled", Tone::Text),
    ] {
        if n > 0 {
            words.push((Tone::Dim, " · ".to_owned()));
            words.push((tone, format!("{n} {word}")));
        }
    }
    let over = format!("  attempts of {COUNTED_DAYS} days, as the service counts them");
    words.push((Tone::Dim, over));
    words
}

/// Slices of the last hour.
const SLICES: usize = 60;

fn facts(state: &State, endpoint: &Endpoint, counted: &Told<Stats>) -> Vec<Pieces<'static>> {
    let (history, now) = (&state.history, state.deliveries_at());
    let offset = state.session.utc_offset;
    let standing = history.deliveries.standing(&endpoint.id);
    let health = Health::of(history, endpoint, now);
    let not_read = history.attempts_not_read(&endpoint.id);
    let unknown = unread::attempts_unknown(history, &endpoint.id);
    let (glyph, word, tone) = fare::state(endpoint, standing, &health, not_read);
    let standing = standing.unwrap_or_default();
    let more = unread::more_at(history, &endpoint.id);
    let told = |name: &str, words: Vec<Said>| {
        let mut line = vec![dim(format!("{name:<11}"))];
        line.extend(said(words));
        line
    };
    let fact = |name: &str, text: String| told(name, vec![(Tone::Text, text)]);
    let messages = match unknown {
        Some(_) => " · messages: how many were delivered or are failing is not known".to_owned(),
        None => format!(
            " · messages: {}{more} delivered, {}{more} failing",
            standing.delivered, standing.failing
        ),
    };
    let mut lines = vec![vec![
        piece(tone, format!("{glyph} {word}")),
        plain(messages),
    ]];
    if let Some(why) = not_read {
        let words = match unknown {
            None => {
                let until = history.attempts_read_until(&endpoint.id);
                let until = until.map(|until| format!("up to {}", until.date_clock(offset)));
                format!(
                    "{}; what stands here was read {}, or with single messages",
                    unread::sentence(why),
                    until.as_deref().unwrap_or("before")
                )
            }
            Some(_) => unread::sentence(why),
        };
        lines.push(told("attempts", vec![(Tone::Warn, words)]));
    }
    if endpoint.disabled {
        let words = fare::disabled_words(&health, now);
        lines.push(vec![piece(Tone::Bad, words)]);
    }
    if let Some(failing) = health.failing {
        let words = fare::failing_words(failing, now, offset);
        lines.push(told("failing", vec![words]));
        if let Some(words) = fare::disabling_words(failing, now) {
            lines.push(told("disabled", vec![words]));
        }
    }
    if unread::unmeasured(history, &endpoint.id).is_none() {
        lines.push(told("last hour", fare::window(&health.hour, now, offset)));
        let beats = Health::beats(history, endpoint, now, SLICES);
        lines.push(told("", fare::last_hour(&beats)));
        lines.push(told("last day", fare::window(&health.day, now, offset)));
    } else if unknown.is_none() {
        let why = "not known: the attempts here are some of an earlier run, or of single messages";
        lines.push(told("last hour", vec![(Tone::Dim, why.to_owned())]));
    }
    lines.push(told("counted", counted_words(counted)));
    lines.push(fact("url", endpoint.url.to_string()));
    lines.push(fact("events", types_words(endpoint)));
    let rate = match endpoint.rate_limit {
        Some(rate) => format!("{rate} a second"),
        None if endpoint.is_inferred => "not known".to_owned(),
        None => "none".to_owned(),
    };
    let created = endpoint
        .created
        .map_or_else(|| "not known".to_owned(), |created| ago(now, created));
    lines.push(fact("rate limit", rate));
    lines.push(fact("created", created));
    lines.push(fact("id", endpoint.id.to_string()));
    if endpoint.is_inferred {
        lines.push(vec![dim(
            "known only from attempts: what it wants, and whether it is disabled, was never read",
        )]);
    }
    lines
}
