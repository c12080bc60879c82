//! The ledger of replays: whatever is killed, and whoever else is running, one replay of a message
//! to an endpoint is one request, and what became of it is found.

mod ending;
mod failing;
mod file;
mod given_up;
mod looking;
mod machine;
mod noted;
mod partial;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::scripted::{Reply, Scripted, answer};
use crate::server::support::{PATIENCE, eventually};

/// Where the service stops answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    /// Before anything is known, so before anything is written.
    Beginning,
    /// The replay is planned, and the attempts before it are being read.
    Planned,
    /// The request was written and is not answered.
    Posting,
    /// It was answered, and its attempt is being looked for.
    Accepted,
    Nowhere,
}

/// A service with one message that failed; a resend makes a manual attempt.
struct Service {
    server: Scripted,
    n_posts: Arc<AtomicUsize>,
    /// Once set, nothing is held and the attempts of the resends are there.
    is_open: Arc<AtomicBool>,
    /// The service has come to the point.
    is_reached: Arc<AtomicBool>,
    /// Answers the request that is held.
    answer: Arc<Notify>,
    /// The status of the attempts that resends make: delivered, unless it is changed.
    resent: Arc<AtomicU8>,
}

fn attempt(id: &str, trigger: u8, status: u8) -> Value {
    json!({"id": id, "msgId": "msg_1", "endpointId": "ep_1", "status": status,
           "responseStatusCode": if status == 0 { 200 } else { 500 }, "response": "",
           "url": "http://127.0.0.1/hook", "triggerType": trigger,
           "timestamp": "2026-11-25T12:00:00Z"})
}

fn ok(body: &Value) -> Reply {
    answer(
        "200 OK",
        "content-type: application/json\r\n",
        &body.to_string(),
    )
}

impl Service {
    async fn held_at(point: Point) -> Self {
        let (n_posts, is_open) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (is_reached, n_reads) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
        let answer = Arc::new(Notify::new());
        let answered = answer.clone();
        let (posts, open, reached) = (n_posts.clone(), is_open.clone(), is_reached.clone());
        let resent = Arc::new(AtomicU8::new(0));
        let status = resent.clone();
        let server = Scripted::start(move |_, head| {
            let is_open = open.load(Ordering::SeqCst);
            let holds = |here: Point| {
                let is_held = here == point && !is_open;
                reached.fetch_or(is_held, Ordering::SeqCst);
                is_held
            };
            if head.starts_with("post ") {
                posts.fetch_add(1, Ordering::SeqCst);
                return if holds(Point::Posting) {
                    let accepted = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}";
                    Reply::Later(Vec::new(), answered.clone(), accepted.to_vec())
                } else {
                    crate::scripted::answer("202 Accepted", "", "{}")
                };
            }
            let path = head.split([' ', '?']).nth(1).unwrap_or_default();
            match path {
                "/openapi.json" => ok(&json!({"openapi": "3.1.0", "paths":
                    {"/webhooks/messages/{message_id}/resend": {"post": {}}}})),
                "/webhooks/endpoints" if holds(Point::Beginning) => Reply::Hold(Vec::new()),
                "/webhooks/endpoints" => ok(&json!({"data": [{"id": "ep_1",
                    "url": "http://127.0.0.1/hook", "disabled": false,
                    "filterTypes": ["task.failed"]}], "done": true})),
                "/webhooks/endpoints/mine" => ok(&json!({"id": "ep_1",
                    "url": "http://127.0.0.1/hook", "disabled": false,
                    "filterTypes": ["task.failed"]})),
                "/webhooks/messages" => ok(&json!({"data": [{"id": "msg_1",
                    "eventType": "task.failed", "timestamp": "2026-11-25T12:00:00Z"}],
                    "done": true})),
                "/webhooks/delivery-attempts" => {
                    // The first read is of the plan, the second just before the request.
                    let n_reads = n_reads.fetch_add(1, Ordering::SeqCst);
                    let n_posts = posts.load(Ordering::SeqCst);
                    if n_reads > 0 && n_posts == 0 && holds(Point::Planned)
                        || n_posts > 0 && holds(Point::Accepted)
                    {
                        return Reply::Hold(Vec::new());
                    }
                    let mut attempts = vec![attempt("atmpt_0", 0, 2)];
                    if is_open || point == Point::Nowhere {
                        let status = status.load(Ordering::SeqCst);
                        let resent = |n| attempt(&format!("atmpt_{n}"), 1, status);
                        attempts.extend((1..=n_posts).map(resent));
                    }
                    ok(&json!({"data": attempts, "done": true}))
                }
                _ => crate::scripted::answer("404 x", "", "{}"),
            }
        })
        .await;
        Self {
            server,
            n_posts,
            is_open,
            is_reached,
            answer,
            resent,
        }
    }

    fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }

    fn n_posts(&self) -> usize {
        self.n_posts.load(Ordering::SeqCst)
    }

    fn command(&self, state: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
        command
            .env_clear()
            .env("ASPECT_BASE_URL", &self.server.url)
            .env("ASPECT_API_KEY", "sk_test")
            .env("HOME", state)
            .env("XDG_STATE_HOME", state)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn replay(&self, state: &Path) -> Child {
        let arguments = ["replay", "msg_1", "--yes", "--json", "--wait", "2s"];
        self.command(state, &arguments).spawn().unwrap()
    }

    async fn until_reached(&self) {
        eventually("the point", async || {
            self.is_reached.load(Ordering::SeqCst).then_some(())
        })
        .await;
    }
}

