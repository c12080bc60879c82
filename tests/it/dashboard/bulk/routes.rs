//! The routes of a plan of many: each sends what stood in its own plan, by itself and no other.

use reeltop::app::{Effect, Msg, PostRequest, State, SweepRequest, update};
use reeltop::domain::bulk::Takes;
use reeltop::domain::{
    Abilities, Ability, ChangeKind, EndpointId, MessageId, Offer, ReplayState, Reply, Route, Stage,
};

use super::{SECONDS, end, failing, pass, requests, tell};
use crate::support::{attempt, change, endpoint, picture, press};

const HERE: &str = "http://127.0.0.1:9/hooks";

/// So many failed at an endpoint on this machine, and the list shows these alone.
pub fn failing_here(n: usize) -> State {
    let mut state = failing(n);
    let here = endpoint("ep_staging", "staging", HERE, false);
    update(&mut state, Msg::Changed(vec![here]));
    press(&mut state, "/ t y p e : t a s k . p r o g r e s s enter");
    state
}

fn offering(state: State, recover: Option<Ability>) -> State {
    let offers = recover.map(|ability| (Offer::Recover, ability));
    offering_all(state, offers)
}

pub fn offering_all(mut state: State, offers: impl IntoIterator<Item = (Offer, Ability)>) -> State {
    let mut abilities = Abilities::clone(&state.history.abilities);
    abilities.offers = offers.into_iter().collect();
    let learned = change(0, ChangeKind::Abilities(Box::new(abilities)));
    update(&mut state, Msg::Changed(vec![learned]));
    state
}

pub fn offered(state: State) -> State {
    offering(state, Some(Ability::Offered("POST /recover".into())))
}

/// Lets time pass, and gives everything that leaves then.
pub fn leaving(state: &mut State, micros: i64) -> Vec<Effect> {
    let mut now = state.now;
    now.mono += micros;
    now.wall = reeltop::domain::Time(now.wall.0 + micros);
    update(state, Msg::Tick(now))
}

fn posts(effects: Vec<Effect>) -> Vec<PostRequest> {
    let posted = effects.into_iter().map(|effect| match effect {
        Effect::PostHere(request) => request,
        other => panic!("{other:?}"),
    });
    posted.collect()
}

#[test]
fn many_are_posted_from_here_and_five_failures_in_a_row_stop_them() {
    let mut state = failing_here(9);
    press(&mut state, "R p");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("by a POST from here, signed anew"), "{plan}");
    assert!(
        plan.contains("Enter send 9") && plan.contains("p another route"),
        "{plan}"
    );
    assert!(plan.contains("again by itself all the same"), "{plan}");
    assert_eq!(press(&mut state, "enter"), []);
    let mut open = posts(leaving(&mut state, 3 * SECONDS));
    let mut n_sent = 0;
    while let Some(request) = open.pop() {
        n_sent += 1;
        assert_eq!(&*request.url, HERE);
        assert_eq!(&*request.body, b"{}");
        assert_eq!(request.replay.route, Route::Local);
        tell(
            &mut state,
            &request.replay,
            Stage::Sending { before: [].into() },
        );
        let reply = Reply {
            code: 500,
            duration_ms: 3,
        };
        assert_eq!(
            tell(&mut state, &request.replay, Stage::Answered(reply)),
            []
        );
        open.extend(posts(leaving(&mut state, 200_000)));
    }
    assert_eq!(n_sent, 5);
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("stopped: 5 in a row failed; 4 are not sent"),
        "{shown}"
    );
}

#[test]
fn what_is_not_on_this_machine_is_not_posted_from_here() {
    let mut state = failing(3);
    let far = endpoint("ep_staging", "staging", "https://hooks.example/", false);
    update(&mut state, Msg::Changed(vec![far]));
    press(&mut state, "* R p");
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("CANNOT") && !plan.contains("Enter send"),
        "{plan}"
    );
    assert_eq!(press(&mut state, "enter"), []);
    assert_eq!(leaving(&mut state, 60 * SECONDS), []);
}

