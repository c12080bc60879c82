//! The states of a replay under anything that can happen, in any order: processes that end
//! anywhere, requests that arrive late or never, automatic retries, others who resend.

use proptest::prelude::*;
use reeltop::domain::{
    Attempt, AttemptId, AttemptStatus, EndpointId, Failure, FailureKind, MessageId, Moment, Replay,
    ReplayState, ReplayStep, Replays, Reply, RetrySchedule, Route, Stage, Time, Trigger,
};

#[derive(Debug, Clone, Copy)]
enum Op {
    /// Some reeltop wants to replay the pair, by this route.
    Plan(Route),
    Send,
    /// The request reaches the service, which makes an attempt of it, or the receiver itself.
    Arrive,
    /// Its answer reaches us, or is lost.
    Answer(bool),
    /// Nothing is requested after all.
    Refuse,
    /// The request is refused for certain, as late as that may be told.
    Reject,
    Crash,
    Retry,
    Foreign,
    /// The oldest attempt under way ends.
    End(bool),
    /// All attempts are read.
    See,
    /// The sender reads them once more, and looks no further.
    Look,
    /// The user waits no longer.
    GiveUp,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => proptest::sample::select(&Route::ALL).prop_map(Op::Plan),
        4 => Just(Op::Send),
        4 => Just(Op::Arrive),
        3 => any::<bool>().prop_map(Op::Answer),
        1 => Just(Op::Refuse),
        1 => Just(Op::Reject),
        2 => Just(Op::Crash),
        2 => Just(Op::Retry),
        1 => Just(Op::Foreign),
        3 => any::<bool>().prop_map(Op::End),
        3 => Just(Op::See),
        3 => Just(Op::Look),
        1 => Just(Op::GiveUp),
    ]
}

#[derive(Default)]
struct World {
    replays: Replays,
    attempts: Vec<Attempt>,
    n: u64,
    /// The route of each.
    routes: Vec<Route>,
    /// Whose request arrived.
    arrived: Vec<u64>,
    /// What was posted from here, and answered in our sight.
    heard: Vec<u64>,
    /// The replay whose reeltop is running.
    running: Option<u64>,
    /// The replay whose request has ended while its reeltop looks for its attempt.
    answered: Option<u64>,
    /// A request that was written and has not arrived.
    on_its_way: Option<u64>,
    /// Which attempt each replay caused, as only the service knows.
    caused: Vec<(u64, AttemptId)>,
    foreign: Vec<AttemptId>,
}

fn pair() -> (MessageId, EndpointId) {
    (MessageId::new("msg"), EndpointId::new("ep"))
}

impl World {
    fn attempt(&mut self, trigger: Trigger) -> AttemptId {
        let id = AttemptId::new(&format!("atmpt_{}", self.attempts.len()));
        let (message, endpoint) = pair();
        self.attempts.push(Attempt {
            id: id.clone(),
            message,
            endpoint,
            url: "http://127.0.0.1/".into(),
            // The clocks disagree by hours, either way.
            started: Time(if self.attempts.len().is_multiple_of(2) {
                1
            } else {
                i64::MAX / 2
            }),
            status: AttemptStatus::Sending,
            code: 0,
            duration_ms: None,
            response: "".into(),
            trigger,
        });
        id
    }

    fn route(&self, number: u64) -> Route {
        self.routes[usize::try_from(number).unwrap() - 1]
    }

    fn step(&mut self, number: u64, stage: Stage) {
        let (message, endpoint) = pair();
        let route = self.route(number);
        let step = ReplayStep {
            replay: number,
            message,
            endpoint,
            route,
            stage,
        };
        self.replays.step(step, Moment::default());
    }

    fn state(&self, number: u64) -> ReplayState {
        self.replays.get(number).unwrap().state.clone()
    }

