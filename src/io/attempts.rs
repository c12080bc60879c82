//! All attempts of a message, and what of them could not be read.

use super::client::{Client, FULL_PAGE};
use crate::domain::{Attempt, Failure, MessageId, Unreadable};
use crate::wire::rest::STUCK;

/// Pages read for one message.
const MAX_PAGES: usize = 10;

/// What was read of a message's attempts.
#[derive(Debug, Default)]
pub struct Attempts {
    pub rows: Vec<Attempt>,
    /// What is missing among them: rows that could not be read, and whatever is beyond the pages
    /// that are read.
    pub unreadable: Vec<Unreadable>,
}

impl Attempts {
    /// Reads the attempts of a message. Fails if one of the pages does.
    pub async fn of(client: &Client, message: &MessageId) -> Result<Self, Failure> {
        let mut all = Self::default();
        let mut cursor: Option<String> = None;
        let mut n_pages = 0;
        loop {
            let page = client
                .attempts_of(message, FULL_PAGE, cursor.as_deref())
                .await?;
            n_pages += 1;
            all.rows.extend(page.rows.into_iter().map(|row| row.value));
            all.unreadable.extend(page.unreadable);
            if page.is_last {
                return Ok(all);
            }
            if page.next.is_none() || n_pages == MAX_PAGES {
                let why = if page.next.is_none() {
                    STUCK
                } else {
                    "there are too many"
                };
                let why = format!(
                    "attempts beyond the newest {} of {message}: {why}",
                    all.rows.len()
                );
                let beyond = Unreadable::new("attempts", why, "");
                let identity = format!("beyond {message}");
                all.unreadable.push(beyond.known_by(identity.as_bytes()));
                return Ok(all);
            }
            cursor = page.next;
        }
    }

    /// Whether nothing of them is missing.
    pub fn is_whole(&self) -> bool {
        self.unreadable.is_empty()
    }

    /// What is missing, in words: `3 could not be read: a row that lacks what every row has`.
    pub fn missing(&self) -> Option<String> {
        let first = self.unreadable.first()?;
        let n = Unreadable::sum(&self.unreadable);
        Some(format!("{n} could not be read: {}", first.why))
    }
}
