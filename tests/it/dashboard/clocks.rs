//! Services whose clocks are hours from ours: what they tell is measured by their own.

use reeltop::app::{Msg, update};
use reeltop::domain::time::SECOND;
use reeltop::domain::{Change, ChangeKind, LogReach, Time};

use crate::support::{before, change, fresh, picture, press, world};

const HOURS: i64 = 5 * 3600 * SECOND;

/// A change as services would tell it whose clocks are so far ahead: of tasks, and of deliveries.
fn moved(mut change: Change, tasks: i64, deliveries: i64) -> Change {
    let by = |time: &mut Time, ahead: i64| *time = time.plus(ahead);
    match &mut change.kind {
        ChangeKind::Event(event) => {
            let seen = event.task.as_mut().unwrap();
            by(&mut seen.created, tasks);
            by(&mut seen.updated, tasks);
            seen.published = seen.published.map(|time| time.plus(tasks));
            event.published = event.published.map(|time| time.plus(tasks));
        }
        ChangeKind::Message(message) => by(&mut message.accepted, deliveries),
        ChangeKind::Attempt(attempt) => by(&mut attempt.started, deliveries),
        ChangeKind::Endpoint(endpoint) => {
            endpoint.created = endpoint.created.map(|time| time.plus(deliveries));
        }
        ChangeKind::AttemptsFrom { from, .. } => {
            *from = from.map(|time| time.plus(deliveries));
        }
        ChangeKind::MessagesRead(LogReach::From(from)) => by(from, deliveries),
        _ => {}
    }
    change
}

/// The text without its times of day, which are the services'.
fn without_clocks(text: &str) -> String {
    let is_clock = |at: &[char]| {
        let digits = [0, 1, 3, 4, 6, 7].iter().all(|n| at[*n].is_ascii_digit());
        digits && at[2] == ':' && at[5] == ':'
    };
    let mut chars: Vec<char> = text.chars().collect();
    for at in 0..chars.len().saturating_sub(7) {
        if is_clock(&chars[at..at + 8]) {
            for n in [0, 1, 3, 4, 6, 7] {
                chars[at + n] = '0';
            }
        }
    }
    chars.into_iter().collect()
}

/// Every screen that tells ages.
fn pictures(tasks: i64, deliveries: i64) -> Vec<(&'static str, String)> {
    let mut state = fresh();
    let world = world()
        .into_iter()
        .map(|change| moved(change, tasks, deliveries));
    let clocks = [
        change(0, ChangeKind::ServiceAhead(deliveries)),
        change(0, ChangeKind::TasksAhead(tasks)),
    ];
    update(&mut state, Msg::Changed(world.chain(clocks).collect()));
    update(&mut state, Msg::Tick(before(0)));
    let keys = [
        "1",
        "g enter",
        "esc 2",
        "3",
        "g enter",
        "enter",
        "esc esc 4",
        "g enter",
        "esc e",
    ];
    keys.map(|keys| {
        press(&mut state, keys);
        (keys, without_clocks(&picture(&mut state, 160, 45)))
    })
    .into()
}

#[test]
fn ages_are_told_by_the_clock_of_the_service_that_tells_the_times() {
    let usual = pictures(0, 0);
    for (_, shown) in &usual {
        assert!(shown.contains("ago") || shown.contains("1m"), "{shown}");
    }
    for (tasks, deliveries) in [(HOURS, HOURS), (-HOURS, -HOURS), (-HOURS, HOURS)] {
        let off = pictures(tasks, deliveries);
        for ((keys, expected), (_, shown)) in usual.iter().zip(&off) {
            assert_eq!(expected, shown, "{keys}: {tasks}, {deliveries}");
        }
    }
}
