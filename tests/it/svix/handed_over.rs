//! `serve` with delivery handed over to a Svix server.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::fake::{self, FakeSvix, Told, refused};
use super::{APP, svix_of, svix_server};
use crate::scripted::{Reply, Scripted, answer};
use crate::server::support::{PATIENCE, Receiver, client, eventually};

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn call(url: &str, key: &str, body: Option<Value>) -> (u16, Value) {
    let request = match body {
        Some(body) => client().post(url).body(body.to_string()),
        None => client().get(url),
    };
    let request = request.header("content-type", "application/json");
    let answer = request.bearer_auth(key).send().await.unwrap();
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// A server that began, and its URL.
fn begun(mut command: Command) -> (Ended, String) {
    let mut serving = Ended(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    let stdout = serving.0.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let told = serde_json::from_str::<Value>(&line).unwrap();
    (serving, told["url"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_published_once_and_the_logs_are_those_of_svix() {
    let svix = svix_server().await;
    let receiver = Receiver::always(204).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("THE_TOKEN", svix.api_key())
        .args([
            "serve",
            "--json",
            "--simulate",
            "600",
            "--api-key",
            "local-key",
        ])
        .args(["--time-scale", "100", "--svix-url", &svix.url()])
        .args(["--svix-app", APP, "--svix-token-env", "THE_TOKEN"])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let (serving, url) = begun(command);
    let at = |path: &str| format!("{url}{path}");
    let body = json!({"url": receiver.url, "description": "r", "event_types": ["task.*"]});
    let (status, made) = call(&at("/webhooks/endpoints"), "local-key", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let arrived = receiver.next().await;
    let payload: Value = serde_json::from_slice(&arrived.body).unwrap();
    let (_, messages) = call(&at("/webhooks/messages?limit=250"), "local-key", None).await;
    let rows = messages["data"].as_array().unwrap();
    let found = rows
        .iter()
        .find(|row| row["event_id"] == payload["event_id"]);
    let found = found.unwrap_or_else(|| panic!("{messages}"));
    assert_eq!(found["payload"], payload);
    let own = svix_of(&svix).messages(1, None).await.unwrap();
    assert_eq!(own.rows.len(), 1);

    let id = found["id"].as_str().unwrap();
    let attempts = at(&format!("/webhooks/delivery-attempts?message_id={id}"));
    let until = std::time::Instant::now() + PATIENCE;
    let row = loop {
        let (_, page) = call(&attempts, "local-key", None).await;
        if let Some(row) = page["data"].get(0) {
            break row.clone();
        }
        assert!(std::time::Instant::now() < until, "{page}");
    };
    assert_eq!(
        (&row["status_text"], &row["msg_id"]),
        (&json!("success"), &json!(id))
    );
    let resend = at(&format!("/webhooks/messages/{id}/resend"));
    let body = json!({"endpoint_id": made["endpoint"]["id"]});
    assert_eq!(call(&resend, "local-key", Some(body.clone())).await.0, 202);
    let unknown = at("/webhooks/messages/msg_none/resend");
    assert_eq!(call(&unknown, "local-key", Some(body)).await.0, 404);
    drop(serving);
    svix.stop().await;
}

/// `serve` that hands over to the server at this URL.
fn serve(svix: &str, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("SVIX_TOKEN", "a-token-of-svix")
        .args(["serve", "--json", "--svix-url", svix])
        .args(options)
        .stdin(Stdio::null());
    command
}

/// How `serve` with these options ends, if it does at the start.
async fn ended(options: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("SVIX_TOKEN", "a-token-of-svix")
        .arg("serve")
        .args(options)
        .stdin(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap());
    let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap();
    let ended = ended.unwrap();
    assert_eq!(ended.stdout, b"");
    (
        ended.status.code(),
        String::from_utf8(ended.stderr).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_contradicts_delivery_by_svix_ends_it_before_any_request() {
    let made = "content-type: application/json\r\n";
    let svix = Scripted::start(move |_, _| answer("201 x", made, r#"{"id":"app_1"}"#)).await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let profile = format!(
        "[profiles.p]\nsvix_url = \"{}\"\nsvix_app = \"me\"\nsvix_token_env = \"SVIX_TOKEN\"\n",
        svix.url
    );
    std::fs::write(&config, profile).unwrap();
    let config = config.to_str().unwrap();
    let (url, by_profile) = (svix.url.as_str(), ["--config", config, "--profile", "p"]);
    for (options, words) in [
        (&["--svix-url", url, "--read-only"][..], "--read-only"),
        (&["--svix-url", url, "--as-svix", "me"], "--as-svix"),
        (
            &["--svix-url", url, "--ca-file", "/nonexistent"],
            "certificate file",
        ),
        (&["--svix-app", "me"], "--svix-url URL"),
        (&["--svix-token-env", "UNSET"], "set UNSET"),
        (&by_profile, "--profile p"),
        (
            &[&by_profile[..], &["--svix-app", "me"]].concat(),
            "--profile p",
        ),
    ] {
        let (code, said) = ended(options).await;
        assert_eq!(code, Some(2), "{options:?}: {said}");
        assert!(said.contains(words), "{options:?}: {said}");
    }
    assert_eq!(svix.requests(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_environment_alone_hands_nothing_over() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("SVIX_TOKEN", "a-token-of-svix")
        .args(["serve", "--json", "--api-key", "local-key"])
        .stdin(Stdio::null());
    let (_serving, url) = begun(command);
    let body = json!({"url": "http://127.0.0.1:9/", "event_types": ["task.*"]});
    let at = format!("{url}/webhooks/endpoints");
    let (status, made) = call(&at, "local-key", Some(body)).await;
    assert_eq!((status, &made["app"]["is_new"]), (201, &json!(true)));
}

/// Ends with SIGTERM once an event was brought. Gives what was said, and how often events came.
async fn ended_while_publishing(is_taken: bool) -> (String, usize) {
    let n_brought = Arc::new(AtomicUsize::new(0));
    let brought = n_brought.clone();
    let go_on = Arc::new(Notify::new());
    let let_go = go_on.clone();
    let svix = Scripted::start(move |_, head| {
        if !head.starts_with("post /api/v1/app/me/msg") {
            return answer(
                "201 x",
                "content-type: application/json\r\n",
                r#"{"id":"app_1"}"#,
            );
        }
        brought.fetch_add(1, Ordering::SeqCst);
        if is_taken {
            let taken = b"HTTP/1.1 202 x\r\ncontent-length: 14\r\n\r\n{\"id\":\"msg_1\"}";
            Reply::Later(Vec::new(), let_go.clone(), taken.to_vec())
        } else {
            answer("503 x", "", "{}")
        }
    })
    .await;
    let fast = ["--simulate", "600", "--time-scale", "100"];
    let mut command = serve(&svix.url, &[&fast[..], &["--svix-app", "me"]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut serving = Ended(command.spawn().unwrap());
    eventually("an event", async || {
        (n_brought.load(Ordering::SeqCst) > 0).then_some(())
    })
    .await;
    let pid = serving.0.id().to_string();
    let status = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(status.unwrap().success());
    // What is held is answered only now.
    let answering = tokio::spawn(async move {
        loop {
            go_on.notify_waiters();
            tokio::task::yield_now().await;
        }
    });
    let mut stderr = serving.0.stderr.take().unwrap();
    let said = tokio::task::spawn_blocking(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        said
    });
    let said = tokio::time::timeout(PATIENCE, said).await.unwrap().unwrap();
    answering.abort();
    (said, n_brought.load(Ordering::SeqCst))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_for_what_is_not_published_and_says_what_was_not() {
    let (said, n) = ended_while_publishing(true).await;
    assert!(n > 0 && !said.contains("not published"), "{said}");
    let (said, _) = ended_while_publishing(false).await;
    assert!(said.contains("events were not published"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_for_another_application_fails_at_the_start() {
    let svix = Scripted::start(|_, head| {
        if head.starts_with("get /api/v1/app/reeltop") {
            let detail = r#"{"code":"not_found","detail":"Entity not found"}"#;
            return answer("404 x", "content-type: application/json\r\n", detail);
        }
        answer("201 x", "content-type: application/json\r\n", "{}")
    })
    .await;
    let mut command = serve(&svix.url, &[]);
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap());
    let ended = tokio::time::timeout(PATIENCE, ended)
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert_eq!(ended.stdout, b"", "{said}");
    assert!(said.contains("404 from"), "{said}");
    assert!(
        said.contains("no application \"reeltop\"") && said.contains("--svix-app"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_but_is_no_svix_server_fails_at_the_start() {
    for body in ["<html>log in</html>", "null", "{}", "{\"id\":"] {
        let svix = Scripted::start(|_, _| answer("200 x", "", body)).await;
        let mut command = serve(&svix.url, &[]);
        let ended = tokio::task::spawn_blocking(move || command.output().unwrap());
        let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap();
        let ended = ended.unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{body}: {said}");
        assert!(
            said.contains("something that Svix does not answer"),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_stopped_while_svix_does_not_answer_at_the_start() {
    let svix = Scripted::start(|_, _| Reply::Hold(Vec::new())).await;
    let mut command = serve(&svix.url, &[]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let serving = command.spawn().unwrap();
    let pid = serving.id().to_string();
    // It listens for signals before it asks.
    eventually("a question", async || {
        (!svix.requests().is_empty()).then_some(())
    })
    .await;
    let status = Command::new("kill").args(["-INT", &pid]).status();
    assert!(status.unwrap().success());
    let ended = tokio::task::spawn_blocking(move || serving.wait_with_output().unwrap());
    let ended = tokio::time::timeout(PATIENCE, ended)
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("nothing was served"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_svix_refuses_is_told_as_what_it_is() {
    let next: Arc<Mutex<Option<Told>>> = Arc::default();
    let told = next.clone();
    let svix = FakeSvix::start_with(
        |_| fake::taken(),
        move |_, path| {
            if path.ends_with("/secret") {
                return Some(refused(500, "no secret today"));
            }
            let is_of_app = path.matches('/').count() > 4;
            is_of_app.then(|| told.lock().unwrap().clone()).flatten()
        },
    )
    .await;
    let mut command = serve(&svix.url, &["--api-key", "local-key"]);
    command.stderr(Stdio::null());
    let (_serving, url) = begun(command);
    let busy = || {
        let wait = vec![("retry-after", "7".to_owned())];
        (429, wait, r#"{"detail":"slow down"}"#.to_owned())
    };
    let (list, endpoints) = ("/webhooks/messages", "/webhooks/endpoints");
    let resend = "/webhooks/messages/msg_1/resend";
    let endpoint = json!({"id": "ep_1"}).to_string();
    for (answer, path, body, status, words) in [
        (busy(), list, None, 429, "slow down"),
        (busy(), resend, Some("endpoint_id"), 429, "slow down"),
        (refused(401, "Invalid token"), list, None, 503, "401"),
        // Nothing was done for certain, which a 5xx would leave open.
        (refused(401, "x"), resend, Some("endpoint_id"), 424, "401"),
        (refused(403, "x"), resend, Some("endpoint_id"), 424, "403"),
        (refused(400, "odd"), resend, Some("endpoint_id"), 400, "odd"),
        (
            refused(503, "x"),
            resend,
            Some("endpoint_id"),
            503,
            "not known",
        ),
        (
            refused(404, "x"),
            endpoints,
            None,
            404,
            "Application not found",
        ),
        (
            refused(404, "x"),
            endpoints,
            Some("url"),
            404,
            "Application not found",
        ),
        (
            (200, Vec::new(), endpoint),
            endpoints,
            Some("url"),
            503,
            "not known",
        ),
    ] {
        *next.lock().unwrap() = Some(answer);
        let body =
            body.map(|field| json!({field: "http://127.0.0.1:9/", "event_types": ["task.*"]}));
        let request = match body {
            Some(body) => client().post(format!("{url}{path}")).body(body.to_string()),
            None => client().get(format!("{url}{path}")),
        };
        let answer = request.bearer_auth("local-key").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path} {words}");
        let wait = answer.headers().get("retry-after").cloned();
        assert_eq!(
            wait.is_some_and(|wait| wait == "7"),
            status == 429,
            "{path}"
        );
        let text = answer.text().await.unwrap();
        assert!(text.contains(words), "{path}: {text}");
    }
    // An endpoint that is there is told, also where its secret cannot be read.
    let made = json!({
        "id": "ep_1", "url": "http://127.0.0.1:9/", "createdAt": "x", "updatedAt": "x",
    });
    *next.lock().unwrap() = Some((201, Vec::new(), made.to_string()));
    let body = json!({"url": "http://127.0.0.1:9/", "event_types": ["task.*"]});
    let at = format!("{url}{endpoints}");
    let (status, told) = call(&at, "local-key", Some(body)).await;
    assert_eq!((status, &told["endpoint"]["id"]), (201, &json!("ep_1")));
    assert_eq!(told["secret"], Value::Null);
    // All events are no list, and a list goes by its older name too.
    assert_eq!(told["endpoint"]["event_types"], Value::Null);
    let mut made = made;
    made["filterTypes"] = json!(["task.progress", "task.failed"]);
    *next.lock().unwrap() = Some((200, Vec::new(), made.to_string()));
    let (_, told) = call(&format!("{at}/ep_1"), "local-key", None).await;
    let types = &told["endpoint"]["event_types"];
    assert_eq!(types, &json!(["task.failed", "task.progress"]));
}
