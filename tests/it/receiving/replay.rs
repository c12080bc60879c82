mod elsewhere;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use reeltop::domain::{EndpointId, Failure, FailureKind, MessageId, Route, Stage};
use reeltop::io::Clock;
use reeltop::io::config::LedgerKeeping;
use reeltop::io::ledger::{Ledger, Planned, Service};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::send::{receiver, strict};
use super::{BODY, ID, Ran, SECRET, command, ended, file, http, signed};
use crate::scripted::{Reply, Scripted, answer};
use crate::server::support::{PATIENCE, attempts, call, create_endpoint, only_message, start_fast};

async fn run(state: &TempDir, arguments: &[&str], environment: &[(&str, String)]) -> Ran {
    let mut command = command(arguments);
    command.env("XDG_STATE_HOME", state.path());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    tokio::task::spawn_blocking(move || ended(command))
        .await
        .unwrap()
}

/// The lines of JSON that were printed.
fn states(ran: &Ran) -> Vec<Value> {
    let lines = ran.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn captured_bytes_are_sent_as_they_were_with_a_fresh_signature() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let spaced = BODY.replace("\":", "\": ");
    // An old delivery: only a fresh signature is taken now.
    let old = http(
        1_700_000_000,
        &signed(SECRET, 1_700_000_000, &spaced),
        &spaced,
    );
    let saved = file(&folder, "1.http", old.as_bytes());
    file(&folder, "2.http", b"not a request");
    let app = receiver(strict).await;
    let folder = folder.path().to_str().unwrap();
    // Neither a server nor a key is needed for it.
    for captured in [saved.as_str(), folder] {
        let arguments = [
            "replay",
            ID,
            "--to",
            &app,
            "--secret-file",
            &secret,
            "--captured",
            captured,
            "--json",
        ];
        let ran = run(&state, &arguments, &[]).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let line = states(&ran).pop().unwrap();
        assert_eq!(
            (
                &line["state"],
                &line["route"],
                &line["body"],
                &line["captured_in"]
            ),
            (
                &"delivered".into(),
                &"local".into(),
                &"captured".into(),
                &json!(saved)
            )
        );
    }
    let arguments = [
        "replay",
        "msg_unknown",
        "--to",
        &app,
        "--secret-file",
        &secret,
        "--captured",
        &saved,
    ];
    let ran = run(&state, &arguments, &[]).await;
    assert_eq!(ran.stdout, "");
    let ran_without = run(&state, &["replay", ID, "--secret-file", &secret], &[]).await;
    assert!(ran_without.code == 2 && ran_without.stderr.contains("--to"));
    // What was not captured is asked for at a server, and none is configured.
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_gives_is_labelled_as_rebuilt() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let server = start_fast().await;
    create_endpoint(&server, "http://127.0.0.1:1/", &["task.*"]).await;
    server.backend().create_task("asset", &["proxy"]).unwrap();
    let id = only_message(&server).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let environment = [
        ("ASPECT_BASE_URL", server.url()),
        ("ASPECT_API_KEY", server.api_key().to_owned()),
    ];
    let app = receiver(strict).await;
    let to = |url: &str, more: &[&str]| {
        let mut all: Vec<String> = [
            "replay",
            &id,
            "--to",
            url,
            "--secret-file",
            &secret,
            "--json",
        ]
        .map(str::to_owned)
        .into();
        all.extend(more.iter().map(|&word| word.to_owned()));
        all
    };
    for (arguments, code, state_name) in [
        (to(&app, &["--dry-run"]), 0, Some("planned")),
        (to(&app, &[]), 0, Some("delivered")),
        (to(&format!("{app}/elsewhere"), &[]), 1, Some("failed")),
        (to(&app, &["--read-only"]), 1, Some("refused")),
        (to("http://127.0.0.1:1/", &[]), 1, Some("refused")),
        (to("http://hooks.invalid/", &[]), 2, None),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = run(&state, &arguments, &environment).await;
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        let line = states(&ran).pop();
        let seen = line.as_ref().and_then(|line| line["state"].as_str());
        assert_eq!(seen, state_name, "{arguments:?}");
        assert!(line.is_none_or(|line| line["body"] == "rebuilt"));
    }
    // Each that was to be sent stands in the ledger with what the receiver answered, and what
    // read-only mode refused does not.
    let listed = run(&state, &["replays", "--json"], &environment).await;
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    let listed = states(&listed);
    let told: Vec<_> = (listed.iter())
        .map(|line| {
            assert_eq!(
                (&line["route"], &line["endpoint_id"], &line["attempt_id"]),
                (&json!("local"), &Value::Null, &Value::Null)
            );
            let code = line["response_status_code"].as_u64();
            (line["state"].as_str().unwrap(), code)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("refused", None),
            ("failed", Some(404)),
            ("delivered", Some(204))
        ]
    );
    server.stop().await;
}

