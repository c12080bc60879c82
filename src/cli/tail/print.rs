//! How `tail` prints an event: its data as it came, its frame as JSON, or a readable line.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::json;

use super::super::output::{Output, Stop, note};
use super::ended;
use super::subject::EventSubject;
use crate::domain::{
    AssetId, ChangeKind, Event, EventType, Features, Observation, Query, TaskId, plural, visible,
};
use crate::io::clock::Clock;
use crate::wire::events;
use crate::wire::sse::Frame;

/// Tasks and names remembered to say what changed.
const MAX_REMEMBERED: usize = 10_000;

/// What is printed of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Its data, unchanged.
    Data,
    /// The frame as JSON.
    Frames,
    /// One readable line.
    Readable,
}

/// Prints events until a limit is reached or the output cannot be written.
pub struct Printer {
    out: Output,
    form: Form,
    query: Query,
    left: Option<u64>,
    clock: Clock,
    zone: i32,
    error: Option<io::Error>,
    features: HashMap<TaskId, Features>,
    names: HashMap<AssetId, Arc<str>>,
    pub n_oversized: u64,
    n_compacted: u64,
    n_no_json: u64,
}

impl Drop for Printer {
    /// However the command ends, ctrl-c included, what was not printed is said.
    fn drop(&mut self) {
        let _ = self.out.flush();
        self.say_counts();
    }
}

impl Printer {
    pub fn new(
        out: Output,
        form: Form,
        query: Query,
        limit: Option<u64>,
        (clock, zone): (Clock, i32),
    ) -> Self {
        Self {
            out,
            form,
            query,
            left: limit,
            clock,
            zone,
            error: None,
            features: HashMap::new(),
            names: HashMap::new(),
            n_oversized: 0,
            n_compacted: 0,
            n_no_json: 0,
        }
    }

    /// Prints one event; an error is kept for [`Printer::check`].
    pub fn frame(&mut self, frame: &Frame<'_>) {
        if self.error.is_some() || self.left == Some(0) {
            return;
        }
        match self.print(frame) {
            Ok(true) => self.left = self.left.map(|left| left - 1),
            Ok(false) => {}
            Err(error) => self.error = Some(error),
        }
    }

    /// Whether the limit is reached; the error, if one came up.
    pub fn check(&mut self) -> Result<bool, Stop> {
        ended(self.error.take().map_or(Ok(()), Err))?;
        Ok(self.left == Some(0))
    }

    pub fn flush(&mut self) -> Result<(), Stop> {
        ended(self.out.flush())
    }

    /// Says on stderr what was not printed as it came.
    fn say_counts(&self) {
        if self.n_compacted > 0 {
            note(&format!(
                "{} compacted because of line breaks",
                were(self.n_compacted)
            ));
        }
        if self.n_no_json > 0 {
            note(&format!("{} no JSON", were(self.n_no_json)));
        }
        if self.n_oversized > 0 {
            note(&format!(
                "{} too large, and skipped",
                were(self.n_oversized)
            ));
        }
    }

    fn print(&mut self, frame: &Frame<'_>) -> io::Result<bool> {
        match self.form {
            Form::Frames => {
                let text = frame.text();
                let line = json!({"event": frame.event, "data": text, "id": frame.id});
                self.out.line(&line.to_string())?;
                Ok(true)
            }
            Form::Data if self.query.is_empty() => self.data(frame.data),
            Form::Data => {
                let mut is_wanted = false;
                let _ = events::decode(frame, |kind| {
                    is_wanted |= matches!(&kind, ChangeKind::Event(event) if self.query.matches(&EventSubject(event)));
                });
                if is_wanted {
                    self.data(frame.data)
                } else {
                    Ok(false)
                }
            }
            Form::Readable => self.readable(frame),
        }
    }

    /// The data as it came, if it is JSON on one line.
    fn data(&mut self, data: &[u8]) -> io::Result<bool> {
        if !self.out.is_terminal && events::is_documented(data) {
            self.out.raw_line(data)?;
            return Ok(true);
        }
        if serde_json::from_slice::<IgnoredAny>(data).is_err() {
            self.n_no_json += 1;
            note(&format!("no JSON: {}", String::from_utf8_lossy(data)));
            return Ok(true);
        }
        let compacted;
        let mut data = data;
        if memchr::memchr(b'\n', data).is_some() {
            self.n_compacted += 1;
            compacted = compact(data);
            data = &compacted;
        }
        if self.out.is_terminal {
            self.out.line(&String::from_utf8_lossy(data))?;
        } else if std::str::from_utf8(data).is_ok() {
            self.out.raw_line(data)?;
        } else {
            self.out.line(&String::from_utf8_lossy(data))?;
        }
        Ok(true)
    }

