//! The engine's hands: one signed POST over HTTP. The only file of the room that names reqwest.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use tokio::time::Instant;

use super::clock::now_us;
use super::dispatcher::{Courier, Response};
use super::ledger::Addressed;
use crate::wire::signature::sign;

/// Response texts are cut here, in bytes, as Svix does.
const MOST_TEXT: usize = 20_000;

/// Posts webhooks: signed, no redirect followed, loopback never through a proxy.
#[derive(Debug)]
pub struct HttpCourier {
    timeout: Duration,
    /// Made when first needed: reading the system's root certificates takes a while.
    plain_loopback: OnceLock<Option<Client>>,
    loopback: OnceLock<Option<Client>>,
    world: OnceLock<Option<Client>>,
}

impl HttpCourier {
    /// `timeout` covers one whole POST: connecting, sending, and reading the answer.
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            plain_loopback: OnceLock::new(),
            loopback: OnceLock::new(),
            world: OnceLock::new(),
        }
    }

    fn client(&self, url: &Url) -> Option<&Client> {
        let (slot, proxy, roots) = match (is_loopback(url), url.scheme()) {
            (true, "http") => (&self.plain_loopback, false, false),
            (true, _) => (&self.loopback, false, true),
            (false, _) => (&self.world, true, true),
        };
        slot.get_or_init(|| {
            let builder = Client::builder()
                .redirect(Policy::none())
                .http1_only()
                .tcp_nodelay(true)
                .tls_built_in_root_certs(roots)
                // Shorter than receivers keep idle connections, so that a POST is not sent into
                // one that is just being closed.
                .pool_idle_timeout(Duration::from_secs(2));
            let builder = if proxy { builder } else { builder.no_proxy() };
            builder.build().ok()
        })
        .as_ref()
    }

    async fn send(&self, to: &Addressed) -> Result<Reply, String> {
        let url = Url::parse(&to.url).map_err(|_| "error making request: bad URL".to_owned())?;
        let client = self
            .client(&url)
            .ok_or("error making request: no TLS available")?;
        let body = to.message.payload.get().to_owned();
        let timestamp = now_us() / 1_000_000;
        let signatures: Vec<String> = to
            .secrets
            .iter()
            .map(|secret| sign(secret, &to.message.id, timestamp, body.as_bytes()))
            .collect();
        let request = client
            .post(url)
            .headers(own_headers(&to.headers))
            .header(CONTENT_TYPE, "application/json")
            .header(
                USER_AGENT,
                concat!("Reeltop-Webhooks/", env!("CARGO_PKG_VERSION")),
            )
            .header("svix-id", &to.message.id)
            .header("svix-timestamp", timestamp)
            .header("svix-signature", signatures.join(" "))
            .body(body);
        let mut response = request.send().await.map_err(|error| describe(&error))?;
        let code = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let mut bytes = Vec::new();
        while bytes.len() <= MOST_TEXT {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                // What came before the connection broke is the answer: the status was there.
                Ok(None) | Err(_) => break,
            }
        }
        Ok(Reply {
            code,
            retry_after,
            text: text(&bytes),
        })
    }
}

/// The endpoint's own headers; they were checked when they were set.
fn own_headers(headers: &BTreeMap<String, String>) -> HeaderMap {
    headers
        .iter()
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse().ok()?)))
        .collect()
}

struct Reply {
    code: u16,
    retry_after: Option<Duration>,
    text: String,
}

impl Courier for HttpCourier {
    fn post(&self, to: Addressed) -> Pin<Box<dyn Future<Output = Response> + Send + '_>> {
        Box::pin(async move {
            let started = Instant::now();
            let answer = tokio::time::timeout(self.timeout, self.send(&to)).await;
            let timed_out = answer.is_err();
            let answer = answer.unwrap_or_else(|_| Err("request timed out".to_owned()));
            let reply = answer.unwrap_or_else(|text| Reply {
                code: 0,
                retry_after: None,
                text,
            });
            Response {
                code: reply.code,
                text: reply.text.into(),
                timed_out,
                retry_after: reply.retry_after,
                duration: started.elapsed(),
            }
        })
    }
}

/// Where there was no HTTP answer: Svix's words, and behind them what Svix leaves out, which tells a
/// refused connection, a name that is not found and a bad certificate apart.
fn describe(error: &reqwest::Error) -> String {
    // The outermost error would repeat the URL, which may hold a secret of the receiver.
    let mut causes: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some errors say what the one inside them says.
        if causes.last() != Some(&words) {
            causes.push(words);
        }
        cause = error.source();
    }
    if causes.is_empty() {
        causes.push("request".to_owned());
    }
    text(format!("error making request: {}", causes.join(": ")).as_bytes())
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

/// The answer as it is logged: at most 20,000 bytes, base64 where it is not UTF-8.
fn text(bytes: &[u8]) -> String {
    let cut = bytes.get(..MOST_TEXT).unwrap_or(bytes);
    match std::str::from_utf8(cut) {
        Ok(text) => text.to_owned(),
        // The cut went through a character: leave that one out.
        Err(error) if error.error_len().is_none() && cut.len() < bytes.len() => {
            let whole = cut.get(..error.valid_up_to()).unwrap_or_default();
            String::from_utf8_lossy(whole).into_owned()
        }
        Err(_) => STANDARD.encode(cut),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn long_answers_are_cut_at_whole_characters() {
        assert_eq!(text(b"ok"), "ok");
        assert_eq!(text(&vec![b'a'; 30_000]).len(), MOST_TEXT);
        let mut wide = vec![b'a'; MOST_TEXT - 1];
        wide.extend("é and more".bytes());
        assert_eq!(text(&wide).len(), MOST_TEXT - 1);
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        assert_eq!(text(&[0xff, 0xfe]), "//4=");
        assert_eq!(text(&[b'a', 0xc3]), "YcM=");
    }

    #[test]
    fn loopback_is_recognised() {
        let loopback = |url: &str| is_loopback(&Url::parse(url).unwrap());
        for url in [
            "http://127.0.0.1:1/",
            "http://127.9.9.9/",
            "http://[::1]:2/",
            "http://localhost/",
        ] {
            assert!(loopback(url), "{url}");
        }
        for url in [
            "https://example.com/",
            "http://127.0.0.1.example.com/",
            "http://10.0.0.1/",
        ] {
            assert!(!loopback(url), "{url}");
        }
    }
}
