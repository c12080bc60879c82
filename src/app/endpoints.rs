//! The list of endpoints, and what became of messages at each: an index over the history's
//! attempts, kept as they come and always to be rebuilt from it.

use std::collections::{HashMap, VecDeque};

use super::filter::Filter;
use super::list::{Cursor, Listed, Place, Slice, cursor_of, slice_of};
use super::subject::EndpointSubject;
use crate::domain::{
    Attempt, AttemptId, EndpointId, EndpointOutcome, History, MessageId, OutcomeState, Time,
};

/// Attempts remembered for the detail of an endpoint.
const MAX_RECENT: usize = 200;

/// What the endpoint list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndpointSort {
    #[default]
    Name,
    /// Most failing messages first.
    Failing,
    /// Latest attempt first.
    Latest,
}

impl EndpointSort {
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Failing => "failing",
            Self::Latest => "last attempt",
        }
    }

    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Name => Self::Failing,
            Self::Failing => Self::Latest,
            Self::Latest => Self::Name,
        }
    }
}

/// What became of the messages in memory at one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    pub delivered: usize,
    pub failing: usize,
    pub other: usize,
    /// The latest attempts, oldest first.
    pub recent: VecDeque<(Time, MessageId, AttemptId)>,
}

impl Activity {
    fn count(&mut self, outcome: &EndpointOutcome) -> &mut usize {
        match outcome.state {
            OutcomeState::Delivered => &mut self.delivered,
            OutcomeState::Failed => &mut self.failing,
            OutcomeState::Sending | OutcomeState::Canceled => &mut self.other,
        }
    }

    fn remember(&mut self, attempt: &Attempt) {
        let entry = (attempt.started, attempt.message.clone(), attempt.id.clone());
        let at = self.recent.partition_point(|other| *other < entry);
        if self.recent.get(at) == Some(&entry) {
            return;
        }
        self.recent.insert(at, entry);
        if self.recent.len() > MAX_RECENT {
            self.recent.pop_front();
        }
    }
}

/// The list of endpoints.
#[derive(Debug, Default)]
pub struct EndpointList {
    pub cursor: Cursor<EndpointId>,
    pub filter: Filter,
    pub sort: EndpointSort,
    pub is_reversed: bool,
    activity: HashMap<EndpointId, Activity>,
    evicted: u64,
    /// In the order of the screen.
    rows: Vec<EndpointId>,
    is_stale: bool,
}

impl EndpointList {
    pub fn set_filter(&mut self, text: &str) {
        self.is_stale |= self.filter.set(text);
    }

    pub fn note_stale(&mut self) {
        self.is_stale = true;
    }

    pub fn activity(&self, id: &EndpointId) -> Option<&Activity> {
        self.activity.get(id)
    }

    /// Takes an attempt in; `before` is how its message stood at its endpoint until then.
    pub fn take(&mut self, history: &History, attempt: &Attempt, before: Option<&EndpointOutcome>) {
        // By name and without a filter, an attempt moves no row; it may bring a new one.
        self.is_stale |= self.sort != EndpointSort::Name
            || self.filter.is_active()
            || self.rows.len() != history.endpoints.len();
        if self.evicted != history.deliveries.evicted() {
            self.rebuild(history);
            return;
        }
        let activity = self.activity.entry(attempt.endpoint.clone()).or_default();
        if let Some(before) = before {
            let count = activity.count(before);
            *count = count.saturating_sub(1);
        }
        let after = history
            .deliveries
            .get(&attempt.message)
            .and_then(|delivery| delivery.outcome(&attempt.endpoint));
        if let Some(after) = after {
            *activity.count(after) += 1;
        }
        activity.remember(attempt);
    }

    /// Messages left memory, and their outcomes with them.
    fn rebuild(&mut self, history: &History) {
        self.evicted = history.deliveries.evicted();
        self.activity.clear();
        for delivery in history.deliveries.newest() {
            for outcome in &delivery.outcomes {
                let activity = self.activity.entry(outcome.endpoint.clone()).or_default();
                *activity.count(outcome) += 1;
            }
            for attempt in delivery.attempts() {
                if let Some(activity) = self.activity.get_mut(&attempt.endpoint) {
                    activity.remember(attempt);
                }
            }
        }
    }

    /// Puts the rows in order again if something changed.
    pub fn settle(&mut self, history: &History) {
        if !self.is_stale {
            return;
        }
        self.is_stale = false;
        let failing = |id: &EndpointId| self.activity.get(id).map_or(0, |known| known.failing);
        let latest = |id: &EndpointId| {
            self.activity
                .get(id)
                .and_then(|known| known.recent.back().map(|(time, ..)| *time))
        };
        let mut rows: Vec<EndpointId> = history
            .endpoints
            .values()
            .filter(|endpoint| {
                self.filter.query.matches(&EndpointSubject {
                    endpoint,
                    is_failing: failing(&endpoint.id) > 0,
                })
            })
            .map(|endpoint| endpoint.id.clone())
            .collect();
        rows.sort_by_cached_key(|id| {
            let first = match self.sort {
                EndpointSort::Name => 0,
                EndpointSort::Failing => -(failing(id) as i64),
                EndpointSort::Latest => latest(id).map_or(i64::MAX, |time| -time.0),
            };
            (first, history.endpoint_label(id), id.clone())
        });
        if self.is_reversed {
            rows.reverse();
        }
        self.rows = rows;
    }
}

impl Listed for EndpointList {
    cursor_of!(EndpointId);

    /// Endpoints are few and stay, so that none is told to be new.
    fn ever(&self, _: &History) -> u64 {
        0
    }

    fn window(
        &self,
        _: &History,
        place: &Place<EndpointId>,
        height: usize,
        _now: Time,
    ) -> Slice<EndpointId> {
        slice_of(
            self.rows.len(),
            place,
            height,
            |id| self.rows.iter().position(|row| row == id),
            |at| self.rows.get(at).cloned(),
        )
    }
}
