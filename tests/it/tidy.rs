//! The floor plan, read from the sources: who may name whom, what pure rooms never touch, how long
//! a file may be. The rules are tested themselves, each with a planted violation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Room, the rooms it may name, and the outside crates it may name (`*` takes all).
const ROOMS: [(&str, &[&str], &[&str]); 11] = [
    (
        "domain",
        &[],
        &[
            // Answers of receivers that are no text come in it.
            "base64",
            "hashbrown",
            "memchr",
            "unicode_width",
            "unicode_segmentation",
        ],
    ),
    (
        "wire",
        &["domain"],
        &[
            "serde",
            "serde_ignored",
            "serde_json",
            "thiserror",
            "memchr",
            "hmac",
            "sha2",
            "subtle",
            "base64",
            // Ed25519 signatures; it is in the tree for TLS anyway.
            "ring",
            // The head of a saved request; it is in the tree for hyper anyway.
            "httparse",
        ],
    ),
    (
        "app",
        &["domain"],
        &[
            "crossterm",
            "serde",
            "toml",
            "tui_input",
            "unicode_width",
            // Which lines two texts have in common.
            "similar",
        ],
    ),
    (
        "view",
        &["app", "domain"],
        &[
            "ratatui",
            "unicode_width",
            "unicode_segmentation",
            "toml",
            "serde",
        ],
    ),
    (
        "io",
        &["wire", "domain"],
        &[
            "tokio",
            "tokio_util",
            "futures_util",
            "hyper_util",
            "reqwest",
            "reqwest_eventsource",
            "tracing",
            "tracing_subscriber",
            // The forms in which a server may repeat the key.
            "regex",
            "base64",
            "memchr",
            "serde",
            "serde_json",
            "toml",
            "etcetera",
            "secrecy",
            "thiserror",
            "uuid",
            "fastrand",
            "bytes",
            "crossterm",
            "ratatui",
            "signal_hook",
            "chrono",
            "rusqlite",
            "zstd",
            "sha2",
        ],
    ),
    (
        "server",
        &["wire", "domain"],
        &[
            "axum",
            "tokio",
            "tokio_util",
            "futures_util",
            "serde",
            "serde_json",
            "fastrand",
            "uuid",
            "secrecy",
            "bytes",
            "thiserror",
            "reqwest",
            "base64",
            "chrono",
            "sha2",
            "subtle",
        ],
    ),
    (
        "runtime",
        &["app", "view", "io", "domain"],
        &[
            "tokio",
            "tokio_util",
            "futures_util",
            "ratatui",
            "crossterm",
            "anyhow",
            // A signing secret passes through on its way to the user who asked for it.
            "secrecy",
            "signal_hook",
            "tracing",
        ],
    ),
    (
        "cli",
        &["domain", "wire", "app", "view", "io", "server", "runtime"],
        &["*"],
    ),
    ("main", &["cli"], &[]),
    ("lib", &[], &[]),
    ("tests", &[], &["*"]),
];

/// Files that may do less (or are the only ones that may do it): crate, and who may name it.
const ONLY_IN: [(&str, &str, &[&str]); 10] = [
    (
        "app",
        "crossterm",
        &[
            "app.rs",
            "app/keymap.rs",
            "app/bulk.rs",
            // Where text is typed, keys are text.
            "app/manage.rs",
            "app/manage/form.rs",
            "app/manage/headers.rs",
            "app/palette.rs",
            "app/prompt.rs",
            "app/update.rs",
        ],
    ),
    ("io", "ratatui", &["io/terminal.rs"]),
    ("io", "crossterm", &["io/terminal.rs"]),
    ("io", "signal_hook", &["io/terminal.rs", "io/ended.rs"]),
    (
        "io",
        "rusqlite",
        &[
            "io/journal/file.rs",
            "io/journal/file/writing.rs",
            "io/ledger/file.rs",
            "io/ledger/file/adopting.rs",
        ],
    ),
    (
        "io",
        "zstd",
        &["io/journal/file.rs", "io/journal/file/writing.rs"],
    ),
    // The rules of proxies are those of the HTTP library below reqwest.
    ("io", "hyper_util", &["io/proxy.rs"]),
    ("io", "reqwest_eventsource", &["io/opinion.rs"]),
    ("io", "tracing_subscriber", &["io/log.rs"]),
    ("server", "reqwest", &["server/engine.rs"]),
];

const PURE: [&str; 4] = ["domain", "wire", "app", "view"];

/// What a pure room never says: clocks, chance, the world outside, printing, locks, waiting.
const IMPURE: [&str; 30] = [
    "Instant::now",
    "SystemTime",
    "Utc::now",
    "Local::now",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::io",
    "println!",
    "eprintln!",
    "print!(",
    "eprint!(",
    "dbg!(",
    "Mutex",
    "RwLock",
    "RefCell",
    "OnceLock",
    "LazyLock",
    "async fn",
    ".await",
    "mpsc",
    "thread_local!",
    "static mut",
    "fastrand",
    "new_v4",
    "now_v7",
    "AtomicBool",
    "AtomicU",
];

