//! Many replays under any keys, outcomes and times, in any order: no pair is sent twice, the order
//! within a task holds, nothing leaves before it can be taken back no more, and nothing after five
//! failures in a row until it is resumed.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use reeltop::app::bulk::run::{Phase, RunState};
use reeltop::app::{Msg, ReplayRequest, State, update};
use reeltop::domain::{Failure, FailureKind, Stage, TaskId};

use super::waiting::put_off;
use super::{end, failing, pass, requests, tell};
use crate::support::{key, picture};

#[derive(Debug, Clone, Copy)]
enum Op {
    Press(&'static str),
    /// Milliseconds.
    Pass(i64),
    /// One of those under way ends.
    Deliver(usize),
    Fail(usize),
    Refuse(usize),
    Lose(usize),
    /// The service will not hear of it for so many seconds.
    PutOff(usize, i64),
}

fn op() -> impl Strategy<Value = Op> {
    let key = prop_oneof![
        6 => Just("R"),
        8 => Just("enter"),
        2 => Just("space"),
        1 => Just("*"),
        1 => Just("a"),
        1 => Just("u"),
        2 => Just("esc"),
        1 => Just("j"),
        1 => Just("r"),
        1 => Just("2"),
        1 => Just("4"),
        1 => Just("f"),
        1 => Just("p"),
    ];
    let time = prop_oneof![4 => 1_i64..900, 4 => 2900_i64..3200, 1 => Just(61_000)];
    prop_oneof![
        6 => key.prop_map(Op::Press),
        8 => time.prop_map(Op::Pass),
        3 => any::<usize>().prop_map(Op::Deliver),
        5 => any::<usize>().prop_map(Op::Fail),
        1 => any::<usize>().prop_map(Op::Refuse),
        1 => any::<usize>().prop_map(Op::Lose),
        2 => (any::<usize>(), 1_i64..70).prop_map(|(which, wait)| Op::PutOff(which, wait)),
    ]
}

/// What the test itself knows of what was sent.
#[derive(Default)]
struct World {
    open: Vec<ReplayRequest>,
    /// The latest replay of each pair.
    latest: HashMap<(String, String), u64>,
    /// What the run that stands there has sent.
    of_run: HashSet<(String, String)>,
    /// The last sent of each task by that run.
    lanes: HashMap<(TaskId, String), String>,
    /// When the run may begin.
    begins: i64,
    failures: usize,
    /// Until when the service is to be left alone.
    held: i64,
    /// How the rows of the run stood.
    rows: Vec<RunState>,
}

impl World {
    fn one(&mut self, which: usize) -> Option<ReplayRequest> {
        let at = which.checked_rem(self.open.len())?;
        Some(self.open.remove(at))
    }

    fn run(&mut self, state: &mut State, op: Op) -> Vec<ReplayRequest> {
        let refused = || Failure::new(FailureKind::NotFound, "404", "");
        match op {
            Op::Press(name) => {
                let is_stopped = |state: &State| {
                    let run = state.run.as_ref();
                    run.is_some_and(|run| run.phase == Phase::Stopped)
                };
                let was_stopped = is_stopped(state);
                let effects = update(state, Msg::Key(key(name)));
                if was_stopped && !is_stopped(state) && name == "enter" {
                    self.failures = 0;
                }
                requests(effects)
            }
            Op::Pass(ms) => pass(state, ms * 1000),
            Op::Deliver(which) => match self.one(which) {
                Some(request) => end(state, &request, 204),
                None => Vec::new(),
            },
            Op::Fail(which) => match self.one(which) {
                Some(request) => end(state, &request, 500),
                None => Vec::new(),
            },
            Op::Refuse(which) => match self.one(which) {
                Some(request) => tell(state, &request, Stage::Refused(refused())),
                None => Vec::new(),
            },
            Op::PutOff(which, wait) => match self.one(which) {
                Some(request) => {
                    // It was no send: it may leave once more, before what came after it.
                    let pair = (request.message.to_string(), request.endpoint.to_string());
                    self.of_run.remove(&pair);
                    self.lanes.retain(|_, last| *last != pair.0);
                    self.held = self.held.max(state.now.mono + wait * 1_000_000);
                    put_off(state, &request, wait)
                }
                None => Vec::new(),
            },
            // It is never heard of again.
            Op::Lose(which) => match self.one(which) {
                Some(request) => {
                    let before = [].into();
                    let mut left = tell(state, &request, Stage::Sending { before });
                    left.extend(tell(state, &request, Stage::Unknown("cut".into())));
                    left
                }
                None => Vec::new(),
            },
        }
    }

