//! Other bodies that the signed one may have been, guessed from the one at hand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::json::{self, FORMS, Form, Node, STRINGIFY};

/// A body beyond this is not written again at all, in bytes: each form takes its time.
const MAX_REWRITTEN: usize = 4 << 20;
/// A body beyond this is not written in all orders of its features, in bytes.
const MAX_PERMUTED: usize = 64 << 10;
/// The most features whose orders are all tried (120 of them).
const MAX_FEATURES: usize = 5;
/// Keys of the documented envelope and its task, in the order in which they are documented.
const DOCUMENTED: [&str; 12] = [
    "timestamp",
    "event_id",
    "event_type",
    "data",
    "task",
    "asset",
    "id",
    "asset_id",
    "features",
    "user_id",
    "created",
    "updated",
];

/// How the body at hand differs from the one that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was parsed and written again; the signed one is in this form.
    Written(&'static Form),
    /// The same, only so that people can read it better.
    PrettyPrinted(&'static Form),
    /// It was parsed and written again, and the keys of the signed one stood in the documented order.
    Reordered(&'static Form),
    LineEndAdded,
    LineEndLost,
    /// Line ends became LF.
    CrLost,
    /// Line ends became CRLF.
    CrAdded,
    /// A byte order mark was put in front.
    MarkAdded,
    /// It is base64 of the signed one.
    Base64,
    /// It is a JSON string that holds the signed one.
    Quoted,
}

/// Calls `fits` with each guess until one fits, the most usual first.
pub fn find(body: &[u8], mut fits: impl FnMut(&[u8]) -> bool) -> Option<Change> {
    for (change, guess) in simple(body) {
        if guess != body && fits(&guess) {
            return Some(change);
        }
    }
    if body.len() > MAX_REWRITTEN {
        return None;
    }
    let node = Node::read(body)?;
    let is_indented = json::is_indented(body);
    for form in &FORMS {
        let mut text = node.written(form);
        let change = if is_indented && !form.is_indented() {
            Change::PrettyPrinted(form)
        } else {
            Change::Written(form)
        };
        if text.as_bytes() != body && fits(text.as_bytes()) {
            return Some(change);
        }
        text.push('\n');
        if text.as_bytes() != body && fits(text.as_bytes()) {
            return Some(change);
        }
    }
    documented(&node, body.len(), fits)
}

/// What needs no parsing.
fn simple(body: &[u8]) -> Vec<(Change, Vec<u8>)> {
    let with = |end: &[u8]| [body, end].concat();
    let mut guesses = vec![
        (Change::LineEndLost, with(b"\n")),
        (Change::LineEndLost, with(b"\r\n")),
    ];
    let trimmed = body.trim_ascii_end();
    if trimmed.len() < body.len() {
        guesses.insert(0, (Change::LineEndAdded, trimmed.to_vec()));
        // One line end of two, or another one.
        guesses.push((Change::LineEndAdded, [trimmed, b"\n"].concat()));
        guesses.push((Change::CrLost, [trimmed, b"\r\n"].concat()));
    }
    if memchr::memchr(b'\n', body).is_some() {
        let lf: Vec<u8> = body.iter().copied().filter(|byte| *byte != b'\r').collect();
        let mut crlf = Vec::with_capacity(lf.len() + 16);
        for &byte in &lf {
            if byte == b'\n' {
                crlf.push(b'\r');
            }
            crlf.push(byte);
        }
        guesses.push((Change::CrAdded, lf));
        guesses.push((Change::CrLost, crlf));
    }
    if let Some(bare) = body.strip_prefix(b"\xef\xbb\xbf") {
        guesses.push((Change::MarkAdded, bare.to_vec()));
    }
    if let Ok(inner) = STANDARD.decode(trimmed) {
        guesses.push((Change::Base64, inner));
    }
    if let Ok(inner) = serde_json::from_slice::<String>(body) {
        guesses.push((Change::Quoted, inner.into_bytes()));
    }
    guesses
}

/// The documented order of keys, with the features in every order: they have none of their own.
fn documented(node: &Node<'_>, size: usize, mut fits: impl FnMut(&[u8]) -> bool) -> Option<Change> {
    if size > MAX_PERMUTED {
        return None;
    }
    let place = |of: &str, key: &str| {
        let known = DOCUMENTED.iter().position(|name| *name == key);
        match (of, key) {
            // In the envelope the user stands behind the time, in a task behind the features.
            ("envelope", "user_id") => 1,
            _ => known.map_or(usize::MAX, |at| at * 2),
        }
    };
    let mut node = node.ordered(&|key| place("", key));
    node.members_at(&[])?
        .sort_by_key(|(key, _)| place("envelope", key.trim_matches('"')));
    let features = ["data", "task", "features"];
    let n = node.members_at(&features).map_or(0, |all| all.len());
    let n = if n > MAX_FEATURES { 0 } else { n };
    let orders: usize = (1..=n).product();
    let original = node.members_at(&features).map(|all| all.clone());
    for order in 0..orders {
        if let (Some(held), Some(original)) = (node.members_at(&features), &original)
            && n > 0
        {
            *held = nth_order(original, order);
        }
        for form in FORMS.iter().filter(|form| !form.is_sorted()) {
            if fits(node.written(form).as_bytes()) {
                return Some(Change::Reordered(form));
            }
        }
    }
    None
}

/// The items in the order of this number, of as many as there are.
fn nth_order<T: Clone>(items: &[T], mut order: usize) -> Vec<T> {
    let mut left = items.to_vec();
    let mut arranged = Vec::with_capacity(items.len());
    while !left.is_empty() {
        let n = left.len();
        arranged.push(left.remove(order % n));
        order /= n;
    }
    arranged
}

/// Whether a receiver that parses the body and checks `JSON.stringify` of it has the same bytes.
pub fn survives_stringify(body: &[u8]) -> bool {
    Node::read(body).is_none_or(|node| node.written(&STRINGIFY).as_bytes() == body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_comes_once() {
        let mut seen: Vec<Vec<u8>> = (0..24).map(|order| nth_order(b"abcd", order)).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 24);
    }
}
