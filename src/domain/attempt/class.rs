//! Why an attempt failed: a class with a few words for a table, and a hint that fits.

use super::answer::is_expunged;

/// The class of an attempt's end, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureClass {
    Timeout,
    Refused,
    /// No connection, and the sender does not say why: Svix says the same of a refused one and of
    /// a name that is not found.
    NoConnection,
    Reset,
    /// The network knows no way to the address.
    NoRoute,
    Dns,
    Tls,
    Blocked,
    NoAnswer,
    /// There was none, and the service no longer has why.
    Forgotten,
    /// The code is one of success.
    NotCounted,
    Redirect,
    Unauthorized,
    /// Cloudflare, before the receiver, let it not through.
    Shielded,
    /// Cloudflare, before the receiver, got no connection to it.
    Unreached,
    /// Cloudflare, before the receiver, got one and no TLS over it.
    Untrusted,
    NotFound,
    WrongMethod,
    /// The receiver waited too long, for the request or for itself.
    Slow,
    Gone,
    TooLarge,
    NotUnderstood,
    RateLimited,
    ClientError,
    Gateway,
    Unavailable,
    ServerError,
    Other,
}

impl FailureClass {
    /// The class of a failed attempt, by the code of the answer; where there was none (0), by the
    /// words of the sender.
    pub fn of(code: u16, response: &str) -> Self {
        match code {
            0 => transport(response),
            200..=299 => Self::NotCounted,
            300..=399 => Self::Redirect,
            403 if is_of_cloudflare(response) => Self::Shielded,
            401 | 403 => Self::Unauthorized,
            404 => Self::NotFound,
            405 => Self::WrongMethod,
            // What stands from 520 on is Cloudflare's own word of the server behind it.
            408 | 524 => Self::Slow,
            410 => Self::Gone,
            413 => Self::TooLarge,
            400 | 415 | 422 => Self::NotUnderstood,
            429 => Self::RateLimited,
            400..=499 => Self::ClientError,
            502 | 504 | 520 => Self::Gateway,
            521..=523 => Self::Unreached,
            525 | 526 => Self::Untrusted,
            530 if is_of_cloudflare(response) => Self::Unreached,
            503 => Self::Unavailable,
            500..=599 => Self::ServerError,
            _ => Self::Other,
        }
    }

    /// A few words for a table.
    pub fn words(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Refused => "connection refused",
            Self::NoConnection => "no connection",
            Self::Reset => "connection broken",
            Self::NoRoute => "host unreachable",
            Self::Dns => "name not found",
            Self::Tls => "TLS failed",
            Self::Blocked => "address blocked",
            Self::NoAnswer => "no answer",
            Self::Forgotten => "reason gone",
            Self::NotCounted => "not counted as delivered",
            Self::Redirect => "redirect",
            Self::Unauthorized => "refused by the receiver",
            Self::Shielded => "blocked by Cloudflare",
            Self::Unreached => "not reached by Cloudflare",
            Self::Untrusted => "TLS behind Cloudflare",
            Self::NotFound => "path not found",
            Self::WrongMethod => "POST not taken",
            Self::Slow => "receiver too slow",
            Self::Gone => "gone",
            Self::TooLarge => "too large",
            Self::NotUnderstood => "body not understood",
            Self::RateLimited => "rate limited",
            Self::ClientError => "rejected",
            Self::Gateway => "gateway error",
            Self::Unavailable => "receiver unavailable",
            Self::ServerError => "receiver error",
            Self::Other => "failed",
        }
    }

    /// What it means and where to look, in a sentence.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Timeout => {
                "the receiver did not answer in time; answer 2xx first and work afterwards"
            }
            Self::Refused => {
                "nothing accepted the connection; is the receiver running, and is the port right?"
            }
            Self::NoConnection => {
                "no connection came about, and the service does not say why: is the receiver running, are host name and port right?"
            }
            Self::Reset => {
                "the connection broke before an answer; look for a crash or restart of the receiver, or a proxy before it"
            }
            Self::NoRoute => {
                "no way leads to the host; check its address, the network and firewalls between"
            }
            Self::Dns => "the host name could not be resolved; check the endpoint's URL",
            Self::Tls => "the TLS handshake failed; check the receiver's certificate and its chain",
            Self::Blocked => {
                "the service refuses to send to this address range; it must be a public address"
            }
            Self::NoAnswer => "the connection ended without an HTTP answer",
            Self::Forgotten => {
                "there was no answer, and the service no longer has why; a new attempt would tell"
            }
            Self::NotCounted => {
                "by its code the answer is a success, yet the service counts it as a failure; see whether its body ends in time, and what it says"
            }
            Self::Redirect => {
                "redirects are not followed and count as failures; set the endpoint to the final URL"
            }
            Self::Unauthorized => {
                "the receiver rejected it; most likely its signature check uses a wrong secret or a parsed body; reeltop verify tells which"
            }
            Self::Shielded => {
                "Cloudflare answered before the receiver, which never saw it; let this path past its firewall and bot rules"
            }
            Self::Unreached => {
                "Cloudflare, before the receiver, got no connection to its server, which never saw it (521 refused, 522 timed out, 523 and 530 no way there); is it running, and does its firewall let Cloudflare in?"
            }
            Self::Untrusted => {
                "Cloudflare, before the receiver, got no TLS with its server, which never saw it (525 the handshake, 526 the certificate); renew the certificate of the server behind it"
            }
            Self::NotFound => {
                "the receiver has no such path; check the endpoint's URL and its routes"
            }
            Self::WrongMethod => "the receiver knows the path but takes no POST there",
            Self::Slow => {
                "the receiver, or a proxy before it, gave up waiting, for the request or for its own work; answer 2xx first and work afterwards"
            }
            Self::Gone => "the receiver says that this address is gone for good",
            Self::TooLarge => "the receiver refuses bodies of this size; raise its limit",
            Self::NotUnderstood => {
                "the receiver could not use the body; its own checks or its framework refuse it"
            }
            Self::RateLimited => {
                "the receiver asks for fewer requests; a rate limit on the endpoint would help"
            }
            Self::ClientError => "the receiver rejected the request; its answer may say why",
            Self::Gateway => {
                "a proxy before the receiver got no good answer from it; is the receiver behind it running?"
            }
            Self::Unavailable => {
                "the receiver, or a proxy before it, is overloaded or down for now"
            }
            Self::ServerError => {
                "the receiver broke while handling it; look into its log at this time"
            }
            Self::Other => "the service counts this answer as a failure; only 2xx is success",
        }
    }
}

