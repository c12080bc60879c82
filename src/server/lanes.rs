//! The lanes of delivery: what waits for which endpoint, what is in flight, which retry is when.
//!
//! Each endpoint has its own bounded queue and at most [`LANE_SLOTS`] deliveries in flight, so a
//! slow one only delays itself. Of all slots, one is kept for every endpoint there can be
//! ([`MOST_ENDPOINTS`]), so slow ones cannot starve the rest together either.
//!
//! An endpoint with a rate limit starts its deliveries evenly spaced.
//!
//! Nothing in here walks all retries: each can be found and taken out by its pair.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::ledger::MOST_ENDPOINTS;

/// Deliveries in flight to one endpoint.
const LANE_SLOTS: usize = 8;
/// Deliveries in flight in all, beside the one slot kept for each endpoint.
const SHARED_SLOTS: usize = 256 - MOST_ENDPOINTS;
/// Deliveries waiting for one endpoint; what comes on top is dropped and counted.
const LANE_QUEUE: usize = 10_000;
/// Retries waiting for their time, in all; what comes on top is dropped and counted.
const MOST_RETRIES: usize = 200_000;

/// Timers wake late: as much is made good, so that the rate is the one asked for.
const LATE: Duration = Duration::from_millis(5);

/// Message id and endpoint id.
pub type Key = (Arc<str>, Arc<str>);

/// One try to be made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Job {
    pub key: Key,
    /// From 1; a manual try has 0 and no schedule.
    pub number: u32,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Job>,
    in_flight: usize,
}

/// How fast an endpoint with a rate limit may be sent to.
#[derive(Debug, Clone, Copy)]
struct Pace {
    gap: Duration,
    /// When the next delivery may start.
    ready: Instant,
}

/// Where a pair whose schedule still runs has its next try.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// In its lane's queue or in flight.
    Now,
    /// Among the retries, under this time and number.
    Later(Instant, u32),
}

#[derive(Debug, Default)]
pub struct Lanes {
    by_endpoint: HashMap<Arc<str>, Lane>,
    /// Of the endpoints with a rate limit. Apart from the lanes, which go when they are empty.
    paces: HashMap<Arc<str>, Pace>,
    /// Endpoints with something queued, the one whose turn it is first.
    turns: VecDeque<Arc<str>>,
    in_flight: usize,
    queued: usize,
    /// The earliest first; each has its pair in `scheduled`.
    retries: BTreeSet<(Instant, Job)>,
    /// The endpoints of each message at which its schedule still runs. A resend takes the pair
    /// out, an eviction the message, and what is left of the schedule falls away.
    scheduled: HashMap<Arc<str>, HashMap<Arc<str>, Next>>,
    dropped: u64,
    retries_dropped: u64,
}

/// Counts for `/health`.
#[derive(Debug, Clone, Copy, Default)]
pub struct LaneFigures {
    pub queued: usize,
    pub in_flight: usize,
    pub dropped: u64,
    pub retries_pending: usize,
    pub retries_dropped: u64,
}

impl Lanes {
    /// Queues a pair's first try and starts its schedule, unless the endpoint's queue is full.
    pub fn deliver(&mut self, key: Key) {
        let first = Job {
            key: key.clone(),
            number: 1,
        };
        if self.enqueue(first, false) {
            self.schedule(key, Next::Now);
        }
    }

    /// Queues a manual try ahead of what waits, and ends the pair's schedule. False when the
    /// queue is full.
    pub fn resend(&mut self, key: &Key) -> bool {
        let manual = Job {
            key: key.clone(),
            number: 0,
        };
        let taken = self.enqueue(manual, true);
        if taken {
            self.forget_retries(key);
        }
        taken
    }

    /// Queues a job, unless its endpoint's queue is full; then it is counted.
    fn enqueue(&mut self, job: Job, first: bool) -> bool {
        let endpoint = Arc::clone(&job.key.1);
        let lane = self.by_endpoint.entry(Arc::clone(&endpoint)).or_default();
        if lane.queue.len() >= LANE_QUEUE {
            if job.number > 1 {
                self.retries_dropped += 1;
            } else {
                self.dropped += 1;
            }
            return false;
        }
        if lane.queue.is_empty() {
            self.turns.push_back(endpoint);
        }
        if first {
            lane.queue.push_front(job);
        } else {
            lane.queue.push_back(job);
        }
        self.queued += 1;
        true
    }

