//! The poller of the logs: endpoints, messages, attempts; quicker while something is pending.
//!
//! Attempts are listed by their start, so that a slow failure appears *below* newer rows: an
//! endpoint is paged until a page is wholly known and older than twice the timeout, and pending
//! messages are looked at by id. A part that fails does not keep the others from being read.

mod reading;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use self::reading::{Reading, Round, Sight};
use super::client::{Client, FULL_PAGE};
use super::outlet::Outlet;
use crate::domain::time::SECOND;
use crate::domain::{
    Abilities, Ability, Attempt, Bounds, Change, ChangeKind, Delivery, Endpoint, EndpointId,
    Failure, FailureKind, Forecast, History, MessageId, Moment, Origin, OutcomeState, Time,
    Unreadable,
};
use crate::wire::rest::Page;

/// Rows asked for once the first look is over.
const SMALL_PAGE: usize = 50;
/// Endpoints looked at in one round; the others have their turn in the next.
const MAX_ENDPOINTS: usize = 20;
/// Messages looked at by id in one round.
const MAX_PENDING: usize = 20;
/// Messages of the newest that are weighed for what is pending.
const WEIGHED: usize = 500;
/// A message without attempts is waited for this long.
const AWAIT_FIRST: i64 = 600 * SECOND;
/// An automatic retry within this time is waited for at the quick pace…
const SOON: i64 = 30 * SECOND;
/// … and this long after it was due.
const OVERDUE: i64 = 120 * SECOND;
/// Rounds between two tries of a route that is not offered.
const ASK_AGAIN: u64 = 60;

/// What the poller holds to tell what is new: the same fold that the screen makes.
const HELD: Bounds = Bounds {
    tasks: 16,
    events: 16,
    event_ids: 16,
    messages: 5000,
    endpoints: 10_000,
    asset_names: 16,
};

/// Messages with a replay whose attempt was not found yet.
pub type OpenReplays = Arc<Mutex<HashMap<MessageId, Instant>>>;
/// Such a message is looked at for this long.
const WATCH: Duration = Duration::from_hours(24);

/// The poller's task.
pub struct Poller {
    client: Client,
    outlet: Outlet,
    refresh: Arc<Notify>,
    open_replays: OpenReplays,
    held: History,
    listed: Option<Vec<EndpointId>>,
    looked: HashMap<MessageId, u64>,
    round: u64,
    turn: usize,
    failures: u32,
    absent_since: HashMap<&'static str, u64>,
    /// Routes that answered once, so that a 404 is about an id.
    answered: HashSet<&'static str>,
    message_log: Reading,
    attempt_logs: HashMap<EndpointId, Reading>,
    /// The newest message, and when it was first seen, in microseconds since the program began.
    newest: (Time, i64),
}

impl Poller {
    pub fn new(
        client: Client,
        outlet: Outlet,
        refresh: Arc<Notify>,
        open_replays: OpenReplays,
    ) -> Self {
        Self {
            client,
            outlet,
            refresh,
            open_replays,
            held: History::new(HELD),
            listed: None,
            looked: HashMap::new(),
            round: 0,
            turn: 0,
            failures: 0,
            absent_since: HashMap::new(),
            answered: HashSet::new(),
            message_log: Reading::default(),
            attempt_logs: HashMap::new(),
            newest: (Time::default(), 0),
        }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        loop {
            self.round += 1;
            let outcome = self.look().await;
            self.failures = if outcome.is_ok() {
                0
            } else {
                self.failures.saturating_add(1)
            };
            self.outlet.tell_polled(outcome.err()).await;
            let wait = self.wait();
            tokio::select! {
                () = sleep(wait) => {}
                () = self.refresh.notified() => self.absent_since.clear(),
            }
        }
    }

    fn wait(&self) -> Duration {
        let waits = self.client.http.waits;
        let least = Duration::from_millis(20);
        if self.failures > 0 {
            let doubled = waits.poll.max(least) * 2u32.saturating_pow(self.failures.min(5) - 1);
            return doubled
                .min(Duration::from_mins(1))
                .max(waits.poll)
                .mul_f64(1.0 + 0.3 * fastrand::f64());
        }
        if self.is_pending() {
            waits.poll_quick.max(least)
        } else {
            waits.poll.max(least)
        }
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let Abilities { retry_schedule, .. } = self.outlet.abilities();
        let schedule = Abilities {
            retry_schedule,
            ..Abilities::default()
        };
        self.hold(ChangeKind::Abilities(Box::new(schedule)));
        let outcomes = [
            self.endpoints().await,
            self.messages().await,
            self.attempts().await,
            self.pending().await,
        ];
        outcomes.into_iter().collect()
    }

