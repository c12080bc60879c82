//! A service that asks to be left alone, and what goes first where much was tried before.

use reeltop::app::bulk::run::Phase;
use reeltop::app::{Effect, Msg, ReplayRequest, State, SweepRequest, update};
use reeltop::domain::{Change, ChangeKind, Failure, FailureKind, Replay, ReplayState, Stage};

use super::routes::{failing_here, leaving, offered};
use super::{SECONDS, end, failing, pass, requests, tell};
use crate::support::{attempt, change, message, picture, press};

/// The service will not hear of it for so many seconds.
pub fn put_off(state: &mut State, request: &ReplayRequest, seconds: i64) -> Vec<ReplayRequest> {
    let mut left = tell(state, request, Stage::Sending { before: [].into() });
    let mut failure = Failure::new(FailureKind::RateLimited, "429", "too many requests");
    failure.wait = Some(seconds * SECONDS);
    left.extend(tell(state, request, Stage::Refused(failure)));
    left
}

fn names(requests: &[ReplayRequest]) -> Vec<String> {
    requests.iter().map(|it| it.message.to_string()).collect()
}

/// The ledger tells of what it holds of a replay.
fn from_ledger(state: &State, request: &ReplayRequest) -> Change {
    let known: Replay = state.history.replays.get(request.number).unwrap().clone();
    let refused = Failure::new(FailureKind::Local, "429", "");
    let told = Replay {
        state: ReplayState::Refused(refused),
        ..known
    };
    change(0, ChangeKind::Ledger(Box::new(told)))
}

#[test]
fn a_service_that_asks_for_it_is_left_alone_and_that_is_no_failure() {
    let mut state = failing(9);
    press(&mut state, "/ m s g _ 0 enter R enter");
    let mut open = pass(&mut state, 3 * SECONDS);
    for _ in 0..3 {
        open.extend(pass(&mut state, 200_000));
    }
    assert_eq!(names(&open), ["msg_000", "msg_001", "msg_002"]);
    for round in 1..=3 {
        // The ledger may tell of a refusal before its sender does.
        let told = from_ledger(&state, &open[0]);
        let left = reeltop::app::update(&mut state, reeltop::app::Msg::Changed(vec![told]));
        assert_eq!(requests(left), []);
        for request in &open {
            assert_eq!(put_off(&mut state, request, 7), [], "round {round}");
        }
        let shown = picture(&mut state, 120, 36);
        assert!(
            shown.contains("the service asks to wait until 14:0")
                && shown.contains("(429), 7s more;"),
            "{shown}"
        );
        assert!(
            shown.contains("0 sent") && shown.contains("9 left"),
            "{shown}"
        );
        assert_eq!(pass(&mut state, 7 * SECONDS - 1), []);
        open = pass(&mut state, 1);
        open.extend(pass(&mut state, 200_000));
        open.extend(pass(&mut state, 200_000));
        // The oldest goes first again, and each has a replay of its own.
        assert_eq!(names(&open), ["msg_000", "msg_001", "msg_002"]);
    }
    while let Some(request) = open.pop() {
        open.extend(end(&mut state, &request, 204));
        open.extend(pass(&mut state, 200_000));
    }
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("9 sent · ✓ 9 delivered"), "{shown}");
}

#[test]
fn one_that_asks_for_too_long_stops_it_until_somebody_waits_for_that() {
    let mut state = failing(9);
    press(&mut state, "/ m s g _ 0 enter R enter");
    let open = pass(&mut state, 3 * SECONDS);
    assert_eq!(put_off(&mut state, &open[0], 90), []);
    let is_stopped = |state: &State| state.run.as_ref().unwrap().phase == Phase::Stopped;
    assert!(is_stopped(&state));
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("stopped: the service asks to wait, by now for more than 60s in all (429); 9 are not sent; until 14:0"),
        "{shown}"
    );
    assert_eq!(pass(&mut state, 30 * SECONDS), []);
    picture(&mut state, 120, 36);
    assert_eq!(press(&mut state, "enter"), []);
    assert!(!is_stopped(&state));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("(429), 60s more;"), "{shown}");
    assert_eq!(pass(&mut state, 60 * SECONDS - 1), []);
    let left = pass(&mut state, 1);
    assert_eq!(names(&left), ["msg_000"]);
    // A minute of refusals in all is enough as well.
    let mut open = left;
    for _ in 0..9 {
        let request = open.pop().unwrap();
        put_off(&mut state, &request, 7);
        if is_stopped(&state) {
            return;
        }
        open = pass(&mut state, 7 * SECONDS);
    }
    panic!("it goes on for ever");
}

