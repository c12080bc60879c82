//! Messages whose attempts are not read yet: that they failed is not known, nor that they did not.

use super::{failing, press};
use crate::support::{attempt, change, endpoint, message, picture, read_from};
use reeltop::app::{Effect, Msg, Sight, update};
use reeltop::domain::{Abilities, Ability, Change, ChangeKind, MessageId};

/// One message more, accepted so many seconds ago, of which no attempt is known.
fn untried(id: &str, task: usize, ago: i64) -> Change {
    message(id, 900 + task, "task.progress", task, ago, "{}")
}

#[test]
fn what_is_not_read_is_counted_apart_and_read() {
    let mut state = failing(2);
    let added = vec![
        endpoint("ep_late", "late", "https://late.example", false),
        untried("msg_old_1", 4, 3300),
        untried("msg_old_2", 6, 3200),
        untried("msg_young", 6, 100),
        read_from("ep_late", Some(3000)),
    ];
    update(&mut state, Msg::Changed(added));
    let shown = picture(&mut state, 200, 36);
    assert!(shown.contains("attempts before "), "{shown}");
    assert!(shown.contains("still broken"), "{shown}");
    let looked: Vec<Effect> = press(&mut state, "/ i d : m s g _ enter R");
    let of_old = |id: &str| Effect::Look(Sight::Message(MessageId::new(id)));
    assert_eq!(looked, [of_old("msg_old_2"), of_old("msg_old_1")]);
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("attempts of 2 of them are not read yet"),
        "{plan}"
    );
    assert!(!plan.contains("3 of them did not fail last"), "{plan}");

    // One failed and one did not: neither comes into the plan by itself.
    let n_to_send = |plan: &str| {
        let line = plan.lines().find(|line| line.contains(" to send")).unwrap();
        line.to_owned()
    };
    let before = n_to_send(&plan);
    let read = vec![
        attempt("late_1", "msg_old_1", "ep_late", 3290, (500, "no"), false),
        attempt("late_2", "msg_old_2", "ep_late", 3190, (204, ""), false),
        read_from("ep_late", None),
    ];
    update(&mut state, Msg::Changed(read));
    let now = state.now;
    update(&mut state, Msg::Tick(now));
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("1 more that failed were read since"),
        "{plan}"
    );
    assert!(!plan.contains("not read yet"), "{plan}");
    assert_eq!(n_to_send(&plan), before);
    press(&mut state, "esc R");
    let plan = picture(&mut state, 120, 36);
    assert!(!plan.contains("more that failed"), "{plan}");
    assert_ne!(n_to_send(&plan), before, "{plan}");
}

#[test]
fn of_what_is_not_read_no_row_says_that_it_was_never_sent() {
    let mut state = failing(0);
    let old = untried("msg_old", 6, 3300);
    update(
        &mut state,
        Msg::Changed(vec![old, read_from("ep_legacy", Some(10))]),
    );
    press(&mut state, "/ m s g _ o l d enter");
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("attempts not read yet"), "{shown}");
    assert!(!shown.contains("never sent"), "{shown}");
    press(&mut state, "R");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("the attempts of 1 are not read yet"),
        "{shown}"
    );
    assert!(!shown.contains("failed nowhere"), "{shown}");

    // What is never told is not said to come yet.
    let mut abilities = state.history.abilities.clone();
    let offered = std::mem::replace(&mut abilities.attempts, Ability::Absent("404".into()));
    let learned = |it: &Abilities| change(0, ChangeKind::Abilities(Box::new(it.clone())));
    update(&mut state, Msg::Changed(vec![learned(&abilities)]));
    let shown = picture(&mut state, 160, 36);
    assert!(shown.contains("attempts not told here"), "{shown}");
    assert!(
        shown.contains("attempts are not told by this server"),
        "{shown}"
    );
    abilities.attempts = offered;
    update(&mut state, Msg::Changed(vec![learned(&abilities)]));

    update(&mut state, Msg::Changed(vec![read_from("ep_legacy", None)]));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("never sent"), "{shown}");
    assert!(!shown.contains("attempts not read yet"), "{shown}");
}
