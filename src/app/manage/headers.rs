//! The form of an endpoint's own headers: `Name: value` a line. Sending replaces all of them.

use std::collections::BTreeMap;

use crossterm::event::KeyEvent;

use crate::app::prompt::{Prompt, lines};
use crate::domain::{Hidden, MASK, OwnHeaders, OwnValue, header_fault, visible};

/// Most headers that a service takes (Svix); where it has more, they all stand there.
const MOST: usize = 50;

/// A header to type.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderLine {
    pub prompt: Prompt,
    pub fault: Option<String>,
}

impl Default for HeaderLine {
    fn default() -> Self {
        Self::new("")
    }
}

/// What is typed may be a credential.
impl std::fmt::Debug for HeaderLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeaderLine").finish_non_exhaustive()
    }
}

impl HeaderLine {
    fn new(text: &str) -> Self {
        Self {
            prompt: Prompt::long(text),
            fault: None,
        }
    }
}

/// A value as it was told, beside how it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    shown: Hidden,
    value: OwnValue,
}

impl Held {
    /// All that a line would not give back as it was: the API key, which stands there as `***`;
    /// what is no text; a text with spaces around it.
    fn of(own: &OwnHeaders) -> BTreeMap<String, Self> {
        let masked = own.masked.iter().map(|(name, text)| {
            let (shown, value) = (Hidden::new(MASK), OwnValue::Text(text.clone()));
            (name.clone(), Self { shown, value })
        });
        let odd = own.odd.iter().map(|(name, odd)| {
            let (shown, value) = (odd.shown.clone(), OwnValue::Json(odd.raw.clone()));
            (name.clone(), Self { shown, value })
        });
        let told = own.told.iter().filter_map(|(name, text)| {
            let trimmed = text.reveal().trim();
            let shown = (trimmed.len() < text.reveal().len()).then(|| Hidden::new(trimmed))?;
            let value = OwnValue::Text(text.clone());
            Some((name.clone(), Self { shown, value }))
        });
        masked.chain(odd).chain(told).collect()
    }

    fn is_text(&self) -> bool {
        matches!(self.value, OwnValue::Text(_))
    }
}

/// The lines, an empty one at the end, and the one that is typed in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeadersForm {
    pub lines: Vec<HeaderLine>,
    pub at: usize,
    /// Names of those whose values the service does not tell: they must be typed again, or go.
    pub sensitive: Vec<String>,
    /// Those that go back as they were told while they stand there unchanged.
    held: BTreeMap<String, Held>,
    /// What was there when the form was opened, or was last told to have changed.
    began: OwnHeaders,
    /// The words of the service that refused them last.
    pub refusal: Option<String>,
}

impl HeadersForm {
    pub fn of(own: &OwnHeaders) -> Self {
        let told = own.told.iter();
        let told =
            told.map(|(name, value)| HeaderLine::new(&format!("{name}: {}", value.reveal())));
        let masked = own.masked.keys();
        let masked = masked.map(|name| HeaderLine::new(&format!("{name}: {MASK}")));
        let odd = own.odd.iter();
        let odd =
            odd.map(|(name, odd)| HeaderLine::new(&format!("{name}: {}", odd.shown.reveal())));
        let hidden = own.sensitive.iter();
        let hidden = hidden.map(|name| HeaderLine::new(&format!("{name}: ")));
        let mut form = Self {
            lines: told.chain(masked).chain(odd).chain(hidden).collect(),
            at: 0,
            sensitive: own.sensitive.clone(),
            held: Held::of(own),
            began: own.clone(),
            refusal: None,
        };
        form.keep_room();
        form
    }

    /// What was there when the form was opened, or was last told to have changed.
    pub fn began(&self) -> &OwnHeaders {
        &self.began
    }

    /// Names of what somebody else changed since then, so that sending these would take it back.
    pub fn overtaken(&self, typed: &BTreeMap<String, OwnValue>, now: &OwnHeaders) -> Vec<String> {
        self.began.overtaken(typed, now)
    }

