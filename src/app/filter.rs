//! A list's filter: the text as typed, and the last query that could be read.

use crate::domain::Query;

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
    /// Takes a text in. Returns whether the query changed.
    pub fn set(&mut self, text: &str) -> bool {
        text.clone_into(&mut self.text);
        match Query::parse(text) {
            Ok(query) => {
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

    #[test]
    fn a_bad_text_is_shown_and_the_last_good_query_stays() {
        let mut filter = Filter::default();
        assert!(filter.set("failed"));
        let good = filter.query.clone();
        assert!(!filter.set("failed state:nonsense"));
        assert_eq!(filter.query, good);
        assert!(filter.error.is_some());
        assert!(!filter.set("failed"));
        assert!(filter.error.is_none());
        assert!(filter.set(""));
        assert!(!filter.is_active());
    }
}
