//! A comparison: what two attempts, or two messages, have in common, and what changed.

use ratatui::layout::Rect;

use super::model::delivery::{attempt_glyph, cause};
use super::model::{grouped, kept_of_answer, millis, unread};
use super::paint::{Canvas, Piece, Pieces, dim, piece, plain, role};
use super::table;
use super::theme::Role;
use crate::app::diff::{Changed, Compared, DiffLine, DiffPage, MAX_LINES};
use crate::app::{State, Tone, Viewport};
use crate::domain::time::duration_words;
use crate::domain::{Attempt, AttemptId, AttemptNumber, Delivery, MessageId, Payload};

/// Narrower than this, both texts stand one below the other.
const BESIDE: u16 = 80;
/// Values that changed which are told above the texts.
const MAX_VALUES: usize = 8;

/// A row of the page. What lines of the texts say is made only where they are in sight.
enum Row<'a> {
    Words(Pieces<'a>),
    One(DiffLine),
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
    let rows = rows(state, page, area.width >= BESIDE);
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
            Row::One(line) => {
                canvas.line(inner, at, &[line_piece(page, *line)]);
            }
            Row::Beside(left, right) => {
                let sides = [(*left, inner.x), (*right, inner.x + half + 3)];
                for (line, x) in sides {
                    let cells = Rect {
                        x,
                        width: half,
                        ..inner
                    };
                    let line = line.map(|line| line_piece(page, line));
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

fn rows<'a>(state: &State, page: &'a DiffPage, has_room: bool) -> Vec<Row<'a>> {
    let facts = match &page.of {
        Compared::Attempts { message, ids } => attempt_facts(state, message, ids),
        Compared::Messages(ids) => message_facts(state, ids),
    };
    let mut words = facts;
    words.push(Vec::new());
    if page.lines.is_empty() {
        words.push(vec![dim(unknown(state, page))]);
        return words.into_iter().map(Row::Words).collect();
    }
    values(&mut words, page);
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
    if page.is_beside && has_room {
        beside(&mut rows, &page.lines);
    } else {
        rows.extend(page.lines.iter().map(|line| Row::One(*line)));
    }
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
    let Compared::Messages(ids) = &page.of else {
        return "there is nothing to compare any more".to_owned();
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
        let words = unread::message_words(&state.history, id, is_told);
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
fn values<'a>(lines: &mut Vec<Pieces<'a>>, page: &'a DiffPage) {
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
            (Some(before), Some(after)) => line.extend([
                piece(Tone::Bad, before.as_str()),
                plain(" → "),
                piece(Tone::Ok, after.as_str()),
            ]),
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

/// A line with its sign, made of its text's own tokens.
fn line_piece<'a>(page: &DiffPage, line: DiffLine) -> Piece<'a> {
    let (kind, sign, which, at) = match line {
        DiffLine::Same(_, at) => (Role::Dim, "  ", 1, at),
        DiffLine::Gone(at) => (Role::Bad, "- ", 0, at),
        DiffLine::New(at) => (Role::Ok, "+ ", 1, at),
    };
    let document = &page.texts[which];
    let mut text = sign.to_owned();
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
    role(kind, text)
}

/// The earlier text at the left, the later at the right; what took a line's place stands beside it.
fn beside(rows: &mut Vec<Row<'_>>, lines: &[DiffLine]) {
    let is_same = |line: &DiffLine| matches!(line, DiffLine::Same(..));
    for run in lines.chunk_by(|a, b| is_same(a) == is_same(b)) {
        if run.first().is_some_and(is_same) {
            rows.extend(run.iter().map(|line| Row::Beside(Some(*line), Some(*line))));
            continue;
        }
        let (gone, new): (Vec<DiffLine>, Vec<DiffLine>) = run
            .iter()
            .partition(|line| matches!(line, DiffLine::Gone(_)));
        for at in 0..gone.len().max(new.len()) {
            rows.push(Row::Beside(gone.get(at).copied(), new.get(at).copied()));
        }
    }
}
