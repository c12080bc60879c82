//! What a service refuses is told in its own words with what to do, by every command that sends or
//! changes something, at an Aspect API as at Svix.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::scripted::{Reply, Scripted, answer};

/// What the service says, and what to do about it.
const REFUSALS: [(&str, &str, &str); 4] = [
    (
        "409 Conflict",
        r#"{"code":"conflict","detail":"somebody changed it"}"#,
        "look at how it stands now",
    ),
    (
        "413 Payload Too Large",
        r#"{"code":"payload_too_large","detail":"somebody sent too much"}"#,
        "send less",
    ),
    (
        "422 Unprocessable Entity",
        r#"{"detail":[{"loc":["body","x"],"msg":"somebody is wrong","type":"value_error"}]}"#,
        "mend what the server names",
    ),
    (
        "429 Too Many Requests",
        r#"{"code":"rate_limited","detail":"somebody is too fast"}"#,
        "try again in",
    ),
];

fn ok(body: &serde_json::Value) -> Reply {
    let body = body.to_string();
    answer("200 OK", "content-type: application/json\r\n", &body)
}

/// A service that can be read, and refuses whatever is sent or changed.
async fn refusing(status: &'static str, said: &'static str) -> Scripted {
    Scripted::start(move |_, head| {
        if !head.starts_with("get ") {
            return answer(
                status,
                "content-type: application/json\r\nretry-after: 90\r\n",
                said,
            );
        }
        let path = head.split([' ', '?']).nth(1).unwrap_or_default();
        let path = path.trim_start_matches("/api/v1/app/user-1");
        let endpoint = json!({"id": "ep_1", "url": "http://127.0.0.1/hook", "disabled": false,
            "description": "", "filterTypes": ["task.failed"], "rateLimit": null});
        let message = json!({"id": "msg_1", "eventType": "task.failed", "eventId": "e",
            "payload": {}, "timestamp": "2026-11-25T12:00:00Z"});
        let attempts = json!({"data": [{"id": "atmpt_0", "msgId": "msg_1", "endpointId": "ep_1",
            "status": 2, "responseStatusCode": 500, "response": "", "url": "http://127.0.0.1/hook",
            "triggerType": 0, "timestamp": "2026-11-25T12:00:00Z"}], "done": true});
        match path {
            "/openapi.json" => ok(&json!({"openapi": "3.1.0", "paths": {
                "/webhooks/messages/{message_id}/resend": {"post": {}},
                "/webhooks/endpoints/{id}/secret/rotate": {"post": {}},
                "/webhooks/endpoints/{id}/headers": {"put": {}},
                "/webhooks/endpoints/{id}/send-example": {"post": {}},
            }})),
            "/webhooks/endpoints" | "/endpoint" => ok(&json!({"data": [endpoint], "done": true})),
            "/webhooks/endpoints/ep_1" | "/endpoint/ep_1" => ok(&endpoint),
            "/endpoint/ep_1/headers" => ok(&json!({"headers": {}, "sensitive": []})),
            "/webhooks/messages" | "/msg" => ok(&json!({"data": [message], "done": true})),
            "/msg/msg_1" => ok(&message),
            "/webhooks/delivery-attempts" | "/attempt/msg/msg_1" => ok(&attempts),
            _ => answer(
                "404 x",
                "",
                r#"{"code":"not_found","detail":"nothing here"}"#,
            ),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_told_in_the_words_of_the_service_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let headers = home.path().join("headers");
    std::fs::write(&headers, "x-shop: 1\n").unwrap();
    let headers = headers.to_str().unwrap();
    let commands: [&[&str]; 9] = [
        &["replay", "msg_1", "--yes", "--wait", "1s"],
        &["endpoints", "create", "http://127.0.0.1/hook"],
        &["endpoints", "update", "ep_1", "--description", "x"],
        &["endpoints", "enable", "ep_1"],
        &["endpoints", "disable", "ep_1"],
        &["endpoints", "delete", "ep_1", "--yes"],
        &["endpoints", "rotate", "ep_1", "--yes"],
        &["endpoints", "headers", "ep_1", "--from", headers],
        &["endpoints", "example", "ep_1"],
    ];
    for (status, body, advice) in REFUSALS {
        let server = refusing(status, body).await;
        for is_svix in [false, true] {
            for arguments in commands {
                let state = tempfile::tempdir().unwrap();
                let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
                command
                    .env_clear()
                    .env("HOME", home.path())
                    .env("XDG_STATE_HOME", state.path())
                    .args(arguments)
                    .stdin(Stdio::null());
                if is_svix {
                    command.env("SVIX_TOKEN", "sk_test").args([
                        "--svix-url",
                        &server.url,
                        "--svix-app",
                        "user-1",
                    ]);
                } else {
                    command
                        .env("ASPECT_BASE_URL", &server.url)
                        .env("ASPECT_API_KEY", "sk_test");
                }
                let output = tokio::task::spawn_blocking(move || command.output().unwrap());
                let output = output.await.unwrap();
                let text = |bytes| String::from_utf8(bytes).unwrap();
                let told = text(output.stdout) + &text(output.stderr);
                let of = format!("{status}, Svix {is_svix}: {arguments:?}: {told}");
                assert!(matches!(output.status.code(), Some(1 | 2)), "{of}");
                assert!(told.contains("somebody "), "its own words: {of}");
                assert!(told.contains(&status[..3]), "{of}");
                assert!(told.contains(advice), "what to do: {of}");
            }
        }
    }
}

/// What is typed into headers may be a secret, and a service may quote it as it refuses it, at more
/// length than is shown.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_repeats_of_headers_is_masked() {
    let home = tempfile::tempdir().unwrap();
    let headers = home.path().join("headers");
    let token = "PLANTED".repeat(50);
    std::fs::write(&headers, format!("authorization: Bearer {token}\n")).unwrap();
    let headers = headers.to_str().unwrap();
    for quoted in [format!("Bearer {token}"), token] {
        let said = json!({"detail": format!("somebody quotes {quoted} here")});
        let server = refusing("422 Unprocessable Entity", said.to_string().leak()).await;
        let svix = ["--svix-url", &server.url, "--svix-app", "user-1"];
        for options in [&svix[..], &[]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
            command
                .env_clear()
                .env("HOME", home.path())
                .args(["endpoints", "headers", "ep_1", "--from", headers])
                .args(options)
                .stdin(Stdio::null());
            if options.is_empty() {
                command
                    .env("ASPECT_BASE_URL", &server.url)
                    .env("ASPECT_API_KEY", "sk_test");
            } else {
                command.env("SVIX_TOKEN", "sk_test");
            }
            let output = tokio::task::spawn_blocking(move || command.output().unwrap());
            let told = String::from_utf8(output.await.unwrap().stderr).unwrap();
            assert!(told.contains("somebody quotes *** here"), "{told}");
        }
    }
}
