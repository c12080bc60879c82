//! The front desk: parses arguments, picks the command, turns its answer into an exit code.

pub mod args;
mod dashboard;
pub mod demo;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// Runs the program and gives its exit code (see `Exit codes` in the README).
pub fn main() -> ExitCode {
    let args = Args::parse();
    match args.command {
        Some(Command::Serve(serve)) => block_on(serve::run(serve)),
        Some(Command::Demo(demo)) => block_on(dashboard::demo(demo, args.source.utc)),
        _ => ExitCode::SUCCESS,
    }
}

fn block_on(command: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let code = runtime.block_on(command);
            // What still blocks a thread, a name look-up say, must not hold the exit up.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("reeltop: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
