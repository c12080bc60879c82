//! Replays in scenes: only what stood on the screen is sent, and nothing is left behind unsaid.

use reeltop::app::{Effect, Msg, State, update};
use reeltop::domain::Stage;

use super::{request, step};
use crate::support::{attempt, before, endpoint, key, picture, press, told};

/// Opens the plan of the failing message, its frame included.
fn planning() -> State {
    let mut state = told();
    press(&mut state, "3 j r");
    state
}

fn answered(id: &str, endpoint: &str, code: u16) -> Msg {
    let ended = attempt(id, "msg_failed", endpoint, 0, (code, ""), false);
    Msg::Changed(vec![ended])
}

#[test]
fn keys_typed_ahead_of_the_plan_send_nothing() {
    let mut state = told();
    press(&mut state, "3 j");
    update(&mut state, Msg::Key(key("r")));
    assert_eq!(update(&mut state, Msg::Key(key("enter"))), []);
    assert!(state.history.replays.is_empty());
    assert!(picture(&mut state, 120, 36).contains("not in sight yet, nothing was sent"));
    assert_eq!(press(&mut state, "enter enter"), [request(1)]);
    // The plan of one message is not that of another.
    let mut state = planning();
    for name in ["esc", "j", "k", "r", "enter"] {
        assert_eq!(update(&mut state, Msg::Key(key(name))), []);
    }
    // Nor is a choice that was not drawn.
    let mut state = planning();
    for name in ["k", "space", "enter"] {
        assert_eq!(update(&mut state, Msg::Key(key(name))), []);
    }
    assert!(picture(&mut state, 120, 36).contains("the plan changed"));
    assert_eq!(press(&mut state, "enter enter").len(), 2);
    // Where there is no room for the plan, nothing is sent unseen.
    let mut state = planning();
    picture(&mut state, 40, 4);
    assert_eq!(update(&mut state, Msg::Key(key("enter"))), []);
}

#[test]
fn what_came_since_the_frame_changes_no_send() {
    // It was delivered meanwhile: what was shown to be sent is sent no more without a look.
    let mut state = planning();
    update(&mut state, answered("atmpt_8", "ep_staging", 204));
    assert_eq!(update(&mut state, Msg::Key(key("enter"))), []);
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("the plan changed") && shown.contains("[ ] staging"),
        "{shown}"
    );
    // It failed elsewhere meanwhile: that is told, and chosen only by hand.
    let mut state = planning();
    update(&mut state, answered("atmpt_8", "ep_prod", 500));
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("[ ] prod") && shown.contains("new in this plan"),
        "{shown}"
    );
    assert_eq!(press(&mut state, "enter enter"), [request(1)]);
}

#[test]
fn a_frozen_screen_sends_only_what_it_showed() {
    for (endpoint, code, sent) in [("ep_staging", 204, 0), ("ep_prod", 500, 1)] {
        let mut state = told();
        press(&mut state, "3 j f r");
        update(&mut state, answered("atmpt_8", endpoint, code));
        let shown = picture(&mut state, 120, 36);
        assert!(shown.contains("[x] staging") && shown.contains("[ ] prod"));
        let effects = press(&mut state, "enter enter");
        assert_eq!(effects, vec![request(1); sent]);
        assert!(state.frozen.is_none());
        assert_eq!(
            picture(&mut state, 120, 36).contains("the plan changed"),
            sent == 0
        );
    }
}

#[test]
fn quitting_with_a_replay_under_way_is_asked_for_twice_and_told_at_the_end() {
    let mut state = planning();
    assert!(state.open_replays().is_empty());
    press(&mut state, "enter enter esc");
    update(&mut state, step(1, Stage::Sending { before: [].into() }));
    assert_eq!(press(&mut state, "q"), []);
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("a replay is under way; q again quits"),
        "{shown}"
    );
    // The question does not stand for ever.
    update(&mut state, Msg::Tick(before(-9)));
    assert_eq!(press(&mut state, "q"), []);
    assert_eq!(press(&mut state, "q"), [Effect::Quit]);
    let told = state.open_replays();
    assert!(
        told.len() == 1
            && told[0].starts_with("replay of msg_failed to staging: ")
            && told[0].contains("reeltop attempts --message msg_failed"),
        "{told:?}"
    );
    update(&mut state, answered_by_hand());
    assert!(state.open_replays().is_empty());
    assert_eq!(press(&mut state, "q"), [Effect::Quit]);
}

fn answered_by_hand() -> Msg {
    let ours = attempt("atmpt_9", "msg_failed", "ep_staging", 0, (204, ""), true);
    Msg::Changed(vec![ours])
}

#[test]
fn giving_up_is_asked_for_twice_and_only_where_something_is_waited_for() {
    let mut state = planning();
    press(&mut state, "enter enter esc");
    update(&mut state, step(1, Stage::Sending { before: [].into() }));
    update(&mut state, step(1, Stage::Unknown("no answer".into())));
    // Elsewhere the key means nothing.
    assert_eq!(press(&mut state, "enter").len(), 1);
    assert_eq!(press(&mut state, "X X"), []);
    assert_eq!(press(&mut state, "L X"), []);
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("X again stops waiting for it"), "{shown}");
    // The question does not stand for ever.
    update(&mut state, Msg::Tick(before(-9)));
    assert_eq!(press(&mut state, "X"), []);
    assert_eq!(press(&mut state, "X"), [Effect::GiveUp(1)]);
    update(&mut state, answered_by_hand());
    assert_eq!(press(&mut state, "X X"), []);
    assert!(picture(&mut state, 120, 36).contains("nothing is waited for: it is delivered"));
}

#[test]
fn a_plan_of_more_endpoints_than_lines_keeps_its_head_and_says_what_is_out_of_sight() {
    let mut state = told();
    let many = (0..30).flat_map(|at| {
        let (id, name) = (format!("ep_z{at:02}"), format!("z{at:02}"));
        let failed = attempt(
            &format!("late_{at}"),
            "msg_failed",
            &id,
            9,
            (500, ""),
            false,
        );
        [endpoint(&id, &name, "https://z.example", false), failed]
    });
    update(&mut state, Msg::Changed(many.collect()));
    press(&mut state, "3 j r");
    let head = [
        "task.failed · keynote-2026-final.mp4",
        "by the server's resend, one try",
    ];
    let shown = picture(&mut state, 100, 24);
    for words in head.into_iter().chain(["lines below · PgDn"]) {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    press(&mut state, "G");
    let shown = picture(&mut state, 100, 24);
    for words in head.into_iter().chain(["lines above · PgUp", "▌ [x] z29"]) {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // What is to be known of the picked one is not cut.
    let last = shown.lines().skip_while(|line| !line.contains("▌ [x] z29"));
    let said: String = last.collect();
    assert!(said.contains("an automatic retry is"), "{shown}");
    // Where there is room for next to nothing, what is sent stands there all the same.
    let shown = picture(&mut state, 60, 12);
    assert!(
        shown.contains("z29") && shown.contains("Enter send"),
        "{shown}"
    );
}
