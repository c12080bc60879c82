//! Tasks as the server knows them, and which event each change of one publishes.
//!
//! The rules are those of `Task state` in the README: they decide between `task.progress`,
//! `task.completed` and `task.failed`.

use super::clock::rfc3339;
use crate::wire::bodies::{FeatureBody, FeaturesBody, TaskBody};

pub const PROGRESS: &str = "task.progress";
pub const COMPLETED: &str = "task.completed";
pub const FAILED: &str = "task.failed";
/// The three event types that are delivered as webhooks, sorted.
pub const EVENT_TYPES: [&str; 3] = [COMPLETED, FAILED, PROGRESS];

/// The features a client may ask for (`CoreFeature` of the API).
pub const CORE_FEATURES: [&str; 4] = ["proxy", "preview", "visual", "transcription"];
/// Features of the pipeline itself: they count for `done`, not for the outcome.
const INTERNAL_FEATURES: [&str; 3] = ["scene_detect", "audio_proxy", "model_proxy"];

/// State of one feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeatureState {
    Queued,
    Processing,
    Completed,
    Failed,
    Cancelled,
    /// Not applicable to this asset.
    Na,
}

impl FeatureState {
    /// The API's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Na => "na",
        }
    }

    fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Processing)
    }
}

/// State of a whole task, derived from its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    Queued,
    Processing,
    Completed,
    Failed,
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub id: String,
    pub asset_id: String,
    pub features: Vec<(String, FeatureState)>,
    pub created_us: i64,
    /// Strictly increasing from change to change.
    pub updated_us: i64,
    failed_sent: bool,
}

impl Task {
    pub fn new(
        id: String,
        asset_id: String,
        features: Vec<(String, FeatureState)>,
        now_us: i64,
    ) -> Self {
        let mut task = Self {
            id,
            asset_id,
            features,
            created_us: now_us,
            updated_us: now_us,
            failed_sent: false,
        };
        task.failed_sent = task.has_failed();
        task
    }

    /// Sets features and gives the event type that this change publishes; nothing if no feature
    /// really changed. Features that the task does not have are added.
    pub fn change(
        &mut self,
        changes: &[(&str, FeatureState)],
        now_us: i64,
    ) -> Option<&'static str> {
        let before = self.state();
        let mut moved = false;
        for (name, state) in changes {
            if let Some((_, held)) = self.features.iter_mut().find(|(known, _)| known == name) {
                moved |= *held != *state;
                *held = *state;
            } else {
                moved = true;
                self.features.push(((*name).to_owned(), *state));
            }
        }
        if !moved {
            return None;
        }
        self.updated_us = now_us.max(self.updated_us + 1);
        if self.has_failed() && !self.failed_sent {
            self.failed_sent = true;
            return Some(FAILED);
        }
        let after = self.state();
        let completes = after == TaskState::Completed && before != TaskState::Completed;
        Some(if completes { COMPLETED } else { PROGRESS })
    }

    pub fn feature(&self, name: &str) -> Option<FeatureState> {
        self.features
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, state)| *state)
    }

    /// No feature is queued or processing.
    pub fn is_done(&self) -> bool {
        self.features.iter().all(|(_, state)| state.is_final())
    }

    pub fn has_failed(&self) -> bool {
        self.has_user_facing(FeatureState::Failed)
    }

    fn has_user_facing(&self, wanted: FeatureState) -> bool {
        self.features
            .iter()
            .any(|(name, state)| *state == wanted && !INTERNAL_FEATURES.contains(&name.as_str()))
    }

    pub fn state(&self) -> TaskState {
        let waiting = [FeatureState::Queued, FeatureState::Na];
        if self.has_failed() {
            TaskState::Failed
        } else if self.is_done() {
            let cancelled = self.has_user_facing(FeatureState::Cancelled);
            if cancelled {
                TaskState::Cancelled
            } else {
                TaskState::Completed
            }
        } else if self
            .features
            .iter()
            .all(|(_, state)| waiting.contains(state))
        {
            TaskState::Queued
        } else {
            TaskState::Processing
        }
    }

    pub fn body(&self, user_id: &str) -> TaskBody {
        TaskBody {
            id: self.id.clone(),
            asset_id: self.asset_id.clone(),
            features: features_body(&self.features),
            user_id: user_id.to_owned(),
            created: rfc3339(self.created_us),
            updated: rfc3339(self.updated_us),
        }
    }
}

pub fn features_body(features: &[(String, FeatureState)]) -> FeaturesBody {
    let body = |(name, state): &(String, FeatureState)| {
        (
            name.clone(),
            FeatureBody {
                state: state.word(),
            },
        )
    };
    FeaturesBody(features.iter().map(body).collect())
}

#[cfg(test)]
mod tests {
    use super::FeatureState::{Cancelled, Completed, Failed, Na, Processing, Queued};
    use super::*;

    fn task(features: &[(&str, FeatureState)]) -> Task {
        let features = features
            .iter()
            .map(|(name, state)| ((*name).to_owned(), *state))
            .collect();
        Task::new("t".to_owned(), "a".to_owned(), features, 100)
    }

    #[test]
    fn the_state_follows_the_first_rule_that_holds() {
        for (features, state) in [
            (
                vec![("proxy", Failed), ("visual", Processing)],
                TaskState::Failed,
            ),
            (
                vec![("proxy", Cancelled), ("visual", Completed)],
                TaskState::Cancelled,
            ),
            (
                vec![("proxy", Cancelled), ("visual", Queued)],
                TaskState::Processing,
            ),
            (
                vec![("proxy", Completed), ("visual", Na)],
                TaskState::Completed,
            ),
            (vec![("proxy", Queued), ("visual", Na)], TaskState::Queued),
            (
                vec![("proxy", Completed), ("visual", Queued)],
                TaskState::Processing,
            ),
            (
                vec![("proxy", Completed), ("scene_detect", Failed)],
                TaskState::Completed,
            ),
            (
                vec![("proxy", Completed), ("scene_detect", Queued)],
                TaskState::Processing,
            ),
        ] {
            assert_eq!(task(&features).state(), state, "{features:?}");
        }
    }

    #[test]
    fn each_change_publishes_one_type() {
        let mut good = task(&[("proxy", Queued), ("visual", Na)]);
        assert_eq!(good.change(&[("proxy", Queued)], 200), None);
        assert_eq!(good.change(&[("proxy", Processing)], 200), Some(PROGRESS));
        assert_eq!(good.change(&[("proxy", Completed)], 300), Some(COMPLETED));

        let mut bad = task(&[("proxy", Processing), ("visual", Processing)]);
        assert_eq!(bad.change(&[("proxy", Failed)], 200), Some(FAILED));
        assert_eq!(bad.change(&[("visual", Failed)], 300), Some(PROGRESS));

        let mut ended = task(&[("proxy", Processing)]);
        assert_eq!(ended.change(&[("proxy", Cancelled)], 200), Some(PROGRESS));

        let mut internal = task(&[("proxy", Completed), ("scene_detect", Processing)]);
        assert_eq!(
            internal.change(&[("scene_detect", Failed)], 200),
            Some(COMPLETED)
        );
    }

    #[test]
    fn updated_always_grows() {
        let mut task = task(&[("proxy", Queued)]);
        task.change(&[("proxy", Processing)], 50);
        assert_eq!(task.updated_us, 101);
        task.change(&[("proxy", Completed)], 500);
        assert_eq!(task.updated_us, 500);
    }
}
