//! The event stream: frames, resuming, slow readers, stopping.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reeltop::server::FeatureState::{Completed, Failed};
use reeltop::server::{Options, Running};
use reqwest::{RequestBuilder, Response};
use reqwest_eventsource::{Event, EventSource, retry};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{PATIENCE, client, eventually, health, start, start_fast};

fn request(server: &Running, path: &str) -> RequestBuilder {
    client()
        .get(format!("{}{path}", server.url()))
        .bearer_auth(server.api_key())
}

/// Reads until the text holds `wanted`.
async fn read_until(stream: &mut Response, text: &mut String, wanted: &str) {
    while !text.contains(wanted) {
        let chunk = tokio::time::timeout(PATIENCE, stream.chunk())
            .await
            .expect("bytes in time");
        let chunk = chunk
            .unwrap()
            .unwrap_or_else(|| panic!("{wanted:?} is not in {text:?}"));
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

/// Once a reader is there, what is published reaches it.
async fn readers(server: &Running, count: u64) {
    eventually("the readers", || async {
        (health(server, "readers").await == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_independent_client_reads_it() {
    let server = start_fast().await;
    let mut source = EventSource::new(request(&server, "/events/stream")).unwrap();
    source.set_retry_policy(Box::new(retry::Never));
    // It connects when it is first asked.
    let opened = tokio::time::timeout(PATIENCE, source.next()).await.unwrap();
    assert_eq!(opened.unwrap().unwrap(), Event::Open);
    let backend = server.backend();
    let good = backend.create_task("asset", &["proxy"]).unwrap();
    backend.set_feature(&good, "proxy", Completed);
    let bad = backend.create_task("asset", &["proxy", "visual"]).unwrap();
    backend.set_feature(&bad, "visual", Failed);
    backend.publish("asset.created", json!({"asset": {"name": "café\n"}}));

    let mut seen = Vec::new();
    while seen.len() < 5 {
        let event = tokio::time::timeout(PATIENCE, source.next()).await.unwrap();
        match event.unwrap().unwrap() {
            Event::Open => panic!("opened twice"),
            Event::Message(message) => {
                let body: Value = serde_json::from_str(&message.data).unwrap();
                assert_eq!(
                    (&body["event_id"], &body["event_type"]),
                    (&json!(message.id), &json!(message.event))
                );
                seen.push(message.event);
            }
        }
    }
    let expected = [
        "task.progress",
        "task.completed",
        "task.progress",
        "task.failed",
        "asset.created",
    ];
    assert_eq!(seen, expected);
    source.close();
    server.stop().await;
}

#[tokio::test]
async fn it_opens_with_retry_and_pings() {
    let options = Options {
        ping_every: Duration::from_millis(30),
        ..Options::default()
    };
    let server = start(options).await;
    let mut stream = request(&server, "/events").send().await.unwrap();
    assert_eq!(stream.status(), 200);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(stream.headers()[name], value);
    }
    let mut text = String::new();
    read_until(&mut stream, &mut text, "\n\n: ping - ").await;
    assert!(text.starts_with("retry: 3000\n\n: ping - "), "{text:?}");
    server.stop().await;
}

#[tokio::test]
async fn last_event_id_is_answered_from_the_ring() {
    let server = start(Options {
        ring_size: 3,
        ..Options::default()
    })
    .await;
    let ids: Vec<String> = (0..4)
        .map(|n| {
            server
                .backend()
                .publish("test.event", json!({"n": n}))
                .unwrap()
        })
        .collect();
    let resume = async |last: &[u8]| {
        let request = request(&server, "/events").header("last-event-id", last);
        let mut stream = request.send().await.unwrap();
        let mut text = String::new();
        read_until(&mut stream, &mut text, &format!("id: {}", ids[3])).await;
        let opening = text.split("id: ").next().unwrap().to_owned();
        (opening, text.matches("id: ").count())
    };
    assert_eq!(
        resume(ids[2].as_bytes()).await,
        ("retry: 3000\n\n".to_owned(), 1)
    );
    assert_eq!(
        resume(ids[1].as_bytes()).await,
        ("retry: 3000\n\n".to_owned(), 2)
    );
    let gap = "retry: 3000\n\n: gap\n\n".to_owned();
    assert_eq!(
        resume(ids[0].as_bytes()).await,
        (gap.clone(), 3),
        "fell out of the ring"
    );
    assert_eq!(resume(b"never-seen").await, (gap.clone(), 3));
    assert_eq!(resume(b"\xff\xfe").await, (gap, 3), "an id, if no text");

    // Without an id there is no backlog: only what comes.
    let mut stream = request(&server, "/events").send().await.unwrap();
    readers(&server, 1).await;
    let id = server.backend().publish("test.event", json!({})).unwrap();
    let mut text = String::new();
    read_until(&mut stream, &mut text, "\n\nid: ").await;
    assert!(text.contains(&id) && !text.contains(&ids[3]), "{text:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_dropped_and_holds_nobody_up() {
    let server = start(Options {
        reader_queue: 64,
        ring_size: 16,
        ..Options::default()
    })
    .await;
    let address = server.url().replace("http://", "");
    let mut slow = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "GET /events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\r\n",
        server.api_key()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    readers(&server, 1).await;
    let mut quick = request(&server, "/events").send().await.unwrap();
    readers(&server, 2).await;

    let filler = "x".repeat(32 * 1024);
    let mut published = 0;
    let mut text = String::new();
    while health(&server, "slow_readers_dropped").await == 0 {
        assert!(published < 10_000, "the slow reader is never dropped");
        published += 1;
        let id = server
            .backend()
            .publish("test.event", json!({"filler": filler}))
            .unwrap();
        text.clear();
        read_until(&mut quick, &mut text, &id).await;
    }
    assert!(published > 64, "the queue was there");
    assert_eq!(health(&server, "readers").await, 1);

    // The slow reader's connection is cut: it finds what was sent, and then an end or a reset.
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection is still open");

    let id = server.backend().publish("test.event", json!({})).unwrap();
    read_until(&mut quick, &mut String::new(), &id).await;
    server.stop().await;
}

#[tokio::test]
async fn it_stops_within_a_second_with_streams_open() {
    let server = start_fast().await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(request(&server, "/events").send().await.unwrap());
    }
    readers(&server, 5).await;
    let address = server.url().replace("http://", "");
    let idle = tokio::net::TcpStream::connect(&address).await.unwrap();
    let started = Instant::now();
    server.stop().await;
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    for mut stream in streams {
        while let Ok(Some(_)) = tokio::time::timeout(PATIENCE, stream.chunk())
            .await
            .unwrap()
        {}
    }
    assert!(
        tokio::net::TcpStream::connect(&address).await.is_err(),
        "nobody listens any more"
    );
    drop(idle);
}

#[tokio::test]
async fn dropping_the_server_stops_it_too() {
    let server = start_fast().await;
    let mut stream = request(&server, "/events").send().await.unwrap();
    drop(server);
    while let Ok(Some(_)) = tokio::time::timeout(PATIENCE, stream.chunk())
        .await
        .unwrap()
    {}
}
