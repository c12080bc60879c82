//! What happens at the server meanwhile: tasks begin, move and end, some of them within a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use reeltop::domain::Observation;
use reeltop::server::{Backend, FeatureState};
use reeltop::wire::decode_task;
use tokio::task::JoinHandle;

const FEATURES: [&str; 4] = ["proxy", "preview", "visual", "transcription"];
const ENDS: [FeatureState; 5] = [
    FeatureState::Completed,
    FeatureState::Completed,
    FeatureState::Completed,
    FeatureState::Failed,
    FeatureState::Cancelled,
];
/// Tasks of one round.
const MOST_TASKS: usize = 120;
/// Between two acts, in milliseconds.
const PACE: std::ops::Range<u64> = 2..14;

struct Going {
    id: String,
    /// Each with whether it was begun.
    left: Vec<(&'static str, bool)>,
}

/// A world that moves until it is stopped.
pub struct World {
    is_over: Arc<AtomicBool>,
    moving: JoinHandle<Vec<String>>,
}

impl World {
    pub fn start(backend: Backend, seed: u64) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let moving = tokio::spawn(async move {
            let mut acts = Acts::new(backend, seed);
            while !ends.load(Ordering::SeqCst) {
                acts.act();
                let pause = acts.rng.u64(PACE);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            acts.all
        });
        Self { is_over, moving }
    }

    /// The ids of all tasks that there ever were.
    pub async fn stop(self) -> Vec<String> {
        self.is_over.store(true, Ordering::SeqCst);
        self.moving.await.unwrap()
    }
}

struct Acts {
    backend: Backend,
    rng: Rng,
    going: Vec<Going>,
    all: Vec<String>,
}

impl Acts {
    fn new(backend: Backend, seed: u64) -> Self {
        Self {
            backend,
            rng: Rng::with_seed(seed),
            going: Vec::new(),
            all: Vec::new(),
        }
    }

    fn act(&mut self) {
        let chance = self.rng.u8(0..20);
        if self.all.len() < MOST_TASKS && (chance < 6 || self.going.is_empty()) {
            self.begin();
        }
        if chance == 19 {
            // More at once than the ring holds, a task's whole life among it.
            self.begin();
            for _ in 0..12 {
                self.advance(self.going.len().saturating_sub(1));
            }
        } else if !self.going.is_empty() {
            let which = self.rng.usize(..self.going.len());
            self.advance(which);
        }
    }

    fn begin(&mut self) {
        let n_features = self.rng.usize(1..=FEATURES.len());
        let features = &FEATURES[..n_features];
        let asset = format!("asset-{}", self.all.len());
        let id = self.backend.create_task(&asset, features).unwrap();
        self.all.push(id.clone());
        let left = features.iter().map(|feature| (*feature, false)).collect();
        self.going.push(Going { id, left });
    }

    fn advance(&mut self, which: usize) {
        let Some(task) = self.going.get_mut(which) else {
            return;
        };
        let at = self.rng.usize(..task.left.len());
        let (feature, is_begun) = task.left[at];
        let state = if is_begun {
            task.left.swap_remove(at);
            ENDS[self.rng.usize(..ENDS.len())]
        } else {
            task.left[at].1 = true;
            FeatureState::Processing
        };
        self.backend.set_feature(&task.id, feature, state);
        if task.left.is_empty() {
            self.going.swap_remove(which);
        }
    }
}

/// The tasks as the server has them.
pub fn truth(backend: &Backend, ids: &[String]) -> Vec<Observation> {
    ids.iter()
        .map(|id| {
            let body = backend.task_body(id).unwrap();
            decode_task(&serde_json::to_vec(&body).unwrap()).unwrap()
        })
        .collect()
}
