//! Pictures of every screen at several sizes, styles included, and a sweep over all sizes.

mod columns;
mod received;
mod trust;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use reeltop::app::page::Page;
use reeltop::app::{Effect, Msg, State, update};
use reeltop::domain::{
    ChangeKind, EndpointId, Failure, FailureKind, Heard, LinkState, Proof, Repair, RepairedBy,
    TaskState, Unreadable,
};
use reeltop::view::theme::{Theme, ThemeName};

use crate::support::{
    PAYLOAD, attempt, before, change, fresh, message, picture, press, styled, told,
};

pub fn snapshots(name: &str, state: &mut State) {
    for (width, height) in [(80, 24), (120, 36), (200, 60)] {
        let shown = styled(state, width, height);
        insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), shown);
        });
    }
}

#[test]
fn tasks() {
    snapshots("tasks", &mut told());
}

#[test]
fn events() {
    let mut state = told();
    press(&mut state, "2 j");
    snapshots("events", &mut state);
}

#[test]
fn deliveries() {
    let mut state = told();
    press(&mut state, "3");
    snapshots("deliveries", &mut state);
}

#[test]
fn causes() {
    let mut state = told();
    press(&mut state, "e");
    snapshots("causes", &mut state);
    let cause = state.history.deliveries.causes()[0].cause.id;
    press(&mut state, "enter");
    assert!(state.pages.is_empty());
    assert_eq!(state.deliveries.filter.text, format!("cause:{cause}"));
    picture(&mut state, 120, 36);
    let sum = state.history.deliveries.cause(cause);
    assert_eq!(Some(state.viewport.matching), sum.map(|sum| sum.n_messages));
}

#[test]
fn endpoints() {
    let mut state = told();
    let ids = ["ep_legacy", "ep_prod", "ep_staging"].map(EndpointId::new);
    let listed = ChangeKind::EndpointsListed(ids.into());
    update(&mut state, Msg::Changed(vec![change(0, listed)]));
    press(&mut state, "4");
    snapshots("endpoints", &mut state);
}

#[test]
fn health() {
    let mut state = told();
    let proof = Proof {
        gap: Some((before(120).wall, before(78).wall)),
        heard: Heard::Nothing,
        is_gap_unknown: false,
        compared: Some(6),
        repaired: vec![Repair {
            task: crate::support::task_id(1),
            before: Some(TaskState::Processing),
            after: Some(TaskState::Completed),
            how: RepairedBy::Reading,
        }],
        n_repaired: 1,
        found: 0,
        held: 2,
        backfilled: 0,
        caveat: None,
        at: before(5).wall,
    };
    let unreadable = Unreadable::new(
        "stream",
        "no JSON: expected a value at line 1",
        "<html>\u{1b}[2J",
    );
    let changes = vec![
        change(5, ChangeKind::Proof(Box::new(proof))),
        change(4, ChangeKind::Unreadable(Box::new(unreadable))),
    ];
    update(&mut state, Msg::Changed(changes));
    press(&mut state, "5");
    snapshots("health", &mut state);
    press(&mut state, "2 u G enter");
    snapshots("unreadable", &mut state);
}

/// What comes right after a failure shares its place on the axis.
#[test]
fn an_event_hides_no_failure_and_none_goes_uncounted() {
    let mut state = told();
    press(&mut state, "G k enter");
    let later = [11, 12].map(|n| message(&format!("msg_{n}"), n, "task.progress", 1, 11, "{}"));
    update(&mut state, Msg::Changed(later.into()));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("failed ×3 ▲"), "{shown}");
}

#[test]
fn details() {
    let mut state = told();
    press(&mut state, "G k enter");
    snapshots("task", &mut state);
    press(&mut state, "tab enter");
    snapshots("message", &mut state);
    press(&mut state, "j enter");
    snapshots("attempt", &mut state);
    press(&mut state, "esc tab j j j j enter");
    snapshots("payload_folded", &mut state);
    press(&mut state, "4 j j enter");
    snapshots("endpoint", &mut state);
    press(&mut state, "2 G enter");
    snapshots("event", &mut state);
}

#[test]
fn an_attempt_is_compared_with_the_one_before_it() {
    let mut state = told();
    press(&mut state, "G k enter tab enter j d");
    snapshots("diff", &mut state);
    press(&mut state, "d");
    snapshots("diff_beside", &mut state);
    let narrow = picture(&mut state, 79, 24);
    assert!(
        narrow.contains("side by side takes a width of 80, here are 79"),
        "{narrow}"
    );
    // The first is compared with the next.
    press(&mut state, "esc G d");
    assert!(picture(&mut state, 80, 24).contains("1 → 2 at staging"));
    press(&mut state, "esc g enter d");
    let toast = state.toasts.back().map(|toast| toast.text.clone());
    assert!(toast.unwrap().contains("the only attempt"));
    assert!(!matches!(state.pages.last(), Some(Page::Diff(_))));
}