    /// Follows the run: a new one, or rows of it that ended.
    fn follow(&mut self, state: &State) {
        let Some(run) = &state.run else {
            self.rows.clear();
            return;
        };
        if let Phase::Undoable { until, .. } = run.phase {
            self.of_run.clear();
            self.lanes.clear();
            self.failures = 0;
            self.held = 0;
            self.begins = until;
            self.rows.clear();
        }
        self.rows = run.rows().iter().map(|row| row.state.clone()).collect();
    }

    /// Failures in a row, as the rows that ended since tell them.
    fn count(&mut self, state: &State) {
        let Some(run) = &state.run else {
            return;
        };
        let before = std::mem::take(&mut self.rows);
        for (row, before) in run.rows().iter().zip(before) {
            if !matches!(before, RunState::UnderWay(_)) {
                continue;
            }
            match row.state {
                RunState::Delivered(_) => self.failures = 0,
                RunState::Failed(_) | RunState::Unknown(_) => self.failures += 1,
                _ => {}
            }
        }
    }

    fn check(&mut self, state: &State, sent: &ReplayRequest) -> Result<(), TestCaseError> {
        let pair = (sent.message.to_string(), sent.endpoint.to_string());
        if let Some(earlier) = self.latest.insert(pair.clone(), sent.number) {
            let earlier = state.history.replays.get(earlier);
            let is_open = earlier.is_none_or(|replay| replay.state.is_open());
            prop_assert!(!is_open, "{pair:?} is sent though it is open");
        }
        let run = state.run.as_ref();
        let is_of_run = run.is_some_and(|run| {
            let mut rows = run.rows().iter();
            rows.any(|row| row.state.number() == Some(sent.number))
        });
        if !is_of_run {
            return Ok(());
        }
        prop_assert!(self.of_run.insert(pair.clone()), "{pair:?} is sent twice");
        prop_assert!(state.now.mono >= self.begins, "too early");
        prop_assert!(self.failures < 5, "sent after five failures in a row");
        prop_assert!(
            state.now.mono >= self.held,
            "sent though the service asked to wait"
        );
        let delivery = state.history.deliveries.get(&sent.message);
        let task = delivery.and_then(|it| it.message.as_ref()?.task.clone());
        let Some(task) = task else {
            return Ok(());
        };
        let lane = (task, pair.1);
        let earlier = self.lanes.insert(lane, pair.0.clone());
        if let (Some(earlier), Some(run)) = (earlier, run) {
            prop_assert!(earlier < pair.0, "{earlier} before {}", pair.0);
            let is_under_way = run.rows().iter().any(|row| {
                row.job.message.to_string() == earlier
                    && row.job.endpoint == sent.endpoint
                    && matches!(row.state, RunState::UnderWay(_))
            });
            prop_assert!(!is_under_way, "{} overtakes {earlier}", pair.0);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_happens_each_pair_leaves_once_in_its_order(
        n in prop_oneof![3_usize..12, 21_usize..24],
        begin in any::<bool>(),
        ops in proptest::collection::vec((op(), any::<bool>()), 0..70),
    ) {
        let mut state = failing(n);
        let mut world = World::default();
        let begin: &[Op] = if begin {
            &[Op::Press("R"), Op::Press("enter"), Op::Pass(3000)]
        } else {
            &[]
        };
        let began = begin.iter().map(|op| (*op, true));
        for (op, is_drawn) in began.chain(ops) {
            world.follow(&state);
            let sent = world.run(&mut state, op);
            world.count(&state);
            for request in sent {
                world.check(&state, &request)?;
                world.open.push(request);
            }
            if is_drawn {
                picture(&mut state, 120, 36);
            }
        }
        // Nothing is lost: every replay is one that was given out.
        let numbers: HashSet<u64> = world.latest.values().copied().collect();
        let known = state.history.replays.all();
        prop_assert!(known.map(|it| it.number).collect::<HashSet<_>>().is_superset(&numbers));
    }
}
