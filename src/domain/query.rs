//! The query language: one for every list, on screen and in headless commands.
//!
//! A query is a row of terms, all of which must hold; `!` before a term negates it.
//!
//! ```text
//! failed                 a task's or delivery's state
//! visual:processing      a feature's state
//! state:queued           a state, spelled out
//! type:task.failed       an event type; `task.*` takes all that begin so
//! endpoint:staging       an endpoint's id, URL or description holds the text
//! task: asset: message: id: user: code:   the field holds the text (`code:` is equal)
//! broken                 a message that an endpoint has not got, nor a newer one of its task
//! cause:3f0a             a message that failed by this cause
//! since:2h               not older; also since:09:40 and since:2026-11-22T09:40
//! keynote                ids and names hold the text
//! "failed"               the same for a word that would be a state
//! endpoint:"no body"     quotes hold words together, for a field as well
//! ```

use std::borrow::Cow;

use super::feature::{Feature, FeatureState};
use super::task::TaskState;
use super::time::Time;

mod since;

pub use since::{Now, Since};

/// Before a time from which on rows are meant.
const SINCE: &str = "since";

/// A parsed query; the empty one matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    terms: Vec<Term>,
}

/// One term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    pub is_negated: bool,
    pub test: Test,
}

/// What a term tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// A task's state.
    State(TaskState),
    /// A delivery's or attempt's state, or another state word.
    Outcome(&'static str),
    /// A feature's state.
    Feature(Feature, FeatureState),
    /// A named field holds the text, both lower case.
    Field(Field, String),
    /// It is not older: as typed, and the moment that this means, once a clock was asked
    /// ([`Query::settle`]); until then nothing passes.
    Since(Since, Option<Time>),
    /// Some id or name holds the text, lower case.
    Text(String),
}

/// A field of a row that a query can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    Type,
    Endpoint,
    Task,
    Asset,
    Message,
    Id,
    User,
    Code,
    Trigger,
    /// A cause of failure, by its id.
    Cause,
}

/// Words that stand for a state of deliveries, attempts and endpoints; the synonyms that people type.
const OUTCOMES: [(&str, &str); 18] = [
    ("broken", "broken"),
    ("superseded", "superseded"),
    ("delivered", "delivered"),
    ("success", "delivered"),
    ("fail", "failed"),
    ("sending", "sending"),
    ("pending", "sending"),
    ("retrying", "retrying"),
    ("exhausted", "exhausted"),
    ("canceled", "canceled"),
    ("disabled", "disabled"),
    ("enabled", "enabled"),
    ("manual", "manual"),
    ("scheduled", "scheduled"),
    ("unsent", "unsent"),
    ("done", "done"),
    ("active", "active"),
    ("replayed", "replayed"),
];

const FIELDS: [(&str, Field); 12] = [
    ("cause", Field::Cause),
    ("type", Field::Type),
    ("event_type", Field::Type),
    ("endpoint", Field::Endpoint),
    ("task", Field::Task),
    ("asset", Field::Asset),
    ("message", Field::Message),
    ("id", Field::Id),
    ("user", Field::User),
    ("code", Field::Code),
    ("trigger", Field::Trigger),
    ("name", Field::Asset),
];

/// A row that a query can be asked about.
pub trait Subject {
    /// The task state it stands for, if it stands for one.
    fn state(&self) -> Option<TaskState>;
    /// Whether the outcome word (`delivered`, `retrying`, …) holds.
    fn has_outcome(&self, word: &str) -> bool;
    /// Whether it is not known if the word holds, where `has_outcome` does not say so.
    fn is_outcome_unknown(&self, word: &str) -> bool {
        let _ = word;
        false
    }
    fn feature(&self, feature: &Feature) -> Option<FeatureState>;
    /// When it was, by the clock of who tells of it; `None` where that is not known.
    fn time(&self) -> Option<Time>;
    /// Calls `see` with each value of the field, until it says `true`.
    fn field(&self, field: Field, see: &mut dyn FnMut(&str) -> bool) -> bool;
    /// Calls `see` with each id and name of the row, until it says `true`.
    fn texts(&self, see: &mut dyn FnMut(&str) -> bool) -> bool;
}

