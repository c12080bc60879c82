//! The link: keeps the stream open, compares after each connection, holds frames while it does, and
//! polls the active tasks while there is no stream.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::client::Client;
use super::compare::{Compared, Known, compare};
use super::discover::{Found, discover};
use super::journal::Resume;
use super::outlet::{Draft, Outlet};
use super::stream::{Step, Stream};
use crate::domain::{
    Ability, ChangeKind, Failure, FailureKind, LinkState, Moment, Origin, Proof, Time, Unreadable,
};
use crate::wire::events;
use crate::wire::lenient::excerpt;
use crate::wire::sse::Counters;

/// Changes held while a comparison runs; beyond that the socket waits.
const MAX_HELD: usize = 100_000;
/// … and bytes of them.
const MAX_HELD_BYTES: usize = 64 << 20;
/// Changes gathered before they are sent on…
const BATCH: usize = 512;
/// … and bytes that they were read from.
const BATCH_BYTES: u64 = 4 << 20;
/// The longest wait until a comparison that failed is tried again.
const MAX_COMPARE_WAIT: Duration = Duration::from_mins(1);

/// What the link needs of its source's configuration.
pub struct Settings {
    pub events_path: Option<String>,
    pub resend_path: Option<String>,
}

type Discovery = Pin<Box<dyn Future<Output = Result<Found, Failure>> + Send>>;
type Comparison =
    Pin<Box<dyn Future<Output = (Result<Compared, Failure>, Option<(Time, Time)>)> + Send>>;

/// The link's task.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Link {
    client: Client,
    outlet: Outlet,
    settings: Settings,
    reconnect: Arc<Notify>,
    refresh: Arc<Notify>,
    stream: Stream,
    is_discovered: bool,
    is_open: bool,
    is_caught_up: bool,
    known: Known,
    /// Since when bytes may have been missed; `None` before the first connection.
    gap_from: Option<Time>,
    last_byte: Option<Moment>,
    /// The event id that was noted last as a place to resume.
    noted_id: String,
    comparison: Option<Comparison>,
    compare_at: Option<Instant>,
    compare_wait: Duration,
    held: Vec<Draft>,
    held_bytes: usize,
    seen: Counters,
    has_forgotten: bool,
    /// Since when the open stream is silent beyond its heartbeat.
    quiet_since: Option<Time>,
    state: Option<LinkState>,
    discovery: Option<Discovery>,
    discover_at: Option<Instant>,
    discover_wait: Duration,
}

enum Turn {
    Step(Step),
    Compared(Result<Compared, Failure>, Option<(Time, Time)>),
    Compare,
    Discovered(Result<Found, Failure>),
    Discover,
    Reconnect,
    Refresh,
}

impl Link {
    /// Fails only where the configured path of the stream is none.
    pub fn new(
        client: Client,
        outlet: Outlet,
        settings: Settings,
        reconnect: Arc<Notify>,
        refresh: Arc<Notify>,
    ) -> Result<Self, Failure> {
        let path = settings.events_path.as_deref().unwrap_or("/events");
        let url = client.http.path(path)?;
        let stream = Stream::new(client.clone(), url, outlet.clock(), "");
        Ok(Self {
            client,
            outlet,
            settings,
            reconnect,
            refresh,
            stream,
            is_discovered: false,
            is_open: false,
            is_caught_up: false,
            known: Known::default(),
            gap_from: None,
            last_byte: None,
            noted_id: String::new(),
            comparison: None,
            compare_at: None,
            compare_wait: Duration::ZERO,
            held: Vec::new(),
            held_bytes: 0,
            seen: Counters::default(),
            has_forgotten: false,
            quiet_since: None,
            state: None,
            discovery: None,
            discover_at: None,
            discover_wait: Duration::ZERO,
        })
    }

