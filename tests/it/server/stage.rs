//! The demo's stage: server, receivers and endpoints, as its own client sees them.

use std::time::{Duration, Instant};

use reeltop::cli::demo;
use reeltop::server::chaos::Choice;
use reeltop::server::{self, Options};
use serde_json::{Value, json};

use super::support::{client, eventually, get, health, start};

async fn read(url: &str, key: &str, path: &str) -> Value {
    let answer = client()
        .get(format!("{url}{path}"))
        .bearer_auth(key)
        .send()
        .await
        .unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn within_five_seconds_tasks_move_and_deliveries_succeed_and_fail() {
    let started = Instant::now();
    let stage = demo::stage(1, 30.0, None, Choice::default(), None)
        .await
        .unwrap();
    let (url, key) = (stage.url(), stage.api_key().to_owned());
    let endpoints = read(&url, &key, "/webhooks/endpoints").await;
    let endpoints = endpoints["data"].as_array().unwrap().clone();
    assert_eq!(endpoints.len(), 6);
    let named = |name: &str| {
        let endpoint = endpoints.iter().find(|e| e["description"] == name).unwrap();
        endpoint["id"].as_str().unwrap().to_owned()
    };
    for (name, code, text) in [
        ("staging", 500, "upstream reset"),
        ("prod", 204, ""),
        ("legacy", 0, "(Connect)"),
        ("partner", 401, "no signature matches"),
        ("billing", 500, "invoices"),
    ] {
        let path = format!("/webhooks/delivery-attempts?endpoint_id={}", named(name));
        eventually(&format!("{name}: {code} {text}"), || async {
            let page = read(&url, &key, &path).await;
            let rows = page["data"].as_array().unwrap();
            let like = |row: &Value| {
                row["response_status_code"] == code
                    && row["response"].as_str().unwrap().contains(text)
            };
            rows.iter().any(like).then_some(())
        })
        .await;
        if name == "staging" {
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "{:?}",
                started.elapsed()
            );
        }
    }
    let prod = format!("/webhooks/delivery-attempts?endpoint_id={}", named("prod"));
    let rows = read(&url, &key, &prod).await;
    assert!(
        rows["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["status"] == 0),
        "{rows}"
    );
    let stopping = Instant::now();
    stage.stop().await;
    assert!(stopping.elapsed() < Duration::from_millis(1500));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_assets_in_the_same_order() {
    let day = async |seed| {
        let options = Options {
            seed,
            tasks_per_minute: 6000.0,
            time_scale: 1000.0,
            ..Options::default()
        };
        let server = server::start(options).await.unwrap();
        let index = get(&server, "/indexes").await[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let path = format!("/assets?index_id={index}");
        let assets = eventually("30 assets", || async {
            let assets = get(&server, &path).await.as_array().unwrap().clone();
            (assets.len() >= 30).then_some(assets)
        })
        .await;
        server.stop().await;
        let facts =
            |asset: &Value| json!([asset["id"], asset["name"], asset["type"], asset["duration"]]);
        assets.iter().rev().take(30).map(facts).collect::<Vec<_>>()
    };
    let first = day(5).await;
    assert_eq!(first, day(5).await);
    assert_ne!(first, day(6).await);
}

#[tokio::test]
async fn an_overloaded_service_lets_nothing_in_beyond_its_limit() {
    // So slow that nothing ends, and far more coming in than there is room for.
    let server = start(Options {
        tasks_per_minute: 6e6,
        time_scale: 1e-3,
        ..Options::default()
    })
    .await;
    let full = eventually("a full service", || async {
        let active = health(&server, "active_tasks").await;
        (active >= 5000).then_some(active)
    })
    .await;
    // The simulator's sweeps and arrivals go on meanwhile.
    let seen = health(&server, "events_published").await;
    assert_eq!((full, health(&server, "active_tasks").await), (5000, 5000));
    assert_eq!(health(&server, "events_published").await, seen);
    server.stop().await;
}

#[tokio::test]
async fn unusable_options_are_refused() {
    for (time_scale, tasks_per_minute) in [
        (0.0, 1.0),
        (-1.0, 1.0),
        (1e-20, 1.0),
        (1e7, 1.0),
        (f64::NAN, 1.0),
        (1.0, -1.0),
        (1.0, f64::INFINITY),
    ] {
        let options = Options {
            time_scale,
            tasks_per_minute,
            ..Options::default()
        };
        let error = server::start(options).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
    let server = start(Options {
        time_scale: 1e-3,
        disable_after: Some(Duration::MAX),
        api_key: Some("sk_mine".into()),
        ..Options::default()
    })
    .await;
    assert_eq!(server.api_key(), "sk_mine");
    assert!(!format!("{server:?}").contains("sk_mine"));
    server.stop().await;
}
