//! The line over a list: counters at the left, filter and order at the right.

use ratatui::layout::Rect;

use super::super::listing;
use super::super::model::{provenance, task_glyph, unread};
use super::super::paint::{Canvas, Pieces, Side, dim, piece, pieces_width, plain};
use super::pace_words;
use crate::app::{Screen, State, Tone};
use crate::domain::{NotRead, Part, TASK_STATES, Unfit, plural};

/// Paints the summary.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, row: u16, state: &State, matching: usize) {
    let right = right(state, matching);
    let right_width = pieces_width(&right) as u16;
    let room = usize::from(area.width.saturating_sub(right_width + 1));
    let mut lefts = lefts(state);
    let last = lefts.len() - 1;
    let fitting = lefts.iter().position(|left| pieces_width(left) <= room);
    let left = lefts.swap_remove(fitting.unwrap_or(last));
    let left_area = Rect {
        width: room as u16,
        ..area
    };
    canvas.line(left_area, row, &left);
    canvas.line_at(area, row, &right, Side::Right);
}

/// The counters, from the most words to the fewest.
fn lefts(state: &State) -> Vec<Pieces<'static>> {
    let history = &state.history;
    let with_losses = |part, counters: &Pieces<'static>| {
        let losses = listing::loss_words(state, part);
        let gap = if counters.is_empty() { " " } else { " · " };
        counters
            .iter()
            .cloned()
            .chain([dim(gap)])
            .chain(losses)
            .collect::<Pieces<'static>>()
    };
    match state.screen {
        Screen::Tasks => {
            let (long, short) = (task_counters(state, true), task_counters(state, false));
            vec![
                with_losses(Part::Tasks, &long),
                with_losses(Part::Tasks, &short),
                short,
            ]
        }
        Screen::Events => {
            let pace = pace_words(state.pace.per_second(state.now));
            let pace = plain(format!(" {pace} ev/s"));
            let received = dim(format!(
                " · {} received{}",
                history.events.received(),
                provenance::other_events(&history.events, " · ")
            ));
            let kept = dim(format!(
                " · {} repeated · {} kept",
                history.events.duplicates(),
                history.events.n_events()
            ));
            vec![
                with_losses(Part::Events, &vec![pace.clone(), received.clone(), kept]),
                with_losses(Part::Events, &vec![pace, received]),
                with_losses(Part::Events, &Vec::new()),
            ]
        }
        Screen::Deliveries => deliveries(state, &with_losses),
        Screen::Endpoints => endpoints(state),
        Screen::Received => received(state),
        Screen::Health => vec![vec![dim(format!(" {}", state.session.base_url))]],
    }
}

/// What is broken still, and what is not read, which is told as long as anything is.
fn deliveries(
    state: &State,
    with_losses: &impl Fn(Part, &Pieces<'static>) -> Pieces<'static>,
) -> Vec<Pieces<'static>> {
    let history = &state.history;
    let n_broken = history.deliveries.broken().len();
    let tone = if n_broken == 0 { Tone::Dim } else { Tone::Bad };
    let more = unread::more(history);
    let failing = vec![piece(tone, format!(" ✗ {n_broken}{more}"))];
    let n_superseded = history.deliveries.failing().saturating_sub(n_broken);
    let with = |told: &Pieces<'static>, words: &[String]| {
        let words = words.iter();
        let words = words.map(|words| piece(Tone::Warn, format!(" · {words}")));
        told.iter()
            .cloned()
            .chain(words)
            .collect::<Pieces<'static>>()
    };
    let mut named = failing.clone();
    named.push(plain(" still broken"));
    let broken = named.clone();
    let n_messages = unread::n_messages(history);
    let mut whole = named.clone();
    whole.push(dim(format!(
        " · {n_superseded}{more} superseded · {n_messages}"
    )));
    named.push(dim(format!(" · {n_messages}")));
    // All that is not read, or at least the first of it.
    let words = unread::words(history, state.session.utc_offset);
    let mut ways: Vec<_> = (1..=words.len())
        .rev()
        .filter_map(|n| Some(with(&whole, words.get(..n)?)))
        .collect();
    let losses = |told: &Pieces<'static>| with_losses(Part::Deliveries, told);
    let Some(short) = unread::short(history) else {
        ways.extend([whole, named]);
        ways.extend([broken.clone(), failing.clone()]);
        // What is broken stands there longer than anything.
        return ways.iter().map(losses).chain([broken, failing]).collect();
    };
    let short = [short.to_owned()];
    ways.extend([&whole, &named, &failing].map(|told| with(told, &short)));
    let last = [with(&failing, &short), failing];
    ways.iter().map(losses).chain(last).collect()
}

