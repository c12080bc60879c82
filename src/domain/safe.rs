//! Text from outside made visible-safe: whatever would act on a terminal or deceive the eye becomes
//! a mark that can be seen.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

/// Most combining marks kept on one character; languages need two or three.
const MAX_COMBINING: usize = 4;

/// The text with control characters, escape sequences, bidi overrides, invisible characters and
/// floods of combining marks shown as marks: `␛[31m`, `\u{202e}`, `…`.
///
/// A line break becomes `␊` as well, so that the result is always one line. Borrows where there is
/// nothing to change, which is nearly always.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut n_combining = 0;
    let mut safe: Option<String> = None;
    for (at, character) in text.char_indices() {
        let is_combining = character.width() == Some(0) && !is_deceiving(character);
        n_combining = if is_combining { n_combining + 1 } else { 0 };
        let is_plain =
            !character.is_control() && !is_deceiving(character) && n_combining <= MAX_COMBINING;
        if is_plain {
            if let Some(safe) = &mut safe {
                safe.push(character);
            }
            continue;
        }
        let safe = safe.get_or_insert_with(|| text[..at].to_owned());
        if n_combining > MAX_COMBINING {
            if n_combining == MAX_COMBINING + 1 {
                safe.push('…');
            }
        } else {
            push_mark(safe, character);
        }
    }
    safe.map_or(Cow::Borrowed(text), Cow::Owned)
}

fn push_mark(safe: &mut String, character: char) {
    match character {
        // Unicode has a picture for each of these.
        '\0'..='\u{1f}' => {
            safe.push(char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'));
        }
        '\u{7f}' => safe.push('\u{2421}'),
        _ => {
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
        }
    }
}

/// Characters that re-order, hide or imitate other text: bidi controls, zero-width and filler
/// characters, line separators, annotations, tags.
fn is_deceiving(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_of_any_language_is_borrowed() {
        for plain in ["", "keynote.mp4", "Ü é 日本語 한국어 हिन्दी 👍🏽", "e\u{301}"]
        {
            assert!(matches!(visible(plain), Cow::Borrowed(_)), "{plain}");
        }
    }

    #[test]
    fn what_acts_or_deceives_becomes_a_mark() {
        for (text, shown) in [
            ("\u{1b}[31mred", "␛[31mred"),
            ("a\r\nb\tc", "a␍␊b␉c"),
            ("\u{7f}", "␡"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("\u{2028}", "\\u{2028}"),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn a_flood_of_combining_marks_is_cut() {
        let flood = format!("a{}b", "\u{301}".repeat(1000));
        assert_eq!(visible(&flood), format!("a{}…b", "\u{301}".repeat(4)));
    }

    #[test]
    fn what_is_shown_is_safe_and_shown_again_unchanged() {
        let all: String = ('\0'..='\u{ffff}').collect();
        let shown = visible(&all).into_owned();
        assert!(!shown.chars().any(char::is_control));
        assert_eq!(visible(&shown), shown);
    }
}
