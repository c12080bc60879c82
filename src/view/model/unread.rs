//! What of the service's logs is not read here, in words: counts of messages and failures are too
//! low by that.

use crate::app::subject::{DeliverySubject, TaskSubject};
use crate::app::{Screen, State};
use crate::domain::{
    Ability, Counted, Delivery, EndpointId, History, Log, MessageId, NotRead, TaskId, Time, plural,
    visible,
};

/// What stands behind a count that may be too low, or is as it was before a log broke off.
pub fn more(history: &History) -> &'static str {
    behind(history.counted())
}

/// The same behind a count of one endpoint.
pub fn more_at(history: &History, endpoint: &EndpointId) -> &'static str {
    behind(history.counted_at(endpoint))
}

fn behind(counted: Counted) -> &'static str {
    match counted {
        Counted::Whole => "",
        Counted::AtLeast => "+",
        Counted::AsRead => "?",
    }
}

/// What stands behind the number of messages.
pub fn more_messages(history: &History) -> &'static str {
    if history.messages_unread_before().is_some() {
        "+"
    } else {
        ""
    }
}

/// What stands behind a number of tasks: where they are told by messages alone, more may be among those
/// that are not read.
pub fn more_tasks(state: &State) -> &'static str {
    if state.session.is_svix_alone {
        more_messages(&state.history)
    } else {
        ""
    }
}

/// Before when messages of a task may be missing, if they may.
pub fn messages_before_of(history: &History, task: &TaskId) -> Option<Time> {
    let made = history.tasks.get(task).map(|task| task.created());
    let before = history.messages_unread_before();
    before.filter(|before| made.is_none_or(|made| made < *before))
}

/// How many messages are known: `1 message`, `500+ messages`.
pub fn n_messages(history: &History) -> String {
    let n = history.deliveries.len();
    match more_messages(history) {
        "" => plural(n, "message", "messages"),
        more => format!("{n}{more} messages"),
    }
}

/// What is not read of messages and attempts, each with its time.
pub fn words(history: &History, offset: i32) -> Vec<String> {
    let messages = history.messages_unread_before();
    let attempts = history.attempts_unread_before();
    let messages = messages.map(|before| messages_words(history, before, offset));
    let attempts = attempts.map(|before| attempts_words(history, before, offset));
    messages.into_iter().chain(attempts).collect()
}

/// That messages or attempts are missing, in a few words.
pub fn short(history: &History) -> Option<&'static str> {
    missing(history).map(|(words, _)| words)
}

/// The same with the reason, where there is one.
pub fn short_with_reason(history: &History) -> Option<String> {
    missing(history).map(|(words, why)| match why {
        Some(why) => format!("{words}: {}", visible(why)),
        None => words.to_owned(),
    })
}

/// What is missing, and why that is.
fn missing(history: &History) -> Option<(&'static str, Option<&str>)> {
    match history.messages_not_read() {
        Some(NotRead::Yet) => return Some(("messages not read yet", None)),
        Some(NotRead::Failed(why)) => return Some(("messages cannot be read", Some(why))),
        Some(NotRead::Absent) => return Some(("messages not told here", None)),
        None => {}
    }
    if let Some(why) = history.failing_logs().map(|(_, why)| why).min() {
        return Some((failing_short(history)?, Some(why)));
    }
    if history.messages_unread_before().is_some() {
        return Some(match history.why_messages_unread() {
            Some(why) => ("older messages not read", Some(why)),
            None => ("older messages not read yet", None),
        });
    }
    let before = history.attempts_unread_before()?;
    let is_absent = matches!(history.abilities.attempts, Ability::Absent(_));
    let older = history.why_older_attempts_unread(before);
    Some(match (before, older) {
        _ if is_absent => ("attempts not told here", None),
        (Time(i64::MAX), _) => ("attempts not read yet", None),
        (_, Some(why)) => ("older attempts not read", Some(why)),
        (_, None) => ("older attempts not read yet", None),
    })
}

/// What is not read of that which the filter of this screen asks, each with its time: what is shown
/// need not be all that matches.
pub fn of_filter(state: &State) -> Vec<String> {
    let is_asked = match (state.screen, state.filter()) {
        (Screen::Tasks, Some(filter)) => TaskSubject::asks_webhooks(&filter.query),
        (Screen::Deliveries, Some(filter)) => DeliverySubject::asks_attempts(&filter.query),
        _ => false,
    };
    if is_asked {
        words(&state.history, state.session.utc_offset)
    } else {
        Vec::new()
    }
}

/// Why no attempt at an endpoint is known, where there may be some all the same.
pub fn attempts_unknown<'a>(history: &'a History, endpoint: &EndpointId) -> Option<NotRead<'a>> {
    let is_unseen = history.deliveries.tries(endpoint).is_none();
    let why = history.attempts_not_read(endpoint);
    why.filter(|_| is_unseen)
}

/// Why it is not known how an endpoint fares, where the attempts that are known are no measure of that.
pub fn unmeasured<'a>(history: &'a History, endpoint: &EndpointId) -> Option<NotRead<'a>> {
    let why = history.attempts_not_read(endpoint);
    why.filter(|_| !history.is_log_read(endpoint))
        .or_else(|| attempts_unknown(history, endpoint))
}

