//! What a column has room for is told whole.

use reeltop::app::{Msg, update};
use reeltop::domain::Moment;

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
