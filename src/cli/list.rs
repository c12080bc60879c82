//! `reeltop messages` and `attempts`: pages of the logs, as table or JSON lines.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use futures_util::stream::{self, StreamExt};

use super::args::{AttemptsArgs, MessagesArgs, SourceArgs};
use super::attempt_headers;
use super::lens::Lens;
use super::output::{Outcome, Output, Stop, note, usage, when, zone};
use super::reading::{
    End, find_messages, is_called, is_unlisted, not_found, say_unreadable, unlisted_words,
};
use super::source;
use crate::domain::query::Now;
use crate::domain::{
    Attempt, AttemptId, Delivery, EndpointId, EndpointOutcome, Failure, FailureKind, History,
    MessageId, OutcomeState, Query, Unreadable,
};
use crate::io::Clock;
use crate::io::attempts::Attempts;
use crate::io::client::{Client, FULL_PAGE};
use crate::wire::normal;
use crate::wire::rest::{Logged, Page, Row, STUCK};

/// Messages whose attempts are walked where endpoints cannot be listed.
pub const WALKED: usize = 50;

/// Reads a query from the command line, as it is meant now by the clock of this machine; exit code 2
/// for one that is none.
pub fn query(text: Option<&str>, is_utc: bool) -> Result<Query, Stop> {
    let mut query =
        Query::parse_strictly(text.unwrap_or_default()).map_err(|why| usage("--query", why))?;
    query.settle(Now {
        time: Clock::new().now().wall,
        utc_offset: zone(is_utc),
    });
    Ok(query)
}

/// Pages of one list read by one command at most.
const MAX_PAGES: usize = 400;

/// What was read of a list, page by page.
pub struct Paged<T> {
    pub rows: Vec<Row<T>>,
    pub end: End,
    /// Rows that could not be read.
    pub n_unreadable: u64,
}

impl<T> Paged<T> {
    /// Whether that is all of it.
    fn is_all(&self) -> bool {
        self.end == End::Whole && self.n_unreadable == 0
    }
}

/// Pages a list until `limit` rows are there or it ends.
pub async fn paged<T, F>(
    limit: usize,
    mut page: impl FnMut(usize, Option<String>) -> F,
) -> Result<Paged<T>, Failure>
where
    F: Future<Output = Result<Page<T>, Failure>>,
{
    let mut rows = Vec::new();
    let mut cursor: Option<String> = None;
    let mut seen = HashSet::new();
    let mut n_unreadable = 0;
    let paged = |rows, end, n_unreadable| Paged {
        rows,
        end,
        n_unreadable,
    };
    for _ in 0..MAX_PAGES {
        let wanted = limit.saturating_sub(rows.len());
        if wanted == 0 {
            return Ok(paged(rows, End::Bound, n_unreadable));
        }
        let next = page(wanted.min(FULL_PAGE), cursor.clone()).await?;
        say_unreadable(&next.unreadable);
        n_unreadable += Unreadable::sum(&next.unreadable);
        // A row that comes again, because the list moved on or the server repeats itself, counts once.
        let is_new = |row: &Row<T>| match row.raw.get("id") {
            Some(id) => seen.insert(id.to_string()),
            None => true,
        };
        let (n_before, is_empty, is_stuck) = (rows.len(), next.rows.is_empty(), next.is_stuck());
        rows.extend(next.rows.into_iter().filter(is_new).take(wanted));
        if next.is_last {
            return Ok(paged(rows, End::Whole, n_unreadable));
        }
        // The same rows under another cursor.
        let is_again = rows.len() == n_before && !is_empty;
        if (is_stuck || is_again) && rows.len() < limit {
            let n = rows.len();
            note(&format!("no more than the latest {n} can be read: {STUCK}"));
            return Ok(paged(rows, End::Stuck, n_unreadable));
        }
        cursor = next.next;
    }
    note(&format!("only the first {MAX_PAGES} pages were read"));
    Ok(paged(rows, End::Bound, n_unreadable))
}

