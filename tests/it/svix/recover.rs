//! `reeltop replay --recover`: one request for all that failed, each of them in the ledger and
//! followed.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::{APP, attempts, publish, svix_of, svix_server};
use crate::server::support::{Receiver, answer, create_endpoint};

/// Runs `reeltop replay` on the server; its exit code, its lines, and what it said.
async fn replay(url: &str, key: &str, arguments: &[&str]) -> (i32, Vec<String>, String) {
    let state = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("SVIX_TOKEN", key)
        .env("HOME", "/nonexistent")
        .env("XDG_STATE_HOME", state.path())
        .arg("replay")
        .args(arguments)
        .args(["--svix-url", url, "--svix-app", APP])
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    (
        output.status.code().unwrap_or(-1),
        lines.lines().map(str::to_owned).collect(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_recovered_once_and_each_is_followed() {
    let server = svix_server().await;
    let receiver = Receiver::start(|number| {
        let status = if number < 3 { 500 } else { 204 };
        (Duration::ZERO, answer(status, ""))
    })
    .await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    for message in publish(&server, &svix, 3).await {
        attempts(&svix, &message, 1).await;
    }
    for _ in 0..3 {
        receiver.next().await;
    }
    let (url, key) = (server.url(), server.api_key());
    let recover = |more: &'static [&'static str]| {
        let mut all = vec!["--recover", "--endpoint", endpoint.id.as_str()];
        all.extend(more);
        all
    };
    let (code, lines, said) = replay(&url, key, &recover(&["--since", "1h", "--dry-run"])).await;
    assert_eq!(code, 0, "{lines:?} {said}");
    assert!(lines[1].contains("3 are known to have failed"), "{lines:?}");
    let (code, _, said) = replay(&url, key, &recover(&["--since", "15d", "--yes"])).await;
    assert!(code == 2 && said.contains("14 days"), "{code} {said}");
    assert!(receiver.is_quiet().await, "nothing was sent yet");

    let all = recover(&["--since", "1h", "--yes", "--json"]);
    let (code, lines, said) = replay(&url, key, &all).await;
    assert_eq!(code, 0, "{lines:?} {said}");
    let delivered = lines.iter().filter(|line| {
        line.contains("\"route\":\"recover\"") && line.contains("\"state\":\"delivered\"")
    });
    assert_eq!(delivered.count(), 3, "{lines:?}");
    for _ in 0..3 {
        receiver.next().await;
    }
    assert!(receiver.is_quiet().await, "each was posted once");
    let (code, _, said) = replay(&url, key, &all).await;
    assert!(
        code == 0 && said.contains("nothing to recover"),
        "{code} {said}"
    );
    server.stop().await;
}
