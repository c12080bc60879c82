//! Limits that the configuration sets hold in memory, and numbers that are of no use are refused.

use std::path::Path;
use std::process::{Command, Stdio};

use reeltop::app::keymap::Keymap;
use reeltop::app::{Msg, Session, State, update};
use reeltop::domain::{AssetId, Bound, ChangeKind, MessageId};
use reeltop::io::config::File;

use crate::scripted::{Reply, Scripted, answer, stream};
use crate::support::{
    PAYLOAD, attempt, before, change, endpoint, event, message, picture, seen, task_id, uuid,
};

const SMALL: &str = "[limits]\ntasks = 64\nevents = 50\nevent_ids = 40\nmessages = 30\n\
                     endpoints = 20\nasset_names = 16\n";

fn asset_id(n: usize) -> AssetId {
    AssetId::new(&uuid(0xc4, n))
}

fn small() -> State {
    let limits = File::parse(SMALL, Path::new("config.toml")).unwrap().limits;
    let session = Session {
        bounds: limits.bounds(),
        ..Session::default()
    };
    let mut state = State::new(session, Keymap::embedded().unwrap());
    update(&mut state, Msg::Tick(before(0)));
    state
}

#[test]
fn the_oldest_finished_leave_memory_and_the_running_and_failing_stay() {
    let mut state = small();
    let mut changes = Vec::new();
    for n in 0..20 {
        changes.push(change(
            9000,
            ChangeKind::Task(seen(n, 9000, 9000, &[("visual", "processing")])),
        ));
        let id = format!("msg_old_{n}");
        changes.push(message(&id, n, "task.failed", n, 9000, PAYLOAD));
        changes.push(attempt(
            &format!("a{n}"),
            &id,
            "ep",
            9000,
            (500, "no"),
            false,
        ));
    }
    for n in 100..1100 {
        let ago = 2000 - n as i64;
        let finished = seen(n, ago, ago, &[("visual", "completed")]);
        changes.push(event(n, "task.completed", finished, "x.mp4", ago));
        let id = format!("msg_{n}");
        changes.push(message(&id, n, "task.completed", n, ago, PAYLOAD));
        let (by, at) = (format!("b{n}"), format!("ep_{n}"));
        changes.push(attempt(&by, &id, &at, ago, (204, ""), false));
    }
    update(&mut state, Msg::Changed(changes));
    let history = &state.history;
    assert!(history.tasks.len() <= 64 && history.deliveries.len() <= 30);
    assert_eq!((history.events.len(), history.endpoints.len()), (50, 20));
    for n in 0..20 {
        assert!(history.tasks.get(&task_id(n)).is_some(), "{n}");
        let id = MessageId::new(&format!("msg_old_{n}"));
        assert!(history.deliveries.get(&id).is_some(), "{n}");
    }
    assert!(history.tasks.get(&task_id(1099)).is_some());
    assert!(history.tasks.get(&task_id(100)).is_none());
    let told = history.tasks.len() as u64 + history.tasks.evicted();
    assert_eq!(told, 1020);
    let let_go = (
        history.tasks.n_let_go(),
        history.losses.by(Bound::Tasks).n,
        history.losses.by(Bound::Endpoints).n,
    );
    assert_eq!(let_go.0, history.tasks.evicted());
    // A list that is read again and again brings the same ones again.
    for _ in 0..3 {
        let tasks = (100..1100).map(|n| seen(n, 9000, 9000, &[("visual", "completed")]));
        let again = tasks.map(|seen| change(0, ChangeKind::Task(seen)));
        let endpoints = (100..1100).map(|n| endpoint(&format!("ep_{n}"), "x", "http://x", false));
        update(&mut state, Msg::Changed(again.chain(endpoints).collect()));
    }
    let history = &state.history;
    let still = (
        history.tasks.n_let_go(),
        history.losses.by(Bound::Tasks).n,
        history.losses.by(Bound::Endpoints).n,
    );
    assert!(history.tasks.evicted() > 3000, "they left again each time");
    assert!(
        still.0 <= 1000 && still.0 == still.1,
        "{let_go:?} {still:?}"
    );
    assert_eq!(still.2, let_go.2, "{let_go:?} {still:?}");
    let gone = format!("{} let go", history.tasks.n_let_go());
    update(&mut state, Msg::Key(crate::support::key("5")));
    let shown = picture(&mut state, 120, 80);
    assert!(shown.contains(&gone), "{shown}");
}

