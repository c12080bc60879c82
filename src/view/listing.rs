//! Pages that are one list: comparisons, repairs, losses, words that are new.

mod causes;

use ratatui::layout::Rect;

use super::list::{self, Layout, Line};
use super::model::{
    AGE, CLOCK, ago, ago_in_column, clock_in_column, delivery, proof, task_glyph, task_label,
    unread,
};
use super::paint::{Canvas, Columns, Piece, Pieces, Side, dim, piece, plain, role};
use super::table;
use super::text::{cut, cut_middle, wrap};
use super::theme::Role;
use crate::app::listing::{Entry, ListPage, Listing, new_word};
use crate::app::{State, Tone};
use crate::domain::{Bound, Part, Proof, Repair, Replay, TaskState, Time, visible};

/// Paints a list page. Gives the rows of its list.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, page: &ListPage) -> usize {
    let facts = facts(state, page.what, usize::from(table::indented(area).width));
    // The list keeps some lines, however much there is to say above it.
    let room = area.height.saturating_sub(4).max(area.height * 3 / 5);
    let room = usize::from(room);
    let inner = table::indented(area);
    let used = facts.len().min(room) as u16;
    let n_facts = facts.len();
    for (at, mut line) in facts.into_iter().take(room).enumerate() {
        if at + 1 == room
            && n_facts > room
            && let Some(last) = line.last_mut()
        {
            let words = format!("{} …", last.text);
            last.text = cut(&words, usize::from(inner.width)).into_owned().into();
        }
        let mut pieces = line.into_iter();
        let head = pieces.by_ref().take(1).collect();
        canvas.whole(inner, at as u16, head, pieces);
    }
    let gap = u16::from(used > 0 && area.height >= used + 4);
    let below = table::below(area, used + gap);
    let entries = page.what.entries(&state.history);
    list::picked(
        canvas,
        below,
        &layout(page.what, inner.width),
        (&page.pick, &entries),
        true,
        nothing(page.what),
        |layout, entry, is_selected| {
            Some(Line::plain(cells(state, layout, page, entry, is_selected)?))
        },
    )
}

/// The title of a list, for the path.
pub fn title(state: &State, what: Listing) -> String {
    match what {
        Listing::Proofs => "comparisons".to_owned(),
        Listing::Proof(number) => {
            let number = state.history.proofs.ordinal(number);
            format!("comparison {number}")
        }
        Listing::Losses(part) => format!("{} dropped or unreadable", part.name()),
        Listing::Words => "new in this service".to_owned(),
        Listing::Replays => "replays".to_owned(),
        Listing::Causes => "causes of failure".to_owned(),
    }
}

/// `dropped 0 · unreadable 0`: zero is said as zero.
pub fn loss_words(state: &State, part: Part) -> Pieces<'static> {
    let losses = &state.history.losses;
    let unreadable = if state.history.is_unreadable_at_most() {
        "unreadable at most"
    } else {
        "unreadable"
    };
    let count = |words: &str, n: u64| {
        let tone = if n == 0 { Tone::Dim } else { Tone::Warn };
        piece(tone, format!("{words} {n}"))
    };
    vec![
        count("dropped", losses.dropped(part)),
        dim(" · "),
        count(unreadable, losses.unreadable(part)),
    ]
}

fn nothing(what: Listing) -> &'static str {
    match what {
        Listing::Proofs => "None yet: one follows each time the stream is opened.",
        Listing::Proof(_) => "No task's state was wrong, so that nothing had to be repaired.",
        Listing::Losses(_) => "Nothing was dropped, and everything could be read.",
        Listing::Causes => "Nothing failed, as far as is known.",
        Listing::Words => "Every word that the service said is known to reeltop.",
        Listing::Replays => "Nothing was replayed from this machine; r plans a replay.",
    }
}

fn facts(state: &State, what: Listing, width: usize) -> Vec<Pieces<'static>> {
    match what {
        Listing::Proof(number) => match state.history.proofs.get(number) {
            Some(found) => proof_facts(state, found, width),
            None => vec![vec![dim("no longer in memory")]],
        },
        Listing::Losses(part) => {
            let mut facts = vec![loss_words(state, part)];
            if part == Part::Deliveries {
                let words = unread::words(&state.history, state.session.utc_offset);
                facts.extend(
                    words
                        .into_iter()
                        .map(|words| vec![piece(Tone::Warn, words)]),
                );
            }
            facts
        }
        Listing::Words => match state.history.new_words.n_beyond() {
            0 => Vec::new(),
            n => vec![vec![piece(
                Tone::Warn,
                format!("{n} more sights of words that had no room in this list"),
            )]],
        },
        Listing::Replays => {
            let replays = &state.history.replays;
            let n = replays.open().count();
            let tone = if n == 0 { Tone::Dim } else { Tone::Warn };
            let mut facts = vec![piece(tone, format!("{n} open"))];
            if replays.n_let_go() > 0 {
                let words = format!(
                    " · {} of other reeltops left memory; reeltop replays lists them",
                    replays.n_let_go()
                );
                facts.push(dim(words));
            }
            vec![facts]
        }
        Listing::Causes => causes::facts(state, width),
        Listing::Proofs => Vec::new(),
    }
}