#[test]
fn without_recover_the_routes_are_two_and_the_reason_is_said() {
    for (ability, why) in [
        (None, "deliveries are not read from a Svix server here"),
        (
            Some(Ability::Absent("this server does not offer recover".into())),
            "does not offer recover",
        ),
        (Some(Ability::Unknown), "not known yet"),
    ] {
        let mut state = offering(failing_here(3), ability);
        press(&mut state, "R p p");
        let plan = picture(&mut state, 120, 36);
        assert!(plan.contains(why), "{plan}");
        assert!(plan.contains("by the server's resend"), "{plan}");
    }
}

#[test]
fn one_request_recovers_everything_that_failed_since_the_oldest() {
    let mut state = offered(failing_here(5));
    // One that is not asked for failed since; it will be sent as well, so that it stands there too.
    let other = attempt("atmpt_x", "msg_later", "ep_staging", 2, (500, "no"), false);
    let later = crate::support::message("msg_later", 900, "task.failed", 2, 3, "{}");
    update(&mut state, Msg::Changed(vec![later, other]));
    press(&mut state, "R p p");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("everything that failed at staging"), "{plan}");
    assert!(plan.contains("Svix's recover, one request"), "{plan}");
    // Somebody else gives the endpoint another name.
    let renamed = endpoint("ep_staging", "stage2", HERE, false);
    update(&mut state, Msg::Changed(vec![renamed]));
    pass(&mut state, SECONDS);
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("everything that failed at stage2"), "{plan}");
    let n = state.history.deliveries.newest().filter(|delivery| {
        let outcome = delivery.outcome(&EndpointId::new("ep_staging"));
        outcome.is_some_and(|outcome| outcome.state == reeltop::domain::OutcomeState::Failed)
    });
    let n = n.count();
    assert!(
        n > 5 && plan.contains(&format!("Enter send {n}")),
        "{n} {plan}"
    );
    press(&mut state, "space");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("none can be left out"), "{plan}");
    press(&mut state, "enter");
    let mut effects = leaving(&mut state, 3 * SECONDS);
    let Some(Effect::Sweep(SweepRequest { asked, replays })) = effects.pop() else {
        panic!("{effects:?}");
    };
    assert_eq!(effects, []);
    assert_eq!(asked.endpoint, EndpointId::new("ep_staging"));
    assert_eq!(asked.takes, Takes::Failed);
    assert_eq!(replays.len(), n);
    assert!(
        replays
            .iter()
            .any(|replay| replay.message == MessageId::new("msg_later"))
    );
    for replay in &replays {
        let held = state.history.deliveries.get(&replay.message).unwrap();
        assert!(held.time() >= asked.since, "{replay:?}");
        assert_eq!(replay.route, Route::Recover);
    }
    // All are under way at once, and nothing else leaves whatever becomes of them.
    for replay in &replays {
        assert_eq!(end(&mut state, replay, 500), []);
        assert_eq!(pass(&mut state, SECONDS), []);
    }
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains(&format!("{n} sent")), "{shown}");
    assert!(!state.run.as_ref().unwrap().is_active(), "{shown}");
}

fn counted(picture: &str, word: &str) -> usize {
    picture.lines().filter(|line| line.contains(word)).count()
}

#[test]
fn what_was_left_out_stays_left_out_by_every_route_that_asks_for_each() {
    let mut state = offered(failing_here(9));
    // The second is left out, the third is sent after all.
    press(&mut state, "R j space space k space");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("Enter send 8"), "{plan}");
    press(&mut state, "p");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("POST from here"), "{plan}");
    assert!(
        plan.contains("Enter send 8") && plan.contains("1 left out by you"),
        "{plan}"
    );
    // One more is left out here.
    press(&mut state, "j j j space");
    // A recovery sends them all the same, and says so.
    press(&mut state, "p");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("you left 2 of them out"), "{plan}");
    assert_eq!(counted(&plan, "left out by you, yet sent"), 2);
    press(&mut state, "p");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("by the server's resend"), "{plan}");
    assert!(
        plan.contains("Enter send 7") && plan.contains("2 left out by you"),
        "{plan}"
    );
    press(&mut state, "enter");
    let run = state.run.as_ref().unwrap();
    assert_eq!(run.rows().len(), 7);
    // Taken back, it stands there as it was left.
    press(&mut state, "u p p");
    assert!(picture(&mut state, 120, 36).contains("you left 2 of them out"));
}

