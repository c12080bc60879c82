//! How an endpoint fares, in words: its rate of success, its times, its last hour.

use super::{Said, ago};
use crate::app::Tone;
use crate::domain::time::{SECOND, bound_words, duration_words, rough_words};
use crate::domain::{Answers, Beat, Endpoint, Failing, Health, NotRead, Standing, Time};

/// What it means that an endpoint is disabled, in a row.
pub const SILENT: &str = "nothing is sent";

/// Bars of the last hour by how many attempts were made.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Glyph, word and tone of an endpoint's state: failing where nothing succeeded since the last
/// failure, flaky where something did and messages are failing all the same. Of one whose attempts
/// are not read (`not_read`) nothing is known.
pub fn state(
    endpoint: &Endpoint,
    standing: Option<Standing>,
    health: &Health,
    not_read: Option<NotRead<'_>>,
) -> (&'static str, &'static str, Tone) {
    if endpoint.disabled {
        return ("⊘", "disabled", Tone::Bad);
    }
    match standing {
        _ if health.failing.is_some() => ("✗", "failing", Tone::Bad),
        Some(standing) if standing.failing > 0 => ("!", "flaky", Tone::Warn),
        standing => match (standing, not_read) {
            (_, Some(NotRead::Failed(_))) => ("?", "not read", Tone::Warn),
            // What one message that was opened tells of it is not how it fares.
            (_, Some(NotRead::Yet)) | (None, Some(NotRead::Absent)) => ("?", "not read", Tone::Dim),
            (Some(_), _) => ("✓", "healthy", Tone::Ok),
            (None, None) => ("·", "unused", Tone::Dim),
        },
    }
}

/// The part that succeeded: `98%`; neither all nor none is said of what is only nearly so.
pub fn rate(answers: &Answers) -> Said {
    let n_all = answers.n_attempts();
    let words = match answers.n_succeeded * 100 / n_all.max(1) {
        _ if n_all == 0 => return (Tone::Dim, "·".to_owned()),
        0 if answers.n_succeeded > 0 => "<1%".to_owned(),
        percent => format!("{percent}%"),
    };
    let tone = match answers.n_failed {
        0 => Tone::Text,
        n if n * 10 <= n_all => Tone::Warn,
        _ => Tone::Bad,
    };
    (tone, words)
}

/// The rate for a row, and of how long a time it is where that is less than the window.
pub fn rate_in(answers: &Answers, now: Time) -> Vec<Said> {
    let mut words = vec![rate(answers)];
    if answers.n_attempts() > 0
        && let Some(since) = answers.since
    {
        words.push((Tone::Dim, format!(" in {}", rough_words(now.since(since)))));
    }
    words
}

/// A percentile for a row: `≤41 ms`, as it is known from above alone.
pub fn took(ms: Option<u64>) -> Said {
    match ms {
        Some(ms) => (Tone::Text, at_most(ms, "")),
        None => (Tone::Dim, "·".to_owned()),
    }
}

/// A bound in milliseconds, rounded up: `≤41 ms`, `≤1.3 s`, `≤15.4 s`, `≤2m06s`. Whole milliseconds
/// are all that a service tells: 0 of them are less than one.
fn at_most(ms: u64, space: &str) -> String {
    let tenths = ms.div_ceil(100);
    let bound = match ms {
        0 => return format!("<{space}1 ms"),
        1..1000 => format!("{ms} ms"),
        1000..100_000 => format!("{}.{} s", tenths / 10, tenths % 10),
        _ => duration_words((ms.div_ceil(1000) * SECOND as u64) as i64),
    };
    format!("≤{space}{bound}")
}

/// A window in a sentence: `98% of 214 attempts since 12:03:10 · p50 ≤ 41 ms · p95 ≤ 1.3 s`.
pub fn window(answers: &Answers, now: Time, offset: i32) -> Vec<Said> {
    let n_all = answers.n_attempts();
    let since = answers
        .since
        .map(|since| format!(" since {}", since.day_clock(now, offset)));
    let since = since.unwrap_or_default();
    if n_all == 0 {
        return vec![(Tone::Dim, format!("no attempt known{since}"))];
    }
    let attempts = if n_all == 1 { "attempt" } else { "attempts" };
    let mut words = vec![
        rate(answers),
        (Tone::Text, format!(" of {n_all} {attempts}{since}")),
    ];
    if let (Some(p50), Some(p95)) = (answers.p50_ms, answers.p95_ms) {
        let times = format!(" · p50 {} · p95 {}", at_most(p50, " "), at_most(p95, " "));
        words.push((Tone::Text, times));
    }
    words
}

/// Since when it fails, for a row: `2h05m ×41` (`+` where it may be more), then when it may be disabled.
pub fn failing(failing: Option<Failing>, now: Time) -> Vec<Said> {
    let Some(failing) = failing else {
        return vec![(Tone::Dim, "·".to_owned())];
    };
    let more = if failing.is_at_least { "+" } else { "" };
    let since = duration_words(now.since(failing.since));
    let mut words = vec![(
        Tone::Bad,
        format!("{since}{more} ×{}{more}", failing.n_failures),
    )];
    if let Some(at) = failing.disabled_at {
        let left = at.since(now);
        let when = if left == 0 {
            "any time now".to_owned()
        } else if failing.is_at_least {
            // It may have failed for longer than is known.
            format!("within {}", bound_words(left))
        } else {
            format!("in {}", rough_words(left))
        };
        words.push((Tone::Warn, format!("  ⊘ {when} (est.)")));
    }
    words
}

