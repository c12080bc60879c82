//! What `R` is about: the marked messages, a list, a cause, an endpoint, or a task.

use super::super::deliveries::STILL_FILTERING;
use super::super::filter::Filter;
use super::super::listing::Entry;
use super::super::marks::Marks;
use super::super::page::{Page, task_messages};
use super::super::subject::{DeliverySubject, means_endpoint};
use super::super::{Screen, State};
use crate::domain::query::{Test, holds_text};
use crate::domain::{
    CauseId, Delivery, Endpoint, EndpointId, History, MessageId, OutcomeState, Query, TaskId,
    visible,
};

/// What is to be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Marked(Marks),
    /// All that a filter lets pass, and the filter; it is empty where there is none.
    Listed(Vec<MessageId>, Filter),
    Cause(CauseId),
    Endpoint(EndpointId),
    Task(TaskId),
}

/// The messages that are asked for, and the endpoint if only one is meant.
pub struct Pairs {
    pub messages: Vec<MessageId>,
    pub endpoint: Option<EndpointId>,
}

impl Scope {
    pub fn pairs(&self, history: &History) -> Pairs {
        let failed_at = |endpoint: &EndpointId| Pairs {
            messages: history
                .deliveries
                .newest()
                .filter(|delivery| self.takes(history, delivery, Some(endpoint)))
                .map(|delivery| delivery.id.clone())
                .collect(),
            endpoint: Some(endpoint.clone()),
        };
        let anywhere = |messages: Vec<MessageId>| Pairs {
            messages,
            endpoint: None,
        };
        match self {
            Self::Marked(marks) => anywhere(marks.iter().cloned().collect()),
            Self::Listed(messages, _) => anywhere(messages.clone()),
            Self::Task(task) => anywhere(task_messages(history, task)),
            Self::Endpoint(endpoint) => failed_at(endpoint),
            Self::Cause(id) => match history.deliveries.cause(*id) {
                Some(sum) => failed_at(&sum.cause.endpoint),
                None => anywhere(Vec::new()),
            },
        }
    }

    /// Whether a message is asked for by what is known of it now, and not by its id. `endpoint`: the
    /// only one that is meant, if one is.
    pub fn takes(
        &self,
        history: &History,
        delivery: &Delivery,
        endpoint: Option<&EndpointId>,
    ) -> bool {
        let failed_at = || {
            let endpoint = endpoint?;
            let outcome = delivery.outcome(endpoint)?;
            (outcome.state == OutcomeState::Failed).then_some(endpoint)
        };
        match self {
            Self::Marked(_) | Self::Task(_) => false,
            Self::Listed(_, filter) => filter.query.matches(&DeliverySubject { history, delivery }),
            Self::Endpoint(_) => failed_at().is_some(),
            Self::Cause(id) => failed_at().is_some_and(|at| last_cause(delivery, at) == Some(*id)),
        }
    }

    /// What a message must match that attempts which are read later may bring among what is asked for;
    /// `None` where they bring none.
    pub fn may_take(&self, history: &History) -> Option<Query> {
        match self {
            Self::Marked(_) | Self::Task(_) => None,
            Self::Listed(_, filter) => {
                let settled = settled(history, &filter.query);
                (settled != filter.query).then_some(settled)
            }
            Self::Endpoint(_) => Some(Query::default()),
            Self::Cause(id) => history.deliveries.cause(*id).map(|_| Query::default()),
        }
    }

    /// Whether it is what matches a filter.
    pub fn is_filtered(&self) -> bool {
        matches!(self, Self::Listed(_, filter) if filter.is_active())
    }

    /// Whether an endpoint of such a message is meant, by what was said of endpoints.
    pub fn means(&self, history: &History, message: &MessageId, endpoint: &EndpointId) -> bool {
        match self {
            Self::Marked(marks) => marks.means(history, message, endpoint),
            Self::Listed(_, filter) => means_endpoint(history, &filter.query, message, endpoint),
            Self::Cause(_) | Self::Endpoint(_) | Self::Task(_) => true,
        }
    }

