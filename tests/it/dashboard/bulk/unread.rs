//! Messages whose attempts are not read yet: that they failed is not known, nor that they did not.

use super::{failing, press};
use crate::support::{attempt, change, endpoint, message, messages_read, picture, read_from};
use reeltop::app::{Effect, Msg, State, update};
use reeltop::domain::{
    Abilities, Ability, Change, ChangeKind, EndpointId, Failure, FailureKind, Log, LogReach,
    MessageId,
};

/// One message more, accepted so many seconds ago, of which no attempt is known.
fn untried(id: &str, task: usize, ago: i64) -> Change {
    message(id, 900 + task, "task.progress", task, ago, "{}")
}

#[test]
fn what_is_not_read_is_counted_apart_and_read() {
    let mut state = failing(2);
    let added = vec![
        endpoint("ep_late", "late", "https://late.example", false),
        untried("msg_old_1", 4, 3300),
        untried("msg_old_2", 6, 3200),
        untried("msg_young", 6, 100),
        read_from("ep_late", Some(3000)),
    ];
    update(&mut state, Msg::Changed(added));
    let shown = picture(&mut state, 200, 36);
    assert!(shown.contains("attempts before "), "{shown}");
    assert!(shown.contains("still broken"), "{shown}");
    let looked: Vec<Effect> = press(&mut state, "/ i d : m s g _ enter R");
    let of_old = |id: &str| Effect::LookInTurn(MessageId::new(id));
    assert_eq!(looked, [of_old("msg_old_2"), of_old("msg_old_1")]);
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("attempts of 2 of them are not read yet"),
        "{plan}"
    );
    assert!(!plan.contains("3 of them did not fail last"), "{plan}");

    // One failed and one did not: neither comes into the plan by itself.
    let n_to_send = |plan: &str| {
        let line = plan.lines().find(|line| line.contains(" to send")).unwrap();
        line.to_owned()
    };
    let before = n_to_send(&plan);
    let read = vec![
        attempt("late_1", "msg_old_1", "ep_late", 3290, (500, "no"), false),
        attempt("late_2", "msg_old_2", "ep_late", 3190, (204, ""), false),
        read_from("ep_late", None),
    ];
    update(&mut state, Msg::Changed(read));
    let now = state.now;
    update(&mut state, Msg::Tick(now));
    let plan = picture(&mut state, 120, 36);
    assert!(
        plan.contains("1 more that failed were read since"),
        "{plan}"
    );
    assert!(!plan.contains("not read yet"), "{plan}");
    assert_eq!(n_to_send(&plan), before);
    press(&mut state, "esc R");
    let plan = picture(&mut state, 120, 36);
    assert!(!plan.contains("more that failed"), "{plan}");
    assert_ne!(n_to_send(&plan), before, "{plan}");
}

/// Two that failed at staging, and two older ones of which it is not read whether they failed.
fn with_two_unread() -> State {
    let mut state = failing(2);
    let added = vec![
        endpoint("ep_late", "late", "https://late.example", false),
        untried("msg_old_1", 4, 3300),
        untried("msg_old_2", 6, 3200),
        read_from("ep_late", Some(3000)),
    ];
    update(&mut state, Msg::Changed(added));
    state
}

/// How many messages the plan is of, and whether it says that these are all that match.
fn title(plan: &str, query: &str) -> (String, bool) {
    let all = format!("all that match /{query} · ");
    let line = plan.lines().find(|line| line.contains(&all)).unwrap();
    let (before, after) = line.split_once(&all).unwrap();
    let n = after.split(" message").next().unwrap();
    (n.to_owned(), !before.contains("of what is read, "))
}

#[test]
fn what_may_match_a_filter_by_attempts_that_are_not_read_is_said_read_and_counted() {
    let mut state = with_two_unread();
    let looked = press(&mut state, "/ f a i l e d enter R");
    let of_old = |id: &str| Effect::LookInTurn(MessageId::new(id));
    assert_eq!(looked, [of_old("msg_old_2"), of_old("msg_old_1")]);
    let plan = picture(&mut state, 130, 40);
    let (n, is_all) = title(&plan, "failed");
    assert!(n.ends_with('+') && !is_all, "{plan}");
    for words in ["! attempts before ", ": 2 more messages may match, and"] {
        assert!(plan.contains(words), "{words}: {plan}");
    }

    // One of them failed, at last: it comes into no row by itself.
    let read = vec![
        attempt("late_1", "msg_old_1", "ep_late", 3290, (500, "no"), false),
        attempt("late_2", "msg_old_2", "ep_late", 3190, (204, ""), false),
        read_from("ep_late", None),
    ];
    update(&mut state, Msg::Changed(read));
    let now = state.now;
    update(&mut state, Msg::Tick(now));
    let plan = picture(&mut state, 130, 40);
    let words = "! 1 more that match were read since; Esc, then R plans them too";
    assert!(plan.contains(words), "{plan}");
    assert!(!plan.contains("may match"), "{plan}");
    assert_eq!(title(&plan, "failed"), (n.clone(), false), "{plan}");
    press(&mut state, "esc R");
    let plan = picture(&mut state, 130, 40);
    let all: usize = n.trim_end_matches('+').parse().unwrap();
    let whole = ((all + 1).to_string(), true);
    assert_eq!(title(&plan, "failed"), whole, "{plan}");
    assert!(!plan.contains("read since"), "{plan}");
}

