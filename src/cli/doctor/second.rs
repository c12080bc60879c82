//! The second opinion: what an off-the-shelf client made of the same seconds of stream, and where
//! it differs from what reeltop read.

use std::time::Duration;

use super::report::Line;
use crate::domain::plural;
use crate::io::listen::Heard;
use crate::io::opinion::{End, Opinion, Sight};

const CHECK: &str = "second opinion";
/// Two connections do not open and close at the same moment: what came so close to either end may
/// be missing on one of them.
const EDGE: Duration = Duration::from_millis(800);

/// Compares the two readings.
pub fn judge(heard: &Heard) -> Line {
    let opinion = match &heard.opinion {
        Ok(opinion) => opinion,
        Err(why) => {
            let hint = "nothing is wrong with reeltop's own reading; try again to compare the two";
            return Line::warning(CHECK, format!("could not be had: {why}"), hint);
        }
    };
    let told = match &opinion.end {
        End::Crashed if heard.has_byte_order_mark => {
            Some("off-the-shelf readers crash on this stream's byte order mark".to_owned())
        }
        End::Crashed => Some("off-the-shelf readers crash on this stream".to_owned()),
        End::Stuck => Some("an off-the-shelf reader is kept busy by this stream".to_owned()),
        End::GaveUp(why) => Some(format!("an off-the-shelf reader gives up: {why}")),
        End::Ended if heard.end.is_none() => {
            Some("an off-the-shelf reader's connection ended before its time".to_owned())
        }
        End::Ended | End::Stopped => difference(heard, opinion),
    };
    if let Some(what) = told {
        let hint = "reeltop reads it all the same; programs with such a client (here: \
                        reqwest-eventsource) do not";
        return Line::warning(CHECK, what, hint);
    }
    match opinion.sights.len() {
        0 => Line::warning(
            CHECK,
            "reqwest-eventsource connects; no event came to compare",
            "listen longer with --wait 2m",
        ),
        n => {
            let n = plural(n, "event", "events");
            Line::ok(CHECK, format!("reqwest-eventsource agrees on {n}"))
        }
    }
}

/// Where the two differ, in words; `None` if they do not.
fn difference(heard: &Heard, opinion: &Opinion) -> Option<String> {
    let Some(opened) = opinion.opened else {
        return Some("an off-the-shelf reader got no answer meanwhile".to_owned());
    };
    let (ours, theirs) = (&heard.sights, &opinion.sights);
    let last = heard.until.checked_sub(EDGE).unwrap_or(heard.until);
    let is_due = |sight: &&Sight| sight.at > opened + EDGE && sight.at < last;
    if theirs.is_empty() {
        let n = ours.iter().filter(is_due).count();
        return (n > 0).then(|| {
            let n = plural(n, "event", "events");
            format!("an off-the-shelf reader saw none of {n}")
        });
    }
    let Some((i, j)) = aligned(ours, theirs) else {
        let is_new = ours.iter().filter(is_due).count() > 0;
        return is_new.then(|| "the two readers saw no event in common".to_owned());
    };
    let (ours, theirs) = (&ours[i..], &theirs[j..]);
    let differing: Vec<(usize, String)> = ours
        .iter()
        .zip(theirs)
        .enumerate()
        .filter_map(|(at, (own, other))| Some((at, unlike(own, other)?)))
        .collect();
    if let Some((at, how)) = differing.first() {
        let n = differing.len();
        let at = at + 1;
        return Some(format!(
            "{n} of the events differ for an off-the-shelf reader; event {at}: {how}"
        ));
    }
    let missing = |longer: &[Sight], shorter: usize| {
        let rest = longer.get(shorter..).unwrap_or_default();
        rest.iter().filter(|sight| sight.at < last).count()
    };
    match (missing(ours, theirs.len()), missing(theirs, ours.len())) {
        (0, 0) => None,
        (n, 0) => Some(format!(
            "an off-the-shelf reader falls silent after {}; {n} more came",
            plural(theirs.len(), "event", "events")
        )),
        (_, n) => Some(format!(
            "an off-the-shelf reader saw {} that reeltop's connection did not bring",
            plural(n, "event", "events")
        )),
    }
}

/// Where the two readings begin to be of the same events.
fn aligned(ours: &[Sight], theirs: &[Sight]) -> Option<(usize, usize)> {
    let (own, other) = (ours.first()?, theirs.first()?);
    let later = ours.iter().position(|sight| sight.data == other.data);
    let earlier = theirs.iter().position(|sight| sight.data == own.data);
    match (later, earlier) {
        (Some(i), Some(j)) if j < i => Some((0, j)),
        (Some(i), _) => Some((i, 0)),
        (None, Some(j)) => Some((0, j)),
        (None, None) => None,
    }
}

