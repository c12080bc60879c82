//! `update`: one message in, the state moved, effects out.

use crossterm::event::KeyEvent;

use super::action::Action;
use super::keymap::Mode;
use super::{Effect, Msg, Overlay, RowKey, Screen, Sight, State, Tone, Viewport};

/// Names of assets asked for in one tick at most, so that scrolling floods nobody.
const NAMES_A_TICK: usize = 4;
/// Assets remembered as asked for.
const MAX_ASKED: usize = 50_000;

/// Moves the state by one message. Pure: the same state and message give the same.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Key(key) => {
            state.keyed = state.now.mono;
            let effects = state.press(key);
            state.leave_notices();
            return effects;
        }
        Msg::Pasted(text) => {
            state.keyed = state.now.mono;
            state.paste(&text);
        }
        Msg::Changed(changes) => {
            state.take_changes(changes);
            return state.drive_run();
        }
        Msg::Tick(moment) => {
            state.note_time(moment);
            return state.tick();
        }
        Msg::Drawn(viewport) => state.take_viewport(viewport),
        Msg::Scan => state.scan(),
        Msg::Copied { what, error: None } => {
            state.say(Tone::Ok, format!("copied {what} (by OSC 52)"));
        }
        Msg::Copied {
            what,
            error: Some(why),
        } => state.say(Tone::Bad, format!("{what} was not copied: {why}")),
        Msg::GaveUp(Ok(())) => state.say(Tone::Ok, "given up; the pair may be replayed again"),
        Msg::GaveUp(Err(failure)) => state.say(Tone::Bad, failure.to_string()),
        Msg::Told {
            sight: Sight::Next(asked),
            told,
        } => return state.take_next_told(&asked.message, &told),
        Msg::Told { sight, told } => state.take_told(&sight, &told),
        Msg::Managed { request, answer } => return state.take_managed(&request, answer),
        Msg::SecretSaved(Ok(file)) => state.say(Tone::Ok, format!("the secret is in {file}")),
        Msg::SecretSaved(Err(why)) => {
            state.say(
                Tone::Bad,
                format!("the secret cannot be saved: {why}; y copies it"),
            );
        }
        Msg::SecretStale { file, why } => state.say(
            Tone::Warn,
            format!("{file} holds the secret before, not the new one: {why}"),
        ),
        Msg::Suspending => state.take_back(),
        Msg::IntakeEnded => state.say(
            Tone::Bad,
            "nothing new will come: the reader of the service ended; start reeltop again",
        ),
    }
    Vec::new()
}

impl State {
    fn press(&mut self, key: KeyEvent) -> Vec<Effect> {
        let mode = self.mode();
        let action = self.keymap.look_up(mode, key);
        if action != Some(Action::Interrupt) && self.is_too_soon() {
            return Vec::new();
        }
        if mode == Mode::Prompt {
            return self.press_in_prompt(key, action);
        }
        if mode == Mode::Palette {
            return self.press_in_palette(key, action);
        }
        if mode == Mode::Form {
            return self.press_in_form(key, action);
        }
        if let Some(action) = action {
            return self.act(action);
        }
        self.say_here("that key means nothing here; ? shows the keys");
        Vec::new()
    }

    fn press_in_prompt(&mut self, key: KeyEvent, action: Option<Action>) -> Vec<Effect> {
        match action {
            Some(Action::Interrupt) => return self.interrupt(),
            Some(Action::Keep) => self.keep_filter(),
            Some(_) => {
                self.prompt = None;
                self.set_filter("");
            }
            None => {
                if let Some(prompt) = &mut self.prompt
                    && prompt.press(key)
                {
                    let (text, refused) = (prompt.text().to_owned(), prompt.refused.take());
                    self.set_filter(&text);
                    if let Some(why) = refused {
                        self.say(Tone::Warn, why);
                    }
                }
            }
        }
        Vec::new()
    }

    fn tick(&mut self) -> Vec<Effect> {
        let now = self.now;
        self.toasts.retain(|toast| toast.until > now.mono);
        self.tasks.rescan_if_stale(&self.history, now);
        self.deliveries.rescan_if_stale(&self.history, now);
        self.events.rescan_if_stale(&self.history, now);
        self.forget_marks();
        self.end_waits();
        self.show_held();
        match &mut self.overlay {
            Some(Overlay::Replay(overlay)) => {
                overlay.refresh(&self.history, self.session.is_read_only, now.wall);
            }
            Some(Overlay::Bulk(overlay)) => {
                overlay.refresh(&self.history, self.session.is_read_only, now.wall);
            }
            _ => {}
        }
        self.weigh_told();
        let mut effects = self.follow_plan();
        effects.extend(self.leave());
        effects.extend(self.drive_run());
        effects.extend(self.ask_names());
        effects
    }

    fn ask_names(&mut self) -> Vec<Effect> {
        if self.asked.len() >= MAX_ASKED {
            self.asked.clear();
        }
        let mut effects = Vec::new();
        for asset in &self.viewport.unnamed {
            if effects.len() < NAMES_A_TICK && self.asked.insert(asset.clone()) {
                effects.push(Effect::Look(Sight::Asset(asset.clone())));
            }
        }
        effects
    }

    fn take_viewport(&mut self, viewport: Viewport) {
        if viewport.is_bare {
            match viewport.screen {
                Screen::Tasks => self.tasks.cursor.saw_none(),
                Screen::Events => self.events.cursor.saw_none(),
                Screen::Deliveries => self.deliveries.cursor.saw_none(),
                Screen::Endpoints => self.endpoints.cursor.saw_none(),
                Screen::Received => self.received.cursor.saw_none(),
                Screen::Health => {}
            }
            self.viewport = viewport;
            return;
        }
        match (viewport.screen, viewport.selected.clone()) {
            (Screen::Tasks, Some(RowKey::Task(id))) => self.tasks.cursor.saw(Some(id)),
            (Screen::Tasks, _) => self.tasks.cursor.saw(None),
            (Screen::Events, Some(RowKey::Event(at))) => self.events.cursor.saw(Some(at)),
            (Screen::Events, _) => self.events.cursor.saw(None),
            (Screen::Deliveries, Some(RowKey::Message(id))) => {
                self.deliveries.cursor.saw(Some(id));
            }
            (Screen::Deliveries, _) => self.deliveries.cursor.saw(None),
            (Screen::Endpoints, Some(RowKey::Endpoint(id))) => {
                self.endpoints.cursor.saw(Some(id));
            }
            (Screen::Endpoints, _) => self.endpoints.cursor.saw(None),
            (Screen::Received, Some(RowKey::Received(row))) => {
                self.received.cursor.saw(Some(row));
            }
            (Screen::Received, _) => self.received.cursor.saw(None),
            (Screen::Health, _) => {}
        }
        self.viewport = viewport;
    }

    fn scan(&mut self) {
        if self.tasks.is_scanning(&self.history) {
            self.tasks.scan(&self.history);
        } else if self.deliveries.is_scanning(&self.history) {
            self.deliveries.scan(&self.history);
        } else {
            self.events.scan(&self.history);
        }
    }
}
