//! A comparison: what two attempts, or two messages, have in common, and what changed.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::model::delivery::{attempt_glyph, cause};
use super::model::{grouped, kept_of_answer, millis, unread};
use super::paint::{Canvas, Piece, Pieces, dim, piece, pieces_width, plain, role, safe_start};
use super::table;
use super::text::{cut, width};
use super::theme::Role;
use crate::app::diff::{Changed, Compared, DiffLine, DiffPage, MAX_LINES};
use crate::app::{State, Tone, Viewport};
use crate::domain::time::duration_words;
use crate::domain::{Attempt, AttemptId, AttemptNumber, Delivery, MessageId, Payload, answer};

/// Narrower than this, both texts stand one below the other.
const BESIDE: u16 = 80;
/// Values that changed which are told above the texts.
const MAX_VALUES: usize = 8;

/// A row of the page. What lines of the texts say is made only where they are in sight.
enum Row<'a> {
    Words(Pieces<'a>),
    /// A line, and the one of the other text whose place it took.
    One(DiffLine, Option<DiffLine>),
    /// A line of the earlier text and one of the later, side by side.
    Beside(Option<DiffLine>, Option<DiffLine>),
}

/// Paints a comparison.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    page: &DiffPage,
    viewport: &mut Viewport,
) {
    let rows = rows(state, page, area.width);
    let height = usize::from(area.height);
    viewport.rows = height;
    viewport.max_scroll = rows.len().saturating_sub(height);
    let top = page.top.min(viewport.max_scroll);
    let inner = table::indented(area);
    let half = inner.width.saturating_sub(3) / 2;
    for (at, row) in rows.iter().skip(top).take(height).enumerate() {
        let at = at as u16;
        match row {
            Row::Words(pieces) => {
                canvas.line(inner, at, pieces);
            }
            Row::One(line, other) => {
                let room = usize::from(inner.width);
                canvas.line(inner, at, &[line_piece(page, *line, *other, room)]);
            }
            Row::Beside(left, right) => {
                let sides = [
                    (*left, *right, inner.x),
                    (*right, *left, inner.x + half + 3),
                ];
                for (line, other, x) in sides {
                    let cells = Rect {
                        x,
                        width: half,
                        ..inner
                    };
                    let room = usize::from(half);
                    let line = line.map(|line| line_piece(page, line, other, room));
                    canvas.line(cells, at, line.as_slice());
                }
                let rule = Rect {
                    x: inner.x + half + 1,
                    width: 1,
                    ..inner
                };
                canvas.line(rule, at, &[role(Role::Rule, "│")]);
            }
        }
    }
}

fn rows<'a>(state: &State, page: &'a DiffPage, width: u16) -> Vec<Row<'a>> {
    let facts = match &page.of {
        Compared::Attempts { message, ids } => attempt_facts(state, message, ids),
        Compared::Messages(ids) => message_facts(state, ids),
    };
    let has_room = width >= BESIDE;
    let mut words = facts;
    if page.is_beside && !has_room {
        let why = format!("side by side takes a width of {BESIDE}, here are {width}");
        words.push(vec![piece(Tone::Warn, why)]);
    }
    words.push(Vec::new());
    if page.lines.is_empty() {
        words.push(vec![dim(unknown(state, page))]);
        return words.into_iter().map(Row::Words).collect();
    }
    values(&mut words, page, usize::from(width));
    let n_other = (page.lines.iter())
        .filter(|line| !matches!(line, DiffLine::Same(..)))
        .count();
    let what = match page.of {
        Compared::Attempts { .. } => "RESPONSE",
        Compared::Messages(_) => "PAYLOAD",
    };
    let told = told(state, page, n_other);
    words.push(vec![role(Role::Title, what), dim(format!("   {told}"))]);
    let mut rows: Vec<Row<'a>> = words.into_iter().map(Row::Words).collect();
    texts(&mut rows, &page.lines, page.is_beside && has_room);
    if page.is_cut {
        let words = "… longer than can be compared: the rest is not shown";
        rows.push(Row::Words(vec![dim(words)]));
    }
    rows
}

