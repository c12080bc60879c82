//! The time behind `since:`: what people type, and the moment that it means.

use super::super::time::{SECOND, Time};

/// When and where a query is asked: `since:` depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub time: Time,
    /// Seconds east of UTC of the zone that times are shown in.
    pub utc_offset: i32,
}

/// Seconds in a day.
const DAY: i64 = 86_400;
/// Units of a time that is so long ago, in seconds.
const UNITS: [(char, i64); 4] = [('d', DAY), ('h', 3600), ('m', 60), ('s', 1)];

/// From when on, as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// `2h`, `1h30m`: so many microseconds ago.
    Ago(i64),
    /// `09:40`, `09:40:05`: the last time that a clock showed this, in seconds of the day.
    Clock(i64),
    /// `2026-11-22`, `2026-11-22T09:40`: by the clock that times are shown by.
    Shown(Time),
    /// `2026-11-22T09:40:00Z`: a moment.
    At(Time),
}

impl Since {
    /// Reads what stands behind `since:`. Errors say what could stand there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let read = || ago(text).or_else(|| clock(text)).or_else(|| date(text));
        read().ok_or_else(|| {
            format!("since:{text} is no time; try since:2h, since:09:40 or since:2026-11-22T09:40")
        })
    }

    /// The moment that is meant.
    pub fn time(self, now: Now) -> Time {
        let east = i64::from(now.utc_offset) * SECOND;
        match self {
            Self::Ago(micros) => now.time.plus(-micros),
            Self::Clock(second) => {
                let day = DAY * SECOND;
                let shown = now.time.plus(east).0;
                let today = shown - shown.rem_euclid(day) + second * SECOND;
                let latest = if today > shown { today - day } else { today };
                Time(latest).plus(-east)
            }
            Self::Shown(time) => time.plus(-east),
            Self::At(time) => time,
        }
    }
}

/// `2h`, `1h30m`: numbers with a unit each, 10 years at most.
fn ago(text: &str) -> Option<Since> {
    let mut seconds = 0_i64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let number: i64 = rest[..end].parse().ok()?;
        let mut letters = rest[end..].chars();
        let unit = letters.next()?.to_ascii_lowercase();
        let (_, each) = UNITS.iter().find(|(letter, _)| *letter == unit)?;
        seconds = seconds.checked_add(number.checked_mul(*each)?)?;
        rest = letters.as_str();
    }
    (1..=3650 * DAY)
        .contains(&seconds)
        .then(|| Since::Ago(seconds * SECOND))
}

/// `09:40` or `09:40:05`.
fn clock(text: &str) -> Option<Since> {
    let is_short = text.len() == 5;
    let whole = format!("1970-01-01T{text}{}", if is_short { ":00" } else { "" });
    let time = (whole.len() == 19).then(|| Time::parse(&whole))??;
    let second = time.0 / SECOND;
    (0..DAY).contains(&second).then_some(Since::Clock(second))
}

/// A day, a time of a day, or a moment.
fn date(text: &str) -> Option<Since> {
    let missing = match text.len() {
        10 => "T00:00:00",
        16 => ":00",
        _ => "",
    };
    let time = Time::parse(&format!("{text}{missing}"))?;
    let is_zoned = text
        .get(19..)
        .is_some_and(|tail| tail.contains(['Z', 'z', '+', '-']));
    Some(if is_zoned {
        Since::At(time)
    } else {
        Since::Shown(time)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    /// 2026-11-22T10:00:00Z.
    const NOW: Time = Time::from_seconds(1_795_341_600);

    fn meant(text: &str, utc_offset: i32) -> String {
        let since = Since::parse(text).unwrap();
        let now = Now {
            time: NOW,
            utc_offset,
        };
        since.time(now).rfc3339()
    }

    #[test]
    fn each_form_means_a_moment_by_the_clock_that_is_shown() {
        for (text, utc, in_rome) in [
            ("2h", "2026-11-22T08:00:00", "2026-11-22T08:00:00"),
            ("1h30m", "2026-11-22T08:30:00", "2026-11-22T08:30:00"),
            ("3d", "2026-11-19T10:00:00", "2026-11-19T10:00:00"),
            ("09:40", "2026-11-22T09:40:00", "2026-11-22T08:40:00"),
            ("10:30:05", "2026-11-21T10:30:05", "2026-11-22T09:30:05"),
            ("2026-11-22", "2026-11-22T00:00:00", "2026-11-21T23:00:00"),
            (
                "2026-11-20T09:40",
                "2026-11-20T09:40:00",
                "2026-11-20T08:40:00",
            ),
            (
                "2026-11-20 09:40:30",
                "2026-11-20T09:40:30",
                "2026-11-20T08:40:30",
            ),
            (
                "2026-11-20T09:40:30Z",
                "2026-11-20T09:40:30",
                "2026-11-20T09:40:30",
            ),
            (
                "2026-11-20T09:40:30+02:00",
                "2026-11-20T07:40:30",
                "2026-11-20T07:40:30",
            ),
        ] {
            assert_eq!(meant(text, 0), format!("{utc}.000Z"), "{text}");
            assert_eq!(meant(text, 3600), format!("{in_rome}.000Z"), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_told_with_what_would_be() {
        for text in [
            "",
            "2",
            "h",
            "0s",
            "2w",
            "2h5",
            "25:00",
            "24:00",
            "9:40",
            "yesterday",
            "99999999999d",
            "2026-13-01",
            "2026-11-22T",
            "é9:40",
        ] {
            let why = Since::parse(text).unwrap_err();
            assert!(why.contains("since:2h"), "{text}: {why}");
        }
    }
}
