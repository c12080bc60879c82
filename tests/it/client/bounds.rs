//! Each limit of the client, and a server that goes beyond it: it costs a clear message, no more.

use reeltop::domain::{
    Bounds, Change, ChangeKind, EndpointId, Failure, FailureKind, History, MessageId, Moment,
    Origin, Part, TaskId, Unreadable,
};
use reeltop::io::Clock;
use reeltop::io::client::Client;
use reeltop::io::client::http::Sent;
use reeltop::io::config::{Limits, Source};
use reeltop::io::intake;
use reeltop::io::stream::{Step, Stream};

use super::source;
use crate::scripted::{Reply, Scripted, answer, stream};
use crate::server::support::PATIENCE;

const RESEND: &str = "/webhooks/messages/{message_id}/resend";

fn limited(server: &Scripted, set: impl FnOnce(&mut Limits)) -> Source {
    let mut source = source(&server.url);
    set(&mut source.limits);
    source
}

async fn refused(server: &Scripted, set: impl FnOnce(&mut Limits)) -> Failure {
    let client = Client::new(&limited(server, set)).unwrap();
    client.active_tasks().await.unwrap_err()
}

#[tokio::test]
async fn headers_beyond_the_limit_stop_and_a_raised_limit_takes_them() {
    let wide = |bytes: usize| format!("x: {}\r\n", "y".repeat(bytes));
    let many = "x-header: y\r\n".repeat(300);
    for (headers, limit, is_taken) in [
        (wide(3000), 2000, false),
        (wide(3000), 4000, true),
        (wide(70_000), 64 << 10, false),
        (wide(70_000), 128 << 10, true),
        // Beyond this the HTTP library ends the connection before we see anything.
        (wide(1 << 20), 16 << 20, false),
        (many.clone(), 64 << 10, false),
    ] {
        let is_many = headers == many;
        let server = Scripted::start(move |_, _| answer("200 OK", &headers, "[]")).await;
        let source = limited(&server, |limits| limits.header_bytes = limit);
        let client = Client::new(&source).unwrap();
        match client.active_tasks().await {
            Ok(_) => assert!(is_taken, "{limit}"),
            Err(failure) => {
                assert!(!is_taken, "{failure}");
                assert_eq!(failure.kind, FailureKind::TooLarge, "{failure}");
                let is_ours = failure.what.contains(&format!("{limit} bytes"));
                let hint = if is_ours {
                    "raise limits.header_bytes"
                } else {
                    "no setting of reeltop raises that"
                };
                assert!(failure.hint.contains(hint), "{failure}");
                assert_eq!(is_ours, limit <= 64 << 10 && !is_many, "{failure}");
            }
        }
        let url = client.http.path("/events").unwrap();
        let mut stream = Stream::new(client, url, Clock::new(), "");
        let step = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap();
        assert!(matches!(step, Step::Stopped(_)), "{step:?}");
    }
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_the_limit_says() {
    for (limit, is_followed) in [(0, false), (2, false), (3, true)] {
        let server = Scripted::start(|n, _| match n {
            0..=2 => answer("307 x", &format!("location: /{n}\r\n"), ""),
            _ => answer("200 OK", "", "[]"),
        })
        .await;
        let source = limited(&server, |limits| limits.redirects = limit);
        let answer = Client::new(&source).unwrap().active_tasks().await;
        assert_eq!(answer.is_ok(), is_followed, "{limit}");
        if let Err(failure) = answer {
            let said = format!("redirects more than {limit} times");
            assert!(failure.what.contains(&said), "{failure}");
        }
        assert_eq!(server.requests().len(), limit + 1);
    }
}

#[tokio::test]
async fn another_origin_gets_nothing_by_redirect_neither_by_stream_nor_by_rest_nor_by_replay() {
    let far = Scripted::start(|_, _| answer("200 OK", "", "[]")).await;
    let location = format!("location: {}/there\r\n", far.url);
    for code in ["301", "302", "303", "307", "308"] {
        let location = location.clone();
        let server = Scripted::start(move |_, _| answer(&format!("{code} x"), &location, "")).await;
        let client = Client::new(&source(&server.url)).unwrap();
        let failure = client.active_tasks().await.unwrap_err();
        assert!(failure.what.contains(&far.url), "{failure}");
        let sent = client
            .resend(RESEND, &MessageId::new("m"), &EndpointId::new("e"), "k")
            .await;
        assert!(matches!(sent, Sent::Unknown(_)), "{sent:?}");
        let url = client.http.path("/events").unwrap();
        let mut stream = Stream::new(client, url, Clock::new(), "");
        let Step::Stopped(why) = stream.next().await else {
            panic!("not stopped")
        };
        assert!(why.what.contains(&far.url), "{why}");
        assert_eq!(server.requests().len(), 3);
    }
    assert!(far.requests().is_empty());
}

#[tokio::test]
async fn rows_beyond_the_limit_of_a_list_are_counted() {
    let row = |n: usize| {
        format!(
            r#"{{"id":"t{n}","asset_id":"a","features":{{}},"user_id":"u","created":"2026-11-22T14:00:00Z","updated":"2026-11-22T14:00:00Z"}}"#
        )
    };
    let rows: Vec<String> = (0..10).map(row).collect();
    let mut body = format!("[{}", rows.join(","));
    body.push_str(&",7".repeat(1000));
    body.push(']');
    let server = Scripted::start(move |_, _| answer("200 OK", "", &body)).await;
    let source = limited(&server, |limits| limits.list_rows = 3);
    let page = Client::new(&source).unwrap().active_tasks().await.unwrap();
    assert_eq!(page.rows.len(), 3);
    let said: Vec<(&str, u64)> = (page.unreadable.iter())
        .map(|row| (&*row.why, row.count))
        .collect();
    let expected = [
        ("a row that lacks what every row has", 1000),
        ("rows beyond the limit of a list (limits.list_rows)", 7),
    ];
    assert_eq!(said, expected);
    // Each row counts, on the list it belongs to and in the header, which is the sum of all lists;
    // once, however often it comes.
    let mut history = History::new(Bounds::default());
    let thrice = [&page.unreadable; 3].into_iter().flatten();
    for (at, what) in thrice.cloned().enumerate() {
        history.apply(Change {
            seq: at as u64 + 1,
            received: Moment::default(),
            origin: Origin::Snapshot,
            raw: None,
            kind: ChangeKind::Unreadable(Box::new(what)),
        });
    }
    let losses = history.losses;
    assert_eq!(losses.unreadable(Part::Tasks), 1007);
    assert_eq!(losses.unreadable(Part::Events), 0);
    assert_eq!(losses.total(), 1007);
}

#[tokio::test]
async fn json_too_deep_or_too_large_is_not_parsed() {
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    let server = {
        let deep = deep.clone();
        Scripted::start(move |_, _| answer("200 OK", "", &deep)).await
    };
    let client = Client::new(&limited(&server, |limits| limits.json_depth = 39)).unwrap();
    let failure = client.task(&TaskId::new("t")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TooLarge, "{failure}");
    assert!(failure.what.contains("deeper than 39 levels"), "{failure}");
    let client = Client::new(&limited(&server, |limits| limits.json_depth = 40)).unwrap();
    assert_eq!(client.active_tasks().await.unwrap().unreadable.len(), 1);

    let wide = format!("[0{}]", ",0".repeat(5000));
    let server = Scripted::start(move |_, _| answer("200 OK", "", &wide)).await;
    let failure = refused(&server, |limits| limits.json_values = 5000).await;
    assert_eq!(failure.kind, FailureKind::TooLarge, "{failure}");
    assert!(failure.what.contains("more than 5000 values"), "{failure}");
}

#[tokio::test]
async fn a_row_too_deep_is_counted_and_the_others_are_read() {
    let row = |id: &str, more: &str| {
        format!(
            r#"{{"id":"{id}","asset_id":"a","features":{{}},"user_id":"u","created":"2026-11-22T14:00:00Z","updated":"2026-11-22T14:00:00Z","more":{more}}}"#
        )
    };
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let body = format!("[{},{},{}]", row("a", "1"), row("b", &deep), row("c", "[]"));
    let server = Scripted::start(move |_, _| answer("200 OK", "", &body)).await;
    let client = Client::new(&limited(&server, |_| {})).unwrap();
    let page = client.active_tasks().await.unwrap();
    let read: Vec<String> = (page.rows.iter())
        .map(|row| row.value.task.to_string())
        .collect();
    assert_eq!(read, ["a", "c"]);
    assert_eq!(page.unreadable.len(), 1);
    assert!(page.unreadable[0].why.starts_with("a row nested too deep"));
}

#[tokio::test]
async fn an_event_too_deep_is_counted_and_the_next_one_is_read() {
    let bytes = format!(
        "data: {{\"a\":{}{}}}\n\ndata: {{\"event_id\":\"e\",\"event_type\":\"x\",\"data\":{{}}}}\n\n",
        "[".repeat(20),
        "]".repeat(20)
    );
    let server = Scripted::start(move |_, request| {
        if request.starts_with("get /events ") {
            Reply::Hold(stream(&bytes))
        } else {
            answer("404 x", "", r#"{"detail":"Not Found"}"#)
        }
    })
    .await;
    let source = limited(&server, |limits| limits.json_depth = 10);
    let (hose, mut changes) = intake::open(source, Clock::new());
    let mut unreadable: Option<Unreadable> = None;
    let mut is_read = false;
    while unreadable.is_none() || !is_read {
        let batch = tokio::time::timeout(PATIENCE, changes.recv()).await;
        for change in batch.unwrap().unwrap() {
            match change.kind {
                ChangeKind::Unreadable(what) => unreadable = Some(*what),
                ChangeKind::Event(event) => is_read |= event.id.to_string() == "e",
                _ => {}
            }
        }
    }
    let why = unreadable.unwrap().why;
    assert!(why.contains("deeper than 10 levels"), "{why}");
    hose.close().await;
}

#[tokio::test]
async fn a_line_is_given_up_where_the_limit_says() {
    let server = Scripted::start(|_, _| Reply::Hold(stream(&"x".repeat(5000)))).await;
    for (line_bytes, is_dropped) in [(Some(4000), true), (Some(6000), false), (None, false)] {
        let source = limited(&server, |limits| {
            limits.event_bytes = 2000;
            limits.line_bytes = line_bytes;
        });
        let client = Client::new(&source).unwrap();
        let url = client.http.path("/events").unwrap();
        let mut stream = Stream::new(client, url, Clock::new(), "");
        let why = loop {
            match tokio::time::timeout(PATIENCE, stream.next()).await.unwrap() {
                Step::Chunk(chunk) => stream.take(&chunk, |_| panic!("no event")),
                Step::Broken { why, .. } => break why,
                Step::Opened | Step::Quiet => {}
                Step::Stopped(why) => panic!("{why}"),
            }
        };
        let expected = if is_dropped {
            FailureKind::TooLarge
        } else {
            FailureKind::Broken
        };
        assert_eq!(why.kind, expected, "{line_bytes:?}: {why}");
    }
}
