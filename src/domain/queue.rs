//! Many replays, one after another: what may be sent next and when, and when to stop.

mod pause;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use super::id::{EndpointId, MessageId, TaskId};
use super::plan::Grounds;
use super::time::SECOND;

pub use pause::{MAX_PAUSE, Pause, UNSAID, asks_to_wait};

/// So many failures one after another end a bulk.
pub const MAX_FAILURES: usize = 5;
/// Replays under way at once.
const AT_ONCE: usize = 4;

/// One replay of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub message: MessageId,
    pub endpoint: EndpointId,
    /// What one endpoint hears of one task it hears in order.
    pub task: Option<TaskId>,
    /// What the decision to send it rests on.
    pub grounds: Grounds,
}

/// The replays of a bulk, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queue {
    waiting: VecDeque<Job>,
    /// The place of each among all that there ever were.
    places: HashMap<(MessageId, EndpointId), usize>,
    under_way: Vec<Job>,
    failures: usize,
    /// From one request to the next, in microseconds.
    every: i64,
    /// When the next may be sent; monotonic microseconds.
    next: i64,
}

impl Queue {
    /// Sends at most so many a second. Duplicates are left out.
    pub fn new(jobs: impl IntoIterator<Item = Job>, per_second: f64) -> Self {
        let mut queue = Self {
            every: (SECOND as f64 / per_second) as i64,
            next: i64::MIN,
            ..Self::default()
        };
        for job in jobs {
            queue.add(job);
        }
        queue
    }

    /// The next that is to be sent now: the oldest whose task has nothing under way at its
    /// endpoint. The time is monotonic, in microseconds.
    pub fn take_next(&mut self, now: i64) -> Option<Job> {
        if self.due()? > now {
            return None;
        }
        let job = self.waiting.remove(self.free()?)?;
        self.next = now.saturating_add(self.every);
        self.under_way.push(job.clone());
        Some(job)
    }

    /// When the next may be sent; `None` while none may be, whatever the time.
    pub fn due(&self) -> Option<i64> {
        // Never more than may still fail: a bulk that fails from its begin sends so many and no more.
        let may_fail = MAX_FAILURES.saturating_sub(self.failures);
        let may_send = self.under_way.len() < AT_ONCE.min(may_fail);
        (may_send && self.free().is_some()).then_some(self.next)
    }

    /// The place of the oldest whose task has nothing under way at its endpoint. What waits for
    /// another of its task keeps its place before the next of that task.
    fn free(&self) -> Option<usize> {
        let is_busy = |job: &Job| {
            let mut under_way = self.under_way.iter();
            job.task.is_some()
                && under_way.any(|other| other.task == job.task && other.endpoint == job.endpoint)
        };
        self.waiting.iter().position(|job| !is_busy(job))
    }

    /// Takes note of how one ended.
    pub fn ended(&mut self, job: &Job, is_delivered: bool) {
        self.under_way.retain(|other| other != job);
        self.failures = if is_delivered { 0 } else { self.failures + 1 };
    }

    /// Takes note that the one that was taken last was not sent after all.
    pub fn passed_over(&mut self, job: &Job) {
        self.under_way.retain(|other| other != job);
        self.next = self.next.saturating_sub(self.every);
    }

    /// Puts one back where it stood, as the service would not hear of it for now.
    pub fn put_back(&mut self, job: &Job) {
        self.under_way.retain(|other| other != job);
        let place = self.place(job);
        let at = self.waiting.partition_point(|it| self.place(it) < place);
        self.waiting.insert(at, job.clone());
    }

    fn place(&self, job: &Job) -> Option<usize> {
        self.places.get(&pair(job)).copied()
    }

    /// Sends nothing before that time; monotonic microseconds.
    pub fn hold(&mut self, until: i64) {
        self.next = self.next.max(until);
    }

    /// Takes note that one that was taken was not sent, as a look just before its request spoke
    /// against it. That is no failure, and its turn is spent: the look was made.
    pub fn not_needed(&mut self, job: &Job) {
        self.under_way.retain(|other| other != job);
    }

    /// Whether so many failed one after another that the rest is not sent.
    pub fn is_stopped(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    /// Goes on after a stop, until as many fail one after another again.
    pub fn resume(&mut self) {
        self.failures = 0;
    }

    /// Puts another behind the rest, unless it was there before.
    pub fn add(&mut self, job: Job) {
        let place = self.places.len();
        if let Entry::Vacant(vacant) = self.places.entry(pair(&job)) {
            vacant.insert(place);
            self.waiting.push_back(job);
        }
    }

    /// Takes all at once, whatever is under way: one request sends them.
    pub fn take_all(&mut self) -> Vec<Job> {
        let all: Vec<Job> = self.waiting.drain(..).collect();
        self.under_way.extend(all.iter().cloned());
        all
    }

    /// Takes back all that was not taken.
    pub fn cancel(&mut self) -> impl Iterator<Item = Job> + '_ {
        self.waiting.drain(..)
    }

