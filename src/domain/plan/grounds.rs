//! What a decision to send a message again rests on, so that it holds no longer than that.

use std::sync::Arc;

use super::verdict::{DELETED, DISABLED};
use crate::domain::attempt::{Attempt, AttemptStatus};
use crate::domain::endpoint::Endpoint;
use crate::domain::history::History;
use crate::domain::id::{AttemptId, EndpointId, MessageId, TaskId};
use crate::domain::message::Message;
use crate::domain::time::Time;

/// What was known of a message at an endpoint when it was decided to send it there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grounds {
    /// The attempts that had delivered it.
    delivered_by: Arc<[AttemptId]>,
    /// When the first attempt began of those that were known; `None` if none was.
    first: Option<Time>,
    /// The task that it is about and when it was accepted, if a newer message of that task which
    /// is delivered there makes it needless.
    state: Option<(TaskId, Time)>,
    /// The latest revision of the ledger that was known; 0 if none was.
    latest: i64,
}

impl Grounds {
    /// What is known now. What is superseded already is sent in spite of that.
    pub fn of(history: &History, message: &MessageId, endpoint: &EndpointId) -> Self {
        let delivery = history.deliveries.get(message);
        let attempts = delivery.map_or(Vec::new(), |delivery| delivery.attempts_at(endpoint));
        let is_superseded = |it| history.deliveries.is_superseded(it, endpoint);
        let message = delivery
            .filter(|it| !is_superseded(it))
            .and_then(|it| it.message.as_ref());
        Self {
            delivered_by: attempts
                .iter()
                .filter(|attempt| attempt.status == AttemptStatus::Success)
                .map(|attempt| attempt.id.clone())
                .collect(),
            first: attempts.first().map(|attempt| attempt.started),
            state: message.and_then(|it| Some((it.task.clone()?, it.accepted))),
            latest: history.replays.latest_revision(),
        }
    }

    /// Where nothing is known but the ledger, up to this revision.
    pub fn of_ledger(latest: i64) -> Self {
        Self {
            latest,
            ..Self::default()
        }
    }

    /// The latest revision of the ledger that was known: what ended since is news.
    pub fn latest(&self) -> i64 {
        self.latest
    }

    /// For a message that was named: it is meant, whatever newer ones of its task there are.
    pub fn overlook_newer(&mut self) {
        self.state = None;
    }

    /// The attempt among those at the endpoint that delivered it and was not known to have. What is
    /// older than all that was known is no news: it left memory, or was never read.
    pub fn refuted<'a>(
        &self,
        attempts: impl IntoIterator<Item = &'a Attempt>,
    ) -> Option<&'a Attempt> {
        attempts.into_iter().find(|attempt| {
            attempt.status == AttemptStatus::Success
                && self.first.is_none_or(|first| attempt.started >= first)
                && !self.delivered_by.contains(&attempt.id)
        })
    }

    /// Since when messages of its task may supersede it; `None` if none would.
    pub fn newer_than(&self) -> Option<Time> {
        self.state.as_ref().map(|(_, accepted)| *accepted)
    }

    /// Whether a message is a newer one of its task, which tells all that this one would.
    pub fn may_be_superseded_by(&self, other: &Message) -> bool {
        let state = self.state.as_ref();
        state.is_some_and(|(task, accepted)| {
            other.accepted > *accepted && other.task.as_ref() == Some(task)
        })
    }

    /// Why nothing would come of a request, by what the endpoint is now; `None` for one that is
    /// there no more.
    pub fn endpoint_objection(now: Option<&Endpoint>) -> Option<&'static str> {
        match now {
            None => Some(DELETED),
            Some(endpoint) if endpoint.disabled => Some(DISABLED),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attempt::Trigger;
    use crate::domain::change::{Change, ChangeKind, Origin};
    use crate::domain::event::EventType;
    use crate::domain::message::Payload;
    use crate::domain::time::Moment;

    fn message(id: &str, task: &str, accepted: i64) -> Message {
        Message {
            id: MessageId::new(id),
            event: None,
            kind: EventType::TaskFailed,
            accepted: Time(accepted),
            task: Some(TaskId::new(task)),
            payload: Payload::Absent,
        }
    }

    fn attempt(message: &str, at: i64, status: AttemptStatus) -> Attempt {
        Attempt {
            id: AttemptId::new(&format!("of_{message}")),
            message: MessageId::new(message),
            endpoint: EndpointId::new("ep"),
            url: "".into(),
            started: Time(at),
            status,
            code: 0,
            duration_ms: None,
            response: "".into(),
            trigger: Trigger::Scheduled,
        }
    }

    fn history(newer: AttemptStatus) -> History {
        let mut history = History::default();
        let mut told = |kind| {
            history.apply(Change {
                seq: 0,
                received: Moment::default(),
                origin: Origin::Poll,
                raw: None,
                kind,
            });
        };
        told(ChangeKind::Message(Box::new(message("old", "t", 10))));
        told(ChangeKind::Message(Box::new(message("new", "t", 20))));
        let failed = attempt("old", 11, AttemptStatus::Fail);
        told(ChangeKind::Attempt(Box::new(failed)));
        told(ChangeKind::Attempt(Box::new(attempt("new", 21, newer))));
        history
    }

    #[test]
    fn a_newer_message_of_the_task_supersedes_unless_one_had_already() {
        let grounds = |newer| {
            let (old, endpoint) = (MessageId::new("old"), EndpointId::new("ep"));
            Grounds::of(&history(newer), &old, &endpoint)
        };
        let mut decided = grounds(AttemptStatus::Fail);
        assert_eq!(decided.newer_than(), Some(Time(10)));
        for (other, is_newer) in [
            (message("new", "t", 20), true),
            (message("older", "t", 9), false),
            (message("other", "t2", 20), false),
        ] {
            assert_eq!(decided.may_be_superseded_by(&other), is_newer, "{other:?}");
        }
        decided.overlook_newer();
        assert!(!decided.may_be_superseded_by(&message("new", "t", 20)));
        // It was superseded when it was chosen all the same.
        assert_eq!(grounds(AttemptStatus::Success).newer_than(), None);
    }

    #[test]
    fn an_endpoint_that_takes_nothing_speaks_against_it() {
        let endpoint = Endpoint::inferred(EndpointId::new("ep"), "".into());
        let disabled = Endpoint {
            disabled: true,
            ..endpoint.clone()
        };
        assert_eq!(Grounds::endpoint_objection(Some(&endpoint)), None);
        for (now, word) in [(Some(&disabled), "disabled"), (None, "deleted")] {
            let why = Grounds::endpoint_objection(now);
            assert!(why.is_some_and(|why| why.contains(word)), "{why:?}");
        }
    }
}
