//! `reeltop replay`: plan, confirm, send once, follow to the attempt that it caused.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;

use super::args::{ReplayArgs, SourceArgs};
use super::output::{Outcome, Output, Stop, note};
use super::prompt::confirmed;
use super::reading::find_messages;
use super::{journal, source};
use crate::domain::{
    Applied, Change, ChangeKind, EndpointId, Failure, FailureKind, History, MessageId, Moment,
    Origin, Plan, ReplayState, Route, Verdict, plan, visible,
};
use crate::io::client::{Client, ENDPOINTS};
use crate::io::clock::Clock;
use crate::io::config::Source;
use crate::io::discover::discover;
use crate::io::keeper;
use crate::io::ledger::Ledger;
use crate::io::outlet::{Ends, Outlet};
use crate::io::sender::{self, ReplayOrder};
use crate::wire::normal;

/// Replays under way at once.
const AT_ONCE: usize = 4;

/// Replays messages. 0 delivered, 1 failed or refused, 2 not confirmed, 3 unknown.
pub async fn run(args: ReplayArgs, from: SourceArgs) -> Outcome {
    let (source, client) = source::client(&from)?;
    let clock = Clock::new();
    let ledger = journal::ledger(&source);
    let mut history = gather(&args, &source, &client, clock).await?;
    let now = clock.now();
    for replay in ledger.wait(move |ledger| ledger.keep(now)).await? {
        history.apply(change(ChangeKind::Ledger(Box::new(replay)), now));
    }
    let only = args.endpoint.as_deref().map(EndpointId::new);
    let mut messages: Vec<MessageId> = Vec::new();
    for id in args.messages.iter().map(|id| MessageId::new(id)) {
        if !messages.contains(&id) {
            messages.push(id);
        }
    }
    // Oldest first, as they happened.
    messages.sort_by_key(|id| {
        history
            .deliveries
            .get(id)
            .map(|held| (held.time(), id.clone()))
    });
    let now = clock.now().wall;
    let plans: Vec<Plan> = messages
        .iter()
        .map(|message| plan(&history, message, only.as_ref(), source.read_only, now))
        .collect();
    let mut out = Output::new();
    let n_chosen = plans.iter().flat_map(Plan::chosen).count();
    if args.dry_run && args.json {
        print_plan_lines(&mut out, &plans, &now.rfc3339())?;
    } else if args.dry_run {
        let text = plan_text(&plans);
        text.lines().try_for_each(|line| out.line(line))?;
    } else if !args.yes {
        let _ = io::stderr().write_all(plan_text(&plans).as_bytes());
    }
    out.flush()?;
    if n_chosen == 0 {
        return Ok(nothing_to_send(&plans));
    }
    if args.dry_run {
        return Ok(0);
    }
    if !args.yes && !confirmed(&format!("Send {n_chosen}? [y/N] "), "nothing was sent").await? {
        return Ok(2);
    }
    let orders = orders(&plans, client.route());
    send(
        orders,
        Sending {
            client: &client,
            ledger,
            clock,
            wait: args.wait,
            is_json: args.json,
        },
        &mut history,
        &mut out,
    )
    .await
}

/// Reads all that a plan weighs: abilities, endpoints, the messages and their attempts.
async fn gather(
    args: &ReplayArgs,
    source: &Source,
    client: &Client,
    clock: Clock,
) -> Result<History, Stop> {
    let mut history = History::default();
    let mut fold = |kind: ChangeKind| {
        history.apply(change(kind, clock.now()));
    };
    let found = discover(client, source.events_path.as_deref()).await?;
    let mut abilities = crate::domain::Abilities {
        resend: client.resend_ability(source.resend_path.as_deref(), found.published.as_ref()),
        retry_schedule: found
            .published
            .and_then(|published| published.retry_schedule),
        ..crate::domain::Abilities::default()
    };
    match client.endpoints().await {
        Ok(page) => {
            abilities.endpoint_list = crate::domain::Ability::Offered(client.log_words(ENDPOINTS));
            let is_whole = page.is_last && page.unreadable.is_empty();
            let ids = page.rows.iter().map(|row| row.value.id.clone()).collect();
            for row in page.rows {
                fold(ChangeKind::Endpoint(Box::new(row.value)));
            }
            if is_whole {
                fold(ChangeKind::EndpointsListed(ids));
            }
        }
        Err(failure) if is_hopeless(failure.kind) => return Err(failure.into()),
        // The list is not documented: without it the endpoints seen in attempts are planned for.
        Err(_) => {}
    }
    fold(ChangeKind::Abilities(Box::new(abilities)));
    for row in find_messages(client, &args.messages).await? {
        fold(ChangeKind::Message(Box::new(row.value.message)));
    }
    for id in &args.messages {
        let attempts = sender::attempts(client, &MessageId::new(id))
            .await
            .map_err(|failure| {
                let what = format!("message {id}: {}", failure.what);
                Failure { what, ..failure }
            })?;
        for attempt in attempts {
            fold(ChangeKind::Attempt(Box::new(attempt)));
        }
    }
    for id in &args.messages {
        if history.deliveries.get(&MessageId::new(id)).is_none() {
            let what = format!("there is no message {id}");
            return Err(
                Failure::new(FailureKind::NotFound, what, "reeltop messages lists them").into(),
            );
        }
    }
    Ok(history)
}

fn change(kind: ChangeKind, received: Moment) -> Change {
    Change {
        seq: 0,
        received,
        origin: Origin::Poll,
        raw: None,
        kind,
    }
}

