//! What went wrong with a request, as one clear sentence with what to do next.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url};

use crate::domain::time::{SECOND, rough_words};
use crate::domain::{Failure, FailureKind, Time, Unreadable, visible};
use crate::io::proxy::{Proxy, proxy};
use crate::wire::lenient::error_text;

/// A failed request: what happened, and what the server said about trying again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub failure: Failure,
    /// Whether trying again by itself is of no use.
    pub is_final: bool,
    /// `Retry-After`, in microseconds.
    pub retry_after: Option<i64>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        failed.failure
    }
}

impl Failed {
    pub fn last(failure: Failure) -> Self {
        Self {
            failure,
            is_final: true,
            retry_after: None,
            status: None,
        }
    }

    pub fn passing(failure: Failure) -> Self {
        Self {
            failure,
            is_final: false,
            retry_after: None,
            status: None,
        }
    }
}

/// Scheme, host and port, as errors name a server.
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// From a transport error of a request to `url`.
pub fn transport(error: &reqwest::Error, url: &Url, answer: Duration) -> Failure {
    let server = origin(url);
    let chain = chain(error);
    let text = chain.join(": ");
    let lower = text.to_ascii_lowercase();
    let cause = chain.last().map_or("", String::as_str);
    let cause = visible(cause);
    let unreachable = |what: String, hint: &str| Failure::new(FailureKind::Unreachable, what, hint);
    if error.is_connect() {
        if let Some(proxy) = proxy(url, |name| std::env::var(name).ok()) {
            return through(&proxy, url, &lower, &cause);
        }
        if lower.contains("dns error") || lower.contains("lookup address") {
            return unreachable(
                format!(
                    "the host name {} could not be resolved",
                    url.host_str().unwrap_or_default()
                ),
                "check the URL and this machine's network",
            );
        }
        if lower.contains("certificate") || lower.contains("unknownissuer") {
            let (what, hint) = certificate(&lower);
            return unreachable(format!("the certificate of {server} {what}: {cause}"), hint);
        }
        if lower.contains("tls") || lower.contains("handshake") || lower.contains("corrupt message")
        {
            return unreachable(
                format!("no TLS connection with {server}: {cause}"),
                "does the server speak https on this port?",
            );
        }
        if io_kind(error) == Some(ErrorKind::ConnectionRefused) {
            return unreachable(
                format!("nothing listens at {server}"),
                "is the server running, and is the port right?",
            );
        }
        if error.is_timeout() || lower.contains("timed out") {
            return unreachable(
                format!("no connection to {server} in time"),
                "check the URL, this machine's network and its proxy",
            );
        }
        return unreachable(
            format!("no connection to {server}: {cause}"),
            "check the URL and this machine's network",
        );
    }
    if error.is_timeout() {
        let what = format!("no answer from {server} within {answer:?}");
        return Failure::new(
            FailureKind::Broken,
            what,
            "the server is slow or stuck; try again",
        );
    }
    if lower.contains("message head is too large") {
        let what = format!("the headers of {server} are larger than the HTTP library takes");
        let hint = "is this an Aspect API? no setting of reeltop raises that";
        return Failure::new(FailureKind::TooLarge, what, hint);
    }
    let no_http = ["invalid http", "parse", "unexpected message"];
    if no_http.iter().any(|words| lower.contains(words)) {
        return unreachable(
            format!("{server} does not answer in HTTP"),
            "check the URL and its port",
        );
    }
    let what = format!("the connection to {server} broke: {cause}");
    Failure::new(FailureKind::Broken, what, "try again")
}