/// How many endpoints there are, and whether these are all.
fn endpoints(state: &State) -> Vec<Pieces<'static>> {
    let endpoints = &state.history.endpoints;
    let n = endpoints.len();
    let n_disabled = endpoints.values().filter(|it| it.disabled).count();
    let tone = if n_disabled == 0 {
        Tone::Dim
    } else {
        Tone::Bad
    };
    let told = |before: &Pieces<'static>, words: &str| {
        let words = piece(Tone::Warn, format!(" · {words}"));
        before.iter().cloned().chain([words]).collect()
    };
    let Some(why) = state.history.endpoints_not_read() else {
        let all = vec![
            plain(format!(" {}", plural(n, "endpoint", "endpoints"))),
            piece(tone, format!(" · {n_disabled} disabled")),
        ];
        // Why those rows say that they are not read.
        let failing = unread::failing_words(&state.history, state.session.utc_offset);
        let ways = failing.map(|words| {
            let short = unread::failing_short(&state.history).unwrap_or_default();
            vec![told(&all, &words), told(&all, short)]
        });
        return ways.into_iter().flatten().chain([all]).collect();
    };
    // Those that are known from attempts alone need not be all.
    let some = vec![
        plain(format!(" {n}+ endpoints")),
        piece(tone, format!(" · {n_disabled}+ disabled")),
    ];
    let told = |words: &str| told(&some, &format!("their list {words}"));
    match why {
        NotRead::Yet => vec![told("is not read yet"), some],
        NotRead::Absent => vec![told("is not told here"), some],
        NotRead::Failed(_) => vec![told(&unread::sentence(why)), told(unread::cell(why)), some],
    }
}

/// What the receiver beside the dashboard got, how much of it verified as it came, what of it is no
/// longer kept, and what it turned away.
fn received(state: &State) -> Vec<Pieces<'static>> {
    let received = &state.history.received;
    let counters = [
        (received.n_refused(), Tone::Bad, "not verified"),
        (received.n_unchecked(), Tone::Warn, "not checked"),
        (received.n_dropped(), Tone::Warn, "no longer kept"),
    ];
    let counted = |least: u64| {
        // That all that was checked verified is said too.
        let is_shown = move |n, tone| n >= least || tone == Tone::Bad;
        let shown = (counters.iter()).filter(move |(n, tone, _)| is_shown(*n, *tone));
        shown.map(|(n, tone, words)| {
            let tone = if *n == 0 { Tone::Dim } else { *tone };
            piece(tone, format!(" · {n} {words}"))
        })
    };
    let turned: Vec<_> = received.turned_away().collect();
    let n_turned: u64 = turned.iter().map(|(_, n)| n).sum();
    let whys = |why: fn(Unfit) -> String| {
        let whys = turned
            .iter()
            .map(|(unfit, n)| format!("{n} {}", why(*unfit)));
        format!("turned away: {}", whys.collect::<Vec<_>>().join(", "))
    };
    let with_codes = whys(|why| format!("{} ({})", why.words(), why.code()));
    let without = whys(|why| why.words().to_owned());
    let counts = format!("{n_turned} turned away");
    let turned = |words: &str| (n_turned > 0).then(|| piece(Tone::Warn, format!(" · {words}")));
    let all = || std::iter::once(plain(format!(" {} received", received.n_requests())));
    let at = state.session.listening.as_deref().unwrap_or_default();
    let at = dim(format!(" · at {at}"));
    let whole = |least| all().chain(counted(least)).chain(turned(&with_codes));
    let some = |words| all().chain(counted(1)).chain(turned(words)).collect();
    vec![
        whole(0).chain([at.clone()]).collect(),
        whole(1).chain([at]).collect(),
        whole(1).collect(),
        some(&without),
        some(&counts),
    ]
}

