use serde_json::{Value, json};

use super::send::{receiver, strict};
use super::{BODY, ID, Ran, SECRET, command, ended, file, http, signed};
use crate::server::support::{create_endpoint, only_message, start_fast};

async fn run(arguments: &[&str], environment: &[(&str, String)]) -> Ran {
    let mut command = command(arguments);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    tokio::task::spawn_blocking(move || ended(command))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn captured_bytes_are_sent_as_they_were_with_a_fresh_signature() {
    let folder = tempfile::tempdir().unwrap();
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
        let ran = run(&arguments, &[]).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let line: Value = serde_json::from_str(&ran.stdout).unwrap();
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
    let ran = run(&arguments, &[]).await;
    assert_eq!(ran.stdout, "");
    let ran_without = run(&["replay", ID, "--secret-file", &secret], &[]).await;
    assert!(ran_without.code == 2 && ran_without.stderr.contains("--to"));
    // What was not captured is asked for at a server, and none is configured.
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_gives_is_labelled_as_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
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
    for (arguments, code, state) in [
        (to(&app, &["--dry-run"]), 0, Some("planned")),
        (to(&app, &[]), 0, Some("delivered")),
        (to(&format!("{app}/elsewhere"), &[]), 1, Some("failed")),
        (to(&app, &["--read-only"]), 1, Some("failed")),
        (to("http://127.0.0.1:1/", &[]), 1, Some("failed")),
        (to("http://hooks.invalid/", &[]), 2, None),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = run(&arguments, &environment).await;
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        let line = ran
            .stdout
            .lines()
            .next()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let seen = line.as_ref().and_then(|line| line["state"].as_str());
        assert_eq!(seen, state, "{arguments:?}");
        assert!(line.is_none_or(|line| line["body"] == "rebuilt"));
    }
    server.stop().await;
}
