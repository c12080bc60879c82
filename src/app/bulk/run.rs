//! A bulk under way: what was sent, what waits, what became of each, and how it goes on.

use std::collections::HashMap;

use super::BulkOverlay;
use crate::domain::bulk::{FOLLOWED, PER_SECOND, Recovery};
use crate::domain::time::SECOND;
use crate::domain::{
    EndpointId, History, Job, MAX_FAILURES, MAX_PAUSE, MessageId, Pause, Queue, Replay,
    ReplayState, Route, UNSAID,
};

/// Where one pair of a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    Waiting,
    /// Sent; the number of its replay.
    UnderWay(u64),
    Delivered(u64),
    /// Its attempt failed, or the service refused it.
    Failed(u64),
    Unknown(u64),
    /// Not sent for this reason, which came up after it was planned.
    PassedOver(String),
    Cancelled,
}

impl RunState {
    /// The number of its replay, if it was sent.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::UnderWay(number)
            | Self::Delivered(number)
            | Self::Failed(number)
            | Self::Unknown(number) => Some(*number),
            _ => None,
        }
    }
}

/// One pair of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    pub job: Job,
    /// Whether the user chose it though the plan would have skipped it.
    pub is_forced: bool,
    pub state: RunState,
}

impl RunRow {
    pub fn new(job: Job, is_forced: bool) -> Self {
        Self {
            job,
            is_forced,
            state: RunState::Waiting,
        }
    }
}

/// How many pairs of a run stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Score {
    pub waiting: usize,
    pub under_way: usize,
    pub delivered: usize,
    pub failed: usize,
    pub unknown: usize,
    pub passed_over: usize,
    pub cancelled: usize,
}

impl Score {
    pub fn sent(&self) -> usize {
        self.under_way + self.delivered + self.failed + self.unknown
    }

    fn place(&mut self, state: &RunState) -> &mut usize {
        match state {
            RunState::Waiting => &mut self.waiting,
            RunState::UnderWay(_) => &mut self.under_way,
            RunState::Delivered(_) => &mut self.delivered,
            RunState::Failed(_) => &mut self.failed,
            RunState::Unknown(_) => &mut self.unknown,
            RunState::PassedOver(_) => &mut self.passed_over,
            RunState::Cancelled => &mut self.cancelled,
        }
    }
}

/// How a run stands as a whole.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Nothing is sent before this monotonic time; until then it can be taken back to its plan.
    Undoable {
        until: i64,
        plan: Box<BulkOverlay>,
    },
    Going,
    /// So many failed one after another that the rest waits for the user.
    Stopped,
    Ended,
}

/// Many replays being sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub title: String,
    /// How they are sent.
    pub by: Route,
    /// The one request that sends them all, if it is sent by Svix's recover, …
    recovery: Option<Recovery>,
    /// … and whether it was made.
    is_asked: bool,
    pub phase: Phase,
    pub score: Score,
    /// In the order in which they leave.
    rows: Vec<RunRow>,
    places: HashMap<(MessageId, EndpointId), usize>,
    numbers: HashMap<u64, usize>,
    queue: Queue,
    /// How long the service asks to be left alone.
    pause: Pause,
    /// Whether the user saw that it ended.
    pub was_read: bool,
}

impl Run {
    pub(super) fn new(plan: Box<BulkOverlay>, until: i64) -> Self {
        let rows: Vec<RunRow> = plan.run_rows().collect();
        let place = |(at, row): (usize, &RunRow)| {
            let pair = (row.job.message.clone(), row.job.endpoint.clone());
            (pair, at)
        };
        Self {
            title: plan.title.clone(),
            by: plan.by,
            recovery: plan.recovery.clone(),
            is_asked: false,
            score: Score {
                waiting: rows.len(),
                ..Score::default()
            },
            queue: Queue::new(rows.iter().map(|row| row.job.clone()), PER_SECOND),
            places: rows.iter().enumerate().map(place).collect(),
            numbers: HashMap::new(),
            pause: Pause::default(),
            rows,
            phase: Phase::Undoable { until, plan },
            was_read: false,
        }
    }

    pub fn rows(&self) -> &[RunRow] {
        &self.rows
    }

    /// Whether something of it may still be sent or is under way.
    pub fn is_active(&self) -> bool {
        self.phase != Phase::Ended
    }

    /// The first row that has not ended.
    pub fn front(&self) -> usize {
        let is_open = |row: &RunRow| matches!(row.state, RunState::Waiting | RunState::UnderWay(_));
        let open = self.rows.iter().position(is_open);
        open.unwrap_or_else(|| self.rows.len().saturating_sub(1))
    }

