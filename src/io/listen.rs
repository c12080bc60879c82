//! Listening to a stream for a while, to say how it is: when the first event and the first
//! heartbeat came, what could not be read, how long it was silent, and how the connection ended.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::time::{Instant, timeout_at};

use super::client::Client;
use super::client::failure::{self, Failed, origin};
use super::client::http::Http;
use super::opinion::{MAX_SIGHTS, Opinion, Reading, Sight, Word};
use super::stream;
use crate::domain::{Failure, FailureKind};
use crate::wire::events;
use crate::wire::shape::Shape;
use crate::wire::sse::{Counters, Decoder};

/// Both readers listen at least this long, so that there is something to compare.
const LEAST: Duration = Duration::from_secs(2);
/// On a stream that was never silent for [`BREATH`] in so long, no heartbeat is due.
const BUSY: Duration = Duration::from_secs(5);
const BREATH: Duration = Duration::from_secs(1);
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// What was heard of a stream.
#[derive(Debug)]
pub struct Heard {
    /// After redirects.
    pub url: Url,
    pub began: Instant,
    /// When the listening ended.
    pub until: Instant,
    pub first_event: Option<(Instant, Word)>,
    /// A comment line, as servers send them to show that they live.
    pub first_comment: Option<Instant>,
    /// The longest time without a byte.
    pub silence: Duration,
    pub bytes: u64,
    pub counters: Counters,
    pub has_byte_order_mark: bool,
    /// Events with bytes that are no UTF-8.
    pub n_no_utf8: u64,
    /// Events that are none of the service's, and what the first of them lacks.
    pub unreadable: (u64, Option<String>),
    pub has_ids: bool,
    pub sights: Vec<Sight>,
    /// Why it ended before its time.
    pub end: Option<Failure>,
    /// What the other reader saw meanwhile, or why it could not be asked.
    pub opinion: Result<Opinion, String>,
}

/// Listens until an event and a heartbeat were seen, at most so long. Fails where there is no
/// stream.
pub async fn listen(client: &Client, url: &Url, patience: Duration) -> Result<Heard, Failed> {
    let mut response = stream::request(client.clone(), url.clone(), String::new()).await?;
    let url = response.url().clone();
    let reading = client
        .http
        .reader_of(&url)
        .map_err(|failure| failure.to_string())
        .and_then(|request| {
            let http = Arc::clone(&client.http);
            Reading::begin(request, http).map_err(|error| error.to_string())
        });
    let began = Instant::now();
    let mut ear = Ear::new(client, url, began);
    let deadline = began + patience.max(LEAST);
    let end = loop {
        let now = Instant::now();
        let until = if ear.is_satisfied(now) {
            began + LEAST
        } else {
            deadline
        };
        if now >= until || ear.sights.len() >= MAX_SIGHTS {
            break None;
        }
        match timeout_at(until, response.chunk()).await {
            Err(_) => {}
            Ok(Ok(Some(chunk))) => {
                if let Some(endless) = ear.take(&chunk) {
                    break Some(endless);
                }
            }
            Ok(Ok(None)) => {
                let what = format!("{} ended the stream", origin(&ear.url));
                break Some(Failure::new(FailureKind::Broken, what, ""));
            }
            Ok(Err(error)) => {
                break Some(failure::transport(
                    &error,
                    &ear.url,
                    client.http.waits.answer,
                ));
            }
        }
    };
    let until = Instant::now();
    let opinion = match reading {
        Ok(reading) => Ok(reading.conclude().await),
        Err(why) => Err(why),
    };
    Ok(ear.heard(until, end, opinion))
}

/// The state of listening.
struct Ear {
    http: Arc<Http>,
    shape: Shape,
    url: Url,
    decoder: Decoder,
    began: Instant,
    last_byte: Instant,
    silence: Duration,
    bytes: u64,
    start: Vec<u8>,
    first_event: Option<(Instant, Word)>,
    first_comment: Option<Instant>,
    n_no_utf8: u64,
    unreadable: (u64, Option<String>),
    has_ids: bool,
    sights: Vec<Sight>,
}

impl Ear {
    fn new(client: &Client, url: Url, began: Instant) -> Self {
        let limits = client.http.limits;
        Self {
            http: Arc::clone(&client.http),
            shape: limits.shape(),
            url,
            decoder: Decoder::new(limits.event_bytes).giving_up_after(limits.longest_line()),
            began,
            last_byte: began,
            silence: Duration::ZERO,
            bytes: 0,
            start: Vec::new(),
            first_event: None,
            first_comment: None,
            n_no_utf8: 0,
            unreadable: (0, None),
            has_ids: false,
            sights: Vec::new(),
        }
    }

    fn is_satisfied(&self, now: Instant) -> bool {
        let is_busy = now - self.began >= BUSY && self.silence.max(now - self.last_byte) < BREATH;
        self.first_event.is_some() && (self.first_comment.is_some() || is_busy)
    }

    /// Takes a chunk; a line without end is a failure.
    fn take(&mut self, chunk: &[u8]) -> Option<Failure> {
        let now = Instant::now();
        self.silence = self.silence.max(now - self.last_byte);
        self.last_byte = now;
        self.bytes += chunk.len() as u64;
        let left = BOM.len() - self.start.len();
        self.start.extend(chunk.iter().take(left));
        let Self {
            http,
            shape,
            decoder,
            first_event,
            n_no_utf8,
            unreadable,
            has_ids,
            sights,
            ..
        } = self;
        let outcome = decoder.push(chunk, |frame| {
            let masking = &http.masking;
            first_event.get_or_insert_with(|| (now, Word::of(frame.event, masking)));
            *n_no_utf8 += u64::from(std::str::from_utf8(frame.data).is_err());
            *has_ids |= frame.has_id;
            if let Err(why) = events::decode_within(&frame, *shape, |_| {}) {
                unreadable.0 += 1;
                unreadable
                    .1
                    .get_or_insert_with(|| masking.text(&why).into_owned());
            }
            if sights.len() < MAX_SIGHTS {
                sights.push(Sight::now(frame.event, frame.id, &frame.text(), masking));
            }
        });
        if self.decoder.counters().comments > 0 {
            self.first_comment.get_or_insert(now);
        }
        outcome.err().map(|endless| {
            let what = format!("{} sent {endless}", origin(&self.url));
            let hint = "raise limits.line_bytes if its lines are that long";
            Failure::new(FailureKind::TooLarge, what, hint)
        })
    }

    fn heard(
        self,
        until: Instant,
        end: Option<Failure>,
        opinion: Result<Opinion, String>,
    ) -> Heard {
        let silence = self.silence.max(until - self.last_byte);
        Heard {
            url: self.url,
            began: self.began,
            until,
            first_event: self.first_event,
            first_comment: self.first_comment,
            silence,
            bytes: self.bytes,
            counters: self.decoder.counters(),
            has_byte_order_mark: self.start == BOM,
            n_no_utf8: self.n_no_utf8,
            unreadable: self.unreadable,
            has_ids: self.has_ids,
            sights: self.sights,
            end,
            opinion,
        }
    }
}
