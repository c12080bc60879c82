//! JSON as its tokens, and the ways in which common programs write it again.
//!
//! A signature covers bytes. A receiver whose framework parsed the body, and that writes it again
//! to check it, has other bytes: this file makes those other forms, so that the doctor can say
//! which one it was.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde::de::IgnoredAny;

mod number;

/// Deeper JSON has no forms; `serde_json` stops there too.
const MAX_DEPTH: usize = 128;

/// A JSON text: every token as it came.
#[derive(Debug, Clone, PartialEq)]
pub enum Node<'a> {
    /// A string, with its quotes.
    Text(&'a str),
    /// A number, `true`, `false` or `null`.
    Bare(&'a str),
    Array(Vec<Node<'a>>),
    Object(Vec<(&'a str, Node<'a>)>),
}

/// Where the white space is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Compact,
    /// `", "` and `": "`, as Python's json.dumps has them.
    Spaced,
    Indented(usize),
}

/// What of a string is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// As it came.
    Kept,
    /// Only what JSON demands.
    Least,
    /// Everything beyond ASCII too.
    Ascii,
    /// The same, and `/`.
    AsciiSlash,
    /// `<`, `>`, `&`, U+2028 and U+2029 too.
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// As they came.
    Kept,
    Javascript,
    Python,
}

/// One way of writing JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// What writes so, for people.
    pub name: &'static str,
    layout: Layout,
    escapes: Escapes,
    numbers: Numbers,
    is_sorted: bool,
}

const fn form(
    name: &'static str,
    layout: Layout,
    escapes: Escapes,
    numbers: Numbers,
    is_sorted: bool,
) -> Form {
    Form {
        name,
        layout,
        escapes,
        numbers,
        is_sorted,
    }
}

impl Form {
    pub fn is_sorted(&self) -> bool {
        self.is_sorted
    }

    pub fn is_indented(&self) -> bool {
        matches!(self.layout, Layout::Indented(_))
    }
}

/// What JavaScript's `JSON.stringify` gives.
pub const STRINGIFY: Form = form(
    "JSON.stringify writes it",
    Layout::Compact,
    Escapes::Least,
    Numbers::Javascript,
    false,
);

/// The forms that are tried, the most usual first.
#[rustfmt::skip]
pub const FORMS: [Form; 17] = {
    use {Escapes as E, Layout as L, Numbers as N};
    [
        STRINGIFY,
        form("JSON without white space", L::Compact, E::Kept, N::Kept, false),
        form("Python's json.dumps writes it", L::Spaced, E::Ascii, N::Python, false),
        form("Python's json.dumps(ensure_ascii=False) writes it", L::Spaced, E::Least, N::Python, false),
        form("JSON with a space after each comma and colon", L::Spaced, E::Kept, N::Kept, false),
        form("Python's json.dumps(separators=(',', ':')) writes it", L::Compact, E::Ascii, N::Python, false),
        form("Python's compact writers (httpx, orjson) write it", L::Compact, E::Least, N::Python, false),
        form("JSON.stringify writes it, with its keys sorted", L::Compact, E::Least, N::Javascript, true),
        form("JSON without white space, with its keys sorted", L::Compact, E::Kept, N::Kept, true),
        form("Python's json.dumps(sort_keys=True) writes it", L::Spaced, E::Ascii, N::Python, true),
        form("Python's compact json.dumps(sort_keys=True) writes it", L::Compact, E::Ascii, N::Python, true),
        form("Go's json.Marshal writes a map", L::Compact, E::Html, N::Javascript, true),
        form("Rails' to_json or Go's json.Marshal of a struct writes it", L::Compact, E::Html, N::Javascript, false),
        form("PHP's json_encode writes it", L::Compact, E::AsciiSlash, N::Javascript, false),
        form("JSON indented by 2", L::Indented(2), E::Least, N::Javascript, false),
        form("JSON indented by 4", L::Indented(4), E::Ascii, N::Python, false),
        form("JSON indented by 2, with its keys sorted", L::Indented(2), E::Least, N::Javascript, true),
    ]
};

impl<'a> Node<'a> {
    /// Reads the tokens of a JSON text; `None` if it is none.
    pub fn read(body: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        // So that the tokeniser may rely on the grammar.
        serde_json::from_str::<IgnoredAny>(text).ok()?;
        let mut rest = text.trim();
        tokens(&mut rest, MAX_DEPTH)
    }

    /// The text in a form.
    pub fn written(&self, form: &Form) -> String {
        let mut out = String::new();
        write(&mut out, self, form, 0);
        out
    }

