//! `reeltop replay --recover`, `--missing` and `--bulk`: by one request Svix sends an endpoint
//! everything since a time that failed there, was never tried there, or was sent there.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::earlier::Earlier;
use super::ending::Withheld;
use super::select::Since;
use super::shown::{held_back, name_ways_on, note_closing, print_plan_lines};
use super::{Ready, Sending, Work, agreed, gather, meant, select};
use crate::cli::args::{ReplayArgs, SourceArgs, StatusArg};
use crate::cli::output::{Output, Stop, UNCLEAR, note, usage};
use crate::cli::{journal, source};
use crate::domain::bulk::{RECOVERED, Sweep, Takes, Tried, oldest_first, plan_of_many};
use crate::domain::time::{duration_words, micros};
use crate::domain::{
    Ability, EndpointDraft, Grounds, History, MessageId, OutcomeState, Plan, PlanItem, Route, Time,
    Verdict, plural, visible,
};
use crate::io::clock::Clock;
use crate::io::sender::{ReplayOrder, not_offered};

/// What one request of Svix is to take, if the command asks for one.
pub(super) fn takes(args: &ReplayArgs) -> Result<Option<Takes>, Stop> {
    if args.recover {
        return Ok(Some(Takes::Failed));
    }
    if args.missing {
        return Ok(Some(Takes::Missing));
    }
    if !args.bulk {
        return Ok(None);
    }
    let types = &args.event_types;
    let draft = EndpointDraft {
        event_types: (!types.is_empty()).then(|| types.clone()),
        url: "http://unnamed/".to_owned(),
        ..EndpointDraft::default()
    };
    let faults = draft.faults();
    if let Some(fault) = faults.iter().find(|fault| fault.field == "event_types") {
        return Err(usage("--event-types", &fault.why));
    }
    Ok(Some(Takes::Tried {
        event_types: types.clone(),
        outcome: args.status.map(|status| match status {
            StatusArg::Delivered => Tried::Delivered,
            StatusArg::Failed => Tried::Failed,
        }),
    }))
}

/// Plans and confirms one request for many. Ends with 1 where it is refused, declined or not
/// offered, with 3 where a replay of unknown outcome is in the way, with 2 where it reaches too far back or nobody could be asked.
pub(super) async fn prepare(
    takes: Takes,
    args: &ReplayArgs,
    from: &SourceArgs,
) -> Result<Ready, Stop> {
    let (Some(named), Some(ago)) = (args.endpoint.as_deref(), args.since) else {
        let what = "--endpoint and --since are wanted with it: where to, and since when";
        return Err(Stop::Usage(what.to_owned()));
    };
    if takes == Takes::Failed && micros(ago) > RECOVERED {
        let what = "--since: Svix recovers the last 14 days; take a later time, or replay without \
                    --recover";
        return Err(Stop::Usage(what.to_owned()));
    }
    let (source, client) = source::reader(from, args.wait)?;
    let svix = client.svix.as_ref().ok_or_else(|| not_offered(&takes))?;
    if let Some(Ability::Absent(why)) = svix.offers().await?.get(&takes.offer()) {
        note(&format!("nothing can be sent: {why}"));
        return Ok(Ready::Ended(1));
    }
    if let Takes::Tried { event_types, .. } = &takes
        && let Some(fault) = client.type_fault(Some(event_types)).await
    {
        return Err(usage("--event-types", &fault.why));
    }
    let clock = Clock::new();
    let ledger = journal::ledger(&source);
    let begun = clock.now().wall;
    // The service has answered by now, and goes by its own clock.
    let since = Since::ago(ago, begun).by_service(&client);
    let ids = select::select(args, &client, Some(Since::Service(since)), from.utc).await?;
    let mut history = gather(&ids, &source, &client, clock).await?;
    Earlier::fold(&ledger, &mut history, clock).await?;
    let endpoint = meant(named, &mut history, &client, clock.now()).await?;
    let (messages, _) = oldest_first(&history, ids.iter().map(|id| MessageId::new(id)));
    let now = clock.now().wall;
    let asked = Sweep {
        endpoint,
        since,
        takes,
    };
    let mut plans = asked.plans(&history, &messages, source.read_only, now);
    name_ways_on(&mut plans, &history, true);
    let n_skipped = skipped(&history, &asked, &plans, source.read_only, now);
    let route = asked.takes.route();
    let mut out = Output::new();
    if args.dry_run && args.json {
        print_plan_lines(&mut out, &plans, route, &now.rfc3339())?;
    }
    if let Some(why) = refusal(&asked.takes, &plans) {
        note(&why);
        note_closing(&plans, &history);
        out.flush()?;
        let is_held_back = !held_back(&plans, &history).is_empty();
        return Ok(Ready::Ended(if is_held_back { UNCLEAR } else { 1 }));
    }
    if plans.is_empty() {
        note(nothing(&asked.takes));
        return Ok(Ready::Ended(0));
    }
    let n = plans.len();
    let warnings = warning_words(&asked.takes, &history, &plans, n_skipped);
    let age = now.since(begun).saturating_add(micros(ago));
    let text = plan_words(&asked, age, n) + &warnings;
    if args.dry_run && !args.json {
        text.lines().try_for_each(|line| out.line(line))?;
    } else if !args.yes && !args.dry_run {
        let _ = io::stderr().write_all(text.as_bytes());
    } else if args.yes {
        // Nobody is asked, and is told all the same.
        let _ = io::stderr().write_all(warnings.as_bytes());
    }
    out.flush()?;
    if args.dry_run {
        return Ok(Ready::Ended(0));
    }
    let question = match asked.takes {
        Takes::Failed => format!("Recover {n}?"),
        Takes::Missing | Takes::Tried { .. } => format!("Send {n}?"),
    };
    agreed(args, n, &question).await?;
    let order = |(number, plan): (u64, &Plan)| ReplayOrder {
        number,
        message: plan.message.clone(),
        endpoint: asked.endpoint.clone(),
        route,
        grounds: Grounds::of(&history, &plan.message, &asked.endpoint),
    };
    let orders = (1..).zip(&plans).map(order).collect();
    let work = Work::Sweep { asked, orders };
    Ok(Ready::Send(Box::new(Sending {
        work,
        client,
        ledger,
        clock,
        wait: args.wait,
        is_json: args.json,
        withheld: Withheld::default(),
        history,
        out,
    })))
}

