//! Webhooks that a receiver beside the dashboard got: a row for each message, its retries counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hashbrown::HashMap;

use super::event::EventType;
use super::id::{MessageId, TaskId};
use super::time::{Moment, Time};

/// Rows that are kept; the one that was quiet for longest leaves first.
const MAX_ROWS: usize = 1000;
/// Bytes of bodies and headers that are kept, the latest request aside.
const MAX_BYTES: usize = 64 << 20;
/// Requests that are kept of one message; the oldest but the first leaves first.
const MAX_REQUESTS: usize = 20;

/// What was found of a request's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// There is no secret to check it with.
    Unchecked,
    /// It is verified; by what, in words.
    Verified(String),
    /// Why it is not, and what to do about it.
    Refused { why: String, advice: String },
}

impl Finding {
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

/// Why a request was turned away: it was no delivery, and nothing of it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unfit {
    /// Webhooks are POST.
    NoPost,
    /// Its body is beyond what is taken.
    TooLarge,
    /// Its body broke off, or is not framed as HTTP says.
    BrokenOff,
}

impl Unfit {
    /// The status that it is answered with.
    pub fn code(self) -> u16 {
        match self {
            Self::NoPost => 405,
            Self::TooLarge => 413,
            Self::BrokenOff => 400,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::NoPost => "no POST",
            Self::TooLarge => "too large",
            Self::BrokenOff => "broken off",
        }
    }
}

/// What was found when a request was looked at again, because somebody asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// When that was.
    pub at: Time,
    /// The request is older by then, so that the age of its timestamp is left aside.
    pub finding: Finding,
    /// Of this receiver there was no secret by then; those of other endpoints alone were tried.
    pub is_by_others: bool,
}

/// A request that came, and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub method: String,
    pub path: String,
    /// In the order in which they came; those that are secret are masked.
    pub headers: Vec<(String, String)>,
    /// As it came, byte for byte.
    pub body: Arc<[u8]>,
    /// What its id header says.
    pub message: Option<MessageId>,
    pub kind: Option<EventType>,
    pub task: Option<TaskId>,
    /// Its body is another one than at the message's first delivery.
    pub is_other_body: bool,
    /// What was found as it came; it stays, whatever is found later.
    pub finding: Finding,
    /// The status that was answered; `None` if its sender had hung up.
    pub code: Option<u16>,
    /// What was found when it was last looked at again.
    pub again: Option<Again>,
}

impl Received {
    /// Whether its signature was made with a secret of this receiver, by one look or the other.
    pub fn is_verified(&self) -> bool {
        let again = self.again.iter().map(|again| &again.finding);
        again
            .chain([&self.finding])
            .any(|finding| matches!(finding, Finding::Verified(_)))
    }

    fn weight(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        self.body.len() + headers + self.path.len()
    }
}

/// The deliveries of one message.
#[derive(Debug)]
pub struct Receipt {
    /// The number of its first request, by which the row is known.
    pub number: u64,
    /// Those that are kept, oldest first.
    pub requests: VecDeque<(Moment, Received)>,
    /// How many came in all.
    pub n_requests: u64,
}

impl Receipt {
    /// The latest request.
    pub fn last(&self) -> Option<&(Moment, Received)> {
        self.requests.back()
    }
}

/// All that was received, the bound on it kept.
#[derive(Debug, Default)]
pub struct Receipts {
    /// By the number of the latest request.
    rows: BTreeMap<u64, Receipt>,
    /// The latest request of each row, by the row's number.
    latest: HashMap<u64, u64>,
    by_message: HashMap<MessageId, u64>,
    n_requests: u64,
    n_refused: u64,
    n_unchecked: u64,
    n_dropped: u64,
    turned_away: BTreeMap<Unfit, u64>,
    bytes: usize,
}

