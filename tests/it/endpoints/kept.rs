//! What a change leaves as the service has it.

use std::collections::BTreeMap;
use std::time::Duration;

use reeltop::app::manage::{EndpointAction, EndpointAnswer};
use reeltop::app::{Msg, update};
use reeltop::domain::{EndpointId, Failure, FailureKind, OwnValue};
use reeltop::io::client::Client;
use reeltop::io::config::Source;
use serde_json::{Value, json};

use super::{Shop, run};
use crate::manage::{answer, managed};
use crate::server::support::{Receiver, answer as answered, create_endpoint, get};
use crate::support::{picture, press, told};

/// The API key in what an endpoint is goes back as it is, and not as it is shown.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_leaves_the_key_where_the_service_has_it() {
    let shop = Shop::open().await;
    let key = shop.server.api_key().to_owned();
    let url = format!("http://127.0.0.1:9/{key}/hook?token={key}");
    let id = create_endpoint(&shop.server, &url, &["task.failed"])
        .await
        .id;
    let description = format!("with {key}");
    for arguments in [
        &["update", &id, "--description", &description][..],
        &["disable", &id],
        &["update", &id, "--rate-limit", "9"],
    ] {
        let (code, _, words) = shop.run(arguments, "").await;
        assert_eq!(code, 0, "{words}");
        let held = shop.only().await;
        assert_eq!(held["url"], url, "{arguments:?}");
        assert_eq!(held["description"], description, "{arguments:?}");
    }
    // What is shown masked, copied and sent.
    let (_, listed, _) = shop.run(&["--json"], "").await;
    assert!(!listed.contains(&key), "{listed}");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let shown = listed["url"].as_str().unwrap();
    let text = format!("{} too", listed["description"].as_str().unwrap());
    for (option, value) in [("--to", shown), ("--description", &text)] {
        let (code, _, words) = shop.run(&["update", &id, option, value], "").await;
        let why = format!("{option}: *** stands for what is not shown: type it out");
        assert_eq!(code, 2, "{words}");
        assert!(words.contains(&why), "{words}");
    }
    let held = shop.only().await;
    assert_eq!(held["url"], url);
    // Where nothing is masked, it is a text as any other.
    let arguments = ["update", &id, "--description", "*** prod ***"];
    shop.run(&["update", &id, "--description", "prod"], "")
        .await;
    let (code, _, words) = shop.run(&arguments, "").await;
    assert_eq!(code, 0, "{words}");
    assert_eq!(shop.only().await["description"], "*** prod ***");
    let typed = "x-team: media\nx-key: ***\n";
    let (code, _, words) = shop.run(&["headers", &id, "--from", "-"], typed).await;
    assert_eq!(code, 2, "{words}");
    assert!(words.contains("line 2: *** stands for"), "{words}");
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_in_a_header_is_not_shown_and_goes_back_as_it_is() {
    let shop = Shop::open().await;
    let key = shop.server.api_key().to_owned();
    let id = create_endpoint(&shop.server, "http://127.0.0.1:9/", &["task.*"]).await;
    let id = EndpointId::new(&id.id);
    let client = Client::new(&Source::new(&shop.server.url(), &*key)).unwrap();
    let routes = client.endpoint_routes().await.unwrap();
    let template = routes.headers.clone().unwrap();
    let headers = BTreeMap::from([
        ("authorization".to_owned(), OwnValue::text("Basic eA==")),
        ("x-shop".to_owned(), OwnValue::text(&format!("Key {key}"))),
        ("x-team".to_owned(), OwnValue::text("media")),
    ]);
    let set = client.set_endpoint_headers(&routes, &id, &headers, None);
    set.await.unwrap();
    let own = client.headers_to_edit(&template, &id).await.unwrap();
    let mut state = told();
    let asked = managed(&press(&mut state, "4 m j j enter"));
    answer(&mut state, &asked, Ok(EndpointAnswer::Headers(own)));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("x-shop: ***") && !shown.contains(&key));
    press(&mut state, "tab tab");
    update(&mut state, Msg::Pasted("Basic eQ==".to_owned()));
    let request = managed(&press(&mut state, "enter"));
    let EndpointAction::SetHeaders(_, typed, _) = &request.action else {
        panic!("{request:?}")
    };
    assert_eq!(typed["x-shop"].reveal(), format!("Key {key}"));
    assert_eq!(typed["authorization"].reveal(), "Basic eQ==");
    assert!(!format!("{request:?}").contains(&key));
    // Refused, it stands there again as it was: the key not shown, and the hidden one to be typed.
    let words = "422 for /x: too many";
    let refused = Failure::new(FailureKind::Invalid, words, "");
    answer(&mut state, &request, Err(refused));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("too many") && shown.contains("x-shop: ***"));
    assert!(!shown.contains(&key), "{shown}");
    press(&mut state, "ctrl-w ctrl-w");
    assert_eq!(press(&mut state, "enter"), []);
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("type it, or clear the line"), "{shown}");
    // What stands behind three stars is not known where they are not all of it.
    update(&mut state, Msg::Pasted(" Basic eQ==".to_owned()));
    press(&mut state, "tab tab tab");
    update(&mut state, Msg::Pasted("x".to_owned()));
    assert_eq!(press(&mut state, "enter"), []);
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("*** stands for what is not shown"),
        "{shown}"
    );
    press(&mut state, "backspace");
    let request = managed(&press(&mut state, "enter"));
    let EndpointAction::SetHeaders(_, typed, _) = request.action else {
        panic!("not sent")
    };
    assert_eq!(typed["x-shop"].reveal(), format!("Key {key}"));
    let told = get(&shop.server, &format!("/webhooks/endpoints/{id}/headers")).await;
    assert_eq!(told["headers"]["x-shop"], format!("Key {key}"));
    shop.server.stop().await;
}

