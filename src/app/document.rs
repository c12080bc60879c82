//! A document: JSON laid out in lines made of its own tokens, or plain text.
//!
//! Tokens are ranges of the text as it came: keys keep their order, numbers their digits. Nothing
//! is parsed into values and nothing recurses, so that hostile nesting costs nothing.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::list::Step;

/// Most lines laid out; what is beyond is said to be missing.
const MAX_LINES: usize = 100_000;

/// What a token is, for its color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    Punctuation,
    Key,
    Text,
    Number,
    Word,
}

/// A piece of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub range: Range<usize>,
    pub kind: TokenKind,
}

/// One line of the layout.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    pub indent: u16,
    pub tokens: Vec<Token>,
    /// For a line that opens an object or array: the line that closes it, and its items.
    pub opens: Option<(usize, usize)>,
}

/// A text laid out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    text: Arc<str>,
    pub lines: Vec<Line>,
    pub is_json: bool,
    /// Whether the end is missing from the layout.
    pub is_cut: bool,
}

impl Document {
    /// Lays out JSON; text that is none is laid out by its own lines.
    pub fn new(text: Arc<str>) -> Self {
        match lay_out(&text) {
            Some((lines, is_cut)) => Self {
                text,
                lines,
                is_json: true,
                is_cut,
            },
            None => Self::plain(text),
        }
    }

    fn plain(text: Arc<str>) -> Self {
        let mut lines = Vec::new();
        let mut at = 0;
        for line in text.split('\n').take(MAX_LINES) {
            let end = at + line.trim_end_matches('\r').len();
            lines.push(Line {
                tokens: vec![Token {
                    range: at..end,
                    kind: TokenKind::Text,
                }],
                ..Line::default()
            });
            at += line.len() + 1;
        }
        let is_cut = at <= text.len();
        Self {
            text,
            lines,
            is_json: false,
            is_cut,
        }
    }

    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    pub fn piece(&self, token: &Token) -> &str {
        self.text.get(token.range.clone()).unwrap_or_default()
    }
}

/// A document as a pane shows it: what is folded, and which line is selected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DocumentPane {
    pub document: Document,
    folded: BTreeSet<usize>,
    /// A line of the document.
    line: usize,
}

impl DocumentPane {
    /// Takes another text in; the same one changes nothing.
    pub fn show(&mut self, text: &Arc<str>) {
        if !Arc::ptr_eq(self.document.text(), text) && **self.document.text() != **text {
            *self = Self {
                document: Document::new(text.clone()),
                ..Self::default()
            };
        }
    }

    pub fn selected(&self) -> usize {
        self.line
    }

    pub fn is_folded(&self, line: usize) -> bool {
        self.folded.contains(&line)
    }

    /// The lines that are not folded away.
    pub fn visible(&self) -> Vec<usize> {
        let mut visible = Vec::new();
        let mut at = 0;
        while let Some(line) = self.document.lines.get(at) {
            visible.push(at);
            at = match line.opens {
                Some((end, _)) if self.is_folded(at) => end + 1,
                _ => at + 1,
            };
        }
        visible
    }

    pub fn step(&mut self, step: Step) {
        let visible = self.visible();
        let Some(last) = visible.len().checked_sub(1) else {
            return;
        };
        let row = visible.partition_point(|line| *line < self.line).min(last);
        let row = match step {
            Step::Up(n) | Step::PageUp(n) => row.saturating_sub(n),
            Step::Down(n) | Step::PageDown(n) => (row + n).min(last),
            Step::First => 0,
            Step::Last => last,
        };
        self.line = visible.get(row).copied().unwrap_or(0);
    }

    /// Folds or unfolds the selected line. Returns whether there was something to fold.
    pub fn toggle(&mut self) -> bool {
        let is_folded = self.is_folded(self.line);
        self.set_folded(!is_folded)
    }

    /// Folds or unfolds the selected line. Returns whether anything changed.
    pub fn set_folded(&mut self, is_folded: bool) -> bool {
        let opens = self
            .document
            .lines
            .get(self.line)
            .is_some_and(|line| line.opens.is_some());
        opens
            && if is_folded {
                self.folded.insert(self.line)
            } else {
                self.folded.remove(&self.line)
            }
    }
}

/// An object or array that is open: the line it opened on, its items so far.
struct Open {
    line: usize,
    items: usize,
    is_object: bool,
}

