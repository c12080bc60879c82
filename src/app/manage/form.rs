//! The form of an endpoint: what is typed, checked field by field before anything is sent.

use crossterm::event::KeyEvent;

use crate::app::prompt::Prompt;
use crate::domain::{
    EVERY_EVENT, Endpoint, EndpointDraft, EndpointEdit, FieldFault, MASK, types_named,
};

/// One line to type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in the API, and what its faults are told by.
    pub name: &'static str,
    /// What may stand there.
    pub hint: &'static str,
    pub prompt: Prompt,
    pub fault: Option<String>,
    /// What stood there at first.
    before: String,
}

impl Field {
    fn new(name: &'static str, hint: &'static str, text: &str) -> Self {
        Self {
            name,
            hint,
            prompt: Prompt::long(text),
            fault: None,
            before: text.to_owned(),
        }
    }

    fn text(&self) -> &str {
        self.prompt.text().trim()
    }

    fn is_changed(&self) -> bool {
        self.text() != self.before.trim()
    }
}

/// The fields of an endpoint, and the one that is typed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub fields: [Field; 4],
    pub at: usize,
    /// The words of the service that refused it last.
    pub refusal: Option<String>,
    /// The endpoint as it was opened over it. Of one that is not there yet all is checked, not only
    /// what is changed.
    began: Option<Endpoint>,
}

/// A new endpoint's.
impl Default for Form {
    fn default() -> Self {
        let draft = EndpointDraft::default();
        let types = types_text(draft.event_types.as_deref());
        Self::with("", "", &types, None)
    }
}

impl Form {
    /// An endpoint's as it is known here: its URL may be masked, and is then kept unless typed anew.
    pub fn of(endpoint: &Endpoint) -> Self {
        let draft = EndpointDraft::of(endpoint);
        let types = match &draft.event_types {
            // Nobody knows which.
            None if endpoint.is_inferred => String::new(),
            types => types_text(types.as_deref()),
        };
        Self {
            began: Some(endpoint.clone()),
            ..Self::with(&draft.url, &draft.description, &types, draft.rate_limit)
        }
    }

    /// The same with what was typed and could not be sent.
    #[must_use]
    pub fn retyped(mut self, edit: &EndpointEdit) -> Self {
        let limit = edit
            .rate_limit
            .map(|limit| limit.map(|limit| limit.to_string()).unwrap_or_default());
        let types = edit.event_types.as_ref();
        let types = types.map(|types| types_text(types.as_deref()));
        let texts = [edit.url.clone(), edit.description.clone(), types, limit];
        for (field, text) in self.fields.iter_mut().zip(texts) {
            if let Some(text) = text {
                field.prompt = Prompt::long(&text);
            }
        }
        self
    }

    fn with(url: &str, description: &str, types: &str, rate_limit: Option<u64>) -> Self {
        let rate_limit = rate_limit.map(|limit| limit.to_string());
        let rate_limit = rate_limit.unwrap_or_default();
        Self {
            fields: [
                Field::new("url", "where messages are sent, https://…", url),
                Field::new("description", "the name to show", description),
                Field::new(
                    "event_types",
                    "with spaces between; task.* of a task, * all",
                    types,
                ),
                Field::new(
                    "rate_limit",
                    "messages a second; empty is no limit",
                    &rate_limit,
                ),
            ],
            at: 0,
            refusal: None,
            began: None,
        }
    }

    pub fn press(&mut self, key: KeyEvent) -> bool {
        let field = &mut self.fields[self.at];
        let is_taken = field.prompt.press(key);
        field.fault.clone_from(&field.prompt.refused);
        is_taken
    }

    pub fn paste(&mut self, text: &str) {
        let field = &mut self.fields[self.at];
        field.prompt.paste(text);
        field.fault.clone_from(&field.prompt.refused);
    }

    /// Goes so many fields on, round at the ends.
    pub fn turn(&mut self, by: isize) {
        let n = self.fields.len();
        self.at = self.at.saturating_add_signed(by + n as isize) % n;
    }

