//! What headless commands print: machine lines or tables on stdout, words for people on stderr.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::process::ExitCode;

use unicode_width::UnicodeWidthStr;

use crate::domain::{Failure, Time, visible};

/// Exit code where the outcome of a replay is not known: of one of its own, or of another that
/// keeps what was asked for from being sent, be it that somebody is just sending it.
pub const UNCLEAR: u8 = 3;

/// Why a command ended before its end.
#[derive(Debug)]
pub enum Stop {
    /// Usage or configuration: exit code 2.
    Usage(String),
    /// Asked, the user said no; the words say what was not done: exit code 1.
    Declined(String),
    /// It did not succeed: exit code 1.
    Failed(Failure),
    /// Another replay whose outcome is not known keeps it from being done: exit code 3.
    Unclear(Failure),
    /// The output cannot be written; a closed pipe is no error.
    Output(io::Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// What a command ends with: an exit code, or the reason to stop.
pub type Outcome = Result<u8, Stop>;

/// Turns an outcome into the exit code, and says on stderr why.
pub fn conclude(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(Stop::Usage(text)) => {
            note(&text);
            ExitCode::from(2)
        }
        Err(Stop::Declined(text)) => {
            note(&text);
            ExitCode::FAILURE
        }
        Err(Stop::Failed(failure)) => {
            note(&failure.to_string());
            ExitCode::FAILURE
        }
        Err(Stop::Unclear(failure)) => {
            note(&failure.to_string());
            ExitCode::from(UNCLEAR)
        }
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Stop::Output(error)) => {
            note(&format!("cannot write the output: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Says something on stderr, made visible-safe line by line; that nobody reads it is no error.
pub fn note(text: &str) {
    tell(&format!("reeltop: {text}"));
}

/// The same in words that need no name before them.
pub fn tell(text: &str) {
    let lines: Vec<_> = text.split('\n').map(visible).collect();
    let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
}

/// Stdout, buffered, and whether it is a terminal.
pub struct Output {
    to: BufWriter<Stdout>,
    pub is_terminal: bool,
    pub has_color: bool,
}

impl Output {
    pub fn new() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            to: BufWriter::with_capacity(256 << 10, stdout),
            is_terminal,
            has_color: is_terminal && !no_color,
        }
    }

    /// A machine line: as it is into pipes and files, visible-safe on a terminal.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        if self.is_terminal {
            writeln!(self.to, "{}", visible(text))
        } else {
            writeln!(self.to, "{text}")
        }
    }

    /// Bytes and a line end, as they are.
    pub fn raw_line(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.to.write_all(b"\n")
    }

    /// A line of ours that may hold SGR sequences; its parts were made safe before.
    pub fn styled(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.to, "{text}")
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// A table: columns as wide as their widest cell, the last one free.
    /// An empty one is words on stderr instead.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>], if_empty: &str) -> io::Result<()> {
        if rows.is_empty() {
            note(if_empty);
            return Ok(());
        }
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| visible(cell).into_owned()).collect())
            .collect();
        let widths: Vec<usize> = (0..head.len())
            .map(|at| {
                let cells = rows
                    .iter()
                    .filter_map(|row| row.get(at))
                    .map(|cell| cell.width());
                cells.chain([head[at].width()]).max().unwrap_or(0)
            })
            .collect();
        let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
        for row in [&head].into_iter().chain(&rows) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(
                    ' ',
                    width + 2 - cell.width().min(*width),
                ));
            }
            writeln!(self.to, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Seconds east of UTC, now, of the zone that times are shown in.
pub fn zone(is_utc: bool) -> i32 {
    if is_utc {
        0
    } else {
        chrono::Local::now().offset().local_minus_utc()
    }
}

/// A time in a table; nothing where it is not known.
pub fn when(time: Time, zone: i32) -> String {
    if time == Time::default() {
        String::new()
    } else {
        time.date_clock(zone)
    }
}

/// A usage error that names the option.
pub fn usage(option: &str, why: impl Display) -> Stop {
    Stop::Usage(format!("{option}: {why}"))
}
