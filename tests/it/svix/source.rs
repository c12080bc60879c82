//! Svix beside the Aspect API and alone: in the dashboard's history and in the headless commands.

use std::process::{Command, Stdio};

use reeltop::domain::{Ability, Forecast, LinkState, Offer};
use reeltop::io::config::Source;
use serde_json::Value;

use super::{APP, alone, named, publish, svix_of, svix_server};
use crate::client::intake::{Watcher, source_of};
use crate::server::support::{Receiver, create_endpoint, start_fast};

#[tokio::test]
async fn alone_its_messages_are_the_tasks_and_the_link_says_so() {
    let server = svix_server().await;
    let receiver = Receiver::always(500).await;
    create_endpoint(&server, &receiver.url, &["task.*"]).await;
    publish(&server, &svix_of(&server), 2).await;
    let mut watcher = Watcher::open(alone(&server.url(), server.api_key()));
    watcher
        .until("tasks out of messages", |history| {
            history.tasks.len() == 2
                && history
                    .deliveries
                    .newest()
                    .any(reeltop::domain::Delivery::is_failing)
                && history
                    .abilities
                    .offers
                    .contains_key(&Offer::AttemptHeaders)
        })
        .await;
    let history = &watcher.history;
    let LinkState::Polling { why } = &history.link else {
        panic!("{:?}", history.link);
    };
    assert_eq!(
        why.to_string(),
        "no Aspect API is configured; tasks are as seen in messages"
    );
    let abilities = &history.abilities;
    assert!(matches!(&abilities.resend, Ability::Offered(route) if route.starts_with("Svix")));
    assert_eq!(
        abilities.messages,
        Ability::Offered("Svix: GET /app/{app}/msg".to_owned())
    );
    assert!(matches!(
        &abilities.offers[&Offer::BulkReplay],
        Ability::Absent(_)
    ));
    watcher.hose.close().await;
    server.stop().await;
}

#[tokio::test]
async fn when_a_retry_comes_is_what_the_service_says() {
    let server = svix_server().await;
    let receiver = Receiver::always(500).await;
    create_endpoint(&server, &receiver.url, &["task.*"]).await;
    publish(&server, &svix_of(&server), 1).await;
    let mut watcher = Watcher::open(alone(&server.url(), server.api_key()));
    watcher
        .until("a retry whose time is known", |history| {
            history.deliveries.newest().any(|delivery| {
                delivery.outcomes.iter().any(|outcome| {
                    let told = delivery.next_told(&outcome.endpoint);
                    let forecast = delivery.forecast(&history.schedule, &outcome.endpoint);
                    matches!(forecast, Forecast::Next { is_exact: true, at, .. }
                        if told.and_then(|told| told.at) == Some(at))
                })
            })
        })
        .await;
    watcher.hose.close().await;
    server.stop().await;
}

#[tokio::test]
async fn alone_and_refused_the_link_is_stopped_with_the_reason() {
    let server = svix_server().await;
    let mut source = alone(&server.url(), server.api_key());
    source.svix.as_mut().unwrap().app = "somebody".to_owned();
    let mut watcher = Watcher::open(source);
    watcher
        .until("stopped", |history| {
            matches!(&history.link, LinkState::Stopped { why } if why.hint.contains("svix_app"))
        })
        .await;
    watcher.hose.close().await;
    server.stop().await;
}

#[tokio::test]
async fn beside_the_aspect_api_tasks_come_from_there_and_deliveries_from_svix() {
    let aspect = start_fast().await;
    let svix = svix_server().await;
    let receiver = Receiver::always(204).await;
    create_endpoint(&svix, &receiver.url, &["task.*"]).await;
    publish(&svix, &svix_of(&svix), 1).await;
    let task = aspect.backend().create_task("asset", &["proxy"]).unwrap();
    let source = Source {
        svix: Some(named(&svix.url(), svix.api_key())),
        ..source_of(&aspect, &aspect.url())
    };
    let mut watcher = Watcher::open(source);
    watcher.until_live(1).await;
    watcher
        .until("both", |history| {
            history
                .tasks
                .get(&reeltop::domain::TaskId::new(&task))
                .is_some()
                && history
                    .deliveries
                    .newest()
                    .any(|held| !held.attempts().is_empty())
                && history.endpoints.len() == 1
        })
        .await;
    let resend = &watcher.history.abilities.resend;
    assert!(
        matches!(resend, Ability::Offered(route) if route.starts_with("Svix")),
        "{resend:?}"
    );
    watcher.hose.close().await;
    svix.stop().await;
    aspect.stop().await;
}

async fn run(token: &str, arguments: Vec<String>) -> (i32, Vec<String>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("SVIX_TOKEN", token)
        .env("HOME", "/nonexistent")
        .args(arguments)
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    (
        output.status.code().unwrap_or(-1),
        lines.lines().map(str::to_owned).collect(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headless_lists_read_svix_by_its_flags_alone() {
    let server = svix_server().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let messages = publish(&server, &svix_of(&server), 3).await;
    receiver.next().await;
    super::attempts(&svix_of(&server), &messages[0], 1).await;
    let url = server.url();
    let given = |words: &[&str]| {
        let mut all: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        all.extend(["--svix-url", &url, "--svix-app", APP].map(str::to_owned));
        all
    };
    let key = server.api_key();
    let (code, lines, words) = run(key, given(&["messages", "--json", "--limit", "2"])).await;
    assert_eq!((code, lines.len()), (0, 2), "{words}");
    let (code, lines, words) = run(key, given(&["endpoints", "--json"])).await;
    assert_eq!((code, lines.len()), (0, 1), "{words}");
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["id"], endpoint.id);
    let id = messages[0].to_string();
    let (code, lines, words) = run(key, given(&["attempts", "--json", "--message", &id])).await;
    assert_eq!((code, lines.len()), (0, 1), "{words}");
    let (code, lines, words) = run(key, given(&["messages", &id, "msg_none", "--json"])).await;
    assert_eq!((code, lines.len()), (1, 1), "{words}");
    assert!(
        words.contains("Svix has no message msg_none in application user-1"),
        "{words}"
    );
    let (code, _, words) = run(key, given(&["tasks"])).await;
    assert_eq!(code, 1);
    assert!(words.contains("no Aspect API is configured"), "{words}");
    let (code, _, words) = run(key, given(&["tail"])).await;
    assert_eq!(code, 1);
    assert!(words.contains("no Aspect API is configured"), "{words}");
    let (code, lines, words) = run(key, given(&["doctor", "--json"])).await;
    let said = lines.join("\n");
    assert_eq!(code, 0, "{said} {words}");
    assert!(
        said.contains("not replay-missing, bulk-replay, attempt headers"),
        "{said}"
    );
    assert!(!said.contains(key) && !words.contains(key));
    let (code, lines, words) = run(key, given(&["config", "--json"])).await;
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(
        (code, line["source"]["svix"]["app"].as_str()),
        (0, Some(APP)),
        "{words}"
    );
    assert_eq!(line["source"]["svix"]["token_from"], "SVIX_TOKEN");
    let (code, _, words) = run(" ", given(&["messages"])).await;
    assert_eq!(code, 2);
    assert!(words.contains("SVIX_TOKEN"), "{words}");
    server.stop().await;
}
