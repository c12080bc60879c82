//! A receiver of webhooks for `reeltop listen`: it hands out each request as it came, and answers
//! what it is told.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::connection::{Cut, CuttableListener};
use crate::domain::Unfit;
use crate::wire::saved::Saved;

/// Requests that may wait to be looked at; more wait in their connections.
const WAITING: usize = 64;

/// How long a stop waits for answers under way.
const GRACE: Duration = Duration::from_millis(500);

/// A receiver that runs; dropping it stops it.
#[derive(Debug)]
pub struct Inbox {
    at: SocketAddr,
    arrivals: mpsc::Receiver<Arrival>,
    ending: CancellationToken,
    serving: JoinHandle<()>,
    _stop_on_drop: DropGuard,
}

/// One request, and the way to answer it.
#[derive(Debug)]
pub struct Arrival {
    pub request: Saved,
    /// Why its body is not here.
    pub unfit: Option<Unfit>,
    pub sender: Sender,
}

/// Whoever sent a request and waits for its answer.
#[derive(Debug)]
pub struct Sender(oneshot::Sender<(Answer, Taken)>);

/// Told as an answer is written into its connection.
type Taken = oneshot::Sender<()>;

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer in words of our own; they may be none.
    pub fn of(code: u16, words: impl Into<Vec<u8>>) -> Self {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        Self {
            code,
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, text)]),
            body: words.into(),
        }
    }
}

impl Inbox {
    /// Listens; bodies beyond `max_body` bytes are refused with 413.
    pub async fn open(addr: SocketAddr, max_body: usize) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let at = listener.local_addr()?;
        let (sender, arrivals) = mpsc::channel(WAITING);
        let router = Router::new()
            .fallback(take)
            .layer(DefaultBodyLimit::max(max_body))
            .with_state(sender);
        let stop = CancellationToken::new();
        let listener = CuttableListener {
            listener,
            stop: stop.clone(),
        };
        let ending = CancellationToken::new();
        let serving = axum::serve(
            listener,
            router.into_make_service_with_connect_info::<Cut>(),
        )
        .with_graceful_shutdown(ending.clone().cancelled_owned());
        let until = stop.clone();
        let serving = tokio::spawn(async move {
            until.run_until_cancelled(async { serving.await }).await;
        });
        Ok(Self {
            at,
            arrivals,
            ending,
            serving,
            _stop_on_drop: stop.drop_guard(),
        })
    }

    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// Stops when the answers that were given are sent, or after a moment. Gives how many had come
    /// that nobody looked at: they are answered with 503.
    pub async fn close(mut self) -> usize {
        self.ending.cancel();
        self.arrivals.close();
        let mut n_left = 0;
        while self.arrivals.recv().await.is_some() {
            n_left += 1;
        }
        let _ = tokio::time::timeout(GRACE, self.serving).await;
        n_left
    }

    /// The next request.
    pub async fn next(&mut self) -> Option<Arrival> {
        self.arrivals.recv().await
    }

    /// The next request, if it is here already.
    pub fn waiting(&mut self) -> Option<Arrival> {
        self.arrivals.try_recv().ok()
    }
}

impl Sender {
    /// Answers, unless the sender has hung up; whether it was still there as that was written.
    pub fn answer(self, answer: Answer) -> impl Future<Output = bool> {
        let (taken, was_taken) = oneshot::channel();
        let is_given = self.0.send((answer, taken)).is_ok();
        async move { is_given && was_taken.await.is_ok() }
    }

    /// Waits until the sender has hung up.
    pub async fn gone(&mut self) {
        self.0.closed().await;
    }
}

/// Ends with its connection, be it that the sender hangs up with its last byte. What was sent whole is
/// told of all the same, by a task of its own.
async fn take(State(to): State<mpsc::Sender<Arrival>>, request: Request) -> Response {
    let (answer, answered) = oneshot::channel();
    tokio::spawn(arrive(to, request, Sender(answer)));
    let Ok((answer, taken)) = answered.await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let _ = taken.send(());
    let code = StatusCode::from_u16(answer.code).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = code;
    *response.headers_mut() = answer.headers;
    response
}

/// Reads a request to its end and hands it out.
async fn arrive(to: mpsc::Sender<Arrival>, request: Request, sender: Sender) {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let method = request.method().to_string();
    let path = request.uri().path_and_query();
    let path = path.map_or("/", |path| path.as_str()).to_owned();
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value.as_bytes())));
    let headers = headers.collect();
    let body = Bytes::from_request(request, &()).await;
    let unfit = body.as_ref().err().map(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Unfit::TooLarge
        } else {
            Unfit::BrokenOff
        }
    });
    let arrival = Arrival {
        request: Saved {
            method,
            path,
            headers,
            body: body.map(|bytes| bytes.to_vec()).unwrap_or_default(),
        },
        unfit,
        sender,
    };
    // Nobody listens any more: whoever sent it is answered so.
    let _ = to.send(arrival).await;
}
