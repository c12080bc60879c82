//! The link: keeps the stream open, compares after each connection, holds frames while it does, and
//! polls the active tasks while there is no stream.

mod catch_up;
mod finding;
mod incoming;
mod resuming;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::time::Instant;

pub use self::finding::resend_ability;
use super::client::Client;
use super::compare::{Compared, Known};
use super::discover::{Found, discover};
use super::outlet::{Draft, Outlet};
use super::stream::{Step, Stream};
use crate::domain::{Ability, ChangeKind, Failure, LinkState, Moment, Origin, Time};
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

    async fn enter(&mut self, state: LinkState) {
        if self.state.as_ref() != Some(&state) {
            self.state = Some(state.clone());
            self.outlet
                .tell(Origin::Inference, ChangeKind::Link(Box::new(state)))
                .await;
        }
    }
}
