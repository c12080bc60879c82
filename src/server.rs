//! The embedded service: a local Aspect API over real HTTP, with an event stream, a simulated
//! media pipeline and a real webhook delivery engine.
//!
//! ```text
//! routes, webhooks, events ──► backend ──► store (tasks, assets)
//!      ▲                          ├──────► hub (event stream: ring and readers)
//!      │ HTTP                     └─port─► delivery: ledger, dispatcher, engine ──► POST
//!   clients        simulator ──► backend
//! ```
//!
//! Before the routes lies `chaos`, which answers badly on purpose while faults are switched on.
//!
//! `reeltop serve` and `reeltop demo` run it, and every test of the client runs against it.

mod api;
mod backend;
mod catalog;
pub mod chaos;
mod clock;
mod connection;
mod delivery;
mod dispatcher;
mod endpoints;
mod engine;
mod events;
mod hub;
mod ids;
pub mod inbox;
mod lanes;
mod ledger;
mod openapi;
mod pages;
pub mod port;
pub mod receivers;
mod reject;
mod routes;
mod schedule;
mod simulator;
mod store;
mod svix;
mod tasks;
mod webhooks;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use backend::Backend;
pub use tasks::FeatureState;

use chaos::{Chaos, Choice};
use connection::{Cut, CuttableListener};
use delivery::OwnDelivery;
use engine::HttpCourier;
use hub::Hub;
use simulator::Pace;

/// How long a stop waits for answers under way before it cuts their connections.
const GRACE: Duration = Duration::from_millis(200);
/// … and for everything else to end after that.
const LAST_CALL: Duration = Duration::from_millis(500);
/// Time scales that leave every time a useful one.
const TIME_SCALES: RangeInclusive<f64> = 1e-3..=1e6;

/// How to run the server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// The key that clients send as a Bearer token; made if absent.
    pub api_key: Option<SecretString>,
    /// Seed of the simulation.
    pub seed: u64,
    /// Simulated tasks coming in per minute, in real time; 0 for none.
    pub tasks_per_minute: f64,
    /// Divides simulated processing, retry delays, retention and automatic disabling; from 0.001
    /// to 1,000,000.
    pub time_scale: f64,
    /// Limit of one webhook POST.
    pub delivery_timeout: Duration,
    /// Endpoints that only fail for this long (before scaling) are disabled; never if absent.
    pub disable_after: Option<Duration>,
    /// Tasks held at most: beyond it the oldest finished ones go, and with none finished new ones
    /// are refused.
    pub most_tasks: usize,
    /// Messages held at most, with their attempts; the oldest go.
    pub most_messages: usize,
    /// Events kept for `Last-Event-ID`.
    pub ring_size: usize,
    /// Events that may wait for one reader of the stream before it is dropped.
    pub reader_queue: usize,
    /// A quiet stream gets a comment this often.
    pub ping_every: Duration,
    /// Faults to switch on from the start.
    pub chaos: Choice,
    /// Answers below `/api/v1` in the shape of a Svix server too, whose one application has this
    /// uid: for tests of a client of Svix.
    pub svix_app: Option<String>,
    /// With it: also the routes that Svix Cloud has and the open-source server has not.
    pub is_svix_cloud: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_key: None,
            seed: 1,
            tasks_per_minute: 0.0,
            time_scale: 1.0,
            delivery_timeout: Duration::from_secs(15),
            disable_after: Some(Duration::from_hours(5 * 24)),
            most_tasks: 200_000,
            most_messages: 100_000,
            ring_size: 4096,
            reader_queue: 4096,
            ping_every: Duration::from_secs(15),
            chaos: Choice::default(),
            svix_app: None,
            is_svix_cloud: false,
        }
    }
}

/// A server that runs. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    api_key: SecretString,
    backend: Backend,
    chaos: Chaos,
    stop: CancellationToken,
    cut: CancellationToken,
    tracker: TaskTracker,
    _stop_on_drop: [DropGuard; 2],
}

/// Starts the server; it listens when this returns.
///
/// Fails when the address cannot be bound, or with `InvalidInput` for a rate or a time scale that
/// is no use.
pub async fn start(options: Options) -> io::Result<Running> {
    start_handing_over(options, None).await
}

