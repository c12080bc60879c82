//! Webhooks: signatures, retries, resends, and nobody delaying anybody.

use std::time::{Duration, Instant};

use reeltop::domain::FailureClass;
use reeltop::server::FeatureState::{Completed, Processing};
use reeltop::server::{Options, Running};
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{
    Arrived, PATIENCE, Receiver, answer, attempts, call, client, create_endpoint, eventually, get,
    health, only_message, start, start_fast,
};

const EVERY: &[&str] = &["task.*"];

/// Publishes one task event, and so makes one message.
fn publish(server: &Running) -> String {
    server.backend().create_task("asset", &["proxy"]).unwrap()
}

fn id(row: &Value) -> &str {
    row["id"].as_str().unwrap()
}

/// Checks a signature with an implementation that is not ours; it knows `webhook-*` only.
pub fn verifies(secret: &str, arrived: &Arrived) -> bool {
    let mut headers = axum::http::HeaderMap::new();
    for name in ["id", "timestamp", "signature"] {
        let value = arrived.headers[&format!("svix-{name}")].clone();
        headers.insert(
            axum::http::HeaderName::try_from(format!("webhook-{name}")).unwrap(),
            value,
        );
    }
    let webhook = standardwebhooks::Webhook::new(secret).unwrap();
    webhook.verify(&arrived.body, &headers).is_ok()
}