fn plan_text(plans: &[Plan]) -> String {
    let mut text = String::new();
    for plan in plans {
        let message = plan.message.to_string();
        let _ = writeln!(text, "{} by {}", visible(&message), visible(&plan.route));
        for item in &plan.items {
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
    text
}

fn print_plan_lines(out: &mut Output, plans: &[Plan], now: &str) -> io::Result<()> {
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
                "route": Route::Server.name(),
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

/// 1 where something was refused, 0 where all of it is delivered.
fn nothing_to_send(plans: &[Plan]) -> u8 {
    let mut items = plans.iter().flat_map(|plan| &plan.items).peekable();
    let is_empty = items.peek().is_none();
    let refusal = items.find_map(|item| match &item.verdict {
        Verdict::Refuse(why) => Some(format!("{}: {why}", item.label)),
        _ => None,
    });
    match refusal {
        Some(why) => {
            note(&format!("nothing can be sent: {why}"));
            1
        }
        None if is_empty => {
            note(
                "nothing can be sent: no endpoint was sent it or wants it; name one with --endpoint",
            );
            1
        }
        None => {
            note(
                "nothing to send: every endpoint has it; name one with --endpoint to send it again",
            );
            0
        }
    }
}

/// Whether no other question to the server has a better chance.
fn is_hopeless(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Unreachable | FailureKind::Broken | FailureKind::Unauthorized
    )
}

fn orders(plans: &[Plan], route: Route) -> Vec<ReplayOrder> {
    let chosen = plans
        .iter()
        .flat_map(|plan| plan.chosen().map(|item| (&plan.message, &item.endpoint)));
    chosen
        .zip(1..)
        .map(|((message, endpoint), number)| ReplayOrder {
            number,
            message: message.clone(),
            endpoint: endpoint.clone(),
            route,
        })
        .collect()
}

/// What sends.
struct Sending<'a> {
    client: &'a Client,
    ledger: Ledger,
    clock: Clock,
    wait: Duration,
    is_json: bool,
}

async fn send(
    orders: Vec<ReplayOrder>,
    by: Sending<'_>,
    history: &mut History,
    out: &mut Output,
) -> Outcome {
    let Sending {
        client,
        ledger,
        clock,
        wait,
        is_json,
    } = by;
    let (outlet, Ends { mut changes, .. }) = Outlet::new(clock, None, ledger);
    let abilities = history.abilities.clone();
    let sending = async {
        outlet.learn(|held| *held = abilities).await;
        stream::iter(orders)
            .map(|order| {
                let outlet = outlet.clone();
                async move { sender::replay(client, &outlet, &order, wait).await }
            })
            .buffer_unordered(AT_ONCE)
            .for_each(|_| std::future::ready(()))
            .await;
        // What was found goes into the ledger before this ends.
        if let Err(failure) = keeper::look(&outlet, &|_| {}).await {
            note(&failure.to_string());
        }
        drop(outlet);
    };
    let folding = async {
        let mut said: Vec<(u64, &'static str)> = Vec::new();
        let mut printed = Ok::<(), io::Error>(());
        // Once nobody reads the output, what was begun is still followed to its end.
        while let Some(batch) = changes.recv().await {
            for change in batch {
                if let Applied::Replay(number) = history.apply(change)
                    && history
                        .replays
                        .get(number)
                        .is_some_and(|replay| replay.by.is_none())
                    && printed.is_ok()
                {
                    printed = say(history, number, is_json, &mut said, out);
                }
            }
            printed = printed.and_then(|()| out.flush());
        }
        printed
    };
    tokio::select! {
        biased;
        ((), printed) = async { tokio::join!(sending, folding) } => printed?,
        _ = tokio::signal::ctrl_c() => return Ok(interrupted(history)),
    }
    Ok(code(history))
}

/// Says what becomes of the replays that ctrl-c leaves behind.
fn interrupted(history: &History) -> u8 {
    for replay in history
        .replays
        .all()
        .iter()
        .filter(|replay| replay.state.is_open() && replay.by.is_none())
    {
        let (message, endpoint) = (&replay.message, &replay.endpoint);
        note(&format!(
            "replay of {message} to {endpoint}: {}, and may still arrive; reeltop attempts --message {message} tells",
            replay.state.name()
        ));
    }
    super::INTERRUPTED
}

/// Prints a replay's state, once for each that it comes into.
fn say(
    history: &History,
    number: u64,
    is_json: bool,
    said: &mut Vec<(u64, &'static str)>,
    out: &mut Output,
) -> io::Result<()> {
    let Some(replay) = history.replays.get(number) else {
        return Ok(());
    };
    let key = (number, replay.state.name());
    if said.contains(&key) {
        return Ok(());
    }
    said.push(key);
    if is_json {
        return out.line(&normal::replay(replay).to_string());
    }
    let attempt = replay
        .state
        .attempt()
        .and_then(|id| history.deliveries.get(&replay.message)?.attempt(id));
    let how = attempt.map(|attempt| {
        let took = attempt
            .duration_ms
            .map(|ms| format!(" in {ms} ms"))
            .unwrap_or_default();
        format!(" ({}{took})", attempt.outcome_words())
    });
    out.line(&format!(
        "{} → {}: {}{}",
        replay.message,
        history.endpoint_label(&replay.endpoint),
        replay.words(),
        how.unwrap_or_default()
    ))
}

/// 3 if some outcome is unknown, else 1 if some failed, else 0.
fn code(history: &History) -> u8 {
    let ours = || {
        history
            .replays
            .all()
            .iter()
            .filter(|replay| replay.by.is_none())
    };
    let states = || ours().map(|replay| &replay.state);
    if states().any(|state| state.is_open() || matches!(state, ReplayState::Ambiguous(_))) {
        3
    } else {
        u8::from(!states().all(|state| matches!(state, ReplayState::Delivered { .. })))
    }
}
