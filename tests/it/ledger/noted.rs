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
    assert_eq!(listed().await, (3, "unknown".to_owned()));

    // Its attempt is there now, and a plan reads it.
    service.open();
    let plan = ["replay", "msg_1", "--dry-run", "--json"];
    let child = service.command(state.path(), &plan).spawn().unwrap();
    let (code, states, said) = end(child).await;
    assert_eq!((code, service.n_posts()), (Some(0), 1), "{said}");
    assert_eq!(states, ["skipped"], "{said}");
    assert_eq!(listed().await, (0, "delivered".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_after_a_kill_sends_nothing_where_the_first_was_delivered() {
    // Whoever else looks at it meanwhile tells whoever sent it nothing.
    let somebody = ["replays", "--json"];
    for (looks, by) in [(0, None), (2, None), (0, Some(&somebody))] {
        let state = tempfile::tempdir().unwrap();
        let service = Service::held_at(Point::Posting).await;
        let mut first = service.replay(state.path());
        service.until_reached().await;
        first.kill().unwrap();
        first.wait().unwrap();
        service.open();
        assert_eq!(service.n_posts(), 1);
        if let Some(somebody) = by {
            let child = service.command(state.path(), somebody).spawn().unwrap();
            let (code, _, said) = end(child).await;
            assert_eq!(code, Some(0), "its end is found: {said}");
        }

        // An endpoint that is named gets a message again, whatever it has; but not unawares.
        let named = ["replay", "msg_1", "--endpoint", "ep_1"];
        let again = async |flags: &[&str]| {
            let arguments = [&named[..], flags].concat();
            let child = service.command(state.path(), &arguments).spawn().unwrap();
            let (code, _, said) = end(child).await;
            (code, said)
        };
        let found = "an earlier replay, whose end was not known, turned out to be delivered, found \
                     later, perhaps somebody else's; the same command again sends another";
        // A dry run says what the run after it does, and is no word of who sends.
        let looks = (0..looks).map(|_| "--dry-run");
        for then in looks.chain(["--yes"]) {
            let (code, said) = again(&[then, "--json"]).await;
            assert_eq!((code, service.n_posts()), (Some(0), 1), "{then}: {said}");
            assert!(said.contains("nothing was sent of msg_1 to "), "{said}");
            assert!(said.contains(found), "{said}");
        }

        // Who was told of it and asks again means another.
        let (code, said) = again(&["--yes", "--json"]).await;
        assert_eq!((code, service.n_posts()), (Some(0), 2), "{said}");
        assert!(said.contains("already delivered"), "{said}");
    }
}
