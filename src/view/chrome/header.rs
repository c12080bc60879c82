//! The first line: can this screen be trusted?

use ratatui::layout::Rect;

use super::super::model::link;
use super::super::paint::{Canvas, Pieces, dim, piece, pieces_width, plain, role};
use super::super::theme::Role;
use crate::app::{State, Tone};
use crate::domain::Recording;
use crate::domain::time::{SECOND, rough_words};

/// Paints the header. Where it is narrow, whole parts go, so that no word is ever cut; the link's
/// state is the last to go.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let (rights, few_rights) = header_rights(state);
    let (lefts, few_lefts) = header_lefts(state);
    let room = usize::from(area.width);
    let pairs = |rights: &[Pieces<'static>], lefts: &[Pieces<'static>]| {
        let lefts = lefts.to_vec();
        let each = rights.iter().cloned();
        let all = each.flat_map(move |right| {
            lefts
                .clone()
                .into_iter()
                .map(move |left| (left, right.clone()))
        });
        all.collect::<Vec<_>>()
    };
    let mut all = pairs(&rights, &lefts);
    all.extend(pairs(&few_rights, &few_lefts));
    let fitting = all
        .iter()
        .find(|(left, right)| pieces_width(left) + pieces_width(right) + 2 <= room);
    if let Some((left, right)) = fitting {
        canvas.line(area, 0, left);
        canvas.line_right(area, 0, right);
    } else {
        let least = few_lefts.last().into_iter().chain(few_rights.last());
        let line: Pieces<'static> = least.flatten().cloned().collect();
        canvas.line(area, 0, &line);
    }
}

/// What stands at the left, from the most to the least: with the name of the source, and without.
fn header_lefts(state: &State) -> (Vec<Pieces<'static>>, Vec<Pieces<'static>>) {
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
    if state.history.ledger_trouble.is_some() {
        badges.push(plain("  "));
        badges.push(role(Role::Label, " LEDGER FAILS "));
    }
    let whole: Pieces<'static> = [role(Role::Title, " reeltop"), plain("   ")]
        .into_iter()
        .chain(label.clone())
        .chain([name.clone()])
        .chain(badges.clone())
        .collect();
    let badges: Pieces<'static> = badges
        .into_iter()
        .flat_map(|badge| [badge, plain(" ")])
        .skip(2)
        .collect();
    let bare: Pieces<'static> = label.iter().cloned().chain(badges).collect();
    let short = bare.iter().cloned().chain([name]).collect();
    // What is frozen is not what is now, whatever the link says: this badge is the last to go.
    let frozen = state.frozen.as_ref().map(|_| role(Role::Label, " FROZEN "));
    let labelled = label.into_iter().chain(frozen.clone()).collect();
    let mut few = vec![bare, labelled];
    if frozen.is_none() {
        few.push(Vec::new());
    }
    (vec![whole, short], few)
}

/// What stands at the right, from the most to the least: with the pace, and the link alone.
fn header_rights(state: &State) -> (Vec<Pieces<'static>>, Vec<Pieces<'static>>) {
    let said = |(tone, words)| piece(tone, words);
    let link = said(link::words(state));
    let pace = pace_words(state.pace.per_second(state.now));
    // Numbers that change each second keep their width, so that nothing beside them jumps.
    // Where no stream ever told anything, a poll is the only sign of life; where one did, a poll must
    // not hide its silence.
    let (what, sign) = match state.last_sign {
        Some(_) if !link::is_polling(state) => ("last", state.last_sign),
        _ => ("poll", state.polls.told),
    };
    let last = sign.map_or_else(
        || "nothing received yet".to_owned(),
        |sign| {
            let age = (state.now.mono - sign.mono).max(0);
            let words = match age / SECOND {
                0 => "<1s".to_owned(),
                _ => rough_words(age),
            };
            format!("{what} {words:>3} ago")
        },
    );
    let n_dropped = state.dropped();
    let dropped = if n_dropped == 0 {
        dim(" · 0 dropped")
    } else {
        piece(Tone::Warn, format!(" · {n_dropped} dropped"))
    };
    let end = || plain(" ");
    let clock = state.now.wall.clock(state.session.utc_offset);
    let paced = vec![
        link.clone(),
        dim(format!(" · {pace:>3} ev/s · {last}")),
        dropped.clone(),
    ];
    let with_clock = paced
        .iter()
        .cloned()
        .chain([plain(format!("       {clock} "))]);
    let rights = vec![
        with_clock.collect(),
        paced.into_iter().chain([end()]).collect(),
        vec![link.clone(), dropped, end()],
        vec![link.clone(), end()],
    ];
    let short = said(link::short_words(state));
    let mut few = vec![vec![link, end()], vec![short, end()]];
    if state.frozen.is_some() {
        few.push(Vec::new());
    }
    (rights, few)
}

/// `0`, `0.4`, `14`.
pub fn pace_words(pace: f64) -> String {
    if pace >= 9.95 || pace == 0.0 {
        format!("{pace:.0}")
    } else {
        format!("{pace:.1}")
    }
}
