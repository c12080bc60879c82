//! The query language: what can be parsed can be asked of a row.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reeltop::domain::query::{Field, Subject};
use reeltop::domain::{Feature, FeatureState, Query, TaskState};

struct Row;

impl Subject for Row {
    fn state(&self) -> Option<TaskState> {
        Some(TaskState::Failed)
    }

    fn has_outcome(&self, word: &str) -> bool {
        word == "done"
    }

    fn feature(&self, feature: &Feature) -> Option<FeatureState> {
        (feature.name() == "visual").then(|| FeatureState::new("failed"))
    }

    fn field(&self, _: Field, see: &mut dyn FnMut(&str) -> bool) -> bool {
        see("keynote.mp4")
    }

    fn texts(&self, see: &mut dyn FnMut(&str) -> bool) -> bool {
        see("keynote.mp4")
    }
}

fuzz_target!(|text: &str| {
    if let Ok(query) = Query::parse(text) {
        let is_wanted = query.matches(&Row);
        assert_eq!(is_wanted, query.matches(&Row));
        assert!(!query.is_empty() || is_wanted);
    }
});