/// `reeltop messages`
pub async fn messages(args: MessagesArgs, from: SourceArgs) -> Outcome {
    let query = query(args.query.as_deref(), from.utc)?;
    let (_, client) = source::reader(&from, source::PATIENCE)?;
    let client = &client;
    let mut code = 0;
    let rows = if args.ids.is_empty() {
        let read = paged(args.limit, |limit, cursor| async move {
            client.messages(limit, cursor.as_deref()).await
        })
        .await?;
        code |= u8::from(read.end == End::Stuck);
        if !(read.is_all() || read.end == End::Stuck || query.is_empty()) {
            say_searched(read.rows.len(), "messages");
        }
        read.rows
    } else {
        let found = find_messages(client, &args.ids).await?;
        for id in &args.ids {
            if !found.iter().any(|row| is_called(row, id)) {
                note(&not_found(client, id));
                code = 1;
            }
        }
        found
    };
    let mut lens = Lens::new(&query, client, rows.len());
    if !args.no_attempts {
        lens = lens.with_outcomes();
    }
    lens.take_messages(rows.iter().map(|row| &row.value)).await;
    let rows: Vec<&Row<Logged>> = rows
        .iter()
        .filter(|row| lens.shows_message(&row.value.message.id))
        .collect();
    let standing = Standing {
        history: lens.history(),
        known: &|id| lens.delivery(id).filter(|_| !args.no_attempts),
    };
    print_messages(&rows, &standing, args.json, &from)?;
    code |= u8::from(!lens.end());
    Ok(code)
}

/// Says how far a query was looked for, where there may be more: an empty answer would else be
/// taken for "there is none".
fn say_searched(n: usize, what: &str) {
    note(&format!(
        "the query was asked of the latest {n} {what} alone; --limit N looks further"
    ));
}

/// Whether attempts were left out, or may have been, because of the limit.
fn is_at_limit(rows: &[Row<Attempt>], args: &AttemptsArgs) -> bool {
    if args.endpoint.is_some() || args.message.is_some() {
        return rows.len() >= args.limit;
    }
    let mut of_each: HashMap<&EndpointId, usize> = HashMap::new();
    for row in rows {
        *of_each.entry(&row.value.endpoint).or_default() += 1;
    }
    of_each.values().any(|n| *n >= args.limit)
}

/// How messages stand at endpoints.
pub struct Standing<'a> {
    pub history: &'a History,
    /// A message with its attempts, if they were read.
    pub known: &'a dyn Fn(&MessageId) -> Option<&'a Delivery>,
}

impl Standing<'_> {
    /// In words, what went wrong first: `failed HTTP 500 ×3 at shop.example, delivered at …`.
    fn words(&self, id: &MessageId) -> String {
        let Some(delivery) = (self.known)(id) else {
            return "not read".to_owned();
        };
        let mut outcomes: Vec<&EndpointOutcome> = delivery.outcomes.iter().collect();
        outcomes.sort_by_key(|outcome| Reverse(outcome.state));
        let silent = self.history.silent(delivery).into_iter();
        let words: Vec<String> = outcomes
            .into_iter()
            .map(|outcome| {
                let last = delivery.attempt(&outcome.last);
                let failed = last.filter(|_| outcome.state == OutcomeState::Failed);
                let why = failed.map(|attempt| format!(" {}", attempt.outcome_words()));
                let times = match outcome.n_attempts {
                    0 | 1 => String::new(),
                    n => format!(" ×{n}"),
                };
                let label = self.history.endpoint_label(&outcome.endpoint);
                let state = outcome.state.name();
                format!("{state}{}{times} at {label}", why.unwrap_or_default())
            })
            .chain(silent.map(|id| format!("disabled: {}", self.history.endpoint_label(&id))))
            .collect();
        if words.is_empty() {
            return "no attempt yet".to_owned();
        }
        words.join(", ")
    }
}

/// Prints messages as a table or as JSON lines.
pub fn print_messages(
    rows: &[&Row<Logged>],
    standing: &Standing<'_>,
    is_json: bool,
    from: &SourceArgs,
) -> io::Result<()> {
    let mut out = Output::new();
    if is_json {
        for row in rows {
            let delivery = (standing.known)(&row.value.message.id);
            out.line(&normal::message(row, delivery).to_string())?;
        }
    } else {
        let zone = zone(from.utc);
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let message = &row.value.message;
                let task = message.task.as_ref().map(ToString::to_string);
                vec![
                    when(message.accepted, zone),
                    message.kind.to_string(),
                    message.id.to_string(),
                    task.unwrap_or_default(),
                    standing.words(&message.id),
                ]
            })
            .collect();
        let head = ["WHEN", "EVENT", "MESSAGE", "TASK", "ENDPOINTS"];
        out.table(&head, &cells, "no messages")?;
    }
    out.flush()
}