/// Exit code, the states told on stdout, and stderr.
async fn end(child: Child) -> (Option<i32>, Vec<String>, String) {
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let output = tokio::time::timeout(PATIENCE, output)
        .await
        .unwrap()
        .unwrap();
    let states = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["state"].as_str().unwrap().to_owned()
        })
        .collect();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), states, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_replay_is_never_sent_again_once_its_request_may_have_been() {
    for (point, n_posts, is_sent_again) in [
        (Point::Beginning, 0, true),
        (Point::Planned, 0, true),
        (Point::Posting, 1, false),
        (Point::Accepted, 1, false),
    ] {
        let state = tempfile::tempdir().unwrap();
        let service = Service::held_at(point).await;
        let mut first = service.replay(state.path());
        service.until_reached().await;
        first.kill().unwrap();
        first.wait().unwrap();
        assert_eq!(service.n_posts(), n_posts, "{point:?}");

        if !is_sent_again {
            // The attempt is not there yet: nobody knows, and nobody sends.
            let mut command = service.command(state.path(), &["replay", "msg_1", "--dry-run"]);
            service.is_open.store(true, Ordering::SeqCst);
            let held = service.n_posts.swap(0, Ordering::SeqCst);
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(
                said.contains("earlier reeltop is open"),
                "{point:?}: {said}"
            );
            service.n_posts.store(held, Ordering::SeqCst);
        }
        service.is_open.store(true, Ordering::SeqCst);
        let (code, states, said) = end(service.replay(state.path())).await;
        assert_eq!(service.n_posts(), 1, "{point:?}: {states:?} {said}");
        assert_eq!(code, Some(0), "{point:?}: {states:?} {said}");
        if is_sent_again {
            assert_eq!(states.last().map(String::as_str), Some("delivered"));
        } else {
            assert!(states.is_empty(), "{point:?}: {states:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_at_once_make_one_request() {
    let state = tempfile::tempdir().unwrap();
    let service = Service::held_at(Point::Posting).await;
    let mut first = service.replay(state.path());
    service.until_reached().await;
    let (code, states, said) = end(service.replay(state.path())).await;
    assert!(said.contains("another reeltop (pid "), "{states:?} {said}");
    assert_eq!(code, Some(3), "nobody knows how it ends: {states:?} {said}");
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(service.n_posts(), 1);

    // Begun in the same moment, both plan, and the file decides.
    let state = tempfile::tempdir().unwrap();
    let service = Service::held_at(Point::Nowhere).await;
    let children: Vec<Child> = (0..4).map(|_| service.replay(state.path())).collect();
    for child in children {
        let (code, states, said) = end(child).await;
        // Who came too late found it delivered, or does not know how the other's ends.
        assert!(matches!(code, Some(0 | 3)), "{code:?} {states:?} {said}");
    }
    assert_eq!(service.n_posts(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_ledger_nothing_is_sent_and_it_says_why() {
    let service = Service::held_at(Point::Nowhere).await;
    let state = tempfile::tempdir().unwrap();
    // A file where the folder should be; a file that is no ledger.
    std::fs::write(state.path().join("reeltop"), "x").unwrap();
    let (code, states, said) = end(service.replay(state.path())).await;
    assert_eq!((code, service.n_posts()), (Some(1), 0), "{states:?} {said}");
    assert!(
        states.is_empty() && said.contains("replays.db cannot be used: "),
        "{states:?} {said}"
    );
    // A folder that cannot be looked into may hold replays: it is no empty ledger.
    for args in [
        &["replays"][..],
        &["replays", "--json"],
        &["replays", "--give-up", "1fc1"],
    ] {
        let listed = service.command(state.path(), args).spawn().unwrap();
        let (code, printed, said) = end(listed).await;
        assert_eq!((code, printed.len()), (Some(1), 0), "{said}");
        assert!(said.contains("replays.db cannot be used: "), "{said}");
        assert!(!said.contains("no replay"), "{said}");
    }

    let state = tempfile::tempdir().unwrap();
    let (code, ..) = end(service.replay(state.path())).await;
    assert_eq!((code, service.n_posts()), (Some(0), 1));
    let file = std::fs::read_dir(state.path().join("reeltop"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "db"))
        .unwrap();
    // One of a newer reeltop holds what was sent, so that nobody is told to move it away.
    let db = rusqlite::Connection::open(&file).unwrap();
    db.pragma_update(None, "user_version", 999).unwrap();
    drop(db);
    let newer = end(service.replay(state.path())).await;
    let mut listed = service.command(state.path(), &["replays", "--offline"]);
    let listed = end(listed.spawn().unwrap()).await;
    for (code, _, said) in [newer, listed] {
        assert_eq!((code, service.n_posts()), (Some(1), 1), "{said}");
        let why = "replays.db cannot be used: it was written by a newer reeltop";
        assert!(said.contains(why), "{said}");
        assert!(
            said.contains("use the newer reeltop; leave the file where it is"),
            "{said}"
        );
        assert!(!said.contains("move it away"), "{said}");
    }
    std::fs::write(&file, "not a ledger, but somebody's").unwrap();
    let (code, states, said) = end(service.replay(state.path())).await;
    assert_eq!((code, service.n_posts()), (Some(1), 1), "{states:?} {said}");
    assert!(said.contains("the ledger of replays"), "{said}");
    assert!(said.contains("move it away if it is damaged"), "{said}");
    assert_eq!(
        std::fs::read(&file).unwrap(),
        b"not a ledger, but somebody's"
    );
}
