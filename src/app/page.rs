//! Detail pages: what each looks at, which pane has the focus, which row is picked.

use super::diff::DiffPage;
use super::document::DocumentPane;
use super::endpoints::EndpointList;
use super::list::{Pick, Step};
use super::listing::{Entry, ExcerptPage, ListPage, Listing, health_entries};
use super::received::ReceivedPage;
use super::told::Told;
use crate::domain::{
    AttemptHeaders, AttemptId, EndpointId, History, MessageId, Payload, Stats, TaskId,
};

/// A detail over the list.
#[derive(Debug, Clone, PartialEq)]
pub enum Page {
    Task(TaskPage),
    Message(MessagePage),
    Attempt(AttemptPage),
    Endpoint(EndpointPage),
    Event(EventPage),
    Excerpt(ExcerptPage),
    Diff(DiffPage),
    List(ListPage),
    Received(ReceivedPage),
}

/// A task: its events in pane 0, its messages in pane 1.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskPage {
    pub task: TaskId,
    pub pane: usize,
    pub events: Pick<u64>,
    pub messages: Pick<MessageId>,
}

/// A message: its attempts in pane 0, its payload in pane 1.
#[derive(Debug, Clone, PartialEq)]
pub struct MessagePage {
    pub message: MessageId,
    pub pane: usize,
    pub attempts: Pick<AttemptId>,
    pub payload: DocumentPane,
}

/// An attempt and what the receiver answered.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptPage {
    pub message: MessageId,
    pub attempt: AttemptId,
    pub response: DocumentPane,
    pub headers: Told<AttemptHeaders>,
}

/// An endpoint and its latest attempts.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointPage {
    pub endpoint: EndpointId,
    pub attempts: Pick<AttemptId>,
    pub counted: Told<Stats>,
}

/// An event as it came, by its position in the ring.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPage {
    pub position: u64,
    pub raw: DocumentPane,
}

/// The Health screen: what can be opened in pane 0, facts in pane 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HealthPage {
    pub pane: usize,
    /// Lines of the facts scrolled away.
    pub scroll: usize,
    pub pick: Pick<Entry>,
}

impl HealthPage {
    /// The row that is picked among what can be opened.
    pub fn picked(&self) -> Option<Entry> {
        self.pick.current(&health_entries()).cloned()
    }
}

impl Page {
    pub fn task(task: TaskId) -> Self {
        Self::Task(TaskPage {
            task,
            pane: 0,
            events: Pick::default(),
            messages: Pick::default(),
        })
    }

    pub fn message(message: MessageId) -> Self {
        Self::Message(MessagePage {
            message,
            pane: 0,
            attempts: Pick::default(),
            payload: DocumentPane::default(),
        })
    }

    pub fn attempt(message: MessageId, attempt: AttemptId) -> Self {
        Self::Attempt(AttemptPage {
            message,
            attempt,
            response: DocumentPane::default(),
            headers: Told::default(),
        })
    }

    pub fn endpoint(endpoint: EndpointId) -> Self {
        Self::Endpoint(EndpointPage {
            endpoint,
            attempts: Pick::default(),
            counted: Told::default(),
        })
    }

    pub fn event(position: u64) -> Self {
        Self::Event(EventPage {
            position,
            raw: DocumentPane::default(),
        })
    }

    pub fn received(row: u64) -> Self {
        Self::Received(ReceivedPage::new(row))
    }

    /// The page that tells more of a row, if there is one.
    pub fn of(entry: &Entry) -> Option<Self> {
        match entry {
            Entry::Listing(what) => Some(Self::list(*what)),
            Entry::Repaired(task) => Some(Self::task(task.clone())),
            Entry::Unreadable(_) | Entry::Word(..) => Some(Self::excerpt(entry.clone())),
            Entry::Replay(_, message) => Some(Self::message(message.clone())),
            Entry::Bound(_) | Entry::Cause(_) => None,
        }
    }

    pub fn excerpt(of: Entry) -> Self {
        Self::Excerpt(ExcerptPage {
            of,
            excerpt: DocumentPane::default(),
        })
    }

    pub fn list(what: Listing) -> Self {
        Self::List(ListPage {
            what,
            pick: Pick::default(),
        })
    }

    /// How many panes it has.
    pub fn panes(&self) -> usize {
        match self {
            Self::Task(_) | Self::Message(_) => 2,
            _ => 1,
        }
    }

    /// The pane that has the focus, where there are several.
    pub fn pane_mut(&mut self) -> Option<&mut usize> {
        match self {
            Self::Task(page) => Some(&mut page.pane),
            Self::Message(page) => Some(&mut page.pane),
            _ => None,
        }
    }

