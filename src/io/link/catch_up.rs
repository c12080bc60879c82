//! Catching up: the comparison after a connection, what it found, and its proof; the same at a slow
//! pace while all is well, and as a poll while there is no stream.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::incoming::Words;
use super::{Link, MAX_COMPARE_WAIT};
use crate::domain::time::SECOND;
use crate::domain::{
    ChangeKind, EventId, Failure, FailureKind, LinkState, Observation, Origin, Proof, Repair, Time,
};
use crate::io::compare::{Compared, compare};
use crate::io::outlet::Draft;

/// What is said where a check finds a change that should have been told before.
const LATE: &str = "found only now, so that the stream or an earlier list left it out; other events may be missing";

/// What cannot be known where there is no stream.
const STREAMLESS: &str =
    "there is no stream: of what happens between two polls only the end is seen";

impl Link {
    pub(super) fn begin_comparison(&mut self) {
        self.compare_at = None;
        let now = self.outlet.clock().now().wall;
        // Without a stream too it is said once what became of the time before; from then on, each
        // poll tells of the time since the last.
        let is_told = self.is_open || self.is_streamless && !self.is_polled;
        let gap = self.gap_from.filter(|_| is_told).map(|from| (from, now));
        let (client, known) = (self.client.clone(), self.known.clone());
        let away = self.away.clone();
        self.comparison = Some(Box::pin(async move {
            let began = Instant::now();
            let outcome = compare(&client, &known, gap, away.as_deref(), now).await;
            (outcome, gap, began.elapsed())
        }));
    }

    pub(super) async fn compared(
        &mut self,
        outcome: Result<Compared, Failure>,
        gap: Option<(Time, Time)>,
        took: Duration,
    ) {
        self.comparison = None;
        match outcome {
            Ok(found) => {
                let is_check = self.is_open && self.is_compared;
                let is_open_ended = found.n_open > 0;
                self.fold(found, gap).await;
                if let Some(LinkState::Stopped { why }) = self.state.clone() {
                    self.enter(LinkState::Polling { why }).await;
                }
                self.outlet.tell_polled(None).await;
                // The stream may have fallen silent while the check was made.
                if let (true, Some(since)) = (self.is_open, self.quiet_since) {
                    self.enter(LinkState::Stale { since }).await;
                }
                // Soon after a connection, as the list may have been older than the stream; then
                // ever more rarely, and never so often that the service has little else to do.
                let pace = self.client.http.waits.pace();
                self.compare_wait = if is_check && !is_open_ended {
                    (self.compare_wait * 2).clamp(pace.min(MAX_COMPARE_WAIT), MAX_COMPARE_WAIT)
                } else {
                    pace
                };
                let wait = self.compare_wait.max((took * 10).min(MAX_COMPARE_WAIT));
                self.compare_at = Some(Instant::now() + wait);
            }
            Err(failure) => self.not_compared(failure).await,
        }
        if !self.is_open {
            let wait = self.compare_wait.max(self.client.http.waits.pace());
            self.compare_at = Some(Instant::now() + wait);
        }
    }

    /// The snapshot first, then what the stream brought meanwhile, then the proof.
    async fn fold(&mut self, mut found: Compared, gap: Option<(Time, Time)>) {
        let is_check = self.is_open && self.is_compared;
        let mut proof = if is_check {
            self.drift(&found)
        } else {
            Some((std::mem::take(&mut found.repaired), found.n_repaired))
        };
        let is_polled_gap = !self.is_open && gap.is_some();
        if !self.is_open
            && !is_polled_gap
            && let Some((repaired, n_repaired)) = &proof
            && self.gap_from.is_some()
        {
            self.mended.add(repaired, *n_repaired);
        }
        self.tell_found(&mut found).await;
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        let (n_held, n_backfilled) = (held.len(), count_backfilled(&held, found.gap));
        self.send(held).await;
        if !self.is_open && !is_polled_gap {
            return;
        }
        let mut caveats = if is_check { Vec::new() } else { self.doubts() };
        caveats.append(&mut found.caveats);
        if is_polled_gap {
            caveats.push(STREAMLESS.to_owned());
        }
        if is_check && !self.is_unsettled && proof.is_some() {
            caveats.push(LATE.to_owned());
        }
        let lost = self.events_lost();
        if is_check && !lost.is_empty() {
            // The server said it after this connection's proof: it is told in another.
            proof.get_or_insert_default();
        }
        caveats.extend(lost);
        self.is_unsettled = found.n_open > 0;
        let Some((repaired, n_repaired)) = proof else {
            return;
        };
        let (repaired, n_repaired) = self.mended.take_with(repaired, n_repaired);
        if is_check && gap.is_none() {
            // What was not known of this gap is not known now either.
            let told = self.proved_caveats.iter();
            let told: Vec<String> = told.filter(|it| !caveats.contains(it)).cloned().collect();
            caveats.splice(0..0, told);
        } else {
            self.proved_caveats.clone_from(&caveats);
        }
        let gap = gap.or(self.proved_gap.filter(|_| is_check));
        let proof = Proof {
            gap,
            is_gap_unknown: !is_check && self.unknown.take().is_some(),
            compared: Some(found.n_active),
            repaired,
            n_repaired,
            found: found.n_found,
            held: n_held,
            backfilled: n_backfilled,
            caveat: (!caveats.is_empty()).then(|| caveats.join("; ")),
            at: self.outlet.clock().now().wall,
        };
        self.away = None;
        if is_polled_gap {
            self.is_polled = true;
            self.gap_from = Some(proof.at);
            return self
                .outlet
                .tell(Origin::Snapshot, ChangeKind::Proof(Box::new(proof)))
                .await;
        }
        self.gap_from = None;
        self.proved_gap = gap;
        self.is_compared = true;
        self.is_caught_up = true;
        self.outlet.note_alive(proof.at);
        self.outlet
            .tell(Origin::Snapshot, ChangeKind::Proof(Box::new(proof)))
            .await;
        self.enter_caught_up().await;
    }

