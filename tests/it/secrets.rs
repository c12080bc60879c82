//! Planted secrets are looked for wherever the program writes: screen, stdout, stderr, files, the
//! list of processes, what Debug prints.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use reeltop::cli::args::Args;
use reeltop::domain::ChangeKind;
use reeltop::io::Clock;
use reeltop::io::client::Client;
use reeltop::io::config::{KeyFrom, Source};
use reeltop::io::intake;
use rusqlite::types::ValueRef;
use secrecy::SecretString;
use serde_json::json;

use crate::planted;
use crate::pty::Pty;
use crate::scripted::{Reply, Scripted, answer, stream};
use crate::server::support::PATIENCE;

const KEY: &str = "sk_PLANTED0key";
/// In an endpoint's URL: the user, the password, a value of the query, the fragment.
const URL: &str =
    "https://PLANTED1user:PLANTED2word@hooks.example/a?t=PLANTED3query&PLANTED4bare#PLANTED5";
const PROXY: &str = "PLANTED6proxy";
/// In a field whose name says so.
const SIGNING: &str = "whsec_PLANTED7";

fn assert_none(place: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for form in [
        "ED0key",
        "ED0\\u006bey",
        "ED0%6Bey",
        "ED0&#107;ey",
        "UExBTlRFRD",
        "BMQU5URUQw",
        "QTEFOVEVEM",
    ] {
        assert!(!text.contains(form), "{place}: {form}");
    }
    if let Some(at) = text.find("PLANTED") {
        let start = text.floor_char_boundary(at.saturating_sub(200));
        let end = text.ceil_char_boundary((at + 100).min(text.len()));
        panic!("{place}: {:?}", &text[start..end]);
    }
}

/// Looks through every file below a folder; gives how many there were.
fn assert_none_in_files(folder: &Path) -> usize {
    let mut n_files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            n_files += assert_none_in_files(&path);
        } else if path.is_file() {
            n_files += 1;
            let (name, bytes) = (path.display().to_string(), std::fs::read(&path).unwrap());
            assert_none(&name, &bytes);
            if bytes.starts_with(b"SQLite format 3") {
                assert_none_in_tables(&path);
            }
        }
    }
    n_files
}

/// Looks through every value of a database, those that are packed unpacked. Gives what these hold.
fn assert_none_in_tables(path: &Path) -> Vec<u8> {
    let db = rusqlite::Connection::open(path).unwrap();
    let column = |sql: &str| -> Vec<Vec<u8>> {
        let mut statement = db.prepare(sql).unwrap();
        let n = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut values = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            values.extend((0..n).filter_map(|at| match row.get_ref(at).unwrap() {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
                _ => None,
            }));
        }
        values
    };
    let mut all = Vec::new();
    for table in column("SELECT name FROM sqlite_schema WHERE type = 'table'") {
        let table = String::from_utf8(table).unwrap();
        for value in column(&format!("SELECT * FROM {table}")) {
            assert_none(&table, &value);
            if let Ok(unpacked) = zstd::decode_all(&*value) {
                assert_none(&format!("a block in {table}"), &unpacked);
                all.extend(unpacked);
            }
        }
    }
    all
}

/// The databases below a folder.
fn databases(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(databases(&path));
        } else if path.extension().is_some_and(|ending| ending == "db") {
            found.push(path);
        }
    }
    found
}

/// The key as it was sent and in the forms in which a server, or what stands before it, may write it.
fn echo() -> String {
    let json = KEY.replace('k', "\\u006b");
    let percent = KEY.replace('k', "%6B");
    let basic = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("user:{KEY}"),
    );
    let html = KEY.replace('k', "&#107;");
    format!("refused: Authorization: Bearer {KEY} {json} {percent} {html} Basic {basic}")
}

