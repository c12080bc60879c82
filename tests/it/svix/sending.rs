//! What is sent again: once, and what the service makes of it.

use std::time::Duration;

use reeltop::domain::{FailureKind, Time};
use reeltop::io::client::Client;
use reeltop::io::client::http::Sent;
use reqwest::Method;
use serde_json::json;

use super::{APP, alone, attempts, endpoint_id, publish, refused, svix_of, svix_server};
use crate::server::support::{Receiver, answer, call, create_endpoint, eventually, health};

pub fn hour_ago() -> Time {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time(i64::try_from(now.unwrap().as_micros()).unwrap() - 3_600_000_000)
}

#[tokio::test]
async fn the_same_key_is_answered_again_and_sent_once() {
    let server = svix_server().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    let message = publish(&server, &svix, 1).await.remove(0);
    receiver.next().await;
    let endpoint = endpoint_id(&endpoint.id);
    for _ in 0..3 {
        assert_eq!(
            svix.resend(&message, &endpoint, "key-1").await,
            Sent::Accepted
        );
    }
    receiver.next().await;
    attempts(&svix, &message, 2).await;
    assert_eq!(
        svix.resend(&message, &endpoint, "key-2").await,
        Sent::Accepted
    );
    receiver.next().await;
    attempts(&svix, &message, 3).await;
    assert!(receiver.is_quiet().await, "three deliveries in all");
    server.stop().await;
}

#[tokio::test]
async fn a_resend_to_a_disabled_endpoint_is_accepted_and_comes_to_nothing() {
    let server = svix_server().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    let message = publish(&server, &svix, 1).await.remove(0);
    receiver.next().await;
    let path = format!("/webhooks/endpoints/{}", endpoint.id);
    let body = json!({"url": receiver.url, "event_types": ["task.*"], "disabled": true});
    assert_eq!(call(&server, Method::PUT, &path, Some(body)).await.0, 200);
    let endpoint = endpoint_id(&endpoint.id);
    assert_eq!(svix.resend(&message, &endpoint, "k").await, Sent::Accepted);
    assert_eq!(health(&server, "deliveries_queued").await, 0);
    assert_eq!(health(&server, "deliveries_in_flight").await, 0);
    assert!(receiver.is_quiet().await);
    server.stop().await;
}

#[tokio::test]
async fn a_resend_drops_the_automatic_retries_that_were_to_come() {
    let server = svix_server().await;
    let receiver = Receiver::always(500).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    let message = publish(&server, &svix, 1).await.remove(0);
    receiver.next().await;
    let next = eventually("a second try is due", || async {
        let found = svix.destinations(&message).await.unwrap();
        found.rows.first()?.value.next_attempt
    });
    assert!(next.await > hour_ago());
    let endpoint = endpoint_id(&endpoint.id);
    assert_eq!(svix.resend(&message, &endpoint, "k").await, Sent::Accepted);
    receiver.next().await;
    attempts(&svix, &message, 2).await;
    let found = svix.destinations(&message).await.unwrap().rows.remove(0);
    assert_eq!(found.value.next_attempt, None);
    assert_eq!(health(&server, "retries_pending").await, 0);
    server.stop().await;
}

#[tokio::test]
async fn an_expired_payload_cannot_be_sent_again() {
    let server = svix_server().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    let message = publish(&server, &svix, 1).await.remove(0);
    receiver.next().await;
    let path = format!("/api/v1/app/{APP}/msg/{message}/content");
    assert_eq!(call(&server, Method::DELETE, &path, None).await.0, 204);
    let Sent::Refused(failure) = svix.resend(&message, &endpoint_id(&endpoint.id), "k").await
    else {
        panic!("it was taken");
    };
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(failure.what.contains("Payload is missing"), "{failure}");
    assert!(failure.hint.contains("only the sender"), "{failure}");
    assert!(receiver.is_quiet().await);
    server.stop().await;
}

#[tokio::test]
async fn recover_sends_what_failed_and_no_more() {
    let server = svix_server().await;
    let receiver = Receiver::start(|number| {
        let status = if number == 1 { 500 } else { 204 };
        (Duration::ZERO, answer(status, ""))
    })
    .await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    let first = publish(&server, &svix, 1).await.remove(0);
    receiver.next().await;
    publish(&server, &svix, 1).await;
    receiver.next().await;
    let both = svix.messages(250, None).await.unwrap().rows.into_iter();
    let mut ids = both.map(|row| row.value.message.id);
    let failed = ids.find(|id| *id != first).unwrap();
    attempts(&svix, &failed, 1).await;
    let endpoint = endpoint_id(&endpoint.id);
    let begun = svix
        .recover(&endpoint, hour_ago(), None, "k")
        .await
        .unwrap();
    assert!(begun.id.starts_with("qtask_"));
    receiver.next().await;
    attempts(&svix, &failed, 2).await;
    let old = refused(svix.recover(&endpoint, Time(0), None, "k").await);
    assert!(
        old.what.contains("14 days") && old.what.contains("since"),
        "{old}"
    );
    assert_eq!(old.hint, "take a later time");
    let absent = svix.replay_missing(&endpoint, hour_ago(), None, "k");
    let absent = refused(absent.await);
    assert_eq!(absent.kind, FailureKind::NotOffered);
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_in_read_only_mode() {
    let server = svix_server().await;
    let receiver = Receiver::always(204).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    let message = publish(&server, &svix, 1).await.remove(0);
    receiver.next().await;
    let mut source = alone(&server.url(), server.api_key());
    source.read_only = true;
    let svix = Client::new(&source).unwrap().svix.unwrap();
    let endpoint = endpoint_id(&endpoint.id);
    let sent = svix.resend(&message, &endpoint, "k").await;
    assert!(
        matches!(sent, Sent::Refused(ref why) if why.what == "read-only mode"),
        "{sent:?}"
    );
    for changed in [
        svix.recover(&endpoint, hour_ago(), None, "k")
            .await
            .map(|_| ()),
        svix.send_example(&endpoint, "task.failed", "k")
            .await
            .map(|_| ()),
    ] {
        assert_eq!(refused(changed).what, "read-only mode");
    }
    assert!(receiver.is_quiet().await);
    server.stop().await;
}
