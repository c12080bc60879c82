//! What came of a change is not lost: not when nobody knows it, not by quitting, not where a secret could
//! not be read.

use reeltop::app::manage::{EndpointAction, EndpointAnswer, EndpointRequest};
use reeltop::app::{Effect, State};
use reeltop::domain::{EndpointId, Failure, FailureKind, Hidden};

use super::{answer, managed, pass, type_text};
use crate::support::{endpoint, picture, press, told};

/// The line of the menu over the first endpoint, so many below its first.
fn chosen(state: &mut State, below: usize) -> Vec<Effect> {
    press(state, "4 g m");
    for _ in 0..below {
        press(state, "j");
    }
    press(state, "enter")
}

/// The secret of the first endpoint is to be another one.
fn rotate(state: &mut State) -> EndpointRequest {
    assert_eq!(chosen(state, 5), []);
    let shown = picture(state, 120, 36);
    assert!(shown.contains("Its signing secret is replaced"), "{shown}");
    assert_eq!(press(state, "enter"), []);
    type_text(state, "rotate");
    managed(&press(state, "enter"))
}

#[test]
fn what_nobody_knows_stays_until_it_is_closed_and_names_what_was_asked() {
    let mut state = told();
    let asked = rotate(&mut state);
    assert!(matches!(asked.action, EndpointAction::Rotate(_)));
    let unknown = EndpointAnswer::Unknown("the connection broke".to_owned());
    assert_eq!(answer(&mut state, &asked, Ok(unknown)), [Effect::Refresh]);
    pass(&mut state, 60);
    for (width, height) in [(120, 36), (80, 24), (40, 10)] {
        let shown = picture(&mut state, width, height);
        assert!(shown.contains("? rotating the secret of"), "{shown}");
    }
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("it is not known whether it was done"),
        "{shown}"
    );
    assert!(shown.contains("compare it with the receiver's"), "{shown}");
    assert!(shown.contains("the connection broke"), "{shown}");
    press(&mut state, "esc");
    assert!(state.overlay.is_none());
}

#[test]
fn quitting_asks_while_a_change_is_under_way_and_says_what_is_not_known() {
    let mut state = told();
    let asked = rotate(&mut state);
    press(&mut state, "esc");
    assert_eq!(press(&mut state, "q"), []);
    let shown = picture(&mut state, 160, 36);
    assert!(
        shown.contains("a change of an endpoint is under way"),
        "{shown}"
    );
    let left = state.open_replays();
    assert!(
        left.iter()
            .any(|line| line.contains("rotating the secret of")
                && line.contains("it is not known whether it was done")),
        "{left:?}"
    );
    // Its secret is here, and nobody has seen it.
    pass(&mut state, 60);
    let rotated = EndpointAnswer::Rotated(Ok(Hidden::new("whsec_new")));
    super::answer_now(&mut state, &asked, Ok(rotated));
    assert_eq!(press(&mut state, "q"), []);
    let left = state.open_replays();
    assert!(
        left.iter().any(|line| line.contains("was not shown")),
        "{left:?}"
    );
    assert!(
        left.iter().all(|line| !line.contains("whsec_new")),
        "{left:?}"
    );
    // Shown and closed, nothing is lost any more.
    pass(&mut state, 60);
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("whsec_new"), "{shown}");
    pass(&mut state, 2);
    press(&mut state, "esc");
    assert!(state.open_replays().is_empty());
    assert_eq!(press(&mut state, "q"), [Effect::Quit]);
}

#[test]
fn a_secret_that_cannot_be_read_is_said_beside_what_is_done() {
    let mut state = told();
    press(&mut state, "4 c");
    type_text(&mut state, "https://example.com/hooks");
    press(&mut state, "tab");
    type_text(&mut state, "shop");
    let asked = managed(&press(&mut state, "enter"));
    let why = Failure::new(FailureKind::Server, "500 from the service", "try again").brief();
    let created = EndpointAnswer::Created(EndpointId::new("ep_new"), Err(why));
    answer(&mut state, &asked, Ok(created));
    let shown = picture(&mut state, 120, 36);
    for words in [
        "✓ shop is created",
        "its signing secret is not shown: 500 from",
        "show the secret",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn a_line_of_the_menu_does_what_stood_there() {
    let mut state = told();
    press(&mut state, "4 g m j");
    let shown = picture(&mut state, 120, 36);
    let disables = shown.contains("▌ disable");
    assert!(disables || shown.contains("▌ enable"), "{shown}");
    // Somebody else does it meanwhile.
    let id = match &state.overlay {
        Some(reeltop::app::Overlay::Manage(manage)) => manage.endpoint.clone().unwrap(),
        other => panic!("{other:?}"),
    };
    let changed = endpoint(
        &id.to_string(),
        "same",
        "https://example.com/hooks",
        disables,
    );
    reeltop::app::update(&mut state, reeltop::app::Msg::Changed(vec![changed]));
    let asked = managed(&press(&mut state, "enter"));
    let EndpointAction::Edit(_, edit) = asked.action else {
        panic!("{asked:?}");
    };
    assert_eq!(edit.disabled, Some(disables));
}
