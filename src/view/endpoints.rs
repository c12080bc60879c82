//! Screen 4: endpoints, and what becomes of messages there.

use ratatui::layout::Rect;

use super::list;
use super::model::{Said, ago, delivery, fare, unread};
use super::paint::{Canvas, Columns, Pieces, Side, dim, piece, pieces_width, plain, role, said};
use super::text::{cut_middle, width};
use super::theme::Role;
use crate::app::{RowKey, State, Tone, Viewport};
use crate::domain::{Counted, Endpoint, EventType, Health, plural, visible};

/// Paints the list of endpoints.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    list::screen(
        canvas,
        area,
        (state, &state.endpoints),
        viewport,
        |width| layout(state, width),
        RowKey::Endpoint,
        |layout, id, is_selected| {
            let endpoint = state.history.endpoints.get(id)?;
            Some(list::Line::plain(cells(
                state,
                layout,
                endpoint,
                is_selected,
            )))
        },
    );
}

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Glyph,
    State,
    Name,
    Url,
    Hour,
    Day,
    P50,
    P95,
    Delivered,
    Failing,
    LastHour,
    LastAttempt,
    FailingSince,
    Events,
}

impl Shown {
    const fn title(self) -> &'static str {
        match self {
            Self::Glyph => "",
            Self::State => "STATE",
            Self::Name => "NAME",
            Self::Url => "URL",
            Self::Hour => "OK 1H",
            Self::Day => "OK 24H",
            Self::P50 => "P50 1H",
            Self::P95 => "P95 1H",
            Self::Delivered => "DELIVERED",
            Self::Failing => "FAILING",
            // Set off from what stands at the right of its column before it.
            Self::LastHour => " LAST HOUR",
            Self::LastAttempt => "LAST ATTEMPT",
            Self::FailingSince => "FAILING SINCE",
            Self::Events => "EVENTS",
        }
    }

    /// Cells that it takes; 0 is what the others leave.
    fn width(self) -> u16 {
        match self {
            Self::Glyph => 1,
            Self::Name | Self::Url => 0,
            Self::P50 | Self::P95 | Self::Failing => 7,
            Self::Delivered => 9,
            Self::State => 10,
            Self::Hour | Self::Day => 11,
            Self::LastHour => 19,
            Self::LastAttempt => 22,
            Self::Events => 24,
            Self::FailingSince => 26,
        }
    }

    fn side(self) -> Side {
        match self {
            Self::P50 | Self::P95 | Self::Delivered | Self::Failing => Side::Right,
            _ => Side::Left,
        }
    }
}

