//! Reading: an answer within its bounds, a page of a list, a list page by page.

use std::collections::HashSet;

use bytes::Bytes;
use reqwest::Url;
use serde_json::Value;

use super::failure::{self, Failed};
use super::http::Http;
use crate::domain::{Failure, FailureKind, Unread, Unreadable, visible};
use crate::wire::rest::{Page, Row, unread_row};
use crate::wire::shape::{self, Beyond};

/// Pages of a list that is read whole, at most.
pub const MAX_PAGES: usize = 40;
/// The most rows that a page is asked for (Svix).
const MAX_LIMIT: usize = 250;

impl Http {
    /// Reads a page of a list. Rows beyond the limit are counted and left out.
    pub async fn page<T>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
        decode: impl FnOnce(&[u8]) -> Result<Page<T>, Unreadable>,
    ) -> Result<Page<T>, Failure> {
        let (url, mut body) = self.fetch(segments, query).await?;
        let shape = self.limits.shape();
        // One row that is nested too deep does not spoil its list.
        let is_cut = matches!(shape.check(&body), Err(Beyond::Depth(_)));
        if is_cut {
            body = shape.cut(&body).into();
        }
        let mut page = self.decoded(&url, &body, decode)?;
        let place = list_of(segments);
        if is_cut {
            let mut unread = Unread::from(page.unreadable);
            page.rows.retain(|row| {
                let is_whole = !shape::is_cut(&row.raw);
                if !is_whole {
                    let why = "a row nested too deep (limits.json_depth)";
                    unread.add(unread_row(place, why, &Value::Object(row.raw.clone())));
                }
                is_whole
            });
            page.unreadable = unread.into_rows(place);
        }
        let limit = self.limits.list_rows;
        let n_beyond = page.rows.len().saturating_sub(limit);
        page.rows.truncate(limit);
        if n_beyond > 0 {
            let why = "rows beyond the limit of a list (limits.list_rows)";
            // The next look finds as many or more of the same list, and that is their number then.
            let of = segments.join("/");
            page.unreadable.push(Unreadable {
                count: n_beyond as u64,
                ..Unreadable::new(place, why, "").known_by(of.as_bytes())
            });
        }
        Ok(page)
    }

    /// Reads any route by a decoder.
    pub async fn read<T>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
        decode: impl FnOnce(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<T, Failure> {
        let (url, body) = self.fetch(segments, query).await?;
        self.decoded(&url, &body, decode)
    }

    /// Reads what goes back to the server: the key is in it wherever the server repeats it.
    pub async fn read_unmasked<T>(
        &self,
        url: &Url,
        decode: impl FnOnce(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<T, Failure> {
        let body = self.get_unmasked(url, self.waits.answer, true).await;
        let read = body
            .map_err(|failed| failed.failure)
            .and_then(|body| self.decoded(url, &body, decode));
        read.map_err(|failure| self.masking.failure(failure))
    }

    async fn fetch(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<(Url, Bytes), Failure> {
        let url = self.route(segments, query)?;
        let body = self
            .get(&url, self.waits.answer, true)
            .await
            .map_err(|failed: Failed| failed.failure)?;
        Ok((url, body))
    }

    /// Reads an answer, if it is within the bounds on its shape.
    fn decoded<T>(
        &self,
        url: &Url,
        body: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<T, Failure> {
        self.limits.shape().check(body).map_err(|beyond| {
            let what = format!(
                "{} answered {beyond} for {}",
                failure::origin(url),
                visible(url.path())
            );
            let hint = "raise limits.json_depth or limits.json_values if it is right";
            Failure::new(FailureKind::TooLarge, what, hint)
        })?;
        decode(body).map_err(|what| failure::unreadable(&what, url))
    }
}

/// The list that a route gives, as its unreadable rows name it.
fn list_of(segments: &[&str]) -> &'static str {
    let is_of = |word: &str| segments.last().is_some_and(|last| last.contains(word));
    if segments.first() == Some(&"tasks") {
        "tasks"
    } else if is_of("attempt") || is_of("deliveries") {
        "attempts"
    } else if is_of("endpoint") {
        "endpoints"
    } else {
        "messages"
    }
}

/// Pages of nothing in a row that are read over.
const MAX_EMPTY: usize = 5;

/// Reads a page of a list by a cursor. Pages of nothing that say there is more are read over, but for
/// so many in a row. What gives the cursor again that it was asked for with does not say how to read
/// on.
pub async fn filled<T, F>(
    cursor: Option<&str>,
    read: impl Fn(Option<String>) -> F,
) -> Result<Page<T>, Failure>
where
    F: Future<Output = Result<Page<T>, Failure>>,
{
    let mut asked = cursor.map(str::to_owned);
    let mut n_empty = 0;
    loop {
        let mut page = read(asked.clone()).await?;
        let is_empty = page.rows.is_empty() && page.unreadable.is_empty();
        n_empty += usize::from(is_empty);
        if page.next == asked || n_empty > MAX_EMPTY {
            page.next = None;
        }
        if page.is_last || page.next.is_none() || !is_empty {
            return Ok(page);
        }
        asked = page.next;
    }
}

/// Reads a list page by page, into one whose `is_last` says whether its end was reached. A row that
/// comes again counts once. Fails where the first page does.
pub async fn gathered<T, F>(
    most: usize,
    id: impl Fn(&Row<T>) -> String,
    read: impl Fn(Option<String>) -> F,
) -> Result<Page<T>, Failure>
where
    F: Future<Output = Result<Page<T>, Failure>>,
{
    let mut all = read(None).await?;
    let mut known: HashSet<String> = all.rows.iter().map(&id).collect();
    for _ in 1..MAX_PAGES {
        // What is beyond the limit of one list is not read: the end was not reached.
        if all.is_last || all.next.is_none() || all.rows.len() >= most {
            break;
        }
        let more = match read(all.next.clone()).await {
            Ok(more) if more.next != all.next || more.is_last => more,
            // A server that gives the same page again, or none: the rest is not known.
            _ => break,
        };
        let is_new = |row: &Row<T>| known.insert(id(row));
        all.rows.extend(more.rows.into_iter().filter(is_new));
        all.unreadable.extend(more.unreadable);
        all.next = more.next;
        all.is_last = more.is_last;
    }
    Ok(all)
}

/// Query parameters, with the numbers as text.
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

/// Filters, the number of rows, and where to go on.
pub fn query(filters: &[(&str, &str)], limit: usize, cursor: Option<&str>) -> Query {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut pairs: Vec<(String, String)> = filters
        .iter()
        .map(|(name, value)| own(name, value))
        .collect();
    pairs.push(own("limit", &limit.clamp(1, MAX_LIMIT).to_string()));
    pairs.extend(cursor.map(|cursor| own("iterator", cursor)));
    Query { pairs }
}
