//! Managing endpoints from the screen: what is asked of the service, once, and what is said of it.

use std::time::Instant;

use reeltop::app::manage::{EndpointAction, EndpointAnswer, EndpointRequest, Stage};
use reeltop::app::{Effect, Msg, Overlay, Sight, Sighted, State, update};
use reeltop::domain::time::SECOND;
use reeltop::domain::{
    Abilities, Ability, AttemptHeaders, ChangeKind, EndpointEdit, EndpointId, Failure, FailureKind,
    FieldFault, Headers, Hidden, Moment, Offer, OwnHeaders, OwnValue, Stats,
};
use reeltop::io::client::Client;
use reeltop::server::Options;

use crate::bulk::failed_at;
use crate::client::intake::source_of;
use crate::pty::Pty;
use crate::server::support::{PATIENCE, create_endpoint, start};
use crate::support::{change, key, picture, press, told};

mod held;
mod outcomes;

fn type_text(state: &mut State, text: &str) {
    update(state, Msg::Pasted(text.to_owned()));
}

pub fn managed(effects: &[Effect]) -> EndpointRequest {
    match effects {
        [Effect::Manage(request)] => request.clone(),
        other => panic!("{other:?}"),
    }
}

fn answer_now(
    state: &mut State,
    request: &EndpointRequest,
    answer: Result<EndpointAnswer, Failure>,
) -> Vec<Effect> {
    let request = request.clone();
    update(state, Msg::Managed { request, answer })
}

/// The answer, and time to look at it.
pub fn answer(
    state: &mut State,
    request: &EndpointRequest,
    answer: Result<EndpointAnswer, Failure>,
) -> Vec<Effect> {
    let effects = answer_now(state, request, answer);
    pass(state, 1);
    effects
}

/// So many seconds pass.
fn pass(state: &mut State, seconds: i64) {
    let then = Moment {
        wall: state.now.wall.plus(seconds * SECOND),
        mono: state.now.mono + seconds * SECOND,
    };
    update(state, Msg::Tick(then));
}

#[test]
fn an_address_that_is_not_closed_is_named_in_the_form() {
    let mut state = told();
    press(&mut state, "4 c");
    type_text(&mut state, "http://[::1");
    assert_eq!(press(&mut state, "enter"), []);
    let shown = picture(&mut state, 120, 30);
    assert!(
        shown.contains("the IPv6 address of the host has no ] at its end"),
        "{shown}"
    );
}

#[test]
fn a_new_endpoint_is_sent_once_and_its_secret_shown() {
    let mut state = told();
    press(&mut state, "4 c");
    // What the service would refuse is not sent, and stays typed.
    assert_eq!(press(&mut state, "enter"), []);
    assert!(picture(&mut state, 100, 30).contains("an http or https URL is needed"));
    type_text(&mut state, "https://example.com/hooks");
    press(&mut state, "tab");
    type_text(&mut state, "shop");
    let action = managed(&press(&mut state, "enter"));
    let EndpointAction::Create(draft) = &action.action else {
        panic!("{action:?}")
    };
    assert_eq!(
        (draft.url.as_str(), draft.description.as_str()),
        ("https://example.com/hooks", "shop")
    );
    // While the answer is waited for, nothing more can be sent.
    assert_eq!(press(&mut state, "enter enter"), []);
    let created = EndpointAnswer::Created(EndpointId::new("ep_new"), Ok(Hidden::new("whsec_x1y2")));
    assert_eq!(answer(&mut state, &action, Ok(created)), [Effect::Refresh]);
    let shown = picture(&mut state, 100, 30);
    assert!(
        shown.contains("whsec_x1y2") && shown.contains("shop is created"),
        "{shown}"
    );
    let [Effect::Copy { text, .. }] = &press(&mut state, "y")[..] else {
        panic!("no copy")
    };
    assert_eq!(text, "whsec_x1y2");
    let [Effect::SaveSecret { endpoint, .. }] = &press(&mut state, "w")[..] else {
        panic!("not saved")
    };
    assert_eq!(endpoint.to_string(), "ep_new");
    assert!(!format!("{:?}", state.overlay).contains("whsec_x1y2"));
    press(&mut state, "esc");
    assert!(!picture(&mut state, 100, 30).contains("whsec_x1y2"));
}