/// Whether it is the page by which Cloudflare blocks or challenges a request, as against an answer
/// of the receiver that went through it.
fn is_of_cloudflare(response: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| response.contains(word));
    // Clients that ask for no HTML get the code of the rule alone: `error code: 1020`.
    response.trim().starts_with("error code: 10")
        || has(&[
            "| Cloudflare</title>",
            "Cloudflare Ray ID",
            "cf-error-details",
        ])
        || has(&["/cdn-cgi/challenge-platform/", "cf_chl_opt"])
}

/// Reads the class out of the error text that stands in `response` when there was no answer
/// (reference: Svix server, attempts with code 0).
fn transport(text: &str) -> FailureClass {
    if is_expunged(text) {
        return FailureClass::Forgotten;
    }
    let text = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["timed out", "timeout", "deadline"]) {
        FailureClass::Timeout
    } else if has(&["blocked"]) {
        FailureClass::Blocked
    } else if has(&["dns", "resolv", "lookup", "name or service", "no such host"]) {
        FailureClass::Dns
    } else if has(&["tls", "certificate", "ssl", "handshake", "corrupt message"]) {
        FailureClass::Tls
    } else if has(&["refused"]) {
        FailureClass::Refused
    } else if has(&["reset", "broken pipe", "connection closed", "incomplete"]) {
        FailureClass::Reset
    } else if has(&["no route", "unreachable"]) {
        FailureClass::NoRoute
    } else if has(&["connect"]) {
        FailureClass::NoConnection
    } else {
        FailureClass::NoAnswer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_for_each_way_to_fail() {
        for (code, text, class) in [
            (0, "request timed out", FailureClass::Timeout),
            (
                0,
                "error making request: client error (Connect)",
                FailureClass::NoConnection,
            ),
            (
                0,
                "tcp connect error: Connection refused (os error 111)",
                FailureClass::Refused,
            ),
            (0, "dns error: failed to lookup address", FailureClass::Dns),
            (
                0,
                "error making request: client error (Connect): dns error: failed to lookup address information: Name or service not known",
                FailureClass::Dns,
            ),
            (
                0,
                "requests to this IP range are blocked (see the server configuration)",
                FailureClass::Blocked,
            ),
            (0, "invalid peer certificate: Expired", FailureClass::Tls),
            (
                0,
                "error making request: client error (Connect): received corrupt message of type InvalidContentType",
                FailureClass::Tls,
            ),
            (
                0,
                "error trying to connect: tls handshake eof",
                FailureClass::Tls,
            ),
            (
                0,
                "error making request: client error (Connect): tcp connect error: No route to host (os error 113)",
                FailureClass::NoRoute,
            ),
            (
                0,
                "error making request: client error (SendRequest)",
                FailureClass::NoAnswer,
            ),
            (0, "connection reset by peer", FailureClass::Reset),
            (0, "", FailureClass::NoAnswer),
            (0, "EXPUNGED", FailureClass::Forgotten),
            (500, "EXPUNGED", FailureClass::ServerError),
            (302, "", FailureClass::Redirect),
            (401, "", FailureClass::Unauthorized),
            (403, "", FailureClass::Unauthorized),
            (403, "error code: 1020\n", FailureClass::Shielded),
            (
                403,
                "<html><head><title>Attention Required! | Cloudflare</title>",
                FailureClass::Shielded,
            ),
            (
                403,
                "<title>Just a moment...</title><script>window._cf_chl_opt={}</script>",
                FailureClass::Shielded,
            ),
            (
                403,
                "{\"error\":\"no cloudflare token\"}",
                FailureClass::Unauthorized,
            ),
            (200, "", FailureClass::NotCounted),
            (408, "", FailureClass::Slow),
            (404, "", FailureClass::NotFound),
            (405, "", FailureClass::WrongMethod),
            (410, "", FailureClass::Gone),
            (413, "", FailureClass::TooLarge),
            (422, "", FailureClass::NotUnderstood),
            (429, "", FailureClass::RateLimited),
            (418, "", FailureClass::ClientError),
            (502, "", FailureClass::Gateway),
            (503, "", FailureClass::Unavailable),
            (520, "", FailureClass::Gateway),
            (521, "error code: 521", FailureClass::Unreached),
            (522, "", FailureClass::Unreached),
            (523, "", FailureClass::Unreached),
            (524, "error code: 524", FailureClass::Slow),
            (525, "", FailureClass::Untrusted),
            (526, "", FailureClass::Untrusted),
            (530, "error code: 1016", FailureClass::Unreached),
            (530, "{}", FailureClass::ServerError),
            (500, "timeout", FailureClass::ServerError),
            (199, "", FailureClass::Other),
        ] {
            assert_eq!(FailureClass::of(code, text), class, "{code} {text}");
        }
    }
}