#[test]
fn a_message_is_compared_with_the_one_before_it_of_its_task() {
    let mut state = told();
    let before = PAYLOAD.replace("\"failed\"", "\"processing\"");
    let earlier = message("msg_before", 4, "task.progress", 1, 190, &before);
    update(&mut state, Msg::Changed(vec![earlier]));
    press(&mut state, "G k enter tab");
    let effects = press(&mut state, "d");
    assert_eq!(effects, [], "both payloads are known");
    let words = r#"features.visual.state: "processing" → "failed""#;
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains(words), "{shown}");
    press(&mut state, "esc G d");
    let toast = state.toasts.back().map(|toast| toast.text.clone());
    assert!(toast.unwrap().contains("the first message"));
}

#[test]
fn what_is_kept_or_compared_in_part_is_not_called_the_same() {
    let mut state = told();
    let start = "some line\n".repeat(2000);
    for (at, end) in ["one", "two"].into_iter().enumerate() {
        let answer = format!("{start}{end}");
        let id = format!("atmpt_long_{at}");
        let ago = 3 - at as i64;
        let long = attempt(&id, "msg_failed", "ep_staging", ago, (404, &answer), false);
        update(&mut state, Msg::Changed(vec![long]));
    }
    press(&mut state, "G k enter tab enter");
    let shown = picture(&mut state, 200, 36);
    let words = "404 twice with the same body as far as it is kept (20,000 B)";
    assert!(shown.contains(words), "{shown}");
    press(&mut state, "j enter");
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("the first 20,000 B are kept"), "{shown}");
    press(&mut state, "d");
    let shown = picture(&mut state, 120, 36);
    let words = "RESPONSE   the same as far as it is kept (20,000 B)";
    assert!(shown.contains(words), "{shown}");

    let mut state = told();
    for (n, end) in ["1", "2"].into_iter().enumerate() {
        let items = "0,".repeat(5000);
        let payload = format!("{{\"first\":{n},\"items\":[{items}{end}]}}");
        let ago = 190 - 10 * n as i64;
        let id = format!("msg_long_{n}");
        let told = message(&id, 70 + n, "task.progress", 5, ago, &payload);
        update(&mut state, Msg::Changed(vec![told]));
    }
    press(&mut state, "3 / m s g _ l o n g _ 1 enter enter tab d");
    let shown = picture(&mut state, 120, 36);
    for words in [
        "WHAT CHANGED   in the first 4,000 lines",
        "PAYLOAD   2 lines differ in the first 4,000 lines; the rest is not compared",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn the_palette_finds_actions_by_name_and_does_them() {
    let mut state = told();
    press(&mut state, ":");
    snapshots("palette", &mut state);
    press(&mut state, "c a u s");
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("the causes of all failures"), "{shown}");
    assert!(!shown.contains("one row up"), "{shown}");
    press(&mut state, "enter");
    assert!(state.overlay.is_none());
    assert!(matches!(state.pages.last(), Some(Page::List(_))));
    // Letters that mean something elsewhere are letters here.
    press(&mut state, ": q r z z");
    assert!(picture(&mut state, 80, 24).contains("nothing is called so"));
    update(&mut state, Msg::Pasted("\u{1b}".into()));
    press(&mut state, "enter");
    assert!(state.overlay.is_some());
    press(&mut state, "esc");
    assert!(state.overlay.is_none());
    assert!(press(&mut state, ": ctrl-c").contains(&Effect::Quit));
}

#[test]
fn overlays_and_prompt() {
    let mut state = told();
    press(&mut state, "?");
    snapshots("help", &mut state);
    press(&mut state, "esc 3 j r");
    snapshots("plan", &mut state);
    press(&mut state, "enter");
    snapshots("plan_sent", &mut state);
    press(&mut state, "esc 1 / k e y");
    snapshots("filter", &mut state);
    update(&mut state, Msg::Pasted(" state:nonsense".into()));
    snapshots("filter_wrong", &mut state);
}

#[test]
fn nothing_loading_disconnected_and_failed_are_four_screens() {
    let mut state = fresh();
    snapshots("loading", &mut state);
    let link = |state: &mut State, link| {
        update(
            state,
            Msg::Changed(vec![change(0, ChangeKind::Link(Box::new(link)))]),
        );
    };
    link(&mut state, LinkState::Live);
    snapshots("empty", &mut state);
    let why = Failure::new(
        FailureKind::Unreachable,
        "no connection to https://api.example.com",
        "check the network",
    );
    link(
        &mut state,
        LinkState::Retrying {
            at: before(-4).wall,
            tries: 2,
            why,
        },
    );
    snapshots("disconnected", &mut state);
    let why = Failure::new(
        FailureKind::Unauthorized,
        "401, the key was refused by https://api.example.com",
        "check it with reeltop doctor",
    );
    link(&mut state, LinkState::Stopped { why });
    snapshots("failed", &mut state);
}