/// No connection where a proxy is on the way: which of the two is away is not known, but that the
/// proxy was asked first.
fn through(proxy: &Proxy, url: &Url, lower: &str, cause: &str) -> Failure {
    let Proxy { name, address } = proxy;
    let (server, address) = (origin(url), visible(address));
    let host = visible(url.host_str().unwrap_or_default());
    // The certificate is the server's: the tunnel stood.
    let what = if lower.contains("certificate") || lower.contains("unknownissuer") {
        let (what, hint) = certificate(lower);
        let what = format!("the certificate of {server}, through {address}, {what}: {cause}");
        return Failure::new(FailureKind::Unreachable, what, hint);
    } else if lower.contains("dns error") || lower.contains("lookup address") {
        format!(
            "the host name of the proxy {address} could not be resolved, on the way to {server}"
        )
    } else if lower.contains("connection refused") {
        format!("nothing listens at the proxy {address}, on the way to {server}")
    } else {
        format!("no connection to {server} through the proxy {address}: {cause}")
    };
    let hint = format!("check {name}; NO_PROXY={host} goes there without it");
    Failure::new(FailureKind::Unreachable, what, hint)
}

/// From an answer whose headers are larger than a limit.
pub fn large_headers(url: &Url, limit: &str) -> Failure {
    let what = format!("the headers of {} are larger than {limit}", origin(url));
    let hint = "is this an Aspect API? if it is, raise limits.header_bytes";
    Failure::new(FailureKind::TooLarge, what, hint)
}

/// What is wrong with a certificate, and what to do, from the words of the TLS library.
fn certificate(lower: &str) -> (&'static str, &'static str) {
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["unknownissuer", "unknown issuer", "caused by other"]) {
        (
            "was signed by an authority that this machine does not trust",
            "if it is right, give the authority's certificate with --ca-file FILE",
        )
    } else if has(&["not valid for name", "notvalidforname"]) {
        (
            "is for another host name",
            "use the name that the certificate was made for in the URL",
        )
    } else if has(&["notvalidyet", "not valid yet"]) {
        (
            "is not valid yet",
            "check this machine's clock; else the server needs another certificate",
        )
    } else if has(&["expired"]) {
        (
            "has expired",
            "the server needs a new one; if it has one, check this machine's clock",
        )
    } else if has(&["revoked"]) {
        ("was revoked by its authority", "the server needs a new one")
    } else {
        (
            "is not valid",
            "check the host name and this machine's clock and certificate store",
        )
    }
}

fn chain(error: &reqwest::Error) -> Vec<String> {
    let mut texts = Vec::new();
    let mut next = error.source();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts
}

fn io_kind(error: &reqwest::Error) -> Option<ErrorKind> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

/// From an answer whose status is no success.
pub fn status(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    url: &Url,
    key: &str,
) -> Failed {
    let code = status.as_u16();
    let said = error_text(body);
    let looks_like_html = body.trim_ascii_start().starts_with(b"<");
    let said = if looks_like_html {
        "an HTML page".into()
    } else {
        visible(&said)
    };
    let server = origin(url);
    let path = visible(url.path()).into_owned();
    let is_unknown_key = code == 401 || code == 403 && said.contains("Not authenticated");
    let words = if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    };
    let with_words = |kind: FailureKind, hint: &str| {
        Failure::new(
            kind,
            format!("{code} from {server} for {path}{words}"),
            hint,
        )
    };
    let failure = match code {
        _ if is_unknown_key => Failure::new(
            FailureKind::Unauthorized,
            format!("{code}, the key was refused by {server}{words}"),
            format!("the key came from {key}; check that it is right for this server"),
        ),
        403 => with_words(FailureKind::Forbidden, "this key may not do that"),
        404 if said.is_empty() || said == "Not Found" || looks_like_html => with_words(
            FailureKind::NotOffered,
            "check that the URL is the base URL of an Aspect API",
        ),
        404 => with_words(FailureKind::NotFound, "check the id"),
        405 => with_words(FailureKind::NotOffered, "this server does not offer it"),
        413 => with_words(
            FailureKind::TooLarge,
            "the server takes no request of this size; send less",
        ),
        409 => with_words(
            FailureKind::Invalid,
            "it conflicts with what is there; look at how it stands now, then try again",
        ),
        400 | 422 => with_words(
            FailureKind::Invalid,
            "mend what the server names, then try again",
        ),
        429 => Failure {
            wait: retry_after(headers),
            ..with_words(FailureKind::RateLimited, &when_again(headers))
        },
        424 => with_words(
            FailureKind::Server,
            "nothing was done, as the service cannot reach what it depends on; try again",
        ),
        408 | 425 | 500..=599 => {
            with_words(FailureKind::Server, "the server has trouble; try again")
        }
        _ => with_words(
            FailureKind::NotAspect,
            "check that the URL is the base URL of an Aspect API",
        ),
    };
    Failed {
        failure,
        is_final: !matches!(code, 408 | 425 | 429 | 500..=599),
        retry_after: retry_after(headers),
        status: Some(code),
    }
}

