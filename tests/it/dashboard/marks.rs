//! Marks in scenes: they stay with their messages, whatever the list does, and go with a word.

use reeltop::app::{Msg, Session, State, update};
use reeltop::domain::Bounds;

use crate::support::{fresh, message, picture, press, told, world};

fn marked(state: &State) -> Vec<String> {
    state.marks.iter().map(ToString::to_string).collect()
}

#[test]
fn marks_stay_with_their_messages_through_sorting_and_filtering() {
    let mut state = told();
    press(&mut state, "3 space space");
    assert_eq!(state.marks.len(), 2);
    let both = marked(&state);
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("· 2 marked"), "{shown}");
    assert_eq!(shown.matches('●').count(), 2 + 1, "{shown}");
    press(&mut state, "S s g");
    assert_eq!(marked(&state), both);
    // What the filter hides stays marked, and that is said.
    press(&mut state, "/ z z z z enter");
    assert!(picture(&mut state, 120, 36).contains("2 marked, 2 of them hidden"));
    // Esc takes the marks away first, then the filter.
    press(&mut state, "esc");
    assert!(state.marks.is_empty());
    assert!(picture(&mut state, 120, 36).contains("/zzzz"));
    press(&mut state, "esc");
    assert!(!picture(&mut state, 120, 36).contains("/zzzz"));
    // The star marks all that is listed, or none.
    press(&mut state, "*");
    assert_eq!(state.marks.len(), state.history.deliveries.len());
    press(&mut state, "*");
    assert!(state.marks.is_empty());
}

#[test]
fn the_messages_of_a_task_can_be_marked_and_nothing_else() {
    let mut state = told();
    press(&mut state, "space");
    assert!(state.marks.is_empty());
    assert!(picture(&mut state, 120, 36).contains("marks are for messages"));
    press(&mut state, "G k enter space tab *");
    let shown = picture(&mut state, 120, 36);
    assert!(!state.marks.is_empty(), "{shown}");
    assert!(shown.contains(" ● task."), "{shown}");
}

#[test]
fn marks_of_messages_that_left_memory_go_with_a_word() {
    let session = Session {
        bounds: Bounds {
            messages: 3,
            ..Bounds::default()
        },
        ..fresh().session
    };
    let mut state = State::new(session, fresh().keymap);
    update(&mut state, Msg::Changed(world()));
    press(&mut state, "3 *");
    assert_eq!(state.marks.len(), 2);
    let new = (0..3).map(|at| message(&format!("msg_{at}"), 900 + at, "task.progress", 1, 0, "{}"));
    update(&mut state, Msg::Changed(new.collect()));
    let now = state.now;
    update(&mut state, Msg::Tick(now));
    assert!(state.marks.is_empty());
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("2 marks went: their messages left memory"),
        "{shown}"
    );
}
