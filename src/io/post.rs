//! One POST of a webhook to a receiver: sent once, no redirect followed, the answer bounded.
//!
//! No key of the service goes here: a receiver knows the sender by the signature alone.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, Url};

use super::client::failure;
use super::config::is_loopback;
use crate::domain::time::SECOND;
use crate::domain::{Failure, FailureKind, Time, plural};
use crate::wire::signature::key::Key;

/// Of an answer no more is read than Svix keeps, in bytes.
const MAX_ANSWER: usize = 20_000;

/// Names and values, in the order in which they are sent.
pub type Headers = Vec<(String, String)>;

/// Who says that it posts them.
pub const AGENT: &str = concat!("Reeltop-Webhooks/", env!("CARGO_PKG_VERSION"));

/// The headers of a webhook, signed at this time. Without a signature where the key cannot sign.
pub fn signed(key: &Key, id: &str, at: Time, body: &[u8]) -> Headers {
    let seconds = at.0.div_euclid(SECOND);
    headers_of(
        id,
        seconds,
        &key.sign(id, seconds, body).unwrap_or_default(),
    )
}

/// The headers of a webhook with this signature.
pub fn headers_of(id: &str, seconds: i64, signature: &str) -> Headers {
    [
        ("content-type", "application/json"),
        ("user-agent", AGENT),
        ("svix-id", id),
        ("svix-timestamp", &seconds.to_string()),
        ("svix-signature", signature),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// What is posted.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub url: Url,
    pub headers: Headers,
    pub body: Bytes,
    /// Wait so long in the middle of the body.
    pub pause: Option<Duration>,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    pub headers: HeaderMap,
    /// The first 20,000 bytes.
    pub body: Vec<u8>,
    /// Why that is not the whole body, where it is not.
    pub cut: Option<String>,
    pub took: Duration,
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// Posts webhooks.
#[derive(Debug)]
pub struct Poster {
    is_read_only: bool,
    within: Duration,
    /// For this machine, never through a proxy, and for the world; made when first needed.
    near: OnceLock<Result<Client, String>>,
    far: OnceLock<Result<Client, String>>,
}

impl Poster {
    /// `within` covers one whole POST. Read-only mode lets none pass.
    pub fn new(is_read_only: bool, within: Duration) -> Self {
        Self {
            is_read_only,
            within,
            near: OnceLock::new(),
            far: OnceLock::new(),
        }
    }

    /// Whether anything may be posted: the one place where read-only mode refuses it.
    pub fn gate(&self) -> Result<(), Failure> {
        if self.is_read_only {
            let hint = "read_only in the profile or --read-only forbids it";
            return Err(Failure::new(FailureKind::Local, "read-only mode", hint));
        }
        Ok(())
    }

    /// Sends it once and reads the answer, whatever its status. A failure is [`FailureKind::Broken`]
    /// where the request may have arrived; with any other kind it has not.
    pub async fn send(&self, out: Outgoing) -> Result<Answer, Failure> {
        self.gate()?;
        let headers = headers(&out)?;
        let url = out.url.clone();
        let body = match out.pause {
            None => Body::from(out.body),
            Some(pause) => in_two(&out.body, pause),
        };
        let request = self
            .client(&url)?
            .post(url.clone())
            .headers(headers)
            .timeout(self.within)
            .body(body);
        let began = Instant::now();
        let broken = |error: reqwest::Error| {
            let mut failure = failure::transport(&error, &url, self.within);
            // Once a connection stood the request may have arrived, whatever came back.
            if !(error.is_connect() || error.is_builder()) {
                failure.kind = FailureKind::Broken;
            }
            failure
        };
        let mut response = request.send().await.map_err(broken)?;
        let code = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        // What came before the connection broke is the answer: the status was there.
        let cut = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break None,
                Err(error) => {
                    let n = plural(body.len(), "byte", "bytes");
                    let why = if error.is_timeout() {
                        format!("stopped, and {:?} were over", self.within)
                    } else {
                        "broke off".to_owned()
                    };
                    break Some(format!("its body {why} after {n}"));
                }
            }
            if body.len() > MAX_ANSWER {
                body.truncate(MAX_ANSWER);
                break Some(format!(
                    "only the first {MAX_ANSWER} bytes of its body were read"
                ));
            }
        };
        Ok(Answer {
            code,
            headers,
            body,
            cut,
            took: began.elapsed(),
        })
    }

    fn client(&self, url: &Url) -> Result<&Client, Failure> {
        let is_near = is_loopback(url);
        let slot = if is_near { &self.near } else { &self.far };
        let made = slot.get_or_init(|| {
            let builder = Client::builder()
                .redirect(Policy::none())
                .http1_only()
                .tcp_nodelay(true)
                // No kept connection, so that nothing is ever sent into one that is being closed.
                .pool_max_idle_per_host(0);
            let builder = if is_near {
                builder
                    .no_proxy()
                    .tls_built_in_root_certs(url.scheme() == "https")
            } else {
                builder
            };
            builder.build().map_err(|error| error.to_string())
        });
        made.as_ref().map_err(|why| {
            let what = format!("no HTTP client can be made: {why}");
            Failure::new(FailureKind::Local, what, "")
        })
    }
}

fn headers(out: &Outgoing) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in &out.headers {
        let known = HeaderName::try_from(name.as_str()).ok();
        let (Some(name), Ok(value)) = (known, HeaderValue::from_bytes(value.as_bytes())) else {
            let what = format!("the header {name:?} cannot be sent");
            return Err(Failure::new(
                FailureKind::Local,
                what,
                "look at its characters",
            ));
        };
        headers.append(name, value);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(out.body.len()));
    Ok(headers)
}

/// The body in two halves with a pause between.
fn in_two(body: &Bytes, pause: Duration) -> Body {
    let rest = body.slice(body.len() / 2..);
    let first = body.slice(..body.len() / 2);
    let halves = stream::unfold((0, first, rest), move |(at, first, rest)| async move {
        let part = match at {
            0 => first.clone(),
            1 => {
                tokio::time::sleep(pause).await;
                rest.clone()
            }
            _ => return None,
        };
        Some((Ok::<_, std::io::Error>(part), (at + 1, first, rest)))
    });
    Body::wrap_stream(halves)
}
