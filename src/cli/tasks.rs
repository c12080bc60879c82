//! `reeltop tasks`: the active tasks, or tasks by id.

use super::args::{SourceArgs, TasksArgs};
use super::lens::Lens;
use super::list::{query, say_unreadable};
use super::output::{Outcome, Output, note, when, zone};
use super::source;
use crate::domain::{Observation, TaskId};
use crate::io::client::Client;
use crate::wire::normal;
use crate::wire::rest::Row;

/// Lists the active tasks, or shows those with these ids; 1 if one of them is not there.
pub async fn run(args: TasksArgs, from: SourceArgs) -> Outcome {
    let query = query(args.query.as_deref())?;
    let (_, client) = source::client(&from)?;
    let (rows, code) = if args.ids.is_empty() {
        let page = client.active_tasks().await?;
        say_unreadable(&page.unreadable);
        (page.rows, 0)
    } else {
        by_id(&client, &args.ids).await?
    };
    let mut lens = Lens::new(&query, &client, rows.len());
    lens.take_tasks(rows.iter().map(|row| &row.value)).await?;
    let name = |row: &Row<Observation>| lens.asset_name(&row.value.asset);
    let rows: Vec<Row<Observation>> = rows
        .into_iter()
        .filter(|row| lens.shows_task(&row.value.task))
        .collect();
    let mut out = Output::new();
    if args.json {
        for row in &rows {
            out.line(&normal::task(row, name(row)).to_string())?;
        }
    } else {
        let zone = zone(from.utc);
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| cells(&row.value, name(row), zone))
            .collect();
        let if_empty = if args.ids.is_empty() {
            if args.query.is_some() {
                "no active tasks match"
            } else {
                "no active tasks"
            }
        } else {
            "no such tasks"
        };
        out.table(
            &["STATE", "READY", "ASSET", "FEATURES", "UPDATED", "TASK"],
            &cells,
            if_empty,
        )?;
    }
    out.flush()?;
    Ok(code)
}

fn cells(task: &Observation, name: Option<&str>, zone: i32) -> Vec<String> {
    let tally = task.features.tally();
    let features: Vec<String> = task
        .features
        .iter()
        .map(|(feature, state)| format!("{}:{state}", feature.name()))
        .collect();
    vec![
        task.state().name().to_owned(),
        format!("{}/{}", tally.ready, tally.wanted),
        name.map_or_else(|| task.asset.to_string(), str::to_owned),
        features.join(" "),
        when(task.updated, zone),
        task.task.to_string(),
    ]
}

async fn by_id(
    client: &Client,
    ids: &[String],
) -> Result<(Vec<Row<Observation>>, u8), super::output::Stop> {
    let mut rows = Vec::new();
    let mut last = None;
    for id in ids {
        match client.task(&TaskId::new(id)).await {
            Ok(row) => rows.push(row),
            Err(failure) => {
                note(&format!("task {id}: {failure}"));
                last = Some(failure);
            }
        }
    }
    Ok((rows, u8::from(last.is_some())))
}
