//! What happens to one delivery: judged, passed on, answered.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;
use reqwest::header::{CONNECTION, LOCATION};
use tokio_util::sync::CancellationToken;

use super::book::Entry;
use crate::cli::send::millis;
use crate::cli::verify::diagnosis;
use crate::domain::time::SECOND;
use crate::domain::{FailureKind, Time};
use crate::io::Clock;
use crate::io::post::{self, Headers, Outgoing, Poster};
use crate::server::inbox::{Answer, Sender};
use crate::wire::saved::Saved;
use crate::wire::signature::doctor::{Diagnosis, Held};
use crate::wire::signature::key::Key;

/// Headers of one connection, which are not passed on.
const OWN: [&str; 10] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "upgrade",
];

fn is_own(name: &str) -> bool {
    OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// What came of a delivery that was answered, and that answer for its sender.
fn passed_back(answer: post::Answer) -> (Passed, Answer) {
    let post::Answer {
        code,
        mut headers,
        body,
        cut,
        ..
    } = answer;
    let location = headers.get(LOCATION).filter(|_| (300..400).contains(&code));
    let location = location.map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
    // The connection names more that are its own (RFC 9110, 7.6.1).
    let named = headers.get_all(CONNECTION).iter();
    let named = named.filter_map(|names| names.to_str().ok());
    let named: Vec<String> = named
        .flat_map(|names| names.split(','))
        .map(|name| name.trim().to_owned())
        .collect();
    for name in OWN.iter().copied().chain(named.iter().map(String::as_str)) {
        headers.remove(name);
    }
    let outcome = Passed::Answered {
        code,
        location,
        cut,
    };
    (
        outcome,
        Answer {
            code,
            headers,
            body,
        },
    )
}

/// By what deliveries are judged and answered.
pub struct Desk {
    pub secrets: Vec<Held>,
    pub onward: Option<Onward>,
    pub status: Option<u16>,
    pub delay: Option<Duration>,
    /// Once cancelled, no delivery is waited for any more.
    pub ending: CancellationToken,
}

/// What is said of a delivery whose answer was not due yet when the command was ended.
pub const ENDED: &str = "reeltop listen was ended before its answer";

/// Where deliveries are passed on to.
pub struct Onward {
    pub url: Url,
    /// Signs them anew.
    pub key: Option<Key>,
    pub poster: Poster,
}

/// A delivery and what became of it.
#[derive(Debug)]
pub struct Delivery {
    pub request: Saved,
    pub received: Time,
    pub entry: Entry,
    /// `None` where there is no secret to check it with.
    pub found: Option<Diagnosis>,
    pub code: u16,
    /// Whether its sender was still there for it.
    pub is_answered: bool,
    /// Whether the command was ended before the answer was due, and this is another.
    pub is_cut_short: bool,
    pub forwarded: Option<Forwarded>,
    pub saved_as: Option<String>,
}

/// How passing it on went.
#[derive(Debug)]
pub struct Forwarded {
    pub outcome: Passed,
    pub took_ms: u64,
    /// Whether that was ended, and not waited for.
    pub is_cut_short: bool,
}

/// What came of passing a delivery on.
#[derive(Debug)]
pub enum Passed {
    /// It was answered.
    Answered {
        code: u16,
        /// Where a redirect leads, which is not followed.
        location: Option<String>,
        /// Why what is passed back is not the whole body, where it is not.
        cut: Option<String>,
    },
    /// It may have arrived, for all that is known; why there is no answer.
    Unknown(String),
    /// It surely never arrived, and why.
    NotSent(String),
}

impl Passed {
    /// The status that was answered.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Answered { code, .. } => Some(*code),
            Self::Unknown(_) | Self::NotSent(_) => None,
        }
    }

    /// Why there is no answer.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Answered { .. } => None,
            Self::Unknown(why) | Self::NotSent(why) => Some(why),
        }
    }
}

