//! When the service tries again by itself, asked before a plan says so.

use futures_util::stream::{self, StreamExt};

use super::READS;
use super::progress::Progress;
use crate::cli::output::note;
use crate::domain::{FailureKind, History, MessageId, NextAsked, NextTry};
use crate::io::client::Client;
use crate::io::clock::Clock;
use crate::io::nexts;

/// What a Svix server says of those that failed and may be tried again. What it does not tell stays
/// an estimate.
pub(super) async fn told(
    client: &Client,
    history: &History,
    ids: &[String],
    clock: Clock,
) -> Vec<NextTry> {
    let Some(svix) = &client.svix else {
        return Vec::new();
    };
    let now = clock.now().wall;
    let unknown = ids.iter().map(|id| MessageId::new(id)).filter(|id| {
        let delivery = history.deliveries.get(id);
        delivery.is_some_and(|delivery| history.is_next_unknown(delivery, now))
    });
    let unknown: Vec<MessageId> = unknown.collect();
    let mut progress = Progress::of("asking when the service tries again", unknown.len());
    let mut asking = stream::iter(&unknown)
        .map(|id| NextAsked::of(history, id))
        .map(|asked| async move { nexts::ask(svix, &asked, || clock.now().wall).await })
        .buffered(READS);
    let mut all = Vec::new();
    while let Some(asked) = asking.next().await {
        progress.step();
        match asked {
            Ok(found) => all.extend(found.told),
            // It expired, or was deleted.
            Err(failure) if failure.kind == FailureKind::NotFound => {}
            Err(failure) => {
                if failure.kind != FailureKind::NotOffered {
                    note(&format!(
                        "when the service tries again is an estimate: {failure}"
                    ));
                }
                break;
            }
        }
    }
    all
}