    /// Tells what the service would refuse, and goes there.
    pub fn note_fault(&mut self, fault: &FieldFault) {
        if let Some(at) = (self.fields.iter()).position(|field| field.name == fault.field) {
            self.fields[at].fault = Some(fault.why.clone());
            self.at = at;
        }
    }

    /// The endpoint as the form was opened over it; of a new one there is none.
    pub fn began(&self) -> Option<&Endpoint> {
        self.began.as_ref()
    }

    /// Which of the fields that are to be changed somebody else changed since the form was opened.
    fn overtaken(&self, edit: &EndpointEdit, now: &Endpoint) -> Vec<FieldFault> {
        let differs = self
            .began
            .iter()
            .flat_map(|began| edit.overtaken(began, now));
        differs
            .map(|differs| FieldFault {
                field: differs.field,
                why: format!(
                    "it was {} when you began and is {} now: somebody else changed it, and nothing \
                     was sent; Enter again replaces it",
                    differs.before, differs.now
                ),
            })
            .collect()
    }

    /// What was typed, over the endpoint as it is now; which fields were changed by somebody else
    /// stands at them.
    #[must_use]
    pub fn over(&self, edit: &EndpointEdit, now: &Endpoint) -> Self {
        let mut form = Self::of(now).retyped(edit);
        // The first is gone to.
        for fault in self.overtaken(edit, now).iter().rev() {
            form.note_fault(fault);
        }
        form
    }

    /// What is to be changed, if every field is as the service takes it; else the faults are noted
    /// and the first is gone to.
    pub fn edit(&mut self) -> Option<EndpointEdit> {
        self.refusal = None;
        let [url, description, types, rate_limit] = &self.fields;
        let limit = rate_limit.text();
        let number = limit.parse::<u64>().ok();
        let unread =
            (rate_limit.is_changed() && !limit.is_empty() && limit != "none" && number.is_none())
                .then(|| format!("{limit:?} is no whole number"));
        let masked = (url.is_changed() && url.text().contains(MASK))
            .then(|| format!("what is masked ({MASK}) must be typed out to change the URL"));
        let edit = EndpointEdit {
            url: url.is_changed().then(|| url.text().to_owned()),
            description: description
                .is_changed()
                .then(|| description.text().to_owned()),
            event_types: types.is_changed().then(|| types_named(words(types.text()))),
            rate_limit: rate_limit.is_changed().then_some(number),
            disabled: None,
        };
        let faults = if self.began.is_none() {
            EndpointDraft::default().with(&edit).faults()
        } else {
            edit.faults()
        };
        for field in &mut self.fields {
            let found = faults.iter().find(|fault| fault.field == field.name);
            let found = found.map(|fault| fault.why.clone());
            // What was meant to stand there is not what would be sent.
            field.fault = field.prompt.refused.clone().or(found);
        }
        if unread.is_some() {
            self.fields[3].fault = unread;
        }
        if masked.is_some() {
            self.fields[0].fault = masked;
        }
        match self.fields.iter().position(|field| field.fault.is_some()) {
            Some(at) => {
                self.at = at;
                None
            }
            None => Some(edit),
        }
    }
}

fn types_text(types: Option<&[String]>) -> String {
    types.map_or_else(|| EVERY_EVENT.to_owned(), |types| types.join(" "))
}

