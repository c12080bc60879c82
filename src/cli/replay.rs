//! `reeltop replay`: plan, confirm, send once, follow to the attempt that it caused.

mod arrived;
mod earlier;
mod ending;
mod left_alone;
mod local;
mod newer;
mod nexts;
mod overlap;
mod progress;
mod select;
mod sending;
mod shown;
mod sweep;

use std::io::{self, Write};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use self::earlier::{Earlier, say_found};
use self::ending::Withheld;
use self::progress::Progress;
use self::select::Since;
use self::sending::{Sending, Work, end, send};
use self::shown::{
    Held, held_back, name_ways_on, note_closing, nothing_to_send, plan_text, print_plan_lines,
    say_held, warn,
};
use super::args::{ReplayArgs, SourceArgs};
use super::list::query;
use super::output::{Outcome, Output, Stop, note};
use super::prompt::{confirmed, counted};
use super::reading::{find_messages, say_no_list};
use super::{journal, source};
use crate::app::subject::means_endpoint;
use crate::domain::bulk::{MANY, jobs, n_tried, oldest_first, plan_of_many, untried_first};
use crate::domain::{
    Bounds, Change, ChangeKind, EndpointId, Failure, FailureKind, History, Job, MessageId, Moment,
    Origin, Plan, PlanItem, Query, Queue, Retry, Route, Time, plan,
};
use crate::io::attempts::Attempts;
use crate::io::client::{Client, ENDPOINTS};
use crate::io::clock::Clock;
use crate::io::config::Source;
use crate::io::discover::discover;

/// Messages whose attempts are read at once.
const READS: usize = 8;
/// An answer is waited for so long at least, however short a replay is waited for.
const LEAST_ANSWER: Duration = Duration::from_secs(1);

/// Replays messages. 0 delivered, 1 failed, refused or declined, 2 nobody could be asked, 3 unknown.
pub async fn run(args: ReplayArgs, from: SourceArgs) -> Outcome {
    if args.messages.is_empty() && args.query.is_none() && args.since.is_none() {
        return Err(Stop::Usage(
            "nothing to replay is named: give ids of messages (reeltop messages lists them), \
             --query QUERY or --since TIME"
                .to_owned(),
        ));
    }
    if args.is_local() {
        return local::run(args, from).await;
    }
    let ready = tokio::select! {
        biased;
        ready = prepare(&args, &from) => ready?,
        _ = tokio::signal::ctrl_c() => return Ok(super::INTERRUPTED),
    };
    match ready {
        Ready::Ended(code) => Ok(code),
        Ready::Send(sending) => Box::pin(send(*sending)).await,
    }
}

/// What is left to do once all that was asked for is planned and confirmed.
enum Ready {
    Ended(u8),
    Send(Box<Sending>),
}

