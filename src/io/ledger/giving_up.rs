//! Closing a replay whose outcome will not be known, on the word of whoever looked.

use std::collections::HashSet;

use super::file::Held;
use super::{Inner, Ledger, Pair, TOLD, number_of, owner};
use crate::domain::{Failure, FailureKind, Moment, Replay, ReplayState};

impl Ledger {
    /// The replays whose ids in the ledger begin so, oldest first.
    pub fn find(&self, id: &str, now: Moment) -> Result<Vec<Replay>, Failure> {
        self.read(now, |file| file.beginning(id))
    }

    /// Closes an open replay, by its number, on the word of the user who looked what became of it:
    /// who and when stays in its row. Fails while the reeltop that sends it runs.
    pub fn give_up(&self, number: u64, now: Moment) -> Result<Replay, Failure> {
        let closed = self.give_up_all(&HashSet::from([number]), now)?;
        let only = closed.into_iter().next();
        only.unwrap_or_else(|| Err(refused("there is no such replay")))
    }

    /// The same of many in one write, oldest first. What cannot be given up keeps no other from it.
    pub fn give_up_all(
        &self,
        numbers: &HashSet<u64>,
        now: Moment,
    ) -> Result<Vec<Result<Replay, Failure>>, Failure> {
        self.keep(now)?;
        let mut inner = self.lock();
        loop {
            let rows = inner.file.as_ref().map(|file| file.newest(TOLD));
            let rows = rows.transpose().map_err(|error| self.failed(&error))?;
            let mut wanted = numbers.clone();
            let mut closed: Vec<Result<Held, Failure>> = rows
                .into_iter()
                .flatten()
                .filter(|held| {
                    let own = inner.numbers.get(&held.id).copied();
                    wanted.remove(&own.unwrap_or_else(|| number_of(&held.id)))
                })
                .map(|held| self.given_up(&inner, held, now))
                .collect();
            let missing = wanted
                .iter()
                .map(|_| Err(refused("there is no such replay")));
            closed.extend(missing);
            let held: Vec<Held> = closed.iter().flatten().cloned().collect();
            let Some(file) = &mut inner.file else {
                return Ok(closed
                    .into_iter()
                    .filter_map(|it| it.err().map(Err))
                    .collect());
            };
            // What somebody else has changed meanwhile is weighed anew.
            if file
                .update_all(&held)
                .map_err(|error| self.failed(&error))?
            {
                // Whoever gives them up knows how they stood.
                let pairs: Vec<Pair> = held.iter().map(Held::pair).collect();
                file.hear(&pairs).map_err(|error| self.failed(&error))?;
                self.news.notify_one();
                let shown = |it: Result<Held, Failure>| it.map(|it| self.shown_one(&inner, it));
                return Ok(closed.into_iter().map(shown).collect());
            }
        }
    }

    /// A row as it is once it is given up.
    fn given_up(&self, inner: &Inner, mut held: Held, now: Moment) -> Result<Held, Failure> {
        let is_ours = inner.owner.as_ref().map(|own| &own.id) == Some(&held.owner);
        // Of our own the request has ended by then.
        let is_over = match &held.replay.state {
            ReplayState::Unknown(_) if is_ours => true,
            state => !state.is_open() || !is_ours && self.is_gone(inner, &held.owner),
        };
        if let (false, Some(who)) = (is_over, &held.replay.by) {
            let (state, pid, host) = (held.replay.state.name(), who.pid, &who.host);
            return Err(refused(&format!(
                "it is {state}, and the reeltop that sends it (pid {pid} on {host}) is running"
            )));
        }
        let given_up = held.replay.give_up(&owner::user(), now);
        given_up.map_err(|why| refused(&why))?;
        Ok(held)
    }
}

fn refused(why: &str) -> Failure {
    let hint = "reeltop replays lists them all";
    Failure::new(FailureKind::Local, format!("not given up: {why}"), hint)
}
