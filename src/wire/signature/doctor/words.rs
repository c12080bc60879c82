//! What the doctor says: a word for machines, what happened, and what to do.

use super::{Cause, Diagnosis, Holder, Looks};
use crate::domain::time::duration_words;
use crate::wire::signature::TOLERANCE_S;
use crate::wire::signature::guess::Change;
use crate::wire::signature::key::KeyFault;

const RAW_BODY: &str = "Check the bytes as they came, before anything parses them: express.raw({type: 'application/json'}), Flask request.get_data(), FastAPI await request.body(), Rails request.raw_post, Go io.ReadAll(r.Body).";

impl Diagnosis {
    pub fn is_verified(&self) -> bool {
        self.cause.is_none()
    }

    /// One word for machines: `verified`, or the cause.
    pub fn name(&self) -> &'static str {
        self.cause.as_ref().map_or("verified", Cause::name)
    }

    /// What happened.
    pub fn words(&self) -> String {
        match (&self.cause, &self.by) {
            (None, Some((name, version))) => {
                format!("the {version} signature was made with {name}")
            }
            (None, None) => "the signature fits".to_owned(),
            (Some(cause), _) => self.cause_words(cause),
        }
    }

    fn cause_words(&self, cause: &Cause) -> String {
        let signed_by = self
            .by
            .as_ref()
            .map(|(name, _)| format!(" (made with {name})"))
            .unwrap_or_default();
        match cause {
            Cause::HeaderMissing(names) => {
                let verb = if names.len() == 1 { "is" } else { "are" };
                format!("{} {verb} missing or empty", names.join(", "))
            }
            Cause::Timestamp { is_millis: true } => {
                "the signature fits, but the timestamp is in milliseconds".to_owned()
            }
            Cause::Timestamp { is_millis: false } => {
                "the timestamp is no number of seconds".to_owned()
            }
            Cause::TooOld(age) => format!(
                "the signature fits, but it is {} old, {} more than the {} that are allowed",
                span(*age),
                span(age - TOLERANCE_S),
                span(TOLERANCE_S)
            ),
            Cause::TooNew(ahead) => format!(
                "the signature fits, but its time is {} in the future, {} more than the {} that are allowed",
                span(*ahead),
                span(ahead - TOLERANCE_S),
                span(TOLERANCE_S)
            ),
            Cause::Secret {
                name,
                fault,
                would_fit,
            } => {
                let rest = if *would_fit {
                    "; the secret inside it is the right one"
                } else {
                    ""
                };
                format!("the secret in {name} {fault}{rest}")
            }
            Cause::NoSignature { is_bare: true } => {
                "the signature has no version in front, as in v1,…".to_owned()
            }
            Cause::NoSignature { is_bare: false } => {
                "the header has no signature of a known version (v1, v1a)".to_owned()
            }
            Cause::OtherScheme { found: "v1a" } => {
                "the signature is ed25519 (v1a), and the secret is for HMAC (v1)".to_owned()
            }
            Cause::OtherScheme { .. } => {
                "the signature is HMAC (v1), and the key is for ed25519 (v1a)".to_owned()
            }
            Cause::OtherSecret {
                name,
                holder: Holder::Earlier,
            } => format!("signed with the secret before the rotation: {name}"),
            Cause::OtherSecret { name, .. } => {
                format!("signed with another endpoint's secret: {name}")
            }
            Cause::Undecoded { with_prefix } => {
                let how = if *with_prefix { "with" } else { "without" };
                format!(
                    "the sender took the secret's text, {how} its prefix, for the key instead of decoding it"
                )
            }
            Cause::Body(change) => format!("{}{signed_by}", change_words(change, self.body_form)),
            Cause::Empty {
                declared: Some(declared @ 1..),
            } => format!("the body is empty; it declares {declared} bytes"),
            Cause::Empty { .. } => "the body is empty".to_owned(),
            Cause::Cut {
                declared: Some(declared),
                got,
            } => format!("the body was cut short: {got} bytes of the {declared} that it declares"),
            Cause::Cut {
                declared: None,
                got,
            } => format!("the body was cut short: its JSON ends in the middle, after {got} bytes"),
            Cause::Byte { at, signed, got } => format!(
                "one byte of the body was altered: {} at offset {at}, where {} was signed{signed_by}",
                letter(*got),
                letter(*signed)
            ),
            Cause::Altered { .. } => {
                "no secret fits: the secret is another one, or body, id or timestamp differ from what was signed".to_owned()
            }
        }
    }

    /// What to do about it; empty when there is nothing to do.
    pub fn advice(&self) -> String {
        let text = match &self.cause {
            None if self.breaks_if_parsed => {
                "This body is not as JSON.stringify writes it: a receiver that checks JSON.stringify(req.body) refuses it. Check the bytes as they came."
            }
            None => "",
            Some(Cause::HeaderMissing(_)) => {
                "A proxy or framework may have dropped it, or the request did not come from the service."
            }
            Some(Cause::Timestamp { is_millis: true }) => {
                "Have the sender use whole seconds since 1970."
            }
            Some(Cause::Timestamp { .. }) => {
                "It is whole seconds since 1970, as text; see that nothing rewrites it."
            }
            Some(Cause::TooOld(_)) => {
                "A saved request grows old: --ignore-time or --at checks it as of then. If it was fresh, this machine's clock is ahead."
            }
            Some(Cause::TooNew(_)) => "One of the two clocks is wrong: look at both with date -u.",
            Some(Cause::Secret {
                fault: KeyFault::ByteOrderMark,
                ..
            }) => {
                "Save it as UTF-8 without a byte order mark (BOM): the text whsec_… alone, on one line."
            }
            Some(Cause::Secret { .. }) => {
                "Keep exactly the text whsec_… that the service shows, on one line."
            }
            Some(Cause::NoSignature { .. }) => {
                "The header is a list of version,signature separated by spaces; see that nothing rewrites it."
            }
            Some(Cause::OtherScheme { found: "v1a" }) => {
                "Give the endpoint's public key, whpk_…, instead."
            }
            Some(Cause::OtherScheme { .. }) => "Give the endpoint's secret, whsec_…, instead.",
            Some(Cause::OtherSecret {
                holder: Holder::Earlier,
                ..
            }) => {
                "Accept both secrets while the old one is valid (24 hours with Svix), then only the new one."
            }
            Some(Cause::OtherSecret { .. }) => {
                "Every endpoint has its own secret: give the receiver the one of the endpoint whose URL it serves."
            }
            Some(Cause::Undecoded { .. }) => {
                "The key is what base64 decodes from the part after whsec_."
            }
            Some(Cause::Body(Change::Written(_) | Change::Reordered(_))) => RAW_BODY,
            Some(Cause::Body(Change::PrettyPrinted(_))) => {
                "An editor, jq or a framework laid it out for people: check, and save, the bytes as they came."
            }
            Some(Cause::Empty { .. }) => {
                "Something took it before the check: a framework that parses bodies leaves an empty stream. Save the request as it came, with reeltop listen --save."
            }
            Some(Cause::Body(Change::Base64 | Change::Quoted)) => {
                "A gateway wrapped the body: undo that before checking."
            }
            Some(Cause::Body(_)) => {
                "An editor, a log or a proxy changed the ends of lines: check the bytes as they came."
            }
            Some(Cause::Cut { .. }) => {
                "Raise the limit for request bodies, or save the whole request."
            }
            Some(Cause::Byte { .. }) => {
                "Somebody or something changed it after it was signed: an editor, a proxy, or a bad copy. Refuse it, and save the request as it came, with reeltop listen --save."
            }
            Some(Cause::Altered { looks: Some(looks) }) => {
                let how = match looks {
                    Looks::Sorted => "The keys of the body are sorted",
                    Looks::PrettyPrinted => "The body is pretty-printed",
                };
                return format!(
                    "See that it is this endpoint's secret (reeltop verify --other-secret-file tells whose it is). {how}: if its sender does not write it so, something parsed it and wrote it again. {RAW_BODY}"
                );
            }
            Some(Cause::Altered { .. }) if self.n_signatures > 1 => {
                "Several signatures mean that the secret was rotated lately: fetch the current one. Else compare the body with what the service sent."
            }
            Some(Cause::Altered { .. }) => {
                "See that it is this endpoint's secret (reeltop verify --other-secret-file tells whose it is); then save the request as it came, with reeltop listen --save, and check that."
            }
        };
        text.to_owned()
    }
}

