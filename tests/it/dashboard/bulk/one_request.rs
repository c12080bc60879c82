//! Svix's bulk-replay as a route of a plan of many: what failed of the types that were chosen.

use reeltop::app::{Effect, Msg, State, SweepRequest, update};
use reeltop::domain::bulk::{Takes, Tried};
use reeltop::domain::{Ability, ChangeKind, EndpointId, Offer, Route};

use super::routes::{failing_here, leaving, offering_all};
use super::{SECONDS, end};
use crate::support::{attempt, change, message, picture, press};

const DAY: i64 = 24 * 3600 * SECONDS;

fn offered() -> Ability {
    Ability::Offered("POST".into())
}

/// So many of one type that failed at an endpoint, and two messages of another type there.
fn failing_of_two_types(n: usize, bulk: Ability) -> State {
    let offers = [(Offer::Recover, offered()), (Offer::BulkReplay, bulk)];
    let mut state = offering_all(failing_here(n), offers);
    tell_of(&mut state, "msg_other", "task.failed");
    state
}

fn tell_of(state: &mut State, id: &str, kind: &str) {
    let told = message(id, 900, kind, 2, 3, "{}");
    let failed = attempt(
        &format!("atmpt_{id}"),
        id,
        "ep_staging",
        2,
        (500, "no"),
        false,
    );
    update(state, Msg::Changed(vec![told, failed]));
}

fn swept(mut effects: Vec<Effect>) -> SweepRequest {
    let Some(Effect::Sweep(request)) = effects.pop() else {
        panic!("nothing leaves");
    };
    assert_eq!(effects, []);
    request
}

#[test]
fn what_failed_of_the_chosen_types_is_sent_by_one_request() {
    let mut state = failing_of_two_types(5, offered());
    press(&mut state, "R p p");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("Svix's recover, one request"), "{plan}");
    assert!(plan.contains("Enter send 7"), "{plan}");
    press(&mut state, "p");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("Svix's bulk-replay, one request"), "{plan}");
    assert!(
        plan.contains("everything of task.progress that failed there since"),
        "{plan}"
    );
    assert!(
        plan.contains("Enter send 5") && !plan.contains("Space choose"),
        "{plan}"
    );
    press(&mut state, "space");
    assert!(picture(&mut state, 120, 36).contains("none can be left out"));
    press(&mut state, "enter");
    // What fails there meanwhile is sent too where it is of these types.
    tell_of(&mut state, "msg_new", "task.progress");
    tell_of(&mut state, "msg_new_other", "task.failed");
    let request = swept(leaving(&mut state, 3 * SECONDS));
    assert_eq!(request.asked.endpoint, EndpointId::new("ep_staging"));
    let takes = Takes::Tried {
        event_types: vec!["task.progress".to_owned()],
        outcome: Some(Tried::Failed),
    };
    assert_eq!(request.asked.takes, takes);
    let mut ids: Vec<String> = request
        .replays
        .iter()
        .map(|it| it.message.to_string())
        .collect();
    ids.retain(|id| !id.starts_with("msg_0"));
    assert_eq!(
        (request.replays.len(), ids),
        (6, vec!["msg_new".to_owned()])
    );
    for replay in &request.replays {
        assert_eq!(replay.route, Route::Bulk);
        assert_eq!(end(&mut state, replay, 204), []);
    }
    assert_eq!(leaving(&mut state, 60 * SECONDS), []);
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("6 sent · ✓ 6 delivered"), "{shown}");
}

#[test]
fn it_goes_further_back_than_recover_which_is_passed_by_with_the_reason() {
    let mut state = failing_of_two_types(3, offered());
    leaving(&mut state, 15 * DAY);
    press(&mut state, "R p p");
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("recover is no route here: it goes back 14 days"),
        "{plan}"
    );
    assert!(plan.contains("Svix's bulk-replay, one request"), "{plan}");
    press(&mut state, "p");
    assert!(picture(&mut state, 120, 36).contains("by the server's resend"));
}

#[test]
fn how_far_back_recover_goes_is_by_the_clock_of_the_service() {
    let mut state = failing_of_two_types(3, offered());
    let behind = ChangeKind::ServiceAhead(-2 * DAY);
    update(&mut state, Msg::Changed(vec![change(0, behind)]));
    leaving(&mut state, 15 * DAY);
    press(&mut state, "R p p");
    let plan = picture(&mut state, 120, 36);
    assert!(!plan.contains("goes back 14 days"), "{plan}");
    assert!(plan.contains("Svix's recover, one request"), "{plan}");
}

#[test]
fn where_it_is_not_offered_the_reason_is_said_and_no_request_is_made() {
    let absent = Ability::Absent("this server does not offer bulk-replay".into());
    let mut state = failing_of_two_types(3, absent);
    press(&mut state, "R p p p");
    let plan = picture(&mut state, 120, 36);
    assert!(plan.contains("does not offer bulk-replay"), "{plan}");
    assert!(plan.contains("by the server's resend"), "{plan}");
}

#[test]
fn what_is_to_be_known_before_is_in_sight_on_a_small_screen_too_or_said_to_be_more() {
    let mut state = failing_of_two_types(9, offered());
    // One is left out, which the request sends all the same.
    press(&mut state, "R j space p p p");
    let plan = picture(&mut state, 80, 24);
    for words in [
        "what else is sent is not followed",
        "you left 1 of them out",
        "Enter send 9",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    assert!(!plan.contains("a larger window"), "{plan}");
    let plan = picture(&mut state, 60, 16);
    assert!(plan.contains("which a larger window shows"), "{plan}");
    assert!(plan.contains("task.progress"), "{plan}");
    // Few rows leave room for it.
    let mut state = failing_of_two_types(1, offered());
    press(&mut state, "R p p p");
    let plan = picture(&mut state, 80, 24);
    assert!(plan.contains("what else is sent is not followed"), "{plan}");
    assert!(plan.contains("Enter send 1"), "{plan}");
}
