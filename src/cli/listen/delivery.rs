//! What happens to one delivery: judged, passed on, answered.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;

use super::book::Entry;
use crate::cli::send::millis;
use crate::cli::verify::diagnosis;
use crate::domain::Time;
use crate::domain::time::SECOND;
use crate::io::Clock;
use crate::io::post::{Headers, Outgoing, Poster};
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

/// By what deliveries are judged and answered.
pub struct Desk {
    pub secrets: Vec<Held>,
    pub onward: Option<Onward>,
    pub status: Option<u16>,
    pub delay: Option<Duration>,
}

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
    pub forwarded: Option<Forwarded>,
    pub saved_as: Option<String>,
}

/// How passing it on went.
#[derive(Debug)]
pub struct Forwarded {
    /// The status, or why there is none.
    pub outcome: Result<u16, String>,
    pub took_ms: u64,
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
            Some(found) if !fits => Answer {
                code: 401,
                body: format!("not verified: {}", found.words()).into_bytes(),
            },
            _ => Answer {
                code: 204,
                body: Vec::new(),
            },
        };
        let mut forwarded = None;
        let mut answer = own;
        if let Some(onward) = &self.onward
            // Signed anew, what does not verify would look as if it did.
            && (fits || onward.key.is_none())
        {
            let (outcome, body) = onward.pass(&request).await;
            let code = outcome.outcome.as_ref().copied().unwrap_or(502);
            answer = Answer { code, body };
            forwarded = Some(outcome);
        }
        if let Some(code) = self.status {
            answer = Answer {
                code,
                body: Vec::new(),
            };
        }
        let delivery = Delivery {
            request,
            received,
            entry,
            found,
            code: answer.code,
            is_answered: true,
            forwarded,
            saved_as,
        };
        (delivery, answer)
    }

    /// Answers what was handled, after the delay, unless its sender has hung up by then.
    pub async fn answer(&self, delivery: &mut Delivery, answer: Answer, mut sender: Sender) {
        if let Some(delay) = self.delay {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = sender.gone() => {}
            }
        }
        delivery.is_answered = sender.answer(answer);
    }
}

impl Onward {
    /// Posts it once, and gives what came of it with the answer's body.
    async fn pass(&self, request: &Saved) -> (Forwarded, Vec<u8>) {
        let out = Outgoing {
            url: self.url.clone(),
            headers: self.headers(request),
            body: Bytes::from(request.body.clone()),
            pause: None,
        };
        let began = std::time::Instant::now();
        let answer = self.poster.send(out).await;
        let took_ms = millis(began.elapsed());
        match answer {
            Ok(answer) => (
                Forwarded {
                    outcome: Ok(answer.code),
                    took_ms,
                },
                answer.body,
            ),
            Err(failure) => {
                let text = failure.to_string();
                let forwarded = Forwarded {
                    outcome: Err(text.clone()),
                    took_ms,
                };
                (forwarded, text.into_bytes())
            }
        }
    }

    fn headers(&self, request: &Saved) -> Headers {
        let signature = request.signature();
        let names =
            ["id", "timestamp", "signature"].map(|name| format!("{}{name}", signature.family));
        let mut headers: Headers = request
            .headers
            .iter()
            .filter(|(name, _)| !OWN.iter().any(|own| name.eq_ignore_ascii_case(own)))
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