    /// Sets how many deliveries to an endpoint may start in a second.
    pub fn limit(&mut self, endpoint: &str, per_second: Option<u16>, now: Instant) {
        let Some(per_second) = per_second.filter(|&limit| limit > 0) else {
            self.paces.remove(endpoint);
            return;
        };
        let gap = Duration::from_secs(1) / u32::from(per_second);
        let pace = self.paces.entry(endpoint.into());
        pace.or_insert(Pace { gap, ready: now }).gap = gap;
    }

    /// When the first of the endpoints that wait for their pace alone may go on.
    pub fn next_pace(&self, now: Instant) -> Option<Instant> {
        let waiting = self.turns.iter().filter_map(|id| self.paces.get(id));
        waiting
            .map(|pace| pace.ready)
            .filter(|ready| *ready > now)
            .min()
    }

    /// Takes the next job that has a slot and whose endpoint's pace allows it, endpoint by
    /// endpoint in turn.
    pub fn next(&mut self, now: Instant) -> Option<Job> {
        for _ in 0..self.turns.len() {
            let endpoint = self.turns.pop_front()?;
            let Some(lane) = self.by_endpoint.get_mut(&endpoint) else {
                continue;
            };
            let free = lane.in_flight < LANE_SLOTS
                && (lane.in_flight == 0 || self.in_flight < SHARED_SLOTS);
            let pace = self.paces.get_mut(&endpoint);
            if !free || pace.as_ref().is_some_and(|pace| pace.ready > now) {
                self.turns.push_back(endpoint);
                continue;
            }
            let Some(job) = lane.queue.pop_front() else {
                continue;
            };
            if let Some(pace) = pace {
                let behind = now.saturating_duration_since(pace.ready);
                pace.ready = if behind < LATE { pace.ready } else { now } + pace.gap;
            }
            self.queued -= 1;
            lane.in_flight += 1;
            self.in_flight += 1;
            if !lane.queue.is_empty() {
                self.turns.push_back(endpoint);
            }
            return Some(job);
        }
        None
    }

