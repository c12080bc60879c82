//! Endpoints made and changed at Svix, by the same methods of the client as at an Aspect API.

use std::collections::BTreeMap;
use std::time::Duration;

use reeltop::app::manage::HeadersForm;
use reeltop::domain::{EndpointDraft, EndpointEdit, EndpointId, FailureKind, OwnHeaders, OwnValue};
use reeltop::io::client::Client;
use reeltop::server::Running;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::recover::reeltop;
use super::{APP, alone, cloud, publish, refused, svix_of, svix_server};
use crate::scripted::{Scripted, answer};
use crate::server::support::{Receiver, answer as answered, call, get};

#[tokio::test]
async fn an_endpoint_is_made_changed_in_part_and_deleted() {
    is_made_changed_in_part_and_deleted(svix_server().await).await;
}

/// Where a rotation is answered with the new secret, too.
#[tokio::test]
async fn an_endpoint_of_svix_cloud_is_made_changed_in_part_and_deleted() {
    is_made_changed_in_part_and_deleted(cloud().await).await;
}

async fn is_made_changed_in_part_and_deleted(server: Running) {
    let client = Client::new(&alone(&server.url(), server.api_key())).unwrap();
    let svix = svix_of(&server);
    let draft = EndpointDraft {
        url: "http://127.0.0.1:9/?token=kept".to_owned(),
        description: "prod".to_owned(),
        rate_limit: Some(7),
        ..EndpointDraft::default()
    };
    let types = ["task.failed".to_owned(), "bogus".to_owned()];
    assert_eq!(client.type_fault(Some(&types[..1])).await, None);
    let fault = client.type_fault(Some(&types)).await.unwrap();
    assert!(fault.why.contains("\"bogus\"; it has task.completed"));
    let created = client
        .create_endpoint(&draft)
        .await
        .unwrap_or_else(|_| panic!());
    let id = created.endpoint.value.id.clone();
    assert_eq!(
        &*created.endpoint.value.url,
        "http://127.0.0.1:9/?token=***"
    );
    assert!(!format!("{:?}", created.endpoint.raw).contains("kept"));
    // It is asked for by itself, so that why it is not told can be said.
    assert_eq!(created.secret, None);
    let told = client.secret_of(&id).await.unwrap();
    let secret = told.expose_secret();

    let edit = EndpointEdit {
        disabled: Some(true),
        ..EndpointEdit::default()
    };
    client.edit_endpoint(&id, &edit, None).await.unwrap();
    let found = svix.endpoints().await.unwrap().rows.remove(0).value;
    assert!(found.disabled);
    assert_eq!((&*found.description, found.rate_limit), ("prod", Some(7)));
    assert_eq!(
        found.event_types.unwrap().len(),
        3,
        "task.* is three for Svix"
    );
    // What the screen masks is still whole at the service.
    let whole = get(&server, &format!("/api/v1/app/{APP}/endpoint/{id}")).await;
    assert_eq!(whole["url"], "http://127.0.0.1:9/?token=kept");
    let edit = EndpointEdit {
        rate_limit: Some(None),
        ..EndpointEdit::default()
    };
    client.edit_endpoint(&id, &edit, None).await.unwrap();
    let found = svix.endpoints().await.unwrap().rows.remove(0).value;
    assert_eq!(found.rate_limit, None);

    let rotated = client
        .rotate_secret("", &id, None, Duration::from_mins(1))
        .await;
    rotated.unwrap();
    let other = client.endpoint_secret("", &id).await.unwrap();
    assert_ne!(other.expose_secret(), secret);
    let headers = BTreeMap::from([
        ("x-team".to_owned(), OwnValue::text("video")),
        ("authorization".to_owned(), OwnValue::text("Basic eA==")),
    ]);
    let routes = client.endpoint_routes().await.unwrap();
    let set = client.set_endpoint_headers(&routes, &id, &headers, None);
    set.await.unwrap();
    let told = client.endpoint_headers("", &id).await.unwrap();
    assert_eq!(told.headers.keys().collect::<Vec<_>>(), ["x-team"]);
    assert_eq!(told.sensitive.len(), 1);
    // The key in one is for what goes back alone.
    let key = BTreeMap::from([("x-key".to_owned(), OwnValue::text(server.api_key()))]);
    let set = client.set_endpoint_headers(&routes, &id, &key, None);
    set.await.unwrap();
    let told = client.endpoint_headers("", &id).await.unwrap();
    assert_eq!(told.headers["x-key"], "***");
    let own = client.headers_to_edit("", &id).await.unwrap();
    assert_eq!(own.masked["x-key"].reveal(), server.api_key());
    let shown = EndpointEdit {
        url: Some("http://127.0.0.1:9/?token=***".to_owned()),
        ..EndpointEdit::default()
    };
    let fault = client.edit_fault(&id, &shown).await.unwrap().unwrap();
    assert_eq!(fault.field, "url");

    client.delete_endpoint(&id).await.unwrap();
    let gone = refused(client.delete_endpoint(&id).await);
    assert_eq!(gone.kind, FailureKind::NotFound);
    let bad = EndpointEdit {
        url: Some("ftp://x".to_owned()),
        ..EndpointEdit::default()
    };
    let fault = refused(client.edit_endpoint(&id, &bad, None).await);
    assert!(fault.what.contains("nothing was sent: url"), "{fault}");
    server.stop().await;
}

