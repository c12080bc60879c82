//! Screen 5: how far the rest can be trusted: link, comparisons, abilities, counters, bounds, and
//! what could not be read.

mod journal;

use ratatui::layout::Rect;

use super::model::{ago, bytes, link};
use super::paint::{Canvas, Pieces, dim, piece, plain, role};
use super::table;
use super::text::wrap;
use super::theme::Role;
use crate::app::page::{unreadable, unreadable_numbers};
use crate::app::{State, Tone, Viewport};
use crate::domain::LinkState;
use crate::domain::time::duration_words;

/// Paints the health of everything.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    let n_unreadable = state.history.unreadable.len() as u16;
    let wanted = (n_unreadable + 2).clamp(2, (area.height / 3).max(2));
    let lower = if area.height >= 8 { wanted } else { 0 };
    let is_lower_only = area.height < 8 && state.health.pane == 1;
    let upper_height = if is_lower_only {
        0
    } else {
        area.height - lower
    };
    let upper = Rect {
        height: upper_height,
        ..area
    };
    viewport.max_scroll = facts(canvas, upper, state);
    let bottom = Rect {
        y: area.y + upper_height,
        height: area.height - upper_height,
        ..area
    };
    if bottom.height >= 2 {
        unread(canvas, bottom, state);
    }
    viewport.rows = match state.health.pane {
        1 => usize::from(bottom.height.saturating_sub(1)),
        _ => usize::from(upper.height),
    };
}

/// Paints the facts. Gives the lines that they can be scrolled by.
fn facts(canvas: &mut Canvas<'_>, area: Rect, state: &State) -> usize {
    if area.height == 0 {
        return 0;
    }
    let sections = [
        link_lines(state),
        proof_lines(state),
        ability_lines(state),
        counter_lines(state),
        memory_lines(state),
        journal::lines(state),
        word_lines(state),
    ];
    if area.width >= 110 {
        let half = area.width / 2;
        let (left, right): (Vec<_>, Vec<_>) = sections
            .into_iter()
            .enumerate()
            .partition(|(at, _)| at % 2 == 0);
        let join = |column: Vec<(usize, Vec<Pieces<'static>>)>| -> Vec<Pieces<'static>> {
            column.into_iter().flat_map(|(_, lines)| lines).collect()
        };
        let left_area = Rect {
            width: half,
            ..area
        };
        let of_left = column(canvas, left_area, state, &join(left));
        let right_area = Rect {
            x: area.x + half,
            width: area.width - half,
            ..area
        };
        of_left.max(column(canvas, right_area, state, &join(right)))
    } else {
        column(canvas, area, state, &sections.concat())
    }
}

fn column(canvas: &mut Canvas<'_>, area: Rect, state: &State, lines: &[Pieces<'static>]) -> usize {
    let inner = table::indented(area);
    let height = usize::from(area.height);
    let max_scroll = lines.len().saturating_sub(height);
    let top = state.health.scroll.min(max_scroll);
    for (at, line) in lines.iter().skip(top).take(height).enumerate() {
        canvas.line(inner, at as u16, line);
    }
    max_scroll
}

fn section(title: &'static str) -> Pieces<'static> {
    vec![role(Role::Title, title)]
}

fn fact(name: &str, text: impl Into<String>) -> Pieces<'static> {
    vec![dim(format!("  {name:<16} ")), plain(text.into())]
}

fn link_lines(state: &State) -> Vec<Pieces<'static>> {
    let history = &state.history;
    let (tone, words) = link::words(state);
    let since = duration_words(state.now.wall.since(history.link_since.wall));
    let mut lines = vec![
        section("LINK"),
        vec![
            dim(format!("  {:<16} ", "state")),
            piece(tone, words),
            dim(format!(", for {since}")),
        ],
        fact("server", state.session.base_url.clone()),
        fact("key from", state.session.key_origin.clone()),
    ];
    if let LinkState::Retrying { why, .. }
    | LinkState::Polling { why }
    | LinkState::Stopped { why } = &history.link
    {
        lines.push(vec![
            dim(format!("  {:<16} ", "why")),
            piece(Tone::Bad, why.to_string()),
        ]);
    }
    if let Some(at) = state.polls.well {
        let when = ago(state.now.wall, at.wall);
        lines.push(fact("last poll", format!("well, {when}")));
    }
    if let Some((at, failure)) = state.polls.fresh_failure(state.now) {
        let when = ago(state.now.wall, at.wall);
        lines.push(vec![
            dim(format!("  {:<16} ", "poll failed")),
            piece(Tone::Bad, format!("{when}: {failure}")),
        ]);
    }
    lines.push(Vec::new());
    lines
}

/// Width that what could not be known is wrapped to.
const CAVEAT_WIDTH: usize = 44;