#[test]
fn what_is_pasted_is_sent_whole_or_not_at_all() {
    let mut state = told();
    press(&mut state, "4 c");
    let url = format!("https://example.com/{}", "x".repeat(2_000));
    type_text(&mut state, &url);
    let action = managed(&press(&mut state, "enter")).action;
    assert!(format!("{action:?}").contains(&url));
    // Beyond what services take it is told at its field.
    press(&mut state, "esc c");
    type_text(
        &mut state,
        &format!("https://example.com/{}", "x".repeat(2_093)),
    );
    assert_eq!(press(&mut state, "enter"), []);
    assert!(picture(&mut state, 120, 36).contains("longer than 2048 characters"));
    press(&mut state, "esc c");
    type_text(&mut state, "https://example.com/hooks");
    press(&mut state, "tab");
    type_text(&mut state, &"shop ".repeat(5_000));
    assert_eq!(press(&mut state, "enter"), []);
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("25000 characters that were pasted none"),
        "{shown}"
    );
}

#[test]
fn a_refusal_is_told_in_the_services_words_and_nothing_typed_is_lost() {
    let mut state = told();
    press(&mut state, "4 m enter tab");
    type_text(&mut state, " two");
    let action = managed(&press(&mut state, "enter"));
    let words = "422 for /webhooks/endpoints/x: description: too strange";
    let refused = Failure::new(FailureKind::Invalid, words, "");
    answer(&mut state, &action, Err(refused));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("too strange"), "{shown}");
    assert!(shown.contains(" two"), "{shown}");
    // And it can be sent again as it stands.
    assert_eq!(managed(&press(&mut state, "enter")).action, action.action);
}

#[test]
fn a_refused_form_shows_the_whole_refusal_and_what_to_do_at_80_columns() {
    for (kind, status, words, hint, at) in [
        (
            FailureKind::RateLimited,
            429,
            "Slow down: this application may make ten endpoints an hour",
            "too many requests; try again in 30s",
            0,
        ),
        (
            FailureKind::Invalid,
            422,
            "body.throttleRate: more than what your plan of the service has, which is 50 a second",
            "mend what the server names, then try again",
            3,
        ),
        (
            FailureKind::Invalid,
            422,
            "body.event_types.0: there is no such event type here",
            "mend what the server names, then try again",
            2,
        ),
    ] {
        let mut state = told();
        press(&mut state, "4 c");
        type_text(&mut state, "https://example.com/hooks");
        let action = managed(&press(&mut state, "enter"));
        let place = "http://127.0.0.1:40123 for /api/v1/app/app_2vX9nQeK3mZr8TyU1oWc5dGhJ/endpoint";
        let what = format!("{status} from {place}: {words}");
        answer(&mut state, &action, Err(Failure::new(kind, what, hint)));
        let shown = picture(&mut state, 80, 24);
        let said: Vec<&str> = shown
            .split(['│', ' ', '\n'])
            .filter(|word| !word.is_empty())
            .collect();
        let whole = format!("✗ {status}: {words}; {hint}");
        assert!(said.join(" ").contains(&whole), "{shown}");
        assert!(shown.contains("https://example.com/hooks"), "{shown}");
        let Some(Overlay::Manage(manage)) = &state.overlay else {
            panic!("no form")
        };
        let Stage::Form(form) = &manage.stage else {
            panic!("no form")
        };
        assert_eq!((form.at, form.fields[at].fault.is_some()), (at, at > 0));
        // Sent again, the refusal is of the past.
        let again = managed(&press(&mut state, "enter"));
        answer(&mut state, &again, Ok(EndpointAnswer::Done));
        assert!(!picture(&mut state, 80, 24).contains(&status.to_string()));
    }
}

