//! Whose log of attempts has its turn: those that were asked for longest ago. One that fails comes
//! after the others, and waits by itself, so that it neither starves them nor slows them down; one that
//! did not answer yet is not asked for again.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{Endpoint, EndpointId, Time};

/// Endpoints looked at in one round; the others have their turn in the next.
const MAX_ENDPOINTS: usize = 20;
/// A log that fails is asked again after this long at most, …
const LAST_PAUSE: Duration = Duration::from_mins(1);
/// … or after so many times as long as it took to fail, if that is more.
const MOST_OF_ITS_TIME: u32 = 10;

/// The logs, and when each was asked for.
#[derive(Debug, Default)]
pub(super) struct Rota {
    turns: HashMap<EndpointId, Turn>,
    /// Logs asked for so far.
    n_asked: u64,
}

#[derive(Debug, Default)]
struct Turn {
    /// As which of all it was asked for last; 0 before it was.
    nth: u64,
    /// The round in which it was last read.
    read_in: u64,
    pause: Pause,
    /// Whether it is asked for and did not answer yet.
    is_asked: bool,
    /// When it was asked for last, …
    asked: Time,
    /// … and when it was as it was read last.
    read_until: Option<Time>,
}

/// How long something is left alone, as it failed.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// How often it failed in a row.
    n_failures: u32,
    /// Until when it is not asked for.
    until: Option<Instant>,
}

impl Pause {
    pub fn is_on(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Takes note that it failed after so long. The first pause is as long as that between two
    /// rounds (`pace`), each is twice as long as the one before.
    pub fn failed(&mut self, took: Duration, pace: Duration, now: Instant) {
        let pace = pace.max(Duration::from_millis(20));
        self.n_failures = self.n_failures.saturating_add(1);
        let n_doubled = self.n_failures.min(16) - 1;
        let usual = pace
            .saturating_mul(1 << n_doubled)
            .min(LAST_PAUSE.max(pace));
        let slow = took.saturating_mul(self.n_failures.min(MOST_OF_ITS_TIME));
        self.until = now.checked_add(usual.max(slow));
    }

    /// Ends it.
    pub fn forgive(&mut self) {
        self.until = None;
    }
}

impl Rota {
    /// The logs of this round, those that failed last time at its end; none that is asked for still.
    pub fn due(
        &mut self,
        endpoints: &BTreeMap<EndpointId, Endpoint>,
        now: Instant,
    ) -> Vec<EndpointId> {
        self.turns.retain(|id, _| endpoints.contains_key(id));
        for id in endpoints.keys() {
            self.turns.entry(id.clone()).or_default();
        }
        let turns = self.turns.iter();
        let mut due: Vec<_> = turns
            .filter(|(_, turn)| !turn.pause.is_on(now) && !turn.is_asked)
            .collect();
        due.sort_unstable_by_key(|(id, turn)| (turn.nth, *id));
        due.truncate(MAX_ENDPOINTS);
        due.sort_by_key(|(_, turn)| turn.pause.n_failures > 0);
        due.into_iter().map(|(id, _)| id.clone()).collect()
    }

    /// Takes note that a log is asked for at a moment.
    pub fn ask(&mut self, id: &EndpointId, at: Time) {
        self.n_asked += 1;
        let turn = self.turns.entry(id.clone()).or_default();
        turn.nth = self.n_asked;
        turn.is_asked = true;
        turn.asked = at;
    }

    /// Takes note that it was read.
    pub fn read(&mut self, id: &EndpointId, round: u64) {
        if let Some(turn) = self.turns.get_mut(id) {
            turn.read_in = round;
            turn.pause = Pause::default();
            turn.is_asked = false;
            turn.read_until = Some(turn.asked);
        }
    }

    /// Takes note that it failed after so long, between rounds at this pace.
    pub fn failed(&mut self, id: &EndpointId, took: Duration, pace: Duration, now: Instant) {
        if let Some(turn) = self.turns.get_mut(id) {
            turn.is_asked = false;
            turn.pause.failed(took, pace, now);
        }
    }

    /// Whether a log is left alone for now, as it failed.
    pub fn is_paused(&self, id: &EndpointId, now: Instant) -> bool {
        self.turns.get(id).is_some_and(|turn| turn.pause.is_on(now))
    }

    /// Whether a log is asked for and did not answer yet.
    pub fn is_asked(&self, id: &EndpointId) -> bool {
        self.turns.get(id).is_some_and(|turn| turn.is_asked)
    }

