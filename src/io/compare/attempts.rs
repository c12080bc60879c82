//! Attempts made while reeltop was away: each endpoint's log, paged back past the start of the gap.

use std::collections::BTreeSet;

use super::{Compared, SKEW};
use crate::domain::{EndpointId, Failure, FailureKind, Time, plural};
use crate::io::client::{Client, FULL_PAGE};

/// Pages of attempts read in one comparison, over all endpoints.
const MAX_PAGES: usize = 80;

/// Logs that may get no answer: no other is asked for then.
const MOST_SILENT: usize = 2;

/// How the reading of one endpoint's log ended.
enum End {
    /// All of the gap was read, or there is no such log.
    Whole,
    /// The bound was reached, or nothing says how to read on.
    Cut,
    Failed(Failure),
}

/// Reads the attempts since `from`, by the service's clock, at the endpoints that were known before
/// and those that are listed now.
pub(super) async fn read_attempts(
    client: &Client,
    known: &[EndpointId],
    from: Time,
    found: &mut Compared,
) {
    let mut endpoints: BTreeSet<EndpointId> = known.iter().cloned().collect();
    if let Ok(page) = client.endpoints().await {
        endpoints.extend(page.rows.into_iter().map(|row| row.value.id));
    }
    let mut left = MAX_PAGES;
    let (mut n_cut, mut n_silent, mut failed) = (0, 0, None);
    for endpoint in &endpoints {
        match read_log(client, endpoint, from.plus(-SKEW), &mut left, found).await {
            End::Whole => {}
            End::Cut => n_cut += 1,
            End::Failed(failure) => {
                n_silent += usize::from(failure.is_silent());
                let is_end = failure.kind == FailureKind::RateLimited || n_silent == MOST_SILENT;
                failed = Some(failure.what);
                if is_end {
                    break;
                }
            }
        }
    }
    if n_cut > 0 {
        found.caveats.push(format!(
            "attempts made in the gap were not all read at {} (more than {MAX_PAGES} pages)",
            plural(n_cut, "endpoint", "endpoints")
        ));
    }
    if let Some(why) = failed {
        found.caveats.push(format!(
            "attempts made in the gap were not all read ({why})"
        ));
    }
}

async fn read_log(
    client: &Client,
    endpoint: &EndpointId,
    until: Time,
    left: &mut usize,
    found: &mut Compared,
) -> End {
    let mut cursor: Option<String> = None;
    loop {
        let Some(fewer) = left.checked_sub(1) else {
            return End::Cut;
        };
        *left = fewer;
        let page = client.attempts_at(endpoint, FULL_PAGE, cursor.as_deref());
        let page = match page.await {
            Ok(page) => page,
            // Without a log, what the server offers says so; a deleted endpoint has none.
            Err(failure)
                if matches!(
                    failure.kind,
                    FailureKind::NotOffered | FailureKind::NotFound
                ) =>
            {
                return End::Whole;
            }
            Err(failure) => return End::Failed(failure),
        };
        let oldest = page.rows.iter().map(|row| row.value.started).min();
        found.unreadable.extend(page.unreadable);
        found
            .attempts
            .extend(page.rows.into_iter().map(|row| row.value));
        if page.is_last || oldest.is_some_and(|oldest| oldest < until) {
            return End::Whole;
        }
        if page.next.is_none() {
            return End::Cut;
        }
        cursor = page.next;
    }
}
