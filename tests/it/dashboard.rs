//! The dashboard's mind in scenes: messages in, effects out, and what the screen says.

mod bulk;
mod clocks;
mod marks;
mod notices;
mod replays;
mod resize;
mod unread;

use ratatui::crossterm::event::KeyEvent;
use reeltop::app::{Effect, Msg, ReplayRequest, RowKey, Sight, State, update};
use reeltop::domain::{
    Attempt, ChangeKind, EndpointId, FailureKind, Grounds, LinkState, MessageId, Payload,
    ReplayStep, Reply, Route, Stage, Verdict,
};

use crate::support::{
    attempt, before, change, event, fresh, key, message, picture, press, seen, shared, task_id,
    told,
};

const ALL_QUEUED: [(&str, &str); 4] = [
    ("proxy", "queued"),
    ("preview", "queued"),
    ("visual", "queued"),
    ("transcription", "queued"),
];

fn selected_line(state: &mut State) -> String {
    let shown = picture(state, 120, 36);
    let line = shown.lines().find(|line| line.starts_with(" ▌"));
    line.unwrap_or_default().to_owned()
}

pub fn step(number: u64, stage: Stage) -> Msg {
    Msg::Changed(vec![change(
        0,
        ChangeKind::Replay(Box::new(ReplayStep {
            replay: number,
            message: MessageId::new("msg_failed"),
            endpoint: EndpointId::new("ep_staging"),
            route: Route::Server,
            stage,
        })),
    )])
}

pub fn request(number: u64) -> Effect {
    let (message, endpoint) = (MessageId::new("msg_failed"), EndpointId::new("ep_staging"));
    Effect::Replay(ReplayRequest {
        number,
        grounds: Grounds::of(&told().history, &message, &endpoint),
        message,
        endpoint,
        route: Route::Server,
    })
}

/// The text of the newest toast.
fn said(state: &State) -> String {
    let newest = state.toasts.iter().next_back();
    newest.map(|toast| toast.text.clone()).unwrap_or_default()
}

#[test]
fn r_where_nothing_is_listed_says_what_would_help() {
    let mut state = fresh();
    for (keys, words) in [
        ("1 r", "the messages of earlier tasks are on 3"),
        ("2 r", "the messages of earlier tasks are on 3"),
        ("3 r", "messages are not read yet"),
        ("4 r", "choose a message (3)"),
    ] {
        press(&mut state, keys);
        assert!(said(&state).contains(words), "{keys}: {}", said(&state));
    }
    let mut state = told();
    for screen in ["1", "2", "3"] {
        press(&mut state, screen);
        press(&mut state, "/ z z z z z enter r");
        assert!(
            said(&state).contains("Esc clears it"),
            "{screen}: {}",
            said(&state)
        );
        press(&mut state, "esc");
    }
}

#[test]
fn new_tasks_do_not_move_the_selection() {
    let mut state = told();
    press(&mut state, "j j");
    let before_them = selected_line(&mut state);
    let new = (0..5)
        .map(|n| {
            event(
                50 + n,
                "task.progress",
                seen(50 + n, 0, 0, &ALL_QUEUED),
                "new.mp4",
                0,
            )
        })
        .collect();
    update(&mut state, Msg::Changed(new));
    let after = selected_line(&mut state);
    assert_eq!(
        before_them.split_whitespace().nth(3),
        after.split_whitespace().nth(3)
    );
    assert!(picture(&mut state, 120, 36).contains("▲ 5 new"));
    press(&mut state, "g");
    assert!(selected_line(&mut state).contains("new.mp4"));
}

#[test]
fn enter_opens_what_was_shown_even_if_something_newer_came_since() {
    let mut state = told();
    picture(&mut state, 120, 36);
    let shown = state.viewport.selected.clone();
    let new = event(60, "task.progress", seen(60, 0, 0, &ALL_QUEUED), "", 0);
    update(&mut state, Msg::Changed(vec![new]));
    let effects = update(&mut state, Msg::Key(key("enter")));
    let Some(RowKey::Task(task)) = shown else {
        panic!("a task was selected");
    };
    assert_eq!(effects, [Effect::Look(Sight::Task(task))]);
}

#[test]
fn esc_goes_back_one_level_and_never_quits() {
    let mut state = told();
    press(&mut state, "G k enter tab enter enter");
    assert_eq!(state.pages.len(), 3);
    for left in [2, 1, 0, 0, 0] {
        assert_eq!(press(&mut state, "esc"), []);
        assert_eq!(state.pages.len(), left);
    }
    assert_eq!(press(&mut state, "q"), [Effect::Quit]);
    assert_eq!(press(&mut state, "ctrl-c"), [Effect::Quit]);
}

