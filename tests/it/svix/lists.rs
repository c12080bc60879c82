//! The logs: pages, shapes, what is absent, what a refusal says.

use std::collections::HashSet;

use reeltop::domain::{
    Ability, AttemptStatus, EventType, FailureKind, MessageId, OFFERS, Offer, Payload, Trigger,
};
use reeltop::io::client::Client;
use reeltop::server::Options;
use reqwest::Method;

use super::{APP, alone, attempts, endpoint_id, publish, refused, svix_of, svix_server};
use crate::scripted::{Scripted, answer};
use crate::server::support::{Receiver, call, create_endpoint, start};

#[tokio::test]
async fn messages_and_attempts_come_page_by_page_each_once() {
    let server = svix_server().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    let published = publish(&server, &svix, 7).await;
    for message in &published {
        attempts(&svix, message, 1).await;
    }
    let (mut ids, mut cursor, mut n_pages) = (Vec::new(), None::<String>, 0);
    loop {
        let page = svix.messages(3, cursor.as_deref()).await.unwrap();
        n_pages += 1;
        ids.extend(page.rows.iter().map(|row| row.value.message.id.clone()));
        assert!(page.rows.iter().all(|row| row.value.task.is_some()));
        if page.is_last {
            break;
        }
        cursor = page.next;
    }
    ids.reverse();
    assert_eq!((ids, n_pages), (published.clone(), 3));
    let (mut seen, mut cursor) = (HashSet::new(), None::<String>);
    loop {
        let endpoint = endpoint_id(&endpoint.id);
        let page = svix.attempts_at(&endpoint, 2, cursor.as_deref());
        let page = page.await.unwrap();
        for row in &page.rows {
            assert_eq!(row.value.status, AttemptStatus::Success);
            assert_eq!(
                (row.value.code, row.value.trigger),
                (204, Trigger::Scheduled)
            );
            assert!(seen.insert(row.value.message.clone()), "twice");
        }
        if page.is_last {
            break;
        }
        cursor = page.next;
    }
    assert_eq!(seen.len(), 7);
    let one = svix.message(&published[0]).await.unwrap().value.message;
    assert_eq!(one.id, published[0]);
    let by_event = MessageId::new(&one.event.unwrap().to_string());
    let by_event = svix.message(&by_event).await.unwrap().value.message;
    assert_eq!(by_event.id, published[0]);
    server.stop().await;
}

