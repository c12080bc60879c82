//! The server's own routes around one endpoint: its secret, its headers, an example.

use reeltop::server::Running;
use reqwest::Method;
use serde_json::{Value, json};

use super::deliveries::verifies;
use super::support::{Receiver, call, create_endpoint, get, start_fast};

async fn rotate(server: &Running, id: &str, body: Value) -> (u16, Value) {
    let path = format!("/webhooks/endpoints/{id}/secret/rotate");
    call(server, Method::POST, &path, Some(body)).await
}

async fn secret(server: &Running, id: &str) -> String {
    let body = get(server, &format!("/webhooks/endpoints/{id}/secret")).await;
    body["key"].as_str().unwrap().to_owned()
}

async fn send_example(server: &Running, id: &str, event_type: &str) -> (u16, Value) {
    let path = format!("/webhooks/endpoints/{id}/send-example");
    let body = json!({"event_type": event_type});
    call(server, Method::POST, &path, Some(body)).await
}

#[tokio::test]
async fn after_a_rotation_both_secrets_verify_until_the_grace_period_ends() {
    let server = start_fast().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    assert_eq!(secret(&server, &endpoint.id).await, endpoint.secret);

    let (status, _) = rotate(&server, &endpoint.id, json!({})).await;
    assert_eq!(status, 204);
    let new = secret(&server, &endpoint.id).await;
    assert_ne!(new, endpoint.secret);
    server.backend().create_task("asset", &["proxy"]).unwrap();
    let arrived = receiver.next().await;
    assert!(verifies(&new, &arrived) && verifies(&endpoint.secret, &arrived));
    assert_eq!(arrived.header("svix-signature").split(' ').count(), 2);

    let chosen = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G";
    let body = json!({"key": chosen, "grace_period_seconds": 0});
    assert_eq!(rotate(&server, &endpoint.id, body).await.0, 204);
    server.backend().create_task("asset", &["proxy"]).unwrap();
    let arrived = receiver.next().await;
    assert!(verifies(chosen, &arrived) && !verifies(&new, &arrived));
    // Its own grace period has not ended.
    assert!(verifies(&endpoint.secret, &arrived));
    server.stop().await;
}

#[tokio::test]
async fn a_refused_secret_is_not_repeated() {
    let server = start_fast().await;
    let endpoint = create_endpoint(&server, "http://127.0.0.1:9/", &["task.*"]).await;
    let body = json!({"key": "whsec_c2hvcnQ=", "grace_period_seconds": 604_801});
    let (status, body) = rotate(&server, &endpoint.id, body).await;
    assert_eq!(status, 422);
    assert_eq!(body["detail"].as_array().unwrap().len(), 2, "{body}");
    assert!(!body.to_string().contains("c2hvcnQ"), "{body}");
    assert_eq!(secret(&server, &endpoint.id).await, endpoint.secret);
    assert_eq!(rotate(&server, "ep_none", json!({})).await.0, 404);
    server.stop().await;
}

#[tokio::test]
async fn own_headers_are_sent_and_sensitive_ones_not_told() {
    let server = start_fast().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let path = format!("/webhooks/endpoints/{}/headers", endpoint.id);
    let body = json!({"headers": {"Authorization": "Basic cGxhbnRlZA==", "X-Team": "media"}});
    let (status, _) = call(&server, Method::PUT, &path, Some(body)).await;
    assert_eq!(status, 204);
    let told = json!({"headers": {"X-Team": "media"}, "sensitive": ["Authorization"]});
    assert_eq!(get(&server, &path).await, told);
    server.backend().create_task("asset", &["proxy"]).unwrap();
    let arrived = receiver.next().await;
    assert_eq!(arrived.header("authorization"), "Basic cGxhbnRlZA==");
    assert_eq!(arrived.header("x-team"), "media");

    let body = json!({"headers": {"svix-id": "x", "a b": "y", "x-ok": 1}});
    let (status, body) = call(&server, Method::PUT, &path, Some(body)).await;
    assert_eq!(
        (status, body["detail"].as_array().unwrap().len()),
        (422, 3),
        "{body}"
    );
    assert_eq!(get(&server, &path).await, told);
    server.stop().await;
}

#[tokio::test]
async fn an_example_goes_to_one_endpoint_alone() {
    let server = start_fast().await;
    let (receiver, other) = (Receiver::always(204).await, Receiver::always(204).await);
    let endpoint = create_endpoint(&server, &receiver.url, &["task.completed"]).await;
    create_endpoint(&server, &other.url, &["task.*"]).await;
    // Also of a type that it does not subscribe to.
    let (status, message) = send_example(&server, &endpoint.id, "task.failed").await;
    assert_eq!(status, 202, "{message}");
    let arrived = receiver.next().await;
    assert!(verifies(&endpoint.secret, &arrived));
    assert_eq!(arrived.header("svix-id"), message["id"].as_str().unwrap());
    let body: Value = serde_json::from_slice(&arrived.body).unwrap();
    assert_eq!(body["event_type"], "task.failed");
    assert_eq!(
        body["data"]["task"]["features"]["visual"]["state"],
        "failed"
    );
    assert_eq!(send_example(&server, &endpoint.id, "task.*").await.0, 422);
    assert_eq!(send_example(&server, "ep_none", "task.failed").await.0, 404);
    // What the other endpoint gets first is the next event: the example never came there.
    server.backend().create_task("asset", &["proxy"]).unwrap();
    let first: Value = serde_json::from_slice(&other.next().await.body).unwrap();
    assert_eq!(first["event_type"], "task.progress");
    server.stop().await;
}