#[test]
fn a_long_notice_is_told_to_its_end() {
    let mut state = told();
    press(&mut state, "4 m j j j");
    let action = managed(&press(&mut state, "enter"));
    let words = "word ".repeat(40) + "the last of them";
    let what = format!("409 from http://127.0.0.1:40123 for /webhooks/endpoints/x: {words}");
    let refused = Failure::new(FailureKind::Invalid, what, "look at it first");
    answer(&mut state, &action, Err(refused));
    let shown = picture(&mut state, 80, 24);
    assert!(shown.contains("409: word word"), "{shown}");
    let said: Vec<&str> = shown.split_whitespace().collect();
    assert!(
        said.join(" ")
            .contains("the last of them; look at it first"),
        "{shown}"
    );
}

#[test]
fn an_event_type_that_the_service_has_not_is_told_at_its_field() {
    let mut state = told();
    press(&mut state, "4 m enter tab tab");
    type_text(&mut state, " bogus");
    let action = managed(&press(&mut state, "enter"));
    let why = "this service has no event type \"bogus\"; it has task.failed".to_owned();
    let field = "event_types";
    let fault = EndpointAnswer::Fault(FieldFault { field, why });
    assert_eq!(answer(&mut state, &action, Ok(fault)), []);
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("no event type \"bogus\""), "{shown}");
    // It was not sent: nothing is said to be done, and it is still typed.
    assert!(!shown.contains("is changed"), "{shown}");
    press(
        &mut state,
        "backspace backspace backspace backspace backspace",
    );
    let mended = managed(&press(&mut state, "enter"));
    assert!(!format!("{mended:?}").contains("bogus"), "{mended:?}");
}

#[test]
fn own_headers_are_read_and_replaced_once_and_nothing_typed_is_lost() {
    let mut state = told();
    let action = managed(&press(&mut state, "4 m j j enter"));
    let own = OwnHeaders {
        told: [("x-team".to_owned(), Hidden::new("media"))].into(),
        sensitive: vec!["Authorization".to_owned()],
        ..OwnHeaders::default()
    };
    assert_eq!(
        answer(&mut state, &action, Ok(EndpointAnswer::Headers(own))),
        []
    );
    let shown = picture(&mut state, 100, 30);
    assert!(
        shown.contains("x-team: media") && shown.contains("Authorization:"),
        "{shown}"
    );
    // What the service does not tell cannot be sent back.
    assert_eq!(press(&mut state, "enter"), []);
    assert!(picture(&mut state, 100, 30).contains("type it, or clear the line"));
    type_text(&mut state, "Basic s3cr3t");
    let action = managed(&press(&mut state, "enter"));
    let EndpointAction::SetHeaders(_, headers, _) = &action.action else {
        panic!("{action:?}")
    };
    assert_eq!(headers["Authorization"].reveal(), "Basic s3cr3t");
    assert!(!format!("{action:?}").contains("s3cr3t"));
    assert_eq!(press(&mut state, "enter"), []);
    let refused = Failure::new(FailureKind::Invalid, "422: too many headers", "send fewer");
    answer(&mut state, &action, Err(refused));
    let shown = picture(&mut state, 100, 30);
    assert!(
        shown.contains("too many headers") && shown.contains("Basic s3cr3t"),
        "{shown}"
    );
    let action = managed(&press(&mut state, "enter"));
    assert_eq!(
        answer(&mut state, &action, Ok(EndpointAnswer::Done)),
        [Effect::Refresh]
    );
    assert!(picture(&mut state, 100, 30).contains("has 2 headers of its own"));
}

#[test]
fn deleting_wants_the_word() {
    let mut state = told();
    press(&mut state, "4 m G enter");
    assert_eq!(press(&mut state, "enter"), []);
    type_text(&mut state, "delet");
    assert_eq!(press(&mut state, "enter"), []);
    type_text(&mut state, "e");
    assert!(matches!(
        managed(&press(&mut state, "enter")).action,
        EndpointAction::Delete(_)
    ));
}

