//! Two attempts of one message at one endpoint, or two messages of one task, side by side: what
//! changed from the earlier to the later.

mod leaves;

use std::sync::Arc;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::document::Document;
use super::list::Step;
use crate::domain::{
    Attempt, AttemptId, Delivery, EndpointId, History, MessageId, Payload, answer,
};
pub use leaves::Changed;
use leaves::changed;

/// Lines of either text that are compared at most: their comparison costs their product.
pub const MAX_LINES: usize = 4000;

/// What is compared: the earlier and the later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    Attempts {
        message: MessageId,
        ids: [AttemptId; 2],
    },
    Messages([MessageId; 2]),
}

/// A line of a comparison, by its places in the two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffLine {
    Same(usize, usize),
    /// Only in the earlier.
    Gone(usize),
    /// Only in the later.
    New(usize),
}

/// The page of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffPage {
    pub of: Compared,
    /// The earlier text and the later.
    pub texts: [Document; 2],
    pub lines: Vec<DiffLine>,
    /// Values of JSON that differ, by their paths.
    pub changed: Vec<Changed>,
    /// Whether lines were left out of the comparison.
    pub is_cut: bool,
    /// Side by side where there is room; else one below the other.
    pub is_beside: bool,
    /// Lines that are scrolled away.
    pub top: usize,
}

impl DiffPage {
    pub fn new(of: Compared) -> Self {
        Self {
            of,
            texts: [Document::default(), Document::default()],
            lines: Vec::new(),
            changed: Vec::new(),
            is_cut: false,
            is_beside: false,
            top: 0,
        }
    }

    /// Takes the texts in, where they are new.
    pub(super) fn refresh(&mut self, history: &History) {
        let Some(texts) = self.of.texts(history) else {
            return;
        };
        let is_known = (self.texts.iter().zip(&texts)).all(|(known, text)| known.text() == text);
        if is_known && !self.lines.is_empty() {
            return;
        }
        self.texts = texts.map(Document::new);
        let [before, after] = &self.texts;
        (self.lines, self.is_cut) = compare(before, after);
        self.changed = changed(before, after);
    }

    pub(super) fn step(&mut self, step: Step, max: usize) {
        self.top = step.scrolled(self.top, max);
    }
}

impl Compared {
    /// The texts of both; `None` while one is not known.
    fn texts(&self, history: &History) -> Option<[Arc<str>; 2]> {
        match self {
            Self::Attempts { message, ids } => {
                let delivery = history.deliveries.get(message)?;
                let [before, after] = ids;
                let text = |id| {
                    let attempt = delivery.attempt(id);
                    let response = attempt.map(|attempt| attempt.response.clone());
                    response.filter(|response| !answer::is_expunged(response))
                };
                Some([text(before)?, text(after)?])
            }
            Self::Messages([before, after]) => {
                Some([payload(history, before)?, payload(history, after)?])
            }
        }
    }

    /// The message that is compared, and the endpoint if it is about one.
    pub(super) fn replayed(&self, history: &History) -> (MessageId, Option<EndpointId>) {
        match self {
            Self::Attempts {
                message,
                ids: [_, id],
            } => {
                let delivery = history.deliveries.get(message);
                let attempt = delivery.and_then(|delivery| delivery.attempt(id));
                let endpoint = attempt.map(|attempt| attempt.endpoint.clone());
                (message.clone(), endpoint)
            }
            Self::Messages([_, message]) => (message.clone(), None),
        }
    }

    /// This attempt and the one before it at the same endpoint; the first one and the next.
    pub(super) fn attempt_with_neighbor(
        delivery: &Delivery,
        attempt: &Attempt,
    ) -> Result<Self, &'static str> {
        let all = delivery.attempts_at(&attempt.endpoint);
        let at = all.iter().position(|other| other.id == attempt.id);
        let first = at.unwrap_or(0).saturating_sub(1);
        match all.get(first..=first + 1) {
            Some([before, after]) => Ok(Self::Attempts {
                message: delivery.id.clone(),
                ids: [before.id.clone(), after.id.clone()],
            }),
            _ => Err("it is the only attempt seen at that endpoint"),
        }
    }

    /// The message before this one about the same task, and this one.
    pub(super) fn message_with_earlier(
        history: &History,
        message: &MessageId,
    ) -> Result<Self, &'static str> {
        let delivery = history.deliveries.get(message);
        let task = delivery
            .and_then(|delivery| delivery.message.as_ref())
            .and_then(|message| message.task.as_ref())
            .ok_or("it is not known which task this message is about")?;
        // The newest first.
        let mut all = history.deliveries.of_task(task);
        let _ = all.by_ref().find(|delivery| delivery.id == *message);
        let before = all.next();
        let before =
            before.ok_or("it is the first message seen of its task; choose a later one")?;
        Ok(Self::Messages([before.id.clone(), message.clone()]))
    }
}