async fn prepare(args: &ReplayArgs, from: &SourceArgs) -> Result<Ready, Stop> {
    if let Some(takes) = sweep::takes(args)? {
        return sweep::prepare(takes, args, from).await;
    }
    let (source, client) = source::reader(from, args.wait)?;
    let clock = Clock::new();
    let ledger = journal::ledger(&source);
    let is_bulk = args.messages.is_empty();
    let ids = if is_bulk {
        let now = clock.now().wall;
        let since = args.since.map(|ago| Since::ago(ago, now));
        select::select(args, &client, since, from.utc).await?
    } else {
        args.messages.clone()
    };
    let mut history = gather(&ids, &source, &client, clock).await?;
    newer::told(&client, &mut history, &ids, clock).await?;
    let earlier = Earlier::fold(&ledger, &mut history, clock).await?;
    let now = clock.now();
    let only = match &args.endpoint {
        Some(name) => Some(meant(name, &mut history, &client, now).await?),
        None => None,
    };
    let messages = each_once(&history, &ids);
    let now = clock.now().wall;
    // What the query says of endpoints says where to.
    let meant = query(args.query.as_deref(), from.utc)?;
    let (at, is_read_only) = (only.as_ref(), source.read_only);
    let one = |message| match is_bulk.then_some(&meant) {
        Some(meant) => one_of_many(&history, message, at, meant, is_read_only, now),
        None => one_named(&history, message, at, is_read_only, now),
    };
    let mut plans: Vec<Plan> = messages.iter().map(one).collect();
    let found = earlier.leave_out_found(&history, &mut plans);
    name_ways_on(&mut plans, &history, only.is_some() && !is_bulk);
    let held = held_back(&plans, &history);
    let by_service = history.service_time(now);
    let left = left_to_retries(&mut plans, args.leave_retries, by_service);
    let mut out = Output::new();
    // A named message is sent in its turn, whatever was tried before.
    let mut jobs: Vec<Job> = jobs(&plans, &history).collect();
    let n_tried = if is_bulk {
        untried_first(&mut jobs, &history);
        n_tried(jobs.iter(), &history)
    } else {
        0
    };
    let n_chosen = jobs.len();
    if args.dry_run && args.json {
        print_plan_lines(&mut out, &plans, client.route(), &now.rfc3339())?;
    } else if args.dry_run {
        let text = plan_text(&plans, args.rate, is_bulk, n_tried, by_service);
        text.lines().try_for_each(|line| out.line(line))?;
    } else if !args.yes {
        let _ = io::stderr()
            .write_all(plan_text(&plans, args.rate, is_bulk, n_tried, by_service).as_bytes());
    } else {
        warn(&plans, &left, by_service);
    }
    note_closing(&plans, &history);
    let said: Vec<&Held> = if args.yes || args.json || n_chosen == 0 {
        say_found(&found);
        say_held(&held).collect()
    } else {
        let is_shown = |held: &&Held| !is_bulk || held.is_failing;
        held.iter().filter(is_shown).collect()
    };
    out.flush()?;
    // A look alone tells nobody who sends: the run after it does what it said.
    if !args.dry_run {
        let ended = found.iter().filter(|found| found.is_ended());
        let told = ended.map(|found| &found.pair);
        let told = told.chain(said.iter().map(|held| &held.pair));
        earlier.told(told, clock.now()).await?;
    }
    if n_chosen == 0 {
        return Ok(Ready::Ended(nothing_to_send(
            &plans,
            only.is_some(),
            left.len(),
            &found,
            !held.is_empty(),
        )));
    }
    let withheld = Withheld::of(held.len(), &found);
    if args.dry_run {
        return Ok(Ready::Ended(withheld.code()));
    }
    agreed(args, n_chosen, &format!("Send {n_chosen}?")).await?;
    Ok(Ready::Send(Box::new(Sending {
        work: Work::Many(Queue::new(jobs, args.rate)),
        client: of_patience(source, args.wait)?,
        ledger,
        clock,
        wait: args.wait,
        is_json: args.json,
        withheld,
        history,
        out,
    })))
}

/// The messages, oldest first.
fn each_once(history: &History, ids: &[String]) -> Vec<MessageId> {
    let named = ids.iter().map(|id| MessageId::new(id));
    let (messages, n_doubles) = oldest_first(history, named);
    if n_doubles > 0 {
        note(&format!("{n_doubles} named again; each is replayed once"));
    }
    messages
}

/// Asks, unless `--yes` says it already. Of many the number is to be typed.
async fn agreed(args: &ReplayArgs, n: usize, question: &str) -> Result<(), Stop> {
    if args.yes {
        return Ok(());
    }
    let reply = if n > MANY {
        counted(n, "send").await?
    } else {
        confirmed(question).await?
    };
    reply.or_stop("nothing was sent")
}

/// The plan of a message that the query meant, at the endpoints that it meant.
fn one_of_many(
    history: &History,
    message: &MessageId,
    only: Option<&EndpointId>,
    meant: &Query,
    is_read_only: bool,
    now: Time,
) -> Plan {
    let mut plan = plan_of_many(history, Route::Server, message, only, is_read_only, now);
    let is_meant = |item: &PlanItem| means_endpoint(history, meant, message, &item.endpoint);
    plan.items.retain(is_meant);
    plan
}

