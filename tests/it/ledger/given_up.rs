//! A replay whose outcome stays unknown is closed on the word of the user, and never deleted.

use std::path::Path;

use reeltop::domain::{EndpointId, MessageId, Route, Stage};
use reeltop::io::Clock;
use reeltop::io::config::LedgerKeeping;
use reeltop::io::ledger::{Ledger, Planned, Service as Of};
use serde_json::Value;

use super::{Point, Service, end};
use crate::pty::Pty;
use crate::scripted::Scripted;
use std::sync::atomic::Ordering;

/// Runs a command to its end: code, stdout, stderr.
fn run(service: &Service, state: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = service.command(state, arguments);
    let output = command.env("USER", "ann").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// The same at a terminal, where an answer is typed to the question; the code.
async fn typed(service: &Service, state: &Path, arguments: &[&str], keys: &str) -> u32 {
    let (state, url) = (state.display().to_string(), service.server.url.clone());
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let keys = keys.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let environment = [
            ("ASPECT_BASE_URL", &*url),
            ("ASPECT_API_KEY", "sk_test"),
            ("XDG_STATE_HOME", &*state),
        ];
        let mut pty = Pty::start(&arguments, &environment, 120, 30);
        pty.sees("may have arrived, or still may");
        pty.sees("Give it up? [y/N]");
        pty.keys(&keys);
        pty.sees("nothing was given up, it is still waited for");
        pty.end().exit_code()
    });
    asked.await.unwrap()
}

