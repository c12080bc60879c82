//! The dispatcher: which delivery goes out when. Queues, slots and retries; no HTTP.
//!
//! Each endpoint has its own bounded queue and at most [`LANE_SLOTS`] deliveries in flight, so a
//! slow one only delays itself. Of all slots, one is kept for every endpoint there can be
//! ([`MOST_ENDPOINTS`]), so slow ones cannot starve the rest together either.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::now_us;
use super::ledger::{Addressed, Attempt, Ledger, MOST_ENDPOINTS};
use super::schedule::Schedule;

/// Deliveries in flight to one endpoint.
const LANE_SLOTS: usize = 8;
/// Deliveries in flight in all, beside the one slot kept for each endpoint.
const SHARED_SLOTS: usize = 256 - MOST_ENDPOINTS;
/// Deliveries waiting for one endpoint; what comes on top is dropped and counted.
const LANE_QUEUE: usize = 10_000;
/// Retries waiting for their time, in all.
const MOST_RETRIES: usize = 200_000;

/// What came back from one POST.
#[derive(Debug, Clone)]
pub struct Response {
    /// 0 where there was no HTTP answer; then `text` says why.
    pub code: u16,
    pub text: Arc<str>,
    pub timed_out: bool,
    pub retry_after: Option<Duration>,
    pub duration: Duration,
}

/// Sends one signed POST. The only thing the dispatcher does not do itself.
pub trait Courier: Send + Sync + 'static {
    fn post(&self, to: Addressed) -> Pin<Box<dyn Future<Output = Response> + Send + '_>>;
}

/// One try to be made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Job {
    key: Key,
    /// From 1; a manual try has 0 and no schedule.
    number: u32,
}

type Key = (Arc<str>, Arc<str>);

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Job>,
    in_flight: usize,
}

#[derive(Debug, Default)]
struct Lanes {
    by_endpoint: HashMap<Arc<str>, Lane>,
    /// Endpoints with something queued, the one whose turn it is first.
    turns: VecDeque<Arc<str>>,
    in_flight: usize,
    queued: usize,
    retries: BinaryHeap<Reverse<(Instant, Job)>>,
    /// Message and endpoint pairs whose schedule still runs. A resend takes the pair out, and
    /// what is left of the schedule falls away.
    scheduled: BTreeSet<Key>,
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

pub struct Dispatcher {
    lanes: Mutex<Lanes>,
    ledger: Arc<Mutex<Ledger>>,
    courier: Box<dyn Courier>,
    schedule: Schedule,
    disable_after: Option<Duration>,
    earlier: Notify,
    stop: CancellationToken,
    tracker: TaskTracker,
    /// Events may be published from threads that the runtime does not know.
    runtime: Handle,
}

impl Dispatcher {
    /// A dispatcher whose tasks run on `tracker` until `stop`. Needs a tokio runtime around it.
    pub fn start(
        ledger: Arc<Mutex<Ledger>>,
        courier: Box<dyn Courier>,
        schedule: Schedule,
        disable_after: Option<Duration>,
        stop: CancellationToken,
        tracker: TaskTracker,
    ) -> Arc<Self> {
        let dispatcher = Arc::new(Self {
            lanes: Mutex::default(),
            ledger,
            courier,
            schedule,
            disable_after,
            earlier: Notify::new(),
            stop,
            tracker,
            runtime: Handle::current(),
        });
        let timer = Arc::clone(&dispatcher);
        dispatcher
            .tracker
            .spawn(async move { timer.run_timer().await });
        dispatcher
    }

    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message's first try at each of these endpoints.
    pub fn deliver(self: &Arc<Self>, message_id: &str, endpoint_ids: &[String]) {
        let message: Arc<str> = message_id.into();
        let mut lanes = self.lanes();
        for endpoint in endpoint_ids {
            let key: Key = (Arc::clone(&message), endpoint.as_str().into());
            if lanes.enqueue(
                Job {
                    key: key.clone(),
                    number: 1,
                },
                false,
            ) {
                lanes.scheduled.insert(key);
            }
        }
        drop(lanes);
        self.pump();
    }

