//! Notices over the body: short, and never over the selected row.

use reeltop::app::{Msg, State, Toast, Tone, update};

use super::ALL_QUEUED;
use super::resize::many;
use crate::support::{event, picture, press, seen, told};

#[test]
fn toasts_leave_half_of_a_small_screen() {
    let mut state = told();
    let body = picture(&mut state, 40, 10);
    // Each has other words.
    press(&mut state, "esc m @");
    assert!(state.toasts.len() >= 3);
    let shown = picture(&mut state, 40, 10);
    let of_toast = |line: &&str| line.starts_with(" · ") || line.starts_with("   ");
    let n_covered = shown.lines().filter(of_toast).count();
    let n_before = body.lines().filter(of_toast).count();
    assert!((1..=3).contains(&(n_covered - n_before)), "{shown}");
    assert!(
        shown.contains("▌"),
        "the selected row stays in sight\n{shown}"
    );
}

#[test]
fn a_notice_stands_in_sight_whatever_stands_over_the_screen() {
    for (keys, box_of) in [
        ("?", "Keys"),
        ("4 m", "Send an example"),
        ("3 g j R", "Replay many"),
    ] {
        for height in [16, 24, 36] {
            let mut state = told();
            press(&mut state, keys);
            state.toasts.clear();
            press(&mut state, "@");
            let words = state.toasts.back().map(|toast| toast.text.clone()).unwrap();
            let shown = picture(&mut state, 100, height);
            assert!(shown.contains(&words), "{keys} {height}: {words}\n{shown}");
            assert!(state.overlay.is_some() && !box_of.is_empty(), "{shown}");
        }
    }
}

#[test]
fn what_is_said_again_stands_once_and_anew() {
    let mut state = told();
    press(&mut state, "esc");
    let first = state.toasts[0].clone();
    state.now.mono += 1_000_000;
    press(&mut state, "esc");
    assert_eq!(state.toasts.len(), 1);
    assert_eq!(state.toasts[0].text, first.text);
    assert!(state.toasts[0].until > first.until);
}

#[test]
fn what_is_said_of_a_place_goes_as_it_is_left() {
    let lasting = "reading everything again";
    for (said, then) in [
        ("esc", "enter"),
        ("esc", "2"),
        ("@", "?"),
        ("m", "4"),
        ("enter tab x", "esc"),
    ] {
        let mut state = told();
        press(&mut state, "ctrl-r");
        press(&mut state, said);
        let told: Vec<String> = state.toasts.iter().map(|it| it.text.clone()).collect();
        assert!(told.len() > 1 && told[0] == lasting, "{said}: {told:?}");
        // A key that goes nowhere takes nothing away.
        press(&mut state, "j");
        assert_eq!(state.toasts.len(), told.len(), "{said}");
        press(&mut state, then);
        let left: Vec<&str> = state.toasts.iter().map(|it| &*it.text).collect();
        assert_eq!(left, [lasting], "{said} {then}");
    }
}

/// Three notices, as many as there can be, one of them of several lines.
fn noticed(state: &mut State) {
    let long = "the screen goes on: more than 64 MiB were waiting, and what a notice says is long";
    for text in ["one", long, "three"] {
        state.toasts.push_back(Toast {
            text: text.into(),
            tone: Tone::Warn,
            until: i64::MAX,
            of: None,
        });
    }
}

fn marked(shown: &str) -> Vec<&str> {
    shown.lines().filter(|line| line.contains('▌')).collect()
}

#[test]
fn no_notice_covers_the_selected_row_of_a_list_or_a_page() {
    for (width, height) in [(80, 24), (40, 10), (120, 36), (120, 12), (80, 7), (20, 5)] {
        for keys in [
            "1 G",
            "2 G",
            "3 G",
            "6 G",
            "4 G",
            "1 G enter G",
            "1 G enter tab G",
            "2 enter G",
            "3 enter G",
            "3 enter tab G",
            "6 enter G",
            "5 G",
            "5 tab G",
            "2 U G",
        ] {
            for mut state in [many(), told()] {
                picture(&mut state, width, height);
                press(&mut state, keys);
                state.toasts.clear();
                let before = picture(&mut state, width, height);
                noticed(&mut state);
                let shown = picture(&mut state, width, height);
                let told = format!("{keys} at {width}x{height}\n{before}\n{shown}");
                assert_eq!(marked(&before), marked(&shown), "{told}");
                assert!(shown.contains(" ! "), "{told}");
                // As it was, once the notices have left.
                state.toasts.clear();
                assert_eq!(picture(&mut state, width, height), before, "{told}");
            }
        }
    }
}

#[test]
fn the_count_of_what_is_new_covers_no_row() {
    let mut state = many();
    picture(&mut state, 80, 24);
    press(&mut state, "2 j G");
    picture(&mut state, 80, 24);
    press(&mut state, "k k j j");
    let before = picture(&mut state, 80, 24);
    let seen = seen(30, 5, 5, &ALL_QUEUED);
    let told = vec![event(30, "task.progress", seen, "", 5)];
    update(&mut state, Msg::Changed(told));
    let shown = picture(&mut state, 80, 24);
    assert!(shown.contains("1 new · following stopped"), "{shown}");
    assert_eq!(marked(&before), marked(&shown), "{before}\n{shown}");
}
