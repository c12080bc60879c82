//! The overlay over an endpoint: what can be done with it, its form, its secret.

use ratatui::layout::Rect;

use super::help::centered;
use super::model::delivery::label;
use super::paint::{Canvas, Pieces, dim, piece, plain, role};
use super::text::{fold, hints, width, wrap};
use super::theme::Role;
use crate::app::manage::{CHOICES, Choice, Field, Form, Grave, HeadersForm, Manage, Stage};
use crate::app::prompt::Prompt;
use crate::app::{State, Tone};
use crate::domain::{Endpoint, EndpointId, plural, visible};

const WIDTH: u16 = 84;
/// Cells of a field's name.
const NAMES: usize = 13;

/// Paints the overlay. Gives the lines that it can be scrolled by.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, manage: &Manage) -> usize {
    let known = manage
        .endpoint
        .as_ref()
        .and_then(|id| state.history.endpoints.get(id));
    let title = title(state, manage);
    // A secret stands on one line wherever there is room.
    let wide = match &manage.stage {
        Stage::Secret { secret, .. } => WIDTH.max(width(&visible(secret.reveal())) as u16 + 4),
        _ => WIDTH,
    };
    let room = usize::from(wide.min(area.width)).saturating_sub(4);
    let (lines, foot) = lines(state, manage, known, room);
    let place = centered(area, wide, lines.len() as u16 + 4);
    let inner = canvas.frame(place, &title);
    let room = usize::from(inner.height.saturating_sub(2)).max(1);
    let max_scroll = lines.len().saturating_sub(room);
    // The line that keys act on stays in sight, until the user scrolls.
    let picked = lines.iter().position(|(_, is_picked)| *is_picked);
    let reach = (picked.unwrap_or(0) + 2).min(lines.len());
    let top = manage.scroll.unwrap_or(reach.saturating_sub(room));
    let top = top.min(max_scroll);
    for (at, (line, is_picked)) in lines.iter().skip(top).take(room).enumerate() {
        canvas.line(inner, at as u16, line);
        if *is_picked {
            canvas.line(inner, at as u16, &[role(Role::Selected, "▌")]);
        }
    }
    if inner.height >= 3 {
        let more = out_of_sight(top, max_scroll - top, usize::from(inner.width));
        canvas.line(inner, inner.height - 2, &[dim(more)]);
    }
    if inner.height >= 2 {
        let foot = hints(foot, usize::from(inner.width));
        canvas.line(inner, inner.height - 1, &[dim(foot)]);
    }
    max_scroll
}

/// How much is not in sight, and how to see it, if that has room too.
pub(super) fn out_of_sight(above: usize, below: usize, room: usize) -> String {
    let lines = |n: usize| plural(n, "line", "lines");
    let (words, keys) = match (above, below) {
        (0, 0) => return String::new(),
        (0, below) => (format!("… {} below", lines(below)), "PgDn"),
        (above, 0) => (format!("… {} above", lines(above)), "PgUp"),
        _ => (
            format!("… {} above, {below} below", lines(above)),
            "PgUp PgDn",
        ),
    };
    let whole = format!("{words} · {keys}");
    if width(&whole) <= room { whole } else { words }
}