    /// Queues one manual try, ahead of what waits. Retries that were due for this message at this
    /// endpoint fall away, as on Svix's open-source server. False when the queue is full.
    pub fn resend(self: &Arc<Self>, message_id: &str, endpoint_id: &str) -> bool {
        let key: Key = (message_id.into(), endpoint_id.into());
        let mut lanes = self.lanes();
        let taken = lanes.enqueue(
            Job {
                key: key.clone(),
                number: 0,
            },
            true,
        );
        if taken {
            lanes.forget_retries(&key);
        }
        drop(lanes);
        self.pump();
        taken
    }

    pub fn figures(&self) -> LaneFigures {
        let lanes = self.lanes();
        LaneFigures {
            queued: lanes.queued,
            in_flight: lanes.in_flight,
            dropped: lanes.dropped,
            retries_pending: lanes
                .retries
                .iter()
                .filter(|Reverse((_, job))| lanes.scheduled.contains(&job.key))
                .count(),
            retries_dropped: lanes.retries_dropped,
        }
    }

    /// Starts whatever has a slot.
    fn pump(self: &Arc<Self>) {
        loop {
            let Some(job) = self.lanes().next() else {
                return;
            };
            let this = Arc::clone(self);
            let delivery = async move {
                let stop = this.stop.clone();
                stop.run_until_cancelled(this.run(job)).await;
            };
            self.tracker.spawn_on(delivery, &self.runtime);
        }
    }

    async fn run(self: &Arc<Self>, job: Job) {
        let (message_id, endpoint_id) = &job.key;
        let started_us = now_us();
        let (addressed, attempt_id) = {
            let ledger = self.ledger();
            (
                ledger.address(message_id, endpoint_id),
                ledger.attempt_id(started_us),
            )
        };
        let Some(addressed) = addressed else {
            // Deleted or disabled meanwhile: nothing is sent, and nothing is tried again.
            self.finish(&job, None);
            return;
        };
        let url = addressed.url.clone();
        let response = self.courier.post(addressed).await;
        let success = (200..300).contains(&response.code);
        self.ledger().record(Attempt {
            id: attempt_id,
            message_id: message_id.to_string(),
            endpoint_id: endpoint_id.to_string(),
            url,
            response: Arc::clone(&response.text),
            code: response.code,
            duration_ms: response.duration.as_millis() as u64,
            success,
            manual: job.number == 0,
            at_us: started_us,
        });
        self.finish(&job, (!success).then_some(&response));
    }

    /// Gives the slot back, and plans the retry of a scheduled try that failed.
    fn finish(self: &Arc<Self>, job: &Job, failure: Option<&Response>) {
        let delay = failure.and_then(|response| {
            let (timed_out, wish) = (response.timed_out, response.retry_after);
            self.schedule
                .delay(job.number, timed_out, wish, fastrand::f64())
        });
        let mut lanes = self.lanes();
        lanes.release(&job.key.1);
        let mut exhausted = false;
        if job.number > 0 && lanes.scheduled.contains(&job.key) {
            if let Some(delay) = delay {
                let retry = Job {
                    key: job.key.clone(),
                    number: job.number + 1,
                };
                lanes.plan(Instant::now() + delay, retry, &self.ledger);
                self.earlier.notify_one();
            } else {
                lanes.scheduled.remove(&job.key);
                exhausted = failure.is_some();
            }
        }
        drop(lanes);
        if exhausted {
            self.ledger()
                .exhausted(&job.key.1, now_us(), self.disable_after);
        }
        self.pump();
    }

    /// Moves retries into their queues when their time comes.
    async fn run_timer(self: &Arc<Self>) {
        while !self.stop.is_cancelled() {
            let next = self.lanes().queue_due(Instant::now());
            self.pump();
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.earlier.notified() => {}
                () = self.stop.cancelled() => {}
            }
        }
    }
}

