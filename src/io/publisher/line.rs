//! Events that wait to be published: which one goes next and when, and when one is given up. It
//! reads no clock and asks nobody.
//!
//! Events of one task go one after the other, so that none overtakes an earlier one that waits.
//! A place on the way is held by a request alone: what failed waits here.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::said::Said;
use crate::domain::Failure;
use crate::io::client::svix::Published;

/// Events on their way at once.
pub const AT_ONCE: usize = 8;
/// Those of them, at most, that failed before, while others wait for their first try.
const AGAIN_AT_ONCE: usize = AT_ONCE / 2;
/// Tries in vain, while others were taken, from which on an event is said to be stuck.
const STUCK: u32 = 3;
/// The longest wait at the end.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// How patient it is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Before an event is tried again; twice as long after each further failure.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// The longest that a server's `Retry-After` is heeded.
    pub longest_pause: Duration,
    /// An event is given up after so many failed tries between which others were taken.
    pub most_tries: u32,
    /// Events held, at most, …
    pub room: usize,
    /// … and bytes of what they deliver.
    pub room_bytes: usize,
}

impl Default for Pace {
    /// 60 tries take about 26 minutes.
    fn default() -> Self {
        Self {
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(30),
            longest_pause: Duration::from_mins(5),
            most_tries: 60,
            room: 50_000,
            room_bytes: 256 << 20,
        }
    }
}

/// What came of a try.
#[derive(Debug, Clone)]
pub enum Verdict {
    Taken,
    /// Because of what it is: no other try would help.
    Refused(Failure),
    /// The server asks to be left alone, for so long if it says.
    Busy(Failure, Option<Duration>),
    /// In passing; the server may say how long not to try again.
    Failed(Failure, Option<Duration>),
}

/// An event that goes, with what came of it before.
#[derive(Debug)]
pub struct Trip {
    pub event: Published,
    task: Arc<str>,
    /// Failed tries so far.
    n_failed: u32,
    /// Those of them before which others were taken since the one before.
    n_in_vain: u32,
    first: Option<Instant>,
    /// How many events had been taken at its last failure, or when it first went.
    seen: u64,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Next {
    Go(Box<Trip>),
    /// Nothing before this time, unless something else happens.
    Wait(Instant),
    Nothing,
}

/// How many events stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Not settled yet, those on their way included.
    pub waiting: usize,
    pub on_their_way: usize,
    /// Waiting, and failed at least once.
    pub failing: usize,
    pub taken: u64,
    pub refused: u64,
    pub given_up: u64,
    /// Found no room.
    pub beyond: u64,
}

pub struct Line {
    pace: Pace,
    /// By task, what waits behind the one that is next or on its way.
    behind: HashMap<Arc<str>, VecDeque<Published>>,
    fresh: VecDeque<Trip>,
    /// What failed, by when it is tried again.
    again: BTreeMap<(Instant, u64), Trip>,
    n_again_away: usize,
    tally: Tally,
    /// What those that are not settled deliver, in bytes.
    bytes: usize,
    /// Failures since an event was taken.
    row: u32,
    /// No event is taken: one at a time is tried.
    is_away: bool,
    /// Since when it has not been taken any, in failures.
    n_away: u32,
    /// Answers in a row that ask to be left alone.
    n_busy: u32,
    is_busy_said: bool,
    /// Nothing goes before.
    closed: Option<Instant>,
    n_stuck: usize,
    /// How many found no room since it was said that there is none.
    lost: Option<u64>,
    is_ending: bool,
    number: u64,
    last: Option<Failure>,
    said: Vec<Said>,
}

