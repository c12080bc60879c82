//! Receivers of webhooks for the demo, on loopback, each with a manner of its own, so that
//! failures on the screen are real.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use fastrand::Rng;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::clock::now_us;
use super::connection::{Cut, CuttableListener};
use super::ids::random_bytes;
use crate::wire::signature::{Secret, SignatureHeaders, verify};

/// Longer than any delivery may take (15 s).
const SLOW: Duration = Duration::from_secs(20);
/// The flaky receiver fails its first request, and then this share of them.
const FLAKY_SHARE: f64 = 0.25;

/// How a receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manner {
    /// Verifies the signature with the endpoint's real secret, once it was told.
    Healthy,
    /// Answers 500 now and then.
    Flaky,
    /// Always answers 500.
    Broken,
    /// Answers later than a delivery may take.
    Slow,
    /// Nobody listens at its port.
    Refused,
    /// Verifies with a wrong secret, and so answers 401 to everything.
    WrongSecret,
}

/// One receiver, and the endpoint to create for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    pub manner: Manner,
    pub url: String,
    pub description: &'static str,
    pub event_types: &'static [&'static str],
}

/// Receivers that run; dropping them stops them.
#[derive(Debug)]
pub struct Receivers {
    list: Vec<Receiver>,
    desk: Arc<Desk>,
    stop: CancellationToken,
    tracker: TaskTracker,
    _closed_door: TcpSocket,
    _stop_on_drop: DropGuard,
}

/// What the handlers share.
#[derive(Debug)]
struct Desk {
    secrets: Mutex<HashMap<Manner, Secret>>,
    chance: Mutex<Rng>,
    flaky_seen: Mutex<bool>,
}

/// Starts one receiver of each manner.
pub async fn start(seed: u64) -> io::Result<Receivers> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = TcpListener::bind(anywhere).await?;
    let at = listener.local_addr()?;
    // Bound but never listening: connections are refused, and nobody else can get the port.
    let closed_door = TcpSocket::new_v4()?;
    closed_door.bind(anywhere)?;
    let nobody = closed_door.local_addr()?;
    let mut secrets = HashMap::new();
    if let Ok(wrong) = Secret::from_key(&random_bytes::<24>()) {
        secrets.insert(Manner::WrongSecret, wrong);
    }
    let desk = Arc::new(Desk {
        secrets: Mutex::new(secrets),
        chance: Mutex::new(Rng::with_seed(seed)),
        flaky_seen: Mutex::new(false),
    });
    let router = Router::new()
        .route("/prod", post(healthy))
        .route("/staging", post(flaky))
        .route("/billing", post(broken))
        .route("/analytics", post(slow))
        .route("/partner", post(wrong_secret))
        .with_state(Arc::clone(&desk));
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let serving = axum::serve(
        CuttableListener {
            listener,
            stop: stop.clone(),
        },
        router.into_make_service_with_connect_info::<Cut>(),
    );
    let until = stop.clone();
    tracker.spawn(async move { until.run_until_cancelled(async { serving.await }).await });
    tracker.close();
    let guard = stop.clone().drop_guard();
    Ok(Receivers {
        list: list(at, nobody),
        desk,
        stop,
        tracker,
        _closed_door: closed_door,
        _stop_on_drop: guard,
    })
}

/// The slow and the failing ones get few events, so that their queues do not grow for ever.
fn list(at: SocketAddr, nobody: SocketAddr) -> Vec<Receiver> {
    let receiver = |manner, description: &'static str, event_types| Receiver {
        manner,
        url: match manner {
            Manner::Refused => format!("http://{nobody}/{description}"),
            _ => format!("http://{at}/{description}"),
        },
        description,
        event_types,
    };
    vec![
        receiver(Manner::Healthy, "prod", &["task.*"]),
        receiver(Manner::Flaky, "staging", &["task.*"]),
        receiver(
            Manner::Broken,
            "billing",
            &["task.completed", "task.failed"],
        ),
        receiver(Manner::Slow, "analytics", &["task.failed"]),
        receiver(Manner::Refused, "legacy", &["task.failed"]),
        receiver(Manner::WrongSecret, "partner", &["task.completed"]),
    ]
}

impl Receivers {
    /// All of them, the healthy one first.
    pub fn list(&self) -> &[Receiver] {
        &self.list
    }

    /// Tells a receiver its endpoint's secret, so that it verifies from now on. The one that is
    /// configured wrongly does not listen. False if the text is no secret.
    pub fn tell_secret(&self, manner: Manner, secret: &str) -> bool {
        let Ok(secret) = Secret::parse(secret) else {
            return false;
        };
        let mut secrets = self
            .desk
            .secrets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if manner != Manner::WrongSecret {
            secrets.insert(manner, secret);
        }
        true
    }

    /// Stops them; requests under way are cut.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(Duration::from_millis(500), self.tracker.wait()).await;
    }
}

impl Desk {
    /// The answer of a receiver that verifies: 204, or 401 with the reason.
    fn check(&self, manner: Manner, headers: &HeaderMap, body: &[u8]) -> Response {
        let secret = {
            let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
            secrets.get(&manner).cloned()
        };
        let Some(secret) = secret else {
            return StatusCode::NO_CONTENT.into_response();
        };
        let look_up = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let signature = SignatureHeaders::find(look_up);
        match verify(&secret, signature, body, now_us() / 1_000_000) {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(reason) => (
                StatusCode::UNAUTHORIZED,
                format!("signature refused: {reason}"),
            )
                .into_response(),
        }
    }

    fn fails_now(&self) -> bool {
        let mut seen = self
            .flaky_seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let first = !std::mem::replace(&mut *seen, true);
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.f64() < FLAKY_SHARE || first
    }
}

async fn healthy(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response {
    desk.check(Manner::Healthy, &headers, &body)
}

async fn flaky(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response {
    if desk.fails_now() {
        return (StatusCode::INTERNAL_SERVER_ERROR, "upstream reset").into_response();
    }
    desk.check(Manner::Flaky, &headers, &body)
}

async fn broken() -> Response {
    let text = r#"{"error":"relation \"invoices\" does not exist"}"#;
    (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}

async fn slow() -> Response {
    tokio::time::sleep(SLOW).await;
    StatusCode::NO_CONTENT.into_response()
}

async fn wrong_secret(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response {
    desk.check(Manner::WrongSecret, &headers, &body)
}
