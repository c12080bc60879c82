//! The list of endpoints, which is not documented: one that is not there, and one that this key may
//! not read, which is said in the words of the service.

use super::{reeltop, run};
use crate::scripted::{Scripted, answer};

async fn server(status: &'static str, body: &'static str) -> Scripted {
    Scripted::start(move |_, request| {
        let ok = |body: &str| answer("200 OK", "content-type: application/json\r\n", body);
        if request.starts_with("get /webhooks/endpoints ") {
            answer(status, "", body)
        } else if request.starts_with("get /webhooks/messages") {
            ok(
                r#"{"data":[{"id":"msg_1","eventType":"task.failed","timestamp":"2026-01-01T00:00:00Z","payload":{}}],"done":true}"#,
            )
        } else if request.starts_with("get /webhooks/delivery-attempts") {
            ok(
                r#"{"data":[{"id":"atmpt_1","msgId":"msg_1","endpointId":"ep_1","url":"http://a","status":2,"responseStatusCode":500,"timestamp":"2026-01-01T00:00:01Z"}],"done":true}"#,
            )
        } else {
            answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
        }
    })
    .await
}

const COMMANDS: [&[&str]; 4] = [
    &["endpoints", "--json"],
    &["attempts", "--json"],
    &["messages", "--json", "-q", "endpoint:ep_1"],
    &["replay", "msg_1", "--dry-run", "--json"],
];

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_the_key_may_not_read_is_said_by_every_command() {
    let refused = server("403 Forbidden", r#"{"detail":"ask your admin"}"#).await;
    let absent = server("404 Not Found", r#"{"detail":"Not Found"}"#).await;
    for command in COMMANDS {
        let (code, lines, said) = run(reeltop(&refused.url, "sk_test", command)).await;
        let words = "the list of endpoints cannot be read: 403 from ";
        assert!(said.contains(words), "{command:?}: {said}");
        assert!(said.contains(": ask your admin;"), "{command:?}: {said}");
        assert_eq!(lines.len(), 1, "{command:?}: {lines:?} {said}");
        // What is listed need not be all.
        match command[0] {
            "endpoints" | "attempts" => assert_eq!(code, 1, "{command:?}: {said}"),
            "messages" => assert_eq!(code, 0, "{command:?}: {said}"),
            // This server resends nothing.
            _ => {}
        }

        let (code, lines, said) = run(reeltop(&absent.url, "sk_test", command)).await;
        assert!(!said.contains("cannot be read"), "{command:?}: {said}");
        assert_eq!(lines.len(), 1, "{command:?}: {said}");
        assert_eq!(code, i32::from(command[0] == "replay"), "{command:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_list_as_many_attempts_of_each_endpoint_are_given_as_with_it() {
    let server = Scripted::start(|_, request| {
        let rows = |rows: &[String]| {
            let body = format!(r#"{{"data":[{}],"done":true}}"#, rows.join(","));
            answer("200 OK", "content-type: application/json\r\n", &body)
        };
        let message = |n: u8| {
            format!(
                r#"{{"id":"msg_{n}","eventType":"task.failed","timestamp":"2026-01-01T00:00:00Z","payload":{{}}}}"#
            )
        };
        let attempt = |n: usize, endpoint: &str| {
            format!(
                r#"{{"id":"atmpt_{n}_{endpoint}","msgId":"msg_{n}","endpointId":"{endpoint}","url":"http://a","status":2,"responseStatusCode":500,"timestamp":"2026-01-01T00:00:0{n}Z"}}"#
            )
        };
        if request.starts_with("get /webhooks/messages") {
            return rows(&[message(3), message(2), message(1)]);
        }
        let of = (1..=3).find(|n| request.contains(&format!("message_id=msg_{n}")));
        of.map_or_else(
            || answer("404 Not Found", "", r#"{"detail":"Not Found"}"#),
            |n| rows(&["ep_1", "ep_2"].map(|endpoint| attempt(n, endpoint))),
        )
    })
    .await;
    for (limit, n) in [("1", 2), ("2", 4), ("50", 6)] {
        let command = ["attempts", "--json", "--limit", limit];
        let (code, lines, said) = run(reeltop(&server.url, "sk_test", &command)).await;
        assert_eq!((code, lines.len()), (0, n), "{limit}: {lines:?} {said}");
        assert!(lines[0].contains("\"msg_3\""), "{lines:?}");
    }
}
