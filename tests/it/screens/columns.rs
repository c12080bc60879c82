//! What a column has room for is told whole.

use reeltop::app::{Msg, Overlay, State, update};
use reeltop::domain::{Moment, Verdict};

use crate::support::{attempt, picture, press, told};

/// Seconds for which an age takes more than nine cells when it is told exactly.
const LONG: [i64; 3] = [759, 3_590, 86_390];

#[test]
fn ages_are_whole_in_every_list() {
    for list in ["2", "3", "e", "5 2 u"] {
        for seconds in LONG {
            let mut state = told();
            let now = Moment {
                wall: state.now.wall.plus(seconds * 1_000_000),
                mono: state.now.mono + seconds * 1_000_000,
            };
            update(&mut state, Msg::Tick(now));
            press(&mut state, list);
            for (width, height) in [(40, 12), (80, 24), (120, 36), (200, 60)] {
                let shown = picture(&mut state, width, height);
                let is_cut = |end: &str| {
                    let mut places = shown.match_indices(end);
                    places.any(|(at, _)| shown[..at].ends_with(|c: char| "smhd".contains(c)))
                };
                assert!(
                    !is_cut(" a…") && !is_cut(" ag…") && !is_cut(" …"),
                    "{list}: {shown}"
                );
            }
        }
    }
}

#[test]
fn a_time_of_another_day_is_told_with_its_day() {
    for (keys, words) in [
        ("G k enter", "created 11-22 13:5"),
        ("G k enter tab enter", " 11-22 14:0"),
        ("G k enter tab enter j d", "11-22 14:0"),
        ("4 j j enter", "attempts since 11-22 14:0"),
    ] {
        let mut state = told();
        press(&mut state, keys);
        assert!(!picture(&mut state, 120, 36).contains(words), "{keys}");
        let now = Moment {
            wall: state.now.wall.plus(15 * 3_600_000_000),
            mono: state.now.mono + 15 * 3_600_000_000,
        };
        update(&mut state, Msg::Tick(now));
        let shown = picture(&mut state, 120, 36);
        assert!(shown.contains(words), "{keys}: {shown}");
    }
}

#[test]
fn a_failure_is_seen_on_the_axis_where_a_success_shares_its_cell() {
    let mut state = told();
    let later = attempt("atmpt_6", "msg_failed", "ep_staging", 5, (200, "ok"), true);
    update(&mut state, Msg::Changed(vec![later]));
    press(&mut state, "G k enter");
    let shown = picture(&mut state, 120, 36);
    let mut rows = shown.lines().map(str::trim_start);
    let row = rows.find(|row| row.starts_with("staging")).unwrap();
    assert!(row.contains("1 of 1") && row.ends_with("✗ ✗"), "{row}");
}

#[test]
fn lines_that_differ_at_their_end_alone_differ_on_the_screen() {
    let mut state = told();
    for (at, end) in ["one", "two"].into_iter().enumerate() {
        let body = format!("{}{end}", "the same words ".repeat(30));
        let (id, ago) = (format!("atmpt_long_{at}"), 3 - at as i64);
        let long = attempt(&id, "msg_failed", "ep_staging", ago, (500, &body), false);
        update(&mut state, Msg::Changed(vec![long]));
    }
    press(&mut state, "G k enter tab enter j d");
    for (width, lines) in [(60, 1), (120, 1), (120, 2)] {
        if lines == 2 {
            press(&mut state, "d");
        }
        let shown = picture(&mut state, width, 36);
        for line in ["- … same words one", "+ … same words two"] {
            assert!(shown.contains(line), "{width}: {shown}");
        }
    }
}

/// What a picture says, or the box in it: its lines as one, without their indents.
fn said(state: &mut State) -> String {
    let shown = picture(state, 40, 10);
    let in_box = |line: &str| {
        let (from, to) = (line.find('│')?, line.rfind('│')?);
        Some(line[from..to].trim_start_matches('│').to_owned())
    };
    let boxed: Vec<String> = shown.lines().filter_map(in_box).collect();
    let all = if boxed.is_empty() {
        shown
    } else {
        boxed.join("\n")
    };
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_small_screen_says_first_what_is_broken_and_why_a_plan_leaves_a_row_out() {
    let mut state = told();
    press(&mut state, "3");
    assert!(said(&mut state).contains(" still broken"));
    press(&mut state, "g j r");
    let Some(Overlay::Replay(overlay)) = &state.overlay else {
        panic!("no plan");
    };
    let plan = overlay.plan.clone();
    let mut n_skipped = 0;
    press(&mut state, "g");
    for item in &plan.items {
        if let Verdict::Skip(why) = &item.verdict {
            n_skipped += 1;
            let shown = said(&mut state);
            assert!(shown.contains(&**why), "{why}: {shown}");
        }
        press(&mut state, "j");
    }
    assert!(n_skipped > 0, "{plan:?}");

    press(&mut state, "esc R");
    let shown = said(&mut state);
    assert!(shown.contains("SEND"), "{shown}");
    let Some(Overlay::Bulk(overlay)) = &mut state.overlay else {
        panic!("no plan of many");
    };
    let why = "superseded: it took a newer message of this task since";
    for row in &mut overlay.rows {
        row.item.leave_out(why.to_owned());
    }
    let shown = said(&mut state);
    assert!(shown.contains(why) && shown.contains("▌"), "{shown}");
}

#[test]
fn what_an_empty_list_means_is_whole_on_a_small_screen() {
    let mut state = told();
    press(&mut state, "L");
    let shown = said(&mut state);
    assert!(shown.contains("this machine; r plans a replay."), "{shown}");
    press(&mut state, "esc 4 c");
    let shown = said(&mut state);
    assert!(shown.contains("messages are sent, https://…"), "{shown}");
}
