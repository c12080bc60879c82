//! The program itself: killed, ended, started twice, on a full disk; and what the headless commands
//! read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reeltop::domain::{ChangeKind, Origin, Time};
use reeltop::server::{FeatureState, Options, Running};

use super::{records, until_records};
use crate::pty::Pty;
use crate::scripted::Gate;
use crate::server::support::start;

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time(i64::try_from(since.as_micros()).unwrap())
}

struct Home {
    folder: tempfile::TempDir,
    url: String,
    key: String,
}

impl Home {
    fn new(server: &Running, url: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            url: url.to_owned(),
            key: server.api_key().to_owned(),
        }
    }

    fn environment(&self) -> [(&str, &str); 3] {
        [
            ("ASPECT_BASE_URL", &self.url),
            ("ASPECT_API_KEY", &self.key),
            ("XDG_STATE_HOME", self.folder.path().to_str().unwrap()),
        ]
    }

    fn dashboard(&self) -> Pty {
        Pty::start(&[], &self.environment(), 120, 60)
    }

    /// The one journal there is, once it is there.
    async fn file(&self) -> PathBuf {
        let folder = self.folder.path().join("reeltop");
        crate::server::support::eventually("a journal", || async {
            let entries = fs::read_dir(&folder).ok()?;
            entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .find(|path| path.extension().is_some_and(|ending| ending == "db"))
        })
        .await
    }

    async fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
        command.env_clear().env("HOME", "/nonexistent").args(args);
        command.envs(self.environment()).stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

fn events_in(file: &Path) -> Vec<Time> {
    records(file)
        .iter()
        .filter(|record| {
            record.origin == Origin::Stream && matches!(record.kind, ChangeKind::Event(_))
        })
        .map(|record| record.received)
        .collect()
}