/// The content type without its parameters, as it came; empty if there is none.
pub fn content_type(headers: &HeaderMap) -> &str {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let essence = kind.unwrap_or_default().split(';').next();
    essence.unwrap_or_default().trim()
}

/// Whether an answer is an event stream.
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    content_type(headers).eq_ignore_ascii_case("text/event-stream")
}

/// From an answer that cannot be read.
pub fn unreadable(what: &Unreadable, url: &Url) -> Failure {
    Failure::new(
        FailureKind::NotAspect,
        format!(
            "{} answered {} for {}",
            origin(url),
            what.why,
            visible(url.path())
        ),
        "check that the URL is the base URL of an Aspect API",
    )
}

/// What to do after too many requests.
fn when_again(headers: &HeaderMap) -> String {
    match retry_after(headers) {
        Some(wait) if wait > 0 => format!("too many requests; try again in {}", rough_words(wait)),
        _ => "too many requests; try again later".to_owned(),
    }
}

/// `Retry-After` in microseconds: seconds, or an HTTP date read against the answer's own `Date`,
/// so that this machine's clock does not matter.
fn retry_after(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(
            i64::try_from(seconds)
                .unwrap_or(i64::MAX)
                .saturating_mul(SECOND),
        );
    }
    Some(http_date(text)?.since(date(headers)?))
}