#[test]
fn the_other_route_posts_what_is_shown_and_only_to_this_machine() {
    let mut state = told();
    press(&mut state, "3 j r p");
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("by a POST from here, signed anew, rebuilt from the payload"),
        "{plan}"
    );
    assert!(
        plan.contains("[x] staging") && plan.contains("CANNOT"),
        "{plan}"
    );
    assert!(plan.contains("its host is not this machine"), "{plan}");
    assert!(plan.contains("it comes all the same"), "{plan}");
    let effects = press(&mut state, "enter enter");
    let [Effect::PostHere(posted)] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!(posted.replay.route, Route::Local);
    assert_eq!(&*posted.url, "http://127.0.0.1:41233/flaky");
    let held = state
        .history
        .deliveries
        .get(&posted.replay.message)
        .unwrap();
    let Payload::Json(payload) = &held.message.as_ref().unwrap().payload else {
        panic!("it has a payload");
    };
    assert_eq!(&*posted.body, payload.as_bytes());
    // It stands in the way of the other route too: the receiver is the same.
    let open = state.history.replays.get(1).unwrap();
    assert!(open.state.is_open() && open.route == Route::Local);
    assert_eq!(press(&mut state, "r p enter enter p enter enter"), []);
    // And back again, before anything is sent.
    let mut state = told();
    assert_eq!(press(&mut state, "3 j r p p enter enter"), [request(1)]);
}

#[test]
fn what_was_posted_to_its_receiver_by_another_name_stands_in_the_way_of_an_endpoint() {
    for (url, is_there) in [
        ("http://localhost:41233/flaky", true),
        ("http://[::1]:41233/flaky?debug=1", true),
        ("http://localhost:41234/flaky", false),
    ] {
        let mut state = told();
        let posted = ReplayStep {
            replay: 9,
            message: MessageId::new("msg_failed"),
            endpoint: EndpointId::new(url),
            route: Route::Local,
            stage: Stage::Planned,
        };
        let posted = change(0, ChangeKind::Replay(Box::new(posted)));
        update(&mut state, Msg::Changed(vec![posted]));
        let message = MessageId::new("msg_failed");
        let plan = reeltop::domain::plan(&state.history, &message, None, false, before(0).wall);
        let staging = EndpointId::new("ep_staging");
        let item = plan.items.iter().find(|item| item.endpoint == staging);
        let verdict = &item.unwrap().verdict;
        let is_refused = matches!(verdict, Verdict::Refuse(_));
        assert_eq!(is_refused, is_there, "{url}: {verdict:?}");
        // Once it was answered it is told, by whatever way the next goes.
        let reply = Reply {
            code: 500,
            duration_ms: 3,
        };
        for stage in [Stage::Sending { before: [].into() }, Stage::Answered(reply)] {
            let step = ReplayStep {
                replay: 9,
                message: message.clone(),
                endpoint: EndpointId::new(url),
                route: Route::Local,
                stage,
            };
            let step = change(0, ChangeKind::Replay(Box::new(step)));
            update(&mut state, Msg::Changed(vec![step]));
        }
        let (history, now) = (&state.history, before(0).wall);
        for plan in [
            reeltop::domain::plan(history, &message, None, false, now),
            reeltop::domain::plan_local(history, &message, None, false, now),
        ] {
            let mut items = plan.items.iter();
            let item = items.find(|item| item.endpoint == staging).unwrap();
            let mut warnings = item.warnings.iter();
            let is_told = warnings
                .any(|it| it.contains("posted there from here") && it.contains("answered 500"));
            assert_eq!(is_told, is_there, "{url}: {:?}", item.warnings);
        }
    }
}

#[test]
fn a_replay_is_planned_sent_once_and_followed_to_its_attempt() {
    let mut state = told();
    assert_eq!(press(&mut state, "3 j r"), []);
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("[x] staging") && plan.contains("[ ] prod"),
        "{plan}"
    );
    assert!(
        plan.contains("CANNOT") && plan.contains("disabled"),
        "{plan}"
    );
    assert!(plan.contains("automatic retry is due"), "{plan}");
    assert_eq!(press(&mut state, "enter enter"), [request(1)]);
    // Enter again closes what is followed; r shows the running one; nothing is sent twice.
    let is_sent = |effects: &[Effect]| {
        let mut sent = effects.iter();
        sent.any(|effect| matches!(effect, Effect::Replay(_)))
    };
    assert!(!is_sent(&press(&mut state, "enter enter esc")));
    assert!(!is_sent(&press(&mut state, "3 j r enter r r enter")));
    update(&mut state, step(1, Stage::Sending { before: [].into() }));
    update(&mut state, step(1, Stage::Accepted));
    let mut state_after = told();
    press(&mut state_after, "3 j r enter enter");
    update(
        &mut state_after,
        step(1, Stage::Sending { before: [].into() }),
    );
    update(&mut state_after, step(1, Stage::Accepted));
    assert!(picture(&mut state_after, 120, 36).contains("accepted"));
    let ours = attempt("atmpt_9", "msg_failed", "ep_staging", 0, (204, ""), true);
    update(&mut state_after, Msg::Changed(vec![ours]));
    let end = picture(&mut state_after, 120, 36);
    assert!(
        end.contains("✓ staging") && end.contains("its attempt, 204 in 12 ms"),
        "{end}"
    );
    assert!(
        end.contains("replay of msg_failed to staging: delivered"),
        "{end}"
    );
}

