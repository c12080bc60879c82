//! The real dashboard in a terminal replays many against a real server: each pair is posted once.

use std::collections::HashMap;
use std::time::Duration;

use reeltop::server::Options;

use serde_json::json;

use crate::pty::Pty;
use crate::scripted::{self, Scripted};
use crate::server::support::{Receiver, answer, attempts, create_endpoint, start};

const N: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn many_are_posted_once_each_after_they_could_be_taken_back() {
    // Automatic retries are hours away.
    let server = start(Options {
        time_scale: 0.001,
        ..Options::default()
    })
    .await;
    let receiver = Receiver::start(|number| {
        let status = if number < N { 500 } else { 204 };
        (Duration::ZERO, answer(status, ""))
    })
    .await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    for _ in 0..N {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    attempts(&server, &format!("endpoint_id={}", endpoint.id), N).await;
    let mut posts: HashMap<String, usize> = HashMap::new();
    for _ in 0..N {
        let arrived = receiver.next().await;
        *posts
            .entry(arrived.header("svix-id").to_owned())
            .or_default() += 1;
    }
    assert_eq!(posts.len(), N);
    let (url, api_key) = (server.url(), server.api_key().to_owned());
    let code = tokio::task::spawn_blocking(move || {
        let environment = [
            ("ASPECT_BASE_URL", url.as_str()),
            ("ASPECT_API_KEY", api_key.as_str()),
        ];
        let mut pty = Pty::start(&[], &environment, 120, 36);
        pty.keys("3");
        pty.sees(&format!("✗ {N} still broken"));
        pty.keys("R");
        pty.sees(&format!("Enter send {N}"));
        pty.keys("\r");
        pty.sees(&format!("Type {N} to send {N}"));
        pty.keys(&format!("{N}\r"));
        pty.sees("u takes it back");
        pty.keys("u");
        pty.sees("taken back, nothing was sent");
        pty.sees(&format!("Enter send {N}"));
        pty.keys("\r");
        pty.sees(&format!("Type {N} to send {N}"));
        pty.keys(&format!("{N}\r"));
        pty.sees(&format!("{N} sent · ✓ {N} delivered"));
        pty.escape();
        pty.sees("✗ 0 still broken");
        pty.keys("q");
        pty.end().exit_code()
    })
    .await
    .unwrap();
    assert_eq!(code, 0);
    for _ in 0..N {
        let arrived = receiver.next().await;
        *posts
            .entry(arrived.header("svix-id").to_owned())
            .or_default() += 1;
    }
    assert!(receiver.is_quiet().await, "nothing else was posted");
    assert!(posts.values().all(|n| *n == 2), "{posts:?}");
    server.stop().await;
}

/// A service with so many messages that failed at a receiver, whose secret it tells.
pub async fn failed_at(receiver: &str, n: usize) -> Scripted {
    let hook = receiver.to_owned();
    let endpoint = move || json!({"id": "ep_1", "url": hook, "disabled": false, "filterTypes": ["task.failed"]});
    Scripted::start(move |_, head| {
        let mut words = head.split(['?', ' ']);
        let is_get = words.next() == Some("get");
        let body = match words.next().unwrap_or_default() {
            "/openapi.json" => json!({"openapi": "3.1.0", "paths": {
                "/webhooks/endpoints/{endpoint_id}/secret": {"get": {}}}}),
            "/webhooks/endpoints" => json!({"data": [endpoint()], "done": true}),
            "/webhooks/endpoints/ep_1/secret" => {
                let key = format!("{}{}", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
                json!({ "key": key })
            }
            "/webhooks/messages" => {
                let message = |n| {
                    json!({"id": format!("msg_{n}"), "eventType": "task.failed",
                    "timestamp": "2026-11-25T12:00:00Z", "payload": {"n": n}})
                };
                json!({"data": (0..n).map(message).collect::<Vec<_>>(), "done": true})
            }
            "/webhooks/delivery-attempts" => {
                let attempt = |n| {
                    json!({"id": format!("atmpt_{n}"), "msgId": format!("msg_{n}"),
                    "endpointId": "ep_1", "status": 2, "responseStatusCode": 500, "response": "",
                    "url": endpoint()["url"], "triggerType": 0,
                    "timestamp": "2026-11-25T12:00:00Z"})
                };
                let is_of = |n: &usize| {
                    !head.contains("msg_")
                        || head.contains(&format!("msg_{n} "))
                        || head.contains(&format!("msg_{n}&"))
                };
                let held: Vec<_> = (0..n).filter(is_of).map(attempt).collect();
                json!({"data": held, "done": true})
            }
            _ => return scripted::answer("404 x", "", "{}"),
        };
        if !is_get {
            return scripted::answer("404 x", "", "{}");
        }
        let json = "content-type: application/json\r\n";
        scripted::answer("200 OK", json, &body.to_string())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_posts_from_here_ask_once_for_the_secret_of_their_endpoint() {
    let receiver = Receiver::always(204).await;
    let server = failed_at(&receiver.url, 6).await;
    let url = server.url.clone();
    let watched = tokio::task::spawn_blocking(move || {
        let environment = [
            ("ASPECT_BASE_URL", url.as_str()),
            ("ASPECT_API_KEY", "sk_test"),
        ];
        let mut pty = Pty::start(&[], &environment, 120, 36);
        pty.keys("3");
        pty.sees("✗ 6 still broken");
        pty.keys("R");
        // It offers no resend.
        pty.sees("6 cannot be sent");
        pty.keys("p");
        pty.sees("Enter send 6");
        pty.keys("\r");
        pty.sees("6 sent · ✓ 6 delivered");
        pty.escape();
        pty.keys("q");
        pty.end();
    });
    watched.await.unwrap();
    let mut posts: HashMap<String, usize> = HashMap::new();
    for _ in 0..6 {
        let arrived = receiver.next().await;
        assert!(arrived.headers.contains_key("svix-signature"));
        *posts
            .entry(arrived.header("svix-id").to_owned())
            .or_default() += 1;
    }
    assert!(posts.len() == 6 && receiver.is_quiet().await, "{posts:?}");
    let requests = server.requests();
    let asked = requests
        .iter()
        .filter(|head| head.contains("/ep_1/secret "));
    assert_eq!(asked.count(), 1);
}
