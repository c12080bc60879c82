//! One log that is refused or gets no answer keeps no other from being read, and what it does keep
//! from being read is told with the reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reeltop::domain::time::SECOND;
use reeltop::domain::{Ability, EndpointId, History, LinkState, Log, MessageId, NotRead};
use reeltop::io::Clock;
use reeltop::io::client::Client;
use reeltop::io::compare::compare;
use reeltop::io::intake::Look;
use reeltop::io::known::Known;

use super::intake::Watcher;
use super::source;
use crate::pty::Pty;
use crate::scripted::{Reply, Scripted, answer, stream};

fn json(body: &str) -> Reply {
    answer("200 OK", "content-type: application/json\r\n", body)
}

const ENDPOINTS: &str = r#"{"data":[{"id":"ep_a","url":"http://a"},{"id":"ep_b","url":"http://b"},{"id":"ep_c","url":"http://c"}],"done":true}"#;

/// A server with three endpoints, whose log of the first one answers as it is told.
async fn server(first: impl Fn() -> Reply + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |_, request| {
        if request.starts_with("get /events") {
            Reply::Hold(stream(": hello\n\n"))
        } else if request.starts_with("get /tasks/active") {
            json("[]")
        } else if request.starts_with("get /webhooks/endpoints ") {
            json(ENDPOINTS)
        } else if request.contains("endpoint_id=ep_a") {
            first()
        } else if request.starts_with("get /webhooks/") {
            json(r#"{"data":[],"done":true}"#)
        } else {
            answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
        }
    })
    .await
}

/// How the attempts at each endpoint stand: `-` where they are read.
fn logs(history: &History) -> [String; 3] {
    ["ep_a", "ep_b", "ep_c"].map(|id| words(history.attempts_not_read(&EndpointId::new(id))))
}

fn words(not_read: Option<NotRead<'_>>) -> String {
    match not_read {
        Some(NotRead::Failed(why)) => why.to_owned(),
        Some(other) => format!("{other:?}"),
        None => "-".to_owned(),
    }
}

/// The logs that were asked for, in order, with `|` where a round began.
fn asked(server: &Scripted) -> String {
    let requests = server.requests();
    let names = requests.iter().filter_map(|request| {
        let log = request
            .split_once("endpoint_id=ep_")
            .map(|(_, id)| &id[..1]);
        let is_round = request.starts_with("get /webhooks/endpoints ");
        log.or(is_round.then_some("|"))
    });
    names.collect()
}

#[tokio::test]
async fn a_log_that_is_refused_for_now_keeps_the_others_from_nothing_but_this_round() {
    let server = server(|| {
        let body = r#"{"detail":"slow down"}"#;
        answer("429 Too Many Requests", "retry-after: 1\r\n", body)
    })
    .await;
    let mut watcher = Watcher::open(source(&server.url));
    watcher
        .until("the reasons", |history| {
            let [a, b, c] = logs(history);
            let put_off = "not asked, as the service refused the attempts at a: 429: slow down";
            a.starts_with("429: slow down") && b.starts_with(put_off) && b == c
        })
        .await;
    watcher
        .until("the others", |history| {
            let [a, b, c] = logs(history);
            a.starts_with("429: slow down") && b == "-" && c == "-"
        })
        .await;
    watcher
        .until("another refusal", |_| {
            asked(&server).matches('a').count() > 1
        })
        .await;
    let asked = asked(&server);
    assert!(asked.starts_with("|a|bca"), "{asked}");
    watcher.hose.close().await;
}