fn proof_lines(state: &State) -> Vec<Pieces<'static>> {
    let mut lines = vec![section("COMPARISONS WITH THE SERVER")];
    for proof in state.history.proofs.iter().rev().take(4) {
        let tone = if proof.caveat.is_some() {
            Tone::Warn
        } else {
            Tone::Ok
        };
        // What could not be known is said in whole, on lines of its own.
        lines.push(vec![
            dim(format!("  {:<9} ", ago(state.now.wall, proof.at))),
            piece(tone, proof.summary()),
            dim(format!(
                " · {} compared, {} held",
                proof.compared.unwrap_or(0),
                proof.held
            )),
        ]);
        let caveat = proof.caveat.as_deref().unwrap_or_default();
        for line in wrap(caveat, CAVEAT_WIDTH) {
            lines.push(vec![piece(tone, format!("            {line}"))]);
        }
    }
    if state.history.proofs.is_empty() {
        lines.push(vec![dim("  none yet")]);
    }
    lines.push(Vec::new());
    lines
}

fn ability_lines(state: &State) -> Vec<Pieces<'static>> {
    let abilities = &state.history.abilities;
    let mut lines = vec![section("WHAT THE SERVER OFFERS")];
    for (name, ability) in [
        ("event stream", &abilities.stream),
        ("messages", &abilities.messages),
        ("attempts", &abilities.attempts),
        ("endpoint list", &abilities.endpoint_list),
        ("resend", &abilities.resend),
    ] {
        let (tone, words) = link::ability(ability);
        lines.push(vec![dim(format!("  {name:<16} ")), piece(tone, words)]);
    }
    let delays: Vec<String> = state
        .history
        .schedule
        .delays()
        .iter()
        .map(|seconds| duration_words((seconds * crate::domain::time::SECOND as f64) as i64))
        .collect();
    let origin = if abilities.retry_schedule.is_some() {
        "published"
    } else {
        "Svix's default"
    };
    lines.push(fact(
        "retries after",
        format!("{} ({origin})", delays.join(" ")),
    ));
    lines.push(Vec::new());
    lines
}

fn counter_lines(state: &State) -> Vec<Pieces<'static>> {
    let history = &state.history;
    let counters = &history.counters;
    let count = |n: u64| n.to_string();
    vec![
        section("COUNTERS"),
        fact("connections", count(counters.connections)),
        fact(
            "received",
            format!(
                "{} in {} frames, {} comments",
                bytes(counters.bytes),
                counters.frames,
                counters.comments
            ),
        ),
        fact(
            "events",
            match (history.events.inferred(), history.events.duplicates()) {
                (0, repeated) => format!("{} new, {repeated} repeated", history.events.total()),
                (made, repeated) => format!(
                    "{} new, {repeated} repeated, {made} made from polls",
                    history.events.total() - made
                ),
            },
        ),
        fact("skipped", format!("{} too large", counters.oversized)),
        fact("unreadable", count(state.dropped())),
        fact(
            "polls",
            format!("{}, {} failed", counters.polls, counters.poll_failures),
        ),
        Vec::new(),
    ]
}

fn memory_lines(state: &State) -> Vec<Pieces<'static>> {
    let history = &state.history;
    vec![
        section("IN MEMORY"),
        fact(
            "tasks",
            format!(
                "{}, {} let go",
                history.tasks.len(),
                history.tasks.evicted()
            ),
        ),
        fact(
            "events",
            format!(
                "{} of {} ever",
                history.events.len(),
                history.events.total()
            ),
        ),
        fact(
            "messages",
            format!(
                "{}, {} let go",
                history.deliveries.len(),
                history.deliveries.evicted()
            ),
        ),
        fact("endpoints", history.endpoints.len().to_string()),
        fact("replays", history.replays.all().len().to_string()),
        Vec::new(),
    ]
}

fn word_lines(state: &State) -> Vec<Pieces<'static>> {
    let words = &state.history.new_words;
    if words.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![section("WORDS OF THE SERVICE THAT REELTOP DOES NOT KNOW")];
    for word in words.iter().take(8) {
        lines.push(vec![
            piece(Tone::Warn, "  ? "),
            plain(format!("{} {}", word.kind.name(), word.word)),
            dim(format!("  ×{}", word.count)),
        ]);
    }
    if words.len() > 8 {
        lines.push(vec![dim(format!("  … and {} more", words.len() - 8))]);
    }
    lines.push(Vec::new());
    lines
}

fn unread(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let has_focus = state.health.pane == 1;
    let numbers = unreadable_numbers(&state.history);
    let title = format!(
        "COULD NOT BE READ {}{}",
        state.history.n_unreadable,
        if has_focus { "" } else { "   Tab goes here" }
    );
    table::heading(canvas, area, &title, has_focus);
    let body = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    let inner = table::indented(body);
    if numbers.is_empty() {
        canvas.line(inner, 0, &[dim("nothing so far")]);
        return;
    }
    let selected = state.health.unreadable.row_in(&numbers).unwrap_or(0);
    let height = usize::from(body.height);
    let top = table::offset(selected, height);
    for (at, number) in numbers.iter().enumerate().skip(top).take(height) {
        let Some((when, what)) = unreadable(&state.history, *number) else {
            continue;
        };
        let row = (at - top) as u16;
        let line = [
            dim(format!("{:<9} ", ago(state.now.wall, when.wall))),
            plain(format!("{:<12} ", what.place)),
            piece(Tone::Warn, what.why.clone()),
        ];
        canvas.line(inner, row, &line);
        if at == selected && has_focus {
            table::mark(canvas, body, row, true);
        }
    }
}
