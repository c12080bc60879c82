//! `reeltop replay --recover`: one request for all that failed, each of them in the ledger and
//! followed.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::FutureExt;
use reeltop::domain::bulk::{Sweep, Takes};
use reeltop::domain::{
    Ability, AttemptStatus, ChangeKind, EndpointEdit, Grounds, MessageId, Replays, Route,
};
use reeltop::io::Clock;
use reeltop::io::client::Client;
use reeltop::io::client::http::Sent;
use reeltop::io::config::LedgerKeeping;
use reeltop::io::ledger::{Ledger, Service};
use reeltop::io::outlet::Outlet;
use reeltop::io::sender::{Posts, ReplayOrder, sweep};
use reeltop::server::Running;
use tempfile::TempDir;
use tokio::task::unconstrained;

use super::sending::hour_ago;
use super::{APP, alone, attempts, endpoint_id, publish, svix_of, svix_server};
use crate::server::support::{PATIENCE, Receiver, answer, create_endpoint, eventually};
use crate::support::commits;

/// Runs `reeltop replay` on the server; its exit code, its lines, and what it said.
pub(super) async fn replay(url: &str, key: &str, arguments: &[&str]) -> (i32, Vec<String>, String) {
    let state = tempfile::tempdir().unwrap();
    let arguments = [&["replay"], arguments].concat();
    reeltop(&state, url, key, &arguments).await
}

