//! The subscription to the event stream: connect, resume from the last id, notice silence, wait,
//! come back, and stop where coming back is of no use (contracts.md, "Reconnecting").

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderValue};
use reqwest::{Response, Url};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::{info, warn};

use super::client::Client;
use super::client::failure::{self, Failed, origin};
use super::clock::{Clock, JumpWatch};
use crate::domain::time::duration_words;
use crate::domain::{Backoff, Failure, FailureKind, Heartbeat, Pace, visible};
use crate::wire::sse::{Decoder, Frame};

/// What happened on the stream.
#[derive(Debug)]
pub enum Step {
    /// Connected; bytes may come.
    Opened,
    /// Bytes came; give them to [`Stream::take`].
    Chunk(Bytes),
    /// No byte came for a while; said once until the next one.
    Quiet,
    /// The connection ended or was not made; the next one is made after `wait`.
    Broken {
        why: Failure,
        wait: Duration,
        tries: u32,
        is_end: bool,
    },
    /// Coming back is of no use; the next [`Stream::next`] tries again after a long wait.
    Stopped(Failure),
}

type Connecting = Pin<Box<dyn Future<Output = Result<Response, Failed>> + Send>>;

enum State {
    Ready,
    /// Kept here, so that asking for a step and dropping the question does not start over.
    Connecting(Connecting),
    Open {
        response: Response,
        since: Instant,
        last_byte: Instant,
        is_quiet: bool,
    },
    Waiting(Instant),
}

/// A subscription to one stream.
pub struct Stream {
    client: Client,
    url: Url,
    clock: Clock,
    jumps: JumpWatch,
    backoff: Backoff,
    pace: Pace,
    decoder: Decoder,
    /// How often this connection says that it is alive.
    heartbeat: Heartbeat,
    state: State,
    failures: u32,
    connections: u64,
    bytes: u64,
    /// The last event id at which a line without end made us drop the connection.
    dropped_at: Option<String>,
    /// Whether the id was forgotten, so that events between are lost.
    has_forgotten: bool,
    /// A line without end that was met while taking a chunk.
    endless: Option<Failure>,
}

/// Longest event id that is sent back, in bytes: a server refuses a request with more.
pub const MAX_ID_BYTES: usize = 4096;

fn decoder(client: &Client, last_event_id: &str) -> Decoder {
    let limits = client.http.limits;
    Decoder::new(limits.event_bytes)
        .giving_up_after(limits.longest_line())
        .resuming(last_event_id)
}

impl Stream {
    /// A subscription that makes its first connection when it is first asked for a step.
    pub fn new(client: Client, url: Url, clock: Clock, last_event_id: &str) -> Self {
        let backoff = client.http.waits.backoff();
        let decoder = decoder(&client, last_event_id);
        Self {
            client,
            url,
            clock,
            jumps: JumpWatch::default(),
            backoff,
            pace: Pace::default(),
            decoder,
            heartbeat: Heartbeat::default(),
            state: State::Ready,
            failures: 0,
            connections: 0,
            bytes: 0,
            dropped_at: None,
            has_forgotten: false,
            endless: None,
        }
    }

    /// Resumes after this event id, before the first connection.
    pub fn resume_after(&mut self, last_event_id: &str) {
        self.decoder = decoder(&self.client, last_event_id);
    }