    /// Goes on where an earlier run ended: the time since is a gap like any other.
    pub fn resume(&mut self, from: &Resume) {
        from.known.iter().for_each(|seen| self.known.see(seen));
        self.gap_from = from.gap_from;
        self.stream.resume_after(&from.last_event_id);
        self.noted_id.clone_from(&from.last_event_id);
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        self.enter(LinkState::Connecting).await;
        let found = discover(&self.client, self.settings.events_path.as_deref()).await;
        self.discovered(found).await;
        loop {
            match self.turn().await {
                Turn::Discovered(found) => self.discovered(found).await,
                Turn::Discover => self.begin_discovery(),
                Turn::Step(step) => self.take(step).await,
                Turn::Compared(outcome, gap) => self.compared(outcome, gap).await,
                Turn::Compare => self.begin_comparison(),
                Turn::Reconnect => self.stream.hurry(),
                Turn::Refresh => self.compare_at = Some(Instant::now()),
            }
        }
    }

    async fn turn(&mut self) -> Turn {
        let is_full = self.held.len() >= MAX_HELD || self.held_bytes >= MAX_HELD_BYTES;
        let may_compare = self.comparison.is_none() && self.compare_at.is_some();
        let compare_at = self.compare_at.unwrap_or_else(Instant::now);
        let comparison = self.comparison.as_mut();
        let may_discover = self.discovery.is_none() && self.discover_at.is_some();
        let discover_at = self.discover_at.unwrap_or_else(Instant::now);
        let discovery = self.discovery.as_mut();
        tokio::select! {
            biased;
            (outcome, gap) = async { match comparison {
                Some(comparison) => comparison.await,
                None => std::future::pending().await,
            }} => Turn::Compared(outcome, gap),
            found = async { match discovery {
                Some(discovery) => discovery.await,
                None => std::future::pending().await,
            }} => Turn::Discovered(found),
            () = self.reconnect.notified() => Turn::Reconnect,
            () = self.refresh.notified() => Turn::Refresh,
            step = self.stream.next(), if !is_full => Turn::Step(step),
            () = tokio::time::sleep_until(compare_at), if may_compare => Turn::Compare,
            () = tokio::time::sleep_until(discover_at), if may_discover => Turn::Discover,
        }
    }

    async fn take(&mut self, step: Step) {
        let mut next = Some(step);
        let mut drafts = Vec::new();
        let before = self.stream.bytes();
        while let Some(step) = next.take() {
            match step {
                Step::Chunk(chunk) => {
                    self.quiet_since = None;
                    self.decode(&chunk, &mut drafts);
                    if matches!(self.state, Some(LinkState::Stale { .. })) {
                        let is_done = self.is_caught_up;
                        self.enter(if is_done {
                            LinkState::Live
                        } else {
                            LinkState::CatchingUp
                        })
                        .await;
                    }
                    if drafts.len() < BATCH && self.stream.bytes() - before < BATCH_BYTES {
                        next = self.stream.next().now_or_never();
                    }
                }
                other => {
                    self.pass_on(std::mem::take(&mut drafts)).await;
                    self.change_state(other).await;
                }
            }
        }
        self.pass_on(drafts).await;
    }

    fn decode(&mut self, chunk: &[u8], drafts: &mut Vec<Draft>) {
        let received = self.outlet.clock().now();
        self.last_byte = Some(received);
        let mut n_unreadable = 0;
        self.stream.take(chunk, |frame| {
            let mut raw: Option<Arc<[u8]>> = None;
            let outcome = events::decode(&frame, |kind| {
                let raw = raw.get_or_insert_with(|| frame.data.into()).clone();
                drafts.push(Draft {
                    received,
                    origin: Origin::Stream,
                    raw: Some(raw),
                    kind,
                });
            });
            if let Err(why) = outcome {
                n_unreadable += 1;
                let what = Unreadable {
                    place: "stream",
                    why,
                    excerpt: excerpt(frame.data),
                };
                let kind = ChangeKind::Unreadable(Box::new(what));
                drafts.push(Draft {
                    received,
                    origin: Origin::Stream,
                    raw: None,
                    kind,
                });
            }
        });
        self.outlet
            .gauges()
            .unreadable
            .fetch_add(n_unreadable, Ordering::Relaxed);
        self.count(received, drafts);
    }