/// One that takes every request, answers this, whatever it is, and cuts the connection. Gives how
/// many came.
async fn cutting(answer: &'static [u8]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 64 << 10];
            let n = stream.read(&mut bytes).await.unwrap_or(0);
            counted.fetch_add(usize::from(n > 0), Ordering::SeqCst);
            let _ = stream.write_all(answer).await;
        }
    });
    (url, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_by_no_http_may_have_arrived_all_the_same() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let saved = http(1_700_000_000, &signed(SECRET, 1_700_000_000, BODY), BODY);
    let saved = file(&folder, "1.http", saved.as_bytes());
    let (url, seen) = cutting(b"220 ready for mail\r\n\r\n").await;
    let rest = ["--secret-file", &secret, "--captured", &saved, "--json"];
    let arguments = [&["replay", ID, "--to", &url][..], &rest].concat();
    let first = run(&state, &arguments, &[]).await;
    let last = states(&first).pop().unwrap();
    assert_eq!((first.code, &last["state"]), (3, &"unknown".into()));
    assert_eq!(run(&state, &arguments, &[]).await.code, 3);
    assert_eq!(seen.load(Ordering::SeqCst), 1, "it was sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_end_leaves_behind_is_said() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let saved = http(1_700_000_000, &signed(SECRET, 1_700_000_000, BODY), BODY);
    for (n, id) in [(1, ID), (2, "msg_other")] {
        file(
            &folder,
            &format!("{n}.http"),
            saved.replace(ID, id).as_bytes(),
        );
    }
    let folder = folder.path().to_str().unwrap();
    let rest = ["--secret-file", &secret, "--captured", folder];
    // Nobody is there: neither of them goes.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", nobody.local_addr().unwrap());
    drop(nobody);
    let arguments = [&["replay", ID, "msg_other", "--to", &url][..], &rest].concat();
    let ran = run(&state, &arguments, &[]).await;
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("left unposted: 1 more"),
        "{}",
        ran.stderr
    );
    // It takes the request and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let arguments = [&["replay", ID, "--to", &url][..], &rest].concat();
    let mut command = command(&arguments);
    command.env("XDG_STATE_HOME", state.path());
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stream, _) = tokio::time::timeout(PATIENCE, silent.accept())
        .await
        .unwrap()
        .unwrap();
    assert!(stream.read(&mut [0; 64]).await.unwrap() > 0);
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let output = output.await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("sending, and may have arrived"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_answer_is_unknown_and_never_sent_again_until_it_is_given_up() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let saved = http(1_700_000_000, &signed(SECRET, 1_700_000_000, BODY), BODY);
    let saved = file(&folder, "1.http", saved.as_bytes());
    let (app, seen) = cutting(b"").await;
    // What stands in a URL as a secret stands nowhere else.
    let url = format!("{app}?token=hunter2");
    let rest = ["--secret-file", &secret, "--captured", &saved, "--json"];
    let arguments = [&["replay", ID, "--to", &url][..], &rest].concat();
    let first = run(&state, &arguments, &[]).await;
    assert_eq!(first.code, 3, "{}", first.stderr);
    let names = |ran: &Ran| {
        let lines = states(ran).into_iter();
        let names = lines.map(|line| line["state"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&first), ["planned", "sending", "unknown"]);
    let again = run(&state, &arguments, &[]).await;
    assert_eq!(
        (again.code, names(&again)),
        (3, vec!["cancelled".to_owned()])
    );
    let reason = states(&again)[0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("is open: unknown"), "{reason}");
    assert!(reason.contains("reeltop replays --give-up "), "{reason}");
    // A dry run says the same, and by another name of the receiver it is no other.
    let dry = [&arguments[..], &["--dry-run"]].concat();
    let planned = run(&state, &dry, &[]).await;
    assert_eq!(planned.code, 3, "{}", planned.stderr);
    let line = &states(&planned)[0];
    assert_eq!(
        (&line["state"], &line["reason"]),
        (&"cancelled".into(), &reason.into())
    );
    let other = url.replace("127.0.0.1", "localhost");
    let other = [&["replay", ID, "--to", &other][..], &rest].concat();
    let refused = run(&state, &other, &[]).await;
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("--give-up "), "{}", refused.stderr);
    let read_only = run(&state, &[&dry[..], &["--read-only"]].concat(), &[]).await;
    let line = &states(&read_only)[0];
    assert_eq!((read_only.code, &line["state"]), (1, &"refused".into()));
    assert_eq!(seen.load(Ordering::SeqCst), 1, "it was sent once");
    let ledger = std::fs::read(state.path().join("reeltop/replays.db")).unwrap();
    let holds = |text: &str| {
        ledger
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(holds("token=***") && !holds("hunter2") && !holds(&SECRET[6..]));
    // Whoever looked at the receiver may close it, and send it again.
    let server = start_fast().await;
    let environment = [
        ("ASPECT_BASE_URL", server.url()),
        ("ASPECT_API_KEY", server.api_key().to_owned()),
    ];
    let listed = run(&state, &["replays", "--json", "--open"], &environment).await;
    assert_eq!(listed.code, 3, "{}", listed.stderr);
    let id = states(&listed)[0]["replay_id"].as_str().unwrap().to_owned();
    let given_up = ["replays", "--give-up", &id, "--yes", "--json"];
    let given_up = run(&state, &given_up, &environment).await;
    assert_eq!(given_up.code, 0, "{}", given_up.stderr);
    assert_eq!(run(&state, &arguments, &[]).await.code, 3);
    assert_eq!(seen.load(Ordering::SeqCst), 2);
    server.stop().await;
}

/// A service that knows no attempt, and says so to one of those who ask only once it is told to.
async fn slow_to(nth: usize, asked: &Arc<Notify>, go_on: &Arc<Notify>) -> Scripted {
    let (asked, go_on, n_asked) = (asked.clone(), go_on.clone(), AtomicUsize::new(0));
    Scripted::start(move |_, head| {
        if !head.contains("attempts") {
            return answer("404 Not Found", "", r#"{"detail":"Not Found"}"#);
        }
        let none = r#"{"data":[],"iterator":null,"done":true}"#;
        match answer("200 OK", "content-type: application/json\r\n", none) {
            Reply::Close(whole) if n_asked.fetch_add(1, Ordering::SeqCst) == nth => {
                asked.notify_one();
                Reply::Later(Vec::new(), go_on.clone(), whole)
            }
            at_once => at_once,
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_posted_there_meanwhile_is_not_posted_again() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let saved = http(1_700_000_000, &signed(SECRET, 1_700_000_000, BODY), BODY);
    let saved = file(&folder, "1.http", saved.as_bytes());
    let (app, asked, go_on) = (receiver(strict).await, Arc::default(), Arc::default());
    let service = slow_to(0, &asked, &go_on).await;
    let environment = [
        ("ASPECT_BASE_URL", service.url.clone()),
        ("ASPECT_API_KEY", "key".to_owned()),
    ];
    let rest = ["--secret-file", &secret, "--captured", &saved, "--json"];
    let arguments = [&["replay", ID, "--to", &app][..], &rest].concat();
    let other = async {
        let begun = tokio::time::timeout(PATIENCE, asked.notified()).await;
        begun.unwrap();
        let ran = run(&state, &arguments, &environment).await;
        go_on.notify_one();
        ran
    };
    let (first, other) = tokio::join!(run(&state, &arguments, &environment), other);
    let last = |ran: &Ran| states(ran).pop().unwrap();
    assert_eq!(
        (other.code, &last(&other)["state"]),
        (0, &"delivered".into())
    );
    assert_eq!(
        (first.code, &last(&first)["state"]),
        (1, &"cancelled".into())
    );
    let reason = last(&first)["reason"].to_string();
    assert!(reason.contains("posted it there meanwhile"), "{reason}");
    // Asked once more, it is sent again.
    let again = run(&state, &arguments, &environment).await;
    assert_eq!(
        (again.code, &last(&again)["state"]),
        (0, &"delivered".into())
    );
    assert!(
        again.stderr.contains("already posted there"),
        "{}",
        again.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_there_at_the_look_is_not_posted_again_once_it_has_ended() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let saved = http(1_700_000_000, &signed(SECRET, 1_700_000_000, BODY), BODY);
    let saved = file(&folder, "1.http", saved.as_bytes());
    let [asked, go_on, arrived, answers] = [(); 4].map(|()| Arc::new(Notify::new()));
    let service = slow_to(1, &asked, &go_on).await;
    let (taken, answered) = (arrived.clone(), answers.clone());
    let app = Scripted::start(move |_, _| match answer("500 No", "", "no") {
        Reply::Close(whole) => {
            taken.notify_one();
            Reply::Later(Vec::new(), answered.clone(), whole)
        }
        other => other,
    })
    .await;
    let environment = [
        ("ASPECT_BASE_URL", service.url.clone()),
        ("ASPECT_API_KEY", "key".to_owned()),
    ];
    let rest = ["--secret-file", &secret, "--captured", &saved, "--json"];
    let arguments = [&["replay", ID, "--to", &app.url][..], &rest].concat();
    let first = async {
        let ran = run(&state, &arguments, &environment).await;
        go_on.notify_one();
        ran
    };
    let second = async {
        arrived.notified().await;
        run(&state, &arguments, &environment).await
    };
    let between = async {
        asked.notified().await;
        answers.notify_one();
    };
    let all = async { tokio::join!(first, second, between) };
    let (first, second, ()) = tokio::time::timeout(PATIENCE, all).await.unwrap();
    let last = |ran: &Ran| states(ran).pop().unwrap();
    assert_eq!((first.code, &last(&first)["state"]), (1, &"failed".into()));
    let second = last(&second);
    assert_eq!(second["state"], "cancelled");
    let reason = second["reason"].to_string();
    assert!(reason.contains("posted it there meanwhile"), "{reason}");
    assert_eq!(app.requests().len(), 1);
    // The next is told of it, whatever was answered.
    let plan = [&arguments[..], &["--dry-run"]].concat();
    let plan = run(&state, &plan, &environment).await;
    let warnings = last(&plan)["warnings"].to_string();
    assert!(warnings.contains("answered 500"), "{warnings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_was_captured_the_delivery_that_verifies_is_taken_and_any_other_is_named() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let at = 1_700_000_000;
    let forged = http(at, &signed(SECRET, at, BODY), "{\"forged\":true}");
    file(&folder, "1.http", forged.as_bytes());
    let app = receiver(strict).await;
    let path = folder.path().to_str().unwrap();
    let arguments = [
        "replay",
        ID,
        "--to",
        &app,
        "--secret-file",
        &secret,
        "--captured",
        path,
    ];
    let json = [&arguments[..], &["--json"]].concat();
    let ran = run(&state, &json, &[]).await;
    assert!(
        ran.stderr
            .contains("does not verify with the secrets at hand"),
        "{}",
        ran.stderr
    );
    assert_eq!(states(&ran).pop().unwrap()["captured_verifies"], false);

    let genuine = file(
        &folder,
        "2.http",
        http(at, &signed(SECRET, at, BODY), BODY).as_bytes(),
    );
    let ran = run(&state, &json, &[]).await;
    // The forged one was taken.
    assert!(ran.stderr.contains("already posted there") && !ran.stderr.contains("verify"));
    let line = states(&ran).pop().unwrap();
    assert_eq!(
        (&line["captured_verifies"], &line["captured_in"]),
        (&json!(true), &json!(genuine))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_to_the_url_is_a_warning_before_it_is_posted_again() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let server = start_fast().await;
    let app = receiver(|_, _| StatusCode::NO_CONTENT).await;
    let endpoint = create_endpoint(&server, &app, &["task.*"]).await;
    server.backend().create_task("asset", &["proxy"]).unwrap();
    let id = only_message(&server).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    attempts(&server, &format!("message_id={id}"), 1).await;
    let environment = [
        ("ASPECT_BASE_URL", server.url()),
        ("ASPECT_API_KEY", server.api_key().to_owned()),
    ];
    let by_service = format!("delivered there by the service, to {}", endpoint.id);
    let elsewhere = format!("{app}/elsewhere");
    for (to, more, code, warnings) in [
        (&app, "--dry-run", 0, vec![by_service.as_str()]),
        (&elsewhere, "--dry-run", 0, vec![]),
        (&app, "--yes", 0, vec![&by_service]),
        (&app, "--dry-run", 0, vec!["posted there", &by_service]),
    ] {
        let arguments = ["replay", &id, "--to", to, "--secret-file", &secret, more];
        let ran = run(&state, &arguments, &environment).await;
        assert_eq!(ran.code, code, "{}", ran.stderr);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        let n_warned = told.matches("the receiver will see it again").count();
        assert_eq!(n_warned, warnings.len(), "{to} {more}: {told}");
        for warning in &warnings {
            assert!(told.contains(warning), "{to} {more}: {told}");
        }
        let json = [&arguments[..], &["--json"]].concat();
        if more == "--dry-run" {
            let ran = run(&state, &json, &environment).await;
            let line = states(&ran).pop().unwrap();
            assert_eq!(line["warnings"].as_array().unwrap().len(), warnings.len());
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_still_arrive_by_the_service_is_not_posted_to_the_same_url() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let server = start_fast().await;
    let app = receiver(strict).await;
    let endpoint = create_endpoint(&server, &app, &["task.*"]).await;
    server.backend().create_task("asset", &["proxy"]).unwrap();
    let id = only_message(&server).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let pair = (MessageId::new(&id), EndpointId::new(&endpoint.id));
    let ledger = Ledger::in_folder(
        &state.path().join("reeltop"),
        Service::new(&server.url(), ""),
        LedgerKeeping::default(),
    );
    let now = Clock::new().now();
    let Ok(Planned::As(row)) = ledger.plan(1, &pair, Route::Server, now) else {
        panic!("it was not planned");
    };
    let before = [].into();
    ledger.step(&row, &Stage::Sending { before }, now).unwrap();
    let environment = [
        ("ASPECT_BASE_URL", server.url()),
        ("ASPECT_API_KEY", server.api_key().to_owned()),
    ];
    let to = |url: &str| {
        let arguments = ["replay", &id, "--to", url, "--secret-file", &secret];
        let arguments = arguments.map(str::to_owned);
        let (state, environment) = (&state, &environment);
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(state, &arguments, environment).await
        }
    };
    let ran = to(&app).await;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("may still arrive there") && ran.stderr.contains(&endpoint.id),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stdout, "");
    // Another query does not make another receiver of it.
    let ran = to(&format!("{app}?other")).await;
    assert!(ran.stderr.contains("may still arrive"), "{}", ran.stderr);
    // Another path has nothing to do with it.
    let ran = to(&format!("{app}/other")).await;
    assert!(!ran.stderr.contains("may still arrive"), "{}", ran.stderr);
    // This machine is one, by whatever name.
    let ran = to(&app.replace("127.0.0.1", "localhost")).await;
    assert!(ran.stderr.contains("may still arrive"), "{}", ran.stderr);
    // Attempts tell where an endpoint led that is there no more.
    attempts(&server, &format!("message_id={id}"), 1).await;
    let path = format!("/webhooks/endpoints/{}", endpoint.id);
    let (status, said) = call(&server, Method::DELETE, &path, None).await;
    assert!(status < 300, "{status} {said}");
    let ran = to(&app).await;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("may still arrive there"),
        "{}",
        ran.stderr
    );
    let failed = Failure::new(FailureKind::NotFound, "no such message", "");
    ledger.step(&row, &Stage::Refused(failed), now).unwrap();
    let ran = to(&app).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_knows_whether_it_is_the_same_receiver_that_is_confirmed() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let saved = http(1_700_000_000, &signed(SECRET, 1_700_000_000, BODY), BODY);
    let saved = file(&folder, "1.http", saved.as_bytes());
    let app = receiver(strict).await;
    let ledger = Ledger::in_folder(
        &state.path().join("reeltop"),
        Service::default(),
        LedgerKeeping::default(),
    );
    let pair = (MessageId::new(ID), EndpointId::new("ep_1"));
    let now = Clock::new().now();
    let planned = ledger.plan(1, &pair, Route::Server, now);
    assert!(matches!(planned, Ok(Planned::As(_))), "{planned:?}");
    // No service is configured, and none answers.
    let nowhere = [
        ("ASPECT_BASE_URL", "http://127.0.0.1:1".to_owned()),
        ("ASPECT_API_KEY", "sk_test".to_owned()),
    ];
    for environment in [&[][..], &nowhere] {
        for (more, code) in [("--json", 2), ("--dry-run", 0)] {
            let arguments = [
                "replay",
                ID,
                "--to",
                &app,
                "--secret-file",
                &secret,
                "--captured",
                &saved,
                more,
            ];
            let ran = run(&state, &arguments, environment).await;
            assert_eq!(ran.code, code, "{}", ran.stderr);
            let words = "whether ep_1 has this URL is not known";
            assert!(ran.stderr.contains(words), "{}", ran.stderr);
            if code == 2 {
                assert!(ran.stderr.contains("confirm with --yes"), "{}", ran.stderr);
                assert_eq!(ran.stdout, "");
            }
        }
    }
    let arguments = [
        "replay",
        ID,
        "--to",
        &app,
        "--secret-file",
        &secret,
        "--captured",
        &saved,
        "--yes",
    ];
    let ran = run(&state, &arguments, &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("warning: "), "{}", ran.stderr);
}
