//! Every question that a command asks, at a real terminal: yes, no, ctrl-c, the end of the input,
//! and nobody there to ask.

use std::time::Duration;

use reeltop::server::{Options, Running};
use serde_json::Value;

use crate::pty::Pty;
use crate::server::support::{Receiver, answer, attempts, create_endpoint, get, start};

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

/// Asks at a terminal, types once the question stands, and gives what the screen says at the end.
/// The shell tells the exit code, also where a signal ended the command.
async fn typed(server: &Running, arguments: &str, question: &str, keys: &str) -> String {
    let (url, key) = (server.url(), server.api_key().to_owned());
    let script = format!(r#"trap : INT; "$REELTOP" {arguments}; echo "ended with $?.""#);
    let (question, keys) = (question.to_owned(), keys.to_owned());
    tokio::task::spawn_blocking(move || {
        let environment = [("ASPECT_BASE_URL", &*url), ("ASPECT_API_KEY", &*key)];
        let mut pty = Pty::shell(&script, &environment, 160, 50);
        pty.sees(&question);
        pty.keys(&keys);
        let screen = pty.wait("the end", |screen| {
            screen.contains("ended with ") && screen.contains('.')
        });
        pty.end();
        screen
    })
    .await
    .unwrap()
}

fn assert_ended(screen: &str, code: u8, words: &str) {
    let is_so = screen.contains(&format!("ended with {code}.")) && screen.contains(words);
    assert!(is_so, "{code} and {words:?}:\n{screen}");
}

/// A server whose automatic retries are hours away.
async fn calm() -> Running {
    start(Options {
        time_scale: 0.001,
        ..Options::default()
    })
    .await
}

/// Messages that failed at the one endpoint of the server.
async fn failed(server: &Running, receiver: &Receiver, n: usize) {
    let endpoint = create_endpoint(server, &receiver.url, &["task.*"]).await;
    for _ in 0..n {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    attempts(server, &format!("endpoint_id={}", endpoint.id), n).await;
    for _ in 0..n {
        receiver.next().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_sent_after_a_yes_alone() {
    let server = calm().await;
    let receiver = Receiver::start(|number| {
        let status = if number == 0 { 500 } else { 204 };
        (Duration::ZERO, answer(status, ""))
    })
    .await;
    failed(&server, &receiver, 1).await;
    let replay = "replay --query failed --wait 20s";
    for (keys, code, words) in [
        ("n\r", 1, "nothing was sent"),
        ("\r", 1, "nothing was sent"),
        (CTRL_D, 1, "nothing was sent"),
        (CTRL_C, 130, ""),
    ] {
        let screen = typed(&server, replay, "Send 1? [y/N]", keys).await;
        assert_ended(&screen, code, words);
        let last = screen.lines().find(|line| line.contains("ended with"));
        assert!(
            last.unwrap().starts_with("ended"),
            "begins a line:\n{screen}"
        );
    }
    assert!(receiver.is_quiet().await);
    let screen = typed(&server, replay, "Send 1? [y/N]", "Y\r").await;
    assert_ended(&screen, 0, "delivered");
    receiver.next().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_twenty_are_sent_after_their_number_alone() {
    const N: usize = 21;
    let server = calm().await;
    let receiver = Receiver::start(|number| {
        let status = if number < N { 500 } else { 204 };
        (Duration::ZERO, answer(status, ""))
    })
    .await;
    failed(&server, &receiver, N).await;
    let replay = "replay --query failed --rate 50 --wait 20s 2>&1 | tail -n 45";
    // The plan is longer than a screen, so that its end is looked at; a pipe is no terminal.
    let screen = typed(&server, replay, "ended with", "").await;
    assert!(screen.contains("confirm with --yes"), "{screen}");
    let replay = "replay --query failed --rate 50 --wait 20s";
    let question = "Type 21 to send 21:";
    for keys in ["y\r", "20\r", "\r"] {
        let screen = typed(&server, replay, question, keys).await;
        assert_ended(&screen, 1, "nothing was sent");
    }
    assert!(receiver.is_quiet().await);
    let screen = typed(&server, replay, question, "21\r").await;
    assert_ended(&screen, 0, "delivered");
    for _ in 0..N {
        receiver.next().await;
    }
    assert!(receiver.is_quiet().await);
    server.stop().await;
}

async fn secret(server: &Running, id: &str) -> Value {
    get(server, &format!("/webhooks/endpoints/{id}/secret")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_rotated_and_deleted_after_a_yes_alone() {
    let server = calm().await;
    let created = create_endpoint(&server, "http://127.0.0.1:9/", &["task.*"]).await;
    let id = &created.id;
    let old = secret(&server, id).await;
    let rotate = format!("endpoints rotate {id} --grace 30m");
    let question = "Rotate it? [y/N]";
    for (keys, code, words) in [
        ("n\r", 1, "the secret was not rotated"),
        (CTRL_D, 1, "the secret was not rotated"),
        (CTRL_C, 130, ""),
    ] {
        let screen = typed(&server, &rotate, question, keys).await;
        assert!(screen.contains("both sign for 30m"), "{screen}");
        assert_ended(&screen, code, words);
    }
    let screen = typed(&server, &format!("{rotate} </dev/null"), "ended with", "").await;
    assert_ended(&screen, 2, "confirm with --yes");
    assert_eq!(secret(&server, id).await, old);
    let screen = typed(&server, &rotate, question, "y\r").await;
    assert_ended(&screen, 0, "has another secret");
    assert_ne!(secret(&server, id).await, old);

    let delete = format!("endpoints delete {id}");
    let question = "with its secret? [y/N]";
    for (keys, code) in [("N\r", 1), (CTRL_D, 1), (CTRL_C, 130)] {
        let screen = typed(&server, &delete, question, keys).await;
        assert_ended(
            &screen,
            code,
            if code == 1 { "nothing was deleted" } else { "" },
        );
    }
    secret(&server, id).await;
    let screen = typed(&server, &delete, question, "yes\r").await;
    assert_ended(&screen, 0, "is deleted");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_elsewhere_is_forwarded_to_after_its_name_alone() {
    let server = calm().await;
    let listen = "listen --addr 127.0.0.1:0 --forward http://hooks.invalid/x";
    let question = "Type its name to send there:";
    for (keys, code) in [("y\r", 1), (CTRL_D, 1), (CTRL_C, 130)] {
        let screen = typed(&server, listen, question, keys).await;
        assert_ended(
            &screen,
            code,
            if code == 1 { "nothing was sent" } else { "" },
        );
    }
    let screen = typed(&server, &format!("{listen} </dev/null"), "ended with", "").await;
    assert_ended(
        &screen,
        2,
        "hooks.invalid is not this machine: confirm with --yes",
    );
    server.stop().await;
}