/// Tasks by state, with the names of the states or without.
fn task_counters(state: &State, has_names: bool) -> Pieces<'static> {
    let mut pieces = Vec::new();
    let more = unread::more_tasks(state);
    for task_state in TASK_STATES {
        let n = state.history.tasks.count(task_state);
        let (glyph, tone) = task_glyph(task_state);
        let tone = if n == 0 { Tone::Dim } else { tone };
        let gap = if has_names && !pieces.is_empty() {
            "   "
        } else {
            " "
        };
        pieces.push(piece(tone, format!("{gap}{glyph}")));
        let words = if has_names {
            format!(" {n}{more} {}", task_state.name())
        } else {
            format!(" {n}{more}")
        };
        pieces.push(if n == 0 { dim(words) } else { plain(words) });
    }
    pieces
}

fn right(state: &State, matching: usize) -> Pieces<'static> {
    let order = match state.screen {
        Screen::Tasks => Some((state.tasks.order.by.name(), state.tasks.order.is_reversed)),
        Screen::Events => Some(("time", state.events.is_reversed)),
        Screen::Deliveries => Some((state.deliveries.sort_name(), state.deliveries.is_reversed)),
        Screen::Endpoints => Some((state.endpoints.sort.name(), state.endpoints.is_reversed)),
        Screen::Received => Some(("latest", state.received.is_reversed)),
        Screen::Health => None,
    };
    let mut pieces = if state.prompt.is_none() {
        filter_words(state, matching)
    } else {
        Vec::new()
    };
    if state.screen == Screen::Deliveries && !state.marks.is_empty() {
        pieces.push(piece(Tone::Accent, marked_words(state)));
    }
    if let Some((by, is_reversed)) = order {
        let arrow = if is_reversed { "↑" } else { "↓" };
        pieces.push(dim(format!("  {arrow} {by} ")));
    }
    pieces
}

fn marked_words(state: &State) -> String {
    let (n, n_hidden) = (state.marks.len(), state.n_hidden_marks());
    if n_hidden > 0 {
        format!("· {n} marked, {n_hidden} of them hidden ")
    } else {
        format!("· {n} marked ")
    }
}

/// The filter in words: what it is, how many match, how far the scan is, what is wrong with it.
pub fn filter_words(state: &State, matching: usize) -> Pieces<'static> {
    let Some(filter) = state.filter() else {
        return Vec::new();
    };
    if let Some(why) = &filter.error {
        return vec![piece(Tone::Bad, format!("{why} "))];
    }
    if !filter.is_active() {
        return if state.prompt.is_some() {
            vec![dim("failed · visual:processing · endpoint:… · !word ")]
        } else {
            Vec::new()
        };
    }
    let (of, progress) = counts(state);
    let mut pieces = Vec::new();
    if state.prompt.is_none() {
        pieces.push(piece(Tone::Accent, format!("/{}", filter.text)));
        pieces.push(plain("  "));
    }
    let more = match state.screen {
        Screen::Deliveries => unread::more_messages(&state.history),
        Screen::Tasks => unread::more_tasks(state),
        _ => "",
    };
    let is_part = !unread::of_filter(state).is_empty();
    let more_matching = if is_part { "+" } else { more };
    pieces.push(plain(format!("{matching}{more_matching} of {of}{more} ")));
    // The counters of messages say so themselves, whatever the filter.
    if let Some(words) = unread::short(&state.history)
        && is_part
        && state.screen == Screen::Tasks
    {
        pieces.push(piece(Tone::Warn, format!("· {words} ")));
    }
    if let Some(percent) = progress {
        pieces.push(piece(Tone::Info, format!("· filtering {percent} % ")));
    }
    pieces
}

fn counts(state: &State) -> (usize, Option<usize>) {
    let history = &state.history;
    match state.screen {
        Screen::Tasks => (history.tasks.len(), state.tasks.progress(history)),
        Screen::Events => (history.events.n_events(), state.events.progress(history)),
        Screen::Deliveries => (history.deliveries.len(), state.deliveries.progress(history)),
        Screen::Received => (history.received.len(), None),
        Screen::Endpoints | Screen::Health => (history.endpoints.len(), None),
    }
}