    /// The same as it was typed, where somebody else changed these: sent once more it replaces what is
    /// there now.
    #[must_use]
    pub fn over(&self, names: &[String], now: &OwnHeaders) -> Self {
        let names = names.join(", ");
        let words = format!(
            "somebody else changed {names} since you began, and nothing was sent; Enter again \
             replaces what is there now, Esc and m reads it"
        );
        Self {
            began: now.clone(),
            refusal: Some(visible(&words).into_owned()),
            ..self.clone()
        }
    }

    /// There is always a line to type one more header.
    fn keep_room(&mut self) {
        let is_full = self.lines.len() >= MOST;
        let is_open = self
            .lines
            .last()
            .is_some_and(|line| line.prompt.text().is_empty());
        if !is_full && !is_open {
            self.lines.push(HeaderLine::default());
        }
    }

    fn edit(&mut self, change: impl FnOnce(&mut Prompt)) {
        if let Some(line) = self.lines.get_mut(self.at) {
            change(&mut line.prompt);
            line.fault.clone_from(&line.prompt.refused);
        }
        self.keep_room();
    }

    pub fn press(&mut self, key: KeyEvent) {
        self.edit(|prompt| {
            prompt.press(key);
        });
    }

    /// Takes pasted text in: of several lines, each becomes a header of its own, all of them or
    /// none.
    pub fn paste(&mut self, text: &str) {
        let pasted: Vec<&str> = lines(text).collect();
        if pasted.len() < 2 {
            return self.edit(|prompt| prompt.paste(text));
        }
        let is_free = |line: &HeaderLine| line.prompt.text().is_empty();
        let n_taken = self.lines.iter().filter(|line| !is_free(line)).count();
        let room = MOST.saturating_sub(n_taken);
        if pasted.len() > room {
            let n = pasted.len();
            let why = format!(
                "of the {n} lines that were pasted none was taken: there is room for {room}"
            );
            return self.edit(|prompt| prompt.refused = Some(why));
        }
        // They stand behind the line that is typed in, or in its place.
        let is_here = self.lines.get(self.at).is_some_and(is_free);
        let from = self.lines.len().min(self.at + usize::from(!is_here));
        let to = from + usize::from(is_here);
        let fresh = pasted.iter().map(|text| {
            let mut line = HeaderLine::default();
            line.prompt.paste(text);
            line.fault.clone_from(&line.prompt.refused);
            line
        });
        self.lines.splice(from..to, fresh);
        self.at = from + pasted.len() - 1;
        self.keep_room();
    }

    /// Goes so many lines on, round at the ends.
    pub fn turn(&mut self, by: isize) {
        let n = self.lines.len().max(1);
        self.at = self.at.saturating_add_signed(by + n as isize) % n;
    }