    /// Whether a route is worth asking: not if it is known to be missing, but for a try now and
    /// then.
    fn is_worth(&self, route: &'static str) -> bool {
        self.absent_since
            .get(route)
            .is_none_or(|since| self.round >= since + ASK_AGAIN)
    }

    /// Takes a list's answer apart: a route that is not offered is an ability, no failure.
    async fn offered<T>(
        &mut self,
        route: &'static str,
        page: Result<Page<T>, Failure>,
    ) -> Result<Option<Page<T>>, Failure> {
        let ability = match &page {
            Ok(_) => {
                self.absent_since.remove(route);
                self.answered.insert(route);
                Ability::Offered(route.to_owned())
            }
            // Attempts are asked for by an id, which may have expired.
            Err(failure)
                if failure.kind == FailureKind::NotOffered
                    && route == ATTEMPTS
                    && self.answered.contains(route) =>
            {
                return Err(Failure {
                    kind: FailureKind::NotFound,
                    ..failure.clone()
                });
            }
            Err(failure) if is_absent(route, failure) => {
                self.absent_since.insert(route, self.round);
                Ability::Absent(failure.what.clone())
            }
            Err(_) => return page.map(Some),
        };
        self.outlet
            .learn(|abilities| match route {
                ENDPOINTS => abilities.endpoint_list = ability,
                MESSAGES => abilities.messages = ability,
                _ => abilities.attempts = ability,
            })
            .await;
        Ok(page.ok())
    }

    async fn endpoints(&mut self) -> Result<(), Failure> {
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

    async fn messages(&mut self) -> Result<(), Failure> {
        if !self.is_worth(MESSAGES) {
            return Ok(());
        }
        // The first look reads two pages of history, and whatever is missed later is paged for.
        let mut round = Round::new(self.message_log.clone(), 0, 2);
        while !round.is_over() {
            let page = self.client.messages(limit(&round), round.cursor()).await;
            let page = match self.offered(MESSAGES, page).await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(()),
                Err(failure) => {
                    if is_lost(&round, &failure) {
                        self.tell_lost("messages", &failure).await;
                        self.message_log = round.give_up();
                    }
                    return Err(failure);
                }
            };
            self.tell_unreadable(page.unreadable).await;
            let mut sight = Sight::new(page.rows.iter().map(|row| row.value.message.accepted));
            let mut kinds = Vec::new();
            let mut is_known = true;
            for row in page.rows {
                let held = self
                    .held
                    .deliveries
                    .get(&row.value.message.id)
                    .and_then(|held| held.message.as_ref());
                if held == Some(&row.value.message) {
                    continue;
                }
                is_known &= held.is_some();
                kinds.push(ChangeKind::Message(Box::new(row.value.message)));
                kinds.extend(row.value.task.map(ChangeKind::Task));
            }
            self.tell(kinds).await;
            if sight.newest > Some(self.newest.0) {
                let seen = self.outlet.clock().now().mono;
                self.newest = (sight.newest.unwrap_or_default(), seen);
            }
            sight.is_known = is_known;
            sight.is_last = page.is_last;
            sight.next = page.next;
            round.took(sight);
        }
        self.message_log = round.end();
        Ok(())
    }

    async fn attempts(&mut self) -> Result<(), Failure> {
        if !self.is_worth(ATTEMPTS) {
            return Ok(());
        }
        let known: Vec<EndpointId> = self.held.endpoints.keys().cloned().collect();
        self.attempt_logs
            .retain(|id, _| self.held.endpoints.contains_key(id));
        let n_known = known.len();
        let now = known
            .into_iter()
            .cycle()
            .skip(self.turn)
            .take(n_known.min(MAX_ENDPOINTS));
        let now: Vec<EndpointId> = now.collect();
        self.turn = (self.turn + now.len()) % n_known.max(1);
        let mut first = Ok(());
        for endpoint in now {
            match self.attempts_at(&endpoint).await {
                // A deleted endpoint has no log any more; the list will say so.
                Err(failure) if failure.kind == FailureKind::NotFound => {}
                outcome => first = first.and(outcome),
            }
        }
        first
    }