/// Lays out JSON; `None` if it is none. The second part says whether the end is missing.
fn lay_out(text: &str) -> Option<(Vec<Line>, bool)> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut lines = vec![Line::default()];
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    let mut is_ended = false;
    while let Some(range) = next_token(text, at) {
        let Ok(range) = range else {
            return None;
        };
        if is_ended {
            return None;
        }
        at = range.end;
        let first = text.as_bytes().get(range.start).copied()?;
        match first {
            b'{' | b'[' => {
                push_value(&mut lines, &mut open, range, TokenKind::Punctuation);
                let line = lines.len() - 1;
                open.push(Open {
                    line,
                    items: 0,
                    is_object: first == b'{',
                });
                if is_closing(text, at) {
                    continue;
                }
                start_line(&mut lines, open.len());
            }
            b'}' | b']' => {
                let closed = open.pop()?;
                if closed.is_object != (first == b'}') {
                    return None;
                }
                if closed.items > 0 {
                    start_line(&mut lines, open.len());
                    let end = lines.len() - 1;
                    lines.get_mut(closed.line)?.opens = Some((end, closed.items));
                }
                push(&mut lines, range, TokenKind::Punctuation);
                is_ended = open.is_empty();
            }
            b',' => {
                push(&mut lines, range, TokenKind::Punctuation);
                start_line(&mut lines, open.len());
            }
            b':' => push(&mut lines, range, TokenKind::Punctuation),
            b'"' => {
                let is_key = open.last().is_some_and(|open| open.is_object)
                    && text[at..].trim_start().starts_with(':');
                let is_value = lines.last().is_some_and(|line| !line.tokens.is_empty());
                if is_key && !is_value {
                    push(&mut lines, range, TokenKind::Key);
                    if let Some(open) = open.last_mut() {
                        open.items += 1;
                    }
                } else {
                    push_value(&mut lines, &mut open, range, TokenKind::Text);
                }
            }
            b'-' | b'0'..=b'9' => push_value(&mut lines, &mut open, range, TokenKind::Number),
            _ => push_value(&mut lines, &mut open, range, TokenKind::Word),
        }
        if lines.len() > MAX_LINES {
            return Some((lines, true));
        }
    }
    (is_ended && open.is_empty()).then_some((lines, false))
}

/// Items of an array are counted here, those of an object by their keys.
fn push_value(lines: &mut [Line], open: &mut [Open], range: Range<usize>, kind: TokenKind) {
    if let Some(open) = open.last_mut()
        && !open.is_object
    {
        open.items += 1;
    }
    push(lines, range, kind);
}

fn push(lines: &mut [Line], range: Range<usize>, kind: TokenKind) {
    if let Some(line) = lines.last_mut() {
        line.tokens.push(Token { range, kind });
    }
}

fn start_line(lines: &mut Vec<Line>, indent: usize) {
    lines.push(Line {
        indent: indent.min(60) as u16,
        ..Line::default()
    });
}

fn is_closing(text: &str, at: usize) -> bool {
    text.get(at..)
        .is_some_and(|rest| rest.trim_start().starts_with(['}', ']']))
}

/// What stands there is no JSON.
struct NotJson;

/// The next token's range; `None` at the end.
fn next_token(text: &str, at: usize) -> Option<Result<Range<usize>, NotJson>> {
    let bytes = text.as_bytes();
    let start = at
        + bytes
            .get(at..)?
            .iter()
            .position(|byte| !byte.is_ascii_whitespace())?;
    let rest = bytes.get(start..)?;
    let len = match rest.first()? {
        b'{' | b'}' | b'[' | b']' | b',' | b':' => Some(1),
        b'"' => string_len(rest),
        b'-' | b'0'..=b'9' => Some(
            rest.iter()
                .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
                .count(),
        ),
        _ => ["true", "false", "null"]
            .into_iter()
            .find(|word| rest.starts_with(word.as_bytes()))
            .map(str::len),
    };
    Some(len.map(|len| start..start + len).ok_or(NotJson))
}

/// Length of the string literal that `bytes` begin with, quotes included.
fn string_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let document = Document::new(text.into());
        document
            .lines
            .iter()
            .map(|line| {
                let tokens: String = line
                    .tokens
                    .iter()
                    .map(|token| document.piece(token))
                    .collect();
                format!("{}{tokens}", "  ".repeat(usize::from(line.indent)))
            })
            .collect()
    }

    #[test]
    fn keys_keep_their_order_and_numbers_their_digits() {
        let text = r#"{"z":12345678901234567890123,"a":[1.0e+10, {}, []],"b":{"c":null}}"#;
        assert_eq!(
            lines(text),
            [
                "{",
                "  \"z\":12345678901234567890123,",
                "  \"a\":[",
                "    1.0e+10,",
                "    {},",
                "    []",
                "  ],",
                "  \"b\":{",
                "    \"c\":null",
                "  }",
                "}"
            ]
        );
    }

    #[test]
    fn folding_hides_what_lies_inside() {
        let mut pane = DocumentPane::default();
        pane.show(&r#"{"a":{"b":1,"c":2},"d":3}"#.into());
        assert_eq!(pane.document.lines[0].opens, Some((6, 2)));
        assert_eq!(pane.document.lines[1].opens, Some((4, 2)));
        pane.step(Step::Down(1));
        assert!(pane.toggle());
        assert_eq!(pane.visible(), [0, 1, 5, 6]);
        pane.step(Step::Down(1));
        assert_eq!(pane.selected(), 5);
        assert!(!pane.toggle());
    }

    #[test]
    fn what_is_no_json_is_shown_as_it_came() {
        for text in [
            "upstream reset",
            "{\"a\":",
            "{]",
            "{\"a\" \u{1b}}",
            "",
            "[1] x",
            "\"\\",
        ] {
            let document = Document::new(text.into());
            assert!(!document.is_json, "{text}");
            assert_eq!(document.lines.len(), 1);
        }
        assert_eq!(lines("a\r\nb"), ["a", "b"]);
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let text = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        let document = Document::new(text.into());
        assert!(document.is_json);
    }
}