impl Line {
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            behind: HashMap::new(),
            fresh: VecDeque::new(),
            again: BTreeMap::new(),
            n_again_away: 0,
            tally: Tally::default(),
            bytes: 0,
            row: 0,
            is_away: false,
            n_away: 0,
            n_busy: 0,
            is_busy_said: false,
            closed: None,
            n_stuck: 0,
            lost: None,
            is_ending: false,
            number: 0,
            last: None,
            said: Vec::new(),
        }
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Why the last try failed that did.
    pub fn last(&self) -> Option<&Failure> {
        self.last.as_ref()
    }

    /// What is to be said since the last look.
    pub fn said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.said)
    }

    /// Puts an event behind those of its task. Where there is no room it is dropped and counted.
    pub fn push(&mut self, task: &str, event: Published) {
        let bytes = self.bytes + event.payload.get().len();
        if self.tally.waiting >= self.pace.room || bytes > self.pace.room_bytes {
            self.tally.beyond += 1;
            if self.lost.is_none() {
                self.said.push(Said::Full(self.tally.waiting));
            }
            *self.lost.get_or_insert(0) += 1;
            return;
        }
        self.tally.waiting += 1;
        self.bytes = bytes;
        if let Some(behind) = self.behind.get_mut(task) {
            behind.push_back(event);
            return;
        }
        let task: Arc<str> = task.into();
        self.behind.insert(Arc::clone(&task), VecDeque::new());
        self.fresh.push_back(Trip::new(task, event));
    }

    pub fn next(&mut self, now: Instant) -> Next {
        let at_once = if self.is_away { 1 } else { AT_ONCE };
        if self.tally.on_their_way >= at_once || (self.fresh.is_empty() && self.again.is_empty()) {
            return Next::Nothing;
        }
        if let Some(until) = self.closed.filter(|_| !self.is_open(now)) {
            return Next::Wait(until);
        }
        let due = self.again.first_key_value().map(|((at, _), _)| *at);
        let is_due = due.is_some_and(|at| at <= now);
        // While nothing is taken, each is tried in turn: what fails for reasons of its own must not
        // hide that others would be taken.
        let is_turn = !self.is_away && self.n_again_away < AGAIN_AT_ONCE;
        if is_due
            && (self.fresh.is_empty() || is_turn)
            && let Some((_, trip)) = self.again.pop_first()
        {
            self.n_again_away += 1;
            self.tally.on_their_way += 1;
            return Next::Go(trip.into());
        }
        if let Some(mut trip) = self.fresh.pop_front() {
            trip.seen = self.tally.taken;
            self.tally.on_their_way += 1;
            return Next::Go(trip.into());
        }
        due.map_or(Next::Nothing, Next::Wait)
    }

    /// What came of a try. `chance` is from 0 to 1, so that not all come again at one time.
    pub fn settle(&mut self, trip: Trip, verdict: Verdict, now: Instant, chance: f64) {
        self.tally.on_their_way -= 1;
        if trip.n_failed > 0 {
            self.n_again_away -= 1;
        }
        if matches!(verdict, Verdict::Taken | Verdict::Refused(_)) {
            self.n_busy = 0;
        }
        match verdict {
            Verdict::Taken => self.take(&trip),
            Verdict::Refused(why) => {
                self.tally.refused += 1;
                let id = trip.event.event_id.clone();
                self.said.push(Said::Refused { id, why });
                self.leave(&trip);
            }
            Verdict::Busy(why, wait) => self.pause(trip, why, wait, now, chance),
            Verdict::Failed(why, wait) => self.fail(trip, why, wait, now, chance),
        }
        if self.tally.waiting == 0 {
            self.is_busy_said = false;
        }
        // Only when there is room for many, or each event that leaves would be a reason to say so.
        if self.tally.waiting <= self.pace.room / 10 * 9
            && self.bytes <= self.pace.room_bytes / 10 * 9
            && let Some(dropped) = self.lost.take()
        {
            self.said.push(Said::Room(dropped));
        }
    }

    fn take(&mut self, trip: &Trip) {
        self.tally.taken += 1;
        if std::mem::take(&mut self.row) > 0 && self.is_away {
            self.closed = None;
        }
        self.n_away = 0;
        let was_stuck = trip.n_in_vain >= STUCK;
        self.leave(trip);
        if std::mem::take(&mut self.is_away) {
            self.said.push(Said::Back(self.tally.failing));
        }
        if was_stuck && self.n_stuck == 0 {
            self.said.push(Said::Unstuck);
        }
    }

    /// It waits no longer: the next of its task may go.
    fn leave(&mut self, trip: &Trip) {
        self.tally.waiting -= 1;
        self.bytes -= trip.event.payload.get().len();
        if trip.n_failed > 0 {
            self.tally.failing -= 1;
        }
        if trip.n_in_vain >= STUCK {
            self.n_stuck -= 1;
        }
        let behind = self.behind.get_mut(&trip.task);
        match behind.and_then(VecDeque::pop_front) {
            Some(event) => self
                .fresh
                .push_back(Trip::new(Arc::clone(&trip.task), event)),
            None => {
                self.behind.remove(&trip.task);
            }
        }
    }

    /// The server asks to be left alone: by all events, and it is no fault of this one.
    fn pause(
        &mut self,
        mut trip: Trip,
        why: Failure,
        wait: Option<Duration>,
        now: Instant,
        chance: f64,
    ) {
        // Those that went together are asked once.
        if self.is_open(now) {
            self.n_busy += 1;
        }
        let grown = self.wait(self.n_busy, chance);
        let until = now + wait.map_or(grown, |wait| wait.min(self.pace.longest_pause));
        self.closed = self.closed.max(Some(until));
        if !std::mem::replace(&mut self.is_busy_said, true) {
            self.said.push(Said::Busy(why.clone()));
        }
        self.last = Some(why);
        trip.seen = self.tally.taken;
        self.put_back(trip, now, until);
    }

    fn fail(
        &mut self,
        mut trip: Trip,
        why: Failure,
        wait: Option<Duration>,
        now: Instant,
        chance: f64,
    ) {
        let were_others_taken = self.tally.taken > trip.seen;
        trip.seen = self.tally.taken;
        self.last = Some(why.clone());
        if were_others_taken {
            trip.n_in_vain += 1;
            if trip.n_in_vain == STUCK {
                self.n_stuck += 1;
                if self.n_stuck == 1 {
                    let id = trip.event.event_id.clone();
                    let why = why.clone();
                    self.said.push(Said::Stuck { id, why });
                }
            }
            if trip.n_in_vain >= self.pace.most_tries {
                self.give_up(&trip, why, now);
                return;
            }
        }
        // One that fails while others are taken tells nothing of the server.
        if trip.n_in_vain < STUCK {
            let is_alone = trip.n_failed > 0 && !were_others_taken;
            self.suspect(is_alone, why, now, chance);
        }
        let own = self.wait(trip.n_failed + 1, chance);
        let asked = wait.map_or(own, |wait| own.max(wait.min(self.pace.longest_pause)));
        self.put_back(trip, now, now + asked);
    }

    /// Whether the server takes nothing at all is judged by failures in a row, or by one event that
    /// failed twice with none taken between.
    fn suspect(&mut self, is_alone: bool, why: Failure, now: Instant, chance: f64) {
        self.row += 1;
        if !self.is_away && (is_alone || self.row as usize >= AT_ONCE) {
            self.is_away = true;
            let n = self.tally.waiting;
            self.said.push(Said::Away { n, why });
        }
        if self.is_away && self.is_open(now) {
            self.n_away += 1;
            self.closed = Some(now + self.wait(self.n_away, chance));
        }
    }

    fn is_open(&self, now: Instant) -> bool {
        self.closed.is_none_or(|until| until <= now)
    }

    fn put_back(&mut self, mut trip: Trip, now: Instant, until: Instant) {
        if trip.n_failed == 0 {
            self.tally.failing += 1;
        }
        trip.n_failed += 1;
        trip.first.get_or_insert(now);
        self.number += 1;
        self.again.insert((until, self.number), trip);
    }

    fn give_up(&mut self, trip: &Trip, why: Failure, now: Instant) {
        self.tally.given_up += 1;
        let over = trip
            .first
            .map_or(Duration::ZERO, |first| now.saturating_duration_since(first));
        self.said.push(Said::GivenUp {
            id: trip.event.event_id.clone(),
            tries: trip.n_failed + 1,
            over,
            n: self.tally.given_up,
            why,
        });
        self.leave(trip);
    }

    /// The wait after so many failures in a row: twice as long each time, up to the longest.
    fn wait(&self, n: u32, chance: f64) -> Duration {
        let doubled = 1_u32.checked_shl(n.saturating_sub(1)).unwrap_or(u32::MAX);
        let longest = if self.is_ending {
            self.pace.longest_wait.min(LAST_WAIT)
        } else {
            self.pace.longest_wait
        };
        let wait = self.pace.first_wait.saturating_mul(doubled).min(longest);
        wait.mul_f64(0.8 + 0.4 * chance)
    }

    /// The end is near: what waits is tried at once, and again soon.
    pub fn hurry(&mut self, now: Instant) {
        self.is_ending = true;
        self.closed = None;
        self.n_away = 0;
        let waiting = std::mem::take(&mut self.again);
        for ((at, number), trip) in waiting {
            self.again.insert((at.min(now), number), trip);
        }
    }
}

