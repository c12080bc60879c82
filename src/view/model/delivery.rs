//! Messages in words: outcomes at endpoints, what comes next, why an attempt failed.

use super::{Said, kept_of_answer, outcome_glyph, unread};
use crate::app::{State, Tone};
use crate::domain::time::{OVERDUE, SECOND, due_words, rough_words};
use crate::domain::{
    Attempt, AttemptStatus, Counted, Delivery, EndpointId, EndpointOutcome, Forecast, History,
    NotRead, OutcomeState, Replay, ReplayState, TaskId, Time, answer,
};

/// Longest label of an endpoint in a row, in cells.
const LABEL: usize = 18;

/// A day, in microseconds.
const DAY: i64 = 86_400 * SECOND;

/// Cells of the column of [`notified`].
pub const NOTIFIED: u16 = 9;

/// Whether the endpoints got a task's latest event and its end: `✓ 3 of 3`, of the one that fares
/// worse; `? 3 of 3+` where more of it may be there than is read.
pub fn notified(history: &History, task: &TaskId) -> Said {
    let mut found: Option<(&Delivery, u8)> = None;
    let mut is_part = is_message_missing(history, task);
    for delivery in history.deliveries.deciding(task) {
        let (.., rank) = ranked(history, delivery);
        if found.is_none_or(|(_, worst)| rank > worst) {
            found = Some((delivery, rank));
        }
        is_part |= is_outcome_open(history, delivery);
    }
    let of = found.map_or(0, |(delivery, _)| delivery.outcomes.len());
    let Some((delivery, _)) = found.filter(|_| of > 0) else {
        let words = match (found, history.messages_not_read()) {
            (None, Some(NotRead::Absent)) => "not told",
            _ if is_part => "? unread",
            (Some(_), _) => "· unsent",
            (None, _) => "·",
        };
        return (Tone::Dim, words.to_owned());
    };
    let got = delivery
        .outcomes
        .iter()
        .filter(|outcome| outcome.state == OutcomeState::Delivered)
        .count();
    let (glyph, tone) = match worst(history, delivery) {
        (_, Tone::Ok) if is_part => ("?", Tone::Dim),
        worst => worst,
    };
    let more = if is_part { "+" } else { "" };
    let words = format!("{glyph} {got} of {of}{more}");
    let is_cut = words.chars().count() > usize::from(NOTIFIED);
    let short = is_cut.then(|| format!("{glyph} {got}/{of}{more}"));
    (tone, short.unwrap_or(words))
}

/// Whether a message that decides how a task's endpoints know of it may be there and is not known:
/// its latest, or one that told its end.
fn is_message_missing(history: &History, task: &TaskId) -> bool {
    if history.messages_not_read().is_some() {
        return true;
    }
    let (Some(before), Some(row)) = (history.messages_unread_before(), history.tasks.get(task))
    else {
        return false;
    };
    let mut deciding = history.deliveries.deciding(task).peekable();
    let is_any = deciding.peek().is_some();
    let is_end_known = deciding.any(Delivery::tells_end);
    row.created() < before && (!is_any || row.is_done() && !is_end_known)
}

/// Whether how a message stands at an endpoint may be another than is known: attempts there that are
/// not read may have delivered it, or failed.
fn is_outcome_open(history: &History, delivery: &Delivery) -> bool {
    let mut failing =
        (delivery.outcomes.iter()).filter(|outcome| outcome.state != OutcomeState::Delivered);
    history.is_unread_somewhere(delivery)
        || failing.any(|outcome| {
            let missing = history.attempts_missing(delivery, &outcome.endpoint);
            missing.is_some()
        })
}

/// Glyph and tone of a message's worst outcome: failed and no more tries, failed and retrying,
/// under way, not known somewhere, delivered.
pub fn worst(history: &History, delivery: &Delivery) -> (&'static str, Tone) {
    let (glyph, tone, _) = ranked(history, delivery);
    (glyph, tone)
}

