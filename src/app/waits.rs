//! Messages that are left to the service's own retry: a notice tells what became of it.

use std::collections::{BTreeMap, HashMap};

use super::bulk::BulkOverlay;
use super::{State, Tone};
use crate::domain::time::SECOND;
use crate::domain::{
    Attempt, AttemptId, AttemptStatus, EndpointId, Forecast, History, MessageId, Moment, Time,
    Trigger, visible,
};

/// How long after its time a retry may still come, in microseconds, where a manual attempt may have
/// ended the schedule, …
const LATE_IF_UNCERTAIN: i64 = 600 * SECOND;
/// … and where nothing did, as its time is an estimate.
const LATE: i64 = 3600 * SECOND;
/// With so many waits they are looked through once a second.
const MANY: usize = 100;

/// An attempt that ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The retry delivered it.
    Delivered,
    /// Somebody's resend did.
    Resent,
    /// The retry failed too.
    Failed,
}

/// Why no retry comes any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moot {
    Delivered,
    Disabled,
    Deleted,
    Left,
    Over,
    /// It did not come at its time, and a manual attempt may have ended the schedule.
    Ended,
    /// It did not come at its time, for whatever reason.
    Overdue,
}

impl Moot {
    /// Why no retry of the pair comes; `None` while one still may.
    fn of(
        history: &History,
        message: &MessageId,
        endpoint: &EndpointId,
        now: Time,
    ) -> Option<Self> {
        let Some(delivery) = history.deliveries.get(message) else {
            return Some(Self::Left);
        };
        let attempts = delivery.attempts_at(endpoint);
        let is_success = |it: &&Attempt| it.status == AttemptStatus::Success;
        if attempts.iter().any(is_success) {
            return Some(Self::Delivered);
        }
        match history.endpoints.get(endpoint) {
            Some(known) if known.disabled => return Some(Self::Disabled),
            None if history.is_unlisted(endpoint) => return Some(Self::Deleted),
            _ => {}
        }
        let now = history.service_time(now);
        match history.forecast(delivery, endpoint) {
            Forecast::Uncertain { at, .. } => {
                (now.since(at) > LATE_IF_UNCERTAIN).then_some(Self::Ended)
            }
            Forecast::Next { at, .. } => (now.since(at) > LATE).then_some(Self::Overdue),
            Forecast::Unread => None,
            Forecast::Nothing | Forecast::Exhausted { .. } | Forecast::Over { .. } => {
                Some(Self::Over)
            }
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Delivered => "it was delivered",
            Self::Disabled => "the endpoint is disabled",
            Self::Deleted => "the endpoint was deleted",
            Self::Left => "the message left memory; what became of it is not known here",
            Self::Over => "the service plans no more attempts",
            Self::Ended => {
                "the retry did not come at its time; a manual attempt may have ended the service's \
                 retries"
            }
            Self::Overdue => "the retry did not come in the hour after its time",
        }
    }

    /// Whether it is left undelivered, and can still be replayed.
    fn is_open(self) -> bool {
        matches!(
            self,
            Self::Disabled | Self::Deleted | Self::Over | Self::Ended | Self::Overdue
        )
    }
}

/// One pair that is left to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wait {
    /// When the retry is due, as an estimate.
    due: Time,
    /// The attempts that were known when the wait began.
    before: Vec<AttemptId>,
}

/// What is left to the service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waits {
    pairs: HashMap<(MessageId, EndpointId), Wait>,
    /// When they were last looked through; monotonic microseconds.
    looked: Option<i64>,
}

impl Waits {
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// When the next of the retries is due, as an estimate.
    pub fn next(&self) -> Option<Time> {
        self.pairs.values().map(|wait| wait.due).min()
    }

    fn add(&mut self, history: &History, message: &MessageId, endpoint: &EndpointId, due: Time) {
        let delivery = history.deliveries.get(message);
        let known = delivery.map(|it| it.attempts_at(endpoint));
        let before = known.into_iter().flatten().map(|it| it.id.clone());
        let wait = Wait {
            due,
            before: before.collect(),
        };
        self.pairs.insert((message.clone(), endpoint.clone()), wait);
    }

