//! Many replays in scenes: only what stood in the plan leaves, in its order, at its rate, and it
//! can be taken back, stopped, resumed and cancelled.

mod any_way;
mod asking;
mod one_request;
mod routes;
mod since;
mod unplaced;
mod unread;
mod waiting;

use reeltop::app::{Effect, Msg, ReplayRequest, State, update};
use reeltop::domain::{
    Attempt, AttemptId, AttemptStatus, ChangeKind, EndpointId, History, MessageId, NextTry,
    ReplayStep, Route, Stage, Time, Trigger,
};

use crate::support::{attempt, change, endpoint, key, message, picture, press, told};

/// A world with so many more messages that failed at staging, of three tasks in turn.
fn failing(n: usize) -> State {
    let mut state = told();
    let mut changes = Vec::new();
    for at in 0..n {
        let id = format!("msg_{at:03}");
        let (ago, task) = (200 - at as i64, [2, 3, 5][at % 3]);
        changes.push(message(&id, 500 + at, "task.progress", task, ago, "{}"));
        let name = format!("atmpt_{at:03}");
        changes.push(attempt(&name, &id, "ep_staging", ago, (500, "no"), false));
    }
    update(&mut state, Msg::Changed(changes));
    press(&mut state, "3");
    state
}

/// Lets time pass, in microseconds, and gives what leaves then.
fn pass(state: &mut State, micros: i64) -> Vec<ReplayRequest> {
    let mut now = state.now;
    now.mono += micros;
    now.wall = Time(now.wall.0 + micros);
    requests(update(state, Msg::Tick(now)))
}

fn requests(effects: Vec<Effect>) -> Vec<ReplayRequest> {
    effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Replay(request) => Some(request),
            _ => None,
        })
        .collect()
}

fn tell(state: &mut State, request: &ReplayRequest, how_far: Stage) -> Vec<ReplayRequest> {
    let step = ReplayStep {
        replay: request.number,
        message: request.message.clone(),
        endpoint: request.endpoint.clone(),
        route: request.route,
        stage: how_far,
    };
    let mut told = change(0, ChangeKind::Replay(Box::new(step)));
    told.received = state.now;
    requests(update(state, Msg::Changed(vec![told])))
}

/// The replay is sent, and its attempt ends with this code.
fn end(state: &mut State, request: &ReplayRequest, code: u16) -> Vec<ReplayRequest> {
    let before = [].into();
    let mut left = tell(state, request, Stage::Sending { before });
    left.extend(tell(state, request, Stage::Accepted));
    let status = if code == 204 {
        AttemptStatus::Success
    } else {
        AttemptStatus::Fail
    };
    let ours = Attempt {
        id: AttemptId::new(&format!("ours_{}", request.number)),
        message: request.message.clone(),
        endpoint: request.endpoint.clone(),
        url: "https://example.com/hooks".into(),
        started: state.now.wall,
        status,
        code,
        duration_ms: Some(3),
        response: "".into(),
        trigger: Trigger::Manual,
    };
    let told = change(0, ChangeKind::Attempt(Box::new(ours)));
    left.extend(requests(update(state, Msg::Changed(vec![told]))));
    left
}

const SECONDS: i64 = 1_000_000;

#[test]
fn many_leave_after_their_undo_oldest_first_and_one_task_after_the_other() {
    let mut state = failing(9);
    press(&mut state, "/ t y p e : t a s k . p r o g r e s s enter R");
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("9 to send") && plan.contains("Enter send 9"),
        "{plan}"
    );
    assert!(plan.contains("oldest first, at most 5 a second"), "{plan}");
    assert!(plan.contains("a leaves them to it"), "{plan}");
    assert_eq!(press(&mut state, "enter"), []);
    assert!(picture(&mut state, 120, 36).contains("sending in 3s; u takes it back"));
    assert_eq!(pass(&mut state, 2 * SECONDS + 999_999), []);
    let mut left = pass(&mut state, 1);
    for _ in 0..9 {
        left.extend(pass(&mut state, 200_000));
    }
    // Three tasks have three lanes: each waits for its first.
    let ids: Vec<String> = left.iter().map(|it| it.message.to_string()).collect();
    assert_eq!(ids, ["msg_000", "msg_001", "msg_002"]);
    let next = end(&mut state, &left[1], 204);
    assert_eq!(next.len(), 1, "{next:?}");
    assert_eq!(next[0].message, MessageId::new("msg_004"));
    let mut open = vec![left[0].clone(), left[2].clone(), next[0].clone()];
    while let Some(request) = open.pop() {
        open.extend(end(&mut state, &request, 204));
        open.extend(pass(&mut state, 200_000));
    }
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("9 sent · ✓ 9 delivered"), "{shown}");
    assert_eq!(state.history.replays.len(), 9);
    press(&mut state, "esc");
    assert!(state.run.is_none());
}