/// None is dropped without a word, and all of them only after asking.
#[tokio::test(flavor = "multi_thread")]
async fn headers_are_not_lost_by_a_slip() {
    let shop = Shop::open().await;
    let id = create_endpoint(&shop.server, "http://127.0.0.1:9/", &["task.*"])
        .await
        .id;
    let path = format!("/webhooks/endpoints/{id}/headers");
    let set = ["headers", &id, "--from", "-"];
    let (code, _, words) = shop.run(&set, "X-A: first\n").await;
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("has 1 header of its own"), "{words}");
    // What nobody can put back goes after asking alone.
    let typed = "X-A: first\nAuthorization: Basic cGxhbnRlZA==\n";
    let (code, _, words) = shop.run(&set, typed).await;
    assert_eq!(code, 0, "{words}");
    let (code, _, words) = shop.run(&set, "X-A: first\n").await;
    assert_eq!(code, 2, "{words}");
    assert!(
        words.contains("Authorization would be removed: confirm with --yes"),
        "{words}"
    );
    assert_eq!(
        get(&shop.server, &path).await["sensitive"],
        json!(["Authorization"])
    );
    let forced = ["headers", &id, "--from", "-", "--yes"];
    let (code, _, words) = shop.run(&forced, "X-A: first\n").await;
    assert_eq!(code, 0, "{words}");
    assert_eq!(get(&shop.server, &path).await["sensitive"], json!([]));
    for (typed, why) in [
        ("X-A: 1\nX-B: 2\nx-a: 3\n", "line 3: x-a stands there twice"),
        ("", "no header was removed: confirm with --yes"),
        ("\n \n", "no header was removed"),
    ] {
        let (code, _, words) = shop.run(&set, typed).await;
        assert_eq!(code, 2, "{typed:?}: {words}");
        assert!(words.contains(why), "{words}");
        let held = get(&shop.server, &path).await;
        assert_eq!(held["headers"], json!({"X-A": "first"}));
    }
    let all = [&set[..], &["--yes"]].concat();
    let (code, _, words) = shop.run(&all, "").await;
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("has no headers of its own"), "{words}");
    assert_eq!(get(&shop.server, &path).await["headers"], json!({}));
    shop.server.stop().await;
}

/// What the service has of an endpoint goes back to the letter, and only what is changed is checked.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_changed_is_neither_lost_nor_judged() {
    let home = tempfile::tempdir().unwrap();
    let told = r#""url":"http://a b/x y","event_types":["a b"],"filter_types":null,
        "rate_limit":100000,"version":"v2","channels":["x"],"metadata":{"n":1.50},"new_field":[null]"#;
    let list = format!(
        r#"{{"data":[{{"id":"ep_1","description":"d",{told},"disabled":true,"updated_at":"x"}}]}}"#
    );
    let service = Receiver::start(move |_| (Duration::ZERO, answered(200, list.clone()))).await;
    let url = service.url.trim_end_matches("/hook").to_owned();
    for (arguments, changed) in [
        (&["enable", "ep_1"][..], r#""disabled":false"#),
        (
            &["update", "ep_1", "--description", "e"],
            r#""description":"e""#,
        ),
        (
            &["update", "ep_1", "--event-types", "*"],
            r#""event_types":null"#,
        ),
        (
            &["update", "ep_1", "--rate-limit", "none"],
            r#""rate_limit":null"#,
        ),
    ] {
        let output = run(&url, "sk_test_1", home.path(), arguments, "").await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let body = loop {
            let arrived = service.next().await;
            if !arrived.body.is_empty() {
                break String::from_utf8(arrived.body.to_vec()).unwrap();
            }
        };
        let is_of_types = arguments.contains(&"--event-types");
        assert_eq!(body.contains(r#""event_types":["a b"]"#), !is_of_types);
        for kept in [
            r#""url":"http://a b/x y""#,
            r#""filter_types":null"#,
            r#""version":"v2""#,
            r#""channels":["x"]"#,
            r#""metadata":{"n":1.50}"#,
            r#""new_field":[null]"#,
            changed,
        ] {
            assert!(body.contains(kept), "{kept}: {body}");
        }
        assert!(!body.contains("updated_at") && !body.contains("ep_1"));
    }
    // What is changed is judged as ever.
    let arguments = ["update", "ep_1", "--rate-limit", "100000"];
    let output = run(&url, "sk_test_1", home.path(), &arguments, "").await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(service.is_quiet().await);
}
