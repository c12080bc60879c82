//! Limits that the configuration sets hold in memory, and numbers that are of no use are refused.

use std::path::Path;
use std::process::{Command, Stdio};

use reeltop::app::keymap::Keymap;
use reeltop::app::{Msg, Session, State, update};
use reeltop::domain::{ChangeKind, MessageId};
use reeltop::io::config::File;

use crate::support::{PAYLOAD, attempt, before, change, event, message, picture, seen, task_id};

const SMALL: &str = "[limits]\ntasks = 64\nevents = 50\nevent_ids = 40\nmessages = 30\n\
                     endpoints = 20\nasset_names = 16\n";

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
    let gone = format!("{} let go", history.tasks.evicted());
    update(&mut state, Msg::Key(crate::support::key("5")));
    let shown = picture(&mut state, 120, 80);
    assert!(shown.contains(&gone), "{shown}");
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
