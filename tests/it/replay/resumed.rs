//! A bulk that failures stopped goes on with the rest when the same command is given again.

use std::collections::HashSet;
use std::process::Command;

use reeltop::server::Options;
use serde_json::Value;

use crate::server::support::{Receiver, attempts, create_endpoint, start};

const N: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn each_run_begins_with_what_was_not_tried() {
    let server = start(Options::default()).await;
    let receiver = Receiver::always(500).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    for _ in 0..N {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    attempts(&server, &format!("endpoint_id={}", endpoint.id), N).await;
    let state = tempfile::tempdir().unwrap();
    let run = async |mode: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
        command
            .env_clear()
            .env("HOME", state.path())
            .env("ASPECT_API_KEY", server.api_key())
            .env("ASPECT_BASE_URL", server.url())
            .args(["replay", "--query", "failed", "--rate", "100"])
            .args(mode.split(' '));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (text, String::from_utf8(output.stderr).unwrap())
    };
    let mut tried: HashSet<String> = HashSet::new();
    for (n_new, n_tried) in [(5, 0), (5, 5), (2, 10)] {
        let (plan, _) = run("--dry-run").await;
        let words = format!("{n_tried} of them were tried by an earlier replay: they go last");
        assert_eq!(plan.contains(&words), n_tried > 0, "{plan}");
        let (text, said) = run("--yes --json").await;
        let failed: HashSet<String> = (text.lines())
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["state"] == "failed")
            .map(|line| line["message_id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(failed.len(), 5, "{text}{said}");
        assert_eq!(failed.difference(&tried).count(), n_new, "{text}{said}");
        assert!(
            said.contains("begins with what was not tried yet"),
            "{said}"
        );
        tried.extend(failed);
    }
    assert_eq!(tried.len(), N);
    server.stop().await;
}
