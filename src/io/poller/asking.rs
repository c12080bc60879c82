//! Asking for the logs of attempts. One that does not answer at once is left to answer while the others
//! and the next rounds are read, so that it makes nothing wait but itself.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::reading::{Passed, Reading};
use super::{ATTEMPTS, Poller, is_asked};
use crate::domain::{Attempt, ChangeKind, EndpointId, Failure, FailureKind, Log};
use crate::wire::rest::{Page, STUCK};

/// Logs of one round that may get no answer; the others are put off until the next.
pub(super) const MOST_SILENT: usize = 2;
/// Logs that are asked for at a time; the others are put off until one of them answers.
const MOST_ASKED: usize = 4;
/// A log is waited for alone for this part of the longest time that an answer may take.
const PATIENCE: u32 = 10;
/// Why some of a log are not read yet.
const TOO_MANY: &str = "too many at once, the rest is being read on";

/// The newest page of a log.
#[derive(Debug)]
pub(super) struct Answer {
    endpoint: EndpointId,
    /// When it was asked for, by our clock.
    began: i64,
    page: Result<Page<Attempt>, Failure>,
    took: Duration,
}

impl Poller {
    /// Reads the logs whose turn it is. Gives what failed of them, as one log that fails is no
    /// matter of the others; fails where nothing more is to be asked in this round.
    pub(super) async fn attempts(&mut self) -> Result<Option<Failure>, Failure> {
        if !self.is_worth(ATTEMPTS) {
            return Ok(None);
        }
        let endpoints = &self.held.endpoints;
        self.attempt_logs.retain(|id, _| endpoints.contains_key(id));
        self.backs.retain(|id, _| endpoints.contains_key(id));
        let due = self.rota.due(endpoints, Instant::now());
        let (mut first, mut n_silent) = (None, 0);
        while let Some(answer) = self.asked.try_join_next() {
            if let Ok(answer) = answer {
                first = first.or(self.take_answer(answer).await?);
            }
        }
        self.tell_silent().await;
        for endpoint in due {
            if self.asked.len() >= MOST_ASKED {
                let n = self.asked.len();
                let why = format!("not asked, as there is no answer yet from {n} other logs");
                self.put_off(&why).await;
                break;
            }
            self.ask(&endpoint);
            let until = Instant::now() + self.client.http.waits.answer / PATIENCE;
            while self.rota.is_asked(&endpoint) {
                let Ok(Some(Ok(answer))) = timeout_at(until, self.asked.join_next()).await else {
                    break;
                };
                let is_of_it = answer.endpoint == endpoint;
                let Some(failure) = self.take_answer(answer).await? else {
                    continue;
                };
                n_silent += usize::from(is_of_it && failure.is_silent());
                if n_silent == MOST_SILENT {
                    self.put_off_after(&endpoint, &failure).await;
                    return Err(failure);
                }
                first = first.or(Some(failure));
            }
        }
        Ok(first)
    }

    /// Tells of the logs that were asked for in an earlier round and did not answer yet, but where why
    /// they cannot be read is told already.
    async fn tell_silent(&mut self) {
        let deliveries = &self.held.deliveries;
        let endpoints = self.held.endpoints.keys();
        let silent = endpoints
            .filter(|id| self.rota.is_asked(id) && deliveries.why_attempts_unread(id).is_none());
        let logs = silent.map(|id| Log::Attempts(id.clone()));
        let kinds = logs.flat_map(|log| self.unread(log, Some("no answer yet")));
        let kinds = kinds.collect();
        self.tell(kinds).await;
    }

    /// Asks for the newest page of a log.
    fn ask(&mut self, endpoint: &EndpointId) {
        let now = self.outlet.clock().now().wall;
        self.rota.ask(endpoint, now);
        let (client, endpoint) = (self.client.clone(), endpoint.clone());
        let limit = self.newest_limit(&endpoint);
        let began = self.at().mono;
        self.asked.spawn(async move {
            let asked = Instant::now();
            let page = client.attempts_at(&endpoint, limit, None).await;
            let took = asked.elapsed();
            Answer {
                endpoint,
                began,
                page,
                took,
            }
        });
    }

    /// Takes in what a log answered, reads what else is new of it and some of what is older, and takes
    /// note of how that went. Gives what failed of it; fails where nothing more is to be asked.
    async fn take_answer(&mut self, answer: Answer) -> Result<Option<Failure>, Failure> {
        let Answer {
            endpoint,
            began,
            page,
            took,
        } = answer;
        if !self.held.endpoints.contains_key(&endpoint) {
            return Ok(None);
        }
        let answered = Instant::now();
        let newest = self.newest_attempts_at(&endpoint, began, page).await;
        let passed = self.attempt_logs.get(&endpoint).and_then(Reading::passed);
        let why = match (&newest, passed) {
            (Err(failure), _) => Some(failure.brief()),
            (Ok(()), Some(Passed { is_stuck: true, .. })) => Some(STUCK.to_owned()),
            (Ok(()), Some(_)) => Some(TOO_MANY.to_owned()),
            (Ok(()), None) => None,
        };
        let log = Log::Attempts(endpoint.clone());
        self.tell_why_unread(log, why.as_deref()).await;
        let pace = self.client.http.waits.poll;
        let outcome = if newest.is_ok() {
            self.rota.read(&endpoint, self.round);
            self.read_back(&endpoint, pace).await
        } else {
            let now = Instant::now();
            self.rota
                .failed(&endpoint, took + (now - answered), pace, now);
            newest
        };
        let Err(failure) = outcome else {
            return Ok(None);
        };
        // A deleted endpoint has no log any more; the list will say so.
        if failure.kind == FailureKind::NotFound {
            return Ok(None);
        }
        if is_asked(&failure) {
            self.put_off_after(&endpoint, &failure).await;
            return Err(failure);
        }
        Ok(Some(failure))
    }

    async fn put_off_after(&mut self, endpoint: &EndpointId, failure: &Failure) {
        let label = self.held.endpoint_label(endpoint);
        let at = format!("the attempts at {label}");
        self.put_off(&after(&at, failure)).await;
    }

    /// Tells why the attempts that were not asked for in this round are not read.
    pub(super) async fn put_off(&mut self, why: &str) {
        let now = Instant::now();
        let mut logs: Vec<Log> = self
            .held
            .endpoints
            .keys()
            // One that failed by itself has a reason of its own, and one that is asked for may answer.
            .filter(|id| !self.rota.is_read_in(id, self.round) && !self.rota.is_paused(id, now))
            .filter(|id| !self.rota.is_asked(id))
            .map(|id| Log::Attempts(id.clone()))
            .collect();
        if self.messages_in != self.round {
            logs.push(Log::Messages);
        }
        let logs = logs.into_iter();
        let kinds = logs.flat_map(|log| self.unread(log, Some(why)));
        let kinds: Vec<ChangeKind> = kinds.collect();
        self.tell(kinds).await;
    }
}

/// Why something is not asked for after a refusal or a silence (`at` what) that ends a round.
pub(super) fn after(at: &str, failure: &Failure) -> String {
    let told = if failure.is_silent() {
        "there was no answer to"
    } else {
        "the service refused"
    };
    format!("not asked, as {told} {at}: {}", failure.brief())
}
