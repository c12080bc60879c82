//! What the command says of many, of a service that asks to be left alone, and of one that is silent.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::scripted::{Reply, Scripted, answer};

pub(super) fn json(body: &str) -> Reply {
    answer("200 OK", "content-type: application/json\r\n", body)
}

pub(super) fn rows(rows: &[String]) -> Reply {
    json(&format!(r#"{{"data":[{}],"done":true}}"#, rows.join(",")))
}

fn message(n: u8, task: &str) -> String {
    format!(
        r#"{{"id":"msg_{n}","eventType":"task.updated","timestamp":"2026-01-01T00:00:0{n}Z","payload":{{"task_id":"{task}"}}}}"#
    )
}

fn attempt(message: u8, status: u8, code: u16, trigger: u8) -> String {
    format!(
        r#"{{"id":"atmpt_{message}{status}{trigger}","msgId":"msg_{message}","endpointId":"ep_a","status":{status},"responseStatusCode":{code},"triggerType":{trigger},"timestamp":"2026-01-01T00:00:0{message}Z"}}"#
    )
}

/// Messages 1 and 3 of one task and 2 of another, all failed. Once it was planned, the service has
/// delivered the newer of the task. `post` gets the number of
/// the request, and says whether it is taken and the answer.
async fn server(post: impl Fn(usize) -> (bool, Reply) + Send + Sync + 'static) -> Scripted {
    let (n_posts, n_looks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let is_sent = AtomicBool::new(false);
    Scripted::start(move |_, request| {
        let failed = |n| attempt(n, 2, 500, 0);
        if request.starts_with("post ") {
            let (is_taken, reply) = post(n_posts.fetch_add(1, Ordering::SeqCst));
            is_sent.fetch_or(is_taken, Ordering::SeqCst);
            reply
        } else if request.starts_with("get /openapi.json") {
            json(r#"{"openapi":"3.1.0","paths":{"/webhooks/messages/{message_id}/resend":{"post":{}}}}"#)
        } else if request.starts_with("get /webhooks/endpoints") {
            rows(&[r#"{"id":"ep_a","url":"http://a.example"}"#.to_owned()])
        } else if request.starts_with("get /webhooks/messages") {
            rows(&[message(3, "task"), message(2, "other"), message(1, "task")])
        } else if request.contains("message_id=msg_1") {
            rows(&[failed(1)])
        } else if request.contains("message_id=msg_2") {
            let resent = is_sent.load(Ordering::SeqCst).then(|| attempt(2, 0, 204, 1));
            rows(&resent.into_iter().chain([failed(2)]).collect::<Vec<_>>())
        } else if request.contains("message_id=msg_3") {
            // The first look is the query's, the second the plan's.
            let is_delivered = n_looks.fetch_add(1, Ordering::SeqCst) > 1;
            let retried = is_delivered.then(|| attempt(3, 0, 204, 0));
            rows(&retried.into_iter().chain([failed(3)]).collect::<Vec<_>>())
        } else if request.starts_with("get /webhooks/delivery-attempts") {
            rows(&[failed(1), failed(2), failed(3)])
        } else {
            answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
        }
    })
    .await
}

fn n_posts(server: &Scripted) -> usize {
    let requests = server.requests();
    requests.iter().filter(|it| it.starts_with("post ")).count()
}

/// The exit code, what was printed, and what was said beside it.
pub(super) async fn replay(server: &Scripted, words: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    replay_of(&folder, server, words).await
}

/// The same, by somebody whose ledger is in this folder.
async fn replay_of(
    folder: &tempfile::TempDir,
    server: &Scripted,
    words: &str,
) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("HOME", folder.path())
        .env("ASPECT_API_KEY", "sk_test")
        .env("ASPECT_BASE_URL", &server.url)
        .args(["replay", "--yes"])
        .args(words.split(' '));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text, said)
}

fn taken() -> (bool, Reply) {
    (true, answer("202 Accepted", "", "{}"))
}

fn busy(seconds: &str) -> (bool, Reply) {
    let headers = format!("retry-after: {seconds}\r\n");
    let reply = answer(
        "429 Too Many Requests",
        &headers,
        r#"{"detail":"slow down"}"#,
    );
    (false, reply)
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_failed_it_ends_well_and_sums_up() {
    let server = server(|_| taken()).await;
    let (code, text, said) = replay(&server, "--query failed --wait 20s").await;
    assert_eq!(code, Some(0), "{text}{said}");
    let sum = "1 delivered, 2 passed over (delivered or superseded meanwhile), 0 failed";
    assert!(said.contains(sum), "{text}{said}");
    assert!(text.contains("superseded meanwhile"), "{text}{said}");
    assert_eq!(n_posts(&server), 1, "{text}{said}");
}

/// Somebody who reads one line alone, say.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_reads_is_summed_up_beside_it() {
    let server = server(|_| (false, answer("202 Accepted", "", "{}"))).await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("HOME", folder.path())
        .env("ASPECT_API_KEY", "sk_test")
        .env("ASPECT_BASE_URL", &server.url)
        .args(["replay", "--yes", "--json", "--wait", "300ms", "msg_2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let ended = ended.await.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    // A closed pipe is no error.
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(said.contains("0 delivered, 0 failed, 1 unknown"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_asks_to_wait_is_waited_for_and_then_sent_the_same() {
    let server = server(|n| if n < 2 { busy("1") } else { taken() }).await;
    let (code, text, said) = replay(&server, "msg_2 --wait 20s").await;
    assert_eq!(code, Some(0), "{text}{said}");
    assert_eq!(n_posts(&server), 3, "{text}{said}");
    assert_eq!(
        said.matches("the service asks to wait until 20").count(),
        2,
        "{said}"
    );
    assert!(said.contains("Z, 1s (429); then this goes on"), "{said}");
    assert!(text.contains("not sent: 429"), "{text}{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_asks_to_wait_too_long_is_left_alone() {
    for (wait, max, in_all, or_now) in [
        ("", "60s", "90s", "--wait 90s"),
        (" --wait 5s --json", "5s", "7s", "--wait 7s"),
    ] {
        let server = server(move |_| busy(&in_all[..in_all.len() - 1])).await;
        let (code, text, said) = replay(&server, &format!("msg_2{wait}")).await;
        assert_eq!(code, Some(1), "{text}{said}");
        assert_eq!(n_posts(&server), 1, "{text}{said}");
        let why = format!("Z (429), {in_all} in all, and --wait is {max}");
        assert!(
            said.contains("1 was not sent: the service asks to wait until 20"),
            "{said}"
        );
        assert!(said.contains(&why) && said.contains(or_now), "{said}");
        // Nothing is waited for, and nobody is told that it was.
        assert!(!said.contains("then this goes on"), "{said}");
        let lines = text
            .lines()
            .filter(|line| line.contains(r#""state":"cancelled""#));
        let of_json = wait.contains("json");
        assert_eq!(
            lines.filter(|line| line.contains(&why)).count(),
            usize::from(of_json),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_off_was_not_tried() {
    let server = server(|_| busy("90")).await;
    let folder = tempfile::tempdir().unwrap();
    let (code, text, said) = replay_of(&folder, &server, "--query failed").await;
    assert_eq!(code, Some(1), "{text}{said}");
    assert!(text.contains("not sent: 429"), "{text}{said}");
    let (_, text, said) = replay_of(&folder, &server, "--query failed --dry-run").await;
    assert!(text.contains("\n  send "), "{text}{said}");
    assert!(!text.contains("by an earlier replay"), "{text}{said}");
}

/// The pause is known by a look before a request alone, and what it keeps back was never begun.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_pause_keeps_back_is_no_success_though_all_that_was_sent_is_delivered() {
    let n_looks = AtomicUsize::new(0);
    let is_sent = AtomicBool::new(false);
    let server = Scripted::start(move |_, request| {
        if request.starts_with("post ") {
            is_sent.store(true, Ordering::SeqCst);
            taken().1
        } else if request.starts_with("get /openapi.json") {
            json(r#"{"openapi":"3.1.0","paths":{"/webhooks/messages/{message_id}/resend":{"post":{}}}}"#)
        } else if request.starts_with("get /webhooks/endpoints") {
            // The first look is the plan's.
            match n_looks.fetch_add(1, Ordering::SeqCst) {
                0 => rows(&[r#"{"id":"ep_a","url":"http://a.example"}"#.to_owned()]),
                _ => busy("90").1,
            }
        } else if request.starts_with("get /webhooks/messages") {
            rows(&[message(2, "other"), message(1, "task")])
        } else if request.contains("message_id=msg_1") {
            let resent = is_sent.load(Ordering::SeqCst).then(|| attempt(1, 0, 204, 1));
            let first = attempt(1, 2, 500, 0);
            rows(&resent.into_iter().chain([first]).collect::<Vec<_>>())
        } else if request.starts_with("get /webhooks/delivery-attempts") {
            rows(&[attempt(2, 2, 500, 0)])
        } else {
            answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
        }
    })
    .await;
    let (code, text, said) = replay(&server, "msg_1 msg_2 --rate 1").await;
    assert_eq!(n_posts(&server), 1, "{text}{said}");
    assert_eq!(code, Some(1), "{text}{said}");
    assert!(said.contains("1 was not sent: the service asks"), "{said}");
    assert!(said.contains("1 delivered, 0 failed, 1 not sent"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_service_is_waited_for_no_longer_than_was_asked() {
    let server = server(|_| (false, Reply::Hold(Vec::new()))).await;
    let (code, text, said) = replay(&server, "msg_1 --wait 1s --json").await;
    assert_eq!(code, Some(3), "{text}{said}");
    assert!(text.contains("within 1s"), "{text}{said}");
}

/// The newer message is not asked for: that it superseded the older one, the plan must know all the
/// same.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_message_has_superseded_is_said_whatever_was_asked_for() {
    let server = Scripted::start(|_, request| {
        if request.starts_with("get /openapi.json") {
            json(r#"{"openapi":"3.1.0","paths":{"/webhooks/messages/{message_id}/resend":{"post":{}}}}"#)
        } else if request.starts_with("get /webhooks/endpoints") {
            rows(&[r#"{"id":"ep_a","url":"http://a.example"}"#.to_owned()])
        } else if request.starts_with("get /webhooks/messages") {
            rows(&[message(3, "task"), message(2, "other"), message(1, "task")])
        } else if request.contains("message_id=msg_1") {
            rows(&[attempt(1, 2, 500, 0)])
        } else if request.contains("message_id=msg_2") {
            rows(&[attempt(2, 2, 500, 0)])
        } else if request.contains("message_id=msg_3") {
            rows(&[attempt(3, 0, 204, 0)])
        } else if request.starts_with("get /webhooks/delivery-attempts") {
            rows(&[attempt(1, 2, 500, 0), attempt(2, 2, 500, 0), attempt(3, 0, 204, 0)])
        } else {
            answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
        }
    })
    .await;
    let superseded = "superseded: it took a newer message of this task since";
    let (code, text, _) = replay(&server, "msg_1 --dry-run").await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&format!("! {superseded}")), "{text}");
    for (query, n_sent) in [("id:msg_1", 0), ("failed", 1)] {
        let (_, text, said) = replay(&server, &format!("--query {query} --dry-run")).await;
        let is_skipped =
            |line: &str| line.trim_start().starts_with("skip ") && line.ends_with(superseded);
        assert!(text.lines().any(is_skipped), "{text}{said}");
        assert_eq!(text.matches("\n  send ").count(), n_sent, "{text}{said}");
    }
    let (_, text, _) = replay(&server, "msg_2 --dry-run").await;
    assert!(!text.contains("superseded"), "{text}");
}

/// It is only known where a message was never sent once all its attempts could be read.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_sent_is_told_from_what_could_not_be_read() {
    let server = Scripted::start(|_, request| {
        if request.starts_with("get /openapi.json") {
            json(r#"{"openapi":"3.1.0","paths":{"/webhooks/messages/{message_id}/resend":{"post":{}}}}"#)
        } else if request.starts_with("get /webhooks/endpoints") {
            let endpoint = |id| format!(r#"{{"id":"ep_{id}","url":"http://{id}.example"}}"#);
            rows(&["a", "b"].map(endpoint))
        } else if request.starts_with("get /webhooks/messages") {
            rows(&[message(2, "other"), message(1, "task")])
        } else if request.contains("message_id=msg_1") {
            rows(&[attempt(1, 2, 500, 0)])
        } else if request.contains("message_id=msg_2") {
            rows(&[attempt(2, 2, 500, 0), r#"{"id":"atmpt_odd"}"#.to_owned()])
        } else {
            answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
        }
    })
    .await;
    for (id, words) in [
        ("msg_1", "never sent there"),
        ("msg_2", "its attempts are not read"),
    ] {
        let (_, text, said) = replay(&server, &format!("{id} --dry-run")).await;
        let is_told = |line: &str| line.trim_start().starts_with("skip ") && line.ends_with(words);
        assert!(text.lines().any(is_told), "{words}: {text}{said}");
    }
}
