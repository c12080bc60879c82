//! Plain rows: (History, time) → words with a tone. No cells here, so that other outputs can show
//! the same.

pub mod delivery;
pub mod fare;
pub mod link;
pub mod proof;
pub mod provenance;
pub mod received;
pub mod sending;
pub mod timeline;
pub mod unread;

use crate::app::{State, Tone};
use crate::domain::time::{SECOND, duration_words};
use crate::domain::{
    AssetId, Bound, EventEntry, EventType, Feature, FeatureState, Features, History, OutcomeState,
    TaskId, TaskRow, TaskState, Time,
};

/// Words with a tone.
pub type Said = (Tone, String);

/// How long a changed cell stands out.
const FRESH: i64 = 2 * SECOND;

/// The features that have a column, with its title and its short title.
pub const FEATURE_COLUMNS: [(Feature, &str); 4] = [
    (Feature::Proxy, "PROXY"),
    (Feature::Preview, "PREVIEW"),
    (Feature::Visual, "VISUAL"),
    (Feature::Transcription, "TRANSCR"),
];

/// Glyph and tone of a task's state.
pub fn task_glyph(state: TaskState) -> (&'static str, Tone) {
    match state {
        TaskState::Queued => ("◷", Tone::Dim),
        TaskState::Processing => ("▶", Tone::Info),
        TaskState::Completed => ("✓", Tone::Ok),
        TaskState::Failed => ("✗", Tone::Bad),
        TaskState::Cancelled => ("⊘", Tone::Dim),
    }
}

/// Glyph and tone of a feature's state; absent ones are blank.
pub fn feature_glyph(state: Option<&FeatureState>) -> (&'static str, Tone) {
    match state {
        None => (" ", Tone::Dim),
        Some(FeatureState::Queued) => ("◷", Tone::Dim),
        Some(FeatureState::Processing) => ("▶", Tone::Info),
        Some(FeatureState::Completed) => ("✓", Tone::Ok),
        Some(FeatureState::Failed) => ("✗", Tone::Bad),
        Some(FeatureState::Cancelled) => ("⊘", Tone::Dim),
        Some(FeatureState::Na) => ("·", Tone::Dim),
        Some(FeatureState::Unknown(_)) => ("?", Tone::Warn),
    }
}

/// Glyph and tone of how a message stands at an endpoint.
pub fn outcome_glyph(state: OutcomeState) -> (&'static str, Tone) {
    match state {
        OutcomeState::Delivered => ("✓", Tone::Ok),
        OutcomeState::Sending => ("▶", Tone::Info),
        OutcomeState::Canceled => ("⊘", Tone::Dim),
        OutcomeState::Failed => ("✗", Tone::Bad),
    }
}

/// Glyph and tone of an event's type.
pub fn event_glyph(kind: &EventType) -> (&'static str, Tone) {
    match kind {
        EventType::TaskProgress => ("▶", Tone::Info),
        EventType::TaskCompleted => ("✓", Tone::Ok),
        EventType::TaskFailed => ("✗", Tone::Bad),
        EventType::Other(_) => ("·", Tone::Dim),
    }
}

/// A short name of a feature for a sentence.
pub fn feature_word(feature: &Feature) -> &str {
    match feature {
        Feature::Transcription => "transcr",
        other => other.name(),
    }
}

/// The state shown in a feature's column; the older name of visual stands in visual's.
pub fn column_state(features: &Features, feature: &Feature) -> Option<FeatureState> {
    features.get(feature).or_else(|| match feature {
        Feature::Visual => features.get(&Feature::Embedding),
        _ => None,
    })
}

/// An asset's name, else its id.
pub fn asset_label(history: &History, asset: &AssetId) -> String {
    history
        .asset_name(asset)
        .map_or_else(|| asset.short(20), ToString::to_string)
}

/// The name of a task's asset, else the task's id.
pub fn task_label(history: &History, task: &TaskId) -> String {
    history
        .tasks
        .get(task)
        .map_or_else(|| task.short(20), |row| asset_label(history, &row.asset()))
}

