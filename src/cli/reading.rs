//! What several commands read of the logs, and how far.

use super::output::note;
use crate::domain::{EventId, Failure, FailureKind, MessageId, Unreadable, plural};
use crate::io::client::svix::Svix;
use crate::io::client::{Client, FULL_PAGE};
use crate::wire::rest::{Logged, Row, STUCK};

/// Pages of the message log that are looked through, where nothing says how far.
pub const SEARCHED_PAGES: usize = 40;
/// Pages that are looked through at most, for what was named or up to a time.
pub const MOST_PAGES: usize = 400;

/// How far a list was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// To its end.
    Whole,
    /// As far as was wanted, or as is read at most.
    Bound,
    /// There is more, but nothing says how to read on.
    Stuck,
}

/// Says how many rows could not be read.
pub fn say_unreadable(found: &[Unreadable]) {
    if let Some(first) = found.first() {
        note(&format!(
            "{} could not be read: {}",
            plural(Unreadable::sum(found), "row", "rows"),
            first.why
        ));
    }
}

/// Looks for messages in the log, newest first; a route for one message is not documented but at
/// Svix.
pub async fn find_messages(client: &Client, ids: &[String]) -> Result<Vec<Row<Logged>>, Failure> {
    if let Some(svix) = &client.svix {
        return read_messages(svix, ids).await;
    }
    let mut wanted: Vec<MessageId> = ids.iter().map(|id| MessageId::new(id)).collect();
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    for n_pages in 0..MOST_PAGES {
        if n_pages == SEARCHED_PAGES {
            let n = wanted.len();
            let are = if n == 1 { "message is" } else { "messages are" };
            note(&format!(
                "{n} {are} not among the latest {} of the log; looking further back",
                n_pages * FULL_PAGE
            ));
        }
        let page = client.messages(FULL_PAGE, cursor.as_deref()).await?;
        for row in page.rows {
            if let Some(at) = wanted.iter().position(|id| *id == row.value.message.id) {
                wanted.swap_remove(at);
                found.push(row);
            }
        }
        if wanted.is_empty() || page.is_last {
            break;
        }
        if page.next.is_none() {
            note(STUCK);
            break;
        }
        cursor = page.next;
    }
    Ok(found)
}

async fn read_messages(svix: &Svix, ids: &[String]) -> Result<Vec<Row<Logged>>, Failure> {
    let mut found: Vec<Row<Logged>> = Vec::new();
    for id in ids {
        match svix.message(&MessageId::new(id)).await {
            Ok(row) => found.push(row),
            Err(failure) if failure.kind == FailureKind::NotFound => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

/// Whether a message has this id; Svix takes the id of its event as well.
pub fn is_called(row: &Row<Logged>, id: &str) -> bool {
    let message = &row.value.message;
    message.id == MessageId::new(id) || message.event == Some(EventId::new(id))
}

/// What is said of a message that was not found.
pub fn not_found(client: &Client, id: &str) -> String {
    match &client.svix {
        Some(svix) => format!("Svix has no message {id} in application {}", svix.app()),
        None => format!(
            "message {id} is not among the latest {} of the log",
            MOST_PAGES * FULL_PAGE
        ),
    }
}

/// Whether the endpoint list, which is not documented, is not to be had, so that what attempts tell
/// of endpoints is what there is.
pub fn is_unlisted(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::NotOffered
            | FailureKind::Forbidden
            | FailureKind::Invalid
            | FailureKind::NotAspect
    )
}

/// Why there is no endpoint list, in the service's words where it is there and this key may not read
/// it.
pub fn unlisted_words(failure: &Failure) -> String {
    if failure.kind == FailureKind::Forbidden {
        format!("the list of endpoints cannot be read: {failure}")
    } else {
        "this server lists no endpoints".to_owned()
    }
}

/// Says that the endpoint list cannot be read, and what that means; nothing where the server simply
/// offers none.
pub fn say_no_list(failure: &Failure, means: &str) {
    if !is_unlisted(failure) || failure.kind == FailureKind::Forbidden {
        note(&format!(
            "the list of endpoints cannot be read: {failure}; {means}"
        ));
    }
}
