//! The first line: can this screen be trusted?

use ratatui::layout::Rect;

use super::super::model::link;
use super::super::paint::{Canvas, Pieces, dim, piece, pieces_width, plain, role};
use super::super::theme::Role;
use crate::app::{State, Tone};
use crate::domain::Recording;
use crate::domain::time::duration_words;

/// Paints the header; where it is narrow, the link's state is the last to go.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let rights = header_rights(state);
    let lefts = header_lefts(state);
    let room = usize::from(area.width);
    let fits = |left: &Pieces<'_>, right: &Pieces<'_>| {
        pieces_width(left) + pieces_width(right) + 2 <= room
    };
    let pair = rights
        .iter()
        .flat_map(|right| lefts.iter().map(move |left| (left, right)))
        .find(|(left, right)| fits(left, right));
    if let Some((left, right)) = pair {
        canvas.line(area, 0, left);
        canvas.line_right(area, 0, right);
        return;
    }
    // Too narrow for both in whole: the link is kept, the rest is cut.
    let (Some(left), Some(right)) = (lefts.last(), rights.last()) else {
        return;
    };
    let taken = pieces_width(right).min(room);
    let left_area = Rect {
        width: (room - taken).saturating_sub(1) as u16,
        ..area
    };
    canvas.line(left_area, 0, left);
    canvas.line_right(area, 0, right);
}

fn header_lefts(state: &State) -> Vec<Pieces<'static>> {
    let session = &state.session;
    let mut label: Pieces<'static> = Vec::new();
    if session.is_demo {
        label.push(role(Role::Label, " DEMO "));
        label.push(plain(" "));
    }
    let name = plain(session.source_name.clone());
    let mut badges: Pieces<'static> = Vec::new();
    if session.is_read_only {
        badges.push(plain("  "));
        badges.push(role(Role::Label, " READ-ONLY "));
    }
    if let Some(frozen) = &state.frozen {
        badges.push(plain("  "));
        let words = format!(" FROZEN · {} waiting ", frozen.waiting.len());
        badges.push(role(Role::Label, words));
    }
    if matches!(state.history.journal.recording, Recording::Not(_)) {
        badges.push(plain("  "));
        badges.push(role(Role::Label, " NOT RECORDING "));
    }
    let whole: Pieces<'static> = [role(Role::Title, " reeltop"), plain("   ")]
        .into_iter()
        .chain(label.clone())
        .chain([name.clone()])
        .chain(badges.clone())
        .collect();
    let short: Pieces<'static> = label
        .into_iter()
        .chain(
            badges
                .into_iter()
                .flat_map(|badge| [badge, plain(" ")])
                .skip(2),
        )
        .chain([name])
        .collect();
    vec![whole, short]
}

fn header_rights(state: &State) -> Vec<Pieces<'static>> {
    let (tone, words) = link::words(state);
    let link = vec![piece(tone, words), plain(" ")];
    let pace = state.pace.per_second(state.now);
    let last = state.last_sign.map_or_else(
        || "nothing received yet".to_owned(),
        |sign| {
            let age = (state.now.mono - sign.mono).max(0);
            match age / crate::domain::time::SECOND {
                0 => "last <1s ago".to_owned(),
                _ => format!("last {} ago", duration_words(age)),
            }
        },
    );
    let n_dropped = state.dropped();
    let dropped = if n_dropped == 0 {
        dim(" · 0 dropped")
    } else {
        piece(Tone::Warn, format!(" · {n_dropped} dropped"))
    };
    let mut middle: Pieces<'static> = link[..1].to_vec();
    middle.push(dim(format!(" · {} ev/s · {last}", pace_words(pace))));
    middle.push(dropped);
    let mut full = middle.clone();
    full.push(plain(format!(
        "       {} ",
        state.now.wall.clock(state.session.utc_offset)
    )));
    middle.push(plain(" "));
    vec![full, middle, link]
}

/// `0`, `0.4`, `14`.
pub fn pace_words(pace: f64) -> String {
    if pace >= 9.95 || pace == 0.0 {
        format!("{pace:.0}")
    } else {
        format!("{pace:.1}")
    }
}