impl Receipts {
    /// Takes a request in.
    pub fn take(&mut self, at: Moment, received: Received) {
        self.n_requests += 1;
        self.n_refused += u64::from(received.finding.is_refused());
        self.n_unchecked += u64::from(received.finding == Finding::Unchecked);
        self.bytes += received.weight();
        let number = self.n_requests;
        let known = received.message.as_ref();
        let known = known.and_then(|message| self.by_message.get(message));
        let known = known.and_then(|row| self.latest.get(row));
        let known = known.and_then(|latest| self.rows.remove(latest));
        let mut row = known.unwrap_or_else(|| {
            if let Some(message) = &received.message {
                self.by_message.insert(message.clone(), number);
            }
            Receipt {
                number,
                requests: VecDeque::new(),
                n_requests: 0,
            }
        });
        row.n_requests += 1;
        row.requests.push_back((at, received));
        // The first stays, so that what a retry differs in can still be seen.
        if row.requests.len() > MAX_REQUESTS
            && let Some((_, gone)) = row.requests.remove(1)
        {
            self.bytes -= gone.weight();
            self.n_dropped += 1;
        }
        self.latest.insert(row.number, number);
        self.rows.insert(number, row);
        while self.rows.len() > 1 && (self.rows.len() > MAX_ROWS || self.bytes > MAX_BYTES) {
            self.drop_quietest();
        }
        // Still more can only be in the one row that is left.
        if self.bytes > MAX_BYTES {
            self.drop_earlier(number);
        }
    }

    /// Drops the oldest requests of a row until the bytes are few enough; its latest stays.
    fn drop_earlier(&mut self, latest: u64) {
        let Some(row) = self.rows.get_mut(&latest) else {
            return;
        };
        while self.bytes > MAX_BYTES
            && row.requests.len() > 1
            && let Some((_, gone)) = row.requests.pop_front()
        {
            self.bytes -= gone.weight();
            self.n_dropped += 1;
        }
    }

    fn drop_quietest(&mut self) {
        let Some((_, row)) = self.rows.pop_first() else {
            return;
        };
        self.latest.remove(&row.number);
        for (_, gone) in row.requests {
            self.bytes -= gone.weight();
            self.n_dropped += 1;
            if let Some(message) = &gone.message {
                self.by_message.remove(message);
            }
        }
    }

    /// Takes what was found when the request that was a row's latest, its `nth`, was looked at
    /// again; what was found as it came stays beside it, and in the counts. Whether it still is the
    /// latest: nothing is written onto another one.
    pub fn judge(&mut self, number: u64, nth: u64, again: Again) -> bool {
        let row = self.latest.get(&number);
        let row = row.and_then(|latest| self.rows.get_mut(latest));
        let row = row.filter(|row| row.n_requests == nth);
        let Some((_, last)) = row.and_then(|row| row.requests.back_mut()) else {
            return false;
        };
        last.again = Some(again);
        true
    }

    /// Counts a request that was turned away; it is no row.
    pub fn turn_away(&mut self, why: Unfit) {
        *self.turned_away.entry(why).or_default() += 1;
    }

    /// Why requests were turned away, and how many for that.
    pub fn turned_away(&self) -> impl Iterator<Item = (Unfit, u64)> {
        self.turned_away.iter().map(|(why, n)| (*why, *n))
    }

    /// What came of a message.
    pub fn of(&self, message: &MessageId) -> Option<&Receipt> {
        self.get(*self.by_message.get(message)?)
    }

    pub fn get(&self, number: u64) -> Option<&Receipt> {
        self.rows.get(self.latest.get(&number)?)
    }

