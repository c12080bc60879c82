//! The plan as it is printed, and what is said where nothing of it can be sent.

use std::fmt::Write as _;
use std::io;

use serde_json::json;

use super::earlier::Found;
use crate::cli::output::{Output, UNCLEAR, note};
use crate::domain::bulk::{MANY, order_words, retried_words, tried_words};
use crate::domain::{
    History, MessageId, OutcomeState, Plan, PlanItem, Replay, ReplayState, Retry, Route, Time,
    Verdict, in_the_way, visible,
};
use crate::io::ledger::Pair;

/// `n_tried` of what is chosen an earlier replay tried, and it is sent last.
pub fn plan_text(plans: &[Plan], rate: f64, is_bulk: bool, n_tried: usize, now: Time) -> String {
    let mut text = String::new();
    let is_told = |plan: &&Plan| !is_bulk || plan.items.iter().any(|item| item.is_failing);
    for plan in plans.iter().filter(is_told) {
        let message = plan.message.to_string();
        let _ = writeln!(text, "{} by {}", visible(&message), visible(&plan.route));
        for item in plan.items.iter().filter(|item| !is_bulk || item.is_failing) {
            let (word, why) = match &item.verdict {
                Verdict::Send => ("send", ""),
                Verdict::Skip(why) => ("skip", why.as_str()),
                Verdict::Refuse(why) => ("refuse", why.as_str()),
            };
            let line = format!("  {word:<6}  {}  {}  {why}", item.label, item.url);
            text.push_str(visible(&line).trim_end());
            text.push('\n');
            for warning in &item.warnings {
                let _ = writeln!(text, "          ! {}", visible(warning));
            }
        }
        if plan.items.is_empty() {
            text.push_str("  no endpoint was sent it or wants it\n");
        }
    }
    let n_chosen = plans.iter().flat_map(Plan::chosen).count();
    if n_chosen > 1 || is_bulk && n_chosen > 0 {
        let how = order_words(n_chosen, rate);
        let _ = writeln!(text, "{n_chosen} to send, {how}");
        if let Some(words) = tried_words(n_tried) {
            let _ = writeln!(text, "{words}");
        }
    }
    if let Some(words) = retry_words(plans, now) {
        let _ = writeln!(text, "{words}");
    }
    text
}

/// Names the way on wherever an earlier replay keeps something from being sent: the command that closes
/// an open one whose outcome nobody follows, and the one that sends what is left out as its outcome is
/// in doubt. `is_named` is whether that is this command already.
pub fn name_ways_on(plans: &mut [Plan], history: &History, is_named: bool) {
    for plan in plans {
        let message = &plan.message;
        for item in &mut plan.items {
            let way = match &item.verdict {
                Verdict::Refuse(_) => {
                    let open = in_the_way(history, message, &item.endpoint);
                    open.and_then(Replay::closing_words)
                }
                Verdict::Skip(_) if !is_named => doubt(history, message, item).map(|_| {
                    let endpoint = &item.endpoint;
                    format!("reeltop replay {message} --endpoint {endpoint} sends it all the same")
                }),
                Verdict::Skip(_) | Verdict::Send => None,
            };
            if let (Verdict::Refuse(why) | Verdict::Skip(why), Some(way)) = (&mut item.verdict, way)
            {
                why.push_str("; ");
                why.push_str(&way);
            }
        }
    }
}

/// The latest replay there, if its outcome is in doubt. That of one whose end was found is not.
fn doubt<'a>(history: &'a History, message: &MessageId, item: &PlanItem) -> Option<&'a Replay> {
    let doubt = history.replays.doubtful_of(message, &item.endpoint)?;
    let is_delivered = matches!(doubt.state, ReplayState::Delivered { .. });
    (doubt.state.may_have_arrived() && !is_delivered).then_some(doubt)
}

/// What another replay keeps from being sent whose outcome is not known, be it that somebody is just
/// sending it, and why.
pub struct Held {
    pub pair: Pair,
    /// Whether the plan of many prints it.
    pub is_failing: bool,
    line: String,
}

/// All of it. What its endpoint has got since wants nothing any more.
pub fn held_back(plans: &[Plan], history: &History) -> Vec<Held> {
    let mut held = Vec::new();
    for plan in plans {
        let message = &plan.message;
        for item in &plan.items {
            let is_held = |_: &&String| match &item.verdict {
                Verdict::Refuse(_) => in_the_way(history, message, &item.endpoint).is_some(),
                _ => !has_got(history, message, item) && doubt(history, message, item).is_some(),
            };
            let why = match &item.verdict {
                Verdict::Refuse(why) | Verdict::Skip(why) => Some(why),
                Verdict::Send => None,
            };
            if let Some(why) = why.filter(is_held) {
                held.push(Held {
                    pair: (message.clone(), item.endpoint.clone()),
                    is_failing: item.is_failing,
                    line: format!("nothing was sent of {message} to {}: {why}", item.label),
                });
            }
        }
    }
    held
}

/// Says how all is closed at once whose outcome is not known, where that keeps more than one from
/// being sent.
pub fn note_closing(plans: &[Plan], history: &History) {
    let is_closable = |plan: &Plan, item: &PlanItem| {
        let open = in_the_way(history, &plan.message, &item.endpoint);
        open.is_some_and(|open| open.closing_words().is_some())
    };
    let of = |plan: &Plan| {
        let items = plan.items.iter();
        items.filter(|item| is_closable(plan, item)).count()
    };
    let n: usize = plans.iter().map(of).sum();
    if n > 1 {
        note(&format!(
            "{n} are held back by replays of unknown outcome; once you have looked there, reeltop \
             replays --give-up --open closes all that are open, with --query QUERY instead of \
             --open those that are meant"
        ));
    }
}