/// The one request that leaves, if it does.
fn recovered(effects: Vec<Effect>) -> Option<SweepRequest> {
    let mut all = effects.into_iter().map(|effect| match effect {
        Effect::Sweep(request) => request,
        other => panic!("{other:?}"),
    });
    let first = all.next();
    assert_eq!(all.next(), None);
    first
}

#[test]
fn a_recovery_that_is_put_off_is_asked_for_again_once_and_as_a_whole() {
    let mut state = offered(failing_here(5));
    press(&mut state, "R p p enter");
    let request = recovered(leaving(&mut state, 3 * SECONDS)).unwrap();
    let n = request.replays.len();
    assert!(n > 1);
    for replay in &request.replays {
        // However they are told: nothing leaves before all of them are.
        assert_eq!(put_off(&mut state, replay, 7), []);
    }
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("the service asks to wait until 14:0") && shown.contains("(429), 7s more;"),
        "{shown}"
    );
    assert!(
        shown.contains("0 sent") && shown.contains(&format!("{n} left")),
        "{shown}"
    );
    // What fails there meanwhile is sent too, so that it stands there and is followed.
    let other = attempt("atmpt_x", "msg_later", "ep_staging", 2, (500, "no"), false);
    let later = message("msg_later", 900, "task.failed", 2, 3, "{}");
    update(&mut state, Msg::Changed(vec![later, other]));
    assert_eq!(leaving(&mut state, 7 * SECONDS - 1), []);
    let again = recovered(leaving(&mut state, 1)).unwrap();
    assert_eq!(
        (&again.asked.endpoint, again.asked.since),
        (&request.asked.endpoint, request.asked.since)
    );
    assert_eq!(again.replays.len(), n + 1);
    let is_new = |it: &ReplayRequest| {
        request
            .replays
            .iter()
            .all(|before| before.number != it.number)
    };
    assert!(again.replays.iter().all(is_new));
    for replay in &again.replays {
        assert_eq!(end(&mut state, replay, 204), []);
    }
    assert_eq!(leaving(&mut state, 60 * SECONDS), []);
    let shown = picture(&mut state, 120, 36);
    let all = format!("{0} sent · ✓ {0} delivered", n + 1);
    assert!(shown.contains(&all), "{shown}");
}

#[test]
fn a_recovery_that_is_put_off_for_too_long_waits_for_somebodys_word() {
    let mut state = offered(failing_here(5));
    press(&mut state, "R p p enter");
    let request = recovered(leaving(&mut state, 3 * SECONDS)).unwrap();
    for replay in &request.replays {
        put_off(&mut state, replay, 90);
    }
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("stopped: the service asks to wait, by now for more than 60s"),
        "{shown}"
    );
    assert_eq!(leaving(&mut state, 100 * SECONDS), []);
    picture(&mut state, 120, 36);
    let again = recovered(press(&mut state, "enter")).unwrap();
    assert_eq!(again.replays.len(), request.replays.len());
    for replay in &again.replays {
        put_off(&mut state, replay, 7);
    }
    // It is cancelled while it waits.
    press(&mut state, "u u");
    assert_eq!(leaving(&mut state, 60 * SECONDS), []);
    assert!(!state.run.as_ref().unwrap().is_active());
}

#[test]
fn a_new_bulk_begins_with_what_was_not_tried_yet() {
    let mut state = failing(9);
    press(&mut state, "/ m s g _ 0 enter R enter");
    let mut open = pass(&mut state, 3 * SECONDS);
    let mut tried = Vec::new();
    while let Some(request) = open.pop() {
        tried.push(request.message.to_string());
        open.extend(end(&mut state, &request, 500));
        open.extend(pass(&mut state, 200_000));
    }
    assert_eq!(tried.len(), 5, "{tried:?}");
    picture(&mut state, 120, 36);
    press(&mut state, "u u");
    pass(&mut state, SECONDS);
    press(&mut state, "r");
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("5 of them were tried by an earlier replay: they go last"),
        "{plan}"
    );
    press(&mut state, "enter");
    let run = state.run.as_ref().unwrap();
    let rows: Vec<String> = run
        .rows()
        .iter()
        .map(|it| it.job.message.to_string())
        .collect();
    // What one task has keeps its order, so that a whole task goes last where any of it was tried.
    let is_tried = |id: &&String| tried.contains(id);
    let task = |id: &String| id[4..].parse::<usize>().unwrap() % 3;
    let untried_tasks = (0..3).filter(|it| !tried.iter().any(|id| task(id) == *it));
    let n_first = untried_tasks.count() * 3;
    assert_eq!(rows.len(), 9);
    assert_eq!(
        rows.iter().take(n_first).filter(is_tried).count(),
        0,
        "{rows:?}"
    );
    for of_task in 0..3 {
        let of_task: Vec<&String> = rows.iter().filter(|id| task(id) == of_task).collect();
        assert!(of_task.is_sorted(), "{rows:?}");
    }
}