#[test]
fn what_is_left_to_its_own_retry_stays_so_by_another_route() {
    let mut state = failing_here(9);
    press(&mut state, "R a");
    let waiting = counted(&picture(&mut state, 120, 36), "WAIT");
    assert!(waiting > 0);
    press(&mut state, "p");
    assert_eq!(counted(&picture(&mut state, 120, 36), "WAIT"), waiting);
    press(&mut state, "p");
    assert_eq!(counted(&picture(&mut state, 120, 36), "WAIT"), waiting);
    // Taken back here, it is so there.
    press(&mut state, "a p");
    assert_eq!(counted(&picture(&mut state, 120, 36), "WAIT"), 0);
}

#[test]
fn what_was_chosen_though_it_is_superseded_stays_chosen_by_another_route() {
    let mut state = failing_here(3);
    // The newest of the task got there, so that an older one is superseded.
    let newer = crate::support::message("msg_newer", 900, "task.completed", 2, 3, "{}");
    let there = attempt("atmpt_n", "msg_newer", "ep_staging", 2, (204, ""), false);
    update(&mut state, Msg::Changed(vec![newer, there]));
    press(&mut state, "R");
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("Enter send 2") && plan.contains("1 skipped"),
        "{plan}"
    );
    press(&mut state, "space");
    assert!(picture(&mut state, 120, 36).contains("Enter send 3"));
    press(&mut state, "p");
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("POST from here") && plan.contains("Enter send 3"),
        "{plan}"
    );
}

#[test]
fn what_was_left_out_does_not_widen_a_recovery() {
    let mut state = offered(failing_here(5));
    press(&mut state, "R space p p enter");
    let plan = picture(&mut state, 120, 36);
    assert!(!plan.contains("you left"), "{plan}");
    let effects = leaving(&mut state, 3 * SECONDS);
    let [Effect::Sweep(request)] = &effects[..] else {
        panic!("{effects:?}");
    };
    let oldest = state.history.deliveries.get(&MessageId::new("msg_000"));
    assert!(request.asked.since > oldest.unwrap().time());
    // With nothing left to send there is nothing to recover.
    let mut state = offered(failing_here(5));
    press(&mut state, "R * p p");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("every row is left out"), "{plan}");
}

#[test]
fn a_recovery_whose_request_is_not_made_is_not_said_to_be_sent() {
    let mut state = offered(failing_here(3));
    press(&mut state, "R p p enter");
    let effects = leaving(&mut state, 3 * SECONDS);
    let [Effect::Sweep(request)] = &effects[..] else {
        panic!("{effects:?}");
    };
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("the request is not made yet"), "{shown}");
    press(&mut state, "u");
    let said = state.toasts.back().map(|toast| toast.text.clone());
    let said = said.unwrap_or_default();
    assert!(
        said.starts_with("the request is not made yet") && !said.contains("all of it is sent"),
        "{said}"
    );
    for replay in &request.replays {
        tell(&mut state, replay, Stage::Sending { before: [].into() });
    }
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("the service alone sends them"), "{shown}");
    press(&mut state, "u");
    let said = state.toasts.back().map(|toast| toast.text.clone());
    assert_eq!(
        said.as_deref(),
        Some("all of it is sent: nothing can be taken back")
    );
}

