//! What a receiver got, in words.

use super::Said;
use crate::app::Tone;
use crate::domain::{Again, Finding, visible};

/// Whether a request verifies, in a row.
pub fn finding_words(finding: &Finding) -> Vec<Said> {
    match finding {
        Finding::Unchecked => vec![(Tone::Dim, "· not checked, no secret".to_owned())],
        Finding::Verified(_) => vec![
            (Tone::Ok, "✓".to_owned()),
            (Tone::Text, " verified".to_owned()),
        ],
        Finding::Refused { why, .. } => vec![(Tone::Bad, format!("✗ {}", visible(why)))],
    }
}

/// What was found when a request was looked at again, for its page: when, by whose secrets, and
/// that its age does not count then.
pub fn again_words(again: &Again, when: &str) -> (Tone, String) {
    let whose = if again.is_by_others {
        ", by the secrets of other endpoints alone, as there is none of this receiver"
    } else {
        ""
    };
    let how = format!("{whose}, the age of its timestamp left aside");
    let (tone, how, found) = match &again.finding {
        Finding::Unchecked => (
            Tone::Dim,
            "",
            "· not checked, there was still no secret to check it with".to_owned(),
        ),
        Finding::Verified(by) => (
            Tone::Ok,
            how.as_str(),
            format!("✓ verified: {}", visible(by)),
        ),
        Finding::Refused { why, .. } => (
            Tone::Bad,
            how.as_str(),
            format!("✗ not verified: {}", visible(why)),
        ),
    };
    (tone, format!("looked at again {when}{how}: {found}"))
}

/// The same in a line of the requests before the latest.
pub fn again_short(again: &Again) -> Vec<Said> {
    let mut words = vec![(Tone::Dim, ", looked at again: ".to_owned())];
    words.extend(finding_words(&again.finding));
    words
}

/// The status that was answered; none where the sender had hung up.
pub fn answer_words(code: Option<u16>) -> Said {
    match code {
        Some(code @ 200..300) => (Tone::Text, code.to_string()),
        Some(code) => (Tone::Bad, code.to_string()),
        None => (Tone::Warn, "–".to_owned()),
    }
}
