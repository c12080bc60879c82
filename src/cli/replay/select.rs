//! Which messages a bulk takes: those that match a query, or were accepted since a time.

use std::collections::HashSet;
use std::time::Duration;

use crate::cli::args::ReplayArgs;
use crate::cli::lens::Lens;
use crate::cli::list::query;
use crate::cli::output::{Stop, note};
use crate::cli::reading::{End, MOST_PAGES, SEARCHED_PAGES, say_unreadable};
use crate::domain::Time;
use crate::domain::time::micros;
use crate::io::client::{Client, FULL_PAGE};
use crate::wire::rest::{Logged, Row, STUCK};

/// From when on messages are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Since {
    /// By the clock of the service, which says when a message was accepted.
    Service(Time),
    /// By our clock. How far the service's is from it is known once an answer of it came.
    Ours(Time),
}

impl Since {
    /// So long before a moment of our clock.
    pub(super) fn ago(ago: Duration, now: Time) -> Self {
        Self::Ours(now.plus(-micros(ago)))
    }

    /// The same by the service's clock, as far as its answers so far tell that.
    pub(super) fn by_service(self, client: &Client) -> Time {
        match self {
            Self::Service(since) => since,
            Self::Ours(since) => since.plus(client.deliveries_ahead().unwrap_or(0)),
        }
    }
}

/// The ids of the messages that are asked for. Fails where not all could be read that the query
/// needs, as what is missing might be meant.
pub(super) async fn select(
    args: &ReplayArgs,
    client: &Client,
    since: Option<Since>,
    is_utc: bool,
) -> Result<Vec<String>, Stop> {
    let query = query(args.query.as_deref(), is_utc)?;
    let (rows, end) = read(client, since).await?;
    if end != End::Whole {
        let further = match since {
            _ if end == End::Stuck => STUCK,
            Some(_) => "what is older is named by its id",
            None => "--since TIME reaches further back",
        };
        note(&looked_at(&rows, further));
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
/// none is given; and how far that is.
pub(super) async fn read(
    client: &Client,
    since: Option<Since>,
) -> Result<(Vec<Row<Logged>>, End), Stop> {
    let most = since.map_or(SEARCHED_PAGES, |_| MOST_PAGES);
    let mut rows: Vec<Row<Logged>> = Vec::new();
    let mut cursor: Option<String> = None;
    let mut oldest = None;
    let mut seen = HashSet::new();
    for _ in 0..most {
        let page = client.messages(FULL_PAGE, cursor.as_deref()).await?;
        let oldest = *oldest.get_or_insert_with(|| since.map(|since| since.by_service(client)));
        say_unreadable(&page.unreadable);
        let is_young =
            |row: &Row<Logged>| oldest.is_none_or(|oldest| row.value.message.accepted >= oldest);
        let (is_whole, is_stuck, n_before) = (page.is_last, page.is_stuck(), rows.len());
        let is_past = !page.rows.is_empty() && !page.rows.iter().any(is_young);
        let is_empty = page.rows.is_empty();
        let is_new = |row: &Row<Logged>| seen.insert(row.value.message.id.clone());
        rows.extend(page.rows.into_iter().filter(is_young).filter(is_new));
        if is_whole || is_past {
            return Ok((rows, End::Whole));
        }
        // The same rows under another cursor do not go on either.
        if is_stuck || rows.len() == n_before && !is_empty {
            return Ok((rows, End::Stuck));
        }
        cursor = page.next;
    }
    Ok((rows, End::Bound))
}

/// How far the log was looked through, and how what is older is reached, or why it is not.
fn looked_at(rows: &[Row<Logged>], further: &str) -> String {
    let oldest = rows.iter().map(|row| row.value.message.accepted).min();
    let back = oldest.map_or_else(String::new, |at| format!(", back to {},", at.rfc3339()));
    let n = rows.len();
    format!("only the latest {n} messages of the log{back} were looked at; {further}")
}
