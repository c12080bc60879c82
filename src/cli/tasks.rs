//! `reeltop tasks`: the active tasks, or tasks by id.

mod webhooks;

use std::io;

use super::args::{SourceArgs, TasksArgs};
use super::lens::Lens;
use super::list::query;
use super::output::{Outcome, Output, note, when, zone};
use super::reading::say_unreadable;
use super::source;
use crate::domain::{AssetId, Observation, TaskId};
use crate::io::client::Client;
use crate::wire::normal;
use crate::wire::rest::Row;

/// Lists the active tasks, or shows those with these ids; 1 if one of them is not there.
pub async fn run(args: TasksArgs, from: SourceArgs) -> Outcome {
    let query = query(args.query.as_deref(), from.utc)?;
    let (_, client) = source::reader(&from, source::PATIENCE)?;
    let (rows, code) = if args.ids.is_empty() {
        let page = client.active_tasks().await?;
        say_unreadable(&page.unreadable);
        (page.rows, 0)
    } else {
        by_id(&client, &args.ids).await?
    };
    let mut lens = Lens::new(&query, &client, rows.len());
    lens.take_tasks(rows.iter().map(|row| &row.value)).await?;
    let rows: Vec<Row<Observation>> = rows
        .into_iter()
        .filter(|row| lens.shows_task(&row.value.task))
        .collect();
    let if_empty = match (args.ids.is_empty(), &args.query) {
        (true, Some(_)) => "no active tasks match",
        (true, None) => "no active tasks",
        (false, _) => "no such tasks",
    };
    let name = |asset: &AssetId| lens.asset_name(asset);
    if args.webhooks {
        let is_whole = webhooks::print(&client, &rows, name, args.json, &from).await?;
        return Ok(code | u8::from(!is_whole));
    }
    print(&rows, name, args.json, &from, if_empty)?;
    Ok(code)
}

/// Prints tasks as a table or as JSON lines; an empty table is words on stderr.
pub fn print<'a>(
    rows: &[Row<Observation>],
    name: impl Fn(&AssetId) -> Option<&'a str>,
    is_json: bool,
    from: &SourceArgs,
    if_empty: &str,
) -> io::Result<()> {
    let mut out = Output::new();
    if is_json {
        for row in rows {
            let name = name(&row.value.asset);
            out.line(&normal::task(row, name).to_string())?;
        }
    } else {
        let zone = zone(from.utc);
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| cells(&row.value, name(&row.value.asset), zone))
            .collect();
        out.table(
            &["STATE", "READY", "ASSET", "FEATURES", "UPDATED", "TASK"],
            &cells,
            if_empty,
        )?;
    }
    out.flush()
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
