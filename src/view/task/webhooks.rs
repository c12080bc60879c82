//! The webhooks about a task on the time axis of its features: the messages, and at each endpoint
//! every attempt and how long after the change of state it was told.

use std::collections::BTreeMap;

use ratatui::layout::Rect;

use super::super::model::timeline::{event_word, lag_words};
use super::super::model::{delivery, event_glyph, unread};
use super::super::paint::{Canvas, Columns, Pieces, Side, dim, piece, pieces_width, plain, said};
use super::super::table;
use super::super::text::{cut, cut_middle, width, wrap};
use super::bar_area;
use crate::app::{State, Tone};
use crate::domain::time::rough_words;
use crate::domain::{
    Attempt, AttemptStatus, Delivery, EndpointId, Forecast, History, Lag, NotRead, Notified,
    OutcomeState, TaskId, Time, notified, told_changes,
};

/// Endpoints shown at most.
const MAX_LINES: usize = 6;

/// Lines that say why attempts cannot be read, at most.
const MAX_REASONS: usize = 2;

/// Lines that these leave to the lists below, where there are so many.
const LISTS: u16 = 5;

/// Cells of the column of what an endpoint got, where its counts need no more.
const GOT: u16 = 7;

/// What became of a task's messages at one endpoint.
#[derive(Default)]
struct Line<'a> {
    notified: Notified<'a>,
    attempts: Vec<&'a Attempt>,
    failing: Option<String>,
    /// When it is tried again, and whether the service says so.
    next: Option<(Time, bool)>,
    /// Messages of which it is not known whether they were sent there.
    n_unread: usize,
    /// Why attempts there are not known, if some are not.
    missing: Option<NotRead<'a>>,
}

impl Line<'_> {
    /// How many messages it got of those that were sent there: `3 of 4`, `3+ of 4` where one of
    /// these may have been delivered by an attempt that is not read, `?` where none is read.
    fn got(&self, more_messages: &str) -> String {
        let (got, of) = (self.notified.n_delivered, self.notified.n_messages);
        if of == 0 {
            return "?".to_owned();
        }
        let more = if self.n_unread > 0 {
            "+"
        } else {
            more_messages
        };
        let is_open = !more.is_empty() || self.missing.is_some();
        let more_got = if is_open { "+" } else { "" };
        format!("{got}{more_got} of {of}{more}")
    }

    fn tone(&self) -> Tone {
        if self.notified.n_delivered < self.notified.n_messages {
            Tone::Bad
        } else if self.n_unread > 0 {
            Tone::Dim
        } else {
            Tone::Text
        }
    }
}

/// The messages of a task with the times of what they tell, newest first.
type Told<'a> = [(Time, &'a Delivery)];

