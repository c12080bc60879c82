//! The real binary on a terminal, with a server, a configuration and arguments that are all hostile:
//! every byte that reaches the terminal is looked at.

use std::io::Read;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::planted::{self, harm, hostile_texts};
use crate::pty::Pty;
use crate::scripted::{Reply, Scripted, answer, stream};
use crate::server::support::PATIENCE;

/// Every byte that a command writes to a terminal that is its stdin, stdout and stderr.
fn bytes_of(url: &str, arguments: &[String]) -> Vec<u8> {
    let size = PtySize {
        rows: 50,
        cols: 200,
        pixel_width: 0,
        pixel_height: 0,
    };
    let pair = native_pty_system().openpty(size).unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_reeltop"));
    command.args(arguments);
    command.env_clear();
    command.cwd(home.path());
    for (name, value) in [
        ("HOME", home.path().to_str().unwrap()),
        ("TERM", "xterm-256color"),
        ("LC_ALL", "C.UTF-8"),
        ("ASPECT_API_KEY", "sk_test"),
        ("ASPECT_BASE_URL", url),
    ] {
        command.env(name, value);
    }
    let mut child = pair.slave.spawn_command(command).unwrap();
    // Once the program has ended, nobody holds the other side, and reading ends too.
    drop(pair.slave);
    let mut killer = child.clone_killer();
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let outcome = is_done.recv_timeout(PATIENCE);
        if outcome == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            killer.kill().unwrap();
        }
        outcome
    });
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(n_bytes @ 1..) = reader.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..n_bytes]);
    }
    child.wait().unwrap();
    drop(done);
    let outcome = watch.join().unwrap();
    let is_over = outcome == Err(std::sync::mpsc::RecvTimeoutError::Disconnected);
    assert!(is_over, "{arguments:?} does not end");
    bytes
}

/// What is harmful in bytes that were written to a terminal: all but text, line ends and the
/// sequences in `finals`, which begin with `ESC [`.
fn harm_of(bytes: &[u8], finals: &str) -> Option<String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Some("bytes that are no UTF-8".to_owned());
    };
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, sequence)) = rest.split_once('\x1b') {
        plain.push_str(before);
        let excerpt = || format!("{:?}", sequence.chars().take(20).collect::<String>());
        let Some(body) = sequence.strip_prefix('[') else {
            return Some(excerpt());
        };
        let Some(end) = body.find(|c: char| !c.is_ascii_digit() && !";?".contains(c)) else {
            return Some(excerpt());
        };
        if !finals.contains(&body[end..=end]) {
            return Some(excerpt());
        }
        rest = &body[end + 1..];
    }
    plain.push_str(rest);
    plain.lines().find_map(harm)
}

async fn assert_harmless(url: &str, arguments: Vec<String>) -> String {
    let (url, given) = (url.to_owned(), arguments.clone());
    let bytes = tokio::task::spawn_blocking(move || bytes_of(&url, &given))
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&bytes).into_owned();
    if let Some(what) = harm_of(&bytes, "m") {
        panic!("{arguments:?}: {what}\n{said:?}");
    }
    assert!(!said.trim().is_empty(), "{arguments:?} said nothing");
    said
}

