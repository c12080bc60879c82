//! The headless commands as a shell sees them: lines on stdout, words on stderr, exit codes.

mod causes;
mod unlisted;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use reeltop::server::{Options, Running};
use serde_json::Value;

use crate::scripted::{Reply, Scripted, answer, stream};
use crate::server::support::{
    Receiver, attempts, create_endpoint, eventually, only_message, start, start_fast,
};

fn reeltop(url: &str, key: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("ASPECT_BASE_URL", url)
        .env("ASPECT_API_KEY", key)
        .env("HOME", "/nonexistent")
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .args(arguments)
        .stdin(Stdio::null());
    command
}

async fn run(mut command: Command) -> (i32, Vec<String>, String) {
    let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let lines = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    (
        output.status.code().unwrap_or(-1),
        lines,
        String::from_utf8(output.stderr).unwrap(),
    )
}

async fn on(server: &Running, arguments: &[&str]) -> (i32, Vec<String>, String) {
    run(reeltop(&server.url(), server.api_key(), arguments)).await
}

fn keys(line: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(line).unwrap();
    value.as_object().unwrap().keys().cloned().collect()
}

/// How an endpoint fares at which everything succeeded.
fn fares_well(line: &str) {
    let line: Value = serde_json::from_str(line).unwrap();
    let health = &line["health"];
    assert_eq!(
        keys(&health.to_string()),
        [
            "last_hour",
            "last_day",
            "last_success",
            "failing_since",
            "failing_is_at_least",
            "consecutive_failures",
            "disabled_at_estimate"
        ]
    );
    let hour = &health["last_hour"];
    assert!(hour["attempts"].as_u64().unwrap() > 0, "{health}");
    assert_eq!(hour["success_rate"], 1.0, "{health}");
    assert!(hour["since"].is_string() && hour["p50_ms"].is_u64());
    assert_eq!(health["consecutive_failures"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_lines_of_the_contract() {
    let server = start(Options::default()).await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let task = server.backend().create_task("asset", &["proxy"]).unwrap();
    attempts(&server, &format!("endpoint_id={}", endpoint.id), 1).await;

    let (code, lines, _) = on(&server, &["tasks", "--json"]).await;
    assert_eq!((code, lines.len()), (0, 1));
    assert_eq!(
        keys(&lines[0]),
        [
            "id",
            "asset_id",
            "asset_name",
            "state",
            "done",
            "features",
            "user_id",
            "created",
            "updated"
        ]
    );
    let (code, by_id, _) = on(&server, &["tasks", &task, "--json"]).await;
    assert_eq!((code, &by_id), (0, &lines));
    let (code, none, _) = on(&server, &["tasks", "--json", "-q", "!queued"]).await;
    assert_eq!((code, none.len()), (0, 0));

    let (_, lines, _) = on(&server, &["messages", "--json"]).await;
    assert_eq!(
        keys(&lines[0])[..7],
        [
            "id",
            "event_id",
            "event_type",
            "timestamp",
            "task_id",
            "payload",
            "outcomes"
        ]
    );
    for arguments in [
        vec!["attempts", "--json"],
        vec!["attempts", "--json", "--endpoint", &endpoint.id],
        vec!["attempts", "--json", "-q", "delivered"],
    ] {
        let (code, lines, _) = on(&server, &arguments).await;
        assert_eq!((code, lines.len()), (0, 1), "{arguments:?}");
        assert_eq!(
            keys(&lines[0]),
            [
                "id",
                "message_id",
                "endpoint_id",
                "url",
                "attempt",
                "status",
                "response_status_code",
                "response",
                "response_duration_ms",
                "trigger",
                "timestamp"
            ]
        );
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(
            (&line["attempt"], &line["status"]),
            (&1.into(), &"success".into())
        );
    }
    let (_, lines, _) = on(&server, &["endpoints", "--json"]).await;
    assert_eq!(
        keys(&lines[0]),
        [
            "id",
            "url",
            "description",
            "event_types",
            "rate_limit",
            "disabled",
            "version",
            "created_at",
            "updated_at",
            "health"
        ]
    );
    fares_well(&lines[0]);
    let (_, table, _) = on(&server, &["tasks", "--utc"]).await;
    assert!(table[0].starts_with("STATE"), "{table:?}");
    server.stop().await;
}

fn bad_config(folder: &tempfile::TempDir) -> String {
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "[limits]\nnonsense = 1\n").unwrap();
    config.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_one_sentence_and_an_exit_code() {
    let server = start(Options::default()).await;
    let receiver = Receiver::always(204).await;
    create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let html =
        Scripted::start(|_, _| answer("200 OK", "content-type: text/html\r\n", "<html>")).await;
    let (url, key) = (server.url(), server.api_key().to_owned());
    let folder = tempfile::tempdir().unwrap();
    let config = bad_config(&folder);
    let config = config.as_str();
    for (url, key, arguments, code, words) in [
        (
            url.as_str(),
            "wrong",
            vec!["tasks"],
            1,
            "the key was refused",
        ),
        (&url, "wrong", vec!["tail"], 1, "ASPECT_API_KEY"),
        (&url, &key, vec!["tasks", "nope"], 1, "Task not found"),
        (
            &url,
            &key,
            vec!["attempts", "--message", "nope"],
            1,
            "Message not found",
        ),
        (&url, &key, vec!["messages", "nope"], 1, "nope is not among"),
        (&url, &key, vec!["replay", "nope"], 1, "nope"),
        (
            &url,
            &key,
            vec!["tail", "--events-path", "/x"],
            1,
            "--events-path",
        ),
        (
            &url,
            &key,
            vec!["tasks", "-q", "state:x"],
            2,
            "unknown state",
        ),
        (
            &url,
            &key,
            vec!["tasks", "--profile", "x"],
            2,
            "unknown profile",
        ),
        (
            &url,
            &key,
            vec!["tasks", "--config", config],
            2,
            "config.toml:2: unknown field",
        ),
        (
            &url,
            &key,
            vec!["tasks", "--config", "/no/such"],
            2,
            "cannot be read",
        ),
        (&url, &key, vec!["tasks", "--nonsense"], 2, "--nonsense"),
        (&url, "", vec!["tasks"], 2, "set ASPECT_API_KEY"),
        ("", "", vec!["tasks"], 2, "reeltop demo"),
        (
            "http://api.example.com",
            &key,
            vec!["tasks"],
            2,
            "unencrypted",
        ),
        (
            "http://127.0.0.1:1",
            &key,
            vec!["tasks"],
            1,
            "nothing listens",
        ),
        (
            "http://127.0.0.1:1",
            &key,
            vec!["tail"],
            1,
            "nothing listens",
        ),
        (&html.url, &key, vec!["tasks"], 1, "HTML instead of JSON"),
        (&html.url, &key, vec!["tail"], 1, "text/html"),
    ] {
        let (got, lines, errors) = run(reeltop(url, key, &arguments)).await;
        assert_eq!(got, code, "{arguments:?}: {errors}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
        assert!(lines.is_empty(), "{arguments:?}: {lines:?}");
        assert!(
            !errors.contains("panicked") && !errors.contains(server.api_key()),
            "{errors}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_prints_data_unchanged_and_ends_as_told() {
    let odd = concat!(
        "retry: 5\n\n",
        "data: {\"b\": 1,  \"a\":2}\n\n",
        "data: {\ndata:  \"c\" : 12345678901234567890\ndata: }\n\n",
        "data: no json\n\n",
        ": comment\n\nid: 5\nevent: task.failed\ndata: [1]\n\n",
    );
    let server = Scripted::start(move |_, request| match request {
        other if !other.starts_with("get /events ") => answer("404 x", "", ""),
        _ => Reply::Close(stream(odd)),
    })
    .await;
    let (code, lines, errors) = run(reeltop(&server.url, "k", &["tail", "--no-reconnect"])).await;
    assert_eq!(code, 0, "{errors}");
    assert_eq!(
        lines,
        [
            r#"{"b": 1,  "a":2}"#,
            r#"{"c":12345678901234567890}"#,
            "[1]"
        ]
    );
    assert!(
        errors.contains("no json")
            && errors.contains("1 event was compacted because of line breaks"),
        "{errors}"
    );

    let (_, lines, _) = run(reeltop(
        &server.url,
        "k",
        &["tail", "--no-reconnect", "--frames"],
    ))
    .await;
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[2], r#"{"event":"message","data":"no json","id":""}"#);
    assert_eq!(lines[3], r#"{"event":"task.failed","data":"[1]","id":"5"}"#);

    let (code, lines, _) = run(reeltop(&server.url, "k", &["tail", "--limit", "5"])).await;
    assert_eq!((code, lines.len()), (0, 4), "it came back for more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_nothing_says_what_can_be_named() {
    let (code, lines, said) = run(reeltop("http://127.0.0.1:9", "k", &["replay", "--yes"])).await;
    assert_eq!((code, lines.len()), (2, 0), "{said}");
    assert!(said.contains("--query QUERY or --since TIME"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_filters_polls_and_stops_on_ctrl_c() {
    let server = start_fast().await;
    let (task, url, key) = ("t", server.url(), server.api_key().to_owned());
    let _ = task;
    let following = tokio::spawn(run(reeltop(
        &url,
        &key,
        &["tail", "--limit", "1", "--query", "type:task.completed"],
    )));
    crate::server::support::eventually("a reader", || async {
        (crate::server::support::health(&server, "readers").await == 1).then_some(())
    })
    .await;
    let task = server.backend().create_task("asset", &["proxy"]).unwrap();
    server
        .backend()
        .set_feature(&task, "proxy", reeltop::server::FeatureState::Completed);
    let (code, lines, _) = following.await.unwrap();
    assert_eq!((code, lines.len()), (0, 1));
    assert!(lines[0].contains("task.completed"));

    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "[waits]\npoll = \"30ms\"\n").unwrap();
    let arguments = [
        "--config",
        config.to_str().unwrap(),
        "tail",
        "--events-path",
        "/x",
        "--poll",
        "--limit",
        "2",
    ];
    let requests = || server.chaos().read_figures().requests;
    let before = requests();
    let polling = tokio::spawn(run(reeltop(&url, &key, &arguments)));
    // The first look is only compared with. After the try at a stream and two looks begun, it is
    // over.
    crate::server::support::eventually("two looks", || async {
        (requests() >= before + 3).then_some(())
    })
    .await;
    for asset in ["one", "two"] {
        server.backend().create_task(asset, &["proxy"]).unwrap();
    }
    let (code, lines, errors) = polling.await.unwrap();
    assert_eq!((code, lines.len()), (0, 2), "{errors}");
    assert!(lines[0].contains(r#""source":"poll""#), "{}", lines[0]);
    assert!(errors.contains("polling"), "{errors}");
    server.stop().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_is_130_and_a_closed_pipe_is_0() {
    let server = start(Options::default()).await;
    let mut child = reeltop(&server.url(), server.api_key(), &["tail"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    crate::server::support::eventually("a reader", || async {
        (crate::server::support::health(&server, "readers").await == 1).then_some(())
    })
    .await;
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap())
        .await
        .unwrap();
    assert_eq!(ended.code(), Some(130));

    for n in 0..50 {
        server
            .backend()
            .create_task(&format!("a{n}"), &["proxy"])
            .unwrap();
    }
    let mut child = reeltop(&server.url(), server.api_key(), &["tasks", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap())
        .await
        .unwrap();
    assert_eq!(ended.code(), Some(0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_plans_confirms_sends_and_follows() {
    let server = start(Options::default()).await;
    let receiver = Receiver::always(500).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    server.backend().create_task("asset", &["proxy"]).unwrap();
    attempts(&server, &format!("endpoint_id={}", endpoint.id), 1).await;
    let message = only_message(&server).await["id"]
        .as_str()
        .unwrap()
        .to_owned();

    let (code, lines, _) = on(&server, &["replay", &message, "--dry-run"]).await;
    assert_eq!(code, 0);
    assert!(
        lines.join("\n").contains("automatic retry is due"),
        "{lines:?}"
    );
    let (code, lines, errors) = on(&server, &["replay", &message]).await;
    assert_eq!((code, lines.len()), (2, 0));
    assert!(
        errors.contains("send ") && errors.contains("--yes"),
        "{errors}"
    );
    let (code, _, errors) = on(&server, &["replay", &message, "--yes", "--read-only"]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("read-only"), "{errors}");

    let (code, lines, errors) = on(&server, &["replay", &message, "--yes", "--json"]).await;
    assert_eq!(code, 1, "the receiver answers 500: {errors}");
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(
        keys(lines.last().unwrap()),
        [
            "message_id",
            "endpoint_id",
            "route",
            "state",
            "attempt_id",
            "timestamp",
            "reason"
        ]
    );
    assert_eq!(
        (&last["state"], &last["route"]),
        (&"failed".into(), &"server".into())
    );
    let rows = attempts(&server, &format!("message_id={message}"), 2).await;
    assert_eq!(last["attempt_id"], rows[0]["id"]);
    assert_eq!(rows.len(), 2, "one replay, one attempt");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_the_limit_ended_says_how_far_it_was_asked() {
    let server = start_fast().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    for _ in 0..3 {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    attempts(&server, &format!("endpoint_id={}", endpoint.id), 3).await;
    for (list, what) in [
        ("messages", "the latest 2 messages alone"),
        ("attempts", "the latest 2 attempts of each endpoint alone"),
    ] {
        let asked = [list, "--query", "failed", "--json", "--limit"];
        let (code, lines, errors) = on(&server, &[&asked[..], &["2"]].concat()).await;
        assert_eq!((code, lines.len()), (0, 0), "{errors}");
        assert!(errors.contains(what), "{list}: {errors}");
        assert!(errors.contains("--limit N looks further"), "{errors}");
        let (_, _, errors) = on(&server, &[&asked[..], &["100"]].concat()).await;
        assert_eq!(errors, "", "{list}");
        let (_, _, errors) = on(&server, &[list, "--limit", "2"]).await;
        assert!(!errors.contains("looks further"), "{list}: {errors}");
    }
    server.stop().await;
}

/// A word of the query language means in a command what it means on the screen of the same rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_means_here_what_it_means_on_the_screens() {
    let server = start_fast().await;
    let (good, bad) = (Receiver::always(204).await, Receiver::always(410).await);
    let named = create_endpoint(&server, &good.url, &["task.completed"]).await;
    let failing = create_endpoint(&server, &bad.url, &["task.failed"]).await;
    // One task fails and one completes; what each message says is delivered where it is wanted.
    for (asset, state) in [
        ("a-fine-asset", reeltop::server::FeatureState::Completed),
        ("a-bad-asset", reeltop::server::FeatureState::Failed),
    ] {
        let task = server.backend().create_task(asset, &["proxy"]).unwrap();
        server.backend().set_feature(&task, "proxy", state);
    }
    attempts(&server, &format!("endpoint_id={}", named.id), 1).await;
    attempts(&server, &format!("endpoint_id={}", failing.id), 1).await;

    let types = |lines: &[String]| -> Vec<String> {
        let kind =
            |line: &String| serde_json::from_str::<Value>(line).unwrap()["event_type"].clone();
        lines
            .iter()
            .map(|line| kind(line).as_str().unwrap().to_owned())
            .collect()
    };
    for (query, wanted) in [
        ("failed", vec!["task.failed"]),
        ("delivered", vec!["task.completed"]),
        ("unsent", vec!["task.progress", "task.progress"]),
        ("code:410", vec!["task.failed"]),
        (&format!("endpoint:{}", good.url), vec!["task.completed"]),
        ("!failed type:task.completed", vec!["task.completed"]),
        ("a-bad-asset type:task.failed", vec!["task.failed"]),
    ] {
        let (code, lines, errors) = on(&server, &["messages", "--json", "-q", query]).await;
        assert_eq!(
            (code, types(&lines)),
            (0, wanted.iter().map(|&kind| kind.to_owned()).collect()),
            "{query}: {errors}"
        );
    }
    for (arguments, n_wanted) in [
        (["attempts", "-q", "type:task.completed"], 1),
        (["attempts", "-q", "type:task.progress"], 0),
        (["endpoints", "-q", "failed"], 1),
        (["tasks", "-q", "a-fine-asset"], 0),
    ] {
        let (code, lines, errors) = on(&server, &[&arguments[..], &["--json"]].concat()).await;
        assert_eq!(
            (code, lines.len()),
            (0, n_wanted),
            "{arguments:?}: {lines:?} {errors}"
        );
    }
    let (code, _, errors) = on(&server, &["tasks", "-q", "retrying"]).await;
    assert!(
        code == 2 && errors.contains("reeltop messages"),
        "{code} {errors}"
    );
    server.stop().await;
}

/// A server may repeat the key in any field of a frame, not in its data alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_fields_of_a_frame_is_masked() {
    let key = "sk_planted_0123456789";
    let frame = format!("event: {key}\nid: {key}\ndata: [1]\n\n");
    let server = Scripted::start(move |_, request| match request {
        other if !other.starts_with("get /events ") => answer("404 x", "", ""),
        _ => Reply::Close(stream(&frame)),
    })
    .await;
    let arguments = ["tail", "--no-reconnect", "--frames"];
    let (code, lines, errors) = run(reeltop(&server.url, key, &arguments)).await;
    assert_eq!((code, lines.len()), (0, 1), "{errors}");
    assert_eq!(lines[0], r#"{"event":"***","data":"[1]","id":"***"}"#);
    assert!(!errors.contains(key), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_takes_what_failed_and_stops_after_five_failures_in_a_row() {
    let server = start(Options::default()).await;
    let receiver = Receiver::always(500).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    for _ in 0..12 {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    attempts(&server, &format!("endpoint_id={}", endpoint.id), 12).await;
    let (code, lines, said) = on(&server, &["replay", "--query", "failed", "--dry-run"]).await;
    assert_eq!(code, 0, "{lines:?} {said}");
    let n_to_send = |line: &String| line.starts_with("12 to send, oldest first");
    assert!(lines.iter().any(n_to_send), "{lines:?}");
    let pending = "by estimate the service tries 12 of them again by itself, which a resend may end; \
                   --leave-retries leaves them to it";
    assert_eq!(lines.last().map(String::as_str), Some(pending));
    let left = ["replay", "--query", "failed", "--leave-retries", "--yes"];
    let (code, lines, said) = on(&server, &left).await;
    assert_eq!((code, lines.len()), (0, 0), "{lines:?} {said}");
    assert!(
        said.contains("12 left to the service's own retries (by estimate)"),
        "{said}"
    );
    let (code, ..) = on(&server, &["replay", "--query", "delivered", "--yes"]).await;
    assert_ne!(code, 0, "nothing is delivered");

    let bulk = [
        "replay", "--since", "1h", "--rate", "100", "--yes", "--json",
    ];
    // Replays of every server stand in one ledger; this one is of this test alone.
    let state = tempfile::tempdir().unwrap();
    let alone = |arguments: &[&str]| {
        let mut command = reeltop(&server.url(), server.api_key(), arguments);
        command.env("XDG_STATE_HOME", state.path());
        command
    };
    let (code, lines, said) = run(alone(&bulk)).await;
    assert_eq!(code, 1, "{lines:?} {said}");
    assert!(said.contains("stopped after 5 failures"), "{said}");
    // Nobody was shown the plan: what speaks against it is said all the same.
    assert!(said.contains(pending), "{said}");
    assert!(said.contains("an automatic retry is due in"), "{said}");
    let n_failed = lines
        .iter()
        .filter(|line| line.contains("\"state\":\"failed\""))
        .count();
    assert!((5..12).contains(&n_failed), "{n_failed}: {lines:?}");
    // The rest leaves a line each too.
    let told: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let left: HashSet<&str> = (told.iter())
        .filter(|line| line["state"] == "cancelled")
        .inspect(|line| {
            let why = line["reason"].as_str().unwrap();
            assert!(why.contains("not sent"), "{line}");
        })
        .map(|line| line["message_id"].as_str().unwrap())
        .collect();
    assert_eq!(left.len(), 12 - n_failed, "{lines:?}");
    let (code, lines, _) = run(alone(&["replays", "--json"])).await;
    assert_eq!((code, lines.len()), (0, n_failed));
    for (query, n) in [("failed", n_failed), ("!failed", 0), ("unknown", 0)] {
        let (code, lines, _) = run(alone(&["replays", "--json", "-q", query])).await;
        assert_eq!((code, lines.len()), (0, n), "{query}");
    }
    let (code, lines, said) = run(alone(&[
        "replays", "--json", "-q", "failed", "--limit", "2",
    ]))
    .await;
    assert_eq!((code, lines.len()), (0, 2));
    assert!(said.contains("older ones match too"), "{said}");
    let (code, _, said) = run(alone(&["replays", "-q", "type:task.failed"])).await;
    assert_eq!(code, 2);
    assert!(
        said.contains("--query: it asks about its message"),
        "{said}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_only_fails_is_disabled_by_the_service_and_gets_no_replay() {
    // Five days are less than half a second, and a message's eight attempts a tenth.
    let server = start(Options {
        time_scale: 1e6,
        disable_after: Some(Duration::from_hours(5 * 24)),
        ..Options::default()
    })
    .await;
    let (bad, good) = (Receiver::always(500).await, Receiver::always(204).await);
    let bad = create_endpoint(&server, &bad.url, &["task.*"]).await;
    let good = create_endpoint(&server, &good.url, &["task.*"]).await;
    let listed = || async {
        let (code, lines, said) = on(&server, &["endpoints", "--json"]).await;
        assert_eq!(code, 0, "{said}");
        let lines = lines.iter().map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<Value>>()
    };
    let is_disabled = |rows: &[Value], id: &str| {
        let row = rows.iter().find(|row| row["id"] == id).unwrap();
        row["disabled"].as_bool().unwrap()
    };
    let rows = eventually("the endpoint's end", || async {
        server.backend().create_task("asset", &["proxy"]).unwrap();
        let rows = listed().await;
        is_disabled(&rows, &bad.id).then_some(rows)
    })
    .await;
    assert!(!is_disabled(&rows, &good.id), "{rows:?}");
    // Every message of the time failed there, and none is sent again.
    let (code, lines, said) = on(&server, &["replay", "--query", "failed", "--dry-run"]).await;
    assert_eq!(code, 1, "{lines:?} {said}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("the endpoint is disabled")),
        "{lines:?} {said}"
    );
    server.stop().await;
}

/// ctrl-c in the middle: what was not reached leaves a line, and nothing is left open that was not
/// begun.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_bulk_leaves_a_line_for_each() {
    let server = start(Options::default()).await;
    let receiver = Receiver::always(500).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    for n in 0..12 {
        server
            .backend()
            .create_task(&format!("a{n}"), &["proxy"])
            .unwrap();
    }
    attempts(&server, &format!("endpoint_id={}", endpoint.id), 12).await;
    let state = tempfile::tempdir().unwrap();
    let bulk = "replay --since 1h --yes --json --rate 0.05";
    let bulk: Vec<&str> = bulk.split(' ').collect();
    let mut command = reeltop(&server.url(), server.api_key(), &bulk);
    let mut child = command
        .env("XDG_STATE_HOME", state.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let pid = child.id().to_string();
        let killed = Command::new("kill").args(["-INT", &pid]).status();
        assert!(killed.unwrap().success());
        let mut told = vec![first];
        told.extend(lines.map(Result::unwrap));
        (child.wait_with_output().unwrap(), told)
    });
    let (output, lines) = told.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    let mut ends: HashMap<String, String> = HashMap::new();
    for line in &lines {
        let line: Value = serde_json::from_str(line).unwrap();
        let word = |name: &str| line[name].as_str().unwrap().to_owned();
        ends.insert(word("message_id"), word("state"));
    }
    assert_eq!(ends.len(), 12, "{lines:?} {said}");
    let n_cancelled = ends.values().filter(|state| *state == "cancelled").count();
    assert!(n_cancelled >= 11, "{ends:?} {said}");
    assert!(!ends.values().any(|state| state == "planned"), "{ends:?}");
    let words = format!("ended; {n_cancelled} were not sent");
    assert!(said.contains(&words), "{ends:?} {said}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_tells_how_its_endpoints_were_notified() {
    let server = start(Options::default()).await;
    let (good, bad) = (Receiver::always(204).await, Receiver::always(500).await);
    let good = create_endpoint(&server, &good.url, &["task.*"]).await;
    let bad = create_endpoint(&server, &bad.url, &["task.*"]).await;
    let task = server.backend().create_task("asset", &["proxy"]).unwrap();
    for endpoint in [&good, &bad] {
        attempts(&server, &format!("endpoint_id={}", endpoint.id), 1).await;
    }
    let asked = ["tasks", &task, "--webhooks", "--json"];
    let (code, lines, said) = on(&server, &asked).await;
    assert_eq!((code, lines.len()), (0, 1), "{said}");
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    let of = |endpoint: &str| {
        let all = line["webhooks"].as_array().unwrap();
        let mut found = all.iter().filter(|it| it["endpoint_id"] == endpoint);
        found.next().unwrap().clone()
    };
    let (good, bad) = (of(&good.id), of(&bad.id));
    assert_eq!(
        (&good["delivered"], &bad["delivered"]),
        (&1.into(), &0.into())
    );
    assert!(
        good["lag_ms"].is_u64() && good["waiting_ms"].is_null(),
        "{good}"
    );
    assert!(
        bad["waiting_ms"].is_u64() && bad["lag_ms"].is_null(),
        "{bad}"
    );
    let (_, table, _) = on(&server, &asked[..3]).await;
    let table = table.join("\n");
    assert!(
        table.contains(" after progress") && table.contains("not yet, "),
        "{table}"
    );
    let (code, ..) = on(&server, &["tasks", "--webhooks"]).await;
    assert_eq!(code, 2);
    server.stop().await;
}
