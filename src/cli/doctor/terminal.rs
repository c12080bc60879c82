//! The terminal: whether the dashboard can be shown in it, and how well.

use std::env;
use std::io::{self, IsTerminal};

use super::super::dashboard::is_utf8;
use super::report::Line;
use crate::io::terminal::size;

/// Below this, columns are left out.
const WANTED: (u16, u16) = (80, 24);

/// What the dashboard needs to know of the terminal.
struct Seen {
    is_terminal: bool,
    size: Option<(u16, u16)>,
    term: String,
    colorterm: String,
    has_no_color: bool,
    is_utf8: bool,
}

/// Looks at this program's terminal.
pub fn examine() -> Line {
    let word = |name: &str| env::var(name).unwrap_or_default();
    let has_any = io::stdin().is_terminal() || io::stdout().is_terminal();
    judge(&Seen {
        is_terminal: has_any || io::stderr().is_terminal(),
        size: size().ok(),
        term: word("TERM"),
        colorterm: word("COLORTERM"),
        has_no_color: !word("NO_COLOR").is_empty(),
        is_utf8: is_utf8(),
    })
}

fn judge(seen: &Seen) -> Line {
    const CHECK: &str = "terminal";
    if !seen.is_terminal {
        let hint = "the dashboard needs one; tail, tasks, messages and attempts do not";
        return Line::warning(CHECK, "none here", hint);
    }
    let term = match seen.term.as_str() {
        "" => "TERM is not set".to_owned(),
        term => format!("TERM={term}"),
    };
    let size = match seen.size {
        Some((columns, rows)) => format!("{columns}x{rows}"),
        None => "size unknown".to_owned(),
    };
    let letters = if seen.is_utf8 { "UTF-8" } else { "ASCII only" };
    let detail = format!("{size}, {}, {letters}, {term}", colors(seen));
    let hint = match (seen.term.as_str(), seen.size) {
        ("" | "dumb", _) => "set TERM to what this terminal is, such as xterm-256color",
        _ if !seen.is_utf8 => "set LANG or LC_ALL to a UTF-8 locale for lines and marks",
        (_, Some((columns, rows))) if columns < WANTED.0 || rows < WANTED.1 => {
            "make it 80x24 or larger, else columns are left out"
        }
        (_, None) => "the terminal does not say how large it is",
        _ => return Line::ok(CHECK, detail),
    };
    Line::warning(CHECK, detail, hint)
}

fn colors(seen: &Seen) -> &'static str {
    if seen.has_no_color {
        return "no colour (NO_COLOR)";
    }
    match seen.colorterm.as_str() {
        "truecolor" | "24bit" => "16 million colours",
        _ if seen.term.contains("256color") || seen.term.contains("direct") => "256 colours",
        _ => "16 colours",
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::State;
    use super::*;

    #[test]
    fn what_a_terminal_lacks_is_told() {
        let good = || Seen {
            is_terminal: true,
            size: Some((120, 36)),
            term: "xterm-256color".into(),
            colorterm: String::new(),
            has_no_color: false,
            is_utf8: true,
        };
        let line = judge(&good());
        assert_eq!(line.state, State::Ok);
        assert_eq!(
            line.detail,
            "120x36, 256 colours, UTF-8, TERM=xterm-256color"
        );
        for (seen, words) in [
            (
                Seen {
                    is_terminal: false,
                    ..good()
                },
                "needs one",
            ),
            (
                Seen {
                    size: Some((70, 24)),
                    ..good()
                },
                "80x24",
            ),
            (
                Seen {
                    size: None,
                    ..good()
                },
                "how large",
            ),
            (
                Seen {
                    term: "dumb".into(),
                    ..good()
                },
                "set TERM",
            ),
            (
                Seen {
                    is_utf8: false,
                    ..good()
                },
                "UTF-8 locale",
            ),
        ] {
            let line = judge(&seen);
            assert_eq!(line.state, State::Warning);
            assert!(line.hint.contains(words), "{words}: {}", line.hint);
        }
    }
}
