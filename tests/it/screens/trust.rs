//! What the screen says of its own truth: marks, gaps, proofs, losses, and the link's state.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use reeltop::app::{Msg, State, update};
use reeltop::domain::{
    Change, ChangeKind, Failure, FailureKind, Heard, History, LinkState, Origin, Proof, Repair,
    RepairedBy, TaskState, Unreadable,
};
use reeltop::view::model::delivery;
use reeltop::view::theme::{Theme, ThemeName};

use super::snapshots;
use crate::support::{
    attempt, before, change, event, fresh, message, messages_read, picture, press, read_from, seen,
    task_id, told, world,
};

fn link(ago: i64, state: LinkState) -> Change {
    change(ago, ChangeKind::Link(Box::new(state)))
}

fn why() -> Failure {
    Failure::new(
        FailureKind::Broken,
        "the connection to https://api.example.com broke",
        "",
    )
}

fn retrying(ago: i64) -> Change {
    let at = before(-3).wall;
    let state = LinkState::Retrying {
        at,
        tries: 3,
        why: why(),
    };
    link(ago, state)
}

/// A comparison after a gap that repaired four tasks in every way, and could not know it all.
fn proof(caveat: Option<&str>) -> Proof {
    let repair = |n, before, after, how| Repair {
        task: task_id(n),
        before,
        after,
        how,
    };
    let (processing, done) = (Some(TaskState::Processing), Some(TaskState::Completed));
    Proof {
        gap: Some((before(120).wall, before(78).wall)),
        heard: Heard::Nothing,
        is_gap_unknown: false,
        compared: Some(6),
        repaired: vec![
            repair(2, processing, done, RepairedBy::Reading),
            repair(3, processing, Some(TaskState::Failed), RepairedBy::Snapshot),
            repair(6, processing, None, RepairedBy::Reading),
            repair(99, None, done, RepairedBy::Log),
        ],
        n_repaired: 4,
        found: 1,
        held: 2,
        backfilled: 17,
        caveat: caveat.map(str::to_owned),
        at: before(5).wall,
    }
}

const CAVEAT: &str = "tasks that began and ended in the gap cannot be seen (no message log is \
                      offered); 2 vanished tasks could not be read";

fn unreadable(place: &'static str, why: &str, excerpt: &str) -> Change {
    let what = Unreadable::new(place, why, excerpt);
    change(4, ChangeKind::Unreadable(Box::new(what)))
}

/// A world with a gap that was closed, one event after it, things that could not be read, and a
/// word that is new.
fn mended() -> State {
    let mut state = told();
    let all = [("visual", "processing"), ("captions", "weaving")];
    update(
        &mut state,
        Msg::Changed(vec![
            retrying(120),
            link(78, LinkState::CatchingUp),
            event(41, "task.progress", seen(7, 90, 70, &all), "after.mp4", 70),
            change(5, ChangeKind::Proof(Box::new(proof(Some(CAVEAT))))),
            link(5, LinkState::Live),
            unreadable(
                "stream",
                "no JSON: expected a value",
                "<html>\u{1b}[2J\u{202e}",
            ),
            unreadable("active tasks", "row 3: no id", "{\"state\":1}"),
            unreadable("messages", "row 1: no id", "{}"),
            event(42, "clip.shown", seen(7, 90, 1, &all), "", 1),
        ]),
    );
    state
}

fn world_of(origin: Origin) -> State {
    let mut state = fresh();
    let changes = world().into_iter().map(|change| match change.kind {
        ChangeKind::Link(_) => change,
        _ => Change { origin, ..change },
    });
    update(&mut state, Msg::Changed(changes.collect()));
    state
}

#[test]
fn proofs_losses_and_words_open_from_health() {
    let mut state = mended();
    press(&mut state, "5");
    snapshots("health_menu", &mut state);
    press(&mut state, "enter");
    snapshots("proofs", &mut state);
    press(&mut state, "enter");
    snapshots("proof", &mut state);
    press(&mut state, "j enter");
    assert!(picture(&mut state, 120, 36).contains("Health › comparisons › comparison 1 › drone"));
    press(&mut state, "5 j enter");
    snapshots("words", &mut state);
    press(&mut state, "5 j enter");
    snapshots("losses", &mut state);
}

