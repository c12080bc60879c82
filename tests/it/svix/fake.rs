//! A Svix server that is told what to answer to each event that is published.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use reeltop::io::client::Client;
use reeltop::io::client::svix::{Published, Svix};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::alone;

/// A try to publish: the event's id, and which try of it this is, from 1.
pub struct Try<'a> {
    pub event: &'a str,
    pub number: usize,
}

/// Status, headers, body.
pub type Told = (u16, Vec<(&'static str, String)>, String);
type Script = dyn Fn(&Try<'_>) -> Told + Send + Sync;
/// Method and path of what is asked beside publishing; what is not told is answered as at the start.
type Around = dyn Fn(&Method, &str) -> Option<Told> + Send + Sync;

#[derive(Clone)]
struct Desk {
    script: Arc<Script>,
    around: Arc<Around>,
    tries: Arc<Mutex<Vec<String>>>,
    taken: Arc<Mutex<Vec<String>>>,
}

pub struct FakeSvix {
    pub url: String,
    desk: Desk,
    serving: JoinHandle<()>,
}

/// Taken, as Svix says it.
pub fn taken() -> Told {
    (202, Vec::new(), json!({"id": "msg_1"}).to_string())
}

pub fn refused(status: u16, detail: &str) -> Told {
    let body = json!({"code": "x", "detail": detail});
    (status, Vec::new(), body.to_string())
}

impl FakeSvix {
    pub async fn start(script: impl Fn(&Try<'_>) -> Told + Send + Sync + 'static) -> Self {
        Self::start_with(script, |_, _| None).await
    }

    /// The same, with answers to what else is asked.
    pub async fn start_with(
        script: impl Fn(&Try<'_>) -> Told + Send + Sync + 'static,
        around: impl Fn(&Method, &str) -> Option<Told> + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let desk = Desk {
            script: Arc::new(script),
            around: Arc::new(around),
            tries: Arc::default(),
            taken: Arc::default(),
        };
        let router = axum::Router::new()
            .fallback(answer)
            .with_state(desk.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, desk, serving }
    }

    /// The ids of the events, a try each, in the order in which they came.
    pub fn tries(&self) -> Vec<String> {
        self.desk.tries.lock().unwrap().clone()
    }

    /// Those that were answered with a success.
    pub fn taken(&self) -> Vec<String> {
        self.desk.taken.lock().unwrap().clone()
    }

    /// How often each was tried.
    pub fn counted(&self) -> HashMap<String, usize> {
        let mut counted = HashMap::new();
        for id in self.tries() {
            *counted.entry(id).or_default() += 1;
        }
        counted
    }

    pub fn client(&self) -> Svix {
        let client = Client::new(&alone(&self.url, "a-token-of-svix")).unwrap();
        client.svix.unwrap()
    }
}

impl Drop for FakeSvix {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(desk): State<Desk>, method: Method, uri: Uri, body: Bytes) -> Response {
    let (status, headers, body) = if method == Method::POST && uri.path().ends_with("/msg") {
        let told: Value = serde_json::from_slice(&body).unwrap();
        let event = told["eventId"].as_str().unwrap().to_owned();
        let number = {
            let mut tries = desk.tries.lock().unwrap();
            tries.push(event.clone());
            tries.iter().filter(|id| **id == event).count()
        };
        let event = Try {
            event: &event,
            number,
        };
        let told = (desk.script)(&event);
        if (200..300).contains(&told.0) {
            desk.taken.lock().unwrap().push(event.event.to_owned());
        }
        told
    } else {
        let made = || (201, Vec::new(), json!({"id": "app_1"}).to_string());
        (desk.around)(&method, uri.path()).unwrap_or_else(made)
    };
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let response = response.header("content-type", "application/json");
    response.body(body.into()).unwrap()
}

/// An event of a task.
pub fn event(id: &str, task: &str) -> Published {
    let payload = json!({"data": {"task": {"id": task}}}).to_string();
    Published {
        event_id: id.to_owned(),
        event_type: "task.progress",
        payload: RawValue::from_string(payload).unwrap().into(),
    }
}