/// Columns with their titles.
type Set = (&'static [Shown], &'static [&'static str]);

const fn titles<const N: usize>(columns: [Shown; N]) -> [&'static str; N] {
    let mut titles = [""; N];
    let mut at = 0;
    while at < N {
        titles[at] = columns[at].title();
        at += 1;
    }
    titles
}

/// The columns that fit, what matters most where there is least room; each set has another number
/// of them.
const SETS: [Set; 5] = {
    use Shown::{
        Day, Delivered, Events, Failing, FailingSince, Glyph, Hour, LastAttempt, LastHour, Name,
        P50, P95, State, Url,
    };
    const TINY: [Shown; 4] = [Glyph, Name, Hour, Failing];
    const SMALL: [Shown; 6] = [State, Name, Hour, P95, Failing, LastHour];
    const USUAL: [Shown; 9] = [
        State,
        Name,
        Hour,
        Day,
        P50,
        P95,
        Failing,
        LastHour,
        LastAttempt,
    ];
    const WIDE: [Shown; 10] = [
        State,
        Name,
        Url,
        Hour,
        Day,
        P50,
        P95,
        Failing,
        LastHour,
        FailingSince,
    ];
    const ALL: [Shown; 13] = [
        State,
        Name,
        Url,
        Hour,
        Day,
        P50,
        P95,
        Delivered,
        Failing,
        LastHour,
        LastAttempt,
        FailingSince,
        Events,
    ];
    [
        (&TINY, &titles(TINY)),
        (&SMALL, &titles(SMALL)),
        (&USUAL, &titles(USUAL)),
        (&WIDE, &titles(WIDE)),
        (&ALL, &titles(ALL)),
    ]
};

fn set(width: u16) -> Set {
    SETS[match width {
        0..72 => 0,
        72..114 => 1,
        114..150 => 2,
        150..190 => 3,
        _ => 4,
    }]
}

/// Cells of the name at most where the URL takes what is left.
const NAME: u16 = 16;
/// Cells of the event types at least.
const LEAST_EVENTS: u16 = 14;
/// As many endpoints at most are looked at for what their columns need.
const LOOKED_AT: usize = 64;

/// Cells that a column needs beside the URL for what stands in it; the URL has the others. What
/// changes each second counts as its most, so that nothing beside it moves.
fn needed(state: &State, column: Shown) -> u16 {
    let endpoints = &state.history.endpoints;
    let most = match column {
        Shown::Name => NAME,
        column => column.width(),
    };
    if endpoints.len() > LOOKED_AT {
        return most;
    }
    let now = state.deliveries_at();
    let needs = |endpoint: &Endpoint| match column {
        Shown::Name => cells_of(endpoint.label()),
        Shown::Events => cells_of(&types_words(endpoint)),
        Shown::FailingSince => {
            let health = Health::of(&state.history, endpoint, now);
            health.failing.map_or(0, |_| most)
        }
        _ => most,
    };
    let needed = endpoints.values().map(needs).max().unwrap_or(0);
    needed.max(cells_of(column.title())).min(most)
}

/// Cells that all event types of the endpoints take.
fn types_needed(state: &State) -> u16 {
    let endpoints = state.history.endpoints.values().take(LOOKED_AT);
    let types = endpoints.map(|endpoint| cells_of(&types_words(endpoint)));
    types.max().unwrap_or(0)
}

fn cells_of(text: &str) -> u16 {
    u16::try_from(width(&visible(text))).unwrap_or(u16::MAX)
}

fn layout(state: &State, width: u16) -> list::Layout {
    let (shown, titles) = set(width);
    let has_url = shown.contains(&Shown::Url);
    let mut widths: Vec<(u16, Side)> = shown
        .iter()
        .map(|column| match column {
            Shown::Name | Shown::Events | Shown::FailingSince if has_url => {
                (needed(state, *column), Side::Left)
            }
            column => (column.width(), column.side()),
        })
        .collect();
    let flexible = widths.iter().position(|(width, _)| *width == 0);
    if shown.ends_with(&[Shown::Events]) {
        let urls = state.history.endpoints.values().take(LOOKED_AT);
        let wanted = urls.map(|endpoint| cells_of(&endpoint.url)).max();
        let taken: u16 = widths.iter().map(|(width, _)| width + 1).sum();
        let (wanted, room) = (wanted.unwrap_or(0), width.saturating_sub(taken));
        if let Some((events, _)) = widths.last_mut() {
            // A URL is worth more than the last of its event types, which have what it leaves.
            let lacking = wanted.saturating_sub(room);
            *events -= lacking.min(events.saturating_sub(LEAST_EVENTS));
            let more = types_needed(state).saturating_sub(*events);
            *events += more.min(room.saturating_sub(wanted));
        }
    }
    list::Layout {
        columns: Columns::new(width, &widths, flexible.unwrap_or(0)),
        titles,
    }
}

/// The event types that an endpoint wants, in a few words.
pub fn types_words(endpoint: &Endpoint) -> String {
    match &endpoint.event_types {
        None if endpoint.is_inferred => "not known".to_owned(),
        None => "all events".to_owned(),
        Some(types) => types
            .iter()
            .map(EventType::name)
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// The same where there is so much room: whole names, and how many more there are.
fn types_in(endpoint: &Endpoint, room: usize) -> String {
    let whole = types_words(endpoint);
    let names: Vec<&str> = whole.split(' ').collect();
    let fits = |words: &str| width(words) <= room;
    if endpoint.event_types.is_none() || fits(&whole) {
        return whole;
    }
    let some = (1..names.len()).rev().map(|n| {
        let shown = names.get(..n).unwrap_or_default().join(" ");
        format!("{shown} +{}", names.len() - n)
    });
    let fitting = some.into_iter().find(|words| fits(words));
    fitting.unwrap_or_else(|| plural(names.len(), "type", "types"))
}

fn cells(
    state: &State,
    layout: &list::Layout,
    endpoint: &Endpoint,
    is_selected: bool,
) -> Vec<Pieces<'static>> {
    let (history, now) = (&state.history, state.deliveries_at());
    let standing = history.deliveries.standing(&endpoint.id);
    let health = Health::of(history, endpoint, now);
    let not_read = history.attempts_not_read(&endpoint.id);
    let (glyph, word, tone) = fare::state(endpoint, standing, &health, not_read);
    let unknown = unread::attempts_unknown(history, &endpoint.id);
    let unmeasured = unread::unmeasured(history, &endpoint.id);
    let known = |words: Vec<Said>| match unmeasured {
        Some(_) => vec![dim("?")],
        None => said(words),
    };
    let standing = standing.unwrap_or_default();
    let more = unread::more_at(history, &endpoint.id);
    let name_role = if is_selected {
        Role::Selected
    } else {
        Role::Text
    };
    let cell = |at: usize, column: Shown| -> Pieces<'static> {
        let short = |text: &str| cut_middle(&visible(text), layout.columns.width(at)).into_owned();
        match column {
            Shown::Glyph => vec![piece(tone, glyph)],
            Shown::State if endpoint.disabled => vec![piece(tone, format!("{glyph} {word}"))],
            Shown::State => vec![piece(tone, glyph), plain(format!(" {word}"))],
            Shown::Name => vec![role(name_role, short(endpoint.label()))],
            Shown::Url => vec![dim(short(&endpoint.url))],
            Shown::Hour => known(fare::rate_in(&health.hour, now)),
            Shown::Day => known(fare::rate_in(&health.day, now)),
            Shown::P50 => known(vec![fare::took(health.hour.p50_ms)]),
            Shown::P95 => known(vec![fare::took(health.hour.p95_ms)]),
            Shown::Delivered | Shown::Failing if unknown.is_some() => vec![dim("?")],
            Shown::Delivered => vec![plain(format!("{}{more}", standing.delivered))],
            Shown::Failing if standing.failing > 0 => {
                vec![piece(Tone::Bad, format!("{}{more}", standing.failing))]
            }
            Shown::Failing => vec![dim(format!("0{more}"))],
            Shown::LastHour if endpoint.disabled => {
                vec![piece(Tone::Bad, format!(" {}", fare::SILENT))]
            }
            Shown::LastHour if let Some(why) = unmeasured => {
                vec![dim(format!(" {}", unread::cell(why)))]
            }
            Shown::LastHour => {
                // A cell is left free on each side, so that what stands there is no slice.
                let n_slices = layout.columns.width(at).saturating_sub(2);
                let beats = Health::beats(history, endpoint, now, n_slices);
                let mut line = vec![plain(" ")];
                line.extend(said(fare::last_hour(&beats)));
                line
            }
            Shown::LastAttempt => last_attempt(state, endpoint, layout.columns.width(at)),
            Shown::FailingSince => known(fare::failing(health.failing, now)),
            Shown::Events => vec![dim(types_in(endpoint, layout.columns.width(at)))],
        }
    };
    let n_columns = layout.titles.len();
    let set = SETS.iter().find(|(shown, _)| shown.len() == n_columns);
    let shown = set.map_or(&[][..], |(shown, _)| shown).iter();
    shown
        .enumerate()
        .map(|(at, column)| cell(at, *column))
        .collect()
}

/// What became of the last attempt, and when it was where that fits.
fn last_attempt(state: &State, endpoint: &Endpoint, room: usize) -> Pieces<'static> {
    let mut attempts = state.endpoints.attempts(&state.history, &endpoint.id);
    let Some(attempt) = attempts.next() else {
        let unknown = unread::attempts_unknown(&state.history, &endpoint.id);
        return vec![dim(unknown.map_or("none seen", unread::cell))];
    };
    let (glyph, tone) = delivery::attempt_glyph(&attempt.status);
    let mut words = vec![
        piece(tone, glyph),
        plain(format!(" {}", attempt.outcome_words())),
    ];
    // Newer ones may be there that cannot be read.
    let is_over = state.history.counted_at(&endpoint.id) == Counted::AsRead;
    let newer = if is_over { " ?" } else { "" };
    let when = ago(state.deliveries_at(), attempt.started);
    let when = dim(format!("  {when}{newer}"));
    if pieces_width(&words) + width(&when.text) <= room {
        words.push(when);
    } else if is_over {
        words.push(dim(newer));
    }
    words
}