    /// Brings the shared counters up to date, and says it where events were skipped.
    fn count(&mut self, received: Moment, drafts: &mut Vec<Draft>) {
        let counters = self.stream.decoder().counters();
        let gauges = self.outlet.gauges();
        gauges.frames.store(counters.frames, Ordering::Relaxed);
        gauges.comments.store(counters.comments, Ordering::Relaxed);
        gauges
            .oversized
            .store(counters.oversized, Ordering::Relaxed);
        gauges.bytes.store(self.stream.bytes(), Ordering::Relaxed);
        gauges
            .connections
            .store(self.stream.connections(), Ordering::Relaxed);
        let n_skipped = counters.oversized - self.seen.oversized;
        if n_skipped > 0 {
            let limit = self.client.http.limits.event_bytes;
            let why = format!("{n_skipped} events larger than {limit} bytes were skipped");
            let what = Unreadable {
                place: "stream",
                why,
                excerpt: String::new(),
            };
            let kind = ChangeKind::Unreadable(Box::new(what));
            drafts.push(Draft {
                received,
                origin: Origin::Stream,
                raw: None,
                kind,
            });
        }
        self.seen = counters;
    }

    /// Sends events on, or holds them while a comparison of this connection runs.
    async fn pass_on(&mut self, drafts: Vec<Draft>) {
        if drafts.is_empty() {
            self.note_place();
            return;
        }
        if self.is_open && self.comparison.is_some() {
            self.held_bytes += drafts
                .iter()
                .map(|draft| draft.raw.as_ref().map_or(0, |raw| raw.len()))
                .sum::<usize>();
            self.held.extend(drafts);
            return;
        }
        self.send(drafts).await;
    }

    async fn send(&mut self, drafts: Vec<Draft>) {
        for draft in &drafts {
            match &draft.kind {
                ChangeKind::Event(event) => event.task.iter().for_each(|task| self.known.see(task)),
                ChangeKind::Task(task) => self.known.see(task),
                ChangeKind::TaskGone(task) => self.known.forget(task),
                _ => {}
            }
        }
        self.outlet.send(drafts).await;
        self.note_place();
    }

    /// Notes how far all that came was sent, for a later run to go on there.
    fn note_place(&mut self) {
        if !self.held.is_empty() {
            return;
        }
        let id = self.stream.decoder().last_event_id();
        if *id != *self.noted_id {
            id.clone_into(&mut self.noted_id);
            self.outlet.note_resumable(id);
        }
        // Until a comparison has ended well, the gap is not over.
        if let (None, true, Some(at)) = (self.gap_from, self.is_caught_up, self.last_byte) {
            self.outlet.note_alive(at.wall);
        }
    }

    async fn change_state(&mut self, step: Step) {
        match step {
            Step::Opened => {
                self.is_open = true;
                self.is_caught_up = false;
                self.quiet_since = None;
                self.has_forgotten |= self.stream.take_forgotten();
                let path = self.stream.url().path().to_owned();
                self.outlet
                    .learn(|abilities| abilities.stream = Ability::Offered(path))
                    .await;
                self.enter(LinkState::CatchingUp).await;
                self.compare_wait = Duration::ZERO;
                self.comparison = None;
                self.begin_comparison();
            }
            Step::Quiet => {
                let since = self
                    .last_byte
                    .map_or_else(|| self.outlet.clock().now().wall, |at| at.wall);
                self.quiet_since = Some(since);
                if self.comparison.is_none() {
                    self.enter(LinkState::Stale { since }).await;
                }
            }
            Step::Broken {
                why, wait, tries, ..
            } => {
                self.close().await;
                let wait = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
                let at = self.outlet.clock().now().wall.plus(wait);
                self.enter(LinkState::Retrying { at, tries, why }).await;
                if !self.is_discovered {
                    self.begin_discovery();
                }
            }
            Step::Stopped(why) => {
                self.close().await;
                let reason = why.what.clone();
                self.outlet
                    .learn(|abilities| abilities.stream = Ability::Absent(reason))
                    .await;
                // What is published may change: asked again before the next try.
                let wait = self.client.http.waits.stopped / 2;
                self.discover_at.get_or_insert(Instant::now() + wait);
                self.enter(LinkState::Stopped { why }).await;
                // Whether reads answer without a stream is seen at once.
                self.compare_at = Some(Instant::now());
            }
            Step::Chunk(_) => {}
        }
    }

