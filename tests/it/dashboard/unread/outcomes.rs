//! How a message stands where not all of its attempts are read: what is not known is marked, and no
//! match of what would have to be known.

use super::{filter, listed, scan, unread};
use crate::support::{
    abilities, attempt, before, change, endpoint, event, fresh, message, messages_read, picture,
    press, read_from, seen,
};
use reeltop::app::subject::DeliverySubject;
use reeltop::app::{Msg, State, update};
use reeltop::domain::{Change, ChangeKind, Endpoint, EndpointId, EventType, Log, MessageId, Query};

/// The same endpoint, changed.
fn with(mut told: Change, change: impl FnOnce(&mut Endpoint)) -> Change {
    if let ChangeKind::Endpoint(endpoint) = &mut told.kind {
        change(endpoint);
    }
    told
}

/// One message of 12 s ago that one endpoint got, and another whose log is not read.
fn half_read() -> State {
    let mut state = fresh();
    let failed = seen(1, 60, 12, &[("proxy", "failed")]);
    let new = vec![
        abilities(),
        endpoint("ep_got", "got", "https://got.example", false),
        endpoint("ep_late", "late", "https://late.example", false),
        event(5, "task.failed", failed, "keynote.mp4", 12),
        message("msg_new", 5, "task.failed", 1, 12, "{}"),
        attempt("first", "msg_new", "ep_got", 11, (204, ""), false),
        read_from("ep_got", None),
        messages_read(None),
        listed(&["ep_got", "ep_late"]),
    ];
    update(&mut state, Msg::Changed(new));
    state
}

fn late() -> Log {
    Log::Attempts(EndpointId::new("ep_late"))
}

/// The line of the only message in the list of them.
fn row(state: &mut State) -> String {
    let shown = picture(state, 160, 24);
    let row = shown.lines().find(|line| line.contains("keynote"));
    row.unwrap_or_else(|| panic!("{shown}")).to_owned()
}

#[test]
fn what_failed_before_a_log_broke_off_need_not_be_the_last() {
    let mut state = half_read();
    let failed = attempt("late", "msg_new", "ep_late", 11, (500, "no"), false);
    update(
        &mut state,
        Msg::Changed(vec![failed, read_from("ep_late", None)]),
    );
    for (why, mark) in [(None, ""), (Some("500: down"), " ?"), (None, "")] {
        update(&mut state, Msg::Changed(vec![unread(late(), why)]));
        press(&mut state, "3");
        let row = row(&mut state);
        assert!(row.contains(&format!("✗ late 500{mark}   ✓ got")), "{row}");
        press(&mut state, "4");
        let shown = picture(&mut state, 200, 24);
        let last = shown.lines().find(|line| line.contains("late.example"));
        let last = last.unwrap_or_else(|| panic!("{shown}"));
        assert!(last.contains(&format!("✗ 500  11s ago{mark} ")), "{last}");
    }
}

#[test]
fn a_log_that_was_read_before_is_known_up_to_then() {
    let mut state = half_read();
    let failed = attempt("late", "msg_new", "ep_late", 11, (500, "no"), false);
    let until = ChangeKind::AttemptsUntil {
        endpoint: EndpointId::new("ep_late"),
        until: before(7).wall,
    };
    let news = vec![
        failed,
        read_from("ep_late", None),
        change(0, until),
        unread(late(), Some("429: slow down")),
    ];
    update(&mut state, Msg::Changed(news));
    let words = "attempts at late are known only up to 2026-11-22 14:02:30: 429: slow down";
    for screen in ["4", "5"] {
        press(&mut state, screen);
        let shown = picture(&mut state, 200, 60);
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.contains(words), "{screen}: {shown}");
    }
    press(&mut state, "3");
    let shown = picture(&mut state, 160, 24);
    let short = "new attempts cannot be read: 429: slow down";
    assert!(shown.contains(short), "{shown}");
    press(&mut state, "4");
    let narrow = picture(&mut state, 80, 24);
    assert!(narrow.contains("new attempts cannot be read"), "{narrow}");
    // Another was never read.
    let new = endpoint("ep_new", "new", "https://new.example", false);
    let log = Log::Attempts(EndpointId::new("ep_new"));
    update(
        &mut state,
        Msg::Changed(vec![new, unread(log, Some("500: down"))]),
    );
    let shown = picture(&mut state, 200, 24);
    let words = "attempts at new cannot be read, and at late are known only up to 2026-11-22 14:02:30: 500: down";
    assert!(shown.contains(words), "{shown}");
    assert!(picture(&mut state, 80, 24).contains("· attempts cannot be read"));
    press(&mut state, "g j enter");
    let page = picture(&mut state, 160, 36);
    let words = "what stands here was read up to 2026-11-22 14:02:30, or with single messages";
    assert!(page.contains(words), "{page}");
}

