//! A seeded day at the service: assets come in, features wait for workers and are processed.
//!
//! What comes and how it goes is drawn from the seed alone (see [`super::catalog`]); when it
//! happens follows the clock. Tasks that clients ask for are worked on in the same queues.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

use super::backend::{Backend, Order};
use super::catalog::{self, Fate, MEAN_OVER_MEDIAN, MEDIANS_S, Step};
use super::tasks::FeatureState;

/// Tasks that come in at once when the simulation starts, so that there is something to see.
const FIRST_TASKS: u64 = 4;
/// While more tasks than this are unfinished, no new ones come in.
const MOST_UNFINISHED: usize = 5_000;
/// Simulated seconds until a worker picks a feature up.
const PICK_UP_S: f64 = 2.0;
/// Features that are made from the proxy, and wait for it.
const AFTER_PROXY: [&str; 2] = ["preview", "visual"];
/// At least so many workers for each feature.
const FEWEST_WORKERS: usize = 2;
/// Arrivals handled before the rest of the loop gets its turn.
const ARRIVALS_AT_ONCE: usize = 256;

/// How busy the simulated service is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub seed: u64,
    /// 0: nothing comes in by itself.
    pub tasks_per_minute: f64,
    /// Divides all simulated times.
    pub time_scale: f64,
}

/// Runs the simulation until its future is dropped.
pub async fn run(backend: Backend, mut orders: mpsc::UnboundedReceiver<Order>, pace: Pace) {
    let mut workshop = Workshop::new(backend.clone(), pace);
    let mut arrivals = Arrivals::new(pace);
    let mut sweep = tokio::time::interval(Duration::from_secs(1));
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let next = [workshop.next_due(), arrivals.next]
            .into_iter()
            .flatten()
            .min();
        let due = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => workshop.take(order),
                None => return,
            },
            () = due => {
                let now = Instant::now();
                // What came in before counts as unfinished only once it is taken.
                while let Ok(order) = orders.try_recv() {
                    workshop.take(order);
                }
                let room = MOST_UNFINISHED.saturating_sub(workshop.plans.len());
                arrivals.let_in(&backend, room, now);
                workshop.advance(now);
            }
            _ = sweep.tick() => backend.sweep(),
        }
    }
}

/// New assets, one after the other.
struct Arrivals {
    pace: Pace,
    count: u64,
    gaps: Rng,
    next: Option<Instant>,
}

impl Arrivals {
    fn new(pace: Pace) -> Self {
        let next = (pace.tasks_per_minute > 0.0).then(Instant::now);
        Self {
            pace,
            count: 0,
            gaps: Rng::with_seed(!pace.seed),
            next,
        }
    }

    /// Lets in what is due, as far as there is room; the rest stays away.
    fn let_in(&mut self, backend: &Backend, mut room: usize, now: Instant) {
        for _ in 0..ARRIVALS_AT_ONCE {
            let Some(at) = self.next.filter(|at| *at <= now) else {
                return;
            };
            if room > 0 {
                room -= 1;
                self.arrive(backend);
            }
            if self.count >= FIRST_TASKS {
                self.next = at.checked_add(self.gap());
            }
        }
        // Too far behind to catch up: go on from now.
        self.next = now.checked_add(self.gap());
    }

    fn arrive(&mut self, backend: &Backend) {
        let number = self.count;
        self.count += 1;
        let mut rng = Rng::with_seed(self.pace.seed.wrapping_add((number + 1).rotate_left(32)));
        let asset = catalog::asset(&mut rng);
        let features = catalog::features_of(&asset);
        let mut fate = catalog::fate(&mut rng, &features, asset.duration_s);
        if number == 1 {
            fail_early(&mut fate);
        }
        backend.ingest(asset, catalog::uuid(&mut rng), features, fate);
        if number % 10 == 9 {
            backend.publish_index();
        }
    }

    /// Exponential, as independent arrivals are.
    fn gap(&mut self) -> Duration {
        let mean_s = 60.0 / self.pace.tasks_per_minute;
        let gap_s = -(1.0 - self.gaps.f64()).ln() * mean_s;
        Duration::try_from_secs_f64(gap_s).unwrap_or(Duration::from_hours(1))
    }
}

/// The second task of every simulation fails soon, so that a failure can be looked at right away.
fn fail_early(fate: &mut Fate) {
    fate.cancelled_after_s = None;
    if let Some(step) = fate.steps.last_mut() {
        step.end = FeatureState::Failed;
        step.takes_s = step.takes_s.min(45.0);
    }
}

#[derive(Debug)]
struct Job {
    task_id: String,
    step: Step,
}

#[derive(Debug)]
enum Happening {
    /// A feature joins the queue of its workers.
    Ready(Job),
    /// A worker is done with it.
    Ended(Job),
    /// Somebody cancels the task.
    Cancelled(String),
}

/// The workers of one feature.
#[derive(Debug)]
struct Workers {
    free: usize,
    queue: VecDeque<Job>,
}

/// What is left to do for a task.
#[derive(Debug)]
struct Plan {
    unfinished: usize,
    after_proxy: Vec<Step>,
}

struct Workshop {
    backend: Backend,
    time_scale: f64,
    workers: HashMap<&'static str, Workers>,
    plans: HashMap<String, Plan>,
    happenings: BTreeMap<u64, Happening>,
    /// (when, number of the happening).
    agenda: BinaryHeap<Reverse<(Instant, u64)>>,
    next_number: u64,
}

