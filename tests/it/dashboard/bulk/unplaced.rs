//! Attempts of messages that are not read themselves: of what task these are is not known, and so not
//! whether a newer one made them needless.

use reeltop::app::{Effect, Msg, State, update};
use reeltop::domain::{Change, MessageId};

use super::{failing, requests};
use crate::support::{attempt, message, messages_read, picture, press, read_from};

/// What failed twice, of which one is of a message that is not read itself.
fn with_one_unplaced() -> State {
    let mut state = failing(1);
    state.session.deliveries_from = Some("Svix".to_owned());
    let old = attempt("old", "msg_old", "ep_staging", 3000, (500, "no"), false);
    let logs = [messages_read(None), read_from("ep_staging", None)];
    tell(&mut state, [old].into_iter().chain(logs).collect());
    state
}

fn tell(state: &mut State, changes: Vec<Change>) -> String {
    update(state, Msg::Changed(changes));
    update(state, Msg::Tick(state.now));
    picture(state, 120, 36)
}

#[test]
fn what_may_be_superseded_counts_as_not_known_and_is_read_before_it_is_sent() {
    let mut state = with_one_unplaced();
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("? still broken"), "{shown}");
    let asked = press(&mut state, "/ e n d p o i n t : s t a g i n g enter R");
    let read = Effect::ReadInTurn(MessageId::new("msg_old"));
    assert_eq!(asked.first(), Some(&read), "{asked:?}");
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("not all messages after 1 of them are read"),
        "{plan}"
    );
    assert!(
        plan.contains("not all messages after it are read"),
        "{plan}"
    );
    let n_to_send = |plan: &str| {
        let line = plan.lines().find(|line| line.contains(" to send"));
        line.map(|line| line.split("to send").next().unwrap_or_default().to_owned())
    };
    let before = n_to_send(&plan);

    // It is of a task of which nothing newer was delivered there: the next plan takes it.
    let own = message("msg_old", 700, "task.progress", 777, 3001, "{}");
    let plan = tell(&mut state, vec![own]);
    assert!(
        plan.contains("1 that were left out can be sent by now"),
        "{plan}"
    );
    assert_eq!(n_to_send(&plan), before);
    let plan = {
        press(&mut state, "esc R");
        picture(&mut state, 120, 36)
    };
    assert!(!plan.contains("left out"), "{plan}");
    assert_ne!(n_to_send(&plan), before, "{plan}");
}

#[test]
fn what_turns_out_to_be_superseded_is_not_sent() {
    let mut state = with_one_unplaced();
    press(&mut state, "/ i d : m s g _ o l d enter R");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("0 to send"), "{plan}");
    let newer = [
        message("msg_old", 700, "task.progress", 778, 3001, "{}"),
        message("msg_new", 701, "task.completed", 778, 2900, "{}"),
        attempt("new", "msg_new", "ep_staging", 2900, (204, ""), false),
    ];
    let plan = tell(&mut state, newer.into());
    assert!(plan.contains("superseded"), "{plan}");
    assert!(!plan.contains("can be sent by now"), "{plan}");
    assert_eq!(requests(press(&mut state, "enter")), []);
    press(&mut state, "esc");
    let shown = picture(&mut state, 120, 36);
    assert!(!shown.contains("? still broken"), "{shown}");
}

#[test]
fn where_messages_after_it_are_not_read_it_may_be_superseded_as_well() {
    let mut state = failing(1);
    // Its own message is known, and the log is read from a later time on.
    let old = [
        message("msg_old", 700, "task.progress", 778, 3001, "{}"),
        attempt("old", "msg_old", "ep_staging", 3000, (500, "no"), false),
        read_from("ep_staging", None),
        messages_read(Some(2000)),
    ];
    let shown = tell(&mut state, old.into());
    assert!(shown.contains("? still broken"), "{shown}");
    press(&mut state, "/ i d : m s g _ o l d enter R");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("0 to send"), "{plan}");
    assert!(
        plan.contains("not all messages after it are read"),
        "{plan}"
    );
    // Who chooses it sends it.
    press(&mut state, "space");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("1 to send"), "{plan}");
    press(&mut state, "space");
    let plan = tell(&mut state, vec![messages_read(None)]);
    assert!(!plan.contains("not all messages after"), "{plan}");
    press(&mut state, "esc");
    let shown = picture(&mut state, 120, 36);
    assert!(!shown.contains("? still broken"), "{shown}");
}