type Line = (Pieces<'static>, bool);

fn title(state: &State, manage: &Manage) -> String {
    let name = |id: &EndpointId| visible(&label(&state.history, id)).into_owned();
    // As it is called now, where it is listed by now.
    let called = |then: &str| match &manage.endpoint {
        Some(id) if state.history.endpoints.contains_key(id) => name(id),
        _ => visible(then).into_owned(),
    };
    match (&manage.endpoint, &manage.stage) {
        (_, Stage::Secret { name, .. }) => format!("Signing secret of {}", called(name)),
        (_, Stage::Told { name, .. }) => called(name),
        (None, _) => "New endpoint".to_owned(),
        (Some(id), Stage::Headers(_)) => format!("Headers of {}", name(id)),
        (Some(id), Stage::Confirm(Grave::Delete, _)) => format!("Delete {}", name(id)),
        (Some(id), Stage::Confirm(Grave::Rotate, _)) => {
            format!("Rotate the secret of {}", name(id))
        }
        (Some(id), _) => name(id),
    }
}

fn lines(
    state: &State,
    manage: &Manage,
    known: Option<&Endpoint>,
    room: usize,
) -> (Vec<Line>, &'static [&'static str]) {
    match &manage.stage {
        Stage::Menu { at, is_disabled } => (
            menu(state, known, (*at, *is_disabled), room),
            &["Enter do it", "Esc back, nothing is changed"],
        ),
        Stage::Form(form) => (
            self::form(form, room),
            &["Enter send", "Tab next field", "Esc back, nothing sent"],
        ),
        Stage::Headers(form) => (
            headers(form, room),
            &["Enter send all", "Tab next line", "Esc back, nothing sent"],
        ),
        Stage::Confirm(grave, prompt) => (
            confirm(known, *grave, prompt, room),
            match grave {
                Grave::Delete => &["Enter delete", "Esc back, nothing is deleted"],
                Grave::Rotate => &["Enter rotate", "Esc back, nothing is rotated"],
            },
        ),
        Stage::Waiting(_) => (
            vec![(vec![dim("Waiting for the service's answer …")], false)],
            &["Esc closes this; the answer is told all the same"],
        ),
        Stage::Told { told, .. } => {
            let lines = told.iter().flat_map(|words| {
                fold(words, room)
                    .into_iter()
                    .map(|text| (vec![plain(text)], false))
            });
            (lines.collect(), &["Esc closes this"])
        }
        Stage::Secret { secret, is_new, .. } => {
            let mut lines = secret_lines(&visible(secret.reveal()), room);
            if lines.len() > 1 {
                let words = format!("It goes over {} lines; y copies it whole.", lines.len());
                lines.extend(said(&words, room));
            }
            if *is_new {
                let words = "It may never be told again: keep it where the receiver finds it.";
                lines.extend(said(words, room));
            }
            let foot: &[&str] = if state.session.is_demo {
                &["y copy", "Esc closes this"]
            } else {
                &[
                    "y copy",
                    "w save it in a file that only you can read",
                    "Esc closes this",
                ]
            };
            (lines, foot)
        }
    }
}

/// The secret, broken where a line ends: nothing of it is cut.
fn secret_lines(secret: &str, room: usize) -> Vec<Line> {
    let mut lines = vec![String::new()];
    for letter in secret.chars() {
        let taken = width(letter.encode_utf8(&mut [0; 4]));
        match lines.last_mut() {
            Some(line) if width(line) + taken <= room => line.push(letter),
            _ => lines.push(letter.to_string()),
        }
    }
    let lines = lines.into_iter();
    let lines = lines.map(|line| (vec![role(Role::Title, line)], false));
    lines.collect()
}

fn said(words: &str, room: usize) -> Vec<Line> {
    wrap(words, room)
        .into_iter()
        .map(|text| (vec![plain(text)], false))
        .collect()
}

/// Cells before what is said of a choice.
const CHOICE: usize = 21;

fn menu(
    state: &State,
    known: Option<&Endpoint>,
    (at, is_disabled): (usize, bool),
    room: usize,
) -> Vec<Line> {
    let mut lines: Vec<Line> = vec![
        (
            vec![dim(known
                .map(|known| visible(&known.url).into_owned())
                .unwrap_or_default())],
            false,
        ),
        (Vec::new(), false),
    ];
    for (row, choice) in CHOICES.into_iter().enumerate() {
        let (word, about) = choice_words(choice, is_disabled);
        let why = state.why_absent(choice);
        let word = format!("{word:<w$}", w = CHOICE - 2);
        let word = match choice {
            _ if why.is_some() => dim(word),
            Choice::Delete => piece(Tone::Bad, word),
            _ => piece(Tone::Text, word),
        };
        let about = visible(why.unwrap_or(about));
        let mut about = wrap(&about, room.saturating_sub(CHOICE)).into_iter();
        let first = about.next().unwrap_or_default();
        lines.push((vec![plain("  "), word, dim(first)], row == at));
        lines.extend(about.map(|rest| (vec![dim(" ".repeat(CHOICE) + &rest)], false)));
    }
    lines
}

fn choice_words(choice: Choice, is_disabled: bool) -> (&'static str, &'static str) {
    match choice {
        Choice::Edit => ("edit", "URL, name, event types, rate limit"),
        Choice::Toggle if is_disabled => {
            ("enable", "what happened meanwhile is not sent by itself")
        }
        Choice::Toggle => ("disable", "nothing is sent there any more, nor later"),
        Choice::Headers => ("headers", "its own, sent with every request to it"),
        Choice::Example => ("send an example", "a task.completed about no real task"),
        Choice::Reveal => ("show the secret", "that its requests are signed with"),
        Choice::Rotate => (
            "rotate the secret",
            "asks first; the one before stays valid for a day",
        ),
        Choice::Delete => ("delete", "asks first"),
    }
}

