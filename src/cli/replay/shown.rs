//! The plan as it is printed, and what is said where nothing of it can be sent.

use std::fmt::Write as _;
use std::io;

use serde_json::json;

use crate::cli::output::{Output, note};
use crate::domain::bulk::{order_words, tried_words};
use crate::domain::{Plan, Route, Verdict, visible};

/// `n_tried` of what is chosen an earlier replay tried, and it is sent last.
pub fn plan_text(plans: &[Plan], rate: f64, is_bulk: bool, n_tried: usize) -> String {
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
    text
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

/// 1 where something was refused, 0 where all of it is delivered. `is_named` is whether the command
/// names the endpoint.
pub fn nothing_to_send(plans: &[Plan], is_named: bool) -> u8 {
    let mut items = plans.iter().flat_map(|plan| &plan.items).peekable();
    let is_empty = items.peek().is_none();
    let refusal = items.find_map(|item| match &item.verdict {
        Verdict::Refuse(why) => Some(format!("{}: {why}", item.label)),
        _ => None,
    });
    match refusal {
        Some(why) => {
            note(&format!("nothing can be sent: {}", visible(&why)));
            1
        }
        None if plans.is_empty() => {
            note("nothing can be sent: no message was found");
            1
        }
        None if is_empty => {
            note(if is_named {
                "nothing can be sent: that endpoint was never sent it"
            } else {
                "nothing can be sent: no endpoint was sent it or wants it; name one with --endpoint"
            });
            1
        }
        None => {
            note(if is_named {
                "nothing to send: all that was found is delivered there, or a newer message is; \
                 a message named by its id is sent again"
            } else {
                "nothing to send: every endpoint has it, or a newer message of its task; a message \
                 named by its id, with --endpoint, is sent again"
            });
            0
        }
    }
}
