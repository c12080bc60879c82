//! A replay that the dashboard posts from here: once, signed with its endpoint's secret, and in the
//! ledger; never in read-only mode, and to no other machine.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use reeltop::domain::{ChangeKind, EndpointId, Grounds, MessageId, Replays, Route, Stage};
use reeltop::io::Clock;
use reeltop::io::config::Source;
use reeltop::io::intake::{self, ReplayOrder, SigningKeys};
use reeltop::io::post::Poster;
use reeltop::server::{Options, Running};
use reqwest::Method;
use standardwebhooks::Webhook;

use crate::server::support::{
    Arrived, PATIENCE, Receiver, answer, attempts, call, create_endpoint, only_message, start,
};

/// Whether another implementation than ours verifies it.
fn strict_by(secret: &str, arrived: &Arrived) -> Result<(), String> {
    let mut neutral = HeaderMap::new();
    for (svix, name) in [
        ("svix-id", "webhook-id"),
        ("svix-timestamp", "webhook-timestamp"),
        ("svix-signature", "webhook-signature"),
    ] {
        neutral.insert(name, arrived.headers[svix].clone());
    }
    Webhook::new(secret)
        .unwrap()
        .verify(&arrived.body, &neutral)
        .map_err(|error| error.to_string())
}

const BODY: &[u8] = br#"{"event_type":"task.failed"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn it_is_posted_once_with_the_endpoints_secret_or_not_at_all() {
    // Automatic retries are hours away.
    let server = start(Options {
        time_scale: 0.001,
        ..Options::default()
    })
    .await;
    let receiver = Receiver::start(|number| {
        let status = if number == 0 { 500 } else { 204 };
        (Duration::ZERO, answer(status, ""))
    })
    .await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    server.backend().create_task("asset", &["proxy"]).unwrap();
    receiver.next().await;
    let id = only_message(&server).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    attempts(&server, &format!("endpoint_id={}", endpoint.id), 1).await;
    let far: Arc<str> = "http://hooks.invalid/".into();
    for (url, is_read_only, ended) in [
        (receiver.url.as_str().into(), false, "delivered"),
        (receiver.url.as_str().into(), true, "refused"),
        (far, false, "refused"),
    ] {
        let source = Source::new(&server.url(), server.api_key());
        let (hose, mut changes) = intake::open(source, Clock::new());
        let order = ReplayOrder {
            number: 1,
            message: MessageId::new(&id),
            endpoint: EndpointId::new(&endpoint.id),
            route: Route::Local,
            grounds: Grounds::default(),
        };
        let poster = Arc::new(Poster::new(is_read_only, Duration::from_secs(5)));
        hose.post_here(order, (url, BODY.into()), &poster, SigningKeys::new(None));
        let mut replays = Replays::default();
        let told = async {
            while let Some(batch) = changes.recv().await {
                for change in batch {
                    if let ChangeKind::Replay(step) = change.kind {
                        replays.step(*step, change.received);
                    }
                }
                let replay = replays.get(1).filter(|replay| !replay.state.is_open());
                if let Some(replay) = replay {
                    return replay.clone();
                }
            }
            panic!("the intake ended");
        };
        let replay = tokio::time::timeout(PATIENCE, told).await.unwrap();
        assert_eq!(replay.state.name(), ended, "{}", replay.words());
        assert_eq!(replay.route, Route::Local);
        if ended == "delivered" {
            let arrived = receiver.next().await;
            assert_eq!((arrived.header("svix-id"), &arrived.body[..]), (&*id, BODY));
            assert_eq!(strict_by(&endpoint.secret, &arrived), Ok(()));
        }
        hose.close().await;
        assert!(receiver.is_quiet().await);
    }
    called_off(&server, &receiver, &id, &endpoint.id).await;
    server.stop().await;
}

/// Once the service has delivered it, what was planned before that is called off.
async fn called_off(server: &Running, receiver: &Receiver, id: &str, endpoint: &str) {
    let path = format!("/webhooks/messages/{id}/resend");
    let body = serde_json::json!({"endpoint_id": endpoint});
    let (status, body) = call(server, Method::POST, &path, Some(body)).await;
    assert!(status < 300, "{status} {body}");
    receiver.next().await;
    attempts(server, &format!("endpoint_id={endpoint}"), 2).await;
    let source = Source::new(&server.url(), server.api_key());
    let (hose, mut changes) = intake::open(source, Clock::new());
    let order = ReplayOrder {
        number: 1,
        message: MessageId::new(id),
        endpoint: EndpointId::new(endpoint),
        route: Route::Local,
        grounds: Grounds::default(),
    };
    let poster = Arc::new(Poster::new(false, Duration::from_secs(5)));
    hose.post_here(
        order,
        (receiver.url.as_str().into(), BODY.into()),
        &poster,
        SigningKeys::new(None),
    );
    let told = async {
        while let Some(batch) = changes.recv().await {
            for change in batch {
                if let ChangeKind::Replay(step) = change.kind
                    && let Stage::Cancelled(why) = step.stage
                {
                    return why;
                }
            }
        }
        panic!("the intake ended");
    };
    let why = tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert!(why.starts_with("delivered meanwhile"), "{why}");
    hose.close().await;
    assert!(receiver.is_quiet().await);
}