fn listed(service: &Service, state: &Path) -> Vec<Value> {
    let (_, lines, said) = run(service, state, &["replays", "--json", "--offline"]);
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{said}"));
    lines.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_stays_listed_and_may_be_sent_again_by_name() {
    let state = tempfile::tempdir().unwrap();
    let state = state.path();
    let service = Service::held_at(Point::Posting).await;
    let mut first = service.replay(state);
    service.until_reached().await;
    let id = listed(&service, state)[0]["replay_id"].clone();
    let id = id.as_str().unwrap().to_owned();
    let give_up = ["replays", "--give-up", &id[..8], "--yes"];

    // Whoever sends it is still there.
    let (code, told, said) = run(&service, state, &give_up);
    assert_eq!(code, Some(1), "{told} {said}");
    assert!(said.contains("is running"), "{said}");
    first.kill().unwrap();
    first.wait().unwrap();

    // Nobody is asked, so that nothing is done.
    let (code, _, said) = run(&service, state, &give_up[..3]);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(listed(&service, state)[0]["state"], "unknown");
    let (code, _, said) = run(&service, state, &["replays", "--give-up", "zzz", "--yes"]);
    assert_eq!(code, Some(1), "{said}");
    // Who is asked and says no gives nothing up.
    for keys in ["n\r", "\x04"] {
        let code = typed(&service, state, &give_up[..3], keys).await;
        assert_eq!(code, 1);
        assert_eq!(listed(&service, state)[0]["state"], "unknown");
    }

    let (code, told, said) = run(&service, state, &give_up);
    assert_eq!(code, Some(0), "{told} {said}");
    assert!(told.contains("given up by ann on "), "{told}");
    let rows = listed(&service, state);
    assert_eq!(rows[0]["state"], "given up");
    let reason = rows[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("it was unknown: its reeltop ended"),
        "{reason}"
    );
    // It is no longer open, so that a second word changes nothing.
    let (code, _, said) = run(&service, state, &give_up);
    assert!(
        code == Some(1) && said.contains("is not waited for"),
        "{said}"
    );

    // A plan warns and leaves it out, and says how it is sent; by name it is.
    let by_name = "reeltop replay msg_1 --endpoint ep_1 sends it all the same";
    let (_, plan, said) = run(&service, state, &["replay", "msg_1", "--dry-run"]);
    let is_warned = plan.contains("skip") && plan.contains("given up by ann");
    assert!(is_warned && plan.contains(by_name), "{plan} {said}");
    let (code, plan, said) = run(&service, state, &["replay", "msg_1", "--yes"]);
    assert_eq!(code, Some(3), "{plan} {said}");
    assert!(said.contains(by_name), "{plan} {said}");
    assert_eq!(service.n_posts.swap(0, Ordering::SeqCst), 1);
    service.is_open.store(true, Ordering::SeqCst);
    let arguments = [
        "replay",
        "msg_1",
        "--endpoint",
        "ep_1",
        "--yes",
        "--json",
        "--wait",
        "2s",
    ];
    let again = service.command(state, &arguments).spawn().unwrap();
    let (code, states, said) = end(again).await;
    assert_eq!(service.n_posts(), 1, "{states:?} {said}");
    // One attempt came, and two requests were made: it may be of either.
    assert_eq!(states.last().unwrap(), "ambiguous", "{said}");
    assert_eq!(code, Some(3), "{said}");
    let rows: Vec<Value> = listed(&service, state);
    let states: Vec<_> = rows.iter().map(|row| row["state"].clone()).collect();
    assert_eq!(states, ["ambiguous", "given up"]);
}

/// Nobody watches for the attempt of a reeltop that was killed, and what keeps another from being
/// sent names the command that closes it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_as_its_reeltop_was_killed_is_unknown_and_can_be_closed_as_is_said() {
    let state = tempfile::tempdir().unwrap();
    let state = state.path();
    let service = Service::held_at(Point::Accepted).await;
    let mut first = service.replay(state);
    service.until_reached().await;
    first.kill().unwrap();
    first.wait().unwrap();
    let row = listed(&service, state).remove(0);
    assert_eq!(row["state"], "unknown", "{row}");
    let reason = row["reason"].as_str().unwrap();
    assert!(
        reason.contains("accepted, but its reeltop ended"),
        "{reason}"
    );

    // The attempts are told from here on, without ours.
    service.is_open.store(true, Ordering::SeqCst);
    let n_posts = service.n_posts.swap(0, Ordering::SeqCst);
    assert_eq!(n_posts, 1);
    let (code, plan, said) = run(&service, state, &["replay", "msg_1", "--dry-run"]);
    let id = &row["replay_id"].as_str().unwrap()[..8];
    let closing = format!("reeltop replays --give-up {id} closes it");
    assert!(plan.contains(&closing), "{plan} {said}");
    assert!(
        code == Some(3) && said.contains(&closing),
        "{code:?} {said}"
    );
    let give_up = ["replays", "--give-up", id, "--yes"];
    let (code, told, said) = run(&service, state, &give_up);
    assert_eq!(code, Some(0), "{told} {said}");
    assert_eq!(service.n_posts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_by_another_name_is_the_pair_of_its_id() {
    let state = tempfile::tempdir().unwrap();
    let service = Service::held_at(Point::Nowhere).await;
    let named = |name| {
        [
            "replay",
            "msg_1",
            "--endpoint",
            name,
            "--yes",
            "--json",
            "--wait",
            "9s",
        ]
    };
    let (code, lines, said) = run(&service, state.path(), &named("mine"));
    assert_eq!(code, Some(0), "{lines} {said}");
    let line: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(line["endpoint_id"], "ep_1");
    assert_eq!(listed(&service, state.path())[0]["endpoint_id"], "ep_1");
    let (code, lines, said) = run(&service, state.path(), &named("nobody"));
    assert_eq!(code, Some(1), "{lines} {said}");
    assert!(said.contains("which endpoint nobody is"), "{said}");
    assert_eq!(service.n_posts(), 1);
}

/// Somebody's replays of these messages at endpoints, whose requests were cut off.
fn cut_off(url: &str, state: &Path, pairs: &[(&str, &str)]) -> Ledger {
    let of = Of::new(url, "");
    let ledger = Ledger::in_folder(&state.join("reeltop"), of, LedgerKeeping::default());
    let now = Clock::new().now();
    for ((message, endpoint), number) in pairs.iter().zip(1..) {
        let pair = (MessageId::new(message), EndpointId::new(endpoint));
        let Ok(Planned::As(row)) = ledger.plan(number, &pair, Route::Server, now) else {
            panic!("{message} was not planned");
        };
        let before = [].into();
        ledger.step(&row, &Stage::Sending { before }, now).unwrap();
        let cut = Stage::Unknown("cut off".to_owned());
        ledger.step(&row, &cut, now).unwrap();
    }
    ledger
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_given_up_in_one_step_by_ids_by_a_query_or_all_that_are_open() {
    let state = tempfile::tempdir().unwrap();
    let state = state.path();
    let service = Service::held_at(Point::Nowhere).await;
    let pairs = ["m1", "m2", "m3", "m4"].map(|message| (message, "ep_1"));
    drop(cut_off(
        &service.server.url,
        state,
        &[&pairs[..], &[("m5", "ep_2")]].concat(),
    ));
    let running = cut_off(&service.server.url, state, &[("m6", "ep_1")]);
    let unknown = || {
        let rows = listed(&service, state).into_iter();
        let mut open: Vec<String> = rows
            .filter(|row| row["state"] == "unknown")
            .map(|row| row["message_id"].as_str().unwrap().to_owned())
            .collect();
        open.sort();
        open.join(" ")
    };
    let give_up = |rest: &[&str]| run(&service, state, &[&["replays", "--give-up"], rest].concat());
    assert_eq!(unknown(), "m1 m2 m3 m4 m5 m6");

    // Which are meant is to be said, in one way.
    for rest in [&["--yes"][..], &["abc", "--open", "--yes"]] {
        let (code, _, said) = give_up(rest);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--query"), "{said}");
    }
    let id = |message: &str| {
        let rows = listed(&service, state).into_iter();
        let row = rows.into_iter().find(|row| row["message_id"] == message);
        row.unwrap()["replay_id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (id("m1"), id("m2"));
    let (code, told, said) = give_up(&[&first, &second, &first, "--yes"]);
    assert_eq!(code, Some(0), "{told} {said}");
    assert!(said.contains("2 of 2 given up"), "{said}");
    assert_eq!(unknown(), "m3 m4 m5 m6");

    // Nobody is asked, so that nothing is done; what it means is said.
    let by_query = ["--query", "endpoint:ep_1"];
    let (code, _, said) = give_up(&by_query);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("sent again it may arrive twice"), "{said}");
    assert!(said.contains("the replay of m4 to ep_1: unknown"), "{said}");
    assert!(
        said.contains("1 is left to a reeltop that is running"),
        "{said}"
    );
    assert_eq!(unknown(), "m3 m4 m5 m6");
    let (code, told, said) = give_up(&[&by_query[..], &["--yes", "--json"]].concat());
    assert_eq!((code, told.lines().count()), (Some(0), 2), "{told} {said}");
    assert_eq!(unknown(), "m5 m6");

    drop(running);
    let (code, _, said) = give_up(&["--open", "--yes"]);
    assert_eq!((code, unknown().as_str()), (Some(0), ""), "{said}");
    let (code, _, said) = give_up(&["--open", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing was given up"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_does_not_tell_of_many_is_said_once() {
    let state = tempfile::tempdir().unwrap();
    let mut service = Service::held_at(Point::Nowhere).await;
    let failing =
        Scripted::start(|_, _| crate::scripted::answer("500 Internal Server Error", "", "{}"));
    service.server = failing.await;
    let pairs = ["m1", "m2", "m3"].map(|message| (message, "ep_1"));
    drop(cut_off(&service.server.url, state.path(), &pairs));
    let (code, told, said) = run(
        &service,
        state.path(),
        &["replays", "--query", "delivered", "--json"],
    );
    assert_eq!((code, told.as_str()), (Some(0), ""), "{said}");
    let news = "what became of 3 messages is not known: ";
    assert_eq!(said.matches("what became of").count(), 1, "{said}");
    assert!(said.contains(news), "{said}");

    // Of what the service could not be asked about nothing is given up unawares.
    let all = ["replays", "--give-up", "--open", "--yes"];
    let (code, told, said) = run(&service, state.path(), &all);
    assert_eq!((code, told.as_str()), (Some(0), ""), "{said}");
    assert!(
        said.contains("3 are kept open, as the service could not be asked"),
        "{said}"
    );
    let (code, _, said) = run(&service, state.path(), &[&all[..], &["--offline"]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("3 of 3 given up"), "{said}");
}