#[test]
fn a_list_that_is_being_tested_is_planned_whole_and_at_once() {
    // More than one slice of a scan, of which typing a filter does the first alone.
    let mut state = failing(1100);
    press(&mut state, "/ t y p e : t a s k . p r o g r e s s enter R");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("1100 to send"), "{plan}");
}

#[test]
fn what_is_about_to_leave_can_be_taken_back() {
    for name in ["u", "esc"] {
        let mut state = failing(3);
        press(&mut state, "* R space enter");
        press(&mut state, name);
        let shown = picture(&mut state, 120, 36);
        assert!(shown.contains("taken back, nothing was sent"), "{shown}");
        // The plan stands there again as it was left.
        assert!(
            shown.contains("Enter send 3") && shown.contains("left out by you"),
            "{shown}"
        );
        assert_eq!(pass(&mut state, 60 * SECONDS), []);
        assert!(state.history.replays.is_empty());
        assert_eq!(state.due(), None);
    }
    // One message alone can be taken back as well, and is sent at once by a second Enter.
    let mut state = failing(0);
    press(&mut state, "/ m s g _ f a i l e d enter r enter");
    assert!(picture(&mut state, 120, 36).contains("sending in 3s"));
    press(&mut state, "u");
    assert_eq!(pass(&mut state, 60 * SECONDS), []);
    assert!(state.history.replays.is_empty());
    assert_eq!(press(&mut state, "enter"), []);
    assert_eq!(pass(&mut state, 3 * SECONDS).len(), 1);
}

#[test]
fn more_than_twenty_are_confirmed_by_their_number() {
    let mut state = failing(25);
    press(&mut state, "R enter");
    let shown = picture(&mut state, 80, 24);
    assert!(shown.contains("Type 26 to send 26:"), "{shown}");
    press(&mut state, "2 5 enter");
    assert!(picture(&mut state, 120, 36).contains("is not 26: nothing was sent"));
    assert!(state.run.is_none());
    press(&mut state, "backspace 6 enter");
    assert!(state.run.is_some());
    // Enter makes nothing of many leave earlier.
    assert_eq!(press(&mut state, "enter enter"), []);
    assert_eq!(pass(&mut state, 3 * SECONDS).len(), 1);
}

#[test]
fn five_failures_in_a_row_stop_it_until_it_is_resumed_and_the_rest_can_be_cancelled() {
    let mut state = failing(15);
    press(&mut state, "R enter");
    let mut open = pass(&mut state, 3 * SECONDS);
    let mut n_failed = 0;
    while let Some(request) = open.pop() {
        n_failed += 1;
        open.extend(end(&mut state, &request, 500));
        if n_failed < 5 {
            open.extend(pass(&mut state, 200_000));
        }
    }
    assert!((5..=8).contains(&n_failed), "{n_failed}");
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("stopped: 5 in a row failed"), "{shown}");
    assert_eq!(pass(&mut state, 600 * SECONDS), []);
    // Closed, the line over the list says it; R shows it again.
    press(&mut state, "esc");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("replay stopped · ") && shown.contains("R shows it"),
        "{shown}"
    );
    // Enter typed ahead of the frame resumes nothing.
    update(&mut state, Msg::Key(key("R")));
    assert_eq!(update(&mut state, Msg::Key(key("enter"))), []);
    picture(&mut state, 120, 36);
    let mut open = requests(press(&mut state, "enter"));
    assert_eq!(open.len(), 1);
    while let Some(request) = open.pop() {
        open.extend(end(&mut state, &request, 500));
        open.extend(pass(&mut state, 200_000));
    }
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("stopped: 5 in a row failed"), "{shown}");
    press(&mut state, "u");
    assert!(picture(&mut state, 120, 36).contains("u again cancels the"));
    press(&mut state, "u");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("were cancelled, they were not sent"),
        "{shown}"
    );
    pass(&mut state, SECONDS);
    assert!(picture(&mut state, 120, 36).contains("over; L lists"));
}

