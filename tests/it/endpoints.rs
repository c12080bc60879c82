//! `reeltop endpoints …` against the embedded server, as a user runs it: what is changed there, what
//! is printed, and what never leaves.

mod ended;
mod kept;
mod meanwhile;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use reeltop::server::Running;
use reqwest::Method;
use serde_json::{Value, json};

use crate::scripted::{Scripted, answer};
use crate::server::support::{Receiver, call, create_endpoint, get, start_fast};

/// Runs the command; with what it reads from standard input.
async fn run(url: &str, key: &str, home: &Path, arguments: &[&str], typed: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command.env_clear().env("HOME", home);
    command
        .env("ASPECT_BASE_URL", url)
        .env("ASPECT_API_KEY", key);
    command.arg("endpoints").args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let typed = typed.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        // One that does not read it is no fault.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap()
}

struct Shop {
    server: Running,
    home: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        Self {
            server: start_fast().await,
            home: tempfile::tempdir().unwrap(),
        }
    }

    async fn run(&self, arguments: &[&str], typed: &str) -> (i32, String, String) {
        let (url, key) = (self.server.url(), self.server.api_key());
        told(run(&url, key, self.home.path(), arguments, typed).await)
    }

    /// The one endpoint there is.
    async fn only(&self) -> Value {
        let list = get(&self.server, "/webhooks/endpoints").await;
        assert_eq!(list["data"].as_array().unwrap().len(), 1, "{list}");
        list["data"][0].clone()
    }
}

