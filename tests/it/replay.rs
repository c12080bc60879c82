//! A replay happens at most once, and what became of it is found, by the real client.

mod far;
mod here;
mod meanwhile;
mod resumed;
mod told;
mod unasked;
mod weighed;

use std::sync::Arc;
use std::time::{Duration, Instant};

use reeltop::domain::{
    Change, Delivery, EndpointId, Grounds, History, MessageId, ReplayState, Route, Verdict, plan,
};
use reeltop::io::Clock;
use reeltop::io::config::Source;
use reeltop::io::intake::{self, Hose, ReplayOrder};
use reeltop::server::{Options, Running};
use tokio::sync::{Notify, mpsc};

use crate::proxy::CuttingProxy;
use crate::server::support::{PATIENCE, attempts, create_endpoint, only_message, start};

/// Answers the first request with 500, and each later one with 204 once it is let go.
struct HoldingReceiver {
    url: String,
    arrived: mpsc::UnboundedReceiver<()>,
    let_go: Arc<Notify>,
}

impl HoldingReceiver {
    async fn start() -> Self {
        let (sender, arrived) = mpsc::unbounded_channel();
        let let_go = Arc::new(Notify::new());
        let held = Arc::clone(&let_go);
        let is_first = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let router = axum::Router::new().fallback(move || {
            sender.send(()).unwrap();
            let (held, is_first) = (Arc::clone(&held), Arc::clone(&is_first));
            async move {
                if is_first.swap(false, std::sync::atomic::Ordering::SeqCst) {
                    return axum::http::StatusCode::INTERNAL_SERVER_ERROR;
                }
                held.notified().await;
                axum::http::StatusCode::NO_CONTENT
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            arrived,
            let_go,
        }
    }
}

/// The client's side: what the dashboard holds, without a screen.
struct Watcher {
    hose: Hose,
    changes: mpsc::Receiver<Vec<Change>>,
    history: History,
    clock: Clock,
}

impl Watcher {
    fn open(url: &str, server: &Running) -> Self {
        let mut source = Source::new(url, server.api_key());
        source.waits.poll = Duration::from_millis(100);
        source.waits.poll_quick = Duration::from_millis(50);
        let clock = Clock::new();
        let (hose, changes) = intake::open(source, clock);
        Self {
            hose,
            changes,
            history: History::default(),
            clock,
        }
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&History) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(&self.history) {
            let left = end.saturating_duration_since(Instant::now());
            let batch = tokio::time::timeout(left, self.changes.recv()).await;
            let replays: Vec<_> = self.history.replays.all().collect();
            let batch =
                batch.unwrap_or_else(|_| panic!("{what} did not happen; replays {replays:?}"));
            self.history.apply_all(batch.unwrap());
        }
    }
}

/// One message whose first attempt failed, at an endpoint that holds the next one.
async fn failed_delivery() -> (Running, HoldingReceiver, MessageId, EndpointId) {
    let server = start(Options::default()).await;
    let mut receiver = HoldingReceiver::start().await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    server.backend().create_task("asset", &["proxy"]).unwrap();
    receiver.arrived.recv().await.unwrap();
    attempts(&server, &format!("endpoint_id={}", endpoint.id), 1).await;
    let message = only_message(&server).await;
    let message = MessageId::new(message["id"].as_str().unwrap());
    (server, receiver, message, EndpointId::new(&endpoint.id))
}

#[tokio::test]
async fn a_replay_whose_answer_is_lost_is_unknown_then_found_and_never_sent_twice() {
    let (server, mut receiver, message, endpoint) = failed_delivery().await;
    let upstream = server.url().trim_start_matches("http://").to_owned();
    let proxy = CuttingProxy::start(upstream, "/resend HTTP/1.1").await;
    let mut watcher = Watcher::open(&proxy.url, &server);
    watcher
        .until("the failed delivery", |history| {
            history
                .deliveries
                .get(&message)
                .is_some_and(|delivery| delivery.message.is_some() && delivery.is_failing())
                && history.abilities.resend.is_offered()
                && history.abilities.endpoint_list.is_offered()
        })
        .await;
    let now = watcher.clock.now().wall;
    let planned = plan(&watcher.history, &message, None, false, now);
    assert_eq!(planned.items[0].verdict, Verdict::Send, "{planned:?}");
    assert!(
        planned.items[0].warnings[0].contains("automatic retry"),
        "{planned:?}"
    );

    watcher.hose.replay(ReplayOrder {
        number: 1,
        message: message.clone(),
        endpoint: endpoint.clone(),
        route: Route::Server,
        grounds: Grounds::of(&watcher.history, &message, &endpoint),
    });
    watcher
        .until("unknown", |history| {
            matches!(
                history.replays.get(1).map(|replay| &replay.state),
                Some(ReplayState::Unknown(_))
            )
        })
        .await;
    assert_eq!(proxy.n_cut(), 1);
    receiver.arrived.recv().await.unwrap();
    let refused = plan(&watcher.history, &message, None, false, now);
    assert!(
        matches!(refused.items[0].verdict, Verdict::Refuse(_)),
        "{refused:?}"
    );

    receiver.let_go.notify_one();
    watcher
        .until("found later", |history| {
            matches!(
                history.replays.get(1).map(|replay| &replay.state),
                Some(ReplayState::Delivered {
                    found_later: true,
                    ..
                })
            )
        })
        .await;
    assert_eq!(proxy.n_cut(), 1, "one request, and no second one");
    assert!(
        receiver.arrived.try_recv().is_err(),
        "one POST at the receiver"
    );
    watcher.hose.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_replay_that_is_answered_is_followed_to_its_attempt() {
    let (server, mut receiver, message, endpoint) = failed_delivery().await;
    let mut watcher = Watcher::open(&server.url(), &server);
    watcher
        .until("the failed delivery", |history| {
            history
                .deliveries
                .get(&message)
                .is_some_and(Delivery::is_failing)
                && history.abilities.resend.is_offered()
        })
        .await;
    watcher.hose.replay(ReplayOrder {
        number: 7,
        message: message.clone(),
        endpoint: endpoint.clone(),
        route: Route::Server,
        grounds: Grounds::of(&watcher.history, &message, &endpoint),
    });
    watcher
        .until("accepted", |history| {
            history
                .replays
                .get(7)
                .is_some_and(|replay| replay.state == ReplayState::Accepted)
        })
        .await;
    receiver.arrived.recv().await.unwrap();
    receiver.let_go.notify_one();
    watcher
        .until("delivered", |history| {
            matches!(
                history.replays.get(7).map(|replay| &replay.state),
                Some(ReplayState::Delivered {
                    found_later: false,
                    ..
                })
            )
        })
        .await;
    let delivery = watcher.history.deliveries.get(&message).unwrap();
    assert_eq!(delivery.attempts().len(), 2);
    assert!(!delivery.is_failing());
    watcher.hose.close().await;
    server.stop().await;
}