    /// Up to when what is in a log is known, if it was read.
    pub fn read_until(&self, id: &EndpointId) -> Option<Time> {
        self.turns.get(id)?.read_until
    }

    pub fn is_read_in(&self, id: &EndpointId, round: u64) -> bool {
        self.turns.get(id).is_some_and(|turn| turn.read_in == round)
    }

    /// Ends all pauses.
    pub fn forgive(&mut self) {
        for turn in self.turns.values_mut() {
            turn.pause.forgive();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Duration = Duration::from_secs(5);

    fn endpoints(n: usize) -> BTreeMap<EndpointId, Endpoint> {
        let ids = (0..n).map(|number| EndpointId::new(&format!("ep_{number:02}")));
        ids.map(|id| (id.clone(), Endpoint::inferred(id, "".into())))
            .collect()
    }

    fn numbers(due: &[EndpointId]) -> Vec<usize> {
        let number = |id: &EndpointId| id.to_string()[3..].parse().unwrap_or(usize::MAX);
        due.iter().map(number).collect()
    }

    /// A round that reads each log but one, which fails, and which ends there if that `ends` it.
    fn round(rota: &mut Rota, n: usize, bad: usize, ends: bool, now: Instant) -> Vec<usize> {
        let due = rota.due(&endpoints(n), now);
        let mut asked = Vec::new();
        for (id, number) in due.iter().zip(numbers(&due)) {
            rota.ask(id, Time(0));
            asked.push(number);
            if number == bad {
                rota.failed(id, Duration::ZERO, PACE, now);
                if ends {
                    break;
                }
            } else {
                rota.read(id, 1);
            }
        }
        asked
    }

    #[test]
    fn a_log_that_ends_each_round_keeps_no_other_from_its_turn() {
        let (mut rota, mut now) = (Rota::default(), Instant::now());
        assert_eq!(round(&mut rota, 4, 1, true, now), [0, 1]);
        now += PACE;
        assert_eq!(round(&mut rota, 4, 1, true, now), [2, 3, 0, 1]);
        now += PACE;
        // It failed twice, and waits for two rounds.
        assert_eq!(round(&mut rota, 4, 1, true, now), [2, 3, 0]);
        now += PACE;
        assert_eq!(round(&mut rota, 4, 1, true, now), [2, 3, 0, 1]);
    }

    #[test]
    fn of_more_than_a_round_takes_those_come_first_whose_turn_is_longest_ago() {
        let (mut rota, now) = (Rota::default(), Instant::now());
        let first = round(&mut rota, 45, 99, false, now);
        assert_eq!(first, (0..20).collect::<Vec<_>>());
        let second = round(&mut rota, 45, 99, false, now);
        assert_eq!(second, (20..40).collect::<Vec<_>>());
        let third = round(&mut rota, 45, 99, false, now);
        let rest: Vec<usize> = (40..45).chain(0..15).collect();
        assert_eq!(third, rest);
    }

    #[test]
    fn what_takes_long_to_fail_is_asked_the_more_seldom_until_it_is_read() {
        let (mut rota, now) = (Rota::default(), Instant::now());
        let id = EndpointId::new("ep_00");
        let slow = Duration::from_secs(30);
        for (nth, (took, pause)) in [
            (Duration::ZERO, 5),
            (Duration::ZERO, 10),
            (slow, 90),
            (slow, 120),
            (Duration::ZERO, 60),
        ]
        .into_iter()
        .enumerate()
        {
            rota.due(&endpoints(1), now);
            rota.ask(&id, Time(9));
            rota.failed(&id, took, PACE, now);
            let left = |seconds| rota.is_paused(&id, now + Duration::from_secs(seconds));
            assert_eq!((left(pause - 1), left(pause)), (true, false), "{nth}");
        }
        rota.forgive();
        assert_eq!(rota.due(&endpoints(1), now), std::slice::from_ref(&id));
        rota.ask(&id, Time(9));
        assert!(rota.due(&endpoints(1), now).is_empty(), "it is asked for");
        assert_eq!(rota.read_until(&id), None);
        rota.read(&id, 7);
        assert_eq!(rota.read_until(&id), Some(Time(9)));
        assert!(rota.is_read_in(&id, 7) && !rota.is_read_in(&id, 8));
        rota.failed(&id, Duration::ZERO, PACE, now);
        assert!(!rota.is_paused(&id, now + PACE));
    }
}