impl Query {
    /// Reads a query. Errors name the word and what could stand there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for word in words(text)? {
            if word.text.is_empty() {
                continue;
            }
            terms.push(Term {
                is_negated: word.is_negated,
                test: word.meaning()?,
            });
        }
        Ok(Self { terms })
    }

    /// Reads a query that nobody sees the matches of while it is typed: a word that looks like a
    /// field but is none, which would stand for a text, is an error, and so is a `!` or a pair of
    /// quotes with nothing in it. Quoted, a word is a text.
    pub fn parse_strictly(text: &str) -> Result<Self, String> {
        let words = words(text)?;
        // Half a word stands for everything while it is typed, and was not meant so here.
        if let Some(empty) = words.iter().find(|word| word.text.is_empty()) {
            return Err(if empty.is_negated && !empty.is_quoted {
                "nothing stands after the !, which negates the word it is written to".to_owned()
            } else {
                "nothing stands between the quotes".to_owned()
            });
        }
        for word in words.iter().filter(|word| !word.is_quoted) {
            let Some((name, value)) = word.text.split_once(':') else {
                continue;
            };
            let is_name = name.len() > 1
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
            let is_url = value.starts_with("//");
            if is_name && !is_url && matches!(meaning(&word.text)?, Test::Text(_)) {
                let known: Vec<&str> = FIELDS.iter().map(|(known, _)| *known).collect();
                return Err(format!(
                    "{name:?} is no field; fields are {}, since, state and the features; \"{}\" in double quotes is text",
                    known.join(", "),
                    word.text
                ));
            }
        }
        Self::parse(text)
    }

    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Finds out which moments are meant by `since:`. May be done again, as the clock of a service
    /// becomes known.
    pub fn settle(&mut self, now: Now) {
        for term in &mut self.terms {
            if let Test::Since(since, from) = &mut term.test {
                *from = Some(since.time(now));
            }
        }
    }

    /// What was so long ago by a clock that is so many microseconds ahead of the one that it was
    /// settled by.
    pub fn shift(&mut self, ahead: i64) {
        for term in &mut self.terms {
            if let Test::Since(Since::Ago(_), Some(from)) = &mut term.test {
                *from = from.plus(ahead);
            }
        }
    }

    /// A query's text with the moments that its `since:` mean in place of what means another one
    /// later; `None` where nothing does.
    pub fn pinned(text: &str, now: Now) -> Option<String> {
        let words = words(text).ok()?;
        let pin = |word: &Word<'_>| {
            let Ok(Test::Since(since @ (Since::Ago(_) | Since::Clock(_)), _)) = word.meaning()
            else {
                return word.raw.to_owned();
            };
            let shown = since.time(now).date_clock(now.utc_offset);
            let negation = if word.is_negated { "!" } else { "" };
            format!("{negation}{SINCE}:{}", shown.replacen(' ', "T", 1))
        };
        let pinned: Vec<String> = words.iter().map(pin).collect();
        let pinned = pinned.join(" ");
        (pinned != text.trim()).then_some(pinned)
    }

    /// Whether every term holds for the row. Where it is not known whether a state's word does, neither
    /// the word nor its negation holds.
    pub fn matches(&self, row: &impl Subject) -> bool {
        self.terms
            .iter()
            .all(|term| match (term.test.holds(row), term.is_negated) {
                (false, true) => !term.test.is_unknown(row),
                (holds, is_negated) => holds != is_negated,
            })
    }

    /// Whether the row may match all the same by what is not known of it.
    pub fn may_match(&self, row: &impl Subject) -> bool {
        let may_hold =
            |term: &Term| term.test.holds(row) != term.is_negated || term.test.is_unknown(row);
        !self.matches(row) && self.terms.iter().all(may_hold)
    }

    /// The part that says which attempts of a message are meant, and so which endpoints.
    #[must_use]
    pub fn of_attempts(&self) -> Self {
        self.part(Test::is_of_attempts)
    }

    /// The terms of which this holds.
    #[must_use]
    pub fn part(&self, is_in: impl Fn(&Test) -> bool) -> Self {
        let terms = self.terms.iter().filter(|term| is_in(&term.test));
        Self {
            terms: terms.cloned().collect(),
        }
    }

    /// Whether a term names one of these fields.
    pub fn names_any(&self, fields: &[Field]) -> bool {
        let mut terms = self.terms.iter();
        terms.any(|term| matches!(&term.test, Test::Field(field, _) if fields.contains(field)))
    }

    /// Whether a pass over the state and feature columns of tasks is all that it takes.
    pub fn is_columnar(&self) -> bool {
        self.terms.iter().all(|term| {
            matches!(&term.test, Test::State(_)) || matches!(&term.test, Test::Feature(feature, state) if packed(feature, state).is_some())
        })
    }
}

