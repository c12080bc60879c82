//! Numbers on the command line, each within what is of use.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::RateLimit;

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

/// Reads how long ago: up to the 90 days that a service keeps its messages (Svix).
pub(super) fn ago(text: &str) -> Result<Duration, String> {
    time(text, 90 * 24)
}

/// Reads a grace period: up to a week (Svix).
pub(super) fn grace(text: &str) -> Result<Duration, String> {
    time(text, 168)
}

/// Reads messages a second; `none` is no limit.
pub(super) fn rate_limit(text: &str) -> Result<RateLimit, String> {
    if text == "none" {
        return Ok(RateLimit(None));
    }
    let number = whole(text, 1..=65_535).map_err(|why| format!("{why}, or none for no limit"))?;
    Ok(RateLimit(Some(number as u64)))
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
        _ => Err(format!("{text:?} is out of range, at most {most_hours}h")),
    }
}

fn whole(text: &str, range: RangeInclusive<usize>) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        format!(
            "give a whole number from {} to {}",
            range.start(),
            range.end()
        )
    })
}

fn real(text: &str, range: RangeInclusive<f64>) -> Result<f64, String> {
    // What is no number lies in no range.
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("give a number from {} to {}", range.start(), range.end()))
}