/// How many lines differ, and in how much of the texts: what is neither kept nor compared may differ
/// as well.
fn told(state: &State, page: &DiffPage, n_other: usize) -> String {
    let [before, after] = &page.texts;
    let is_kept_whole = match &page.of {
        Compared::Messages(_) => true,
        Compared::Attempts { message, ids } => {
            let delivery = state.history.deliveries.get(message);
            !delivery.is_some_and(|delivery| ids.iter().any(|id| delivery.is_cut(id)))
        }
    };
    let of = if page.is_cut {
        Some(format!("{}; the rest is not compared", in_lines()))
    } else if is_kept_whole {
        None
    } else {
        let kept = kept_of_answer(&state.history);
        Some(format!("as far as it is kept ({kept})"))
    };
    let differ = match n_other {
        0 if is_kept_whole && before.text() == after.text() => {
            return "the same in both".to_owned();
        }
        0 => "the same".to_owned(),
        1 => "1 line differs".to_owned(),
        n => format!("{n} lines differ"),
    };
    let of = of.map_or_else(String::new, |of| format!(" {of}"));
    let empty = match [before, after].map(|text| text.text().is_empty()) {
        [true, false] => "; the earlier is empty",
        [false, true] => "; the later is empty",
        _ => "",
    };
    format!("{differ}{of}{empty}")
}

/// The lines that are compared.
fn in_lines() -> String {
    format!("in the first {} lines", grouped(MAX_LINES))
}

/// Why there is nothing to compare.
fn unknown(state: &State, page: &DiffPage) -> String {
    let ids = match &page.of {
        Compared::Messages(ids) => ids,
        Compared::Attempts { message, ids } => {
            let delivery = state.history.deliveries.get(message);
            let found = |id| delivery.and_then(|delivery| delivery.attempt(id));
            let is_expunged = |attempt: &Attempt| answer::is_expunged(&attempt.response);
            return if ids.iter().filter_map(found).any(is_expunged) {
                "the service no longer has one of the answers".to_owned()
            } else {
                "there is nothing to compare any more".to_owned()
            };
        }
    };
    let is_expired = ids.iter().any(|id| {
        let delivery = state.history.deliveries.get(id);
        let message = delivery.and_then(|delivery| delivery.message.as_ref());
        message.is_some_and(|message| message.payload == Payload::Expired)
    });
    if is_expired {
        return "the service no longer has one of the payloads".to_owned();
    }
    let is_read = |id: &&MessageId| {
        let delivery = state.history.deliveries.get(id);
        delivery.is_some_and(Delivery::is_message_read)
    };
    let is_told = state.session.deliveries_from.is_some();
    let unread = ids.iter().find(|id| !is_read(id)).map(|id| {
        let now = state.shown_at().wall;
        let words = unread::message_words(&state.history, id, is_told, now);
        format!("one of the payloads is {words}; ctrl-r reads again")
    });
    unread.unwrap_or_else(|| "one of the messages is no longer in memory".to_owned())
}