impl Test {
    /// Whether it says which attempts are meant.
    pub fn is_of_attempts(&self) -> bool {
        const FIELDS: [Field; 4] = [Field::Endpoint, Field::Code, Field::Cause, Field::Trigger];
        matches!(self, Self::Field(field, _) if FIELDS.contains(field))
    }

    /// Whether it is not known if it holds, where it does not as far as is known.
    fn is_unknown(&self, row: &impl Subject) -> bool {
        match self {
            Self::State(state) => row.is_outcome_unknown(state.name()),
            Self::Outcome(word) => row.is_outcome_unknown(word),
            Self::Since(..) => row.time().is_none(),
            Self::Feature(..) | Self::Field(..) | Self::Text(_) => false,
        }
    }

    fn holds(&self, row: &impl Subject) -> bool {
        match self {
            // "failed" is a task's state and a delivery's; a row is of one kind, so either will do.
            Self::State(state) => row.state() == Some(*state) || row.has_outcome(state.name()),
            Self::Outcome(word) => row.has_outcome(word),
            Self::Feature(feature, state) => row.feature(feature).is_some_and(|has| has == *state),
            Self::Since(_, from) => row
                .time()
                .zip(*from)
                .is_some_and(|(time, from)| time >= from),
            Self::Field(Field::Code, text) => row.field(Field::Code, &mut |value| value == text),
            Self::Field(Field::Type, text) => match text.strip_suffix('*') {
                Some(start) => row.field(Field::Type, &mut |value| {
                    value
                        .get(..start.len())
                        .is_some_and(|head| head.eq_ignore_ascii_case(start))
                }),
                None => row.field(Field::Type, &mut |value| value.eq_ignore_ascii_case(text)),
            },
            Self::Field(field, text) => row.field(*field, &mut |value| holds_text(value, text)),
            Self::Text(text) => row.texts(&mut |value| holds_text(value, text)),
        }
    }
}

/// Whether `value` holds `needle` (lower case) in any case.
pub fn holds_text(value: &str, needle: &str) -> bool {
    if value.is_ascii() && value.bytes().all(|byte| !byte.is_ascii_uppercase()) {
        return memchr::memmem::find(value.as_bytes(), needle.as_bytes()).is_some();
    }
    value.to_lowercase().contains(needle)
}

struct Word<'a> {
    is_negated: bool,
    /// Whether all of it was quoted, so that it is a text whatever it says.
    is_quoted: bool,
    text: Cow<'a, str>,
    /// As typed, with its `!` and its quotes.
    raw: &'a str,
}

impl Word<'_> {
    fn meaning(&self) -> Result<Test, String> {
        if self.is_quoted {
            Ok(Test::Text(self.text.to_lowercase()))
        } else {
            meaning(&self.text)
        }
    }
}

fn words(text: &str) -> Result<Vec<Word<'_>>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let after = rest.strip_prefix('!');
        let (is_negated, body) = (after.is_some(), after.unwrap_or(rest));
        let (name, quoted) = quoted_value(body);
        let (text, tail) = if let Some(quoted) = quoted {
            let Some((value, tail)) = quoted.split_once('"') else {
                return Err(format!("the quote before {quoted:?} is not closed"));
            };
            (Cow::Owned(format!("{name}{value}")), tail)
        } else {
            let end = body.find(char::is_whitespace).unwrap_or(body.len());
            (Cow::Borrowed(&body[..end]), &body[end..])
        };
        found.push(Word {
            is_negated,
            is_quoted: quoted.is_some() && name.is_empty(),
            text,
            raw: &rest[..rest.len() - tail.len()],
        });
        rest = tail.trim_start();
    }
    Ok(found)
}

