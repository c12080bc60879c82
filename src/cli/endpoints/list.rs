//! `reeltop endpoints`: the endpoints and how they fare, as table or JSON lines.

use std::collections::{BTreeMap, HashMap};
use std::io;

use crate::cli::args::{EndpointsArgs, SourceArgs};
use crate::cli::lens::Lens;
use crate::cli::list::{WALKED, query};
use crate::cli::output::{Outcome, Output, note};
use crate::cli::reading::{is_unlisted, say_unreadable, unlisted_words};
use crate::cli::source;
use crate::domain::{Endpoint, EndpointId, Failure, FailureKind, Health, Time};
use crate::io::attempts::Attempts;
use crate::io::client::Client;
use crate::view::model::{Said, fare};
use crate::wire::normal;

/// `reeltop endpoints`
pub async fn endpoints(args: EndpointsArgs, from: SourceArgs) -> Outcome {
    let query = query(args.query.as_deref(), from.utc)?;
    let (_, client) = source::reader(&from, source::PATIENCE)?;
    let mut is_whole = true;
    let mut rows: Listed = match client.endpoints().await {
        Ok(page) => {
            say_unreadable(&page.unreadable);
            if !page.is_last {
                note("the list of endpoints is longer than what could be read of it");
            }
            let rows = page.rows.into_iter();
            rows.map(|row| (row.value, Some(row.raw))).collect()
        }
        Err(failure) if is_unlisted(&failure) => {
            let rows = inferred(&client).await?;
            let why = unlisted_words(&failure);
            note(&format!(
                "{why}; these are the ones seen in its latest attempts"
            ));
            is_whole = failure.kind != FailureKind::Forbidden;
            rows
        }
        Err(failure) => return Err(failure.into()),
    };
    let mut lens = Lens::new(&query, &client, 0);
    let ids = rows.iter().map(|(endpoint, _)| endpoint.id.clone());
    lens.take_endpoints(ids.collect()).await;
    rows.retain(|(endpoint, _)| lens.shows_endpoint(endpoint));
    let shown: Vec<&Endpoint> = rows.iter().map(|(endpoint, _)| endpoint).collect();
    let health = lens.read_health(&shown).await;
    let now = lens.service_now();
    let code = u8::from(!(lens.end() && is_whole));
    print_endpoints(&rows, &health, now, args.json)?;
    Ok(code)
}

/// Prints endpoints as a table or as JSON lines, with how they fare where that is known, as things
/// stand at a time of the service that delivers.
pub fn print_endpoints(
    rows: &[ListedEndpoint],
    health: &HashMap<EndpointId, Health>,
    now: Time,
    is_json: bool,
) -> io::Result<()> {
    let mut out = Output::new();
    if is_json {
        for (endpoint, raw) in rows {
            let line = normal::endpoint_with(endpoint, raw.as_ref(), health.get(&endpoint.id));
            out.line(&line.to_string())?;
        }
    } else {
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|(endpoint, _)| endpoint_cells(endpoint, health.get(&endpoint.id), now))
            .collect();
        let head = [
            "ENDPOINT",
            "STATE",
            "OK 1H",
            "OK 24H",
            "P50 1H",
            "P95 1H",
            "FAILING SINCE",
            "DESCRIPTION",
            "URL",
            "EVENTS",
        ];
        out.table(&head, &cells, "no webhook endpoints yet")?;
    }
    out.flush()
}

fn endpoint_cells(endpoint: &Endpoint, health: Option<&Health>, now: Time) -> Vec<String> {
    let types = endpoint.event_types.as_ref();
    let types: Vec<&str> = types
        .iter()
        .flat_map(|types| types.iter())
        .map(crate::domain::EventType::name)
        .collect();
    let state = match (endpoint.is_inferred, endpoint.disabled) {
        (true, _) => "unknown",
        (false, true) => "disabled",
        (false, false) => "enabled",
    };
    let unknown = [(); 5].map(|()| "?".to_owned());
    let [hour, day, p50, p95, failing] = health.map_or(unknown, |health| fared(health, now));
    vec![
        endpoint.id.to_string(),
        state.to_owned(),
        hour,
        day,
        p50,
        p95,
        failing,
        endpoint.description.to_string(),
        endpoint.url.to_string(),
        match types[..] {
            [] if endpoint.is_inferred => "?".to_owned(),
            [] => "all".to_owned(),
            _ => types.join(" "),
        },
    ]
}

/// How an endpoint fares, in the words of the screen.
fn fared(health: &Health, now: Time) -> [String; 5] {
    let text = |words: Vec<Said>| words.into_iter().map(|(_, text)| text).collect();
    [
        text(fare::rate_in(&health.hour, now)),
        text(fare::rate_in(&health.day, now)),
        fare::took(health.hour.p50_ms).1,
        fare::took(health.hour.p95_ms).1,
        text(fare::failing(health.failing, now)),
    ]
}

/// An endpoint, and the row it was read from.
type ListedEndpoint = (Endpoint, Option<serde_json::Map<String, serde_json::Value>>);
type Listed = Vec<ListedEndpoint>;

/// Endpoints seen in the attempts of the latest messages.
async fn inferred(client: &Client) -> Result<Listed, Failure> {
    let page = client.messages(WALKED, None).await?;
    let mut seen: BTreeMap<EndpointId, Endpoint> = BTreeMap::new();
    let (mut is_read, mut first_failure) = (false, None);
    let mut unreadable = page.unreadable;
    for row in page.rows {
        let attempts = match Attempts::of(client, &row.value.message.id).await {
            Ok(attempts) => attempts,
            Err(failure) => {
                first_failure.get_or_insert(failure);
                continue;
            }
        };
        is_read = true;
        unreadable.extend(attempts.unreadable);
        for attempt in attempts.rows {
            seen.entry(attempt.endpoint.clone())
                .or_insert_with(|| Endpoint::inferred(attempt.endpoint, attempt.url));
        }
    }
    say_unreadable(&unreadable);
    match first_failure {
        Some(failure) if !is_read => return Err(failure),
        Some(failure) => note(&format!("not all could be read: {failure}")),
        None => {}
    }
    Ok(seen
        .into_values()
        .map(|endpoint| (endpoint, None))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_endpoint_wants_is_all_only_where_that_was_read() {
        let seen = Endpoint::inferred(EndpointId::new("ep"), "http://h/".into());
        let listed = Endpoint {
            is_inferred: false,
            ..seen.clone()
        };
        for (endpoint, events) in [(seen, "?"), (listed, "all")] {
            let cells = endpoint_cells(&endpoint, None, Time(0));
            assert_eq!(cells.last().map(String::as_str), Some(events));
        }
    }
}