#[test]
fn an_unknown_replay_stays_in_sight_until_its_attempt_is_found() {
    let mut state = told();
    assert_eq!(press(&mut state, "3 j r enter enter esc"), [request(1)]);
    update(&mut state, step(1, Stage::Sending { before: [].into() }));
    update(
        &mut state,
        step(1, Stage::Unknown("the connection broke".into())),
    );
    assert!(picture(&mut state, 120, 36).contains("? replay unknown"));
    // No second one of the pair may be sent meanwhile.
    assert_eq!(press(&mut state, "r r enter"), []);
    press(&mut state, "esc");
    let ours = attempt("atmpt_9", "msg_failed", "ep_staging", 0, (204, ""), true);
    update(&mut state, Msg::Changed(vec![ours]));
    press(&mut state, "enter");
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("delivered, found later"), "{shown}");
}

#[test]
fn a_part_that_cannot_be_read_hides_not_that_another_is() {
    let mut state = told();
    let why = || reeltop::domain::Failure::new(FailureKind::Broken, "it answered 500", "");
    let link = LinkState::Polling { why: why() };
    let polled = |failure| change(0, ChangeKind::Polled(failure));
    let told = vec![
        change(0, ChangeKind::Link(Box::new(link))),
        polled(None),
        polled(Some(Box::new(why()))),
    ];
    update(&mut state, Msg::Changed(told));
    press(&mut state, "5");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("polling, no stream") && shown.contains("poll failed"),
        "{shown}"
    );
}

#[test]
fn the_way_back_from_the_end_is_as_long_as_the_way_there() {
    let mut state = told();
    press(&mut state, "5");
    picture(&mut state, 60, 14);
    let mut seen = Vec::new();
    for name in ["?", "5"] {
        press(&mut state, name);
        picture(&mut state, 60, 14);
        for name in ["G", "k", "j", "g"] {
            update(&mut state, Msg::Key(key(name)));
            seen.push(picture(&mut state, 60, 14));
        }
        assert_eq!(seen[0], seen[2]);
        assert!(seen[0] != seen[1] && seen[0] != seen[3]);
        seen.clear();
        press(&mut state, "esc");
    }
}

#[test]
fn read_only_refuses_with_the_reason() {
    let mut state = told();
    state.session.is_read_only = true;
    assert_eq!(press(&mut state, "3 j r enter"), []);
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("read-only mode") && shown.contains("READ-ONLY"),
        "{shown}"
    );
}

#[test]
fn choosing_turns_endpoints_round_and_sends_only_those() {
    let mut state = told();
    press(&mut state, "3 j r");
    // The rows are legacy, prod, staging: staging, picked first, is left out, prod taken in.
    press(&mut state, "space k space");
    let effects = press(&mut state, "enter enter");
    let Effect::Replay(sent) = &effects[0] else {
        panic!("{effects:?}");
    };
    assert_eq!(
        (effects.len(), &sent.endpoint),
        (1, &EndpointId::new("ep_prod"))
    );
    let mut state = told();
    press(&mut state, "3 j r k k space");
    assert!(picture(&mut state, 120, 36).contains("cannot be chosen"));
    press(&mut state, "j j space");
    assert_eq!(press(&mut state, "enter"), []);
    assert!(picture(&mut state, 120, 36).contains("nothing was sent"));
}

