//! The values of a JSON document by their paths, and which of them differ between two.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::MAX_LINES;
use crate::app::document::{Document, TokenKind};

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its keys and places with points between: `data.task.features.visual`.
    pub path: String,
    /// As the text has it; `None` where it is not there.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// The values that differ in the lines that are compared, in the order of the later text, then those that are gone.
pub(super) fn changed(before: &Document, after: &Document) -> Vec<Changed> {
    if !before.is_json || !after.is_json {
        return Vec::new();
    }
    let (old, new) = (leaves(before), leaves(after));
    let known: BTreeMap<&str, &str> = old.iter().map(|(path, value)| (&**path, *value)).collect();
    let met: BTreeSet<&str> = new.iter().map(|(path, _)| &**path).collect();
    let other = new.iter().filter_map(|(path, value)| {
        let was = known.get(&**path).copied();
        (was != Some(value)).then(|| Changed {
            path: path.clone(),
            before: was.map(str::to_owned),
            after: Some((*value).to_owned()),
        })
    });
    let gone = old.iter().filter(|(path, _)| !met.contains(&**path));
    let gone = gone.map(|(path, value)| Changed {
        path: path.clone(),
        before: Some((*value).to_owned()),
        after: None,
    });
    other.chain(gone).collect()
}

/// A container that is open: the path within it, and the place of its next item.
struct Open {
    path: String,
    next: usize,
}

/// Every value that is no container, or an empty one, with its path.
fn leaves(document: &Document) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for line in document.lines.iter().take(MAX_LINES) {
        let Some(first) = line.tokens.first() else {
            continue;
        };
        let first_text = document.piece(first);
        if matches!(first_text, "}" | "]") {
            open.pop();
            continue;
        }
        let (name, from) = if first.kind == TokenKind::Key {
            (unquoted(first_text).to_owned(), 2)
        } else {
            let next = open.last_mut().map_or(0, |open| {
                open.next += 1;
                open.next - 1
            });
            (next.to_string(), 0)
        };
        let path = match open.last() {
            None => String::new(),
            Some(open) if open.path.is_empty() => short(name),
            Some(open) => short(format!("{}.{name}", open.path)),
        };
        if line.opens.is_some() {
            open.push(Open { path, next: 0 });
            continue;
        }
        let mut tokens = line.tokens.get(from..).unwrap_or_default();
        if let [rest @ .., last] = tokens
            && document.piece(last) == ","
        {
            tokens = rest;
        }
        if let (Some(first), Some(last)) = (tokens.first(), tokens.last()) {
            let value = document.text().get(first.range.start..last.range.end);
            found.push((path, value.unwrap_or_default()));
        }
    }
    found
}

/// Most bytes of a path: every value below it carries it.
const MAX_PATH: usize = 512;
/// Bytes of the end of a longer one that are kept.
const TAIL: usize = 128;

/// The path; of a long one a hash and its end, so that two never become one.
fn short(path: String) -> String {
    if path.len() <= MAX_PATH {
        return path;
    }
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    let tail = &path[path.ceil_char_boundary(path.len() - TAIL)..];
    format!("…{:016x}…{tail}", hasher.finish())
}

fn unquoted(text: &str) -> &str {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::new(text.into())
    }

    #[test]
    fn values_are_found_by_their_paths() {
        let document = document(r#"{"a":{"b":[1,{"c":"x"},[]],"d":{}},"e":null}"#);
        let found = leaves(&document);
        let found: Vec<(&str, &str)> = found.iter().map(|(path, it)| (&**path, *it)).collect();
        assert_eq!(
            found,
            [
                ("a.b.0", "1"),
                ("a.b.1.c", "\"x\""),
                ("a.b.2", "[]"),
                ("a.d", "{}"),
                ("e", "null")
            ]
        );
    }

    #[test]
    fn long_keys_cost_little_and_stay_apart() {
        let key = "k".repeat(1 << 20);
        let text = |value: u8| format!("{{\"{key}1\":[{value},2],\"{key}2\":[3,4]}}");
        let document = Document::new(text(1).as_str().into());
        let found = leaves(&document);
        assert!(found.iter().all(|(path, _)| path.len() <= MAX_PATH));
        let paths: BTreeSet<&String> = found.iter().map(|(path, _)| path).collect();
        assert_eq!(paths.len(), 4);
        let other = Document::new(text(9).as_str().into());
        assert_eq!(changed(&document, &other).len(), 1);
    }

    #[test]
    fn what_differs_is_told_with_both_values() {
        let before =
            document(r#"{"features":{"visual":"processing","proxy":"completed"},"old":1}"#);
        let after =
            document(r#"{"features":{"proxy":"completed","visual":"failed","extra":"queued"}}"#);
        let told: Vec<(String, Option<String>, Option<String>)> = changed(&before, &after)
            .into_iter()
            .map(|it| (it.path, it.before, it.after))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                (
                    "features.visual".into(),
                    text("\"processing\""),
                    text("\"failed\"")
                ),
                ("features.extra".into(), None, text("\"queued\"")),
                ("old".into(), text("1"), None),
            ]
        );
    }
}
