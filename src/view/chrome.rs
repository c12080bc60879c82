//! What stands round the list: header, tabs, summary, notices, footer, prompt, toasts.

use ratatui::layout::Rect;

use super::model::{link, sending, unread};
use super::paint::{Canvas, Piece, Pieces, Side, dim, piece, pieces_width, plain, role, said};
use super::text::{cut, width, wrap};
use super::theme::Role;
use crate::app::action::Action;
use crate::app::keymap::Mode;
use crate::app::listing::Listing;
use crate::app::manage::Stage;
use crate::app::page::Page;
use crate::app::prompt::Prompt;
use crate::app::{Overlay, SCREENS, Screen, State, Tone};
use crate::domain::{LinkState, visible};

mod crumbs;
mod header;
mod summary;
pub mod toasts;

pub use header::pace_words;

/// Where what stands.
pub struct Regions {
    pub body: Rect,
    summary: Option<u16>,
    footer: Option<Rect>,
}

/// Paints what stands above the body, and gives the regions.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) -> Regions {
    let mut top = 0;
    let mut summary = None;
    if area.height >= 2 {
        header::draw(canvas, area, state);
        top += 1;
    }
    if area.height >= 8 {
        tabs(canvas, area, top, state);
        top += 1;
    }
    if area.height >= 10 {
        if state.pages.is_empty() {
            summary = Some(top);
        } else {
            crumbs::draw(canvas, area, top, state);
        }
        top += 1;
        top += notices(canvas, area, top, state);
    }
    let footer = (area.height >= 4).then(|| Rect {
        y: area.y + area.height - 1,
        height: 1,
        ..area
    });
    let bottom = u16::from(footer.is_some());
    Regions {
        body: Rect {
            y: area.y + top,
            height: area.height.saturating_sub(top + bottom),
            ..area
        },
        summary,
        footer,
    }
}

/// Paints what can be said only when the list is known: how many rows match.
pub fn finish(
    canvas: &mut Canvas<'_>,
    area: Rect,
    regions: &Regions,
    state: &State,
    matching: usize,
) {
    if let Some(row) = regions.summary {
        summary::draw(canvas, area, row, state, matching);
    }
    if let Some(line) = regions.footer {
        match &state.prompt {
            Some(prompt) => prompt_line(canvas, line, state, prompt, matching),
            None => footer(canvas, line, state),
        }
    }
}

fn tabs(canvas: &mut Canvas<'_>, area: Rect, row: u16, state: &State) {
    let tab = |screen: Screen, is_short: bool| -> Pieces<'static> {
        let is_open = screen == state.screen;
        let kind = if is_open { Role::Selected } else { Role::Text };
        let name = match (is_short, is_open) {
            (true, false) => screen.digit().to_string(),
            _ => format!("{} {}", screen.digit(), screen.title()),
        };
        let mut pieces = vec![role(kind, name)];
        pieces.extend(tab_count(state, screen));
        pieces
    };
    for (gap, is_short) in [("   ", false), ("  ", false), ("  ", true), (" ", true)] {
        let mut line: Pieces<'static> = vec![plain(" ")];
        let is_shown =
            |screen: &Screen| *screen != Screen::Received || state.session.listening.is_some();
        for screen in SCREENS.into_iter().filter(is_shown) {
            line.extend(tab(screen, is_short));
            line.push(plain(gap));
        }
        line.pop();
        if pieces_width(&line) <= usize::from(area.width) || gap == " " {
            canvas.line(area, row, &line);
            return;
        }
    }
}

fn tab_count(state: &State, screen: Screen) -> Option<Piece<'static>> {
    let history = &state.history;
    match screen {
        Screen::Tasks => {
            let (n, more) = (history.tasks.len(), unread::more_tasks(state));
            (n > 0).then(|| dim(format!(" {n}{more}")))
        }
        Screen::Events => None,
        Screen::Deliveries => {
            let n = history.deliveries.broken().len();
            let more = unread::more(history);
            (n > 0).then(|| piece(Tone::Bad, format!(" ✗ {n}{more}")))
        }
        Screen::Endpoints => {
            let n = history
                .endpoints
                .values()
                .filter(|endpoint| endpoint.disabled)
                .count();
            (n > 0).then(|| piece(Tone::Bad, format!(" ⊘ {n}")))
        }
        Screen::Received => match history.received.n_refused() {
            0 => (!history.received.is_empty())
                .then(|| dim(format!(" {}", history.received.n_requests()))),
            n => Some(piece(Tone::Bad, format!(" ✗ {n}"))),
        },
        Screen::Health => match history.link {
            LinkState::Stopped { .. } => Some(piece(Tone::Bad, " ✗")),
            LinkState::Retrying { .. } => Some(piece(Tone::Warn, " ↻")),
            _ => {
                let n = state.dropped();
                (n > 0).then(|| piece(Tone::Warn, format!(" ? {n}")))
            }
        },
    }
}

