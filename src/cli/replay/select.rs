//! Which messages a bulk takes: those that match a query, or were accepted since a time.

use crate::cli::args::ReplayArgs;
use crate::cli::lens::Lens;
use crate::cli::list::query;
use crate::cli::output::{Stop, note};
use crate::cli::reading::SEARCHED_PAGES;
use crate::cli::reading::say_unreadable;
use crate::domain::Time;
use crate::io::client::{Client, FULL_PAGE};
use crate::wire::rest::{Logged, Row};

/// The ids of the messages that are asked for. Fails where not all could be read that the query
/// needs, as what is missing might be meant.
pub async fn select(args: &ReplayArgs, client: &Client, now: Time) -> Result<Vec<String>, Stop> {
    let query = query(args.query.as_deref())?;
    let since = args.since.map(|ago| {
        let ago = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
        Time(now.0.saturating_sub(ago))
    });
    let rows = read(client, since).await?;
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

/// The messages of the log that were accepted since a time, or all that are searched.
pub(super) async fn read(client: &Client, since: Option<Time>) -> Result<Vec<Row<Logged>>, Stop> {
    let mut rows: Vec<Row<Logged>> = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..SEARCHED_PAGES {
        let page = client.messages(FULL_PAGE, cursor.as_deref()).await?;
        say_unreadable(&page.unreadable);
        let is_young =
            |row: &Row<Logged>| since.is_none_or(|since| row.value.message.accepted >= since);
        let is_past = !page.rows.iter().any(is_young);
        rows.extend(page.rows.into_iter().filter(is_young));
        if page.is_last || page.next == cursor || is_past {
            return Ok(rows);
        }
        cursor = page.next;
    }
    let n = SEARCHED_PAGES * FULL_PAGE;
    note(&format!(
        "only the newest {n} messages of the log were looked at"
    ));
    Ok(rows)
}
