//! What the target of `listen --forward` answers, as it is passed back and told.

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use super::Listening;
use crate::receiving::{BODY, ID, SECRET, file, run};
use crate::scripted::{Reply, Scripted, answer};

/// What the sender gets for a delivery whose target answers so, and what is printed of it.
async fn passed(
    script: impl Fn() -> Reply + Send + Sync + 'static,
) -> (u16, HeaderMap, String, Value) {
    let app = Scripted::start(move |_, _| script()).await;
    let mut listening = Listening::start(&["--forward", &app.url]);
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none());
    let sent = client
        .build()
        .unwrap()
        .post(&listening.url)
        .header("svix-id", ID);
    let response = sent.body(BODY).send().await.unwrap();
    let (code, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.text().await.unwrap();
    assert_eq!(app.requests().len(), 1, "no redirect is followed");
    (code, headers, body, listening.line()["forwarded"].take())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_of_the_targets_answer_are_passed_back_but_those_of_its_connection() {
    const TOLD: &str = "HTTP/1.1 307 Temporary Redirect\r\nlocation: /to?token=t0ken\r\n\
        retry-after: 7\r\ncontent-type: application/json\r\nx-twice: a\r\nx-twice: b\r\n\
        keep-alive: timeout=5\r\nx-hop: 1\r\nconnection: close, X-Hop\r\ncontent-length: 2\r\n\r\n{}";
    let (code, headers, body, told) = passed(|| Reply::Close(TOLD.into())).await;
    assert_eq!((code, body.as_str()), (307, "{}"));
    for (name, value) in [
        ("location", "/to?token=t0ken"),
        ("retry-after", "7"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert_eq!(headers.get_all("x-twice").iter().count(), 2);
    for name in ["keep-alive", "x-hop"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    let expected = (&json!(307), &json!("/to?token=***"), &Value::Null);
    let told = (
        &told["response_status_code"],
        &told["location"],
        &told["response_cut"],
    );
    assert_eq!(told, expected);
    // Without a header it has none, and words of our own are text.
    let (_, headers, ..) = passed(|| answer("200 OK", "", "x")).await;
    assert!(!headers.contains_key("content-type"), "{headers:?}");
    let (code, headers, ..) = passed(|| Reply::Close(Vec::new())).await;
    assert_eq!(code, 502);
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_came_in_part_is_told_as_cut() {
    const SHORT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n";
    for sent in [SHORT, CHUNKED] {
        let (code, _, body, told) = passed(move || Reply::Close(sent.into())).await;
        assert_eq!((code, body.as_str()), (200, "part"));
        assert_eq!(told["response_cut"], "its body broke off after 4 bytes");
        let known = (&told["response_status_code"], &told["may_have_arrived"]);
        assert_eq!(known, (&json!(200), &json!(true)));
        assert_eq!(told["error"], Value::Null);
    }
    let (_, _, body, told) = passed(|| answer("200 OK", "", &"x".repeat(20_001))).await;
    assert_eq!(body.len(), 20_000);
    assert_eq!(
        told["response_cut"],
        "only the first 20000 bytes of its body were read"
    );
    let (_, _, body, told) = passed(|| answer("200 OK", "", &"x".repeat(20_000))).await;
    assert_eq!((body.len(), &told["response_cut"]), (20_000, &Value::Null));
}

/// `send` tells the same of the receiver's answer.
#[tokio::test(flavor = "multi_thread")]
async fn what_send_shows_of_an_answer_is_told_as_cut() {
    const SHORT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart";
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let app = Scripted::start(|_, _| Reply::Close(SHORT.into())).await;
    for more in [&[][..], &["--json"]] {
        let arguments = [
            "send",
            "task.failed",
            "--to",
            &app.url,
            "--secret-file",
            &secret,
        ];
        let arguments: Vec<String> = arguments
            .iter()
            .chain(more)
            .map(ToString::to_string)
            .collect();
        let ran = tokio::task::spawn_blocking(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(&arguments)
        });
        let ran = ran.await.unwrap();
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let why = "its body broke off after 4 bytes";
        assert!(ran.stdout.contains(why), "{}", ran.stdout);
    }
}