/// A row of the task list.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskLine {
    pub state: TaskState,
    pub asset: String,
    pub asset_id: AssetId,
    pub is_named: bool,
    pub features: Features,
    /// `3/4`.
    pub ready: String,
    pub age: String,
    /// From creation to the last change, or to now with a mark.
    pub took: String,
    pub last_change: Vec<Said>,
    pub notified: Said,
    /// The feature that changed a moment ago.
    pub fresh: Option<Feature>,
    pub is_gone: bool,
}

/// A row of the task list, as things stand at a time of ours.
pub fn task_line(history: &History, row: TaskRow<'_>, ours: Time) -> TaskLine {
    let now = history.task_time(ours);
    let features = row.features();
    let tally = features.tally();
    let asset_id = row.asset();
    let is_running = tally.unfinished > 0;
    let task = row.id();
    let (last_change, fresh) = last_change(history, &row, &task, ours);
    let took = if is_running {
        format!("{}…", duration_words(now.since(row.created())))
    } else {
        duration_words(row.updated().since(row.created()))
    };
    TaskLine {
        state: row.state(),
        asset: asset_label(history, &asset_id),
        is_named: history.asset_name(&asset_id).is_some(),
        asset_id,
        ready: format!("{}/{}", tally.ready, tally.wanted),
        age: duration_words(now.since(row.created())),
        took,
        last_change,
        notified: delivery::notified(history, &task),
        fresh,
        is_gone: row.is_gone(),
        features,
    }
}

fn last_change(
    history: &History,
    row: &TaskRow<'_>,
    task: &TaskId,
    ours: Time,
) -> (Vec<Said>, Option<Feature>) {
    let now = history.task_time(ours);
    let newest = history.events_of(task).next();
    let Some(newest) = newest else {
        let ago = duration_words(now.since(row.updated()));
        return (vec![(Tone::Dim, format!("updated {ago}"))], None);
    };
    let happened = history.event_time(newest);
    let ago = duration_words(now.since(happened));
    let is_fresh = ours.since(newest.received.wall) < FRESH;
    match changed(history, newest).into_iter().next() {
        Some((feature, _, after)) => {
            let (glyph, tone) = feature_glyph(Some(&after));
            let words = vec![
                (Tone::Text, format!("{} ", feature_word(&feature))),
                (tone, glyph.to_owned()),
                (Tone::Dim, format!(" {ago}")),
            ];
            (words, is_fresh.then_some(feature))
        }
        None if happened.since(row.created()) < 2 * SECOND => {
            (vec![(Tone::Dim, format!("created {ago}"))], None)
        }
        None => (vec![(Tone::Dim, format!("seen {ago}"))], None),
    }
}

/// What an event changed against its task's one before: feature, state before, state after; the
/// user-facing first, and of these what failed.
pub fn changed(
    history: &History,
    entry: &EventEntry,
) -> Vec<(Feature, Option<FeatureState>, FeatureState)> {
    let (Some(sight), Some(before)) = (&entry.task, history.events.before(entry)) else {
        return Vec::new();
    };
    let held = before.task.as_ref().map(|before| &before.features);
    let mut changed: Vec<_> = sight
        .features
        .iter()
        .filter_map(|(feature, after)| {
            let before = held.and_then(|held| held.get(&feature));
            (before.as_ref() != Some(&after)).then_some((feature, before, after))
        })
        .collect();
    changed.sort_by_key(|(feature, _, after)| {
        (!feature.is_user_facing(), *after != FeatureState::Failed)
    });
    changed
}

/// What an event changed, in words: `visual ▶ → ✗`.
pub fn changed_words(history: &History, entry: &EventEntry) -> Vec<Said> {
    let mut words = Vec::new();
    for (feature, before, after) in changed(history, entry) {
        if !words.is_empty() {
            words.push((Tone::Dim, "  ".to_owned()));
        }
        let (from, from_tone) = feature_glyph(before.as_ref());
        let (to, to_tone) = feature_glyph(Some(&after));
        words.push((Tone::Text, format!("{} ", feature.name())));
        if from != " " {
            words.push((from_tone, from.to_owned()));
            words.push((Tone::Dim, " ".to_owned()));
        }
        words.push((Tone::Dim, "→ ".to_owned()));
        words.push((to_tone, to.to_owned()));
    }
    if !words.is_empty() {
        return words;
    }
    match &entry.task {
        Some(sight) => {
            let tally = sight.features.tally();
            vec![(
                Tone::Dim,
                format!("{} of {} ready", tally.ready, tally.wanted),
            )]
        }
        None => Vec::new(),
    }
}