/// Makes a task, and so an event, every few milliseconds until the time is over; gives their number.
async fn happen(server: &Running, time: Duration) -> usize {
    let end = std::time::Instant::now() + time;
    let mut n = 0;
    while std::time::Instant::now() < end {
        server.backend().create_task("busy", &["proxy"]).unwrap();
        n += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    n
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_at_most_the_last_second() {
    let server = start(Options::default()).await;
    let home = Home::new(&server, &server.url());
    let mut dashboard = home.dashboard();
    dashboard.sees("● live");
    happen(&server, Duration::from_secs(3)).await;
    dashboard.signal("KILL");
    let killed = now();
    dashboard.end();
    let file = home.file().await;
    let newest = *events_in(&file).last().expect("events were recorded");
    let lost = killed.since(newest);
    assert!(lost < 1_000_000, "{lost} us before the kill are lost");
    // It opens cleanly, and shows what it holds.
    let again = home.dashboard();
    again.sees("● live");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quit_and_a_polite_signal_lose_nothing() {
    for way in ["q", "TERM"] {
        let server = start(Options::default()).await;
        let home = Home::new(&server, &server.url());
        let mut dashboard = home.dashboard();
        dashboard.sees("● live");
        let n = happen(&server, Duration::from_millis(300)).await;
        dashboard.keys("2");
        // All of it is on the screen, the last of it less than a moment ago.
        dashboard.wait("every event", |screen| {
            screen.contains(&format!(" {n} received"))
        });
        match way {
            "q" => dashboard.keys("q"),
            _ => dashboard.signal(way),
        }
        let status = dashboard.end();
        assert_eq!(status.success(), way == "q", "{status:?}");
        let file = home.file().await;
        assert_eq!(events_in(&file).len(), n, "{way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_tasks_are_on_the_screen_while_the_server_is_away() {
    let server = start(Options::default()).await;
    let gate = Gate::start(&server.url()).await;
    let home = Home::new(&server, &gate.url);
    server.backend().create_task("keynote", &["proxy"]).unwrap();
    let mut first = home.dashboard();
    first.sees("● live");
    first.wait("the task", |screen| screen.contains("Tasks 1"));
    first.keys("q");
    first.end();
    gate.shut();
    let mut second = home.dashboard();
    second.wait("the task", |screen| {
        screen.contains("Tasks 1") && !screen.contains("● live")
    });
    second.keys("5");
    second.wait("the journal's state", |screen| {
        screen.contains("JOURNAL") && screen.contains("from earlier runs")
    });
    gate.open();
    second.keys("\x12");
    second.wait("the gap", |screen| {
        screen.contains("converged") && screen.contains(" · gap ") && screen.contains("● live")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_dashboard_says_that_it_does_not_record() {
    let server = start(Options::default()).await;
    let home = Home::new(&server, &server.url());
    let first = home.dashboard();
    first.sees("● live");
    until_records(&home.file().await, 1).await;
    let second = home.dashboard();
    second.sees("NOT RECORDING");
    assert!(!first.wait("the first", |_| true).contains("NOT RECORDING"));
    let (code, out, _) = home.run(&["config"]).await;
    assert_eq!(code, 0);
    assert!(
        out.contains("a reeltop that runs now is its recorder"),
        "{out}"
    );
    assert!(!out.contains(&home.key), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_more_and_a_folder_that_takes_nothing_are_said_and_stop_nothing() {
    let server = start(Options::default()).await;
    let home = Home::new(&server, &server.url());
    // No file may grow beyond 32 KiB.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$REELTOP\"";
    let full = Pty::shell(script, &home.environment(), 120, 36);
    full.sees("● live");
    let busy = happen(&server, Duration::from_secs(2)).await;
    full.sees("NOT RECORDING");
    assert!(busy > 10);
    assert!(!full.sees("● live").contains("Tasks 0"));
    drop(full);

    let home = Home::new(&server, &server.url());
    fs::write(home.folder.path().join("reeltop"), "in the way").unwrap();
    let mut blocked = home.dashboard();
    blocked.sees("● live");
    blocked.sees("NOT RECORDING");
    blocked.keys("q");
    assert!(blocked.end().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_journal_does_not_hold_is_said_by_tail_and_doctor() {
    let server = start(Options::default()).await;
    let home = Home::new(&server, &server.url());
    let mut before = home.dashboard();
    before.sees("● live");
    let task = server.backend().create_task("asset", &["proxy"]).unwrap();
    let file = home.file().await;
    until_records(&file, 1).await;
    before.keys("q");
    before.end();
    let step = |state| assert!(server.backend().set_feature(&task, "proxy", state));
    step(FeatureState::Processing);
    let mut after = home.dashboard();
    after.sees("converged");
    after.sees(" · gap ");
    after.keys("q");
    after.end();
    let n_before = events_in(&file).len();
    step(FeatureState::Completed);
    let limit = (n_before + 1).to_string();
    let arguments = ["tail", "--since", "10m", "--limit", &limit];
    let (code, out, words) = home.run(&arguments).await;
    assert_eq!((code, out.lines().count()), (0, n_before + 1), "{words}");
    let gaps = words.matches("nothing was received from ").count();
    assert_eq!(gaps, 1, "{words}");
    assert!(words.contains("the journal ends at "), "{words}");
    let (_, _, words) = home.run(&["tasks", "--offline"]).await;
    assert!(words.contains("where the journal ends"), "{words}");

    let (_, out, _) = home.run(&["doctor", "--wait", "0s"]).await;
    assert!(!out.contains("cannot be written"), "{out}");
    assert!(
        out.contains(" changes, ") && !out.contains("cannot be read"),
        "{out}"
    );
    let db = rusqlite::Connection::open(&file).unwrap();
    let newest = "(SELECT max(first) FROM block)";
    let damage = format!("UPDATE block SET typed = zeroblob(length(typed)) WHERE first = {newest}");
    assert_eq!(db.execute(&damage, []).unwrap(), 1);
    drop(db);
    let aside = format!("{}.corrupt-20260101T000000", file.display());
    fs::write(&aside, b"x").unwrap();
    let (_, out, _) = home.run(&["doctor", "--wait", "0s", "--json"]).await;
    let line: serde_json::Value = (out.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .find(|line: &serde_json::Value| line["check"] == "journal")
        .unwrap();
    let detail = line["detail"].as_str().unwrap();
    assert_eq!(line["state"], "warning", "{line}");
    assert!(
        detail.contains(" of the changes are in blocks that cannot be read"),
        "{line}"
    );
    assert!(detail.ends_with(".corrupt-20260101T000000"), "{line}");
    // What SQLite keeps beside the file finds no place there.
    for kept in ["-wal", "-shm"] {
        let path = PathBuf::from(format!("{}{kept}", file.display()));
        let _ = fs::remove_file(&path);
        fs::create_dir(&path).unwrap();
    }
    let (_, out, _) = home.run(&["doctor", "--wait", "0s"]).await;
    assert!(out.contains("it cannot be written"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_switched_off_leaves_no_file_and_the_demo_leaves_none_either() {
    let server = start(Options::default()).await;
    let home = Home::new(&server, &server.url());
    let mut off = Pty::start(&["--no-journal"], &home.environment(), 120, 36);
    off.sees("● live");
    off.keys("q");
    off.end();
    assert_eq!(fs::read_dir(home.folder.path()).unwrap().count(), 0);

    let folder = home.folder.path().to_str().unwrap();
    let environment = [("TMPDIR", folder), ("XDG_STATE_HOME", folder)];
    for way in ["q", "TERM"] {
        let mut demo = Pty::start(&["demo"], &environment, 120, 36);
        demo.sees("● live");
        let held = fs::read_dir(folder).unwrap().count();
        assert_eq!(held, 1, "the demo keeps its own journal");
        match way {
            "q" => demo.keys("q"),
            _ => demo.signal(way),
        }
        demo.end();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "{way}");
    }
}

/// Makes what lies in a folder seem made so long ago.
fn aged(folder: &Path, ago: Duration) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = fs::File::options().append(true).open(entry.unwrap().path());
        let then = SystemTime::now() - ago;
        file.unwrap().set_modified(then).unwrap();
    }
}

#[test]
fn what_a_killed_demo_leaves_the_next_one_removes() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().to_str().unwrap();
    let environment = [("TMPDIR", folder), ("XDG_STATE_HOME", folder)];
    let all = || -> BTreeSet<PathBuf> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let mut killed = Pty::start(&["demo"], &environment, 120, 36);
    killed.sees("● live");
    killed.signal("KILL");
    killed.end();
    let left = all();
    assert_eq!(left.len(), 1, "{left:?}");
    // Somebody else's: it has our name, and no lock that could tell.
    let other = place
        .path()
        .join(format!("reeltop-demo-{}", uuid::Uuid::new_v4()));
    fs::create_dir(&other).unwrap();
    fs::write(other.join("file"), "").unwrap();
    let alive = Pty::start(&["demo"], &environment, 120, 36);
    alive.sees("● live");
    let of_alive: Vec<PathBuf> = all()
        .into_iter()
        .filter(|it| !left.contains(it) && *it != other)
        .collect();
    for folder in all() {
        aged(&folder, Duration::from_mins(2));
    }
    let next = Pty::start(&["demo"], &environment, 120, 36);
    next.sees("● live");
    let end = Instant::now() + Duration::from_secs(20);
    while all().intersection(&left).next().is_some() {
        assert!(Instant::now() < end, "{left:?} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    let now = all();
    assert!(now.contains(&other), "{now:?}");
    assert_eq!(of_alive.len(), 1);
    assert!(
        now.contains(&of_alive[0]),
        "the folder of a demo that lives"
    );
    for mut demo in [alive, next] {
        demo.keys("q");
        demo.end();
    }
    assert_eq!(all().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lists_and_tail_read_the_journal_without_the_server() {
    let server = start(Options::default()).await;
    let home = Home::new(&server, &server.url());
    let (code, _, words) = home.run(&["tasks", "--offline"]).await;
    assert_eq!(code, 1);
    assert!(words.contains("no journal of this server yet"), "{words}");
    let receiver = crate::server::support::Receiver::always(500).await;
    crate::server::support::create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let mut dashboard = home.dashboard();
    dashboard.sees("● live");
    let task = server.backend().create_task("asset", &["proxy"]).unwrap();
    let file = home.file().await;
    let has_attempt = || async {
        let all = records(&file);
        let found = all
            .iter()
            .any(|record| matches!(record.kind, ChangeKind::Attempt(_)));
        found.then_some(())
    };
    crate::server::support::eventually("an attempt", has_attempt).await;
    dashboard.keys("q");
    dashboard.end();
    let (_, live, _) = home.run(&["tasks", "--json"]).await;
    let (_, messages, _) = home.run(&["messages", "--json"]).await;
    let n_before = events_in(&file).len();
    // One more, which the stream has and the journal has not.
    assert!(
        server
            .backend()
            .set_feature(&task, "proxy", FeatureState::Processing)
    );
    let limit = (n_before + 1).to_string();
    let (code, out, words) = home
        .run(&["tail", "--since", "10m", "--limit", &limit])
        .await;
    assert_eq!((code, out.lines().count()), (0, n_before + 1), "{words}");
    let ids: std::collections::BTreeSet<String> = (out.lines())
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["event_id"].to_string()
        })
        .collect();
    assert_eq!(ids.len(), n_before + 1, "none twice: {out}");
    server.stop().await;

    let (code, out, words) = home.run(&["tasks", "--offline", "--json"]).await;
    assert_eq!((code, &out), (0, &live), "{words}");
    let (_, out, _) = home.run(&["tasks", &task, "--offline", "--json"]).await;
    assert_eq!(out, live);
    let (code, out, _) = home.run(&["messages", "--offline", "--json"]).await;
    let id = |text: &str| {
        serde_json::from_str::<serde_json::Value>(text.lines().next().unwrap()).unwrap()["id"]
            .clone()
    };
    assert_eq!(code, 0);
    assert_eq!(id(&out), id(&messages));
    let (_, out, _) = home
        .run(&["attempts", "--offline", "--query", "fail"])
        .await;
    assert!(out.contains("500"), "{out}");
    let (_, out, _) = home.run(&["endpoints", "--offline", "--json"]).await;
    assert!(out.contains(&receiver.url), "{out}");
    for list in ["tasks", "messages"] {
        let unsent = [list, "--offline", "--query", "unsent"];
        let (code, _, words) = home.run(&unsent).await;
        assert_eq!(code, 2, "{words}");
        assert!(words.contains("which attempts were read"), "{words}");
    }
    let (code, ..) = home.run(&["tasks", "--offline", "--no-journal"]).await;
    assert_eq!(code, 2);
    a_newer_one_is_left_where_it_is(&home).await;
}

/// Nothing is wrong with a file of a newer reeltop.
async fn a_newer_one_is_left_where_it_is(home: &Home) {
    let file = home.file().await;
    let db = rusqlite::Connection::open(&file).unwrap();
    db.pragma_update(None, "user_version", 999).unwrap();
    drop(db);
    for arguments in [
        &["tasks", "--offline"][..],
        &["tail", "--since", "10m", "--limit", "1"],
        &["doctor", "--wait", "0s"],
    ] {
        let (_, out, words) = home.run(arguments).await;
        let said = format!("{out}{words}");
        for part in [
            &*file.display().to_string(),
            "the file was written by a newer reeltop",
            "use the newer reeltop; this one leaves the file as it is",
        ] {
            assert!(said.contains(part), "{arguments:?}: {said}");
        }
        assert!(!said.contains("move what is there away"), "{said}");
    }
    let mut dashboard = home.dashboard();
    dashboard.sees("NOT RECORDING");
    dashboard.keys("5");
    dashboard.sees("use the newer reeltop; this one");
    dashboard.keys("q");
    dashboard.end();
}
