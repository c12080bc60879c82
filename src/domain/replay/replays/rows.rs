//! Where each replay stands, and the ways to it: by number, by message and endpoint, by attempt.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::id::{AttemptId, EndpointId, MessageId};
use crate::domain::replay::Replay;

/// Where a replay stands among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// That of the ledger; beyond every file where it has no row yet.
    file: u32,
    /// The row in the ledger, or how many came before it without one.
    n: i64,
    /// Its own, so that no two share a place.
    number: u64,
}

/// The replays in their order. Every change goes through `put` or `let_go`, so that each way to a
/// replay holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    all: BTreeMap<Place, Replay>,
    numbers: HashMap<u64, Place>,
    pairs: HashMap<MessageId, HashMap<EndpointId, BTreeSet<Place>>>,
    attempts: HashMap<AttemptId, BTreeSet<Place>>,
    open: BTreeSet<Place>,
    ended_of_others: BTreeSet<Place>,
    /// How many came without a row of the ledger.
    n_unnumbered: i64,
}

impl Rows {
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Replay> + '_ {
        self.all.values()
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn n_ended_of_others(&self) -> usize {
        self.ended_of_others.len()
    }

    pub fn get(&self, number: u64) -> Option<&Replay> {
        self.at(self.numbers.get(&number)?)
    }