/// The rule, with what is to be known now written into it; more lines only if there is trouble.
fn notices(canvas: &mut Canvas<'_>, area: Rect, row: u16, state: &State) -> u16 {
    canvas.rule(area, row);
    let inner = Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(2),
        ..area
    };
    // Where nothing is shown, the middle of the screen says it.
    let is_bare = state.pages.is_empty()
        && state.history.tasks.is_empty()
        && state.history.deliveries.is_empty()
        && matches!(state.history.link, LinkState::Stopped { .. });
    if let Some(lines) = link::trouble(state).filter(|_| !is_bare) {
        let tone = match state.history.link {
            LinkState::Stopped { .. } => Tone::Bad,
            _ => Tone::Warn,
        };
        let room = usize::from(inner.width).saturating_sub(2);
        let text = lines.join(" ");
        let mut wrapped = wrap(&visible(&text), room);
        let n_max = if area.height >= 16 { 3 } else { 1 };
        if n_max == 1 && wrapped.len() > 1 {
            let (what, _) = text.split_once(':').unwrap_or((&text, ""));
            wrapped = vec![format!("{what} · 5 tells why")];
        }
        for (at, line) in wrapped.iter().take(n_max).enumerate() {
            let is_cut = at + 1 == n_max && wrapped.len() > n_max;
            let line = if is_cut {
                cut(&format!("{line} … (5 tells more)"), room).into_owned()
            } else {
                line.clone()
            };
            canvas.line(inner, row + at as u16, &[piece(tone, format!(" {line} "))]);
        }
        let n_lines = wrapped.len().min(n_max) as u16;
        if area.height >= 16 {
            canvas.rule(area, row + n_lines);
            return n_lines + 1;
        }
        return n_lines.max(1);
    }
    if let Some(words) = sending::line(state) {
        let mut pieces = vec![plain(" ")];
        pieces.extend(said(words));
        pieces.push(plain(" "));
        canvas.line(inner, row, &pieces);
        return 1;
    }
    if let Some(proof) = state.fresh_proof() {
        let tone = if proof.caveat.is_some() {
            Tone::Warn
        } else {
            Tone::Ok
        };
        let room = usize::from(inner.width).saturating_sub(2);
        let words = visible(&proof.words()).into_owned();
        let words = if width(&words) <= room {
            words
        } else {
            format!("{} · 5 tells more", proof.summary())
        };
        canvas.line(inner, row, &[piece(tone, format!(" {words} "))]);
    }
    1
}

/// Whether what is shown was received here, so that its signature can be looked at.
fn is_received(state: &State) -> bool {
    match state.pages.last() {
        Some(page) => matches!(page, Page::Received(_)),
        None => state.screen == Screen::Received,
    }
}

fn footer(canvas: &mut Canvas<'_>, line: Rect, state: &State) {
    let mut pieces: Pieces<'_> = Vec::new();
    for binding in state.keymap.bindings(state.mode()) {
        let (Some(hint), Some(key)) = (&binding.hint, binding.names.first()) else {
            continue;
        };
        let is_sent = matches!(&state.overlay, Some(Overlay::Replay(sent)) if !sent.is_planning());
        let is_of_replays = matches!(state.pages.last(), Some(Page::List(page))
            if page.what == Listing::Replays);
        let has_secret = matches!(&state.overlay, Some(Overlay::Manage(manage))
            if matches!(manage.stage, Stage::Secret { .. }));
        let is_plan = state.mode() == Mode::Plan;
        let hint = match binding.action {
            _ if is_plan && !is_meant(state, binding.action) => continue,
            Action::Bulk if !has_many(state) => continue,
            Action::Bulk if state.has_markable() && !state.marks.is_empty() => "replay marked",
            Action::Manage | Action::Create if state.screen != Screen::Endpoints => continue,
            Action::Verify if !is_received(state) => continue,
            Action::Replay | Action::Losses | Action::Sort | Action::Causes
                if state.screen == Screen::Received && state.pages.is_empty() =>
            {
                continue;
            }
            // On this screen there is no replay to plan.
            Action::Replay if state.screen == Screen::Endpoints && state.pages.is_empty() => {
                continue;
            }
            Action::GiveUp if !is_of_replays => continue,
            Action::Replay if is_of_replays => continue,
            Action::Choose if state.overlay.is_none() && !state.has_markable() => continue,
            Action::Send if has_secret => continue,
            Action::Copy | Action::Save if state.mode() == Mode::Menu && !has_secret => continue,
            Action::Save if state.session.is_demo => continue,
            Action::Send | Action::Choose | Action::Await if is_sent => continue,
            Action::Back if is_sent => "close",
            Action::Freeze if state.frozen.is_some() => "go on",
            _ => hint.as_str(),
        };
        let key = key_words(key);
        let gap = if pieces.is_empty() { " " } else { "   " };
        let taken = pieces_width(&pieces) + gap.len() + width(&key) + 1 + width(hint);
        if taken > usize::from(line.width) {
            continue;
        }
        pieces.push(plain(gap));
        pieces.push(role(Role::Key, key));
        pieces.push(dim(format!(" {hint}")));
    }
    canvas.line(line, 0, &pieces);
}

