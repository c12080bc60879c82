//! The palette: every action of the screen by its name, found as you type.

use crossterm::event::KeyEvent;

use super::action::Action;
use super::keymap::{Binding, Mode};
use super::prompt::Prompt;
use super::{Effect, Overlay, State};

/// The palette while it is open.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Palette {
    pub prompt: Prompt,
    /// The row that is picked among those that match.
    row: usize,
}

impl Palette {
    /// The row that is picked, of so many.
    pub fn picked(&self, n_rows: usize) -> usize {
        self.row.min(n_rows.saturating_sub(1))
    }
}

impl State {
    /// The mode of what stands below the palette or the help.
    pub fn mode_below(&self) -> Mode {
        if self.pages.is_empty() {
            Mode::List
        } else {
            Mode::Detail
        }
    }

    /// What can be done here whose name or description holds every word that is typed; those whose
    /// name begins with it first.
    pub fn palette_rows(&self, palette: &Palette) -> Vec<&Binding> {
        let typed = palette.prompt.text().trim().to_lowercase();
        let holds = |binding: &&Binding| {
            let name = spoken(binding.action);
            let mut words = typed.split_whitespace();
            words.all(|word| name.contains(word) || binding.action.help().contains(word))
        };
        let mut rows: Vec<&Binding> = self
            .keymap
            .bindings(self.mode_below())
            .iter()
            .filter(|binding| binding.action != Action::Palette)
            .filter(holds)
            .collect();
        rows.sort_by_key(|binding| (!spoken(binding.action).starts_with(&typed), binding.action));
        rows
    }

    pub(super) fn open_palette(&mut self) {
        self.overlay = Some(Overlay::Palette(Box::default()));
    }

    pub(super) fn press_in_palette(
        &mut self,
        key: KeyEvent,
        action: Option<Action>,
    ) -> Vec<Effect> {
        let Some(Overlay::Palette(mut palette)) = self.overlay.take() else {
            return Vec::new();
        };
        let rows: Vec<Action> = (self.palette_rows(&palette).iter())
            .map(|binding| binding.action)
            .collect();
        let row = palette.picked(rows.len());
        match action {
            Some(Action::Interrupt) => return self.interrupt(),
            Some(Action::Keep) => match rows.get(row) {
                Some(action) => return self.act(*action),
                // What was typed stays, to be mended.
                None => self.say_here("no action of this screen is called so"),
            },
            Some(Action::Up) => palette.row = row.saturating_sub(1),
            Some(Action::Down) => palette.row = row + 1,
            Some(_) => return Vec::new(),
            None => {
                if palette.prompt.press(key) {
                    palette.row = 0;
                }
            }
        }
        self.overlay = Some(Overlay::Palette(palette));
        Vec::new()
    }

    /// Takes pasted text in, if the palette is open.
    pub(super) fn paste_in_palette(&mut self, text: &str) -> bool {
        let Some(Overlay::Palette(palette)) = &mut self.overlay else {
            return false;
        };
        palette.prompt.paste(text);
        palette.row = 0;
        true
    }
}

/// An action's name as people say it.
pub fn spoken(action: Action) -> String {
    action.name().replace('_', " ")
}
