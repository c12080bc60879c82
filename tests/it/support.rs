//! A small world told in changes, and pictures of what the dashboard makes of it.

use std::fmt::Write;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use reeltop::app::keymap::Keymap;
use reeltop::app::{Effect, Msg, Session, State, update};
use reeltop::domain::{
    Abilities, Ability, AssetId, Attempt, AttemptId, AttemptStatus, Bounds, Change, ChangeKind,
    Endpoint, EndpointId, Event, EventId, EventType, Feature, FeatureState, Features, LinkState,
    LogReach, Message, MessageId, Moment, Observation, Origin, Payload, TaskId, Time, Trigger,
    UserId,
};
use reeltop::view::theme::{Theme, ThemeName};

/// The moment at which the world is looked at.
pub const NOW: &str = "2026-11-22T14:02:37Z";

pub fn now() -> Time {
    Time::parse(NOW).unwrap()
}

/// So many seconds before now, on both clocks.
pub fn before(seconds: i64) -> Moment {
    Moment {
        wall: now().plus(-seconds * 1_000_000),
        mono: (100_000 - seconds) * 1_000_000,
    }
}

/// A dashboard that has heard nothing yet.
pub fn fresh() -> State {
    let session = Session {
        source_name: "embedded server".into(),
        is_demo: true,
        is_read_only: false,
        bounds: Bounds::default(),
        utc_offset: 0,
        key_origin: "ASPECT_API_KEY".into(),
        base_url: "https://api.example.com".into(),
        deliveries_from: None,
        is_svix_alone: false,
        longest_pause: 300_000_000,
        listening: None,
    };
    let mut state = State::new(session, Keymap::embedded().unwrap());
    update(&mut state, Msg::Tick(before(0)));
    state
}

/// A change that was received so many seconds ago.
pub fn change(seconds: i64, kind: ChangeKind) -> Change {
    let origin = match kind {
        ChangeKind::Event(_) => Origin::Stream,
        _ => Origin::Poll,
    };
    Change {
        seq: 0,
        received: before(seconds),
        origin,
        raw: None,
        kind,
    }
}

pub fn uuid(kind: u8, n: usize) -> String {
    format!("{kind:02x}1c7e42-0f3a-4b6d-9c55-{n:012x}")
}

pub fn task_id(n: usize) -> TaskId {
    TaskId::new(&uuid(0x2e, n))
}

/// A task as it was seen so many seconds ago, created so many seconds ago.
pub fn seen(n: usize, created: i64, ago: i64, features: &[(&str, &str)]) -> Observation {
    let mut all = Features::default();
    for (name, state) in features {
        all.set(Feature::new(name), FeatureState::new(state));
    }
    Observation {
        task: task_id(n),
        asset: AssetId::new(&uuid(0xc4, n)),
        user: UserId::new(&uuid(0xaa, 1)),
        features: all,
        created: before(created).wall,
        updated: before(ago).wall,
        published: Some(before(ago).wall),
        event: None,
    }
}

/// An event about a task.
pub fn event(id: usize, kind: &str, seen: Observation, name: &str, ago: i64) -> Change {
    let raw = format!(
        "{{\"event_type\":\"{kind}\",\"data\":{{\"task\":{{\"id\":\"{}\"}}}}}}",
        seen.task
    );
    let kind = ChangeKind::Event(Event {
        id: EventId::new(&uuid(0xee, id)),
        kind: EventType::new(kind),
        published: seen.published,
        user: Some(seen.user.clone()),
        task: Some(seen),
        asset_name: (!name.is_empty()).then(|| name.into()),
    });
    Change {
        raw: Some(raw.into_bytes().into()),
        ..change(ago, kind)
    }
}

pub fn endpoint(id: &str, name: &str, url: &str, disabled: bool) -> Change {
    change(
        300,
        ChangeKind::Endpoint(Box::new(Endpoint {
            id: EndpointId::new(id),
            url: url.into(),
            description: name.into(),
            event_types: Some(
                [
                    EventType::TaskCompleted,
                    EventType::TaskFailed,
                    EventType::TaskProgress,
                ]
                .into(),
            ),
            rate_limit: Some(120),
            disabled,
            created: Some(before(3600).wall),
            updated: None,
            is_inferred: false,
        })),
    )
}

pub fn message(id: &str, event: usize, kind: &str, task: usize, ago: i64, payload: &str) -> Change {
    change(
        ago,
        ChangeKind::Message(Box::new(Message {
            id: MessageId::new(id),
            event: Some(EventId::new(&uuid(0xee, event))),
            kind: EventType::new(kind),
            accepted: before(ago).wall,
            task: Some(task_id(task)),
            payload: Payload::Json(payload.into()),
        })),
    )
}

