//! An API in which a text of our choice stands wherever a server can put one, and texts that act on
//! terminals or deceive the eye.

use serde_json::{Value, json};

use crate::scripted::{Reply, answer, stream};

const CREATED: &str = "2026-11-22T14:00:00Z";

/// Texts that act on a terminal or deceive the eye, one kind each.
pub fn hostile_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        // Screen, cursor, modes, colours.
        "\x1b[2J\x1b[H",
        "\x1b[31mred\x1b[0m",
        "\x1b[8mhidden",
        "\x1b[1A\x1b[2Kup",
        "\x1b[999D\x1b[999B",
        "\x1b[?1049h",
        "\x1b[?25l",
        "\x1b[?1000h\x1b[?1006h",
        "\x1b[?2004h",
        "\x1b[6n",
        "\x1b[c",
        "\x1b[>0q",
        "\x1b[21t",
        "\x1b[4h",
        "\x1b[20h",
        "\x1b[!p",
        "\x1b[10000000000b",
        "\x1b[1;1r",
        "\x1bc",
        "\x1b7\x1b8",
        "\x1bM\x1bD\x1bE",
        "\x1b(0lqqk\x1b(B",
        "\x1b#8",
        "\x1b=\x1b>",
        "\x1bN\x1bO",
        "\x1b",
        "\x1b[",
        "\x1b[38;2;255;0;0",
        // Titles, links, clipboard, colours of the palette, notifications, directories.
        "\x1b]0;owned\x07",
        "\x1b]2;owned\x1b\\",
        "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
        "\x1b]52;c;cm0gLXJmIH4=\x07",
        "\x1b]52;c;?\x07",
        "\x1b]4;1;?\x07",
        "\x1b]7;file:///etc\x07",
        "\x1b]9;boo\x07",
        "\x1b]777;notify;a;b\x07",
        "\x1b]1337;File=inline=1:AAAA\x07",
        "\x1b]133;A\x07",
        "\x1b]0;never ended",
        // Device control, privacy messages, application commands, sixel.
        "\x1bP+q544e\x1b\\",
        "\x1bPq#0;2;0;0;0~~\x1b\\",
        "\x1bP$q\"p\x1b\\",
        "\x1b_Gf=24;AAAA\x1b\\",
        "\x1b^private\x1b\\",
        "\x1bXstart\x1b\\",
        // The same by single C1 controls.
        "\u{9b}2J",
        "\u{9d}0;owned\u{9c}",
        "\u{90}q\u{9c}",
        "\u{9f}G\u{9c}",
        "\u{85}\u{84}\u{8d}",
        // C0: bell, backspace, overwriting, tabs, line ends, shifts, flow control, nothing.
        "\x07\x07\x07",
        "good\x08\x08\x08\x08evil",
        "good\revil",
        "a\nb\r\nc",
        "a\tb\x0bc\x0cd",
        "\x0e\x0f",
        "\x05\x11\x13\x18\x1a",
        "\0\0",
        "\x7f\x7f",
        // Directions, invisible letters, fillers, separators, tags.
        "gpj.\u{202e}exe.\u{202c}",
        "\u{202a}\u{202b}\u{202d}",
        "\u{2066}a\u{2067}b\u{2068}c\u{2069}",
        "\u{200e}\u{200f}\u{61c}",
        "pay\u{200b}pal\u{200c}\u{200d}",
        "\u{feff}\u{2060}\u{2061}\u{2064}",
        "\u{ad}\u{34f}\u{180e}",
        "\u{115f}\u{1160}\u{3164}\u{ffa0}",
        "\u{2028}\u{2029}",
        "\u{fff9}\u{fffa}\u{fffb}",
        "\u{e0001}\u{e0041}\u{e007f}",
        "\u{206a}\u{206f}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push(format!("z{}", "\u{301}".repeat(2000)));
    texts.push("\u{20dd}".repeat(300));
    texts.push(format!("{}x", "\u{202e}\x1b[5m".repeat(500)));
    texts.push(format!("{}\x1b[41m", "名".repeat(300)));
    texts
}

/// What must never reach a terminal within text, told without the program's own rule.
pub fn is_harmful(letter: char) -> bool {
    let code = u32::from(letter);
    code < 0x20
        || (0x7f..0xa0).contains(&code)
        || [
            0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x180e, 0x3164, 0xfeff, 0xffa0,
        ]
        .contains(&code)
        || (0x200b..=0x200f).contains(&code)
        || (0x2028..=0x202e).contains(&code)
        || (0x2060..=0x206f).contains(&code)
        || (0xfff9..=0xfffb).contains(&code)
        || (0xe0000..=0xe0fff).contains(&code)
}