fn unlike(own: &Sight, other: &Sight) -> Option<String> {
    if own.data != other.data {
        let (here, there) = (own.data.0, other.data.0);
        return Some(format!("{here} bytes of data here, {there} there"));
    }
    if own.kind != other.kind {
        return Some(format!(
            "type \"{}\" here, \"{}\" there",
            own.kind, other.kind
        ));
    }
    (own.id != other.id).then(|| format!("id \"{}\" here, \"{}\" there", own.id, other.id))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use reqwest::Url;
    use tokio::time::Instant;

    use super::super::report::State;
    use super::*;
    use crate::io::client::masking::Masking;
    use crate::wire::sse::Counters;

    /// Sights of events, at so many tenths of a second.
    fn sights(began: Instant, all: &[(u64, &str, &str, &str)]) -> Vec<Sight> {
        all.iter()
            .map(|(at, kind, id, data)| Sight {
                at: began + Duration::from_millis(at * 100),
                ..Sight::now(kind, id, data, &Masking::new(None).unwrap())
            })
            .collect()
    }

    fn verdict(
        ours: &[(u64, &str, &str, &str)],
        theirs: &[(u64, &str, &str, &str)],
        end: End,
    ) -> Line {
        let began = Instant::now();
        let opinion = Opinion {
            opened: Some(began),
            sights: sights(began, theirs),
            end,
        };
        judge(&Heard {
            url: Url::parse("http://127.0.0.1/events").unwrap(),
            began,
            until: began + Duration::from_secs(10),
            first_event: None,
            first_comment: None,
            silence: Duration::ZERO,
            bytes: 0,
            counters: Counters::default(),
            has_byte_order_mark: false,
            n_no_utf8: 0,
            unreadable: (0, None),
            has_ids: true,
            sights: sights(began, ours),
            end: None,
            opinion: Ok(opinion),
        })
    }

    const A: (u64, &str, &str, &str) = (20, "task.progress", "1", "a");
    const B: (u64, &str, &str, &str) = (30, "task.progress", "2", "b");
    const C: (u64, &str, &str, &str) = (40, "task.failed", "3", "c");

    #[test]
    fn readers_that_agree_are_well() {
        for (ours, theirs) in [
            (vec![A, B, C], vec![A, B, C]),
            // One connected later, one was cut earlier.
            (vec![A, B, C], vec![B, C]),
            (vec![B, C], vec![A, B, C]),
            (vec![A, B, (95, "x", "4", "d")], vec![A, B]),
        ] {
            let line = verdict(&ours, &theirs, End::Stopped);
            assert_eq!(
                line.state,
                State::Ok,
                "{ours:?} {theirs:?}: {}",
                line.detail
            );
        }
    }

    #[test]
    fn where_nothing_was_compared_nobody_agrees() {
        for ours in [vec![], vec![(1, "x", "0", "z")]] {
            let line = verdict(&ours, &[], End::Stopped);
            assert_eq!(line.state, State::Warning, "{ours:?}: {}", line.detail);
            assert!(line.detail.contains("no event came to compare"));
        }
    }

    #[test]
    fn differences_are_told() {
        for (ours, theirs, end, words) in [
            (
                vec![A, B, C],
                vec![A],
                End::Stopped,
                "silent after 1 event; 2 more",
            ),
            (vec![A, B], vec![], End::Stopped, "none of 2 events"),
            (vec![A], vec![B], End::Stopped, "no event in common"),
            (vec![A], vec![A, B], End::Stopped, "saw 1 event that"),
            (
                vec![A, B],
                vec![A, (30, "task.progress", "", "b")],
                End::Stopped,
                "event 2: id \"2\" here, \"\" there",
            ),
            (
                vec![A, B, C],
                vec![A, (30, "task.progress", "2", "bb"), C],
                End::Stopped,
                "1 of the events differ for an off-the-shelf reader; event 2: 1 bytes",
            ),
            (vec![A], vec![A], End::Ended, "before its time"),
            (vec![A], vec![], End::Crashed, "crash"),
            (vec![A], vec![], End::Stuck, "busy"),
            (vec![A], vec![], End::GaveUp("no".into()), "gives up: no"),
        ] {
            let line = verdict(&ours, &theirs, end);
            assert_eq!(line.state, State::Warning);
            assert!(line.detail.contains(words), "{words}: {}", line.detail);
        }
    }
}