#[test]
fn a_gap_is_a_row_that_no_filter_hides_and_that_opens_its_proof() {
    let mut state = mended();
    press(&mut state, "2 j");
    snapshots("gap", &mut state);
    press(&mut state, "/ x x x x enter");
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("0 of 12"), "{shown}");
    assert!(
        shown.contains("gap 14:00:37 to 14:01:19 (42s), not all of it is known, 4 states"),
        "{shown}"
    );
    press(&mut state, "enter");
    let proof = picture(&mut state, 120, 36);
    assert!(proof.contains("not known: 2 vanished tasks"), "{proof}");
    assert!(proof.contains("message log"), "{proof}");
}

#[test]
fn a_gap_that_lasts_is_a_row_too_and_there_is_one_for_all_its_tries() {
    let mut state = told();
    update(
        &mut state,
        Msg::Changed(vec![
            retrying(60),
            link(50, LinkState::CatchingUp),
            retrying(40),
            link(30, LinkState::Stopped { why: why() }),
        ]),
    );
    press(&mut state, "2");
    let shown = picture(&mut state, 120, 36);
    assert_eq!(shown.matches("gap since").count(), 1, "{shown}");
    assert!(shown.contains("gap since 14:01:37 (1m00s)"), "{shown}");
    press(&mut state, "enter");
    assert!(picture(&mut state, 120, 36).contains("there is nothing to open here"));
}

#[test]
fn the_time_away_is_a_gap_between_what_the_journal_had_and_what_came() {
    let mut state = world_of(Origin::Journal);
    let all = [("visual", "processing")];
    let new = event(50, "task.progress", seen(8, 9, 2, &all), "new.mp4", 2);
    update(&mut state, Msg::Changed(vec![new]));
    press(&mut state, "2");
    let shown = picture(&mut state, 120, 36);
    // What an earlier run recorded was not received by this one.
    let (total, restored) = (
        state.history.events.total(),
        state.history.events.restored(),
    );
    assert!(
        restored > 0 && restored + 1 == total,
        "{restored} of {total}"
    );
    assert!(
        shown.contains(&format!("1 received · {restored} from the journal")),
        "{shown}"
    );
    let lines: Vec<&str> = shown.lines().skip(5).take(3).collect();
    assert!(lines[0].contains("new.mp4"), "{shown}");
    assert!(lines[1].contains("gap since"), "{shown}");
    assert!(lines[2].contains('◇'), "{shown}");
}

/// The mark before a task's row.
fn mark_of(state: &mut State, name: &str) -> char {
    press(state, "1");
    let shown = picture(state, 120, 36);
    let line = shown.lines().find(|line| line.contains(name)).unwrap();
    line.chars().next().unwrap()
}

#[test]
fn unfinished_tasks_fade_when_the_link_is_lost_until_they_are_told_again() {
    let mut state = told();
    assert_eq!(mark_of(&mut state, "interview_raw"), ' ');
    update(&mut state, Msg::Changed(vec![retrying(1)]));
    snapshots("stale", &mut state);
    assert_eq!(mark_of(&mut state, "interview_raw"), '◌');
    // What is finished stays true without a link.
    assert_eq!(mark_of(&mut state, "podcast-ep"), ' ');
    press(&mut state, "k enter");
    assert!(picture(&mut state, 120, 36).contains("◌ from the stream, 3s ago"));
    // The same state told again by a snapshot confirms it, though it changes nothing.
    let states = [
        ("proxy", "completed"),
        ("preview", "processing"),
        ("visual", "queued"),
        ("transcription", "queued"),
    ];
    let told = Change {
        origin: Origin::Snapshot,
        ..change(
            0,
            ChangeKind::Task(reeltop::domain::Observation {
                published: None,
                ..seen(2, 38, 2, &states)
            }),
        )
    };
    update(&mut state, Msg::Changed(vec![told]));
    assert_eq!(mark_of(&mut state, "interview_raw"), ' ');
    assert_eq!(mark_of(&mut state, "drone-coast"), '◌');
    // Live again does not make true what nobody told again.
    let live = [LinkState::CatchingUp, LinkState::Live];
    let live = live.map(|state| link(0, state));
    update(&mut state, Msg::Changed(live.to_vec()));
    assert_eq!(mark_of(&mut state, "drone-coast"), '◌');
    press(&mut state, "1");
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("● live 0s"), "{shown}");
}

#[test]
fn silence_fades_what_was_told_before_it_and_a_sign_of_life_brings_it_back() {
    let mut state = told();
    let since = before(1).wall;
    let silence = link(0, LinkState::Stale { since });
    update(&mut state, Msg::Changed(vec![silence]));
    assert_eq!(mark_of(&mut state, "interview_raw"), '◌');
    assert!(picture(&mut state, 120, 36).contains("◌ stale, silent 1s"));
    update(&mut state, Msg::Changed(vec![link(0, LinkState::Live)]));
    assert_eq!(mark_of(&mut state, "interview_raw"), ' ');
}

