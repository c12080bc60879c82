//! What is about to be sent, and how many replays stand where.

use super::Said;
use crate::app::bulk::run::{Phase, Score};
use crate::app::{State, Tone};
use crate::domain::time::SECOND;

/// `sending in 3s`, in whole seconds that never read 0.
pub fn leaving_words(state: &State, until: i64) -> String {
    let left = until.saturating_sub(state.now.mono).max(1);
    format!("sending in {}s", (left + SECOND - 1) / SECOND)
}

/// `10 sent · ✓ 9 delivered · ✗ 1 failed`: what is none is left out.
pub fn score(score: &Score) -> Vec<Said> {
    let mut words = vec![(Tone::Text, format!("{} sent", score.sent()))];
    for (n, glyph, word, tone) in [
        (score.delivered, "✓", "delivered", Tone::Ok),
        (score.failed, "✗", "failed", Tone::Bad),
        (score.unknown, "?", "unknown", Tone::Warn),
        (score.under_way, "↻", "under way", Tone::Info),
        (score.waiting, "◷", "left", Tone::Text),
        (score.passed_over, "·", "passed over", Tone::Dim),
        (score.cancelled, "⊘", "cancelled", Tone::Dim),
    ] {
        if n > 0 {
            words.push((Tone::Dim, " · ".to_owned()));
            words.push((tone, format!("{glyph} {n} {word}")));
        }
    }
    words
}

/// What the line over every list says while many are sent, stopped, or ended unseen; and of what
/// is left to the service's own retry.
pub fn line(state: &State) -> Option<Vec<Said>> {
    let unread = state.run.as_ref().filter(|run| !run.was_read);
    if let Some(run) = unread {
        let first = match &run.phase {
            Phase::Undoable { until, .. } => (Tone::Accent, leaving_words(state, *until)),
            Phase::Going => (Tone::Accent, "replaying".to_owned()),
            Phase::Stopped => (Tone::Bad, "replay stopped".to_owned()),
            Phase::Ended => (Tone::Accent, "replayed".to_owned()),
        };
        let mut words = vec![first, (Tone::Dim, " · ".to_owned())];
        words.extend(score(&run.score));
        words.push((Tone::Dim, " · R shows it".to_owned()));
        return Some(words);
    }
    let next = state.waits.next()?;
    let clock = state.clock(next);
    let words = format!(
        "{} left to the service's own retry, the next about {clock} (estimate)",
        state.waits.len()
    );
    Some(vec![(Tone::Dim, words)])
}