#[test]
fn one_that_cannot_be_sent_speaks_against_the_whole_recovery() {
    let mut state = offered(failing_here(3));
    // Under way by another hand before the plan.
    let open = reeltop::app::ReplayRequest {
        number: 77,
        message: MessageId::new("msg_001"),
        endpoint: EndpointId::new("ep_staging"),
        route: Route::Server,
        grounds: reeltop::domain::Grounds::default(),
    };
    press(&mut state, "R p p");
    tell(&mut state, &open, Stage::Planned);
    leaving(&mut state, SECONDS);
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("nothing can be recovered") && !plan.contains("Enter send"),
        "{plan}"
    );
    assert_eq!(press(&mut state, "enter"), []);
    assert_eq!(leaving(&mut state, 60 * SECONDS), []);
    assert!(state.run.is_none());
}

#[test]
fn what_comes_while_it_can_be_taken_back_counts_at_the_last_moment() {
    // Delivered meanwhile: the service leaves it alone, and the rest is recovered.
    let mut state = offered(failing_here(3));
    press(&mut state, "R p p enter");
    let delivered = attempt("atmpt_y", "msg_001", "ep_staging", 0, (204, ""), false);
    update(&mut state, Msg::Changed(vec![delivered]));
    let effects = leaving(&mut state, 3 * SECONDS);
    let [Effect::Sweep(request)] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert!(
        request
            .replays
            .iter()
            .all(|it| it.message != MessageId::new("msg_001"))
    );
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("1 passed over"), "{shown}");

    // Disabled meanwhile: nothing is sent.
    let mut state = offered(failing_here(3));
    press(&mut state, "R p p enter");
    let disabled = endpoint("ep_staging", "staging", HERE, true);
    update(&mut state, Msg::Changed(vec![disabled]));
    assert_eq!(leaving(&mut state, 3 * SECONDS), []);
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("nothing was recovered"), "{shown}");
    assert!(state.history.replays.is_empty());
}

#[test]
fn what_could_not_be_sent_for_a_while_is_followed_with_the_rest() {
    let mut state = offered(failing_here(3));
    let other = reeltop::app::ReplayRequest {
        number: 77,
        message: MessageId::new("msg_001"),
        endpoint: EndpointId::new("ep_staging"),
        route: Route::Server,
        grounds: reeltop::domain::Grounds::default(),
    };
    press(&mut state, "R p p");
    tell(&mut state, &other, Stage::Planned);
    leaving(&mut state, SECONDS);
    assert!(picture(&mut state, 120, 36).contains("nothing can be recovered"));
    tell(&mut state, &other, Stage::Cancelled("taken back".into()));
    leaving(&mut state, SECONDS);
    picture(&mut state, 120, 36);
    press(&mut state, "enter");
    let effects = leaving(&mut state, 3 * SECONDS);
    let [Effect::Sweep(request)] = &effects[..] else {
        panic!("{effects:?}");
    };
    let mut sent = request.replays.iter();
    assert!(
        sent.any(|it| it.message == MessageId::new("msg_001")),
        "{request:?}"
    );
}

#[test]
fn what_fails_before_the_request_is_made_is_followed_with_the_rest() {
    let mut state = offered(failing_here(3));
    press(&mut state, "R p p enter");
    let later = crate::support::message("msg_later", 900, "task.failed", 2, 3, "{}");
    let failed = attempt("atmpt_x", "msg_later", "ep_staging", 2, (500, "no"), false);
    update(&mut state, Msg::Changed(vec![later, failed]));
    let effects = leaving(&mut state, 3 * SECONDS);
    let [Effect::Sweep(request)] = &effects[..] else {
        panic!("{effects:?}");
    };
    let sent: Vec<&MessageId> = request.replays.iter().map(|it| &it.message).collect();
    assert!(sent.contains(&&MessageId::new("msg_later")), "{sent:?}");
    assert_eq!(state.run.as_ref().unwrap().score.under_way, sent.len());
    for replay in &request.replays {
        end(&mut state, replay, 204);
    }
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains(&format!("✓ {} delivered", sent.len())),
        "{shown}"
    );
}