#[test]
fn an_endpoint_that_is_not_read_is_marked_in_a_messages_row_until_it_is() {
    let mut state = half_read();
    press(&mut state, "3");
    for what in [vec![], vec![unread(late(), Some("429"))]] {
        update(&mut state, Msg::Changed(what));
        let row = row(&mut state);
        assert!(row.contains("? task.failed"), "{row}");
        assert!(row.contains("? late   ✓ got"), "{row}");
    }
    // What failed and what is under way says more than what is not known.
    let failed = attempt("second", "msg_new", "ep_more", 10, (500, "no"), false);
    let more = endpoint("ep_more", "more", "https://more.example", false);
    let mut worse = half_read();
    press(&mut worse, "3");
    let read = read_from("ep_more", None);
    update(&mut worse, Msg::Changed(vec![more, failed, read]));
    let shown = row(&mut worse);
    assert!(shown.contains("✗ more 500   ? late   ✓ got"), "{shown}");
    assert!(shown.contains("↻ task.failed"), "{shown}");

    let read = vec![unread(late(), None), read_from("ep_late", None)];
    update(&mut state, Msg::Changed(read));
    let row = row(&mut state);
    assert!(row.contains("✓ task.failed"), "{row}");
    assert!(row.contains("✓ got") && !row.contains("late"), "{row}");
}

#[test]
fn an_endpoint_where_a_message_can_never_be_is_not_called_unread() {
    let late = || endpoint("ep_late", "late", "https://late.example", false);
    let completed = |it: &mut Endpoint| it.event_types = Some([EventType::TaskCompleted].into());
    for (told, is_unread) in [
        (with(late(), completed), false),
        (with(late(), |it| it.created = Some(before(5).wall)), false),
        // Which types it wanted before it was changed is not known.
        (
            with(late(), |it| {
                completed(it);
                it.updated = Some(before(5).wall);
            }),
            true,
        ),
        (with(late(), |it| it.event_types = None), true),
        // It may have been tried before it was disabled.
        (with(late(), |it| it.disabled = true), true),
    ] {
        let mut state = half_read();
        press(&mut state, "3");
        let words = format!("{:?}", told.kind);
        update(&mut state, Msg::Changed(vec![told]));
        let row = row(&mut state);
        assert_eq!(row.contains("? late"), is_unread, "{words}: {row}");
        assert_eq!(row.contains("? task.failed"), is_unread, "{words}: {row}");
        assert_eq!(row.contains("✓ task.failed"), !is_unread, "{words}: {row}");
    }
}

#[test]
fn a_disabled_endpoint_that_was_not_tried_hides_none_that_is_not_read() {
    let mut state = fresh();
    let failed = seen(1, 60, 12, &[("proxy", "failed")]);
    let new = vec![
        abilities(),
        endpoint("ep_off", "off", "https://off.example", true),
        endpoint("ep_late", "late", "https://late.example", false),
        event(5, "task.failed", failed, "keynote.mp4", 12),
        message("msg_new", 5, "task.failed", 1, 12, "{}"),
        read_from("ep_off", None),
        messages_read(None),
    ];
    update(&mut state, Msg::Changed(new));
    press(&mut state, "3");
    let shown = row(&mut state);
    assert!(shown.contains("? late   ⊘ off disabled"), "{shown}");
    assert!(!shown.contains("never sent"), "{shown}");
    update(&mut state, Msg::Changed(vec![read_from("ep_late", None)]));
    let shown = row(&mut state);
    assert!(
        shown.contains("never sent") && !shown.contains("late"),
        "{shown}"
    );
}

