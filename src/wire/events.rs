//! Frames of the event stream read as changes: quickly in the documented form, patiently in any
//! other (reference: aspect-api.md parts 3 and 6).

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::fields;
use super::lenient::{excerpt, time};
use super::shape::Shape;
use super::sse::Frame;
use super::task::{IdText, TaskBody, TimeText, id_text, lenient_task};
use crate::domain::{
    AssetId, ChangeKind, Event, EventId, EventType, Example, Id, Observation, Unreadable, UserId,
    WordKind, WordSeen,
};

/// What a frame was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// It gave this many changes.
    Changes(usize),
    /// A heartbeat or greeting: a sign of life and nothing more.
    Liveness,
}

/// Names of frames that are a sign of life if they carry nothing that can be used.
const GREETINGS: [&str; 8] = [
    "ping",
    "heartbeat",
    "keepalive",
    "keep-alive",
    "connected",
    "connection",
    "open",
    "ready",
];
/// Deepest nesting of wrappers that is looked into.
const MAX_WRAPPERS: usize = 4;
/// Most events taken from one frame that carries an array.
const MAX_IN_ONE_FRAME: usize = 10_000;

/// The documented envelope.
#[derive(Deserialize)]
struct EnvelopeBody<'a> {
    timestamp: Option<TimeText>,
    user_id: Option<IdText>,
    event_id: IdText,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    data: Option<DataBody<'a>>,
}

#[derive(Deserialize)]
struct DataBody<'a> {
    task: Option<TaskBody>,
    #[serde(borrow)]
    asset: Option<AssetBody<'a>>,
}

#[derive(Deserialize)]
struct AssetBody<'a> {
    id: IdText,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

/// Reads a frame and gives what it tells to `sink`: its events, and a note for each part that
/// could not be read. An error says why none of it can.
pub fn decode(frame: &Frame<'_>, sink: impl FnMut(ChangeKind)) -> Result<Read, String> {
    decode_within(frame, Shape::default(), sink)
}

/// The same within bounds that are configured. A frame beyond them is not read.
pub fn decode_within(
    frame: &Frame<'_>,
    shape: Shape,
    mut sink: impl FnMut(ChangeKind),
) -> Result<Read, String> {
    // The quick scan holds nothing but what an event keeps, and each value takes a byte at least.
    let is_small = frame.data.len() < shape.values;
    if is_small && let Some(event) = super::envelope::scan(frame.data) {
        sink(ChangeKind::Event(event));
        return Ok(Read::Changes(1));
    }
    shape
        .check(frame.data)
        .map_err(|beyond| beyond.to_string())?;
    if let Some(Documented {
        event,
        named,
        has_more,
    }) = documented_by_serde(frame.data)
    {
        let n_changes = 1 + usize::from(named.is_some());
        if has_more {
            tell_new_fields(&event.id, frame.data, &mut sink);
        }
        if let Some(named) = named {
            sink(named);
        }
        sink(ChangeKind::Event(event));
        return Ok(Read::Changes(n_changes));
    }
    let text = frame.text();
    let value: Value = match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(_) if GREETINGS.contains(&frame.event) || text.trim().is_empty() => {
            return Ok(Read::Liveness);
        }
        Err(error) => return Err(format!("no JSON: {error}")),
    };
    let mut found = Found::default();
    found.gather(&value, frame, 0);
    if found.events.is_empty() {
        let name = value
            .get("event_type")
            .or_else(|| value.get("type"))
            .and_then(Value::as_str);
        if GREETINGS.contains(&name.unwrap_or(frame.event)) {
            return Ok(Read::Liveness);
        }
        return Err("JSON, but no event that we know how to read".to_owned());
    }
    let n_changes = found.events.len();
    let digest = digest_of(frame);
    // An id or a state with U+FFFD in it would make a task that is none.
    let is_damaged = matches!(text, Cow::Owned(_));
    let mut n_damaged = 0;
    if !is_damaged && let Some((event, _)) = found.events.first() {
        tell_new_fields(&event.id, frame.data, &mut sink);
    }
    for (at, (mut event, has_id)) in found.events.into_iter().enumerate() {
        if !has_id {
            event.id = derived_id(frame, digest, n_changes, at);
            if let Some(task) = &mut event.task {
                task.event = Some(event.id.clone());
            }
        }
        if is_damaged && event.task.take().is_some() {
            n_damaged += 1;
        }
        sink(ChangeKind::Event(event));
    }
    for (why, count) in [
        (
            "an event with bytes that are no UTF-8, whose task is not believed",
            n_damaged,
        ),
        ("more events in one frame than are read", found.n_beyond),
        ("an item of a frame that is no event", found.n_strange),
        ("an event whose task cannot be read", found.n_taskless),
    ] {
        if count > 0 {
            let excerpt = excerpt(frame.data);
            let why = format!("{why} ({count})");
            sink(ChangeKind::Unreadable(Box::new(Unreadable {
                count: count as u64,
                ..Unreadable::new("stream", why, excerpt)
            })));
        }
    }
    Ok(Read::Changes(n_changes))
}

