//! `reeltop completions` and `reeltop man`, made from the command line's own description, and
//! `--chaos list`.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

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
    print(page()?.as_bytes())
}

/// One page for all commands: what a page names must exist, and one file is easily installed.
fn page() -> io::Result<String> {
    let mut program = Args::command().disable_help_subcommand(true);
    program.build();
    let man = Man::new(program.clone()).manual("User Commands");
    let mut page = APOSTROPHES.to_owned();
    for part in [
        Man::render_title,
        Man::render_name_section,
        Man::render_synopsis_section,
        Man::render_description_section,
    ] {
        page.push_str(&rendered(|to| part(&man, to))?);
    }
    let options = rendered(|to| man.render_options_section(to))?;
    // One section, with what every command takes below headings of its own.
    let options = options.replace(".SH ", ".SS ");
    page.push_str(&options.replacen(".SS ", ".SH ", 1));
    page.push_str(&section("COMMANDS", COMMANDS)?);
    for command in program.get_subcommands() {
        commands(command, &mut page)?;
    }
    page.push_str(&section("EXIT STATUS", EXITS)?);
    page.push_str(&section("ENVIRONMENT", ENVIRONMENT)?);
    Ok(page)
}

/// How apostrophes are drawn, at the top of every page.
const APOSTROPHES: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

const COMMANDS: &[(&str, &str)] = &[(
    "",
    "Each takes the options of Source and Display above as well, and --help.",
)];

const EXITS: &[(&str, &str)] = &[
    ("0", "Done. A closed pipe is no error."),
    (
        "1",
        "It did not succeed: a failed delivery, a fatal answer, no stream, a question answered with no.",
    ),
    (
        "2",
        "Usage or configuration, also where nobody can be asked and --yes is missing.",
    ),
    ("3", "The outcome of a replay is unknown."),
    ("128 + N", "Signal N ended it: 130 is ctrl-c."),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "ASPECT_API_KEY, ASPECT_BASE_URL",
        "Key and URL of the API; the key alone goes with https://api.aspect.inc.",
    ),
    ("SVIX_TOKEN", "Token of the Svix server."),
    ("REELTOP_PROFILE", "Profile to use, as --profile."),
    ("REELTOP_LOG", "File to write a log into, as --log."),
    (
        "REELTOP_SERVE_KEY",
        "Key of the embedded server, as --api-key of serve and demo.",
    ),
    ("NO_COLOR", "If not empty, nothing is coloured."),
];

/// A command and those below it: how it is called, what it does, its own options, its exit codes.
fn commands(command: &Command, page: &mut String) -> io::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    page.push_str(&source(Roff::new().control("SS", [name]))?);
    // What every command takes stands at the top.
    let man = Man::new(command.clone().mut_args(|arg| {
        let is_everywhere = arg.is_global_set() || arg.get_id() == "help";
        arg.hide(is_everywhere)
    }));
    for part in [
        Man::render_synopsis_section,
        Man::render_description_section,
        Man::render_options_section,
    ] {
        let text = rendered(|to| part(&man, to))?;
        if let Some((_, body)) = text.split_once('\n') {
            page.push_str(".PP\n");
            page.push_str(body);
        }
    }
    if let Some(exits) = command.get_after_long_help() {
        let text = [roman(exits.to_string())];
        page.push_str(&source(Roff::new().control("PP", []).text(text))?);
    }
    for below in command.get_subcommands() {
        commands(below, page)?;
    }
    Ok(())
}

/// A section of words; a pair without a name is a paragraph.
fn section(heading: &str, pairs: &[(&str, &str)]) -> io::Result<String> {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    for (name, text) in pairs {
        if !name.is_empty() {
            roff.control("TP", []).text([bold(*name)]);
        }
        roff.text([roman(*text)]);
    }
    source(&roff)
}

fn source(roff: &Roff) -> io::Result<String> {
    rendered(|to| roff.to_writer(to))
}

/// A part of the page, in ASCII, which every reader of manual pages takes.
fn rendered(render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<String> {
    let mut bytes = Vec::new();
    render(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    // Each part begins with how apostrophes are drawn, which the page says once.
    let text = text.strip_prefix(APOSTROPHES).unwrap_or(&text);
    let mut ascii = String::with_capacity(text.len());
    for char in text.replace('…', "...").chars() {
        if char.is_ascii() {
            ascii.push(char);
        } else {
            let _ = write!(ascii, "\\[u{:04X}]", u32::from(char));
        }
    }
    Ok(ascii)
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// Each command with the words it is called by.
    fn all(command: &Command, found: &mut Vec<Command>) {
        found.push(command.clone());
        for below in command.get_subcommands() {
            all(below, found);
        }
    }

    fn program() -> Command {
        let mut program = Args::command().disable_help_subcommand(true);
        program.build();
        program
    }

    #[test]
    fn the_page_holds_every_option_and_the_exit_codes_of_every_command() {
        let page = page().unwrap();
        let everywhere = page.split_once(".SH COMMANDS").unwrap().0;
        let mut commands = Vec::new();
        all(&program(), &mut commands);
        assert!(commands.len() > 25);
        for command in &commands {
            let name = command.get_bin_name().unwrap_or(command.get_name());
            let own = if name == "reeltop" {
                everywhere
            } else {
                let mut parts = page.split(".SS ");
                let head = |part: &&str| part.lines().next().unwrap().trim_matches('"') == name;
                parts
                    .find(head)
                    .unwrap_or_else(|| panic!("{name} is not in the page"))
            };
            for arg in command.get_arguments() {
                let Some(long) = arg.get_long() else { continue };
                let is_everywhere = arg.is_global_set() || long == "help";
                let part = if is_everywhere { everywhere } else { own };
                let option = format!("\\fB\\-\\-{}\\fR", long.replace('-', "\\-"));
                assert!(
                    part.contains(&format!(".TP\n{option}"))
                        || part.contains(&format!(", {option}")),
                    "{name} --{long} is not in the page"
                );
            }
            assert!(
                name == "reeltop" || own.contains("Exit codes: 0 "),
                "{name} has no exit codes in the page"
            );
        }
    }

    #[test]
    fn the_page_names_no_other_page_and_is_ascii() {
        let page = page().unwrap();
        assert!(page.is_ascii());
        assert_eq!(page.matches(APOSTROPHES).count(), 1);
        let named = page.match_indices("(1)").count();
        assert_eq!(named, 0, "only this one page is made");
    }
}
