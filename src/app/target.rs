//! What an action is about: the row that is selected, and what can be opened, replayed or copied.

use super::diff::{Compared, DiffPage};
use super::list::Listed;
use super::listing::{Entry, Listing};
use super::page::{Page, endpoint_attempts, message_attempts, task_events, task_messages};
use super::{Effect, Overlay, Screen, State, Tone};
use crate::domain::{AttemptId, EndpointId, EventRow, MessageId, NotRead, TaskId, visible};

impl State {
    /// The task that the list's selection stands on.
    fn listed_task(&self) -> Option<TaskId> {
        self.tasks.current(&self.history, self.shown_at().wall)
    }

    fn listed_event(&self) -> Option<u64> {
        self.events.current(&self.history, self.shown_at().wall)
    }

    pub(super) fn listed_message(&self) -> Option<MessageId> {
        let now = self.shown_at().wall;
        self.deliveries.current(&self.history, now)
    }

    pub(super) fn listed_endpoint(&self) -> Option<EndpointId> {
        self.endpoints.current(&self.history, self.shown_at().wall)
    }

    fn listed_receipt(&self) -> Option<u64> {
        self.received.current(&self.history, self.shown_at().wall)
    }

    /// The id of the message that was received in this row.
    fn received_message(&self, row: u64) -> Option<MessageId> {
        let receipt = self.history.received.get(row)?;
        receipt.last()?.1.message.clone()
    }

    /// Has the signature of the row's latest request looked at again.
    pub(super) fn verify(&mut self) -> Vec<Effect> {
        let row = match self.pages.last() {
            Some(Page::Received(page)) => Some(page.number),
            None if self.screen == Screen::Received => self.listed_receipt(),
            _ => None,
        };
        let found = row.and_then(|row| {
            let receipt = self.history.received.get(row)?;
            let (_, request) = receipt.last()?;
            Some((row, receipt.n_requests, Box::new(request.clone())))
        });
        let Some((row, nth, request)) = found else {
            let why = "only what was received here can be verified: its bytes are known";
            self.say_here(why);
            return Vec::new();
        };
        vec![Effect::Verify { row, nth, request }]
    }

    pub(super) fn open(&mut self) -> Vec<Effect> {
        if let Some(document) = self.pages.last_mut().and_then(Page::document_mut) {
            if !document.toggle() {
                self.say_here("only lines that open an object or a list fold");
            }
            return Vec::new();
        }
        if let Some(Page::List(page)) = self.pages.last()
            && let Some(Entry::Cause(cause)) = page.pick.current(&page.what.entries(&self.history))
        {
            self.show_messages_of(*cause);
            return Vec::new();
        }
        let next = match self.pages.last() {
            Some(page) => self.inner(page),
            None => match self.screen {
                Screen::Tasks => self.listed_task().map(Page::task),
                Screen::Events => self.listed_event().and_then(|at| self.event_or_proof(at)),
                Screen::Deliveries => self.listed_message().map(Page::message),
                Screen::Endpoints => self.listed_endpoint().map(Page::endpoint),
                Screen::Health => self.health.picked().and_then(|entry| Page::of(&entry)),
                Screen::Received => self.listed_receipt().map(Page::received),
            },
        };
        let Some(mut page) = next else {
            self.say_here("there is nothing to open here");
            return Vec::new();
        };
        page.refresh(&self.history);
        let effects = self.ask_of(&mut page);
        self.pages.push(page);
        effects
    }

    /// The page of an event, or of the comparison that ended a gap.
    fn event_or_proof(&self, position: u64) -> Option<Page> {
        match self.history.events.row(position)? {
            EventRow::Event(_) => Some(Page::event(position)),
            EventRow::Hole(_) => None,
            EventRow::Gap(gap) => {
                let (number, _) = gap.proof?;
                self.history.proofs.get(number)?;
                Some(Page::list(Listing::Proof(number)))
            }
        }
    }

