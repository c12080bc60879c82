//! Screen 5: how far the rest can be trusted: what can be opened, and facts of link, abilities,
//! counters and bounds.

mod journal;

use ratatui::layout::Rect;

use super::list::{self, Layout, Line};
use super::model::{ago, bytes, link, proof, provenance, unread};
use super::paint::{Canvas, Columns, Pieces, Side, dim, folded, piece, plain, role};
use super::theme::Role;
use super::{listing, table};
use crate::app::listing::{Entry, Listing, health_entries};
use crate::app::{State, Tone, Viewport};
use crate::domain::time::duration_words;
use crate::domain::{Ability, LinkState, Log, visible};

/// Lines of what can be opened, its title and a blank line included.
const MENU: u16 = 7;

/// Paints the health of everything.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    let has_both = area.height >= 2 * MENU;
    let pane = state.health.pane;
    let facts_area = if has_both {
        table::below(area, MENU)
    } else {
        area
    };
    let menu_area = Rect {
        height: area.height.min(MENU - 1),
        ..area
    };
    if has_both || pane == 0 {
        viewport.rows = menu(canvas, menu_area, state, pane == 0);
    }
    if has_both || pane == 1 {
        viewport.max_scroll = facts(canvas, facts_area, state);
    }
    if pane == 1 {
        viewport.rows = usize::from(facts_area.height);
    }
}

/// Paints what can be opened. Gives the rows there is room for.
fn menu(canvas: &mut Canvas<'_>, area: Rect, state: &State, has_focus: bool) -> usize {
    let width = table::indented(area).width;
    let layout = Layout {
        columns: Columns::new(width, &[(12, Side::Left), (0, Side::Left)], 1),
        titles: if has_focus {
            &["ENTER OPENS", ""]
        } else {
            &["ENTER OPENS", "Tab goes here"]
        },
    };
    let entries = health_entries();
    let pick = (&state.health.pick, entries.as_slice());
    list::picked(
        canvas,
        area,
        &layout,
        pick,
        has_focus,
        "",
        |_, entry, is_selected| {
            let Entry::Listing(what) = entry else {
                return None;
            };
            let kind = if is_selected {
                Role::Selected
            } else {
                Role::Text
            };
            let title = match what {
                Listing::Proofs => "comparisons",
                Listing::Losses(part) => part.name(),
                _ => "new words",
            };
            Some(Line::plain(vec![
                vec![role(kind, title)],
                told(state, *what),
            ]))
        },
    )
}

/// What is to be known of a list before it is opened.
fn told(state: &State, what: Listing) -> Pieces<'static> {
    let history = &state.history;
    match what {
        Listing::Losses(part) => listing::loss_words(state, part),
        Listing::Replays => vec![plain(history.replays.len().to_string())],
        Listing::Causes => vec![dim("those of all failures")],
        Listing::Words => match history.new_words.len() {
            0 => vec![dim("every word of the service is known")],
            n => vec![
                piece(Tone::Warn, format!("? {n}")),
                plain(" not known to reeltop"),
            ],
        },
        Listing::Proofs | Listing::Proof(_) => match history.proofs.back() {
            Some(found) => {
                let (tone, glyph) = proof::tone(found);
                vec![
                    piece(tone, format!("{glyph} {}", found.summary())),
                    dim(format!(" · {}", ago(state.now.wall, found.at))),
                    dim(format!(" · {} in all", history.proofs.total())),
                ]
            }
            None => vec![dim("none yet")],
        },
    }
}

/// Paints the facts. Gives the lines that they can be scrolled by.
fn facts(canvas: &mut Canvas<'_>, area: Rect, state: &State) -> usize {
    if area.height == 0 {
        return 0;
    }
    let sections = [
        link_lines(state),
        ability_lines(state),
        counter_lines(state),
        memory_lines(state),
        journal::lines(state),
    ];
    let inner = table::indented(area);
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
            width: half - 2 - (inner.x - area.x),
            ..inner
        };
        let of_left = column(canvas, left_area, state, join(left));
        // Routes, on the right, are what is longest.
        let right_area = Rect {
            x: area.x + half,
            width: area.width - half,
            ..area
        };
        of_left.max(column(canvas, right_area, state, join(right)))
    } else {
        column(canvas, inner, state, sections.concat())
    }
}

fn column(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    lines: Vec<Pieces<'static>>,
) -> usize {
    let width = usize::from(area.width);
    let lines: Vec<Pieces<'_>> = lines
        .into_iter()
        .flat_map(|line| folded(line, width))
        .collect();
    let height = usize::from(area.height);
    let max_scroll = lines.len().saturating_sub(height);
    let top = state.health.scroll.min(max_scroll);
    for (at, line) in lines.iter().skip(top).take(height).enumerate() {
        canvas.line(area, at as u16, line);
    }
    max_scroll
}

