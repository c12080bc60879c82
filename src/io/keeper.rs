//! Keeps the ledger of replays up to date with what is found, and tells what changes in it.

use std::time::Duration;

use super::outlet::Outlet;
use crate::domain::{ChangeKind, Failure, Origin, Replay};

/// How often the ledger is looked at for what other reeltops wrote.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Keeps the ledger up to date and tells what changes in it, until it is dropped. What was sent is
/// told to `sent` too, so that its attempt is looked for as long as it is open.
pub async fn run(outlet: Outlet, sent: impl Fn(&Replay)) {
    let ledger = outlet.ledger().clone();
    let mut said = None;
    let mut told = None;
    loop {
        let outcome = look(&outlet, &sent).await;
        let trouble = ledger.trouble();
        if trouble != told {
            told.clone_from(&trouble);
            let kind = ChangeKind::LedgerTrouble(trouble.map(Box::new));
            outlet.tell(Origin::Inference, kind).await;
        }
        // Said once; the next replay says it where it is seen.
        if let (Err(failure), true) = (&outcome, outcome.as_ref().err() != said.as_ref()) {
            tracing::warn!("{failure}");
        }
        said = outcome.err();
        tokio::select! {
            () = ledger.news() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Brings the ledger up to date once and tells what changed.
pub async fn look(outlet: &Outlet, sent: &impl Fn(&Replay)) -> Result<(), Failure> {
    let now = outlet.clock().now();
    let replays = outlet.ledger().wait(move |ledger| ledger.keep(now)).await?;
    replays
        .iter()
        .filter(|replay| replay.sent.is_some())
        .for_each(sent);
    let drafts = replays
        .into_iter()
        .map(|replay| outlet.draft(Origin::Journal, ChangeKind::Ledger(Box::new(replay))))
        .collect();
    outlet.send(drafts).await;
    Ok(())
}