#[test]
fn a_frozen_screen_shows_what_it_showed_and_counts_what_waits() {
    let mut state = told();
    let shown = picture(&mut state, 120, 36);
    press(&mut state, "f");
    let new = event(
        70,
        "task.progress",
        seen(70, 0, 0, &ALL_QUEUED),
        "new.mp4",
        0,
    );
    update(&mut state, Msg::Changed(vec![new]));
    update(&mut state, Msg::Tick(before(-5)));
    let frozen = picture(&mut state, 120, 36);
    assert!(frozen.contains("FROZEN · 1 waiting"), "{frozen}");
    for (width, height) in [(20, 5), (40, 10), (60, 12), (80, 24)] {
        let small = picture(&mut state, width, height);
        assert!(small.contains("FROZEN"), "{width}: {small}");
    }
    let body =
        |text: &str| -> Vec<String> { text.lines().skip(4).take(20).map(str::to_owned).collect() };
    assert_eq!(body(&shown), body(&frozen));
    press(&mut state, "f");
    assert!(picture(&mut state, 120, 36).contains("new.mp4"));
}

#[test]
fn a_frozen_screen_goes_on_by_itself_beyond_its_bound_and_tells_the_link_meanwhile() {
    let mut state = told();
    press(&mut state, "f");
    let why = reeltop::domain::Failure::new(FailureKind::Broken, "the connection broke", "");
    let link = LinkState::Retrying {
        at: before(-9).wall,
        tries: 1,
        why,
    };
    update(
        &mut state,
        Msg::Changed(vec![change(0, ChangeKind::Link(Box::new(link)))]),
    );
    assert!(picture(&mut state, 120, 36).contains("retrying in 9s"));
    for n in 0..21 {
        let many = (0..1000)
            .map(|at| {
                event(
                    1000 + n * 1000 + at,
                    "task.progress",
                    seen(7, 9, 0, &ALL_QUEUED),
                    "",
                    0,
                )
            })
            .collect();
        update(&mut state, Msg::Changed(many));
    }
    assert!(state.frozen.is_none());
    assert!(picture(&mut state, 120, 36).contains("the screen goes on"));
}

#[test]
fn filters_follow_the_typing_and_what_changes() {
    let mut state = told();
    press(&mut state, "/ f a i l e d");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("1 of 6") && shown.contains("keynote"),
        "{shown}"
    );
    press(&mut state, "enter esc");
    assert!(!state.tasks.filter.is_active());
    // A text filter is a scan; what changes later is tested as it comes.
    press(&mut state, "/ d r o n e enter");
    assert!(picture(&mut state, 120, 36).contains("1 of 6"));
    let renamed = event(80, "task.progress", seen(80, 1, 0, &ALL_QUEUED), "", 0);
    update(&mut state, Msg::Changed(vec![renamed]));
    assert!(picture(&mut state, 120, 36).contains("1 of 7"));
    let mut asset = None;
    if let Some(row) = state.history.tasks.get(&task_id(80)) {
        asset = Some(row.asset());
    }
    let named = ChangeKind::AssetNamed {
        asset: asset.unwrap(),
        name: shared("second-drone.mp4"),
    };
    update(&mut state, Msg::Changed(vec![change(0, named)]));
    update(&mut state, Msg::Tick(before(-1)));
    while state.is_scanning() {
        update(&mut state, Msg::Scan);
    }
    assert!(picture(&mut state, 120, 36).contains("2 of 7"));
}

#[test]
fn every_list_filters() {
    let mut state = told();
    for (screen, text, count) in [
        ("1", "visual:paused", "1 of 6"),
        ("2", "type:task.failed", "1 of 10"),
        ("3", "retrying", "1 of 2"),
        ("3", "!retrying", "1 of 2"),
        ("3", "endpoint:staging", "2 of 2"),
        ("4", "disabled", "1 of 3"),
    ] {
        press(&mut state, screen);
        press(&mut state, "/");
        update(&mut state, Msg::Pasted(text.into()));
        press(&mut state, "enter");
        while state.is_scanning() {
            update(&mut state, Msg::Scan);
        }
        let shown = picture(&mut state, 120, 36);
        assert!(shown.contains(count), "{text}\n{shown}");
        press(&mut state, "esc");
    }
}

#[test]
fn pasted_text_outside_a_prompt_is_no_row_of_keys() {
    let mut state = told();
    press(&mut state, "3 j r");
    assert_eq!(update(&mut state, Msg::Pasted("r\n\n".into())), []);
    assert!(state.history.replays.is_empty());
}

#[test]
fn every_key_has_a_visible_answer() {
    let mut state = fresh();
    for name in ["x", "enter", "r", "y", "esc", "tab"] {
        state.toasts.clear();
        state.screen = reeltop::app::Screen::Deliveries;
        press(&mut state, name);
        assert_eq!(state.toasts.len(), 1, "{name}");
    }
}

