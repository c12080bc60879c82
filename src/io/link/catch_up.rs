//! Catching up: the comparison after a connection, what it found, and its proof.

use std::time::Duration;

use tokio::time::Instant;

use super::{Link, MAX_COMPARE_WAIT};
use crate::domain::{ChangeKind, Failure, FailureKind, LinkState, Origin, Proof, Time};
use crate::io::compare::{Compared, compare};

impl Link {
    pub(super) fn begin_comparison(&mut self) {
        self.compare_at = None;
        let gap = self
            .gap_from
            .filter(|_| self.is_open)
            .map(|from| (from, self.outlet.clock().now().wall));
        let (client, known) = (self.client.clone(), self.known.clone());
        self.comparison = Some(Box::pin(async move {
            (compare(&client, &known, gap).await, gap)
        }));
    }

    pub(super) async fn compared(
        &mut self,
        outcome: Result<Compared, Failure>,
        gap: Option<(Time, Time)>,
    ) {
        self.comparison = None;
        match outcome {
            Ok(found) => {
                self.compare_wait = Duration::ZERO;
                self.fold(found, gap).await;
                if let Some(LinkState::Stopped { why }) = self.state.clone() {
                    self.enter(LinkState::Polling { why }).await;
                }
                self.outlet.tell_polled(None).await;
            }
            Err(failure) => self.not_compared(failure).await,
        }
        if !self.is_open {
            let wait = self.compare_wait.max(self.client.http.waits.pace());
            self.compare_at = Some(Instant::now() + wait);
        }
    }

    /// The snapshot first, then what the stream brought meanwhile, then the proof.
    pub(super) async fn fold(&mut self, found: Compared, gap: Option<(Time, Time)>) {
        let origin = if self.is_open {
            Origin::Snapshot
        } else {
            Origin::Poll
        };
        let mut drafts = self.outlet.unreadable(origin, found.unreadable);
        let tasks = found.tasks.into_iter().map(ChangeKind::Task);
        let gone = found.gone.into_iter().map(ChangeKind::TaskGone);
        drafts.extend(
            tasks
                .chain(gone)
                .map(|kind| self.outlet.draft(origin, kind)),
        );
        for logged in found.messages {
            drafts.push(
                self.outlet
                    .draft(origin, ChangeKind::Message(Box::new(logged.message))),
            );
            let task = logged.task.map(ChangeKind::Task);
            drafts.extend(task.map(|kind| self.outlet.draft(origin, kind)));
        }
        self.send(drafts).await;
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        let n_held = held.len();
        self.send(held).await;
        if !self.is_open {
            return;
        }
        let mut caveats = found.caveats;
        if std::mem::take(&mut self.has_forgotten) {
            caveats.push(
                "its last event id was of no use, so that events may have been passed over"
                    .to_owned(),
            );
        }
        let proof = Proof {
            gap,
            compared: Some(found.n_active),
            repaired: found.repaired,
            n_repaired: found.n_repaired,
            found: found.n_found,
            held: n_held,
            backfilled: 0,
            caveat: (!caveats.is_empty()).then(|| caveats.join("; ")),
            at: self.outlet.clock().now().wall,
        };
        self.gap_from = None;
        self.is_caught_up = true;
        self.outlet.note_alive(proof.at);
        self.outlet
            .tell(Origin::Snapshot, ChangeKind::Proof(Box::new(proof)))
            .await;
        self.enter_caught_up().await;
    }

    /// Live, if bytes flow: a comparison that ends well is no sign of life of the stream.
    pub(super) async fn enter_caught_up(&mut self) {
        let state = match self.quiet_since {
            Some(since) => LinkState::Stale { since },
            None => LinkState::Live,
        };
        self.enter(state).await;
    }

    /// The stream goes on without the comparison, which is tried again.
    pub(super) async fn not_compared(&mut self, failure: Failure) {
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        self.send(held).await;
        let is_hopeless = matches!(
            failure.kind,
            FailureKind::Unauthorized | FailureKind::NotOffered | FailureKind::NotAspect
        );
        self.outlet.tell_polled(Some(failure.clone())).await;
        if let Some(LinkState::Polling { why }) = self.state.clone() {
            self.enter(LinkState::Stopped { why }).await;
        }
        let first = self.client.http.waits.pace();
        self.compare_wait = if is_hopeless {
            MAX_COMPARE_WAIT
        } else {
            (self.compare_wait * 2).clamp(first.min(MAX_COMPARE_WAIT), MAX_COMPARE_WAIT)
        };
        self.compare_at = Some(Instant::now() + self.compare_wait);
        // Where it will never be compared, catching up is over; else it goes on.
        if self.is_open && is_hopeless && !self.is_caught_up {
            let proof = Proof {
                gap: None,
                compared: None,
                repaired: Vec::new(),
                n_repaired: 0,
                found: 0,
                held: 0,
                backfilled: 0,
                caveat: Some(format!("nothing was compared: {}", failure.what)),
                at: self.outlet.clock().now().wall,
            };
            self.outlet
                .tell(Origin::Snapshot, ChangeKind::Proof(Box::new(proof)))
                .await;
            self.is_caught_up = true;
            self.enter_caught_up().await;
        } else if self.is_open
            && let Some(since) = self.quiet_since
        {
            self.enter(LinkState::Stale { since }).await;
        }
    }
}