    /// When it is to be looked at again, whatever happens meanwhile; monotonic microseconds.
    pub fn due(&self, history: &History) -> Option<i64> {
        let next = match &self.phase {
            Phase::Undoable { until, .. } => return Some(*until),
            Phase::Going => self.queue.due(),
            Phase::Stopped | Phase::Ended => None,
        };
        let given_up = self
            .open(history)
            .filter_map(|(_, replay)| given_up(replay?));
        given_up.chain(next).min()
    }

    /// Those under way, each with its replay.
    fn open<'a>(
        &'a self,
        history: &'a History,
    ) -> impl Iterator<Item = (usize, Option<&'a Replay>)> + 'a {
        self.queue.under_way().iter().filter_map(move |job| {
            let at = self.place_of(job)?;
            let number = self.rows.get(at)?.state.number()?;
            Some((at, history.replays.get(number)))
        })
    }

    /// Those that are to leave by now, but whose request is not made yet: the service is asked and
    /// the ledger is written before it.
    pub fn n_unbegun(&self, history: &History) -> usize {
        let is_planned = |replay: &Replay| replay.state == ReplayState::Planned;
        let open = self.open(history);
        open.filter(|(_, replay)| replay.is_some_and(is_planned))
            .count()
    }

    fn place_of(&self, job: &Job) -> Option<usize> {
        let pair = (job.message.clone(), job.endpoint.clone());
        self.places.get(&pair).copied()
    }

    fn put(&mut self, at: usize, state: RunState) {
        if let Some(row) = self.rows.get_mut(at) {
            *self.score.place(&row.state) -= 1;
            *self.score.place(&state) += 1;
            if let Some(number) = state.number() {
                self.numbers.insert(number, at);
            }
            row.state = state;
        }
    }

    /// Takes note of those that ended meanwhile.
    pub(super) fn note_ended(&mut self, history: &History, now: i64) {
        let put_off: Vec<(usize, i64)> = self.put_off(history).collect();
        for (at, wait) in put_off {
            self.put_back(at, wait, now);
        }
        let ended: Vec<(usize, RunState)> = self
            .open(history)
            .filter_map(|(at, replay)| {
                let number = self.rows.get(at)?.state.number()?;
                Some((at, ended(number, replay, now)?))
            })
            .collect();
        if !ended.is_empty() {
            self.pause.end();
        }
        for (at, state) in ended {
            let Some(job) = self.rows.get(at).map(|row| row.job.clone()) else {
                continue;
            };
            match state {
                state @ RunState::PassedOver(_) => {
                    self.put(at, state);
                    self.queue.not_needed(&job);
                }
                state => {
                    let is_delivered = matches!(state, RunState::Delivered(_));
                    self.put(at, state);
                    self.queue.ended(&job, is_delivered);
                }
            }
        }
    }

    /// Those that the service would not hear of for now, each with how long it asks to be left alone.
    fn put_off<'a>(&'a self, history: &'a History) -> impl Iterator<Item = (usize, i64)> + 'a {
        let open = self.open(history);
        open.filter_map(|(at, replay)| match &replay?.state {
            state @ ReplayState::Refused(why) if state.is_put_off() => {
                let wait = why.wait.filter(|wait| *wait > 0);
                Some((at, wait.unwrap_or(UNSAID)))
            }
            _ => None,
        })
    }

    /// Whether one request sends them all.
    pub(super) fn is_recovery(&self) -> bool {
        self.recovery.is_some()
    }

    /// The request of a recovery, if it is to be made now: where the service put it off, it is made
    /// again once all that it would send is known to wait for it.
    pub(super) fn take_recovery(&mut self, now: i64) -> Option<Recovery> {
        let is_due = self.queue.under_way().is_empty() && self.queue.due()? <= now;
        if !is_due || self.is_asked {
            return None;
        }
        let recovery = self.recovery.clone()?;
        self.is_asked = true;
        Some(recovery)
    }

    /// Has one wait again: it did not arrive, so that it was no send.
    fn put_back(&mut self, at: usize, wait: i64, now: i64) {
        let Some(job) = self.rows.get(at).map(|row| row.job.clone()) else {
            return;
        };
        self.put(at, RunState::Waiting);
        self.queue.put_back(&job);
        self.is_asked = false;
        self.pause.begin(now);
        self.pause.hold(&mut self.queue, wait, now);
    }

    /// Whether a replay is one of this run.
    pub fn has_sent(&self, number: u64) -> bool {
        self.numbers.contains_key(&number)
    }

    /// How long the service is left alone yet, while something waits for that; microseconds.
    pub fn left_alone(&self, now: i64) -> Option<i64> {
        let left = self.pause.left(now);
        (left > 0 && self.score.waiting > 0).then_some(left)
    }

    /// How long the service is to be left alone yet where that is what stopped it; microseconds.
    pub fn stopped_for(&self, now: i64) -> Option<i64> {
        let left = self.pause.left(now);
        (self.pause.is_too_long() && left > 0).then_some(left)
    }

    /// Why it is stopped.
    pub fn stop_words(&self) -> String {
        if self.queue.is_stopped() {
            return format!("{MAX_FAILURES} in a row failed");
        }
        let longest = MAX_PAUSE / SECOND;
        format!("the service asks to wait, by now for more than {longest}s in all (429)")
    }

    /// Takes note of what became of a replay after it had been given up. Returns whether it is one
    /// of this run.
    pub(in crate::app) fn note_later(&mut self, replay: &Replay) -> bool {
        let Some(at) = self.numbers.get(&replay.number).copied() else {
            return false;
        };
        let was_unknown = matches!(self.rows.get(at), Some(row)
            if row.state == RunState::Unknown(replay.number));
        if was_unknown && let Some(state) = told(replay.number, &replay.state) {
            self.put(at, state);
        }
        true
    }

    /// The next that is to leave now, and its row.
    pub(super) fn take_next(&mut self, now: i64) -> Option<(usize, RunRow)> {
        let job = self.queue.take_next(now)?;
        let at = self.place_of(&job)?;
        Some((at, self.rows.get(at)?.clone()))
    }

    /// Puts another behind the rest.
    pub(super) fn add(&mut self, job: Job) {
        let pair = (job.message.clone(), job.endpoint.clone());
        if self.places.contains_key(&pair) {
            return;
        }
        self.places.insert(pair, self.rows.len());
        self.queue.add(job.clone());
        self.rows.push(RunRow::new(job, true));
        self.score.waiting += 1;
    }

    /// All of them, and their rows, to be sent at once.
    pub(super) fn take_all(&mut self) -> Vec<(usize, RunRow)> {
        let jobs = self.queue.take_all();
        let places = jobs.iter().filter_map(|job| self.place_of(job));
        places
            .filter_map(|at| Some((at, self.rows.get(at)?.clone())))
            .collect()
    }

    pub(super) fn sent(&mut self, at: usize, number: u64) {
        self.put(at, RunState::UnderWay(number));
    }

    pub(super) fn passed_over(&mut self, at: usize, job: &Job, why: String) {
        self.put(at, RunState::PassedOver(why));
        self.queue.passed_over(job);
    }

    /// Moves the phase on where that is due. Returns whether it moved.
    pub(super) fn settle(&mut self, now: i64) -> bool {
        let next = match &self.phase {
            Phase::Undoable { until, .. } if *until <= now => Phase::Going,
            Phase::Going | Phase::Stopped
                if self.queue.n_left() == 0 && self.queue.under_way().is_empty() =>
            {
                Phase::Ended
            }
            Phase::Going
                if (self.queue.is_stopped() || self.pause.is_too_long())
                    && self.queue.n_left() > 0 =>
            {
                Phase::Stopped
            }
            _ => return false,
        };
        self.phase = next;
        true
    }

    pub(super) fn resume(&mut self) {
        self.queue.resume();
        self.pause.resume(&mut self.queue);
        self.phase = Phase::Going;
    }

    /// Takes back all that was not sent. Gives how many.
    pub(super) fn cancel(&mut self) -> usize {
        let left: Vec<Job> = self.queue.cancel().collect();
        for at in left
            .iter()
            .filter_map(|job| self.place_of(job))
            .collect::<Vec<_>>()
        {
            self.put(at, RunState::Cancelled);
        }
        left.len()
    }
}

