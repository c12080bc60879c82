//! Earlier runs: what the journal holds is told before the network answers, and how it stands is
//! told from then on.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

use crate::domain::{Change, ChangeKind, Journal, MessageId, Origin};
use crate::io::journal::Resume;
use crate::io::outlet::Outlet;
use crate::io::poller::OpenReplays;
use std::sync::PoisonError;

/// The longest that the network waits for a slow disk; what was not read by then is not told.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells what earlier runs recorded, and gives where the link goes on.
pub(super) async fn restore(
    outlet: &Outlet,
    mut restored: mpsc::Receiver<Vec<Change>>,
    resume: oneshot::Receiver<Resume>,
) -> Resume {
    let telling = async {
        while let Some(batch) = restored.recv().await {
            outlet.send_restored(batch).await;
        }
        resume.await.unwrap_or_default()
    };
    timeout(PATIENCE, telling).await.unwrap_or_default()
}

/// Tells how the journal stands, now and whenever that changes.
pub(super) async fn tell_state(outlet: Outlet, mut state: watch::Receiver<Journal>) {
    loop {
        let now = state.borrow_and_update().clone();
        outlet
            .tell(Origin::Inference, ChangeKind::Journal(Box::new(now)))
            .await;
        if state.changed().await.is_err() {
            return;
        }
    }
}

/// Has the poller look at a message until the attempt of its replay is found.
pub(super) fn watch_for(open: &OpenReplays, message: &MessageId) {
    open.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(message.clone(), Instant::now());
}
