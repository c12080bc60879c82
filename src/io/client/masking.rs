//! The key taken out of whatever a server says: it may repeat in any text what it was sent, as it
//! is or escaped for JSON, for a URL or as base64.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::memchr3;
use regex::bytes::{Regex, RegexBuilder};
use secrecy::{ExposeSecret, SecretString};

use crate::domain::{Failure, FailureKind, MASK};

/// Keys shorter than this are those of a server for tests. They are not masked, as such a word may
/// stand in any text by chance, which would be spoilt.
const LEAST: usize = 8;
/// Most bytes that the search for one key may take; a key as long as headers may be needs less.
const MOST: usize = 256 << 20;
/// Longest key: more than servers take in a header.
const LONGEST: usize = 16 << 10;

/// Takes one key out of texts. Has no Debug, as it holds the key.
pub struct Masking {
    forms: Option<Forms>,
}

/// What is looked for: in every text the plain forms, in one with an escape the others.
struct Forms {
    plain: Regex,
    /// Built for the first text that holds an escape: for a long key that takes a while. `None` if
    /// it cannot be built; such a text is then masked whole.
    escaped: OnceLock<Option<Regex>>,
    escapes: String,
    size: usize,
}

impl Masking {
    /// Fails for a key that cannot be looked for, as texts would show it.
    pub fn new(key: Option<&SecretString>) -> Result<Self, Failure> {
        Self::within(key, MOST)
    }

    fn within(key: Option<&SecretString>, size: usize) -> Result<Self, Failure> {
        let key = key.map(|key| key.expose_secret().as_bytes());
        let forms = key.filter(|key| key.len() >= LEAST).map(|key| {
            let forms = Some(key).filter(|key| key.len() <= LONGEST);
            forms
                .and_then(|key| Forms::new(key, size))
                .ok_or_else(|| too_long(key.len()))
        });
        Ok(Self {
            forms: forms.transpose()?,
        })
    }

    /// The bytes with each occurrence of the key masked; borrowed where there is none.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(forms) = &self.forms else {
            return Cow::Borrowed(bytes);
        };
        let plain = masked(&forms.plain, bytes);
        if memchr3(b'\\', b'%', b'&', &plain).is_none() {
            return plain;
        }
        match forms.escaped().map(|escaped| masked(escaped, &plain)) {
            Some(Cow::Owned(clean)) => Cow::Owned(clean),
            Some(Cow::Borrowed(_)) => plain,
            None => Cow::Borrowed(MASK.as_bytes()),
        }
    }

    /// The same for bytes of which no others are kept.
    pub fn owned(&self, bytes: Vec<u8>) -> Vec<u8> {
        match self.bytes(&bytes) {
            Cow::Borrowed(clean) if clean.len() == bytes.len() => bytes,
            clean => clean.into_owned(),
        }
    }

    /// The same for a text.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(clean) if clean.len() == text.len() => Cow::Borrowed(text),
            Cow::Borrowed(clean) => Cow::Owned(String::from_utf8_lossy(clean).into_owned()),
            Cow::Owned(clean) => Cow::Owned(String::from_utf8_lossy(&clean).into_owned()),
        }
    }

    /// A failure in words that do not hold the key.
    pub fn failure(&self, failure: Failure) -> Failure {
        let Failure {
            kind,
            what,
            hint,
            wait,
        } = failure;
        Failure {
            kind,
            what: self.text(&what).into_owned(),
            hint: self.text(&hint).into_owned(),
            wait,
        }
    }
}

impl Forms {
    fn new(key: &[u8], size: usize) -> Option<Self> {
        let in_base64: Vec<Vec<u8>> = (0..3).flat_map(|shift| in_base64(key, shift)).collect();
        let pattern = |own: fn(u8) -> String, other: fn(u8) -> String| {
            let mut patterns = vec![key.iter().map(|byte| own(*byte)).collect::<String>()];
            patterns
                .extend((in_base64.iter()).map(|form| form.iter().map(|b| other(*b)).collect()));
            patterns.join("|")
        };
        // Nothing escapes the letters and figures of base64.
        let escapes = pattern(escaped, |byte| {
            if byte.is_ascii_alphanumeric() {
                plain(byte)
            } else {
                escaped(byte)
            }
        });
        Some(Self {
            plain: built(&pattern(plain, plain), size)?,
            escaped: OnceLock::new(),
            escapes,
            size,
        })
    }

