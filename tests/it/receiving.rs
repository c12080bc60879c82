//! The receiver's side: `verify`, `send`, `listen`, with the real binary, real HTTP and signatures
//! that an independent implementation made or checks.

mod beside;
mod listen;
mod replay;
mod send;
mod verify;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use standardwebhooks::Webhook;
use tempfile::TempDir;

pub const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
pub const OTHER: &str = "whsec_plJ3nmyCDGBKInavdOK15jsl";
pub const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
pub const BODY: &str = r#"{"timestamp":"2026-11-22T14:02:25.000Z","user_id":"u","event_id":"e","event_type":"task.failed","data":{"task":{"id":"t","asset_id":"a","features":{"visual":{"state":"failed"},"proxy":{"state":"completed"}},"user_id":"u","created":"2026-11-22T14:02:20.000Z","updated":"2026-11-22T14:02:25.000Z"}}}"#;

/// How a run ended.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .args(arguments)
        .stdin(Stdio::null());
    command
}

pub fn ended(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn run(arguments: &[&str]) -> Ran {
    ended(command(arguments))
}

/// A file that only its owner can read.
pub fn file(folder: &TempDir, name: &str, text: &[u8]) -> String {
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    owner_only(&path);
    path.to_str().unwrap().to_owned()
}

#[cfg(unix)]
fn owner_only(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn owner_only(_: &Path) {}

pub fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

/// A signature made by another implementation than ours.
pub fn signed(secret: &str, timestamp: i64, body: &str) -> String {
    Webhook::new(secret)
        .unwrap()
        .sign(ID, timestamp, body.as_bytes())
        .unwrap()
}

/// A request as raw HTTP text.
pub fn http(timestamp: i64, signature: &str, body: &str) -> String {
    format!(
        "POST /hooks HTTP/1.1\r\nhost: x\r\nsvix-id: {ID}\r\nsvix-timestamp: {timestamp}\r\nsvix-signature: {signature}\r\n\r\n{body}"
    )
}
