//! `reeltop replay --recover`: Svix sends an endpoint everything again that failed since a time.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use super::shown::print_plan_lines;
use super::{Ready, Sending, Work, gather, known_replays, meant, select};
use crate::cli::args::{ReplayArgs, SourceArgs};
use crate::cli::output::{Output, Stop, note};
use crate::cli::prompt::{confirmed, counted};
use crate::cli::{journal, source};
use crate::domain::bulk::{MANY, RECOVERED, oldest_first, plan_of_many};
use crate::domain::time::duration_words;
use crate::domain::{
    Ability, EndpointId, Grounds, History, MessageId, Offer, Plan, PlanItem, Route, Time, Verdict,
    visible,
};
use crate::io::clock::Clock;
use crate::io::sender::{ReplayOrder, not_offered};

/// Plans and confirms a recovery. Ends with 1 where it is refused or declined, with 2 where it
/// reaches too far back or nobody could be asked.
pub(super) async fn prepare(args: &ReplayArgs, from: &SourceArgs) -> Result<Ready, Stop> {
    let (Some(named), Some(ago)) = (args.endpoint.as_deref(), args.since) else {
        let what = "--recover wants --endpoint and --since: where to, and since when";
        return Err(Stop::Usage(what.to_owned()));
    };
    if micros(ago) > RECOVERED {
        let what = "--since: Svix recovers the last 14 days; take a later time, or replay without \
                    --recover";
        return Err(Stop::Usage(what.to_owned()));
    }
    let (source, client) = source::client(from)?;
    let svix = client.svix.as_ref().ok_or_else(not_offered)?;
    if let Some(Ability::Absent(why)) = svix.offers().await?.get(&Offer::Recover) {
        note(&format!("nothing can be sent: {why}"));
        return Ok(Ready::Ended(1));
    }
    let clock = Clock::new();
    let ledger = journal::ledger(&source);
    let since = Time(clock.now().wall.0.saturating_sub(micros(ago)));
    let ids = select::select(args, &client, clock.now().wall).await?;
    let mut history = gather(&ids, &source, &client, clock).await?;
    known_replays(&ledger, &mut history, clock).await?;
    let endpoint = meant(named, &mut history, &client, clock.now()).await?;
    let (messages, _) = oldest_first(&history, ids.iter().map(|id| MessageId::new(id)));
    let now = clock.now().wall;
    let (plans, n_skipped) = recoverable(&history, &messages, &endpoint, source.read_only, now);
    let mut out = Output::new();
    if args.dry_run && args.json {
        print_plan_lines(&mut out, &plans, Route::Recover, &now.rfc3339())?;
    }
    if let Some(why) = refusal(&plans) {
        note(&why);
        out.flush()?;
        return Ok(Ready::Ended(1));
    }
    if plans.is_empty() {
        note("nothing to recover: nothing is known that failed there last since then");
        return Ok(Ready::Ended(0));
    }
    let n = plans.len();
    let text = plan_words(&endpoint, since, now, n, n_skipped);
    if args.dry_run && !args.json {
        text.lines().try_for_each(|line| out.line(line))?;
    } else if !args.yes && !args.dry_run {
        let _ = io::stderr().write_all(text.as_bytes());
    }
    out.flush()?;
    if args.dry_run {
        return Ok(Ready::Ended(0));
    }
    let question = format!("Recover {n}?");
    if !args.yes {
        let reply = if n > MANY {
            counted(n).await?
        } else {
            confirmed(&question).await?
        };
        reply.or_stop("nothing was sent")?;
    }
    let order = |(number, plan): (u64, &Plan)| ReplayOrder {
        number,
        message: plan.message.clone(),
        endpoint: endpoint.clone(),
        route: Route::Recover,
        grounds: Grounds::of(&history, &plan.message, &endpoint),
    };
    let orders = (1..).zip(&plans).map(order).collect();
    let work = Work::Recover {
        endpoint: endpoint.clone(),
        orders,
        since,
    };
    Ok(Ready::Send(Box::new(Sending {
        work,
        client,
        ledger,
        clock,
        wait: args.wait,
        is_json: args.json,
        history,
        out,
    })))
}

/// What is known to have failed there last, and how many of these would be skipped one by one: the
/// service asks nobody which of them it sends.
fn recoverable(
    history: &History,
    messages: &[MessageId],
    endpoint: &EndpointId,
    is_read_only: bool,
    now: Time,
) -> (Vec<Plan>, usize) {
    let mut n_skipped = 0;
    let mut plans = Vec::new();
    for message in messages {
        let by = |route| plan_of_many(history, route, message, Some(endpoint), is_read_only, now);
        let plan = by(Route::Recover);
        let is_skipped =
            |item: &PlanItem| item.is_failing && matches!(item.verdict, Verdict::Skip(_));
        n_skipped += (by(Route::Server).items.iter())
            .filter(|item| is_skipped(item))
            .count();
        if !plan.items.is_empty() {
            plans.push(plan);
        }
    }
    (plans, n_skipped)
}

/// Why nothing can be recovered: what one of them speaks against speaks against all, as they cannot
/// be told apart in the request.
fn refusal(plans: &[Plan]) -> Option<String> {
    plans.iter().find_map(|plan| {
        plan.items.iter().find_map(|item| match &item.verdict {
            Verdict::Refuse(why) => Some(format!(
                "nothing can be recovered, as {} cannot be sent there: {why}",
                plan.message
            )),
            _ => None,
        })
    })
}

fn micros(ago: Duration) -> i64 {
    i64::try_from(ago.as_micros()).unwrap_or(i64::MAX)
}

fn plan_words(endpoint: &EndpointId, since: Time, now: Time, n: usize, n_skipped: usize) -> String {
    let id = endpoint.to_string();
    let mut text = format!(
        "Svix's recover at {}: everything that failed there since {} ({} ago) is sent again, by \
         the service alone, in its own order and at its own pace\n  {n} are known to have failed \
         there last; what else failed is sent as well, and what is not known here is not followed\n",
        visible(&id),
        since.rfc3339(),
        duration_words(now.since(since)),
    );
    if n_skipped > 0 {
        let _ = writeln!(
            text,
            "  ! {n_skipped} of them would be skipped one by one, as superseded by a newer message \
             of the task, or ambiguous: they are sent again too"
        );
    }
    text.push_str("  ! automatic retries of what is recovered may end\n");
    text
}