fn told(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_created_and_its_secret_shown_once() {
    let shop = Shop::open().await;
    let (code, out, words) = shop
        .run(
            &[
                "create",
                "-",
                "--description",
                "prod",
                "--rate-limit",
                "7",
                "--json",
            ],
            "https://u:p4ss@example.com/hooks?token=t0ken\n",
        )
        .await;
    assert_eq!(code, 0, "{words}");
    let line: Value = serde_json::from_str(&out).unwrap();
    let endpoint = shop.only().await;
    assert_eq!(
        endpoint["url"],
        "https://u:p4ss@example.com/hooks?token=t0ken"
    );
    assert_eq!(
        (&endpoint["rate_limit"], &endpoint["description"]),
        (&json!(7), &json!("prod"))
    );
    assert_eq!(line["id"], endpoint["id"]);
    assert_eq!(line["url"], "https://***@example.com/hooks?token=***");
    let path = format!(
        "/webhooks/endpoints/{}/secret",
        endpoint["id"].as_str().unwrap()
    );
    assert_eq!(line["secret"], get(&shop.server, &path).await["key"]);
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_one_field_leaves_the_others_and_their_secrets() {
    let shop = Shop::open().await;
    let url = "https://u:p4ss@example.com/hooks?token=t0ken";
    let created = create_endpoint(&shop.server, url, &["task.failed"]).await;
    let before = shop.only().await;
    for (arguments, field, value) in [
        (
            vec!["update", &created.id, "--description", "new"],
            "description",
            json!("new"),
        ),
        (
            vec!["update", &created.id, "--rate-limit", "9"],
            "rate_limit",
            json!(9),
        ),
        (vec!["disable", &created.id], "disabled", json!(true)),
        (vec!["enable", &created.id], "disabled", json!(false)),
        (
            vec!["update", &created.id, "--rate-limit", "none"],
            "rate_limit",
            json!(null),
        ),
        (
            vec!["update", &created.id, "--event-types", "task.*"],
            "event_types",
            json!(["task.completed", "task.failed", "task.progress"]),
        ),
    ] {
        let (code, out, words) = shop.run(&arguments, "").await;
        assert_eq!((code, out.as_str()), (0, ""), "{words}");
        let after = shop.only().await;
        assert_eq!(after[field], value, "{arguments:?}");
        assert_eq!(after["url"], before["url"]);
    }
    let arguments = ["update", &created.id, "--description", "told", "--json"];
    let (code, out, words) = shop.run(&arguments, "").await;
    assert_eq!(code, 0, "{words}");
    let line: Value = serde_json::from_str(&out).unwrap();
    let (_, listed, _) = shop.run(&["--json"], "").await;
    let mut listed: Value = serde_json::from_str(&listed).unwrap();
    listed.as_object_mut().unwrap().remove("health");
    assert_eq!(line, listed);
    assert_eq!(line["description"], "told");
    assert_eq!(line["url"], "https://***@example.com/hooks?token=***");
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_would_refuse_is_not_sent_and_named() {
    let shop = Shop::open().await;
    for (arguments, named) in [
        (vec!["create", "example.com"], "URL"),
        (
            vec!["create", "http://[::1"],
            "URL: the IPv6 address of the host has no ]",
        ),
        (
            vec!["update", "ep_1", "--to", "http://[zz]/"],
            "in the brackets of the host is no IPv6 address",
        ),
        (
            vec!["create", "http://a/", "--event-types", "a b"],
            "--event-types",
        ),
        (
            vec!["create", "http://a/", "--event-types", "task.failed,bogus"],
            "--event-types: this service has no event type \"bogus\"; it has task.*",
        ),
        (
            vec!["update", "ep_1", "--event-types", "bogus"],
            "--event-types: this service has no event type",
        ),
        (
            vec!["create", "http://a/", "--rate-limit", "0"],
            "--rate-limit",
        ),
        (
            vec!["update", "ep_1", "--rate-limit", "-1"],
            "'--rate-limit <N>': give a whole number",
        ),
        (vec!["update", "ep_1"], "--description"),
        (vec!["update", "ep_1", "--to", "ftp://a/"], "URL"),
        (vec!["headers", "ep_1", "--from", "/nowhere"], "--from"),
    ] {
        let (code, out, words) = shop.run(&arguments, "").await;
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {words}");
        assert!(words.contains(named), "{words}");
    }
    // What is well formed and not there: the service's own words.
    let (code, _, words) = shop.run(&["delete", "ep_1", "--yes"], "").await;
    assert_eq!(code, 1);
    assert!(words.contains("Endpoint not found"), "{words}");
    let (code, _, words) = shop
        .run(&["update", "ep_1", "--description", "x"], "")
        .await;
    assert_eq!(code, 1);
    assert!(words.contains("there is no endpoint ep_1"), "{words}");
    shop.server.stop().await;
}

/// `--url` meant as the endpoint's address must not carry the key there.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_takes_no_other_server_by_url() {
    let shop = Shop::open().await;
    let wrong = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    wrong.set_nonblocking(true).unwrap();
    let address = format!("http://{}/hook", wrong.local_addr().unwrap());
    let created = create_endpoint(&shop.server, "http://127.0.0.1:9/", &["task.*"]).await;
    for more in [&[][..], &["--description", "x"], &["--to", "http://a/"]] {
        let arguments = [&["update", &created.id, "--url", &address][..], more].concat();
        let (code, out, words) = shop.run(&arguments, "").await;
        assert_eq!((code, out.as_str()), (2, ""), "{words}");
        assert!(words.contains("--to URL"), "{words}");
    }
    let heard = wrong.accept().map_err(|error| error.kind());
    assert!(matches!(heard, Err(std::io::ErrorKind::WouldBlock)));
    // The configured server by its own name is no mistake.
    let own = format!("{}/", shop.server.url());
    let arguments = ["update", &created.id, "--url", &own, "--description", "x"];
    let (code, _, words) = shop.run(&arguments, "").await;
    assert_eq!(code, 0, "{words}");
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_wants_a_yes() {
    let shop = Shop::open().await;
    let created = create_endpoint(&shop.server, "http://127.0.0.1:9/", &["task.*"]).await;
    let (code, _, words) = shop.run(&["delete", &created.id], "y\n").await;
    assert_eq!(code, 2);
    assert!(words.contains("nothing was deleted"), "{words}");
    assert_eq!(shop.only().await["id"], created.id.as_str());
    let (code, _, words) = shop.run(&["delete", &created.id, "--yes"], "").await;
    assert_eq!(code, 0, "{words}");
    assert_eq!(
        get(&shop.server, "/webhooks/endpoints").await["data"],
        json!([])
    );
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_rotated_saved_and_printed() {
    let shop = Shop::open().await;
    let created = create_endpoint(&shop.server, "http://127.0.0.1:9/", &["task.*"]).await;
    let (code, out, _) = shop.run(&["secret", &created.id], "").await;
    assert_eq!((code, out.trim()), (0, created.secret.as_str()));
    let (code, _, words) = shop
        .run(&["rotate", &created.id, "--grace", "30m", "--yes"], "")
        .await;
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("stays valid for 30m"), "{words}");
    let (code, out, words) = shop.run(&["secret", &created.id, "--save"], "").await;
    assert_eq!((code, out.as_str()), (0, ""), "{words}");
    let file = words.trim().rsplit("is in ").next().unwrap();
    let saved = std::fs::read_to_string(file).unwrap();
    let path = format!("/webhooks/endpoints/{}/secret", created.id);
    assert_eq!(
        saved.trim(),
        get(&shop.server, &path).await["key"].as_str().unwrap()
    );
    assert_ne!(saved.trim(), created.secret);
    assert!(!words.contains(saved.trim()));
    // It is used where none is named, as is said.
    let receiver = Receiver::always(204).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command.env_clear().env("HOME", shop.home.path());
    command.env("ASPECT_BASE_URL", shop.server.url());
    command.env("ASPECT_API_KEY", shop.server.api_key());
    command.args(["send", "task.failed", "--to", &receiver.url]);
    let sent = tokio::task::spawn_blocking(move || command.output().unwrap());
    let (code, _, said) = told(sent.await.unwrap());
    let used = format!("is used, of {}", created.id);
    assert!(code == 0 && said.contains(&used), "{said}");
    assert!(
        receiver
            .next()
            .await
            .header("svix-signature")
            .starts_with("v1,")
    );
    // What is saved is never the secret before.
    let (code, _, words) = shop.run(&["rotate", &created.id, "--yes"], "").await;
    assert_eq!(code, 0, "{words}");
    assert!(
        words.contains(&format!("the new secret is in {file}")),
        "{words}"
    );
    let renewed = std::fs::read_to_string(file).unwrap();
    assert_ne!(renewed, saved);
    let told = get(&shop.server, &path).await;
    assert_eq!(renewed.trim(), told["key"].as_str().unwrap());
    let none = ["rotate", &created.id, "--yes", "--secret-file", "-"];
    let (code, _, words) = shop.run(&none, "\n").await;
    assert_eq!(code, 2, "{words}");
    assert!(words.contains("--secret-file"), "{words}");
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_set_from_standard_input_and_an_example_carries_them() {
    let shop = Shop::open().await;
    let receiver = Receiver::always(204).await;
    let created = create_endpoint(&shop.server, &receiver.url, &["task.*"]).await;
    let typed = "X-Team: media\n\nAuthorization: Basic cGxhbnRlZA==\n";
    let (code, _, words) = shop
        .run(&["headers", &created.id, "--from", "-"], typed)
        .await;
    assert_eq!(code, 0, "{words}");
    let (_, out, _) = shop.run(&["headers", &created.id], "").await;
    assert!(
        out.contains("media") && out.contains("Authorization"),
        "{out}"
    );
    assert!(!out.contains("cGxhbnRlZA"), "{out}");
    let (code, _, words) = shop.run(&["example", &created.id, "task.failed"], "").await;
    assert_eq!(code, 0, "{words}");
    let arrived = receiver.next().await;
    assert_eq!(arrived.header("authorization"), "Basic cGxhbnRlZA==");
    // What no service takes is not sent, and its line is named.
    let (code, _, words) = shop
        .run(
            &["headers", &created.id, "--from", "-"],
            "x-a: b\nsvix-id: x\n",
        )
        .await;
    assert_eq!(code, 2);
    assert!(
        words.contains("line 2: delivery sets this header itself"),
        "{words}"
    );
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_endpoint_is_sent_no_example() {
    let shop = Shop::open().await;
    let created = create_endpoint(&shop.server, "http://127.0.0.1:9/", &["task.*"]).await;
    let (code, _, words) = shop.run(&["disable", &created.id], "").await;
    assert_eq!(code, 0, "{words}");
    let (code, _, words) = shop.run(&["example", &created.id], "").await;
    assert_eq!(code, 1, "{words}");
    let why =
        "nothing was sent: the endpoint is disabled: the service would accept it and silently";
    assert!(words.contains(why), "{words}");
    let messages = get(&shop.server, "/webhooks/messages").await;
    assert_eq!(messages["data"], json!([]));
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_changes_nothing_and_an_absent_route_is_said() {
    let shop = Shop::open().await;
    let created = create_endpoint(&shop.server, "http://127.0.0.1:9/", &["task.*"]).await;
    for arguments in [
        vec!["create", "http://a/"],
        vec!["update", &created.id, "--description", "x"],
        vec!["disable", &created.id],
        vec!["delete", &created.id, "--yes"],
        vec!["rotate", &created.id],
        vec!["example", &created.id],
    ] {
        let with = [&arguments[..], &["--read-only"]].concat();
        let (code, _, words) = shop.run(&with, "").await;
        assert_eq!(code, 1, "{arguments:?}");
        assert!(words.contains("read-only mode"), "{words}");
    }
    let path = format!("/webhooks/endpoints/{}", created.id);
    let (_, body) = call(&shop.server, Method::GET, &path, None).await;
    assert_eq!(body["endpoint"]["disabled"], false);
    assert_eq!(body["endpoint"]["description"], "test");
    shop.server.stop().await;

    let bare =
        Scripted::start(|_, _| answer("404 Not Found", "", "{\"detail\":\"Not Found\"}")).await;
    for (arguments, what) in [
        (vec!["secret", "ep_1"], "reading a secret"),
        (vec!["rotate", "ep_1"], "rotating a secret"),
        (vec!["headers", "ep_1"], "reading headers"),
        (vec!["example", "ep_1"], "sending an example"),
    ] {
        let output = run(&bare.url, "sk_test", shop.home.path(), &arguments, "").await;
        let (code, _, words) = told(output);
        assert_eq!(code, 1);
        assert!(words.contains(&format!("does not offer {what}")), "{words}");
    }
}
