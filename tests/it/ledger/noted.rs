//! What a command without a screen reads of attempts goes into the ledger, also where it sends
//! nothing.

use std::sync::atomic::Ordering;

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
    // Whoever else looks at it meanwhile tells whoever sent it nothing, nor does a command that is
    // about others as well and passes it by.
    let somebody = &["replays", "--json"][..];
    let many = &["replay", "--query", "!disabled", "--yes"];
    for (looks, by) in [(0, None), (2, None), (0, Some(somebody)), (0, Some(many))] {
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
            assert!(!said.contains("an earlier replay"), "{said}");
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_failed_is_told_once_and_then_sent_again_whatever_names_it() {
    for named in [
        &["replay", "--query", "failed"][..],
        &["replay", "msg_1"],
        &["replay", "msg_1", "--endpoint", "ep_1"],
    ] {
        let state = tempfile::tempdir().unwrap();
        let service = Service::held_at(Point::Posting).await;
        service.resent.store(2, Ordering::SeqCst);
        let mut first = service.replay(state.path());
        service.until_reached().await;
        first.kill().unwrap();
        first.wait().unwrap();
        service.open();

        let run = async |then: &str| {
            let arguments = [named, &[then, "--json"]].concat();
            let child = service.command(state.path(), &arguments).spawn().unwrap();
            let (code, _, said) = end(child).await;
            (code, service.n_posts(), said)
        };
        for then in ["--dry-run", "--yes"] {
            let (code, n_posts, said) = run(then).await;
            assert_eq!((code, n_posts), (Some(1), 1), "{named:?} {then}: {said}");
            let news = "turned out to be failed again, found later, perhaps somebody else's; the \
                        same command again sends another";
            assert_eq!(said.matches(news).count(), 1, "{named:?} {then}: {said}");
            assert!(!said.contains("nothing to send"), "{said}");
        }
        // It fails again, by an attempt that is its own.
        let (code, n_posts, said) = run("--yes").await;
        assert_eq!((code, n_posts), (Some(1), 2), "{named:?}: {said}");
        assert!(said.contains("an earlier replay is failed again"), "{said}");
        let (code, n_posts, said) = run("--yes").await;
        assert_eq!((code, n_posts), (Some(1), 3), "{named:?}: {said}");
        assert!(!said.contains("an earlier replay is"), "{said}");
    }
}
