//! What a receiver answered, read for people: the words that matter in it, and bytes that are none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Keys under which services say in JSON what is wrong, the most telling first.
const SAYING_KEYS: [&str; 7] = [
    "message",
    "detail",
    "error_description",
    "reason",
    "title",
    "error",
    "code",
];
/// Longest part of an answer that is searched, in bytes.
const SEARCHED: usize = 4096;
/// Longest saying, in characters.
const MAX_SAYING: usize = 160;
/// Shorter texts are words rather than encoded bytes.
const MIN_ENCODED: usize = 16;

/// Bytes that a service shows in base64, as they are no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// How many bytes there are.
    pub len: usize,
    /// What they seem to be, if their beginning says so.
    pub kind: Option<&'static str>,
}

impl Binary {
    /// In words: `48 bytes that are no text (gzip)`.
    pub fn words(&self) -> String {
        let kind = self
            .kind
            .map_or_else(String::new, |kind| format!(" ({kind})"));
        format!("{} bytes that are no text{kind}", self.len)
    }
}

/// How well-known formats begin.
const BEGINNINGS: [(&[u8], &str); 7] = [
    (&[0x1f, 0x8b], "gzip"),
    (&[0x89, b'P', b'N', b'G'], "PNG"),
    (&[0xff, 0xd8, 0xff], "JPEG"),
    (b"PK\x03\x04", "zip"),
    (b"%PDF", "PDF"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (&[0xff, 0xfe], "UTF-16 text"),
];

/// Recognises base64 of bytes that are no text, which services show with no mark (svix.md part 3).
/// Text that happens to be base64 of text is left as the text it may be.
pub fn binary(response: &str) -> Option<Binary> {
    let text = response.trim();
    let has = |test: fn(&u8) -> bool| text.as_bytes().iter().any(test);
    if text.len() < MIN_ENCODED
        || !text.len().is_multiple_of(4)
        || !has(u8::is_ascii_digit)
        || !has(u8::is_ascii_uppercase)
        || !has(u8::is_ascii_lowercase)
    {
        return None;
    }
    let bytes = STANDARD.decode(text).ok()?;
    if std::str::from_utf8(&bytes).is_ok() {
        return None;
    }
    let kind = BEGINNINGS
        .iter()
        .find(|(beginning, _)| bytes.starts_with(beginning))
        .map(|(_, kind)| *kind);
    Some(Binary {
        len: bytes.len(),
        kind,
    })
}

/// What is said of an answer that is no longer kept.
pub const EXPUNGED: &str = "the service no longer has the answer";

/// Whether it is the mark of an answer that the service no longer has, and no word of the receiver
/// (svix.md part 3).
pub fn is_expunged(response: &str) -> bool {
    response == "EXPUNGED"
}

/// What there is to tell of an answer, to stand behind that it came: its words quoted, with `and`
/// before them; of one that is no text, or that the service no longer has, that alone, as no word of
/// it is the receiver's.
pub fn told(response: &str, and: &str) -> String {
    if is_expunged(response) {
        return format!("; {EXPUNGED}");
    }
    if let Some(binary) = binary(response) {
        return format!(" with {}", binary.words());
    }
    says(response).map_or_else(String::new, |says| format!("{and} says “{says}”"))
}

/// What the answer says, in a line: the message of a JSON error, the title of a page, else the
/// first line. `None` if it says nothing.
fn says(response: &str) -> Option<String> {
    let end = response.floor_char_boundary(SEARCHED);
    let text = response.get(..end)?.trim();
    let found = if text.starts_with(['{', '[']) {
        SAYING_KEYS.iter().find_map(|key| json_text(text, key))
    } else if text.starts_with('<') {
        between(text, "<title>", "</title>").map(str::to_owned)
    } else {
        None
    };
    let said = found.unwrap_or_else(|| text.to_owned());
    let line = said.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(MAX_SAYING).collect())
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find(open)? + open.len();
    let end = start + lower.get(start..)?.find(close)?;
    text.get(start..end).map(str::trim)
}

/// The text that stands under a key somewhere in JSON, its simple escapes undone.
fn json_text(text: &str, key: &str) -> Option<String> {
    let quoted = format!("\"{key}\"");
    for (at, _) in text.match_indices(&quoted) {
        let rest = text.get(at + quoted.len()..)?.trim_start();
        let Some(rest) = rest.strip_prefix(':') else {
            continue;
        };
        let Some(rest) = rest.trim_start().strip_prefix('"') else {
            continue;
        };
        let mut said = String::new();
        let mut chars = rest.chars();
        while let Some(letter) = chars.next() {
            match letter {
                '"' => break,
                '\\' => match chars.next()? {
                    'n' | 'r' | 't' => said.push(' '),
                    'u' => said.push('\u{fffd}'),
                    other => said.push(other),
                },
                _ => said.push(letter),
            }
        }
        if !said.trim().is_empty() {
            return Some(said);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_recognised_and_words_are_not() {
        let gzip = STANDARD.encode([0x1f_u8, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0x9f, 7]);
        let found = binary(&gzip);
        assert_eq!(found.as_ref().map(|found| found.len), Some(13));
        assert_eq!(found.and_then(|found| found.kind), Some("gzip"));
        assert!(
            binary(&STANDARD.encode([0xc0_u8; 24])).is_none(),
            "no digit"
        );
        assert!(binary(&STANDARD.encode([0xfe_u8, 0x01, 0xf4].repeat(9))).is_some());
        for text in [
            "upstream reset by peer",
            "internalservererrors",
            &STANDARD.encode("a text that was encoded 123"),
            "",
        ] {
            assert_eq!(binary(text), None, "{text}");
        }
    }

    #[test]
    fn what_the_receiver_did_not_say_is_not_quoted() {
        let gzip = STANDARD.encode([0x1f_u8, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0x9f, 7]);
        for (response, words) in [
            ("no", ", and says “no”"),
            ("", ""),
            ("EXPUNGED", "; the service no longer has the answer"),
            (&*gzip, " with 13 bytes that are no text (gzip)"),
        ] {
            assert_eq!(told(response, ", and"), words);
        }
    }

    #[test]
    fn an_answer_says_what_is_wrong() {
        let said = |text: &str| says(text).unwrap_or_default();
        assert_eq!(
            said(r#"{"error":{"code":7,"message":"bad \"sig\""}}"#),
            "bad \"sig\""
        );
        assert_eq!(said(r#"{"error": "no such user"}"#), "no such user");
        assert_eq!(said(r#"{"ok":false}"#), r#"{"ok":false}"#);
        assert_eq!(
            said("<html><head><TITLE>502 Bad Gateway</TITLE>"),
            "502 Bad Gateway"
        );
        assert_eq!(said("\n upstream reset \nmore"), "upstream reset");
        assert_eq!(says("  "), None);
        assert_eq!(said(&"x".repeat(9000)).len(), MAX_SAYING);
    }
}
