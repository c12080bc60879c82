//! What came of a change is not lost: not when nobody knows it, not by quitting, not where a secret could
//! not be read.

use reeltop::app::manage::{EndpointAction, EndpointAnswer, EndpointRequest};
use reeltop::app::{Effect, Msg, State, update};
use reeltop::domain::{Ability, ChangeKind, EndpointId, Failure, FailureKind, Hidden, Offer};

use super::{answer, managed, pass, type_text};
use crate::support::{change, endpoint, picture, press, told};

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
fn a_secret_that_is_shown_names_its_endpoint_as_it_is_called_now() {
    let mut state = told();
    let asked = rotate(&mut state);
    let secret = Hidden::new("whsec_new");
    answer(&mut state, &asked, Ok(EndpointAnswer::Rotated(Ok(secret))));
    let shown = picture(&mut state, 120, 36);
    assert!(!shown.contains("Signing secret of renamed"), "{shown}");
    let EndpointAction::Rotate(id) = &asked.action else {
        panic!("{asked:?}")
    };
    let renamed = endpoint(&id.to_string(), "renamed", "http://127.0.0.1:1/", false);
    update(&mut state, Msg::Changed(vec![renamed]));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("Signing secret of renamed"), "{shown}");
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

/// What to look at fits the change, and where doing it again would do harm, that is said.
#[test]
fn what_to_do_where_nobody_knows_fits_what_was_asked() {
    let words = |state: &mut State| {
        let shown = picture(state, 200, 50);
        let lines = shown.lines().map(|line| line.trim_matches(['│', ' ']));
        lines.collect::<Vec<_>>().join(" ")
    };
    for (tells_secret, create, rotate_words) in [
        (true, "m shows its secret", "compare it with the receiver's"),
        (
            false,
            "delete it (m) and create it anew",
            "look in its own portal",
        ),
    ] {
        let lost = || Ok(EndpointAnswer::Unknown("the connection broke".to_owned()));
        let mut state = told();
        let asked = rotate(&mut state);
        if !tells_secret {
            let mut abilities = state.history.abilities.clone();
            let no = Ability::Absent("not told".to_owned());
            abilities.offers.insert(Offer::Secret, no);
            let known = ChangeKind::Abilities(Box::new(abilities));
            update(&mut state, Msg::Changed(vec![change(0, known)]));
        }
        let left = state.open_replays();
        let line = left.iter().find(|line| line.contains("rotating")).unwrap();
        assert!(line.contains("do not rotate it again"), "{line}");
        answer(&mut state, &asked, lost());
        let shown = words(&mut state);
        assert!(shown.contains(rotate_words), "{shown}");
        assert!(shown.contains("one secret more"), "{shown}");
        pass(&mut state, 2);
        press(&mut state, "esc c");
        type_text(&mut state, "https://example.com/hooks");
        let asked = managed(&press(&mut state, "enter"));
        let left = state.open_replays();
        let line = left.iter().find(|line| line.contains("creating")).unwrap();
        assert!(
            line.contains("a second one would get every message too"),
            "{line}"
        );
        answer(&mut state, &asked, lost());
        let shown = words(&mut state);
        assert!(shown.contains(create), "{shown}");
        assert!(shown.contains("a second one would get"), "{shown}");
    }
}
