//! The plan of many replays: what would be sent of it, what not and why, in the order in which it
//! would leave.

mod head;
pub mod run;

use ratatui::layout::Rect;

use super::help::centered;
use super::list;
use super::model::{CLOCK, asset_label, clock_in_column};
use super::paint::{Canvas, Columns, Piece, Pieces, Side, dim, piece, plain, role};
use super::text::{cut_middle, hints, wrap};
use super::theme::Role;
use crate::app::bulk::{BulkOverlay, BulkRow, Choice, Counts, ShownBulk};
use crate::app::prompt::Prompt;
use crate::app::{State, Tone};
use crate::domain::time::OVERDUE;
use crate::domain::{History, MessageId, Retry, Time, Verdict, visible};

/// The widest that it is.
const WIDTH: u16 = 124;
/// Lines below the box, where short notes stand.
const NOTES: u16 = 2;
/// Cells inside it from which on each row has its time, and a retry on another day is still whole.
const WIDE: u16 = 101;
/// Of a row that was left to the service's own retry.
const NO_RETRY: &str = "! no retry comes after all";
/// Lines below the rows: what is known of the picked one, and the foot.
const BELOW: u16 = 4;

/// Paints the plan. Gives what it said that Enter does, if it had room for a row.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    overlay: &BulkOverlay,
) -> Option<ShownBulk> {
    let area = above_notes(area);
    let counts = overlay.counts();
    let width = area
        .width
        .saturating_sub(2)
        .clamp(20, WIDTH)
        .min(area.width);
    let inner_width = usize::from(width).saturating_sub(4);
    let above = head::lines(state, overlay, counts, inner_width);
    let n_rows = overlay.rows.len().min(usize::from(u16::MAX / 2)) as u16;
    let wanted = (above.len() as u16 + 1)
        .saturating_add(n_rows)
        .saturating_add(BELOW + 2);
    let inner = canvas.frame(centered(area, width, wanted), "Replay many");
    let picked = overlay.rows.get(overlay.at);
    let why = picked.map_or(Vec::new(), |row| left_out(row, inner_width));
    let n_lines = (above.len() as u16, n_rows, why.len() as u16);
    let (top, body, below) = parts(inner, n_lines, overlay.typed.is_some());
    for (at, line) in above.iter().take(usize::from(top)).enumerate() {
        canvas.line(inner, at as u16, line);
    }
    if usize::from(top) < above.len() && top > 2 {
        let words = "… and more to know before, which a larger window shows";
        canvas.line(inner, top - 1, &[piece(Tone::Warn, words)]);
    }
    let shown_from = first_row(overlay.at, usize::from(body.height));
    let layout = layout(body.width);
    let rows = overlay.rows.iter().enumerate();
    let shown = rows.skip(shown_from).take(usize::from(body.height));
    for (line, (at, row)) in shown.enumerate() {
        let is_picked = at == overlay.at;
        let cells = cells(state, &layout, row, is_picked);
        let line = line as u16;
        layout.columns.row(canvas, indented(body), line, &cells);
        if is_picked {
            canvas.line(body, line, &[role(Role::Selected, "▌")]);
        }
    }
    let facts = match picked {
        Some(row) if below == BELOW => facts(row, inner_width),
        _ => why,
    };
    let first = inner.height - below;
    for (at, line) in (0..below.saturating_sub(1)).zip(&facts) {
        canvas.line(inner, first + at, line);
    }
    if inner.height >= 1 {
        let foot = match &overlay.typed {
            Some(typed) => count_line(typed, counts.send),
            None => vec![dim(foot(overlay, counts, inner_width))],
        };
        canvas.line(inner, inner.height - 1, &foot);
    }
    (body.height >= 1 && overlay.typed.is_none()).then(|| overlay.shown())
}

/// Rows that are in sight, where there are so many, before the head gets more than a third.
const LEAST_ROWS: u16 = 3;

/// What stands where: lines of the head, the rows, lines below them. What is to be known before goes
/// before the rows, but for a few; and where room is short, of the picked row at least why it is not
/// sent.
fn parts(inner: Rect, (head, n_rows, why): (u16, u16, u16), is_typing: bool) -> (u16, Rect, u16) {
    let is_roomy = inner.height >= head + 8;
    let head = if is_roomy {
        head
    } else {
        let rest = inner.height.saturating_sub(1 + n_rows.min(LEAST_ROWS));
        head.min(rest.max(inner.height / 3))
    };
    let gap = u16::from(is_roomy);
    let below = match (is_roomy, is_typing) {
        (true, false) => BELOW,
        (_, true) => 1,
        // The row itself stays in sight.
        (false, false) => {
            1 + why
                .min(inner.height.saturating_sub(head + 2))
                .min(BELOW - 2)
        }
    };
    let body = Rect {
        y: inner.y + head + gap,
        height: inner.height.saturating_sub(head + gap + below),
        ..inner
    };
    (head, body, below.min(inner.height))
}