#[tokio::test]
async fn an_endpoint_reads_the_same_however_its_types_are_shuffled() {
    let server = svix_server().await;
    create_endpoint(&server, "http://127.0.0.1:9/", &["task.*"]).await;
    let svix = svix_of(&server);
    let mut raw = HashSet::new();
    let first = svix.endpoints().await.unwrap().rows.remove(0).value;
    let types: Vec<&str> = first
        .event_types
        .as_ref()
        .unwrap()
        .iter()
        .map(EventType::name)
        .collect();
    assert_eq!(types, ["task.completed", "task.failed", "task.progress"]);
    for _ in 0..20 {
        let row = svix.endpoints().await.unwrap().rows.remove(0);
        assert_eq!(row.value, first);
        raw.insert(row.raw["eventTypes"].to_string());
    }
    assert!(raw.len() > 1, "the server shuffles: {raw:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_endpoint_has_no_log_but_stands_among_the_destinations() {
    let server = svix_server().await;
    let good = Receiver::always(204).await;
    let bad = Receiver::always(500).await;
    let kept = create_endpoint(&server, &good.url, &["task.*"]).await;
    let deleted = create_endpoint(&server, &bad.url, &["task.*"]).await;
    let svix = svix_of(&server);
    let message = publish(&server, &svix, 1).await.remove(0);
    attempts(&svix, &message, 2).await;
    let found = svix.destinations(&message).await.unwrap();
    let failing = found
        .rows
        .iter()
        .find(|row| row.value.endpoint.id == endpoint_id(&deleted.id));
    assert_eq!(failing.unwrap().value.status, AttemptStatus::Fail);

    let path = format!("/webhooks/endpoints/{}", deleted.id);
    call(&server, Method::DELETE, &path, None).await;
    let gone = svix
        .attempts_at(&endpoint_id(&deleted.id), 50, None)
        .await
        .unwrap_err();
    assert_eq!(gone.kind, FailureKind::NotFound);
    assert!(gone.what.contains("Entity not found"), "{gone}");
    let found = svix.destinations(&message).await.unwrap();
    let mut ids: Vec<String> = found
        .rows
        .iter()
        .map(|row| row.value.endpoint.id.to_string())
        .collect();
    ids.sort();
    let mut expected = [kept.id.clone(), deleted.id.clone()];
    expected.sort();
    assert_eq!(ids, expected);
    let stats = svix.stats(&endpoint_id(&kept.id), None).await.unwrap();
    assert_eq!((stats.success, stats.fail), (1, 0));
    server.stop().await;
}

#[tokio::test]
async fn destinations_go_on_until_a_page_is_empty_and_no_list_goes_on_for_ever() {
    let server = Scripted::start(|_, request| {
        let row =
            |id: &str| format!(r#"{{"id":"{id}","url":"http://x","status":0,"nextAttempt":null}}"#);
        let body = if request.contains("/msg/msg_loop/endpoint") {
            format!(
                r#"{{"data":[{}],"iterator":"ep_1","done":true}}"#,
                row("ep_1")
            )
        } else if request.contains("iterator=ep_2") {
            r#"{"data":[],"iterator":null,"done":true}"#.to_owned()
        } else if request.contains("iterator=ep_1") {
            format!(
                r#"{{"data":[{}],"iterator":"ep_2","done":true}}"#,
                row("ep_2")
            )
        } else {
            format!(
                r#"{{"data":[{}],"iterator":"ep_1","done":true}}"#,
                row("ep_1")
            )
        };
        answer("200 OK", "content-type: application/json\r\n", &body)
    })
    .await;
    let svix = Client::new(&alone(&server.url, "sk_x"))
        .unwrap()
        .svix
        .unwrap();
    let found = svix.destinations(&MessageId::new("msg_1")).await.unwrap();
    assert_eq!((found.rows.len(), found.is_last), (2, true));
    let found = svix
        .destinations(&MessageId::new("msg_loop"))
        .await
        .unwrap();
    assert_eq!((found.rows.len(), found.is_last), (1, false));
}

#[tokio::test]
async fn what_is_not_offered_is_found_out_without_a_change_and_said_with_a_reason() {
    let server = svix_server().await;
    let mut source = alone(&server.url(), server.api_key());
    // The questions pass the gate that lets reading through alone.
    source.read_only = true;
    let svix = Client::new(&source).unwrap().svix.unwrap();
    let offers = svix.offers().await.unwrap();
    assert_eq!(offers.len(), OFFERS.len());
    for (offer, ability) in offers {
        let absent = [
            Offer::ReplayMissing,
            Offer::BulkReplay,
            Offer::AttemptHeaders,
        ];
        match ability {
            Ability::Absent(why) => {
                assert!(absent.contains(&offer), "{offer:?}: {why}");
                assert_eq!(why, format!("this server does not offer {}", offer.name()));
            }
            Ability::Offered(route) => {
                assert!(!absent.contains(&offer), "{offer:?}");
                assert!(
                    route.starts_with("Svix: /") && !route.contains("probe"),
                    "{route}"
                );
            }
            Ability::Unknown => panic!("{offer:?} is unknown"),
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn refusals_are_in_the_services_words_with_what_to_do() {
    let server = svix_server().await;
    let mut wrong_app = alone(&server.url(), server.api_key());
    wrong_app.svix.as_mut().unwrap().app = "somebody".to_owned();
    let failure = Client::new(&wrong_app)
        .unwrap()
        .messages(50, None)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert!(failure.hint.contains("svix_app"), "{failure}");

    let wrong_token = alone(&server.url(), "sk_other_than_the_right");
    let failure = Client::new(&wrong_token)
        .unwrap()
        .messages(50, None)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized, "{failure}");

    let no_svix = start(Options::default()).await;
    let elsewhere = alone(&no_svix.url(), no_svix.api_key());
    let failure = Client::new(&elsewhere)
        .unwrap()
        .messages(50, None)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotOffered);
    assert!(failure.hint.contains("svix_url"), "{failure}");
    let tasks = Client::new(&elsewhere)
        .unwrap()
        .active_tasks()
        .await
        .unwrap_err();
    assert_eq!(tasks.what, "no Aspect API is configured");
    no_svix.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn an_expired_payload_is_gone_and_an_example_is_sent() {
    let server = svix_server().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.failed"]).await;
    let svix = svix_of(&server);
    let example = svix
        .send_example(&endpoint_id(&endpoint.id), "task.completed", "k")
        .await;
    let message = example.unwrap().value.message.id;
    receiver.next().await;
    let id = endpoint_id(&endpoint.id);
    let unknown = refused(svix.send_example(&id, "no.such", "k").await);
    assert_eq!(unknown.kind, FailureKind::NotFound, "{unknown}");
    let path = format!("/api/v1/app/{APP}/msg/{message}/content");
    assert_eq!(call(&server, Method::DELETE, &path, None).await.0, 204);
    let payload = svix.message(&message).await.unwrap().value.message.payload;
    assert_eq!(payload, Payload::Expired);
    server.stop().await;
}
