//! `reeltop tasks`: the active tasks, or tasks by id.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::args::{SourceArgs, TasksArgs};
use super::list::{query, say_unreadable};
use super::output::{Outcome, Output, note, when, zone};
use super::rows::TaskSubject;
use super::source;
use crate::domain::{AssetId, Observation, TaskId};
use crate::io::client::Client;
use crate::wire::normal;
use crate::wire::rest::Row;

/// Names that are read for one list.
const MAX_NAMES: usize = 200;
const AT_ONCE: usize = 8;

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
    let names = names(&client, &rows).await;
    let name = |row: &Row<Observation>| names.get(&row.value.asset).map(|name| &**name);
    let rows: Vec<Row<Observation>> = rows
        .into_iter()
        .filter(|row| {
            query.matches(&TaskSubject {
                task: &row.value,
                asset_name: name(row),
            })
        })
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

/// Names of the rows' assets; one that cannot be read is left out.
async fn names(client: &Client, rows: &[Row<Observation>]) -> HashMap<AssetId, Arc<str>> {
    let mut assets: Vec<AssetId> = rows.iter().map(|row| row.value.asset.clone()).collect();
    assets.sort();
    assets.dedup();
    assets.truncate(MAX_NAMES);
    stream::iter(assets)
        .map(|asset| async move {
            let name = client.asset_name(&asset).await.ok().flatten()?;
            Some((asset, name))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
}
