//! What was received of one message: whether it verifies and what to do, each request, the headers
//! of the latest, and its body.

use ratatui::layout::Rect;

use super::model::received::{again_short, again_words, answer_words, finding_words};
use super::model::{ago, bytes};
use super::paint::{Canvas, Pieces, dim, piece, plain, said};
use super::text::wrap;
use super::{json, table};
use crate::app::received::ReceivedPage;
use crate::app::{State, Tone};
use crate::domain::{Finding, Moment, Receipt, Received, masked_url, plural, visible};

/// Earlier requests that are told, at most.
const MAX_EARLIER: usize = 5;
/// Headers that are told, at most; fewer where there is little room.
const MAX_HEADERS: usize = 12;

/// Paints what was received. Gives the rows of the body.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, page: &ReceivedPage) -> usize {
    let inner = table::indented(area);
    let receipt = state.history.received.get(page.number);
    let Some((receipt, (at, last))) = receipt.and_then(|it| Some((it, it.last()?))) else {
        canvas.line(inner, 1, &[dim("what was received here is no longer kept")]);
        return 1;
    };
    let mut lines = facts(state, *at, last, usize::from(inner.width));
    lines.extend(earlier(state, receipt));
    let room = usize::from(area.height).saturating_sub(lines.len() + 8);
    lines.extend(headers(last, room.clamp(3, MAX_HEADERS)));
    for (row, line) in lines.iter().enumerate() {
        canvas.line(inner, row as u16, line);
    }
    let row = lines.len() as u16 + 1;
    if row + 2 > area.height {
        return 1;
    }
    let below = table::below(area, row);
    let form = match std::str::from_utf8(&last.body) {
        Ok(_) if page.body.document.is_json => "JSON laid out",
        Ok(_) => "as it came",
        Err(_) => "no UTF-8, what is none is shown as a mark",
    };
    let title = format!("BODY {}", bytes(last.body.len() as u64));
    table::heading(canvas, below, &title, true);
    canvas.line_right(below, 0, &[dim(format!("{form} "))]);
    let body = table::below(below, 1);
    if last.body.is_empty() {
        canvas.line(table::indented(body), 0, &[dim("empty")]);
        return usize::from(body.height);
    }
    json::draw(canvas, body, &page.body, true)
}

fn facts(state: &State, at: Moment, last: &Received, width: usize) -> Vec<Pieces<'static>> {
    let offset = state.session.utc_offset;
    let mut lines = Vec::new();
    let (tone, doctor, advice) = match &last.finding {
        Finding::Unchecked => (
            Tone::Dim,
            "· not checked: there is no secret to check it with".to_owned(),
            String::new(),
        ),
        Finding::Verified(by) => (
            Tone::Ok,
            format!("✓ verified: {}", visible(by)),
            String::new(),
        ),
        Finding::Refused { why, advice } => (
            Tone::Bad,
            format!("✗ not verified: {}", visible(why)),
            visible(advice).into_owned(),
        ),
    };
    for text in wrap(&doctor, width) {
        lines.push(vec![piece(tone, text)]);
    }
    for text in wrap(&advice, width.saturating_sub(2)) {
        lines.push(vec![plain(format!("  {text}"))]);
    }
    lines.extend(again(state, last, width));
    if last.is_other_body {
        let words = "its body is another one than at the message's first delivery";
        lines.push(vec![piece(Tone::Warn, words)]);
    }
    let kind = last.kind.as_ref().map_or("no event", |kind| kind.name());
    let fact = |name: &str, pieces: Pieces<'static>| {
        let mut line = vec![dim(format!("{name:<11}"))];
        line.extend(pieces);
        line
    };
    lines.push(fact("event", vec![plain(visible(kind).into_owned())]));
    let path = masked_url(&last.path);
    let mut request = vec![
        plain(format!("{} {}", last.method, visible(&path))),
        dim(format!(
            " · {} ({}) · ",
            at.wall.date_clock(offset),
            ago(state.shown_at().wall, at.wall)
        )),
    ];
    if last.code.is_some() {
        request.push(dim("answered "));
        request.extend(said([answer_words(last.code)]));
    } else {
        let words = "not answered, its sender had hung up";
        request.push(piece(Tone::Warn, words));
    }
    lines.push(fact("request", request));
    if let Some(message) = &last.message {
        lines.push(fact("message", vec![plain(message.to_string())]));
    }
    lines
}

/// What was found when the latest was looked at again, beside what was found as it came.
fn again(state: &State, last: &Received, width: usize) -> Vec<Pieces<'static>> {
    let Some(again) = &last.again else {
        return Vec::new();
    };
    let offset = state.session.utc_offset;
    let (tone, words) = again_words(again, &again.at.date_clock(offset));
    let found = wrap(&words, width).into_iter();
    let mut lines: Vec<Pieces<'static>> = found.map(|text| vec![piece(tone, text)]).collect();
    if let Finding::Refused { advice, .. } = &again.finding {
        let told =
            matches!(&last.finding, Finding::Refused { advice: first, .. } if first == advice);
        let advice = if told { "" } else { advice };
        for text in wrap(&visible(advice), width.saturating_sub(2)) {
            lines.push(vec![plain(format!("  {text}"))]);
        }
    }
    lines
}

/// The requests before the latest, the newest first.
fn earlier(state: &State, receipt: &Receipt) -> Vec<Pieces<'static>> {
    if receipt.n_requests < 2 {
        return Vec::new();
    }
    let n_earlier = plural(receipt.n_requests - 1, "time", "times");
    let mut lines = vec![vec![dim(format!("received   {n_earlier} before"))]];
    let told = receipt.requests.iter().rev().skip(1).take(MAX_EARLIER);
    for (at, request) in told {
        let clock = state.clock(at.wall);
        let mut line = vec![dim(format!("           {clock}  "))];
        line.extend(said(finding_words(&request.finding)));
        line.extend(
            request
                .again
                .iter()
                .flat_map(|again| said(again_short(again))),
        );
        line.push(dim(" → "));
        line.extend(said([answer_words(request.code)]));
        lines.push(line);
    }
    lines
}

fn headers(last: &Received, most: usize) -> Vec<Pieces<'static>> {
    let mut lines = vec![vec![dim(format!("headers    {}", last.headers.len()))]];
    for (name, value) in last.headers.iter().take(most) {
        lines.push(vec![
            dim(format!("           {}: ", visible(name))),
            plain(visible(value).into_owned()),
        ]);
    }
    let n_more = last.headers.len().saturating_sub(most);
    if n_more > 0 {
        lines.push(vec![dim(format!("           … {n_more} more"))]);
    }
    lines
}
