//! A list's filter: the text as typed, and the last query that could be read.

use crate::domain::Query;
use crate::domain::query::Now;

/// A list's filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// As typed.
    pub text: String,
    /// The last text that could be read; it goes on filtering while a bad one is typed.
    pub query: Query,
    /// Why the text cannot be read.
    pub error: Option<String>,
}

impl Filter {
    /// Takes a text in that is typed now. Returns whether the query changed.
    pub fn set(&mut self, text: &str, now: Now) -> bool {
        text.clone_into(&mut self.text);
        match Query::parse(text) {
            Ok(mut query) => {
                query.settle(now);
                self.error = None;
                let changed = query != self.query;
                self.query = query;
                changed
            }
            Err(why) => {
                self.error = Some(why);
                false
            }
        }
    }

    pub fn is_active(&self) -> bool {
        !self.query.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;

    const NOW: Now = Now {
        time: Time::from_seconds(1_795_341_600),
        utc_offset: 0,
    };

    #[test]
    fn a_bad_text_is_shown_and_the_last_good_query_stays() {
        let mut filter = Filter::default();
        assert!(filter.set("failed", NOW));
        let good = filter.query.clone();
        assert!(!filter.set("failed state:nonsense", NOW));
        assert_eq!(filter.query, good);
        assert!(filter.error.is_some());
        assert!(!filter.set("failed", NOW));
        assert!(filter.error.is_none());
        assert!(filter.set("", NOW));
        assert!(!filter.is_active());
    }
}
