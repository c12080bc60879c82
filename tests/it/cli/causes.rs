//! `reeltop causes`: one line for each cause, and the way from it to its messages.

use serde_json::Value;

use super::{on, reeltop, run};
use crate::scripted::{Reply, Scripted, answer};
use crate::server::support::{Receiver, attempts, create_endpoint, start};
use reeltop::server::{Options, Running};

#[tokio::test(flavor = "multi_thread")]
async fn causes_are_listed_and_lead_to_their_messages() {
    let server = start(Options::default()).await;
    let (broken, well) = (Receiver::always(500).await, Receiver::always(204).await);
    let failing = create_endpoint(&server, &broken.url, &["task.*"]).await;
    create_endpoint(&server, &well.url, &["task.*"]).await;
    for _ in 0..3 {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    attempts(&server, &format!("endpoint_id={}", failing.id), 3).await;

    let (code, lines, said) = on(&server, &["causes", "--json"]).await;
    assert_eq!((code, lines.len()), (0, 1), "{lines:?} {said}");
    let cause: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(cause["endpoint_id"], *failing.id, "{cause}");
    let id = cause["id"].as_str().unwrap();

    let (code, table, said) = on(&server, &["causes"]).await;
    assert_eq!((code, table.len()), (0, 2), "{table:?} {said}");
    assert!(table[0].starts_with("BROKEN  MESSAGES  TASKS"), "{table:?}");
    assert!(table[1].starts_with("3       3         3"), "{table:?}");
    let drill = format!("cause:{id}");
    assert!(said.contains(&drill), "{said}");

    assert!(
        said.contains("searched: all 3 messages of the log, with 6 attempts"),
        "{said}"
    );
    let (_, _, said) = on(&server, &["causes", "--limit", "2"]).await;
    assert!(
        said.contains("searched: the latest 2 messages, with 4 attempts; there are older ones"),
        "{said}"
    );

    // A query counts the messages that it matches, and only causes that it means.
    let first = first_message(&server).await;
    for (query, n) in [
        (format!("message:{first}"), 1),
        (format!("endpoint:{}", failing.id), 1),
        ("code:500".to_owned(), 1),
        ("code:204".to_owned(), 0),
        ("type:task.completed".to_owned(), 0),
    ] {
        let (code, lines, said) = on(&server, &["causes", "--json", "-q", &query]).await;
        assert_eq!((code, lines.len()), (0, n), "{query}: {lines:?} {said}");
        if query.starts_with("message:") {
            let cause: Value = serde_json::from_str(&lines[0]).unwrap();
            assert_eq!(
                (&cause["messages"], &cause["broken"]),
                (&1.into(), &1.into())
            );
        }
    }

    let query = ["messages", "--json", "--query", &drill];
    let (code, messages, said) = on(&server, &query).await;
    assert_eq!((code, messages.len()), (0, 3), "{messages:?} {said}");
    let (_, none, _) = on(
        &server,
        &["messages", "--json", "--query", "cause:0000000000000000"],
    )
    .await;
    assert_eq!(none.len(), 0, "{none:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_attempts_cannot_be_read_nothing_is_said_to_have_failed_or_not() {
    let server = start(Options::default()).await;
    let broken = Receiver::always(500).await;
    let failing = create_endpoint(&server, &broken.url, &["task.*"]).await;
    server.backend().create_task("asset", &["proxy"]).unwrap();
    attempts(&server, &format!("endpoint_id={}", failing.id), 1).await;
    let (url, key) = (server.url(), server.api_key().to_owned());
    // All but the attempts is read as it is.
    let answering = |status: &'static str, body: &'static str| {
        let url = url.clone();
        Scripted::start(move |_, request| {
            if request.contains("/webhooks/delivery-attempts") {
                answer(status, "content-type: application/json\r\n", body)
            } else {
                Reply::Pass(url.clone())
            }
        })
    };
    let down = answering("500 Internal Server Error", "{}").await;
    let odd = answering(
        "200 OK",
        r#"{"data":[{"id":7}],"iterator":null,"done":true}"#,
    )
    .await;
    for (service, why) in [
        (&down, "1 answer that is needed could not be read: 500"),
        (&odd, "1 row of the answers could not be read"),
    ] {
        for (arguments, first) in [
            (vec!["causes"], "no failure is known, but "),
            (vec!["causes", "--json"], "causes may be missing, as "),
        ] {
            let (code, lines, said) = run(reeltop(&service.url, &key, &arguments)).await;
            assert_eq!((code, lines.len()), (1, 0), "{lines:?} {said}");
            assert!(said.contains(&format!("{first}{why}")), "{said}");
            assert!(
                said.contains("with 0 attempts that could be read"),
                "{said}"
            );
            assert!(!said.contains("nothing failed"), "{said}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_tell_how_they_stand_at_each_endpoint() {
    let server = start(Options::default()).await;
    let (broken, well) = (Receiver::always(500).await, Receiver::always(204).await);
    let failing = create_endpoint(&server, &broken.url, &["task.*"]).await;
    let healthy = create_endpoint(&server, &well.url, &["task.*"]).await;
    server.backend().create_task("asset", &["proxy"]).unwrap();
    attempts(&server, &format!("endpoint_id={}", failing.id), 1).await;
    attempts(&server, &format!("endpoint_id={}", healthy.id), 1).await;

    let (code, lines, said) = on(&server, &["messages", "--json"]).await;
    assert_eq!((code, lines.len()), (0, 1), "{lines:?} {said}");
    let message: Value = serde_json::from_str(&lines[0]).unwrap();
    let outcomes = message["outcomes"].as_array().unwrap();
    let standing = |id: &str| {
        let found = outcomes.iter().find(|it| it["endpoint_id"] == *id).unwrap();
        assert!(found["last_attempt_id"].is_string(), "{found}");
        (found["state"].as_str().unwrap(), found["attempts"].as_u64())
    };
    assert_eq!(outcomes.len(), 2, "{message}");
    assert_eq!(standing(&failing.id), ("failed", Some(1)));
    assert_eq!(standing(&healthy.id), ("delivered", Some(1)));

    let (code, table, _) = on(&server, &["messages"]).await;
    assert_eq!((code, table.len()), (0, 2), "{table:?}");
    let column = table[0].find("ENDPOINTS").unwrap();
    assert!(table[1][column..].starts_with("failed "), "{table:?}");
    assert!(table[1].contains("500 at "), "{table:?}");
    assert!(table[1].contains(", delivered at "), "{table:?}");

    let (code, lines, _) = on(&server, &["messages", "--json", "--no-attempts"]).await;
    let message: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((code, &message["outcomes"]), (0, &Value::Null));
    server.stop().await;
}

async fn first_message(server: &Running) -> String {
    let (_, lines, _) = on(server, &["messages", "--json", "--limit", "1"]).await;
    let message: Value = serde_json::from_str(&lines[0]).unwrap();
    message["id"].as_str().unwrap().to_owned()
}
