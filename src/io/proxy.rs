//! Which proxy is on the way to a server.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use super::config::is_loopback;

/// The proxy that requests to a server go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The variable that names it.
    pub name: &'static str,
    /// Scheme, host and port, without user name and password; words where it cannot be read.
    pub address: String,
}

/// The proxy that the HTTP library takes for a URL by the variables of the environment: that of the
/// scheme, else that for all; of the two spellings of a name the first that is set counts, even if
/// it is empty. None for this machine.
pub fn proxy(url: &Url, variable: impl Fn(&str) -> Option<String>) -> Option<Proxy> {
    // In a CGI program HTTP_PROXY is what a request's header said.
    if is_loopback(url) || variable("REQUEST_METHOD").is_some() {
        return None;
    }
    let set = |names: [&'static str; 2]| {
        let mut found = names.into_iter();
        found.find_map(|name| variable(name).map(|value| (name, value)))
    };
    let (_, exempt) = set(["NO_PROXY", "no_proxy"]).unwrap_or_default();
    let of_scheme = match url.scheme() {
        "http" => ["HTTP_PROXY", "http_proxy"],
        _ => ["HTTPS_PROXY", "https_proxy"],
    };
    let uri = url.as_str().parse().ok()?;
    [of_scheme, ["ALL_PROXY", "all_proxy"]]
        .into_iter()
        .filter_map(set)
        .find_map(|(name, value)| {
            let matcher = Matcher::builder().all(value).no(exempt.as_str()).build();
            let address = matcher.intercept(&uri)?.uri().to_string();
            // What is no host with a port may be a user with a password.
            let address = match Url::parse(&address) {
                Ok(_) => address.trim_end_matches('/').to_owned(),
                Err(_) => "whose address cannot be read".to_owned(),
            };
            Some(Proxy { name, address })
        })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn taken(url: &str, set: &[(&str, &str)]) -> Option<(&'static str, String)> {
        let url = Url::parse(url).unwrap();
        let variable = |name: &str| {
            let found = set.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        proxy(&url, variable).map(|proxy| (proxy.name, proxy.address))
    }

    #[test]
    fn the_proxy_is_the_one_that_the_library_takes() {
        const FAR: &str = "https://api.example.com/v1";
        const PLAIN: &str = "http://api.example.com/";
        const P: &str = "http://user:secret@proxy.example:3128";
        let found = |name| Some((name, "http://proxy.example:3128".to_owned()));
        for (url, set, expected) in [
            (FAR, &[("HTTPS_PROXY", P)][..], found("HTTPS_PROXY")),
            (FAR, &[("https_proxy", P)], found("https_proxy")),
            (FAR, &[("HTTP_PROXY", P)], None),
            (PLAIN, &[("HTTP_PROXY", P)], found("HTTP_PROXY")),
            (PLAIN, &[("HTTPS_PROXY", P)], None),
            (PLAIN, &[("all_proxy", P)], found("all_proxy")),
            // The first spelling counts though it is empty, and what is for all comes after it.
            (FAR, &[("HTTPS_PROXY", ""), ("https_proxy", P)], None),
            (
                FAR,
                &[("HTTPS_PROXY", ""), ("ALL_PROXY", P)],
                found("ALL_PROXY"),
            ),
            (
                FAR,
                &[("ALL_PROXY", P), ("NO_PROXY", "other.example, example.com")],
                None,
            ),
            (FAR, &[("ALL_PROXY", P), ("no_proxy", "*")], None),
            (
                FAR,
                &[("ALL_PROXY", P), ("NO_PROXY", "ample.com")],
                found("ALL_PROXY"),
            ),
            (
                "https://10.1.2.3/",
                &[("ALL_PROXY", P), ("NO_PROXY", "10.0.0.0/8")],
                None,
            ),
            (
                "http://127.0.0.1:8/",
                &[("HTTP_PROXY", P), ("ALL_PROXY", P)],
                None,
            ),
            ("http://localhost:8/", &[("ALL_PROXY", P)], None),
            (
                FAR,
                &[("ALL_PROXY", "user:secret")],
                Some(("ALL_PROXY", "whose address cannot be read".to_owned())),
            ),
            (PLAIN, &[("HTTP_PROXY", P), ("REQUEST_METHOD", "GET")], None),
        ] {
            assert_eq!(taken(url, set), expected, "{url} {set:?}");
        }
    }
}