fn attempt_facts<'a>(state: &State, message: &MessageId, ids: &[AttemptId; 2]) -> Vec<Pieces<'a>> {
    let delivery = state.history.deliveries.get(message);
    let found = |id| delivery.and_then(|delivery| delivery.attempt(id));
    let [Some(before), Some(after)] = [found(&ids[0]), found(&ids[1])] else {
        return vec![vec![dim("one of the attempts is no longer in memory")]];
    };
    let number = |attempt: &Attempt| {
        let number = delivery.and_then(|it| state.history.number_of(it, &attempt.id));
        match number {
            Some(AttemptNumber::Automatic(number)) => number.to_string(),
            Some(AttemptNumber::Manual) => "manual".to_owned(),
            None => "?".to_owned(),
        }
    };
    let took = |attempt: &Attempt| attempt.duration_ms.map_or_else(|| "·".to_owned(), millis);
    let later = after.started.since(before.started).max(0);
    let result = |attempt: &Attempt| {
        let (glyph, tone) = attempt_glyph(&attempt.status);
        piece(tone, format!("{glyph} {}", attempt.outcome_words()))
    };
    vec![
        vec![
            dim(format!("{:<11}", "attempt")),
            plain(format!("{} → {}", number(before), number(after))),
            dim(format!(
                " at {}",
                state.history.endpoint_label(&after.endpoint)
            )),
        ],
        vec![
            dim(format!("{:<11}", "outcome")),
            result(before),
            plain(" → "),
            result(after),
        ],
        vec![
            dim(format!("{:<11}", "started")),
            plain(format!(
                "{} → {}",
                state.clock(before.started),
                state.clock(after.started)
            )),
            dim(format!(" · {} later", duration_words(later))),
        ],
        vec![
            dim(format!("{:<11}", "took")),
            plain(format!("{} → {}", took(before), took(after))),
        ],
        vec![
            dim(format!("{:<11}", "caused by")),
            plain(format!(
                "{} → {}",
                cause(&state.history, before),
                cause(&state.history, after)
            )),
        ],
    ]
}

fn message_facts<'a>(state: &State, ids: &[MessageId; 2]) -> Vec<Pieces<'a>> {
    let line = |name: &str, id: &MessageId| {
        let delivery = state.history.deliveries.get(id);
        let message = delivery.and_then(|delivery| delivery.message.as_ref());
        let kind = message
            .map_or("message", |message| message.kind.name())
            .to_owned();
        let at = message.map(|message| state.clock(message.accepted));
        let at = at.map_or_else(String::new, |at| format!("  {at}"));
        vec![
            dim(format!("{name:<11}")),
            plain(kind),
            dim(format!("{at}  {id}")),
        ]
    };
    vec![line("earlier", &ids[0]), line("later", &ids[1])]
}

/// The values that changed, one a line.
fn values<'a>(lines: &mut Vec<Pieces<'a>>, page: &'a DiffPage, width: usize) {
    let changed: &[Changed] = &page.changed;
    if changed.is_empty() {
        return;
    }
    let mut heading = vec![role(Role::Title, "WHAT CHANGED")];
    if page.is_cut {
        heading.push(dim(format!("   {}", in_lines())));
    }
    lines.push(heading);
    for value in changed.iter().take(MAX_VALUES) {
        // What every payload of ours begins with says nothing.
        let path = value.path.strip_prefix("data.task.").unwrap_or(&value.path);
        let mut line = vec![role(Role::Key, path), plain(": ")];
        match (&value.before, &value.after) {
            (Some(before), Some(after)) => {
                let taken = pieces_width(&line) + " → ".len() + 2 * usize::from(table::INDENT);
                let room = width.saturating_sub(taken) / 2;
                let shown = |text: &'a str, other: &str| match around(text, other, room) {
                    Cow::Borrowed(text) => Cow::Borrowed(text),
                    Cow::Owned(text) => {
                        Cow::Owned(cut(&safe_start(&text, room), room).into_owned())
                    }
                };
                line.extend([
                    piece(Tone::Bad, shown(before, after)),
                    plain(" → "),
                    piece(Tone::Ok, shown(after, before)),
                ]);
            }
            (None, Some(after)) => {
                line.extend([piece(Tone::Ok, after.as_str()), dim(" is new")]);
            }
            (Some(before), None) => {
                line.extend([piece(Tone::Bad, before.as_str()), dim(" is gone")]);
            }
            (None, None) => {}
        }
        lines.push(line);
    }
    if let Some(more) = changed.len().checked_sub(MAX_VALUES).filter(|n| *n > 0) {
        lines.push(vec![dim(format!("… and {more} more"))]);
    }
    lines.push(Vec::new());
}

