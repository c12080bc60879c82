//! What is about to be sent, and each stage of it, written down: of many at once, all or none, in
//! one commit.

use std::sync::Arc;

use super::file::{File, Held, Refusal, Trouble};
use super::{Ledger, PRUNED_EVERY, Pair, REPLACED};
use crate::domain::{Failure, FailureKind, Moment, Replay, ReplayState, Route, Stage};
use crate::io::receiver::Receiver;

/// What came of an order to send a replay.
#[derive(Debug)]
pub enum Planned {
    /// It stands there, under this id, which is its idempotency key.
    As(Arc<str>),
    /// Another of its pair is open, so that it does not.
    Open(Box<Replay>),
}

/// What came of an order to send many at once.
#[derive(Debug)]
pub enum PlannedAll {
    /// They stand there, each under its id.
    As(Vec<Arc<str>>),
    /// None of them does, as another replay of the pair of this one is open.
    Open { at: usize, open: Box<Replay> },
}

/// Why a stage was not written.
enum Fault {
    Trouble(Trouble),
    /// It was moved away or replaced.
    Missing,
    /// It cannot be sent, as it stands so already.
    Stands(&'static str),
}

impl From<Trouble> for Fault {
    fn from(error: Trouble) -> Self {
        Self::Trouble(error)
    }
}

impl Ledger {
    /// Writes down that a replay is planned, unless one of the pair is open. Fails if it cannot be
    /// written. Only what was written down may be sent.
    pub fn plan(
        &self,
        number: u64,
        pair: &Pair,
        route: Route,
        now: Moment,
    ) -> Result<Planned, Failure> {
        Ok(
            match self.plan_all(&[(number, pair.clone())], route, now)? {
                PlannedAll::As(ids) => match ids.into_iter().next() {
                    Some(id) => Planned::As(id),
                    None => return Err(self.unwritable(REPLACED)),
                },
                PlannedAll::Open { open, .. } => Planned::Open(open),
            },
        )
    }

    /// The same of many, each with its number: all of them, or none.
    pub fn plan_all(
        &self,
        orders: &[(u64, Pair)],
        route: Route,
        now: Moment,
    ) -> Result<PlannedAll, Failure> {
        self.plan_beside(orders, route, None, now)
    }

    /// The same; where they are posted to a receiver, nothing may be open that may arrive there.
    pub fn plan_beside(
        &self,
        orders: &[(u64, Pair)],
        route: Route,
        receiver: Option<&Receiver>,
        now: Moment,
    ) -> Result<PlannedAll, Failure> {
        // After trouble it is tried first whether it can be written again.
        let kept = match self.trouble() {
            Some(_) => self.keep(now)?,
            None => Vec::new(),
        };
        let mut inner = self.lock();
        inner.untold.extend(kept);
        self.open(&mut inner, true, now)?;
        // What is found by now may have ended an earlier replay.
        let kept = self.settle_all(&mut inner, now);
        let kept = kept.map_err(|error| self.failed(&error))?;
        inner.untold.extend(kept);
        let rows: Vec<(Arc<str>, Replay)> = orders
            .iter()
            .map(|(number, pair)| {
                let id = uuid::Uuid::new_v4().to_string().into();
                (id, planned(*number, pair, route, now))
            })
            .collect();
        let held = &mut *inner;
        let (Some(file), Some(owner)) = (&mut held.file, &held.owner) else {
            return Err(self.unwritable("it is not open"));
        };
        let is_due = |pruned: &i64| now.mono - pruned > PRUNED_EVERY;
        if held.pruned.as_ref().is_none_or(is_due) {
            held.pruned = Some(now.mono);
            let pruned = file.prune(self.keeping, now);
            pruned.map_err(|error| self.failed(&error))?;
        }
        let mut inserted = file.insert_all(&rows, owner, receiver);
        if let Err(Refusal::Open { .. }) = &inserted {
            // Whose it is may have ended.
            let reaped = self.reap(held, now);
            let kept = reaped.and_then(|()| self.settle_all(held, now));
            held.untold
                .extend(kept.map_err(|error| self.failed(&error))?);
            if let (Some(file), Some(owner)) = (&mut held.file, &held.owner) {
                inserted = file.insert_all(&rows, owner, receiver);
            }
        }
        match inserted {
            Ok(()) => {}
            Err(Refusal::Open { at, open }) => {
                let open = Box::new(self.shown_one(&inner, *open));
                return Ok(PlannedAll::Open { at, open });
            }
            Err(Refusal::Trouble(error)) => return Err(self.failed(&error)),
        }
        let numbers = rows.iter().map(|(id, replay)| (id.clone(), replay.number));
        inner.numbers.extend(numbers);
        Ok(PlannedAll::As(rows.into_iter().map(|(id, _)| id).collect()))
    }

