//! The transport: one origin, one key, bounds on everything that comes back.

mod clients;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode, Url, Version};
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use super::content::{Content, Secrets};
use super::failure::{self, Failed, origin};
use super::how_far::{HowFar, Mark};
use super::masking::Masking;
use super::patience::Patience;
use super::pause::Pause;
use super::redirects::redirect;
use crate::domain::time::SECOND;
use crate::domain::{Failure, FailureKind, visible};
use crate::io::clock::Clock;
use crate::io::config::{Limits, Source, Waits, is_loopback, shown};
use crate::io::log;

/// The transport to one server.
pub struct Http {
    base: Url,
    key: Option<SecretString>,
    /// Takes the key out of what the server says.
    pub masking: Masking,
    is_read_only: bool,
    authorities: Vec<Certificate>,
    pub key_origin: String,
    pub limits: Limits,
    pub waits: Waits,
    /// What its last 429 asks for.
    pub pause: Pause,
    /// How far its last change came.
    pub changed: Mark,
    /// How long reads wait for that; not at all where nobody has the time.
    pub patience: OnceLock<Patience>,
    /// How far the service's clock is ahead of ours, in microseconds; [`UNKNOWN`] before the first
    /// answer that says.
    ahead: AtomicI64,
    /// Made at the first request, as loading certificates takes its time.
    client: OnceLock<Client>,
    /// For what must never be sent twice: no kept connections, so that the library has no reason
    /// to try again on another one.
    single: OnceLock<Client>,
    /// For a stream that is configured to be at another origin: on this machine, or far away.
    near: OnceLock<Client>,
    far: OnceLock<Client>,
}

const UNKNOWN: i64 = i64::MIN;

/// How a request that must not be repeated ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// 2xx.
    Accepted,
    /// Nothing was sent, or the server refused it for certain.
    Refused(Failure),
    /// It may or may not have been taken.
    Unknown(String),
}

/// Why a change may not have been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDone {
    /// Nothing was sent, or the server refused it for certain.
    Refused(Failure),
    /// It may or may not have been taken.
    Unknown(String),
}

