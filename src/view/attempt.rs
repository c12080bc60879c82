//! One attempt: what was answered, how long it took, what caused it, why it failed.

use ratatui::layout::Rect;

use super::model::delivery::{attempt_glyph, capitalized, sentence, whose};
use super::model::{ago, kept_of_answer, millis};
use super::paint::{Canvas, Pieces, dim, piece, plain, role};
use super::text::wrap;
use super::theme::Role;
use super::{json, table};
use crate::app::page::AttemptPage;
use crate::app::told::Told;
use crate::app::{State, Tone};

use crate::domain::{Attempt, AttemptHeaders, AttemptNumber, Delivery, MASK, answer, visible};

/// Paints an attempt. Gives the rows of the response.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, page: &AttemptPage) -> usize {
    let delivery = state.history.deliveries.get(&page.message);
    let found = delivery.and_then(|delivery| {
        delivery
            .attempt(&page.attempt)
            .map(|attempt| (delivery, attempt))
    });
    let inner = table::indented(area);
    let Some((delivery, attempt)) = found else {
        let words = format!("attempt {} is no longer in memory", page.attempt);
        canvas.line(inner, 1, &[dim(words)]);
        return 1;
    };
    let mut row = 0;
    for line in facts(state, delivery, attempt, usize::from(inner.width)) {
        canvas.line(inner, row, &line);
        row += 1;
    }
    // Where there are many, what was answered keeps most of the room.
    let room = usize::from(area.height / 3);
    for line in headers(&page.headers, room) {
        canvas.line(inner, row, &line);
        row += 1;
    }
    row += 1;
    if row + 2 > area.height {
        return 1;
    }
    let title = if attempt.code == 0 {
        "NO ANSWER, THE SENDER SAYS"
    } else {
        "RESPONSE"
    };
    let heading = Rect {
        y: area.y + row,
        height: area.height - row,
        ..area
    };
    table::heading(canvas, heading, title, true);
    let body = Rect {
        y: heading.y + 1,
        height: heading.height - 1,
        ..heading
    };
    let form = answer::binary(&attempt.response)
        .map(|binary| format!("{}, shown in base64 ", binary.words()));
    let kept = delivery.is_cut(&attempt.id).then(|| {
        let kept = kept_of_answer(&state.history);
        format!("longer: the first {kept} are kept ")
    });
    if form.is_some() || kept.is_some() {
        let told: Vec<String> = form.into_iter().chain(kept).collect();
        canvas.line_right(heading, 0, &[dim(told.join("· "))]);
    }
    if answer::is_expunged(&attempt.response) {
        canvas.line(table::indented(body), 0, &[dim(answer::EXPUNGED)]);
        return usize::from(body.height);
    }
    if attempt.response.trim().is_empty() {
        canvas.line(table::indented(body), 0, &[dim("empty")]);
        return usize::from(body.height);
    }
    json::draw(canvas, body, &page.response, true)
}

fn facts(
    state: &State,
    delivery: &Delivery,
    attempt: &Attempt,
    width: usize,
) -> Vec<Pieces<'static>> {
    let history = &state.history;
    let (glyph, tone) = attempt_glyph(&attempt.status);
    let of = history.schedule.attempts();
    let number = match history.number_of(delivery, &attempt.id) {
        Some(AttemptNumber::Automatic(number)) if number <= of => {
            format!("attempt {number} of {of}")
        }
        Some(AttemptNumber::Automatic(number)) => format!("attempt {number}"),
        Some(AttemptNumber::Manual) => "a manual attempt".to_owned(),
        None => "older attempts not read".to_owned(),
    };
    let offset = state.session.utc_offset;
    let code = match attempt.code {
        0 => "no HTTP answer".to_owned(),
        code => format!("HTTP {code}"),
    };
    let took = attempt
        .duration_ms
        .map_or_else(String::new, |ms| format!(" in {}", millis(ms)));
    let mut lines = vec![
        vec![
            piece(tone, format!("{glyph} {}", attempt.status)),
            plain(format!(" · {code}{took}")),
            dim(format!(
                " · {number} · {} ({})",
                attempt.started.date_clock(offset),
                ago(state.deliveries_at(), attempt.started)
            )),
        ],
        fact(
            "to",
            format!(
                "{}  {}",
                history.endpoint_label(&attempt.endpoint),
                attempt.url
            ),
        ),
        fact("caused by", cause_words(state, attempt)),
        fact("id", attempt.id.to_string()),
    ];
    if let Some(class) = attempt.failure() {
        // Without an answer, the words of the sender stand below and in the class.
        let says = match attempt.code {
            0 => String::new(),
            _ => answer::told(&attempt.response, ", and"),
        };
        let why = format!(
            "{}{says}. {}",
            capitalized(class.words()),
            sentence(class.hint())
        );
        for (at, text) in wrap(&visible(&why), width.saturating_sub(11))
            .into_iter()
            .enumerate()
        {
            let name = if at == 0 { "why" } else { "" };
            lines.push(vec![
                role(Role::Dim, format!("{name:<11}")),
                piece(Tone::Bad, text),
            ]);
        }
    }
    lines
}

/// What the request and its answer carried, on so many lines at most.
fn headers(told: &Told<AttemptHeaders>, room: usize) -> Vec<Pieces<'static>> {
    let told = match told {
        Told::Asked => return vec![aside("headers", "asking the service".to_owned())],
        Told::Not(why) => {
            let words = format!("not told: {}", visible(why));
            return vec![aside("headers", words)];
        }
        Told::Is(told) => told,
    };
    let mut lines = Vec::new();
    for (what, headers) in [("sent", &told.sent), ("answered", &told.received)] {
        let open = headers.headers.iter();
        let open = open.map(|(name, value)| (name, value.as_str()));
        let all = open.chain(headers.sensitive.iter().map(|name| (name, MASK)));
        for (at, (name, value)) in all.enumerate() {
            let label = if at == 0 { what } else { "" };
            let text = format!("{name}: {value}");
            lines.push(fact(label, visible(&text).into_owned()));
        }
        if headers.headers.is_empty() && headers.sensitive.is_empty() {
            lines.push(aside(what, "no headers".to_owned()));
        }
    }
    let n = lines.len();
    if n > room.max(1) {
        lines.truncate(room.max(1) - 1);
        let words = format!(
            "{} more headers; reeltop attempts --message ID --headers prints all",
            n - lines.len()
        );
        lines.push(aside("", words));
    }
    lines
}

fn aside(name: &str, text: String) -> Pieces<'static> {
    vec![dim(format!("{name:<11}")), dim(text)]
}

fn fact(name: &str, text: String) -> Pieces<'static> {
    vec![dim(format!("{name:<11}")), plain(text)]
}

fn cause_words(state: &State, attempt: &Attempt) -> String {
    if let Some(replay) = state.history.replays.cause_of(&attempt.id) {
        return whose(state, replay);
    }
    match attempt.trigger.name() {
        "scheduled" => "the service's schedule".to_owned(),
        "manual" => "someone's hand: a manual resend, not one of this reeltop".to_owned(),
        other => other.to_owned(),
    }
}