pub(super) async fn reeltop(
    state: &TempDir,
    url: &str,
    key: &str,
    arguments: &[&str],
) -> (i32, Vec<String>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("SVIX_TOKEN", key)
        .env("HOME", "/nonexistent")
        .env("XDG_STATE_HOME", state.path())
        .args(arguments)
        .args(["--svix-url", url, "--svix-app", APP])
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    (
        output.status.code().unwrap_or(-1),
        lines.lines().map(str::to_owned).collect(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_recovered_once_and_each_is_followed() {
    let server = svix_server().await;
    let receiver = Receiver::start(|number| {
        let status = if number < 3 { 500 } else { 204 };
        (Duration::ZERO, answer(status, ""))
    })
    .await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    for message in publish(&server, &svix, 3).await {
        attempts(&svix, &message, 1).await;
    }
    for _ in 0..3 {
        receiver.next().await;
    }
    let (url, key) = (server.url(), server.api_key());
    let recover = |more: &'static [&'static str]| {
        let mut all = vec!["--recover", "--endpoint", endpoint.id.as_str()];
        all.extend(more);
        all
    };
    let (code, lines, said) = replay(&url, key, &recover(&["--since", "1h", "--dry-run"])).await;
    assert_eq!(code, 0, "{lines:?} {said}");
    assert!(lines[1].contains("3 are known to have failed"), "{lines:?}");
    let (code, _, said) = replay(&url, key, &recover(&["--since", "15d", "--yes"])).await;
    assert!(code == 2 && said.contains("14 days"), "{code} {said}");
    assert!(receiver.is_quiet().await, "nothing was sent yet");

    let all = recover(&["--since", "1h", "--yes", "--json"]);
    let state = tempfile::tempdir().unwrap();
    let (code, lines, said) = reeltop(&state, &url, key, &[&["replay"], &all[..]].concat()).await;
    assert_eq!(code, 0, "{lines:?} {said}");
    let delivered = lines.iter().filter(|line| {
        line.contains("\"route\":\"recover\"") && line.contains("\"state\":\"delivered\"")
    });
    assert_eq!(delivered.count(), 3, "{lines:?}");
    for _ in 0..3 {
        receiver.next().await;
    }
    assert!(receiver.is_quiet().await, "each was posted once");
    // Each was followed to its end while it was watched: nothing is left to find later.
    let listed = ["replays", "--json", "--offline"];
    let (code, lines, said) = reeltop(&state, &url, key, &listed).await;
    assert_eq!((code, lines.len()), (0, 3), "{lines:?} {said}");
    for line in &lines {
        let has = |what: &str| line.contains(what);
        assert!(
            has("\"state\":\"delivered\"")
                && has("\"route\":\"recover\"")
                && has("\"reason\":null"),
            "{line}"
        );
    }
    let (_, lines, _) = reeltop(&state, &url, key, &["replays", "--offline"]).await;
    assert!(
        lines.iter().all(|line| !line.contains("found later")),
        "{lines:?}"
    );
    let (code, _, said) = replay(&url, key, &all).await;
    assert!(
        code == 0 && said.contains("nothing to recover"),
        "{code} {said}"
    );
    server.stop().await;
}

/// Three messages that failed at one endpoint, and what recovers them.
pub(super) struct Failed {
    pub server: Running,
    pub receiver: Receiver,
    pub client: Client,
    pub orders: Vec<ReplayOrder>,
}

impl Failed {
    fn asked(&self) -> Sweep {
        Sweep {
            endpoint: self.orders[0].endpoint.clone(),
            since: hour_ago(),
            takes: Takes::Failed,
        }
    }
}

pub(super) async fn failed() -> Failed {
    failed_at(Receiver::always(500).await).await
}

pub(super) async fn failed_at(receiver: Receiver) -> Failed {
    so_many_failed(3, receiver).await
}

async fn so_many_failed(n: usize, receiver: Receiver) -> Failed {
    let server = svix_server().await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    let mut orders = Vec::new();
    for (message, number) in publish(&server, &svix, n).await.into_iter().zip(1..) {
        attempts(&svix, &message, 1).await;
        receiver.next().await;
        orders.push(ReplayOrder {
            number,
            message,
            endpoint: endpoint_id(&endpoint.id),
            route: Route::Recover,
            grounds: Grounds::default(),
        });
    }
    let client = Client::new(&alone(&server.url(), server.api_key())).unwrap();
    Failed {
        server,
        receiver,
        client,
        orders,
    }
}

/// Recovers them; how each stands in the ledger afterwards.
async fn recovered(failed: &Failed, ledger: Ledger, posts: &Posts) -> Vec<String> {
    recovering(failed, ledger, posts).await.0
}

/// The same, and what was told of each.
pub(super) async fn recovering(
    failed: &Failed,
    ledger: Ledger,
    posts: &Posts,
) -> (Vec<String>, Replays) {
    let clock = Clock::new();
    let (outlet, mut ends) = Outlet::new(clock, None, ledger.clone());
    let mut told = Replays::default();
    let reading = async {
        while let Some(batch) = ends.changes.recv().await {
            for change in batch {
                if let ChangeKind::Replay(step) = change.kind {
                    told.step(*step, change.received);
                }
            }
        }
    };
    let asking = async {
        let listed = Ability::Offered("GET".to_owned());
        outlet
            .learn(|abilities| abilities.endpoint_list = listed)
            .await;
        let (orders, follow) = (failed.orders.clone(), Duration::from_millis(100));
        sweep(
            &failed.client,
            &outlet,
            &failed.asked(),
            orders,
            follow,
            posts,
        )
        .await;
        drop(outlet);
    };
    tokio::join!(asking, reading);
    let rows = ledger.list(10, clock.now()).unwrap();
    let states = rows.iter().map(|row| row.state.name().to_owned());
    (states.collect(), told)
}

#[tokio::test]
async fn what_ends_before_the_request_is_cancelled_and_nothing_is_asked_for() {
    let failed = failed().await;
    let posts = Posts::default();
    posts.stop.cancel();
    let states = recovered(&failed, Ledger::in_memory(), &posts).await;
    assert_eq!(states, ["cancelled"; 3]);
    assert!(failed.receiver.is_quiet().await);
    failed.server.stop().await;
}

#[tokio::test]
async fn what_is_written_down_as_being_sent_is_taken_back_before_the_end() {
    let failed = failed().await;
    let (ledger, posts) = (Ledger::in_memory(), Posts::default());
    let clock = Clock::new();
    let (outlet, mut ends) = Outlet::new(clock, None, ledger.clone());
    let asking = async {
        let (orders, client) = (failed.orders.clone(), &failed.client);
        sweep(client, &outlet, &failed.asked(), orders, PATIENCE, &posts).await;
        std::future::pending::<()>().await;
    };
    // Room for what is told of all that is planned and for the attempts of each, and no more: then
    // it waits, all written down and nothing asked for, until somebody reads.
    let fill = || unconstrained(outlet.tell_polled(None)).now_or_never();
    while fill().is_some() {}
    for _ in 0..4 {
        ends.changes.recv().await.unwrap();
    }
    let ending = async {
        let is_sending = || async {
            let rows = ledger.list(10, clock.now()).unwrap();
            let sending = rows.iter().filter(|row| row.state.name() == "sending");
            (sending.count() == 3).then_some(())
        };
        eventually("all stand as being sent", is_sending).await;
        let reading = async { while ends.changes.recv().await.is_some() {} };
        tokio::select! {
            biased;
            // As ctrl-c does, with no time left for a request.
            () = posts.end(Duration::ZERO) => {}
            () = reading => {}
        }
    };
    tokio::select! {
        () = asking => {}
        ended = tokio::time::timeout(PATIENCE, ending) => ended.unwrap(),
    }
    let rows = ledger.list(10, clock.now()).unwrap();
    let states: Vec<_> = rows.iter().map(|row| row.state.name()).collect();
    assert_eq!(states, ["cancelled"; 3]);
    assert!(failed.receiver.is_quiet().await);
    failed.server.stop().await;
}

#[tokio::test]
async fn where_one_cannot_be_written_down_none_is_and_each_is_told_of() {
    let failed = failed().await;
    let ledger = Ledger::in_memory();
    let last = &failed.orders[2];
    let pair = (last.message.clone(), last.endpoint.clone());
    let now = Clock::new().now();
    ledger.plan(9, &pair, Route::Svix, now).unwrap();
    let (states, told) = recovering(&failed, ledger, &Posts::default()).await;
    assert_eq!(states, ["planned"]);
    let states: Vec<_> = told.all().map(|replay| replay.state.name()).collect();
    assert_eq!(states, ["cancelled"; 3]);
    let why = told.all().map(|replay| replay.reason().unwrap_or_default());
    let why: Vec<String> = why.collect();
    assert!(
        why[0].contains("another message") && why[2].contains("is open"),
        "{why:?}"
    );
    assert!(failed.receiver.is_quiet().await);
    failed.server.stop().await;
}

#[tokio::test]
async fn where_one_cannot_be_written_as_being_sent_none_is_and_nothing_is_asked_for() {
    let failed = failed().await;
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new("https://a.example", "");
    let ledger = Ledger::in_folder(folder.path(), service, LedgerKeeping::default());
    // It is made so that the last of them cannot be changed any more.
    let other = (MessageId::new("msg_other"), endpoint_id("ep_other"));
    ledger
        .plan(99, &other, Route::Svix, Clock::new().now())
        .unwrap();
    let db = rusqlite::Connection::open(folder.path().join("replays.db")).unwrap();
    let full = format!(
        "CREATE TRIGGER full BEFORE UPDATE ON replay WHEN OLD.message = '{}'
         BEGIN SELECT raise(ABORT, 'the disk is full'); END",
        failed.orders[2].message
    );
    db.execute_batch(&full).unwrap();
    let (states, told) = recovering(&failed, ledger.clone(), &Posts::default()).await;
    // That of each is written as soon as it can be.
    assert_eq!(states, ["planned"; 4]);
    let states: Vec<_> = told.all().map(|replay| replay.state.name()).collect();
    assert_eq!(states, ["refused"; 3]);
    assert!(failed.receiver.is_quiet().await);
    db.execute_batch("DROP TRIGGER full").unwrap();
    eventually("that nothing was sent", || async {
        let rows = ledger.list(10, Clock::new().now()).unwrap();
        let refused = rows.iter().filter(|row| row.state.name() == "refused");
        (refused.count() == 3).then_some(())
    })
    .await;
    failed.server.stop().await;
}

#[tokio::test]
async fn what_was_delivered_meanwhile_is_called_off_and_not_waited_for() {
    let receiver = Receiver::start(|number| {
        let status = if number < 3 { 500 } else { 204 };
        (Duration::ZERO, answer(status, ""))
    });
    let failed = failed_at(receiver.await).await;
    let (ledger, svix) = (Ledger::in_memory(), svix_of(&failed.server));
    let first = &failed.orders[0];
    let sent = svix.resend(&first.message, &first.endpoint, "k").await;
    assert_eq!(sent, Sent::Accepted);
    failed.receiver.next().await;
    eventually("it is delivered", || async {
        let known = svix.attempts_of(&first.message, 250, None).await.unwrap();
        let mut known = known.rows.iter();
        known.find(|it| it.value.status == AttemptStatus::Success)?;
        Some(())
    })
    .await;
    recovered(&failed, ledger.clone(), &Posts::default()).await;
    for _ in 0..2 {
        failed.receiver.next().await;
    }
    assert!(failed.receiver.is_quiet().await, "the others alone");
    for row in ledger.list(10, Clock::new().now()).unwrap() {
        let is_first = row.message == first.message;
        let why = row.reason().unwrap_or_default();
        assert_eq!(
            why.starts_with("delivered meanwhile, by "),
            is_first,
            "{row:?}"
        );
        assert_eq!(row.state.name() == "cancelled", is_first, "{row:?}");
    }
    failed.server.stop().await;
}

/// Recovers them; whoever asked is gone as soon as the request is under way.
async fn asked_for(failed: &Failed, ledger: &Ledger, posts: &Posts) {
    {
        let asking = recovered(failed, ledger.clone(), posts);
        tokio::pin!(asking);
        tokio::select! {
            _ = &mut asking => {}
            () = async { while posts.tracker.is_empty() { tokio::task::yield_now().await; } } => {}
        }
    }
    posts.tracker.close();
    tokio::time::timeout(PATIENCE, posts.tracker.wait())
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_asked_for_ends_though_whoever_asked_is_gone() {
    let failed = failed().await;
    let (ledger, posts) = (Ledger::in_memory(), Posts::default());
    asked_for(&failed, &ledger, &posts).await;
    let rows = ledger.list(10, Clock::new().now()).unwrap();
    let states: Vec<_> = rows.iter().map(|row| row.state.name()).collect();
    assert_eq!(states, ["accepted"; 3]);
    for _ in 0..3 {
        failed.receiver.next().await;
    }
    assert!(failed.receiver.is_quiet().await, "each was posted once");
    failed.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_c_while_they_are_followed_leaves_each_open_and_says_so() {
    // What is recovered does not end while anybody watches.
    let receiver = Receiver::start(|number| match number {
        0..3 => (Duration::ZERO, answer(500, "")),
        _ => (PATIENCE * 2, answer(204, "")),
    });
    let failed = failed_at(receiver.await).await;
    let endpoint = failed.orders[0].endpoint.to_string();
    let (url, key) = (failed.server.url(), failed.server.api_key().to_owned());
    let state = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("SVIX_TOKEN", &key)
        .env("HOME", "/nonexistent")
        .env("XDG_STATE_HOME", state.path())
        .args(["replay", "--recover", "--endpoint", &endpoint])
        .args(["--since", "1h", "--yes", "--json"])
        .args(["--svix-url", &url, "--svix-app", APP])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let accepted = lines.map_while(Result::ok);
        let accepted = accepted.filter(|line| line.contains("\"state\":\"accepted\""));
        assert_eq!(accepted.take(3).count(), 3);
        let pid = child.id().to_string();
        let asked = Command::new("kill").args(["-INT", &pid]).status().unwrap();
        assert!(asked.success());
        child.wait_with_output().unwrap()
    });
    let ended = ended.await.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert_eq!(said.matches("may still arrive").count(), 3, "{said}");
    let listed = ["replays", "--json", "--offline", "--open"];
    let (code, lines, said) = reeltop(&state, &url, &key, &listed).await;
    assert_eq!((code, lines.len()), (3, 3), "{lines:?} {said}");
    for line in &lines {
        assert!(
            !line.contains("cancelled") && line.contains("\"route\":\"recover\""),
            "{line}"
        );
    }
    // And the same command does not ask for it a second time.
    let again = [
        "--recover",
        "--endpoint",
        &endpoint,
        "--since",
        "1h",
        "--yes",
    ];
    let (code, _, said) = reeltop(&state, &url, &key, &[&["replay"], &again[..]].concat()).await;
    assert!(code == 3 && said.contains("open"), "{code} {said}");
    for _ in 0..3 {
        failed.receiver.next().await;
    }
    assert!(failed.receiver.is_quiet().await, "each was posted once");
    failed.server.stop().await;
}

#[tokio::test]
async fn however_many_are_recovered_each_stage_of_all_is_one_commit() {
    let failed = so_many_failed(12, Receiver::always(500).await).await;
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new("https://a.example", "");
    let ledger = Ledger::in_folder(folder.path(), service, LedgerKeeping::default());
    // The file is made with another replay.
    let pair = (MessageId::new("msg_other"), endpoint_id("ep_other"));
    ledger
        .plan(99, &pair, Route::Svix, Clock::new().now())
        .unwrap();
    let file = folder.path().join("replays.db");
    let before = commits(&file);
    asked_for(&failed, &ledger, &Posts::default()).await;
    let n = commits(&file) - before;
    let rows = ledger.list(20, Clock::new().now()).unwrap();
    let accepted = rows.iter().filter(|row| row.state.name() == "accepted");
    assert_eq!(accepted.count(), 12);
    // Planned, sending, accepted. One for each of each would be 36.
    assert_eq!(n, 3);
    failed.server.stop().await;
}

#[tokio::test]
async fn what_became_of_the_endpoint_meanwhile_calls_all_of_it_off() {
    for (is_deleted, word) in [(false, "disabled"), (true, "deleted")] {
        let failed = failed().await;
        let (ledger, svix) = (Ledger::in_memory(), svix_of(&failed.server));
        let endpoint = &failed.orders[0].endpoint;
        if is_deleted {
            svix.delete_endpoint(endpoint, "k").await.unwrap();
        } else {
            let edit = EndpointEdit {
                disabled: Some(true),
                ..EndpointEdit::default()
            };
            svix.edit_endpoint(endpoint, &edit, "k").await.unwrap();
        }
        let states = recovered(&failed, ledger.clone(), &Posts::default()).await;
        assert_eq!(states, ["cancelled"; 3], "{word}");
        for row in ledger.list(10, Clock::new().now()).unwrap() {
            let why = row.reason().unwrap_or_default();
            assert!(why.contains(word), "{why}");
        }
        assert!(failed.receiver.is_quiet().await);
        failed.server.stop().await;
    }
}
