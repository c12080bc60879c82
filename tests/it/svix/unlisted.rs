//! Messages of which the log shows only attempts: each is read by its id as its page is opened.

use super::APP;
use crate::pty::Pty;
use crate::scripted::{Reply, Scripted, answer};

const JSON: &str = "content-type: application/json\r\n";

fn page(rows: &[String]) -> Reply {
    let rows = rows.join(",");
    let body = format!(r#"{{"data":[{rows}],"iterator":null,"done":true}}"#);
    answer("200 OK", JSON, &body)
}

fn attempt(id: &str) -> String {
    let minute = match id {
        "told" => 3,
        "gone" => 2,
        _ => 1,
    };
    format!(
        r#"{{"id":"atmpt_{id}","msgId":"msg_{id}","endpointId":"ep_a","url":"http://x","status":2,"responseStatusCode":500,"response":"","triggerType":0,"timestamp":"2026-01-01T00:{minute:02}:01Z"}}"#
    )
}

/// A Svix server whose log of messages is empty, though its attempts are of three.
async fn server() -> Scripted {
    Scripted::start(|_, head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(5).collect();
        let refused = |status: &str, detail: &str| {
            let body = format!(r#"{{"code":"x","detail":"{detail}"}}"#);
            answer(status, JSON, &body)
        };
        match *parts {
            ["endpoint"] => page(&[r#"{"id":"ep_a","url":"http://x"}"#.to_owned()]),
            ["msg"] => page(&[]),
            ["msg", "msg_told"] => {
                let body = r#"{"id":"msg_told","eventType":"task.failed","payload":{"told":"by its id"},"timestamp":"2026-01-01T00:03:00Z"}"#;
                answer("200 OK", JSON, body)
            }
            ["msg", "msg_gone"] => refused("404 Not Found", "Entity not found"),
            ["msg", "msg_fails"] => refused("400 Bad Request", "not today"),
            ["attempt", "msg", id] => page(&[attempt(id.trim_start_matches("msg_"))]),
            ["attempt", "endpoint", _] => page(&["told", "gone", "fails"].map(attempt)),
            _ => answer("404 Not Found", "", ""),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_known_by_its_attempts_is_read_as_its_page_is_opened() {
    let server = server().await;
    let url = server.url.clone();
    let watched = tokio::task::spawn_blocking(move || {
        let args = ["--svix-url", &url, "--svix-app", APP];
        let mut pty = Pty::start(&args, &[("SVIX_TOKEN", "testsk_x")], 120, 40);
        pty.keys("3");
        pty.wait("three messages of attempts alone", |screen| {
            screen.matches("not in the log").count() == 3
        });
        pty.keys("\r");
        pty.sees(r#""told": "by its id""#);
        pty.escape();
        pty.sees("still broken");
        pty.keys("j\r");
        pty.sees("not known: the service keeps");
        pty.escape();
        pty.sees("still broken");
        pty.keys("j\r");
        pty.sees("400: not today");
        pty.escape();
        let listed = pty.wait("the list", |screen| screen.contains("task.failed"));
        assert_eq!(listed.matches("not known").count(), 2, "{listed}");
        assert!(!listed.contains("not in the log"), "{listed}");
        pty.keys("\x03");
        pty.end();
    });
    watched.await.unwrap();
    let of_told = |head: &&String| head.contains("/msg/msg_told ");
    assert_eq!(server.requests().iter().filter(of_told).count(), 1);
}
