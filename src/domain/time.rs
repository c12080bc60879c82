//! Times and durations: microseconds UTC, and the words people read.

use std::fmt;
use std::time::Duration;

/// A moment, in microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub i64);

/// When something was received: by the wall clock, and in microseconds since the program began,
/// which no correction of the wall clock moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    pub wall: Time,
    pub mono: i64,
}

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400;

impl Time {
    /// Reads RFC 3339 and what services send instead: no zone (UTC), a space for `T`, 0 to 9
    /// fraction digits, `+0200`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_ascii(text.trim().as_bytes())
    }

    /// The same from bytes without white space around them.
    pub fn from_ascii(text: &[u8]) -> Option<Self> {
        let head = text.get(..19)?;
        if head[4] != b'-'
            || head[7] != b'-'
            || !matches!(head[10], b'T' | b't' | b' ')
            || head[13] != b':'
            || head[16] != b':'
        {
            return None;
        }
        let year = two(head, 0)? * 100 + two(head, 2)?;
        let (month, day) = (two(head, 5)?, two(head, 8)?);
        let (hour, minute, second) = (two(head, 11)?, two(head, 14)?, two(head, 17)?);
        if !(1..=12).contains(&month)
            || !(1..=days_in(year, month)).contains(&day)
            || hour > 24
            || minute > 59
            || second > 60
        {
            return None;
        }
        let mut rest = &text[19..];
        let mut fraction = 0;
        if let [b'.' | b',', digits @ ..] = rest {
            let n_digits = digits.iter().take_while(|b| b.is_ascii_digit()).count();
            if n_digits == 0 {
                return None;
            }
            let six = digits[..n_digits].iter().chain(b"000000").take(6);
            fraction = six.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
            rest = &digits[n_digits..];
        }
        let offset = zone_offset(rest)?;
        let seconds =
            days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
        Some(Self(seconds * SECOND + fraction))
    }

    /// From whole seconds since 1970.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// `2026-11-22T14:02:25.000Z`, the form of every machine output.
    pub fn rfc3339(self) -> String {
        let p = Parts::of(self, 0);
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            p.year,
            p.month,
            p.day,
            p.hour,
            p.minute,
            p.second,
            p.micros / 1000
        )
    }

    /// `14:02:25` in the zone `offset` seconds east of UTC.
    pub fn clock(self, offset: i32) -> String {
        let p = Parts::of(self, offset);
        format!("{:02}:{:02}:{:02}", p.hour, p.minute, p.second)
    }

    /// `2026-11-22 14:02:25` in the zone `offset` seconds east of UTC.
    pub fn date_clock(self, offset: i32) -> String {
        let p = Parts::of(self, offset);
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            p.year, p.month, p.day, p.hour, p.minute, p.second
        )
    }

    /// `14:02:25` where that is on the day of `now`, else with its day: `11-21 14:02:25`, and
    /// `2025-11-21 14:02:25` of another year.
    pub fn day_clock(self, now: Self, offset: i32) -> String {
        let (own, today) = (Parts::of(self, offset), Parts::of(now, offset));
        if (own.month, own.day, own.year) == (today.month, today.day, today.year) {
            self.clock(offset)
        } else if own.year == today.year {
            let clock = self.clock(offset);
            format!("{:02}-{:02} {clock}", own.month, own.day)
        } else {
            self.date_clock(offset)
        }
    }

    /// Microseconds from `earlier` to this; never negative, as clocks may disagree.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }

    /// This moment and `micros` more.
    #[must_use]
    pub fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// A duration in microseconds as people read it: `4s`, `3m12s`, `2h05m`, `3d`.
pub fn duration_words(micros: i64) -> String {
    let seconds = micros.max(0) / SECOND;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..DAY => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d", seconds / DAY),
    }
}

/// A duration in microseconds for the ticks of an axis: with a decimal where seconds are too coarse.
pub fn tick_words(micros: i64) -> String {
    if micros < 20 * SECOND && micros % SECOND != 0 {
        return format!("{:.1}s", micros.max(0) as f64 / SECOND as f64);
    }
    duration_words(micros)
}

/// A span of time in microseconds, cut to what fits.
pub fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// A duration in microseconds roughly, as an estimate is said: `4s`, `4m`, `2h43m`, `3d06h`.
pub fn rough_words(micros: i64) -> String {
    let seconds = (micros.max(0) + SECOND / 2) / SECOND;
    match seconds {
        0..100 => format!("{seconds}s"),
        100..5400 => format!("{}m", (seconds + 30) / 60),
        5400..172_770 => {
            let minutes = (seconds + 30) / 60;
            format!("{}h{:02}m", minutes / 60, minutes % 60)
        }
        _ => {
            let hours = (seconds + 1800) / 3600;
            format!("{}d{:02}h", hours / 24, hours % 24)
        }
    }
}

/// An upper bound of a duration in microseconds, never less than it is: `4m`, `3h`, `5d`.
pub fn bound_words(micros: i64) -> String {
    let seconds = micros.max(0).unsigned_abs().div_ceil(SECOND.unsigned_abs());
    match seconds {
        0..100 => format!("{seconds}s"),
        100..5400 => format!("{}m", seconds.div_ceil(60)),
        5400..172_800 => format!("{}h", seconds.div_ceil(3600)),
        _ => format!("{}d", seconds.div_ceil(86_400)),
    }
}

