//! The link in words: how far the screen can be trusted.

use super::{Said, ago};
use crate::app::{State, Tone};
use crate::domain::time::{SECOND, rough_words};
use crate::domain::{Ability, FailureKind, LinkState};

/// The link's state in a few words with since when: `● live 12m`, `↻ retrying in 4s, try 3`.
pub fn words(state: &State) -> Said {
    let now = state.now.wall;
    let since = rough_words((state.now.mono - state.history.link_since.mono).max(0));
    match &state.history.link {
        LinkState::Connecting => (Tone::Info, format!("◌ connecting {since}")),
        LinkState::CatchingUp => (Tone::Info, format!("◌ catching up {since}")),
        LinkState::Live => (Tone::Ok, format!("● live {since}")),
        LinkState::Stale { since } => (
            Tone::Warn,
            format!("◌ stale, silent {}", rough_words(now.since(*since))),
        ),
        LinkState::Retrying { at, tries, .. } => {
            let when = if *at > now {
                format!("in {}", rough_words(at.since(now)))
            } else {
                "now".to_owned()
            };
            (Tone::Warn, format!("↻ retrying {when}, try {}", tries + 1))
        }
        LinkState::Polling { .. } => (Tone::Warn, format!("◌ polling, no stream, {since}")),
        LinkState::Stopped { .. } => (Tone::Bad, format!("✗ stopped {since}")),
    }
}

/// The same without since when, for where there is no room for more.
pub fn short_words(state: &State) -> Said {
    let (tone, words) = words(state);
    let glyph: String = words.chars().take(2).collect();
    (tone, format!("{glyph}{}", state.history.link.name()))
}

/// Whether reads by REST answer, though there is no stream.
pub fn is_polling(state: &State) -> bool {
    matches!(state.history.link, LinkState::Polling { .. })
}

/// Whether the server answers, by a stream or by reads.
pub fn is_open(state: &State) -> bool {
    matches!(
        state.history.link,
        LinkState::CatchingUp
            | LinkState::Live
            | LinkState::Stale { .. }
            | LinkState::Polling { .. }
    )
}

/// What is wrong with the link, what to do, and how old the screen is; nothing if all is well.
pub fn trouble(state: &State) -> Option<Vec<String>> {
    let (why, what) = match &state.history.link {
        LinkState::Polling { why } => (why, "No event stream, so reeltop polls"),
        LinkState::Retrying { why, .. } | LinkState::Stopped { why } => (why, "Not connected"),
        _ => return None,
    };
    let mut lines = vec![format!("{what}: {}.", why.what.trim_end_matches('.'))];
    let origin = &state.session.key_origin;
    if why.kind == FailureKind::Unauthorized && !origin.is_empty() && !why.hint.contains(origin) {
        lines.push(format!("The key came from {}.", state.session.key_origin));
    }
    if !why.hint.is_empty() {
        lines.push(super::delivery::sentence(&why.hint));
    }
    if let Some(time) = state.last_true().filter(|_| !is_polling(state)) {
        let when = match state.now.wall.since(time) {
            0..SECOND => "a moment ago".to_owned(),
            _ => ago(state.now.wall, time),
        };
        lines.push(format!("What is below was last true {when}."));
    }
    Some(lines)
}

/// An ability in words.
pub fn ability(ability: &Ability) -> Said {
    match ability {
        Ability::Unknown => (Tone::Dim, "? not looked at yet".to_owned()),
        Ability::Offered(route) => (Tone::Ok, format!("✓ {route}")),
        Ability::Absent(why) => (Tone::Warn, format!("⊘ {why}")),
    }
}