/// Paints the webhooks of a task. Gives the lines taken.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    task: &TaskId,
    span: (Time, Time),
) -> u16 {
    // All of it is by the clock of the service that delivers, the axis too.
    let now = state.deliveries_at();
    let there = |time| state.history.delivery_time(time);
    let span = (there(span.0), there(span.1));
    let told = told_changes(&state.history, task);
    let lines = lines(state, &told, now);
    if lines.is_empty() {
        return 0;
    }
    let inner = table::indented(area);
    let bars = bar_area(area);
    let left = Rect {
        width: bars.map_or(inner.width, |bars| bars.x - inner.x - 1),
        ..inner
    };
    let before = unread::messages_before_of(&state.history, task);
    let more_messages = before.map_or("", |_| "+");
    let mut shown: Vec<(&EndpointId, &Line<'_>)> = lines.iter().collect();
    if shown.len() > MAX_LINES {
        shown.sort_by_key(|(_, line)| (line.failing.is_none(), line.attempts.is_empty()));
    }
    let hidden = shown.split_off(shown.len().min(MAX_LINES));
    let got = shown.iter().map(|(_, line)| line.got(more_messages));
    let got: Vec<String> = got.collect();
    let widest = got.iter().map(|words| width(words) as u16).max();
    let columns = Columns::new(
        left.width,
        &[
            (11, Side::Left),
            (widest.map_or(GOT, |widest| widest.max(GOT)), Side::Left),
            (0, Side::Left),
        ],
        2,
    );
    table::titles(canvas, left, &columns, &["WEBHOOKS", "GOT", "NOTIFIED"]);
    if let Some(bars) = bars {
        events(canvas, bars, &told, span);
    }
    let mut row = 1;
    for ((endpoint, line), got) in shown.into_iter().zip(got) {
        let cells = [
            vec![plain(short_label(state, endpoint))],
            vec![piece(line.tone(), got)],
            notified_words(line, now, columns.width(2)),
        ];
        columns.row(canvas, left, row, &cells);
        if let Some(bars) = bars {
            marks(canvas, bars, row, line, span);
        }
        row += 1;
    }
    if !hidden.is_empty() {
        let n_of = |is: fn(&Line<'_>) -> bool| hidden.iter().filter(|(_, line)| is(line)).count();
        let failing = of_them(n_of(|line| line.failing.is_some()), "failing");
        let unread = of_them(n_of(|line| line.missing.is_some()), "not read");
        let words = format!("… {} more endpoints{failing}{unread}", hidden.len());
        canvas.line(inner, row, &[dim(words)]);
        row += 1;
    }
    // The lists below keep their room.
    let room = usize::from(area.height.saturating_sub(row + LISTS));
    for words in reasons(&state.history, &lines, inner.width)
        .into_iter()
        .take(room)
    {
        canvas.line(inner, row, &[piece(Tone::Warn, words)]);
        row += 1;
    }
    row
}

fn of_them(n: usize, what: &str) -> String {
    match n {
        0 => String::new(),
        n => format!(", {n} of them {what}"),
    }
}

/// Why attempts cannot be read: `attempts at shop cannot be read: 429 …`.
fn reasons(history: &History, lines: &BTreeMap<EndpointId, Line<'_>>, room: u16) -> Vec<String> {
    let mut whose: BTreeMap<&str, Vec<&EndpointId>> = BTreeMap::new();
    for (endpoint, line) in lines {
        if let Some(NotRead::Failed(why)) = line.missing {
            whose.entry(why).or_default().push(endpoint);
        }
    }
    let mut words: Vec<String> = Vec::new();
    for (why, endpoints) in whose {
        let at = match endpoints[..] {
            [endpoint] => delivery::label(history, endpoint),
            _ => format!("{} endpoints", endpoints.len()),
        };
        let why = unread::sentence(NotRead::Failed(why));
        words.extend(wrap(&format!("attempts at {at} {why}"), usize::from(room)));
    }
    if words.len() > MAX_REASONS {
        words.truncate(MAX_REASONS);
        if let Some(last) = words.last_mut() {
            *last = cut(&format!("{last} …"), usize::from(room)).into_owned();
        }
    }
    words
}

fn short_label(state: &State, endpoint: &EndpointId) -> String {
    let label = delivery::label(&state.history, endpoint);
    cut_middle(&label, 11).into_owned()
}

/// How long after the change the newest message was there: `1.2 s after completed`; else for how
/// long it has not been. Then, as far as there is room, when it is tried again, and why.
fn notified_words(line: &Line<'_>, now: Time, room: usize) -> Pieces<'static> {
    let latest = line.notified.latest;
    let mut words = said(latest.map_or_else(Vec::new, |(message, lag)| lag_words(message, lag)));
    let mut more: Pieces<'static> = Vec::new();
    if let Some(why) = line.missing {
        let words = unread::cell(why);
        more.push(dim(match (latest, line.n_unread) {
            (None, _) => format!("? {words}"),
            (Some(_), 0) => format!(" · ? {words}"),
            (Some(_), n) => format!(" · ? {n} {words}"),
        }));
    }
    if let Some((at, is_exact)) = line.next.filter(|(at, _)| *at > now) {
        let due = rough_words(at.since(now));
        let estimate = if is_exact { "" } else { " est." };
        more.push(piece(Tone::Warn, format!(" ↻ {due}{estimate}")));
    }
    if let Some(failing) = &line.failing {
        let is_older = matches!(latest, Some((_, Lag::After(_))));
        let older = if is_older { " · older" } else { " ·" };
        more.push(piece(Tone::Bad, format!("{older} {failing}")));
    }
    for piece in more {
        let taken = pieces_width(&words) + pieces_width(std::slice::from_ref(&piece));
        if taken <= room {
            words.push(piece);
        }
    }
    words
}

fn lines<'a>(state: &'a State, told: &Told<'a>, now: Time) -> BTreeMap<EndpointId, Line<'a>> {
    let history = &state.history;
    let notified = notified(told, now).into_iter();
    let mut lines: BTreeMap<EndpointId, Line<'a>> = notified
        .map(|(endpoint, notified)| {
            let line = Line {
                notified,
                ..Line::default()
            };
            (endpoint, line)
        })
        .collect();
    for (_, message) in told {
        for endpoint in history.unread_at(message) {
            let line = lines.entry(endpoint.clone()).or_default();
            line.n_unread += 1;
            line.missing = line.missing.or(history.attempts_missing(message, endpoint));
        }
        for outcome in &message.outcomes {
            let line = lines.entry(outcome.endpoint.clone()).or_default();
            line.attempts.extend(message.attempts_at(&outcome.endpoint));
            if outcome.state != OutcomeState::Delivered {
                let missing = history.attempts_missing(message, &outcome.endpoint);
                line.missing = line.missing.or(missing);
            }
            if outcome.state == OutcomeState::Failed {
                let last = message.attempt(&outcome.last);
                let words = last.map_or_else(String::new, Attempt::outcome_words);
                line.failing.get_or_insert(words);
                if let Forecast::Next { at, is_exact, .. } =
                    delivery::forecast(history, message, &outcome.endpoint)
                {
                    let next = (at, is_exact);
                    line.next = Some(line.next.map_or(next, |known| known.min(next)));
                }
            }
        }
    }
    lines
}

/// The cell of the axis that a time falls in. What comes after its end stands at the end.
fn cell(time: Time, bars: Rect, span: (Time, Time)) -> u16 {
    let width = i128::from(bars.width);
    let length = i128::from(span.1.since(span.0).max(1));
    let at = i128::from(time.since(span.0)) * width / length;
    at.min(width - 1).max(0) as u16
}

/// Messages that share a cell of the axis.
struct Mark<'a> {
    /// The newest of those that need attention, else of all.
    shown: &'a Delivery,
    n: usize,
}

impl<'a> Mark<'a> {
    /// By their cells; what was told first is the newest.
    fn all(told: &Told<'a>, bars: Rect, span: (Time, Time)) -> BTreeMap<u16, Self> {
        let mut marks: BTreeMap<u16, Self> = BTreeMap::new();
        for (changed, message) in told {
            let new = Self {
                shown: message,
                n: 0,
            };
            let mark = marks.entry(cell(*changed, bars, span)).or_insert(new);
            mark.n += 1;
            if tone_of(message) == Tone::Bad && tone_of(mark.shown) != Tone::Bad {
                mark.shown = message;
            }
        }
        marks
    }

    /// `failed`, or `failed ×3`.
    fn name(&self) -> String {
        let name = event_word(self.shown);
        match self.n {
            1 => name,
            n => format!("{name} ×{n}"),
        }
    }
}

fn tone_of(message: &Delivery) -> Tone {
    let kind = message.message.as_ref().map(|message| &message.kind);
    kind.map_or(Tone::Dim, |kind| event_glyph(kind).1)
}

/// What was published when, above the attempts: `▲ progress`, the newest named first where names
/// would meet. No name hides a mark.
fn events(canvas: &mut Canvas<'_>, bars: Rect, told: &Told<'_>, span: (Time, Time)) {
    let mut free_until = bars.width;
    let mut marks = Mark::all(told, bars, span).into_iter().rev().peekable();
    while let Some((at, these)) = marks.next() {
        let place = Rect {
            x: bars.x + at,
            width: free_until.saturating_sub(at),
            ..bars
        };
        let mark = piece(tone_of(these.shown), "▲");
        let name = these.name();
        let room = width(&name) as u16 + 1;
        let older = marks.peek().map(|(older, _)| *older);
        let is_free = |from: u16| older.is_none_or(|older| older < from);
        free_until = at;
        if room + 2 <= place.width {
            canvas.line(place, 0, &[mark, dim(format!(" {name}"))]);
        } else if place.width < room && at > room && is_free(at - room) {
            // At the end of the axis the name stands before the mark.
            free_until = at - room;
            let place = Rect {
                x: bars.x + free_until,
                width: room + 1,
                ..bars
            };
            canvas.line(place, 0, &[dim(format!("{name} ")), mark]);
        } else {
            canvas.line(place, 0, &[mark]);
            let count = format!("×{}", these.n);
            if these.n > 1 && width(&count) as u16 + 2 <= place.width {
                let place = Rect {
                    x: place.x + 1,
                    width: place.width - 1,
                    ..place
                };
                canvas.line(place, 0, &[dim(count)]);
            }
        }
    }
}

/// Every attempt at its time. Where some share a cell, the one that needs attention is what is seen.
fn marks(canvas: &mut Canvas<'_>, bars: Rect, row: u16, line: &Line<'_>, span: (Time, Time)) {
    let mut attempts = line.attempts.clone();
    attempts.sort_by_key(|attempt| match attempt.status {
        AttemptStatus::Success => 0,
        AttemptStatus::Canceled => 1,
        AttemptStatus::Pending | AttemptStatus::Sending => 2,
        AttemptStatus::Unknown => 3,
        AttemptStatus::Fail => 4,
    });
    for attempt in attempts {
        let (glyph, tone) = delivery::attempt_glyph(&attempt.status);
        let tone = match attempt.status {
            AttemptStatus::Success => Tone::Dim,
            _ => tone,
        };
        let place = Rect {
            x: bars.x + cell(attempt.started, bars, span),
            width: 1,
            ..bars
        };
        canvas.line(place, row, &[piece(tone, glyph)]);
    }
}
