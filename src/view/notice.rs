//! Screens with nothing on them: empty, loading, disconnected and failed are four different ones.

use ratatui::layout::Rect;

use super::model::delivery::sentence;
use super::model::{link, unread};
use super::paint::{Canvas, Side, dim, piece};
use super::text::wrap;
use crate::app::{Screen, State, Tone};
use crate::domain::{Ability, LinkState, NotRead, visible};

/// Paints why the list is empty and what to do.
pub fn empty(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let (tone, lines) = reason(state);
    let room = usize::from(area.width).saturating_sub(4).min(76);
    let wrapped: Vec<String> = lines
        .iter()
        .flat_map(|line| wrap(&visible(line), room))
        .collect();
    let top = area.height.saturating_sub(wrapped.len() as u16) / 3;
    for (at, line) in wrapped.iter().enumerate() {
        let words = if at == 0 {
            piece(tone, line.as_str())
        } else {
            dim(line.as_str())
        };
        canvas.line_at(area, top + at as u16, &[words], Side::Middle);
    }
}

fn reason(state: &State) -> (Tone, Vec<String>) {
    if is_filtered(state) {
        return (Tone::Text, unmatched(state));
    }
    let link = &state.history.link;
    match log(state) {
        Some((what, Some(why @ NotRead::Failed(_)))) => {
            let first = format!("{what} {}.", unread::sentence(why));
            let next = "reeltop goes on trying; ctrl-r tries now. Health (5) has the details.";
            return (Tone::Bad, vec![first, next.to_owned()]);
        }
        Some((what, Some(NotRead::Yet))) if link::is_open(state) => {
            return (Tone::Info, vec![format!("{what} are not read yet …")]);
        }
        Some((_, None | Some(NotRead::Absent))) => return (Tone::Text, quiet(state)),
        _ => {}
    }
    match link {
        LinkState::Connecting => {
            return (
                Tone::Info,
                vec![format!("Connecting to {} …", state.session.base_url)],
            );
        }
        LinkState::CatchingUp => {
            return (
                Tone::Info,
                vec![
                    "Reading what is there …".to_owned(),
                    "The stream is open; the active tasks are being read and compared.".to_owned(),
                ],
            );
        }
        LinkState::Retrying { .. } if state.last_true().is_none() => {
            let first = match state.polls.told {
                None => "Nothing was received yet.",
                Some(_) => "Nothing of this was received yet.",
            };
            return (
                Tone::Warn,
                vec![
                    first.to_owned(),
                    "reeltop goes on trying; ctrl-r tries now. Health (5) has the details."
                        .to_owned(),
                ],
            );
        }
        LinkState::Stopped { .. } => {
            let mut lines = link::trouble(state).unwrap_or_default();
            lines.push("ctrl-r tries again; reeltop demo needs no account.".to_owned());
            return (Tone::Bad, lines);
        }
        _ => {}
    }
    (Tone::Text, quiet(state))
}

/// Why nothing matches a filter, as far as is known.
fn unmatched(state: &State) -> Vec<String> {
    if state.is_scanning() {
        return vec!["Looking for matches…".to_owned()];
    }
    let unread = unread::of_filter(state);
    let first = if unread.is_empty() {
        "Nothing matches the filter. Esc clears it."
    } else {
        "Nothing that is read matches the filter. Esc clears it."
    };
    let unread = unread.iter().map(|words| sentence(words));
    [first.to_owned()].into_iter().chain(unread).collect()
}

/// The log that a screen shows, which is read whether there is a stream or not, and why it is not.
fn log(state: &State) -> Option<(&'static str, Option<NotRead<'_>>)> {
    match state.screen {
        // Where there is nothing but a Svix server, tasks are what its messages tell.
        Screen::Tasks if state.session.is_svix_alone => {
            Some(("Messages", state.history.messages_not_read()))
        }
        Screen::Deliveries => Some(("Messages", state.history.messages_not_read())),
        Screen::Endpoints => Some(("Endpoints", state.history.endpoints_not_read())),
        _ => None,
    }
}

fn is_filtered(state: &State) -> bool {
    match state.screen {
        Screen::Tasks => state.tasks.filter.is_active() && !state.history.tasks.is_empty(),
        Screen::Events => state.events.filter.is_active() && !state.history.events.is_empty(),
        Screen::Deliveries => {
            state.deliveries.filter.is_active() && !state.history.deliveries.is_empty()
        }
        Screen::Endpoints => {
            state.endpoints.filter.is_active() && !state.history.endpoints.is_empty()
        }
        Screen::Received => state.received.filter.is_active() && !state.history.received.is_empty(),
        Screen::Health => false,
    }
}

/// All is well, and there is nothing.
fn quiet(state: &State) -> Vec<String> {
    let abilities = &state.history.abilities;
    let absent = |ability: &Ability| match ability {
        Ability::Absent(why) => Some(format!("The server does not offer them: {why}")),
        _ => None,
    };
    let (first, reason, hint) = match state.screen {
        Screen::Tasks => (
            "No active tasks.",
            None,
            "Tasks appear here as soon as the service starts one.",
        ),
        Screen::Events => (
            "No events yet.",
            absent(&abilities.stream),
            "Events appear here as the stream brings them; what was before the first start is not known.",
        ),
        Screen::Deliveries => (
            "No webhook messages yet.",
            absent(&abilities.messages),
            "A message appears for each task event once an endpoint exists.",
        ),
        Screen::Endpoints => (
            "No webhook endpoints yet.",
            absent(&abilities.endpoint_list),
            "c creates one, as does  reeltop endpoints create https://…  ; those seen in attempts appear by themselves.",
        ),
        Screen::Received => (
            "Nothing was received yet.",
            None,
            "Each webhook that is posted to the address above appears here, with whether it verifies.",
        ),
        Screen::Health => ("", None, ""),
    };
    let is_of_messages = state.screen == Screen::Tasks && state.session.is_svix_alone;
    let before = state.history.messages_unread_before();
    if let Some(before) = before.filter(|_| is_of_messages) {
        let unread = unread::messages_words(&state.history, before, state.session.utc_offset);
        let first = "No task is told by the messages that are read.";
        return vec![first.to_owned(), sentence(&unread)];
    }
    let mut lines = vec![first.to_owned()];
    lines.extend(reason);
    lines.push(hint.to_owned());
    lines
}
