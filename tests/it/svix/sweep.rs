//! `reeltop replay --missing` and `--bulk`: one request for what was never tried, or for what was
//! sent, each of them in the ledger and followed.

use std::time::Duration;

use reeltop::domain::bulk::{Sweep, Takes, Tried};
use reeltop::domain::{EndpointEdit, Grounds};
use reeltop::io::Clock;
use reeltop::io::client::Client;
use reeltop::io::ledger::Ledger;
use reeltop::io::outlet::Outlet;
use reeltop::io::sender::{Posts, ReplayOrder, sweep};
use reeltop::server::Running;
use tempfile::TempDir;

use super::recover::reeltop;
use super::sending::hour_ago;
use super::{alone, attempts, cloud, endpoint_id, publish, svix_of, svix_server};
use crate::server::support::{Receiver, create_endpoint, eventually};

async fn replay(
    server: &Running,
    state: &TempDir,
    endpoint: &str,
    more: &[&str],
) -> (i32, Vec<String>, String) {
    let given = ["replay", "--since", "1h", "--endpoint", endpoint];
    reeltop(
        state,
        &server.url(),
        server.api_key(),
        &[&given, more].concat(),
    )
    .await
}

fn delivered(lines: &[String], route: &str) -> usize {
    let route = format!("\"route\":\"{route}\"");
    let is_delivered =
        |line: &&String| line.contains(&route) && line.contains("\"state\":\"delivered\"");
    lines.iter().filter(is_delivered).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_tried_is_sent_once_and_each_is_followed() {
    let server = cloud().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let (svix, id) = (svix_of(&server), endpoint_id(&endpoint.id));
    let tried = publish(&server, &svix, 1).await.remove(0);
    receiver.next().await;
    attempts(&svix, &tried, 1).await;
    let disabled = |is_disabled| EndpointEdit {
        disabled: Some(is_disabled),
        ..EndpointEdit::default()
    };
    svix.edit_endpoint(&id, &disabled(true), "a").await.unwrap();
    for _ in 0..2 {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    eventually("both are messages", || async {
        let page = svix.messages(250, None).await.unwrap();
        (page.rows.len() == 3).then_some(())
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let given = ["--missing", "--yes", "--json"];
    let (code, lines, said) = replay(&server, &state, &endpoint.id, &given).await;
    assert_eq!((code, lines.len()), (1, 0), "{lines:?} {said}");
    assert!(
        said.contains("nothing can be sent, as ") && said.contains("disabled"),
        "{said}"
    );
    svix.edit_endpoint(&id, &disabled(false), "b")
        .await
        .unwrap();

    let dry = ["--missing", "--dry-run"];
    let (code, lines, said) = replay(&server, &state, &endpoint.id, &dry).await;
    let told = lines.join("\n");
    assert_eq!(code, 0, "{told} {said}");
    assert!(
        told.contains("2 are known never to have been tried there"),
        "{told}"
    );
    assert!(receiver.is_quiet().await, "nothing was sent yet");
    let (code, lines, said) = replay(&server, &state, &endpoint.id, &given).await;
    assert_eq!(code, 0, "{lines:?} {said}");
    assert_eq!(delivered(&lines, "replay-missing"), 2, "{lines:?}");
    for _ in 0..2 {
        receiver.next().await;
    }
    assert!(receiver.is_quiet().await, "each was posted once");
    let (code, _, said) = replay(&server, &state, &endpoint.id, &given).await;
    assert!(
        code == 0 && said.contains("nothing to send"),
        "{code} {said}"
    );
    // The ledger holds them by this route.
    let listed = ["replays", "--json", "--offline"];
    let (code, lines, said) = reeltop(&state, &server.url(), server.api_key(), &listed).await;
    assert_eq!(
        (code, delivered(&lines, "replay-missing")),
        (0, 2),
        "{lines:?} {said}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_sent_again_by_what_is_chosen() {
    let server = cloud().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    for message in publish(&server, &svix, 2).await {
        receiver.next().await;
        attempts(&svix, &message, 1).await;
    }
    let state = tempfile::tempdir().unwrap();
    for nothing in [
        &["--bulk", "--yes", "--status", "failed"][..],
        &["--bulk", "--yes", "--event-types", "task.failed"],
    ] {
        let (code, _, said) = replay(&server, &state, &endpoint.id, nothing).await;
        assert!(
            code == 0 && said.contains("nothing to send"),
            "{code} {said}"
        );
    }
    for wrong in ["no type", "task.bogus"] {
        let given = ["--bulk", "--yes", "--event-types", wrong];
        let (code, _, said) = replay(&server, &state, &endpoint.id, &given).await;
        assert!(code == 2 && said.contains("--event-types"), "{code} {said}");
    }
    let dry = ["--bulk", "--dry-run"];
    let (_, lines, _) = replay(&server, &state, &endpoint.id, &dry).await;
    let told = lines.join("\n");
    assert!(told.contains("! 2 of them were delivered"), "{told}");
    assert!(receiver.is_quiet().await, "nothing was sent yet");

    let given = ["--bulk", "--yes", "--json", "--status", "delivered"];
    let (code, lines, said) = replay(&server, &state, &endpoint.id, &given).await;
    assert_eq!(code, 0, "{lines:?} {said}");
    assert_eq!(delivered(&lines, "bulk-replay"), 2, "{lines:?}");
    for _ in 0..2 {
        receiver.next().await;
    }
    assert!(receiver.is_quiet().await, "each was posted once");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_not_offered_nothing_is_written_down_and_the_reason_is_said() {
    let server = svix_server().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    for (flag, name) in [("--missing", "replay-missing"), ("--bulk", "bulk-replay")] {
        let state = tempfile::tempdir().unwrap();
        let (code, lines, said) = replay(&server, &state, &endpoint.id, &[flag, "--yes"]).await;
        assert_eq!((code, lines.len()), (1, 0), "{lines:?}");
        let reason = format!("this server does not offer {name}");
        assert!(said.contains(&reason), "{said}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_takes_no_more_is_called_off() {
    let server = cloud().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    let message = publish(&server, &svix, 1).await.remove(0);
    receiver.next().await;
    attempts(&svix, &message, 1).await;
    let client = Client::new(&alone(&server.url(), server.api_key())).unwrap();
    let failed = Takes::Tried {
        event_types: Vec::new(),
        outcome: Some(Tried::Failed),
    };
    // As if nothing had been known of its attempt when it was decided.
    for takes in [Takes::Missing, failed] {
        let (ledger, clock) = (Ledger::in_memory(), Clock::new());
        let (outlet, mut ends) = Outlet::new(clock, None, ledger.clone());
        let order = ReplayOrder {
            number: 1,
            message: message.clone(),
            endpoint: endpoint_id(&endpoint.id),
            route: takes.route(),
            grounds: Grounds::default(),
        };
        let asked = Sweep {
            endpoint: order.endpoint.clone(),
            since: hour_ago(),
            takes,
        };
        let asking = async {
            let (posts, follow) = (Posts::default(), Duration::from_millis(100));
            sweep(&client, &outlet, &asked, vec![order], follow, &posts).await;
            drop(outlet);
        };
        let reading = async { while ends.changes.recv().await.is_some() {} };
        tokio::join!(asking, reading);
        let row = ledger.list(10, clock.now()).unwrap().remove(0);
        assert_eq!(row.state.name(), "cancelled", "{row:?}");
        let why = row.reason().unwrap_or_default();
        assert!(why.contains(" meanwhile, by attempt "), "{why}");
    }
    assert!(receiver.is_quiet().await);
    server.stop().await;
}