#[test]
fn only_what_is_known_to_be_delivered_everywhere_is() {
    for (screen, word) in [("1", "delivered"), ("3", "delivered"), ("3", "done")] {
        let mut state = half_read();
        press(&mut state, screen);
        filter(&mut state, word);
        let shown = picture(&mut state, 120, 24);
        assert!(shown.contains("0+ of 1"), "{screen} {word}: {shown}");
        assert!(shown.contains("Nothing that is read matches"), "{shown}");
        update(&mut state, Msg::Changed(vec![read_from("ep_late", None)]));
        scan(&mut state);
        let shown = picture(&mut state, 120, 24);
        assert!(shown.contains("1 of 1 "), "{screen} {word}: {shown}");
    }
}

#[test]
fn what_is_not_known_is_no_match_of_a_state_nor_of_its_negation() {
    // Of one message it is not known how it stands at one endpoint, another failed there, and a third is
    // known nowhere.
    let three = || {
        let mut state = half_read();
        let messages = [("msg_bad", 6, 13), ("msg_none", 7, 14)];
        let messages = messages.map(|(id, n, ago)| message(id, n, "task.progress", n, ago, "{}"));
        let bad = attempt("bad", "msg_bad", "ep_late", 12, (500, "no"), false);
        let got = attempt("got", "msg_bad", "ep_got", 12, (204, ""), false);
        let gone = read_from("ep_got", Some(13));
        let news = messages.into_iter().chain([bad, got, gone]).collect();
        update(&mut state, Msg::Changed(news));
        press(&mut state, "3");
        state
    };
    for (word, n_before, n_after) in [
        ("delivered", 0, 1),
        ("!delivered", 1, 2),
        ("unsent", 0, 1),
        ("!unsent", 2, 2),
        ("failed", 1, 1),
        ("!failed", 0, 2),
        ("done", 0, 1),
        ("!done", 1, 2),
        ("active", 1, 2),
        ("!active", 0, 1),
        ("manual", 0, 0),
        ("!manual", 0, 3),
        ("!disabled", 3, 3),
    ] {
        let mut state = three();
        filter(&mut state, word);
        let shown = picture(&mut state, 120, 24);
        assert!(
            shown.contains(&format!("{n_before}+ of 3")),
            "{word}: {shown}"
        );
        let whole = ["ep_got", "ep_late"].map(|id| read_from(id, None));
        update(&mut state, Msg::Changed(whole.into()));
        scan(&mut state);
        let shown = picture(&mut state, 120, 24);
        assert!(
            shown.contains(&format!("{n_after} of 3")),
            "{word}: {shown}"
        );
    }
}