/// `reeltop attempts`
pub async fn attempts(args: AttemptsArgs, from: SourceArgs) -> Outcome {
    let query = query(args.query.as_deref(), from.utc)?;
    let (_, client) = source::reader(&from, source::PATIENCE)?;
    let (found, is_whole) = match (&args.message, &args.endpoint) {
        (Some(message), _) => (of_message(&client, message, args.limit).await?, true),
        (None, Some(endpoint)) => {
            let endpoint = EndpointId::new(endpoint);
            (at_endpoint(&client, &endpoint, args.limit).await?, true)
        }
        (None, None) => everywhere(&client, args.limit).await?,
    };
    let Found {
        rows,
        mut numbers,
        partial,
    } = found;
    if !query.is_empty() && is_at_limit(&rows, &args) {
        let of = if args.endpoint.is_none() && args.message.is_none() {
            "attempts of each endpoint"
        } else {
            "attempts"
        };
        say_searched(args.limit, of);
    }
    let mut lens = Lens::new(&query, &client, rows.len());
    lens.take_attempts(rows.iter().map(|row| &row.value)).await;
    let rows: Vec<&Row<Attempt>> = rows
        .iter()
        .filter(|row| lens.shows_attempt(&row.value))
        .collect();
    number_partial(&client, &mut numbers, &partial, &rows).await;
    let is_whole = lens.end() && is_whole;
    if args.headers {
        let headers = attempt_headers::read(&client, &rows).await?;
        if args.json {
            attempt_headers::print_lines(&rows, &numbers, &headers)?;
        } else {
            print_attempts(&rows, &numbers, false, &from)?;
            attempt_headers::print_tables(&rows, &headers)?;
        }
    } else {
        print_attempts(&rows, &numbers, args.json, &from)?;
    }
    Ok(u8::from(!is_whole))
}

/// Prints attempts as a table or as JSON lines.
pub fn print_attempts(
    rows: &[&Row<Attempt>],
    numbers: &Numbers,
    is_json: bool,
    from: &SourceArgs,
) -> io::Result<()> {
    let mut out = Output::new();
    if is_json {
        for row in rows {
            out.line(&normal::attempt(row, numbers.get(&row.value.id).copied()).to_string())?;
        }
    } else {
        let zone = zone(from.utc);
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| attempt_cells(&row.value, numbers, zone))
            .collect();
        let head = [
            "WHEN", "STATUS", "CODE", "TOOK", "NO", "TRIGGER", "ENDPOINT", "MESSAGE", "ATTEMPT",
            "WHY",
        ];
        out.table(&head, &cells, "no attempts")?;
    }
    out.flush()
}

fn attempt_cells(attempt: &Attempt, numbers: &Numbers, zone: i32) -> Vec<String> {
    let why = attempt
        .failure()
        .map(crate::domain::FailureClass::words)
        .unwrap_or_default();
    vec![
        when(attempt.started, zone),
        attempt.status.to_string(),
        attempt.code.to_string(),
        attempt
            .duration_ms
            .map(|ms| format!("{ms} ms"))
            .unwrap_or_default(),
        numbers
            .get(&attempt.id)
            .map(ToString::to_string)
            .unwrap_or_default(),
        attempt.trigger.name().to_owned(),
        attempt.endpoint.to_string(),
        attempt.message.to_string(),
        attempt.id.to_string(),
        why.to_owned(),
    ]
}

/// Messages whose attempts are read at once.
const READS: usize = 8;

/// Numbers of attempts among those of their message and endpoint, from 1.
pub type Numbers = HashMap<AttemptId, usize>;

/// Attempts that were read.
#[derive(Default)]
struct Found {
    rows: Vec<Row<Attempt>>,
    numbers: Numbers,
    /// Messages of which older attempts may be missing; these have no numbers yet.
    partial: HashSet<MessageId>,
}

async fn of_message(client: &Client, message: &str, limit: usize) -> Result<Found, Failure> {
    let message = &MessageId::new(message);
    let read = paged(usize::MAX, |limit, cursor| async move {
        client.attempts_of(message, limit, cursor.as_deref()).await
    })
    .await?;
    let is_whole = read.is_all();
    let mut rows = read.rows;
    // Which one each is, nobody knows where some are missing.
    let numbers = if is_whole {
        number(rows.iter().map(|row| &row.value))
    } else {
        Numbers::new()
    };
    rows.truncate(limit);
    Ok(Found {
        rows,
        numbers,
        partial: HashSet::new(),
    })
}