fn words(text: &str) -> Vec<String> {
    text.split([' ', ','])
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{EndpointId, EventType};

    fn endpoint(url: &str) -> Endpoint {
        Endpoint {
            id: EndpointId::new("ep_1"),
            url: url.into(),
            description: "prod".into(),
            event_types: Some(Arc::from([EventType::new("task.failed")])),
            rate_limit: Some(5),
            disabled: false,
            created: None,
            updated: None,
            is_inferred: false,
        }
    }

    #[test]
    fn only_what_was_typed_is_changed() {
        let mut form = Form::of(&endpoint("https://***@example.com/?token=***"));
        assert_eq!(form.edit(), Some(EndpointEdit::default()));
        form.turn(1);
        form.paste(" 2");
        form.turn(-2);
        form.fields[3].prompt = Prompt::new("");
        let edit = EndpointEdit {
            description: Some("prod 2".to_owned()),
            rate_limit: Some(None),
            ..EndpointEdit::default()
        };
        assert_eq!(form.edit(), Some(edit));
    }

    #[test]
    fn what_the_service_has_is_not_judged_and_all_events_come_back() {
        let mut odd = Endpoint {
            event_types: None,
            rate_limit: Some(100_000),
            ..endpoint("http://a b/")
        };
        let mut form = Form::of(&odd);
        assert_eq!(form.fields[2].prompt.text(), "*");
        form.fields[1].prompt = Prompt::new("new");
        let edit = EndpointEdit {
            description: Some("new".to_owned()),
            ..EndpointEdit::default()
        };
        assert_eq!(form.edit(), Some(edit.clone()));
        form.fields[2].prompt = Prompt::new("task.failed");
        let types = form.edit().and_then(|edit| edit.event_types);
        assert_eq!(types, Some(Some(vec!["task.failed".to_owned()])));
        // And back again.
        odd.event_types = Some(Arc::from([]));
        let mut form = Form::of(&odd);
        form.fields[1].prompt = Prompt::new("new");
        assert_eq!(form.edit(), Some(edit));
        form.fields[2].prompt = Prompt::new("*");
        let edit = form.edit().unwrap_or_default();
        assert_eq!(edit.event_types, Some(None));
        assert_eq!(Form::of(&odd).retyped(&edit).fields[2].prompt.text(), "*");
        form.fields[2].prompt = Prompt::new("* task.failed");
        assert_eq!(form.edit(), None);
    }

    #[test]
    fn what_somebody_else_changed_meanwhile_is_told_before_it_is_replaced() {
        let began = endpoint("https://example.com/old");
        let mut form = Form::of(&began);
        form.fields[0].prompt = Prompt::new("https://example.com/mine");
        let edit = form.edit().unwrap_or_default();
        assert_eq!(form.overtaken(&edit, &began), []);
        // Another field, and the same change, take nothing back.
        let mut now = endpoint("https://example.com/mine");
        now.description = "theirs".into();
        assert_eq!(form.overtaken(&edit, &now), []);
        now.url = "https://example.com/theirs".into();
        let faults = form.overtaken(&edit, &now);
        let fields: Vec<_> = faults.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["url"]);
        let words = "was https://example.com/old when you began and is https://example.com/theirs";
        assert!(faults[0].why.contains(words), "{}", faults[0].why);
        // Shown over what is there now, it is sent by a second Enter, unless it changes once more.
        let mut again = form.over(&edit, &now);
        assert!(again.fields[0].fault.is_some());
        assert_eq!(again.fields[1].text(), "theirs");
        assert_eq!(again.edit().as_ref(), Some(&edit));
        assert_eq!(again.overtaken(&edit, &now), []);
        assert_eq!(again.overtaken(&edit, &began).len(), 1);
    }

    #[test]
    fn a_masked_url_is_never_sent() {
        let mut form = Form::of(&endpoint("https://***@example.com/?token=***"));
        form.paste("&more=1");
        assert_eq!(form.edit(), None);
        assert!(form.fields[0].fault.is_some());
        form.fields[0].prompt = Prompt::new("https://example.com/new");
        let url = form.edit().and_then(|edit| edit.url);
        assert_eq!(url.as_deref(), Some("https://example.com/new"));
    }

    #[test]
    fn faults_stand_at_their_fields() {
        let mut form = Form::default();
        form.fields[2].prompt = Prompt::new("");
        form.fields[3].prompt = Prompt::new("many");
        assert_eq!(form.edit(), None);
        let with_fault: Vec<_> = form
            .fields
            .iter()
            .filter(|field| field.fault.is_some())
            .map(|field| field.name)
            .collect();
        assert_eq!(with_fault, ["url", "event_types", "rate_limit"]);
        assert_eq!(form.at, 0);
    }
}