#[test]
fn reading_needs_no_link() {
    let mut state = told();
    let why = reeltop::domain::Failure::new(FailureKind::Unreachable, "no connection", "");
    let link = LinkState::Stopped { why };
    update(
        &mut state,
        Msg::Changed(vec![change(0, ChangeKind::Link(Box::new(link)))]),
    );
    press(&mut state, "G k enter");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("keynote") && shown.contains("EVENTS 5"),
        "{shown}"
    );
    assert!(shown.contains("was last true"), "{shown}");
    assert_eq!(
        press(&mut state, "ctrl-r"),
        [
            Effect::Reconnect,
            Effect::Refresh,
            Effect::Look(Sight::Task(task_id(1)))
        ]
    );
}

#[test]
fn names_are_asked_for_once_and_a_few_at_a_time() {
    let mut state = fresh();
    let many = (0..20)
        .map(|n| event(n, "task.progress", seen(n, 9, 0, &ALL_QUEUED), "", 0))
        .collect();
    update(&mut state, Msg::Changed(many));
    picture(&mut state, 120, 36);
    let mut asked = Vec::new();
    for second in 1..10 {
        let effects = update(&mut state, Msg::Tick(before(-second)));
        assert!(effects.len() <= 4);
        asked.extend(effects);
    }
    assert_eq!(asked.len(), 20);
}

#[test]
fn the_id_or_the_payload_is_copied_without_control_characters() {
    let mut state = told();
    let effects = press(&mut state, "3 j y");
    let what = "message id".to_owned();
    let text = "msg_failed".to_owned();
    assert_eq!(effects, [Effect::Copy { what, text }]);
    let odd = "{\"a\":\n\"\u{1b}[31m\"}";
    let late = message("msg_odd", 99, "task.failed", 1, 0, odd);
    update(&mut state, Msg::Changed(vec![late]));
    let effects = press(&mut state, "g enter tab y");
    let Some(Effect::Copy { text, .. }) = effects.last() else {
        panic!("{effects:?}");
    };
    assert!(text.contains('\n') && !text.contains('\u{1b}'));
}

#[test]
fn time_never_goes_back_and_ages_are_never_negative() {
    let mut state = told();
    let newer = event(
        90,
        "task.progress",
        seen(90, -30, -30, &ALL_QUEUED),
        "future.mp4",
        0,
    );
    update(&mut state, Msg::Changed(vec![newer]));
    update(&mut state, Msg::Tick(before(50)));
    let shown = picture(&mut state, 120, 36);
    assert!(!shown.contains("-1s") && shown.contains("0s"), "{shown}");
}

#[test]
fn attempts_feed_the_endpoints_screen() {
    let mut state = told();
    let of = |state: &State, id: &str| {
        let id = EndpointId::new(id);
        let standing = state.history.deliveries.standing(&id).unwrap();
        let attempts = state.endpoints.attempts(&state.history, &id);
        (standing.delivered, standing.failing, attempts.count())
    };
    assert_eq!(of(&state, "ep_prod"), (2, 0, 2));
    assert_eq!(of(&state, "ep_staging"), (1, 1, 3));
    let later = attempt("atmpt_8", "msg_failed", "ep_staging", 1, (200, ""), false);
    update(&mut state, Msg::Changed(vec![later.clone(), later]));
    assert_eq!(of(&state, "ep_staging"), (2, 0, 4));
}

/// Keys with all modifiers, on every screen: nothing panics.
#[test]
fn no_row_of_keys_panics() {
    let mut state = told();
    let names = "1 2 3 4 5 j k g G enter esc tab h l r space y f s S / a ? ctrl-d ctrl-u ctrl-r";
    let names: Vec<&str> = names.split(' ').collect();
    let mut seed = 7_u64;
    for _ in 0..3000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let name = names[(seed >> 33) as usize % names.len()];
        let pressed: KeyEvent = key(name);
        update(&mut state, Msg::Key(pressed));
        if seed.is_multiple_of(5) {
            picture(
                &mut state,
                20 + (seed >> 40) as u16 % 200,
                4 + (seed >> 50) as u16 % 50,
            );
        }
    }
    let sent = state.history.replays.len();
    let pairs: std::collections::BTreeSet<String> = state
        .history
        .replays
        .all()
        .map(|replay| format!("{} {}", replay.message, replay.endpoint))
        .collect();
    assert_eq!(sent, pairs.len(), "no pair twice while one is open");
}

/// Attempts are compared whole, so that a test notices a field that is not told.
#[test]
fn an_attempt_is_shown_as_it_was_told() {
    let state = told();
    let delivery = state.history.deliveries.get(&MessageId::new("msg_failed"));
    let attempts: &[Attempt] = delivery.unwrap().attempts();
    assert_eq!(attempts.len(), 3);
}
