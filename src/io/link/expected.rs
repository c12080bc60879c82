//! What checks of an open stream found so lately that it may still be told: what is not told in
//! time was left out.

use std::collections::HashMap;

use crate::domain::{MAX_REPAIRS, Observation, Repair, TaskId, Time};
use crate::io::compare::UNSETTLED;

/// Changes that the stream is to tell, with when they happened by the service's clock.
#[derive(Debug, Default)]
pub(super) struct Expected {
    tasks: HashMap<TaskId, (Repair, Time)>,
}

impl Expected {
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Expects a change; where there are too many, those that come first are enough to tell that
    /// the stream leaves something out.
    pub fn expect(&mut self, repair: &Repair, updated: Time) {
        if self.tasks.len() < MAX_REPAIRS {
            let change = (repair.clone(), updated);
            self.tasks.entry(repair.task.clone()).or_insert(change);
        }
    }

    /// Takes in what the stream told.
    pub fn told(&mut self, seen: &Observation) {
        if self.is_empty() {
            return;
        }
        if let Some((_, updated)) = self.tasks.get(&seen.task)
            && seen.updated >= *updated
        {
            self.tasks.remove(&seen.task);
        }
    }

    /// When the oldest of them happened.
    pub fn oldest(&self) -> Option<Time> {
        self.tasks.values().map(|(_, updated)| *updated).min()
    }

    /// Takes out what should have been told by now.
    pub fn overdue(&mut self, service_now: Time) -> impl Iterator<Item = Repair> {
        let is_over =
            move |_: &TaskId, change: &mut (Repair, Time)| service_now.since(change.1) >= UNSETTLED;
        let overdue = self.tasks.extract_if(is_over);
        overdue.map(|(_, (repair, _))| repair)
    }

    pub fn clear(&mut self) {
        self.tasks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::SECOND;
    use crate::domain::{AssetId, Features, RepairedBy, UserId};

    fn repair(id: &str) -> Repair {
        Repair {
            task: TaskId::new(id),
            before: None,
            after: None,
            how: RepairedBy::Snapshot,
        }
    }

    fn seen(id: &str, updated: Time) -> Observation {
        Observation {
            task: TaskId::new(id),
            asset: AssetId::new("a"),
            user: UserId::new("u"),
            features: Features::default(),
            created: Time(0),
            updated,
            published: None,
            event: None,
        }
    }

    #[test]
    fn what_the_stream_tells_in_time_is_not_overdue() {
        let at = Time::from_seconds(100);
        let mut expected = Expected::default();
        for id in ["told", "told something older", "not told"] {
            expected.expect(&repair(id), at);
        }
        expected.told(&seen("told", at));
        expected.told(&seen("told something older", at.plus(-SECOND)));
        expected.told(&seen("another", at));
        assert_eq!(expected.overdue(at.plus(SECOND)).count(), 0);
        let mut overdue: Vec<_> = expected
            .overdue(at.plus(5 * SECOND))
            .map(|repair| repair.task.to_string())
            .collect();
        overdue.sort();
        assert_eq!(overdue, ["not told", "told something older"]);
        assert!(expected.is_empty());
    }
}
