//! The documented routes: shapes, codes, errors.

use reeltop::server::FeatureState::{Completed, Failed, Processing};
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{call, client, create_endpoint, eventually, get, start_fast};
use reeltop::server::{self, Options};

fn faults(body: &Value) -> Vec<(Value, String)> {
    let detail = body["detail"].as_array().unwrap();
    let fault = |f: &Value| (f["loc"].clone(), f["type"].as_str().unwrap().to_owned());
    detail.iter().map(fault).collect()
}

#[tokio::test]
async fn the_key_is_needed_everywhere_but_for_health_and_openapi() {
    let server = start_fast().await;
    for path in ["/health", "/openapi.json"] {
        let answer = client()
            .get(format!("{}{path}", server.url()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    let document = get(&server, "/openapi.json").await;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            if ["/health", "/openapi.json"].contains(&path.as_str()) {
                continue;
            }
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let url = format!("{}{}", server.url(), path.replace(['{', '}'], ""));
            for key in [None, Some("wrong")] {
                let mut request = client().request(method.clone(), &url);
                if let Some(key) = key {
                    request = request.bearer_auth(key);
                }
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 401, "{method} {path}");
                assert_eq!(answer.headers()["www-authenticate"], "Bearer");
                let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
                let text = if key.is_none() {
                    "Not authenticated"
                } else {
                    "Invalid API key"
                };
                assert_eq!(body, json!({"detail": text}));
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn errors_have_fastapis_form() {
    let server = start_fast().await;
    assert_eq!(
        call(&server, Method::GET, "/nowhere", None).await,
        (404, json!({"detail": "Not Found"}))
    );
    assert_eq!(
        call(&server, Method::DELETE, "/tasks", None).await,
        (405, json!({"detail": "Method Not Allowed"}))
    );
    assert_eq!(
        call(&server, Method::GET, "/tasks/none", None).await,
        (404, json!({"detail": "Task not found"}))
    );

    let (status, body) = call(&server, Method::POST, "/tasks", None).await;
    assert_eq!(
        (status, faults(&body)),
        (422, vec![(json!(["body"]), "missing".to_owned())])
    );
    let (_, body) = call(&server, Method::POST, "/tasks", Some(json!({}))).await;
    let missing = |name: &str| (json!(["body", name]), "missing".to_owned());
    assert_eq!(faults(&body), [missing("asset_id"), missing("features")]);
    let wrong = json!({"asset_id": 1, "features": ["visual", "video", null]});
    let (_, body) = call(&server, Method::POST, "/tasks", Some(wrong)).await;
    assert_eq!(
        faults(&body),
        [
            (json!(["body", "asset_id"]), "string_type".to_owned()),
            (json!(["body", "features", 1]), "enum".to_owned()),
            (json!(["body", "features", 2]), "string_type".to_owned()),
        ]
    );
    let (_, body) = call(&server, Method::POST, "/tasks", Some(json!(["x"]))).await;
    assert_eq!(
        faults(&body),
        [(json!(["body"]), "model_attributes_type".to_owned())]
    );
    let broken = client()
        .post(format!("{}/tasks", server.url()))
        .bearer_auth(server.api_key())
        .body("{\"asset_id\": nope}")
        .send();
    let answer = broken.await.unwrap();
    assert_eq!(answer.status(), 422);
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(body["detail"][0]["type"], "json_invalid");
    assert_eq!(body["detail"][0]["loc"][0], "body");

    let nulls = json!({"asset_id": "a", "features": vec![Value::Null; 300_000]});
    let (status, body) = call(&server, Method::POST, "/tasks", Some(nulls)).await;
    assert_eq!((status, faults(&body).len()), (422, 100));

    let (status, body) = call(&server, Method::GET, "/tasks/%FF", None).await;
    assert_eq!(status, 400);
    assert!(body["detail"].is_string(), "{body}");

    for limit in ["0", "251", "many"] {
        let path = format!("/webhooks/messages?limit={limit}");
        let (status, body) = call(&server, Method::GET, &path, None).await;
        assert_eq!(
            (status, &body["detail"][0]["loc"]),
            (422, &json!(["query", "limit"]))
        );
    }
    for query in ["", "?message_id=a&endpoint_id=b"] {
        let path = format!("/webhooks/delivery-attempts{query}");
        assert_eq!(call(&server, Method::GET, &path, None).await.0, 422);
    }
    server.stop().await;
}

#[tokio::test]
async fn head_is_not_allowed_and_not_said_to_be() {
    let server = start_fast().await;
    for (method, path, status, allow) in [
        (Method::HEAD, "/health", 405, Some("GET")),
        (Method::HEAD, "/tasks/active", 405, Some("GET")),
        (Method::HEAD, "/tasks", 405, Some("POST")),
        (Method::HEAD, "/nowhere", 404, None),
        (Method::DELETE, "/tasks/active", 405, Some("GET")),
        (Method::PUT, "/webhooks/endpoints", 405, Some("GET, POST")),
    ] {
        let answer = client()
            .request(method.clone(), format!("{}{path}", server.url()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
        let allowed = answer.headers().get("allow").map(|v| v.to_str().unwrap());
        assert_eq!(allowed, allow, "{method} {path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_task_moves_and_its_state_is_what_the_routes_say() {
    let server = start_fast().await;
    let backend = server.backend();
    let id = backend
        .create_task("asset-1", &["proxy", "visual"])
        .unwrap();
    assert!(backend.set_feature(&id, "proxy", Processing));
    let task = get(&server, &format!("/tasks/{id}")).await;
    assert_eq!(
        task["features"],
        json!({"proxy": {"state": "processing"}, "visual": {"state": "queued"}})
    );
    assert_eq!(get(&server, "/tasks/active").await, json!([task]));
    assert_eq!(task["user_id"], get(&server, "/users/me").await["id"]);

    backend.set_feature(&id, "proxy", Completed);
    backend.set_feature(&id, "visual", Failed);
    let failed = get(&server, &format!("/tasks/{id}")).await;
    assert!(failed["updated"].as_str() > task["updated"].as_str());
    assert_eq!(
        get(&server, "/tasks/active").await,
        json!([failed]),
        "failed tasks stay listed"
    );

    let other = backend.create_task("asset-1", &["proxy"]).unwrap();
    backend.set_feature(&other, "proxy", Completed);
    assert_eq!(
        get(&server, "/tasks/active").await,
        json!([failed]),
        "completed ones do not"
    );
    assert_eq!(
        get(&server, &format!("/tasks/{other}")).await["id"],
        json!(other)
    );
    server.stop().await;
}

#[tokio::test]
async fn a_task_that_a_client_asks_for_is_worked_on() {
    let options = Options {
        time_scale: 100_000.0,
        ..Options::default()
    };
    let server = server::start(options).await.unwrap();
    let index = get(&server, "/indexes").await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let assets = get(&server, &format!("/assets?index_id={index}")).await;
    let asset = assets
        .as_array()
        .unwrap()
        .iter()
        .find(|a| a["type"] == "video")
        .unwrap();
    let id = asset["id"].as_str().unwrap();
    assert_eq!(
        get(&server, &format!("/assets/{id}")).await["name"],
        asset["name"]
    );

    let wanted = json!({"asset_id": id, "features": ["visual", "transcription", "visual"]});
    let (status, created) = call(&server, Method::POST, "/tasks", Some(wanted)).await;
    assert_eq!(status, 201, "{created}");
    let path = format!("/tasks/{}", created["task_id"].as_str().unwrap());
    let task = eventually("the end of the task", || async {
        let task = get(&server, &path).await;
        let features = task["features"].as_object().unwrap();
        let done = features
            .values()
            .all(|f| f["state"] != "queued" && f["state"] != "processing");
        done.then(|| task.clone())
    })
    .await;
    assert_eq!(task["features"].as_object().unwrap().len(), 2);

    let stranger = json!({"asset_id": "none", "features": ["visual"]});
    let (status, body) = call(&server, Method::POST, "/tasks", Some(stranger)).await;
    assert_eq!((status, body), (404, json!({"detail": "Asset not found"})));
    let (status, body) = call(&server, Method::GET, "/assets", None).await;
    assert_eq!(
        (status, &body["detail"][0]["loc"]),
        (422, &json!(["query", "index_id"]))
    );
    server.stop().await;
}

#[tokio::test]
async fn endpoints_are_made_replaced_listed_and_removed() {
    let server = start_fast().await;
    let empty = json!({"data": [], "iterator": null, "prev_iterator": null, "done": true});
    assert_eq!(get(&server, "/webhooks/messages").await, empty);
    assert_eq!(
        get(&server, "/webhooks/delivery-attempts?message_id=any").await,
        empty
    );

    let url = "http://127.0.0.1:9/hook";
    let wanted = json!({
        "url": url, "description": "d", "event_types": ["task.*"], "rate_limit": 120, "version": 1
    });
    let (status, first) = call(
        &server,
        Method::POST,
        "/webhooks/endpoints",
        Some(wanted.clone()),
    )
    .await;
    assert_eq!(status, 201);
    let every = json!(["task.completed", "task.failed", "task.progress"]);
    assert_eq!(first["endpoint"]["event_types"], every);
    assert_eq!(first["endpoint"]["rate_limit"], 120);
    assert_eq!(first["app"]["is_new"], true);
    let secret = first["secret"].as_str().unwrap();
    assert!(
        secret.starts_with("whsec_") && secret.len() == 38,
        "24 bytes in base64"
    );
    let (_, second) = call(&server, Method::POST, "/webhooks/endpoints", Some(wanted)).await;
    assert_eq!(second["app"]["is_new"], false);
    assert_eq!(second["app"]["id"], first["app"]["id"]);

    let list = get(&server, "/webhooks/endpoints").await;
    assert_eq!(list["data"], json!([first["endpoint"], second["endpoint"]]));
    assert!(!list.to_string().contains("whsec_"));

    let path = format!(
        "/webhooks/endpoints/{}",
        first["endpoint"]["id"].as_str().unwrap()
    );
    let replacement = json!({"url": url, "event_types": ["task.failed"], "disabled": true});
    let (status, body) = call(&server, Method::PUT, &path, Some(replacement)).await;
    assert_eq!(status, 200);
    assert!(!body.to_string().contains("whsec_"));
    let endpoint = &body["endpoint"];
    assert_eq!(
        endpoint["description"], "",
        "what is left out falls back to its default"
    );
    assert_eq!(
        (&endpoint["disabled"], &endpoint["rate_limit"]),
        (&json!(true), &Value::Null)
    );

    let gone = call(&server, Method::DELETE, &path, None).await;
    assert_eq!(gone, (200, json!({"success": true})));
    assert_eq!(call(&server, Method::DELETE, &path, None).await.0, 404);
    let deliveries = format!("{path}/deliveries");
    assert_eq!(call(&server, Method::GET, &deliveries, None).await.0, 404);
    assert_eq!(
        get(&server, "/webhooks/endpoints").await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    server.stop().await;
}

#[tokio::test]
async fn bad_endpoints_are_refused_with_their_places() {
    let server = start_fast().await;
    for (field, value) in [
        ("url", json!("ftp://example.com/")),
        ("url", json!(7)),
        ("event_types", json!([])),
        ("event_types", json!(["asset.created"])),
        ("event_types", json!("task.*")),
        ("rate_limit", json!(0)),
        ("rate_limit", json!("fast")),
        ("description", json!(false)),
    ] {
        let mut body = json!({"url": "http://127.0.0.1:9/", "event_types": ["task.*"]});
        body[field] = value;
        let (status, answer) = call(
            &server,
            Method::POST,
            "/webhooks/endpoints",
            Some(body.clone()),
        )
        .await;
        assert_eq!(status, 422, "{body}");
        assert_eq!(answer["detail"][0]["loc"][1], field, "{answer}");
    }
    assert_eq!(get(&server, "/health").await["endpoints"], 0);
    create_endpoint(&server, "http://127.0.0.1:9/", &["task.failed"]).await;
    server.stop().await;
}

#[tokio::test]
async fn openapi_says_where_the_stream_is_what_is_ours_and_how_retries_go() {
    let server = start_fast().await;
    let document = get(&server, "/openapi.json").await;
    let events = &document["paths"]["/events"]["get"];
    assert!(events["responses"]["200"]["content"]["text/event-stream"].is_object());
    assert_eq!(events["x-reeltop"], true);
    let resend = &document["paths"]["/webhooks/messages/{message_id}/resend"]["post"];
    assert_eq!(resend["x-reeltop"], true);
    assert!(document["paths"]["/tasks/active"]["get"]["x-reeltop"].is_null());
    let schedule = document["x-retry-schedule"].as_array().unwrap();
    let seconds: Vec<f64> = schedule.iter().filter_map(Value::as_f64).collect();
    assert_eq!(seconds, [0.05, 3.0, 18.0, 72.0, 180.0, 360.0, 360.0]);
    assert_eq!(document["x-retry-floor-after-timeout"], json!(0.6));
    server.stop().await;
}