fn section(title: &'static str) -> Pieces<'static> {
    vec![role(Role::Title, title)]
}

fn fact(name: &str, text: impl Into<String>) -> Pieces<'static> {
    vec![dim(format!("  {name:<15} ")), plain(text.into())]
}

fn link_lines(state: &State) -> Vec<Pieces<'static>> {
    let history = &state.history;
    let (tone, words) = link::words(state);
    let mut lines = vec![
        section("LINK"),
        vec![dim(format!("  {:<15} ", "state")), piece(tone, words)],
        fact("server", state.session.base_url.clone()),
        fact("key from", state.session.key_origin.clone()),
    ];
    if let Some(place) = &state.session.deliveries_from {
        lines.push(fact("deliveries", place.clone()));
    }
    if let LinkState::Retrying { why, .. }
    | LinkState::Polling { why }
    | LinkState::Stopped { why } = &history.link
    {
        lines.push(vec![
            dim(format!("  {:<15} ", "why")),
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
            dim(format!("  {:<15} ", "poll failed")),
            piece(Tone::Bad, format!("{when}: {failure}")),
        ]);
    }
    lines.push(Vec::new());
    lines
}

fn ability_lines(state: &State) -> Vec<Pieces<'static>> {
    let abilities = &state.history.abilities;
    let mut lines = vec![section("WHAT THE SERVER OFFERS")];
    let [stream, resend, endpoints, messages, attempts] = state.history.restored_abilities.0;
    let offers = abilities.offers.iter();
    let why_unread = |log: &Log| state.history.deliveries.why_unread(log);
    let (of_messages, of_endpoints) = (why_unread(&Log::Messages), why_unread(&Log::Endpoints));
    for (name, ability, is_restored, why) in [
        ("event stream", &abilities.stream, stream, None),
        ("messages", &abilities.messages, messages, of_messages),
        ("attempts", &abilities.attempts, attempts, None),
        (
            "endpoint list",
            &abilities.endpoint_list,
            endpoints,
            of_endpoints,
        ),
        ("resend", &abilities.resend, resend, None),
    ]
    .into_iter()
    .chain(offers.map(|(offer, ability)| (offer.name(), ability, false, None)))
    {
        let (mut tone, mut words) = link::ability(ability);
        // It was asked, and what it offers is not known for that.
        if let Some(why) = why.filter(|_| *ability == Ability::Unknown) {
            (tone, words) = (Tone::Warn, format!("? {}", visible(why)));
        }
        if is_restored {
            words.push_str(" (from the journal, not asked yet)");
        }
        lines.push(vec![dim(format!("  {name:<15} ")), piece(tone, words)]);
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
            format!(
                "{} new, {} repeated{}",
                history.events.received(),
                history.events.duplicates(),
                provenance::other_events(&history.events, ", ")
            ),
        ),
        fact("skipped", format!("{} too large", counters.oversized)),
        fact(
            "losses",
            format!("{} dropped or unreadable", count(state.dropped())),
        ),
        fact(
            "polls",
            format!("{}, {} failed", counters.polls, counters.poll_failures),
        ),
        Vec::new(),
    ]
}

fn memory_lines(state: &State) -> Vec<Pieces<'static>> {
    let history = &state.history;
    let mut lines = vec![
        section("IN MEMORY"),
        fact(
            "tasks",
            format!(
                "{}, {} let go",
                history.tasks.len(),
                history.tasks.n_let_go()
            ),
        ),
        fact(
            "events",
            format!(
                "{} of {} ever",
                history.events.n_events(),
                history.events.total()
            ),
        ),
        fact(
            "messages",
            format!(
                "{}{}, {} let go",
                history.deliveries.len(),
                unread::more_messages(history),
                history.deliveries.evicted()
            ),
        ),
    ];
    let offset = state.session.utc_offset;
    for words in unread::words(history, offset) {
        lines.push(vec![
            dim(format!("  {:<15} ", "")),
            piece(Tone::Warn, words),
        ]);
    }
    lines.extend([
        fact("endpoints", history.endpoints.len().to_string()),
        match &history.ledger_trouble {
            None => fact("replays", history.replays.len().to_string()),
            Some(trouble) => vec![
                dim(format!("  {:<15} ", "replays")),
                piece(Tone::Bad, visible(&trouble.to_string()).into_owned()),
            ],
        },
        Vec::new(),
    ]);
    lines
}
