//! The replay overlay: the plan before anything is sent, then what became of what was sent.

use ratatui::layout::Rect;

use super::help::centered;
use super::manage::out_of_sight;
use super::model::delivery::{label, replay_glyph};
use super::model::sending::leaving_words;
use super::model::{ago, asset_label, millis};
use super::paint::{Canvas, Pieces, dim, piece, pieces_width, plain, role};
use super::text::{hints, width as cells, wrap};
use super::theme::Role;
use crate::app::replaying::ReplayOverlay;
use crate::app::{ShownPlan, State, Tone};
use crate::domain::{AttemptNumber, PlanItem, Replay, Verdict, visible};

/// A line of the overlay, and what it is about.
type Line = (Pieces<'static>, About);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// It is the one that the keys act on.
    Picked,
    /// More of that one.
    OfPicked,
    Other,
}

/// Lines that move, where there are so many, before the head has its place.
const LEAST_LINES: usize = 2;

/// Paints the overlay. Gives what it said would be sent, if it had room to say so.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    overlay: &ReplayOverlay,
) -> Option<ShownPlan> {
    let width = area.width.saturating_sub(4).clamp(20, 96).min(area.width);
    let inner_width = usize::from(width).saturating_sub(4);
    let mut head = vec![about(state, overlay)];
    if overlay.is_planning() {
        head.push(vec![dim(route(overlay, inner_width))]);
    }
    head.push(Vec::new());
    let (lines, foot) = if overlay.is_planning() {
        let foot = match &state.leaving {
            Some(leaving) => leaving_foot(state, leaving.until, inner_width),
            None => plan_foot(overlay, inner_width),
        };
        (plan_lines(overlay, inner_width), foot)
    } else {
        let foot = hints(&[sent_foot(state, overlay)], inner_width);
        (sent_lines(state, overlay, inner_width), foot)
    };
    let n_lines = (head.len() + lines.len()).min(usize::from(u16::MAX / 2)) as u16;
    let inner = canvas.frame(centered(area, width, n_lines + 4), "Replay");
    // The foot, and the line above it, which says what is out of sight.
    let room = usize::from(inner.height).saturating_sub(2);
    // What it is about stands still as the endpoints move, where there is room for both.
    let n_head = head.len().min(room.saturating_sub(LEAST_LINES));
    for (row, line) in head.iter().take(n_head).enumerate() {
        canvas.line(inner, row as u16, line);
    }
    let room = room - n_head;
    let top = first_line(&lines, room);
    for (row, (line, about)) in lines.iter().skip(top).take(room).enumerate() {
        let row = (n_head + row) as u16;
        canvas.line(inner, row, line);
        if *about == About::Picked {
            canvas.line(inner, row, &[role(Role::Selected, "▌")]);
        }
    }
    if inner.height >= 2 {
        let more = out_of_sight(
            top,
            lines.len().saturating_sub(top + room),
            usize::from(inner.width),
        );
        canvas.line(inner, inner.height - 2, &[dim(more)]);
    }
    if inner.height >= 1 {
        canvas.line(inner, inner.height - 1, &[dim(foot)]);
    }
    overlay.shown().filter(|_| room >= 1)
}

/// The first line in sight, so that the picked one is with all that is said of it below, if that has
/// room.
fn first_line(lines: &[Line], room: usize) -> usize {
    let is_picked = |(_, about): &Line| *about == About::Picked;
    let Some(picked) = lines.iter().position(is_picked) else {
        return 0;
    };
    let is_of_it = |(_, about): &&Line| *about != About::Other;
    let n_of_it = lines.iter().filter(is_of_it).count();
    (picked + n_of_it).saturating_sub(room).min(picked)
}

/// How it would be sent; where room is short, without what is said of it last.
fn route(overlay: &ReplayOverlay, room: usize) -> String {
    let mut words = format!("by {}", overlay.plan.route);
    while cells(&words) > room
        && let Some(at) = words.rfind(", ")
    {
        words.truncate(at);
    }
    words
}

fn about(state: &State, overlay: &ReplayOverlay) -> Pieces<'static> {
    let delivery = state.history.deliveries.get(&overlay.message);
    let message = delivery.and_then(|delivery| delivery.message.as_ref());
    let kind = message.map_or("message", |message| message.kind.name());
    let asset = message
        .and_then(|message| message.task.as_ref())
        .and_then(|task| state.history.tasks.get(task))
        .map(|row| format!(" · {}", asset_label(&state.history, &row.asset())))
        .unwrap_or_default();
    vec![
        role(Role::Title, kind.to_owned()),
        plain(asset),
        dim(format!(" · {}", overlay.message.short(15))),
    ]
}