impl Workshop {
    fn new(backend: Backend, pace: Pace) -> Self {
        let workers = MEDIANS_S.iter().map(|&(feature, median_s)| {
            // A third more than the load needs on average: queues form, and drain again.
            let busy = pace.tasks_per_minute / 60.0 * median_s * MEAN_OVER_MEDIAN / pace.time_scale;
            let free = ((busy * 1.33).ceil() as usize).clamp(FEWEST_WORKERS, MOST_UNFINISHED);
            (
                feature,
                Workers {
                    free,
                    queue: VecDeque::new(),
                },
            )
        });
        Self {
            backend,
            time_scale: pace.time_scale,
            workers: workers.collect(),
            plans: HashMap::new(),
            happenings: BTreeMap::new(),
            agenda: BinaryHeap::new(),
            next_number: 0,
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.agenda.peek().map(|Reverse((at, _))| *at)
    }

    fn plan(&mut self, from: Instant, after_s: f64, happening: Happening) {
        let after = Duration::try_from_secs_f64(after_s / self.time_scale).unwrap_or_default();
        let Some(at) = from.checked_add(after) else {
            return;
        };
        self.next_number += 1;
        self.happenings.insert(self.next_number, happening);
        self.agenda.push(Reverse((at, self.next_number)));
    }

    /// Takes a new task: features that need the proxy wait for it, the others queue at once.
    fn take(&mut self, order: Order) {
        let Order { task_id, fate, at } = order;
        let has_proxy = fate.steps.iter().any(|step| step.feature == "proxy");
        let waits = |step: &Step| has_proxy && AFTER_PROXY.contains(&step.feature);
        let unfinished = fate.steps.len();
        let (after_proxy, ready): (Vec<Step>, Vec<Step>) = fate.steps.into_iter().partition(waits);
        if let Some(after_s) = fate.cancelled_after_s {
            self.plan(at, after_s, Happening::Cancelled(task_id.clone()));
        }
        for step in ready {
            self.plan(
                at,
                PICK_UP_S,
                Happening::Ready(Job {
                    task_id: task_id.clone(),
                    step,
                }),
            );
        }
        if unfinished > 0 {
            self.plans.insert(
                task_id,
                Plan {
                    unfinished,
                    after_proxy,
                },
            );
        }
    }

    /// Lets everything happen that is due.
    fn advance(&mut self, now: Instant) {
        while let Some(Reverse((at, number))) = self.agenda.peek().copied() {
            if at > now {
                return;
            }
            self.agenda.pop();
            match self.happenings.remove(&number) {
                Some(Happening::Ready(job)) => self.queue(job, at),
                Some(Happening::Ended(job)) => self.end(&job, at),
                Some(Happening::Cancelled(task_id)) => self.cancel(&task_id),
                None => {}
            }
        }
    }

    fn queue(&mut self, job: Job, at: Instant) {
        let feature = job.step.feature;
        if let Some(workers) = self.workers.get_mut(feature) {
            workers.queue.push_back(job);
        }
        self.start(feature, at);
    }

    /// Starts what has a free worker.
    fn start(&mut self, feature: &'static str, at: Instant) {
        loop {
            let Some(workers) = self.workers.get_mut(feature).filter(|w| w.free > 0) else {
                return;
            };
            let Some(job) = workers.queue.pop_front() else {
                return;
            };
            let state = self.backend.feature(&job.task_id, feature);
            if state != Some(FeatureState::Queued) {
                continue;
            }
            workers.free -= 1;
            self.backend
                .set_feature(&job.task_id, feature, FeatureState::Processing);
            let takes_s = job.step.takes_s;
            self.plan(at, takes_s, Happening::Ended(job));
        }
    }

    fn end(&mut self, job: &Job, at: Instant) {
        let Job { task_id, step } = job;
        if let Some(workers) = self.workers.get_mut(step.feature) {
            workers.free += 1;
        }
        let state = self.backend.feature(task_id, step.feature);
        if state == Some(FeatureState::Processing) {
            self.backend.set_feature(task_id, step.feature, step.end);
            self.go_on(task_id, step, at);
        }
        self.start(step.feature, at);
    }

    /// What follows the end of a step: the proxy lets others begin, or takes them with it.
    fn go_on(&mut self, task_id: &str, step: &Step, at: Instant) {
        let Some(plan) = self.plans.get_mut(task_id) else {
            return;
        };
        plan.unfinished = plan.unfinished.saturating_sub(1);
        let mut ready = Vec::new();
        if step.feature == "proxy" {
            ready = std::mem::take(&mut plan.after_proxy);
        }
        if step.end == FeatureState::Failed && !ready.is_empty() {
            plan.unfinished = plan.unfinished.saturating_sub(ready.len());
            let changes: Vec<_> = ready
                .drain(..)
                .map(|step| (step.feature, FeatureState::Cancelled))
                .collect();
            self.backend.set_features(task_id, &changes);
        }
        if plan.unfinished == 0 {
            self.plans.remove(task_id);
        }
        for step in ready {
            let job = Job {
                task_id: task_id.to_owned(),
                step,
            };
            self.plan(at, PICK_UP_S, Happening::Ready(job));
        }
    }

    fn cancel(&mut self, task_id: &str) {
        if self.plans.remove(task_id).is_none() {
            return;
        }
        let running = |feature: &&'static str| {
            let state = self.backend.feature(task_id, feature);
            matches!(state, Some(FeatureState::Queued | FeatureState::Processing))
        };
        let changes: Vec<_> = catalog_features()
            .filter(running)
            .map(|feature| (feature, FeatureState::Cancelled))
            .collect();
        self.backend.set_features(task_id, &changes);
    }
}

fn catalog_features() -> impl Iterator<Item = &'static str> {
    MEDIANS_S.iter().map(|&(feature, _)| feature)
}