#[test]
fn what_the_journal_had_is_marked_until_it_is_confirmed() {
    let mut state = world_of(Origin::Journal);
    snapshots("restored", &mut state);
    assert_eq!(mark_of(&mut state, "podcast-ep"), '◇');
    press(&mut state, "3");
    let shown = picture(&mut state, 120, 36);
    assert_eq!(shown.matches('◇').count(), 2, "{shown}");
    update(&mut state, Msg::Changed(world()));
    assert_eq!(mark_of(&mut state, "podcast-ep"), ' ');
    press(&mut state, "3");
    assert!(!picture(&mut state, 120, 36).contains('◇'));
}

#[test]
fn events_made_by_reeltop_are_marked_as_such() {
    let mut state = world_of(Origin::Inference);
    press(&mut state, "2");
    snapshots("inferred", &mut state);
    press(&mut state, "enter");
    assert!(picture(&mut state, 120, 36).contains("made by reeltop from two reads"));
}

#[test]
fn each_list_counts_its_losses_and_shows_them_with_zero_as_zero() {
    let mut state = told();
    for screen in ["1", "2", "3"] {
        press(&mut state, screen);
        for width in [80, 120, 200] {
            let shown = picture(&mut state, width, 24);
            assert!(shown.contains("dropped 0 · unreadable 0"), "{shown}");
        }
    }
    let mut state = mended();
    for (screen, place) in [("1", "active tasks"), ("2", "stream"), ("3", "messages")] {
        press(&mut state, screen);
        let shown = picture(&mut state, 80, 24);
        assert!(shown.contains("dropped 0 · unreadable 1"), "{shown}");
        press(&mut state, "U G");
        let rows = picture(&mut state, 80, 24);
        assert!(rows.contains(place) && rows.contains("never"), "{rows}");
        press(&mut state, "enter");
        assert!(picture(&mut state, 80, 24).contains("ITS BEGINNING"));
    }
}

#[test]
fn what_a_bound_lets_go_is_counted_with_since_when() {
    use reeltop::domain::{Bound, Bounds, History};
    let bounds = Bounds {
        events: 3,
        messages: 16,
        ..Bounds::default()
    };
    let mut state = told();
    state.history = History::new(bounds);
    update(&mut state, Msg::Changed(world()));
    let dropped = state.history.losses.by(Bound::Events);
    assert_eq!((dropped.n, state.history.events.len()), (7, 3));
    press(&mut state, "2 U");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("7 the oldest events, beyond 3 or 64 MiB, since"),
        "{shown}"
    );
}

/// Each state of the link, with the words that the header has for it.
fn states_of_the_link() -> Vec<(LinkState, &'static str)> {
    let at = before(-3).wall;
    vec![
        (LinkState::Connecting, "◌ connecting 4m"),
        (LinkState::CatchingUp, "◌ catching up 4m"),
        (LinkState::Live, "● live 4m"),
        (
            LinkState::Stale {
                since: before(31).wall,
            },
            "◌ stale, silent 31s",
        ),
        (
            LinkState::Polling { why: why() },
            "◌ polling, no stream, 4m",
        ),
        (
            LinkState::Retrying {
                at,
                tries: 3,
                why: why(),
            },
            "↻ retrying in 3s, try 4",
        ),
        (LinkState::Stopped { why: why() }, "✗ stopped 4m"),
    ]
}

#[test]
fn the_header_says_the_links_state_and_since_when_without_a_clipped_word() {
    for (link_state, words) in states_of_the_link() {
        for (is_read_only, keys) in [(false, "1"), (true, "f")] {
            let mut state = told();
            // Another state before it, so that each begins when it is told.
            let first = link(300, LinkState::Connecting);
            let second = link(250, LinkState::CatchingUp);
            let last = link(240, link_state.clone());
            update(&mut state, Msg::Changed(vec![first, second, last]));
            if link_state == LinkState::CatchingUp {
                update(
                    &mut state,
                    Msg::Changed(vec![
                        link(240, LinkState::Live),
                        link(240, link_state.clone()),
                    ]),
                );
            }
            state.session.is_read_only = is_read_only;
            press(&mut state, keys);
            for width in [80, 100, 120, 200] {
                let shown = picture(&mut state, width, 24);
                let header = shown.lines().next().unwrap();
                assert!(header.contains(words), "{width}: {header}");
                assert!(!header.contains('…'), "{width}: {header}");
            }
        }
    }
}

