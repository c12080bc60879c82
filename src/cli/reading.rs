//! What several commands read of the logs, and how far.

use crate::domain::{Failure, FailureKind, MessageId};
use crate::io::client::{Client, FULL_PAGE};
use crate::wire::rest::{Logged, Row};

/// Pages of the message log in which a message is looked for.
pub const SEARCHED_PAGES: usize = 40;

/// Looks for messages in the log, newest first; a route for one message is not documented.
pub async fn find_messages(client: &Client, ids: &[String]) -> Result<Vec<Row<Logged>>, Failure> {
    let mut wanted: Vec<MessageId> = ids.iter().map(|id| MessageId::new(id)).collect();
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..SEARCHED_PAGES {
        let page = client.messages(FULL_PAGE, cursor.as_deref()).await?;
        for row in page.rows {
            if let Some(at) = wanted.iter().position(|id| *id == row.value.message.id) {
                wanted.swap_remove(at);
                found.push(row);
            }
        }
        if wanted.is_empty() || page.is_last || page.next == cursor {
            break;
        }
        cursor = page.next;
    }
    Ok(found)
}

/// Whether the endpoint list, which is not documented, is simply not offered.
pub fn is_unlisted(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::NotOffered
            | FailureKind::Forbidden
            | FailureKind::Invalid
            | FailureKind::NotAspect
    )
}
