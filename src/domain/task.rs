//! A task as it was seen, the state that follows from its features, and which sight counts.

use std::cmp::Ordering;

use super::feature::{Features, Tally};
use super::id::{AssetId, EventId, TaskId, UserId};
use super::time::Time;

/// The state of a whole task (contracts.md, "Task state").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TaskState {
    Processing,
    Queued,
    Completed,
    Failed,
    Cancelled,
}

/// Every state, in the order of the header's counters.
pub const TASK_STATES: [TaskState; 5] = [
    TaskState::Processing,
    TaskState::Queued,
    TaskState::Completed,
    TaskState::Failed,
    TaskState::Cancelled,
];

impl TaskState {
    /// The first rule that holds: failed, cancelled, completed, queued, else processing.
    pub fn of(tally: &Tally) -> Self {
        let is_done = tally.unfinished == 0;
        if tally.failed > 0 {
            Self::Failed
        } else if is_done && tally.cancelled > 0 {
            Self::Cancelled
        } else if is_done {
            Self::Completed
        } else if tally.begun == 0 {
            Self::Queued
        } else {
            Self::Processing
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Queued => "queued",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        TASK_STATES.into_iter().find(|state| state.name() == name)
    }
}

/// One sight of a task: by an event, a snapshot, a read by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    pub task: TaskId,
    pub asset: AssetId,
    pub user: UserId,
    pub features: Features,
    pub created: Time,
    pub updated: Time,
    /// The envelope's timestamp; a snapshot has none.
    pub published: Option<Time>,
    /// The event that carried it, if one did.
    pub event: Option<EventId>,
}

impl Observation {
    pub fn state(&self) -> TaskState {
        TaskState::of(&self.features.tally())
    }

    /// Whether no feature is queued, processing or unknown.
    pub fn is_done(&self) -> bool {
        self.features.tally().unfinished == 0
    }

    /// Which of two sights of one task is the later; the greater wins (contracts.md, "Task
    /// state"). Total, so that any order of arrival ends in the same task.
    pub fn order(&self, other: &Self) -> Ordering {
        (self.updated.cmp(&other.updated))
            .then_with(|| self.features.tally().rank.cmp(&other.features.tally().rank))
            .then_with(|| self.published.cmp(&other.published))
            .then_with(|| self.event.cmp(&other.event))
            .then_with(|| self.features.cmp(&other.features))
            .then_with(|| {
                (&self.asset, &self.user, self.created).cmp(&(
                    &other.asset,
                    &other.user,
                    other.created,
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::feature::{Feature, FeatureState};
    use super::*;

    fn state(features: &[(&str, &str)]) -> TaskState {
        let mut all = Features::default();
        for (name, state) in features {
            all.set(Feature::new(name), FeatureState::new(state));
        }
        TaskState::of(&all.tally())
    }

    #[test]
    fn the_first_rule_that_holds_decides() {
        assert_eq!(
            state(&[("proxy", "failed"), ("visual", "processing")]),
            TaskState::Failed
        );
        assert_eq!(
            state(&[("scene_detect", "failed"), ("visual", "processing")]),
            TaskState::Processing
        );
        assert_eq!(
            state(&[("scene_detect", "failed"), ("visual", "completed")]),
            TaskState::Completed
        );
        assert_eq!(
            state(&[("captions", "failed"), ("visual", "queued")]),
            TaskState::Failed
        );
        assert_eq!(
            state(&[("proxy", "cancelled"), ("visual", "processing")]),
            TaskState::Processing
        );
        assert_eq!(
            state(&[("proxy", "cancelled"), ("visual", "completed")]),
            TaskState::Cancelled
        );
        assert_eq!(
            state(&[("proxy", "completed"), ("visual", "na")]),
            TaskState::Completed
        );
        assert_eq!(
            state(&[("proxy", "queued"), ("visual", "na")]),
            TaskState::Queued
        );
        assert_eq!(
            state(&[("proxy", "queued"), ("visual", "paused")]),
            TaskState::Processing
        );
        assert_eq!(
            state(&[("proxy", "completed"), ("scene_detect", "queued")]),
            TaskState::Processing
        );
        assert_eq!(state(&[("proxy", "na")]), TaskState::Completed);
    }

    #[test]
    fn ready_counts_user_facing_features_without_na() {
        let mut all = Features::default();
        for (name, state) in [
            ("proxy", "completed"),
            ("preview", "failed"),
            ("visual", "na"),
            ("transcription", "queued"),
            ("audio_proxy", "completed"),
        ] {
            all.set(Feature::new(name), FeatureState::new(state));
        }
        let tally = all.tally();
        assert_eq!((tally.ready, tally.wanted), (2, 3));
    }
}
