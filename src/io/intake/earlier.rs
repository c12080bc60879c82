//! Earlier runs: what the journal holds is told before the network answers, and how it stands is
//! told from then on.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::domain::{Change, ChangeKind, Journal, Origin, Replay};
use crate::io::journal::{Resume, Start};
use crate::io::outlet::Outlet;
use crate::io::poller::OpenReplays;
use std::sync::PoisonError;

/// The longest that the network waits for the facts that the link needs; …
const FACTS: Duration = Duration::from_secs(2);
/// … and for all that earlier runs knew, on a slow disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// What earlier runs recorded, while it is being read.
pub(super) struct Earlier {
    start: oneshot::Receiver<Start>,
    restored: mpsc::Receiver<Vec<Change>>,
    resume: oneshot::Receiver<Resume>,
}

impl Earlier {
    pub fn new(
        start: oneshot::Receiver<Start>,
        restored: mpsc::Receiver<Vec<Change>>,
        resume: oneshot::Receiver<Resume>,
    ) -> Self {
        Self {
            start,
            restored,
            resume,
        }
    }

    /// Where the link goes on. Comes soon, or says that it is not known.
    pub async fn start(&mut self) -> Start {
        let unknown = |why: &str| Start {
            unknown: Some(why.to_owned()),
            ..Start::default()
        };
        match timeout(FACTS, &mut self.start).await {
            Ok(Ok(start)) => start,
            Ok(Err(_)) => unknown("the journal could not be read"),
            Err(_) => unknown("the journal could not be read in time"),
        }
    }

    /// Tells what was recorded, as far as it comes soon; whether that was all.
    pub async fn tell_soon(&mut self, outlet: &Outlet) -> bool {
        let end = Instant::now() + PATIENCE;
        loop {
            match timeout_at(end, self.restored.recv()).await {
                Ok(Some(batch)) => outlet.send_restored(batch).await,
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Tells the rest while the network is in use already. Its events are older than some that are
    /// listed, so that of these only the tasks are told.
    pub async fn tell_late(&mut self, outlet: &Outlet) {
        while let Some(mut batch) = self.restored.recv().await {
            batch.retain_mut(|change| {
                if let ChangeKind::Event(event) = &mut change.kind {
                    let Some(seen) = event.task.take() else {
                        return false;
                    };
                    change.kind = ChangeKind::Task(seen);
                }
                true
            });
            outlet.send_restored(batch).await;
        }
    }

    /// What the network must be asked about, once all is told.
    pub async fn resume(self) -> Resume {
        self.resume.await.unwrap_or_default()
    }
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

/// Has the poller look at a message as long as its replay is open.
pub(super) fn watch_for(watched: &OpenReplays, replay: &Replay) {
    let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
    let pair = (replay.message.clone(), replay.endpoint.clone());
    if replay.state.is_open() {
        watched.entry(pair).or_insert_with(Instant::now);
    } else {
        watched.remove(&pair);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AttemptId, EndpointId, MessageId, Moment, ReplayState, Route};

    #[test]
    fn what_has_ended_is_no_longer_looked_at() {
        let watched = OpenReplays::default();
        let mut replay = Replay {
            number: 1,
            message: MessageId::new("msg_1"),
            endpoint: EndpointId::new("ep_1"),
            route: Route::Server,
            state: ReplayState::Accepted,
            planned: Moment::default(),
            since: Moment::default(),
            sent: None,
            before: None,
            was_unknown: false,
            is_followed: false,
            row: None,
            by: None,
        };
        watch_for(&watched, &replay);
        let elsewhere = Replay {
            endpoint: EndpointId::new("ep_2"),
            ..replay.clone()
        };
        watch_for(&watched, &elsewhere);
        replay.state = ReplayState::Delivered {
            attempt: AttemptId::new("atmpt_1"),
            found_later: false,
        };
        watch_for(&watched, &replay);
        let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
        let left: Vec<_> = watched
            .keys()
            .map(|(_, endpoint)| endpoint.to_string())
            .collect();
        assert_eq!(left, ["ep_2"]);
    }
}