/// What stands where something may be that is not known, in a cell.
pub fn cell(why: NotRead<'_>) -> &'static str {
    match why {
        NotRead::Yet => "not read yet",
        NotRead::Failed(_) => "cannot be read",
        NotRead::Absent => "not told here",
    }
}

/// The same in a sentence, with the reason.
pub fn sentence(why: NotRead<'_>) -> String {
    visible(&why.words()).into_owned()
}

/// Before when messages are missing: `messages before 2026-11-26 12:03:10 are not read yet`.
pub fn messages_words(history: &History, before: Time, offset: i32) -> String {
    let what = if before == Time(i64::MAX) {
        "messages".to_owned()
    } else {
        format!("messages before {}", before.date_clock(offset))
    };
    match (history.messages_not_read(), history.why_messages_unread()) {
        (Some(why @ NotRead::Failed(_)), _) => format!("messages {}", sentence(why)),
        (_, Some(why)) => format!("{what} are not read: {}", visible(why)),
        (_, None) => format!("{what} are not read yet"),
    }
}

/// Before when attempts may be missing: `attempts before 2026-11-26 12:03:10 are not read yet`.
pub fn attempts_words(history: &History, before: Time, offset: i32) -> String {
    if matches!(history.abilities.attempts, Ability::Absent(_)) {
        return "attempts are not told by this server".to_owned();
    }
    if let Some(words) = failing_words(history, offset) {
        return words;
    }
    if before == Time(i64::MAX) {
        return "attempts are not read yet".to_owned();
    }
    let what = format!("attempts before {} are not read", before.date_clock(offset));
    match history.why_older_attempts_unread(before) {
        Some(why) => format!("{what}: {}", visible(why)),
        None => format!("{what} yet"),
    }
}

/// That the newest attempts cannot be read somewhere, in a few words.
pub fn failing_short(history: &History) -> Option<&'static str> {
    let mut failing = history.failing_logs().peekable();
    failing.peek()?;
    if failing.all(|(id, _)| history.attempts_read_until(id).is_some()) {
        Some("new attempts cannot be read")
    } else {
        Some("attempts cannot be read")
    }
}

/// Where the newest attempts cannot be read, and why; and up to when those are known that were.
pub fn failing_words(history: &History, offset: i32) -> Option<String> {
    let mut failing: Vec<_> = history.failing_logs().collect();
    failing.sort_unstable();
    let of_before = |id| history.attempts_read_until(id);
    let until = failing.iter().filter_map(|(id, _)| of_before(*id)).min();
    let (read, never): (Vec<_>, Vec<_>) = failing
        .into_iter()
        .partition(|(id, _)| of_before(*id).is_some());
    let whose = |of: &[(&EndpointId, &str)]| match *of {
        [(endpoint, _)] => visible(&history.endpoint_label(endpoint)).into_owned(),
        _ => format!("{} endpoints", of.len()),
    };
    let until = until.map(|until| format!("known only up to {}", until.date_clock(offset)));
    Some(match (never.first(), read.first(), until) {
        (Some((_, why)), Some(_), Some(until)) => format!(
            "attempts at {} cannot be read, and at {} are {until}: {}",
            whose(&never),
            whose(&read),
            visible(why)
        ),
        (Some((_, why)), ..) => {
            let why = sentence(NotRead::Failed(why));
            format!("attempts at {} {why}", whose(&never))
        }
        (None, Some((_, why)), Some(until)) => {
            format!("attempts at {} are {until}: {}", whose(&read), visible(why))
        }
        _ => return None,
    })
}

/// How long an attempt may be known before the message that it is of, as each is read in its turn,
/// in microseconds.
const READ_IN_TURN: i64 = 15_000_000;

/// Whether a message may have come into the log after that was read last.
fn may_be_newer(history: &History, delivery: &Delivery, now: Time) -> bool {
    history.service_time(now).since(delivery.time()) < READ_IN_TURN
}

/// What stands for the event of a message of which only attempts were seen.
pub fn kind_words(history: &History, delivery: &Delivery, now: Time) -> &'static str {
    let log = Log::Message(delivery.id.clone());
    match history.messages_unread_before() {
        _ if history.deliveries.why_unread(&log).is_some() => "not known",
        None if may_be_newer(history, delivery, now) => "not read yet",
        None => "not in the log",
        Some(_) if history.why_messages_unread().is_some() => "not known",
        Some(_) => "not read yet",
    }
}

/// Why a message is not known of which only attempts were seen, or its payload. `is_told`: whether
/// the server tells a message by its id.
pub fn message_words(history: &History, id: &MessageId, is_told: bool, now: Time) -> String {
    const NONE_BY_ID: &str = "this server tells no message by its id";
    let why = history.deliveries.why_unread(&Log::Message(id.clone()));
    let delivery = history.deliveries.get(id);
    match (
        why,
        history.messages_unread_before(),
        history.why_messages_unread(),
    ) {
        (Some(why), ..) => format!("not known: {}", visible(why)),
        (None, ..) if is_told => "not read yet".to_owned(),
        (None, None, _) if delivery.is_some_and(|it| may_be_newer(history, it, now)) => {
            "not read yet".to_owned()
        }
        _ if delivery.is_some_and(|it| it.message.is_some()) => {
            format!("not known: the log does not hold it, and {NONE_BY_ID}")
        }
        (None, None, _) => {
            format!("not known: it was not in the log as that was read, and {NONE_BY_ID}")
        }
        (None, Some(_), Some(why)) => {
            let log = match history.messages_not_read() {
                Some(_) => "messages are not read",
                None => "the log is not read as far back",
            };
            format!("not known: {log}: {}; {NONE_BY_ID}", visible(why))
        }
        (None, Some(_), None) => {
            format!("not read yet: older messages are still to be read, and {NONE_BY_ID}")
        }
    }
}
