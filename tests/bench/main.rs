//! What things cost, side by side with their yardsticks in one run: `cargo bench`.
//!
//! Every figure is the median of interleaved rounds. Names given on the command line pick
//! sections: `cargo bench -- decode fold memory draw endpoints journal tail`.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

mod corpus;
mod draw;
mod fold;
mod journal;
mod tail;
mod yardstick;

use std::time::Duration;

/// Interleaved rounds of each section.
pub const ROUNDS: usize = 5;

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|want| want == name);
    println!("reeltop {} · {}", env!("CARGO_PKG_VERSION"), machine());
    if wants("memory") {
        fold::memory();
    }
    if wants("decode") || wants("fold") {
        fold::decode_and_fold();
    }
    if wants("draw") {
        draw::run();
    } else if wants("endpoints") {
        draw::endpoints();
    }
    if wants("journal") {
        journal::run();
    }
    if wants("tail") {
        tail::run();
    }
}

/// The middle one of some durations.
pub fn median(rounds: &[Duration]) -> Duration {
    let mut sorted = rounds.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo").lines().find_map(|line| {
        line.strip_prefix("model name")
            .map(|rest| rest.trim_matches([' ', '\t', ':']).to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{} · {cores} cores · load {}",
        cpu.unwrap_or_else(|| "unknown CPU".into()),
        read("/proc/loadavg").split(' ').next().unwrap_or_default()
    )
}
