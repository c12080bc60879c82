//! Keys: `assets/keymap.toml` read into a table by mode, with look-up both ways.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde::Deserialize;

use super::action::{ACTIONS, Action};

/// The keymap that the program carries.
const EMBEDDED: &str = include_str!("../../assets/keymap.toml");

/// What the keys act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    List,
    Detail,
    Plan,
    Help,
    Prompt,
    /// A name to type, of an action.
    Palette,
    /// Fields to type in.
    Form,
    /// What can be done with one thing, or a secret that is shown.
    Menu,
}

impl Mode {
    /// Whether keys are text, so that the common ones must not act.
    fn takes_text(self) -> bool {
        matches!(self, Self::Prompt | Self::Palette | Self::Form)
    }
}

const MODES: [(Mode, &str); 8] = [
    (Mode::List, "list"),
    (Mode::Detail, "detail"),
    (Mode::Plan, "plan"),
    (Mode::Help, "help"),
    (Mode::Prompt, "prompt"),
    (Mode::Palette, "palette"),
    (Mode::Form, "form"),
    (Mode::Menu, "menu"),
];

/// A key as the table knows it: shift is part of a character, not of its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        let mut modifiers =
            event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        if matches!(event.code, KeyCode::Char(_) | KeyCode::BackTab) {
            modifiers.remove(KeyModifiers::SHIFT);
        }
        Self {
            code: event.code,
            modifiers,
        }
    }
}

/// One action's keys in one mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub action: Action,
    /// As they stand in the file.
    pub names: Vec<String>,
    /// Its word in the footer, if it stands there.
    pub hint: Option<String>,
    /// The smaller, the earlier in the footer.
    pub priority: u8,
    keys: Vec<Key>,
}

/// All bindings by mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    modes: BTreeMap<Mode, Vec<Binding>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    keys: Vec<String>,
    hint: Option<String>,
    #[serde(default = "last")]
    priority: u8,
}

fn last() -> u8 {
    u8::MAX
}

impl Keymap {
    /// The keymap that the program carries.
    pub fn embedded() -> Result<Self, String> {
        Self::parse(EMBEDDED)
    }

    /// Reads a keymap. An unknown mode, action or key, and a key bound twice in a mode, are errors.
    pub fn parse(text: &str) -> Result<Self, String> {
        let tables: BTreeMap<String, BTreeMap<String, Entry>> =
            toml::from_str(text).map_err(|error| error.to_string())?;
        let known = |name: &str| name == "common" || MODES.iter().any(|(_, mode)| *mode == name);
        if let Some(name) = tables.keys().find(|name| !known(name)) {
            return Err(format!("unknown mode {name:?}"));
        }
        let mut modes = BTreeMap::new();
        for (mode, name) in MODES {
            let own = tables.get(name).into_iter();
            let common = tables.get("common").filter(|_| !mode.takes_text());
            let mut bindings = Vec::new();
            for (action, entry) in own.chain(common).flatten() {
                bindings.push(binding(action, entry)?);
            }
            refuse_duplicates(name, &bindings)?;
            bindings.sort_by_key(|binding| (binding.priority, binding.action));
            modes.insert(mode, bindings);
        }
        Ok(Self { modes })
    }

    pub fn look_up(&self, mode: Mode, key: KeyEvent) -> Option<Action> {
        let key = Key::from(key);
        self.bindings(mode)
            .iter()
            .find(|binding| binding.keys.contains(&key))
            .map(|binding| binding.action)
    }

    /// The bindings of a mode, those for the footer first, by priority.
    pub fn bindings(&self, mode: Mode) -> &[Binding] {
        self.modes.get(&mode).map_or(&[], Vec::as_slice)
    }

    /// The key names of an action in a mode, for the help overlay.
    pub fn names(&self, mode: Mode, action: Action) -> Option<&[String]> {
        self.bindings(mode)
            .iter()
            .find(|binding| binding.action == action)
            .map(|binding| binding.names.as_slice())
    }

    /// The lines of the help overlay for a mode: keys and what they do, in the order of the actions.
    pub fn help(&self, mode: Mode) -> Vec<(String, &'static str)> {
        ACTIONS
            .iter()
            .filter_map(|action| {
                self.names(mode, *action)
                    .map(|names| (names.join(" "), action.help()))
            })
            .collect()
    }
}

