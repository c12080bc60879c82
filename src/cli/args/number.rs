//! Numbers on the command line, each within what is of use.

use std::fmt::Display;
use std::ops::{Bound, RangeBounds, RangeInclusive};
use std::str::FromStr;
use std::time::Duration;

use super::RateLimit;

/// Reads how many of something: of none, nothing could be said that is true of the rest.
pub(super) fn count<T: FromStr + PartialOrd + Display + From<u8>>(text: &str) -> Result<T, String> {
    whole(text, T::from(1)..)
}

/// Reads the seed of a simulation.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    whole(text, 0..)
}

/// Reads a status that a request is answered with in the end.
pub(super) fn status(text: &str) -> Result<u16, String> {
    whole(text, 200..=599)
}

/// Reads the size of the largest event.
pub(super) fn event_bytes(text: &str) -> Result<usize, String> {
    whole(text, 16..=1 << 30)
}

/// Reads a rate of simulated tasks.
pub(super) fn tasks_per_minute(text: &str) -> Result<f64, String> {
    real(text, 0.0..=1_000_000.0)
}

/// Reads a rate of replays.
pub(super) fn per_second(text: &str) -> Result<f64, String> {
    real(text, 0.01..=1000.0)
}

/// Reads how much quicker the embedded server's time passes.
pub(super) fn time_scale(text: &str) -> Result<f64, String> {
    real(text, 0.001..=1_000_000.0)
}

/// Reads `500ms`, `60s`, `5m`, `2h`, `3d`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    time(text, 24)
}

/// Reads how long ago: up to the 90 days that a service keeps its messages (Svix). Since just now
/// there is nothing.
pub(super) fn ago(text: &str) -> Result<Duration, String> {
    let time = time(text, 90 * 24)?;
    if time.is_zero() {
        return Err(format!("{text:?} ago is just now, try 2h or 3d"));
    }
    Ok(time)
}

/// Reads a grace period: up to a week, in the whole seconds that a service takes (Svix).
pub(super) fn grace(text: &str) -> Result<Duration, String> {
    let time = time(text, 168)?;
    if time.subsec_nanos() != 0 {
        return Err(format!(
            "{text:?} is no whole number of seconds, try 0, 1s or 24h"
        ));
    }
    Ok(time)
}

/// Reads messages a second; `none` is no limit.
pub(super) fn rate_limit(text: &str) -> Result<RateLimit, String> {
    if text == "none" {
        return Ok(RateLimit(None));
    }
    let number = whole(text, 1..=65_535).map_err(|why| format!("{why}, or none for no limit"))?;
    Ok(RateLimit(Some(number)))
}

fn time(text: &str, most_hours: u64) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number
        .parse()
        .map_err(|_| format!("{text:?} is no time, try 60s or 5m"))?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "" | "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        "d" => number * 86_400.0,
        _ => return Err(format!("unknown unit {unit:?}, take ms, s, m, h or d")),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time <= Duration::from_hours(most_hours) => Ok(time),
        _ => {
            let most = match most_hours {
                ..=24 => format!("{most_hours}h"),
                _ => format!("{}d", most_hours / 24),
            };
            Err(format!("{text:?} is out of range, at most {most}"))
        }
    }
}

fn whole<T: FromStr + PartialOrd + Display>(
    text: &str,
    range: impl RangeBounds<T>,
) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| match (range.start_bound(), range.end_bound()) {
        (Bound::Included(least), Bound::Included(most)) => {
            format!("give a whole number from {least} to {most}")
        }
        (Bound::Included(least), _) => format!("give a whole number from {least}"),
        _ => "give a whole number".to_owned(),
    })
}

fn real(text: &str, range: RangeInclusive<f64>) -> Result<f64, String> {
    // What is no number lies in no range.
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("give a number from {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use clap::{Arg, Command, CommandFactory as _, Parser as _};

    use super::super::Args;

    /// The value names of numbers and times.
    const NUMBERS: [&str; 5] = ["N", "TIME", "X", "CODE", "TASKS_PER_MINUTE"];

    /// Every option that takes a number, with the commands before it.
    fn numeric(command: &Command, path: &[String], found: &mut Vec<Vec<String>>) {
        let is_numeric = |arg: &&Arg| {
            let names = arg.get_value_names().unwrap_or_default();
            names.iter().any(|name| NUMBERS.contains(&name.as_str()))
        };
        for arg in command.get_arguments().filter(is_numeric) {
            let option = format!("--{}", arg.get_long().unwrap());
            found.push([path, &[option]].concat());
        }
        // What `verify` takes is looked at as a receiver would get it.
        for below in command
            .get_subcommands()
            .filter(|it| it.get_name() != "verify")
        {
            let path = [path, &[below.get_name().to_owned()]].concat();
            numeric(below, &path, found);
        }
    }

    fn refusal(words: &[String], value: &str) -> Option<String> {
        let words = words.iter().map(String::as_str).chain([value]);
        let error = Args::try_parse_from(["reeltop"].into_iter().chain(words)).err()?;
        Some(error.to_string())
    }

    #[test]
    fn a_grace_period_is_of_whole_seconds() {
        use super::{Duration, grace};

        assert_eq!(grace("0").unwrap(), Duration::ZERO);
        assert_eq!(grace("1.5m").unwrap(), Duration::from_secs(90));
        for bad in ["1ms", "0.5s", "1.5"] {
            assert!(
                grace(bad).unwrap_err().contains("whole number of seconds"),
                "{bad}"
            );
        }
    }

    #[test]
    fn what_is_no_number_is_refused_by_the_name_of_its_option_and_what_is_expected() {
        let mut found = Vec::new();
        numeric(&Args::command(), &[], &mut found);
        let limits = found
            .iter()
            .filter(|words| words.ends_with(&["--limit".to_owned()]));
        assert_eq!((found.len() > 20, limits.count()), (true, 6), "{found:?}");
        for words in &found {
            let option = words.last().unwrap();
            for value in ["x", "-1", "0"] {
                let Some(said) = refusal(words, value) else {
                    assert!(value == "0" && option != "--limit", "{words:?} {value}");
                    continue;
                };
                let is_missing = said.contains("required arguments were not provided");
                let names_it = said.contains(&format!("'{value}' for '{option} <"))
                    && (said.contains("give a ") || said.contains(", try "));
                assert!(
                    names_it || (value == "0" && is_missing),
                    "{words:?} {value}: {said}"
                );
            }
        }
    }
}
