//! Which faults come when: drawn by proptest from a seed.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reeltop::server::chaos::{FAULTS, Fault};

use super::round;

/// What happens to one client.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Of the server and of what happens in its world.
    pub seed: u64,
    pub has_logs: bool,
    /// Whether tasks still move after the faults have stopped.
    pub goes_on_after: bool,
    /// Faults that never stop.
    pub always: Vec<Fault>,
    pub steps: Vec<Step>,
}

impl Schedule {
    /// Whether tasks can come and go without any trace: a stream that beats on while it loses
    /// events, at a service without logs.
    pub fn is_traceless(&self) -> bool {
        let mut faults = self.steps.iter().flat_map(|step| &step.faults);
        !self.has_logs && faults.any(|fault| *fault == Fault::HeartbeatOnly)
    }
}

/// Some faults for some time.
#[derive(Debug, Clone)]
pub struct Step {
    pub faults: Vec<Fault>,
    pub lasts_ms: u64,
}

fn strategy() -> impl Strategy<Value = Schedule> {
    // The logs are a matter of the whole round, and who cannot read tasks cannot catch up.
    let faults: Vec<Fault> = FAULTS
        .iter()
        .map(|(fault, ..)| *fault)
        .filter(|fault| !matches!(fault, Fault::NoLogs | Fault::NoTasks))
        .collect();
    let step = (vec(select(faults), 0..=3), 40..260_u64)
        .prop_map(|(faults, lasts_ms)| Step { faults, lasts_ms });
    (any::<u64>(), any::<bool>(), any::<bool>(), vec(step, 2..=7)).prop_map(
        |(seed, has_logs, goes_on_after, steps)| Schedule {
            seed,
            has_logs,
            goes_on_after,
            always: Vec::new(),
            steps,
        },
    )
}

fn tree(seed: u64) -> impl ValueTree<Value = Schedule> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy().new_tree(&mut runner).unwrap()
}

/// The schedule of this seed.
pub fn schedule(seed: u64) -> Schedule {
    tree(seed).current()
}

/// A smaller schedule that fails as that of this seed does, and why it fails; the whole one if it
/// does not fail again.
pub async fn smaller(seed: u64, tries: usize) -> (Schedule, String) {
    let mut tree = tree(seed);
    let mut found = (tree.current(), "it did not fail again".to_owned());
    let mut is_smaller = true;
    for _ in 0..tries {
        if !is_smaller {
            break;
        }
        let schedule = tree.current();
        is_smaller = match round::run(&schedule).await {
            Err(why) => {
                found = (schedule, why);
                tree.simplify()
            }
            Ok(_) => tree.complicate(),
        };
    }
    found
}
