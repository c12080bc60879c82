//! Events on their way to a Svix server that does not take each of them at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reeltop::io::publisher::Publisher;
use reeltop::io::publisher::line::Pace;

use super::fake::{FakeSvix, event, refused, taken};
use crate::server::support::eventually;

/// Waits of milliseconds.
fn quick() -> Pace {
    Pace {
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(4),
        longest_pause: Duration::from_millis(50),
        most_tries: 10,
        room: 1000,
        room_bytes: usize::MAX,
    }
}

/// What was said so far.
#[derive(Clone, Default)]
struct Words(Arc<Mutex<Vec<String>>>);

impl Words {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn with(&self, part: &str) -> Vec<String> {
        let mut all = self.all();
        all.retain(|line| line.contains(part));
        all
    }
}

fn publisher(svix: &FakeSvix, pace: Pace) -> (Publisher, Words) {
    let words = Words::default();
    let said = words.clone();
    let say = move |text: &str| said.0.lock().unwrap().push(text.to_owned());
    (Publisher::start(svix.client(), pace, say), words)
}

async fn settled(publisher: &Publisher, waiting: usize) {
    eventually("that all are settled", async || {
        (publisher.tally().waiting == waiting).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_always_fail_hold_up_no_others_and_are_given_up_with_a_word() {
    let svix = FakeSvix::start(|event| {
        if event.event.starts_with("bad") {
            return refused(503, "no room for this one");
        }
        taken()
    })
    .await;
    let (publisher, words) = publisher(&svix, quick());
    for n in 0..12 {
        publisher.take(event(&format!("bad-{n}"), &format!("task-{n}")));
    }
    // One after the other, so that others are taken between the tries.
    let mut n_good = 0;
    while publisher.tally().given_up < 12 {
        n_good += 1;
        publisher.take(event(&format!("good-{n_good}"), &format!("other-{n_good}")));
        eventually("that it is taken", async || {
            (publisher.tally().taken == n_good).then_some(())
        })
        .await;
    }
    let tally = publisher.tally();
    assert_eq!((tally.waiting, tally.failing), (0, 0));
    eventually("a word for each", async || {
        (words.with("is given up").len() == 12).then_some(())
    })
    .await;
    let given_up = words.with("is given up");
    assert_eq!(given_up.len(), 12, "{:?}", words.all());
    for n in 0..12 {
        let id = format!("bad-{n}");
        let tries = svix.counted()[&id];
        assert!(tries >= 10, "{id}: {tries}");
        let said = given_up
            .iter()
            .find(|line| line.contains(&format!("{id} ")));
        let said = said.unwrap_or_else(|| panic!("{id}: {given_up:?}"));
        assert!(said.contains(&format!("in {tries} tries")), "{said}");
        assert!(said.contains("no room for this one"), "{said}");
    }
    assert_eq!(words.with("does not take the event bad-").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_whole_server_loses_nothing() {
    let is_out = Arc::new(AtomicBool::new(true));
    let out = is_out.clone();
    let svix = FakeSvix::start(move |_| {
        if out.load(Ordering::SeqCst) {
            return refused(503, "down");
        }
        taken()
    })
    .await;
    let (publisher, words) = publisher(&svix, quick());
    for n in 0..30 {
        publisher.take(event(&format!("e-{n}"), &format!("task-{}", n % 20)));
    }
    // Far more tries than one that is alone in failing is given.
    eventually("many tries", async || {
        (svix.tries().len() > 600).then_some(())
    })
    .await;
    assert_eq!(publisher.tally().waiting, 30);
    is_out.store(false, Ordering::SeqCst);
    settled(&publisher, 0).await;
    let mut ids = svix.taken();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 30);
    assert_eq!(publisher.tally().taken, 30);
    eventually("a word", async || (words.all().len() == 2).then_some(())).await;
    let said = words.all();
    assert!(said[0].contains("until Svix takes"), "{said:?}");
    assert!(said[1].starts_with("Svix takes events again"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_of_a_task_overtakes_one_that_waits() {
    let svix = FakeSvix::start(|event| {
        if event.event.ends_with("-0") && event.number < 4 {
            return refused(500, "not now");
        }
        taken()
    })
    .await;
    let (publisher, _) = publisher(&svix, quick());
    for task in 0..5 {
        for n in 0..4 {
            publisher.take(event(&format!("{task}-{n}"), &format!("task-{task}")));
        }
    }
    settled(&publisher, 0).await;
    let order = svix.taken();
    for task in 0..5 {
        let of_task: Vec<_> = order
            .iter()
            .filter(|id| id.starts_with(&format!("{task}-")))
            .collect();
        let expected: Vec<_> = (0..4).map(|n| format!("{task}-{n}")).collect();
        assert_eq!(of_task, expected.iter().collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_line_drops_what_comes_on_top_and_says_how_many() {
    let is_out = Arc::new(AtomicBool::new(true));
    let out = is_out.clone();
    let svix = FakeSvix::start(move |_| {
        if out.load(Ordering::SeqCst) {
            return refused(502, "down");
        }
        taken()
    })
    .await;
    let pace = Pace {
        room: 10,
        room_bytes: usize::MAX,
        ..quick()
    };
    let (publisher, words) = publisher(&svix, pace);
    for n in 0..15 {
        publisher.take(event(&format!("e-{n}"), "task"));
    }
    assert_eq!(
        (publisher.tally().waiting, publisher.tally().beyond),
        (10, 5)
    );
    is_out.store(false, Ordering::SeqCst);
    settled(&publisher, 0).await;
    eventually("a word", async || {
        let said = words.with("5 were dropped meanwhile");
        (said.len() == 1).then_some(())
    })
    .await;
    assert_eq!(words.with("10 events wait for Svix").len(), 1);
    assert_eq!(svix.taken().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_what_waits_is_tried_at_once_and_counted() {
    let svix = FakeSvix::start(|event| {
        if event.event == "bad" || event.number == 1 {
            return refused(503, "later");
        }
        taken()
    })
    .await;
    // Nothing would be tried again before tomorrow.
    let slow = Duration::from_hours(30);
    let pace = Pace {
        first_wait: slow,
        longest_wait: slow,
        ..quick()
    };
    let (publisher, _) = publisher(&svix, pace);
    for id in ["bad", "a", "b"] {
        publisher.take(event(id, id));
    }
    eventually("a try of each", async || {
        (publisher.tally().failing == 3).then_some(())
    })
    .await;
    let (tally, why) = publisher.drain(Duration::from_secs(3)).await;
    assert_eq!((tally.waiting, tally.failing, tally.taken), (1, 1, 2));
    assert!(why.unwrap().what.contains("later"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_of_svix_has_taken_nothing() {
    let svix = FakeSvix::start(|event| match event.number {
        1 => (200, Vec::new(), "<html>log in</html>".to_owned()),
        2 => (200, Vec::new(), "null".to_owned()),
        3 => (202, Vec::new(), r#"{"data":["#.to_owned()),
        4 => (301, vec![("location", "/".to_owned())], String::new()),
        // There already, as one of the answers before may have been.
        5 if event.event == "a" => refused(409, "A message with this eventId already exists"),
        _ => taken(),
    })
    .await;
    let (publisher, words) = publisher(&svix, quick());
    for id in ["a", "b"] {
        publisher.take(event(id, id));
    }
    settled(&publisher, 0).await;
    let counted = svix.counted();
    assert_eq!((counted["a"], counted["b"]), (5, 5));
    let tally = publisher.tally();
    assert_eq!((tally.taken, tally.refused, tally.given_up), (2, 0, 0));
    let said = words.all().join("\n");
    assert!(
        said.contains("something that Svix does not answer"),
        "{said}"
    );
    assert!(said.contains("check that svix_url"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_or_too_many_requests_drop_nothing_and_a_refused_event_is_named() {
    let svix = FakeSvix::start(|event| match (event.event, event.number) {
        ("large", _) => refused(413, "too large"),
        ("odd", _) => refused(422, "no such event type"),
        ("token", ..30) => refused(401, "Invalid token"),
        ("gone", ..30) => refused(404, "Entity not found"),
        ("busy", ..5) => {
            let wait = vec![("retry-after", "1".to_owned())];
            (429, wait, r#"{"detail":"slow down"}"#.to_owned())
        }
        _ => taken(),
    })
    .await;
    let (publisher, words) = publisher(&svix, quick());
    for id in ["token", "gone", "busy", "large", "odd", "good"] {
        publisher.take(event(id, id));
        settled(&publisher, 0).await;
    }
    let tally = publisher.tally();
    assert_eq!((tally.taken, tally.refused, tally.given_up), (4, 2, 0));
    let counted = svix.counted();
    let tries = ["token", "gone", "busy", "large", "odd", "good"].map(|id| counted[id]);
    assert_eq!(tries, [30, 30, 5, 1, 1, 1]);
    let said = words.all().join("\n");
    for words in [
        "the key came from",
        "svix_app names the right application",
        "events wait as Svix asks: 429",
        "refused the event large, which is dropped: 413",
        "refused the event odd, which is dropped: 422",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
