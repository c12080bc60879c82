//! What answers leave to be seen takes nothing away that is being typed, and is not lost.

use ratatui::crossterm::event::KeyCode;
use reeltop::app::manage::{EndpointAnswer, EndpointRequest};
use reeltop::app::{Effect, Msg, Overlay, State, update};
use reeltop::domain::{EndpointId, Failure, FailureKind, Hidden};

use super::{answer, answer_now, managed, pass, type_text};
use crate::support::{key, picture, press, told};

/// A new endpoint of this name is asked for.
fn create(state: &mut State, name: &str) -> EndpointRequest {
    press(state, "4 c");
    type_text(state, "https://example.com/hooks");
    press(state, "tab");
    type_text(state, name);
    managed(&press(state, "enter"))
}

fn created(name: &str) -> EndpointAnswer {
    let secret = Hidden::new(&format!("whsec_{name}"));
    let id = EndpointId::new(&format!("ep_{name}"));
    EndpointAnswer::Created(id, Ok(secret))
}

#[test]
fn a_late_secret_waits_for_the_form_that_is_typed_in() {
    let mut state = told();
    let first = create(&mut state, "shop");
    press(&mut state, "esc 4 c");
    type_text(&mut state, "https://example.com/oth");
    answer(&mut state, &first, Ok(created("shop")));
    // What is typed is text still: it copies nothing, quits nothing.
    assert_eq!(press(&mut state, "y q"), []);
    pass(&mut state, 2);
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("https://example.com/othyq"), "{shown}");
    assert!(!shown.contains("whsec_shop"), "{shown}");
    press(&mut state, "esc");
    pass(&mut state, 2);
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("Signing secret of shop"), "{shown}");
    assert!(shown.contains("whsec_shop"), "{shown}");
}

#[test]
fn a_late_secret_comes_when_no_key_is_pressed_and_no_key_of_before_acts_on_it() {
    let mut state = told();
    let first = create(&mut state, "shop");
    press(&mut state, "esc j");
    // It is told at once that it will come.
    answer_now(&mut state, &first, Ok(created("shop")));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("as soon as nothing else is open"), "{shown}");
    assert!(state.overlay.is_none());
    pass(&mut state, 1);
    for name in ["y", "w", "q", "esc", "enter"] {
        assert_eq!(press(&mut state, name), [], "{name}");
        let shown = picture(&mut state, 120, 36);
        assert!(shown.contains("whsec_shop"), "{name}: {shown}");
    }
    pass(&mut state, 1);
    assert!(matches!(press(&mut state, "y")[..], [Effect::Copy { .. }]));
    press(&mut state, "esc");
    assert!(state.overlay.is_none());
    // Only ctrl-c is never held up.
    let second = create(&mut state, "cart");
    answer_now(&mut state, &second, Ok(created("cart")));
    assert_eq!(update(&mut state, Msg::Key(key("ctrl-c"))), [Effect::Quit]);
}

#[test]
fn an_answer_closes_its_own_waiting_and_no_other() {
    let mut state = told();
    let first = create(&mut state, "shop");
    press(&mut state, "esc");
    let second = create(&mut state, "cart");
    assert_ne!(first.number, second.number);
    answer(&mut state, &first, Ok(created("shop")));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("Waiting for the service's"), "{shown}");
    let refused = Failure::new(FailureKind::Invalid, "422: no such host", "mend it");
    answer(&mut state, &second, Err(refused));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("422: no such host"), "{shown}");
    assert!(shown.contains("cart"), "{shown}");
    press(&mut state, "esc");
    pass(&mut state, 2);
    assert!(picture(&mut state, 120, 36).contains("whsec_shop"));
}

#[test]
fn a_late_refusal_brings_the_form_back_and_enter_of_before_does_not_send_it_again() {
    let mut state = told();
    let first = create(&mut state, "shop");
    press(&mut state, "esc");
    let refused = Failure::new(FailureKind::Invalid, "422: no such host", "mend it");
    answer_now(&mut state, &first, Err(refused));
    assert!(picture(&mut state, 120, 36).contains("shop: 422: no such host"));
    pass(&mut state, 2);
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("https://example.com/hooks"), "{shown}");
    assert_eq!(press(&mut state, "enter"), []);
    pass(&mut state, 1);
    let again = managed(&press(&mut state, "enter"));
    assert_eq!(again.action, first.action);
}

#[test]
fn an_answer_under_the_help_stands_there_when_the_help_is_left() {
    let mut state = told();
    let first = create(&mut state, "shop");
    press(&mut state, "?");
    answer(&mut state, &first, Ok(created("shop")));
    assert!(matches!(state.overlay, Some(Overlay::Help { .. })));
    press(&mut state, "esc");
    assert!(picture(&mut state, 120, 36).contains("whsec_shop"));
}

/// What stands within the frame of the overlay, its lines joined.
fn within(shown: &str) -> String {
    let lines = shown.lines().filter_map(|line| {
        let (_, inner) = line.split_once('│')?;
        inner.split('│').next().map(str::trim)
    });
    lines.collect()
}

#[test]
fn a_secret_is_whole_and_in_sight_on_every_size() {
    let long = format!("whsec_{}", "abcdefghij".repeat(10));
    for secret in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &long] {
        let mut state = told();
        let request = create(&mut state, "shop");
        let id = EndpointId::new("ep_shop");
        let answered = EndpointAnswer::Created(id, Ok(Hidden::new(secret)));
        answer(&mut state, &request, Ok(answered));
        for (width, height) in [(40, 10), (80, 10), (80, 24), (120, 36)] {
            let shown = picture(&mut state, width, height);
            assert!(within(&shown).contains(secret), "{width}x{height}\n{shown}");
        }
        assert!(picture(&mut state, 120, 36).contains(secret));
    }
}

#[test]
fn a_refusal_is_in_sight_first_and_all_of_it_can_be_read_on_a_small_screen() {
    let mut state = told();
    let request = create(&mut state, "shop");
    let words = "409 from http://127.0.0.1:1 for /x: there is an endpoint with this URL already";
    let refused = Failure::new(
        FailureKind::Invalid,
        words,
        "choose another, then try again",
    );
    answer(&mut state, &request, Err(refused));
    let shown = picture(&mut state, 40, 10);
    assert!(shown.contains("✗ 409: there is an endpoint"), "{shown}");
    assert!(shown.contains("below · PgDn"), "{shown}");
    let mut all = shown;
    for _ in 0..6 {
        update(&mut state, Msg::Key(KeyCode::PageDown.into()));
        all += &picture(&mut state, 40, 10);
    }
    for word in ["already", "choose", "again", "url", "rate limit"] {
        assert!(all.contains(word), "{word}: {all}");
    }
    // What is typed in comes back into sight, and the refusal by scrolling.
    press(&mut state, "x");
    let shown = picture(&mut state, 40, 10);
    assert!(shown.contains("hooksx"), "{shown}");
    update(&mut state, Msg::Key(KeyCode::PageUp.into()));
    assert!(picture(&mut state, 40, 10).contains("✗ 409"));
}
