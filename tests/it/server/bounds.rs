//! What the service holds at most, how fast it sends, and when it stops sending.

use std::time::{Duration, Instant};

use reeltop::server::FeatureState::Completed;
use reeltop::server::{Options, Running};
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Receiver, call, create_endpoint, eventually, get, health, start, start_fast};

const EVERY: &[&str] = &["task.*"];

#[tokio::test]
async fn what_does_not_fit_goes_and_is_counted() {
    let server = start(Options {
        most_tasks: 3,
        most_messages: 5,
        ring_size: 4,
        ..Options::default()
    })
    .await;
    create_endpoint(&server, "http://127.0.0.1:9/", &["task.failed"]).await;
    let backend = server.backend();
    for _ in 0..4 {
        let task = backend.create_task("asset", &["proxy"]).unwrap();
        assert!(backend.set_feature(&task, "proxy", Completed));
    }
    for _ in 0..3 {
        backend.create_task("asset", &["proxy"]).unwrap();
    }
    assert!(backend.create_task("asset", &["proxy"]).is_none());
    for (count, value) in [
        ("tasks", 3),
        ("tasks_evicted", 4),
        ("tasks_refused", 1),
        ("events_published", 11),
        ("events_kept", 4),
        ("messages", 5),
        ("messages_evicted", 6),
    ] {
        assert_eq!(health(&server, count).await, value, "{count}");
    }
    let log_bytes = health(&server, "log_bytes").await;
    assert!((5 * 512..5 * 2048).contains(&log_bytes), "{log_bytes}");
    assert!(health(&server, "events_kept_bytes").await > 4 * 200);
    server.stop().await;
}

#[tokio::test]
async fn a_rate_limit_spaces_what_is_sent() {
    let server = start_fast().await;
    let (limited, free) = (Receiver::always(204).await, Receiver::always(204).await);
    let body = json!({"url": limited.url, "description": "", "event_types": EVERY, "rate_limit": 10, "version": 1});
    let (status, created) = call(
        &server,
        Method::POST,
        "/webhooks/endpoints",
        Some(body.clone()),
    )
    .await;
    assert_eq!(status, 201, "{created}");
    create_endpoint(&server, &free.url, EVERY).await;
    let began = Instant::now();
    for _ in 0..6 {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    for _ in 0..6 {
        limited.next().await;
        free.next().await;
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(490), "{took:?}");

    // Without its limit, what waits goes at once: at this pace it would take a minute.
    let path = format!(
        "/webhooks/endpoints/{}",
        created["endpoint"]["id"].as_str().unwrap()
    );
    let mut slow = body;
    slow["rate_limit"] = json!(1);
    assert_eq!(
        call(&server, Method::PUT, &path, Some(slow.clone()))
            .await
            .0,
        200
    );
    for _ in 0..60 {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    assert!(health(&server, "deliveries_queued").await > 30);
    slow["rate_limit"] = Value::Null;
    assert_eq!(call(&server, Method::PUT, &path, Some(slow)).await.0, 200);
    eventually("an empty queue", async || {
        (health(&server, "deliveries_queued").await == 0).then_some(())
    })
    .await;
    server.stop().await;
}

/// Waits until nothing is on its way to any endpoint.
async fn idle(server: &Running) {
    eventually("nothing on its way", async || {
        let health = get(server, "/health").await;
        [
            "deliveries_queued",
            "deliveries_in_flight",
            "retries_pending",
        ]
        .iter()
        .all(|count| health[count] == 0)
        .then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_fails_for_five_scaled_days_is_disabled() {
    // Five days are 0.43 seconds, and a schedule of eight tries runs out in a quarter of that.
    let server = start(Options {
        time_scale: 1e6,
        ..Options::default()
    })
    .await;
    let (broken, good) = (Receiver::always(500).await, Receiver::always(204).await);
    let broken = create_endpoint(&server, &broken.url, EVERY).await;
    let good = create_endpoint(&server, &good.url, EVERY).await;
    let path = format!("/webhooks/endpoints/{}", broken.id);
    // One message after the other: too many at once only queue behind each other.
    eventually("a disabled endpoint", async || {
        server.backend().create_task("asset", &["proxy"]).unwrap();
        idle(&server).await;
        (get(&server, &path).await["disabled"] == true).then_some(())
    })
    .await;
    let path = format!("/webhooks/endpoints/{}", good.id);
    assert_eq!(get(&server, &path).await["disabled"], false);

    // Nothing is queued for it meanwhile.
    let tried = format!(
        "/webhooks/delivery-attempts?endpoint_id={}&limit=1",
        broken.id
    );
    let before = get(&server, &tried).await["data"][0]["id"].clone();
    let good_before = health(&server, "attempts").await;
    server.backend().create_task("asset", &["proxy"]).unwrap();
    idle(&server).await;
    assert_eq!(health(&server, "attempts").await, good_before + 1);
    assert_eq!(get(&server, &tried).await["data"][0]["id"], before);
    server.stop().await;
}
