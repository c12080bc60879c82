//! The log of messages, read back in the background: the newest at once, then a page in each round,
//! and what is not read yet is told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reeltop::domain::{ChangeKind, Counted, History, LogReach, MessageId, NotRead, Time};
use reeltop::io::journal::Settings;

use super::intake::Watcher;
use super::source;
use crate::scripted::{Reply, Scripted, answer, stream};

/// Messages of the service, one a second, each failed once at its endpoint.
const N: usize = 1_100;

fn json(body: &str) -> Reply {
    answer("200 OK", "content-type: application/json\r\n", body)
}

/// The number behind a name in a request's head.
fn number(request: &str, name: &str) -> Option<usize> {
    let (_, after) = request.split_once(name)?;
    let end = after.find(|c: char| !c.is_ascii_digit())?;
    after[..end].parse().ok()
}

fn at(n: usize) -> String {
    let (hours, minutes) = (n / 3600, n / 60 % 60);
    format!("2026-01-01T{hours:02}:{minutes:02}:{:02}Z", n % 60)
}

fn message(n: usize) -> String {
    let at = at(n);
    format!(r#"{{"id":"msg_{n}","eventType":"task.completed","timestamp":"{at}","payload":{{}}}}"#)
}

fn attempt(n: usize) -> String {
    let at = at(n);
    format!(
        r#"{{"id":"atmpt_{n}","msgId":"msg_{n}","endpointId":"ep_a","status":2,"responseStatusCode":500,"timestamp":"{at}"}}"#
    )
}

/// A page of a log whose newest row is the last; the iterator is the number of a page's first row.
fn page(request: &str, row: fn(usize) -> String) -> Reply {
    let limit = number(request, "limit=").unwrap_or(50);
    let first = number(request, "iterator=").unwrap_or(N);
    let last = first.saturating_sub(limit) + 1;
    let rows: Vec<String> = (last..=first).rev().map(row).collect();
    let (rows, next, is_last) = (rows.join(","), last - 1, last == 1);
    json(&format!(
        r#"{{"data":[{rows}],"iterator":"{next}","done":{is_last}}}"#
    ))
}

/// The log; `older` answers for the pages of it that are read back.
fn log(request: &str, older: impl Fn() -> Option<Reply>) -> Reply {
    if request.starts_with("get /events") {
        Reply::Hold(stream(": hello\n\n"))
    } else if request.starts_with("get /tasks/active") {
        json("[]")
    } else if request.starts_with("get /webhooks/endpoints") {
        json(r#"{"data":[{"id":"ep_a","url":"http://a.example"}],"done":true}"#)
    } else if request.starts_with("get /webhooks/messages") {
        let is_older = number(request, "iterator=").is_some_and(|first| first <= N - 500);
        is_older
            .then(older)
            .flatten()
            .unwrap_or_else(|| page(request, message))
    } else if request.contains("endpoint_id=ep_a") {
        page(request, attempt)
    } else {
        answer("404 Not Found", "", r#"{"detail":"Not Found"}"#)
    }
}

fn messages(server: &Scripted) -> Vec<String> {
    let mut requests = server.requests();
    requests.retain(|it| it.starts_with("get /webhooks/messages"));
    requests
}

fn n_broken(history: &History) -> usize {
    history.deliveries.broken().len()
}

#[tokio::test]
async fn the_log_is_read_to_its_beginning_a_page_a_round_and_counts_are_in_part_until_then() {
    let is_open = Arc::new(AtomicBool::new(false));
    let open = Arc::clone(&is_open);
    let server = Scripted::start(move |_, request| {
        log(request, || {
            let is_shut = !open.load(Ordering::SeqCst);
            is_shut.then(|| answer("503 x", "", "{}"))
        })
    })
    .await;
    let mut watcher = Watcher::open(source(&server.url));
    watcher
        .until("the newest", |history| n_broken(history) == 500)
        .await;
    let before = Time::parse(&at(N - 499)).unwrap();
    watcher
        .until("how far", |history| {
            history.messages_unread_before() == Some(before)
        })
        .await;
    assert_ne!(watcher.history.counted(), Counted::Whole);
    let polls = watcher.history.counters.polls;
    watcher
        .until("more polls", |history| history.counters.polls > polls + 1)
        .await;
    assert_eq!(watcher.history.deliveries.len(), 500);
    assert_eq!(watcher.history.messages_unread_before(), Some(before));

    is_open.store(true, Ordering::SeqCst);
    watcher
        .until("all of it", |history| history.counted() == Counted::Whole)
        .await;
    let deliveries = &watcher.history.deliveries;
    assert_eq!((deliveries.len(), n_broken(&watcher.history)), (N, N));
    // Those that were read back are not new on the list.
    assert_eq!(deliveries.n_new(), 500);

    let requests = messages(&server);
    let is_back = |request: &String| request.contains("iterator=");
    let firsts = requests.iter().skip(2);
    let in_a_row = firsts.clone().zip(firsts.skip(1));
    for (one, next) in in_a_row {
        assert!(!is_back(one) || !is_back(next), "{one}{next}");
    }
    // What was read is not read again.
    let n_back = requests.iter().filter(|it| is_back(it)).count();
    let polls = watcher.history.counters.polls;
    watcher
        .until("more polls", |history| history.counters.polls > polls + 3)
        .await;
    let n_later = messages(&server).iter().filter(|it| is_back(it)).count();
    assert_eq!(n_back, n_later);
    watcher.hose.close().await;
}

#[tokio::test]
async fn where_the_service_takes_the_cursor_no_longer_it_is_said_why_older_messages_are_missing() {
    let server =
        Scripted::start(|_, request| log(request, || Some(answer("422 x", "", "{}")))).await;
    let mut watcher = Watcher::open(source(&server.url));
    watcher
        .until("the end of it", |history| {
            history.why_messages_unread().is_some()
        })
        .await;
    let before = Time::parse(&at(N - 499)).unwrap();
    assert_eq!(watcher.history.messages_unread_before(), Some(before));
    let n = messages(&server).len();
    let polls = watcher.history.counters.polls;
    watcher
        .until("more polls", |history| history.counters.polls > polls + 2)
        .await;
    let later = messages(&server);
    assert!(!later[n..].iter().any(|it| it.contains("iterator=")));
    watcher.hose.close().await;
}

#[tokio::test]
async fn no_more_is_read_than_there_is_room_for() {
    let server = Scripted::start(|_, request| log(request, || None)).await;
    let mut source = source(&server.url);
    source.limits.messages = 800;
    let mut watcher = Watcher::open(source);
    watcher
        .until("the end of it", |history| {
            history.why_messages_unread().is_some()
        })
        .await;
    let history = &watcher.history;
    let why = history.why_messages_unread().unwrap();
    assert!(why.contains("no more than 800 are kept"), "{why}");
    assert_eq!(history.messages_unread_before(), Time::parse(&at(N - 749)));
    assert_eq!(history.deliveries.len(), 750);
    watcher.hose.close().await;
}

#[tokio::test]
async fn what_a_journal_left_claims_no_more_than_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let journal = || Settings::new(folder.path().join("one.journal"));
    let server = Scripted::start(|_, request| log(request, || None)).await;
    let mut watcher = Watcher::recording(source(&server.url), Some(journal()));
    watcher
        .until("all of it", |history| {
            n_broken(history) == N && history.counted() == Counted::Whole
        })
        .await;
    watcher.hose.close().await;
    drop(server);

    // Nobody answers: the rows that were kept stand there, and are not said to be all.
    let server = Scripted::start(|_, _| answer("503 x", "", "{}")).await;
    let mut watcher = Watcher::recording(source(&server.url), Some(journal()));
    watcher
        .until("the rows of then", |history| n_broken(history) >= 500)
        .await;
    assert_eq!(
        watcher.history.messages_unread_before(),
        Some(Time(i64::MAX))
    );
    assert_ne!(watcher.history.counted(), Counted::Whole);
    watcher.hose.close().await;

    // What is read anew at each start is not written each time.
    let mut watcher = Watcher::recording(source(&server.url), Some(journal()));
    watcher
        .until("the rows of then", |history| n_broken(history) >= 500)
        .await;
    assert!(n_broken(&watcher.history) < N);
    watcher.hose.close().await;
}

#[test]
fn how_far_the_log_was_read_is_not_kept() {
    let reach = ChangeKind::MessagesRead(LogReach::Whole);
    assert!(!reeltop::wire::record::is_kept(&reach));
}

#[tokio::test]
async fn a_service_that_asks_to_be_left_alone_is_asked_for_no_log_until_then() {
    let asked: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let times = Arc::clone(&asked);
    let server = Scripted::start(move |_, request| {
        // The poller alone reads this list, and begins each round with it.
        if !request.starts_with("get /webhooks/endpoints") {
            return log(request, || None);
        }
        let mut times = times.lock().unwrap();
        times.push(Instant::now());
        match times.len() {
            1 => answer("429 Too Many Requests", "retry-after: 1\r\n", "{}"),
            _ => log(request, || None),
        }
    })
    .await;
    let mut source = source(&server.url);
    source.waits.max_retry_after = Duration::from_secs(5);
    let mut watcher = Watcher::open(source);
    watcher
        .until("the list", |history| !history.endpoints.is_empty())
        .await;
    let asked = asked.lock().unwrap();
    let waited = asked[1].duration_since(asked[0]);
    assert!(waited > Duration::from_millis(900), "{waited:?}");
}

#[tokio::test]
async fn older_attempts_that_cannot_be_read_keep_no_newer_ones_from_it() {
    let server = Scripted::start(|_, request| {
        if request.contains("endpoint_id=ep_a") && request.contains("iterator=") {
            return answer("500 x", "", r#"{"detail":"out of order"}"#);
        }
        log(request, || None)
    })
    .await;
    let mut watcher = Watcher::open(source(&server.url));
    // How often its newest were asked for, and older ones.
    let asked = || {
        let requests = server.requests();
        let of_log = requests.iter().filter(|it| it.contains("endpoint_id=ep_a"));
        let (older, newest): (Vec<&String>, Vec<&String>) =
            of_log.partition(|it| it.contains("iterator="));
        (newest.len(), older.len())
    };
    watcher
        .until("newest alone, all messages", |history| {
            let (n_newest, n_older) = asked();
            n_newest > n_older + 4 && history.messages_unread_before().is_none()
        })
        .await;
    let history = &watcher.history;
    let first = history.deliveries.get(&MessageId::new("msg_1")).unwrap();
    let why = history.why_unread_somewhere(first);
    let is_said = matches!(why, Some(NotRead::Failed(why)) if why.contains("out of order"));
    assert!(is_said, "{why:?}");
    watcher.hose.close().await;
}
