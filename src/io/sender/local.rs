//! A replay that is posted from here, straight to a receiver and signed anew. The service knows
//! nothing of it: what the receiver answers is its outcome, and where the answer is cut off nobody
//! can ever tell but the receiver.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::Url;

use super::{Posts, ReplayOrder, Written, tell};
use crate::domain::{Before, FailureKind, Reply, Stage};
use crate::io::attempts::Attempts;
use crate::io::client::Client;
use crate::io::outlet::Outlet;
use crate::io::post::{Outgoing, Poster, signed};
use crate::io::receiver::Receiver;
use crate::wire::signature::key::Key;

/// What is posted, where to, and the key that signs it.
#[derive(Debug, Clone)]
pub struct Parcel {
    pub url: Url,
    /// What else must not be on its way there.
    pub receiver: Receiver,
    pub key: Key,
    pub body: Bytes,
}

/// Posts the order at most once, each stage written down before it is told, and gives its last one.
/// The request is a task of its own in `posts`, as of one that was begun the outcome is waited for.
pub async fn post_here(
    outlet: &Outlet,
    order: &ReplayOrder,
    poster: &Arc<Poster>,
    parcel: Parcel,
    posts: &Posts,
) -> Stage {
    let written = match poster.gate() {
        Ok(()) => {
            let known = order.grounds.latest();
            Written::to_receiver(outlet, order, parcel.receiver.clone().knowing(known)).await
        }
        Err(refusal) => Err(Stage::Refused(refusal)),
    };
    let written = match written {
        Ok(written) => written,
        Err(stage) => {
            tell(outlet, order, stage.clone()).await;
            return stage;
        }
    };
    tell(outlet, order, Stage::Planned).await;
    let sending = post(written.clone(), poster.clone(), parcel, posts.clone());
    match posts.tracker.spawn(sending).await {
        Ok(stage) => stage,
        Err(error) => {
            let stage = Stage::Unknown(format!("it was broken off: {error}"));
            written.note(stage.clone()).await;
            stage
        }
    }
}

async fn post(written: Written, poster: Arc<Poster>, parcel: Parcel, posts: Posts) -> Stage {
    // The service's attempts tell nothing of it.
    let before = Before::from([]);
    if !posts.stop.is_cancelled()
        && let Err(failure) = written.step(Stage::Sending { before }).await
    {
        let stage = Stage::Refused(failure);
        written.note(stage.clone()).await;
        return stage;
    }
    if posts.stop.is_cancelled() {
        let why = "reeltop was ended before the request was made";
        let stage = Stage::Cancelled(why.to_owned());
        written.note(stage.clone()).await;
        return stage;
    }
    let now = written.outlet.clock().now().wall;
    let id = written.order.message.to_string();
    let outgoing = Outgoing {
        url: parcel.url,
        headers: signed(&parcel.key, &id, now, &parcel.body),
        body: parcel.body,
        pause: None,
    };
    let stage = match poster.send(outgoing).await {
        Ok(answer) => Stage::Answered(Reply {
            code: answer.code,
            duration_ms: u32::try_from(answer.took.as_millis()).unwrap_or(u32::MAX),
        }),
        // It may have arrived before the connection broke.
        Err(failure) if failure.kind == FailureKind::Broken => Stage::Unknown(failure.what),
        Err(failure) => Stage::Refused(failure),
    };
    written.note(stage.clone()).await;
    stage
}

/// Why an order need not be posted any more: an attempt that came since it was planned delivered it.
/// Where the service does not answer, nothing is known to speak against it.
pub async fn delivered_meanwhile(client: &Client, order: &ReplayOrder) -> Option<String> {
    let attempts = Attempts::of(client, &order.message).await.ok()?;
    let there = attempts.rows.iter();
    let there = there.filter(|attempt| attempt.endpoint == order.endpoint);
    let refuted = order.grounds.refuted(there)?;
    Some(format!("delivered meanwhile, by attempt {}", refuted.id))
}
