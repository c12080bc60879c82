//! The real dashboard in a terminal replays many against a real server: each pair is posted once.

use std::collections::HashMap;
use std::time::Duration;

use reeltop::server::Options;

use crate::pty::Pty;
use crate::server::support::{Receiver, answer, attempts, create_endpoint, start};

const N: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn many_are_posted_once_each_after_they_could_be_taken_back() {
    // Automatic retries are hours away.
    let server = start(Options {
        time_scale: 0.001,
        ..Options::default()
    })
    .await;
    let receiver = Receiver::start(|number| {
        let status = if number < N { 500 } else { 204 };
        (Duration::ZERO, answer(status, ""))
    })
    .await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    for _ in 0..N {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    attempts(&server, &format!("endpoint_id={}", endpoint.id), N).await;
    let mut posts: HashMap<String, usize> = HashMap::new();
    for _ in 0..N {
        let arrived = receiver.next().await;
        *posts
            .entry(arrived.header("svix-id").to_owned())
            .or_default() += 1;
    }
    assert_eq!(posts.len(), N);
    let (url, api_key) = (server.url(), server.api_key().to_owned());
    let code = tokio::task::spawn_blocking(move || {
        let environment = [
            ("ASPECT_BASE_URL", url.as_str()),
            ("ASPECT_API_KEY", api_key.as_str()),
        ];
        let mut pty = Pty::start(&[], &environment, 120, 36);
        pty.keys("3");
        pty.sees(&format!("✗ {N} still broken"));
        pty.keys("R");
        pty.sees(&format!("Enter send {N}"));
        pty.keys("\r");
        pty.sees(&format!("Type {N} to send {N}"));
        pty.keys(&format!("{N}\r"));
        pty.sees("u takes it back");
        pty.keys("u");
        pty.sees("taken back, nothing was sent");
        pty.sees(&format!("Enter send {N}"));
        pty.keys("\r");
        pty.sees(&format!("Type {N} to send {N}"));
        pty.keys(&format!("{N}\r"));
        pty.sees(&format!("{N} sent · ✓ {N} delivered"));
        pty.escape();
        pty.sees("✗ 0 still broken");
        pty.keys("q");
        pty.end().exit_code()
    })
    .await
    .unwrap();
    assert_eq!(code, 0);
    for _ in 0..N {
        let arrived = receiver.next().await;
        *posts
            .entry(arrived.header("svix-id").to_owned())
            .or_default() += 1;
    }
    assert!(receiver.is_quiet().await, "nothing else was posted");
    assert!(posts.values().all(|n| *n == 2), "{posts:?}");
    server.stop().await;
}
