//! Reading the lists: endpoints, messages, attempts, as far down as is not known yet.

use std::time::Duration;

use tokio::time::Instant;

use super::reading::{Below, Reading, Round, Sight};
use super::rota::Pause;
use super::{ATTEMPTS, ENDPOINTS, MESSAGES, Poller};
use crate::domain::{Attempt, ChangeKind, Endpoint, EndpointId, Failure, FailureKind, Log, Time};
use crate::io::client::FULL_PAGE;
use crate::wire::rest::{Page, STUCK};

/// Rows asked for once the first look is over.
const SMALL_PAGE: usize = 50;
/// Pages of one endpoint's log read back in one round.
const PAGES_BACK: usize = 2;

/// Where a log of attempts is read back.
#[derive(Debug)]
pub(super) struct AttemptsBack {
    /// From when on it was read.
    from: Time,
    cursor: String,
    /// It is left alone by itself: its newest are read all the same.
    pub pause: Pause,
}

impl Poller {
    pub(super) async fn endpoints(&mut self) -> Result<(), Failure> {
        if self.is_refused(ENDPOINTS) {
            return Ok(());
        }
        let outcome = self.list_endpoints().await;
        self.tell_unread(Log::Endpoints, &outcome).await;
        outcome
    }

    async fn list_endpoints(&mut self) -> Result<(), Failure> {
        if !self.is_worth(ENDPOINTS) {
            return Ok(());
        }
        let page = self.client.endpoints().await;
        let Some(page) = self.offered(ENDPOINTS, page).await? else {
            return Ok(());
        };
        // An endpoint that could not be read is not deleted.
        let is_whole = page.is_last && page.unreadable.is_empty();
        self.tell_unreadable(page.unreadable).await;
        let endpoints: Vec<Endpoint> = page.rows.into_iter().map(|row| row.value).collect();
        let mut ids: Vec<EndpointId> = endpoints
            .iter()
            .map(|endpoint| endpoint.id.clone())
            .collect();
        ids.sort();
        let mut kinds: Vec<ChangeKind> = endpoints
            .into_iter()
            .filter(|endpoint| self.held.endpoints.get(&endpoint.id) != Some(endpoint))
            .map(|endpoint| ChangeKind::Endpoint(Box::new(endpoint)))
            .collect();
        if is_whole && self.listed.as_ref() != Some(&ids) {
            kinds.push(ChangeKind::EndpointsListed(ids.clone().into()));
            self.listed = Some(ids);
        }
        self.tell(kinds).await;
        Ok(())
    }

    /// The rows to ask for of an endpoint's log, from its newest on.
    pub(super) fn newest_limit(&self, endpoint: &EndpointId) -> usize {
        let reading = self.attempt_logs.get(endpoint).cloned().unwrap_or_default();
        limit(&Round::new(reading, 0, 1, 0))
    }