/// From so long after its estimated time on, a retry counts as overdue, in microseconds: an attempt
/// may take 30 s to time out, and is in the log only then (svix.md part 6).
pub const OVERDUE: i64 = 60 * SECOND;

/// When something is due that was estimated for a time: `due in about 4s`, `due now`, `overdue by 3m`.
pub fn due_words(at: Time, now: Time, about: &str) -> String {
    let (left, over) = (at.since(now), now.since(at));
    // What would be 0 seconds in words.
    if left < SECOND / 2 && over < OVERDUE {
        "due now".to_owned()
    } else if left > 0 {
        format!("due in {about}{}", rough_words(left))
    } else {
        format!("overdue by {}", rough_words(over))
    }
}

struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
}

impl Parts {
    fn of(time: Time, offset: i32) -> Self {
        let seconds = time.0.div_euclid(SECOND).saturating_add(i64::from(offset));
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
        let of_day = seconds.rem_euclid(DAY);
        Self {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day % 3600 / 60,
            second: of_day % 60,
            micros: time.0.rem_euclid(SECOND),
        }
    }
}

fn two(text: &[u8], at: usize) -> Option<i64> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// Seconds east of UTC of `Z`, nothing, `+02:00`, `+0200` or `+02`.
fn zone_offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [] | [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let (hours, minutes) = match rest.len() {
                2 => (two(rest, 0)?, 0),
                4 => (two(rest, 0)?, two(rest, 2)?),
                5 if rest[2] == b':' => (two(rest, 0)?, two(rest, 3)?),
                _ => return None,
            };
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, counted in 400-year eras
/// that begin in March, so that the leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_that_a_service_sends() {
        let second = Time::parse("2026-11-22T14:02:25Z");
        assert!(second.is_some());
        for same in [
            "2026-11-22T14:02:25",
            "2026-11-22 14:02:25+00:00",
            "2026-11-22T15:02:25+01:00",
            "2026-11-22T09:02:25.000-0500",
            "2026-11-22t14:02:25.0z",
        ] {
            assert_eq!(Time::parse(same), second, "{same}");
        }
        assert_eq!(
            Time::parse("2026-11-22T14:02:25.123456789Z").map(|t| t.0 % SECOND),
            Some(123_456)
        );
        assert_eq!(Time::parse("1970-01-01T00:00:00Z"), Some(Time(0)));
        assert_eq!(
            Time::parse("2000-02-29T00:00:00Z")
                .map(Time::rfc3339)
                .as_deref(),
            Some("2000-02-29T00:00:00.000Z")
        );
    }

    #[test]
    fn refuses_what_is_no_time() {
        for bad in [
            "",
            "now",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-11-22T14:02:25.Z",
            "2026-11-22T14:02:25+2",
            "2026-11-22T14:02",
            "2026-11-22T14:02:25Q",
            "２026-11-22T14:02:25Z",
        ] {
            assert_eq!(Time::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn words_grow_coarser() {
        assert_eq!(duration_words(4 * SECOND), "4s");
        assert_eq!(duration_words(192 * SECOND), "3m12s");
        assert_eq!(duration_words(7500 * SECOND), "2h05m");
        assert_eq!(duration_words(3 * DAY * SECOND + 5), "3d");
        assert_eq!(duration_words(-5), "0s");
        for (seconds, words) in [
            (99, "99s"),
            (100, "2m"),
            (5_399, "90m"),
            (5_400, "1h30m"),
            (9_780, "2h43m"),
            (9_809, "2h43m"),
            (9_810, "2h44m"),
            (172_769, "47h59m"),
            (172_770, "2d00h"),
            (3 * DAY + 21_000, "3d06h"),
        ] {
            assert_eq!(rough_words(seconds * SECOND), words);
        }
        for (seconds, words) in [
            (99, "99s"),
            (121, "3m"),
            (7201, "3h"),
            (4 * DAY + 86_100, "5d"),
            (5 * DAY, "5d"),
        ] {
            assert_eq!(bound_words(seconds * SECOND), words);
        }
        for (left, words) in [
            (7 * SECOND, "due in about 7s"),
            (SECOND / 2, "due in about 1s"),
            (SECOND / 2 - 1, "due now"),
            (0, "due now"),
            (1 - OVERDUE, "due now"),
            (-OVERDUE, "overdue by 60s"),
            (-200 * SECOND, "overdue by 3m"),
        ] {
            assert_eq!(due_words(Time(left), Time(0), "about "), words);
        }
    }

    #[test]
    fn zones_shift_the_clock_only() {
        assert_eq!(Time(0).clock(3600), "01:00:00");
        assert_eq!(Time(0).date_clock(-3600), "1969-12-31 23:00:00");
    }

    #[test]
    fn a_time_of_another_day_has_its_day() {
        let noon = 43_200 * SECOND;
        let at = |days: i64| Time(days * DAY * SECOND + noon);
        let shown = |days, offset| at(days).day_clock(at(10), offset);
        assert_eq!(shown(10, 0), "12:00:00");
        assert_eq!(shown(9, 0), "01-10 12:00:00");
        assert_eq!(shown(11, 0), "01-12 12:00:00");
        assert_eq!(shown(-1, 0), "1969-12-31 12:00:00");
        // The day is that of the zone.
        let late = Time(10 * DAY * SECOND);
        assert_eq!(late.day_clock(at(10), 0), "00:00:00");
        assert_eq!(late.day_clock(at(10), -3600), "01-10 23:00:00");
    }
}