/// Every screen there is, by the keys that lead to it.
const EVERYWHERE: [&str; 27] = [
    "1",
    "1 G",
    "1 ?",
    "1 / k e y",
    "1 f",
    "G k enter",
    "G k enter tab",
    "G k enter enter",
    "G k enter tab enter",
    "G k enter tab enter tab",
    "G k enter tab enter enter",
    "G k enter tab enter r",
    "2",
    "2 / x x x x",
    "3",
    "3 r",
    "3 j r enter",
    "3 j r enter enter",
    "3 space",
    "3 R",
    "3 R enter",
    "4",
    "4 enter",
    "4 s s",
    "5",
    "5 tab",
    "2 U",
];

#[test]
fn no_size_from_20x5_to_300x100_panics_or_talks_nonsense() {
    let theme = Theme::embedded(ThemeName::Mono, true).unwrap();
    let sizes: Vec<(u16, u16)> = (20..300)
        .step_by(23)
        .flat_map(|width| (5..100).step_by(7).map(move |height| (width, height)))
        .chain([
            (20, 5),
            (300, 100),
            (59, 10),
            (60, 11),
            (99, 12),
            (100, 9),
            (160, 8),
            (1, 1),
            (3, 2),
        ])
        .collect();
    for keys in EVERYWHERE {
        let mut state = told();
        press(&mut state, keys);
        for (width, height) in &sizes {
            let mut buffer = Buffer::empty(Rect::new(0, 0, *width, *height));
            let viewport = reeltop::view::draw(&state, &theme, &mut buffer);
            let text: String = buffer
                .content
                .iter()
                .map(ratatui::buffer::Cell::symbol)
                .collect();
            assert!(text.is_ascii(), "{keys} at {width}x{height}");
            if *width >= 20 && *height >= 5 {
                assert!(text.contains("DEMO"), "{keys} at {width}x{height}");
                let is_frozen = text.contains("FROZEN");
                assert_eq!(
                    is_frozen,
                    state.frozen.is_some(),
                    "{keys} at {width}x{height}"
                );
                assert!(
                    is_frozen || text.contains("live"),
                    "{keys} at {width}x{height}:\n{text}"
                );
            }
            update(&mut state, Msg::Drawn(viewport));
        }
    }
}

#[test]
fn hostile_text_never_reaches_a_cell() {
    for keys in EVERYWHERE {
        let mut state = told();
        press(&mut state, keys);
        for (width, height) in [(60, 20), (120, 36), (200, 60)] {
            let shown = picture(&mut state, width, height);
            let bad = shown
                .chars()
                .find(|c| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{202e}').contains(c));
            assert_eq!(bad, None, "{keys}:\n{shown}");
        }
    }
}

#[test]
fn without_color_every_state_has_its_glyph_and_word() {
    let theme = Theme::embedded(ThemeName::Mono, false).unwrap();
    let mut state = told();
    let buffer = crate::support::drawn(&mut state, 120, 36, &theme);
    assert!(buffer.content.iter().all(|cell| {
        cell.fg == ratatui::style::Color::Reset && cell.bg == ratatui::style::Color::Reset
    }));
    let shown = picture(&mut state, 120, 36);
    for words in [
        "✗ failed",
        "▶ processing",
        "✓ completed",
        "◷ queued",
        "● live",
        "↻ 1 of 2",
    ] {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
}

#[test]
fn a_second_frame_of_the_same_state_differs_in_no_cell() {
    let theme = Theme::embedded(ThemeName::Dark, false).unwrap();
    for keys in EVERYWHERE {
        let mut state = told();
        press(&mut state, keys);
        let first = crate::support::drawn(&mut state, 120, 36, &theme);
        let second = crate::support::drawn(&mut state, 120, 36, &theme);
        assert!(first.diff(&second).is_empty(), "{keys}");
    }
}

#[test]
fn where_the_filter_leaves_no_row_no_key_acts_on_one_that_is_not_shown() {
    for screen in ["1", "2", "3", "4"] {
        let mut state = told();
        press(&mut state, screen);
        press(&mut state, "j j");
        press(&mut state, "/ z z z z z enter");
        assert!(picture(&mut state, 120, 36).contains("Nothing matches the filter"));
        for key in ["enter", "r", "y"] {
            press(&mut state, key);
            let shown = picture(&mut state, 120, 36);
            assert!(
                shown.contains("Nothing matches the filter"),
                "{screen} {key}: {shown}"
            );
        }
        press(&mut state, "m");
        let shown = picture(&mut state, 120, 36);
        assert!(!shown.contains("rotate"), "{screen}: {shown}");
        // What was chosen is chosen again once it is back.
        press(&mut state, "esc esc enter");
        let shown = picture(&mut state, 120, 36);
        assert!(!shown.contains("Nothing matches"), "{screen}: {shown}");
    }
}
