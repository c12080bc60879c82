//! `reeltop doctor` against the embedded server, and against servers that are unwell in one way
//! each: the line that is said, the exit code, and that no key is ever printed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use reeltop::server::Options;
use serde_json::Value;

use crate::scripted::{Reply, Scripted, answer, stream};
use crate::server::support::{Receiver, attempts, create_endpoint, start};

const KEY: &str = "sk_planted_for_the_doctor";

/// What the doctor said.
struct Visit {
    code: i32,
    lines: Vec<Value>,
    stderr: String,
}

impl Visit {
    /// State, detail and hint of a check.
    #[track_caller]
    fn line(&self, check: &str) -> (&str, &str, &str) {
        let line = self.lines.iter().find(|line| line["check"] == check);
        let line = line.unwrap_or_else(|| panic!("no {check} in {:#?}", self.lines));
        let text = |name: &str| line[name].as_str().unwrap_or_default();
        (text("state"), text("detail"), text("hint"))
    }

    #[track_caller]
    fn is(&self, check: &str, state: &str, words: &str) {
        let (found, detail, hint) = self.line(check);
        assert_eq!(found, state, "{check}: {detail}");
        assert!(detail.contains(words), "{check}: {detail}");
        assert!(
            state == "ok" || !hint.is_empty(),
            "{check}: {detail}: no hint"
        );
    }

    fn checks(&self) -> Vec<&str> {
        let checks = self.lines.iter().map(|line| line["check"].as_str());
        checks.map(Option::unwrap).collect()
    }
}

async fn visit_with(url: &str, key: &str, arguments: &[&str]) -> Visit {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("ASPECT_BASE_URL", url)
        .env("ASPECT_API_KEY", key)
        .env("HOME", "/nonexistent")
        .args(["doctor", "--json"])
        .args(arguments)
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        key.is_empty() || !stdout.contains(key) && !stderr.contains(key),
        "{stdout}{stderr}"
    );
    let lines = stdout.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let names: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(names, ["check", "state", "detail", "hint"]);
        let is_told = line["hint"].as_str().is_some_and(|hint| !hint.is_empty());
        assert!(line["state"] == "ok" || is_told, "no hint: {line}");
        line
    });
    Visit {
        code: output.status.code().unwrap(),
        lines: lines.collect(),
        stderr,
    }
}

async fn visit(url: &str) -> Visit {
    visit_with(url, KEY, &["--wait", "3s"]).await
}