fn binding(name: &str, entry: &Entry) -> Result<Binding, String> {
    let action = Action::from_name(name).ok_or_else(|| format!("unknown action {name:?}"))?;
    let keys = entry
        .keys
        .iter()
        .map(|key| parse_key(key).ok_or_else(|| format!("unknown key {key:?} for {name}")))
        .collect::<Result<Vec<Key>, String>>()?;
    Ok(Binding {
        action,
        names: entry.keys.clone(),
        hint: entry.hint.clone(),
        priority: entry.priority,
        keys,
    })
}

fn refuse_duplicates(mode: &str, bindings: &[Binding]) -> Result<(), String> {
    for (at, binding) in bindings.iter().enumerate() {
        for (other_at, other) in bindings.iter().enumerate().skip(at) {
            for (nth, key) in binding.keys.iter().enumerate() {
                let skipped = if other_at == at { nth + 1 } else { 0 };
                if other.keys.iter().skip(skipped).any(|taken| taken == key) {
                    return Err(format!(
                        "in {mode}, the key {:?} means both {} and {}",
                        binding.names[nth],
                        binding.action.name(),
                        other.action.name()
                    ));
                }
            }
        }
    }
    Ok(())
}

fn parse_key(text: &str) -> Option<Key> {
    let mut modifiers = KeyModifiers::NONE;
    let mut rest = text;
    loop {
        if let Some(after) = rest.strip_prefix("ctrl-") {
            modifiers |= KeyModifiers::CONTROL;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("alt-") {
            modifiers |= KeyModifiers::ALT;
            rest = after;
        } else {
            break;
        }
    }
    let code = match rest {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "space" => KeyCode::Char(' '),
        "tab" => KeyCode::Tab,
        "shift-tab" => KeyCode::BackTab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        "backspace" => KeyCode::Backspace,
        "delete" => KeyCode::Delete,
        _ => {
            let mut chars = rest.chars();
            match (chars.next(), chars.next()) {
                (Some(only), None) => KeyCode::Char(only),
                (Some('f'), Some(_)) => KeyCode::F(rest[1..].parse().ok()?),
                _ => return None,
            }
        }
    };
    Some(Key { code, modifiers })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn the_embedded_keymap_is_sound_and_binds_every_action() {
        let keymap = Keymap::embedded().unwrap();
        for action in ACTIONS {
            assert!(
                MODES
                    .iter()
                    .any(|(mode, _)| keymap.names(*mode, *action).is_some()),
                "{} has no key",
                action.name()
            );
        }
    }

    #[test]
    fn one_meaning_per_key_in_all_modes_but_enter_and_where_text_is_typed() {
        let keymap = Keymap::embedded().unwrap();
        let mut meanings: BTreeMap<String, Action> = BTreeMap::new();
        for (mode, _) in MODES.iter().filter(|(mode, _)| !mode.takes_text()) {
            for binding in keymap.bindings(*mode) {
                for name in binding.names.iter().filter(|name| *name != "enter") {
                    let meaning = meanings.entry(name.clone()).or_insert(binding.action);
                    assert_eq!(*meaning, binding.action, "{name}");
                }
            }
        }
    }

    #[test]
    fn duplicates_and_unknown_words_are_errors() {
        let twice = "[list]\nopen = { keys = [\"x\"] }\nsort = { keys = [\"x\"] }";
        assert!(Keymap::parse(twice).unwrap_err().contains("means both"));
        let beside = "[common]\nquit = { keys = [\"x\"] }\n[list]\nsort = { keys = [\"x\"] }";
        assert!(Keymap::parse(beside).unwrap_err().contains("means both"));
        let same = "[list]\nopen = { keys = [\"x\", \"x\"] }";
        assert!(Keymap::parse(same).unwrap_err().contains("means both"));
        for bad in [
            "[list]\nfly = { keys = [\"x\"] }",
            "[list]\nopen = { keys = [\"hyper-x\"] }",
            "[sky]\nopen = { keys = [\"x\"] }",
        ] {
            assert!(Keymap::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shift_belongs_to_the_character() {
        let keymap = Keymap::embedded().unwrap();
        let look_up = |code, modifiers| keymap.look_up(Mode::List, KeyEvent::new(code, modifiers));
        assert_eq!(
            look_up(KeyCode::Char('G'), KeyModifiers::SHIFT),
            Some(Action::Bottom)
        );
        assert_eq!(
            look_up(KeyCode::Char('g'), KeyModifiers::NONE),
            Some(Action::Top)
        );
        assert_eq!(
            look_up(KeyCode::Char('r'), KeyModifiers::CONTROL),
            Some(Action::Refresh)
        );
        assert_eq!(
            look_up(KeyCode::BackTab, KeyModifiers::SHIFT),
            Some(Action::PreviousPane)
        );
    }
}
