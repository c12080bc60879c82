//! What the checks that failed have in common, so that one cause is said once.

/// What a right receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Taken,
    Refused,
    TakenOrTooLarge,
}

impl Expected {
    pub fn words(self) -> &'static str {
        match self {
            Self::Taken => "2xx",
            Self::Refused => "4xx",
            Self::TakenOrTooLarge => "2xx or 413",
        }
    }

    pub fn holds(self, code: u16) -> bool {
        match self {
            Self::Taken => (200..300).contains(&code),
            Self::Refused => (400..500).contains(&code),
            Self::TakenOrTooLarge => (200..300).contains(&code) || code == 413,
        }
    }
}

/// What a receiver lacks that takes whatever comes.
const TRUSTS: &str = "nothing is refused: check the signature of each request before anything else, \
    and answer 400 or 401 where none fits; otherwise anybody who knows the URL can send events";

/// Why what was refused is no good sign where nothing was taken.
const REFUSES: &str = "what should be refused was refused as everything is: check again once a \
    signed request is taken";

/// How a check went, for what it may have in common with others.
pub struct Row {
    pub name: &'static str,
    pub expected: Expected,
    /// The last answer in words.
    pub answer: String,
    pub passed: bool,
    /// What to do where it failed, were it the only one.
    pub advice: &'static str,
}

/// What to do, a line for each cause.
pub fn causes(rows: &[Row]) -> Vec<String> {
    let n_failed = rows.iter().filter(|row| !row.passed).count();
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in rows.iter().filter(|row| !row.passed) {
        let advice = shared(rows, row);
        match groups.iter_mut().find(|(known, _)| *known == advice) {
            Some((_, names)) => names.push(row.name),
            None => groups.push((advice, vec![row.name])),
        }
    }
    let mut lines: Vec<String> = groups
        .into_iter()
        .map(|(advice, names)| {
            if names.len() == n_failed && n_failed > 1 {
                format!("one cause for all {n_failed} that failed: {advice}")
            } else {
                format!("{}: {advice}", names.join(", "))
            }
        })
        .collect();
    let is_taken = |row: &Row| row.expected != Expected::Refused && row.passed;
    let is_refused = |row: &Row| row.expected == Expected::Refused && row.passed;
    if !rows.iter().any(is_taken) && rows.iter().any(is_refused) {
        lines.push(REFUSES.to_owned());
    }
    lines
}

/// What to do about a row, whatever else failed with it for the same reason: where the plainest
/// request is not taken, nothing that is answered so says more; where nothing at all is refused,
/// nothing is checked.
fn shared(rows: &[Row], row: &Row) -> &'static str {
    if row.expected == Expected::Refused {
        let mut refusals = rows.iter().filter(|row| row.expected == Expected::Refused);
        let takes = |row: &Row| row.answer.starts_with('2');
        return if refusals.all(takes) {
            TRUSTS
        } else {
            row.advice
        };
    }
    match rows.first() {
        Some(plainest) if !plainest.passed && plainest.answer == row.answer => plainest.advice,
        _ => row.advice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(
        name: &'static str,
        expected: Expected,
        answer: &str,
        passed: bool,
        advice: &'static str,
    ) -> Row {
        Row {
            name,
            expected,
            answer: answer.to_owned(),
            passed,
            advice,
        }
    }

    #[test]
    fn one_cause_is_said_once() {
        use Expected::{Refused, Taken};
        let refusing = [
            row("signed", Taken, "401", false, "another secret"),
            row("duplicate id", Taken, "401", false, "take it twice"),
            row("old timestamp", Refused, "401", true, "too old"),
        ];
        assert_eq!(
            causes(&refusing),
            ["one cause for all 2 that failed: another secret", REFUSES]
        );

        let trusting = [
            row("signed", Taken, "200", true, ""),
            row("no headers", Refused, "200", false, "unsigned"),
            row("old timestamp", Refused, "204", false, "too old"),
        ];
        assert_eq!(
            causes(&trusting),
            [format!("one cause for all 2 that failed: {TRUSTS}")]
        );
    }

    #[test]
    fn what_has_causes_of_its_own_keeps_them() {
        use Expected::{Refused, Taken};
        let rows = [
            row("signed", Taken, "204", true, ""),
            row("blanks", Taken, "401", false, "raw body"),
            row("wrong signature", Refused, "401", true, ""),
            row("old timestamp", Refused, "204", false, "too old"),
            row("future timestamp", Refused, "204", false, "too old"),
        ];
        assert_eq!(
            causes(&rows),
            [
                "blanks: raw body",
                "old timestamp, future timestamp: too old"
            ]
        );
        assert!(causes(&rows[..1]).is_empty());
    }
}
