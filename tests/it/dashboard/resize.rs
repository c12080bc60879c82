//! Another size of the terminal: the selection stays with its row.

use reeltop::app::{Msg, RowKey, State, update};
use reeltop::domain::{ChangeKind, Finding, Received};

use super::ALL_QUEUED;
use crate::support::{change, event, fresh, message, picture, press, seen, told};

/// Thirty tasks, events, messages and requests.
pub fn many() -> State {
    let mut state = fresh();
    state.session.listening = Some("http://127.0.0.1:41233/".into());
    for n in 0..30 {
        let ago = 1000 - n as i64;
        let seen = seen(n, ago, ago, &ALL_QUEUED);
        let request = Received {
            method: "POST".into(),
            path: format!("/{n}"),
            headers: Vec::new(),
            body: b"{}".as_slice().into(),
            message: None,
            kind: None,
            task: None,
            is_other_body: false,
            code: Some(204),
            again: None,
            finding: Finding::Unchecked,
        };
        let told = vec![
            event(n, "task.progress", seen, "", ago),
            message(&format!("msg_{n:02}"), n, "task.progress", n, ago, "{}"),
            change(ago, ChangeKind::Received(Box::new(request))),
        ];
        update(&mut state, Msg::Changed(told));
    }
    state
}

fn selected(state: &mut State, width: u16, height: u16) -> Option<RowKey> {
    let shown = picture(state, width, height);
    let n_marked = shown.lines().filter(|line| line.contains('▌')).count();
    assert_eq!(n_marked, 1, "{shown}");
    state.viewport.selected.clone()
}

#[test]
fn event_types_are_whole_and_what_has_no_room_is_counted() {
    let mut state = told();
    press(&mut state, "4");
    let types = "task.completed task.failed task.progress";
    for (width, types) in [(195, " 3 types"), (200, "task.completed +2"), (240, types)] {
        let shown = picture(&mut state, width, 60);
        assert_eq!(shown.matches(types).count(), 3, "{width}: {shown}");
    }
}

#[test]
fn a_smaller_terminal_and_back_leaves_the_selection_with_its_row() {
    for screen in ["1", "1 s", "1 s s", "2", "3", "6"] {
        let mut state = many();
        press(&mut state, screen);
        picture(&mut state, 120, 36);
        press(&mut state, "j j j j j j j j j");
        let chosen = selected(&mut state, 120, 36);
        assert!(chosen.is_some(), "{screen}");
        for (width, height) in [(40, 10), (20, 5), (40, 10), (120, 36)] {
            let now = selected(&mut state, width, height);
            assert_eq!(now, chosen, "{screen} at {width}x{height}");
        }
    }
}
