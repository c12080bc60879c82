//! Whether a server can be reached at all, before anything is asked of it.

use std::net::IpAddr;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Url, Version};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::client::Client;
use super::config::is_loopback;
use crate::domain::{Failure, FailureKind, visible};

/// The addresses behind a host's name, at most `within`; for an address, itself.
pub async fn addresses(url: &Url, within: Duration) -> Result<Vec<IpAddr>, Failure> {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Ok(vec![address]);
    }
    let port = url.port_or_known_default().unwrap_or(443);
    let failed = |why: String| {
        let what = format!(
            "the host name {} could not be resolved: {why}",
            visible(host)
        );
        let hint = "check the URL and this machine's network";
        Failure::new(FailureKind::Unreachable, what, hint)
    };
    match timeout(within, lookup_host((bare, port))).await {
        Err(_) => Err(failed(format!("no answer within {within:?}"))),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Ok(Ok(found)) => {
            let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            addresses.dedup();
            Ok(addresses)
        }
    }
}

/// The proxy that requests to a server go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The variable that names it.
    pub name: &'static str,
    /// Scheme, host and port, without user name and password.
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
            let address = address.trim_end_matches('/').to_owned();
            Some(Proxy { name, address })
        })
}

/// Makes a connection and asks for what the server publishes, without the key; gives the version
/// of HTTP that is spoken. Whatever the answer is, a redirect too, the connection stood.
pub async fn connect(client: &Client) -> Result<&'static str, Failure> {
    let url = client.http.route(&["openapi.json"], &[])?;
    let within = client.http.waits.connect + client.http.waits.answer;
    Ok(match client.http.touch(&url, within).await? {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP",
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
            (PLAIN, &[("HTTP_PROXY", P), ("REQUEST_METHOD", "GET")], None),
        ] {
            assert_eq!(taken(url, set), expected, "{url} {set:?}");
        }
    }
}