/// Arguments, separated by spaces.
fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_writes_to_a_terminal_what_acts_or_deceives() {
    let texts = hostile_texts();
    let n_texts = texts.len();
    let first = texts[0].clone();
    let server = Scripted::start(move |_, head| planted::api(&texts, head)).await;
    for (command, least) in [
        ("tasks --utc", n_texts),
        ("tasks --json", n_texts),
        ("messages --utc --limit 100", n_texts),
        ("messages --json --limit 100", n_texts),
        ("attempts --limit 100", n_texts),
        ("attempts --json --limit 100", n_texts),
        ("endpoints", n_texts),
        ("endpoints --json", n_texts),
        ("tail --utc --no-reconnect", 2 * n_texts),
        ("tail --json --no-reconnect", 2 * n_texts),
        ("tail --frames --no-reconnect", 3 * n_texts),
        ("tail --no-reconnect !completed", n_texts),
    ] {
        let said = assert_harmless(&server.url, words(command)).await;
        let n_lines = said.lines().count();
        assert!(n_lines >= least, "{command}: {n_lines} lines");
    }
    for form in ["replay --dry-run", "replay --dry-run --json"] {
        let mut arguments = words(form);
        arguments.push(format!("m0{first}"));
        assert_harmless(&server.url, arguments).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_refusal_writes_to_a_terminal_what_acts_or_deceives() {
    let texts = hostile_texts();
    for (n, text) in texts.into_iter().enumerate() {
        let line: String = text.chars().filter(|c| !"\r\n\0".contains(*c)).collect();
        let detail = serde_json::json!({"detail": text}).to_string();
        let server = Scripted::start(move |_, _| match n % 6 {
            0 => answer("500 x", "", &text),
            1 => answer("404 x", "", &detail),
            2 => answer(
                "307 x",
                &format!("location: http://x.example/{line}\r\n"),
                "",
            ),
            3 => answer("200 OK", &format!("content-type: {line}\r\n"), &text),
            4 => Reply::Close(format!("HTTP/1.1 {text} 200\r\n\r\n").into_bytes()),
            _ => answer(
                "422 x",
                "",
                &serde_json::json!({"detail": [{"loc": [text], "msg": text}]}).to_string(),
            ),
        })
        .await;
        for command in ["tasks", "tail --no-reconnect"] {
            assert_harmless(&server.url, words(command)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_complaint_about_arguments_or_configuration_writes_what_acts_or_deceives() {
    let server =
        Scripted::start(|_, _| answer("404 x", "", r#"{"detail":"Task not found"}"#)).await;
    let folder = tempfile::tempdir().unwrap();
    // A few at a time, as what is said of them may be cut.
    for (n, few) in hostile_texts().chunks(4).enumerate() {
        let text: String = few.concat().replace('\0', "");
        let config = folder.path().join(format!("{n}.toml"));
        let quoted = serde_json::to_string(&text).unwrap();
        std::fs::write(
            &config,
            format!("profile = {quoted}\n[profiles.{quoted}]\nurl = 7\n"),
        )
        .unwrap();
        let named = config.to_str().unwrap().to_owned();
        let with = |before: &str, last: &str| {
            let mut arguments = words(before);
            arguments.push(last.to_owned());
            arguments
        };
        for arguments in [
            with("tasks", &text),
            with("tasks --config", &named),
            with("tasks --profile", &text),
            with("tasks --url", &text),
            with("tasks --url", &format!("https://u:{text}@h")),
            with("tasks --config", &text),
            with("tasks --ca-file", &text),
            with("tasks --query", &format!("state:{text}")),
            with("tasks --max-event-bytes", &text),
            with("tail --events-path", &text),
            with("tail --last-event-id", &text),
            with("replay m --wait", &text),
            with("serve --addr", &text),
            with("completions", &text),
            with("replay --endpoint", &text),
            vec![text.clone()],
            vec![format!("--{text}")],
        ] {
            assert_harmless(&server.url, arguments).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_writes_only_its_own_sequences() {
    let texts = hostile_texts();
    let server = Scripted::start(move |_, head| {
        if head.starts_with("get /events ") {
            Reply::Hold(stream(&planted::frames(&texts)))
        } else {
            planted::api(&texts, head)
        }
    })
    .await;
    let url = server.url.clone();
    let bytes = tokio::task::spawn_blocking(move || {
        let environment = [("ASPECT_API_KEY", "sk_test"), ("ASPECT_BASE_URL", &*url)];
        let mut pty = Pty::start(&[], &environment, 120, 40);
        pty.sees("processing ␛");
        for (keys, seen) in [
            ("\r", "EVENTS"),
            ("\x1b", "LAST CHANGE"),
            ("2", "WHEN"),
            // A gap may stand first.
            ("jj\r", "Events ›"),
            ("3", "NEXT"),
            ("\r", "Deliveries ›"),
            ("4", "LAST ATTEMPT"),
            ("\r", "Endpoints ›"),
            ("5", "IN MEMORY"),
            ("?", "quit"),
        ] {
            pty.keys(keys);
            pty.sees(seen);
        }
        // Whatever is drawn meanwhile: a key that comes too soon would belong to Esc.
        pty.keys("\x1b");
        pty.wait("the help is closed", |screen| {
            !screen.contains("never quits")
        });
        pty.keys("q");
        pty.end();
        pty.bytes()
    })
    .await
    .unwrap();
    assert!(bytes.len() > 10_000, "{}", bytes.len());
    if let Some(what) = harm_of(&bytes, "mHhlJKABCD") {
        panic!("{what}");
    }
}