/// What stands behind the quote of `"…` or `name:"…`, and the name with its colon; `None` where no
/// quote begins there.
fn quoted_value(body: &str) -> (&str, Option<&str>) {
    let Some((name, quoted)) = body.split_once('"') else {
        return ("", None);
    };
    let is_name = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
    };
    match name.strip_suffix(':') {
        Some(bare) if !bare.is_empty() && is_name(bare) => (name, Some(quoted)),
        None if name.is_empty() => ("", Some(quoted)),
        _ => ("", None),
    }
}

fn meaning(word: &str) -> Result<Test, String> {
    if let Some((name, value)) = word.split_once(':') {
        let name = name.to_lowercase();
        if matches!(name.as_str(), "state" | "status") {
            return state_test(value).ok_or_else(|| {
                format!("unknown state {value:?}; try failed, processing, queued, completed, cancelled, delivered, retrying")
            });
        }
        if name == SINCE {
            return Ok(Test::Since(Since::parse(value)?, None));
        }
        if let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) {
            return Ok(Test::Field(*field, value.to_lowercase()));
        }
        // Anything else with a colon (a URL, a clock time) is text, unless it names what we know.
        let is_feature = Feature::known(name.as_bytes()).is_some();
        let state = FeatureState::new(&value.to_lowercase());
        if is_feature && !value.is_empty()
            || !matches!(state, FeatureState::Unknown(_)) && !name.is_empty()
        {
            return Ok(Test::Feature(Feature::new(&name), state));
        }
    }
    Ok(state_test(word).unwrap_or_else(|| Test::Text(word.to_lowercase())))
}

fn state_test(word: &str) -> Option<Test> {
    let word = word.to_lowercase();
    if let Some(state) = TaskState::from_name(&word) {
        return Some(Test::State(state));
    }
    OUTCOMES
        .iter()
        .find(|(typed, _)| *typed == word)
        .map(|(_, means)| Test::Outcome(means))
}

/// Shift and code of a known feature's known state in the packed word.
fn packed(feature: &Feature, state: &FeatureState) -> Option<(u32, u32)> {
    let mut only = super::feature::Features::default();
    only.set(feature.clone(), state.clone());
    let is_plain = only.extra().is_none() && only.packed() != 0;
    is_plain.then(|| {
        let shift = only.packed().trailing_zeros() / 4 * 4;
        (shift, only.packed() >> shift)
    })
}

/// A query made ready for a pass over the columns of tasks.
#[derive(Debug, Clone)]
pub struct TaskFilter<'a> {
    /// One bit for each state that passes.
    states: u8,
    /// Shift, code and whether it is negated.
    features: Vec<(u32, u32, bool)>,
    /// Places that the slower tests let pass, where there are any.
    matched: Option<&'a [u64]>,
}

impl<'a> TaskFilter<'a> {
    /// Every task.
    pub fn all() -> Self {
        Self {
            states: u8::MAX,
            features: Vec::new(),
            matched: None,
        }
    }

    /// From a query's columnar terms; `matched` holds a bit for each place that its other terms
    /// let pass.
    pub fn new(query: &Query, matched: Option<&'a [u64]>) -> Self {
        let mut filter = Self {
            matched,
            ..Self::all()
        };
        for term in &query.terms {
            match &term.test {
                Test::State(state) => {
                    let bit = 1 << *state as u8;
                    filter.states &= if term.is_negated { !bit } else { bit };
                }
                Test::Feature(feature, state) => {
                    if let Some((shift, code)) = packed(feature, state) {
                        filter.features.push((shift, code, term.is_negated));
                    }
                }
                _ => {}
            }
        }
        filter
    }

    /// Whether it looks at nothing but the state.
    pub fn is_by_state_alone(&self) -> bool {
        self.features.is_empty() && self.matched.is_none()
    }

    /// Whether every task passes.
    pub fn is_all(&self) -> bool {
        self.states == u8::MAX && self.is_by_state_alone()
    }