/// `12s ago`, or `now`.
pub fn ago(now: Time, then: Time) -> String {
    let age = now.since(then);
    if age < SECOND {
        "now".to_owned()
    } else {
        format!("{} ago", duration_words(age))
    }
}

/// Cells of a column of ages, `9m59s ago`.
pub const AGE: u16 = 9;

/// Cells of a column of times, `11-21 14:02:25`.
pub const CLOCK: u16 = 14;

/// A time in a column of [`CLOCK`] cells: of another year its day alone.
pub fn clock_in_column(state: &State, at: Time) -> String {
    let mut words = state.clock(at);
    if words.len() > usize::from(CLOCK)
        && let Some(end) = words.find(' ')
    {
        words.truncate(end);
    }
    words
}

/// How long ago it was, as exactly as a column of so many cells has room for, and never cut:
/// `9m59s ago`, then `10m ago`, and `10m` where that is too long.
pub fn ago_in_column(now: Time, then: Time, cells: usize) -> String {
    let exact = ago(now, then);
    if exact.len() <= cells {
        return exact;
    }
    let words = duration_words(now.since(then));
    // Its first unit.
    let end = words.find(|letter: char| !letter.is_ascii_digit());
    let coarse = &words[..end.map_or(words.len(), |at| at + 1)];
    let whole = format!("{coarse} ago");
    if whole.len() <= cells {
        whole
    } else {
        coarse.to_owned()
    }
}

/// A duration in milliseconds: `41 ms`, `1.2 s`, `15 s`.
pub fn millis(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..10_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} s", ms / 1000),
    }
}

/// A bound in digits: `20,000`.
pub fn grouped(n: usize) -> String {
    match n {
        0..1000 => n.to_string(),
        _ => format!("{},{:03}", grouped(n / 1000), n % 1000),
    }
}

/// How much of an answer is kept that was too long: `20,000 B`.
pub fn kept_of_answer(history: &History) -> String {
    format!("{} B", grouped(history.limit(Bound::Answers)))
}

/// A size in bytes: `412 B`, `3.1 kB`, `2.0 MB`.
pub fn bytes(n: u64) -> String {
    match n {
        0..1000 => format!("{n} B"),
        1000..1_000_000 => format!("{}.{} kB", n / 1000, n % 1000 / 100),
        1_000_000..1_000_000_000 => format!("{}.{} MB", n / 1_000_000, n % 1_000_000 / 100_000),
        _ => format!(
            "{}.{} GB",
            n / 1_000_000_000,
            n % 1_000_000_000 / 100_000_000
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(millis(41), "41 ms");
        assert_eq!(millis(1234), "1.2 s");
        assert_eq!(millis(15_002), "15 s");
        assert_eq!(bytes(412), "412 B");
        assert_eq!(bytes(3_140), "3.1 kB");
        assert_eq!(ago(Time(0), Time(5)), "now");
        assert_eq!(ago(Time(12 * SECOND), Time(0)), "12s ago");
    }

    #[test]
    fn an_age_is_whole_in_its_column() {
        let shown = |seconds, cells| ago_in_column(Time(seconds * SECOND), Time(0), cells);
        assert_eq!(shown(0, 9), "now");
        assert_eq!(shown(599, 9), "9m59s ago");
        assert_eq!(shown(759, 9), "12m ago");
        assert_eq!(shown(759, 10), "12m39s ago");
        assert_eq!(shown(86_399, 9), "23h ago");
        assert_eq!(shown(599, 7), "9m ago");
        assert_eq!(shown(400 * 86_400, 7), "400d");
        for seconds in 0..200_000 {
            assert!(shown(seconds, 7).len() <= 7 && shown(seconds, usize::from(AGE)).len() <= 9);
        }
    }
}