/// When the server answered, by its own clock (`Date`, in whole seconds).
pub fn date(headers: &HeaderMap) -> Option<Time> {
    http_date(headers.get("date")?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<Time> {
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    Some(Time(date.timestamp_micros()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn kind(code: u16, body: &str) -> (FailureKind, bool) {
        let url = Url::parse("https://api.example.com/tasks/1").unwrap();
        let status_code = StatusCode::from_u16(code).unwrap();
        let failed = status(status_code, &HeaderMap::new(), body.as_bytes(), &url, "KEY");
        (failed.failure.kind, failed.is_final)
    }

    #[test]
    fn statuses_have_their_meaning() {
        for (code, body, expected, is_final) in [
            (401, "", FailureKind::Unauthorized, true),
            (
                403,
                r#"{"detail":"Not authenticated"}"#,
                FailureKind::Unauthorized,
                true,
            ),
            (403, r#"{"detail":"no"}"#, FailureKind::Forbidden, true),
            (
                404,
                r#"{"detail":"Not Found"}"#,
                FailureKind::NotOffered,
                true,
            ),
            (404, "", FailureKind::NotOffered, true),
            (
                404,
                r#"{"detail":"Task not found"}"#,
                FailureKind::NotFound,
                true,
            ),
            (405, "", FailureKind::NotOffered, true),
            (422, "", FailureKind::Invalid, true),
            (429, "", FailureKind::RateLimited, false),
            (424, "", FailureKind::Server, true),
            (425, "", FailureKind::Server, false),
            (503, "", FailureKind::Server, false),
            (204, "", FailureKind::NotAspect, true),
            (418, "", FailureKind::NotAspect, true),
        ] {
            assert_eq!(kind(code, body), (expected, is_final), "{code} {body}");
        }
    }

    #[test]
    fn what_to_do_fits_the_refusal() {
        let url = Url::parse("http://127.0.0.1:1/x").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "90".parse().unwrap());
        for (code, advice) in [
            (400, "mend what the server names"),
            (409, "conflicts with what is there"),
            (413, "send less"),
            (422, "mend what the server names"),
            (429, "try again in 90s"),
        ] {
            let code = StatusCode::from_u16(code).unwrap();
            let body = br#"{"detail":"in its own words"}"#;
            let Failure { what, hint, .. } = status(code, &headers, body, &url, "KEY").failure;
            assert!(what.contains("in its own words"), "{what}");
            let failure = status(code, &headers, body, &url, "KEY").failure;
            let is_waited_for = code == StatusCode::TOO_MANY_REQUESTS;
            assert_eq!(failure.wait, is_waited_for.then_some(90 * SECOND));
            let brief = format!("{}: in its own words; {hint}", code.as_u16());
            assert_eq!(failure.brief(), brief);
            assert_eq!(
                failure.said().map(|(_, words)| words),
                Some("in its own words")
            );
            assert!(hint.contains(advice), "{hint}");
        }
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(7 * SECOND));
        headers.insert(
            RETRY_AFTER,
            "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap(),
        );
        assert_eq!(retry_after(&headers), None);
        headers.insert("date", "Sun, 06 Nov 1994 08:49:30 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(7 * SECOND));
        headers.insert(RETRY_AFTER, "soon".parse().unwrap());
        assert_eq!(retry_after(&headers), None);
    }

    #[test]
    fn where_a_proxy_is_on_the_way_it_is_named() {
        let url = Url::parse("https://api.example.com/x").unwrap();
        let proxy = Proxy {
            name: "HTTPS_PROXY",
            address: "http://proxy.example:3128".to_owned(),
        };
        for (said, words, advice) in [
            (
                "tcp connect error: connection refused (os error 111)",
                "nothing listens at the proxy http://proxy.example:3128",
                "check HTTPS_PROXY; NO_PROXY=api.example.com",
            ),
            (
                "dns error: failed to lookup address",
                "the host name of the proxy http://proxy.example:3128",
                "check HTTPS_PROXY",
            ),
            (
                "tunnel error: proxy authorization required",
                "no connection to https://api.example.com through the proxy",
                "check HTTPS_PROXY",
            ),
            (
                "invalid peer certificate: unknownissuer",
                "the certificate of https://api.example.com, through",
                "--ca-file",
            ),
        ] {
            let failure = through(&proxy, &url, said, said);
            assert!(failure.what.contains(words), "{}", failure.what);
            assert!(failure.hint.contains(advice), "{}", failure.hint);
        }
    }

    #[test]
    fn certificates_are_judged_in_plain_words() {
        for (said, word, advice) in [
            (
                "invalid peer certificate: unknownissuer",
                "authority",
                "--ca-file",
            ),
            (
                "invalid peer certificate: certificate expired: verification time 5",
                "expired",
                "clock",
            ),
            (
                "invalid peer certificate: certificate not valid for name \"a\"; only for \"b\"",
                "another host name",
                "URL",
            ),
            (
                "invalid peer certificate: certificate not valid yet",
                "yet",
                "clock",
            ),
            (
                "invalid peer certificate: badsignature",
                "is not valid",
                "store",
            ),
        ] {
            let (what, hint) = certificate(said);
            assert!(
                what.contains(word) && hint.contains(advice),
                "{said}: {what}; {hint}"
            );
        }
    }

    #[test]
    fn what_a_server_says_is_made_safe() {
        let url = Url::parse("https://api.example.com/x").unwrap();
        let body = b"{\"detail\":\"\\u001b[31mred\"}";
        let failed = status(StatusCode::CONFLICT, &HeaderMap::new(), body, &url, "KEY");
        assert!(
            failed.failure.what.ends_with("␛[31mred"),
            "{}",
            failed.failure.what
        );
    }
}