/// What a request that changes something does; the only files that name methods are this one and
/// the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    fn method(self) -> Method {
        match self {
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

/// Why a request got no answer.
enum Unsent {
    /// Read-only mode forbids it; nothing was sent.
    Forbidden,
    Broken(reqwest::Error),
}

impl Unsent {
    fn failed(self, url: &Url, answer: Duration) -> Failed {
        match self {
            Self::Forbidden => Failed::last(forbidden()),
            Self::Broken(error) => {
                let failure = failure::transport(&error, url, answer);
                if failure.kind == FailureKind::TooLarge {
                    Failed::last(failure)
                } else {
                    Failed::passing(failure)
                }
            }
        }
    }
}

fn forbidden() -> Failure {
    let hint = "read_only in the profile or --read-only forbids it";
    Failure::new(FailureKind::Local, "read-only mode", hint)
}

impl Http {
    /// Fails only for a URL that is none.
    pub fn new(source: &Source) -> Result<Self, Failure> {
        let base = Url::parse(&source.url).map_err(|error| {
            let what = format!("{:?} is no URL: {error}", shown(&source.url));
            Failure::new(
                FailureKind::Local,
                what,
                "it looks like https://api.aspect.inc",
            )
        })?;
        if let Some(key) = &source.key {
            log::conceal(key);
        }
        info!(
            "server {}, key from {}, read-only {}",
            origin(&base),
            source.key_origin,
            source.read_only
        );
        Ok(Self {
            base,
            key: source.key.clone(),
            masking: Masking::new(source.key.as_ref())?,
            is_read_only: source.read_only,
            authorities: source.authorities.clone(),
            key_origin: source.key_origin.clone(),
            limits: source.limits,
            waits: source.waits,
            pause: Pause::default(),
            changed: Mark::default(),
            patience: OnceLock::new(),
            ahead: AtomicI64::new(UNKNOWN),
            client: OnceLock::new(),
            single: OnceLock::new(),
            near: OnceLock::new(),
            far: OnceLock::new(),
        })
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The URL of a route: each segment is escaped, so that an id cannot leave its place.
    pub fn route(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        if segments
            .iter()
            .any(|segment| matches!(*segment, "" | "." | ".."))
        {
            let what = format!("{:?} is no id", visible(&segments.join("/")));
            return Err(Failure::new(FailureKind::NotFound, what, "check the id"));
        }
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// The URL of a configured or published path below the base URL, or of a full URL.
    pub fn path(&self, path: &str) -> Result<Url, Failure> {
        let bad = |why: String| {
            Failure::new(
                FailureKind::Local,
                why,
                "give a path such as /events, or a full URL",
            )
        };
        let name = shown(path);
        if path.starts_with("http://") || path.starts_with("https://") {
            let url =
                Url::parse(path).map_err(|error| bad(format!("{name:?} is no URL: {error}")))?;
            if !url.username().is_empty() || url.password().is_some() {
                let why = "a URL with a user name or password is not taken for the stream";
                return Err(bad(why.to_owned()));
            }
            let is_safe = url.scheme() == "https" || is_loopback(&url) || self.is_ours(&url);
            return if is_safe {
                Ok(url)
            } else {
                Err(bad(format!("{name:?} would send the key unencrypted")))
            };
        }
        let joined = format!(
            "{}/{}",
            self.base.as_str().trim_end_matches('/'),
            path.trim_start_matches('/')
        );
        let url =
            Url::parse(&joined).map_err(|error| bad(format!("{name:?} is no path: {error}")))?;
        if self.is_ours(&url) {
            Ok(url)
        } else {
            Err(bad(format!("{name:?} leaves the server")))
        }
    }

    /// Whether the URL is of the server that the key is for.
    pub fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// Reads a whole answer; any status but 2xx is a failure.
    pub async fn get(&self, url: &Url, within: Duration, with_key: bool) -> Result<Bytes, Failed> {
        let body = self.get_unmasked(url, within, with_key).await?;
        Ok(self.masking.owned(body).into())
    }

    /// The same as it came, with the key wherever the server repeats it: for what goes back to that
    /// server and is not shown.
    pub async fn get_unmasked(
        &self,
        url: &Url,
        within: Duration,
        with_key: bool,
    ) -> Result<Vec<u8>, Failed> {
        let Some(patience) = self.patience.get() else {
            return self.get_once(url, within, with_key).await;
        };
        loop {
            // Another read may have been told to wait.
            tokio::time::sleep(self.pause.left()).await;
            match self.get_once(url, within, with_key).await {
                Err(mut failed) if failed.failure.kind == FailureKind::RateLimited => {
                    if !patience.refused(self.pause.left()) {
                        let waited = patience.waited().map(|waited| format!("; {waited}"));
                        failed.failure.what += &waited.unwrap_or_default();
                        return Err(failed);
                    }
                }
                read => {
                    if read.is_ok() {
                        patience.answered();
                    }
                    return read;
                }
            }
        }
    }

    async fn get_once(
        &self,
        url: &Url,
        within: Duration,
        with_key: bool,
    ) -> Result<Vec<u8>, Failed> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let response = self.open(url, &headers, Some(within), with_key).await?;
        let (status, answer_headers) = (response.status(), response.headers().clone());
        let body = self.whole(response, url, within).await;
        let body = body.map_err(Failed::passing)?;
        if status.is_success() {
            return Ok(body);
        }
        Err(self.refusal(status, &answer_headers, &body, url))
    }

    /// An answer whose status is no success, in words that do not hold the key.
    pub fn refusal(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        url: &Url,
    ) -> Failed {
        let body = self.masking.bytes(body);
        let failed = failure::status(status, headers, &body, url, &self.key_origin);
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.pause.ask(failed.retry_after);
        }
        failed
    }

    /// Takes from an answer how far the service's clock is ahead of ours.
    fn take_date(&self, headers: &HeaderMap) {
        if let Some(date) = failure::date(headers) {
            // The date is cut to its second: the clocks are taken to agree as far as it allows.
            let least = date.0.saturating_sub(Clock::new().now().wall.0);
            let ahead = 0.clamp(least, least.saturating_add(SECOND));
            self.ahead.store(ahead, Ordering::Relaxed);
        }
    }

    /// How far the service's clock was ahead of ours at its last answer, in microseconds, to about
    /// a second; `None` if no answer said what time it was.
    pub fn ahead(&self) -> Option<i64> {
        Some(self.ahead.load(Ordering::Relaxed)).filter(|ahead| *ahead != UNKNOWN)
    }

    /// Sends a GET and follows redirects within the origin; the body is not read yet.
    pub async fn open(
        &self,
        url: &Url,
        headers: &HeaderMap,
        within: Option<Duration>,
        with_key: bool,
    ) -> Result<Response, Failed> {
        let mut at = url.clone();
        let mut seen = vec![at.clone()];
        loop {
            let mut request = self
                .client(&at)
                .map_err(Failed::last)?
                .get(at.clone())
                .headers(headers.clone());
            if let Some(within) = within {
                request = request.timeout(within);
            }
            // The key is for the configured server, whatever URL the stream was said to have.
            if with_key
                && self.is_ours(&at)
                && let Some(key) = self.authorization()
            {
                request = request.header(AUTHORIZATION, key);
            }
            let response = self
                .send(request)
                .await
                .map_err(|unsent| unsent.failed(&at, self.waits.answer))?;
            self.check_headers(&response, &at)?;
            if self.is_ours(&at) {
                self.take_date(response.headers());
            }
            let status = response.status().as_u16();
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let next = redirect(&response, &at, &seen, self.limits.redirects)
                .map_err(|failure| Failed::last(self.masking.failure(failure)))?;
            seen.push(next.clone());
            at = next;
        }
    }

    /// The version of HTTP in which a server answers, whatever it answers; without the key, and
    /// following no redirect.
    pub async fn touch(&self, url: &Url, within: Duration) -> Result<Version, Failure> {
        let request = self.client(url)?.get(url.clone()).timeout(within);
        match self.send(request).await {
            Ok(response) => Ok(response.version()),
            Err(unsent) => Err(unsent.failed(url, within).failure),
        }
    }

    /// A GET for another reader of the stream, by a client of its own, with the key where that may
    /// go.
    pub fn reader_of(&self, url: &Url) -> Result<RequestBuilder, Failure> {
        let client = self
            .builder(url)
            .build()
            .map_err(|error| clients::unmade(&error))?;
        let request = client.get(url.clone());
        Ok(match self.authorization().filter(|_| self.is_ours(url)) {
            Some(key) => request.header(AUTHORIZATION, key),
            None => request,
        })
    }

    /// The one place where a request goes out, so that read-only mode has one gate.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Unsent> {
        let (client, request) = request.build_split();
        let request = request.map_err(Unsent::Broken)?;
        let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
        if self.is_read_only && !is_reading {
            return Err(Unsent::Forbidden);
        }
        let (method, url) = (request.method().clone(), request.url().clone());
        let began = Instant::now();
        if !is_reading {
            self.changed.set(HowFar::UnderWay);
        }
        let outcome = client.execute(request).await;
        let (ms, path) = (began.elapsed().as_millis(), url.path());
        match &outcome {
            Ok(response) => info!("{method} {path} {} in {ms} ms", response.status().as_u16()),
            Err(error) => {
                let failure = failure::transport(error, &url, self.waits.answer);
                warn!("{method} {path} failed after {ms} ms: {failure}");
            }
        }
        outcome.map_err(Unsent::Broken)
    }

    fn check_headers(&self, response: &Response, url: &Url) -> Result<(), Failed> {
        let size: usize = response
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum();
        if size <= self.limits.header_bytes {
            return Ok(());
        }
        Err(Failed::last(failure::large_headers(
            url,
            &format!("{} bytes", self.limits.header_bytes),
        )))
    }

    pub(super) async fn body(
        &self,
        response: Response,
        url: &Url,
        within: Duration,
    ) -> Result<Bytes, Failure> {
        let body = self.whole(response, url, within).await?;
        Ok(self.masking.owned(body).into())
    }

    async fn whole(
        &self,
        mut response: Response,
        url: &Url,
        within: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let limit = self.limits.rest_body_bytes;
        let too_large = || {
            let what = format!(
                "the answer of {} for {} is larger than {limit} bytes",
                origin(url),
                url.path()
            );
            Failure::new(
                FailureKind::TooLarge,
                what,
                "raise limits.rest_body_bytes if it is right",
            )
        };
        if response
            .content_length()
            .is_some_and(|length| length > limit as u64)
        {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| failure::transport(&error, url, within))?
        {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Sends a POST once: never repeated, never redirected; in read-only mode not at all.
    pub async fn post_once(&self, url: &Url, body: String, idempotency_key: &str) -> Sent {
        match self
            .once(Verb::Post, url, Some(body.into()), idempotency_key)
            .await
        {
            Ok(_) => Sent::Accepted,
            Err(NotDone::Refused(failure)) => Sent::Refused(failure),
            Err(NotDone::Unknown(why)) => Sent::Unknown(why),
        }
    }

    /// Makes a change with the same guarantees, and reads what the service says of it.
    pub async fn change_once(
        &self,
        verb: Verb,
        url: &Url,
        body: Option<Content>,
        idempotency_key: &str,
    ) -> Result<Bytes, NotDone> {
        let response = self.once(verb, url, body, idempotency_key).await?;
        // It is done, whether its answer can be read or not.
        Ok(self
            .body(response, url, self.waits.answer)
            .await
            .unwrap_or_default())
    }

    /// The answer to a request that is made once, if it is 2xx.
    async fn once(
        &self,
        verb: Verb,
        url: &Url,
        body: Option<Content>,
        idempotency_key: &str,
    ) -> Result<Response, NotDone> {
        let client = self.single().map_err(NotDone::Refused)?;
        let mut request = client
            .request(verb.method(), url.clone())
            .timeout(self.waits.answer)
            .header(ACCEPT, "application/json")
            .header("idempotency-key", idempotency_key);
        let mut secrets = Secrets::default();
        if let Some(body) = body {
            secrets = body.secrets;
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.text);
        }
        if let Some(key) = self.authorization() {
            request = request.header(AUTHORIZATION, key);
        }
        let response = self.send(request).await.map_err(|unsent| match unsent {
            Unsent::Forbidden => NotDone::Refused(forbidden()),
            Unsent::Broken(error) => {
                let failure = failure::transport(&error, url, self.waits.answer);
                // Only a connection that was never made is certain to have carried nothing.
                if error.is_connect() {
                    NotDone::Refused(failure)
                } else {
                    NotDone::Unknown(failure.what)
                }
            }
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            self.changed.set(HowFar::Done);
            return Ok(response);
        }
        let is_refused = status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT;
        if is_refused {
            self.changed.set(HowFar::NotDone);
        }
        let body = self
            .body(response, url, self.waits.answer)
            .await
            .unwrap_or_default();
        let body = secrets.masked(body.to_vec());
        let failure = self.refusal(status, &headers, &body, url).failure;
        if is_refused {
            Err(NotDone::Refused(failure))
        } else {
            Err(NotDone::Unknown(failure.what))
        }
    }

    /// Sends a POST that may be sent again without harm, as the service knows what it makes by a name
    /// in it; on a kept connection, as there may be many.
    pub async fn post_again(&self, url: &Url, body: String) -> Result<Bytes, Failed> {
        let client = self.client(url).map_err(Failed::last)?;
        let mut request = client
            .post(url.clone())
            .timeout(self.waits.answer)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body);
        if let Some(key) = self.authorization() {
            request = request.header(AUTHORIZATION, key);
        }
        let response = self
            .send(request)
            .await
            .map_err(|unsent| unsent.failed(url, self.waits.answer))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.body(response, url, self.waits.answer).await;
        if status.is_success() {
            return body.map_err(Failed::passing);
        }
        Err(self.refusal(status, &headers, &body.unwrap_or_default(), url))
    }

    fn authorization(&self) -> Option<HeaderValue> {
        let key = self.key.as_ref()?;
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}
