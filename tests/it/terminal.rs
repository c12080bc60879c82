//! The whole trip in a real terminal: start, drill in, replay, quit; and the terminal as it was.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use portable_pty::{PtySize, native_pty_system};
use serde_json::Value;

use crate::pty::Pty;

const KEY: &str = "sk_test_of_the_terminal";

/// A GET by hand, so that what the screen shows is compared with an answer that no code of ours read.
fn get(host: &str, path: &str) -> Value {
    let mut connection = TcpStream::connect(host).unwrap();
    write!(
        connection,
        "GET {path} HTTP/1.0\r\nhost: {host}\r\nauthorization: Bearer {KEY}\r\n\r\n"
    )
    .unwrap();
    let mut answer = BufReader::new(connection);
    let mut line = String::new();
    while answer.read_line(&mut line).unwrap() > 2 {
        line.clear();
    }
    let mut body = String::new();
    answer.read_to_string(&mut body).unwrap();
    serde_json::from_str(&body).unwrap()
}

/// `host:port` of the demo's server, as the screen says it.
fn host_on(screen: &str) -> Option<String> {
    let at = screen.find("127.0.0.1:")?;
    let end = screen[at..].find(|c: char| !(c.is_ascii_digit() || ".:".contains(c)));
    Some(
        screen[at..]
            .split_at(end.unwrap_or(screen.len() - at))
            .0
            .to_owned(),
    )
}

fn demo() -> Pty {
    Pty::start(
        &["demo", "--rate", "60"],
        &[("REELTOP_SERVE_KEY", KEY)],
        120,
        36,
    )
}

/// Waits for the Health screen to name the server, and goes back to the tasks.
fn find_host(pty: &mut Pty) -> String {
    pty.sees("DEMO");
    pty.keys("5");
    let screen = pty.wait("the server's address", |screen| host_on(screen).is_some());
    pty.keys("1");
    host_on(&screen).unwrap()
}