#[test]
fn a_filter_that_names_an_endpoint_means_that_endpoint() {
    let mut state = failing(2);
    let also = attempt("also", "msg_000", "ep_prod", 5, (410, "gone"), false);
    update(&mut state, Msg::Changed(vec![also]));
    let mut sent = |filter: &str| {
        press(&mut state, &format!("/ {filter} enter R"));
        let shown = picture(&mut state, 120, 36);
        press(&mut state, "esc esc");
        let n = shown.lines().filter(|line| line.contains("SEND")).count();
        (n, shown)
    };
    assert_eq!(sent("m s g _ 0 0 0").0, 2);
    for filter in ["e n d p o i n t : p r o d", "c o d e : 4 1 0"] {
        let (n, shown) = sent(filter);
        assert!(n == 1 && shown.contains("prod           SEND"), "{shown}");
    }
}

#[test]
fn a_mark_means_the_endpoint_that_the_filter_named_when_it_was_set() {
    let sends = |state: &mut State| {
        let shown = picture(state, 120, 36);
        let n = shown.lines().filter(|line| line.contains("SEND")).count();
        (n, shown)
    };
    for mark in ["*", "space"] {
        let mut state = failing(2);
        let also = attempt("also", "msg_000", "ep_prod", 5, (410, "gone"), false);
        update(&mut state, Msg::Changed(vec![also]));
        press(
            &mut state,
            &format!("/ e n d p o i n t : p r o d space m s g _ 0 enter {mark} R"),
        );
        let (n, shown) = sends(&mut state);
        assert!(n == 1 && shown.contains("prod           SEND"), "{shown}");
        let words = "1 marked, only where /endpoint:prod msg_0 means";
        assert!(shown.contains(words), "{shown}");
        // What is sent is what stood there.
        let sent = {
            press(&mut state, "enter");
            pass(&mut state, 3 * SECONDS)
        };
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].endpoint, EndpointId::new("ep_prod"));
    }
    // Marked again without a filter, it means every endpoint.
    let mut state = failing(2);
    let also = attempt("also", "msg_000", "ep_prod", 5, (410, "gone"), false);
    update(&mut state, Msg::Changed(vec![also]));
    press(&mut state, "* R");
    let all = sends(&mut state).0;
    press(&mut state, "esc esc");
    press(&mut state, "/ e n d p o i n t : p r o d enter *");
    press(&mut state, "/ esc");
    press(&mut state, "* R");
    let (n, shown) = sends(&mut state);
    assert_eq!(n, all, "{shown}");
    assert!(shown.contains("each only where it was meant"), "{shown}");
}

#[test]
fn what_came_since_the_plan_is_weighed_when_it_would_leave() {
    let mut state = failing(2);
    press(
        &mut state,
        "/ t y p e : t a s k . p r o g r e s s enter R enter",
    );
    let told = attempt("late", "msg_000", "ep_staging", 0, (204, ""), false);
    update(&mut state, Msg::Changed(vec![told]));
    let left = pass(&mut state, 3 * SECONDS);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].message, MessageId::new("msg_001"));
    end(&mut state, &left[0], 204);
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("1 passed over") && shown.contains("not sent: delivered"),
        "{shown}"
    );
}

#[test]
fn help_and_a_stop_of_the_program_take_back_what_is_about_to_leave() {
    let mut state = failing(3);
    press(&mut state, "* R space enter ?");
    assert_eq!(pass(&mut state, 60 * SECONDS), []);
    // The plan stands below the help as it was left.
    press(&mut state, "?");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("Enter send 3") && shown.contains("left out by you"),
        "{shown}"
    );
    press(&mut state, "enter");
    update(&mut state, Msg::Suspending);
    assert_eq!(pass(&mut state, 3600 * SECONDS), []);
    assert!(state.run.is_none() && state.history.replays.is_empty());
    press(&mut state, "esc");
    press(&mut state, "/ m s g _ f a i l e d enter r enter");
    update(&mut state, Msg::Suspending);
    assert_eq!(pass(&mut state, 3600 * SECONDS), []);
    assert!(state.history.replays.is_empty());
}

#[test]
fn a_row_that_is_back_at_the_plans_proposal_is_weighed_like_any_other() {
    let mut state = failing(1);
    press(&mut state, "/ m s g _ 0 enter R space space");
    let told = attempt("late", "msg_000", "ep_staging", 0, (204, ""), false);
    update(&mut state, Msg::Changed(vec![told]));
    let now = state.now;
    update(&mut state, Msg::Tick(now));
    press(&mut state, "enter");
    assert_eq!(pass(&mut state, 3 * SECONDS), []);
}

#[test]
fn what_was_delivered_is_not_among_many_whatever_came_of_a_later_try() {
    let mut state = failing(1);
    let later = [
        attempt("good", "msg_000", "ep_staging", 100, (204, ""), false),
        attempt("hand", "msg_000", "ep_staging", 50, (500, "no"), true),
    ];
    update(&mut state, Msg::Changed(later.into()));
    let id = MessageId::new("msg_000");
    let now = state.now.wall;
    let plan =
        reeltop::domain::bulk::plan_of_many(&state.history, Route::Server, &id, None, false, now);
    assert_eq!(plan.chosen().count(), 0, "{plan:?}");
}