fn payload(history: &History, message: &MessageId) -> Option<Arc<str>> {
    match &history.deliveries.get(message)?.message.as_ref()?.payload {
        Payload::Json(text) => Some(text.clone()),
        Payload::Expired | Payload::Absent => None,
    }
}

/// The lines of both, and whether some were left out.
fn compare(before: &Document, after: &Document) -> (Vec<DiffLine>, bool) {
    let (mut old, mut new) = (keys(before), keys(after));
    // Beside a text, none at all is no line of its own.
    match [before, after].map(|text| text.text().is_empty()) {
        [true, false] => old.clear(),
        [false, true] => new.clear(),
        _ => {}
    }
    let mut lines = Vec::with_capacity(old.len().max(new.len()));
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        if let DiffOp::Equal {
            old_index,
            new_index,
            len,
        } = op
        {
            lines.extend((0..len).map(|at| DiffLine::Same(old_index + at, new_index + at)));
        } else {
            lines.extend(op.old_range().map(DiffLine::Gone));
            lines.extend(op.new_range().map(DiffLine::New));
        }
    }
    let is_cut = [before, after]
        .iter()
        .any(|text| text.is_cut || text.lines.len() > MAX_LINES);
    (lines, is_cut)
}

/// What makes two lines the same: a comma at the end does not belong to a value.
fn keys(document: &Document) -> Vec<(u16, String)> {
    let lines = document.lines.iter().take(MAX_LINES);
    lines
        .map(|line| {
            let mut text: String = line.tokens.iter().map(|it| document.piece(it)).collect();
            if document.is_json && text.ends_with(',') {
                text.pop();
            }
            (line.indent, text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(before: &str, after: &str) -> (Vec<DiffLine>, Vec<Changed>) {
        let [before, after] = [before, after].map(|text| Document::new(text.into()));
        (compare(&before, &after).0, changed(&before, &after))
    }

    #[test]
    fn a_comma_makes_no_line_another() {
        let (lines, changed) = compared(r#"{"a":1,"b":2}"#, r#"{"a":1}"#);
        assert_eq!(
            lines,
            [
                DiffLine::Same(0, 0),
                DiffLine::Same(1, 1),
                DiffLine::Gone(2),
                DiffLine::Same(3, 2)
            ]
        );
        assert_eq!(changed.len(), 1);
        assert_eq!(
            (changed[0].path.as_str(), changed[0].after.as_deref()),
            ("b", None)
        );
    }

    #[test]
    fn where_one_text_is_empty_only_the_lines_of_the_other_differ() {
        let (gone, new) = (DiffLine::Gone(0), DiffLine::New(0));
        assert_eq!(compared("bad gateway", "").0, [gone]);
        assert_eq!(compared("", "ok").0, [new]);
        assert_eq!(compared("", "").0, [DiffLine::Same(0, 0)]);
    }

    #[test]
    fn texts_that_are_no_json_are_compared_by_their_lines() {
        let (lines, changed) = compared("bad gateway\nretry", "ok\nretry");
        assert_eq!(
            lines,
            [DiffLine::Gone(0), DiffLine::New(0), DiffLine::Same(1, 1)]
        );
        assert!(changed.is_empty());
    }

    #[test]
    fn long_texts_are_bounded_and_that_is_known() {
        let long = "x\n".repeat(MAX_LINES + 5);
        let document = Document::new(long.as_str().into());
        let (lines, is_cut) = compare(&document, &document);
        assert_eq!((lines.len(), is_cut), (MAX_LINES, true));
    }
}
