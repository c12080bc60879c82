//! What the tests of the server share: a client, a receiver that records, and waiting.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use reeltop::server::{self, Options, Running};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Nothing that is waited for takes longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Retries come 50 ms, 3 s, … after a failure.
pub const FAST: f64 = 100.0;

pub async fn start(options: Options) -> Running {
    server::start(options).await.unwrap()
}

pub async fn start_fast() -> Running {
    start(Options {
        time_scale: FAST,
        ..Options::default()
    })
    .await
}

pub fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .tls_built_in_root_certs(false)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// One request with the key; status and body (null where there is none).
pub async fn call(
    server: &Running,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let mut request = client()
        .request(method, format!("{}{path}", server.url()))
        .bearer_auth(server.api_key())
        .timeout(PATIENCE);
    if let Some(body) = body {
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await.unwrap();
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

pub async fn get(server: &Running, path: &str) -> Value {
    let (status, body) = call(server, Method::GET, path, None).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

pub async fn health(server: &Running, count: &str) -> u64 {
    get(server, "/health").await[count].as_u64().unwrap()
}

/// Asks again and again until there is an answer.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < until, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The attempts that a query finds, newest first, once there are `count` of them.
pub async fn attempts(server: &Running, query: &str, count: usize) -> Vec<Value> {
    let path = format!("/webhooks/delivery-attempts?{query}");
    eventually(&format!("{count} attempts for {query}"), || async {
        let page = get(server, &path).await;
        let rows = page["data"].as_array().unwrap().clone();
        (rows.len() >= count).then_some(rows)
    })
    .await
}

pub struct Created {
    pub id: String,
    pub secret: String,
}

pub async fn create_endpoint(server: &Running, url: &str, event_types: &[&str]) -> Created {
    let body = json!({"url": url, "description": "test", "event_types": event_types});
    let (status, body) = call(server, Method::POST, "/webhooks/endpoints", Some(body)).await;
    assert_eq!(status, 201, "{body}");
    Created {
        id: body["endpoint"]["id"].as_str().unwrap().to_owned(),
        secret: body["secret"].as_str().unwrap().to_owned(),
    }
}

/// The one message there is.
pub async fn only_message(server: &Running) -> Value {
    let page = get(server, "/webhooks/messages").await;
    assert_eq!(page["data"].as_array().unwrap().len(), 1, "{page}");
    page["data"][0].clone()
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub headers: HeaderMap,
    pub body: Bytes,
    pub at: Instant,
}

impl Arrived {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

type Behaviour = dyn Fn(usize) -> (Duration, Response) + Send + Sync;

#[derive(Clone)]
struct Desk {
    arrived: mpsc::UnboundedSender<Arrived>,
    count: Arc<Mutex<usize>>,
    behaviour: Arc<Behaviour>,
}

/// A receiver that records what arrives and answers as it is told.
pub struct Receiver {
    pub url: String,
    arrived: tokio::sync::Mutex<mpsc::UnboundedReceiver<Arrived>>,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// `behaviour` gets the number of the request (from 0): how long to wait, and what to say.
    pub async fn start(
        behaviour: impl Fn(usize) -> (Duration, Response) + Send + Sync + 'static,
    ) -> Self {
        let (sender, arrived) = mpsc::unbounded_channel();
        let desk = Desk {
            arrived: sender,
            count: Arc::default(),
            behaviour: Arc::new(behaviour),
        };
        let router = axum::Router::new().fallback(take).with_state(desk);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            arrived: arrived.into(),
            serving,
        }
    }

    pub async fn always(status: u16) -> Self {
        Self::start(move |_| (Duration::ZERO, answer(status, ""))).await
    }

    pub async fn next(&self) -> Arrived {
        let mut arrived = self.arrived.lock().await;
        tokio::time::timeout(PATIENCE, arrived.recv())
            .await
            .expect("a request")
            .unwrap()
    }

    /// Whether anything arrived that was not taken yet.
    pub async fn is_quiet(&self) -> bool {
        self.arrived.lock().await.is_empty()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> Response {
    let number = {
        let mut count = desk.count.lock().unwrap();
        *count += 1;
        *count - 1
    };
    let _ = desk.arrived.send(Arrived {
        headers,
        body,
        at: Instant::now(),
    });
    let (wait, response) = (desk.behaviour)(number);
    tokio::time::sleep(wait).await;
    response
}

pub fn answer(status: u16, body: impl Into<axum::body::Body>) -> Response {
    Response::builder()
        .status(status)
        .body(body.into())
        .unwrap()
}
