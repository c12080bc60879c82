//! Many replays, one after another: what may be sent next, and when to stop.

use std::collections::{HashSet, VecDeque};

use super::id::{EndpointId, MessageId, TaskId};

/// So many failures one after another end a bulk.
pub const MAX_FAILURES: usize = 5;

/// One replay of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub message: MessageId,
    pub endpoint: EndpointId,
    /// What one endpoint hears of one task it hears in order.
    pub task: Option<TaskId>,
}

/// The replays of a bulk, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    waiting: VecDeque<Job>,
    busy: HashSet<(TaskId, EndpointId)>,
    failures: usize,
}

impl Queue {
    /// Duplicates are left out.
    pub fn new(jobs: impl IntoIterator<Item = Job>) -> Self {
        let mut seen = HashSet::new();
        let waiting = jobs
            .into_iter()
            .filter(|job| seen.insert((job.message.clone(), job.endpoint.clone())))
            .collect();
        Self {
            waiting,
            ..Self::default()
        }
    }

    /// The next that may be sent: the oldest whose task has nothing under way at its endpoint.
    pub fn take_next(&mut self) -> Option<Job> {
        if self.is_stopped() {
            return None;
        }
        let mut passed = HashSet::new();
        let at = self.waiting.iter().position(|job| {
            let Some(lane) = lane(job) else {
                return true;
            };
            // What waits keeps its place before the next of its task.
            !self.busy.contains(&lane) && passed.insert(lane)
        })?;
        let job = self.waiting.remove(at)?;
        self.busy.extend(lane(&job));
        Some(job)
    }

    /// Takes note of how one ended.
    pub fn ended(&mut self, job: &Job, is_delivered: bool) {
        if let Some(lane) = lane(job) {
            self.busy.remove(&lane);
        }
        self.failures = if is_delivered { 0 } else { self.failures + 1 };
    }

    /// Whether so many failed one after another that the rest is not sent.
    pub fn is_stopped(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    /// Those that were not taken.
    pub fn n_left(&self) -> usize {
        self.waiting.len()
    }
}

fn lane(job: &Job) -> Option<(TaskId, EndpointId)> {
    Some((job.task.clone()?, job.endpoint.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(message: &str, task: Option<&str>) -> Job {
        Job {
            message: MessageId::new(message),
            endpoint: EndpointId::new("ep"),
            task: task.map(TaskId::new),
        }
    }

    #[test]
    fn the_next_of_a_task_waits_for_the_one_before() {
        let jobs = [
            job("m1", Some("t")),
            job("m2", Some("t")),
            job("m3", None),
            job("m1", Some("t")),
        ];
        let mut queue = Queue::new(jobs.clone());
        assert_eq!(queue.n_left(), 3);
        assert_eq!(queue.take_next(), Some(jobs[0].clone()));
        assert_eq!(queue.take_next(), Some(jobs[2].clone()));
        assert_eq!(queue.take_next(), None);
        queue.ended(&jobs[0], true);
        assert_eq!(queue.take_next(), Some(jobs[1].clone()));
    }

    #[test]
    fn five_failures_in_a_row_stop_it_and_a_success_begins_anew() {
        let jobs: Vec<Job> = (0..20).map(|n| job(&format!("m{n}"), None)).collect();
        let mut queue = Queue::new(jobs.clone());
        for (n, job) in jobs.iter().enumerate().take(9) {
            assert!(!queue.is_stopped());
            queue.ended(job, n == 3);
        }
        assert!(queue.is_stopped());
        assert_eq!(queue.take_next(), None);
        assert_eq!(queue.n_left(), 20);
    }
}