/// The same with delivery handed over to somebody else, where there is one; then the room's own
/// engine does not run, and nothing is answered in the shape of Svix.
pub async fn start_handing_over(
    options: Options,
    delivery: Option<Arc<dyn port::Delivery>>,
) -> io::Result<Running> {
    let sound = TIME_SCALES.contains(&options.time_scale)
        && options.tasks_per_minute.is_finite()
        && options.tasks_per_minute >= 0.0;
    if !sound {
        let text =
            "the time scale must lie between 0.001 and 1000000, and the rate of tasks not below 0";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let listener = TcpListener::bind(options.addr).await?;
    let addr = listener.local_addr()?;
    let (stop, cut, tracker) = (
        CancellationToken::new(),
        CancellationToken::new(),
        TaskTracker::new(),
    );
    let api_key = options
        .api_key
        .clone()
        .unwrap_or_else(|| ids::api_key().into());
    let (delivery, svix_shaped) = delivery.map_or_else(
        || own_delivery(&options, &api_key, &stop, &tracker),
        |other| (other, None),
    );
    let (orders, taken) = mpsc::unbounded_channel();
    let hub = Hub::new(options.ring_size, options.reader_queue);
    let backend = Backend::new(
        hub,
        delivery,
        orders,
        options.seed,
        options.time_scale,
        options.most_tasks,
    );
    let pace = Pace {
        seed: options.seed,
        tasks_per_minute: options.tasks_per_minute,
        time_scale: options.time_scale,
    };
    let simulation = simulator::run(backend.clone(), taken, pace);
    let until = stop.clone();
    tracker.spawn(async move { until.run_until_cancelled(simulation).await });
    let chaos = Chaos::new(backend.clone(), options.seed, stop.clone(), tracker.clone());
    chaos.switch(options.chaos);
    let api = api::Api {
        backend: backend.clone(),
        key: Arc::new(api_key.clone()),
        ping_every: options.ping_every,
        started: std::time::Instant::now(),
    };
    let router = routes::router(api, svix_shaped, &chaos);
    let service = router.into_make_service_with_connect_info::<Cut>();
    let listener = CuttableListener {
        listener,
        stop: cut.clone(),
    };
    let serving =
        axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    tracker.spawn(async move { serving.await });
    tracker.close();
    let guards = [stop.clone().drop_guard(), cut.clone().drop_guard()];
    Ok(Running {
        addr,
        api_key,
        backend,
        chaos,
        stop,
        cut,
        tracker,
        _stop_on_drop: guards,
    })
}

/// The room's own engine, and its routes in the shape of a Svix server where those are wanted.
fn own_delivery(
    options: &Options,
    api_key: &SecretString,
    stop: &CancellationToken,
    tracker: &TaskTracker,
) -> (Arc<dyn port::Delivery>, Option<axum::Router>) {
    let own = Arc::new(OwnDelivery::start(
        Box::new(HttpCourier::new(options.delivery_timeout)),
        options.time_scale,
        options.disable_after,
        options.most_messages,
        stop.clone(),
        tracker.clone(),
    ));
    let svix_shaped = options.svix_app.as_ref().map(|uid| {
        let key = Arc::new(api_key.clone());
        let is_cloud = options.is_svix_cloud;
        svix::router(svix::Mount::new(Arc::clone(&own), key, uid, is_cloud))
    });
    (own, svix_shaped)
}

impl Running {
    /// Base URL of the API, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The key that clients need.
    pub fn api_key(&self) -> &str {
        self.api_key.expose_secret()
    }

    /// The state, for those who run the server in their own process: create tasks, move them,
    /// publish events.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The switch of its faults.
    pub fn chaos(&self) -> &Chaos {
        &self.chaos
    }

    /// Stops: no new connection, streams end, deliveries under way are dropped. Ends within a
    /// second.
    pub async fn stop(self) {
        self.stop.cancel();
        self.backend.hub().close();
        if tokio::time::timeout(GRACE, self.tracker.wait())
            .await
            .is_err()
        {
            self.cut.cancel();
            // What is still there ends with the runtime; a second is all it gets.
            let _ = tokio::time::timeout(LAST_CALL, self.tracker.wait()).await;
        }
    }
}
