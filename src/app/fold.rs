//! Changes folded into the history, and the indexes and match sets over it kept true.

use super::{Frozen, Msg, State, Tone};
use crate::app::Overlay;
use crate::domain::{Applied, Change, ChangeKind, MessageId, Moment, Origin, Payload, TaskId};

/// Changes that a frozen screen holds back at most.
const MAX_WAITING: usize = 20_000;
/// The same in bytes of what came with them.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// What a change is about, for those who must look again.
enum Touched {
    Nothing,
    Task(TaskId),
    Message(MessageId),
    Names,
    Endpoints,
}

impl Touched {
    fn of(kind: &ChangeKind) -> Self {
        match kind {
            ChangeKind::Event(event) => match &event.task {
                Some(seen) => Self::Task(seen.task.clone()),
                None => Self::Nothing,
            },
            ChangeKind::Task(seen) => Self::Task(seen.task.clone()),
            ChangeKind::TaskGone(task) => Self::Task(task.clone()),
            ChangeKind::Message(message) => Self::Message(message.id.clone()),
            ChangeKind::Attempt(attempt) => Self::Message(attempt.message.clone()),
            ChangeKind::Replay(step) => Self::Message(step.message.clone()),
            ChangeKind::Ledger(replay) => Self::Message(replay.message.clone()),
            ChangeKind::AssetNamed { .. } => Self::Names,
            ChangeKind::Endpoint(_) | ChangeKind::EndpointsListed(_) => Self::Endpoints,
            _ => Self::Nothing,
        }
    }
}

impl State {
    /// Takes a batch of changes in: folds them, or holds them back while the screen is frozen.
    pub(super) fn take_changes(&mut self, changes: Vec<Change>) {
        if self.frozen.is_none() {
            self.history.warm(&changes);
        }
        for change in changes {
            self.note_time(change.received);
            self.note_life(&change);
            match &mut self.frozen {
                Some(frozen) if holds_back(&change.kind) => {
                    frozen.n_bytes += weight(&change);
                    frozen.waiting.push(change);
                    self.bound_waiting();
                }
                _ => self.fold(change),
            }
        }
        self.settle();
    }

    /// Lets a frozen screen go on once too much waits.
    fn bound_waiting(&mut self) {
        let Some(frozen) = &self.frozen else {
            return;
        };
        let what = if frozen.waiting.len() > MAX_WAITING {
            format!("{MAX_WAITING} changes")
        } else if frozen.n_bytes > MAX_WAITING_BYTES {
            format!("{} MiB", MAX_WAITING_BYTES >> 20)
        } else {
            return;
        };
        self.unfreeze();
        self.say(
            Tone::Warn,
            format!("the screen goes on: more than {what} were waiting"),
        );
    }

    /// Folds one change and keeps what rests on the history true.
    pub(super) fn fold(&mut self, change: Change) {
        let touched = Touched::of(&change.kind);
        let attempt = match &change.kind {
            ChangeKind::Attempt(attempt) => Some(attempt.clone()),
            _ => None,
        };
        let applied = self.history.apply(change);
        if let Some(attempt) = attempt {
            self.endpoints.take(&self.history, &attempt);
        }
        self.look_again(&touched);
        if let Applied::Replay(number) = applied {
            self.tell_replay(number);
        }
    }

    fn look_again(&mut self, touched: &Touched) {
        match touched {
            Touched::Nothing => {}
            Touched::Task(task) => self.tasks.retest(&self.history, task),
            Touched::Message(message) => {
                self.deliveries.retest(&self.history, message);
                let task = self
                    .history
                    .deliveries
                    .get(message)
                    .and_then(|delivery| delivery.message.as_ref())
                    .and_then(|message| message.task.as_ref());
                if let Some(task) = task {
                    self.tasks.retest(&self.history, task);
                    // What came may make older messages of the task superseded.
                    if self.deliveries.filter.is_active() {
                        for other in self.history.deliveries.of_task(task) {
                            self.deliveries.retest(&self.history, &other.id);
                        }
                    }
                }
            }
            Touched::Names => {
                self.tasks.note_stale();
                self.deliveries.note_stale();
            }
            Touched::Endpoints => {
                self.deliveries.note_stale();
                self.endpoints.note_stale();
            }
        }
    }

    /// Brings everything that is kept beside the history up to it.
    pub(super) fn settle(&mut self) {
        self.endpoints.settle(&self.history);
        self.events.catch_up(&self.history);
        for page in &mut self.pages {
            page.refresh(&self.history);
        }
        if let Some(Overlay::Replay(overlay)) = &mut self.overlay {
            overlay.refresh(&self.history, self.session.is_read_only, self.now.wall);
        }
    }

    pub(super) fn freeze(&mut self) {
        if self.frozen.is_some() {
            self.unfreeze();
        } else {
            self.frozen = Some(Frozen {
                since: self.now,
                waiting: Vec::new(),
                n_bytes: 0,
            });
        }
    }

    /// Lets the screen go on with everything that waited.
    pub(super) fn unfreeze(&mut self) {
        let Some(frozen) = self.frozen.take() else {
            return;
        };
        for change in frozen.waiting {
            self.fold(change);
        }
        self.settle();
    }

    /// Time never goes back here, whatever order messages come in.
    pub(super) fn note_time(&mut self, moment: Moment) {
        if moment.mono >= self.now.mono {
            self.now = moment;
        }
    }

    fn note_life(&mut self, change: &Change) {
        match &change.kind {
            ChangeKind::Event(_) if change.origin == Origin::Stream => {
                self.pace.note(change.received);
                self.note_sign(change.received);
            }
            ChangeKind::Polled(failure) => self.polls.note(change.received, failure.as_deref()),
            ChangeKind::Counters(counters) if counters.bytes > self.history.counters.bytes => {
                self.note_sign(change.received);
            }
            _ => {}
        }
    }

    fn note_sign(&mut self, at: Moment) {
        if self.last_sign.is_none_or(|last| last.mono < at.mono) {
            self.last_sign = Some(at);
        }
    }
}

/// Bytes that a change holds beside its own few.
fn weight(change: &Change) -> usize {
    let carried = match &change.kind {
        ChangeKind::Message(message) => match &message.payload {
            Payload::Json(text) => text.len(),
            Payload::Expired | Payload::Absent => 0,
        },
        ChangeKind::Attempt(attempt) => attempt.response.len(),
        _ => 0,
    };
    carried + change.raw.as_ref().map_or(0, |raw| raw.len())
}

/// Whether a frozen screen holds the change back. What tells how far the screen can be trusted,
/// and what became of a replay, is never held back.
fn holds_back(kind: &ChangeKind) -> bool {
    !matches!(
        kind,
        ChangeKind::Link(_)
            | ChangeKind::Counters(_)
            | ChangeKind::Abilities(_)
            | ChangeKind::Proof(_)
            | ChangeKind::Polled(_)
            | ChangeKind::Unreadable(_)
            | ChangeKind::NewWord(_)
            | ChangeKind::Replay(_)
            | ChangeKind::Ledger(_)
            | ChangeKind::Journal(_)
            | ChangeKind::Hole(_)
    )
}

impl Msg {
    /// Whether the message alone changes nothing that a screen shows but ages.
    pub fn is_tick(&self) -> bool {
        matches!(self, Self::Tick(_))
    }
}
