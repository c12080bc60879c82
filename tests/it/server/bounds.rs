//! What the service holds at most and how fast it sends.

use std::time::{Duration, Instant};

use reeltop::server::FeatureState::Completed;
use reeltop::server::Options;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Receiver, call, create_endpoint, eventually, health, start, start_fast};

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
