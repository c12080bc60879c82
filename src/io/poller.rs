//! The poller of the logs: endpoints, messages, attempts; quicker while something is pending.
//!
//! Attempts are listed by their start, so that a slow failure appears *below* newer rows: an
//! endpoint is paged until a page is wholly known and older than twice the timeout, and pending
//! messages are looked at by id. A part that fails does not keep the others from being read.

mod logs;
mod messages;
mod nexts;
mod pending;
mod reading;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use self::messages::Back;
use self::reading::Reading;
use super::client::{Client, NO_ASPECT};
use super::outlet::Outlet;
use crate::domain::{
    Abilities, Ability, Bounds, Change, ChangeKind, EndpointId, Failure, FailureKind, History,
    LinkState, MessageId, Moment, Origin, Time, Unreadable,
};
use crate::wire::rest::Page;

/// Rounds between two tries of a route that is not offered.
const ASK_AGAIN: u64 = 60;

/// What the poller holds to tell what is new: the same fold that the screen makes.
const HELD: Bounds = Bounds {
    tasks: 16,
    events: 16,
    event_ids: 16,
    // As many as the dashboard, by the configuration: what it would let go is not read.
    messages: 0,
    endpoints: 10_000,
    asset_names: 16,
};

/// Messages with a replay at an endpoint whose attempt was not found yet, and since when.
pub type OpenReplays = Arc<Mutex<HashMap<(MessageId, EndpointId), Instant>>>;

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
    message_back: Back,
    attempt_logs: HashMap<EndpointId, Reading>,
    /// From when on logs were read that go back further, and where they go on.
    backs: HashMap<EndpointId, (Time, String)>,
    /// When the oldest message was accepted that was read, …
    oldest: Option<Time>,
    /// … and the oldest of those that the first look read.
    newest_read: Option<Time>,
    /// How the message log answered last.
    message_outcome: Result<(), Failure>,
    /// What the link was told to be, where there is no stream that would tell it.
    alone: Option<LinkState>,
    /// The server does not say when it tries again.
    has_no_nexts: bool,
    nexts_asked: nexts::Turns,
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
        let held = Bounds {
            messages: client.http.limits.messages,
            ..HELD
        };
        Self {
            client,
            outlet,
            refresh,
            open_replays,
            held: History::new(held),
            listed: None,
            looked: HashMap::new(),
            round: 0,
            turn: 0,
            failures: 0,
            absent_since: HashMap::new(),
            answered: HashSet::new(),
            message_log: Reading::default(),
            message_back: Back::default(),
            attempt_logs: HashMap::new(),
            backs: HashMap::new(),
            oldest: None,
            newest_read: None,
            message_outcome: Ok(()),
            alone: None,
            has_no_nexts: false,
            nexts_asked: nexts::Turns::default(),
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
            self.tell_alone().await;
            let wait = self.wait();
            tokio::select! {
                () = sleep(wait) => {}
                () = self.refresh.notified() => self.absent_since.clear(),
            }
        }
    }

    /// Until the next look: as long as the service asks to be left alone (429), if that is more.
    fn wait(&self) -> Duration {
        let asked = self.client.pause();
        self.pace()
            .max(asked.min(self.client.http.waits.max_retry_after))
    }

    fn pace(&self) -> Duration {
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
        let endpoints = self.endpoints().await;
        if let Some(ahead) = self.client.deliveries_ahead() {
            self.hold(ChangeKind::ServiceAhead(ahead));
        }
        if is_asked(&endpoints) {
            return endpoints;
        }
        self.message_outcome = self.messages().await;
        let mut first = endpoints.and(self.message_outcome.clone());
        for part in [Part::Attempts, Part::Pending, Part::Nexts] {
            if is_asked(&first) {
                break;
            }
            let outcome = match part {
                Part::Attempts => self.attempts().await,
                Part::Pending => self.pending().await,
                Part::Nexts => self.nexts().await,
            };
            // That it asks to be left alone is told before what else failed.
            first = if is_asked(&outcome) {
                outcome
            } else {
                first.and(outcome)
            };
        }
        first
    }

    /// Where a Svix server is all there is, its logs are the link.
    async fn tell_alone(&mut self) {
        if !self.client.is_svix_alone {
            return;
        }
        let state = match &self.message_outcome {
            Ok(()) => {
                let hint = "tasks are as seen in messages";
                let why = Failure::new(FailureKind::Local, NO_ASPECT, hint);
                LinkState::Polling { why }
            }
            Err(why) => LinkState::Stopped { why: why.clone() },
        };
        if self.alone.as_ref() != Some(&state) {
            self.alone = Some(state.clone());
            let link = ChangeKind::Link(Box::new(state));
            self.outlet.tell(Origin::Inference, link).await;
        }
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
                Ability::Offered(self.client.log_words(route))
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

    async fn tell_unreadable(&self, found: Vec<Unreadable>) {
        self.outlet
            .send(self.outlet.unreadable(Origin::Poll, found))
            .await;
    }

    async fn tell(&mut self, kinds: Vec<ChangeKind>) {
        self.tell_as(kinds, true).await;
    }

    /// The same of changes that a journal is to keep or not.
    async fn tell_as(&mut self, kinds: Vec<ChangeKind>, is_recorded: bool) {
        let mut drafts = Vec::with_capacity(kinds.len());
        for kind in kinds {
            if !matches!(kind, ChangeKind::Task(_)) {
                self.hold(kind.clone());
            }
            drafts.push(self.outlet.draft(Origin::Poll, kind));
        }
        if is_recorded {
            self.outlet.send(drafts).await;
        } else {
            self.outlet.send_unrecorded(drafts).await;
        }
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

/// What is read after the lists of endpoints and messages, in this order.
#[derive(Clone, Copy)]
enum Part {
    Attempts,
    Pending,
    Nexts,
}

/// Whether the service asks to be left alone (429): nothing more is asked of it then.
fn is_asked(outcome: &Result<(), Failure>) -> bool {
    matches!(outcome, Err(failure) if failure.kind == FailureKind::RateLimited)
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

const ENDPOINTS: &str = super::client::ENDPOINTS;
const MESSAGES: &str = super::client::MESSAGES;
const ATTEMPTS: &str = super::client::ATTEMPTS;