    /// Takes the waits off for which no retry comes any more, by why.
    fn end_moot(
        &mut self,
        history: &History,
        now: Moment,
    ) -> BTreeMap<Moot, Vec<(MessageId, EndpointId)>> {
        let mut ended: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let is_new = |looked| now.mono - looked >= SECOND;
        if self.pairs.len() > MANY && !self.looked.is_none_or(is_new) {
            return ended;
        }
        self.looked = Some(now.mono);
        self.pairs.retain(|pair, _| {
            let moot = Moot::of(history, &pair.0, &pair.1, now.wall);
            if let Some(moot) = moot {
                ended.entry(moot).or_default().push(pair.clone());
            }
            moot.is_none()
        });
        ended
    }

    /// Whether the attempt ends a wait, and how.
    fn note(&mut self, attempt: &Attempt) -> Option<Ended> {
        let pair = (attempt.message.clone(), attempt.endpoint.clone());
        let wait = self.pairs.get(&pair)?;
        if wait.before.contains(&attempt.id) {
            return None;
        }
        // What somebody sent by hand is not the retry that is waited for.
        let is_manual = attempt.trigger == Trigger::Manual;
        let ended = match attempt.status {
            AttemptStatus::Success if is_manual => Ended::Resent,
            AttemptStatus::Success => Ended::Delivered,
            AttemptStatus::Fail | AttemptStatus::Canceled if !is_manual => Ended::Failed,
            _ => return None,
        };
        self.pairs.remove(&pair);
        Some(ended)
    }
}

impl State {
    /// Begins to wait for the retries of what the plan of many leaves to the service.
    pub(super) fn wait_for_retries(&mut self, plan: &BulkOverlay) {
        let waiting = plan.rows.iter().filter(|row| row.is_waiting());
        let mut n = 0;
        for row in waiting {
            if let Some(retry) = row.item.retry {
                self.waits
                    .add(&self.history, &row.message, &row.item.endpoint, retry.at);
                n += 1;
            }
        }
        self.say(
            Tone::Info,
            format!("{n} left to the service's own retry; a notice tells what became of each"),
        );
    }

    /// Begins to wait for the retry of one message.
    pub(super) fn wait_for_retry(&mut self, message: &MessageId, endpoint: &EndpointId, due: Time) {
        self.waits.add(&self.history, message, endpoint, due);
    }

    /// Tells it where an attempt is one that was waited for. What failed again is marked.
    pub(super) fn note_wait(&mut self, attempt: &Attempt) {
        let Some(ended) = self.waits.note(attempt) else {
            return;
        };
        let label = self.history.endpoint_label(&attempt.endpoint);
        let pair = format!("{} to {label}", attempt.message.short(15));
        let pair = visible(&pair);
        match ended {
            Ended::Delivered => {
                let words = format!("the service's own retry of {pair}: delivered");
                self.say(Tone::Ok, words);
            }
            Ended::Resent => {
                let words = format!("{pair}: delivered by a resend, the wait is over");
                self.say(Tone::Ok, words);
            }
            Ended::Failed => {
                self.marks
                    .add(attempt.message.clone(), attempt.endpoint.clone());
                let words = format!(
                    "the service's own retry of {pair}: failed again; it is marked, R on Deliveries \
                     replays it"
                );
                self.say(Tone::Bad, words);
            }
        }
    }

    /// Ends the waits for which no retry comes any more, and says why; what is left undelivered is
    /// marked. Not while the screen holds still: the retry may be among what it holds back.
    pub(super) fn end_waits(&mut self) {
        if self.frozen.is_some() || self.waits.is_empty() {
            return;
        }
        for (moot, pairs) in self.waits.end_moot(&self.history, self.now) {
            let what = match pairs.as_slice() {
                [(message, endpoint)] => {
                    let label = self.history.endpoint_label(endpoint);
                    format!("the retry of {} to {label}", message.short(15))
                }
                many => format!("{} retries", many.len()),
            };
            let mut words = format!("the wait for {what} is over: {}", moot.words());
            let tone = if moot.is_open() {
                for (message, endpoint) in pairs {
                    self.marks.add(message, endpoint);
                }
                words.push_str("; what was left to it is marked");
                Tone::Bad
            } else if moot == Moot::Delivered {
                Tone::Ok
            } else {
                Tone::Warn
            };
            self.say(tone, visible(&words).into_owned());
        }
    }
}
