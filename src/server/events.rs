//! The event stream, `GET /events`: Server-Sent Events with ids, resumed from a ring.
//!
//! Our own choice of path and frame; the service documents only that a stream exists.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::api::Api;
use super::clock::{now_us, rfc3339};
use super::connection::Cut;
use super::hub::Subscription;
use super::reject::detail;

/// How long a client waits before it comes back, in milliseconds.
const RETRY: &str = "retry: 3000\n\n";
/// Events that wait are sent together, up to about this many bytes.
const CHUNK: usize = 32 * 1024;

/// `GET /events`
pub async fn stream(
    State(api): State<Api>,
    ConnectInfo(Cut(cut)): ConnectInfo<Cut>,
    headers: HeaderMap,
) -> Response {
    // Bytes that are no text are an id too, one that the ring does not know: that is a gap.
    let last_id = headers
        .get("last-event-id")
        .map(|id| String::from_utf8_lossy(id.as_bytes()))
        .filter(|id| !id.is_empty());
    let Some(subscription) = api.backend.hub().subscribe(last_id.as_deref(), cut) else {
        return detail(StatusCode::SERVICE_UNAVAILABLE, "Too many readers");
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    let reader = Reader::new(subscription, api.ping_every);
    let frames = stream::unfold(reader, |mut reader| async move {
        let chunk = reader.next().await?;
        Some((Ok::<_, Infallible>(chunk), reader))
    });
    (headers, Body::from_stream(frames)).into_response()
}

/// One reader's side of the stream.
struct Reader {
    opening: Option<Bytes>,
    backlog: std::vec::IntoIter<Bytes>,
    queue: mpsc::Receiver<Bytes>,
    ping_every: Duration,
}

impl Reader {
    fn new(subscription: Subscription, ping_every: Duration) -> Self {
        let gap = if subscription.gap { ": gap\n\n" } else { "" };
        Self {
            opening: Some(Bytes::from(format!("{RETRY}{gap}"))),
            backlog: subscription.backlog.into_iter(),
            queue: subscription.queue,
            ping_every,
        }
    }

    /// The next bytes to send; nothing when the stream ends.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(opening) = self.opening.take() {
            return Some(opening);
        }
        let first = match self.backlog.next() {
            Some(frame) => frame,
            None => match timeout(self.ping_every, self.queue.recv()).await {
                Ok(frame) => frame?,
                Err(_) => return Some(Bytes::from(format!(": ping - {}\n\n", rfc3339(now_us())))),
            },
        };
        let Some(second) = self.waiting() else {
            return Some(first);
        };
        let mut chunk = BytesMut::with_capacity(CHUNK);
        chunk.extend_from_slice(&first);
        chunk.extend_from_slice(&second);
        while chunk.len() < CHUNK {
            let Some(frame) = self.waiting() else { break };
            chunk.extend_from_slice(&frame);
        }
        Some(chunk.freeze())
    }

    /// A frame that can be sent without waiting: the whole backlog goes before the queue.
    fn waiting(&mut self) -> Option<Bytes> {
        self.backlog.next().or_else(|| self.queue.try_recv().ok())
    }
}