    pub fn open(&self) -> impl DoubleEndedIterator<Item = &Replay> + '_ {
        self.open.iter().filter_map(|place| self.at(place))
    }

    pub fn of(
        &self,
        message: &MessageId,
        endpoint: &EndpointId,
    ) -> impl DoubleEndedIterator<Item = &Replay> + '_ {
        let of_message = self.pairs.get(message);
        let places = of_message.and_then(|endpoints| endpoints.get(endpoint));
        let places = places.into_iter().flatten();
        places.filter_map(|place| self.at(place))
    }

    pub fn of_message(&self, message: &MessageId) -> impl DoubleEndedIterator<Item = &Replay> + '_ {
        let endpoints = self.pairs.get(message).into_iter().flatten();
        let mut places: Vec<Place> = endpoints.flat_map(|(_, places)| places).copied().collect();
        places.sort_unstable();
        places.into_iter().filter_map(|place| self.at(&place))
    }

    pub fn cause_of(&self, attempt: &AttemptId) -> Option<&Replay> {
        self.at(self.attempts.get(attempt)?.first()?)
    }

    fn at(&self, place: &Place) -> Option<&Replay> {
        self.all.get(place)
    }

    /// Puts a replay where it belongs, in place of what was known of it.
    pub fn put(&mut self, replay: Replay) {
        let before = self.numbers.get(&replay.number).copied();
        if let Some(before) = before {
            self.remove(before);
        }
        let place = match (replay.row, before) {
            (Some(row), _) => Place {
                file: row.file,
                n: row.n,
                number: replay.number,
            },
            (None, Some(before)) => before,
            (None, None) => {
                self.n_unnumbered += 1;
                Place {
                    file: u32::MAX,
                    n: self.n_unnumbered,
                    number: replay.number,
                }
            }
        };
        self.numbers.insert(replay.number, place);
        let of_message = self.pairs.entry(replay.message.clone()).or_default();
        let of_pair = of_message.entry(replay.endpoint.clone()).or_default();
        of_pair.insert(place);
        if let Some(attempt) = replay.state.attempt() {
            let caused = self.attempts.entry(attempt.clone()).or_default();
            caused.insert(place);
        }
        if replay.state.is_open() {
            self.open.insert(place);
        } else if replay.by.is_some() && !replay.state.is_doubtful() {
            self.ended_of_others.insert(place);
        }
        self.all.insert(place, replay);
    }

    /// Forgets the oldest of another reeltop that has ended. Returns its number, if there was one.
    pub fn let_go(&mut self) -> Option<u64> {
        let oldest = self.ended_of_others.first().copied()?;
        self.remove(oldest);
        Some(oldest.number)
    }

    fn remove(&mut self, place: Place) {
        let Some(replay) = self.all.remove(&place) else {
            return;
        };
        self.numbers.remove(&place.number);
        self.open.remove(&place);
        self.ended_of_others.remove(&place);
        if let Some(endpoints) = self.pairs.get_mut(&replay.message) {
            if let Some(places) = endpoints.get_mut(&replay.endpoint) {
                places.remove(&place);
                if places.is_empty() {
                    endpoints.remove(&replay.endpoint);
                }
            }
            if endpoints.is_empty() {
                self.pairs.remove(&replay.message);
            }
        }
        if let Some(attempt) = replay.state.attempt()
            && let Some(places) = self.attempts.get_mut(attempt)
        {
            places.remove(&place);
            if places.is_empty() {
                self.attempts.remove(attempt);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::{MAX_ENDED, Replays};
    use super::*;
    use crate::domain::replay::{LedgerRow, ReplayState, Route, Who};
    use crate::domain::time::{Moment, SECOND, Time};

    /// The n-th row of the ledger, which another reeltop planned at a second.
    fn row(n: u64, message: &str, planned: i64, state: ReplayState) -> Replay {
        let at = Moment {
            wall: Time(planned * SECOND),
            mono: 0,
        };
        Replay {
            number: n | 1 << 63,
            message: MessageId::new(message),
            endpoint: EndpointId::new("ep_1"),
            route: Route::Server,
            state,
            planned: at,
            since: at,
            sent: None,
            before: None,
            was_unknown: false,
            is_followed: false,
            row: Some(LedgerRow {
                file: 0,
                n: n.cast_signed(),
                rev: 0,
            }),
            by: Some(Who {
                id: Arc::from("id"),
                pid: 1,
                host: Arc::from("host"),
                via: Arc::from(""),
                is_running: false,
            }),
        }
    }

    fn delivered(n: u64) -> ReplayState {
        ReplayState::Delivered {
            attempt: AttemptId::new(&format!("a{n}")),
            found_later: false,
        }
    }

    /// One of a few rows, pairs and states, of this reeltop or another, with a place or without.
    fn any_replay() -> impl Strategy<Value = Replay> {
        let numbers = (1..9_u64, 1..9_u64, 0..3_u8);
        let states = prop_oneof![
            Just(ReplayState::Planned),
            Just(ReplayState::Unknown("why".into())),
            Just(ReplayState::Cancelled("why".into())),
            (0..4_u64).prop_map(delivered),
        ];
        (numbers, states, any::<bool>(), any::<bool>()).prop_map(
            |((number, n, endpoint), state, is_ours, is_placed)| {
                // A replay stays that of its message.
                let mut replay = row(n, &format!("msg_{}", number % 3), 0, state);
                replay.number = number;
                replay.endpoint = EndpointId::new(&format!("ep_{endpoint}"));
                replay.by.take_if(|_| is_ours);
                replay.row.take_if(|_| !is_placed);
                replay
            },
        )
    }

    fn numbers<'a>(replays: impl Iterator<Item = &'a Replay>) -> Vec<u64> {
        replays.map(|replay| replay.number).collect()
    }

    proptest! {
        /// Each way to a replay finds what a look at every single one does.
        #[test]
        fn every_way_finds_what_is_there(
            changes in prop::collection::vec(prop::option::weighted(0.9, any_replay()), 0..40)
        ) {
            let mut rows = Rows::default();
            for change in changes {
                match change {
                    Some(replay) => rows.put(replay),
                    None => {
                        rows.let_go();
                    }
                }
            }
            let all: Vec<&Replay> = rows.all().collect();
            let found = |holds: &dyn Fn(&Replay) -> bool| {
                numbers(all.iter().copied().filter(|replay| holds(replay)))
            };
            prop_assert_eq!(numbers(rows.open()), found(&|it| it.state.is_open()));
            let n_ended = found(&|it| !it.state.is_open() && it.by.is_some()).len();
            prop_assert_eq!(rows.n_ended_of_others(), n_ended);
            for replay in &all {
                prop_assert_eq!(rows.get(replay.number), Some(*replay));
            }
            for message in (0..3).map(|n| MessageId::new(&format!("msg_{n}"))) {
                let of_message = found(&|it| it.message == message);
                prop_assert_eq!(numbers(rows.of_message(&message)), of_message);
                for endpoint in (0..3).map(|n| EndpointId::new(&format!("ep_{n}"))) {
                    let of_pair = found(&|it| it.message == message && it.endpoint == endpoint);
                    prop_assert_eq!(numbers(rows.of(&message, &endpoint)), of_pair);
                }
            }
            for attempt in (0..4).map(|n| AttemptId::new(&format!("a{n}"))) {
                let causes = found(&|it| it.state.attempt() == Some(&attempt));
                let cause = rows.cause_of(&attempt).map(|it| it.number);
                prop_assert_eq!(cause, causes.first().copied());
            }
        }
    }

    #[test]
    fn what_others_ended_is_bounded_and_what_is_open_or_ours_stays() {
        let mut replays = Replays::default();
        replays.take(row(1, "msg_open", 0, ReplayState::Unknown("why".into())));
        let mut ours = row(2, "msg_ours", 0, delivered(2));
        ours.by = None;
        replays.take(ours);
        let beyond = 3_usize;
        for n in 3..(MAX_ENDED + 3 + beyond) as u64 {
            replays.take(row(n, &format!("msg_{n}"), 0, delivered(n)));
        }
        assert_eq!(replays.len(), MAX_ENDED + 2);
        assert_eq!(replays.n_let_go(), beyond);
        let numbers = |n: u64| replays.get(n | 1 << 63).is_some();
        assert!(numbers(1) && numbers(2) && !numbers(3) && !numbers(5) && numbers(6));
        assert!(replays.cause_of(&AttemptId::new("a3")).is_none());
        assert_eq!(replays.of_message(&MessageId::new("msg_3")).count(), 0);
        // The ledger tells of one again: it still has no room, and is counted once.
        replays.take(row(3, "msg_3", 0, delivered(3)));
        assert_eq!(replays.len(), MAX_ENDED + 2);
        assert_eq!(replays.n_let_go(), beyond);
        // One that is in doubt again is back for good.
        let two = vec![AttemptId::new("a4"), AttemptId::new("a4b")];
        replays.take(row(4, "msg_4", 0, ReplayState::Ambiguous(two)));
        assert!(replays.get(4 | 1 << 63).is_some());
        assert_eq!(replays.n_let_go(), beyond - 1);
    }

    #[test]
    fn the_latest_is_the_last_row_though_the_clock_was_set_back() {
        let (first, second) = (
            row(1, "msg_1", 9_000, ReplayState::GivenUp("by ann".into())),
            row(2, "msg_1", 10, delivered(2)),
        );
        let pair = (MessageId::new("msg_1"), EndpointId::new("ep_1"));
        for told in [[&first, &second], [&second, &first]] {
            let mut replays: Replays = Replays::default();
            for row in told {
                replays.take(row.clone());
            }
            assert_eq!(replays.latest_of(&pair.0, &pair.1), Some(second.number));
            assert!(replays.doubtful_of(&pair.0, &pair.1).is_none());
        }
        // A file that took the place of that one counts its rows anew.
        let mut replays: Replays = [second.clone()].into_iter().collect();
        let mut third = row(3, "msg_1", 5, delivered(3));
        third.row = Some(LedgerRow {
            file: 1,
            n: 1,
            rev: 0,
        });
        replays.take(third.clone());
        assert_eq!(replays.latest_of(&pair.0, &pair.1), Some(third.number));
        // Ours is the last until the ledger has told where it stands.
        let mut ours = row(4, "msg_1", 1, delivered(4));
        (ours.by, ours.row) = (None, None);
        replays.take(ours.clone());
        assert_eq!(replays.latest_of(&pair.0, &pair.1), Some(ours.number));
        let mut numbered = ours.clone();
        numbered.row = Some(LedgerRow {
            file: 0,
            n: 9,
            rev: 0,
        });
        // As older word it tells that all the same.
        numbered.state = ReplayState::Planned;
        replays.take(numbered);
        assert_eq!(replays.latest_of(&pair.0, &pair.1), Some(third.number));
        assert_eq!(replays.get(ours.number).unwrap().state, ours.state);
        assert_eq!(replays.len(), 3);
    }

    #[test]
    fn what_caused_nothing_hides_no_earlier_one() {
        let pair = (MessageId::new("msg_1"), EndpointId::new("ep_1"));
        let doubtful = row(1, "msg_1", 0, ReplayState::GivenUp("by ann".into()));
        let taken_back = row(2, "msg_1", 1, ReplayState::Cancelled("why".into()));
        let replays: Replays = [doubtful.clone(), taken_back].into_iter().collect();
        assert_eq!(replays.latest_of(&pair.0, &pair.1), Some(doubtful.number));
        assert!(replays.doubtful_of(&pair.0, &pair.1).is_some());
    }
}
