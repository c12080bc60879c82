//! What somebody else changes of an endpoint while a command is at it.

use std::sync::Mutex;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Shop, run, told};
use crate::scripted::{Reply, Scripted, answer};
use crate::server::support::{call, create_endpoint, get};

const JSON: &str = "content-type: application/json\r\n";

/// A service that still tells this to the first look at a path, as the others' change comes only then.
async fn late(shop: &Shop, path: &str, before: &Value) -> Scripted {
    let (url, first) = (shop.server.url(), format!("get {path} ").to_lowercase());
    let before = Mutex::new(Some(before.to_string()));
    Scripted::start(move |_, head| {
        let is_first = head.starts_with(&first);
        let told = is_first.then(|| before.lock().unwrap().take()).flatten();
        told.map_or_else(
            || Reply::Pass(url.clone()),
            |told| answer("200 OK", JSON, &told),
        )
    })
    .await
}

async fn put(shop: &Shop, path: &str, body: &Value) {
    let (status, answer) = call(&shop.server, Method::PUT, path, Some(body.clone())).await;
    assert!(status < 300, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_keeps_what_others_change_and_takes_none_of_it_back() {
    let shop = Shop::open().await;
    let key = shop.server.api_key().to_owned();
    let id = create_endpoint(&shop.server, "http://127.0.0.1:9/old", &["task.*"])
        .await
        .id;
    let list = "/webhooks/endpoints";
    let before = get(&shop.server, list).await;
    let theirs = json!({
        "url": "http://127.0.0.1:9/theirs", "description": "theirs", "event_types": ["task.failed"],
        "rate_limit": 7, "version": 1, "disabled": true,
    });
    let path = format!("{list}/{id}");
    put(&shop, &path, &theirs).await;
    let home = shop.home.path();
    let service = late(&shop, list, &before).await;
    let arguments = ["update", &id, "--to", "-", "--rate-limit", "9"];
    let output = run(
        &service.url,
        &key,
        home,
        &arguments,
        "http://127.0.0.1:9/mine\n",
    )
    .await;
    let (code, _, words) = told(output);
    assert_eq!(code, 1, "{words}");
    for said in [
        "nothing was sent: somebody else changed the same",
        "--to was http://127.0.0.1:9/old when this began and is http://127.0.0.1:9/theirs now",
        "--rate-limit was none when this began and is 7 now",
        "the same command again replaces that",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
    assert!(
        !service
            .requests()
            .iter()
            .any(|head| head.starts_with("put"))
    );
    // Another field, or what they made the same, takes nothing back: the rest stays as they made it.
    let service = late(&shop, list, &before).await;
    let arguments = [
        "update",
        &id,
        "--description",
        "theirs",
        "--event-types",
        "task.failed",
    ];
    let output = run(&service.url, &key, home, &arguments, "").await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let heads = service.requests();
    let at = heads
        .iter()
        .position(|head| head.starts_with("put"))
        .unwrap();
    let look = format!("get {list} ");
    assert!(
        heads[at - 1].starts_with(&look),
        "nothing between the look and the PUT: {heads:?}"
    );
    let now = shop.only().await;
    for (field, value) in theirs.as_object().unwrap() {
        assert_eq!(now[field], *value, "{field}");
    }
    // What is begun after it replaces it.
    let arguments = ["update", &id, "--to", "-"];
    let (code, _, words) = shop.run(&arguments, "http://127.0.0.1:9/mine").await;
    assert_eq!(code, 0, "{words}");
    let now = shop.only().await;
    assert_eq!(now["url"], "http://127.0.0.1:9/mine");
    assert_eq!(now["disabled"], true);
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_others_change_meanwhile_are_not_replaced() {
    let shop = Shop::open().await;
    let key = shop.server.api_key().to_owned();
    let id = create_endpoint(&shop.server, "http://127.0.0.1:9/", &["task.*"])
        .await
        .id;
    let path = format!("/webhooks/endpoints/{id}/headers");
    put(&shop, &path, &json!({"headers": {"x-a": "1", "x-b": "2"}})).await;
    let before = get(&shop.server, &path).await;
    let theirs = json!({"x-a": "9", "x-b": "2", "x-d": "5"});
    put(&shop, &path, &json!({"headers": theirs})).await;
    for more in [&[][..], &["--yes"]] {
        let service = late(&shop, &path, &before).await;
        let arguments = [&["headers", &id, "--from", "-"][..], more].concat();
        let output = run(&service.url, &key, shop.home.path(), &arguments, "X-A: 3\n").await;
        let (code, _, words) = told(output);
        assert_eq!(code, 1, "{words}");
        let said = "nothing was sent: somebody else changed x-a, x-d of";
        assert!(words.contains(said), "{words}");
        assert_eq!(get(&shop.server, &path).await["headers"], theirs);
    }
    // The same as theirs is no loss.
    let service = late(&shop, &path, &before).await;
    let arguments = ["headers", &id, "--from", "-"];
    let typed = "X-A: 9\nx-d: 5\n";
    let output = run(&service.url, &key, shop.home.path(), &arguments, typed).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let now = get(&shop.server, &path).await;
    assert_eq!(now["headers"], json!({"X-A": "9", "x-d": "5"}));
    shop.server.stop().await;
}

/// What stands after a change is what the service says, and not what was asked of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_the_service_did_not_make_is_not_told_as_made() {
    let home = tempfile::tempdir().unwrap();
    let row = |disabled, limit: u64| {
        json!({"id": "ep_1", "url": "http://a/", "description": "d", "event_types": ["x"],
               "rate_limit": limit, "version": 1, "disabled": disabled})
    };
    // What the PUT answers, what stands after it, and what is said of it.
    for (answered, then, code, said) in [
        (
            row(false, 5),
            row(false, 5),
            1,
            "the service took it, but ep_1 is enabled now",
        ),
        (row(false, 5), row(true, 5), 0, "ep_1 is disabled"),
        (
            row(true, 7),
            row(true, 7),
            0,
            "its rate_limit is 7 now, and 5 was sent",
        ),
    ] {
        let is_put = Mutex::new(false);
        let service = Scripted::start(move |_, head| {
            let mut is_put = is_put.lock().unwrap();
            if head.starts_with("put") {
                *is_put = true;
                return answer("200 OK", JSON, &json!({"endpoint": answered}).to_string());
            }
            let now = if *is_put { then.clone() } else { row(false, 5) };
            answer("200 OK", JSON, &json!({"data": [now]}).to_string())
        });
        let service = service.await;
        let output = run(
            &service.url,
            "sk_test_1",
            home.path(),
            &["disable", "ep_1"],
            "",
        )
        .await;
        let (ended, _, words) = told(output);
        assert_eq!(ended, code, "{words}");
        assert!(words.contains(said), "{words}");
    }
}
