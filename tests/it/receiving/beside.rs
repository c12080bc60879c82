//! The receiver beside the dashboard: real deliveries of the demo on its screen.

use reeltop::server::Options;
use reqwest::Method;
use serde_json::json;

use super::listen::deliver;
use crate::pty::Pty;
use crate::server::support::{call, create_endpoint, start};

#[test]
fn the_demo_shows_what_it_receives_and_whether_it_verifies() {
    let mut pty = Pty::start(&["demo", "--listen", "--rate", "600"], &[], 120, 40);
    pty.sees("6 Received");
    pty.keys("6");
    pty.sees("✓ verified");
    pty.keys("\r");
    // A frame may come in pieces; this is of its last line.
    let page = pty.sees("\"event_type\"");
    for part in ["✓ verified: ", "svix-signature", "BODY"] {
        assert!(page.contains(part), "{page}");
    }
    pty.keys("v");
    pty.sees("looked at again");
    pty.keys("q");
    pty.end();
}

#[test]
fn what_cannot_be_listened_at_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    let ran = super::run(&["demo", &listen]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("127.0.0.1"), "{}", ran.stderr);
    let ran = super::run(&["--listen", "tasks"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

/// The secret of the start is not the one that signs after a rotation: `v` asks the service.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_is_known_when_the_signature_is_looked_at_again() {
    let server = start(Options::default()).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = free.local_addr().unwrap();
    drop(free);
    let endpoint = create_endpoint(&server, &format!("http://{at}/hook"), &["task.*"]).await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("old.whsec");
    std::fs::write(&secret, &endpoint.secret).unwrap();
    let config = folder.path().join("config.toml");
    let profile = format!(
        "[profiles.p]\nurl = \"{}\"\nkey_env = \"KEY\"\nwebhook_secret_file = \"{}\"\n",
        server.url(),
        secret.display()
    );
    std::fs::write(&config, profile).unwrap();
    let rotate = format!("/webhooks/endpoints/{}/secret/rotate", endpoint.id);
    let body = json!({"grace_period_seconds": 0});
    let (status, _) = call(&server, Method::POST, &rotate, Some(body)).await;
    assert_eq!(status / 100, 2);

    let listen = format!("--listen={at}");
    let config = config.display().to_string();
    let arguments = [&*listen, "--profile", "p", "--config", &config];
    let mut pty = Pty::start(&arguments, &[("KEY", server.api_key())], 120, 40);
    pty.sees("6 Received");
    server.backend().create_task("asset", &["proxy"]).unwrap();
    pty.keys("6");
    pty.sees("no secret fits");
    pty.keys("v");
    pty.sees("verified, the age of its timestamp left aside");
    // The row and the count say what was found as it came; its page tells both.
    let shown = pty.sees("1 not verified");
    assert!(shown.contains("✗ no secret fits"), "{shown}");
    pty.keys("\r");
    let page = pty.sees("\"event_type\"");
    for part in [
        "✗ not verified: no secret fits",
        "looked at again",
        "✓ verified: ",
    ] {
        assert!(page.contains(part), "{page}");
    }
    pty.keys("q");
    pty.end();
    server.stop().await;
}

/// Somebody who asks about a row is told as much as by `reeltop verify`.
#[tokio::test(flavor = "multi_thread")]
async fn an_altered_byte_is_named_when_the_signature_is_looked_at_again() {
    let server = start(Options::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let secret = super::file(&folder, "own", super::SECRET.as_bytes());
    let config = folder.path().join("config.toml");
    let profile = format!(
        "[profiles.p]\nurl = \"{}\"\nkey_env = \"KEY\"\nwebhook_secret_file = \"{secret}\"\n",
        server.url()
    );
    std::fs::write(&config, profile).unwrap();
    let config = config.display().to_string();
    let arguments = [
        "--listen=127.0.0.1:0",
        "--profile",
        "p",
        "--config",
        &config,
    ];
    let mut pty = Pty::start(&arguments, &[("KEY", server.api_key())], 120, 40);
    pty.sees("6 Received");
    pty.keys("6");
    let shown = pty.sees(" · at http://");
    let (_, rest) = shown.split_once(" · at ").unwrap();
    let url = rest.split_whitespace().next().unwrap().to_owned();
    let at = super::now();
    let altered = super::BODY.replacen("task", "tusk", 1);
    assert_ne!(altered, super::BODY);
    let signature = super::signed(super::SECRET, at, super::BODY);
    assert_eq!(deliver(&url, at, &signature, &altered).await, 401);
    pty.sees("no secret fits");
    pty.keys("v");
    pty.sees("one byte of the body was altered");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let seen = client.get(&url).send().await.unwrap();
    assert_eq!(seen.status(), 405);
    pty.sees("turned away: 1 no POST (405)");
    pty.keys("q");
    pty.end();
    server.stop().await;
}