/// The same, and how bad it is: 0 where nothing is missing that was tried.
fn ranked(history: &History, delivery: &Delivery) -> (&'static str, Tone, u8) {
    let mut found = ("✓", Tone::Ok, 0);
    if delivery.outcomes.is_empty() {
        return ("·", Tone::Dim, 0);
    }
    for outcome in &delivery.outcomes {
        let (glyph, tone) = outcome_glyph(outcome.state);
        let next = match outcome.state {
            OutcomeState::Delivered => continue,
            OutcomeState::Canceled => (glyph, tone, 1),
            OutcomeState::Sending => (glyph, tone, 2),
            OutcomeState::Failed => match forecast(history, delivery, &outcome.endpoint) {
                Forecast::Next { .. } => ("↻", Tone::Warn, 3),
                _ => (glyph, tone, 4),
            },
        };
        if next.2 > found.2 {
            found = next;
        }
    }
    if found.2 == 0 && history.is_unread_somewhere(delivery) {
        return ("?", Tone::Dim, 0);
    }
    found
}

/// What the service will do by itself.
pub fn forecast(history: &History, delivery: &Delivery, endpoint: &EndpointId) -> Forecast {
    history.forecast(delivery, endpoint)
}

/// The outcomes of a message in a row, those that went wrong first, then those that are not known,
/// and what was delivered at last.
pub fn outcomes(history: &History, delivery: &Delivery) -> Vec<Said> {
    let mut rows: Vec<&EndpointOutcome> = delivery.outcomes.iter().collect();
    rows.sort_by_cached_key(|outcome| {
        (
            std::cmp::Reverse(outcome.state),
            history.endpoint_label(&outcome.endpoint),
        )
    });
    let silent = never_sent(history, delivery);
    let mut unread: Vec<String> = Vec::new();
    // Where nothing is known, why it is not stands there alone.
    if !rows.is_empty() || !silent.is_empty() {
        let at = history.unread_at(delivery);
        unread.extend(at.map(|endpoint| label(history, endpoint)));
        unread.sort_unstable();
    }
    let n_first = rows.partition_point(|it| it.state != OutcomeState::Delivered);
    let (first, delivered) = rows.split_at(n_first);
    let mut words = Vec::new();
    for outcome in first {
        outcome_words(&mut words, history, delivery, outcome);
    }
    for label in unread {
        part(&mut words);
        words.push((Tone::Dim, format!("? {label}")));
    }
    for outcome in delivered {
        outcome_words(&mut words, history, delivery, outcome);
    }
    for endpoint in silent {
        part(&mut words);
        words.push((
            Tone::Dim,
            format!("⊘ {} disabled", label(history, &endpoint)),
        ));
    }
    if words.is_empty() {
        let text = match history.why_unread_somewhere(delivery) {
            None => "no attempt seen yet".to_owned(),
            Some(why) => format!("attempts {}", unread::cell(why)),
        };
        words.push((Tone::Dim, text));
    }
    words
}

/// Keeps what follows apart from what is there.
fn part(words: &mut Vec<Said>) {
    if !words.is_empty() {
        words.push((Tone::Text, "   ".to_owned()));
    }
}

/// How a message stands at one endpoint: `✗ shop 500 ×3`, and `?` where what came after that failure
/// cannot be read.
fn outcome_words(
    words: &mut Vec<Said>,
    history: &History,
    delivery: &Delivery,
    outcome: &EndpointOutcome,
) {
    part(words);
    let (glyph, tone) = outcome_glyph(outcome.state);
    words.push((tone, format!("{glyph} ")));
    words.push((Tone::Text, label(history, &outcome.endpoint)));
    if outcome.state == OutcomeState::Failed
        && let Some(last) = delivery.attempt(&outcome.last)
    {
        words.push((tone, format!(" {}", last.outcome_words())));
        if outcome.n_attempts > 1 {
            words.push((Tone::Dim, format!(" ×{}", outcome.n_attempts)));
        }
        if history.counted_at(&outcome.endpoint) == Counted::AsRead {
            words.push((Tone::Dim, " ?".to_owned()));
        }
    }
}