#[tokio::test]
async fn a_log_that_is_put_off_is_known_up_to_when_it_was_read_last() {
    let is_busy = Arc::new(AtomicBool::new(false));
    let busy = Arc::clone(&is_busy);
    let server = server(move || {
        if busy.load(Ordering::SeqCst) {
            let body = r#"{"detail":"slow down"}"#;
            answer("429 Too Many Requests", "retry-after: 1\r\n", body)
        } else {
            json(r#"{"data":[],"done":true}"#)
        }
    })
    .await;
    let began = Clock::new().now().wall;
    let mut watcher = Watcher::open(source(&server.url));
    watcher
        .until("all", |history| logs(history) == ["-", "-", "-"])
        .await;
    let until = |history: &History| {
        ["ep_a", "ep_b", "ep_c"].map(|id| history.attempts_read_until(&EndpointId::new(id)))
    };
    assert_eq!(until(&watcher.history), [None; 3]);
    is_busy.store(true, Ordering::SeqCst);
    watcher
        .until("the refusal", |history| {
            logs(history).iter().all(|why| why != "-")
        })
        .await;
    let now = Clock::new().now().wall;
    for until in until(&watcher.history) {
        assert!(until.is_some_and(|until| until >= began && until <= now));
    }
    is_busy.store(false, Ordering::SeqCst);
    watcher
        .until("all again", |history| logs(history) == ["-", "-", "-"])
        .await;
    assert_eq!(until(&watcher.history), [None; 3]);
    watcher.hose.close().await;
}

#[tokio::test]
async fn what_is_read_for_a_plan_waits_as_long_as_the_service_is_left_alone() {
    let server = Scripted::start(|_, request| {
        if request.contains("message_id=") {
            let body = r#"{"detail":"slow down"}"#;
            answer("429 Too Many Requests", "retry-after: 3600\r\n", body)
        } else if request.starts_with("get /events") {
            Reply::Hold(stream(": hello\n\n"))
        } else if request.starts_with("get /webhooks/") {
            json(r#"{"data":[],"done":true}"#)
        } else {
            json("[]")
        }
    })
    .await;
    let mut watcher = Watcher::open(source(&server.url));
    let message = |n: usize| MessageId::new(&format!("msg_{n}"));
    for n in 0..40 {
        watcher.hose.look_in_turn(Look::Attempts(message(n)));
    }
    let is_refused = |history: &History, n: usize| {
        let log = Log::AttemptsOf(message(n));
        history.deliveries.why_unread(&log).is_some()
    };
    watcher
        .until("a refusal", |history| {
            (0..40).any(|n| is_refused(history, n))
        })
        .await;
    // What somebody opens is asked for all the same, and has its turn after those before it.
    watcher.hose.look(Look::Attempts(message(99)));
    watcher
        .until("the last", |history| is_refused(history, 99))
        .await;
    let requests = server.requests();
    let n_asked = requests
        .iter()
        .filter(|it| it.contains("message_id="))
        .count();
    assert!(n_asked <= 9, "{n_asked}: {requests:?}");
    watcher.hose.close().await;
}

#[tokio::test]
async fn a_log_that_gets_no_answer_keeps_no_other_from_being_read_in_its_round() {
    let server = server(|| Reply::Hold(Vec::new())).await;
    let mut source = source(&server.url);
    source.waits.answer = Duration::from_secs(1);
    let mut watcher = Watcher::open(source);
    watcher
        .until("all", |history| {
            let [a, b, c] = logs(history);
            a.starts_with("no answer from") && b == "-" && c == "-"
        })
        .await;
    watcher
        .until("a second try", |_| asked(&server).matches('a').count() > 1)
        .await;
    let asked = asked(&server);
    assert!(asked.starts_with("|abc|"), "{asked}");
    // Its turn comes after the others'.
    let (again, _) = asked.match_indices('a').nth(1).unwrap();
    assert!(asked[..=again].ends_with("|bca"), "{asked}");
    watcher.hose.close().await;
}

#[tokio::test]
async fn a_log_that_hangs_is_left_to_answer_while_the_others_are_read_again_and_again() {
    let server = server(|| Reply::Hold(Vec::new())).await;
    let mut source = source(&server.url);
    source.waits.answer = Duration::from_secs(30);
    source.waits.poll = Duration::from_millis(20);
    let mut watcher = Watcher::open(source);
    watcher
        .until("the others", |history| {
            logs(history) == ["no answer yet", "-", "-"]
        })
        .await;
    watcher
        .until("more rounds", |_| asked(&server).matches('|').count() > 3)
        .await;
    let asked = asked(&server);
    assert_eq!(asked.matches('a').count(), 1, "{asked}");
    assert!(asked.matches("bc").count() > 2, "{asked}");
    watcher.hose.close().await;
}

#[tokio::test]
async fn an_endpoint_list_that_the_key_may_not_read_is_told_in_the_words_of_the_service() {
    for (status, words) in [
        (
            "403 Forbidden",
            "403: ask your admin; this key may not do that",
        ),
        ("401 Unauthorized", "401, the key was refused by"),
    ] {
        let is_allowed = Arc::new(AtomicBool::new(false));
        let allowed = Arc::clone(&is_allowed);
        let server = Scripted::start(move |_, request| {
            if request.starts_with("get /events") {
                Reply::Hold(stream(": hello\n\n"))
            } else if request.starts_with("get /tasks/active") {
                json("[]")
            } else if !request.starts_with("get /webhooks/endpoints ") {
                json(r#"{"data":[],"done":true}"#)
            } else if allowed.load(Ordering::SeqCst) {
                json(ENDPOINTS)
            } else {
                answer(status, "", r#"{"detail":"ask your admin"}"#)
            }
        })
        .await;
        let mut watcher = Watcher::open(source(&server.url));
        watcher
            .until(status, |history| {
                let why = self::words(history.endpoints_not_read());
                why.starts_with(words) && why.contains("ask your admin")
            })
            .await;
        let is_list = |request: &String| request.starts_with("get /webhooks/endpoints ");
        let polls = watcher.history.counters.polls;
        watcher
            .until("more polls", |history| history.counters.polls > polls + 3)
            .await;
        let ability = &watcher.history.abilities.endpoint_list;
        assert_eq!(*ability, Ability::Unknown, "{status}");
        let n_asked = server.requests().iter().filter(|it| is_list(it)).count();
        assert!(
            (n_asked as u64) < watcher.history.counters.polls,
            "{status}"
        );
        is_allowed.store(true, Ordering::SeqCst);
        watcher
            .until("the list", |history| {
                history.endpoints.len() == 3 && history.endpoints_not_read().is_none()
            })
            .await;
        watcher.hose.close().await;
    }
}

#[tokio::test]
async fn what_a_refused_list_keeps_from_being_read_is_told() {
    let is_first = AtomicBool::new(true);
    let server = Scripted::start(move |_, request| {
        if request.starts_with("get /events") {
            Reply::Hold(stream(": hello\n\n"))
        } else if request.starts_with("get /tasks/active") {
            json("[]")
        } else if !request.starts_with("get /webhooks/endpoints ") {
            json(r#"{"data":[],"done":true}"#)
        } else if is_first.swap(false, Ordering::SeqCst) {
            json(ENDPOINTS)
        } else {
            answer("429 x", "", r#"{"detail":"slow down"}"#)
        }
    })
    .await;
    let mut watcher = Watcher::open(source(&server.url));
    watcher
        .until("all", |history| logs(history) == ["-", "-", "-"])
        .await;
    watcher
        .until("the refusal", |history| {
            let put_off = "not asked, as the service refused the list of endpoints: 429: slow down";
            let messages = words(history.messages_not_read());
            let all = logs(history).into_iter().chain([messages]);
            all.into_iter().all(|why| why.starts_with(put_off))
                && words(history.endpoints_not_read()).starts_with("429: slow down")
        })
        .await;
    watcher.hose.close().await;
}

#[tokio::test]
async fn where_svix_is_all_there_is_the_link_does_not_wait_for_the_attempts() {
    let hanging = Arc::new(AtomicBool::new(false));
    let has_hung = Arc::clone(&hanging);
    let server = Scripted::start(move |_, request| {
        let path = request.split([' ', '?']).nth(1).unwrap_or_default();
        match path.rsplit('/').next() {
            Some("endpoint") => json(ENDPOINTS),
            Some("msg") => json(r#"{"data":[],"iterator":null,"done":true}"#),
            Some("ep_a") => {
                has_hung.store(true, Ordering::SeqCst);
                Reply::Hold(Vec::new())
            }
            _ => answer("404 Not Found", "", r#"{"detail":"Not Found"}"#),
        }
    })
    .await;
    let mut source = crate::svix::alone(&server.url, "testsk_x");
    source.waits.answer = Duration::from_mins(1);
    let mut watcher = Watcher::open(source);
    watcher
        .until("the link", |history| {
            matches!(history.link, LinkState::Polling { .. })
        })
        .await;
    watcher
        .until("the hang", |_| hanging.load(Ordering::SeqCst))
        .await;
    assert_eq!(logs(&watcher.history)[1], "Yet");
    watcher.hose.close().await;
}

#[tokio::test]
async fn a_comparison_asks_for_no_more_where_the_service_asks_to_be_left_alone() {
    let server = server(|| answer("429 x", "", r#"{"detail":"slow down"}"#)).await;
    let client = Client::new(&source(&server.url)).unwrap();
    let now = Clock::new().now().wall;
    let gap = Some((now.plus(-60_000_000), now));
    let found = compare(&client, &Known::default(), gap, Some(&[]), now).await;
    let caveats = found.unwrap().caveats.join("; ");
    let words = "attempts made in the gap were not all read (429 from";
    assert!(caveats.contains(words), "{caveats}");
    assert_eq!(asked(&server), "|a");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_says_what_a_refusal_keeps_from_being_read_by_a_clock_hours_ahead() {
    let server = Scripted::start(|_, request| {
        let now = Clock::new().now().wall.plus(5 * 3600 * SECOND);
        let date = chrono::DateTime::from_timestamp_micros(now.0).unwrap();
        let date = date.format("date: %a, %d %b %Y %H:%M:%S GMT\r\n");
        let ok = |body: &str| {
            let headers = format!("content-type: application/json\r\n{date}");
            answer("200 OK", &headers, body)
        };
        if request.starts_with("get /events") {
            Reply::Hold(stream(": hello\n\n"))
        } else if request.starts_with("get /tasks/active") {
            ok("[]")
        } else if request.starts_with("get /webhooks/endpoints ") {
            ok(ENDPOINTS)
        } else if request.starts_with("get /webhooks/messages") {
            let at = now.plus(-610 * SECOND).rfc3339();
            ok(&format!(
                r#"{{"data":[{{"id":"msg_1","eventType":"task.failed","timestamp":"{at}","payload":{{}}}}],"done":true}}"#
            ))
        } else if request.contains("endpoint_id=ep_a") {
            answer("429 x", "retry-after: 300\r\n", r#"{"detail":"slow down"}"#)
        } else {
            answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
        }
    })
    .await;
    let url = server.url.clone();
    let watched = tokio::task::spawn_blocking(move || {
        let environment = [("ASPECT_BASE_URL", &*url), ("ASPECT_API_KEY", "sk_test")];
        let mut pty = Pty::start(&[], &environment, 180, 40);
        pty.keys("4");
        pty.sees("attempts at 3 endpoints cannot be read: 429: slow down");
        pty.wait("no endpoint is said to be unused", |screen| {
            screen.matches("? not read").count() == 3
        });
        pty.keys("G\r");
        pty.sees("not asked, as the service refused the attempts at a: 429: slow down");
        pty.escape();
        pty.sees("3 endpoints");
        pty.keys("3");
        pty.sees("10m");
        pty.keys("\x03");
        pty.end();
    });
    watched.await.unwrap();
}
