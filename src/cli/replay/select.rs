//! Which messages a bulk takes: those that match a query, or were accepted since a time.

use crate::cli::args::ReplayArgs;
use crate::cli::lens::Lens;
use crate::cli::list::query;
use crate::cli::output::{Stop, note};
use crate::cli::reading::{MOST_PAGES, SEARCHED_PAGES, say_unreadable};
use crate::domain::Time;
use crate::domain::time::micros;
use crate::io::client::{Client, FULL_PAGE};
use crate::wire::rest::{Logged, Row};

/// The ids of the messages that are asked for. Fails where not all could be read that the query
/// needs, as what is missing might be meant.
pub async fn select(args: &ReplayArgs, client: &Client, now: Time) -> Result<Vec<String>, Stop> {
    let query = query(args.query.as_deref())?;
    let since = args.since.map(|ago| now.plus(-micros(ago)));
    let (rows, is_whole) = read(client, since).await?;
    if !is_whole {
        note(&looked_at(&rows, since.is_some()));
    }
    let mut lens = Lens::new(&query, client, rows.len());
    lens.take_messages(rows.iter().map(|row| &row.value)).await;
    let ids = rows
        .iter()
        .map(|row| &row.value.message.id)
        .filter(|id| lens.shows_message(id))
        .map(ToString::to_string)
        .collect();
    if lens.end() {
        Ok(ids)
    } else {
        Err(Stop::Usage(
            "nothing was sent, as the query cannot be answered whole; try again, or name messages"
                .to_owned(),
        ))
    }
}

/// The messages of the log that were accepted since a time, or as many as are looked through where
/// none is given; and whether these are all.
pub(super) async fn read(
    client: &Client,
    since: Option<Time>,
) -> Result<(Vec<Row<Logged>>, bool), Stop> {
    let most = since.map_or(SEARCHED_PAGES, |_| MOST_PAGES);
    let mut rows: Vec<Row<Logged>> = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..most {
        let page = client.messages(FULL_PAGE, cursor.as_deref()).await?;
        say_unreadable(&page.unreadable);
        let is_young =
            |row: &Row<Logged>| since.is_none_or(|since| row.value.message.accepted >= since);
        let is_past = !page.rows.iter().any(is_young);
        rows.extend(page.rows.into_iter().filter(is_young));
        if page.is_last || page.next == cursor || is_past {
            return Ok((rows, true));
        }
        cursor = page.next;
    }
    Ok((rows, false))
}

/// How far the log was looked through, and how what is older is reached.
fn looked_at(rows: &[Row<Logged>], is_since: bool) -> String {
    let oldest = rows.iter().map(|row| row.value.message.accepted).min();
    let back = oldest.map_or_else(String::new, |at| format!(", back to {},", at.rfc3339()));
    let n = rows.len();
    let further = if is_since {
        "what is older is named by its id"
    } else {
        "--since TIME reaches further back"
    };
    format!("only the latest {n} messages of the log{back} were looked at; {further}")
}