    /// All headers, if a service takes each; else the faults are noted and the first is gone to.
    pub fn headers(&mut self) -> Option<BTreeMap<String, OwnValue>> {
        self.refusal = None;
        let mut headers = BTreeMap::new();
        for line in &mut self.lines {
            // What was meant to stand there is not what would be sent.
            line.fault.clone_from(&line.prompt.refused);
            let text = line.prompt.text().trim();
            if text.is_empty() || line.fault.is_some() {
                continue;
            }
            let (name, value) = text.split_once(':').unwrap_or((text, ""));
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            let is_hidden = || {
                self.sensitive
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(&name))
            };
            let mut held = self.held.iter();
            let held = held.find(|(known, _)| known.eq_ignore_ascii_case(&name));
            let held = held.map(|(_, held)| held);
            let kept = held.filter(|held| held.shown.reveal() == value);
            let is_odd = held.is_some_and(|held| !held.is_text());
            let is_twice = |known: &String| known.eq_ignore_ascii_case(&name);
            line.fault = if !text.contains(':') {
                Some("name: value is wanted, with a colon between".to_owned())
            } else if headers.keys().any(is_twice) {
                Some("this header stands there twice".to_owned())
            } else if value.is_empty() && is_hidden() {
                Some("the service does not tell its value: type it, or clear the line".to_owned())
            } else if is_odd && kept.is_none() {
                Some(
                    "its value is no text but JSON, and only goes back as it was: type that, or clear the line"
                        .to_owned(),
                )
            } else if kept.is_none() && value.contains(MASK) {
                Some(format!("{MASK} stands for what is not shown: type it out"))
            } else if is_odd {
                None
            } else {
                header_fault(&name, &value).map(str::to_owned)
            };
            let kept = kept.map(|held| held.value.clone());
            headers.insert(name, kept.unwrap_or_else(|| OwnValue::text(&value)));
        }
        match self.lines.iter().position(|line| line.fault.is_some()) {
            Some(at) => {
                self.at = at;
                None
            }
            None => Some(headers),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn form() -> HeadersForm {
        HeadersForm::of(&OwnHeaders {
            told: BTreeMap::from([("x-team".to_owned(), Hidden::new("media"))]),
            sensitive: vec!["Authorization".to_owned()],
            ..OwnHeaders::default()
        })
    }

    #[test]
    fn a_value_that_is_not_told_must_be_typed_or_cleared() {
        let mut form = form();
        assert_eq!(form.headers(), None);
        assert_eq!(form.at, 1);
        form.paste("Bearer x");
        let all = form.headers().unwrap();
        let told: Vec<(&str, &str)> = all
            .iter()
            .map(|(name, it)| (&**name, it.reveal()))
            .collect();
        assert_eq!(told, [("Authorization", "Bearer x"), ("x-team", "media")]);
        form.lines[1] = HeaderLine::default();
        assert_eq!(form.headers().unwrap().len(), 1);
        assert!(!format!("{form:?}").contains("media"));
    }

    #[test]
    fn what_somebody_else_changed_is_named_unless_the_same_is_wanted() {
        let own = |told: &[(&str, &str)], sensitive: &[&str]| OwnHeaders {
            told: (told.iter())
                .map(|(name, text)| ((*name).to_owned(), Hidden::new(text)))
                .collect(),
            sensitive: sensitive.iter().map(ToString::to_string).collect(),
            ..OwnHeaders::default()
        };
        let began = own(&[("x-a", "1"), ("x-b", "2")], &[]);
        let form = HeadersForm::of(&began);
        let typed = BTreeMap::from([("x-a", "3"), ("x-c", "4")]);
        let typed = typed
            .into_iter()
            .map(|(name, text)| (name.to_owned(), OwnValue::text(text)))
            .collect();
        let overtaken = |now: &OwnHeaders| form.overtaken(&typed, now);
        assert_eq!(overtaken(&began), [""; 0]);
        // They did the same.
        assert_eq!(overtaken(&own(&[("x-a", "3"), ("x-c", "4")], &[])), [""; 0]);
        let now = own(&[("x-a", "9"), ("x-b", "2"), ("x-d", "5")], &["x-e"]);
        let names = overtaken(&now);
        assert_eq!(names, ["x-a", "x-d", "x-e"]);
        let again = form.over(&names, &now);
        assert_eq!(again.overtaken(&typed, &now), [""; 0]);
        assert!(again.refusal.is_some_and(|it| it.contains("x-a, x-d, x-e")));
        assert_eq!(again.lines, form.lines);
    }

    #[test]
    fn what_is_no_text_goes_back_as_it_was_or_not_at_all() {
        let raw = Hidden::new("[\"a\",\n2.50]");
        let shown = Hidden::new("[\"a\", 2.50]");
        let odd = crate::domain::OddValue {
            raw: raw.clone(),
            shown,
        };
        let mut form = HeadersForm::of(&OwnHeaders {
            told: BTreeMap::from([("x-team".to_owned(), Hidden::new(" media "))]),
            odd: BTreeMap::from([("x-list".to_owned(), odd)]),
            ..OwnHeaders::default()
        });
        let texts: Vec<&str> = form.lines.iter().map(|line| line.prompt.text()).collect();
        assert_eq!(texts, ["x-team:  media ", "x-list: [\"a\", 2.50]", ""]);
        let all = form.headers().unwrap();
        assert_eq!(all["x-list"], OwnValue::Json(raw));
        assert_eq!(all["x-team"], OwnValue::text(" media "));
        form.at = 1;
        form.paste(" ");
        assert!(form.headers().is_some());
        form.paste("x");
        assert_eq!(form.headers(), None);
        assert!(form.lines[1].fault.as_ref().unwrap().contains("no text"));
        form.lines[1] = HeaderLine::default();
        assert_eq!(form.headers().unwrap().len(), 1);
    }

    #[test]
    fn all_that_the_service_has_stand_there() {
        let named = |n| (format!("x-{n:02}"), Hidden::new("a"));
        let mut form = HeadersForm::of(&OwnHeaders {
            told: (0..55).map(named).collect(),
            sensitive: vec!["Authorization".to_owned()],
            ..OwnHeaders::default()
        });
        assert_eq!(form.lines.len(), 56);
        assert_eq!(form.headers(), None);
        assert_eq!(form.at, 55);
        form.paste("Bearer x");
        assert_eq!(form.headers().unwrap().len(), 56);
    }

    #[test]
    fn each_pasted_line_is_a_header_and_a_long_value_is_whole() {
        let mut form = form();
        form.paste("X-One: 1\r\nX-Two: 2\n\n");
        let texts: Vec<&str> = form.lines.iter().map(|line| line.prompt.text()).collect();
        let asked = [
            "x-team: media",
            "X-One: 1",
            "X-Two: 2",
            "Authorization: ",
            "",
        ];
        assert_eq!((texts, form.at), (asked.to_vec(), 2));
        form.turn(1);
        let token = "t".repeat(900);
        form.paste(&format!("Bearer {token}\n"));
        let all = form.headers().unwrap();
        assert_eq!(all["Authorization"].reveal(), format!("Bearer {token}"));
        assert_eq!(all.len(), 4);
        // Into a line that is free they go without a gap.
        form.turn(1);
        form.paste("A: 1\nB: 2");
        assert_eq!(form.headers().unwrap().len(), 6);
        assert_eq!(form.lines.len(), 7);
    }

    #[test]
    fn what_there_is_no_room_for_is_not_sent_in_part() {
        let mut form = form();
        form.paste(&"X-Many: 1\n".repeat(49));
        assert_eq!((form.headers(), form.lines.len()), (None, 3));
        let why = form.lines[0].fault.clone().unwrap();
        assert!(
            why.contains("49 lines") && why.contains("room for 48"),
            "{why}"
        );
        let mut form = HeadersForm::default();
        form.lines.push(HeaderLine::default());
        form.paste(&format!("X-Long: {}", "x".repeat(20_000)));
        assert_eq!(form.headers(), None);
        // The next key takes note of it.
        form.press(KeyEvent::from(crossterm::event::KeyCode::Left));
        assert_eq!(form.headers(), Some(BTreeMap::new()));
    }

    #[test]
    fn faults_stand_at_their_lines_and_there_is_room_for_one_more() {
        let mut form = HeadersForm::of(&OwnHeaders::default());
        assert_eq!(form.lines.len(), 1);
        for text in ["X-Team: a", "x-team: b", "host: c", "nothing"] {
            form.at = form.lines.len() - 1;
            form.paste(text);
        }
        assert_eq!(form.lines.len(), 5);
        assert_eq!(form.headers(), None);
        let faults = form.lines.iter().map(|line| line.fault.is_some());
        assert_eq!(faults.collect::<Vec<_>>(), [false, true, true, true, false]);
        assert_eq!(form.at, 1);
    }
}