#[test]
fn nothing_in_the_header_jumps_from_second_to_second() {
    let mut state = told();
    let mut places = std::collections::BTreeSet::new();
    for second in 0..8 {
        let counters = reeltop::domain::LinkCounters {
            bytes: second as u64 / 3 + 1,
            ..Default::default()
        };
        let sign = change(-second, ChangeKind::Counters(Box::new(counters)));
        update(&mut state, Msg::Changed(vec![sign]));
        update(&mut state, Msg::Tick(before(-second)));
        let shown = picture(&mut state, 120, 24);
        let header = shown.lines().next().unwrap();
        places.insert((
            header.find("ev/s"),
            header.find("dropped"),
            header.find("live"),
        ));
    }
    assert_eq!(places.len(), 1, "{places:?}");
}

/// The new pages, by the keys that lead to them.
const PAGES: [&str; 12] = [
    "1 U",
    "1 u G enter",
    "2",
    "2 j j",
    "2 U",
    "3 U",
    "5",
    "5 tab j",
    "5 enter",
    "5 enter enter",
    "5 enter enter G",
    "5 j enter",
];

#[test]
fn every_page_of_trust_holds_at_every_size_and_in_ascii() {
    let theme = Theme::embedded(ThemeName::Mono, true).unwrap();
    for keys in PAGES {
        let mut worlds = [mended(), world_of(Origin::Journal)];
        for state in &mut worlds {
            press(state, keys);
            for width in (20..300).step_by(31).chain([59, 60, 79, 80]) {
                for height in (5..100).step_by(9).chain([24]) {
                    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
                    let viewport = reeltop::view::draw(state, &theme, &mut buffer);
                    let symbols = buffer.content.iter();
                    let text: String = symbols.map(ratatui::buffer::Cell::symbol).collect();
                    assert!(text.is_ascii(), "{keys} at {width}x{height}");
                    update(state, Msg::Drawn(viewport));
                }
            }
        }
    }
}

#[test]
fn hostile_text_of_raw_rows_never_reaches_a_cell() {
    for keys in ["2 u G", "2 u G enter"] {
        let mut state = mended();
        press(&mut state, keys);
        let shown = picture(&mut state, 120, 36);
        let is_bad =
            |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!shown.contains(is_bad), "{keys}:\n{shown}");
    }
}

#[test]
fn where_there_is_no_stream_the_header_tells_the_age_of_the_last_poll() {
    let mut state = told();
    let polling = link(9, LinkState::Polling { why: why() });
    let polled = change(3, ChangeKind::Polled(None));
    update(&mut state, Msg::Changed(vec![polling, polled]));
    assert!(picture(&mut state, 120, 24).contains("poll  3s ago"));
    // With a stream, a poll says nothing of it.
    update(&mut state, Msg::Changed(vec![link(0, LinkState::Live)]));
    assert!(picture(&mut state, 120, 24).contains("last  2s ago"));
}

#[test]
fn an_end_that_did_not_arrive_is_not_hidden_by_later_progress() {
    let told_by = |kinds: [(&str, u16); 2], is_reversed: bool| {
        let mut changes = Vec::new();
        for (n, (kind, code)) in kinds.into_iter().enumerate() {
            let (id, ago) = (format!("msg_n{n}"), 100 - n as i64);
            changes.push(message(&id, 900 + n, kind, 77, ago, "{}"));
            let try_id = format!("atmpt_n{n}");
            changes.push(attempt(&try_id, &id, "ep_n", ago, (code, ""), false));
        }
        changes.extend([messages_read(None), read_from("ep_n", None)]);
        if is_reversed {
            changes.reverse();
        }
        let mut history = History::default();
        for change in changes {
            history.apply(change);
        }
        delivery::notified(&history, &task_id(77)).1
    };
    for is_reversed in [false, true] {
        let told = |before, after| told_by([before, after], is_reversed);
        let late = told(("task.failed", 500), ("task.progress", 204));
        assert!(late.ends_with(" 0 of 1"), "{late}");
        // Who got a later end needs no earlier one, and progress is overtaken by what follows.
        let ended = told(("task.failed", 500), ("task.completed", 204));
        assert_eq!(ended, "✓ 1 of 1");
        let overtaken = told(("task.progress", 500), ("task.failed", 204));
        assert_eq!(overtaken, "✓ 1 of 1");
        let newest = told(("task.failed", 204), ("task.progress", 500));
        assert!(newest.ends_with(" 0 of 1"), "{newest}");
    }
}
