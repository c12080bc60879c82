//! `reeltop causes`: why the latest messages failed, one line for each cause.

use super::args::{CausesArgs, SourceArgs};
use super::lens::Lens;
use super::list::paged;
use super::output::{Outcome, Output, note, when, zone};
use super::{offline, source};
use crate::domain::{History, Query};
use crate::wire::normal;

pub async fn run(args: CausesArgs, from: SourceArgs) -> Outcome {
    let (_, client) = source::client(&from)?;
    let client = &client;
    let (rows, _) = paged(args.limit, |limit, cursor| async move {
        client.messages(limit, cursor.as_deref()).await
    })
    .await?;
    let every = Query::default();
    let mut lens = Lens::new(&every, client, rows.len()).with_answers();
    lens.take_messages(rows.iter().map(|row| &row.value)).await;
    print(lens.history(), &args, &from)?;
    Ok(u8::from(!lens.end()))
}

/// The causes as the journal has them.
pub fn offline(args: &CausesArgs, from: &SourceArgs) -> Outcome {
    print(&offline::history(from)?, args, from)?;
    Ok(0)
}

fn print(history: &History, args: &CausesArgs, from: &SourceArgs) -> std::io::Result<()> {
    let mut out = Output::new();
    let causes = history.deliveries.causes();
    if args.json {
        for sum in &causes {
            out.line(&normal::cause(sum).to_string())?;
        }
    } else {
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
        out.table(&head, &cells, "nothing failed")?;
        if let Some(first) = causes.first() {
            let id = first.cause.id;
            note(&format!(
                "reeltop messages --query cause:{id} lists the messages of a cause"
            ));
        }
    }
    out.flush()
}