    fn see(&mut self) {
        let (message, endpoint) = pair();
        let attempts: Vec<&Attempt> = self.attempts.iter().collect();
        let schedule = RetrySchedule::default();
        self.replays
            .settle(&message, &endpoint, &attempts, &schedule, Moment::default());
    }

    /// The sender looks for its attempt, once its request has ended.
    fn look(&mut self) {
        let Some(number) = self.answered.take() else {
            return;
        };
        self.see();
        if self.state(number).is_open() && self.state(number).attempt().is_none() {
            self.step(number, Stage::Unknown("nothing was seen".into()));
        }
        self.step(number, Stage::Looked);
        self.see();
        self.running = None;
    }

    /// The answer of the request that was sent comes, or is lost.
    fn answer(&mut self, is_seen: bool) {
        if let Some(number) = self.running
            && self.state(number) == ReplayState::Sending
        {
            let is_local = self.route(number) == Route::Local;
            let stage = match is_seen && self.arrived.contains(&number) {
                true if is_local => {
                    self.heard.push(number);
                    Stage::Answered(Reply {
                        code: 204,
                        duration_ms: 1,
                    })
                }
                true => Stage::Accepted,
                false => Stage::Unknown("the answer was lost".into()),
            };
            self.step(number, stage);
            if is_local {
                self.running = None;
            } else {
                self.answered = Some(number);
            }
        }
    }

    /// The request is refused before it did anything.
    fn reject(&mut self) {
        if let Some(number) = self.running
            && self.answered.is_none()
            && self.on_its_way.take_if(|it| *it == number).is_some()
        {
            let why = Failure::new(FailureKind::NotFound, "no such endpoint", "");
            self.step(number, Stage::Refused(why));
            assert_eq!(self.state(number).name(), "refused");
            self.running = None;
        }
    }

    fn give_up(&mut self) {
        let (message, endpoint) = pair();
        let open = self.replays.open_of(&message, &endpoint).cloned();
        if let Some(mut open) = open.filter(|_| self.running.is_none())
            && open.give_up("somebody", Moment::default()).is_ok()
        {
            self.replays.take(open);
        }
    }

    fn obey(&mut self, op: Op) {
        let (message, endpoint) = pair();
        match op {
            Op::Plan(route) => {
                // As the ledger does: what is known is weighed first, one open row at most. And as
                // a plan does that nobody forces: nothing after an outcome that is in doubt.
                self.see();
                let is_open = self.replays.open_of(&message, &endpoint).is_some();
                let is_doubtful = self.replays.doubtful_of(&message, &endpoint).is_some();
                if !is_open && !is_doubtful && self.running.is_none() {
                    assert!(
                        self.on_its_way.is_none(),
                        "planned while a request may still arrive"
                    );
                    self.n += 1;
                    self.routes.push(route);
                    self.running = Some(self.n);
                    self.step(self.n, Stage::Planned);
                }
            }
            Op::Send => {
                if let Some(number) = self.running
                    && self.state(number) == ReplayState::Planned
                {
                    let is_local = self.route(number) == Route::Local;
                    let seen = self.attempts.iter().filter(|_| !is_local);
                    let before: Vec<_> = seen.map(|seen| seen.id.clone()).collect();
                    let before = before.into();
                    self.step(number, Stage::Sending { before });
                    if !is_local {
                        self.step(number, Stage::Looking);
                    }
                    self.on_its_way = Some(number);
                }
            }
            Op::Arrive => {
                if let Some(number) = self.on_its_way.take() {
                    assert!(!self.arrived.contains(&number), "sent twice");
                    self.arrived.push(number);
                    if self.route(number) != Route::Local {
                        let id = self.attempt(Trigger::Manual);
                        self.caused.push((number, id));
                    }
                }
            }
            Op::Answer(is_seen) => self.answer(is_seen),
            Op::Look => self.look(),
            Op::GiveUp => self.give_up(),
            Op::Refuse => {
                if let Some(number) = self.running.take_if(|number| {
                    let state = self.replays.get(*number).map(|replay| &replay.state);
                    state == Some(&ReplayState::Planned)
                }) {
                    let why = Failure::new(FailureKind::Local, "no route", "");
                    self.step(number, Stage::Refused(why));
                }
            }
            Op::Reject => self.reject(),
            Op::Crash => {
                self.answered = None;
                if let Some(number) = self.running.take() {
                    let mut orphan: Replay = self.replays.get(number).unwrap().clone();
                    orphan.orphan(Moment::default());
                    self.replays.take(orphan);
                }
            }
            Op::Retry => {
                self.attempt(Trigger::Scheduled);
            }
            Op::Foreign => {
                let id = self.attempt(Trigger::Manual);
                self.foreign.push(id);
            }
            Op::End(is_success) => {
                let open = |seen: &&mut Attempt| seen.status == AttemptStatus::Sending;
                if let Some(attempt) = self.attempts.iter_mut().find(open) {
                    attempt.status = if is_success {
                        AttemptStatus::Success
                    } else {
                        AttemptStatus::Fail
                    };
                }
            }
            Op::See => self.see(),
        }
    }

