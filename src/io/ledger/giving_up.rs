//! Closing a replay whose outcome will not be known, on the word of whoever looked.

use super::file::Held;
use super::{Ledger, TOLD, number_of, owner};
use crate::domain::{Failure, FailureKind, Moment, Replay, ReplayState};

impl Ledger {
    /// The replays whose ids in the ledger begin so, oldest first.
    pub fn find(&self, id: &str, now: Moment) -> Result<Vec<Replay>, Failure> {
        self.read(now, |file| file.beginning(id))
    }

    /// Closes an open replay, by its number, on the word of the user who looked what became of it:
    /// who and when stays in its row. Fails while the reeltop that sends it runs.
    pub fn give_up(&self, number: u64, now: Moment) -> Result<Replay, Failure> {
        self.keep(now)?;
        let mut inner = self.lock();
        loop {
            let rows = inner.file.as_ref().map(|file| file.newest(TOLD));
            let rows = rows.transpose().map_err(|error| self.failed(&error))?;
            let is_it = |held: &Held| match inner.numbers.get(&held.id) {
                Some(own) => *own == number,
                None => number_of(&held.id) == number,
            };
            let found = rows.into_iter().flatten().find(is_it);
            let mut held = found.ok_or_else(|| refused("there is no such replay"))?;
            let is_ours = inner.owner.as_ref().map(|own| &own.id) == Some(&held.owner);
            // Of our own the request has ended by then.
            let is_over = match &held.replay.state {
                ReplayState::Unknown(_) if is_ours => true,
                state => !state.is_open() || !is_ours && self.is_gone(&inner, &held.owner),
            };
            if let (false, Some(who)) = (is_over, &held.replay.by) {
                let (state, pid, host) = (held.replay.state.name(), who.pid, &who.host);
                return Err(refused(&format!(
                    "it is {state}, and the reeltop that sends it (pid {pid} on {host}) is running"
                )));
            }
            let given_up = held.replay.give_up(&owner::user(), now);
            given_up.map_err(|why| refused(&why))?;
            let Some(file) = &mut inner.file else {
                return Err(refused("there is no such replay"));
            };
            if file.update(&held).map_err(|error| self.failed(&error))? {
                // Whoever gives it up knows how it stood.
                let heard = file.hear(&[held.pair()]);
                heard.map_err(|error| self.failed(&error))?;
                self.news.notify_one();
                return Ok(self.shown_one(&inner, held));
            }
        }
    }
}

fn refused(why: &str) -> Failure {
    let hint = "reeltop replays lists them all";
    Failure::new(FailureKind::Local, format!("not given up: {why}"), hint)
}