    /// Gives a slot back.
    pub fn release(&mut self, endpoint: &Arc<str>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(lane) = self.by_endpoint.get_mut(endpoint) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
            if lane.in_flight == 0 && lane.queue.is_empty() {
                self.by_endpoint.remove(endpoint);
            }
        }
    }

    /// Whether the pair's schedule still runs.
    pub fn is_scheduled(&self, (message, endpoint): &Key) -> bool {
        self.scheduled
            .get(message)
            .is_some_and(|endpoints| endpoints.contains_key(endpoint))
    }

    /// When the next automatic try of a pair is due; `None` if there is none to come, or it is
    /// being made.
    pub fn next_try(&self, (message, endpoint): &Key) -> Option<Instant> {
        match self.scheduled.get(message)?.get(endpoint)? {
            Next::Later(at, _) => Some(*at),
            Next::Now => None,
        }
    }

    fn schedule(&mut self, (message, endpoint): Key, next: Next) {
        self.scheduled
            .entry(message)
            .or_default()
            .insert(endpoint, next);
    }

    /// Ends a pair's schedule, with the retry that waits for its time.
    pub fn unschedule(&mut self, key: &Key) {
        self.take(key);
    }

    fn take(&mut self, key: &Key) -> Option<Next> {
        let (message, endpoint) = key;
        let endpoints = self.scheduled.get_mut(message)?;
        let next = endpoints.remove(endpoint);
        if endpoints.is_empty() {
            self.scheduled.remove(message);
        }
        if let Some(Next::Later(at, number)) = next {
            let key = key.clone();
            self.retries.remove(&(at, Job { key, number }));
        }
        next
    }

    /// Ends a pair's schedule: a retry that waits for its time or for a slot falls away.
    fn forget_retries(&mut self, key: &Key) {
        if let Some(Next::Now) = self.take(key)
            && let Some(lane) = self.by_endpoint.get_mut(&key.1)
        {
            let before = lane.queue.len();
            lane.queue.retain(|job| job.key != *key || job.number <= 1);
            self.queued -= before - lane.queue.len();
        }
    }

    /// Ends the schedule of a message that is no longer kept. What of it is queued finds nothing
    /// to send when its turn comes.
    pub fn forget_message(&mut self, message_id: &str) {
        let Some((message, endpoints)) = self.scheduled.remove_entry(message_id) else {
            return;
        };
        for (endpoint, next) in endpoints {
            if let Next::Later(at, number) = next {
                let key = (Arc::clone(&message), endpoint);
                self.retries.remove(&(at, Job { key, number }));
            }
        }
    }

    /// Plans the retry of a scheduled pair; when too many wait, it is counted and the pair's
    /// schedule ends.
    pub fn plan(&mut self, at: Instant, key: &Key, number: u32) {
        if self.retries.len() >= MOST_RETRIES {
            self.retries_dropped += 1;
            self.unschedule(key);
            return;
        }
        self.schedule(key.clone(), Next::Later(at, number));
        let key = key.clone();
        self.retries.insert((at, Job { key, number }));
    }

    /// Queues every retry that is due, and says when the next one will be.
    pub fn queue_due(&mut self, now: Instant) -> Option<Instant> {
        loop {
            let at = self.retries.first().map(|(at, _)| *at)?;
            if at > now {
                return Some(at);
            }
            let (_, job) = self.retries.pop_first()?;
            self.schedule(job.key.clone(), Next::Now);
            if !self.enqueue(job.clone(), false) {
                self.unschedule(&job.key);
            }
        }
    }

    /// Counts, at hand.
    pub fn figures(&self) -> LaneFigures {
        LaneFigures {
            queued: self.queued,
            in_flight: self.in_flight,
            dropped: self.dropped,
            retries_pending: self.retries.len(),
            retries_dropped: self.retries_dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn key(message: usize, endpoint: usize) -> Key {
        (
            message.to_string().as_str().into(),
            endpoint.to_string().as_str().into(),
        )
    }

    fn job(message: usize, endpoint: usize) -> Job {
        Job {
            key: key(message, endpoint),
            number: 1,
        }
    }

    fn times() -> (Instant, Instant) {
        let now = Instant::now();
        (now, now + Duration::from_secs(1))
    }

    #[test]
    fn one_endpoint_gets_eight_slots_and_the_others_their_turn() {
        let mut lanes = Lanes::default();
        for message in 0..20 {
            assert!(lanes.enqueue(job(message, 0), false));
        }
        assert!(lanes.enqueue(job(0, 1), false));
        let started: Vec<String> = std::iter::from_fn(|| lanes.next(Instant::now()))
            .map(|job| job.key.1.to_string())
            .collect();
        assert_eq!(started, ["0", "1", "0", "0", "0", "0", "0", "0", "0"]);
        lanes.release(&"0".into());
        assert_eq!(
            lanes.next(Instant::now()).map(|job| job.key.0.to_string()),
            Some("8".to_owned())
        );
        assert!(lanes.next(Instant::now()).is_none());
    }

    #[test]
    fn a_rate_limit_spaces_deliveries_and_holds_up_nobody_else() {
        let mut lanes = Lanes::default();
        let start = Instant::now();
        let after = |ms: u64| start + Duration::from_millis(ms);
        lanes.limit("0", Some(10), start);
        for message in 0..4 {
            assert!(lanes.enqueue(job(message, 0), false));
        }
        assert!(lanes.enqueue(job(0, 1), false));
        let mut started = |ms: u64| {
            let ids: String = std::iter::from_fn(|| lanes.next(after(ms)))
                .map(|job| job.key.1.to_string())
                .collect();
            (ids, lanes.next_pace(after(ms)))
        };
        assert_eq!(started(0), ("01".to_owned(), Some(after(100))));
        assert_eq!(started(99), (String::new(), Some(after(100))));
        // A timer that is a little late does not slow the endpoint down, a pause is not made good.
        assert_eq!(started(102), ("0".to_owned(), Some(after(200))));
        assert_eq!(started(900), ("0".to_owned(), Some(after(1000))));
        lanes.limit("0", None, start);
        assert_eq!(lanes.next(after(901)), Some(job(3, 0)));
        assert_eq!(lanes.next_pace(after(901)), None);
    }

    #[test]
    fn slow_endpoints_together_leave_a_slot_for_each_other_one() {
        let mut lanes = Lanes::default();
        for endpoint in 0..MOST_ENDPOINTS {
            for message in 0..LANE_SLOTS {
                assert!(lanes.enqueue(job(message, endpoint), false));
            }
        }
        let mut of_last = 0;
        while let Some(job) = lanes.next(Instant::now()) {
            of_last += usize::from(job.key.1.as_ref() == (MOST_ENDPOINTS - 1).to_string());
        }
        assert!(lanes.in_flight <= SHARED_SLOTS + MOST_ENDPOINTS);
        assert!(of_last >= 1);
    }

    #[test]
    fn a_full_queue_drops_and_counts_first_tries_and_retries_apart() {
        let mut lanes = Lanes::default();
        let (now, _) = times();
        lanes.plan(now, &key(LANE_QUEUE, 0), 2);
        for message in 0..LANE_QUEUE {
            lanes.deliver(key(message, 0));
        }
        lanes.deliver(key(LANE_QUEUE + 1, 0));
        assert!(!lanes.resend(&key(0, 0)));
        assert_eq!(lanes.queue_due(now), None);
        let figures = lanes.figures();
        assert_eq!(figures.queued, LANE_QUEUE);
        assert_eq!((figures.dropped, figures.retries_dropped), (2, 1));
        assert!(!lanes.is_scheduled(&key(LANE_QUEUE, 0)));
        assert!(lanes.is_scheduled(&key(0, 0)), "no resend was taken");
    }

    #[test]
    fn retries_come_when_due_and_only_if_still_scheduled() {
        let mut lanes = Lanes::default();
        let (now, later) = times();
        for message in 0..2 {
            lanes.plan(later, &key(message, 0), 2);
        }
        assert_eq!(lanes.queue_due(now), Some(later));
        assert_eq!((lanes.queued, lanes.figures().retries_pending), (0, 2));
        lanes.unschedule(&key(0, 0));
        assert_eq!(lanes.figures().retries_pending, 1);
        assert_eq!(lanes.queue_due(later), None);
        assert_eq!(lanes.next(Instant::now()).unwrap().key, key(1, 0));
        assert!(lanes.next(Instant::now()).is_none() && lanes.is_scheduled(&key(1, 0)));
    }

    #[test]
    fn a_resend_ends_the_schedule_wherever_the_retry_waits() {
        let mut lanes = Lanes::default();
        let (now, later) = times();
        lanes.plan(now, &key(0, 0), 2);
        lanes.plan(later, &key(1, 0), 2);
        assert_eq!(lanes.queue_due(now), Some(later));
        for message in 0..2 {
            assert!(lanes.resend(&key(message, 0)));
            assert!(!lanes.is_scheduled(&key(message, 0)));
        }
        let tries: Vec<u32> = std::iter::from_fn(|| lanes.next(Instant::now()))
            .map(|job| job.number)
            .collect();
        assert_eq!(tries, [0, 0], "the queued retry went too");
        let figures = lanes.figures();
        assert_eq!((figures.queued, figures.retries_pending), (0, 0));
    }

    #[test]
    fn a_forgotten_message_takes_its_retries_at_all_endpoints() {
        let mut lanes = Lanes::default();
        let (now, later) = times();
        for endpoint in 0..3 {
            lanes.plan(later, &key(0, endpoint), 2);
        }
        lanes.plan(later, &key(1, 0), 2);
        lanes.deliver(key(0, 3));
        lanes.forget_message("0");
        lanes.forget_message("unknown");
        assert_eq!(lanes.queue_due(now), Some(later));
        assert_eq!(lanes.figures().retries_pending, 1);
        assert!((0..4).all(|endpoint| !lanes.is_scheduled(&key(0, endpoint))));
        assert!(lanes.is_scheduled(&key(1, 0)));
    }

    #[test]
    fn too_many_retries_are_counted_and_their_schedule_ends() {
        let mut lanes = Lanes::default();
        let (_, later) = times();
        for message in 0..=MOST_RETRIES {
            lanes.plan(later, &key(message, 0), 2);
        }
        let figures = lanes.figures();
        assert_eq!(
            (figures.retries_pending, figures.retries_dropped),
            (MOST_RETRIES, 1)
        );
        assert!(!lanes.is_scheduled(&key(MOST_RETRIES, 0)));
        assert_eq!(lanes.scheduled.len(), MOST_RETRIES);
    }
}
