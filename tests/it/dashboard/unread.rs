//! What is not read: none of it is said to be none.

use crate::support::{attempt, change, messages_read, picture, press, told as world};
use reeltop::app::{Effect, Msg, Sight, State, update};
use reeltop::domain::{Change, ChangeKind, LogReach, MessageId, Time};

fn told(state: &mut State, what: Vec<Change>) -> String {
    update(state, Msg::Changed(what));
    // The words wrap in the pane.
    let shown = picture(state, 90, 36);
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn why_a_message_is_known_by_its_attempts_alone() {
    let mut state = world();
    let lone = attempt("lone", "msg_lone", "ep_shop", 1, (500, "no"), false);
    told(&mut state, vec![lone, messages_read(Some(3000))]);
    press(&mut state, "3 g enter tab");
    let shown = told(&mut state, Vec::new());
    let words = "the message itself is not read yet: older messages are still to be read";
    assert!(shown.contains(words), "{shown}");

    let stopped = LogReach::Stopped(Time(0), "no more than 500 are kept".into());
    let shown = told(
        &mut state,
        vec![change(0, ChangeKind::MessagesRead(stopped))],
    );
    assert!(
        shown.contains("is not known: the log is not read"),
        "{shown}"
    );
    assert!(shown.contains("no more than 500 are kept"), "{shown}");

    let shown = told(&mut state, vec![messages_read(None)]);
    let words = "is not known: it was not in the log as";
    assert!(shown.contains(words), "{shown}");
    press(&mut state, "esc");
    let listed = told(&mut state, Vec::new());
    assert!(listed.contains("not in the log"), "{listed}");
    assert!(!listed.contains("not read yet"), "{listed}");
}

#[test]
fn a_message_itself_is_asked_for_where_it_is_told_and_not_known() {
    let id = MessageId::new("msg_lone");
    let attempts = Effect::Look(Sight::Attempts(id.clone()));
    let mut state = world();
    let lone = attempt("lone", "msg_lone", "ep_shop", 1, (500, "no"), false);
    told(&mut state, vec![lone]);
    let asked = press(&mut state, "3 g enter");
    assert_eq!(asked, std::slice::from_ref(&attempts));
    state.session.deliveries_from = Some("Svix".to_owned());
    let all = [attempts, Effect::Look(Sight::Message(id))];
    assert_eq!(press(&mut state, "esc enter"), all);
    let again = press(&mut state, "ctrl-r");
    assert_eq!(again.get(1..), Some(&all[..]), "{again:?}");
    // What is known is not asked for again.
    let known = press(&mut state, "esc j enter");
    assert!(
        matches!(known[..], [Effect::Look(Sight::Attempts(_))]),
        "{known:?}"
    );
}