const MAX_LINES: usize = 600;
const DRAWERS: [&str; 7] = [
    "mod", "utils", "util", "helpers", "common", "manager", "misc",
];

/// A source file: its path below src, and its text.
type Source = (String, String);

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<Source>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found.sort();
    found
}

fn dependencies() -> BTreeSet<String> {
    let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
    let tables = ["dependencies", "dev-dependencies"];
    let names = tables
        .iter()
        .filter_map(|table| manifest[*table].as_table());
    names
        .flat_map(|table| table.keys())
        .map(|name| name.replace('-', "_"))
        .collect()
}

/// The text without its test module, comments and what stands in quotes.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        let mut in_quotes = false;
        let mut before = ' ';
        let mut chars = line.chars().peekable();
        while let Some(letter) = chars.next() {
            if letter == '"' && before != '\\' && before != '\'' {
                in_quotes = !in_quotes;
            } else if !in_quotes && letter == '/' && chars.peek() == Some(&'/') {
                break;
            } else if !in_quotes {
                code.push(letter);
            }
            before = if before == '\\' && letter == '\\' {
                ' '
            } else {
                letter
            };
        }
        code.push('\n');
    }
    code
}

fn room_of(path: &str) -> String {
    path.split('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs")
        .to_owned()
}

/// The module path of a file: `domain/history/tasks.rs` is domain, history, tasks.
fn module_of(path: &str) -> Vec<String> {
    path.trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect()
}

/// Every path that begins with `crate::`, `reeltop::` or `super::`, resolved, groups unfolded.
fn named_paths(path: &str, code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "reeltop::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            if before.is_alphanumeric() || before == '_' || before == ':' {
                continue;
            }
            let mut base = if start == "super::" {
                module_of(path)
            } else {
                Vec::new()
            };
            let mut rest = &code[at..];
            if start != "super::" {
                rest = &rest[start.len()..];
            }
            while let Some(after) = rest.strip_prefix("super::") {
                base.pop();
                rest = after;
            }
            unfold(&base, rest, &mut found);
        }
    }
    found
}

fn unfold(base: &[String], rest: &str, found: &mut Vec<Vec<String>>) {
    let mut path = base.to_vec();
    let mut rest = rest;
    loop {
        let rest_trimmed = rest.trim_start();
        if let Some(group) = rest_trimmed.strip_prefix('{') {
            for part in group_parts(group) {
                unfold(&path, part.trim(), found);
            }
            return;
        }
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        path.push(rest[..end].to_owned());
        match rest[end..].strip_prefix("::") {
            Some(after) => rest = after,
            None => break,
        }
    }
    found.push(path);
}

fn group_parts(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

fn named_crates(code: &str, dependencies: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in dependencies {
        for (at, _) in code.match_indices(name.as_str()) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            let after = &code[at + name.len()..];
            let starts_path = !(before.is_alphanumeric() || before == '_' || before == ':');
            let is_used = code[..at].ends_with("use ") && after.starts_with(';');
            if starts_path && (after.starts_with("::") || is_used) {
                found.insert(name.clone());
            }
        }
    }
    found
}

fn violations(sources: &[Source]) -> Vec<String> {
    let dependencies = dependencies();
    let mut found = Vec::new();
    let mut edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    let modules: BTreeSet<Vec<String>> = sources.iter().map(|(path, _)| module_of(path)).collect();
    for (path, text) in sources {
        let (room, code) = (room_of(path), code_of(text));
        let Some((_, rooms, crates)) = ROOMS.iter().find(|(name, ..)| *name == room) else {
            found.push(format!("{path}: unknown room {room}"));
            continue;
        };
        for named in named_paths(path, &code) {
            let Some(other) = named.first() else { continue };
            let is_room = ROOMS.iter().any(|(name, ..)| name == other);
            if is_room && *other != room && !rooms.contains(&other.as_str()) {
                found.push(format!("{path}: {room} must not name the room {other}"));
            }
            let to = (1..=named.len())
                .rev()
                .map(|n| named[..n].to_vec())
                .find(|to| modules.contains(to));
            edges.entry(module_of(path)).or_default().extend(to);
        }
        for name in named_crates(&code, &dependencies) {
            if !crates.contains(&"*") && !crates.contains(&name.as_str()) {
                found.push(format!("{path}: {room} must not name the crate {name}"));
            }
            for (of, only, files) in ONLY_IN {
                if of == room && only == name && !files.contains(&path.as_str()) {
                    found.push(format!("{path}: only {files:?} may name the crate {name}"));
                }
            }
        }
        if PURE.contains(&room.as_str()) {
            let impure = IMPURE.iter().filter(|word| code.contains(**word));
            found.extend(impure.map(|word| format!("{path}: a pure room must not say {word}")));
        }
        let n_lines = text
            .split("#[cfg(test)]\nmod ")
            .next()
            .unwrap_or_default()
            .lines()
            .count();
        if n_lines > MAX_LINES {
            found.push(format!(
                "{path}: {n_lines} lines, at most {MAX_LINES} without tests"
            ));
        }
        if code.contains("[allow(") {
            found.push(format!(
                "{path}: #[allow] where #[expect(…, reason)] is the rule"
            ));
        }
        let name = module_of(path).pop().unwrap_or_default();
        if DRAWERS.contains(&name.as_str()) {
            found.push(format!("{path}: a drawer, not a noun"));
        }
    }
    found.extend(cycles(&edges));
    found
}