async fn resend(server: &Running, message: &str, endpoint: &str, key: Option<&str>) -> u16 {
    let mut request = client()
        .post(format!(
            "{}/webhooks/messages/{message}/resend",
            server.url()
        ))
        .bearer_auth(server.api_key())
        .body(json!({"endpoint_id": endpoint}).to_string());
    if let Some(key) = key {
        request = request.header("idempotency-key", key.as_bytes());
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_delivery_is_signed_and_logged() {
    let server = start_fast().await;
    let receiver = Receiver::start(|_| (Duration::ZERO, answer(200, "thanks"))).await;
    let endpoint = create_endpoint(&server, &receiver.url, EVERY).await;
    let other = create_endpoint(&server, &receiver.url, &["task.failed"]).await;
    let task = publish(&server);

    let arrived = receiver.next().await;
    assert!(verifies(&endpoint.secret, &arrived) && !verifies(&other.secret, &arrived));
    assert_eq!(arrived.header("content-type"), "application/json");
    assert!(
        arrived
            .header("user-agent")
            .starts_with("Reeltop-Webhooks/")
    );
    let body: Value = serde_json::from_slice(&arrived.body).unwrap();
    assert_eq!(
        body["data"]["task"],
        get(&server, &format!("/tasks/{task}")).await
    );
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["timestamp", "user_id", "event_id", "event_type", "data"]
    );

    let message = only_message(&server).await;
    assert_eq!(id(&message), arrived.header("svix-id"));
    assert_eq!(message["payload"], body);
    assert_eq!(
        (&message["event_id"], &message["channels"]),
        (&body["event_id"], &Value::Null)
    );

    let rows = attempts(&server, &format!("message_id={}", id(&message)), 1).await;
    let row = rows[0].as_object().unwrap();
    let names: Vec<&String> = row.keys().collect();
    assert_eq!(
        names,
        [
            "id",
            "msg_id",
            "endpoint_id",
            "url",
            "response",
            "response_status_code",
            "response_duration_ms",
            "status",
            "status_text",
            "trigger_type",
            "timestamp"
        ]
    );
    assert!(row["id"].as_str().unwrap().starts_with("atmpt_"));
    assert_eq!(row["endpoint_id"], endpoint.id);
    assert_eq!(
        (&row["response"], &row["response_status_code"]),
        (&json!("thanks"), &json!(200))
    );
    assert_eq!(
        (&row["status"], &row["status_text"]),
        (&json!(0), &json!("success"))
    );
    assert_eq!(row["trigger_type"], 0);

    let deliveries = format!("/webhooks/endpoints/{}/deliveries", endpoint.id);
    assert_eq!(get(&server, &deliveries).await["data"], json!(rows));
    server.stop().await;
}

#[tokio::test]
async fn webhooks_and_stream_carry_the_same_bytes() {
    let server = start_fast().await;
    let receiver = Receiver::always(204).await;
    create_endpoint(&server, &receiver.url, EVERY).await;
    let stream = client()
        .get(format!("{}/events", server.url()))
        .bearer_auth(server.api_key())
        .header("last-event-id", "unknown: the whole ring")
        .send();
    publish(&server);
    let body = receiver.next().await.body;
    let mut stream = stream.await.unwrap();
    let mut text = Vec::new();
    while !text.windows(body.len()).any(|window| window == body) {
        let chunk = tokio::time::timeout(PATIENCE, stream.chunk())
            .await
            .unwrap()
            .unwrap();
        text.extend_from_slice(&chunk.expect("the stream goes on"));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_failure_is_tried_again_with_a_new_signature_until_it_succeeds() {
    let server = start_fast().await;
    let receiver = Receiver::start(|number| {
        (
            Duration::ZERO,
            if number == 0 {
                answer(500, "upstream reset")
            } else {
                answer(204, "")
            },
        )
    })
    .await;
    let endpoint = create_endpoint(&server, &receiver.url, EVERY).await;
    publish(&server);
    let (first, second) = (receiver.next().await, receiver.next().await);
    let pause = second.at - first.at;
    assert!(
        pause >= Duration::from_millis(40),
        "0.05 s less a fifth: {pause:?}"
    );
    assert_eq!(first.header("svix-id"), second.header("svix-id"));
    assert_eq!(first.body, second.body);
    assert!(verifies(&endpoint.secret, &first) && verifies(&endpoint.secret, &second));

    let rows = attempts(&server, &format!("endpoint_id={}", endpoint.id), 2).await;
    assert_eq!(
        (&rows[0]["status"], &rows[0]["status_text"]),
        (&json!(0), &json!("success"))
    );
    assert_eq!(
        (&rows[1]["status"], &rows[1]["status_text"]),
        (&json!(2), &json!("fail"))
    );
    assert_eq!(rows[1]["response"], "upstream reset");
    assert!(rows.iter().all(|row| row["trigger_type"] == 0));
    assert_eq!(health(&server, "retries_pending").await, 0);
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_answer_is_code_0_with_svix_words() {
    let options = Options {
        time_scale: 0.001,
        delivery_timeout: Duration::from_millis(150),
        ..Options::default()
    };
    let server = start(options).await;
    let slow = Receiver::start(|_| (PATIENCE, answer(204, ""))).await;
    let refused = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let redirect = Receiver::start(|_| {
        let mut answer = answer(302, "elsewhere");
        answer
            .headers_mut()
            .insert("location", "/other".parse().unwrap());
        (Duration::ZERO, answer)
    })
    .await;
    let long = Receiver::start(|_| (Duration::ZERO, answer(400, "x".repeat(50_000)))).await;
    let binary = Receiver::start(|_| (Duration::ZERO, answer(500, vec![0xff, 0xfe]))).await;
    let mut endpoints = Vec::new();
    for url in [&slow.url, &refused, &redirect.url, &long.url, &binary.url] {
        endpoints.push(create_endpoint(&server, url, EVERY).await.id);
    }
    publish(&server);
    let mut rows = Vec::new();
    for endpoint in &endpoints {
        let mut found = attempts(&server, &format!("endpoint_id={endpoint}"), 1).await;
        rows.push(found.remove(0));
    }
    let facts: Vec<(i64, &str)> = rows
        .iter()
        .map(|row| {
            assert_eq!(row["status"], 2, "{row}");
            (
                row["response_status_code"].as_i64().unwrap(),
                row["response"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(facts[0], (0, "request timed out"));
    assert!(rows[0]["response_duration_ms"].as_u64().unwrap() >= 150);
    let (code, refused) = facts[1];
    let words = "error making request: client error (Connect): ";
    assert!(refused.starts_with(words), "{refused}");
    assert_eq!(
        FailureClass::of(u16::try_from(code).unwrap(), refused),
        FailureClass::Refused
    );
    assert_eq!(facts[2], (302, "elsewhere"));
    assert_eq!((facts[3].0, facts[3].1.len()), (400, 20_000));
    assert_eq!(facts[4], (500, "//4="));
    redirect.next().await;
    assert!(redirect.is_quiet().await, "redirects are not followed");
    server.stop().await;
}

#[tokio::test]
async fn a_receiver_that_speaks_no_tls_is_told_from_one_that_is_not_there() {
    let server = start(Options::default()).await;
    let receiver = Receiver::always(204).await;
    let url = receiver.url.replace("http://", "https://");
    let endpoint = create_endpoint(&server, &url, EVERY).await;
    publish(&server);
    let rows = attempts(&server, &format!("endpoint_id={}", endpoint.id), 1).await;
    let words = rows[0]["response"].as_str().unwrap();
    assert_eq!(FailureClass::of(0, words), FailureClass::Tls, "{words}");
    server.stop().await;
}

#[tokio::test]
async fn slow_endpoints_delay_nobody() {
    let options = Options {
        delivery_timeout: Duration::from_mins(1),
        ..Options::default()
    };
    let server = start(options).await;
    let mut slow = Vec::new();
    for _ in 0..10 {
        let receiver = Receiver::start(|_| (Duration::from_mins(1), answer(204, ""))).await;
        create_endpoint(&server, &receiver.url, EVERY).await;
        slow.push(receiver);
    }
    let quick = Receiver::always(204).await;
    create_endpoint(&server, &quick.url, EVERY).await;
    let started = Instant::now();
    for _ in 0..50 {
        publish(&server);
    }
    for _ in 0..50 {
        quick.next().await;
    }
    assert!(started.elapsed() < Duration::from_secs(10));
    let waiting = health(&server, "deliveries_queued").await;
    assert!(
        waiting >= 10 * 42,
        "eight in flight each, the rest waits: {waiting}"
    );

    let stopping = Instant::now();
    server.stop().await;
    assert!(
        stopping.elapsed() < Duration::from_secs(1),
        "80 deliveries in flight"
    );
}

#[tokio::test]
async fn a_resend_is_one_manual_try_even_of_a_success() {
    let server = start_fast().await;
    let receiver = Receiver::start(|number| {
        (
            Duration::ZERO,
            answer(if number == 0 { 204 } else { 500 }, ""),
        )
    })
    .await;
    let endpoint = create_endpoint(&server, &receiver.url, EVERY).await;
    publish(&server);
    let first = receiver.next().await;
    let message = only_message(&server).await;
    attempts(&server, &format!("message_id={}", id(&message)), 1).await;

    assert_eq!(
        resend(&server, id(&message), &endpoint.id, Some("k1")).await,
        202
    );
    let second = receiver.next().await;
    assert_eq!(
        (first.header("svix-id"), &first.body),
        (second.header("svix-id"), &second.body)
    );
    assert!(verifies(&endpoint.secret, &second));
    let rows = attempts(&server, &format!("message_id={}", id(&message)), 2).await;
    assert_eq!(
        (&rows[0]["trigger_type"], &rows[0]["status"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(
        (&rows[1]["trigger_type"], &rows[1]["status"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        health(&server, "retries_pending").await,
        0,
        "a failed resend is not retried"
    );

    assert_eq!(
        resend(&server, id(&message), &endpoint.id, Some("k1")).await,
        202
    );
    assert_eq!(
        resend(&server, id(&message), &endpoint.id, Some("k2")).await,
        202
    );
    attempts(&server, &format!("message_id={}", id(&message)), 3).await;
    receiver.next().await;
    assert!(receiver.is_quiet().await, "the same key is sent once");
    assert_eq!(health(&server, "attempts").await, 3);
    server.stop().await;
}

#[tokio::test]
async fn a_resend_ends_the_automatic_retries() {
    // At this scale the second retry is 3 s away: time enough to resend before it.
    let server = start_fast().await;
    let receiver = Receiver::always(500).await;
    let endpoint = create_endpoint(&server, &receiver.url, EVERY).await;
    publish(&server);
    receiver.next().await;
    receiver.next().await;
    let message = only_message(&server).await;
    eventually("a planned retry", || async {
        (health(&server, "retries_pending").await == 1).then_some(())
    })
    .await;
    assert_eq!(resend(&server, id(&message), &endpoint.id, None).await, 202);
    receiver.next().await;
    attempts(&server, &format!("message_id={}", id(&message)), 3).await;
    // What is neither waiting, queued nor under way never comes.
    for count in [
        "retries_pending",
        "deliveries_queued",
        "deliveries_in_flight",
    ] {
        assert_eq!(health(&server, count).await, 0, "{count}");
    }
    assert_eq!(health(&server, "attempts").await, 3);
    assert!(receiver.is_quiet().await);
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_to_a_disabled_endpoint_not_even_by_resend() {
    let server = start_fast().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, EVERY).await;
    let path = format!("/webhooks/endpoints/{}", endpoint.id);
    let mut body = json!({"url": receiver.url, "event_types": ["task.*"], "disabled": true});
    assert_eq!(
        call(&server, Method::PUT, &path, Some(body.clone()))
            .await
            .0,
        200
    );
    publish(&server);
    let message = only_message(&server).await;
    assert_eq!(resend(&server, id(&message), &endpoint.id, None).await, 202);

    body["disabled"] = json!(false);
    call(&server, Method::PUT, &path, Some(body)).await;
    assert_eq!(resend(&server, id(&message), &endpoint.id, None).await, 202);
    receiver.next().await;
    let rows = attempts(&server, &format!("endpoint_id={}", endpoint.id), 1).await;
    assert_eq!(rows.len(), 1, "nothing was queued while it was disabled");
    assert!(receiver.is_quiet().await);
    server.stop().await;
}

#[tokio::test]
async fn a_resend_of_what_is_not_there_is_refused() {
    let server = start_fast().await;
    let endpoint = create_endpoint(&server, "http://127.0.0.1:9/", &["task.failed"]).await;
    publish(&server);
    let message = only_message(&server).await;
    assert_eq!(resend(&server, "msg_none", &endpoint.id, None).await, 404);
    assert_eq!(resend(&server, id(&message), "ep_none", None).await, 404);
    for (key, status) in [
        ("k".repeat(257), 422),
        ("é".to_owned(), 422),
        ("k".repeat(256), 202),
    ] {
        let found = resend(&server, id(&message), &endpoint.id, Some(&key)).await;
        assert_eq!(found, status, "{key}");
    }
    let path = format!("/webhooks/messages/{}/resend", id(&message));
    assert_eq!(call(&server, Method::POST, &path, None).await.0, 422);
    assert_eq!(
        call(&server, Method::POST, &path, Some(json!({}))).await.0,
        422
    );
    assert_eq!(
        call(
            &server,
            Method::POST,
            &path,
            Some(json!({"endpoint_id": 1}))
        )
        .await
        .0,
        422
    );
    server.stop().await;
}

#[tokio::test]
async fn endpoints_get_only_the_types_they_want_and_nothing_but_task_events() {
    let server = start_fast().await;
    let receiver = Receiver::always(204).await;
    create_endpoint(&server, &receiver.url, &["task.completed"]).await;
    let backend = server.backend();
    backend.publish("asset.created", json!({"asset": {"id": "a"}}));
    let task = publish(&server);
    backend.set_feature(&task, "proxy", Processing);
    backend.set_feature(&task, "proxy", Completed);
    let body: Value = serde_json::from_slice(&receiver.next().await.body).unwrap();
    assert_eq!(body["event_type"], "task.completed");
    let page = get(&server, "/webhooks/messages?limit=2").await;
    let types: Vec<&Value> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["event_type"])
        .collect();
    assert_eq!(types, ["task.completed", "task.progress"], "newest first");
    assert_eq!(page["done"], false);
    let next = format!(
        "/webhooks/messages?iterator={}",
        page["iterator"].as_str().unwrap()
    );
    let rest = get(&server, &next).await;
    assert_eq!(
        (rest["data"].as_array().unwrap().len(), &rest["done"]),
        (1, &json!(true))
    );
    assert!(receiver.is_quiet().await);
    server.stop().await;
}

#[tokio::test]
async fn events_may_come_from_any_thread() {
    let server = start_fast().await;
    let receiver = Receiver::always(204).await;
    create_endpoint(&server, &receiver.url, EVERY).await;
    let backend = server.backend().clone();
    let other = std::thread::spawn(move || backend.create_task("asset", &["proxy"]).unwrap());
    let arrived = receiver.next().await;
    let body: Value = serde_json::from_slice(&arrived.body).unwrap();
    assert_eq!(body["data"]["task"]["id"], json!(other.join().unwrap()));
    server.stop().await;
}
