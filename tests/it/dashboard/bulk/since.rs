//! What failed since a time: by the service's clock, and for as long as the filter stands the same.

use reeltop::app::{Msg, update};
use reeltop::domain::ChangeKind;

use super::{SECONDS, failing, pass};
use crate::support::{change, picture, press};

/// Types a filter on a list.
fn keys(filter: &str) -> String {
    let typed: Vec<String> = filter
        .chars()
        .map(|letter| match letter {
            ' ' => "space".to_owned(),
            letter => letter.to_string(),
        })
        .collect();
    format!("/ {}", typed.join(" "))
}

#[test]
fn what_failed_at_an_endpoint_since_a_time_is_replayed_and_stays_the_same() {
    let mut state = failing(9);
    press(
        &mut state,
        &keys("endpoint:staging type:task.progress since:195s"),
    );
    let typed = picture(&mut state, 120, 36);
    assert!(typed.contains("4 of 1"), "{typed}");
    press(&mut state, "enter");
    let kept = picture(&mut state, 120, 36);
    // It goes on meaning what it meant: as a moment, not as so long ago.
    assert!(
        !kept.contains("195s") && kept.contains("since:20"),
        "{kept}"
    );
    pass(&mut state, 60 * SECONDS);
    press(&mut state, "R");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("4 to send"), "{plan}");
    assert!(
        !plan.contains("msg_004") && plan.contains("since:20"),
        "{plan}"
    );
}

#[test]
fn so_long_ago_is_by_the_clock_of_the_service() {
    let mut state = failing(9);
    let ahead = ChangeKind::ServiceAhead(3 * 3600 * SECONDS);
    update(&mut state, Msg::Changed(vec![change(0, ahead)]));
    press(
        &mut state,
        &format!("{} enter", keys("type:task.progress since:2h")),
    );
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("  0 of "), "{shown}");
    press(
        &mut state,
        &format!("/ esc {} enter", keys("type:task.progress since:4h")),
    );
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("  9 of "), "{shown}");
}

#[test]
fn half_a_time_is_told_and_filters_nothing_yet() {
    let mut state = failing(9);
    press(&mut state, &keys("type:task.progress since:2"));
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("since:2 is no time; try since:2h"),
        "{shown}"
    );
    press(&mut state, "h");
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("9 of "), "{shown}");
}