    /// Reads what is new of a log, of which the newest page (`first`) was asked for when our clock said
    /// `began`.
    pub(super) async fn newest_attempts_at(
        &mut self,
        endpoint: &EndpointId,
        began: i64,
        first: Result<Page<Attempt>, Failure>,
    ) -> Result<(), Failure> {
        let margin = i64::try_from(self.client.http.waits.delivery_timeout.as_micros())
            .unwrap_or(0)
            .saturating_mul(2);
        let reading = self.attempt_logs.get(endpoint).cloned().unwrap_or_default();
        let is_first = reading.is_unread();
        let mut below = Below::Nothing;
        let mut round = Round::new(reading, margin, 1, began);
        let (mut first, mut is_to_end) = (Some(first), false);
        while !round.is_over() {
            let asked = (endpoint, limit(&round), round.cursor());
            let page = match first.take() {
                Some(page) => page,
                None => self.client.attempts_at(asked.0, asked.1, asked.2).await,
            };
            let page = match self.offered(ATTEMPTS, page).await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(()),
                Err(failure) => {
                    let reading = round.failed(is_lost(&failure));
                    self.attempt_logs.insert(endpoint.clone(), reading);
                    return Err(failure);
                }
            };
            let sight = self.take_attempts(page).await;
            below = sight.below(None);
            is_to_end = sight.is_last;
            round.took(sight, self.at());
        }
        let reading = round.end();
        let older = Log::OlderAttempts(endpoint.clone());
        let is_stopped = self.held.deliveries.why_unread(&older).is_some();
        if is_first {
            self.goes_on(endpoint, below).await;
        } else if is_stopped && is_to_end && self.has_all(&reading) {
            // What kept it from being read back is over.
            self.goes_on(endpoint, Below::Nothing).await;
            self.tell_why_unread(older, None).await;
        }
        self.attempt_logs.insert(endpoint.clone(), reading);
        Ok(())
    }

    /// Takes note of how a log goes on, and from when on it was read, and tells that.
    async fn goes_on(&mut self, endpoint: &EndpointId, below: Below) {
        self.backs.remove(endpoint);
        let endpoint = endpoint.clone();
        let log = Log::OlderAttempts(endpoint.clone());
        let from = match below {
            Below::Nothing => None,
            Below::Rows(from, cursor) => {
                let back = AttemptsBack {
                    from,
                    cursor,
                    pause: Pause::default(),
                };
                self.backs.insert(endpoint.clone(), back);
                Some(from)
            }
            Below::Stuck(from) => {
                self.tell_why_unread(log, Some(STUCK)).await;
                Some(from)
            }
        };
        let told = ChangeKind::AttemptsFrom { endpoint, from };
        self.tell(vec![told]).await;
    }

    /// Reads a log further back, until it covers the oldest message that is shown: what became of
    /// that would not be known. What a journal is to keep is no more than what became of the newest
    /// messages: the rest is read again at each start. One that fails is left alone for a while, by the
    /// pace of `rounds`.
    pub(super) async fn read_back(
        &mut self,
        endpoint: &EndpointId,
        rounds: Duration,
    ) -> Result<(), Failure> {
        for _ in 0..PAGES_BACK {
            let Some(back) = self.backs.get(endpoint) else {
                return Ok(());
            };
            if !self.is_wanted(back) {
                return Ok(());
            }
            let (from, cursor) = (back.from, back.cursor.clone());
            let asked = Instant::now();
            let page = self.client.attempts_at(endpoint, FULL_PAGE, Some(&cursor));
            let page = self.offered(ATTEMPTS, page.await).await;
            self.tell_unread(Log::OlderAttempts(endpoint.clone()), &page)
                .await;
            let page = match page {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(()),
                Err(failure) => {
                    // Where the service takes the cursor no longer, the rest stays unread.
                    if matches!(failure.kind, FailureKind::Invalid | FailureKind::NotFound) {
                        self.backs.remove(endpoint);
                    } else if let Some(back) = self.backs.get_mut(endpoint) {
                        let now = Instant::now();
                        back.pause.failed(now - asked, rounds, now);
                    }
                    return Err(failure);
                }
            };
            let is_recorded = self.newest_read.is_some_and(|until| from > until);
            let sight = self.take_page(page, is_recorded).await;
            self.goes_on(endpoint, sight.below(Some(from))).await;
        }
        Ok(())
    }

    /// Whether more of a log is read back now.
    fn is_wanted(&self, back: &AttemptsBack) -> bool {
        let is_beyond = self.oldest.is_some_and(|oldest| back.from > oldest);
        is_beyond && !back.pause.is_on(Instant::now())
    }

    /// Whether logs are still read back.
    pub(super) fn is_reading_back(&self) -> bool {
        let now = Instant::now();
        let is_left = |(id, back): (&EndpointId, &AttemptsBack)| {
            self.is_wanted(back) && !self.rota.is_paused(id, now)
        };
        self.is_reading_messages_back() || self.backs.iter().any(is_left)
    }

    /// Whether rows that were too many for one round are still to be read.
    pub(super) fn is_catching_up(&self) -> bool {
        let now = Instant::now();
        let mut logs = self.attempt_logs.iter();
        let is_asked = self.is_worth(MESSAGES) && !self.is_refused(MESSAGES);
        logs.any(|(id, log)| log.is_catching_up() && !self.rota.is_paused(id, now))
            || self.message_log.is_catching_up() && is_asked
    }

    /// Tells why a log could not be read, or that it could, where that is news.
    pub(super) async fn tell_unread<T>(&mut self, log: Log, outcome: &Result<T, Failure>) {
        let why = outcome.as_ref().err().map(Failure::brief);
        self.tell_why_unread(log, why.as_deref()).await;
    }

    pub(super) async fn tell_why_unread(&mut self, log: Log, why: Option<&str>) {
        let kinds = self.unread(log, why);
        self.tell(kinds).await;
    }

    /// What to tell of that, and up to when a log is known that was read before.
    pub(super) fn unread(&self, log: Log, why: Option<&str>) -> Vec<ChangeKind> {
        let known = self.held.deliveries.why_unread(&log).map(|why| &**why);
        if known == why {
            return Vec::new();
        }
        let endpoint = match &log {
            Log::Attempts(endpoint) if known.is_none() => Some(endpoint.clone()),
            _ => None,
        };
        let until = endpoint.and_then(|endpoint| {
            let until = self.rota.read_until(&endpoint)?;
            Some(ChangeKind::AttemptsUntil { endpoint, until })
        });
        let why = why.map(Into::into);
        let unread = ChangeKind::Unread { log, why };
        until.into_iter().chain([unread]).collect()
    }

    /// Tells the attempts of a page that are new or changed.
    pub(super) async fn take_attempts(&mut self, page: Page<Attempt>) -> Sight {
        self.take_page(page, true).await
    }

    async fn take_page(&mut self, page: Page<Attempt>, is_recorded: bool) -> Sight {
        self.tell_unreadable(page.unreadable).await;
        let mut sight = Sight::new(page.rows.iter().map(|row| row.value.started));
        (sight.is_known, sight.is_met) = (true, Some(true));
        let mut kinds = Vec::new();
        for row in page.rows {
            let held = self.held.deliveries.get(&row.value.message);
            let attempt = held.and_then(|held| held.attempt(&row.value.id));
            sight.is_met = self.is_met(attempt.is_some());
            if !held.is_some_and(|held| held.holds(&row.value)) {
                sight.is_known = false;
                kinds.push(ChangeKind::Attempt(Box::new(row.value)));
            }
        }
        self.tell_as(kinds, is_recorded).await;
        sight.is_last = page.is_last;
        sight.next = page.next;
        sight
    }

    /// Whether a log that was read to its end just now was so from its top on, and all of it is held.
    pub(super) fn has_all(&self, reading: &Reading) -> bool {
        reading.passed().is_none() && self.held.deliveries.evicted() == 0
    }

    /// Whether a row was read before, of which it is known whether it is held.
    pub(super) fn is_met(&self, is_held: bool) -> Option<bool> {
        let is_let_go = self.held.deliveries.evicted() > 0;
        Some(is_held).filter(|_| is_held || !is_let_go)
    }
}

/// Rows to ask for in a round.
pub(super) fn limit(round: &Round) -> usize {
    if round.is_wide() {
        FULL_PAGE
    } else {
        SMALL_PAGE
    }
}

/// Whether what is left over of an earlier round can no longer be asked for.
pub(super) fn is_lost(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Invalid | FailureKind::NotFound)
}
