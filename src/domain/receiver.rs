//! Which URLs lead to one receiver, so that nothing is sent it twice under two names.

use core::net::{IpAddr, Ipv4Addr};

/// Whether both URLs lead to one receiver. A fragment is never sent, a query or a user's name rarely
/// makes another receiver of it, and every name of this machine is this machine: a needless refusal
/// costs less than a second delivery.
pub fn is_one_receiver(one: &str, other: &str) -> bool {
    is_one_receiver_for(&|_| false, one, other)
}

/// The same where it is known what this machine is called besides: `is_own` tells it of a host, in
/// lower case, an address of IPv6 without its brackets.
pub fn is_one_receiver_for(is_own: &dyn Fn(&str) -> bool, one: &str, other: &str) -> bool {
    one == other || place(one, is_own).is_some_and(|of_one| Some(of_one) == place(other, is_own))
}

/// Scheme, host, port and path; `None` if it is no URL of http.
fn place(url: &str, is_own: &dyn Fn(&str) -> bool) -> Option<(String, String, u16, Vec<String>)> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let usual = match &*scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let authority = authority.rsplit_once('@').map_or(authority, |(_, it)| it);
    // The colons of an IPv6 address stand in brackets.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, usual),
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let host = if is_here(bare) || is_own(bare) {
        "localhost".to_owned()
    } else {
        spelled_once(bare)
    };
    Some((scheme, host, port, segments(path)))
}

/// An address of IPv6 in the one form that it is written in (RFC 5952).
fn spelled_once(host: &str) -> String {
    match host.parse() {
        Ok(IpAddr::V6(ip)) => ip.to_string(),
        _ => host.to_owned(),
    }
}

/// The parts of a path that tell receivers apart: empty ones are left out, as most servers take `//a`
/// and `/a/` for `/a`, and dots are followed (RFC 3986, 5.2.4).
fn segments(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for part in path.split('/').map(plain) {
        match &*part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts
}

/// A part of a path in which nothing is escaped that need not be, the rest in capitals (RFC 3986,
/// 6.2.2): `%63%2f` is `c%2F`.
fn plain(part: &str) -> String {
    let mut pieces = part.split('%');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let escaped = piece.split_at_checked(2).and_then(|(hex, rest)| {
            let is_hex = hex.bytes().all(|digit| digit.is_ascii_hexdigit());
            let byte = is_hex.then(|| u8::from_str_radix(hex, 16).ok())?;
            Some((byte?, hex, rest))
        });
        match escaped {
            Some((byte, _, rest)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                plain.push(char::from(byte));
                plain.push_str(rest);
            }
            Some((_, hex, rest)) => {
                plain.push('%');
                plain.push_str(&hex.to_ascii_uppercase());
                plain.push_str(rest);
            }
            None => {
                plain.push('%');
                plain.push_str(piece);
            }
        }
    }
    plain
}

/// Whether what is sent there goes to this machine: by its own names, by the address that stands for
/// all of its own, or by one of these as IPv6 writes it.
fn is_here(host: &str) -> bool {
    let is_own = |ip: Ipv4Addr| ip.is_loopback() || ip.is_unspecified();
    match host.parse() {
        Ok(IpAddr::V4(ip)) => is_own(ip),
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.to_ipv4_mapped().is_some_and(is_own)
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
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
            ("http://[::1]/", "http://127.0.0.1", true),
            (far, "https://hooks.example//a", true),
            (far, "https://hooks.example/a/", true),
            (far, "https://hooks.example/%61", true),
            (far, "https://hooks.example/x/../a", true),
            (far, "https://hooks.example/%2E/a", true),
            (far, "https://hooks.example/A", false),
            (far, "https://hooks.example/%2fa", false),
            ("https://x/%c3%a9", "https://x/%C3%A9", true),
            ("https://x/50%", "https://x/50%25", false),
            ("https://x/%é", "https://x/%é/", true),
            ("https://[2001:DB8::1]/", "https://[2001:db8:0::1]", true),
            ("https://[2001:db8::1]/", "https://[2001:db8::2]", false),
            ("https://user:pass@x/", "https://x", true),
            ("no url", "no url", true),
            ("no url", "http://x", false),
        ] {
            assert_eq!(is_one_receiver(endpoint, to), is_one, "{endpoint} {to}");
            assert_eq!(is_one_receiver(to, endpoint), is_one, "{endpoint} {to}");
        }
    }

    #[test]
    fn what_this_machine_is_called_besides_is_this_machine() {
        let is_own = |host: &str| ["studio", "192.168.1.5", "fd00::5"].contains(&host);
        for (one, other, is_one) in [
            ("http://STUDIO:3000/a", "http://localhost:3000/a", true),
            ("http://studio.:3000/a", "http://192.168.1.5:3000/a", true),
            ("http://[FD00::5]:3000/a", "http://[::1]:3000/a", true),
            ("http://studio:3000/a", "http://studio:3001/a", false),
            ("http://studio2:3000/a", "http://studio:3000/a", false),
            ("http://192.168.1.6:3000/a", "http://studio:3000/a", false),
        ] {
            assert_eq!(
                is_one_receiver_for(&is_own, one, other),
                is_one,
                "{one} {other}"
            );
            assert_eq!(
                is_one_receiver_for(&is_own, other, one),
                is_one,
                "{one} {other}"
            );
        }
    }
}