impl Desk {
    pub async fn handle(
        &self,
        request: Saved,
        received: Time,
        entry: Entry,
        saved_as: Option<String>,
    ) -> (Delivery, Answer) {
        let found =
            (!self.secrets.is_empty()).then(|| diagnosis(&request, &self.secrets, Some(received)));
        let fits = found.as_ref().is_none_or(Diagnosis::is_verified);
        let own = match &found {
            Some(found) if !fits => Answer::of(401, format!("not verified: {}", found.words())),
            _ => Answer::of(204, ""),
        };
        let mut forwarded = None;
        let mut answer = own;
        if let Some(onward) = &self.onward
            // Signed anew, what does not verify would look as if it did.
            && (fits || onward.key.is_none())
        {
            let (outcome, its) = onward.pass(&request, &self.ending).await;
            answer = its;
            forwarded = Some(outcome);
        }
        if let Some(code) = self.status {
            answer = Answer::of(code, "");
        }
        let delivery = Delivery {
            request,
            received,
            entry,
            found,
            code: answer.code,
            is_answered: false,
            is_cut_short: forwarded.as_ref().is_some_and(|it| it.is_cut_short),
            forwarded,
            saved_as,
        };
        (delivery, answer)
    }

    /// Answers what was handled, after the delay, unless its sender has hung up by then. Where the
    /// command is ended first, its sender is told so.
    pub async fn answer(&self, delivery: &mut Delivery, mut answer: Answer, mut sender: Sender) {
        if let Some(delay) = self.delay {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = sender.gone() => {}
                () = self.ending.cancelled() => delivery.is_cut_short = true,
            }
        }
        if delivery.is_cut_short {
            delivery.code = 503;
            answer = Answer::of(delivery.code, ENDED);
        }
        delivery.is_answered = sender.answer(answer).await;
    }
}

impl Onward {
    /// Posts it once, and gives what came of it with what is answered for it: the answer as it came,
    /// but for the headers of its connection. What is ended while it is under way may have been
    /// written by then.
    async fn pass(&self, request: &Saved, ending: &CancellationToken) -> (Forwarded, Answer) {
        let out = Outgoing {
            url: self.url.clone(),
            headers: self.headers(request),
            body: Bytes::from(request.body.clone()),
            pause: None,
        };
        let began = std::time::Instant::now();
        let is_begun = !ending.is_cancelled();
        let answer = ending.run_until_cancelled(self.poster.send(out)).await;
        let is_cut_short = answer.is_none();
        let (outcome, answer) = match answer {
            None if is_begun => (Passed::Unknown(ENDED.to_owned()), Answer::of(502, "")),
            None => (Passed::NotSent(ENDED.to_owned()), Answer::of(502, "")),
            Some(Ok(answer)) => passed_back(answer),
            Some(Err(failure)) => {
                let text = failure.to_string();
                let answer = Answer::of(502, text.clone());
                let outcome = match failure.kind {
                    FailureKind::Broken => Passed::Unknown(text),
                    _ => Passed::NotSent(text),
                };
                (outcome, answer)
            }
        };
        let forwarded = Forwarded {
            outcome,
            took_ms: millis(began.elapsed()),
            is_cut_short,
        };
        (forwarded, answer)
    }

    fn headers(&self, request: &Saved) -> Headers {
        let signature = request.signature();
        let names =
            ["id", "timestamp", "signature"].map(|name| format!("{}{name}", signature.family));
        let mut headers: Headers = request
            .headers
            .iter()
            .filter(|(name, _)| !is_own(name))
            .cloned()
            .collect();
        if let (Some(key), Some(id)) = (&self.key, signature.id) {
            let seconds = Clock::new().now().wall.0.div_euclid(SECOND);
            // Keys that cannot sign were refused before.
            let signed = key.sign(id, seconds, &request.body).unwrap_or_default();
            headers.retain(|(name, _)| !names.iter().any(|own| name.eq_ignore_ascii_case(own)));
            let [name_of_id, name_of_time, name_of_signature] = names;
            headers.extend([
                (name_of_id, id.to_owned()),
                (name_of_time, seconds.to_string()),
                (name_of_signature, signed),
            ]);
        }
        headers
    }
}
