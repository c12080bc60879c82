//! REST answers that no sound server gives: each is one clear sentence, and the key stays at home.

use reeltop::domain::{EndpointId, FailureKind, MessageId, TaskId};
use reeltop::io::client::Client;
use reeltop::io::client::http::Sent;

use super::source;
use crate::scripted::{Reply, Scripted, answer};

async fn failure(reply: impl Fn() -> Reply + Send + Sync + 'static) -> reeltop::domain::Failure {
    let server = Scripted::start(move |_, _| reply()).await;
    let client = Client::new(&source(&server.url)).unwrap();
    client.active_tasks().await.unwrap_err()
}

#[tokio::test]
async fn what_is_no_aspect_answer_says_so() {
    let html = failure(|| answer("200 OK", "", "<!doctype html><html>")).await;
    assert_eq!(html.kind, FailureKind::NotAspect);
    assert!(html.what.contains("HTML instead of JSON"), "{html}");
    let other = failure(|| answer("200 OK", "", r#"{"hello":"world"}"#)).await;
    assert_eq!(other.kind, FailureKind::NotAspect);
    let garbage = failure(|| Reply::Close(b"SSH-2.0-x\r\n".to_vec())).await;
    assert_eq!(garbage.kind, FailureKind::Unreachable, "{garbage}");
    assert!(
        garbage.what.contains("does not answer in HTTP"),
        "{garbage}"
    );
    let cut =
        failure(|| Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n[".to_vec())).await;
    assert_eq!(cut.kind, FailureKind::Broken, "{cut}");
    let nothing = failure(|| Reply::Close(Vec::new())).await;
    assert_eq!(nothing.kind, FailureKind::Broken, "{nothing}");
    let key = failure(|| answer("401 x", "", "")).await;
    assert_eq!(key.kind, FailureKind::Unauthorized);
    assert!(
        key.hint.contains("given") && !key.to_string().contains("sk_test"),
        "{key}"
    );
}

#[tokio::test]
async fn bodies_and_headers_are_bounded() {
    for said in [true, false] {
        let server = Scripted::start(move |_, _| {
            let length = if said { "content-length: 5000\r\n" } else { "" };
            let body = "[".repeat(5000);
            Reply::Close(format!("HTTP/1.1 200 OK\r\n{length}\r\n{body}").into())
        })
        .await;
        let mut source = source(&server.url);
        source.limits.rest_body_bytes = 1000;
        let failure = Client::new(&source)
            .unwrap()
            .active_tasks()
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::TooLarge, "{failure}");
    }
    let big = format!("x: {}\r\n", "y".repeat(70_000));
    let failure = failure(move || answer("200 OK", &big, "[]")).await;
    assert_eq!(failure.kind, FailureKind::TooLarge, "{failure}");
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_refused_and_named() {
    let far = Scripted::start(|_, _| answer("200 OK", "", "[]")).await;
    let location = format!("location: {}/tasks/active\r\n", far.url);
    let failure = failure(move || answer("307 x", &location, "")).await;
    assert!(failure.what.contains(&far.url), "{failure}");
    assert!(far.requests().is_empty());
}

#[tokio::test]
async fn ids_cannot_leave_their_place_in_the_path() {
    let server =
        Scripted::start(|_, _| answer("404 x", "", r#"{"detail":"Task not found"}"#)).await;
    let client = Client::new(&source(&server.url)).unwrap();
    for id in ["../users/me", "a/b?c#d", "..", ".", ""] {
        let failure = client.task(&TaskId::new(id)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotFound, "{id}");
    }
    let paths: Vec<String> = server
        .requests()
        .iter()
        .map(|request| request.split(' ').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(paths, ["/tasks/..%2fusers%2fme", "/tasks/a%2fb%3fc%23d"]);
}

#[tokio::test]
async fn a_post_is_sent_once_whatever_the_answer() {
    for (reply, expected) in [
        ("202 Accepted", "accepted"),
        ("404 Not Found", "refused"),
        ("422 x", "refused"),
        ("307 x", "unknown"),
        ("408 x", "unknown"),
        ("500 x", "unknown"),
        ("", "unknown"),
    ] {
        let server = Scripted::start(move |_, _| match reply {
            "" => Reply::Close(Vec::new()),
            status => answer(status, "location: /again\r\n", "{}"),
        })
        .await;
        let client = Client::new(&source(&server.url)).unwrap();
        let route = "/webhooks/messages/{message_id}/resend";
        let sent = client
            .resend(
                route,
                &MessageId::new("m/1"),
                &EndpointId::new("ep"),
                "key-1",
            )
            .await;
        let word = match sent {
            Sent::Accepted => "accepted",
            Sent::Refused(_) => "refused",
            Sent::Unknown(_) => "unknown",
        };
        assert_eq!(word, expected, "{reply}");
        let requests = server.requests();
        assert_eq!(requests.len(), 1, "{reply}");
        assert!(
            requests[0].starts_with("post /webhooks/messages/m%2f1/resend "),
            "{}",
            requests[0]
        );
        assert!(requests[0].contains("idempotency-key: key-1\r\n"));
    }
    let server = Scripted::start(|_, _| answer("202 Accepted", "", "{}")).await;
    let mut read_only = source(&server.url);
    read_only.read_only = true;
    let client = Client::new(&read_only).unwrap();
    let sent = client
        .resend("/x/{id}", &MessageId::new("m"), &EndpointId::new("ep"), "k")
        .await;
    assert!(matches!(sent, Sent::Refused(_)), "{sent:?}");
    assert!(server.requests().is_empty());
    let client = Client::new(&source("http://127.0.0.1:1")).unwrap();
    let sent = client
        .resend("/x/{id}", &MessageId::new("m"), &EndpointId::new("ep"), "k")
        .await;
    assert!(
        matches!(sent, Sent::Refused(_)),
        "nothing was sent: {sent:?}"
    );
}
