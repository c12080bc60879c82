//! Widths: how many cells a text takes, and how it is cut to fewer.

use std::borrow::Cow;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Cells that the text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text cut to so many cells at the end, with `…` where something is missing.
pub fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    // No text is wider than its bytes are many.
    if text.len() <= limit || width(text) <= limit {
        return Cow::Borrowed(text);
    }
    if limit == 0 {
        return Cow::Borrowed("");
    }
    Cow::Owned(format!("{}…", start(text, limit - 1)))
}

/// The text cut in the middle, so that both ends can be read: ids, file names.
pub fn cut_middle(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit || width(text) <= limit {
        return Cow::Borrowed(text);
    }
    if limit < 8 {
        return cut(text, limit);
    }
    let tail = (limit - 1) / 3;
    let head = limit - 1 - tail;
    Cow::Owned(format!("{}…{}", start(text, head), end(text, tail)))
}

/// The longest start of whole graphemes that takes at most so many cells.
fn start(text: &str, limit: usize) -> &str {
    let mut taken = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        taken += width(grapheme);
        if taken > limit {
            return &text[..at];
        }
    }
    text
}

fn end(text: &str, limit: usize) -> &str {
    let mut taken = 0;
    let mut from = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        taken += width(grapheme);
        if taken > limit {
            break;
        }
        from = at;
    }
    &text[from..]
}

/// The text broken at spaces into lines of at most so many cells; a longer word is cut.
pub fn wrap(text: &str, limit: usize) -> Vec<String> {
    let limit = limit.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > limit {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&cut(word, limit));
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The text broken at spaces into lines of at most so many cells. A path or URL that does not fit is
/// broken behind a slash, any other word that is longer than a line where the line ends.
pub fn fold(text: &str, limit: usize) -> Vec<String> {
    let text = text.trim();
    let lines = folds(text, limit);
    // A character that is wider than the line is cut.
    lines
        .into_iter()
        .map(|line| cut(&text[line], limit.max(1)).into_owned())
        .collect()
}

/// The same as parts of the text, which leave out the spaces between them alone.
pub fn folds(text: &str, limit: usize) -> Vec<Range<usize>> {
    let limit = limit.max(1);
    let mut lines = Vec::new();
    let mut line = 0..0;
    let mut at = 0;
    while let Some(gap) = text[at..].find(|letter: char| !letter.is_whitespace()) {
        at += gap;
        let word = text[at..].split(char::is_whitespace).next().unwrap_or("");
        for part in parts(word) {
            let end = at + part.len();
            if width(&text[line.start..end]) > limit {
                if !line.is_empty() {
                    lines.push(line);
                }
                let mut from = at;
                while width(&text[from..end]) > limit {
                    let rest = &text[from..end];
                    let first = rest.graphemes(true).next().map_or(rest.len(), str::len);
                    let to = from + start(rest, limit).len().max(first);
                    lines.push(from..to);
                    from = to;
                }
                line = from..end;
            }
            line.end = end;
            at = end;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A path or URL up to each of its slashes, anything else whole.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    let is_path = word.starts_with('/') || word.contains("://");
    let mut rest = word;
    std::iter::from_fn(move || {
        // The slashes that it begins with, and those of a scheme, stay with what follows.
        let inner = rest.find(|letter| letter != '/').unwrap_or(rest.len());
        let end = match rest[inner..].find('/') {
            Some(at) if is_path && !rest[inner + at..].starts_with("//") => inner + at + 1,
            Some(at) if is_path => {
                let host = inner + at + 2;
                rest[host..]
                    .find('/')
                    .map_or(rest.len(), |at| host + at + 1)
            }
            _ => rest.len(),
        };
        let (part, after) = rest.split_at(end);
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

/// What keys do, in a line at the foot of a pane. Where room is short the hints move together, then
/// lose what follows a comma, then those in the middle go: how to go on and how to go back stay.
pub fn hints(parts: &[&str], room: usize) -> String {
    let mut brief: Vec<&str> = parts
        .iter()
        .map(|part| part.split([',', ';']).next().unwrap_or(part))
        .collect();
    for (words, gap) in [(parts, 5), (parts, 3), (&brief, 3)] {
        let line = words.join(&" ".repeat(gap));
        if width(&line) <= room {
            return line;
        }
    }
    while brief.len() > 2 {
        brief.remove(brief.len() - 2);
        let line = brief.join("   ");
        if width(&line) <= room {
            return line;
        }
    }
    match brief[..] {
        [first, last] => {
            let first = cut(first, room.saturating_sub(width(last) + 1));
            cut(&format!("{first} {last}"), room).into_owned()
        }
        _ => cut(&brief.concat(), room).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_fall_between_graphemes_and_never_pass_the_limit() {
        let text = "e\u{301}e\u{301}名前のファイル.mp4";
        for limit in 0..30 {
            assert!(width(&cut(text, limit)) <= limit, "{limit}");
            assert!(width(&cut_middle(text, limit)) <= limit, "{limit}");
        }
        assert_eq!(cut("e\u{301}xyz", 2), "e\u{301}…");
        assert_eq!(cut_middle("interview_raw_04.mov", 13), "intervie….mov");
        assert_eq!(cut("名前", 3), "名…");
    }

    #[test]
    fn hints_keep_how_to_go_on_and_how_to_go_back() {
        let parts = ["Enter send 2", "Space choose", "Esc back, nothing sent"];
        assert_eq!(
            hints(&parts, 60),
            "Enter send 2     Space choose     Esc back, nothing sent"
        );
        assert_eq!(
            hints(&parts, 52),
            "Enter send 2   Space choose   Esc back, nothing sent"
        );
        assert_eq!(hints(&parts, 40), "Enter send 2   Space choose   Esc back");
        assert_eq!(hints(&parts, 32), "Enter send 2   Esc back");
        assert_eq!(hints(&parts, 18), "Enter se… Esc back");
        for room in 0..60 {
            assert!(width(&hints(&parts, room)) <= room, "{room}");
        }
        assert_eq!(
            hints(&["Esc closes this; and so on"], 20),
            "Esc closes this"
        );
        assert_eq!(hints(&[], 20), "");
    }

    #[test]
    fn wraps_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 4), ["abc…"]);
        assert!(wrap("  ", 4).is_empty());
        assert_eq!(fold("in /a/long/name", 7), ["in /a/", "long/", "name"]);
        assert_eq!(
            fold("at http://host/a/b", 12),
            ["at", "http://host/", "a/b"]
        );
        assert_eq!(fold("as and/or words", 6), ["as", "and/or", "words"]);
        assert_eq!(fold("abcdefgh i", 4), ["abcd", "efgh", "i"]);
        let text =
            "POST https://a.example//b/{message_id}/名前/send-example 名前のファイル.mp4 / //";
        for limit in 2..90 {
            let lines = fold(text, limit);
            assert!(lines.iter().all(|line| width(line) <= limit), "{lines:?}");
            let letters = |text: &str| text.replace(' ', "");
            assert_eq!(letters(&lines.concat()), letters(text), "{limit}");
        }
        assert_eq!(fold("名前", 1), ["…", "…"]);
        assert_eq!(fold(" a  b c", 4), ["a  b", "c"]);
    }
}
