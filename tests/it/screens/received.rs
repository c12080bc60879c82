//! The screen of what a receiver beside the dashboard got, and the page of one message.

use reeltop::app::{Effect, Msg, State, update};
use reeltop::domain::{Again, ChangeKind, EventType, Finding, MessageId, Received, TaskId, Unfit};

use super::snapshots;
use crate::support::{before, change, fresh, picture, press};

fn refused() -> Finding {
    Finding::Refused {
        why: "signed 12m in the past, 5m are allowed".into(),
        advice: "Set the clock of this machine; the sender signs each try anew.".into(),
    }
}

fn request(message: &str, finding: Finding) -> Received {
    let body = r#"{"event_type":"task.failed","data":{"task":{"id":"t"}}}"#;
    let headers = [
        ("svix-id", message),
        ("svix-timestamp", "1795442545"),
        ("svix-signature", "v1,AAAA"),
        ("authorization", "***"),
        ("x-team", "media\u{1b}[2J"),
    ];
    Received {
        method: "POST".into(),
        path: "/hooks".into(),
        headers: headers
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        body: body.as_bytes().into(),
        message: (!message.is_empty()).then(|| MessageId::new(message)),
        kind: Some(EventType::TaskFailed),
        task: Some(TaskId::new("2e1c7e42-0000-4000-8000-000000001234")),
        is_other_body: false,
        code: Some(if finding.is_refused() { 401 } else { 204 }),
        finding,
        again: None,
    }
}

fn received(state: &mut State, second: i64, request: Received) {
    let kind = ChangeKind::Received(Box::new(request));
    update(state, Msg::Changed(vec![change(second, kind)]));
}

/// What was found a second ago, by this receiver's secrets.
fn looked(finding: Finding) -> Again {
    Again {
        at: before(1).wall,
        finding,
        is_by_others: false,
    }
}

/// A receiver that got a message three times, another once, and a request without an id.
fn told() -> State {
    let mut state = fresh();
    state.session.listening = Some("http://127.0.0.1:41233/".into());
    let verified = || Finding::Verified("by --secret-file, v1".into());
    received(&mut state, 50, request("msg_retried", refused()));
    received(&mut state, 40, request("msg_good", verified()));
    received(&mut state, 30, request("", Finding::Unchecked));
    received(&mut state, 20, request("msg_retried", refused()));
    let mut other = request("msg_retried", refused());
    other.is_other_body = true;
    received(&mut state, 10, other);
    state
}

#[test]
fn a_sender_that_had_hung_up_is_not_called_answered() {
    let mut state = fresh();
    state.session.listening = Some("http://127.0.0.1:41233/".into());
    let mut request = request("msg_1", Finding::Unchecked);
    request.code = None;
    received(&mut state, 10, request);
    press(&mut state, "6");
    let shown = picture(&mut state, 120, 36);
    assert!(!shown.contains("204"), "{shown}");
    press(&mut state, "enter");
    let shown = picture(&mut state, 120, 36);
    let words = "not answered, its sender had hung up";
    assert!(shown.contains(words), "{shown}");
}

#[test]
fn what_was_received_is_a_row_a_message_and_a_page() {
    let mut state = told();
    press(&mut state, "6");
    snapshots("received", &mut state);
    press(&mut state, "enter");
    snapshots("receipt", &mut state);
    press(&mut state, "esc / d e l i v e r e d enter");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("msg_good") && !shown.contains("msg_retried"),
        "{shown}"
    );
}

