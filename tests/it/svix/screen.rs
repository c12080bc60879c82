//! The routes of a plan of many, in the real program against a Svix server: each sends once.

use std::time::Duration;

use reeltop::server::Running;

use super::{APP, attempts, cloud, publish, svix_of, svix_server};
use crate::pty::Pty;
use crate::server::support::{Receiver, answer, create_endpoint};

/// What the receiver got by the route that so many presses of `p` turn to, after three failed.
async fn replayed_by(
    server: Running,
    turns: &'static str,
    words: &'static str,
    route: &'static str,
) -> Vec<String> {
    let receiver = Receiver::start(|number| {
        let status = if number < 3 { 500 } else { 204 };
        (Duration::ZERO, answer(status, ""))
    })
    .await;
    create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    for message in publish(&server, &svix, 3).await {
        attempts(&svix, &message, 1).await;
        receiver.next().await;
    }
    let (url, key) = (server.url(), server.api_key().to_owned());
    let watched = tokio::task::spawn_blocking(move || {
        let args = ["--svix-url", &url, "--svix-app", APP];
        let mut pty = Pty::start(&args, &[("SVIX_TOKEN", &key)], 120, 40);
        // Until it is known what the server offers, recover is no route.
        pty.keys("5");
        pty.wait("what is offered", |screen| {
            screen
                .lines()
                .any(|line| line.contains("recover ") && line.contains('✓'))
        });
        pty.keys("3");
        pty.wait("three that failed", |screen| {
            screen.contains("✗ 3 still broken")
        });
        pty.keys("R");
        pty.sees("by the server's resend");
        pty.keys(turns);
        pty.sees(words);
        pty.sees("Enter send 3");
        pty.keys("\r");
        pty.sees("✓ 3 delivered");
        pty.keys("\x1b");
        pty.wait("the plan closed", |screen| !screen.contains("Replay many"));
        pty.keys("L");
        let listed = pty.wait("the replays", |screen| screen.matches(route).count() == 3);
        pty.keys("\x03");
        assert_eq!(pty.end().exit_code(), 0);
        pty.assert_restored();
        listed
    });
    let listed = watched.await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let arrived = receiver.next().await;
        ids.push(arrived.header("svix-id").to_owned());
    }
    assert!(receiver.is_quiet().await, "each was sent once: {listed}");
    server.stop().await;
    ids.sort();
    ids.dedup();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_posted_from_here() {
    let ids = replayed_by(
        svix_server().await,
        "p",
        "by a POST from here, signed anew",
        "posted from here",
    )
    .await;
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_recovered_by_one_request() {
    let ids = replayed_by(
        svix_server().await,
        "pp",
        "Svix's recover, one request",
        "by Svix's recover",
    )
    .await;
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_sent_by_a_bulk_replay() {
    let words = "Svix's bulk-replay, one request";
    let ids = replayed_by(cloud().await, "ppp", words, "by Svix's bulk-replay").await;
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_tell_what_the_service_counts_and_why_it_tells_no_headers() {
    let server = svix_server().await;
    let receiver = Receiver::always(500).await;
    create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    let message = publish(&server, &svix, 1).await.remove(0);
    attempts(&svix, &message, 1).await;
    let (url, key) = (server.url(), server.api_key().to_owned());
    let watched = tokio::task::spawn_blocking(move || {
        let args = ["--svix-url", &url, "--svix-app", APP];
        let mut pty = Pty::start(&args, &[("SVIX_TOKEN", &key)], 120, 40);
        pty.keys("3");
        pty.sees("✗ 1 still broken");
        pty.keys("4\r");
        pty.sees("LATEST ATTEMPTS");
        let endpoint = pty.sees("as the service counts them");
        assert!(endpoint.contains("1 failed"), "{endpoint}");
        pty.keys("\r");
        pty.sees("headers    not told: this server does not offer attempt headers");
        pty.keys("\x03");
        pty.end();
    });
    watched.await.unwrap();
    server.stop().await;
}
