//! What stands above the rows of a plan of many: what was asked for, what would be sent of it and how,
//! and what is to be known before.

use super::super::model::unread::{attempts_words, messages_words};
use super::super::paint::{Pieces, dim, piece, plain, role};
use super::super::text::wrap;
use super::super::theme::Role;
use crate::app::bulk::asking::Asking;
use crate::app::bulk::{BulkOverlay, BulkRow, Counts, NotRead};
use crate::app::{State, Tone};
use crate::domain::bulk::{retried_words, tried_words};
use crate::domain::{History, Route, plural, visible};

pub fn lines(
    state: &State,
    overlay: &BulkOverlay,
    counts: Counts,
    width: usize,
) -> Vec<Pieces<'static>> {
    let offset = state.session.utc_offset;
    let mut lines = vec![title(overlay), sums(counts)];
    let mut say = |tone: Tone, words: &str| {
        let wrapped = wrap(&visible(words), width).into_iter();
        lines.extend(wrapped.map(|text| vec![piece(tone, text)]));
    };
    for words in not_read(&state.history, overlay, offset) {
        say(Tone::Warn, &words);
    }
    for words in unread(overlay, counts) {
        say(Tone::Warn, &words);
    }
    if let Some(words) = reading(state, overlay, counts) {
        say(Tone::Dim, &words);
    }
    if let Some(why) = overlay.obstacle() {
        say(Tone::Warn, &why);
    } else if counts.send > 0 {
        let how = how(overlay, counts.send, offset);
        say(Tone::Dim, &format!("by {}, {how}", overlay.route));
    }
    if !overlay.by.is_sweep()
        && let Some(words) = tried_words(overlay.n_tried(&state.history))
    {
        say(Tone::Dim, &words);
    }
    if counts.unwanted > 0 {
        let words = format!(
            "! you left {} of them out: this one request takes them all the same, and sends them too",
            counts.unwanted
        );
        say(Tone::Warn, &words);
    }
    if overlay.n_stale > 0 {
        let words = format!(
            "! {} of them would be skipped one by one, as superseded by a newer message of the task, \
             or in doubt: they are sent again too",
            overlay.n_stale
        );
        say(Tone::Warn, &words);
    }
    for words in retried(overlay.by, counts) {
        say(Tone::Warn, &words);
    }
    if let Some(words) = asked(state, &state.asking, counts) {
        say(Tone::Dim, &words);
    }
    lines
}

fn title(overlay: &BulkOverlay) -> Pieces<'static> {
    let mut title = vec![role(Role::Title, overlay.title.clone())];
    let is_part = overlay.not_read.is_part();
    title.push(dim(format!(" · {}", messages(overlay.n_messages, is_part))));
    if overlay.n_fine > 0 {
        title.push(dim(format!(
            ", {} of them did not fail last",
            overlay.n_fine
        )));
    }
    title
}

fn sums(counts: Counts) -> Pieces<'static> {
    let tone = if counts.send > 0 {
        Tone::Accent
    } else {
        Tone::Dim
    };
    let mut sums = vec![piece(tone, format!("{} to send", counts.send))];
    if counts.unread > 0 {
        let words = format!(" ({}: attempts not read)", counts.unread);
        sums.push(piece(Tone::Warn, words));
    }
    for (n, word) in [
        (counts.skipped, "skipped"),
        (counts.left_out, "left out by you"),
        (counts.waiting, "left to the service's retry"),
        (counts.no_retry, "left to a retry that does not come"),
    ] {
        if n > 0 {
            sums.push(plain(format!(" · {n} {word}")));
        }
    }
    if counts.refused > 0 {
        sums.push(piece(
            Tone::Warn,
            format!(" · {} cannot be sent", counts.refused),
        ));
    }
    sums
}

/// What the service tries again by itself: of what is to be sent, and of what is left to it.
fn retried(by: Route, counts: Counts) -> Vec<String> {
    let mut lines = Vec::new();
    if counts.pending > 0 {
        let retried = retried_words(counts.pending, counts.estimated);
        let rest = match by {
            Route::Server | Route::Svix => ", which a resend may end; a leaves them to it",
            Route::Recover | Route::Missing | Route::Bulk => ", which this may end",
            Route::Local => " all the same; a leaves them to it",
        };
        lines.push(format!("! {retried}{rest}"));
    }
    if counts.waiting > 0 {
        let retried = retried_words(counts.waiting, counts.waiting_estimated);
        let rest = "and they are left to it; a takes them back";
        lines.push(format!("! {retried}, {rest}"));
    }
    lines
}

/// How far the service was asked when it tries them again, and why not all of it is known.
fn asked(state: &State, asking: &Asking, counts: Counts) -> Option<String> {
    if !asking.is_over() {
        let progress = asking.progress();
        let alone = left_alone(state).map_or_else(String::new, |until| format!("; {until}"));
        return Some(format!(
            "asking the service when it tries them again: {progress}{alone}"
        ));
    }
    if counts.estimated + counts.waiting_estimated == 0 {
        return None;
    }
    let why = match (&asking.why, asking.n_beyond) {
        (Some(why), _) => why.clone(),
        (None, 1..) => format!("it was asked about {} messages, the most", asking.n),
        (None, 0) => return None,
    };
    Some(format!("not all are said by the service: {why}"))
}