/// The first row in sight, so that the picked one stands in the middle where it can.
fn first_row(picked: usize, height: usize) -> usize {
    picked.saturating_sub(height / 2)
}

/// The area without the lines of the notes, where there is room for both.
fn above_notes(area: Rect) -> Rect {
    let notes = if area.height >= 14 { NOTES } else { 0 };
    Rect {
        height: area.height - notes,
        ..area
    }
}

fn indented(area: Rect) -> Rect {
    let by = 2.min(area.width);
    Rect {
        x: area.x + by,
        width: area.width - by,
        ..area
    }
}

fn layout(width: u16) -> list::Layout {
    use Side::Left;
    let width = width.saturating_sub(2);
    let columns = match width {
        0..60 => Columns::new(
            width,
            &[
                (3, Left),
                // What is to become of it is whole.
                (width.saturating_sub(22).clamp(4, 14), Left),
                (10, Left),
                (6, Left),
                (0, Left),
            ],
            4,
        ),
        60..WIDE => Columns::new(
            width,
            &[
                (3, Left),
                (14, Left),
                (16, Left),
                (10, Left),
                (6, Left),
                (0, Left),
            ],
            5,
        ),
        _ => Columns::new(
            width,
            &[
                (3, Left),
                (CLOCK, Left),
                (14, Left),
                // A retry on another day is told whole.
                ((width - (WIDE - 12)).min(24), Left),
                (14, Left),
                (6, Left),
                (0, Left),
            ],
            6,
        ),
    };
    list::Layout {
        columns,
        titles: &[],
    }
}

fn cells(
    state: &State,
    layout: &list::Layout,
    row: &BulkRow,
    is_picked: bool,
) -> Vec<Pieces<'static>> {
    let item = &row.item;
    let check = match (&item.verdict, item.is_chosen) {
        (Verdict::Refuse(_), _) => " - ",
        (_, true) => "[x]",
        (_, false) => "[ ]",
    };
    let (word, tone) = match &item.verdict {
        _ if item.is_chosen => ("SEND", Tone::Accent),
        _ if row.is_waiting() => ("WAIT", Tone::Info),
        Verdict::Refuse(_) => ("CANNOT", Tone::Warn),
        Verdict::Skip(_) | Verdict::Send => ("SKIP", Tone::Dim),
    };
    let why = match (&item.verdict, item.retry) {
        (Verdict::Refuse(why), _) => dim(visible(why).into_owned()),
        (_, Some(retry)) if row.is_waiting() => dim(format!(
            "for its retry {}{}",
            retry.about(),
            state.clock(retry.at)
        )),
        _ if item.is_chosen && row.is_unwanted => piece(Tone::Warn, "! left out by you, yet sent"),
        (_, Some(retry)) if item.is_chosen => piece(Tone::Warn, retry_words(state, retry)),
        (Verdict::Skip(why), _) => {
            let mark = if item.is_chosen { "! " } else { "" };
            dim(format!("{mark}{}", visible(why)))
        }
        _ if row.choice == Some(Choice::NoRetry) => piece(Tone::Warn, NO_RETRY),
        (Verdict::Send, _) if !item.is_chosen && row.choice.is_none() => {
            dim("can be sent by now; Space chooses it")
        }
        (Verdict::Send, _) if !item.is_chosen => dim("left out by you"),
        (Verdict::Send, _) => plain(""),
    };
    let why = doubted(state, row, why);
    let names = names(&state.history, &row.message);
    let n_columns = match layout.columns.width(6) {
        0 if layout.columns.width(5) == 0 => 5,
        0 => 6,
        _ => 7,
    };
    let kind_role = if is_picked {
        Role::Selected
    } else {
        Role::Text
    };
    let mut cells = vec![vec![plain(check)]];
    if n_columns == 7 {
        cells.push(vec![dim(names
            .when
            .map_or_else(String::new, |at| clock_in_column(state, at)))]);
    }
    cells.push(vec![role(kind_role, names.kind)]);
    if n_columns >= 6 {
        let room = layout.columns.width(n_columns - 4);
        cells.push(vec![plain(cut_middle(&names.asset, room).into_owned())]);
    }
    let room = layout.columns.width(n_columns - 3);
    let label = cut_middle(&visible(&item.label), room).into_owned();
    cells.push(vec![plain(label)]);
    cells.push(vec![piece(tone, word)]);
    cells.push(why);
    cells
}