    /// The rows, those that came last first.
    pub fn newest(&self) -> impl DoubleEndedIterator<Item = &Receipt> {
        self.rows.values().rev()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Requests that came in all, those that were turned away not among them.
    pub fn n_requests(&self) -> u64 {
        self.n_requests
    }

    /// Requests that were not verified as they came.
    pub fn n_refused(&self) -> u64 {
        self.n_refused
    }

    /// Requests that were not checked as they came, for want of a secret.
    pub fn n_unchecked(&self) -> u64 {
        self.n_unchecked
    }

    /// Requests that are no longer kept.
    pub fn n_dropped(&self) -> u64 {
        self.n_dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(message: Option<&str>, bytes: usize) -> Received {
        Received {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body: vec![b'x'; bytes].into(),
            message: message.map(MessageId::new),
            kind: None,
            task: None,
            is_other_body: false,
            finding: Finding::Unchecked,
            code: Some(204),
            again: None,
        }
    }

    #[test]
    fn a_retry_is_a_count_and_brings_its_row_to_the_top() {
        let mut receipts = Receipts::default();
        for message in [Some("a"), Some("b"), None, Some("a"), None] {
            receipts.take(Moment::default(), received(message, 1));
        }
        let rows: Vec<(u64, u64)> = receipts
            .newest()
            .map(|row| (row.number, row.n_requests))
            .collect();
        assert_eq!(rows, [(5, 1), (1, 2), (3, 1), (2, 1)]);
        assert_eq!(receipts.get(1).map(|row| row.requests.len()), Some(2));
        let refused = Finding::Refused {
            why: "altered".to_owned(),
            advice: String::new(),
        };
        let again = Again {
            at: Time::default(),
            finding: refused,
            is_by_others: false,
        };
        // What was found of the first is nothing about the second.
        assert!(!receipts.judge(1, 1, again.clone()));
        let last = |receipts: &Receipts| receipts.get(1)?.last().cloned();
        let found = last(&receipts).map(|(_, last)| (last.finding, last.again));
        assert_eq!(found, Some((Finding::Unchecked, None)));
        assert!(receipts.judge(1, 2, again.clone()));
        // The first verdict stays, which is the one that was counted.
        let found = last(&receipts).map(|(_, last)| (last.finding, last.again));
        assert_eq!(found, Some((Finding::Unchecked, Some(again))));
        assert_eq!((receipts.n_unchecked(), receipts.n_refused()), (5, 0));
    }

    #[test]
    fn memory_is_bounded_and_what_left_is_counted() {
        let mut receipts = Receipts::default();
        for n in 0..MAX_ROWS + 5 {
            let message = format!("m{n}");
            receipts.take(Moment::default(), received(Some(&message), 1));
        }
        assert_eq!((receipts.len(), receipts.n_dropped()), (MAX_ROWS, 5));
        assert!(receipts.get(5).is_none() && receipts.get(6).is_some());
        // One that had left begins a new row.
        receipts.take(Moment::default(), received(Some("m0"), 1));
        assert_eq!(receipts.newest().next().map(|row| row.n_requests), Some(1));
        for _ in 0..MAX_REQUESTS + 3 {
            receipts.take(Moment::default(), received(Some("m0"), 1));
        }
        let row = receipts.newest().next();
        let kept = row.map(|row| (row.n_requests, row.requests.len()));
        assert_eq!(kept, Some((24, MAX_REQUESTS)));
        let mut receipts = Receipts::default();
        for n in 0..5 {
            receipts.take(Moment::default(), received(None, MAX_BYTES / 4));
            assert!(receipts.bytes <= MAX_BYTES + 64, "after {n}");
        }
        assert!(receipts.n_dropped() > 0);
    }

    #[test]
    fn one_message_that_comes_again_and_again_keeps_to_the_bound() {
        let mut receipts = Receipts::default();
        for n in 0..8 {
            receipts.take(Moment::default(), received(Some("m"), MAX_BYTES / 4));
            assert!(receipts.bytes <= MAX_BYTES, "after {n}: {}", receipts.bytes);
        }
        let row = receipts.newest().next();
        let kept = row.map(|row| (row.n_requests, row.requests.len()));
        assert_eq!((kept, receipts.n_dropped()), (Some((8, 3)), 5));
        // The latest stays, however large.
        receipts.take(Moment::default(), received(Some("m"), MAX_BYTES + 1));
        let row = receipts.newest().next();
        assert_eq!(row.map(|row| row.requests.len()), Some(1));
    }
}