    /// Writes down the next stage of a replay of ours. Where that fails, the request of a replay
    /// must not be made.
    pub fn step(&self, id: &str, stage: &Stage, now: Moment) -> Result<(), Failure> {
        self.step_all(&[(id.into(), stage.clone())], now)
    }

    /// The same of many; several stages of one stand one after another. Where one of them cannot be
    /// written as being sent, none is written.
    pub fn step_all(&self, steps: &[(Arc<str>, Stage)], now: Moment) -> Result<(), Failure> {
        let mut inner = self.lock();
        let is_sending = |(_, stage): &(_, Stage)| matches!(stage, Stage::Sending { .. });
        let is_sending = steps.iter().any(is_sending);
        self.open(&mut inner, true, now)?;
        let Some(file) = &mut inner.file else {
            return Err(self.unwritable("it is not open"));
        };
        write(file, steps, now).map_err(|fault| match fault {
            Fault::Trouble(error) => self.failed(&error),
            Fault::Missing => self.unwritable(REPLACED),
            Fault::Stands(name) => Failure::new(
                FailureKind::Local,
                format!("the replay is {name} already"),
                "reeltop replays lists them",
            ),
        })?;
        // What is about to be sent must stand where every other reeltop reads it.
        if is_sending && !self.is_same(&inner) {
            inner.close();
            return Err(self.unwritable(REPLACED));
        }
        Ok(())
    }
}

fn planned(number: u64, pair: &Pair, route: Route, now: Moment) -> Replay {
    Replay {
        number,
        message: pair.0.clone(),
        endpoint: pair.1.clone(),
        route,
        state: ReplayState::Planned,
        planned: now,
        since: now,
        sent: None,
        before: None,
        was_unknown: false,
        is_followed: false,
        row: None,
        by: None,
    }
}

/// Takes the steps, in one commit. What somebody else changed meanwhile is stepped anew.
fn write(file: &mut File, steps: &[(Arc<str>, Stage)], now: Moment) -> Result<(), Fault> {
    loop {
        let mut changed: Vec<Held> = Vec::new();
        let mut is_missing = false;
        for (id, stage) in steps {
            let is_sending = matches!(stage, Stage::Sending { .. });
            let stepped = changed.pop_if(|last| last.id == *id);
            let is_stepped = stepped.is_some();
            let held = match stepped {
                Some(held) => Some(held),
                None => file.get(id)?,
            };
            let Some(mut held) = held else {
                if is_sending {
                    return Err(Fault::Missing);
                }
                // The others are written all the same.
                is_missing = true;
                continue;
            };
            let before = held.replay.clone();
            held.replay.step(stage.clone(), now);
            if is_sending && held.replay == before {
                return Err(Fault::Stands(before.state.name()));
            }
            if is_sending && held.replay.route != Route::Local {
                // Who sends it looks for its attempt as well.
                held.replay.step(Stage::Looking, now);
            }
            if is_stepped || held.replay != before {
                changed.push(held);
            }
        }
        if file.update_all(&changed)? {
            return if is_missing {
                Err(Fault::Missing)
            } else {
                Ok(())
            };
        }
    }
}
