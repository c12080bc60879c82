//! A program that prints a key, and signals while it runs and after.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::scripted::{Reply, Scripted, stream};
use crate::server::support::PATIENCE;

const TERM: i32 = 15;

/// A profile `p` of this server, whose key a script prints.
fn profile(folder: &TempDir, url: &str, script: &str) -> String {
    let path = folder.path().join("config.toml");
    let text =
        format!("[profiles.p]\nurl = \"{url}\"\nkey_command = [\"sh\", \"-c\", '''{script}''']\n");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn reeltop(arguments: &[&str], config: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", "/nonexistent")
        .args(arguments)
        .args(["--profile", "p", "--config", config])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

fn terminate(child: &Child) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(sent.unwrap().success());
}

/// Waits until it holds.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}

/// A zombie is one that ended, and nobody took note of yet.
fn lives(id: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn sigterm_ends_the_program_that_prints_a_key_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let ids = folder.path().join("ids");
    let script = format!(
        "sleep 60 & echo \"$$\n$!\" > {0}.part; mv {0}.part {0}; wait",
        ids.display()
    );
    let config = profile(&folder, "http://127.0.0.1:9", &script);
    for command in [&["tasks"][..], &["listen", "--register"]] {
        let mut child = reeltop(command, &config).spawn().unwrap();
        until("it began", || ids.exists());
        terminate(&child);
        assert_eq!(child.wait().unwrap().signal(), Some(TERM), "{command:?}");
        let started = lines(&ids);
        assert_eq!(started.len(), 2);
        until("they ended", || !started.iter().any(|id| lives(id)));
        std::fs::remove_file(&ids).unwrap();
    }
}

/// Nothing that was heard meanwhile is left to swallow it.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_a_command_whose_key_a_program_printed() {
    let server = Scripted::start(|_, _| Reply::Hold(stream(": hello\n\n"))).await;
    let folder = tempfile::tempdir().unwrap();
    let config = profile(&folder, &server.url, "echo sk_test");
    let mut command = reeltop(&["tail", "--events-path", "/events"], &config);
    let ended = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        until("it asked", || !server.requests().is_empty());
        terminate(&child);
        child.wait().unwrap()
    });
    assert_eq!(ended.await.unwrap().signal(), Some(TERM));
}
