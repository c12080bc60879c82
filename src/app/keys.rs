//! Keys and what they do, by what stands on the screen.

use crossterm::event::KeyEvent;

use super::action::Action;
use super::deliveries::DeliveryList;
use super::keymap::Mode;
use super::list::Step;
use super::page::{
    Page, endpoint_attempts, message_attempts, task_events, task_messages, unreadable_numbers,
};
use super::prompt::Prompt;
use super::tasks::TaskList;
use super::{Effect, Overlay, SCREENS, Screen, Sight, State, Tone};
use crate::domain::{AttemptId, EndpointId, LinkState, MessageId, TaskId};

impl State {
    pub(super) fn press(&mut self, key: KeyEvent) -> Vec<Effect> {
        let mode = self.mode();
        let action = self.keymap.look_up(mode, key);
        if mode == Mode::Prompt {
            return self.press_in_prompt(key, action);
        }
        match action {
            Some(action) => self.act(action),
            None => Vec::new(),
        }
    }

    fn press_in_prompt(&mut self, key: KeyEvent, action: Option<Action>) -> Vec<Effect> {
        match action {
            Some(Action::Interrupt) => return vec![Effect::Quit],
            Some(Action::Keep) => self.prompt = None,
            Some(_) => {
                self.prompt = None;
                self.set_filter("");
            }
            None => {
                if let Some(prompt) = &mut self.prompt
                    && prompt.press(key)
                {
                    let text = prompt.text().to_owned();
                    self.set_filter(&text);
                }
            }
        }
        Vec::new()
    }

    pub(super) fn paste(&mut self, text: &str) {
        if let Some(prompt) = &mut self.prompt {
            prompt.paste(text);
            let text = prompt.text().to_owned();
            self.set_filter(&text);
        } else {
            // Pasted text must never be taken for keys: it could hold an r and an Enter.
            self.say(Tone::Info, "pasted text is taken by the filter only; press /");
        }
    }

    /// Does what the user means.
    pub(super) fn act(&mut self, action: Action) -> Vec<Effect> {
        let rows = self.viewport.rows.max(1);
        match action {
            Action::Quit | Action::Interrupt => return vec![Effect::Quit],
            Action::Suspend => return vec![Effect::Suspend],
            Action::Redraw => return vec![Effect::Redraw],
            Action::Refresh => return self.refresh(),
            Action::Open => return self.open(),
            Action::Replay => self.replay(),
            Action::Send => return self.send_replays(),
            Action::Copy => return self.copy(),
            Action::Choose => self.choose_endpoint(),
            Action::Back | Action::Keep => self.back(),
            Action::Up => self.step(Step::Up(1)),
            Action::Down => self.step(Step::Down(1)),
            Action::PageUp => self.step(Step::PageUp(rows)),
            Action::PageDown => self.step(Step::PageDown(rows)),
            Action::HalfUp => self.step(Step::PageUp((rows / 2).max(1))),
            Action::HalfDown => self.step(Step::PageDown((rows / 2).max(1))),
            Action::Top => self.step(Step::First),
            Action::Bottom => self.step(Step::Last),
            Action::NextPane => self.turn_pane(1),
            Action::PreviousPane => self.turn_pane(-1),
            Action::Left => self.fold_or_turn(true),
            Action::Right => self.fold_or_turn(false),
            Action::Tasks => self.go(Screen::Tasks),
            Action::Events => self.go(Screen::Events),
            Action::Deliveries => self.go(Screen::Deliveries),
            Action::Endpoints => self.go(Screen::Endpoints),
            Action::Health => self.go(Screen::Health),
            Action::Filter => self.start_filter(),
            Action::Sort => self.sort(),
            Action::Reverse => self.reverse(),
            Action::Freeze => self.freeze(),
            Action::Help => self.toggle_help(),
        }
        Vec::new()
    }

    fn go(&mut self, screen: Screen) {
        self.screen = screen;
        self.pages.clear();
    }

    fn back(&mut self) {
        if self.overlay.take().is_some() || self.pages.pop().is_some() {
            return;
        }
        if self.filter_text().is_some_and(|text| !text.is_empty()) {
            self.set_filter("");
        } else {
            self.say(Tone::Info, "this is the outermost level; q quits");
        }
    }

    fn toggle_help(&mut self) {
        self.overlay = match self.overlay.take() {
            Some(Overlay::Help) => None,
            _ => Some(Overlay::Help),
        };
    }

    fn refresh(&mut self) -> Vec<Effect> {
        let is_down = matches!(
            self.history.link,
            LinkState::Retrying { .. } | LinkState::Stopped { .. }
        );
        if is_down {
            self.say(Tone::Info, "connecting and reading everything again");
            vec![Effect::Reconnect, Effect::Refresh]
        } else {
            self.say(Tone::Info, "reading everything again");
            vec![Effect::Refresh]
        }
    }

