//! Where values come from and how old they are, in marks and words.

use std::fmt::Write;

use super::ago;
use crate::app::{State, Tone};
use crate::domain::{Delivery, Events, Origin, OutcomeState, TaskRow, Time};

/// Events that are known though the service did not send them to this run: nothing where there are
/// none, else each kind after the separator.
pub fn other_events(events: &Events, separator: &str) -> String {
    let kinds = [
        (events.inferred(), "made from polls"),
        (events.restored(), "from the journal"),
    ];
    let mut text = String::new();
    for (n, words) in kinds.into_iter().filter(|(n, _)| *n > 0) {
        let _ = write!(text, "{separator}{n} {words}");
    }
    text
}

/// What a row is marked with where it is not as good as seen just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Last heard of before the link was lost.
    Stale,
    /// From the journal of an earlier run; the service has not confirmed it in this one.
    Restored,
    /// Made by reeltop from the difference of two reads; the service sent no such event.
    Inferred,
}

impl Mark {
    pub fn glyph(self) -> (&'static str, Tone) {
        match self {
            Self::Stale => ("◌", Tone::Warn),
            Self::Restored => ("◇", Tone::Info),
            Self::Inferred => ("≈", Tone::Info),
        }
    }

    /// Whether the row may be out of date, and stands in the background until it is seen again.
    pub fn is_faded(self) -> bool {
        self != Self::Inferred
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Stale => "not heard of since the link was lost",
            Self::Restored => "from the journal, not confirmed yet",
            Self::Inferred => "made by reeltop from two reads",
        }
    }
}

/// The mark of a task.
pub fn of_task(state: &State, row: TaskRow<'_>) -> Option<Mark> {
    if state.history.is_restored(row) {
        Some(Mark::Restored)
    } else if state.history.is_doubtful(row) {
        Some(Mark::Stale)
    } else {
        None
    }
}

/// The mark of an event: what happened stays true, whatever becomes of the link.
pub fn of_event(origin: Origin) -> Option<Mark> {
    match origin {
        Origin::Journal => Some(Mark::Restored),
        Origin::Inference | Origin::Poll | Origin::Snapshot => Some(Mark::Inferred),
        Origin::Stream | Origin::User => None,
    }
}

/// The mark of a message: it may have moved on if it is not settled and the log cannot be read.
pub fn of_delivery(state: &State, row: &Delivery) -> Option<Mark> {
    let is_settled = !row.outcomes.is_empty()
        && row.outcomes.iter().all(|outcome| {
            matches!(
                outcome.state,
                OutcomeState::Delivered | OutcomeState::Canceled
            )
        });
    if row.told.0 == Origin::Journal {
        Some(Mark::Restored)
    } else if state.polls.are_down() && !is_settled {
        Some(Mark::Stale)
    } else {
        None
    }
}

/// Where something came from and how long ago: `from snapshot, 12s ago`.
pub fn words(origin: Origin, at: Time, now: Time) -> String {
    let place = match origin {
        Origin::Stream => "from the stream",
        Origin::Snapshot => "from snapshot",
        Origin::Poll => "from a poll",
        Origin::Inference => "made by reeltop from two reads",
        Origin::User => "by you",
        Origin::Journal => "from the journal",
    };
    format!("{place}, {}", ago(now, at))
}
