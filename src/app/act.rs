//! Actions and what they do, by what stands on the screen.

use super::action::Action;
use super::list::{Listed, Step};
use super::listing::{Listing, health_entries};
use super::page::Page;
use super::prompt::Prompt;
use super::{Effect, Overlay, Screen, State, Tone};
use crate::domain::query::Now;
use crate::domain::{CauseId, LinkState, Part, Query};

impl State {
    pub(super) fn paste(&mut self, text: &str) {
        if self.paste_in_form(text) || self.paste_in_palette(text) {
            return;
        }
        if let Some(prompt) = &mut self.prompt {
            prompt.paste(text);
            let (text, refused) = (prompt.text().to_owned(), prompt.refused.take());
            self.set_filter(&text);
            if let Some(why) = refused {
                self.say(Tone::Warn, why);
            }
        } else {
            // Pasted text must never be taken for keys: it could hold an r and an Enter.
            self.say_here("pasted text is taken by the filter and by forms only; press /");
        }
    }

    /// Does what the user means.
    pub(super) fn act(&mut self, action: Action) -> Vec<Effect> {
        let rows = self.viewport.rows.max(1);
        match action {
            Action::Quit => return self.quit(),
            Action::Interrupt => return self.interrupt(),
            Action::Suspend => return vec![Effect::Suspend],
            Action::Redraw => return vec![Effect::Redraw],
            Action::Refresh => return self.refresh(),
            Action::Open => return self.open(),
            Action::Replay if matches!(self.overlay, Some(Overlay::Run(_))) => {
                return self.plan_again();
            }
            Action::Replay => self.replay(),
            Action::Bulk => return self.plan_bulk(),
            Action::Route => self.turn_route(),
            Action::Undo => self.undo(),
            Action::Await => self.leave_to_retry(),
            Action::Send if matches!(self.overlay, Some(Overlay::Manage(_))) => {
                return self.send_managed();
            }
            Action::Send => return self.send(),
            Action::Manage => self.manage(),
            Action::Create => self.create_endpoint(),
            Action::Save => return self.save_secret(),
            Action::Copy => return self.copy(),
            Action::Choose => self.choose(),
            Action::MarkAll => self.mark_all(),
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
            Action::Received if self.session.listening.is_none() => {
                self.say_here("no receiver listens here; start reeltop with --listen");
            }
            Action::Received => self.go(Screen::Received),
            Action::Verify => return self.verify(),
            Action::Palette => self.open_palette(),
            Action::Filter => self.start_filter(),
            Action::Sort => self.sort(),
            Action::Reverse => self.reverse(),
            Action::Freeze => self.freeze(),
            Action::Diff => return self.diff(),
            Action::Losses => return self.open_losses(),
            Action::Replays => self.open_list(Listing::Replays),
            Action::GiveUp => return self.give_up(),
            Action::Causes => self.open_causes(),
            Action::Help => self.toggle_help(),
        }
        Vec::new()
    }

    /// Enter in a plan: sends it, or goes on.
    fn send(&mut self) -> Vec<Effect> {
        match self.overlay {
            Some(Overlay::Bulk(_)) => {
                self.confirm_bulk();
                Vec::new()
            }
            Some(Overlay::Run(_)) => self.resume_run(),
            _ => self.send_replays(),
        }
    }

    /// Opens what the screen's part of the history lost; on Health, the list that is picked.
    fn open_losses(&mut self) -> Vec<Effect> {
        let part = match self.screen {
            Screen::Tasks => Part::Tasks,
            Screen::Events => Part::Events,
            Screen::Deliveries | Screen::Endpoints => Part::Deliveries,
            Screen::Health => return self.open(),
            Screen::Received => {
                self.say_here("what is no longer kept of this list is counted above it");
                return Vec::new();
            }
        };
        self.open_list(Listing::Losses(part));
        Vec::new()
    }

    fn open_list(&mut self, what: Listing) {
        let is_open = matches!(self.pages.last(), Some(Page::List(page)) if page.what == what);
        if !is_open {
            self.pages.push(Page::list(what));
        }
    }

    /// Opens the causes of all failures, which are about deliveries wherever they are asked for.
    fn open_causes(&mut self) {
        self.go(Screen::Deliveries);
        self.pages.push(Page::list(Listing::Causes));
    }

    /// Shows the messages of a cause, as a query that can be changed like any other.
    pub(super) fn show_messages_of(&mut self, cause: CauseId) {
        self.go(Screen::Deliveries);
        self.set_filter(&format!("cause:{cause}"));
    }

    fn go(&mut self, screen: Screen) {
        self.screen = screen;
        self.pages.clear();
    }

    fn back(&mut self) {
        if matches!(self.overlay, Some(Overlay::Help { .. })) {
            return self.toggle_help();
        }
        if matches!(self.overlay, Some(Overlay::Run(_))) {
            return self.leave_run();
        }
        if matches!(self.overlay, Some(Overlay::Replay(_))) && self.undo_replay() {
            return;
        }
        if self.overlay.take().is_some() || self.pages.pop().is_some() {
            return;
        }
        if self.screen == Screen::Deliveries && self.clear_marks() {
            return;
        }
        if self.filter_text().is_some_and(|text| !text.is_empty()) {
            self.set_filter("");
        } else {
            self.say_here("this is the outermost level; q quits");
        }
    }

    fn toggle_help(&mut self) {
        // Its time would run out unseen.
        self.take_back();
        self.overlay = match self.overlay.take() {
            Some(Overlay::Help { below, .. }) => below.map(|below| *below),
            other => Some(Overlay::Help {
                top: 0,
                below: other.map(Box::new),
            }),
        };
    }

