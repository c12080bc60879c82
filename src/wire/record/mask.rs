//! What must not reach the file: secrets in URLs, and the key itself wherever it stands.

use std::borrow::Cow;

use memchr::memmem;

/// The shortest secret that is looked for; what is shorter stands in texts by chance.
const MIN_SECRET: usize = 6;

/// A URL with its user, password, query and fragment left out, each leaving a mark.
pub(super) fn masked(url: &str) -> Cow<'_, str> {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None => ("", url),
    };
    // An unescaped mark may stand inside a password too: the last one before the path counts.
    let user_end = rest.rfind('@').filter(|at| {
        let host = &rest[at + 1..];
        !host.is_empty() && !rest[..*at].contains(['/', '?', '#']) || rest[..*at].contains(':')
    });
    let host = user_end.map_or(rest, |at| &rest[at + 1..]);
    let bare = host.split(['?', '#']).next().unwrap_or_default();
    if user_end.is_none() && bare.len() == host.len() {
        return Cow::Borrowed(url);
    }
    let user = if user_end.is_some() { "…@" } else { "" };
    let query = if bare.len() < host.len() { "?…" } else { "" };
    let separator = if scheme.is_empty() { "" } else { "://" };
    Cow::Owned(format!("{scheme}{separator}{user}{bare}{query}"))
}

/// Overwrites every place where one of the secrets stands; gives their number.
pub fn redact(bytes: &mut [u8], secrets: &[&[u8]]) -> usize {
    let mut found = 0;
    for secret in secrets.iter().filter(|secret| secret.len() >= MIN_SECRET) {
        let finder = memmem::Finder::new(secret);
        let mut from = 0;
        while let Some(at) = finder.find(&bytes[from..]) {
            bytes[from + at..from + at + secret.len()].fill(b'*');
            from += at + secret.len();
            found += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_passwords_queries_and_fragments_are_left_out_with_a_mark() {
        for (url, expected) in [
            ("https://example.com/hooks", "https://example.com/hooks"),
            ("https://example.com/@me/hooks", "https://example.com/@me/hooks"),
            ("https://u:p@example.com/hooks", "https://…@example.com/hooks"),
            ("https://u:p@ss@example.com/", "https://…@example.com/"),
            ("https://u:p/w@example.com/", "https://…@example.com/"),
            ("https://token@example.com", "https://…@example.com"),
            ("https://example.com/h?key=abc#x", "https://example.com/h?…"),
            ("https://example.com/h#abc", "https://example.com/h?…"),
            ("u:p@example.com/h?k", "…@example.com/h?…"),
            ("", ""),
        ] {
            assert_eq!(masked(url), expected, "{url}");
            assert_eq!(masked(expected), expected, "{expected}");
        }
    }

    #[test]
    fn a_secret_is_overwritten_wherever_it_stands() {
        let mut bytes = b"sk_live_1 and sk_live_1sk_live_1".to_vec();
        assert_eq!(redact(&mut bytes, &[b"sk_live_1", b"and"]), 3);
        assert_eq!(bytes, b"********* and ******************");
    }
}
