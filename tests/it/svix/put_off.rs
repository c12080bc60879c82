//! What the service puts off (429): waited for and asked for again, by the command and on the screen, or
//! said to be not sent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reeltop::io::client::Client;
use reeltop::io::ledger::Ledger;
use reeltop::io::sender::Posts;
use reeltop::server::Running;
use reeltop::server::chaos::{Choice, Fault, FaultSet};

use super::recover::{Failed, failed, failed_at, recovering, replay};
use super::{APP, alone};
use crate::pty::Pty;
use crate::scripted::{self, Reply, Scripted};
use crate::server::support::{Receiver, answer};

/// A receiver that takes what comes after the first three.
async fn failing_at_first() -> Receiver {
    let answered = |number| {
        let status = if number < 3 { 500 } else { 204 };
        (Duration::ZERO, answer(status, ""))
    };
    Receiver::start(answered).await
}

/// The server, but for the requests that the script answers: it gets how many of their kind came.
async fn but_for(
    server: &Running,
    kind: &'static str,
    script: impl Fn(usize) -> Option<Reply> + Send + Sync + 'static,
) -> Scripted {
    let (url, n) = (server.url(), AtomicUsize::new(0));
    Scripted::start(move |_, request| {
        let reply = is_of(kind, request).then(|| script(n.fetch_add(1, Ordering::SeqCst)));
        reply.flatten().unwrap_or_else(|| Reply::Pass(url.clone()))
    })
    .await
}

fn busy(seconds: u32) -> Reply {
    let headers = format!("retry-after: {seconds}\r\n");
    scripted::answer(
        "429 Too Many Requests",
        &headers,
        r#"{"detail":"slow down"}"#,
    )
}

/// Whether a request is of such a method, and its line has this in it: `post /recover `.
fn is_of(kind: &str, request: &str) -> bool {
    let (method, part) = kind.split_once(' ').unwrap();
    let line = request.lines().next().unwrap_or_default();
    line.starts_with(method) && line.contains(part)
}