/// Disabled endpoints that it was not sent to, as far as their attempts were read.
fn never_sent(history: &History, delivery: &Delivery) -> Vec<EndpointId> {
    let mut silent = history.silent(delivery);
    silent.retain(|endpoint| !history.is_unread(delivery, endpoint));
    silent
}

/// An endpoint's name, short enough for a row.
pub fn label(history: &History, endpoint: &EndpointId) -> String {
    crate::view::text::cut_middle(
        &crate::domain::visible(&history.endpoint_label(endpoint)),
        LABEL,
    )
    .into_owned()
}

/// How sure it is when an attempt comes.
#[derive(Clone, Copy)]
enum Sureness {
    /// The service says so.
    Told,
    Estimate,
    /// A manual attempt may have ended the schedule.
    Maybe,
}

/// What comes next for a message: an open replay first, else the soonest retry.
pub fn next(history: &History, delivery: &Delivery, now: Time) -> Said {
    let open = history
        .replays
        .of_message(&delivery.id)
        .rev()
        .find(|replay| replay.state.is_open());
    if let Some(replay) = open {
        return replay_words(replay);
    }
    let now = history.service_time(now);
    let mut soonest: Option<(Time, Sureness)> = None;
    let mut exhausted = None;
    for outcome in &delivery.outcomes {
        let (at, sureness) = match forecast(history, delivery, &outcome.endpoint) {
            Forecast::Next { at, is_exact, .. } if is_exact => (at, Sureness::Told),
            Forecast::Next { at, .. } => (at, Sureness::Estimate),
            Forecast::Uncertain { at, .. } => (at, Sureness::Maybe),
            Forecast::Exhausted { of } => {
                exhausted = Some(format!("exhausted, {of} tries"));
                continue;
            }
            Forecast::Over { number, .. } => {
                exhausted = Some(format!("given up, {number} tries"));
                continue;
            }
            Forecast::Unread => {
                exhausted.get_or_insert("older tries unread".to_owned());
                continue;
            }
            Forecast::Nothing => continue,
        };
        if soonest.is_none_or(|(time, _)| at < time) {
            soonest = Some((at, sureness));
        }
    }
    match (soonest, exhausted) {
        (Some((at, sureness)), _) => {
            let (maybe, estimate) = match sureness {
                Sureness::Told => ("", ""),
                Sureness::Estimate => ("", " (est.)"),
                Sureness::Maybe => ("maybe ", " (est.)"),
            };
            let words = if at.since(now) >= SECOND {
                format!("↻ {maybe}in {}{estimate}", rough_words(at.since(now)))
            } else if now.since(at) >= OVERDUE {
                format!("↻ {maybe}overdue {}", rough_words(now.since(at)))
            } else {
                format!("↻ {maybe}due now{estimate}")
            };
            (Tone::Warn, words)
        }
        (None, Some(words)) => (Tone::Bad, words),
        (None, None)
            if delivery.outcomes.is_empty()
                && !history.is_unread_somewhere(delivery)
                && !never_sent(history, delivery).is_empty() =>
        {
            (Tone::Dim, "never sent".to_owned())
        }
        (None, None) => (Tone::Text, String::new()),
    }
}

/// A replay in a few words.
pub fn replay_words(replay: &Replay) -> Said {
    let (glyph, tone) = replay_glyph(&replay.state);
    (tone, format!("{glyph} replay {}", replay.state.name()))
}

