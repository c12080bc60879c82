//! Secrets that stand in text from outside, such as the URL of an endpoint: each becomes a mark
//! before the text is shown or kept.

use std::borrow::Cow;

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// A URL as it may be shown and kept: user, password, every value of the query and the fragment
/// are masked. `https://ann:pw@hooks.example/a?key=1` becomes `https://***@hooks.example/a?key=***`.
///
/// Every value, as nothing tells a secret from another word for certain. What is no URL is treated
/// as one that lacks its scheme.
pub fn masked_url(url: &str) -> Cow<'_, str> {
    let start = after_scheme(url, 0).unwrap_or(0);
    masked_from(url, start, url.len()).map_or(Cow::Borrowed(url), |masked| {
        Cow::Owned(format!("{}{masked}", &url[..start]))
    })
}

/// A text with each URL in it masked like [`masked_url`].
pub fn masked_urls(text: &str) -> Cow<'_, str> {
    let mut masked: Option<String> = None;
    let mut done = 0;
    while let Some(start) = after_scheme(text, done) {
        let end = start + url_length(&text[start..]);
        let safe = masked_from(text, start, end);
        if safe.is_some() && masked.is_none() {
            masked = Some(text[..done].to_owned());
        }
        if let Some(masked) = &mut masked {
            masked.push_str(&text[done..start]);
            masked.push_str(safe.as_deref().unwrap_or(&text[start..end]));
        }
        done = end;
    }
    match masked {
        Some(masked) => Cow::Owned(masked + &text[done..]),
        None => Cow::Borrowed(text),
    }
}

/// A text with each occurrence of a secret masked.
pub fn without<'a>(text: &'a str, secret: &str) -> Cow<'a, str> {
    if secret.is_empty() || !text.contains(secret) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(secret, MASK))
}

/// Where the first URL at or after `from` goes on behind its `://`, whose slashes JSON may escape.
fn after_scheme(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    [("://", 3), (":\\/\\/", 5)]
        .into_iter()
        .filter_map(|(mark, length)| Some(from + rest.find(mark)? + length))
        .min()
}

/// How far a URL reaches into the text that follows its scheme.
fn url_length(rest: &str) -> usize {
    let mut letters = rest.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        // A backslash is JSON's, before a slash or a number of a character.
        let next = letters.peek().map(|(_, next)| *next);
        let is_escape = letter == '\\' && matches!(next, Some('/' | 'u'));
        let ends = letter.is_whitespace()
            || letter.is_control()
            || matches!(letter, '"' | '<' | '>' | '`')
            || letter == '\\' && !is_escape;
        if ends {
            return at;
        }
    }
    rest.len()
}

/// The part of a URL that follows its scheme, masked; `None` if there is nothing to mask.
fn masked_from(text: &str, start: usize, end: usize) -> Option<String> {
    let rest = &text[start..end];
    let (user, rest) = without_user(rest);
    let (rest, fragment) = match rest.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (rest, None),
    };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let is_masked = |part: &str| part.is_empty() || part == MASK;
    let query = query.map(masked_query);
    let is_plain = user.is_none_or(is_masked)
        && fragment.is_none_or(is_masked)
        && matches!(query, None | Some(Cow::Borrowed(_)));
    if is_plain {
        return None;
    }
    let mut masked = String::with_capacity(rest.len());
    if user.is_some() {
        masked.push_str(MASK);
        masked.push('@');
    }
    masked.push_str(place);
    if let Some(query) = query {
        masked.push('?');
        masked.push_str(&query);
    }
    if fragment.is_some() {
        masked.push('#');
        masked.push_str(MASK);
    }
    Some(masked)
}

/// Takes user and password off. An unescaped mark may stand inside a password too, which shows by
/// a port that is none; then all up to the last `@` is taken for it.
fn without_user(rest: &str) -> (Option<&str>, &str) {
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let at = rest[..end].rfind('@').or_else(|| {
        let (_, port) = rest[..end].rsplit_once(':')?;
        let is_port = port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit());
        if is_port { None } else { rest.rfind('@') }
    });
    match at {
        Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
        None => (None, rest),
    }
}

fn masked_query(query: &str) -> Cow<'_, str> {
    let value = |part: &str| part.split_once('=').map_or(0, |(name, _)| name.len() + 1);
    let is_masked = |part: &str| matches!(&part[value(part)..], "" | MASK);
    if query.split('&').all(is_masked) {
        return Cow::Borrowed(query);
    }
    let parts: Vec<String> = query
        .split('&')
        .map(|part| match &part[value(part)..] {
            "" => part.to_owned(),
            _ => format!("{}{MASK}", &part[..value(part)]),
        })
        .collect();
    Cow::Owned(parts.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_its_place_and_loses_its_secrets() {
        for (url, shown) in [
            ("https://hooks.example/a/b", "https://hooks.example/a/b"),
            (
                "http://127.0.0.1:41233/flaky",
                "http://127.0.0.1:41233/flaky",
            ),
            ("http://[::1]:4000/@me", "http://[::1]:4000/@me"),
            ("https://x.example/@ann/hook", "https://x.example/@ann/hook"),
            ("https://ann:pw@x.example/a", "https://***@x.example/a"),
            ("https://sk_token@x.example", "https://***@x.example"),
            (
                "https://x.example/a?tenant=9&key=hunter2&flag&e=",
                "https://x.example/a?tenant=***&key=***&***&e=",
            ),
            ("https://x.example/?hunter2", "https://x.example/?***"),
            ("https://x.example/#hunter2", "https://x.example/#***"),
            ("https://u:hunt#er2@x.example/a", "https://***@x.example/a"),
            ("https://u:hunt/er2@x.example/a", "https://***@x.example/a"),
            ("https://u:hunt?er2@x.example/a", "https://***@x.example/a"),
            ("https://u:a@b@x.example/a", "https://***@x.example/a"),
            ("ann:hunter2@x.example/a", "***@x.example/a"),
            (
                "https:\\/\\/ann:pw@x.example\\/a",
                "https:\\/\\/***@x.example\\/a",
            ),
            ("nonsense", "nonsense"),
            ("", ""),
        ] {
            assert_eq!(masked_url(url), shown);
            assert_eq!(masked_url(shown), shown, "a second time");
            if url.contains("://") {
                assert!(!masked_urls(url).contains("hunt"), "{url}");
            }
        }
    }

    #[test]
    fn urls_within_a_text_are_masked_and_the_rest_stays() {
        for (text, shown) in [
            ("no URL at all: //", "no URL at all: //"),
            (
                r#"{"url":"https://u:p@x.example/?k=v","n":1,"to":"http://y.example/a?b=c"}"#,
                r#"{"url":"https://***@x.example/?k=***","n":1,"to":"http://y.example/a?b=***"}"#,
            ),
            (
                r#""{\"url\":\"https://u:p@x.example/?k=v\u0026l=w\",\"n\":1}""#,
                r#""{\"url\":\"https://***@x.example/?k=***\",\"n\":1}""#,
            ),
            (
                "see https://x.example/a?b=c and https://x.example/d",
                "see https://x.example/a?b=*** and https://x.example/d",
            ),
        ] {
            assert_eq!(masked_urls(text), shown);
        }
    }

    #[test]
    fn a_known_secret_is_masked_wherever_it_stands() {
        assert_eq!(without("Bearer sk_1, sk_1.", "sk_1"), "Bearer ***, ***.");
        assert!(matches!(without("text", ""), Cow::Borrowed(_)));
    }
}
