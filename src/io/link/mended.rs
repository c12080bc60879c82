//! What polls repaired while there was no stream: the proof of the gap counts it too, whoever
//! brought it.

use std::collections::HashMap;

use crate::domain::{MAX_REPAIRS, Repair, TaskId};

/// Tasks remembered until the gap is proved.
const MAX_MENDED: usize = 100_000;

/// Repairs since the gap began, each task once: as it was known before the gap, and as it is now.
#[derive(Debug, Default)]
pub(super) struct Mended {
    tasks: HashMap<TaskId, Repair>,
    /// Repairs that there was no room to remember by task.
    n_beyond: usize,
}

impl Mended {
    /// Takes in what one poll repaired, `n_repaired` in all.
    pub fn add(&mut self, repaired: &[Repair], n_repaired: usize) {
        self.n_beyond += n_repaired.saturating_sub(repaired.len());
        for repair in repaired {
            if let Some(held) = self.tasks.get_mut(&repair.task) {
                held.after = repair.after;
                held.how = repair.how;
            } else if self.tasks.len() < MAX_MENDED {
                self.tasks.insert(repair.task.clone(), repair.clone());
            } else {
                self.n_beyond += 1;
            }
        }
    }

    /// Takes out those that are remembered by task.
    pub fn take(&mut self) -> impl Iterator<Item = Repair> {
        std::mem::take(&mut self.tasks).into_values()
    }

    /// All of them with those of the last comparison, at most [`MAX_REPAIRS`], and how many there
    /// are in all. Nothing is left.
    pub fn take_with(&mut self, last: Vec<Repair>, n_last: usize) -> (Vec<Repair>, usize) {
        if self.tasks.is_empty() && self.n_beyond == 0 {
            return (last, n_last);
        }
        self.add(&last, n_last);
        let n_all = self.tasks.len() + std::mem::take(&mut self.n_beyond);
        let mut all: Vec<Repair> = std::mem::take(&mut self.tasks).into_values().collect();
        all.sort_by(|a, b| a.task.cmp(&b.task));
        all.truncate(MAX_REPAIRS);
        (all, n_all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RepairedBy, TaskState};

    fn repair(id: &str, before: TaskState, after: TaskState) -> Repair {
        Repair {
            task: TaskId::new(id),
            before: Some(before),
            after: Some(after),
            how: RepairedBy::Snapshot,
        }
    }

    #[test]
    fn a_task_mended_twice_counts_once_from_what_it_was() {
        let mut mended = Mended::default();
        let first = repair("a", TaskState::Queued, TaskState::Processing);
        let second = repair("a", TaskState::Processing, TaskState::Completed);
        mended.add(
            &[first, repair("b", TaskState::Queued, TaskState::Failed)],
            2,
        );
        let (all, n_all) = mended.take_with(vec![second], 5);
        assert_eq!(
            all,
            [
                repair("a", TaskState::Queued, TaskState::Completed),
                repair("b", TaskState::Queued, TaskState::Failed)
            ]
        );
        assert_eq!(n_all, 6);
        assert_eq!(mended.take_with(Vec::new(), 0), (Vec::new(), 0));
    }
}
