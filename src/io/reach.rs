//! Whether a server can be reached at all, before anything is asked of it.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Url, Version};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::client::Client;
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
