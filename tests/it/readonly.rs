//! Read-only mode: whatever is tried, no request that changes anything leaves the program. Each way
//! is tried without it too, so that the test would see a request if there were one.

use std::process::Command;

use reeltop::app::{Effect, Msg, update};
use reeltop::domain::{ChangeKind, EndpointId, Grounds, MessageId, Route, Stage};
use reeltop::io::Clock;
use reeltop::io::client::Client;
use reeltop::io::config::Source;
use reeltop::io::intake::{self, ReplayOrder};

use crate::planted;
use crate::scripted::{Scripted, answer};
use crate::server::support::PATIENCE;
use crate::support::{fresh, key, picture, told, world};

/// Asks for a replay of the message that failed, from the list and from its page.
const WAY: &str =
    "3 / m s g _ f a i l e d enter r enter enter esc esc enter r enter enter esc esc R enter";
const RESEND: &str = "/webhooks/messages/{message_id}/resend";

async fn server() -> Scripted {
    let texts = ["x".to_owned()];
    Scripted::start(move |_, head| {
        if head.starts_with("post ") {
            answer("202 Accepted", "", "{}")
        } else {
            planted::api(&texts, head)
        }
    })
    .await
}

/// Requests that are neither GET nor HEAD.
fn n_changing(server: &Scripted) -> usize {
    let requests = server.requests();
    let is_reading = |head: &&String| head.starts_with("get ") || head.starts_with("head ");
    requests.len() - requests.iter().filter(is_reading).count()
}

fn source(server: &Scripted, is_read_only: bool) -> Source {
    let mut source = Source::new(&server.url, "sk_test");
    source.read_only = is_read_only;
    source
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_sends_a_change() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, profile, n_sent) in [
        (vec!["--yes"], false, 1),
        (vec!["--yes", "--read-only"], false, 0),
        (vec!["--yes", "--json", "--read-only"], false, 0),
        (vec!["--yes", "--endpoint", "p0x", "--read-only"], false, 0),
        (vec!["--yes"], true, 0),
    ] {
        let server = server().await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
        command.env_clear().env("HOME", folder.path());
        command.env("ASPECT_API_KEY", "sk_test");
        if profile {
            let config = folder.path().join("config.toml");
            let text = format!(
                "[profiles.safe]\nurl = \"{}\"\nkey_env = \"ASPECT_API_KEY\"\nread_only = true\n",
                server.url
            );
            std::fs::write(&config, text).unwrap();
            command
                .arg("--config")
                .arg(&config)
                .args(["--profile", "safe"]);
        } else {
            command.env("ASPECT_BASE_URL", &server.url);
        }
        command
            .args(["replay", "m0x", "--wait", "300ms"])
            .args(&arguments);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(n_changing(&server), n_sent, "{arguments:?}: {said}");
        if n_sent == 0 {
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("read-only"), "{said}");
        }
    }
}

#[tokio::test]
async fn the_client_and_the_hose_send_no_change() {
    for is_read_only in [false, true] {
        let server = server().await;
        let source = source(&server, is_read_only);
        let (message, endpoint) = (MessageId::new("m0x"), EndpointId::new("p0x"));
        let client = Client::new(&source).unwrap();
        client.resend(RESEND, &message, &endpoint, "k").await;
        assert_eq!(n_changing(&server), usize::from(!is_read_only));

        let (hose, mut changes) = intake::open(source, Clock::new());
        let mut is_ordered = false;
        let order = ReplayOrder {
            number: 1,
            message,
            endpoint,
            route: Route::Server,
            grounds: Grounds::default(),
        };
        let end = tokio::time::Instant::now() + PATIENCE;
        let is_refused = 'waiting: loop {
            let batch = tokio::time::timeout_at(end, changes.recv()).await;
            for change in batch.unwrap().unwrap() {
                match change.kind {
                    // Sent once the route is known, so that only read-only mode can refuse it.
                    ChangeKind::Abilities(abilities)
                        if abilities.resend.is_offered() && !is_ordered =>
                    {
                        is_ordered = true;
                        hose.replay(order.clone());
                    }
                    ChangeKind::Replay(step) => match step.stage {
                        Stage::Refused(why) => {
                            assert!(why.what.contains("read-only"), "{why}");
                            break 'waiting true;
                        }
                        Stage::Accepted => break 'waiting false,
                        _ => {}
                    },
                    _ => {}
                }
            }
        };
        assert_eq!(is_refused, is_read_only);
        hose.close().await;
        assert_eq!(n_changing(&server), 2 * usize::from(!is_read_only));
    }
}

#[test]
fn the_dashboard_asks_for_no_change_and_says_that_it_may_not() {
    for is_read_only in [false, true] {
        let mut state = if is_read_only { fresh() } else { told() };
        if is_read_only {
            state.session.is_read_only = true;
            update(&mut state, Msg::Changed(world()));
        }
        let mut n_asked = 0;
        for name in WAY.split(' ') {
            for effect in update(&mut state, Msg::Key(key(name))) {
                n_asked += usize::from(matches!(effect, Effect::Replay(_)));
            }
            picture(&mut state, 120, 36);
        }
        assert_eq!(n_asked > 0, !is_read_only, "{n_asked}");
        let shown = picture(&mut state, 120, 36);
        assert_eq!(shown.contains("READ-ONLY"), is_read_only, "{shown}");
    }
}

/// The gate is only one if nothing goes round it.
#[test]
fn requests_that_change_something_leave_by_one_door_only() {
    let room = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut folders = vec![format!("{}/src", env!("CARGO_MANIFEST_DIR"))];
    let mut n_files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(name);
                continue;
            }
            // The embedded server delivers to its receivers; the demo creates its own endpoints.
            let is_servers = name.contains("/src/server/") || name.ends_with("/cli/demo.rs");
            // Webhooks go to receivers by a door of their own, which has no key and the same gate.
            let is_door = name.ends_with("/io/client/http.rs") || name.ends_with("/io/post.rs");
            if is_servers || is_door {
                continue;
            }
            n_files += 1;
            let text = room(&name);
            for word in [
                ".post(",
                ".put(",
                ".patch(",
                ".delete(",
                "Method::",
                ".execute(",
            ] {
                // The client's other files hand a method over to the door.
                let is_handed = word == "Method::" && name.contains("/io/client/");
                let is_request = text.contains("reqwest") && text.contains(word) && !is_handed;
                assert!(!is_request, "{name} says {word}");
            }
        }
    }
    assert!(n_files > 100, "{n_files}");
    let http = room(&format!(
        "{}/src/io/client/http.rs",
        env!("CARGO_MANIFEST_DIR")
    ));
    assert_eq!(http.matches(".execute(").count(), 1);
    assert_eq!(http.matches("request.send()").count(), 0);
    let post = room(&format!("{}/src/io/post.rs", env!("CARGO_MANIFEST_DIR")));
    let (before, after) = post.split_once(".post(").unwrap();
    assert!(before.contains("if self.is_read_only {"));
    assert_eq!(after.matches(".send()").count(), 1);
    for word in [".post(", ".put(", ".patch(", ".delete(", ".execute("] {
        assert!(
            !after.contains(word) && !before.contains(".send()"),
            "{word}"
        );
    }
}
