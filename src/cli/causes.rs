//! `reeltop causes`: why the latest messages failed, one line for each cause.

use super::args::{CausesArgs, SourceArgs};
use super::lens::Lens;
use super::list::{paged, query};
use super::output::{Outcome, Output, note, when, zone};
use super::{offline, source};
use crate::app::subject::means_cause;
use crate::domain::{CauseSummary, Delivery, History, Query, plural};
use crate::wire::normal;

pub async fn run(args: CausesArgs, from: SourceArgs) -> Outcome {
    let query = query(args.query.as_deref())?;
    let (_, client) = source::reader(&from, source::PATIENCE)?;
    let client = &client;
    let (rows, is_all) = paged(args.limit, |limit, cursor| async move {
        client.messages(limit, cursor.as_deref()).await
    })
    .await?;
    let mut lens = Lens::new(&query, client, rows.len()).with_answers();
    lens.take_messages(rows.iter().map(|row| &row.value)).await;
    let (n, attempts) = (rows.len(), attempts_in(lens.history()));
    print(lens.history(), &query, &args, &from)?;
    note(&if is_all {
        format!("searched: all {} of the log, with {attempts}", messages(n))
    } else {
        format!(
            "searched: the latest {}, with {attempts}; there are older ones, --limit N looks further",
            messages(n)
        )
    });
    Ok(u8::from(!lens.end()))
}

/// The causes as the journal has them.
pub fn offline(args: &CausesArgs, from: &SourceArgs) -> Outcome {
    let query = query(args.query.as_deref())?;
    let history = offline::history(from)?;
    print(&history, &query, args, from)?;
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

fn print(
    history: &History,
    query: &Query,
    args: &CausesArgs,
    from: &SourceArgs,
) -> std::io::Result<()> {
    let mut out = Output::new();
    let causes: Vec<CauseSummary> = history
        .deliveries
        .causes_of(|message, cause| means_cause(history, query, message, cause));
    if args.json {
        for sum in &causes {
            out.line(&normal::cause(sum).to_string())?;
        }
    } else {
        let if_none = if query.is_empty() {
            "nothing failed"
        } else {
            "nothing failed that the query matches"
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
        out.table(&head, &cells, if_none)?;
        if let Some(first) = causes.first() {
            let id = first.cause.id;
            note(&format!(
                "reeltop messages --query cause:{id} lists the messages of a cause"
            ));
        }
    }
    out.flush()
}