async fn at_endpoint(
    client: &Client,
    endpoint: &EndpointId,
    limit: usize,
) -> Result<Found, Failure> {
    let read = paged(limit, |limit, cursor| async move {
        client.attempts_at(endpoint, limit, cursor.as_deref()).await
    })
    .await?;
    let is_whole = read.is_all();
    let rows = read.rows;
    let attempts = rows.iter().map(|row| &row.value);
    let (numbers, partial) = if is_whole {
        (number(attempts), HashSet::new())
    } else {
        // Older attempts of these messages may lie beyond the limit.
        let messages = attempts.map(|attempt| attempt.message.clone());
        (Numbers::new(), messages.collect())
    };
    Ok(Found {
        rows,
        numbers,
        partial,
    })
}

/// Numbers the attempts that are shown of messages which were read in part. Which one each is,
/// nobody knows where some cannot be read.
async fn number_partial(
    client: &Client,
    numbers: &mut Numbers,
    partial: &HashSet<MessageId>,
    shown: &[&Row<Attempt>],
) {
    let shown = shown.iter().map(|row| &row.value.message);
    let messages: HashSet<&MessageId> = shown.filter(|it| partial.contains(*it)).collect();
    let mut reading = stream::iter(messages)
        .map(|message| Attempts::of(client, message))
        .buffer_unordered(READS);
    while let Some(all) = reading.next().await {
        let Ok(all) = all else {
            continue;
        };
        say_unreadable(&all.unreadable);
        if all.is_whole() {
            numbers.extend(number(all.rows.iter()));
        }
    }
}

/// What was read of several logs, and the first that failed.
#[derive(Default)]
struct Gathered {
    found: Found,
    n_read: usize,
    first_failure: Option<Failure>,
}

impl Gathered {
    fn take(&mut self, outcome: Result<Found, Failure>) {
        match outcome {
            Ok(found) => {
                self.n_read += 1;
                self.found.rows.extend(found.rows);
                self.found.numbers.extend(found.numbers);
                self.found.partial.extend(found.partial);
            }
            // Deleted meanwhile, or expired.
            Err(failure) if failure.kind == FailureKind::NotFound => self.n_read += 1,
            Err(failure) => {
                self.first_failure.get_or_insert(failure);
            }
        }
    }
}

/// The latest of every endpoint; of the latest messages where endpoints cannot be listed. A log
/// that cannot be read does not hide the others.
async fn everywhere(client: &Client, limit: usize) -> Result<(Found, bool), Failure> {
    let mut all = Gathered::default();
    let mut is_listed = true;
    match client.endpoints().await {
        Ok(page) => {
            say_unreadable(&page.unreadable);
            for row in page.rows {
                all.take(at_endpoint(client, &row.value.id, limit).await);
            }
        }
        Err(failure) if is_unlisted(&failure) => {
            let why = unlisted_words(&failure);
            note(&format!(
                "{why}; these are of the attempts of its latest {WALKED} messages"
            ));
            is_listed = failure.kind != FailureKind::Forbidden;
            let page = client.messages(WALKED, None).await?;
            for row in page.rows {
                let id = row.value.message.id.to_string();
                all.take(of_message(client, &id, usize::MAX).await);
            }
        }
        Err(failure) => return Err(failure),
    }
    let is_whole = is_listed && all.first_failure.is_none();
    match all.first_failure {
        Some(failure) if all.n_read == 0 => return Err(failure),
        Some(failure) => note(&format!("not all could be read: {failure}")),
        None => {}
    }
    let mut found = all.found;
    found
        .rows
        .sort_by(|a, b| (b.value.started, &b.value.id).cmp(&(a.value.started, &a.value.id)));
    // By way of messages more were read.
    let mut of_each: HashMap<EndpointId, usize> = HashMap::new();
    found.rows.retain(|row| {
        let n = of_each.entry(row.value.endpoint.clone()).or_default();
        *n += 1;
        *n <= limit
    });
    Ok((found, is_whole))
}

pub fn number<'a>(attempts: impl Iterator<Item = &'a Attempt>) -> Numbers {
    let mut pairs: BTreeMap<(&MessageId, &EndpointId), Vec<&Attempt>> = BTreeMap::new();
    for attempt in attempts {
        pairs
            .entry((&attempt.message, &attempt.endpoint))
            .or_default()
            .push(attempt);
    }
    let mut numbers = Numbers::new();
    for attempts in pairs.values_mut() {
        attempts.sort_by_key(|attempt| (attempt.started, &attempt.id));
        numbers.extend(
            attempts
                .iter()
                .enumerate()
                .map(|(at, attempt)| (attempt.id.clone(), at + 1)),
        );
    }
    numbers
}
