//! The list of what a receiver beside the dashboard got, and the page of one message.

use super::document::DocumentPane;
use super::filter::Filter;
use super::list::{Cursor, Listed, Place, Slice, cursor_of, slice_of};
use super::subject::ReceiptSubject;
use crate::domain::{History, Receipt, Time};

/// The list of what was received.
#[derive(Debug, Default)]
pub struct ReceivedList {
    pub cursor: Cursor<u64>,
    pub filter: Filter,
    pub is_reversed: bool,
}

impl ReceivedList {
    /// The rows that match, in the order of the screen; they are few enough to be tested each time.
    fn rows(&self, history: &History) -> Vec<u64> {
        let matches = |receipt: &&Receipt| {
            !self.filter.is_active() || self.filter.query.matches(&ReceiptSubject(receipt))
        };
        let rows = history.received.newest().filter(matches);
        let mut rows: Vec<u64> = rows.map(|receipt| receipt.number).collect();
        if self.is_reversed {
            rows.reverse();
        }
        rows
    }
}

impl Listed for ReceivedList {
    cursor_of!(u64);

    fn ever(&self, history: &History) -> u64 {
        history.received.n_requests()
    }

    fn window(
        &self,
        history: &History,
        place: &Place<u64>,
        height: usize,
        _now: Time,
    ) -> Slice<u64> {
        let rows = self.rows(history);
        slice_of(
            rows.len(),
            place,
            height,
            |number| rows.iter().position(|row| row == number),
            |at| rows.get(at).copied(),
        )
    }
}

/// What was received of one message: its requests, and the body of the latest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReceivedPage {
    /// The row's number.
    pub number: u64,
    /// How many requests there were when the body was laid out.
    n_requests: u64,
    pub body: DocumentPane,
}

impl ReceivedPage {
    pub fn new(number: u64) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    /// Lays the body of the latest request out, if it is another one.
    pub(super) fn refresh(&mut self, history: &History) {
        let Some(receipt) = history.received.get(self.number) else {
            return;
        };
        if self.n_requests != receipt.n_requests
            && let Some((_, last)) = receipt.last()
        {
            self.n_requests = receipt.n_requests;
            self.body.show(&String::from_utf8_lossy(&last.body).into());
        }
    }
}