/// Whether a key means something in the plan that is open now.
fn is_meant(state: &State, action: Action) -> bool {
    let is_leaving = state.leaving.is_some();
    match (&state.overlay, action) {
        (Some(Overlay::Run(_)), Action::Undo) => {
            state.run.as_ref().is_some_and(|run| run.score.waiting > 0)
        }
        (Some(Overlay::Replay(_)), Action::Undo) => is_leaving,
        (Some(Overlay::Replay(_)), Action::Choose | Action::Await) => !is_leaving,
        (Some(Overlay::Replay(plan)), Action::Send) => plan.plan.chosen().next().is_some(),
        (Some(Overlay::Replay(plan)), Action::Route) => plan.is_planning() && !is_leaving,
        (Some(Overlay::Bulk(plan)), Action::Send) => plan.can_go(),
        (Some(Overlay::Bulk(plan)), Action::Choose | Action::MarkAll | Action::Await) => {
            !plan.by.is_sweep()
        }
        (
            Some(Overlay::Run(_)),
            Action::Send | Action::Choose | Action::MarkAll | Action::Await | Action::Route,
        )
        | (Some(Overlay::Replay(_)), Action::MarkAll)
        | (Some(Overlay::Bulk(_)), Action::Undo) => false,
        _ => true,
    }
}

/// Whether `R` means something here.
fn has_many(state: &State) -> bool {
    match state.pages.last() {
        Some(Page::Task(_) | Page::Endpoint(_)) => true,
        Some(Page::List(page)) => page.what == Listing::Causes,
        Some(_) => false,
        None => matches!(state.screen, Screen::Deliveries | Screen::Endpoints),
    }
}

/// A key's name as people write it.
pub fn key_words(name: &str) -> String {
    match name {
        "enter" | "esc" | "space" | "tab" | "home" | "end" => {
            super::model::delivery::capitalized(name)
        }
        "up" => "↑".to_owned(),
        "down" => "↓".to_owned(),
        "left" => "←".to_owned(),
        "right" => "→".to_owned(),
        "pgup" => "PgUp".to_owned(),
        "pgdn" => "PgDn".to_owned(),
        other => other.to_owned(),
    }
}

fn prompt_line(
    canvas: &mut Canvas<'_>,
    line: Rect,
    state: &State,
    prompt: &Prompt,
    matching: usize,
) {
    let text = prompt.text();
    let split = text
        .char_indices()
        .nth(prompt.cursor())
        .map_or(text.len(), |(at, _)| at);
    let (before, after) = text.split_at(split);
    let mut rest = after.chars();
    let under = rest.next().map_or_else(|| " ".to_owned(), String::from);
    let right = summary::filter_words(state, matching);
    let right_width = pieces_width(&right);
    let room = usize::from(line.width).saturating_sub(right_width + 3);
    // The end of a long text stays in sight.
    let shown: String = {
        let excess = width(before).saturating_sub(room.saturating_sub(2));
        let mut skipped = 0;
        before
            .chars()
            .skip_while(|c| {
                skipped += width(c.encode_utf8(&mut [0; 4]));
                skipped <= excess
            })
            .collect()
    };
    let left = Rect {
        width: line.width.saturating_sub(right_width as u16 + 1),
        ..line
    };
    canvas.line(
        left,
        0,
        &[
            role(Role::Key, "/"),
            plain(shown),
            role(Role::Label, under),
            plain(rest.as_str().to_owned()),
        ],
    );
    canvas.line_at(line, 0, &right, Side::Right);
}

/// The title of a page in the path.
fn page_title(page: &Page) -> &'static str {
    match page {
        Page::Task(_) => "task",
        Page::Message(_) => "message",
        Page::Attempt(_) => "attempt",
        Page::Endpoint(_) => "endpoint",
        Page::Event(_) => "event",
        Page::Excerpt(_) => "its beginning",
        Page::Diff(_) => "diff",
        Page::List(_) => "list",
        Page::Received(_) => "received",
    }
}