/// An API that holds secrets in its endpoints and attempts, and repeats the key that it was sent.
fn leaky(head: &str) -> Reply {
    let echo = echo();
    let endpoint = json!({
        "id": "ep_1", "url": URL, "description": URL, "secret": SIGNING,
        "headers": {"x-api-key": SIGNING}, "created_at": "2026-11-22T14:00:00Z",
    });
    let attempt = json!({
        "id": "atmpt_1", "msg_id": "m0x", "endpoint_id": "ep_1", "url": URL, "status": 2,
        "response": echo, "response_status_code": 500, "timestamp": "2026-11-22T14:00:00Z",
    });
    let strange = json!({"novel": URL, "secret": SIGNING});
    let route = head.split(' ').nth(1).unwrap_or_default();
    let path = route.split('?').next().unwrap_or_default();
    let body = match path {
        "/webhooks/endpoints" => json!([endpoint, strange, URL]).to_string(),
        "/webhooks/delivery-attempts" => json!([attempt, strange, URL]).to_string(),
        "/webhooks/messages" => planted::messages(&["x".to_owned()]),
        "/tasks/active" => format!("[{}, {}]", json!({"id": echo}), json!(URL)),
        "/events" => {
            let bytes = format!(
                "data: {echo}\n\ndata: {}\n\n",
                json!({"about": echo, "at": URL})
            );
            return Reply::Hold(stream(&bytes));
        }
        "/closing" => {
            let bytes = format!("data: {echo}\n\ndata: {}\n\n", json!({"about": echo}));
            return Reply::Close(stream(&bytes));
        }
        "/openapi.json" => return planted::api(&["x".to_owned()], head),
        "/tasks/500" => return answer("500 x", "", &json!({"detail": echo}).to_string()),
        "/tasks/404" => return answer("404 x", "", &format!("<html>{echo} {URL}")),
        "/tasks/302" => return answer("302 x", &format!("location: {URL}\r\n"), ""),
        "/tasks/303" => return answer("303 x", &format!("location: /{KEY}\r\n"), ""),
        "/tasks/200" => echo,
        "/wrong" => return answer("200 OK", &format!("content-type: {KEY}\r\n"), ""),
        _ => {
            return answer(
                "409 x",
                "",
                &json!({"detail": [{"loc": [KEY], "msg": URL}]}).to_string(),
            );
        }
    };
    answer("200 OK", "", &body)
}

fn reeltop(home: &Path, url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("HOME", home)
        .env("XDG_STATE_HOME", home)
        .env("ASPECT_API_KEY", KEY)
        .env("ASPECT_BASE_URL", url)
        .stdin(Stdio::null());
    command
}

