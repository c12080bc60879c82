//! How deep and how large a JSON text is, told before it is parsed: a body within its limit of
//! bytes may still unfold to thirty times that in memory.

use memchr::memchr2;
use serde_json::{Map, Value};

/// Bounds on the shape of one JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Objects and lists within one another.
    pub depth: usize,
    /// Values of every kind together.
    pub values: usize,
}

/// What goes beyond a bound; the parser itself goes no deeper than [`MAX_DEPTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Beyond {
    #[error("JSON nested deeper than {0} levels")]
    Depth(usize),
    #[error("JSON of more than {0} values")]
    Values(usize),
}

/// The deepest nesting that the parser takes.
pub const MAX_DEPTH: usize = 127;

impl Default for Shape {
    fn default() -> Self {
        Self {
            depth: 64,
            values: 2_000_000,
        }
    }
}

impl Shape {
    /// Checks a text, which need not be sound JSON.
    pub fn check(self, json: &[u8]) -> Result<(), Beyond> {
        let (mut depth, mut n_values) = (0_usize, 1_usize);
        let mut at = 0;
        while let Some(&byte) = json.get(at) {
            at += 1;
            match byte {
                b'"' => at = end_of_string(json, at),
                b'[' | b'{' => {
                    depth += 1;
                    n_values += 1;
                    if depth > self.depth {
                        return Err(Beyond::Depth(self.depth));
                    }
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' => n_values += 1,
                _ => {}
            }
            if n_values > self.values {
                return Err(Beyond::Values(self.values));
            }
        }
        Ok(())
    }
}

/// What stands in a text for what was cut out of it.
const CUT: &str = "\u{1}reeltop: nested too deep";

impl Shape {
    /// The text with everything that is nested too deep cut out, so that the rest of it can be
    /// read; need not be sound JSON either.
    pub fn cut(self, json: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(json.len());
        let (mut depth, mut at, mut from) = (0_usize, 0, 0);
        while let Some(&byte) = json.get(at) {
            at += 1;
            match byte {
                b'"' => at = end_of_string(json, at),
                b'[' | b'{' => {
                    depth += 1;
                    if depth == self.depth + 1 {
                        kept.extend_from_slice(&json[from..at - 1]);
                        kept.extend_from_slice(Value::from(CUT).to_string().as_bytes());
                    }
                }
                b']' | b'}' => {
                    if depth == self.depth + 1 {
                        from = at;
                    }
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
        }
        if depth <= self.depth {
            kept.extend_from_slice(&json[from..]);
        }
        kept
    }
}

/// Whether something was cut out of this row.
pub fn is_cut(row: &Map<String, Value>) -> bool {
    fn holds(value: &Value) -> bool {
        match value {
            Value::String(text) => text == CUT,
            Value::Array(items) => items.iter().any(holds),
            Value::Object(fields) => fields.values().any(holds),
            _ => false,
        }
    }
    row.values().any(holds)
}

/// The place behind the quote that ends a string which begins at `at`.
fn end_of_string(json: &[u8], mut at: usize) -> usize {
    while let Some(length) = json.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += length + 1;
        if json[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_and_values_are_counted_outside_strings() {
        let shape = Shape {
            depth: 3,
            values: 6,
        };
        for fine in [
            "",
            "7",
            r#"{"a":[{"b":"[[[[[[,,,,,,,,"}]}"#,
            r#"["\"[[[[","\\",1]"#,
            "]]]][[[",
        ] {
            assert_eq!(shape.check(fine.as_bytes()), Ok(()), "{fine}");
        }
        assert_eq!(shape.check(b"[[[["), Err(Beyond::Depth(3)));
        assert_eq!(shape.check(br#"["\\",[[["#), Err(Beyond::Depth(3)));
        assert_eq!(shape.check(b"[1,2,3,4,5,6]"), Err(Beyond::Values(6)));
        assert_eq!(shape.check(b"[[],[],[],[]]"), Err(Beyond::Values(6)));
    }

    #[test]
    fn what_is_too_deep_is_cut_out_and_the_rest_stays() {
        let shape = Shape {
            depth: 2,
            values: 100,
        };
        let text = r#"[{"a":1},{"b":[1,{"c":"]}\""}],"d":{}},{"e":"[[["}]"#;
        let kept = shape.cut(text.as_bytes());
        let rows: Vec<Map<String, Value>> = serde_json::from_slice(&kept).unwrap_or_default();
        let cut: Vec<bool> = rows.iter().map(is_cut).collect();
        assert_eq!(cut, [false, true, false]);
        assert_eq!(shape.cut(b"[1,{}]"), b"[1,{}]");
        assert!(shape.check(&shape.cut(b"[[[[[[")).is_ok());
        assert!(shape.check(&shape.cut(b"[[[[]]]]]]]]")).is_ok());
    }

    #[test]
    fn the_parser_takes_the_deepest_that_is_allowed() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
        assert!(parse(&nested(MAX_DEPTH)));
        assert!(!parse(&nested(MAX_DEPTH + 1)));
    }
}
