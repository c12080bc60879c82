//! Causes: failed attempts that are one trouble, told by endpoint, class and what was answered once
//! all that differs from time to time is taken out.

use std::fmt;
use std::sync::Arc;

use super::attempt::{Attempt, FailureClass, answer};
use super::id::EndpointId;

/// Part of an answer that is looked at, in bytes.
const SEEN: usize = 2048;
/// Longest pattern kept, in characters.
const MAX_PATTERN: usize = 240;
/// What stands for a number, an id or a time.
const HOLE: char = '#';

/// A cause's name, the same in every run for the same trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CauseId(u64);

impl fmt::Display for CauseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0 & 0xffff_ffff_ffff)
    }
}

/// One trouble at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub id: CauseId,
    pub endpoint: EndpointId,
    pub class: FailureClass,
    /// HTTP status of the answers; 0 means that there was none.
    pub code: u16,
    /// What is answered, without what differs from time to time.
    pub pattern: Arc<str>,
}

impl Cause {
    /// The cause of an attempt's failure; `None` if it did not fail.
    pub fn of(attempt: &Attempt) -> Option<Self> {
        let class = attempt.failure()?;
        let pattern = pattern(&attempt.response);
        let endpoint = attempt.endpoint.to_string();
        let code = attempt.code.to_string();
        let id = CauseId(hash([endpoint.as_str(), class.words(), &code, &pattern]));
        Some(Self {
            id,
            endpoint: attempt.endpoint.clone(),
            class,
            code: attempt.code,
            pattern: pattern.into(),
        })
    }

    /// `500 receiver error`, or `timeout`.
    pub fn words(&self) -> String {
        match self.code {
            0 => self.class.words().to_owned(),
            code => format!("{code} {}", self.class.words()),
        }
    }
}

/// FNV-1a: of known value in every build, which the standard library's hashes do not promise. The
/// parts are kept apart by a byte that no text holds.
fn hash(parts: [&str; 4]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// An answer without numbers, ids and times, its white space made one.
pub fn pattern(response: &str) -> String {
    if answer::is_expunged(response) {
        return answer::EXPUNGED.to_owned();
    }
    if let Some(binary) = answer::binary(response) {
        return format!("binary {}", binary.kind.unwrap_or("bytes"));
    }
    let end = response.floor_char_boundary(SEEN);
    let mut rest = response.get(..end).unwrap_or_default().trim();
    let mut made = String::new();
    let mut n_made = 0;
    while let Some(first) = rest.chars().next() {
        if n_made >= MAX_PATTERN {
            break;
        }
        n_made += 1;
        if let Some(after) = after_system_code(rest) {
            rest = after;
            made.truncate(made.trim_end().len());
        } else if first.is_ascii_alphanumeric() || first == HOLE {
            let len = uuid_len(rest).unwrap_or_else(|| {
                let is_word = |c: char| c.is_ascii_alphanumeric() || c == HOLE;
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            });
            let (word, after) = rest.split_at(len);
            rest = after;
            if is_hole(word) {
                push_hole(&mut made);
            } else {
                n_made += word.len() - 1;
                made.push_str(word);
            }
        } else {
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            if !first.is_whitespace() {
                made.push(first);
            } else if !made.ends_with(' ') {
                made.push(' ');
            }
        }
    }
    if let Some((at, _)) = made.char_indices().nth(MAX_PATTERN) {
        made.truncate(at);
    }
    made.trim_end().to_owned()
}

/// What follows the number that a program puts behind a system's error, `(os error 111)`: the same
/// trouble has another on each system, and the words before it have said it.
fn after_system_code(text: &str) -> Option<&str> {
    let is_digit = |c: char| c.is_ascii_digit() || c == HOLE;
    let code = text.strip_prefix("(os error ")?;
    let after = code.trim_start_matches(is_digit).strip_prefix(')')?;
    code.starts_with(is_digit).then_some(after)
}

/// Words with a digit differ from time to time: numbers, ids, times with their zone.
fn is_hole(word: &str) -> bool {
    word.bytes()
        .any(|byte| byte.is_ascii_digit() || byte == HOLE as u8)
        || word.len() == UUID_LEN && word.contains('-')
}

/// Puts a hole; parts of one number, time or address are one.
fn push_hole(made: &mut String) {
    let before = made.trim_end_matches(['-', ':', '.', '+', ',']);
    if before.ends_with(HOLE) && made.len() - before.len() <= 1 {
        let len = before.len();
        made.truncate(len);
    } else {
        made.push(HOLE);
    }
}

const UUID_LEN: usize = 36;

fn uuid_len(text: &str) -> Option<usize> {
    let head = text.as_bytes().get(..UUID_LEN)?;
    let is_uuid = head.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    is_uuid.then_some(UUID_LEN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_differs_from_time_to_time_is_taken_out() {
        for (one, other) in [
            ("timed out after 15002 ms", "timed out after 14998 ms"),
            (
                r#"{"at":"2026-11-22T14:02:25.123Z","id":"c4b6b5f1-1111-4222-8333-abcdefabcdef"}"#,
                r#"{"at":"2026-11-23T09:00:00Z","id":"deadbeef-aaaa-bbbb-cccc-dddddddddddd"}"#,
            ),
            (
                "request msg_3MRJXv9eSKd1 failed\n",
                "request  msg_7aBq0pX2 failed",
            ),
            ("10.0.0.1:5432 refused", "10.0.0.17:5433 refused"),
            (
                "connection refused (os error 111)",
                "connection refused (os error 61)",
            ),
        ] {
            assert_eq!(pattern(one), pattern(other), "{one}");
        }
        assert_ne!(pattern("upstream reset"), pattern("upstream closed"));
        assert_eq!(pattern("took 12 ms"), "took # ms");
        let refused = "refused (os error 111): to 10.0.0.1 (os error x)";
        assert_eq!(pattern(refused), "refused: to # (os error x)");
        assert!(pattern(&"é ".repeat(5000)).chars().count() <= MAX_PATTERN);
    }

    proptest! {
        #[test]
        fn a_pattern_is_its_own_pattern(text in "[ a-f0-9:.#-]{0,80}") {
            let once = pattern(&text);
            prop_assert_eq!(pattern(&once), once);
        }
    }
}