async fn said(mut command: Command) -> Vec<u8> {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    [output.stdout, output.stderr].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_prints_a_planted_secret() {
    let server = Scripted::start(|_, head| leaky(head)).await;
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        "tasks",
        "tasks --json",
        "tasks 500 404 302 303 200 other",
        "messages",
        "messages --json",
        "causes --json",
        "attempts",
        "attempts --json",
        "attempts --json --message m0x",
        "endpoints",
        "endpoints --json",
        "tail --events-path /wrong",
        "tail --events-path /other",
        "tail --events-path /closing --no-reconnect",
        "tail --events-path /closing --no-reconnect --json",
        "tail --events-path /closing --no-reconnect --frames",
        "doctor --wait 1s",
        "doctor --wait 1s --json",
        "config",
        "config --json",
        "replay m0x --dry-run",
        "replay m0x --dry-run --json",
        "replay m0x --yes --wait 100ms",
        "replays --json --offline",
    ] {
        let mut command = reeltop(home.path(), &server.url);
        // Neither is it said of a proxy that is there and not taken.
        command.env("HTTPS_PROXY", format!("http://user:{PROXY}@127.0.0.1:1"));
        let log = home.path().join("reeltop.log");
        command.args(arguments.split(' ')).arg("--log").arg(log);
        let said = said(command).await;
        assert!(!said.is_empty(), "{arguments}");
        assert_none(arguments, &said);
    }
    let logged = std::fs::read_to_string(home.path().join("reeltop.log")).unwrap();
    for known in ["/tasks/500", "/webhooks/endpoints", "/closing"] {
        assert!(logged.contains(known), "{known}: {logged}");
    }
    assert_none_in_files(home.path());
    // What is not secret is still told.
    let mut command = reeltop(home.path(), &server.url);
    command.args(["endpoints", "--json"]);
    let told = String::from_utf8(said(command).await).unwrap();
    assert!(
        told.contains("https://***@hooks.example/a?t=***&***#***"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_shows_and_keeps_no_planted_secret() {
    let server = Scripted::start(|_, head| leaky(head)).await;
    let url = server.url.clone();
    tokio::task::spawn_blocking(move || {
        let environment = [
            ("ASPECT_API_KEY", KEY),
            ("ASPECT_BASE_URL", &*url),
            ("REELTOP_TEST_PANIC", ""),
        ];
        let mut pty = Pty::start(&[], &environment[..2], 160, 50);
        pty.sees("Deliveries ✗ 1");
        let listed = std::fs::read(format!("/proc/{}/cmdline", pty.pid())).unwrap();
        assert!(!listed.is_empty());
        assert_none("the list of processes", &listed);
        for (keys, seen) in [
            ("4", "FAILING SINCE"),
            ("\r", "hooks.example"),
            ("\r", "refused: Authorization"),
            ("5", "could not be read"),
            ("\r", "Health ›"),
        ] {
            pty.keys(keys);
            pty.sees(seen);
        }
        pty.keys("q");
        pty.end();
        assert_none("the terminal", &pty.bytes());
        assert_none_in_files(pty.home());
        let databases = databases(pty.home());
        let packed: Vec<u8> = (databases.iter())
            .flat_map(|file| assert_none_in_tables(file))
            .collect();
        let packed = String::from_utf8_lossy(&packed);
        assert!(packed.contains("***@hooks.example"), "{databases:?}");

        let mut pty = Pty::start(&[], &environment, 160, 50);
        pty.end();
        assert_none("a panic", &pty.bytes());
        assert!(String::from_utf8_lossy(&pty.bytes()).contains("asked for by a test"));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_a_proxy_is_never_said() {
    let home = tempfile::tempdir().unwrap();
    let refusing = Scripted::start(|_, head| {
        // What a proxy was sent, as a careless one says it.
        answer(
            "407 x",
            &format!("x-echo: {PROXY}\r\n"),
            &format!("{PROXY} {}", head.len()),
        )
    })
    .await;
    let port = refusing.url.rsplit(':').next().unwrap().to_owned();
    for proxy in [
        format!("http://user:{PROXY}@127.0.0.1:{port}"),
        format!("http://user:{PROXY}@127.0.0.1:1"),
        format!("http://user:{PROXY}@127.0.0.1:99999"),
        format!("user:{PROXY}"),
        format!("socks9://user:{PROXY}@x"),
    ] {
        for name in ["HTTPS_PROXY", "ALL_PROXY", "https_proxy", "http_proxy"] {
            for url in ["https://far.invalid", "http://far.invalid"] {
                let mut command = reeltop(home.path(), url);
                command.env(name, &proxy).args(["tasks", "--allow-http"]);
                let said = said(command).await;
                // A body is the server's own word; what we know of the proxy is not in it.
                let said = String::from_utf8(said).unwrap();
                let is_echo = said.contains("407") && said.contains(&format!("{PROXY} "));
                if !is_echo {
                    assert_none(&format!("{name} {proxy}"), said.as_bytes());
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_no_password_of_a_proxy() {
    let home = tempfile::tempdir().unwrap();
    for proxy in [
        format!("http://user:{PROXY}@127.0.0.1:1"),
        format!("http://user:{PROXY}@127.0.0.1:99999"),
        format!("socks9://user:{PROXY}@x"),
    ] {
        for (name, url) in [
            ("HTTPS_PROXY", "https://far.invalid"),
            ("http_proxy", "http://far.invalid"),
        ] {
            for arguments in ["doctor --wait 1s", "doctor --wait 1s --json"] {
                let mut command = reeltop(home.path(), url);
                command.env(name, &proxy).args(arguments.split(' '));
                command.args(["--allow-http", "--log"]);
                command.arg(home.path().join("log"));
                let said = said(command).await;
                assert_none(&format!("{name} {proxy}"), &said);
                let said = String::from_utf8_lossy(&said);
                let is_taken = proxy.starts_with("http:");
                assert!(
                    !is_taken || said.contains("proxy"),
                    "{name} {proxy}: {said}"
                );
            }
        }
    }
    assert_none_in_files(home.path());
}

/// What goes out of the intake is what is shown, and what a journal records.
#[tokio::test]
async fn no_change_holds_a_planted_secret() {
    let server = Scripted::start(|_, head| leaky(head)).await;
    let mut source = Source::new(&server.url, KEY);
    source.waits.poll = Duration::from_millis(100);
    let (hose, mut changes) = intake::open(source, Clock::new());
    let (mut n_unread, mut n_attempts, mut is_echoed) = (0, 0, false);
    while n_unread < 6 || n_attempts == 0 || !is_echoed {
        let batch = tokio::time::timeout(PATIENCE, changes.recv()).await;
        for change in batch.unwrap().unwrap() {
            assert_none("a change", format!("{change:?}").as_bytes());
            assert_none("raw bytes", change.raw.as_deref().unwrap_or_default());
            match &change.kind {
                ChangeKind::Unreadable(what) => {
                    n_unread += 1;
                    is_echoed |= what.excerpt.contains("Bearer ***");
                }
                ChangeKind::Attempt(_) => n_attempts += 1,
                _ => {}
            }
        }
    }
    hose.close().await;
}

#[test]
fn debug_shows_no_planted_secret() {
    let source = Source::new("https://x.example", SecretString::from(KEY));
    let from = KeyFrom::Variable {
        name: "K".into(),
        value: KEY.into(),
    };
    let args = <Args as clap::Parser>::try_parse_from(["reeltop", "serve", "--api-key", KEY]);
    let wrong = Source::new("https://u:PLANTED@x.example:99999", KEY);
    let failure = Client::new(&wrong).err().unwrap();
    for shown in [
        format!("{source:?}"),
        format!("{from:?}"),
        format!("{:?}", args.unwrap()),
        format!("{wrong:?}"),
        format!("{failure:?}"),
    ] {
        assert_none("Debug", shown.as_bytes());
    }
}
