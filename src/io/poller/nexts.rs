//! When the service tries again what failed, asked of a few messages in each round.

use super::Poller;
use crate::domain::{ChangeKind, Failure, FailureKind, MessageId};
use crate::io::nexts;

/// Messages asked about in one round; the others have their turn in the next.
const MAX_ASKED: usize = 20;
/// Messages of the newest that are weighed for what is not known.
const WEIGHED: usize = 500;

impl Poller {
    /// Asks when messages that failed are tried again, unless that is known since their last
    /// attempt. A server without such a route is not asked again.
    pub(super) async fn nexts(&mut self) -> Result<(), Failure> {
        let Some(svix) = self.client.svix.clone().filter(|_| !self.has_no_nexts) else {
            return Ok(());
        };
        let now = self.outlet.clock().now().wall;
        let unknown: Vec<MessageId> = self
            .held
            .deliveries
            .newest()
            .take(WEIGHED)
            .filter(|held| nexts::is_unknown(&self.held, held, now))
            .map(|held| held.id.clone())
            .collect();
        // Those of which nothing can be told yet do not keep the others from being asked about.
        let turn = self.round as usize * MAX_ASKED % unknown.len().max(1);
        let n_asked = unknown.len().min(MAX_ASKED);
        for message in unknown.into_iter().cycle().skip(turn).take(n_asked) {
            let clock = self.outlet.clock();
            let asked = nexts::ask(&svix, &self.held, &message, || clock.now().wall).await;
            let found = match asked {
                Ok(found) => found,
                Err(failure) if failure.kind == FailureKind::NotOffered => {
                    self.has_no_nexts = true;
                    return Ok(());
                }
                // The message expired, or was deleted.
                Err(failure) if failure.kind == FailureKind::NotFound => continue,
                Err(failure) => return Err(failure),
            };
            self.tell_unreadable(found.unreadable).await;
            let told = found.told.into_iter().map(Box::new);
            self.tell(told.map(ChangeKind::NextTry).collect()).await;
        }
        Ok(())
    }
}