fn n_of(server: &Scripted, kind: &str) -> usize {
    let requests = server.requests();
    requests.iter().filter(|it| is_of(kind, it)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_puts_it_off_is_waited_for_and_asked_again() {
    let failed = failed_at(failing_at_first().await).await;
    let endpoint = failed.orders[0].endpoint.to_string();
    let busy_twice = |n| (n < 2).then(|| busy(1));
    let service = but_for(&failed.server, "post /recover ", busy_twice).await;
    let given = [
        "--recover",
        "--since",
        "1h",
        "--yes",
        "--json",
        "--endpoint",
        &endpoint,
    ];
    let (code, lines, said) = replay(&service.url, failed.server.api_key(), &given).await;
    let told = lines.join("\n");
    assert_eq!(code, 0, "{told} {said}");
    assert_eq!(n_of(&service, "post /recover "), 3, "{told} {said}");
    assert_eq!(said.matches("asks to wait until 20").count(), 2, "{said}");
    for (state, n) in [("refused", 6), ("delivered", 3)] {
        let state = format!("\"state\":\"{state}\"");
        assert_eq!(told.matches(&state).count(), n, "{told}");
    }
    for _ in 0..3 {
        failed.receiver.next().await;
    }
    assert!(failed.receiver.is_quiet().await, "each was posted once");
    failed.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_off_for_longer_than_is_waited_is_not_sent_and_that_is_said() {
    let failed = failed().await;
    let endpoint = failed.orders[0].endpoint.to_string();
    let service = but_for(&failed.server, "post /recover ", |_| Some(busy(7))).await;
    let given = [
        "--recover",
        "--since",
        "1h",
        "--yes",
        "--wait",
        "5s",
        "--endpoint",
        &endpoint,
    ];
    let (code, lines, said) = replay(&service.url, failed.server.api_key(), &given).await;
    assert_eq!(code, 1, "{lines:?} {said}");
    assert_eq!(n_of(&service, "post /recover "), 1, "{lines:?} {said}");
    assert!(
        said.contains("3 were not sent: the service asks to wait until 20"),
        "{said}"
    );
    assert!(said.contains("or now with --wait 7s"), "{said}");
    assert!(said.contains("0 delivered, 0 failed, 3 not sent"), "{said}");
    assert!(failed.receiver.is_quiet().await);
    failed.server.stop().await;
}

#[tokio::test]
async fn where_a_look_before_it_is_put_off_all_of_them_are_and_nothing_is_asked_for() {
    let mut failed = failed().await;
    let service = but_for(&failed.server, "get /attempt/msg/", |n| {
        (n == 1).then(|| busy(1))
    })
    .await;
    let source = alone(&service.url, failed.server.api_key());
    failed.client = Client::new(&source).unwrap();
    let (states, told) = recovering(&failed, Ledger::in_memory(), &Posts::default()).await;
    assert_eq!(states, ["refused"; 3]);
    assert!(
        told.all().all(|replay| replay.state.is_put_off()),
        "{told:?}"
    );
    assert_eq!(n_of(&service, "post /recover "), 0);
    failed.server.stop().await;
}

/// The dashboard, in the run of all three that failed; what is done there once they are about to be
/// sent, and the screen of the replays at the end.
async fn run_of_three(
    (url, key): (String, String),
    meanwhile: impl FnOnce(&mut Pty) + Send + 'static,
) -> String {
    let watched = tokio::task::spawn_blocking(move || {
        let args = ["--svix-url", &url, "--svix-app", APP];
        let mut pty = Pty::start(&args, &[("SVIX_TOKEN", &key)], 120, 40);
        pty.keys("3");
        pty.wait("three that failed", |screen| {
            screen.contains("✗ 3 still broken")
        });
        pty.keys("R");
        pty.sees("Enter send 3");
        meanwhile(&mut pty);
        pty.sees("3 sent · ✓ 3 delivered");
        pty.keys("\x1b");
        pty.wait("the plan closed", |screen| !screen.contains("Replay many"));
        pty.keys("L");
        let listed = pty.wait("the replays", |screen| {
            screen.matches("✓ delivered").count() == 3
        });
        pty.keys("\x03");
        assert_eq!(pty.end().exit_code(), 0);
        pty.assert_restored();
        listed
    });
    watched.await.unwrap()
}

async fn each_arrived_once(failed: &Failed) {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(failed.receiver.next().await.header("svix-id").to_owned());
    }
    assert!(failed.receiver.is_quiet().await, "each was sent once");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_waits_for_a_service_that_puts_resends_off_and_goes_on() {
    let failed = failed_at(failing_at_first().await).await;
    let busy_thrice = |n| (n < 3).then(|| busy(2));
    let service = but_for(&failed.server, "post /resend", busy_thrice).await;
    let at = (service.url.clone(), failed.server.api_key().to_owned());
    let listed = run_of_three(at, |pty| {
        pty.keys("\r");
        let waiting = pty.sees("the service asks to wait until ");
        assert!(waiting.contains("s more; then this goes on"), "{waiting}");
        assert!(
            !waiting.contains("delivered ·") && !waiting.contains("stopped"),
            "{waiting}"
        );
    })
    .await;
    assert_eq!(n_of(&service, "post /resend"), 6, "{listed}");
    assert_eq!(listed.matches("429 from").count(), 3, "{listed}");
    each_arrived_once(&failed).await;
    failed.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_waits_for_a_service_that_refuses_everything_for_a_while() {
    let failed = failed_at(failing_at_first().await).await;
    let at = (failed.server.url(), failed.server.api_key().to_owned());
    let chaos = failed.server.chaos().clone();
    let busy = Choice::These(FaultSet::of(&[Fault::TooManySeconds]));
    run_of_three(at, move |pty| {
        chaos.switch(busy);
        pty.keys("\r");
        pty.sees("the service asks to wait until ");
        chaos.switch(Choice::These(FaultSet::CALM));
    })
    .await;
    each_arrived_once(&failed).await;
    failed.server.stop().await;
}
