//! `reeltop completions` and `reeltop man`, made from the command line's own description, and
//! `--chaos list`.

use std::io::{self, Write};

use clap::CommandFactory;

use super::args::Args;
use super::output::{Outcome, Stop};
use crate::server::chaos::{ALL, FAULTS};

/// Prints the completion script of a shell.
pub fn completions(shell: &str) -> Outcome {
    let Ok(shell) = shell.parse::<clap_complete::Shell>() else {
        return Err(Stop::Usage(format!(
            "unknown shell {shell:?}; known are bash, elvish, fish, powershell, zsh"
        )));
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "reeltop", &mut script);
    print(&script)
}

/// Prints the manual page.
pub fn man() -> Outcome {
    let mut page = Vec::new();
    clap_mangen::Man::new(Args::command()).render(&mut page)?;
    print(&page)
}

/// Prints what `--chaos` takes: each fault's name and what it does.
pub fn faults() -> Outcome {
    let mix = (ALL, "a changing mix of what a client can survive");
    let named = FAULTS.iter().map(|(_, name, does)| (*name, *does));
    let rows: Vec<(&str, &str)> = named.chain([mix]).collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = rows
        .iter()
        .map(|(name, does)| format!("{name:width$}  {does}\n"));
    print(lines.collect::<String>().as_bytes())
}

fn print(bytes: &[u8]) -> Outcome {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(0)
}
