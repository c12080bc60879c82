//! The HTTP library's clients, one for each way of connecting, made when they are first needed.

use std::sync::OnceLock;

use reqwest::{Client, Url};

use super::Http;
use crate::domain::{Failure, FailureKind};
use crate::io::config::is_loopback;

const AGENT: &str = concat!("reeltop/", env!("CARGO_PKG_VERSION"));

impl Http {
    pub(super) fn client(&self, url: &Url) -> Result<&Client, Failure> {
        let cell = if self.is_ours(url) {
            &self.client
        } else if is_loopback(url) {
            &self.near
        } else {
            &self.far
        };
        made(cell, || self.builder(url).build())
    }

    pub(super) fn single(&self) -> Result<&Client, Failure> {
        made(&self.single, || {
            self.builder(&self.base)
                .pool_max_idle_per_host(0)
                .retry(reqwest::retry::never())
                .build()
        })
    }

    /// Makes the client that a change goes out by, as that takes its time.
    pub fn make_ready(&self) -> Result<(), Failure> {
        self.single().map(|_| ())
    }

    pub(super) fn builder(&self, url: &Url) -> reqwest::ClientBuilder {
        let builder = Client::builder()
            .user_agent(AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.waits.connect)
            .http2_max_header_list_size(u32::try_from(self.limits.header_bytes).unwrap_or(u32::MAX))
            .tcp_nodelay(true)
            .referer(false);
        let builder = if is_loopback(url) {
            builder.no_proxy()
        } else {
            builder
        };
        let builder = self
            .authorities
            .iter()
            .cloned()
            .fold(builder, reqwest::ClientBuilder::add_root_certificate);
        // One on this machine may be met by either scheme.
        if self.is_ours(url) && url.scheme() == "http" {
            // No certificate will be looked at, so that none need be loaded.
            builder.tls_built_in_root_certs(false)
        } else {
            builder
        }
    }
}

fn made(
    cell: &OnceLock<Client>,
    make: impl FnOnce() -> reqwest::Result<Client>,
) -> Result<&Client, Failure> {
    if let Some(client) = cell.get() {
        return Ok(client);
    }
    let client = make().map_err(|error| unmade(&error))?;
    Ok(cell.get_or_init(|| client))
}

pub(super) fn unmade(error: &reqwest::Error) -> Failure {
    let what = format!("the HTTP client cannot start: {error}");
    let hint = "check the proxy variables and certificate store";
    Failure::new(FailureKind::Local, what, hint)
}
