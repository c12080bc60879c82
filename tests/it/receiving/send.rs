use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use standardwebhooks::Webhook;

use super::{Ran, SECRET, ended, file};
use crate::pty::Pty;

/// A receiver of one manner, on loopback until the test ends.
pub async fn receiver(judge: fn(&HeaderMap, &[u8]) -> StatusCode) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let answer = move |headers: HeaderMap, body: Bytes| async move { judge(&headers, &body) };
    let router = Router::new()
        .route("/hooks", post(answer))
        .layer(DefaultBodyLimit::max(4 << 20));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// As an independent library judges, which knows the headers by their neutral names.
pub fn strict(headers: &HeaderMap, body: &[u8]) -> StatusCode {
    let mut neutral = HeaderMap::new();
    for name in ["id", "timestamp", "signature"] {
        if let Some(value) = headers.get(format!("svix-{name}")) {
            let name = axum::http::HeaderName::try_from(format!("webhook-{name}")).unwrap();
            neutral.insert(name, value.clone());
        }
    }
    match Webhook::new(SECRET).unwrap().verify(body, &neutral) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::UNAUTHORIZED,
    }
}

/// As Aspect's Node sample does: the body is parsed first.
fn parsing(headers: &HeaderMap, body: &[u8]) -> StatusCode {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => strict(headers, value.to_string().as_bytes()),
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

fn trusting(_: &HeaderMap, _: &[u8]) -> StatusCode {
    StatusCode::OK
}

/// Reads the body as another encoding than it is in.
fn latin(headers: &HeaderMap, body: &[u8]) -> StatusCode {
    let text: String = body.iter().map(|byte| char::from(*byte)).collect();
    strict(headers, text.as_bytes())
}

fn listed(headers: &HeaderMap) -> Vec<&str> {
    let list = headers
        .get("svix-signature")
        .map(|list| list.to_str().unwrap());
    list.unwrap_or_default().split(' ').collect()
}

/// Takes the last signature alone.
fn last(headers: &HeaderMap, body: &[u8]) -> StatusCode {
    let mut headers = headers.clone();
    let last = listed(&headers).pop().unwrap().to_owned();
    if let Some(list) = headers.get_mut("svix-signature") {
        *list = last.parse().unwrap();
    }
    strict(&headers, body)
}

/// Breaks at what it does not know.
fn brittle(headers: &HeaderMap, body: &[u8]) -> StatusCode {
    if listed(headers).iter().any(|entry| entry.starts_with("v9")) {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    strict(headers, body)
}

/// Compares as far as what was sent goes.
fn hasty(headers: &HeaderMap, body: &[u8]) -> StatusCode {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    if let (Some(id), Some(at)) = (text("svix-id"), text("svix-timestamp")) {
        let right = Webhook::new(SECRET).unwrap();
        let right = right.sign(id, at.parse().unwrap(), body).unwrap();
        let begins = |entry: &&str| entry.len() < right.len() && right.starts_with(*entry);
        if listed(headers).iter().any(begins) {
            return StatusCode::NO_CONTENT;
        }
    }
    strict(headers, body)
}

async fn run(arguments: &[&str]) -> Ran {
    let command = super::command(arguments);
    tokio::task::spawn_blocking(move || ended(command))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_taken_by_a_receiver_that_checks() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let url = receiver(strict).await;
    for event in ["task.progress", "task.failed", "task.completed"] {
        let ran = run(&[
            "send",
            event,
            "--to",
            &url,
            "--secret-file",
            &secret,
            "--json",
        ])
        .await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let line: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(line["response_status_code"], 204);
        let body: Value = serde_json::from_str(line["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["event_type"], event);
        // What was sent can be handed to the doctor.
        let saved = file(&folder, "sent", ran.stdout.as_bytes());
        let ran = run(&["verify", &saved, "--secret-file", &secret]).await;
        assert_eq!(ran.code, 0, "{}", ran.stdout);
    }
    let task = file(
        &folder,
        "task",
        br#"{"id":"mine","features":{"x":{"state":"failed"}}}"#,
    );
    let ran = run(&[
        "send",
        "task.failed",
        "--to",
        &url,
        "--secret-file",
        &secret,
        "--task",
        &task,
    ])
    .await;
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains(r#""id":"mine""#) && ran.stdout.contains("answered 204 in"));

    let other = file(&folder, "other", super::OTHER.as_bytes());
    let ran = run(&["send", "task.failed", "--to", &url, "--secret-file", &other]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("answered 401"));
    assert!(!ran.stdout.contains(super::OTHER));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_tells_a_right_receiver_from_wrong_ones() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", SECRET.as_bytes());
    for (judge, code, failing) in [
        (strict as fn(&HeaderMap, &[u8]) -> StatusCode, 0, vec![]),
        (parsing, 1, vec!["blanks_in_the_JSON"]),
        (latin, 1, vec!["letters_beyond_ASCII"]),
        (last, 1, vec!["two_signatures", "unknown_version"]),
        (brittle, 1, vec!["unknown_version"]),
        (hasty, 1, vec!["cut_signature"]),
        (
            trusting,
            1,
            vec![
                "no_headers",
                "wrong_signature",
                "cut_signature",
                "old_timestamp",
                "future_timestamp",
                "altered_byte",
            ],
        ),
    ] {
        let url = receiver(judge).await;
        let ran = run(&[
            "send",
            "--check",
            "--to",
            &url,
            "--secret-file",
            &secret,
            "--json",
        ])
        .await;
        assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
        let lines: Vec<Value> = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 15);
        let failed: Vec<&str> = lines
            .iter()
            .filter(|line| line["passed"] == false)
            .map(|line| line["check"].as_str().unwrap())
            .collect();
        assert_eq!(failed, failing);
    }
    let url = receiver(trusting).await;
    let ran = run(&["send", "--check", "--to", &url, "--secret-file", &secret]).await;
    assert!(ran.stdout.contains("no headers"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("all 6 that failed: nothing is refused"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_to_do_fits_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", SECRET.as_bytes());
    for (judge, words, is_signature) in [
        (
            (|_, _| StatusCode::UNAUTHORIZED) as fn(&HeaderMap, &[u8]) -> StatusCode,
            "one cause for all 9 that failed: the secret is another one",
            true,
        ),
        (
            |_, _| StatusCode::NOT_FOUND,
            "one cause for all 9 that failed: the receiver has no such path",
            false,
        ),
        (
            |_, _| StatusCode::INTERNAL_SERVER_ERROR,
            "one cause for all 15 that failed: the receiver broke",
            false,
        ),
    ] {
        let url = receiver(judge).await;
        let ran = run(&["send", "--check", "--to", &url, "--secret-file", &secret]).await;
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        let blames = ran.stderr.contains("the secret is another one");
        assert_eq!(blames, is_signature, "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_where_it_was_not_meant_to() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let public = b"whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    let public = file(&folder, "public", public);
    let url = receiver(trusting).await;
    for (event, to, secret, more, code, words) in [
        (
            "task.failed",
            "http://hooks.invalid/",
            &secret,
            "",
            2,
            "hooks.invalid is not this machine",
        ),
        (
            "task.failed",
            "ftp://x/",
            &secret,
            "",
            2,
            "neither http nor https",
        ),
        ("task.failed", "x", &secret, "", 2, "--to"),
        ("task.exploded", &url, &secret, "", 2, "task.progress"),
        ("task.failed", &url, &public, "", 2, "only checks"),
        ("task.failed", &url, &secret, "--task=[1]", 2, "--task"),
        ("task.failed", &url, &secret, "--read-only", 1, "read-only"),
        (
            "task.failed",
            "http://127.0.0.1:1/",
            &secret,
            "",
            1,
            "nothing listens",
        ),
    ] {
        let mut arguments = vec!["send", event, "--to", to, "--secret-file", secret];
        arguments.extend(Some(more).filter(|more| !more.is_empty()));
        let ran = run(&arguments).await;
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
    let ran = run(&["send", "task.failed", "--to", &url]).await;
    assert!(ran.code == 2 && ran.stderr.contains("a webhook secret is needed"));
    let ran = run(&["send", "--to", &url, "--secret-file", &secret]).await;
    assert!(ran.code == 2 && ran.stderr.contains("EVENT"));
}

#[test]
fn another_host_is_confirmed_by_its_name() {
    let arguments = [
        "send",
        "task.failed",
        "--to",
        "http://hooks.invalid/x",
        "--secret-env",
        "HOOK",
    ];
    for (typed, code, words) in [
        ("yes\r", 1, "nothing was sent"),
        ("hooks.invalid\r", 1, "could not be resolved"),
    ] {
        let mut pty = Pty::start(&arguments, &[("HOOK", SECRET)], 120, 20);
        pty.sees("hooks.invalid is not this machine. Type its name");
        pty.keys(typed);
        pty.sees(words);
        assert_eq!(pty.end().exit_code(), code, "{typed}");
    }
}