fn proof_facts(state: &State, found: &Proof, width: usize) -> Vec<Pieces<'static>> {
    let offset = state.session.utc_offset;
    let (tone, glyph) = proof::tone(found);
    let mut lines = vec![vec![
        piece(tone, format!("{glyph} {}", found.summary())),
        dim(format!(
            " · {} ({})",
            state.clock(found.at),
            ago(state.shown_at().wall, found.at)
        )),
    ]];
    let said = proof::details(found, state.now.wall, offset).join(" · ");
    lines.extend(wrap(&said, width).into_iter().map(|line| vec![dim(line)]));
    for caveat in found.caveat.iter().flat_map(|caveat| caveat.split("; ")) {
        let words = visible(caveat);
        for (at, line) in wrap(&words, width.saturating_sub(11))
            .into_iter()
            .enumerate()
        {
            let head = if at == 0 {
                "not known: "
            } else {
                "           "
            };
            lines.push(vec![piece(Tone::Warn, head), plain(line)]);
        }
    }
    if found.n_repaired > found.repaired.len() {
        let (n, of) = (found.repaired.len(), found.n_repaired);
        lines.push(vec![dim(format!("{n} of {of} repairs are kept"))]);
    }
    lines
}

fn layout(what: Listing, width: u16) -> Layout {
    use Side::{Left, Right};
    if what == Listing::Causes {
        return causes::layout(width);
    }
    let is_wide = width >= 76;
    let (columns, titles): (_, &[_]) = match what {
        Listing::Proofs if is_wide => (
            Columns::new(width, &[(AGE, Left), (0, Left), (8, Right)], 1),
            &["WHEN", "RESULT", "COMPARED"],
        ),
        Listing::Proofs => (
            Columns::new(width, &[(AGE, Left), (0, Left)], 1),
            &["WHEN", "RESULT"],
        ),
        Listing::Proof(_) if is_wide => (
            Columns::new(
                width,
                &[(0, Left), (12, Left), (1, Left), (12, Left), (24, Left)],
                0,
            ),
            &["TASK", "BEFORE", "", "AFTER", "READ FROM"],
        ),
        Listing::Proof(_) => (
            Columns::new(
                width,
                &[(0, Left), (1, Left), (1, Left), (1, Left), (8, Left)],
                0,
            ),
            &["TASK", "", "", "", "FROM"],
        ),
        Listing::Losses(_) => (
            Columns::new(width, &[(AGE, Left), (12, Left), (7, Right), (0, Left)], 3),
            &["WHEN", "WHERE", "COUNT", "WHAT"],
        ),
        Listing::Words if is_wide => (
            Columns::new(width, &[(10, Left), (0, Left), (7, Right), (26, Left)], 1),
            &["KIND", "WORD", "COUNT", "FIRST SEEN IN"],
        ),
        Listing::Replays if is_wide => (
            Columns::new(
                width,
                &[(CLOCK, Left), (24, Left), (16, Left), (0, Left)],
                3,
            ),
            &["WHEN", "MESSAGE", "ENDPOINT", "WHAT BECAME OF IT"],
        ),
        Listing::Replays => (
            Columns::new(width, &[(AGE, Left), (14, Left), (0, Left)], 2),
            &["WHEN", "MESSAGE", "WHAT BECAME OF IT"],
        ),
        Listing::Words | Listing::Causes => (
            Columns::new(width, &[(10, Left), (0, Left), (7, Right)], 1),
            &["KIND", "WORD", "COUNT"],
        ),
    };
    Layout { columns, titles }
}

fn cells(
    state: &State,
    layout: &Layout,
    page: &ListPage,
    entry: &Entry,
    is_selected: bool,
) -> Option<Vec<Pieces<'static>>> {
    let history = &state.history;
    let named = |name: &str, width: usize| {
        let kind = if is_selected {
            Role::Selected
        } else {
            Role::Text
        };
        vec![role(kind, cut_middle(&visible(name), width).into_owned())]
    };
    Some(match (page.what, entry) {
        (_, Entry::Listing(Listing::Proof(number))) => {
            proof_cells(state, layout, history.proofs.get(*number)?, is_selected)
        }
        (Listing::Proof(number), Entry::Repaired(task)) => {
            let found = history.proofs.get(number)?;
            let repair = found.repaired.iter().find(|repair| repair.task == *task)?;
            let name = named(&task_label(history, task), layout.columns.width(0));
            repair_cells(layout, repair, name)
        }
        (_, Entry::Cause(cause)) => causes::cells(state, layout, *cause, is_selected)?,
        (_, Entry::Bound(bound)) => bound_cells(state, *bound, is_selected),
        (_, Entry::Unreadable(number)) => {
            let (at, what) = history.unreadable.get(*number)?;
            vec![
                vec![age(state, at.wall)],
                vec![plain(what.place)],
                vec![plain(what.count.to_string())],
                vec![piece(Tone::Warn, "? "), plain(what.why.clone())],
            ]
        }
        (_, Entry::Word(kind, word)) => {
            let new = new_word(history, *kind, word)?;
            vec![
                vec![dim(new.kind.name())],
                named(word, layout.columns.width(1)),
                vec![plain(new.count.to_string())],
                vec![dim(new.example.seen_in.clone())],
            ]
        }
        (_, Entry::Replay(number, _)) => {
            replay_cells(state, layout, history.replays.get(*number)?, is_selected)
        }
        _ => return None,
    })
}