/// The plan of a message that was named: it is meant, whatever came after it.
fn one_named(
    history: &History,
    message: &MessageId,
    only: Option<&EndpointId>,
    is_read_only: bool,
    now: Time,
) -> Plan {
    let mut plan = plan(history, message, only, is_read_only, now);
    let items = plan.items.iter_mut();
    items.for_each(|item| item.grounds.overlook_newer());
    plan
}

/// Leaves to the service's own retries what waits for one, if that is asked for; gives these.
fn left_to_retries(plans: &mut [Plan], is_asked: bool, now: Time) -> Vec<Retry> {
    if !is_asked {
        return Vec::new();
    }
    let items = plans.iter_mut().flat_map(|plan| &mut plan.items);
    items.filter_map(|item| item.leave_to_retry(now)).collect()
}

/// A client that waits for no answer longer than a replay is waited for.
fn of_patience(mut source: Source, wait: Duration) -> Result<Client, Failure> {
    source.waits.answer = source.waits.answer.min(wait.max(LEAST_ANSWER));
    Client::new(&source)
}

/// The endpoint that is meant, by its id. The service takes other names for it too, and each would
/// be a pair of its own in the ledger.
async fn meant(
    name: &str,
    history: &mut History,
    client: &Client,
    now: Moment,
) -> Result<EndpointId, Failure> {
    let id = EndpointId::new(name);
    let is_tried = |history: &History| {
        let mut held = history.deliveries.newest();
        held.any(|held| held.outcome(&id).is_some())
    };
    if history.endpoints.contains_key(&id) || is_tried(history) {
        return Ok(id);
    }
    let endpoint = client.endpoint_named(name).await.map_err(|failure| {
        let what = format!("which endpoint {name} is: {}", failure.what);
        Failure::new(
            failure.kind,
            what,
            "reeltop endpoints lists them by their ids",
        )
    })?;
    let id = endpoint.id.clone();
    history.apply(change(ChangeKind::Endpoint(Box::new(endpoint)), now));
    Ok(id)
}

/// Reads all that a plan weighs: abilities, endpoints, the messages and their attempts.
async fn gather(
    ids: &[String],
    source: &Source,
    client: &Client,
    clock: Clock,
) -> Result<History, Stop> {
    let usual = Bounds::default();
    let mut history = History::new(Bounds {
        messages: usual.messages.max(ids.len() + newer::MOST),
        ..usual
    });
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
        Err(failure) => {
            say_no_list(&failure, "the plan knows those of attempts alone");
        }
    }
    fold(ChangeKind::Abilities(Box::new(abilities)));
    for row in find_messages(client, ids).await? {
        fold(ChangeKind::Message(Box::new(row.value.message)));
    }
    let mut reading = stream::iter(ids)
        .map(|id| async move {
            let attempts = Attempts::of(client, &MessageId::new(id)).await;
            let attempts = attempts.map_err(|failure| {
                let what = format!("message {id}: {}", failure.what);
                Failure { what, ..failure }
            })?;
            Ok::<_, Failure>((id, attempts))
        })
        .buffered(READS);
    let mut progress = Progress::of("reading attempts", ids.len());
    while let Some(attempts) = reading.next().await {
        progress.step();
        let (id, attempts) = attempts?;
        let missing = attempts.missing();
        if let Some(missing) = &missing {
            note(&format!(
                "attempts of {id}: {missing}; the plan does not know these, and which attempt a \
                 replay caused cannot be told for certain"
            ));
        }
        for attempt in attempts.rows {
            fold(ChangeKind::Attempt(Box::new(attempt)));
        }
        if missing.is_none() {
            fold(ChangeKind::AttemptsRead(MessageId::new(id)));
        }
    }
    drop(reading);
    if let Some(ahead) = client.deliveries_ahead() {
        history.apply(change(ChangeKind::ServiceAhead(ahead), clock.now()));
    }
    for next in nexts::told(client, &history, ids, clock).await {
        history.apply(change(ChangeKind::NextTry(Box::new(next)), clock.now()));
    }
    for id in ids {
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

/// Whether no other question to the server has a better chance.
fn is_hopeless(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Unreachable | FailureKind::Broken | FailureKind::Unauthorized
    )
}