/// Glyph and tone of a replay's state.
pub fn replay_glyph(state: &ReplayState) -> (&'static str, Tone) {
    match state {
        ReplayState::Planned | ReplayState::Sending => ("▶", Tone::Info),
        ReplayState::Accepted | ReplayState::AttemptSeen(_) => ("↻", Tone::Info),
        ReplayState::Delivered { .. } => ("✓", Tone::Ok),
        ReplayState::Answered(answer) if answer.is_success() => ("✓", Tone::Ok),
        ReplayState::Failed { .. } | ReplayState::Answered(_) | ReplayState::Refused(_) => {
            ("✗", Tone::Bad)
        }
        ReplayState::Unknown(_) | ReplayState::Ambiguous(_) | ReplayState::GivenUp(_) => {
            ("?", Tone::Warn)
        }
        ReplayState::Cancelled(_) => ("–", Tone::Dim),
    }
}

/// Glyph and tone of an attempt.
pub fn attempt_glyph(status: &AttemptStatus) -> (&'static str, Tone) {
    match status {
        AttemptStatus::Success => ("✓", Tone::Ok),
        AttemptStatus::Pending => ("◷", Tone::Dim),
        AttemptStatus::Sending => ("▶", Tone::Info),
        AttemptStatus::Fail => ("✗", Tone::Bad),
        AttemptStatus::Canceled => ("⊘", Tone::Dim),
        AttemptStatus::Unknown => ("?", Tone::Warn),
    }
}

/// What the service will do by itself at one endpoint, in a sentence's words. `offset` is the zone
/// of clock times, in seconds east of UTC.
pub fn forecast_words(forecast: Forecast, now: Time, offset: i32) -> Option<Said> {
    let due = |at: Time, is_exact: bool| {
        let (about, estimate) = if is_exact {
            ("", "")
        } else {
            ("about ", " (estimate)")
        };
        let due = due_words(at, now, about);
        // It stands beside the attempt that it is about.
        format!("{}{estimate}", due.replacen("due in ", "next in ", 1))
    };
    match forecast {
        Forecast::Nothing => None,
        Forecast::Next {
            number,
            of,
            at,
            last,
            is_exact,
        } => {
            let told = if is_exact {
                ", as the service says"
            } else {
                ""
            };
            let last = if number == of {
                ", the last".to_owned()
            } else if last > now {
                format!(", last about {}", clock_words(last, now, offset))
            } else {
                String::new()
            };
            let due = due(at, is_exact);
            let words = format!("↻ attempt {number} of {of}, {due}{told}{last}");
            Some((Tone::Warn, words))
        }
        Forecast::Over { number, of } => Some((
            Tone::Bad,
            format!("✗ the service plans no more attempts after {number} of {of}; r replays it"),
        )),
        Forecast::Unread => Some((
            Tone::Dim,
            "? older attempts are not read yet: which ones these are, and what comes next, is not \
             known"
                .to_owned(),
        )),
        Forecast::Uncertain { number, of, at } => Some((
            Tone::Dim,
            format!(
                "? attempt {number} of {of}, {}, unless the manual attempt ended the schedule",
                due(at, false)
            ),
        )),
        Forecast::Exhausted { of } => Some((
            Tone::Bad,
            format!("✗ exhausted: all {of} automatic attempts failed; r replays it"),
        )),
    }
}

/// A time to come, as exact as an estimate is: `09:40`, or `09:40 (+2d)` on another day.
fn clock_words(at: Time, now: Time, offset: i32) -> String {
    let day = |time: Time| time.plus(i64::from(offset) * SECOND).0.div_euclid(DAY);
    let clock: String = at.clock(offset).chars().take(5).collect();
    match day(at) - day(now) {
        0 => clock,
        days => format!("{clock} (+{days}d)"),
    }
}