#[test]
fn what_the_service_does_not_offer_stands_there_with_its_reason_and_is_not_asked_for() {
    let mut state = told();
    let absent = |offer: Offer| {
        let why = format!("this server does not offer {}", offer.name());
        (offer, Ability::Absent(why))
    };
    let abilities = Abilities {
        offers: [
            Offer::Headers,
            Offer::SendExample,
            Offer::Secret,
            Offer::Rotate,
        ]
        .map(absent)
        .into(),
        ..Abilities::clone(&state.history.abilities)
    };
    let learned = change(0, ChangeKind::Abilities(Box::new(abilities)));
    update(&mut state, Msg::Changed(vec![learned]));
    press(&mut state, "4 m");
    for (width, height) in [(120, 36), (80, 24), (44, 24)] {
        let shown = picture(&mut state, width, height);
        let shown = shown
            .split(['│', ' ', '\n'])
            .filter(|word| !word.is_empty());
        let shown: Vec<&str> = shown.collect();
        let shown = shown.join(" ");
        for reason in ["headers this server", "example this server"] {
            assert!(shown.contains(reason), "{width}: {shown}");
        }
        for reason in ["does not offer secret", "does not offer rotate secret"] {
            assert_eq!(shown.matches(reason).count(), 1, "{shown}");
        }
    }
    // Headers, an example, the secret, another secret.
    for steps in ["j j enter", "j enter", "j enter", "j enter"] {
        assert_eq!(press(&mut state, steps), [], "{steps}");
        let said = state.toasts.back().map(|toast| toast.text.clone());
        let said = said.unwrap_or_default();
        assert!(
            said.contains("nothing was sent: this server does not"),
            "{said}"
        );
        assert!(state.overlay.is_some());
    }
    // The rest is there as ever.
    assert!(matches!(
        managed(&press(&mut state, "g j enter")).action,
        EndpointAction::Edit(..)
    ));
}

#[test]
fn read_only_changes_nothing_but_may_look() {
    let mut state = told();
    state.session.is_read_only = true;
    assert_eq!(press(&mut state, "4 c"), []);
    assert!(state.overlay.is_none());
    // Each line of the menu but the secret and the headers.
    for steps in ["enter", "j enter", "j j j enter", "G enter", "G k enter"] {
        press(&mut state, "4 m");
        assert_eq!(press(&mut state, steps), [], "{steps}");
        press(&mut state, "esc");
    }
    press(&mut state, "4 m");
    assert!(matches!(
        managed(&press(&mut state, "j j j j enter")).action,
        EndpointAction::Reveal(_)
    ));
    press(&mut state, "esc 4 m");
    let action = managed(&press(&mut state, "j j enter"));
    let own = EndpointAnswer::Headers(OwnHeaders::default());
    answer(&mut state, &action, Ok(own));
    type_text(&mut state, "x-team: media");
    assert_eq!(press(&mut state, "enter"), []);
}

#[test]
fn a_closed_overlay_still_tells_the_answer_and_a_key_is_text_only_in_a_form() {
    let mut state = told();
    press(&mut state, "4 m j");
    let action = managed(&press(&mut state, "enter"));
    press(&mut state, "esc");
    answer(&mut state, &action, Ok(EndpointAnswer::Done));
    let EndpointAction::Edit(_, edit) = &action.action else {
        panic!("{action:?}")
    };
    let word = if edit.disabled == Some(true) {
        "is disabled"
    } else {
        "is enabled"
    };
    assert!(picture(&mut state, 120, 36).contains(word));
    press(&mut state, "4 c q q");
    assert!(state.overlay.is_some(), "q is a letter there");
    assert_eq!(update(&mut state, Msg::Key(key("ctrl-c"))), [Effect::Quit]);
}

