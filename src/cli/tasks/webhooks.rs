//! `reeltop tasks ID --webhooks`: how long after its latest change each endpoint was notified.

use serde_json::{Value, json};

use super::cells;
use crate::cli::args::SourceArgs;
use crate::cli::lens::Lens;
use crate::cli::output::{Output, Stop, note, zone};
use crate::domain::{
    AssetId, EndpointId, Failure, History, Lag, Notified, Observation, Query, TaskId, Time,
    notified, told_changes,
};
use crate::io::client::{Client, FULL_PAGE};
use crate::view::model::timeline::lag_words;
use crate::wire::normal;
use crate::wire::rest::{Logged, Row, STUCK};

/// Pages of the message log that are searched for what tells of the tasks.
const MAX_PAGES: usize = 20;

/// Prints tasks with how their endpoints were notified. Whether all could be read.
pub async fn print<'a>(
    client: &Client,
    rows: &[Row<Observation>],
    name: impl Fn(&AssetId) -> Option<&'a str>,
    is_json: bool,
    from: &SourceArgs,
) -> Result<bool, Stop> {
    let tasks: Vec<&Observation> = rows.iter().map(|row| &row.value).collect();
    let told = messages_of(client, &tasks).await?;
    let query = Query::default();
    let mut lens = Lens::new(&query, client, told.len()).with_answers();
    lens.take_told(&told).await;
    let now = lens.service_now();
    let mut out = Output::new();
    for row in rows {
        let asset = name(&row.value.asset);
        let history = lens.history();
        let told = told_changes(history, &row.value.task);
        let endpoints = notified(&told, now);
        if is_json {
            let mut line = normal::task(row, asset);
            let each = endpoints.iter();
            line["webhooks"] = each.map(|(id, at)| as_json(history, id, at)).collect();
            out.line(&line.to_string())?;
            continue;
        }
        let head = ["STATE", "READY", "ASSET", "FEATURES", "UPDATED", "TASK"];
        out.table(&head, &[cells(&row.value, asset, zone(from.utc))], "")?;
        let lines: Vec<Vec<String>> = endpoints
            .iter()
            .map(|(id, at)| {
                let words = at.latest.map(|(message, lag)| lag_words(message, lag));
                let words = words.into_iter().flatten().map(|(_, text)| text);
                vec![
                    history.endpoint_label(id),
                    format!("{} of {}", at.n_delivered, at.n_messages),
                    words.collect(),
                    id.to_string(),
                ]
            })
            .collect();
        let head = ["WEBHOOKS", "GOT", "NOTIFIED", "ENDPOINT"];
        out.table(&head, &lines, "no webhook message about it is known")?;
    }
    out.flush()?;
    Ok(lens.end())
}

fn as_json(history: &History, id: &EndpointId, at: &Notified<'_>) -> Value {
    let ms = |lag: i64| lag / 1000;
    let (lag, waiting) = match at.latest {
        Some((_, Lag::After(lag))) => (Some(ms(lag)), None),
        Some((_, Lag::NotYet(lag))) => (None, Some(ms(lag))),
        _ => (None, None),
    };
    let latest = at.latest.and_then(|(message, _)| message.message.as_ref());
    json!({
        "endpoint_id": id.to_string(),
        "endpoint": history.endpoint_label(id),
        "messages": at.n_messages,
        "delivered": at.n_delivered,
        "event_type": latest.map(|message| message.kind.name()),
        "lag_ms": lag,
        "waiting_ms": waiting,
    })
}

/// The messages that tell of these tasks, as far back as the oldest of them.
async fn messages_of(client: &Client, tasks: &[&Observation]) -> Result<Vec<Logged>, Failure> {
    let wanted: Vec<&TaskId> = tasks.iter().map(|task| &task.task).collect();
    let since = tasks.iter().map(|task| task.created).min();
    let Some(since) = since else {
        return Ok(Vec::new());
    };
    let mut found: Vec<Logged> = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = client.messages(FULL_PAGE, cursor.as_deref()).await?;
        let is_stuck = page.is_stuck();
        let oldest: Option<Time> = page.rows.iter().map(|row| row.value.message.accepted).min();
        let told = page.rows.into_iter().map(|row| row.value);
        found.extend(told.filter(|told| {
            let task = told.message.task.as_ref();
            task.is_some_and(|task| wanted.contains(&task))
        }));
        let is_far = oldest.is_some_and(|oldest| oldest < since);
        if is_stuck && !is_far {
            note(&format!(
                "what tells of these tasks may be missing: {STUCK}"
            ));
        }
        if is_far || page.is_last || page.next.is_none() {
            return Ok(found);
        }
        cursor = page.next;
    }
    note(&format!(
        "only the latest {} messages were searched for what tells of these tasks",
        MAX_PAGES * FULL_PAGE
    ));
    Ok(found)
}