    async fn attempts_at(&mut self, endpoint: &EndpointId) -> Result<(), Failure> {
        let margin = i64::try_from(self.client.http.waits.delivery_timeout.as_micros())
            .unwrap_or(0)
            .saturating_mul(2);
        let reading = self.attempt_logs.get(endpoint).cloned().unwrap_or_default();
        let mut round = Round::new(reading, margin, 1);
        while !round.is_over() {
            let page = self
                .client
                .attempts_at(endpoint, limit(&round), round.cursor())
                .await;
            let page = match self.offered(ATTEMPTS, page).await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(()),
                Err(failure) => {
                    if is_lost(&round, &failure) {
                        self.tell_lost("attempts", &failure).await;
                        self.attempt_logs.insert(endpoint.clone(), round.give_up());
                    }
                    return Err(failure);
                }
            };
            let mut sight = Sight::new(page.rows.iter().map(|row| row.value.started));
            sight.is_last = page.is_last;
            sight.next.clone_from(&page.next);
            sight.is_known = self.take_attempts(page).await;
            round.took(sight);
        }
        self.attempt_logs.insert(endpoint.clone(), round.end());
        Ok(())
    }

    async fn tell_lost(&self, place: &'static str, failure: &Failure) {
        let what = Unreadable {
            place,
            why: format!("rows between two looks could not be read: {}", failure.what),
            excerpt: String::new(),
        };
        self.tell_unreadable(vec![what]).await;
    }

    /// Tells the attempts that are new or changed; returns whether there were none.
    async fn take_attempts(&mut self, page: Page<Attempt>) -> bool {
        self.tell_unreadable(page.unreadable).await;
        let mut is_known = true;
        let mut kinds = Vec::new();
        for row in page.rows {
            let held = self.held.deliveries.get(&row.value.message);
            let held = held.and_then(|held| held.attempt(&row.value.id));
            if held != Some(&row.value) {
                is_known = false;
                kinds.push(ChangeKind::Attempt(Box::new(row.value)));
            }
        }
        self.tell(kinds).await;
        is_known
    }

    /// Looks at pending messages by id, those that were looked at longest ago first.
    async fn pending(&mut self) -> Result<(), Failure> {
        if !self.is_worth(ATTEMPTS) {
            return Ok(());
        }
        let mut pending = self.pending_messages();
        if self.held.endpoints.is_empty() {
            // Endpoints that cannot be listed are found by the attempts of messages.
            pending.extend(
                self.held
                    .deliveries
                    .newest()
                    .take(MAX_PENDING)
                    .map(|held| held.id.clone()),
            );
        }
        let mut seen = HashSet::new();
        pending.retain(|id| seen.insert(id.clone()));
        pending.sort_by_key(|id| self.looked.get(id).copied().unwrap_or(0));
        pending.truncate(MAX_PENDING);
        self.looked.retain(|_, round| *round + 100 > self.round);
        let mut first = Ok(());
        for message in pending {
            self.looked.insert(message.clone(), self.round);
            let page = self.client.attempts_of(&message, FULL_PAGE, None).await;
            match self.offered(ATTEMPTS, page).await {
                Ok(Some(page)) => {
                    self.take_attempts(page).await;
                }
                Ok(None) => {}
                Err(failure) if failure.kind == FailureKind::NotFound => {}
                Err(failure) => first = first.and(Err(failure)),
            }
        }
        first
    }

    fn pending_messages(&self) -> Vec<MessageId> {
        let now = self.service_now();
        let mut pending = self.watched();
        pending.extend(
            self.held
                .deliveries
                .newest()
                .take(WEIGHED)
                .filter(|held| is_sending(held) || self.is_unsent(held, now))
                .map(|held| held.id.clone()),
        );
        pending
    }

    /// The service's clock, as its newest message tells it: ours may be wrong.
    fn service_now(&self) -> Time {
        let (newest, seen) = self.newest;
        newest.plus(self.outlet.clock().now().mono - seen)
    }

    /// Messages with open replays, without those that were watched long enough.
    fn watched(&self) -> Vec<MessageId> {
        let mut open = self
            .open_replays
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, since| since.elapsed() < WATCH);
        open.keys().cloned().collect()
    }

    /// Whether no attempt was seen of a young message that some endpoint wants.
    fn is_unsent(&self, held: &Delivery, now: Time) -> bool {
        let Some(message) = &held.message else {
            return false;
        };
        let is_unsent = |endpoint: &Endpoint| {
            let wants = endpoint
                .event_types
                .as_ref()
                .is_none_or(|types| types.contains(&message.kind));
            let existed = endpoint
                .created
                .is_none_or(|created| created <= message.accepted);
            // What an endpoint known from attempts alone wants, nobody knows.
            let is_told = !endpoint.disabled && !endpoint.is_inferred;
            is_told && wants && existed && held.outcome(&endpoint.id).is_none()
        };
        now.since(message.accepted) < AWAIT_FIRST && self.held.endpoints.values().any(is_unsent)
    }

    /// Whether the next look should come soon. What has been pending for long is looked at as
    /// well, but at the ordinary pace.
    fn is_pending(&self) -> bool {
        let now = self.outlet.clock().now().wall;
        let service_now = self.service_now();
        !self.watched().is_empty()
            || self.held.deliveries.newest().take(WEIGHED).any(|held| {
                let is_young = service_now.since(held.time()) < AWAIT_FIRST;
                is_young && is_sending(held)
                    || self.is_unsent(held, service_now)
                    || self.is_retry_near(held, now)
            })
    }

    fn is_retry_near(&self, held: &Delivery, now: Time) -> bool {
        held.outcomes
            .iter()
            .filter(|outcome| outcome.state == OutcomeState::Failed)
            .any(|outcome| {
                match self
                    .held
                    .schedule
                    .forecast(&held.attempts_at(&outcome.endpoint))
                {
                    Forecast::Next { at, .. } | Forecast::Uncertain { at, .. } => {
                        at < now.plus(SOON) && now.since(at) < OVERDUE
                    }
                    _ => false,
                }
            })
    }

    async fn tell_unreadable(&self, found: Vec<Unreadable>) {
        self.outlet
            .send(self.outlet.unreadable(Origin::Poll, found))
            .await;
    }

    async fn tell(&mut self, kinds: Vec<ChangeKind>) {
        let mut drafts = Vec::with_capacity(kinds.len());
        for kind in kinds {
            if !matches!(kind, ChangeKind::Task(_)) {
                self.hold(kind.clone());
            }
            drafts.push(self.outlet.draft(Origin::Poll, kind));
        }
        self.outlet.send(drafts).await;
    }

    fn hold(&mut self, kind: ChangeKind) {
        self.held.apply(Change {
            seq: 0,
            received: Moment::default(),
            origin: Origin::Poll,
            raw: None,
            kind,
        });
    }
}

fn is_sending(held: &Delivery) -> bool {
    held.outcomes
        .iter()
        .any(|outcome| outcome.state == OutcomeState::Sending)
}

fn limit(round: &Round) -> usize {
    if round.is_wide() {
        FULL_PAGE
    } else {
        SMALL_PAGE
    }
}

/// Whether what was left over of an earlier round can no longer be asked for.
fn is_lost(round: &Round, failure: &Failure) -> bool {
    round.is_in_hole() && matches!(failure.kind, FailureKind::Invalid | FailureKind::NotFound)
}

/// Whether a failure says that there is no such route. The endpoint list is not documented, so
/// that any clear no counts.
fn is_absent(route: &'static str, failure: &Failure) -> bool {
    match failure.kind {
        FailureKind::NotOffered => true,
        FailureKind::Forbidden | FailureKind::Invalid | FailureKind::NotAspect => {
            route == ENDPOINTS
        }
        _ => false,
    }
}

const ENDPOINTS: &str = "GET /webhooks/endpoints";
const MESSAGES: &str = "GET /webhooks/messages";
const ATTEMPTS: &str = "GET /webhooks/delivery-attempts";
