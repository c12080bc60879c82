//! The log file: what is in it, what never is, who may read it, and that nothing else notices.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use reeltop::server::Options;

use crate::pty::Pty;
use crate::scripted::{Reply, Scripted, answer, stream};
use crate::server::support::{Receiver, attempts, create_endpoint, start};

const KEY: &str = "sk_planted_for_the_log";

async fn run(url: &str, set: impl FnOnce(&mut Command)) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("ASPECT_BASE_URL", url)
        .env("ASPECT_API_KEY", KEY)
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null());
    set(&mut command);
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[track_caller]
fn has(log: &str, words: &str) {
    assert!(log.contains(words), "no {words:?} in\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_logged_and_secrets_are_not() {
    let options = Options {
        api_key: Some(KEY.into()),
        ..Options::default()
    };
    let server = start(options).await;
    let receiver = Receiver::always(500).await;
    let url = format!("{}?token=planted_in_a_url", receiver.url);
    let server_url = server.url();
    let endpoint = create_endpoint(&server, &url, &["task.*"]).await;
    server
        .backend()
        .create_task("planted_in_a_payload", &["proxy"])
        .unwrap();
    attempts(&server, &format!("endpoint_id={}", endpoint.id), 1).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let quiet = run(&server_url, |it| {
        it.args(["attempts", "--json"]);
    });
    let quiet = quiet.await;
    for arguments in [
        &["attempts", "--json"][..],
        &["messages", "--json"],
        &["endpoints"],
        &["doctor", "--wait", "1s"],
    ] {
        let noisy = run(&server_url, |it| {
            it.args(arguments).arg("--log").arg(&path);
        });
        let noisy = noisy.await;
        assert_eq!(noisy.stderr, quiet.stderr);
        if arguments[0] == "attempts" {
            assert_eq!(noisy.stdout, quiet.stdout);
        }
    }
    let log = read(&path);
    has(&log, concat!("reeltop ", env!("CARGO_PKG_VERSION"), ", "));
    has(
        &log,
        &format!("server {}, key from ASPECT_API_KEY", server.url()),
    );
    has(&log, "GET /webhooks/delivery-attempts 200 in ");
    has(&log, "GET /events 200 in ");
    assert!(!log.contains("planted"), "{log}");
    assert!(log.lines().all(|line| line.contains(" INFO ")), "{log}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_says_is_written_safely() {
    let server = Scripted::start(|_, _| {
        let body = format!(r#"{{"detail":"no \u001b]0;x {KEY} http://a:planted_pw@x/"}}"#);
        answer("500 Internal Server Error", "", &body)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    // By the environment, and for a command that connects again.
    let output = run(&server.url, |it| {
        it.args(["tail", "--no-reconnect"])
            .env("REELTOP_LOG", &path);
    });
    let output = output.await;
    assert_eq!(output.status.code(), Some(1));
    let log = read(&path);
    has(&log, " WARN ");
    has(&log, "GET /events 500 in ");
    assert!(!log.contains("planted") && !log.contains('\u{1b}'), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_names_the_file_and_the_level() {
    let server = Scripted::start(|_, head| {
        if head.starts_with("get /events") {
            return Reply::Close(stream("data: {}\n\n"));
        }
        answer("404 Not Found", "", "")
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let (log, config) = (folder.path().join("a.log"), folder.path().join("c.toml"));
    let text = format!("[log]\nfile = {log:?}\nlevel = \"warn\"\n");
    std::fs::write(&config, text).unwrap();
    let output = run(&server.url, |it| {
        it.args(["tail", "--no-reconnect", "--config"]).arg(&config);
    });
    assert_eq!(output.await.status.code(), Some(0));
    let text = read(&log);
    has(&text, "stream broken");
    assert!(!text.contains(" INFO "), "{text}");

    // A file that cannot be had is said, and nothing is done without it.
    let n_requests = server.requests().len();
    let output = run(&server.url, |it| {
        it.args(["tail", "--no-reconnect", "--log"])
            .arg(folder.path());
    });
    let output = output.await;
    assert_eq!(output.status.code(), Some(2));
    has(
        &String::from_utf8(output.stderr).unwrap(),
        "it is no plain file",
    );
    assert_eq!(server.requests().len(), n_requests);
}

#[test]
fn the_dashboard_logs_its_link_and_how_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let arguments = ["demo", "--log", path.to_str().unwrap()];
    let mut pty = Pty::start(&arguments, &[("REELTOP_SERVE_KEY", KEY)], 120, 36);
    pty.sees("● live");
    pty.signal("TERM");
    assert!(!pty.end().success());
    pty.assert_restored();
    let log = read(&path);
    for words in [
        "link: connecting",
        "stream open (connection 1)",
        "link: catching up",
        "comparison: converged",
        "link: live",
        "abilities",
        "ended by signal 15",
    ] {
        has(&log, words);
    }
    assert!(!log.contains(KEY), "{log}");

    let mut pty = Pty::start(&arguments, &[("REELTOP_TEST_PANIC", "1")], 120, 36);
    assert_eq!(pty.end().exit_code(), 1);
    has(&read(&path), "panicked at src/cli/dashboard.rs");
}