    fn check(&self) {
        let is_open = |replay: &&Replay| replay.state.is_open();
        assert!(self.replays.all().filter(is_open).count() <= 1);
        for replay in self.replays.all() {
            let caused = self
                .caused
                .iter()
                .find(|(number, _)| *number == replay.number);
            let found = replay.state.attempt();
            let is_right = found == caused.map(|(_, id)| id);
            // Word of an end that is not hedged is right, whoever else resends the pair.
            let is_hedged = match &replay.state {
                ReplayState::Delivered { found_later, .. }
                | ReplayState::Failed { found_later, .. } => *found_later,
                _ => true,
            };
            let is_hedged = is_hedged && !self.foreign.is_empty();
            assert!(found.is_none() || is_right || is_hedged, "{replay:?}");
            let is_local = replay.route == Route::Local;
            assert!(
                found.is_none() || !is_local,
                "the service has no attempt of it: {replay:?}"
            );
            let is_heard = self.heard.contains(&replay.number);
            assert_eq!(
                is_heard,
                matches!(replay.state, ReplayState::Answered(_)),
                "{replay:?}"
            );
        }
    }

    /// Everything arrives, ends and is read.
    fn end(&mut self) {
        self.obey(Op::Arrive);
        self.obey(Op::Answer(false));
        self.obey(Op::Crash);
        while self
            .attempts
            .iter()
            .any(|seen| seen.status == AttemptStatus::Sending)
        {
            self.obey(Op::End(true));
        }
        self.see();
        for (number, id) in &self.caused {
            let replay = self.replays.get(*number).unwrap();
            let is_named = match &replay.state {
                // In doubt, but among those that it may be.
                ReplayState::Ambiguous(candidates) => candidates.contains(id),
                state => state.attempt() == Some(id),
            };
            let is_alone = self.foreign.is_empty();
            assert!(is_named || !is_alone, "an outcome was lost: {replay:?}");
        }
        let Some((number, id)) = self.caused.last() else {
            return;
        };
        let latest = self.replays.get(*number).unwrap();
        let before = latest.before.as_ref().unwrap();
        let is_mixed = self.foreign.iter().any(|other| !before.ids.contains(other));
        if *number == self.n && is_mixed {
            let ReplayState::Ambiguous(candidates) = &latest.state else {
                panic!("somebody else's may be taken for ours: {latest:?}")
            };
            assert!(candidates.contains(id));
        }
    }
}

proptest! {
    #[test]
    fn never_two_sends_never_a_lost_outcome_never_a_wrong_one(
        ops in proptest::collection::vec(op(), 1..60)
    ) {
        let mut world = World::default();
        for op in ops {
            world.obey(op);
            world.check();
        }
        world.end();
    }
}
