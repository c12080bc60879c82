//! `reeltop attempts --headers`: what each request and each answer carried beside its body.

use std::collections::HashMap;
use std::io;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;

use super::output::{Output, note};
use crate::domain::{Attempt, AttemptHeaders, AttemptId, Failure, Headers};
use crate::io::client::Client;
use crate::wire::normal;
use crate::wire::rest::Row;

/// Attempts whose headers are read at once.
const READS: usize = 8;

/// The headers of each attempt, in their order; nothing for one that the service has none of. Fails
/// where the service tells none at all.
pub async fn read(
    client: &Client,
    rows: &[&Row<Attempt>],
) -> Result<Vec<Option<AttemptHeaders>>, Failure> {
    let reading = rows.iter().map(|row| {
        let attempt = &row.value;
        client.attempt_headers(&attempt.message, &attempt.id)
    });
    stream::iter(reading).buffered(READS).try_collect().await
}

/// Prints attempts as JSON lines, their headers in them.
pub fn print_lines(
    rows: &[&Row<Attempt>],
    numbers: &HashMap<AttemptId, usize>,
    headers: &[Option<AttemptHeaders>],
) -> io::Result<()> {
    let mut out = Output::new();
    for (row, headers) in rows.iter().zip(headers) {
        let mut line = normal::attempt(row, numbers.get(&row.value.id).copied());
        let sent = headers.as_ref().map(|headers| &headers.sent);
        let received = headers.as_ref().map(|headers| &headers.received.headers);
        if let Some(line) = line.as_object_mut() {
            let told = sent.map(|sent| &sent.headers);
            line.insert("sent_headers".to_owned(), json!(told));
            line.insert("response_headers".to_owned(), json!(received));
            let hidden = sent.map(|sent| &sent.sensitive);
            line.insert("sensitive_headers".to_owned(), json!(hidden));
        }
        out.line(&line.to_string())?;
    }
    out.flush()
}

/// Prints the headers of attempts as tables.
pub fn print_tables(rows: &[&Row<Attempt>], headers: &[Option<AttemptHeaders>]) -> io::Result<()> {
    let mut out = Output::new();
    for (row, headers) in rows.iter().zip(headers) {
        let id = &row.value.id;
        let Some(AttemptHeaders { sent, received }) = headers else {
            note(&format!("attempt {id}: the service has no headers of it"));
            continue;
        };
        for (what, headers) in [("request", sent), ("answer", received)] {
            out.line("")?;
            let head = format!("HEADERS OF THE {} OF {id}", what.to_uppercase());
            out.table(
                &[&head, "VALUE"],
                &cells(headers),
                &format!("{id}: no headers"),
            )?;
        }
    }
    out.flush()
}

fn cells(headers: &Headers) -> Vec<Vec<String>> {
    let open = headers
        .headers
        .iter()
        .map(|(name, value)| vec![name.clone(), value.clone()]);
    let hidden = headers.sensitive.iter();
    let hidden = hidden.map(|name| vec![name.clone(), "*** (the service does not tell it)".into()]);
    open.chain(hidden).collect()
}