    /// What the server, or this end, said of events that cannot come any more; said once.
    fn events_lost(&mut self) -> Vec<String> {
        let mut lost = Vec::new();
        if std::mem::take(&mut self.has_forgotten) {
            lost.push(
                "its last event id was of no use, so that events may have been passed over"
                    .to_owned(),
            );
        }
        if std::mem::take(&mut self.has_overflowed) {
            lost.push("the server no longer had all events of the gap, so that some are missing in the list of events".to_owned());
        }
        lost
    }

    /// What a check found wrong that the stream should have told long ago; `None` if all is well.
    fn drift(&self, found: &Compared) -> Option<(Vec<Repair>, usize)> {
        if self.is_unsettled {
            let is_news = found.n_open == 0 || found.n_repaired > 0;
            return is_news.then(|| (found.repaired.clone(), found.n_repaired));
        }
        let is_late = |repair: &&Repair| {
            let now = self.known.get(&repair.task).map(Observation::state);
            !found.fresh.contains(&repair.task) && now == repair.before
        };
        let late: Vec<Repair> = found.repaired.iter().filter(is_late).cloned().collect();
        let n_late = late.len();
        (n_late > 0).then_some((late, n_late))
    }

    /// Sends on what was read. Where there is no stream, events are made from what differs.
    async fn tell_found(&mut self, found: &mut Compared) {
        let origin = if self.is_open {
            Origin::Snapshot
        } else {
            Origin::Poll
        };
        let (listed, read) = found.listed_and_read();
        let made = self.known.take(listed, read, &found.gone);
        let is_polling = self.is_streamless && !self.is_open;
        let outlet = &self.outlet;
        let mut drafts = outlet.unreadable(origin, std::mem::take(&mut found.unreadable));
        let mut words = Words::default();
        found.rows.iter().for_each(|row| words.add_task(row));
        drafts.extend(words.take().map(|kind| outlet.draft(origin, kind)));
        let tasks = found
            .rows
            .drain(..)
            .map(|row| ChangeKind::Task(row.value))
            .chain(found.gone.drain(..).map(ChangeKind::TaskGone));
        drafts.extend(tasks.map(|kind| outlet.draft(origin, kind)));
        if is_polling {
            let made = made.into_iter().map(|(event, _)| ChangeKind::Event(event));
            drafts.extend(made.map(|kind| outlet.draft(Origin::Inference, kind)));
        }
        let attempts = found.attempts.drain(..).map(Box::new);
        drafts.extend(attempts.map(|it| outlet.draft(origin, ChangeKind::Attempt(it))));
        for logged in found.messages.drain(..) {
            let task = logged.task.map(ChangeKind::Task);
            let message = ChangeKind::Message(Box::new(logged.message));
            let kinds = std::iter::once(message).chain(task);
            drafts.extend(kinds.map(|kind| outlet.draft(origin, kind)));
        }
        self.send(drafts).await;
    }

    /// Live, if bytes flow: a comparison that ends well is no sign of life of the stream.
    async fn enter_caught_up(&mut self) {
        let state = match self.quiet_since {
            Some(since) => LinkState::Stale { since },
            None => LinkState::Live,
        };
        self.enter(state).await;
    }

    /// The stream goes on without the comparison, which is tried again.
    async fn not_compared(&mut self, failure: Failure) {
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
        let waits = self.client.http.waits;
        let first = waits.pace();
        self.compare_wait = if is_hopeless {
            // As with a stream that was refused: what refuses now may not do so for ever.
            waits.stopped.max(first)
        } else {
            (self.compare_wait * 2).clamp(first.min(MAX_COMPARE_WAIT), MAX_COMPARE_WAIT)
        };
        self.compare_at = Some(Instant::now() + self.compare_wait);
        // Where it will never be compared, catching up is over; else it goes on.
        if self.is_open && is_hopeless && !self.is_caught_up {
            let now = self.outlet.clock().now().wall;
            let proof = Proof {
                gap: self.gap_from.map(|from| (from, now)),
                is_gap_unknown: self.unknown.is_some(),
                compared: None,
                repaired: Vec::new(),
                n_repaired: 0,
                found: 0,
                held: 0,
                backfilled: 0,
                caveat: Some(format!("nothing was compared: {}", failure.what)),
                at: now,
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

/// How many different events of the gap, which is by the service's clock, are among these.
fn count_backfilled(held: &[Draft], gap: Option<(Time, Time)>) -> usize {
    let Some((from, to)) = gap else {
        return 0;
    };
    // Times of events are often cut to whole seconds.
    let from = from.plus(-SECOND);
    let ids: HashSet<&EventId> = held
        .iter()
        .filter_map(|draft| match &draft.kind {
            ChangeKind::Event(event) => Some(event),
            _ => None,
        })
        .filter(|event| {
            let updated = event.task.as_ref().map(|task| task.updated);
            let time = event.published.or(updated);
            time.is_some_and(|time| from <= time && time <= to)
        })
        .map(|event| &event.id)
        .collect();
    ids.len()
}
