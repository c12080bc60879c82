//! `reeltop attempts --headers`: headers of an attempt where a Svix server keeps them, and what is
//! said where it does not.

use serde_json::{Value, json};

use super::recover::reeltop;
use super::{attempts, publish, svix_of, svix_server};
use crate::scripted::{Scripted, answer};
use crate::server::support::{Receiver, create_endpoint};

/// A server with two attempts of a message, that keeps the headers of the first alone.
async fn keeping() -> Scripted {
    Scripted::start(|_, head| {
        let ok = |body: Value| {
            let body = body.to_string();
            answer("200 OK", "content-type: application/json\r\n", &body)
        };
        let attempt = |id: &str| {
            json!({"id": id, "msgId": "msg_1", "endpointId": "ep_1", "status": 0,
                "responseStatusCode": 204, "response": "", "url": "http://127.0.0.1/hook",
                "triggerType": 0, "timestamp": "2026-11-25T12:00:00Z"})
        };
        let path = head.split([' ', '?']).nth(1).unwrap_or_default();
        match path.trim_start_matches("/api/v1/app/user-1") {
            "/attempt/msg/msg_1" => {
                ok(json!({"data": [attempt("atmpt_2"), attempt("atmpt_1")], "done": true}))
            }
            "/msg/msg_1/attempt/atmpt_1/headers" => ok(json!({
                "sentHeaders": {"svix-id": "msg_1", "x-shop": "told-by-mistake", "cookie": "c00k1e"},
                "responseHeaders": {"server": "nginx", "set-cookie": "s3ss10n"},
                "sensitive": ["x-shop"]})),
            _ => answer("404 x", "", r#"{"code":"not_found","detail":"Entity not found"}"#),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_an_attempt_are_shown_without_secrets() {
    let server = keeping().await;
    let state = tempfile::tempdir().unwrap();
    let given = ["attempts", "--message", "msg_1", "--headers"];
    let (code, lines, said) = reeltop(&state, &server.url, "k", &given).await;
    let told = lines.join("\n");
    assert_eq!(code, 0, "{told} {said}");
    assert!(told.contains("HEADERS OF THE REQUEST OF atmpt_1"), "{told}");
    assert!(told.contains("svix-id") && told.contains("nginx"), "{told}");
    assert!(
        said.contains("atmpt_2: the service has no headers"),
        "{said}"
    );
    let json = [&given[..], &["--json"]].concat();
    let (code, lines, said) = reeltop(&state, &server.url, "k", &json).await;
    assert_eq!((code, lines.len()), (0, 2), "{said}");
    let line = |at: usize| serde_json::from_str::<Value>(&lines[at]).unwrap();
    assert_eq!(line(0)["sent_headers"], Value::Null);
    assert_eq!(line(1)["response_headers"]["server"], "nginx");
    assert_eq!(line(1)["sensitive_headers"], json!(["x-shop"]));
    for secret in ["told-by-mistake", "c00k1e", "s3ss10n"] {
        assert!(
            !told.contains(secret) && !lines.join("").contains(secret),
            "{secret}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_headers_are_not_kept_that_is_said() {
    let server = svix_server().await;
    let receiver = Receiver::always(204).await;
    create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    let message = publish(&server, &svix, 1).await.remove(0);
    attempts(&svix, &message, 1).await;
    let state = tempfile::tempdir().unwrap();
    let id = message.to_string();
    let given = ["attempts", "--message", &id, "--headers"];
    let (code, _, said) = reeltop(&state, &server.url(), server.api_key(), &given).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("this server does not offer attempt headers"),
        "{said}"
    );
    server.stop().await;
}