/// Cycles among modules that lie side by side in one folder, a module standing for all below it.
fn cycles(edges: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>) -> Vec<String> {
    let mut beside: BTreeMap<(Vec<String>, String), BTreeSet<String>> = BTreeMap::new();
    for (from, targets) in edges {
        for to in targets {
            let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            if let (Some(a), Some(b)) = (from.get(shared), to.get(shared)) {
                beside
                    .entry((from[..shared].to_vec(), a.clone()))
                    .or_default()
                    .insert(b.clone());
            }
        }
    }
    let mut found = BTreeSet::new();
    for (folder, start) in beside.keys() {
        let mut reached = BTreeSet::new();
        let mut open = vec![start.clone()];
        while let Some(at) = open.pop() {
            for next in beside.get(&(folder.clone(), at)).into_iter().flatten() {
                if next == start {
                    found.insert(format!(
                        "import cycle through {}::{start}",
                        folder.join("::")
                    ));
                } else if reached.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
    }
    found.into_iter().collect()
}

#[test]
fn the_house_is_in_order() {
    let found = violations(&sources());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_rule_catches_a_planted_violation() {
    let plant = |path: &str, text: &str| violations(&[(path.to_owned(), text.to_owned())]);
    let long = "fn a() {}\n".repeat(MAX_LINES + 1);
    let planted = [
        (
            "domain/task.rs",
            "use crate::wire::sse;",
            "must not name the room wire",
        ),
        (
            "app/update.rs",
            "use crate::{domain::Task, io::client};",
            "must not name the room io",
        ),
        (
            "view/tasks.rs",
            "fn f() { super::super::server::start() }",
            "must not name the room server",
        ),
        (
            "main.rs",
            "fn main() { reeltop::server::start() }",
            "must not name the room server",
        ),
        (
            "domain/task.rs",
            "use serde::Deserialize;",
            "must not name the crate serde",
        ),
        (
            "wire/rest.rs",
            "fn f() { tokio::spawn(x) }",
            "must not name the crate tokio",
        ),
        ("app/update.rs", "use tracing::info;", "the crate tracing"),
        (
            "server/routes.rs",
            "use reqwest::Client;",
            "may name the crate reqwest",
        ),
        (
            "domain/task.rs",
            "fn f() { let t = Instant::now(); }",
            "must not say Instant::now",
        ),
        (
            "view/tasks.rs",
            "fn f() { std::fs::read(p) }",
            "must not say std::fs",
        ),
        ("wire/sse.rs", "use std::net::TcpStream;", "say std::net"),
        (
            "app/update.rs",
            "fn f() { println!() }",
            "must not say println!",
        ),
        (
            "app/update.rs",
            "use std::sync::Mutex;",
            "must not say Mutex",
        ),
        ("app/update.rs", "async fn f() {}", "must not say async fn"),
        ("domain/task.rs", long.as_str(), "lines, at most"),
        ("domain/utils.rs", "", "a drawer"),
        ("attic/old.rs", "", "unknown room"),
        (
            "domain/task.rs",
            "#[allow(dead_code)] fn f() {}",
            "#[allow]",
        ),
    ];
    for (path, text, expected) in planted {
        let found = plant(path, text);
        assert!(
            found.iter().any(|line| line.contains(expected)),
            "{path}: {expected}: {found:?}"
        );
    }
    let knot = [
        ("domain/a.rs".to_owned(), "use super::b::B;".to_owned()),
        (
            "domain/b.rs".to_owned(),
            "use crate::domain::c::C;".to_owned(),
        ),
        (
            "domain/c.rs".to_owned(),
            "fn f() { super::a::go() }".to_owned(),
        ),
    ];
    assert!(
        violations(&knot)
            .iter()
            .any(|line| line.contains("import cycle"))
    );
}

#[test]
fn comments_quotes_and_tests_are_no_violations() {
    let text = "// println! and crate::io\nconst A: &str = \"std::fs\";\n#[cfg(test)]\nmod tests { use serde::X; }";
    assert_eq!(
        violations(&[("domain/task.rs".to_owned(), text.to_owned())]),
        Vec::<String>::new()
    );
}