    fn refresh(&mut self) -> Vec<Effect> {
        let is_down = matches!(
            self.history.link,
            LinkState::Retrying { .. } | LinkState::Polling { .. } | LinkState::Stopped { .. }
        );
        let mut effects = if is_down {
            self.say(Tone::Info, "connecting and reading everything again");
            vec![Effect::Reconnect, Effect::Refresh]
        } else {
            self.say(Tone::Info, "reading everything again");
            vec![Effect::Refresh]
        };
        // What a page alone asks for is read by no round.
        if let Some(mut page) = self.pages.pop() {
            effects.extend(self.ask_of(&mut page));
            self.pages.push(page);
        }
        effects
    }

    pub(super) fn step(&mut self, step: Step) {
        let rows = self.viewport.rows.max(1);
        let max_scroll = self.viewport.max_scroll;
        match &mut self.overlay {
            Some(Overlay::Help { top, .. }) => {
                *top = step.scrolled(*top, max_scroll);
                return;
            }
            Some(Overlay::Replay(overlay)) => {
                let endpoints = overlay.endpoints();
                overlay.pick.step(step, &endpoints);
                return;
            }
            Some(Overlay::Bulk(overlay)) => return overlay.step(step),
            Some(Overlay::Run(_)) => return self.step_run(step),
            Some(Overlay::Manage(_)) => return self.step_menu(step),
            // Its keys are its own.
            Some(Overlay::Palette(_)) => return,
            None => {}
        }
        if let Some(Page::Diff(page)) = self.pages.last_mut() {
            return page.step(step, max_scroll);
        }
        if let Some(page) = self.pages.last_mut() {
            page.step(step, &self.history, &self.endpoints);
            return;
        }
        let now = self.shown_at().wall;
        let history = &self.history;
        match self.screen {
            Screen::Tasks => self.tasks.step(step, rows, history, now),
            Screen::Events => self.events.step(step, rows, history, now),
            Screen::Deliveries => self.deliveries.step(step, rows, history, now),
            Screen::Endpoints => self.endpoints.step(step, rows, history, now),
            Screen::Received => self.received.step(step, rows, history, now),
            Screen::Health if self.health.pane == 0 => {
                self.health.pick.step(step, &health_entries());
            }
            Screen::Health => {
                self.health.scroll = step.scrolled(self.health.scroll, max_scroll);
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
            None => self.say_here("there is only one pane here"),
        }
    }

    fn fold_or_turn(&mut self, is_left: bool) {
        let document = self.pages.last_mut().and_then(Page::document_mut);
        if !document.is_some_and(|document| document.set_folded(is_left)) {
            self.turn_pane(if is_left { -1 } else { 1 });
        }
    }

    pub(super) fn filter_text(&self) -> Option<&str> {
        match self.screen {
            Screen::Tasks => Some(&self.tasks.filter.text),
            Screen::Events => Some(&self.events.filter.text),
            Screen::Deliveries => Some(&self.deliveries.filter.text),
            Screen::Endpoints => Some(&self.endpoints.filter.text),
            Screen::Received => Some(&self.received.filter.text),
            Screen::Health => None,
        }
    }

    /// What a filter of this screen's list means by now: the clock that its times stand in.
    fn filter_now(&self) -> Now {
        let wall = self.now.wall;
        let time = match self.screen {
            Screen::Tasks | Screen::Events => self.history.task_time(wall),
            Screen::Deliveries | Screen::Endpoints => self.history.service_time(wall),
            Screen::Received | Screen::Health => wall,
        };
        Now {
            time,
            utc_offset: self.session.utc_offset,
        }
    }

    /// Keeps the filter that was typed. What stands there goes on meaning what it means now.
    pub(super) fn keep_filter(&mut self) {
        self.prompt = None;
        let text = self.filter_text().unwrap_or_default();
        if let Some(pinned) = Query::pinned(text, self.filter_now()) {
            self.set_filter(&pinned);
        }
    }

    pub(super) fn set_filter(&mut self, text: &str) {
        let now = self.filter_now();
        match self.screen {
            // The first slice is tested at once, so that short lists never wait.
            Screen::Tasks => {
                self.tasks.set_filter(text, now);
                self.tasks.scan(&self.history);
            }
            Screen::Events => {
                self.events.set_filter(text, now, &self.history);
                self.events.scan(&self.history);
            }
            Screen::Deliveries => {
                self.deliveries.set_filter(text, now);
                self.deliveries.scan(&self.history);
            }
            Screen::Endpoints => {
                self.endpoints.set_filter(text, now);
                self.endpoints.settle(&self.history);
            }
            Screen::Received => {
                self.received.filter.set(text, now);
            }
            Screen::Health => {}
        }
    }

    fn start_filter(&mut self) {
        match self.filter_text() {
            Some(text) => self.prompt = Some(Prompt::new(text)),
            None => self.say_here("this screen is no list to filter"),
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
            Screen::Deliveries => self.deliveries.is_broken_first ^= true,
            Screen::Events | Screen::Received => {
                self.say_here("this list is in order of time; S reverses it");
            }
            Screen::Health => self.say_here("there is nothing to sort here"),
        }
    }

    fn reverse(&mut self) {
        match self.screen {
            Screen::Tasks => self.tasks.order.is_reversed ^= true,
            Screen::Events => self.events.is_reversed ^= true,
            Screen::Deliveries => self.deliveries.is_reversed ^= true,
            Screen::Received => self.received.is_reversed ^= true,
            Screen::Endpoints => {
                self.endpoints.is_reversed ^= true;
                self.endpoints.note_stale();
                self.endpoints.settle(&self.history);
            }
            Screen::Health => self.say_here("there is nothing to sort here"),
        }
    }
}