/// Whether the data is an envelope in the documented form: JSON in plain ASCII on one line.
pub fn is_documented(data: &[u8]) -> bool {
    super::envelope::scan(data).is_some()
}

/// Tells the fields that are new to us, before the event that has them.
fn tell_new_fields(event: &EventId, data: &[u8], sink: &mut impl FnMut(ChangeKind)) {
    for field in fields::new_in_event(data) {
        sink(ChangeKind::NewWord(Box::new(WordSeen {
            kind: WordKind::Field,
            word: field.into(),
            count: 1,
            example: Example::new(format!("event {event}"), data),
        })));
    }
}

/// An envelope that has all that is documented.
struct Documented {
    event: Event,
    /// The name of the asset that it tells.
    named: Option<ChangeKind>,
    /// Whether it has fields beside those that were read.
    has_more: bool,
}

fn documented_by_serde(data: &[u8]) -> Option<Documented> {
    let mut has_more = false;
    let mut from = serde_json::Deserializer::from_slice(data);
    let body: EnvelopeBody<'_> = serde_ignored::deserialize(&mut from, |_| has_more = true).ok()?;
    from.end().ok()?;
    if body.event_id.0 == Id::Text("".into()) {
        return None;
    }
    let id = EventId(body.event_id.0);
    let published = body.timestamp.and_then(|time| time.0);
    let data = body.data?;
    let mut task = None;
    if let Some(body) = data.task {
        task = Some(Observation {
            published,
            event: Some(id.clone()),
            ..body.into_observation()?
        });
    }
    let named = data.asset.and_then(|asset| {
        let name: Arc<str> = asset.name?.as_ref().into();
        Some(ChangeKind::AssetNamed {
            asset: AssetId(asset.id.0),
            name,
        })
    });
    let event = Event {
        id,
        kind: EventType::new(&body.event_type),
        published,
        user: body.user_id.map(|user| UserId(user.0)),
        task,
        asset_name: None,
    };
    Some(Documented {
        event,
        named,
        has_more,
    })
}

/// What a frame holds, and how much of it was passed over.
#[derive(Default)]
struct Found {
    /// Each with whether it has an id of its own.
    events: Vec<(Event, bool)>,
    n_beyond: usize,
    n_strange: usize,
    n_taskless: usize,
}

