//! The replay overlay: the plan before anything is sent, then what became of what was sent.

use ratatui::layout::Rect;

use super::help::centered;
use super::model::delivery::{label, replay_glyph};
use super::model::sending::leaving_words;
use super::model::{ago, asset_label, millis};
use super::paint::{Canvas, Pieces, dim, piece, plain, role};
use super::text::{hints, width as cells, wrap};
use super::theme::Role;
use crate::app::replaying::ReplayOverlay;
use crate::app::{ShownPlan, State, Tone};
use crate::domain::{AttemptNumber, PlanItem, Replay, Verdict, visible};

/// A line of the overlay, and whether it is the one that the keys act on.
type Line = (Pieces<'static>, bool);

/// Paints the overlay. Gives what it said would be sent, if it had room to say so.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    overlay: &ReplayOverlay,
) -> Option<ShownPlan> {
    let width = area.width.saturating_sub(4).clamp(20, 96).min(area.width);
    let inner_width = usize::from(width).saturating_sub(4);
    let mut lines = vec![(about(state, overlay), false)];
    if overlay.is_planning() {
        lines.push((vec![dim(route(overlay, inner_width))], false));
    }
    lines.push((Vec::new(), false));
    let foot = if overlay.is_planning() {
        lines.extend(plan_lines(overlay, inner_width));
        match &state.leaving {
            Some(leaving) => leaving_foot(state, leaving.until, inner_width),
            None => plan_foot(overlay, inner_width),
        }
    } else {
        lines.extend(sent_lines(state, overlay, inner_width));
        hints(
            &["Esc closes this; it is followed all the same"],
            inner_width,
        )
    };
    let n_lines = lines.len() as u16;
    let place = centered(area, width, n_lines + 4);
    let inner = canvas.frame(place, "Replay");
    let room = inner.height.saturating_sub(2);
    let picked = lines
        .iter()
        .position(|(_, is_picked)| *is_picked)
        .unwrap_or(0);
    let top = (picked + 2)
        .saturating_sub(usize::from(room))
        .min(lines.len());
    for (at, (line, is_picked)) in lines.iter().enumerate().skip(top).take(usize::from(room)) {
        let row = (at - top) as u16;
        canvas.line(inner, row, line);
        if *is_picked {
            canvas.line(inner, row, &[role(Role::Selected, "▌")]);
        }
    }
    if inner.height >= 1 {
        canvas.line(inner, inner.height - 1, &[dim(foot)]);
    }
    overlay.shown().filter(|_| room >= 1)
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
        lines.push((item_line(item, is_left_out), picked == Some(at)));
        if let Verdict::Refuse(why) = &item.verdict {
            for text in wrap(&visible(why), width.saturating_sub(8)) {
                lines.push((vec![dim(format!("        {text}"))], false));
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
                lines.push((
                    vec![piece(Tone::Warn, mark), piece(Tone::Warn, text)],
                    false,
                ));
            }
        }
    }
    if lines.is_empty() {
        lines.push((
            vec![plain(
                "No endpoint was tried with this message or wants it: nothing can be replayed.",
            )],
            false,
        ));
    }
    lines
}

fn item_line(item: &PlanItem, is_left_out: bool) -> Pieces<'static> {
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
        Verdict::Skip(why) if !item.is_chosen => format!("{why}  "),
        Verdict::Send if is_left_out => "left out by you  ".to_owned(),
        Verdict::Send if !item.is_chosen => "new in this plan  ".to_owned(),
        _ => String::new(),
    };
    let label = super::text::cut_middle(&visible(&item.label), 16).into_owned();
    vec![
        plain(format!("  {check} {label:<16} ")),
        piece(tone, format!("{word:<6}  ")),
        plain(why),
        dim(item.url.clone()),
    ]
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
            false,
        ));
        let text = format!("{}{}", replay.words(), ended_words(state, replay));
        for text in wrap(&visible(&text), width.saturating_sub(4)) {
            lines.push((vec![plain("    "), piece(tone, text)], false));
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
        None => "  not sent yet".to_owned(),
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
