//! When the service tries again what is in the plan: asked as it opens, and an estimate until then.

use reeltop::app::{Effect, Msg, Sight, Sighted, State, update};
use reeltop::domain::{
    AttemptId, ChangeKind, EndpointId, Failure, FailureKind, MessageId, NextAsked, NextTry, Time,
};

use super::{SECONDS, failing, pass};
use crate::support::{attempt, change, key, message, picture, press, read_from};

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
        let failed = Failure::new(FailureKind::Server, "500 from svix.example", "");
        assert_eq!(answered(&mut state, &one, Err(failed)), []);
    }
    pass(&mut state, SECONDS);
    // It stays so of those that are left to it.
    for (keys, words) in [
        (
            "",
            "! the service tries 20 of them again by itself (19 by estimate), which",
        ),
        (
            "a",
            "! the service tries 20 of them again by itself (19 by estimate), and they are left to it",
        ),
        (
            "a",
            "! the service tries 20 of them again by itself (19 by estimate), which",
        ),
    ] {
        press(&mut state, keys);
        let plan = picture(&mut state, 120, 40);
        assert!(plan.contains(words), "{words}: {plan}");
        let why = "not all are said by the service: 500 from svix.example";
        assert!(plan.contains(why), "{plan}");
    }
}

/// Lets so many seconds pass, and gives what is asked then.
fn later(state: &mut State, seconds: i64) -> Vec<Effect> {
    let mut now = state.now;
    now.mono += seconds * SECONDS;
    now.wall = now.wall.plus(seconds * SECONDS);
    update(state, Msg::Tick(now))
}

fn put_off(seconds: i64) -> Failure {
    Failure {
        wait: Some(seconds * SECONDS),
        ..Failure::new(FailureKind::RateLimited, "429 from svix.example", "")
    }
}

#[test]
fn a_service_that_asks_to_be_left_alone_is_asked_on_after_that() {
    let mut state = told_by_svix(20);
    let polled = ChangeKind::Polled(Some(Box::new(put_off(60))));
    update(&mut state, Msg::Changed(vec![change(0, polled)]));
    assert_eq!(press(&mut state, "R"), []);
    let plan = picture(&mut state, 120, 40);
    let words = "0 of 20; it asks to be left alone (429), and is asked on at 14:03:37";
    assert!(plan.contains(words), "{plan}");
    assert_eq!(later(&mut state, 59), []);
    let mut open = asked(later(&mut state, 2));
    assert_eq!(open.len(), 8);
    let plan = picture(&mut state, 120, 40);
    assert!(!plan.contains("left alone"), "{plan}");

    // Refused while it is asked, it is asked again about the same.
    let refused = open.remove(3);
    assert_eq!(answered(&mut state, &refused, Err(put_off(10))), []);
    let plan = picture(&mut state, 120, 40);
    assert!(plan.contains("left alone (429)"), "{plan}");
    assert_eq!(later(&mut state, 9), []);
    assert_eq!(asked(later(&mut state, 2)), [refused]);
    // One that asks for a day is asked on as the poller does it.
    let refused = open.remove(0);
    answered(&mut state, &refused, Err(put_off(86_400)));
    assert_eq!(later(&mut state, 299), []);
    assert_eq!(asked(later(&mut state, 2)), std::slice::from_ref(&refused));
    // Still refused, and for less: each refusal counts from when it came.
    for left in [86_099, 30] {
        assert_eq!(answered(&mut state, &refused, Err(put_off(left))), []);
        assert_eq!(later(&mut state, 29), []);
        if left > 30 {
            assert_eq!(later(&mut state, 270), []);
        }
        assert_eq!(asked(later(&mut state, 2)), std::slice::from_ref(&refused));
    }
}

#[test]
fn what_is_read_while_the_plan_is_open_is_asked_about_too() {
    let mut state = told_by_svix(2);
    press(&mut state, "esc");
    // Its first attempt is not read: whether a retry is to come is not known.
    let new = vec![
        message("msg_0_part", 900, "task.progress", 5, 300, "{}"),
        attempt(
            "part_2",
            "msg_0_part",
            "ep_staging",
            250,
            (500, "no"),
            false,
        ),
        read_from("ep_staging", Some(260)),
    ];
    update(&mut state, Msg::Changed(new));
    let id = MessageId::new("msg_0_part");
    let look = Effect::LookInTurn(id.clone());
    let effects = press(&mut state, "R");
    assert!(effects.contains(&look), "{effects:?}");
    let is_next =
        |effect: &Effect| matches!(effect, Effect::Look(Sight::Next(one)) if one.message == id);
    assert!(!effects.iter().any(is_next), "{effects:?}");
    let plan = picture(&mut state, 120, 40);
    for words in [
        "to send (1: attempts not read)",
        "! not all attempts of 1 to send are read: they may have been delivered since",
        "! attempts not read yet",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    // It is read once, and then asked about.
    assert_eq!(later(&mut state, 1), []);
    let read = vec![
        attempt(
            "part_1",
            "msg_0_part",
            "ep_staging",
            299,
            (500, "no"),
            false,
        ),
        change(0, ChangeKind::AttemptsRead(id.clone())),
    ];
    update(&mut state, Msg::Changed(read));
    let effects = [later(&mut state, 1), later(&mut state, 1)].concat();
    let n_asked = effects.into_iter().filter(is_next).count();
    let plan = picture(&mut state, 120, 40);
    assert_eq!(n_asked, 1, "{plan}");
    assert!(!plan.contains(": attempts not read"), "{plan}");
    assert!(!plan.contains("! attempts not read"), "{plan}");
}

#[test]
fn when_a_retry_and_a_message_are_of_another_day_is_told_whole() {
    let mut state = told_by_svix(1);
    press(&mut state, "esc");
    let last_year = 400 * 86_400;
    let new = vec![
        message("msg_year", 900, "task.progress", 5, last_year, "{}"),
        attempt(
            "year_1",
            "msg_year",
            "ep_staging",
            last_year,
            (500, "no"),
            false,
        ),
    ];
    update(&mut state, Msg::Changed(new));
    let open = asked(press(&mut state, "R"));
    let one = open
        .iter()
        .find(|one| one.message == MessageId::new("msg_000"));
    let tomorrow = state.now.wall.plus(86_400 * SECONDS);
    says(&mut state, one.unwrap(), Some(tomorrow));
    pass(&mut state, SECONDS);
    for width in 90..=160 {
        let plan = picture(&mut state, width, 40);
        let retry = "! retry due 11-23 14:02:37";
        assert!(plan.contains(retry), "{width}: {plan}");
        assert!(!plan.contains("2025-10-18 1"), "{width}: {plan}");
        assert_eq!(
            plan.contains(" 2025-10-18  "),
            width >= 109,
            "{width}: {plan}"
        );
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
