//! Which messages are still broken: an endpoint has not got them, nor a newer one of their task,
//! counted as they come, change and go.

use hashbrown::{HashMap, HashSet};

use super::super::id::{EndpointId, MessageId, TaskId};
use super::super::time::Time;
use super::by_time::ByTime;
use super::delivery::Delivery;
use super::outcome::OutcomeState;

#[derive(Debug, Default)]
pub(super) struct Broken {
    messages: ByTime,
    /// Those of them of which attempts alone are known: of what task they are is not, and so whether an
    /// endpoint got a newer one.
    unplaced: HashSet<MessageId>,
    /// When the newest message of a task that an endpoint has got was accepted.
    newest: HashMap<TaskId, Vec<(EndpointId, Time)>>,
}

impl Broken {
    pub fn messages(&self) -> &ByTime {
        &self.messages
    }

    /// Whether of some only attempts are known.
    pub fn has_unplaced(&self) -> bool {
        !self.unplaced.is_empty()
    }

    /// Whether the endpoint has got a newer message of the same task, which tells all that this
    /// one would.
    pub fn is_superseded(&self, row: &Delivery, endpoint: &EndpointId) -> bool {
        let task = row.message.as_ref().and_then(|it| it.task.as_ref());
        let newest = task.and_then(|task| self.newest.get(task)).into_iter();
        newest
            .flatten()
            .any(|(at, accepted)| at == endpoint && *accepted > row.time())
    }

    /// Looks at a message again. Returns whether an endpoint got a newer one than before, so that
    /// the others of its task are to be looked at as well.
    pub fn look(&mut self, row: &Delivery) -> bool {
        let is_broken = row.outcomes.iter().any(|outcome| {
            outcome.state == OutcomeState::Failed && !self.is_superseded(row, &outcome.endpoint)
        });
        self.messages.set(&row.id, is_broken.then(|| row.time()));
        if is_broken && row.message.is_none() {
            self.unplaced.insert(row.id.clone());
        } else {
            self.unplaced.remove(&row.id);
        }
        let Some(task) = row.message.as_ref().and_then(|it| it.task.as_ref()) else {
            return false;
        };
        let mut has_grown = false;
        for outcome in &row.outcomes {
            if outcome.state != OutcomeState::Delivered {
                continue;
            }
            let newest = self.newest.entry_ref(task).or_default();
            match newest.iter_mut().find(|(at, _)| *at == outcome.endpoint) {
                Some((_, accepted)) if *accepted >= row.time() => {}
                Some((_, accepted)) => {
                    *accepted = row.time();
                    has_grown = true;
                }
                None => {
                    newest.push((outcome.endpoint.clone(), row.time()));
                    has_grown = true;
                }
            }
        }
        has_grown && !self.messages.is_empty()
    }

    pub fn retain(&mut self, is_kept: impl Fn(&MessageId) -> bool) {
        self.unplaced.retain(&is_kept);
        self.messages.retain(is_kept);
    }

    /// Lets what is known of tasks go of which no message is in memory.
    pub fn keep_tasks(&mut self, is_known: impl Fn(&TaskId) -> bool) {
        self.newest.retain(|task, _| is_known(task));
    }
}
