//! The dispatcher: sends what the lanes give out, writes down what came of it, plans retries.
//! No HTTP.
//!
//! The locks of lanes and ledger are never held together.

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
use super::lanes::{Job, Key, LaneFigures, Lanes};
use super::ledger::{Addressed, Attempt, Ledger};
use super::schedule::Schedule;

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

    /// How long an endpoint may fail before it is disabled; `None` is for ever.
    pub fn disable_after(&self) -> Option<Duration> {
        self.disable_after
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
            lanes.deliver(key);
        }
        drop(lanes);
        self.go_on();
    }

    /// Sets how many deliveries to an endpoint may start in a second.
    pub fn limit(self: &Arc<Self>, endpoint_id: &str, per_second: Option<u16>) {
        self.lanes().limit(endpoint_id, per_second, Instant::now());
        self.go_on();
    }

    /// Queues one manual try, ahead of what waits. Retries that were due for this message at this
    /// endpoint fall away, as on Svix's open-source server. False when the queue is full.
    pub fn resend(self: &Arc<Self>, message_id: &str, endpoint_id: &str) -> bool {
        let key: Key = (message_id.into(), endpoint_id.into());
        let taken = self.lanes().resend(&key);
        self.go_on();
        taken
    }

    /// Drops the retries of messages that are no longer kept.
    pub fn forget(&self, message_ids: &[String]) {
        if message_ids.is_empty() {
            return;
        }
        let mut lanes = self.lanes();
        for id in message_ids {
            lanes.forget_message(id);
        }
    }

    /// How long until a pair's next automatic try; `None` if there is none to come.
    pub fn next_try(&self, message_id: &str, endpoint_id: &str) -> Option<Duration> {
        let key: Key = (message_id.into(), endpoint_id.into());
        let at = self.lanes().next_try(&key)?;
        Some(at.saturating_duration_since(Instant::now()))
    }

    pub fn figures(&self) -> LaneFigures {
        self.lanes().figures()
    }

    /// Starts whatever may start, and has the timer see to what must wait for its pace.
    fn go_on(self: &Arc<Self>) {
        if self.pump().is_some() {
            self.earlier.notify_one();
        }
    }

    /// Starts whatever has a slot; when the first may start that waits for its pace.
    fn pump(self: &Arc<Self>) -> Option<Instant> {
        loop {
            let now = Instant::now();
            let mut lanes = self.lanes();
            let Some(job) = lanes.next(now) else {
                return lanes.next_pace(now);
            };
            drop(lanes);
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
                ledger.address(message_id, endpoint_id, started_us),
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
        let attempt = Attempt {
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
        };
        let evicted = self.ledger().record(attempt);
        self.forget(&evicted);
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
        if job.number > 0 && lanes.is_scheduled(&job.key) {
            if let Some(at) = delay.and_then(|delay| Instant::now().checked_add(delay)) {
                lanes.plan(at, &job.key, job.number + 1);
                self.earlier.notify_one();
            } else {
                lanes.unschedule(&job.key);
                exhausted = failure.is_some();
            }
        }
        drop(lanes);
        if exhausted {
            self.ledger()
                .exhausted(&job.key.1, now_us(), self.disable_after);
        }
        self.go_on();
    }

    /// Moves retries into their queues when their time comes, and starts what waited for its pace.
    async fn run_timer(self: &Arc<Self>) {
        while !self.stop.is_cancelled() {
            let retry = self.lanes().queue_due(Instant::now());
            let next = [retry, self.pump()].into_iter().flatten().min();
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
