//! How deep and how large a JSON text is, told before it is parsed: a body within its limit of
//! bytes may still unfold to thirty times that in memory.

use memchr::memchr2;

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
    fn the_parser_takes_the_deepest_that_is_allowed() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
        assert!(parse(&nested(MAX_DEPTH)));
        assert!(!parse(&nested(MAX_DEPTH + 1)));
    }
}