/// Why a message fails at an endpoint, in a sentence.
pub fn why(history: &History, delivery: &Delivery, endpoint: &EndpointId) -> Option<String> {
    let attempts = delivery.attempts_at(endpoint);
    let last = attempts.last()?;
    let class = last.failure()?;
    let n_failed = attempts
        .iter()
        .rev()
        .take_while(|attempt| attempt.failure() == Some(class))
        .count();
    let times = match n_failed {
        1 => String::new(),
        2 => " twice".to_owned(),
        n => format!(" {n} times"),
    };
    let what = match last.code {
        0 => format!("{}{times}", class.words()),
        code => {
            // Of answers that the service no longer has, nobody knows whether they were alike.
            let same_body = n_failed > 1
                && !answer::is_expunged(&last.response)
                && attempts
                    .iter()
                    .rev()
                    .take(n_failed)
                    .all(|attempt| attempt.response == last.response);
            let is_cut = delivery.is_cut(&last.id);
            let body = match (same_body, is_cut) {
                (false, _) => String::new(),
                (true, false) => " with the same body".to_owned(),
                (true, true) => {
                    let kept = kept_of_answer(history);
                    format!(" with the same body as far as it is kept ({kept})")
                }
            };
            let says = answer::told(&last.response, " and");
            format!("the receiver answered {code}{times}{body}{says}")
        }
    };
    let others = delivery
        .outcomes
        .iter()
        .any(|other| other.endpoint != *endpoint && other.state == OutcomeState::Delivered);
    let others = if others {
        "; other endpoints got it"
    } else {
        ""
    };
    Some(format!("{what}{others}. {}", sentence(class.hint())))
}

/// The words as a sentence: a capital first letter, and a mark at the end.
pub fn sentence(text: &str) -> String {
    let text = capitalized(text.trim_end_matches('.'));
    if text.ends_with(['?', '!']) {
        text
    } else {
        format!("{text}.")
    }
}

/// The words with a capital first letter.
pub fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + chars.as_str()
    })
}

/// What caused an attempt: the schedule, someone's hand, or a replay of ours.
pub fn cause<'a>(history: &History, attempt: &'a Attempt) -> &'a str {
    match history.replays.cause_of(&attempt.id) {
        Some(_) => "replay",
        None => attempt.trigger.name(),
    }
}

/// Whose replay it is and when it was made: `your replay of 14:03:10`.
pub fn whose(state: &State, replay: &Replay) -> String {
    let at = state.clock(replay.sent.unwrap_or(replay.planned).wall);
    match &replay.by {
        None => format!("your replay of {at}"),
        Some(who) if who.is_running => format!("the replay of {at} by {}", who.words()),
        Some(_) => format!("your replay of {at}, by an earlier reeltop"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forecast_tells_number_time_and_the_last() {
        let minute = 60 * SECOND;
        let said = |forecast| {
            forecast_words(forecast, Time(0), 3600)
                .unwrap_or_default()
                .1
        };
        let next = |number, at: i64, last: i64| Forecast::Next {
            number,
            of: 8,
            at: Time(at * minute),
            last: Time(last * minute),
            is_exact: false,
        };
        assert_eq!(
            said(next(4, 12, 580)),
            "↻ attempt 4 of 8, next in about 12m (estimate), last about 10:40"
        );
        assert_eq!(
            said(next(4, 12, 2 * 1440 + 10)),
            "↻ attempt 4 of 8, next in about 12m (estimate), last about 01:10 (+2d)"
        );
        assert_eq!(
            said(next(8, -3, -3)),
            "↻ attempt 8 of 8, overdue by 3m (estimate), the last"
        );
        assert_eq!(
            said(next(8, 0, 0)),
            "↻ attempt 8 of 8, due now (estimate), the last"
        );
        let told = Forecast::Next {
            number: 4,
            of: 8,
            at: Time(12 * minute),
            last: Time(580 * minute),
            is_exact: true,
        };
        assert_eq!(
            said(told),
            "↻ attempt 4 of 8, next in 12m, as the service says, last about 10:40"
        );
        assert!(said(Forecast::Exhausted { of: 8 }).starts_with("✗ exhausted: all 8"));
    }
}