    fn step(&mut self, step: Step) {
        let rows = self.viewport.rows.max(1);
        match &mut self.overlay {
            Some(Overlay::Help) => return,
            Some(Overlay::Replay(overlay)) => {
                let endpoints = overlay.endpoints();
                overlay.pick.step(step, &endpoints);
                return;
            }
            None => {}
        }
        if let Some(page) = self.pages.last_mut() {
            page.step(step, &self.history, &self.endpoints);
            return;
        }
        let now = self.shown_at().wall;
        let history = &self.history;
        match self.screen {
            Screen::Tasks => {
                let mut cursor = std::mem::take(&mut self.tasks.cursor);
                cursor.step(step, rows, TaskList::ever(history), |place, height| {
                    self.tasks.window(history, &place, height, now)
                });
                self.tasks.cursor = cursor;
            }
            Screen::Events => {
                let mut cursor = std::mem::take(&mut self.events.cursor);
                cursor.step(step, rows, history.events.total(), |place, height| {
                    self.events.window(history, &place, height)
                });
                self.events.cursor = cursor;
            }
            Screen::Deliveries => {
                let mut cursor = std::mem::take(&mut self.deliveries.cursor);
                cursor.step(step, rows, DeliveryList::ever(history), |place, height| {
                    self.deliveries.window(history, &place, height)
                });
                self.deliveries.cursor = cursor;
            }
            Screen::Endpoints => {
                let mut cursor = std::mem::take(&mut self.endpoints.cursor);
                cursor.step(step, rows, 0, |place, height| {
                    self.endpoints.window(&place, height)
                });
                self.endpoints.cursor = cursor;
            }
            Screen::Health if self.health.pane == 1 => {
                let numbers = unreadable_numbers(history);
                self.health.unreadable.step(step, &numbers);
            }
            Screen::Health => {
                self.health.scroll = match step {
                    Step::Up(n) | Step::PageUp(n) => self.health.scroll.saturating_sub(n),
                    Step::Down(n) | Step::PageDown(n) => self.health.scroll + n,
                    Step::First => 0,
                    Step::Last => usize::MAX / 2,
                };
            }
        }
    }

    fn turn_pane(&mut self, by: isize) {
        let (pane, panes) = match self.pages.last_mut() {
            Some(page) => {
                let panes = page.panes();
                (page.pane_mut(), panes)
            }
            None if self.screen == Screen::Health => (Some(&mut self.health.pane), 2),
            None => (None, 1),
        };
        match pane {
            Some(pane) => {
                *pane = (*pane).saturating_add_signed(by + panes as isize) % panes;
            }
            None => self.say(Tone::Info, "there is only one pane here"),
        }
    }

    fn fold_or_turn(&mut self, is_left: bool) {
        let document = self.pages.last_mut().and_then(Page::document_mut);
        if !document.is_some_and(|document| document.set_folded(is_left)) {
            self.turn_pane(if is_left { -1 } else { 1 });
        }
    }

    fn filter_text(&self) -> Option<&str> {
        match self.screen {
            Screen::Tasks => Some(&self.tasks.filter.text),
            Screen::Events => Some(&self.events.filter.text),
            Screen::Deliveries => Some(&self.deliveries.filter.text),
            Screen::Endpoints => Some(&self.endpoints.filter.text),
            Screen::Health => None,
        }
    }

    fn set_filter(&mut self, text: &str) {
        match self.screen {
            Screen::Tasks => self.tasks.set_filter(text),
            Screen::Events => self.events.set_filter(text, &self.history),
            Screen::Deliveries => self.deliveries.set_filter(text),
            Screen::Endpoints => {
                self.endpoints.set_filter(text);
                self.endpoints.settle(&self.history);
            }
            Screen::Health => {}
        }
    }

    fn start_filter(&mut self) {
        match self.filter_text() {
            Some(text) => self.prompt = Some(Prompt::new(text)),
            None => self.say(Tone::Info, "this screen is no list to filter"),
        }
    }

    fn sort(&mut self) {
        match self.screen {
            Screen::Tasks => self.tasks.order.by = self.tasks.order.by.next(),
            Screen::Endpoints => {
                self.endpoints.sort = self.endpoints.sort.next();
                self.endpoints.note_stale();
                self.endpoints.settle(&self.history);
            }
            Screen::Events | Screen::Deliveries => {
                self.say(Tone::Info, "this list is in order of time; S reverses it");
            }
            Screen::Health => self.say(Tone::Info, "there is nothing to sort here"),
        }
    }