/// Why a text must not stand on a terminal, if it must not.
pub fn harm(text: &str) -> Option<String> {
    if let Some(letter) = text.chars().find(|letter| is_harmful(*letter)) {
        return Some(format!("{letter:?} in {text:?}"));
    }
    let mut n_marks = 0;
    for letter in text.chars() {
        let is_mark = unicode_width::UnicodeWidthChar::width(letter) == Some(0);
        n_marks = if is_mark { n_marks + 1 } else { 0 };
        if n_marks > 4 {
            return Some(format!("a flood of marks in {text:.80?}"));
        }
    }
    None
}

fn task(n: usize, text: &str) -> Value {
    json!({
        "id": format!("t{n}{text}"), "asset_id": format!("a{n}{text}"), "user_id": text,
        "features": {"visual": {"state": "processing"}, text: {"state": text}},
        "created": CREATED, "updated": CREATED, text: text,
    })
}

fn envelope(n: usize, text: &str) -> Value {
    json!({
        "timestamp": CREATED, "user_id": text, "event_id": format!("e{n}{text}"),
        "event_type": if n.is_multiple_of(2) { "task.failed" } else { text },
        "data": {"task": task(n, text), text: text},
    })
}

pub fn tasks(texts: &[String]) -> String {
    rows(texts, task)
}

pub fn messages(texts: &[String]) -> String {
    rows(texts, |n, text| {
        json!({
            "id": format!("m{n}{text}"), "event_id": format!("e{n}{text}"), "event_type": text,
            "timestamp": CREATED, "payload": envelope(n, text), text: text,
        })
    })
}

/// Attempts of one message at one endpoint, as their ids say them.
pub fn attempts(texts: &[String], message: Option<&str>, endpoint: Option<&str>) -> String {
    rows(texts, |n, text| {
        json!({
            "id": format!("x{n}{text}"), "timestamp": CREATED, "response_duration_ms": 7,
            "msg_id": message.map_or_else(|| format!("m{n}{text}"), str::to_owned),
            "endpoint_id": endpoint.map_or_else(|| format!("p{n}{text}"), str::to_owned),
            "url": format!("https://x.example/{text}"), "response": format!("{text}\nmore {text}"),
            "response_status_code": 500, "status": 2, "status_text": text, "trigger_type": text,
            text: text,
        })
    })
}

pub fn endpoints(texts: &[String]) -> String {
    rows(texts, |n, text| {
        json!({
            "id": format!("p{n}{text}"), "url": text, "description": text,
            "event_types": ["task.*", text], "rate_limit": 5, "disabled": n % 3 == 1,
            text: text,
        })
    })
}

fn rows(texts: &[String], row: impl Fn(usize, &str) -> Value) -> String {
    let rows = texts.iter().enumerate().map(|(n, text)| row(n, text));
    Value::Array(rows.collect()).to_string()
}

/// A stream of envelopes, bare text and frames whose own fields hold the text.
pub fn frames(texts: &[String]) -> String {
    let frames = texts.iter().enumerate().map(|(n, text)| {
        let line: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
        let (envelope, task, quoted) = (envelope(n, text), task(n, text), json!(text));
        format!(
            "data: {envelope}\n\nevent: {line}\nid: {line}\ndata: {task}\n\ndata: {line}\n\n\
             data: {{\"a\":{quoted}}}\n\n"
        )
    });
    frames.collect()
}

/// The answer of an API in which these texts stand everywhere.
pub fn api(texts: &[String], head: &str) -> Reply {
    let route = head.split(' ').nth(1).unwrap_or_default();
    let path = route.split('?').next().unwrap_or_default();
    let body = match path {
        "/openapi.json" => json!({"paths": {
                "/events": {"get": {}}, "/webhooks/endpoints": {"get": {}},
                "/webhooks/messages/{message_id}/resend": {"post": {}}}})
        .to_string(),
        "/events" => return Reply::Close(stream(&frames(texts))),
        "/tasks/active" => tasks(texts),
        "/webhooks/messages" => messages(texts),
        "/webhooks/endpoints" => endpoints(texts),
        "/webhooks/delivery-attempts" => attempts(texts, None, None),
        path if path.starts_with("/assets/") => json!({"name": texts[0]}).to_string(),
        path if path.starts_with("/tasks/") => task(0, &texts[0]).to_string(),
        _ => return answer("404 x", "", &json!({"detail": texts[0]}).to_string()),
    };
    answer("200 OK", "content-type: application/json\r\n", &body)
}