#[test]
fn ids_beyond_the_horizon_come_anew_and_names_beyond_theirs_leave() {
    let mut state = small();
    let told = |n: usize| {
        let name = format!("{n}.mp4");
        event(
            n,
            "task.progress",
            seen(n, 90, 90, &[("visual", "processing")]),
            &name,
            90,
        )
    };
    update(&mut state, Msg::Changed((0..45).map(told).collect()));
    assert_eq!(state.history.events.len(), 45);
    // The last 40 ids are known when they come again; those before are not.
    update(&mut state, Msg::Changed((5..45).map(told).collect()));
    assert_eq!(state.history.events.len(), 45);
    update(&mut state, Msg::Changed(vec![told(0)]));
    assert_eq!(state.history.events.len(), 46);

    let is_named = |n: usize| state.history.asset_name(&asset_id(n)).is_some();
    let n_named = (0..45).filter(|n| is_named(*n)).count();
    assert!((1..=16).contains(&n_named), "{n_named}");
    let dropped = state.history.losses.by(Bound::AssetNames).n;
    assert!(dropped >= 29, "{dropped}");
}

/// A server of which each path goes beyond one limit.
fn beyond(head: &str) -> Reply {
    let json = |body: &str| answer("200 OK", "content-type: application/json\r\n", body);
    let row = |id: &str, more: &str| {
        format!(
            r#"{{"id":"{id}","asset_id":"a","features":{{}},"user_id":"u","created":"2026-11-22T14:00:00Z","updated":"2026-11-22T14:00:00Z","more":{more}}}"#
        )
    };
    let path = head.split(' ').nth(1).unwrap_or_default();
    match path {
        "/event" => Reply::Close(stream(&format!("data: \"{}\"\n\n", "x".repeat(5000)))),
        "/line" => Reply::Close(stream(&format!("data: {}", "x".repeat(500_000)))),
        "/tasks/body" => json(&row("body", &format!("\"{}\"", "x".repeat(5000)))),
        "/tasks/headers" => answer("200 OK", &format!("x: {}\r\n", "y".repeat(5000)), "{}"),
        "/tasks/deep" => json(&row(
            "deep",
            &format!("{}{}", "[".repeat(20), "]".repeat(20)),
        )),
        "/tasks/wide" => json(&row("wide", &format!("[0{}]", ",0".repeat(2000)))),
        "/tasks/active" => json(&format!(
            "[{},{},{}]",
            row("a", "1"),
            row("b", "1"),
            row("c", "1")
        )),
        other => {
            let n = other.trim_start_matches("/tasks/redirect");
            let n: usize = n.parse().unwrap_or(0);
            answer(
                "307 x",
                &format!("location: /tasks/redirect{}\r\n", n + 1),
                "",
            )
        }
    }
}