/// An attempt: id, message, endpoint, seconds ago, code, answer, whether someone's hand caused it.
pub fn attempt(
    id: &str,
    message: &str,
    endpoint: &str,
    ago: i64,
    (code, answer): (u16, &str),
    is_manual: bool,
) -> Change {
    let status = if (200..300).contains(&code) {
        AttemptStatus::Success
    } else {
        AttemptStatus::Fail
    };
    change(
        ago,
        ChangeKind::Attempt(Box::new(Attempt {
            id: AttemptId::new(id),
            message: MessageId::new(message),
            endpoint: EndpointId::new(endpoint),
            url: "https://example.com/hooks".into(),
            started: before(ago).wall,
            status,
            code,
            duration_ms: Some(12),
            response: answer.into(),
            trigger: if is_manual {
                Trigger::Manual
            } else {
                Trigger::Scheduled
            },
        })),
    )
}

/// What the server offers.
pub fn abilities() -> Change {
    let offered = |route: &str| Ability::Offered(route.into());
    change(
        300,
        ChangeKind::Abilities(Box::new(Abilities {
            stream: offered("/events"),
            resend: offered("/webhooks/messages/{message_id}/resend"),
            endpoint_list: offered("/webhooks/endpoints"),
            messages: offered("/webhooks/messages"),
            attempts: offered("/webhooks/delivery-attempts"),
            ..Abilities::default()
        })),
    )
}

pub const PAYLOAD: &str = r#"{"timestamp":"2026-11-22T14:02:25Z","event_type":"task.failed","data":{"task":{"id":"2e1c7e42","size":12345678901234567890123,"features":{"visual":{"state":"failed"},"proxy":{"state":"completed"}}}}}"#;

/// The log of an endpoint's attempts was read back to so many seconds ago, or to its beginning.
pub fn read_from(endpoint: &str, ago: Option<i64>) -> Change {
    let from = ago.map(|ago| before(ago).wall);
    let endpoint = EndpointId::new(endpoint);
    change(0, ChangeKind::AttemptsFrom { endpoint, from })
}

/// The log of messages was read back to so many seconds ago, or to its beginning.
pub fn messages_read(ago: Option<i64>) -> Change {
    let reach = ago.map_or(LogReach::Whole, |ago| LogReach::From(before(ago).wall));
    change(0, ChangeKind::MessagesRead(reach))
}

/// The whole world, as it came.
pub fn world() -> Vec<Change> {
    let all = |proxy, preview, visual, transcription| {
        [
            ("proxy", proxy),
            ("preview", preview),
            ("visual", visual),
            ("transcription", transcription),
        ]
    };
    let (q, p, c, f, na) = ("queued", "processing", "completed", "failed", "na");
    let mut changes = vec![
        abilities(),
        change(300, ChangeKind::Link(Box::new(LinkState::Live))),
        endpoint("ep_prod", "prod", "https://example.com/hooks", false),
        endpoint(
            "ep_staging",
            "staging",
            "http://127.0.0.1:41233/flaky",
            false,
        ),
        endpoint("ep_legacy", "legacy", "https://old.example.com/", true),
        read_from("ep_prod", None),
        read_from("ep_staging", None),
        read_from("ep_legacy", None),
        messages_read(None),
    ];
    let keynote = "keynote-2026-final.mp4";
    for (id, kind, ago, states) in [
        (1, "task.progress", 252, all(q, q, q, q)),
        (2, "task.progress", 230, all(p, q, q, p)),
        (3, "task.progress", 211, all(c, p, p, p)),
        (4, "task.progress", 190, all(c, c, p, p)),
        (5, "task.failed", 12, all(c, c, f, p)),
    ] {
        changes.push(event(id, kind, seen(1, 252, ago, &states), keynote, ago));
    }
    for (n, name, created, ago, kind, states) in [
        (
            2,
            "interview_raw_04.mov",
            38,
            2,
            "task.progress",
            all(c, p, q, q),
        ),
        (
            3,
            "drone-coast-4k.mp4",
            66,
            31,
            "task.progress",
            all(c, c, p, na),
        ),
        (
            4,
            "podcast-ep-112.wav",
            160,
            9,
            "task.completed",
            all(na, c, na, c),
        ),
        (
            5,
            "名前のファイル-market.mp4",
            3,
            3,
            "task.progress",
            all(q, q, q, q),
        ),
        (
            6,
            "\u{1b}[31mevil\u{202e}.mp4",
            500,
            400,
            "task.progress",
            all(c, c, "paused", c),
        ),
    ] {
        changes.push(event(
            10 + n,
            kind,
            seen(n, created, ago, &states),
            name,
            ago,
        ));
    }
    changes.extend(webhooks());
    changes
}