/// Since when it fails, in a sentence.
pub fn failing_words(failing: Failing, now: Time, offset: i32) -> Said {
    let (least, more) = if failing.is_at_least {
        ("at least ", " or more")
    } else {
        ("", "")
    };
    (
        Tone::Bad,
        format!(
            "for {least}{}, since {} · {}{more} in a row without a success",
            duration_words(now.since(failing.since)),
            failing.since.date_clock(offset),
            failing.n_failures,
        ),
    )
}

/// When the service may disable it for that, in a sentence.
pub fn disabling_words(failing: Failing, now: Time) -> Option<Said> {
    let at = failing.disabled_at?;
    let left = at.since(now);
    let when = if left > 0 && failing.is_at_least {
        let left = bound_words(left);
        format!("within {left}, as it may have failed for longer")
    } else if left > 0 {
        format!("in about {}", rough_words(left))
    } else {
        "any time now".to_owned()
    };
    let words = format!("⊘ by the service {when} (estimate), if nothing succeeds until then");
    Some((Tone::Warn, words))
}

/// The last hour, a character for each slice: a bar where all attempts succeeded, the higher the
/// more there were; `!` where some failed, `✗` where all did.
pub fn last_hour(beats: &[Beat]) -> Vec<Said> {
    let most = beats.iter().map(|beat| beat.n_succeeded).max().unwrap_or(0);
    let mut words: Vec<Said> = Vec::new();
    for beat in beats {
        let (tone, glyph) = match (beat.n_succeeded, beat.n_failed) {
            (0, 0) => (Tone::Dim, '·'),
            (n, 0) => (Tone::Ok, BARS[((n * BARS.len()).div_ceil(most) - 1).min(7)]),
            (0, _) => (Tone::Bad, '✗'),
            _ => (Tone::Warn, '!'),
        };
        match words.last_mut() {
            Some((last, text)) if *last == tone => text.push(glyph),
            _ => words.push((tone, glyph.to_string())),
        }
    }
    words
}

/// What it means for an endpoint that it is disabled, in a sentence.
pub fn disabled_words(health: &Health, now: Time) -> String {
    let last = health.last_success.map_or_else(String::new, |at| {
        format!(" The last success known was {}.", ago(now, at))
    });
    format!(
        "⊘ {SILENT} here, not even resends, and what happens meanwhile is not sent later.{last} Enable it with m."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::EndpointId;

    fn answers(n_succeeded: usize, n_failed: usize) -> Answers {
        Answers {
            n_succeeded,
            n_failed,
            ..Answers::default()
        }
    }

    #[test]
    fn a_rate_says_all_or_none_only_where_it_is_so() {
        for (succeeded, failed, words, tone) in [
            (0, 0, "·", Tone::Dim),
            (9, 0, "100%", Tone::Text),
            (9999, 1, "99%", Tone::Warn),
            (1, 999, "<1%", Tone::Bad),
            (0, 3, "0%", Tone::Bad),
        ] {
            assert_eq!(rate(&answers(succeeded, failed)), (tone, words.to_owned()));
        }
    }

    #[test]
    fn an_endpoint_that_took_something_since_its_last_failure_is_not_failing() {
        let endpoint = Endpoint::inferred(EndpointId::new("ep_1"), "".into());
        let standing = |failing| {
            Some(Standing {
                delivered: 3,
                failing,
                other: 0,
            })
        };
        let row = Health {
            failing: Some(Failing {
                since: Time(0),
                is_at_least: false,
                n_failures: 1,
                disabled_at: None,
            }),
            ..Health::default()
        };
        let fine = Health::default();
        let word = |standing, health: &Health| state(&endpoint, standing, health, None).1;
        assert_eq!(word(standing(2), &row), "failing");
        assert_eq!(word(standing(2), &fine), "flaky");
        assert_eq!(word(standing(0), &fine), "healthy");
        // Its messages have left memory, or were delivered before.
        assert_eq!(word(standing(0), &row), "failing");
        assert_eq!(word(None, &fine), "unused");
        let unread = |standing, why| state(&endpoint, standing, &fine, Some(why)).1;
        for (why, seen) in [
            (NotRead::Yet, "not read"),
            (NotRead::Absent, "healthy"),
            (NotRead::Failed("500"), "not read"),
        ] {
            assert_eq!(unread(None, why), "not read");
            assert_eq!(unread(standing(0), why), seen);
            assert_eq!(unread(standing(2), why), "flaky");
        }
        let disabled = Endpoint {
            disabled: true,
            ..endpoint.clone()
        };
        assert_eq!(state(&disabled, standing(2), &row, None).1, "disabled");
    }

    #[test]
    fn a_percentile_is_a_bound_and_never_rounded_down() {
        for (ms, words) in [
            (0, "<1 ms"),
            (999, "≤999 ms"),
            (1000, "≤1.0 s"),
            (1201, "≤1.3 s"),
            (15_359, "≤15.4 s"),
            (99_999, "≤100.0 s"),
            (125_001, "≤2m06s"),
        ] {
            assert_eq!(took(Some(ms)).1, words);
        }
        assert_eq!(took(None), (Tone::Dim, "·".to_owned()));
        let known = Answers {
            p50_ms: Some(41),
            p95_ms: Some(1201),
            ..answers(2, 0)
        };
        let words: String = window(&known, Time(0), 0)
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        assert_eq!(words, "100% of 2 attempts · p50 ≤ 41 ms · p95 ≤ 1.3 s");
    }

    #[test]
    fn the_last_hour_tells_failures_without_color() {
        let beat = |n_succeeded, n_failed| Beat {
            n_succeeded,
            n_failed,
        };
        let beats = [beat(0, 0), beat(1, 0), beat(8, 0), beat(4, 1), beat(0, 2)];
        let text: String = last_hour(&beats)
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        assert_eq!(text, "·▁█!✗");
    }
}
