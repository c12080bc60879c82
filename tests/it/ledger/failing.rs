//! A ledger that cannot be written: the dashboard says so, and sends nothing.

use std::time::Duration;

use reeltop::server::Options;

use crate::pty::Pty;
use crate::server::support::{Receiver, answer, attempts, create_endpoint, start};

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_says_that_it_fails_and_sends_nothing() {
    let server = start(Options {
        time_scale: 0.001,
        ..Options::default()
    })
    .await;
    let receiver = Receiver::start(|_| (Duration::ZERO, answer(500, ""))).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    server.backend().create_task("asset", &["proxy"]).unwrap();
    attempts(&server, &format!("endpoint_id={}", endpoint.id), 1).await;
    receiver.next().await;
    let (url, key) = (server.url(), server.api_key().to_owned());
    let watched = tokio::task::spawn_blocking(move || {
        let environment = [
            ("ASPECT_BASE_URL", url.as_str()),
            ("ASPECT_API_KEY", key.as_str()),
        ];
        // A folder stands where the file should.
        let script = "mkdir -p \"$XDG_STATE_HOME/reeltop/replays.db\" && exec \"$REELTOP\"";
        let mut pty = Pty::shell(script, &environment, 120, 36);
        pty.sees("LEDGER FAILS");
        pty.keys("3");
        pty.sees("✗ 1 still broken");
        pty.keys("\r");
        pty.sees("Why:");
        pty.keys("r");
        pty.sees("SEND");
        pty.keys("\r");
        // Whatever its words, it names the file and that nothing was sent.
        let screen = pty.sees("replays.db");
        assert!(!screen.contains("accepted"), "{screen}");
        pty.keys("\x03");
        pty.end();
    });
    watched.await.unwrap();
    assert!(receiver.is_quiet().await);
    let rows = attempts(&server, &format!("endpoint_id={}", endpoint.id), 1).await;
    assert_eq!(rows.len(), 1);
    server.stop().await;
}
