//! The front desk: parses arguments, picks the command, turns its answer into an exit code.

pub mod args;
mod attempt_headers;
mod causes;
mod config;
mod dashboard;
pub mod demo;
mod doctor;
mod endpoints;
mod generate;
mod hosts;
mod journal;
mod lens;
mod list;
mod listen;
mod offline;
mod output;
mod prompt;
mod reading;
mod replay;
mod replays;
mod secrets;
mod send;
mod serve;
mod signals;
mod source;
mod tail;
mod tasks;
mod verify;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::{self, Runtime};

use args::{Args, Command, DemoArgs, EndpointsArgs, ServeArgs};
use output::{Outcome, conclude, usage};

/// Exit code of a command that ctrl-c ended.
const INTERRUPTED: u8 = 130;

/// Runs the program and gives its exit code (see `Exit codes` in the README).
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return refused(&error),
    };
    let source = args.source;
    if let Err(stop) = source::begin_log(&source) {
        return conclude(Err(stop));
    }
    let Some(command) = args.command else {
        return block_on(dashboard::run(source, args.listen));
    };
    if args.listen.is_some() {
        let why = "the dashboard alone listens; `reeltop listen` prints, and `reeltop demo --listen` shows";
        return conclude(Err(usage("--listen", why)));
    }
    match command {
        Command::Serve(ServeArgs { chaos, .. }) | Command::Demo(DemoArgs { chaos, .. })
            if chaos.iter().any(|name| name == "list") =>
        {
            conclude(generate::faults())
        }
        Command::Serve(serve) => block_on(serve::run(serve, source)),
        Command::Demo(demo) => block_on(dashboard::demo(demo, source)),
        Command::Tail(args) => headless(tail::run(args, source)),
        Command::Tasks(args) if args.offline => conclude(offline::tasks(&args, &source)),
        Command::Tasks(args) => headless(tasks::run(args, source)),
        Command::Messages(args) if args.offline => conclude(offline::messages(&args, &source)),
        Command::Messages(args) => headless(list::messages(args, source)),
        Command::Attempts(args) if args.offline => conclude(offline::attempts(&args, &source)),
        Command::Attempts(args) => headless(list::attempts(args, source)),
        Command::Causes(args) if args.offline => conclude(causes::offline(&args, &source)),
        Command::Causes(args) => headless(causes::run(args, source)),
        Command::Endpoints(EndpointsArgs {
            command: Some(command),
            ..
        }) => headless(endpoints::run(command, source)),
        Command::Endpoints(args) if args.offline => conclude(offline::endpoints(&args, &source)),
        Command::Endpoints(args) => headless(endpoints::list::endpoints(args, source)),
        Command::Replay(args) => to_its_end(replay::run(args, source)),
        Command::Replays(args) => headless(replays::run(args, source)),
        Command::Listen(args) => to_its_end(listen::run(args, source)),
        Command::Send(args) => headless(send::run(args, source)),
        Command::Verify(args) => conclude(verify::run(&args, &source)),
        Command::Doctor(args) => headless(doctor::run(args, source)),
        Command::Config(args) => conclude(config::run(&args, &source)),
        Command::Completions { shell } => conclude(generate::completions(&shell)),
        Command::Man => conclude(generate::man()),
    }
}

/// Says what is wrong with the arguments, or prints the help that was asked for. What was typed may
/// have been copied from anywhere, so that it is made visible-safe as well.
fn refused(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        output::tell(error.render().to_string().trim_end());
    } else {
        // A closed pipe is no error.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Runs a command that prints, until it ends or ctrl-c ends it. One thread serves it best: what
/// the connection reads is printed without a change of threads between.
fn headless(command: impl Future<Output = Outcome>) -> ExitCode {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    run(runtime, async {
        tokio::select! {
            // First, so that a command that hears ctrl-c itself can say what it leaves behind.
            biased;
            outcome = command => conclude(outcome),
            _ = tokio::signal::ctrl_c() => ExitCode::from(INTERRUPTED),
        }
    })
}

/// Runs a command that hears signals itself, as it has something to put in order before it ends.
fn to_its_end(command: impl Future<Output = Outcome>) -> ExitCode {
    block_on(async { conclude(command.await) })
}

fn block_on(command: impl Future<Output = ExitCode>) -> ExitCode {
    run(
        runtime::Builder::new_multi_thread().enable_all().build(),
        command,
    )
}

fn run(runtime: io::Result<Runtime>, command: impl Future<Output = ExitCode>) -> ExitCode {
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(command);
            // What still blocks a thread, a name look-up say, must not hold the exit up.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            output::note(&format!("cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}
