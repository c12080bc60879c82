//! What a command without a screen reads of attempts goes into the ledger, also where it sends
//! nothing.

use super::{Point, Service, end};

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_a_plan_reads_end_what_was_open_in_the_ledger() {
    let state = tempfile::tempdir().unwrap();
    let service = Service::held_at(Point::Accepted).await;
    let mut first = service.replay(state.path());
    service.until_reached().await;
    first.kill().unwrap();
    first.wait().unwrap();
    let offline = ["replays", "--offline", "--json"];
    let listed = async || {
        let child = service.command(state.path(), &offline).spawn().unwrap();
        let (code, states, _) = end(child).await;
        (code.unwrap_or(-1), states.join(" "))
    };
    assert_eq!(listed().await, (3, "accepted".to_owned()));

    // Its attempt is there now, and a plan reads it.
    service.open();
    let plan = ["replay", "msg_1", "--dry-run", "--json"];
    let child = service.command(state.path(), &plan).spawn().unwrap();
    let (code, states, said) = end(child).await;
    assert_eq!((code, service.n_posts()), (Some(0), 1), "{said}");
    assert_eq!(states, ["skipped"], "{said}");
    assert_eq!(listed().await, (0, "delivered".to_owned()));
}