/// The webhooks of the world: one failing at staging, one delivered everywhere.
fn webhooks() -> [Change; 7] {
    [
        message("msg_failed", 5, "task.failed", 1, 12, PAYLOAD),
        attempt("atmpt_1", "msg_failed", "ep_prod", 11, (204, ""), false),
        attempt(
            "atmpt_2",
            "msg_failed",
            "ep_staging",
            11,
            (500, "upstream reset"),
            false,
        ),
        attempt(
            "atmpt_3",
            "msg_failed",
            "ep_staging",
            6,
            (500, "upstream reset"),
            false,
        ),
        message("msg_done", 14, "task.completed", 4, 9, "{}"),
        attempt("atmpt_4", "msg_done", "ep_prod", 8, (204, ""), false),
        attempt("atmpt_5", "msg_done", "ep_staging", 8, (200, "ok"), false),
    ]
}

/// A dashboard that has heard of the whole world.
pub fn told() -> State {
    let mut state = fresh();
    update(&mut state, Msg::Changed(world()));
    update(&mut state, Msg::Tick(before(0)));
    state
}

pub fn key(name: &str) -> KeyEvent {
    let (modifiers, rest) = match name.strip_prefix("ctrl-") {
        Some(rest) => (KeyModifiers::CONTROL, rest),
        None => (KeyModifiers::NONE, name),
    };
    let code = match rest {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "space" => KeyCode::Char(' '),
        "backspace" => KeyCode::Backspace,
        _ => KeyCode::Char(rest.chars().next().unwrap()),
    };
    KeyEvent::new(code, modifiers)
}

/// Presses keys, separated by spaces, and draws after each, as the loop does.
pub fn press(state: &mut State, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in keys.split_whitespace() {
        effects.extend(update(state, Msg::Key(key(name))));
        picture(state, 120, 36);
    }
    effects
}

/// Draws once, lets the state know what was drawn, and gives the buffer.
pub fn drawn(state: &mut State, width: u16, height: u16, theme: &Theme) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    let viewport = reeltop::view::draw(state, theme, &mut buffer);
    update(state, Msg::Drawn(viewport));
    buffer
}

/// The text of the screen.
pub fn picture(state: &mut State, width: u16, height: u16) -> String {
    let theme = Theme::embedded(ThemeName::Dark, false).unwrap();
    text_of(&drawn(state, width, height, &theme))
}

fn text_of(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

/// The text of the screen, and below each line a mark for each cell's style where it has one.
pub fn styled(state: &mut State, width: u16, height: u16) -> String {
    let theme = Theme::embedded(ThemeName::Dark, false).unwrap();
    let buffer = drawn(state, width, height, &theme);
    let text = text_of(&buffer);
    let mut both = String::new();
    for (y, line) in text.lines().enumerate() {
        let marks: String = (0..width).map(|x| mark(&buffer, x, y as u16)).collect();
        writeln!(both, "{line}").unwrap();
        if !marks.trim().is_empty() {
            writeln!(both, "{}", marks.trim_end()).unwrap();
        }
    }
    both
}

fn mark(buffer: &Buffer, x: u16, y: u16) -> char {
    let cell = &buffer[(x, y)];
    if cell.symbol().trim().is_empty() && cell.bg == Color::Reset {
        return ' ';
    }
    let letter = match (cell.fg, cell.bg) {
        (_, Color::Yellow) => 'l',
        (Color::Indexed(240 | 245), _) => '.',
        (Color::Cyan, _) => 'a',
        (Color::Green, _) => 'o',
        (Color::Yellow, _) => 'w',
        (Color::LightRed, _) => 'b',
        (Color::Indexed(75), _) => 'i',
        _ => ' ',
    };
    match (letter, cell.modifier.contains(Modifier::BOLD)) {
        (' ', true) => '*',
        (letter, true) => letter.to_ascii_uppercase(),
        (letter, false) => letter,
    }
}

/// A shared text.
pub fn shared(text: &str) -> Arc<str> {
    text.into()
}

/// How often something was committed to the ledger's file: `SQLite` counts it in the header.
pub fn commits(file: &std::path::Path) -> u32 {
    let bytes = std::fs::read(file).unwrap();
    u32::from_be_bytes(bytes[24..28].try_into().unwrap())
}
