//! `reeltop endpoints stats`: attempts at an endpoint, as the service itself counts them.

use std::time::Duration;

use serde_json::json;

use crate::cli::args::StatsArgs;
use crate::cli::output::{Outcome, Output, note, usage};
use crate::domain::time::micros;
use crate::domain::{COUNTED_DAYS, EndpointId, Time};
use crate::io::client::Client;
use crate::io::clock::Clock;

const COUNTED: Duration = Duration::from_hours(COUNTED_DAYS * 24);

/// 0 shown, 1 where the service does not count or has no such endpoint, 2 where the time is too
/// long or nobody could be asked.
pub async fn run(args: &StatsArgs, client: &Client) -> Outcome {
    if args.since.is_some_and(|ago| ago > COUNTED) {
        return Err(usage("--since", "Svix counts over 28 days at most"));
    }
    let id = EndpointId::new(&args.id);
    let since = match args.since {
        Some(ago) => Some(service_now(client, &id).await.plus(-micros(ago))),
        None => None,
    };
    let counted = client.endpoint_stats(&id, since).await?;
    let rows = [
        ("success", counted.success),
        ("fail", counted.fail),
        ("sending", counted.sending),
        ("pending", counted.pending),
        ("canceled", counted.canceled),
    ];
    let mut out = Output::new();
    if args.json {
        let mut line = json!({"endpoint_id": args.id, "since": since.map(Time::rfc3339)});
        for (name, n) in rows {
            line[name] = n.into();
        }
        out.line(&line.to_string())?;
    } else {
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .map(|(name, n)| vec![name.to_owned(), n.to_string()])
            .collect();
        out.table(&["ATTEMPTS", "N"], &rows, "")?;
        note("these are attempts, not messages: one that was tried six times counts six times");
    }
    out.flush()?;
    Ok(0)
}

/// Now by the clock of the service, as its answer tells it: what it says of the endpoint is of no
/// matter here.
async fn service_now(client: &Client, id: &EndpointId) -> Time {
    if let Some(svix) = &client.svix {
        let _ = svix.endpoint(&id.to_string()).await;
    }
    let ahead = client.deliveries_ahead().unwrap_or(0);
    Clock::new().now().wall.plus(ahead)
}
