//! The last weighing of a replay: what the service knows just before the request.

use super::{Followed, ReplayOrder};
use crate::domain::{
    Abilities, Attempt, AttemptStatus, Endpoint, EndpointId, Failure, Grounds, Message,
};
use crate::io::attempts::Attempts;
use crate::io::client::Client;

/// Messages of a page that is read to see whether newer ones of a task came.
const PAGE: usize = 50;
/// Such pages at most: what is older than these came long before, and was weighed then.
const PAGES: usize = 4;

/// Why a replay is not to be sent, by all that is to be asked of the service but its message's own
/// attempts, which are read last. What cannot be read speaks against nothing.
pub(super) async fn objection(
    client: &Client,
    abilities: &Abilities,
    order: &ReplayOrder,
) -> Option<(Followed, String)> {
    let (endpoint, newer) = tokio::join!(
        endpoint_objection(client, abilities, &order.endpoint),
        superseding(client, &order.endpoint, &order.grounds)
    );
    if let Some(why) = endpoint {
        return Some((Followed::CalledOff, why));
    }
    told(newer)?.map(|newer| {
        let (kind, id) = (newer.kind.name(), &newer.id);
        let why =
            format!("superseded meanwhile: it took a newer message of this task, {kind} {id}");
        (Followed::NotNeeded, why)
    })
}

/// Why nothing would come of a request, by what the endpoint is now.
pub(super) async fn endpoint_objection(
    client: &Client,
    abilities: &Abilities,
    id: &EndpointId,
) -> Option<String> {
    let endpoint = told(endpoint_now(client, abilities, id).await).flatten()?;
    Grounds::endpoint_objection(endpoint.as_ref()).map(str::to_owned)
}

fn told<T>(read: Result<T, Failure>) -> Option<T> {
    read.inspect_err(|failure| tracing::debug!("not weighed: {failure}"))
        .ok()
}

/// The endpoint as it is now, or that it is gone; `None` where the service tells of none.
async fn endpoint_now(
    client: &Client,
    abilities: &Abilities,
    id: &EndpointId,
) -> Result<Option<Option<Endpoint>>, Failure> {
    if !abilities.endpoint_list.is_offered() {
        return Ok(None);
    }
    client.endpoint_now(id).await.map(Some)
}

/// A newer message of the same task that the endpoint has got, the newest first.
async fn superseding(
    client: &Client,
    endpoint: &EndpointId,
    grounds: &Grounds,
) -> Result<Option<Message>, Failure> {
    let Some(accepted) = grounds.newer_than() else {
        return Ok(None);
    };
    let mut cursor: Option<String> = None;
    for _ in 0..PAGES {
        let page = client.messages(PAGE, cursor.as_deref()).await?;
        let is_past = |message: &Message| message.accepted <= accepted;
        let is_end = page.is_last || page.is_stuck();
        let mut rows = page.rows.into_iter().map(|row| row.value.message);
        let is_reached = rows.clone().any(|message| is_past(&message));
        let newer = rows.by_ref().filter(|it| grounds.may_be_superseded_by(it));
        for message in newer {
            let attempts = Attempts::of(client, &message.id).await?;
            let has_got =
                |it: &Attempt| it.endpoint == *endpoint && it.status == AttemptStatus::Success;
            if attempts.rows.iter().any(has_got) {
                return Ok(Some(message));
            }
        }
        if is_reached || is_end {
            break;
        }
        cursor = page.next;
    }
    Ok(None)
}