impl Cause {
    /// One word for machines.
    pub fn name(&self) -> &'static str {
        match self {
            Self::HeaderMissing(_) => "header_missing",
            Self::Timestamp { .. } => "timestamp_form",
            Self::TooOld(_) => "too_old",
            Self::TooNew(_) => "in_the_future",
            Self::Secret { .. } => "secret_form",
            Self::NoSignature { .. } => "signature_form",
            Self::OtherScheme { .. } => "other_scheme",
            Self::OtherSecret {
                holder: Holder::Earlier,
                ..
            } => "old_secret",
            Self::OtherSecret { .. } => "other_secret",
            Self::Undecoded { .. } => "secret_undecoded",
            Self::Body(Change::PrettyPrinted(_)) => "body_pretty_printed",
            Self::Body(Change::Written(_) | Change::Reordered(_)) => "body_rewritten",
            Self::Body(Change::Base64 | Change::Quoted) => "body_wrapped",
            Self::Body(_) => "line_ends",
            Self::Empty { .. } => "body_empty",
            Self::Cut { .. } => "body_cut",
            Self::Byte { .. } => "altered_byte",
            Self::Altered { .. } => "altered",
        }
    }
}

fn change_words(change: &Change, body_form: Option<&str>) -> String {
    let here = body_form
        .map(|form| format!("; this one is as {form}"))
        .unwrap_or_default();
    match change {
        Change::Written(form) => format!(
            "your framework parsed the body first: the signature fits the body as {}{here}",
            form.name
        ),
        Change::PrettyPrinted(form) => format!(
            "the body was pretty-printed: the signature fits it as {}",
            form.name
        ),
        Change::Reordered(form) => format!(
            "your framework parsed the body first and changed the order of its keys: the signature fits the documented order as {}{here}",
            form.name
        ),
        Change::LineEndAdded => "a line end or blanks were added at the end of the body".to_owned(),
        Change::LineEndLost => "the line end of the body was cut off".to_owned(),
        Change::CrLost => "the line ends of the body were CRLF and are LF now".to_owned(),
        Change::CrAdded => "the line ends of the body were LF and are CRLF now".to_owned(),
        Change::MarkAdded => "a byte order mark was put before the body".to_owned(),
        Change::Base64 => "the body is base64 of the one that was signed".to_owned(),
        Change::Quoted => "the body is a JSON string that holds the one that was signed".to_owned(),
    }
}

/// A byte for people: `'a' (0x61)`, or `0x0a`.
fn letter(byte: u8) -> String {
    if byte.is_ascii_graphic() {
        format!("{:?} (0x{byte:02x})", char::from(byte))
    } else {
        format!("0x{byte:02x}")
    }
}

fn span(seconds: i64) -> String {
    duration_words(seconds.saturating_mul(1_000_000))
}
