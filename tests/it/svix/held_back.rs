//! What a replay of unknown outcome keeps from being sent: every route says how to close it, and ends
//! with the code of what is not known.

use reeltop::domain::{EndpointId, Route, Stage};
use reeltop::io::Clock;
use reeltop::io::config::LedgerKeeping;
use reeltop::io::ledger::{Ledger, Planned, Service};

use super::APP;
use super::recover::{failed, reeltop};

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_post_from_here_holds_every_route_back_until_it_is_given_up() {
    let failed = failed().await;
    let (url, key) = (failed.server.url(), failed.server.api_key().to_owned());
    let state = tempfile::tempdir().unwrap();
    let (message, endpoint) = (&failed.orders[0].message, &failed.orders[0].endpoint);
    let id = {
        let service = Service::new(&url, APP);
        let folder = state.path().join("reeltop");
        let ledger = Ledger::in_folder(&folder, service, LedgerKeeping::default());
        let now = Clock::new().now();
        let posted = (message.clone(), EndpointId::new(&failed.receiver.url));
        let Ok(Planned::As(row)) = ledger.plan(1, &posted, Route::Local, now) else {
            panic!("it was not planned");
        };
        let before = [].into();
        ledger.step(&row, &Stage::Sending { before }, now).unwrap();
        let cut = Stage::Unknown("cut off".to_owned());
        ledger.step(&row, &cut, now).unwrap();
        row[..8].to_owned()
    };
    let (message, endpoint) = (message.to_string(), endpoint.to_string());
    let closing = format!("reeltop replays --give-up {id} closes it");
    let since = ["--endpoint", &endpoint, "--since", "1h", "--yes"];
    let one = ["replay", &message, "--yes"];
    let recover = [&["replay", "--recover"][..], &since].concat();
    let bulk = [&["replay", "--bulk", "--status", "failed"][..], &since].concat();
    for command in [&one[..], &recover, &bulk] {
        let (code, lines, said) = reeltop(&state, &url, &key, command).await;
        if command == bulk && said.contains("bulk-replay") && !said.contains(&closing) {
            // A server that does not offer it is asked nothing.
            assert_eq!(code, 1, "{said}");
            continue;
        }
        assert_eq!(code, 3, "{command:?}: {lines:?} {said}");
        assert!(said.contains(&closing), "{command:?}: {said}");
        assert!(said.contains("may still arrive there by"), "{said}");
    }
    // What else was asked for is sent, and this is said beside it.
    let all = ["replay", "--query", "failed", "--since", "1h", "--yes"];
    let all = [&all[..], &["--wait", "2s"]].concat();
    let (code, lines, said) = reeltop(&state, &url, &key, &all).await;
    assert_eq!(code, 3, "{lines:?} {said}");
    let held = format!("nothing was sent of {message} to ");
    assert!(said.contains(&held) && said.contains(&closing), "{said}");
    let n_sent = lines
        .iter()
        .filter(|line| line.ends_with("sending"))
        .count();
    assert_eq!(n_sent, 2, "{lines:?} {said}");

    let give_up = ["replays", "--give-up", &id, "--yes"];
    let (code, _, said) = reeltop(&state, &url, &key, &give_up).await;
    assert_eq!(code, 0, "{said}");
    let (code, lines, said) = reeltop(&state, &url, &key, &one).await;
    assert_eq!(code, 1, "it failed again: {lines:?} {said}");
    failed.server.stop().await;
}