    /// The page one level further in, from the row that is picked.
    fn inner(&self, page: &Page) -> Option<Page> {
        let history = &self.history;
        match page {
            Page::Task(page) if page.pane == 0 => page
                .events
                .current(&task_events(history, &page.task))
                .map(|at| Page::event(*at)),
            Page::Task(page) => page
                .messages
                .current(&task_messages(history, &page.task))
                .map(|id| Page::message(id.clone())),
            Page::Message(page) => page
                .attempts
                .current(&message_attempts(history, &page.message))
                .map(|id| Page::attempt(page.message.clone(), id.clone())),
            Page::Endpoint(_) => self
                .picked_attempt(page)
                .map(|(message, attempt)| Page::attempt(message, attempt)),
            Page::List(page) => {
                let entries = page.what.entries(history);
                page.pick.current(&entries).and_then(Page::of)
            }
            _ => None,
        }
    }

    /// The attempt picked on an endpoint's page.
    fn picked_attempt(&self, page: &Page) -> Option<(MessageId, AttemptId)> {
        let Page::Endpoint(page) = page else {
            return None;
        };
        let rows = endpoint_attempts(&self.endpoints, &self.history, &page.endpoint);
        let ids: Vec<AttemptId> = rows.iter().map(|(_, attempt)| attempt.clone()).collect();
        let row = page.attempts.row_in(&ids)?;
        rows.into_iter().nth(row)
    }

    /// Opens the comparison of what is selected with what came before it; on a comparison, turns
    /// between both layouts.
    pub(super) fn diff(&mut self) -> Vec<Effect> {
        if let Some(Page::Diff(page)) = self.pages.last_mut() {
            page.is_beside ^= true;
            return Vec::new();
        }
        let of = match self.compared() {
            Ok(of) => of,
            Err(why) => {
                self.say_here(why);
                return Vec::new();
            }
        };
        let mut page = Page::Diff(DiffPage::new(of));
        page.refresh(&self.history);
        // Payloads may not have been read yet.
        let effects = self.ask_of(&mut page);
        self.pages.push(page);
        effects
    }