impl Trip {
    fn new(task: Arc<str>, event: Published) -> Self {
        Self {
            event,
            task,
            n_failed: 0,
            n_in_vain: 0,
            first: None,
            seen: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::collections::HashMap;

    use serde_json::value::RawValue;

    use super::*;
    use crate::domain::FailureKind;

    fn event(id: usize) -> Published {
        Published {
            event_id: id.to_string(),
            event_type: "task.progress",
            payload: RawValue::from_string("{}".to_owned()).unwrap().into(),
        }
    }

    fn failure() -> Failure {
        Failure::new(FailureKind::Server, "503", "wait")
    }

    /// Any course of tries: none is lost or goes twice at once, and those of a task go in order.
    #[test]
    fn each_event_ends_once_and_in_its_turn() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let pace = Pace {
                most_tries: 4,
                room: 40,
                room_bytes: 60,
                ..Pace::default()
            };
            let (mut line, mut now) = (Line::new(pace), Instant::now());
            let mut away: Vec<Trip> = Vec::new();
            let mut last_of: HashMap<Arc<str>, usize> = HashMap::new();
            let mut n_pushed = 0;
            for _ in 0..600 {
                if rng.usize(..3) == 0 {
                    line.push(&rng.usize(..12).to_string(), event(n_pushed));
                    n_pushed += 1;
                }
                now += Duration::from_millis(rng.u64(..2000));
                while let Next::Go(trip) = line.next(now) {
                    assert!(away.iter().all(|other| other.task != trip.task));
                    let id: usize = trip.event.event_id.parse().unwrap();
                    let last = last_of.insert(Arc::clone(&trip.task), id);
                    assert!(last.is_none_or(|last| last <= id), "seed {seed}");
                    away.push(*trip);
                }
                assert!(away.len() <= AT_ONCE);
                if !away.is_empty() && rng.bool() {
                    let trip = away.swap_remove(rng.usize(..away.len()));
                    let id: usize = trip.event.event_id.parse().unwrap();
                    let verdict = match rng.usize(..5) {
                        // Some never are.
                        _ if id.is_multiple_of(7) => Verdict::Failed(failure(), None),
                        0 => Verdict::Failed(failure(), Some(Duration::from_secs(3))),
                        1 => Verdict::Busy(failure(), None),
                        2 => Verdict::Refused(failure()),
                        _ => Verdict::Taken,
                    };
                    line.settle(trip, verdict, now, rng.f64());
                }
                let tally = line.tally();
                let ended = tally.taken + tally.refused + tally.given_up + tally.beyond;
                assert_eq!(ended + tally.waiting as u64, n_pushed as u64);
                assert_eq!(tally.on_their_way, away.len());
                // Each delivers `{}`.
                assert_eq!(line.bytes, 2 * tally.waiting);
                assert!(tally.waiting <= 30);
                let again = away.iter().filter(|trip| trip.n_failed > 0).count();
                assert_eq!(tally.failing, line.again.len() + again);
            }
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let line = Line::new(Pace::default());
        assert_eq!(line.wait(1, 0.5), Duration::from_millis(250));
        assert_eq!(line.wait(3, 0.5), Duration::from_secs(1));
        assert_eq!(line.wait(1000, 0.5), Duration::from_secs(30));
        assert_eq!(line.wait(1000, 0.0), Duration::from_secs(24));
        let whole: Duration = (1..60).map(|n| line.wait(n, 0.0)).sum();
        assert!(whole > Duration::from_mins(20), "{whole:?}");
    }

    #[test]
    fn a_server_that_asks_to_be_left_alone_is_asked_by_none_until_then() {
        let (mut line, now) = (Line::new(Pace::default()), Instant::now());
        for n in 0..12 {
            line.push(&n.to_string(), event(n));
        }
        let mut away = Vec::new();
        while let Next::Go(trip) = line.next(now) {
            away.push(*trip);
        }
        assert_eq!(away.len(), AT_ONCE);
        for (n, trip) in away.into_iter().enumerate() {
            // Those that went together are answered alike, and the longest wait holds.
            let wait = (n == 3).then_some(Duration::from_secs(7));
            line.settle(trip, Verdict::Busy(failure(), wait), now, 0.5);
        }
        let until = now + Duration::from_secs(7);
        assert!(matches!(line.next(now), Next::Wait(at) if at == until));
        assert!(matches!(line.next(until), Next::Go(_)));
        // Without a time it waits as after one failure, however many went together.
        assert_eq!(line.n_busy, 1);
        assert!(!line.is_away);
    }
}