#[test]
fn what_is_read_and_does_not_match_leaves_the_plan_whole() {
    let mut state = with_two_unread();
    press(&mut state, "/ f a i l e d enter R");
    let plan = picture(&mut state, 130, 40);
    let (n, _) = title(&plan, "failed");
    let read = ["msg_old_1", "msg_old_2"].map(|id| {
        let id = MessageId::new(id);
        change(0, ChangeKind::AttemptsRead(id))
    });
    update(&mut state, Msg::Changed(read.into()));
    let now = state.now;
    update(&mut state, Msg::Tick(now));
    let plan = picture(&mut state, 130, 40);
    let whole = (n.trim_end_matches('+').to_owned(), true);
    assert_eq!(title(&plan, "failed"), whole, "{plan}");
    assert!(!plan.contains("read since"), "{plan}");
}

#[test]
fn why_more_may_match_a_filter_is_said() {
    let mut state = with_two_unread();
    let log = Log::Attempts(EndpointId::new("ep_late"));
    let why = Some("429: busy".into());
    let refused = change(0, ChangeKind::Unread { log, why });
    update(&mut state, Msg::Changed(vec![refused]));
    // What the attempts cannot change is matched by all of what matches.
    press(&mut state, "/ f a i l e d space i d : m s g _ 0 enter R");
    let plan = picture(&mut state, 130, 40);
    let whole = ("2".to_owned(), true);
    assert_eq!(title(&plan, "failed id:msg_0"), whole, "{plan}");
    for query in ["failed", "broken", "failed endpoint:staging"] {
        let keys = query
            .replace(' ', "_")
            .replace("", " ")
            .replace('_', "space");
        press(&mut state, &format!("esc / ctrl-u {keys} enter R"));
        let plan = picture(&mut state, 130, 40);
        let (n, is_all) = title(&plan, query);
        assert!(n.ends_with('+') && !is_all, "{plan}");
        let words = "! attempts at late cannot be read: 429: busy: ";
        assert!(plan.contains(words), "{plan}");
        assert!(plan.contains(" more messages may match, and"), "{plan}");
    }
    // Where nothing is known to match, that is not all there is to say.
    press(
        &mut state,
        "esc / ctrl-u f a i l e d space i d : m s g _ o l d enter R",
    );
    let shown = picture(&mut state, 200, 40);
    let words = "the attempts of 2 messages that may be among it cannot be read: 429: busy";
    assert!(shown.contains(words), "{shown}");
}

#[test]
fn all_that_is_not_read_is_read_a_few_at_a_time_and_not_while_the_service_is_left_alone() {
    let mut state = failing(2);
    let mut added: Vec<Change> = (0..75)
        .map(|n| untried(&format!("msg_old_{n:02}"), 6, 3300 - n))
        .collect();
    added.push(endpoint("ep_late", "late", "https://late.example", false));
    added.push(read_from("ep_late", Some(3000)));
    update(&mut state, Msg::Changed(added));
    press(&mut state, "/ i d : m s g _ enter");
    assert_eq!(press(&mut state, "R").len(), 50);
    let later = |state: &mut State, seconds: i64| {
        let mut now = state.now;
        now.mono += seconds * 1_000_000;
        now.wall = now.wall.plus(seconds * 1_000_000);
        update(state, Msg::Tick(now))
    };
    assert_eq!(later(&mut state, 1).len(), 10);
    let refused = Failure {
        wait: Some(60_000_000),
        ..Failure::new(FailureKind::RateLimited, "429", "")
    };
    let why = Some("429".into());
    let told = |kind| Change {
        received: state.now,
        ..change(0, kind)
    };
    let log = Log::AttemptsOf(MessageId::new("msg_old_74"));
    let told = vec![
        told(ChangeKind::Polled(Some(Box::new(refused)))),
        told(ChangeKind::Unread { log, why }),
    ];
    update(&mut state, Msg::Changed(told));
    assert_eq!(later(&mut state, 30), []);
    let plan = picture(&mut state, 120, 40);
    let words = "what is not read is asked of the service: it asks to be left alone (429)";
    assert!(plan.contains(words), "{plan}");
    // The one that was refused is asked for again.
    let again = Effect::LookInTurn(MessageId::new("msg_old_74"));
    let more = later(&mut state, 31);
    assert!(more.len() == 10 && more.contains(&again), "{more:?}");
    assert_eq!(later(&mut state, 1).len(), 6);
    assert_eq!(later(&mut state, 1), []);
}