/// How many of what failed would be skipped one by one: the service asks nobody which it sends.
fn skipped(
    history: &History,
    asked: &Sweep,
    plans: &[Plan],
    is_read_only: bool,
    now: Time,
) -> usize {
    if asked.takes != Takes::Failed {
        return 0;
    }
    let (by, at) = (Route::Server, Some(&asked.endpoint));
    let one_by_one = plans
        .iter()
        .map(|plan| plan_of_many(history, by, &plan.message, at, is_read_only, now));
    let is_skipped = |item: &PlanItem| item.is_failing && matches!(item.verdict, Verdict::Skip(_));
    one_by_one
        .map(|plan| plan.items.iter().filter(|item| is_skipped(item)).count())
        .sum()
}

fn nothing(takes: &Takes) -> &'static str {
    match takes {
        Takes::Failed => "nothing to recover: nothing is known that failed there last since then",
        Takes::Missing => "nothing to send: nothing is known that was never tried there since then",
        Takes::Tried { .. } => {
            "nothing to send: nothing of that kind is known that was sent there since then"
        }
    }
}

/// Why nothing can be recovered: what one of them speaks against speaks against all, as they cannot
/// be told apart in the request.
fn refusal(takes: &Takes, plans: &[Plan]) -> Option<String> {
    plans.iter().find_map(|plan| {
        plan.items.iter().find_map(|item| match &item.verdict {
            Verdict::Refuse(why) => Some(format!(
                "nothing can be {}, as {} cannot be sent there: {why}",
                takes.sent(),
                plan.message
            )),
            _ => None,
        })
    })
}

/// What the request takes, from so many microseconds ago on.
fn plan_words(asked: &Sweep, age: i64, n: usize) -> String {
    let (name, id) = (asked.takes.offer().name(), asked.endpoint.to_string());
    let (takes, are) = (asked.takes.words(), plural(n, "is", "are"));
    let (known, else_sent) = match &asked.takes {
        Takes::Failed => ("to have failed there last", "what else failed"),
        Takes::Missing => ("never to have been tried there", "what else was not"),
        Takes::Tried { .. } => ("to be among it", "what else is"),
    };
    format!(
        "Svix's {name} at {}: {} since {} ({} ago) is sent{}, by the service alone, in its own \
         order and at its own pace\n  {are} known {known}; {else_sent} is sent as well, and what is \
         not known here is not followed\n",
        visible(&id),
        visible(&takes),
        asked.since.rfc3339(),
        duration_words(age),
        if asked.takes == Takes::Missing {
            ""
        } else {
            " again"
        },
    )
}

fn warning_words(takes: &Takes, history: &History, plans: &[Plan], n_skipped: usize) -> String {
    let mut text = String::new();
    if n_skipped > 0 {
        let _ = writeln!(
            text,
            "  ! {n_skipped} of them would be skipped one by one, as superseded by a newer message \
             of the task, or ambiguous: they are sent again too"
        );
    }
    if *takes == Takes::Missing {
        text.push_str(
            "  ! a newer message of the same task may have got there already: what is sent now is \
             older\n",
        );
        return text;
    }
    let is_delivered = |plan: &&Plan| {
        let delivery = history.deliveries.get(&plan.message);
        let outcomes = plan
            .items
            .iter()
            .filter_map(|item| delivery?.outcome(&item.endpoint));
        outcomes
            .into_iter()
            .any(|outcome| outcome.state == OutcomeState::Delivered)
    };
    let n_delivered = plans.iter().filter(is_delivered).count();
    if n_delivered > 0 {
        let _ = writeln!(
            text,
            "  ! {n_delivered} of them were delivered: the receiver will see them again"
        );
    }
    text.push_str("  ! automatic retries of what is ");
    text.push_str(if *takes == Takes::Failed {
        "recovered may end\n"
    } else {
        "sent again may end\n"
    });
    text
}