/// Each key of `[limits]`: a value, a command that goes beyond it, and what is said then. What is
/// held in memory is tried above.
const LIMITS: [(&str, &str, &str, &str); 14] = [
    (
        "event_bytes",
        "1024",
        "tail --events-path /event --no-reconnect",
        "limits.event_bytes",
    ),
    (
        "line_bytes",
        "100000\nevent_bytes = 50000",
        "tail --events-path /line --no-reconnect",
        "limits.line_bytes",
    ),
    (
        "rest_body_bytes",
        "1024",
        "tasks body",
        "limits.rest_body_bytes",
    ),
    (
        "header_bytes",
        "1024",
        "tasks headers",
        "limits.header_bytes",
    ),
    ("redirects", "2", "tasks redirect0", "more than 2 times"),
    ("list_rows", "2", "tasks", "limits.list_rows"),
    ("json_depth", "10", "tasks deep", "limits.json_depth"),
    ("json_values", "1000", "tasks wide", "limits.json_values"),
    ("tasks", "64", "", ""),
    ("events", "50", "", ""),
    ("event_ids", "40", "", ""),
    ("messages", "30", "", ""),
    ("endpoints", "20", "", ""),
    ("asset_names", "16", "", ""),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_of_the_configuration_has_an_effect() {
    let documented = include_str!("../../assets/config.toml");
    let (_, documented) = documented.split_once("[limits]").unwrap();
    let keys: Vec<&str> = (documented.lines().skip(1))
        .take_while(|line| !line.starts_with('['))
        .map(|line| line.trim_start_matches("# "))
        .filter_map(|line| line.split_once(" = ").map(|(key, _)| key.trim_end()))
        .collect();
    assert_eq!(keys, LIMITS.map(|(key, ..)| key), "a key without a test");

    let server = Scripted::start(|_, head| beyond(head)).await;
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    for (key, value, command, words) in LIMITS {
        if command.is_empty() {
            assert!(SMALL.contains(&format!("{key} = {value}\n")), "{key}");
            continue;
        }
        for is_limited in [true, false] {
            let text = if is_limited {
                format!("[limits]\n{key} = {value}\n")
            } else {
                String::new()
            };
            std::fs::write(&config, text).unwrap();
            let mut process = Command::new(env!("CARGO_BIN_EXE_reeltop"));
            process
                .env_clear()
                .env("HOME", home.path())
                .env("ASPECT_BASE_URL", &server.url)
                .env("ASPECT_API_KEY", "sk_test")
                .args(command.split(' '))
                .arg("--config")
                .arg(&config)
                .stdin(Stdio::null());
            let output = tokio::task::spawn_blocking(move || process.output().unwrap());
            let said = String::from_utf8(output.await.unwrap().stderr).unwrap();
            assert_eq!(said.contains(words), is_limited, "{key}: {said}");
        }
    }
}

#[test]
fn numbers_that_are_of_no_use_are_refused_in_a_sentence() {
    let huge = "9".repeat(40);
    let strange = ["nan", "inf", "-inf", "-1", "1e300", "x", "", "0x10", &huge];
    let mut asked: Vec<(&[&str], &str)> = Vec::new();
    for number in strange {
        for flag in [
            &["tasks", "--max-event-bytes"][..],
            &["serve", "--simulate"],
            &["serve", "--time-scale"],
            &["serve", "--seed"],
            &["demo", "--rate"],
            &["demo", "--seed"],
            &["tail", "--limit"],
            &["messages", "--limit"],
            &["attempts", "--limit"],
            &["replay", "m", "--wait"],
        ] {
            asked.push((flag, number));
        }
    }
    for (flag, number) in [
        (&["tasks", "--max-event-bytes"][..], "0"),
        (&["tasks", "--max-event-bytes"], "15"),
        (&["tasks", "--max-event-bytes"], "1073741825"),
        (&["serve", "--time-scale"], "0"),
        (&["serve", "--time-scale"], "1000001"),
        (&["serve", "--simulate"], "1000001"),
        (&["replay", "m", "--wait"], "25h"),
        (&["replay", "m", "--wait"], "1.2.3s"),
    ] {
        asked.push((flag, number));
    }
    for (flag, number) in asked {
        let (name, before) = flag.split_last().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_reeltop"))
            .env_clear()
            .env("HOME", "/nonexistent")
            .args(before)
            .arg(format!("{name}={number}"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}={number}: {said}");
        assert!(output.stdout.is_empty());
        let lines = said.lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= 2 && said.contains(name), "{name}={number}: {said}");
    }
}