    /// Those that were not taken.
    pub fn n_left(&self) -> usize {
        self.waiting.len()
    }

    /// Those that were taken and have not ended.
    pub fn under_way(&self) -> &[Job] {
        &self.under_way
    }
}

fn pair(job: &Job) -> (MessageId, EndpointId) {
    (job.message.clone(), job.endpoint.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(message: &str, task: Option<&str>) -> Job {
        Job {
            message: MessageId::new(message),
            endpoint: EndpointId::new("ep"),
            task: task.map(TaskId::new),
            grounds: Grounds::default(),
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
        let mut queue = Queue::new(jobs.clone(), 1e9);
        assert_eq!(queue.n_left(), 3);
        assert_eq!(queue.take_next(0), Some(jobs[0].clone()));
        assert_eq!(queue.take_next(0), Some(jobs[2].clone()));
        assert_eq!(queue.take_next(0), None);
        assert_eq!(queue.due(), None);
        queue.ended(&jobs[0], true);
        assert_eq!(queue.take_next(0), Some(jobs[1].clone()));
    }

    #[test]
    fn five_failures_in_a_row_stop_it_and_a_success_begins_anew() {
        let jobs: Vec<Job> = (0..20).map(|n| job(&format!("m{n}"), None)).collect();
        let mut queue = Queue::new(jobs.clone(), 1e9);
        for (n, job) in jobs.iter().enumerate().take(9) {
            assert!(!queue.is_stopped());
            queue.ended(job, n == 3);
        }
        assert!(queue.is_stopped());
        assert_eq!(queue.take_next(0), None);
        assert_eq!(queue.n_left(), 20);
        queue.resume();
        assert_eq!(queue.take_next(0), Some(jobs[0].clone()));
        assert_eq!(queue.cancel().count(), 19);
        assert_eq!(queue.take_next(0), None);
        assert_eq!(queue.under_way(), &jobs[..1]);
    }

    #[test]
    fn what_is_put_back_goes_where_it_stood_and_not_before_its_time() {
        let jobs = [job("m1", Some("t")), job("m2", Some("t")), job("m3", None)];
        let mut queue = Queue::new(jobs.clone(), 1e9);
        assert_eq!(queue.take_next(0), Some(jobs[0].clone()));
        assert_eq!(queue.take_next(1), Some(jobs[2].clone()));
        queue.put_back(&jobs[0]);
        queue.put_back(&jobs[2]);
        queue.hold(70);
        queue.hold(50);
        assert_eq!((queue.n_left(), queue.due()), (3, Some(70)));
        assert_eq!(queue.take_next(69), None);
        assert_eq!(queue.take_next(70), Some(jobs[0].clone()));
    }

    #[test]
    fn where_all_fail_no_more_are_sent_than_the_failures_that_stop_it() {
        let jobs: Vec<Job> = (0..20).map(|n| job(&format!("m{n}"), None)).collect();
        let mut queue = Queue::new(jobs, 1e9);
        let mut n_sent = 0;
        loop {
            while queue.take_next(0).is_some() {
                n_sent += 1;
            }
            let Some(job) = queue.under_way().first().cloned() else {
                break;
            };
            queue.ended(&job, false);
        }
        assert_eq!((n_sent, queue.is_stopped()), (MAX_FAILURES, true));
        queue.resume();
        assert_eq!(queue.due(), Some(0));
    }

    #[test]
    fn they_leave_at_their_rate_a_few_at_once_and_what_is_passed_over_costs_no_time() {
        let jobs: Vec<Job> = (0..9).map(|n| job(&format!("m{n}"), None)).collect();
        let mut queue = Queue::new(jobs.clone(), 5.0);
        let first = queue.take_next(100);
        assert_eq!(first, Some(jobs[0].clone()));
        assert_eq!(queue.due(), Some(200_100));
        assert_eq!(queue.take_next(200_099), None);
        assert_eq!(queue.take_next(200_100), Some(jobs[1].clone()));
        queue.passed_over(&jobs[1]);
        assert_eq!(queue.take_next(200_100), Some(jobs[2].clone()));
        for at in [1_000_000, 2_000_000] {
            assert!(queue.take_next(at).is_some());
        }
        assert_eq!(queue.take_next(9_000_000), None);
        queue.ended(&jobs[0], true);
        assert!(queue.take_next(9_000_000).is_some());
    }
}