    fn readable(&mut self, frame: &Frame<'_>) -> io::Result<bool> {
        let mut kinds = Vec::new();
        if let Err(why) = events::decode(frame, |kind| kinds.push(kind)) {
            note(&format!("{why}: {}", frame.text()));
            return Ok(false);
        }
        let mut has_printed = false;
        for kind in kinds {
            match kind {
                ChangeKind::AssetNamed { asset, name } => self.name(asset, name),
                ChangeKind::Event(event) if self.query.matches(&EventSubject(&event)) => {
                    has_printed = true;
                    self.event(&event, "")?;
                }
                ChangeKind::Event(Event {
                    task: Some(task), ..
                }) => {
                    self.changed(&task);
                }
                _ => {}
            }
        }
        Ok(has_printed)
    }

    /// Prints an event that was found by polling, marked as such.
    pub fn polled(&mut self, event: &Event, envelope: &serde_json::Value) -> Result<(), Stop> {
        if !self.query.matches(&EventSubject(event)) || self.left == Some(0) {
            return Ok(());
        }
        self.left = self.left.map(|left| left - 1);
        let text = envelope.to_string();
        ended(match self.form {
            Form::Data => self.out.line(&text),
            Form::Frames => {
                let frame =
                    json!({"event": event.kind.name(), "data": text, "id": "", "source": "poll"});
                self.out.line(&frame.to_string())
            }
            Form::Readable => self.event(event, "(polled) "),
        })
    }

    fn event(&mut self, event: &Event, mark: &str) -> io::Result<()> {
        let time = event
            .published
            .map(|time| time.day_clock(self.clock.now().wall, self.zone))
            .unwrap_or_default();
        let kind = visible(event.kind.name()).into_owned();
        let mut line = format!("{time:8}  ");
        let tone = match event.kind {
            EventType::TaskFailed => "31",
            EventType::TaskCompleted => "32",
            _ => "0",
        };
        let padded = format!("{kind:<16}");
        if self.out.has_color && tone != "0" {
            let _ = write!(line, "\u{1b}[{tone}m{padded}\u{1b}[0m  ");
        } else {
            let _ = write!(line, "{padded}  ");
        }
        line.push_str(mark);
        if let Some(task) = &event.task {
            let changed = self.changed(task);
            let name = event
                .asset_name
                .as_ref()
                .or_else(|| self.names.get(&task.asset));
            let name = name.map_or_else(|| task.asset.short(13), ToString::to_string);
            let _ = write!(
                line,
                "{}  {}  {}",
                visible(&task.task.short(13)),
                visible(&name),
                visible(&changed)
            );
        } else {
            line.push_str(&visible(&event.id.short(13)));
        }
        self.out.styled(line.trim_end())
    }

    /// What differs from the task's last sight: `visual processing → failed`.
    fn changed(&mut self, task: &Observation) -> String {
        if self.features.len() >= MAX_REMEMBERED {
            self.features.clear();
        }
        let before = self
            .features
            .insert(task.task.clone(), task.features.clone());
        let tally = task.features.tally();
        let ready = format!("{} of {}", tally.ready, tally.wanted);
        let Some(before) = before else {
            let states: Vec<String> = task
                .features
                .iter()
                .map(|(feature, state)| format!("{}:{state}", feature.name()))
                .collect();
            return format!("{ready}  {}", states.join(" "));
        };
        let changes: Vec<String> = task
            .features
            .iter()
            .filter_map(|(feature, state)| match before.get(&feature) {
                Some(held) if held == state => None,
                Some(held) => Some(format!("{} {held} → {state}", feature.name())),
                None => Some(format!("{} {state}", feature.name())),
            })
            .collect();
        if changes.is_empty() {
            return format!("{ready}  nothing new");
        }
        format!("{ready}  {}", changes.join(", "))
    }

    fn name(&mut self, asset: AssetId, name: Arc<str>) {
        if self.names.len() >= MAX_REMEMBERED {
            self.names.clear();
        }
        self.names.insert(asset, name);
    }
}

/// JSON without the white space between its tokens; the tokens stay as they came.
fn compact(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for &byte in json {
        if in_string {
            in_string = byte != b'"' || is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
        } else if byte == b'"' {
            in_string = true;
        } else if byte.is_ascii_whitespace() {
            continue;
        }
        out.push(byte);
    }
    out
}

fn were(n: u64) -> String {
    plural(n, "event was", "events were")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compacting_keeps_every_token_as_it_came() {
        let json = b"{\n \"a\" : 12345678901234567890.10,\n\"b\\\" \\\\\": [ 1,\r\n\t2 ], \"a\": \"x y\" }";
        let expected = b"{\"a\":12345678901234567890.10,\"b\\\" \\\\\":[1,2],\"a\":\"x y\"}";
        assert_eq!(compact(json), expected);
    }
}