#[test]
fn small_screens_keep_the_line_that_is_typed_in() {
    let mut state = told();
    press(&mut state, "4 c tab tab tab");
    type_text(&mut state, "77");
    for (width, height) in [(40, 10), (60, 12), (80, 24), (200, 60)] {
        let shown = picture(&mut state, width, height);
        assert!(shown.contains("77"), "{width}x{height}\n{shown}");
    }
    picture(&mut state, 1, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_somebody_else_made_meanwhile_is_told_and_replaced_by_a_second_enter() {
    let server = start(Options::default()).await;
    let id = create_endpoint(&server, "http://127.0.0.1:9/hooks", &["task.*"])
        .await
        .id;
    let (url, key) = (server.url(), server.api_key().to_owned());
    let client = Client::new(&source_of(&server, &url)).unwrap();
    let runtime = tokio::runtime::Handle::current();
    let watched = tokio::task::spawn_blocking(move || {
        let id = EndpointId::new(&id);
        let environment = [
            ("ASPECT_BASE_URL", url.as_str()),
            ("ASPECT_API_KEY", key.as_str()),
        ];
        let description = || {
            let now = runtime.block_on(client.endpoint_now(&id)).unwrap();
            now.unwrap().description.to_string()
        };
        let mut pty = Pty::start(&[], &environment, 120, 36);
        pty.keys("4");
        pty.sees("1 endpoint ");
        pty.keys("m\r");
        pty.sees("the name to show");
        pty.keys("\tmine");
        pty.sees("testmine");
        let theirs = EndpointEdit {
            description: Some("theirs".to_owned()),
            ..EndpointEdit::default()
        };
        assert!(
            runtime
                .block_on(client.edit_endpoint(&id, &theirs, None))
                .is_ok()
        );
        pty.keys("\r");
        pty.sees("it was test when you began and is theirs now");
        assert_eq!(description(), "theirs", "nothing was sent");
        // A key that may have been meant for what stood there before does nothing.
        let until = Instant::now() + PATIENCE;
        let is_answered =
            |screen: &str| screen.contains("is changed") || screen.contains("this came only now");
        loop {
            pty.keys("\r");
            if pty.wait("an answer", is_answered).contains("is changed") {
                break;
            }
            assert!(Instant::now() < until, "a second Enter sends it");
        }
        assert_eq!(description(), "testmine");
        pty.keys("\x03");
        pty.end();
    });
    watched.await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_somebody_else_changed_meanwhile_are_told_and_replaced_by_a_second_enter() {
    let server = start(Options::default()).await;
    let id = create_endpoint(&server, "http://127.0.0.1:9/hooks", &["task.*"])
        .await
        .id;
    let (url, key) = (server.url(), server.api_key().to_owned());
    let client = Client::new(&source_of(&server, &url)).unwrap();
    let routes = client.endpoint_routes().await.unwrap();
    let read = routes.headers.clone().unwrap();
    let runtime = tokio::runtime::Handle::current();
    let watched = tokio::task::spawn_blocking(move || {
        let id = EndpointId::new(&id);
        let environment = [
            ("ASPECT_BASE_URL", url.as_str()),
            ("ASPECT_API_KEY", key.as_str()),
        ];
        let names = || {
            let now = runtime.block_on(client.endpoint_headers(&read, &id));
            now.unwrap().headers.into_keys().collect::<Vec<_>>()
        };
        let mut pty = Pty::start(&[], &environment, 120, 36);
        pty.keys("4");
        pty.sees("1 endpoint ");
        pty.keys("m");
        pty.sees("sent with every request");
        pty.keys("jj\r");
        pty.sees("Name: value");
        // A key that may have been meant for what stood there before does nothing.
        let until = Instant::now() + PATIENCE;
        let is_taken = |screen: &str| screen.contains("▌ x") || screen.contains("came only now");
        loop {
            pty.keys("x");
            if pty.wait("the key", is_taken).contains("▌ x") {
                break;
            }
            assert!(Instant::now() < until, "a second key is taken");
        }
        pty.keys("-mine: 1");
        pty.sees("-mine: 1");
        let theirs = [("x-theirs".to_owned(), OwnValue::text("2"))].into();
        let done = runtime.block_on(client.set_endpoint_headers(&routes, &id, &theirs, None));
        assert!(done.is_ok());
        pty.keys("\r");
        pty.sees("somebody else changed x-theirs since you began");
        assert_eq!(names(), ["x-theirs"], "nothing was sent");
        let until = Instant::now() + PATIENCE;
        let is_answered = |screen: &str| {
            screen.contains("has 1 header of its own") || screen.contains("this came only now")
        };
        loop {
            pty.keys("\r");
            if pty.wait("an answer", is_answered).contains("has 1 header") {
                break;
            }
            assert!(Instant::now() < until, "a second Enter sends it");
        }
        let names = names();
        assert!(
            matches!(&*names, [one] if one.ends_with("-mine")),
            "{names:?}"
        );
        pty.keys("\x03");
        pty.end();
    });
    watched.await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_menu_says_what_the_server_publishes_no_route_for() {
    let server = failed_at("http://127.0.0.1:9/hooks", 1).await;
    let url = server.url.clone();
    let watched = tokio::task::spawn_blocking(move || {
        let environment = [
            ("ASPECT_BASE_URL", url.as_str()),
            ("ASPECT_API_KEY", "sk_test"),
        ];
        let mut pty = Pty::start(&[], &environment, 120, 36);
        pty.keys("3");
        pty.sees("✗ 1 still broken");
        pty.keys("4m");
        pty.sees("publishes no route for rotate secret");
        let screen = pty.sees("publishes no route for headers");
        assert!(!screen.contains("no route for secret"), "{screen}");
        pty.keys("\x03");
        pty.end();
    });
    watched.await.unwrap();
    let requests = server.requests();
    assert!(requests.iter().all(|head| head.starts_with("get ")));
}

/// The page of the newest attempt at staging, where deliveries are read from a Svix server.
fn attempt_page() -> (State, Sight) {
    let mut state = told();
    state.session.deliveries_from = Some("Svix".to_owned());
    press(&mut state, "4");
    let asked = press(&mut state, "G enter");
    let staging = EndpointId::new("ep_staging");
    assert_eq!(asked, [Effect::Look(Sight::Stats(staging.clone()))]);
    let counted = Stats {
        success: 1204,
        fail: 31,
        ..Stats::default()
    };
    let answer = Msg::Told {
        sight: Sight::Stats(staging),
        told: Ok(Sighted::Stats(counted)),
    };
    assert!(picture(&mut state, 120, 36).contains("counted    asking the service"));
    update(&mut state, answer);
    let shown = picture(&mut state, 120, 36);
    let words = "1204 delivered · 31 failed  attempts of 28 days";
    assert!(shown.contains(words), "{shown}");
    let asked = press(&mut state, "enter");
    let [Effect::Look(sight @ Sight::Headers(..))] = &asked[..] else {
        panic!("{asked:?}");
    };
    (state, sight.clone())
}

#[test]
fn the_page_of_an_attempt_shows_what_it_carried_and_no_secret() {
    let (mut state, sight) = attempt_page();
    assert!(picture(&mut state, 120, 36).contains("headers    asking the service"));
    let headers = |pairs: &[(&str, &str)], sensitive: &[&str]| Headers {
        headers: pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        sensitive: sensitive.iter().map(|name| (*name).to_owned()).collect(),
        ..Headers::default()
    };
    let carried = AttemptHeaders {
        sent: headers(&[("svix-id", "msg_\u{1b}[2Jx")], &["x-shop"]),
        received: headers(&[("server", "nginx")], &[]),
    };
    let answer = |told| Msg::Told {
        sight: sight.clone(),
        told,
    };
    update(&mut state, answer(Ok(Sighted::Headers(Some(carried)))));
    let shown = picture(&mut state, 120, 36);
    for words in [
        "sent       svix-id: msg_",
        "x-shop: ***",
        "answered   server: nginx",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // Many leave room for what was answered.
    let many: Vec<String> = (0..60).map(|n| format!("x-{n:02}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "v")).collect();
    let carried = AttemptHeaders {
        sent: headers(&many, &[]),
        ..AttemptHeaders::default()
    };
    update(&mut state, answer(Ok(Sighted::Headers(Some(carried)))));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("more headers; reeltop attempts"), "{shown}");
    assert!(shown.contains("RESPONSE"), "{shown}");
    // None, or a failure, is told with its reason.
    update(&mut state, answer(Ok(Sighted::Headers(None))));
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("not told: the service has none of this one"),
        "{shown}"
    );
    update(&mut state, answer(Err(Failure::absent("attempt headers"))));
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("not told: this server does not offer"),
        "{shown}"
    );
}