/// When the attempt of a replay is looked for no more, so that the next of its task may leave.
fn given_up(replay: &Replay) -> Option<i64> {
    let is_unknown = matches!(replay.state, ReplayState::Unknown(_));
    if replay.route == Route::Local {
        // Nobody but its receiver could tell more.
        return is_unknown.then_some(replay.since.mono);
    }
    let from = replay.sent.unwrap_or(replay.since).mono;
    is_unknown.then(|| from.saturating_add(FOLLOWED))
}

fn told(number: u64, state: &ReplayState) -> Option<RunState> {
    match state {
        ReplayState::Delivered { .. } => Some(RunState::Delivered(number)),
        ReplayState::Answered(answer) if answer.is_success() => Some(RunState::Delivered(number)),
        ReplayState::Failed { .. } | ReplayState::Answered(_) | ReplayState::Refused(_) => {
            Some(RunState::Failed(number))
        }
        // What was read just before the request spoke against it.
        ReplayState::Cancelled(why) => Some(RunState::PassedOver(why.clone())),
        ReplayState::Ambiguous(_) | ReplayState::GivenUp(_) => Some(RunState::Unknown(number)),
        _ => None,
    }
}

/// How a replay ended, if it did.
fn ended(number: u64, replay: Option<&Replay>, now: i64) -> Option<RunState> {
    let Some(replay) = replay else {
        return Some(RunState::Unknown(number));
    };
    let is_given_up = given_up(replay).is_some_and(|at| at <= now);
    if is_given_up {
        return Some(RunState::Unknown(number));
    }
    told(number, &replay.state)
}
