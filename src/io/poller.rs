//! The poller of the logs: endpoints, messages, attempts; quicker while something is pending.
//!
//! Attempts are listed by their start, so that a slow failure appears *below* newer rows, and a message
//! may be written later than a newer one: a log is paged until what was read before comes up, below
//! all that may have come in since (`reading`), and pending messages are looked at by id. A part that
//! fails does not keep the others from being read, but for a service that asks to be left alone: what
//! that keeps from being read is told.

mod asking;
mod logs;
mod messages;
mod nexts;
mod pending;
mod reading;
mod rota;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::asking::{Answer, after};
use self::logs::AttemptsBack;
use self::messages::Back;
use self::pending::Looked;
use self::reading::{At, Reading};
use self::rota::Rota;
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
    looked: HashMap<MessageId, Looked>,
    round: u64,
    /// The last round in which anything answered, …
    answered_in: u64,
    /// … and the last that came to the messages.
    messages_in: u64,
    rota: Rota,
    /// The logs that were asked for and did not answer yet.
    asked: JoinSet<Answer>,
    failures: u32,
    absent_since: HashMap<&'static str, u64>,
    /// Routes that the key may not read, and when they last said so.
    refused: HashMap<&'static str, (Instant, Failure)>,
    /// Routes that answered once, so that a 404 is about an id.
    answered: HashSet<&'static str>,
    message_log: Reading,
    message_back: Back,
    attempt_logs: HashMap<EndpointId, Reading>,
    /// Logs of attempts that go back further than they were read.
    backs: HashMap<EndpointId, AttemptsBack>,
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
            answered_in: 0,
            messages_in: 0,
            rota: Rota::default(),
            asked: JoinSet::new(),
            failures: 0,
            absent_since: HashMap::new(),
            refused: HashMap::new(),
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
            let Failed { first, aside } = self.look().await;
            self.failures = match &first {
                None => 0,
                Some(_) => self.failures.saturating_add(1),
            };
            self.outlet.tell_polled(first.or(aside)).await;
            let wait = self.wait();
            tokio::select! {
                () = sleep(wait) => {}
                () = self.refresh.notified() => {
                    self.absent_since.clear();
                    self.refused.clear();
                    self.rota.forgive();
                    self.backs.values_mut().for_each(|back| back.pause.forgive());
                }
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

    async fn look(&mut self) -> Failed {
        let Abilities { retry_schedule, .. } = self.outlet.abilities();
        let schedule = Abilities {
            retry_schedule,
            ..Abilities::default()
        };
        self.hold(ChangeKind::Abilities(Box::new(schedule)));
        let mut failed = Failed::default();
        for part in [
            Part::Endpoints,
            Part::Messages,
            Part::Attempts,
            Part::Pending,
            Part::Nexts,
        ] {
            let outcome = match part {
                Part::Endpoints => self.endpoints().await,
                Part::Messages => self.messages_and_link().await,
                Part::Attempts => match self.attempts().await {
                    Ok(of_logs) => {
                        failed.aside = failed.aside.or(of_logs);
                        Ok(())
                    }
                    Err(failure) => Err(failure),
                },
                Part::Pending => self.pending().await,
                Part::Nexts => self.nexts().await,
            };
            let Err(failure) = outcome else {
                continue;
            };
            let is_end = is_asked(&failure);
            if is_end {
                self.end_round(part, &failure).await;
                // That it asks to be left alone is told before what else failed.
                failed.first = None;
            }
            failed.take(failure);
            if is_end {
                return failed;
            }
        }
        // While nothing answers, what was refused before is how it stands.
        if self.answered_in != self.round {
            let refused = self.refused.values().map(|(_, failure)| failure.clone());
            failed.aside = failed.aside.or(refused.min_by(|a, b| a.what.cmp(&b.what)));
        }
        failed
    }

    async fn messages_and_link(&mut self) -> Result<(), Failure> {
        if let Some(ahead) = self.client.deliveries_ahead() {
            self.hold(ChangeKind::ServiceAhead(ahead));
        }
        self.messages_in = self.round;
        if self.is_refused(MESSAGES) {
            return Ok(());
        }
        self.message_outcome = self.messages().await;
        // The rest of the round may take long.
        self.tell_alone().await;
        self.message_outcome.clone()
    }

    /// Tells what is not read, as a service that asks to be left alone ended the round.
    async fn end_round(&mut self, at: Part, failure: &Failure) {
        match at {
            Part::Endpoints => {
                self.message_outcome = Err(failure.clone());
                self.tell_alone().await;
                self.put_off(&after("the list of endpoints", failure)).await;
            }
            Part::Messages => self.put_off(&after("the messages", failure)).await,
            // It has told which log it was, or all were read.
            Part::Attempts | Part::Pending | Part::Nexts => {}
        }
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

    /// Whether a route was refused by the rights of the key a short while ago.
    fn is_refused(&self, route: &'static str) -> bool {
        let waits = self.client.http.waits;
        let since = self.refused.get(route);
        since.is_some_and(|(since, _)| since.elapsed() < waits.stopped)
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
                self.refused.remove(route);
                self.answered.insert(route);
                self.answered_in = self.round;
                Ability::Offered(self.client.log_words(route))
            }
            // What answered before is offered: attempts are asked for by an id and messages by a cursor,
            // which may have expired, and what stands before a service may know its routes no more
            // for a moment.
            Err(failure)
                if failure.kind == FailureKind::NotOffered
                    && matches!(route, ATTEMPTS | MESSAGES)
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
            Err(failure) => {
                // A log of attempts that is refused waits by itself.
                if is_of_rights(failure) && route != ATTEMPTS {
                    let refused = (Instant::now(), failure.clone());
                    self.refused.insert(route, refused);
                }
                return page.map(Some);
            }
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

    /// Now, as the service's last answer tells it, and by our clock.
    fn at(&self) -> At {
        let now = self.outlet.clock().now();
        let ahead = self.client.deliveries_ahead();
        At {
            service: ahead.map(|ahead| now.wall.plus(ahead)),
            mono: now.mono,
        }
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

/// What is read in a round, in this order.
#[derive(Clone, Copy)]
enum Part {
    Endpoints,
    Messages,
    Attempts,
    Pending,
    Nexts,
}

/// What failed in a round.
#[derive(Debug, Default)]
struct Failed {
    /// What the next round waits for.
    first: Option<Failure>,
    /// What is a matter of one log or route, which waits by itself.
    aside: Option<Failure>,
}

impl Failed {
    fn take(&mut self, failure: Failure) {
        let of = if is_of_rights(&failure) {
            &mut self.aside
        } else {
            &mut self.first
        };
        of.get_or_insert(failure);
    }
}

/// Whether the service asks to be left alone (429): nothing more is asked of it then.
fn is_asked(failure: &Failure) -> bool {
    failure.kind == FailureKind::RateLimited
}

/// Whether the key may not do that, or is not taken, which the next round does not change.
fn is_of_rights(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::Forbidden | FailureKind::Unauthorized
    )
}

/// Whether a failure says that there is no such route. The endpoint list is not documented, so
/// that any clear no counts but one to this key.
fn is_absent(route: &'static str, failure: &Failure) -> bool {
    match failure.kind {
        FailureKind::NotOffered => true,
        FailureKind::Invalid | FailureKind::NotAspect => route == ENDPOINTS,
        _ => false,
    }
}

const ENDPOINTS: &str = super::client::ENDPOINTS;
const MESSAGES: &str = super::client::MESSAGES;
const ATTEMPTS: &str = super::client::ATTEMPTS;