/// A server that is well but for what `odd` answers.
async fn nearly_well(odd: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |_, head| {
        let path = head.split_whitespace().nth(1).unwrap().to_owned();
        let path = path.split('?').next().unwrap();
        odd(path).unwrap_or_else(|| match path {
            "/users/me" => answer("200 OK", "", r#"{"id":"u1"}"#),
            "/tasks/active" => answer("200 OK", "", "[]"),
            "/events" => Reply::Hold(stream(": hello\n\nid: 1\nevent: task.progress\ndata: {\"event_type\":\"task.progress\",\"event_id\":\"e1\",\"data\":{}}\n\n")),
            "/webhooks/messages" | "/webhooks/endpoints" => answer("200 OK", "", r#"{"data":[]}"#),
            _ => answer("404 Not Found", "", r#"{"detail":"Not Found"}"#),
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_well_gets_its_lines() {
    let server = start(Options {
        ping_every: Duration::from_millis(300),
        ..Options::default()
    })
    .await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    for _ in 0..3 {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    attempts(&server, &format!("endpoint_id={}", endpoint.id), 3).await;
    let (url, key) = (server.url(), server.api_key().to_owned());
    let doctor = tokio::spawn(async move { visit_with(&url, &key, &["--wait", "20s"]).await });
    let visit = loop {
        if doctor.is_finished() {
            break doctor.await.unwrap();
        }
        server.backend().create_task("asset", &["proxy"]).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(visit.code, 0, "{:#?}", visit.lines);
    assert_eq!(
        visit.checks(),
        [
            "program",
            "configuration",
            "url",
            "dns",
            "connection",
            "key",
            "tasks",
            "stream",
            "first event",
            "heartbeat",
            "second opinion",
            "messages",
            "attempts",
            "endpoints",
            "resend",
            "clock",
            "journal",
            "terminal"
        ]
    );
    visit.is("stream", "ok", "open at /events, published");
    visit.is("second opinion", "ok", "agrees on");
    visit.is(
        "messages",
        "ok",
        "wrapped in data, paged by iterator and done; its second page",
    );
    visit.is("attempts", "ok", "its second page");
    visit.is("endpoints", "ok", "1 in all");
    visit.is("clock", "ok", "agree");
    visit.is("resend", "ok", "published");
    visit.is("terminal", "warning", "none here");
    assert_eq!(visit.stderr, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_the_last_that_is_asked_of_the_server() {
    let server = start(Options::default()).await;
    let visit = visit(&server.url()).await;
    assert_eq!(visit.code, 1);
    visit.is("key", "failed", "401, the key was refused");
    assert!(visit.line("key").2.contains("ASPECT_API_KEY"));
    assert!(!visit.checks().contains(&"stream"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_server_another_protocol_and_a_page_are_told_apart() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let found = visit(&away).await;
    assert_eq!(found.code, 1);
    found.is("connection", "failed", "nothing listens");

    let plain = start(Options::default()).await;
    let found = visit(&plain.url().replace("http:", "https:")).await;
    assert_eq!(found.code, 1);
    found.is("tls", "failed", "no TLS connection");

    let ssh = Scripted::start(|_, _| Reply::Close(b"SSH-2.0-x\r\n".to_vec())).await;
    let found = visit(&ssh.url).await;
    found.is("connection", "failed", "does not answer in HTTP");

    let page = |_: &str| {
        let html = "<!doctype html><title>Welcome</title>";
        Some(answer("200 OK", "content-type: text/html\r\n", html))
    };
    let found = visit(&nearly_well(page).await.url).await;
    assert_eq!(found.code, 1);
    found.is("key", "failed", "no Aspect API");
    found.is("key", "failed", "HTML");

    let elsewhere = |_: &str| Some(answer("302 Found", "location: https://x.example/\r\n", ""));
    let found = visit(&nearly_well(elsewhere).await.url).await;
    found.is("connection", "ok", "HTTP/1.1");
    found.is("key", "failed", "another origin");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_where_nothing_is_published_does_not_end_the_visit() {
    let circle = |path: &str| {
        let location = "location: /openapi.json\r\n";
        (path == "/openapi.json").then(|| answer("302 Found", location, ""))
    };
    let found = visit(&nearly_well(circle).await.url).await;
    found.is("connection", "ok", "HTTP/1.1");
    found.is("messages", "ok", "0 read");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_there_is_something_to_do() {
    for (status, state) in [
        ("500 Internal Server Error", "failed"),
        ("404 Not Found", "warning"),
        ("403 Forbidden", "warning"),
        ("204 No Content", "failed"),
    ] {
        let failing = move |path: &str| (path != "/users/me").then(|| answer(status, "", ""));
        // Every visit looks for the hint of each line that is not ok.
        let found = visit(&nearly_well(failing).await.url).await;
        found.is("messages", state, "");
        found.is("attempts", "warning", "not asked for");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_absent_log_and_a_strange_stream_mean_is_said() {
    let page = |kind: &str| answer("200 OK", &format!("content-type: {kind}\r\n"), "{}");
    for (kind, means) in [
        ("text/html", "a web page answers there"),
        ("application/json", "a route that gives JSON"),
        ("text/plain", "something else answers there"),
        ("", "by 204 a stream says that it has ended"),
    ] {
        let server = nearly_well(move |path| match path {
            "/events" if kind.is_empty() => Some(answer("204 No Content", "", "")),
            "/events" => Some(page(kind)),
            "/webhooks/messages" => Some(answer("404 x", "", r#"{"detail":"Not Found"}"#)),
            "/webhooks/endpoints" => Some(answer(
                "200 OK",
                "",
                r#"{"data":[{"id":"ep_1","url":"http://x/"}]}"#,
            )),
            _ => None,
        })
        .await;
        let visit = visit_with(
            &server.url,
            KEY,
            &["--wait", "1s", "--events-path", "/events"],
        );
        let visit = visit.await;
        let (state, detail, hint) = visit.line("stream");
        assert_eq!(state, "failed", "{detail}");
        assert!(hint.contains(means), "{kind}: {hint}");
        assert!(hint.contains("--events-path"), "{kind}: {hint}");
        let (state, _, hint) = visit.line("messages");
        assert_eq!(state, "warning");
        assert!(hint.contains("Deliveries stays empty"), "{hint}");
        let (state, _, hint) = visit.line("attempts");
        assert_eq!(state, "warning");
        assert!(
            hint.contains("no outcome is known") && hint.contains("--svix-app"),
            "{hint}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_do_for_heartbeats_and_long_words_are_cut() {
    let busy = |path: &str| {
        let data = r#"data: {"event_type":"task.progress","event_id":"e1","data":{}}"#;
        let long = "x".repeat(1 << 20);
        let bytes = stream(&format!(
            "event: {long}\nid: 1{long}\n{data}\n\nid: 2\n{data}\n\n"
        ));
        (path == "/events").then_some(Reply::Hold(bytes))
    };
    let found = visit(&nearly_well(busy).await.url).await;
    found.is("heartbeat", "ok", "not needed while events come: 2 events");
    let (_, first, _) = found.line("first event");
    assert!(
        first.starts_with("xxx") && first.contains("\u{2026} (1048576 bytes)"),
        "{first}"
    );
    assert!(first.len() < 300, "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_stream_fails_and_the_rest_is_looked_at() {
    let missing = |path: &str| {
        (path == "/events").then(|| answer("404 Not Found", "", r#"{"detail":"Not Found"}"#))
    };
    let found = visit(&nearly_well(missing).await.url).await;
    assert_eq!(found.code, 1);
    found.is("stream", "failed", "no stream (guessed path)");
    assert!(found.line("stream").2.contains("--events-path"));
    found.is("messages", "ok", "0 read, wrapped in data");
    found.is("resend", "warning", "no resend route");
    found.is("clock", "warning", "no Date");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_crashes_the_other_reader_and_only_a_line_says_so() {
    let marked = |path: &str| {
        let bytes = "\u{feff}: hello\n\nid: 1\ndata: {}\n\n";
        (path == "/events").then(|| Reply::Hold(stream(bytes)))
    };
    let found = visit(&nearly_well(marked).await.url).await;
    assert_eq!(found.code, 0, "{:#?}", found.lines);
    found.is(
        "second opinion",
        "warning",
        "crash on this stream's byte order mark",
    );
    assert_eq!(found.stderr, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_readers_differ_is_told() {
    // Bytes that are no UTF-8: the other reader waits for ever for the rest of the character.
    let silent = |path: &str| {
        let mut bytes = stream(": hello\n\nid: 7\ndata: {\"a\":1}\n\n");
        bytes.extend_from_slice(b"data: \xff\n\nid: 8\ndata: {\"a\":2}\n\n");
        (path == "/events").then_some(Reply::Hold(bytes))
    };
    let found = visit(&nearly_well(silent).await.url).await;
    found.is(
        "second opinion",
        "warning",
        "falls silent after 1 event; 2 more came",
    );
    found.is("first event", "warning", "1 are no UTF-8");

    // A parameter that no parser of media types takes.
    let odd = |path: &str| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; =\r\nconnection: close\r\n\r\n: hello\n\n";
        (path == "/events").then(|| Reply::Hold(head.into()))
    };
    let found = visit(&nearly_well(odd).await.url).await;
    found.is("second opinion", "warning", "content type");
    found.is("first event", "warning", "none within");
    found.is("heartbeat", "ok", "after 0.");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_forms_of_the_lists_are_named() {
    let odd = |path: &str| {
        let row = |n: u8| {
            format!(
                r#"{{"attempt_id":"a{n}","msgId":"m","endpointId":"ep","status":"fail","responseStatusCode":500,"triggerType":0,"timestamp":1}}"#
            )
        };
        let body = match path {
            "/webhooks/messages" => {
                r#"[{"msg_id":"m","eventType":"task.failed","timestamp":1}]"#.to_owned()
            }
            "/webhooks/endpoints" => {
                r#"{"endpoints":[{"id":"ep","url":"http://127.0.0.1/"}]}"#.to_owned()
            }
            // The same page again, whatever was asked for.
            "/webhooks/delivery-attempts" => format!(
                r#"{{"data":[{},{}],"nextIterator":"x","done":false}}"#,
                row(1),
                row(2)
            ),
            _ => return None,
        };
        Some(answer(
            "200 OK",
            "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
            &body,
        ))
    };
    let found = visit(&nearly_well(odd).await.url).await;
    assert_eq!(found.code, 0, "{:#?}", found.lines);
    found.is(
        "messages",
        "ok",
        "a bare array, no paging, id is msg_id, type is eventType, without event id or payload",
    );
    found.is(
        "attempts",
        "warning",
        "paged by nextIterator and done, id is attempt_id, message is msgId",
    );
    found.is("attempts", "warning", "second page is the first again");
    found.is("endpoints", "ok", "wrapped in endpoints");
    found.is("clock", "warning", "behind this machine's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_read_is_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, "[limits]\nevent_byte = 1\n").unwrap();
    let found = visit_with(
        "http://127.0.0.1:1",
        KEY,
        &["--config", path.to_str().unwrap()],
    )
    .await;
    assert_eq!(found.code, 2);
    found.is("configuration", "failed", "config.toml:2: unknown field");

    let found = visit_with("", "", &[]).await;
    assert_eq!(found.code, 2);
    found.is("configuration", "failed", "no server is configured");
    assert!(found.line("configuration").2.contains("reeltop demo"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn config_init_writes_a_file_once_and_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/config.toml");
    let init = |path: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
        command.env_clear().args(["config", "init", "--config"]);
        command.arg(path).stdin(Stdio::null()).output().unwrap()
    };
    let first = init(&path);
    assert_eq!(first.status.code(), Some(0));
    assert_eq!(first.stdout, format!("{}\n", path.display()).as_bytes());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(&path, "profile = 1").unwrap();
    let below_a_file = init(&path.join("x"));
    assert_eq!(below_a_file.status.code(), Some(1));
    let words = String::from_utf8(below_a_file.stderr).unwrap();
    let why = format!("cannot be written: {} is no folder", path.display());
    assert!(words.contains(&why), "{words}");
    let second = init(&path);
    assert_eq!(second.status.code(), Some(1));
    assert!(
        String::from_utf8(second.stderr)
            .unwrap()
            .contains("left as it is")
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "profile = 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_a_stream_that_is_not_there_is_told_as_it_will_be() {
    for (status, words) in [
        ("503 x", "try again by themselves"),
        ("429 x", "try again by themselves"),
        ("403 x", "tail ends with 1"),
        ("204 x", "tail ends with 1"),
    ] {
        let server = nearly_well(move |path| (path == "/events").then(|| answer(status, "", "")));
        let found = visit(&server.await.url).await;
        found.is("stream", "failed", "no stream");
        let hint = found.line("stream").2;
        assert!(hint.contains(words), "{status}: {hint}");
    }
}