    fn reverse(&mut self) {
        match self.screen {
            Screen::Tasks => self.tasks.order.is_reversed ^= true,
            Screen::Events => self.events.is_reversed ^= true,
            Screen::Deliveries => self.deliveries.is_reversed ^= true,
            Screen::Endpoints => {
                self.endpoints.is_reversed ^= true;
                self.endpoints.note_stale();
                self.endpoints.settle(&self.history);
            }
            Screen::Health => self.say(Tone::Info, "there is nothing to sort here"),
        }
    }

    /// The task that the list's selection stands on.
    fn listed_task(&self) -> Option<TaskId> {
        let now = self.shown_at().wall;
        self.tasks.cursor.current(|| {
            let window = self
                .tasks
                .window(&self.history, &super::list::Place::First, 1, now);
            window.keys.into_iter().next()
        })
    }

    fn listed_event(&self) -> Option<u64> {
        self.events.cursor.current(|| {
            let window = self
                .events
                .window(&self.history, &super::list::Place::First, 1);
            window.keys.into_iter().next()
        })
    }

    fn listed_message(&self) -> Option<MessageId> {
        self.deliveries.cursor.current(|| {
            let window = self
                .deliveries
                .window(&self.history, &super::list::Place::First, 1);
            window.keys.into_iter().next()
        })
    }

    fn listed_endpoint(&self) -> Option<EndpointId> {
        self.endpoints.cursor.current(|| {
            let window = self.endpoints.window(&super::list::Place::First, 1);
            window.keys.into_iter().next()
        })
    }

    fn open(&mut self) -> Vec<Effect> {
        if let Some(document) = self.pages.last_mut().and_then(Page::document_mut) {
            if !document.toggle() {
                self.say(Tone::Info, "only lines that open an object or a list fold");
            }
            return Vec::new();
        }
        let next = match self.pages.last() {
            Some(page) => self.inner(page),
            None => match self.screen {
                Screen::Tasks => self.listed_task().map(Page::task),
                Screen::Events => self.listed_event().map(Page::event),
                Screen::Deliveries => self.listed_message().map(Page::message),
                Screen::Endpoints => self.listed_endpoint().map(Page::endpoint),
                Screen::Health => {
                    let numbers = unreadable_numbers(&self.history);
                    let number = self.health.unreadable.current(&numbers).copied();
                    number.map(Page::unreadable)
                }
            },
        };
        let Some(mut page) = next else {
            self.say(Tone::Info, "there is nothing to open here");
            return Vec::new();
        };
        page.refresh(&self.history);
        let effects = match &page {
            Page::Task(page) => vec![Effect::Look(Sight::Task(page.task.clone()))],
            Page::Message(page) => vec![Effect::Look(Sight::Message(page.message.clone()))],
            _ => Vec::new(),
        };
        self.pages.push(page);
        effects
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
            _ => None,
        }
    }

    /// The attempt picked on an endpoint's page.
    fn picked_attempt(&self, page: &Page) -> Option<(MessageId, AttemptId)> {
        let Page::Endpoint(page) = page else {
            return None;
        };
        let rows = endpoint_attempts(&self.endpoints, &page.endpoint);
        let ids: Vec<AttemptId> = rows.iter().map(|(_, attempt)| attempt.clone()).collect();
        let row = page.attempts.row_in(&ids)?;
        rows.into_iter().nth(row)
    }

    fn replay(&mut self) {
        if let Some(Overlay::Replay(overlay)) = &mut self.overlay {
            overlay.sent.clear();
            self.settle();
            return;
        }
        match self.replay_target() {
            Ok((message, only)) => self.plan_replay(message, only),
            Err(why) => self.say(Tone::Info, why),
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
            None => match self.screen {
                Screen::Tasks => self.listed_task().and_then(|task| newest(&task)),
                Screen::Events => self.listed_event().and_then(of_event),
                Screen::Deliveries => self.listed_message(),
                Screen::Endpoints | Screen::Health => {
                    return Err("choose a message or an attempt to replay it");
                }
            },
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
            Some(Page::Unreadable(_)) => None,
        };
        message.map(|message| (message, None)).ok_or(NO_MESSAGE)
    }

    fn copy(&mut self) -> Vec<Effect> {
        let copied = match (&self.overlay, self.pages.last_mut()) {
            (Some(Overlay::Replay(overlay)), _) => {
                Some(("message id".to_owned(), overlay.message.to_string()))
            }
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
            self.say(Tone::Info, "there is nothing to copy here");
            return Vec::new();
        };
        vec![Effect::Copy { what, text }]
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
            Page::Unreadable(_) => return None,
        };
        Some((what.to_owned(), id))
    }
}

impl Screen {
    /// Its digit.
    pub fn digit(self) -> usize {
        SCREENS
            .iter()
            .position(|screen| *screen == self)
            .map_or(0, |at| at + 1)
    }
}
