//! What a receiver got, in words.

use super::Said;
use crate::app::Tone;
use crate::domain::{Finding, visible};

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

/// The tone of the status that was answered.
pub fn answer_tone(code: u16) -> Tone {
    match code {
        200..300 => Tone::Text,
        _ => Tone::Bad,
    }
}
