//! What is not read: none of it is said to be none.

mod outcomes;

use crate::support::{
    abilities, attempt, before, change, endpoint, event, fresh, message, messages_read, picture,
    press, read_from, seen, told as world,
};
use reeltop::app::{Effect, Msg, Sight, State, update};
use reeltop::domain::{
    Change, ChangeKind, EndpointId, LinkState, Log, LogReach, MessageId, Origin, Time,
};

fn told(state: &mut State, what: Vec<Change>) -> String {
    update(state, Msg::Changed(what));
    // The words wrap in the pane.
    let shown = picture(state, 90, 36);
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn why_a_message_is_known_by_its_attempts_alone() {
    let mut state = world();
    let lone = attempt("lone", "msg_lone", "ep_shop", 1, (500, "no"), false);
    told(&mut state, vec![lone, messages_read(Some(3000))]);
    press(&mut state, "3 g enter tab");
    let shown = told(&mut state, Vec::new());
    let words = "the message itself is not read yet: older messages are still to be read";
    assert!(shown.contains(words), "{shown}");

    let stopped = LogReach::Stopped(Time(0), "no more than 500 are kept".into());
    let shown = told(
        &mut state,
        vec![change(0, ChangeKind::MessagesRead(stopped))],
    );
    assert!(
        shown.contains("is not known: the log is not read"),
        "{shown}"
    );
    assert!(shown.contains("no more than 500 are kept"), "{shown}");

    update(&mut state, Msg::Tick(before(-20)));
    let whole = vec![messages_read(None), read_from("ep_shop", None)];
    let shown = told(&mut state, whole);
    let words = "is not known: it was not in the log as";
    assert!(shown.contains(words), "{shown}");
    press(&mut state, "esc");
    let listed = told(&mut state, Vec::new());
    assert!(listed.contains("not in the log"), "{listed}");
    assert!(!listed.contains("not read yet"), "{listed}");

    // One that was just tried may have come into the log since that was read.
    let newer = attempt("newer", "msg_newer", "ep_shop", -19, (500, "no"), false);
    let listed = told(&mut state, vec![newer]);
    assert!(listed.contains("not read yet"), "{listed}");
    press(&mut state, "g enter tab");
    let shown = told(&mut state, Vec::new());
    assert!(
        shown.contains("the message itself is not read yet"),
        "{shown}"
    );
}

#[test]
fn a_message_itself_is_asked_for_where_it_is_told_and_not_known() {
    let id = MessageId::new("msg_lone");
    let attempts = Effect::Look(Sight::Attempts(id.clone()));
    let mut state = world();
    let lone = attempt("lone", "msg_lone", "ep_shop", 1, (500, "no"), false);
    told(&mut state, vec![lone]);
    let asked = press(&mut state, "3 g enter");
    assert_eq!(asked, std::slice::from_ref(&attempts));
    state.session.deliveries_from = Some("Svix".to_owned());
    let all = [attempts, Effect::Look(Sight::Message(id))];
    assert_eq!(press(&mut state, "esc enter"), all);
    let again = press(&mut state, "ctrl-r");
    assert_eq!(again.get(1..), Some(&all[..]), "{again:?}");
    // What is known is not asked for again.
    let known = press(&mut state, "esc j enter");
    assert!(
        matches!(known[..], [Effect::Look(Sight::Attempts(_))]),
        "{known:?}"
    );
}

fn unread(log: Log, why: Option<&str>) -> Change {
    let why = why.map(Into::into);
    change(0, ChangeKind::Unread { log, why })
}

fn listed(ids: &[&str]) -> Change {
    let ids: Vec<EndpointId> = ids.iter().map(|id| EndpointId::new(id)).collect();
    change(0, ChangeKind::EndpointsListed(ids.into()))
}

#[test]
fn nothing_is_called_none_while_its_log_is_not_read() {
    let mut state = fresh();
    update(&mut state, Msg::Changed(vec![abilities()]));
    let link = ChangeKind::Link(Box::new(LinkState::Live));
    update(&mut state, Msg::Changed(vec![change(9, link)]));
    press(&mut state, "3");
    let shown = told(&mut state, Vec::new());
    assert!(shown.contains("Messages are not read yet"), "{shown}");
    press(&mut state, "4");
    let shown = told(&mut state, Vec::new());
    assert!(shown.contains("Endpoints are not read yet"), "{shown}");
    assert!(shown.contains("0+ endpoints"), "{shown}");

    let why = Some("500: out of order");
    let failed = vec![unread(Log::Endpoints, why), unread(Log::Messages, why)];
    let shown = told(&mut state, failed);
    assert!(
        shown.contains("Endpoints cannot be read: 500: out"),
        "{shown}"
    );
    press(&mut state, "3");
    let shown = told(&mut state, Vec::new());
    assert!(
        shown.contains("Messages cannot be read: 500: out"),
        "{shown}"
    );

    let read = vec![
        unread(Log::Endpoints, None),
        unread(Log::Messages, None),
        messages_read(None),
        listed(&[]),
    ];
    let shown = told(&mut state, read);
    assert!(shown.contains("No webhook messages yet"), "{shown}");
    press(&mut state, "4");
    let shown = told(&mut state, Vec::new());
    assert!(shown.contains("No webhook endpoints yet"), "{shown}");
}

#[test]
fn a_replay_of_nothing_says_what_is_not_read() {
    let mut state = fresh();
    let link = ChangeKind::Link(Box::new(LinkState::Live));
    update(&mut state, Msg::Changed(vec![abilities(), change(9, link)]));
    press(&mut state, "3");
    let why = Some("500: out of order");
    for (what, words) in [
        (vec![], "is known: messages are not read yet"),
        (
            vec![unread(Log::Messages, why)],
            "is known: messages cannot be read",
        ),
        (
            vec![unread(Log::Messages, None), messages_read(Some(60))],
            "is known, but not all messages are read",
        ),
        (
            vec![messages_read(None)],
            "there is no message; endpoints are not read yet",
        ),
        (
            vec![unread(Log::Endpoints, why)],
            "there is no message; endpoints cannot be read",
        ),
        (
            vec![unread(Log::Endpoints, None), listed(&[])],
            "messages come once an endpoint exists",
        ),
    ] {
        update(&mut state, Msg::Changed(what));
        press(&mut state, "r");
        let shown = picture(&mut state, 140, 36);
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn a_message_whose_attempts_are_not_read_is_not_called_unsent() {
    let mut state = fresh();
    let failed = seen(1, 60, 12, &[("proxy", "failed")]);
    let new = vec![
        abilities(),
        endpoint("ep_new", "new", "https://new.example", false),
        event(5, "task.failed", failed, "keynote.mp4", 12),
        message("msg_new", 5, "task.failed", 1, 12, "{}"),
        messages_read(None),
        listed(&["ep_new"]),
    ];
    update(&mut state, Msg::Changed(new));
    let log = Log::Attempts(EndpointId::new("ep_new"));
    let failing = unread(log.clone(), Some("500: out of order"));
    for (what, is_unsent) in [
        (vec![], false),
        (vec![failing], false),
        (vec![unread(log, None), read_from("ep_new", None)], true),
    ] {
        update(&mut state, Msg::Changed(what));
        let tasks = picture(&mut state, 160, 36);
        assert_eq!(tasks.contains("· unsent"), is_unsent, "{tasks}");
        assert_eq!(tasks.contains("? unread"), !is_unsent, "{tasks}");
    }
}

/// Filters the list, and tests all of it, also what is to be tested again.
fn filter(state: &mut State, text: &str) {
    press(state, "/ ctrl-u");
    update(state, Msg::Pasted(text.into()));
    press(state, "enter");
    scan(state);
}

fn scan(state: &mut State) {
    // A list is tested again once a second at most.
    let mut later = state.now;
    later.mono += 2_000_000;
    later.wall = later.wall.plus(2_000_000);
    update(state, Msg::Tick(later));
    while state.is_scanning() {
        update(state, Msg::Scan);
    }
}

#[test]
fn only_what_is_known_to_be_unsent_is_and_what_is_read_later_is_looked_at_again() {
    let why = Some("500: out of order");
    for screen in ["1", "3"] {
        let mut state = fresh();
        let failed = seen(1, 60, 12, &[("proxy", "failed")]);
        let new = vec![
            abilities(),
            endpoint("ep_new", "new", "https://new.example", false),
            event(5, "task.failed", failed, "keynote.mp4", 12),
            message("msg_new", 5, "task.failed", 1, 12, "{}"),
            messages_read(None),
            listed(&["ep_new"]),
        ];
        update(&mut state, Msg::Changed(new));
        press(&mut state, screen);
        filter(&mut state, "unsent");
        let log = Log::Attempts(EndpointId::new("ep_new"));
        for (what, words) in [
            (vec![], "Attempts are not read yet."),
            (
                vec![unread(log.clone(), why)],
                "Attempts at new cannot be read: 500: out of order.",
            ),
        ] {
            update(&mut state, Msg::Changed(what));
            scan(&mut state);
            let shown = picture(&mut state, 120, 24);
            for words in ["Nothing that is read matches", words, "0+ of 1"] {
                assert!(shown.contains(words), "{words}: {shown}");
            }
        }
        let read = vec![unread(log, None), read_from("ep_new", None)];
        update(&mut state, Msg::Changed(read));
        scan(&mut state);
        let shown = picture(&mut state, 120, 24);
        assert!(shown.contains("1 of 1 "), "{shown}");
        assert!(!shown.contains("not read"), "{shown}");
        // One message was read by its id, and was sent.
        let sent = attempt("first", "msg_new", "ep_new", 5, (204, ""), false);
        update(&mut state, Msg::Changed(vec![sent]));
        scan(&mut state);
        let shown = picture(&mut state, 120, 24);
        assert!(shown.contains("Nothing matches the filter"), "{shown}");
    }
}

#[test]
fn a_message_whose_attempts_were_read_by_its_id_is_tested_again() {
    let mut state = fresh();
    let new = vec![
        abilities(),
        endpoint("ep_new", "new", "https://new.example", false),
        message("msg_new", 5, "task.failed", 1, 12, "{}"),
        messages_read(None),
    ];
    update(&mut state, Msg::Changed(new));
    press(&mut state, "3");
    filter(&mut state, "unsent");
    assert!(picture(&mut state, 120, 24).contains("0+ of 1"));
    let read = ChangeKind::AttemptsRead(MessageId::new("msg_new"));
    update(&mut state, Msg::Changed(vec![change(0, read)]));
    let shown = picture(&mut state, 120, 24);
    assert!(shown.contains("1+ of 1"), "{shown}");
}

#[test]
fn whether_endpoints_were_notified_is_marked_where_not_all_is_read() {
    let mut state = world();
    let notified = |state: &mut State, task: &str| {
        let shown = picture(state, 120, 36);
        let row = shown.lines().find(|line| line.contains(task));
        let row = row.unwrap_or_else(|| panic!("{task}: {shown}")).to_owned();
        row.chars()
            .rev()
            .take(12)
            .collect::<Vec<_>>()
            .iter()
            .rev()
            .collect::<String>()
    };
    let ends = |state: &mut State, task: &str, words: &str| {
        let cell = notified(state, task);
        assert!(
            cell.ends_with(&format!(" {words}")),
            "{task} {words}: {cell}"
        );
    };
    let late = Log::Attempts(EndpointId::new("ep_late"));
    for (what, podcast, keynote, drone) in [
        (vec![], "✓ 2 of 2", "↻ 1 of 2", "·"),
        // An endpoint whose log is not read may have got it, or not.
        (
            vec![endpoint("ep_late", "late", "https://late.example", false)],
            "? 2 of 2+",
            "↻ 1 of 2+",
            "·",
        ),
        (
            vec![unread(late.clone(), Some("500: out of order"))],
            "? 2 of 2+",
            "↻ 1 of 2+",
            "·",
        ),
        (
            vec![unread(late, None), read_from("ep_late", None)],
            "✓ 2 of 2",
            "↻ 1 of 2",
            "·",
        ),
        // What failed there last may have been delivered since.
        (
            vec![unread(
                Log::Attempts(EndpointId::new("ep_staging")),
                Some("500"),
            )],
            "✓ 2 of 2",
            "↻ 1 of 2+",
            "·",
        ),
        (
            vec![unread(Log::Attempts(EndpointId::new("ep_staging")), None)],
            "✓ 2 of 2",
            "↻ 1 of 2",
            "·",
        ),
        // A message that is not read may be there.
        (
            vec![messages_read(Some(10))],
            "✓ 2 of 2",
            "↻ 1 of 2",
            "? unread",
        ),
        (
            vec![messages_read(None), unread(Log::Messages, Some("500"))],
            "? 2 of 2+",
            "↻ 1 of 2+",
            "? unread",
        ),
    ] {
        update(&mut state, Msg::Changed(what));
        ends(&mut state, "podcast", podcast);
        ends(&mut state, "keynote", keynote);
        ends(&mut state, "drone", drone);
    }
}

#[test]
fn where_tasks_are_what_messages_tell_there_is_none_only_once_these_are_read() {
    let mut state = fresh();
    state.session.is_svix_alone = true;
    let link = ChangeKind::Link(Box::new(LinkState::Live));
    update(&mut state, Msg::Changed(vec![abilities(), change(9, link)]));
    for (what, words) in [
        (vec![], "Messages are not read yet"),
        (
            vec![unread(Log::Messages, Some("500: out of order"))],
            "Messages cannot be read: 500: out of order",
        ),
        (
            vec![unread(Log::Messages, None), messages_read(Some(60))],
            "No task is told by the messages that are read.",
        ),
        (vec![messages_read(None)], "No active tasks."),
    ] {
        let shown = told(&mut state, what);
        assert!(shown.contains(words), "{words}: {shown}");
        let is_none = words == "No active tasks.";
        assert_eq!(shown.contains("No active tasks"), is_none, "{shown}");
    }
}

#[test]
fn why_something_is_not_read_stands_there_at_every_width() {
    let mut state = world();
    let log = Log::Attempts(EndpointId::new("ep_staging"));
    let failing = unread(log, Some("503: down for the night"));
    update(&mut state, Msg::Changed(vec![failing]));
    for keys in ["3", "e"] {
        press(&mut state, keys);
        for (width, height) in [
            (40, 10),
            (60, 14),
            (80, 24),
            (111, 24),
            (112, 24),
            (160, 40),
        ] {
            let shown = picture(&mut state, width, height);
            let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
            let why = "cannot be read: 503: down for the night";
            assert!(words.contains(why), "{keys} {width}x{height}: {shown}");
        }
    }
    // What has no room is said to be missing.
    let why = "503: down for the night, and the whole of the next day until somebody comes";
    let log = Log::Attempts(EndpointId::new("ep_staging"));
    update(&mut state, Msg::Changed(vec![unread(log, Some(why))]));
    for place in ["the causes", "the list"] {
        let shown = picture(&mut state, 40, 10);
        let is_cut = |line: &str| line.contains("night,") && line.ends_with('…');
        assert!(shown.lines().any(is_cut), "{place}: {shown}");
        press(&mut state, "esc");
    }
}

#[test]
fn an_endpoint_whose_attempts_cannot_be_read_is_not_unused() {
    let mut state = fresh();
    let new = vec![
        abilities(),
        endpoint("ep_new", "new", "https://new.example", false),
        message("msg_new", 5, "task.failed", 1, 12, "{}"),
        messages_read(None),
        listed(&["ep_new"]),
    ];
    update(&mut state, Msg::Changed(new));
    let log = Log::Attempts(EndpointId::new("ep_new"));
    for (what, cell, sentence) in [
        (None, "not read yet", "not read yet"),
        (
            Some("500: out of order"),
            "cannot be read",
            "500: out of order",
        ),
    ] {
        press(&mut state, "4");
        update(&mut state, Msg::Changed(vec![unread(log.clone(), what)]));
        let shown = picture(&mut state, 200, 36);
        assert!(shown.contains("? not read"), "{shown}");
        assert!(shown.contains(cell), "{shown}");
        for none in ["unused", "none seen", "·····"] {
            assert!(!shown.contains(none), "{none}: {shown}");
        }
        press(&mut state, "enter");
        let page = picture(&mut state, 120, 36);
        assert!(page.contains(sentence), "{page}");
        assert!(page.contains("is not known"), "{page}");
        assert!(!page.contains("no attempt known"), "{page}");
        press(&mut state, "esc 3");
        let list = picture(&mut state, 160, 36);
        assert!(list.contains(&format!("attempts {cell}")), "{list}");
        assert!(list.contains("✗ 0+ still broken"), "{list}");
        press(&mut state, "enter");
        let page = picture(&mut state, 160, 36);
        assert!(
            page.contains(&format!(
                "its attempts {}",
                what.map_or("are not read yet", |_| "cannot be read: 500")
            )),
            "{page}"
        );
        press(&mut state, "esc");
    }
    update(
        &mut state,
        Msg::Changed(vec![unread(log, None), read_from("ep_new", None)]),
    );
    let list = picture(&mut state, 160, 36);
    assert!(list.contains("no attempt seen yet"), "{list}");
    press(&mut state, "4");
    let shown = picture(&mut state, 200, 36);
    assert!(
        shown.contains("unused") && shown.contains("none seen"),
        "{shown}"
    );
}

#[test]
fn why_a_log_was_not_asked_for_stands_wherever_it_counts() {
    let mut state = fresh();
    let broken = attempt("first", "msg_new", "ep_new", 1, (500, "no"), false);
    let new = vec![
        abilities(),
        endpoint("ep_new", "new", "https://new.example", false),
        endpoint("ep_old", "old", "https://old.example", false),
        message("msg_new", 5, "task.failed", 1, 12, "{}"),
        broken,
        messages_read(None),
        read_from("ep_new", None),
        read_from("ep_old", None),
        listed(&["ep_new", "ep_old"]),
    ];
    update(&mut state, Msg::Changed(new));
    press(&mut state, "4");
    let shown = picture(&mut state, 160, 36);
    assert!(shown.contains("unused"), "{shown}");
    let why = "not asked, as the service refused the attempts at new: 429: slow down";
    let put_off = unread(Log::Attempts(EndpointId::new("ep_old")), Some(why));
    update(&mut state, Msg::Changed(vec![put_off]));
    let shown = picture(&mut state, 160, 36);
    assert!(!shown.contains("unused"), "{shown}");
    assert!(shown.contains("? not read"), "{shown}");
    let words = format!("attempts at old cannot be read: {why}");
    assert!(shown.contains(&words), "{shown}");
    // Where the reason has no room, that there is one is said.
    let narrow = picture(&mut state, 80, 36);
    assert!(narrow.contains("· attempts cannot be read"), "{narrow}");
    press(&mut state, "G enter");
    let page = told(&mut state, Vec::new());
    assert!(page.contains(&format!("cannot be read: {why}")), "{page}");
    press(&mut state, "esc 3 e");
    let causes = told(&mut state, Vec::new());
    // Nothing is known of the one that is not read, so that there may be more, but none fewer.
    assert!(causes.contains("still broken: 1+"), "{causes}");
    assert!(causes.contains(&words), "{causes}");
}

#[test]
fn what_one_message_tells_of_an_endpoint_is_not_how_it_fares() {
    let mut state = fresh();
    let new = vec![
        abilities(),
        endpoint("ep_new", "new", "https://new.example", false),
        message("msg_new", 5, "task.failed", 1, 12, "{}"),
        attempt("first", "msg_new", "ep_new", 1, (204, ""), false),
        messages_read(None),
        listed(&["ep_new"]),
    ];
    update(&mut state, Msg::Changed(new));
    press(&mut state, "4");
    for (what, is_healthy) in [(None, false), (Some(read_from("ep_new", None)), true)] {
        update(&mut state, Msg::Changed(what.into_iter().collect()));
        let shown = picture(&mut state, 160, 36);
        assert_eq!(shown.contains("✓ healthy"), is_healthy, "{shown}");
        assert_eq!(shown.contains("? not read"), !is_healthy, "{shown}");
        // Nor is it a rate of it, or a time that it takes.
        let row = shown.lines().find(|line| line.contains("new ")).unwrap();
        assert_eq!(row.contains("100% in"), is_healthy, "{shown}");
        assert_eq!(row.contains("not read yet"), !is_healthy, "{shown}");
        press(&mut state, "enter");
        let page = picture(&mut state, 120, 36);
        assert_eq!(page.contains("100% of 1 attempt"), is_healthy, "{page}");
        let words =
            "not known: the attempts here are some of an earlier run, or of single messages";
        assert_eq!(page.contains(words), !is_healthy, "{page}");
        press(&mut state, "esc");
    }
}

#[test]
fn a_list_that_the_key_may_not_read_is_not_called_one_that_is_not_offered() {
    let mut state = fresh();
    let why = "403: ask your admin; this key may not do that";
    let seen = attempt("first", "msg_new", "ep_new", 1, (204, ""), false);
    let new = vec![seen, unread(Log::Endpoints, Some(why))];
    update(&mut state, Msg::Changed(new));
    for screen in ["4", "5 tab"] {
        press(&mut state, screen);
        let shown = picture(&mut state, 160, 50);
        assert!(shown.contains(why), "{shown}");
    }
}

#[test]
fn what_a_poll_told_is_a_sign_of_life_while_there_is_no_stream() {
    let mut state = fresh();
    let line = |state: &mut State| picture(state, 120, 36).lines().next().unwrap().to_owned();
    assert!(line(&mut state).contains("nothing received yet"));
    // The round goes on, and the stream is not open.
    let told = message("msg_new", 5, "task.failed", 1, 12, "{}");
    let told = Change {
        origin: Origin::Poll,
        ..told
    };
    update(&mut state, Msg::Changed(vec![told]));
    let shown = line(&mut state);
    assert!(
        shown.contains("poll ") && !shown.contains("nothing received"),
        "{shown}"
    );
}

#[test]
fn what_was_never_read_of_an_endpoint_is_not_called_all_or_none() {
    let mut state = fresh();
    let only = attempt("lone", "msg_lone", "ep_gone", 1, (500, "no"), false);
    update(&mut state, Msg::Changed(vec![abilities(), only]));
    press(&mut state, "4");
    let listed = picture(&mut state, 200, 36);
    let row = listed.lines().find(|line| line.contains("failing"));
    assert!(
        row.is_some_and(|row| row.trim_end().ends_with("not known")),
        "{listed}"
    );
    press(&mut state, "enter");
    let page = picture(&mut state, 120, 36);
    for fact in ["events", "rate limit", "created"] {
        let line = format!("{fact:<11}not known");
        assert!(page.contains(&line), "{line}: {page}");
    }
}

#[test]
fn an_answer_that_the_service_no_longer_has_is_not_quoted_as_the_receivers() {
    let mut state = fresh();
    let gone = [("first", 3), ("second", 2)]
        .map(|(id, ago)| attempt(id, "msg_old", "ep_shop", ago, (500, "EXPUNGED"), false));
    update(&mut state, Msg::Changed(vec![abilities()]));
    update(&mut state, Msg::Changed(gone.into()));
    press(&mut state, "3 g enter");
    let words = |state: &mut State| {
        let shown = picture(state, 90, 36);
        shown.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let message = words(&mut state);
    let why = "the receiver answered 500 twice; the service no longer has the answer.";
    assert!(message.contains(why), "{message}");
    press(&mut state, "enter");
    let page = words(&mut state);
    assert!(
        page.contains("Receiver error; the service no longer has the answer."),
        "{page}"
    );
    press(&mut state, "d");
    let compared = words(&mut state);
    assert!(
        compared.contains("the service no longer has one of the answers"),
        "{compared}"
    );
    for shown in [message, page, compared] {
        for wrong in ["says", "same", "EXPUNGED"] {
            assert!(!shown.contains(wrong), "{wrong}: {shown}");
        }
    }
}