    /// The document that has the focus, if one has.
    pub fn document_mut(&mut self) -> Option<&mut DocumentPane> {
        match self {
            Self::Message(page) if page.pane == 1 => Some(&mut page.payload),
            Self::Attempt(page) => Some(&mut page.response),
            Self::Event(page) => Some(&mut page.raw),
            Self::Excerpt(page) => Some(&mut page.excerpt),
            Self::Received(page) => Some(&mut page.body),
            _ => None,
        }
    }

    /// Takes the texts in that its documents show, where they are new.
    pub fn refresh(&mut self, history: &History) {
        match self {
            Self::Message(page) => {
                let message = history.deliveries.get(&page.message);
                let message = message.and_then(|delivery| delivery.message.as_ref());
                if let Some(Payload::Json(text)) = message.map(|message| &message.payload) {
                    page.payload.show(text);
                }
            }
            Self::Attempt(page) => {
                let delivery = history.deliveries.get(&page.message);
                if let Some(attempt) = delivery.and_then(|it| it.attempt(&page.attempt)) {
                    page.response.show(&attempt.response);
                }
            }
            Self::Event(page) => {
                // An event never changes, and keeps on being shown after it left the ring.
                if page.raw.document.lines.is_empty()
                    && let Some(entry) = history.events.get(page.position)
                    && let Some(raw) = &entry.raw
                {
                    page.raw.show(&String::from_utf8_lossy(raw).into());
                }
            }
            Self::Excerpt(page) => page.refresh(history),
            Self::Received(page) => page.refresh(history),
            Self::Diff(page) => page.refresh(history),
            Self::Task(_) | Self::Endpoint(_) | Self::List(_) => {}
        }
    }

    /// Moves the selection of the focused pane.
    pub fn step(&mut self, step: Step, history: &History, endpoints: &EndpointList) {
        if let Some(document) = self.document_mut() {
            document.step(step);
            return;
        }
        match self {
            Self::Task(page) if page.pane == 0 => {
                page.events.step(step, &task_events(history, &page.task));
            }
            Self::Task(page) => page
                .messages
                .step(step, &task_messages(history, &page.task)),
            Self::Message(page) => page
                .attempts
                .step(step, &message_attempts(history, &page.message)),
            Self::Endpoint(page) => {
                let ids: Vec<AttemptId> = endpoint_attempts(endpoints, history, &page.endpoint)
                    .into_iter()
                    .map(|(_, attempt)| attempt)
                    .collect();
                page.attempts.step(step, &ids);
            }
            Self::List(page) => page.pick.step(step, &page.what.entries(history)),
            _ => {}
        }
    }
}

/// Events of a task in the ring, newest first.
pub fn task_events(history: &History, task: &TaskId) -> Vec<u64> {
    history
        .events_of(task)
        .map(|entry| entry.position)
        .collect()
}

/// Messages about a task, newest first.
pub fn task_messages(history: &History, task: &TaskId) -> Vec<MessageId> {
    history
        .deliveries
        .of_task(task)
        .map(|delivery| delivery.id.clone())
        .collect()
}

/// Attempts of a message as its page shows them: by endpoint label, the newest first.
pub fn message_attempts(history: &History, message: &MessageId) -> Vec<AttemptId> {
    message_endpoints(history, message)
        .iter()
        .filter_map(|endpoint| Some((history.deliveries.get(message)?, endpoint)))
        .flat_map(|(delivery, endpoint)| delivery.attempts_at(endpoint).into_iter().rev())
        .map(|attempt| attempt.id.clone())
        .collect()
}

/// Endpoints that a message was tried at, by label.
pub fn message_endpoints(history: &History, message: &MessageId) -> Vec<EndpointId> {
    let mut endpoints: Vec<EndpointId> = history
        .deliveries
        .get(message)
        .into_iter()
        .flat_map(|delivery| &delivery.outcomes)
        .map(|outcome| outcome.endpoint.clone())
        .collect();
    endpoints.sort_by_cached_key(|id| (history.endpoint_label(id), id.clone()));
    endpoints
}

/// The latest attempts at an endpoint, newest first.
pub fn endpoint_attempts(
    endpoints: &EndpointList,
    history: &History,
    endpoint: &EndpointId,
) -> Vec<(MessageId, AttemptId)> {
    endpoints
        .attempts(history, endpoint)
        .map(|attempt| (attempt.message.clone(), attempt.id.clone()))
        .collect()
}