/// The lines of a task's page that say what its endpoints got, and why that is not known.
fn webhooks(state: &mut State, width: u16) -> Vec<String> {
    let shown = picture(state, width, 40);
    let lines = shown.lines().skip_while(|line| !line.contains("WEBHOOKS"));
    let lines: Vec<String> = lines
        .take_while(|line| !line.contains("EVENTS"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert!(!lines.is_empty(), "{shown}");
    lines
}

#[test]
fn a_failing_endpoint_is_not_pushed_out_of_a_tasks_page_by_those_that_are_not_read() {
    let mut state = half_read();
    let mut more: Vec<Change> = (0..7)
        .map(|n| {
            let id = format!("ep_a{n}");
            endpoint(&id, &id, "https://more.example", false)
        })
        .collect();
    more.push(endpoint("ep_z", "zulu", "https://z.example", false));
    more.push(attempt("z", "msg_new", "ep_z", 11, (500, "no"), false));
    update(&mut state, Msg::Changed(more));
    press(&mut state, "1 enter");
    let lines = webhooks(&mut state, 150);
    assert!(lines[1].starts_with("zulu 0"), "{lines:#?}");
    assert!(lines[2].starts_with("got 1 of 1"), "{lines:#?}");
    let hidden = lines
        .iter()
        .any(|line| line.starts_with("… 4 more endpoints, 4 of them not read"));
    assert!(hidden, "{lines:#?}");
}

#[test]
fn what_may_match_by_what_is_not_known_is_told_apart() {
    let mut state = half_read();
    let mut may = |read: Option<Change>, text: &str| {
        update(&mut state, Msg::Changed(read.into_iter().collect()));
        let history = &state.history;
        let delivery = history.deliveries.newest().next().unwrap();
        let row = DeliverySubject { history, delivery };
        let query = Query::parse(text).unwrap();
        (query.matches(&row), query.may_match(&row))
    };
    for text in ["delivered", "!delivered", "type:task.failed done"] {
        assert_eq!(may(None, text), (false, true), "{text}");
    }
    let other = "type:task.completed delivered";
    assert_eq!(may(None, other), (false, false));
    assert_eq!(may(None, "type:task.failed"), (true, false));
    let read = read_from("ep_late", None);
    assert_eq!(may(Some(read), "delivered"), (true, false));
    assert_eq!(may(None, "!delivered"), (false, false));
}

#[test]
fn a_tasks_page_lists_the_endpoints_that_are_not_read_and_why() {
    for width in [80, 150] {
        let mut state = half_read();
        press(&mut state, "1 enter");
        let why = "429: too many requests";
        let failing = unread(late(), Some(why));
        for (what, late, reason) in [
            (None, "late ? ? not read yet", None),
            (
                Some(failing),
                "late ? ? cannot be read",
                Some("attempts at late cannot be read: 429: too many requests"),
            ),
        ] {
            update(&mut state, Msg::Changed(what.into_iter().collect()));
            let lines = webhooks(&mut state, width);
            let shown = lines.join("\n");
            assert!(shown.contains("got 1 of 1"), "{width}: {shown}");
            assert!(shown.contains(late), "{width}: {shown}");
            let is_told = |words: &str| lines.iter().any(|line| line == words);
            assert!(reason.is_none_or(is_told), "{width}: {shown}");
        }
        // Another message was read by its id: of that alone it is known how it stands there.
        let failed = attempt("second", "msg_old", "ep_late", 21, (500, "no"), false);
        let old = message("msg_old", 6, "task.progress", 1, 22, "{}");
        let got = attempt("third", "msg_old", "ep_got", 21, (204, ""), false);
        let all = ChangeKind::AttemptsRead(MessageId::new("msg_old"));
        let read = vec![old, failed, got, change(0, all)];
        update(&mut state, Msg::Changed(read));
        let shown = webhooks(&mut state, width).join("\n");
        assert!(shown.contains("late 0+ of 1+ not yet"), "{width}: {shown}");
        assert!(shown.contains("got 2 of 2 "), "{width}: {shown}");
        let whole = vec![unread(late(), None), read_from("ep_late", None)];
        update(&mut state, Msg::Changed(whole));
        let shown = webhooks(&mut state, width).join("\n");
        assert!(shown.contains("late 0 of 1 not yet"), "{width}: {shown}");
        assert!(
            !shown.contains('?') && !shown.contains("attempts at"),
            "{shown}"
        );
        // Messages that are not read may be of this task.
        let whole = vec![messages_read(Some(5))];
        update(&mut state, Msg::Changed(whole));
        let shown = webhooks(&mut state, width).join("\n");
        assert!(shown.contains("late 0+ of 1+ not yet"), "{width}: {shown}");
    }
}

#[test]
fn what_failed_where_the_log_broke_off_may_have_been_delivered_since() {
    let mut state = half_read();
    press(&mut state, "1 enter");
    let failed = attempt("second", "msg_new", "ep_late", 11, (500, "no"), false);
    let read = vec![failed, read_from("ep_late", None)];
    update(&mut state, Msg::Changed(read));
    let shown = webhooks(&mut state, 150).join("\n");
    assert!(shown.contains("late 0 of 1 not yet"), "{shown}");
    update(
        &mut state,
        Msg::Changed(vec![unread(late(), Some("500: down"))]),
    );
    let shown = webhooks(&mut state, 150).join("\n");
    assert!(shown.contains("late 0+ of 1 not yet"), "{shown}");
    assert!(
        shown.contains("attempts at late cannot be read: 500: down"),
        "{shown}"
    );
    assert!(shown.contains("got 1 of 1 "), "{shown}");
}