#[test]
fn a_row_stays_selected_when_others_come_and_is_verified_again() {
    let mut state = told();
    press(&mut state, "6 j j");
    received(&mut state, 5, request("msg_new", Finding::Unchecked));
    let effects = press(&mut state, "v");
    let [Effect::Verify { row, nth, request }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!(request.message, Some(MessageId::new("msg_good")));
    let again = looked(refused());
    let (row, nth) = (*row, *nth);
    let again = Box::new(again);
    let judged = ChangeKind::Judged { row, nth, again };
    update(&mut state, Msg::Changed(vec![change(1, judged)]));
    let shown = picture(&mut state, 120, 36);
    let said = "not verified: signed 12m";
    assert!(shown.contains(said), "the answer is said: {shown}");
    // What was found as it came stays, and is what is counted.
    let counted = "6 received · 3 not verified · 2 not checked";
    assert!(shown.contains(counted), "{shown}");
    assert!(shown.matches("✓ verified").count() == 1, "{shown}");
    press(&mut state, "enter");
    snapshots("received_again", &mut state);
    received(&mut state, 0, self::request("msg_good", refused()));
    let shown = picture(&mut state, 120, 36);
    let kept = "✓ verified, looked at again: ✗ signed 12m";
    assert!(shown.contains(kept), "of the one before too: {shown}");
    assert!(shown.contains("received   1 time before"), "{shown}");
}

/// Nothing else can be said of a request where this receiver's secret is not known.
#[test]
fn what_is_judged_by_the_secrets_of_other_endpoints_alone_is_said_to_be() {
    let mut state = told();
    press(&mut state, "6 j");
    let effects = press(&mut state, "v");
    let [Effect::Verify { row, nth, .. }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    let (row, nth) = (*row, *nth);
    let mut again = looked(refused());
    again.is_by_others = true;
    let again = Box::new(again);
    let judged = ChangeKind::Judged { row, nth, again };
    update(&mut state, Msg::Changed(vec![change(1, judged)]));
    let shown = picture(&mut state, 120, 36);
    let said = "by the secrets of other endpoints alone, not verified: signed";
    assert!(shown.contains(said), "{shown}");
    assert!(shown.contains("· not checked, no secret"), "{shown}");
    press(&mut state, "esc enter");
    let shown = picture(&mut state, 120, 36);
    for part in [
        "· not checked: there is no secret",
        "by the secrets of other endpoints alone, as there is none of this receiver",
        "age of its timestamp left aside",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

/// A retry with an altered body waits while the screen holds still, and comes before the answer.
#[test]
fn what_was_found_of_a_request_is_not_written_onto_the_one_that_came_after_it() {
    let mut state = told();
    press(&mut state, "6 j j f");
    received(&mut state, 5, request("msg_good", refused()));
    let effects = press(&mut state, "v f");
    let [Effect::Verify { row, nth, .. }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    let (row, nth) = (*row, *nth);
    let again = looked(Finding::Verified("v1".into()));
    let again = Box::new(again);
    let judged = ChangeKind::Judged { row, nth, again };
    update(&mut state, Msg::Changed(vec![change(1, judged)]));
    press(&mut state, "enter");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("✗ not verified") && shown.contains("another request came before"),
        "{shown}"
    );
    assert!(!shown.contains("looked at again"), "{shown}");
}

/// A request that is no delivery is no row; that it came and why it is none is said.
#[test]
fn what_was_turned_away_is_counted_with_why() {
    let mut state = told();
    press(&mut state, "6");
    for why in [Unfit::NoPost, Unfit::TooLarge, Unfit::NoPost] {
        let turned = change(1, ChangeKind::TurnedAway(why));
        update(&mut state, Msg::Changed(vec![turned]));
    }
    for (width, words) in [
        (
            200,
            "turned away: 2 no POST (405), 1 too large (413) · at http",
        ),
        (120, "turned away: 2 no POST (405), 1 too large (413)"),
        (
            80,
            "5 received · 3 not verified · 1 not checked · 3 turned away",
        ),
    ] {
        let shown = picture(&mut state, width, 24);
        assert!(shown.contains(words), "{shown}");
    }
}

#[test]
fn the_path_of_a_request_loses_its_secrets() {
    let mut state = told();
    let mut secret = request("msg_secret", Finding::Unchecked);
    secret.path = "/hooks?token=s3cret".into();
    received(&mut state, 5, secret);
    press(&mut state, "6 g enter");
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("POST /hooks?token=***"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn without_a_receiver_there_is_no_such_screen() {
    let mut state = fresh();
    press(&mut state, "6");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("--listen") && !shown.contains("Received"),
        "{shown}"
    );
}