fn has_got(history: &History, message: &MessageId, item: &PlanItem) -> bool {
    let delivery = history.deliveries.get(message);
    let outcome = delivery.and_then(|delivery| delivery.outcome(&item.endpoint));
    outcome.is_some_and(|outcome| outcome.state == OutcomeState::Delivered)
}

/// Says of as many as anybody reads why they are held back; gives these.
pub fn say_held(held: &[Held]) -> impl Iterator<Item = &Held> {
    let lines: Vec<&str> = held.iter().map(|held| held.line.as_str()).collect();
    note_some(&lines, "that are not sent");
    held.iter().take(MANY)
}

/// Says so many of the lines as anybody reads.
fn note_some(lines: &[impl AsRef<str>], what: &str) {
    for line in lines.iter().take(MANY) {
        note(&visible(line.as_ref()));
    }
    if let Some(n_more) = lines.len().checked_sub(MANY).filter(|n| *n > 0) {
        note(&format!(
            "{n_more} more {what}; --dry-run instead of --yes prints them all and sends nothing"
        ));
    }
}

pub fn print_plan_lines(
    out: &mut Output,
    plans: &[Plan],
    route: Route,
    now: &str,
) -> io::Result<()> {
    for plan in plans {
        for item in &plan.items {
            let (state, reason) = match &item.verdict {
                Verdict::Send => ("planned", None),
                Verdict::Skip(why) => ("skipped", Some(why)),
                Verdict::Refuse(why) => ("refused", Some(why)),
            };
            let line = json!({
                "message_id": plan.message.to_string(),
                "endpoint_id": item.endpoint.to_string(),
                "route": route.name(),
                "state": state,
                "attempt_id": null,
                "timestamp": now,
                "reason": reason,
                "warnings": item.warnings,
            });
            out.line(&line.to_string())?;
        }
    }
    Ok(())
}

/// Says what is to be known before sending, where nobody is shown the plan and asked. `left` are the
/// service's own retries that something is left to.
pub fn warn(plans: &[Plan], left: &[Retry], now: Time) {
    let mut lines = Vec::new();
    for plan in plans {
        for item in plan.chosen() {
            let (message, label) = (&plan.message, &item.label);
            let warnings = item.warnings.iter();
            lines.extend(warnings.map(|why| format!("{message} → {label}: {why}")));
        }
    }
    note_some(&lines, "warnings");
    if let Some(words) = retry_words(plans, now) {
        note(&words);
    }
    if !left.is_empty() {
        let n_estimated = left.iter().filter(|retry| !retry.is_exact).count();
        let by_estimate = match n_estimated {
            0 => String::new(),
            all if all == left.len() => " (by estimate)".to_owned(),
            some => format!(" ({some} by estimate)"),
        };
        let n = left.len();
        note(&format!(
            "{n} left to the service's own retries{by_estimate}"
        ));
    }
}

/// What to do about those that the service tries again by itself, if there are any.
fn retry_words(plans: &[Plan], now: Time) -> Option<String> {
    let chosen = plans.iter().flat_map(Plan::chosen);
    let pending = chosen.filter(|item| item.has_retry(now));
    let retries: Vec<Retry> = pending.filter_map(|item| item.retry).collect();
    let n_estimated = retries.iter().filter(|retry| !retry.is_exact).count();
    match retries.len() {
        0 => None,
        1 => Some("--leave-retries leaves the one that is retried by itself to the service".into()),
        n => Some(format!(
            "{}, which a resend may end; --leave-retries leaves them to it",
            retried_words(n, n_estimated)
        )),
    }
}

/// 3 where something is held back by a replay whose outcome is not known, 1 where something was refused
/// else or it is news that an earlier replay of it failed, 0 where all of it is delivered or left to the
/// service.
/// `is_named` is whether the command names the endpoint. What was `found` of earlier replays is said, and
/// what is held back.
pub fn nothing_to_send(
    plans: &[Plan],
    is_named: bool,
    n_left: usize,
    found: &[Found],
    is_held_back: bool,
) -> u8 {
    let code = if is_held_back {
        UNCLEAR
    } else {
        u8::from(found.iter().any(Found::is_failed))
    };
    if is_held_back {
        return code;
    }
    let items = || plans.iter().flat_map(|plan| &plan.items);
    let refusal = items().find_map(|item| match &item.verdict {
        Verdict::Refuse(why) => Some(format!("{}: {why}", item.label)),
        _ => None,
    });
    let nothing = |why: &str| {
        note(&format!("nothing can be sent: {}", visible(why)));
        code.max(1)
    };
    if let Some(why) = refusal {
        return nothing(&why);
    }
    if plans.is_empty() {
        return nothing("no message was found");
    }
    if items().next().is_none() {
        return nothing(if is_named {
            "that endpoint was never sent it"
        } else {
            "no endpoint was sent it or wants it; name one with --endpoint"
        });
    }
    if !found.is_empty() {
        return code;
    }
    note(match (n_left, is_named) {
        (1.., _) => "nothing to send but what is left to the service's own retries",
        (0, true) => {
            "nothing to send: all that was found is delivered there, or a newer message is; \
             a message named by its id is sent again"
        }
        (0, false) => {
            "nothing to send: every endpoint has it, or a newer message of its task; a message \
             named by its id, with --endpoint, is sent again"
        }
    });
    code
}
