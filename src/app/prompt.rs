//! A line to type, the filter's or a field's: edited with the keys that shells taught people.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

/// Longest text that is taken.
const MAX_CHARS: usize = 500;

/// The line being typed.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    input: Input,
}

impl PartialEq for Prompt {
    fn eq(&self, other: &Self) -> bool {
        (self.text(), self.cursor()) == (other.text(), other.cursor())
    }
}

impl Eq for Prompt {}

impl Prompt {
    pub fn new(text: &str) -> Self {
        Self {
            input: Input::new(text.to_owned()),
        }
    }

    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Characters before the cursor.
    pub fn cursor(&self) -> usize {
        self.input.cursor()
    }

    /// Takes a key in. Returns whether it meant something here.
    pub fn press(&mut self, key: KeyEvent) -> bool {
        let is_ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let is_alt = key.modifiers.contains(KeyModifiers::ALT);
        let request = match key.code {
            KeyCode::Char('a') if is_ctrl => InputRequest::GoToStart,
            KeyCode::Char('e') if is_ctrl => InputRequest::GoToEnd,
            KeyCode::Char('w') if is_ctrl => InputRequest::DeletePrevWord,
            KeyCode::Char('u') if is_ctrl => InputRequest::DeleteLine,
            KeyCode::Char('k') if is_ctrl => InputRequest::DeleteTillEnd,
            KeyCode::Char('b') if is_alt => InputRequest::GoToPrevWord,
            KeyCode::Char('f') if is_alt => InputRequest::GoToNextWord,
            KeyCode::Char(c) if !is_ctrl && !is_alt && self.has_room() => {
                InputRequest::InsertChar(c)
            }
            KeyCode::Backspace => InputRequest::DeletePrevChar,
            KeyCode::Delete => InputRequest::DeleteNextChar,
            KeyCode::Left => InputRequest::GoToPrevChar,
            KeyCode::Right => InputRequest::GoToNextChar,
            KeyCode::Home => InputRequest::GoToStart,
            KeyCode::End => InputRequest::GoToEnd,
            _ => return false,
        };
        self.input.handle(request);
        true
    }

    /// Takes pasted text in, without its control characters.
    pub fn paste(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            if !self.has_room() {
                return;
            }
            self.input.handle(InputRequest::InsertChar(c));
        }
    }

    fn has_room(&self) -> bool {
        self.input.value().chars().count() < MAX_CHARS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_like_a_shell_line() {
        let mut prompt = Prompt::default();
        prompt.paste("failed\u{1b} keynote");
        let press = |prompt: &mut Prompt, code, modifiers| {
            prompt.press(KeyEvent::new(code, modifiers));
        };
        press(&mut prompt, KeyCode::Char('w'), KeyModifiers::CONTROL);
        assert_eq!(prompt.text(), "failed ");
        press(&mut prompt, KeyCode::Home, KeyModifiers::NONE);
        press(&mut prompt, KeyCode::Char('!'), KeyModifiers::SHIFT);
        assert_eq!((prompt.text(), prompt.cursor()), ("!failed ", 1));
        press(&mut prompt, KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(prompt.text(), "");
    }

    #[test]
    fn its_length_is_bounded() {
        let mut prompt = Prompt::default();
        prompt.paste(&"x".repeat(10_000));
        assert_eq!(prompt.text().len(), MAX_CHARS);
    }
}