/// Why the service did not take it, in its own words, and what to do: whole, before what is typed.
fn refusal(words: Option<&str>, room: usize) -> Vec<Line> {
    let Some(words) = words else {
        return Vec::new();
    };
    let words = fold(words, room.saturating_sub(2)).into_iter().enumerate();
    let lines = words.map(|(at, text)| {
        let before = if at == 0 { "✗ " } else { "  " };
        (
            vec![piece(Tone::Bad, before), piece(Tone::Bad, text)],
            false,
        )
    });
    lines.chain([(Vec::new(), false)]).collect()
}

fn form(form: &Form, room: usize) -> Vec<Line> {
    let mut lines = refusal(form.refusal.as_deref(), room);
    for (at, field) in form.fields.iter().enumerate() {
        let is_here = at == form.at;
        lines.push((field_line(field, is_here, room), is_here));
        if let Some(why) = &field.fault {
            let room = room.saturating_sub(NAMES + 4);
            lines.extend(fold(&visible(why), room).into_iter().map(|text| {
                let indent = " ".repeat(NAMES + 2);
                (vec![plain(indent), piece(Tone::Bad, text)], false)
            }));
        } else {
            let indent = " ".repeat(NAMES + 2);
            let words = wrap(field.hint, room.saturating_sub(NAMES + 2));
            lines.extend(words.into_iter().map(|text| {
                let text = format!("{indent}{text}");
                (vec![dim(text)], false)
            }));
        }
    }
    lines
}

fn headers(form: &HeadersForm, room: usize) -> Vec<Line> {
    let mut lines = refusal(form.refusal.as_deref(), room);
    lines.extend(said(
        "Name: value, one a line; an empty line is no header. What is sent replaces all of them.",
        room,
    ));
    lines.push((Vec::new(), false));
    for (at, header) in form.lines.iter().enumerate() {
        let is_here = at == form.at;
        let mut line = vec![plain("  ")];
        line.extend(typed(&header.prompt, is_here, room.saturating_sub(3)));
        lines.push((line, is_here));
        if let Some(why) = &header.fault {
            let words = wrap(why, room.saturating_sub(6)).into_iter();
            lines.extend(words.map(|text| (vec![plain("    "), piece(Tone::Bad, text)], false)));
        }
    }
    lines
}

fn field_line(field: &Field, is_here: bool, room: usize) -> Pieces<'static> {
    let mut line = vec![plain(format!("  {:<NAMES$}", field.name.replace('_', " ")))];
    let room = room.saturating_sub(NAMES + 3);
    line.extend(typed(&field.prompt, is_here, room));
    line
}

/// A typed line with its cursor; the end of a long one stays in sight.
fn typed(prompt: &Prompt, is_here: bool, room: usize) -> Pieces<'static> {
    let text = prompt.text();
    let split = text
        .char_indices()
        .nth(prompt.cursor())
        .map_or(text.len(), |(at, _)| at);
    let (before, after) = text.split_at(split);
    let before = visible(before);
    let excess = width(&before).saturating_sub(room.saturating_sub(2));
    let mut skipped = 0;
    let shown: String = before
        .chars()
        .skip_while(|c| {
            skipped += width(c.encode_utf8(&mut [0; 4]));
            skipped <= excess
        })
        .collect();
    if !is_here {
        return vec![plain(format!("{shown}{}", visible(after)))];
    }
    let mut rest = after.chars();
    let under = rest.next().map_or_else(|| " ".to_owned(), String::from);
    vec![
        role(Role::Title, shown),
        role(Role::Label, visible(&under).into_owned()),
        role(Role::Title, visible(rest.as_str()).into_owned()),
    ]
}

fn confirm(known: Option<&Endpoint>, grave: Grave, prompt: &Prompt, room: usize) -> Vec<Line> {
    let url = known.map(|known| visible(&known.url).into_owned());
    let mut lines = vec![
        (vec![dim(url.unwrap_or_default())], false),
        (Vec::new(), false),
    ];
    let what = match grave {
        Grave::Delete => {
            "Its messages are sent there no more, and its secret is gone. Type delete to delete it:"
        }
        Grave::Rotate => {
            "Its signing secret is replaced: both sign for a day, then only the new one. Type \
             rotate to rotate it:"
        }
    };
    lines.extend(said(what, room));
    let mut line = vec![plain("  ")];
    line.extend(typed(prompt, true, room.saturating_sub(2)));
    lines.push((line, true));
    lines
}
