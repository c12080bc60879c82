//! When the service tries again what is in the plan: asked as it opens, and an estimate until then.

use reeltop::app::{Effect, Msg, Sight, Sighted, State, update};
use reeltop::domain::{
    AttemptId, ChangeKind, EndpointId, Failure, FailureKind, NextAsked, NextTry, Time,
};

use super::{SECONDS, failing, pass};
use crate::support::{change, key, picture, press};

/// A world with so many that failed, read from a server that says when it tries again.
fn told_by_svix(n: usize) -> State {
    let mut state = failing(n);
    state.session.deliveries_from = Some("Svix at svix.example".to_owned());
    press(&mut state, "/ m s g _ 0 enter");
    state
}

fn asked(effects: Vec<Effect>) -> Vec<NextAsked> {
    let asked = effects.into_iter().map(|effect| match effect {
        Effect::Look(Sight::Next(asked)) => asked,
        other => panic!("{other:?}"),
    });
    asked.collect()
}

/// The service says when it tries one again, or that it does not.
fn says(state: &mut State, asked: &NextAsked, at: Option<Time>) {
    let number = asked.message.to_string().split_off(4);
    let next = NextTry {
        message: asked.message.clone(),
        endpoint: EndpointId::new("ep_staging"),
        after: AttemptId::new(&format!("atmpt_{number}")),
        at,
    };
    let told = change(0, ChangeKind::NextTry(Box::new(next)));
    update(state, Msg::Changed(vec![told]));
}

fn answered(
    state: &mut State,
    asked: &NextAsked,
    told: Result<Sighted, Failure>,
) -> Vec<NextAsked> {
    let sight = Sight::Next(asked.clone());
    self::asked(update(state, Msg::Told { sight, told }))
}

#[test]
fn the_plan_asks_what_is_not_known_a_few_at_once_and_says_how_far_it_is() {
    let mut state = told_by_svix(20);
    let mut open = asked(press(&mut state, "R"));
    assert_eq!(open.len(), 8);
    let plan = picture(&mut state, 120, 40);
    let estimated = "by estimate the service tries 20 of them again by itself";
    assert!(plan.contains(estimated), "{plan}");
    assert!(plan.contains("tries them again: 0 of 20"), "{plan}");
    // Nothing is left to a retry of which it is only guessed that it comes.
    press(&mut state, "a");
    let plan = picture(&mut state, 120, 40);
    assert!(plan.contains("is being asked which of them"), "{plan}");
    assert!(!plan.contains("WAIT"), "{plan}");

    // Five are tried again, the others are not.
    let mut n = 0;
    while let Some(one) = open.pop() {
        let at = (n < 5).then(|| state.now.wall.plus(60 * SECONDS));
        says(&mut state, &one, at);
        n += 1;
        open.extend(answered(&mut state, &one, Ok(Sighted::Next)));
    }
    assert_eq!(n, 20);
    pass(&mut state, 10 * SECONDS);
    let plan = picture(&mut state, 120, 40);
    let exact = "! the service tries 5 of them again by itself, which";
    assert!(plan.contains(exact), "{plan}");
    assert!(!plan.contains("estimate"), "{plan}");
    press(&mut state, "a");
    let plan = picture(&mut state, 120, 40);
    assert!(plan.contains("5 left to the service's retry"), "{plan}");
    assert!(plan.contains("15 to send"), "{plan}");
}

#[test]
fn what_it_does_not_say_stays_an_estimate_and_why_is_said() {
    let mut state = told_by_svix(20);
    let mut open = asked(press(&mut state, "R"));
    let first = open.remove(0);
    let soon = Some(state.now.wall.plus(60 * SECONDS));
    says(&mut state, &first, soon);
    open.extend(answered(&mut state, &first, Ok(Sighted::Next)));
    // One that expired keeps it from nothing.
    let gone = Failure::new(FailureKind::NotFound, "404", "");
    let second = open.remove(0);
    let more = answered(&mut state, &second, Err(gone));
    assert_eq!(more.len(), 1);
    open.extend(more);
    for one in open {
        let put_off = Failure::new(FailureKind::RateLimited, "429 from svix.example", "");
        assert_eq!(answered(&mut state, &one, Err(put_off)), []);
    }
    pass(&mut state, SECONDS);
    let plan = picture(&mut state, 120, 40);
    for words in [
        "! the service tries 20 of them again by itself (19 by estimate), which",
        "not all are said by the service: 429 from svix.example",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
}

#[test]
fn a_retry_that_does_not_come_after_all_is_said_of_what_was_left_to_it() {
    let mut state = told_by_svix(2);
    let mut open = asked(press(&mut state, "R"));
    let soon = Some(state.now.wall.plus(60 * SECONDS));
    for one in &open {
        says(&mut state, one, soon);
        answered(&mut state, one, Ok(Sighted::Next));
    }
    press(&mut state, "a");
    says(&mut state, &open.remove(0), None);
    pass(&mut state, SECONDS);
    let plan = picture(&mut state, 120, 40);
    for words in [
        "1 left to the service's retry · 1 left to a retry that does not come",
        "! no retry comes after all",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    press(&mut state, "space");
    let plan = picture(&mut state, 120, 40);
    assert!(plan.contains("1 to send"), "{plan}");
}

#[test]
fn a_plan_that_is_left_asks_no_more_and_one_of_too_many_says_so() {
    let mut state = told_by_svix(20);
    let open = asked(press(&mut state, "R"));
    update(&mut state, Msg::Key(key("esc")));
    assert_eq!(answered(&mut state, &open[0], Ok(Sighted::Next)), []);

    let mut state = told_by_svix(450);
    press(&mut state, "/ ctrl-u m s g _ enter");
    let mut open = asked(press(&mut state, "R"));
    let mut n = 0;
    while let Some(one) = open.pop() {
        n += 1;
        open.extend(answered(&mut state, &one, Ok(Sighted::Next)));
    }
    assert_eq!(n, 400);
    let plan = picture(&mut state, 120, 40);
    assert!(plan.contains("it was asked about 400 messages"), "{plan}");
}

#[test]
fn nobody_is_asked_where_no_server_says_it() {
    let mut state = failing(3);
    press(&mut state, "/ m s g _ 0 enter");
    assert_eq!(asked(press(&mut state, "R")), []);
    let plan = picture(&mut state, 120, 40);
    let words = "by estimate the service tries 3 of them again by itself";
    assert!(plan.contains(words), "{plan}");
}