/// No list of types is sent for all events, so that those are among them that there will be.
#[tokio::test]
async fn all_events_are_no_list() {
    let service = Receiver::start(|_| (Duration::ZERO, answered(200, "{}"))).await;
    let url = service.url.trim_end_matches("/hook");
    let client = Client::new(&alone(url, "testsk_x")).unwrap();
    let edit = EndpointEdit {
        event_types: Some(None),
        ..EndpointEdit::default()
    };
    let id = EndpointId::new("ep_1");
    client.edit_endpoint(&id, &edit, None).await.unwrap();
    let body = service.next().await.body;
    assert_eq!(&body[..], br#"{"eventTypes":null}"#);
}

/// As a real one tells it (a list of all three would miss those that there will be), and as it takes
/// what is left out: as it is in a change of a part, as all in a whole.
#[tokio::test]
async fn the_embedded_server_keeps_that_an_endpoint_is_sent_all() {
    let server = svix_server().await;
    let receiver = Receiver::always(204).await;
    let (svix, own) = (format!("/api/v1/app/{APP}/endpoint"), "/webhooks/endpoints");
    let body = json!({"url": receiver.url});
    let (status, made) = call(&server, Method::POST, &svix, Some(body.clone())).await;
    let told = [&made["eventTypes"], &made["filterTypes"]];
    assert_eq!((status, told), (201, [&Value::Null; 2]), "{made}");
    let at = format!("{svix}/{}", made["id"].as_str().unwrap());
    let own_at = format!("{own}/{}", made["id"].as_str().unwrap());
    let listed = get(&server, own).await;
    assert_eq!(listed["data"][0]["event_types"], Value::Null, "{listed}");
    publish(&server, &svix_of(&server), 1).await;
    receiver.next().await;
    let (some, all) = (json!(["task.failed"]), Value::Null);
    for (method, path, body, types) in [
        (Method::PATCH, &at, json!({"description": "d"}), &all),
        (Method::PATCH, &at, json!({"eventTypes": some}), &some),
        (Method::PATCH, &at, json!({"eventTypes": null}), &all),
        (
            Method::PUT,
            &at,
            json!({"url": receiver.url, "eventTypes": some}),
            &some,
        ),
        (Method::PUT, &at, body.clone(), &all),
        (
            Method::PUT,
            &own_at,
            json!({"url": receiver.url, "event_types": some}),
            &some,
        ),
        (
            Method::PUT,
            &own_at,
            json!({"url": receiver.url, "event_types": null}),
            &all,
        ),
    ] {
        let (status, answer) = call(&server, method, path, Some(body.clone())).await;
        assert_eq!(status, 200, "{body}: {answer}");
        let told = get(&server, &at).await;
        assert_eq!(&told["eventTypes"], types, "{body}");
        assert_eq!(told["eventTypes"], told["filterTypes"], "{told}");
    }
    // Left out is a fault there, where it is no default.
    let (status, _) = call(&server, Method::POST, own, Some(body)).await;
    assert_eq!(status, 422);
    server.stop().await;
}

/// What is no text is no reason to read none of them, and goes back to the letter.
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_no_texts_are_shown_and_go_back_as_they_are() {
    const TOLD: &str = r#"{"headers":{"x-b":true,"x-l":["a", 2.50],"x-n":1e2,"x-t":"video"},"sensitive":["authorization"]}"#;
    let service = Receiver::start(|_| (Duration::ZERO, answered(200, TOLD))).await;
    let url = service.url.trim_end_matches("/hook");
    let client = Client::new(&alone(url, "testsk_x")).unwrap();
    let id = EndpointId::new("ep_1");
    let own = client.headers_to_edit("", &id).await.unwrap();
    service.next().await;
    assert_eq!(own.odd["x-l"].shown.reveal(), r#"["a", 2.50]"#);
    let mut form = HeadersForm::of(&OwnHeaders {
        sensitive: Vec::new(),
        ..own
    });
    let sent = form.headers().unwrap();
    let routes = client.endpoint_routes().await.unwrap();
    let changed = client.set_endpoint_headers(&routes, &id, &sent, None);
    changed.await.unwrap();
    let body = service.next().await.body;
    let expected = r#"{"headers":{"x-b":true,"x-l":["a", 2.50],"x-n":1e2,"x-t":"video"}}"#;
    assert_eq!(std::str::from_utf8(&body).unwrap(), expected);

    let state = tempfile::tempdir().unwrap();
    let (code, lines, said) = reeltop(
        &state,
        url,
        "testsk_x",
        &["endpoints", "headers", "ep_1", "--json"],
    )
    .await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(lines, [TOLD]);
}

/// As a Svix server refuses it, so that a form that sends such a thing is found out here.
#[tokio::test]
async fn what_svix_takes_for_no_endpoint_is_refused_by_its_place() {
    let server = svix_server().await;
    let path = format!("/api/v1/app/{APP}/endpoint");
    let good = "http://127.0.0.1:9/";
    for (body, place) in [
        (json!({"url": "ftp://127.0.0.1/x"}), "url"),
        (json!({"url": "nonsense"}), "url"),
        (json!({"url": good, "throttleRate": 0}), "throttle_rate"),
        (json!({"url": good, "eventTypes": []}), "event_types"),
        (json!({"url": good, "eventTypes": ["task.*"]}), "event_type"),
        (
            json!({"url": good, "eventTypes": ["task.gone"]}),
            "eventTypes",
        ),
    ] {
        let (status, answer) = call(&server, Method::POST, &path, Some(body)).await;
        assert_eq!(status, 422, "{place}: {answer}");
        assert_eq!(answer["detail"][0]["loc"][1], place, "{answer}");
    }
    assert_eq!(get(&server, &path).await["data"], json!([]));
    server.stop().await;
}

/// A server that has endpoints, and nothing around one.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_does_not_offer_ends_a_command_with_the_reason_and_no_request() {
    let server = Scripted::start(|_, _| answer("404 Not Found", "", "")).await;
    let state = tempfile::tempdir().unwrap();
    let headers = state.path().join("headers");
    std::fs::write(&headers, "x-team: video\n").unwrap();
    let headers = headers.to_str().unwrap();
    for (asked, part) in [
        (vec!["secret", "ep_1"], "secret"),
        (vec!["rotate", "ep_1", "--yes"], "secret"),
        (vec!["headers", "ep_1"], "headers"),
        (vec!["headers", "ep_1", "--from", headers], "headers"),
        (vec!["example", "ep_1"], "send-example"),
    ] {
        let all = [&["endpoints"], &asked[..]].concat();
        let (code, lines, said) = reeltop(&state, &server.url, "testsk_x", &all).await;
        assert_eq!((code, lines.len()), (1, 0), "{asked:?}: {said}");
        let reason = format!("this server does not offer {part}");
        assert!(said.contains(&reason), "{asked:?}: {said}");
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 5, "{requests:?}");
    for head in requests {
        assert!(head.starts_with("get ") && !head.contains("ep_1"), "{head}");
    }
}

/// The option is named, by whatever name the service has for the field.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_refuses_is_named_by_its_option() {
    let state = tempfile::tempdir().unwrap();
    let create = ["endpoints", "create", "https://example.com/hooks"];
    let change = ["endpoints", "update", "ep_1", "--rate-limit", "5"];
    for (field, command, option) in [
        (r#""url""#, &create[..], "it is URL that"),
        (r#""url""#, &change[..], "it is --to that"),
        (r#""throttleRate""#, &change[..], "it is --rate-limit that"),
        (r#""rateLimit""#, &create[..], "it is --rate-limit that"),
        (
            r#""event_types",1"#,
            &create[..],
            "it is --event-types that",
        ),
        (
            r#""filterTypes",0"#,
            &create[..],
            "it is --event-types that",
        ),
    ] {
        let body = format!(r#"{{"detail":[{{"loc":["body",{field}],"msg":"is odd"}}]}}"#);
        let server = Scripted::start(move |_, head| {
            if head.starts_with("get ") {
                answer("404 Not Found", "", "")
            } else {
                answer("422 Unprocessable Entity", "", &body)
            }
        })
        .await;
        let (code, _, said) = reeltop(&state, &server.url, "testsk_x", command).await;
        assert_eq!(code, 1, "{field}: {said}");
        assert!(said.contains("is odd") && said.contains(option), "{said}");
    }
}