    /// Whether the task in a place passes; a vacant place never does.
    #[inline]
    pub fn passes(&self, state: u8, features: u32, place: usize) -> bool {
        state < 8
            && self.states >> state & 1 == 1
            && self
                .features
                .iter()
                .all(|&(shift, code, is_negated)| (features >> shift & 0xf == code) != is_negated)
            && self.matched.is_none_or(|bits| {
                bits.get(place / 64)
                    .is_some_and(|word| word >> (place % 64) & 1 == 1)
            })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn one(text: &str) -> (bool, Test) {
        let query = Query::parse(text).unwrap();
        assert_eq!(query.terms().len(), 1, "{text}");
        (query.terms()[0].is_negated, query.terms()[0].test.clone())
    }

    #[test]
    fn terms_of_every_form() {
        assert_eq!(one("failed"), (false, Test::State(TaskState::Failed)));
        assert_eq!(one("!failed"), (true, Test::State(TaskState::Failed)));
        assert_eq!(one("\"failed\""), (false, Test::Text("failed".into())));
        assert_eq!(one("!\"failed\""), (true, Test::Text("failed".into())));
        let named = Test::Field(Field::Endpoint, "no body 'x'".into());
        assert_eq!(one("!Endpoint:\"No body 'x'\""), (true, named));
        // Quotes that begin nothing are letters.
        assert_eq!(one("5\"disk"), (false, Test::Text("5\"disk".into())));
        assert!(Query::parse("endpoint:\"no body").is_err());
        assert!(Query::parse_strictly("endpiont:\"no body\"").is_err());
        assert_eq!(
            one("visual:processing"),
            (
                false,
                Test::Feature(Feature::Visual, FeatureState::Processing)
            )
        );
        assert_eq!(
            one("type:Task.Failed"),
            (false, Test::Field(Field::Type, "task.failed".into()))
        );
        assert_eq!(one("Keynote"), (false, Test::Text("keynote".into())));
        assert_eq!(one("retrying"), (false, Test::Outcome("retrying")));
        assert_eq!(
            one("\"two words\""),
            (false, Test::Text("two words".into()))
        );
        assert!(Query::parse("state:nonsense").is_err());
        assert!(Query::parse("\"open").is_err());
        for text in [
            "failed !endpont:prod",
            "visal:failing",
            "!",
            "! failed",
            "!\"\"",
            "\"\"",
        ] {
            assert!(Query::parse(text).is_ok());
            assert!(Query::parse_strictly(text).is_err(), "{text}");
        }
        for text in [
            "failed !endpoint:prod",
            "12:03",
            "https://a/",
            "\"endpont:prod\"",
            "upscale:failed",
        ] {
            assert_eq!(Query::parse_strictly(text), Query::parse(text), "{text}");
        }
        assert!(Query::parse("  ").unwrap().is_empty());
    }

    #[test]
    fn what_means_another_time_later_is_pinned_and_the_rest_stays_as_typed() {
        let now = Now {
            time: Time::from_seconds(1_795_341_600),
            utc_offset: 3600,
        };
        let pinned = |text| Query::pinned(text, now);
        assert_eq!(
            pinned("endpoint:\"my shop\" !since:2h  failed").as_deref(),
            Some("endpoint:\"my shop\" !since:2026-11-22T09:00:00 failed")
        );
        for text in [
            "",
            "failed",
            "since:2026-11-22T09:00:00",
            "\"since:2h\"",
            "since:2",
            "\"o",
        ] {
            assert_eq!(pinned(text), None, "{text}");
        }
        // What it means is known once a clock was asked, and stays so later.
        let moment = |text: &str, now: Option<Now>| {
            let mut query = Query::parse(text).unwrap();
            if let Some(now) = now {
                query.settle(now);
            }
            match query.terms()[0].test {
                Test::Since(_, from) => from,
                _ => None,
            }
        };
        let later = Now {
            time: now.time.plus(999),
            ..now
        };
        let kept = pinned("since:2h").unwrap();
        assert_eq!(moment("since:2h", None), None);
        assert_eq!(moment("since:2h", Some(now)), moment(&kept, Some(later)));
        assert!(Query::parse_strictly("since:").is_err());
    }

    #[test]
    fn the_columnar_filter_agrees_with_the_terms() {
        let query = Query::parse("!failed visual:processing").unwrap();
        assert!(query.is_columnar());
        let filter = TaskFilter::new(&query, None);
        let visual_processing = 2 << 8;
        assert!(filter.passes(TaskState::Processing as u8, visual_processing, 0));
        assert!(!filter.passes(TaskState::Failed as u8, visual_processing, 0));
        assert!(!filter.passes(TaskState::Processing as u8, 0, 0));
        assert!(!filter.passes(u8::MAX, visual_processing, 0));
        assert!(!Query::parse("keynote").unwrap().is_columnar());
    }
}
