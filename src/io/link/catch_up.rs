//! Catching up: the comparison after a connection, what it found, and its proof; the same at a slow
//! pace while all is well, and as a poll while there is no stream.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::incoming::Words;
use super::{Gap, Link, MAX_COMPARE_WAIT};
use crate::domain::time::SECOND;
use crate::domain::{
    ChangeKind, EventId, Failure, FailureKind, Heard, LinkState, Observation, Origin, Proof,
    Repair, Time,
};
use crate::io::compare::{Compared, UNSETTLED, compare};
use crate::io::outlet::Draft;

/// What is said where a check finds a change that should have been told before.
const LATE: &str =
    "the open stream had not told what was found here, so that other events may be missing";

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
        self.looking_at = Some(now);
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
        gap: Gap,
        took: Duration,
    ) {
        self.comparison = None;
        match outcome {
            Ok(found) => {
                let is_check = self.is_open && self.is_compared;
                let is_open_ended = found.n_open > 0;
                self.fold(found, gap).await;
                let is_left_out = self.is_open && self.gap_from.is_some();
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
                let wait = if is_left_out { Duration::ZERO } else { wait };
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
    async fn fold(&mut self, mut found: Compared, gap: Gap) {
        let repairs = self.repairs(&mut found, gap);
        self.tell_found(&mut found).await;
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        let (n_held, n_backfilled) = (held.len(), count_backfilled(&held, found.gap));
        self.send(held).await;
        if !self.is_open && gap.is_none() {
            if self.gap_from.is_some() {
                self.n_polls += 1;
                // Without a stream, each poll tells what it found as events.
                if let Some((repaired, n_repaired)) = repairs.filter(|_| !self.is_streamless) {
                    self.mended.add(&repaired, n_repaired);
                }
            }
            return;
        }
        let is_check = self.is_open && self.is_compared;
        let is_late = is_check && !self.is_unsettled && repairs.is_some();
        self.is_unsettled = found.n_open > 0;
        if is_late && gap.is_none() {
            return self.note_left_out(repairs);
        }
        // A poll that is the first look of all has missed nothing.
        let is_first = !self.is_open
            && self.n_polls == 0
            && self.unknown.is_none()
            && self.gap_from == Some(self.began);
        let caveats = self.caveats(&mut found, gap);
        let lost = self.events_lost();
        // Where the server said it after this connection's proof, it is told in another.
        let Some((repaired, n_repaired)) =
            repairs.or_else(|| (!lost.is_empty()).then(Default::default))
        else {
            self.note_looked();
            return;
        };
        let caveats = self.with_earlier(caveats.into_iter().chain(lost).collect(), gap);
        let (repaired, n_repaired) = self.mended.take_with(repaired, n_repaired);
        let proof = Proof {
            gap: gap
                .filter(|_| !is_first)
                .or(self.proved_gap.filter(|_| is_check)),
            heard: self.heard(gap),
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
        self.prove(proof).await;
    }

    /// What is to be told as repaired; `None` where a check finds all as the stream told it.
    fn repairs(&mut self, found: &mut Compared, gap: Gap) -> Option<(Vec<Repair>, usize)> {
        if self.is_open && self.is_compared {
            let late = self.drift(found);
            return if gap.is_some() {
                Some(late.unwrap_or_default())
            } else {
                late
            };
        }
        Some((std::mem::take(&mut found.repaired), found.n_repaired))
    }

    /// The open stream left something out: how long it did so at most is a gap, looked into at
    /// once. While it is silent it may be over, which its end or its next bytes tell.
    fn note_left_out(&mut self, repairs: Option<(Vec<Repair>, usize)>) {
        let (repaired, n_repaired) = repairs.unwrap_or_default();
        self.mended.add(&repaired, n_repaired);
        if self.quiet_since.is_some() {
            return;
        }
        self.has_left_out = true;
        // Where the wall clock was set back meanwhile, what it said then is of no use.
        let now = self.looking_at;
        let from = self.was_quiet_since.take().or(self.looked_at);
        self.gap_from = from.filter(|at| Some(*at) <= now).or(now);
    }

    /// Up to when all is as it should be: but for what the stream is still to tell, and for what it
    /// may have passed over if it is silent.
    fn note_looked(&mut self) {
        if self.quiet_since.is_some() {
            return;
        }
        self.was_quiet_since = None;
        let ahead = self.client.http.ahead().unwrap_or(0);
        let untold = self.expected.oldest().map(|at| at.plus(-ahead));
        let until = self
            .looking_at
            .map(|at| untold.map_or(at, |untold| untold.min(at)));
        self.looked_at = until.max(self.looked_at);
    }

    /// What could not be known.
    fn caveats(&mut self, found: &mut Compared, gap: Gap) -> Vec<String> {
        let is_check = self.is_open && self.is_compared;
        let mut caveats = if is_check { Vec::new() } else { self.doubts() };
        caveats.append(&mut found.caveats);
        if !self.is_open {
            caveats.push(STREAMLESS.to_owned());
        }
        if self.has_left_out && gap.is_some() {
            caveats.push(LATE.to_owned());
        }
        caveats
    }

    /// What was not known of a gap is not known after another look at it either.
    fn with_earlier(&mut self, mut caveats: Vec<String>, gap: Gap) -> Vec<String> {
        if self.is_open && self.is_compared && gap.is_none() {
            let told = self.proved_caveats.iter();
            let told: Vec<String> = told.filter(|it| !caveats.contains(it)).cloned().collect();
            caveats.splice(0..0, told);
        } else {
            self.proved_caveats.clone_from(&caveats);
        }
        caveats
    }

    /// What told of the gap while it lasted.
    fn heard(&mut self, gap: Gap) -> Heard {
        if gap.is_some() {
            let is_left_out = self.is_compared && std::mem::take(&mut self.has_left_out);
            self.proved_heard = match std::mem::take(&mut self.n_polls) {
                _ if is_left_out => Heard::Stream,
                0 => Heard::Nothing,
                n => Heard::Polls(n),
            };
            self.has_left_out = false;
        }
        self.proved_heard
    }

    async fn prove(&mut self, proof: Proof) {
        self.away = None;
        let is_open = self.is_open;
        if is_open {
            self.gap_from = None;
            self.proved_gap = proof.gap;
            self.note_looked();
            self.is_compared = true;
            self.is_caught_up = true;
            self.outlet.note_alive(proof.at);
        } else {
            self.is_polled = true;
            self.gap_from = Some(proof.at);
        }
        self.outlet
            .tell(Origin::Snapshot, ChangeKind::Proof(Box::new(proof)))
            .await;
        if is_open {
            self.enter_caught_up().await;
        }
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
    fn drift(&mut self, found: &Compared) -> Option<(Vec<Repair>, usize)> {
        if self.is_unsettled {
            let is_news = found.n_open == 0 || found.n_repaired > 0;
            return is_news.then(|| (found.repaired.clone(), found.n_repaired));
        }
        let mut late: Vec<Repair> = self.expected.overdue(found.service_now).collect();
        if self.quiet_since.is_none() {
            // What was found while it was silent, it has not told.
            late.extend(self.mended.take());
        }
        let mut is_late = |repair: &Repair, updated: Option<Time>| {
            // The stream may have told it while this check ran.
            let held = self.known.get(&repair.task);
            if held.map(Observation::state) != repair.before {
                return false;
            }
            match updated.filter(|updated| found.service_now.since(*updated) < UNSETTLED) {
                None => true,
                Some(updated) => {
                    self.expected.expect(repair, updated);
                    false
                }
            }
        };
        for repair in &found.repaired {
            let updated = found.changed.get(&repair.task).copied();
            if is_late(repair, updated) {
                late.push(repair.clone());
            }
        }
        // A list may be older than the stream: what moved before the last look was told of then.
        let ahead = self.client.http.ahead().unwrap_or(0);
        let looked = self.looked_at.map(|at| at.plus(ahead - SECOND));
        for (repair, updated) in &found.unheard {
            let is_since = looked.is_some_and(|looked| *updated >= looked);
            if is_since && is_late(repair, Some(*updated)) {
                late.push(repair.clone());
            }
        }
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
                heard: Heard::Nothing,
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
