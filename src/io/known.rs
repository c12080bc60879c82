//! What is known of the tasks that are unfinished or listed as active: the ground that comparisons
//! stand on, and the events that are made from differences where there is no stream.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::domain::{Event, Observation, TaskId};
use crate::wire::rest::Row;

/// Tasks remembered for the comparison.
pub const MAX_KNOWN: usize = 250_000;

/// The tasks that are unfinished, in the last list or lately finished, as we last saw them.
#[derive(Debug, Clone, Default)]
pub struct Known {
    tasks: HashMap<TaskId, Held>,
    /// Lists taken in. Before the first, there is nothing that news could differ from.
    n_lists: u64,
    is_overfull: bool,
}

#[derive(Debug, Clone)]
struct Held {
    seen: Observation,
    /// Whether the last list had it: one that failed stays listed after its end.
    is_listed: bool,
    /// Lists taken in when it was last heard of. One that ended stays for two more, so that a list
    /// older than the stream does not bring it back.
    heard: u64,
}

impl Known {
    /// Takes in one sight of a task.
    pub fn see(&mut self, seen: &Observation) {
        match self.tasks.get_mut(&seen.task) {
            Some(held) if seen.order(&held.seen) == Ordering::Greater => {
                held.seen = seen.clone();
                held.heard = self.n_lists;
            }
            Some(_) => {}
            None => self.hold(seen, false),
        }
    }

    pub fn forget(&mut self, task: &TaskId) {
        self.tasks.remove(task);
    }

    pub fn get(&self, task: &TaskId) -> Option<&Observation> {
        self.tasks.get(task).map(|held| &held.seen)
    }

    /// The tasks that had not ended when last seen.
    pub fn unfinished(&self) -> impl Iterator<Item = &Observation> {
        let seen = self.tasks.values().map(|held| &held.seen);
        seen.filter(|seen| !seen.is_done())
    }

    /// Whether there were more unfinished tasks than are remembered.
    pub fn is_overfull(&self) -> bool {
        self.is_overfull
    }

    /// Takes in the list of active tasks, those that were read by id, and those that the service
    /// does not know. Gives the events that it would have sent for what differs, each with the
    /// place of the row that shows it among `listed` and `read`; the first list is no news.
    pub fn take(
        &mut self,
        listed: &[Row<Observation>],
        read: &[Row<Observation>],
        gone: &[TaskId],
    ) -> Vec<(Event, usize)> {
        let rows = || listed.iter().chain(read).map(|row| &row.value);
        let mut made = Vec::new();
        if self.n_lists > 0 {
            made.extend(rows().enumerate().filter_map(|(at, seen)| {
                Event::inferred(self.get(&seen.task), seen).map(|event| (event, at))
            }));
        }
        self.n_lists += 1;
        for held in self.tasks.values_mut() {
            held.is_listed = false;
        }
        for row in listed {
            if let Some(held) = self.tasks.get_mut(&row.value.task) {
                held.is_listed = true;
            } else {
                self.hold(&row.value, true);
            }
        }
        rows().for_each(|seen| self.see(seen));
        for task in gone {
            self.forget(task);
        }
        self.prune(2);
        made
    }

    /// Lets those go that ended, are in no list, and were not heard of for so many lists.
    fn prune(&mut self, n_lists: u64) {
        let now = self.n_lists;
        self.tasks
            .retain(|_, held| held.is_listed || !held.seen.is_done() || held.heard + n_lists > now);
    }

    fn hold(&mut self, seen: &Observation, is_listed: bool) {
        if self.tasks.len() >= MAX_KNOWN && !seen.is_done() {
            self.prune(0);
        }
        if self.tasks.len() < MAX_KNOWN {
            let held = Held {
                seen: seen.clone(),
                is_listed,
                heard: self.n_lists,
            };
            self.tasks.insert(seen.task.clone(), held);
        } else {
            self.is_overfull |= !seen.is_done();
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::wire::rest;

    /// Rows of tasks: id, state of the one feature, second of the update.
    fn rows(tasks: &[(&str, &str, u8)]) -> Vec<Row<Observation>> {
        let row = |(id, state, second): &(&str, &str, u8)| {
            format!(
                r#"{{"id":"{id}","asset_id":"a","features":{{"proxy":{{"state":"{state}"}}}},"user_id":"u","created":"2026-01-01T00:00:00Z","updated":"2026-01-01T00:00:{second:02}Z"}}"#
            )
        };
        let body: Vec<String> = tasks.iter().map(row).collect();
        let body = format!("[{}]", body.join(","));
        rest::tasks(body.as_bytes()).unwrap().rows
    }

    fn names(made: &[(Event, usize)]) -> Vec<String> {
        made.iter()
            .map(|(event, _)| {
                let task = event.task.as_ref().unwrap();
                format!("{} {}", task.task, event.kind)
            })
            .collect()
    }

    #[test]
    fn differences_between_two_lists_become_the_events_of_the_service() {
        let mut known = Known::default();
        let mut take =
            |listed: &[_], read: &[_]| names(&known.take(&rows(listed), &rows(read), &[]));
        assert!(take(&[("a", "queued", 1), ("f", "failed", 1)], &[]).is_empty());
        assert_eq!(
            take(
                &[
                    ("a", "processing", 2),
                    ("b", "queued", 2),
                    ("f", "failed", 1)
                ],
                &[]
            ),
            ["a task.progress", "b task.progress"]
        );
        assert!(
            take(
                &[
                    ("a", "processing", 2),
                    ("b", "queued", 2),
                    ("f", "failed", 1)
                ],
                &[]
            )
            .is_empty(),
            "nothing differs"
        );
        assert_eq!(
            take(&[("b", "failed", 3)], &[("a", "completed", 3)]),
            ["b task.failed", "a task.completed"]
        );
        assert!(take(&[("b", "failed", 3)], &[]).is_empty(), "said once");
        assert!(take(&[("b", "queued", 1)], &[]).is_empty(), "a stale list");
    }

    #[test]
    fn the_same_difference_has_the_same_id_and_another_has_another() {
        let ids = |first: u8, second: u8| {
            let mut known = Known::default();
            known.take(&rows(&[("a", "queued", first)]), &[], &[]);
            let made = known.take(&rows(&[("a", "processing", second)]), &[], &[]);
            made[0].0.id.clone()
        };
        assert_eq!(ids(1, 3), ids(2, 3));
        assert_ne!(ids(1, 3), ids(1, 4));
    }

    #[test]
    fn a_list_older_than_the_stream_brings_no_task_back() {
        let mut known = Known::default();
        known.take(&rows(&[("a", "processing", 1)]), &[], &[]);
        known.see(&rows(&[("a", "completed", 2)])[0].value);
        for _ in 0..3 {
            known.take(&rows(&[("a", "processing", 1)]), &[], &[]);
            assert_eq!(known.unfinished().count(), 0);
        }
        for _ in 0..3 {
            known.take(&[], &[], &[]);
        }
        assert_eq!(
            known.get(&TaskId::new("a")),
            None,
            "it is let go in the end"
        );
    }
}