#[test]
fn a_run_that_goes_on_is_not_frozen_and_a_stopped_one_says_so() {
    let mut state = failing(8);
    press(&mut state, "/ m s g _ 0 enter R enter");
    let mut open = pass(&mut state, 3 * SECONDS);
    press(&mut state, "esc f");
    assert!(state.frozen.is_none());
    for _ in 0..5 {
        let Some(request) = open.pop() else { break };
        open.extend(end(&mut state, &request, 500));
        open.extend(pass(&mut state, 200_000));
    }
    press(&mut state, "R");
    assert!(picture(&mut state, 120, 36).contains("Enter"));
    press(&mut state, "esc");
    let toast = state.toasts.back().map(|toast| toast.text.clone());
    assert!(toast.unwrap().contains("it is stopped and sends nothing"));
}

#[test]
fn what_the_service_tries_again_can_be_left_to_it() {
    let mut state = failing(0);
    press(&mut state, "R a");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("WAIT") && shown.contains("wait for 1"),
        "{shown}"
    );
    assert_eq!(press(&mut state, "enter"), []);
    assert!(state.run.is_none() && state.waits.len() == 1);
    pass(&mut state, 10 * SECONDS);
    assert!(picture(&mut state, 120, 36).contains("1 left to the service's own retry"));
    // Somebody's hand is not the retry.
    let by_hand = attempt("hand", "msg_failed", "ep_staging", 0, (500, ""), true);
    update(&mut state, Msg::Changed(vec![by_hand]));
    assert_eq!(state.waits.len(), 1);
    let retry = attempt("retry", "msg_failed", "ep_staging", 0, (500, ""), false);
    update(&mut state, Msg::Changed(vec![retry]));
    assert!(state.waits.is_empty());
    assert!(state.marks.has(&MessageId::new("msg_failed")));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("failed again; it is marked"), "{shown}");
}

#[test]
fn a_retry_that_did_not_come_in_an_hour_is_no_retry_to_leave_it_to() {
    let mut state = failing(0);
    pass(&mut state, 3 * 3600 * SECONDS);
    let said = |state: &State| state.toasts.back().map(|toast| toast.text.clone());
    press(&mut state, "R a");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("retry overdue") && !shown.contains("WAIT"),
        "{shown}"
    );
    let words = "the service tries none of them again by itself";
    assert_eq!(said(&state).as_deref(), Some(words));
    press(&mut state, "esc 3 / m s g _ f enter g r a");
    assert!(
        said(&state)
            .unwrap()
            .contains("tries nothing of what is chosen")
    );
    assert!(state.waits.is_empty());
    // By the service's clock it is still to come.
    let behind = ChangeKind::ServiceAhead(-3 * 3600 * SECONDS);
    update(&mut state, Msg::Changed(vec![change(0, behind)]));
    press(&mut state, "a");
    assert_eq!(state.waits.len(), 1, "{:?}", said(&state));
}

/// A world that waits for one retry, which is to be ended.
fn waiting() -> State {
    let mut state = failing(0);
    press(&mut state, "R a enter");
    pass(&mut state, 10 * SECONDS);
    assert_eq!(state.waits.len(), 1);
    state
}

#[test]
fn a_resend_that_delivers_is_not_told_as_the_services_own_retry() {
    let mut state = waiting();
    let by_hand = attempt("hand", "msg_failed", "ep_staging", 0, (204, ""), true);
    update(&mut state, Msg::Changed(vec![by_hand]));
    assert!(state.waits.is_empty());
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("delivered by a resend, the wait is over") && !shown.contains("own retry"),
        "{shown}"
    );
}

#[test]
fn a_wait_ends_where_no_retry_comes_any_more() {
    let others: Vec<EndpointId> = vec![EndpointId::new("ep_other")];
    let over = NextTry {
        message: MessageId::new("msg_failed"),
        endpoint: EndpointId::new("ep_staging"),
        after: last_at_staging(&waiting()),
        at: None,
    };
    let disabled = endpoint("ep_staging", "staging", "https://s.example", true);
    for (told, why) in [
        (disabled, "the endpoint is disabled"),
        (
            change(0, ChangeKind::EndpointsListed(others.into())),
            "the endpoint was deleted",
        ),
        (
            change(0, ChangeKind::NextTry(Box::new(over))),
            "the service plans no more attempts",
        ),
    ] {
        let mut state = waiting();
        update(&mut state, Msg::Changed(vec![told]));
        pass(&mut state, SECONDS);
        assert!(state.waits.is_empty(), "{why}");
        assert!(state.marks.has(&MessageId::new("msg_failed")), "{why}");
        let shown = picture(&mut state, 160, 36);
        assert!(shown.contains(why), "{why}: {shown}");
    }
    // What left memory ends it too, and nothing is marked that cannot be found.
    let mut state = waiting();
    state.history = History::default();
    pass(&mut state, SECONDS);
    assert!(state.waits.is_empty());
    let shown = picture(&mut state, 160, 36);
    assert!(shown.contains("the message left memory"), "{shown}");
}