    /// The connection is over: what was held is true all the same, and the gap begins.
    async fn close(&mut self) {
        if self.is_open {
            self.is_open = false;
            self.comparison = None;
            let held = std::mem::take(&mut self.held);
            self.held_bytes = 0;
            self.send(held).await;
            let last = self.last_byte.unwrap_or_else(|| self.outlet.clock().now());
            self.gap_from.get_or_insert(last.wall);
        }
        self.has_forgotten |= self.stream.take_forgotten();
        // Without a stream, the active tasks are polled.
        self.compare_at
            .get_or_insert(Instant::now() + self.client.http.waits.pace());
    }

    fn begin_comparison(&mut self) {
        self.compare_at = None;
        let gap = self
            .gap_from
            .filter(|_| self.is_open)
            .map(|from| (from, self.outlet.clock().now().wall));
        let (client, known) = (self.client.clone(), self.known.clone());
        self.comparison = Some(Box::pin(async move {
            (compare(&client, &known, gap).await, gap)
        }));
    }

    async fn compared(&mut self, outcome: Result<Compared, Failure>, gap: Option<(Time, Time)>) {
        self.comparison = None;
        match outcome {
            Ok(found) => {
                self.compare_wait = Duration::ZERO;
                self.fold(found, gap).await;
                if let Some(LinkState::Stopped { why }) = self.state.clone() {
                    self.enter(LinkState::Polling { why }).await;
                }
                self.outlet.tell_polled(None).await;
            }
            Err(failure) => self.not_compared(failure).await,
        }
        if !self.is_open {
            let wait = self.compare_wait.max(self.client.http.waits.pace());
            self.compare_at = Some(Instant::now() + wait);
        }
    }

    /// The snapshot first, then what the stream brought meanwhile, then the proof.
    async fn fold(&mut self, found: Compared, gap: Option<(Time, Time)>) {
        let origin = if self.is_open {
            Origin::Snapshot
        } else {
            Origin::Poll
        };
        let mut drafts = self.outlet.unreadable(origin, found.unreadable);
        let tasks = found.tasks.into_iter().map(ChangeKind::Task);
        let gone = found.gone.into_iter().map(ChangeKind::TaskGone);
        drafts.extend(
            tasks
                .chain(gone)
                .map(|kind| self.outlet.draft(origin, kind)),
        );
        for logged in found.messages {
            drafts.push(
                self.outlet
                    .draft(origin, ChangeKind::Message(Box::new(logged.message))),
            );
            let task = logged.task.map(ChangeKind::Task);
            drafts.extend(task.map(|kind| self.outlet.draft(origin, kind)));
        }
        self.send(drafts).await;
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        let n_held = held.len();
        self.send(held).await;
        if !self.is_open {
            return;
        }
        let mut caveats = found.caveats;
        if std::mem::take(&mut self.has_forgotten) {
            caveats.push(
                "its last event id was of no use, so that events may have been passed over"
                    .to_owned(),
            );
        }
        let proof = Proof {
            gap,
            compared: Some(found.n_active),
            repaired: found.repaired,
            n_repaired: found.n_repaired,
            found: found.n_found,
            held: n_held,
            caveat: (!caveats.is_empty()).then(|| caveats.join("; ")),
            at: self.outlet.clock().now().wall,
        };
        self.gap_from = None;
        self.is_caught_up = true;
        self.outlet
            .tell(Origin::Snapshot, ChangeKind::Proof(Box::new(proof)))
            .await;
        self.enter_caught_up().await;
    }

    /// Live, if bytes flow: a comparison that ends well is no sign of life of the stream.
    async fn enter_caught_up(&mut self) {
        let state = match self.quiet_since {
            Some(since) => LinkState::Stale { since },
            None => LinkState::Live,
        };
        self.enter(state).await;
    }