    /// With the members of every object in this order; others follow as they are.
    pub fn ordered(&self, first: &dyn Fn(&str) -> usize) -> Self {
        match self {
            Self::Array(items) => {
                Self::Array(items.iter().map(|item| item.ordered(first)).collect())
            }
            Self::Object(members) => {
                let mut members: Vec<_> = members
                    .iter()
                    .map(|(key, value)| (*key, value.ordered(first)))
                    .collect();
                members.sort_by_key(|(key, _)| first(key.trim_matches('"')));
                Self::Object(members)
            }
            other => other.clone(),
        }
    }

    /// The members of the object at this path of keys.
    pub fn members_at(&mut self, path: &[&str]) -> Option<&mut Vec<(&'a str, Node<'a>)>> {
        let Self::Object(members) = self else {
            return None;
        };
        let Some((key, rest)) = path.split_first() else {
            return Some(members);
        };
        let (_, value) = members
            .iter_mut()
            .find(|(held, _)| held.trim_matches('"') == *key)?;
        value.members_at(rest)
    }
}

/// Whether JSON stands on lines of its own, as for people to read.
pub fn is_indented(body: &[u8]) -> bool {
    let mut after = body.trim_ascii().iter().skip(1);
    // Behind the first bracket; within a string there is no line end.
    after
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'))
        .is_some_and(|byte| *byte == b'\n')
}

/// The form in which a text already is, if it is one of ours.
pub fn form_of(body: &[u8]) -> Option<&'static Form> {
    let node = Node::read(body)?;
    FORMS
        .iter()
        .find(|form| node.written(form).as_bytes() == body)
}

/// One value off the front of a text that is known to be JSON, nested at most this deep.
fn tokens<'a>(rest: &mut &'a str, depth: usize) -> Option<Node<'a>> {
    let deeper = depth.checked_sub(1)?;
    *rest = rest.trim_start();
    match rest.chars().next()? {
        '[' => {
            let mut items = Vec::new();
            while !closes(rest, ']') {
                items.push(tokens(rest, deeper)?);
            }
            Some(Node::Array(items))
        }
        '{' => {
            let mut members = Vec::new();
            while !closes(rest, '}') {
                let key = string(rest)?;
                *rest = rest.trim_start().strip_prefix(':')?;
                members.push((key, tokens(rest, deeper)?));
            }
            Some(Node::Object(members))
        }
        '"' => string(rest).map(Node::Text),
        _ => {
            let is_end = |letter: char| matches!(letter, ',' | ']' | '}') || letter.is_whitespace();
            let end = rest.find(is_end).unwrap_or(rest.len());
            let (token, after) = rest.split_at_checked(end)?;
            *rest = after;
            Some(Node::Bare(token))
        }
    }
}

/// Passes the opening bracket or a comma; whether the closing one was passed instead.
fn closes(rest: &mut &str, end: char) -> bool {
    let mut letters = rest.trim_start().chars();
    if !matches!(letters.next(), Some(letter) if letter == end) {
        *rest = letters.as_str().trim_start();
        // Directly behind the opening one: empty.
        return rest.strip_prefix(end).is_some_and(|after| {
            *rest = after;
            true
        });
    }
    *rest = letters.as_str();
    true
}

fn string<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let text = rest.trim_start();
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        if byte == b'"' && !is_escaped {
            let (token, after) = text.split_at_checked(at + 1)?;
            *rest = after;
            return Some(token);
        }
        is_escaped = byte == b'\\' && !is_escaped;
    }
    None
}

fn write(out: &mut String, node: &Node<'_>, form: &Form, depth: usize) {
    match node {
        Node::Text(token) => text(out, token, form.escapes),
        Node::Bare(token) => out.push_str(&number::written(token, form.numbers)),
        Node::Array(items) => list(out, '[', ']', items, form, depth, |out, item| {
            write(out, item, form, depth + 1);
        }),
        Node::Object(members) => {
            let members = arranged(members, form);
            list(out, '{', '}', &members, form, depth, |out, (key, value)| {
                text(out, key, form.escapes);
                out.push_str(if form.layout == Layout::Compact {
                    ":"
                } else {
                    ": "
                });
                write(out, value, form, depth + 1);
            });
        }
    }
}

fn list<T>(
    out: &mut String,
    open: char,
    close: char,
    items: &[T],
    form: &Form,
    depth: usize,
    mut item: impl FnMut(&mut String, &T),
) {
    let line = |out: &mut String, depth: usize| {
        if let Layout::Indented(by) = form.layout {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', by * depth));
        }
    };
    out.push(open);
    for (at, one) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(if form.layout == Layout::Spaced {
                ", "
            } else {
                ","
            });
        }
        line(out, depth + 1);
        item(out, one);
    }
    if !items.is_empty() {
        line(out, depth);
    }
    out.push(close);
}