    fn escaped(&self) -> Option<&Regex> {
        self.escaped
            .get_or_init(|| built(&self.escapes, self.size))
            .as_ref()
    }
}

fn too_long(bytes: usize) -> Failure {
    let what = format!("a key of {bytes} bytes is too long to be masked in what the server says");
    let hint = format!("give a key of at most {LONGEST} bytes, without anything around it");
    Failure::new(FailureKind::Local, what, hint)
}

fn built(pattern: &str, size: usize) -> Option<Regex> {
    let mut builder = RegexBuilder::new(pattern);
    builder.unicode(false).size_limit(size).build().ok()
}

/// The letters that the key alone decides where base64 holds it behind `shift` bytes more than a
/// multiple of three, in both alphabets.
fn in_base64(key: &[u8], shift: usize) -> [Vec<u8>; 2] {
    let padded = [&vec![0; shift][..], key].concat();
    let whole = STANDARD_NO_PAD.encode(&padded);
    // The first letters hold bits of what stands before, the last one bits of what follows.
    let start = (shift * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    let standard = whole[start..end].to_owned();
    let for_urls = standard.replace('+', "-").replace('/', "_");
    [standard.into_bytes(), for_urls.into_bytes()]
}

fn plain(byte: u8) -> String {
    format!("\\x{byte:02x}")
}

/// A letter as it is or in any of its escapes, of which one may be escaped again: JSON in a JSON
/// string, a URL in a URL.
fn escaped(byte: u8) -> String {
    let mut form = String::from("(?:");
    // A backslash before a letter is JSON's, a number of them that of JSON in JSON.
    let _ = write!(form, r"\\*\x{byte:02x}");
    let _ = write!(form, r"|\\+u00(?i:{byte:02x})");
    let _ = write!(form, r"|(?:%|\\+u0025)(?:25)*(?i:{byte:02x})");
    let _ = write!(form, r"|&(?:amp;)*\#(?:0*{byte}|(?i:x)0*(?i:{byte:x}));");
    let name = match byte {
        b'&' => "amp",
        b'<' => "lt",
        b'>' => "gt",
        b'"' => "quot",
        b'\'' => "apos",
        _ => return form + ")",
    };
    let _ = write!(form, "|&(?:amp;)*{name};");
    form + ")"
}

/// Masks what matches. The letters of base64 at its ends, which hold a few bits of the key and others
/// of what stands beside it, stay.
fn masked<'a>(forms: &Regex, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    forms.replace_all(bytes, MASK.as_bytes())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    fn masked(key: &str, text: &str) -> String {
        masked_by(&Masking::new(Some(&key.into())).unwrap(), text)
    }

    fn masked_by(masking: &Masking, text: &str) -> String {
        String::from_utf8_lossy(&masking.bytes(text.as_bytes())).into_owned()
    }

    #[test]
    fn every_occurrence_of_a_long_key_is_masked_and_a_short_one_stays() {
        assert_eq!(
            masked("sk_12345", "sk_12345,sk_1234,sk_12345"),
            "***,sk_1234,***"
        );
        assert_eq!(masked("local", "localhost"), "localhost");
        assert_eq!(masked("", "text"), "text");
        let failure = Failure::new(crate::domain::FailureKind::Local, "a sk_12345", "sk_12345");
        let clean = Masking::new(Some(&"sk_12345".into()))
            .unwrap()
            .failure(failure);
        assert_eq!(clean.to_string(), "a ***; ***");
    }

    #[test]
    fn a_key_that_cannot_be_masked_is_refused() {
        let long = SecretString::from("k".repeat(LONGEST + 1));
        let failure = Masking::new(Some(&long)).err().unwrap();
        assert!(failure.what.contains("too long to be masked"), "{failure}");
        assert!(!failure.to_string().contains("kkkk"), "{failure}");
        let key = SecretString::from("sk_12345");
        // Only the search for escapes is too large: no text with one is believed to be clean.
        let masking = Masking::within(Some(&key), 10).unwrap();
        assert_eq!(masked_by(&masking, "a sk_12345"), "a ***");
        assert_eq!(masked_by(&masking, r"a \u0073k_12345"), MASK);
        assert_eq!(masking.text(r"a \u0073k_12345"), MASK);
        let whole = masking.owned(br"a \u0073k_12345".to_vec());
        assert_eq!(whole, MASK.as_bytes());
        assert_eq!(masking.owned(b"a sk_1234".to_vec()), b"a sk_1234");
    }

    #[test]
    fn a_key_in_any_escape_is_masked() {
        let key = r#"sk/+a&b"c\d<e>=f.(g)"#;
        let masking = Masking::new(Some(&key.into())).unwrap();
        let each = |form: fn(u8) -> String| key.bytes().map(form).collect::<String>();
        let json = serde_json::to_string(key).unwrap();
        let twice = serde_json::to_string(&json).unwrap();
        for form in [
            json.clone(),
            json.replace('/', r"\/"),
            twice.replace('/', r"\\\/"),
            serde_json::to_string(&twice).unwrap(),
            each(|byte| format!(r"\u{byte:04x}")),
            each(|byte| format!(r"\u{byte:04X}")),
            each(|byte| format!(r"\\u{byte:04x}")),
            each(|byte| format!("%{byte:02x}")),
            each(|byte| format!("%25{byte:02X}")),
            each(|byte| format!("&#{byte};")),
            each(|byte| format!("&#x{byte:X};")),
            key.replace('&', "&amp;").replace('<', "&lt;"),
            key.replace('+', r"\u002b").replace('a', "%61"),
        ] {
            let text = format!("told {form} by me, 100% \\ sure");
            let clean = masked_by(&masking, &text);
            let expected = format!("told {} by me, 100% \\ sure", form_without(&form));
            assert_eq!(clean, expected);
        }
        assert_eq!(masked("sk_12345", r"50% \u0073k_1234"), r"50% \u0073k_1234");
    }

    /// What stands around the key within quotes of JSON stays.
    fn form_without(form: &str) -> String {
        let is_frame = |letter: char| matches!(letter, '"' | '\\');
        if !form.starts_with('"') {
            return MASK.to_owned();
        }
        let start = form.find(|letter| !is_frame(letter)).unwrap();
        let end = form.rfind(|letter| !is_frame(letter)).unwrap() + 1;
        format!("{}{MASK}{}", &form[..start], &form[end..])
    }

    #[test]
    fn a_key_in_base64_is_masked_wherever_it_begins() {
        let key = "sk~~?>?>/x1y2z3";
        let masking = Masking::new(Some(&key.into())).unwrap();
        for before in ["", "u", "us", "usr", "user:"] {
            for after in ["", ":", "::", "and more"] {
                let pair = format!("{before}{key}{after}");
                for word in [STANDARD.encode(&pair), URL_SAFE.encode(&pair)] {
                    for text in [
                        format!("Basic {word}."),
                        format!("Basic {word}.").replace('/', r"\/"),
                        format!("Basic {word}.").replace('+', "%2B"),
                    ] {
                        let clean = masked_by(&masking, &text);
                        assert!(clean.contains(MASK), "{text} {clean}");
                        // At most two letters of base64 at either end hold bits of it.
                        let kept = clean.len() - MASK.len();
                        let whole = "Basic .".len() + (before.len() + after.len()) * 4 / 3 + 8;
                        assert!(kept <= whole, "{text} {clean}");
                    }
                }
            }
        }
    }
}
