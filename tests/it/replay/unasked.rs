//! A service that takes a resend and then answers nobody: what is said of the replay.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::scripted::{Reply, Scripted, answer};

fn json(body: &str) -> Reply {
    answer("200 OK", "content-type: application/json\r\n", body)
}

/// One message that failed. From its resend on, which is answered so, no attempts are listed.
async fn server(resent: &'static str) -> Scripted {
    let is_sent = Arc::new(AtomicBool::new(false));
    Scripted::start(move |_, request| {
        if request.starts_with("post ") {
            is_sent.store(true, Ordering::SeqCst);
            match resent {
                "" => Reply::Close(Vec::new()),
                status => answer(status, "", "{}"),
            }
        } else if request.starts_with("get /openapi.json") {
            json(r#"{"openapi":"3.1.0","paths":{"/webhooks/messages/{message_id}/resend":{"post":{}}}}"#)
        } else if request.starts_with("get /webhooks/endpoints") {
            json(r#"{"data":[{"id":"ep_a","url":"http://a.example"}],"done":true}"#)
        } else if request.starts_with("get /webhooks/messages") {
            json(r#"{"data":[{"id":"msg_1","eventType":"task.completed","timestamp":"2026-01-01T00:00:00Z","payload":{}}],"done":true}"#)
        } else if request.starts_with("get /webhooks/delivery-attempts") {
            if is_sent.load(Ordering::SeqCst) {
                answer("503 Service Unavailable", "", r#"{"detail":"closed for repairs"}"#)
            } else {
                json(r#"{"data":[{"id":"atmpt_1","msgId":"msg_1","endpointId":"ep_a","status":2,"responseStatusCode":500,"triggerType":0,"timestamp":"2026-01-01T00:00:01Z"}],"done":true}"#)
            }
        } else {
            answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn that_the_service_could_not_be_asked_is_said_on_the_line_and_in_the_ledger() {
    for (resent, begun) in [("202 Accepted", "accepted, but "), ("", "; since, ")] {
        let server = server(resent).await;
        let folder = tempfile::tempdir().unwrap();
        let run = async |args: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
            command
                .env_clear()
                .env("HOME", folder.path())
                .env("ASPECT_API_KEY", "sk_test")
                .env("ASPECT_BASE_URL", &server.url)
                .args(args);
            let output = tokio::task::spawn_blocking(move || command.output().unwrap());
            let output = output.await.unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let last = text.lines().last().map(str::to_owned);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let line = last.and_then(|line| serde_json::from_str::<Value>(&line).ok());
            (output.status.code(), line.expect(&said))
        };
        let (code, line) = run(&["replay", "msg_1", "--yes", "--json", "--wait", "1s"]).await;
        assert_eq!(
            (code, &line["state"]),
            (Some(3), &"unknown".into()),
            "{line}"
        );
        let reason = line["reason"].as_str().unwrap();
        let silent = "the service could not be asked for its attempt: ";
        assert!(reason.contains(&format!("{begun}{silent}")), "{reason}");
        assert!(reason.contains("closed for repairs"), "{reason}");
        let (_, row) = run(&["replays", "--json", "--offline"]).await;
        assert_eq!(row["reason"], line["reason"]);
    }
}
