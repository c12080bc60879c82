//! A task's time: when each feature began and ended, as far as the ring of events tells.

use super::{Said, millis};
use crate::app::Tone;
use crate::domain::time::{SECOND, duration_words};
use crate::domain::{
    Delivery, Feature, FeatureState, Features, History, Lag, TaskRow, Time, visible,
};

/// One feature over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    pub feature: Feature,
    pub state: FeatureState,
    /// Since when it is in this state, if the change was seen.
    pub since: Option<Time>,
    /// When processing began and, unless it still runs, ended, if both were seen.
    pub began: Option<Time>,
    pub ended: Option<Time>,
    /// From when on it was seen at all.
    pub first: Option<Time>,
}

impl Track {
    /// Whether it is under way.
    pub fn is_running(&self) -> bool {
        self.state == FeatureState::Processing
    }

    /// How long it was processed, in microseconds, if its begin was seen.
    pub fn took(&self, now: Time) -> Option<i64> {
        let end = if self.is_running() { now } else { self.ended? };
        Some(end.since(self.began?))
    }
}

/// The features of a task over time, user-facing first.
pub fn tracks(history: &History, row: TaskRow<'_>) -> Vec<Track> {
    let task = row.id();
    let mut sights: Vec<(Time, &Features)> = history
        .events_of(&task)
        .filter_map(|entry| {
            let sight = entry.task.as_ref()?;
            Some((history.event_time(entry), &sight.features))
        })
        .collect();
    sights.sort_by_key(|(time, _)| *time);
    let features = row.features();
    let mut tracks: Vec<Track> = features
        .iter()
        .map(|(feature, state)| track(feature, state, &sights))
        .collect();
    tracks.sort_by_key(|track| !track.feature.is_user_facing());
    tracks
}

fn track(feature: Feature, state: FeatureState, sights: &[(Time, &Features)]) -> Track {
    let mut track = Track {
        since: None,
        began: None,
        ended: None,
        first: None,
        state,
        feature,
    };
    let mut before: Option<FeatureState> = None;
    for (time, features) in sights {
        let Some(seen) = features.get(&track.feature) else {
            continue;
        };
        track.first.get_or_insert(*time);
        if before.as_ref() == Some(&seen) {
            continue;
        }
        let is_transition = before.is_some();
        if seen == FeatureState::Processing {
            track.began = is_transition.then_some(*time);
            track.ended = None;
        } else if seen.is_final() && is_transition {
            track.ended = Some(*time);
        }
        if seen == track.state && is_transition {
            track.since = Some(*time);
        }
        before = Some(seen);
    }
    track
}

/// What a message tells, without the family of its event.
pub fn event_word(message: &Delivery) -> String {
    let kind = message.message.as_ref().map(|message| &message.kind);
    let name = kind.map_or("a message", |kind| kind.name());
    visible(name.strip_prefix("task.").unwrap_or(name)).into_owned()
}

/// How long after the change a message was there: `1.2 s after completed`, else for how long it has
/// not been.
pub fn lag_words(message: &Delivery, lag: Lag) -> Vec<Said> {
    match lag {
        Lag::After(lag) => {
            let took = if lag < 60 * SECOND {
                millis((lag / 1000).unsigned_abs())
            } else {
                duration_words(lag)
            };
            let after = format!(" after {}", event_word(message));
            vec![(Tone::Text, took), (Tone::Dim, after)]
        }
        Lag::NotYet(lag) => {
            vec![(Tone::Bad, format!("not yet, {}", duration_words(lag)))]
        }
        Lag::Canceled => vec![(Tone::Dim, "canceled".to_owned())],
    }
}

/// A bar over a span of time, one character a cell: blank before it was seen, `░` waiting, `█` at
/// work, then its end.
pub fn bar(track: &Track, from: Time, to: Time, width: usize, end_glyph: &str) -> String {
    let span = to.since(from).max(1);
    let cell = |time: Time| {
        let at = i128::from(time.since(from)) * width as i128 / i128::from(span);
        (at as usize).min(width.saturating_sub(1))
    };
    let Some(first) = track.first.filter(|_| track.state != FeatureState::Na) else {
        return String::new();
    };
    let first = cell(first);
    let last = if track.state.is_final() {
        track.ended.map_or(first, cell)
    } else {
        width.saturating_sub(1)
    };
    let began = match (track.began, &track.state) {
        (Some(began), _) => cell(began),
        (None, FeatureState::Processing) => first,
        (None, _) if track.ended.is_some() => first,
        (None, _) => last + 1,
    };
    let mut text = String::new();
    for at in 0..width {
        if at < first || at > last {
            text.push(' ');
        } else if at == last && (track.state.is_final() || track.is_running()) {
            text.push_str(end_glyph);
        } else if at < began {
            text.push('░');
        } else {
            text.push('█');
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(state: &str) -> Features {
        let mut features = Features::default();
        features.set(Feature::Visual, FeatureState::new(state));
        features
    }

    #[test]
    fn a_track_knows_what_was_seen_and_nothing_else() {
        let (queued, processing, done) = (
            features("queued"),
            features("processing"),
            features("completed"),
        );
        let at = |seconds| Time::from_seconds(seconds);
        let sights = [(at(0), &queued), (at(2), &processing), (at(8), &done)];
        let whole = track(Feature::Visual, FeatureState::Completed, &sights);
        assert_eq!(whole.took(at(10)), Some(6 * SECOND));
        assert_eq!(whole.since, Some(at(8)));
        assert_eq!(bar(&whole, at(0), at(10), 10, "✓"), "░░██████✓");
        let late = track(Feature::Visual, FeatureState::Completed, &sights[2..]);
        assert_eq!(late.took(at(10)), None);
        assert_eq!(late.since, None);
        let running = track(Feature::Visual, FeatureState::Processing, &sights[..2]);
        assert_eq!(running.took(at(5)), Some(3 * SECOND));
        assert_eq!(bar(&running, at(0), at(10), 10, "▶"), "░░███████▶");
    }
}