/// The members as this writer has them: a key twice keeps its first place and last value, and
/// JavaScript puts keys that are whole numbers first.
fn arranged<'n, 'a>(
    members: &'n [(&'a str, Node<'a>)],
    form: &Form,
) -> Vec<(&'a str, &'n Node<'a>)> {
    let mut all: Vec<(&'a str, &'n Node<'a>)> =
        members.iter().map(|(key, value)| (*key, value)).collect();
    if form.numbers != Numbers::Kept {
        let distinct: HashSet<&str> = all.iter().map(|(key, _)| *key).collect();
        if distinct.len() < all.len() {
            let last = |key: &str| members.iter().rev().find(|(held, _)| *held == key);
            let mut seen = HashSet::new();
            all.retain(|(key, _)| seen.insert(*key));
            for (key, value) in &mut all {
                if let Some((_, held)) = last(key) {
                    *value = held;
                }
            }
        }
    }
    if form.is_sorted {
        all.sort_by_key(|(key, _)| *key);
    } else if form.numbers == Numbers::Javascript && form.escapes == Escapes::Least {
        let place = |key: &str| {
            let digits = key.trim_matches('"');
            let is_whole = digits == "0" || !digits.starts_with(['0', '+']);
            digits
                .parse::<u32>()
                .ok()
                .filter(|number| is_whole && *number < u32::MAX)
                .map_or(u64::MAX, u64::from)
        };
        all.sort_by_key(|(key, _)| place(key));
    }
    all
}

fn text(out: &mut String, token: &str, escapes: Escapes) {
    let plain = match escapes {
        Escapes::Kept => None,
        // Half of a surrogate pair alone is no text: it stays as it came.
        _ => serde_json::from_str::<String>(token).ok(),
    };
    let Some(plain) = plain else {
        out.push_str(token);
        return;
    };
    out.push('"');
    for letter in plain.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '/' if escapes == Escapes::AsciiSlash => out.push_str("\\/"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if escapes == Escapes::Html => {
                escaped(out, letter);
            }
            '\0'..'\u{20}' => escaped(out, letter),
            '\u{7f}' if escapes == Escapes::AsciiSlash => out.push(letter),
            _ if !letter.is_ascii() && matches!(escapes, Escapes::Ascii | Escapes::AsciiSlash) => {
                escaped(out, letter);
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}

fn escaped(out: &mut String, letter: char) {
    for unit in letter.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn written(text: &str, name: &str) -> String {
        let form = FORMS.iter().find(|form| form.name.contains(name)).unwrap();
        Node::read(text.as_bytes()).unwrap().written(form)
    }

    /// Node and Python printed theirs; Go's and PHP's follow their documentation.
    #[test]
    fn forms_are_those_of_the_real_programs() {
        let body = "{ \"z\":1.0,  \"a\":\"caf\\u00e9 é <&>/\",\n \"n\":12345678901234567890, \"e\":1e3, \"dup\":1, \"2\":[], \"dup\":2 , \"o\":{} }";
        for (name, expected) in [
            (
                "JSON.stringify writes it",
                "{\"2\":[],\"z\":1,\"a\":\"café é <&>/\",\"n\":12345678901234567000,\"e\":1000,\"dup\":2,\"o\":{}}",
            ),
            (
                "Python's json.dumps writes it",
                "{\"z\": 1.0, \"a\": \"caf\\u00e9 \\u00e9 <&>/\", \"n\": 12345678901234567890, \"e\": 1000.0, \"dup\": 2, \"2\": [], \"o\": {}}",
            ),
            (
                "JSON without white space",
                "{\"z\":1.0,\"a\":\"caf\\u00e9 é <&>/\",\"n\":12345678901234567890,\"e\":1e3,\"dup\":1,\"2\":[],\"dup\":2,\"o\":{}}",
            ),
            (
                "Go's json.Marshal writes a map",
                "{\"2\":[],\"a\":\"café é \\u003c\\u0026\\u003e/\",\"dup\":2,\"e\":1000,\"n\":12345678901234567000,\"o\":{},\"z\":1}",
            ),
        ] {
            assert_eq!(written(body, name), expected, "{name}");
        }
        assert_eq!(
            written("{\"a/b\":\"é\u{1f600}\"}", "PHP's"),
            "{\"a\\/b\":\"\\u00e9\\ud83d\\ude00\"}"
        );
        assert_eq!(
            written("{\"b\":[1,{\"c\":[]}],\"a\":null}", "indented by 2"),
            "{\n  \"b\": [\n    1,\n    {\n      \"c\": []\n    }\n  ],\n  \"a\": null\n}"
        );
    }

    #[test]
    fn what_is_no_json_has_no_form() {
        for text in ["", "{", "{\"a\":1,}", "hello", "{}x"] {
            assert_eq!(Node::read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(form_of(b"{\"a\":1}").unwrap().name, STRINGIFY.name);
        assert_eq!(form_of(b"{\"a\" :1}"), None);
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(Node::read(deep.as_bytes()), None);
    }
}