fn plan_lines(overlay: &ReplayOverlay, width: usize) -> Vec<Line> {
    let endpoints = overlay.endpoints();
    let picked = overlay.pick.row_in(&endpoints);
    let mut lines = Vec::new();
    for (at, item) in overlay.plan.items.iter().enumerate() {
        let is_left_out = overlay.is_left_out(&item.endpoint);
        let (about, more) = if picked == Some(at) {
            (About::Picked, About::OfPicked)
        } else {
            (About::Other, About::Other)
        };
        let (line, below) = item_line(item, is_left_out, width);
        lines.push((line, about));
        if let Some(why) = below {
            for text in wrap(&visible(&why), width.saturating_sub(8)) {
                lines.push((vec![dim(format!("        {text}"))], more));
            }
        }
        // What is left out needs no warning.
        let warnings = item.warnings.iter().filter(|_| item.is_chosen);
        for warning in warnings {
            for (at, text) in wrap(&visible(warning), width.saturating_sub(8))
                .into_iter()
                .enumerate()
            {
                let mark = if at == 0 { "      ! " } else { "        " };
                lines.push((vec![piece(Tone::Warn, mark), piece(Tone::Warn, text)], more));
            }
        }
    }
    if lines.is_empty() {
        lines.push((
            vec![plain(
                "No endpoint was tried with this message or wants it: nothing can be replayed.",
            )],
            About::Other,
        ));
    }
    lines
}

/// The line of an endpoint, and the reason that stands below it: that of one that cannot be sent, and
/// any that has no room in the line.
fn item_line(item: &PlanItem, is_left_out: bool, room: usize) -> (Pieces<'static>, Option<String>) {
    let check = match (&item.verdict, item.is_chosen) {
        (Verdict::Refuse(_), _) => " - ",
        (_, true) => "[x]",
        (_, false) => "[ ]",
    };
    let (word, tone) = match &item.verdict {
        _ if item.is_chosen => ("SEND", Tone::Accent),
        Verdict::Refuse(_) => ("CANNOT", Tone::Dim),
        Verdict::Skip(_) | Verdict::Send => ("SKIP", Tone::Dim),
    };
    let why = match &item.verdict {
        Verdict::Refuse(why) => why,
        Verdict::Skip(why) if !item.is_chosen => why,
        Verdict::Send if is_left_out => "left out by you",
        Verdict::Send if !item.is_chosen => "new in this plan",
        _ => "",
    };
    let label = super::text::cut_middle(&visible(&item.label), 16).into_owned();
    let mut line = vec![
        plain(format!("  {check} {label:<16} ")),
        piece(tone, format!("{word:<6}  ")),
    ];
    let is_refused = matches!(item.verdict, Verdict::Refuse(_));
    let is_below = is_refused || pieces_width(&line) + cells(&visible(why)) > room;
    if !is_below && !why.is_empty() {
        line.push(plain(format!("{why}  ")));
    }
    line.push(dim(item.url.clone()));
    (
        line,
        is_below
            .then(|| why.to_owned())
            .filter(|why| !why.is_empty()),
    )
}

fn plan_foot(overlay: &ReplayOverlay, room: usize) -> String {
    let enter = match overlay.plan.chosen().count() {
        0 => None,
        n => Some(format!("Enter send {n}")),
    };
    let mut parts: Vec<&str> = enter.as_deref().into_iter().collect();
    parts.extend(["Space choose", "p other route", "Esc back, nothing sent"]);
    hints(&parts, room)
}

/// `sending in 3s     Enter now     u takes it back`.
fn leaving_foot(state: &State, until: i64, room: usize) -> String {
    let leaving = leaving_words(state, until);
    hints(&[leaving.as_str(), "Enter now", "u takes it back"], room)
}

/// What closing it means: what has ended needs nobody to follow it.
fn sent_foot(state: &State, overlay: &ReplayOverlay) -> &'static str {
    let mut replays = (overlay.sent.iter()).filter_map(|number| state.history.replays.get(*number));
    if replays.any(|replay| replay.state.is_open()) {
        "Esc closes this; it is followed all the same"
    } else {
        "Esc closes this"
    }
}

fn sent_lines(state: &State, overlay: &ReplayOverlay, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for number in &overlay.sent {
        let Some(replay) = state.history.replays.get(*number) else {
            continue;
        };
        let (glyph, tone) = replay_glyph(&replay.state);
        let to = label(&state.history, &replay.endpoint);
        lines.push((
            vec![
                piece(tone, format!("{glyph} ")),
                role(Role::Title, to),
                dim(sent_words(state, replay)),
            ],
            About::Other,
        ));
        let text = format!("{}{}", replay.words(), ended_words(state, replay));
        for text in wrap(&visible(&text), width.saturating_sub(4)) {
            lines.push((vec![plain("    "), piece(tone, text)], About::Other));
        }
    }
    lines
}

fn sent_words(state: &State, replay: &Replay) -> String {
    match replay.sent {
        Some(sent) => format!(
            "  sent {} · {} {}",
            state.clock(sent.wall),
            replay.state.name(),
            ago(state.now.wall, replay.since.wall)
        ),
        None if replay.state.is_open() => "  not sent yet".to_owned(),
        None => "  not sent".to_owned(),
    }
}

/// How its attempt ended: `: its attempt, 204 in 18 ms`.
fn ended_words(state: &State, replay: &Replay) -> String {
    let delivery = state.history.deliveries.get(&replay.message);
    let found = replay
        .state
        .attempt()
        .and_then(|id| Some((delivery?.attempt(id)?, id)));
    let Some((attempt, id)) = found else {
        return String::new();
    };
    let number = delivery.and_then(|delivery| state.history.number_of(delivery, id));
    let which = match number {
        Some(AttemptNumber::Automatic(number)) => format!("attempt {number}"),
        _ => "its attempt".to_owned(),
    };
    let took = attempt
        .duration_ms
        .map_or_else(String::new, |ms| format!(" in {}", millis(ms)));
    format!(": {which}, {}{took}", attempt.outcome_words())
}