    /// Whether messages that are read later may be among it.
    pub fn takes_what_comes(&self, history: &History) -> bool {
        match self {
            Self::Marked(_) => false,
            Self::Listed(..) | Self::Cause(_) | Self::Endpoint(_) => true,
            Self::Task(task) => {
                let created = history.tasks.get(task).map(|task| task.created());
                let before = history.messages_unread_before();
                created
                    .zip(before)
                    .is_none_or(|(made, before)| made < before)
            }
        }
    }

    /// Whether what it is of is still known.
    pub fn is_told(&self, history: &History) -> bool {
        match self {
            Self::Cause(id) => history.deliveries.cause(*id).is_some(),
            Self::Marked(_) | Self::Listed(..) | Self::Endpoint(_) | Self::Task(_) => true,
        }
    }

    /// `is_part`: whether more may be asked for than is known.
    pub fn words(&self, history: &History, is_part: bool) -> String {
        let all = if is_part {
            "of what is read, all"
        } else {
            "all"
        };
        let words = match self {
            Self::Marked(marks) => marks.words(),
            Self::Listed(_, filter) if !filter.is_active() => {
                "every message of the list".to_owned()
            }
            Self::Listed(_, filter) => format!("{all} that match /{}", filter.text),
            Self::Cause(id) => match history.deliveries.cause(*id) {
                Some(sum) => format!(
                    "{} at {}",
                    sum.cause.words(),
                    history.endpoint_label(&sum.cause.endpoint)
                ),
                None => "a cause".to_owned(),
            },
            Self::Endpoint(endpoint) => {
                format!("{all} that failed at {}", history.endpoint_label(endpoint))
            }
            Self::Task(task) => format!("the messages of task {}", task.short(16)),
        };
        visible(&words).into_owned()
    }
}

/// The part of a query that is as it is, whatever is read of attempts yet. A text is in it where no
/// endpoint holds it that an attempt may turn out to have gone to.
fn settled(history: &History, query: &Query) -> Query {
    let is_called = |endpoint: &Endpoint, text: &str| {
        holds_text(endpoint.id.0.as_text(&mut [0; 36]), text)
            || holds_text(&endpoint.url, text)
            || holds_text(&endpoint.description, text)
    };
    query.part(|test| match test {
        Test::Text(text) => !history.endpoints.values().any(|it| is_called(it, text)),
        test => !DeliverySubject::is_told_by_attempts(test),
    })
}

/// The cause of the last attempt at an endpoint.
fn last_cause(delivery: &Delivery, endpoint: &EndpointId) -> Option<CauseId> {
    let attempts = delivery.attempts().iter().zip(delivery.causes()).rev();
    attempts
        .filter(|(attempt, _)| attempt.endpoint == *endpoint)
        .find_map(|(_, cause)| *cause)
}

impl State {
    /// What `R` is about here.
    pub(super) fn bulk_scope(&mut self) -> Result<Scope, &'static str> {
        const NOT_HERE: &str =
            "R replays many: on Deliveries, a cause (e), an endpoint, or at a task's messages";
        if self.has_markable() && !self.marks.is_empty() {
            return Ok(Scope::Marked(self.marks.clone()));
        }
        match self.pages.last() {
            Some(Page::Task(page)) => Ok(Scope::Task(page.task.clone())),
            Some(Page::Endpoint(page)) => Ok(Scope::Endpoint(page.endpoint.clone())),
            Some(Page::List(page)) => match page.pick.current(&page.what.entries(&self.history)) {
                Some(Entry::Cause(cause)) => Ok(Scope::Cause(*cause)),
                _ => Err(NOT_HERE),
            },
            Some(_) => Err("r replays this one; R is for many"),
            None => match self.screen {
                Screen::Deliveries => {
                    if self.deliveries.filter.error.is_some() {
                        return Err(
                            "the filter cannot be read, so nothing is planned; / changes it",
                        );
                    }
                    let ids = self.deliveries.ids(&self.history).ok_or(STILL_FILTERING)?;
                    Ok(Scope::Listed(ids, self.deliveries.filter.clone()))
                }
                Screen::Endpoints => self
                    .listed_endpoint()
                    .map(Scope::Endpoint)
                    .ok_or("no endpoint is selected"),
                _ => Err(NOT_HERE),
            },
        }
    }
}
