//! When the service tries again what failed, asked of a few messages in each round.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Poller;
use crate::domain::{ChangeKind, Delivery, Failure, FailureKind, MessageId, NextAsked};
use crate::io::nexts;

/// Messages asked about in one round; the others have their turn in the next.
const MAX_ASKED: usize = 20;
/// Messages of the newest that are weighed for what is not known.
const WEIGHED: usize = 500;
/// The first pause before a message is asked about again whose answer left something open, as that
/// of a retry that is due; each is twice as long as the one before, …
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// … up to this one.
const LAST_PAUSE: Duration = Duration::from_mins(30);

/// The messages that were asked about while something of them is open.
#[derive(Debug, Default)]
pub(super) struct Turns(HashMap<MessageId, Turn>);

/// When a message was asked about last.
#[derive(Debug, Clone, Copy)]
struct Turn {
    at: Instant,
    /// Until it is asked about again, unless it is attempted before.
    pause: Duration,
    /// The attempts that were known then.
    n_attempts: usize,
}

impl Turns {
    /// Which of these messages are to be asked about now: the newest that were not yet, then those
    /// whose turn is the longest ago.
    fn due(&self, unknown: &[(MessageId, usize)], now: Instant) -> Vec<(MessageId, usize)> {
        let mut due: Vec<(Option<Instant>, &(MessageId, usize))> = unknown
            .iter()
            .filter_map(|asked| match self.0.get(&asked.0) {
                None => Some((None, asked)),
                Some(turn) => (turn.n_attempts != asked.1 || now >= turn.at + turn.pause)
                    .then_some((Some(turn.at), asked)),
            })
            .collect();
        due.sort_by_key(|(at, _)| *at);
        let due = due.into_iter().take(MAX_ASKED);
        due.map(|(_, asked)| asked.clone()).collect()
    }

    /// Forgets those of which all is known.
    fn keep(&mut self, unknown: &[(MessageId, usize)]) {
        if !self.0.is_empty() {
            let mut kept = HashMap::with_capacity(unknown.len());
            let all = unknown.iter();
            kept.extend(all.filter_map(|(id, _)| self.0.remove_entry(id)));
            self.0 = kept;
        }
    }

    fn take(&mut self, (message, n_attempts): (MessageId, usize), at: Instant) {
        let before = self.0.get(&message);
        let same = before.filter(|turn| turn.n_attempts == n_attempts);
        let pause = same.map_or(FIRST_PAUSE, |turn| (turn.pause * 2).min(LAST_PAUSE));
        let turn = Turn {
            at,
            pause,
            n_attempts,
        };
        self.0.insert(message, turn);
    }
}

fn n_attempts(held: &Delivery) -> usize {
    held.outcomes.iter().map(|it| it.n_attempts).sum()
}

impl Poller {
    /// Asks when messages that failed are tried again, unless that is known since their last
    /// attempt. A server without such a route is not asked again.
    pub(super) async fn nexts(&mut self) -> Result<(), Failure> {
        let Some(svix) = self.client.svix.clone().filter(|_| !self.has_no_nexts) else {
            return Ok(());
        };
        let now = self.outlet.clock().now().wall;
        let unknown: Vec<(MessageId, usize)> = self
            .held
            .deliveries
            .newest()
            .take(WEIGHED)
            .filter(|held| self.held.is_next_unknown(held, now))
            .map(|held| (held.id.clone(), n_attempts(held)))
            .collect();
        self.nexts_asked.keep(&unknown);
        for asked in self.nexts_asked.due(&unknown, Instant::now()) {
            let message = asked.0.clone();
            self.nexts_asked.take(asked, Instant::now());
            let clock = self.outlet.clock();
            let asked = NextAsked::of(&self.held, &message);
            let found = match nexts::ask(&svix, &asked, || clock.now().wall).await {
                Ok(found) => found,
                Err(failure) if failure.kind == FailureKind::NotOffered => {
                    self.has_no_nexts = true;
                    return Ok(());
                }
                // The message expired, or was deleted.
                Err(failure) if failure.kind == FailureKind::NotFound => continue,
                Err(failure) => return Err(failure),
            };
            self.tell_unreadable(found.unreadable).await;
            let told = found.told.into_iter().map(Box::new);
            self.tell(told.map(ChangeKind::NextTry).collect()).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(n_attempts: usize) -> Vec<(MessageId, usize)> {
        let ids = (0..50).map(|number| MessageId::new(&format!("m{number:02}")));
        ids.map(|id| (id, n_attempts)).collect()
    }

    /// Asks whoever is due; how many that were.
    fn ask(turns: &mut Turns, unknown: &[(MessageId, usize)], now: Instant) -> usize {
        turns.keep(unknown);
        let due = turns.due(unknown, now);
        let n_due = due.len();
        for asked in due {
            turns.take(asked, now);
        }
        n_due
    }

    #[test]
    fn each_has_its_turn_and_what_stays_open_is_asked_ever_more_seldom() {
        let (mut turns, began) = (Turns::default(), Instant::now());
        let open = unknown(1);
        assert_eq!(
            [20, 20, 10, 0],
            [(); 4].map(|()| ask(&mut turns, &open, began))
        );
        let mut n_asked = 0;
        for second in 1..=3600 {
            n_asked += ask(&mut turns, &open, began + Duration::from_secs(second));
        }
        // After 5, 15, 35, 75, 155, 315, 635, 1275 and 2555 seconds.
        assert_eq!(n_asked, 50 * 9);
    }

    #[test]
    fn a_new_attempt_is_asked_about_at_once_and_what_is_known_is_forgotten() {
        let (mut turns, began) = (Turns::default(), Instant::now());
        let (mut open, later) = (unknown(1), began + Duration::from_mins(1));
        for _ in 0..3 {
            ask(&mut turns, &open, began);
        }
        open[49].1 = 2;
        let due = turns.due(&open, began);
        assert_eq!(due, [open[49].clone()]);
        ask(&mut turns, &open[..10], later);
        assert_eq!(turns.0.len(), 10);
    }
}
