//! A line to type, the filter's or a field's: edited with the keys that shells taught people.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

/// Longest text that is taken of a filter, a name or a number, in characters.
const SHORT: usize = 500;
/// The same of a field that is sent: far beyond what services take of any.
const LONG: usize = 20_000;

/// The line being typed. What it has no room for is not cut: nothing of it is taken, and that is
/// said.
#[derive(Debug, Clone)]
pub struct Prompt {
    input: Input,
    limit: usize,
    /// Why the last of what was typed or pasted was not taken.
    pub refused: Option<String>,
}

impl Default for Prompt {
    fn default() -> Self {
        Self::new("")
    }
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
            limit: SHORT,
            refused: None,
        }
    }

    /// With room for all that a service may take.
    pub fn long(text: &str) -> Self {
        Self {
            limit: LONG,
            ..Self::new(text)
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
            KeyCode::Char(_) if !is_ctrl && !is_alt && self.room() == 0 => {
                self.refused = Some(format!("{} characters at most are taken", self.limit));
                return true;
            }
            KeyCode::Char(c) if !is_ctrl && !is_alt => InputRequest::InsertChar(c),
            KeyCode::Backspace => InputRequest::DeletePrevChar,
            KeyCode::Delete => InputRequest::DeleteNextChar,
            KeyCode::Left => InputRequest::GoToPrevChar,
            KeyCode::Right => InputRequest::GoToNextChar,
            KeyCode::Home => InputRequest::GoToStart,
            KeyCode::End => InputRequest::GoToEnd,
            _ => return false,
        };
        self.refused = None;
        self.input.handle(request);
        true
    }

    /// Takes pasted text in as one line, all of it or nothing.
    pub fn paste(&mut self, text: &str) {
        let text = one_line(text);
        let (n, room) = (text.chars().count(), self.room());
        if n > room {
            self.refused = Some(format!(
                "of the {n} characters that were pasted none was taken: there is room for {room}"
            ));
            return;
        }
        self.refused = None;
        let cursor = self.cursor();
        let (before, after) = self.parts();
        let whole = format!("{before}{text}{after}");
        self.input = Input::new(whole).with_cursor(cursor + n);
    }

    /// What stands before the cursor and what behind it.
    fn parts(&self) -> (&str, &str) {
        let text = self.text();
        let mut places = text.char_indices();
        let at = places.nth(self.cursor()).map_or(text.len(), |(at, _)| at);
        text.split_at(at)
    }

    /// How many more characters are taken.
    fn room(&self) -> usize {
        self.limit.saturating_sub(self.text().chars().count())
    }
}

/// The lines that hold something.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split(['\n', '\r']);
    lines.filter(|line| !line.trim().is_empty())
}

/// Its lines with a space between, without other control characters: a terminal could take them for
/// something else.
fn one_line(text: &str) -> String {
    let line = lines(text).collect::<Vec<&str>>().join(" ");
    let line = line.replace('\t', " ");
    line.chars().filter(|c| !c.is_control()).collect()
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
    fn what_there_is_no_room_for_is_not_cut_but_refused_with_a_word() {
        let mut prompt = Prompt::new("is:failed ");
        prompt.paste(&"x".repeat(SHORT));
        assert_eq!(prompt.text(), "is:failed ");
        let why = prompt.refused.clone().unwrap_or_default();
        assert!(why.contains("500 characters") && why.contains("room for 490"));
        prompt.paste(&"x".repeat(490));
        assert_eq!((prompt.text().len(), &prompt.refused), (500, &None));
        prompt.press(KeyEvent::new(KeyCode::Char('y'), KeyModifiers::NONE));
        assert!(prompt.text().len() == 500 && prompt.refused.is_some());
        prompt.press(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE));
        assert_eq!(prompt.refused, None);
    }

    #[test]
    fn lines_that_are_pasted_stay_apart_and_stand_at_the_cursor() {
        let mut prompt = Prompt::long("ac");
        prompt.press(KeyEvent::new(KeyCode::Left, KeyModifiers::NONE));
        prompt.paste("\n1\r\n2\t3\u{1b}\n");
        assert_eq!((prompt.text(), prompt.cursor()), ("a1 2 3c", 6));
        prompt.paste(&"x".repeat(19_000));
        assert_eq!(prompt.text().len(), 19_007);
    }
}