impl Lanes {
    /// Queues a job, unless its endpoint's queue is full.
    fn enqueue(&mut self, job: Job, first: bool) -> bool {
        let endpoint = Arc::clone(&job.key.1);
        let lane = self.by_endpoint.entry(Arc::clone(&endpoint)).or_default();
        if lane.queue.len() >= LANE_QUEUE {
            self.dropped += 1;
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

    /// Ends a pair's schedule: retries that wait for their time or for a slot fall away.
    fn forget_retries(&mut self, key: &Key) {
        self.scheduled.remove(key);
        if let Some(lane) = self.by_endpoint.get_mut(&key.1) {
            let before = lane.queue.len();
            lane.queue.retain(|job| job.key != *key || job.number <= 1);
            self.queued -= before - lane.queue.len();
        }
    }

    /// Takes the next job that has a slot, endpoint by endpoint in turn.
    fn next(&mut self) -> Option<Job> {
        for _ in 0..self.turns.len() {
            let endpoint = self.turns.pop_front()?;
            let Some(lane) = self.by_endpoint.get_mut(&endpoint) else {
                continue;
            };
            let free = lane.in_flight < LANE_SLOTS
                && (lane.in_flight == 0 || self.in_flight < SHARED_SLOTS);
            if !free {
                self.turns.push_back(endpoint);
                continue;
            }
            let Some(job) = lane.queue.pop_front() else {
                continue;
            };
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

    fn release(&mut self, endpoint: &Arc<str>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(lane) = self.by_endpoint.get_mut(endpoint) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
            if lane.in_flight == 0 && lane.queue.is_empty() {
                self.by_endpoint.remove(endpoint);
            }
        }
    }

    /// Plans a retry. When too many wait, those whose message is gone are let go first.
    fn plan(&mut self, at: Instant, retry: Job, ledger: &Mutex<Ledger>) {
        if self.retries.len() >= MOST_RETRIES {
            let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            let scheduled = &mut self.scheduled;
            self.retries.retain(|Reverse((_, job))| {
                let known = ledger.has_message(&job.key.0);
                if !known {
                    scheduled.remove(&job.key);
                }
                known && scheduled.contains(&job.key)
            });
        }
        if self.retries.len() >= MOST_RETRIES {
            self.retries_dropped += 1;
            self.scheduled.remove(&retry.key);
            return;
        }
        self.retries.push(Reverse((at, retry)));
    }

    /// Queues every retry that is due, and says when the next one will be.
    fn queue_due(&mut self, now: Instant) -> Option<Instant> {
        while let Some(Reverse((at, _))) = self.retries.peek() {
            if *at > now {
                return Some(*at);
            }
            let Some(Reverse((_, job))) = self.retries.pop() else {
                break;
            };
            // A pair that is no longer scheduled was resent by hand: its retries fall away.
            if self.scheduled.contains(&job.key) && !self.enqueue(job.clone(), false) {
                self.scheduled.remove(&job.key);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn job(message: usize, endpoint: usize) -> Job {
        let key = (
            message.to_string().as_str().into(),
            endpoint.to_string().as_str().into(),
        );
        Job { key, number: 1 }
    }

    #[test]
    fn one_endpoint_gets_eight_slots_and_the_others_their_turn() {
        let mut lanes = Lanes::default();
        for message in 0..20 {
            assert!(lanes.enqueue(job(message, 0), false));
        }
        assert!(lanes.enqueue(job(0, 1), false));
        let started: Vec<String> = std::iter::from_fn(|| lanes.next())
            .map(|job| job.key.1.to_string())
            .collect();
        assert_eq!(started, ["0", "1", "0", "0", "0", "0", "0", "0", "0"]);
        lanes.release(&"0".into());
        assert_eq!(
            lanes.next().map(|job| job.key.0.to_string()),
            Some("8".to_owned())
        );
        assert!(lanes.next().is_none());
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
        while let Some(job) = lanes.next() {
            of_last += usize::from(job.key.1.as_ref() == (MOST_ENDPOINTS - 1).to_string());
        }
        assert!(lanes.in_flight <= SHARED_SLOTS + MOST_ENDPOINTS);
        assert!(of_last >= 1);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let mut lanes = Lanes::default();
        for message in 0..=LANE_QUEUE {
            lanes.enqueue(job(message, 0), false);
        }
        assert_eq!((lanes.queued, lanes.dropped), (LANE_QUEUE, 1));
    }

    #[test]
    fn retries_come_when_due_and_only_if_still_scheduled() {
        let mut lanes = Lanes::default();
        let ledger = Mutex::new(Ledger::default());
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        for message in 0..2 {
            lanes.scheduled.insert(job(message, 0).key);
            lanes.plan(later, job(message, 0), &ledger);
        }
        assert_eq!(lanes.queue_due(now), Some(later));
        assert_eq!(lanes.queued, 0);
        lanes.scheduled.remove(&job(0, 0).key);
        assert_eq!(lanes.queue_due(later), None);
        assert_eq!(lanes.next().unwrap().key, job(1, 0).key);
        assert!(lanes.next().is_none());
    }
}
