//! What this machine is called: which hosts in a URL lead back to it.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::LazyLock;

use crate::domain::is_one_receiver_for;

/// An address that no machine has (RFC 5737).
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// The names of this machine, as they were when it was first asked.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| names(&own_name().unwrap_or_default()));
/// Whether sockets can be bound to any address here, so that it tells nothing that they can.
static BINDS_ANY: LazyLock<bool> = LazyLock::new(|| binds(NOBODY));

/// Whether both URLs lead to one receiver, by whatever name or address of this machine.
pub fn is_one_receiver(one: &str, other: &str) -> bool {
    is_one_receiver_for(&is_own, one, other)
}

/// Whether a host, in lower case and without brackets, is this machine by its own name or by an
/// address of one of its interfaces. Nobody is asked for a name.
fn is_own(host: &str) -> bool {
    match host.parse() {
        Ok(ip) => has(ip),
        Err(_) => NAMES.iter().any(|name| name == host),
    }
}

/// Only what is an address of this machine can be bound.
fn has(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let is_of_many = ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    !is_of_many && binds(ip) && !*BINDS_ANY
}

fn binds(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// The name itself, the part before its first dot, and what that is called in the local network.
fn names(own: &str) -> Vec<String> {
    let own = own.trim_end_matches('.').to_ascii_lowercase();
    let first = own.split('.').next().unwrap_or_default().to_owned();
    if first.is_empty() {
        return Vec::new();
    }
    vec![format!("{first}.local"), first, own]
}

#[cfg(unix)]
fn own_name() -> Option<String> {
    let system = rustix::system::uname();
    system.nodename().to_str().ok().map(str::to_owned)
}

#[cfg(not(unix))]
fn own_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_by_its_names() {
        let full = names("Studio.Example.");
        assert_eq!(full, ["studio.local", "studio", "studio.example"]);
        assert_eq!(names("studio"), ["studio.local", "studio", "studio"]);
        assert_eq!(names(""), [""; 0]);
    }

    #[test]
    fn its_own_name_and_addresses_are_this_machine_and_others_are_not() {
        let here = "http://localhost:3000/hooks";
        for other in [
            "http://192.0.2.7:3000/hooks",
            "http://[2001:db8::7]:3000/hooks",
            "http://224.0.0.1:3000/hooks",
            "http://255.255.255.255:3000/hooks",
            "http://hooks.example:3000/hooks",
            "http://127.0.0.1:3001/hooks",
        ] {
            assert!(!is_one_receiver(here, other), "{other}");
        }
        // The address by which this machine would reach others; nothing is sent to find it.
        let way_out = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            socket
                .connect((NOBODY, 9))
                .and_then(|()| socket.local_addr())
        });
        if let (Ok(own), false) = (way_out, *BINDS_ANY) {
            let own = format!("http://{}:3000/hooks", own.ip());
            assert!(is_one_receiver(here, &own), "{own}");
        }
        if let Some(name) = own_name().filter(|name| !name.is_empty()) {
            let own = format!("http://{}:3000/hooks", name.to_ascii_uppercase());
            assert!(is_one_receiver(&own, here), "{own}");
        }
    }
}