    /// Changes the address for the next connection.
    pub fn set_url(&mut self, url: Url) {
        self.url = url;
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Connections that were opened.
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Bytes received.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How long nothing may come before that is said.
    pub fn patience(&self) -> Duration {
        let configured = self.client.http.waits.stale;
        let micros = i64::try_from(configured.as_micros()).unwrap_or(i64::MAX);
        Duration::from_micros(self.heartbeat.patience(micros).unsigned_abs())
    }

    /// Whether events were lost because the id had to be forgotten; asking takes the answer.
    pub fn take_forgotten(&mut self) -> bool {
        std::mem::take(&mut self.has_forgotten)
    }

    /// Ends a wait, if there is one, as far as the pace of connections allows.
    pub fn hurry(&mut self) {
        if let State::Waiting(until) = &mut self.state {
            let now = self.clock.now().mono;
            let earliest = self.pace.earliest(now, self.backoff.health);
            let wait = Duration::from_micros(u64::try_from(earliest - now).unwrap_or(0));
            *until = (*until).min(Instant::now() + wait);
        }
    }

    /// Decodes a chunk and gives its events to `sink`. A line without end is dealt with by the
    /// next step.
    pub fn take(&mut self, chunk: &[u8], mut sink: impl FnMut(Frame<'_>)) {
        let masking = &self.client.http.masking;
        let n_comments = self.decoder.counters().comments;
        let outcome = self.decoder.push(chunk, |frame| {
            let (event, id) = (masking.text(frame.event), masking.text(frame.id));
            sink(Frame {
                event: &event,
                data: &masking.bytes(frame.data),
                id: &id,
                ..frame
            });
        });
        if self.decoder.counters().comments > n_comments {
            self.heartbeat.heard(self.clock.now().mono);
        }
        if let Err(endless) = outcome {
            let what = format!("{} sent {endless}", origin(&self.url));
            let hint = "raise limits.line_bytes if its lines are that long";
            self.endless = Some(Failure::new(FailureKind::TooLarge, what, hint));
        }
    }

    /// Waits for the next thing to happen. May be dropped and asked again without loss.
    pub async fn next(&mut self) -> Step {
        loop {
            if let Some(jump) = self.jumps.look(self.clock.now())
                && let Some(step) = self.jumped(jump)
            {
                return step;
            }
            if let Ok(step) = timeout(LOOK_AT_CLOCK, self.step()).await {
                return step;
            }
        }
    }

    /// The machine slept, or its clock was set: a connection that is open may be dead without a
    /// word, and how long nothing came is not known; no wait is worth sitting out.
    fn jumped(&mut self, jump: i64) -> Option<Step> {
        match &self.state {
            State::Open { .. } => {
                let what = format!(
                    "this machine's clock jumped by {}, as after sleep",
                    duration_words(jump.saturating_abs())
                );
                self.failures = 0;
                let why = Failure::new(FailureKind::Broken, what, "");
                Some(self.wait(Failed::passing(why), false))
            }
            State::Connecting(_) => {
                self.state = State::Ready;
                None
            }
            State::Waiting(_) | State::Ready => {
                self.hurry();
                None
            }
        }
    }

    async fn step(&mut self) -> Step {
        if let Some(why) = self.endless.take() {
            return self.drop_endless(why);
        }
        loop {
            match &mut self.state {
                State::Waiting(until) => {
                    sleep_until(*until).await;
                    self.state = State::Ready;
                }
                State::Ready => {
                    self.pace.begin(self.clock.now().mono);
                    let id = self.decoder.last_event_id().as_bytes();
                    if id.len() > MAX_ID_BYTES || HeaderValue::from_bytes(id).is_err() {
                        // It cannot be sent, so that what came after it cannot be asked for.
                        self.decoder.forget_id();
                        self.has_forgotten = true;
                    }
                    let id = self.decoder.last_event_id().to_owned();
                    let request = request(self.client.clone(), self.url.clone(), id);
                    self.state = State::Connecting(Box::pin(request));
                }
                State::Connecting(request) => {
                    let outcome = request.await;
                    return self.connected(outcome);
                }
                State::Open { .. } => return self.read().await,
            }
        }
    }

    fn connected(&mut self, outcome: Result<Response, Failed>) -> Step {
        match outcome {
            Ok(response) => {
                let now = Instant::now();
                self.decoder.reconnect();
                self.heartbeat = Heartbeat::default();
                self.connections += 1;
                self.state = State::Open {
                    response,
                    since: now,
                    last_byte: now,
                    is_quiet: false,
                };
                info!("stream open (connection {})", self.connections);
                Step::Opened
            }
            Err(failed) if failed.is_final => {
                self.failures = self.failures.saturating_add(1);
                let wait = self.client.http.waits.stopped.max(LEAST);
                self.state = State::Waiting(Instant::now() + wait);
                warn!("stream stopped: {}", failed.failure);
                Step::Stopped(failed.failure)
            }
            Err(failed) => self.wait(failed, false),
        }
    }

    async fn read(&mut self) -> Step {
        let waits = self.client.http.waits;
        let stale = self.patience();
        let State::Open {
            response,
            last_byte,
            is_quiet,
            ..
        } = &mut self.state
        else {
            return Step::Quiet;
        };
        let patience = if *is_quiet {
            waits.idle
        } else {
            stale.min(waits.idle)
        };
        let outcome = timeout_at(*last_byte + patience.max(LEAST), response.chunk()).await;
        match outcome {
            Ok(Ok(Some(chunk))) => {
                *last_byte = Instant::now();
                *is_quiet = false;
                self.bytes += chunk.len() as u64;
                Step::Chunk(chunk)
            }
            Ok(Ok(None)) => {
                let what = format!("{} ended the stream", origin(&self.url));
                self.wait(
                    Failed::passing(Failure::new(FailureKind::Broken, what, "")),
                    true,
                )
            }
            Ok(Err(error)) => {
                let failure = failure::transport(&error, &self.url, waits.answer);
                self.wait(Failed::passing(failure), false)
            }
            Err(_) if !*is_quiet && stale < waits.idle => {
                *is_quiet = true;
                Step::Quiet
            }
            Err(_) => {
                let what = format!(
                    "no sign of life from {} for {:?}",
                    origin(&self.url),
                    waits.idle
                );
                self.wait(
                    Failed::passing(Failure::new(FailureKind::Broken, what, "")),
                    false,
                )
            }
        }
    }

    fn drop_endless(&mut self, why: Failure) -> Step {
        let id = self.decoder.last_event_id().to_owned();
        if self.dropped_at.as_ref() == Some(&id) {
            // The same line would come again for ever.
            self.decoder.forget_id();
            self.has_forgotten = true;
            self.dropped_at = None;
        } else {
            self.dropped_at = Some(id);
        }
        self.wait(Failed::passing(why), false)
    }

    /// Ends the connection and says how long to wait for the next.
    fn wait(&mut self, failed: Failed, is_end: bool) -> Step {
        if let State::Open { since, .. } = &self.state
            && since.elapsed() >= self.client.http.waits.health
        {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        let retry = self
            .decoder
            .retry_ms()
            .map(|ms| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1000));
        let chance = (fastrand::f64(), fastrand::f64());
        let delay = self
            .backoff
            .delay(self.failures, retry, failed.retry_after, chance);
        let now = self.clock.now().mono;
        let at = self
            .pace
            .earliest(now.saturating_add(delay), self.backoff.health);
        let wait = Duration::from_micros(u64::try_from(at - now).unwrap_or(0));
        self.state = State::Waiting(Instant::now() + wait);
        warn!("stream broken: {}; again in {wait:?}", failed.failure);
        Step::Broken {
            why: failed.failure,
            wait,
            tries: self.failures,
            is_end,
        }
    }
}

/// Asks for the stream; gives the answer only if it is one.
pub(super) async fn request(
    client: Client,
    url: Url,
    last_event_id: String,
) -> Result<Response, Failed> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !last_event_id.is_empty()
        && let Ok(id) = HeaderValue::from_bytes(last_event_id.as_bytes())
    {
        headers.insert("last-event-id", id);
    }
    let within = client.http.waits.answer;
    let deadline = Instant::now() + within;
    let opening = client.http.open(&url, &headers, None, true);
    let Ok(response) = timeout_at(deadline, opening).await else {
        let what = format!("no answer from {} within {within:?}", origin(&url));
        return Err(Failed::passing(Failure::new(FailureKind::Broken, what, "")));
    };
    let response = response?;
    if response.status().as_u16() != 200 {
        return Err(refusal(&client, &url, response, deadline).await);
    }
    if failure::is_event_stream(response.headers()) {
        return Ok(response);
    }
    let essence = failure::content_type(response.headers());
    let given = if essence.is_empty() {
        "nothing".into()
    } else {
        visible(essence)
    };
    let (server, path) = (origin(&url), visible(url.path()));
    let what = format!("{server}{path} is no event stream: its content type is {given}");
    let failure = Failure::new(FailureKind::NotAspect, what, hint_on(essence));
    Err(Failed::last(client.http.masking.failure(failure)))
}

/// What an answer of another type than a stream's may be, and what to do.
fn hint_on(content_type: &str) -> String {
    let is = |kind: &str| content_type.to_ascii_lowercase().contains(kind);
    let answers = if is("html") {
        "a web page answers there, often one to log in or a proxy's"
    } else if is("json") {
        "a route that gives JSON answers there"
    } else {
        "something else answers there, or what is before the server changes the type"
    };
    format!(
        "{answers}: name the stream's path with --events-path; if the path is right, the server must \
         answer it with content-type: text/event-stream"
    )
}

/// What to do about a stream that ended for good.
const ENDED: &str = "by 204 a stream says that it has ended and nobody should connect again: ask whoever \
                     runs the server whether it is switched off, or name another with --events-path";

async fn refusal(client: &Client, url: &Url, mut response: Response, deadline: Instant) -> Failed {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while body.len() < MAX_REFUSAL {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            _ => break,
        }
    }
    let mut failed = client.http.refusal(status, &headers, &body, url);
    if failed.failure.kind == FailureKind::Unauthorized && !client.http.is_ours(url) {
        let (there, home) = (origin(url), origin(client.http.base()));
        failed.failure.what = format!("{}, {there} wants a key", status.as_u16());
        failed.failure.hint =
            format!("the key is sent to {home} only, not to a stream at another server");
    } else if status.as_u16() == 204 {
        failed.failure.what = format!("204, {} asks not to come back", origin(url));
        ENDED.clone_into(&mut failed.failure.hint);
    } else if failed.failure.kind == FailureKind::NotOffered {
        "this server has no event stream there: name its path with --events-path"
            .clone_into(&mut failed.failure.hint);
    }
    failed
}

/// The least that any wait is, whatever is configured: no hot loop, ever.
const LEAST: Duration = Duration::from_millis(10);
/// How often, at least, the clocks are held against each other.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(1);
/// How much of a refusal's body is read.
const MAX_REFUSAL: usize = 64 << 10;