#[test]
fn what_cannot_be_read_is_said_to_be_so_with_the_reason() {
    let mut state = failing(2);
    let log = Log::Attempts(EndpointId::new("ep_staging"));
    let down = |log: Log| {
        let why = Some("503: down".into());
        change(0, ChangeKind::Unread { log, why })
    };
    let new = vec![untried("msg_old", 6, 3300), down(log)];
    update(&mut state, Msg::Changed(new));
    press(&mut state, "/ i d : m s g _ enter R");
    let plan = picture(&mut state, 120, 40);
    for words in [
        "! attempts of 1 of them cannot be read: 503: down: whether it failed is not known",
        "(3: attempts not read)",
        "! attempts of 3 to send cannot be read: 503: down: they may have been delivered since",
        "! unread, retry ",
        "it may have been delivered meanwhile: its attempts cannot be read: 503: down",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    assert!(!plan.contains("not read yet"), "{plan}");

    // Where nothing else is asked for, that is all there is to say.
    press(&mut state, "esc / ctrl-u m s g _ o l d enter R");
    let shown = picture(&mut state, 160, 40);
    let words = "the attempts of 1 cannot be read: 503: down";
    assert!(shown.contains(words), "{shown}");
}

#[test]
fn of_what_is_not_read_no_row_says_that_it_was_never_sent() {
    let mut state = failing(0);
    let old = untried("msg_old", 6, 3300);
    update(
        &mut state,
        Msg::Changed(vec![old, read_from("ep_legacy", Some(10))]),
    );
    press(&mut state, "/ m s g _ o l d enter");
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("attempts not read yet"), "{shown}");
    assert!(!shown.contains("never sent"), "{shown}");
    press(&mut state, "R");
    let shown = picture(&mut state, 120, 36);
    assert!(
        shown.contains("the attempts of 1 are not read yet"),
        "{shown}"
    );
    assert!(!shown.contains("failed nowhere"), "{shown}");

    // What is never told is not said to come yet.
    let mut abilities = state.history.abilities.clone();
    let offered = std::mem::replace(&mut abilities.attempts, Ability::Absent("404".into()));
    let learned = |it: &Abilities| change(0, ChangeKind::Abilities(Box::new(it.clone())));
    update(&mut state, Msg::Changed(vec![learned(&abilities)]));
    let shown = picture(&mut state, 160, 36);
    assert!(shown.contains("attempts not told here"), "{shown}");
    assert!(
        shown.contains("attempts are not told by this server"),
        "{shown}"
    );
    abilities.attempts = offered;
    update(&mut state, Msg::Changed(vec![learned(&abilities)]));

    update(&mut state, Msg::Changed(vec![read_from("ep_legacy", None)]));
    let shown = picture(&mut state, 120, 36);
    assert!(shown.contains("never sent"), "{shown}");
    assert!(!shown.contains("attempts not read yet"), "{shown}");
}

#[test]
fn older_messages_that_are_not_read_are_said_wherever_messages_are_counted() {
    let mut state = failing(3);
    let told = |state: &mut _, reach| {
        update(state, Msg::Changed(vec![reach]));
    };
    let n = state.history.deliveries.len();
    told(&mut state, messages_read(Some(3600)));
    let at = |keys: &str, state: &mut _| {
        press(state, keys);
        picture(state, 160, 40)
    };
    let shown = at("3", &mut state);
    for width in 60..=160 {
        let narrow = picture(&mut state, width, 24);
        let summary = narrow.lines().nth(2).unwrap();
        assert!(summary.contains("not read"), "{width}: {narrow}");
    }
    let counts = [
        "✗ 4+ still broken",
        &format!("{n}+ messages"),
        "messages before ",
    ];
    for words in counts.into_iter().chain(["older messages not read yet"]) {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
    let narrow = picture(&mut state, 60, 14);
    assert!(narrow.contains("older messages not read yet"), "{narrow}");
    let causes = at("e", &mut state);
    for words in ["still broken: 4+", "messages before "] {
        assert!(causes.contains(words), "{words}\n{causes}");
    }
    let health = at("esc 5", &mut state);
    assert!(health.contains(&format!("{n}+, 0 let go")), "{health}");
    assert!(health.contains("messages before "), "{health}");
    let endpoints = at("4", &mut state);
    assert!(endpoints.contains("4+"), "{endpoints}");
    let plan = at("3 R", &mut state);
    let in_plan = "are not read yet: what failed of them is not in this plan";
    assert!(plan.contains(in_plan), "{plan}");
    assert!(plan.contains(&format!("· {n}+ messages")), "{plan}");

    // What was read since is not in the plan, and that is said.
    told(&mut state, messages_read(None));
    let plan = picture(&mut state, 160, 40);
    assert!(plan.contains("older messages were read since"), "{plan}");
    let plan = at("esc R", &mut state);
    assert!(plan.contains(&format!("· {n} messages")), "{plan}");
    assert!(!plan.contains("read since"), "{plan}");
    assert!(!plan.contains("not read"), "{plan}");
    let shown = at("esc 3", &mut state);
    assert!(!shown.contains('+'), "{shown}");
    assert!(!shown.contains("older messages"), "{shown}");

    let stopped = LogReach::Stopped(state.now.wall.plus(-60_000_000), "it is full".into());
    told(&mut state, change(0, ChangeKind::MessagesRead(stopped)));
    let shown = picture(&mut state, 160, 40);
    for words in ["are not read: it is full", "older messages not read"] {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
    assert!(!shown.contains("not read yet"), "{shown}");
}