    /// The stream goes on without the comparison, which is tried again.
    async fn not_compared(&mut self, failure: Failure) {
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        self.send(held).await;
        let is_hopeless = matches!(
            failure.kind,
            FailureKind::Unauthorized | FailureKind::NotOffered | FailureKind::NotAspect
        );
        self.outlet.tell_polled(Some(failure.clone())).await;
        if let Some(LinkState::Polling { why }) = self.state.clone() {
            self.enter(LinkState::Stopped { why }).await;
        }
        let first = self.client.http.waits.pace();
        self.compare_wait = if is_hopeless {
            MAX_COMPARE_WAIT
        } else {
            (self.compare_wait * 2).clamp(first.min(MAX_COMPARE_WAIT), MAX_COMPARE_WAIT)
        };
        self.compare_at = Some(Instant::now() + self.compare_wait);
        // Where it will never be compared, catching up is over; else it goes on.
        if self.is_open && is_hopeless && !self.is_caught_up {
            let proof = Proof {
                gap: None,
                compared: None,
                repaired: Vec::new(),
                n_repaired: 0,
                found: 0,
                held: 0,
                caveat: Some(format!("nothing was compared: {}", failure.what)),
                at: self.outlet.clock().now().wall,
            };
            self.outlet
                .tell(Origin::Snapshot, ChangeKind::Proof(Box::new(proof)))
                .await;
            self.is_caught_up = true;
            self.enter_caught_up().await;
        } else if self.is_open
            && let Some(since) = self.quiet_since
        {
            self.enter(LinkState::Stale { since }).await;
        }
    }

    async fn enter(&mut self, state: LinkState) {
        if self.state.as_ref() != Some(&state) {
            self.state = Some(state.clone());
            self.outlet
                .tell(Origin::Inference, ChangeKind::Link(Box::new(state)))
                .await;
        }
    }

    fn begin_discovery(&mut self) {
        if self.discovery.is_some() {
            return;
        }
        self.discover_at = None;
        let (client, path) = (self.client.clone(), self.settings.events_path.clone());
        self.discovery = Some(Box::pin(
            async move { discover(&client, path.as_deref()).await },
        ));
    }

    async fn discovered(&mut self, found: Result<Found, Failure>) {
        self.discovery = None;
        let found = match found {
            Ok(found) => found,
            Err(failure) => return self.outlet.tell_polled(Some(failure)).await,
        };
        if found.published.is_none() {
            // The server could not be asked. A guess does not replace what it once said.
            self.discover_wait = (self.discover_wait * 2).clamp(
                self.client.http.waits.pace().min(MAX_COMPARE_WAIT),
                MAX_COMPARE_WAIT,
            );
            self.discover_at = Some(Instant::now() + self.discover_wait);
            if self.is_discovered {
                return;
            }
        } else {
            self.is_discovered = true;
            self.discover_wait = Duration::ZERO;
        }
        if *self.stream.url() != found.url {
            self.stream.set_url(found.url.clone());
            // Only a wait ends; an open stream, or one that is being opened, goes on.
            self.stream.hurry();
        }
        let resend = resend_ability(self.settings.resend_path.as_deref(), &found);
        let schedule = found
            .published
            .and_then(|published| published.retry_schedule);
        self.outlet
            .learn(|abilities| {
                abilities.resend = resend;
                abilities.retry_schedule = schedule.or(abilities.retry_schedule.take());
            })
            .await;
    }
}

/// Whether a message can be resent, by which route: configured, else published.
pub fn resend_ability(configured: Option<&str>, found: &Found) -> Ability {
    match (configured, &found.published) {
        (Some(path), _) => Ability::Offered(path.to_owned()),
        (None, Some(published)) => match &published.resend {
            Some(path) => Ability::Offered(path.clone()),
            None => Ability::Absent(
                "this server publishes no resend route; if it has one, set resend_path in the profile"
                    .to_owned(),
            ),
        },
        (None, None) => Ability::Unknown,
    }
}