#[test]
fn an_attempt_under_way_or_an_open_replay_there_stops_a_recovery() {
    // A retry that began after the plan may fail yet, and the service would send it then.
    let mut state = offered(failing_here(3));
    press(&mut state, "R p p enter");
    let under_way = attempt("atmpt_z", "msg_001", "ep_staging", 0, (0, ""), false);
    update(&mut state, Msg::Changed(vec![sending(under_way)]));
    assert_eq!(leaving(&mut state, 3 * SECONDS), []);
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("under way there, which may fail yet"),
        "{shown}"
    );

    // A replay of another message there may fail yet too.
    let mut state = offered(failing_here(3));
    let other = reeltop::app::ReplayRequest {
        number: 77,
        message: MessageId::new("msg_elsewhere"),
        endpoint: EndpointId::new("ep_staging"),
        route: Route::Server,
        grounds: reeltop::domain::Grounds::default(),
    };
    press(&mut state, "R p p");
    tell(&mut state, &other, Stage::Planned);
    leaving(&mut state, SECONDS);
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("nothing can be recovered") && !plan.contains("Enter send"),
        "{plan}"
    );
    press(&mut state, "enter");
    assert_eq!(leaving(&mut state, 60 * SECONDS), []);
}

#[test]
fn what_was_posted_to_its_url_may_have_arrived_and_is_not_sent_there_again() {
    let mut state = failing_here(3);
    let posted = reeltop::app::ReplayRequest {
        number: 78,
        message: MessageId::new("msg_001"),
        endpoint: EndpointId::new(HERE),
        route: Route::Local,
        grounds: reeltop::domain::Grounds::default(),
    };
    tell(&mut state, &posted, Stage::Sending { before: [].into() });
    tell(
        &mut state,
        &posted,
        Stage::Unknown("the connection broke".into()),
    );
    for keys in ["R", "p"] {
        press(&mut state, keys);
        let plan = picture(&mut state, 120, 36);
        assert!(
            plan.contains("1 cannot be sent") && plan.contains("is open"),
            "{plan}"
        );
    }
}

#[test]
fn what_was_accepted_before_but_tried_since_is_followed_too() {
    let mut state = offered(failing_here(3));
    let old = crate::support::message("msg_old", 901, "task.failed", 2, 900, "{}");
    let late = attempt("atmpt_old", "msg_old", "ep_staging", 5, (500, "no"), false);
    update(&mut state, Msg::Changed(vec![old, late]));
    press(&mut state, "R p p enter");
    let effects = leaving(&mut state, 3 * SECONDS);
    let [Effect::Sweep(request)] = &effects[..] else {
        panic!("{effects:?}");
    };
    let mut sent = request.replays.iter();
    assert!(
        sent.any(|it| it.message == MessageId::new("msg_old")),
        "{request:?}"
    );
}

/// The same attempt before its end.
fn sending(mut told: reeltop::domain::Change) -> reeltop::domain::Change {
    if let ChangeKind::Attempt(attempt) = &mut told.kind {
        attempt.status = reeltop::domain::AttemptStatus::Sending;
    }
    told
}

#[test]
fn an_unknown_recovery_is_looked_for_no_longer_than_others() {
    let mut state = offered(failing_here(2));
    press(&mut state, "R p p enter");
    let effects = leaving(&mut state, 3 * SECONDS);
    let [Effect::Sweep(request)] = &effects[..] else {
        panic!("{effects:?}");
    };
    for replay in &request.replays {
        tell(&mut state, replay, Stage::Sending { before: [].into() });
        tell(
            &mut state,
            replay,
            Stage::Unknown("the connection broke".into()),
        );
    }
    assert_eq!(requests(leaving(&mut state, 61 * SECONDS)), []);
    let run = state.run.as_ref().unwrap();
    assert!(!run.is_active());
    assert_eq!(run.score.unknown, request.replays.len());
    let states = state.history.replays.all();
    assert!(
        states
            .into_iter()
            .all(|it| matches!(it.state, ReplayState::Unknown(_)))
    );
}
