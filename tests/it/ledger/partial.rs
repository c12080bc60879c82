//! Attempts of which not all can be read: whoever reads them says so, and no attempt is taken for
//! that of a replay which may have been there before it.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reeltop::domain::{MessageId, Part};
use reeltop::io::intake::Look;
use serde_json::{Value, json};

use super::{attempt, ok};
use crate::client::intake::Watcher;
use crate::client::source;
use crate::scripted::{Reply, Scripted, answer};

/// What is wrong with the attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// One row lacks what every row has until a replay was sent; then it is a manual attempt.
    Unreadable,
    /// There is always another page.
    Endless,
    /// Each page is the first one again.
    Repeated,
}

const FAULTS: [Fault; 3] = [Fault::Unreadable, Fault::Endless, Fault::Repeated];

impl Fault {
    /// What is said of it.
    fn words(self) -> &'static str {
        match self {
            Self::Unreadable => "1 could not be read: a row that lacks what every row has",
            Self::Endless => "attempts beyond the newest 10 of msg_1: there are too many",
            Self::Repeated => {
                "attempts beyond the newest 2 of msg_1: the service says there is more, but not how to read on"
            }
        }
    }

    fn attempts(self, n_posts: usize, page: usize) -> Reply {
        let first = attempt("atmpt_0", 0, 2);
        match self {
            Self::Unreadable if n_posts == 0 => {
                ok(&json!({"data": [first, {"id": "atmpt_m"}], "done": true}))
            }
            Self::Unreadable => {
                ok(&json!({"data": [first, attempt("atmpt_m", 1, 0)], "done": true}))
            }
            Self::Endless => {
                // The newest page holds what the replay caused.
                let is_caused = page == 0 && n_posts > 0;
                let row = if is_caused {
                    attempt("atmpt_m", 1, 0)
                } else {
                    attempt(&format!("atmpt_{page}"), 0, 2)
                };
                let next = (page + 1).to_string();
                ok(&json!({"data": [row], "done": false, "iterator": next}))
            }
            Self::Repeated => {
                let row = if n_posts > 0 {
                    attempt("atmpt_m", 1, 0)
                } else {
                    first
                };
                ok(&json!({"data": [row], "done": false, "iterator": "1"}))
            }
        }
    }
}

async fn service(fault: Fault, lists_endpoints: bool) -> Scripted {
    let n_posts = Arc::new(AtomicUsize::new(0));
    Scripted::start(move |_, head| {
        if head.starts_with("post ") {
            n_posts.fetch_add(1, Ordering::SeqCst);
            return answer("202 Accepted", "", "{}");
        }
        let target = head.split(' ').nth(1).unwrap_or_default();
        match target.split('?').next().unwrap_or_default() {
            "/openapi.json" => ok(&json!({"openapi": "3.1.0", "paths":
                {"/webhooks/messages/{message_id}/resend": {"post": {}}}})),
            "/webhooks/endpoints" if lists_endpoints => ok(&json!({"data": [{"id": "ep_1",
                "url": "http://127.0.0.1/hook", "disabled": false}], "done": true})),
            "/webhooks/messages" => ok(&json!({"data": [{"id": "msg_1",
                "eventType": "task.failed", "timestamp": "2026-11-25T12:00:00Z"}], "done": true})),
            "/webhooks/delivery-attempts" if target.contains("endpoint_id=") => {
                ok(&json!({"data": [attempt("atmpt_0", 0, 2)], "done": false, "iterator": "x"}))
            }
            "/webhooks/delivery-attempts" => {
                let (_, page) = target.split_once("iterator=").unwrap_or_default();
                let page = page.split('&').next().and_then(|page| page.parse().ok());
                fault.attempts(n_posts.load(Ordering::SeqCst), page.unwrap_or(0))
            }
            _ => answer("404 x", "", r#"{"detail":"Not Found"}"#),
        }
    })
    .await
}

/// Exit code, stdout, stderr.
async fn run(
    server: &Scripted,
    state: &std::path::Path,
    arguments: &[&str],
) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("ASPECT_BASE_URL", &server.url)
        .env("ASPECT_API_KEY", "sk_test")
        .env("HOME", state)
        .env("XDG_STATE_HOME", state)
        .args(arguments);
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap());
    let ran = ran.await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = ran.status.code().unwrap_or(-1);
    (code, text(&ran.stdout), text(&ran.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_whose_attempts_before_are_not_all_known_is_ambiguous() {
    for fault in FAULTS {
        let state = tempfile::tempdir().unwrap();
        let server = service(fault, true).await;
        let replay = ["replay", "msg_1", "--yes", "--json", "--wait", "20s"];
        let (code, lines, said) = run(&server, state.path(), &replay).await;
        let states: Vec<String> = (lines.lines())
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["state"].to_string())
            .collect();
        assert_eq!(
            states.last().map(String::as_str),
            Some("\"ambiguous\""),
            "{fault:?}: {states:?} {said}"
        );
        assert_eq!(code, 3, "{fault:?}: {said}");
        assert!(said.contains(fault.words()), "{fault:?}: {said}");
        assert!(said.contains("cannot be told for certain"), "{said}");
        // The ledger keeps why.
        let offline = ["replays", "--json", "--offline"];
        let (_, lines, said) = run(&server, state.path(), &offline).await;
        let row: Value = serde_json::from_str(&lines).unwrap_or_else(|_| panic!("{said}"));
        assert_eq!(row["candidates"], json!(["atmpt_m"]), "{fault:?}");
        let reason = row["reason"].as_str().unwrap();
        assert!(
            reason.ends_with("not all attempts could be read"),
            "{reason}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_of_attempts_says_what_it_could_not_read() {
    let state = tempfile::tempdir().unwrap();
    for fault in FAULTS {
        let (_, why) = fault
            .words()
            .split_once("read: ")
            .unwrap_or(("", fault.words()));
        for (lists_endpoints, arguments) in [
            (true, &["messages", "--query", "failed"][..]),
            (true, &["attempts", "--endpoint", "ep_1", "--limit", "1"]),
            (true, &["replay", "msg_1", "--dry-run"]),
            (false, &["endpoints"]),
        ] {
            let server = service(fault, lists_endpoints).await;
            let (code, lines, said) = run(&server, state.path(), arguments).await;
            assert_eq!(code, 0, "{fault:?} {arguments:?}: {lines} {said}");
            assert!(said.contains(why), "{fault:?} {arguments:?}: {said}");
            assert!(!lines.is_empty(), "{fault:?} {arguments:?}: {said}");
        }
    }
}

#[tokio::test]
async fn the_dashboard_counts_once_what_a_message_lacks() {
    for fault in FAULTS {
        let server = service(fault, true).await;
        let mut watcher = Watcher::open(source(&server.url));
        let n_reads = || {
            let is_read = |head: &&String| head.contains("message_id=msg_1");
            server.requests().iter().filter(is_read).count()
        };
        for n in 1..=2 {
            watcher.hose.look(Look::Attempts(MessageId::new("msg_1")));
            watcher
                .until("a look", |history| {
                    n_reads() >= n && history.losses.unreadable(Part::Deliveries) > 0
                })
                .await;
        }
        assert_eq!(watcher.history.losses.unreadable(Part::Deliveries), 1);
        watcher.hose.close().await;
    }
}