#[test]
fn a_wait_ends_once_its_time_is_long_past() {
    for (is_by_hand, minutes, why) in [
        (
            true,
            10,
            "a manual attempt may have ended the service's retries",
        ),
        (
            false,
            60,
            "the retry did not come in the hour after its time",
        ),
    ] {
        let mut state = waiting();
        if is_by_hand {
            let by_hand = attempt("hand", "msg_failed", "ep_staging", 0, (500, ""), true);
            update(&mut state, Msg::Changed(vec![by_hand]));
        }
        let due = state.waits.next().unwrap();
        let late = due.since(state.now.wall) + minutes * 60 * SECONDS;
        pass(&mut state, late);
        assert_eq!(state.waits.len(), 1, "{why}");
        pass(&mut state, SECONDS);
        assert!(state.waits.is_empty(), "{why}");
        assert!(state.marks.has(&MessageId::new("msg_failed")), "{why}");
        let shown = picture(&mut state, 200, 36);
        assert!(shown.contains(why), "{why}: {shown}");
    }
}

fn last_at_staging(state: &State) -> AttemptId {
    let delivery = state.history.deliveries.get(&MessageId::new("msg_failed"));
    let outcome = delivery.and_then(|it| it.outcome(&EndpointId::new("ep_staging")));
    outcome.unwrap().last.clone()
}

#[test]
fn a_cause_an_endpoint_and_a_task_are_replayed_where_they_failed() {
    let sent = |keys: &str| {
        let mut state = failing(6);
        press(&mut state, keys);
        let mut sent = Vec::new();
        let mut open = pass(&mut state, 3 * SECONDS);
        while let Some(request) = open.pop() {
            open.extend(end(&mut state, &request, 204));
            open.extend(pass(&mut state, 200_000));
            assert_eq!(request.endpoint, EndpointId::new("ep_staging"));
            sent.push(request.message.to_string());
        }
        sent.sort();
        sent
    };
    let all = [
        "msg_000", "msg_001", "msg_002", "msg_003", "msg_004", "msg_005",
    ];
    assert_eq!(sent("e R enter"), all);
    assert_eq!(sent("4 G R enter").len(), 7);
    // Nothing to do is said, and opens nothing.
    let mut state = failing(0);
    press(&mut state, "4 g R");
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("nothing to replay"), "{shown}");
    press(&mut state, "1 R");
    assert!(picture(&mut state, 120, 36).contains("R replays many"));
}

#[test]
fn quitting_with_many_unsent_is_asked_for_twice_and_told_at_the_end() {
    for name in ["q", "ctrl-c"] {
        let mut state = failing(8);
        press(&mut state, "R enter");
        assert_eq!(pass(&mut state, 3 * SECONDS).len(), 1);
        press(&mut state, "esc");
        assert_eq!(press(&mut state, name), []);
        let shown = picture(&mut state, 120, 36);
        assert!(
            shown.contains("8 replays are not sent yet") || shown.contains("8 not sent yet"),
            "{shown}"
        );
        assert_eq!(press(&mut state, name), [Effect::Quit]);
        let told = state.open_replays();
        assert!(
            told.iter()
                .any(|line| line.contains("8 replays were not sent")),
            "{told:?}"
        );
    }
}

#[test]
fn what_a_look_before_its_request_speaks_against_is_no_failure() {
    let mut state = failing(9);
    press(&mut state, "* R enter enter");
    let mut open = pass(&mut state, 3 * SECONDS);
    let mut n_told = 0;
    // More than stop a run if they failed.
    while n_told < 10 {
        open.extend(pass(&mut state, SECONDS));
        let request = open.pop().unwrap();
        let why = Stage::Cancelled("delivered meanwhile, by attempt x".to_owned());
        open.extend(tell(&mut state, &request, why));
        n_told += 1;
    }
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("10 passed over") && shown.contains("not sent: delivered meanwhile"),
        "{shown}"
    );
}
