//! Changes folded into the history, and the indexes and match sets over it kept true.

use super::bulk::run::Run;
use super::{Frozen, Msg, State, Tone};
use crate::app::Overlay;
use crate::domain::{
    Again, Applied, Change, ChangeKind, Finding, Log, MessageId, Moment, Origin, Payload, TaskId,
};

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
    /// How far the attempts are read, and so of how many messages it is known how they stand.
    Attempts,
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
            ChangeKind::AttemptsRead(message)
            | ChangeKind::Unread {
                log: Log::AttemptsOf(message),
                ..
            } => Self::Message(message.clone()),
            ChangeKind::AttemptsFrom { .. }
            | ChangeKind::Unread {
                log: Log::Attempts(_),
                ..
            } => Self::Attempts,
            ChangeKind::NextTry(next) => Self::Message(next.message.clone()),
            ChangeKind::Replay(step) => Self::Message(step.message.clone()),
            ChangeKind::Ledger(replay) => Self::Message(replay.message.clone()),
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
        let judged = match &change.kind {
            ChangeKind::Judged { again, .. } => Some(again.clone()),
            _ => None,
        };
        let is_naming = self.is_naming(&change.kind);
        let n_tasks = self.n_tasks_ever();
        let applied = self.history.apply(change);
        if let Some(attempt) = attempt {
            self.endpoints.take(&self.history, &attempt);
            self.note_wait(&attempt);
        }
        self.look_again(&touched);
        if is_naming {
            self.look_again(&Touched::Names);
        }
        // A task came or came back, and others left for it: their events and messages stay.
        if self.history.tasks.evicted() > 0 && self.n_tasks_ever() != n_tasks {
            self.events.note_stale();
            self.deliveries.note_stale();
        }
        let is_shown = applied != Applied::Nothing;
        if let Applied::Replay(number) = applied {
            self.tell_replay(number);
        }
        if let Some(again) = judged {
            self.tell_finding(&again, is_shown);
        }
    }

    /// Says what was found when a signature was looked at again, as the user asked.
    fn tell_finding(&mut self, again: &Again, is_of_latest: bool) {
        if !is_of_latest {
            let why = "another request came before the answer; v looks at that one";
            return self.say(Tone::Warn, why);
        }
        let by_others = if again.is_by_others {
            "by the secrets of other endpoints alone, "
        } else {
            ""
        };
        match &again.finding {
            Finding::Unchecked => {
                self.say(Tone::Warn, "there is no secret to verify it with");
            }
            Finding::Verified(by) => {
                self.say(
                    Tone::Ok,
                    format!("verified, the age of its timestamp left aside: {by}"),
                );
            }
            Finding::Refused { why, .. } => {
                self.say(Tone::Bad, format!("{by_others}not verified: {why}"));
            }
        }
    }

    /// Tasks ever taken in.
    fn n_tasks_ever(&self) -> u64 {
        self.history.tasks.len() as u64 + self.history.tasks.evicted()
    }

    /// Whether a change gives an asset a name that it did not have.
    fn is_naming(&self, kind: &ChangeKind) -> bool {
        let (asset, name) = match kind {
            ChangeKind::AssetNamed { asset, name } => (asset, name),
            ChangeKind::Event(event) => match (&event.task, &event.asset_name) {
                (Some(seen), Some(name)) => (&seen.asset, name),
                _ => return false,
            },
            _ => return false,
        };
        self.history.asset_name(asset) != Some(name)
    }

    fn look_again(&mut self, touched: &Touched) {
        match touched {
            Touched::Nothing => {}
            Touched::Task(task) => {
                self.tasks.retest(&self.history, task);
                self.deliveries.retest_of(&self.history, task);
            }
            Touched::Message(message) => {
                self.events.note_delivery();
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
                    self.deliveries.retest_of(&self.history, task);
                }
            }
            Touched::Names => {
                self.tasks.note_stale();
                self.events.note_stale();
                self.deliveries.note_stale();
            }
            Touched::Attempts => {
                self.tasks.note_attempts_read();
                self.events.note_delivery();
                self.deliveries.note_attempts_read();
            }
            Touched::Endpoints => {
                self.tasks.note_stale();
                self.events.note_delivery();
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
        } else if self.run.as_ref().is_some_and(Run::is_active) {
            // Each pair is weighed by what comes in until it leaves.
            self.say(
                Tone::Info,
                "many replays are under way and rest on what comes in: not frozen",
            );
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
            ChangeKind::Polled(failure) => {
                let longest = self.session.longest_pause;
                self.polls
                    .note(change.received, failure.as_deref(), longest);
            }
            ChangeKind::Counters(counters) if counters.bytes > self.history.counters.bytes => {
                self.note_sign(change.received);
            }
            // A round that goes on for long, or ends badly, told this all the same.
            ChangeKind::Task(_)
            | ChangeKind::Message(_)
            | ChangeKind::Attempt(_)
            | ChangeKind::Endpoint(_)
                if matches!(change.origin, Origin::Snapshot | Origin::Poll) =>
            {
                self.polls.told = Some(change.received);
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
        ChangeKind::Received(request) => request.body.len(),
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
            | ChangeKind::ServiceAhead(_)
            | ChangeKind::TasksAhead(_)
            | ChangeKind::Abilities(_)
            | ChangeKind::Proof(_)
            | ChangeKind::Polled(_)
            | ChangeKind::Unreadable(_)
            | ChangeKind::NewWord(_)
            | ChangeKind::Replay(_)
            | ChangeKind::Ledger(_)
            | ChangeKind::LedgerTrouble(_)
            | ChangeKind::Judged { .. }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::keymap::Keymap;
    use crate::app::list::{Listed, Place};
    use crate::app::{Session, update};
    use crate::domain::query::Now;
    use crate::domain::time::SECOND;
    use crate::domain::{
        AssetId, Attempt, AttemptId, AttemptStatus, EndpointId, Event, EventId, EventType, Feature,
        FeatureState, Features, Message, Observation, Time, Trigger, UserId,
    };

    /// More than one slice of events.
    const N_EVENTS: usize = 5000;
    const N_TASKS: usize = 50;

    fn moment(second: i64) -> Moment {
        Moment {
            wall: Time::from_seconds(second),
            mono: second * SECOND,
        }
    }

    fn tell(state: &mut State, second: i64, kind: ChangeKind) {
        let change = Change {
            seq: 0,
            received: moment(second),
            origin: Origin::Stream,
            raw: None,
            kind,
        };
        update(state, Msg::Changed(vec![change]));
    }

    fn seen(task: usize, state: FeatureState, second: i64) -> Observation {
        let mut features = Features::default();
        features.set(Feature::Visual, state);
        Observation {
            task: TaskId::new(&format!("task-{task}")),
            asset: AssetId::new(&format!("asset-{task}")),
            user: UserId::new("user"),
            features,
            created: Time::from_seconds(1),
            updated: Time::from_seconds(second),
            published: None,
            event: None,
        }
    }

    fn message(task: usize) -> MessageId {
        MessageId::new(&format!("msg-{task}"))
    }

    fn attempt(name: &str, task: usize, status: AttemptStatus, second: i64) -> ChangeKind {
        ChangeKind::Attempt(Box::new(Attempt {
            id: AttemptId::new(&format!("{name}-{task}")),
            message: message(task),
            endpoint: EndpointId::new("ep-1"),
            url: "http://receiver.example/hook".into(),
            started: Time::from_seconds(second),
            code: if status == AttemptStatus::Fail {
                500
            } else {
                200
            },
            status,
            duration_ms: None,
            response: "".into(),
            trigger: Trigger::Scheduled,
        }))
    }

    /// Events of fifty tasks, and of each task a message that failed.
    fn told() -> Result<State, String> {
        let mut state = State::new(Session::default(), Keymap::embedded()?);
        for number in 0..N_EVENTS {
            let event = Event {
                id: EventId::new(&format!("event-{number}")),
                kind: EventType::new("task.updated"),
                published: None,
                user: None,
                task: Some(seen(number % N_TASKS, FeatureState::Processing, 10)),
                asset_name: None,
            };
            tell(&mut state, 10, ChangeKind::Event(event));
        }
        for task in 0..N_TASKS {
            let sent = Message {
                id: message(task),
                event: Some(EventId::new(&format!("event-{task}"))),
                kind: EventType::new("task.updated"),
                accepted: Time::from_seconds(10),
                task: Some(TaskId::new(&format!("task-{task}"))),
                payload: Payload::Absent,
            };
            tell(&mut state, 11, ChangeKind::Message(Box::new(sent)));
            tell(
                &mut state,
                11,
                attempt("first", task, AttemptStatus::Fail, 11),
            );
        }
        Ok(state)
    }

    /// What changes later, about one task in five.
    fn change_later(state: &mut State) {
        for task in (0..N_TASKS).step_by(5) {
            let asset = AssetId::new(&format!("asset-{task}"));
            let name: Arc<str> = "keynote.mp4".into();
            tell(state, 12, ChangeKind::AssetNamed { asset, name });
            let later = seen(task, FeatureState::Failed, 12);
            tell(state, 12, ChangeKind::Task(later));
            tell(
                state,
                12,
                attempt("second", task, AttemptStatus::Success, 12),
            );
        }
    }

    fn scan(state: &mut State) {
        while state.is_scanning() {
            update(state, Msg::Scan);
        }
    }

    fn filter(state: &mut State, events: &str, deliveries: &str) {
        let now = Now {
            time: state.now.wall,
            utc_offset: 0,
        };
        for text in ["", events] {
            state.events.set_filter(text, now, &state.history);
        }
        for text in ["", deliveries] {
            state.deliveries.set_filter(text, now);
        }
        scan(state);
    }

    fn matching(state: &State) -> (Vec<u64>, Vec<MessageId>) {
        let (history, now) = (&state.history, state.now.wall);
        let all = N_EVENTS + 1;
        (
            state.events.window(history, &Place::First, all, now).keys,
            state
                .deliveries
                .window(history, &Place::First, all, now)
                .keys,
        )
    }

    #[test]
    fn what_changes_later_is_filtered_as_if_the_filter_were_new() -> Result<(), String> {
        for (events, deliveries, n_before, n_after) in [
            ("asset:keynote", "failed", (0, 50), (1000, 40)),
            ("!keynote", "visual:failed", (5000, 0), (4000, 10)),
            ("code:200", "delivered", (0, 0), (10, 10)),
            ("visual:failed", "keynote", (0, 0), (0, 10)),
            (
                "processing",
                "!visual:failed failed",
                (5000, 50),
                (5000, 40),
            ),
        ] {
            let mut state = told()?;
            filter(&mut state, events, deliveries);
            let counts = |(events, deliveries): &(Vec<u64>, Vec<MessageId>)| {
                (events.len(), deliveries.len())
            };
            let before = matching(&state);
            assert_eq!(counts(&before), n_before, "{events} | {deliveries}");
            change_later(&mut state);
            assert_eq!(matching(&state).0, before.0, "the old ones stay until then");
            update(&mut state, Msg::Tick(moment(13)));
            assert_eq!(state.events.progress(&state.history), None);
            scan(&mut state);
            let kept = matching(&state);
            assert_eq!(counts(&kept), n_after, "{events} | {deliveries}");
            filter(&mut state, events, deliveries);
            assert_eq!(kept, matching(&state), "{events} | {deliveries}");
        }
        Ok(())
    }

    #[test]
    fn the_events_are_tested_again_once_a_second_at_most() -> Result<(), String> {
        let mut state = told()?;
        filter(&mut state, "asset:keynote", "");
        let name = |state: &mut State, name: &str| {
            let asset = AssetId::new("asset-0");
            let name = name.into();
            tell(state, 12, ChangeKind::AssetNamed { asset, name });
        };
        let is_scanning_at = |state: &mut State, mono: i64| {
            let wall = Time::from_seconds(20);
            update(state, Msg::Tick(Moment { wall, mono }));
            let is_scanning = state.is_scanning();
            scan(state);
            is_scanning
        };
        name(&mut state, "keynote");
        assert!(is_scanning_at(&mut state, 20 * SECOND));
        name(&mut state, "other");
        assert!(!is_scanning_at(&mut state, 20 * SECOND + SECOND / 2));
        assert_eq!(matching(&state).0.len(), 100);
        assert!(is_scanning_at(&mut state, 21 * SECOND));
        assert!(matching(&state).0.is_empty());
        name(&mut state, "other");
        assert!(!is_scanning_at(&mut state, 30 * SECOND), "nothing is new");
        Ok(())
    }
}
