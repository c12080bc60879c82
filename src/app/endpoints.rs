//! The list of endpoints, and the latest attempts at each: an index over the history's attempts.

use std::collections::{HashMap, VecDeque};

use super::filter::Filter;
use super::list::{Cursor, Listed, Place, Slice, cursor_of, slice_of};
use super::subject::EndpointSubject;
use crate::domain::query::Now;
use crate::domain::{Attempt, AttemptId, EndpointId, History, MessageId, Time};

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

/// The latest attempts at one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Recent {
    /// Oldest first. Those whose message left memory are passed over until the next attempt.
    attempts: VecDeque<(Time, MessageId, AttemptId)>,
    evicted: u64,
}

impl Recent {
    fn remember(&mut self, history: &History, attempt: &Attempt) {
        let entry = (attempt.started, attempt.message.clone(), attempt.id.clone());
        let at = self.attempts.partition_point(|other| *other < entry);
        if self.attempts.get(at) == Some(&entry) {
            return;
        }
        self.attempts.insert(at, entry);
        if self.attempts.len() > MAX_RECENT {
            self.attempts.pop_front();
        }
        let evicted = history.deliveries.evicted();
        if self.evicted != evicted {
            self.evicted = evicted;
            self.attempts
                .retain(|(_, message, _)| history.deliveries.get(message).is_some());
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
    recent: HashMap<EndpointId, Recent>,
    /// In the order of the screen.
    rows: Vec<EndpointId>,
    is_stale: bool,
}

impl EndpointList {
    pub fn set_filter(&mut self, text: &str, now: Now) {
        self.is_stale |= self.filter.set(text, now);
    }

    pub fn note_stale(&mut self) {
        self.is_stale = true;
    }

    /// The latest attempts at an endpoint whose messages are in memory, newest first.
    pub fn attempts<'a>(
        &'a self,
        history: &'a History,
        endpoint: &EndpointId,
    ) -> impl Iterator<Item = &'a Attempt> + use<'a> {
        let recent = self.recent.get(endpoint).into_iter();
        recent
            .flat_map(|recent| recent.attempts.iter().rev())
            .filter_map(|(_, message, id)| history.deliveries.get(message)?.attempt(id))
    }

    /// Takes an attempt in.
    pub fn take(&mut self, history: &History, attempt: &Attempt) {
        // By name and without a filter, an attempt moves no row; it may bring a new one.
        self.is_stale |= self.sort != EndpointSort::Name
            || self.filter.is_active()
            || self.rows.len() != history.endpoints.len();
        let recent = self.recent.entry(attempt.endpoint.clone()).or_default();
        recent.remember(history, attempt);
    }

    /// Puts the rows in order again if something changed.
    pub fn settle(&mut self, history: &History) {
        if !self.is_stale {
            return;
        }
        self.is_stale = false;
        let standing = |id: &EndpointId| history.deliveries.standing(id).unwrap_or_default();
        let failing = |id: &EndpointId| standing(id).failing;
        let latest = |id: &EndpointId| self.attempts(history, id).next().map(|it| it.started);
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
                EndpointSort::Latest => latest(id).map_or(i64::MAX, |time| time.0.saturating_neg()),
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