/// How long ago it was by our clock, in its column.
fn age(state: &State, then: Time) -> Piece<'static> {
    dim(ago_in_column(state.shown_at().wall, then, usize::from(AGE)))
}

/// The same of what the service that delivers tells, by its clock.
fn age_there(state: &State, then: Time) -> Piece<'static> {
    dim(ago_in_column(state.deliveries_at(), then, usize::from(AGE)))
}

fn replay_cells(
    state: &State,
    layout: &Layout,
    replay: &Replay,
    is_selected: bool,
) -> Vec<Pieces<'static>> {
    let kind = if is_selected {
        Role::Selected
    } else {
        Role::Text
    };
    let (glyph, tone) = delivery::replay_glyph(&replay.state);
    let message = cut_middle(&replay.message.to_string(), layout.columns.width(1)).into_owned();
    let mut words = replay.words();
    if let Some(attempt) = replay.state.attempt() {
        words = format!("{words} by {}", attempt.short(20));
    }
    if let Some(route) = replay.route.words() {
        words = format!("{words}, {route}");
    }
    if let Some(who) = &replay.by {
        words = format!("{words} ({})", who.words());
    }
    let is_wide = layout.titles.len() > 3;
    let when = if is_wide {
        dim(clock_in_column(state, replay.planned.wall))
    } else {
        age(state, replay.planned.wall)
    };
    let mut cells = vec![vec![when], vec![role(kind, message)]];
    if is_wide {
        let label = state.history.endpoint_label(&replay.endpoint);
        cells.push(vec![plain(visible(&label).into_owned())]);
    }
    cells.push(vec![
        piece(tone, format!("{glyph} ")),
        plain(visible(&words).into_owned()),
    ]);
    cells
}

fn proof_cells(
    state: &State,
    layout: &Layout,
    found: &Proof,
    is_selected: bool,
) -> Vec<Pieces<'static>> {
    let (tone, glyph) = proof::tone(found);
    let kind = if is_selected {
        Role::Selected
    } else {
        Role::Text
    };
    let when = vec![age(state, found.at)];
    let result = vec![
        piece(tone, glyph),
        role(kind, format!(" {}", found.words())),
    ];
    if layout.titles.len() == 2 {
        return vec![when, result];
    }
    let compared = found.compared.map_or("·".to_owned(), |n| n.to_string());
    vec![when, result, vec![plain(compared)]]
}

fn repair_cells(layout: &Layout, repair: &Repair, name: Pieces<'static>) -> Vec<Pieces<'static>> {
    let is_wide = layout.columns.width(1) > 1;
    let state = |state: Option<TaskState>, none: &'static str| match state {
        Some(state) => {
            let (glyph, tone) = task_glyph(state);
            let words = if is_wide {
                format!(" {}", state.name())
            } else {
                String::new()
            };
            vec![piece(tone, glyph), plain(words)]
        }
        None if is_wide => vec![piece(Tone::Warn, "?"), plain(format!(" {none}"))],
        None => vec![piece(Tone::Warn, "?")],
    };
    vec![
        name,
        state(repair.before, "unseen"),
        vec![dim("→")],
        state(repair.after, "gone"),
        vec![dim(proof::read_from(repair.how, is_wide))],
    ]
}

fn bound_cells(state: &State, bound: Bound, is_selected: bool) -> Vec<Pieces<'static>> {
    let dropped = state.history.losses.by(bound);
    let kind = if is_selected {
        Role::Selected
    } else {
        Role::Text
    };
    let when = dropped
        .last
        .map_or_else(|| dim("never"), |at| age(state, at.wall));
    let count = if dropped.n == 0 {
        dim("0")
    } else {
        piece(Tone::Warn, dropped.n.to_string())
    };
    let words = proof::bound_words(bound, state.history.limit(bound));
    let mut what = vec![role(kind, words)];
    if let Some(first) = dropped.first {
        what.push(dim(format!(", since {}", state.clock(first.wall))));
    }
    vec![vec![when], vec![dim("memory")], vec![count], what]
}
