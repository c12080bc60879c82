//! The front desk: parses arguments, picks the command, turns its answer into an exit code.

pub mod args;

use std::process::ExitCode;

use clap::Parser;

/// Runs the program and gives its exit code (see `Exit codes` in the README).
pub fn main() -> ExitCode {
    let _args = args::Args::parse();
    ExitCode::SUCCESS
}