impl Found {
    /// Finds the events in a value: an envelope, a bare task, either of them wrapped, an array of
    /// these, or JSON in a string.
    fn gather(&mut self, value: &Value, frame: &Frame<'_>, depth: usize) {
        if depth > MAX_WRAPPERS {
            return;
        }
        if self.events.len() >= MAX_IN_ONE_FRAME {
            self.n_beyond += 1;
            return;
        }
        match value {
            Value::Array(items) => {
                for item in items {
                    let n_before = self.events.len() + self.n_beyond;
                    self.gather(item, frame, depth + 1);
                    self.n_strange += usize::from(self.events.len() + self.n_beyond == n_before);
                }
            }
            Value::String(text) => {
                if let Ok(inner) = serde_json::from_str::<Value>(text)
                    && !inner.is_string()
                {
                    self.gather(&inner, frame, depth + 1);
                }
            }
            Value::Object(_) => {
                if let Some((event, has_id)) = lenient_event(value, frame) {
                    let tells_of_task = value.pointer("/data/task").or_else(|| value.get("task"));
                    let is_taskless =
                        event.task.is_none() && tells_of_task.is_some_and(|task| !task.is_null());
                    self.n_taskless += usize::from(is_taskless);
                    self.events.push((event, has_id));
                } else {
                    let names = ["event", "payload", "message", "data"];
                    for inner in names.iter().filter_map(|name| value.get(*name)) {
                        self.gather(inner, frame, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }
}

fn lenient_event(value: &Value, frame: &Frame<'_>) -> Option<(Event, bool)> {
    let field = |names: &[&str]| names.iter().find_map(|name| value.get(*name));
    let id = field(&["event_id", "eventId"])
        .and_then(id_text)
        .filter(|id| !id.is_empty());
    let kind = field(&["event_type", "eventType"]).and_then(Value::as_str);
    let data = value.get("data").filter(|data| data.is_object());
    let task = lenient_task(value)
        .or_else(|| value.get("task").and_then(lenient_task))
        .or_else(|| data.and_then(|data| data.get("task").and_then(lenient_task)))
        .or_else(|| data.and_then(lenient_task));
    if task.is_none() && kind.is_none() && !(id.is_some() && data.is_some()) {
        return None;
    }
    let named = (frame.event != "message").then_some(frame.event);
    let kind = kind
        .or(named)
        .or_else(|| value.get("type").and_then(Value::as_str));
    let published = field(&["timestamp", "time", "created_at", "createdAt"]).and_then(time);
    let has_id = id.is_some();
    let id = EventId::new(&id.unwrap_or_default());
    let task = task.map(|task| Observation {
        published,
        event: has_id.then(|| id.clone()),
        ..task
    });
    let kind = EventType::new(kind.unwrap_or(if task.is_some() {
        "task.progress"
    } else {
        "message"
    }));
    let user = field(&["user_id", "userId"])
        .and_then(id_text)
        .map(|user| UserId::new(&user));
    Some((
        Event {
            id,
            kind,
            published,
            user,
            task,
            asset_name: None,
        },
        has_id,
    ))
}

/// The id of an event that has none: the frame's own, else a digest of the data, so that a repeated
/// frame is seen as such. An id that the frame only inherited would make all events one.
fn derived_id(frame: &Frame<'_>, digest: u128, of: usize, at: usize) -> EventId {
    if of == 1 && frame.has_id && !frame.id.is_empty() {
        return EventId::new(frame.id);
    }
    EventId(Id::new(&format!("digest-{:032x}", mix(digest, at as u64))))
}

fn digest_of(frame: &Frame<'_>) -> u128 {
    let own_id = if frame.has_id { frame.id } else { "" };
    let bytes = own_id
        .bytes()
        .chain([0xff])
        .chain(frame.data.iter().copied());
    bytes.fold(
        0x6c62_272e_07bb_0142_62b8_2175_6295_c58d,
        |hash: u128, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        },
    )
}

fn mix(digest: u128, at: u64) -> u128 {
    (digest ^ u128::from(at)).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::domain::{Feature, FeatureState, TaskState};

    const TASK: &str = r#"{"id":"2e1c7e42-0f3a-4b6d-9c55-01a2b3c4d5e6","asset_id":"c4b6b5f1-0f3a-4b6d-9c55-01a2b3c4d5e6","features":{"visual":{"state":"failed"},"captions":{"state":"queued"}},"user_id":"u1","created":"2026-11-22T14:00:00Z","updated":"2026-11-22T14:02:25.5Z"}"#;

    fn read(event: &str, data: &str) -> (Result<Read, String>, Vec<ChangeKind>) {
        let mut changes = Vec::new();
        let result = decode(
            &Frame {
                event,
                data: data.as_bytes(),
                id: "frame-1",
                has_id: true,
            },
            |change| changes.push(change),
        );
        (result, changes)
    }

    fn event(event: &str, data: &str) -> Event {
        match read(event, data).1.pop() {
            Some(ChangeKind::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    fn envelope() -> String {
        format!(
            r#"{{"timestamp":"2026-11-22T14:02:26Z","user_id":"u1","event_id":"e1","event_type":"task.failed","data":{{"task":{TASK}}}}}"#
        )
    }

    #[test]
    fn the_documented_envelope() {
        let event = event("task.failed", &envelope());
        assert_eq!(event.id, EventId::new("e1"));
        assert_eq!(event.kind, EventType::TaskFailed);
        let task = event.task.unwrap();
        assert_eq!(task.state(), TaskState::Failed);
        assert_eq!(task.event, Some(EventId::new("e1")));
        assert_eq!(
            task.features.get(&Feature::new("captions")),
            Some(FeatureState::Queued)
        );
    }

    #[test]
    fn fields_are_told_as_new_where_they_are_and_only_there() {
        // Another order of keys, so that serde reads it and not the quick scan.
        let whole = r#"{"event_id":"e1","event_type":"task.failed","timestamp":"2026-11-22T14:02:26Z","data":{"asset":{"id":"a","name":"n"},"task":TASK}}"#
            .replace("TASK", TASK);
        let told = |data: &str| -> Vec<String> {
            let changes = read("task.failed", data).1;
            assert!(
                matches!(changes.last(), Some(ChangeKind::Event(_))),
                "{data}"
            );
            let words = changes.into_iter().filter_map(|change| match change {
                ChangeKind::NewWord(seen) => Some(seen.word.to_string()),
                _ => None,
            });
            words.collect()
        };
        for (before, after, expected) in [
            ("", "", &[][..]),
            (
                r#"{"event_id""#,
                r#"{"trace":{"a":[1]},"event_id""#,
                &["trace"],
            ),
            (r#"{"asset""#, r#"{"folder":null,"asset""#, &["data.folder"]),
            (
                r#""asset_id""#,
                r#""priority":3,"asset_id""#,
                &["task.priority"],
            ),
            (
                r#""failed"}"#,
                r#""failed","eta":7}"#,
                &["task.features.*.eta"],
            ),
            // Known by another name, or of what is not listed.
            (r#"{"event_id""#, r#"{"version":1,"event_id""#, &[]),
            (r#""failed"}"#, r#""failed","storage_variant":"hls"}"#, &[]),
            (r#""name":"n""#, r#""name":"n","size":1"#, &[]),
        ] {
            let data = whole.replace(before, after);
            let data = if before.is_empty() { &whole } else { &data };
            assert_eq!(told(data), expected, "{data}");
        }
    }

    #[test]
    fn the_quick_scan_takes_the_documented_form_and_agrees_with_serde() {
        let whole = envelope().replace("captions", "preview");
        assert!(super::super::envelope::scan(whole.as_bytes()).is_some());
        let mut n_taken = 0;
        let mut agree = |text: &[u8]| {
            if let Some(event) = super::super::envelope::scan(text) {
                n_taken += 1;
                let by_serde = documented_by_serde(text).map(|found| found.event);
                assert_eq!(Some(event), by_serde, "{}", String::from_utf8_lossy(text));
            }
        };
        // Every byte replaced by every other, every byte left out, every byte doubled.
        for at in 0..whole.len() {
            for byte in 0..=255 {
                let mut changed = whole.clone().into_bytes();
                changed[at] = byte;
                agree(&changed);
            }
            let mut shorter = whole.clone().into_bytes();
            let byte = shorter.remove(at);
            agree(&shorter);
            shorter.insert(at, byte);
            shorter.insert(at, byte);
            agree(&shorter);
        }
        assert!(n_taken > 1000, "{n_taken}");
    }

    #[test]
    fn the_bounds_hold_for_fields_that_nobody_reads() {
        let shape = Shape {
            depth: 8,
            values: 1000,
        };
        let told = |data: &str| {
            let frame = Frame {
                event: "message",
                data: data.as_bytes(),
                id: "",
                has_id: false,
            };
            decode_within(&frame, shape, |_| ())
        };
        let with = |extra: &str| envelope().replacen('{', &format!(r#"{{"extra":{extra},"#), 1);
        assert_eq!(told(&with("[[[1]]]")), Ok(Read::Changes(1)));
        let deep = format!("{}{}", "[".repeat(8), "]".repeat(8));
        assert!(told(&with(&deep)).is_err_and(|why| why.contains("deeper")));
        let many = format!("[{}1]", "1,".repeat(1000));
        assert!(told(&with(&many)).is_err_and(|why| why.contains("more than 1000")));
        let feature = r#""visual":{"state":"failed"},"#;
        let known = envelope().replace("captions", "preview");
        let many = known.replace(feature, &feature.repeat(1001));
        assert!(told(&many).is_err_and(|why| why.contains("more than 1000")));
    }

    #[test]
    fn every_other_form_gives_the_same_task() {
        let same = event("task.failed", &envelope()).task.unwrap();
        let camel = envelope()
            .replace("event_id", "eventId")
            .replace("event_type", "eventType")
            .replace("asset_id", "assetId")
            .replace("user_id", "userId");
        let quoted = serde_json::to_string(&envelope()).unwrap();
        for form in [
            camel,
            quoted,
            format!("[{}]", envelope()),
            format!(r#"{{"event":{}}}"#, envelope()),
            format!(r#"{{"payload":{}}}"#, envelope()),
            envelope().replacen('{', r#"{"unknown":[1,{"a":2}],"#, 1),
        ] {
            let task = event("message", &form).task.unwrap();
            assert_eq!(task, same, "{form}");
        }
        for bare in [TASK.to_owned(), format!(r#"{{"task":{TASK}}}"#)] {
            let event = event("message", &bare);
            assert_eq!(
                (event.id, event.kind),
                (EventId::new("frame-1"), EventType::TaskProgress)
            );
            assert_eq!(event.task.unwrap().features, same.features);
        }
    }

    #[test]
    fn a_byte_that_is_no_utf8_never_makes_another_task_of_it() {
        let same = event("task.failed", &envelope()).task.unwrap();
        let mut n_told = 0;
        for form in [envelope(), format!("[{}]", envelope()), TASK.to_owned()] {
            for at in 0..form.len() {
                let mut data = form.clone().into_bytes();
                data[at] = 0xff;
                let frame = Frame {
                    event: "message",
                    data: &data,
                    id: "",
                    has_id: false,
                };
                let outcome = decode(&frame, |change| match change {
                    ChangeKind::Event(Event {
                        task: Some(task), ..
                    }) => {
                        let task = Observation {
                            published: same.published,
                            event: same.event.clone(),
                            ..task
                        };
                        assert_eq!(task, same, "{}", frame.text());
                    }
                    ChangeKind::Unreadable(_) => n_told += 1,
                    _ => {}
                });
                n_told += usize::from(outcome.is_err());
            }
        }
        assert!(n_told > 900, "{n_told}");
    }

    #[test]
    fn unknown_types_survive_and_heartbeats_are_no_events() {
        assert_eq!(
            event(
                "x",
                r#"{"event_id":"9","event_type":"index.grown","data":{"n":1}}"#
            )
            .kind,
            EventType::new("index.grown")
        );
        assert_eq!(read("ping", "").0, Ok(Read::Liveness));
        assert_eq!(read("message", r#"{"type":"ping"}"#).0, Ok(Read::Liveness));
        assert!(read("message", "hello").0.is_err());
        assert!(read("message", r#"{"a":1}"#).0.is_err());
    }

    #[test]
    fn an_inherited_id_does_not_make_two_events_one() {
        let ids = [TASK.to_owned(), TASK.replace("failed", "completed")].map(|task| {
            let mut ids = Vec::new();
            let frame = Frame {
                event: "message",
                data: task.as_bytes(),
                id: "hello",
                has_id: false,
            };
            decode(&frame, |change| ids.push(change)).unwrap();
            match ids.pop() {
                Some(ChangeKind::Event(event)) => event.id,
                other => panic!("{other:?}"),
            }
        });
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn what_is_passed_over_is_said() {
        let reasons = |data: &str| -> Vec<String> {
            let changes = read("message", data).1.into_iter();
            changes
                .filter_map(|change| match change {
                    ChangeKind::Unreadable(what) => Some(what.why),
                    _ => None,
                })
                .collect()
        };
        let many = vec![envelope(); 10_002].join(",");
        assert_eq!(
            reasons(&format!("[{many}]")),
            ["more events in one frame than are read (2)"]
        );
        assert_eq!(
            reasons(&format!(r#"[{},{{"a":1}}]"#, envelope())),
            ["an item of a frame that is no event (1)"]
        );
        assert_eq!(
            reasons(
                &envelope()
                    .replace("created", "made")
                    .replace("updated", "at")
            ),
            ["an event whose task cannot be read (1)"]
        );
    }

    #[test]
    fn asset_events_tell_names() {
        let (result, changes) = read(
            "asset.created",
            r#"{"event_id":"9","event_type":"asset.created","data":{"asset":{"id":"a","name":"x.mp4"}}}"#,
        );
        assert_eq!(result, Ok(Read::Changes(2)));
        assert_eq!(
            changes[0],
            ChangeKind::AssetNamed {
                asset: AssetId::new("a"),
                name: "x.mp4".into()
            }
        );
    }

    #[test]
    fn an_array_without_ids_gives_each_event_its_own() {
        let (_, changes) = read("message", &format!("[{TASK},{TASK}]"));
        let ids: Vec<&EventId> = changes
            .iter()
            .map(|change| match change {
                ChangeKind::Event(event) => &event.id,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(ids.len(), 2);
        assert_ne!(ids[0], ids[1]);
    }
}
