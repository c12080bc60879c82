//! What two looks at one endpoint tell apart: what somebody else changed meanwhile, and what a
//! service made of what it was sent.

use super::{Endpoint, EndpointDraft, EndpointEdit, types_expanded};

/// A field that is another than it was, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differs {
    pub field: &'static str,
    pub before: String,
    pub now: String,
}

impl EndpointDraft {
    /// The fields that are others there than they are here.
    pub fn differences(&self, there: &Self) -> Vec<Differs> {
        let fields = self.words().into_iter().zip(there.words());
        let others = fields.filter(|((_, before), (_, now))| before != now);
        others
            .map(|((field, before), (_, now))| Differs { field, before, now })
            .collect()
    }

    /// Each field in words that are the same for what a service takes for the same.
    fn words(&self) -> [(&'static str, String); 5] {
        let types = self.event_types.as_deref();
        let types = types.map_or_else(
            || super::EVERY_EVENT.to_owned(),
            |types| types_expanded(types).join(" "),
        );
        let limit = self.rate_limit.map(|limit| limit.to_string());
        let state = if self.disabled { "disabled" } else { "enabled" };
        let text = |text: &str| match text.trim() {
            "" => "empty".to_owned(),
            text => text.to_owned(),
        };
        [
            ("url", text(&with_path(&self.url))),
            ("description", text(&self.description)),
            ("event_types", text(&types)),
            ("rate_limit", limit.unwrap_or_else(|| "none".to_owned())),
            ("disabled", state.to_owned()),
        ]
    }
}

/// An address with the path that it has where it names none.
fn with_path(url: &str) -> String {
    let is_bare = |(_, rest): (&str, &str)| !rest.contains(['/', '?', '#']);
    let end = if url.split_once("://").is_some_and(is_bare) {
        "/"
    } else {
        ""
    };
    format!("{url}{end}")
}

impl EndpointEdit {
    /// Which of the fields that are to be changed somebody else changed since an earlier look, so
    /// that sending it would take that back without a word; none that they made what is wanted here.
    /// What is masked may have changed unseen.
    pub fn overtaken(&self, began: &Endpoint, now: &Endpoint) -> Vec<Differs> {
        let now = EndpointDraft::of(now);
        let wanted = now.differences(&now.clone().with(self));
        let is_wanted = |field| wanted.iter().any(|wanted| wanted.field == field);
        // Of one that only its attempts tell of nothing else is known.
        let is_known = |field| field == "url" || !began.is_inferred;
        let mut changed = EndpointDraft::of(began).differences(&now);
        changed.retain(|changed| is_known(changed.field) && is_wanted(changed.field));
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{EndpointId, EventType};

    fn endpoint(url: &str, types: &[&str]) -> Endpoint {
        let types = types.iter().map(|name| EventType::new(name));
        Endpoint {
            is_inferred: false,
            description: "prod".into(),
            event_types: Some(types.collect()),
            rate_limit: Some(5),
            ..Endpoint::inferred(EndpointId::new("ep_1"), url.into())
        }
    }

    fn types(names: &[&str]) -> EndpointEdit {
        let names = names.iter().map(|name| (*name).to_owned());
        EndpointEdit {
            event_types: Some(Some(names.collect())),
            ..EndpointEdit::default()
        }
    }

    #[test]
    fn only_a_field_that_is_to_be_changed_and_was_is_overtaken() {
        let began = endpoint("http://a/", &["task.failed"]);
        let mut now = began.clone();
        now.disabled = true;
        now.rate_limit = None;
        let mut edit = types(&["task.completed"]);
        assert_eq!(edit.overtaken(&began, &now), []);
        edit.rate_limit = Some(Some(9));
        let overtaken = Differs {
            field: "rate_limit",
            before: "5".to_owned(),
            now: "none".to_owned(),
        };
        assert_eq!(edit.overtaken(&began, &now), [overtaken]);
        edit.rate_limit = Some(None);
        assert_eq!(edit.overtaken(&began, &now), []);
        let back = EndpointEdit {
            disabled: Some(false),
            ..EndpointEdit::default()
        };
        let overtaken = back.overtaken(&began, &now);
        assert_eq!(
            (&*overtaken[0].before, &*overtaken[0].now),
            ("enabled", "disabled")
        );
    }

    #[test]
    fn what_means_the_same_is_no_difference() {
        let began = endpoint("http://a", &["a"]);
        let all = ["task.progress", "task.completed", "task.failed"];
        let now = endpoint("http://a/", &all);
        assert_eq!(types(&["task.*"]).overtaken(&began, &now), []);
        assert_eq!(
            EndpointDraft::of(&endpoint("http://a", &all)).differences(&EndpointDraft::of(&now)),
            []
        );
    }

    #[test]
    fn nothing_but_the_url_is_known_of_one_that_was_only_seen_in_attempts() {
        let url: Arc<str> = "http://a/".into();
        let began = Endpoint::inferred(EndpointId::new("ep_1"), url);
        let mut edit = types(&["b"]);
        edit.url = Some("http://mine/".to_owned());
        let overtaken = edit.overtaken(&began, &endpoint("http://theirs/", &["a"]));
        assert_eq!(overtaken.len(), 1);
        assert_eq!(overtaken[0].field, "url");
    }
}
