//! Who gets what is posted to a URL, and what else may be on its way there.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use reqwest::Url;

use super::config::is_loopback;
use crate::domain::{EndpointId, Replay};

/// Whether both URLs lead to one receiver. A fragment is never sent, a query or a user's name rarely
/// makes another receiver of it, and every name of this machine is this machine: a needless refusal
/// costs less than a second delivery.
pub fn is_one_receiver(one: &Url, other: &Url) -> bool {
    let place = |url: &Url| {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        let host = host.to_owned();
        (
            url.scheme().to_owned(),
            if is_here(url) {
                "localhost".to_owned()
            } else {
                host
            },
            url.port_or_known_default(),
            url.path().to_owned(),
        )
    };
    place(one) == place(other)
}

/// Whether what is sent there goes to this machine: by its own names, by the address that stands for
/// all of its own, or by one of these as IPv6 writes it.
fn is_here(url: &Url) -> bool {
    let is_own = |ip: Ipv4Addr| ip.is_loopback() || ip.is_unspecified();
    let host = url.host_str().unwrap_or_default();
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(IpAddr::V4(ip)) => is_own(ip),
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.to_ipv4_mapped().is_some_and(is_own)
        }
        Err(_) => is_loopback(url),
    }
}

/// A receiver that is posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    url: Url,
    /// The endpoints of the service that lead elsewhere; `None` if all of them were weighed before.
    elsewhere: Option<HashSet<EndpointId>>,
}

impl Receiver {
    /// One to which no endpoint leads but those that were weighed before.
    pub fn weighed(url: Url) -> Self {
        Self {
            url,
            elsewhere: None,
        }
    }

    /// One to which any endpoint may lead but these.
    pub fn beside(url: Url, elsewhere: HashSet<EndpointId>) -> Self {
        Self {
            url,
            elsewhere: Some(elsewhere),
        }
    }

    /// Whether an open replay of the same message may still arrive there.
    pub fn may_get(&self, open: &Replay) -> bool {
        match (open.url(), &self.elsewhere) {
            (Some(posted), _) => {
                Url::parse(&posted).is_ok_and(|posted| is_one_receiver(&posted, &self.url))
            }
            (None, Some(elsewhere)) => !elsewhere.contains(&open.endpoint),
            (None, None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_receiver_is_known_by_scheme_host_port_and_path() {
        let far = "https://hooks.example:443/a";
        let here = "http://127.0.0.1:3000/hooks";
        for (endpoint, to, is_one) in [
            (far, "https://HOOKS.example/a", true),
            (far, "https://hooks.example./a", true),
            (far, "https://hooks.example/a#part", true),
            (far, "https://hooks.example/a?debug=1", true),
            (far, "https://me@hooks.example/a", true),
            (far, "https://hooks.example/b", false),
            (far, "https://hooks.example:8443/a", false),
            (far, "http://hooks.example/a", false),
            (far, "https://other.example/a", false),
            (here, "http://localhost:3000/hooks", true),
            (here, "http://[::1]:3000/hooks", true),
            (here, "http://app.localhost:3000/hooks", true),
            (here, "http://0.0.0.0:3000/hooks", true),
            (here, "http://[::]:3000/hooks", true),
            (here, "http://[::ffff:127.0.0.1]:3000/hooks", true),
            (here, "http://10.0.0.1:3000/hooks", false),
            (here, "http://localhost:3001/hooks", false),
            (here, "http://localhost:3000/", false),
        ] {
            let urls = Url::parse(endpoint).ok().zip(Url::parse(to).ok());
            let found = urls.map(|(one, other)| is_one_receiver(&one, &other));
            assert_eq!(found, Some(is_one), "{endpoint} {to}");
        }
    }
}