    /// What `d` compares.
    fn compared(&self) -> Result<Compared, &'static str> {
        const NOTHING: &str = "choose an attempt or a message to compare it with the one before it";
        let history = &self.history;
        let of_attempt = |message: &MessageId, attempt: &AttemptId| {
            let delivery = history.deliveries.get(message).ok_or(NOTHING)?;
            let attempt = delivery.attempt(attempt).ok_or(NOTHING)?;
            Compared::attempt_with_neighbor(delivery, attempt)
        };
        let message = match self.pages.last() {
            None if self.screen == Screen::Deliveries => self.listed_message(),
            Some(Page::Message(page)) if page.pane == 0 => {
                let attempts = message_attempts(history, &page.message);
                let attempt = page.attempts.current(&attempts).ok_or(NOTHING)?;
                // Where nothing else was tried, the message itself is what may differ.
                return of_attempt(&page.message, attempt)
                    .or_else(|_| Compared::message_with_earlier(history, &page.message));
            }
            Some(Page::Message(page)) => Some(page.message.clone()),
            Some(Page::Attempt(page)) => return of_attempt(&page.message, &page.attempt),
            Some(page @ Page::Endpoint(_)) => {
                let (message, attempt) = self.picked_attempt(page).ok_or(NOTHING)?;
                return of_attempt(&message, &attempt);
            }
            Some(Page::Task(page)) if page.pane == 1 => {
                let messages = task_messages(history, &page.task);
                page.messages.current(&messages).cloned()
            }
            _ => None,
        };
        Compared::message_with_earlier(history, &message.ok_or(NOTHING)?)
    }

    pub(super) fn replay(&mut self) {
        if matches!(self.overlay, Some(Overlay::Bulk(_))) {
            return self.say_here("this is the plan of many; Esc leaves it");
        }
        if self.leaving.is_some() {
            return self.say(Tone::Info, "a replay is about to be sent; u takes it back");
        }
        if let Some(Overlay::Replay(overlay)) = &mut self.overlay {
            overlay.renew();
            self.viewport.plan = None;
            self.settle();
            return;
        }
        match self.replay_target() {
            Ok((message, only)) => self.plan_replay(message, only),
            Err(why) => self.say_here(why),
        }
    }

    /// The message, and the endpoint if one is meant, that `r` is about.
    fn replay_target(&self) -> Result<(MessageId, Option<EndpointId>), &'static str> {
        const NO_MESSAGE: &str = "no message of it is known, so that there is nothing to replay";
        let history = &self.history;
        let newest = |task: &TaskId| task_messages(history, task).into_iter().next();
        let of_event = |position: u64| {
            let entry = history.events.get(position)?;
            let delivery = history.deliveries.of_event(&entry.id);
            delivery.map(|delivery| delivery.id.clone())
        };
        let message = match self.pages.last() {
            None => {
                let none = || self.nothing_listed();
                match self.screen {
                    Screen::Tasks => newest(&self.listed_task().ok_or_else(none)?),
                    Screen::Events => of_event(self.listed_event().ok_or_else(none)?),
                    Screen::Deliveries => Some(self.listed_message().ok_or_else(none)?),
                    Screen::Received => {
                        self.received_message(self.listed_receipt().ok_or_else(none)?)
                    }
                    Screen::Endpoints | Screen::Health => {
                        return Err("choose a message (3) or an attempt to replay it");
                    }
                }
            }
            Some(Page::Task(page)) if page.pane == 0 => page
                .events
                .current(&task_events(history, &page.task))
                .and_then(|at| of_event(*at))
                .or_else(|| newest(&page.task)),
            Some(Page::Task(page)) => page
                .messages
                .current(&task_messages(history, &page.task))
                .cloned(),
            Some(Page::Message(page)) => Some(page.message.clone()),
            Some(Page::Event(page)) => of_event(page.position),
            Some(Page::Attempt(page)) => {
                let delivery = history.deliveries.get(&page.message).ok_or(NO_MESSAGE)?;
                let attempt = delivery.attempt(&page.attempt).ok_or(NO_MESSAGE)?;
                return Ok((page.message.clone(), Some(attempt.endpoint.clone())));
            }
            Some(page @ Page::Endpoint(own)) => {
                let (message, _) = self.picked_attempt(page).ok_or(NO_MESSAGE)?;
                return Ok((message, Some(own.endpoint.clone())));
            }
            Some(Page::Received(page)) => self.received_message(page.number),
            Some(Page::Diff(page)) => return Ok(page.of.replayed(history)),
            Some(Page::Excerpt(_) | Page::List(_)) => None,
        };
        message.map(|message| (message, None)).ok_or(NO_MESSAGE)
    }

    /// What would help where the list is empty, so that there is nothing to replay.
    fn nothing_listed(&self) -> &'static str {
        if self.filter_text().is_some_and(|text| !text.is_empty()) {
            return "nothing to replay: no row matches the filter; Esc clears it";
        }
        match self.screen {
            Screen::Tasks | Screen::Events => {
                "nothing to replay: the list is empty; the messages of earlier tasks are on 3"
            }
            Screen::Received => {
                "nothing to replay: nothing was received here yet; 3 lists messages"
            }
            _ => self.no_message_listed(),
        }
    }

    /// Why no message is listed: none of it is said to be none where its log is not read.
    fn no_message_listed(&self) -> &'static str {
        let history = &self.history;
        match history.messages_not_read() {
            Some(NotRead::Failed(_)) => {
                return "nothing to replay is known: messages cannot be read; 5 has the details";
            }
            Some(NotRead::Absent) => {
                return "nothing to replay is known: this server does not tell its messages";
            }
            Some(NotRead::Yet) => {
                return "nothing to replay is known: messages are not read yet";
            }
            None if history.messages_unread_before().is_some() => {
                return "nothing to replay is known, but not all messages are read";
            }
            None => {}
        }
        if !history.endpoints.is_empty() {
            return "nothing to replay: a message comes with the next event of a task";
        }
        match history.endpoints_not_read() {
            Some(NotRead::Failed(_)) => {
                "nothing to replay: there is no message; endpoints cannot be read, 5 has the details"
            }
            Some(NotRead::Yet) => {
                "nothing to replay: there is no message; endpoints are not read yet"
            }
            Some(NotRead::Absent) | None => {
                "nothing to replay: messages come once an endpoint exists; c on 4 creates one"
            }
        }
    }

    pub(super) fn copy(&mut self) -> Vec<Effect> {
        if let Some((_, secret)) = self.shown_secret() {
            return vec![Effect::Copy {
                what: "the signing secret".to_owned(),
                text: visible(secret.reveal()).into_owned(),
            }];
        }
        let copied = match (&self.overlay, self.pages.last_mut()) {
            (Some(Overlay::Replay(overlay)), _) => {
                Some(("message id".to_owned(), overlay.message.to_string()))
            }
            (Some(Overlay::Bulk(overlay)), _) => overlay
                .rows
                .get(overlay.at)
                .map(|row| ("message id".to_owned(), row.message.to_string())),
            (Some(Overlay::Run(view)), _) => self.run.as_ref().and_then(|run| {
                let row = run.rows().get(view.at.unwrap_or_else(|| run.front()))?;
                Some(("message id".to_owned(), row.job.message.to_string()))
            }),
            (_, Some(page)) => match page.document_mut() {
                Some(document) if !document.document.lines.is_empty() => Some((
                    format!("{} bytes of text", document.document.text().len()),
                    document.document.text().to_string(),
                )),
                _ => self.pages.last().and_then(|page| self.page_id(page)),
            },
            (_, None) => self.list_id(),
        };
        let Some((what, text)) = copied else {
            self.say_here("there is nothing to copy here");
            return Vec::new();
        };
        // What is pasted somewhere must not act there.
        let safe: Vec<_> = text.split('\n').map(visible).collect();
        vec![Effect::Copy {
            what,
            text: safe.join("\n"),
        }]
    }

    fn list_id(&self) -> Option<(String, String)> {
        let (what, id) = match self.screen {
            Screen::Tasks => ("task id", self.listed_task()?.to_string()),
            Screen::Events => {
                let entry = self.history.events.get(self.listed_event()?)?;
                ("event id", entry.id.to_string())
            }
            Screen::Deliveries => ("message id", self.listed_message()?.to_string()),
            Screen::Endpoints => ("endpoint id", self.listed_endpoint()?.to_string()),
            Screen::Received => {
                let message = self.received_message(self.listed_receipt()?)?;
                ("message id", message.to_string())
            }
            Screen::Health => return None,
        };
        Some((what.to_owned(), id))
    }

    fn page_id(&self, page: &Page) -> Option<(String, String)> {
        let (what, id) = match page {
            Page::Task(page) => ("task id", page.task.to_string()),
            Page::Message(page) => {
                let attempts = message_attempts(&self.history, &page.message);
                match page.attempts.current(&attempts) {
                    Some(attempt) if page.pane == 0 => ("attempt id", attempt.to_string()),
                    _ => ("message id", page.message.to_string()),
                }
            }
            Page::Attempt(page) => ("attempt id", page.attempt.to_string()),
            Page::Endpoint(page) => ("endpoint id", page.endpoint.to_string()),
            Page::Event(page) => {
                let entry = self.history.events.get(page.position)?;
                ("event id", entry.id.to_string())
            }
            Page::List(page) => {
                let entries = page.what.entries(&self.history);
                match page.pick.current(&entries)? {
                    Entry::Repaired(task) => ("task id", task.to_string()),
                    Entry::Word(_, word) => ("word", word.to_string()),
                    Entry::Replay(_, message) => ("message id", message.to_string()),
                    Entry::Cause(cause) => ("query", format!("cause:{cause}")),
                    _ => return None,
                }
            }
            Page::Received(page) => (
                "message id",
                self.received_message(page.number)?.to_string(),
            ),
            Page::Diff(page) => match &page.of {
                Compared::Attempts { ids: [_, id], .. } => ("attempt id", id.to_string()),
                Compared::Messages([_, id]) => ("message id", id.to_string()),
            },
            Page::Excerpt(_) => return None,
        };
        Some((what.to_owned(), id))
    }
}