/// That the service asks to be left alone, and until when nothing is asked of it.
fn left_alone(state: &State) -> Option<String> {
    let until = state.clock(state.left_alone()?);
    Some(format!(
        "it asks to be left alone (429), and is asked on at {until}"
    ))
}

/// What is not known of them, and what came to be known since.
fn not_read(history: &History, overlay: &BulkOverlay, offset: i32) -> Vec<String> {
    let not_read = &overlay.not_read;
    let n_yet = not_read.n().saturating_sub(not_read.n_failed);
    let they = |n: usize| if n == 1 { "it" } else { "they" };
    let mut lines = Vec::new();
    if n_yet > 0 {
        let they = they(n_yet);
        lines.push(format!(
            "! attempts of {n_yet} of them are not read yet: whether {they} failed is not known"
        ));
    }
    if let (n @ 1.., Some(why)) = (not_read.n_failed, &not_read.why) {
        let they = they(n);
        lines.push(format!(
            "! attempts of {n} of them cannot be read: {why}: whether {they} failed is not known"
        ));
    }
    let (n_left_out, n_sent) = overlay.n_unplaced(history);
    for (n, what) in [
        (n_left_out, "so that they are left out"),
        (n_sent, "yet they are sent"),
    ] {
        if n > 0 {
            lines.push(format!(
                "! not all messages after {n} of them are read: whether newer ones made them needless is \
                 not known, {what}"
            ));
        }
    }
    let n_ready = overlay.n_ready();
    if n_ready > 0 {
        lines.push(format!(
            "! {n_ready} that were left out can be sent by now; Esc, then R plans them"
        ));
    }
    if let Some(before) = not_read.messages_before {
        let words = messages_words(history, before, offset);
        lines.push(format!(
            "! {words}: what failed of them is not in this plan"
        ));
    }
    if not_read.is_outrun(history) {
        lines.push("! older messages were read since; Esc, then R plans them too".to_owned());
    }
    let is_filtered = overlay.is_filtered();
    if not_read.n_others > 0 {
        let unread = others_words(history, not_read, offset);
        let n = plural(not_read.n_others, "more message", "more messages");
        let may = if is_filtered {
            "may match"
        } else {
            "may have failed there"
        };
        lines.push(format!(
            "! {unread}: {n} {may}, and what failed of that is not in this plan"
        ));
    }
    let more = if is_filtered { "match" } else { "failed there" };
    for (n, what) in [(not_read.n_more, more), (not_read.n_found, "failed")] {
        if n > 0 {
            lines.push(format!(
                "! {n} more that {what} were read since; Esc, then R plans them too"
            ));
        }
    }
    lines
}

/// Which attempts are not read, and why, that may bring more among what was asked for.
fn others_words(history: &History, not_read: &NotRead, offset: i32) -> String {
    let why = not_read.why_others.as_deref().unwrap_or("are not read yet");
    match (not_read.endpoint(), history.attempts_unread_before()) {
        (Some(endpoint), _) => format!("attempts at {} {why}", history.endpoint_label(endpoint)),
        (None, Some(before)) => attempts_words(history, before, offset),
        (None, None) => format!("attempts of older messages {why}"),
    }
}

/// What is not known of those that are to be sent: what is not read may have delivered them.
fn unread(overlay: &BulkOverlay, counts: Counts) -> Vec<String> {
    const REST: &str = "they may have been delivered since, or be due for a retry";
    let mut lines = Vec::new();
    let n_yet = counts.unread - counts.unreadable;
    if n_yet > 0 {
        lines.push(format!(
            "! not all attempts of {n_yet} to send are read: {REST}"
        ));
    }
    let mut chosen = overlay.rows.iter().filter(|row| row.item.is_chosen);
    if let Some(why) = chosen.find_map(BulkRow::why_unreadable) {
        let n = counts.unreadable;
        lines.push(format!("! attempts of {n} to send {why}: {REST}"));
    }
    lines
}

/// How much of what is not read is being read for this plan.
fn reading(state: &State, overlay: &BulkOverlay, counts: Counts) -> Option<String> {
    let not_read = &overlay.not_read;
    let (n_left_out, _) = overlay.n_unplaced(&state.history);
    let n = counts.unread + not_read.n() + not_read.n_others + n_left_out;
    if n == 0 {
        return None;
    }
    if let Some(until) = left_alone(state) {
        return Some(format!("what is not read is asked of the service: {until}"));
    }
    state.reading.is_at_limit().then(|| {
        format!(
            "{} messages were read by their ids, the most; others come with their logs",
            state.reading.n()
        )
    })
}

/// In which order and how fast they are sent.
fn how(overlay: &BulkOverlay, n: usize, offset: i32) -> String {
    let Some(recovery) = &overlay.recovery else {
        return overlay.order(n);
    };
    format!(
        "for {} since {}: the service alone decides what that is and sends it, in its own order and at \
         its own pace; {} known to be among it, what else is sent is not followed",
        visible(&recovery.asked.takes.words()),
        recovery.asked.since.date_clock(offset),
        plural(n, "message here is", "messages here are")
    )
}

fn messages(n: usize, is_part: bool) -> String {
    if is_part {
        format!("{n}+ messages")
    } else {
        plural(n, "message", "messages")
    }
}
