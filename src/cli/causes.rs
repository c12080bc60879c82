//! `reeltop causes`: why the latest messages failed, one line for each cause.

use super::args::{CausesArgs, SourceArgs};
use super::lens::Lens;
use super::list::{paged, query};
use super::output::{Outcome, Output, note, when, zone};
use super::reading::End;
use super::{offline, source};
use crate::app::subject::means_cause;
use crate::domain::{CauseSummary, Delivery, History, Query, plural};
use crate::wire::normal;

pub async fn run(args: CausesArgs, from: SourceArgs) -> Outcome {
    let query = query(args.query.as_deref(), from.utc)?;
    let (_, client) = source::reader(&from, source::PATIENCE)?;
    let client = &client;
    let read = paged(args.limit, |limit, cursor| async move {
        client.messages(limit, cursor.as_deref()).await
    })
    .await?;
    let n = read.rows.len();
    let mut lens = Lens::new(&query, client, n).with_answers();
    lens.take_messages(read.rows.iter().map(|row| &row.value))
        .await;
    let missing = missing(&lens, read.n_unreadable);
    let if_none = match &missing {
        None => "nothing failed".to_owned(),
        Some(missing) => format!("no failure is known, but {missing}"),
    };
    let n_causes = print(lens.history(), lens.query(), &args, &from, &if_none)?;
    let attempts = attempts_in(lens.history());
    let attempts = match missing {
        Some(_) => format!("{attempts} that could be read"),
        None => attempts,
    };
    let messages = messages(n);
    note(&match read.end {
        End::Whole => format!("searched: all {messages} of the log, with {attempts}"),
        End::Bound => format!(
            "searched: the latest {messages}, with {attempts}; there are older ones, --limit N looks further"
        ),
        End::Stuck => format!(
            "searched: the latest {messages}, with {attempts}; there are older ones, which cannot be read"
        ),
    });
    // What stands in place of an empty table said it.
    if let Some(missing) = missing.as_ref().filter(|_| n_causes > 0 || args.json) {
        note(&format!("causes may be missing, as {missing}"));
    }
    Ok(u8::from(missing.is_some() || read.end == End::Stuck))
}

/// What could not be read of that which tells what failed, in words.
fn missing(lens: &Lens<'_>, n_unreadable: u64) -> Option<String> {
    let n_rows = n_unreadable + lens.n_unreadable();
    let rows = (n_rows > 0).then(|| {
        let rows = plural(n_rows, "row", "rows");
        format!("{rows} of the answers could not be read")
    });
    let all: Vec<String> = lens.missing().into_iter().chain(rows).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// The causes as the journal has them.
pub fn offline(args: &CausesArgs, from: &SourceArgs) -> Outcome {
    let query = query(args.query.as_deref(), from.utc)?;
    let history = offline::history(from)?;
    print(&history, &query, args, from, "no failure is in the journal")?;
    let n = history.deliveries.len();
    let attempts = attempts_in(&history);
    note(&format!(
        "searched: all {} of the journal, with {attempts}",
        messages(n)
    ));
    Ok(0)
}

fn messages(n: usize) -> String {
    plural(n, "message", "messages")
}

fn attempts_in(history: &History) -> String {
    let all = history.deliveries.newest().map(Delivery::attempts);
    let n: usize = all.map(<[_]>::len).sum();
    plural(n, "attempt", "attempts")
}

/// Prints a line for each cause that the query means, and gives how many these are.
fn print(
    history: &History,
    query: &Query,
    args: &CausesArgs,
    from: &SourceArgs,
    if_none: &str,
) -> std::io::Result<usize> {
    let mut out = Output::new();
    let causes: Vec<CauseSummary> = history
        .deliveries
        .causes_of(|message, cause| means_cause(history, query, message, cause));
    if args.json {
        for sum in &causes {
            out.line(&normal::cause(sum).to_string())?;
        }
    } else {
        let of_query = if query.is_empty() {
            ""
        } else {
            "of what the query matches, "
        };
        let zone = zone(from.utc);
        let cells: Vec<Vec<String>> = causes
            .iter()
            .map(|sum| {
                vec![
                    sum.n_broken.to_string(),
                    sum.n_messages.to_string(),
                    sum.n_tasks.to_string(),
                    history.endpoint_label(&sum.cause.endpoint),
                    sum.cause.words(),
                    when(sum.first, zone),
                    when(sum.last, zone),
                    sum.cause.id.to_string(),
                    sum.cause.pattern.to_string(),
                ]
            })
            .collect();
        let head = [
            "BROKEN", "MESSAGES", "TASKS", "ENDPOINT", "WHY", "FIRST", "LAST", "CAUSE", "ANSWER",
        ];
        out.table(&head, &cells, &format!("{of_query}{if_none}"))?;
        if let Some(first) = causes.first() {
            let id = first.cause.id;
            note(&format!(
                "reeltop messages --query cause:{id} lists the messages of a cause"
            ));
        }
    }
    out.flush()?;
    Ok(causes.len())
}