/// What is said of a row, and that not all of its attempts are read if it is to be sent all the same.
fn doubted(state: &State, row: &BulkRow, why: Piece<'static>) -> Pieces<'static> {
    let item = &row.item;
    let Some(missing) = item.unread.as_ref().filter(|_| item.is_chosen) else {
        return vec![why];
    };
    if let Some(retry) = item.retry.filter(|_| !row.is_unwanted) {
        // In so few words that its time has room.
        let words = retry_words(state, retry).replace("due about", "about");
        let words = words.trim_start_matches("! ");
        return vec![piece(Tone::Warn, format!("! unread, {words}"))];
    }
    let start = if why.text.is_empty() { "! " } else { " · " };
    let words = format!("{start}attempts {}", visible(&missing.words));
    vec![why, piece(Tone::Warn, words)]
}

/// When the service tries a row again that is to be sent.
fn retry_words(state: &State, retry: Retry) -> String {
    let now = state.history.service_time(state.now.wall);
    let estimate = retry.estimate();
    if retry.at > now {
        format!("! retry due {}{}", retry.about(), state.clock(retry.at))
    } else if now.since(retry.at) < OVERDUE {
        format!("! retry due now{estimate}")
    } else {
        format!("! retry overdue{estimate}")
    }
}

/// What a pair is called.
struct Names {
    when: Option<Time>,
    kind: String,
    asset: String,
}

fn names(history: &History, id: &MessageId) -> Names {
    let delivery = history.deliveries.get(id);
    let message = delivery.and_then(|delivery| delivery.message.as_ref());
    let task = message.and_then(|message| message.task.as_ref());
    let asset = task
        .and_then(|task| history.tasks.get(task))
        .map_or_else(|| id.short(20), |task| asset_label(history, &task.asset()));
    Names {
        when: delivery.map(crate::domain::Delivery::time),
        kind: message.map_or_else(|| "message".to_owned(), |it| it.kind.name().to_owned()),
        asset: visible(&asset).into_owned(),
    }
}

/// All that is known of the picked pair: its ids, and every warning.
fn facts(row: &BulkRow, width: usize) -> Vec<Pieces<'static>> {
    let ids = format!("{} → {}  {}", row.message, row.item.label, row.item.url);
    let ids = vec![dim(visible(&ids).into_owned())];
    let why = left_out(row, width);
    let more = if why.is_empty() {
        wrapped(&row.item.warnings.join(" · "), Tone::Warn, width)
    } else {
        why
    };
    std::iter::once(ids).chain(more).collect()
}

/// Why the plan does not send a row, if it does not.
fn left_out(row: &BulkRow, width: usize) -> Vec<Pieces<'static>> {
    match &row.item.verdict {
        Verdict::Refuse(why) => wrapped(why, Tone::Warn, width),
        Verdict::Skip(why) if !row.item.is_chosen => wrapped(why, Tone::Dim, width),
        _ => Vec::new(),
    }
}

fn wrapped(words: &str, tone: Tone, width: usize) -> Vec<Pieces<'static>> {
    let lines = wrap(&visible(words), width).into_iter();
    lines.map(|text| vec![piece(tone, text)]).collect()
}

fn foot(overlay: &BulkOverlay, counts: Counts, room: usize) -> String {
    let enter = match (counts.send, counts.waiting) {
        _ if !overlay.can_go() => None,
        (0, n) => Some(format!("Enter wait for {n}, send nothing")),
        (n, _) => Some(format!("Enter send {n}")),
    };
    let mut parts: Vec<&str> = enter.as_deref().into_iter().collect();
    if !overlay.by.is_sweep() {
        parts.extend(["Space choose", "* all or none"]);
    }
    parts.extend(["p another route", "Esc back, nothing sent"]);
    hints(&parts, room)
}

/// Where the number is typed.
fn count_line(typed: &Prompt, n: usize) -> Pieces<'static> {
    vec![
        piece(Tone::Warn, format!("Type {n} to send {n}: ")),
        plain(typed.text().to_owned()),
        role(Role::Label, " "),
        dim("     Enter send     Esc back, nothing sent"),
    ]
}