/// Cells of what differs that are seen where a line shows its beginning.
const SEEN: usize = 8;
/// Letters before the first difference that are shown where its line is too long.
const BEFORE: usize = 12;

/// The text where what differs first from the other one is within so many cells, else only from a
/// little before that on.
fn around<'a>(text: &'a str, other: &str, room: usize) -> Cow<'a, str> {
    if width(&safe_start(text, room)) <= room {
        return Cow::Borrowed(text);
    }
    let same = text.char_indices().zip(other.chars());
    let same = same.take_while(|((_, a), b)| a == b);
    let common = same.last().map_or(0, |((at, a), _)| at + a.len_utf8());
    let is_seen = width(&safe_start(&text[..common], room)) + SEEN <= room;
    let from = text[..common].char_indices().rev().nth(BEFORE - 1);
    match from {
        Some((from, _)) if !is_seen => Cow::Owned(format!("…{}", &text[from..])),
        _ => Cow::Borrowed(text),
    }
}

/// A line with its sign. Of a long one the part is shown in which it differs from the other.
fn line_piece<'a>(
    page: &DiffPage,
    line: DiffLine,
    other: Option<DiffLine>,
    room: usize,
) -> Piece<'a> {
    let (kind, sign) = match line {
        DiffLine::Same(..) => (Role::Dim, "  "),
        DiffLine::Gone(_) => (Role::Bad, "- "),
        DiffLine::New(_) => (Role::Ok, "+ "),
    };
    let text = line_text(page, line);
    let text = match other.filter(|_| kind != Role::Dim) {
        Some(other) => around(&text, &line_text(page, other), room.saturating_sub(2)),
        None => Cow::Borrowed(text.as_str()),
    };
    role(kind, format!("{sign}{text}"))
}

/// A line made of its text's own tokens.
fn line_text(page: &DiffPage, line: DiffLine) -> String {
    let (which, at) = match line {
        DiffLine::Same(_, at) | DiffLine::New(at) => (1, at),
        DiffLine::Gone(at) => (0, at),
    };
    let document = &page.texts[which];
    let mut text = String::new();
    if let Some(line) = document.lines.get(at) {
        text.push_str(&"  ".repeat(usize::from(line.indent)));
        for token in &line.tokens {
            let piece = document.piece(token);
            text.push_str(piece);
            if document.is_json && piece == ":" {
                text.push(' ');
            }
        }
    }
    text
}

/// The lines of both texts: one below the other, or the earlier at the left and the later at the
/// right, with what took a line's place beside it.
fn texts(rows: &mut Vec<Row<'_>>, lines: &[DiffLine], is_beside: bool) {
    let is_same = |line: &DiffLine| matches!(line, DiffLine::Same(..));
    for run in lines.chunk_by(|a, b| is_same(a) == is_same(b)) {
        if run.first().is_some_and(is_same) {
            rows.extend(run.iter().map(|line| {
                if is_beside {
                    Row::Beside(Some(*line), Some(*line))
                } else {
                    Row::One(*line, None)
                }
            }));
            continue;
        }
        let (gone, new): (Vec<DiffLine>, Vec<DiffLine>) = run
            .iter()
            .partition(|line| matches!(line, DiffLine::Gone(_)));
        let with = |at: usize, others: &[DiffLine]| others.get(at).copied();
        if is_beside {
            let n = gone.len().max(new.len());
            rows.extend((0..n).map(|at| Row::Beside(with(at, &gone), with(at, &new))));
            continue;
        }
        let (mut n_gone, mut n_new) = (0, 0);
        for line in run {
            let (n, others) = match line {
                DiffLine::Gone(_) => (&mut n_gone, &new),
                _ => (&mut n_new, &gone),
            };
            rows.push(Row::One(*line, with(*n, others)));
            *n += 1;
        }
    }
}