#[test]
fn the_screen_shows_what_the_server_says_of_a_task() {
    let mut pty = demo();
    let host = find_host(&mut pty);
    let mut task = Value::Null;
    pty.wait("a failed task at the server", |_| {
        let active = get(&host, "/tasks/active");
        let failed = active.as_array().unwrap().iter().find(|task| {
            let states: Vec<&str> = task["features"]
                .as_object()
                .unwrap()
                .values()
                .map(|info| info["state"].as_str().unwrap())
                .collect();
            states.contains(&"failed")
                && !states.contains(&"queued")
                && !states.contains(&"processing")
        });
        task = failed.cloned().unwrap_or_default();
        !task.is_null()
    });
    let id = task["id"].as_str().unwrap();
    pty.keys(&format!("/{id}\r"));
    pty.wait("one task in the list", |screen| screen.contains("1 of "));
    pty.keys("\r");
    let screen = pty.wait("the task's features", |screen| screen.contains("FEATURE"));
    for (feature, info) in get(&host, &format!("/tasks/{id}"))["features"]
        .as_object()
        .unwrap()
    {
        let state = info["state"].as_str().unwrap();
        let row = screen
            .lines()
            .find(|line| line.contains(feature))
            .unwrap_or_else(|| panic!("no {feature} in\n{screen}"));
        assert!(
            row.contains(state),
            "{feature} is {state}, the screen says {row}"
        );
    }
    pty.keys("q");
    assert_eq!(pty.end().exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn a_failed_delivery_is_drilled_into_and_replayed_once() {
    let mut pty = demo();
    let host = find_host(&mut pty);
    pty.keys("3");
    pty.keys("/endpoint:billing failed\r");
    pty.wait("a failed delivery to billing", |screen| {
        screen.contains("billing 500")
    });
    pty.keys("\r");
    pty.sees("Why:");
    pty.keys("r");
    pty.sees("SEND");
    let endpoints = get(&host, "/webhooks/endpoints");
    let billing = endpoints["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["description"].as_str().unwrap().starts_with("billing"))
        .unwrap();
    let path = format!(
        "/webhooks/delivery-attempts?endpoint_id={}&limit=250",
        billing["id"].as_str().unwrap()
    );
    let manual = |rows: &Value| {
        rows["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["trigger_type"] == 1)
            .count()
    };
    assert_eq!(manual(&get(&host, &path)), 0);
    pty.keys("\r");
    pty.sees("failed again");
    assert_eq!(
        manual(&get(&host, &path)),
        1,
        "one manual attempt, and no second one"
    );
    pty.escape();
    pty.wait("the plan closed", |screen| !screen.contains("Esc closes"));
    // Another endpoint's replay may still be under way, and then q would ask first.
    pty.keys("\x03");
    assert_eq!(pty.end().exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn every_signal_leaves_the_terminal_as_it_was() {
    for signal in ["TERM", "HUP", "INT", "QUIT"] {
        let mut pty = demo();
        pty.sees("DEMO");
        assert!(pty.is_alternate_screen());
        assert_ne!(pty.settings(), pty.before);
        pty.signal(signal);
        let status = pty.end();
        assert!(!status.success(), "{signal}: the parent sees the cause");
        assert!(status.signal().is_some(), "{signal}: {status:?}");
        pty.assert_restored();
    }
}

/// A program in a terminal that is nobody's controlling terminal, so that no signal tells of its
/// end: reading and writing fail, and nothing else happens.
#[test]
fn a_terminal_that_vanishes_without_a_signal_ends_the_program() {
    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    let path = pair.master.tty_name().unwrap();
    let side = || {
        let file = File::options().read(true).write(true).open(&path);
        Stdio::from(file.unwrap())
    };
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_reeltop"))
        .arg("demo")
        .env_clear()
        .env("HOME", home.path())
        .env("TERM", "xterm-256color")
        .env("LC_ALL", "C.UTF-8")
        .stdin(side())
        .stdout(side())
        .stderr(side())
        .spawn()
        .unwrap();
    let mut screen = Vec::new();
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut chunk = [0; 4096];
    while !String::from_utf8_lossy(&screen).contains("DEMO") {
        let n_bytes = reader.read(&mut chunk).unwrap();
        screen.extend_from_slice(&chunk[..n_bytes]);
    }
    drop((reader, pair));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > Duration::from_secs(10) {
            child.kill().unwrap();
            panic!("goes on without a terminal");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    // The demo's server takes a moment to stop; the machine may be busy with other tests.
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        status.code(),
        Some(0),
        "nothing went wrong but the terminal"
    );
}

#[test]
fn a_panic_in_another_thread_ends_the_program_and_gives_the_terminal_back() {
    let mut pty = Pty::start(&["demo"], &[("REELTOP_TEST_PANIC", "1")], 120, 36);
    assert_eq!(pty.end().exit_code(), 1);
    pty.assert_restored();
    let screen = pty.sees("asked for by a test");
    assert!(screen.contains("panicked"), "{screen}");
}

#[test]
fn control_c_quits_with_nothing_wrong() {
    let mut pty = demo();
    pty.sees("DEMO");
    pty.keys("\x03");
    assert_eq!(pty.end().exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn control_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let mut pty = demo();
    pty.sees("processing");
    let raw = pty.settings();
    pty.keys("\x1a");
    pty.wait_process_state("T");
    pty.assert_restored();
    pty.resize(100, 30);
    pty.signal("CONT");
    pty.wait_process_state("SR");
    pty.wait("the screen again", |screen| {
        screen.contains("DEMO") && screen.contains("Health")
    });
    assert!(pty.is_alternate_screen());
    assert_eq!(pty.settings(), raw);
    pty.keys("q");
    assert_eq!(pty.end().exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn any_size_will_do() {
    let mut pty = demo();
    pty.sees("DEMO");
    for (columns, rows) in [(20, 5), (40, 10), (80, 24), (300, 100), (1, 1), (120, 36)] {
        pty.resize(columns, rows);
    }
    pty.wait("the screen at its last size", |screen| {
        screen.lines().count() > 30 && screen.contains("DEMO")
    });
    pty.keys("q");
    assert_eq!(pty.end().exit_code(), 0);
    pty.assert_restored();
}
